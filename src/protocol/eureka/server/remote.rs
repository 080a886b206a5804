//! Other regions: one fetcher for each keeps the copy of its registry up to date (`RemoteRegionRegistry`). The copies themselves,
//! and what readers are shown of them, are in [`super::regions`].
//!
//! A fetcher fetches once, blocking, when the server comes up, and then under a supervisor of its own; nothing ends it, not even
//! the server's shutdown. A delta is asked for first, if there are applications to apply it to. Anything but a delta leads to a
//! full fetch in the same run: an error, a refusal, a hash that does not match afterwards. Settings are those that held when
//! the server came up, but for the one that forbids deltas.
//!
//! Requests take the client's transport, as in Eureka 2.x: with one URL a region, a server that answered once is tried twice
//! before a fetch fails. Its settings are the embedded client's.
//!
//! A delta is applied otherwise than a client does it: a deletion brings the application with it if it was unknown, and an
//! application that has lost all its instances remains, as an empty one. So no ghosts come from a delta, and with only empty
//! applications the fetcher goes on asking for deltas. To a reader, an empty application of one region hides that of the next.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use super::regions::Regions;
use super::{REMOTE_REGIONS, Tag};
use crate::protocol::eureka::applications::{Applications, Delta};
use crate::protocol::eureka::client::endpoints::{Channel, Endpoints, Order};
use crate::protocol::eureka::client::runs::redirect;
use crate::protocol::eureka::client::supervisor::{Rules, Supervisor};
use crate::protocol::eureka::client::transport::{Chain, Kind, Walk, accepts};
use crate::protocol::eureka::config::{ClientConfig, Profile};
use crate::protocol::eureka::instance::{Action, InstanceInfo, LeaseStamps};
use crate::protocol::eureka::node::{self, ServerNode, ServiceUrl};
use crate::protocol::eureka::wire::{Body, Identity, Query, Request, Resource, Response};
use crate::protocol::eureka::{self, Eureka};
use crate::protocol::{Address, CallError, Cx, InstanceId, Instant};

/// How far a timed-out fetch may stretch the interval: 5 times (hard-coded in Netflix/eureka: `RemoteRegionRegistry`).
const BACK_OFF_BOUND: u32 = 5;

/// All other regions, in the order of the settings.
#[derive(Clone, Debug)]
pub(super) struct RemoteRegions {
    /// As they were when the server started.
    configured: Arc<[node::RemoteRegion]>,
    /// Of those that have begun.
    fetchers: Vec<Fetcher>,
    deadline: Option<Instant>,
}

/// What a fetcher needs of the settings of this moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings<'a> {
    /// The embedded client's: the transport looks at them.
    pub(super) client: &'a ClientConfig,
    /// Never ask for deltas.
    pub(super) disable_delta: bool,
    /// Whether a redirect can be used: Spring's paths have no version in them, and without one it cannot.
    follows: bool,
}

impl<'a> Settings<'a> {
    /// Those of a server.
    pub(super) fn of(node: &'a ServerNode) -> Settings<'a> {
        let disable_delta = node.server.disable_delta_for_remote_regions;
        let follows = node.client.profile == Profile::Netflix;
        Settings { client: &node.client.client, disable_delta, follows }
    }
}

/// One other region.
#[derive(Clone, Debug)]
struct Fetcher {
    number: u16,
    timeouts: (Duration, Duration),
    rules: Rules,
    /// A full read, and a delta.
    queries: [Arc<Query>; 2],
    endpoints: Endpoints,
    chain: Chain,
    supervisor: Supervisor,
    runs: Vec<Run>,
    next_run: u16,
    /// Counts the fetches that changed the copy, so that an older one does not overwrite it.
    generation: u32,
    /// Whether the first fetch is over.
    constructed: bool,
}

/// One fetch under way, always in the middle of exactly one request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Run {
    id: u16,
    kind: Kind,
    generation: u32,
    walk: Walk,
}

impl RemoteRegions {
    /// None has begun yet.
    pub(super) fn new(node: &ServerNode) -> RemoteRegions {
        RemoteRegions { configured: Arc::clone(&node.remote_regions), fetchers: Vec::new(), deadline: None }
    }

    /// When something is to be done.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// The next region begins, with its blocking first fetch. False if all have.
    pub(super) fn begin_next(&mut self, node: &ServerNode, cx: &mut Cx<'_, Eureka>) -> bool {
        let Some(region) = self.configured.get(self.fetchers.len()) else { return false };
        let number = u16::try_from(self.fetchers.len()).expect("fewer than 65536 regions");
        let mut fetcher = Fetcher::new(number, region, node, cx);
        fetcher.begin(Kind::Full, Settings::of(node), cx);
        self.fetchers.push(fetcher);
        true
    }

    /// Whether the first fetch of the last region that has begun is over.
    pub(super) fn has_fetched(&self) -> bool {
        self.fetchers.last().is_none_or(|fetcher| fetcher.constructed)
    }

    /// Fetches that are due begin.
    pub(super) fn on_timeout(&mut self, settings: Settings<'_>, regions: &Regions, cx: &mut Cx<'_, Eureka>) {
        for fetcher in &mut self.fetchers {
            if fetcher.supervisor.due() <= cx.now() {
                let (run, busy) = (fetcher.next_run, fetcher.runs.len());
                let has_apps = regions.has_apps(usize::from(fetcher.number));
                let kind = if settings.disable_delta || !has_apps { Kind::Full } else { Kind::Delta };
                if fetcher.supervisor.turn(run, fetcher.rules, busy, cx.now()) {
                    fetcher.begin(kind, settings, cx);
                }
            }
        }
        self.plan();
    }

    /// A call has ended.
    pub(super) fn on_outcome(
        &mut self,
        (region, run): (u16, u16),
        result: Result<Response, CallError>,
        settings: Settings<'_>,
        regions: &mut Regions,
        cx: &mut Cx<'_, Eureka>,
    ) {
        self.fetchers[usize::from(region)].on_outcome(run, result, settings, regions, cx);
        self.plan();
    }

    fn plan(&mut self) {
        let due = self.fetchers.iter().map(|fetcher| fetcher.supervisor.due());
        self.deadline = due.filter(|due| *due < Instant(u64::MAX)).min();
    }

    /// Folds the state into a hash.
    pub(super) fn fingerprint(&self, mut into: &mut dyn Hasher) {
        for fetcher in &self.fetchers {
            (&fetcher.endpoints, &fetcher.chain, &fetcher.supervisor, &fetcher.runs).hash(&mut into);
            (fetcher.next_run, fetcher.generation, fetcher.constructed).hash(&mut into);
        }
    }
}

impl Fetcher {
    fn new(number: u16, region: &node::RemoteRegion, node: &ServerNode, cx: &mut Cx<'_, Eureka>) -> Fetcher {
        let (config, zone) = (&node.server, &region.name);
        let url = ServiceUrl::new(zone, zone, region.address);
        let query = |resource| Query { identity: Identity::DefaultServer, ..Query::of(resource) };
        Fetcher {
            number,
            timeouts: (config.remote_region_connect_timeout, config.remote_region_read_timeout),
            rules: Rules {
                interval: config.remote_region_fetch_interval,
                bound: BACK_OFF_BOUND,
                threads: config.remote_region_fetch_threads,
            },
            queries: [Resource::Apps, Resource::Delta].map(query).map(Arc::new),
            endpoints: Endpoints::new(&[url], zone, Order::AsFound, cx.random()),
            chain: Chain::new(Channel::Query),
            supervisor: Supervisor::off(),
            runs: Vec::new(),
            next_run: 0,
            generation: 0,
            constructed: false,
        }
    }

    /// A run begins.
    fn begin(&mut self, kind: Kind, settings: Settings<'_>, cx: &mut Cx<'_, Eureka>) {
        let id = self.next_run;
        self.next_run = id.wrapping_add(1);
        self.request(id, kind, settings, cx);
    }

    /// A request of a run begins.
    fn request(&mut self, id: u16, kind: Kind, settings: Settings<'_>, cx: &mut Cx<'_, Eureka>) {
        let (reconnect, wall) = (settings.client.session_reconnect_interval, cx.wall());
        let walk = self.chain.begin(&mut self.endpoints, reconnect, wall, cx.random());
        self.go_on(Run { id, kind, generation: self.generation, walk }, settings, cx);
    }

    /// The next attempt of a request, or its end.
    fn go_on(&mut self, mut run: Run, settings: Settings<'_>, cx: &mut Cx<'_, Eureka>) {
        let refresh_share = settings.client.quarantine_refresh_percentage;
        match self.chain.attempt(&mut run.walk, &mut self.endpoints, refresh_share) {
            Some(address) => {
                self.call(address, &run, cx);
                self.runs.push(run);
            }
            None => self.on_end_of_request(run, false, settings, cx),
        }
    }

    fn call(&self, to: Address, run: &Run, cx: &mut Cx<'_, Eureka>) {
        let query = &self.queries[usize::from(run.kind == Kind::Delta)];
        let tag = eureka::Tag::Server(Tag::Region { region: self.number, run: run.id });
        let (connect_timeout, read_timeout) = self.timeouts;
        cx.call(to, REMOTE_REGIONS, Request::Get(Arc::clone(query)), connect_timeout, read_timeout, tag);
    }

    fn on_outcome(
        &mut self,
        run: u16,
        result: Result<Response, CallError>,
        settings: Settings<'_>,
        regions: &mut Regions,
        cx: &mut Cx<'_, Eureka>,
    ) {
        let at = self.runs.iter().position(|known| known.id == run).expect("an outcome belongs to a run");
        let mut run = self.runs.remove(at);
        if let Some(target) = redirect(&result).filter(|_| !self.chain.passes_redirects(&run.walk)) {
            let target = target.filter(|_| settings.follows);
            match target.and_then(|target| self.chain.redirected(&mut run.walk, target)) {
                Some(to) => {
                    self.call(to, &run, cx);
                    self.runs.push(run);
                }
                None => {
                    self.chain.attempted(&mut run.walk, false, &mut self.endpoints);
                    self.go_on(run, settings, cx);
                }
            }
            return;
        }
        let answer = result.map_or_else(|error| error.status().map(Response::empty), Some);
        let answer = answer.filter(|answer| accepts(run.kind, answer.status));
        self.chain.attempted(&mut run.walk, answer.is_some(), &mut self.endpoints);
        match answer {
            Some(answer) => {
                let success = self.adopt(&run, answer, regions);
                self.on_end_of_request(run, success, settings, cx);
            }
            None => self.go_on(run, settings, cx),
        }
    }

    /// What an answer makes of the copy. An answer that another fetch has overtaken is dropped. Says whether the copy is now as it
    /// should be.
    fn adopt(&mut self, run: &Run, answer: Response, regions: &mut Regions) -> bool {
        let (current, region) = (run.generation == self.generation, usize::from(self.number));
        match (run.kind, answer) {
            (Kind::Delta, Response { status: 200..=299, body: Body::Delta(delta) }) if current => {
                self.generation = self.generation.wrapping_add(1);
                let after = applied(regions.content(region), &delta);
                let agrees = after.histogram() == delta.histogram();
                regions.adopt_changes(region, after, delta);
                agrees
            }
            (Kind::Full, Response { status: 200..=299, body: Body::Apps(applications) }) if current => {
                self.generation = self.generation.wrapping_add(1);
                regions.adopt(region, applications);
                true
            }
            _ => false,
        }
    }

    fn on_end_of_request(
        &mut self,
        run: Run,
        success: bool,
        settings: Settings<'_>,
        cx: &mut Cx<'_, Eureka>,
    ) {
        if !success && run.kind == Kind::Delta {
            return self.request(run.id, Kind::Full, settings, cx);
        }
        if self.constructed {
            self.supervisor.ended(run.id, self.rules.interval, cx.now());
        } else {
            self.constructed = true;
            self.supervisor.schedule(self.rules.interval, cx.now());
        }
    }
}

/// A copy after a delta: every change in order. The original first takes over the delta's application as a whole if it was
/// unknown, which makes no difference to the instances.
fn applied(copy: &Arc<Applications>, delta: &Delta) -> Arc<Applications> {
    if delta.changes().is_empty() {
        return Arc::clone(copy);
    }
    let entry = |(info, stamps): (&Arc<InstanceInfo>, LeaseStamps)| (info.id, (Arc::clone(info), stamps));
    let mut instances: BTreeMap<InstanceId, _> = copy.entries().map(entry).collect();
    for change in delta.entries() {
        let (id, entry) = entry(change);
        match change.0.action {
            Some(Action::Deleted) => drop(instances.remove(&id)),
            Some(Action::Added | Action::Modified) | None => drop(instances.insert(id, entry)),
        }
    }
    let (instances, stamps) = instances.into_values().unzip();
    Arc::new(Applications::decorated(instances, stamps))
}
