//! The version of an instance at a server never goes back. Premise: the server lists it all the while; what it has removed it does
//! not remember.

use super::cluster::Cluster;
use super::verdict::{Finding, Verdict};
use crate::history::{Record, What};
use crate::plan::Invariant;
use crate::protocol::{Event, SimTime};

/// The fold.
#[derive(Clone, Debug, Default)]
pub struct Version {
    compared: u64,
    witness: Option<(SimTime, String)>,
}

impl Version {
    /// Takes in one record; `cluster` is the state before it.
    pub fn record(&mut self, record: &Record, cluster: &Cluster<'_>) {
        let What::Event { node, event } = &record.what else { return };
        let (Event::Registered { instance, version, .. } | Event::Changed { instance, version, .. }) = event
        else {
            return;
        };
        let Some((_, before)) = cluster.held(*node).and_then(|held| held.get(*instance)) else { return };
        self.compared += 1;
        if *version < before {
            let world = cluster.world();
            let (server, name) = (&world.processes[node.index()].name, &world.instances[instance.index()]);
            let detail = format!("{server} held {name} at version {before}, and then at {version}");
            self.witness.get_or_insert((record.at, detail));
        }
    }

    /// Judges at the end of a run.
    pub fn finish(&self) -> Finding {
        let (verdict, at, detail) = match &self.witness {
            Some((at, detail)) => (Verdict::Violated, Some(*at), detail.clone()),
            None if self.compared == 0 => {
                (Verdict::Inconclusive, None, "no server wrote what it held already".to_owned())
            }
            None => {
                let detail = format!("none of {} writes over a version went below it", self.compared);
                (Verdict::Holds, None, detail)
            }
        };
        let name = Invariant::VersionNeverGoesBack.name().to_owned();
        Finding { name, verdict, at, detail, expected: false }
    }
}
