//! The client as a whole, in front of servers that are a function: transcripts of what it asks and reports.
//!
//! The parts with golden tables of their own are tested beside them.

mod construction;
mod registration;
mod health;
mod copy;
mod balancing;
mod servers;
mod threads;
mod closing;
mod whole;

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::protocol::eureka::applications::{Delta, Histogram};
use crate::protocol::eureka::config::InstanceConfig;
use crate::protocol::eureka::instance::{Action, InstanceInfo};
use crate::protocol::eureka::node::{ClientNode, Registration, ServiceUrl};
use crate::protocol::eureka::wire::{Body, Request};
use crate::protocol::{
    Address, Call, CallError, Effect, Event, Key, NodeId, ServiceId, Stream, Ticket, Wall, Wire,
};

type Outcome = Result<Response, CallError>;
/// What a server answers, and after how many milliseconds; nothing if it never does.
type Servers = Box<dyn FnMut(Address, &Request) -> Option<(u64, Outcome)>>;

const APP: ServiceId = ServiceId(0);
const OWN: InstanceId = InstanceId(1);
/// Wall clock at the start of every test, ms.
const START: i64 = 1_700_000_000_000;

fn ok(status: u16) -> Outcome {
    Ok(Response::empty(status))
}

fn body(body: Body) -> Outcome {
    Ok(Response { status: 200, body })
}

fn info(id: u32, status: Status, action: Option<Action>) -> Arc<InstanceInfo> {
    Arc::new(InstanceInfo {
        app: APP,
        id: InstanceId(id),
        status,
        overridden: Status::Unknown,
        last_dirty: 1,
        last_updated: 1,
        lease: None,
        action,
        about: Arc::default(),
    })
}

fn up(ids: &[u32]) -> Arc<Applications> {
    Arc::new(Applications::new(ids.iter().map(|id| info(*id, Status::Up, None)).collect()))
}

fn delta(changes: Vec<Arc<InstanceInfo>>, up: u32) -> Outcome {
    let mut histogram = Histogram::default();
    (0..up).for_each(|_| histogram.add(Status::Up));
    body(Body::Delta(Arc::new(Delta::new(changes, histogram, 1))))
}

/// A healthy server that lists instance 7, and answers at once.
fn healthy(request: &Request) -> Outcome {
    match request.kind() {
        "fetch" => body(Body::Apps(up(&[7]))),
        "fetch-delta" => delta(Vec::new(), 1),
        "register" => ok(204),
        _ => ok(200),
    }
}

fn node(profile: Profile) -> ClientNode {
    let url = |n: u32| ServiceUrl::new("z", &format!("h{n}"), Address(n));
    let plain =
        ClientNode::new(profile, Arc::new(ClientConfig::defaults(profile)), "z".into(), [url(0)].into());
    let instance = Some(Registration {
        app: APP,
        id: OWN,
        instance: Arc::new(InstanceConfig::defaults(profile)),
        initial_status: Status::Up,
        about: Arc::default(),
    });
    ClientNode { instance, ..plain }
}

fn told(node: &ClientNode) -> Arc<Config> {
    Arc::new(Config::Client(node.clone()))
}

fn settings(node: &mut ClientNode) -> &mut ClientConfig {
    Arc::make_mut(&mut node.client)
}

fn fixes(node: &mut ClientNode) -> &mut Fixes {
    Arc::make_mut(&mut node.fixes)
}

/// A client, its clocks and its servers.
struct Rig {
    client: Option<Client>,
    servers: Servers,
    now: Instant,
    random: Stream,
    next_id: u64,
    pending: Vec<(Instant, Call<Eureka>, Outcome)>,
    hanging: usize,
    /// How far the wall clock has been stepped, ms.
    stepped: i64,
    log: Vec<String>,
}

impl Rig {
    fn new(servers: impl FnMut(Address, &Request) -> Option<(u64, Outcome)> + 'static) -> Rig {
        Rig {
            client: None,
            servers: Box::new(servers),
            now: Instant(0),
            random: Key::root(1).small(),
            next_id: 0,
            pending: Vec::new(),
            hanging: 0,
            stepped: 0,
            log: Vec::new(),
        }
    }

    fn application(
        node: &ClientNode,
        servers: impl FnMut(Address, &Request) -> Option<(u64, Outcome)> + 'static,
    ) -> Rig {
        let mut rig = Rig::new(servers);
        let client = rig.with(|_, cx| Some(Client::application(&told(node), cx)));
        rig.client = client;
        rig
    }

    fn embedded(
        node: &ClientNode,
        servers: impl FnMut(Address, &Request) -> Option<(u64, Outcome)> + 'static,
    ) -> Rig {
        let mut rig = Rig::new(servers);
        let client = rig.with(|_, cx| Some(Client::start(&told(node), cx)));
        rig.client = client;
        rig
    }

    fn client(&self) -> &Client {
        self.client.as_ref().expect("started")
    }

    fn with<T>(&mut self, step: impl FnOnce(&mut Option<Client>, &mut Cx<'_, Eureka>) -> T) -> T {
        let mut effects = Vec::new();
        let wall = Wall::from_millis(START + self.stepped) + Duration::from_nanos(self.now.0);
        let mut cx = Cx::new(NodeId(0), self.now, wall, &mut self.random, &mut self.next_id, &mut effects);
        let result = step(&mut self.client, &mut cx);
        for effect in effects {
            self.carry_out(effect);
        }
        result
    }

    fn carry_out(&mut self, effect: Effect<Eureka>) {
        let line = match effect {
            Effect::Call(call) => {
                let line = match &call.request {
                    Request::Register { info, .. } => format!("register {}", info.status),
                    request => request.kind().to_owned(),
                };
                match (self.servers)(call.to, &call.request) {
                    Some((delay, outcome)) => {
                        self.pending.push((self.now + Duration::from_millis(delay), call, outcome));
                    }
                    None => self.hanging += 1,
                }
                line
            }
            Effect::Emit(Event::Announced { status, version, .. }) => {
                format!("announced {status} +{}", version - START)
            }
            Effect::Emit(Event::Joined { .. }) => "joined".to_owned(),
            Effect::Emit(Event::Adopted { view, claimed, reconciles }) => {
                let (count, claimed) = (view.listings().len(), claimed.expect("every payload has a hash"));
                match reconciles {
                    true => format!("adopted {count}, told {}", claimed.iter().sum::<u32>()),
                    false => format!("adopted {count}"),
                }
            }
            Effect::Emit(Event::Gauge { gauge, value }) => format!("{} {value}", gauge.name()),
            Effect::Done { answer, .. } => format!("{answer:?}"),
            Effect::Exit { code } => format!("exit {code}"),
            other => format!("{other:?}"),
        };
        self.log.push(format!("{} {line}", self.now.as_millis()));
    }

    fn input(&mut self, input: Input<Eureka>) {
        self.with(|client, cx| client.as_mut().expect("started").handle(input, cx));
    }

    fn ask(&mut self, operation: Operation) {
        self.input(Input::Ask { ticket: Ticket(0), operation });
    }

    /// Lets time pass; everything that is due by then happens.
    fn run_to(&mut self, millis: u64) {
        let end = Instant(millis * 1_000_000);
        loop {
            let first = (0..self.pending.len()).min_by_key(|at| (self.pending[*at].0, *at));
            let outcome = first.map_or(NEVER, |at| self.pending[at].0);
            let timeout = self.client().next_timeout().unwrap_or(NEVER);
            let next = outcome.min(timeout);
            if next > end {
                break;
            }
            self.now = self.now.max(next);
            if timeout <= outcome {
                self.input(Input::Timeout);
            } else {
                let (_, call, result) = self.pending.remove(first.expect("there is one"));
                self.input(Input::Outcome { call: call.id, tag: call.tag, result });
            }
        }
        self.now = end;
    }

    /// The transcript since it was last taken.
    fn taken(&mut self) -> Vec<String> {
        std::mem::take(&mut self.log)
    }
}
