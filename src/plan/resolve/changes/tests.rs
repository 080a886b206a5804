use super::*;
use crate::plan::Plan;
use crate::plan::System;
use crate::plan::world::Step;
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
fn every_key_that_is_named_exists() {
    for key in AT_START_OF_SERVER {
        super::super::settings::key_of(Owner::Server, key);
    }
    for key in AT_START_OF_CLIENT {
        super::super::settings::key_of(Owner::Client, key);
    }
    for key in AT_RUN_TIME_OF_INSTANCE {
        super::super::settings::key_of(Owner::Instance, key);
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
