//! What all registries have in common: operations that are asked, and events that machines report.
//!
//! Checks, metrics and reports are written over these, so they are not generic over a protocol. Wire requests are each
//! protocol's own and do not appear here.

use std::fmt;
use std::sync::Arc;

use super::ids::{InstanceId, ServiceId};

/// What a registry says about an instance. The order is Eureka's (`InstanceStatus` ordinals).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// Ready for traffic.
    Up,
    /// A health check failed.
    Down,
    /// Initialising.
    Starting,
    /// Taken out of traffic on purpose.
    OutOfService,
    /// No status: Eureka asks the client to register again.
    Unknown,
}

impl Status {
    /// All statuses, in ordinal order.
    pub const ALL: [Status; 5] =
        [Status::Up, Status::Down, Status::Starting, Status::OutOfService, Status::Unknown];

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Status::Up => "UP",
            Status::Down => "DOWN",
            Status::Starting => "STARTING",
            Status::OutOfService => "OUT_OF_SERVICE",
            Status::Unknown => "UNKNOWN",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Something asked of a process from inside: by the application around a client, or by an operator at a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Register the instance.
    Register { instance: InstanceId },
    /// Renew the instance's lease.
    Renew { instance: InstanceId },
    /// Remove the instance.
    Deregister { instance: InstanceId },
    /// At a server: override the instance's status. At a client: change its own status.
    SetStatus { instance: InstanceId, status: Status },
    /// At a server that registers itself: change its own status, as its application would.
    SetOwnStatus { instance: InstanceId, status: Status },
    /// At a server: remove the status override; the instance then has `status`, `Unknown` where none is given.
    ClearStatus { instance: InstanceId, status: Option<Status> },
    /// Pick an instance of the service, as the client's load balancer would; `except` is one that has just failed.
    LookUp { service: ServiceId, except: Option<InstanceId> },
    /// At a server: change the instance's metadata there. At a client: change its own.
    SetMetadata { instance: InstanceId, entries: Arc<[(Arc<str>, Arc<str>)]> },
    /// At a client: what its health check finds from now on.
    SetHealth { instance: InstanceId, health: Health },
    /// At a server: enable or disable a group of instances (Eureka: an autoscaling group).
    SetGroup { group: Arc<str>, enabled: bool },
}

/// What an application's health check finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Health {
    /// Healthy.
    Up,
    /// Not healthy.
    Down,
    /// Taken out of service by itself.
    OutOfService,
    /// It cannot tell.
    Unknown,
    /// The check itself fails.
    Fails,
}

impl Health {
    /// All of them, with their names in scenarios.
    pub const ALL: [(&'static str, Health); 5] = [
        ("UP", Health::Up),
        ("DOWN", Health::Down),
        ("OUT_OF_SERVICE", Health::OutOfService),
        ("UNKNOWN", Health::Unknown),
        ("fails", Health::Fails),
    ];
}

/// How an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It was carried out.
    Ok,
    /// A look-up found this instance.
    Found(InstanceId),
    /// A look-up found nothing.
    NoneFound,
    /// It was refused; the code is the HTTP status where there is one, else 0.
    Failed(u16),
    /// The process ended first: it may or may not have happened.
    Unknown,
}

/// Where a change of a server's registry came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// A client, or an operator.
    Client,
    /// Another server replicated it.
    Replica,
    /// Copied from a peer: at start-up, or because the peer's copy was newer.
    Sync,
}

/// A figure that a machine keeps and a scenario can name. Emitted whenever it changes, `RenewalsLastMinute` also at the end of every
/// window in which it stays the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Gauge {
    /// Renewals counted in the last complete window (Eureka: `renewsLastMin`).
    RenewalsLastMinute,
    /// Renewals that must be *exceeded* for leases to expire (Eureka: `numberOfRenewsPerMinThreshold`).
    RenewalThreshold,
    /// Clients that are expected to renew (Eureka: `expectedNumberOfClientsSendingRenews`).
    ExpectedClients,
    /// 1 while self-preservation keeps leases from expiring, else 0.
    SelfPreservation,
    /// 1 while the server has opened for traffic, else 0.
    Serving,
    /// Replication tasks waiting, over all peers.
    ReplicationPending,
    /// Replication tasks dropped because a buffer was full, so far.
    ReplicationOverflow,
    /// Replication tasks dropped because they were too old, so far.
    ReplicationExpired,
    /// Status overrides held.
    Overrides,
    /// 1 while renewals are not above the threshold, from five minutes after the start on: the dashboard's warning (Eureka:
    /// `isBelowRenewThreshold`).
    BelowThreshold,
    /// Leases held.
    RegistrySize,
    /// Of these, instances with status UP.
    StatusUp,
    /// Of these, instances with status DOWN.
    StatusDown,
    /// Of these, instances with status STARTING.
    StatusStarting,
    /// Of these, instances with status OUT_OF_SERVICE.
    StatusOutOfService,
    /// Of these, instances with status UNKNOWN.
    StatusUnknown,
    /// Writes of other servers in the last complete window (Eureka: `numberOfReplicationsLastMin`).
    ReplicationsLastMinute,
    /// Replication tasks accepted, so far.
    ReplicationAccepted,
    /// Replication tasks that were taken back after a failure, so far.
    ReplicationReplayed,
    /// Replication tasks that were replaced by a newer one while they waited, so far.
    ReplicationOverridden,
    /// Replication workers alive, over all peers.
    ReplicationWorkers,
    /// Items of replication batches that were answered 404, so far.
    ReplicationNotFound,
    /// Items of replication batches that were answered 409, so far.
    ReplicationConflicts,
    /// Reads that the rate limiter refused, or would have refused if it were on, so far.
    RateLimited,
    /// Client: time since the last fetch that succeeded, ms.
    FetchAge,
    /// Client: time since the last heartbeat that succeeded, ms.
    HeartbeatAge,
    /// Client: the server that its registrations and heartbeats go to, by the number of its address; -1 without one.
    PinnedServer,
    /// Client: servers in quarantine for registrations and heartbeats.
    Quarantined,
    /// Client: delay of the heartbeat task, ms.
    HeartbeatDelay,
    /// Client: delay of the fetch task, ms.
    FetchDelay,
    /// Client: instances in its copy of the registry.
    CopySize,
    /// Client: the server that its reads go to, by the number of its address; -1 without one.
    QueryPinnedServer,
    /// Client: servers in quarantine for reads.
    QueryQuarantined,
    /// Client: of the instances in its copy, those with status UP.
    CopyUp,
    /// Client: of these, with status DOWN.
    CopyDown,
    /// Client: of these, with status STARTING.
    CopyStarting,
    /// Client: of these, with status OUT_OF_SERVICE.
    CopyOutOfService,
    /// Client: of these, with status UNKNOWN.
    CopyUnknown,
}

impl Gauge {
    /// All gauges.
    pub const ALL: [Gauge; 38] = [
        Gauge::RenewalsLastMinute,
        Gauge::RenewalThreshold,
        Gauge::ExpectedClients,
        Gauge::SelfPreservation,
        Gauge::Serving,
        Gauge::ReplicationPending,
        Gauge::ReplicationOverflow,
        Gauge::ReplicationExpired,
        Gauge::Overrides,
        Gauge::BelowThreshold,
        Gauge::RegistrySize,
        Gauge::StatusUp,
        Gauge::StatusDown,
        Gauge::StatusStarting,
        Gauge::StatusOutOfService,
        Gauge::StatusUnknown,
        Gauge::ReplicationsLastMinute,
        Gauge::ReplicationAccepted,
        Gauge::ReplicationReplayed,
        Gauge::ReplicationOverridden,
        Gauge::ReplicationWorkers,
        Gauge::ReplicationNotFound,
        Gauge::ReplicationConflicts,
        Gauge::RateLimited,
        Gauge::FetchAge,
        Gauge::HeartbeatAge,
        Gauge::PinnedServer,
        Gauge::Quarantined,
        Gauge::HeartbeatDelay,
        Gauge::FetchDelay,
        Gauge::CopySize,
        Gauge::QueryPinnedServer,
        Gauge::QueryQuarantined,
        Gauge::CopyUp,
        Gauge::CopyDown,
        Gauge::CopyStarting,
        Gauge::CopyOutOfService,
        Gauge::CopyUnknown,
    ];

    /// The name in scenarios and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Gauge::RenewalsLastMinute => "renewals-last-minute",
            Gauge::RenewalThreshold => "renewal-threshold",
            Gauge::ExpectedClients => "expected-clients",
            Gauge::SelfPreservation => "self-preservation",
            Gauge::Serving => "serving",
            Gauge::ReplicationPending => "replication-pending",
            Gauge::ReplicationOverflow => "replication-overflow",
            Gauge::ReplicationExpired => "replication-expired",
            Gauge::Overrides => "overrides",
            Gauge::BelowThreshold => "below-threshold",
            Gauge::RegistrySize => "registry-size",
            Gauge::StatusUp => "status-up",
            Gauge::StatusDown => "status-down",
            Gauge::StatusStarting => "status-starting",
            Gauge::StatusOutOfService => "status-out-of-service",
            Gauge::StatusUnknown => "status-unknown",
            Gauge::ReplicationsLastMinute => "replications-last-minute",
            Gauge::ReplicationAccepted => "replication-accepted",
            Gauge::ReplicationReplayed => "replication-replayed",
            Gauge::ReplicationOverridden => "replication-overridden",
            Gauge::ReplicationWorkers => "replication-workers",
            Gauge::ReplicationNotFound => "replication-not-found",
            Gauge::ReplicationConflicts => "replication-conflicts",
            Gauge::RateLimited => "rate-limited",
            Gauge::FetchAge => "fetch-age",
            Gauge::HeartbeatAge => "heartbeat-age",
            Gauge::PinnedServer => "pinned-server",
            Gauge::Quarantined => "quarantined",
            Gauge::HeartbeatDelay => "heartbeat-delay",
            Gauge::FetchDelay => "fetch-delay",
            Gauge::CopySize => "copy-size",
            Gauge::QueryPinnedServer => "query-pinned-server",
            Gauge::QueryQuarantined => "query-quarantined",
            Gauge::CopyUp => "copy-up",
            Gauge::CopyDown => "copy-down",
            Gauge::CopyStarting => "copy-starting",
            Gauge::CopyOutOfService => "copy-out-of-service",
            Gauge::CopyUnknown => "copy-unknown",
        }
    }

    /// Whether it is a figure of clients; else it is one of servers.
    pub const fn of_clients(self) -> bool {
        matches!(
            self,
            Gauge::FetchAge
                | Gauge::HeartbeatAge
                | Gauge::PinnedServer
                | Gauge::Quarantined
                | Gauge::HeartbeatDelay
                | Gauge::FetchDelay
                | Gauge::CopySize
                | Gauge::QueryPinnedServer
                | Gauge::QueryQuarantined
                | Gauge::CopyUp
                | Gauge::CopyDown
                | Gauge::CopyStarting
                | Gauge::CopyOutOfService
                | Gauge::CopyUnknown
        )
    }

    /// Whether its value grows with time by itself: what is emitted is its value at that moment.
    pub const fn is_age(self) -> bool {
        matches!(self, Gauge::FetchAge | Gauge::HeartbeatAge)
    }
}

/// One line of a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Listing {
    /// Who is listed.
    pub instance: InstanceId,
    /// With which status.
    pub status: Status,
    /// The version of the content, in the protocol's own order (Eureka: `lastDirtyTimestamp`, ms).
    pub version: i64,
}

/// Registry content as one reader sees it. Immutable and shared: thousands of clients hold the same `Arc`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    listings: Box<[Listing]>,
    hash: u64,
}

impl View {
    /// A view of these listings, which are put in order of instance.
    pub fn new(mut listings: Vec<Listing>) -> View {
        listings.sort_unstable();
        let mut hash = 0;
        for listing in &listings {
            let words = [u64::from(listing.instance.0) << 8 | listing.status as u64, listing.version as u64];
            for word in words {
                hash = (u64::rotate_left(hash, 5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
            }
        }
        View { listings: listings.into_boxed_slice(), hash }
    }

    /// A hash of the content, the same on every platform.
    pub fn content_hash(&self) -> u64 {
        self.hash
    }

    /// The listings, in order of instance.
    pub fn listings(&self) -> &[Listing] {
        &self.listings
    }

    /// The listing of one instance.
    pub fn get(&self, instance: InstanceId) -> Option<&Listing> {
        let at = self.listings.binary_search_by_key(&instance, |listing| listing.instance).ok()?;
        self.listings.get(at)
    }
}

/// Something that a machine did and that a check, a metric or a reader may want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A server's registry now holds this content under a new lease.
    Registered { instance: InstanceId, status: Status, version: i64, origin: Origin },
    /// A server extended the lease.
    Renewed { instance: InstanceId, origin: Origin },
    /// A server was asked to renew a lease that it does not have, and said so.
    NotFound { instance: InstanceId, origin: Origin },
    /// A server changed the status or version of a lease that it keeps.
    Changed { instance: InstanceId, status: Status, version: i64, origin: Origin },
    /// A server removed the instance because it was told to.
    Deregistered { instance: InstanceId, origin: Origin },
    /// A server removed the instance because its lease had run out.
    Evicted { instance: InstanceId },
    /// A server's eviction pass has gone over its leases: how many there were before, how many had expired, and how many it
    /// evicted. Follows the `Evicted` events of the pass.
    EvictionPass { leases: u32, expired: u32, evicted: u32 },
    /// A client's own idea of itself changed: the truth that servers should come to hold.
    Announced { instance: InstanceId, status: Status, version: i64 },
    /// A client was accepted by a server (first registration, or again).
    Joined { instance: InstanceId },
    /// A subscribed client's cache now shows this view. `claimed`: how many instances of each status ([`Status::ALL`]) its server
    /// said there would be; `reconciles`: they differ, and the client fetches everything.
    Adopted { view: Arc<View>, claimed: Option<Box<[u32; 5]>>, reconciles: bool },
    /// The metadata that a server holds of an instance are others than before.
    MetadataChanged { instance: InstanceId },
    /// A gauge has a new value.
    Gauge { gauge: Gauge, value: i64 },
}

impl Event {
    /// The name in scenarios and reports.
    pub const fn name(&self) -> &'static str {
        match self {
            Event::Registered { .. } => "registered",
            Event::Renewed { .. } => "renewed",
            Event::NotFound { .. } => "not-found",
            Event::Changed { .. } => "changed",
            Event::Deregistered { .. } => "deregistered",
            Event::Evicted { .. } => "evicted",
            Event::EvictionPass { .. } => "eviction-pass",
            Event::Announced { .. } => "announced",
            Event::Joined { .. } => "joined",
            Event::Adopted { .. } => "adopted",
            Event::MetadataChanged { .. } => "metadata-changed",
            Event::Gauge { .. } => "gauge",
        }
    }
}
