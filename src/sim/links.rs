//! Links: TCP sessions, in order, never ended by silence.
//!
//! What is sent lies in a queue per direction, and only its head moves: it arrives, or is sent again after 200 ms, 400 ms, ...
//! up to every 120 s, and all that was sent after it waits for it. So data sent into a cut arrives late, after the cut was
//! mended. After 15 minutes the sender gives up. Data for an end that is no longer there is answered with a reset.
//!
//! Left out: flow control, and notice to the other side when a host loses power.

use std::collections::VecDeque;
use std::time::Duration;

use crate::plan::world::HostId;
use crate::protocol::{Address, EndReason, Input, LinkId, LinkInput, NodeId, Protocol, SimTime, Wire};

use super::calls::Target;
use super::messages::Fate;
use super::network::{Draws, GIVE_UP_NS, Hop, HostSet, Purpose, connect_retry_ns, retransmit_ns};
use super::node::{End, NO_POOL};
use super::{Due, Simulation};

/// Bytes of a segment without data.
const BARE: u32 = 60;

/// A session.
#[derive(Clone, Debug)]
pub(super) struct Session<P: Protocol> {
    opener: Side<P>,
    acceptor: Side<P>,
    port: u16,
    /// Where its draws come from: the opener's key and the number of the session.
    number: u32,
    /// Messages sent so far, both ways.
    sent: u32,
    /// The connection attempt: `None` once the session is up.
    attempt: Option<Attempt>,
}

/// One end of a session, and what it has sent.
#[derive(Clone, Debug)]
struct Side<P: Protocol> {
    node: NodeId,
    host: HostId,
    /// The machine's handle while it has the session.
    link: Option<LinkId>,
    tag: Option<P::Tag>,
    /// What it has sent and the other side has not received, in order.
    parcels: VecDeque<Parcel<P>>,
    /// The queue entry at which the head arrives.
    due: u64,
    /// When the last parcel was or will be on the wire, and when it arrives at the earliest.
    wire_free: SimTime,
    last_arrival: SimTime,
}

#[derive(Clone, Debug)]
struct Parcel<P: Protocol> {
    body: Body<P>,
    first_sent: SimTime,
    sent: SimTime,
    arrival: SimTime,
    attempt: u32,
}

#[derive(Clone, Debug)]
enum Body<P: Protocol> {
    /// The session is up.
    Accepted,
    Message(P::Message),
    /// Nothing more will come.
    Finished,
    /// The session is gone. Not sent again when it is lost.
    Reset,
}

#[derive(Clone, Copy, Debug)]
struct Attempt {
    began: SimTime,
    sent: SimTime,
    count: u32,
    timeout_ns: u64,
    target: Target,
    /// The queue entries at which it arrives, or its refusal, and at which it times out.
    due: u64,
    timeout: u64,
    refused: bool,
}

impl<P: Protocol> Session<P> {
    fn side(&mut self, end: End) -> &mut Side<P> {
        match end {
            End::Opener => &mut self.opener,
            End::Acceptor => &mut self.acceptor,
        }
    }
}

impl<P: Protocol> Side<P> {
    fn new(node: NodeId, host: HostId) -> Side<P> {
        Side {
            node,
            host,
            link: None,
            tag: None,
            parcels: VecDeque::new(),
            due: 0,
            wire_free: SimTime::ZERO,
            last_arrival: SimTime::ZERO,
        }
    }
}

impl<P: Protocol> Simulation<P> {
    /// A machine opens a session.
    pub(super) fn open(
        &mut self,
        id: NodeId,
        link: LinkId,
        to: Address,
        port: u16,
        timeout: Duration,
        tag: P::Tag,
    ) {
        let target = self.resolve(to);
        let node = &mut self.nodes[id.index()];
        let peer = node.peer(to, NO_POOL);
        node.peers[peer as usize].counter += 1;
        let number = node.peers[peer as usize].counter;
        let mut opener = Side::new(id, node.host);
        (opener.link, opener.tag) = (Some(link), Some(tag));
        let acceptor = match target {
            Target::Process(server, host) => Side::new(server, host),
            // Never used: nobody accepts.
            Target::Host(host) => Side::new(id, host),
            Target::Silence => Side::new(id, node.host),
        };
        let attempt = Attempt {
            began: self.now,
            sent: self.now,
            count: 0,
            timeout_ns: u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX),
            target,
            due: 0,
            timeout: 0,
            refused: false,
        };
        let index =
            self.sessions.insert(Session { opener, acceptor, port, number, sent: 0, attempt: Some(attempt) });
        self.nodes[id.index()].links.push((link, index, End::Opener));
        let give_up = SimTime(self.now.0.saturating_add(attempt.timeout_ns));
        let sequence = self.queue.push(give_up, Due::Connect(index));
        self.attempt_mut(index).timeout = sequence;
        if target != Target::Silence {
            self.travel_attempt(index);
        }
    }

    /// A machine sends over a session. Nothing happens if that has ended.
    pub(super) fn send(&mut self, id: NodeId, link: LinkId, message: P::Message) {
        let Some((index, end)) = self.link(id, link) else { return };
        let session = &mut self.sessions[index];
        let other = session.side(end.other()).node;
        let body = Body::Message(message);
        let Body::Message(message) = &body else { unreachable!("it was just made") };
        match self.messages.fate(message, id, other, self.now) {
            Fate::Drop => {}
            Fate::Delay(by_ns) => self.enqueue(index, end, body, by_ns),
            // TCP removes doubles, and statuses belong to calls.
            Fate::Pass | Fate::Twice | Fate::Fail { .. } | Fate::Redirect(_) | Fate::Break => {
                self.enqueue(index, end, body, 0);
            }
        }
    }

    /// A machine closes a session: after what it has sent, or at once.
    pub(super) fn close(&mut self, id: NodeId, link: LinkId, reset: bool) {
        let node = &mut self.nodes[id.index()];
        node.inbox.retain(|input| !matches!(input, Input::Link { link: other, .. } if *other == link));
        let Some((index, end)) = self.link(id, link) else { return };
        self.detach(index, end);
        if !self.stop_connecting(index, end) {
            if reset {
                self.sessions[index].side(end).parcels.clear();
            }
            self.enqueue(index, end, if reset { Body::Reset } else { Body::Finished }, 0);
        }
        self.forget(index);
    }

    /// The head of a direction arrives, or the connection attempt does.
    pub(super) fn on_link(&mut self, index: u32, sequence: u64) {
        let Some(session) = self.sessions.get(index) else { return };
        if session.attempt.is_some_and(|attempt| attempt.due == sequence) {
            self.on_attempt(index, sequence);
        } else if session.opener.due == sequence {
            self.on_parcel(index, End::Opener, sequence);
        } else if session.acceptor.due == sequence {
            self.on_parcel(index, End::Acceptor, sequence);
        }
    }

    /// The time for connecting is over.
    pub(super) fn on_connect_timeout(&mut self, index: u32, sequence: u64) {
        let waits = |session: &Session<P>| session.attempt.is_some_and(|attempt| attempt.timeout == sequence);
        let Some(session) = self.sessions.get(index).filter(|session| waits(session)) else { return };
        self.settle(session.opener.node);
        if self.sessions.get(index).is_some_and(waits) {
            self.stop_connecting(index, End::Opener);
            self.end_link(index, End::Opener, EndReason::ConnectTimeout);
        }
    }

    /// A process is gone. Its host resets what it had open, after what was sent; without power there is silence.
    pub(super) fn end_links(&mut self, node: NodeId, power_lost: bool) {
        let links: Vec<_> = self.nodes[node.index()].links.drain(..).collect();
        let silent = power_lost || self.hosts[self.nodes[node.index()].host.index()].silences > 0;
        for (_, index, end) in links {
            let now = self.now;
            let side = self.sessions[index].side(end);
            side.link = None;
            if power_lost {
                side.parcels.retain(|parcel| parcel.sent <= now);
            }
            if !self.stop_connecting(index, end) && !silent {
                self.enqueue(index, end, Body::Reset, 0);
            }
            self.forget(index);
        }
    }

    /// Every session between hosts of the two sets is reset at both ends.
    pub(super) fn reset_links(&mut self, from: &HostSet, to: &HostSet) {
        for index in self.sessions.indices() {
            let Some(session) = self.sessions.get(index) else { continue };
            let (a, b) = (session.opener.host, session.acceptor.host);
            let between = (from.contains(a) && to.contains(b)) || (from.contains(b) && to.contains(a));
            if !between || session.attempt.is_some() {
                continue;
            }
            for end in [End::Opener, End::Acceptor] {
                if let Some(session) = self.sessions.get_mut(index) {
                    session.side(end).parcels.clear();
                    session.side(end.other()).parcels.clear();
                    self.end_link(index, end, EndReason::Reset);
                }
            }
        }
    }

    /// Gives up a session that is not up yet, and what waits for it. Returns whether that was so.
    fn stop_connecting(&mut self, index: u32, end: End) -> bool {
        let session = &mut self.sessions[index];
        let connecting = end == End::Opener && session.attempt.take().is_some();
        if connecting {
            session.opener.parcels.clear();
        }
        connecting
    }

    fn link(&self, id: NodeId, link: LinkId) -> Option<(u32, End)> {
        let links = &self.nodes[id.index()].links;
        let at = links.binary_search_by_key(&link, |(link, ..)| *link).ok()?;
        let (_, index, end) = links[at];
        Some((index, end))
    }

    fn attempt_mut(&mut self, index: u32) -> &mut Attempt {
        self.sessions[index].attempt.as_mut().expect("it is still connecting")
    }

    fn travel_attempt(&mut self, index: u32) {
        let session = &self.sessions[index];
        let attempt = session.attempt.expect("it is still connecting");
        let (from, to, purpose) = match attempt.refused {
            false => (session.opener.host, session.acceptor.host, Purpose::Connect),
            true => (session.acceptor.host, session.opener.host, Purpose::Connected),
        };
        let draws = self.link_draws(index, 0);
        let hop = Hop { from, to, sent: attempt.sent };
        let flight = self.network.stream(hop, BARE, &draws, purpose, attempt.count);
        let arrival = SimTime(attempt.sent.0.saturating_add(flight.last_ns));
        let sequence = self.queue.push(arrival, Due::Link(index));
        self.attempt_mut(index).due = sequence;
    }

    fn on_attempt(&mut self, index: u32, sequence: u64) {
        let session = &self.sessions[index];
        let (opener, acceptor) = (session.opener.node, session.acceptor.node);
        let (source, target) = (session.opener.host, session.acceptor.host);
        let Some(attempt) = session.attempt else { return };
        self.settle(if attempt.refused { opener } else { acceptor });
        if self.sessions.get(index).and_then(|session| session.attempt).is_none_or(|now| now.due != sequence)
        {
            return;
        }
        let running = matches!(attempt.target, Target::Process(..)) && self.nodes[acceptor.index()].running();
        let state = &self.hosts[target.index()];
        let silent = match attempt.refused {
            false if !state.on || !running && state.silences > 0 => true,
            false => self.network.blocked(source, target, attempt.sent),
            true => self.network.blocked(target, source, attempt.sent),
        };
        match (silent, attempt.refused, running) {
            (true, ..) => {
                let waited: u64 = (0..=attempt.count).map(connect_retry_ns).sum();
                let now = self.now;
                let attempt = self.attempt_mut(index);
                (attempt.count, attempt.refused, attempt.due) = (attempt.count + 1, false, 0);
                attempt.sent = SimTime(attempt.began.0 + waited).max(now);
                if waited < attempt.timeout_ns {
                    self.travel_attempt(index);
                }
            }
            (false, true, _) => {
                self.stop_connecting(index, End::Opener);
                self.end_link(index, End::Opener, EndReason::Refused);
            }
            (false, false, false) => {
                let now = self.now;
                let attempt = self.attempt_mut(index);
                (attempt.refused, attempt.sent) = (true, now);
                self.travel_attempt(index);
            }
            (false, false, true) => self.accept(index),
        }
    }

    fn accept(&mut self, index: u32) {
        self.attempt_mut(index).due = 0;
        let link = LinkId(self.next_id);
        self.next_id += 1;
        let session = &mut self.sessions[index];
        session.acceptor.link = Some(link);
        let (acceptor, port) = (session.acceptor.node, session.port);
        let from = self.nodes[session.opener.node.index()].address;
        self.nodes[acceptor.index()].links.push((link, index, End::Acceptor));
        self.enqueue(index, End::Acceptor, Body::Accepted, 0);
        let input = LinkInput::Accepted { from, port };
        self.deliver(acceptor, Input::Link { link, tag: None, input });
    }

    /// Puts a parcel on the wire behind those of its direction.
    fn enqueue(&mut self, index: u32, end: End, body: Body<P>, more_ns: u64) {
        let bytes = match &body {
            Body::Message(message) => message.bytes(),
            Body::Accepted | Body::Finished | Body::Reset => BARE,
        };
        let session = &mut self.sessions[index];
        session.sent += 1;
        let number = session.sent;
        // What is sent before the session is up waits for that.
        let connecting = end == End::Opener && session.attempt.is_some();
        let (source, target) = (session.side(end).host, session.side(end.other()).host);
        if let Body::Message(message) = &body {
            self.ledger.count(message.kind(), self.network.distance(source, target), bytes);
        }
        let draws = self.link_draws(index, number);
        let sent = self.sessions[index].side(end).wire_free.max(self.now);
        let hop = Hop { from: source, to: target, sent };
        let flight = self.network.stream(hop, bytes, &draws, purpose(end), 0);
        let side = self.sessions[index].side(end);
        side.wire_free = SimTime(sent.0.saturating_add(flight.last_ns - flight.first_ns));
        let arrival = SimTime(sent.0.saturating_add(flight.last_ns).saturating_add(more_ns));
        let arrival = arrival.max(side.last_arrival);
        side.last_arrival = arrival;
        side.parcels.push_back(Parcel { body, first_sent: sent, sent, arrival, attempt: 0 });
        if side.parcels.len() == 1 && !connecting {
            side.due = self.queue.push(arrival, Due::Link(index));
        }
    }

    /// The head of what `end` has sent arrives at the other end, or got lost.
    fn on_parcel(&mut self, index: u32, end: End, sequence: u64) {
        let receiver = self.sessions[index].side(end.other()).node;
        self.settle(receiver);
        let Some(session) = self.sessions.get_mut(index) else { return };
        let (source, target) = (session.side(end).host, session.side(end.other()).host);
        // An end that is gone answers with a reset, unless its host is kept from it.
        let mute = session.side(end.other()).link.is_none() && self.hosts[target.index()].silences > 0;
        let side = session.side(end);
        if side.due != sequence {
            return;
        }
        side.due = 0;
        let Some(head) = side.parcels.front() else { return };
        let lost = mute || self.network.blocked(source, target, head.sent) || !self.hosts[target.index()].on;
        if lost && !matches!(head.body, Body::Reset) {
            self.send_parcel_again(index, end);
            return;
        }
        let parcel = side.parcels.pop_front().expect("it is the head");
        if !lost {
            self.receive(index, end.other(), parcel.body);
        }
        self.next_parcel(index, end, parcel.attempt > 0);
        self.forget(index);
    }

    /// The next parcel of a direction becomes its head. After a loss all that was sent meanwhile is sent again.
    fn next_parcel(&mut self, index: u32, end: End, after_loss: bool) {
        let Some(session) = self.sessions.get_mut(index) else { return };
        let number = session.sent;
        let (source, target) = (session.side(end).host, session.side(end.other()).host);
        let draws = self.link_draws(index, number);
        let side = self.sessions[index].side(end);
        let (now, last_arrival) = (self.now, side.last_arrival);
        let Some(head) = side.parcels.front_mut() else { return };
        if after_loss && head.sent < now {
            let hop = Hop { from: source, to: target, sent: now };
            let flight = self.network.stream(hop, BARE, &draws, purpose(end), 1);
            head.sent = now;
            head.arrival = SimTime(now.0.saturating_add(flight.last_ns));
            // The loss goes on for those behind it.
            head.attempt = head.attempt.max(1);
        }
        side.last_arrival = last_arrival.max(head.arrival);
        let arrival = head.arrival.max(now);
        if side.due == 0 {
            side.due = self.queue.push(arrival, Due::Link(index));
        }
    }

    fn send_parcel_again(&mut self, index: u32, end: End) {
        let session = &mut self.sessions[index];
        let number = session.sent;
        let (source, target) = (session.side(end).host, session.side(end.other()).host);
        if !self.hosts[source.index()].on {
            session.side(end).parcels.clear();
            self.forget(index);
            return;
        }
        let draws = self.link_draws(index, number);
        let now = self.now;
        let side = self.sessions[index].side(end);
        let head = side.parcels.front_mut().expect("it was lost just now");
        head.sent = SimTime(head.sent.0 + retransmit_ns(head.attempt)).max(now);
        head.attempt += 1;
        if head.sent.0 - head.first_sent.0 > GIVE_UP_NS {
            side.parcels.clear();
            self.end_link(index, end, EndReason::Reset);
            self.forget(index);
            return;
        }
        let hop = Hop { from: source, to: target, sent: head.sent };
        let flight = self.network.stream(hop, BARE, &draws, purpose(end), head.attempt);
        head.arrival = SimTime(head.sent.0.saturating_add(flight.last_ns));
        let arrival = head.arrival;
        side.last_arrival = side.last_arrival.max(arrival);
        side.due = self.queue.push(arrival, Due::Link(index));
    }

    /// A parcel reaches `end`.
    fn receive(&mut self, index: u32, end: End, body: Body<P>) {
        let session = &mut self.sessions[index];
        let (node, tag) = (session.side(end).node, session.side(end).tag);
        let Some(link) = session.side(end).link else {
            // Nobody has this session any more: the host says so, unless it was told so itself.
            let other = session.side(end.other());
            if other.link.is_some() && matches!(body, Body::Message(_) | Body::Accepted) {
                self.enqueue(index, end, Body::Reset, 0);
            }
            return;
        };
        match body {
            Body::Accepted => {
                session.attempt = None;
                self.next_parcel(index, end, true);
                self.deliver(node, Input::Link { link, tag, input: LinkInput::Opened });
            }
            Body::Message(message) => {
                self.deliver(node, Input::Link { link, tag, input: LinkInput::Received(message) });
            }
            Body::Finished => self.end_link(index, end, EndReason::Closed),
            Body::Reset => self.end_link(index, end, EndReason::Reset),
        }
    }

    /// Tells a machine that its session is over.
    fn end_link(&mut self, index: u32, end: End, reason: EndReason) {
        if let Some((node, link, tag)) = self.detach(index, end) {
            self.forget(index);
            self.deliver(node, Input::Link { link, tag, input: LinkInput::Ended(reason) });
        }
    }

    /// Takes a session away from the machine at `end`.
    fn detach(&mut self, index: u32, end: End) -> Option<(NodeId, LinkId, Option<P::Tag>)> {
        let side = self.sessions[index].side(end);
        let link = side.link.take()?;
        let (node, tag) = (side.node, side.tag);
        let links = &mut self.nodes[node.index()].links;
        let at =
            links.binary_search_by_key(&link, |(link, ..)| *link).expect("a machine has what its side names");
        links.remove(at);
        Some((node, link, tag))
    }

    /// Drops a session that no machine has and on which nothing travels.
    fn forget(&mut self, index: u32) {
        let Some(session) = self.sessions.get(index) else { return };
        let nobody = session.opener.link.is_none() && session.acceptor.link.is_none();
        if nobody && session.opener.parcels.is_empty() && session.acceptor.parcels.is_empty() {
            self.sessions.remove(index);
        }
    }

    fn link_draws(&self, index: u32, number: u32) -> Draws {
        let session = &self.sessions[index];
        let receiver = match session.acceptor.node == session.opener.node {
            true => 0,
            false => self.nodes[session.acceptor.node.index()].stable,
        };
        let key = self.nodes[session.opener.node.index()].key;
        let counter = u64::from(session.number) << 32 | u64::from(number);
        Draws { key, channel: 1 << 8 | u32::from(session.port) << 9, receiver, counter }
    }
}

fn purpose(end: End) -> Purpose {
    match end {
        End::Opener => Purpose::Forth,
        End::Acceptor => Purpose::Back,
    }
}
