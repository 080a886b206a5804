//! Calls: HTTP exchanges over kept connections.
//!
//! One [`Exchange`] carries a call through its stages; at any moment at most one entry of the event queue moves it on, and its
//! timeout waits in a lane. The caller's side and the server's side end independently: a request whose caller has given up
//! stays on the wire and in the server's queue, and is executed.
//!
//! ```text
//! Waiting ─► Connecting ─► Connected ─► Request ─► Queued ─► Working ─► Executing ─► Answer ─► outcome
//!             │    └─────► Refused        ▲  │                                         ▲
//!             └► Unreachable              │  └► Silent, or a reset ────────────────────┘
//!                                         └ a kept connection starts here
//! ```
//!
//! Left out: what a dying process tells idle connections (their callers find out on the next use, by a reset), and the
//! acknowledgements of TCP (a one-way cut hurts only the direction that it cuts).

use crate::plan::world::{Behind, HostId};
use crate::protocol::{
    Address, Call, CallError, CallId, Input, NodeId, PoolId, Protocol, RequestId, SimTime, Wire,
};

use super::lanes::Timeout;
use super::messages::Fate;
use super::network::{
    Draws, GIVE_UP_NS, Hop, HostSet, ORPHAN_GIVE_UP_NS, Purpose, connect_retry_ns, retransmit_ns,
};
use super::slab::Slab;
use super::{Due, Simulation};

/// Bytes of a message without a body: headers.
const BARE: u32 = 200;

/// A call on its way.
#[derive(Clone, Debug)]
pub(super) struct Exchange<P: Protocol> {
    pub stage: Stage,
    /// The queue entry that moves it on; any other is stale.
    due: u64,
    /// The timeout that counts; any other is stale.
    timeout: u64,
    pub caller: NodeId,
    /// The caller's other open calls.
    pub newer: Option<u32>,
    pub older: Option<u32>,
    /// Whether the caller still waits for the outcome.
    caller_waits: bool,
    pub id: CallId,
    tag: P::Tag,
    to: Address,
    pub pool: PoolId,
    /// The peer entry of the caller.
    pub peer: u32,
    counter: u32,
    connect_timeout_ns: u64,
    read_timeout_ns: u64,
    /// Whom the connection leads to, and the life of that process that accepted it.
    pub target: Target,
    pub life: u32,
    /// When the present message was sent first and last, and how often it was sent again.
    first_sent: SimTime,
    sent: SimTime,
    attempt: u32,
    /// The row of the ledger in which its request was counted.
    row: u8,
    /// When the first byte of the answer arrives.
    first_byte: SimTime,
    body: Body<P>,
}

/// How far a call has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// All connections of the pool are busy.
    Waiting,
    /// The connection attempt travels to the host.
    Connecting,
    /// Its acceptance travels back.
    Connected,
    /// Its refusal travels back.
    Refused,
    /// Nobody will answer the connection attempt.
    Unreachable,
    /// The request travels.
    Request,
    /// It waits for a worker.
    Queued,
    /// A worker works on it.
    Working,
    /// The machine has it.
    Executing,
    /// The answer, or a reset, travels back.
    Answer,
    /// Nobody will answer the request.
    Silent,
}

/// What an address came to when it was looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Process(NodeId, HostId),
    Host(HostId),
    Silence,
}

#[derive(Clone, Debug)]
enum Body<P: Protocol> {
    Request(P::Request),
    Answer(Result<P::Response, CallError>),
    /// The machine has it, or nobody wants it.
    Gone,
}

impl<P: Protocol> Exchange<P> {
    fn host(&self) -> HostId {
        match self.target {
            Target::Process(_, host) | Target::Host(host) => host,
            Target::Silence => unreachable!("nothing is sent into nowhere"),
        }
    }

    /// The size of what travels now.
    fn bytes(&self) -> u32 {
        match (self.stage, &self.body) {
            (Stage::Request, Body::Request(request)) => request.bytes(),
            (Stage::Answer, Body::Answer(Ok(response))) => response.bytes(),
            _ => BARE,
        }
    }

    fn fall_silent(&mut self) {
        self.stage = Stage::Silent;
        self.due = 0;
        self.body = Body::Gone;
    }
}

impl<P: Protocol> Simulation<P> {
    /// A machine makes a call.
    pub(super) fn begin_call(&mut self, caller: NodeId, call: Call<P>) {
        let Call { id, to, pool, request, connect_timeout, read_timeout, tag } = call;
        let nanos = |duration: std::time::Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let node = &mut self.nodes[caller.index()];
        assert!(pool.index() < node.pools.len(), "a call names a pool of its process: {pool:?}");
        let peer = node.peer(to, pool);
        let entry = &mut node.peers[peer as usize];
        entry.counter += 1;
        let index = self.calls.insert(Exchange {
            stage: Stage::Waiting,
            due: 0,
            timeout: 0,
            caller,
            newer: None,
            older: None,
            caller_waits: true,
            id,
            tag,
            to,
            pool,
            peer,
            counter: entry.counter,
            connect_timeout_ns: nanos(connect_timeout),
            read_timeout_ns: nanos(read_timeout),
            target: Target::Silence,
            life: 0,
            first_sent: self.now,
            sent: self.now,
            attempt: 0,
            row: 0,
            first_byte: SimTime::MAX,
            body: Body::Request(request),
        });
        self.link_call(index);
        if let Some((target, life)) = self.take_idle(caller, peer) {
            let call = &mut self.calls[index];
            (call.target, call.life) = (target, life);
            self.send_request(index);
            return;
        }
        // The connect timeout covers the wait for a connection, too.
        self.arm_timeout(index, self.calls[index].connect_timeout_ns);
        if self.make_room(caller, peer) {
            self.nodes[caller.index()].peers[peer as usize].open += 1;
            self.connect(index);
        } else {
            self.nodes[caller.index()].peers[peer as usize].wait(index);
        }
    }

    /// A machine gives up on a call: no outcome follows.
    pub(super) fn abandon(&mut self, caller: NodeId, id: CallId) {
        match self.find_call(caller, id) {
            Some(index) => {
                self.unlink_call(index);
                self.drop_connection(index);
                self.let_go(index);
            }
            // It has ended; the outcome may still wait in the inbox of a process that stood still.
            None => {
                let inbox = &mut self.nodes[caller.index()].inbox;
                inbox.retain(|input| !matches!(input, Input::Outcome { call, .. } if *call == id));
            }
        }
    }

    /// A machine answers a request.
    pub(super) fn respond(&mut self, server: NodeId, id: RequestId, response: P::Response) {
        let index = self.calls.find(id.0).filter(|index| {
            let call = &self.calls[*index];
            call.stage == Stage::Executing
                && matches!(call.target, Target::Process(node, _) if node == server)
        });
        let index =
            index.unwrap_or_else(|| panic!("a request is answered once, by whom it was asked: {id:?}"));
        self.release_worker(server);
        if self.calls[index].caller_waits {
            self.send_answer(index, Ok(response));
        } else {
            self.calls.remove(index);
        }
    }

    /// The queue entry of a call has come.
    pub(super) fn on_call(&mut self, index: u32, sequence: u64) {
        let Some(call) = self.calls.get(index).filter(|call| call.due == sequence) else { return };
        let receiver = match (call.stage, call.target) {
            (Stage::Request | Stage::Working, Target::Process(server, _)) => server,
            _ => call.caller,
        };
        self.settle(receiver);
        // A timeout of the machine that was due may have ended the call.
        let Some(call) = self.calls.get(index).filter(|call| call.due == sequence) else { return };
        match call.stage {
            Stage::Connecting => self.on_connecting(index),
            Stage::Connected => self.on_connected(index),
            Stage::Refused => self.on_refused(index),
            Stage::Request => self.on_request(index),
            Stage::Working => self.execute(index),
            Stage::Answer => self.on_answer(index),
            Stage::Waiting | Stage::Unreachable | Stage::Queued | Stage::Executing | Stage::Silent => {
                unreachable!("nothing moves a call on while it is {:?}", call.stage)
            }
        }
    }

    /// The queue entry of a lane of timeouts has come.
    pub(super) fn on_lane(&mut self, lane: u32, sequence: u64) {
        let calls = &self.calls;
        let due = self.lanes.fire(&mut self.queue, lane, sequence, |timeout| counts(calls, timeout));
        if let Some(Timeout { call, sequence, .. }) = due {
            self.on_timeout(call, sequence);
        }
    }

    /// The timeout of a call has come.
    pub(super) fn on_timeout(&mut self, index: u32, sequence: u64) {
        let Some(call) = self.calls.get(index).filter(|call| call.timeout == sequence) else { return };
        self.settle(call.caller);
        let Some(call) = self.calls.get(index).filter(|call| call.timeout == sequence) else { return };
        match call.stage {
            Stage::Waiting | Stage::Connecting | Stage::Connected | Stage::Refused | Stage::Unreachable => {
                self.finish(index, Err(CallError::ConnectTimeout));
            }
            // Bytes of the answer are coming in: the timeout runs from the last of them.
            Stage::Answer if call.first_byte <= self.now => {
                let again = SimTime(self.now.0.saturating_add(call.read_timeout_ns));
                self.calls[index].timeout = self.queue.push(again, Due::Timeout(index));
            }
            Stage::Request
            | Stage::Queued
            | Stage::Working
            | Stage::Executing
            | Stage::Answer
            | Stage::Silent => {
                self.finish(index, Err(CallError::ReadTimeout));
            }
        }
    }

    /// A process is gone. Those whom it served get a reset, or, without power, silence.
    pub(super) fn end_calls(&mut self, node: NodeId, power_lost: bool) {
        let gone = &mut self.nodes[node.index()];
        gone.service.busy = 0;
        gone.service.waiting.clear();
        while let Some(index) = self.nodes[node.index()].first_call {
            self.unlink_call(index);
            self.let_go(index);
        }
        self.close_pools(node);
        let silent = power_lost || self.hosts[self.nodes[node.index()].host.index()].silences > 0;
        for index in self.calls.indices() {
            let call = &self.calls[index];
            let unsent = call.stage == Stage::Request && call.sent > self.now;
            if power_lost && unsent && call.caller == node {
                self.calls.remove(index);
                continue;
            }
            let here = matches!(call.target, Target::Process(server, _) if server == node);
            if !here || !matches!(call.stage, Stage::Queued | Stage::Working | Stage::Executing) {
                continue;
            }
            match (call.caller_waits, silent) {
                (true, false) => self.send_answer(index, Err(CallError::Reset)),
                (true, true) => self.calls[index].fall_silent(),
                (false, _) => drop(self.calls.remove(index)),
            }
        }
    }

    /// Every connection between hosts of the two sets is reset, as a middlebox that lost its state would do.
    pub(super) fn reset_calls(&mut self, from: &HostSet, to: &HostSet) {
        let between = |a: HostId, b: HostId| {
            (from.contains(a) && to.contains(b)) || (from.contains(b) && to.contains(a))
        };
        let hosts: Vec<HostId> = self.nodes.iter().map(|node| node.host).collect();
        self.reset_idle(&hosts, between);
        for index in self.calls.indices() {
            let Some(call) = self.calls.get(index).filter(|call| call.caller_waits) else { continue };
            let established = match call.stage {
                Stage::Waiting
                | Stage::Connecting
                | Stage::Connected
                | Stage::Refused
                | Stage::Unreachable => false,
                Stage::Request
                | Stage::Queued
                | Stage::Working
                | Stage::Executing
                | Stage::Answer
                | Stage::Silent => true,
            };
            if established && between(hosts[call.caller.index()], call.host()) {
                let half = call.stage == Stage::Answer && call.first_byte <= self.now;
                self.finish(index, Err(if half { CallError::Broken } else { CallError::Reset }));
            }
        }
    }

    pub(super) fn connect(&mut self, index: u32) {
        let to = self.calls[index].to;
        let target = self.resolve(to);
        let call = &mut self.calls[index];
        call.target = target;
        call.first_sent = self.now;
        call.sent = self.now;
        call.attempt = 0;
        match target {
            Target::Silence => call.stage = Stage::Unreachable,
            Target::Process(..) | Target::Host(_) => {
                call.stage = Stage::Connecting;
                self.travel_forth(index, Purpose::Connect, 0);
            }
        }
    }

    /// A connection attempt reaches its host.
    fn on_connecting(&mut self, index: u32) {
        let call = &self.calls[index];
        let (source, host) = (self.nodes[call.caller.index()].host, call.host());
        let (running, full, life) = match call.target {
            Target::Process(server, _) => {
                let node = &self.nodes[server.index()];
                (node.listening(), node.service.full(), node.life)
            }
            Target::Host(_) | Target::Silence => (false, false, 0),
        };
        let state = &self.hosts[host.index()];
        let silent = !state.on || !running && state.silences > 0;
        let silence = silent || self.network.blocked(source, host, call.sent);
        if silence || running && full {
            self.connect_again(index);
            return;
        }
        let call = &mut self.calls[index];
        call.stage = if running { Stage::Connected } else { Stage::Refused };
        call.life = life;
        call.sent = self.now;
        self.travel_back(index, Purpose::Connected, 0);
    }

    /// The acceptance of a connection reaches the caller.
    fn on_connected(&mut self, index: u32) {
        if self.cut_on_way_back(index) {
            self.connect_again(index);
        } else {
            self.send_request(index);
        }
    }

    /// The refusal of a connection reaches the caller.
    fn on_refused(&mut self, index: u32) {
        if self.cut_on_way_back(index) {
            self.connect_again(index);
        } else {
            self.finish(index, Err(CallError::Refused));
        }
    }

    /// Nothing came of a connection attempt: TCP tries again after 1 s, 2 s, 4 s, ...
    fn connect_again(&mut self, index: u32) {
        let call = &mut self.calls[index];
        let waited: u64 = (0..=call.attempt).map(connect_retry_ns).sum();
        call.attempt += 1;
        if waited >= call.connect_timeout_ns {
            call.stage = Stage::Unreachable;
            return;
        }
        call.stage = Stage::Connecting;
        call.sent = SimTime(call.first_sent.0 + waited).max(self.now);
        self.travel_forth(index, Purpose::Connect, 0);
    }

    pub(super) fn send_request(&mut self, index: u32) {
        let read_timeout_ns = self.calls[index].read_timeout_ns;
        self.arm_timeout(index, read_timeout_ns);
        let call = &mut self.calls[index];
        (call.stage, call.sent, call.first_sent, call.attempt) = (Stage::Request, self.now, self.now, 0);
        let (Body::Request(request), Target::Process(server, host)) = (&call.body, call.target) else {
            unreachable!("a request is sent once, to a process")
        };
        let class = self.network.distance(self.nodes[call.caller.index()].host, host);
        call.row = self.ledger.count(request.kind(), class, request.bytes());
        match self.messages.fate(request, call.caller, server, self.now) {
            Fate::Pass => self.travel_forth(index, Purpose::Request, 0),
            Fate::Delay(by_ns) => self.travel_forth(index, Purpose::Request, by_ns),
            Fate::Drop => call.fall_silent(),
            Fate::Twice => {
                let mut copy = call.clone();
                copy.caller_waits = false;
                copy.timeout = 0;
                let copy = self.calls.insert(copy);
                self.travel_forth(index, Purpose::Request, 0);
                self.travel_forth(copy, Purpose::Request, 0);
            }
            Fate::Fail { status: code, body } => {
                self.fail_request(index, CallError::Status { code, body, location: None });
            }
            Fate::Redirect(to) => {
                self.fail_request(index, CallError::Status { code: 302, body: None, location: Some(to) });
            }
            Fate::Break => self.fail_request(index, CallError::Broken),
        }
    }

    /// A request is not executed: this comes back instead.
    fn fail_request(&mut self, index: u32, error: CallError) {
        let forth_ns = self.flight_forth(index, Purpose::Request);
        let call = &mut self.calls[index];
        call.stage = Stage::Answer;
        call.body = Body::Answer(Err(error));
        self.travel_back(index, Purpose::Answer, forth_ns);
    }

    /// A request reaches its host.
    fn on_request(&mut self, index: u32) {
        let call = &self.calls[index];
        let Target::Process(server, host) = call.target else { unreachable!("requests go to processes") };
        let source = self.nodes[call.caller.index()].host;
        let node = &self.nodes[server.index()];
        let gone = !node.listening() || node.life != call.life;
        let state = &self.hosts[host.index()];
        let silent = !state.on || gone && state.silences > 0;
        if silent || self.network.blocked(source, host, call.sent) {
            if self.hosts[source.index()].on {
                self.send_again(index);
            } else {
                self.calls.remove(index);
            }
            return;
        }
        let caller_waits = call.caller_waits;
        let node = &mut self.nodes[server.index()];
        if gone {
            if caller_waits {
                self.send_answer(index, Err(CallError::Reset));
            } else {
                self.calls.remove(index);
            }
        } else if node.service.idle() {
            node.service.busy += 1;
            match self.work_ns(index, server) {
                0 => self.execute(index),
                work_ns => self.work(index, work_ns),
            }
        } else {
            // Its connection was accepted, so it waits, however many there are.
            node.service.waiting.push_back(index);
            self.ledger.waiting(node.service.waiting.len());
            self.calls[index].stage = Stage::Queued;
        }
    }

    fn work_ns(&self, index: u32, server: NodeId) -> u64 {
        let Body::Request(request) = &self.calls[index].body else { unreachable!("it was not executed yet") };
        self.nodes[server.index()].service.work_ns(request.items())
    }

    fn work(&mut self, index: u32, work_ns: u64) {
        let done = SimTime(self.now.0.saturating_add(work_ns));
        let call = &mut self.calls[index];
        call.stage = Stage::Working;
        call.due = self.queue.push(done, Due::Call(index));
    }

    /// The work is done: the machine takes the request and says what comes of it.
    fn execute(&mut self, index: u32) {
        let id = RequestId(self.calls.name(index));
        let call = &mut self.calls[index];
        call.stage = Stage::Executing;
        call.due = 0;
        let (Body::Request(request), Target::Process(server, _)) =
            (std::mem::replace(&mut call.body, Body::Gone), call.target)
        else {
            unreachable!("a request is executed once, by a process")
        };
        let from = self.nodes[call.caller.index()].address;
        self.deliver(server, Input::Request { id, from, request });
    }

    fn release_worker(&mut self, server: NodeId) {
        let service = &mut self.nodes[server.index()].service;
        match service.waiting.pop_front() {
            None => service.busy -= 1,
            Some(next) => {
                let work_ns = self.work_ns(next, server);
                self.work(next, work_ns);
            }
        }
    }

    fn send_answer(&mut self, index: u32, result: Result<P::Response, CallError>) {
        let call = &mut self.calls[index];
        (call.stage, call.sent, call.first_sent, call.attempt) = (Stage::Answer, self.now, self.now, 0);
        let fate = match (&result, call.target) {
            (Ok(response), Target::Process(server, host)) => {
                let class = self.network.distance(host, self.nodes[call.caller.index()].host);
                self.ledger.count_in(call.row, class, response.bytes());
                self.messages.fate(response, server, call.caller, self.now)
            }
            _ => Fate::Pass,
        };
        call.body = Body::Answer(result);
        match fate {
            Fate::Drop => call.fall_silent(),
            Fate::Delay(by_ns) => self.travel_back(index, Purpose::Answer, by_ns),
            // An answer that comes twice is ignored, and the others happen to requests only.
            Fate::Pass | Fate::Twice | Fate::Fail { .. } | Fate::Redirect(_) | Fate::Break => {
                self.travel_back(index, Purpose::Answer, 0)
            }
        }
    }

    /// An answer, or a reset, reaches the caller.
    fn on_answer(&mut self, index: u32) {
        if self.cut_on_way_back(index) {
            let host = self.calls[index].host();
            if self.hosts[host.index()].on {
                self.send_again(index);
            } else {
                self.calls[index].fall_silent();
            }
            return;
        }
        let Body::Answer(result) = std::mem::replace(&mut self.calls[index].body, Body::Gone) else {
            unreachable!("an answer travels with its body")
        };
        self.finish(index, result);
    }

    /// A request or an answer got lost: TCP sends it again after 200 ms, 400 ms, 800 ms, ..., but not for ever; what its caller
    /// waits for no longer, less long.
    fn send_again(&mut self, index: u32) {
        let call = &mut self.calls[index];
        call.sent = SimTime(call.sent.0 + retransmit_ns(call.attempt)).max(self.now);
        call.attempt += 1;
        let patience = if call.caller_waits { GIVE_UP_NS } else { ORPHAN_GIVE_UP_NS };
        let given_up = call.sent.0 - call.first_sent.0 > patience;
        match (call.stage == Stage::Request, given_up) {
            (true, false) => self.travel_forth(index, Purpose::Request, 0),
            (false, false) => self.travel_back(index, Purpose::Answer, 0),
            (true, true) if call.caller_waits => self.finish(index, Err(CallError::Reset)),
            (true, true) => drop(self.calls.remove(index)),
            (false, true) => call.fall_silent(),
        }
    }

    /// The call has come to an end for its caller.
    fn finish(&mut self, index: u32, result: Result<P::Response, CallError>) {
        let call = &self.calls[index];
        let (caller, id, tag) = (call.caller, call.id, call.tag);
        self.unlink_call(index);
        match result {
            Ok(_) | Err(CallError::Status { .. }) => self.keep_connection(index),
            Err(_) => self.drop_connection(index),
        }
        self.let_go(index);
        self.deliver(caller, Input::Outcome { call: id, tag, result });
    }

    /// The caller no longer waits. What the server has, or will have, it keeps.
    fn let_go(&mut self, index: u32) {
        let call = &mut self.calls[index];
        call.caller_waits = false;
        call.timeout = 0;
        match call.stage {
            Stage::Request | Stage::Queued | Stage::Working | Stage::Executing => {}
            Stage::Waiting
            | Stage::Connecting
            | Stage::Connected
            | Stage::Refused
            | Stage::Unreachable
            | Stage::Answer
            | Stage::Silent => drop(self.calls.remove(index)),
        }
    }

    /// What stands behind an address now.
    pub(super) fn resolve(&mut self, address: Address) -> Target {
        let entry = &self.addresses[address.index()];
        match &entry.behind {
            Behind::Processes(processes) if processes.is_empty() => Target::Silence,
            Behind::Processes(processes) => {
                let count = processes.len();
                let turns = || (0..count).map(|ahead| (entry.turn + ahead) % count);
                let alive = |at: &usize| !self.passed_over(address, processes[*at]);
                let at = turns().find(alive).unwrap_or(entry.turn % count);
                let server = processes[at];
                self.addresses[address.index()].turn = (at + 1) % count;
                Target::Process(server, self.nodes[server.index()].host)
            }
            Behind::Nothing(host) => Target::Host(*host),
            Behind::NoHost | Behind::Multicast(_) => Target::Silence,
        }
    }

    fn cut_on_way_back(&self, index: u32) -> bool {
        let call = &self.calls[index];
        self.network.blocked(call.host(), self.nodes[call.caller.index()].host, call.sent)
    }

    fn flight_forth(&self, index: u32, purpose: Purpose) -> u64 {
        let call = &self.calls[index];
        let source = self.nodes[call.caller.index()].host;
        let (bytes, draws) = (call.bytes(), self.draws(call));
        let hop = Hop { from: source, to: call.host(), sent: call.sent };
        self.network.stream(hop, bytes, &draws, purpose, call.attempt).last_ns
    }

    fn travel_forth(&mut self, index: u32, purpose: Purpose, more_ns: u64) {
        let flight_ns = self.flight_forth(index, purpose).saturating_add(more_ns);
        let call = &mut self.calls[index];
        call.due = self.queue.push(SimTime(call.sent.0.saturating_add(flight_ns)), Due::Call(index));
    }

    fn travel_back(&mut self, index: u32, purpose: Purpose, more_ns: u64) {
        let call = &self.calls[index];
        let target = self.nodes[call.caller.index()].host;
        let (bytes, draws) = (call.bytes(), self.draws(call));
        let hop = Hop { from: call.host(), to: target, sent: call.sent };
        let flight = self.network.stream(hop, bytes, &draws, purpose, call.attempt);
        let sent = call.sent.0.saturating_add(more_ns);
        let call = &mut self.calls[index];
        call.first_byte = SimTime(sent.saturating_add(flight.first_ns));
        call.due = self.queue.push(SimTime(sent.saturating_add(flight.last_ns)), Due::Call(index));
    }

    fn draws(&self, call: &Exchange<P>) -> Draws {
        let receiver = match call.target {
            Target::Process(server, _) => self.nodes[server.index()].stable,
            Target::Host(_) | Target::Silence => 0,
        };
        let key = self.nodes[call.caller.index()].key;
        Draws { key, channel: u32::from(call.pool.0), receiver, counter: u64::from(call.counter) }
    }

    fn arm_timeout(&mut self, index: u32, length_ns: u64) {
        let calls = &self.calls;
        let sequence =
            self.lanes.arm(&mut self.queue, self.now, length_ns, index, |first| counts(calls, first));
        self.calls[index].timeout = sequence;
    }
}

fn counts<P: Protocol>(calls: &Slab<Exchange<P>>, timeout: &Timeout) -> bool {
    calls.get(timeout.call).is_some_and(|call| call.timeout == timeout.sequence)
}
