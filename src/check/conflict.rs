//! Conflict resolution: all servers come to hold the newest version of a live instance.
//!
//! Premise: the servers replicate to each other, the owner is alive, at least one server has heard of its newest version, no operator
//! interfered with it, and nothing has been disturbed for a heartbeat plus 3 s (a heartbeat finds the difference; two passes of the
//! replication, 500 ms each, and their exchanges repair it).

use std::time::Duration;

use super::Premises;
use super::cluster::Cluster;
use super::convergence::seconds;
use super::verdict::{Finding, Verdict};
use crate::history::{Record, What};
use crate::plan::world::{Role, World};
use crate::protocol::{Event, InstanceId, NodeId, Operation, SimTime};

/// Time for two passes of the replication and their exchanges.
const REPAIR: Duration = Duration::from_secs(3);

/// The fold.
#[derive(Clone, Debug)]
pub struct Conflict {
    /// Heartbeat plus repair, the slowest instance's; none if the premise can never hold.
    settled_after: Option<Duration>,
    servers: Vec<NodeId>,
    /// Whether an operator touched the instance.
    meddled: Vec<bool>,
    /// Lasting faults that are active.
    active: u32,
    lasting: Vec<bool>,
    quiet_since: SimTime,
    judged_quiet: bool,
    compared: u64,
    witness: Option<(SimTime, String)>,
}

impl Conflict {
    /// Before the run.
    pub fn new(world: &World, premises: &Premises) -> Conflict {
        let servers: Vec<NodeId> = world
            .processes
            .iter()
            .enumerate()
            .filter(|(_, process)| process.role == Role::Server)
            .map(|(at, _)| NodeId(at as u32))
            .collect();
        let slowest = premises.leases.iter().flatten().map(|terms| terms.renewal_interval).max();
        let possible = premises.full_mesh && servers.len() > 1;
        Conflict {
            settled_after: slowest.filter(|_| possible).map(|interval| interval + REPAIR),
            servers,
            meddled: vec![false; world.instances.len()],
            active: 0,
            lasting: world.steps.iter().map(|step| step.until.is_some()).collect(),
            quiet_since: SimTime::ZERO,
            judged_quiet: false,
            compared: 0,
            witness: None,
        }
    }

    /// One record, before it takes effect on the cluster: a quiet time may end here, or may have lasted long enough.
    pub fn before(&mut self, record: &Record, cluster: &Cluster<'_>) {
        let Some(settled_after) = self.settled_after else { return };
        let settled = self.active == 0 && record.at > self.quiet_since + settled_after;
        if settled && (!self.judged_quiet || disturbs(record)) {
            self.compare(record.at, cluster);
            self.judged_quiet = true;
        }
        if disturbs(record) {
            self.quiet_since = record.at;
            self.judged_quiet = false;
        }
        match &record.what {
            What::Step { step, began } if self.lasting[*step as usize] => {
                self.active = if *began { self.active + 1 } else { self.active - 1 };
            }
            What::Invoked { node, operation, .. } if self.servers.contains(node) => match operation {
                Operation::SetStatus { instance, .. }
                | Operation::ClearStatus { instance }
                | Operation::Register { instance }
                | Operation::Renew { instance }
                | Operation::Deregister { instance } => self.meddled[instance.index()] = true,
                Operation::LookUp { .. }
                | Operation::SetMetadata { .. }
                | Operation::SetHealth { .. }
                | Operation::SetGroup { .. } => {}
            },
            _ => {}
        }
    }

    fn compare(&mut self, at: SimTime, cluster: &Cluster<'_>) {
        for index in 0..self.meddled.len() {
            let instance = InstanceId(index as u32);
            let truth = cluster.truth(instance);
            let Some((_, version)) = truth.announced.filter(|_| truth.alive && !self.meddled[index]) else {
                continue;
            };
            let holds = |node: &&NodeId| {
                cluster
                    .held(**node)
                    .is_some_and(|held| held.get(instance).is_some_and(|(_, held)| held == version))
            };
            let running = || self.servers.iter().filter(|node| cluster.runs(**node));
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
    pub fn finish(&self, end: SimTime, cluster: &Cluster<'_>) -> Finding {
        let mut last = self.clone();
        if let Some(settled_after) = last.settled_after
            && last.active == 0
            && end > last.quiet_since + settled_after
        {
            last.compare(end, cluster);
        }
        let name = crate::plan::Invariant::ConflictResolution.name().to_owned();
        let (verdict, at, detail) = match (last.witness, last.settled_after) {
            (Some((at, detail)), _) => (Verdict::Violated, Some(at), detail),
            (None, None) => (
                Verdict::Inconclusive,
                None,
                "there are not several servers that replicate to each other".to_owned(),
            ),
            (None, Some(settled_after)) if last.compared == 0 => {
                let detail = format!("no quiet time lasted {}", seconds(settled_after));
                (Verdict::Inconclusive, None, detail)
            }
            (None, Some(_)) => {
                let detail = format!(
                    "all servers held the newest version in {} comparisons in quiet times",
                    self.compared
                );
                (Verdict::Holds, Some(end), detail)
            }
        };
        Finding { name, verdict, at, detail, expected: false }
    }
}

/// Whether a record ends a quiet time.
fn disturbs(record: &Record) -> bool {
    match &record.what {
        What::Step { .. }
        | What::Started { .. }
        | What::Stopping { .. }
        | What::Ended { .. }
        | What::Paused { .. }
        | What::Event { event: Event::Announced { .. }, .. } => true,
        What::Event { .. }
        | What::Invoked { .. }
        | What::Completed { .. }
        | What::Traffic { .. }
        | What::Disk { .. } => false,
    }
}
