//! "Acknowledged before flushed", planted in the log: found in nearly every run that loses power, and never without the plant.
//!
//! The check knows nothing of the toy but the shared vocabulary: what was registered with success before the primary lost power
//! is in what it says it holds when it serves again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rand::Rng;
use regsim::history::{Observer, Record, What};
use regsim::plan::world::{Fault, HostId, Unflushed};
use regsim::protocol::{
    Address, Answer, Event, Gauge, InstanceId, Key, NodeId, Operation, Origin, SimTime, Ticket,
};
use regsim::sim::Simulation;

use crate::toys::log::{Config, ReplicatedLog};
use crate::toys::worlds::{ask, at, ms, world};

const PRIMARY: NodeId = NodeId(0);
const SEEDS: u64 = 1_000;

/// Follows the primary: what it has promised, and what it had when it served again.
#[derive(Default)]
struct Durability {
    asked: BTreeMap<Ticket, InstanceId>,
    promised: BTreeSet<InstanceId>,
    recovered: BTreeSet<InstanceId>,
    /// Old entries may be forgotten, but only when this much newer ones have taken their place.
    keep: u32,
    lost: Vec<(SimTime, InstanceId)>,
    /// How often there was something to hold the primary to.
    held: u32,
}

impl Observer for Durability {
    fn record(&mut self, record: &Record) {
        match record.what {
            What::Invoked { node: PRIMARY, ticket, operation: Operation::Register { instance } } => {
                self.asked.insert(ticket, instance);
            }
            What::Completed { node: PRIMARY, ticket, answer: Answer::Ok } => {
                self.promised.insert(self.asked[&ticket]);
            }
            What::Started { node: PRIMARY } => self.recovered.clear(),
            What::Event {
                node: PRIMARY,
                event: Event::Registered { instance, origin: Origin::Sync, .. },
            } => {
                self.recovered.insert(instance);
            }
            What::Event { node: PRIMARY, event: Event::Gauge { gauge: Gauge::Serving, value: 1 } } => {
                let newest = self.recovered.last().map_or(0, |instance| instance.0);
                let owed = self.promised.iter().filter(|instance| instance.0 + self.keep > newest);
                let lost = owed.filter(|instance| !self.recovered.contains(instance));
                self.lost.extend(lost.map(|instance| (record.at, *instance)));
                self.held += u32::from(!self.promised.is_empty());
            }
            _ => {}
        }
    }
}

/// A primary and two backups, a registration about every half millisecond, and three times the power of the primary, or of
/// everyone, fails.
fn run(seed: u64, acknowledge_before_flush: bool) -> (Durability, Simulation<ReplicatedLog>) {
    let mut random = Key::root(seed).child("power losses").small();
    let mut steps = Vec::new();
    let mut instance = 0;
    for round in 0..3 {
        let begin = round * 400 + 100;
        let off = begin + random.random_range(80..160);
        for millis in begin..off {
            for _ in 0..random.random_range(0..=4) {
                steps.push(ask(millis, 0, Operation::Register { instance: InstanceId(instance) }));
                instance += 1;
            }
        }
        let hosts = if random.random_range(0..2) == 0 { vec![0] } else { vec![0, 1, 2] };
        let processes = hosts.iter().map(|host| NodeId(*host)).collect();
        steps.push(at(
            off,
            Fault::PowerOff { hosts: hosts.into_iter().map(HostId).collect(), unflushed: Unflushed::Drawn },
        ));
        steps.push(at(off + 50, Fault::Restart { processes, wipe_disk: false }));
    }
    let keep = 200;
    let config = |node: u32| {
        Arc::new(Config {
            primary: (node > 0).then_some(Address(0)),
            peers: (0..3).filter(|peer| *peer != node).map(Address).collect(),
            period: ms(10),
            keep: keep.into(),
            acknowledge_before_flush,
        })
    };
    let mut world = world(&["primary", "backup-1", "backup-2"], 1500, steps);
    // Slow disks, so that much is written and not flushed at any time.
    world.hosts.iter_mut().for_each(|host| host.disk.latency = ms(20));
    let mut simulation = Simulation::new(&world, (0..3).map(config).collect(), seed);
    let mut check = Durability { keep, ..Durability::default() };
    simulation.run(&mut check);
    (check, simulation)
}

#[test]
fn acknowledged_before_flushed_is_caught() {
    let caught = (0..SEEDS).filter(|seed| !run(*seed, true).0.lost.is_empty()).count();
    println!("acknowledged before flushed: caught in {caught} of {SEEDS} seeds");
    assert!(caught as u64 * 100 >= SEEDS * 99, "caught in {caught} of {SEEDS} seeds");
}

#[test]
fn acknowledged_after_flushed_loses_nothing() {
    for seed in 0..SEEDS {
        let (check, simulation) = run(seed, false);
        assert_eq!(check.lost, [], "seed {seed}: the primary promised these and did not have them");
        assert_eq!(check.held, 3, "seed {seed}: the primary served again after each power loss");
        // Whoever was told last to forget old entries has fewer of them; the newest are the same.
        let entries =
            |node| simulation.machine(NodeId(node)).expect("restarted").entries().collect::<Vec<_>>();
        let [primary, backups @ ..] = [entries(0), entries(1), entries(2)];
        for backup in backups {
            let count = primary.len().min(backup.len());
            assert!(count >= 100, "seed {seed}: something was registered: {count}");
            let newest = |entries: &[_]| entries[entries.len() - count..].to_vec();
            assert_eq!(newest(&primary), newest(&backup), "seed {seed}: the backup caught up");
        }
    }
}
