//! What is measured: series over virtual time, and figures. Defined in `docs/metrics.md`.
//!
//! A fold beside the checks, over the same [`Cluster`]. It judges nothing. [`propagation`], [`beliefs`] and [`callers`] are folds of
//! their own.

pub mod series;
pub mod latency;
pub mod propagation;
pub mod beliefs;
pub mod callers;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::check::Cluster;
use crate::history::{Record, What};
use crate::plan::world::{Role, World};
use crate::protocol::{Event, Gauge, NodeId, SimTime};

pub use beliefs::Beliefs;
pub use callers::Callers;
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

/// All that was measured in a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measured {
    /// The servers, in order of the plan.
    pub servers: Vec<ServerSeries>,
    /// Pairs of subscribed client and instance that differ from the truth.
    pub caches: Series,
    /// Subscribed clients.
    pub subscribers: u32,
    /// Instances that are alive.
    pub living: Series,
    /// Pairs of any running observer and instance that differ from the truth.
    pub disagreement: Series,
    /// The last disturbance or change of truth, and the moment from which all views agreed with the truth until the end.
    pub last_disturbance: SimTime,
    /// See `last_disturbance`; none if they never did.
    pub converged: Option<SimTime>,
    /// How changes of truth spread to servers and clients.
    pub propagation: Propagation,
    /// Who believed what.
    pub beliefs: Beliefs,
    /// What callers felt; nothing if nobody calls anybody.
    pub callers: Callers,
    /// Figures by name.
    pub figures: BTreeMap<&'static str, f64>,
}

/// The fold.
pub struct Measure {
    servers: Vec<ServerSeries>,
    server_of: Vec<Option<usize>>,
    caches: Series,
    subscribers: u32,
    living: Series,
    disagreement: Series,
    propagation: propagation::Tracker,
    beliefs: beliefs::Recorder,
    callers: callers::Listener,
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    renewals: u64,
    registrations: u64,
    evictions: u64,
    false_evictions: u64,
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
        Measure {
            servers,
            server_of,
            caches: Series::default(),
            subscribers: world.processes.iter().map(|process| u32::from(process.subscribes)).sum(),
            living: Series::default(),
            disagreement: Series::default(),
            propagation: propagation::Tracker::new(world),
            beliefs: beliefs::Recorder::new(world),
            callers: callers::Listener::new(world),
            counts: Counts::default(),
        }
    }

    /// Takes in one record; `cluster` is the state after it, `views_changed` what [`Cluster::record`] said.
    pub fn record(&mut self, record: &Record, cluster: &Cluster<'_>, views_changed: bool) {
        match &record.what {
            What::Event { node, event } => self.event(record.at, *node, event, cluster),
            What::Traffic { .. } => self.callers.record(record),
            What::Started { node } | What::Stopping { node } | What::Ended { node, .. } => {
                self.lifecycle(record.at, *node, cluster);
                self.callers.record(record);
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
            self.living.push(record.at, i64::from(cluster.living()));
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
                server.renewals.push(at, 0);
                server.threshold.push(at, 0);
                server.self_preservation.push(at, 0);
            }
        }
    }

    fn event(&mut self, at: SimTime, node: NodeId, event: &Event, cluster: &Cluster<'_>) {
        let Some(place) = self.server_of[node.index()] else { return };
        match event {
            Event::Renewed { .. } => self.counts.renewals += 1,
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
                    _ => {}
                }
            }
            Event::Changed { .. }
            | Event::Deregistered { .. }
            | Event::EvictionPass { .. }
            | Event::Announced { .. }
            | Event::Joined { .. }
            | Event::MetadataChanged { .. }
            | Event::Adopted { .. } => {}
        }
    }

    /// The run is over.
    pub fn finish(self, cluster: &Cluster<'_>, end: SimTime) -> Measured {
        let (propagation, callers) = (self.propagation.finish(end), self.callers.finish(end));
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
        let [answered, no_instance, dead_instance, cut_off] = callers.total();
        let calls = answered + no_instance + dead_instance + cut_off;
        if calls > 0 {
            for (name, count) in [
                ("calls", calls),
                ("calls_answered", answered),
                ("calls_without_instance", no_instance),
                ("calls_to_dead_instance", dead_instance),
                ("calls_cut_off", cut_off),
                ("calls_retried", callers.tries - calls),
            ] {
                figures.insert(name, count as f64);
            }
        }
        let names = ["discovery_ms_median", "discovery_ms_p99", "discovery_ms_worst"];
        quantiles(&propagation.appeared.servers.latencies, names, &mut figures);
        let names = ["forgetting_ms_median", "forgetting_ms_p99", "forgetting_ms_worst"];
        quantiles(&propagation.forgotten().servers.latencies, names, &mut figures);
        Measured {
            servers: self.servers,
            caches: self.caches,
            subscribers: self.subscribers,
            living: self.living,
            disagreement: self.disagreement,
            last_disturbance: cluster.last_disturbance(),
            converged,
            propagation,
            beliefs: self.beliefs.finish(),
            callers,
            figures,
        }
    }
}

fn quantiles(latencies: &Latencies, names: [&'static str; 3], figures: &mut BTreeMap<&'static str, f64>) {
    for (name, percent) in names.into_iter().zip([50, 99, 100]) {
        figures.extend(latencies.percentile(percent).map(|value| (name, f64::from(value))));
    }
}
