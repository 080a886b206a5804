//! The copy of the registry: deltas, reconciliation, what is kept, and look-ups.

use super::*;
use crate::protocol::Gauge;
use crate::protocol::eureka::node::Transport;
use crate::protocol::eureka::wire::{Identity, Query, Resource};

/// A client that only fetches, started at 0; the first fetch finds instances 7 and 8. Gives the transcript of its refresh at 30 s.
fn refreshed(mut servers: impl FnMut(&Request) -> Option<(u64, Outcome)> + 'static) -> Vec<String> {
    let mut node = node(Profile::SpringCloud);
    settings(&mut node).register_with_eureka = false;
    let mut first = true;
    let mut rig = Rig::application(&node, move |_, request| {
        if std::mem::take(&mut first) {
            return Some((0, body(Body::Apps(up(&[7, 8])))));
        }
        servers(request)
    });
    rig.run_to(29_999);
    assert_eq!(rig.taken(), ["0 fetch", "0 adopted 2"]);
    rig.run_to(59_000);
    rig.taken()
}

#[test]
fn a_delta_that_agrees_is_enough() {
    let nothing = refreshed(|_| Some((0, delta(Vec::new(), 2))));
    assert_eq!(nothing, ["30000 fetch-delta"]);
    let added = refreshed(|_| Some((0, delta(vec![info(9, Status::Up, Some(Action::Added))], 3))));
    assert_eq!(added, ["30000 fetch-delta", "30000 adopted 3"]);
}

#[test]
fn a_delta_that_does_not_agree_is_applied_and_then_all_is_fetched() {
    let log = refreshed(|request| match request.kind() {
        "fetch-delta" => Some((0, delta(vec![info(9, Status::Up, Some(Action::Added))], 5))),
        _ => Some((10, body(Body::Apps(up(&[5, 6, 7, 8, 9]))))),
    });
    assert_eq!(log, ["30000 fetch-delta", "30000 adopted 3, told 5", "30000 fetch", "30010 adopted 5"]);
}

#[test]
fn when_the_reconciling_fetch_fails_the_delta_stays_applied() {
    let log = refreshed(|request| match request.kind() {
        "fetch-delta" => Some((0, delta(vec![info(9, Status::Up, Some(Action::Added))], 5))),
        _ => Some((0, ok(500))),
    });
    assert_eq!(log, ["30000 fetch-delta", "30000 adopted 3, told 5", "30000 fetch", "30000 fetch"]);
}

#[test]
fn a_refused_delta_is_replaced_by_a_full_fetch() {
    for status in [204, 302, 403, 404] {
        let log = refreshed(move |request| match request.kind() {
            "fetch-delta" => Some((0, ok(status))),
            _ => Some((0, body(Body::Apps(up(&[7]))))),
        });
        assert_eq!(log, ["30000 fetch-delta", "30000 fetch", "30000 adopted 1"], "delta answered {status}");
    }
}

#[test]
fn an_unreachable_or_strange_server_never_empties_the_copy() {
    for outcome in [ok(503), Err(CallError::Refused), Err(CallError::ReadTimeout), Err(CallError::Broken)] {
        assert_eq!(refreshed(move |_| Some((0, outcome.clone()))), ["30000 fetch-delta"; 2]);
    }
    // 204: a registry that the server could not write.
    for status in [204, 302] {
        let log = refreshed(move |_| Some((0, ok(status))));
        assert_eq!(log, ["30000 fetch-delta", "30000 fetch"], "no entity: kept");
    }
}

#[test]
fn an_empty_registry_is_adopted_and_asked_for_in_full_until_it_is_not_empty() {
    let mut node = node(Profile::SpringCloud);
    settings(&mut node).register_with_eureka = false;
    let mut fetches = 0;
    let mut rig = Rig::application(&node, move |_, request| {
        fetches += 1;
        Some((
            0,
            match request.kind() {
                "fetch-delta" => delta(Vec::new(), 1),
                _ => body(Body::Apps(if fetches < 3 { up(&[]) } else { up(&[7]) })),
            },
        ))
    });
    rig.run_to(95_000);
    assert_eq!(
        rig.taken(),
        [
            "0 fetch",
            "0 adopted 0",
            "30000 fetch",
            "30000 adopted 0",
            "60000 fetch",
            "60000 adopted 1",
            "90000 fetch-delta"
        ]
    );
}

#[test]
fn a_fetch_that_another_one_has_overtaken_is_dropped() {
    // The first refresh hangs past its timeout; the second, at 90 s, ends before it.
    let mut deltas = 0;
    let mut node = node(Profile::SpringCloud);
    settings(&mut node).register_with_eureka = false;
    let mut rig = Rig::application(&node, move |_, request| {
        if request.kind() == "fetch" {
            return Some((0, body(Body::Apps(up(&[7])))));
        }
        deltas += 1;
        match deltas {
            1 => Some((100_000, delta(vec![info(9, Status::Up, Some(Action::Added))], 9))),
            2 => Some((0, delta(vec![info(8, Status::Up, Some(Action::Added))], 2))),
            _ => Some((0, delta(Vec::new(), 2))),
        }
    });
    rig.run_to(140_000);
    assert_eq!(
        rig.taken(),
        ["0 fetch", "0 adopted 1", "30000 fetch-delta", "120000 fetch-delta", "120000 adopted 2",],
        "and no reconciliation at 130 s"
    );
}

#[test]
fn deltas_can_be_switched_off() {
    let mut node = node(Profile::SpringCloud);
    settings(&mut node).register_with_eureka = false;
    settings(&mut node).disable_delta = true;
    let shared = up(&[7]);
    let mut rig = Rig::application(&node, move |_, _| Some((0, body(Body::Apps(Arc::clone(&shared))))));
    rig.run_to(35_000);
    assert_eq!(
        rig.taken(),
        ["0 fetch", "0 adopted 1", "30000 fetch"],
        "the same registry is not adopted twice"
    );
}

#[test]
fn a_look_up_picks_among_those_up_each_as_often() {
    let registry = Arc::new(Applications::new(vec![
        info(7, Status::Up, None),
        info(8, Status::Down, None),
        info(9, Status::Up, None),
    ]));
    let check = |only_up: bool, expected: &[u32]| {
        let registry = Arc::clone(&registry);
        let mut node = node(Profile::SpringCloud);
        settings(&mut node).register_with_eureka = false;
        settings(&mut node).filter_only_up_instances = only_up;
        let mut rig = Rig::application(&node, move |_, _| Some((0, body(Body::Apps(Arc::clone(&registry))))));
        rig.run_to(1);
        rig.taken();
        (0..3000).for_each(|_| rig.ask(Operation::LookUp { service: APP, except: None }));
        let found = rig.taken();
        for id in [7, 8, 9] {
            let line = format!("1 Found(InstanceId({id}))");
            let count = found.iter().filter(|found| **found == line).count();
            let share = if expected.contains(&id) { 3000 / expected.len() } else { 0 };
            assert!(count.abs_diff(share) < 150, "instance {id}: {count} instead of {share}");
        }
        rig.ask(Operation::LookUp { service: ServiceId(5), except: None });
        assert_eq!(rig.taken(), ["1 NoneFound"]);
    };
    check(true, &[7, 9]);
    check(false, &[7, 8, 9]);
}

#[test]
fn what_a_client_does_by_itself_cannot_be_asked_of_it() {
    let mut rig = Rig::application(&node(Profile::SpringCloud), |_, _| None);
    rig.ask(Operation::LookUp { service: APP, except: None });
    assert_eq!(rig.taken(), ["0 fetch", "0 Failed(0)"], "not constructed yet");
    let mut rig = Rig::application(&node(Profile::Netflix), |_, request| Some((0, healthy(request))));
    rig.run_to(1);
    rig.taken();
    let instance = OWN;
    for operation in [
        Operation::Register { instance },
        Operation::Renew { instance },
        Operation::Deregister { instance },
        Operation::ClearStatus { instance, status: None },
        Operation::SetStatus { instance: InstanceId(99), status: Status::Down },
    ] {
        rig.ask(operation);
        assert_eq!(rig.taken(), ["1 Failed(0)"]);
    }
}

/// What a client reads, first and at 30 s.
fn queries(change: impl Fn(&mut ClientNode)) -> [Query; 2] {
    let mut node = node(Profile::SpringCloud);
    settings(&mut node).register_with_eureka = false;
    change(&mut node);
    let (sender, receiver) = std::sync::mpsc::channel();
    let mut rig = Rig::application(&node, move |_, request| {
        let Request::Get(query) = request else { panic!("it only reads: {request:?}") };
        sender.send((**query).clone()).expect("a test reads");
        let answer =
            if query.resource == Resource::Delta { delta(Vec::new(), 1) } else { body(Body::Apps(up(&[7]))) };
        Some((0, answer))
    });
    rig.run_to(30_000);
    receiver.try_iter().collect::<Vec<_>>().try_into().expect("two reads")
}

#[test]
fn what_is_read_depends_on_the_settings() {
    let plain = |resource| Query::of(resource);
    assert_eq!(queries(|_| {}), [plain(Resource::Apps), plain(Resource::Delta)]);
    let one = Resource::Vip("Orders".into());
    assert_eq!(
        queries(|node| settings(node).single_vip = "Orders".into()),
        [plain(one.clone()), plain(one)],
        "one virtual address, never a delta"
    );
    let compact = |resource| Query { compact: true, ..plain(resource) };
    assert_eq!(
        queries(|node| settings(node).data_accept = "compact".into()),
        [compact(Resource::Apps), compact(Resource::Delta)]
    );
    let regional =
        |resource| Query { regions: Some(["east".into(), "west".into()].into()), ..plain(resource) };
    assert_eq!(
        queries(|node| settings(node).remote_regions = ["West".into(), "east".into()].into()),
        [regional(Resource::Apps), regional(Resource::Delta)]
    );
    for transport in [Transport::RestClient, Transport::WebClient] {
        let nobody = |resource| Query { identity: Identity::Nobody, ..plain(resource) };
        assert_eq!(
            queries(|node| node.transport = transport),
            [nobody(Resource::Apps), nobody(Resource::Delta)]
        );
    }
}

#[test]
fn when_the_list_of_other_regions_changes_all_is_fetched_and_a_list_that_is_removed_stays() {
    let mut node = node(Profile::SpringCloud);
    settings(&mut node).register_with_eureka = false;
    let (sender, receiver) = std::sync::mpsc::channel();
    let mut rig = Rig::application(&node, move |_, request| {
        let Request::Get(query) = request else { panic!("it only reads: {request:?}") };
        let regions = query.regions.as_ref().map_or(0, |regions| regions.len());
        sender.send(format!("{} {regions}", request.kind())).expect("a test reads");
        Some((0, healthy(request)))
    });
    for (at, regions) in [(30_000, &[][..]), (60_000, &["west"]), (90_000, &["west"]), (120_000, &[])] {
        settings(&mut node).remote_regions = regions.iter().map(|name: &&str| Arc::from(*name)).collect();
        rig.input(Input::Reconfigure(told(&node)));
        rig.run_to(at + 10);
    }
    let asked: Vec<String> = receiver.try_iter().collect();
    assert_eq!(asked, ["fetch 0", "fetch-delta 0", "fetch 1", "fetch-delta 1", "fetch-delta 1"]);
}

#[test]
fn every_delta_may_be_compared_with_all_of_the_registry() {
    let mut node = node(Profile::SpringCloud);
    settings(&mut node).register_with_eureka = false;
    settings(&mut node).log_delta_diff = true;
    let mut rig = Rig::application(&node, |_, request| Some((0, healthy(request))));
    rig.run_to(35_000);
    let expected = ["0 fetch", "0 adopted 1", "30000 fetch-delta", "30000 fetch", "30000 adopted 1"];
    assert_eq!(rig.taken(), expected);
}

#[test]
fn a_delta_that_changes_nothing_and_disagrees_is_reported() {
    let log = refreshed(|request| match request.kind() {
        "fetch-delta" => Some((0, delta(Vec::new(), 3))),
        _ => Some((0, ok(503))),
    });
    assert_eq!(log[..2], ["30000 fetch-delta", "30000 adopted 2, told 3"]);
}

#[test]
fn a_reconciliation_that_another_fetch_has_overtaken_is_dropped() {
    // The delta of 30 s disagrees; its full fetch hangs, and ends after the refresh at 120 s.
    let mut fulls = 0;
    let log = {
        let mut node = node(Profile::SpringCloud);
        settings(&mut node).register_with_eureka = false;
        let mut deltas = 0;
        let mut rig = Rig::application(&node, move |_, request| {
            if request.kind() == "fetch" {
                fulls += 1;
                let ids: &[u32] = if fulls == 1 { &[7, 8] } else { &[1, 2, 3] };
                return Some((if fulls == 1 { 0 } else { 100_000 }, body(Body::Apps(up(ids)))));
            }
            deltas += 1;
            Some((0, delta(Vec::new(), if deltas == 1 { 3 } else { 2 })))
        });
        rig.run_to(140_000);
        rig.taken()
    };
    let expected = [
        "0 fetch",
        "0 adopted 2",
        "30000 fetch-delta",
        "30000 adopted 2, told 3",
        "30000 fetch",
        "120000 fetch-delta",
    ];
    assert_eq!(log, expected);
}

/// The copy after a refresh whose delta adds 9 to an application of which only 7 was known, and which it has deleted.
#[test]
fn an_emptied_application_is_kept_if_the_version_is_old_enough() {
    let check = |removes: bool, expected: &[&str]| {
        let mut node = node(Profile::SpringCloud);
        settings(&mut node).register_with_eureka = false;
        fixes(&mut node).empty_apps_removed_on_delta = removes;
        let mut rig = Rig::application(&node, |_, request| match request.kind() {
            "fetch" => Some((0, body(Body::Apps(up(&[7]))))),
            _ => Some((0, delta(vec![info(7, Status::Up, Some(Action::Deleted))], 0))),
        });
        rig.run_to(65_000);
        assert_eq!(rig.taken()[2..], *expected);
    };
    check(true, &["30000 fetch-delta", "30000 adopted 0", "60000 fetch", "60000 adopted 1"]);
    check(false, &["30000 fetch-delta", "30000 adopted 0", "60000 fetch-delta"]);
}

#[test]
fn a_heartbeat_that_succeeds_or_registers_again_is_of_age_nothing() {
    let ages = |heartbeat: u16, register: u16| {
        let mut node = node(Profile::Netflix);
        settings(&mut node).fetch_registry = false;
        node.reports = true;
        let mut rig = Rig::application(&node, move |_, request| {
            Some((0, ok(if request.kind() == "heartbeat" { heartbeat } else { register })))
        });
        rig.run_to(35_000);
        rig.taken().into_iter().filter(|line| line.contains("heartbeat-age")).collect::<Vec<_>>()
    };
    assert_eq!(ages(200, 204), ["30000 heartbeat-age 0"]);
    assert_eq!(ages(404, 204), ["30000 heartbeat-age 0"]);
    assert_eq!(ages(404, 200), [""; 0]);
    assert_eq!(ages(204, 204), [""; 0], "accepted, but not what a heartbeat answers");
}

#[test]
fn figures_are_reported_when_they_change_if_anybody_asked() {
    let mut node = node(Profile::SpringCloud);
    node.reports = true;
    let mut rig = Rig::application(&node, |_, request| match request.kind() {
        "heartbeat" => Some((31_000, ok(500))),
        _ => Some((0, healthy(request))),
    });
    rig.run_to(130_000);
    let is_gauge =
        |line: &String| Gauge::ALL.iter().any(|gauge| line.contains(&format!(" {} ", gauge.name())));
    let gauges: Vec<String> = rig.taken().into_iter().filter(is_gauge).collect();
    assert_eq!(
        gauges,
        [
            "0 pinned-server -1",
            "0 quarantined 0",
            "0 heartbeat-delay 30000",
            "0 fetch-delay 30000",
            "0 copy-size 0",
            "0 query-pinned-server -1",
            "0 query-quarantined 0",
            "0 copy-up 0",
            "0 copy-down 0",
            "0 copy-starting 0",
            "0 copy-out-of-service 0",
            "0 copy-unknown 0",
            "0 fetch-age 0",
            "0 copy-size 1",
            "0 query-pinned-server 0",
            "0 copy-up 1",
            "0 pinned-server 0",
            "30000 fetch-age 0",
            "60000 heartbeat-delay 60000",
            "60000 fetch-age 0",
            "61000 pinned-server -1",
            "90000 fetch-age 0",
            "92000 quarantined 1",
            "120000 quarantined 0",
            "120000 fetch-age 0"
        ]
    );
}

#[test]
fn reads_have_a_quarantine_of_their_own() {
    let mut node = node(Profile::SpringCloud);
    node.reports = true;
    let mut rig = Rig::application(&node, |_, request| match request.kind() {
        "fetch" => Some((0, ok(500))),
        _ => Some((0, healthy(request))),
    });
    rig.run_to(29_000);
    let lines = rig.taken();
    let last = |gauge: &str| lines.iter().rev().find(|line| line.contains(gauge)).map(String::as_str);
    assert_eq!(last(" query-quarantined "), Some("0 query-quarantined 1"));
    assert_eq!(last(" query-pinned-server "), Some("0 query-pinned-server -1"));
    assert_eq!(last(" quarantined "), Some("0 quarantined 0"));
    assert_eq!(last(" pinned-server "), Some("0 pinned-server 0"));
}
