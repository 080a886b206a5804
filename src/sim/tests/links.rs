//! What becomes of sessions and packets.

use std::time::Duration;

use super::toy::*;
use crate::plan::World;
use crate::plan::world::*;
use crate::protocol::{Address, NodeId};

const A: HostId = HostId(0);
const B: HostId = HostId(1);

fn split(at: u64, until: impl Into<Option<u64>>) -> Step {
    step(at, until, Fault::Partition { groups: vec![vec![A], vec![B]] })
}

fn crash(at: u64) -> Step {
    step(at, None, Fault::Crash { processes: vec![NodeId(1)] })
}

fn restart(at: u64) -> Step {
    step(at, None, Fault::Restart { processes: vec![NodeId(1)], wipe_disk: false })
}

/// `a` opens a session at 1000 with a timeout of 2 s and does more; both scripts and what both write down.
fn check_in(world: &World, a_does: &[(u64, Do)], b_does: &[(u64, Do)], a: &[&str], b: &[&str]) {
    let mut steps = vec![(1_000, Do::Open(1, 2_000))];
    steps.extend_from_slice(a_does);
    let logs = run(world, vec![script(steps), script(b_does.to_vec())]);
    let logs = logs.iter().map(|log| log.iter().filter(|line| !line.contains("start")).collect::<Vec<_>>());
    assert_eq!(logs.collect::<Vec<_>>(), [a, b]);
}

fn check(steps: Vec<Step>, a_does: &[(u64, Do)], b_does: &[(u64, Do)], a: &[&str], b: &[&str]) {
    let mut world = world(&["a", "b"]);
    world.steps = steps;
    check_in(&world, a_does, b_does, a, b);
}

fn send(at: u64, kind: &'static str) -> (u64, Do) {
    (at, Do::Send(note(kind)))
}

#[test]
fn a_session_opens_carries_both_ways_and_closes_after_what_was_sent() {
    check(
        vec![],
        &[send(2_000, "one"), send(2_000, "two"), (2_000, Do::Close(false))],
        &[send(1_500, "hello")],
        &["1020 link opened", "1510 link hello"],
        &["1010 link from 0 port 1", "2010 link one", "2010 link two", "2010 link Closed"],
    );
}

#[test]
fn a_reset_overtakes_what_was_sent() {
    check(
        vec![],
        &[send(2_000, "one"), (2_000, Do::Close(true))],
        &[],
        &["1020 link opened"],
        &["1010 link from 0 port 1", "2010 link Reset"],
    );
}

#[test]
fn what_is_sent_early_waits_for_the_session() {
    check(
        vec![],
        &[send(1_000, "early")],
        &[],
        &["1020 link opened"],
        &["1010 link from 0 port 1", "1030 link early"],
    );
}

#[test]
fn a_session_may_be_refused_or_time_out() {
    check(vec![crash(500)], &[], &[], &["1020 link Refused"], &[]);
    let off = step(500, None, Fault::PowerOff { hosts: vec![B], unflushed: Unflushed::Drawn });
    check(vec![off], &[], &[], &["3000 link ConnectTimeout"], &[]);
    let mut dark = world(&["a", "b"]);
    dark.addresses[1].behind = Behind::NoHost;
    check_in(&dark, &[], &[], &["3000 link ConnectTimeout"], &[]);
    // Tried again after one second.
    check(vec![split(500, 1_500)], &[], &[], &["2020 link opened"], &["2010 link from 0 port 1"]);
}

#[test]
fn data_sent_into_a_cut_arrives_late_and_in_order() {
    check(
        vec![split(1_500, 4_000)],
        &[send(2_000, "one"), send(2_100, "two"), send(4_500, "three")],
        &[],
        &["1020 link opened"],
        // Sent again after 0.2, 0.6, 1.4 and 3 s; the rest follows.
        &["1010 link from 0 port 1", "5010 link one", "5020 link two", "5030 link three"],
    );
}

#[test]
fn order_survives_jitter_and_loss() {
    let mut world = world(&["a", "b"]);
    world.paths.same_zone.latency = Latency::Uniform(Duration::from_millis(1), Duration::from_millis(100));
    world.paths.same_zone.loss_ppm = 300_000;
    world.duration = crate::protocol::SimTime::from_secs(600);
    const KINDS: [&str; 6] = ["0", "1", "2", "3", "4", "5"];
    let mut steps = vec![(1_000, Do::Open(1, 100_000))];
    steps.extend((0..60).map(|n| send(20_000 + n as u64, KINDS[n % 6])));
    let logs = run(&world, vec![script(steps), script(vec![])]);
    let received: Vec<&str> = logs[1].iter().filter_map(|line| line.split(" link ").nth(1)).collect();
    let expected = (0..60).map(|n| KINDS[n % 6]);
    assert_eq!(received[1..], expected.collect::<Vec<_>>());
    let at = |line: &String| line.split(' ').next().unwrap().parse::<u64>().unwrap();
    assert!(at(&logs[1][61]) - at(&logs[1][2]) > 200, "losses cost time");
}

#[test]
fn silence_is_not_reported_until_the_sender_gives_up() {
    let mut world = world(&["a", "b"]);
    world.steps = vec![split(1_500, None)];
    world.duration = crate::protocol::SimTime::from_secs(3_000);
    // Retransmissions at 0.2 · (2^n - 1), then every 120 s; the first after 15 minutes is not made.
    let logs =
        run(&world, vec![script(vec![(1_000, Do::Open(1, 2_000)), send(2_000, "lost")]), script(vec![])]);
    let ended: Vec<_> = logs[0].iter().filter(|line| line.contains("Reset")).collect();
    let at: u64 = ended[0].split(' ').next().unwrap().parse().unwrap();
    assert!((780_000..=902_000).contains(&at), "given up at {at}");
    assert_eq!(logs[1].len(), 2, "the receiver never hears of it: {:?}", logs[1]);
}

#[test]
fn a_crash_resets_sessions_and_a_power_loss_does_not() {
    check(
        vec![crash(2_000)],
        &[],
        &[],
        &["1020 link opened", "2010 link Reset"],
        &["1010 link from 0 port 1"],
    );
    let off = step(2_000, None, Fault::PowerOff { hosts: vec![B], unflushed: Unflushed::Drawn });
    check(vec![off.clone()], &[], &[], &["1020 link opened"], &["1010 link from 0 port 1"]);
    // A restarted receiver answers old data with a reset.
    check(
        vec![off, restart(3_000)],
        &[send(4_000, "old")],
        &[],
        &["1020 link opened", "4020 link Reset"],
        &["1010 link from 0 port 1"],
    );
}

#[test]
fn a_reset_from_outside_ends_both_ends() {
    let reset = step(2_000, None, Fault::Reset { from: vec![A], to: vec![B] });
    check(
        vec![reset],
        &[],
        &[],
        &["1020 link opened", "2000 link Reset"],
        &["1010 link from 0 port 1", "2000 link Reset"],
    );
}

#[test]
fn bandwidth_lets_messages_queue_up() {
    let mut world = world(&["a", "b"]);
    world.paths.same_zone.bandwidth = Some(1_000);
    check_in(
        &world,
        &[send(2_000, "one"), send(2_000, "two")],
        &[],
        &["1140 link opened"],
        &["1070 link from 0 port 1", "2110 link one", "2210 link two"],
    );
}

/// `a` sends 1,000 packets to the address 50; how many of each reach `b` and `c`, and in which order.
fn packets(change: impl Fn(&mut World)) -> [Vec<u64>; 2] {
    let mut world = world(&["a", "b", "c"]);
    change(&mut world);
    let steps = (0..1_000).map(|n| (1_000 + n, Do::Datagram(50, Note { bytes: n as u32, ..note("beat") })));
    let logs = run(&world, vec![script(steps.collect()), script(vec![]), script(vec![])]);
    [1, 2].map(|node: usize| {
        let beats = logs[node].iter().filter(|line| line.contains("packet beat from 0"));
        beats.map(|line| line.split(' ').next().unwrap().parse().unwrap()).collect()
    })
}

#[test]
fn packets_reach_one_process_or_a_group() {
    let one = packets(|world| world.addresses[50].behind = Behind::Processes(vec![NodeId(1)]));
    assert_eq!((one[0].len(), one[0][0], one[1].len()), (1_000, 1_010, 0));
    let group = Behind::Multicast(vec![NodeId(0), NodeId(1), NodeId(2)]);
    let all = packets(|world| world.addresses[50].behind = group.clone());
    assert_eq!((all[0].len(), all[1].len()), (1_000, 1_000));
    let cut = packets(|world| {
        world.addresses[50].behind = group.clone();
        world.steps = vec![step(1_500, 1_700, Fault::Cut { from: vec![A], to: vec![B] })];
    });
    // Those sent from 1491 on are under way when the cut begins, those until 1699 sent into it.
    assert_eq!((cut[0].len(), cut[1].len()), (1_000 - 210, 1_000));
}

#[test]
fn packets_are_lost_doubled_and_reordered() {
    let to_b = |world: &mut World| world.addresses[50].behind = Behind::Processes(vec![NodeId(1)]);
    let lossy = packets(|world| {
        to_b(world);
        world.paths.same_zone.loss_ppm = 200_000;
    });
    assert!((750..850).contains(&lossy[0].len()), "{} of 1,000 arrive", lossy[0].len());
    let doubled = packets(|world| {
        to_b(world);
        world.paths.same_zone.duplicate_ppm = 200_000;
    });
    assert!((1_150..1_250).contains(&doubled[0].len()), "{} arrive", doubled[0].len());
    let held_back = packets(|world| {
        to_b(world);
        world.paths.same_zone.reorder_ppm = 200_000;
    });
    let in_time = held_back[0].iter().zip(1_010..).take_while(|(at, expected)| *at == expected).count();
    assert!(held_back[0].len() == 1_000 && in_time < 100, "{in_time} packets before the first late one");
    let changed = packets(|world| {
        to_b(world);
        let change = PathChange { loss_ppm: Some(1_000_000), ..PathChange::default() };
        let fault = Fault::Path { from: vec![A], to: vec![B], change };
        world.steps = vec![step(1_100, 1_200, fault)];
    });
    assert_eq!(changed[0].len(), 900);
    let doubled = packets(|world| {
        to_b(world);
        let matching = MessageMatch { kind: Some("beat".into()), ..MessageMatch::default() };
        let fault = Fault::Messages { matching, action: MessageAction::Duplicate };
        world.steps = vec![step(1_100, 1_200, fault)];
    });
    assert_eq!(doubled[0].len(), 1_100);
    let dark = packets(|world| world.addresses[Address(50).index()].behind = Behind::NoHost);
    assert!(dark.iter().all(Vec::is_empty));
}
