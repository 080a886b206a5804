//! The life of a process: it starts, takes one input at a time, has its effects carried out, stands still, and ends.
//!
//! The driver's half of the seam's rules is asserted here and where effects are carried out.

use std::collections::VecDeque;

use crate::history::{Record, What};
use crate::protocol::{
    Answer, Cx, Disk, DiskInput, Effect, Input, Instant, LinkInput, NodeId, Protocol, SimTime,
};

use super::node::Asker;
use super::{Due, Simulation};

impl<P: Protocol> Simulation<P> {
    /// A process begins, with what an earlier life left on its disk. Nothing happens if it runs already or has no power.
    pub(super) fn start(&mut self, id: NodeId) {
        let node = &mut self.nodes[id.index()];
        let host = &self.hosts[node.host.index()];
        if node.running() || !host.on {
            return;
        }
        node.life += 1;
        node.port_open = true;
        self.records.push(Record { at: self.now, what: What::Started { node: id } });
        self.digest.fold(self.now.0);
        self.digest.fold(u64::from(id.0) << 8 | kind::START);
        let (now, wall) = host.clock.read(self.now);
        let empty = Disk::default();
        let disk = node.files.as_ref().map_or(&empty, |files| &files.disk);
        let mut cx = Cx::new(id, now, wall, &mut node.random, &mut self.next_id, &mut self.effects);
        node.machine = Some(P::start(&node.config, disk, &mut cx));
        self.carry_out(id);
        self.rearm(id);
    }

    /// A process is gone: it crashed, lost power, or ended by itself.
    pub(super) fn end(&mut self, id: NodeId, exit: Option<i32>, power_lost: bool) {
        let node = &mut self.nodes[id.index()];
        if node.machine.take().is_none() {
            return;
        }
        node.deadline = None;
        node.due = SimTime::MAX;
        node.inbox.clear();
        for (ticket, asker) in node.tickets.drain(..) {
            match asker {
                Asker::Schedule => {
                    let what = What::Completed { node: id, ticket, answer: Answer::Unknown };
                    self.records.push(Record { at: self.now, what });
                }
                // Nobody is left to make the call.
                Asker::Traffic(_) => {}
            }
        }
        self.end_calls(id, power_lost);
        self.end_links(id, power_lost);
        self.records.push(Record { at: self.now, what: What::Ended { node: id, exit } });
    }

    /// Hands one input to a process: at once, or when it goes on if it stands still. It is lost if the process is gone.
    pub(super) fn deliver(&mut self, id: NodeId, input: Input<P>) {
        let node = &mut self.nodes[id.index()];
        if !node.running() {
            return;
        }
        if node.pauses > 0 {
            node.inbox.push_back(input);
            return;
        }
        self.turn(id, input);
    }

    /// If a process's own deadline is due, it comes before any other input of this instant.
    #[inline]
    pub(super) fn settle(&mut self, id: NodeId) {
        let node = &self.nodes[id.index()];
        if node.due <= self.now && node.pauses == 0 {
            self.turn(id, Input::Timeout);
        }
    }

    /// The queue entry of a deadline has come. It may have been superseded, and the deadline may have moved later.
    pub(super) fn on_deadline(&mut self, id: NodeId, sequence: u64) {
        let node = &mut self.nodes[id.index()];
        if node.armed_sequence != sequence {
            return;
        }
        node.armed = SimTime::MAX;
        if node.pauses > 0 || node.due == SimTime::MAX {
            return;
        }
        if node.due <= self.now {
            self.turn(id, Input::Timeout);
        } else {
            self.arm(id);
        }
    }

    /// One input, then its effects in order, then the deadline again.
    fn turn(&mut self, id: NodeId, input: Input<P>) {
        self.delivered += 1;
        self.flood.count(self.now, id);
        self.digest.fold(self.now.0);
        self.digest.fold(u64::from(id.0) << 8 | kind::of(&input));
        let node = &mut self.nodes[id.index()];
        let (now, wall) = self.hosts[node.host.index()].clock.read(self.now);
        let machine = node.machine.as_mut().expect("only a running process gets inputs");
        let is_timeout = matches!(input, Input::Timeout);
        let mut cx = Cx::new(id, now, wall, &mut node.random, &mut self.next_id, &mut self.effects);
        machine.handle(input, &mut cx);
        let next = machine.next_timeout();
        assert!(
            !is_timeout || next.is_none_or(|next| next > now),
            "after a timeout the next deadline is later: {next:?} is not later than {now:?}"
        );
        self.carry_out(id);
        self.rearm(id);
    }

    fn carry_out(&mut self, id: NodeId) {
        let mut effects = std::mem::take(&mut self.effects);
        for effect in effects.drain(..) {
            match effect {
                Effect::Respond { id: request, response } => self.respond(id, request, response),
                Effect::Call(call) => self.begin_call(id, call),
                Effect::Abandon(call) => self.abandon(id, call),
                Effect::Open { link, to, port, timeout, tag } => self.open(id, link, to, port, timeout, tag),
                Effect::Send { link, message } => self.send(id, link, message),
                Effect::Close { link, reset } => self.close(id, link, reset),
                Effect::Datagram { to, message } => self.send_datagram(id, to, message),
                Effect::Write { file, write } => self.write(id, file, write),
                Effect::Flush { file, tag } => self.flush(id, file, tag),
                Effect::Listen(open) => self.nodes[id.index()].port_open = open,
                Effect::Done { ticket, answer } => self.done(id, ticket, answer),
                Effect::Emit(event) => {
                    self.records.push(Record { at: self.now, what: What::Event { node: id, event } });
                }
                Effect::Exit { code } => {
                    self.end(id, Some(code), false);
                    break;
                }
            }
        }
        self.effects = effects;
    }

    /// Reads the deadline and sees to it that an entry of the queue comes no later.
    fn rearm(&mut self, id: NodeId) {
        let node = &mut self.nodes[id.index()];
        let deadline = node.machine.as_ref().and_then(P::next_timeout);
        if deadline == node.deadline && node.armed <= node.due {
            return;
        }
        self.set_deadline(id, deadline);
    }

    /// The same deadline on a clock that has changed its rate.
    pub(super) fn convert_deadline(&mut self, id: NodeId) {
        let deadline = self.nodes[id.index()].deadline;
        self.set_deadline(id, deadline);
    }

    fn set_deadline(&mut self, id: NodeId, deadline: Option<Instant>) {
        let node = &mut self.nodes[id.index()];
        let clock = &self.hosts[node.host.index()].clock;
        node.deadline = deadline;
        node.due = deadline.map_or(SimTime::MAX, |deadline| clock.when(deadline).max(self.now));
        if node.due < node.armed {
            self.arm(id);
        }
    }

    fn arm(&mut self, id: NodeId) {
        let node = &mut self.nodes[id.index()];
        node.armed = node.due;
        node.armed_sequence = self.queue.push(node.due, Due::Deadline(id));
    }

    /// A process stands still: inputs wait, timeouts come late. Its host's kernel goes on.
    pub(super) fn pause(&mut self, id: NodeId) {
        let node = &mut self.nodes[id.index()];
        node.pauses += 1;
        if node.pauses == 1 {
            self.records.push(Record { at: self.now, what: What::Paused { node: id, paused: true } });
        }
    }

    /// A process goes on: first with a timeout that is overdue, then with what has come meanwhile.
    pub(super) fn resume(&mut self, id: NodeId) {
        let node = &mut self.nodes[id.index()];
        node.pauses -= 1;
        if node.pauses > 0 {
            return;
        }
        self.records.push(Record { at: self.now, what: What::Paused { node: id, paused: false } });
        loop {
            self.settle(id);
            let Some(input) = self.nodes[id.index()].inbox.pop_front() else { break };
            self.turn(id, input);
        }
        let node = &mut self.nodes[id.index()];
        node.inbox = VecDeque::new();
        if node.due < node.armed {
            self.arm(id);
        }
    }
}

/// The kinds of input, as they are folded into the digest.
mod kind {
    use super::*;
    use crate::protocol::CallError;

    pub const START: u64 = 1;

    pub fn of<P: Protocol>(input: &Input<P>) -> u64 {
        match input {
            Input::Timeout => 2,
            Input::Request { .. } => 3,
            Input::Outcome { result: Ok(_), .. } => 4,
            Input::Outcome { result: Err(error), .. } => match error {
                CallError::Refused => 5,
                CallError::ConnectTimeout => 6,
                CallError::ReadTimeout => 7,
                CallError::Reset => 8,
                CallError::Broken => 9,
                CallError::Status { .. } => 10,
            },
            Input::Link { input, .. } => match input {
                LinkInput::Opened => 11,
                LinkInput::Accepted { .. } => 12,
                LinkInput::Received(_) => 13,
                LinkInput::Ended(_) => 14,
            },
            Input::Datagram { .. } => 15,
            Input::Disk(DiskInput::Flushed(_)) => 16,
            Input::Disk(DiskInput::Failed(..)) => 17,
            Input::Ask { .. } => 18,
            Input::Reconfigure(_) => 19,
            Input::Stop => 20,
        }
    }
}
