//! Conflict resolution: all servers of a cluster come to hold the newest version of a live instance of it.
//!
//! Premise: a [quiet time](super::quiet), the owner is alive, at least one server has heard of its newest version, and no operator
//! interfered with it.

use super::cluster::Cluster;
use super::convergence::seconds;
use super::quiet::Quiet;
use super::verdict::{Finding, Verdict};
use crate::history::{Record, What};
use crate::plan::world::World;
use crate::protocol::{InstanceId, NodeId, Operation, SimTime};

/// The fold.
#[derive(Clone, Debug)]
pub struct Conflict {
    /// Whether an operator touched the instance.
    meddled: Vec<bool>,
    compared: u64,
    witness: Option<(SimTime, String)>,
}

impl Conflict {
    /// Before the run.
    pub fn new(world: &World) -> Conflict {
        Conflict { meddled: vec![false; world.instances.len()], compared: 0, witness: None }
    }

    /// Takes in one record.
    pub fn record(&mut self, record: &Record, quiet: &Quiet) {
        if let What::Invoked { node, operation, .. } = &record.what
            && quiet.servers().contains(node)
        {
            match operation {
                Operation::SetStatus { instance, .. }
                | Operation::ClearStatus { instance, .. }
                | Operation::Register { instance }
                | Operation::Renew { instance }
                | Operation::Deregister { instance } => self.meddled[instance.index()] = true,
                Operation::SetOwnStatus { .. }
                | Operation::LookUp { .. }
                | Operation::SetMetadata { .. }
                | Operation::SetHealth { .. }
                | Operation::SetGroup { .. } => {}
            }
        }
    }

    /// A quiet time: compares the servers of each cluster.
    pub fn compare(&mut self, at: SimTime, cluster: &Cluster<'_>, quiet: &Quiet) {
        for mesh in quiet.meshes() {
            self.compare_mesh(at, cluster, mesh);
        }
    }

    fn compare_mesh(&mut self, at: SimTime, cluster: &Cluster<'_>, mesh: &[NodeId]) {
        let home = cluster.world().cluster(mesh[0]);
        for index in 0..self.meddled.len() {
            let instance = InstanceId(index as u32);
            let truth = cluster.truth(instance);
            if cluster.home(instance) != home {
                continue;
            }
            let Some((_, version)) = truth.announced.filter(|_| truth.alive && !self.meddled[index]) else {
                continue;
            };
            let holds = |node: &&NodeId| {
                cluster
                    .held(**node)
                    .is_some_and(|held| held.get(instance).is_some_and(|(_, held)| held == version))
            };
            let running = || mesh.iter().filter(|node| cluster.runs(**node));
            if !running().any(|node| holds(&node)) {
                continue;
            }
            self.compared += 1;
            if let Some(stale) = running().find(|node| !holds(node)) {
                let world = cluster.world();
                let held = cluster.held(*stale).and_then(|held| held.get(instance));
                let detail = format!(
                    "{} holds {} of {}, whose newest version is {version}",
                    world.processes[stale.index()].name,
                    held.map_or_else(
                        || "nothing".to_owned(),
                        |(status, held)| format!("{status} at version {held}")
                    ),
                    world.instances[index],
                );
                self.witness.get_or_insert((at, detail));
            }
        }
    }

    /// Judges at the end of a run.
    pub fn finish(&self, end: SimTime, quiet: &Quiet) -> Finding {
        let name = crate::plan::Invariant::ConflictResolution.name().to_owned();
        let held =
            format!("all servers held the newest version in {} comparisons in quiet times", self.compared);
        judged(name, self.witness.as_ref(), self.compared, quiet, end, held)
    }
}

/// What was found of a check that compares servers in quiet times.
pub(super) fn judged(
    name: String,
    witness: Option<&(SimTime, String)>,
    compared: u64,
    quiet: &Quiet,
    end: SimTime,
    held: String,
) -> Finding {
    let (verdict, at, detail) = match (witness, quiet.settled_after()) {
        (Some((at, detail)), _) => (Verdict::Violated, Some(*at), detail.clone()),
        (None, None) => (
            Verdict::Inconclusive,
            None,
            "there are not several servers that replicate to each other".to_owned(),
        ),
        (None, Some(settled_after)) if compared == 0 => {
            let detail = format!("no quiet time lasted {}", seconds(settled_after));
            (Verdict::Inconclusive, None, detail)
        }
        (None, Some(_)) => (Verdict::Holds, Some(end), held),
    };
    Finding { name, verdict, at, detail, expected: false }
}
