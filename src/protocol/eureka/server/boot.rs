//! How a server comes up and goes down (`EurekaBootStrap`, `DefaultEurekaServerContext`; Spring: `EurekaServerBootstrap`): the
//! embedded client fetches, the registry is copied from what it got, and then the server opens for traffic.
//!
//! Left out: Amazon's address binder and the priming of peer connections.
//!
//! Differs from upstream: instances that are copied are objects of their own; the original shares them with the embedded client's
//! cache until its next fetch.

use std::sync::Arc;
use std::time::Duration;

use super::Server;
use super::preservation::MeasuredRate;
use super::timers::Timer;
use crate::protocol::eureka::config::Profile;
use crate::protocol::eureka::instance::{Applications, InstanceInfo};
use crate::protocol::eureka::{Config, Eureka};
use crate::protocol::{Cx, Instant, Origin, Status};

/// Attempts to copy the registry, of a Spring server that registers itself: 5, whatever is configured
/// (spring-cloud/spring-cloud-netflix: `EurekaServerAutoConfiguration`).
const SPRING_SYNC_RETRIES: u32 = 5;

/// How far the server has come.
///
/// ```text
/// Constructing ──► Syncing ──► Open ──► Stopping
///                   │   ▲
///                   └───┘ nothing copied: once more after 30 s
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Phase {
    /// The embedded client makes its first, blocking fetch.
    Constructing,
    /// The registry is copied; the next attempt is number `attempt`.
    Syncing {
        /// From 0.
        attempt: u32,
        /// When it is made.
        at: Instant,
    },
    /// Open for traffic.
    Open,
    /// Shut down but for the embedded client, which deregisters.
    Stopping,
}

impl Server {
    /// Goes on when the embedded client has been constructed, or has deregistered.
    pub(super) fn advance(&mut self, cx: &mut Cx<'_, Eureka>) {
        match self.phase {
            Phase::Constructing if self.client.constructed() => {
                self.initialize(cx);
                self.phase = Phase::Syncing { attempt: 0, at: cx.now() };
                self.sync(cx);
            }
            Phase::Stopping if self.client.stopped() => cx.exit(0),
            Phase::Constructing | Phase::Syncing { .. } | Phase::Open | Phase::Stopping => {}
        }
    }

    /// Registry and peers begin to work.
    fn initialize(&mut self, cx: &mut Cx<'_, Eureka>) {
        let config = Arc::clone(&self.registry.config);
        self.start_timer(Timer::Retention, config.delta_retention_timer_interval, cx);
        self.peers.refresh(&self.node, &mut self.registry.store.holders, cx);
        self.refresh_at = Some(cx.now() + self.refresh_interval);
        if config.use_read_only_response_cache {
            let interval = config.response_cache_update_interval;
            let interval_ms = i64::try_from(interval.as_millis()).expect("a setting of a day at most");
            let first_ms = (cx.wall().as_millis().div_euclid(interval_ms) + 1) * interval_ms;
            self.timers.start(Timer::Fill, first_ms, interval, cx.now(), cx.wall());
        }
        self.start_timer(Timer::Threshold, config.renewal_threshold_update_interval, cx);
    }

    /// One attempt to copy the registry, if one is due (`syncUp`).
    pub(super) fn sync(&mut self, cx: &mut Cx<'_, Eureka>) {
        let Phase::Syncing { attempt, at } = self.phase else { return };
        if at > cx.now() {
            return;
        }
        let registers = self.node.client.client.register_with_eureka;
        let attempts = match self.node.client.profile {
            Profile::SpringCloud if registers => SPRING_SYNC_RETRIES,
            Profile::SpringCloud | Profile::Netflix => self.registry.config.registry_sync_retries,
        };
        let applications = Arc::clone(self.client.applications());
        let copied = if attempt < attempts { self.copy(&applications, cx) } else { 0 };
        if copied > 0 || attempt + 1 >= attempts {
            self.open_for_traffic(copied, cx);
        } else {
            let at = cx.now() + self.registry.config.registry_sync_retry_wait;
            self.phase = Phase::Syncing { attempt: attempt + 1, at };
        }
    }

    /// Registers what the embedded client shows, and tells how many. Each copy begins a lease of its own.
    pub(super) fn copy(&mut self, applications: &Applications, cx: &mut Cx<'_, Eureka>) -> u32 {
        let mut copied = 0;
        for info in applications.instances() {
            // The original fails on an instance that says nothing about its lease, and skips it.
            if self.client_shows(info)
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
        let shown = self.client.applications().instances().iter().filter(|info| self.client_shows(info));
        u32::try_from(shown.count()).unwrap_or(u32::MAX)
    }

    fn client_shows(&self, info: &InstanceInfo) -> bool {
        info.status == Status::Up || !self.node.client.client.filter_only_up_instances
    }

    fn open_for_traffic(&mut self, copied: u32, cx: &mut Cx<'_, Eureka>) {
        assert!(matches!(self.phase, Phase::Syncing { .. }), "opened once: {:?}", self.phase);
        let config = Arc::clone(&self.registry.config);
        // Spring: a count of 0 is replaced, and so lifts the ban on reads at once. Netflix's default here is 0.
        let count = if copied == 0 { config.default_open_for_traffic_count } else { copied };
        self.registry.preservation.set_expected(count, &config);
        self.started_ms = cx.wall().as_millis();
        self.copied_nothing = count == 0;
        self.phase = Phase::Open;
        self.client.set_status(Status::Up, cx);
        self.start_timer(Timer::Rate, MeasuredRate::WINDOW, cx);
        self.start_timer(Timer::Eviction, config.eviction_interval, cx);
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
        let urls_changed = self.node.client.service_urls != node.client.service_urls
            || self.node.client.zone != node.client.zone;
        if self.node.client != node.client {
            self.client.reconfigure(&node.client);
        }
        self.node = node.clone();
        self.registry.reconfigure(node);
        // Netflix notices new URLs at the next refresh; Spring refreshes when it is told of a change.
        if urls_changed && node.client.profile == Profile::SpringCloud && self.refresh_at.is_some() {
            self.peers.refresh(&self.node, &mut self.registry.store.holders, cx);
        }
    }

    /// A graceful end. What waits for peers is lost. Spring's embedded client deregisters, and ends the process when it has;
    /// Netflix's is not told.
    pub(super) fn stop(&mut self, cx: &mut Cx<'_, Eureka>) {
        if self.phase == Phase::Stopping {
            return;
        }
        self.phase = Phase::Stopping;
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
