//! One server, driven by hand: time is set, requests are put, and what the server says to its peers is looked at.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::protocol::eureka::applications::{Applications, Delta};
use crate::protocol::eureka::config::{ClientConfig, Fixes, InstanceConfig, Profile, ServerConfig};
use crate::protocol::eureka::instance::{About, Action, InstanceInfo, LeaseInfo};
use crate::protocol::eureka::node::{ClientNode, Registration, ServiceUrl};
use crate::protocol::eureka::wire::{Body, Heartbeat, Item, Query, Request, Resource, Response, Stamp};
use crate::protocol::eureka::{self, Config};
use crate::protocol::random::{Key, Stream};
use crate::protocol::{
    Address, Answer, Call, CallError, Effect, InstanceId, NodeId, Operation, Origin, RequestId, ServiceId,
    Status, Ticket,
};
use Status::{Down, OutOfService, Starting, Unknown, Up};

mod boot;
mod cache;
mod conflicts;
mod dispatch;
mod figures;
mod groups;
mod leases;
mod live;
mod peers;
mod reads;
mod regions;
mod registration;
mod remote;
mod switches;

const APP: ServiceId = ServiceId(0);
const MS: u64 = 1_000_000;
/// The wall clock at the start: a multiple of 30 s, so that the cache is filled at 30 s, 60 s, ...
const EPOCH_MS: i64 = 1_700_000_010_000;

/// An instance that is up, with a lease of the usual length.
pub(super) fn info(id: u32, last_dirty: i64) -> InstanceInfo {
    let lease = LeaseInfo { renewal_interval: Duration::from_secs(30), duration: Duration::from_secs(90) };
    InstanceInfo {
        app: APP,
        id: InstanceId(id),
        status: Up,
        overridden: Unknown,
        last_dirty,
        last_updated: last_dirty,
        lease: Some(lease),
        action: None,
        about: Arc::new(About::least("app", "host")),
    }
}

fn node(profile: Profile, peers: u32) -> ServerNode {
    let mut client = ClientConfig::defaults(profile);
    (client.register_with_eureka, client.fetch_registry) = (false, false);
    let url = |peer: u32| ServiceUrl::new("defaultZone", &format!("peer{peer}"), Address(peer));
    let urls = (0..=peers).map(url).collect();
    let client = ClientNode::new(profile, Arc::new(client), Arc::from("defaultZone"), urls);
    ServerNode::new(Arc::new(ServerConfig::defaults(profile)), client, Arc::from("peer0"))
}

/// The application of the servers themselves.
const SERVERS: ServiceId = ServiceId(9);

/// A server whose embedded client registers it as instance 90, and reads the registry.
fn registering(profile: Profile, peers: u32) -> ServerNode {
    let mut node = node(profile, peers);
    let client = Arc::make_mut(&mut node.client.client);
    (client.register_with_eureka, client.fetch_registry) = (true, true);
    Arc::make_mut(&mut node.server).registry_sync_retries = ServerConfig::SYNC_RETRIES_OF_REGISTERING;
    node.app = Some(SERVERS);
    node.client.instance = Some(Registration {
        app: SERVERS,
        id: InstanceId(90),
        instance: Arc::new(InstanceConfig::defaults(profile)),
        initial_status: Up,
        about: Arc::new(About::least("eureka", "peer0")),
    });
    node
}

/// A Spring server without peers, and the settings changed by `change`.
fn alone(change: impl FnOnce(&mut ServerConfig)) -> Driver {
    let mut node = node(Profile::SpringCloud, 0);
    change(Arc::make_mut(&mut node.server));
    Driver::new(node)
}

/// A Spring server with a peer that behaves as `change` says.
fn switched(change: impl FnOnce(&mut Fixes)) -> Driver {
    let mut node = node(Profile::SpringCloud, 1);
    change(Arc::make_mut(&mut node.client.fixes));
    Driver::new(node)
}

/// A Netflix server with peers at addresses 1, 2, ..., which is open at once.
fn netflix(peers: u32, change: impl FnOnce(&mut ServerNode)) -> Driver {
    let mut node = node(Profile::Netflix, peers);
    Arc::make_mut(&mut node.server).registry_sync_retries = 0;
    change(&mut node);
    Driver::new(node)
}

/// A Spring server with peers at addresses 1, 2, ...
fn with_peers(peers: u32) -> Driver {
    Driver::new(node(Profile::SpringCloud, peers))
}

/// The driver of one server. The clocks run as one until the wall clock is moved.
struct Driver {
    server: Server,
    now_ms: u64,
    wall_offset_ms: i64,
    random: Stream,
    next_id: u64,
    events: Vec<Event>,
    /// Calls that the server has made, with the time in ms.
    calls: Vec<(u64, Call<Eureka>)>,
    /// Whether the port is open.
    listens: bool,
    exited: Option<i32>,
}

impl Driver {
    fn new(node: ServerNode) -> Driver {
        let (mut random, mut next_id, mut effects) = (Key::root(1).long(), 0, Vec::new());
        let wall = Wall::from_millis(EPOCH_MS);
        let mut cx = Cx::new(NodeId(0), Instant(0), wall, &mut random, &mut next_id, &mut effects);
        let server = Server::start(&node, &mut cx);
        let (events, calls) = (Vec::new(), Vec::new());
        let mut driver = Driver {
            server,
            now_ms: 0,
            wall_offset_ms: 0,
            random,
            next_id,
            events,
            calls,
            listens: true,
            exited: None,
        };
        driver.carry_out(effects);
        driver
    }

    fn wall_ms(&self) -> i64 {
        EPOCH_MS + self.now_ms as i64 + self.wall_offset_ms
    }

    fn input(&mut self, input: Input<Eureka>) -> Option<Response> {
        self.step(|server, cx| server.handle(input, cx))
    }

    fn step(&mut self, step: impl FnOnce(&mut Server, &mut Cx<'_, Eureka>)) -> Option<Response> {
        let (now, wall) = (Instant(self.now_ms * MS), Wall::from_millis(self.wall_ms()));
        let mut effects = Vec::new();
        let mut cx = Cx::new(NodeId(0), now, wall, &mut self.random, &mut self.next_id, &mut effects);
        step(&mut self.server, &mut cx);
        self.carry_out(effects)
    }

    fn carry_out(&mut self, effects: Vec<Effect<Eureka>>) -> Option<Response> {
        let mut answer = None;
        for effect in effects {
            match effect {
                Effect::Respond { response, .. } => answer = Some(response),
                Effect::Emit(event) => self.events.push(event),
                Effect::Call(call) => self.calls.push((self.now_ms, call)),
                Effect::Listen(open) => self.listens = open,
                Effect::Exit { code } => self.exited = Some(code),
                Effect::Done { answer: done, .. } => {
                    let status = match done {
                        Answer::Ok => 200,
                        Answer::Failed(code) => code,
                        other => panic!("a server answers so: {other:?}"),
                    };
                    answer = Some(Response::empty(status));
                }
                Effect::Abandon(_) => {}
                other => panic!("a server does not do this: {other:?}"),
            }
        }
        answer
    }

    /// Lets time pass, with all timeouts on the way, and those at `ms` itself.
    fn at(&mut self, ms: u64) -> &mut Driver {
        assert!(ms >= self.now_ms, "time goes on");
        while let Some(due) =
            self.server.next_timeout().map(|due| due.0.div_ceil(MS)).filter(|due| *due <= ms)
        {
            self.now_ms = due.max(self.now_ms);
            self.input(Input::Timeout);
            let next = self.server.next_timeout();
            assert!(next.is_none_or(|next| next.0 > self.now_ms * MS), "after a timeout the next is later");
        }
        self.now_ms = ms;
        self
    }

    fn request(&mut self, request: Request) -> Response {
        assert!(self.listens, "the port is closed");
        let input = Input::Request { id: RequestId(0), from: Address(99), request };
        self.input(input).expect("requests are answered at once")
    }

    fn ask(&mut self, operation: Operation) -> u16 {
        self.input(Input::Ask { ticket: Ticket(0), operation })
            .expect("operations are answered at once")
            .status
    }

    fn register(&mut self, info: InstanceInfo, replication: bool) {
        let response = self.request(Request::Register { path: None, info: Arc::new(info), replication });
        assert_eq!(response.status, 204);
    }

    fn heartbeat(&mut self, id: u32, last_dirty: i64) -> u16 {
        self.renew(id, Stamp::At(last_dirty), None, false).status
    }

    fn renew(
        &mut self,
        id: u32,
        last_dirty: Stamp,
        overridden: Option<Status>,
        replication: bool,
    ) -> Response {
        let heartbeat = Heartbeat {
            app: APP,
            id: InstanceId(id),
            status: Up,
            last_dirty,
            overridden: overridden.map(Ok),
        };
        self.request(Request::Heartbeat(heartbeat, replication))
    }

    fn cancel(&mut self, id: u32) -> u16 {
        self.request(Request::Cancel { app: APP, id: InstanceId(id), replication: false }).status
    }

    fn set_status(&mut self, id: u32, status: Status) -> u16 {
        let id = InstanceId(id);
        self.request(Request::SetStatus {
            app: APP,
            id,
            status: Some(status),
            last_dirty: Stamp::Absent,
            replication: false,
        })
        .status
    }

    fn set_metadata(&mut self, id: u32, entries: &[(&str, &str)]) -> u16 {
        let entries = entries.iter().map(|(name, value)| (Arc::from(*name), Arc::from(*value))).collect();
        self.request(Request::SetMetadata { app: APP, id: InstanceId(id), entries }).status
    }

    fn get(&mut self, query: Query) -> Response {
        self.request(Request::Get(query.into()))
    }

    fn held(&self, id: u32) -> Option<InstanceInfo> {
        let lease = self.server.registry.store.lease(InstanceId(id))?;
        Some(InstanceInfo::clone(self.server.registry.store.holders.get(lease.holder)))
    }

    fn status(&self, id: u32) -> Option<Status> {
        self.held(id).map(|info| info.status)
    }

    /// Whether a request for the instance finds it.
    fn is_found(&mut self, id: u32) -> bool {
        self.request(Request::Instance { app: Some(APP), id: InstanceId(id) }).status == 200
    }

    fn apps(&mut self) -> Arc<Applications> {
        match self.request(Request::Get(Query::of(Resource::Apps).into())) {
            Response { status: 200, body: Body::Apps(apps) } => apps,
            other => panic!("the registry was asked for: {other:?}"),
        }
    }

    fn delta(&mut self) -> Arc<Delta> {
        match self.request(Request::Get(Query::of(Resource::Delta).into())) {
            Response { status: 200, body: Body::Delta(delta) } => delta,
            other => panic!("the delta was asked for: {other:?}"),
        }
    }

    fn gauge(&self, gauge: Gauge) -> i64 {
        let of_gauge = |event: &Event| match event {
            Event::Gauge { gauge: of, value } if *of == gauge => Some(*value),
            _ => None,
        };
        self.events.iter().rev().find_map(of_gauge).expect("all gauges are reported at the start")
    }

    fn evictions(&self) -> usize {
        self.events.iter().filter(|event| matches!(event, Event::Evicted { .. })).count()
    }

    /// The batches sent since the last look: when, to whom, and what.
    fn batches(&mut self) -> Vec<Batch> {
        let calls = std::mem::take(&mut self.calls);
        calls
            .into_iter()
            .map(|(at_ms, call)| {
                let Request::Batch(items) = call.request else { panic!("peers are sent batches: {call:?}") };
                Batch { at_ms, to: call.to.0, items, call: call.id, tag: call.tag }
            })
            .collect()
    }

    /// The calls made since the last look, of whatever kind.
    fn calls(&mut self) -> Vec<(u64, Call<Eureka>)> {
        std::mem::take(&mut self.calls)
    }

    fn answer(&mut self, call: &Call<Eureka>, result: Result<Response, CallError>) {
        self.input(Input::Outcome { call: call.id, tag: call.tag, result });
    }

    fn outcome(&mut self, batch: &Batch, result: Result<Response, CallError>) {
        self.input(Input::Outcome { call: batch.call, tag: batch.tag, result });
    }
}

/// What a peer is sent.
#[derive(Debug)]
struct Batch {
    at_ms: u64,
    to: u32,
    items: Arc<Vec<Item>>,
    call: crate::protocol::CallId,
    tag: eureka::Tag,
}

impl Batch {
    /// The items in short: what, and of which instance.
    fn kinds(&self) -> Vec<(&'static str, u32)> {
        let kind = |item: &Item| match item {
            Item::Register(info) => ("register", info.as_ref().expect("the instance").id.0),
            Item::Heartbeat(heartbeat) => ("heartbeat", heartbeat.id.0),
            Item::Cancel { id, .. } => ("cancel", id.0),
            Item::SetStatus { id, .. } => ("set-status", id.0),
            Item::ClearStatus { id, .. } | Item::ClearUnversioned { id, .. } => ("clear-status", id.0),
        };
        self.items.iter().map(kind).collect()
    }
}

#[test]
fn equal_inputs_give_equal_fingerprints_and_a_lease_changes_them() {
    let fingerprint = |driver: &Driver| {
        let mut hasher = std::hash::DefaultHasher::new();
        driver.server.fingerprint(&mut hasher);
        hasher.finish()
    };
    let (mut one, mut other) = (with_peers(1), with_peers(1));
    assert_eq!(fingerprint(&one), fingerprint(&other));
    one.register(info(1, 100), false);
    assert_ne!(fingerprint(&one), fingerprint(&other));
    other.register(info(1, 100), false);
    assert_eq!(fingerprint(&one), fingerprint(&other));
}

#[test]
fn an_operator_sends_requests_by_hand() {
    let mut driver = with_peers(1);
    let id = InstanceId(1);
    assert_eq!(driver.ask(Operation::SetStatus { instance: id, status: OutOfService }), 404);
    driver.register(info(1, 100), false);
    assert_eq!(driver.ask(Operation::SetStatus { instance: id, status: OutOfService }), 200);
    assert_eq!((driver.status(1), driver.gauge(Gauge::Overrides)), (Some(OutOfService), 1));
    assert_eq!(driver.ask(Operation::ClearStatus { instance: id, status: None }), 200);
    assert_eq!((driver.status(1), driver.gauge(Gauge::Overrides)), (Some(Unknown), 0));
    assert_eq!(driver.ask(Operation::Renew { instance: id }), 404, "the client is to register again");
    assert_eq!(driver.ask(Operation::Deregister { instance: id }), 200);
    assert_eq!(driver.ask(Operation::Deregister { instance: id }), 404);
    assert_eq!(driver.ask(Operation::Register { instance: id }), 200);
    assert_eq!(driver.held(1).map(|info| info.last_dirty), Some(driver.wall_ms()));
    assert_eq!(driver.ask(Operation::LookUp { service: APP, except: None }), 0);
    driver.at(600);
    let kinds: Vec<_> = driver.batches().iter().flat_map(Batch::kinds).collect();
    assert_eq!(kinds, [("register", 1), ("set-status", 1), ("clear-status", 1), ("cancel", 1)]);
}

#[test]
fn self_preservation_obeys_its_switch_at_once() {
    let mut driver = alone(|_| {});
    assert_eq!(driver.gauge(Gauge::SelfPreservation), 1);
    let mut node = driver.server.node.clone();
    Arc::make_mut(&mut node.server).enable_self_preservation = false;
    driver.input(Input::Reconfigure(Arc::new(Config::Server(Box::new(node)))));
    assert_eq!(driver.gauge(Gauge::SelfPreservation), 0);
}
