//! What happens when: one step an entry, one verb a step.
//!
//! Separate because the verbs are a vocabulary of their own. A verb that the simulator does not know is refused here, by name;
//! nothing is read and then ignored. That the names in a step exist is looked at when the plan is resolved.

use super::diagnostic::{Span, Spanned};
use super::read::{Fields, FromNode, Reader};
use super::selector::{Route, Selector, Who};
use super::system::{Owner, Settings};
use super::topology::{Behind, Quality};
use super::tree::{Entry, Node, Value};
use super::units::{Drift, Factor, Offset, Unit};
use crate::protocol::Status;
use std::time::Duration;

/// One entry of `timeline:`.
#[derive(Clone, Debug)]
pub struct Step {
    /// The verb.
    pub span: Span,
    /// Its name in pictures, and for `after`.
    pub name: Option<Spanned<String>>,
    /// The verb and what it is about, on one line: its name in pictures if it has none.
    pub label: String,
    /// When it happens first.
    pub when: When,
    /// How long it lasts: `for`.
    pub lasts: Option<Spanned<Duration>>,
    /// Again every so often, until a time: `every`, `until`.
    pub repeat: Option<(Spanned<Duration>, Spanned<Duration>)>,
    /// What happens.
    pub action: Action,
}

/// A moment of the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum When {
    /// So long after the start of the run.
    At(Spanned<Duration>),
    /// So long after the end of a named step.
    After { step: Spanned<String>, plus: Duration },
}

/// What happens.
#[derive(Clone, Debug)]
pub enum Action {
    /// Processes die at once.
    Crash(Who),
    /// Hosts lose power.
    PowerOff(Who),
    /// Processes start again, with their disks or without.
    Restart { who: Who, wipe: bool },
    /// Processes are told to shut down.
    Stop(Who),
    /// Processes stand still for a while.
    Pause(Who),
    /// Processes are slower for a while.
    Slow { who: Who, factor: Spanned<Factor> },
    /// Groups cannot reach each other for a while.
    Partition(Vec<Who>),
    /// These reach nobody and nobody reaches them, for a while.
    Isolate(Who),
    /// Nothing passes for a while, in one direction or both.
    Cut(Route),
    /// Paths have another quality for a while.
    Path { route: Route, quality: Quality },
    /// Connections are reset.
    Reset(Route),
    /// Messages are interfered with for a while.
    Messages { matching: MessageMatch, action: MessageAction },
    /// Clocks go wrong.
    Clock { who: Who, change: ClockChange },
    /// An operator, or the application itself, asks for something.
    Request(Request),
    /// Settings change.
    Set { who: Who, settings: Settings },
    /// The address book changes.
    Resolve(Vec<(Spanned<String>, Behind)>),
}

/// Which messages are meant. What is `None` matches all.
#[derive(Clone, Debug, Default)]
pub struct MessageMatch {
    /// The kind of message.
    pub kind: Option<Spanned<String>>,
    /// Who sends it.
    pub from: Option<Who>,
    /// Who would receive it.
    pub to: Option<Who>,
    /// The instance that it is about.
    pub instance: Option<Who>,
    /// Only the n-th match, from 1.
    pub nth: Option<Spanned<u64>>,
}

/// What happens to such a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessageAction {
    /// It is lost.
    Drop,
    /// It arrives so much later.
    Delay(Duration),
    /// It arrives twice.
    Duplicate,
    /// The caller gets this HTTP status instead.
    Fail(u16),
}

/// How clocks go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockChange {
    /// The wall clock jumps.
    Jump(Offset),
    /// Both clocks run too fast or too slow, for a while.
    Drift(Drift),
    /// The wall clock stands still for a while.
    Freeze,
}

/// Something that is asked about an instance.
#[derive(Clone, Debug)]
pub struct Request {
    /// What.
    pub what: Asked,
    /// About which instance or instances.
    pub of: Who,
    /// The server that is asked. `None`: the instance itself.
    pub to: Option<Who>,
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Register it.
    Register,
    /// Renew its lease.
    Renew,
    /// Remove it.
    Deregister,
    /// At a server: override its status. At the instance: change it.
    SetStatus(Status),
    /// Remove the override.
    ClearStatus,
}

/// A verb: its key, whether it may, must or must not have a `for`, and how it is read.
struct Verb {
    key: &'static str,
    lasts: Lasts,
    read: fn(&mut Reader, &mut Fields<'_>, &Node) -> Option<Action>,
}

#[derive(Clone, Copy, PartialEq)]
enum Lasts {
    /// An instant: `for` makes no sense.
    Never,
    /// `for`, or until the end.
    Maybe,
}

const VERBS: &[Verb] = &[
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
        read: |reader, _, node| request(reader, node).map(Action::Request),
    },
    Verb { key: "set", lasts: Lasts::Never, read: |reader, _, node| set(reader, node) },
    Verb { key: "resolve", lasts: Lasts::Never, read: |reader, _, node| resolve(reader, node) },
];

/// Verbs of the language that this version cannot carry out.
const NOT_YET: &[&str] =
    &["when", "bridge", "flap", "hold", "rolling-restart", "scale", "chaos", "slow-disk", "full-disk"];

impl Step {
    /// Reads one entry.
    pub fn read(reader: &mut Reader, node: &Node) -> Option<Step> {
        let mut fields = reader.fields(node, "a step")?;
        let name = fields.optional(reader, "name");
        let when = when(reader, &mut fields);
        let lasts: Option<Spanned<Duration>> = fields.optional(reader, "for");
        let every = fields.optional(reader, "every");
        let until = fields.optional(reader, "until");
        let mut found: Option<(&Verb, &Entry, Option<Action>)> = None;
        for verb in VERBS {
            let Some(entry) = fields.entry(verb.key) else { continue };
            if let Some((first, ..)) = &found {
                let message = format!("a second verb in one step: `{}` after `{}`", verb.key, first.key);
                reader.error(entry.key_span, message, Some("write a step of its own".into()));
                continue;
            }
            let action = (verb.read)(reader, &mut fields, &entry.value);
            found = Some((verb, entry, action));
        }
        for word in NOT_YET {
            if let Some(entry) = fields.refused_entry(word) {
                reader.error(entry.key_span, format!("not supported in this version: `{word}`"), None);
                return None;
            }
        }
        if found.is_none() && !fields.has_unknown() {
            let verbs: Vec<String> = VERBS.iter().map(|verb| format!("`{}`", verb.key)).collect();
            reader.error(
                fields.head(reader),
                "a step needs a verb",
                Some(format!("one of {}", verbs.join(", "))),
            );
        }
        fields.finish(reader);
        let (verb, entry, action) = found?;
        if let Some(lasts) = &lasts {
            if verb.lasts == Lasts::Never
                || matches!(action, Some(Action::Clock { change: ClockChange::Jump(_), .. }))
            {
                let message = format!("`{}` happens at an instant and cannot last", verb.key);
                reader.error(lasts.span, message, Some("leave `for` out".into()));
            } else if lasts.is_zero() {
                reader.error(lasts.span, "a fault that lasts no time", Some("leave the step out".into()));
            }
        }
        let repeat = match (every, until) {
            (Some(every), Some(until)) => repeat(reader, every, until),
            (Some(Spanned { span, .. }), None) => {
                reader.refuse(span, "`every` needs `until`", "such as `every: 5m, until: 1h`")
            }
            (None, Some(Spanned { span, .. })) => {
                reader.refuse(span, "`until` needs `every`", "how long one fault lasts is `for`")
            }
            (None, None) => None,
        };
        let label = format!("{} {}", verb.key, reader.one_line(entry.value.span));
        Some(Step { span: entry.key_span, name, label, when: when?, lasts, repeat, action: action? })
    }
}

/// The most repetitions of one step.
const MOST_REPETITIONS: u128 = 10_000;

fn repeat(
    reader: &mut Reader,
    every: Spanned<Duration>,
    until: Spanned<Duration>,
) -> Option<(Spanned<Duration>, Spanned<Duration>)> {
    if every.is_zero() || until.as_nanos() / every.as_nanos() > MOST_REPETITIONS {
        let message = format!("a step repeated more than {MOST_REPETITIONS} times");
        return reader.refuse(every.span, message, "a longer `every`, or an earlier `until`");
    }
    Some((every, until))
}

fn when(reader: &mut Reader, fields: &mut Fields<'_>) -> Option<When> {
    let at = fields.entry("at");
    let after = fields.entry("after");
    match (at, after) {
        (Some(at), None) => Spanned::from_node(reader, &at.value).map(When::At),
        (None, Some(after)) => {
            let text = reader.text(&after.value, "the name of a step")?;
            When::read(reader, text, after.value.span, true)
        }
        (Some(_), Some(after)) => {
            reader.refuse(after.key_span, "a step has `at` or `after`, not both", "leave one out")
        }
        (None, None) => fields.missing(reader, "at"),
    }
}

impl When {
    /// Reads `90s`, `split` or `split + 30s`. Where only a step can be meant, a name may look like a time.
    pub fn read(reader: &mut Reader, text: &str, span: Span, only_steps: bool) -> Option<When> {
        if !only_steps && text.starts_with(|c: char| c.is_ascii_digit()) {
            let time = reader.unit(span, Duration::read(text))?;
            return Some(When::At(Spanned::new(time, span)));
        }
        let (step, plus) = match text.rsplit_once('+') {
            Some((step, plus)) => (step.trim(), reader.unit(span, Duration::read(plus))?),
            None => (text, Duration::ZERO),
        };
        Some(When::After { step: Spanned::new(step.to_owned(), span), plus })
    }
}

impl FromNode for When {
    fn from_node(reader: &mut Reader, node: &Node) -> Option<Self> {
        let text = reader.text(node, "a time")?;
        When::read(reader, text, node.span, false)
    }
}

fn who(reader: &mut Reader, node: &Node) -> Option<Who> {
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
            let fail = fields.with(reader, "fail", http_status).map(MessageAction::Fail);
            fields.finish(reader);
            if entries.len() != 1 {
                return reader.refuse(
                    node.span,
                    "`do` is one thing",
                    "such as `{ delay: 2s }` or `{ fail: 503 }`",
                );
            }
            return delay.or(fail);
        }
        if let Value::Scalar { text, .. } = &node.value
            && matches!(text.as_str(), "delay" | "fail")
        {
            let example = if text == "delay" { "`{ delay: 2s }`" } else { "`{ fail: 503 }`" };
            return reader.refuse(node.span, format!("`{text}` needs a value"), example);
        }
        let valid = [("drop", MessageKind::Drop), ("duplicate", MessageKind::Duplicate)];
        Some(match reader.word(node, "a thing to do", &valid)? {
            MessageKind::Drop => MessageAction::Drop,
            MessageKind::Duplicate => MessageAction::Duplicate,
        })
    }
}

/// What can be done without a value.
#[derive(Clone, Copy)]
enum MessageKind {
    Drop,
    Duplicate,
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

fn request(reader: &mut Reader, node: &Node) -> Option<Request> {
    let mut fields = reader.fields(node, "a request")?;
    let to = fields.with(reader, "to", who);
    let status = fields.optional::<Spanned<Status>>(reader, "status");
    let mut found = Vec::new();
    for (key, asked) in [
        ("register", Some(Asked::Register)),
        ("renew", Some(Asked::Renew)),
        ("deregister", Some(Asked::Deregister)),
        ("set-status", status.as_ref().map(|status| Asked::SetStatus(status.value))),
        ("clear-status", Some(Asked::ClearStatus)),
    ] {
        if let Some(entry) = fields.entry(key) {
            found.push((key, entry.key_span, asked, who(reader, &entry.value)));
        }
    }
    let has_status = fields.entry("status").is_some();
    let span = fields.span();
    fields.finish(reader);
    let mut found = found.into_iter();
    let (key, key_span, asked, of) = match (found.next(), found.next()) {
        (Some(only), None) => only,
        (None, _) => {
            let help =
                "one of `register`, `renew`, `deregister`, `set-status`, `clear-status`, each of an instance";
            return reader.refuse(span, "a request needs to say what is asked", help);
        }
        (_, Some((key, key_span, ..))) => {
            return reader.refuse(
                key_span,
                format!("a second thing in one request: `{key}`"),
                "write a step of its own",
            );
        }
    };
    if key == "set-status" && !has_status {
        return reader.refuse(
            key_span,
            "`set-status` needs `status`",
            "such as `{ set-status: provider/0, status: OUT_OF_SERVICE }`",
        );
    }
    if let Some(status) = status.filter(|_| key != "set-status") {
        return reader.refuse(status.span, format!("`{key}` takes no `status`"), "leave it out");
    }
    Some(Request { what: asked?, of: of?, to })
}

impl FromNode for Status {
    fn from_node(reader: &mut Reader, node: &Node) -> Option<Self> {
        reader.word(node, "a status", &Status::ALL.map(|status| (status.name(), status)))
    }
}

fn set(reader: &mut Reader, node: &Node) -> Option<Action> {
    let mut fields = reader.fields(node, "`set`")?;
    let server = fields.with(reader, "server", who);
    if fields.entry("server").is_none() {
        return fields.missing(reader, "server");
    }
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
    reader.diagnostics.extend(settings.mistakes(Owner::Server));
    if settings.0.is_empty() {
        return reader.refuse(
            span,
            "`set` sets nothing",
            "such as `{ server: peer1, enable-self-preservation: false }`",
        );
    }
    Some(Action::Set { who: server?, settings })
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
