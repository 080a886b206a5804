//! An acknowledged registration is not lost: from its acknowledgement on, while the instance lives, some running server lists it.
//!
//! Premise: a server of its cluster runs at all, and nobody has deregistered the instance since. Judged only where a scenario names
//! it: a system that acknowledges before it replicates is known to break it when the one server that knows dies.

use super::cluster::Cluster;
use super::verdict::{Finding, Verdict};
use crate::history::{Record, What};
use crate::plan::Invariant;
use crate::plan::world::{ClusterId, Role, World};
use crate::protocol::{Event, InstanceId, NodeId, Origin, SimTime};

/// The fold.
#[derive(Clone, Debug)]
pub struct Registration {
    /// Whether the owner was told that it is registered, since it last started.
    acknowledged: Vec<bool>,
    /// Whether it was deregistered since its owner last registered it: an acknowledgement may come later.
    withdrawn: Vec<bool>,
    /// How many running servers list it.
    listing: Vec<u32>,
    /// How many servers of each cluster run.
    servers: Vec<u32>,
    /// The cluster of each instance.
    homes: Vec<ClusterId>,
    /// How often a server ceased to list an instance with an acknowledged registration.
    chances: u64,
    witness: Option<(SimTime, String)>,
}

impl Registration {
    /// Before the run.
    pub fn new(world: &World) -> Registration {
        Registration {
            acknowledged: vec![false; world.instances.len()],
            withdrawn: vec![false; world.instances.len()],
            listing: vec![0; world.instances.len()],
            servers: vec![0; world.cluster_count()],
            homes: world.homes(),
            chances: 0,
            witness: None,
        }
    }

    /// Takes in one record; `cluster` is the state before it.
    pub fn record(&mut self, record: &Record, cluster: &Cluster<'_>) {
        let world = cluster.world();
        let own = |node: NodeId| world.processes[node.index()].instance.map(|(_, instance)| instance.index());
        let is_server = |node: NodeId| world.processes[node.index()].role == Role::Server;
        match &record.what {
            What::Started { node } => {
                own(*node).into_iter().for_each(|own| self.acknowledged[own] = false);
                if is_server(*node) {
                    self.servers[world.cluster(*node).index()] += 1;
                    (0..self.listing.len())
                        .for_each(|it| self.look(record.at, it, "after a start of", *node, world));
                }
            }
            What::Stopping { node } => own(*node).into_iter().for_each(|own| self.acknowledged[own] = false),
            What::Ended { node, .. } => {
                own(*node).into_iter().for_each(|own| self.acknowledged[own] = false);
                let Some(held) = cluster.held(*node) else { return };
                self.servers[world.cluster(*node).index()] -= 1;
                for index in 0..self.listing.len() {
                    if held.get(InstanceId(index as u32)).is_some() {
                        self.dropped(record.at, index, "after the end of", *node, world);
                    }
                }
            }
            What::Event { node, event } => {
                let listed = |instance: &InstanceId| {
                    cluster.held(*node).is_some_and(|held| held.get(*instance).is_some())
                };
                match event {
                    Event::Joined { instance } => {
                        let stands = cluster.truth(*instance).alive && !self.withdrawn[instance.index()];
                        self.acknowledged[instance.index()] = stands;
                        self.look(record.at, instance.index(), "when it was acknowledged to", *node, world);
                    }
                    Event::Registered { instance, origin, .. } if is_server(*node) => {
                        if *origin == Origin::Client {
                            self.withdrawn[instance.index()] = false;
                        }
                        self.listing[instance.index()] += u32::from(!listed(instance));
                    }
                    Event::Deregistered { instance, .. } if listed(instance) => {
                        // Somebody wanted it so.
                        self.acknowledged[instance.index()] = false;
                        self.withdrawn[instance.index()] = true;
                        self.listing[instance.index()] -= 1;
                    }
                    Event::Evicted { instance } if listed(instance) => {
                        self.dropped(record.at, instance.index(), "after an eviction by", *node, world);
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }

    /// A server no longer lists it.
    fn dropped(&mut self, at: SimTime, instance: usize, how: &str, node: NodeId, world: &World) {
        self.listing[instance] -= 1;
        self.chances += u64::from(self.acknowledged[instance]);
        self.look(at, instance, how, node, world);
    }

    fn look(&mut self, at: SimTime, instance: usize, how: &str, node: NodeId, world: &World) {
        let home = self.homes[instance].index();
        if self.acknowledged[instance] && self.listing[instance] == 0 && self.servers[home] > 0 {
            let (name, process) = (&world.instances[instance], &world.processes[node.index()].name);
            let detail = format!(
                "the registration of {name} was acknowledged, but no running server lists it {how} {process}"
            );
            self.witness.get_or_insert((at, detail));
        }
    }

    /// Judges at the end of a run.
    pub fn finish(&self) -> Finding {
        let (verdict, at, detail) = match &self.witness {
            Some((at, detail)) => (Verdict::Violated, Some(*at), detail.clone()),
            None if self.chances == 0 => {
                let detail = "no server ceased to list an instance with an acknowledged registration";
                (Verdict::Inconclusive, None, detail.to_owned())
            }
            None => {
                let detail = format!(
                    "another server listed it each time that one no longer did ({} times)",
                    self.chances
                );
                (Verdict::Holds, None, detail)
            }
        };
        let name = Invariant::RegistrationNotLost.name().to_owned();
        Finding { name, verdict, at, detail, expected: false }
    }
}
