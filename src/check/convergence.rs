//! Eventual consistency: from the last disturbance or change of truth, within the bound, every running server and every
//! subscribed client holds the truth, and keeps holding it: all that lives in its cluster, and of other clusters nothing that is
//! not so.
//!
//! The state that this needs is all in [`Cluster`]; what is here is the judgement.

use std::time::Duration;

use super::cluster::Cluster;
use super::verdict::{Finding, Verdict};
use crate::protocol::SimTime;

/// Pairs that are named in the evidence.
const NAMED: usize = 4;

/// Judges at the end of a run.
pub fn judge(cluster: &Cluster<'_>, end: SimTime, within: Duration) -> Finding {
    let disturbed = cluster.last_disturbance();
    let found = |verdict, at, detail| Finding {
        name: "converged".to_owned(),
        verdict,
        at: Some(at),
        detail,
        expected: false,
    };
    match cluster.agreed_since() {
        Some(agreed) => {
            let took = agreed.since(disturbed);
            let who = match cluster.world().cluster_count() {
                1 => "all views agree".to_owned(),
                more => format!("in each of {more} clusters all views agree"),
            };
            let detail =
                format!("{who} with the truth {} after the last disturbance at {disturbed}", seconds(took));
            if took <= within {
                found(Verdict::Holds, agreed, detail)
            } else {
                found(Verdict::Violated, agreed, format!("{detail}, not within {}", seconds(within)))
            }
        }
        None => {
            let pairs = cluster.disagreement();
            let named = cluster.differences(NAMED).join("; ");
            let more = if pairs > NAMED as u64 { "; …" } else { "" };
            let detail = format!("{pairs} views still differ from the truth at the end: {named}{more}");
            if end < disturbed + within {
                let short = format!(
                    "{detail}, but the run ends {} too early to tell",
                    seconds((disturbed + within).since(end))
                );
                found(Verdict::Inconclusive, end, short)
            } else {
                found(Verdict::Violated, end, detail)
            }
        }
    }
}

/// Seconds with milliseconds, for sentences.
pub fn seconds(duration: Duration) -> String {
    format!("{:.3} s", duration.as_secs_f64())
}
