//! What must hold: the entries of `expect:`.
//!
//! Separate because this is the vocabulary of judgements. Each entry says one thing; how it is judged is the business of the
//! checks, which get it with names resolved.

mod figure;
mod window;

pub use self::figure::{Figure, Unit};
pub use self::window::Window;

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
    /// The whole entry.
    pub span: Span,
    /// The whole entry on one line.
    pub text: String,
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
    /// A check holds, and had a chance to fail.
    Holds(Holding),
    /// It does not happen.
    Never(Pattern),
    /// It happens at least once.
    Sometimes(Pattern),
    /// At a moment, these observers hold these instances, or do not.
    Listed(Held),
    /// A figure of servers or clients lies within a bound, all the time.
    Gauge { gauge: Gauge, of: Who, window: Window, is: Figure },
    /// Something happens so often.
    Count { pattern: Pattern, is: Spanned<Bound<u64>> },
    /// From one moment to the next, so much time passes.
    Delay { from: Mark, to: Box<Mark>, is: Spanned<Bound<Duration>> },
    /// The moments come in this order.
    Order(Vec<Mark>),
    /// A share of the calls is answered.
    Calls(Calls),
}

/// A check with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holding {
    /// No instance that renews in time at a server is evicted by it.
    LiveInstanceNotEvicted,
    /// Nothing is evicted under self-preservation, and no run evicts more than its share.
    SelfPreservation,
    /// All servers come to hold the newest version of a live instance.
    ConflictResolution,
    /// All servers hold the same of a live instance.
    ServersAgree,
    /// A server lists a live instance that heart-beats there again within a heartbeat.
    Relisted,
    /// A client's copy has as many instances of each status as its server said.
    CacheAsClaimed,
    /// The version of an instance that a server lists never goes back.
    VersionNeverGoesBack,
    /// What a server was told by another it does not tell further.
    NoReplicationLoop,
    /// An instance that is gone and was removed by a server is not listed there again without its owner.
    NoResurrection,
    /// A living instance whose registration was acknowledged is listed by some running server.
    RegistrationNotLost,
}

/// Every such check and its name.
pub(super) const HOLDINGS: [(&str, Holding); 10] = [
    ("live-instance-not-evicted", Holding::LiveInstanceNotEvicted),
    ("self-preservation", Holding::SelfPreservation),
    ("conflict-resolution", Holding::ConflictResolution),
    ("servers-agree", Holding::ServersAgree),
    ("listed-again", Holding::Relisted),
    ("cache-as-claimed", Holding::CacheAsClaimed),
    ("version-never-goes-back", Holding::VersionNeverGoesBack),
    ("no-replication-loop", Holding::NoReplicationLoop),
    ("no-resurrection", Holding::NoResurrection),
    ("registration-not-lost", Holding::RegistrationNotLost),
];

impl Holding {
    /// What it says.
    pub(super) fn about(self) -> &'static str {
        match self {
            Holding::LiveInstanceNotEvicted => {
                "No instance that renews in time at a server is evicted by it."
            }
            Holding::SelfPreservation => {
                "Nothing is evicted under self-preservation, and no run evicts more than its share."
            }
            Holding::ConflictResolution => "All servers come to hold the newest version of a live instance.",
            Holding::ServersAgree => "All servers hold the same of a live instance.",
            Holding::Relisted => {
                "A server lists a live instance that heart-beats there again within a heartbeat."
            }
            Holding::CacheAsClaimed => {
                "A client's copy has as many instances of each status as its server said."
            }
            Holding::VersionNeverGoesBack => {
                "The version of an instance that a server lists never goes back."
            }
            Holding::NoReplicationLoop => "What a server was told by another it does not tell further.",
            Holding::NoResurrection => {
                "An instance that is gone and was removed by a server is not listed there again without its owner."
            }
            Holding::RegistrationNotLost => {
                "A living instance whose registration was acknowledged is listed by some running server."
            }
        }
    }
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
    /// With which status. Default: any.
    pub status: Option<Spanned<Status>>,
    /// When. Default: the whole run.
    pub window: Window,
    /// Its place.
    pub span: Span,
}

/// What may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happening {
    /// Something that a machine reports, by its name.
    Event(&'static str),
    /// A server evicted an instance that renewed in time.
    LiveInstanceEvicted,
    /// A server lists again, without its owner, an instance that is gone and that it had removed.
    Resurrection,
    /// A server keeps leases from expiring.
    SelfPreservationActive,
}

/// Every happening and its name.
pub(super) const HAPPENINGS: [(&str, Happening); 14] = [
    ("registered", Happening::Event("registered")),
    ("renewed", Happening::Event("renewed")),
    ("not-found", Happening::Event("not-found")),
    ("changed", Happening::Event("changed")),
    ("deregistered", Happening::Event("deregistered")),
    ("evicted", Happening::Event("evicted")),
    ("eviction-pass", Happening::Event("eviction-pass")),
    ("joined", Happening::Event("joined")),
    ("announced", Happening::Event("announced")),
    ("adopted", Happening::Event("adopted")),
    ("metadata-changed", Happening::Event("metadata-changed")),
    ("live-instance-evicted", Happening::LiveInstanceEvicted),
    ("resurrection", Happening::Resurrection),
    ("self-preservation-active", Happening::SelfPreservationActive),
];

/// Who should hold what, and when.
#[derive(Clone, Debug)]
pub struct Held {
    /// Which instances: of a service, or some.
    pub instances: Who,
    /// Whose registry or cache is looked at. Default: all servers.
    pub observers: Option<Who>,
    /// With which status. Default: any.
    pub status: Option<Spanned<Status>>,
    /// When. Default: the end of the run.
    pub by: Option<When>,
    /// Whether they should be held, or not.
    pub listed: bool,
}

/// Which calls, and what share of them should be answered.
#[derive(Clone, Debug)]
pub struct Calls {
    /// Who calls. Default: everybody who does.
    pub of: Option<Who>,
    /// Which service is called. Default: any.
    pub to: Option<Spanned<String>>,
    /// When the calls end. Default: the whole run.
    pub window: Window,
    /// The share.
    pub success: Spanned<Bound<Ratio>>,
}

/// A moment that an expectation names.
#[derive(Clone, Debug)]
pub enum Mark {
    /// A time, or a time after a step.
    At(When),
    /// A step takes effect.
    StepBegins(Spanned<String>),
    /// A step ends.
    StepEnds(Spanned<String>),
    /// Something happens, for the n-th time from the moment before on.
    Event { pattern: Box<Pattern>, nth: Option<Spanned<u64>> },
    /// From here on, none of these observers lists any of the instances.
    Forgotten { instances: Who, by: Option<Who> },
    /// From here on, all of these observers list all of the instances.
    Known { instances: Who, by: Option<Who> },
}

const KINDS: [&str; 12] = [
    "converged",
    "holds",
    "never",
    "sometimes",
    "registered",
    "not-registered",
    "gauge",
    "count",
    "delay",
    "order",
    "calls",
    "conflict-resolved",
];

/// The expectations that were written in one entry. There should be one.
fn kinds<'n>(fields: &mut Fields<'n>) -> Vec<(&'static str, &'n Entry)> {
    KINDS.into_iter().filter_map(|kind| fields.entry(kind).map(|entry| (kind, entry))).collect()
}

impl Expectation {
    /// Reads one entry: `{ what: … }`.
    pub fn read(reader: &mut Reader, node: &Node) -> Option<Expectation> {
        let mut fields = reader.fields(node, "an expectation")?;
        let violates = fields.entry("violates");
        let reported: Option<Spanned<String>> = fields.optional(reader, "reported");
        let kinds = kinds(&mut fields);
        if let Some(Spanned { span, .. }) = reported.as_ref().filter(|_| violates.is_none()) {
            reader.error(
                *span,
                "`reported` belongs to a known weakness",
                Some("write it beside `violates`".into()),
            );
        }
        for (key, entry) in kinds.iter().skip(usize::from(violates.is_none())) {
            let help = Some("write an entry of its own".into());
            reader.error(entry.key_span, format!("a second expectation in one entry: `{key}`"), help);
        }
        if violates.is_none() && kinds.is_empty() && !fields.has_unknown() {
            let kinds: Vec<String> = KINDS.iter().map(|kind| format!("`{kind}`")).collect();
            reader.error(
                node.span,
                "an expectation says nothing",
                Some(format!("one of {}", kinds.join(", "))),
            );
        }
        fields.finish(reader);
        if let Some(violates) = violates {
            let inner = Self::read(reader, &violates.value)?;
            if inner.violated {
                return reader.refuse(violates.key_span, "a violated violation", "leave both `violates` out");
            }
            let text = text(reader, node);
            return Some(Expectation { span: node.span, text, violated: true, reported, ..inner });
        }
        let (key, entry) = kinds.first()?;
        let what = Expected::read(reader, key, &entry.value)?;
        let text = text(reader, node);
        Some(Expectation { span: node.span, text, what, violated: false, reported: None })
    }
}

/// An entry on one line, without the braces around it.
fn text(reader: &Reader, node: &Node) -> String {
    let line = reader.one_line(node.span);
    let bare = line.strip_prefix('{').and_then(|line| line.strip_suffix('}'));
    bare.unwrap_or(&line).trim().to_owned()
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
            "holds" => Holding::from_node(reader, node).map(Expected::Holds),
            "conflict-resolved" => {
                bool::from_node(reader, node)?.then_some(Expected::Holds(Holding::ConflictResolution))
            }
            "never" => Pattern::read(reader, node).map(Expected::Never),
            "sometimes" => Pattern::read(reader, node).map(Expected::Sometimes),
            "registered" => Held::read(reader, node, "`registered`", true).map(Expected::Listed),
            "not-registered" => Held::read(reader, node, "`not-registered`", false).map(Expected::Listed),
            "gauge" => figure::read(reader, node),
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
                    Some(entry) => Mark::from_node(reader, &entry.value),
                    None => fields.missing(reader, key),
                });
                let is = fields.required(reader, "is");
                fields.finish(reader);
                let [from, to] = ends;
                Some(Expected::Delay { from: from?, to: Box::new(to?), is: is? })
            }
            "order" => {
                let marks = Vec::<Mark>::from_node(reader, node)?;
                if marks.len() < 2 {
                    return reader.refuse(
                        node.span,
                        "an order needs two moments",
                        "such as `[{ step: a }, { step: b }]`",
                    );
                }
                Some(Expected::Order(marks))
            }
            "calls" => {
                let mut fields = reader.fields(node, "`calls`")?;
                let of = fields.with(reader, "of", Selector::from_node_spanned);
                let to = fields.optional(reader, "to");
                let window = fields.with(reader, "during", Window::during).unwrap_or(Window::Always);
                let success = fields.required(reader, "success");
                fields.finish(reader);
                Some(Expected::Calls(Calls { of, to, window, success: success? }))
            }
            _ => unreachable!("only kinds that exist are asked for"),
        }
    }
}

impl FromNode for Holding {
    fn from_node(reader: &mut Reader, node: &Node) -> Option<Self> {
        reader.word(node, "a check", &HOLDINGS)
    }
}

impl Pattern {
    /// Reads a name, or a mapping with `event`.
    fn read(reader: &mut Reader, node: &Node) -> Option<Pattern> {
        if !matches!(node.value, Value::Map(_)) {
            let what = reader.word(node, "an event", &HAPPENINGS)?;
            let (window, span) = (Window::Always, node.span);
            return Some(Pattern { what, of: None, server: None, status: None, window, span });
        }
        let mut fields = reader.fields(node, "an event")?;
        let pattern = Self::ask(reader, &mut fields);
        fields.finish(reader);
        pattern
    }

    fn ask(reader: &mut Reader, fields: &mut Fields<'_>) -> Option<Pattern> {
        let what = match fields.entry("event") {
            Some(entry) => reader.word(&entry.value, "an event", &HAPPENINGS),
            None => fields.missing(reader, "event"),
        };
        let of = fields.with(reader, "of", Selector::from_node_spanned);
        let server = fields.with(reader, "server", Selector::from_node_spanned);
        let status = fields.optional(reader, "status");
        let window = Window::ask(reader, fields);
        Some(Pattern { what: what?, of, server, status, window: window?, span: fields.head(reader) })
    }
}

impl Held {
    fn read(reader: &mut Reader, node: &Node, what: &'static str, listed: bool) -> Option<Held> {
        let mut fields = reader.fields(node, what)?;
        let instances = ["service", "instance"].map(|key| fields.entry(key));
        let observers = ["server", "client"].map(|key| fields.entry(key));
        let status = fields.optional(reader, "status");
        let by = fields.optional(reader, "by");
        let missing = instances == [None, None];
        if missing {
            fields.missing(reader, "service` or `instance").unwrap_or(());
        }
        fields.finish(reader);
        let mut one_of = |entries: [Option<&Entry>; 2]| {
            if let [Some(_), Some(second)] = entries {
                let message = format!("both halves of a choice: `{}`", second.key);
                reader.error(
                    second.key_span,
                    message,
                    Some("leave one out, or write an entry for each".into()),
                );
            }
            entries
                .into_iter()
                .flatten()
                .next()
                .map(|entry| Selector::from_node_spanned(reader, &entry.value))
        };
        let (instances, observers) = (one_of(instances), one_of(observers));
        Some(Held {
            instances: instances??,
            observers: observers.map_or(Some(None), |who| who.map(Some))?,
            status,
            by,
            listed,
        })
    }
}

impl FromNode for Mark {
    fn from_node(reader: &mut Reader, node: &Node) -> Option<Self> {
        if !matches!(node.value, Value::Map(_)) {
            return When::from_node(reader, node).map(Mark::At);
        }
        let mut fields = reader.fields(node, "a moment")?;
        if let Some(step) = fields.entry("step") {
            fields.finish(reader);
            return Spanned::from_node(reader, &step.value).map(Mark::StepBegins);
        }
        if let Some(step) = fields.entry("end-of") {
            fields.finish(reader);
            return Spanned::from_node(reader, &step.value).map(Mark::StepEnds);
        }
        let forgotten = fields.with(reader, "forgotten", Selector::from_node_spanned);
        let known = fields.with(reader, "known", Selector::from_node_spanned);
        if forgotten.is_some() && known.is_some() {
            return reader.refuse(node.span, "two moments in one: `forgotten` and `known`", "leave one out");
        }
        if let Some(instances) = forgotten.clone().or_else(|| known.clone()) {
            let by = fields.with(reader, "by", Selector::from_node_spanned);
            fields.finish(reader);
            return Some(match known.is_none() {
                true => Mark::Forgotten { instances, by },
                false => Mark::Known { instances, by },
            });
        }
        if fields.entry("event").is_none() {
            fields.finish(reader);
            return reader.refuse(
                node.span,
                "a moment says nothing",
                "one of `step`, `end-of`, `event`, `forgotten`, `known`",
            );
        }
        let pattern = Pattern::ask(reader, &mut fields);
        let nth = fields.optional::<Spanned<u64>>(reader, "nth");
        fields.finish(reader);
        if let Some(nth) = nth.as_ref().filter(|nth| nth.value == 0 || nth.value > u64::from(u32::MAX)) {
            reader.error(nth.span, "matches are counted from 1", None);
        }
        Some(Mark::Event { pattern: Box::new(pattern?), nth })
    }
}
