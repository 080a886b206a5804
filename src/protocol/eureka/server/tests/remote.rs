//! Other regions: when they are fetched, how, and what is made of the answers.

use super::*;
use crate::protocol::eureka::applications::Histogram;
use crate::protocol::eureka::node::RemoteRegion;
use crate::protocol::eureka::wire::Identity;

const WEST: Address = Address(50);

fn node_with_regions(regions: u32, profile: Profile) -> ServerNode {
    let region =
        |at| RemoteRegion { name: format!("r{at}").into(), address: Address(WEST.0 + at), white_list: None };
    let mut node = node(profile, 0);
    node.remote_regions = (0..regions).map(region).collect();
    node
}

fn spring() -> Driver {
    Driver::new(node_with_regions(1, Profile::SpringCloud))
}

/// An instance of an application.
fn of(app: u32, id: u32) -> Arc<InstanceInfo> {
    Arc::new(InstanceInfo { app: ServiceId(app), ..info(id, 100) })
}

fn changed(app: u32, id: u32, action: Action) -> Arc<InstanceInfo> {
    Arc::new(InstanceInfo { action: Some(action), ..InstanceInfo::clone(&of(app, id)) })
}

fn full(instances: Vec<Arc<InstanceInfo>>) -> Result<Response, CallError> {
    Ok(Response { status: 200, body: Body::Apps(Arc::new(Applications::new(instances))) })
}

/// A delta after which `up` instances should be there, all of them UP.
fn delta(changes: Vec<Arc<InstanceInfo>>, up: u32) -> Result<Response, CallError> {
    let mut histogram = Histogram::default();
    (0..up).for_each(|_| histogram.add(Up));
    Ok(Response { status: 200, body: Body::Delta(Arc::new(Delta::new(changes, histogram, 1))) })
}

fn asked(call: &Call<Eureka>) -> Resource {
    match &call.request {
        Request::Get(query) => query.resource.clone(),
        other => panic!("a fetch: {other:?}"),
    }
}

impl Driver {
    /// The only call made since the last look: when, and what.
    fn fetch(&mut self) -> (u64, Call<Eureka>) {
        let mut calls = self.calls();
        assert_eq!(calls.len(), 1, "one request at a time: {calls:?}");
        calls.remove(0)
    }

    /// The next fetch asks for `resource` at `at_ms`, and is answered at once.
    fn fetches(&mut self, at_ms: u64, resource: Resource, result: Result<Response, CallError>) {
        self.at(at_ms);
        let (asked_ms, call) = self.fetch();
        assert_eq!((asked_ms, asked(&call)), (at_ms, resource));
        self.answer(&call, result);
    }

    fn region(&self) -> Vec<u32> {
        self.server.registry.regions.content(0).instances().iter().map(|info| info.id.0).collect()
    }
}

use Resource::{Apps, Delta as Changes};

/// The reference, 5.6.
#[test]
fn a_region_is_fetched_when_the_server_comes_up_and_then_every_thirty_seconds() {
    let mut driver = spring();
    let (_, call) = driver.fetch();
    assert_eq!((call.to, call.pool, asked(&call)), (WEST, REMOTE_REGIONS, Apps));
    assert_eq!((call.connect_timeout, call.read_timeout), (Duration::from_secs(1), Duration::from_secs(1)));
    let Request::Get(query) = &call.request else { panic!("a fetch: {call:?}") };
    assert_eq!((&query.identity, &query.regions), (&Identity::DefaultServer, &None));
    assert!(!driver.listens && !driver.server.registry.regions.ready(), "the first fetch blocks");
    driver.at(700).answer(&call, full(vec![of(7, 1)]));
    assert!(driver.listens && driver.server.registry.regions.ready());
    assert_eq!(driver.region(), [1]);
    driver.at(30_699);
    assert!(driver.calls().is_empty());
    driver.fetches(30_700, Changes, delta(vec![changed(7, 2, Action::Added)], 2));
    assert_eq!(driver.region(), [1, 2]);
    driver.fetches(60_700, Changes, delta(vec![changed(7, 1, Action::Deleted)], 1));
    assert_eq!(driver.region(), [2]);
}

#[test]
fn regions_are_fetched_one_after_the_other_and_a_failure_is_no_obstacle() {
    let mut driver = Driver::new(node_with_regions(2, Profile::Netflix));
    let (_, first) = driver.fetch();
    driver.at(2000).answer(&first, Err(CallError::ConnectTimeout));
    let (at_ms, second) = driver.fetch();
    assert_eq!((at_ms, second.to.0), (2000, WEST.0 + 1));
    driver.at(3000).answer(&second, full(vec![of(7, 1)]));
    assert!(!driver.server.registry.regions.ready(), "the first was never fetched");
    driver.at(32_000);
    assert_eq!(
        driver.calls().iter().map(|(at_ms, call)| (*at_ms, call.to.0)).collect::<Vec<_>>(),
        [(32_000, 50)]
    );
    // Only now the copying of this region's own registry had begun: four pauses of 30 s.
    assert!(!driver.at(122_999).listens);
    assert!(driver.at(123_000).listens);
}

/// Which regions there are is decided when the server starts.
#[test]
fn a_region_that_is_configured_later_is_not_fetched() {
    let mut driver = Driver::new(node_with_regions(1, Profile::SpringCloud));
    let (_, first) = driver.fetch();
    let node = node_with_regions(2, Profile::SpringCloud);
    driver.input(Input::Reconfigure(Arc::new(Config::Server(Box::new(node)))));
    driver.answer(&first, full(vec![of(7, 1)]));
    assert!(driver.calls().is_empty() && driver.listens);
}

#[test]
fn without_applications_or_with_deltas_disabled_everything_is_fetched() {
    let mut driver = spring();
    driver.fetches(0, Apps, full(vec![]));
    driver.fetches(30_000, Apps, full(vec![of(7, 1)]));
    driver.fetches(60_000, Changes, delta(vec![], 1));
    let mut node = driver.server.node.clone();
    Arc::make_mut(&mut node.server).disable_delta_for_remote_regions = true;
    driver.input(Input::Reconfigure(Arc::new(Config::Server(Box::new(node)))));
    driver.fetches(90_000, Apps, full(vec![of(7, 1)]));
}

#[test]
fn whatever_is_wrong_with_a_delta_everything_is_fetched_in_the_same_run() {
    let check = |result: Result<Response, CallError>, attempts: usize| {
        let mut driver = spring();
        driver.fetches(0, Apps, full(vec![of(7, 1)]));
        driver.at(30_000);
        for _ in 0..attempts {
            let (_, call) = driver.fetch();
            assert_eq!(asked(&call), Changes);
            driver.answer(&call, result.clone());
        }
        driver.fetches(30_000, Apps, full(vec![of(7, 1), of(7, 2), of(7, 3)]));
        assert_eq!(driver.region(), [1, 2, 3], "{result:?}");
        driver.fetches(60_000, Changes, delta(vec![], 3));
    };
    check(delta(vec![changed(7, 2, Action::Added)], 3), 1);
    check(Ok(Response::empty(403)), 1);
    // The server that answered last is tried, and then the list, on which it is the only one.
    check(Err(CallError::Refused), 2);
    check(Err(CallError::Status { code: 500, body: None, location: None }), 2);
}

/// The reference, 5.6: the differences to how a client applies a delta.
#[test]
fn a_delta_of_another_region_is_applied_in_its_own_way() {
    let after = |before: Vec<Arc<InstanceInfo>>, changes: Vec<Arc<InstanceInfo>>, up| {
        let mut driver = spring();
        driver.fetches(0, Apps, full(before));
        driver.fetches(30_000, Changes, delta(changes, up));
        driver
    };
    // The last instance of an application goes and another comes: a client would keep a ghost of the first.
    let mut driver = after(
        vec![of(7, 1)],
        vec![changed(7, 1, Action::Deleted), changed(7, 2, Action::Added), changed(8, 3, Action::Deleted)],
        1,
    );
    assert_eq!(driver.region(), [2]);
    // All applications are empty, but they are there: deltas go on.
    driver.fetches(60_000, Changes, delta(vec![changed(7, 2, Action::Deleted)], 0));
    driver.fetches(90_000, Changes, delta(vec![changed(8, 4, Action::Added)], 1));
    assert_eq!(driver.region(), [4]);
    // Unknown: it is taken over whole, and then change by change.
    let driver =
        after(vec![of(7, 1)], vec![changed(9, 5, Action::Deleted), changed(9, 6, Action::Modified)], 2);
    assert_eq!(driver.region(), [1, 6]);
}

/// The reference, 6.7: a server that has not answered yet may redirect, and the one it names is kept.
#[test]
fn a_redirect_is_followed_where_paths_have_a_version() {
    let redirect = || Ok(Response { status: 302, body: Body::Redirect(Address(77)) });
    let mut driver = Driver::new(node_with_regions(1, Profile::Netflix));
    driver.fetches(0, Apps, redirect());
    let (_, followed) = driver.fetch();
    assert_eq!((followed.to.0, asked(&followed)), (77, Apps));
    driver.answer(&followed, full(vec![of(7, 1)]));
    let (_, next) = driver.at(30_000).fetch();
    assert_eq!((driver.region(), next.to.0), (vec![1], 77), "it is kept");
    let mut driver = spring();
    driver.fetches(0, Apps, redirect());
    assert!(driver.calls().is_empty() && driver.listens, "it cannot be used: a failure");
}

#[test]
fn a_hanging_region_is_asked_ever_more_seldom_up_to_five_intervals() {
    let mut driver = spring();
    driver.fetches(0, Apps, full(vec![of(7, 1)]));
    driver.at(1_000_000);
    let times: Vec<u64> = driver.calls().iter().map(|(at_ms, _)| at_ms / 1000).collect();
    assert_eq!(times, [30, 120, 270, 450, 630, 810, 990]);
}

#[test]
fn with_all_threads_hanging_a_region_is_not_asked() {
    let mut node = node_with_regions(1, Profile::SpringCloud);
    Arc::make_mut(&mut node.server).remote_region_fetch_threads = 2;
    let mut driver = Driver::new(node);
    driver.fetches(0, Apps, full(vec![of(7, 1)]));
    driver.at(1_000_000);
    assert_eq!(driver.calls().len(), 2);
}

/// An older fetch that ends late does not overwrite what a newer one has brought.
#[test]
fn a_late_answer_is_dropped() {
    let mut driver = spring();
    driver.fetches(0, Apps, full(vec![of(7, 1)]));
    driver.at(30_000);
    let (_, slow) = driver.fetch();
    driver.fetches(120_000, Changes, delta(vec![changed(7, 2, Action::Added)], 2));
    driver.at(121_000).answer(&slow, delta(vec![changed(7, 1, Action::Deleted)], 0));
    assert_eq!(driver.region(), [1, 2]);
    driver.fetches(121_000, Apps, full(vec![of(7, 2)]));
    assert_eq!(driver.region(), [2], "it is followed by a full fetch");
}

/// The reference, 5.7.
#[test]
fn a_stop_does_not_end_the_fetching() {
    let mut node = registering(Profile::SpringCloud, 1);
    node.remote_regions = node_with_regions(1, Profile::SpringCloud).remote_regions;
    let mut driver = Driver::new(node);
    let (_, own) = driver.fetch();
    driver.answer(&own, Err(CallError::Refused));
    let (_, own) = driver.fetch();
    driver.answer(&own, Err(CallError::Refused));
    let (_, first) =
        driver.calls().into_iter().find(|(_, call)| call.pool == REMOTE_REGIONS).expect("a fetch");
    driver.answer(&first, full(vec![of(7, 1)]));
    driver.at(29_950);
    driver.calls();
    driver.input(Input::Stop);
    driver.at(30_000);
    let calls = driver.calls();
    let fetched = calls.iter().filter(|(_, call)| call.pool == REMOTE_REGIONS).count();
    assert_eq!(
        (fetched, driver.listens, driver.exited),
        (1, false, None),
        "the embedded client is not closed yet"
    );
}
