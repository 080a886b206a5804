//! A plan and a seed become an outcome. The data flow of a run, and the one `match` on the protocol.

use std::sync::Arc;

use crate::check::{self, Finding, Judge, LeaseTerms, Premises, Rules, Verdict};
use crate::history::{Digest, Observer, Record};
use crate::metric::{Measure, Measured};
use crate::plan::{Plan, System, clusters};
use crate::protocol::eureka::config::MAX_BATCHING_DELAY;
use crate::protocol::eureka::{self, Eureka};
use crate::protocol::{NodeId, Protocol, SimTime};
use crate::sim::{End, Simulation};

/// What came of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// The digest of inputs and history.
    pub digest: Digest,
    /// Inputs delivered.
    pub events: u64,
    /// When it ended.
    pub ended_at: SimTime,
    /// Why it ended.
    pub end: End,
    /// What the checks found.
    pub findings: Vec<Finding>,
    /// The verdict over all of them, and over the cures.
    pub verdict: Verdict,
    /// What was measured.
    pub measured: Measured,
    /// What came of the same seed with each of the plan's cures.
    pub cures: Vec<Outcome>,
}

/// Runs a plan with a seed, then with each of its cures. `watcher` sees the history of the plan as written as it goes by.
pub fn run(plan: &Plan, seed: u64, watcher: &mut dyn Observer) -> Outcome {
    let mut outcome = match &plan.system {
        System::Eureka(configs) => simulate::<Eureka>(plan, configs, &premises(plan, configs), seed, watcher),
    };
    outcome.cures = plan.cures.iter().map(|cure| run(&cure.plan, seed, &mut ())).collect();
    outcome.verdict = outcome.cures.iter().map(|cured| cured.verdict).fold(outcome.verdict, Verdict::max);
    outcome
}

fn simulate<P: Protocol>(
    plan: &Plan,
    configs: &[Arc<P::Config>],
    premises: &Premises,
    seed: u64,
    watcher: &mut dyn Observer,
) -> Outcome {
    let judge = Judge::new(&plan.world, &plan.expectations, premises);
    let mut watch = Watch { judge, measure: Measure::new(&plan.world), digest: Digest::default(), watcher };
    let mut simulation = Simulation::<P>::new(&plan.world, configs.to_vec(), seed);
    let end = simulation.run(&mut watch);
    let Watch { judge, measure, mut digest, .. } = watch;
    let measured = measure.finish(judge.cluster(), simulation.ledger(), simulation.now());
    let mut findings = judge.finish(simulation.now());
    findings.extend(flooded(plan, &end));
    findings.extend(waited_in_vain(plan, &simulation.fired(), simulation.now()));
    digest.fold(simulation.digest().value());
    let verdict = check::overall(&findings);
    Outcome {
        seed,
        digest,
        events: simulation.events(),
        ended_at: simulation.now(),
        end,
        findings,
        verdict,
        measured,
        cures: Vec::new(),
    }
}

/// All that follows the history, in one observer.
struct Watch<'a> {
    judge: Judge<'a>,
    measure: Measure,
    digest: Digest,
    watcher: &'a mut dyn Observer,
}

impl Observer for Watch<'_> {
    fn record(&mut self, record: &Record) {
        record.fold(&mut self.digest);
        let changed = self.judge.record(record);
        self.measure.record(record, self.judge.cluster(), changed);
        self.watcher.record(record);
    }
}

/// A machine that floods ends the run; nothing can be said of what would have followed.
fn flooded(plan: &Plan, end: &End) -> Option<Finding> {
    match end {
        End::Finished => None,
        End::Flooded { node, at } => Some(Finding {
            name: "no flood".to_owned(),
            verdict: Verdict::Inconclusive,
            at: Some(*at),
            detail: format!(
                "more than {} inputs within one virtual second, most of them for {}; the run ended at {at}",
                plan.world.flood_limit,
                plan.world.processes[node.index()].name
            ),
            expected: true,
        }),
    }
}

/// Steps that waited for something that never came: the run does not show what the scenario tells.
fn waited_in_vain(plan: &Plan, fired: &[Option<SimTime>], end: SimTime) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for step in &plan.world.steps {
        let Some(trigger) = step.trigger else { continue };
        let name = format!("“{}” happens", step.name);
        let waits_for = &plan.world.triggers[trigger.index()].name;
        let detail = match fired[trigger.index()] {
            None => format!("it waited to the end of the run for {waits_for}"),
            Some(at) if at.0.saturating_add(step.at.0) > end.0 => {
                format!("{waits_for} came only at {at}: the run ended before the step was due")
            }
            Some(_) => continue,
        };
        if findings.iter().all(|finding| finding.name != name) {
            findings.push(Finding { name, verdict: Verdict::Inconclusive, at: None, detail, expected: true });
        }
    }
    findings
}

/// Where two runs of one plan and seed first differ: a sign of a hidden input, and a bug in this program.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("two runs of seed {seed} differ after {same} equal records: {first:?} against {second:?}")]
pub struct Divergence {
    /// The seed.
    pub seed: u64,
    /// How many records were the same.
    pub same: usize,
    /// The first record of the one run that differs.
    pub first: Option<Record>,
    /// The first record of the other.
    pub second: Option<Record>,
}

/// Makes a run again and compares digest, verdicts and measurements.
///
/// # Errors
/// If they differ; then it looks for the first record that does.
pub fn verify(plan: &Plan, outcome: &Outcome) -> Result<(), Box<Divergence>> {
    if run(plan, outcome.seed, &mut ()) == *outcome {
        return Ok(());
    }
    let (mut one, mut other) = (Vec::new(), Vec::new());
    for plan in std::iter::once(plan).chain(plan.cures.iter().map(|cure| &cure.plan)) {
        run(plan, outcome.seed, &mut one);
        run(plan, outcome.seed, &mut other);
    }
    let same = one.iter().zip(&other).take_while(|(one, other)| one == other).count();
    Err(Box::new(Divergence {
        seed: outcome.seed,
        same,
        first: one.get(same).cloned(),
        second: other.get(same).cloned(),
    }))
}

/// What the checks must know of Eureka's settings.
fn premises(plan: &Plan, configs: &[Arc<eureka::Config>]) -> Premises {
    let mut leases = vec![None; plan.world.instances.len()];
    for registration in configs.iter().filter_map(|config| config.client().instance.as_ref()) {
        leases[registration.id.index()] = Some(LeaseTerms {
            duration: registration.instance.lease_duration,
            renewal_interval: registration.instance.lease_renewal_interval,
        });
    }
    let rules = configs.iter().map(|config| match &**config {
        eureka::Config::Client(_) => None,
        eureka::Config::Server(node) => Some(Rules {
            self_preservation: node.server.enable_self_preservation,
            percent: node.server.renewal_percent_threshold,
            renewals_per_client: 60.0 / f64::from(node.server.expected_client_renewal_interval),
        }),
    });
    Premises {
        repairing_meshes: repairing_meshes(plan, configs, &leases),
        leases: leases.into(),
        rules: rules.collect(),
    }
}

/// For each cluster, whether its servers replicate to each other and repair what differs, with all that they are told at any time.
fn repairing_meshes(
    plan: &Plan,
    configs: &[Arc<eureka::Config>],
    leases: &[Option<LeaseTerms>],
) -> Vec<bool> {
    let world = &plan.world;
    let clusters = world.servers_by_cluster();
    let mut repairing = vec![true; clusters.len()];
    for (_, node, config) in clusters::told(world, configs) {
        let eureka::Config::Server(server) = config else { continue };
        let cluster = world.cluster(node).index();
        let replicates_to = |other: &NodeId| {
            let address = world.processes[other.index()].address;
            let urls = &server.client.service_urls;
            urls.iter().any(|url| url.address == address && !server.is_me(&url.text, &url.host))
        };
        repairing[cluster] &= server.server.sync_when_timestamp_differs
            && clusters[cluster].iter().all(|other| *other == node || replicates_to(other));
    }
    // Heartbeats that overtake the replication are merged in its buffers, again and again: nothing is settled in a heartbeat.
    for (home, terms) in world.homes().iter().zip(leases) {
        repairing[home.index()] &= terms.is_none_or(|terms| terms.renewal_interval >= MAX_BATCHING_DELAY);
    }
    repairing
}
