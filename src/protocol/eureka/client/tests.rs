//! The client as a whole, in front of servers that are a function: transcripts of what it asks and reports.
//!
//! The parts with golden tables of their own are tested beside them.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::protocol::eureka::config::InstanceConfig;
use crate::protocol::eureka::instance::{Action, Delta, Histogram, InstanceInfo};
use crate::protocol::eureka::node::{Registration, ServiceUrl};
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
    let url = |n: u32| ServiceUrl { zone: "z".into(), host: format!("h{n}").into(), address: Address(n) };
    ClientNode {
        profile,
        client: Arc::new(ClientConfig::defaults(profile)),
        instance: Some(Registration {
            app: APP,
            id: OWN,
            instance: Arc::new(InstanceConfig::defaults(profile)),
            initial_status: Status::Up,
        }),
        zone: "z".into(),
        service_urls: [url(0)].into(),
    }
}

fn settings(node: &mut ClientNode) -> &mut ClientConfig {
    Arc::make_mut(&mut node.client)
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
            log: Vec::new(),
        }
    }

    fn application(
        node: &ClientNode,
        servers: impl FnMut(Address, &Request) -> Option<(u64, Outcome)> + 'static,
    ) -> Rig {
        let mut rig = Rig::new(servers);
        let client = rig.with(|_, cx| Some(Client::application(node, cx)));
        rig.client = client;
        rig
    }

    fn embedded(
        node: &ClientNode,
        servers: impl FnMut(Address, &Request) -> Option<(u64, Outcome)> + 'static,
    ) -> Rig {
        let mut rig = Rig::new(servers);
        let client = rig.with(|_, cx| Some(Client::start(node, cx)));
        rig.client = client;
        rig
    }

    fn client(&self) -> &Client {
        self.client.as_ref().expect("started")
    }

    fn with<T>(&mut self, step: impl FnOnce(&mut Option<Client>, &mut Cx<'_, Eureka>) -> T) -> T {
        let mut effects = Vec::new();
        let wall = Wall::from_millis(START) + Duration::from_nanos(self.now.0);
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
            Effect::Emit(Event::Adopted { view }) => format!("adopted {}", view.listings().len()),
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

// Registration.

#[test]
fn a_spring_application_registers_as_soon_as_it_is_ready() {
    let mut rig = Rig::application(&node(Profile::SpringCloud), |_, request| Some((10, healthy(request))));
    assert!(!rig.client().constructed());
    rig.run_to(45_000);
    assert!(rig.client().constructed());
    assert_eq!(
        rig.taken(),
        [
            "0 fetch",
            "10 adopted 1",
            "10 announced STARTING +10",
            "10 announced UP +10",
            "10 register UP",
            "20 joined",
            "30010 fetch-delta",
            "30010 heartbeat",
        ]
    );
}

#[test]
fn a_netflix_application_registers_through_its_first_heartbeat() {
    let mut known = false;
    let mut rig = Rig::application(&node(Profile::Netflix), move |_, request| {
        known |= request.kind() == "register";
        Some((10, if request.kind() == "heartbeat" && !known { ok(404) } else { healthy(request) }))
    });
    rig.run_to(65_000);
    assert_eq!(
        rig.taken(),
        [
            "0 fetch",
            "10 adopted 1",
            "10 announced UP +10",
            "30010 fetch-delta",
            "30010 heartbeat",
            "30020 announced UP +30020",
            "30020 register UP",
            "30030 joined",
            "60020 fetch-delta",
            "60030 heartbeat",
        ]
    );
}

#[test]
fn without_heartbeats_that_answer_404_the_replicator_registers_after_40_s() {
    let mut rig = Rig::application(&node(Profile::Netflix), |_, request| match request.kind() {
        "heartbeat" => Some((10, ok(503))),
        "register" => Some((10, ok(204))),
        _ => None,
    });
    rig.run_to(1);
    assert_eq!(rig.taken(), ["0 fetch"], "the constructor blocks for as long as the fetch does");

    let mut eager = node(Profile::Netflix);
    settings(&mut eager).fetch_registry = false;
    let mut rig = Rig::application(&eager, |_, request| match request.kind() {
        "heartbeat" => Some((10, ok(503))),
        _ => Some((10, ok(204))),
    });
    rig.run_to(75_000);
    assert_eq!(
        rig.taken(),
        [
            "0 announced UP +0",
            "30000 heartbeat",
            "40000 register UP",
            "40010 joined",
            "60010 heartbeat",
            "60020 heartbeat",
        ],
        "the heartbeat at 60 s tries the pinned server, and then the same from the list"
    );
}

#[test]
fn a_registration_that_fails_is_sent_again_and_one_that_is_refused_politely_is_not() {
    let check = |status, expected: &[&str]| {
        let mut node = node(Profile::Netflix);
        settings(&mut node).fetch_registry = false;
        let mut rig = Rig::application(&node, move |_, request| match request.kind() {
            "heartbeat" => Some((0, ok(200))),
            _ => Some((0, ok(status))),
        });
        rig.run_to(110_000);
        let registrations: Vec<String> =
            rig.taken().into_iter().filter(|line| line.contains("register")).collect();
        assert_eq!(registrations, expected, "registration answered {status}");
    };
    let twice =
        ["40000 register UP"; 2].into_iter().chain(["70000 register UP"; 2]).chain(["100000 register UP"; 2]);
    check(500, &twice.collect::<Vec<_>>());
    check(404, &["40000 register UP"]);
    check(204, &["40000 register UP"]);
}

#[test]
fn heartbeat_outcomes() {
    let check = |outcome: Outcome, expected: &[&str]| {
        let mut node = node(Profile::SpringCloud);
        settings(&mut node).fetch_registry = false;
        let mut rig = Rig::application(&node, move |_, request| match request.kind() {
            "heartbeat" => Some((5, outcome.clone())),
            _ => Some((5, ok(204))),
        });
        rig.run_to(29_999);
        rig.taken();
        rig.run_to(60_020);
        assert_eq!(rig.taken(), expected);
    };
    let again: &[&str] = &["30000 heartbeat", "60005 heartbeat"];
    check(ok(200), again);
    check(ok(204), again);
    // The pinned server, and then the same from the list; after that, the list.
    let failed: &[&str] = &["30000 heartbeat", "30005 heartbeat", "60010 heartbeat"];
    check(ok(500), failed);
    check(Err(CallError::Refused), failed);
    check(Err(CallError::ReadTimeout), failed);
    let registered: &[&str] = &[
        "30000 heartbeat",
        "30005 announced UP +30005",
        "30005 register UP",
        "30010 joined",
        "60010 heartbeat",
        "60015 announced UP +60015",
        "60015 register UP",
        "60020 joined",
    ];
    check(ok(404), registered);
    check(Err(CallError::Status { code: 404, body: None }), registered);
    check(Err(CallError::Status { code: 404, body: Some("<html>".into()) }), registered);
    let error_document = r#"{"timestamp":1,"status":404}"#;
    check(Err(CallError::Status { code: 404, body: Some(error_document.into()) }), failed);
}

#[test]
fn after_two_changes_at_once_the_third_waits_for_the_next_periodic_run() {
    let mut node = node(Profile::Netflix);
    settings(&mut node).fetch_registry = false;
    let mut rig = Rig::application(&node, |_, request| Some((10, healthy(request))));
    for (at, status) in [(1000, Status::Down), (2000, Status::Up), (3000, Status::OutOfService)] {
        rig.run_to(at);
        rig.ask(Operation::SetStatus { instance: OWN, status });
    }
    rig.run_to(35_000);
    assert_eq!(
        rig.taken(),
        [
            "0 announced UP +0",
            "1000 announced DOWN +1000",
            "1000 Ok",
            "1000 register DOWN",
            "1010 joined",
            "2000 announced UP +2000",
            "2000 Ok",
            "2000 register UP",
            "2010 joined",
            "3000 announced OUT_OF_SERVICE +3000",
            "3000 Ok",
            "30000 heartbeat",
            "32010 register OUT_OF_SERVICE",
            "32020 joined",
        ]
    );
}

#[test]
fn a_change_during_a_registration_waits_for_it_and_is_not_lost() {
    let mut node = node(Profile::Netflix);
    settings(&mut node).fetch_registry = false;
    let mut rig = Rig::application(&node, |_, request| Some((100, healthy(request))));
    rig.run_to(1000);
    rig.ask(Operation::SetStatus { instance: OWN, status: Status::Down });
    rig.run_to(1050);
    rig.ask(Operation::SetStatus { instance: OWN, status: Status::Up });
    rig.taken();
    rig.run_to(5000);
    assert_eq!(rig.taken(), ["1100 joined", "1100 register UP", "1200 joined"]);
}

#[test]
fn changed_lease_settings_are_stated_by_the_next_run_of_the_replicator() {
    let mut node = node(Profile::SpringCloud);
    settings(&mut node).fetch_registry = false;
    let mut rig = Rig::application(&node, |_, request| match request {
        Request::Register { info, .. } => {
            let lease = info.lease.expect("a registration states its lease");
            Some((0, ok(if lease.duration == Duration::from_secs(20) { 204 } else { 200 })))
        }
        _ => Some((0, ok(200))),
    });
    rig.run_to(1000);
    let registration = node.instance.as_mut().expect("it registers");
    Arc::make_mut(&mut registration.instance).lease_duration = Duration::from_secs(20);
    rig.input(Input::Reconfigure(Arc::new(Config::Client(node))));
    rig.run_to(30_000);
    assert_eq!(
        rig.taken(),
        [
            "0 announced STARTING +0",
            "0 announced UP +0",
            "0 register UP",
            "30000 heartbeat",
            "30000 announced UP +30000",
            "30000 register UP",
            "30000 joined",
        ]
    );
}

#[test]
fn inside_a_netflix_server_the_status_waits_for_the_server_to_open() {
    let mut rig = Rig::embedded(&node(Profile::Netflix), |_, request| Some((0, healthy(request))));
    rig.run_to(5000);
    assert_eq!(rig.client().status(), Status::Starting);
    rig.with(|client, cx| client.as_mut().expect("started").set_status(Status::Up, cx));
    rig.run_to(5000);
    assert_eq!(
        rig.taken(),
        [
            "0 fetch",
            "0 adopted 1",
            "0 announced STARTING +0",
            "5000 announced UP +5000",
            "5000 register UP",
            "5000 joined"
        ]
    );
}

#[test]
fn a_client_without_tasks_does_nothing_but_has_a_status() {
    let mut node = node(Profile::SpringCloud);
    settings(&mut node).fetch_registry = false;
    settings(&mut node).register_with_eureka = false;
    let mut rig = Rig::application(&node, |_, _| None);
    assert!(rig.client().constructed());
    assert_eq!((rig.client().status(), rig.client().next_timeout()), (Status::Up, None));
    rig.input(Input::Stop);
    assert_eq!(rig.taken(), ["0 exit 0"]);
}

// The copy of the registry.

/// A client that only fetches, started at 0; the first fetch finds instances 7 and 8. Gives the transcript of its refresh at 30 s.
fn refreshed(mut servers: impl FnMut(&Request) -> Option<(u64, Outcome)> + 'static) -> Vec<String> {
    let mut node = node(Profile::SpringCloud);
    settings(&mut node).register_with_eureka = false;
    let mut first = true;
    let mut rig = Rig::application(&node, move |_, request| {
        if std::mem::take(&mut first) {
            return Some((0, body(Body::Apps(up(&[7, 8])))));
        }
        servers(request)
    });
    rig.run_to(29_999);
    assert_eq!(rig.taken(), ["0 fetch", "0 adopted 2"]);
    rig.run_to(59_000);
    rig.taken()
}

#[test]
fn a_delta_that_agrees_is_enough() {
    let nothing = refreshed(|_| Some((0, delta(Vec::new(), 2))));
    assert_eq!(nothing, ["30000 fetch-delta"]);
    let added = refreshed(|_| Some((0, delta(vec![info(9, Status::Up, Some(Action::Added))], 3))));
    assert_eq!(added, ["30000 fetch-delta", "30000 adopted 3"]);
}

#[test]
fn a_delta_that_does_not_agree_is_applied_and_then_all_is_fetched() {
    let log = refreshed(|request| match request.kind() {
        "fetch-delta" => Some((0, delta(vec![info(9, Status::Up, Some(Action::Added))], 5))),
        _ => Some((10, body(Body::Apps(up(&[5, 6, 7, 8, 9]))))),
    });
    assert_eq!(log, ["30000 fetch-delta", "30000 adopted 3", "30000 fetch", "30010 adopted 5"]);
}

#[test]
fn when_the_reconciling_fetch_fails_the_delta_stays_applied() {
    let log = refreshed(|request| match request.kind() {
        "fetch-delta" => Some((0, delta(vec![info(9, Status::Up, Some(Action::Added))], 5))),
        _ => Some((0, ok(500))),
    });
    assert_eq!(log, ["30000 fetch-delta", "30000 adopted 3", "30000 fetch", "30000 fetch"]);
}

#[test]
fn a_refused_delta_is_replaced_by_a_full_fetch() {
    for status in [302, 403, 404] {
        let log = refreshed(move |request| match request.kind() {
            "fetch-delta" => Some((0, ok(status))),
            _ => Some((0, body(Body::Apps(up(&[7]))))),
        });
        assert_eq!(log, ["30000 fetch-delta", "30000 fetch", "30000 adopted 1"], "delta answered {status}");
    }
}

#[test]
fn an_unreachable_or_strange_server_never_empties_the_copy() {
    for outcome in [ok(503), Err(CallError::Refused), Err(CallError::ReadTimeout), Err(CallError::Broken)] {
        assert_eq!(refreshed(move |_| Some((0, outcome.clone()))), ["30000 fetch-delta"; 2]);
    }
    let log = refreshed(|_| Some((0, ok(302))));
    assert_eq!(log, ["30000 fetch-delta", "30000 fetch"], "no entity: kept");
}

#[test]
fn an_empty_registry_is_adopted_and_asked_for_in_full_until_it_is_not_empty() {
    let mut node = node(Profile::SpringCloud);
    settings(&mut node).register_with_eureka = false;
    let mut fetches = 0;
    let mut rig = Rig::application(&node, move |_, request| {
        fetches += 1;
        Some((
            0,
            match request.kind() {
                "fetch-delta" => delta(Vec::new(), 1),
                _ => body(Body::Apps(if fetches < 3 { up(&[]) } else { up(&[7]) })),
            },
        ))
    });
    rig.run_to(95_000);
    assert_eq!(
        rig.taken(),
        [
            "0 fetch",
            "0 adopted 0",
            "30000 fetch",
            "30000 adopted 0",
            "60000 fetch",
            "60000 adopted 1",
            "90000 fetch-delta"
        ]
    );
}

#[test]
fn a_fetch_that_another_one_has_overtaken_is_dropped() {
    // The first refresh hangs past its timeout; the second, at 90 s, ends before it.
    let mut deltas = 0;
    let mut node = node(Profile::SpringCloud);
    settings(&mut node).register_with_eureka = false;
    let mut rig = Rig::application(&node, move |_, request| {
        if request.kind() == "fetch" {
            return Some((0, body(Body::Apps(up(&[7])))));
        }
        deltas += 1;
        match deltas {
            1 => Some((100_000, delta(vec![info(9, Status::Up, Some(Action::Added))], 9))),
            2 => Some((0, delta(vec![info(8, Status::Up, Some(Action::Added))], 2))),
            _ => Some((0, delta(Vec::new(), 2))),
        }
    });
    rig.run_to(140_000);
    assert_eq!(
        rig.taken(),
        ["0 fetch", "0 adopted 1", "30000 fetch-delta", "120000 fetch-delta", "120000 adopted 2",],
        "and no reconciliation at 130 s"
    );
}

#[test]
fn deltas_can_be_switched_off() {
    let mut node = node(Profile::SpringCloud);
    settings(&mut node).register_with_eureka = false;
    settings(&mut node).disable_delta = true;
    let shared = up(&[7]);
    let mut rig = Rig::application(&node, move |_, _| Some((0, body(Body::Apps(Arc::clone(&shared))))));
    rig.run_to(35_000);
    assert_eq!(
        rig.taken(),
        ["0 fetch", "0 adopted 1", "30000 fetch"],
        "the same registry is not adopted twice"
    );
}

#[test]
fn a_look_up_picks_among_those_up_each_as_often() {
    let registry = Arc::new(Applications::new(vec![
        info(7, Status::Up, None),
        info(8, Status::Down, None),
        info(9, Status::Up, None),
    ]));
    let check = |only_up: bool, expected: &[u32]| {
        let registry = Arc::clone(&registry);
        let mut node = node(Profile::SpringCloud);
        settings(&mut node).register_with_eureka = false;
        settings(&mut node).filter_only_up_instances = only_up;
        let mut rig = Rig::application(&node, move |_, _| Some((0, body(Body::Apps(Arc::clone(&registry))))));
        rig.run_to(1);
        rig.taken();
        (0..3000).for_each(|_| rig.ask(Operation::LookUp { service: APP }));
        let found = rig.taken();
        for id in [7, 8, 9] {
            let line = format!("1 Found(InstanceId({id}))");
            let count = found.iter().filter(|found| **found == line).count();
            let share = if expected.contains(&id) { 3000 / expected.len() } else { 0 };
            assert!(count.abs_diff(share) < 150, "instance {id}: {count} instead of {share}");
        }
        rig.ask(Operation::LookUp { service: ServiceId(5) });
        assert_eq!(rig.taken(), ["1 NoneFound"]);
    };
    check(true, &[7, 9]);
    check(false, &[7, 8, 9]);
}

#[test]
fn what_a_client_does_by_itself_cannot_be_asked_of_it() {
    let mut rig = Rig::application(&node(Profile::SpringCloud), |_, _| None);
    rig.ask(Operation::LookUp { service: APP });
    assert_eq!(rig.taken(), ["0 fetch", "0 Failed(0)"], "not constructed yet");
    let mut rig = Rig::application(&node(Profile::Netflix), |_, request| Some((0, healthy(request))));
    rig.run_to(1);
    rig.taken();
    let instance = OWN;
    for operation in [
        Operation::Register { instance },
        Operation::Renew { instance },
        Operation::Deregister { instance },
        Operation::ClearStatus { instance },
        Operation::SetStatus { instance: InstanceId(99), status: Status::Down },
    ] {
        rig.ask(operation);
        assert_eq!(rig.taken(), ["1 Failed(0)"]);
    }
}

// Threads.

#[test]
fn servers_that_never_answer_exhaust_the_pool() {
    let mut node = node(Profile::SpringCloud);
    settings(&mut node).fetch_registry = false;
    let mut rig = Rig::application(&node, |_, request| match request.kind() {
        "heartbeat" => None,
        _ => Some((0, healthy(request))),
    });
    rig.run_to(1000);
    rig.taken();
    rig.run_to(900_000);
    assert_eq!(rig.taken(), ["30000 heartbeat", "120000 heartbeat"], "Spring has two threads");
    assert_eq!(rig.hanging, 2);
}

#[test]
fn registration_and_queries_have_pools_and_pins_of_their_own() {
    let mut node = node(Profile::SpringCloud);
    let url = |n: u32| ServiceUrl { zone: "z".into(), host: format!("h{n}").into(), address: Address(n) };
    node.service_urls = [url(0), url(1)].into();
    let mut rig = Rig::application(&node, |to, request| {
        let registers = matches!(request.kind(), "register" | "heartbeat");
        Some((0, if registers == (to == Address(0)) { healthy(request) } else { ok(500) }))
    });
    rig.run_to(31_000);
    rig.taken();
    rig.run_to(91_000);
    assert_eq!(
        rig.taken(),
        ["60000 fetch-delta", "60000 heartbeat", "90000 fetch-delta", "90000 heartbeat"],
        "each has found its server and asks no other"
    );
}

// Shutdown.

#[test]
fn the_delete_leaves_after_the_full_wait_if_no_run_is_due() {
    let mut rig = Rig::application(&node(Profile::Netflix), |_, request| Some((2, healthy(request))));
    rig.run_to(5000);
    rig.taken();
    rig.input(Input::Stop);
    rig.run_to(60_000);
    assert_eq!(rig.taken(), ["8000 announced DOWN +8000", "8000 cancel", "8002 exit 0"]);
    assert_eq!(rig.client().next_timeout(), None);
}

#[test]
fn the_delete_leaves_after_the_pending_run_if_one_is_due() {
    let mut rig = Rig::application(&node(Profile::Netflix), |_, request| Some((4, healthy(request))));
    rig.run_to(38_004);
    rig.taken();
    rig.input(Input::Stop);
    rig.run_to(60_000);
    assert_eq!(
        rig.taken(),
        ["40004 register UP", "40008 joined", "40008 announced DOWN +40008", "40008 cancel", "40012 exit 0"],
        "2004 ms after the stop"
    );
}

#[test]
fn heartbeats_go_on_while_the_replicator_is_waited_for() {
    let mut rig = Rig::application(&node(Profile::Netflix), |_, request| Some((0, healthy(request))));
    rig.run_to(28_000);
    rig.taken();
    rig.input(Input::Stop);
    rig.input(Input::Stop);
    rig.run_to(90_000);
    assert_eq!(
        rig.taken(),
        [
            "30000 fetch-delta",
            "30000 heartbeat",
            "31000 announced DOWN +31000",
            "31000 cancel",
            "31000 exit 0"
        ]
    );
}

#[test]
fn a_spring_application_says_down_first() {
    let mut rig = Rig::application(&node(Profile::SpringCloud), |_, request| Some((2, healthy(request))));
    rig.run_to(20_000);
    rig.taken();
    rig.input(Input::Stop);
    rig.run_to(60_000);
    assert_eq!(
        rig.taken(),
        [
            "20000 announced DOWN +20000",
            "20000 register DOWN",
            "20002 joined",
            "23100 cancel",
            "23102 exit 0"
        ]
    );
}

#[test]
fn a_slow_down_registration_may_arrive_after_the_delete() {
    let mut rig = Rig::application(&node(Profile::SpringCloud), |_, request| match request {
        Request::Register { info, .. } if info.status == Status::Down => Some((5000, ok(204))),
        _ => Some((2, healthy(request))),
    });
    rig.run_to(20_000);
    rig.taken();
    rig.input(Input::Stop);
    rig.run_to(60_000);
    assert_eq!(
        rig.taken(),
        ["20000 announced DOWN +20000", "20000 register DOWN", "23100 cancel", "23102 exit 0"]
    );
}

#[test]
fn a_delete_that_nobody_answers_is_tried_along_the_list_and_given_up() {
    let mut rig = Rig::application(&node(Profile::Netflix), |_, request| match request.kind() {
        "cancel" => Some((5000, Err(CallError::ConnectTimeout))),
        _ => Some((0, healthy(request))),
    });
    rig.run_to(5000);
    rig.input(Input::Stop);
    rig.taken();
    rig.run_to(60_000);
    assert_eq!(rig.taken(), ["8000 announced DOWN +8000", "8000 cancel", "13000 exit 0"]);

    let mut keep = node(Profile::Netflix);
    settings(&mut keep).unregister_on_shutdown = false;
    let mut rig = Rig::application(&keep, |_, request| Some((0, healthy(request))));
    rig.run_to(5000);
    rig.taken();
    rig.input(Input::Stop);
    rig.run_to(60_000);
    assert_eq!(rig.taken(), ["8000 exit 0"], "told not to deregister");
}

#[test]
fn inside_a_server_stopping_ends_the_client_and_not_the_process() {
    let mut rig = Rig::embedded(&node(Profile::SpringCloud), |_, request| match request.kind() {
        "heartbeat" => Some((9000, ok(404))),
        _ => Some((2, healthy(request))),
    });
    rig.run_to(29_000);
    rig.taken();
    rig.with(|client, cx| client.as_mut().expect("started").stop(cx));
    rig.run_to(60_000);
    assert_eq!(
        rig.taken(),
        [
            "29000 announced DOWN +29000",
            "29000 register DOWN",
            "29002 joined",
            "30002 fetch-delta",
            "30002 heartbeat",
            "32100 cancel",
        ],
        "the heartbeat that is answered at 39 s registers nothing"
    );
    assert!(rig.client().stopped());
}

// The whole.

#[test]
fn a_client_is_small() {
    assert!(size_of::<Client>() <= 336, "{} bytes", size_of::<Client>());
    assert!(size_of::<Run>() <= 64, "{} bytes", size_of::<Run>());
}

/// One thing that happens to a client; delays are in ms.
#[derive(Clone, Debug)]
enum Happening {
    Pass(u64),
    SetStatus(Status),
    Spurious,
    Stop,
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        8 => (0..200_000u64).prop_map(Happening::Pass),
        3 => proptest::sample::select(Status::ALL.to_vec()).prop_map(Happening::SetStatus),
        1 => Just(Happening::Spurious),
        1 => Just(Happening::Stop),
    ]
}

fn outcome() -> impl Strategy<Value = Option<(u64, Outcome)>> {
    let results = vec![
        ok(200),
        ok(204),
        ok(302),
        ok(403),
        ok(404),
        ok(503),
        body(Body::Apps(up(&[]))),
        body(Body::Apps(up(&[7, 8]))),
        delta(vec![info(9, Status::Up, Some(Action::Added))], 1),
        delta(vec![info(7, Status::Up, Some(Action::Deleted))], 1),
        Err(CallError::Refused),
        Err(CallError::Status { code: 404, body: Some("{}".into()) }),
    ];
    proptest::option::weighted(0.9, (0..40_000u64, 0..results.len()))
        .prop_map(move |drawn| drawn.map(|(delay, at)| (delay, results[at].clone())))
}

proptest! {
    /// Nothing that servers, users and timers do makes a client panic (its assertions hold, deadlines move on after every
    /// timeout), and one that is told to stop does stop, unless its DELETE hangs.
    #[test]
    fn no_sequence_of_answers_breaks_a_client(
        outcomes in proptest::collection::vec(outcome(), 1..40),
        happenings in proptest::collection::vec(happening(), 0..20),
        servers in 0..5u32,
        netflix: bool,
        embedded: bool,
    ) {
        let profile = if netflix { Profile::Netflix } else { Profile::SpringCloud };
        let mut node = node(profile);
        let url = |n: u32| ServiceUrl { zone: "z".into(), host: "h".into(), address: Address(n) };
        node.service_urls = (0..servers).map(url).collect();
        let mut next = 0;
        let answers = move |_: Address, request: &Request| {
            next += 1;
            if request.kind() == "cancel" { Some((1, ok(200))) } else { outcomes[next % outcomes.len()].clone() }
        };
        let mut rig =
            if embedded { Rig::embedded(&node, answers) } else { Rig::application(&node, answers) };
        let mut millis = 0;
        for happening in happenings {
            match happening {
                Happening::Pass(more) => {
                    millis += more;
                    rig.run_to(millis);
                }
                Happening::SetStatus(status) => {
                    rig.with(|client, cx| client.as_mut().expect("started").set_status(status, cx));
                }
                Happening::Spurious => rig.input(Input::Timeout),
                Happening::Stop => rig.input(Input::Stop),
            }
        }
        rig.input(Input::Stop);
        rig.run_to(millis + 10_000);
        prop_assert!(rig.client().stopped());
        let exits = rig.log.iter().filter(|line| line.ends_with("exit 0")).count();
        prop_assert_eq!(exits, 1);
    }
}
