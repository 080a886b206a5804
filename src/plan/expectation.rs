//! What a scenario expects of its run, with every name resolved to ids.

use std::time::Duration;

use crate::history::{Record, What};
use crate::protocol::{Event, Gauge, InstanceId, NodeId, ServiceId, SimTime, Status};

/// One expectation.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation {
    /// As it stands in the scenario, on one line, such as `converged: { within: 60s }`.
    pub text: String,
    /// Line in the scenario file, from 1.
    pub line: u32,
    /// What must hold.
    pub expected: Expected,
    /// `violates:` a known weakness: the run is right only if this does *not* hold.
    pub violated: bool,
}

/// What must hold.
#[derive(Clone, Debug, PartialEq)]
pub enum Expected {
    /// From the last disturbance or change of truth, all servers and subscribed clients agree with the truth within the bound,
    /// and keep agreeing.
    Converged { within: Duration },
    /// A check holds, and had a chance to fail.
    Holds(Invariant),
    /// No event matches.
    Never(Pattern),
    /// At least one event matches.
    Sometimes(Pattern),
    /// A gauge of these processes has, at some moment of the window, a value in the range (`sometimes`), or at every moment of it
    /// (else).
    Gauge { gauge: Gauge, nodes: Vec<NodeId>, from: SimTime, to: SimTime, is: Range, sometimes: bool },
    /// At `by`, each of the servers lists (or does not list) each of the instances, with that status if one is given.
    Listed {
        instances: Vec<InstanceId>,
        servers: Vec<NodeId>,
        status: Option<Status>,
        by: SimTime,
        listed: bool,
    },
    /// So many events match within the window.
    Count { pattern: Pattern, from: SimTime, to: SimTime, is: Range },
    /// The second moment comes so long after the first.
    Delay { from: Moment, to: Moment, is: Range },
    /// The moments come in this order.
    Order(Vec<Moment>),
    /// What these steps ask is answered with this HTTP status.
    Answered { steps: Vec<u32>, status: u16 },
    /// This share of the calls of these callers (`None`: of all) to this service (`None`: to any) that end within the window is
    /// answered.
    Calls {
        callers: Option<Vec<NodeId>>,
        service: Option<ServiceId>,
        from: SimTime,
        to: SimTime,
        success: Range,
    },
}

/// A family of checks: always on, or only where a scenario names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Invariant {
    /// No instance that renews in time at this server is evicted by it.
    LiveInstanceNotEvicted,
    /// Nothing is evicted under self-preservation; no run evicts more than its share.
    SelfPreservation,
    /// All servers come to hold the newest version of a live instance.
    ConflictResolution,
    /// All servers hold the same of a live instance.
    ServersAgree,
    /// A server lists a live instance that heart-beats there again within a heartbeat.
    Relisted,
    /// A client's copy has as many instances of each status as its server said.
    CacheAsClaimed,
    /// The version of an instance that a server lists never goes back.
    VersionNeverGoesBack,
    /// What a server was told by another it does not tell further.
    NoReplicationLoop,
    /// An instance that is gone and was removed by a server is not listed there again without its owner.
    NoResurrection,
    /// A living instance whose registration was acknowledged is listed by some running server.
    RegistrationNotLost,
}

impl Invariant {
    /// All of them.
    pub const ALL: [Invariant; 10] = [
        Invariant::LiveInstanceNotEvicted,
        Invariant::SelfPreservation,
        Invariant::ConflictResolution,
        Invariant::ServersAgree,
        Invariant::Relisted,
        Invariant::CacheAsClaimed,
        Invariant::VersionNeverGoesBack,
        Invariant::NoReplicationLoop,
        Invariant::NoResurrection,
        Invariant::RegistrationNotLost,
    ];

    /// Whether every run is judged by it. The others are known not to hold for every system, whatever it is worth to know where.
    pub const fn always_on(self) -> bool {
        !matches!(self, Invariant::NoResurrection | Invariant::RegistrationNotLost)
    }

    /// Its name in reports and scenarios. `never: live-instance-evicted` is the first one's other name, `never: resurrection`
    /// that of [`NoResurrection`](Invariant::NoResurrection).
    pub const fn name(self) -> &'static str {
        match self {
            Invariant::LiveInstanceNotEvicted => "live-instance-not-evicted",
            Invariant::SelfPreservation => "self-preservation",
            Invariant::ConflictResolution => "conflict-resolution",
            Invariant::ServersAgree => "servers-agree",
            Invariant::Relisted => "listed-again",
            Invariant::CacheAsClaimed => "cache-as-claimed",
            Invariant::VersionNeverGoesBack => "version-never-goes-back",
            Invariant::NoReplicationLoop => "no-replication-loop",
            Invariant::NoResurrection => "no-resurrection",
            Invariant::RegistrationNotLost => "registration-not-lost",
        }
    }
}

/// Which events are meant. What is `None` matches all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// `Event::name`.
    pub event: &'static str,
    /// Instances it is about.
    pub instances: Option<Vec<InstanceId>>,
    /// Processes that report it.
    pub nodes: Option<Vec<NodeId>>,
    /// The status it names.
    pub status: Option<Status>,
}

impl Pattern {
    /// Whether a record is an event that is meant.
    pub fn matches(&self, record: &Record) -> bool {
        let What::Event { node, event } = &record.what else { return false };
        let (instance, status) = subject(event);
        event.name() == self.event
            && self.nodes.as_ref().is_none_or(|nodes| nodes.contains(node))
            && self.instances.as_ref().is_none_or(|all| instance.is_some_and(|it| all.contains(&it)))
            && self.status.is_none_or(|wanted| status == Some(wanted))
    }
}

fn subject(event: &Event) -> (Option<InstanceId>, Option<Status>) {
    match event {
        Event::Registered { instance, status, .. }
        | Event::Changed { instance, status, .. }
        | Event::Announced { instance, status, .. } => (Some(*instance), Some(*status)),
        Event::Renewed { instance, .. }
        | Event::NotFound { instance, .. }
        | Event::Deregistered { instance, .. }
        | Event::Evicted { instance }
        | Event::Joined { instance }
        | Event::MetadataChanged { instance } => (Some(*instance), None),
        Event::EvictionPass { .. } | Event::Adopted { .. } | Event::Gauge { .. } => (None, None),
    }
}

/// A moment of the run.
#[derive(Clone, Debug, PartialEq)]
pub enum Moment {
    /// A fixed time.
    At(SimTime),
    /// A step of the schedule takes effect.
    StepBegins(u32),
    /// A step of the schedule ends.
    StepEnds(u32),
    /// The n-th matching event (from 1), counted from the previous moment of the same expectation on.
    Event { pattern: Pattern, nth: u32 },
    /// From here to the end of the run, none of these caches and servers lists any of the instances.
    Forgotten { instances: Vec<InstanceId>, observers: Vec<NodeId> },
    /// From here to the end of the run, all of these caches and servers list all of the instances.
    Known { instances: Vec<InstanceId>, observers: Vec<NodeId> },
}

/// A closed or half-open range of numbers; times are in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Whether the lower end itself is out (`> 3`).
    pub above: bool,
    /// Whether the upper end itself is out (`< 3`).
    pub below: bool,
}

impl Range {
    /// Exactly this value.
    pub fn exactly(value: f64) -> Range {
        Range { low: value, high: value, above: false, below: false }
    }

    /// From `low` to `high`, both in.
    pub fn closed(low: f64, high: f64) -> Range {
        Range { low, high, above: false, below: false }
    }

    /// Whether the value lies in the range.
    pub fn contains(self, value: f64) -> bool {
        (if self.above { value > self.low } else { value >= self.low })
            && (if self.below { value < self.high } else { value <= self.high })
    }
}
