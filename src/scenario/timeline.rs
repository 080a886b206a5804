//! What happens when: one step an entry, one verb a step.
//!
//! Separate because the verbs are a vocabulary of their own. A verb that the simulator does not know is refused here, by name;
//! nothing is read and then ignored. That the names in a step exist is looked at when the plan is resolved.

mod request;
mod trigger;
mod verbs;

pub use self::trigger::{LifeChange, On, Trigger};

use self::verbs::{ELSEWHERE, Lasts, NOT_YET, VERBS, Verb};
use super::diagnostic::{Span, Spanned};
use super::read::{Fields, FromNode, Reader};
use super::selector::{Route, Who};
use super::system::Settings;
use super::topology::{Behind, Quality};
use super::tree::{Entry, Node};
use super::units::{Drift, Factor, Offset, Range, Unit};
use crate::protocol::{Health, Status};
use std::sync::Arc;
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
    /// When it happens first; of a step that waits for something, from when on it waits.
    pub when: When,
    /// What it waits for.
    pub waits: Option<Trigger>,
    /// How long it lasts: `for`.
    pub lasts: Option<Spanned<Duration>>,
    /// Those that are meant are hit one after the other, the last one so much later than the first: `over`.
    pub over: Option<Spanned<Duration>>,
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
    PowerOff { who: Who, unflushed: Unflushed },
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
    /// These groups cannot reach each other for a while, but for those that both reach.
    Bridge { over: Who, between: Vec<Who> },
    /// These reach nobody and nobody reaches them, for a while, or only one of the two.
    Isolate { who: Who, only: Option<Direction> },
    /// A path, or all paths of a place, go down and come up again and again, for a while.
    Flap { what: Flapping, down: Spanned<Range<Duration>>, up: Spanned<Range<Duration>> },
    /// Hosts neither refuse nor reset, for a while.
    Silence(Who),
    /// Nothing passes for a while, in one direction or both.
    Cut(Route),
    /// Paths have another quality for a while.
    Path { route: Route, quality: Quality },
    /// Flushes take longer for a while.
    SlowDisk { who: Who, factor: Spanned<Factor> },
    /// Flushes fail for a while.
    FullDisk(Who),
    /// Processes stop and start again, some at a time.
    RollingRestart(Rolling),
    /// A service has so many instances from then on.
    Scale { service: Spanned<String>, to: Spanned<u64>, graceful: bool },
    /// Connections are reset.
    Reset(Route),
    /// Messages are interfered with for a while.
    Messages { matching: MessageMatch, action: MessageAction },
    /// Clocks go wrong.
    Clock { who: Who, change: ClockChange },
    /// An operator, or the application itself, asks for something.
    Request(Request),
    /// Settings change while processes run.
    Set(Change),
    /// The address book changes.
    Resolve(Vec<(Spanned<String>, Behind)>),
}

/// What a power loss leaves of writes that were not flushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unflushed {
    /// As chance will have it.
    Drawn,
    /// All.
    Kept,
    /// Nothing.
    Lost,
    /// All but the last record of each file.
    Torn,
}

/// Which way packets go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To it.
    Inbound,
    /// From it.
    Outbound,
}

/// What flaps.
#[derive(Clone, Debug)]
pub enum Flapping {
    /// A path, one way or both.
    Path(Route),
    /// All paths to and from these.
    Place(Who),
}

/// A rolling restart.
#[derive(Clone, Debug)]
pub struct Rolling {
    /// Whose.
    pub of: Who,
    /// Time between one batch and the next.
    pub every: Spanned<Duration>,
    /// How long each process is down.
    pub down: Duration,
    /// How many at a time. Default 1.
    pub at_once: usize,
    /// Whether they are told to shut down; else they crash. Default: they are told.
    pub graceful: bool,
}

/// New settings of processes.
#[derive(Clone, Debug)]
pub struct Change {
    /// Whose.
    pub who: Who,
    /// Whether only servers can be meant: of them alone are the settings in `server`.
    pub of_servers: bool,
    /// Of the servers.
    pub server: Settings,
    /// Of the clients, or of those in the servers.
    pub client: Settings,
    /// Of what they register.
    pub instance: Settings,
    /// The servers that they know from then on, by name: `servers` of a client, `peers` of a server.
    pub known: Option<Spanned<Vec<Spanned<String>>>>,
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
#[derive(Clone, Debug)]
pub enum MessageAction {
    /// It is lost.
    Drop,
    /// It arrives so much later.
    Delay(Duration),
    /// It arrives once the fault has ended.
    Hold,
    /// It arrives twice.
    Duplicate,
    /// The caller gets this HTTP status instead, with such a body.
    Fail { status: u16, body: Option<Arc<str>> },
    /// The caller is sent to this server or address with 302.
    Redirect(Spanned<String>),
    /// The connection breaks, and the caller gets an I/O error without a message.
    Break,
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

/// Something that is asked, of a server or of an instance itself.
#[derive(Clone, Debug)]
pub struct Request {
    /// What.
    pub what: Asked,
    /// About which instance or instances; groups are about none.
    pub of: Option<Who>,
    /// The server that is asked. `None`: the instance itself.
    pub to: Option<Who>,
    /// The HTTP status that it must be answered with.
    pub expect: Option<Spanned<u16>>,
    /// What is asked, and its place.
    pub span: Span,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Register it.
    Register,
    /// Renew its lease.
    Renew,
    /// Remove it.
    Deregister,
    /// At a server: override its status. At the instance: change it.
    SetStatus(Status),
    /// Remove the override; what the status is then, if the operator says so.
    ClearStatus(Option<Status>),
    /// Change its metadata, at a server or at the instance.
    SetMetadata(Entries),
    /// What its health check finds from now on.
    SetHealth(Health),
    /// Enable or disable a group of instances.
    SetGroup { group: Arc<str>, enabled: bool },
}

/// Texts by name.
pub type Entries = Arc<[(Arc<str>, Arc<str>)]>;

impl Step {
    /// Reads one entry.
    pub fn read(reader: &mut Reader, node: &Node) -> Option<Step> {
        let mut fields = reader.fields(node, "a step")?;
        let name = fields.optional(reader, "name");
        let (when, waits) = when(reader, &mut fields);
        let lasts: Option<Spanned<Duration>> = fields.optional(reader, "for");
        let over: Option<Spanned<Duration>> = fields.optional(reader, "over");
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
        for (word, place) in ELSEWHERE {
            if let Some(entry) = fields.refused_entry(word) {
                reader.error(entry.key_span, format!("not a verb: `{word}`"), Some((*place).into()));
                return None;
            }
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
        if let Some(over) = over.as_ref().filter(|_| !verb.spreads) {
            let help = format!("only {} hit one after the other", spreading());
            reader.error(over.span, format!("`{}` hits all at once", verb.key), Some(help));
        }
        if let (Some(Action::Messages { action: MessageAction::Hold, .. }), None) = (&action, &lasts) {
            let help = Some("such as `for: 30s`".into());
            reader.error(entry.key_span, "messages that are held need an end", help);
        }
        let repeat = match (every, until) {
            (Some(every), Some(_)) if !matches!(waits, Some(None)) => {
                let help = "leave `every` and `until` out, or let a second step follow this one";
                reader.refuse(every.span, "a step that waits for something happens once", help)
            }
            (Some(every), Some(until)) => repeat(reader, every, until),
            (Some(Spanned { span, .. }), None) => {
                reader.refuse(span, "`every` needs `until`", "such as `every: 5m, until: 1h`")
            }
            (None, Some(Spanned { span, .. })) => {
                reader.refuse(span, "`until` needs `every`", "how long one fault lasts is `for`")
            }
            (None, None) => None,
        };
        let (when, action) = (when?, action?);
        let waits = waits?;
        let label = action
            .label(reader)
            .unwrap_or_else(|| format!("{} {}", verb.key, reader.one_line(entry.value.span)));
        Some(Step { span: entry.key_span, name, label, when, waits, lasts, over, repeat, action })
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

/// The verbs that take `over`.
fn spreading() -> String {
    let spread = VERBS.iter().filter(|verb| verb.spreads).map(|verb| format!("`{}`", verb.key));
    spread.collect::<Vec<_>>().join(", ")
}

/// `at` or `after`, and `when`: what is waited for, and from when on. A mistake is `None`.
fn when(reader: &mut Reader, fields: &mut Fields<'_>) -> (Option<When>, Option<Option<Trigger>>) {
    let at = fields.entry("at");
    let after = fields.entry("after");
    let waits = fields.entry("when");
    let when = match (at, after) {
        (None, None) if waits.is_some() => {
            let span = waits.map_or(Span::default(), |waits| waits.key_span);
            Some(When::At(Spanned::new(Duration::ZERO, span)))
        }
        (Some(at), None) => Spanned::from_node(reader, &at.value).map(When::At),
        (None, Some(after)) => {
            let text = reader.text(&after.value, "the name of a step");
            text.and_then(|text| When::read(reader, text, after.value.span, true))
        }
        (Some(_), Some(after)) => {
            reader.refuse(after.key_span, "a step has `at` or `after`, not both", "leave one out")
        }
        (None, None) => fields.missing(reader, "at`, `after` or `when"),
    };
    let waits = match waits {
        Some(entry) => Trigger::read(reader, entry).map(Some),
        None => Some(None),
    };
    (when, waits)
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
