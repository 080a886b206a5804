//! What must hold: the checks that are always on, and the expectations of the scenario.
//!
//! All of them are folds over the history, so they can judge a run while it goes, a recorded one, and one of a live system.
//! [`cluster`] and [`quiet`] are the state that they share; [`convergence`], [`preservation`], [`conflict`], [`agreement`],
//! [`eviction`], [`relisted`], [`cache`], [`version`], [`replication`], [`resurrection`] and [`registration`] are one family of
//! invariants each; [`expect`] evaluates what the scenario says. [`Judge`] runs all of it in one pass.

pub mod verdict;
pub mod cluster;
pub mod convergence;
pub mod preservation;
pub mod quiet;
pub mod conflict;
pub mod eviction;
pub mod agreement;
pub mod relisted;
pub mod cache;
pub mod version;
pub mod replication;
pub mod resurrection;
pub mod registration;
pub mod expect;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use crate::history::{Record, What};
use crate::plan::{Expectation, Expected, Invariant, World};
use crate::protocol::{Event, SimTime};

pub use cluster::Cluster;
pub use verdict::{Finding, Verdict};

/// What the checks must know of the system's settings to tell whether their premises hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Premises {
    /// For each instance: how long a lease lasts without renewal, and how often it is renewed.
    pub leases: Arc<[Option<LeaseTerms>]>,
    /// For each of the system's settings, in their order in the plan: the rules of a server.
    pub rules: Vec<Option<Rules>>,
    /// For each cluster: whether every server replicates to every other one of it, and repairs what differs.
    pub repairing_meshes: Vec<bool>,
}

/// The terms of an instance's lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseTerms {
    /// How long it lasts without renewal.
    pub duration: Duration,
    /// How often the owner renews it.
    pub renewal_interval: Duration,
}

/// The rules by which a server evicts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rules {
    /// Whether self-preservation is on.
    pub self_preservation: bool,
    /// Share of the expected renewals that must be exceeded; one run may evict the rest.
    pub percent: f64,
    /// Renewals expected of each client in a minute.
    pub renewals_per_client: f64,
}

impl Rules {
    /// Renewals that must be exceeded: in the original's order of operations, truncated to its integer.
    fn threshold(self, expected: i64) -> i64 {
        i64::from((expected as f64 * self.renewals_per_client * self.percent) as i32)
    }
}

/// All checks of one run, in one pass.
pub struct Judge<'w> {
    cluster: Cluster<'w>,
    preservation: preservation::Preservation,
    quiet: quiet::Quiet,
    conflict: conflict::Conflict,
    agreement: agreement::Agreement,
    eviction: eviction::Eviction,
    relisted: relisted::Relisted,
    cache: cache::Cache,
    version: version::Version,
    replication: replication::Replication,
    /// Only where the scenario names it.
    resurrection: Option<resurrection::Resurrection>,
    /// Only where the scenario names it.
    registration: Option<registration::Registration>,
    expectations: Vec<expect::Evaluation<'w>>,
}

impl<'w> Judge<'w> {
    /// Before the run.
    pub fn new(world: &'w World, expectations: &'w [Expectation], premises: &Premises) -> Judge<'w> {
        let named = |invariant| {
            expectations.iter().any(|it| matches!(it.expected, Expected::Holds(named) if named == invariant))
        };
        let named = |invariant| named(invariant).then_some(world);
        Judge {
            cluster: Cluster::new(world),
            preservation: preservation::Preservation::new(world, premises),
            quiet: quiet::Quiet::new(world, premises),
            conflict: conflict::Conflict::new(world),
            agreement: agreement::Agreement::new(world, premises),
            eviction: eviction::Eviction::new(world, premises),
            relisted: relisted::Relisted::new(world, premises),
            cache: cache::Cache::default(),
            version: version::Version::default(),
            replication: replication::Replication::new(world),
            resurrection: named(Invariant::NoResurrection).map(resurrection::Resurrection::new),
            registration: named(Invariant::RegistrationNotLost).map(registration::Registration::new),
            expectations: expectations.iter().map(|it| expect::Evaluation::new(it, world)).collect(),
        }
    }

    /// Takes in one record. Returns whether any view or truth may have changed.
    pub fn record(&mut self, record: &Record) -> bool {
        if self.quiet.before(record) {
            self.compare(record.at);
        }
        // Nearly all records are renewals, and most checks have no use for them.
        if !matches!(record.what, What::Event { event: Event::Renewed { .. }, .. }) {
            self.conflict.record(record, &self.quiet);
            self.agreement.record(record, &self.quiet);
            self.cache.record(record, self.cluster.world());
            self.version.record(record, &self.cluster);
            self.resurrection.iter_mut().for_each(|check| check.record(record, &self.cluster));
            self.registration.iter_mut().for_each(|check| check.record(record, &self.cluster));
        }
        self.relisted.record(record, &self.cluster, &self.eviction);
        self.eviction.record(record, &self.cluster);
        self.replication.record(record, &self.cluster);
        for evaluation in &mut self.expectations {
            evaluation.before(record.at, &self.cluster);
        }
        let changed = self.cluster.record(record);
        self.preservation.record(record);
        for evaluation in &mut self.expectations {
            evaluation.record(record, &self.cluster);
        }
        changed
    }

    /// A quiet time: compares the servers.
    fn compare(&mut self, at: SimTime) {
        self.conflict.compare(at, &self.cluster, &self.quiet);
        self.agreement.compare(at, &self.cluster, &self.quiet, &self.eviction);
    }

    /// The cluster as it is now.
    pub fn cluster(&self) -> &Cluster<'w> {
        &self.cluster
    }

    /// The run is over: what the scenario expects, in its order, then what is always on and was not named.
    pub fn finish(mut self, end: SimTime) -> Vec<Finding> {
        if self.quiet.at_end(end) {
            self.compare(end);
        }
        let Judge {
            cluster,
            preservation,
            quiet,
            conflict,
            agreement,
            eviction,
            relisted,
            cache,
            version,
            replication,
            resurrection,
            registration,
            expectations,
        } = self;
        let found = |invariant: Invariant| match invariant {
            Invariant::LiveInstanceNotEvicted => eviction.finish(),
            Invariant::SelfPreservation => preservation.finish(),
            Invariant::ConflictResolution => conflict.finish(end, &quiet),
            Invariant::ServersAgree => agreement.finish(end, &quiet),
            Invariant::Relisted => relisted.clone().finish(end, cluster.world()),
            Invariant::CacheAsClaimed => cache.clone().finish(),
            Invariant::VersionNeverGoesBack => version.finish(),
            Invariant::NoReplicationLoop => replication.finish(),
            Invariant::NoResurrection => resurrection.as_ref().expect("it was named").finish(),
            Invariant::RegistrationNotLost => registration.as_ref().expect("it was named").finish(),
        };
        let mut findings = Vec::with_capacity(expectations.len() + Invariant::ALL.len());
        let mut named = Vec::new();
        for evaluation in expectations {
            let expectation = evaluation.expectation();
            let finding = match &expectation.expected {
                Expected::Converged { within } => convergence::judge(&cluster, end, *within),
                Expected::Holds(invariant) => {
                    named.push(*invariant);
                    match invariant {
                        Invariant::LiveInstanceNotEvicted => eviction.finish_without_premise(),
                        invariant => found(*invariant),
                    }
                }
                _ => evaluation.finish(end, &cluster),
            };
            let finding = Finding { name: expectation.text.clone(), expected: true, ..finding };
            findings.push(if expectation.violated { reversed(finding) } else { finding });
        }
        let always = |invariant: &Invariant| invariant.always_on() && !named.contains(invariant);
        findings.extend(Invariant::ALL.into_iter().filter(always).map(found));
        findings
    }
}

/// The verdict over all findings of a run. An invariant that is always on and had no chance to fail says nothing.
pub fn overall(findings: &[Finding]) -> Verdict {
    findings
        .iter()
        .filter(|finding| finding.expected || finding.verdict != Verdict::Inconclusive)
        .map(|finding| finding.verdict)
        .max()
        .unwrap_or(Verdict::Holds)
}

/// For a known weakness: the run is right if the check is violated.
fn reversed(finding: Finding) -> Finding {
    match finding.verdict {
        Verdict::Violated => {
            let detail = format!("as expected of this system: {}", finding.detail);
            Finding { verdict: Verdict::Holds, detail, ..finding }
        }
        Verdict::Holds => {
            let detail = format!("the expected violation did not happen: {}", finding.detail);
            Finding { verdict: Verdict::Violated, detail, ..finding }
        }
        Verdict::Inconclusive => finding,
    }
}
