//! A live instance that heart-beats at a server is listed by it again, whoever removed it and even if the server lost all by a crash.
//!
//! Premise: the server had heard of it from its owner, not from another server, within the last heartbeat; no fault is in force; and
//! nothing else happens before the time is over: no step, no process that begins or ends, no move of the owner to another server.
//!
//! After a removal the next heartbeat is answered 404, and the owner registers: one heartbeat. After a crash the time begins when the
//! server serves again, and is two heartbeats: the first may find the old connection broken and spend its attempts elsewhere. Nothing
//! may have happened since the owner was last heard but the crash and the restart, and neither may have left silence behind (a host
//! without power): a heartbeat that hangs makes the owner's next ones rarer. History does not show a heartbeat that was answered 404,
//! so that "the owner still comes here" is taken from its not having been heard anywhere else.

use std::sync::Arc;

use super::cluster::Cluster;
use super::eviction::Eviction;
use super::quiet::{REPAIR, disrupts};
use super::verdict::{Finding, Verdict};
use super::{LeaseTerms, Premises};
use crate::history::{Record, What};
use crate::plan::world::{Fault, Role, World};
use crate::protocol::{Event, Gauge, InstanceId, NodeId, Origin, SimTime};

/// A server that has to list an instance again.
#[derive(Clone, Copy, Debug)]
struct Owed {
    server: NodeId,
    instance: InstanceId,
    /// When it removed it, or ended.
    removed: SimTime,
    ended: bool,
    due: SimTime,
}

/// An instance that a server held, whose owner heart-beat there, when the server ended. It is owed once the server serves again.
#[derive(Clone, Copy, Debug)]
struct Lost {
    server: NodeId,
    instance: InstanceId,
    terms: LeaseTerms,
    ended: SimTime,
}

/// When something last happened outside the protocol.
#[derive(Clone, Copy, Debug, Default)]
struct Disruptions {
    last: SimTime,
    /// The last one at an earlier time.
    earlier: SimTime,
    /// Lasting faults that were in force before `last`.
    active_earlier: u32,
    /// When hosts last lost power.
    silenced: Option<SimTime>,
}

/// The fold.
#[derive(Clone, Debug)]
pub struct Relisted {
    leases: Arc<[Option<LeaseTerms>]>,
    lasting: Vec<bool>,
    /// Steps that leave silence behind, where others leave refusals.
    silencing: Vec<bool>,
    /// Lasting faults that are in force.
    active: u32,
    disruptions: Disruptions,
    lost: Vec<Lost>,
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
            silencing: world.steps.iter().map(|step| matches!(step.fault, Fault::PowerOff { .. })).collect(),
            active: 0,
            disruptions: Disruptions::default(),
            lost: Vec::new(),
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
        if disrupts(record) {
            self.disrupted(record.at);
        }
        match &record.what {
            What::Event { node, event } => match event {
                Event::Deregistered { instance, .. } | Event::Evicted { instance } => {
                    self.removed(record.at, *node, *instance, cluster, heard);
                }
                Event::Registered { instance, origin, .. } if self.waits() => {
                    let before = self.owed.len();
                    self.owed.retain(|owed| (owed.server, owed.instance) != (*node, *instance));
                    self.kept += (before - self.owed.len()) as u64;
                    self.moved(*node, *instance, *origin);
                }
                Event::Renewed { instance, origin } if self.waits() => {
                    self.moved(*node, *instance, *origin);
                }
                Event::Gauge { gauge: Gauge::Serving, value: 1 } if !self.lost.is_empty() => {
                    self.serves_again(record.at, *node, cluster);
                }
                _ => {}
            },
            What::Step { step, began } => {
                if self.lasting[*step as usize] {
                    self.active = if *began { self.active + 1 } else { self.active - 1 };
                }
                if self.silencing[*step as usize] {
                    self.disruptions.silenced = Some(record.at);
                }
            }
            What::Ended { node, .. } if cluster.world().processes[node.index()].role == Role::Server => {
                self.ended(record.at, *node, cluster, heard);
            }
            _ => {}
        }
    }

    fn waits(&self) -> bool {
        !self.owed.is_empty() || !self.lost.is_empty()
    }

    /// Nothing is owed any more. What a server lost by its end bears one time at which something happens after it: its restart.
    fn disrupted(&mut self, at: SimTime) {
        if at > self.disruptions.last {
            let Disruptions { last: earlier, silenced, .. } = self.disruptions;
            self.disruptions = Disruptions { last: at, earlier, active_earlier: self.active, silenced };
        }
        let earlier = self.disruptions.earlier;
        self.lost.retain(|lost| earlier <= lost.ended);
        self.owed.clear();
        self.next_due = SimTime::MAX;
    }

    fn ended(&mut self, at: SimTime, server: NodeId, cluster: &Cluster<'_>, heard: &Eviction) {
        let Disruptions { earlier, active_earlier, silenced, .. } = self.disruptions;
        if active_earlier > 0 || silenced == Some(at) {
            return;
        }
        let world = cluster.world();
        let itself = world.processes[server.index()].instance.map(|(_, instance)| instance);
        let others = || (0..world.processes.len() as u32).map(NodeId).filter(|other| *other != server);
        for (index, terms) in self.leases.iter().enumerate() {
            let instance = InstanceId(index as u32);
            let (Some(terms), Some(last)) = (*terms, heard.last_heard_from_owner(server, instance)) else {
                continue;
            };
            let beats = last > earlier && at.since(last) <= terms.renewal_interval + REPAIR;
            let elsewhere = || others().filter_map(|other| heard.last_heard_from_owner(other, instance));
            if beats && itself != Some(instance) && elsewhere().all(|other| other < last) {
                self.lost.push(Lost { server, instance, terms, ended: at });
            }
        }
    }

    /// The server has started and opened: from now on it is to list what it lost.
    fn serves_again(&mut self, at: SimTime, server: NodeId, cluster: &Cluster<'_>) {
        let lost = std::mem::take(&mut self.lost);
        let (here, elsewhere): (Vec<Lost>, Vec<Lost>) =
            lost.into_iter().partition(|lost| lost.server == server);
        self.lost = elsewhere;
        let alive = |lost: &Lost| self.active == 0 && cluster.truth(lost.instance).alive;
        for Lost { instance, terms, ended, .. } in here.into_iter().filter(alive) {
            if cluster.lists(server, instance) {
                self.kept += 1;
                continue;
            }
            let due = at + terms.renewal_interval + terms.renewal_interval + REPAIR;
            self.owed.push(Owed { server, instance, removed: ended, ended: true, due });
            self.next_due = self.next_due.min(due);
        }
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
            let due = at + within;
            self.owed.push(Owed { server, instance, removed: at, ended: false, due });
            self.next_due = self.next_due.min(due);
        }
    }

    /// The owner talks to another server now: that one is its server.
    fn moved(&mut self, to: NodeId, instance: InstanceId, origin: Origin) {
        if origin == Origin::Client {
            self.owed.retain(|owed| owed.instance != instance || owed.server == to);
            self.lost.retain(|lost| lost.instance != instance || lost.server == to);
        }
    }

    fn overdue(&mut self, now: SimTime, world: &World) {
        for owed in self.owed.iter().filter(|owed| owed.due < now) {
            let how = if owed.ended { "lost by its end" } else { "removed" };
            let detail = format!(
                "{} {how} {}, which was alive and heart-beat there, at {} and did not list it again",
                world.processes[owed.server.index()].name,
                world.instances[owed.instance.index()],
                owed.removed
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
                "no server removed or lost a live instance that heart-beat there, in quiet".to_owned(),
            ),
            None => (Verdict::Holds, Some(end), format!("listed again in time, {} times", self.kept)),
        };
        Finding { name, verdict, at, detail, expected: false }
    }
}
