//! Settings to sweep: `vary: { system.eureka.server.eviction-interval-timer-in-ms: [5s, 30s, 60s] }`.
//!
//! Separate because a value of it is a change of the scenario as `--set` makes one, and is tried when the file is read: each value must be
//! one that could stand where it would be put. What becomes of the combinations is not the scenario's business.

use super::diagnostic::{Severity, Spanned};
use super::read::Reader;
use super::tree::{Entry, Node, Value};
use super::{ReadFile, Scenario, changes, cure};

/// One setting and its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vary {
    /// Where it stands, as for `--set`.
    pub path: Spanned<String>,
    /// Its values, each as it may be written on one line; at least one.
    pub values: Vec<Spanned<String>>,
}

/// How many values may be listed in all.
const MOST_VALUES: usize = 1000;

/// What may be varied: what is so, not what it is called.
const VARIED: [&str; 8] =
    ["system", "topology", "servers", "services", "timeline", "expect", "duration", "seed"];

/// Reads `vary:` and tries each value.
pub(super) fn read_all(reader: &mut Reader, root: &Node, read_file: ReadFile<'_>) -> Vec<Vary> {
    let Value::Map(entries) = &root.value else { return Vec::new() };
    let Some(entry) = entries.iter().find(|entry| entry.key == "vary") else { return Vec::new() };
    let story = cure::without(root, &["cure", "vary"]);
    let mut total = 0;
    let mut all = Vec::new();
    for one in reader.named(&entry.value, "settings to sweep") {
        let Some(values) = values(reader, one) else { continue };
        total += values.len();
        if total > MOST_VALUES {
            reader.error(one.key_span, format!("more than {MOST_VALUES} values to sweep"), None);
            return all;
        }
        for value in values {
            attempt(reader, &story, one, value, read_file);
        }
        let values = values.iter().map(|value| Spanned::new(written(value), value.span)).collect();
        all.push(Vary { path: Spanned::new(one.key.clone(), one.key_span), values });
    }
    all
}

fn values<'n>(reader: &mut Reader, one: &'n Entry) -> Option<&'n [Node]> {
    let first = one.key.split('.').next().unwrap_or("");
    if !VARIED.contains(&first) {
        let help = super::diagnostic::suggestion(first, VARIED);
        reader.error(one.key_span, format!("nothing to sweep: `{}`", one.key), help);
        return None;
    }
    match &one.value.value {
        Value::List(values) if !values.is_empty() => Some(values),
        _ => {
            reader.refuse(one.value.span, "the values to sweep are written as a list", "such as `[5s, 30s]`")
        }
    }
}

/// Puts a value where it would stand, reads the scenario, and takes over what is wrong with it.
fn attempt(reader: &mut Reader, story: &Node, one: &Entry, value: &Node, read_file: ReadFile<'_>) {
    let mut varied = story.clone();
    let segments: Vec<&str> = one.key.split('.').collect();
    if let Err(segment) = changes::put(&mut varied, &segments, 0, one.key_span, value.clone()) {
        let mistake = format!("no place for a value: `{segment}`");
        if !reader.diagnostics.iter().any(|known| known.span == one.key_span && known.message == mistake) {
            reader.error(one.key_span, mistake, None);
        }
        return;
    }
    let mut own = Reader::with(reader.sources.clone());
    let _ = Scenario::read(&mut own, &varied, read_file);
    own.diagnostics.retain(|diagnostic| diagnostic.severity == Severity::Error);
    cure::adopt(reader, own.diagnostics);
}

/// A value as it may be written on one line.
pub(super) fn written(node: &Node) -> String {
    match &node.value {
        Value::Scalar { text, plain: true } => text.clone(),
        Value::Scalar { text, plain: false } => serde_json::Value::from(text.as_str()).to_string(),
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(written).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Map(entries) => {
            let entries: Vec<String> =
                entries.iter().map(|entry| format!("{}: {}", entry.key, written(&entry.value))).collect();
            format!("{{ {} }}", entries.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::diagnostic::Diagnostic;

    fn parse(vary: &str) -> Result<Scenario, Vec<Diagnostic>> {
        let text = format!(
            "title: t\nservers: {{ peer1: }}\nservices: {{ p: {{ instances: 2 }} }}\ntimeline: [{{ at: 1m, crash: peer1 }}]\n{vary}"
        );
        Scenario::parse("x.yaml", text.as_bytes(), &[], &mut |_| Err("no such file".into()))
    }

    #[test]
    fn values_are_kept_as_written() {
        let scenario = parse(
            "vary:\n  system.eureka.server.evictionIntervalTimerInMs: [5s, 30s, 60s]\n  services.p.instances: [1, 10]\n  \
             servers.peer1.peers: [[peer1], ['peer1']]\n",
        );
        let scenario = scenario.unwrap_or_else(|mistakes| panic!("{}", mistakes[0]));
        let values = |at: usize| -> Vec<&str> {
            scenario.vary[at].values.iter().map(|value| value.value.as_str()).collect()
        };
        assert_eq!(values(0), ["5s", "30s", "60s"]);
        assert_eq!(values(2), ["[peer1]", "[\"peer1\"]"]);
        assert_eq!(scenario.services[0].instances.value, 2, "the scenario itself is as it is written");
    }

    #[test]
    fn each_value_is_tried_where_it_would_stand() {
        let mistakes = parse(
            "vary:\n  system.eureka.server.eviction-intervall: [5s, 30s]\n  services.p.instances: [1, none, 0]\n  \
             titel: [a]\n  duration: 5m\n  timeline.7.at: [1s]\n  services.p.start: [1s, 5]\n",
        );
        let mistakes = mistakes.expect_err("wrong values");
        let shown: Vec<String> =
            mistakes.iter().map(|it| format!("{} {}", it.position().0, it.message)).collect();
        assert_eq!(
            shown,
            [
                "6 unknown setting: `eviction-intervall`",
                "7 expected a whole number: `none`",
                "7 a service without instances",
                "8 nothing to sweep: `titel`",
                "9 the values to sweep are written as a list",
                "10 no place for a value: `7`",
                "11 a duration needs a unit: `5`",
            ]
        );
    }
}
