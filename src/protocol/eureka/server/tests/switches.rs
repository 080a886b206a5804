//! Behaviour of other versions.

use super::*;
use crate::protocol::eureka::wire::ItemResult;

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

/// What readers of a registry get: its instances, or the status of the failure.
fn shown(driver: &mut Driver, resource: Resource, compact: bool) -> Result<usize, u16> {
    let query = Query { compact, ..Query::of(resource) };
    let response = driver.request(Request::Get(Arc::new(query)));
    match response.body {
        Body::Apps(apps) => Ok(apps.instances().len()),
        Body::Delta(delta) => Ok(delta.changes().len()),
        _ => Err(response.status),
    }
}

/// A server with an encoder that fails on a missing override, which has such an instance, number 1.
fn poisoned() -> Driver {
    let mut driver = switched(|fixes| {
        (fixes.override_defaults_to_unknown, fixes.encodes_missing_override) = (false, false);
    });
    let about = About { override_absent: true, ..About::least("app", "host") };
    let info = Arc::new(InstanceInfo { about: Arc::new(about), ..info(1, 100) });
    assert_eq!(driver.request(Request::Register { path: None, info, replication: false }).status, 500);
    driver
}

/// The reference, A28: what the encoder fails on is an empty payload, and is kept like any other.
#[test]
fn one_record_that_cannot_be_written_blanks_the_registry_for_all_readers() {
    let mut driver = poisoned();
    let (vip, app) = (Resource::Vip("v".into()), Resource::App(APP));
    assert_eq!(shown(&mut driver, Resource::Apps, false), Err(204));
    assert_eq!(shown(&mut driver, app.clone(), false), Err(404));
    assert_eq!(shown(&mut driver, Resource::Delta, false), Ok(0), "the delta was never told of it");
    assert_eq!(shown(&mut driver, vip, false), Ok(0), "and this address is not its own");
    assert_eq!(shown(&mut driver, Resource::Apps, true), Ok(1), "the compact form has no such field");
    let read = Request::Instance { app: Some(APP), id: InstanceId(1) };
    assert_eq!(driver.request(read.clone()).status, 500);
    // Metadata bring it into the delta, but not to their end.
    assert_eq!(driver.set_metadata(1, &[("k", "v")]), 500);
    driver.register(info(2, 100), true);
    driver.at(30_000);
    assert_eq!(shown(&mut driver, Resource::Apps, false), Err(204), "others cannot be seen beside it");
    assert_eq!(shown(&mut driver, Resource::Delta, false), Ok(1));
    assert_eq!(driver.cancel(1), 200);
    driver.at(60_000);
    assert_eq!(shown(&mut driver, Resource::Apps, false), Ok(1));
    assert_eq!(shown(&mut driver, Resource::Delta, false), Err(204), "that it is gone cannot be said");
    // The delta is generated anew only when something changes.
    driver.at(240_000).register(info(3, 100), true);
    driver.at(270_000);
    assert_eq!(shown(&mut driver, Resource::Delta, false), Ok(1));

    let mut driver = poisoned();
    assert_eq!(driver.set_status(1, OutOfService), 200);
    assert_eq!(driver.request(read).status, 200, "an override takes the place of what was missing");
    assert_eq!(shown(&mut driver, Resource::Apps, false), Ok(1));
}

/// Derived from the reference, A28 and 4.7: an encoder's failure is an I/O error.
#[test]
fn a_record_that_cannot_be_written_stops_replication_until_its_task_expires() {
    let mut driver = poisoned();
    assert_eq!(driver.heartbeat(1, 100), 200);
    let missing = |batch: &Batch| {
        let results = batch.items.iter().map(|_| ItemResult { status: 404, entity: None });
        Ok(Response { status: 200, body: Body::Batch(Arc::new(results.collect())) })
    };
    let heartbeat = driver.at(500).batches().remove(0);
    assert_eq!(heartbeat.kinds(), [("heartbeat", 1)]);
    driver.outcome(&heartbeat, missing(&heartbeat));
    driver.at(2000).register(info(2, 100), false);
    assert!(driver.at(30_490).batches().is_empty(), "the registration of 2 waits with that of 1");
    let failed = driver.gauge(Gauge::ReplicationReplayed);
    assert!((290..=600).contains(&failed), "one or two tasks every 100 ms: {failed}");
    let rest = driver.at(30_700).batches();
    assert_eq!(rest.iter().map(Batch::kinds).collect::<Vec<_>>(), [[("register", 2)]]);
    assert_eq!(driver.gauge(Gauge::ReplicationExpired), 1);

    // A newer copy that it cannot write makes its answer to a batch a failure.
    let heartbeat = |id, last_dirty| {
        let last_dirty = Stamp::At(last_dirty);
        Item::Heartbeat(Heartbeat { app: APP, id: InstanceId(id), status: Up, last_dirty, overridden: None })
    };
    let batch = |driver: &mut Driver, items| driver.request(Request::Batch(Arc::new(items))).status;
    assert_eq!(batch(&mut driver, vec![heartbeat(2, 90), heartbeat(1, 100)]), 200);
    assert_eq!(batch(&mut driver, vec![heartbeat(2, 90), heartbeat(1, 90)]), 500);
    assert_eq!(driver.renew(1, Stamp::At(90), None, true).status, 500);
}

/// The reference, 1.3: a version that is missing is the receiver's clock, or nothing that could be compared.
#[test]
fn a_missing_version_is_now_or_breaks_every_comparison() {
    let lacking = |id| {
        let about = About { version_absent: true, ..About::least("app", "host") };
        InstanceInfo { about: Arc::new(about), ..info(id, 100) }
    };
    let register = |driver: &mut Driver, info: InstanceInfo| {
        let info = Arc::new(info);
        driver.request(Request::Register { path: None, info, replication: false }).status
    };
    let mut driver = switched(|_| {});
    driver.at(3000);
    assert_eq!(register(&mut driver, lacking(1)), 204);
    let held = driver.held(1).expect("leased");
    assert_eq!((held.last_dirty, held.about.version_absent), (EPOCH_MS + 3000, false));

    let mut driver = switched(|fixes| fixes.version_defaults_to_now = false);
    driver.register(info(1, 100), false);
    driver.at(1000).batches();
    let before = (driver.held(1), driver.gauge(Gauge::ExpectedClients));
    assert_eq!(register(&mut driver, lacking(1)), 500, "over one that has a version");
    assert_eq!((driver.held(1), driver.gauge(Gauge::ExpectedClients)), before, "nothing was done");
    assert!(driver.at(2000).batches().is_empty(), "nor told");

    assert_eq!(register(&mut driver, lacking(2)), 204, "the first of its instance is compared with nothing");
    let batch = driver.at(3000).batches().remove(0);
    let [Item::Register(Some(told))] = &batch.items[..] else { panic!("one registration: {batch:?}") };
    assert!(told.about.version_absent, "the peer lacks it, too");
    for again in [lacking(2), info(2, 200)] {
        assert_eq!(register(&mut driver, again), 500);
    }
    assert_eq!(driver.renew(2, Stamp::Absent, None, false).status, 200);
    assert_eq!(driver.heartbeat(2, 100), 500, "renewed, and then there is nothing to compare with");
    assert_eq!(driver.set_metadata(2, &[("k", "v")]), 500);
    assert!(driver.held(2).is_some_and(|held| held.about.metadata.contains_key("k")), "changed all the same");
    assert!(driver.events.contains(&Event::MetadataChanged { instance: InstanceId(2) }));
    assert_eq!(driver.set_status(2, OutOfService), 500);
    assert_eq!(driver.status(2), Some(OutOfService), "half-way: set, but nobody is told");
    let batch = driver.at(4000).batches().remove(0);
    assert_eq!(batch.kinds(), [("heartbeat", 2)]);
    let [Item::Heartbeat(heartbeat)] = &batch.items[..] else { panic!("one heartbeat: {batch:?}") };
    assert_eq!(heartbeat.last_dirty, Stamp::Absent);
    assert_eq!(driver.cancel(2), 200, "then it can be registered again");
    assert_eq!(register(&mut driver, info(2, 200)), 204);
}
