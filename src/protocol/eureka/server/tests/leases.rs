//! Leases, eviction and self-preservation over time.

use super::*;

/// Registers instances 0 to `count - 1`, and lets all heartbeat at 15 s, 45 s, ... to `until_s`; those below `silent` stop
/// after 285 s.
fn run(driver: &mut Driver, count: u32, silent: u32, until_s: u64) {
    (0..count).for_each(|id| driver.register(info(id, 100), false));
    let config = Arc::clone(&driver.server.registry.config);
    driver.server.registry.preservation.set_expected(count, &config);
    for second in (15..=until_s).step_by(30) {
        driver.at(second * 1000);
        let first = if second > 285 { silent } else { 0 };
        for id in first..count {
            assert_eq!(driver.heartbeat(id, 100), 200);
        }
    }
}

/// Golden vectors of the reference, 12.1, last item: instances, silent ones, evicted at 480 s, then expected and threshold.
#[test]
fn silent_instances_are_evicted_unless_they_are_too_many() {
    let check = |count, silent, evicted, expected, threshold| {
        let mut driver = alone(|_| {});
        run(&mut driver, count, silent, 479);
        driver.at(479_999);
        assert_eq!(driver.evictions(), 0, "{silent} of {count}: their leases last to 465 s");
        driver.at(480_000);
        assert_eq!(driver.evictions(), evicted, "{silent} of {count}");
        let gauges = (driver.gauge(Gauge::ExpectedClients), driver.gauge(Gauge::RenewalThreshold));
        assert_eq!(gauges, (expected, threshold), "{silent} of {count}");
        assert_eq!(driver.gauge(Gauge::SelfPreservation), i64::from(evicted == 0));
    };
    check(10, 1, 1, 9, 15);
    check(100, 14, 14, 86, 146);
    check(10, 2, 0, 10, 17);
    check(20, 3, 0, 20, 34);
    check(100, 15, 0, 100, 170);
}

#[test]
fn protected_leases_stay_for_ever() {
    let mut driver = alone(|_| {});
    run(&mut driver, 10, 2, 3600);
    assert_eq!((driver.evictions(), driver.gauge(Gauge::RenewalsLastMinute)), (0, 16));
    assert!(driver.is_found(0), "served everywhere while protected");
}

/// Golden vectors of the reference, 12.1, "expected, step by step".
#[test]
fn expected_clients_step_by_step() {
    let mut driver = alone(|config| {
        config.expected_number_of_clients_sending_renews = 0;
        config.default_open_for_traffic_count = 0;
    });
    let expected = |driver: &Driver| driver.gauge(Gauge::ExpectedClients);
    driver.register(info(1, 100), false);
    assert_eq!(expected(&driver), 0);
    let config = Arc::clone(&driver.server.registry.config);
    driver.server.registry.preservation.set_expected(1, &config);
    driver.register(info(2, 100), false);
    assert_eq!(expected(&driver), 2);
    driver.register(info(2, 100), false);
    assert_eq!(expected(&driver), 2);
    assert_eq!([driver.cancel(1), driver.cancel(2)], [200, 200]);
    assert_eq!(expected(&driver), 0);
    driver.register(info(3, 100), false);
    assert_eq!(expected(&driver), 0, "from 0 it does not rise");
}

/// Golden vectors of the reference, 12.2: 40 of 100 have expired, protection is off.
#[test]
fn a_pass_evicts_a_share_and_the_next_goes_on() {
    let mut driver = alone(|config| config.enable_self_preservation = false);
    (0..100).for_each(|id| driver.register(info(id, 100), false));
    for second in (30..=400).step_by(30) {
        driver.at(second * 1000);
        (40..100).for_each(|id| assert_eq!(driver.heartbeat(id, 100), 200));
    }
    let passes = driver.events.iter().filter_map(|event| match event {
        Event::EvictionPass { leases, expired, evicted } => Some((*leases, *expired, *evicted)),
        _ => None,
    });
    let passes = passes.collect::<Vec<_>>();
    assert_eq!(passes, [(100, 0, 0), (100, 40, 15), (85, 25, 13), (72, 12, 11), (61, 1, 1), (60, 0, 0)]);
    assert!((0..40).all(|id| driver.held(id).is_none()) && (40..100).all(|id| driver.held(id).is_some()));
}

#[test]
fn an_expired_lease_that_waits_for_eviction_is_listed_but_not_found() {
    let mut driver = alone(|config| config.enable_self_preservation = false);
    driver.register(info(1, 100), false);
    driver.at(90_000);
    assert!(driver.is_found(1));
    driver.at(90_001);
    assert!(!driver.is_found(1));
    assert_eq!(driver.set_status(1, Down), 404);
    assert_eq!(driver.apps().instances().len(), 1);
    assert_eq!(driver.heartbeat(1, 100), 200, "it can still be renewed");
    assert!(driver.is_found(1));
}

#[test]
fn a_wall_clock_set_back_freezes_eviction_and_extends_leases() {
    let mut driver = alone(|config| config.enable_self_preservation = false);
    driver.register(info(1, 100), false);
    driver.at(70_000).wall_offset_ms = -600_000;
    driver.at(720_000);
    assert_eq!(
        driver.evictions(),
        0,
        "the run due at 120 s by the wall clock is 600 s late, and makes up for them"
    );
    driver.at(779_999);
    assert_eq!(driver.evictions(), 0);
    driver.at(780_000);
    assert_eq!(driver.evictions(), 1, "the first run that is in time");
}

#[test]
fn a_late_eviction_run_gives_leases_extra_life() {
    let mut driver = alone(|config| config.enable_self_preservation = false);
    driver.at(60_000).register(info(1, 100), false);
    // The process is frozen from 61 s to 160 s: the run of 120 s comes 40 s late.
    driver.at(61_000).now_ms = 160_000;
    driver.input(Input::Timeout);
    assert_eq!(driver.evictions(), 0, "expired at 150 s, but 40 s are made up for");
    driver.at(220_000);
    assert_eq!(driver.evictions(), 1);
}
