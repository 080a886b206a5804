//! What must hold: the entries of `expect:`.
//!
//! Separate because this is the vocabulary of judgements. Each entry says one thing; how it is judged is the business of the
//! checks, which get it with names resolved.

use super::diagnostic::{Span, Spanned};
use super::read::{Fields, FromNode, Reader};
use super::selector::{Selector, Who};
use super::timeline::When;
use super::tree::{Entry, Node, Value};
use super::units::{Bound, Ratio};
use crate::protocol::{Gauge, Status};
use std::time::Duration;

/// One entry of `expect:`.
#[derive(Clone, Debug)]
pub struct Expectation {
    /// The key that says what is expected.
    pub span: Span,
    /// What is expected.
    pub what: Expected,
    /// The expectation is of a known weakness: it must *not* hold.
    pub violated: bool,
    /// Where users reported the weakness.
    pub reported: Option<Spanned<String>>,
}

/// What can be expected.
#[derive(Clone, Debug)]
pub enum Expected {
    /// So long after the last disturbance, all servers and subscribed clients hold the truth, and keep doing so.
    Converged { within: Spanned<Duration> },
    /// It does not happen.
    Never(Pattern),
    /// It happens at least once.
    Sometimes(Pattern),
    /// At a moment, and until another, these observers hold these instances.
    Registered(Held),
    /// At a moment, and until another, none of these observers holds any of these instances.
    NotRegistered(Held),
    /// A figure of a server lies within a bound.
    Gauge { gauge: Gauge, server: Who, window: Window, is: Spanned<Bound<u64>> },
    /// Something happens so often.
    Count { pattern: Pattern, is: Spanned<Bound<u64>> },
    /// From one thing to the next, so much time passes.
    Delay { from: Mark, to: Mark, is: Spanned<Bound<Duration>> },
    /// A share of the calls succeeds.
    Calls { of: Option<Who>, to: Option<Spanned<String>>, window: Window, success: Spanned<Bound<Ratio>> },
    /// So long after the last disturbance, all servers hold the newest version of these instances.
    ConflictResolved { instance: Who, within: Option<Spanned<Duration>> },
}

/// Something that may happen, and where and when it counts.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// What.
    pub what: Happening,
    /// To or about which instances. Default: any.
    pub of: Option<Who>,
    /// At which servers, or at which processes for what clients do. Default: any.
    pub server: Option<Who>,
    /// When. Default: the whole run.
    pub window: Window,
}

/// What may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happening {
    /// A server took an instance under a new lease.
    Registered,
    /// A server extended a lease.
    Renewed,
    /// A server changed the status or version of an instance.
    Changed,
    /// A server removed an instance because it was told to.
    Deregistered,
    /// A server removed an instance because its lease ran out.
    Evicted,
    /// A client was accepted by a server.
    Joined,
    /// A client's own idea of itself changed.
    Announced,
    /// A subscribed client adopted another view.
    Adopted,
    /// A server evicted an instance that was running and wanted traffic.
    LiveInstanceEvicted,
    /// A server keeps leases from expiring.
    SelfPreservationActive,
    /// A caller's call came to nothing.
    CallFailed,
    /// A caller chose an instance that was not running.
    DeadInstanceCalled,
}

impl Happening {
    /// Every happening and its name in scenarios and reports.
    pub const NAMES: [(&'static str, Happening); 12] = [
        ("registered", Happening::Registered),
        ("renewed", Happening::Renewed),
        ("changed", Happening::Changed),
        ("deregistered", Happening::Deregistered),
        ("evicted", Happening::Evicted),
        ("joined", Happening::Joined),
        ("announced", Happening::Announced),
        ("adopted", Happening::Adopted),
        ("live-instance-evicted", Happening::LiveInstanceEvicted),
        ("self-preservation-active", Happening::SelfPreservationActive),
        ("call-failed", Happening::CallFailed),
        ("dead-instance-called", Happening::DeadInstanceCalled),
    ];

    /// The name in scenarios and reports.
    pub fn name(self) -> &'static str {
        let found = Self::NAMES.iter().find(|(_, happening)| *happening == self);
        found.expect("every happening has a name").0
    }
}

/// A stretch of the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Window {
    /// All of it.
    Always,
    /// One moment.
    At(When),
    /// From one moment to another, both included.
    During(When, When),
}

/// Who should hold what, and when.
#[derive(Clone, Debug)]
pub struct Held {
    /// Which instances: of a service, or some.
    pub instances: Who,
    /// Whose registry or cache is looked at. Default: all servers.
    pub observers: Option<Who>,
    /// With which status. Default: any.
    pub status: Option<Status>,
    /// From when on. Default: the end of the run.
    pub by: Option<When>,
    /// Until when. Default: only at that moment.
    pub until: Option<When>,
}

/// One end of a delay.
#[derive(Clone, Debug)]
pub enum Mark {
    /// The beginning of a named step.
    Step(Spanned<String>),
    /// The first time that something happens; for the second end, the first time after the first end.
    Event(Pattern),
}

impl Expectation {
    /// Reads one entry: `{ what: … }`.
    pub fn read(reader: &mut Reader, node: &Node) -> Option<Expectation> {
        let mut fields = reader.fields(node, "an expectation")?;
        let mut found: Option<(&str, Span, Option<Expected>)> = None;
        let violates = fields.entry("violates");
        let reported = fields.optional(reader, "reported");
        if let Some(Spanned { span, .. }) = reported.as_ref().filter(|_| violates.is_none()) {
            reader.error(
                *span,
                "`reported` belongs to a known weakness",
                Some("write it beside `violates`".into()),
            );
        }
        if let Some(violates) = violates {
            let inner = Self::read(reader, &violates.value);
            let mut asked = kinds(&mut fields);
            if let Some((key, entry)) = asked.next() {
                reader.error(entry.key_span, format!("a second expectation in one entry: `{key}`"), None);
            }
            drop(asked);
            fields.finish(reader);
            let inner = inner?;
            if inner.violated {
                return reader.refuse(inner.span, "a violated violation", "leave both `violates` out");
            }
            return Some(Expectation { span: violates.key_span, violated: true, reported, ..inner });
        }
        let entries: Vec<_> = kinds(&mut fields).collect();
        for (key, entry) in entries {
            if found.is_some() {
                let help = Some("write an entry of its own".into());
                reader.error(entry.key_span, format!("a second expectation in one entry: `{key}`"), help);
                continue;
            }
            found = Some((key, entry.key_span, Expected::read(reader, key, &entry.value)));
        }
        if found.is_none() && !fields.has_unknown() {
            let kinds: Vec<String> = KINDS.iter().map(|kind| format!("`{kind}`")).collect();
            reader.error(
                node.span,
                "an expectation says nothing",
                Some(format!("one of {}", kinds.join(", "))),
            );
        }
        fields.finish(reader);
        let (_, span, what) = found?;
        Some(Expectation { span, what: what?, violated: false, reported: None })
    }
}

const KINDS: [&str; 10] = [
    "converged",
    "never",
    "sometimes",
    "registered",
    "not-registered",
    "gauge",
    "count",
    "delay",
    "calls",
    "conflict-resolved",
];

/// The expectations that were written in one entry. There should be one.
fn kinds<'n>(fields: &mut Fields<'n>) -> impl Iterator<Item = (&'static str, &'n Entry)> {
    KINDS.into_iter().filter_map(|kind| fields.entry(kind).map(|entry| (kind, entry)))
}

impl Expected {
    fn read(reader: &mut Reader, key: &str, node: &Node) -> Option<Expected> {
        match key {
            "converged" => {
                let mut fields = reader.fields(node, "`converged`")?;
                let within = fields.required(reader, "within");
                fields.finish(reader);
                Some(Expected::Converged { within: within? })
            }
            "never" => Pattern::read(reader, node).map(Expected::Never),
            "sometimes" => Pattern::read(reader, node).map(Expected::Sometimes),
            "registered" => Held::read(reader, node, "`registered`").map(Expected::Registered),
            "not-registered" => {
                let held = Held::read(reader, node, "`not-registered`")?;
                Some(Expected::NotRegistered(held))
            }
            "gauge" => {
                let mut fields = reader.fields(node, "`gauge`")?;
                let gauge = match fields.entry("name") {
                    Some(entry) => {
                        reader.word(&entry.value, "a gauge", &Gauge::ALL.map(|gauge| (gauge.name(), gauge)))
                    }
                    None => fields.missing(reader, "name"),
                };
                let server = match fields.entry("server") {
                    Some(entry) => Selector::from_node_spanned(reader, &entry.value),
                    None => fields.missing(reader, "server"),
                };
                let window = Window::ask(reader, &mut fields);
                let is = fields.required(reader, "is");
                fields.finish(reader);
                Some(Expected::Gauge { gauge: gauge?, server: server?, window: window?, is: is? })
            }
            "count" => {
                let mut fields = reader.fields(node, "`count`")?;
                let pattern = Pattern::ask(reader, &mut fields);
                let is = fields.required(reader, "is");
                fields.finish(reader);
                Some(Expected::Count { pattern: pattern?, is: is? })
            }
            "delay" => {
                let mut fields = reader.fields(node, "`delay`")?;
                let ends = ["from", "to"].map(|key| match fields.entry(key) {
                    Some(entry) => Mark::read(reader, &entry.value),
                    None => fields.missing(reader, key),
                });
                let is = fields.required(reader, "is");
                fields.finish(reader);
                let [from, to] = ends;
                Some(Expected::Delay { from: from?, to: to?, is: is? })
            }
            "calls" => {
                let mut fields = reader.fields(node, "`calls`")?;
                let of = fields.with(reader, "of", Selector::from_node_spanned);
                let to = fields.optional(reader, "to");
                let window = Window::ask(reader, &mut fields);
                let success = fields.required(reader, "success");
                fields.finish(reader);
                Some(Expected::Calls { of, to, window: window?, success: success? })
            }
            "conflict-resolved" => {
                let mut fields = reader.fields(node, "`conflict-resolved`")?;
                let instance = match fields.entry("instance") {
                    Some(entry) => Selector::from_node_spanned(reader, &entry.value),
                    None => fields.missing(reader, "instance"),
                };
                let within = fields.optional(reader, "within");
                fields.finish(reader);
                Some(Expected::ConflictResolved { instance: instance?, within })
            }
            _ => unreachable!("only kinds that exist are asked for"),
        }
    }
}

impl Pattern {
    /// Reads a name, or a mapping with `event`.
    fn read(reader: &mut Reader, node: &Node) -> Option<Pattern> {
        if !matches!(node.value, Value::Map(_)) {
            let what = reader.word(node, "an event", &Happening::NAMES)?;
            return Some(Pattern { what, of: None, server: None, window: Window::Always });
        }
        let mut fields = reader.fields(node, "an event")?;
        let pattern = Self::ask(reader, &mut fields);
        fields.finish(reader);
        pattern
    }

    fn ask(reader: &mut Reader, fields: &mut Fields<'_>) -> Option<Pattern> {
        let what = match fields.entry("event") {
            Some(entry) => reader.word(&entry.value, "an event", &Happening::NAMES),
            None => fields.missing(reader, "event"),
        };
        let of = fields.with(reader, "of", Selector::from_node_spanned);
        let server = fields.with(reader, "server", Selector::from_node_spanned);
        let window = Window::ask(reader, fields);
        Some(Pattern { what: what?, of, server, window: window? })
    }
}

impl Window {
    /// Asks for `at` and `during`.
    fn ask(reader: &mut Reader, fields: &mut Fields<'_>) -> Option<Window> {
        let at = fields.entry("at");
        let during = fields.entry("during");
        match (at, during) {
            (None, None) => Some(Window::Always),
            (Some(at), None) => When::from_node(reader, &at.value).map(Window::At),
            (None, Some(during)) => {
                let text = reader.text(&during.value, "a stretch of time")?;
                let span = during.value.span;
                let Some((from, to)) = text.split_once("..") else {
                    return reader.refuse(
                        span,
                        format!("expected a stretch of time: `{text}`"),
                        "such as `5m..9m`",
                    );
                };
                let from = When::read(reader, from.trim(), span, false);
                let to = When::read(reader, to.trim(), span, false);
                Some(Window::During(from?, to?))
            }
            (Some(_), Some(during)) => {
                reader.refuse(during.key_span, "`at` a moment or `during` a time, not both", "leave one out")
            }
        }
    }
}

impl Held {
    fn read(reader: &mut Reader, node: &Node, what: &'static str) -> Option<Held> {
        let mut fields = reader.fields(node, what)?;
        let service = fields.with(reader, "service", Selector::from_node_spanned);
        let instance = fields.with(reader, "instance", Selector::from_node_spanned);
        let server = fields.with(reader, "server", Selector::from_node_spanned);
        let client = fields.with(reader, "client", Selector::from_node_spanned);
        let status = fields.optional(reader, "status");
        let by = fields.optional(reader, "by");
        let until = fields.optional(reader, "until");
        let observers = match (server, client) {
            (Some(_), Some(client)) => {
                return reader.refuse(
                    client.span,
                    "`server` or `client`, not both",
                    "write an entry for each",
                );
            }
            (server, client) => server.or(client),
        };
        let both = [fields.entry("service").is_some(), fields.entry("instance").is_some()];
        if both == [false, false] {
            return fields.missing(reader, "service` or `instance");
        }
        let span = fields.span();
        fields.finish(reader);
        if both == [true, true] {
            return reader.refuse(
                span,
                "`service` or `instance`, not both",
                "`instance: provider/0` says both",
            );
        }
        Some(Held { instances: service.or(instance)?, observers, status, by, until })
    }
}

impl Mark {
    fn read(reader: &mut Reader, node: &Node) -> Option<Mark> {
        let mut fields = reader.fields(node, "one end of a delay")?;
        if let Some(entry) = fields.entry("step") {
            let step = Spanned::from_node(reader, &entry.value);
            fields.entry("event");
            fields.finish(reader);
            return step.map(Mark::Step);
        }
        if fields.entry("event").is_none() {
            return fields.missing(reader, "step` or `event");
        }
        let pattern = Pattern::ask(reader, &mut fields);
        fields.finish(reader);
        pattern.map(Mark::Event)
    }
}
