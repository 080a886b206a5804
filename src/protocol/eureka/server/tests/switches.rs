//! Behaviour of other versions.

use super::*;

#[test]
fn a_renewed_lease_can_last_as_long_as_it_says() {
    let mut driver = switched(|fixes| fixes.lease_double_duration = false);
    let mut node = driver.server.node.clone();
    Arc::make_mut(&mut node.server).enable_self_preservation = false;
    driver.input(Input::Reconfigure(Arc::new(Config::Server(Box::new(node)))));
    driver.register(info(1, 100), false);
    assert_eq!(driver.at(30_000).heartbeat(1, 100), 200);
    driver.at(120_000);
    let before = driver.is_found(1);
    driver.at(120_001);
    assert_eq!((before, driver.is_found(1)), (true, false));
}

#[test]
fn an_eviction_may_leave_the_expected_clients_alone() {
    for (lowers, expected) in [(true, 1), (false, 2)] {
        let mut node = node(Profile::SpringCloud, 0);
        Arc::make_mut(&mut node.client.fixes).decrement_on_eviction = lowers;
        Arc::make_mut(&mut node.server).enable_self_preservation = false;
        let mut driver = Driver::new(node);
        driver.register(info(1, 100), false);
        driver.at(120_000);
        assert_eq!((driver.evictions(), driver.gauge(Gauge::ExpectedClients)), (1, expected));
        driver.register(info(1, 100), false);
        assert_eq!(driver.cancel(1), 200);
        assert_eq!(driver.gauge(Gauge::ExpectedClients), expected, "a cancel always lowers them");
    }
}

/// The reference, A14: UP at 110 is held, STARTING of 100 arrives late.
#[test]
fn an_older_registration_may_bring_its_content() {
    for (keeps, status) in [(true, Up), (false, Starting)] {
        let mut driver = switched(|fixes| fixes.conflict_keeps_content = keeps);
        driver.register(info(1, 110), false);
        driver.at(1000).batches();
        driver.register(InstanceInfo { status: Starting, ..info(1, 100) }, false);
        let held = driver.held(1).expect("leased");
        assert_eq!((held.status, held.last_dirty), (status, 110), "kept: {keeps}");
        driver.at(2000);
        let batches = driver.batches();
        let [Item::Register(Some(sent))] = &batches[0].items[..] else {
            panic!("one registration: {batches:?}")
        };
        assert_eq!((sent.status, sent.last_dirty), (Starting, if keeps { 100 } else { 110 }));
    }
}

/// The reference, A27: the override is deleted, and the client registers again.
#[test]
fn an_override_may_make_the_server_newer_than_the_client() {
    for (dirties, status) in [(false, Up), (true, Unknown)] {
        let mut driver = switched(|fixes| fixes.override_dirties_timestamp = dirties);
        let version = driver.wall_ms();
        driver.register(info(1, version), false);
        assert_eq!(driver.at(1000).set_status(1, OutOfService), 200);
        assert_eq!(
            driver.held(1).map(|held| held.last_dirty),
            Some(version + if dirties { 1000 } else { 0 })
        );
        driver.at(2000).ask(Operation::ClearStatus { instance: InstanceId(1), status: None });
        assert_eq!(driver.heartbeat(1, version), 404);
        driver.register(info(1, version + 10), false);
        assert_eq!(driver.status(1), Some(status), "dirties: {dirties}");
    }
}

/// The reference, A28: the override is missing in the registration.
#[test]
fn a_missing_override_may_break_a_registration_half_way() {
    let lacking = |version| {
        let about = About { override_absent: true, ..About::least("app", "host") };
        InstanceInfo { about: Arc::new(about), ..info(1, version) }
    };
    let register = |driver: &mut Driver| {
        let info = Arc::new(lacking(100));
        driver.request(Request::Register { path: None, info, replication: false }).status
    };
    let mut driver = switched(|_| {});
    assert_eq!(register(&mut driver), 204);
    assert!(!driver.held(1).expect("leased").about.override_absent, "it is none");

    let mut driver = switched(|fixes| fixes.override_defaults_to_unknown = false);
    let before = driver.apps();
    assert_eq!(register(&mut driver), 500);
    assert_eq!((driver.gauge(Gauge::ExpectedClients), driver.gauge(Gauge::RegistrySize)), (2, 1));
    assert!(driver.is_found(1));
    assert!(driver.server.registry.store.changes().is_empty(), "not in the delta");
    driver.at(30_000);
    assert!(Arc::ptr_eq(&before, &driver.apps()), "the cache was not thrown out");
    assert!(driver.batches().is_empty(), "the peer was not told");
    assert_eq!(driver.heartbeat(1, 100), 200);
    driver.at(210_000);
    assert_eq!(driver.apps().instances().len(), 1, "once the cache has expired");
    assert_eq!(register(&mut driver), 500, "again and again");
    assert_eq!(driver.set_status(1, OutOfService), 200);
    assert_eq!(register(&mut driver), 204, "there is an override to be taken instead");
    assert_eq!(driver.status(1), Some(OutOfService));
    let id = InstanceId(1);
    let (last_dirty, replication) = (Stamp::Absent, false);
    let clear = Request::ClearStatus { app: APP, id, status: Some(Up), last_dirty, replication };
    assert_eq!(driver.request(clear).status, 200);
    assert_eq!(driver.set_metadata(1, &[("k", "v")]), 200, "what was missing has been replaced");
    let items =
        Arc::new(vec![Item::Register(Some(Arc::new(InstanceInfo { id: InstanceId(2), ..lacking(100) })))]);
    let Body::Batch(results) = driver.request(Request::Batch(items)).body else { panic!("results") };
    assert_eq!(results[0].status, 500);
}
