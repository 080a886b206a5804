//! No live instance is evicted. Premise: its renewals reached this server within the lease.
//!
//! A scenario that says `never: live-instance-evicted` means it without the premise: users do not care why a living instance was
//! dropped. The always-on check keeps the premise, because a server that hears nothing cannot know.

use super::Premises;
use super::cluster::Cluster;
use super::verdict::{Finding, Verdict};
use crate::history::{Record, What};
use crate::plan::world::World;
use crate::protocol::{Event, InstanceId, NodeId, SimTime};

/// The fold.
#[derive(Clone, Debug)]
pub struct Eviction {
    leases: Vec<Option<super::LeaseTerms>>,
    /// For each server and instance, when a renewal or registration last reached it.
    heard: Vec<Vec<Option<SimTime>>>,
    evictions: u64,
    passes: u64,
    false_evictions: u64,
    with_premise: Option<(SimTime, String)>,
    without_premise: Option<(SimTime, String)>,
}

impl Eviction {
    /// Before the run.
    pub fn new(world: &World, premises: &Premises) -> Eviction {
        Eviction {
            leases: premises.leases.clone(),
            heard: vec![Vec::new(); world.processes.len()],
            evictions: 0,
            passes: 0,
            false_evictions: 0,
            with_premise: None,
            without_premise: None,
        }
    }

    /// Takes in one record; `cluster` is the state before it.
    pub fn record(&mut self, record: &Record, cluster: &Cluster<'_>) {
        match &record.what {
            What::Started { node } => self.heard[node.index()].clear(),
            What::Event { node, event } => match event {
                Event::Renewed { instance, .. } | Event::Registered { instance, .. } => {
                    let heard = &mut self.heard[node.index()];
                    if heard.len() <= instance.index() {
                        heard.resize(instance.index() + 1, None);
                    }
                    heard[instance.index()] = Some(record.at);
                }
                Event::EvictionPass { .. } => self.passes += 1,
                Event::Evicted { instance } => self.evicted(record.at, *node, *instance, cluster),
                _ => {}
            },
            _ => {}
        }
    }

    fn evicted(&mut self, at: SimTime, node: NodeId, instance: InstanceId, cluster: &Cluster<'_>) {
        self.evictions += 1;
        if !cluster.truth(instance).alive {
            return;
        }
        self.false_evictions += 1;
        let world = cluster.world();
        let name = &world.instances[instance.index()];
        let server = &world.processes[node.index()].name;
        let heard = self.heard[node.index()].get(instance.index()).copied().flatten();
        let since = heard.map_or_else(
            || "from which it never heard".to_owned(),
            |heard| format!("from which it last heard at {heard}"),
        );
        let witness = (at, format!("{server} evicted {name}, which was alive and {since}"));
        let terms = self.leases.get(instance.index()).copied().flatten();
        if let (Some(heard), Some(terms)) = (heard, terms)
            && at.since(heard) <= terms.duration
        {
            self.with_premise.get_or_insert_with(|| witness.clone());
        }
        self.without_premise.get_or_insert(witness);
    }

    /// Evictions of instances that were alive.
    pub fn false_evictions(&self) -> u64 {
        self.false_evictions
    }

    /// Evictions in all.
    pub fn evictions(&self) -> u64 {
        self.evictions
    }

    /// Judges with the premise.
    pub fn finish(&self) -> Finding {
        self.finding(self.with_premise.as_ref(), "was renewed in time")
    }

    /// Judges without it.
    pub fn finish_without_premise(&self) -> Finding {
        self.finding(self.without_premise.as_ref(), "was alive")
    }

    fn finding(&self, witness: Option<&(SimTime, String)>, what: &str) -> Finding {
        let name = crate::plan::Invariant::LiveInstanceNotEvicted.name().to_owned();
        let (verdict, at, detail) = match witness {
            Some((at, detail)) => (Verdict::Violated, Some(*at), detail.clone()),
            None if self.passes == 0 => {
                (Verdict::Inconclusive, None, "no server looked through its leases".to_owned())
            }
            None => (Verdict::Holds, None, format!("none of {} evicted instances {what}", self.evictions)),
        };
        Finding { name, verdict, at, detail, expected: false }
    }
}
