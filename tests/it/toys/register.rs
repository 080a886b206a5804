//! A last-writer-wins register over calls: the toy that proves the half of the seam that Eureka lives on.
//!
//! Every node holds one copy: an instance, or none. `Register` and `Deregister` write with a stamp from the wall clock and are done
//! when enough peers have it; `LookUp` asks the peers and returns the newest. Lost writes heal by a long poll: each node
//! keeps one `Watch` open at a random peer, which answers when it learns something newer, or when its patience ends. `SetStatus`
//! DOWN closes the node's port, any other opens it.
//!
//! Left out: durability (see `log`), and any guarantee beyond convergence.

use std::hash::Hasher;
use std::sync::Arc;
use std::time::Duration;

use rand::Rng;
use regsim::protocol::{
    Address, Answer, CallError, CallId, Cx, Disk, Event, Input, InstanceId, Instant, Never, NodeId,
    Operation, Origin, PoolId, Protocol, RequestId, Status, Ticket,
};

use super::wire::wire;

/// The pool of writes and reads, and that of watches.
const POOLS: [PoolId; 2] = [PoolId(0), PoolId(1)];

/// Settings of one node.
#[derive(Clone, Debug)]
pub struct Config {
    /// The other nodes.
    pub peers: Vec<Address>,
    /// How many of them must answer before an operation is done.
    pub quorum: usize,
    /// How long an open watch waits for something newer.
    pub patience: Duration,
    /// Pause between watches; up to as much again is added by chance. `None`: no watches.
    pub pause: Option<Duration>,
    /// Connect and read timeout of a call. Longer than `patience`.
    pub timeout: Duration,
}

wire! {
    /// When and by whom; the order of writes.
    pub struct Stamp {
        /// The writer's wall clock, ms, but later than all that it had seen.
        pub millis: i64,
        /// Breaks ties.
        pub writer: NodeId,
    }
}

wire! {
    /// What a register holds.
    pub struct Entry {
        /// Who wrote it.
        pub stamp: Stamp,
        /// What was written.
        pub value: Option<InstanceId>,
    }
}

wire! {
    /// What is asked.
    pub enum Request {
        /// Hold this, unless something newer is known.
        Put(entry: Entry),
        /// Answer what is held.
        Get(),
        /// Answer once something newer than this is held.
        Watch(stamp: Stamp),
    }
}

wire! {
    /// What is answered: what is held.
    pub enum Response {
        /// The newest.
        Held(entry: Entry),
    }
}

/// What a call is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tag {
    /// A peer's part in an operation.
    Operation(Ticket),
    /// The watch.
    Watch,
}

/// An operation under way.
#[derive(Clone, Debug)]
struct Pending {
    ticket: Ticket,
    reads: bool,
    calls: Vec<CallId>,
    answered: usize,
}

/// One node.
#[derive(Clone, Debug)]
pub struct Register {
    config: Arc<Config>,
    held: Entry,
    pending: Vec<Pending>,
    /// Peers that wait for something newer than a stamp, until a time; in order of time.
    waiting: Vec<(Instant, RequestId, Stamp)>,
    watch: Option<CallId>,
    watch_at: Option<Instant>,
}

impl Register {
    /// What this node holds.
    pub fn held(&self) -> Entry {
        self.held
    }

    fn on_ask(&mut self, ticket: Ticket, operation: Operation, cx: &mut Cx<'_, Register>) {
        let (request, reads) = match operation {
            Operation::Register { instance } => (self.write(Some(instance), cx), false),
            Operation::Deregister { .. } => (self.write(None, cx), false),
            Operation::LookUp { .. } => (Request::Get(), true),
            Operation::SetStatus { status, .. } => {
                cx.listen(status != Status::Down);
                return cx.done(ticket, Answer::Ok);
            }
            _ => return cx.done(ticket, Answer::Failed(400)),
        };
        let timeout = self.config.timeout;
        let ask =
            |to: &Address| cx.call(*to, POOLS[0], request.clone(), timeout, timeout, Tag::Operation(ticket));
        let calls = self.config.peers.iter().map(ask).collect();
        self.pending.push(Pending { ticket, reads, calls, answered: 0 });
        self.settle(ticket, cx);
    }

    fn write(&mut self, value: Option<InstanceId>, cx: &mut Cx<'_, Register>) -> Request {
        let millis = cx.wall().as_millis().max(self.held.stamp.millis + 1);
        let entry = Entry { stamp: Stamp { millis, writer: cx.node() }, value };
        assert!(entry.stamp > self.held.stamp, "a write is the newest: {entry:?} over {:?}", self.held);
        self.learn(entry, Origin::Client, cx);
        Request::Put(entry)
    }

    /// Takes over what is newer, and tells those who wait for it.
    fn learn(&mut self, entry: Entry, origin: Origin, cx: &mut Cx<'_, Register>) {
        if entry.stamp <= self.held.stamp {
            return;
        }
        let (old, version) = (self.held.value, entry.stamp.millis);
        self.held = entry;
        if let Some(instance) = entry.value {
            cx.emit(Event::Registered { instance, status: Status::Up, version, origin });
        } else if let Some(instance) = old {
            cx.emit(Event::Deregistered { instance, origin });
        }
        self.waiting.retain(|(_, id, after)| {
            let stays = *after >= entry.stamp;
            if !stays {
                cx.respond(*id, Response::Held(entry));
            }
            stays
        });
    }

    /// Ends an operation if enough peers have answered, or no more will.
    fn settle(&mut self, ticket: Ticket, cx: &mut Cx<'_, Register>) {
        let Some(at) = self.pending.iter().position(|pending| pending.ticket == ticket) else { return };
        let enough = self.pending[at].answered >= self.config.quorum;
        if !enough && !self.pending[at].calls.is_empty() {
            return;
        }
        let Pending { reads, calls, .. } = self.pending.remove(at);
        let answer = match (enough, reads, self.held.value) {
            (false, true, _) => Answer::Failed(503),
            (false, false, _) => Answer::Unknown,
            (true, false, _) => Answer::Ok,
            (true, true, Some(instance)) => Answer::Found(instance),
            (true, true, None) => Answer::NoneFound,
        };
        // Peers that have not answered a read are of no more use; writes should still reach them.
        if reads {
            calls.into_iter().for_each(|call| cx.abandon(call));
        }
        cx.done(ticket, answer);
    }

    fn on_outcome(&mut self, call: CallId, tag: Tag, answered: bool, soon: bool, cx: &mut Cx<'_, Register>) {
        match tag {
            Tag::Operation(ticket) => {
                let Some(pending) = self.pending.iter_mut().find(|pending| pending.ticket == ticket) else {
                    return;
                };
                pending.calls.retain(|open| *open != call);
                // A failed `Put` is made good by a watch, so only what surely happened counts.
                pending.answered += usize::from(answered);
                self.settle(ticket, cx);
            }
            Tag::Watch => {
                assert_eq!(self.watch.take(), Some(call), "one watch at a time");
                self.plan_watch(if soon { 4 } else { 1 }, cx);
            }
        }
    }

    /// Plans the next watch after the pause over `divisor`.
    fn plan_watch(&mut self, divisor: u32, cx: &mut Cx<'_, Register>) {
        let peers = !self.config.peers.is_empty();
        self.watch_at = self.config.pause.filter(|_| peers).map(|pause| {
            let nanos = u64::try_from(pause.as_nanos()).expect("a pause is short");
            let jitter = Duration::from_nanos(cx.random().random_range(1..=nanos.max(1)));
            cx.now() + (pause + jitter) / divisor
        });
    }

    fn on_timeout(&mut self, cx: &mut Cx<'_, Register>) {
        let now = cx.now();
        let due = self.waiting.partition_point(|(until, ..)| *until <= now);
        for (_, id, _) in self.waiting.drain(..due) {
            cx.respond(id, Response::Held(self.held));
        }
        if self.watch_at.is_some_and(|at| at <= now) {
            self.watch_at = None;
            let chosen = cx.random().random_range(0..self.config.peers.len());
            let (timeout, request) = (self.config.timeout, Request::Watch(self.held.stamp));
            let call = cx.call(self.config.peers[chosen], POOLS[1], request, timeout, timeout, Tag::Watch);
            self.watch = Some(call);
        }
        assert!(self.next_timeout().is_none_or(|next| next > now), "after a timeout the next is later");
    }

    fn on_stop(&mut self, cx: &mut Cx<'_, Register>) {
        for (_, id, _) in self.waiting.drain(..) {
            cx.respond(id, Response::Held(self.held));
        }
        for pending in self.pending.drain(..) {
            pending.calls.into_iter().for_each(|call| cx.abandon(call));
            cx.done(pending.ticket, Answer::Unknown);
        }
        cx.exit(0);
    }
}

impl Protocol for Register {
    type Config = Config;
    type Request = Request;
    type Response = Response;
    type Message = Never;
    type Record = Never;
    type Tag = Tag;

    fn start(config: &Arc<Config>, _: &Disk<Never>, cx: &mut Cx<'_, Register>) -> Register {
        let held = Entry { stamp: Stamp { millis: i64::MIN, writer: cx.node() }, value: None };
        let config = Arc::clone(config);
        let (pending, waiting) = (Vec::new(), Vec::new());
        let mut register = Register { config, held, pending, waiting, watch: None, watch_at: None };
        register.plan_watch(1, cx);
        register
    }

    fn handle(&mut self, input: Input<Register>, cx: &mut Cx<'_, Register>) {
        match input {
            Input::Timeout => self.on_timeout(cx),
            Input::Request { id, request, .. } => match request {
                Request::Put(entry) => {
                    self.learn(entry, Origin::Replica, cx);
                    cx.respond(id, Response::Held(self.held));
                }
                Request::Watch(after) if after >= self.held.stamp => {
                    let until = cx.now() + self.config.patience;
                    let at = self.waiting.partition_point(|(other, ..)| *other <= until);
                    self.waiting.insert(at, (until, id, after));
                }
                Request::Get() | Request::Watch(_) => cx.respond(id, Response::Held(self.held)),
            },
            Input::Outcome { call, tag, result } => {
                // Nobody there: try another peer soon. Else wait, as whoever failed may be overloaded.
                let soon = matches!(result, Err(CallError::Refused | CallError::ConnectTimeout));
                let answered =
                    result.map(|Response::Held(entry)| self.learn(entry, Origin::Sync, cx)).is_ok();
                self.on_outcome(call, tag, answered, soon, cx);
            }
            Input::Link { input, .. } => unreachable!("the register opens no links: {input:?}"),
            Input::Datagram { message, .. } => match message {},
            Input::Disk(input) => unreachable!("the register flushes nothing: {input:?}"),
            Input::Ask { ticket, operation } => self.on_ask(ticket, operation, cx),
            Input::Reconfigure(config) => {
                self.config = config;
                if let Some(call) = self.watch.take() {
                    cx.abandon(call);
                }
                self.plan_watch(1, cx);
            }
            Input::Stop => self.on_stop(cx),
        }
    }

    fn next_timeout(&self) -> Option<Instant> {
        let waiting = self.waiting.first().map(|(until, ..)| *until);
        [waiting, self.watch_at].into_iter().flatten().min()
    }

    fn fingerprint(&self, into: &mut dyn Hasher) {
        into.write(format!("{self:?}").as_bytes());
    }
}
