//! Two clusters: what each view must list, and which servers are compared.

use super::*;
use crate::plan::world::ClusterId;

/// Of the other cluster, as `b` is; `a` and `e` are servers of the first one.
const OTHER_PROVIDER: NodeId = NodeId(4);
const E: NodeId = NodeId(5);
const OTHER_READER: NodeId = NodeId(6);
const Y: InstanceId = InstanceId(1);

/// `a` and `e` with instance `x` and a reader, apart from `b` with instance `y` and a reader.
fn two_clusters() -> World {
    let mut world = world();
    let like = |node: NodeId, name: &str, instance| Process {
        name: name.to_owned(),
        instance,
        ..world.processes[node.index()].clone()
    };
    let more = [like(PROVIDER, "q", Some((ServiceId(0), Y))), like(A, "e", None), like(READER, "s", None)];
    world.processes.extend(more);
    world.clusters = [0, 1, 0, 0, 1, 0, 1].map(ClusterId).to_vec();
    world.instances.push("y".to_owned());
    world
}

fn lists(seconds: u64, node: NodeId, instance: InstanceId, status: Status, version: i64) -> Record {
    event(seconds, node, Event::Registered { instance, status, version, origin: Origin::Client })
}

fn view(instances: &[InstanceId]) -> Arc<View> {
    let listing = |instance: &InstanceId| Listing { instance: *instance, status: Status::Up, version: 1 };
    Arc::new(View::new(instances.iter().map(listing).collect()))
}

fn shows(seconds: u64, node: NodeId, view: &Arc<View>) -> Record {
    event(seconds, node, Event::Adopted { view: Arc::clone(view), claimed: None, reconciles: false })
}

/// Everyone knows what is of the own cluster, and nothing else.
fn each_by_itself() -> Vec<Record> {
    let all = [A, B, PROVIDER, READER, OTHER_PROVIDER, E, OTHER_READER];
    let mut records = all.map(|node| at(0, What::Started { node })).to_vec();
    let up = |node, instance| event(0, node, Event::Announced { instance, status: Status::Up, version: 1 });
    records.extend([up(PROVIDER, X), up(OTHER_PROVIDER, Y)]);
    records.extend([lists(1, A, X, Status::Up, 1), lists(1, B, Y, Status::Up, 1)]);
    records.extend([lists(2, E, X, Status::Up, 1)]);
    records.extend([shows(3, READER, &view(&[X])), shows(3, OTHER_READER, &view(&[Y]))]);
    records
}

#[track_caller]
fn differ(more: Vec<Record>, expected: &[&str]) {
    let world = two_clusters();
    let mut cluster = Cluster::new(&world);
    for record in each_by_itself().iter().chain(&more) {
        cluster.record(record);
    }
    assert_eq!(cluster.differences(9), expected);
    assert_eq!(cluster.disagreement(), expected.len() as u64);
    assert_eq!(cluster.agreed_since().is_some(), expected.is_empty());
}

#[test]
fn a_view_must_list_its_own_cluster_and_need_not_list_others() {
    differ(vec![], &[]);
    let gone = |node, instance| event(9, node, Event::Evicted { instance });
    differ(vec![gone(B, Y), gone(E, X)], &["b lacks y", "e lacks x"]);
    differ(vec![shows(9, READER, &view(&[]))], &["r lacks x"]);
    // One view held in both clusters is right in one of them.
    let both = view(&[X]);
    differ(vec![shows(9, READER, &both), shows(9, OTHER_READER, &both)], &["s lacks y"]);
    // What begins is missed at home alone, and so is what begins again.
    let again = [at(9, What::Ended { node: PROVIDER, exit: None }), at(9, What::Started { node: PROVIDER })];
    let again = again.into_iter().chain([gone(A, X), gone(E, X), shows(9, READER, &view(&[]))]);
    differ(again.collect(), &["a lacks x", "r lacks x", "e lacks x"]);
    // A server that starts must learn what is of its own cluster.
    let restarts = [at(9, What::Ended { node: B, exit: None }), at(9, What::Started { node: B })];
    differ(restarts.to_vec(), &["b lacks y"]);
}

#[test]
fn what_is_shown_of_another_cluster_must_be_so() {
    let shown = || vec![lists(5, B, X, Status::Up, 1), shows(5, OTHER_READER, &view(&[X, Y]))];
    differ(shown(), &[]);
    let then = |more: Vec<Record>| shown().into_iter().chain(more).collect::<Vec<_>>();
    // It dies: those of its own cluster forget it, those of the other do not.
    let dies = at(6, What::Ended { node: PROVIDER, exit: None });
    let forgotten = [A, E].map(|node| event(7, node, Event::Evicted { instance: X }));
    let mut death = vec![dies];
    death.extend(forgotten);
    death.push(shows(7, READER, &view(&[])));
    differ(then(death.clone()), &["b still lists x", "s still lists x"]);
    death.extend([event(8, B, Event::Evicted { instance: X }), shows(8, OTHER_READER, &view(&[Y]))]);
    differ(then(death), &[]);
    // Another status than it has misleads as well.
    let down = event(
        6,
        B,
        Event::Changed { instance: X, status: Status::Down, version: 1, origin: Origin::Replica },
    );
    differ(then(vec![down]), &["b has x as DOWN"]);
    let announced = event(6, PROVIDER, Event::Announced { instance: X, status: Status::Down, version: 2 });
    let known = [A, E].map(|node| lists(7, node, X, Status::Down, 2));
    let home = [announced].into_iter().chain(known).chain([shows(7, READER, &view(&[]))]).collect();
    differ(then(home), &["b has x as UP", "r lacks x", "s has x as UP"]);
}

#[track_caller]
fn check_servers(more: Vec<Record>, meshes: [bool; 2], verdict: Verdict) {
    let world = two_clusters();
    let terms = LeaseTerms { duration: Duration::from_secs(90), renewal_interval: Duration::from_secs(30) };
    let rules = vec![None; world.processes.len()];
    let premises = Premises { leases: [Some(terms); 2].into(), rules, repairing_meshes: meshes.to_vec() };
    let beats = (1..20).flat_map(|n| {
        [(A, X), (B, Y)]
            .map(|(node, instance)| event(n * 30, node, Event::Renewed { instance, origin: Origin::Client }))
    });
    let mut records: Vec<Record> = each_by_itself().into_iter().chain(beats).chain(more).collect();
    records.sort_by_key(|record| record.at);
    let mut judge = Judge::new(&world, &[], &premises);
    for record in &records {
        judge.record(record);
    }
    let findings = judge.finish(SimTime::from_secs(600));
    for name in ["servers-agree", "conflict-resolution"] {
        let finding = findings.iter().find(|finding| finding.name == name).expect("always on");
        assert_eq!(finding.verdict, verdict, "{name}: {}", finding.detail);
    }
}

#[test]
fn servers_are_compared_with_those_of_their_cluster() {
    check_servers(vec![], [true, true], Verdict::Holds);
    // An older version, within the cluster and outside.
    let newer = |nodes: &[NodeId]| -> Vec<Record> {
        let announced =
            event(100, PROVIDER, Event::Announced { instance: X, status: Status::Up, version: 2 });
        let known = nodes.iter().map(|node| lists(101, *node, X, Status::Up, 2));
        std::iter::once(announced).chain(known).collect()
    };
    check_servers(newer(&[A]), [true, true], Verdict::Violated);
    check_servers(newer(&[A, E]), [true, true], Verdict::Holds);
    let elsewhere = newer(&[A, E]).into_iter().chain([lists(50, B, X, Status::Up, 1)]).collect();
    check_servers(elsewhere, [true, true], Verdict::Holds);
    // And what is of the other cluster may be known to one of them alone.
    let heard = |n: u64| event(50 + n * 30, E, Event::Renewed { instance: Y, origin: Origin::Client });
    let known = [lists(50, E, Y, Status::Up, 1)].into_iter().chain((0..19).map(heard)).collect();
    check_servers(known, [true, true], Verdict::Holds);
    // A cluster whose servers do not all replicate to each other is left out; a server alone has none to differ from.
    check_servers(newer(&[A]), [false, true], Verdict::Inconclusive);
}

#[test]
fn a_fold_says_in_how_many_clusters_all_is_well() {
    let world = two_clusters();
    let mut cluster = Cluster::new(&world);
    for record in each_by_itself() {
        cluster.record(&record);
    }
    assert_eq!((cluster.living(ClusterId(0)), cluster.living(ClusterId(1))), (1, 1));
    let finding = convergence::judge(&cluster, SimTime::from_secs(9), Duration::from_secs(3));
    assert_eq!(finding.verdict, Verdict::Holds);
    assert!(
        finding.detail.starts_with("in each of 2 clusters all views agree with the truth"),
        "{}",
        finding.detail
    );
}
