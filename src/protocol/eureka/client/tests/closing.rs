//! What a client still says while it is closed, and when.

use super::*;

/// A client that is told to stop: `what` is changed before, servers answer after `latency` ms unless `special` does.
struct Case {
    profile: Profile,
    latency: u64,
    special: fn(&Request) -> Option<(u64, Outcome)>,
    change: fn(&mut ClientNode),
    stopped_at: u64,
}

const CASE: Case =
    Case { profile: Profile::Netflix, latency: 2, special: |_| None, change: |_| {}, stopped_at: 5000 };

/// The transcript from the stop on.
fn check(why: &str, case: Case, expected: &[&str]) {
    let mut node = node(case.profile);
    (case.change)(&mut node);
    let Case { latency, special, stopped_at, .. } = case;
    let mut rig = Rig::application(&node, move |_, request| {
        special(request).or_else(|| Some((latency, healthy(request))))
    });
    rig.run_to(stopped_at);
    rig.taken();
    rig.input(Input::Stop);
    rig.input(Input::Stop);
    rig.run_to(stopped_at + 120_000);
    assert_eq!(rig.taken(), expected, "{why}");
    assert_eq!(rig.client().next_timeout(), None, "{why}");
}

fn slow_down(request: &Request) -> Option<(u64, Outcome)> {
    match request {
        Request::Register { info, .. } if info.status == Status::Down => Some((5000, ok(204))),
        _ => None,
    }
}

#[test]
fn how_netflixs_client_closes() {
    check("no run is due: the full wait", CASE, &["8000 announced DOWN +8000", "8000 cancel", "8002 exit 0"]);
    check(
        "a run is due within the wait: 2004 ms",
        Case { latency: 4, stopped_at: 38_004, ..CASE },
        &["40004 register UP", "40008 joined", "40008 announced DOWN +40008", "40008 cancel", "40012 exit 0"],
    );
    check(
        "heartbeats go on during the wait",
        Case { latency: 0, stopped_at: 28_000, ..CASE },
        &[
            "30000 fetch-delta",
            "30000 heartbeat",
            "31000 announced DOWN +31000",
            "31000 cancel",
            "31000 exit 0",
        ],
    );
    check(
        "a DELETE that nobody answers is tried along the list",
        Case {
            latency: 0,
            special: |request| (request.kind() == "cancel").then_some((5000, Err(CallError::ConnectTimeout))),
            ..CASE
        },
        &["8000 announced DOWN +8000", "8000 cancel", "13000 exit 0"],
    );
    check(
        "nothing new begins while the DELETE is under way",
        Case { special: |request| (request.kind() == "cancel").then_some((60_000, ok(200))), ..CASE },
        &["8000 announced DOWN +8000", "8000 cancel", "68000 exit 0"],
    );
    check(
        "told not to deregister",
        Case { change: |node| settings(node).unregister_on_shutdown = false, ..CASE },
        &["8000 exit 0"],
    );
    check(
        "without a replicator there is nothing to wait for",
        Case { change: |node| settings(node).register_with_eureka = false, ..CASE },
        &["5000 exit 0"],
    );
    check(
        "before December 2017: no wait",
        Case { change: |node| fixes(node).wait_replicator_on_stop = false, ..CASE },
        &["5000 announced DOWN +5000", "5000 cancel", "5002 exit 0"],
    );
}

#[test]
fn how_a_spring_application_closes() {
    let spring = Case { profile: Profile::SpringCloud, stopped_at: 20_000, ..CASE };
    check(
        "DOWN first, and DELETE after the wait",
        Case { ..spring },
        &[
            "20000 announced DOWN +20000",
            "20000 register DOWN",
            "20002 joined",
            "23100 cancel",
            "23102 exit 0",
        ],
    );
    check(
        "a DOWN registration that outlives the wait may arrive after the DELETE",
        Case { special: slow_down, ..spring },
        &["20000 announced DOWN +20000", "20000 register DOWN", "23100 cancel", "23102 exit 0"],
    );
    check(
        "before December 2017 one of 101 ms is enough (A11)",
        Case {
            special: |request| slow_down(request).map(|(_, answer)| (101, answer)),
            change: |node| fixes(node).wait_replicator_on_stop = false,
            ..spring
        },
        &[
            "20000 announced DOWN +20000",
            "20000 register DOWN",
            "20100 cancel",
            "20101 joined",
            "20102 exit 0",
        ],
    );
    let healthy = |node: &mut ClientNode| node.health = HealthSource::Actuator;
    check(
        "a handler that is still healthy turns DOWN into UP before it is sent (A32)",
        Case { change: healthy, stopped_at: 50_000, ..spring },
        &[
            "50000 announced DOWN +50000",
            "50000 announced UP +50000",
            "50000 register UP",
            "50002 joined",
            "53100 announced DOWN +53100",
            "53100 cancel",
            "53102 exit 0",
        ],
    );
}

#[test]
fn inside_a_server_stopping_ends_the_client_and_not_the_process() {
    let mut rig = Rig::embedded(&node(Profile::SpringCloud), |_, request| match request.kind() {
        "heartbeat" => Some((9000, ok(404))),
        _ => Some((2, healthy(request))),
    });
    rig.run_to(29_000);
    rig.taken();
    rig.with(|client, cx| client.as_mut().expect("started").stop(cx));
    rig.run_to(60_000);
    assert_eq!(
        rig.taken(),
        [
            "29000 announced DOWN +29000",
            "29000 register DOWN",
            "29002 joined",
            "30002 fetch-delta",
            "30002 heartbeat",
            "32100 cancel",
        ],
        "the heartbeat that is answered at 39 s registers nothing"
    );
    assert!(rig.client().stopped());
}
