//! What few clients need, kept apart so that the others stay small: there may be ten thousand of them.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::balancer::Pick;
use super::endpoints::{Channel, Endpoints, Found};
use super::gauges::Reported;
use super::resolver::{self, FromRegistry};
use super::runs::Waiting;
use crate::protocol::eureka::applications::Routing;
use crate::protocol::eureka::config::Names;
use crate::protocol::eureka::node::{ClientNode, HealthSource};
use crate::protocol::{Health, Instant};

/// The extras of a client.
#[derive(Clone, Debug)]
pub struct Extras {
    /// The list of servers was made from other settings.
    pub servers_changed: bool,
    /// The zone that it was built in, if it has been told another one since.
    pub built_in: Option<Arc<str>>,
    /// Services that its balancer knows.
    pub picks: Vec<Pick>,
    /// What its health check finds.
    pub health: Health,
    /// Runs that wait for something else than an answer.
    pub waiting: Vec<Waiting>,
    /// Other regions that it fetches.
    pub regions: Names,
    /// Which instances belong to them.
    pub routing: Routing,
    /// By channel: where servers come from, if not from the settings. Without a source of their own, queries use that of
    /// registrations.
    pub sources: [Option<FromRegistry>; 2],
    /// The list of servers for queries, if it is another one.
    pub query_endpoints: Option<Endpoints>,
    /// Wall clock of the last periodic refresh that succeeded, ms.
    pub refreshed: Option<i64>,
    /// Figures that were reported.
    pub reported: Reported,
}

impl Extras {
    /// The extras of a client, if it needs any from the beginning. Look-ups and new settings need them later.
    pub fn needed(node: &ClientNode) -> Option<Box<Extras>> {
        let needed = node.health != HealthSource::None
            || node.reports
            || node.backup.is_some()
            || !node.client.remote_regions.is_empty()
            || !node.fixes.serialisation_gap.is_zero()
            || resolver::bootstrap_source(&node.client).is_some()
            || resolver::query_source(&node.client).is_some();
        needed.then(|| {
            let mut extras = Extras::unaware_of_regions();
            extras.follow_regions(node);
            Box::new(extras)
        })
    }

    /// Extras that fetch no other regions yet.
    pub fn unaware_of_regions() -> Extras {
        Extras {
            servers_changed: false,
            built_in: None,
            picks: Vec::new(),
            health: Health::Up,
            waiting: Vec::new(),
            regions: [].into(),
            routing: Routing::default(),
            sources: [None, None],
            query_endpoints: None,
            refreshed: None,
            reported: Reported::default(),
        }
    }

    /// Whether the list of other regions has changed; a list that was removed stays.
    pub fn follow_regions(&mut self, node: &ClientNode) -> bool {
        let latest = &node.client.remote_regions;
        let changed = !latest.is_empty() && *latest != self.regions;
        if changed {
            self.regions = latest.clone();
        }
        // The mapping follows the settings in any case.
        let fetched = |region: &str| self.regions.iter().any(|fetched| **fetched == *region);
        let zones = node.remote_zones.iter().filter(|(_, region)| fetched(region));
        self.routing = Routing::new(zones.cloned());
        changed
    }

    /// The configured servers, if they were changed since they were last asked for. Which of them are of the own zone goes by the
    /// zone that the client was built in (`ZoneAffinityClusterResolver`).
    pub fn changed_servers(&mut self, node: &ClientNode) -> Option<Vec<Found>> {
        let changed = std::mem::take(&mut self.servers_changed);
        let zone = self.built_in.as_ref().unwrap_or(&node.zone);
        changed.then(|| Found::configured(&node.service_urls, zone))
    }

    /// The source of a channel's servers, if it is the registry.
    pub fn source(&self, channel: Channel) -> Option<Channel> {
        let of = |channel: Channel| self.sources[channel as usize].as_ref().map(|_| channel);
        of(channel).or_else(|| of(Channel::Registration))
    }

    /// The earliest deadline in here.
    pub fn due(&self) -> Instant {
        let waits = self.waiting.iter().map(|waiting| waiting.until);
        let sources = self.sources.iter().flatten().map(|source| source.supervisor.due());
        waits.chain(sources).fold(super::NEVER, Instant::min)
    }

    /// Nothing begins or goes on any more.
    pub fn stop(&mut self) {
        self.waiting.clear();
        self.sources.iter_mut().flatten().for_each(|source| source.supervisor.stop());
    }

    /// Folds the state into a hash.
    pub fn fingerprint(&self, mut into: &mut dyn Hasher) {
        (&self.picks, self.health, &self.waiting, &self.regions, &self.sources).hash(&mut into);
        (&self.query_endpoints, self.refreshed).hash(&mut into);
    }
}
