//! How a server comes up and goes down (`EurekaBootStrap`, `DefaultEurekaServerContext`; Spring: `EurekaServerBootstrap`): the
//! embedded client fetches, other regions are fetched, the registry is copied from what the client got, in AWS the ways to the
//! peers are tried, and then the server opens for traffic.
//!
//! Netflix does all of this before its port opens; Spring copies in the background, behind an open port.
//!
//! Left out: Amazon's address binder.
//!
//! Differs from upstream: instances that are copied are objects of their own; the original shares them with the embedded client's
//! cache until its next fetch.

use std::sync::Arc;
use std::time::Duration;

use super::groups::Groups;
use super::preservation::MeasuredRate;
use super::timers::Timer;
use super::{Server, embedded};
use crate::protocol::eureka::applications::Applications;
use crate::protocol::eureka::config::Profile;
use crate::protocol::eureka::node::{ClientNode, ServerNode};
use crate::protocol::eureka::{Config, Eureka};
use crate::protocol::{Cx, Instant, Origin, Status};

/// How far the server has come.
///
/// ```text
/// Constructing ──► Fetching ──► Syncing ──► Priming ──► Open ──► Stopping
///                                │   ▲       │   ▲
///                                └───┘       └───┘ once more after 30 s
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Phase {
    /// The embedded client makes its first, blocking fetch.
    Constructing,
    /// Other regions are fetched, one after the other.
    Fetching,
    /// The registry is copied; the next attempt is number `attempt`. Once more if nothing was copied.
    Syncing {
        /// From 0.
        attempt: u32,
        /// When it is made.
        at: Instant,
    },
    /// In AWS: the ways to the peers are tried. Once more if one is closed.
    Priming,
    /// Open for traffic.
    Open,
    /// Shut down but for the embedded client, which deregisters, and for what nobody ends.
    Stopping,
}

impl Server {
    /// Goes on when something that blocks has ended: the embedded client has been constructed or has deregistered, or another
    /// region has been fetched.
    pub(super) fn advance(&mut self, cx: &mut Cx<'_, Eureka>) {
        match self.phase {
            Phase::Constructing if self.client.constructed() => self.initialize(cx),
            Phase::Fetching => self.fetch_regions(cx),
            Phase::Stopping if self.client.stopped() => cx.exit(0),
            Phase::Constructing | Phase::Syncing { .. } | Phase::Priming | Phase::Open | Phase::Stopping => {}
        }
    }

    fn enter(&mut self, phase: Phase, cx: &mut Cx<'_, Eureka>) {
        let before = self.listens();
        self.phase = phase;
        if self.listens() != before {
            cx.listen(!before);
        }
    }

    /// Whether the port is open.
    pub(super) fn listens(&self) -> bool {
        match self.phase {
            Phase::Constructing | Phase::Fetching | Phase::Stopping => false,
            Phase::Syncing { .. } | Phase::Priming => self.node.client.profile == Profile::SpringCloud,
            Phase::Open => true,
        }
    }

    /// Peers and registry begin to work. Without any URL of a peer the server fails to start.
    fn initialize(&mut self, cx: &mut Cx<'_, Eureka>) {
        let config = Arc::clone(&self.registry.config);
        if self.peers.refresh(&self.node, &mut self.registry.store.holders, cx).is_err() {
            self.enter(Phase::Stopping, cx);
            cx.exit(1);
            return;
        }
        self.report_replication(cx);
        self.refresh_at = Some(cx.now() + self.refresh_interval);
        self.start_timer(Timer::Retention, config.delta_retention_timer_interval, cx);
        self.start_timer(Timer::Replications, MeasuredRate::WINDOW, cx);
        if config.use_read_only_response_cache {
            let interval = config.response_cache_update_interval;
            let interval_ms = i64::try_from(interval.as_millis()).expect("a setting of a day at most");
            let first_ms = (cx.wall().as_millis().div_euclid(interval_ms) + 1) * interval_ms;
            self.timers.start(Timer::Fill, first_ms, interval, cx.now(), cx.wall());
        }
        self.start_timer(Timer::Threshold, config.renewal_threshold_update_interval, cx);
        self.enter(Phase::Fetching, cx);
        self.fetch_regions(cx);
    }

    /// Each region makes its first fetch when the one before has ended, well or not. Then groups begin to count.
    fn fetch_regions(&mut self, cx: &mut Cx<'_, Eureka>) {
        while self.regions.has_fetched() {
            if !self.regions.begin_next(&self.node, cx) {
                if self.node.has_groups() {
                    let config = Arc::clone(&self.registry.config);
                    self.registry.groups = Some(Groups::new(config.asg_cache_expiry));
                    self.start_timer(Timer::Groups, config.asg_update_interval, cx);
                }
                self.enter(Phase::Syncing { attempt: 0, at: cx.now() }, cx);
                return self.sync(cx);
            }
        }
    }

    /// One attempt to copy the registry, if one is due (`syncUp`).
    pub(super) fn sync(&mut self, cx: &mut Cx<'_, Eureka>) {
        let Phase::Syncing { attempt, at } = self.phase else { return };
        if at > cx.now() {
            return;
        }
        let attempts = self.registry.config.registry_sync_retries;
        let applications = Arc::clone(self.client.applications());
        let copied = if attempt < attempts { self.copy(&applications, cx) } else { 0 };
        if copied > 0 || attempt + 1 >= attempts {
            self.open_for_traffic(copied, cx);
        } else {
            let at = cx.now() + self.registry.config.registry_sync_retry_wait;
            self.enter(Phase::Syncing { attempt: attempt + 1, at }, cx);
        }
    }

    /// Registers what the embedded client shows, and tells how many. Each copy begins a lease of its own.
    pub(super) fn copy(&mut self, applications: &Applications, cx: &mut Cx<'_, Eureka>) -> u32 {
        let mut copied = 0;
        for info in applications.instances() {
            // The original fails on an instance that says nothing about its lease, and skips it.
            if self.client.shows(info)
                && info.lease.is_some()
                && let Ok(incoming) = self.registry.register(Arc::clone(info), Origin::Sync, cx)
            {
                self.registry.store.holders.release(incoming);
                copied += 1;
            }
        }
        copied
    }

    /// How many instances the embedded client shows: what the threshold is counted from.
    pub(super) fn instances_shown(&self) -> u32 {
        let shown = self.client.applications().instances().iter().filter(|info| self.client.shows(info));
        u32::try_from(shown.count()).unwrap_or(u32::MAX)
    }

    fn open_for_traffic(&mut self, copied: u32, cx: &mut Cx<'_, Eureka>) {
        assert!(matches!(self.phase, Phase::Syncing { .. }), "opened once: {:?}", self.phase);
        let config = Arc::clone(&self.registry.config);
        // Spring: a count of 0 is replaced, and so lifts the ban on reads at once. Netflix's default here is 0.
        let count = if copied == 0 { config.default_open_for_traffic_count } else { copied };
        self.registry.preservation.set_expected(count, &config);
        self.started_ms = cx.wall().as_millis();
        self.copied_nothing = count == 0;
        if self.node.cloud && config.prime_aws_replica_connections {
            self.enter(Phase::Priming, cx);
            self.begin_priming(cx);
        } else {
            self.open(cx);
        }
    }

    /// The last part of opening for traffic.
    pub(super) fn open(&mut self, cx: &mut Cx<'_, Eureka>) {
        let eviction_interval = self.registry.config.eviction_interval;
        self.enter(Phase::Open, cx);
        self.client.set_status(Status::Up, cx);
        self.start_timer(Timer::Rate, MeasuredRate::WINDOW, cx);
        self.start_timer(Timer::Eviction, eviction_interval, cx);
    }

    fn start_timer(&mut self, timer: Timer, period: Duration, cx: &Cx<'_, Eureka>) {
        self.timers.start(timer, (cx.wall() + period).as_millis(), period, cx.now(), cx.wall());
    }

    /// Whether the registry may be read (`shouldAllowAccess`): not for a while after a start that copied nothing.
    pub(super) fn access_allowed(&self, cx: &Cx<'_, Eureka>) -> bool {
        let wait = self.registry.config.wait_time_when_sync_empty;
        let wait_ms = i64::try_from(wait.as_millis()).expect("a setting of a day at most");
        !self.copied_nothing || cx.wall().as_millis() > self.started_ms + wait_ms
    }

    /// New settings. What the original reads at each use holds at once; what it reads at construction stays.
    pub(super) fn reconfigure(&mut self, config: &Config, cx: &mut Cx<'_, Eureka>) {
        let Config::Server(node) = config else { return };
        let moved = moved(&self.node.client, &node.client);
        if self.node.client != node.client {
            self.client.reconfigure(embedded(node));
        }
        self.node = ServerNode::clone(node);
        self.registry.reconfigure(node);
        self.peers.recognise(node);
        // Netflix notices new URLs at the next refresh; Spring refreshes when it is told of a change, but for DNS.
        let told = node.client.profile == Profile::SpringCloud && !node.client.client.use_dns;
        if moved && told && self.refresh_at.is_some() {
            self.refresh_peers(cx);
        }
    }

    /// The list of peers is resolved again. A failure is only logged.
    pub(super) fn refresh_peers(&mut self, cx: &mut Cx<'_, Eureka>) {
        self.peers.refresh(&self.node, &mut self.registry.store.holders, cx).unwrap_or(());
        self.report_replication(cx);
    }

    /// A graceful end. What waits for peers is lost. Spring's embedded client deregisters, and ends the process when it has;
    /// Netflix's is not told. Nobody ends the fetching of other regions.
    pub(super) fn stop(&mut self, cx: &mut Cx<'_, Eureka>) {
        if self.phase == Phase::Stopping {
            return;
        }
        self.enter(Phase::Stopping, cx);
        self.timers.stop();
        self.refresh_at = None;
        self.peers.shut_down(&mut self.registry.store.holders, cx);
        match self.node.client.profile {
            Profile::Netflix => cx.exit(0),
            Profile::SpringCloud => {
                self.client.stop(cx);
                self.advance(cx);
            }
        }
    }
}

/// Whether settings have changed that decide where peers are.
fn moved(old: &ClientNode, new: &ClientNode) -> bool {
    let (before, after) = (&old.client, &new.client);
    (&old.service_urls, &old.zone) != (&new.service_urls, &new.zone)
        || (&before.region, &before.availability_zones) != (&after.region, &after.availability_zones)
}
