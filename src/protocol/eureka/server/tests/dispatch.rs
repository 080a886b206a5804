//! Replication: when batches leave, what is in them, and what answers do.

use super::*;
use crate::protocol::eureka::wire::ItemResult;

/// Results for a batch, all with this status.
fn all(batch: &Batch, status: u16) -> Result<Response, CallError> {
    let results = batch.items.iter().map(|_| ItemResult { status, entity: None }).collect();
    Ok(Response { status: 200, body: Body::Batch(Arc::new(results)) })
}

/// A server that has registered these instances long ago, with its replication done.
fn holding(ids: std::ops::Range<u32>, change: impl FnOnce(&mut ServerConfig)) -> Driver {
    let mut node = node(Profile::SpringCloud, 1);
    change(Arc::make_mut(&mut node.server));
    let mut driver = Driver::new(node);
    let count = ids.len();
    ids.for_each(|id| driver.register(info(id, 100), true));
    assert!(driver.batches().is_empty(), "replicated writes are not passed on: {count}");
    driver
}

/// The batches sent until `ms`, in short: when, and how many items. All are answered well at once.
fn sent(driver: &mut Driver, ms: u64) -> Vec<(u64, usize)> {
    let mut sent = Vec::new();
    while driver.now_ms <= ms {
        driver.at(driver.now_ms);
        for batch in driver.batches() {
            sent.push((batch.at_ms, batch.items.len()));
            driver.outcome(&batch, all(&batch, 200));
        }
        driver.now_ms += 1;
    }
    sent
}

/// Heartbeats of instances at times: the golden vectors of the reference, 12.8, "tasks a at 0, b at 100" and the following.
#[test]
fn batches_leave_when_the_head_is_500_ms_old() {
    let check = |tasks: &[(u64, std::ops::Range<u32>)], expected: &[(u64, usize)]| {
        let mut driver = holding(0..400, |_| {});
        let mut batches = Vec::new();
        for (at_ms, ids) in tasks {
            if *at_ms > 0 {
                batches.extend(sent(&mut driver, at_ms - 1));
            }
            driver.at(*at_ms);
            ids.clone().for_each(|id| assert_eq!(driver.heartbeat(id, 100), 200));
        }
        batches.extend(sent(&mut driver, 8000));
        assert_eq!(batches, expected, "{tasks:?}");
    };
    check(&[(0, 0..1)], &[(500, 1)]);
    check(&[(0, 0..1), (100, 1..2)], &[(500, 2)]);
    check(&[(0, 0..300)], &[(500, 250), (500, 50)]);
    check(&[(0, 0..1), (480, 1..301)], &[(500, 250), (980, 51)]);
    // The head is renewed at 400: its age begins anew, and the others wait with it.
    check(&[(0, 0..1), (50, 1..2), (60, 2..3), (400, 0..1)], &[(900, 3)]);
    // One that is not the head delays nothing.
    check(&[(0, 0..1), (50, 1..2), (400, 1..2)], &[(500, 2)]);
    // The grid of 10 ms begins when a task wakes the idle acceptor.
    check(&[(3, 0..1)], &[(503, 1)]);
    check(&[(3, 0..1), (8, 1..2), (401, 0..1)], &[(903, 2)]);
}

#[test]
fn a_head_that_is_renewed_all_the_time_starves_everybody() {
    let mut driver = holding(0..2, |_| {});
    let mut batches = Vec::new();
    driver.heartbeat(1, 100);
    driver.heartbeat(0, 100);
    // The head is whichever came first: instance 1.
    for round in 1..=15 {
        batches.extend(sent(&mut driver, round * 400 - 1));
        driver.at(round * 400).heartbeat(1, 100);
    }
    assert!(batches.is_empty(), "nothing leaves before 6500 ms: {batches:?}");
    assert_eq!(sent(&mut driver, 7000), [(6500, 2)]);
}

#[test]
fn a_full_buffer_is_sent_without_waiting() {
    let mut driver = holding(0..20, |config| config.max_elements_in_peer_replication_pool = 10);
    (0..10).for_each(|id| assert_eq!(driver.heartbeat(id, 100), 200));
    assert_eq!(sent(&mut driver, 100), [(10, 10)], "at the next turn");
}

/// Golden vectors of the reference, 12.8, "overflow": buffer 10, no idle worker, 13 ids; then an overwrite.
#[test]
fn a_full_buffer_loses_its_oldest_task_even_to_an_overwrite() {
    let mut driver = holding(0..20, |config| {
        config.max_elements_in_peer_replication_pool = 10;
        config.max_threads_for_peer_replication = 1;
    });
    driver.heartbeat(19, 100);
    driver.at(500);
    let busy = driver.batches();
    assert_eq!(busy[0].kinds(), [("heartbeat", 19)]);
    (0..13).for_each(|id| assert_eq!(driver.heartbeat(id, 100), 200));
    driver.at(600);
    assert_eq!((driver.gauge(Gauge::ReplicationOverflow), driver.gauge(Gauge::ReplicationPending)), (3, 10));
    driver.heartbeat(12, 100);
    driver.at(700);
    assert_eq!((driver.gauge(Gauge::ReplicationOverflow), driver.gauge(Gauge::ReplicationPending)), (4, 9));
    driver.outcome(&busy[0], all(&busy[0], 200));
    driver.at(1200);
    let next = driver.batches();
    assert_eq!(next[0].kinds(), (4..13).map(|id| ("heartbeat", id)).collect::<Vec<_>>());
}

/// Golden vectors of the reference, 12.8, "overflow": 5 failed tasks come back to 8 that wait, of at most 10.
#[test]
fn what_fails_comes_back_as_far_as_there_is_room() {
    let mut driver = holding(0..20, |config| config.max_elements_in_peer_replication_pool = 10);
    (0..5).for_each(|id| assert_eq!(driver.heartbeat(id, 100), 200));
    driver.at(500);
    let failing = driver.batches();
    assert_eq!(failing[0].kinds().len(), 5);
    (5..13).for_each(|id| assert_eq!(driver.heartbeat(id, 100), 200));
    driver.at(520).outcome(&failing[0], Err(CallError::Refused));
    driver.at(700);
    let next = driver.batches();
    let expected: Vec<_> = (3..13).map(|id| ("heartbeat", id)).collect();
    assert_eq!(
        (next[0].at_ms, next[0].kinds()),
        (620, expected),
        "full, so sent as soon as the peer may be asked"
    );
    assert_eq!(driver.gauge(Gauge::ReplicationOverflow), 3);
}

/// Golden vectors of the reference, 12.8: transient at 507, a newer copy of the failed task at 530.
#[test]
fn a_newer_task_displaces_the_failed_one() {
    let mut driver = holding(0..3, |_| {});
    driver.heartbeat(0, 100);
    driver.at(507);
    let failing = driver.batches();
    driver.outcome(&failing[0], Err(CallError::Refused));
    driver.at(530).register(InstanceInfo { status: Down, ..info(0, 110) }, true);
    driver.heartbeat(0, 110);
    driver.heartbeat(2, 100);
    driver.at(2000);
    let next = driver.batches();
    let [Item::Heartbeat(first), Item::Heartbeat(_)] = &next[0].items[..] else { panic!("both: {next:?}") };
    assert_eq!((first.status, first.last_dirty, next[0].at_ms, next.len()), (Down, Stamp::At(110), 1030, 1));
}

/// Golden vectors of the reference, 12.8: what the peer answers, and when the batch is sent again (ms).
#[test]
fn failures_are_retried_by_class() {
    let check = |result: fn(&Batch) -> Result<Response, CallError>, again: Option<u64>| {
        let mut driver = holding(0..1, |_| {});
        driver.heartbeat(0, 100);
        driver.at(502);
        let first = driver.batches();
        assert_eq!(first.len(), 1);
        driver.outcome(&first[0], result(&first[0]));
        driver.at(3000);
        let second = driver.batches().first().map(|batch| (batch.at_ms, batch.kinds()));
        assert_eq!(second, again.map(|at_ms| (at_ms, vec![("heartbeat", 0)])));
    };
    check(|batch| all(batch, 200), None);
    check(|_| Err(CallError::Refused), Some(610));
    check(|_| Err(CallError::ConnectTimeout), Some(610));
    check(|_| Err(CallError::Reset), Some(610));
    check(|_| Err(CallError::Broken), Some(610));
    check(|_| Err(CallError::ReadTimeout), Some(1510));
    check(|_| Ok(Response::empty(503)), Some(1510));
    check(|_| Err(CallError::Status { code: 503, body: None, location: None }), Some(1510));
    check(|_| Err(CallError::Status { code: 502, body: None, location: None }), None);
    check(|_| Ok(Response::empty(307)), None);
    check(|_| Ok(Response::empty(404)), None);
    check(|_| Ok(Response::empty(500)), None);
    // Success without the entity.
    check(|_| Ok(Response::empty(200)), None);
    // A wrong number of results is a success without any handling.
    check(|_| Ok(Response { status: 200, body: Body::Batch(Arc::default()) }), None);
}

/// Golden vectors of the reference, 12.8: congestion at 508 holds back what comes later, too.
#[test]
fn after_congestion_the_whole_peer_is_left_in_peace() {
    let mut driver = holding(0..2, |_| {});
    driver.heartbeat(0, 100);
    driver.at(508);
    let first = driver.batches();
    driver.outcome(&first[0], Err(CallError::ReadTimeout));
    driver.at(513).heartbeat(1, 100);
    driver.at(4000);
    let second: Vec<_> = driver.batches().iter().map(|batch| (batch.at_ms, batch.kinds())).collect();
    assert_eq!(second, [(1510, vec![("heartbeat", 0), ("heartbeat", 1)])]);
}

/// Golden vectors of the reference, 12.8: transient at 503, congestion at 544: the pause for the first is over, and at its end
/// that for the second is noticed.
#[test]
fn failures_during_a_pause_count_at_its_end() {
    let mut driver = holding(0..300, |_| {});
    (0..300).for_each(|id| assert_eq!(driver.heartbeat(id, 100), 200));
    driver.at(503);
    let first = driver.batches();
    assert_eq!(first.len(), 2);
    driver.outcome(&first[0], Err(CallError::Refused));
    driver.at(544).outcome(&first[1], Err(CallError::ReadTimeout));
    driver.at(4000);
    assert_eq!(driver.batches().first().map(|batch| batch.at_ms), Some(1550));
}

/// Golden vectors of the reference, 12.8: a task lives as long as the instance's renewal interval, 30 s.
#[test]
fn a_task_is_retried_until_it_expires() {
    let mut driver = holding(0..1, |_| {});
    driver.heartbeat(0, 100);
    let mut sends = Vec::new();
    while driver.now_ms < 60_000 {
        driver.at(driver.now_ms + 1);
        for batch in driver.batches() {
            sends.push(batch.at_ms);
            driver.outcome(&batch, Err(CallError::ReadTimeout));
        }
    }
    assert_eq!(sends.len(), 30, "about one a second: {sends:?}");
    assert!(sends.windows(2).all(|pair| (1000..1020).contains(&(pair[1] - pair[0]))), "{sends:?}");
    assert_eq!(driver.gauge(Gauge::ReplicationExpired), 1);
    assert_eq!(driver.gauge(Gauge::ReplicationPending), 0);
}

/// Golden vectors of the reference, 12.8: heartbeat at 0, item 404: the registration follows by the next batch.
#[test]
fn a_peer_that_lacks_the_instance_is_sent_it() {
    let mut driver = holding(0..1, |_| {});
    driver.heartbeat(0, 100);
    driver.at(530);
    let batch = driver.batches().remove(0);
    assert_eq!((batch.at_ms, batch.kinds()), (500, vec![("heartbeat", 0)]));
    driver.outcome(&batch, all(&batch, 404));
    driver.at(2000);
    let repair = driver.batches().remove(0);
    assert_eq!((repair.at_ms, repair.kinds()), (1030, vec![("register", 0)]));
}

#[test]
fn a_peer_with_a_newer_copy_is_copied_from() {
    let mut driver = holding(0..1, |_| {});
    driver.heartbeat(0, 100);
    driver.at(530);
    let batch = driver.batches().remove(0);
    let newer = Arc::new(InstanceInfo { status: OutOfService, overridden: OutOfService, ..info(0, 120) });
    let results = vec![ItemResult { status: 409, entity: Some(newer) }];
    driver.outcome(&batch, Ok(Response { status: 200, body: Body::Batch(Arc::new(results)) }));
    let held = driver.held(0).expect("registered again");
    assert_eq!((held.status, held.overridden, held.last_dirty), (OutOfService, OutOfService, 120));
    assert_eq!(driver.gauge(Gauge::Overrides), 1);
    driver.at(2000);
    assert!(driver.batches().is_empty(), "it is not passed on");
}

#[test]
fn no_copy_is_taken_where_that_is_switched_off() {
    let mut driver = holding(0..1, |config| config.sync_when_timestamp_differs = false);
    driver.heartbeat(0, 100);
    driver.at(530);
    let batch = driver.batches().remove(0);
    let results = vec![ItemResult { status: 409, entity: Some(Arc::new(info(0, 120))) }];
    driver.outcome(&batch, Ok(Response { status: 200, body: Body::Batch(Arc::new(results)) }));
    assert_eq!(driver.held(0).map(|held| held.last_dirty), Some(100));
}

/// The tasks refer to the live object: two overrides within one batch delay send the later status twice. A model that
/// remembered what was written would send OUT_OF_SERVICE and then DOWN.
#[test]
fn a_batch_says_what_holds_when_it_leaves_not_when_it_was_queued() {
    let mut driver = holding(0..1, |_| {});
    assert_eq!(driver.heartbeat(0, 100), 200);
    assert_eq!(driver.set_status(0, OutOfService), 200);
    driver.at(100);
    let raise = Request::SetStatus {
        app: APP,
        id: InstanceId(0),
        status: Some(Down),
        last_dirty: Stamp::At(130),
        replication: true,
    };
    assert_eq!(driver.request(raise).status, 200);
    driver.at(500);
    let batch = driver.batches().remove(0);
    let said = batch.items.iter().map(|item| match item {
        Item::Heartbeat(heartbeat) => (heartbeat.status, heartbeat.last_dirty, heartbeat.overridden),
        Item::SetStatus { status, last_dirty, .. } => (*status, Stamp::At(*last_dirty), None),
        other => panic!("not asked for: {other:?}"),
    });
    assert_eq!(said.collect::<Vec<_>>(), [(Down, Stamp::At(130), None), (Down, Stamp::At(130), None)]);
}

/// The other half: a registration puts a new object under the lease, and a waiting task keeps pointing at the old one.
#[test]
fn a_task_keeps_the_object_that_a_registration_has_replaced() {
    let mut driver = holding(0..1, |_| {});
    driver.heartbeat(0, 100);
    driver.at(100).register(InstanceInfo { status: Down, ..info(0, 110) }, true);
    driver.at(500);
    let batch = driver.batches().remove(0);
    let [Item::Heartbeat(heartbeat)] = &batch.items[..] else { panic!("one heartbeat: {batch:?}") };
    assert_eq!((heartbeat.status, heartbeat.last_dirty), (Up, Stamp::At(100)));
    driver.outcome(&batch, all(&batch, 200));
    assert_eq!(
        driver.server.registry.store.holders.len(),
        2,
        "the lease's, and the old one in the delta queue"
    );
}

#[test]
fn a_batch_is_worked_off_in_order_with_a_result_for_each_item() {
    let mut driver = alone(|_| {});
    let id = InstanceId(1);
    let beat = |last_dirty| {
        let (last_dirty, overridden) = (Stamp::At(last_dirty), None);
        Item::Heartbeat(Heartbeat { app: APP, id, status: Up, last_dirty, overridden })
    };
    let items = vec![
        beat(100),
        Item::Register(Arc::new(info(1, 100))),
        beat(100),
        beat(90),
        beat(110),
        Item::SetStatus { app: APP, id, status: OutOfService, last_dirty: 100 },
        Item::ClearStatus { app: APP, id, status: Up, last_dirty: 100 },
        Item::Cancel { app: APP, id },
        Item::Cancel { app: APP, id },
        Item::SetStatus { app: APP, id, status: Down, last_dirty: 100 },
    ];
    let response = driver.request(Request::Batch(Arc::new(items)));
    let Body::Batch(results) = response.body else { panic!("results: {response:?}") };
    let statuses: Vec<u16> = results.iter().map(|result| result.status).collect();
    assert_eq!((response.status, statuses), (200, vec![404, 200, 200, 409, 404, 200, 200, 200, 404, 404]));
    assert_eq!(results[3].entity.as_ref().map(|copy| copy.last_dirty), Some(100));
}

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

#[test]
fn a_wall_clock_set_forward_is_noticed_by_the_dispatcher() {
    let mut driver = holding(0..1, |_| {});
    driver.heartbeat(0, 100);
    driver.at(100).wall_offset_ms = 3000;
    // Any input shows the server its clocks.
    driver.input(Input::Timeout);
    driver.at(200);
    assert_eq!(driver.batches().first().map(|batch| batch.at_ms), Some(110));
}
