//! Where objects are shared, and a model that copied them when they are referred to would answer otherwise.

use super::*;
use crate::protocol::eureka::wire::ItemResult;

#[test]
fn a_delta_shows_a_correction_that_it_was_never_told_of() {
    let mut driver = alone(|config| config.use_read_only_response_cache = false);
    driver.register(info(1, 100), false);
    driver.server.registry.overrides.put(InstanceId(1), OutOfService, Instant(0));
    assert_eq!(driver.heartbeat(1, 100), 200, "corrects the status, and leaves the queue alone");
    driver.register(info(2, 100), false);
    let delta = driver.delta();
    let shown: Vec<_> = delta.changes().iter().map(|info| (info.id.0, info.status, info.action)).collect();
    assert_eq!(shown, [(1, OutOfService, Some(Action::Added)), (2, Up, Some(Action::Added))]);
}

#[test]
fn a_conflict_is_answered_with_what_holds_at_the_end_of_the_batch() {
    let mut driver = alone(|_| {});
    driver.register(info(1, 100), false);
    let (app, id, status) = (APP, InstanceId(1), Down);
    let stale = Heartbeat { app, id, status: Up, last_dirty: Stamp::At(90), overridden: None };
    let items = vec![
        Item::Heartbeat(stale),
        Item::SetStatus { app, id, status: Some(status), last_dirty: 100 },
        // A new object: the answer keeps to the one it was given.
        Item::Register(Some(Arc::new(InstanceInfo { status: Starting, ..info(1, 200) }))),
    ];
    let response = driver.request(Request::Batch(Arc::new(items)));
    let Body::Batch(results) = response.body else { panic!("results: {response:?}") };
    let codes: Vec<u16> = results.iter().map(|result| result.status).collect();
    let entity = results[0].entity.as_ref().expect("with a conflict");
    assert_eq!((&*codes, entity.status, entity.last_dirty), (&[409, 200, 200][..], Down, 100));
    assert_eq!(driver.status(1), Some(Starting));
}

#[test]
fn the_newer_copy_can_be_withheld() {
    let mut driver = alone(|config| config.conflict_entity = false);
    driver.register(info(1, 100), false);
    let stale =
        Heartbeat { app: APP, id: InstanceId(1), status: Up, last_dirty: Stamp::At(90), overridden: None };
    let Body::Batch(results) = driver.request(Request::Batch(Arc::new(vec![Item::Heartbeat(stale)]))).body
    else {
        panic!("results")
    };
    assert_eq!(*results, [ItemResult { status: 409, entity: None }]);
    let single = driver.renew(1, Stamp::At(90), None, true);
    assert!(matches!(single.body, Body::Instance(..)), "only in batches");
}

#[test]
fn metadata_change_where_they_lie() {
    let mut driver = with_peers(1);
    driver.register(info(1, 100), true);
    let object =
        |driver: &Driver| driver.server.registry.store.lease(InstanceId(1)).map(|lease| lease.holder);
    let (before, alive) = (object(&driver), driver.server.registry.store.holders.len());
    // The heartbeat waits for the peer, and refers to the object.
    assert_eq!(driver.heartbeat(1, 100), 200);
    driver.at(600);
    let heartbeat = driver.batches().remove(0);
    assert_eq!(heartbeat.kinds(), [("heartbeat", 1)]);
    assert_eq!(driver.set_metadata(1, &[("zone", "b")]), 200);
    assert_eq!((object(&driver), driver.server.registry.store.holders.len()), (before, alive));
    driver.at(2000).batches();
    // The peer lacks the instance: it is sent what the heartbeat referred to, as it is now.
    let missing = Arc::new(vec![ItemResult { status: 404, entity: None }]);
    driver.outcome(&heartbeat, Ok(Response { status: 200, body: Body::Batch(missing) }));
    driver.at(4000);
    let batches = driver.batches();
    let [Item::Register(Some(info))] = &batches[0].items[..] else { panic!("one registration: {batches:?}") };
    assert_eq!(info.about.metadata.get("zone").map(|zone| &**zone), Some("b"));
}

#[test]
fn a_delta_that_is_no_copy_shows_what_holds_when_it_is_sent() {
    let statuses = |delta: &Delta| delta.changes().iter().map(|info| info.status).collect::<Vec<_>>();
    for (copies, second) in [(true, Up), (false, OutOfService)] {
        let mut driver = switched(|fixes| fixes.delta_copies = copies);
        driver.register(info(1, 100), false);
        let first = driver.delta();
        assert!(Arc::ptr_eq(&first, &driver.delta()), "shared while nothing changes");
        driver.server.registry.overrides.put(InstanceId(1), OutOfService, Instant(0));
        assert_eq!(driver.at(1000).heartbeat(1, 100), 200);
        let delta = driver.delta();
        assert_eq!((statuses(&first), statuses(&delta)), (vec![Up], vec![second]), "copies: {copies}");
        assert_eq!(delta.histogram().hash_code(), "UP_1_", "that of when it was generated");
        assert_eq!(delta.version(), 1);
    }
}

#[test]
fn what_deltas_refer_to_is_given_back() {
    let mut driver = switched(|fixes| fixes.delta_copies = false);
    for round in 0..50 {
        driver.at(round * 30_000).register(info(1, 100 + round as i64), true);
        driver.delta();
    }
    assert!(
        driver.server.registry.store.holders.len() < 16,
        "{}",
        driver.server.registry.store.holders.len()
    );
}
