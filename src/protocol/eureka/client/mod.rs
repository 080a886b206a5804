//! The client: registers an instance, keeps its lease alive, keeps a copy of the registry.
//!
//! Reading order: [`endpoints`] and [`transport`] (how a request finds a server), [`replicator`] and [`supervisor`]
//! (when something is to be done), [`local`] and [`health`] (the instance itself), [`extras`] (what few clients have);
//! [`construction`], [`runs`] (what is done, step by step), [`resolver`] (servers found in the registry), [`registry`] (the copy),
//! [`balancer`] (look-ups), [`shutdown`], [`gauges`]. This file holds the state, the deadlines and the inputs.
//!
//! The same client is a process of its own and a part of a server. In there it gets timeouts, the outcomes of its own calls,
//! and [`Client::set_status`], [`Client::stop`] and [`Client::reconfigure`]; it ends the process only if its constructor fails.
//!
//! The callback before registration at construction does nothing that could be seen, so there is none. Hosts have one name at a
//! time: when the settings bring another one, the replicator notices.

pub mod endpoints;
pub mod transport;
pub mod replicator;
pub mod supervisor;
pub mod local;
pub mod health;
pub mod extras;
pub mod construction;
pub mod runs;
pub mod resolver;
pub mod registry;
pub mod balancer;
pub mod shutdown;
pub mod gauges;

#[cfg(test)]
mod tests;

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use self::endpoints::{Endpoints, Order};
use self::extras::Extras;
use self::local::Local;
use self::replicator::Replicator;
use self::runs::{Run, Task};
use self::supervisor::{Rules, Supervisor};
use self::transport::{Chain, Kind};
use super::applications::Applications;
use super::config::{ClientConfig, Fixes, InstanceConfig, Profile};
use super::node::{Config, HealthSource, Transport};
use super::wire::{Query, Response};
use super::{Eureka, Tag as EurekaTag};
use crate::protocol::{Answer, Cx, Input, InstanceId, Instant, Operation, Status};

pub use self::runs::Tag;

/// A deadline that does not come.
const NEVER: Instant = Instant(u64::MAX);

/// `Constructing` → `Running`; the rest is told in [`shutdown`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Stage {
    /// The constructor waits for an answer.
    Constructing,
    /// The constructor has failed.
    Failed,
    /// All tasks are scheduled.
    Running,
    /// A Spring context closes; the client is destroyed when that has taken its time.
    Closing,
    /// The replicator may finish what it has, for a while.
    Draining,
    /// The DELETE is under way.
    Deregistering,
    /// It is closed.
    Stopped,
}

/// A client.
#[derive(Clone, Debug)]
pub struct Client {
    /// What it is told.
    told: Arc<Config>,
    settings: Arc<ClientConfig>,
    fixes: Arc<Fixes>,
    applications: Arc<Applications>,
    /// What it registers, if it does.
    local: Option<Local>,
    endpoints: Endpoints,
    /// By channel.
    chains: [Chain; 2],
    refresh: Supervisor,
    heartbeat: Supervisor,
    replicator: Replicator,
    runs: Vec<Run>,
    /// The last read, to be sent again as it is: nearly all are alike.
    asked: Option<Arc<Query>>,
    /// What few clients have.
    extras: Option<Box<Extras>>,
    /// The earliest of all deadlines.
    next: Instant,
    stage: Stage,
    /// When a client that closes or drains goes on in any case.
    until: Instant,
    /// Counts the fetches that changed the copy, so that an older one does not overwrite it.
    generation: u32,
    next_run: u16,
    profile: Profile,
    transport: Transport,
    status: Status,
    /// The status that a Spring application takes once it is ready.
    initial_status: Status,
    fetches: bool,
    /// Whether the process ends with the client.
    exits: bool,
}

impl Client {
    /// One input. Inside a server, only timeouts and the outcomes of the client's own calls get here.
    pub fn handle(&mut self, input: Input<Eureka>, cx: &mut Cx<'_, Eureka>) {
        match input {
            Input::Timeout => self.on_timeout(cx),
            Input::Outcome { call: _, tag: EurekaTag::Client(tag), result } => {
                self.on_outcome(tag, result, cx);
            }
            Input::Outcome { call: _, tag: EurekaTag::Server(tag), result: _ } => {
                panic!("the outcome of a server's call reached a client: {tag:?}")
            }
            Input::Ask { ticket, operation } => {
                let answer = self.on_ask(&operation, cx);
                cx.done(ticket, answer);
            }
            Input::Reconfigure(config) => self.reconfigure(config),
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

    /// Whether the constructor has returned.
    pub fn constructed(&self) -> bool {
        !matches!(self.stage, Stage::Constructing | Stage::Failed)
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
    /// resolution, lease settings and the host name at the replicator's next run, other regions at the next refresh.
    ///
    /// Differs from upstream: intervals, too, hold from the next run on. There a supervisor keeps the one it was built with,
    /// and Spring, if refresh is enabled, builds a new client. What is registered, whether, by which product and through which
    /// library stays.
    pub fn reconfigure(&mut self, told: Arc<Config>) {
        self.settings = Arc::clone(&told.client().client);
        self.fixes = Arc::clone(&told.client().fixes);
        let built_in = Arc::clone(self.zone());
        let moved = built_in != told.client().zone;
        self.told = told;
        let extras = self.extras_mut();
        extras.servers_changed = true;
        extras.built_in = moved.then_some(built_in);
    }

    /// The zone that it was built in, which stays its own.
    fn zone(&self) -> &Arc<str> {
        let built_in = self.extras.as_ref().and_then(|extras| extras.built_in.as_ref());
        built_in.unwrap_or(&self.told.client().zone)
    }

    /// Folds the state into a hash.
    pub fn fingerprint(&self, mut into: &mut dyn Hasher) {
        self.applications.view().listings().hash(&mut into);
        self.local.as_ref().map(Local::version).hash(&mut into);
        self.endpoints.hash(&mut into);
        self.chains.hash(&mut into);
        (&self.refresh, &self.heartbeat, &self.replicator).hash(&mut into);
        self.runs.hash(&mut into);
        (self.stage, self.until, self.generation, self.next_run, self.status).hash(&mut into);
        self.exits.hash(&mut into);
        if let Some(extras) = &self.extras {
            extras.fingerprint(into);
        }
    }

    /// The extras, which begin when they are first needed.
    fn extras_mut(&mut self) -> &mut Extras {
        self.extras.get_or_insert_with(|| Box::new(Extras::unaware_of_regions()))
    }

    fn own(&self) -> &Local {
        self.local.as_ref().expect("only a client that registers asks for this")
    }

    fn own_mut(&mut self) -> &mut Local {
        self.local.as_mut().expect("only a client that registers asks for this")
    }

    /// The settings of the instance as they are; it may state earlier ones, but not if it has no extras: then they never changed.
    fn configured(&self) -> &InstanceConfig {
        let told = self.extras.as_ref().and_then(|_| self.told.client().instance.as_ref());
        told.map_or_else(|| self.own().settings(), |registration| &registration.instance)
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
        let heard = matches!(self.stage, Stage::Running | Stage::Closing);
        if heard && self.settings.on_demand_update_status_change {
            self.replicator.on_demand(self.settings.instance_info_replication_interval, cx.wall());
        }
    }

    fn on_timeout(&mut self, cx: &mut Cx<'_, Eureka>) {
        let now = cx.now();
        if self.endpoints.due() <= now {
            let order = Order::shuffled(self.fixes.shuffle_servers);
            let changed = self.extras.as_mut().and_then(|extras| extras.changed_servers(self.told.client()));
            let interval = self.settings.service_url_poll_interval;
            self.endpoints.resolve(changed, interval, order, now, cx.random());
        }
        if self.extras.is_some() {
            self.wake(cx);
            self.resolve_due(cx);
        }
        if self.refresh.due() <= now {
            let (id, rules, busy) = (self.fresh_run(), self.refresh_rules(), self.busy(Task::Refresh));
            if self.refresh.turn(id, rules, busy, now) {
                let kind = self.refresh_kind();
                self.begin(id, Task::Refresh, kind, cx);
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
            Stage::Closing if self.until <= now => self.stop_replicator(cx),
            Stage::Draining if self.until <= now => self.close(cx),
            Stage::Constructing
            | Stage::Failed
            | Stage::Running
            | Stage::Closing
            | Stage::Draining
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
            interval: self.configured().lease_renewal_interval,
            bound: self.settings.heartbeat_back_off_bound,
            threads: self.settings.heartbeat_threads,
        }
    }

    /// A run of the replicator, on its thread: look at the instance (host, lease settings, health), and register it if the servers do
    /// not know it as it is. So a healthy check turns the DOWN of a shutdown back to UP before it is sent.
    fn replicate(&mut self, cx: &mut Cx<'_, Eureka>) {
        if let Some(extras) = &self.extras {
            let node = self.told.client();
            let (source, found) = (node.health, extras.health);
            let local = self.local.as_mut().expect("only a client that registers has a replicator");
            if node.instance.as_ref().is_some_and(|configured| local.refresh(configured)) {
                self.mark_dirty(cx);
            }
            let closed = !matches!(self.stage, Stage::Running | Stage::Closing);
            if let Some(status) = health::status(source, found, self.status, closed) {
                self.change_status(status, cx);
            }
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
        let goes_on = matches!(self.stage, Stage::Running | Stage::Closing);
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
            Operation::SetMetadata { instance, entries } if running && self.is_own(*instance) => {
                self.own_mut().add_metadata(entries);
                self.mark_dirty(cx);
                Answer::Ok
            }
            Operation::SetHealth { instance, health } if running && self.is_own(*instance) => {
                if self.told.client().health == HealthSource::None {
                    return Answer::Failed(0);
                }
                self.extras_mut().health = *health;
                Answer::Ok
            }
            Operation::LookUp { service, except } if running => self.look_up(*service, *except, cx),
            // The client decides itself when to register, renew and deregister.
            Operation::Register { .. }
            | Operation::Renew { .. }
            | Operation::Deregister { .. }
            | Operation::SetStatus { .. }
            | Operation::SetOwnStatus { .. }
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
            } else if matches!(self.stage, Stage::Draining) && self.replicator.drained() {
                self.close(cx);
            } else {
                break;
            }
        }
        self.report(cx);
        self.next = self.earliest();
    }

    fn earliest(&self) -> Instant {
        if matches!(self.stage, Stage::Stopped | Stage::Failed) {
            return NEVER;
        }
        let other = self.extras.as_ref().map_or(NEVER, |extras| extras.due());
        [self.refresh.due(), self.heartbeat.due(), self.replicator.due(), self.endpoints.due(), self.until]
            .into_iter()
            .fold(other, Instant::min)
    }
}
