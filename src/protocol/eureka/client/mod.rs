//! The client: registers an instance, keeps its lease alive, keeps a copy of the registry.
//!
//! Reading order: [`endpoints`] and [`transport`] (how a request finds a server), [`replicator`] and [`supervisor`]
//! (when something is to be done), [`local`] (the instance itself), [`runs`] (what is done, step by step), [`registry`] (the
//! copy), [`shutdown`]. This file holds the state, the deadlines and the inputs.
//!
//! The same client is a process of its own and a part of a server. In there it gets timeouts, the outcomes of its own calls,
//! and [`Client::set_status`], [`Client::stop`] and [`Client::reconfigure`]; it never ends the process.
//!
//! Left out: health checks (the default handler leaves the status alone), the callback before registration, blocking
//! registration at construction and failing construction (both off by default), the resolution of the own host.

pub mod endpoints;
pub mod transport;
pub mod replicator;
pub mod supervisor;
pub mod local;
pub mod runs;
pub mod registry;
pub mod shutdown;

#[cfg(test)]
mod tests;

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use self::endpoints::{Channel, Endpoints};
use self::local::Local;
use self::replicator::Replicator;
use self::runs::{Run, Task};
use self::supervisor::{Rules, Supervisor};
use self::transport::{Chain, Kind};
use super::config::{ClientConfig, Profile};
use super::instance::Applications;
use super::node::{ClientNode, Config};
use super::wire::{Query, Resource, Response};
use super::{Eureka, Tag as EurekaTag};
use crate::protocol::{Answer, Cx, Input, InstanceId, Instant, Operation, Status};

pub use self::runs::Tag;

/// A deadline that does not come.
const NEVER: Instant = Instant(u64::MAX);

/// `Constructing` → `Running`; the rest is told in [`shutdown`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Stage {
    /// The constructor waits for the first fetch.
    Constructing,
    /// All tasks are scheduled.
    Running,
    /// A Spring context closes; the client is destroyed at `until`.
    Closing { until: Instant },
    /// The replicator may finish what it has, at most until `until`.
    Draining { until: Instant },
    /// The DELETE is under way.
    Deregistering,
    /// It is closed.
    Stopped,
}

/// A client.
#[derive(Clone, Debug)]
pub struct Client {
    settings: Arc<ClientConfig>,
    applications: Arc<Applications>,
    /// What it registers, if it does.
    local: Option<Local>,
    endpoints: Endpoints,
    /// A full read, and a delta.
    queries: [Arc<Query>; 2],
    /// By channel.
    chains: [Chain; 2],
    refresh: Supervisor,
    heartbeat: Supervisor,
    replicator: Replicator,
    runs: Vec<Run>,
    /// The earliest of all deadlines.
    next: Instant,
    stage: Stage,
    /// Counts the fetches that changed the copy, so that an older one does not overwrite it.
    generation: u32,
    next_run: u16,
    profile: Profile,
    status: Status,
    /// The status that a Spring application takes once it is ready.
    initial_status: Status,
    fetches: bool,
    /// Whether the process ends with the client.
    exits: bool,
}

impl Client {
    /// A client in a server. Its status is STARTING until a Spring application is ready, or the server opens for traffic.
    pub fn start(node: &ClientNode, cx: &mut Cx<'_, Eureka>) -> Client {
        let enabled =
            node.instance.as_ref().is_some_and(|registration| registration.instance.enabled_on_init);
        let status = if enabled { Status::Up } else { Status::Starting };
        Client::construct(node, status, cx)
    }

    /// A client that is a process of its own. A Netflix application has set its status before it builds its client, so that
    /// no change announces it: it is registered by its first heartbeat.
    pub fn application(node: &ClientNode, cx: &mut Cx<'_, Eureka>) -> Client {
        match (node.profile, &node.instance) {
            (Profile::Netflix, Some(registration)) => {
                Client::construct(node, registration.initial_status, cx)
            }
            (Profile::Netflix, None) | (Profile::SpringCloud, _) => Client::start(node, cx),
        }
    }

    fn construct(node: &ClientNode, status: Status, cx: &mut Cx<'_, Eureka>) -> Client {
        let settings = Arc::clone(&node.client);
        let registration = node.instance.as_ref();
        let registered = registration.filter(|_| settings.register_with_eureka);
        let mut client = Client {
            applications: Arc::default(),
            local: registered.map(|registration| Local::new(registration, cx.wall())),
            endpoints: Endpoints::new(&node.service_urls, &node.zone, cx.random()),
            queries: [Query::of(Resource::Apps), Query::of(Resource::Delta)].map(Arc::new),
            chains: [Chain::new(Channel::Registration), Chain::new(Channel::Query)],
            refresh: Supervisor::off(),
            heartbeat: Supervisor::off(),
            replicator: Replicator::off(),
            runs: Vec::new(),
            next: NEVER,
            stage: Stage::Constructing,
            generation: 0,
            next_run: 0,
            profile: node.profile,
            status,
            initial_status: registration.map_or(Status::Up, |registration| registration.initial_status),
            fetches: settings.fetch_registry,
            exits: false,
            settings,
        };
        if client.fetches {
            let id = client.fresh_run();
            client.begin(id, Task::Construction, client.fetch_kind(), cx);
        } else {
            client.on_constructed(cx);
        }
        client.settle(cx);
        client
    }

    /// One input. Inside a server, only timeouts and the outcomes of the client's own calls get here.
    pub fn handle(&mut self, input: Input<Eureka>, cx: &mut Cx<'_, Eureka>) {
        match input {
            Input::Timeout => self.on_timeout(cx),
            Input::Outcome { call: _, tag: EurekaTag::Client(tag), result } => {
                self.on_outcome(tag, result, cx);
            }
            Input::Outcome { call: _, tag: EurekaTag::Replication(tag), result: _ } => {
                panic!("the outcome of a replication reached a client: {tag:?}")
            }
            Input::Ask { ticket, operation } => {
                let answer = self.on_ask(&operation, cx);
                cx.done(ticket, answer);
            }
            Input::Reconfigure(config) => match &*config {
                Config::Client(node) | Config::Server(super::node::ServerNode { client: node, .. }) => {
                    self.reconfigure(node);
                }
            },
            Input::Stop => {
                self.exits = true;
                self.stop(cx);
            }
            // An application has no registry to answer from.
            Input::Request { id, from: _, request: _ } => cx.respond(id, Response::empty(404)),
            // It opens no links, gets no packets and stores nothing.
            Input::Link { .. } | Input::Datagram { .. } | Input::Disk(_) => {}
        }
        self.settle(cx);
    }

    /// The earliest deadline.
    pub fn next_timeout(&self) -> Option<Instant> {
        (self.next != NEVER).then_some(self.next)
    }

    /// What the cache holds, unfiltered.
    pub fn applications(&self) -> &Arc<Applications> {
        &self.applications
    }

    /// Whether the blocking fetch at construction has ended, well or not.
    pub fn constructed(&self) -> bool {
        self.stage != Stage::Constructing
    }

    /// The application, or the server around it, changes its status.
    pub fn set_status(&mut self, status: Status, cx: &mut Cx<'_, Eureka>) {
        self.change_status(status, cx);
        self.settle(cx);
    }

    /// The local status.
    pub fn status(&self) -> Status {
        self.status
    }

    /// The settings were changed at run time. Each is obeyed when it is next looked at; the server list at its next
    /// resolution, lease settings at the replicator's next run.
    ///
    /// Differs from upstream: intervals, too, hold from the next run on. There a supervisor keeps the one it was built with,
    /// and Spring, if refresh is enabled, builds a new client. What is registered, whether, and by which product stays.
    pub fn reconfigure(&mut self, node: &ClientNode) {
        self.settings = Arc::clone(&node.client);
        self.endpoints.reconfigure(&node.service_urls, &node.zone);
        if let (Some(local), Some(registration)) = (&mut self.local, &node.instance) {
            local.reconfigure(&registration.instance);
        }
    }

    /// Folds the state into a hash.
    pub fn fingerprint(&self, mut into: &mut dyn Hasher) {
        self.applications.view().listings().hash(&mut into);
        self.local.as_ref().map(Local::version).hash(&mut into);
        self.endpoints.hash(&mut into);
        self.chains.hash(&mut into);
        (&self.refresh, &self.heartbeat, &self.replicator).hash(&mut into);
        self.runs.hash(&mut into);
        (self.stage, self.generation, self.next_run, self.status, self.exits).hash(&mut into);
    }

    fn own(&self) -> &Local {
        self.local.as_ref().expect("only a client that registers asks for this")
    }

    fn own_mut(&mut self) -> &mut Local {
        self.local.as_mut().expect("only a client that registers asks for this")
    }

    /// The constructor returns: the tasks are scheduled, and a Spring application is ready at once.
    fn on_constructed(&mut self, cx: &mut Cx<'_, Eureka>) {
        assert_eq!(self.stage, Stage::Constructing, "constructed twice");
        self.stage = Stage::Running;
        let now = cx.now();
        if self.fetches {
            self.refresh.schedule(self.settings.registry_fetch_interval, now);
        }
        if let Some(local) = &self.local {
            self.heartbeat.schedule(local.settings().lease_renewal_interval, now);
            self.mark_dirty(cx);
            self.replicator.schedule(self.settings.initial_instance_info_replication_interval, now);
        }
        if self.profile == Profile::SpringCloud {
            self.change_status(self.initial_status, cx);
        }
    }

    fn mark_dirty(&mut self, cx: &mut Cx<'_, Eureka>) {
        let (status, wall) = (self.status, cx.wall());
        cx.emit(self.own_mut().mark_dirty(status, wall));
    }

    /// The status becomes another one; the listener, while there is one, has it sent at once.
    fn change_status(&mut self, status: Status, cx: &mut Cx<'_, Eureka>) {
        if self.status == status {
            return;
        }
        self.status = status;
        if self.local.is_none() {
            return;
        }
        self.mark_dirty(cx);
        let heard = matches!(self.stage, Stage::Running | Stage::Closing { .. });
        if heard && self.settings.on_demand_update_status_change {
            self.replicator.on_demand(self.settings.instance_info_replication_interval, cx.wall());
        }
    }

    fn on_timeout(&mut self, cx: &mut Cx<'_, Eureka>) {
        let now = cx.now();
        if self.endpoints.due() <= now {
            self.endpoints.resolve(self.settings.service_url_poll_interval, now, cx.random());
        }
        if self.refresh.due() <= now {
            let (id, rules, busy) = (self.fresh_run(), self.refresh_rules(), self.busy(Task::Refresh));
            if self.refresh.turn(id, rules, busy, now) {
                self.begin(id, Task::Refresh, self.fetch_kind(), cx);
            }
        }
        if self.heartbeat.due() <= now {
            let (id, rules, busy) = (self.fresh_run(), self.heartbeat_rules(), self.busy(Task::Heartbeat));
            if self.heartbeat.turn(id, rules, busy, now) {
                self.begin(id, Task::Heartbeat, Kind::Heartbeat, cx);
            }
        }
        if self.replicator.begin_periodic(now) {
            self.replicate(cx);
        }
        match self.stage {
            Stage::Closing { until } if until <= now => self.stop_replicator(cx),
            Stage::Draining { until } if until <= now => self.close(cx),
            Stage::Constructing
            | Stage::Running
            | Stage::Closing { .. }
            | Stage::Draining { .. }
            | Stage::Deregistering
            | Stage::Stopped => {}
        }
        self.settle(cx);
        assert!(self.next > now, "the deadline {:?} has not moved beyond {now:?}", self.next);
    }

    fn refresh_rules(&self) -> Rules {
        Rules {
            interval: self.settings.registry_fetch_interval,
            bound: self.settings.cache_refresh_back_off_bound,
            threads: self.settings.cache_refresh_threads,
        }
    }

    fn heartbeat_rules(&self) -> Rules {
        Rules {
            interval: self.own().settings().lease_renewal_interval,
            bound: self.settings.heartbeat_back_off_bound,
            threads: self.settings.heartbeat_threads,
        }
    }

    /// A run of the replicator, on its thread: look at the instance, and register it if the servers do not know it as it is.
    fn replicate(&mut self, cx: &mut Cx<'_, Eureka>) {
        if self.own_mut().refresh_lease() {
            self.mark_dirty(cx);
        }
        if self.own().dirty().is_some() {
            let id = self.fresh_run();
            self.begin(id, Task::Replicator, Kind::Register, cx);
        } else {
            self.on_end_of_replication(cx);
        }
    }

    /// The next periodic run is planned, unless the thread is being stopped.
    fn on_end_of_replication(&mut self, cx: &mut Cx<'_, Eureka>) {
        let goes_on = matches!(self.stage, Stage::Running | Stage::Closing { .. });
        let next = goes_on.then_some(self.settings.instance_info_replication_interval);
        self.replicator.ended(next, cx.now());
    }

    fn on_ask(&mut self, operation: &Operation, cx: &mut Cx<'_, Eureka>) -> Answer {
        let running = self.stage == Stage::Running;
        match operation {
            Operation::SetStatus { instance, status } if running && self.is_own(*instance) => {
                self.change_status(*status, cx);
                Answer::Ok
            }
            Operation::LookUp { service, except: _ } if running => self.look_up(*service, cx.random()),
            // The client decides itself when to register, renew and deregister.
            Operation::Register { .. }
            | Operation::Renew { .. }
            | Operation::Deregister { .. }
            | Operation::SetStatus { .. }
            | Operation::ClearStatus { .. }
            | Operation::LookUp { .. }
            | Operation::SetMetadata { .. }
            | Operation::SetHealth { .. }
            | Operation::SetGroup { .. } => Answer::Failed(0),
        }
    }

    fn is_own(&self, instance: InstanceId) -> bool {
        self.local.as_ref().is_some_and(|local| local.id() == instance)
    }

    /// What follows from the last step without any further input; then the deadline is brought up to date.
    fn settle(&mut self, cx: &mut Cx<'_, Eureka>) {
        loop {
            if self.replicator.begin_on_demand() {
                self.replicate(cx);
            } else if matches!(self.stage, Stage::Draining { .. }) && self.replicator.drained() {
                self.close(cx);
            } else {
                break;
            }
        }
        self.next = self.earliest();
    }

    fn earliest(&self) -> Instant {
        let stage = match self.stage {
            Stage::Stopped => return NEVER,
            Stage::Closing { until } | Stage::Draining { until } => until,
            Stage::Constructing | Stage::Running | Stage::Deregistering => NEVER,
        };
        [self.refresh.due(), self.heartbeat.due(), self.replicator.due(), self.endpoints.due()]
            .into_iter()
            .fold(stage, Instant::min)
    }
}
