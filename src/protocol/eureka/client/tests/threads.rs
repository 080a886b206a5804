//! Servers that hang, die or move, and clocks that step: threads, pins and the server list.

use super::*;

#[test]
fn servers_that_never_answer_exhaust_the_pool() {
    let mut node = node(Profile::SpringCloud);
    settings(&mut node).fetch_registry = false;
    let mut rig = Rig::application(&node, |_, request| match request.kind() {
        "heartbeat" => None,
        _ => Some((0, healthy(request))),
    });
    rig.run_to(1000);
    rig.taken();
    rig.run_to(900_000);
    assert_eq!(rig.taken(), ["30000 heartbeat", "120000 heartbeat"], "Spring has two threads");
    assert_eq!(rig.hanging, 2);
}

#[test]
fn registration_and_queries_have_pools_and_pins_of_their_own() {
    let mut node = node(Profile::SpringCloud);
    let url = |n: u32| ServiceUrl::new("z", &format!("h{n}"), Address(n));
    node.service_urls = [url(0), url(1)].into();
    let mut rig = Rig::application(&node, |to, request| {
        let registers = matches!(request.kind(), "register" | "heartbeat");
        Some((0, if registers == (to == Address(0)) { healthy(request) } else { ok(500) }))
    });
    rig.run_to(31_000);
    rig.taken();
    rig.run_to(91_000);
    assert_eq!(
        rig.taken(),
        ["60000 fetch-delta", "60000 heartbeat", "90000 fetch-delta", "90000 heartbeat"],
        "each has found its server and asks no other"
    );
}

/// A client whose own zone has server 0 and whose other zone has server 1.
fn with_a_second_zone(profile: Profile) -> ClientNode {
    let mut node = node(profile);
    let url = |zone: &str, n: u32| ServiceUrl::new(zone, "h", Address(n));
    node.service_urls = [url("far", 1), url("Z", 0)].into();
    node
}

#[test]
fn a_dead_server_at_the_head_of_the_list_costs_each_transport_one_timeout() {
    let node = with_a_second_zone(Profile::SpringCloud);
    let mut rig = Rig::application(&node, |to, request| match to {
        Address(0) => Some((5000, Err(CallError::ConnectTimeout))),
        _ => Some((1, healthy(request))),
    });
    rig.run_to(40_000);
    assert_eq!(
        rig.taken(),
        [
            "0 fetch",
            "5000 fetch",
            "5001 adopted 1",
            "5001 announced STARTING +5001",
            "5001 announced UP +5001",
            "5001 register UP",
            "10001 register UP",
            "10002 joined",
            "35001 fetch-delta",
            "35001 heartbeat",
        ]
    );
}

#[test]
fn without_any_server_construction_ends_and_the_client_keeps_trying() {
    let node = with_a_second_zone(Profile::SpringCloud);
    let mut rig = Rig::application(&node, |_, _| Some((0, Err(CallError::Refused))));
    rig.run_to(31_000);
    assert!(rig.client().constructed());
    let kinds: Vec<String> = rig.taken().into_iter().filter(|line| !line.contains("announced")).collect();
    let mut expected = vec!["0 fetch", "0 fetch", "0 register UP", "0 register UP"];
    let at_30_s = ["30000 fetch", "30000 heartbeat", "30000 register UP"];
    expected.extend(at_30_s.into_iter().chain(at_30_s));
    assert_eq!(kinds, expected);
}

#[test]
fn the_server_list_is_resolved_again_five_minutes_after_its_first_use() {
    let mut moved = node(Profile::SpringCloud);
    settings(&mut moved).register_with_eureka = false;
    let mut rig = Rig::application(&moved, |to, request| match to {
        Address(0) => Some((0, ok(500))),
        _ => Some((0, healthy(request))),
    });
    let url = ServiceUrl::new("z", "h", Address(1));
    moved.service_urls = [url].into();
    rig.input(Input::Reconfigure(told(&moved)));
    rig.run_to(299_999);
    assert!(rig.taken().iter().all(|line| line.ends_with("fetch")), "the old server still");
    rig.run_to(301_000);
    assert_eq!(
        rig.taken(),
        ["300000 fetch", "300000 adopted 1"],
        "resolved before the refresh at that instant"
    );
}

/// `ZoneAffinityClusterResolver` is built with the zone of that moment; only what it puts in order is looked up again.
#[test]
fn a_client_keeps_the_zone_that_it_was_built_in() {
    let heads = |profile| {
        let mut moved = with_a_second_zone(profile);
        settings(&mut moved).register_with_eureka = false;
        let (sender, receiver) = std::sync::mpsc::channel();
        let mut rig = Rig::application(&moved, move |to, _| {
            sender.send(to.0).expect("heard");
            Some((0, ok(500)))
        });
        let near = moved.zone.clone();
        let url = |zone: &str, n: u32| ServiceUrl::new(zone, "h", Address(n));
        moved.service_urls = [url("far", 3), url(&near, 4)].into();
        moved.zone = "far".into();
        rig.input(Input::Reconfigure(told(&moved)));
        // Told twice: the first zone still counts.
        rig.input(Input::Reconfigure(told(&moved)));
        rig.run_to(301_000);
        receiver.try_iter().last()
    };
    // Each of two servers is asked once a refresh, the own zone's first.
    assert_eq!(heads(Profile::SpringCloud), Some(3));
    assert_eq!(heads(Profile::Netflix), Some(3));
}

#[test]
fn a_wall_clock_stepped_back_makes_older_versions_but_stops_no_task() {
    let mut node = node(Profile::SpringCloud);
    settings(&mut node).fetch_registry = false;
    let mut rig = Rig::application(&node, |_, request| Some((0, healthy(request))));
    rig.run_to(1000);
    rig.taken();
    rig.stepped = -3_600_000;
    rig.ask(Operation::SetStatus { instance: OWN, status: Status::Down });
    rig.run_to(35_000);
    let expected =
        ["1000 announced DOWN +-3599000", "1000 Ok", "1000 register DOWN", "1000 joined", "30000 heartbeat"];
    assert_eq!(rig.taken(), expected);
}

#[test]
fn unless_servers_are_shuffled_the_first_one_written_is_tried_first_after_every_resolution() {
    let firsts = |shuffles: bool| {
        let mut node = node(Profile::Netflix);
        settings(&mut node).register_with_eureka = false;
        fixes(&mut node).shuffle_servers = shuffles;
        let url = |n: u32| ServiceUrl::new("z", "h", Address(n));
        node.service_urls = [url(2), url(0), url(1)].into();
        let (sender, receiver) = std::sync::mpsc::channel();
        let mut rig = Rig::application(&node, move |to, _| {
            sender.send(to.0).expect("a test reads");
            Some((0, ok(503)))
        });
        rig.run_to(3_600_000);
        let asked: Vec<u32> = receiver.try_iter().collect();
        asked.chunks(3).filter(|chunk| chunk[0] == 2).count()
    };
    assert_eq!(firsts(false), 121, "each fetch of an hour");
    assert!((10..80).contains(&firsts(true)), "by chance");
}

/// A9 of the reference. The heartbeat at 30 s is answered 404 and registers with the status STARTING; 5 ms later the application
/// is ready and the replicator registers, too; the first of the two takes the longer way. Gives what the server holds in the end, and what
/// the client is: status, and version in ms after the start.
fn two_registrations(gap_ms: u64) -> [(Status, i64); 2] {
    let mut node = node(Profile::Netflix);
    settings(&mut node).fetch_registry = false;
    fixes(&mut node).serialisation_gap = Duration::from_millis(gap_ms);
    let registration = node.instance.as_mut().expect("it registers");
    registration.initial_status = Status::Starting;
    let (sender, receiver) = std::sync::mpsc::channel();
    let mut rig = Rig::application(&node, move |_, request| match request {
        Request::Register { info, .. } => {
            let way = if info.status == Status::Starting { 100 } else { 1 };
            sender.send((way, info.status, info.last_dirty - START)).expect("a test reads");
            Some((way, ok(204)))
        }
        Request::Heartbeat(..) => Some((0, ok(404))),
        _ => panic!("not expected: {request:?}"),
    });
    let mut arrived: Vec<(u64, Status, i64)> = Vec::new();
    let mut collect = |sent: u64| {
        arrived.extend(receiver.try_iter().map(|(way, status, version)| (sent + way, status, version)));
    };
    rig.run_to(30_005);
    collect(30_000);
    rig.ask(Operation::SetStatus { instance: OWN, status: Status::Up });
    for millis in 30_006..30_200 {
        rig.run_to(millis);
        collect(millis);
    }
    rig.run_to(59_000);
    collect(59_000);
    assert_eq!(arrived.len(), 2, "nothing is sent again: {arrived:?}");
    arrived.sort_by_key(|(at, ..)| *at);
    // Equal versions: the one that arrives last.
    let held = arrived.into_iter().max_by_key(|(at, _, version)| (*version, *at)).expect("two");
    let own = rig.client().own();
    assert_eq!(own.dirty(), None);
    [(held.1, held.2), (rig.client().status(), own.version().0 - START)]
}

#[test]
fn a_registration_that_is_not_written_at_one_moment_can_leave_an_instance_in_starting() {
    let up = (Status::Up, 30_005);
    assert_eq!(two_registrations(10), [(Status::Starting, 30_005), up], "stuck");
    assert_eq!(two_registrations(6), [(Status::Starting, 30_005), up], "stuck");
    assert_eq!(two_registrations(5), [up, up], "written before the change");
    assert_eq!(two_registrations(0), [up, up], "at one moment");
}
