//! What can be asked of a server or an instance: how it is read, and its name.
//!
//! Separate from the other verbs because it is a small vocabulary of its own. A new request is a line of the table and an [`Asked`].

use super::verbs::who;
use super::{Asked, Entries, Request};
use crate::protocol::{Health, Status};
use crate::scenario::diagnostic::Spanned;
use crate::scenario::read::{FromNode, Reader};
use crate::scenario::tree::Node;

/// What can be asked: its key, and the key of the value that it needs, with an example.
const REQUESTS: [(&str, Option<(&str, &str)>); 8] = [
    ("register", None),
    ("renew", None),
    ("deregister", None),
    ("set-status", Some(("status", "`{ set-status: provider/0, status: OUT_OF_SERVICE }`"))),
    ("clear-status", None),
    ("set-metadata", Some(("metadata", "`{ set-metadata: provider/0, metadata: { version: 2 } }`"))),
    ("set-health", Some(("health", "`{ set-health: provider/0, health: DOWN }`"))),
    ("set-group", Some(("enabled", "`{ set-group: blue, enabled: false, to: peer1 }`"))),
];

/// Reads a request.
pub(super) fn read(reader: &mut Reader, node: &Node) -> Option<Request> {
    let mut fields = reader.fields(node, "a request")?;
    let to = fields.with(reader, "to", who);
    let status = fields.optional::<Status>(reader, "status");
    let metadata = fields.with(reader, "metadata", entries);
    let health = fields.optional::<Health>(reader, "health");
    let enabled = fields.optional::<bool>(reader, "enabled");
    let expect = fields.with(reader, "expect", answer);
    let mut asked = Vec::new();
    let mut spare = Vec::new();
    for (key, needs) in REQUESTS {
        if let Some(entry) = fields.entry(key) {
            asked.push((key, entry, needs));
        }
        if let Some((value, _)) = needs
            && let Some(entry) = fields.entry(value)
        {
            spare.push((value, entry.value.span));
        }
    }
    let span = fields.head(reader);
    fields.finish(reader);
    let (key, entry, needs) = match asked[..] {
        [only] => only,
        [] => {
            let keys: Vec<String> = REQUESTS.iter().map(|(key, _)| format!("`{key}`")).collect();
            let help = format!("one of {}", keys.join(", "));
            return reader.refuse(span, "a request needs to say what is asked", help);
        }
        [_, (key, entry, _), ..] => {
            let message = format!("a second thing in one request: `{key}`");
            return reader.refuse(entry.key_span, message, "write a step of its own");
        }
    };
    if let Some((value, example)) = needs.filter(|(value, _)| spare.iter().all(|(there, _)| there != value)) {
        return reader.refuse(
            entry.key_span,
            format!("`{key}` needs `{value}`"),
            format!("such as {example}"),
        );
    }
    let may = if key == "clear-status" { "status" } else { "" };
    spare.retain(|(value, _)| needs.is_none_or(|(needed, _)| needed != *value) && *value != may);
    if let Some((value, span)) = spare.first() {
        return reader.refuse(*span, format!("`{key}` takes no `{value}`"), "leave it out");
    }
    let what = match key {
        "register" => Asked::Register,
        "renew" => Asked::Renew,
        "deregister" => Asked::Deregister,
        "set-status" => Asked::SetStatus(status?),
        "clear-status" => Asked::ClearStatus(status),
        "set-metadata" => Asked::SetMetadata(metadata?),
        "set-health" => Asked::SetHealth(health?),
        _ => {
            let group = reader.text(&entry.value, "the name of a group")?.into();
            return Some(Request {
                what: Asked::SetGroup { group, enabled: enabled? },
                of: None,
                to,
                expect,
                span: entry.key_span,
            });
        }
    };
    Some(Request { what, of: Some(who(reader, &entry.value)?), to, expect, span: entry.key_span })
}

/// The HTTP status of an answer.
fn answer(reader: &mut Reader, node: &Node) -> Option<Spanned<u16>> {
    let code = u64::from_node(reader, node)?;
    match u16::try_from(code) {
        Ok(code @ 200..=599) => Some(Spanned::new(code, node.span)),
        _ => {
            let message = format!("not an HTTP status of an answer: `{code}`");
            reader.refuse(node.span, message, "200 to 599, such as `200` or `404`")
        }
    }
}

fn entries(reader: &mut Reader, node: &Node) -> Option<Entries> {
    let mut texts = Vec::new();
    for entry in reader.named(node, "metadata") {
        texts.push((entry.key.as_str().into(), reader.text(&entry.value, "a text")?.into()));
    }
    match texts.is_empty() {
        true => reader.refuse(node.span, "no metadata", "such as `{ version: 2 }`"),
        false => Some(texts.into()),
    }
}

fn health_name(health: Health) -> &'static str {
    Health::ALL.into_iter().find(|(_, known)| *known == health).map_or("", |(name, _)| name)
}

impl FromNode for Health {
    fn from_node(reader: &mut Reader, node: &Node) -> Option<Self> {
        reader.word(node, "a health", &Health::ALL)
    }
}

impl FromNode for Status {
    fn from_node(reader: &mut Reader, node: &Node) -> Option<Self> {
        reader.word(node, "a status", &Status::ALL.map(|status| (status.name(), status)))
    }
}

/// What is asked, in a few words, but for the server.
pub(super) fn label(reader: &Reader, request: &Request) -> String {
    let of = request.of.as_ref().map_or_else(String::new, |of| reader.one_line(of.span));
    match &request.what {
        Asked::Register => format!("register {of}"),
        Asked::Renew => format!("renew {of}"),
        Asked::Deregister => format!("deregister {of}"),
        Asked::SetStatus(status) => format!("set {of} {status}"),
        Asked::ClearStatus(None) => format!("clear status of {of}"),
        Asked::ClearStatus(Some(status)) => format!("clear status of {of} to {status}"),
        Asked::SetMetadata(entries) => {
            let entries: Vec<String> = entries.iter().map(|(key, value)| format!("{key}={value}")).collect();
            format!("set {} of {of}", entries.join(" "))
        }
        Asked::SetHealth(health) => format!("health of {of} is {}", health_name(*health)),
        Asked::SetGroup { group, enabled: true } => format!("enable group {group}"),
        Asked::SetGroup { group, enabled: false } => format!("disable group {group}"),
    }
}
