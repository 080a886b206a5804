//! The verbs: how each is read, and what a step is called that has no name.
//!
//! Separate because it is the part of the timeline that grows. A new verb is a line of the table, an [`Action`] and a reader.

use super::{
    Action, Change, ClockChange, Direction, Flapping, MessageAction, MessageMatch, Rolling, Unflushed,
    request,
};
use crate::scenario::diagnostic::Spanned;
use crate::scenario::read::{Fields, FromNode, Reader};
use crate::scenario::selector::{Route, Selector, Who};
use crate::scenario::system::{Owner, Settings};
use crate::scenario::topology::{Behind, Quality};
use crate::scenario::tree::{Node, Value};
use crate::scenario::units::{Range, Shown};
use std::sync::Arc;
use std::time::Duration;

/// A verb: its key, whether it may have a `for` or an `over`, and how it is read.
pub(super) struct Verb {
    pub(super) key: &'static str,
    pub(super) lasts: Lasts,
    /// Whether it may hit those that are meant one after the other: `over`.
    pub(super) spreads: bool,
    pub(super) read: Read,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Lasts {
    /// An instant: `for` makes no sense.
    Never,
    /// `for`, or until the end.
    Maybe,
}

pub(super) const VERBS: &[Verb] = &[
    Verb { spreads: true, ..instant("crash", |reader, _, node| Some(Action::Crash(who(reader, node)?))) },
    Verb { spreads: true, ..instant("power-off", power_off) },
    Verb {
        spreads: true,
        ..instant("restart", |reader, fields, node| {
            let wipe = fields.optional(reader, "wipe").unwrap_or(false);
            Some(Action::Restart { who: who(reader, node)?, wipe })
        })
    },
    Verb { spreads: true, ..instant("stop", |reader, _, node| Some(Action::Stop(who(reader, node)?))) },
    lasting("pause", |reader, _, node| Some(Action::Pause(who(reader, node)?))),
    lasting("slow", |reader, fields, node| {
        let factor = fields.required(reader, "factor");
        Some(Action::Slow { who: who(reader, node)?, factor: factor? })
    }),
    lasting("partition", |reader, _, node| {
        groups(reader, node, "a partition", "such as `[[peer1, provider], [peer2]]`").map(Action::Partition)
    }),
    lasting("bridge", bridge),
    lasting("isolate", |reader, fields, node| {
        let directions = [("inbound", Direction::Inbound), ("outbound", Direction::Outbound)];
        let only = fields.with(reader, "only", |reader, node| reader.word(node, "a direction", &directions));
        Some(Action::Isolate { who: who(reader, node)?, only })
    }),
    lasting("cut", |reader, _, node| Some(Action::Cut(Route::from_node(reader, node)?))),
    lasting("flap", flap),
    lasting("silence", |reader, _, node| Some(Action::Silence(who(reader, node)?))),
    lasting("path", path),
    instant("reset", |reader, _, node| Some(Action::Reset(Route::from_node(reader, node)?))),
    lasting("messages", |reader, _, node| messages(reader, node)),
    lasting("clock", clock),
    lasting("slow-disk", |reader, fields, node| {
        let factor = fields.required(reader, "factor");
        Some(Action::SlowDisk { who: who(reader, node)?, factor: factor? })
    }),
    lasting("full-disk", |reader, _, node| Some(Action::FullDisk(who(reader, node)?))),
    instant("rolling-restart", |reader, _, node| rolling(reader, node)),
    Verb { spreads: true, ..instant("scale", |reader, _, node| scale(reader, node)) },
    instant("request", |reader, _, node| request::read(reader, node).map(Action::Request)),
    instant("set", |reader, _, node| set(reader, node)),
    instant("resolve", |reader, _, node| resolve(reader, node)),
];

/// How a verb's value and the keys beside it are read.
type Read = fn(&mut Reader, &mut Fields<'_>, &Node) -> Option<Action>;

const fn instant(key: &'static str, read: Read) -> Verb {
    Verb { key, lasts: Lasts::Never, spreads: false, read }
}

const fn lasting(key: &'static str, read: Read) -> Verb {
    Verb { key, lasts: Lasts::Maybe, spreads: false, read }
}

/// Verbs of the language that this version cannot carry out.
pub(super) const NOT_YET: &[&str] = &["chaos"];

/// Words that are taken for verbs, and where they belong.
pub(super) const ELSEWHERE: &[(&str, &str)] = &[
    ("hold", "`messages: { match: { … }, do: hold }`"),
    ("drop", "`messages: { match: { … }, do: drop }`"),
    ("delay", "`messages: { match: { … }, do: { delay: 2s } }`, or `path` with a `latency`"),
    ("duplicate", "`messages: { match: { … }, do: duplicate }`"),
    ("deploy", "`rolling-restart: { of: provider, every: 30s, down: 10s }`"),
    ("wait", "`when: { event: … }` beside a verb"),
];

impl Action {
    /// A short name, where the text behind the verb would be long. `None`: the verb and its text say it.
    pub(super) fn label(&self, reader: &Reader) -> Option<String> {
        match self {
            Action::Messages { matching, action } => {
                let what = matching.kind.as_ref().map_or("messages", |kind| kind.value.as_str());
                Some(match action {
                    MessageAction::Drop => format!("drop {what}"),
                    MessageAction::Delay(delay) => format!("delay {what} by {}", Shown(*delay)),
                    MessageAction::Hold => format!("hold {what}"),
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
            Action::Bridge { over, between } => {
                let between: Vec<String> = between.iter().map(|who| reader.one_line(who.span)).collect();
                Some(format!("{} bridges {}", reader.one_line(over.span), between.join(" and ")))
            }
            Action::Isolate { who, only: Some(only) } => {
                let packets = match only {
                    Direction::Inbound => "to",
                    Direction::Outbound => "from",
                };
                Some(format!("drop packets {packets} {}", reader.one_line(who.span)))
            }
            Action::RollingRestart(rolling) => {
                Some(format!("rolling restart of {}", reader.one_line(rolling.of.span)))
            }
            Action::Scale { service, to, .. } => Some(format!("scale {} to {}", service.value, to.value)),
            Action::Crash(_)
            | Action::PowerOff { .. }
            | Action::Restart { .. }
            | Action::Stop(_)
            | Action::Pause(_)
            | Action::Slow { .. }
            | Action::Partition(_)
            | Action::Isolate { only: None, .. }
            | Action::Flap { .. }
            | Action::Silence(_)
            | Action::SlowDisk { .. }
            | Action::FullDisk(_)
            | Action::Cut(_)
            | Action::Path { .. }
            | Action::Reset(_) => None,
        }
    }
}

pub(super) fn who(reader: &mut Reader, node: &Node) -> Option<Who> {
    Selector::from_node_spanned(reader, node)
}

fn groups(reader: &mut Reader, node: &Node, what: &'static str, example: &str) -> Option<Vec<Who>> {
    let items = reader.items(node, what);
    let groups: Vec<Who> = items.iter().filter_map(|item| who(reader, item)).collect();
    // What is no list, and what is no group, has been reported.
    if groups.len() != items.len() || !matches!(node.value, Value::List(_)) {
        return None;
    }
    match groups.len() {
        0 | 1 => reader.refuse(node.span, format!("{what} needs two groups"), example),
        _ => Some(groups),
    }
}

fn bridge(reader: &mut Reader, fields: &mut Fields<'_>, node: &Node) -> Option<Action> {
    const EXAMPLE: &str = "such as `bridge: peer2, between: [peer1, peer3]`";
    let between = match fields.entry("between") {
        Some(entry) => groups(reader, &entry.value, "a bridge", EXAMPLE),
        None => reader.refuse(node.span, "a bridge needs what it lies `between`", EXAMPLE),
    };
    Some(Action::Bridge { over: who(reader, node)?, between: between? })
}

fn flap(reader: &mut Reader, fields: &mut Fields<'_>, node: &Node) -> Option<Action> {
    let down = fields.required(reader, "down");
    let up = fields.required(reader, "up");
    let is_path = matches!(&node.value, Value::Scalar { text, .. } if text.contains("->"));
    let what = match is_path {
        true => Flapping::Path(Route::from_node(reader, node)?),
        false => Flapping::Place(who(reader, node)?),
    };
    let (down, up): (Spanned<Range<Duration>>, Spanned<Range<Duration>>) = (down?, up?);
    for length in [&down, &up] {
        if length.low < SHORTEST_TURN {
            let help = format!("at least `{}`", Shown(SHORTEST_TURN));
            return reader.refuse(length.span, "a path cannot turn so fast", help);
        }
    }
    Some(Action::Flap { what, down, up })
}

/// A path that flaps stays as it is for at least this long.
const SHORTEST_TURN: Duration = Duration::from_millis(10);

fn power_off(reader: &mut Reader, fields: &mut Fields<'_>, node: &Node) -> Option<Action> {
    let kinds = [("kept", Unflushed::Kept), ("lost", Unflushed::Lost), ("torn", Unflushed::Torn)];
    let unflushed = fields
        .with(reader, "unflushed", |reader, node| reader.word(node, "a fate of unflushed writes", &kinds));
    Some(Action::PowerOff { who: who(reader, node)?, unflushed: unflushed.unwrap_or(Unflushed::Drawn) })
}

fn rolling(reader: &mut Reader, node: &Node) -> Option<Action> {
    let mut fields = reader.fields(node, "`rolling-restart`")?;
    let of = match fields.entry("of") {
        Some(entry) => who(reader, &entry.value),
        None => fields.missing(reader, "of"),
    };
    let every: Option<Spanned<Duration>> = fields.required(reader, "every");
    let down = fields.required(reader, "down");
    let at_once = fields.optional::<Spanned<u64>>(reader, "at-once");
    let graceful = fields.optional(reader, "graceful").unwrap_or(true);
    fields.finish(reader);
    if let Some(none) = at_once.as_ref().filter(|at_once| at_once.value == 0) {
        return reader.refuse(none.span, "a rolling restart of none at a time", "at least `1`");
    }
    let at_once = at_once.map_or(1, |at_once| usize::try_from(at_once.value).unwrap_or(usize::MAX));
    Some(Action::RollingRestart(Rolling { of: of?, every: every?, down: down?, at_once, graceful }))
}

fn scale(reader: &mut Reader, node: &Node) -> Option<Action> {
    let mut fields = reader.fields(node, "`scale`")?;
    let service = fields.required(reader, "service");
    let to: Option<Spanned<u64>> = fields.required(reader, "to");
    let graceful = fields.optional(reader, "graceful").unwrap_or(true);
    fields.finish(reader);
    Some(Action::Scale { service: service?, to: to?, graceful })
}

fn path(reader: &mut Reader, fields: &mut Fields<'_>, node: &Node) -> Option<Action> {
    let before = reader.diagnostics.len();
    let quality = Quality::ask(reader, fields);
    // One that is written and wrong has been reported.
    let wrong = reader.diagnostics.len() > before;
    let route = Route::from_node(reader, node)?;
    if let Some(distance) = &quality.distance {
        return reader.refuse(distance.span, "a distance does not change during a run", "write a `latency`");
    }
    if quality.is_empty() && wrong {
        return None;
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
            ("hold", MessageKind::Hold),
            ("duplicate", MessageKind::Duplicate),
            ("break", MessageKind::Break),
        ];
        Some(match reader.word(node, "a thing to do", &valid)? {
            MessageKind::Drop => MessageAction::Drop,
            MessageKind::Hold => MessageAction::Hold,
            MessageKind::Duplicate => MessageAction::Duplicate,
            MessageKind::Break => MessageAction::Break,
        })
    }
}

/// What can be done without a value.
#[derive(Clone, Copy)]
enum MessageKind {
    Drop,
    Hold,
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
