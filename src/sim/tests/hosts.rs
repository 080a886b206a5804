//! Disks, clocks, and the lives of processes.

use std::time::Duration;

use super::toy::*;
use crate::history::{CallResult, Record, What};
use crate::plan::World;
use crate::plan::world::*;
use crate::protocol::*;
use crate::sim::Simulation;

const A: HostId = HostId(0);

fn alone(steps: Vec<Step>, does: Vec<(u64, Do)>) -> Vec<String> {
    let mut world = world(&["a"]);
    world.steps = steps;
    run(&world, vec![script(does)]).remove(0)
}

fn append(at: u64, file: u8, kind: &'static str) -> (u64, Do) {
    (at, Do::Append(file, note(kind)))
}

fn restart(at: u64, wipe_disk: bool) -> Step {
    step(at, None, Fault::Restart { processes: vec![NodeId(0)], wipe_disk })
}

fn power_off(at: u64) -> Step {
    step(at, None, Fault::PowerOff { hosts: vec![A], unflushed: Unflushed::Drawn })
}

#[test]
fn a_flush_costs_latency_and_bytes_and_one_runs_at_a_time_per_file() {
    let mut world = world(&["a"]);
    world.hosts[0].disk = DiskSpeed { latency: Duration::from_millis(2), bytes_per_second: 10_000 };
    let slow = Fault::SlowDisk { hosts: vec![A], factor_milli: 10_000 };
    world.steps = vec![step(2_000, 3_000, slow)];
    let flush = |at, file| (at, Do::Flush(file));
    let does = vec![
        append(1_000, 1, "a"),
        flush(1_000, 1),
        append(1_000, 1, "b"),
        append(1_000, 1, "c"),
        flush(1_000, 1),
        flush(1_000, 2),
        flush(2_000, 1),
        flush(3_000, 1),
    ];
    let logs = run(&world, vec![script(does)]);
    // 100 bytes are 10 ms; the second flush pays for what the first did not cover, and waits for it.
    let expected =
        ["1002 flush done", "1012 flush done", "1034 flush done", "2020 flush done", "3002 flush done"];
    assert_eq!(logs[0][1..], expected);
}

#[test]
fn a_write_survives_a_crash_and_a_wipe_leaves_nothing() {
    let crash = |at| step(at, None, Fault::Crash { processes: vec![NodeId(0)] });
    let does = vec![append(1_000, 1, "a"), (1_000, Do::Replace(2, note("x")))];
    let log = alone(vec![crash(2_000), restart(2_100, false)], does.clone());
    assert_eq!(log[1], "2100 start [a] [x]");
    let log = alone(vec![crash(2_000), restart(2_100, true)], does);
    assert_eq!(log[1], "2100 start [] []");
}

/// What the second life of a process found on its disk.
fn second_start(log: &[String]) -> String {
    log.iter().filter(|line| line.contains("start")).nth(1).unwrap().clone()
}

#[test]
fn a_power_loss_leaves_what_was_flushed_and_a_prefix_per_file() {
    let does = vec![
        append(1_000, 1, "a"),
        append(1_000, 3, "a"),
        (1_000, Do::Replace(2, note("old"))),
        (1_000, Do::Flush(1)),
        (1_000, Do::Flush(2)),
        append(1_500, 1, "b"),
        append(1_500, 1, "c"),
        append(1_500, 3, "b"),
        (1_500, Do::Replace(2, note("new"))),
    ];
    let mut world = world(&["a"]);
    world.steps = vec![power_off(2_000), restart(3_000, false)];
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..300 {
        let (logs, _) = run_seed(&world, vec![script(does.clone())], seed);
        seen.insert(second_start(&logs[0]));
    }
    // Three outcomes of each log, two of the cell, all combinations.
    let mut expected = std::collections::BTreeSet::new();
    for first in ["a", "a,b", "a,b,c"] {
        for second in ["", "a", "a,b"] {
            for cell in ["old", "new"] {
                let logs =
                    if second.is_empty() { format!("[{first}]") } else { format!("[{first}, {second}]") };
                expected.insert(format!("3000 start {logs} [{cell}]"));
            }
        }
    }
    assert_eq!(seen, expected);
}

#[test]
fn a_flush_that_a_power_loss_interrupts_is_not_durable_for_sure() {
    let does = vec![append(1_000, 1, "a"), (1_000, Do::Flush(1))];
    let at = SimTime(1_001_000_000);
    let mut world = world(&["a"]);
    world.steps = vec![Step { at, ..power_off(0) }, restart(3_000, false)];
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..20 {
        seen.insert(second_start(&run_seed(&world, vec![script(does.clone())], seed).0[0]));
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["3000 start [] []", "3000 start [a] []"]);
}

#[test]
fn a_full_disk_fails_flushes() {
    let full = step(500, 1_500, Fault::FullDisk { hosts: vec![A] });
    let does = vec![append(1_000, 1, "a"), (1_000, Do::Flush(1)), (2_000, Do::Flush(1))];
    let log = alone(vec![full], does);
    assert_eq!(log[1..], ["1002 flush Full", "2002 flush done"]);
}

#[test]
fn clocks_jump_drift_and_freeze() {
    let clock = |at, until: Option<u64>, change| step(at, until, Fault::Clock { hosts: vec![A], change });
    let clocks = |at| (at, Do::Clocks);
    let log = alone(
        vec![
            clock(1_500, None, ClockChange::Jump(-3_600_000_000_000)),
            clock(2_500, Some(3_500), ClockChange::Freeze),
        ],
        vec![clocks(1_000), clocks(2_000), clocks(3_000), clocks(4_000)],
    );
    let wall = |at: i64| format!("wall {}", at - 3_600_000);
    assert_eq!(log[1], "1000 wall 1000");
    assert_eq!(log[2], format!("2000 {}", wall(2_000)));
    assert_eq!(log[3], format!("3000 {}", wall(2_500)));
    assert_eq!(log[4], format!("4000 {}", wall(4_000)));
    // A timer of 10 s on a clock that runs at half speed from second 2 to second 6 comes at second 12: `b` tells the time.
    let mut world = world(&["a", "b"]);
    world.steps = vec![clock(2_000, Some(6_000), ClockChange::Drift(-500_000))];
    let logs = run(&world, vec![script(vec![(10_000, Do::Datagram(1, note("beat")))]), script(vec![])]);
    assert_eq!(logs[1][1], "12010 packet beat from 0");
}

fn records(world: &World, scripts: Vec<Script>) -> Vec<(u64, What)> {
    let mut records: Vec<Record> = Vec::new();
    let configs = scripts.into_iter().map(std::sync::Arc::new).collect();
    Simulation::<Toy>::new(world, configs, 1).run(&mut records);
    records.into_iter().map(|record| (record.at.as_millis(), record.what)).collect()
}

#[test]
fn processes_stop_restart_take_orders_and_new_settings() {
    let node = NodeId(0);
    let ask = |at, operation| step(at, None, Fault::Ask { process: node, operation });
    let instance = InstanceId(0);
    let mut world = world(&["a"]);
    world.processes[0].start = SimTime::from_secs(1);
    world.steps = vec![
        ask(500, Operation::Renew { instance }),
        ask(2_000, Operation::Renew { instance }),
        ask(3_000, Operation::Register { instance }),
        step(3_500, None, Fault::Reconfigure { process: node, config: 1 }),
        step(4_000, None, Fault::Stop { processes: vec![node] }),
        restart(5_000, false),
        restart(6_000, false),
        step(7_000, 8_000, Fault::Pause { processes: vec![node] }),
    ];
    let log = script(vec![]);
    let seen = log.log.clone();
    let mut expected = Vec::new();
    let step = |at, step| (at, What::Step { step, began: true });
    let invoked = |at, ticket, operation| (at, What::Invoked { node, ticket: Ticket(ticket), operation });
    let completed = |at, ticket, answer| (at, What::Completed { node, ticket: Ticket(ticket), answer });
    expected.extend([step(500, 0), invoked(500, 1, Operation::Renew { instance })]);
    expected.extend([completed(500, 1, Answer::Failed(0)), (1_000, What::Started { node })]);
    expected.extend([step(2_000, 1), invoked(2_000, 2, Operation::Renew { instance })]);
    expected.extend([completed(2_000, 2, Answer::Ok)]);
    expected.extend([step(3_000, 2), invoked(3_000, 3, Operation::Register { instance }), step(3_500, 3)]);
    expected.extend([step(4_000, 4), (4_000, What::Stopping { node }), completed(4_000, 3, Answer::Unknown)]);
    expected.extend([(4_000, What::Ended { node, exit: Some(0) })]);
    expected.extend([step(5_000, 5), (5_000, What::Started { node }), step(6_000, 6)]);
    expected.extend([(6_000, What::Ended { node, exit: None }), (6_000, What::Started { node })]);
    expected.extend([step(7_000, 7), (7_000, What::Paused { node, paused: true })]);
    expected.extend([
        (8_000, What::Step { step: 7, began: false }),
        (8_000, What::Paused { node, paused: false }),
    ]);
    assert_eq!(records(&world, vec![log, script(vec![])]), expected);
    let asked: Vec<String> = seen.lock().unwrap().clone();
    assert_eq!(asked[1], "2000 ask Renew { instance: InstanceId(0) }");
    assert_eq!(asked[3..5], ["3500 new settings", "4000 stop"]);
}

#[test]
fn a_frozen_process_takes_its_overdue_timeout_first() {
    let mut world = world(&["a", "b"]);
    world.steps = vec![step(1_000, 3_000, Fault::Pause { processes: vec![NodeId(0)] })];
    let packet = vec![(1_500, Do::Datagram(0, note("beat")))];
    let logs = run(&world, vec![script(vec![(2_000, Do::Clocks)]), script(packet)]);
    assert_eq!(logs[0][1..], ["3000 wall 3000", "3000 packet beat from 1"]);
}

#[test]
fn a_due_timeout_comes_before_other_inputs_of_its_instant() {
    // The packet is in the queue before the timer is: its entry was made when the timer still stood at 1005.
    let packet = vec![(1_000, Do::Datagram(0, note("beat")))];
    let timers = vec![(1_005, Do::Draw), (1_010, Do::Clocks)];
    let logs = run(&world(&["a", "b"]), vec![script(timers), script(packet)]);
    assert_eq!(logs[0][2..], ["1010 wall 1010", "1010 packet beat from 1"]);
}

#[test]
fn traffic_shows_who_can_be_reached() {
    let mut world = world(&["a", "b"]);
    let line = |every, first| Traffic {
        caller: NodeId(0),
        service: ServiceId(1),
        every: Duration::from_millis(every),
        first: SimTime::from_millis(first),
        timeout: Duration::from_millis(500),
        retries: 0,
    };
    world.traffic = vec![line(1_000, 500)];
    world.duration = SimTime::from_secs(7);
    let (a, b) = (vec![A], vec![HostId(1)]);
    world.steps = vec![
        step(1_000, 2_000, Fault::Cut { from: a.clone(), to: b.clone() }),
        step(2_000, 3_000, Fault::Cut { from: b.clone(), to: a }),
        step(3_000, None, Fault::Crash { processes: vec![NodeId(1)] }),
        step(4_000, None, Fault::PowerOff { hosts: b, unflushed: Unflushed::Drawn }),
        step(5_000, None, Fault::Restart { processes: vec![NodeId(1)], wipe_disk: false }),
    ];
    let records = records(&world, vec![server(0), server(0)]);
    let results: Vec<_> = records
        .iter()
        .filter_map(|(at, what)| match what {
            What::Traffic { chosen, result, .. } => Some((*at, *chosen, *result)),
            _ => None,
        })
        .collect();
    let b = Some(InstanceId(1));
    let expected = [
        (520, b, CallResult::Answered),
        (2_000, b, CallResult::Unreachable),
        (3_000, b, CallResult::Unreachable),
        (3_520, b, CallResult::DeadInstance),
        (5_000, b, CallResult::DeadInstance),
        (5_520, b, CallResult::Answered),
        (6_520, b, CallResult::Answered),
    ];
    assert_eq!(results, expected);
}

/// A failed call is made again on another instance at once; each try is recorded, and the last one's result is the call's.
#[test]
fn a_failed_call_is_made_again_on_another_instance() {
    let tries = |retries, crashed: &[u32]| {
        let mut world = world(&["a", "b", "c", "d"]);
        world.traffic = vec![Traffic {
            caller: NodeId(0),
            service: ServiceId(1),
            every: Duration::from_secs(60),
            first: SimTime::from_millis(1_000),
            timeout: Duration::from_millis(500),
            retries,
        }];
        let crash = |node: &u32| step(500, None, Fault::Crash { processes: vec![NodeId(*node)] });
        world.steps = crashed.iter().map(crash).collect();
        let records = records(&world, vec![server(0), server(0), server(0), server(0)]);
        let of_traffic = records.iter().filter_map(|(at, what)| match what {
            What::Traffic { chosen, result, attempt, last, .. } => {
                let chosen = chosen.map_or(0, |instance| instance.0);
                Some((*at, *attempt, chosen, *result, *last))
            }
            _ => None,
        });
        of_traffic.collect::<Vec<_>>()
    };
    use CallResult::{Answered, DeadInstance, NoInstance};
    assert_eq!(tries(0, &[1]), [(1_020, 0, 1, DeadInstance, true)]);
    assert_eq!(tries(1, &[1]), [(1_020, 0, 1, DeadInstance, false), (1_040, 1, 2, Answered, true)]);
    assert_eq!(tries(5, &[]), [(1_020, 0, 1, Answered, true)], "what was answered is not made again");
    assert_eq!(tries(1, &[1, 2]), [(1_020, 0, 1, DeadInstance, false), (1_040, 1, 2, DeadInstance, true)]);
    // No other instance is left: the call ends without one.
    assert_eq!(
        tries(5, &[1, 2, 3]),
        [
            (1_020, 0, 1, DeadInstance, false),
            (1_040, 1, 2, DeadInstance, false),
            (1_060, 2, 3, DeadInstance, false),
            (1_060, 3, 0, NoInstance, true),
        ]
    );
}
