//! What cures a known weakness: changed settings with which the same story must hold, `violates` and all.
//!
//! Separate because a cure is a scenario of its own: what it writes is put over the tree of the scenario, each `violates` becomes what
//! stands in it (or the cure says what is expected instead), and the whole is read again. So a cure may change whatever describes the cluster, and each mistake in it has a place.

use super::diagnostic::Diagnostic;
use super::read::Reader;
use super::tree::{Entry, Node, Value};
use super::{ReadFile, Scenario, changes};

/// A cure and the story with it.
#[derive(Clone, Debug)]
pub struct Cure {
    /// What it is, and why it helps; if nothing is said, what it changes.
    pub about: String,
    /// What it changes, each as `key: value`.
    pub changes: Vec<String>,
    /// The scenario with the cure.
    pub scenario: Box<Scenario>,
}

/// What a cure may change: what the cluster is, not what happens to it. What is expected then it may say with `expect`.
pub(super) const CHANGED: [&str; 4] = ["system", "topology", "servers", "services"];

/// Each is a scenario of its own, with a run of its own.
const MOST_CURES: usize = 20;

/// Reads `cure:`, one or a list of alternatives, each of which must do.
pub(super) fn read_all(reader: &mut Reader, root: &Node, read_file: ReadFile<'_>) -> Vec<Cure> {
    let Value::Map(entries) = &root.value else { return Vec::new() };
    let Some(entry) = entries.iter().find(|entry| entry.key == "cure") else { return Vec::new() };
    let mut healthy = without(root, &["cure", "vary"]);
    if !hold_what_was_violated(&mut healthy) {
        let help = Some("mark what goes wrong without it: `- violates: { … }`".to_owned());
        reader.error(entry.key_span, "a cure of nothing: no expectation is `violates`", help);
    }
    let cures: Vec<&Node> = match &entry.value.value {
        Value::List(items) => items.iter().collect(),
        Value::Map(_) | Value::Scalar { .. } => vec![&entry.value],
    };
    if cures.is_empty() || cures.len() > MOST_CURES {
        let help = Some(format!("from 1 to {MOST_CURES}"));
        reader.error(entry.value.span, format!("not a number of cures: {}", cures.len()), help);
        return Vec::new();
    }
    cures.into_iter().filter_map(|node| read(reader, &healthy, node, read_file)).collect()
}

fn read(reader: &mut Reader, healthy: &Node, node: &Node, read_file: ReadFile<'_>) -> Option<Cure> {
    let mut fields = reader.fields(node, "a cure")?;
    let about: Option<String> = fields.optional(reader, "about");
    let mut cured = healthy.clone();
    let mut changed = Vec::new();
    for key in CHANGED {
        let Some(entry) = fields.entry(key) else { continue };
        if let "servers" | "services" = key {
            refuse_new(reader, healthy, key, &entry.value);
        }
        list(key, &entry.value, &mut changed);
        let patch = Node { span: node.span, value: Value::Map(vec![entry.clone()]) };
        changes::merge(&mut cured, &patch, &mut Vec::new());
    }
    if let Some(expect) = fields.entry("expect") {
        refuse_weakness(reader, expect);
        replace(&mut cured, expect);
    }
    let head = fields.head(reader);
    fields.finish(reader);
    if changed.is_empty() {
        let help = "such as `cure: { system: { eureka: { server: { … } } } }`";
        return reader.refuse(head, "a cure that changes nothing", help);
    }
    let mut own = Reader::with(reader.sources.clone());
    let scenario = Scenario::read(&mut own, &cured, read_file);
    adopt(reader, own.diagnostics);
    let about = about.unwrap_or_else(|| changed.join(", "));
    Some(Cure { about, changes: changed, scenario: Box::new(scenario?) })
}

/// Takes over what was found in a changed copy, but for what is known from the scenario itself.
pub(super) fn adopt(reader: &mut Reader, found: Vec<Diagnostic>) {
    for diagnostic in found {
        if !reader.diagnostics.contains(&diagnostic) {
            reader.diagnostics.push(diagnostic);
        }
    }
}

/// The mapping without some of its keys.
pub(super) fn without(root: &Node, keys: &[&str]) -> Node {
    let Value::Map(entries) = &root.value else { return root.clone() };
    let kept = entries.iter().filter(|entry| !keys.contains(&entry.key.as_str()));
    Node { span: root.span, value: Value::Map(kept.cloned().collect()) }
}

/// Makes an expectation of each known weakness; whether there was one.
fn hold_what_was_violated(root: &mut Node) -> bool {
    let Value::Map(entries) = &mut root.value else { return false };
    let Some(expect) = entries.iter_mut().find(|entry| entry.key == "expect") else { return false };
    let Value::List(items) = &mut expect.value.value else { return false };
    let mut found = false;
    for item in items {
        let Value::Map(words) = &item.value else { continue };
        if let Some(violates) = words.iter().find(|entry| entry.key == "violates") {
            *item = violates.value.clone();
            found = true;
        }
    }
    found
}

/// With a cure something holds, and nothing is violated.
fn refuse_weakness(reader: &mut Reader, expect: &Entry) {
    let Value::List(items) = &expect.value.value else { return };
    if items.is_empty() {
        reader.error(expect.key_span, "a cure with which nothing need hold", None);
    }
    for item in items {
        let Value::Map(words) = &item.value else { continue };
        if let Some(violates) = words.iter().find(|entry| entry.key == "violates") {
            reader.error(violates.key_span, "a weakness in spite of the cure", Some("say what holds".into()));
        }
    }
}

/// Puts an entry in place of the one with its key.
fn replace(root: &mut Node, entry: &Entry) {
    let Value::Map(entries) = &mut root.value else { return };
    for known in entries.iter_mut().filter(|known| known.key == entry.key) {
        *known = entry.clone();
    }
}

/// A cure changes what there is. A name that is not there is a slip.
fn refuse_new(reader: &mut Reader, root: &Node, key: &'static str, block: &Node) {
    let (Value::Map(entries), Value::Map(written)) = (&root.value, &block.value) else { return };
    let known = entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value.value);
    let known: Vec<&str> = match known {
        Some(Value::Map(known)) => known.iter().map(|entry| entry.key.as_str()).collect(),
        _ => Vec::new(),
    };
    for entry in written.iter().filter(|entry| !known.contains(&entry.key.as_str())) {
        let help = super::diagnostic::suggestion(&entry.key, known.iter().copied());
        let what = key.trim_end_matches('s');
        reader.error(entry.key_span, format!("unknown {what} in a cure: `{}`", entry.key), help);
    }
}

/// What a block changes, one line for each value.
fn list(path: &str, node: &Node, into: &mut Vec<String>) {
    match &node.value {
        Value::Map(entries) => {
            entries.iter().for_each(|entry| list(&format!("{path}.{}", entry.key), &entry.value, into));
        }
        Value::List(_) | Value::Scalar { .. } => into.push(format!("{path}: {}", super::vary::written(node))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEAK: &str = "title: t\nsystem: { eureka: { server: { enableSelfPreservation: true } } }\n\
                        servers: { peer1: , peer2: { server: { renewal-percent-threshold: 0.85 } } }\n\
                        expect:\n  - violates: { never: evicted }\n    reported: somewhere\n  - converged: { within: 60s }\n";

    fn parse(cure: &str) -> Result<Scenario, Vec<Diagnostic>> {
        Scenario::parse(
            "x.yaml",
            format!("{WEAK}{cure}").as_bytes(),
            &[],
            &mut |_| Err("no such file".into()),
        )
    }

    fn mistakes(cure: &str) -> Vec<String> {
        let mistakes = parse(cure).expect_err("a wrong cure");
        mistakes.iter().map(|it| format!("{}:{} {}", it.position().0, it.position().1, it.message)).collect()
    }

    #[test]
    fn a_cure_is_the_scenario_with_changes_in_which_nothing_is_violated() {
        let scenario = parse(
            "cure:\n  about: it helps\n  system: { eureka: { server: { enable-self-preservation: false } } }\n  \
             servers: { peer1: { start: 5s }, peer2: { server: { renewalPercentThreshold: 0.5 } } }\n",
        );
        let scenario = scenario.unwrap_or_else(|mistakes| panic!("{}", mistakes[0]));
        let [Cure { about, changes, scenario: cured }] = &scenario.cures[..] else { panic!("one cure") };
        assert_eq!(about, "it helps");
        assert_eq!(
            changes[..],
            [
                "system.eureka.server.enable-self-preservation: false",
                "servers.peer1.start: 5s",
                "servers.peer2.server.renewalPercentThreshold: 0.5"
            ]
        );
        let said = |settings: &crate::scenario::system::Settings| settings.0[0].value.value.clone();
        assert_eq!(
            (said(&scenario.system.server), said(&cured.system.server)),
            ("true".into(), "false".into())
        );
        assert_eq!(said(&cured.servers[1].server), "0.5", "the same setting in another spelling");
        assert!(scenario.servers[0].start.is_none() && cured.servers[0].start.is_some());
        assert!(scenario.expect[0].violated && !cured.expect[0].violated);
        let texts: Vec<&str> = cured.expect.iter().map(|expectation| expectation.text.as_str()).collect();
        assert_eq!(texts, ["never: evicted", "converged: { within: 60s }"]);
    }

    #[test]
    fn a_cure_may_say_what_is_expected_with_it() {
        let scenario =
            parse("cure: { servers: { peer1: { start: 5s } }, expect: [{ holds: servers-agree }] }\n");
        let scenario = scenario.unwrap_or_else(|mistakes| panic!("{}", mistakes[0]));
        let texts = |scenario: &Scenario| {
            scenario.expect.iter().map(|expectation| expectation.text.clone()).collect::<Vec<_>>()
        };
        assert_eq!(texts(&scenario.cures[0].scenario), ["holds: servers-agree"]);
        assert_eq!(texts(&scenario).len(), 2);
    }

    #[test]
    fn alternatives_are_cures_of_their_own() {
        let scenario =
            parse("cure:\n  - servers: { peer1: { start: 5s } }\n  - servers: { peer2: { start: 5s } }\n");
        let scenario = scenario.unwrap_or_else(|mistakes| panic!("{}", mistakes[0]));
        let starts = scenario.cures.iter().map(|cure| {
            cure.scenario.servers.iter().map(|server| server.start.is_some()).collect::<Vec<_>>()
        });
        assert_eq!(starts.collect::<Vec<_>>(), [[true, false], [false, true]]);
        assert_eq!(scenario.cures[0].about, "servers.peer1.start: 5s");
    }

    #[test]
    fn mistakes_in_a_cure_have_their_places() {
        assert_eq!(
            mistakes("cure: { system: { eureka: { server: { enable-self-preservatoin: 1 } } } }\n"),
            ["8:39 unknown setting: `enable-self-preservatoin`"]
        );
        assert_eq!(
            mistakes("cure: { servers: { peer3: { start: 5 } } }\n")[0],
            "8:20 unknown server in a cure: `peer3`"
        );
        assert_eq!(
            mistakes("cure: { timeline: [], about: x }\n"),
            ["8:7 a cure that changes nothing", "8:9 unknown key in a cure: `timeline`"]
        );
        assert_eq!(
            mistakes("cure: { servers: { peer1: { start: 5s } }, expect: [{ nver: evicted }] }\n"),
            ["8:55 unknown key in an expectation: `nver`"]
        );
        let expect = |expect: &str| {
            mistakes(&format!("cure: {{ servers: {{ peer1: {{ start: 5s }} }}, expect: {expect} }}\n"))
        };
        assert_eq!(expect("[]"), ["8:44 a cure with which nothing need hold"]);
        assert_eq!(expect("[{ violates: { never: evicted } }]"), ["8:55 a weakness in spite of the cure"]);
        assert_eq!(mistakes("cure: []\n"), ["8:7 not a number of cures: 0"]);
        let many = format!("cure: [{}]\n", "{ servers: { peer1: { start: 5s } } }, ".repeat(21));
        assert_eq!(mistakes(&many), ["8:7 not a number of cures: 21"]);
        assert_eq!(
            mistakes("cure: { servers: { peer1: { start: 5 } } }\n"),
            ["8:36 a duration needs a unit: `5`"]
        );
        let healthy = "title: t\nservers: { a: }\nexpect: [{ never: evicted }]\ncure: { servers: { a: { start: 1s } } }\n";
        let mistakes =
            Scenario::parse("x.yaml", healthy.as_bytes(), &[], &mut |_| Err("no such file".into()));
        let mistakes = mistakes.expect_err("nothing to cure");
        assert_eq!(mistakes[0].message, "a cure of nothing: no expectation is `violates`");
    }
}
