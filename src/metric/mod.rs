//! What is measured: series over virtual time, and figures. Defined in `docs/metrics.md`.
//!
//! A fold beside the checks, over the same [`Cluster`]. It judges nothing.

pub mod series;

use std::collections::BTreeMap;

use crate::check::Cluster;
use crate::history::{CallResult, Record, What};
use crate::plan::world::{ClusterId, Role, World};
use crate::protocol::{Event, Gauge, InstanceId, NodeId, SimTime};

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
#[derive(Clone, Debug, PartialEq)]
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
    /// Figures by name.
    pub figures: BTreeMap<&'static str, f64>,
}

/// The fold.
pub struct Measure {
    servers: Vec<ServerSeries>,
    server_of: Vec<Option<usize>>,
    caches: Series,
    subscribers: u32,
    clusters: Vec<ClusterSeries>,
    disagreement: Series,
    changed_at: Vec<Option<(SimTime, bool)>>,
    discovery: Vec<u64>,
    forgetting: Vec<u64>,
    known: Vec<Vec<bool>>,
    fired: Vec<Option<SimTime>>,
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    renewals: u64,
    registrations: u64,
    evictions: u64,
    false_evictions: u64,
    calls: u64,
    calls_answered: u64,
    calls_without_instance: u64,
    calls_to_dead: u64,
    calls_cut_off: u64,
    calls_retried: u64,
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
            known: vec![vec![false; world.instances.len()]; servers.len()],
            servers,
            server_of,
            caches: Series::default(),
            subscribers: world.processes.iter().map(|process| u32::from(process.subscribes)).sum(),
            clusters: clusters.collect(),
            disagreement: Series::default(),
            changed_at: vec![None; world.instances.len()],
            discovery: Vec::new(),
            forgetting: Vec::new(),
            fired: vec![None; world.triggers.len()],
            counts: Counts::default(),
        }
    }

    /// Takes in one record; `cluster` is the state after it, `views_changed` what [`Cluster::record`] said.
    pub fn record(&mut self, record: &Record, cluster: &Cluster<'_>, views_changed: bool) {
        match &record.what {
            What::Event { node, event } => self.event(record.at, *node, event, cluster),
            What::Traffic { last: false, .. } => self.counts.calls_retried += 1,
            What::Traffic { result, .. } => {
                let counts = &mut self.counts;
                counts.calls += 1;
                *match result {
                    CallResult::Answered => &mut counts.calls_answered,
                    CallResult::NoInstance => &mut counts.calls_without_instance,
                    CallResult::DeadInstance => &mut counts.calls_to_dead,
                    CallResult::Unreachable => &mut counts.calls_cut_off,
                } += 1;
            }
            What::Step { step, began: true } => {
                let step = &cluster.world().steps[*step as usize];
                if let Some(trigger) = step.trigger {
                    self.fired[trigger.index()] = Some(SimTime(record.at.0 - step.at.0));
                }
            }
            What::Started { node } | What::Stopping { node } | What::Ended { node, .. } => {
                self.lifecycle(record.at, *node, cluster);
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
        }
    }

    fn lifecycle(&mut self, at: SimTime, node: NodeId, cluster: &Cluster<'_>) {
        if let Some(place) = self.server_of[node.index()] {
            let running = cluster.runs(node);
            let server = &mut self.servers[place];
            server.running.push(at, i64::from(running));
            if !running {
                server.renewals.push(at, 0);
                server.threshold.push(at, 0);
                server.self_preservation.push(at, 0);
                self.known[place].fill(false);
            }
        }
        if let Some((_, instance)) = cluster.world().processes[node.index()].instance {
            let alive = cluster.truth(instance).alive;
            let was_alive = self.changed_at[instance.index()].is_some_and(|changed| changed.1);
            if alive != was_alive {
                self.changed_at[instance.index()] = Some((at, alive));
            }
        }
    }

    fn event(&mut self, at: SimTime, node: NodeId, event: &Event, cluster: &Cluster<'_>) {
        let Some(place) = self.server_of[node.index()] else { return };
        match event {
            Event::Renewed { .. } => self.counts.renewals += 1,
            Event::Registered { instance, .. } => {
                self.counts.registrations += 1;
                self.listed(at, place, *instance, true, cluster);
            }
            Event::Deregistered { instance, .. } => self.listed(at, place, *instance, false, cluster),
            Event::Evicted { instance } => {
                self.counts.evictions += 1;
                self.counts.false_evictions += u64::from(cluster.truth(*instance).alive);
                self.listed(at, place, *instance, false, cluster);
            }
            Event::Gauge { gauge, value } => {
                let server = &mut self.servers[place];
                match gauge {
                    Gauge::RenewalsLastMinute => server.renewals.push(at, *value),
                    Gauge::RenewalThreshold => server.threshold.push(at, *value),
                    Gauge::SelfPreservation => server.self_preservation.push(at, *value),
                    _ => {}
                }
            }
            Event::Changed { .. }
            | Event::NotFound { .. }
            | Event::EvictionPass { .. }
            | Event::Announced { .. }
            | Event::Joined { .. }
            | Event::MetadataChanged { .. }
            | Event::Adopted { .. } => {}
        }
    }

    /// A server came to list an instance, or ceased to: how long after the truth had changed? That an instance of another cluster
    /// appears, no server has to learn.
    fn listed(
        &mut self,
        at: SimTime,
        place: usize,
        instance: InstanceId,
        listed: bool,
        cluster: &Cluster<'_>,
    ) {
        let known = std::mem::replace(&mut self.known[place][instance.index()], listed);
        if let Some((changed, alive)) = self.changed_at[instance.index()]
            && known != listed
            && alive == listed
        {
            let latency = at.as_millis() - changed.as_millis();
            let own = cluster.world().cluster(self.servers[place].node) == cluster.home(instance);
            match (listed, own) {
                (true, true) => self.discovery.push(latency),
                (true, false) => {}
                (false, _) => self.forgetting.push(latency),
            }
        }
    }

    /// The run is over.
    pub fn finish(mut self, cluster: &Cluster<'_>) -> Measured {
        let mut figures = BTreeMap::new();
        let converged = cluster.agreed_since();
        if let Some(agreed) = converged {
            figures.insert("convergence_ms", agreed.since(cluster.last_disturbance()).as_millis() as f64);
        }
        let counts = &self.counts;
        for (name, count) in [
            ("renewals", counts.renewals),
            ("registrations", counts.registrations),
            ("evictions", counts.evictions),
            ("false_evictions", counts.false_evictions),
        ] {
            figures.insert(name, count as f64);
        }
        if counts.calls > 0 {
            for (name, count) in [
                ("calls", counts.calls),
                ("calls_answered", counts.calls_answered),
                ("calls_without_instance", counts.calls_without_instance),
                ("calls_to_dead_instance", counts.calls_to_dead),
                ("calls_cut_off", counts.calls_cut_off),
                ("calls_retried", counts.calls_retried),
            ] {
                figures.insert(name, count as f64);
            }
        }
        quantiles(
            &mut self.discovery,
            ["discovery_ms_median", "discovery_ms_p99", "discovery_ms_worst"],
            &mut figures,
        );
        quantiles(
            &mut self.forgetting,
            ["forgetting_ms_median", "forgetting_ms_p99", "forgetting_ms_worst"],
            &mut figures,
        );
        Measured {
            servers: self.servers,
            caches: self.caches,
            subscribers: self.subscribers,
            clusters: self.clusters,
            disagreement: self.disagreement,
            last_disturbance: cluster.last_disturbance(),
            converged,
            fired: self.fired,
            figures,
        }
    }
}

fn quantiles(latencies: &mut [u64], names: [&'static str; 3], figures: &mut BTreeMap<&'static str, f64>) {
    if latencies.is_empty() {
        return;
    }
    latencies.sort_unstable();
    // Nearest rank: the smallest value that so many per cent do not exceed.
    let rank = |percent: usize| (latencies.len() * percent).div_ceil(100).max(1) - 1;
    for (name, rank) in names.into_iter().zip([rank(50), rank(99), latencies.len() - 1]) {
        figures.insert(name, latencies[rank] as f64);
    }
}
