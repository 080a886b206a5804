//! Steps of the timeline from their text to what comes of them: each case is a scenario whose expectations all hold.
//!
//! Separate from the shipped scenarios because these tell no story; each holds one word of the language to its effect.

use regsim::check::{Finding, Verdict};
use regsim::plan::Plan;
use regsim::run;
use regsim::scenario::Scenario;

fn resolved(text: &str) -> Plan {
    let mut no_files = |_: &str| Err("no such file".to_owned());
    let scenario = Scenario::parse("case.yaml", format!("title: t\n{text}").as_bytes(), &[], &mut no_files);
    let scenario = scenario.unwrap_or_else(|mistakes| panic!("{}", mistakes[0]));
    Plan::resolve(&scenario).unwrap_or_else(|mistakes| panic!("{}", mistakes[0]))
}

/// Runs a scenario and expects that all of its expectations hold, and no check that is always on fails.
fn holds(text: &str) {
    let outcome = run::run(&resolved(text), 1, &mut ());
    let failed = |finding: &&Finding| match finding.expected {
        true => finding.verdict != Verdict::Holds,
        false => finding.verdict == Verdict::Violated,
    };
    let failed: Vec<_> = outcome.findings.iter().filter(failed).collect();
    assert!(failed.is_empty(), "{text}\n{failed:#?}");
}

/// A29 of the reference: a heartbeat that is answered 404 with an error document never becomes a registration; with an empty
/// answer, or a text that is no JSON, it does.
#[test]
fn a_heartbeat_answered_with_an_error_document_registers_nothing() {
    let check = |fail: &str, strict: bool, expected: &str| {
        holds(&format!(
            r#"
system: {{ eureka: {{ fixes: {{ strict-error-bodies: {strict} }} }} }}
servers: {{ peer1: }}
services: {{ provider: {{ start: 5s }} }}
timeline:
  - {{ at: 2m, crash: peer1 }}
  - {{ at: 2m1s, restart: peer1 }}
  - {{ at: 2m, messages: {{ match: {{ kind: heartbeat }}, do: {{ fail: {fail} }} }} }}
expect: [ {{ {expected}: {{ service: provider, server: peer1, by: 5m }} }} ]
"#
        ));
    };
    let document = r#"{ status: 404, body: '{"timestamp": 1, "error": "Not Found"}' }"#;
    check("404", true, "registered");
    check("{ status: 404 }", true, "registered");
    check("{ status: 404, body: Not Found }", true, "registered");
    check(document, true, "not-registered");
    check(document, false, "registered");
}

/// A27 of the reference: an override that is removed with a value leaves the instance with that status, and rule 4 keeps
/// OUT_OF_SERVICE for good; without one it is UP again with the next heartbeat. The server lists itself, too.
#[test]
fn a_status_is_cleared_to_what_the_operator_says() {
    let check = |status: &str, out: u32, up: u32| {
        holds(&format!(
            r#"
servers: {{ peer1: }}
services: {{ provider: {{ start: 5s }} }}
timeline:
  - {{ at: 2m, request: {{ set-status: provider/0, status: OUT_OF_SERVICE, to: peer1 }} }}
  - {{ at: 3m, request: {{ clear-status: provider/0, {status} to: peer1 }} }}
expect:
  - gauge: {{ name: overrides, server: peer1, at: 4m, is: 0 }}
  - gauge: {{ name: status-out-of-service, server: peer1, at: 4m, is: {out} }}
  - gauge: {{ name: status-up, server: peer1, at: 4m, is: {up} }}
"#
        ));
    };
    check("", 0, 2);
    check("status: UP,", 0, 2);
    check("status: OUT_OF_SERVICE,", 1, 1);
}

/// The reference, 5.1: while its own status is not UP, a Netflix server carries out what it is asked and answers 307. Spring's
/// does not look at it. (A Netflix server that is alone opens after 2.5 minutes at the latest, and is UP from then on.)
#[test]
fn a_server_that_is_not_up_redirects_and_does_it_all_the_same() {
    let check = |profile: &str, joined: &str| {
        holds(&format!(
            r#"
system: {{ eureka: {{ profile: {profile} }} }}
servers: {{ peer1: }}
services: {{ provider: {{ start: 6m }} }}
timeline: [ {{ at: 5m, request: {{ set-status: peer1, status: DOWN }} }} ]
expect:
  - registered: {{ service: provider, server: peer1, by: 8m }}
  - gauge: {{ name: overrides, server: peer1, at: 8m, is: 0 }}
  - {joined}: {{ event: joined, of: provider }}
"#
        ));
    };
    check("netflix", "never");
    check("spring-cloud", "sometimes");
}

/// Each peer has an HTTP client of its own: one that does not answer keeps its own connections alone.
#[test]
fn a_slow_peer_keeps_no_connection_from_another() {
    holds(
        r#"
system: { eureka: { server: { peer-node-total-connections: 1, peer-node-read-timeout-ms: 30000 } } }
servers: { a: , b: , c: }
services: { provider: { start: 5m, servers: a } }
timeline: [ { at: 4m59s, for: 1m, pause: b } ]
expect: [ { registered: { service: provider, server: c, by: 5m2s } } ]
"#,
    );
}

/// A client fetches more often from the moment on at which it is told to.
#[test]
fn a_clients_settings_change_while_it_runs() {
    holds(
        r#"
servers: { peer1: }
services: { reader: { start: 5s } }
timeline: [ { at: 2m, set: { client: reader, registry-fetch-interval-seconds: 5 } } ]
expect:
  - gauge: { name: fetch-age, client: reader/0, during: 3m..4m, is: "<= 6s" }
  - violates: { gauge: { name: fetch-age, client: reader/0, during: 1m..2m, is: "<= 6s" } }
"#,
    );
}

/// A client takes a new list at its next resolution, and leaves the server that it is pinned to when that one fails; a Netflix server
/// looks at its list every ten minutes, Spring's when it is told; DNS is asked at the next resolution, and by nobody before.
#[test]
fn lists_of_servers_change_while_all_run() {
    let client = |set: &str, more: &str| {
        holds(&format!(
            r#"
{more}
servers: {{ a: {{ peers: [a] }}, b: {{ peers: [b] }} }}
services: {{ p: {{ servers: [a], start: 5s }} }}
timeline:
  - {{ at: 1m, {set} }}
  - {{ at: 4m, crash: a }}
expect:
  - gauge: {{ name: pinned-server, client: p/0, during: 1m..4m, is: a }}
  - not-registered: {{ service: p, server: b, by: 304s }}
  - registered: {{ service: p, server: b, by: 6m }}
"#
        ));
    };
    client("set: { client: p, servers: [b] }", "");
    client("set: { client: p, service-url: { defaultZone: 'http://b:8761/eureka/' } }", "");
    let dns = "topology: { dns: { txt.us-east-1.example.com: [z1.example.com], txt.z1.example.com: [b] } }\n\
               system: { eureka: { client: { eureka-server-d-n-s-name: example.com, eureka-server-port: 8761 } } }";
    client("set: { client: p, use-dns-for-fetching-service-urls: true }", dns);
    let server = |profile: &str, change: &str, known: &str, unknown: &str| {
        holds(&format!(
            r#"
system: {{ eureka: {{ profile: {profile}, server: {{ wait-time-in-ms-when-sync-empty: 0 }} }} }}
servers: {{ a: {{ peers: [a, c] }}, b: {{ peers: [b], client: {{ register-with-eureka: false }} }}, c: {{ peers: [c] }} }}
services: {{ p: {{ servers: [a] }}, q: {{ servers: [a] }} }}
timeline: [ {{ at: 4m, set: {{ server: a, {change} }} }} ]
expect:
  - registered: {{ service: p, server: c, by: 3m }}
  - registered: {{ service: p, server: b, by: {known} }}
  - not-registered: {{ service: p, server: b, by: {unknown} }}
"#
        ));
    };
    for change in ["peers: [b]", "service-url: { defaultZone: 'http://b:8761/eureka/' }"] {
        // Within a heartbeat, a batch, and the batch that answers 404.
        server("spring-cloud", change, "272s", "239s");
        server("netflix", change, "633s", "9m59s");
    }
}

#[test]
fn heartbeats_faster_than_the_replication_are_noted_and_ask_no_agreement() {
    let check = |every: &str, notes: usize, verdict: Verdict| {
        let plan = resolved(&format!(
            "servers: {{ a: , b: }}\nservices: {{ p: {{ start: 5s, heartbeat-every: {every} }} }}\nduration: 3m\n"
        ));
        assert_eq!(plan.notes.len(), notes, "{every}: {:?}", plan.notes);
        let outcome = run::run(&plan, 1, &mut ());
        let of =
            |name: &str| outcome.findings.iter().find(|finding| finding.name == name).map(|it| it.verdict);
        assert_eq!(
            (of("servers-agree"), of("conflict-resolution")),
            (Some(verdict), Some(verdict)),
            "{every}"
        );
    };
    check("499ms", 1, Verdict::Inconclusive);
    check("1500ms", 0, Verdict::Holds);
}

/// Servers need agree only for as long as each lists all others: a list that leaves one out at any time ends that.
#[test]
fn a_new_list_that_leaves_a_server_out_asks_no_agreement() {
    let agree = |timeline: &str| {
        let plan = resolved(&format!("servers: {{ a: , b: }}\nservices: {{ p: }}\n{timeline}duration: 5m\n"));
        let outcome = run::run(&plan, 1, &mut ());
        outcome.findings.iter().find(|finding| finding.name == "servers-agree").map(|found| found.verdict)
    };
    assert_eq!(agree(""), Some(Verdict::Holds));
    let set = |peers: &str| format!("timeline: [ {{ at: 2m, set: {{ server: a, peers: {peers} }} }} ]\n");
    assert_eq!(agree(&set("[b, a]")), Some(Verdict::Holds));
    assert_eq!(agree(&set("[a]")), Some(Verdict::Inconclusive));
}

/// A client that fetches one address alone holds what is behind it, and is not asked for more.
#[test]
fn a_client_of_one_address_is_no_subscriber_of_all() {
    holds(
        r#"
servers: { peer1: }
services:
  shop: { start: 5s }
  bank: { start: 5s }
  reader: { start: 5s, client: { registry-refresh-single-vip-address: shop, register-with-eureka: false } }
expect:
  - converged: { within: 2m }
  - registered: { service: shop, client: reader, by: 4m }
  - not-registered: { service: bank, client: reader, by: 4m }
"#,
    );
}
