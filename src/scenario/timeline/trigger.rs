//! `when:`: something that a step waits for instead of a time.
//!
//! Separate because its words are those of `expect:`, events and gauges, and a few of its own about the lives of processes.

use super::verbs::who;
use crate::protocol::{Gauge, Status};
use crate::scenario::diagnostic::{Span, Spanned};
use crate::scenario::read::{FromNode, Reader};
use crate::scenario::selector::Who;
use crate::scenario::tree::{Entry, Node, Value};
use crate::scenario::units::Bound;
use std::time::Duration;

/// What a step waits for.
#[derive(Clone, Debug)]
pub struct Trigger {
    /// What is counted.
    pub on: On,
    /// The how many-th time counts, from 1.
    pub nth: u32,
    /// How long after it the step happens. Default: at once.
    pub plus: Duration,
    /// Its place.
    pub span: Span,
    /// All of it on one line.
    pub text: String,
}

/// What is counted.
#[derive(Clone, Debug)]
pub enum On {
    /// A machine reports something: to or about these instances, at these processes, with this status.
    Event { name: &'static str, of: Option<Who>, at: Option<Who>, status: Option<Spanned<Status>> },
    /// A figure comes into a bound.
    Gauge { gauge: Gauge, of: Option<Who>, is: Bound<u64> },
    /// A process starts, is told to stop, or is gone.
    Life { change: LifeChange, of: Option<Who> },
}

/// A turn in the life of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LifeChange {
    /// It starts, for the first time or again.
    Started,
    /// It is told to shut down.
    Stopping,
    /// It is gone.
    Ended,
}

/// What can be waited for by name.
#[derive(Clone, Copy)]
enum Word {
    Event(&'static str),
    Life(LifeChange),
    SelfPreservation,
}

const WORDS: [(&str, Word); 15] = [
    ("registered", Word::Event("registered")),
    ("renewed", Word::Event("renewed")),
    ("not-found", Word::Event("not-found")),
    ("changed", Word::Event("changed")),
    ("deregistered", Word::Event("deregistered")),
    ("evicted", Word::Event("evicted")),
    ("eviction-pass", Word::Event("eviction-pass")),
    ("joined", Word::Event("joined")),
    ("announced", Word::Event("announced")),
    ("adopted", Word::Event("adopted")),
    ("metadata-changed", Word::Event("metadata-changed")),
    ("self-preservation-active", Word::SelfPreservation),
    ("started", Word::Life(LifeChange::Started)),
    ("stopping", Word::Life(LifeChange::Stopping)),
    ("ended", Word::Life(LifeChange::Ended)),
];

const GAUGE_NEEDS: &str = "such as `{ gauge: renewals-last-minute, server: peer1, is: \"< 10\" }`";

impl Trigger {
    /// Reads an event's name, or a mapping with `event` or `gauge`.
    pub(super) fn read(reader: &mut Reader, entry: &Entry) -> Option<Trigger> {
        let node = &entry.value;
        let text = reader.one_line(node.span);
        if !matches!(node.value, Value::Map(_)) {
            let word = reader.word(node, "an event", &WORDS)?;
            let on = On::of(word, None, None, None);
            return Some(Trigger { on, nth: 1, plus: Duration::ZERO, span: node.span, text });
        }
        let mut fields = reader.fields(node, "`when`")?;
        let event = fields.with(reader, "event", |reader, node| reader.word(node, "an event", &WORDS));
        let gauge = fields.entry("gauge");
        let sides = ["of", "server", "client"].map(|key| fields.entry(key));
        let status: Option<Spanned<Status>> = fields.optional(reader, "status");
        let is = fields.entry("is");
        let nth = fields.optional::<Spanned<u64>>(reader, "nth");
        let plus = fields.optional(reader, "plus").unwrap_or(Duration::ZERO);
        let span = fields.head(reader);
        let on = match (fields.entry("event").is_some(), gauge) {
            (true, Some(gauge)) => {
                let help = "write a step that waits for the one `after` a step that waits for the other";
                reader.refuse(gauge.key_span, "`when` waits for an event or for a gauge, not for both", help)
            }
            (true, None) => event.and_then(|word| Self::event(reader, word, sides, status, is)),
            (false, Some(gauge)) => Self::gauge(reader, &gauge.value, sides, status, is),
            (false, None) => fields.missing(reader, "event` or `gauge"),
        };
        fields.finish(reader);
        let nth = match nth {
            None => Some(1),
            Some(nth) => match u32::try_from(nth.value) {
                Ok(nth @ 1..) => Some(nth),
                _ => reader.refuse(nth.span, "what is waited for is counted from 1", "such as `nth: 3`"),
            },
        };
        Some(Trigger { on: on?, nth: nth?, plus, span, text })
    }

    fn event(
        reader: &mut Reader,
        word: Word,
        [of, server, client]: [Option<&Entry>; 3],
        status: Option<Spanned<Status>>,
        is: Option<&Entry>,
    ) -> Option<On> {
        if let Some(is) = is {
            return reader.refuse(is.key_span, "an event has no value", GAUGE_NEEDS);
        }
        if let Some(client) = client {
            let help =
                "`server`: whoever reports the event, clients too; `of`: the instance that it is about";
            return reader.refuse(client.key_span, "an event is looked for at a `server`", help);
        }
        let plain = !matches!(word, Word::Event(_));
        if let Some(status) = status.as_ref().filter(|_| plain) {
            return reader.refuse(status.span, "this has no status", "leave `status` out");
        }
        if let (true, Some(_), Some(server)) = (plain, of, server) {
            return reader.refuse(
                server.key_span,
                "this is about processes: `of` and `server` are one",
                "leave one out",
            );
        }
        let mut whom = |entry: Option<&Entry>| match entry {
            Some(entry) => who(reader, &entry.value).map(Some),
            None => Some(None),
        };
        let (of, server) = (whom(of), whom(server));
        Some(On::of(word, of?, server?, status))
    }

    fn gauge(
        reader: &mut Reader,
        name: &Node,
        [of, server, client]: [Option<&Entry>; 3],
        status: Option<Spanned<Status>>,
        is: Option<&Entry>,
    ) -> Option<On> {
        let gauge = reader.word(name, "a gauge", &Gauge::ALL.map(|gauge| (gauge.name(), gauge)))?;
        let is_number = !gauge.is_age() && !matches!(gauge, Gauge::PinnedServer | Gauge::QueryPinnedServer);
        if !is_number {
            let message = format!("a step cannot wait for this gauge: `{}`", gauge.name());
            return reader.refuse(name.span, message, "one that is a number and changes at moments");
        }
        if let Some(wrong) = of {
            return reader.refuse(wrong.key_span, "a gauge is of a `server` or a `client`", GAUGE_NEEDS);
        }
        if let Some(status) = status {
            return reader.refuse(status.span, "a gauge has no status", "leave `status` out");
        }
        let (right, wrong) = if gauge.of_clients() { (client, server) } else { (server, client) };
        if let Some(wrong) = wrong {
            let side = if gauge.of_clients() { "client" } else { "server" };
            let message = format!("`{}` is a figure of {side}s", gauge.name());
            return reader.refuse(wrong.key_span, message, format!("`{side}: …`"));
        }
        let whom = match right {
            Some(entry) => Some(who(reader, &entry.value)?),
            None if gauge.of_clients() => {
                return reader.refuse(name.span, "whose figure is it?", "such as `client: provider/0`");
            }
            None => None,
        };
        let Some(is) = is else {
            return reader.refuse(name.span, "a gauge needs the value that is waited for", GAUGE_NEEDS);
        };
        Some(On::Gauge { gauge, of: whom, is: Bound::from_node(reader, &is.value)? })
    }
}

impl On {
    fn of(word: Word, of: Option<Who>, at: Option<Who>, status: Option<Spanned<Status>>) -> On {
        match word {
            Word::Event(name) => On::Event { name, of, at, status },
            Word::Life(change) => On::Life { change, of: of.or(at) },
            Word::SelfPreservation => {
                let is = Bound { low: Some((1, true)), high: None };
                On::Gauge { gauge: Gauge::SelfPreservation, of: of.or(at), is }
            }
        }
    }
}
