//! Servers that are found in the registry itself: the composite bootstrap (`transport.bootstrapResolverStrategy=composite`, with
//! `writeClusterVip`), and a list of their own for queries (`useBootstrapResolverForQuery=false`, with `readClusterVip`).
//!
//! Upstream's `ApplicationsResolver`, `EurekaHttpResolver` and `AsyncResolver`: instances that are UP under a virtual address, from the
//! client's own copy unless that is stale, else by a query of its own. The answer replaces the list, also if there is nothing in
//! it: then every request fails without being sent, until a later resolution.
//!
//! Differs from upstream: after a warm-up that took too long, the resolution under way goes on beside the next one (there it is
//! interrupted, which blocking I/O may ignore).

use std::sync::Arc;
use std::time::Duration;

use super::Client;
use super::endpoints::{Candidates, Channel, Endpoints, Found, Order, shuffle};
use super::runs::{Task, Waiting, WaitingFor};
use super::supervisor::{Rules, Supervisor};
use super::transport::Kind;
use crate::protocol::eureka::Eureka;
use crate::protocol::eureka::applications::Applications;
use crate::protocol::eureka::config::{ClientConfig, Text};
use crate::protocol::eureka::instance::InstanceInfo;
use crate::protocol::eureka::node::ServiceUrl;
use crate::protocol::eureka::wire::Body;
use crate::protocol::{Cx, Instant, Status};

/// How many intervals the delay of a resolution may grow to, and threads for it.
const BOUND: u32 = 5;
const THREADS: u32 = 5;

/// One list's way to the registry.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FromRegistry {
    vip: Text,
    /// Of the periodic resolution, which the first use of the list arms.
    pub supervisor: Supervisor,
    /// The first use of the list waits for a resolution.
    cold: bool,
    armed: bool,
}

impl FromRegistry {
    fn new(vip: &Text, cold: bool) -> FromRegistry {
        // An address that is not set is asked for as the text of nothing.
        let vip = if vip.is_empty() { "null".into() } else { Arc::clone(vip) };
        FromRegistry { vip, supervisor: Supervisor::off(), cold, armed: false }
    }
}

/// Whether registrations go to servers found in the registry.
pub fn bootstrap_source(settings: &ClientConfig) -> Option<FromRegistry> {
    let composite = settings.fetch_registry && &*settings.bootstrap_resolver_strategy == "composite";
    composite.then(|| FromRegistry::new(&settings.write_cluster_vip, false))
}

/// Whether queries go to other servers than registrations.
pub fn query_source(settings: &ClientConfig) -> Option<FromRegistry> {
    let apart = settings.fetch_registry && !settings.use_bootstrap_resolver_for_query;
    apart.then(|| FromRegistry::new(&settings.read_cluster_vip, true))
}

/// The configured servers, zone by zone, beginning with the own zone if it is preferred and with the first other one if it is not.
fn in_zone_order(urls: &[ServiceUrl], zone: &str, prefer_same_zone: bool) -> Candidates {
    let mut zones: Vec<&str> = Vec::new();
    for url in urls {
        if !zones.contains(&&*url.zone) {
            zones.push(&url.zone);
        }
    }
    let first =
        zones.iter().position(|known| known.eq_ignore_ascii_case(zone) == prefer_same_zone).unwrap_or(0);
    zones.rotate_left(first);
    let of = |zone: &&str| {
        urls.iter().filter(move |url| *url.zone == **zone).map(|url| url.address).collect::<Vec<_>>()
    };
    Candidates::of(zones.iter().flat_map(of))
}

/// Whether an instance is called by a virtual address, as the index of a copy has it: in capitals, not trimmed.
fn has_vip(info: &InstanceInfo, vip: &str) -> bool {
    info.about
        .vip
        .as_ref()
        .is_some_and(|vips| vips.split(',').any(|known| known.to_uppercase() == vip.to_uppercase()))
}

impl Client {
    /// The sources of servers that the settings ask for. Says whether the constructor has to wait for servers.
    pub(super) fn set_up_sources(&mut self) -> bool {
        let Some(extras) = &mut self.extras else { return false };
        extras.sources = [bootstrap_source(&self.settings), query_source(&self.settings)];
        if extras.sources[Channel::Query as usize].is_some() {
            extras.query_endpoints = Some(Endpoints::none());
        }
        if extras.sources[Channel::Registration as usize].is_some() {
            self.endpoints = Endpoints::none();
            return true;
        }
        false
    }

    /// A request needs the list of a channel. Armed, it will be resolved again. Gives the time until which the request has to wait
    /// for it, if it has to.
    pub(super) fn use_list(&mut self, channel: Channel, cx: &mut Cx<'_, Eureka>) -> Option<Instant> {
        let now = cx.now();
        let Some(source) = self.extras.as_ref().and_then(|extras| extras.source(channel)) else {
            self.endpoints.arm(self.settings.service_url_poll_interval, now);
            return None;
        };
        if std::mem::take(&mut self.source_mut(source).cold) {
            let id = self.fresh_run();
            if !self.resolve(source, id, cx) {
                return Some(now + self.settings.async_resolver_warm_up_timeout);
            }
        }
        self.arm(source, now);
        None
    }

    fn source_mut(&mut self, source: Channel) -> &mut FromRegistry {
        let extras = self.extras.as_mut().expect("a source is something extra");
        extras.sources[source as usize].as_mut().expect("there is such a source")
    }

    fn arm(&mut self, source: Channel, now: Instant) {
        let interval = self.settings.async_resolver_refresh_interval;
        let source = self.source_mut(source);
        if !std::mem::replace(&mut source.armed, true) {
            source.supervisor.schedule(interval, now);
        }
    }

    /// The periodic resolutions that are due.
    pub(super) fn resolve_due(&mut self, cx: &mut Cx<'_, Eureka>) {
        let now = cx.now();
        let rules =
            Rules { interval: self.settings.async_resolver_refresh_interval, bound: BOUND, threads: THREADS };
        for source in [Channel::Registration, Channel::Query] {
            let sources = self.extras.as_ref().map(|extras| &extras.sources[source as usize]);
            if sources.and_then(Option::as_ref).is_none_or(|source| source.supervisor.due() > now) {
                continue;
            }
            let (id, busy) = (self.fresh_run(), self.busy(Task::Resolution(source)));
            if self.source_mut(source).supervisor.turn(id, rules, busy, now) && self.resolve(source, id, cx) {
                self.source_mut(source).supervisor.ended(id, rules.interval, now);
            }
        }
    }

    /// Resolves a list: from the copy, or by a query. Says whether that has ended already.
    fn resolve(&mut self, source: Channel, id: u16, cx: &mut Cx<'_, Eureka>) -> bool {
        let vip = Arc::clone(&self.source_mut(source).vip);
        let fresh = {
            let refreshed = self.extras.as_ref().and_then(|extras| extras.refreshed);
            let limit = self.settings.applications_resolver_staleness.as_millis();
            let limit = i64::try_from(limit).expect("a setting of a day at most");
            refreshed.is_none_or(|refreshed| cx.wall().as_millis() - refreshed <= limit)
        };
        let found = if fresh { self.servers_in(&self.applications, &vip) } else { Vec::new() };
        if !found.is_empty() {
            self.replace_list(source, found, false, cx);
            return true;
        }
        self.begin(id, Task::Resolution(source), Kind::Servers, cx);
        self.busy_run(id).is_none()
    }

    /// Whom a query for servers asks: the configured ones; for a list of queries, those of registrations.
    pub(super) fn root(&self, task: Task) -> Candidates {
        let node = self.told.client();
        match task {
            Task::Resolution(Channel::Query) => self.endpoints.all(),
            _ => in_zone_order(&node.service_urls, &node.zone, self.settings.prefer_same_zone),
        }
    }

    /// The virtual address that a query for servers asks for.
    pub(super) fn vip(&self, task: Task) -> Text {
        let source =
            if task == Task::Resolution(Channel::Query) { Channel::Query } else { Channel::Registration };
        let extras = self.extras.as_ref().expect("a source is something extra");
        Arc::clone(&extras.sources[source as usize].as_ref().expect("there is such a source").vip)
    }

    /// A query for servers has ended. At construction its answer is taken as it comes, without regard to zones.
    pub(super) fn on_servers(&mut self, task: Task, answer: Option<(u16, Body)>, cx: &mut Cx<'_, Eureka>) {
        let found = match answer {
            Some((200, Body::Apps(applications))) => self.servers_in(&applications, &self.vip(task)),
            _ => Vec::new(),
        };
        let source = if let Task::Resolution(source) = task { source } else { Channel::Registration };
        self.replace_list(source, found, task == Task::Construction, cx);
    }

    /// A resolution has ended: whoever waits for it goes on.
    pub(super) fn on_resolved(&mut self, source: Channel, id: u16, cx: &mut Cx<'_, Eureka>) {
        let (now, interval) = (cx.now(), self.settings.async_resolver_refresh_interval);
        self.source_mut(source).supervisor.ended(id, interval, now);
        let waits = |waiting: &Waiting| waiting.what == WaitingFor::Servers(source);
        while let Some(waiting) = self.take_waiting(waits) {
            self.arm(source, now);
            self.go_on(waiting.run, cx);
        }
    }

    /// A request has waited long enough for the first resolution; the next one begins at once.
    pub(super) fn on_warm_up_timeout(&mut self, source: Channel, now: Instant) {
        let source = self.source_mut(source);
        if !std::mem::replace(&mut source.armed, true) {
            source.supervisor.schedule(Duration::ZERO, now);
        }
    }

    fn servers_in(&self, applications: &Applications, vip: &str) -> Vec<Found> {
        let own = |zone: &Arc<str>| zone.eq_ignore_ascii_case(self.zone());
        let found = |info: &Arc<InstanceInfo>| {
            let by_ip = self.settings.applications_resolver_use_ip;
            let address = if by_ip { info.about.ip_address } else { info.about.address };
            Some(Found { address: address?, own_zone: info.about.zone().is_some_and(own) })
        };
        let eligible = |info: &&Arc<InstanceInfo>| info.status == Status::Up && has_vip(info, vip);
        applications.instances().iter().filter(eligible).filter_map(found).collect()
    }

    fn replace_list(
        &mut self,
        source: Channel,
        mut found: Vec<Found>,
        as_found: bool,
        cx: &mut Cx<'_, Eureka>,
    ) {
        shuffle(&mut found, cx.random());
        let order = if as_found { Order::AsFound } else { Order::shuffled(self.fixes.shuffle_servers) };
        let list = match source {
            Channel::Registration => &mut self.endpoints,
            Channel::Query => {
                let extras = self.extras.as_mut().expect("a source is something extra");
                extras.query_endpoints.as_mut().expect("queries have a list of their own")
            }
        };
        list.replace(&found, order, cx.random());
    }
}
