//! Changes to a scenario: by the command line (`--set system.eureka.server.eviction-interval-timer-in-ms=5s`), by a cure, by a value
//! of `vary`.
//!
//! Separate because it works on the tree, before anything has a meaning: a changed value is read, and refused, exactly as if
//! it had been written in the file. A key that is not there is put in; whether it is valid is found out by reading.

use super::diagnostic::{Diagnostic, Severity, Source, Sources, Span};
use super::system::Owner;
use super::tree::{self, Entry, Node, Value};
use crate::protocol::eureka::config::relaxed;
use std::sync::Arc;

/// Applies changes in order, and gives back the text that the spans of changed nodes point into.
///
/// # Errors
/// Changes that are not `key=value`, whose value is not YAML, or whose path leads through a value.
pub fn apply(root: &mut Node, settings: &[String]) -> Result<Arc<Source>, Vec<Diagnostic>> {
    let set = Source::new("--set", settings.iter().map(|setting| format!("{setting}\n")).collect::<String>());
    let mut diagnostics = Vec::new();
    let mut start = 0;
    for setting in settings {
        if let Err((span, message)) = apply_one(root, setting, start) {
            let help = Some("such as `services.provider.instances=10`".to_owned());
            diagnostics.push(Diagnostic {
                source: set.clone(),
                span,
                severity: Severity::Error,
                message,
                help,
            });
        }
        start += setting.len() + 1;
    }
    if diagnostics.is_empty() { Ok(set) } else { Err(diagnostics) }
}

/// One change that stands at `start`; on failure the place in the text of changes, and the reason.
fn apply_one(root: &mut Node, setting: &str, start: usize) -> Result<(), (Span, String)> {
    let whole = Span { start, end: start + setting.len() };
    let Some((path, text)) = setting.split_once('=').filter(|(path, _)| !path.trim().is_empty()) else {
        return Err((whole, format!("expected `key=value`: `{setting}`")));
    };
    let value_start = start + path.len() + 1;
    let mut value = match text.trim().is_empty() {
        true => Node { span: Span { start: 0, end: text.len() }, value: plain("") },
        false => tree::parse(&Source::new("--set", text)).map_err(|errors| {
            let reason = errors.first().map_or("", |error| error.message.as_str());
            (Span { start: value_start, end: whole.end }, format!("{reason}: `{text}`"))
        })?,
    };
    shift(&mut value, Sources::SET + value_start);
    let key_span = Span { start: Sources::SET + start, end: Sources::SET + start + path.len() };
    let segments: Vec<&str> = path.trim().split('.').collect();
    put(root, &segments, 0, key_span, value).map_err(|segment| {
        let span = Span { start, end: start + path.len() };
        (span, format!("no place for a value: `{segment}`"))
    })
}

fn plain(text: &str) -> Value {
    Value::Scalar { text: text.to_owned(), plain: true }
}

fn shift(node: &mut Node, by: usize) {
    let moved = |span: Span| Span { start: span.start + by, end: span.end + by };
    node.span = moved(node.span);
    match &mut node.value {
        Value::Scalar { .. } => {}
        Value::List(items) => items.iter_mut().for_each(|item| shift(item, by)),
        Value::Map(entries) => {
            for entry in entries {
                entry.key_span = moved(entry.key_span);
                shift(&mut entry.value, by);
            }
        }
    }
}

/// Whose settings stand where a path leads, if it leads to a block of them.
fn settings_at(path: &[&str]) -> Option<Owner> {
    let block = match path {
        ["system", "eureka", block]
        | ["servers" | "services", _, block]
        | ["services", _, "overrides", _, block] => *block,
        _ => return None,
    };
    let owners = [
        ("server", Owner::Server),
        ("client", Owner::Client),
        ("instance", Owner::Instance),
        ("fixes", Owner::Fixes),
    ];
    owners.into_iter().find(|(name, _)| *name == block).map(|(_, owner)| owner)
}

/// The value of a setting in a block, in whichever spelling and with whatever nesting it is written there.
fn setting_in<'n>(
    entries: &'n mut [Entry],
    prefix: &str,
    wanted: &dyn Fn(&str) -> bool,
) -> Option<&'n mut Node> {
    for entry in entries {
        let key = if prefix.is_empty() { entry.key.clone() } else { format!("{prefix}.{}", entry.key) };
        let found = match &mut entry.value {
            Node { value: Value::Map(inner), .. } => setting_in(inner, &key, wanted),
            value => wanted(&key).then_some(value),
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

/// Puts what a cure writes over what stands there: key by key where both have keys, else in place of it. Nothing written changes
/// nothing.
pub(super) fn merge(node: &mut Node, patch: &Node, path: &mut Vec<String>) {
    let Value::Map(entries) = &patch.value else {
        if !patch.is_null() {
            *node = patch.clone();
        }
        return;
    };
    if !matches!(node.value, Value::Map(_)) {
        *node = Node { span: patch.span, value: Value::Map(Vec::new()) };
    }
    let words: Vec<&str> = path.iter().map(String::as_str).collect();
    let owner = settings_at(&words);
    for entry in entries {
        let Value::Map(present) = &mut node.value else { unreachable!("it has just been made a mapping") };
        if let Some(owner) = owner {
            replace_settings(present, owner, "", entry);
            continue;
        }
        match present.iter_mut().find(|known| known.key == entry.key) {
            Some(known) => {
                path.push(entry.key.clone());
                merge(&mut known.value, &entry.value, path);
                path.pop();
            }
            None => present.push(entry.clone()),
        }
    }
}

/// Puts settings in place of those that they are, however either is spelt or nested.
fn replace_settings(block: &mut Vec<Entry>, owner: Owner, prefix: &str, entry: &Entry) {
    let key = if prefix.is_empty() { entry.key.clone() } else { format!("{prefix}.{}", entry.key) };
    if let Value::Map(inner) = &entry.value.value {
        return inner.iter().for_each(|entry| replace_settings(block, owner, &key, entry));
    }
    let known = owner.find(&key);
    let same = |written: &str| match &known {
        Some(known) => owner.find(written).is_some_and(|other| other.same_as(known)),
        None => written == key,
    };
    match setting_in(block, "", &same) {
        Some(written) => *written = entry.value.clone(),
        None => block.push(Entry { key, key_span: entry.key_span, value: entry.value.clone() }),
    }
}

/// Puts a value where the path leads from the segment `at` on; on failure the segment that leads nowhere.
pub(super) fn put(
    node: &mut Node,
    path: &[&str],
    at: usize,
    key_span: Span,
    value: Node,
) -> Result<(), String> {
    if path.len() > tree::MAX_DEPTH {
        return Err(path[tree::MAX_DEPTH].to_owned());
    }
    let Some(segment) = path.get(at) else {
        *node = value;
        return Ok(());
    };
    if let Some(owner) = settings_at(&path[..at])
        && let Some(known) = owner.find(&path[at..].join("."))
        && let Value::Map(entries) = &mut node.value
    {
        let same = |key: &str| owner.find(key).is_some_and(|other| other.same_as(&known));
        match setting_in(entries, "", &same) {
            Some(written) => *written = value,
            None => entries.push(Entry { key: path[at..].join("."), key_span, value }),
        }
        return Ok(());
    }
    if node.is_null() {
        node.value = Value::Map(Vec::new());
        node.span = key_span;
    }
    match &mut node.value {
        Value::Scalar { .. } => Err((*segment).to_owned()),
        Value::List(items) => {
            let item = segment.parse::<usize>().ok().and_then(|at| items.get_mut(at));
            put(item.ok_or_else(|| (*segment).to_owned())?, path, at + 1, key_span, value)
        }
        Value::Map(entries) => {
            // Product settings may be spelt differently here and there.
            let exact = entries.iter().position(|entry| entry.key == *segment);
            let same = || entries.iter().position(|entry| relaxed(&entry.key) == relaxed(segment));
            let found = exact.or_else(same).unwrap_or_else(|| {
                let value = Node { span: key_span, value: plain("") };
                entries.push(Entry { key: (*segment).to_owned(), key_span, value });
                entries.len() - 1
            });
            put(&mut entries[found].value, path, at + 1, key_span, value)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Scenario;

    fn with(settings: &[&str]) -> Result<Scenario, Vec<Diagnostic>> {
        let text = "title: t\nsystem:\n  eureka:\n    server: { renewal-percent-threshold: 0.85 }\n\
                    servers: { peer1: }\ntimeline: [{ at: 1m, crash: peer1 }]\n";
        let settings: Vec<String> = settings.iter().map(|setting| (*setting).to_owned()).collect();
        Scenario::parse("x.yaml", text.as_bytes(), &settings, &mut |_| Err("no such file".into()))
    }

    #[test]
    fn values_are_replaced_and_put_in() {
        let scenario = with(&[
            "system.eureka.server.renewalPercentThreshold=0.5",
            "services.provider.instances=10",
            "timeline.0.at=2m",
            "servers.peer1.server.evictionIntervalTimerInMs=5s",
        ]);
        let scenario = scenario.unwrap_or_else(|errors| panic!("{}", errors[0]));
        assert_eq!(scenario.system.server.0[0].value.value, "0.5");
        assert_eq!(scenario.services[0].instances.value, 10);
        assert_eq!(scenario.servers[0].server.0.len(), 1);
    }

    #[test]
    fn a_setting_is_found_in_whichever_way_it_is_written() {
        let text = "title: t\nsystem:\n  eureka:\n    server: { rateLimiter: { enabled: false }, eviction-interval-timer-in-ms: 1s }\n    \
                    client: { \"service-url.defaultZone\": \"http://peer1:8761/eureka/\" }\nservers: { peer1: }\n";
        let settings = [
            "system.eureka.server.rate-limiter-enabled=true",
            "system.eureka.server.evictionIntervalTimerInMs=5s",
            "system.eureka.client.serviceUrl.defaultZone=http://peer1:8761/other/",
            "system.eureka.client.appinfo.replicate.interval=5",
        ];
        let settings = settings.map(str::to_owned);
        let mut no_files = |_: &str| Err("no such file".to_owned());
        let scenario = Scenario::parse("x.yaml", text.as_bytes(), &settings, &mut no_files);
        let scenario = scenario.unwrap_or_else(|errors| panic!("{}", errors[0]));
        let said = |settings: &super::super::system::Settings| -> Vec<String> {
            let settings = settings.0.iter();
            settings.map(|setting| format!("{}={}", setting.key.value, setting.value.value)).collect()
        };
        assert_eq!(
            said(&scenario.system.server),
            ["rateLimiter.enabled=true", "eviction-interval-timer-in-ms=5s"]
        );
        assert_eq!(
            said(&scenario.system.client),
            ["service-url.defaultZone=http://peer1:8761/other/", "appinfo.replicate.interval=5"]
        );
    }

    #[test]
    fn a_wrong_change_is_shown_where_it_was_written() {
        let shown = |settings: &[&str]| with(settings).expect_err("a wrong change")[0].to_string();
        assert!(
            shown(&["duration=5m", "seed=x"]).contains("--set:2:6"),
            "{}",
            shown(&["duration=5m", "seed=x"])
        );
        assert!(shown(&["sytem.eureka=1"]).contains("did you mean `system`?"));
        assert!(shown(&["title.x=1"]).contains("no place for a value: `x`"));
        assert!(shown(&["timeline.7.at=1m"]).contains("no place for a value: `7`"));
        assert!(shown(&["seed"]).contains("expected `key=value`"));
        assert!(shown(&["seed=["]).contains("not valid YAML"));
    }
}
