//! What happened: one stream of records, the same for every protocol, from which checks, metrics and reports are made.
//!
//! A driver produces [`Record`]s; everything that follows is a fold over them ([`Observer`]). [`digest`] condenses a run into
//! 64 bits.

pub mod digest;
mod encode;
pub mod jsonl;

use crate::protocol::{Answer, Event, InstanceId, NodeId, Operation, ServiceId, SimTime, Ticket};

pub use digest::Digest;

/// One observation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// When, in virtual time.
    pub at: SimTime,
    /// What.
    pub what: What,
}

/// What can be observed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A process began, for the first time or again.
    Started { node: NodeId },
    /// A process was told to shut down gracefully: from here on it no longer wants traffic.
    Stopping { node: NodeId },
    /// A process is gone: it crashed, lost power, or ended by itself with this exit code.
    Ended { node: NodeId, exit: Option<i32> },
    /// A process stands still, or goes on.
    Paused { node: NodeId, paused: bool },
    /// A machine reported something.
    Event { node: NodeId, event: Event },
    /// An operation was asked.
    Invoked { node: NodeId, ticket: Ticket, operation: Operation },
    /// An operation ended.
    Completed { node: NodeId, ticket: Ticket, answer: Answer },
    /// A step of the schedule (its index in the plan) took effect, or was undone.
    Step { step: u32, began: bool },
    /// A caller tried to call a service and this came of it. `attempt` counts the tries of one call, from 0; the `last` one's result
    /// is that of the call.
    Traffic {
        caller: NodeId,
        service: ServiceId,
        chosen: Option<InstanceId>,
        result: CallResult,
        attempt: u32,
        last: bool,
    },
    /// A machine wrote to a file; `durable` once a flush covers it.
    Disk { node: NodeId, file: u8, durable: bool },
}

/// What a caller's call came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CallResult {
    /// An instance answered.
    Answered,
    /// The caller knew no instance.
    NoInstance,
    /// The chosen instance was not running.
    DeadInstance,
    /// The chosen instance was running, but could not be reached.
    Unreachable,
}

/// Whoever watches a run.
pub trait Observer {
    /// One record, in order of time.
    fn record(&mut self, record: &Record);
}

impl Observer for () {
    fn record(&mut self, _: &Record) {}
}

impl Observer for Vec<Record> {
    fn record(&mut self, record: &Record) {
        self.push(record.clone());
    }
}
