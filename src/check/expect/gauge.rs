//! `gauge:` and `sometimes: self-preservation-active`: the values of a gauge in a window.

use super::super::verdict::Verdict;
use crate::history::{Record, What};
use crate::plan::world::World;
use crate::plan::{Expected, Range};
use crate::protocol::{Event, NodeId, SimTime};

/// The fold. A gauge keeps its value until it is emitted again, so the value at the start of the window counts.
#[derive(Clone, Debug)]
pub struct Watch {
    /// The last value of each server before or in the window.
    current: Vec<Option<i64>>,
    /// The window has been entered with the values it found.
    opened: bool,
    /// The first value in the window that is in (or out of) the range, as the expectation asks.
    decided: Option<(SimTime, NodeId, i64)>,
}

impl Watch {
    /// Before the run.
    pub fn new(servers: usize) -> Watch {
        Watch { current: vec![None; servers], opened: false, decided: None }
    }

    /// Takes in one record.
    pub fn record(&mut self, expected: &Expected, record: &Record) {
        let Expected::Gauge { gauge, servers, from, to, .. } = expected else { return };
        let What::Event { node, event: Event::Gauge { gauge: emitted, value } } = &record.what else {
            return;
        };
        let Some(place) = servers.iter().position(|server| server == node) else { return };
        if emitted != gauge || record.at > *to {
            return;
        }
        if record.at > *from {
            self.open(expected);
        }
        self.current[place] = Some(*value);
        if record.at > *from {
            self.look(expected, record.at, *node, *value);
        }
    }

    /// Judges.
    pub fn finish(
        mut self,
        expected: &Expected,
        world: &World,
        end: SimTime,
    ) -> (Verdict, Option<SimTime>, String) {
        let Expected::Gauge { gauge, from, to, sometimes, .. } = expected else {
            unreachable!("a watch belongs to a gauge")
        };
        if end < *from {
            return (Verdict::Inconclusive, None, format!("the run ends before {from}"));
        }
        self.open(expected);
        let gauge = gauge.name();
        match (self.decided, sometimes) {
            (Some((at, node, value)), _) => {
                let server = &world.processes[node.index()].name;
                let verdict = if *sometimes { Verdict::Holds } else { Verdict::Violated };
                (verdict, Some(at), format!("{gauge} of {server} was {value} at {at}"))
            }
            (None, _) if self.current.iter().all(Option::is_none) => {
                (Verdict::Inconclusive, None, format!("{gauge} was never reported"))
            }
            (None, true) => (Verdict::Violated, None, format!("{gauge} never was so by {}", (*to).min(end))),
            (None, false) => (Verdict::Holds, Some((*to).min(end)), format!("{gauge} was so all the time")),
        }
    }

    fn open(&mut self, expected: &Expected) {
        let Expected::Gauge { servers, from, .. } = expected else { return };
        if !self.opened {
            self.opened = true;
            for (place, server) in servers.iter().enumerate() {
                if let Some(value) = self.current[place] {
                    self.look(expected, *from, *server, value);
                }
            }
        }
    }

    fn look(&mut self, expected: &Expected, at: SimTime, node: NodeId, value: i64) {
        let Expected::Gauge { is, sometimes, .. } = expected else { return };
        if contains(*is, value) == *sometimes {
            self.decided.get_or_insert((at, node, value));
        }
    }
}

fn contains(range: Range, value: i64) -> bool {
    range.contains(value as f64)
}
