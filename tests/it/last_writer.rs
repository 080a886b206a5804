//! The register does what it promises in the simulator: whatever was lost, cut or written on both sides with clocks that
//! disagree, once all is whole again every node holds the newest write.

use std::collections::BTreeMap;
use std::sync::Arc;

use rand::Rng;
use regsim::history::{Record, What};
use regsim::plan::world::{Fault, HostId};
use regsim::protocol::{Address, Event, InstanceId, Key, NodeId, Operation, Origin};
use regsim::sim::Simulation;

use crate::toys::register::{Config, Register};
use crate::toys::worlds::{ask, during, ms, world};

const NODES: u32 = 4;

#[test]
fn registers_agree_on_the_newest_write() {
    let mut by_clock = 0;
    for seed in 0..200 {
        let mut random = Key::root(seed).child("trouble").small();
        let mut steps = Vec::new();
        for instance in 0..30 {
            let (millis, node) = (random.random_range(10..1000), random.random_range(0..NODES));
            steps.push(ask(millis, node, Operation::Register { instance: InstanceId(instance) }));
        }
        for _ in 0..4 {
            let begin = random.random_range(0..900);
            let split = random.random_range(1..NODES);
            let groups = vec![(0..split).map(HostId).collect(), (split..NODES).map(HostId).collect()];
            steps.push(during(begin, begin + random.random_range(10..300), Fault::Partition { groups }));
        }

        let mut world = world(&["a", "b", "c", "d"], 4000, steps);
        world.paths.same_zone.loss_ppm = 10_000;
        for host in &mut world.hosts {
            host.clock.skew_ns = random.random_range(-200_000_000..200_000_000);
        }
        let config = |node| {
            let peers = (0..NODES).filter(|peer| *peer != node).map(Address).collect();
            Arc::new(Config { peers, quorum: 2, patience: ms(100), pause: Some(ms(20)), timeout: ms(300) })
        };
        let mut simulation = Simulation::<Register>::new(&world, (0..NODES).map(config).collect(), seed);
        let mut records: Vec<Record> = Vec::new();
        simulation.run(&mut records);

        let held = |node| simulation.machine(NodeId(node)).expect("it runs").held();
        assert!((1..NODES).all(|node| held(node) == held(0)), "seed {seed}: {:?}", [0, 1, 2, 3].map(held));
        let written: BTreeMap<_, _> = records
            .iter()
            .filter_map(|record| match record.what {
                What::Event {
                    node,
                    event: Event::Registered { instance, version, origin: Origin::Client, .. },
                } => Some(((version, node), instance)),
                _ => None,
            })
            .collect();
        let newest = written.last_key_value().map(|(_, instance)| *instance);
        assert_eq!(held(0).value, newest, "seed {seed}");
        // The last to write, by true time, need not be the winner.
        let last = records.iter().rev().find_map(|record| match record.what {
            What::Event { event: Event::Registered { instance, origin: Origin::Client, .. }, .. } => {
                Some(instance)
            }
            _ => None,
        });
        by_clock += u32::from(last != newest);
    }
    assert!(by_clock > 20, "clocks that disagree made an earlier write win in {by_clock} of 200 seeds");
}
