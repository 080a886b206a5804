//! Versions, statuses and overrides: who wins.

use proptest::prelude::*;

use super::*;
use crate::protocol::eureka::wire::{NoStatus, is_replication};

/// A server that holds instance 1 with this status, version 100.
fn holding(status: Status, overridden: Option<Status>) -> Driver {
    let mut driver = with_peers(1);
    driver.register(InstanceInfo { status, ..info(1, 100) }, false);
    if let Some(overridden) = overridden {
        driver.server.registry.overrides.put(InstanceId(1), overridden, Instant(0));
    }
    driver.at(600).batches();
    driver.events.clear();
    driver
}

/// Golden vectors of the reference, 12.7: incoming version, status, origin; override; then whose object is held, its version and
/// status.
#[test]
fn registrations_conflict_as_in_the_original() {
    const CLIENT: bool = false;
    const REPLICA: bool = true;
    const EXISTING: &str = "host";
    const INCOMING: &str = "incoming";
    let check = |incoming: (i64, Status, bool), overridden, holder, version, status| {
        let mut driver = holding(Up, overridden);
        let about = Arc::new(About::least("app", INCOMING));
        driver.register(InstanceInfo { status: incoming.1, about, ..info(1, incoming.0) }, incoming.2);
        let held = driver.held(1).expect("registered");
        assert_eq!(
            (&*held.about.host_name, held.last_dirty, held.status),
            (holder, version, status),
            "{incoming:?} with override {overridden:?}"
        );
        let last = driver.events.iter().rev().find(|event| matches!(event, Event::Registered { .. }));
        let origin = if incoming.2 { Origin::Replica } else { Origin::Client };
        assert_eq!(last, Some(&Event::Registered { instance: InstanceId(1), status, version, origin }));
    };
    let oos = Some(OutOfService);
    check((110, Down, CLIENT), None, INCOMING, 110, Down);
    check((110, OutOfService, CLIENT), None, INCOMING, 110, Up);
    check((110, OutOfService, REPLICA), None, INCOMING, 110, OutOfService);
    check((100, Starting, CLIENT), None, INCOMING, 100, Starting);
    check((90, Down, CLIENT), None, EXISTING, 100, Up);
    check((90, Down, REPLICA), None, EXISTING, 100, Up);
    check((110, Up, CLIENT), oos, INCOMING, 110, OutOfService);
    check((110, Down, CLIENT), oos, INCOMING, 110, Down);
    check((110, Unknown, CLIENT), None, INCOMING, 110, Unknown);
    check((100, OutOfService, CLIENT), None, INCOMING, 100, Up);
    check((110, Up, REPLICA), oos, INCOMING, 110, OutOfService);
    check((90, OutOfService, REPLICA), None, EXISTING, 100, Up);
}

/// Golden vectors of the reference, 12.7, below the table: a client cannot leave OUT_OF_SERVICE, but all else.
#[test]
fn a_client_cannot_register_itself_back_into_service() {
    let check = |stored, incoming, expected| {
        let mut driver = holding(stored, None);
        driver.register(InstanceInfo { status: incoming, ..info(1, 110) }, false);
        assert_eq!(driver.status(1), Some(expected), "{incoming} over {stored}");
    };
    check(OutOfService, Up, OutOfService);
    for stored in [Down, Starting, Unknown] {
        check(stored, Up, Up);
        check(stored, OutOfService, OutOfService);
    }
}

/// Golden vectors of the reference, 12.7, below the table: incoming version and status, override; what peers are sent.
#[test]
fn peers_are_sent_the_incoming_object_after_the_rules() {
    let check = |incoming: (i64, Status), overridden, sent: (i64, Status, Status)| {
        let mut driver = holding(Up, overridden);
        driver.register(InstanceInfo { status: incoming.1, ..info(1, incoming.0) }, false);
        driver.at(1300);
        let batches = driver.batches();
        let [Item::Register(Some(info))] = &batches[0].items[..] else {
            panic!("one registration: {batches:?}")
        };
        assert_eq!((info.last_dirty, info.status, info.overridden), sent, "{incoming:?}");
    };
    check((110, OutOfService), None, (110, Up, Unknown));
    check((90, Down), None, (90, Down, Unknown));
    check((110, Up), Some(OutOfService), (110, OutOfService, OutOfService));
    check((110, Down), Some(OutOfService), (110, Down, OutOfService));
}

/// Golden vectors of the reference, 12.6, the rows with a lease and versions compared: caller, version, override; then the code, whether the newer copy is in the answer,
/// whether the renewal is replicated, and whether the override is stored.
#[test]
fn heartbeats_are_answered_as_in_the_original() {
    const CLIENT: bool = false;
    const REPLICA: bool = true;
    type Expected = (u16, bool, bool, bool);
    let check = |replication, version, overridden, expected: Expected| {
        let mut driver = holding(Up, None);
        driver.at(1000);
        let response = driver.renew(1, version, overridden, replication);
        let copy = match &response.body {
            Body::Instance(copy, _) => Some(copy.last_dirty),
            _ => None,
        };
        let origin = if replication { Origin::Replica } else { Origin::Client };
        let renewed = Event::Renewed { instance: InstanceId(1), origin };
        assert!(driver.events.contains(&renewed), "always renewed and counted");
        driver.at(1600);
        let replicated = driver.batches().iter().any(|batch| batch.kinds() == [("heartbeat", 1)]);
        let held = driver.held(1).expect("still leased");
        assert_eq!(held.status, Up, "the status follows at the next heartbeat at the earliest");
        let stored = held.overridden == OutOfService;
        assert_eq!(
            (response.status, copy == Some(100), replicated, stored),
            expected,
            "{replication} {version:?}"
        );
        if stored {
            assert_eq!(driver.heartbeat(1, 100), 200);
            assert_eq!(driver.status(1), Some(OutOfService));
        }
    };
    let oos = Some(OutOfService);
    check(CLIENT, Stamp::Absent, None, (200, false, true, false));
    check(CLIENT, Stamp::At(100), None, (200, false, true, false));
    check(CLIENT, Stamp::At(90), None, (200, false, true, false));
    check(CLIENT, Stamp::At(110), None, (404, false, true, false));
    check(REPLICA, Stamp::At(100), None, (200, false, false, false));
    check(REPLICA, Stamp::At(90), None, (409, true, false, false));
    check(REPLICA, Stamp::At(110), oos, (404, false, false, true));
    check(REPLICA, Stamp::At(110), None, (404, false, false, false));
    check(REPLICA, Stamp::At(110), Some(Unknown), (404, false, false, false));
    check(REPLICA, Stamp::At(90), oos, (409, true, false, false));
    check(CLIENT, Stamp::At(110), oos, (404, false, true, false));
    // A header value `TRUE` makes no replica.
    check(is_replication(Some("TRUE")), Stamp::At(90), None, (200, false, true, false));
    // `abc`
    check(CLIENT, Stamp::Garbage, None, (500, false, true, false));
    check(REPLICA, Stamp::Garbage, None, (500, false, false, false));
}

/// Golden vectors of the reference, 12.6, the rows "any, no lease" and "any, holder UNKNOWN".
#[test]
fn a_heartbeat_without_a_lease_or_with_an_unknown_status_changes_nothing() {
    let (mut driver, mut unknown) = (holding(Up, None), holding(Unknown, None));
    for replication in [false, true] {
        for version in [Stamp::Absent, Stamp::At(90), Stamp::At(100), Stamp::At(110), Stamp::Garbage] {
            for overridden in [None, Some(OutOfService)] {
                assert_eq!(driver.renew(2, version, overridden, replication).status, 404);
                assert_eq!(unknown.renew(1, version, overridden, replication).status, 404);
            }
        }
    }
    let missed = |event: &Event| matches!(event, Event::NotFound { .. });
    let [none, of_unknown] =
        [&driver, &unknown].map(|driver| driver.events.iter().filter(|it| !missed(it)).count());
    assert_eq!((none, of_unknown), (0, 0), "neither renewed nor counted");
    let lease = |driver: &Driver| driver.server.registry.store.lease(InstanceId(1));
    assert_eq!(lease(&unknown), lease(&holding(Unknown, None)));
}

/// Golden vectors of the reference, 12.6, the row "syncWhenTimestampDiffers=false".
#[test]
fn versions_are_not_compared_where_that_is_switched_off() {
    let mut driver = alone(|config| config.sync_when_timestamp_differs = false);
    driver.register(info(1, 100), false);
    assert_eq!(driver.renew(1, Stamp::At(110), None, true).status, 200);
    assert_eq!(driver.renew(1, Stamp::At(90), None, true).status, 200);
    assert_eq!(driver.renew(1, Stamp::Garbage, None, true).status, 200, "not even looked at");
}

fn set(status: Option<Status>, last_dirty: Stamp) -> Request {
    Request::SetStatus { app: APP, id: InstanceId(1), status, last_dirty, replication: false }
}

fn clear(status: Option<Status>, last_dirty: Stamp) -> Request {
    Request::ClearStatus { app: APP, id: InstanceId(1), status, last_dirty, replication: false }
}

/// Of an instance whose status was asserted with a version that is no number: status, override, and what readers and peers see.
fn half_done(driver: &mut Driver, request: Request) -> (Status, Status) {
    let before = driver.apps();
    driver.at(2000).batches();
    assert_eq!(driver.request(request).status, 500);
    driver.at(30_000);
    assert!(Arc::ptr_eq(&before, &driver.apps()), "the cache was not thrown out");
    assert!(driver.batches().is_empty(), "the peers were not told");
    let held = driver.held(1).expect("leased");
    (held.status, held.overridden)
}

#[test]
fn a_version_that_is_no_number_is_noticed_half_way() {
    let mut driver = holding(Up, None);
    assert_eq!(half_done(&mut driver, set(Some(Down), Stamp::Garbage)), (Down, Down));
    assert_eq!(driver.gauge(Gauge::Overrides), 1);
    let origin = Origin::Client;
    let changed = Event::Changed { instance: InstanceId(1), status: Down, version: 100, origin };
    assert!(driver.events.contains(&changed));

    let mut driver = holding(Up, None);
    assert_eq!(driver.set_status(1, OutOfService), 200);
    assert_eq!(half_done(&mut driver, clear(Some(Up), Stamp::Garbage)), (Up, Unknown));
    assert_eq!(driver.gauge(Gauge::Overrides), 0);

    // Where there is nothing to do, it is not looked at.
    let mut driver = holding(Up, None);
    assert_eq!(driver.request(set(Some(Up), Stamp::Garbage)).status, 200);
    assert_eq!(driver.request(clear(Some(Down), Stamp::Garbage)).status, 200);
    assert_eq!(driver.status(1), Some(Up));
}

#[test]
fn a_status_that_there_is_not_is_noticed_after_an_instance_that_there_is_not() {
    let mut driver = holding(Up, None);
    assert_eq!(driver.request(set(None, Stamp::Absent)).status, 500);
    assert_eq!(driver.request(clear(None, Stamp::Absent)).status, 500);
    driver.cancel(1);
    assert_eq!(driver.request(set(None, Stamp::Absent)).status, 404);
    assert_eq!(driver.request(clear(None, Stamp::Absent)).status, 404);
}

#[test]
fn applications_with_one_instance_id_share_their_override() {
    let other = ServiceId(1);
    let twin = |version| {
        let about = About { override_key: Some(InstanceId(1)), ..About::least("other", "host") };
        InstanceInfo { app: other, about: Arc::new(about), ..info(2, version) }
    };
    let mut driver = netflix(0, |_| {});
    driver.register(info(1, 100), false);
    driver.register(twin(100), false);
    assert_eq!(driver.set_status(1, OutOfService), 200);
    assert_eq!(driver.status(2), Some(Up), "until somebody looks");
    assert_eq!(driver.renew(2, Stamp::At(100), None, false).status, 200);
    assert_eq!(driver.status(2), Some(OutOfService));
    driver.register(twin(110), false);
    assert_eq!((driver.status(2), driver.gauge(Gauge::Overrides)), (Some(OutOfService), 1));
    let overrides = |driver: &mut Driver| match driver.request(Request::Overrides).body {
        Body::Overrides(overrides) => overrides.to_vec(),
        other => panic!("overrides were asked for: {other:?}"),
    };
    assert_eq!(overrides(&mut driver), [(InstanceId(1), OutOfService)]);
    let id = InstanceId(2);
    let (last_dirty, replication) = (Stamp::Absent, false);
    let clear = Request::ClearStatus { app: other, id, status: Some(Up), last_dirty, replication };
    assert_eq!(driver.request(clear).status, 200);
    assert_eq!(overrides(&mut driver), []);
    let set = Request::SetStatus { app: other, id, status: Some(Down), last_dirty, replication };
    assert_eq!(driver.request(set).status, 200);
    assert_eq!(overrides(&mut driver), [(InstanceId(1), Down)], "under the id of the first");
    let cancel = Request::Cancel { app: other, id: InstanceId(2), replication: false };
    assert_eq!(driver.request(cancel).status, 200);
    assert_eq!(driver.gauge(Gauge::Overrides), 0, "gone for both");
}

/// The reference, 7.1.
#[test]
fn spring_does_not_list_its_overrides() {
    let mut driver = holding(Up, Some(OutOfService));
    let response = driver.request(Request::Overrides);
    assert!(response.status == 404 && matches!(response.body, Body::Empty), "{response:?}");
}

/// The reference, 1.2 and 2.6: a status that there is not is read only where it would be stored.
#[test]
fn an_override_that_is_no_status_fails_a_replicated_heartbeat_only_when_it_is_stale() {
    let check = |replication, version, expected| {
        let mut driver = holding(Up, None);
        let overridden = Some(Err(NoStatus));
        let (id, last_dirty) = (InstanceId(1), Stamp::At(version));
        let heartbeat = Heartbeat { app: APP, id, status: Up, last_dirty, overridden };
        assert_eq!(driver.request(Request::Heartbeat(heartbeat, replication)).status, expected);
        let origin = if replication { Origin::Replica } else { Origin::Client };
        assert!(driver.events.contains(&Event::Renewed { instance: id, origin }), "renewed before");
        assert_eq!(driver.server.registry.overrides.held(), 0);
    };
    check(true, 110, 500);
    check(true, 100, 200);
    check(true, 90, 409);
    check(false, 110, 404);
}

#[test]
fn an_override_hides_the_client_until_it_is_cleared() {
    let mut driver = holding(Up, None);
    assert_eq!(driver.set_status(1, OutOfService), 200);
    driver.register(info(1, 110), false);
    assert_eq!(driver.status(1), Some(OutOfService));
    driver.register(InstanceInfo { status: Down, ..info(1, 120) }, false);
    assert_eq!(driver.status(1), Some(Down), "never hides that it cannot serve");
    driver.register(info(1, 130), false);
    assert_eq!(driver.status(1), Some(OutOfService));
    let id = InstanceId(1);
    let clear = Request::ClearStatus {
        app: APP,
        id,
        status: Some(Unknown),
        last_dirty: Stamp::Absent,
        replication: false,
    };
    assert_eq!(driver.request(clear).status, 200);
    assert_eq!((driver.status(1), driver.heartbeat(1, 130)), (Some(Unknown), 404));
    driver.register(info(1, 140), false);
    assert_eq!(driver.status(1), Some(Up));
}

#[test]
fn setting_the_status_that_is_held_stores_no_override() {
    let mut driver = holding(Up, None);
    assert_eq!(driver.set_status(1, Up), 200);
    assert_eq!(driver.server.registry.overrides.held(), 0);
    driver.register(InstanceInfo { status: Down, ..info(1, 110) }, false);
    assert_eq!(driver.set_status(1, Up), 200);
    driver.register(InstanceInfo { status: OutOfService, ..info(1, 120) }, false);
    assert_eq!(driver.status(1), Some(Up), "pinned");
}

#[test]
fn a_status_update_can_raise_the_version_but_not_lower_it() {
    let mut driver = holding(Up, None);
    let update = |status, last_dirty| Request::SetStatus {
        app: APP,
        id: InstanceId(1),
        status,
        last_dirty: Stamp::At(last_dirty),
        replication: true,
    };
    assert_eq!(driver.request(update(Some(OutOfService), 150)).status, 200);
    assert_eq!(driver.held(1).map(|held| held.last_dirty), Some(150));
    assert_eq!(driver.request(update(Some(Down), 140)).status, 200);
    assert_eq!(driver.held(1).map(|held| (held.status, held.last_dirty)), Some((Down, 150)));
    let changed =
        |status| Event::Changed { instance: InstanceId(1), status, version: 150, origin: Origin::Replica };
    assert!(driver.events.contains(&changed(OutOfService)) && driver.events.contains(&changed(Down)));
}

#[test]
fn a_renewal_that_corrects_the_status_says_so_but_leaves_the_caches_alone() {
    let mut driver = holding(Up, None);
    let before = driver.apps();
    driver.server.registry.overrides.put(InstanceId(1), OutOfService, Instant(0));
    assert_eq!(driver.heartbeat(1, 100), 200);
    let origin = Origin::Client;
    let changed = Event::Changed { instance: InstanceId(1), status: OutOfService, version: 100, origin };
    assert!(driver.events.contains(&changed));
    driver.at(30_000);
    assert!(Arc::ptr_eq(&driver.apps(), &before), "no reader sees it before the cache expires");
    driver.at(210_000);
    assert_eq!(driver.apps().histogram().hash_code(), "OUT_OF_SERVICE_1_");
}

/// A write, as any party can make it about instance 1.
#[derive(Clone, Copy, Debug)]
enum Write {
    Register { version: i64, status: Status, replication: bool },
    Renew { version: i64, replication: bool },
    SetStatus { version: i64, status: Status, replication: bool },
}

fn writes() -> impl Strategy<Value = Vec<Write>> {
    let status = || proptest::sample::select(vec![Up, Down, Starting]);
    // Versions are drawn as a permutation: each is a distinct timestamp.
    let versions = Just((1..=12).collect::<Vec<i64>>()).prop_shuffle();
    let shapes = proptest::collection::vec((0..3u8, status(), any::<bool>()), 12);
    let distinct = (versions, shapes).prop_map(|(versions, shapes)| {
        let write = |(version, (shape, status, replication))| match shape {
            0 => Write::Register { version, status, replication },
            1 => Write::Renew { version, replication },
            _ => Write::SetStatus { version, status, replication },
        };
        versions.into_iter().zip(shapes).map(write).collect::<Vec<Write>>()
    });
    // Delay and duplication: the list again, partly, in another order.
    (distinct, proptest::collection::vec(any::<proptest::sample::Index>(), 0..12)).prop_map(
        |(writes, again)| {
            let late: Vec<Write> = again.iter().map(|index| writes[index.index(writes.len())]).collect();
            writes.into_iter().chain(late).collect()
        },
    )
}

fn carry_out(driver: &mut Driver, write: Write) {
    let (app, id) = (APP, InstanceId(1));
    match write {
        Write::Register { version, status, replication } => {
            driver.register(InstanceInfo { status, ..info(1, version) }, replication);
        }
        Write::Renew { version, replication } => {
            driver.renew(1, Stamp::At(version), None, replication);
        }
        Write::SetStatus { version, status, replication } => {
            let (status, last_dirty) = (Some(status), Stamp::At(version));
            driver.request(Request::SetStatus { app, id, status, last_dirty, replication });
        }
    }
}

proptest! {
    /// Whatever arrives in whatever order, late or twice: the version held never goes back and is always that of a write that
    /// arrived; a registration that is not older than what is held is held; an older one changes neither status nor version;
    /// and a renewal changes no version.
    #[test]
    fn the_newest_version_wins_in_any_order(writes in writes()) {
        let mut driver = with_peers(1);
        for write in writes {
            driver.at(driver.now_ms + 100);
            let before = driver.held(1);
            carry_out(&mut driver, write);
            let after = driver.held(1);
            let Some(after) = after else {
                let registers = matches!(write, Write::Register { .. });
                prop_assert!(before.is_none() && !registers, "gone after a write");
                continue;
            };
            let known = before.as_ref().map_or(i64::MIN, |before| before.last_dirty);
            prop_assert!(after.last_dirty >= known, "{write:?}: {known} -> {}", after.last_dirty);
            match write {
                Write::Register { version, .. } => {
                    prop_assert_eq!(after.last_dirty, known.max(version));
                    if version < known {
                        let overridden = driver.server.registry.overrides.contains(InstanceId(1), Instant(0));
                        let kept = before.map(|before| before.status);
                        prop_assert!(kept == Some(after.status) || overridden, "{write:?} changed {kept:?}");
                    }
                }
                Write::Renew { .. } => prop_assert_eq!(after.last_dirty, known),
                Write::SetStatus { version, status, .. } => {
                    prop_assert_eq!(after.status, status);
                    prop_assert!(after.last_dirty == known || after.last_dirty == version);
                }
            }
        }
        prop_assert!(driver.server.registry.store.holders.len() < 64, "references are given back");
    }

    /// Registrations with distinct versions lead to the newest content, in any order, at any delay, however often each comes.
    #[test]
    fn registrations_commute(
        order in Just((0..8usize).collect::<Vec<_>>()).prop_shuffle(),
        again in proptest::collection::vec(0..8usize, 0..8),
        statuses in proptest::collection::vec(proptest::sample::select(vec![Up, Down, Starting, OutOfService]), 8),
    ) {
        let mut driver = with_peers(1);
        for index in order.into_iter().chain(again) {
            driver.at(driver.now_ms + 50);
            driver.register(InstanceInfo { status: statuses[index], ..info(1, index as i64) }, true);
        }
        let held = driver.held(1).expect("registered");
        prop_assert_eq!((held.last_dirty, held.status), (7, statuses[7]));
    }
}

/// The reference, 2.1: nobody looks at the override of an instance that is DOWN, but for the fan-out of a client's heartbeat.
#[test]
fn the_override_of_an_instance_that_is_down_dies_unless_a_peer_is_told_of_it() {
    let then_up = |peers, replication| {
        let mut driver = with_peers(peers);
        driver.register(info(1, 100), true);
        assert_eq!(driver.set_status(1, OutOfService), 200);
        driver.register(InstanceInfo { status: Down, ..info(1, 110) }, true);
        for minute in 1..=60 {
            driver.at(minute * 60_000);
            assert_eq!(driver.renew(1, Stamp::At(110), None, replication).status, 200);
        }
        driver.register(info(1, 120), true);
        driver.status(1)
    };
    assert_eq!(then_up(1, true), Some(Up), "heartbeats of peers alone");
    assert_eq!(then_up(0, false), Some(Up), "no peers");
    assert_eq!(then_up(1, false), Some(OutOfService));
}
