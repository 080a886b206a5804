//! Records as words for the digest: an explicit encoding, fixed once and for all, that never looks at memory.

use super::{CallResult, Digest, Record, What};
use crate::protocol::{Answer, Event, Gauge, Health, InstanceId, NodeId, Operation, Origin, Status};

impl Record {
    /// Folds the record into a digest.
    pub fn fold(&self, into: &mut Digest) {
        into.fold(self.at.0);
        match &self.what {
            What::Started { node } => head(into, 1, *node),
            What::Stopping { node } => head(into, 2, *node),
            What::Ended { node, exit } => {
                head(into, 3, *node);
                into.fold(exit.map_or(u64::MAX, |code| u64::from(code.cast_unsigned())));
            }
            What::Paused { node, paused } => {
                head(into, 4, *node);
                into.fold(u64::from(*paused));
            }
            What::Event { node, event } => {
                head(into, 5, *node);
                fold_event(event, into);
            }
            What::Invoked { node, ticket, operation } => {
                head(into, 6, *node);
                into.fold(ticket.0);
                fold_operation(operation, into);
            }
            What::Completed { node, ticket, answer } => {
                head(into, 7, *node);
                into.fold(ticket.0);
                fold_answer(*answer, into);
            }
            What::Step { step, began } => {
                into.fold(8);
                into.fold(u64::from(*step) << 1 | u64::from(*began));
            }
            What::Traffic { caller, service, chosen, result, attempt, last } => {
                head(into, 9, *caller);
                into.fold(u64::from(service.0));
                into.fold(chosen.map_or(u64::MAX, |instance| u64::from(instance.0)));
                let result = match result {
                    CallResult::Answered => 0,
                    CallResult::NoInstance => 1,
                    CallResult::DeadInstance => 2,
                    CallResult::Unreachable => 3,
                };
                into.fold(u64::from(*attempt) << 32 | u64::from(!*last) << 8 | result);
            }
            What::Disk { node, file, durable } => {
                head(into, 10, *node);
                into.fold(u64::from(*file) << 1 | u64::from(*durable));
            }
        }
    }
}

fn head(into: &mut Digest, kind: u64, node: NodeId) {
    into.fold(kind << 32 | u64::from(node.0));
}

fn fold_event(event: &Event, into: &mut Digest) {
    match event {
        Event::Registered { instance, status, version, origin } => {
            content(into, 1, *instance, *status, *version, Some(*origin));
        }
        Event::Renewed { instance, origin } => subject(into, 2, *instance, Some(*origin)),
        Event::Changed { instance, status, version, origin } => {
            content(into, 3, *instance, *status, *version, Some(*origin));
        }
        Event::Deregistered { instance, origin } => subject(into, 4, *instance, Some(*origin)),
        Event::Evicted { instance } => subject(into, 5, *instance, None),
        Event::EvictionPass { leases, expired, evicted } => {
            into.fold(6);
            [leases, expired, evicted].into_iter().for_each(|count| into.fold(u64::from(*count)));
        }
        Event::Announced { instance, status, version } => {
            content(into, 7, *instance, *status, *version, None);
        }
        Event::Joined { instance } => subject(into, 8, *instance, None),
        Event::Adopted { view, claimed, reconciles } => {
            into.fold(9 | u64::from(*reconciles) << 8 | u64::from(claimed.is_some()) << 9);
            into.fold(view.content_hash());
            claimed.iter().flat_map(|claimed| &**claimed).for_each(|count| into.fold(u64::from(*count)));
        }
        Event::MetadataChanged { instance } => subject(into, 11, *instance, None),
        Event::NotFound { instance, origin } => subject(into, 12, *instance, Some(*origin)),
        Event::Gauge { gauge, value } => {
            into.fold(10 << 32 | gauge_code(*gauge));
            into.fold(value.cast_unsigned());
        }
    }
}

fn subject(into: &mut Digest, kind: u64, instance: InstanceId, origin: Option<Origin>) {
    let origin = match origin {
        None => 0,
        Some(Origin::Client) => 1,
        Some(Origin::Replica) => 2,
        Some(Origin::Sync) => 3,
    };
    into.fold(kind << 40 | origin << 32 | u64::from(instance.0));
}

fn content(
    into: &mut Digest,
    kind: u64,
    instance: InstanceId,
    status: Status,
    version: i64,
    origin: Option<Origin>,
) {
    subject(into, kind, instance, origin);
    into.fold(status_code(status));
    into.fold(version.cast_unsigned());
}

fn status_code(status: Status) -> u64 {
    match status {
        Status::Up => 0,
        Status::Down => 1,
        Status::Starting => 2,
        Status::OutOfService => 3,
        Status::Unknown => 4,
    }
}

fn gauge_code(gauge: Gauge) -> u64 {
    match gauge {
        Gauge::RenewalsLastMinute => 0,
        Gauge::RenewalThreshold => 1,
        Gauge::ExpectedClients => 2,
        Gauge::SelfPreservation => 3,
        Gauge::Serving => 4,
        Gauge::ReplicationPending => 5,
        Gauge::ReplicationOverflow => 6,
        Gauge::ReplicationExpired => 7,
        Gauge::Overrides => 8,
        Gauge::BelowThreshold => 9,
        Gauge::RegistrySize => 10,
        Gauge::StatusUp => 11,
        Gauge::StatusDown => 12,
        Gauge::StatusStarting => 13,
        Gauge::StatusOutOfService => 14,
        Gauge::StatusUnknown => 15,
        Gauge::ReplicationsLastMinute => 16,
        Gauge::ReplicationAccepted => 17,
        Gauge::ReplicationReplayed => 18,
        Gauge::ReplicationOverridden => 19,
        Gauge::ReplicationWorkers => 20,
        Gauge::ReplicationNotFound => 21,
        Gauge::ReplicationConflicts => 22,
        Gauge::RateLimited => 23,
        Gauge::FetchAge => 24,
        Gauge::HeartbeatAge => 25,
        Gauge::PinnedServer => 26,
        Gauge::Quarantined => 27,
        Gauge::HeartbeatDelay => 28,
        Gauge::FetchDelay => 29,
        Gauge::CopySize => 30,
        Gauge::QueryPinnedServer => 31,
        Gauge::QueryQuarantined => 32,
        Gauge::CopyUp => 33,
        Gauge::CopyDown => 34,
        Gauge::CopyStarting => 35,
        Gauge::CopyOutOfService => 36,
        Gauge::CopyUnknown => 37,
    }
}

fn fold_operation(operation: &Operation, into: &mut Digest) {
    match operation {
        Operation::Register { instance } => subject(into, 1, *instance, None),
        Operation::Renew { instance } => subject(into, 2, *instance, None),
        Operation::Deregister { instance } => subject(into, 3, *instance, None),
        Operation::SetStatus { instance, status } => {
            subject(into, 4, *instance, None);
            into.fold(status_code(*status));
        }
        Operation::SetOwnStatus { instance, status } => {
            subject(into, 11, *instance, None);
            into.fold(status_code(*status));
        }
        Operation::ClearStatus { instance, status: None } => subject(into, 5, *instance, None),
        Operation::ClearStatus { instance, status: Some(status) } => {
            subject(into, 10, *instance, None);
            into.fold(status_code(*status));
        }
        Operation::LookUp { service, except } => {
            into.fold(6 << 32 | u64::from(service.0));
            into.fold(except.map_or(u64::MAX, |instance| u64::from(instance.0)));
        }
        Operation::SetMetadata { instance, entries } => {
            subject(into, 7, *instance, None);
            for (key, value) in entries.iter() {
                text(key, into);
                text(value, into);
            }
        }
        Operation::SetHealth { instance, health } => {
            subject(into, 8, *instance, None);
            into.fold(match health {
                Health::Up => 0,
                Health::Down => 1,
                Health::OutOfService => 2,
                Health::Unknown => 3,
                Health::Fails => 4,
            });
        }
        Operation::SetGroup { group, enabled } => {
            into.fold(9 << 40 | u64::from(*enabled));
            text(group, into);
        }
    }
}

fn text(text: &str, into: &mut Digest) {
    into.fold(text.len() as u64);
    text.bytes().for_each(|byte| into.fold(u64::from(byte)));
}

fn fold_answer(answer: Answer, into: &mut Digest) {
    into.fold(match answer {
        Answer::Ok => 1 << 32,
        Answer::Found(instance) => 2 << 32 | u64::from(instance.0),
        Answer::NoneFound => 3 << 32,
        Answer::Failed(code) => 4 << 32 | u64::from(code),
        Answer::Unknown => 5 << 32,
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::SimTime;

    /// A change here makes every published digest wrong: it needs a reason, and a release note.
    #[test]
    fn golden_digest_of_a_short_history() {
        let event = |event| What::Event { node: NodeId(1), event };
        let records = [
            What::Started { node: NodeId(1) },
            event(Event::Registered {
                instance: InstanceId(2),
                status: Status::Up,
                version: -1,
                origin: Origin::Replica,
            }),
            event(Event::Gauge { gauge: Gauge::RenewalThreshold, value: 5 }),
            What::Ended { node: NodeId(1), exit: Some(-1) },
        ];
        let mut digest = Digest::default();
        for (second, what) in records.into_iter().enumerate() {
            Record { at: SimTime::from_secs(second as u64), what }.fold(&mut digest);
        }
        assert_eq!(digest.to_string(), "9cf92153e9b81152");
    }
}
