//! What the scenario expects, evaluated while the history goes by.
//!
//! Expectations that name an invariant or convergence are judged where those live; what is here are the ones over single events, gauges,
//! listings, moments and calls. Each kind is a small fold of its own.

mod answers;
mod gauge;
mod moments;

use super::cluster::Cluster;
use super::verdict::{Finding, Verdict};
use crate::history::{CallResult, Record, What};
use crate::plan::world::World;
use crate::plan::{Expectation, Expected, Range};
use crate::protocol::SimTime;

/// One expectation and what has been seen for it.
#[derive(Clone, Debug)]
pub struct Evaluation<'p> {
    expectation: &'p Expectation,
    world: &'p World,
    seen: Seen,
}

#[derive(Clone, Debug)]
enum Seen {
    /// It is judged elsewhere, from the whole cluster.
    Nothing,
    /// Matching events: how many, and the first.
    Matches { count: u64, first: Option<SimTime> },
    /// The values of a gauge.
    Gauge(gauge::Watch),
    /// What was listed at the deadline.
    Listed(Option<Result<(), String>>),
    /// The moments looked for.
    Moments(moments::Search),
    /// Answers to requests.
    Answers(answers::Answers),
    /// Calls answered and made, and the first that was not answered.
    Calls { answered: u64, made: u64, first_lost: Option<SimTime> },
}

impl<'p> Evaluation<'p> {
    /// Before the run.
    pub fn new(expectation: &'p Expectation, world: &'p World) -> Evaluation<'p> {
        let seen = match &expectation.expected {
            Expected::Converged { .. } | Expected::Holds(_) => Seen::Nothing,
            Expected::Never(_) | Expected::Sometimes(_) | Expected::Count { .. } => {
                Seen::Matches { count: 0, first: None }
            }
            Expected::Gauge { nodes, .. } => Seen::Gauge(gauge::Watch::new(nodes.len())),
            Expected::Listed { .. } => Seen::Listed(None),
            Expected::Delay { from, to, .. } => {
                Seen::Moments(moments::Search::new(vec![from.clone(), to.clone()]))
            }
            Expected::Order(moments) => Seen::Moments(moments::Search::new(moments.clone())),
            Expected::Answered { steps, status } => Seen::Answers(answers::Answers::new(steps, *status)),
            Expected::Calls { .. } => Seen::Calls { answered: 0, made: 0, first_lost: None },
        };
        Evaluation { expectation, world, seen }
    }

    /// The expectation that this evaluates.
    pub fn expectation(&self) -> &'p Expectation {
        self.expectation
    }

    /// Time moves on to `at`; `cluster` is the state until then.
    pub fn before(&mut self, at: SimTime, cluster: &Cluster<'_>) {
        if let (expected @ Expected::Listed { by, .. }, Seen::Listed(found @ None)) =
            (&self.expectation.expected, &mut self.seen)
            && at > *by
        {
            *found = Some(listed_at(cluster, expected));
        }
    }

    /// Takes in one record; `cluster` is the state after it.
    pub fn record(&mut self, record: &Record, cluster: &Cluster<'_>) {
        match (&self.expectation.expected, &mut self.seen) {
            (Expected::Never(pattern) | Expected::Sometimes(pattern), Seen::Matches { count, first })
                if pattern.matches(record) =>
            {
                *count += 1;
                first.get_or_insert(record.at);
            }
            (Expected::Count { pattern, from, to, .. }, Seen::Matches { count, first })
                if (*from..=*to).contains(&record.at) && pattern.matches(record) =>
            {
                *count += 1;
                first.get_or_insert(record.at);
            }
            (expected @ Expected::Gauge { .. }, Seen::Gauge(watch)) => watch.record(expected, record),
            (_, Seen::Moments(search)) => search.record(record, cluster),
            (_, Seen::Answers(answers)) => answers.record(record),
            (
                Expected::Calls { callers, service, from, to, .. },
                Seen::Calls { answered, made, first_lost },
            ) => {
                let What::Traffic { caller, service: called, result, last: true, .. } = &record.what else {
                    return;
                };
                if (*from..=*to).contains(&record.at)
                    && callers.as_ref().is_none_or(|callers| callers.contains(caller))
                    && service.is_none_or(|service| service == *called)
                {
                    *made += 1;
                    if *result == CallResult::Answered {
                        *answered += 1;
                    } else {
                        first_lost.get_or_insert(record.at);
                    }
                }
            }
            _ => {}
        }
    }

    /// Judges at the end of a run.
    pub fn finish(mut self, end: SimTime, cluster: &Cluster<'_>) -> Finding {
        self.before(SimTime(end.0.saturating_add(1)), cluster);
        let (verdict, at, detail) = match (&self.expectation.expected, self.seen) {
            (Expected::Never(pattern), Seen::Matches { count, first }) => match first {
                Some(first) => {
                    (Verdict::Violated, Some(first), format!("{count} × {}, first at {first}", pattern.event))
                }
                None => (Verdict::Holds, None, format!("no {}", pattern.event)),
            },
            (Expected::Sometimes(pattern), Seen::Matches { count, first }) => match first {
                Some(first) => {
                    (Verdict::Holds, Some(first), format!("{count} × {}, first at {first}", pattern.event))
                }
                None => (Verdict::Violated, None, format!("no {} in the whole run", pattern.event)),
            },
            (Expected::Count { pattern, to, is, .. }, Seen::Matches { count, first }) => {
                let detail = format!("{count} × {}", pattern.event);
                let verdict = in_range(*is, count as f64);
                (if end < *to { Verdict::Inconclusive } else { verdict }, first, detail)
            }
            (expected @ Expected::Gauge { .. }, Seen::Gauge(watch)) => {
                watch.finish(expected, self.world, end)
            }
            (Expected::Listed { by, .. }, Seen::Listed(found)) => match found {
                None => (Verdict::Inconclusive, None, format!("the run ends before {by}")),
                Some(Ok(())) => (Verdict::Holds, Some(*by), format!("so it was at {by}")),
                Some(Err(detail)) => (Verdict::Violated, Some(*by), format!("at {by}, {detail}")),
            },
            (Expected::Delay { is, .. }, Seen::Moments(search)) => search.delay(*is),
            (Expected::Order(_), Seen::Moments(search)) => search.order(),
            (Expected::Answered { .. }, Seen::Answers(answers)) => answers.finish(),
            (Expected::Calls { to, success, .. }, Seen::Calls { answered, made, first_lost }) => {
                if end < *to {
                    (Verdict::Inconclusive, None, format!("the run ends before {to}"))
                } else if made == 0 {
                    (Verdict::Inconclusive, None, "no calls were made".to_owned())
                } else {
                    let share = answered as f64 / made as f64;
                    let detail = format!("{answered} of {made} calls were answered ({:.3} %)", share * 100.0);
                    (in_range(*success, share), first_lost, detail)
                }
            }
            (expected, _) => unreachable!("judged elsewhere: {expected:?}"),
        };
        Finding { name: self.expectation.text.clone(), verdict, at, detail, expected: true }
    }
}

fn in_range(range: Range, value: f64) -> Verdict {
    if range.contains(value) { Verdict::Holds } else { Verdict::Violated }
}

/// Whether all the servers list (or do not list) all the instances; if not, the first that is wrong.
fn listed_at(cluster: &Cluster<'_>, expected: &Expected) -> Result<(), String> {
    let Expected::Listed { instances, servers, status, listed, .. } = expected else {
        unreachable!("a listing belongs to `Listed`")
    };
    let world = cluster.world();
    for node in servers {
        for instance in instances {
            let found = cluster.listed_status(*node, *instance);
            let is_so = found.is_some_and(|found| status.is_none_or(|status| status == found));
            if is_so != *listed {
                let observer = &world.processes[node.index()].name;
                let instance = &world.instances[instance.index()];
                return Err(match (found, status) {
                    (None, _) => format!("{observer} does not list {instance}"),
                    (Some(_), None) => format!("{observer} lists {instance}"),
                    (Some(found), Some(_)) => format!("{observer} lists {instance} as {found}"),
                });
            }
        }
    }
    Ok(())
}
