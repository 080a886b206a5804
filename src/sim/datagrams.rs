//! Datagrams: packets that may be lost, doubled and reordered, and that nobody misses.
//!
//! Those sent to a multicast group reach all of its members but the sender.

use crate::plan::world::Behind;
use crate::protocol::{Address, Input, NodeId, Protocol, SimTime, Wire};

use super::messages::Fate;
use super::network::{Draws, Hop};
use super::node::NO_POOL;
use super::{Due, Simulation};

/// A packet on its way.
#[derive(Clone, Debug)]
pub(super) struct Packet<P: Protocol> {
    from: NodeId,
    to: NodeId,
    sent: SimTime,
    message: P::Message,
}

impl<P: Protocol> Simulation<P> {
    /// A machine sends a packet.
    pub(super) fn send_datagram(&mut self, from: NodeId, to: Address, message: P::Message) {
        let node = &mut self.nodes[from.index()];
        let peer = node.peer(to, NO_POOL);
        let entry = &mut node.peers[peer as usize];
        entry.counter += 1;
        let counter = u64::from(entry.counter);
        let book = &mut self.addresses[to.index()];
        match &book.behind {
            Behind::Processes(processes) if !processes.is_empty() => {
                let receiver = processes[book.turn % processes.len()];
                book.turn = (book.turn + 1) % processes.len();
                self.send_packet(from, receiver, counter, message);
            }
            Behind::Multicast(group) => {
                let receivers = group.len();
                for at in 0..receivers {
                    let Behind::Multicast(group) = &self.addresses[to.index()].behind else { break };
                    let receiver = group[at];
                    if receiver != from {
                        self.send_packet(from, receiver, counter, message.clone());
                    }
                }
            }
            Behind::Processes(_) | Behind::Nothing(_) | Behind::NoHost => {}
        }
    }

    fn send_packet(&mut self, from: NodeId, to: NodeId, counter: u64, message: P::Message) {
        let (sender, receiver) = (&self.nodes[from.index()], &self.nodes[to.index()]);
        let (source, target) = (sender.host, receiver.host);
        let draws =
            Draws { key: sender.key, channel: u32::from(NO_POOL.0), receiver: receiver.stable, counter };
        self.ledger.count(message.kind(), self.network.distance(source, target), message.bytes());
        let (copies, more_ns) = match self.messages.fate(&message, from, to, self.now) {
            Fate::Drop => return,
            Fate::Delay(by_ns) => (1, by_ns),
            Fate::Twice => (2, 0),
            Fate::Pass | Fate::Fail { .. } | Fate::Redirect(_) | Fate::Break => (1, 0),
        };
        let hop = Hop { from: source, to: target, sent: self.now };
        let copies = copies + u32::from(self.network.doubles(source, target, &draws));
        for copy in 0..copies {
            if let Some(flight_ns) = self.network.packet(hop, message.bytes(), &draws, copy) {
                let arrival = SimTime(self.now.0.saturating_add(flight_ns).saturating_add(more_ns));
                let packet = Packet { from, to, sent: self.now, message: message.clone() };
                let index = self.packets.insert(packet);
                self.queue.push(arrival, Due::Packet(index));
            }
        }
    }

    /// A packet arrives, unless something is in its way.
    pub(super) fn on_packet(&mut self, index: u32) {
        let Packet { from, to, sent, message } = self.packets.remove(index);
        let (source, target) = (self.nodes[from.index()].host, self.nodes[to.index()].host);
        if self.network.blocked(source, target, sent) || !self.hosts[target.index()].on {
            return;
        }
        self.settle(to);
        let from = self.nodes[from.index()].address;
        self.deliver(to, Input::Datagram { from, message });
    }
}
