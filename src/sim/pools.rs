//! Connection pools: which connections a caller keeps, who waits for one, and which of its calls are open.
//!
//! Separate from the calls because it is the caller's bookkeeping alone. What belongs to one caller hangs on chains through the
//! tables of connections and calls, so that one of ten thousand clients costs two small entries and no allocation a call.

use crate::plan::world::HostId;
use crate::protocol::{CallId, NodeId, Protocol, SimTime};

use super::Simulation;
use super::calls::{Stage, Target};
use super::slab::Slab;

/// A connection that waits for its next call.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    server: NodeId,
    /// The life of the server that accepted it.
    life: u32,
    idle_since: SimTime,
    /// The connection that became idle before it.
    next: Option<u32>,
}

impl<P: Protocol> Simulation<P> {
    /// Puts a call on its caller's chain of open calls, which ends with the oldest.
    pub(super) fn link_call(&mut self, index: u32) {
        let caller = self.calls[index].caller;
        let older = self.nodes[caller.index()].first_call.replace(index);
        self.calls[index].older = older;
        if let Some(older) = older {
            self.calls[older].newer = Some(index);
        }
    }

    /// Takes a call off its caller's chain.
    pub(super) fn unlink_call(&mut self, index: u32) {
        let call = &mut self.calls[index];
        let (caller, newer, older) = (call.caller, call.newer.take(), call.older.take());
        match newer {
            Some(newer) => self.calls[newer].older = older,
            None => self.nodes[caller.index()].first_call = older,
        }
        if let Some(older) = older {
            self.calls[older].newer = newer;
        }
    }

    /// An open call of this caller.
    pub(super) fn find_call(&self, caller: NodeId, id: CallId) -> Option<u32> {
        let mut next = self.nodes[caller.index()].first_call;
        while let Some(index) = next {
            let call = &self.calls[index];
            if call.id == id {
                return Some(index);
            }
            next = call.older;
        }
        None
    }

    /// A kept connection for this peer entry that has not been idle for too long, the one used last first.
    pub(super) fn take_idle(&mut self, caller: NodeId, peer: u32) -> Option<(Target, u32)> {
        let node = &mut self.nodes[caller.index()];
        let entry = &mut node.peers[peer as usize];
        let first = entry.idle?;
        let limit = node.pools[entry.pool.index()].idle;
        if self.now.since(self.connections[first].idle_since) >= limit {
            // The others have been idle for longer.
            entry.open -= drop_idle(&mut self.connections, &mut entry.idle);
            return None;
        }
        let Connection { server, life, next, .. } = self.connections.remove(first);
        entry.idle = next;
        Some((Target::Process(server, self.nodes[server.index()].host), life))
    }

    /// The connection of a call that has ended well goes to who waits for one, or becomes idle.
    pub(super) fn keep_connection(&mut self, index: u32) {
        let call = &self.calls[index];
        let (target, life) = (call.target, call.life);
        let Target::Process(server, _) = target else { unreachable!("a process has answered") };
        let entry = &mut self.nodes[call.caller.index()].peers[call.peer as usize];
        if let Some(next) = entry.next_waiting() {
            let call = &mut self.calls[next];
            (call.target, call.life) = (target, life);
            self.send_request(next);
            return;
        }
        let idle = Connection { server, life, idle_since: self.now, next: entry.idle };
        entry.idle = Some(self.connections.insert(idle));
    }

    /// The connection of a call is no longer of use; who waits for one may make another.
    pub(super) fn drop_connection(&mut self, index: u32) {
        let call = &self.calls[index];
        let entry = &mut self.nodes[call.caller.index()].peers[call.peer as usize];
        if call.stage == Stage::Waiting {
            if let Some(waiting) = &mut entry.waiting {
                waiting.retain(|waiting| *waiting != index);
            }
        } else if let Some(next) = entry.next_waiting() {
            self.connect(next);
        } else {
            entry.open -= 1;
        }
    }

    /// A caller is gone, and with it all of its connections.
    pub(super) fn close_pools(&mut self, caller: NodeId) {
        let Simulation { nodes, connections, .. } = self;
        for peer in &mut nodes[caller.index()].peers {
            peer.open = 0;
            peer.waiting = None;
            drop_idle(connections, &mut peer.idle);
        }
    }

    /// Idle connections between such hosts are gone, and their callers notice.
    pub(super) fn reset_idle(&mut self, hosts: &[HostId], between: impl Fn(HostId, HostId) -> bool) {
        let Simulation { nodes, connections, .. } = self;
        for node in nodes {
            for peer in &mut node.peers {
                let mut rest = peer.idle.take();
                while let Some(first) = rest {
                    let connection = &mut connections[first];
                    rest = connection.next;
                    if between(node.host, hosts[connection.server.index()]) {
                        connections.remove(first);
                        peer.open -= 1;
                    } else {
                        connection.next = peer.idle.replace(first);
                    }
                }
            }
        }
    }
}

/// Closes a chain of idle connections and says how many they were.
fn drop_idle(connections: &mut Slab<Connection>, idle: &mut Option<u32>) -> u32 {
    let mut count = 0;
    while let Some(first) = *idle {
        *idle = connections.remove(first).next;
        count += 1;
    }
    count
}
