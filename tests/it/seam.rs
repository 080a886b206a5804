//! The two toys together use the whole seam: every kind of input reaches one of them, and every kind of effect comes out.
//!
//! Each story of trouble is recorded in the simulator; the kinds on the tapes are compared with all that there are.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use regsim::history::{Record, What};
use regsim::plan::World;
use regsim::plan::world::{
    AddressEntry, Behind, Fault, HostId, MessageAction, MessageMatch, PathChange, Unflushed,
};
use regsim::protocol::{Address, InstanceId, NodeId, Operation, Protocol, ServiceId, SimTime, Status};
use regsim::sim::{End, Simulation};

use crate::toys::log::{self, ReplicatedLog};
use crate::toys::register::{self, Register};
use crate::toys::tape::{self, EFFECTS, INPUTS, Shelf, Taped, open};
use crate::toys::worlds::{ask, at, during, ms, world};

/// Runs a recorded world, replays the tapes through bare machines, and returns what is on them, and the history.
fn kinds<P: Protocol>(world: &World, configs: Vec<P::Config>) -> (BTreeSet<&'static str>, Vec<Record>) {
    let shelf = Shelf::default();
    let record = |inner| Arc::new(tape::Config { inner: Arc::new(inner), shelf: Arc::clone(&shelf) });
    let configs = configs.into_iter().map(record).collect();
    let mut records = Vec::new();
    let end = Simulation::<Taped<P>>::new(world, configs, 1).run(&mut records);
    assert_eq!(end, End::Finished);
    let tapes = open(&shelf);
    tapes.iter().for_each(tape::Tape::replay);
    (tapes.iter().flat_map(tape::Tape::kinds).collect(), records)
}

/// Registers in trouble.
fn registers() -> (BTreeSet<&'static str>, Vec<Record>) {
    let write =
        |millis, node, instance| ask(millis, node, Operation::Register { instance: InstanceId(instance) });
    let look_up = |millis, node| ask(millis, node, Operation::LookUp { service: ServiceId(0), except: None });
    let set_status =
        |millis, node, status| ask(millis, node, Operation::SetStatus { instance: InstanceId(1), status });
    let puts = MessageMatch { kind: Some("Put".into()), ..MessageMatch::default() };
    let slow = PathChange { bandwidth: Some(100), ..PathChange::default() };
    let (a, b) = (|| vec![HostId(0)], || vec![HostId(1)]);
    let steps = vec![
        write(100, 0, 1),
        look_up(200, 1),
        ask(250, 2, Operation::Renew { instance: InstanceId(1) }),
        // A proxy answers instead.
        during(
            300,
            400,
            Fault::Messages { matching: puts, action: MessageAction::Fail { status: 502, body: None } },
        ),
        write(350, 0, 2),
        // Kept connections meet silence.
        during(500, 900, Fault::Partition { groups: vec![vec![HostId(0)], vec![HostId(1), HostId(2)]] }),
        write(600, 0, 3),
        // A crash in the middle of a watch, and then nobody there.
        at(1000, Fault::Crash { processes: vec![NodeId(1)] }),
        write(1050, 0, 4),
        at(1200, Fault::Restart { processes: vec![NodeId(1)], wipe_disk: false }),
        // The kept connection led to an earlier life.
        write(1300, 0, 5),
        // An answer is cut in two.
        during(1400, 1700, Fault::Path { from: b(), to: a(), change: slow }),
        write(1410, 0, 6),
        at(1510, Fault::Reset { from: a(), to: b() }),
        // A port that is closed, and open again.
        set_status(1720, 2, Status::Down),
        write(1740, 0, 7),
        set_status(1760, 2, Status::Up),
        at(1800, Fault::Reconfigure { process: NodeId(0), config: 3 }),
        look_up(1900, 0),
        at(2000, Fault::Stop { processes: vec![NodeId(0), NodeId(1), NodeId(2)] }),
    ];
    let mut world = world(&["a", "b", "c"], 2500, steps);
    world.addresses.push(AddressEntry { name: "gone:1".into(), behind: Behind::Nothing(HostId(2)) });
    world.addresses.push(AddressEntry { name: "dark:1".into(), behind: Behind::NoHost });
    let config = |node| register::Config {
        peers: (0..5).filter(|peer| *peer != node).map(Address).collect(),
        quorum: 1,
        patience: ms(50),
        pause: Some(ms(10)),
        timeout: ms(150),
    };
    kinds::<Register>(&world, [0, 1, 2, 0].map(config).into())
}

/// A log in trouble.
fn logs() -> (BTreeSet<&'static str>, Vec<Record>) {
    let (primary, backup) = (NodeId(0), NodeId(1));
    let mut steps: Vec<_> = (100..2200)
        .step_by(10)
        .map(|millis| ask(millis, 0, Operation::Register { instance: InstanceId(millis as u32) }))
        .collect();
    let restart = |processes: &[NodeId]| Fault::Restart { processes: processes.to_vec(), wipe_disk: false };
    steps.extend([
        // What the primary has not flushed, it loses, and the backups must drop it.
        at(400, Fault::PowerOff { hosts: vec![HostId(0)], unflushed: Unflushed::Drawn }),
        at(800, restart(&[primary])),
        at(1000, Fault::Crash { processes: vec![backup] }),
        at(1050, restart(&[backup])),
        during(1200, 1300, Fault::FullDisk { hosts: vec![HostId(0)] }),
        during(1400, 1600, Fault::Cut { from: vec![HostId(0)], to: vec![HostId(2)] }),
        at(1650, Fault::Reconfigure { process: primary, config: 3 }),
        at(1700, Fault::Crash { processes: vec![primary] }),
        at(1900, restart(&[primary])),
        at(2200, Fault::Stop { processes: vec![primary] }),
        at(2400, Fault::Stop { processes: vec![backup, NodeId(2)] }),
    ]);
    let mut world = world(&["primary", "backup-1", "backup-2"], 2500, steps);
    world.processes[0].start = SimTime::from_millis(60);
    world.hosts[0].disk.latency = Duration::from_millis(30);
    let config = |node| log::Config {
        primary: (node > 0).then_some(Address(0)),
        peers: (0..3).filter(|peer| *peer != node).map(Address).collect(),
        period: ms(10),
        keep: 30,
        acknowledge_before_flush: false,
    };
    kinds::<ReplicatedLog>(&world, [0, 1, 2, 0].map(config).into())
}

#[test]
fn the_toys_use_the_whole_seam() {
    let (of_register, of_log) = (registers().0, logs().0);
    for kind in INPUTS.iter().chain(&EFFECTS) {
        let mark = |kinds: &BTreeSet<_>| if kinds.contains(kind) { "x" } else { "-" };
        println!("{kind:24} register {} log {}", mark(&of_register), mark(&of_log));
    }
    let used: BTreeSet<_> = of_register.union(&of_log).copied().collect();
    let all: BTreeSet<_> = INPUTS.into_iter().chain(EFFECTS).collect();
    assert_eq!(used, all, "used, and all that there is");
}

#[test]
fn every_operation_ends_once() {
    for (_, records) in [registers(), logs()] {
        let invoked: Vec<_> = records
            .iter()
            .filter_map(|record| match record.what {
                What::Invoked { ticket, .. } => Some(ticket),
                _ => None,
            })
            .collect();
        let mut completed: Vec<_> = records
            .iter()
            .filter_map(|record| match record.what {
                What::Completed { ticket, .. } => Some(ticket),
                _ => None,
            })
            .collect();
        completed.sort_unstable();
        assert_eq!(completed, invoked, "tickets in order");
    }
}
