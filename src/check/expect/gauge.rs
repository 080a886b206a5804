//! `gauge:` and `sometimes: self-preservation-active`: the values of a gauge in a window.
//!
//! A gauge keeps its value until it is emitted again, so the value at the start of the window counts. An age grows meanwhile, for as
//! long as its process runs: between two emissions it goes through all values from the one to the other.

use super::super::verdict::Verdict;
use crate::history::{Record, What};
use crate::plan::world::World;
use crate::plan::{Expected, Range};
use crate::protocol::{Event, Gauge, NodeId, SimTime};

/// The fold.
#[derive(Clone, Debug)]
pub struct Watch {
    /// The last value of each process before or in the window, and since when.
    current: Vec<Option<(i64, SimTime)>>,
    /// The window has been entered with the values it found.
    opened: bool,
    /// The first value in the window that is in (or out of) the range, as the expectation asks.
    decided: Option<(SimTime, NodeId, i64)>,
    reported: bool,
}

impl Watch {
    /// Before the run.
    pub fn new(nodes: usize) -> Watch {
        Watch { current: vec![None; nodes], opened: false, decided: None, reported: false }
    }

    /// Takes in one record.
    pub fn record(&mut self, expected: &Expected, record: &Record) {
        let Expected::Gauge { gauge, nodes, from, to, .. } = expected else { return };
        let (node, new) = match &record.what {
            What::Event { node, event: Event::Gauge { gauge: emitted, value } } if emitted == gauge => {
                (node, Some((*value, record.at)))
            }
            // An age ends with its process.
            What::Ended { node, .. } if gauge.is_age() => (node, None),
            _ => return,
        };
        let Some(place) = nodes.iter().position(|other| other == node) else { return };
        if record.at > *to {
            return;
        }
        self.grow(expected, place, record.at);
        if record.at > *from {
            self.open(expected);
        }
        self.current[place] = new;
        self.reported |= new.is_some();
        if let Some((value, _)) = new
            && record.at > *from
        {
            self.look(expected, record.at, *node, value);
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
        for place in 0..self.current.len() {
            self.grow(expected, place, (*to).min(end));
        }
        let gauge = gauge.name();
        match (self.decided, sometimes) {
            (Some((at, node, value)), _) => {
                let name = &world.processes[node.index()].name;
                let verdict = if *sometimes { Verdict::Holds } else { Verdict::Violated };
                (verdict, Some(at), format!("{gauge} of {name} was {value} at {at}"))
            }
            (None, _) if !self.reported => {
                (Verdict::Inconclusive, None, format!("{gauge} was never reported"))
            }
            (None, true) => (Verdict::Violated, None, format!("{gauge} never was so by {}", (*to).min(end))),
            (None, false) => (Verdict::Holds, Some((*to).min(end)), format!("{gauge} was so all the time")),
        }
    }

    fn open(&mut self, expected: &Expected) {
        let Expected::Gauge { gauge, nodes, from, .. } = expected else { return };
        if !self.opened {
            self.opened = true;
            for (place, node) in nodes.iter().enumerate() {
                if let Some((value, since)) = self.current[place] {
                    self.look(expected, *from, *node, value + grown(*gauge, since, *from));
                }
            }
        }
    }

    fn look(&mut self, expected: &Expected, at: SimTime, node: NodeId, value: i64) {
        let Expected::Gauge { is, sometimes, .. } = expected else { return };
        if contains(*is, value) == *sometimes && self.decided.is_none_or(|(earliest, ..)| at < earliest) {
            self.decided = Some((at, node, value));
        }
    }

    /// An age has grown up to now: looks at the first value on the way that decides.
    fn grow(&mut self, expected: &Expected, place: usize, now: SimTime) {
        let Expected::Gauge { gauge, nodes, from, is, sometimes, .. } = expected else { return };
        let Some((value, since)) = self.current[place].filter(|_| gauge.is_age()) else { return };
        let begin = since.max(*from);
        if now <= begin {
            return;
        }
        let least = value + grown(*gauge, since, begin);
        let most = value + grown(*gauge, since, now);
        // The ends, and what lies at and beside the ends of the range.
        let (low, high) = (is.low.ceil() as i64, is.high.floor() as i64);
        let steps = [least, low, low.saturating_add(1), high, high.saturating_add(1), most];
        let decides = |value: &i64| (least..=most).contains(value) && contains(*is, *value) == *sometimes;
        if let Some(first) = steps.into_iter().filter(decides).min() {
            let at = begin + std::time::Duration::from_millis((first - least).unsigned_abs());
            self.look(expected, at, nodes[place], first);
        }
    }
}

/// What an age has grown by; other gauges stay.
fn grown(gauge: Gauge, since: SimTime, now: SimTime) -> i64 {
    match gauge.is_age() {
        true => now.since(since).as_millis() as i64,
        false => 0,
    }
}

fn contains(range: Range, value: i64) -> bool {
    range.contains(value as f64)
}
