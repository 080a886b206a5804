//! Every setting of the tables changes what happens, in a world in which it matters: none is read and then forgotten.
//!
//! The worlds are small and eventful. A row names one: it is run with the setting's default and with another value, and the two
//! runs must differ. What exactly a setting does is held beside the code that does it, and in the transcripts.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use regsim::plan::{Plan, System};
use regsim::protocol::eureka::instance::About;
use regsim::protocol::eureka::node::Config;
use regsim::run::run;
use regsim::scenario::Scenario;
use regsim::scenario::system::Owner;

use crate::fidelity::collect;

/// Three peers in two zones; providers come, crash, stop and are overridden; a peer is cut off, and another goes and returns.
const WORLD: &str = "
title: Peers
system: { eureka: { profile: <PROFILE>, cloud: <CLOUD>, server: {<SERVER>}, client: {<CLIENT>}, instance: {<INSTANCE>}, fixes: {<FIXES>} } }
topology:
  regions: { us-east-1: [z1, z2] }
<TOPOLOGY>
  paths: { same-zone: { latency: 1ms..9ms, bandwidth: 1MB/s }, same-region: { latency: 4ms..90ms, bandwidth: 200kB/s } }
servers: { a: { <EACH> }, b: { <EACH> }, c: { <EACH> zone: z2 } <SERVERS> }
services:
  provider: { instances: 6, zone: [z1, z2], start: 0s..3m, client: {<PROVIDER>}, instance: {<PROVIDER_INSTANCE>} <SERVICE> }
  consumer: { instances: 2, calls: { provider: 1/s }, client: {<CALLER>} <SERVICE> }
<SERVICES>
timeline:
  - { at: 200s, crash: provider/0 }
  - { at: 250s, request: { set-status: provider/1, status: OUT_OF_SERVICE, to: a } }
  - { at: 260s, request: { set-status: provider/2, status: DOWN } }
  - { at: 270s, for: 70s, cut: a -> b }
  - { at: 280s, request: { set-status: provider/2, status: UP } }
  - { at: 290s, request: { clear-status: provider/1, to: a } }
  - { at: 300s, stop: provider/3 }
  - { at: 310s, for: 60s, messages: { match: { kind: replication, to: c }, do: { fail: 503 } } }
  - { at: 380s, for: 100s, partition: [[a, provider/4], [b, c]] }
  - { at: 500s, crash: b }
  - { at: 620s, restart: b }
  - { at: 640s, for: 120s, slow: c, factor: 30x }
  - { at: 700s, power-off: host provider/5 }
<MORE>
duration: 20m
";

/// What is filled in, and where.
type Given = &'static [(&'static str, &'static str)];

const AWS: Given = &[("PROFILE", "netflix"), ("CLOUD", "true")];
const GROUP: Given = &[
    ("PROFILE", "netflix"),
    ("CLOUD", "true"),
    ("INSTANCE", "a-s-g-name: blue"),
    ("MORE", "  - { at: 4m, request: { set-group: blue, enabled: false, to: a } }"),
    ("MORE", "  - { at: 241s, request: { set-group: blue, enabled: true, to: a } }"),
    ("MORE", "  - { at: 6m, request: { set-group: blue, enabled: false, to: b } }"),
    ("SERVICES", "  other: { instance: { a-s-g-name: green } }"),
    ("MORE", "  - { at: 320s, request: { set-group: blue, enabled: true, to: a } }"),
    ("MORE", "  - { at: 321s, request: { set-group: green, enabled: false, to: a } }"),
    ("MORE", "  - { at: 322s, request: { set-group: blue, enabled: false, to: a } }"),
    ("MORE", "  - { at: 323s, request: { set-group: green, enabled: true, to: a } }"),
];
const LIMITED: Given = &[
    ("SERVER", "rate-limiter-throttle-standard-clients: true"),
    ("SERVER", "rate-limiter-burst-size: 1"),
    ("SERVER", "rate-limiter-registry-fetch-average-rate: 1"),
];
const LIMITER: Given = &[
    ("SERVER", "rate-limiter-enabled: true"),
    ("SERVER", "rate-limiter-burst-size: 1"),
    ("SERVER", "rate-limiter-registry-fetch-average-rate: 1"),
];
const LIMITER_OF_ALL: Given = &[
    ("SERVER", "rate-limiter-enabled: true"),
    ("SERVER", "rate-limiter-throttle-standard-clients: true"),
    ("MORE", "  - { at: 900s, restart: consumer }"),
    ("MORE", "  - { at: 900s, restart: provider }"),
];
const FAR: Given = &[
    ("SERVERS", ", d: { zone: z2, peers: [d] }"),
    ("EACH", "peers: [a, b, c],"),
    ("SERVICE", ", servers: [a, b, c]"),
    ("SERVICES", "  far: { instances: 2, servers: [d] }"),
    ("SERVICES", "  caller: { servers: [a, b, c], calls: { far: 1/s } }"),
    ("MORE", "  - { at: 400s, for: 100s, slow: d, factor: 20000x }"),
    ("MORE", "  - { at: 800s, crash: far/0 }"),
];
const WEST: Given = &[("SERVER", "remote-region-urls-with-name: { west: \"http://d:8761/eureka/\" }")];
const FOR_LONG: Given = &[
    ("MORE", "  - { at: 900s, for: 80s, pause: d }"),
    ("SERVER", "remote-region-read-timeout-ms: 100s"),
    ("SERVER", "remote-region-registry-fetch-interval: 9"),
];
const LONG_WAY: Given = &[
    ("SERVER", "peer-node-read-timeout-ms: 20s"),
    ("MORE", "  - { at: 800s, for: 200s, path: a -> c, latency: 3s }"),
];
const BURST: Given = &[("SERVER", "rate-limiter-burst-size: 1")];
const FORGETFUL: Given =
    &[("SERVER", "asg-cache-expiry-timeout-ms: 9s"), ("SERVER", "asg-update-interval-ms: 1h")];
const ZONES: Given = &[("CLIENT", "availability-zones: { us-east-1: \"z1,z2\", west: z3 }")];
const URLS: Given = &[(
    "CLIENT",
    "service-url: { z1: \"http://a:8761/eureka/\", z3: \"http://b:8761/eureka/\", defaultZone: \"http://c:8761/eureka/\" }",
)];
const RECORDS: Given = &[
    ("TOPOLOGY", "  dns: { txt.us-east-1.example.com: [z1.example.com], txt.z1.example.com: [a, b] }"),
    ("CLIENT", "eureka-server-d-n-s-name: example.com"),
    ("CLIENT", "eureka-server-port: 8761"),
];
const REST: Given = &[
    ("SERVICE", ", transport: rest-client"),
    ("MORE", "  - { at: 800s, for: 60s, pause: a }"),
    ("MORE", "  - { at: 900s, for: 300s, isolate: consumer }"),
];
const PAUSED: Given = &[("SERVICE", ", servers: [a]"), ("MORE", "  - { at: 800s, for: 60s, pause: a }")];
const LATE: Given = &[
    ("SERVICE", ", servers: [a]"),
    (
        "MORE",
        "  - { at: 255s, for: 10s, messages: { match: { kind: replication, from: a, to: c }, do: { delay: 40s } } }",
    ),
];
const LONELY: Given = &[
    ("SERVICES", "  late: { servers: [lone], start: 5s, backup: [provider] }"),
    ("TOPOLOGY", "  addresses: { lone: nothing }"),
];
const SOME_ZONES: Given = &[
    ("CLIENT", "availability-zones: { us-east-1: \"z1,z2\" }"),
    ("CLIENT", "service-url: { defaultZone: \"http://c:8761/eureka/\" }"),
];
const VIPS: Given = &[("PROVIDER", "transport.write-cluster-vip: eureka-server")];
const COMPOSITE: Given = &[("PROVIDER", "transport.bootstrap-resolver-strategy: composite")];
const READ: Given = &[("PROVIDER", "transport.bootstrap-resolver-for-query: false")];
const NOT_FOUND: Given = &[(
    "MORE",
    "  - { at: 800s, for: 31s, messages: { match: { kind: heartbeat }, do: { fail: { status: 404, body: '{}' } } } }",
)];
const BOOTSTRAP: Given = &[("PROVIDER", "transport.read-cluster-vip: eureka-server")];

/// A world, what is set in it beforehand, and the setting.
struct Row {
    owner: Owner,
    key: &'static str,
    value: &'static str,
    /// Where it is set.
    place: &'static str,
    /// What else is set, and where.
    given: &'static [Given],
}

/// The places of a world that a row may fill in.
const PLACES: [&str; 15] = [
    "PROFILE",
    "CLOUD",
    "SERVER",
    "CLIENT",
    "INSTANCE",
    "FIXES",
    "PROVIDER",
    "PROVIDER_INSTANCE",
    "CALLER",
    "TOPOLOGY",
    "EACH",
    "SERVERS",
    "SERVICES",
    "SERVICE",
    "MORE",
];

const fn place(owner: Owner) -> &'static str {
    match owner {
        Owner::Server => "SERVER",
        Owner::Client => "CLIENT",
        Owner::Instance => "INSTANCE",
        Owner::Fixes => "FIXES",
    }
}

/// The plan of a row's world, with its setting or without.
fn planned(row: &Row, with: bool) -> Plan {
    let mut text = WORLD.to_owned();
    for name in PLACES {
        let given = row.given.iter().copied().flatten().filter(|(place, _)| *place == name);
        let mut values: Vec<String> = given.map(|(_, value)| (*value).to_owned()).collect();
        if with && name == row.place {
            values.push(format!("{}: {}", row.key, row.value));
        }
        let filled = match name {
            "PROFILE" if values.is_empty() => "spring-cloud".to_owned(),
            "CLOUD" if values.is_empty() => "false".to_owned(),
            "TOPOLOGY" | "SERVICES" | "MORE" => values.join("\n"),
            _ => values.join(", "),
        };
        text = text.replace(&format!("<{name}>"), &filled);
    }
    let no_files = &mut |_: &str| Err("no such file".to_owned());
    Scenario::parse(row.key, text.as_bytes(), &[], no_files)
        .and_then(|scenario| Plan::resolve(&scenario))
        .unwrap_or_else(|mistakes| panic!("{}: {mistakes:#?}\n{text}", row.key))
}

/// What the instances say about themselves, with their names.
fn said(plan: &Plan) -> (Vec<String>, Vec<Option<Arc<About>>>) {
    let System::Eureka(configs) = &plan.system;
    let about = |config: &Arc<Config>| {
        let client = match &**config {
            Config::Server(server) => &server.client,
            Config::Client(client) => client,
        };
        client.instance.as_ref().map(|instance| Arc::clone(&instance.about))
    };
    (plan.world.instances.clone(), configs.iter().map(about).collect())
}

const fn row(owner: Owner, key: &'static str, value: &'static str) -> Row {
    Row { owner, key, value, place: place(owner), given: &[] }
}

impl Row {
    const fn given(self, given: &'static [Given]) -> Row {
        Row { given, ..self }
    }

    const fn at(self, place: &'static str) -> Row {
        Row { place, ..self }
    }
}

/// Keys with a name in them, as the tables have them.
fn star(key: &str) -> String {
    let named = [
        "remote-region-urls-with-name",
        "remote-region-app-whitelist",
        "availability-zones",
        "service-url",
        "metadata-map",
    ];
    match key.split_once('.') {
        Some((before, _)) if named.contains(&before) => format!("{before}.*"),
        _ => key.to_owned(),
    }
}

/// What no scenario can show, and which test holds it.
const HELD_ELSEWHERE: [(&str, &str); 11] = [
    ("min-available-instances-for-peer-replication", "a_peer_is_available_if_an_instance_here_has_its_host"),
    ("rate-limiter-privileged-clients", "who_is_limited_and_in_what"),
    (
        "experimental.registration.validation.data-center-info-id",
        "amazon_without_an_id_is_refused_or_given_one",
    ),
    ("eureka-server-d-n-s-name", "dns_leads_to_servers"),
    ("eureka-server-port", "dns_leads_to_servers"),
    ("backup-registry-impl", "the_first_fetch_may_be_enforced_and_a_backup_registry_takes_its_place"),
    (
        "transport.applications-resolver-use-ip",
        "with_a_composite_bootstrap_the_constructor_first_asks_a_configured_server_for_servers",
    ),
    ("override-defaults-to-unknown", "a_missing_override_may_break_a_registration_half_way"),
    ("version-defaults-to-now", "a_missing_version_is_now_or_breaks_every_comparison"),
    ("encodes-missing-override", "one_record_that_cannot_be_written_blanks_the_registry_for_all_readers"),
    ("empty-apps-removed-on-delta", "an_emptied_application_is_kept_if_the_version_is_old_enough"),
];

#[test]
fn every_setting_changes_what_happens() {
    use Owner::{Client, Fixes, Instance, Server};
    let rows = [
        row(Server, "enable-self-preservation", "false"),
        row(Server, "renewal-percent-threshold", "0.3"),
        row(Server, "renewal-threshold-update-interval-ms", "60s"),
        row(Server, "expected-client-renewal-interval-seconds", "60"),
        row(Server, "eviction-interval-timer-in-ms", "20s"),
        row(Server, "wait-time-in-ms-when-sync-empty", "60s").given(&[&[("PROFILE", "netflix")]]),
        row(Server, "registry-sync-retries", "3").given(&[&[("PROFILE", "netflix")]]),
        row(Server, "registry-sync-retry-wait-ms", "7s"),
        row(Server, "peer-eureka-nodes-update-interval-ms", "100s"),
        row(Server, "peer-node-connect-timeout-ms", "90ms"),
        row(Server, "peer-node-read-timeout-ms", "20s"),
        row(Server, "peer-node-connection-idle-timeout-seconds", "2"),
        row(Server, "peer-node-total-connections-per-host", "1").given(&[LONG_WAY]),
        row(Server, "max-elements-in-peer-replication-pool", "2"),
        row(Server, "max-threads-for-peer-replication", "1"),
        row(Server, "max-time-for-replication", "3s"),
        row(Server, "sync-when-timestamp-differs", "false"),
        row(Server, "retention-time-in-m-s-in-delta-queue", "20s"),
        row(Server, "delta-retention-timer-interval-in-ms", "5s"),
        row(Server, "disable-delta", "true"),
        row(Server, "use-read-only-response-cache", "false"),
        row(Server, "response-cache-update-interval-ms", "9s"),
        row(Server, "response-cache-auto-expiration-in-seconds", "5"),
        row(Server, "expected-number-of-clients-sending-renews", "20"),
        row(Server, "default-open-for-traffic-count", "20")
            .given(&[&[("EACH", "client: { register-with-eureka: false },")]]),
        row(Server, "my-url", "\"http://b:8761/eureka/\""),
        row(Server, "peer-node-total-connections", "1").given(&[LONG_WAY]),
        row(Server, "max-elements-in-status-replication-pool", "1").given(&[GROUP]),
        row(Server, "max-threads-for-status-replication", "4").given(&[GROUP]),
        row(Server, "rate-limiter-enabled", "true").given(&[LIMITED]),
        row(Server, "rate-limiter-throttle-standard-clients", "true").given(&[LIMITER]),
        row(Server, "rate-limiter-burst-size", "1").given(&[LIMITER_OF_ALL]),
        row(Server, "rate-limiter-registry-fetch-average-rate", "1").given(&[LIMITER_OF_ALL, BURST]),
        row(Server, "rate-limiter-full-fetch-average-rate", "1").given(&[LIMITER_OF_ALL, BURST]),
        row(Server, "remote-region-urls-with-name.west", "\"http://d:8761/eureka/\"").given(&[FAR]),
        row(Server, "remote-region-connect-timeout-ms", "2ms").given(&[FAR, WEST]),
        row(Server, "remote-region-read-timeout-ms", "2ms").given(&[FAR, WEST]),
        row(Server, "remote-region-total-connections", "1").given(&[FAR, WEST, FOR_LONG]),
        row(Server, "remote-region-total-connections-per-host", "1").given(&[FAR, WEST, FOR_LONG]),
        row(Server, "remote-region-connection-idle-timeout-seconds", "1").given(&[FAR, WEST, FOR_LONG]),
        row(Server, "remote-region-registry-fetch-interval", "9").given(&[FAR, WEST]),
        row(Server, "remote-region-fetch-thread-pool-size", "1").given(&[FAR, WEST, FOR_LONG]),
        row(Server, "disable-delta-for-remote-regions", "true").given(&[FAR, WEST]),
        row(Server, "disable-transparent-fallback-to-other-region", "true").given(&[FAR, WEST]),
        row(Server, "remote-region-app-whitelist.west", "caller").given(&[FAR, WEST]),
        row(Server, "prime-aws-replica-connections", "false").given(&[AWS]),
        row(Server, "use-aws-asg-api", "false").given(&[GROUP, FORGETFUL]),
        row(Server, "asg-update-interval-ms", "9s").given(&[GROUP]),
        row(Server, "asg-cache-expiry-timeout-ms", "9s").given(&[GROUP]),
        row(Server, "experimental.bugfix.934", "false")
            .given(&[&[("FIXES", "override-dirties-timestamp: true")]]),
        row(Client, "register-with-eureka", "false").at("CALLER"),
        row(Client, "fetch-registry", "false").at("PROVIDER"),
        row(Client, "registry-fetch-interval-seconds", "9"),
        row(Client, "instance-info-replication-interval-seconds", "9"),
        row(Client, "initial-instance-info-replication-interval-seconds", "9")
            .given(&[&[("PROFILE", "netflix")]]),
        row(Client, "eureka-service-url-poll-interval-seconds", "9"),
        row(Client, "heartbeat-executor-thread-pool-size", "1").given(&[REST]),
        row(Client, "heartbeat-executor-exponential-back-off-bound", "1").given(&[REST]),
        row(Client, "cache-refresh-executor-thread-pool-size", "1").given(&[REST]),
        row(Client, "cache-refresh-executor-exponential-back-off-bound", "1").given(&[REST]),
        row(Client, "eureka-server-connect-timeout-seconds", "1"),
        row(Client, "eureka-server-read-timeout-seconds", "1").given(&[PAUSED]),
        row(Client, "eureka-connection-idle-timeout-seconds", "2"),
        row(Client, "eureka-server-total-connections-per-host", "1").given(&[PAUSED]),
        row(Client, "eureka-server-total-connections", "1").given(&[PAUSED]),
        row(Client, "prefer-same-zone-eureka", "false").at("PROVIDER").given(&[COMPOSITE, VIPS, ZONES, URLS]),
        row(Client, "disable-delta", "true"),
        row(Client, "filter-only-up-instances", "false"),
        row(Client, "should-unregister-on-shutdown", "false"),
        row(Client, "on-demand-update-status-change", "false"),
        row(Client, "transport.sessioned-client-reconnect-interval-seconds", "60"),
        row(Client, "transport.retryable-client-quarantine-refresh-percentage", "1.0"),
        row(Client, "region", "west").given(&[ZONES, URLS]),
        row(Client, "availability-zones.us-east-1", "\"z2,z1\"").given(&[URLS]),
        row(Client, "service-url.z1", "\"http://b:8761/eureka/\"").given(&[SOME_ZONES]),
        row(Client, "use-dns-for-fetching-service-urls", "true").given(&[RECORDS]),
        row(Client, "timeout.connect-timeout", "1s").given(&[REST]),
        row(Client, "timeout.socket-timeout", "1s").given(&[REST]),
        row(Client, "registry-refresh-single-vip-address", "provider").at("CALLER"),
        row(Client, "fetch-remote-regions-registry", "west").at("CALLER").given(&[FAR, WEST]),
        row(Client, "should-enforce-registration-at-init", "true").given(&[LONELY]),
        row(Client, "should-enforce-fetch-registry-at-init", "true").given(&[LONELY]),
        row(Client, "log-delta-diff", "true"),
        row(Client, "client-data-accept", "compact"),
        row(Client, "transport.bootstrap-resolver-strategy", "composite").at("PROVIDER").given(&[VIPS]),
        row(Client, "transport.write-cluster-vip", "eureka-server").at("PROVIDER").given(&[COMPOSITE]),
        row(Client, "transport.read-cluster-vip", "eureka-server").at("PROVIDER").given(&[READ]),
        row(Client, "transport.bootstrap-resolver-for-query", "false").at("PROVIDER").given(&[BOOTSTRAP]),
        row(Client, "transport.async-resolver-refresh-interval-ms", "9s")
            .at("PROVIDER")
            .given(&[READ, BOOTSTRAP]),
        row(Client, "transport.async-resolver-warm-up-timeout-ms", "1ms")
            .at("PROVIDER")
            .given(&[READ, BOOTSTRAP]),
        row(Client, "transport.applications-resolver-data-staleness-threshold-seconds", "9")
            .at("PROVIDER")
            .given(&[READ, BOOTSTRAP]),
        row(Client, "healthcheck.enabled", "true"),
        row(Instance, "lease-renewal-interval-in-seconds", "9"),
        row(Instance, "lease-expiration-duration-in-seconds", "20"),
        row(Instance, "instance-enabled-onit", "true"),
        row(Instance, "initial-status", "DOWN"),
        row(Fixes, "lease-double-duration", "false"),
        row(Fixes, "decrement-on-eviction", "false"),
        row(Fixes, "conflict-keeps-content", "false").given(&[LATE]),
        row(Fixes, "delta-copies", "false"),
        row(Fixes, "wait-replicator-on-stop", "false"),
        row(Fixes, "worker-dies-on-null-message", "true").given(&[&[(
            "MORE",
            "  - { at: 800s, for: 9s, messages: { match: { kind: replication, to: c }, do: break } }",
        )]]),
        row(Fixes, "timeout-is-congestion", "false"),
        row(Fixes, "eager-dirty-on-404", "false"),
        row(Fixes, "override-dirties-timestamp", "true"),
        row(Fixes, "shuffle-servers", "false"),
        row(Fixes, "serialisation-gap", "50ms"),
        row(Fixes, "strict-error-bodies", "false").given(&[NOT_FOUND]),
    ];
    let same: Vec<&str> = rows
        .iter()
        .filter(|row| {
            let [without, with] = [false, true].map(|with| run(&planned(row, with), 1, &mut ()).digest);
            without == with
        })
        .map(|row| row.key)
        .collect();
    assert!(same.is_empty(), "no effect: {same:#?}");

    let facts = [
        row(Instance, "appname", "other"),
        row(Instance, "app-group-name", "g"),
        row(Instance, "a-s-g-name", "blue"),
        row(Instance, "instance-id", "\"x-${random.value}\""),
        row(Instance, "hostname", "elsewhere").at("PROVIDER_INSTANCE"),
        row(Instance, "ip-address", "10.9.9.9"),
        row(Instance, "prefer-ip-address", "true"),
        row(Instance, "non-secure-port", "81"),
        row(Instance, "non-secure-port-enabled", "false"),
        row(Instance, "secure-port", "444"),
        row(Instance, "secure-port-enabled", "true"),
        row(Instance, "virtual-host-name", "v"),
        row(Instance, "secure-virtual-host-name", "v"),
        row(Instance, "metadata-map.rack", "r1"),
        row(Instance, "health-check-url-path", "/a/long/path/to/health"),
        row(Instance, "status-page-url-path", "/a/long/path/to/status"),
        row(Instance, "home-page-url-path", "/a/long/path/to/home"),
        row(Instance, "health-check-url", "\"http://a/health\""),
        row(Instance, "secure-health-check-url", "\"https://a/health\""),
        row(Instance, "status-page-url", "\"http://a/status\""),
        row(Instance, "home-page-url", "\"http://a/home\""),
    ];
    for row in &facts {
        assert_ne!(said(&planned(row, false)), said(&planned(row, true)), "{}", row.key);
    }

    let tried = rows.iter().chain(&facts).map(|row| (place(row.owner), star(row.key)));
    let tried: BTreeSet<(&str, String)> = tried.collect();
    let (mut tests, mut files) = (BTreeSet::new(), BTreeSet::new());
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut tests, &mut files);
    for (key, test) in HELD_ELSEWHERE {
        assert!(tests.contains(test), "{key}: no such test: {test}");
    }
    for owner in [Server, Client, Instance, Fixes] {
        for key in owner.keys().iter().filter(|key| key.inert.is_none()) {
            let excused = HELD_ELSEWHERE.iter().any(|(excused, _)| *excused == key.shown());
            let is_tried = tried.contains(&(place(owner), key.shown().to_owned()));
            assert!(is_tried != excused, "{owner:?} {}: either tried or held elsewhere", key.shown());
        }
    }
}
