//! The contract between a protocol machine and whatever drives it.
//!
//! A machine turns inputs into effects. A driver owns time, randomness, network and disk; there are two, `sim` and `serve`,
//! and a machine cannot tell which one it is in. [`Protocol`] states the rules that both sides keep.

use std::fmt::Debug;
use std::hash::Hasher;
use std::sync::Arc;
use std::time::Duration;

use super::disk::{Disk, FileId, Write};
use super::ids::{Address, CallId, InstanceId, LinkId, NodeId, PoolId, RequestId, Ticket};
use super::random::Stream;
use super::time::{Instant, Wall};
use super::vocabulary::{Answer, Event, Operation};

/// What travels or is stored. All of it is answered in constant time: these are estimates for the network model and labels for
/// fault injection, not an encoding.
pub trait Wire: Clone + Debug {
    /// Estimated size on the wire, in bytes.
    fn bytes(&self) -> u32;

    /// How many units of work it is for the receiver (the items of a batch).
    fn items(&self) -> u32 {
        1
    }

    /// Its kind in scenarios and pictures, such as `heartbeat`.
    fn kind(&self) -> &'static str;

    /// The one instance that it is about, if there is exactly one.
    fn instance(&self) -> Option<InstanceId> {
        None
    }
}

/// For protocols that send no messages or keep no records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Never {}

impl Wire for Never {
    fn bytes(&self) -> u32 {
        match *self {}
    }
    fn kind(&self) -> &'static str {
        match *self {}
    }
}

/// A protocol state machine: a plain value that can be printed, compared, cloned and dropped.
///
/// # Rules
///
/// 1. One input, then its effects in order, then [`next_timeout`](Protocol::next_timeout) again.
/// 2. The driver holds nothing back. A machine that must not answer before it is durable waits for
///    [`DiskInput::Flushed`]; "acknowledged before flushed" is a bug that a check can catch.
/// 3. A timeout may be late or spurious and is then a no-op. After one, the next deadline is later than `now`.
/// 4. A crash drops the value and every open call, link and ticket (tickets end [`Answer::Unknown`]). A restart is
///    [`start`](Protocol::start) with the disk.
/// 5. Equal inputs and equal draws give equal effects.
/// 6. Ids and addresses are compared and stored, never computed with.
///
/// Machines assert their own pre- and postconditions, in release too.
pub trait Protocol: Clone + Debug {
    /// Settings of one process, validated before they get here.
    type Config: Clone + Debug;
    /// What is asked over a call.
    type Request: Wire;
    /// What answers it.
    type Response: Wire;
    /// What goes over links and datagrams; [`Never`] if nothing does.
    type Message: Wire;
    /// What a disk holds; [`Never`] if nothing is stored.
    type Record: Wire;
    /// The machine's own label. It comes back with outcomes, and with link and disk inputs.
    type Tag: Copy + Debug;

    /// A process begins: with an empty disk, or with what an earlier life left on it.
    fn start(config: &Arc<Self::Config>, disk: &Disk<Self::Record>, cx: &mut Cx<'_, Self>) -> Self;

    /// One input.
    fn handle(&mut self, input: Input<Self>, cx: &mut Cx<'_, Self>);

    /// When the machine next wants [`Input::Timeout`]. A field read: it is called after every input.
    fn next_timeout(&self) -> Option<Instant>;

    /// Folds the state into a hash, for exhaustive search: equal states give equal hashes.
    fn fingerprint(&self, into: &mut dyn Hasher);
}

/// What a driver hands in. Nested, so that a machine without links has one arm for all of them.
#[derive(Clone, Debug)]
pub enum Input<P: Protocol> {
    /// The deadline has come.
    Timeout,
    /// Somebody asks over a call; answer it with [`Cx::respond`], now or later.
    Request { id: RequestId, from: Address, request: P::Request },
    /// A call that this machine made has ended.
    Outcome { call: CallId, tag: P::Tag, result: Result<P::Response, CallError> },
    /// Something happened to a TCP session. `tag` is what the machine gave to `open`, none on accepted sessions.
    Link { link: LinkId, tag: Option<P::Tag>, input: LinkInput<P::Message> },
    /// A packet arrived.
    Datagram { from: Address, message: P::Message },
    /// A flush has ended.
    Disk(DiskInput<P::Tag>),
    /// Somebody in this process asks for an operation; answer with [`Cx::done`].
    Ask { ticket: Ticket, operation: Operation },
    /// The settings were changed at run time.
    Reconfigure(Arc<P::Config>),
    /// Shut down gracefully, ending with [`Cx::exit`].
    Stop,
}

/// Why a call has no answer. On any failure but `Refused` and `ConnectTimeout` the other side may have executed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallError {
    /// The host is there, but nothing listens.
    Refused,
    /// Nobody answered the connection attempt.
    ConnectTimeout,
    /// Connected, and then nothing for the read timeout.
    ReadTimeout,
    /// The connection was reset.
    Reset,
    /// The connection ended in the middle of an answer, or the answer made no sense. The error has no message.
    Broken,
    /// Something on the way answered in the machine's stead, with an HTTP status; a redirect says where to.
    Status { code: u16, body: Option<Arc<str>>, location: Option<Address> },
}

impl CallError {
    /// The HTTP status, if something answered.
    pub fn status(&self) -> Option<u16> {
        match self {
            CallError::Status { code, .. } => Some(*code),
            CallError::Refused
            | CallError::ConnectTimeout
            | CallError::ReadTimeout
            | CallError::Reset
            | CallError::Broken => None,
        }
    }
}

/// What happens to a TCP session. Silence is never reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkInput<M> {
    /// The session that this machine opened is up.
    Opened,
    /// Somebody opened a session to this machine's `port`.
    Accepted { from: Address, port: u16 },
    /// The next message, in the order sent.
    Received(M),
    /// The session is over.
    Ended(EndReason),
}

/// Why a session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// The other side closed it, after all that it had sent.
    Closed,
    /// The other side, or the network, reset it; or data stayed unacknowledged for too long.
    Reset,
    /// The host is there, but nothing listens.
    Refused,
    /// Nobody answered the connection attempt.
    ConnectTimeout,
}

/// How a flush ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskInput<T> {
    /// Everything written to that file before the flush is durable.
    Flushed(T),
    /// It may or may not be durable.
    Failed(T, DiskError),
}

/// Why a flush failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskError {
    /// No space left.
    Full,
    /// The device failed.
    Io,
}

/// What a machine wants done. Made by the methods of [`Cx`], carried out by the driver in order.
#[derive(Clone, Debug)]
pub enum Effect<P: Protocol> {
    /// See [`Cx::respond`].
    Respond { id: RequestId, response: P::Response },
    /// See [`Cx::call`].
    Call(Call<P>),
    /// See [`Cx::abandon`].
    Abandon(CallId),
    /// See [`Cx::open`].
    Open { link: LinkId, to: Address, port: u16, timeout: Duration, tag: P::Tag },
    /// See [`Cx::send`].
    Send { link: LinkId, message: P::Message },
    /// See [`Cx::close`].
    Close { link: LinkId, reset: bool },
    /// See [`Cx::datagram`].
    Datagram { to: Address, message: P::Message },
    /// See [`Cx::write`].
    Write { file: FileId, write: Write<P::Record> },
    /// See [`Cx::flush`].
    Flush { file: FileId, tag: P::Tag },
    /// See [`Cx::listen`].
    Listen(bool),
    /// See [`Cx::done`].
    Done { ticket: Ticket, answer: Answer },
    /// See [`Cx::exit`].
    Exit { code: i32 },
    /// See [`Cx::emit`].
    Emit(Event),
}

/// An HTTP exchange to be made.
#[derive(Clone, Debug)]
pub struct Call<P: Protocol> {
    /// Its id, as [`Cx::call`] returned it.
    pub id: CallId,
    /// Whom to ask.
    pub to: Address,
    /// Which of the process's connection pools to use.
    pub pool: PoolId,
    /// What to ask.
    pub request: P::Request,
    /// How long to wait for a connection.
    pub connect_timeout: Duration,
    /// How long to wait after the last byte received.
    pub read_timeout: Duration,
    /// Comes back with the outcome.
    pub tag: P::Tag,
}

/// What a machine may know while it handles one input, and where its effects go.
pub struct Cx<'a, P: Protocol> {
    node: NodeId,
    now: Instant,
    wall: Wall,
    random: &'a mut Stream,
    next_id: &'a mut u64,
    effects: &'a mut Vec<Effect<P>>,
}

impl<'a, P: Protocol> Cx<'a, P> {
    /// For drivers: a context for one input. `effects` is a reused buffer and must be empty; `next_id` is the driver's
    /// counter for calls and links.
    pub fn new(
        node: NodeId,
        now: Instant,
        wall: Wall,
        random: &'a mut Stream,
        next_id: &'a mut u64,
        effects: &'a mut Vec<Effect<P>>,
    ) -> Cx<'a, P> {
        assert!(effects.is_empty(), "effects of an earlier input were not carried out: {}", effects.len());
        Cx { node, now, wall, random, next_id, effects }
    }

    /// For a machine around another: a context for the inner one, with the same clocks, generator and ids. What the inner one
    /// wants goes to `effects`, and is passed on with [`effect`](Cx::effect).
    pub fn within<'b, Q: Protocol>(&'b mut self, effects: &'b mut Vec<Effect<Q>>) -> Cx<'b, Q> {
        Cx::new(self.node, self.now, self.wall, self.random, self.next_id, effects)
    }

    /// Passes on an effect of an inner machine.
    pub fn effect(&mut self, effect: Effect<P>) {
        self.effects.push(effect);
    }

    /// Which process this is.
    pub fn node(&self) -> NodeId {
        self.node
    }

    /// The host's monotonic clock.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// The host's wall clock.
    pub fn wall(&self) -> Wall {
        self.wall
    }

    /// This process's own generator.
    pub fn random(&mut self) -> &mut Stream {
        self.random
    }

    /// Answers a request. Each request is answered at most once.
    pub fn respond(&mut self, id: RequestId, response: P::Response) {
        self.effects.push(Effect::Respond { id, response });
    }

    /// Makes a call. Exactly one outcome follows, unless it is abandoned or the process ends.
    pub fn call(
        &mut self,
        to: Address,
        pool: PoolId,
        request: P::Request,
        connect_timeout: Duration,
        read_timeout: Duration,
        tag: P::Tag,
    ) -> CallId {
        let id = CallId(self.fresh_id());
        self.effects.push(Effect::Call(Call { id, to, pool, request, connect_timeout, read_timeout, tag }));
        id
    }

    /// Gives up on a call: no outcome follows. The other side may still execute it.
    pub fn abandon(&mut self, call: CallId) {
        self.effects.push(Effect::Abandon(call));
    }

    /// Opens a TCP session to `port` of the processes behind `to`.
    pub fn open(&mut self, to: Address, port: u16, timeout: Duration, tag: P::Tag) -> LinkId {
        let link = LinkId(self.fresh_id());
        self.effects.push(Effect::Open { link, to, port, timeout, tag });
        link
    }

    /// Sends over an open session. Sending over one that has ended is a no-op.
    pub fn send(&mut self, link: LinkId, message: P::Message) {
        self.effects.push(Effect::Send { link, message });
    }

    /// Closes a session: in order after what was sent, or at once with `reset`. No further input comes from it.
    pub fn close(&mut self, link: LinkId, reset: bool) {
        self.effects.push(Effect::Close { link, reset });
    }

    /// Sends a packet, which may be lost, doubled or reordered.
    pub fn datagram(&mut self, to: Address, message: P::Message) {
        self.effects.push(Effect::Datagram { to, message });
    }

    /// Changes a file. Survives a crash of the process at once, a power loss only once flushed.
    pub fn write(&mut self, file: FileId, write: Write<P::Record>) {
        self.effects.push(Effect::Write { file, write });
    }

    /// Makes all earlier writes to `file` durable; answered by [`Input::Disk`] with `tag`.
    pub fn flush(&mut self, file: FileId, tag: P::Tag) {
        self.effects.push(Effect::Flush { file, tag });
    }

    /// Opens or closes the port of this process. A process that starts listens; while it does not, calls are refused, as if
    /// nothing were there. Requests that have arrived are not touched.
    pub fn listen(&mut self, open: bool) {
        self.effects.push(Effect::Listen(open));
    }

    /// Answers an operation. Each ticket is answered at most once.
    pub fn done(&mut self, ticket: Ticket, answer: Answer) {
        self.effects.push(Effect::Done { ticket, answer });
    }

    /// Ends this process, by its own will.
    pub fn exit(&mut self, code: i32) {
        self.effects.push(Effect::Exit { code });
    }

    /// Reports an event to whoever watches.
    pub fn emit(&mut self, event: Event) {
        self.effects.push(Effect::Emit(event));
    }

    fn fresh_id(&mut self) -> u64 {
        let id = *self.next_id;
        *self.next_id += 1;
        id
    }
}
