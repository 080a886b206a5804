//! Steps that wait, paths that flap, hosts that keep silent, messages that are held, loss that comes in bursts.

use std::time::Duration;

use super::toy::*;
use crate::history::{Record, What};
use crate::plan::expectation::{Pattern, Range};
use crate::plan::world::*;
use crate::protocol::*;
use crate::sim::Simulation;

const A: HostId = HostId(0);
const B: HostId = HostId(1);

fn crash(at: u64, node: u32) -> Step {
    step(at, None, Fault::Crash { processes: vec![NodeId(node)] })
}

fn restart(at: u64, node: u32) -> Step {
    step(at, None, Fault::Restart { processes: vec![NodeId(node)], wipe_disk: false })
}

fn waiting(trigger: u32, step: Step) -> Step {
    Step { trigger: Some(TriggerId(trigger)), ..step }
}

fn trigger(after: Option<u32>, from_ms: u64, nth: u32, condition: Condition) -> Trigger {
    let (after, from) = (after.map(TriggerId), SimTime::from_millis(from_ms));
    Trigger { name: String::new(), after, from, condition, nth }
}

fn life(change: Life, node: u32) -> Condition {
    Condition::Life { change, nodes: Some(vec![NodeId(node)]) }
}

/// When each step of a world of toys that do nothing began and ended, ms.
fn steps_of(world: &crate::plan::World) -> Vec<(u64, u32, bool)> {
    let mut records: Vec<Record> = Vec::new();
    let configs = world.processes.iter().map(|_| std::sync::Arc::new(script(vec![]))).collect();
    Simulation::<Toy>::new(world, configs, 1).run(&mut records);
    let step = |record: &Record| match record.what {
        What::Step { step, began } => Some((record.at.as_millis(), step, began)),
        _ => None,
    };
    records.iter().filter_map(step).collect()
}

#[test]
fn a_step_waits_for_the_nth_time_from_a_moment_on() {
    let mut world = world(&["a", "b"]);
    world.steps = vec![
        crash(1_000, 0),
        restart(2_000, 0),
        crash(3_000, 0),
        restart(4_000, 0),
        crash(5_000, 0),
        waiting(0, step(500, 1_500, Fault::Pause { processes: vec![NodeId(1)] })),
        waiting(1, crash(0, 1)),
        waiting(2, restart(100, 1)),
    ];
    world.triggers = vec![
        // Of the three ends, the second after 1.5 s.
        trigger(None, 1_500, 2, life(Life::Ended, 0)),
        // Only from the one before on, and never again.
        trigger(Some(0), 0, 1, life(Life::Ended, 0)),
        trigger(None, 0, 1, life(Life::Ended, 1)),
    ];
    let own: Vec<_> = steps_of(&world).into_iter().filter(|(_, step, _)| *step > 4).collect();
    assert_eq!(own, [(5_500, 5, true), (6_500, 5, false)]);
    // With one end fewer to wait for, the others follow.
    world.triggers[0].nth = 1;
    let own: Vec<_> = steps_of(&world).into_iter().filter(|(_, step, _)| *step > 4).collect();
    assert_eq!(
        own,
        [(3_500, 5, true), (4_500, 5, false), (5_000, 6, true), (5_100, 7, true)],
        "what fires a trigger does not count for one that waits for it"
    );
}

#[test]
fn a_run_says_which_of_its_triggers_fired() {
    let mut world = world(&["a", "b"]);
    world.steps = vec![crash(1_000, 0)];
    let pattern = Pattern { event: "renewed", instances: None, nodes: None, status: None };
    world.triggers =
        vec![trigger(None, 0, 1, life(Life::Ended, 0)), trigger(None, 0, 1, Condition::Event(pattern))];
    let (_, simulation) = run_seed(&world, vec![script(vec![]), script(vec![])], 1);
    assert_eq!(simulation.fired(), [Some(SimTime::from_secs(1)), None]);
}

/// A gauge counts when it comes into the range, not while it stays there; a process that ended is outside.
#[test]
fn a_gauge_counts_each_time_it_comes_into_the_range() {
    use super::super::triggers::TriggerState;
    let gauge = Gauge::RegistrySize;
    let condition = Condition::Gauge { gauge, nodes: vec![NodeId(0)], is: Range::closed(3.0, 5.0) };
    let trigger = trigger(None, 0, 3, condition);
    let mut state = TriggerState::default();
    let value = |value| What::Event { node: NodeId(0), event: Event::Gauge { gauge, value } };
    let other = What::Event { node: NodeId(1), event: Event::Gauge { gauge, value: 4 } };
    let ended = What::Ended { node: NodeId(0), exit: None };
    let seen = [value(3), value(5), other, value(6), value(4), ended, value(4)];
    let fires = seen.map(|what| state.counts(&trigger, &Record { at: SimTime::ZERO, what }));
    assert_eq!(fires, [false, false, false, false, false, false, true]);
}

#[test]
fn start_leaves_alone_who_runs_and_starts_who_never_did() {
    let mut world = world(&["a", "b"]);
    world.processes[1].start = SimTime::MAX;
    world.steps = vec![step(1_000, None, Fault::Start { processes: vec![NodeId(0), NodeId(1)] })];
    let logs = run(&world, vec![script(vec![]), script(vec![])]);
    assert_eq!(logs, [vec!["0 start [] []"], vec!["1000 start [] []"]]);
}

fn calls(at: &[u64]) -> Script {
    script(at.iter().map(|at| (*at, Do::Call(1, note("ping"), 300, 900))).collect())
}

#[test]
fn a_host_that_keeps_silent_neither_refuses_nor_resets() {
    let world_with = |silent: bool| {
        let mut world = world(&["a", "b"]);
        let silence = step(400, 6_000, Fault::Silence { hosts: vec![B] });
        world.steps = vec![crash(995, 1), crash(9_000, 1), restart(7_000, 1)];
        world.steps.extend(silent.then_some(silence));
        // The first attempt is on its way when the process dies, the second finds it dead, the third when the silence is over.
        run(&world, vec![calls(&[990, 2_000, 6_500, 7_500]), server(50)]).remove(0)
    };
    assert_eq!(
        world_with(false)[1..],
        [
            "1010 ping Err(Refused)",
            "2020 ping Err(Refused)",
            "6520 ping Err(Refused)",
            "7590 ping Ok(\"answer\")"
        ]
    );
    assert_eq!(
        world_with(true)[1..],
        [
            "1290 ping Err(ConnectTimeout)",
            "2300 ping Err(ConnectTimeout)",
            "6520 ping Err(Refused)",
            "7590 ping Ok(\"answer\")"
        ]
    );
}

#[test]
fn a_kept_connection_to_a_silent_host_ends_in_a_read_timeout() {
    let ends = |silent: bool| {
        let mut world = world(&["a", "b"]);
        world.steps = vec![crash(2_000, 1)];
        world.steps.extend(silent.then(|| step(1_500, None, Fault::Silence { hosts: vec![B] })));
        // One call is executed when the process dies, one comes over the kept connection later.
        let calls = vec![
            (1_000, Do::Call(1, note("first"), 300, 900)),
            (1_980, Do::Call(1, note("second"), 300, 900)),
            (3_000, Do::Call(1, note("third"), 300, 900)),
        ];
        run(&world, vec![script(calls), server(100)]).remove(0)
    };
    assert_eq!(ends(false)[2..], ["2010 second Err(Reset)", "3020 third Err(Refused)"]);
    assert_eq!(ends(true)[2..], ["2880 second Err(ReadTimeout)", "3300 third Err(ConnectTimeout)"]);
    // One that was idle when the process died.
    let idle = |silent: bool| {
        let mut world = world(&["a", "b"]);
        world.steps = vec![crash(2_000, 1)];
        world.steps.extend(silent.then(|| step(1_500, None, Fault::Silence { hosts: vec![B] })));
        run(&world, vec![calls(&[1_000, 3_000]), server(0)]).remove(0)
    };
    assert_eq!(idle(false)[2..], ["3020 ping Err(Reset)"]);
    assert_eq!(idle(true)[2..], ["3900 ping Err(ReadTimeout)"]);
}

#[test]
fn links_and_traffic_meet_the_silence_too() {
    let mut world = world(&["a", "b"]);
    world.steps = vec![crash(1_500, 1), step(1_000, 5_000, Fault::Silence { hosts: vec![B] })];
    let does = vec![(500, Do::Open(1, 300)), (2_000, Do::Send(note("data"))), (2_500, Do::Open(1, 300))];
    let logs = run(&world, vec![script(does), server(0)]);
    // The data is sent again until the silence is over; then the host resets.
    assert_eq!(logs[0][1], "520 link opened");
    assert_eq!(logs[0][2], "2800 link ConnectTimeout");
    assert!(logs[0][3].ends_with("link Reset") && logs[0][3].as_str() > "5000", "{:?}", logs[0]);
    let line = Traffic {
        caller: NodeId(0),
        service: ServiceId(1),
        every: Duration::from_secs(60),
        first: SimTime::from_millis(3_000),
        timeout: Duration::from_millis(700),
        retries: 0,
    };
    world.traffic = vec![line];
    let mut records: Vec<Record> = Vec::new();
    let configs = [server(0), server(0)].map(std::sync::Arc::new).to_vec();
    Simulation::<Toy>::new(&world, configs, 1).run(&mut records);
    let called = records.iter().find(|record| matches!(record.what, What::Traffic { .. })).unwrap();
    assert_eq!(called.at.as_millis(), 3_700, "a timeout, not a refusal");
}

#[test]
fn held_messages_arrive_when_the_fault_ends() {
    let mut world = world(&["a", "b"]);
    let matching = MessageMatch { kind: Some("ping".into()), ..MessageMatch::default() };
    world.steps = vec![step(1_000, 3_000, Fault::Messages { matching, action: MessageAction::Hold })];
    let mut does: Vec<_> =
        [1_500, 2_000].into_iter().map(|at| (at, Do::Call(1, note("ping"), 300, 900))).collect();
    does.push((2_200, Do::Call(1, note("other"), 300, 900)));
    does.push((2_300, Do::Datagram(1, note("ping"))));
    let logs = run(&world, vec![script(does), server(0)]);
    assert_eq!(
        logs[1][1..],
        [
            "2230 request other from 0",
            "3010 request ping from 0",
            "3010 request ping from 0",
            "3010 packet ping from 0"
        ]
    );
    // Their callers have given up long before.
    assert!(logs[0].contains(&"2420 ping Err(ReadTimeout)".to_owned()), "{:?}", logs[0]);
}

/// Which of the packets that a sends to b every 100 ms arrive, by their time of sending.
fn packets(world: &crate::plan::World, seed: u64) -> Vec<u64> {
    let beats = (1..400).map(|n| (n * 100, Do::Datagram(1, note("beat")))).collect();
    let (logs, _) = run_seed(world, vec![script(beats), script(vec![])], seed);
    logs[1][1..].iter().map(|line| line.split(' ').next().unwrap().parse::<u64>().unwrap() - 10).collect()
}

#[test]
fn a_path_flaps_one_way_or_both_until_the_fault_ends() {
    let mut world = world(&["a", "b"]);
    let length = |low, high| (Duration::from_millis(low), Duration::from_millis(high));
    let flap = |both_ways, down, up| Fault::Flap { from: vec![B], to: vec![A], both_ways, down, up };
    let missing = |world: &crate::plan::World, seed| {
        let arrived = packets(world, seed);
        (1..400).map(|n| n * 100).filter(|at| !arrived.contains(at)).collect::<Vec<u64>>()
    };
    // Off the beat, so that no packet leaves at a turn.
    world.steps = vec![step(1_050, 3_050, flap(true, length(300, 300), length(500, 500)))];
    assert_eq!(missing(&world, 1), [1_100, 1_200, 1_300, 1_900, 2_000, 2_100, 2_700, 2_800, 2_900]);
    world.steps = vec![step(1_050, 3_050, flap(false, length(300, 300), length(500, 500)))];
    assert_eq!(missing(&world, 1), [0; 0], "only the other way");
    world.steps = vec![step(1_050, 30_050, flap(true, length(100, 1_000), length(100, 1_000)))];
    let lost = missing(&world, 1);
    assert!((90..200).contains(&lost.len()), "about half of 290: {}", lost.len());
    assert_ne!(lost, missing(&world, 2), "lengths are drawn from the seed");
}

#[test]
fn loss_in_bursts_takes_all_for_a_while_and_its_share_over_time() {
    let mut world = world(&["a", "b"]);
    let burst = Some(Duration::from_secs(1));
    let change = PathChange { loss_ppm: Some(250_000), burst, ..PathChange::default() };
    let lossy = |world: &mut crate::plan::World| world.paths.same_zone.loss_ppm = 250_000;
    let runs_of_loss = |world: &crate::plan::World, seed| {
        let arrived = packets(world, seed);
        let mut lengths = Vec::new();
        let mut length = 0;
        for n in 1..400 {
            match arrived.contains(&(n * 100)) {
                false => length += 1,
                true if length > 0 => lengths.push(std::mem::take(&mut length)),
                true => {}
            }
        }
        lengths
    };
    world.steps = vec![step(0, None, Fault::Path { from: vec![A], to: vec![B], change })];
    let of_step = runs_of_loss(&world, 1);
    world.steps.clear();
    lossy(&mut world);
    let single = runs_of_loss(&world, 1);
    world.paths.same_zone.burst = burst;
    let of_path = runs_of_loss(&world, 1);
    for bursts in [&of_step, &of_path] {
        // Ten cycles of 4 s with one burst of 10 packets each; two may touch, the last one may be cut off by the end.
        let lost: u64 = bursts.iter().sum();
        assert!((80..=101).contains(&lost), "a quarter of 400: {lost} in {bursts:?}");
        assert!(bursts.len() <= 10 && bursts.iter().all(|length| *length >= 9), "{bursts:?}");
    }
    assert!(single.len() > 40 && single.iter().max() < Some(&9), "each on its own: {single:?}");
    assert_ne!(packets(&world, 1), packets(&world, 2), "when they come is drawn");
}

/// Sent again after 200 ms, 400 ms, ... until the burst is over, and then no more.
#[test]
fn a_request_in_a_burst_takes_as_long_as_the_burst_needs() {
    let mut world = world(&["a", "b"]);
    let burst = Some(Duration::from_secs(2));
    let change = PathChange { loss_ppm: Some(100_000), burst, ..PathChange::default() };
    world.steps = vec![step(0, None, Fault::Path { from: vec![A], to: vec![B], change })];
    // A call every 100 ms, over one kept connection each.
    let does = (1..300).map(|n| (n * 100, Do::Call(1, note("ping"), 20_000, 20_000))).collect();
    let logs = run(&world, vec![script(does), server(0)]);
    let arrived: Vec<u64> =
        logs[1][1..].iter().map(|line| line.split(' ').next().unwrap().parse::<u64>().unwrap()).collect();
    // Retransmissions come after 0.2, 0.6, 1.4 and 3.0 s: all that is sent in a burst of 2 s comes after it.
    let gaps: Vec<u64> = arrived.windows(2).map(|pair| pair[1] - pair[0]).filter(|gap| *gap > 500).collect();
    assert_eq!(arrived.len(), 299, "loss costs time, no call");
    assert!((1..=2).contains(&gaps.len()) && gaps.iter().all(|gap| (1_900..2_300).contains(gap)), "{gaps:?}");
}

#[test]
fn what_is_left_of_unflushed_writes_may_be_said() {
    let does = vec![
        (1_000, Do::Append(1, note("a"))),
        (1_000, Do::Flush(1)),
        (1_500, Do::Append(1, note("b"))),
        (1_500, Do::Append(1, note("c"))),
        (1_500, Do::Replace(2, note("x"))),
    ];
    let left = |unflushed| {
        let mut world = world(&["a"]);
        let off = Fault::PowerOff { hosts: vec![A], unflushed };
        world.steps = vec![step(2_000, None, off), restart(3_000, 0)];
        let found: std::collections::BTreeSet<String> = (0..20)
            .map(|seed| run_seed(&world, vec![script(does.clone())], seed).0.remove(0).remove(2))
            .collect();
        found.into_iter().collect::<Vec<_>>()
    };
    assert_eq!(left(Unflushed::Kept), ["3000 start [a,b,c] [x]"]);
    assert_eq!(left(Unflushed::Lost), ["3000 start [a] []"]);
    assert_eq!(left(Unflushed::Torn), ["3000 start [a,b] []"]);
    assert!(left(Unflushed::Drawn).len() > 3);
}

#[test]
fn a_balancer_passes_over_who_does_not_answer_and_takes_all_if_none_does() {
    let mut world = world(&["a", "b", "c"]);
    world.addresses[50].behind = Behind::Processes(vec![NodeId(1), NodeId(2)]);
    world.processes[0].pools[0].idle = Duration::ZERO;
    let check =
        |get| HealthCheck { address: Address(50), every: Duration::from_millis(100), fall: 2, rise: 3, get };
    let calls = || script((5..16).map(|n| (n * 200 + 50, Do::Call(50, note("ping"), 300, 900))).collect());
    let refused = |world: &crate::plan::World| {
        let log = run(world, vec![calls(), server(0), server(0)]).remove(0);
        log.iter().filter(|line| line.contains("Refused")).count()
    };
    // b is down from 1.01 to 2.05 s: every other one of five calls, or none but the first.
    world.steps = vec![crash(1_010, 1), restart(2_050, 1)];
    assert_eq!(refused(&world), 3);
    world.checks = vec![check(false)];
    assert_eq!(refused(&world), 1);
    let asked = |world: &crate::plan::World, at: usize| {
        run(world, vec![calls(), server(0), server(0)])[at]
            .iter()
            .filter(|line| line.contains("request"))
            .count()
    };
    // Up again after three checks, at 2.3 s: four calls are left, half of them for b.
    assert_eq!(asked(&world, 1), 2);
    world.steps.push(crash(1_010, 2));
    assert!(refused(&world) >= 4, "it fails open");
    // A process that stands still accepts connections, and answers none.
    world.steps = vec![step(500, 60_000, Fault::Pause { processes: vec![NodeId(1)] })];
    assert_eq!(asked(&world, 2), 5);
    world.checks = vec![check(true)];
    assert_eq!(asked(&world, 2), 11);
}
