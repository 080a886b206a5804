//! What is measured: series over virtual time, and figures. Defined in `docs/metrics.md`.
//!
//! A fold beside the checks, over the same [`Cluster`]. It judges nothing. [`propagation`], [`beliefs`], [`callers`] and
//! [`consistency`] are folds of their own; [`figures`] says all of it in numbers, and [`spread`] over many runs.

pub mod series;
pub mod latency;
pub mod propagation;
pub mod beliefs;
pub mod callers;
pub mod consistency;
pub mod figures;
pub mod spread;

#[cfg(test)]
mod tests;

use crate::check::Cluster;
use crate::history::{Record, What};
use crate::plan::world::{ClusterId, Role, World};
use crate::protocol::{Event, Gauge, InstanceId, NodeId, SimTime};
use crate::sim::ledger::Ledger;

pub use beliefs::Beliefs;
pub use callers::Callers;
pub use consistency::Consistency;
pub use figures::Figures;
pub use latency::Latencies;
pub use propagation::Propagation;
pub use series::Series;

/// What one server did over time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSeries {
    /// The server.
    pub node: NodeId,
    /// Its name.
    pub name: String,
    /// Instances for which it differs from the truth. 0 while it does not run.
    pub disagreement: Series,
    /// Instances that it lists.
    pub listed: Series,
    /// Renewals of its last complete window.
    pub renewals: Series,
    /// What they must exceed for leases to expire.
    pub threshold: Series,
    /// 1 while self-preservation is active.
    pub self_preservation: Series,
    /// 1 while the process runs.
    pub running: Series,
}

/// One cluster over time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterSeries {
    /// Names of its servers.
    pub servers: Vec<String>,
    /// Instances of it that are alive.
    pub living: Series,
}

/// All that was measured in a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measured {
    /// The servers, in order of the plan.
    pub servers: Vec<ServerSeries>,
    /// Pairs of subscribed client and instance that differ from the truth.
    pub caches: Series,
    /// Subscribed clients.
    pub subscribers: u32,
    /// The clusters, in order of their ids.
    pub clusters: Vec<ClusterSeries>,
    /// Pairs of any running observer and instance that differ from the truth.
    pub disagreement: Series,
    /// The last disturbance or change of truth, and the moment from which all views agreed with the truth until the end.
    pub last_disturbance: SimTime,
    /// See `last_disturbance`; none if they never did.
    pub converged: Option<SimTime>,
    /// When each trigger of the world fired, as far as its steps show: none if nothing came of it.
    pub fired: Vec<Option<SimTime>>,
    /// How changes of truth spread to servers and clients.
    pub propagation: Propagation,
    /// Who believed what.
    pub beliefs: Beliefs,
    /// What callers felt; nothing if nobody calls anybody.
    pub callers: Callers,
    /// Acknowledgements and stale reads.
    pub consistency: Consistency,
    /// What was sent, by kind and class of path.
    pub cost: Ledger,
    /// Figures by name.
    pub figures: Figures,
}

/// The fold.
pub struct Measure {
    servers: Vec<ServerSeries>,
    server_of: Vec<Option<usize>>,
    /// Of each server, the last values of [`TASKS`] in its present life.
    tasks_of: Vec<[i64; TASKS.len()]>,
    caches: Series,
    subscribers: u32,
    clusters: Vec<ClusterSeries>,
    disagreement: Series,
    fired: Vec<Option<SimTime>>,
    propagation: propagation::Tracker,
    beliefs: beliefs::Recorder,
    callers: callers::Listener,
    consistency: consistency::Auditor,
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    renewals: u64,
    registrations: u64,
    evictions: u64,
    false_evictions: u64,
    /// Pairs of server and dead instance that were still listed at the end.
    missed_deaths: u64,
    pending_worst: i64,
    /// Of each of [`TASKS`], over all lives of all servers.
    tasks: [i64; TASKS.len()],
}

/// What servers count about replication tasks from their start on, with its name in figures.
const TASKS: [(Gauge, &str); 7] = [
    (Gauge::ReplicationAccepted, "tasks_accepted"),
    (Gauge::ReplicationOverridden, "tasks_merged"),
    (Gauge::ReplicationReplayed, "tasks_replayed"),
    (Gauge::ReplicationExpired, "tasks_expired"),
    (Gauge::ReplicationOverflow, "tasks_dropped"),
    (Gauge::ReplicationNotFound, "tasks_not_found"),
    (Gauge::ReplicationConflicts, "tasks_conflicting"),
];

impl Counts {
    fn tasks(&self) -> impl Iterator<Item = (&'static str, i64)> {
        let counted = TASKS.into_iter().zip(self.tasks).map(|((_, name), count)| (name, count));
        counted.chain([("tasks_pending_worst", self.pending_worst)])
    }
}

impl Measure {
    /// Before the run.
    pub fn new(world: &World) -> Measure {
        let mut servers = Vec::new();
        let mut server_of = vec![None; world.processes.len()];
        for (at, process) in world.processes.iter().enumerate() {
            if process.role == Role::Server {
                server_of[at] = Some(servers.len());
                servers.push(ServerSeries {
                    node: NodeId(at as u32),
                    name: process.name.clone(),
                    disagreement: Series::default(),
                    listed: Series::default(),
                    renewals: Series::default(),
                    threshold: Series::default(),
                    self_preservation: Series::default(),
                    running: Series::default(),
                });
            }
        }
        let clusters = world.servers_by_cluster().into_iter().map(|servers| ClusterSeries {
            servers: servers.iter().map(|node| world.processes[node.index()].name.clone()).collect(),
            living: Series::default(),
        });
        Measure {
            tasks_of: vec![Default::default(); servers.len()],
            servers,
            server_of,
            caches: Series::default(),
            subscribers: world.processes.iter().map(|process| u32::from(process.subscribes)).sum(),
            clusters: clusters.collect(),
            disagreement: Series::default(),
            fired: vec![None; world.triggers.len()],
            propagation: propagation::Tracker::new(world),
            beliefs: beliefs::Recorder::new(world),
            callers: callers::Listener::new(world),
            consistency: consistency::Auditor::new(world),
            counts: Counts::default(),
        }
    }

    /// Takes in one record; `cluster` is the state after it, `views_changed` what [`Cluster::record`] said.
    pub fn record(&mut self, record: &Record, cluster: &Cluster<'_>, views_changed: bool) {
        match &record.what {
            // Nearly all records are these.
            What::Event { event: Event::Renewed { .. }, .. } => self.counts.renewals += 1,
            What::Event { event: Event::Joined { .. }, .. } => self.consistency.record(record, cluster),
            What::Event { node, event } => {
                if let Event::Gauge { gauge: Gauge::Serving, .. } = event {
                    self.consistency.record(record, cluster);
                }
                self.event(record.at, *node, event, cluster);
            }
            What::Traffic { .. } => {
                self.callers.record(record);
                self.consistency.record(record, cluster);
            }
            What::Step { step, began: true } => {
                let step = &cluster.world().steps[*step as usize];
                if let Some(trigger) = step.trigger {
                    self.fired[trigger.index()] = Some(SimTime(record.at.0 - step.at.0));
                }
            }
            What::Started { node } | What::Stopping { node } | What::Ended { node, .. } => {
                self.lifecycle(record.at, *node, cluster);
                self.callers.record(record);
                self.consistency.record(record, cluster);
            }
            _ => {}
        }
        if views_changed {
            for server in &mut self.servers {
                let held = cluster.held(server.node);
                server.disagreement.push(record.at, held.map_or(0, |held| i64::from(held.differs())));
                server.listed.push(record.at, held.map_or(0, |held| i64::from(held.listed())));
            }
            self.caches.push(record.at, cluster.cache_disagreement().cast_signed());
            for (at, of) in self.clusters.iter_mut().enumerate() {
                of.living.push(record.at, i64::from(cluster.living(ClusterId(at as u32))));
            }
            self.disagreement.push(record.at, cluster.disagreement().cast_signed());
            self.propagation.record(record, cluster);
            self.beliefs.record(record, cluster);
        }
    }

    fn lifecycle(&mut self, at: SimTime, node: NodeId, cluster: &Cluster<'_>) {
        if let Some(place) = self.server_of[node.index()] {
            let running = cluster.runs(node);
            let server = &mut self.servers[place];
            server.running.push(at, i64::from(running));
            if !running {
                self.tasks_of[place] = Default::default();
                server.renewals.push(at, 0);
                server.threshold.push(at, 0);
                server.self_preservation.push(at, 0);
            }
        }
    }

    fn event(&mut self, at: SimTime, node: NodeId, event: &Event, cluster: &Cluster<'_>) {
        let Some(place) = self.server_of[node.index()] else { return };
        match event {
            Event::Registered { .. } => self.counts.registrations += 1,
            Event::Evicted { instance } => {
                self.counts.evictions += 1;
                self.counts.false_evictions += u64::from(cluster.truth(*instance).alive);
            }
            Event::Gauge { gauge, value } => {
                let server = &mut self.servers[place];
                match gauge {
                    Gauge::RenewalsLastMinute => server.renewals.push(at, *value),
                    Gauge::RenewalThreshold => server.threshold.push(at, *value),
                    Gauge::SelfPreservation => server.self_preservation.push(at, *value),
                    Gauge::ReplicationPending => {
                        self.counts.pending_worst = self.counts.pending_worst.max(*value);
                    }
                    _ => {
                        if let Some(task) = TASKS.iter().position(|(counted, _)| counted == gauge) {
                            let before = std::mem::replace(&mut self.tasks_of[place][task], *value);
                            self.counts.tasks[task] += value - before;
                        }
                    }
                }
            }
            Event::Changed { .. }
            | Event::Deregistered { .. }
            | Event::NotFound { .. }
            | Event::Renewed { .. }
            | Event::EvictionPass { .. }
            | Event::Announced { .. }
            | Event::Joined { .. }
            | Event::MetadataChanged { .. }
            | Event::Adopted { .. } => {}
        }
    }

    /// The run is over; `cost` is what was sent in it.
    pub fn finish(mut self, cluster: &Cluster<'_>, cost: &Ledger, end: SimTime) -> Measured {
        self.counts.missed_deaths = missed_deaths(cluster);
        let mut measured = Measured {
            servers: self.servers,
            caches: self.caches,
            subscribers: self.subscribers,
            clusters: self.clusters,
            disagreement: self.disagreement,
            last_disturbance: cluster.last_disturbance(),
            converged: cluster.agreed_since(),
            fired: self.fired,
            propagation: self.propagation.finish(end),
            beliefs: self.beliefs.finish(),
            callers: self.callers.finish(end),
            consistency: self.consistency.finish(end),
            cost: cost.clone(),
            figures: Figures::new(),
        };
        measured.figures = figures::figures(&measured, &self.counts, end);
        measured
    }
}

/// Pairs of running server and dead instance that it still lists.
fn missed_deaths(cluster: &Cluster<'_>) -> u64 {
    let world = cluster.world();
    let owned = || world.processes.iter().filter_map(|process| process.instance);
    let dead: Vec<InstanceId> =
        owned().map(|(_, instance)| instance).filter(|instance| !cluster.truth(*instance).alive).collect();
    let servers = (0..world.processes.len()).filter_map(|at| cluster.held(NodeId(at as u32)));
    servers.map(|held| dead.iter().filter(|dead| held.get(**dead).is_some()).count() as u64).sum()
}
