//! The registry server.
//!
//! Reading order: [`holders`] (live objects, shared by all that refer to them), [`lease`], [`rules`], [`overrides`],
//! [`preservation`] (the small arithmetic), [`store`], [`regions`] and [`cache`] (what is held, what readers get), [`groups`] (AWS),
//! [`registry`], [`registering`] and [`eviction`] (the operations); then replication: [`task`], [`pending`], [`shaper`] and [`acceptor`] (one
//! peer's dispatcher), [`recycler`], [`peer`], [`peers`]; then [`remote`] (fetching other regions), [`timers`], [`limits`], [`validation`]
//! and [`resource`] (requests), [`prime`] and [`boot`] (start and stop). This file takes the inputs and keeps the one deadline.
//!
//! Left out: the binding of addresses in AWS, the status page for people.

mod holders;
mod lease;
mod rules;
mod overrides;
mod preservation;
mod store;
mod regions;
mod cache;
mod groups;
mod registry;
mod registering;
mod eviction;
mod task;
mod pending;
mod shaper;
mod acceptor;
mod recycler;
mod peer;
mod peers;
mod remote;
mod timers;
mod limits;
mod validation;
mod resource;
mod prime;
mod boot;

#[cfg(test)]
mod tests;

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use self::boot::Phase;
use self::limits::ReadLimit;
use self::peers::Peers;
use self::prime::Priming;
use self::recycler::Recycler;
use self::registry::Registry;
use self::remote::{RemoteRegions, Settings};
use self::timers::{Timer, Timers};
use super::applications::Histogram;
use super::client::Client;
use super::node::{Config, ServerNode};
use super::wire::{ItemResult, Response};
use super::{Eureka, Tag as ProcessTag};
use crate::protocol::{CallError, Cx, Event, Gauge, Input, Instant, PoolId, Status, Wall};

// A server's connection pools: 0 and 1 are the embedded client's (`Transport::pool`), and these.

/// For what is told to peers. Connections to different peers do not share a limit: each peer has an HTTP client of its own.
pub const REPLICATION: PoolId = PoolId(2);
/// For fetching other regions. Each region has an HTTP client of its own, too.
pub const REMOTE_REGIONS: PoolId = PoolId(3);

/// A difference between the clocks, in ns, from which on the wall clock has jumped.
const JUMP_NS: u64 = 1_000_000;

/// What a server's call was for. `peer` is the number that the server has given to the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tag {
    /// A replication batch, sent by this worker.
    Batch { peer: u16, worker: u16 },
    /// The status of a group, sent by this worker.
    Group { peer: u16, worker: u16 },
    /// A heartbeat that tries the way to the peer.
    Prime { peer: u16 },
    /// A fetch from another region, in the order of the settings.
    Region { region: u16, run: u16 },
}

/// A registry server.
#[derive(Clone, Debug)]
pub struct Server {
    node: ServerNode,
    phase: Phase,
    client: Client,
    registry: Registry,
    peers: Peers,
    regions: RemoteRegions,
    priming: Priming,
    results: Recycler<ItemResult>,
    read_limit: ReadLimit,

    timers: Timers,
    refresh_at: Option<Instant>,
    refresh_interval: Duration,
    /// When the server opened for traffic: wall clock, ms; 0 before.
    started_ms: i64,
    /// Whether the copy at start-up was empty (`peerInstancesTransferEmptyOnStartup`).
    copied_nothing: bool,

    /// Wall clock minus monotonic clock when deadlines were last computed.
    offset_ns: i64,
    next_timeout: Option<Instant>,
    /// What was reported last, at a glance.
    figures: Option<Figures>,
    reported: [Option<i64>; Gauge::ALL.len()],
}

/// The registry's figures: what its gauges show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Figures {
    renewals: u32,
    expected: u32,
    threshold: i32,
    protected: bool,
    below_threshold: bool,
    open: bool,
    overrides: u32,
    statuses: Histogram,
    limited: u64,
}

fn gauge_of(status: Status) -> Gauge {
    match status {
        Status::Up => Gauge::StatusUp,
        Status::Down => Gauge::StatusDown,
        Status::Starting => Gauge::StatusStarting,
        Status::OutOfService => Gauge::StatusOutOfService,
        Status::Unknown => Gauge::StatusUnknown,
    }
}

fn offset_ns(now: Instant, wall: Wall) -> i64 {
    wall.0.wrapping_sub_unsigned(now.0)
}

/// What the embedded client is told: the same as an application.
fn embedded(node: &ServerNode) -> Arc<Config> {
    Arc::new(Config::Client(node.client.clone()))
}

impl Server {
    /// The server process starts, behind a closed port.
    pub fn start(node: &ServerNode, cx: &mut Cx<'_, Eureka>) -> Server {
        let mut server = Server {
            node: node.clone(),
            phase: Phase::Constructing,
            client: Client::start(&embedded(node), cx),
            registry: Registry::new(node),
            peers: Peers::default(),
            regions: RemoteRegions::new(node),
            priming: Priming::default(),
            results: Recycler::default(),
            read_limit: ReadLimit::default(),
            timers: Timers::default(),
            refresh_at: None,
            refresh_interval: node.server.peer_nodes_update_interval,
            started_ms: 0,
            copied_nothing: true,
            offset_ns: offset_ns(cx.now(), cx.wall()),
            next_timeout: None,
            figures: None,
            reported: [None; Gauge::ALL.len()],
        };
        cx.listen(false);
        server.report(cx);
        server.report_replication(cx);
        server.advance(cx);
        server.settle(cx);
        server
    }

    /// One input.
    pub fn handle(&mut self, input: Input<Eureka>, cx: &mut Cx<'_, Eureka>) {
        let offset_ns = offset_ns(cx.now(), cx.wall());
        if offset_ns.abs_diff(self.offset_ns) >= JUMP_NS {
            self.offset_ns = offset_ns;
            self.peers.on_wall_jump(cx.now(), cx.wall());
        }
        match input {
            Input::Timeout => self.on_timeout(cx),
            Input::Request { id, from: _, request } => {
                let response = self.serve(request, cx);
                cx.respond(id, response);
            }
            Input::Outcome { call, tag, result } => match tag {
                ProcessTag::Client(_) => {
                    self.client.handle(Input::Outcome { call, tag, result }, cx);
                    self.advance(cx);
                }
                ProcessTag::Server(tag) => self.on_outcome(tag, result, cx),
            },
            Input::Ask { ticket, operation } => {
                let answer = self.operate(&operation, cx);
                cx.done(ticket, answer);
            }
            Input::Reconfigure(config) => self.reconfigure(&config, cx),
            Input::Stop => self.stop(cx),
            // A server opens no session, listens on none, and stores nothing.
            Input::Link { .. } | Input::Datagram { .. } | Input::Disk(_) => {}
        }
        self.settle(cx);
    }

    /// A call has ended that is not the embedded client's.
    fn on_outcome(&mut self, tag: Tag, result: Result<Response, CallError>, cx: &mut Cx<'_, Eureka>) {
        let fixes = &self.node.client.fixes;
        match tag {
            Tag::Batch { peer, worker } => {
                self.peers.on_batch((peer, worker), result, fixes, &mut self.registry, cx);
                self.report_replication(cx);
            }
            Tag::Group { peer, worker } => {
                let holders = &mut self.registry.store.holders;
                self.peers.on_group((peer, worker), result, fixes, holders, cx);
                self.report_replication(cx);
            }
            Tag::Prime { peer: _ } => self.on_primed(result, cx),
            Tag::Region { region, run } => {
                let (settings, regions) = (Settings::of(&self.node), &mut self.registry.regions);
                self.regions.on_outcome((region, run), result, settings, regions, cx);
                self.advance(cx);
            }
        }
    }

    /// The earliest deadline.
    pub fn next_timeout(&self) -> Option<Instant> {
        self.next_timeout
    }

    /// Folds the state into a hash.
    pub fn fingerprint(&self, mut into: &mut dyn Hasher) {
        (self.phase, self.timers, self.refresh_at, self.started_ms, self.copied_nothing).hash(&mut into);
        self.registry.fingerprint(into);
        self.read_limit.hash(&mut into);
        self.peers.fingerprint(&self.registry.store.holders, into);
        self.regions.fingerprint(into);
        self.client.fingerprint(into);
    }

    /// Whatever is due runs, in the order that the reference gives for one instant.
    fn on_timeout(&mut self, cx: &mut Cx<'_, Eureka>) {
        let due = |deadline: Option<Instant>| deadline.is_some_and(|deadline| deadline <= cx.now());
        if !due(self.next_timeout) {
            return;
        }
        let (peers_due, client_due) = (due(self.peers.deadline()), due(self.client.next_timeout()));
        let (refresh_due, regions_due) = (due(self.refresh_at), due(self.regions.deadline()));
        for timer in Timer::ALL {
            if self.timers.fires(timer, cx.now(), cx.wall()) {
                self.on_timer(timer, cx);
                self.report(cx);
            }
        }
        if refresh_due {
            self.refresh_peers(cx);
            self.refresh_at = Some(cx.now() + self.refresh_interval);
        }
        self.sync(cx);
        self.retry_priming(cx);
        if peers_due {
            self.peers.on_timeout(&mut self.registry.store.holders, cx);
            self.report_replication(cx);
        }
        if regions_due {
            self.regions.on_timeout(Settings::of(&self.node), &self.registry.regions, cx);
        }
        if client_due {
            self.client.handle(Input::Timeout, cx);
            self.advance(cx);
        }
    }

    fn on_timer(&mut self, timer: Timer, cx: &mut Cx<'_, Eureka>) {
        match timer {
            Timer::Rate => {
                self.registry.preservation.rate.rotate();
                // The end of a window is told even if the count is the same.
                self.figures = None;
                self.reported[Gauge::RenewalsLastMinute as usize] = None;
            }
            Timer::Replications => {
                self.peers.replications.rotate();
                self.report_replication(cx);
            }
            Timer::Retention => {
                let retention = self.registry.config.retention_time_in_delta_queue;
                self.registry.retire_changes(retention, cx.wall().as_millis());
            }
            Timer::Threshold => {
                let seen = self.instances_shown();
                self.registry.preservation.recount(seen, &self.registry.config);
            }
            Timer::Eviction => self.registry.evict(cx),
            Timer::Fill => self.registry.fill_cache(cx),
            Timer::Groups => self.ask_about_groups(cx.now()),
        }
    }

    /// The end of every input: figures that changed are reported, and the next deadline is known.
    fn settle(&mut self, cx: &mut Cx<'_, Eureka>) {
        self.report(cx);
        let boot_at = match self.phase {
            Phase::Syncing { at, .. } => Some(at),
            Phase::Priming => self.priming.deadline(),
            Phase::Constructing | Phase::Fetching | Phase::Open | Phase::Stopping => None,
        };
        let deadlines = [
            self.timers.deadline(),
            self.refresh_at,
            boot_at,
            self.peers.deadline(),
            self.regions.deadline(),
            self.client.next_timeout(),
        ];
        self.next_timeout = deadlines.into_iter().flatten().min();
    }

    /// Reports the registry's figures that are not as they were. This ends every input, and mostly there are none.
    fn report(&mut self, cx: &mut Cx<'_, Eureka>) {
        let figures = self.figures(cx);
        if self.figures == Some(figures) {
            return;
        }
        self.figures = Some(figures);
        self.gauge(Gauge::RenewalsLastMinute, i64::from(figures.renewals), cx);
        self.gauge(Gauge::ExpectedClients, i64::from(figures.expected), cx);
        self.gauge(Gauge::RenewalThreshold, i64::from(figures.threshold), cx);
        self.gauge(Gauge::SelfPreservation, i64::from(figures.protected), cx);
        self.gauge(Gauge::BelowThreshold, i64::from(figures.below_threshold), cx);
        self.gauge(Gauge::Serving, i64::from(figures.open), cx);
        self.gauge(Gauge::Overrides, i64::from(figures.overrides), cx);
        self.gauge(Gauge::RateLimited, i64::try_from(figures.limited).unwrap_or(i64::MAX), cx);
        self.gauge(Gauge::RegistrySize, figures.statuses.counts().into_iter().map(i64::from).sum(), cx);
        for (status, count) in Status::ALL.into_iter().zip(figures.statuses.counts()) {
            self.gauge(gauge_of(status), i64::from(count), cx);
        }
    }

    fn figures(&self, cx: &Cx<'_, Eureka>) -> Figures {
        let (registry, preservation) = (&self.registry, self.registry.preservation);
        let (renewals, threshold) = (preservation.rate.count(), preservation.threshold());
        Figures {
            renewals,
            expected: preservation.expected(),
            threshold,
            protected: !registry.expiration_enabled(),
            below_threshold: i64::from(renewals) <= i64::from(threshold) && self.has_warmed_up(cx.wall()),
            open: self.phase == Phase::Open,
            overrides: registry.overrides.held(),
            statuses: registry.store.histogram(),
            limited: self.read_limit.limited(),
        }
    }

    /// Whether the server has been open for so long that few renewals are worth a warning.
    fn has_warmed_up(&self, wall: Wall) -> bool {
        let end = Wall::from_millis(self.started_ms) + self.registry.config.wait_time_when_sync_empty;
        self.started_ms > 0 && wall >= end + Duration::from_millis(1)
    }

    /// At each turn of a dispatcher, after each answer, and every minute: never for a heartbeat alone.
    fn report_replication(&mut self, cx: &mut Cx<'_, Eureka>) {
        let figures = self.peers.figures(self.node.server.max_threads_for_status_replication);
        let count = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        self.gauge(Gauge::ReplicationPending, count(figures.pending as u64), cx);
        self.gauge(Gauge::ReplicationOverflow, count(figures.tasks.overflows), cx);
        self.gauge(Gauge::ReplicationExpired, count(figures.tasks.expired), cx);
        self.gauge(Gauge::ReplicationAccepted, count(figures.tasks.accepted), cx);
        self.gauge(Gauge::ReplicationReplayed, count(figures.tasks.replayed), cx);
        self.gauge(Gauge::ReplicationOverridden, count(figures.tasks.overridden), cx);
        self.gauge(Gauge::ReplicationWorkers, count(figures.workers as u64), cx);
        self.gauge(Gauge::ReplicationNotFound, count(figures.not_found), cx);
        self.gauge(Gauge::ReplicationConflicts, count(figures.conflicts), cx);
        self.gauge(Gauge::ReplicationsLastMinute, i64::from(self.peers.replications.count()), cx);
    }

    fn gauge(&mut self, gauge: Gauge, value: i64, cx: &mut Cx<'_, Eureka>) {
        let reported = &mut self.reported[gauge as usize];
        if *reported != Some(value) {
            *reported = Some(value);
            cx.emit(Event::Gauge { gauge, value });
        }
    }
}
