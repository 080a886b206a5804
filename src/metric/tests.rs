//! A small world for the tests of metrics, and what happens in it.

use std::time::Duration;

use crate::history::{CallResult, Record, What};
use crate::plan::World;
use crate::plan::world::{Host, HostId, Process, Role, ServiceModel, Traffic, ZoneId};
use crate::protocol::{Address, Event, InstanceId, NodeId, Origin, ServiceId, SimTime, Status};

pub(super) const A: NodeId = NodeId(0);
pub(super) const B: NodeId = NodeId(1);
pub(super) const PROVIDER: NodeId = NodeId(2);
pub(super) const READER: NodeId = NodeId(3);
pub(super) const X: InstanceId = InstanceId(0);

/// Two servers, one provider of instance `x`, one reader with a cache that calls it.
pub(super) fn world() -> World {
    let service =
        ServiceModel { workers: None, accept_queue: 1, base: Duration::ZERO, per_item: Duration::ZERO };
    let process = |name: &str, role, instance, subscribes| Process {
        name: name.to_owned(),
        host: HostId(0),
        role,
        start: SimTime::ZERO,
        service,
        pools: Vec::new(),
        instance,
        subscribes,
        address: Address(0),
    };
    let host =
        Host { name: "h".to_owned(), zone: ZoneId(0), clock: Default::default(), disk: Default::default() };
    World {
        hosts: vec![host],
        processes: vec![
            process("a", Role::Server, None, false),
            process("b", Role::Server, None, false),
            process("p", Role::Client, Some((ServiceId(0), X)), false),
            process("r", Role::Client, None, true),
        ],
        instances: vec!["x".to_owned()],
        services: vec!["s".to_owned()],
        traffic: vec![Traffic {
            caller: READER,
            service: ServiceId(0),
            every: Duration::from_secs(1),
            first: SimTime::ZERO,
            timeout: Duration::from_secs(2),
            retries: 0,
        }],
        ..World::default()
    }
}

pub(super) fn at(seconds: u64, what: What) -> Record {
    Record { at: SimTime::from_secs(seconds), what }
}

pub(super) fn event(seconds: u64, node: NodeId, event: Event) -> Record {
    at(seconds, What::Event { node, event })
}

pub(super) fn registered(seconds: u64, node: NodeId, version: i64) -> Record {
    let event_ = Event::Registered { instance: X, status: Status::Up, version, origin: Origin::Client };
    event(seconds, node, event_)
}

pub(super) fn called(millis: u64, result: CallResult) -> Record {
    tried(millis, result, true)
}

/// A try that is not the last one.
pub(super) fn called_again(millis: u64, result: CallResult) -> Record {
    tried(millis, result, false)
}

fn tried(millis: u64, result: CallResult, last: bool) -> Record {
    let chosen = (result != CallResult::NoInstance).then_some(X);
    let what = What::Traffic { caller: READER, service: ServiceId(0), chosen, result, attempt: 0, last };
    Record { at: SimTime(millis * 1_000_000), what }
}
