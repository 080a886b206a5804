//! What a server tells of itself, and what it keeps from readers: gauges, the status document, the access gate, the limit on reads.

use super::*;
use crate::protocol::eureka::wire::{Identity, StatusDocument};

#[test]
fn the_registry_is_measured() {
    let mut driver = alone(|_| {});
    driver.register(info(1, 100), false);
    driver.register(InstanceInfo { status: Starting, ..info(2, 100) }, false);
    driver.register(InstanceInfo { status: Down, ..info(3, 100) }, false);
    assert_eq!(driver.set_status(1, OutOfService), 200);
    let statuses = [Gauge::StatusUp, Gauge::StatusDown, Gauge::StatusStarting, Gauge::StatusOutOfService];
    assert_eq!(statuses.map(|gauge| driver.gauge(gauge)), [0, 1, 1, 1]);
    assert_eq!(driver.gauge(Gauge::RegistrySize), 3);
    assert_eq!(driver.cancel(3), 200);
    assert_eq!((driver.gauge(Gauge::StatusDown), driver.gauge(Gauge::RegistrySize)), (0, 2));
    let told = driver.events.len();
    driver.heartbeat(2, 100);
    assert!(
        matches!(driver.events[told..], [Event::Renewed { .. }]),
        "only what changes is reported: {:?}",
        &driver.events[told..]
    );
}

#[test]
fn the_warning_about_few_renewals_waits_five_minutes() {
    let mut driver = alone(|_| {});
    driver.at(300_000);
    assert_eq!((driver.gauge(Gauge::SelfPreservation), driver.gauge(Gauge::BelowThreshold)), (1, 0));
    driver.at(300_001).heartbeat(9, 100);
    assert_eq!(driver.gauge(Gauge::BelowThreshold), 1, "0 renewals, 1 expected");
    driver.register(info(1, 100), false);
    for second in [330, 340, 350, 355] {
        driver.at(second * 1000);
        assert_eq!(driver.heartbeat(1, 100), 200);
    }
    driver.at(360_000);
    assert_eq!((driver.gauge(Gauge::RenewalThreshold), driver.gauge(Gauge::RenewalsLastMinute)), (3, 4));
    assert_eq!(driver.gauge(Gauge::BelowThreshold), 0);
    for second in [370, 380, 390] {
        driver.at(second * 1000);
        assert_eq!(driver.heartbeat(1, 100), 200);
    }
    driver.at(420_000);
    assert_eq!((driver.gauge(Gauge::RenewalThreshold), driver.gauge(Gauge::RenewalsLastMinute)), (3, 3));
    assert_eq!(driver.gauge(Gauge::BelowThreshold), 1, "as many are not more");
}

#[test]
fn after_an_empty_start_lists_are_refused_but_not_instances() {
    let mut driver = Driver::new(node(Profile::Netflix, 0));
    driver.at(120_000).register(info(1, 100), false);
    let lists = [
        Resource::Apps,
        Resource::Delta,
        Resource::App(APP),
        Resource::Vip("v".into()),
        Resource::SecureVip("v".into()),
    ];
    let status = |driver: &mut Driver| lists.clone().map(|resource| driver.get(Query::of(resource)).status);
    driver.at(420_000);
    assert_eq!(status(&mut driver), [403; 5]);
    assert!(driver.is_found(1));
    assert_eq!(driver.request(Request::Instance { app: None, id: InstanceId(1) }).status, 200);
    assert_eq!(driver.heartbeat(1, 100), 200);
    driver.at(420_001);
    assert_eq!(status(&mut driver), [200; 5]);
}

#[test]
fn a_server_that_has_not_opened_yet_has_waited_since_1970() {
    let mut driver = alone(|config| config.registry_sync_retries = 3);
    assert_eq!(driver.gauge(Gauge::Serving), 0);
    assert_eq!(driver.get(Query::of(Resource::Apps)).status, 200, "its start counts from the epoch");
}

#[test]
fn reads_beyond_the_limit_are_refused_without_a_word() {
    let mut driver = alone(|config| config.rate_limiter_enabled = true);
    let nobody = Query { identity: Identity::Nobody, ..Query::of(Resource::Apps) };
    let refused = (0..12).map(|_| driver.get(nobody.clone()));
    let refused: Vec<Response> = refused.filter(|response| response.status == 503).collect();
    assert_eq!(refused.len(), 2, "a burst of ten is let through");
    assert!(matches!(refused[0].body, Body::Empty));
    assert_eq!(driver.get(Query::of(Resource::Apps)).status, 200, "Eureka's own clients are exempt");
    assert_eq!(driver.gauge(Gauge::RateLimited), 2);
}

#[test]
fn a_peer_is_available_if_an_instance_here_has_its_host() {
    let status = |driver: &mut Driver| match driver.request(Request::StatusDocument).body {
        Body::Status(document) => StatusDocument::clone(&document),
        other => panic!("the status was asked for: {other:?}"),
    };
    let server =
        |id, host: &str| InstanceInfo { about: Arc::new(About::least("eureka", host)), ..info(id, 1) };
    let own = Registration {
        app: APP,
        id: InstanceId(0),
        instance: Arc::new(InstanceConfig::defaults(Profile::SpringCloud)),
        initial_status: Up,
        about: Arc::new(About::least("eureka", "peer0")),
    };
    let mut node = node(Profile::SpringCloud, 3);
    node.app = Some(own.app);
    node.client.instance = Some(own);
    let mut driver = Driver::new(node.clone());
    driver.register(server(2, "peer2"), true);
    driver.register(InstanceInfo { app: ServiceId(1), ..server(3, "peer3") }, true);
    let peers = |numbers: &[u32]| numbers.iter().map(|number| Address(*number)).collect::<Vec<_>>();
    let mut expected = StatusDocument {
        registered: peers(&[1, 2, 3]),
        available: peers(&[2]),
        unavailable: peers(&[1, 3]),
        healthy: None,
    };
    assert_eq!(status(&mut driver), expected, "another application's instance does not count");

    for (least, healthy) in [(0, true), (1, true), (2, false)] {
        Arc::make_mut(&mut node.server).min_available_instances_for_peer_replication = least;
        driver.input(Input::Reconfigure(Arc::new(Config::Server(Box::new(node.clone())))));
        expected.healthy = Some(healthy);
        assert_eq!(status(&mut driver), expected, "at least {least}");
    }
    Arc::make_mut(&mut node.client.client).applications_resolver_use_ip = true;
    driver.input(Input::Reconfigure(Arc::new(Config::Server(Box::new(node)))));
    let moved = About { ip_addr: "10.0.0.2".into(), ..About::least("eureka", "peer2") };
    driver.register(InstanceInfo { about: Arc::new(moved), ..info(2, 2) }, true);
    assert_eq!(status(&mut driver).available, [], "by address, the host is another");
}

/// The reference, 7.6: its application is the server's own even if it does not register; and a peer has the host under which it
/// came into the list, whatever the settings say by now.
#[test]
fn a_server_that_does_not_register_knows_which_peers_are_available() {
    let mut driver = netflix(1, |node| node.app = Some(SERVERS));
    let about = Arc::new(About::least("eureka", "peer1"));
    driver.register(InstanceInfo { app: SERVERS, about, ..info(91, 100) }, true);
    let available = |driver: &mut Driver| match driver.request(Request::StatusDocument).body {
        Body::Status(document) => document.available.clone(),
        other => panic!("the status was asked for: {other:?}"),
    };
    assert_eq!(available(&mut driver), [Address(1)]);
    let mut node = driver.server.node.clone();
    node.client.service_urls = [ServiceUrl::new("defaultZone", "new", Address(9))].into();
    driver.input(Input::Reconfigure(Arc::new(Config::Server(Box::new(node)))));
    assert_eq!(available(&mut driver), [Address(1)], "Netflix looks for peers later");
}

/// The reference, 5.4: before it has opened, its start is 1970, which keeps a clock that reads 300 s or less out.
#[test]
fn a_server_whose_clock_begins_in_1970_refuses_lists_for_five_minutes() {
    let mut driver = alone(|config| config.registry_sync_retries = 3);
    driver.wall_offset_ms = 300_000 - EPOCH_MS;
    assert_eq!(driver.get(Query::of(Resource::Apps)).status, 403);
    driver.wall_offset_ms += 1;
    assert_eq!((driver.get(Query::of(Resource::Apps)).status, driver.gauge(Gauge::Serving)), (200, 0));
}
