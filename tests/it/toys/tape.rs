//! A transcript of what a driver hands to a machine and gets back: a machine around the machine, so that every driver is
//! recorded in the same way and none has to know.
//!
//! A recording can be replayed through the bare machine, without any driver: see [`Tape::replay`].

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::hash::Hasher;
use std::sync::{Arc, Mutex, MutexGuard};

use regsim::protocol::{
    Call, CallError, Cx, Disk, DiskInput, Effect, EndReason, Input, Instant, LinkInput, NodeId, Protocol,
    Stream, Wall, Write,
};

/// What all processes of a run did, in the order in which their lives began.
pub type Shelf<P> = Arc<Mutex<Vec<Tape<P>>>>;

/// Settings of a recorded process.
#[derive(Clone, Debug)]
pub struct Config<P: Protocol> {
    /// Those of the machine itself.
    pub inner: Arc<P::Config>,
    /// Where its tapes go.
    pub shelf: Shelf<P>,
}

/// One life of one process.
#[derive(Clone, Debug)]
pub struct Tape<P: Protocol> {
    /// Which process.
    pub node: NodeId,
    config: Arc<P::Config>,
    disk: Disk<P::Record>,
    /// The generator before the first draw. Every later draw is the machine's own.
    stream: Stream,
    /// What happened, from the start on.
    pub turns: Vec<Turn<P>>,
}

/// One input and what came of it.
#[derive(Clone, Debug)]
pub struct Turn<P: Protocol> {
    now: Instant,
    wall: Wall,
    /// `None`: the process began.
    pub input: Option<Input<P>>,
    /// What the machine wanted, in order.
    pub effects: Vec<Effect<P>>,
    next_timeout: Option<Instant>,
}

/// A machine that is recorded.
#[derive(Clone, Debug)]
pub struct Taped<P: Protocol> {
    /// The machine.
    pub inner: P,
    shelf: Shelf<P>,
    at: usize,
    effects: Vec<Effect<P>>,
}

/// Locks a shelf, also after a test's thread has failed with it.
pub fn open<T>(shelf: &Mutex<Vec<T>>) -> MutexGuard<'_, Vec<T>> {
    shelf.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl<P: Protocol> Tape<P> {
    /// Replays the inputs through a machine without a driver and compares effects and deadlines, turn by turn.
    pub fn replay(&self) {
        let mut stream = self.stream.clone();
        let mut machine = None;
        for turn in &self.turns {
            // Ids are the driver's to give, so they are part of the input; the first one given tells where its counter was.
            let mut next_id = turn.effects.iter().find_map(first_id).unwrap_or(0);
            let mut effects = Vec::new();
            let mut cx = Cx::new(self.node, turn.now, turn.wall, &mut stream, &mut next_id, &mut effects);
            match (&mut machine, turn.input.clone()) {
                (None, None) => machine = Some(P::start(&self.config, &self.disk, &mut cx)),
                (Some(machine), Some(input)) => machine.handle(input, &mut cx),
                (machine, input) => panic!("a life starts once: {machine:?} got {input:?}"),
            }
            let next = machine.as_ref().expect("started").next_timeout();
            let (got, want) = (format!("{effects:#?}"), format!("{:#?}", turn.effects));
            assert_eq!(got, want, "effects of {:?} at {:?}", turn.input, self.node);
            assert_eq!(next, turn.next_timeout, "deadline after {:?} at {:?}", turn.input, self.node);
        }
    }

    /// The kinds of inputs and effects on the tape.
    pub fn kinds(&self) -> BTreeSet<&'static str> {
        let inputs = self.turns.iter().filter_map(|turn| turn.input.as_ref()).flat_map(input_kinds);
        let effects = self.turns.iter().flat_map(|turn| &turn.effects).map(effect_kind);
        inputs.chain(effects).collect()
    }
}

fn first_id<P: Protocol>(effect: &Effect<P>) -> Option<u64> {
    match effect {
        Effect::Call(call) => Some(call.id.0),
        Effect::Open { link, .. } => Some(link.0),
        _ => None,
    }
}

/// Every kind of input that a driver can hand in.
pub const INPUTS: [&str; 24] = [
    "Timeout",
    "Request",
    "Outcome Ok",
    "Outcome Refused",
    "Outcome ConnectTimeout",
    "Outcome ReadTimeout",
    "Outcome Reset",
    "Outcome Broken",
    "Outcome Status",
    "Link Opened",
    "Link Accepted",
    "Link Received",
    "Link Closed",
    "Link Reset",
    "Link Refused",
    "Link ConnectTimeout",
    "Link, own",
    "Link, accepted",
    "Datagram",
    "Disk Flushed",
    "Disk Failed",
    "Ask",
    "Reconfigure",
    "Stop",
];

fn input_kinds<P: Protocol>(input: &Input<P>) -> Vec<&'static str> {
    match input {
        Input::Timeout => vec!["Timeout"],
        Input::Request { .. } => vec!["Request"],
        Input::Outcome { result, .. } => vec![match result {
            Ok(_) => "Outcome Ok",
            Err(CallError::Refused) => "Outcome Refused",
            Err(CallError::ConnectTimeout) => "Outcome ConnectTimeout",
            Err(CallError::ReadTimeout) => "Outcome ReadTimeout",
            Err(CallError::Reset) => "Outcome Reset",
            Err(CallError::Broken) => "Outcome Broken",
            Err(CallError::Status { .. }) => "Outcome Status",
        }],
        Input::Link { tag, input, .. } => {
            let kind = match input {
                LinkInput::Opened => "Link Opened",
                LinkInput::Accepted { .. } => "Link Accepted",
                LinkInput::Received(_) => "Link Received",
                LinkInput::Ended(EndReason::Closed) => "Link Closed",
                LinkInput::Ended(EndReason::Reset) => "Link Reset",
                LinkInput::Ended(EndReason::Refused) => "Link Refused",
                LinkInput::Ended(EndReason::ConnectTimeout) => "Link ConnectTimeout",
            };
            vec![kind, if tag.is_some() { "Link, own" } else { "Link, accepted" }]
        }
        Input::Datagram { .. } => vec!["Datagram"],
        Input::Disk(DiskInput::Flushed(_)) => vec!["Disk Flushed"],
        Input::Disk(DiskInput::Failed(..)) => vec!["Disk Failed"],
        Input::Ask { .. } => vec!["Ask"],
        Input::Reconfigure(_) => vec!["Reconfigure"],
        Input::Stop => vec!["Stop"],
    }
}

/// Every kind of effect that a machine can want.
pub const EFFECTS: [&str; 17] = [
    "→ Respond",
    "→ Call",
    "→ Abandon",
    "→ Open",
    "→ Send",
    "→ Close",
    "→ Close, reset",
    "→ Datagram",
    "→ Write Append",
    "→ Write TruncateFrom",
    "→ Write DropBefore",
    "→ Write Replace",
    "→ Flush",
    "→ Done",
    "→ Listen",
    "→ Exit",
    "→ Emit",
];

fn effect_kind<P: Protocol>(effect: &Effect<P>) -> &'static str {
    match effect {
        Effect::Respond { .. } => "→ Respond",
        Effect::Call(_) => "→ Call",
        Effect::Abandon(_) => "→ Abandon",
        Effect::Open { .. } => "→ Open",
        Effect::Send { .. } => "→ Send",
        Effect::Close { reset: false, .. } => "→ Close",
        Effect::Close { reset: true, .. } => "→ Close, reset",
        Effect::Datagram { .. } => "→ Datagram",
        Effect::Write { write: Write::Append(_), .. } => "→ Write Append",
        Effect::Write { write: Write::TruncateFrom(_), .. } => "→ Write TruncateFrom",
        Effect::Write { write: Write::DropBefore(_), .. } => "→ Write DropBefore",
        Effect::Write { write: Write::Replace(_), .. } => "→ Write Replace",
        Effect::Flush { .. } => "→ Flush",
        Effect::Done { .. } => "→ Done",
        Effect::Listen(_) => "→ Listen",
        Effect::Exit { .. } => "→ Exit",
        Effect::Emit(_) => "→ Emit",
    }
}

impl<P: Protocol> Taped<P> {
    /// Notes a turn, and passes its effects on.
    fn note(&mut self, input: Option<Input<P>>, cx: &mut Cx<'_, Taped<P>>) {
        let effects = std::mem::take(&mut self.effects);
        effects.iter().cloned().for_each(|effect| cx.effect(outward(effect)));
        let next_timeout = self.inner.next_timeout();
        if matches!(input, Some(Input::Timeout)) {
            let later = next_timeout.is_none_or(|next| next > cx.now());
            assert!(later, "after a timeout the next deadline is later: {next_timeout:?} at {:?}", cx.now());
        }
        let turn = Turn { now: cx.now(), wall: cx.wall(), input, effects, next_timeout };
        open(&self.shelf)[self.at].turns.push(turn);
    }
}

impl<P: Protocol> Protocol for Taped<P> {
    type Config = Config<P>;
    type Request = P::Request;
    type Response = P::Response;
    type Message = P::Message;
    type Record = P::Record;
    type Tag = P::Tag;

    fn start(config: &Arc<Config<P>>, disk: &Disk<P::Record>, cx: &mut Cx<'_, Taped<P>>) -> Taped<P> {
        let (node, stream, turns) = (cx.node(), cx.random().clone(), Vec::new());
        let tape = Tape { node, config: Arc::clone(&config.inner), disk: disk.clone(), stream, turns };
        let mut shelf = open(&config.shelf);
        let at = shelf.len();
        shelf.push(tape);
        drop(shelf);
        let mut effects = Vec::new();
        let inner = P::start(&config.inner, disk, &mut cx.within(&mut effects));
        let mut taped = Taped { inner, shelf: Arc::clone(&config.shelf), at, effects };
        taped.note(None, cx);
        taped
    }

    fn handle(&mut self, input: Input<Taped<P>>, cx: &mut Cx<'_, Taped<P>>) {
        let input = inward(input);
        self.inner.handle(input.clone(), &mut cx.within(&mut self.effects));
        self.note(Some(input), cx);
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.inner.next_timeout()
    }

    fn fingerprint(&self, into: &mut dyn Hasher) {
        self.inner.fingerprint(into);
    }
}

fn inward<P: Protocol>(input: Input<Taped<P>>) -> Input<P> {
    match input {
        Input::Timeout => Input::Timeout,
        Input::Request { id, from, request } => Input::Request { id, from, request },
        Input::Outcome { call, tag, result } => Input::Outcome { call, tag, result },
        Input::Link { link, tag, input } => Input::Link { link, tag, input },
        Input::Datagram { from, message } => Input::Datagram { from, message },
        Input::Disk(input) => Input::Disk(input),
        Input::Ask { ticket, operation } => Input::Ask { ticket, operation },
        Input::Reconfigure(config) => Input::Reconfigure(Arc::clone(&config.inner)),
        Input::Stop => Input::Stop,
    }
}

fn outward<P: Protocol>(effect: Effect<P>) -> Effect<Taped<P>> {
    match effect {
        Effect::Respond { id, response } => Effect::Respond { id, response },
        Effect::Call(Call { id, to, pool, request, connect_timeout, read_timeout, tag }) => {
            Effect::Call(Call { id, to, pool, request, connect_timeout, read_timeout, tag })
        }
        Effect::Abandon(call) => Effect::Abandon(call),
        Effect::Open { link, to, port, timeout, tag } => Effect::Open { link, to, port, timeout, tag },
        Effect::Send { link, message } => Effect::Send { link, message },
        Effect::Close { link, reset } => Effect::Close { link, reset },
        Effect::Datagram { to, message } => Effect::Datagram { to, message },
        Effect::Write { file, write } => Effect::Write { file, write },
        Effect::Flush { file, tag } => Effect::Flush { file, tag },
        Effect::Done { ticket, answer } => Effect::Done { ticket, answer },
        Effect::Exit { code } => Effect::Exit { code },
        Effect::Emit(event) => Effect::Emit(event),
        Effect::Listen(open) => Effect::Listen(open),
    }
}
