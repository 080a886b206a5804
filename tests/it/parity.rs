//! Two drivers, one machine: what either driver hands in and gets back is recorded, and replayed through the bare machine,
//! gives equal effects in equal order; and one story, told by both drivers, gives the same effects in each.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use regsim::plan::world::{Fault, Step};
use regsim::protocol::{Address, Answer, Input, InstanceId, NodeId, Operation, Protocol, ServiceId, Status};
use regsim::sim::Simulation;

use crate::toys::arrivals::Real;
use crate::toys::log::{self, ReplicatedLog};
use crate::toys::realtime::{Cluster, Process, eventually};
use crate::toys::register::{self, Register};
use crate::toys::tape::{self, Shelf, Taped, open};
use crate::toys::worlds::{ask, at, world};

const LOOK_UP: Operation = Operation::LookUp { service: ServiceId(0), except: None };

fn register(instance: u32) -> Operation {
    Operation::Register { instance: InstanceId(instance) }
}

/// A register among `size`, done once all peers have answered.
fn register_config(node: u32, size: u32) -> register::Config {
    register::Config {
        peers: (0..size).filter(|peer| *peer != node).map(Address).collect(),
        quorum: size as usize - 1,
        patience: Duration::from_millis(40),
        pause: Some(Duration::from_millis(10)),
        timeout: Duration::from_secs(5),
    }
}

/// A log whose primary is node 0.
fn log_config(node: u32, size: u32) -> log::Config {
    log::Config {
        primary: (node > 0).then_some(Address(0)),
        peers: (0..size).filter(|peer| *peer != node).map(Address).collect(),
        period: Duration::from_millis(20),
        keep: 8,
        acknowledge_before_flush: false,
    }
}

fn start<P: Real>(
    cluster: &mut Cluster<P>,
    config: impl Fn(u32, u32) -> P::Config,
    size: u32,
) -> Vec<Process<P>> {
    (0..size).map(|node| cluster.start(NodeId(node), config(node, size))).collect()
}

/// Replays all tapes; there must be something on each.
fn replay<P: Protocol>(shelf: &Shelf<P>) {
    for tape in open(shelf).iter() {
        assert!(tape.turns.len() > 1, "nothing happened to {:?}", tape.node);
        tape.replay();
    }
}

#[test]
fn a_register_in_real_time() {
    let mut cluster = Cluster::<Register>::new("register", 3);
    let mut nodes = start(&mut cluster, register_config, 3);
    assert_eq!(nodes[0].ask(LOOK_UP), Answer::NoneFound);
    assert_eq!(nodes[0].ask(register(7)), Answer::Ok);
    assert_eq!(nodes[1].ask(LOOK_UP), Answer::Found(InstanceId(7)));
    assert_eq!(nodes[2].ask(Operation::Renew { instance: InstanceId(7) }), Answer::Failed(400));
    nodes.pop().expect("three").kill();
    assert_eq!(nodes[1].ask(register(8)), Answer::Unknown);
    nodes[1].reconfigure(register::Config { quorum: 1, ..register_config(1, 3) });
    assert_eq!(nodes[1].ask(LOOK_UP), Answer::Found(InstanceId(8)));

    // What a new life missed, it learns by a watch.
    nodes.push(cluster.start(NodeId(2), register::Config { quorum: 0, ..register_config(2, 3) }));
    eventually("the new life learns of 8", || nodes[2].ask(LOOK_UP) == Answer::Found(InstanceId(8)));
    assert_eq!(nodes.into_iter().map(Process::stop).collect::<Vec<_>>(), [Some(0); 3]);
    replay(&cluster.shelf);
}

#[test]
fn a_log_in_real_time() {
    let mut cluster = Cluster::<ReplicatedLog>::new("log", 3);
    let mut nodes = start(&mut cluster, log_config, 3);
    eventually("the primary serves", || nodes[0].ask(register(0)) == Answer::Ok);
    assert_eq!(nodes[1].ask(register(1)), Answer::Failed(503));
    for instance in 1..20 {
        assert_eq!(nodes[0].ask(register(instance)), Answer::Ok);
    }
    // A primary's new life finds all on its disk, and the backups find the new life.
    nodes.remove(0).kill();
    nodes.insert(0, cluster.start(NodeId(0), log_config(0, 3)));
    eventually("the primary serves again", || nodes[0].ask(register(20)) == Answer::Ok);
    let complete = |node| {
        let shelf = open(&cluster.shelf);
        let life = shelf.iter().rfind(|tape| tape.node == NodeId(node)).expect("started");
        life.turns.iter().any(|turn| format!("{:?}", turn.effects).contains("Entry(2, InstanceId(20))"))
    };
    eventually("both backups have the last entry", || complete(1) && complete(2));
    assert_eq!(nodes.into_iter().map(Process::stop).collect::<Vec<_>>(), [Some(0); 3]);
    replay(&cluster.shelf);
}

/// One thing of a story that a process is asked; the next follows its answer.
type Asked = (u32, Operation);

/// Tells a story in virtual time. Each thing has all the time that it needs before the next.
fn simulated<P: Protocol>(story: &[Asked], configs: Vec<P::Config>) -> Shelf<P> {
    let names = ["a", "b", "c"];
    let names = &names[..configs.len()];
    let pause_ms = 200;
    let mut steps: Vec<Step> = Vec::new();
    for (turn, (node, operation)) in (1..).zip(story) {
        steps.push(ask(turn * pause_ms, *node, operation.clone()));
    }
    let end = (story.len() as u64 + 1) * pause_ms;
    for (turn, node) in (0..).zip((0..).map(NodeId).take(configs.len())) {
        steps.push(at(end + turn * pause_ms, Fault::Stop { processes: vec![node] }));
    }
    let shelf = Shelf::default();
    let record = |inner| Arc::new(tape::Config { inner: Arc::new(inner), shelf: Arc::clone(&shelf) });
    let world = world(names, end + 1_000, steps);
    let configs = configs.into_iter().map(record).collect();
    Simulation::<Taped<P>>::new(&world, configs, 1).run(&mut ());
    shelf
}

/// Tells a story in real time, beginning once node 0 has wanted `ready`.
fn real<P: Real>(name: &str, story: &[Asked], configs: Vec<P::Config>, ready: &str) -> Shelf<P> {
    let mut cluster = Cluster::<P>::new(name, configs.len());
    let nodes: Vec<_> =
        (0..).map(NodeId).zip(configs).map(|(node, config)| cluster.start(node, config)).collect();
    eventually(ready, || effects(&cluster.shelf, 0).contains(ready));
    for (node, operation) in story {
        nodes[*node as usize].ask(operation.clone());
    }
    nodes.into_iter().for_each(|node| assert_eq!(node.stop(), Some(0)));
    Arc::clone(&cluster.shelf)
}

/// All effects of a process, in order. What a driver chooses (ids, the time) is numbered as it comes up.
fn effects<P: Protocol>(shelf: &Shelf<P>, node: u32) -> String {
    let shelf = open(shelf);
    let turns = shelf.iter().filter(|tape| tape.node == NodeId(node)).flat_map(|tape| &tape.turns);
    let text: Vec<_> = turns.flat_map(|turn| &turn.effects).map(|effect| format!("{effect:?}\n")).collect();
    let mut text = text.concat();
    let chosen = [("CallId(", 1), ("RequestId(", 2), ("Ticket(", 3), ("millis: ", 4), ("version: ", 4)];
    for (before, kind) in chosen {
        let mut seen = BTreeMap::new();
        let mut parts = text.split(before);
        let mut numbered = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let end = part.find(|c: char| c != '-' && !c.is_ascii_digit()).unwrap_or(part.len());
            let count = seen.len();
            let number = *seen.entry((kind, part[..end].to_owned())).or_insert(count);
            numbered += &format!("{before}#{number}{}", &part[end..]);
        }
        text = numbered;
    }
    text
}

#[test]
fn a_story_of_the_register_is_the_same_under_both_drivers() {
    let story = [
        (0, LOOK_UP),
        (0, register(3)),
        (1, LOOK_UP),
        (1, register(4)),
        (0, Operation::Deregister { instance: InstanceId(4) }),
        (1, LOOK_UP),
        (1, Operation::ClearStatus { instance: InstanceId(4), status: None }),
        // A closed port, where the write cannot arrive, and an open one.
        (1, Operation::SetStatus { instance: InstanceId(4), status: Status::Down }),
        (0, register(5)),
        (1, Operation::SetStatus { instance: InstanceId(4), status: Status::Up }),
        (0, register(6)),
    ];
    let configs =
        || (0..2).map(|node| register::Config { pause: None, ..register_config(node, 2) }).collect();
    let (simulated, real) =
        (simulated::<Register>(&story, configs()), real::<Register>("register-story", &story, configs(), ""));
    for node in 0..2 {
        let (in_sim, in_real) = (effects(&simulated, node), effects(&real, node));
        assert_eq!(in_sim, in_real, "node {node}");
        assert!(in_sim.lines().count() > 15 && in_sim.contains("Exit"), "a whole story: {in_sim}");
    }
    replay(&simulated);
    replay(&real);
}

#[test]
fn a_story_of_the_log_is_the_same_under_both_drivers() {
    let story: Vec<Asked> = (0..6).map(|instance| (0, register(instance))).chain([(0, LOOK_UP)]).collect();
    let configs = || vec![log::Config { period: Duration::from_secs(60), ..log_config(0, 1) }];
    let (simulated, real) = (
        simulated::<ReplicatedLog>(&story, configs()),
        real::<ReplicatedLog>("log-story", &story, configs(), "Serving"),
    );
    let (in_sim, in_real) = (effects(&simulated, 0), effects(&real, 0));
    assert_eq!(in_sim, in_real);
    assert!(in_sim.lines().count() > 25 && in_sim.contains("Exit"), "a whole story: {in_sim}");
    replay(&simulated);
    replay(&real);
}

#[test]
#[should_panic(expected = "effects of Some(Ask")]
fn a_replay_notices_an_effect_that_is_missing() {
    let shelf = simulated::<Register>(&[(0, LOOK_UP)], vec![register_config(0, 1)]);
    let mut tapes = open(&shelf);
    let asked = |turn: &&mut tape::Turn<Register>| matches!(turn.input, Some(Input::Ask { .. }));
    let turn = tapes[0].turns.iter_mut().find(asked).expect("a look-up");
    turn.effects.pop().expect("its answer");
    tapes[0].replay();
}
