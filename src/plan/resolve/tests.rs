use super::*;
use crate::plan::world::{Fault, Latency, Role};
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
fn every_key_of_the_language_resolves() {
    let plan = plan(WHOLE);
    insta::assert_snapshot!(plan.to_string());
}

#[test]
fn ids_are_dense_and_configs_match_processes() {
    let plan = plan(WHOLE);
    let world = &plan.world;
    assert_eq!(world.processes.len(), 3 + 3 + 2);
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
    assert_eq!(observers.len(), 2, "the caches of the consumers, not those who fetch nothing");
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
            _ => ("peer2", 20000, "peer1", 20001),
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
    let mut wrong = |_: &str| Ok(b"eureka.client.service-url.defaultZone=http://peer9:1/eureka/\n".to_vec());
    let scenario =
        Scenario::parse("x.yaml", text.as_bytes(), &[], &mut wrong).unwrap_or_else(|e| panic!("{}", e[0]));
    let errors = Plan::resolve(&scenario).expect_err("nobody is there");
    assert_eq!(errors[0].message, "nobody stands at `peer9:1`");
    assert_eq!((errors[0].source.name.as_str(), errors[0].position()), ("p1.properties", (1, 39)));
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
