//! Each check against histories in which it must hold and histories in which it must not. A check that was never seen failing is
//! not evidence.

mod clusters;

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::history::{CallResult, What};
use crate::plan::world::{Fault, Host, HostId, Process, Role, ServiceModel, Step, ZoneId};
use crate::plan::{Moment, Pattern, Range};
use crate::protocol::{
    Address, Event, Gauge, InstanceId, Listing, NodeId, Operation, Origin, ServiceId, SimTime, Status,
    Ticket, View,
};

const A: NodeId = NodeId(0);
const B: NodeId = NodeId(1);
const PROVIDER: NodeId = NodeId(2);
const READER: NodeId = NodeId(3);
const X: InstanceId = InstanceId(0);

/// Two servers, one provider of instance `x`, one reader with a cache.
fn world() -> World {
    let process = |name: &str, role, instance, subscribes| Process {
        name: name.to_owned(),
        host: HostId(0),
        role,
        start: SimTime::ZERO,
        service: ServiceModel {
            workers: None,
            accept_queue: 1,
            base: Duration::ZERO,
            per_item: Duration::ZERO,
        },
        pools: Vec::new(),
        instance,
        subscribes,
        address: Address(0),
    };
    let step =
        |fault, until| Step { name: "split".to_owned(), trigger: None, at: SimTime::ZERO, until, fault };
    World {
        hosts: vec![Host {
            name: "h".to_owned(),
            zone: ZoneId(0),
            clock: Default::default(),
            disk: Default::default(),
        }],
        processes: vec![
            process("a", Role::Server, None, false),
            process("b", Role::Server, None, false),
            process("p", Role::Client, Some((ServiceId(0), X)), false),
            process("r", Role::Client, None, true),
        ],
        instances: vec!["x".to_owned()],
        services: vec!["s".to_owned()],
        groups: vec![("blue".into(), vec![X])],
        steps: vec![
            step(Fault::Partition { groups: Vec::new() }, Some(SimTime::from_secs(9))),
            step(Fault::PowerOff { hosts: Vec::new(), unflushed: Default::default() }, None),
        ],
        ..World::default()
    }
}

fn premises() -> Premises {
    let rules = Some(Rules { self_preservation: true, percent: 0.85, renewals_per_client: 2.0 });
    let terms = LeaseTerms { duration: Duration::from_secs(90), renewal_interval: Duration::from_secs(30) };
    Premises {
        leases: [Some(terms)].into(),
        rules: vec![rules, rules, None, None],
        repairing_meshes: vec![true],
    }
}

fn at(seconds: u64, what: What) -> Record {
    Record { at: SimTime::from_secs(seconds), what }
}

fn event(seconds: u64, node: NodeId, event: Event) -> Record {
    at(seconds, What::Event { node, event })
}

fn registered(seconds: u64, node: NodeId, version: i64) -> Record {
    event(
        seconds,
        node,
        Event::Registered { instance: X, status: Status::Up, version, origin: Origin::Client },
    )
}

fn renewed(seconds: u64, node: NodeId) -> Record {
    event(seconds, node, Event::Renewed { instance: X, origin: Origin::Client })
}

fn gauge(seconds: u64, node: NodeId, gauge: Gauge, value: i64) -> Record {
    event(seconds, node, Event::Gauge { gauge, value })
}

fn announced(seconds: u64, version: i64) -> Record {
    event(seconds, PROVIDER, Event::Announced { instance: X, status: Status::Up, version })
}

fn adopted(seconds: u64, listed: bool) -> Record {
    let listing = Listing { instance: X, status: Status::Up, version: 1 };
    let view = Arc::new(View::new(if listed { vec![listing] } else { Vec::new() }));
    event(seconds, READER, Event::Adopted { view, claimed: None, reconciles: false })
}

fn split(seconds: u64, began: bool) -> Record {
    at(seconds, What::Step { step: 0, began })
}

/// All processes run, and everyone knows the instance.
fn settled() -> Vec<Record> {
    let mut records: Vec<Record> =
        [A, B, PROVIDER, READER].map(|node| at(0, What::Started { node })).into_iter().collect();
    records.extend([announced(0, 1), registered(1, A, 1), registered(2, B, 1), adopted(3, true)]);
    records
}

fn judge(records: &[Record], expected: Expected) -> Vec<Finding> {
    let world = world();
    let expectation = Expectation { text: "it".to_owned(), line: 1, expected, violated: false };
    let expectations = [expectation];
    let mut judge = Judge::new(&world, &expectations, &premises());
    for record in records {
        judge.record(record);
    }
    judge.finish(SimTime::from_secs(600))
}

#[track_caller]
fn check(more: Vec<Record>, expected: Expected, verdict: Verdict) {
    let records: Vec<Record> = settled().into_iter().chain(more).collect();
    let findings = judge(&records, expected);
    assert_eq!(findings[0].verdict, verdict, "{}", findings[0].detail);
}

fn pattern(event: &'static str) -> Pattern {
    Pattern { event, instances: None, nodes: None, status: None }
}

#[test]
fn converged() {
    let expected = || Expected::Converged { within: Duration::from_secs(60) };
    check(vec![], expected(), Verdict::Holds);
    // The provider dies; forgotten in time, too late, and not at all.
    let dies = |forgotten: Option<u64>| {
        let mut records = vec![at(100, What::Ended { node: PROVIDER, exit: None })];
        if let Some(forgotten) = forgotten {
            records.push(event(110, A, Event::Evicted { instance: X }));
            records.push(event(110, B, Event::Evicted { instance: X }));
            records.push(adopted(forgotten, false));
        }
        records
    };
    check(dies(Some(160)), expected(), Verdict::Holds);
    check(dies(Some(161)), expected(), Verdict::Violated);
    check(dies(None), expected(), Verdict::Violated);
    // Too early to tell.
    check(vec![at(590, What::Ended { node: PROVIDER, exit: None })], expected(), Verdict::Inconclusive);
    // Right at first, wrong later.
    check(vec![adopted(200, false)], expected(), Verdict::Violated);
    // A wrong status is a difference too.
    let down = Event::Changed { instance: X, status: Status::Down, version: 1, origin: Origin::Client };
    check(vec![event(200, B, down)], expected(), Verdict::Violated);
    // A server that is down is no observer.
    check(vec![at(300, What::Ended { node: B, exit: None })], expected(), Verdict::Holds);
    // A group that an operator has taken out of service is so in truth, until it is back.
    let group = |seconds, enabled| {
        let operation = Operation::SetGroup { group: "blue".into(), enabled };
        at(seconds, What::Invoked { node: A, ticket: Ticket(1), operation })
    };
    check(vec![group(200, false)], expected(), Verdict::Violated);
    check(vec![group(200, false), split(250, true), group(250, true)], expected(), Verdict::Holds);
}

#[test]
fn live_instance_not_evicted() {
    let expected = || Expected::Holds(Invariant::LiveInstanceNotEvicted);
    let pass = |seconds| event(seconds, A, Event::EvictionPass { leases: 1, expired: 0, evicted: 0 });
    let evicted = |seconds| event(seconds, A, Event::Evicted { instance: X });
    check(vec![], expected(), Verdict::Inconclusive);
    check(vec![pass(60)], expected(), Verdict::Holds);
    check(
        vec![at(50, What::Ended { node: PROVIDER, exit: None }), evicted(300)],
        expected(),
        Verdict::Inconclusive,
    );
    check(vec![evicted(300), pass(300)], expected(), Verdict::Violated);
    // The check that is always on looks at whether the server could know.
    let always = |records: Vec<Record>| {
        let records: Vec<Record> = settled().into_iter().chain(records).collect();
        judge(&records, Expected::Never(pattern("joined")))[1].verdict
    };
    assert_eq!(always(vec![evicted(300), pass(300)]), Verdict::Holds);
    assert_eq!(always(vec![renewed(211, A), evicted(300), pass(300)]), Verdict::Violated);
}

#[test]
fn self_preservation() {
    let expected = || Expected::Holds(Invariant::SelfPreservation);
    let window = |renewals: u64, reported: i64, threshold: i64, active: i64| {
        let mut records =
            vec![gauge(5, A, Gauge::RenewalThreshold, threshold), gauge(5, A, Gauge::SelfPreservation, 1)];
        records.extend((0..renewals).map(|n| renewed(6 + n, A)));
        records.push(gauge(60, A, Gauge::RenewalsLastMinute, reported));
        if active == 0 {
            records.push(gauge(60, A, Gauge::SelfPreservation, 0));
        }
        records
    };
    let pass = |leases, expired, evicted: u32| {
        let mut records: Vec<Record> =
            (0..evicted).map(|_| event(60, A, Event::Evicted { instance: X })).collect();
        records.push(event(60, A, Event::EvictionPass { leases, expired, evicted }));
        records
    };
    let both =
        |window: Vec<Record>, pass: Vec<Record>| -> Vec<Record> { window.into_iter().chain(pass).collect() };
    check(both(window(4, 4, 3, 0), pass(20, 5, 3)), expected(), Verdict::Holds);
    check(both(window(3, 3, 3, 1), pass(20, 5, 0)), expected(), Verdict::Holds);
    // Evicts although the renewals equal the threshold.
    check(both(window(3, 3, 3, 1), pass(20, 5, 3)), expected(), Verdict::Violated);
    // Says that it is over although it is not, and the reverse.
    check(both(window(3, 3, 3, 0), pass(20, 5, 0)), expected(), Verdict::Violated);
    check(both(window(4, 4, 3, 1), pass(20, 5, 0)), expected(), Verdict::Violated);
    // Counts wrongly.
    check(both(window(4, 5, 3, 0), pass(20, 5, 0)), expected(), Verdict::Violated);
    // Computes the threshold wrongly: 2 x 2 x 0.85 = 3.4.
    let expecting = |clients| both(vec![gauge(4, A, Gauge::ExpectedClients, clients)], window(4, 4, 3, 0));
    check(both(expecting(2), pass(20, 5, 3)), expected(), Verdict::Holds);
    check(both(expecting(3), pass(20, 5, 3)), expected(), Verdict::Violated);
    check(both(expecting(-1), pass(20, 5, 3)), expected(), Verdict::Violated);
    // Evicts more than its share: 20 - trunc(20 x 0.85) = 3.
    check(both(window(4, 4, 3, 0), pass(20, 5, 4)), expected(), Verdict::Violated);
    // Evicts what has not expired.
    check(both(window(4, 4, 3, 0), pass(20, 1, 2)), expected(), Verdict::Violated);
}

#[test]
fn conflict_resolution() {
    let expected = || Expected::Holds(Invariant::ConflictResolution);
    check(vec![], expected(), Verdict::Holds);
    // A newer version reaches only one server, and the other within 33 s, later, or never.
    let newer = |other: Option<u64>| {
        let mut records = vec![announced(100, 2), registered(101, A, 2)];
        records.extend(other.map(|seconds| registered(seconds, B, 2)));
        records.push(renewed(400, A));
        records
    };
    check(newer(Some(133)), expected(), Verdict::Holds);
    check(newer(Some(401)), expected(), Verdict::Violated);
    check(newer(None), expected(), Verdict::Violated);
    // While the servers are cut off from each other nothing is expected.
    let cut = |healed: Option<u64>| {
        let mut records = vec![split(90, true)];
        records.extend(newer(None));
        records.extend(healed.map(|seconds| split(seconds, false)));
        records
    };
    check(cut(None), expected(), Verdict::Holds);
    check(cut(Some(580)), expected(), Verdict::Holds);
    check(cut(Some(500)), expected(), Verdict::Violated);
}

/// A fault without an end is in force until the end of the run: nothing is expected of servers that are cut off for good.
#[test]
fn a_fault_that_never_ends_leaves_no_quiet_time() {
    let mut world = world();
    world.steps[0].until = None;
    let records: Vec<Record> = settled()
        .into_iter()
        .chain([split(20, true), announced(100, 2), registered(101, A, 2), renewed(400, A)])
        .collect();
    let mut judge = Judge::new(&world, &[], &premises());
    records.iter().for_each(|record| {
        judge.record(record);
    });
    let findings = judge.finish(SimTime::from_secs(600));
    let verdict = |name| findings.iter().find(|finding| finding.name == name).expect("always on").verdict;
    assert_eq!(verdict("conflict-resolution"), Verdict::Inconclusive);
    assert_eq!(verdict("servers-agree"), Verdict::Inconclusive);
}

#[test]
fn servers_agree() {
    let expected = || Expected::Holds(Invariant::ServersAgree);
    // The owner is heard all the time.
    let beats = |more: Vec<Record>| -> Vec<Record> {
        let mut records: Vec<Record> = (1..20).map(|n| renewed(n * 30, A)).chain(more).collect();
        records.sort_by_key(|record| record.at);
        records
    };
    let changed = |seconds, node, status, version| {
        event(seconds, node, Event::Changed { instance: X, status, version, origin: Origin::Replica })
    };
    check(beats(vec![]), expected(), Verdict::Holds);
    // Another version, another status, or nothing, on one server.
    check(beats(vec![changed(50, B, Status::Up, 2)]), expected(), Verdict::Violated);
    check(beats(vec![changed(50, B, Status::Down, 1)]), expected(), Verdict::Violated);
    check(beats(vec![event(50, B, Event::Evicted { instance: X })]), expected(), Verdict::Violated);
    // All of them may have it wrong, as long as they have the same.
    let both = vec![changed(50, A, Status::Down, 2), changed(50, B, Status::Down, 2)];
    check(beats(both), expected(), Verdict::Holds);
    // What an operator has set may differ in status, not in version.
    let set = |seconds, node| {
        let operation = Operation::SetStatus { instance: X, status: Status::Down };
        at(seconds, What::Invoked { node, ticket: Ticket(1), operation })
    };
    check(beats(vec![set(40, B), changed(50, B, Status::Down, 1)]), expected(), Verdict::Holds);
    check(beats(vec![set(40, B), changed(50, B, Status::Down, 2)]), expected(), Verdict::Violated);
    // A dead owner, or one that nobody hears, is nobody's business.
    let dies = at(20, What::Ended { node: PROVIDER, exit: None });
    check(beats(vec![dies, changed(50, B, Status::Down, 1)]), expected(), Verdict::Inconclusive);
    check(vec![changed(5, B, Status::Down, 1)], expected(), Verdict::Inconclusive);
    // A server that does not run holds nothing that could differ.
    let down = at(40, What::Ended { node: B, exit: None });
    check(beats(vec![down]), expected(), Verdict::Holds);
}

#[test]
fn listed_again() {
    let expected = || Expected::Holds(Invariant::Relisted);
    let removed = |seconds| event(seconds, A, Event::Deregistered { instance: X, origin: Origin::Client });
    let later = || renewed(300, B);
    check(vec![later()], expected(), Verdict::Inconclusive);
    // It had registered at 1 s, so until 34 s it heart-beats there; it must be back after 33 s.
    check(vec![removed(20), registered(53, A, 1), later()], expected(), Verdict::Holds);
    check(vec![removed(20), registered(54, A, 1), later()], expected(), Verdict::Violated);
    check(vec![removed(20)], expected(), Verdict::Violated);
    // The owner has fallen silent, talks to another server, or is dead.
    check(vec![removed(100)], expected(), Verdict::Inconclusive);
    check(vec![removed(20), renewed(30, B)], expected(), Verdict::Inconclusive);
    check(
        vec![removed(20), at(30, What::Ended { node: PROVIDER, exit: None })],
        expected(),
        Verdict::Inconclusive,
    );
    // What another server has heard of it is not heard here.
    let copied = Event::Renewed { instance: X, origin: Origin::Replica };
    check(vec![event(10, A, copied), removed(20)], expected(), Verdict::Inconclusive);
    // A fault is in force.
    check(vec![split(10, true), removed(20)], expected(), Verdict::Inconclusive);
}

#[test]
fn listed_again_once_its_owner_was_told() {
    let check = |records, verdict| check(records, Expected::Holds(Invariant::Relisted), verdict);
    let (holds, violated, nothing) = (Verdict::Holds, Verdict::Violated, Verdict::Inconclusive);
    let unknown = |seconds, origin| event(seconds, A, Event::NotFound { instance: X, origin });
    let told = |after: Vec<Record>| {
        let crashed = [at(20, What::Ended { node: A, exit: None }), at(25, What::Started { node: A })];
        crashed.into_iter().chain([unknown(40, Origin::Client)]).chain(after).collect::<Vec<_>>()
    };
    check(told(vec![registered(43, A, 2), renewed(300, B)]), holds);
    check(told(vec![registered(44, A, 2)]), violated);
    check(told(vec![]), violated);
    // The owner goes elsewhere, or dies, or something else happens.
    check(told(vec![registered(41, B, 2)]), nothing);
    check(told(vec![at(41, What::Ended { node: PROVIDER, exit: None })]), nothing);
    check(told(vec![split(41, true)]), nothing);
    // A peer asked, not the owner; or it may have been an operator, so soon after a step.
    check(vec![unknown(40, Origin::Replica)], nothing);
    check(vec![split(37, true), split(38, false), unknown(41, Origin::Client)], nothing);
    check(vec![split(36, true), split(37, false), unknown(41, Origin::Client)], violated);
}

#[test]
fn cache_as_claimed() {
    let expected = || Expected::Holds(Invariant::CacheAsClaimed);
    let adopted = |listed: usize, claimed: Option<[u32; 5]>, reconciles| {
        let listing = |n| Listing { instance: InstanceId(n), status: Status::Up, version: 1 };
        let view = Arc::new(View::new((0..listed as u32).map(listing).collect()));
        event(10, READER, Event::Adopted { view, claimed: claimed.map(Box::new), reconciles })
    };
    check(vec![], expected(), Verdict::Inconclusive);
    check(vec![adopted(1, None, false)], expected(), Verdict::Inconclusive);
    check(vec![adopted(1, Some([1, 0, 0, 0, 0]), false)], expected(), Verdict::Holds);
    check(vec![adopted(0, Some([0; 5]), false)], expected(), Verdict::Holds);
    check(vec![adopted(1, Some([0, 1, 0, 0, 0]), false)], expected(), Verdict::Violated);
    check(vec![adopted(1, Some([0, 1, 0, 0, 0]), true)], expected(), Verdict::Inconclusive);
    // One view, claimed twice, rightly and wrongly: it is counted once.
    let view = Arc::new(View::new(Vec::new()));
    let again = |claimed| {
        event(
            10,
            READER,
            Event::Adopted { view: Arc::clone(&view), claimed: Some(Box::new(claimed)), reconciles: false },
        )
    };
    check(vec![again([0; 5]), again([0; 5])], expected(), Verdict::Holds);
    check(vec![again([0; 5]), again([1, 0, 0, 0, 0])], expected(), Verdict::Violated);
}

fn written(seconds: u64, node: NodeId, version: i64, origin: Origin) -> Record {
    event(seconds, node, Event::Registered { instance: X, status: Status::Up, version, origin })
}

#[test]
fn version_never_goes_back() {
    let expected = || Expected::Holds(Invariant::VersionNeverGoesBack);
    let changed = |seconds, version| {
        event(seconds, A, Event::Changed { instance: X, status: Status::Up, version, origin: Origin::Client })
    };
    check(vec![], expected(), Verdict::Inconclusive);
    check(vec![registered(20, A, 1), changed(30, 2)], expected(), Verdict::Holds);
    check(vec![registered(20, A, 0)], expected(), Verdict::Violated);
    check(vec![changed(20, 0)], expected(), Verdict::Violated);
    // What was removed is not remembered, and each server has a version of its own.
    let removed = || event(20, A, Event::Evicted { instance: X });
    check(vec![removed(), registered(30, A, 0)], expected(), Verdict::Inconclusive);
    check(vec![registered(20, A, 5), registered(30, B, 2)], expected(), Verdict::Holds);
}

#[test]
fn no_replication_loop() {
    let expected = || Expected::Holds(Invariant::NoReplicationLoop);
    let told = |seconds, node| event(seconds, node, Event::Renewed { instance: X, origin: Origin::Replica });
    let run = |more: Vec<Record>| {
        let mut records: Vec<Record> =
            [A, B, PROVIDER].map(|node| at(0, What::Started { node })).into_iter().collect();
        records.extend(more);
        judge(&records, expected())[0].verdict
    };
    assert_eq!(run(vec![registered(1, A, 1)]), Verdict::Inconclusive);
    assert_eq!(
        run(vec![registered(1, A, 1), written(2, B, 1, Origin::Replica), told(30, B)]),
        Verdict::Holds
    );
    // The other server tells it back, or tells of what nobody has asked for.
    assert_eq!(run(vec![registered(1, A, 1), told(3, A)]), Verdict::Violated);
    assert_eq!(run(vec![registered(1, A, 1), written(3, A, 1, Origin::Replica)]), Verdict::Violated);
    let removed = event(3, A, Event::Deregistered { instance: X, origin: Origin::Replica });
    assert_eq!(run(vec![registered(1, A, 1), removed]), Verdict::Violated);
    assert_eq!(run(vec![told(3, B)]), Verdict::Violated);
    // Both were asked, by the owner or by an operator; or a server copies what another holds.
    assert_eq!(run(vec![registered(1, A, 1), renewed(2, B), told(3, A)]), Verdict::Inconclusive);
    let set = Operation::SetStatus { instance: X, status: Status::Down };
    let asked = at(2, What::Invoked { node: B, ticket: Ticket(1), operation: set });
    assert_eq!(run(vec![registered(1, A, 1), asked, told(3, A)]), Verdict::Inconclusive);
    assert_eq!(run(vec![registered(1, A, 1), written(3, A, 1, Origin::Sync)]), Verdict::Inconclusive);
}

/// Behind a balancer a server may be its own peer: what comes back is no loop.
#[test]
fn a_balancer_may_lead_a_server_back_to_itself() {
    use crate::plan::world::{AddressEntry, Behind};
    let verdict = |behind: Vec<Vec<NodeId>>| {
        let entry = |nodes| AddressEntry { name: "x:1".to_owned(), behind: Behind::Processes(nodes) };
        let world = World { addresses: behind.into_iter().map(entry).collect(), ..world() };
        let mut judge = Judge::new(&world, &[], &premises());
        judge.record(&at(0, What::Started { node: A }));
        judge.record(&registered(1, A, 1));
        judge.record(&written(2, A, 1, Origin::Replica));
        let findings = judge.finish(SimTime::from_secs(600));
        findings.iter().find(|finding| finding.name == "no-replication-loop").expect("always on").verdict
    };
    assert_eq!(verdict(vec![vec![A], vec![B]]), Verdict::Violated);
    assert_eq!(verdict(vec![vec![A, B]]), Verdict::Inconclusive);
    assert_eq!(verdict(vec![vec![A], vec![B], vec![A]]), Verdict::Inconclusive);
}

#[test]
fn no_resurrection() {
    let expected = || Expected::Holds(Invariant::NoResurrection);
    let dies = || at(20, What::Ended { node: PROVIDER, exit: None });
    let removed = |seconds, node| event(seconds, node, Event::Evicted { instance: X });
    let gone = |more: Vec<Record>| vec![dies(), removed(100, A)].into_iter().chain(more).collect();
    check(vec![dies()], expected(), Verdict::Inconclusive);
    check(gone(vec![]), expected(), Verdict::Holds);
    check(gone(vec![written(200, A, 1, Origin::Replica)]), expected(), Verdict::Violated);
    check(gone(vec![written(200, A, 1, Origin::Sync)]), expected(), Verdict::Violated);
    // Its owner's registration was late, here or at the server that told this one.
    check(gone(vec![registered(200, A, 1)]), expected(), Verdict::Holds);
    check(gone(vec![registered(190, B, 1), written(200, A, 1, Origin::Replica)]), expected(), Verdict::Holds);
    // It lives again; or the server does, and copies what it cannot know to be dead.
    let lives = at(150, What::Started { node: PROVIDER });
    check(gone(vec![lives, written(200, A, 1, Origin::Replica)]), expected(), Verdict::Holds);
    let restarts = vec![
        at(150, What::Ended { node: A, exit: None }),
        at(160, What::Started { node: A }),
        written(161, A, 1, Origin::Sync),
    ];
    check(gone(restarts), expected(), Verdict::Holds);
    // Removed while it lived, told of by an old message after it had died.
    let early = vec![removed(10, A), dies(), written(30, A, 1, Origin::Replica)];
    check(early, expected(), Verdict::Violated);
}

#[test]
fn registration_not_lost() {
    let expected = || Expected::Holds(Invariant::RegistrationNotLost);
    let joined = |seconds| event(seconds, PROVIDER, Event::Joined { instance: X });
    let ends = |seconds, node| at(seconds, What::Ended { node, exit: None });
    let evicted = |seconds, node| event(seconds, node, Event::Evicted { instance: X });
    let acknowledged = |more: Vec<Record>| vec![joined(5)].into_iter().chain(more).collect::<Vec<_>>();
    check(acknowledged(vec![]), expected(), Verdict::Inconclusive);
    check(acknowledged(vec![ends(20, A)]), expected(), Verdict::Holds);
    check(acknowledged(vec![evicted(20, B), ends(20, A)]), expected(), Verdict::Violated);
    check(acknowledged(vec![evicted(20, B), evicted(30, A)]), expected(), Verdict::Violated);
    // No server runs, so none could list it; the first that runs again does not.
    let none_runs = || acknowledged(vec![ends(20, A), ends(20, B)]);
    check(none_runs(), expected(), Verdict::Holds);
    let again = none_runs().into_iter().chain([at(30, What::Started { node: A })]).collect();
    check(again, expected(), Verdict::Violated);
    // It was never acknowledged, it is gone itself, or somebody wanted it removed.
    check(vec![evicted(20, A), evicted(20, B)], expected(), Verdict::Inconclusive);
    check(
        acknowledged(vec![ends(10, PROVIDER), evicted(20, A), evicted(20, B)]),
        expected(),
        Verdict::Inconclusive,
    );
    let removed = event(20, A, Event::Deregistered { instance: X, origin: Origin::Client });
    check(acknowledged(vec![removed, evicted(20, B)]), expected(), Verdict::Inconclusive);
    let removed =
        |seconds, node| event(seconds, node, Event::Deregistered { instance: X, origin: Origin::Client });
    let late = vec![removed(3, A), removed(3, B), joined(5)];
    check(late.clone(), expected(), Verdict::Inconclusive);
    let again = [registered(6, A, 2), joined(7), evicted(20, A)];
    check(late.into_iter().chain(again).collect(), expected(), Verdict::Violated);
    // Acknowledged although the server that did so is gone.
    check(vec![evicted(3, B), ends(4, A), joined(5)], expected(), Verdict::Violated);
}

/// What systems are known to break is judged only where a scenario asks for it.
#[test]
fn some_checks_must_be_named() {
    let names = |expected| -> Vec<String> {
        judge(&settled(), expected).into_iter().skip(1).map(|finding| finding.name).collect()
    };
    let unnamed = names(Expected::Never(pattern("joined")));
    assert!(unnamed.iter().all(|name| name != "no-resurrection" && name != "registration-not-lost"));
    assert_eq!(unnamed.len(), 8, "{unnamed:?}");
    assert_eq!(names(Expected::Holds(Invariant::NoReplicationLoop)).len(), 7);
}

/// What is emitted is the age at that moment; meanwhile it grows.
#[test]
fn ages_grow() {
    let age = |seconds, value| gauge(seconds, READER, Gauge::FetchAge, value);
    let fetched = || vec![age(10, 0), age(40, 0), age(70, 30_000), age(80, 0)];
    let is = |from, to, low, high, sometimes| Expected::Gauge {
        gauge: Gauge::FetchAge,
        nodes: vec![READER],
        from: SimTime::from_secs(from),
        to: SimTime::from_secs(to),
        is: Range { low, high, above: false, below: false },
        sometimes,
    };
    let infinite = f64::INFINITY;
    check(fetched(), is(20, 20, 10_000.0, 10_000.0, false), Verdict::Holds);
    check(fetched(), is(20, 35, 10_000.0, 25_000.0, false), Verdict::Holds);
    check(fetched(), is(20, 35, 10_000.0, 24_999.0, false), Verdict::Violated);
    check(fetched(), is(20, 35, 10_001.0, 25_000.0, false), Verdict::Violated);
    // 30 s old at 40 s and, not renewed at 70 s, 40 s old at 80 s.
    check(fetched(), is(20, 79, 0.0, 39_000.0, false), Verdict::Holds);
    check(fetched(), is(20, 80, 0.0, 39_999.0, false), Verdict::Violated);
    check(fetched(), is(20, 80, 40_000.0, infinite, true), Verdict::Holds);
    check(fetched(), is(20, 79, 40_000.0, infinite, true), Verdict::Violated);
    // From 80 s on nobody fetches any more; a process that has ended has no age.
    check(fetched(), is(100, 500, 400_000.0, infinite, true), Verdict::Holds);
    let ended = || fetched().into_iter().chain([at(90, What::Ended { node: READER, exit: None })]).collect();
    check(ended(), is(100, 500, 0.0, 9_999.0, false), Verdict::Holds);
    check(ended(), is(85, 500, 10_000.0, 10_000.0, true), Verdict::Holds);
    // The first moment at which it is so is the evidence.
    let findings =
        judge(&settled().into_iter().chain(fetched()).collect::<Vec<_>>(), is(20, 80, 0.0, 15_000.0, false));
    assert_eq!(findings[0].at, Some(SimTime::from_millis(25_001)), "{}", findings[0].detail);
}

#[test]
fn events_gauges_and_counts() {
    let evicted = || vec![event(100, A, Event::Evicted { instance: X })];
    check(vec![], Expected::Never(pattern("evicted")), Verdict::Holds);
    check(evicted(), Expected::Never(pattern("evicted")), Verdict::Violated);
    check(vec![], Expected::Sometimes(pattern("evicted")), Verdict::Violated);
    check(evicted(), Expected::Sometimes(pattern("evicted")), Verdict::Holds);
    let at_b = Pattern { nodes: Some(vec![B]), ..pattern("evicted") };
    check(evicted(), Expected::Never(at_b), Verdict::Holds);
    let count = |from, to, is| Expected::Count {
        pattern: pattern("evicted"),
        from: SimTime::from_secs(from),
        to: SimTime::from_secs(to),
        is: Range::exactly(is),
    };
    check(evicted(), count(0, 200, 1.0), Verdict::Holds);
    check(evicted(), count(101, 200, 1.0), Verdict::Violated);
    check(evicted(), count(0, 700, 1.0), Verdict::Inconclusive);

    let values = || vec![gauge(10, A, Gauge::ExpectedClients, 3), gauge(50, A, Gauge::ExpectedClients, 4)];
    let gauge_is = |from, to, is, sometimes| Expected::Gauge {
        gauge: Gauge::ExpectedClients,
        nodes: vec![A],
        from: SimTime::from_secs(from),
        to: SimTime::from_secs(to),
        is: Range::exactly(is),
        sometimes,
    };
    check(values(), gauge_is(20, 20, 3.0, false), Verdict::Holds);
    check(values(), gauge_is(20, 60, 3.0, false), Verdict::Violated);
    check(values(), gauge_is(20, 60, 4.0, true), Verdict::Holds);
    check(values(), gauge_is(20, 40, 4.0, true), Verdict::Violated);
    check(vec![], gauge_is(20, 40, 4.0, true), Verdict::Inconclusive);
}

#[test]
fn listings_moments_and_calls() {
    let listed_as = |status, by, listed| Expected::Listed {
        instances: vec![X],
        servers: vec![A, B],
        status,
        by: SimTime::from_secs(by),
        listed,
    };
    let listed = |by, listed| listed_as(None, by, listed);
    check(vec![], listed(2, true), Verdict::Holds);
    check(vec![], listed(1, true), Verdict::Violated);
    check(vec![], listed(500, false), Verdict::Violated);
    check(vec![], listed(700, true), Verdict::Inconclusive);
    // One of the two servers holds it with another status.
    let (up, down) = (Some(Status::Up), Some(Status::Down));
    let changed = Event::Changed { instance: X, status: Status::Down, version: 1, origin: Origin::Client };
    let changed = || vec![event(300, B, changed.clone())];
    check(changed(), listed_as(up, 299, true), Verdict::Holds);
    check(changed(), listed_as(up, 300, true), Verdict::Violated);
    check(changed(), listed_as(down, 300, true), Verdict::Violated);
    check(changed(), listed_as(down, 299, false), Verdict::Holds);
    check(changed(), listed_as(down, 300, false), Verdict::Violated);
    check(vec![], listed_as(up, 1, true), Verdict::Violated);
    check(vec![], listed_as(up, 0, false), Verdict::Holds);

    let dies = || vec![split(100, true), adopted(150, false), adopted(160, true), adopted(180, false)];
    let delay = |low, high| Expected::Delay {
        from: Moment::StepBegins(0),
        to: Moment::Forgotten { instances: vec![X], observers: vec![READER] },
        is: Range::closed(low, high),
    };
    check(dies(), delay(79.0, 81.0), Verdict::Holds);
    check(dies(), delay(49.0, 51.0), Verdict::Violated);
    check(vec![split(100, true)], delay(0.0, 600.0), Verdict::Violated);
    check(vec![], delay(0.0, 600.0), Verdict::Inconclusive);
    let after_50_s = Expected::Delay {
        from: Moment::At(SimTime::from_secs(50)),
        to: Moment::Event { pattern: pattern("renewed"), nth: 1 },
        is: Range::closed(10.0, 10.0),
    };
    check(vec![renewed(40, A), renewed(60, A)], after_50_s, Verdict::Holds);
    let order = |first, second| {
        let moment = |event| Moment::Event { pattern: pattern(event), nth: 1 };
        Expected::Order(vec![moment(first), moment(second)])
    };
    check(vec![renewed(50, A)], order("announced", "renewed"), Verdict::Holds);
    check(vec![renewed(50, A)], order("renewed", "announced"), Verdict::Violated);

    let calls = |results: &[CallResult]| -> Vec<Record> {
        let call = |result, last| What::Traffic {
            caller: READER,
            service: ServiceId(0),
            chosen: Some(X),
            result,
            attempt: 0,
            last,
        };
        // A try that is made again is no result of a call.
        let tries = results.iter().map(|result| at(50, call(*result, true)));
        std::iter::once(at(50, call(CallResult::DeadInstance, false))).chain(tries).collect()
    };
    let calls_are = |callers: Option<NodeId>, service: Option<u32>, from, to, low| Expected::Calls {
        callers: callers.map(|caller| vec![caller]),
        service: service.map(ServiceId),
        from: SimTime::from_secs(from),
        to: SimTime::from_secs(to),
        success: Range::closed(low, 1.0),
    };
    let success = |low| calls_are(None, None, 0, 600, low);
    let half = [CallResult::Answered, CallResult::DeadInstance];
    check(calls(&half), success(0.5), Verdict::Holds);
    check(calls(&half), success(0.6), Verdict::Violated);
    check(vec![], success(0.6), Verdict::Inconclusive);
    // Of one caller, to one service, within a time.
    check(calls(&half), calls_are(Some(READER), None, 0, 600, 0.5), Verdict::Holds);
    check(calls(&half), calls_are(Some(PROVIDER), None, 0, 600, 0.5), Verdict::Inconclusive);
    check(calls(&half), calls_are(None, Some(0), 0, 600, 0.6), Verdict::Violated);
    check(calls(&half), calls_are(None, Some(1), 0, 600, 0.6), Verdict::Inconclusive);
    check(calls(&half), calls_are(None, None, 50, 50, 0.6), Verdict::Violated);
    check(calls(&half), calls_are(None, None, 51, 600, 0.6), Verdict::Inconclusive);
    check(calls(&half), calls_are(None, None, 0, 49, 0.6), Verdict::Inconclusive);
    check(calls(&half), calls_are(None, None, 0, 601, 0.5), Verdict::Inconclusive);
}

#[test]
fn a_known_weakness_must_happen() {
    let world = world();
    let expectations = [Expectation {
        text: "violates: live-instance-evicted".to_owned(),
        line: 1,
        expected: Expected::Holds(Invariant::LiveInstanceNotEvicted),
        violated: true,
    }];
    let verdict = |evicted: bool| {
        let mut judge = Judge::new(&world, &expectations, &premises());
        settled().iter().for_each(|record| {
            judge.record(record);
        });
        if evicted {
            judge.record(&event(300, A, Event::Evicted { instance: X }));
        }
        judge.record(&event(300, A, Event::EvictionPass { leases: 1, expired: 1, evicted: 1 }));
        let findings = judge.finish(SimTime::from_secs(600));
        findings[0].verdict
    };
    assert_eq!((verdict(true), verdict(false)), (Verdict::Holds, Verdict::Violated));
}
