//! No replication loop: what a server was told by another it does not tell further.
//!
//! A replicated write about an instance must come from a server that was itself asked by the owner, or by an operator: if all of them
//! only ever asked *this* server, somebody has told it further. Premise: so far only one server was asked about the instance; no
//! balancer, alias or change of the address book may lead a server's messages back to itself; of
//! instances that are servers themselves nothing is said (they heart-beat at each other to open connections).

use super::cluster::Cluster;
use super::verdict::{Finding, Verdict};
use crate::history::{Record, What};
use crate::plan::Invariant;
use crate::plan::world::{AddressEntry, Behind, Fault, Role, World};
use crate::protocol::{Event, InstanceId, NodeId, Operation, Origin, SimTime};

/// Which servers owner and operators have asked about an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Asked(u32);

impl Asked {
    const NONE: Asked = Asked(u32::MAX);
    const SEVERAL: Asked = Asked(u32::MAX - 1);
}

/// Whether a server's message to a peer may come back to itself: by a balancer, an alias, or an address book that changes.
fn leads_back(world: &World) -> bool {
    let behind = |entry: &AddressEntry| match &entry.behind {
        Behind::Processes(processes) => processes.clone(),
        Behind::Nothing(_) | Behind::NoHost | Behind::Multicast(_) => Vec::new(),
    };
    let mut reached: Vec<NodeId> = world.addresses.iter().flat_map(behind).collect();
    let all = reached.len();
    reached.sort_unstable();
    reached.dedup();
    let balanced = world.addresses.iter().any(|entry| behind(entry).len() > 1);
    balanced
        || reached.len() < all
        || world.steps.iter().any(|step| matches!(step.fault, Fault::Resolve { .. }))
}

/// The fold. A word an instance, because it is read for every renewal.
#[derive(Clone, Debug)]
pub struct Replication {
    asked: Vec<Asked>,
    judged: u64,
    witness: Option<(SimTime, String)>,
}

impl Replication {
    /// Before the run.
    pub fn new(world: &World) -> Replication {
        let before = if leads_back(world) { Asked::SEVERAL } else { Asked::NONE };
        let mut asked = vec![before; world.instances.len()];
        let servers = world.processes.iter().filter(|process| process.role == Role::Server);
        for (_, instance) in servers.filter_map(|process| process.instance) {
            asked[instance.index()] = Asked::SEVERAL;
        }
        Replication { asked, judged: 0, witness: None }
    }

    /// Takes in one record.
    pub fn record(&mut self, record: &Record, cluster: &Cluster<'_>) {
        match &record.what {
            What::Event { node, event } => match event {
                Event::Renewed { instance, origin }
                | Event::Registered { instance, origin, .. }
                | Event::Changed { instance, origin, .. }
                | Event::Deregistered { instance, origin } => match origin {
                    Origin::Client => self.ask(*node, *instance),
                    Origin::Replica => self.replicated(record, *node, *instance, event, cluster.world()),
                    Origin::Sync => {}
                },
                _ => {}
            },
            What::Invoked { node, operation, .. } if cluster.held(*node).is_some() => match operation {
                Operation::Register { instance }
                | Operation::Renew { instance }
                | Operation::Deregister { instance }
                | Operation::SetStatus { instance, .. }
                | Operation::SetOwnStatus { instance, .. }
                | Operation::ClearStatus { instance, .. }
                | Operation::SetMetadata { instance, .. } => self.ask(*node, *instance),
                Operation::SetGroup { .. } => self.asked.fill(Asked::SEVERAL),
                Operation::LookUp { .. } | Operation::SetHealth { .. } => {}
            },
            _ => {}
        }
    }

    #[inline]
    fn ask(&mut self, node: NodeId, instance: InstanceId) {
        let asked = &mut self.asked[instance.index()];
        if asked.0 != node.0 {
            *asked = if *asked == Asked::NONE { Asked(node.0) } else { Asked::SEVERAL };
        }
    }

    #[inline]
    fn replicated(
        &mut self,
        record: &Record,
        node: NodeId,
        instance: InstanceId,
        event: &Event,
        world: &World,
    ) {
        let asked = self.asked[instance.index()];
        if asked == Asked::SEVERAL {
            return;
        }
        self.judged += 1;
        if asked == Asked::NONE || asked.0 == node.0 {
            self.witness.get_or_insert_with(|| {
                let (server, name) =
                    (&world.processes[node.index()].name, &world.instances[instance.index()]);
                let who = if asked == Asked::NONE {
                    "nobody had asked any server"
                } else {
                    "only it was ever asked"
                };
                (
                    record.at,
                    format!("{server} was told of {name} by another server ({}), but {who}", event.name()),
                )
            });
        }
    }

    /// Judges at the end of a run.
    pub fn finish(&self) -> Finding {
        let (verdict, at, detail) = match &self.witness {
            Some((at, detail)) => (Verdict::Violated, Some(*at), detail.clone()),
            None if self.judged == 0 => (Verdict::Inconclusive, None, "nothing was replicated, or more than one server was asked, or messages may come back to a server".to_owned()),
            None => {
                let detail =
                    format!("all of {} replicated writes came from the server that was asked", self.judged);
                (Verdict::Holds, None, detail)
            }
        };
        let name = Invariant::NoReplicationLoop.name().to_owned();
        Finding { name, verdict, at, detail, expected: false }
    }
}
