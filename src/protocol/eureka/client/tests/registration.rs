//! When the client registers, heartbeats and sends changes.

use super::*;

#[test]
fn a_spring_application_registers_as_soon_as_it_is_ready() {
    let mut rig = Rig::application(&node(Profile::SpringCloud), |_, request| Some((10, healthy(request))));
    assert!(!rig.client().constructed());
    rig.run_to(45_000);
    assert!(rig.client().constructed());
    assert_eq!(
        rig.taken(),
        [
            "0 fetch",
            "10 adopted 1",
            "10 announced STARTING +10",
            "10 announced UP +10",
            "10 register UP",
            "20 joined",
            "30010 fetch-delta",
            "30010 heartbeat",
        ]
    );
}

#[test]
fn a_netflix_application_registers_through_its_first_heartbeat() {
    let mut known = false;
    let mut rig = Rig::application(&node(Profile::Netflix), move |_, request| {
        known |= request.kind() == "register";
        Some((10, if request.kind() == "heartbeat" && !known { ok(404) } else { healthy(request) }))
    });
    rig.run_to(65_000);
    assert_eq!(
        rig.taken(),
        [
            "0 fetch",
            "10 adopted 1",
            "10 announced UP +10",
            "30010 fetch-delta",
            "30010 heartbeat",
            "30020 announced UP +30020",
            "30020 register UP",
            "30030 joined",
            "60020 fetch-delta",
            "60030 heartbeat",
        ]
    );
}

#[test]
fn without_heartbeats_that_answer_404_the_replicator_registers_after_40_s() {
    let mut rig = Rig::application(&node(Profile::Netflix), |_, request| match request.kind() {
        "heartbeat" => Some((10, ok(503))),
        "register" => Some((10, ok(204))),
        _ => None,
    });
    rig.run_to(1);
    assert_eq!(rig.taken(), ["0 fetch"], "the constructor blocks for as long as the fetch does");

    let mut eager = node(Profile::Netflix);
    settings(&mut eager).fetch_registry = false;
    let mut rig = Rig::application(&eager, |_, request| match request.kind() {
        "heartbeat" => Some((10, ok(503))),
        _ => Some((10, ok(204))),
    });
    rig.run_to(75_000);
    assert_eq!(
        rig.taken(),
        [
            "0 announced UP +0",
            "30000 heartbeat",
            "40000 register UP",
            "40010 joined",
            "60010 heartbeat",
            "60020 heartbeat",
        ],
        "the heartbeat at 60 s tries the pinned server, and then the same from the list"
    );
}

#[test]
fn a_registration_that_fails_is_sent_again_and_one_that_is_refused_politely_is_not() {
    let check = |status, expected: &[&str]| {
        let mut node = node(Profile::Netflix);
        settings(&mut node).fetch_registry = false;
        let mut rig = Rig::application(&node, move |_, request| match request.kind() {
            "heartbeat" => Some((0, ok(200))),
            _ => Some((0, ok(status))),
        });
        rig.run_to(110_000);
        let registrations: Vec<String> =
            rig.taken().into_iter().filter(|line| line.contains("register")).collect();
        assert_eq!(registrations, expected, "registration answered {status}");
    };
    let twice =
        ["40000 register UP"; 2].into_iter().chain(["70000 register UP"; 2]).chain(["100000 register UP"; 2]);
    check(500, &twice.collect::<Vec<_>>());
    check(404, &["40000 register UP"]);
    check(204, &["40000 register UP"]);
}

#[test]
fn the_heartbeat_takes_only_204_for_a_registration() {
    let mut node = node(Profile::Netflix);
    settings(&mut node).fetch_registry = false;
    let mut rig = Rig::application(&node, |_, request| match request.kind() {
        "heartbeat" => Some((0, ok(404))),
        _ => Some((0, ok(200))),
    });
    rig.run_to(45_000);
    let expected = [
        "0 announced UP +0",
        "30000 heartbeat",
        "30000 announced UP +30000",
        "30000 register UP",
        "40000 register UP",
    ];
    assert_eq!(rig.taken(), expected, "still dirty, so the replicator sends it too");
}

#[test]
fn heartbeat_outcomes() {
    let check_with = |strict: bool, outcome: Outcome, expected: &[&str]| {
        let mut node = node(Profile::SpringCloud);
        settings(&mut node).fetch_registry = false;
        fixes(&mut node).strict_error_bodies = strict;
        let mut rig = Rig::application(&node, move |_, request| match request.kind() {
            "heartbeat" => Some((5, outcome.clone())),
            _ => Some((5, ok(204))),
        });
        rig.run_to(29_999);
        rig.taken();
        rig.run_to(60_020);
        assert_eq!(rig.taken(), expected);
    };
    let check = |outcome: Outcome, expected: &[&str]| {
        check_with(true, outcome.clone(), expected);
    };
    let again: &[&str] = &["30000 heartbeat", "60005 heartbeat"];
    check(ok(200), again);
    check(ok(204), again);
    // The pinned server, and then the same from the list; after that, the list.
    let failed: &[&str] = &["30000 heartbeat", "30005 heartbeat", "60010 heartbeat"];
    check(ok(500), failed);
    check(Err(CallError::Refused), failed);
    check(Err(CallError::ReadTimeout), failed);
    let registered: &[&str] = &[
        "30000 heartbeat",
        "30005 announced UP +30005",
        "30005 register UP",
        "30010 joined",
        "60010 heartbeat",
        "60015 announced UP +60015",
        "60015 register UP",
        "60020 joined",
    ];
    check(ok(404), registered);
    check(Err(CallError::Status { code: 404, body: None, location: None }), registered);
    check(Err(CallError::Status { code: 404, body: Some("<html>".into()), location: None }), registered);
    let error_document = r#"{"timestamp":1,"status":404}"#;
    // A29: the client does not see the 404.
    let document = || CallError::Status { code: 404, body: Some(error_document.into()), location: None };
    check(Err(document()), failed);
    check_with(false, Err(document()), registered);
    let from_a_server = || Ok(Response { status: 404, body: Body::Text(error_document.into()) });
    check(from_a_server(), failed);
    check_with(false, from_a_server(), registered);
}

#[test]
fn before_september_2017_a_404_brought_no_new_version() {
    let mut node = node(Profile::Netflix);
    settings(&mut node).fetch_registry = false;
    fixes(&mut node).eager_dirty_on_404 = false;
    let mut rig = Rig::application(&node, |_, request| match request.kind() {
        "heartbeat" => Some((0, ok(404))),
        _ => Some((0, ok(204))),
    });
    rig.run_to(45_000);
    assert_eq!(
        rig.taken(),
        [
            "0 announced UP +0",
            "30000 heartbeat",
            "30000 register UP",
            "30000 joined",
            "40000 register UP",
            "40000 joined",
        ],
        "and left the instance dirty"
    );
}

#[test]
fn after_two_changes_at_once_the_third_waits_for_the_next_periodic_run() {
    let mut node = node(Profile::Netflix);
    settings(&mut node).fetch_registry = false;
    let mut rig = Rig::application(&node, |_, request| Some((10, healthy(request))));
    for (at, status) in [(1000, Status::Down), (2000, Status::Up), (3000, Status::OutOfService)] {
        rig.run_to(at);
        rig.ask(Operation::SetStatus { instance: OWN, status });
    }
    rig.run_to(35_000);
    assert_eq!(
        rig.taken(),
        [
            "0 announced UP +0",
            "1000 announced DOWN +1000",
            "1000 Ok",
            "1000 register DOWN",
            "1010 joined",
            "2000 announced UP +2000",
            "2000 Ok",
            "2000 register UP",
            "2010 joined",
            "3000 announced OUT_OF_SERVICE +3000",
            "3000 Ok",
            "30000 heartbeat",
            "32010 register OUT_OF_SERVICE",
            "32020 joined",
        ]
    );
}

#[test]
fn a_change_during_a_registration_waits_for_it_and_is_not_lost() {
    let mut node = node(Profile::Netflix);
    settings(&mut node).fetch_registry = false;
    let mut rig = Rig::application(&node, |_, request| Some((100, healthy(request))));
    rig.run_to(1000);
    rig.ask(Operation::SetStatus { instance: OWN, status: Status::Down });
    rig.run_to(1050);
    rig.ask(Operation::SetStatus { instance: OWN, status: Status::Up });
    rig.taken();
    rig.run_to(5000);
    assert_eq!(rig.taken(), ["1100 joined", "1100 register UP", "1200 joined"]);
}

#[test]
fn changed_lease_settings_are_stated_by_the_next_run_of_the_replicator() {
    let mut node = node(Profile::SpringCloud);
    settings(&mut node).fetch_registry = false;
    let mut rig = Rig::application(&node, |_, request| match request {
        Request::Register { info, .. } => {
            let lease = info.lease.expect("a registration states its lease");
            Some((0, ok(if lease.duration == Duration::from_secs(20) { 204 } else { 200 })))
        }
        _ => Some((0, ok(200))),
    });
    rig.run_to(1000);
    let registration = node.instance.as_mut().expect("it registers");
    Arc::make_mut(&mut registration.instance).lease_duration = Duration::from_secs(20);
    rig.input(Input::Reconfigure(told(&node)));
    rig.run_to(30_000);
    assert_eq!(
        rig.taken(),
        [
            "0 announced STARTING +0",
            "0 announced UP +0",
            "0 register UP",
            "30000 heartbeat",
            "30000 announced UP +30000",
            "30000 register UP",
            "30000 joined",
        ]
    );
}

#[test]
fn inside_a_netflix_server_the_status_waits_for_the_server_to_open() {
    let mut rig = Rig::embedded(&node(Profile::Netflix), |_, request| Some((0, healthy(request))));
    rig.run_to(5000);
    assert_eq!(rig.client().status(), Status::Starting);
    rig.with(|client, cx| client.as_mut().expect("started").set_status(Status::Up, cx));
    rig.run_to(5000);
    assert_eq!(
        rig.taken(),
        [
            "0 fetch",
            "0 adopted 1",
            "0 announced STARTING +0",
            "5000 announced UP +5000",
            "5000 register UP",
            "5000 joined"
        ]
    );
}

#[test]
fn a_client_without_tasks_does_nothing_but_has_a_status() {
    let mut node = node(Profile::SpringCloud);
    settings(&mut node).fetch_registry = false;
    settings(&mut node).register_with_eureka = false;
    let mut rig = Rig::application(&node, |_, _| None);
    assert!(rig.client().constructed());
    assert_eq!((rig.client().status(), rig.client().next_timeout()), (Status::Up, None));
    rig.input(Input::Stop);
    assert_eq!(rig.taken(), ["0 exit 0"]);
}

/// `omits` of a service: what its clients leave out of a registration they do not say in a heartbeat either.
#[test]
fn a_client_that_leaves_its_version_out_says_it_nowhere() {
    let silent = |omits: bool| {
        let mut node = node(Profile::SpringCloud);
        let registration = node.instance.as_mut().expect("it registers");
        Arc::make_mut(&mut registration.about).version_absent = omits;
        let mut rig = Rig::application(&node, move |_, request| {
            let silent = match request {
                Request::Register { info, .. } => info.about.version_absent,
                Request::Heartbeat(heartbeat, _) => {
                    heartbeat.last_dirty == crate::protocol::eureka::wire::Stamp::Absent
                }
                _ => omits,
            };
            Some((0, if silent == omits { healthy(request) } else { ok(500) }))
        });
        rig.run_to(31_000);
        rig.taken()
    };
    assert!(silent(false).iter().any(|line| line.ends_with("heartbeat")));
    assert_eq!(silent(true), silent(false), "both are answered well");
}
