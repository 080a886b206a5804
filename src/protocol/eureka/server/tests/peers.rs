//! Who the peers are, and what becomes of them when the settings change.

use super::*;

#[test]
fn peers_come_in_order_of_zone_without_the_server_itself() {
    let url = |zone: &str, host: &str, address| ServiceUrl {
        zone: Arc::from(zone),
        host: Arc::from(host),
        address: Address(address),
    };
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
    node.my_url = Some(Address(2));
    assert_eq!(told(&node), [3, 4, 5, 1]);
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
    driver.at(100).input(Input::Reconfigure(Arc::new(Config::Server(node.clone()))));
    driver.at(600);
    assert_eq!(driver.batches().iter().map(|batch| batch.to).collect::<Vec<_>>(), [1]);
    let back = ServiceUrl { address: Address(2), host: Arc::from("peer2"), zone: Arc::from("defaultZone") };
    node.client.service_urls = node.client.service_urls.iter().cloned().chain([back]).collect();
    driver.input(Input::Reconfigure(Arc::new(Config::Server(node))));
    driver.at(2000);
    assert!(driver.batches().is_empty(), "nothing is transferred");
    driver.heartbeat(1, 100);
    driver.at(2600);
    assert_eq!(driver.batches().iter().map(|batch| batch.to).collect::<Vec<_>>(), [1, 2]);
}
