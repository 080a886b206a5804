//! A cure: the run as written shows the weakness, the same seed with the cure does not, and the verdict is over both.

use regsim::check::{Verdict, overall};
use regsim::plan::Plan;
use regsim::run::{run, verify};
use regsim::scenario::Scenario;

/// Two servers that take each other for themselves, and what is changed.
fn plan(violates: &str, cure: &str) -> Plan {
    let text = format!(
        "title: t\ntopology: {{ hosts: {{ m: }} }}\nsystem: {{ eureka: {{ instance: {{ hostname: localhost }} }} }}\n\
         servers: {{ a: {{ host: m, peers: [b] }}, b: {{ host: m, peers: [a] }} }}\n\
         services: {{ p: {{ servers: [a], start: 3m }} }}\nduration: 6m\n\
         expect: [{{ violates: {violates} }}, {{ registered: {{ service: p, server: a }} }}]\ncure: {cure}\n"
    );
    let scenario = Scenario::parse("x.yaml", text.as_bytes(), &[], &mut |_| Err("no such file".to_owned()));
    let scenario = scenario.unwrap_or_else(|mistakes| panic!("{}", mistakes[0]));
    Plan::resolve(&scenario).unwrap_or_else(|mistakes| panic!("{}", mistakes[0]))
}

const AT_B: &str = "{ registered: { service: p, server: b } }";
const CURED: &str = "{ servers: { a: { server: { my-url: 'http://localhost:8761/eureka/' } } } }";
const USELESS: &str = "{ servers: { a: { server: { response-cache-update-interval-ms: 10s } } } }";

/// The verdict as written, of each cure, and over all.
fn verdicts(violates: &str, cure: &str) -> (Verdict, Vec<Verdict>, Verdict) {
    let plan = plan(violates, cure);
    let outcome = run(&plan, 1, &mut ());
    assert_eq!(verify(&plan, &outcome), Ok(()));
    let cures = outcome.cures.iter().map(|cured| cured.verdict).collect();
    (overall(&outcome.findings), cures, outcome.verdict)
}

#[test]
fn a_cure_must_hold_what_is_violated_without_it() {
    use Verdict::{Holds, Violated};
    assert_eq!(verdicts(AT_B, CURED), (Holds, vec![Holds], Holds));
    assert_eq!(verdicts(AT_B, USELESS), (Holds, vec![Violated], Violated), "a cure that does not help");
    let both = format!("[{CURED}, {USELESS}]");
    assert_eq!(verdicts(AT_B, &both), (Holds, vec![Holds, Violated], Violated), "each alternative must do");
    let healthy = "{ registered: { service: p, server: a } }";
    assert_eq!(verdicts(healthy, CURED), (Violated, vec![Holds], Violated), "there is nothing to cure");
}

#[test]
fn the_run_as_written_is_the_same_with_and_without_a_cure() {
    let cured = plan(AT_B, CURED);
    let mut bare = cured.clone();
    bare.cures.clear();
    let (cured, bare) = (run(&cured, 7, &mut ()), run(&bare, 7, &mut ()));
    assert_eq!((cured.digest, &cured.findings), (bare.digest, &bare.findings));
    assert_ne!(cured.cures[0].digest, cured.digest, "the cure changes what happens");
    assert_eq!(cured.cures[0].seed, 7);
}
