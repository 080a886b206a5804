//! Two drivers, one machine: what either driver hands in and gets back is recorded, replayed through the bare machine, and
//! found equal; and the same story gives the same answers under both.

use std::time::Duration;

use regsim::protocol::{Address, Answer, InstanceId, NodeId, Operation, Protocol, ServiceId};

use crate::toys::log::{self, ReplicatedLog};
use crate::toys::realtime::{Cluster, Process, Real, eventually};
use crate::toys::register::{self, Register};
use crate::toys::tape::{Shelf, open};

const LOOK_UP: Operation = Operation::LookUp { service: ServiceId(0) };

fn register(instance: u32) -> Operation {
    Operation::Register { instance: InstanceId(instance) }
}

/// A register among `size`, done once all peers have answered.
fn register_config(node: u32, size: u32) -> register::Config {
    register::Config {
        peers: (0..size).filter(|peer| *peer != node).map(Address).collect(),
        quorum: size as usize - 1,
        patience: Duration::from_millis(40),
        pause: Some(Duration::from_millis(10)),
        timeout: Duration::from_millis(500),
    }
}

/// A log whose primary is node 0.
fn log_config(node: u32, size: u32) -> log::Config {
    log::Config {
        primary: (node > 0).then_some(Address(0)),
        peers: (0..size).filter(|peer| *peer != node).map(Address).collect(),
        period: Duration::from_millis(20),
        keep: 8,
        acknowledge_before_flush: false,
    }
}

fn start<P: Real>(
    cluster: &mut Cluster<P>,
    config: impl Fn(u32, u32) -> P::Config,
    size: u32,
) -> Vec<Process<P>> {
    (0..size).map(|node| cluster.start(NodeId(node), config(node, size))).collect()
}

/// Replays all tapes; there must be something on each.
fn replay<P: Protocol>(shelf: &Shelf<P>) {
    for tape in open(shelf).iter() {
        assert!(tape.turns.len() > 1, "nothing happened to {:?}", tape.node);
        tape.replay();
    }
}

#[test]
fn a_register_in_real_time() {
    let mut cluster = Cluster::<Register>::new("register", 3);
    let mut nodes = start(&mut cluster, register_config, 3);
    assert_eq!(nodes[0].ask(LOOK_UP), Answer::NoneFound);
    assert_eq!(nodes[0].ask(register(7)), Answer::Ok);
    assert_eq!(nodes[1].ask(LOOK_UP), Answer::Found(InstanceId(7)));
    assert_eq!(nodes[2].ask(Operation::Renew { instance: InstanceId(7) }), Answer::Failed(400));
    nodes.pop().expect("three").kill();
    assert_eq!(nodes[1].ask(register(8)), Answer::Unknown);
    nodes[1].reconfigure(register::Config { quorum: 1, ..register_config(1, 3) });
    assert_eq!(nodes[1].ask(LOOK_UP), Answer::Found(InstanceId(8)));

    // What a new life missed, it learns by a watch.
    nodes.push(cluster.start(NodeId(2), register::Config { quorum: 0, ..register_config(2, 3) }));
    eventually("the new life learns of 8", || nodes[2].ask(LOOK_UP) == Answer::Found(InstanceId(8)));
    assert_eq!(nodes.into_iter().map(Process::stop).collect::<Vec<_>>(), [Some(0); 3]);
    replay(&cluster.shelf);
}

#[test]
fn a_log_in_real_time() {
    let mut cluster = Cluster::<ReplicatedLog>::new("log", 3);
    let mut nodes = start(&mut cluster, log_config, 3);
    eventually("the primary serves", || nodes[0].ask(register(0)) == Answer::Ok);
    assert_eq!(nodes[1].ask(register(1)), Answer::Failed(503));
    for instance in 1..20 {
        assert_eq!(nodes[0].ask(register(instance)), Answer::Ok);
    }
    // A primary's new life finds all on its disk, and the backups find the new life.
    nodes.remove(0).kill();
    nodes.insert(0, cluster.start(NodeId(0), log_config(0, 3)));
    eventually("the primary serves again", || nodes[0].ask(register(20)) == Answer::Ok);
    let complete = |node| {
        let shelf = open(&cluster.shelf);
        let life = shelf.iter().rfind(|tape| tape.node == NodeId(node)).expect("started");
        life.turns.iter().any(|turn| format!("{:?}", turn.effects).contains("Entry(2, InstanceId(20))"))
    };
    eventually("both backups have the last entry", || complete(1) && complete(2));
    assert_eq!(nodes.into_iter().map(Process::stop).collect::<Vec<_>>(), [Some(0); 3]);
    replay(&cluster.shelf);
}
