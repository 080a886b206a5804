//! `${key}` and `${key:default}`, filled in from all documents that count.
//!
//! Separate because filling in is a small evaluator with its own bounds. Source of the rules: Spring's `PropertyPlaceholderHelper`: names
//! may themselves hold placeholders, a default may too, and what a placeholder stands for is filled in as well.

use super::Property;
use crate::protocol::eureka::config::relaxed;
use std::collections::BTreeMap;

/// How deep placeholders may refer to each other.
const MAX_DEPTH: usize = 16;
/// How long a value may become.
const MAX_VALUE: usize = 64 * 1024;
/// How many placeholders one value may take to fill in.
const MAX_STEPS: usize = 10_000;

/// Where values come from: for each key the one that counts.
pub(super) struct Values<'p>(BTreeMap<String, &'p str>);

impl<'p> Values<'p> {
    /// Of properties in order, the later over the earlier.
    pub(super) fn of(properties: impl Iterator<Item = &'p Property>) -> Values<'p> {
        Values(properties.map(|property| (relaxed(&property.key), property.value.as_str())).collect())
    }

    /// The value with its placeholders replaced, or what is missing.
    pub(super) fn fill(&self, value: &str) -> Result<String, String> {
        match value.contains("${") {
            true => self.replace(value, 0, &mut 0),
            false => Ok(value.to_owned()),
        }
    }

    fn replace(&self, value: &str, depth: usize, steps: &mut usize) -> Result<String, String> {
        if depth > MAX_DEPTH {
            return Err(format!("placeholders refer to each other: `{}`", shortened(value)));
        }
        let mut filled = String::new();
        let mut rest = value;
        while let Some(start) = rest.find("${") {
            *steps += 1;
            if *steps > MAX_STEPS {
                return Err(format!("more than {MAX_STEPS} placeholders in one value"));
            }
            filled.push_str(&rest[..start]);
            let inner = &rest[start + 2..];
            let Some(end) = closing(inner) else {
                return Err(format!("placeholder without an end: `{}`", shortened(&rest[start..])));
            };
            let (name, default) = halves(&inner[..end]);
            let name =
                if name.contains("${") { self.replace(name, depth + 1, steps)? } else { name.to_owned() };
            match (self.0.get(&relaxed(&name)), default) {
                (Some(found), _) => filled.push_str(&self.replace(found, depth + 1, steps)?),
                // What differs from process to process is filled in by the plan.
                (None, _) if of_process(&name) => filled.push_str(&format!("${{{name}}}")),
                (None, Some(default)) => filled.push_str(&self.replace(default, depth + 1, steps)?),
                (None, None) => {
                    return Err(format!("placeholder without a value: `${{{}}}`", shortened(&name)));
                }
            }
            if filled.len() > MAX_VALUE {
                return Err(format!("a value longer than {MAX_VALUE} bytes"));
            }
            rest = &inner[end + 1..];
        }
        filled.push_str(rest);
        Ok(filled)
    }
}

/// Placeholders that Spring fills in for each process: its host name and address, and chance.
pub fn of_process(name: &str) -> bool {
    matches!(name, "spring.cloud.client.hostname" | "spring.cloud.client.ip-address")
        || name.starts_with("random.")
}

/// Where the brace closes that was opened before `text`.
fn closing(text: &str) -> Option<usize> {
    let mut open = 1;
    for (at, c) in text.char_indices() {
        match c {
            '{' => open += 1,
            '}' => open -= 1,
            _ => {}
        }
        if open == 0 {
            return Some(at);
        }
    }
    None
}

/// The name of a placeholder and its default, which begins at the first `:` outside of inner placeholders.
fn halves(inside: &str) -> (&str, Option<&str>) {
    let mut open = 0;
    for (at, c) in inside.char_indices() {
        match c {
            '{' => open += 1,
            '}' => open -= 1,
            ':' if open == 0 => return (&inside[..at], Some(&inside[at + 1..])),
            _ => {}
        }
    }
    (inside, None)
}

/// What a message shows of a text that may be long.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
