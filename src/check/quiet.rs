//! Quiet times: nothing has been disturbed for so long that differences between servers must have been repaired.
//!
//! Premise of all that is expected of a whole cluster: its servers replicate to each other and repair what differs, no fault is
//! in force, and nothing has happened for a heartbeat plus 3 s (a heartbeat finds the difference; two passes of the replication,
//! 500 ms each, and their exchanges repair it). A quiet time is one of all clusters, as a fault may be in the way of any.

use std::time::Duration;

use super::Premises;
use crate::history::{Record, What};
use crate::plan::world::{Role, World};
use crate::protocol::{Event, NodeId, SimTime};

/// Time for two passes of the replication and their exchanges.
pub const REPAIR: Duration = Duration::from_secs(3);

/// The fold.
#[derive(Clone, Debug)]
pub struct Quiet {
    /// Heartbeat plus repair, the slowest instance's; none if the premise can never hold.
    settled_after: Option<Duration>,
    servers: Vec<NodeId>,
    /// The servers of each cluster that is compared.
    meshes: Vec<Vec<NodeId>>,
    /// Lasting faults that are in force.
    active: u32,
    lasting: Vec<bool>,
    quiet_since: SimTime,
    judged: bool,
}

impl Quiet {
    /// Before the run.
    pub fn new(world: &World, premises: &Premises) -> Quiet {
        let servers: Vec<NodeId> = world
            .processes
            .iter()
            .enumerate()
            .filter(|(_, process)| process.role == Role::Server)
            .map(|(at, _)| NodeId(at as u32))
            .collect();
        let slowest = premises.leases.iter().flatten().map(|terms| terms.renewal_interval).max();
        let meshes = world.servers_by_cluster().into_iter().zip(&premises.repairing_meshes);
        let meshes: Vec<Vec<NodeId>> = meshes
            .filter(|(servers, repairs)| **repairs && servers.len() > 1)
            .map(|(mesh, _)| mesh)
            .collect();
        Quiet {
            settled_after: slowest.filter(|_| !meshes.is_empty()).map(|interval| interval + REPAIR),
            servers,
            meshes,
            active: 0,
            lasting: world.steps.iter().map(|step| step.fault.lasts()).collect(),
            quiet_since: SimTime::ZERO,
            judged: false,
        }
    }

    /// One record, before it takes effect on the cluster. Returns whether it is time to compare the servers: a quiet time has
    /// lasted long enough, or ends here.
    pub fn before(&mut self, record: &Record) -> bool {
        let Some(settled_after) = self.settled_after else { return false };
        let disturbs = disturbs(record);
        if self.judged && !disturbs {
            return false;
        }
        let settled = self.active == 0 && record.at > self.quiet_since + settled_after;
        self.judged |= settled;
        if disturbs {
            self.quiet_since = record.at;
            self.judged = false;
        }
        if let What::Step { step, began } = &record.what
            && self.lasting[*step as usize]
        {
            self.active = if *began { self.active + 1 } else { self.active - 1 };
        }
        settled
    }

    /// Whether the run ends in a quiet time.
    pub fn at_end(&self, end: SimTime) -> bool {
        self.settled_after.is_some_and(|after| self.active == 0 && end > self.quiet_since + after)
    }

    /// The servers of each cluster whose servers must come to hold the same.
    pub fn meshes(&self) -> &[Vec<NodeId>] {
        &self.meshes
    }

    /// All servers.
    pub fn servers(&self) -> &[NodeId] {
        &self.servers
    }

    /// How long a quiet time must last; none if there can be none.
    pub fn settled_after(&self) -> Option<Duration> {
        self.settled_after
    }
}

/// Whether a record ends a quiet time.
fn disturbs(record: &Record) -> bool {
    match &record.what {
        // What is held back by a fault may arrive when it is over: a removal is told once, and repaired with the next heartbeat.
        What::Event { event: Event::Announced { .. } | Event::Deregistered { .. }, .. } => true,
        What::Event { .. } => false,
        _ => disrupts(record),
    }
}

/// Whether something outside the protocol happens: a step, or a process that begins, ends or stands still.
pub fn disrupts(record: &Record) -> bool {
    match &record.what {
        What::Step { .. }
        | What::Started { .. }
        | What::Stopping { .. }
        | What::Ended { .. }
        | What::Paused { .. } => true,
        What::Event { .. }
        | What::Invoked { .. }
        | What::Completed { .. }
        | What::Traffic { .. }
        | What::Disk { .. } => false,
    }
}
