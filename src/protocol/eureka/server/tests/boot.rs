//! How a server comes up and goes down: when its port is open, what it waits for, and what it ends with.

use super::*;

#[test]
fn a_netflix_server_redirects_nobody_once_it_is_open() {
    let mut driver = Driver::new(node(Profile::Netflix, 0));
    assert!(!driver.listens, "not open while it syncs");
    driver.at(119_999);
    assert!(!driver.listens);
    driver.at(120_000);
    assert_eq!((driver.gauge(Gauge::Serving), driver.gauge(Gauge::ExpectedClients)), (1, 0));
    assert_eq!(
        driver.request(Request::Get(Query::of(Resource::Apps).into())).status,
        403,
        "the copy was empty"
    );
    driver.register(info(1, 100), false);
    assert_eq!(driver.heartbeat(1, 100), 200, "only reads are refused");
    driver.at(420_000);
    assert_eq!(driver.request(Request::Get(Query::of(Resource::Delta).into())).status, 403);
    driver.at(420_001);
    assert_eq!(driver.request(Request::Get(Query::of(Resource::Delta).into())).status, 200);
}

#[test]
fn a_spring_server_serves_from_the_first_moment() {
    let mut driver = alone(|_| {});
    assert_eq!((driver.gauge(Gauge::Serving), driver.gauge(Gauge::ExpectedClients)), (1, 1));
    assert_eq!(driver.gauge(Gauge::RenewalThreshold), 1);
    assert_eq!(driver.request(Request::Get(Query::of(Resource::Apps).into())).status, 200);
}

#[test]
fn what_the_embedded_client_shows_is_copied_at_the_start() {
    let mut driver = alone(|_| {});
    let down = InstanceInfo { status: Down, ..info(2, 100) };
    let silent = InstanceInfo { lease: None, ..info(3, 100) };
    let overridden = InstanceInfo { overridden: OutOfService, status: Up, ..info(4, 100) };
    let applications = Applications::new([info(1, 100), down, silent, overridden].map(Arc::new).into());
    driver.step(|server, cx| {
        assert_eq!(server.copy(&applications, cx), 2, "those that are up and have a lease")
    });
    assert_eq!([1, 2, 3, 4].map(|id| driver.status(id)), [Some(Up), None, None, Some(OutOfService)]);
    assert!(
        driver.events.iter().any(|event| matches!(event, Event::Registered { origin: Origin::Sync, .. }))
    );
}

#[test]
fn a_netflix_server_stops_at_once() {
    let mut driver = Driver::new(node(Profile::Netflix, 1));
    driver.at(120_000).register(info(1, 100), false);
    driver.at(120_100).input(Input::Stop);
    assert_eq!((driver.exited, driver.listens), (Some(0), false));
    driver.at(130_000);
    assert!(driver.batches().is_empty(), "what waited for the peer is lost");
}

#[test]
fn a_spring_server_ends_when_its_embedded_client_has() {
    let mut driver = with_peers(1);
    driver.register(info(1, 100), false);
    driver.at(100).input(Input::Stop);
    let late = Request::Get(Query::of(Resource::Apps).into());
    let late = driver.input(Input::Request { id: RequestId(0), from: Address(99), request: late });
    assert_eq!((driver.listens, late.map(|answer| answer.status)), (false, Some(503)));
    driver.at(200);
    assert_eq!(driver.exited, Some(0));
    driver.input(Input::Stop);
    driver.at(10_000);
    assert!(driver.batches().is_empty(), "what waited for the peer is lost");
}
