//! Who the peers are, and what becomes of them when the settings change.

use super::*;
use crate::protocol::eureka::wire::ItemResult;

#[test]
fn peers_come_in_order_of_zone_without_the_server_itself() {
    let mut node = node(Profile::SpringCloud, 0);
    node.hostname = Arc::from("here");
    node.client.zone = Arc::from("b");
    node.client.service_urls = Arc::from([
        url("a", "one", 1),
        url("b", "here", 2),
        url("b", "here", 3),
        url("b", "two", 4),
        url("c", "three", 5),
        url("c", "one", 1),
    ]);
    let told = |node: &ServerNode| {
        let mut driver = Driver::new(node.clone());
        driver.register(info(1, 100), false);
        driver.at(600).batches().iter().map(|batch| batch.to).collect::<Vec<u32>>()
    };
    assert_eq!(
        told(&node),
        [4, 5, 1],
        "whatever its port, a URL with its own host name is the server itself"
    );
    Arc::make_mut(&mut node.server).my_url = text(2);
    assert_eq!(told(&node), [3, 4, 5, 1]);
    Arc::make_mut(&mut node.server).my_url = "http://at2/eureka".into();
    assert_eq!(told(&node), [2, 3, 4, 5, 1], "without the slash the server becomes its own peer");
    Arc::make_mut(&mut node.server).my_url = text(2);
    Arc::make_mut(&mut node.client.client).prefer_same_zone = false;
    assert_eq!(told(&node), [1, 3, 4, 5]);
}

#[test]
fn a_peer_that_leaves_the_list_loses_its_tasks_and_a_new_one_starts_empty() {
    let mut driver = with_peers(2);
    driver.register(info(1, 100), false);
    let mut node = driver.server.node.clone();
    node.client.service_urls =
        node.client.service_urls.iter().filter(|url| url.address.0 != 2).cloned().collect();
    driver.at(100).input(Input::Reconfigure(Arc::new(Config::Server(Box::new(node.clone())))));
    driver.at(600);
    assert_eq!(driver.batches().iter().map(|batch| batch.to).collect::<Vec<_>>(), [1]);
    let back = url("defaultZone", "peer2", 2);
    node.client.service_urls = node.client.service_urls.iter().cloned().chain([back]).collect();
    driver.input(Input::Reconfigure(Arc::new(Config::Server(Box::new(node)))));
    driver.at(2000);
    assert!(driver.batches().is_empty(), "nothing is transferred");
    driver.heartbeat(1, 100);
    driver.at(2600);
    assert_eq!(driver.batches().iter().map(|batch| batch.to).collect::<Vec<_>>(), [1, 2]);
}

/// The text of the URL that leads there.
fn text(address: u32) -> Arc<str> {
    format!("http://at{address}/eureka/").into()
}

fn url(zone: &str, host: &str, address: u32) -> ServiceUrl {
    ServiceUrl { text: text(address), ..ServiceUrl::new(zone, host, Address(address)) }
}

/// Whom the server tells of a heartbeat, in order. Each call takes 600 ms.
fn told(driver: &mut Driver) -> Vec<u32> {
    assert_eq!(driver.heartbeat(1, 100), 200);
    let until = driver.now_ms + 600;
    let told: Vec<Batch> = driver.at(until).batches();
    for batch in &told {
        let results = batch.items.iter().map(|_| ItemResult { status: 200, entity: None }).collect();
        driver.outcome(batch, Ok(Response { status: 200, body: Body::Batch(Arc::new(results)) }));
    }
    told.iter().map(|batch| batch.to).collect()
}

fn reconfigured(driver: &mut Driver, change: impl FnOnce(&mut ServerNode)) {
    let mut node = driver.server.node.clone();
    change(&mut node);
    driver.input(Input::Reconfigure(Arc::new(Config::Server(Box::new(node)))));
}

/// The reference, 4.1: whether a peer is the server itself is looked at when something is told.
#[test]
fn a_peer_that_has_become_the_server_itself_is_told_nothing() {
    let mut driver = with_peers(2);
    driver.register(info(1, 100), true);
    assert_eq!(told(&mut driver), [1, 2]);
    reconfigured(&mut driver, |node| {
        Arc::make_mut(&mut node.server).my_url = "http://peer1/eureka/".into();
    });
    assert_eq!(told(&mut driver), [2], "it stays in the list, but is skipped");
    reconfigured(&mut driver, |node| Arc::make_mut(&mut node.server).my_url = "".into());
    assert_eq!(told(&mut driver), [1, 2]);
    reconfigured(&mut driver, |node| node.hostname = Arc::from("peer2"));
    assert_eq!(told(&mut driver), [1]);
    reconfigured(&mut driver, |node| {
        node.ip = Arc::from("peer1");
        Arc::make_mut(&mut node.client.client).applications_resolver_use_ip = true;
    });
    assert_eq!(told(&mut driver), [2], "addresses are compared now");
}

#[test]
fn names_are_compared_as_they_are_written() {
    let mut node = node(Profile::SpringCloud, 0);
    node.client.service_urls = Arc::from([url("defaultZone", "Peer0", 1), url("defaultZone", "peer0", 2)]);
    let mut driver = Driver::new(node);
    driver.register(info(1, 100), true);
    assert_eq!(told(&mut driver), [1]);
}

/// The reference, 4.2.
#[test]
fn a_server_without_any_url_does_not_start_unless_it_asks_dns() {
    for profile in [Profile::Netflix, Profile::SpringCloud] {
        let mut node = node(profile, 0);
        node.client.service_urls = Arc::from([]);
        let driver = Driver::new(node.clone());
        assert_eq!((driver.exited, driver.listens), (Some(1), false));
        Arc::make_mut(&mut node.client.client).use_dns = true;
        let mut driver = Driver::new(node);
        driver.at(120_000);
        assert_eq!((driver.exited, driver.listens), (None, true));
    }
}

#[test]
fn a_list_that_comes_out_empty_or_cannot_be_had_is_not_believed() {
    let mut driver = with_peers(1);
    driver.register(info(1, 100), true);
    reconfigured(&mut driver, |node| node.client.service_urls = Arc::from([url("defaultZone", "peer0", 7)]));
    assert_eq!(told(&mut driver), [1], "every URL is the server's own");
    reconfigured(&mut driver, |node| node.client.service_urls = Arc::from([]));
    assert_eq!(told(&mut driver), [1], "none at all: only logged");
    driver.at(700_000);
    assert_eq!((told(&mut driver), driver.exited), (vec![1], None), "by the task, too");
}

#[test]
fn spring_looks_for_peers_when_told_of_a_change_and_netflix_does_later() {
    let more = |node: &mut ServerNode| {
        node.client.service_urls =
            node.client.service_urls.iter().cloned().chain([url("z", "new", 9)]).collect();
    };
    let check = |profile, dns: bool, at_once: bool| {
        let mut node = node(profile, 1);
        Arc::make_mut(&mut node.client.client).use_dns = dns;
        let mut driver = Driver::new(node);
        driver.at(130_000).register(info(1, 100), true);
        reconfigured(&mut driver, more);
        let now: &[u32] = if at_once { &[1, 9] } else { &[1] };
        assert_eq!(told(&mut driver), now, "{profile:?}, DNS: {dns}");
        driver.at(600_000).register(info(1, 100), true);
        assert_eq!(told(&mut driver), [1, 9], "every 10 minutes: {profile:?}, DNS: {dns}");
    };
    check(Profile::SpringCloud, false, true);
    check(Profile::SpringCloud, true, false);
    check(Profile::Netflix, false, false);
}

#[test]
fn a_change_of_region_or_zones_makes_spring_look_for_peers() {
    let check = |change: fn(&mut ServerNode)| {
        let mut driver = with_peers(1);
        driver.register(info(1, 100), true);
        // Unnoticed: the new list comes with a change that is none of these.
        let before = driver.server.node.clone();
        driver.server.node.client.service_urls = Arc::from([url("defaultZone", "new", 9)]);
        let mut after = driver.server.node.clone();
        Arc::make_mut(&mut after.client.client).prefer_same_zone = false;
        driver.input(Input::Reconfigure(Arc::new(Config::Server(Box::new(after.clone())))));
        assert_eq!(told(&mut driver), [1]);
        change(&mut after);
        driver.input(Input::Reconfigure(Arc::new(Config::Server(Box::new(after)))));
        assert_eq!(told(&mut driver), [9]);
        assert_ne!(before.client.service_urls, driver.server.node.client.service_urls);
    };
    check(|node| Arc::make_mut(&mut node.client.client).region = Arc::from("elsewhere"));
    check(|node| {
        let zones = [(Arc::from("us-east-1"), Arc::from("a,b"))];
        Arc::make_mut(&mut node.client.client).availability_zones = Arc::from(zones);
    });
    check(|node| node.client.zone = Arc::from("b"));
}

/// Observables of the reference, 11.4: what has been counted is not forgotten with a peer.
#[test]
fn counters_outlive_their_peer() {
    let mut driver = with_peers(2);
    driver.register(info(1, 100), true);
    told(&mut driver);
    assert_eq!(driver.gauge(Gauge::ReplicationWorkers), 42);
    reconfigured(&mut driver, |node| node.client.service_urls = Arc::from([url("defaultZone", "peer1", 1)]));
    told(&mut driver);
    assert_eq!((driver.gauge(Gauge::ReplicationAccepted), driver.gauge(Gauge::ReplicationWorkers)), (3, 21));
}

/// Writes that come from peers, in whole minutes.
#[test]
fn writes_of_peers_are_counted_by_the_minute() {
    let mut driver = with_peers(1);
    driver.register(info(1, 100), true);
    driver.register(info(2, 100), false);
    assert_eq!(driver.renew(1, Stamp::At(100), None, true).status, 200);
    assert_eq!(driver.renew(1, Stamp::At(200), None, true).status, 404, "renewed before it was compared");
    assert_eq!(driver.renew(3, Stamp::At(100), None, true).status, 404, "no lease: nothing happened");
    driver.heartbeat(2, 100);
    let id = InstanceId(1);
    let (last_dirty, replication) = (Stamp::Absent, true);
    let set = Request::SetStatus { app: APP, id, status: Some(OutOfService), last_dirty, replication };
    let clear = Request::ClearStatus { app: APP, id, status: Some(Up), last_dirty, replication };
    for request in [set, clear, Request::Cancel { app: APP, id, replication }] {
        assert_eq!(driver.request(request).status, 200);
    }
    driver.at(59_999);
    assert_eq!(driver.gauge(Gauge::ReplicationsLastMinute), 0);
    driver.at(60_000);
    assert_eq!(driver.gauge(Gauge::ReplicationsLastMinute), 6);
    driver.at(120_000);
    assert_eq!(driver.gauge(Gauge::ReplicationsLastMinute), 0);
}
