//! A live instance that heart-beats at a server is listed by it again, whoever removed it and even if the server lost all by a crash.
//!
//! Two things tell that it must be: the server removed what it had heard of from its owner, not from another server, within the last
//! heartbeat; or it did not know what its owner renewed there. After the first there is a heartbeat and 3 s to list it, after the
//! second 3 s, because the owner registers as soon as it is told.
//!
//! Premise: no fault is in force; nothing else happens before the time is over: no step, no process that begins or ends, no move of
//! the owner to another server; and what was not known was asked for 3 s after the last of those, because an operator may ask, too.

use std::sync::Arc;

use super::cluster::Cluster;
use super::eviction::Eviction;
use super::quiet::{REPAIR, disrupts};
use super::verdict::{Finding, Verdict};
use super::{LeaseTerms, Premises};
use crate::history::{Record, What};
use crate::plan::world::World;
use crate::protocol::{Event, InstanceId, NodeId, Origin, SimTime};

/// A server that has to list an instance again.
#[derive(Clone, Copy, Debug)]
struct Owed {
    server: NodeId,
    instance: InstanceId,
    /// When it removed it, or did not know it.
    since: SimTime,
    removed: bool,
    due: SimTime,
}

/// The fold.
#[derive(Clone, Debug)]
pub struct Relisted {
    leases: Arc<[Option<LeaseTerms>]>,
    lasting: Vec<bool>,
    /// Lasting faults that are in force.
    active: u32,
    /// When something last happened outside the protocol.
    disrupted: SimTime,
    owed: Vec<Owed>,
    /// The earliest of their times.
    next_due: SimTime,
    kept: u64,
    witness: Option<(SimTime, String)>,
}

impl Relisted {
    /// Before the run.
    pub fn new(world: &World, premises: &Premises) -> Relisted {
        Relisted {
            leases: Arc::clone(&premises.leases),
            lasting: world.steps.iter().map(|step| step.fault.lasts()).collect(),
            active: 0,
            disrupted: SimTime::ZERO,
            owed: Vec::new(),
            next_due: SimTime::MAX,
            kept: 0,
            witness: None,
        }
    }

    /// Takes in one record; `cluster` is the state before it.
    pub fn record(&mut self, record: &Record, cluster: &Cluster<'_>, heard: &Eviction) {
        if record.at > self.next_due {
            self.overdue(record.at, cluster.world());
        }
        match &record.what {
            What::Event { node, event } => match event {
                Event::Deregistered { instance, .. } | Event::Evicted { instance } => {
                    self.removed(record.at, *node, *instance, cluster, heard);
                }
                Event::Registered { instance, origin, .. } if !self.owed.is_empty() => {
                    let before = self.owed.len();
                    self.owed.retain(|owed| (owed.server, owed.instance) != (*node, *instance));
                    self.kept += (before - self.owed.len()) as u64;
                    self.moved(*node, *instance, *origin);
                }
                Event::Renewed { instance, origin } if !self.owed.is_empty() => {
                    self.moved(*node, *instance, *origin);
                }
                Event::NotFound { instance, origin: Origin::Client } => {
                    self.not_found(record.at, *node, *instance, cluster);
                }
                _ => {}
            },
            What::Step { step, began } => {
                if self.lasting[*step as usize] {
                    self.active = if *began { self.active + 1 } else { self.active - 1 };
                }
                self.disrupt(record.at);
            }
            _ if disrupts(record) => self.disrupt(record.at),
            _ => {}
        }
    }

    fn disrupt(&mut self, at: SimTime) {
        self.disrupted = at;
        self.owed.clear();
        self.next_due = SimTime::MAX;
    }

    fn removed(
        &mut self,
        at: SimTime,
        server: NodeId,
        instance: InstanceId,
        cluster: &Cluster<'_>,
        heard: &Eviction,
    ) {
        let Some(terms) = self.leases.get(instance.index()).copied().flatten() else { return };
        let within = terms.renewal_interval + REPAIR;
        let by_owner = heard.last_heard_from_owner(server, instance);
        let beats = by_owner.is_some_and(|heard| at.since(heard) <= within);
        if beats && self.active == 0 && cluster.truth(instance).alive {
            self.owe(Owed { server, instance, since: at, removed: true, due: at + within });
        }
    }

    fn not_found(&mut self, at: SimTime, server: NodeId, instance: InstanceId, cluster: &Cluster<'_>) {
        let quiet = self.active == 0 && at > self.disrupted + REPAIR;
        if quiet && cluster.truth(instance).alive {
            self.owe(Owed { server, instance, since: at, removed: false, due: at + REPAIR });
        }
    }

    fn owe(&mut self, owed: Owed) {
        self.owed.push(owed);
        self.next_due = self.next_due.min(owed.due);
    }

    /// The owner talks to another server now: that one is its server.
    fn moved(&mut self, to: NodeId, instance: InstanceId, origin: Origin) {
        if origin == Origin::Client {
            self.owed.retain(|owed| owed.instance != instance || owed.server == to);
        }
    }

    fn overdue(&mut self, now: SimTime, world: &World) {
        for owed in self.owed.iter().filter(|owed| owed.due < now) {
            let server = &world.processes[owed.server.index()].name;
            let instance = &world.instances[owed.instance.index()];
            let what = if owed.removed { "removed" } else { "did not know" };
            let detail = format!(
                "{server} {what} {instance}, which was alive and heart-beat there, at {} and did not list it again",
                owed.since
            );
            self.witness.get_or_insert((owed.due, detail));
        }
        self.owed.retain(|owed| owed.due >= now);
        self.next_due = self.owed.iter().map(|owed| owed.due).min().unwrap_or(SimTime::MAX);
    }

    /// Judges at the end of a run.
    pub fn finish(mut self, end: SimTime, world: &World) -> Finding {
        self.overdue(end, world);
        let name = crate::plan::Invariant::Relisted.name().to_owned();
        let (verdict, at, detail) = match self.witness {
            Some((at, detail)) => (Verdict::Violated, Some(at), detail),
            None if self.kept == 0 => (
                Verdict::Inconclusive,
                None,
                "no server removed, or did not know, a live instance that heart-beat there, in quiet"
                    .to_owned(),
            ),
            None => (Verdict::Holds, Some(end), format!("listed again in time, {} times", self.kept)),
        };
        Finding { name, verdict, at, detail, expected: false }
    }
}
