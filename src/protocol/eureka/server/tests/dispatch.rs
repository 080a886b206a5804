//! Replication: when batches leave, what is in them, and what answers do. Among them the golden vectors of the reference, 12.8, in
//! its order; the numbers measured there are given where they differ by more than the 10 ms of a turn. Those of the dispatcher
//! for groups are in [`super::groups`].

use std::collections::VecDeque;

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

/// An instance whose heartbeats are worth telling for this long.
fn living(id: u32, life_ms: u64) -> InstanceInfo {
    let lease =
        LeaseInfo { renewal_interval: Duration::from_millis(life_ms), duration: Duration::from_secs(90) };
    InstanceInfo { lease: Some(lease), ..info(id, 100) }
}

/// Heartbeats of instances at times, in order of time, until `ms`. Each batch is answered after `service_ms`, the n-th with
/// `answer(n, batch)`. Gives when batches were sent, and whose heartbeats were in them.
fn play(
    driver: &mut Driver,
    tasks: &[(u64, u32)],
    ms: u64,
    service_ms: u64,
    answer: impl Fn(usize, &Batch) -> Result<Response, CallError>,
) -> Vec<(u64, Vec<u32>)> {
    let (mut sends, mut open) = (Vec::new(), VecDeque::<(u64, usize, Batch)>::new());
    let mut tasks = tasks.iter().peekable();
    for now in 0..=ms {
        driver.at(now);
        while let Some((_, id)) = tasks.next_if(|(at_ms, _)| *at_ms == now) {
            assert_eq!(driver.heartbeat(*id, 100), 200);
        }
        loop {
            for batch in driver.batches() {
                let ids = batch.kinds().into_iter().map(|(_, id)| id).collect();
                let nth = sends.len();
                sends.push((batch.at_ms, ids));
                open.push_back((batch.at_ms + service_ms, nth, batch));
            }
            let Some((_, nth, batch)) = open.pop_front_if(|(due, ..)| *due == now) else { break };
            driver.outcome(&batch, answer(nth, &batch));
        }
    }
    sends
}

/// When, and how many.
fn sizes(sends: &[(u64, Vec<u32>)]) -> Vec<(u64, usize)> {
    sends.iter().map(|(at_ms, ids)| (*at_ms, ids.len())).collect()
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

/// Golden vectors of the reference, 12.8: one worker with 200 ms service (510 and 711 there).
#[test]
fn the_only_worker_sends_one_batch_after_the_other() {
    let mut driver = holding(0..300, |config| config.max_threads_for_peer_replication = 1);
    let tasks: Vec<(u64, u32)> = (0..300).map(|id| (0, id)).collect();
    let sends = play(&mut driver, &tasks, 3000, 200, |_, batch| all(batch, 200));
    assert_eq!(sizes(&sends), [(500, 250), (710, 50)]);
}

/// Golden vectors of the reference, 12.8: 300 tasks of which the first 100 have expired at 300 ms.
#[test]
fn expired_tasks_make_room_in_the_batch() {
    let mut driver = holding(100..300, |_| {});
    (0..100).for_each(|id| driver.register(living(id, 300), true));
    let tasks: Vec<(u64, u32)> = (0..300).map(|id| (0, id)).collect();
    let sends = play(&mut driver, &tasks, 3000, 1, |_, batch| all(batch, 200));
    assert_eq!(sizes(&sends), [(500, 200)]);
    assert_eq!(driver.gauge(Gauge::ReplicationExpired), 100);
}

/// Golden vectors of the reference, 12.8: a head that is renewed every 505 ms is due for 5 ms each time, and the turns of 10 ms
/// may miss that. (There turns drift, and it left at 2520, 3531 and 5560. Here it is put between two turns by a renewal at 4 ms.)
#[test]
fn a_turn_can_miss_the_moment_in_which_the_head_is_due() {
    let mut driver = holding(0..1, |_| {});
    let tasks = [(0, 0), (4, 0), (509, 0), (1014, 0), (1519, 0)];
    let sends = play(&mut driver, &tasks, 3000, 1, |_, batch| all(batch, 200));
    assert_eq!(sizes(&sends), [(1010, 1), (1514, 1), (2019, 1)], "not at 510: renewed at 509");
}

/// Golden vectors of the reference, 12.8: buffer 10, every 100 ms the head again and one new id (904 there).
#[test]
fn a_starving_buffer_leaves_when_it_is_full() {
    let mut driver = holding(0..20, |config| config.max_elements_in_peer_replication_pool = 10);
    let mut tasks = vec![(0, 0)];
    tasks.extend((1..=15).flat_map(|n| [(u64::from(n) * 100, 0), (u64::from(n) * 100, n)]));
    let sends = play(&mut driver, &tasks, 1000, 1, |_, batch| all(batch, 200));
    assert_eq!(sizes(&sends), [(910, 10)]);
}

/// Golden vectors of the reference, 12.8: buffer 10, filled at 0 (all 10 at 1 there). Filled bit by bit, it is noticed at a turn.
#[test]
fn a_full_buffer_is_sent_without_waiting() {
    let mut driver = holding(0..20, |config| config.max_elements_in_peer_replication_pool = 10);
    (0..10).for_each(|id| assert_eq!(driver.heartbeat(id, 100), 200));
    assert_eq!(sent(&mut driver, 100), [(0, 10)], "with the task that woke the acceptor");
    driver.heartbeat(10, 100);
    driver.at(driver.now_ms + 5);
    (11..20).for_each(|id| assert_eq!(driver.heartbeat(id, 100), 200));
    assert_eq!(sent(&mut driver, 1000), [(111, 10)], "at the next turn");
}

/// Golden vectors of the reference, 12.8: failing after 5 ms for ever (gaps of 107 to 113 ms, and of 1005 to 1013 ms).
#[test]
fn a_peer_that_fails_all_the_time_is_asked_at_even_gaps() {
    let check = |result: Result<Response, CallError>, gaps: std::ops::RangeInclusive<u64>, least: usize| {
        let mut driver = holding(0..1, |_| {});
        let sends = play(&mut driver, &[(0, 0)], 40_000, 5, |_, _| result.clone());
        let between: Vec<u64> = sends.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
        assert!(between.iter().all(|gap| gaps.contains(gap)), "{result:?}: {between:?}");
        assert!(between.len() >= least, "until the task expires: {}", between.len());
        assert_eq!(driver.gauge(Gauge::ReplicationReplayed), sends.len() as i64);
    };
    check(Err(CallError::Refused), 107..=113, 260);
    check(Ok(Response::empty(503)), 1005..=1013, 28);
}

/// Golden vectors of the reference, 12.8: short lives. Life 1500, always refused: 10 sends 100 ms apart, and the last 900 ms after the
/// first. There it was 12 sends, and the last 918 ms after the first: at gaps of 102 ms (ten sleeps of 10 ms and their overrun) that
/// is 10 as well, and 2 more which failed before the acceptor's next statement; see the acceptor.
#[test]
fn a_task_dies_when_its_life_is_over() {
    let check = |life_ms, service_ms, result: Result<Response, CallError>, times: &[u64]| {
        let mut driver = holding(0..0, |_| {});
        driver.register(living(0, life_ms), true);
        let sends = play(&mut driver, &[(0, 0)], 40_000, service_ms, |_, _| result.clone());
        assert_eq!(sends.iter().map(|(at_ms, _)| *at_ms).collect::<Vec<_>>(), times, "{life_ms}: {result:?}");
    };
    let hundreds: Vec<u64> = (5..=14).map(|n| n * 100).collect();
    check(1500, 0, Err(CallError::Refused), &hundreds);
    check(1500, 2, Err(CallError::Refused), &[500, 610, 720, 830, 940, 1050, 1160, 1270, 1380, 1490]);
    check(3200, 2, Ok(Response::empty(503)), &[500, 1510, 2520]);
    check(300, 2, Err(CallError::Refused), &[]);
    check(30_000, 2, Ok(Response::empty(404)), &[500]);
}

/// The reference, 4.6, "same-millisecond gap": a failure within the millisecond of its release is tried again at once, without a
/// look at the shaper, if something makes the acceptor take a turn in that millisecond. A new task does.
#[test]
fn a_task_that_wakes_the_acceptor_takes_a_failure_of_that_millisecond_along() {
    let again = |after_ms: u64| {
        let mut driver = holding(0..2, |_| {});
        driver.heartbeat(0, 100);
        let batch = driver.at(500).batches().remove(0);
        driver.outcome(&batch, Err(CallError::Refused));
        driver.at(500 + after_ms).heartbeat(1, 100);
        let at_once = driver.batches().first().map(|batch| (batch.at_ms, batch.items.len()));
        at_once.or_else(|| driver.at(700).batches().first().map(|batch| (batch.at_ms, batch.items.len())))
    };
    assert_eq!(again(0), Some((500, 2)));
    assert_eq!(again(1), Some((601, 2)));
}

/// Batches that fail at different times come back in reverse order of failing (executed, the reference, 4.6).
#[test]
fn the_batch_that_failed_last_is_sent_first() {
    let mut driver = holding(0..4, |_| {});
    let mut open = Vec::new();
    for id in 0..4 {
        driver.at(u64::from(id) * 600).heartbeat(id, 100);
        driver.at(u64::from(id) * 600 + 500);
        open.extend(driver.batches());
    }
    assert_eq!(open.len(), 4);
    for (at_ms, batch) in (2400..).step_by(15).zip(&open) {
        driver.at(at_ms).outcome(batch, Err(CallError::ReadTimeout));
    }
    let again = driver.at(5000).batches().remove(0);
    assert_eq!(again.kinds(), [3, 2, 1, 0].map(|id| ("heartbeat", id)));
}

/// Of two copies of one task that failed, the one that failed last survives, even if it is the older (executed, the reference,
/// 4.6). And a failed copy is sent again even if a newer one has been delivered meanwhile.
#[test]
fn an_older_copy_can_come_after_a_newer_one() {
    let said = |batch: &Batch| match &batch.items[..] {
        [Item::Heartbeat(heartbeat)] => heartbeat.overridden.and_then(Result::ok),
        other => panic!("one heartbeat: {other:?}"),
    };
    let check = |newer_fails: bool| {
        let mut driver = holding(0..1, |_| {});
        driver.heartbeat(0, 100);
        let older = driver.at(500).batches().remove(0);
        let (last_dirty, replication) = (Stamp::Absent, true);
        let set =
            Request::SetStatus { app: APP, id: InstanceId(0), status: Some(Down), last_dirty, replication };
        assert_eq!(driver.at(600).request(set).status, 200);
        driver.heartbeat(0, 100);
        let newer = driver.at(1100).batches().remove(0);
        assert_eq!((said(&older), said(&newer)), (None, Some(Down)), "overrides are those of the making");
        let result = if newer_fails { Err(CallError::Refused) } else { all(&newer, 200) };
        driver.at(1101).outcome(&newer, result);
        driver.at(1102).outcome(&older, Err(CallError::Refused));
        let again = driver.at(2000).batches();
        assert_eq!(again.iter().map(said).collect::<Vec<_>>(), [None]);
        assert_eq!(driver.gauge(Gauge::ReplicationOverridden), i64::from(newer_fails));
    };
    check(true);
    check(false);
}

/// Golden vectors of the reference, 12.8: two workers, two batches that kill them.
#[test]
fn workers_die_of_errors_without_a_message() {
    let mut node = node(Profile::SpringCloud, 1);
    Arc::make_mut(&mut node.client.fixes).worker_dies_on_null_message = true;
    Arc::make_mut(&mut node.server).max_threads_for_peer_replication = 2;
    let mut driver = Driver::new(node);
    (0..3).for_each(|id| driver.register(info(id, 100), true));
    let poisoned =
        play(&mut driver, &[(0, 0), (600, 1), (1200, 2)], 60_000, 5, |_, _| Err(CallError::Broken));
    assert_eq!(poisoned, [(500, vec![0]), (1100, vec![1])], "one each, and then no more");
    assert_eq!(driver.gauge(Gauge::ReplicationWorkers), 1, "that of groups");
    assert_eq!(driver.gauge(Gauge::ReplicationPending), 1, "for ever");
    assert_eq!(driver.gauge(Gauge::ReplicationExpired), 0, "nobody is there to find it expired");
    assert_eq!(driver.gauge(Gauge::ReplicationReplayed), 0, "the batches are lost, and no counter moves");
    let mut current = holding(0..1, |_| {});
    let sends = play(&mut current, &[(0, 0)], 3000, 5, |nth, batch| match nth {
        0 => Err(CallError::Broken),
        _ => all(batch, 200),
    });
    assert_eq!((sizes(&sends), current.gauge(Gauge::ReplicationWorkers)), (vec![(500, 1), (610, 1)], 21));
}

/// `fixes: timeoutIsCongestion` off, as before 2017: a busy peer is asked again after 100 ms.
#[test]
fn a_read_timeout_can_be_taken_for_a_network_failure() {
    let mut node = node(Profile::SpringCloud, 1);
    Arc::make_mut(&mut node.client.fixes).timeout_is_congestion = false;
    let mut driver = Driver::new(node);
    driver.register(info(0, 100), true);
    let sends = play(&mut driver, &[(0, 0)], 3000, 2, |nth, batch| match nth {
        0 => Err(CallError::ReadTimeout),
        _ => all(batch, 200),
    });
    assert_eq!(sizes(&sends), [(500, 1), (610, 1)]);
}

/// Golden vectors of the reference, 12.8: shutdown at 100 with a task queued.
#[test]
fn what_is_queued_at_a_shutdown_is_never_sent() {
    let mut driver = holding(0..1, |_| {});
    driver.heartbeat(0, 100);
    driver.at(100).input(Input::Stop);
    driver.at(5000);
    assert!(driver.batches().is_empty());
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
    assert_eq!(driver.gauge(Gauge::ReplicationOverridden), 1, "the old one counts as overridden");
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
    assert_eq!(driver.gauge(Gauge::ReplicationNotFound), 1);
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
    assert_eq!((driver.gauge(Gauge::Overrides), driver.gauge(Gauge::ReplicationConflicts)), (1, 1));
    driver.at(60_000);
    assert!(driver.batches().is_empty(), "it is not passed on");
    assert_eq!(
        driver.gauge(Gauge::ReplicationsLastMinute),
        2,
        "but it counts like the registration by a peer"
    );
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
        Item::SetStatus { status: Some(status), last_dirty, .. } => (*status, Stamp::At(*last_dirty), None),
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
        Item::Register(Some(Arc::new(info(1, 100)))),
        beat(100),
        beat(90),
        beat(110),
        Item::SetStatus { app: APP, id, status: Some(OutOfService), last_dirty: 100 },
        Item::ClearStatus { app: APP, id, status: Some(Up), last_dirty: 100 },
        Item::Cancel { app: APP, id },
        Item::Cancel { app: APP, id },
        Item::SetStatus { app: APP, id, status: Some(Down), last_dirty: 100 },
    ];
    let response = driver.request(Request::Batch(Arc::new(items)));
    let Body::Batch(results) = response.body else { panic!("results: {response:?}") };
    let statuses: Vec<u16> = results.iter().map(|result| result.status).collect();
    assert_eq!((response.status, statuses), (200, vec![404, 200, 200, 409, 404, 200, 200, 200, 404, 404]));
    assert_eq!(results[3].entity.as_ref().map(|copy| copy.last_dirty), Some(100));
}

/// The reference, 4.5: what an item lacks fails that item alone.
#[test]
fn malformed_items_fail_alone() {
    let mut driver = alone(|_| {});
    driver.register(info(1, 100), true);
    assert_eq!(driver.set_status(1, OutOfService), 200);
    let (app, id) = (APP, InstanceId(1));
    let items = vec![
        Item::Register(None),
        Item::ClearUnversioned { app, id },
        Item::ClearUnversioned { app, id: InstanceId(2) },
        Item::ClearStatus { app, id, status: None, last_dirty: 100 },
        Item::SetStatus { app, id, status: None, last_dirty: 100 },
        Item::SetStatus { app, id: InstanceId(2), status: None, last_dirty: 100 },
        Item::SetStatus { app, id, status: Some(Down), last_dirty: 0 },
    ];
    let response = driver.request(Request::Batch(Arc::new(items)));
    let Body::Batch(results) = response.body else { panic!("results: {response:?}") };
    let statuses: Vec<u16> = results.iter().map(|result| result.status).collect();
    assert_eq!(statuses, [500, 500, 500, 500, 500, 404, 200]);
    assert_eq!(driver.status(1), Some(Down), "the others have done nothing");
}

/// One heartbeat is a request and an item: neither may grow.
#[test]
fn requests_are_small() {
    assert_eq!((size_of::<Heartbeat>(), size_of::<Item>(), size_of::<Request>()), (32, 32, 40));
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

/// The reference, 4.4: the override is stored first, and an instance that cannot be read fails that, and with it the rest.
#[test]
fn a_copy_with_an_override_is_not_taken_of_an_instance_that_is_gone() {
    let taken = |overridden| {
        let mut driver = holding(0..1, |_| {});
        driver.heartbeat(0, 100);
        let batch = driver.at(530).batches().remove(0);
        assert_eq!(driver.cancel(0), 200);
        let results = vec![ItemResult {
            status: 409,
            entity: Some(Arc::new(InstanceInfo { overridden, ..info(0, 120) })),
        }];
        driver.outcome(&batch, Ok(Response { status: 200, body: Body::Batch(Arc::new(results)) }));
        let held = driver.held(0).map(|held| held.last_dirty);
        let overrides = driver.gauge(Gauge::Overrides);
        (held, overrides, driver.at(60_000).gauge(Gauge::ReplicationsLastMinute))
    };
    assert_eq!(taken(Unknown), (Some(120), 0, 2), "registered again, which counts as a peer's registration");
    assert_eq!(taken(OutOfService), (None, 1, 1), "the override stays");
}

/// The reference, 4.3, "expiry". The peer refuses everything; the last attempt is made shortly before the task expires.
#[test]
fn tasks_live_as_long_as_they_are_worth_telling() {
    let check = |act: fn(&mut Driver), life_ms: u64| {
        let mut driver = holding(0..0, |config| config.max_time_for_replication = Duration::from_secs(5));
        driver.register(InstanceInfo { lease: None, ..info(1, 100) }, true);
        driver.server.registry.overrides.put(InstanceId(1), OutOfService, Instant(0));
        act(&mut driver);
        let mut last = 0;
        while driver.now_ms < 100_000 {
            for batch in driver.at(driver.now_ms + 10).batches() {
                last = batch.at_ms;
                driver.outcome(&batch, Err(CallError::Refused));
            }
        }
        assert!((life_ms - 150..life_ms).contains(&last), "{last} of {life_ms}");
    };
    check(|driver| driver.register(InstanceInfo { lease: None, ..info(1, 110) }, false), 90_000);
    // What is looked for to be told is given the usual lease thereby.
    check(|driver| assert_eq!(driver.heartbeat(1, 100), 200), 30_000);
    check(|driver| assert_eq!(driver.cancel(1), 200), 5000);
    check(|driver| assert_eq!(driver.set_status(1, Down), 200), 5000);
    let clear = |driver: &mut Driver| {
        let (id, last_dirty, replication) = (InstanceId(1), Stamp::Absent, false);
        let clear = Request::ClearStatus { app: APP, id, status: Some(Up), last_dirty, replication };
        assert_eq!(driver.request(clear).status, 200);
    };
    check(clear, 5000);
}

/// The reference, 4.3: what is told is looked up anew, and what cannot be found is not told. A lease of 2147484 s has expired at
/// once, and is renewed all the same.
#[test]
fn a_peer_misses_what_cannot_be_read() {
    let mut driver = holding(0..0, |config| config.enable_self_preservation = false);
    let lease = LeaseInfo { duration: Duration::from_secs(2_147_484), ..LeaseInfo::default() };
    driver.register(InstanceInfo { lease: Some(lease), ..info(1, 100) }, true);
    assert_eq!(driver.heartbeat(1, 110), 200, "nothing is found that its version could be compared with");
    assert!(driver.events.contains(&Event::Renewed { instance: InstanceId(1), origin: Origin::Client }));
    assert!(driver.at(2000).batches().is_empty());
}
