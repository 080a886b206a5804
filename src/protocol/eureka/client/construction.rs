//! How a client is built: find servers if they stand in the registry, fetch, fall back on the backup registry, register if that is
//! enforced; then the tasks are scheduled.
//!
//! The constructor blocks for each of these. A client that neither registers nor fetches has no tasks.

use std::sync::Arc;

use super::endpoints::{Channel, Endpoints, Order};
use super::extras::Extras;
use super::local::Local;
use super::replicator::Replicator;
use super::runs::Task;
use super::supervisor::Supervisor;
use super::transport::{Chain, Kind};
use super::{Client, NEVER, Stage};
use crate::protocol::eureka::Eureka;
use crate::protocol::eureka::config::Profile;
use crate::protocol::eureka::node::{Config, HealthSource};
use crate::protocol::{Cx, Gauge, Status};

impl Client {
    /// A client in a server. Its status is STARTING until a Spring application is ready, or the server opens for traffic.
    pub fn start(told: &Arc<Config>, cx: &mut Cx<'_, Eureka>) -> Client {
        let enabled =
            told.client().instance.as_ref().is_some_and(|registration| registration.instance.enabled_on_init);
        let status = if enabled { Status::Up } else { Status::Starting };
        Client::construct(told, status, cx)
    }

    /// A client that is a process of its own. A Netflix application has set its status before it builds its client, so that
    /// no change announces it: it is registered by its first heartbeat.
    pub fn application(told: &Arc<Config>, cx: &mut Cx<'_, Eureka>) -> Client {
        let node = told.client();
        match (node.profile, &node.instance) {
            (Profile::Netflix, Some(registration)) => {
                Client::construct(told, registration.initial_status, cx)
            }
            (Profile::Netflix, None) | (Profile::SpringCloud, _) => Client::start(told, cx),
        }
    }

    fn construct(told: &Arc<Config>, status: Status, cx: &mut Cx<'_, Eureka>) -> Client {
        let node = told.client();
        let settings = Arc::clone(&node.client);
        let registration = node.instance.as_ref();
        let registered = registration.filter(|_| settings.register_with_eureka);
        let order = Order::shuffled(node.fixes.shuffle_servers);
        let mut client = Client {
            told: Arc::clone(told),
            fixes: Arc::clone(&node.fixes),
            applications: Arc::default(),
            local: registered.map(|registration| Local::new(registration, cx.wall())),
            endpoints: Endpoints::new(&node.service_urls, &node.zone, order, cx.random()),
            chains: [Chain::new(Channel::Registration), Chain::new(Channel::Query)],
            refresh: Supervisor::off(),
            heartbeat: Supervisor::off(),
            replicator: Replicator::off(),
            runs: Vec::new(),
            asked: None,
            extras: Extras::needed(node),
            next: NEVER,
            stage: Stage::Constructing,
            until: NEVER,
            generation: 0,
            next_run: 0,
            profile: node.profile,
            transport: node.transport,
            status,
            initial_status: registration.map_or(Status::Up, |registration| registration.initial_status),
            fetches: settings.fetch_registry,
            exits: false,
            settings,
        };
        if client.set_up_sources() {
            let id = client.fresh_run();
            client.begin(id, Task::Construction, Kind::Servers, cx);
        } else {
            client.first_fetch(cx);
        }
        client.settle(cx);
        client
    }

    /// A request of the constructor has ended.
    pub(super) fn on_construction(&mut self, kind: Kind, succeeded: bool, cx: &mut Cx<'_, Eureka>) {
        assert_eq!(self.stage, Stage::Constructing, "constructed twice");
        match kind {
            Kind::Servers => self.first_fetch(cx),
            Kind::Full | Kind::Delta => self.on_first_fetch(succeeded, cx),
            Kind::Register if succeeded => self.on_constructed(cx),
            Kind::Register => self.fail(cx),
            Kind::Heartbeat | Kind::Cancel => panic!("a constructor does not ask for {kind:?}"),
        }
    }

    fn first_fetch(&mut self, cx: &mut Cx<'_, Eureka>) {
        if self.fetches {
            let (id, kind) = (self.fresh_run(), self.fetch_kind());
            self.begin(id, Task::Construction, kind, cx);
        } else {
            self.first_registration(cx);
        }
    }

    fn on_first_fetch(&mut self, fetched: bool, cx: &mut Cx<'_, Eureka>) {
        if fetched {
            self.report_success(Gauge::FetchAge, cx);
        }
        if fetched || self.adopt_backup(cx) || !self.settings.enforce_fetch_at_init {
            self.first_registration(cx);
        } else {
            self.fail(cx);
        }
    }

    fn first_registration(&mut self, cx: &mut Cx<'_, Eureka>) {
        if self.local.is_some() && self.settings.enforce_registration_at_init {
            let id = self.fresh_run();
            self.begin(id, Task::Construction, Kind::Register, cx);
        } else {
            self.on_constructed(cx);
        }
    }

    /// The constructor returns: the tasks are scheduled, and a Spring application is ready at once. The replicator does not ask whether
    /// the constructor has registered already.
    fn on_constructed(&mut self, cx: &mut Cx<'_, Eureka>) {
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
        // The actuator's handler is registered then, which asks for a run; a callback is not a handler.
        let health = self.told.client().health;
        if self.local.is_some() && health == HealthSource::Actuator {
            self.replicator.on_demand(self.settings.instance_info_replication_interval, cx.wall());
        }
    }
}
