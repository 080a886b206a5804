//! No resurrection: an instance that is gone, and that a server has removed, is not listed there again unless its owner registers it.
//!
//! Premise: a server removed an instance and runs ever since. Its owner's registration counts wherever and however late it arrives.
//! Judged only where a scenario names it: systems without tombstones are known to break it, and what they do then is what they are.

use std::collections::BTreeMap;

use super::cluster::Cluster;
use super::verdict::{Finding, Verdict};
use crate::history::{Record, What};
use crate::plan::Invariant;
use crate::plan::world::World;
use crate::protocol::{Event, InstanceId, NodeId, Origin, SimTime};

/// The fold.
#[derive(Clone, Debug)]
pub struct Resurrection {
    /// When a server removed an instance that it has not listed since.
    removed: BTreeMap<(NodeId, InstanceId), SimTime>,
    /// When a server last took a registration by its owner.
    registered: Vec<Option<SimTime>>,
    removals: u64,
    witness: Option<(SimTime, String)>,
}

impl Resurrection {
    /// Before the run.
    pub fn new(world: &World) -> Resurrection {
        Resurrection {
            removed: BTreeMap::new(),
            registered: vec![None; world.instances.len()],
            removals: 0,
            witness: None,
        }
    }

    /// Takes in one record; `cluster` is the state before it.
    pub fn record(&mut self, record: &Record, cluster: &Cluster<'_>) {
        match &record.what {
            What::Started { node } => self.removed.retain(|(server, _), _| server != node),
            What::Event { node, event } => match event {
                Event::Deregistered { instance, .. } | Event::Evicted { instance } => {
                    self.removals += u64::from(!cluster.truth(*instance).alive);
                    self.removed.insert((*node, *instance), record.at);
                }
                Event::Registered { instance, origin, .. } => {
                    if *origin == Origin::Client {
                        self.registered[instance.index()] = Some(record.at);
                    }
                    self.listed(record.at, *node, *instance, cluster);
                }
                _ => {}
            },
            _ => {}
        }
    }

    fn listed(&mut self, at: SimTime, node: NodeId, instance: InstanceId, cluster: &Cluster<'_>) {
        let Some(removed) = self.removed.remove(&(node, instance)) else { return };
        let by_owner = self.registered[instance.index()].is_some_and(|registered| registered >= removed);
        if !by_owner && !cluster.truth(instance).alive {
            let world = cluster.world();
            let (server, name) = (&world.processes[node.index()].name, &world.instances[instance.index()]);
            let detail = format!(
                "{server} removed {name} at {removed} and lists it again, though it is gone and its owner has not \
                 registered it since"
            );
            self.witness.get_or_insert((at, detail));
        }
    }

    /// Judges at the end of a run.
    pub fn finish(&self) -> Finding {
        let (verdict, at, detail) = match &self.witness {
            Some((at, detail)) => (Verdict::Violated, Some(*at), detail.clone()),
            None if self.removals == 0 => {
                (Verdict::Inconclusive, None, "no server removed an instance that was gone".to_owned())
            }
            None => {
                let detail = format!("none of {} removed instances came back by itself", self.removals);
                (Verdict::Holds, None, detail)
            }
        };
        let name = Invariant::NoResurrection.name().to_owned();
        Finding { name, verdict, at, detail, expected: false }
    }
}
