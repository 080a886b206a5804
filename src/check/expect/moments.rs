//! `delay:` and `order:`: moments of the run, one after the other.

use super::super::cluster::Cluster;
use super::super::verdict::Verdict;
use crate::history::{Record, What};
use crate::plan::{Moment, Range};
use crate::protocol::SimTime;

/// The moments of one expectation while they are looked for. Events count from the moment before them on.
#[derive(Clone, Debug)]
pub struct Search {
    moments: Vec<Moment>,
    found: Vec<Option<SimTime>>,
    matched: Vec<u32>,
}

impl Search {
    /// Before the run.
    pub fn new(moments: Vec<Moment>) -> Search {
        let count = moments.len();
        Search { moments, found: vec![None; count], matched: vec![0; count] }
    }

    /// Takes in one record; `cluster` is the state after it.
    pub fn record(&mut self, record: &Record, cluster: &Cluster<'_>) {
        for place in 0..self.moments.len() {
            let begun = place == 0 || self.found[place - 1].is_some();
            match &self.moments[place] {
                Moment::At(at) => self.found[place] = Some(*at),
                Moment::StepBegins(step) | Moment::StepEnds(step) => {
                    let begins = matches!(self.moments[place], Moment::StepBegins(_));
                    if record.what == (What::Step { step: *step, began: begins }) {
                        self.found[place].get_or_insert(record.at);
                    }
                }
                Moment::Event { pattern, nth } => {
                    // A fixed time is found at once, so it may still be to come.
                    let early = place > 0 && self.found[place - 1].is_some_and(|before| before > record.at);
                    if begun && !early && pattern.matches(record) {
                        self.matched[place] += 1;
                        if self.matched[place] == *nth {
                            self.found[place] = Some(record.at);
                        }
                    }
                }
                // These last to the end of the run, so a later record may undo them.
                Moment::Forgotten { instances, observers } | Moment::Known { instances, observers } => {
                    if !begun || !moves_views(record) {
                        continue;
                    }
                    let known = matches!(self.moments[place], Moment::Known { .. });
                    let all = observers.iter().filter(|node| cluster.runs(**node)).all(|node| {
                        instances.iter().all(|instance| cluster.lists(*node, *instance) == known)
                    });
                    match (all, self.found[place]) {
                        (true, None) => self.found[place] = Some(record.at),
                        (true, Some(_)) => {}
                        (false, _) => self.found[place] = None,
                    }
                }
            }
        }
    }

    /// The second moment must come so many seconds after the first.
    pub fn delay(&self, is: Range) -> (Verdict, Option<SimTime>, String) {
        match (self.found[0], self.found[1]) {
            (Some(from), Some(to)) => {
                let seconds = (to.0 as f64 - from.0 as f64) / 1e9;
                let detail = format!("{seconds:.3} s, from {from} to {to}");
                (super::in_range(is, seconds), Some(to), detail)
            }
            (None, _) => (Verdict::Inconclusive, None, "the first moment never came".to_owned()),
            (Some(from), None) => {
                (Verdict::Violated, None, format!("the second moment never came after {from}"))
            }
        }
    }

    /// All moments must come, in this order.
    pub fn order(&self) -> (Verdict, Option<SimTime>, String) {
        let mut last = SimTime::ZERO;
        for (place, found) in self.found.iter().enumerate() {
            match found {
                None => return (Verdict::Violated, None, format!("moment {} never came", place + 1)),
                Some(at) if *at < last => {
                    return (
                        Verdict::Violated,
                        Some(*at),
                        format!("moment {} came too early, at {at}", place + 1),
                    );
                }
                Some(at) => last = *at,
            }
        }
        let times: Vec<String> = self.found.iter().flatten().map(SimTime::to_string).collect();
        (Verdict::Holds, Some(last), format!("at {}", times.join(", ")))
    }
}

/// Whether a record may change who lists whom.
fn moves_views(record: &Record) -> bool {
    match &record.what {
        What::Started { .. } | What::Ended { .. } | What::Step { .. } => true,
        What::Event { event, .. } => !matches!(event.name(), "renewed" | "gauge"),
        What::Stopping { .. }
        | What::Paused { .. }
        | What::Invoked { .. }
        | What::Completed { .. }
        | What::Traffic { .. }
        | What::Disk { .. } => false,
    }
}
