//! From what the user wrote to what will run: names become ids, defaults are filled in, chance is drawn from the seed.
//!
//! Separate from the plan's types because it is the only place that sees both the scenario and the plan. It goes on after a
//! mistake, as the reader does, so that all unknown names of a file are shown at once. One step after the other, each in a
//! file: [`places`], [`fleet`], then [`nodes`] with [`settings`], [`registries`] and [`about`], [`targets`], [`schedule`]
//! with [`faults`], [`changes`], [`rollout`] and [`waits`], [`judgement`].

mod about;
mod changes;
mod faults;
mod fleet;
mod judgement;
mod limits;
mod nodes;
mod places;
mod registries;
mod rollout;
mod schedule;
mod settings;
mod targets;
mod waits;

use self::changes::Told;
use self::schedule::Time;
use super::world::{
    AddressEntry, HealthCheck, Host, HostId, Process, RegionId, Step, Traffic, Trigger, TriggerId, World,
    Zone, ZoneId,
};
use super::{Cure, Expectation, Plan, System, clusters};
use crate::protocol::eureka;
use crate::protocol::{Address, InstanceId, Key, NodeId, ServiceId, SimTime};
use crate::scenario::Scenario;
use crate::scenario::diagnostic::{Diagnostic, Severity, Source, Span, Spanned, suggestion};
use crate::scenario::timeline::Action;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The wall clock at the start of a run lies within a minute from here: 2026-01-01T00:00:00Z. Where exactly is drawn, so that
/// what runs on wall-clock multiples (Eureka's cache fill) has no phase of its own over many seeds.
const EPOCH_MS: i64 = 1_767_225_600_000;

/// More inputs than this within one virtual second are a flood, not a load.
const FLOOD_LIMIT: u64 = 10_000_000;

/// How long a run is if nothing says so: five minutes.
const SHORTEST: Duration = Duration::from_secs(300);

/// What a name stands for.
#[derive(Clone, Debug)]
enum Named {
    Region(RegionId),
    Zone(ZoneId),
    Host(HostId),
    Server(NodeId),
    Service(Vec<NodeId>),
}

struct Resolver<'s> {
    scenario: &'s Scenario,
    chance: Key,
    regions: Vec<String>,
    zones: Vec<Zone>,
    hosts: Vec<Host>,
    processes: Vec<Process>,
    configs: Vec<Arc<eureka::Config>>,
    addresses: Vec<AddressEntry>,
    checks: Vec<HealthCheck>,
    instances: Vec<String>,
    services: Vec<String>,
    groups: Vec<(Arc<str>, Vec<InstanceId>)>,
    /// The port of each process, and whether it is more than an assumption.
    ports: Vec<(u16, bool)>,
    /// Under which id an application's instance is kept.
    ids: BTreeMap<(ServiceId, Arc<str>), InstanceId>,
    /// The first instance of each id, over all applications.
    override_keys: BTreeMap<Arc<str>, InstanceId>,
    names: BTreeMap<String, Named>,
    traffic: Vec<Traffic>,
    steps: Vec<Step>,
    triggers: Vec<Trigger>,
    /// How many instances a service has from a time on, in order of time.
    scales: Vec<(String, SimTime, u32)>,
    /// Whether there are any.
    scaled: bool,
    /// The moment that selectors are about. `None`: all that there ever are.
    as_of: Option<SimTime>,
    /// How far clocks jump in all, in ns.
    jumped: u64,
    /// What each process that is told new settings waits for before it is told the first.
    told_after: BTreeMap<NodeId, Option<TriggerId>>,
    /// What the step that is resolved waits for.
    base: Option<TriggerId>,
    /// Answers that requests expect.
    answers: Vec<Expectation>,
    /// What steps have told processes so far.
    told: BTreeMap<NodeId, Told<'s>>,
    /// Records in DNS, as they are by then.
    records: Vec<(String, Vec<Spanned<String>>)>,
    /// The resolved steps of each named step: indices of the first and the last, beginning of the first, end of the last.
    moments: BTreeMap<String, StepMoments>,
    diagnostics: Vec<Diagnostic>,
    /// What is worth knowing but not wrong, beside what reading found.
    notes: Vec<Diagnostic>,
}

/// Where a named step stands in the schedule.
#[derive(Clone, Copy, Debug)]
struct StepMoments {
    first: usize,
    last: usize,
    end: Time,
}

impl Plan {
    /// Resolves a scenario for the seed that it names, or 1.
    ///
    /// # Errors
    /// As [`Plan::resolve_for`].
    pub fn resolve(scenario: &Scenario) -> Result<Plan, Vec<Diagnostic>> {
        Self::resolve_for(scenario, scenario.seed.unwrap_or(1))
    }

    /// Resolves a scenario for a seed. Start times, shares of targets and the wall clock are drawn from it, so every seed has a
    /// plan of its own.
    ///
    /// # Errors
    /// All names that do not exist, and all that cannot be, with their places in the scenario or in a file that it names.
    pub fn resolve_for(scenario: &Scenario, seed: u64) -> Result<Plan, Vec<Diagnostic>> {
        let mut resolver = Resolver::new(scenario, seed);
        if !resolver.within_limits() {
            return Err(resolver.diagnostics);
        }
        resolver.resolve_places();
        resolver.resolve_fleet();
        let paths = resolver.resolve_paths();
        resolver.resolve_schedule();
        let (expectations, latest) = resolver.resolve_expectations();
        let duration = resolver.duration(latest);
        resolver.limit_requests(duration);
        let cures = resolver.cures(seed);
        let epoch_ms = EPOCH_MS + (resolver.chance.child("epoch").draw(0, 0, 0, 0) % 60_000) as i64;
        if !resolver.diagnostics.is_empty() {
            let mut diagnostics = resolver.diagnostics;
            diagnostics.sort_by(|a, b| (&a.source.name, a.span).cmp(&(&b.source.name, b.span)));
            // A name may be looked up more than once.
            diagnostics.dedup();
            return Err(diagnostics);
        }
        let vary = scenario.vary.iter().map(|one| {
            let values = one.values.iter().map(|value| value.value.clone()).collect();
            (one.path.value.clone(), values)
        });
        // What stands in `system` is noted for each process that it concerns.
        let mut found: Vec<&Diagnostic> = Vec::new();
        for note in resolver.notes.iter().filter(|note| !scenario.notes.contains(note)) {
            if !found.contains(&note) {
                found.push(note);
            }
        }
        let notes = scenario.notes.iter().chain(found).map(|note| {
            let (line, _) = note.position();
            format!("{}:{line}: {}", note.source.name, note.message)
        });
        let mut world = World {
            regions: resolver.regions,
            zones: resolver.zones,
            hosts: resolver.hosts,
            processes: resolver.processes,
            clusters: Vec::new(),
            addresses: resolver.addresses,
            checks: resolver.checks,
            instances: resolver.instances,
            services: resolver.services,
            groups: resolver.groups,
            paths,
            steps: resolver.steps,
            triggers: resolver.triggers,
            traffic: resolver.traffic,
            duration,
            epoch_ms,
            flood_limit: FLOOD_LIMIT,
        };
        world.clusters = clusters::of(&world, &resolver.configs);
        Ok(Plan {
            name: scenario.name.clone(),
            title: scenario.title.clone(),
            about: scenario.about.clone().unwrap_or_default(),
            system: System::Eureka(resolver.configs),
            world,
            expectations,
            seed,
            cures,
            vary: vary.collect(),
            notes: notes.collect(),
        })
    }
}

impl<'s> Resolver<'s> {
    fn new(scenario: &'s Scenario, seed: u64) -> Self {
        Resolver {
            scenario,
            chance: Key::root(seed).child("plan"),
            regions: Vec::new(),
            zones: Vec::new(),
            hosts: Vec::new(),
            processes: Vec::new(),
            configs: Vec::new(),
            addresses: Vec::new(),
            checks: Vec::new(),
            instances: Vec::new(),
            services: Vec::new(),
            groups: Vec::new(),
            ports: Vec::new(),
            ids: BTreeMap::new(),
            override_keys: BTreeMap::new(),
            names: BTreeMap::new(),
            traffic: Vec::new(),
            steps: Vec::new(),
            triggers: Vec::new(),
            scales: Vec::new(),
            scaled: scenario.timeline.iter().any(|step| matches!(step.action, Action::Scale { .. })),
            as_of: None,
            jumped: 0,
            told_after: BTreeMap::new(),
            base: None,
            answers: Vec::new(),
            told: BTreeMap::new(),
            records: scenario
                .topology
                .dns
                .iter()
                .map(|(name, names)| (name.value.clone(), names.clone()))
                .collect(),
            moments: BTreeMap::new(),
            diagnostics: Vec::new(),
            notes: Vec::new(),
        }
    }

    fn error(&mut self, span: Span, message: impl Into<String>, help: Option<String>) {
        let (source, span) = self.scenario.sources.locate(span);
        self.error_in(source, span, message, help);
    }

    fn error_in(
        &mut self,
        source: Arc<Source>,
        span: Span,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        let message = message.into();
        self.diagnostics.push(Diagnostic { source, span, severity: Severity::Error, message, help });
    }

    /// Records what is worth knowing, but not wrong.
    fn note(&mut self, span: Span, message: String) {
        let (source, span) = self.scenario.sources.locate(span);
        self.notes.push(Diagnostic { source, span, severity: Severity::Note, message, help: None });
    }

    /// Records a mistake whose right form is known, and is `None`.
    fn refuse<T>(&mut self, span: Span, message: impl Into<String>, help: impl Into<String>) -> Option<T> {
        self.error(span, message, Some(help.into()));
        None
    }

    /// Records that a name is not known, with the nearest that is.
    fn unknown<T>(&mut self, what: &str, name: &Spanned<String>, valid: Vec<String>) -> Option<T> {
        let help = match valid.is_empty() {
            true => Some(format!("the scenario names no {what}")),
            false => suggestion(name, valid.iter().map(String::as_str)),
        };
        self.error(name.span, format!("unknown {what}: `{}`", name.value), help);
        None
    }

    /// Gives a name to something; every name stands for one thing.
    fn name(&mut self, name: &Spanned<String>, named: Named) {
        if self.names.insert(name.value.clone(), named).is_some() {
            let help = "regions, zones, hosts, servers and services need names of their own";
            self.error(name.span, format!("one name for two things: `{}`", name.value), Some(help.into()));
        }
    }

    /// The scenario's cures, resolved as it is.
    fn cures(&mut self, seed: u64) -> Vec<Cure> {
        let mut cures = Vec::new();
        for cure in &self.scenario.cures {
            match Plan::resolve_for(&cure.scenario, seed) {
                Ok(plan) => {
                    let (about, changes) = (cure.about.clone(), cure.changes.clone());
                    cures.push(Cure { about, changes, plan });
                }
                Err(diagnostics) => self.diagnostics.extend(diagnostics),
            }
        }
        cures
    }

    /// When the run ends: as said, or late enough for everything that is expected.
    fn duration(&mut self, latest: SimTime) -> SimTime {
        let said = self.scenario.duration.as_ref().map(|duration| duration.value);
        let Some(said) = said.map(SimTime::from) else { return latest.max(SimTime::from(SHORTEST)) };
        let span = self.scenario.duration.as_ref().map_or(Span::default(), |duration| duration.span);
        if said == SimTime::ZERO {
            self.error(span, "a run of no length", Some("leave `duration` out".into()));
        }
        if let Some(step) = self.steps.iter().find(|step| self.earliest(step.trigger, step.at) > said) {
            let at = self.earliest(step.trigger, step.at);
            let message = format!("the run ends before a step: `{}` at {at}", step.name);
            self.error(span, message, Some("a longer `duration`, or none".into()));
        }
        said
    }

    /// The address of that name, as a new entry of the address book.
    fn address(&mut self, entry: AddressEntry) -> Address {
        self.addresses.push(entry);
        Address(self.addresses.len() as u32 - 1)
    }

    fn address_named(&self, name: &str) -> Option<Address> {
        let at = self.addresses.iter().position(|entry| entry.name == name)?;
        Some(Address(at as u32))
    }
}

#[cfg(test)]
mod tests;
