//! How a server comes up and goes down: when its port is open, what it waits for, and what it ends with.

use super::*;
use crate::protocol::eureka::node::RemoteRegion;

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

/// A server in AWS that has read these hosts of the servers' application from peer 1. Its registry has been copied.
fn in_aws(profile: Profile, hosts: &[&str], change: impl FnOnce(&mut ServerNode)) -> Driver {
    let mut node = registering(profile, 3);
    node.cloud = true;
    change(&mut node);
    let server = |(at, host): (usize, &&str)| {
        let about = Arc::new(About::least("eureka", host));
        Arc::new(InstanceInfo { app: SERVERS, about, ..info(91 + at as u32, 100) })
    };
    let servers = Applications::new(hosts.iter().enumerate().map(server).collect());
    let mut driver = Driver::new(node);
    let (_, fetch) = driver.calls().remove(0);
    driver.answer(&fetch, Ok(Response { status: 200, body: Body::Apps(Arc::new(servers)) }));
    driver
}

/// A heartbeat: when, to whom, of which instance.
type Line = (u64, u32, u32);

/// The heartbeats of priming since the last look, and the calls themselves.
fn primed(driver: &mut Driver) -> (Vec<Line>, Vec<Call<Eureka>>) {
    let calls = driver.calls().into_iter().filter(|(_, call)| call.pool == REPLICATION);
    let line = |(at_ms, call): (u64, Call<Eureka>)| match &call.request {
        Request::Heartbeat(heartbeat, true) => ((at_ms, call.to.0, heartbeat.id.0), call),
        other => panic!("a heartbeat of a peer: {other:?}"),
    };
    calls.map(line).unzip()
}

const ANSWERED: fn() -> Result<Response, CallError> = || Ok(Response::empty(200));

/// The reference, 5.3.
#[test]
fn in_aws_the_ways_to_known_peers_are_tried_before_the_server_opens() {
    let unprotected =
        |node: &mut ServerNode| Arc::make_mut(&mut node.server).enable_self_preservation = false;
    let mut driver = in_aws(Profile::Netflix, &["peer2", "PEER1", "elsewhere"], unprotected);
    let (lines, calls) = primed(&mut driver);
    assert_eq!(
        (lines, driver.listens),
        (vec![(0, 1, 92)], false),
        "one after the other, in the order of peers"
    );
    assert_eq!((driver.gauge(Gauge::ExpectedClients), driver.gauge(Gauge::Serving)), (3, 0));
    driver.at(20).answer(&calls[0], Err(CallError::Status { code: 404, body: None, location: None }));
    let (lines, calls) = primed(&mut driver);
    assert_eq!(
        (lines, driver.listens),
        (vec![(20, 2, 91)], false),
        "any answer will do; peer 3 is not known"
    );
    driver.at(40).answer(&calls[0], ANSWERED());
    assert_eq!((driver.listens, driver.gauge(Gauge::Serving)), (true, 1));
    assert_eq!(driver.server.client.status(), Up);
    driver.at(60_040);
    assert!(
        driver.events.iter().any(|event| matches!(event, Event::EvictionPass { .. })),
        "a minute after opening"
    );
}

#[test]
fn a_peer_that_is_not_reached_is_tried_again_after_thirty_seconds_and_all_others_with_it() {
    let mut driver = in_aws(Profile::Netflix, &["peer1", "peer2"], |_| {});
    let (_, calls) = primed(&mut driver);
    driver.at(10).answer(&calls[0], ANSWERED());
    let (_, calls) = primed(&mut driver);
    driver.at(1010).answer(&calls[0], Err(CallError::ConnectTimeout));
    driver.at(31_009);
    assert_eq!(primed(&mut driver).0, []);
    let (lines, calls) = primed(driver.at(31_010));
    assert_eq!(lines, [(31_010, 1, 91)]);
    driver.answer(&calls[0], ANSWERED());
    let (lines, calls) = primed(&mut driver);
    assert_eq!((lines, driver.listens), (vec![(31_010, 2, 92)], false));
    driver.answer(&calls[0], ANSWERED());
    assert!(driver.listens);
}

#[test]
fn a_peer_that_stays_away_is_left_out_two_minutes_after_its_lease() {
    let mut driver = in_aws(Profile::Netflix, &["peer1"], |_| {});
    let mut tries = Vec::new();
    while !driver.listens {
        let (lines, calls) = primed(&mut driver);
        tries.extend(lines.iter().map(|(at_ms, ..)| *at_ms));
        calls.iter().for_each(|call| driver.answer(call, Err(CallError::Refused)));
        driver.at(driver.now_ms + 1000);
    }
    // 90 s of lease and 120 s of grace.
    assert_eq!(tries, (0..=7).map(|n| n * 30_000).collect::<Vec<u64>>());
    assert_eq!(driver.now_ms, 240_000);
}

#[test]
fn elsewhere_or_switched_off_nothing_is_primed_and_spring_primes_behind_an_open_port() {
    let mut driver = in_aws(Profile::Netflix, &["peer1"], |node| node.cloud = false);
    assert_eq!((primed(&mut driver).0, driver.listens), (vec![], true));
    let off = |node: &mut ServerNode| Arc::make_mut(&mut node.server).prime_aws_replica_connections = false;
    let mut driver = in_aws(Profile::Netflix, &["peer1"], off);
    assert_eq!((primed(&mut driver).0, driver.listens), (vec![], true));
    let mut driver = in_aws(Profile::SpringCloud, &["peer1"], |_| {});
    assert_eq!((primed(&mut driver).0.len(), driver.listens, driver.gauge(Gauge::Serving)), (1, true, 0));
}

/// The fetching of other regions goes on after a stop; nothing else does.
#[test]
fn a_server_that_is_stopped_while_it_primes_never_opens() {
    let region = RemoteRegion { name: "west".into(), address: Address(50), white_list: None };
    let mut driver = in_aws(Profile::SpringCloud, &["peer1"], |node| node.remote_regions = [region].into());
    let calls = driver.calls();
    let (_, fetch) = calls.iter().find(|(_, call)| call.pool == REMOTE_REGIONS).expect("a fetch");
    driver.answer(fetch, Err(CallError::Refused));
    let (_, calls) = primed(&mut driver);
    driver.answer(&calls[0], Err(CallError::Refused));
    driver.at(29_950).input(Input::Stop);
    driver.calls();
    driver.at(30_000);
    let pools: Vec<PoolId> = driver.calls().iter().map(|(_, call)| call.pool).collect();
    assert!(pools.contains(&REMOTE_REGIONS) && !pools.contains(&REPLICATION), "{pools:?}");
    assert_eq!((driver.listens, driver.exited), (false, None));
}

/// The reference, 5.1: Spring's port opens when the registry is about to be copied, Netflix's when it has been.
#[test]
fn when_the_port_opens() {
    let opens = |profile| {
        let mut driver = Driver::new(registering(profile, 1));
        assert!(!driver.listens, "the embedded client fetches");
        while !driver.server.client.constructed() {
            let (_, call) = driver.calls().remove(0);
            driver.answer(&call, Err(CallError::Refused));
        }
        while !driver.listens {
            driver.at(driver.now_ms + 1000);
        }
        (driver.now_ms, driver.gauge(Gauge::Serving))
    };
    assert_eq!(opens(Profile::SpringCloud), (0, 0));
    assert_eq!(opens(Profile::Netflix), (120_000, 1));
}
