use super::words::Told;
use super::*;
use crate::run;
use crate::scenario::Scenario;

fn plan(scenario: Result<Scenario, Vec<crate::scenario::diagnostic::Diagnostic>>) -> Plan {
    let scenario = scenario.unwrap_or_else(|mistakes| panic!("{}", mistakes[0]));
    Plan::resolve(&scenario).unwrap_or_else(|mistakes| panic!("{}", mistakes[0]))
}

fn shipped(name: &str) -> Plan {
    let path = format!("{}/scenarios/{name}.yaml", env!("CARGO_MANIFEST_DIR"));
    plan(Scenario::load(path.as_ref()))
}

fn written(text: &str) -> Plan {
    let mut none = |_: &str| Err("no such file".to_owned());
    plan(Scenario::parse("case.yaml", format!("title: t\n{text}").as_bytes(), &[], &mut none))
}

fn chronicle(plan: &Plan, detail: Detail) -> Chronicle<'_> {
    let mut chronicle = Chronicle::new(plan, detail);
    let outcome = run::run(plan, 1, &mut chronicle);
    chronicle.finish(&outcome.measured);
    chronicle
}

fn told(plan: &Plan, detail: Detail) -> Vec<String> {
    let said = |told: Told| format!("{} {}: {}", told.at, told.who, told.what);
    let chronicle = chronicle(plan, detail);
    chronicle.lines.iter().map(|line| said(chronicle.line(line))).collect()
}

fn screen(plan: &Plan) -> String {
    chronicle(plan, Detail::Folded).render(100, |text, _| text.to_owned()).join("\n")
}

#[test]
fn a_peer_is_down_on_one_screen() {
    insta::assert_snapshot!(screen(&shipped("eureka/peer-down")));
}

#[test]
fn a_partition_without_self_preservation_on_one_screen() {
    insta::assert_snapshot!(screen(&shipped("eureka/partition-without-self-preservation")));
}

const STORM: &str = "
servers: { peer1: , peer2: }
services: { provider: { instances: 600, start: 1m..70s }, consumer: { start: 2m } }
timeline: [ { name: half of them die, at: 5m, crash: 50% of provider } ]
duration: 12m
";

#[test]
fn a_fleet_of_any_size_fits_on_a_screen() {
    let plan = written(STORM);
    let chronicle = chronicle(&plan, Detail::Folded);
    assert!(chronicle.lines.len() < 60, "{} lines for 600 instances", chronicle.lines.len());
    let (told, hidden) = chronicle.told();
    assert!(told.len() <= SCREEN && told.len() + hidden as usize >= chronicle.lines.len());
    let registered = told.iter().find(|told| told.what.starts_with("registered provider/")).expect("a line");
    assert!(registered.what.contains(" … provider/5"), "{registered:?}");
    let died = told.iter().find(|told| told.what == "died").expect("a line");
    assert!(died.who.ends_with("(300)"), "{died:?}");
    let screen = screen(&plan);
    assert!(screen.lines().all(|line| columns_of(line) <= 100), "{screen}");
}

fn columns_of(line: &str) -> usize {
    super::super::text::columns(line)
}

#[test]
fn in_full_each_change_is_a_line_and_the_rest_is_counted() {
    let plan = written(STORM);
    let full = told(&plan, Detail::Full);
    let registered = full.iter().filter(|line| line.contains(": registered provider/")).count();
    assert_eq!(registered, 600, "one line each");
    let mut chronicle = Chronicle::new(&plan, Detail::Full);
    for round in 0..=KEPT as u64 {
        let what = What::Started { node: NodeId(0) };
        chronicle.record(&Record { at: SimTime(round), what });
    }
    assert_eq!((chronicle.lines.len(), chronicle.lost), (KEPT, 1));
    assert_eq!(chronicle.told().1, 1);
}

#[test]
fn causes_are_told() {
    let said = told(
        &written(
            "
servers: { peer1: , peer2: }
services:
  provider: { instances: 2, servers: [peer2, peer1], start: 10s }
timeline:
  - { name: out, at: 2m, request: { set-status: provider/1, status: OUT_OF_SERVICE, to: peer1 } }
  - { name: peer2 dies, at: 4m, crash: peer2 }
  - { name: gone, at: 6m, stop: provider/0 }
duration: 9m
",
        ),
        Detail::Folded,
    );
    let has = |words: &[&str]| {
        let found = said.iter().any(|line| words.iter().all(|word| line.contains(word)));
        assert!(found, "{words:?} in {said:#?}");
    };
    has(&["peer1: heard of provider/0 and provider/1 from peer2, by replication"]);
    has(&["2m00.000s : ── out"]);
    has(&["has provider/1 as OUT_OF_SERVICE now"]);
    has(&["4m00.000s peer2: died"]);
    has(&["provider/0 and provider/1: turned from peer2 to peer1"]);
    has(&["6m00.000s provider/0: began to shut down"]);
    has(&["peer1: deregistered provider/0"]);
}

/// A heartbeat that was long under way is executed late, at a server that its sender has left.
#[test]
fn one_late_word_is_no_turn_to_another_server() {
    let plan = written(STORM);
    let lines = |heard: &[(u64, u32)]| {
        let mut chronicle = Chronicle::new(&plan, Detail::Folded);
        for &(at, node) in heard {
            let event = Event::Renewed { instance: InstanceId(5), origin: Origin::Client };
            let what = What::Event { node: NodeId(node), event };
            chronicle.record(&Record { at: SimTime::from_secs(at), what });
        }
        chronicle.told().0.iter().map(|told| format!("{} {}", told.at, told.what)).collect::<Vec<_>>()
    };
    assert_eq!(lines(&[(30, 0), (60, 1), (61, 1), (90, 0), (120, 0)]), [""; 0]);
    assert_eq!(lines(&[(30, 0), (60, 1), (90, 1)]), ["1m00.000s turned from peer1 to peer2"]);
}

/// Between two steps, and not long after each other: else it is told again.
#[test]
fn only_what_belongs_together_is_folded() {
    let plan = written(STORM);
    let paused = |at: u64, node: u32| Record {
        at: SimTime::from_secs(at),
        what: What::Paused { node: NodeId(node), paused: true },
    };
    let lines = |records: &[Record]| {
        let mut chronicle = Chronicle::new(&plan, Detail::Folded);
        records.iter().for_each(|record| chronicle.record(record));
        chronicle.told().0.iter().map(|told| format!("{} {}", told.at, told.who)).collect::<Vec<_>>()
    };
    assert_eq!(lines(&[paused(1, 2), paused(100, 3)]), ["1.000s provider/0 and provider/1"]);
    assert_eq!(lines(&[paused(1, 2), paused(200, 3)]), ["1.000s provider/0", "3m20.000s provider/1"]);
    let step = Record { at: SimTime::from_secs(50), what: What::Step { step: 0, began: true } };
    let lines = lines(&[paused(1, 2), step.clone(), step, paused(100, 3)]);
    assert_eq!(lines, ["1.000s provider/0", "50.000s ", "1m40.000s provider/1"], "and a step is told once");
}
