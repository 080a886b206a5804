//! What there is: `system`, `topology`, `servers`, `services`.
//!
//! Separate because it is one half of a scenario; the other, `timeline` and `expect`, is about what happens.

use super::build::{
    Object, any_of, at_least, defined, described, explained, flag, list, named, number, object, one_or_more,
    or_nothing, scalar, text, words,
};
use super::quantities;
use super::settings::OWNERS;
use serde_json::{Map, Value as Json, json};

/// The parts by their names in the schema.
pub(super) fn definitions() -> Map<String, Json> {
    let mut all = Map::new();
    for (owner, name) in OWNERS {
        all.insert(name.to_owned(), super::settings::block(owner));
    }
    for (name, part) in [
        ("system", system()),
        ("topology", topology()),
        ("server", server()),
        ("service", service()),
        ("path-quality", quality(object("a path")).build()),
        ("address", address()),
    ] {
        all.insert(name.to_owned(), part);
    }
    all
}

fn system() -> Json {
    let profiles =
        [("spring-cloud", "Spring Cloud Netflix, the default."), ("netflix", "Eureka as Netflix ships it.")];
    let eureka = object("`eureka`")
        .key("profile", "Whose defaults and start-up sequence apply.", explained("a profile", profiles))
        .key("cloud", "`true`: everything runs in AWS (`eureka.datacenter=cloud`).", flag())
        .key("server", "Settings of all servers, by the product's own keys.", defined("settings-of-servers"))
        .key(
            "client",
            "Settings of all clients, and of the client inside each server.",
            defined("settings-of-clients"),
        )
        .key("instance", "Settings of all registered instances.", defined("settings-of-instances"))
        .key("fixes", "Behaviour of other versions of the product.", defined("fixes"));
    object("the system").needs("eureka", "Netflix Eureka.", or_nothing(eureka.build())).build()
}

fn topology() -> Json {
    let clock = object("a host's clock")
        .key("skew", "What is added to its wall clock from the start.", defined("offset"))
        .key("drift", "How much too fast its clocks run from the start.", defined("drift"));
    let host = object("a host").key("zone", "Where it is. Default: the first zone.", text()).key(
        "clock",
        "What is wrong with its clocks.",
        clock.build(),
    );
    object("the topology")
        .key(
            "regions",
            "The regions, each with its zones. The first zone is where everything is that says nothing else.",
            named(list(text())),
        )
        .key("paths", "How good the paths are.", paths())
        .key(
            "hosts",
            "Hosts that several processes share, or whose clock is wrong.",
            named(or_nothing(host.build())),
        )
        .key(
            "addresses",
            "Names that may stand in a list of servers, and what stands behind them.",
            named(defined("address")),
        )
        .key("dns", "DNS records of type TXT: the names that each one lists.", named(list(text())))
        .build()
}

fn paths() -> Json {
    let classes = [
        ("same-host", "Between processes on one host. Default: `latency: 50us`."),
        ("same-zone", "Between hosts in one zone. Default: `latency: 200us..500us`."),
        ("same-region", "Between zones in one region. Default: `latency: 500us..1500us`."),
        (
            "cross-region",
            "Between regions of which nothing else is said. Default: a median of 30 ms, 60 ms at p99.",
        ),
    ];
    let classes: Map<String, Json> = classes
        .into_iter()
        .map(|(class, about)| (class.to_owned(), described(defined("path-quality"), about)))
        .collect();
    let between = quantities::definitions()["path"]["pattern"].clone();
    let between = between.as_str().unwrap_or_default();
    or_nothing(json!({
        "type": "object",
        "properties": classes,
        "patternProperties": { between: { "$ref": "#/$defs/path-quality" } },
        "additionalProperties": false,
    }))
}

/// The keys of a path's quality, put into an object that may have others.
pub(super) fn quality(object: Object) -> Object {
    let burst = super::build::object("a loss").needs("share", "Share of the time.", defined("share")).needs(
        "burst",
        "How long everything is lost at a time.",
        defined("duration"),
    );
    object
        .key("latency", "One-way latency, or a distribution of it.", latency())
        .key("jitter", "A fixed latency varies evenly by so much in both directions.", defined("duration"))
        .key("distance", "How long it is; nothing is faster than 4.9 us per km.", defined("distance"))
        .key(
            "loss",
            "Share of packets lost, each on its own, or with `burst` all of them for a while.",
            any_of([defined("share"), burst.build()]),
        )
        .key("duplication", "Share of datagrams doubled.", defined("share"))
        .key("reordering", "Share of datagrams held back by up to one more latency.", defined("share"))
        .key("bandwidth", "Of each connection.", defined("bandwidth"))
        .only_with("jitter", ["latency"])
}

fn latency() -> Json {
    let pair = |what, [(one, about), (other, meaning)]: [(&'static str, &str); 2]| {
        object(what).needs(one, about, defined("duration")).needs(other, meaning, defined("duration")).build()
    };
    let quantiles = json!({
        "type": "object",
        "required": ["p0", "p100"],
        "propertyNames": { "pattern": r"^p(?:100(?:\.0)?|\d{1,2}(?:\.\d)?)$" },
        "additionalProperties": defined("duration"),
    });
    let distribution = object("a latency")
        .key("fixed", "Always the same.", defined("duration"))
        .key("uniform", "Every value of the range equally likely.", defined("range"))
        .key(
            "normal",
            "Normal.",
            pair("a normal latency", [("mean", "Its mean."), ("deviation", "Its standard deviation.")]),
        )
        .key(
            "lognormal",
            "Lognormal through two quantiles.",
            pair("a lognormal latency", [("median", "Half are below."), ("p99", "99 % are below.")]),
        )
        .key(
            "pareto",
            "Pareto through its least value and a quantile.",
            pair("a pareto latency", [("least", "None is below."), ("p99", "99 % are below.")]),
        )
        .key("quantiles", "Measured quantiles, from `p0` to `p100`, rising.", quantiles)
        .one_of(["fixed", "uniform", "normal", "lognormal", "pareto", "quantiles"])
        .build();
    any_of([defined("range"), distribution])
}

fn address() -> Json {
    let probe = object("a probe")
        .key("every", "Time between two checks, at least 10 ms. Default 2 s.", defined("duration"))
        .key("fall", "Failures in a row until a process gets no more connections. Default 3.", times())
        .key("rise", "Successes in a row until it gets some again. Default 2.", times())
        .key("get", "`true`: the process itself must answer, not only its host.", flag());
    let balanced = object("an address")
        .needs("of", "Those behind the balancer, which take turns.", defined("who"))
        .needs("probe", "How the balancer looks after them.", probe.build());
    any_of([quantities::behind(), balanced.build()])
}

/// A number that is counted from 1.
pub(super) fn times() -> Json {
    number(1, u64::from(u32::MAX))
}

fn transport() -> Json {
    let transports = [
        ("jersey", "The default: 5 s to connect, 8 s to read."),
        ("rest-client", "Spring's, 180 s each."),
        ("web-client", "Spring's."),
    ];
    explained("a transport", transports)
}

fn config() -> Json {
    let file = "A Spring Boot file, relative to the scenario: `.properties`, `.yml` or `.yaml`.";
    let files = object("a configuration")
        .needs("file", file, text())
        .key("profiles", "Which profiles are active, the last one over the others.", one_or_more(text()))
        .key("environment", "Environment variables, over all files.", named(or_nothing(scalar())));
    any_of([described(text(), file), files.build()])
}

fn server() -> Json {
    let server = object("a server")
        .key("zone", "Where it is. Default: the first zone.", text())
        .key("host", "One of `topology: hosts`, shared with others. Default: one of its own.", text())
        .key("config", "Its configuration.", config())
        .key(
            "peers",
            "Servers or addresses to replicate to, and to register with. Default: what its file says, else all others.",
            list(text()),
        )
        .key("start", "When it starts; a range is drawn from. Default: at once.", defined("range"))
        .key("server", "Settings of this server.", defined("settings-of-servers"))
        .key("client", "Settings of the client in it.", defined("settings-of-clients"))
        .key("instance", "Settings of what it registers.", defined("settings-of-instances"))
        .key("fixes", "Its version.", defined("fixes"))
        .key("transport", "How the client in it sends. Default: `jersey`.", transport());
    or_nothing(server.build())
}

fn service() -> Json {
    let service = object("a service").key(
        "instances",
        "How many: `provider/0`, `provider/1`, … Default 1.",
        at_least(1),
    );
    let instance = or_nothing(of_instances(object("an override")).build());
    let overrides = json!({
        "type": "object",
        "patternProperties": { r"^\s*(?:[^/]*/\s*)?\d+\s*(?:\.\.\s*\d+\s*)?$": instance },
        "additionalProperties": false,
    });
    let about =
        "What is said of some instances and not of the others, by number: `0`, or `1..2` with both ends.";
    or_nothing(of_instances(service).key("overrides", about, or_nothing(overrides)).build())
}

/// What may be said of one instance as of all.
fn of_instances(service: Object) -> Object {
    let rules = [
        ("round-robin", "One after the other."),
        ("random", "Any."),
        ("zone-aware", "One after the other of the caller's own zone; of all, if there is none in it."),
    ];
    let balancer = object("a balancer").key("rule", "How it picks.", explained("a rule", rules)).key(
        "cache",
        "Life of its own cache; `0s` is none.",
        defined("duration"),
    );
    let calls = object("calls")
        .needs("rate", "How often each instance calls.", defined("rate"))
        .key(
            "retries",
            "How often a call that failed is made again, on another instance. Default 0.",
            number(0, 100),
        )
        .key("timeout", "A try without an answer ends after this. Default 2 s.", defined("duration"));
    let sources = [
        ("none", "Nothing but the application."),
        ("callback", "A callback of the application."),
        ("actuator", "Spring's actuator."),
    ];
    let omitted = words("a field", ["overridden-status", "last-dirty-timestamp"]);
    service
        .key("zone", "A zone, or several in turn. Default: the first zone.", one_or_more(text()))
        .key("host", "One of `topology: hosts`, shared by all instances. Default: one each.", text())
        .key("config", "Their configuration.", config())
        .key(
            "servers",
            "Servers or addresses, the one to be tried first in front. Default: what the file says, else all, in any order.",
            one_or_more(text()),
        )
        .key("start", "When each instance starts; a range is drawn from. Default: `0s..30s`.", defined("range"))
        .key(
            "heartbeat-every",
            "Time between two heartbeats, finer than the product's key allows.",
            defined("duration"),
        )
        .key(
            "calls",
            "Calls that each instance makes to services, through its copy of the registry.",
            named(any_of([defined("rate"), calls.build()])),
        )
        .key("client", "Settings of their clients.", defined("settings-of-clients"))
        .key("instance", "Settings of what they register.", defined("settings-of-instances"))
        .key("fixes", "Their version.", defined("fixes"))
        .key("transport", "How their clients send. Default: `jersey`.", transport())
        .key(
            "balancer",
            "How they pick an instance to call. Default: as their product.",
            any_of([explained("a rule", rules), balancer.build()]),
        )
        .key(
            "backup",
            "Instances that their clients begin with if their first fetch fails.",
            defined("who"),
        )
        .key(
            "health",
            "What decides about their status beside the application.",
            explained("a health source", sources),
        )
        .key("application", "The application that they register as. Default: the service's name.", text())
        .key(
            "omits",
            "What their clients leave out of what they send, as clients of other makes do.",
            any_of([omitted.clone(), list(omitted)]),
        )
}
