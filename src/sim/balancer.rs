//! Balancers that look after those behind them: one that does not answer gets no new connections until it answers again.
//!
//! Separate because it is state of an address and not of a host. The checks are the driver's own and cross no path: a balancer stands
//! where everybody can reach it, and a cut between it and a process is not modelled. Connections that exist are left alone, as by a
//! balancer of TCP. When all seem dead they are taken in turn, all of them: it fails open.

use crate::plan::world::{Behind, HealthCheck};
use crate::protocol::{Address, NodeId, Protocol};

use super::{Due, Simulation};

/// A balancer's opinion of those behind it.
#[derive(Clone, Debug)]
pub(super) struct Checked {
    check: HealthCheck,
    members: Vec<Member>,
}

#[derive(Clone, Copy, Debug)]
struct Member {
    node: NodeId,
    up: bool,
    /// Checks in a row that contradict the opinion.
    against: u32,
}

impl Checked {
    pub fn new(check: &HealthCheck) -> Checked {
        Checked { check: check.clone(), members: Vec::new() }
    }

    /// Takes in one check.
    fn seen(&mut self, node: NodeId, answers: bool) {
        let at = self.members.iter().position(|member| member.node == node).unwrap_or_else(|| {
            self.members.push(Member { node, up: true, against: 0 });
            self.members.len() - 1
        });
        let member = &mut self.members[at];
        if member.up == answers {
            member.against = 0;
            return;
        }
        member.against += 1;
        let needed = if member.up { self.check.fall } else { self.check.rise };
        if member.against >= needed {
            (member.up, member.against) = (answers, 0);
        }
    }
}

impl<P: Protocol> Simulation<P> {
    /// The first check of each balancer.
    pub(super) fn begin_checks(&mut self) {
        for (index, checked) in (0..).zip(&self.checks) {
            self.queue.push(self.now + checked.check.every, Due::Check(index));
        }
    }

    /// It is time for a balancer to look after those behind it.
    pub(super) fn on_check(&mut self, index: u32) {
        let checked = &mut self.checks[index as usize];
        if let Behind::Processes(processes) = &self.addresses[checked.check.address.index()].behind {
            for id in processes {
                let node = &self.nodes[id.index()];
                let accepts = node.listening() && self.hosts[node.host.index()].on;
                checked.seen(*id, accepts && (node.pauses == 0 || !checked.check.get));
            }
        }
        self.queue.push(self.now + checked.check.every, Due::Check(index));
    }

    /// Whether a balancer takes this process for dead.
    pub(super) fn passed_over(&self, address: Address, node: NodeId) -> bool {
        let checked = self.checks.iter().find(|checked| checked.check.address == address);
        checked.is_some_and(|checked| checked.members.iter().any(|member| member.node == node && !member.up))
    }
}
