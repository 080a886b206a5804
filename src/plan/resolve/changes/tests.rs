use super::*;
use crate::plan::Plan;
use crate::plan::world::Step;
use crate::plan::{System, clusters};
use crate::scenario::Scenario;
use std::time::Duration;

fn resolved(text: &str) -> Result<Plan, Vec<String>> {
    let no_files = &mut |_: &str| Err("no such file".to_owned());
    let text = format!("title: t\n{text}");
    let scenario = Scenario::parse("x.yaml", text.as_bytes(), &[], no_files);
    let scenario = scenario.unwrap_or_else(|mistakes| panic!("{}", mistakes[0]));
    Plan::resolve(&scenario).map_err(|mistakes| mistakes.into_iter().map(|mistake| mistake.message).collect())
}

/// What the first process that is told anything is told last.
fn told(plan: &Plan) -> eureka::Config {
    let System::Eureka(configs) = &plan.system;
    let step = |step: &Step| match step.fault {
        Fault::Reconfigure { config, .. } => Some(config as usize),
        _ => None,
    };
    (*configs[plan.world.steps.iter().filter_map(step).next_back().expect("a step sets something")]).clone()
}

const TWO_REGIONS: &str = "
servers:
  a: { peers: [a], server: { remote-region-urls-with-name: { far: 'http://b:8761/eureka/' }, remote-region-app-whitelist: { far: shop } } }
  b: { peers: [b] }
services: { shop: , bank: }
";

#[test]
fn what_the_plan_makes_of_a_servers_keys_changes_too() {
    let set = |settings: &str| {
        let text = format!("{TWO_REGIONS}timeline: [{{ at: 1m, set: {{ server: a, {settings} }} }}]\n");
        let eureka::Config::Server(node) = told(&resolved(&text).expect("resolves")) else {
            panic!("of a server")
        };
        node
    };
    let plain = set("enable-self-preservation: false");
    let shop = plain.remote_regions[0].white_list.clone().expect("what was written at the start stays");
    assert_eq!((&*plain.server.my_url, &plain.global_white_list, shop.len()), ("", &None, 1));
    assert_eq!(&*set("my-url: 'http://b:8761/eureka/'").server.my_url, "http://b:8761/eureka/");
    let lists = set("remote-region-app-whitelist: { far: 'shop,bank', global: bank }");
    assert_eq!(lists.remote_regions[0].white_list.as_ref().map(|list| list.len()), Some(2));
    assert_eq!(lists.global_white_list.map(|list| list.len()), Some(1));
}

#[test]
fn settings_of_clients_change_step_by_step() {
    let text = "servers: { a: }\nservices: { p: }\ntimeline:\n  - { at: 1m, set: { client: p, registry-fetch-interval-seconds: 5 } }\n  - { at: 2m, set: { client: p, lease-expiration-duration-in-seconds: 30, disable-delta: true } }\n";
    let eureka::Config::Client(node) = told(&resolved(text).expect("resolves")) else {
        panic!("of a client")
    };
    assert_eq!(node.client.registry_fetch_interval, Duration::from_secs(5), "from the step before");
    assert!(node.client.disable_delta);
    let registration = node.instance.expect("it registers");
    assert_eq!(registration.instance.lease_duration, Duration::from_secs(30));
}

#[test]
fn what_counts_only_at_the_start_is_refused() {
    let refuse = |set: &str, expected: &str| {
        let text = format!("{TWO_REGIONS}timeline: [{{ at: 1m, set: {{ {set} }} }}]\n");
        assert_eq!(resolved(&text).err(), Some(vec![expected.to_owned()]), "{set}");
    };
    let url = "remote-region-urls-with-name: { far: 'http://b:8761/eureka/' }";
    let fixed = |key: &str| format!("counts only at the start: `{key}`");
    refuse(&format!("server: a, {url}"), &fixed("remote-region-urls-with-name.far"));
    refuse("server: a, peerNodeTotalConnections: 3", &fixed("peerNodeTotalConnections"));
    refuse("client: shop, fetch-registry: false", &fixed("fetch-registry"));
    refuse("client: shop, hostname: h", &fixed("hostname"));
}

#[test]
fn a_refusal_says_why_and_a_half_truth_is_noted() {
    let with = |set: &str| {
        let no_files = &mut |_: &str| Err("no such file".to_owned());
        let text = format!("title: t\n{TWO_REGIONS}timeline: [{{ at: 1m, set: {{ {set} }} }}]\n");
        let scenario = Scenario::parse("x.yaml", text.as_bytes(), &[], no_files).expect("reads");
        Plan::resolve(&scenario)
    };
    let mistakes = with("server: a, renewal-threshold-update-interval-ms: 1000").expect_err("a timer");
    let help =
        "its timer keeps the interval that it was started with: write it where the process is described";
    assert_eq!(mistakes[0].help.as_deref(), Some(help));
    // Handed to what is built at the start, without a timer of its own.
    for set in [
        "client: shop, transport.write-cluster-vip: v",
        "server: a, remote-region-fetch-thread-pool-size: 3",
        "server: a, default-open-for-traffic-count: 3",
    ] {
        assert!(with(set).is_err(), "{set}");
    }
    let plan = with("server: a, eviction-interval-timer-in-ms: 1000").expect("counts in part");
    let note = "x.yaml:7: counts in part: `eviction-interval-timer-in-ms` (next pass, for what counts as late; the timer keeps its interval)";
    assert_eq!(plan.notes, [note]);
}

/// The servers that a process knows after each of the steps, with their zones, and the zone that it calls its own.
fn lists(text: &str) -> Vec<String> {
    let plan = resolved(text).unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
    let shown = |config: &eureka::Config| {
        let client = config.client();
        let urls = client.service_urls.iter().map(|url| format!("{}@{}", url.host, url.zone));
        format!("{} in {}", urls.collect::<Vec<_>>().join(" "), client.zone)
    };
    let System::Eureka(configs) = &plan.system;
    let changes = clusters::told(&plan.world, configs).skip(plan.world.processes.len());
    changes
        .map(|(at, node, config)| {
            format!(
                "{}m {}: {}",
                at.0 / 60_000_000_000,
                plan.world.processes[node.index()].name,
                shown(config)
            )
        })
        .collect()
}

#[test]
fn where_servers_are_is_resolved_again_from_all_that_is_known_by_then() {
    let three = "servers: { a: , b: , c: }\n";
    let urls = |zone: &str, host: &str| format!("service-url: {{ {zone}: 'http://{host}:8761/eureka/' }}");
    let text = format!(
        "{three}services: {{ p: {{ servers: [a, b] }} }}\ntimeline:\n\
         - {{ at: 1m, set: {{ client: p, {} }} }}\n\
         - {{ at: 2m, set: {{ client: p, servers: [c, b] }} }}\n\
         - {{ at: 3m, set: {{ client: p, availability-zones: {{ us-east-1: 'z1,z2' }} }} }}\n\
         - {{ at: 4m, set: {{ client: p, {} }} }}\n\
         - {{ at: 5m, set: {{ client: p, registry-fetch-interval-seconds: 5 }} }}\n",
        urls("defaultZone", "c"),
        urls("z2", "b"),
    );
    assert_eq!(
        lists(&text),
        [
            "1m p/0: c@defaultZone in defaultZone",
            "2m p/0: c@preferred b@others in preferred",
            "3m p/0: c@preferred b@others in preferred",
            "4m p/0: c@z1 b@z2 in z1",
            "5m p/0: c@z1 b@z2 in z1",
        ],
        "a later list wins; settings of earlier steps stay"
    );
    let text = format!(
        "{three}timeline:\n- {{ at: 1m, set: {{ server: a, peers: [b] }} }}\n\
         - {{ at: 2m, set: {{ server: a, {} }} }}\n- {{ at: 3m, set: {{ client: b, servers: [] }} }}\n",
        urls("defaultZone", "c"),
    );
    assert_eq!(
        lists(&text),
        [
            "1m a: b@defaultZone in defaultZone",
            "2m a: c@defaultZone in defaultZone",
            "3m b: b@defaultZone in defaultZone",
        ]
    );
}

/// A client keeps the zone that it was built in; the first server of a list is the one in that zone.
#[test]
fn the_first_server_of_a_new_list_is_in_the_zone_that_the_client_was_built_in() {
    let text = "servers: { a: , b: }\nservices: { p: { client: { service-url: { z1: 'http://a:8761/eureka/' }, availability-zones: { us-east-1: z1 } } } }\n\
                timeline: [{ at: 1m, set: { client: p, servers: [b, a] } }]\n";
    assert_eq!(lists(text), ["1m p/0: b@z1 a@others in z1"]);
    let others = text.replace("z1", "others");
    assert_eq!(lists(&others), ["1m p/0: b@others a@preferred in others"]);
}

#[test]
fn instances_with_different_histories_are_told_different_things() {
    let text = "servers: { a: , b: , c: }\nservices: { p: { instances: 3 } }\ntimeline:\n\
                - { at: 1m, set: { client: p/1, servers: [a], registry-fetch-interval-seconds: 7 } }\n\
                - { at: 2m, set: { client: p, disable-delta: true } }\n\
                - { at: 3m, set: { client: p, service-url: { z1: 'http://c:8761/eureka/' } } }\n";
    let plan = resolved(text).expect("resolves");
    let System::Eureka(configs) = &plan.system;
    let told: Vec<_> = clusters::told(&plan.world, configs)
        .skip(6)
        .map(|(_, node, config)| (node.0, config.client()))
        .collect();
    let intervals: Vec<_> =
        told.iter().map(|(node, client)| (*node, client.client.registry_fetch_interval.as_secs())).collect();
    assert_eq!(intervals, [(4, 7), (3, 30), (4, 7), (5, 30), (3, 30), (4, 7), (5, 30)]);
    assert!(told[1..].iter().all(|(_, client)| client.client.disable_delta));
    let urls: Vec<_> = told.iter().map(|(_, client)| client.service_urls.len()).collect();
    assert_eq!(urls, [1, 3, 1, 3, 0, 0, 0], "of zone z1, which is none of its region's");
}

#[test]
fn two_lists_at_once_and_unknown_servers_are_mistakes() {
    let refuse = |set: &str, expected: &str| {
        let text = format!("{TWO_REGIONS}timeline: [{{ at: 1m, set: {{ {set} }} }}]\n");
        assert_eq!(resolved(&text).err(), Some(vec![expected.to_owned()]), "{set}");
    };
    let url = "service-url: { defaultZone: 'http://b:8761/eureka/' }";
    refuse(&format!("client: shop, servers: [a], {url}"), "two lists of servers for one process");
    refuse("server: a, peers: [d]", "unknown server or address: `d`");
    refuse(
        "client: shop, service-url: { defaultZone: 'http://d:8761/eureka/' }",
        "nobody stands at `d:8761`",
    );
    refuse("client: shop, use-dns-for-fetching-service-urls: true", "servers from DNS without their port");
}

#[test]
fn a_record_in_dns_changes_for_those_who_ask_for_it() {
    let text = "topology:\n  dns: { txt.us-east-1.example.com: [z1.example.com], txt.z1.example.com: [a] }\n\
                system: { eureka: { client: { eureka-server-d-n-s-name: example.com, eureka-server-port: 8761 } } }\n\
                servers: { a: , b: }\nservices: { p: { client: { use-dns-for-fetching-service-urls: true } }, q: }\ntimeline:\n\
                - { at: 1m, resolve: { txt.z1.example.com: [b, a] } }\n\
                - { at: 2m, set: { client: q, use-dns-for-fetching-service-urls: true } }\n\
                - { at: 3m, resolve: { txt.z1.example.com: b } }\n";
    assert_eq!(
        lists(text),
        [
            "1m p/0: b@z1 a@z1 in defaultZone",
            "2m q/0: b@z1 a@z1 in defaultZone",
            "3m p/0: b@z1 in defaultZone",
            "3m q/0: b@z1 in defaultZone",
        ]
    );
    let refuse = |record: &str, expected: &str| {
        let changed = text.replace("{ txt.z1.example.com: b }", &format!("{{ {record} }}"));
        assert_eq!(resolved(&changed).err(), Some(vec![expected.to_owned()]), "{record}");
    };
    refuse("txt.z1.example.com: nothing", "a record in DNS lists names");
    refuse("txt.z1.example.com: 1 of p", "a record in DNS lists names");
    refuse("txt.z1.example.com: c", "unknown server or address: `c:8761`");
    refuse("txt.z2.example.com: a", "unknown address: `txt.z2.example.com`");
}

#[test]
fn a_server_is_told_of_its_client_and_registration_too() {
    let text = "servers: { a: , b: }\ntimeline: [{ at: 1m, set: { server: a, disableDelta: true, prefer-same-zone-eureka: false, lease-renewal-interval-in-seconds: 7 } }]\n";
    let eureka::Config::Server(node) = told(&resolved(text).expect("resolves")) else {
        panic!("of a server")
    };
    assert!(node.server.disable_delta && !node.client.client.disable_delta, "of two keys the server's own");
    assert!(!node.client.client.prefer_same_zone);
    let registration = node.client.instance.expect("it registers");
    assert_eq!(registration.instance.lease_renewal_interval, Duration::from_secs(7));
}

#[test]
fn the_keys_that_say_where_servers_are_exist() {
    for key in PLACES {
        key_of(Owner::Client, key);
    }
}

#[test]
fn a_health_is_set_only_where_something_checks_it() {
    let set = |service: &str, who: &str| {
        let text = format!(
            "servers: {{ a: }}\nservices: {{ p: {{ {service} }} }}\ntimeline: [{{ at: 1m, request: {{ set-health: {who}, health: DOWN }} }}]\n"
        );
        resolved(&text).err().unwrap_or_default()
    };
    assert_eq!(set("health: callback", "p"), Vec::<String>::new());
    assert_eq!(set("client: { healthcheck.enabled: true }", "p"), Vec::<String>::new());
    assert_eq!(set("", "p"), ["no health check: `p/0`"]);
    assert_eq!(set("health: callback", "a"), ["no health check: `a`"]);
}
