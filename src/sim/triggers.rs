//! Triggers: steps that wait for something to happen.
//!
//! Separate from the schedule because they look at records, as checks do, and feed back into the run. A run without triggers does
//! nothing here. What fires one has taken place; its steps come after everything that was due at that moment already.

use crate::history::{Record, What};
use crate::plan::world::{Condition, Life, Trigger, TriggerId};
use crate::protocol::{Event, NodeId, Protocol, SimTime};

use super::{Due, Simulation};

/// How far a trigger has come.
#[derive(Clone, Debug, Default)]
pub(super) struct TriggerState {
    /// Whether it counts.
    armed: bool,
    /// How often its condition came true.
    count: u32,
    /// When it fired.
    pub fired: Option<SimTime>,
    /// Of a gauge: the processes whose value is in the range now, rising.
    inside: Vec<NodeId>,
}

impl<P: Protocol> Simulation<P> {
    /// Triggers that wait for nothing but the start of the run begin to count.
    pub(super) fn arm_first(&mut self) {
        self.arm_after(None, SimTime::ZERO);
    }

    /// Triggers that wait for this one begin to count, at once or when their time comes.
    fn arm_after(&mut self, fired: Option<TriggerId>, base: SimTime) {
        let triggers = self.triggers.clone();
        for (index, trigger) in (0..).zip(&*triggers) {
            if trigger.after != fired {
                continue;
            }
            match trigger.from {
                // What has fired one does not count for those that wait for it.
                SimTime::ZERO if fired.is_none() => self.arm_trigger(index),
                from => _ = self.queue.push(SimTime(base.0.saturating_add(from.0)), Due::Arm(index)),
            }
        }
    }

    /// A trigger begins to count.
    pub(super) fn arm_trigger(&mut self, index: u32) {
        self.trigger_states[index as usize].armed = true;
        self.armed += 1;
    }

    /// Shows what the present event has made known to the triggers that count.
    pub(super) fn watch(&mut self) {
        let triggers = self.triggers.clone();
        for (index, trigger) in (0..).zip(&*triggers) {
            let state = &mut self.trigger_states[index];
            let fires = state.armed && self.records.iter().any(|record| state.counts(trigger, record));
            if fires {
                state.armed = false;
                state.fired = Some(self.now);
                self.armed -= 1;
                self.fire(TriggerId(index as u32));
            }
        }
    }

    fn fire(&mut self, trigger: TriggerId) {
        let steps = self.steps.clone();
        for (index, step) in (0..).zip(&*steps) {
            if step.trigger == Some(trigger) {
                self.queue.push(SimTime(self.now.0.saturating_add(step.at.0)), Due::Step(index));
            }
        }
        self.arm_after(Some(trigger), self.now);
    }

    /// The moment from which on the times of a step count, once that is known.
    pub(super) fn base_of(&self, trigger: Option<TriggerId>) -> SimTime {
        let fired = trigger.and_then(|trigger| self.trigger_states[trigger.index()].fired);
        fired.unwrap_or(SimTime::ZERO)
    }

    /// When each trigger of the world fired, if it did.
    pub fn fired(&self) -> Vec<Option<SimTime>> {
        self.trigger_states.iter().map(|state| state.fired).collect()
    }
}

impl TriggerState {
    /// Takes in one record. Returns whether the condition has come true as often as it takes.
    pub fn counts(&mut self, trigger: &Trigger, record: &Record) -> bool {
        let true_now = match &trigger.condition {
            Condition::Event(pattern) => pattern.matches(record),
            Condition::Gauge { gauge, nodes, is } => match &record.what {
                What::Event { node, event: Event::Gauge { gauge: of, value } }
                    if of == gauge && nodes.contains(node) =>
                {
                    self.comes_in(*node, is.contains(*value as f64))
                }
                // A figure of a process that is gone is in no range.
                What::Ended { node, .. } => {
                    self.comes_in(*node, false);
                    false
                }
                _ => false,
            },
            Condition::Life { change, nodes } => {
                let (turn, node) = match &record.what {
                    What::Started { node } => (Life::Started, node),
                    What::Stopping { node } => (Life::Stopping, node),
                    What::Ended { node, .. } => (Life::Ended, node),
                    _ => return false,
                };
                turn == *change && nodes.as_ref().is_none_or(|nodes| nodes.contains(node))
            }
        };
        self.count += u32::from(true_now);
        true_now && self.count == trigger.nth
    }

    /// Whether a process's value comes into the range just now.
    fn comes_in(&mut self, node: NodeId, inside: bool) -> bool {
        match (self.inside.binary_search(&node), inside) {
            (Err(at), true) => {
                self.inside.insert(at, node);
                true
            }
            (Ok(at), false) => {
                self.inside.remove(at);
                false
            }
            (Ok(_), true) | (Err(_), false) => false,
        }
    }
}
