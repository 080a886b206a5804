//! Redirects, the libraries' time-outs, and servers that are found in the registry itself.

use std::sync::mpsc;

use super::*;
use crate::protocol::eureka::instance::About;

fn only_fetches(profile: Profile) -> ClientNode {
    let mut node = node(profile);
    settings(&mut node).register_with_eureka = false;
    settings(&mut node).disable_delta = true;
    node
}

/// Who is asked, with the time in s, while a client runs.
fn asked(
    node: &ClientNode,
    seconds: u64,
    servers: impl Fn(Address, &Request) -> Outcome + 'static,
) -> Vec<String> {
    let (sender, receiver) = mpsc::channel();
    let mut rig = Rig::application(node, move |to, request| {
        sender.send((to.0, request.kind())).expect("a test reads");
        Some((0, servers(to, request)))
    });
    let mut lines = Vec::new();
    for second in 0..=seconds {
        rig.run_to(1000 * second);
        lines.extend(receiver.try_iter().map(|(to, kind)| format!("{second} {kind} {to}")));
    }
    lines
}

#[test]
fn netflix_follows_the_redirects_of_a_new_server_and_keeps_the_last_one() {
    let redirected = |to: Address, request: &Request| match to {
        Address(0) => Ok(Response { status: 302, body: Body::Redirect(Address(8)) }),
        Address(8) => Err(CallError::Status { code: 302, body: None, location: Some(Address(9)) }),
        _ => healthy(request),
    };
    let node = only_fetches(Profile::Netflix);
    assert_eq!(asked(&node, 30, redirected), ["0 fetch 0", "0 fetch 8", "0 fetch 9", "30 fetch 9"]);
    let spring = only_fetches(Profile::SpringCloud);
    assert_eq!(
        asked(&spring, 30, redirected),
        ["0 fetch 0", "30 fetch 0"],
        "no version in the path: an attempt"
    );
}

#[test]
fn ten_redirects_in_a_row_or_one_to_nowhere_are_a_failed_attempt() {
    let node = only_fetches(Profile::Netflix);
    let circle =
        |to: Address, _: &Request| Ok(Response { status: 302, body: Body::Redirect(Address(1 - to.0)) });
    assert_eq!(asked(&node, 1, circle).len(), 10);
    let nowhere = |_: Address, _: &Request| ok(302);
    assert_eq!(asked(&node, 1, nowhere), ["0 fetch 0"]);
}

#[test]
fn a_redirect_of_the_pinned_server_is_an_answer_without_an_entity() {
    let mut node = only_fetches(Profile::Netflix);
    node.reports = true;
    let mut first = true;
    let mut rig = Rig::application(&node, move |_, request| {
        let answer = if std::mem::take(&mut first) {
            healthy(request)
        } else {
            Ok(Response { status: 302, body: Body::Redirect(Address(5)) })
        };
        Some((0, answer))
    });
    rig.run_to(31_000);
    let log = rig.taken();
    assert_eq!(
        log[log.len() - 2..],
        ["30000 fetch", "30000 fetch-age 0"],
        "the copy is kept, and it was a success"
    );
}

/// A Spring application in front of servers that accept and never answer.
fn hanging(transport: Transport) -> Vec<String> {
    let mut node = node(Profile::SpringCloud);
    settings(&mut node).fetch_registry = false;
    node.transport = transport;
    let mut rig = Rig::application(&node, |_, request| match request.kind() {
        "register" => Some((0, ok(204))),
        _ => Some((180_000, Err(CallError::ReadTimeout))),
    });
    rig.run_to(1000);
    rig.taken();
    rig.run_to(420_000);
    rig.taken()
}

/// A23 of the reference.
#[test]
fn with_the_time_outs_of_rest_client_the_supervisor_gives_up_first_and_the_threads_stay_occupied() {
    // Runs begin at 30 s and 120 s. Both tries of each (the pinned server, and the same from the list) last 180 s, so the runs of
    // 270 s and 390 s are rejected.
    let expected = ["30000 heartbeat", "120000 heartbeat", "210000 heartbeat", "300000 heartbeat"];
    assert_eq!(hanging(Transport::RestClient), expected);
    for transport in [Transport::RestClient, Transport::WebClient, Transport::Jersey] {
        let mut node = only_fetches(Profile::SpringCloud);
        node.transport = transport;
        let mut rig = Rig::new(|_, _| None);
        let waits = rig.with(|client, cx| {
            *client = Some(Client::application(&told(&node), cx));
            client.as_ref().expect("started").transport.timeouts(&node.client).1
        });
        assert_eq!(waits > Duration::from_secs(30), transport != Transport::Jersey, "{transport:?}");
    }
}

/// A server registered under a virtual address.
fn server(id: u32, vip: &str, zone: &str, status: Status) -> Arc<InstanceInfo> {
    let mut about = About { vip: Some(vip.into()), ..About::least("eureka", "host") };
    (about.address, about.ip_address) = (Some(Address(id)), Some(Address(100 + id)));
    Arc::make_mut(&mut about.metadata).insert("zone".into(), zone.into());
    Arc::new(InstanceInfo { about: Arc::new(about), ..(*info(id, status, None)).clone() })
}

fn apps(list: Vec<Arc<InstanceInfo>>) -> Outcome {
    body(Body::Apps(Arc::new(Applications::new(list))))
}

/// A client that takes its servers from the registry: to write to, or to read from.
fn discovering(what: &str) -> ClientNode {
    let mut node = node(Profile::Netflix);
    let settings = settings(&mut node);
    match what {
        "write" => {
            settings.bootstrap_resolver_strategy = "composite".into();
            settings.write_cluster_vip = "writers".into();
        }
        _ => {
            settings.use_bootstrap_resolver_for_query = false;
            settings.read_cluster_vip = "readers".into();
        }
    }
    settings.disable_delta = true;
    node
}

#[test]
fn with_a_composite_bootstrap_the_constructor_first_asks_a_configured_server_for_servers() {
    let mut node = discovering("write");
    let url = |zone: &str, n: u32| ServiceUrl::new(zone, "h", Address(n));
    node.service_urls = [url("far", 1), url("z", 2), url("far", 3), url("z", 0)].into();
    let servers = |to: Address, request: &Request| match (to, request.kind()) {
        (Address(1..=3), "fetch-vip") => ok(302),
        (Address(0), "fetch-vip") => {
            apps(vec![server(9, "other,WRITERS", "z", Status::Up), server(8, "writers", "z", Status::Down)])
        }
        (_, "fetch") => apps(vec![server(9, "writers", "z", Status::Up)]),
        _ => healthy(request),
    };
    let expected = ["0 fetch-vip 2", "0 fetch-vip 0", "0 fetch 9", "30 fetch 9", "30 heartbeat 9"];
    assert_eq!(asked(&node, 31, servers), expected, "in zone order, and nothing but success is taken");
    settings(&mut node).prefer_same_zone = false;
    assert_eq!(asked(&node, 0, servers)[..3], ["0 fetch-vip 1", "0 fetch-vip 3", "0 fetch-vip 2"]);
    settings(&mut node).applications_resolver_use_ip = true;
    settings(&mut node).prefer_same_zone = true;
    assert_eq!(asked(&node, 0, servers)[2], "0 fetch 109");
}

#[test]
fn a_constructor_that_finds_no_servers_goes_on_without_any() {
    let node = discovering("write");
    let servers = |_: Address, request: &Request| match request.kind() {
        "fetch-vip" => apps(Vec::new()),
        _ => healthy(request),
    };
    assert_eq!(asked(&node, 60, servers), ["0 fetch-vip 0"], "and sends nothing until it looks again");
    let again = asked(&node, 300, servers);
    assert_eq!(again, ["0 fetch-vip 0", "300 fetch-vip 0"]);
}

#[test]
fn later_the_copy_names_the_servers_unless_it_is_stale() {
    let check = |answered: u64, expected: &str| {
        let node = discovering("write");
        let mut queries = 0;
        let mut fetches = 0;
        let (sender, receiver) = mpsc::channel();
        let mut rig = Rig::application(&node, move |to, request| {
            sender.send(format!("{} {}", request.kind(), to.0)).expect("a test reads");
            let list = |id| apps(vec![server(id, "writers", "z", Status::Up)]);
            let outcome = match request.kind() {
                "fetch-vip" => {
                    queries += 1;
                    list(if queries == 1 { 9 } else { 7 })
                }
                "fetch" => {
                    fetches += 1;
                    if fetches > answered { ok(503) } else { list(8) }
                }
                _ => healthy(request),
            };
            Some((0, outcome))
        });
        rig.run_to(630_500);
        let asked: Vec<String> = receiver.try_iter().collect();
        let fetches: Vec<&String> = asked.iter().filter(|line| line.starts_with("fetch")).collect();
        assert!(fetches.iter().any(|line| **line == expected), "{expected}: {fetches:?}");
        asked.iter().filter(|line| line.starts_with("fetch-vip")).count()
    };
    assert_eq!(check(11, "fetch 8"), 1, "the refresh at 300 s was the last: at 600 s the copy still counts");
    assert_eq!(check(10, "fetch 7"), 2, "the one at 270 s: a query finds others");
}

#[test]
fn queries_may_have_servers_of_their_own_and_their_first_use_waits_for_them() {
    let node = discovering("read");
    let mut rig = Rig::application(&node, |to, request| match (to, request.kind()) {
        (Address(0), "fetch-vip") => Some((2000, apps(vec![server(5, "readers", "z", Status::Up)]))),
        (Address(5), "fetch") => Some((10, apps(vec![server(5, "readers", "z", Status::Up)]))),
        (Address(0), "heartbeat") => Some((10, ok(200))),
        (Address(0), "register") => Some((10, ok(204))),
        _ => panic!("asked the wrong one: {to:?} {request:?}"),
    });
    rig.run_to(33_000);
    assert_eq!(
        rig.taken(),
        [
            "0 fetch-vip",
            "2000 fetch",
            "2010 adopted 1",
            "2010 announced UP +2010",
            "32010 fetch",
            "32010 heartbeat",
            "32020 adopted 1"
        ]
    );
}

#[test]
fn the_first_use_waits_five_seconds_at_most_and_the_next_resolution_begins_at_once() {
    let node = discovering("read");
    let mut queries = 0;
    let mut rig = Rig::application(&node, move |_, request| match request.kind() {
        "fetch-vip" => {
            queries += 1;
            Some((if queries == 1 { 7000 } else { 100 }, apps(vec![server(5, "readers", "z", Status::Up)])))
        }
        _ => Some((10, healthy(request))),
    });
    rig.run_to(36_000);
    assert_eq!(
        rig.taken(),
        [
            "0 fetch-vip",
            "5000 announced UP +5000",
            "5000 fetch-vip",
            "35000 fetch",
            "35000 heartbeat",
            "35010 adopted 1"
        ],
        "the fetch of the constructor finds an empty list"
    );
}
