//! The verbs: how each is read, and what a step is called that has no name.
//!
//! Separate because it is the part of the timeline that grows. A new verb is a line of the table, an [`Action`] and a reader.

use super::{Action, Change, ClockChange, MessageAction, MessageMatch, request};
use crate::scenario::diagnostic::Spanned;
use crate::scenario::read::{Fields, FromNode, Reader};
use crate::scenario::selector::{Route, Selector, Who};
use crate::scenario::system::{Owner, Settings};
use crate::scenario::topology::{Behind, Quality};
use crate::scenario::tree::{Node, Value};
use crate::scenario::units::Shown;
use std::sync::Arc;

/// A verb: its key, whether it may, must or must not have a `for`, and how it is read.
pub(super) struct Verb {
    pub(super) key: &'static str,
    pub(super) lasts: Lasts,
    pub(super) read: fn(&mut Reader, &mut Fields<'_>, &Node) -> Option<Action>,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Lasts {
    /// An instant: `for` makes no sense.
    Never,
    /// `for`, or until the end.
    Maybe,
}

pub(super) const VERBS: &[Verb] = &[
    Verb {
        key: "crash",
        lasts: Lasts::Never,
        read: |reader, _, node| Some(Action::Crash(who(reader, node)?)),
    },
    Verb {
        key: "power-off",
        lasts: Lasts::Never,
        read: |reader, _, node| Some(Action::PowerOff(who(reader, node)?)),
    },
    Verb {
        key: "restart",
        lasts: Lasts::Never,
        read: |reader, fields, node| {
            let wipe = fields.optional(reader, "wipe").unwrap_or(false);
            Some(Action::Restart { who: who(reader, node)?, wipe })
        },
    },
    Verb { key: "stop", lasts: Lasts::Never, read: |reader, _, node| Some(Action::Stop(who(reader, node)?)) },
    Verb {
        key: "pause",
        lasts: Lasts::Maybe,
        read: |reader, _, node| Some(Action::Pause(who(reader, node)?)),
    },
    Verb {
        key: "slow",
        lasts: Lasts::Maybe,
        read: |reader, fields, node| {
            let factor = fields.required(reader, "factor");
            Some(Action::Slow { who: who(reader, node)?, factor: factor? })
        },
    },
    Verb { key: "partition", lasts: Lasts::Maybe, read: |reader, _, node| partition(reader, node) },
    Verb {
        key: "isolate",
        lasts: Lasts::Maybe,
        read: |reader, _, node| Some(Action::Isolate(who(reader, node)?)),
    },
    Verb {
        key: "cut",
        lasts: Lasts::Maybe,
        read: |reader, _, node| Some(Action::Cut(Route::from_node(reader, node)?)),
    },
    Verb { key: "path", lasts: Lasts::Maybe, read: path },
    Verb {
        key: "reset",
        lasts: Lasts::Never,
        read: |reader, _, node| Some(Action::Reset(Route::from_node(reader, node)?)),
    },
    Verb { key: "messages", lasts: Lasts::Maybe, read: |reader, _, node| messages(reader, node) },
    Verb { key: "clock", lasts: Lasts::Maybe, read: clock },
    Verb {
        key: "request",
        lasts: Lasts::Never,
        read: |reader, _, node| request::read(reader, node).map(Action::Request),
    },
    Verb { key: "set", lasts: Lasts::Never, read: |reader, _, node| set(reader, node) },
    Verb { key: "resolve", lasts: Lasts::Never, read: |reader, _, node| resolve(reader, node) },
];

/// Verbs of the language that this version cannot carry out.
pub(super) const NOT_YET: &[&str] =
    &["when", "bridge", "flap", "hold", "rolling-restart", "scale", "chaos", "slow-disk", "full-disk"];

impl Action {
    /// A short name, where the text behind the verb would be long. `None`: the verb and its text say it.
    pub(super) fn label(&self, reader: &Reader) -> Option<String> {
        match self {
            Action::Messages { matching, action } => {
                let what = matching.kind.as_ref().map_or("messages", |kind| kind.value.as_str());
                Some(match action {
                    MessageAction::Drop => format!("drop {what}"),
                    MessageAction::Delay(delay) => format!("delay {what} by {}", Shown(*delay)),
                    MessageAction::Duplicate => format!("duplicate {what}"),
                    MessageAction::Fail { status, .. } => format!("fail {what} with {status}"),
                    MessageAction::Redirect(to) => format!("redirect {what} to {}", to.value),
                    MessageAction::Break => format!("break {what}"),
                })
            }
            Action::Clock { who, change } => {
                let who = reader.one_line(who.span);
                Some(match change {
                    ClockChange::Jump(jump) if jump.nanos < 0 => format!("clock of {who} steps back"),
                    ClockChange::Jump(_) => format!("clock of {who} jumps"),
                    ClockChange::Drift(_) => format!("clock of {who} drifts"),
                    ClockChange::Freeze => format!("clock of {who} stands still"),
                })
            }
            Action::Request(request) => {
                let what = request::label(reader, request);
                Some(match &request.to {
                    Some(to) => format!("{what} at {}", reader.one_line(to.span)),
                    None => what,
                })
            }
            Action::Set(change) => {
                let blocks = [&change.server, &change.client, &change.instance].into_iter();
                let list = if change.of_servers { "peers" } else { "servers" };
                let keys = blocks.flat_map(|block| &block.0).map(|setting| setting.key.as_str());
                let keys: Vec<&str> = keys.chain(change.known.as_ref().map(|_| list)).collect();
                Some(format!("set {} at {}", keys.join(", "), reader.one_line(change.who.span)))
            }
            Action::Resolve(changes) => {
                let names: Vec<&str> = changes.iter().map(|(name, _)| name.as_str()).collect();
                Some(format!("resolve {}", names.join(", ")))
            }
            Action::Crash(_)
            | Action::PowerOff(_)
            | Action::Restart { .. }
            | Action::Stop(_)
            | Action::Pause(_)
            | Action::Slow { .. }
            | Action::Partition(_)
            | Action::Isolate(_)
            | Action::Cut(_)
            | Action::Path { .. }
            | Action::Reset(_) => None,
        }
    }
}

pub(super) fn who(reader: &mut Reader, node: &Node) -> Option<Who> {
    Selector::from_node_spanned(reader, node)
}

fn partition(reader: &mut Reader, node: &Node) -> Option<Action> {
    let items = reader.items(node, "a partition");
    let groups: Vec<Who> = items.iter().filter_map(|item| who(reader, item)).collect();
    if groups.len() != items.len() {
        return None;
    }
    if groups.len() < 2 {
        return reader.refuse(
            node.span,
            "a partition needs two groups",
            "such as `[[peer1, provider], [peer2]]`",
        );
    }
    Some(Action::Partition(groups))
}

fn path(reader: &mut Reader, fields: &mut Fields<'_>, node: &Node) -> Option<Action> {
    let quality = Quality::ask(reader, fields);
    let route = Route::from_node(reader, node)?;
    if let Some(distance) = &quality.distance {
        return reader.refuse(distance.span, "a distance does not change during a run", "write a `latency`");
    }
    if quality.is_empty() {
        let help = "one or more of `latency`, `jitter`, `loss`, `duplication`, `reordering`, `bandwidth`";
        return reader.refuse(node.span, "a path that does not change", help);
    }
    Some(Action::Path { route, quality })
}

fn messages(reader: &mut Reader, node: &Node) -> Option<Action> {
    let mut fields = reader.fields(node, "`messages`")?;
    let matching = fields.with(reader, "match", |reader, node| {
        let mut fields = reader.fields(node, "`match`")?;
        let matching = MessageMatch {
            kind: fields.optional(reader, "kind"),
            from: fields.with(reader, "from", who),
            to: fields.with(reader, "to", who),
            instance: fields.with(reader, "instance", who),
            nth: fields.optional(reader, "nth"),
        };
        if let Some(nth) = matching.nth.as_ref().filter(|nth| nth.value == 0) {
            reader.error(nth.span, "matches are counted from 1", None);
        }
        fields.finish(reader);
        Some(matching)
    });
    let action = match fields.entry("do") {
        Some(entry) => MessageAction::from_node(reader, &entry.value),
        None => fields.missing(reader, "do"),
    };
    fields.finish(reader);
    Some(Action::Messages { matching: matching.unwrap_or_default(), action: action? })
}

impl FromNode for MessageAction {
    fn from_node(reader: &mut Reader, node: &Node) -> Option<Self> {
        if let Value::Map(entries) = &node.value {
            let mut fields = reader.fields(node, "`do`")?;
            let delay = fields.optional(reader, "delay").map(MessageAction::Delay);
            let fail = fields.with(reader, "fail", failure);
            let redirect = fields.optional(reader, "redirect").map(MessageAction::Redirect);
            fields.finish(reader);
            if entries.len() != 1 {
                return reader.refuse(
                    node.span,
                    "`do` is one thing",
                    "such as `{ delay: 2s }` or `{ fail: 503 }`",
                );
            }
            return delay.or(fail).or(redirect);
        }
        if let Value::Scalar { text, .. } = &node.value
            && let Some((_, example)) = [
                ("delay", "`{ delay: 2s }`"),
                ("fail", "`{ fail: 503 }`"),
                ("redirect", "`{ redirect: peer2 }`"),
            ]
            .iter()
            .find(|(word, _)| word == text)
        {
            return reader.refuse(node.span, format!("`{text}` needs a value"), *example);
        }
        let valid = [
            ("drop", MessageKind::Drop),
            ("duplicate", MessageKind::Duplicate),
            ("break", MessageKind::Break),
        ];
        Some(match reader.word(node, "a thing to do", &valid)? {
            MessageKind::Drop => MessageAction::Drop,
            MessageKind::Duplicate => MessageAction::Duplicate,
            MessageKind::Break => MessageAction::Break,
        })
    }
}

/// What can be done without a value.
#[derive(Clone, Copy)]
enum MessageKind {
    Drop,
    Duplicate,
    Break,
}

/// A status, alone or with the text that is the body of the answer.
fn failure(reader: &mut Reader, node: &Node) -> Option<MessageAction> {
    let Value::Map(_) = &node.value else {
        return Some(MessageAction::Fail { status: http_status(reader, node)?, body: None });
    };
    let mut fields = reader.fields(node, "`fail`")?;
    let status = match fields.entry("status") {
        Some(entry) => http_status(reader, &entry.value),
        None => fields.missing(reader, "status"),
    };
    let body = fields.with(reader, "body", |reader, node| reader.text(node, "a text").map(Arc::from));
    fields.finish(reader);
    Some(MessageAction::Fail { status: status?, body })
}

fn http_status(reader: &mut Reader, node: &Node) -> Option<u16> {
    let code = u64::from_node(reader, node)?;
    match u16::try_from(code) {
        Ok(code @ 300..=599) => Some(code),
        _ => reader.refuse(
            node.span,
            format!("not an HTTP status of a failure: `{code}`"),
            "300 to 599, such as `503`",
        ),
    }
}

fn clock(reader: &mut Reader, fields: &mut Fields<'_>, node: &Node) -> Option<Action> {
    let jump = fields.optional(reader, "jump").map(ClockChange::Jump);
    let drift = fields.optional(reader, "drift").map(ClockChange::Drift);
    let freeze = fields.optional(reader, "freeze").filter(|freeze| *freeze).map(|_| ClockChange::Freeze);
    let who = who(reader, node)?;
    let mut changes = [jump, drift, freeze].into_iter().flatten();
    match (changes.next(), changes.next()) {
        (Some(change), None) => Some(Action::Clock { who, change }),
        _ => reader.refuse(
            node.span,
            "a clock needs one change",
            "one of `jump: -30s`, `drift: 200ppm`, `freeze: true`",
        ),
    }
}

fn set(reader: &mut Reader, node: &Node) -> Option<Action> {
    let mut fields = reader.fields(node, "`set`")?;
    let server = fields.with(reader, "server", who);
    let client = fields.with(reader, "client", who);
    match (fields.entry("server"), fields.entry("client")) {
        (None, None) => return fields.missing(reader, "server"),
        (Some(_), Some(second)) => {
            let help = "write a step of its own";
            return reader.refuse(second.key_span, "`set` is of a `server` or of a `client`", help);
        }
        (Some(_), None) | (None, Some(_)) => {}
    }
    let of_servers = fields.entry("server").is_some();
    let known = fields.optional(reader, if of_servers { "peers" } else { "servers" });
    let mut settings = Settings::default();
    for entry in fields.rest() {
        match &entry.value.value {
            Value::Map(_) => settings.flatten(reader, &entry.key, &entry.value),
            _ => {
                let text = reader.text(&entry.value, "a setting's value").unwrap_or("").to_owned();
                settings.push(&reader.sources, entry.key.clone(), entry.key_span, text, entry.value.span);
            }
        }
    }
    let span = fields.span();
    fields.finish(reader);
    if settings.0.is_empty() && known.is_none() {
        return reader.refuse(
            span,
            "`set` sets nothing",
            "such as `{ server: peer1, enable-self-preservation: false }`",
        );
    }
    let mut blocks = [Settings::default(), Settings::default(), Settings::default()];
    for setting in settings.0 {
        blocks[owner_of(&setting.key, of_servers) as usize].0.push(setting);
    }
    for (owner, block) in [Owner::Server, Owner::Client, Owner::Instance].into_iter().zip(&blocks) {
        reader.diagnostics.extend(block.remarks(owner));
    }
    let [server_settings, client_settings, instance] = blocks;
    Some(Action::Set(Change {
        who: if of_servers { server? } else { client? },
        of_servers,
        server: server_settings,
        client: client_settings,
        instance,
        known,
    }))
}

/// Whose a key is: a server's own first, then its client's, then that of what is registered. A key that nobody has is taken for one of
/// the first that can be meant.
fn owner_of(key: &str, of_servers: bool) -> Owner {
    let first = if of_servers { Owner::Server } else { Owner::Client };
    let owners = [first, Owner::Client, Owner::Instance];
    owners.into_iter().find(|owner| owner.find(key).is_some()).unwrap_or(first)
}

fn resolve(reader: &mut Reader, node: &Node) -> Option<Action> {
    let mut changes = Vec::new();
    for entry in reader.named(node, "addresses") {
        let behind = Behind::from_node(reader, &entry.value)?;
        changes.push((Spanned::new(entry.key.clone(), entry.key_span), behind));
    }
    if changes.is_empty() {
        return reader.refuse(node.span, "`resolve` changes nothing", "such as `{ lb: [peer2] }`");
    }
    Some(Action::Resolve(changes))
}
