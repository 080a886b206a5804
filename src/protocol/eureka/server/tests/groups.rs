//! Groups in AWS: what disabling one does to its instances, and how peers are told.

use super::*;

/// A server in AWS with peers at addresses 1, 2, ...
fn in_aws(peers: u32, change: impl FnOnce(&mut ServerNode)) -> Driver {
    netflix(peers, |node| {
        node.cloud = true;
        change(node);
    })
}

fn of_group(id: u32, group: &str) -> InstanceInfo {
    let about = About { asg: Some(group.into()), ..About::least("app", "host") };
    InstanceInfo { about: Arc::new(about), ..info(id, 100) }
}

fn put(driver: &mut Driver, name: &str, enabled: Option<bool>, replication: bool) -> u16 {
    driver.request(Request::SetGroup { name: name.into(), enabled, replication }).status
}

/// What a group was told to be, where nothing else is said.
fn group(call: &Call<Eureka>) -> (u32, &str, bool) {
    match &call.request {
        Request::SetGroup { name, enabled: Some(enabled), replication: true } => (call.to.0, name, *enabled),
        other => panic!("the status of a group, from a peer: {other:?}"),
    }
}

/// The reference, 7.1.
#[test]
fn a_group_can_be_set_in_aws_alone() {
    let mut driver = in_aws(0, |_| {});
    assert_eq!(put(&mut driver, "g", Some(false), false), 200);
    assert_eq!(put(&mut driver, "g", None, false), 500);
    let mut elsewhere = with_peers(1);
    assert_eq!(put(&mut elsewhere, "g", Some(false), false), 400);
    assert_eq!(put(&mut elsewhere, "g", None, false), 400);
    assert!(elsewhere.calls().is_empty());
    let disable = Operation::SetGroup { group: "g".into(), enabled: false };
    assert_eq!((driver.ask(disable.clone()), elsewhere.ask(disable)), (200, 400));
}

/// The reference, 2.4 and 7.1: Spring builds the registry that is not for AWS wherever it runs.
#[test]
fn spring_knows_no_groups_even_in_aws() {
    let mut node = node(Profile::SpringCloud, 1);
    node.cloud = true;
    let mut driver = Driver::new(node);
    assert_eq!(driver.gauge(Gauge::ReplicationWorkers), 21, "the thread for groups is there, and idle");
    assert_eq!(put(&mut driver, "g", Some(false), false), 400);
    driver.register(of_group(1, "g"), true);
    driver.register(InstanceInfo { status: OutOfService, ..of_group(2, "g") }, true);
    assert_eq!([1, 2].map(|id| driver.status(id)), [Some(Up), Some(OutOfService)], "no rule");
    assert!(driver.calls().is_empty());
}

#[test]
fn the_instances_of_a_disabled_group_are_out_of_service_from_their_next_renewal() {
    let mut driver = in_aws(0, |_| {});
    driver.register(of_group(1, "g"), false);
    driver.register(of_group(2, "other"), false);
    driver.register(info(3, 100), false);
    put(&mut driver, "g", Some(false), false);
    assert_eq!([1, 2, 3].map(|id| driver.status(id)), [Some(Up); 3]);
    (1..=3).for_each(|id| assert_eq!(driver.heartbeat(id, 100), 200));
    assert_eq!([1, 2, 3].map(|id| driver.status(id)), [Some(OutOfService), Some(Up), Some(Up)]);
    driver.register(of_group(4, "g"), true);
    assert_eq!(driver.status(4), Some(OutOfService), "a peer's registration, too");
    put(&mut driver, "g", Some(true), true);
    assert_eq!((driver.heartbeat(1, 100), driver.status(1)), (200, Some(Up)));
    driver.set_status(1, OutOfService);
    assert_eq!(
        (driver.heartbeat(1, 100), driver.status(1)),
        (200, Some(OutOfService)),
        "overrides come first"
    );
}

/// The reference, 2.4: what is not remembered counts as enabled until AWS has answered.
#[test]
fn a_forgotten_group_counts_as_enabled_once() {
    let mut driver = in_aws(0, |node| {
        Arc::make_mut(&mut node.server).asg_update_interval = Duration::from_secs(3600);
    });
    put(&mut driver, "g", Some(false), false);
    driver.at(600_000).register(of_group(1, "g"), false);
    assert_eq!(driver.status(1), Some(Up), "forgotten after ten minutes");
    assert_eq!((driver.heartbeat(1, 100), driver.status(1)), (200, Some(OutOfService)));
}

#[test]
fn groups_of_held_instances_are_asked_for_every_five_minutes() {
    let check = |asks: bool, second: Status| {
        let mut driver = in_aws(0, |node| Arc::make_mut(&mut node.server).use_aws_asg_api = asks);
        put(&mut driver, "g", Some(false), false);
        driver.register(of_group(1, "g"), false);
        assert_eq!(driver.status(1), Some(OutOfService));
        // Self-preservation keeps the silent instance. Only the task looks at its group.
        driver.at(899_999).register(of_group(2, "g"), false);
        assert_eq!(driver.status(2), Some(second), "AWS is asked: {asks}");
    };
    check(true, OutOfService);
    check(false, Up);
}

/// Golden vectors of the reference, 12.8, "non-batching, 1 worker": g at 0 and at 300.
#[test]
fn groups_are_told_at_once() {
    let mut driver = in_aws(2, |_| {});
    assert_eq!(
        driver.gauge(Gauge::ReplicationWorkers),
        42,
        "20 for batches and one for groups, for each peer"
    );
    let mut seen = Vec::new();
    for (at_ms, enabled) in [(0, false), (300, true)] {
        driver.at(at_ms);
        put(&mut driver, "g", Some(enabled), false);
        for (at_ms, call) in driver.calls() {
            seen.push((at_ms, call.to.0, group(&call).2));
            assert_eq!((call.pool, call.read_timeout), (REPLICATION, Duration::from_secs(5)));
            driver.answer(&call, Ok(Response::empty(200)));
        }
    }
    assert_eq!(seen, [(0, 1, false), (0, 2, false), (300, 1, true), (300, 2, true)]);
    put(&mut driver, "g", Some(false), true);
    assert!(driver.calls().is_empty(), "what a peer has told is not passed on");
}

/// What is sent about groups until `ms`: each request is answered after `service_ms`, the n-th with `answer(n)`.
fn sent(
    driver: &mut Driver,
    puts: &[(u64, &str)],
    ms: u64,
    service_ms: u64,
    answer: impl Fn(usize) -> Result<Response, CallError>,
) -> Vec<(u64, String)> {
    let (mut sent, mut open) = (Vec::new(), Vec::new());
    for now in 0..=ms {
        driver.at(now);
        for (at_ms, name) in puts {
            if *at_ms == now {
                assert_eq!(put(driver, name, Some(false), false), 200);
            }
        }
        open.retain(|(due, nth, call)| {
            if *due == now {
                driver.answer(call, answer(*nth));
            }
            *due > now
        });
        for (at_ms, call) in driver.calls() {
            open.push((at_ms + service_ms, sent.len(), call.clone()));
            sent.push((at_ms, group(&call).1.to_owned()));
        }
    }
    sent
}

/// Golden vectors of the reference, 12.8, "non-batching, 1 worker": 300 ms service, g 0, g 50, h 100, g 150. (1, 305 and 611
/// there.)
#[test]
fn groups_wait_for_the_only_worker_and_replace_each_other() {
    let mut driver = in_aws(1, |_| {});
    let puts = [(0, "g"), (50, "g"), (100, "h"), (150, "g")];
    let told = sent(&mut driver, &puts, 3000, 300, |_| Ok(Response::empty(200)));
    assert_eq!(told, [(0, "g".to_owned()), (310, "g".to_owned()), (620, "h".to_owned())]);
    assert_eq!(
        (driver.gauge(Gauge::ReplicationAccepted), driver.gauge(Gauge::ReplicationOverridden)),
        (4, 1)
    );
}

/// Golden vectors of the reference, 12.8: an answer 503 is tried again after a second, 404 and 500 are not.
#[test]
fn what_a_peer_answers_about_a_group() {
    let check = |result: Result<Response, CallError>, times: &[u64]| {
        let mut driver = in_aws(1, |node| {
            Arc::make_mut(&mut node.client.fixes).worker_dies_on_null_message = true;
        });
        let told = sent(&mut driver, &[(0, "g"), (1200, "h")], 1900, 4, |nth| match nth {
            0 => result.clone(),
            _ => Ok(Response::empty(200)),
        });
        assert_eq!(told.iter().map(|(at_ms, _)| *at_ms).collect::<Vec<_>>(), times, "{result:?}");
    };
    check(Ok(Response::empty(200)), &[0, 1200]);
    check(Ok(Response::empty(503)), &[0, 1010, 1200]);
    check(Ok(Response::empty(404)), &[0, 1200]);
    check(Ok(Response::empty(500)), &[0, 1200]);
    check(Err(CallError::ReadTimeout), &[0, 1010, 1200]);
    check(Err(CallError::Refused), &[0, 110, 1200]);
    // The only worker dies: nothing about groups is ever told to this peer again.
    check(Err(CallError::Broken), &[0]);
}

/// The reference, 4.1: the fan-out of groups does not look whether a peer is the server itself.
#[test]
fn a_server_tells_itself_of_groups() {
    let mut driver = in_aws(2, |_| {});
    let mut node = driver.server.node.clone();
    Arc::make_mut(&mut node.server).my_url = "http://peer1/eureka/".into();
    driver.input(Input::Reconfigure(Arc::new(Config::Server(Box::new(node)))));
    put(&mut driver, "g", Some(false), false);
    let told: Vec<u32> = driver.calls().iter().map(|(_, call)| group(call).0).collect();
    assert_eq!(told, [1, 2]);
}

#[test]
fn a_full_buffer_of_groups_loses_the_oldest() {
    let mut driver =
        in_aws(1, |node| Arc::make_mut(&mut node.server).max_elements_in_status_replication_pool = 2);
    let puts = [(0, "a"), (20, "b"), (40, "c"), (60, "d")];
    let told = sent(&mut driver, &puts, 3000, 300, |_| Ok(Response::empty(200)));
    let names: Vec<&str> = told.iter().map(|(_, name)| name.as_str()).collect();
    assert_eq!((names, driver.gauge(Gauge::ReplicationOverflow)), (vec!["a", "c", "d"], 1));
}

/// A task about a group lives as long as `maxTimeForReplication`.
#[test]
fn a_task_about_a_group_expires() {
    let mut driver = in_aws(1, |node| {
        Arc::make_mut(&mut node.server).max_time_for_replication = Duration::from_millis(1500)
    });
    let told = sent(&mut driver, &[(0, "g")], 5000, 4, |_| Err(CallError::ReadTimeout));
    assert_eq!(told.iter().map(|(at_ms, _)| *at_ms).collect::<Vec<_>>(), [0, 1010]);
    assert_eq!(driver.gauge(Gauge::ReplicationExpired), 1);
}
