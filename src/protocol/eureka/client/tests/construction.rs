//! What the constructor waits for, in which order, and when it fails.

use super::*;

/// A Netflix application whose constructor is told to insist, before servers that answer the first fetch and registrations so. Gives
/// its transcript of the first 45 s, without heartbeats and refreshes.
fn built(enforce: &str, backup: bool, fetch: Outcome, register: Outcome) -> Vec<String> {
    let mut node = node(Profile::Netflix);
    settings(&mut node).enforce_fetch_at_init = enforce.contains("fetch");
    settings(&mut node).enforce_registration_at_init = enforce.contains("registration");
    node.backup = backup.then(|| up(&[1, 2, 3]));
    let mut rig = Rig::application(&node, move |_, request| {
        let answer = match request.kind() {
            "fetch" => fetch.clone(),
            "register" => register.clone(),
            _ => healthy(request),
        };
        Some((10, answer))
    });
    assert!(!rig.client().constructed());
    rig.run_to(45_000);
    let exits = rig.log.iter().any(|line| line.ends_with("exit 1"));
    assert_eq!(rig.client().constructed(), !exits, "a failed constructor has not returned");
    assert_eq!(rig.client().next_timeout().is_none(), exits, "and nothing follows");
    let later = |line: &String| line.starts_with("300");
    rig.taken().into_iter().filter(|line| !later(line)).collect()
}

#[test]
fn the_first_fetch_may_be_enforced_and_a_backup_registry_takes_its_place() {
    let good = || body(Body::Apps(up(&[7])));
    let rows: [(&str, bool, Outcome, &[&str]); 6] = [
        ("fetch", false, good(), &["0 fetch", "10 adopted 1", "10 announced UP +10"]),
        // Accepted, but without an entity: a success that brings nothing.
        ("fetch", false, ok(204), &["0 fetch", "10 announced UP +10"]),
        ("fetch", false, ok(503), &["0 fetch", "10 exit 1"]),
        ("fetch", true, ok(503), &["0 fetch", "10 adopted 3", "10 announced UP +10"]),
        ("", true, Err(CallError::Refused), &["0 fetch", "10 adopted 3", "10 announced UP +10"]),
        ("", false, Err(CallError::Refused), &["0 fetch", "10 announced UP +10"]),
    ];
    for (enforce, backup, fetch, expected) in rows {
        let log = built(enforce, backup, fetch.clone(), ok(204));
        let until_40_s: Vec<String> = log.into_iter().filter(|line| !line.starts_with("400")).collect();
        assert_eq!(until_40_s, expected, "enforced: {enforce}, backup: {backup}, answer: {fetch:?}");
    }
}

#[test]
fn a_registration_at_construction_may_be_enforced_and_is_repeated_by_the_replicator() {
    let fetched = ["0 fetch", "10 adopted 1"];
    let good = || body(Body::Apps(up(&[7])));
    let rows: [(Outcome, &[&str]); 4] = [
        (
            ok(204),
            &["10 register UP", "20 joined", "20 announced UP +20", "40020 register UP", "40030 joined"],
        ),
        (ok(404), &["10 register UP", "20 exit 1"]),
        (ok(500), &["10 register UP", "20 exit 1"]),
        (Err(CallError::ReadTimeout), &["10 register UP", "20 exit 1"]),
    ];
    for (register, expected) in rows {
        let log = built("registration", false, good(), register.clone());
        assert_eq!(log, [&fetched, expected].concat(), "registration answered {register:?}");
    }
}

#[test]
fn a_spring_application_enforces_its_registration_before_it_is_up() {
    let mut node = node(Profile::SpringCloud);
    settings(&mut node).enforce_registration_at_init = true;
    let mut rig = Rig::application(&node, |_, request| Some((10, healthy(request))));
    rig.run_to(100);
    assert_eq!(
        rig.taken(),
        [
            "0 fetch",
            "10 adopted 1",
            "10 register STARTING",
            "20 joined",
            "20 announced STARTING +20",
            "20 announced UP +20",
            "20 register UP",
            "30 joined",
        ]
    );
}

#[test]
fn a_backup_registry_has_no_version_so_the_next_fetch_is_a_full_one() {
    let mut node = node(Profile::SpringCloud);
    settings(&mut node).register_with_eureka = false;
    node.backup = Some(up(&[1, 2, 3]));
    let mut dead = true;
    let mut rig = Rig::application(&node, move |_, request| {
        let outcome = if std::mem::take(&mut dead) { ok(503) } else { healthy(request) };
        Some((0, outcome))
    });
    rig.run_to(65_000);
    assert_eq!(
        rig.taken(),
        ["0 fetch", "0 adopted 3", "30000 fetch", "30000 adopted 1", "60000 fetch-delta"]
    );
}

#[test]
fn inside_a_server_a_failed_constructor_ends_the_process() {
    let mut node = node(Profile::SpringCloud);
    settings(&mut node).enforce_fetch_at_init = true;
    let mut rig = Rig::embedded(&node, |_, _| Some((0, Err(CallError::Refused))));
    rig.run_to(1000);
    assert_eq!(rig.taken(), ["0 fetch", "0 exit 1"]);
    assert!(!rig.client().constructed());
}
