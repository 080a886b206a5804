//! Interference with single messages: what a step of the schedule does to requests, answers, link messages and datagrams of a
//! certain kind. Decided when the message is sent.

use std::sync::Arc;
use std::time::Duration;

use crate::plan::world::{Fault, MessageAction, MessageMatch};
use crate::protocol::{Address, NodeId, SimTime, Wire};

/// What happens to one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Pass,
    Drop,
    /// It takes so many nanoseconds longer.
    Delay(u64),
    Twice,
    /// Requests only: the caller gets this status and body.
    Fail {
        status: u16,
        body: Option<Arc<str>>,
    },
    /// Requests only: the caller is sent there with 302.
    Redirect(Address),
    /// Requests only: the connection breaks.
    Break,
}

/// The interference in force.
#[derive(Clone, Debug, Default)]
pub(super) struct Messages {
    active: Vec<Interference>,
}

#[derive(Clone, Debug)]
struct Interference {
    step: u32,
    matching: MessageMatch,
    action: MessageAction,
    until: Option<SimTime>,
    /// Messages matched so far.
    matched: u64,
}

impl Messages {
    /// What happens to this message. The step that began first decides; all of them count it.
    #[inline]
    pub fn fate<W: Wire>(&mut self, message: &W, from: NodeId, to: NodeId, now: SimTime) -> Fate {
        if self.active.is_empty() { Fate::Pass } else { self.interfere(message, from, to, now) }
    }

    #[cold]
    fn interfere<W: Wire>(&mut self, message: &W, from: NodeId, to: NodeId, now: SimTime) -> Fate {
        let mut fate = Fate::Pass;
        for Interference { matching, action, until, matched, .. } in &mut self.active {
            let MessageMatch { kind, from: sources, to: targets, instance, nth } = matching;
            let matches = kind.as_ref().is_none_or(|kind| kind == message.kind())
                && sources.as_ref().is_none_or(|sources| sources.contains(&from))
                && targets.as_ref().is_none_or(|targets| targets.contains(&to))
                && instance.is_none_or(|instance| message.instance() == Some(instance));
            if !matches {
                continue;
            }
            *matched += 1;
            if fate == Fate::Pass && nth.is_none_or(|nth| nth == *matched) {
                fate = match action {
                    MessageAction::Drop => Fate::Drop,
                    MessageAction::Delay(by) => Fate::Delay(nanos(*by)),
                    MessageAction::Hold => match until {
                        Some(until) => Fate::Delay(until.0.saturating_sub(now.0)),
                        None => Fate::Drop,
                    },
                    MessageAction::Duplicate => Fate::Twice,
                    MessageAction::Fail { status, body } => {
                        Fate::Fail { status: *status, body: body.clone() }
                    }
                    MessageAction::Redirect(to) => Fate::Redirect(*to),
                    MessageAction::Break => Fate::Break,
                };
            }
        }
        fate
    }

    /// A step's interference begins; other faults are not for us.
    pub fn begin(&mut self, step: u32, fault: &Fault, until: Option<SimTime>) {
        if let Fault::Messages { matching, action } = fault {
            let (matching, action) = (matching.clone(), action.clone());
            self.active.push(Interference { step, matching, action, until, matched: 0 });
        }
    }

    /// A step's interference ends.
    pub fn end(&mut self, step: u32) {
        self.active.retain(|interference| interference.step != step);
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
