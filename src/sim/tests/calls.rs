//! What becomes of a call.

use std::time::Duration;

use super::toy::*;
use crate::plan::World;
use crate::plan::world::*;
use crate::protocol::NodeId;

const A: HostId = HostId(0);
const B: HostId = HostId(1);

fn crash(at: u64) -> Step {
    step(at, None, Fault::Crash { processes: vec![NodeId(1)] })
}

fn restart(at: u64) -> Step {
    step(at, None, Fault::Restart { processes: vec![NodeId(1)], wipe_disk: false })
}

fn power_off(at: u64) -> Step {
    step(at, None, Fault::PowerOff { hosts: vec![B] })
}

fn cut(at: u64, until: impl Into<Option<u64>>, from: HostId, to: HostId) -> Step {
    step(at, until, Fault::Cut { from: vec![from], to: vec![to] })
}

fn split(at: u64, until: impl Into<Option<u64>>) -> Step {
    step(at, until, Fault::Partition { groups: vec![vec![A], vec![B]] })
}

/// `a` calls at the given times with connect and read timeouts of 2 and 5 seconds; `b` answers after some time. Expected is what
/// both write down, without their starts.
fn check(steps: Vec<Step>, calls: &[u64], answer_after: impl Into<Option<u64>>, a: &[&str], b: &[&str]) {
    let mut world = world(&["a", "b"]);
    world.steps = steps;
    check_in(&world, calls, answer_after, a, b);
}

fn check_in(world: &World, calls: &[u64], answer_after: impl Into<Option<u64>>, a: &[&str], b: &[&str]) {
    let steps = calls.iter().map(|at| (*at, Do::Call(1, note("ping"), 2_000, 5_000))).collect();
    let logs = run(world, vec![script(steps), server(answer_after)]);
    let logs = logs.iter().map(|log| log.iter().filter(|line| !line.contains("start")).collect::<Vec<_>>());
    assert_eq!(logs.collect::<Vec<_>>(), [a, b]);
}

#[test]
fn a_fresh_connection_costs_a_round_trip_and_a_kept_one_none() {
    check(
        vec![],
        &[1_000, 2_000, 40_000],
        0,
        &["1040 ping Ok(\"answer\")", "2020 ping Ok(\"answer\")", "40040 ping Ok(\"answer\")"],
        &["1030 request ping from 0", "2010 request ping from 0", "40030 request ping from 0"],
    );
}

#[test]
fn a_process_that_is_down_refuses_at_once() {
    check(vec![crash(500)], &[1_000], 0, &["1020 ping Err(Refused)"], &[]);
}

#[test]
fn a_host_without_power_is_a_connect_timeout() {
    check(vec![power_off(500)], &[1_000], 0, &["3000 ping Err(ConnectTimeout)"], &[]);
}

#[test]
fn a_kept_connection_meets_a_silent_cut_as_a_read_timeout_and_the_next_one_as_a_connect_timeout() {
    check(
        vec![split(1_500, None)],
        &[1_000, 2_000, 8_000],
        0,
        &["1040 ping Ok(\"answer\")", "7000 ping Err(ReadTimeout)", "10000 ping Err(ConnectTimeout)"],
        &["1030 request ping from 0"],
    );
}

#[test]
fn a_crash_resets_open_calls_and_kept_connections() {
    check(
        vec![crash(1_100), restart(1_200)],
        &[1_000, 1_300],
        500,
        &["1110 ping Err(Reset)", "1840 ping Ok(\"answer\")"],
        &["1030 request ping from 0", "1330 request ping from 0"],
    );
    check(
        vec![crash(1_100), restart(1_200)],
        &[1_000, 1_300, 1_400],
        0,
        &["1040 ping Ok(\"answer\")", "1320 ping Err(Reset)", "1440 ping Ok(\"answer\")"],
        &["1030 request ping from 0", "1430 request ping from 0"],
    );
}

#[test]
fn power_loss_in_the_middle_of_a_call_is_silence() {
    check(
        vec![power_off(1_100)],
        &[1_000],
        500,
        &["6020 ping Err(ReadTimeout)"],
        &["1030 request ping from 0"],
    );
}
