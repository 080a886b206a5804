//! Connection pools: which connections a caller keeps, who waits for one, and which of its calls are open.
//!
//! Separate from the calls because it is the caller's bookkeeping alone. Open calls hang on a chain through the
//! table of calls, so that one of ten thousand clients costs little and allocates nothing for a call.

use std::collections::VecDeque;

use crate::plan::world::{HostId, PoolPolicy};
use crate::protocol::{Address, CallId, NodeId, PoolId, Protocol, SimTime};

use super::Simulation;
use super::calls::{Exchange, Stage, Target};

/// An address that a process has called from one pool, or sent to: its connections, and how many messages there were. One for
/// the life of the run, so that a restart does not repeat draws.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    pub to: Address,
    pub pool: PoolId,
    pub counter: u32,
    /// Connections that exist or are being made.
    pub open: u32,
    /// The connection used last of those that are idle.
    last: Option<Connection>,
    /// What hardly any client ever has.
    more: Option<Box<More>>,
}

/// A connection that waits for its next call.
#[derive(Clone, Copy, Debug)]
struct Connection {
    server: NodeId,
    /// The life of the server that accepted it.
    life: u32,
    idle_since: SimTime,
}

#[derive(Clone, Debug, Default)]
struct More {
    /// The other idle connections, the longest idle first.
    idle: Vec<Connection>,
    /// Calls that wait for a connection.
    waiting: VecDeque<u32>,
}

impl Peer {
    pub fn new(to: Address, pool: PoolId) -> Peer {
        Peer { to, pool, counter: 0, open: 0, last: None, more: None }
    }

    /// Lets a call wait for a connection.
    pub fn wait(&mut self, call: u32) {
        self.more.get_or_insert_default().waiting.push_back(call);
    }

    fn next_waiting(&mut self) -> Option<u32> {
        self.more.as_mut()?.waiting.pop_front()
    }

    fn add_idle(&mut self, connection: Connection) {
        if let Some(older) = self.last.replace(connection) {
            self.more.get_or_insert_default().idle.push(older);
        }
    }

    fn take_idle(&mut self) -> Option<Connection> {
        let last = self.last.take()?;
        self.last = self.more.as_mut().and_then(|more| more.idle.pop());
        Some(last)
    }

    /// Closes the connection that has been idle for longest.
    fn take_idle_oldest(&mut self) -> Option<Connection> {
        let oldest = self.more.as_mut().filter(|more| !more.idle.is_empty()).map(|more| more.idle.remove(0));
        let closed = oldest.or_else(|| self.last.take())?;
        self.open -= 1;
        Some(closed)
    }

    fn drop_idle(&mut self, gone: impl Fn(&Connection) -> bool) {
        let open = &mut self.open;
        let mut stays = |idle: &Connection| {
            let gone = gone(idle);
            *open -= u32::from(gone);
            !gone
        };
        self.last = self.last.take_if(|idle| stays(idle));
        if let Some(more) = &mut self.more {
            more.idle.retain(stays);
            self.last = self.last.or_else(|| more.idle.pop());
        }
    }
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
        let limit = node.pools[entry.pool.index()].idle;
        let now = self.now;
        if now.since(entry.last?.idle_since) >= limit {
            // The others have been idle for longer.
            entry.drop_idle(|_| true);
            return None;
        }
        let Connection { server, life, .. } = entry.take_idle()?;
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
        entry.add_idle(Connection { server, life, idle_since: self.now });
        self.serve_starved(index);
    }

    /// The connection of a call is no longer of use; who waits for one may make another.
    pub(super) fn drop_connection(&mut self, index: u32) {
        let call = &self.calls[index];
        let entry = &mut self.nodes[call.caller.index()].peers[call.peer as usize];
        if call.stage == Stage::Waiting {
            if let Some(more) = &mut entry.more {
                more.waiting.retain(|waiting| *waiting != index);
            }
        } else if let Some(next) = entry.next_waiting() {
            self.connect(next);
        } else {
            entry.open -= 1;
            self.serve_starved(index);
        }
    }

    /// Whether a connection more may be made for this peer entry. Where the whole pool is full, an idle connection to another address
    /// is closed for it.
    pub(super) fn make_room(&mut self, caller: NodeId, peer: u32) -> bool {
        let node = &mut self.nodes[caller.index()];
        let Peer { pool, open, .. } = node.peers[peer as usize];
        let PoolPolicy { max_per_address, max_total, .. } = node.pools[pool.index()];
        if open >= max_per_address.max(1) {
            return false;
        }
        let of_pool = || node.peers.iter().filter(|other| other.pool == pool);
        if of_pool().map(|other| other.open).sum::<u32>() < max_total.max(1) {
            return true;
        }
        let mut others = node.peers.iter_mut().filter(|other| other.pool == pool);
        let closed = others.find_map(Peer::take_idle_oldest).is_some();
        self.starved |= !closed;
        closed
    }

    /// There is room in the pool of a call again: a call to another address that waits for it gets it.
    fn serve_starved(&mut self, index: u32) {
        if !self.starved {
            return;
        }
        let Exchange { caller, pool, .. } = self.calls[index];
        let peers = &self.nodes[caller.index()].peers;
        let waits = |peer: &Peer| peer.more.as_ref().is_some_and(|more| !more.waiting.is_empty());
        let Some(peer) = peers.iter().position(|peer| peer.pool == pool && waits(peer)) else { return };
        if self.make_room(caller, peer as u32) {
            let entry = &mut self.nodes[caller.index()].peers[peer];
            entry.open += 1;
            let next = entry.next_waiting().expect("one waits");
            self.connect(next);
        }
    }

    /// A caller is gone, and with it all of its connections.
    pub(super) fn close_pools(&mut self, caller: NodeId) {
        for peer in &mut self.nodes[caller.index()].peers {
            (peer.open, peer.last, peer.more) = (0, None, None);
        }
    }

    /// Idle connections between such hosts are gone, and their callers notice.
    pub(super) fn reset_idle(&mut self, hosts: &[HostId], between: impl Fn(HostId, HostId) -> bool) {
        for node in &mut self.nodes {
            for peer in &mut node.peers {
                peer.drop_idle(|idle| between(node.host, hosts[idle.server.index()]));
            }
        }
    }
}
