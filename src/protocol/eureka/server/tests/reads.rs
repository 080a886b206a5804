//! What readers get, and when.

use super::*;

fn hash(driver: &mut Driver) -> String {
    driver.apps().histogram().hash_code()
}

#[test]
fn a_change_is_seen_at_the_next_fill() {
    let mut driver = alone(|_| {});
    driver.at(5_000).register(info(1, 100), false);
    assert_eq!(hash(&mut driver), "UP_1_", "the first to ask gets it fresh");
    driver.at(6_000).register(info(2, 100), false);
    driver.at(29_999);
    assert_eq!(hash(&mut driver), "UP_1_");
    driver.at(30_000);
    assert_eq!(hash(&mut driver), "UP_2_", "at a multiple of 30 s by the wall clock");
}

#[test]
fn without_the_second_level_a_change_is_seen_at_once() {
    let mut driver = alone(|config| config.use_read_only_response_cache = false);
    driver.register(info(1, 100), false);
    assert_eq!(hash(&mut driver), "UP_1_");
    driver.register(info(2, 100), false);
    assert_eq!(hash(&mut driver), "UP_2_");
    let apps = driver.apps();
    assert!(Arc::ptr_eq(&apps, &driver.apps()), "readers share what did not change");
    driver.at(180_000);
    assert!(!Arc::ptr_eq(&apps, &driver.apps()), "and the first level forgets after 180 s");
}

#[test]
fn a_delta_shows_each_instance_once_in_its_present_state() {
    let mut driver = alone(|config| config.use_read_only_response_cache = false);
    driver.register(info(1, 100), false);
    driver.register(info(2, 100), false);
    driver.register(InstanceInfo { status: Down, ..info(1, 110) }, false);
    assert_eq!(driver.set_status(2, OutOfService), 200);
    assert_eq!(driver.cancel(1), 200);
    let delta = driver.delta();
    let shown: Vec<_> = delta.changes().iter().map(|info| (info.id.0, info.status, info.action)).collect();
    let expected = [(2, OutOfService, Some(Action::Modified)), (1, Down, Some(Action::Deleted))];
    assert_eq!((shown.as_slice(), delta.version()), (&expected[..], 1));
    assert_eq!(delta.histogram().hash_code(), "OUT_OF_SERVICE_1_", "that of the whole registry");
    driver.register(info(3, 100), false);
    assert_eq!(driver.delta().version(), 2);
}

/// Golden vectors of the reference, 12.4: when an entry was made, and when it disappears (ms).
#[test]
fn changes_leave_the_delta_after_180_to_210_seconds() {
    let check = |made: u64, gone: u64| {
        let mut driver = alone(|_| {});
        driver.at(made).register(info(1, 100), false);
        let shown = |driver: &mut Driver| driver.server.registry.store.changes().len();
        driver.at(gone - 1);
        assert_eq!(shown(&mut driver), 1, "made at {made}");
        driver.at(gone);
        assert_eq!(shown(&mut driver), 0, "made at {made}");
    };
    for made in [0, 1, 15_000, 29_999] {
        check(made, 210_000);
    }
    check(30_000, 240_000);
}

#[test]
fn a_quiet_registry_keeps_serving_old_deltas_until_the_cache_expires() {
    let mut driver = alone(|_| {});
    driver.register(info(1, 100), false);
    let mut last_seen = 0;
    for second in 0..500 {
        driver.at(second * 1000);
        if !driver.delta().changes().is_empty() {
            last_seen = second;
        }
    }
    assert_eq!(last_seen, 359, "it left the queue at 210 s, but was generated at 180 s for another 180 s");
}

#[test]
fn a_server_can_refuse_deltas() {
    let mut driver = alone(|config| config.disable_delta = true);
    assert_eq!(driver.request(Request::Get(Query::of(Resource::Delta).into())).status, 403);
}
