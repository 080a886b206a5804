//! No live instance is evicted. Premise: its renewals reached this server within the lease.
//!
//! A scenario that says `never: live-instance-evicted` means it without the premise: users do not care why a living instance was
//! dropped. The always-on check keeps the premise, because a server that hears nothing cannot know.

use std::sync::Arc;

use super::Premises;
use super::cluster::Cluster;
use super::verdict::{Finding, Verdict};
use crate::history::{Record, What};
use crate::plan::world::World;
use crate::protocol::{Event, InstanceId, NodeId, Origin, SimTime};

/// When a server last heard of an instance, and whether from its owner: nanoseconds and a bit, 0 for never. One word, because it is
/// written for every renewal.
#[derive(Clone, Copy, Debug, Default)]
struct Heard(u64);

impl Heard {
    fn new(at: SimTime, origin: Origin) -> Heard {
        Heard((at.0 + 1) << 1 | u64::from(origin == Origin::Client))
    }

    fn at(self) -> Option<SimTime> {
        (self.0 >> 1).checked_sub(1).map(SimTime)
    }

    fn is_from_owner(self) -> bool {
        self.0 & 1 == 1
    }
}

/// The fold.
#[derive(Clone, Debug)]
pub struct Eviction {
    leases: Arc<[Option<super::LeaseTerms>]>,
    /// For each server and instance, when and from whom a renewal or registration last reached it.
    heard: Vec<Vec<Heard>>,
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
            leases: Arc::clone(&premises.leases),
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
                Event::Renewed { instance, origin } | Event::Registered { instance, origin, .. } => {
                    let heard = &mut self.heard[node.index()];
                    if heard.len() <= instance.index() {
                        heard.resize(instance.index() + 1, Heard::default());
                    }
                    heard[instance.index()] = Heard::new(record.at, *origin);
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
        let heard = self.last_heard(node, instance);
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

    /// When a renewal or registration of the instance last reached the server.
    pub fn last_heard(&self, node: NodeId, instance: InstanceId) -> Option<SimTime> {
        self.heard[node.index()].get(instance.index())?.at()
    }

    /// The same, if it came from the instance's owner and not from another server.
    pub fn last_heard_from_owner(&self, node: NodeId, instance: InstanceId) -> Option<SimTime> {
        let heard = self.heard[node.index()].get(instance.index())?;
        heard.at().filter(|_| heard.is_from_owner())
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
