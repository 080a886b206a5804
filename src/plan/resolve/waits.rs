//! What steps wait for, in ids, and the requests whose answers are expected.
//!
//! Separate from the schedule because it is about what machines report, as expectations are.

use super::schedule::Time;
use super::{Resolver, judgement};
use crate::plan::expectation::{Expectation, Expected, Pattern};
use crate::plan::world::{Condition, Life, Trigger, TriggerId};
use crate::protocol::{InstanceId, NodeId};
use crate::scenario::selector::Who;
use crate::scenario::timeline::{Action, Asked, LifeChange, On, Step as Written, Trigger as WrittenTrigger};

impl Resolver<'_> {
    /// What a step waits for from a moment on.
    pub(super) fn trigger(&mut self, written: &WrittenTrigger, from: Time) -> Option<TriggerId> {
        let condition = match &written.on {
            On::Event { name, of, at, status } => {
                let instances = self.each(of.as_ref(), Self::instances_of);
                let nodes = self.each(at.as_ref(), Self::processes_of);
                let (instances, nodes): (Option<Vec<InstanceId>>, Option<Vec<NodeId>>) = (instances?, nodes?);
                let status = status.as_ref().map(|status| status.value);
                Condition::Event(Pattern { event: name, instances, nodes, status })
            }
            On::Gauge { gauge, of, is } => {
                let nodes = match (of, gauge.of_clients()) {
                    (Some(who), true) => {
                        self.reporting(who).filter(|nodes| self.can_report(*gauge, nodes, who))
                    }
                    (Some(who), false) => self.servers_of(who),
                    (None, _) => Some(self.all_servers_of()),
                };
                let is = judgement::range(is, |value| *value as f64);
                Condition::Gauge { gauge: *gauge, nodes: nodes?, is }
            }
            On::Life { change, of } => {
                let change = match change {
                    LifeChange::Started => Life::Started,
                    LifeChange::Stopping => Life::Stopping,
                    LifeChange::Ended => Life::Ended,
                };
                Condition::Life { change, nodes: self.each(of.as_ref(), Self::processes_of)? }
            }
        };
        self.triggers.push(Trigger {
            name: written.text.clone(),
            after: from.base,
            from: from.at,
            condition,
            nth: written.nth,
        });
        Some(TriggerId(self.triggers.len() as u32 - 1))
    }

    /// Whom a selector means, if one is written. `None`: it is a mistake.
    fn each<T>(
        &mut self,
        who: Option<&Who>,
        of: impl Fn(&mut Self, &Who) -> Option<Vec<T>>,
    ) -> Option<Option<Vec<T>>> {
        match who {
            None => Some(None),
            Some(who) => of(self, who).map(Some),
        }
    }

    /// Expects what a request says of its answer; its steps are those from `first` on.
    pub(super) fn expect_answer(&mut self, written: &Written, first: usize) {
        let Action::Request(request) = &written.action else { return };
        let Some(expect) = &request.expect else { return };
        let status = expect.value;
        if request.to.is_none() {
            let help = Some("name a server: `to: peer1`".to_owned());
            return self.error(expect.span, "what an application does by itself is not answered", help);
        }
        let success = match request.what {
            Asked::Register => 204,
            _ => 200,
        };
        if (200..300).contains(&status) && status != success {
            let message = format!("this is answered `{success}` if it succeeds, never `{status}`");
            return self.error(expect.span, message, Some(format!("`expect: {success}`")));
        }
        let (source, span) = self.scenario.sources.locate(expect.span);
        let (line, _) = source.position(span.start);
        self.answers.push(Expectation {
            text: format!("{} is answered {status}", written.label),
            line: line as u32,
            expected: Expected::Answered { steps: (first as u32..self.steps.len() as u32).collect(), status },
            violated: false,
        });
    }
}
