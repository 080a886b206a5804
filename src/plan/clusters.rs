//! Which processes belong to one cluster: whoever has two servers in one list takes them for one registry.
//!
//! The lists are those of the product: the peers of a server, which are also where it registers itself, and the servers of a
//! client. They unite, over the whole run: what stands behind an address at any time counts, and so do settings that a process
//! gets later. Other regions do not: a server that fetches another region's registry shows it, and stays what it is. A process
//! whose list leads to no server is of the first cluster, where it will be missed.
//!
//! Separate because it is computed from the settings of a protocol, which [`World`] does not know.

use super::world::{Behind, ClusterId, Fault, Role, World};
use crate::protocol::eureka::Config;
use crate::protocol::{Address, NodeId, SimTime};
use std::sync::Arc;

/// What each process is told, and from when on: first all processes in order, then what steps change. Where a process may find
/// servers is in `service_urls` of its client.
pub fn told<'a>(
    world: &'a World,
    configs: &'a [Arc<Config>],
) -> impl Iterator<Item = (SimTime, NodeId, &'a Config)> {
    let at_start = (0..world.processes.len()).map(|at| (SimTime::ZERO, NodeId(at as u32), at));
    let later = world.steps.iter().filter_map(|step| match &step.fault {
        Fault::Reconfigure { process, config } => Some((step.at, *process, *config as usize)),
        _ => None,
    });
    at_start.chain(later).filter_map(|(from, node, config)| Some((from, node, &**configs.get(config)?)))
}

/// The cluster of each process. Clusters are counted in the order of their first servers.
pub fn of(world: &World, configs: &[Arc<Config>]) -> Vec<ClusterId> {
    let mut sets = Sets((0..world.processes.len()).collect());
    let behind = ever_behind(world);
    for (_, node, config) in told(world, configs) {
        for url in config.client().service_urls.iter() {
            behind[url.address.index()].iter().for_each(|server| sets.unite(node.index(), server.index()));
        }
    }
    let mut clusters: Vec<Option<ClusterId>> = vec![None; world.processes.len()];
    let mut count = 0;
    for (at, process) in world.processes.iter().enumerate() {
        if process.role == Role::Server {
            clusters[sets.root(at)].get_or_insert_with(|| {
                count += 1;
                ClusterId(count - 1)
            });
        }
    }
    (0..world.processes.len()).map(|at| clusters[sets.root(at)].unwrap_or(ClusterId(0))).collect()
}

/// The processes that stand behind each address at any time.
fn ever_behind(world: &World) -> Vec<Vec<NodeId>> {
    let mut all: Vec<Vec<NodeId>> = vec![Vec::new(); world.addresses.len()];
    let mut add = |address: Address, behind: &Behind| match behind {
        Behind::Processes(nodes) | Behind::Multicast(nodes) => all[address.index()].extend(nodes),
        Behind::Nothing(_) | Behind::NoHost => {}
    };
    for (at, entry) in world.addresses.iter().enumerate() {
        add(Address(at as u32), &entry.behind);
    }
    for step in &world.steps {
        if let Fault::Resolve { address, behind } = &step.fault {
            add(*address, behind);
        }
    }
    all
}

/// Disjoint sets of processes: each names another one of its set, and the first of a set itself.
struct Sets(Vec<usize>);

impl Sets {
    fn root(&mut self, mut at: usize) -> usize {
        while self.0[at] != at {
            // The way is halved, so that the next one who goes it is faster.
            self.0[at] = self.0[self.0[at]];
            at = self.0[at];
        }
        at
    }

    fn unite(&mut self, one: usize, other: usize) {
        let (one, other) = (self.root(one), self.root(other));
        self.0[one.max(other)] = one.min(other);
    }
}
