//! Words of the timeline in whole runs: each case shows what its fault changes, and that nothing changes without it.
//!
//! Separate from `timeline.rs`, which holds requests and settings.

use regsim::check::{Finding, Verdict};
use regsim::history::{Record, What};
use regsim::plan::Plan;
use regsim::run::{self, Outcome};
use regsim::scenario::Scenario;

fn scenario(text: &str) -> Result<Plan, Vec<String>> {
    let mut no_files = |_: &str| Err("no such file".to_owned());
    let scenario = Scenario::parse("case.yaml", format!("title: t\n{text}").as_bytes(), &[], &mut no_files);
    let plan = scenario.and_then(|scenario| Plan::resolve(&scenario));
    plan.map_err(|mistakes| mistakes.into_iter().map(|mistake| mistake.message).collect())
}

fn resolved(text: &str) -> Plan {
    scenario(text).unwrap_or_else(|mistakes| panic!("{text}\n{mistakes:#?}"))
}

fn outcome(text: &str) -> Outcome {
    run::run(&resolved(text), 1, &mut ())
}

/// All expectations of the scenario hold, and no check that is always on fails.
fn holds(text: &str) {
    let outcome = outcome(text);
    let failed = |finding: &&Finding| match finding.expected {
        true => finding.verdict != Verdict::Holds,
        false => finding.verdict == Verdict::Violated,
    };
    let failed: Vec<_> = outcome.findings.iter().filter(failed).collect();
    assert!(failed.is_empty(), "{text}\n{failed:#?}");
}

/// The only mistakes of a scenario.
fn mistakes(text: &str, expected: &[&str]) {
    assert_eq!(scenario(text).expect_err("it is wrong"), expected, "{text}");
}

/// When processes of that name began or ended, in whole seconds.
fn lives(text: &str, name: &str) -> Vec<(u64, bool)> {
    let plan = resolved(text);
    let mut records: Vec<Record> = Vec::new();
    run::run(&plan, 1, &mut records);
    let of = |node: &regsim::protocol::NodeId| plan.world.processes[node.index()].name.starts_with(name);
    let life = |record: &Record| match &record.what {
        What::Started { node } if of(node) => Some((record.at.as_millis() / 1000, true)),
        What::Ended { node, .. } if of(node) => Some((record.at.as_millis() / 1000, false)),
        _ => None,
    };
    records.iter().filter_map(life).collect()
}

#[test]
fn a_step_waits_for_an_event() {
    holds(
        r#"
system: { eureka: { server: { enable-self-preservation: false } } }
servers: { a: , b: }
services: { p: { start: 5s, servers: [a, b] } }
timeline:
  - { name: dies, when: { event: renewed, of: p/0, server: a, nth: 3, plus: 2s }, crash: p/0 }
  - { after: dies + 10s, when: evicted, restart: p/0 }
expect:
  - delay: { from: { event: renewed, of: p/0, server: a, nth: 3 }, to: { step: dies }, is: 2s }
  - registered: { service: p, by: 9m }
  - sometimes: { event: evicted, of: p/0 }
"#,
    );
}

/// `at` says from when on a step waits; a figure and a process can be waited for, too.
#[test]
fn steps_wait_for_figures_and_processes_from_a_time_on() {
    holds(
        r#"
servers: { a: , b: }
services: { p: { instances: 4, start: 5s, servers: [a, b] } }
duration: 12m
timeline:
  - { name: down, at: 4m, crash: p }
  - { name: back, at: 3m, when: { event: self-preservation-active, server: a }, restart: p }
  - { name: again, when: { event: started, of: p/0, nth: 2, plus: 1m }, for: 5s, pause: a }
expect:
  - order: [{ step: down }, { step: back }, { step: again }, { end-of: again }]
  - delay: { from: { step: down }, to: { step: back }, is: "<= 3m" }
  - delay: { from: { step: back }, to: { step: again }, is: 1m }
"#,
    );
}

#[test]
fn a_step_that_waits_in_vain_is_told_and_its_followers_too() {
    let outcome = outcome(
        r#"
servers: { a: }
services: { p: { start: 5s } }
timeline:
  - { name: first, when: { event: evicted, of: p/0 }, crash: a }
  - { after: first + 5s, restart: a }
expect: [ { registered: { service: p, by: 4m } } ]
"#,
    );
    assert_eq!(outcome.verdict, Verdict::Inconclusive);
    let waited = |name: &str| outcome.findings.iter().find(|it| it.name == name).map(|it| it.detail.clone());
    let expected = Some("it waited to the end of the run for { event: evicted, of: p/0 }".to_owned());
    assert_eq!((waited("“first” happens"), waited("“restart a” happens")), (expected.clone(), expected));
}

#[test]
fn what_waits_has_no_time_of_its_own() {
    let after = |more: &str| {
        format!(
            "servers: {{ a: , b: }}\nservices: {{ p: }}\ntimeline:\n  - {{ name: x, when: evicted, crash: a }}\n{more}"
        )
    };
    mistakes(
        &after("  - { after: x, every: 1m, until: 9m, restart: a }\n"),
        &["a step that follows what waits for something happens once"],
    );
    mistakes(
        &after("expect: [ { registered: { service: p, by: x + 1m } } ]\n"),
        &["when `x` happens is known only in the run"],
    );
    mistakes(
        &after(
            "  - { at: 1m, set: { server: b, disable-delta: true } }\n  - { after: x, set: { server: b, disable-delta: false } }\n",
        ),
        &["which change of the settings of `b` comes first is not known"],
    );
    mistakes(
        "servers: { a: }\ntimeline:\n  - { when: evicted, every: 1m, until: 9m, crash: a }\n  \
         - { when: { event: evictd }, crash: a }\n  - { when: { event: evicted, nth: 0 }, crash: a }\n  \
         - { when: { gauge: fetch-age, client: a, is: 3 }, crash: a }\n  - { when: {}, crash: a }\n  \
         - { when: { gauge: registry-size, client: a, is: 3 }, crash: a }\n  \
         - { when: { gauge: registry-size, server: a }, crash: a }\n",
        &[
            "a step that waits for something happens once",
            "unknown event: `evictd`",
            "what is waited for is counted from 1",
            "a step cannot wait for this gauge: `fetch-age`",
            "`when` needs `event` or `gauge`",
            "`registry-size` is a figure of servers",
            "a gauge needs the value that is waited for",
        ],
    );
    mistakes(
        "servers: { a: }\ntimeline:\n  - { when: { event: renewed, of: q, server: c }, crash: a }\n",
        &["unknown name: `q`", "unknown name: `c`"],
    );
}

/// A run is long enough for what waits: each is given five minutes.
#[test]
fn the_run_is_long_enough_for_what_waits() {
    let minutes = |timeline: &str| {
        let plan = resolved(&format!("servers: {{ a: , b: }}\ntimeline:\n{timeline}"));
        plan.world.duration.as_millis() / 60_000
    };
    assert_eq!(minutes("  - { at: 1m, crash: a }\n"), 5);
    assert_eq!(minutes("  - { at: 3m, when: { event: ended, of: a, plus: 2m }, crash: b }\n"), 10);
    assert_eq!(
        minutes(
            "  - { name: x, when: { event: ended, of: a }, crash: b }\n  - { after: x + 1m, when: evicted, restart: b }\n"
        ),
        11
    );
}

#[test]
fn a_bridge_reaches_both_sides_that_do_not_reach_each_other() {
    let story = |step: &str, at_c: &str| {
        holds(&format!(
            r#"
servers: {{ a: , b: , c: }}
services: {{ p: {{ start: 2m, servers: a }} }}
timeline: [ {{ at: 1m, for: 3m, {step} }} ]
expect:
  - registered: {{ service: p, server: b, by: 3m }}
  - {at_c}: {{ service: p, server: c, by: 3m }}
"#
        ));
    };
    story("bridge: b, between: [[a, p], c]", "not-registered");
    story("slow: b, factor: 2x", "registered");
    let wrong = "servers: { a: , b: }\ntimeline:\n  - { at: 1m, bridge: b, between: [a, b] }\n";
    mistakes(wrong, &["the bridge cannot be on one of its sides: `b`"]);
    mistakes(
        "servers: { a: , b: }\ntimeline:\n  - { at: 1m, bridge: b, between: [] }\n  - { at: 1m, bridge: b, between: [a] }\n  \
         - { at: 1m, bridge: b, between: a }\n  - { at: 1m, bridge: b }\n  - { at: 1m, partition: [] }\n",
        &[
            "a bridge needs two groups",
            "a bridge needs two groups",
            "a bridge is written as a list",
            "a bridge needs what it lies `between`",
            "a partition needs two groups",
        ],
    );
}

/// Where only what it sends is lost, heartbeats over connections that exist arrive, once: their answers do not, and no new
/// connection comes about.
#[test]
fn packets_are_dropped_one_way_at_one_server() {
    let renewals = |only: &str, is: u32| {
        holds(&format!(
            r#"
servers: {{ a: {{ client: {{ register-with-eureka: false }} }} }}
services: {{ p: {{ instances: 3, start: 5s, heartbeat-every: 10s, client: {{ fetch-registry: false }} }} }}
timeline: [ {{ at: 2m, isolate: a, only: {only} }} ]
expect: [ {{ count: {{ event: renewed, of: p, during: 2m..5m, is: {is} }} }} ]
"#
        ));
    };
    renewals("inbound", 0);
    renewals("outbound", 3);
}

/// An end of a cut may lie in the other: a server among all of them.
#[test]
fn a_server_is_cut_from_all_servers() {
    holds(
        r#"
servers: { a: , b: , c: }
services: { p: { start: 2m, servers: a } }
timeline: [ { at: 1m, cut: a <-> servers } ]
expect:
  - registered: { service: p, server: a, by: 3m }
  - not-registered: { service: p, server: [b, c], by: 3m }
"#,
    );
}

#[test]
fn places_are_cut_by_their_names() {
    let across = |step: &str| {
        holds(&format!(
            r#"
topology: {{ regions: {{ near: [n1, n2], far: [f1] }} }}
servers: {{ a: {{ zone: n1 }}, b: {{ zone: n2 }}, c: {{ zone: f1 }} }}
services: {{ p: {{ start: 2m, servers: a, zone: n1 }} }}
timeline: [ {{ at: 1m, for: 3m, {step} }} ]
expect:
  - registered: {{ service: p, server: b, by: 3m }}
  - not-registered: {{ service: p, server: c, by: 3m }}
"#
        ));
    };
    across("cut: region near <-> region far");
    across("cut: near -> zone f1");
    across("isolate: zone f1");
    across("partition: [near, far]");
}

#[test]
fn a_caller_whose_link_flaps_loses_its_share_of_calls() {
    let calls = |step: &str, success: &str| {
        holds(&format!(
            r#"
servers: {{ a: }}
services: {{ p: {{ start: 1s }}, c: {{ start: 40s, calls: {{ p: {{ rate: 20/s, timeout: 100ms }} }} }} }}
timeline: [ {{ at: 2m, for: 3m, {step} }} ]
duration: 5m
expect: [ {{ calls: {{ success: "{success}" }} }} ]
"#
        ));
    };
    // Calls are made for 260 s, and half of them are lost for 180 s.
    calls("flap: c, down: 1s..3s, up: 2s", "58%..72%");
    calls("flap: c -> p, down: 1s..3s, up: 2s", "58%..72%");
    calls("path: c -> p, loss: { share: 50%, burst: 2s }", "58%..72%");
    calls("flap: p <-> a, down: 1s..3s, up: 2s", ">= 99%");
    let wrong = "servers: { a: , b: }\ntimeline:\n  - { at: 1m, flap: a, down: 0s, up: 1s }\n  - { at: 1m, flap: a, up: 1s }\n  \
                 - { at: 1m, path: a -> b, loss: { share: 5%, burst: 0s } }\n";
    mistakes(wrong, &["a path cannot turn so fast", "a step needs `down`", "a burst of no length"]);
}

/// A dead server whose host refuses is passed over at once; one whose host keeps silent costs its connect timeout, 5 s.
#[test]
fn a_silent_host_costs_its_callers_a_timeout() {
    let story = |silence: &str, held: &str| {
        holds(&format!(
            r#"
servers: {{ a: , b: }}
services: {{ p: {{ start: 1m, servers: [a, b] }} }}
timeline: [ {{ at: 30s, crash: a }} {silence} ]
expect:
  - {held}: {{ service: p, server: b, by: 64s }}
  - registered: {{ service: p, server: b, by: 2m }}
"#
        ));
    };
    story("", "registered");
    story(", { at: 20s, silence: a }", "not-registered");
}

#[test]
fn what_is_held_arrives_when_the_fault_ends() {
    let story = |hold: &str, held: &str| {
        holds(&format!(
            r#"
servers: {{ a: , b: {{ client: {{ fetch-registry: false }} }} }}
services: {{ p: {{ start: 1m, servers: a }} }}
timeline: [ {{ at: 30s, for: 2m {hold} }} ]
duration: 5m
expect:
  - {held}: {{ service: p, server: b, by: 2m20s }}
  - registered: {{ service: p, server: b, by: 2m32s }}
"#
        ));
    };
    story(", messages: { match: { kind: replication, to: b }, do: hold }", "not-registered");
    story(", messages: { match: { kind: replication, to: a }, do: hold }", "registered");
    mistakes(
        "servers: { a: }\ntimeline:\n  - { at: 1m, messages: { do: hold } }\n  - { at: 1m, for: 5s, hold: heartbeat }\n",
        &["messages that are held need an end", "not a verb: `hold`"],
    );
}

#[test]
fn a_rolling_restart_takes_one_after_the_other() {
    let story = |more: &str| {
        format!(
            "servers: {{ a: , b: , c: }}\nservices: {{ p: {{ instances: 5, start: 1s }} }}\ntimeline:\n  \
             - {{ name: roll, at: 2m, rolling-restart: {{ every: 30s, down: 10s, {more} }} }}\n  \
             - {{ name: end, after: roll, for: 1s, pause: a }}\n"
        )
    };
    let started = |at| (at, true);
    let ended = |at| (at, false);
    let servers = lives(&story("of: servers, graceful: false"), "a");
    assert_eq!(servers, [started(0), ended(120), started(130)]);
    assert_eq!(lives(&story("of: servers, graceful: false"), "c"), [started(0), ended(180), started(190)]);
    let two = lives(&story("of: p, graceful: false, at-once: 2"), "p/");
    let then: Vec<_> = two.iter().filter(|(at, _)| *at > 1).copied().collect();
    let pair = |at| [ended(at), ended(at), started(at + 10), started(at + 10)];
    assert_eq!(then, [pair(120).to_vec(), pair(150).to_vec(), vec![ended(180), started(190)]].concat());
    let end = |more: &str| resolved(&story(more)).world.steps.last().map(|step| step.at.as_millis());
    assert_eq!(end("of: servers"), Some(190_000), "a step may follow its end");
    assert_eq!(end("of: p, at-once: 5"), Some(130_000));
    mistakes(
        "servers: { a: }\ntimeline:\n  - { at: 1m, rolling-restart: { of: a, every: 5s, down: 1s, at-once: 0 } }\n  \
         - { at: 1m, rolling-restart: servers }\n  - { at: 1m, over: 3s, pause: a }\n",
        &[
            "a rolling restart of none at a time",
            "`rolling-restart` is written as keys and values",
            "`pause` hits all at once",
        ],
    );
}

/// Instances that are told to stop deregister; those that are gone without a word stay listed until their leases run out.
#[test]
fn a_service_is_scaled_out_and_in() {
    let story = |graceful: bool, gone: &str| {
        holds(&format!(
            r#"
servers: {{ a: {{ server: {{ enable-self-preservation: false }} }} }}
services: {{ p: {{ instances: 2, start: 1s }}, c: {{ start: 1s, calls: {{ p: 1/s }} }} }}
timeline:
  - {{ name: out, at: 1m, over: 10s, scale: {{ service: p, to: 5 }} }}
  - {{ at: 3m, over: 2s, scale: {{ service: p, to: 1, graceful: {graceful} }} }}
  - {{ at: 4m, for: 1s, pause: p }}
expect:
  - registered: {{ service: p, by: 50s }}
  - not-registered: {{ instance: [p/2, p/3, p/4], by: 55s }}
  - not-registered: {{ instance: p/4, by: 65s }}
  - registered: {{ service: p, by: 2m }}
  - registered: {{ instance: [p/0, p/1, p/2, p/3, p/4], by: 2m }}
  - {gone}: {{ instance: [p/1, p/2, p/3, p/4], by: 3m10s }}
  - registered: {{ service: p, by: 10m }}
  - not-registered: {{ instance: [p/1, p/2, p/3, p/4], by: 10m }}
"#
        ));
    };
    story(true, "not-registered");
    story(false, "registered");
    // What dies starts again when the service is scaled to as many as it should have.
    let again = "servers: { a: }\nservices: { p: { instances: 2, start: 1s } }\ntimeline:\n  - { at: 1m, crash: p/0 }\n  \
                 - { at: 2m, scale: { service: p, to: 2 } }\n";
    assert_eq!(lives(again, "p/0"), [(1, true), (60, false), (120, true)]);
    assert_eq!(lives(again, "p/1"), [(1, true)]);
    mistakes(
        "servers: { a: }\nservices: { p: }\ntimeline:\n  - { at: 1m, scale: { service: a, to: 2 } }\n  \
         - { at: 1m, scale: { service: p, to: 3 } }\n  - { at: 2m, crash: p/3 }\n",
        &["unknown service: `a`", "`p` has no instance 3"],
    );
}

/// A selector means those that there are by then: half of five, not of two.
#[test]
fn selectors_mean_the_instances_of_their_moment() {
    let plan = resolved(
        r#"
servers: { a: }
services: { p: { instances: 2, start: 1s } }
timeline:
  - { at: 30s, crash: 50% of p }
  - { at: 1m, scale: { service: p, to: 10 } }
  - { at: 2m, crash: 50% of p }
  - { at: 3m, scale: { service: p, to: 4 } }
  - { at: 4m, restart: clients }
  - { at: 5m, isolate: p }
"#,
    );
    use regsim::plan::world::Fault;
    let hit = plan.world.steps.iter().filter_map(|step| match &step.fault {
        Fault::Crash { processes } | Fault::Restart { processes, .. } => Some(processes.len()),
        Fault::Partition { groups } => Some(groups[0].len()),
        _ => None,
    });
    assert_eq!(hit.collect::<Vec<_>>(), [1, 5, 4, 10], "networks fail for those to come, too");
}

/// A mass crash that takes its time.
#[test]
fn a_crash_over_a_time_hits_one_after_the_other() {
    let text = "servers: { a: }\nservices: { p: { instances: 5, start: 1s } }\ntimeline:\n  - { at: 1m, over: 8s, crash: p }\n  \
                - { at: 2m, over: 4s, restart: p }\n";
    let then: Vec<u64> = lives(text, "p/").into_iter().map(|(at, _)| at).filter(|at| *at > 1).collect();
    assert_eq!(then, [60, 62, 64, 66, 68, 120, 121, 122, 123, 124]);
}

#[test]
fn the_answer_to_a_request_may_be_expected() {
    let verdicts = |requests: &str| {
        let text = format!(
            "servers: {{ a: , b: }}\nservices: {{ p: {{ start: 1s }} }}\ntimeline:\n  - {{ at: 2m, crash: b }}\n{requests}"
        );
        let outcome = outcome(&text);
        let of = outcome.findings.iter().filter(|finding| finding.name.contains("is answered"));
        of.map(|finding| (finding.name.clone(), finding.verdict)).collect::<Vec<_>>()
    };
    let expected = |name: &str, verdict| (format!("{name} is answered"), verdict);
    let seen = verdicts(
        "  - { at: 3m10s, request: { deregister: p/0, to: a, expect: 200 } }\n  \
         - { at: 3m11s, request: { deregister: p/0, to: a, expect: 200 } }\n  \
         - { at: 3m12s, request: { deregister: p/0, to: a, expect: 404 } }\n  \
         - { at: 3m13s, request: { renew: p/0, to: b, expect: 200 } }\n  \
         - { at: 3m14s, request: { register: p/0, to: servers, expect: 204 } }\n  \
         - { at: 3m15s, request: { renew: p/0, to: a, expect: 404 } }\n",
    );
    let expected = [
        expected("deregister p/0 at a", Verdict::Holds),
        expected("deregister p/0 at a", Verdict::Violated),
        expected("deregister p/0 at a", Verdict::Holds),
        expected("renew p/0 at b", Verdict::Inconclusive),
        expected("register p/0 at servers", Verdict::Inconclusive),
        expected("renew p/0 at a", Verdict::Violated),
    ];
    let seen: Vec<_> = seen
        .iter()
        .map(|(name, verdict)| (name.rsplit_once(' ').map_or("", |(name, _)| name).to_owned(), *verdict))
        .collect();
    assert_eq!(seen, expected);
    mistakes(
        "servers: { a: }\nservices: { p: }\ntimeline:\n  - { at: 1m, request: { register: p/0, to: a, expect: 200 } }\n  \
         - { at: 1m, request: { set-status: p/0, status: DOWN, expect: 200 } }\n",
        &[
            "this is answered `204` if it succeeds, never `200`",
            "what an application does by itself is not answered",
        ],
    );
}

#[test]
fn what_this_system_has_not_is_refused_by_name() {
    let no_disk = "eureka keeps nothing on a disk: this would change nothing";
    mistakes(
        "servers: { a: , b: }\ntimeline:\n  - { at: 1m, slow-disk: a, factor: 10x }\n  - { at: 1m, full-disk: b }\n  \
         - { at: 1m, power-off: a, unflushed: torn }\n",
        &[no_disk, no_disk, no_disk],
    );
    mistakes(
        "servers: { a: }\ntimeline:\n  - { at: 1m, crash: leader }\n  - { at: 1m, pause: not leader }\n  \
         - { at: 1m, chaos: { rate: 1/min } }\n",
        &[
            "no leader in this system: `leader`",
            "no leader in this system: `not leader`",
            "not supported in this version: `chaos`",
        ],
    );
}

/// A balancer without checks sends every other connection to the dead; one with checks stops it after `fall` of them.
#[test]
fn a_balancer_looks_after_those_behind_it() {
    let story = |balancer: &str, fault: &str, renewals: &str| {
        holds(&format!(
            r#"
topology: {{ addresses: {{ lb: {balancer} }} }}
servers: {{ a: {{ peers: [b] }}, b: {{ peers: [a] }} }}
services: {{ p: {{ instances: 6, start: 1m, servers: lb }} }}
timeline: [ {{ at: 30s, {fault} }} ]
expect: [ {{ gauge: {{ name: status-up, server: a, at: 1m5s, is: "{renewals}" }} }} ]
"#
        ));
    };
    // Both servers and six providers. Who is led to b waits for its read timeout.
    story("{ of: [b, a], probe: { every: 5s, get: true } }", "pause: b", ">= 7");
    story("[b, a]", "pause: b", "<= 6");
    story("{ of: [b, a], probe: { every: 5s } }", "pause: b", "<= 6");
    mistakes(
        "topology: { addresses: { x: { of: a }, y: { of: a, probe: { fall: 0, every: 1ms } } } }\nservers: { a: }\n",
        &[
            "an address needs `probe`",
            "checks in a row are counted from 1",
            "a balancer cannot check so often",
        ],
    );
}
