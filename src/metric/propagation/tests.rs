//! Histories and what became of their changes.

use super::*;
use crate::metric::tests::{A, B, PROVIDER, READER, X, at, event, registered, world};
use crate::protocol::{Listing, Origin};

fn spread(records: &[Record]) -> Propagation {
    let world = world();
    let mut cluster = Cluster::new(&world);
    let mut tracker = Tracker::new(&world);
    for record in records {
        cluster.record(record);
        tracker.record(record, &cluster);
    }
    tracker.finish(SimTime::from_secs(100))
}

fn servers_run() -> Vec<Record> {
    vec![at(0, What::Started { node: A }), at(0, What::Started { node: B })]
}

fn with(more: Vec<Record>) -> Vec<Record> {
    servers_run().into_iter().chain(more).collect()
}

fn starts(seconds: u64) -> Record {
    at(seconds, What::Started { node: PROVIDER })
}

fn dies(seconds: u64) -> Record {
    at(seconds, What::Ended { node: PROVIDER, exit: None })
}

fn evicted(seconds: u64, node: NodeId) -> Record {
    event(seconds, node, Event::Evicted { instance: X })
}

fn adopted(seconds: u64, status: Option<Status>) -> Record {
    let listing = |status| Listing { instance: X, status, version: 1 };
    let view = Arc::new(View::new(status.map(listing).into_iter().collect()));
    event(seconds, READER, Event::Adopted { view, claimed: None, reconciles: false })
}

fn seconds(reached: &Reached) -> Vec<(u32, u64)> {
    reached.latencies.steps().map(|(millis, below)| (millis / 1000, below)).collect()
}

/// Stable, stale, lost, never, overtaken.
fn counts(reached: &Reached) -> [u64; 5] {
    [reached.stable, reached.stale, reached.lost, reached.never, reached.overtaken]
}

#[test]
fn discovery_and_forgetting_at_each_server() {
    let found =
        spread(&with(vec![starts(10), registered(12, A, 1), registered(15, B, 1), dies(40), evicted(70, A)]));
    assert_eq!(seconds(&found.appeared.servers), [(2, 1), (5, 2)]);
    assert_eq!(counts(&found.appeared.servers), [2, 0, 0, 0, 0]);
    assert_eq!((seconds(&found.died.servers), counts(&found.died.servers)), (vec![(30, 1)], [1, 0, 0, 1, 0]));
    assert_eq!((found.left.servers.pairs(), found.changes), (0, 2));
}

#[test]
fn who_leaves_by_itself_is_not_dead() {
    let found = spread(&with(vec![
        starts(10),
        registered(12, A, 1),
        at(20, What::Stopping { node: PROVIDER }),
        event(21, A, Event::Deregistered { instance: X, origin: Origin::Client }),
        dies(22),
    ]));
    assert_eq!((seconds(&found.left.servers), found.died.servers.pairs()), (vec![(1, 1)], 0));
    // The other server had not heard of it when it left, so it had nothing to forget.
    assert_eq!(counts(&found.left.servers), [1, 0, 0, 0, 0]);
    assert_eq!(counts(&found.appeared.servers), [1, 0, 0, 0, 1]);
}

#[test]
fn who_had_nothing_to_learn_may_forget_and_list_it_again() {
    let quick_restart = vec![starts(10), registered(12, A, 1), dies(20), starts(22)];
    let found = spread(&with([quick_restart.clone(), vec![evicted(30, A), registered(35, A, 1)]].concat()));
    assert_eq!((found.flaps, found.appeared.servers.stale), (1, 1));
    let found = spread(&with([quick_restart, vec![evicted(30, A)]].concat()));
    assert_eq!(found.flaps, 0, "it was not listed again");
}

#[test]
fn what_is_shown_must_stay_so() {
    let found = spread(&with(vec![
        starts(10),
        registered(12, A, 1),
        evicted(30, A),
        registered(35, A, 1),
        registered(12 + 30, B, 1),
        evicted(50, B),
    ]));
    // Listed again at 35 s, 25 s after it had appeared; lost on the other server.
    assert_eq!((seconds(&found.appeared.servers), found.flaps), (vec![(25, 1)], 1));
    assert_eq!(counts(&found.appeared.servers), [0, 1, 1, 0, 0]);
    let returned = spread(&with(vec![
        starts(10),
        registered(12, A, 1),
        dies(40),
        evicted(50, A),
        registered(60, A, 1),
        evicted(70, A),
    ]));
    assert_eq!((seconds(&returned.died.servers), returned.returns), (vec![(30, 1)], 1));
}

#[test]
fn an_observer_owes_nothing_while_it_is_down() {
    let found = spread(&[
        at(0, What::Started { node: A }),
        starts(10),
        registered(12, A, 1),
        at(20, What::Ended { node: A, exit: None }),
        at(50, What::Started { node: A }),
        registered(53, A, 1),
        at(60, What::Started { node: B }),
        at(70, What::Ended { node: B, exit: None }),
    ]);
    // 2 s after it appeared, and 3 s after the server came back; the other server ran too short to tell.
    assert_eq!(seconds(&found.appeared.servers), [(2, 1), (3, 2)]);
    assert_eq!(counts(&found.appeared.servers), [2, 0, 0, 0, 0]);
}

#[test]
fn a_client_is_reached_when_it_adopts() {
    let found = spread(&[
        at(0, What::Started { node: READER }),
        starts(10),
        adopted(30, Some(Status::Up)),
        dies(50),
        adopted(80, None),
    ]);
    assert_eq!(seconds(&found.appeared.clients), [(20, 1)]);
    assert_eq!(seconds(&found.died.clients), [(30, 1)]);
    assert_eq!(found.clients_observed, 1);
    // Half of 10..50 was left, and two fifths of 50..100.
    assert_eq!(found.responsiveness.steps().collect::<Vec<_>>(), [(4_000, 1), (5_000, 2)]);
}

#[test]
fn a_status_is_owed_by_who_lists_another() {
    let announced =
        |seconds, status| event(seconds, PROVIDER, Event::Announced { instance: X, status, version: 1 });
    let changed = |seconds, node, status| {
        let origin = Origin::Client;
        event(seconds, node, Event::Changed { instance: X, status, version: 1, origin })
    };
    let found = spread(&with(vec![
        starts(10),
        announced(10, Status::Up),
        registered(12, A, 1),
        registered(13, B, 1),
        announced(20, Status::Down),
        changed(21, A, Status::Down),
        changed(27, B, Status::Down),
        announced(30, Status::Up),
        changed(34, A, Status::Up),
    ]));
    assert_eq!(seconds(&found.status.servers), [(1, 1), (4, 2), (7, 3)]);
    assert_eq!(counts(&found.status.servers), [3, 0, 0, 1, 0]);
    assert_eq!(counts(&found.appeared.servers), [2, 0, 0, 0, 0], "a status is not presence");
}

#[test]
fn clients_of_a_large_world_are_sampled_evenly() {
    let mut world = world();
    let reader = world.processes[READER.index()].clone();
    world.processes.extend((0..999).map(|_| reader.clone()));
    world.instances = (0..PAIRS / 100).map(|n| n.to_string()).collect();
    let tracker = Tracker::new(&world);
    let places: Vec<u32> = tracker.observers[2..].iter().map(|observer| observer.node.0).collect();
    assert_eq!((places.len(), places[0], places[1], places[99]), (100, 3, 13, 993));
}
