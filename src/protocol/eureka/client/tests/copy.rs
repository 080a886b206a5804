//! The copy of the registry: deltas, reconciliation, what is kept, and look-ups.

use super::*;

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
    for status in [302, 403, 404] {
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
    let log = refreshed(|_| Some((0, ok(302))));
    assert_eq!(log, ["30000 fetch-delta", "30000 fetch"], "no entity: kept");
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
        Operation::ClearStatus { instance },
        Operation::SetStatus { instance: InstanceId(99), status: Status::Down },
    ] {
        rig.ask(operation);
        assert_eq!(rig.taken(), ["1 Failed(0)"]);
    }
}
