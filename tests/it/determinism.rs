//! A run is a function of plan and seed, and no entity's chance depends on another's: removing one that nobody talks to
//! leaves all others' histories as they were, to the nanosecond.

use std::sync::Arc;

use regsim::history::{Record, What};
use regsim::plan::World;
use regsim::plan::world::{Fault, HostId, Step, Unflushed};
use regsim::protocol::{Address, InstanceId, NodeId, Operation, Protocol, ServiceId};
use regsim::sim::Simulation;

use crate::toys::log::{self, ReplicatedLog};
use crate::toys::register::{self, Register};
use crate::toys::worlds::{ask, at, during, ms, world};

const DURATION_MS: u64 = 2_000;

/// Runs a world; returns its digest and what happened to each process, by name.
fn run<P: Protocol>(world: &World, configs: Vec<P::Config>, seed: u64) -> (u64, Vec<String>) {
    let configs = configs.into_iter().map(Arc::new).collect();
    let mut simulation = Simulation::<P>::new(world, configs, seed);
    let mut records: Vec<Record> = Vec::new();
    simulation.run(&mut records);
    let name = |node: &NodeId| &world.processes[node.index()].name;
    // Tickets are numbered over all processes, so they are left out.
    let lines = records.iter().filter_map(|Record { at, what }| match what {
        What::Started { node } => Some(format!("{} {} started", at.0, name(node))),
        What::Ended { node, exit } => Some(format!("{} {} ended {exit:?}", at.0, name(node))),
        What::Event { node, event } => Some(format!("{} {} {event:?}", at.0, name(node))),
        What::Invoked { node, operation, .. } => Some(format!("{} {} {operation:?}", at.0, name(node))),
        What::Completed { node, answer, .. } => Some(format!("{} {} {answer:?}", at.0, name(node))),
        What::Disk { node, file, durable } => Some(format!("{} {} {file} {durable}", at.0, name(node))),
        What::Stopping { .. } | What::Paused { .. } | What::Step { .. } | What::Traffic { .. } => None,
    });
    (simulation.digest().value(), lines.collect())
}

/// Lossy, and with latencies by chance.
fn rough(names: &[&str], steps: Vec<Step>) -> World {
    let mut world = world(names, DURATION_MS, steps);
    for path in [&mut world.paths.same_zone, &mut world.paths.same_host] {
        (path.loss_ppm, path.duplicate_ppm, path.reorder_ppm) = (20_000, 20_000, 50_000);
    }
    world
}

/// Registers that talk among themselves, and one, `loner`, that talks to itself alone.
fn registers(names: &[&str], seed: u64) -> (u64, Vec<String>) {
    let ids = || (0..).zip(names);
    let others = |node: u32, name: &str| match name {
        "loner" => vec![Address(node)],
        _ => ids().filter(|(id, peer)| *id != node && **peer != "loner").map(|(id, _)| Address(id)).collect(),
    };
    let config = |(node, name): (u32, &&str)| register::Config {
        peers: others(node, name),
        quorum: 1,
        patience: ms(30),
        pause: Some(ms(10)),
        timeout: ms(100),
    };
    let operations = |node| {
        (0..60).map(move |n| {
            let operation = match n % 3 {
                0 => Operation::Register { instance: InstanceId(n) },
                1 => Operation::LookUp { service: ServiceId(0), except: None },
                _ => Operation::Deregister { instance: InstanceId(n) },
            };
            ask(u64::from(n) * 30 + 10, node, operation)
        })
    };
    let steps = ids().flat_map(|(node, _)| operations(node)).collect();
    run::<Register>(&rough(names, steps), ids().map(config).collect(), seed)
}

/// A log with two backups, and a primary, `loner`, without any. All lose power once.
fn logs(names: &[&str], seed: u64) -> (u64, Vec<String>) {
    let ids = || (0..).zip(names);
    let of = |wanted: &str| ids().find(|(_, name)| **name == wanted).map(|(id, _)| Address(id));
    let config = |(node, name): (u32, &&str)| log::Config {
        primary: of("primary").filter(|_| name.starts_with("backup")),
        peers: match *name {
            "loner" => Vec::new(),
            _ => ids()
                .filter(|(id, peer)| *id != node && **peer != "loner")
                .map(|(id, _)| Address(id))
                .collect(),
        },
        period: ms(10),
        keep: 20,
        acknowledge_before_flush: false,
    };
    let mut steps = Vec::new();
    for (node, _) in ids() {
        let write = |n: u32| ask(u64::from(n) * 7, node, Operation::Register { instance: InstanceId(n) });
        steps.extend((0..200).map(write));
        steps.push(during(300, 400, Fault::FullDisk { hosts: vec![HostId(node)] }));
        steps.push(at(700, Fault::PowerOff { hosts: vec![HostId(node)], unflushed: Unflushed::Drawn }));
        steps.push(at(900, Fault::Restart { processes: vec![NodeId(node)], wipe_disk: false }));
    }
    run::<ReplicatedLog>(&rough(names, steps), ids().map(config).collect(), seed)
}

#[test]
fn a_seed_decides_a_run() {
    for run in [registers, logs] {
        let names = ["primary", "backup-1", "backup-2"];
        let digests: Vec<_> = (0..20).map(|seed| run(&names, seed).0).collect();
        for (seed, digest) in (0..).zip(&digests) {
            assert_eq!(run(&names, seed).0, *digest, "seed {seed} twice");
        }
        let mut different = digests.clone();
        different.sort_unstable();
        different.dedup();
        assert_eq!(different.len(), digests.len(), "every seed has a digest of its own: {digests:x?}");
    }
}

#[test]
fn removing_one_entity_changes_no_other_draw() {
    for run in [registers, logs] {
        for seed in 0..10 {
            let (_, without) = run(&["primary", "backup-1", "backup-2"], seed);
            assert!(without.len() > 100, "much happened: {}", without.len());
            // Wherever it stands, and so whatever numbers the others have.
            for names in [
                ["primary", "backup-1", "backup-2", "loner"],
                ["primary", "loner", "backup-1", "backup-2"],
                ["loner", "primary", "backup-1", "backup-2"],
            ] {
                let (_, with) = run(&names, seed);
                let (loner, others): (Vec<String>, _) =
                    with.into_iter().partition(|line| line.split(' ').nth(1) == Some("loner"));
                assert!(loner.len() > 100, "the loner did much: {}", loner.len());
                // What happens to several at one instant has no order among them.
                let sorted = |lines: &[String]| {
                    let mut lines = lines.to_vec();
                    lines.sort_by_key(|line| {
                        let mut words = line.split(' ');
                        (words.next().map(str::to_owned), words.next().map(str::to_owned))
                    });
                    lines
                };
                assert_eq!(sorted(&others), sorted(&without), "seed {seed}, {names:?}");
            }
        }
    }
}
