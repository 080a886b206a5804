use super::*;
use crate::plan::world::{ClusterId, Fault, Latency, Role};
use crate::plan::{Expected, Invariant, Moment};
use crate::protocol::eureka::Config;

const WHOLE: &str = include_str!("../../scenario/tests/whole.yaml");

fn scenario(text: &str) -> Scenario {
    let no_files = &mut |_: &str| Err("no such file".to_owned());
    Scenario::parse("stories/x.yaml", text.as_bytes(), &[], no_files).unwrap_or_else(|e| panic!("{}", e[0]))
}

fn plan(text: &str) -> Plan {
    Plan::resolve(&scenario(text))
        .unwrap_or_else(|errors| panic!("{}", errors.iter().map(Diagnostic::to_string).collect::<String>()))
}

fn mistakes(text: &str) -> Vec<String> {
    let errors = Plan::resolve(&scenario(text)).expect_err("the scenario is wrong");
    errors.into_iter().map(|error| error.message).collect()
}

#[test]
fn steps_that_never_happen_or_go_too_far_are_refused() {
    let with = |steps: &str| {
        mistakes(&format!(
            "title: t\nservers: {{ a: }}\nservices: {{ p: {{ instances: 2 }} }}\ntimeline:\n{steps}"
        ))
    };
    assert_eq!(
        with("  - { at: 5m, every: 1m, until: 4m, crash: p }\n"),
        ["`until` is before the first time"]
    );
    assert_eq!(
        with("  - { at: 1m, scale: { service: p, to: 0 } }\n  - { at: 2m, power-off: p }\n"),
        ["this means no host at that time"]
    );
    let jump = "  - { at: 1m, clock: a, jump: 20000d }\n";
    assert_eq!(with(&jump.repeat(2)), ["clocks that jump too far"]);
    let again = "  - { at: 1m, every: 10m, until: 25m, set: { client: p, disable-delta: true } }\n";
    let other = "  - { at: 5m, set: { client: p, registry-fetch-interval-seconds: 5 } }\n";
    assert_eq!(with(&format!("{again}{other}")), ["a repeated `set` beside others, which it would undo"]);
}

#[test]
fn every_key_of_the_language_resolves() {
    let plan = plan(WHOLE);
    insta::assert_snapshot!(plan.to_string());
}

#[test]
fn ids_are_dense_and_configs_match_processes() {
    let plan = plan(WHOLE);
    let world = &plan.world;
    assert_eq!(world.processes.len(), 3 + 3 + 2 + 2, "scaled ones, too");
    let System::Eureka(configs) = &plan.system;
    for (process, config) in world.processes.iter().zip(configs) {
        assert_eq!(process.role == Role::Server, matches!(**config, Config::Server(_)), "{}", process.name);
        assert!(process.host.index() < world.hosts.len());
        assert!(process.address.index() < world.addresses.len());
    }
    // One step sets a server's configuration anew.
    assert_eq!(configs.len(), world.processes.len() + 1);
}

#[test]
fn settings_are_layered_and_product_defaults_apply() {
    let plan = plan(WHOLE);
    let System::Eureka(configs) = &plan.system;
    let Config::Server(peer1) = &*configs[0] else { panic!("servers come first") };
    assert!(!peer1.server.enable_self_preservation, "the server's own setting wins");
    assert_eq!(peer1.server.eviction_interval, Duration::from_secs(5), "from `system`");
    assert_eq!(peer1.server.peer_read_timeout, Duration::from_secs(5), "Netflix's default");
    let Config::Client(provider) = &*configs[3] else { panic!("then come instances") };
    let registration = provider.instance.as_ref().expect("it registers");
    assert_eq!(registration.instance.lease_renewal_interval, Duration::from_millis(250));
    assert_eq!(
        registration.instance.lease_duration,
        Duration::from_secs(30),
        "the service's own setting wins"
    );
    let changed = plan.world.steps.iter().find_map(|step| match step.fault {
        Fault::Reconfigure { config, .. } => Some(config as usize),
        _ => None,
    });
    let Config::Server(changed) = &*configs[changed.expect("a step sets it")] else { panic!("of a server") };
    assert_eq!(changed.server.eviction_interval, Duration::from_secs(5), "what is not set stays");
}

#[test]
fn the_first_server_that_is_written_is_tried_first() {
    let text = "title: t\nservers: { a: , b: , c: }\nservices: { p: { servers: [b, a, c] }, q: { servers: a }, r: }\n";
    let plan = plan(text);
    let System::Eureka(configs) = &plan.system;
    let urls = |at: usize| match &*configs[at] {
        Config::Client(client) => {
            let urls = client.service_urls.iter();
            let urls: Vec<String> =
                urls.map(|url| format!("{}@{}", url.host, url.zone == client.zone)).collect();
            urls.join(" ")
        }
        Config::Server(_) => panic!("an instance"),
    };
    assert_eq!(urls(3), "b@true a@false c@false");
    assert_eq!(urls(4), "a@true");
    assert_eq!(urls(5), "a@true b@true c@true");
}

#[test]
fn paths_fall_back_from_the_special_to_the_general() {
    let paths = plan(WHOLE).world.paths;
    assert_eq!(paths.regions.len(), 2, "both directions");
    let (_, _, link) = &paths.regions[0];
    let floor = Duration::from_micros(6370);
    let (median, p99) = (Duration::from_millis(14), Duration::from_millis(25));
    assert_eq!(link.latency, Latency::Lognormal { median, p99, floor });
    assert_eq!(link.loss_ppm, 100);
    let (_, _, one_way) = &paths.zones[0];
    assert_eq!((paths.zones.len(), one_way.bandwidth), (1, Some(125_000_000)));
    assert_eq!(one_way.latency, Latency::Uniform(Duration::from_micros(1500), Duration::from_micros(2500)));
    let Latency::Pareto { floor, alpha_milli } = paths.cross_region.latency else { panic!() };
    // (10 ms / 40 ms)^alpha = 1 %.
    assert_eq!((floor, alpha_milli), (Duration::from_millis(10), 3321));
}

/// Shrinking depends on it: what is drawn for one entity does not depend on the others.
#[test]
fn removing_an_entity_changes_no_other_draw() {
    let fleet = |instances: u32, more: &str| {
        let text = format!(
            "title: t\nservers: {{ a: {{ start: 0s..10s }} {more} }}\nservices:\n  p: {{ instances: {instances}, calls: {{ p: 1/s }} }}\n"
        );
        let plan = plan(&text);
        let starts = plan.world.processes.iter().map(|process| (process.name.clone(), process.start));
        let first =
            plan.world.traffic.iter().map(|t| (plan.world.processes[t.caller.index()].name.clone(), t.first));
        let draws: (BTreeMap<_, _>, BTreeMap<_, _>) = (starts.collect(), first.collect());
        draws
    };
    let (many, many_calls) = fleet(20, ", b: { start: 0s..10s }");
    let (few, few_calls) = fleet(7, "");
    assert_eq!((few.len(), few_calls.len()), (8, 7));
    few.iter().for_each(|(name, start)| assert_eq!(many[name], *start, "{name}"));
    few_calls.iter().for_each(|(name, first)| assert_eq!(many_calls[name], *first, "{name}"));
    let distinct: std::collections::BTreeSet<_> = many.values().collect();
    assert_eq!(distinct.len(), many.len(), "the draws differ from each other");
}

#[test]
fn seeds_draw_differently_and_equally_each_time() {
    let scenario = scenario("title: t\nservers: { a: }\nservices: { p: { instances: 5 } }\n");
    let starts = |seed| Plan::resolve_for(&scenario, seed).expect("resolves").world;
    assert_eq!(starts(1), starts(1));
    assert_ne!(starts(1), starts(2));
}

#[test]
fn a_share_of_targets_is_drawn_once_for_each_process() {
    let crashed = |instances: u32| -> Vec<String> {
        let text = format!(
            "title: t\nservers: {{ a: }}\nservices: {{ p: {{ instances: {instances} }} }}\ntimeline: [{{ at: 1m, crash: 30% of p }}]\n"
        );
        let plan = plan(&text);
        let Fault::Crash { processes } = &plan.world.steps[0].fault else { panic!() };
        processes.iter().map(|node| plan.world.processes[node.index()].name.clone()).collect()
    };
    assert_eq!(crashed(10).len(), 3);
    let (before, after) = (crashed(20), crashed(21));
    let kept = before.iter().filter(|name| after.contains(name)).count();
    assert!(kept >= before.len() - 1, "one more to draw from moves at most one: {before:?} {after:?}");
}

#[test]
fn steps_follow_steps_and_repeat() {
    let text = "title: t\nservers: { a: , b: }\ntimeline:\n\
                - { after: two, name: three, crash: b }\n\
                - { after: one + 5s, name: two, for: 10s, isolate: a }\n\
                - { at: 1m, name: one, every: 30s, until: 2m, for: 5s, pause: a }\n";
    let plan = plan(text);
    let steps: Vec<String> =
        plan.world.steps.iter().map(|step| format!("{} {}", step.name, step.at.as_millis() / 1000)).collect();
    assert_eq!(steps, ["one 60", "one 90", "one 120", "two 130", "three 140"]);
}

#[test]
fn expectations_become_ids_and_numbers() {
    let plan = plan(WHOLE);
    let expected = |at: usize| &plan.expectations[at].expected;
    assert_eq!(*expected(2), Expected::Holds(Invariant::LiveInstanceNotEvicted));
    let Expected::Gauge { sometimes: true, from, .. } = expected(3) else { panic!("{:?}", expected(3)) };
    assert_eq!(*from, SimTime::from_secs(240));
    let Expected::Listed { by, listed: false, .. } = expected(5) else { panic!("{:?}", expected(5)) };
    assert_eq!(*by, SimTime::from_secs(240 + 90 + 10));
    let Expected::Calls { success, .. } = expected(11) else { panic!("{:?}", expected(11)) };
    assert!(success.contains(0.999) && success.contains(1.0) && !success.contains(0.9989));
    let Expected::Delay { to: Moment::Forgotten { observers, .. }, .. } = expected(9) else { panic!() };
    assert_eq!(
        observers.len(),
        4,
        "the caches of those who call, one of whom starts when scaled, not those who fetch nothing"
    );
    let Expected::Calls { service, from, to, .. } = expected(17) else { panic!("{:?}", expected(17)) };
    assert_eq!(service.map(|service| plan.world.services[service.index()].as_str()), Some("provider"));
    assert_eq!((*from, *to), (SimTime::from_secs(300), SimTime::from_secs(240 + 90 + 120)));
    let Expected::Listed { status: Some(crate::protocol::Status::Up), .. } = expected(18) else {
        panic!("{:?}", expected(18))
    };
    assert!(plan.expectations[13].violated);
    assert!(plan.expectations[13].text.contains("issues/1277"));
}

#[test]
fn the_run_is_long_enough_for_what_is_expected() {
    let base = "title: t\nservers: { a: }\ntimeline: [{ at: 10m, for: 1m, pause: a }]\n";
    let duration = |expect: &str| plan(&format!("{base}{expect}")).world.duration;
    assert_eq!(duration(""), SimTime::from_secs(660));
    assert_eq!(duration("expect: [{ converged: { within: 90s } }]\n"), SimTime::from_secs(660 + 180));
    assert_eq!(
        duration("expect: [{ not-registered: { instance: a, by: 20m } }]\n"),
        SimTime::from_secs(1200)
    );
    assert_eq!(duration("duration: 15m\n"), SimTime::from_secs(900));
}

#[test]
fn unknown_names_are_shown_together() {
    let text = "title: t\ntopology: { regions: { r: [z] }, paths: { r <-> x: { loss: 1% } } }\n\
                servers: { a: { zone: y, peers: [c] }, b: }\n\
                services: { p: { servers: [d], calls: { q: 1/s } } }\n\
                timeline:\n- { at: 1m, crash: aa }\n- { at: 1m, crash: p/3 }\n- { after: nothing, crash: a }\n\
                - { at: 1m, partition: [[a, b], [b]] }\n- { at: 1m, set: { server: p, disable-delta: true } }\n\
                - { at: 1m, messages: { match: { kind: heartbeet }, do: drop } }\n\
                - { at: 1m, request: { renew: a, to: z9 } }\n- { at: 1m, resolve: { lb: [a] } }\n\
                expect:\n- registered: { service: r2, by: 1m }\n- calls: { of: a, success: '>= 1%' }\n\
                - delay: { from: { step: s }, to: 5m, is: 1s }\n";
    insta::assert_snapshot!(mistakes(text).join("\n"));
}

#[test]
fn only_what_registers_can_be_called() {
    let text = "title: t\nservers: { a: }\nservices:\n  p: { client: { register-with-eureka: false } }\n  \
                q: { calls: { p: 1/s } }\n";
    assert_eq!(mistakes(text), ["`p` registers nothing"]);
}

#[test]
fn only_what_is_called_can_be_expected_to_answer() {
    let base = "title: t\nservers: { a: }\nservices:\n  p:\n  q: { calls: { p: 1/s } }\n  \
                r: { calls: { q: 1/s } }\n";
    let of =
        |calls: &str| mistakes(&format!("{base}expect: [{{ calls: {{ {calls}, success: '>= 1%' }} }}]\n"));
    assert_eq!(of("to: r"), ["unknown service that is called: `r`"]);
    assert_eq!(of("of: r, to: p"), ["unknown service that is called: `p`"]);
    assert_eq!(of("to: p, during: 5m..2m"), ["this stretch of time ends before it begins"]);
    let text = format!("{base}expect: [{{ calls: {{ of: r, to: q, during: 2m..7m, success: 1% }} }}]\n");
    assert_eq!(plan(&text).world.duration, SimTime::from_secs(420), "the run goes on for it");
}

#[test]
fn one_name_stands_for_one_thing() {
    let text = "title: t\ntopology: { regions: { a: [z] } }\nservers: { a: }\n";
    assert_eq!(mistakes(text), ["one name for two things: `a`"]);
    let text = "title: t\ntopology: { hosts: { h: } }\nservers: { a: { host: h }, b: { host: h } }\n";
    let plan = plan(text);
    let names: Vec<&str> = plan.world.addresses.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names, ["h:8761", "h:8762"], "one host name, a port each");
}

#[test]
fn a_spring_file_leads_to_the_servers_that_it_names() {
    let text = "title: t\nservers:\n  p1: { config: p1.properties }\n  p2: { config: p2.properties }\n";
    let mut files = |name: &str| -> Result<Vec<u8>, String> {
        let (own, port, other, other_port) = match name {
            "p1.properties" => ("peer1", 20001, "peer2", 20000),
            "p2.properties" => ("peer2", 20000, "peer1", 20001),
            _ => return Err("no such file".to_owned()),
        };
        let urls = format!("http://{other}:{other_port}/eureka");
        Ok(format!(
            "spring.application.name=eureka-server-{own}\nserver.port={port}\neureka.instance.hostname={own}\n\
             eureka.client.service-url.defaultZone={urls}\n"
        )
        .into_bytes())
    };
    let scenario =
        Scenario::parse("x.yaml", text.as_bytes(), &[], &mut files).unwrap_or_else(|e| panic!("{}", e[0]));
    let plan = Plan::resolve(&scenario).unwrap_or_else(|e| panic!("{}", e[0]));
    assert_eq!(plan.world.services, ["eureka-server-peer1", "eureka-server-peer2"]);
    let System::Eureka(configs) = &plan.system;
    let Config::Server(p1) = &*configs[0] else { panic!() };
    assert_eq!(&*p1.hostname, "peer1");
    assert_eq!(p1.client.service_urls[0].address, plan.world.processes[1].address);
    let mut wrong = |name: &str| match name.contains('-') {
        true => Err("no such file".to_owned()),
        false => Ok(b"eureka.client.service-url.defaultZone=http://peer9:1/eureka/\n".to_vec()),
    };
    let scenario =
        Scenario::parse("x.yaml", text.as_bytes(), &[], &mut wrong).unwrap_or_else(|e| panic!("{}", e[0]));
    let errors = Plan::resolve(&scenario).expect_err("nobody is there");
    assert_eq!(errors[0].message, "nobody stands at `peer9:1`");
    assert_eq!((errors[0].source.name.as_str(), errors[0].position()), ("p1.properties", (1, 39)));
}

/// What a scenario may write itself, without a file: the product's own keys for where servers are.
#[test]
fn settings_of_a_scenario_lead_to_servers_too() {
    let text = "title: t\nsystem: { eureka: { profile: netflix } }\n\
                servers:\n  a: { instance: { hostname: one }, server: { myUrl: 'http://one:8761/eureka/' } }\n  b:\n\
                services:\n  p:\n    client:\n      region: r\n      r.availabilityZones: z1,z2\n      \
                other.availabilityZones: z3\n      serviceUrl: { z1: 'http://b:8761/eureka/', default: 'http://one:8761/eureka/' }\n";
    let plan = plan(text);
    let System::Eureka(configs) = &plan.system;
    let Config::Server(a) = &*configs[0] else { panic!() };
    assert_eq!((&*a.hostname, &*a.server.my_url), ("one", "http://one:8761/eureka/"));
    let Config::Client(p) = &*configs[2] else { panic!() };
    let urls: Vec<String> = p.service_urls.iter().map(|url| format!("{}@{}", url.host, url.zone)).collect();
    assert_eq!((&*p.zone, urls.join(" ")), ("z1", "b@z1 one@z2".to_owned()));
    assert_eq!(*p.remote_zones, [("z3".into(), "other".into())]);
    // Nobody stands there, and two lists: each mistake at its place.
    let text = "title: t\nservers: { a: }\nservices:\n  p: { client: { service-url.z: 'http://x:1/eureka/' } }\n  \
                q: { servers: a, client: { service-url.defaultZone: 'http://a:8761/eureka/' } }\n";
    assert_eq!(mistakes(text), ["two lists of servers for one process"], "the zone `z` is not asked for");
    let errors = Plan::resolve(&scenario(&text.replace("service-url.z:", "service-url.defaultZone:")));
    let errors = errors.expect_err("two mistakes");
    let said: Vec<_> = errors.iter().map(|error| (error.message.as_str(), error.position())).collect();
    assert_eq!(
        said,
        [("nobody stands at `x:1`", (4, 43)), ("two lists of servers for one process", (5, 30))]
    );
}

#[test]
fn dns_leads_to_servers() {
    let text = "title: t\ntopology:\n  dns:\n    txt.us-east-1.example.com: [z2.example.com, z1.example.com]\n    \
                txt.z1.example.com: [a]\n    txt.z2.example.com: [b, a]\n\
                servers: { a: , b: }\nservices:\n  p:\n    client: { use-dns-for-fetching-service-urls: true, \
                eureka-server-d-n-s-name: example.com, eureka-server-port: 8761 }\n";
    let urls = |plan: &Plan| {
        let System::Eureka(configs) = &plan.system;
        let Config::Client(client) = &*configs[2] else { panic!("an instance") };
        let urls = client.service_urls.iter().map(|url| format!("{}@{}", url.host, url.zone));
        urls.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(urls(&plan(text)), "b@z2 a@z2 a@z1");
    assert_eq!(
        mistakes(&text.replace(", eureka-server-port: 8761", "")),
        ["servers from DNS without their port"]
    );
    assert_eq!(mistakes(&text.replace("txt.z1.", "txt.z9.")), ["no record in DNS: `txt.z1.example.com`"]);
    assert_eq!(mistakes(&text.replace("[a]", "[c]")), ["unknown server or address: `c:8761`"]);
}

#[test]
fn a_service_says_how_its_clients_work() {
    use crate::protocol::eureka::node::{Balancer, HealthSource, Rule, Transport};
    let client = |text: &str| {
        let plan = plan(text);
        let System::Eureka(configs) = &plan.system;
        let Config::Client(client) = &*configs[1] else { panic!("an instance") };
        (client.clone(), plan.world)
    };
    let (plain, _) = client("title: t\nservers: { a: }\nservices: { p: }\n");
    let spring = Balancer { rule: Rule::RoundRobin, cache: Duration::from_secs(35) };
    assert_eq!(
        (plain.balancer, plain.transport, plain.health),
        (spring, Transport::Jersey, HealthSource::None)
    );
    let (netflix, _) =
        client("title: t\nsystem: { eureka: { profile: netflix } }\nservers: { a: }\nservices: { p: }\n");
    assert_eq!(netflix.balancer, Balancer { rule: Rule::RoundRobin, cache: Duration::ZERO });
    let (told, world) = client(
        "title: t\nservers: { a: }\nservices:\n  p:\n    instances: 2\n    transport: rest-client\n    \
         balancer: { rule: zone-aware, cache: 5s }\n    backup: [p]\n    health: callback\n    \
         fixes: { serialisation-gap: 5ms }\n    calls: { p: { rate: 20/s, retries: 1, timeout: 1s } }\n",
    );
    assert_eq!(told.balancer, Balancer { rule: Rule::ZoneAware, cache: Duration::from_secs(5) });
    assert_eq!((told.transport, told.health), (Transport::RestClient, HealthSource::Callback));
    assert_eq!(told.fixes.serialisation_gap, Duration::from_millis(5));
    assert_eq!(told.backup.map(|backup| backup.instances().len()), Some(2));
    let traffic = &world.traffic[0];
    assert_eq!((traffic.retries, traffic.timeout), (1, Duration::from_secs(1)));
    let (actuator, _) =
        client("title: t\nservers: { a: }\nservices: { p: { client: { healthcheck.enabled: true } } }\n");
    assert_eq!(actuator.health, HealthSource::Actuator);
    let omitted = |omits: &str| {
        let (client, _) = client(&format!("title: t\nservers: {{ a: }}\nservices: {{ p: {{ {omits} }} }}\n"));
        let about = client.instance.expect("registers").about;
        (about.override_absent, about.version_absent)
    };
    assert_eq!(omitted(""), (false, false));
    assert_eq!(omitted("omits: overridden-status"), (true, false));
    assert_eq!(omitted("omits: [last-dirty-timestamp]"), (false, true));
}

/// Ten thousand clients: what they have in common stands once.
#[test]
fn instances_of_a_service_share_what_they_can() {
    let plan = plan("title: t\nservers: { a: }\nservices: { p: { instances: 2 } }\n");
    let System::Eureka(configs) = &plan.system;
    let of = |at: usize| match &*configs[at] {
        Config::Client(client) => client.clone(),
        Config::Server(_) => panic!("an instance"),
    };
    let (one, other) = (of(1), of(2));
    assert!(Arc::ptr_eq(&one.client, &other.client) && Arc::ptr_eq(&one.fixes, &other.fixes));
    assert!(Arc::ptr_eq(&one.service_urls, &other.service_urls));
    let (one, other) = (one.instance.expect("registers"), other.instance.expect("registers"));
    assert!(Arc::ptr_eq(&one.instance, &other.instance));
    assert!(Arc::ptr_eq(&one.about.app, &other.about.app));
    assert_ne!(one.about.instance_id, other.about.instance_id);
}

#[test]
fn ids_are_those_of_the_product_and_overrides_go_by_them() {
    let ids = |text: &str| -> Vec<(String, Option<u32>)> {
        let plan = plan(text);
        let System::Eureka(configs) = &plan.system;
        let registrations = configs.iter().filter_map(|config| match &**config {
            Config::Client(client) => client.instance.clone(),
            Config::Server(_) => None,
        });
        registrations
            .map(|it| (it.about.instance_id.to_string(), it.about.override_key.map(|id| id.0)))
            .collect()
    };
    let base = "title: t\nservers: { a: }\ntopology: { hosts: { h: } }\nservices:\n";
    let id = |text: &str, key| (text.to_owned(), key);
    assert_eq!(
        ids(&format!("{base}  p: {{ instances: 2, host: h }}\n")),
        [id("h:p:8080", None), id("h:p:8081", None)]
    );
    // Two applications with one id: the first is 1, because the server is 0.
    assert_eq!(
        ids(&format!(
            "{base}  p: {{ instance: {{ instance-id: x }} }}\n  q: {{ instance: {{ instance-id: x }} }}\n"
        )),
        [id("x", None), id("x", Some(1))]
    );
    let text = format!("{base}  p: {{ instances: 2, instance: {{ instance-id: x }} }}\n");
    assert_eq!(mistakes(&text), ["two instances of one id: `x`"]);
    let text = text.replace("instance-id: x", "instance-id: '${spring.cloud.client.hostname}:x'");
    assert_eq!(ids(&text), [id("p-0:x", None), id("p-1:x", None)]);
}

#[test]
fn other_regions_and_their_white_lists() {
    let text = "title: t\nsystem: { eureka: { cloud: true } }\ntopology: { regions: { r: [z] } }\nservers:\n  a:\n    \
                server:\n      remote-region-urls-with-name: { west: 'http://b:8761/eureka/', east: 'http://b:8761/eureka/' }\n      \
                remote-region-app-whitelist: { global: 'p', west: 'P,q' }\n  b:\nservices: { p: { instance: { a-s-g-name: blue } }, q: }\n";
    let plan = plan(text);
    let System::Eureka(configs) = &plan.system;
    let Config::Server(a) = &*configs[0] else { panic!() };
    let services = |of: &Option<Arc<[ServiceId]>>| {
        let names = of.iter().flat_map(|of| of.iter()).map(|id| plan.world.services[id.0 as usize].as_str());
        names.collect::<Vec<_>>().join(" ")
    };
    let regions: Vec<_> = a.remote_regions.iter().map(|it| (&*it.name, services(&it.white_list))).collect();
    assert_eq!(regions, [("west", "p q".to_owned()), ("east", String::new())]);
    assert_eq!((services(&a.global_white_list).as_str(), a.cloud), ("p", true));
    let groups: Vec<_> = plan.world.groups.iter().map(|(name, members)| (&**name, members.len())).collect();
    assert_eq!(groups, [("blue", 1)], "in AWS, groups can be switched");
    let pools = plan.world.processes[0].pools.len();
    assert_eq!((pools, plan.world.processes[2].pools.len()), (4, 2), "a server has a pool for other regions");
    assert_eq!(mistakes(&text.replace("'P,q'", "'P,x'")), ["unknown service: `x`"]);
}

/// One letter for each server, with that of its cluster's first server after it.
fn clusters_of(text: &str) -> String {
    let plan = plan(text);
    let servers = plan.world.servers_by_cluster();
    let name = |node: NodeId| plan.world.processes[node.index()].name.as_str();
    let first = |node| name(servers[plan.world.cluster(node).index()][0]);
    let all = (0..plan.world.processes.len() as u32).map(NodeId);
    all.map(|node| format!("{}:{}", name(node), first(node))).collect::<Vec<_>>().join(" ")
}

#[test]
fn whoever_has_two_servers_in_one_list_makes_them_one_cluster() {
    let base = "title: t\nservers: { a: { peers: [] }, b: { peers: [] }, c: { peers: [b] } }\nservices:\n";
    let check = |more: &str, expected: &str| assert_eq!(clusters_of(&format!("{base}{more}")), expected);
    let p = "  p: { servers: [a] }\n";
    check(p, "a:a b:b c:b p/0:a");
    check("  p: { servers: [c] }\n", "a:a b:b c:b p/0:b");
    // A client's list unites, whether it registers there or only reads.
    check("  p: { servers: [b, a] }\n", "a:a b:a c:a p/0:a");
    let reads = "  p: { servers: [b, a], client: { register-with-eureka: false } }\n";
    check(reads, "a:a b:a c:a p/0:a");
    // Who reaches no server is missed at the first ones.
    check("  p: { servers: [x] }\ntopology: { addresses: { x: nothing } }\n", "a:a b:b c:b p/0:a");
    // Everything behind an address, at any time.
    check("  p: { servers: [x] }\ntopology: { addresses: { x: [a, b] } }\n", "a:a b:a c:a p/0:a");
    let moves = "  p: { servers: [x] }\ntopology: { addresses: { x: a } }\ntimeline:\n  - { at: 1m, resolve: { x: c } }\n";
    check(moves, "a:a b:a c:a p/0:a");
    // A region that is shown stays another one.
    let shown = "title: t\nservers:\n  a: { peers: [], server: { remote-region-urls-with-name: { e: 'http://b:8761/eureka/' } } }\n  \
                 b: { peers: [] }\n";
    assert_eq!(clusters_of(shown), "a:a b:b");
    assert!(plan(shown).to_string().contains("\nclusters\n  a\n  b\n\npaths\n"));
    assert!(!plan("title: t\nservers: { a: , b: }\n").to_string().contains("clusters"));
}

#[test]
fn servers_that_are_told_of_later_are_of_the_cluster() {
    let mut plan = plan(
        "title: t\nservers: { a: { peers: [] }, b: { peers: [] } }\ntimeline:\n  \
                         - { at: 1m, set: { server: a, enable-self-preservation: false } }\n",
    );
    assert_eq!(plan.world.cluster_count(), 2);
    let System::Eureka(configs) = &mut plan.system;
    let urls = Arc::clone(&configs[1].client().service_urls);
    Arc::make_mut(&mut configs[2]).client_mut().service_urls = urls;
    assert_eq!(clusters::of(&plan.world, configs), [ClusterId(0); 2]);
}

#[test]
fn requests_of_instances_groups_and_their_metadata() {
    let base = "title: t\nservers: { a: , b: }\nservices: { p: { health: callback } }\ntimeline:\n";
    let asked = |step: &str| -> Vec<String> {
        let plan = plan(&format!("{base}- {{ at: 1m, {step} }}\n"));
        let asks = plan.world.steps.iter().filter_map(|step| match &step.fault {
            Fault::Ask { process, operation } => Some(format!("{} {operation:?}", process.0)),
            _ => None,
        });
        asks.collect()
    };
    let metadata = "SetMetadata { instance: InstanceId(2), entries: [(\"v\", \"2\")] }";
    assert_eq!(
        asked("request: { set-metadata: p/0, metadata: { v: 2 }, to: servers }"),
        [format!("0 {metadata}"), format!("1 {metadata}")]
    );
    assert_eq!(asked("request: { set-metadata: p/0, metadata: { v: 2 } }"), [format!("2 {metadata}")]);
    assert_eq!(
        asked("request: { set-health: p, health: fails }"),
        ["2 SetHealth { instance: InstanceId(2), health: Fails }"]
    );
    assert_eq!(
        asked("request: { set-group: blue, enabled: false, to: b }"),
        ["1 SetGroup { group: \"blue\", enabled: false }"]
    );
    let wrong = |step: &str| mistakes(&format!("{base}- {{ at: 1m, {step} }}\n"));
    assert_eq!(wrong("request: { set-group: blue, enabled: false }"), ["a group is known to servers"]);
    assert_eq!(
        wrong("request: { set-health: p, health: UP, to: a }"),
        ["only an instance itself has a health"]
    );
    assert_eq!(
        wrong("request: { renew: p }"),
        ["an instance itself is asked for nothing but `set-status`, `set-metadata` and `set-health`"]
    );
}

#[test]
fn figures_of_clients_make_them_report() {
    let text = "title: t\nservers: { a: }\nservices: { p: { instances: 3 } }\nexpect:\n\
                - gauge: { name: fetch-age, client: p/1, at: 5m, is: '<= 35s' }\n\
                - gauge: { name: pinned-server, client: p/2, at: 5m, is: a }\n\
                - gauge: { name: registry-size, server: a, at: 5m, is: 3 }\n";
    let plan = plan(text);
    let System::Eureka(configs) = &plan.system;
    let reports: Vec<bool> = configs.iter().map(|config| config.client().reports).collect();
    assert_eq!(reports, [false, false, true, true]);
    let Expected::Gauge { is, .. } = &plan.expectations[0].expected else { panic!() };
    assert!(is.contains(35_000.0) && !is.contains(35_001.0), "ages are in ms");
    let Expected::Gauge { is, .. } = &plan.expectations[1].expected else { panic!() };
    assert!(is.contains(0.0) && !is.contains(1.0), "the number of the server's address");
    let no_files = &mut |_: &str| Err("no such file".to_owned());
    let text = text.replace("client: p/1", "server: a");
    let errors = Scenario::parse("x.yaml", text.as_bytes(), &[], no_files).expect_err("of clients");
    assert_eq!(errors[0].message, "`fetch-age` is a figure of clients");
}

/// Every shipped file is right, and says so for many seeds.
#[test]
fn every_shipped_scenario_resolves() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut seen = 0;
    for system in std::fs::read_dir(folder).expect("scenarios are shipped").flatten() {
        for file in std::fs::read_dir(system.path()).expect("a folder a system").flatten() {
            if file.path().extension().is_none_or(|ending| ending != "yaml") {
                continue;
            }
            let scenario = Scenario::load(&file.path()).unwrap_or_else(|errors| panic!("{}", errors[0]));
            for seed in 1..=20 {
                let plan =
                    Plan::resolve_for(&scenario, seed).unwrap_or_else(|errors| panic!("{}", errors[0]));
                assert!(!plan.expectations.is_empty(), "{} expects nothing", plan.name);
            }
            seen += 1;
        }
    }
    assert!(seen >= 7, "found {seen}");
}

/// Resolves a scenario that names one file.
fn plan_with(text: &str, file: &str) -> Plan {
    // There are no files of profiles beside it.
    let mut read = |name: &str| match name.contains('-') {
        true => Err("no such file".to_owned()),
        false => Ok(file.as_bytes().to_vec()),
    };
    let scenario = Scenario::parse("stories/x.yaml", text.as_bytes(), &[], &mut read);
    let scenario = scenario.unwrap_or_else(|errors| panic!("{}", errors[0]));
    Plan::resolve(&scenario).unwrap_or_else(|errors| panic!("{}", errors[0]))
}

fn client_of(plan: &Plan, at: usize) -> &crate::protocol::eureka::node::ClientNode {
    let System::Eureka(configs) = &plan.system;
    match &*configs[at] {
        Config::Client(client) => client,
        Config::Server(server) => &server.client,
    }
}

/// The reference, 8.2: where a zone has no servers, Netflix looks for `default` and Spring for `defaultZone`.
#[test]
fn the_servers_of_the_default_zone_have_a_name_in_each_product() {
    let known = |profile: &str, zone: &str| {
        let text = format!(
            "title: t\nsystem: {{ eureka: {{ profile: {profile} }} }}\nservers: {{ a: }}\nservices: {{ p: {{ config: p.properties }} }}\n"
        );
        let file = format!(
            "eureka.client.availability-zones.us-east-1=z1\neureka.client.service-url.{zone}=http://a:8761/eureka/\n"
        );
        let plan = plan_with(&text, &file);
        let noted = plan.notes.iter().any(|note| note.contains("know no server: `p`"));
        (client_of(&plan, 1).service_urls.len(), noted)
    };
    assert_eq!(known("netflix", "default"), (1, false));
    assert_eq!(known("netflix", "defaultZone"), (0, true));
    assert_eq!(known("spring-cloud", "defaultZone"), (1, false));
    assert_eq!(known("spring-cloud", "default"), (0, true));
    assert_eq!(known("spring-cloud", "z1"), (1, false));
}

/// `EurekaInstanceConfigBean`: the made-up id and the virtual addresses are not the application's name.
#[test]
fn springs_ids_and_addresses_come_from_the_name_in_the_file() {
    let text = "title: t\nservers: { a: }\nservices: { p: { config: p.properties } }\n";
    let plan =
        plan_with(text, "spring.application.name=Web-Shop\neureka.instance.appname=orders\nserver.port=90\n");
    let about = &client_of(&plan, 1).instance.as_ref().expect("it registers").about;
    assert_eq!((&*about.instance_id, &*about.app), ("p-0:Web-Shop:90", "ORDERS"));
    assert_eq!((about.vip.as_deref(), about.secure_vip.as_deref()), (Some("Web-Shop"), Some("Web-Shop")));
}

#[test]
fn what_a_file_says_of_the_balancers_cache_counts_unless_the_scenario_says_more() {
    let cache = |block: &str| {
        let text =
            format!("title: t\nservers: {{ a: }}\nservices: {{ p: {{ config: p.properties{block} }} }}\n");
        client_of(&plan_with(&text, "spring.cloud.loadbalancer.cache.ttl=10s\n"), 1).balancer.cache
    };
    assert_eq!(cache(""), Duration::from_secs(10));
    assert_eq!(cache(", balancer: { cache: 3s }"), Duration::from_secs(3));
}

#[test]
fn settings_that_cannot_mean_what_they_seem_to_are_noted() {
    let notes = |profile: &str, more: &str, file: &str| {
        let text = format!(
            "title: t\nsystem: {{ eureka: {{ profile: {profile} }} }}\nservers: {{ a: }}\nservices: {{ p: {{ config: p.properties{more} }} }}\n"
        );
        let notes = plan_with(&text, file).notes;
        notes
            .iter()
            .map(|note| note.split_once(": ").map_or("", |(_, said)| said).to_owned())
            .collect::<Vec<_>>()
    };
    let backup = "eureka.client.backup-registry-impl=com.example.Backup\n";
    let said = "a backup registry with nothing in it: `backup` of a service says what it holds";
    assert_eq!(notes("spring-cloud", "", backup), [said]);
    assert_eq!(notes("spring-cloud", ", backup: p", backup), [""; 0]);
    let foreign = "a setting of Spring Cloud under `profile: netflix`, taken as meant: `prefer-ip-address`";
    assert_eq!(notes("netflix", "", "eureka.instance.prefer-ip-address=true\n"), [foreign]);
    assert_eq!(notes("spring-cloud", "", "eureka.instance.prefer-ip-address=true\n"), [""; 0]);
    assert_eq!(
        notes("spring-cloud", "", "eureka.client.enabled=false\n"),
        ["no effect: `enabled` (the client runs all the same: leave a service out whose client is off)"]
    );
}

/// The reference, 3.1: Netflix's configuration guards against an interval that makes no sense, Spring's does not.
#[test]
fn an_expected_renewal_interval_of_nothing_is_netflixs_default() {
    let interval = |profile: &str| {
        let text = format!(
            "title: t\nsystem: {{ eureka: {{ profile: {profile}, server: {{ expected-client-renewal-interval-seconds: 10 }} }} }}\n\
             servers: {{ a: }}\ntimeline: [{{ at: 1m, set: {{ server: a, expectedClientRenewalIntervalSeconds: -1 }} }}]\n"
        );
        let plan = plan(&text);
        let System::Eureka(configs) = &plan.system;
        let Config::Server(changed) = &*configs[1] else { panic!("the server as it is then") };
        changed.server.expected_client_renewal_interval
    };
    assert_eq!((interval("netflix"), interval("spring-cloud")), (30, -1));
}

/// Spring looks the list of a region up by its name in lower case.
#[test]
fn the_white_list_of_a_region_is_found_as_the_product_looks_for_it() {
    let listed = |profile: &str, list: &str| {
        let text = format!(
            "title: t\nsystem: {{ eureka: {{ profile: {profile} }} }}\nservers:\n  a:\n    server:\n      \
             remote-region-urls-with-name.West: \"http://b:8761/eureka/\"\n      \
             remote-region-app-whitelist.{list}: p\n  b:\nservices: {{ p: }}\n"
        );
        let plan = plan(&text);
        let System::Eureka(configs) = &plan.system;
        let Config::Server(a) = &*configs[0] else { panic!("a server") };
        a.remote_regions[0].white_list.is_some()
    };
    assert!(listed("netflix", "West") && !listed("netflix", "west"));
    assert!(listed("spring-cloud", "west") && !listed("spring-cloud", "West"));
}

/// The reference, 6.8: what a peer URL is compared to `my-url` as.
#[test]
fn urls_keep_their_text_to_which_spring_adds_a_slash() {
    let texts = |profile: &str, written: &str| {
        let text = format!(
            "title: t\nsystem: {{ eureka: {{ profile: {profile} }} }}\nservers:\n  a: {{ {written} }}\n  b:\n"
        );
        let plan = plan(&text);
        let System::Eureka(configs) = &plan.system;
        let Config::Server(a) = &*configs[0] else { panic!("servers come first") };
        let urls = a.client.service_urls.iter().map(|url| url.text.to_string());
        (urls.collect::<Vec<_>>(), a.server.my_url.to_string())
    };
    let spring = "client: { service-url.defaultZone: 'http://b:8761/eureka,http://a:8761/eureka/' }, \
                  server: { my-url: 'http://a:8761/eureka' }";
    let (slash, none) = ("http://b:8761/eureka/".to_owned(), "http://b:8761/eureka".to_owned());
    let own = "http://a:8761/eureka/".to_owned();
    assert_eq!(
        texts("spring-cloud", spring),
        (vec![slash.clone(), own.clone()], "http://a:8761/eureka".to_owned())
    );
    let netflix = "client: { serviceUrl.default: 'http://b:8761/eureka,http://a:8761/eureka/' }";
    assert_eq!(texts("netflix", netflix), (vec![none, own], String::new()));
    assert_eq!(texts("spring-cloud", "peers: [b]"), (vec![slash], String::new()));
}

/// spring-cloud-netflix sets 5 before it binds what is written.
#[test]
fn a_registering_spring_server_copies_five_times_unless_something_is_written() {
    let retries = |profile: &str, written: &str| {
        let text = format!(
            "title: t\nsystem: {{ eureka: {{ profile: {profile} }} }}\nservers:\n  a: {{ {written} }}\n  b:\n"
        );
        let plan = plan(&text);
        let System::Eureka(configs) = &plan.system;
        let Config::Server(a) = &*configs[0] else { panic!("servers come first") };
        a.server.registry_sync_retries
    };
    assert_eq!(retries("spring-cloud", "client: { register-with-eureka: true }"), 5);
    assert_eq!(retries("spring-cloud", "client: { register-with-eureka: false }"), 0);
    let written = "client: { register-with-eureka: true }, server: { registry-sync-retries: 0 }";
    assert_eq!(retries("spring-cloud", written), 0);
    assert_eq!(retries("netflix", "client: { registration.enabled: false }"), 5);
}

/// The reference, 7.6: it is what counts in the status document.
#[test]
fn a_server_has_an_application_even_if_it_does_not_register() {
    let apps = |others: bool| {
        let text = format!(
            "title: t\nsystem: {{ eureka: {{ profile: spring-cloud }} }}\nservers:\n  \
             a: {{ client: {{ register-with-eureka: false }} }}\n  \
             b: {{ client: {{ register-with-eureka: {others} }} }}\n"
        );
        let System::Eureka(configs) = plan(&text).system;
        let app = |at: usize| match &*configs[at] {
            Config::Server(server) => server.app,
            Config::Client(_) => panic!("servers come first"),
        };
        [app(0), app(1)]
    };
    assert_eq!(apps(true), [Some(ServiceId(0)); 2]);
    assert_eq!(apps(false), [None; 2], "nobody is registered under that name");
}

#[test]
fn a_figure_that_a_client_has_not_is_no_expectation() {
    let wrong = |client: &str, gauge: &str| {
        let text = format!(
            "title: t\nservers: {{ a: }}\nservices: {{ p: {{ client: {{ {client}: false }} }} }}\nexpect: [{{ gauge: {{ name: {gauge}, client: p, at: 1m, is: 0 }} }}]\n"
        );
        Plan::resolve(&scenario(&text)).err().map(|errors| errors[0].message.clone())
    };
    assert_eq!(wrong("fetch-registry", "copy-size"), Some("`p/0` has no `copy-size`".to_owned()));
    assert_eq!(wrong("register-with-eureka", "quarantined"), Some("`p/0` has no `quarantined`".to_owned()));
    assert_eq!(wrong("fetch-registry", "quarantined"), None);
    assert_eq!(wrong("register-with-eureka", "copy-size"), None);
}

/// What is said of some instances is said of them alone, and everything else stays as it is for all.
#[test]
fn instances_may_differ_from_their_service() {
    let text = "title: t\ntopology: { regions: { r: [z1, z2] }, hosts: { h1: { zone: z2 } } }\nservers: { a: , b: }\nservices:\n  p:\n    \
                instances: 5\n    zone: z1\n    servers: [a]\n    client: { registry-fetch-interval-seconds: 5 }\n    start: 1m\n    \
                overrides:\n      p/1: { zone: z2, servers: [b], start: 2m, client: { registryFetchIntervalSeconds: 7 } }\n      \
                3..4: { host: h1, instance: { lease-renewal-interval-in-seconds: 10 }, calls: { p: 1/s } }\n";
    let plan = plan(text);
    let world = &plan.world;
    let of = |at: usize| {
        let process = &world.processes[2 + at];
        let zone = &world.zones[world.hosts[process.host.index()].zone.index()].name;
        let client = client_of(&plan, 2 + at);
        let renewal = client.instance.as_ref().expect("it registers").instance.lease_renewal_interval;
        let fetch = client.client.registry_fetch_interval.as_secs();
        format!(
            "{zone} {} {} {fetch} {}",
            process.start.as_millis() / 1000,
            client.service_urls[0].host,
            renewal.as_secs()
        )
    };
    assert_eq!([of(0), of(2)], ["z1 60 a 5 30", "z1 60 a 5 30"]);
    assert_eq!(of(1), "z2 120 b 7 30");
    assert_eq!([of(3), of(4)], ["z2 60 a 5 10", "z2 60 a 5 10"]);
    let callers: Vec<usize> = world.traffic.iter().map(|traffic| traffic.caller.index() - 2).collect();
    assert_eq!(callers, [3, 4]);
    let names: Vec<&str> = world.instances.iter().map(String::as_str).collect();
    assert_eq!(names, ["a", "b", "p/0", "p/1", "p/2", "p/3", "p/4"], "ids are in order of the instances");
}

#[test]
fn overrides_that_fit_nothing_are_refused() {
    let said = |overrides: &str| {
        let text = format!(
            "title: t\nservers: {{ a: }}\nservices: {{ p: {{ instances: 2, overrides: {overrides} }} }}\n"
        );
        Scenario::parse("x.yaml", text.as_bytes(), &[], &mut |_| Err("no such file".to_owned()))
            .map(|_| ())
            .map_err(|mistakes| mistakes.into_iter().map(|mistake| mistake.message).collect::<Vec<_>>())
    };
    let wrong = |overrides, message: &str| assert_eq!(said(overrides), Err(vec![message.to_owned()]));
    assert_eq!(said("{ 0..1: { start: 1s } }"), Ok(()));
    wrong("{ 2: { start: 1s } }", "no such instance: `p/2`");
    wrong("{ x: { start: 1s } }", "not a number of an instance: `x`");
    wrong("{ q/0: { start: 1s } }", "an instance of another service: `q/0`");
    wrong("{ 1..0: { start: 1s } }", "a range must go from low to high: `1..0`");
    wrong("{ 0: { start: 1s }, 0..1: { zone: z } }", "an instance overridden twice: `p/0`");
    wrong("{ 0: { instances: 3 } }", "unknown key in an override: `instances`");
    wrong("{ 0: { client: { fetch-registri: true } } }", "unknown setting: `fetch-registri`");
}

/// Slips that would fill the memory or run for a week, each with the option that allows it.
#[test]
fn what_is_absurdly_large_is_refused_with_its_place() {
    let refused = |more: &str| {
        let text = format!("title: t\nservers: {{ a: }}\n{more}");
        let mistakes = Plan::resolve(&scenario(&text)).expect_err("it is too large");
        (mistakes[0].message.clone(), mistakes[0].help.clone().unwrap_or_default(), mistakes[0].position())
    };
    assert_eq!(
        refused("services: { p: { instances: 4000000000 } }\n"),
        (
            "more instances than the limit of 1000000: `4000000000`".to_owned(),
            "`--max-instances 4000000000` allows them".to_owned(),
            (3, 29)
        )
    );
    let two = "services: { p: { instances: 600000 }, q: { instances: 600000 } }\n";
    assert_eq!(refused(two).0, "more instances than the limit of 1000000: `1200000`");
    let long = refused("duration: 9999d\n");
    assert_eq!(long.0, "longer than the limit of 31d: `9999d`");
    assert_eq!((long.1.as_str(), long.2), ("`--max-duration 9999d` allows it", (3, 11)));
    assert_eq!(refused("timeline: [{ at: 40d, crash: a }]\n").0, "longer than the limit of 31d: `40d`");
    let often =
        "services: { p: { instances: 100000 } }\ntimeline: [{ at: 0s, every: 10ms, until: 20s, crash: p }]\n";
    let often = refused(often);
    assert_eq!((often.0.as_str(), often.2), ("too often for so many instances: 2000 times 100000", (4, 29)));
    let late = "timeline: [{ name: s, at: 30d, crash: a }, { after: s + 9d, restart: a }]\n";
    assert_eq!(refused(late).0, "longer than the limit of 31d: `39d`");
    let calls = refused("services: { p: { calls: { p: 1000000000/s } } }\nduration: 10s\n");
    assert_eq!(
        (calls.0.as_str(), calls.2),
        ("more calls and heartbeats than the limit of 1000000000: about 10000000000 in 10.000s", (3, 30))
    );
    let beats = refused("services: { p: { instances: 20000 } }\nduration: 30d\n");
    assert!(beats.0.starts_with("more calls and heartbeats than"), "{}", beats.0);
    let mut large = scenario("title: t\nservers: { a: }\nduration: 40d\n");
    large.set_limits(crate::scenario::Limits {
        duration: Duration::from_secs(40 * 86_400),
        ..Default::default()
    });
    assert!(Plan::resolve(&large).is_ok(), "whoever means it can have it");
}

/// A mistake that shows only with the cure is shown too, and a cure is resolved for the same seed.
#[test]
fn cures_are_resolved_with_their_scenario() {
    let text = "title: t\nservers: { a: , b: }\nservices: { p: { start: 1s..9s } }\nexpect: [{ violates: { never: evicted } }]\n";
    let cured = plan(&format!("{text}cure: {{ about: slower, services: {{ p: {{ instances: 3 }} }} }}\n"));
    let [cure] = &cured.cures[..] else { panic!("one cure") };
    assert_eq!((cure.plan.world.instances.len(), cure.plan.seed), (5, cured.seed));
    assert_eq!(cure.plan.world.processes[2].start, cured.world.processes[2].start);
    assert!(cured.expectations[0].violated && !cure.plan.expectations[0].violated);
    assert!(
        cured
            .to_string()
            .contains("cure, with which all of this must hold\n  slower\n  services.p.instances: 3\n")
    );
    assert_eq!(
        mistakes(&format!("{text}cure: {{ services: {{ p: {{ zone: nowhere }} }} }}\n")),
        ["unknown zone: `nowhere`"]
    );
    let swept = plan(&format!("{text}vary: {{ services.p.instances: [1, 2], duration: [5m, 6m, 7m] }}\n"));
    assert_eq!(swept.combinations(), 6);
    assert!(swept.to_string().contains("to sweep, 6 combinations\n  services.p.instances: 1, 2\n"));
}

/// Who prefers addresses is called by one: a URL with the name `localhost` is then somebody else's.
#[test]
fn a_server_that_prefers_addresses_has_one_for_a_name() {
    let text = "title: t\ntopology: { hosts: { m: } }\nservers:\n  a: { host: m, peers: [b], instance: { hostname: localhost } }\n  \
                b: { host: m, peers: [a], instance: { hostname: localhost, prefer-ip-address: true } }\n";
    let plan = plan(text);
    let System::Eureka(configs) = &plan.system;
    let own = |at: usize| match &*configs[at] {
        Config::Server(node) => {
            node.is_me(&node.client.service_urls[0].text, &node.client.service_urls[0].host)
        }
        Config::Client(_) => panic!("a server"),
    };
    assert_eq!((own(0), own(1)), (true, false));
}
