//! The world that a driver builds: hosts, processes, paths, addresses, and what will happen to them. Plain data with dense
//! ids, no names looked up and no defaults filled in later.
//!
//! Separate from the rest of the plan because it knows neither the protocol nor what is expected of the run; tests and the
//! library build one by hand.

use std::sync::Arc;
use std::time::Duration;

use super::expectation::{Pattern, Range};
use crate::protocol::{Address, Gauge, InstanceId, NodeId, Operation, ServiceId, SimTime};

/// An index into a table of the world.
macro_rules! index {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u32);

        impl $name {
            /// As an index into its table.
            pub fn index(self) -> usize {
                self.0 as usize
            }
        }
    };
}

index! {
    /// A region: zones that share a long-distance link to other regions.
    RegionId
}
index! {
    /// A zone of a region.
    ZoneId
}
index! {
    /// A machine with clocks, a disk, power and a network interface.
    HostId
}
index! {
    /// A cluster: servers that some process takes for one registry, and whoever registers or looks up there.
    ClusterId
}

index! {
    /// Something that steps wait for.
    TriggerId
}

/// All that a run consists of, but for the protocol's settings.
#[derive(Clone, Debug, PartialEq)]
pub struct World {
    /// Names of the regions.
    pub regions: Vec<String>,
    /// The zones.
    pub zones: Vec<Zone>,
    /// The hosts.
    pub hosts: Vec<Host>,
    /// The processes; [`NodeId`] is the index.
    pub processes: Vec<Process>,
    /// The cluster of each process, by the rule of [`super::clusters`]. Those beyond its end are of the first one.
    pub clusters: Vec<ClusterId>,
    /// The address book at the start; [`Address`] is the index.
    pub addresses: Vec<AddressEntry>,
    /// Addresses whose balancers look after those behind them.
    pub checks: Vec<HealthCheck>,
    /// Names of the instances; [`InstanceId`] is the index.
    pub instances: Vec<String>,
    /// Names of the services; [`ServiceId`] is the index.
    pub services: Vec<String>,
    /// Groups of instances that an operator can take out of service, by name.
    pub groups: Vec<(Arc<str>, Vec<InstanceId>)>,
    /// How good each class of path is.
    pub paths: Paths,
    /// What happens, in any order.
    pub steps: Vec<Step>,
    /// What steps wait for, if they do not happen at a fixed time.
    pub triggers: Vec<Trigger>,
    /// Who calls whom, all the time.
    pub traffic: Vec<Traffic>,
    /// When the run ends.
    pub duration: SimTime,
    /// The true wall-clock time at the start of the run, ms since 1970.
    pub epoch_ms: i64,
    /// Ends the run as flooded when more inputs than this are delivered within one virtual second.
    pub flood_limit: u64,
}

/// An empty world with the defaults of everything that has one.
impl Default for World {
    fn default() -> World {
        World {
            regions: Vec::new(),
            zones: Vec::new(),
            hosts: Vec::new(),
            processes: Vec::new(),
            clusters: Vec::new(),
            addresses: Vec::new(),
            checks: Vec::new(),
            instances: Vec::new(),
            services: Vec::new(),
            groups: Vec::new(),
            paths: Paths::default(),
            steps: Vec::new(),
            triggers: Vec::new(),
            traffic: Vec::new(),
            duration: SimTime::from_secs(600),
            // 2026-01-01T00:00:00Z
            epoch_ms: 1_767_225_600_000,
            flood_limit: 50_000_000,
        }
    }
}

impl World {
    /// The cluster that a process is of.
    pub fn cluster(&self, node: NodeId) -> ClusterId {
        self.clusters.get(node.index()).copied().unwrap_or(ClusterId(0))
    }

    /// How many clusters there are.
    pub fn cluster_count(&self) -> usize {
        self.clusters.iter().map(|cluster| cluster.index() + 1).max().unwrap_or(1)
    }

    /// The servers of each cluster.
    pub fn servers_by_cluster(&self) -> Vec<Vec<NodeId>> {
        let mut clusters = vec![Vec::new(); self.cluster_count()];
        for (at, process) in self.processes.iter().enumerate() {
            if process.role == Role::Server {
                let node = NodeId(at as u32);
                clusters[self.cluster(node).index()].push(node);
            }
        }
        clusters
    }

    /// The cluster of each instance: that of the process which registers it.
    pub fn homes(&self) -> Vec<ClusterId> {
        let mut homes = vec![ClusterId(0); self.instances.len()];
        for (at, process) in self.processes.iter().enumerate() {
            if let Some((_, instance)) = process.instance {
                homes[instance.index()] = self.cluster(NodeId(at as u32));
            }
        }
        homes
    }
}

/// A zone.
#[derive(Clone, Debug, PartialEq)]
pub struct Zone {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub region: RegionId,
}

/// A host.
#[derive(Clone, Debug, PartialEq)]
pub struct Host {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub zone: ZoneId,
    /// How wrong its clocks are from the start.
    pub clock: ClockError,
    /// How fast its disk is.
    pub disk: DiskSpeed,
}

/// How a host's clocks differ from true time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClockError {
    /// Added to the wall clock, ns.
    pub skew_ns: i64,
    /// How much faster both clocks run, in parts per million.
    pub drift_ppm: i32,
}

/// What a flush costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskSpeed {
    /// Time per flush. Default 2 ms (a data-centre SSD with a full cache flush).
    pub latency: Duration,
    /// Bytes per second. Default 200 MB/s.
    pub bytes_per_second: u64,
}

impl Default for DiskSpeed {
    fn default() -> DiskSpeed {
        DiskSpeed { latency: Duration::from_millis(2), bytes_per_second: 200_000_000 }
    }
}

/// What a process is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It stores the registry. It draws from a long stream.
    Server,
    /// It registers or looks up. It draws from a small stream.
    Client,
}

/// A process.
#[derive(Clone, Debug, PartialEq)]
pub struct Process {
    /// Its name; its randomness is derived from it.
    pub name: String,
    /// Where it runs.
    pub host: HostId,
    /// What it is for.
    pub role: Role,
    /// When it first starts. [`SimTime::MAX`]: only when a step starts it.
    pub start: SimTime,
    /// How it works off requests.
    pub service: ServiceModel,
    /// Its connection pools; `PoolId` is the index.
    pub pools: Vec<PoolPolicy>,
    /// The instance that it registers and that wants traffic while the process runs, if it registers one.
    pub instance: Option<(ServiceId, InstanceId)>,
    /// Whether it keeps a copy of the registry that must come to agree with the truth.
    pub subscribes: bool,
    /// The address that its requests seem to come from.
    pub address: Address,
}

/// How a process works off requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServiceModel {
    /// Requests worked on at a time; `None` is unbounded (event-driven).
    pub workers: Option<u32>,
    /// Requests that may wait for a worker before new connections meet silence. What comes over open ones waits all the same.
    pub accept_queue: u32,
    /// Time that each request takes.
    pub base: Duration,
    /// Time that each item of it takes on top.
    pub per_item: Duration,
}

/// How a pool keeps connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolPolicy {
    /// A connection unused for this long is closed.
    pub idle: Duration,
    /// Connections to one address; calls beyond wait for one.
    pub max_per_address: u32,
    /// Connections to all addresses together; calls beyond wait for one.
    pub max_total: u32,
}

/// One line of the address book.
#[derive(Clone, Debug, PartialEq)]
pub struct AddressEntry {
    /// `host:port`.
    pub name: String,
    /// What stands behind it.
    pub behind: Behind,
}

/// How a balancer looks after the processes behind an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// The address.
    pub address: Address,
    /// Time between two checks, longer than none. Default 2 s (HAProxy: `inter`).
    pub every: Duration,
    /// Failures in a row after which a process gets no new connections. Default 3 (HAProxy: `fall`).
    pub fall: u32,
    /// Successes in a row after which it does again. Default 2 (HAProxy: `rise`).
    pub rise: u32,
    /// Whether the process itself must answer; else its host must accept a connection, which it does while the process stands still.
    pub get: bool,
}

/// What stands behind an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Behind {
    /// These processes: one, or several behind a balancer that takes them in turn.
    Processes(Vec<NodeId>),
    /// A running host on which nothing listens: connections are refused.
    Nothing(HostId),
    /// No host: silence.
    NoHost,
    /// All of these get each datagram.
    Multicast(Vec<NodeId>),
}

/// The quality of one directed path.
#[derive(Clone, Debug, PartialEq)]
pub struct Quality {
    /// One-way latency.
    pub latency: Latency,
    /// Packets lost, in a million.
    pub loss_ppm: u32,
    /// How long everything is lost at a time. `None`: each packet is lost or not on its own.
    pub burst: Option<Duration>,
    /// Packets doubled, in a million. Seen by datagrams only.
    pub duplicate_ppm: u32,
    /// Packets held back by up to one more latency, in a million. Seen by datagrams only.
    pub reorder_ppm: u32,
    /// Bytes per second of each connection; `None` is unlimited.
    pub bandwidth: Option<u64>,
}

/// A distribution of one-way latencies.
#[derive(Clone, Debug, PartialEq)]
pub enum Latency {
    /// Always the same.
    Fixed(Duration),
    /// Every value of the closed range equally likely.
    Uniform(Duration, Duration),
    /// Normal, cut at `floor`.
    Normal { mean: Duration, deviation: Duration, floor: Duration },
    /// Lognormal through these two quantiles, never below `floor`.
    Lognormal { median: Duration, p99: Duration, floor: Duration },
    /// Pareto: never below `floor`, with tail index `alpha` in thousandths.
    Pareto { floor: Duration, alpha_milli: u32 },
    /// Measured quantiles: (per mille, latency), both rising; straight lines between them.
    Quantiles(Vec<(u16, Duration)>),
}

/// The quality of each class of path. A more special class wins over a more general one.
#[derive(Clone, Debug, PartialEq)]
pub struct Paths {
    /// Between processes of one host.
    pub same_host: Quality,
    /// Between hosts of one zone.
    pub same_zone: Quality,
    /// Between zones of one region.
    pub same_region: Quality,
    /// Between regions for which nothing else is said.
    pub cross_region: Quality,
    /// From one zone to another (or within one, from a zone to itself).
    pub zones: Vec<(ZoneId, ZoneId, Quality)>,
    /// From one region to another (or within one).
    pub regions: Vec<(RegionId, RegionId, Quality)>,
    /// From one host to another.
    pub hosts: Vec<(HostId, HostId, Quality)>,
}

impl Quality {
    /// A path without faults.
    pub const fn clean(latency: Latency) -> Quality {
        Quality { latency, loss_ppm: 0, burst: None, duplicate_ppm: 0, reorder_ppm: 0, bandwidth: None }
    }
}

/// Assumed, not measured: round figures for a public cloud.
impl Default for Paths {
    fn default() -> Paths {
        let between = |low, high| {
            Quality::clean(Latency::Uniform(Duration::from_micros(low), Duration::from_micros(high)))
        };
        Paths {
            same_host: Quality::clean(Latency::Fixed(Duration::from_micros(50))),
            same_zone: between(200, 500),
            same_region: between(500, 1500),
            cross_region: Quality::clean(Latency::Lognormal {
                median: Duration::from_millis(30),
                p99: Duration::from_millis(60),
                floor: Duration::ZERO,
            }),
            zones: Vec::new(),
            regions: Vec::new(),
            hosts: Vec::new(),
        }
    }
}

/// Something that happens during the run.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Its name in pictures and reports.
    pub name: String,
    /// What it waits for; its times count from that moment on. `None`: from the start of the run.
    pub trigger: Option<TriggerId>,
    /// When it happens, or begins.
    pub at: SimTime,
    /// When a fault that lasts ends; `None` for instants and for what stays until the end.
    pub until: Option<SimTime>,
    /// What happens.
    pub fault: Fault,
}

/// Something that steps wait for: the n-th time that a condition comes true.
#[derive(Clone, Debug, PartialEq)]
pub struct Trigger {
    /// As it was written, on one line.
    pub name: String,
    /// It counts only from this trigger on. `None`: from the start of the run.
    pub after: Option<TriggerId>,
    /// And so long after that.
    pub from: SimTime,
    /// What is counted.
    pub condition: Condition,
    /// The how many-th time fires it, from 1.
    pub nth: u32,
}

/// What a trigger counts.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// A machine reports a matching event.
    Event(Pattern),
    /// A gauge of one of these processes comes into a range in which it was not before.
    Gauge { gauge: Gauge, nodes: Vec<NodeId>, is: Range },
    /// One of these processes starts, is told to stop, or ends.
    Life { change: Life, nodes: Option<Vec<NodeId>> },
}

/// A turn in the life of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// It starts, for the first time or again.
    Started,
    /// It is told to shut down.
    Stopping,
    /// It is gone.
    Ended,
}

/// What can happen. Lasting ones are undone at the end of their step.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// Hosts of different groups cannot reach each other; hosts in no group keep their paths. Lasts.
    Partition { groups: Vec<Vec<HostId>> },
    /// Nothing passes from the hosts `from` to the hosts `to`; other directions are untouched. Lasts.
    Cut { from: Vec<HostId>, to: Vec<HostId> },
    /// Nothing passes from `from` to `to` (or also back) for a while, then everything for a while, again and again; it begins with a cut. Each
    /// length is drawn evenly from its range. Lasts.
    Flap {
        from: Vec<HostId>,
        to: Vec<HostId>,
        both_ways: bool,
        down: (Duration, Duration),
        up: (Duration, Duration),
    },
    /// The hosts send no refusals and no resets: who calls a process that is not there gets silence. Lasts.
    Silence { hosts: Vec<HostId> },
    /// The paths from `from` to `to` change. Lasts.
    Path { from: Vec<HostId>, to: Vec<HostId>, change: PathChange },
    /// Matching messages are interfered with. Lasts.
    Messages { matching: MessageMatch, action: MessageAction },
    /// Processes die at once.
    Crash { processes: Vec<NodeId> },
    /// Hosts lose power: their processes die, unflushed writes are lost. Silence from then on.
    PowerOff { hosts: Vec<HostId>, unflushed: Unflushed },
    /// Processes (and their hosts, if those are off) start again.
    Restart { processes: Vec<NodeId>, wipe_disk: bool },
    /// Processes (and their hosts, if those are off) start; those that run are left alone.
    Start { processes: Vec<NodeId> },
    /// Processes are told to shut down gracefully.
    Stop { processes: Vec<NodeId> },
    /// Processes stand still; their hosts go on. Lasts.
    Pause { processes: Vec<NodeId> },
    /// Processes take this many thousandths of their normal service time. Lasts.
    Slow { processes: Vec<NodeId>, factor_milli: u32 },
    /// Clocks of hosts go wrong. `Drift` and `Freeze` last; a jump is an instant.
    Clock { hosts: Vec<HostId>, change: ClockChange },
    /// Flushes on hosts take this many thousandths of their normal time. Lasts.
    SlowDisk { hosts: Vec<HostId>, factor_milli: u32 },
    /// Flushes on hosts fail. Lasts.
    FullDisk { hosts: Vec<HostId> },
    /// Every connection between the hosts is reset.
    Reset { from: Vec<HostId>, to: Vec<HostId> },
    /// The address book changes.
    Resolve { address: Address, behind: Behind },
    /// An operation is asked of a process.
    Ask { process: NodeId, operation: Operation },
    /// A process gets new settings: the index is into the plan's list of settings.
    Reconfigure { process: NodeId, config: u32 },
}

impl Fault {
    /// Whether a fault is in force from its beginning on, until its end if it has one.
    pub fn lasts(&self) -> bool {
        match self {
            Fault::Partition { .. }
            | Fault::Cut { .. }
            | Fault::Flap { .. }
            | Fault::Silence { .. }
            | Fault::Path { .. }
            | Fault::Messages { .. }
            | Fault::Pause { .. }
            | Fault::Slow { .. }
            | Fault::SlowDisk { .. }
            | Fault::FullDisk { .. }
            | Fault::Clock { change: ClockChange::Drift(_) | ClockChange::Freeze, .. } => true,
            Fault::Crash { .. }
            | Fault::PowerOff { .. }
            | Fault::Restart { .. }
            | Fault::Start { .. }
            | Fault::Stop { .. }
            | Fault::Clock { change: ClockChange::Jump(_), .. }
            | Fault::Reset { .. }
            | Fault::Resolve { .. }
            | Fault::Ask { .. }
            | Fault::Reconfigure { .. } => false,
        }
    }
}

/// What a power loss leaves of the writes that no flush covers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unflushed {
    /// A prefix for each file, of a length that is drawn.
    #[default]
    Drawn,
    /// All of them.
    Kept,
    /// None of them.
    Lost,
    /// All but the last of each file, which is torn and seen as absent.
    Torn,
}

/// How a path changes for a while. Several changes of one path add up.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PathChange {
    /// Replaces the latency.
    pub latency: Option<Latency>,
    /// Replaces the loss, in a million.
    pub loss_ppm: Option<u32>,
    /// How long everything is lost at a time, where the loss is replaced.
    pub burst: Option<Duration>,
    /// Replaces the duplication, in a million.
    pub duplicate_ppm: Option<u32>,
    /// Replaces the reordering, in a million.
    pub reorder_ppm: Option<u32>,
    /// Replaces the bandwidth, bytes per second.
    pub bandwidth: Option<u64>,
}

/// Which messages a message fault touches. What is `None` matches all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MessageMatch {
    /// `Wire::kind` of the request, response, message or datagram.
    pub kind: Option<String>,
    /// Sending processes.
    pub from: Option<Vec<NodeId>>,
    /// Receiving processes.
    pub to: Option<Vec<NodeId>>,
    /// The instance it is about.
    pub instance: Option<InstanceId>,
    /// Only the n-th match, from 1.
    pub nth: Option<u64>,
}

/// What happens to a matching message.
#[derive(Clone, Debug, PartialEq)]
pub enum MessageAction {
    /// It is lost.
    Drop,
    /// It arrives later.
    Delay(Duration),
    /// It arrives when the fault has ended. Such a fault has an end.
    Hold,
    /// It arrives twice (datagrams; a call is executed twice).
    Duplicate,
    /// The caller gets this HTTP status instead, with such a body (requests only).
    Fail { status: u16, body: Option<Arc<str>> },
    /// The caller is told with 302 to ask there instead (requests only).
    Redirect(Address),
    /// The connection breaks under it, with an I/O error that has no message (requests only).
    Break,
}

/// How clocks go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockChange {
    /// The wall clock jumps by so many ns; the monotonic clock does not notice.
    Jump(i64),
    /// Both clocks run faster by so many parts per million.
    Drift(i32),
    /// The wall clock stands still, then jumps to where it would be.
    Freeze,
}

/// Calls that one process makes to a service, through what it knows of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Traffic {
    /// Who calls.
    pub caller: NodeId,
    /// Which service.
    pub service: ServiceId,
    /// Time between calls.
    pub every: Duration,
    /// When the first call is made.
    pub first: SimTime,
    /// Calls that get no answer end after this time.
    pub timeout: Duration,
    /// How often a call that failed is made again, each time on another instance.
    pub retries: u32,
}
