//! The servers agree: all of one cluster hold the same status and version of every live instance of it, or all hold nothing.
//!
//! Premise: a [quiet time](super::quiet), and the owner is alive and was heard within a heartbeat and the time for repair. What an
//! operator has set with a status override may differ in status alone: an override whose replication was lost is not repaired.

use std::sync::Arc;

use super::cluster::Cluster;
use super::conflict::judged;
use super::eviction::Eviction;
use super::quiet::{Quiet, REPAIR};
use super::verdict::Finding;
use super::{LeaseTerms, Premises};
use crate::history::{Record, What};
use crate::plan::world::World;
use crate::protocol::{InstanceId, NodeId, Operation, SimTime, Status};

/// The fold.
#[derive(Clone, Debug)]
pub struct Agreement {
    leases: Arc<[Option<LeaseTerms>]>,
    /// Whether an operator ever overrode the status.
    overridden: Vec<bool>,
    compared: u64,
    witness: Option<(SimTime, String)>,
}

impl Agreement {
    /// Before the run.
    pub fn new(world: &World, premises: &Premises) -> Agreement {
        Agreement {
            leases: Arc::clone(&premises.leases),
            overridden: vec![false; world.instances.len()],
            compared: 0,
            witness: None,
        }
    }

    /// Takes in one record.
    pub fn record(&mut self, record: &Record, quiet: &Quiet) {
        let What::Invoked { node, operation, .. } = &record.what else { return };
        if !quiet.servers().contains(node) {
            return;
        }
        match operation {
            Operation::SetStatus { instance, .. } | Operation::ClearStatus { instance, .. } => {
                self.overridden[instance.index()] = true;
            }
            // Whose status that changes is known to the servers alone, and not at one time.
            Operation::SetGroup { .. } => self.overridden.fill(true),
            Operation::Register { .. }
            | Operation::Renew { .. }
            | Operation::Deregister { .. }
            | Operation::SetOwnStatus { .. }
            | Operation::LookUp { .. }
            | Operation::SetMetadata { .. }
            | Operation::SetHealth { .. } => {}
        }
    }

    /// A quiet time: compares the servers of each cluster.
    pub fn compare(&mut self, at: SimTime, cluster: &Cluster<'_>, quiet: &Quiet, heard: &Eviction) {
        for mesh in quiet.meshes() {
            self.compare_mesh(at, cluster, mesh, heard);
        }
    }

    fn compare_mesh(&mut self, at: SimTime, cluster: &Cluster<'_>, mesh: &[NodeId], heard: &Eviction) {
        let servers = || mesh.iter().filter(|node| cluster.runs(**node));
        let home = cluster.world().cluster(mesh[0]);
        for index in 0..self.overridden.len() {
            let instance = InstanceId(index as u32);
            let Some(terms) = self.leases.get(index).copied().flatten() else { continue };
            let recent = |heard: SimTime| at.since(heard) <= terms.renewal_interval + REPAIR;
            let beats = || servers().any(|node| heard.last_heard(*node, instance).is_some_and(recent));
            if cluster.home(instance) != home || !cluster.truth(instance).alive || !beats() {
                continue;
            }
            self.compared += 1;
            let held = |node| -> Option<(Option<Status>, i64)> {
                let (status, version) = cluster.held(node)?.get(instance)?;
                Some(((!self.overridden[index]).then_some(status), version))
            };
            let mut running = servers();
            let Some(first) = running.next() else { continue };
            if let Some(other) = running.find(|node| held(**node) != held(*first)) {
                let world = cluster.world();
                let said = |node: NodeId| {
                    let name = &world.processes[node.index()].name;
                    match cluster.held(node).and_then(|held| held.get(instance)) {
                        Some((status, version)) => format!("{name} holds {status} at version {version}"),
                        None => format!("{name} holds nothing"),
                    }
                };
                let detail = format!("{}: {}, {}", world.instances[index], said(*first), said(*other));
                self.witness.get_or_insert((at, detail));
            }
        }
    }

    /// Judges at the end of a run.
    pub fn finish(&self, end: SimTime, quiet: &Quiet) -> Finding {
        let name = crate::plan::Invariant::ServersAgree.name().to_owned();
        let held = format!("all servers held the same in {} comparisons in quiet times", self.compared);
        judged(name, self.witness.as_ref(), self.compared, quiet, end, held)
    }
}
