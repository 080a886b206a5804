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
    step(at, None, Fault::PowerOff { hosts: vec![B], unflushed: Unflushed::Drawn })
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

#[test]
fn a_request_sent_into_a_cut_arrives_after_it_is_mended() {
    // Sent at 2000 and again after 0.2, 0.6, 1.4 and 3 s.
    check(
        vec![split(1_500, 4_000)],
        &[1_000, 2_000],
        0,
        &["1040 ping Ok(\"answer\")", "5020 ping Ok(\"answer\")"],
        &["1030 request ping from 0", "5010 request ping from 0"],
    );
    // The caller has given up at 7000; the request arrives all the same.
    check(
        vec![split(1_500, 7_500)],
        &[1_000, 2_000],
        0,
        &["1040 ping Ok(\"answer\")", "7000 ping Err(ReadTimeout)"],
        &["1030 request ping from 0", "8210 request ping from 0"],
    );
}

#[test]
fn a_connection_attempt_is_tried_again_after_a_second() {
    check(vec![split(500, 1_500)], &[1_000], 0, &["2040 ping Ok(\"answer\")"], &["2030 request ping from 0"]);
}

#[test]
fn a_cut_stops_what_is_under_way() {
    // The request leaves at 1020 and would arrive at 1030; the cut is over before that and yet was on its way.
    check(
        vec![cut(1_022, 1_025, A, B)],
        &[1_000],
        0,
        &["1240 ping Ok(\"answer\")"],
        &["1230 request ping from 0"],
    );
    // Its arrival at 1030 is before the cut.
    check(
        vec![cut(1_031, 1_100, A, B)],
        &[1_000],
        0,
        &["1040 ping Ok(\"answer\")"],
        &["1030 request ping from 0"],
    );
}

#[test]
fn a_one_way_cut_loses_the_answer_of_an_executed_request() {
    check(
        vec![cut(1_500, None, B, A)],
        &[1_000, 2_000],
        0,
        &["1040 ping Ok(\"answer\")", "7000 ping Err(ReadTimeout)"],
        &["1030 request ping from 0", "2010 request ping from 0"],
    );
    check(vec![cut(500, None, B, A)], &[1_000], 0, &["3000 ping Err(ConnectTimeout)"], &[]);
}

fn with_workers(workers: u32, accept_queue: u32, base_ms: u64) -> World {
    let mut world = world(&["a", "b"]);
    let base = Duration::from_millis(base_ms);
    world.processes[1].service =
        ServiceModel { workers: Some(workers), accept_queue, base, per_item: Duration::ZERO };
    world
}

#[test]
fn a_request_waits_for_a_worker_and_is_executed_after_its_caller_gave_up() {
    check_in(
        &with_workers(1, 10, 3_000),
        &[1_000, 1_000],
        0,
        &["4040 ping Ok(\"answer\")", "6020 ping Err(ReadTimeout)"],
        &["4030 request ping from 0", "7030 request ping from 0"],
    );
}

#[test]
fn a_worker_is_held_until_the_answer() {
    check_in(
        &with_workers(1, 10, 0),
        &[1_000, 1_000],
        1_000,
        &["2040 ping Ok(\"answer\")", "3040 ping Ok(\"answer\")"],
        &["1030 request ping from 0", "2030 request ping from 0"],
    );
}

#[test]
fn a_full_accept_queue_is_silent() {
    // Three connections are accepted while the worker is idle: one request is worked on, two wait. The fourth is not accepted, is
    // tried again a second later, and its caller gives up before the third attempt.
    check_in(
        &with_workers(1, 1, 1_000),
        &[1_000, 1_000, 1_000, 1_500],
        0,
        &[
            "2040 ping Ok(\"answer\")",
            "3040 ping Ok(\"answer\")",
            "3500 ping Err(ConnectTimeout)",
            "4040 ping Ok(\"answer\")",
        ],
        &["2030 request ping from 0", "3030 request ping from 0", "4030 request ping from 0"],
    );
}

#[test]
fn items_and_slowness_lengthen_the_work() {
    let mut world = with_workers(1, 10, 100);
    world.processes[1].service.per_item = Duration::from_millis(10);
    world.steps = vec![
        step(2_000, 10_000, Fault::Slow { processes: vec![NodeId(1)], factor_milli: 3_000 }),
        step(3_000, 10_000, Fault::Slow { processes: vec![NodeId(1)], factor_milli: 2_000 }),
    ];
    let batch = Note { items: 40, ..note("batch") };
    let calls = [1_000, 2_000, 3_000, 10_000].map(|at| (at, Do::Call(1, batch, 2_000, 5_000)));
    let logs = run(&world, vec![script(calls.to_vec()), server(0)]);
    assert_eq!(
        logs[1][1..],
        [
            "1530 request batch from 0",
            "3510 request batch from 0",
            "6510 request batch from 0",
            "10510 request batch from 0"
        ]
    );
}

#[test]
fn the_read_timeout_runs_from_the_last_byte() {
    let mut world = world(&["a", "b"]);
    world.paths.same_zone.bandwidth = Some(1_000);
    let answer = |answer_bytes| {
        let server = Script { answer_bytes, ..server(0) };
        run(&world, vec![script(vec![(1_000, Do::Call(1, note("ping"), 2_000, 5_000))]), server])[0][1]
            .clone()
    };
    // Headers of 200 bytes there and back, 100 bytes there, 20 s of answer back: four latencies of 10 ms.
    assert_eq!(answer(20_000), "21540 ping Ok(\"answer\")");
    assert_eq!(answer(1_000), "2540 ping Ok(\"answer\")");
}

#[test]
fn what_is_abandoned_is_executed_without_an_outcome() {
    let calls = script(vec![(1_000, Do::Call(1, note("ping"), 2_000, 5_000)), (1_025, Do::Abandon)]);
    let logs = run(&world(&["a", "b"]), vec![calls, server(0)]);
    assert_eq!((logs[0].len(), logs[1][1].as_str()), (1, "1030 request ping from 0"));
}

#[test]
fn calls_beyond_the_maximum_wait_for_a_connection() {
    let mut world = world(&["a", "b"]);
    world.processes[0].pools[0].max_per_address = 1;
    check_in(
        &world,
        &[1_000, 1_000],
        500,
        &["1540 ping Ok(\"answer\")", "2060 ping Ok(\"answer\")"],
        &["1030 request ping from 0", "1550 request ping from 0"],
    );
    check_in(
        &world,
        &[1_000, 1_000],
        None,
        &["3000 ping Err(ConnectTimeout)", "6020 ping Err(ReadTimeout)"],
        &["1030 request ping from 0"],
    );
}

/// The maximum over all addresses: an idle connection elsewhere is closed for a call; a busy one is waited for.
#[test]
fn a_pool_has_a_maximum_over_all_addresses() {
    let mut world = world(&["a", "b", "c"]);
    world.processes[0].pools[0].max_total = 1;
    let call = |at, to, name| (at, Do::Call(to, note(name), 2_000, 5_000));
    let caller = || {
        script(vec![
            call(1_000, 1, "one"),
            call(1_000, 2, "two"),
            call(3_000, 1, "three"),
            call(4_000, 2, "four"),
        ])
    };
    let log = |world: &World, servers: [Script; 2]| {
        let [b, c] = servers;
        let logs = run(world, vec![caller(), b, c]);
        logs[0].iter().filter(|line| !line.contains("start")).cloned().collect::<Vec<_>>()
    };
    assert_eq!(
        log(&world, [server(500), server(0)]),
        [
            "1540 one Ok(\"answer\")",
            // It gets the connection's place once the first call is over.
            "1580 two Ok(\"answer\")",
            // The idle connections to the other address make room each time.
            "3540 three Ok(\"answer\")",
            "4040 four Ok(\"answer\")",
        ]
    );
    // A server that never answers lets the other call go when its connection is given up.
    assert_eq!(
        log(&world, [server(None), server(0)])[..2],
        ["3000 two Err(ConnectTimeout)", "5000 three Err(ConnectTimeout)"]
    );
    world.processes[0].pools[0].max_total = 2;
    assert_eq!(log(&world, [server(500), server(0)])[0], "1040 two Ok(\"answer\")");
}

/// A machine may close its port: connections are refused as if nothing were there, kept ones are reset, and it may open it again.
#[test]
fn a_closed_port_refuses_calls() {
    let mut steps = server(0);
    steps.steps = vec![(1_500, Do::Listen(false)), (5_000, Do::Listen(true))];
    let calls = [1_000, 2_000, 3_000, 6_000].map(|at| (at, Do::Call(1, note("ping"), 2_000, 5_000)));
    let logs = run(&world(&["a", "b"]), vec![script(calls.into()), steps.clone()]);
    assert_eq!(
        logs[0][1..],
        [
            "1040 ping Ok(\"answer\")",
            "2020 ping Err(Reset)",
            "3020 ping Err(Refused)",
            "6040 ping Ok(\"answer\")"
        ]
    );
    assert_eq!(logs[1][1..], ["1030 request ping from 0", "6030 request ping from 0"]);
    // What has arrived is not touched; a process that starts again listens.
    let slow = Script { answer_after: Some(1_000), steps: vec![(1_100, Do::Listen(false))], ..server(0) };
    let mut world = world(&["a", "b"]);
    world.steps = vec![crash(3_000), restart(3_100)];
    let calls = [1_000, 2_500, 3_500].map(|at| (at, Do::Call(1, note("ping"), 2_000, 5_000)));
    let logs = run(&world, vec![script(calls.into()), slow]);
    assert_eq!(
        logs[0][1..],
        ["2040 ping Ok(\"answer\")", "2520 ping Err(Reset)", "4540 ping Ok(\"answer\")"]
    );
}

#[test]
fn an_idle_connection_is_closed_after_its_limit() {
    let mut world = world(&["a", "b"]);
    world.processes[0].pools[0].idle = Duration::from_secs(5);
    check_in(
        &world,
        &[1_000, 6_000, 11_021],
        0,
        &["1040 ping Ok(\"answer\")", "6020 ping Ok(\"answer\")", "11061 ping Ok(\"answer\")"],
        &["1030 request ping from 0", "6010 request ping from 0", "11051 request ping from 0"],
    );
}

#[test]
fn addresses_lead_to_nothing_to_nowhere_and_elsewhere() {
    let mut world = world(&["a", "b", "c"]);
    world.addresses[50].behind = Behind::Processes(vec![NodeId(1), NodeId(2)]);
    let address = crate::protocol::Address(50);
    let behind = Behind::Processes(vec![NodeId(2)]);
    world.steps = vec![step(5_000, None, Fault::Resolve { address, behind })];
    world.processes[0].pools[0].idle = Duration::ZERO;
    let call = |at, to| (at, Do::Call(to, note("ping"), 2_000, 5_000));
    let balanced = [1_000, 2_000, 3_000, 6_000, 7_000].map(|at| call(at, 50));
    let mut steps = vec![call(1, NOTHING), call(2, DARK)];
    steps.extend(balanced);
    let logs = run(&world, vec![script(steps), server(0), server(0)]);
    assert_eq!(logs[0][1..3], ["1 ping Err(Refused)", "1040 ping Ok(\"answer\")"]);
    assert!(logs[0].contains(&"2002 ping Err(ConnectTimeout)".to_string()));
    assert_eq!(logs[1][1..], ["1030 request ping from 0", "3030 request ping from 0"]);
    assert_eq!(
        logs[2][1..],
        ["2030 request ping from 0", "6030 request ping from 0", "7030 request ping from 0"]
    );
}

#[test]
fn loss_costs_calls_time() {
    let mut world = world(&["a", "b"]);
    world.paths.same_zone.loss_ppm = 400_000;
    let calls = (0..50).map(|n| (1_000 * n, Do::Call(1, note("ping"), 60_000, 60_000))).collect();
    let logs = run(&world, vec![script(calls), server(0)]);
    let late = logs[0].iter().filter(|line| {
        let at: u64 = line.split(' ').next().unwrap().parse().unwrap();
        line.contains("Ok") && at % 1_000 != 20 && at % 200 == 20
    });
    let answered = logs[0].iter().filter(|line| line.contains("Ok")).count();
    let late = late.count();
    assert!(answered >= 48 && late >= 25, "{answered} answered, {late} of them late");
}

fn interfere(matching: MessageMatch, action: MessageAction, a: &[&str], b: &[&str]) {
    let fault = Fault::Messages { matching, action };
    check(vec![step(1_500, 3_500, fault)], &[1_000, 2_000, 3_000, 4_000], 0, a, b);
}

#[test]
fn messages_are_interfered_with() {
    let kind = |kind: &str| MessageMatch { kind: Some(kind.into()), ..MessageMatch::default() };
    let second = |name: &str| MessageMatch { nth: Some(2), ..kind(name) };
    interfere(
        second("ping"),
        MessageAction::Fail { status: 503, body: Some("busy".into()) },
        &[
            "1040 ping Ok(\"answer\")",
            "2020 ping Ok(\"answer\")",
            "3020 ping Err(Status { code: 503, body: Some(\"busy\"), location: None })",
            "4020 ping Ok(\"answer\")",
        ],
        &["1030 request ping from 0", "2010 request ping from 0", "4010 request ping from 0"],
    );
    interfere(
        second("answer"),
        MessageAction::Drop,
        &[
            "1040 ping Ok(\"answer\")",
            "2020 ping Ok(\"answer\")",
            "4040 ping Ok(\"answer\")",
            "8000 ping Err(ReadTimeout)",
        ],
        &[
            "1030 request ping from 0",
            "2010 request ping from 0",
            "3010 request ping from 0",
            "4030 request ping from 0",
        ],
    );
    interfere(
        MessageMatch { from: Some(vec![NodeId(0)]), to: Some(vec![NodeId(1)]), ..second("ping") },
        MessageAction::Duplicate,
        &[
            "1040 ping Ok(\"answer\")",
            "2020 ping Ok(\"answer\")",
            "3020 ping Ok(\"answer\")",
            "4020 ping Ok(\"answer\")",
        ],
        &[
            "1030 request ping from 0",
            "2010 request ping from 0",
            "3010 request ping from 0",
            "3010 request ping from 0",
            "4010 request ping from 0",
        ],
    );
    interfere(
        kind("ping"),
        MessageAction::Delay(Duration::from_millis(100)),
        &[
            "1040 ping Ok(\"answer\")",
            "2120 ping Ok(\"answer\")",
            "3120 ping Ok(\"answer\")",
            "4020 ping Ok(\"answer\")",
        ],
        &[
            "1030 request ping from 0",
            "2110 request ping from 0",
            "3110 request ping from 0",
            "4010 request ping from 0",
        ],
    );
    interfere(
        second("ping"),
        MessageAction::Redirect(crate::protocol::Address(7)),
        &[
            "1040 ping Ok(\"answer\")",
            "2020 ping Ok(\"answer\")",
            "3020 ping Err(Status { code: 302, body: None, location: Some(Address(7)) })",
            "4020 ping Ok(\"answer\")",
        ],
        &["1030 request ping from 0", "2010 request ping from 0", "4010 request ping from 0"],
    );
    // The connection breaks: the next call needs a fresh one.
    interfere(
        second("ping"),
        MessageAction::Break,
        &[
            "1040 ping Ok(\"answer\")",
            "2020 ping Ok(\"answer\")",
            "3020 ping Err(Broken)",
            "4040 ping Ok(\"answer\")",
        ],
        &["1030 request ping from 0", "2010 request ping from 0", "4030 request ping from 0"],
    );
    let untouched = [
        "1040 ping Ok(\"answer\")",
        "2020 ping Ok(\"answer\")",
        "3020 ping Ok(\"answer\")",
        "4020 ping Ok(\"answer\")",
    ];
    let executed = [1_030, 2_010, 3_010, 4_010].map(|at| format!("{at} request ping from 0"));
    let executed = executed.each_ref().map(String::as_str);
    let other = MessageMatch { from: Some(vec![NodeId(1)]), ..kind("ping") };
    interfere(other, MessageAction::Drop, &untouched, &executed);
    let other = MessageMatch { instance: Some(crate::protocol::InstanceId(7)), ..kind("ping") };
    interfere(other, MessageAction::Drop, &untouched, &executed);
}

#[test]
fn a_reset_ends_established_connections() {
    let reset = |at| step(at, None, Fault::Reset { from: vec![B], to: vec![A] });
    // One in the middle of a call, one while the connection is idle: that one is noticed.
    check(
        vec![reset(1_100), reset(3_000)],
        &[1_000, 2_000, 3_500],
        500,
        &["1100 ping Err(Reset)", "2540 ping Ok(\"answer\")", "4040 ping Ok(\"answer\")"],
        &["1030 request ping from 0", "2030 request ping from 0", "3530 request ping from 0"],
    );
}

#[test]
fn a_process_that_stands_still_answers_late_and_hears_late() {
    let pause = |node, at, until| step(at, until, Fault::Pause { processes: vec![NodeId(node)] });
    check(
        vec![pause(1, 1_500, 4_000)],
        &[1_000, 2_000],
        0,
        &["1040 ping Ok(\"answer\")", "4010 ping Ok(\"answer\")"],
        &["1030 request ping from 0", "4000 request ping from 0"],
    );
    // The caller's own timers are late, too: the call of 2000 is made at 4000.
    check(
        vec![pause(0, 1_035, 4_000)],
        &[1_000, 2_000],
        0,
        &["4000 ping Ok(\"answer\")", "4020 ping Ok(\"answer\")"],
        &["1030 request ping from 0", "4010 request ping from 0"],
    );
}
