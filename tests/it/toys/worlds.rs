//! Small worlds for the toys: one process per host, node and address and host with the same number, all in one zone.

use std::time::Duration;

use regsim::plan::World;
use regsim::plan::world::{
    AddressEntry, Behind, ClockError, DiskSpeed, Fault, Host, HostId, Latency, Paths, PoolPolicy, Process,
    Quality, RegionId, Role, ServiceModel, Step, Zone, ZoneId,
};
use regsim::protocol::{Address, NodeId, Operation, SimTime};

/// A duration of so many ms.
pub fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A world of these processes, quiet but for the steps.
pub fn world(names: &[&str], duration_ms: u64, steps: Vec<Step>) -> World {
    let floor = Duration::from_micros(100);
    let quality = Quality {
        latency: Latency::Lognormal { median: Duration::from_micros(300), p99: ms(3), floor },
        loss_ppm: 0,
        burst: None,
        duplicate_ppm: 0,
        reorder_ppm: 0,
        bandwidth: None,
    };
    let ids = 0..u32::try_from(names.len()).expect("a small world");
    World {
        regions: vec!["beijing".into()],
        zones: vec![Zone { name: "bj-a".into(), region: RegionId(0) }],
        hosts: names.iter().map(|name| host(name)).collect(),
        processes: ids.clone().zip(names).map(|(id, name)| process(id, name)).collect(),
        clusters: Vec::new(),
        addresses: ids
            .zip(names)
            .map(|(id, name)| AddressEntry {
                name: format!("{name}:1"),
                behind: Behind::Processes(vec![NodeId(id)]),
            })
            .collect(),
        checks: Vec::new(),
        instances: Vec::new(),
        services: Vec::new(),
        groups: Vec::new(),
        paths: Paths {
            same_host: quality.clone(),
            same_zone: quality.clone(),
            same_region: quality.clone(),
            cross_region: quality,
            zones: Vec::new(),
            regions: Vec::new(),
            hosts: Vec::new(),
        },
        steps,
        triggers: Vec::new(),
        traffic: Vec::new(),
        duration: SimTime::from_millis(duration_ms),
        epoch_ms: 1_700_000_000_000,
        flood_limit: 100_000,
    }
}

fn host(name: &str) -> Host {
    Host {
        name: format!("host-{name}"),
        zone: ZoneId(0),
        clock: ClockError::default(),
        disk: DiskSpeed { latency: ms(5), ..DiskSpeed::default() },
    }
}

fn process(id: u32, name: &str) -> Process {
    let pool = PoolPolicy { idle: Duration::from_secs(30), max_per_address: 50, max_total: 200 };
    Process {
        name: name.into(),
        host: HostId(id),
        role: Role::Server,
        start: SimTime::ZERO,
        service: ServiceModel {
            workers: None,
            accept_queue: 1000,
            base: Duration::from_micros(50),
            per_item: Duration::ZERO,
        },
        pools: vec![pool; 2],
        instance: None,
        subscribes: false,
        address: Address(id),
    }
}

/// Something that happens at a time, for good.
pub fn at(millis: u64, fault: Fault) -> Step {
    Step { name: format!("{fault:?}"), trigger: None, at: SimTime::from_millis(millis), until: None, fault }
}

/// Something that lasts.
pub fn during(from: u64, until: u64, fault: Fault) -> Step {
    Step { until: Some(SimTime::from_millis(until)), ..at(from, fault) }
}

/// An operation at a time.
pub fn ask(millis: u64, node: u32, operation: Operation) -> Step {
    at(millis, Fault::Ask { process: NodeId(node), operation })
}
