//! What is true of whole runs: they repeat, entities do not disturb each other's draws, and rules are enforced.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::toy::*;
use crate::plan::World;
use crate::plan::world::*;
use crate::protocol::*;
use crate::sim::{End, Simulation};

/// Three clients and a server under jitter, loss, a cut, a crash and a power loss, doing a bit of everything.
fn busy(names: &[&str]) -> (World, Vec<Script>) {
    let mut world = world(names);
    let jitter = Latency::Lognormal {
        median: Duration::from_millis(10),
        p99: Duration::from_millis(40),
        floor: Duration::from_millis(1),
    };
    world.paths.same_zone = Quality {
        latency: jitter,
        loss_ppm: 50_000,
        burst: None,
        duplicate_ppm: 100_000,
        reorder_ppm: 100_000,
        bandwidth: Some(1_000_000),
    };
    let scripts = (0..names.len()).map(|_| {
        let mut steps: Vec<(u64, Do)> = vec![(600, Do::Open(0, 2_000))];
        steps.extend((1..10).flat_map(|n| {
            let at = 1_000 * n;
            [
                (at, Do::Call(0, note("ping"), 2_000, 5_000)),
                (at, Do::Draw),
                (at, Do::Datagram(0, note("beat"))),
                (at + 500, Do::Send(note("data"))),
            ]
        }));
        script(steps)
    });
    let scripts = std::iter::once(server(3)).chain(scripts.skip(1)).collect();
    (world, scripts)
}

fn with_faults(mut world: World) -> World {
    let hosts = vec![HostId(1)];
    world.steps = vec![
        step(2_500, 4_200, Fault::Cut { from: hosts.clone(), to: vec![HostId(0)] }),
        step(5_100, None, Fault::Crash { processes: vec![NodeId(0)] }),
        step(5_300, None, Fault::Restart { processes: vec![NodeId(0)], wipe_disk: false }),
        step(7_000, None, Fault::PowerOff { hosts, unflushed: Unflushed::Drawn }),
    ];
    world
}

#[test]
fn a_run_is_a_function_of_world_and_seed() {
    let digest = |seed| {
        let (world, scripts) = busy(&["server", "x", "y", "z"]);
        let (logs, simulation) = run_seed(&with_faults(world), scripts, seed);
        (simulation.digest(), simulation.events(), logs)
    };
    assert_eq!(digest(1), digest(1));
    assert_ne!(digest(1).0, digest(2).0);
}

#[test]
fn a_run_in_pieces_is_the_same_run() {
    let run = |pieces: u64| {
        let (world, scripts) = busy(&["server", "x", "y", "z"]);
        let configs = scripts.into_iter().map(Arc::new).collect();
        let mut simulation = Simulation::<Toy>::new(&with_faults(world), configs, 7);
        for piece in 1..=pieces {
            let until = SimTime(60_000_000_000 / pieces * piece);
            assert_eq!(simulation.run_until(until, &mut ()), End::Finished);
            assert_eq!(simulation.now(), until);
        }
        (simulation.digest(), simulation.events())
    };
    assert_eq!(run(1), run(1_000));
}

/// What each process of a busy world writes down, and what the server writes down about each address, by name.
fn lives(names: &[&'static str]) -> BTreeMap<String, Vec<String>> {
    let (mut world, scripts) = busy(names);
    // Addresses are the server's only way to tell its clients apart; they are named after their process here.
    world.processes[0].service.base = Duration::from_millis(1);
    let logs = run(&world, scripts);
    let mut lives = BTreeMap::new();
    for (name, log) in names.iter().zip(&logs).skip(1) {
        lives.insert((*name).to_string(), log.clone());
    }
    for (n, name) in names.iter().enumerate().skip(1) {
        let suffix = format!(" from {n}");
        let about = logs[0].iter().filter_map(|line| line.strip_suffix(&suffix).map(str::to_string));
        lives.insert(format!("server about {name}"), about.collect());
    }
    lives
}

#[test]
fn removing_one_entity_changes_no_other_draw() {
    let all = lives(&["server", "x", "y", "z"]);
    for left in [["x", "y"], ["x", "z"], ["y", "z"]] {
        for (name, life) in lives(&["server", left[0], left[1]]) {
            assert!(life.len() > 5, "{name} has lived: {life:?}");
            assert_eq!(all[&name], life, "{name} among {left:?} and among all");
        }
    }
}

#[test]
fn all_packets_together_make_a_flood() {
    let (mut world, scripts) = busy(&["server", "x", "y", "z"]);
    world.flood_limit = 10;
    let configs = scripts.into_iter().map(Arc::new).collect();
    let mut simulation = Simulation::<Toy>::new(&world, configs, 7);
    let End::Flooded { node, at } = simulation.run(&mut ()) else { panic!("more than 10 inputs a second") };
    assert_eq!((node, at.as_millis() / 1_000), (NodeId(0), 1));
}

/// A fault at or on the server of a busy world.
fn fault() -> impl Strategy<Value = Fault> {
    let (server, client) = (vec![HostId(0)], vec![HostId(1)]);
    let processes = vec![NodeId(0)];
    let kind = |kind: &str| MessageMatch { kind: Some(kind.into()), ..MessageMatch::default() };
    prop_oneof![
        Just(Fault::Cut { from: server.clone(), to: client.clone() }),
        Just(Fault::Cut { from: client.clone(), to: server.clone() }),
        Just(Fault::Partition { groups: vec![server.clone(), client.clone()] }),
        Just(Fault::Crash { processes: processes.clone() }),
        Just(Fault::PowerOff { hosts: server.clone(), unflushed: Unflushed::Drawn }),
        Just(Fault::Restart { processes: processes.clone(), wipe_disk: false }),
        Just(Fault::Pause { processes: processes.clone() }),
        Just(Fault::Pause { processes: vec![NodeId(1)] }),
        Just(Fault::Slow { processes, factor_milli: 100_000 }),
        Just(Fault::Reset { from: client, to: server }),
        Just(Fault::Messages { matching: kind("ping"), action: MessageAction::Duplicate }),
        Just(Fault::Messages {
            matching: kind("ping"),
            action: MessageAction::Fail { status: 503, body: None }
        }),
        Just(Fault::Messages { matching: kind("answer"), action: MessageAction::Drop }),
        Just(Fault::Stop { processes: vec![NodeId(0)] }),
        Just(Fault::Clock { hosts: vec![HostId(1)], change: ClockChange::Drift(-300_000) }),
    ]
}

proptest! {
    /// Whatever happens around a caller, each of its calls has one outcome.
    #[test]
    fn every_call_has_one_outcome(
        faults in prop::collection::vec((0..12_000u64, 1..6_000u64, fault()), 1..12),
        workers in 1..3u32,
        accept_queue in 0..3u32,
        most in 1..4u32,
        seed in any::<u64>(),
    ) {
        let (mut world, scripts) = busy(&["server", "x", "y", "z"]);
        // Long enough for the last retransmission into a silent host to be given up.
        world.duration = SimTime::from_secs(1_300);
        world.steps = faults.into_iter().map(|(at, lasts, fault)| step(at, at + lasts, fault)).collect();
        let base = Duration::from_millis(20);
        world.processes[0].service =
            ServiceModel { workers: Some(workers), accept_queue, base, per_item: Duration::ZERO };
        world.processes[1].pools[0].max_per_address = most;
        let (logs, simulation) = run_seed(&world, scripts, seed);
        for log in &logs[1..] {
            let outcomes = log.iter().filter(|line| line.contains("ping")).count();
            prop_assert_eq!(outcomes, 9, "{:#?}", log);
        }
        prop_assert!(simulation.calls.indices().is_empty(), "no exchange is forgotten");
    }
}

/// A machine that breaks a rule.
#[derive(Clone, Debug)]
struct Rogue {
    wants: Option<Instant>,
    twice: bool,
}

impl Protocol for Rogue {
    type Config = bool;
    type Request = Note;
    type Response = Note;
    type Message = Never;
    type Record = Never;
    type Tag = ();

    fn start(twice: &Arc<bool>, _: &Disk<Never>, cx: &mut Cx<'_, Rogue>) -> Rogue {
        if **twice {
            let second = Duration::from_secs(1);
            cx.call(Address(0), PoolId(0), note("to myself"), second, second, ());
        }
        Rogue { wants: (!**twice).then(|| cx.now() + Duration::from_secs(1)), twice: **twice }
    }

    fn handle(&mut self, input: Input<Rogue>, cx: &mut Cx<'_, Rogue>) {
        if let (Input::Request { id, request, .. }, true) = (input, self.twice) {
            cx.respond(id, request);
            cx.respond(id, request);
        }
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.wants
    }

    fn fingerprint(&self, _: &mut dyn std::hash::Hasher) {}
}

#[test]
#[should_panic(expected = "after a timeout the next deadline is later")]
fn a_deadline_that_stays_is_a_broken_rule() {
    Simulation::<Rogue>::new(&world(&["a"]), vec![Arc::new(false)], 1).run(&mut ());
}

#[test]
#[should_panic(expected = "a request is answered once")]
fn a_second_answer_is_a_broken_rule() {
    Simulation::<Rogue>::new(&world(&["a"]), vec![Arc::new(true)], 1).run(&mut ());
}
