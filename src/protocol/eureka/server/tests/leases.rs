//! Leases, eviction and self-preservation over time.

use super::*;
use crate::protocol::eureka::instance::LeaseStamps;

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

/// Golden vectors of the reference, 12.1, end of the same.
#[test]
fn a_cancel_under_an_unknown_application_takes_the_override_with_it() {
    let mut driver = alone(|_| {});
    driver.register(info(1, 100), false);
    assert_eq!(driver.set_status(1, OutOfService), 200);
    let before = (driver.gauge(Gauge::ExpectedClients), driver.gauge(Gauge::Overrides));
    let unknown = Request::Cancel { app: ServiceId(7), id: InstanceId(1), replication: false };
    assert_eq!(driver.request(unknown).status, 404);
    assert_eq!(
        (before, driver.gauge(Gauge::ExpectedClients), driver.gauge(Gauge::Overrides)),
        ((2, 1), 2, 0)
    );
    assert!(driver.is_found(1));
}

enum Step {
    Register,
    RegisterFor(u64),
    Renew,
    /// A heartbeat that is answered 404, because the client is ahead.
    StaleRenew,
    SetStatus,
    SetMetadata,
}

/// Golden vectors of the reference, 12.4: what happened when (s), and when the lease has expired strictly after (s).
#[test]
fn leases_end_when_the_original_says() {
    use Step::{Register, RegisterFor, Renew, SetMetadata, SetStatus, StaleRenew};
    let check = |steps: &[(u64, Step)], ends_s: u64| {
        let mut driver = alone(|config| config.enable_self_preservation = false);
        for (at_s, step) in steps {
            driver.at(at_s * 1000);
            match step {
                Register => driver.register(info(1, 100), false),
                RegisterFor(seconds) => {
                    let duration = Duration::from_secs(*seconds);
                    let lease = LeaseInfo { duration, ..LeaseInfo::default() };
                    driver.register(InstanceInfo { lease: Some(lease), ..info(1, 100) }, false);
                }
                Renew => assert_eq!(driver.heartbeat(1, 100), 200),
                StaleRenew => assert_eq!(driver.heartbeat(1, 110), 404),
                SetStatus => assert_eq!(driver.set_status(1, OutOfService), 200),
                SetMetadata => assert_eq!(driver.set_metadata(1, &[("zone", "b")]), 200),
            }
        }
        driver.at(ends_s * 1000);
        let before = driver.is_found(1);
        driver.at(ends_s * 1000 + 1);
        assert_eq!((before, driver.is_found(1)), (true, false), "ends after {ends_s} s");
    };
    check(&[(0, Register)], 90);
    check(&[(0, Register), (30, Renew)], 210);
    check(&[(0, Register), (30, Renew), (40, Register)], 130);
    check(&[(0, Register), (10, SetStatus)], 190);
    check(&[(0, Register), (30, StaleRenew)], 210);
    check(&[(0, Register), (30, StaleRenew), (30, Register)], 120);
    check(&[(0, Register), (30, Renew), (40, SetMetadata)], 130);
    check(&[(0, RegisterFor(20))], 20);

    let mut driver = alone(|config| config.enable_self_preservation = false);
    let lease = LeaseInfo { duration: Duration::from_secs(2_147_484), ..LeaseInfo::default() };
    driver.register(InstanceInfo { lease: Some(lease), ..info(1, 100) }, false);
    assert!(!driver.is_found(1), "expired at once");
}

/// What a reader of the instance, or of the delta, is told of its lease, in ms since the start.
fn stamps(entry: (&Arc<InstanceInfo>, LeaseStamps)) -> [i64; 4] {
    let LeaseStamps { registered, last_renewal, evicted, service_up, .. } = entry.1;
    [registered, last_renewal, evicted, service_up].map(|ms| if ms == 0 { -1 } else { ms - EPOCH_MS })
}

#[test]
fn readers_are_told_of_the_lease() {
    let mut driver = alone(|config| config.use_read_only_response_cache = false);
    let told = |driver: &mut Driver| match driver
        .request(Request::Instance { app: Some(APP), id: InstanceId(1) })
        .body
    {
        Body::Instance(info, known) => stamps((&info, *known)),
        other => panic!("it is there: {other:?}"),
    };
    driver.register(InstanceInfo { status: Starting, ..info(1, 100) }, false);
    assert_eq!(told(&mut driver), [0, 0, -1, -1]);
    driver.at(10_000).register(info(1, 110), false);
    assert_eq!(told(&mut driver), [10_000, 10_000, -1, 10_000], "UP for the first time");
    driver.at(30_000).heartbeat(1, 110);
    assert_eq!(told(&mut driver), [10_000, 120_000, -1, 10_000], "its duration in the future");
    driver.at(40_000).register(InstanceInfo { status: Down, ..info(1, 120) }, false);
    assert_eq!(told(&mut driver), [40_000, 40_000, -1, 10_000], "kept by a registration over a lease");
    assert_eq!(driver.at(50_000).set_status(1, Up), 200);
    assert_eq!(told(&mut driver), [40_000, 140_000, -1, 10_000], "only the first time counts");
    assert_eq!(stamps(driver.apps().entries().next().expect("it is listed")), [40_000, 140_000, -1, 10_000]);
    assert_eq!(driver.at(60_000).cancel(1), 200);
    let delta = driver.delta();
    assert_eq!(stamps(delta.entries().next().expect("it is deleted")), [40_000, 140_000, 60_000, 10_000]);
    driver.at(70_000).register(InstanceInfo { status: Starting, ..info(1, 130) }, false);
    assert_eq!(told(&mut driver), [70_000, 70_000, -1, -1], "a new life");
    assert_eq!(driver.at(80_000).set_status(1, Up), 200);
    assert_eq!(told(&mut driver), [70_000, 170_000, -1, 80_000]);
}

#[test]
fn who_says_nothing_about_the_lease_says_the_usual_once_it_was_read() {
    let mut driver = alone(|_| {});
    driver.register(InstanceInfo { lease: None, ..info(1, 100) }, false);
    assert_eq!(driver.held(1).expect("leased").lease, None);
    assert_eq!(driver.apps().instances()[0].lease, Some(LeaseInfo::default()));
    assert_eq!(driver.held(1).expect("leased").lease, Some(LeaseInfo::default()), "of the object itself");
}

#[test]
fn a_server_points_itself_out() {
    let mut node = node(Profile::SpringCloud, 0);
    let about = Arc::new(About::least("app", "peer0"));
    node.client.instance = Some(Registration {
        app: APP,
        id: InstanceId(2),
        instance: Arc::new(InstanceConfig::defaults(Profile::SpringCloud)),
        initial_status: Up,
        about,
    });
    let mut driver = Driver::new(node);
    (1..4).for_each(|id| driver.register(info(id, 100), false));
    let coordinating: Vec<bool> = driver.apps().entries().map(|(_, known)| known.coordinating).collect();
    assert_eq!(coordinating, [false, true, false]);
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

/// Golden vectors of the reference, 12.3: a run over 20 of 20 at 1700000090001 draws 12, 16, 12.
#[test]
fn victims_depend_on_the_wall_clock_alone() {
    let mut driver = alone(|config| config.enable_self_preservation = false);
    driver.at(65_000);
    for id in 0..20 {
        let lease = LeaseInfo { duration: Duration::from_secs(10), ..LeaseInfo::default() };
        driver.register(InstanceInfo { lease: Some(lease), ..info(id, 100) }, false);
    }
    driver.at(80_001);
    assert_eq!(driver.wall_ms(), 1_700_000_090_001);
    driver.step(|server, cx| server.registry.evict(cx));
    let victim = |event: &Event| match event {
        Event::Evicted { instance } => Some(instance.0),
        _ => None,
    };
    let victims: Vec<u32> = driver.events.iter().filter_map(victim).collect();
    assert_eq!(victims, [12, 1 + 16, 2 + 12]);
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

/// The reference, 2.2, step 4: the lease is as long as the incoming registration says, even if its object is not taken.
#[test]
fn a_lease_is_as_long_as_the_incoming_registration_says() {
    let check = |lease: Option<u64>, ends_ms: u64| {
        let mut driver = alone(|config| config.enable_self_preservation = false);
        let of = |seconds| LeaseInfo { duration: Duration::from_secs(seconds), ..LeaseInfo::default() };
        driver.register(InstanceInfo { lease: Some(of(40)), ..info(1, 110) }, false);
        driver.register(InstanceInfo { lease: lease.map(of), ..info(1, 100) }, false);
        assert_eq!(driver.held(1).map(|held| held.last_dirty), Some(110), "the newer object stays");
        let before = driver.at(ends_ms).is_found(1);
        assert_eq!((before, driver.at(ends_ms + 1).is_found(1)), (true, false), "{lease:?}");
    };
    check(Some(20), 20_000);
    check(Some(0), 90_000);
    check(None, 90_000);
}
