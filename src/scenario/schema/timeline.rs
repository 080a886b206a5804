//! What happens: steps, their verbs, what they wait for.
//!
//! Separate because a step is one object with the keys of all verbs, so that an editor offers them at once; which keys go together
//! is said by rules beside it.

use super::build::{
    Object, any_of, at_least, defined, explained, flag, list, named, number, object, scalar, text, words,
};
use super::{cluster, settings, words as named_words};
use crate::protocol::eureka::wire;
use crate::protocol::{Gauge, Health, Status};
use crate::scenario::system::Owner;
use crate::scenario::timeline::{Lasts, REQUESTS, VERBS, WORDS, can_be_waited_for};
use serde_json::{Map, Value as Json, json};

/// The parts by their names in the schema.
pub(super) fn definitions() -> Map<String, Json> {
    [("step", step()), ("trigger", trigger()), ("status", status())]
        .into_iter()
        .map(|(name, part)| (name.to_owned(), part))
        .collect()
}

/// What each verb is, what it takes, and the keys that may stand beside it.
fn verbs() -> Vec<(&'static str, &'static str, Json, Vec<&'static str>)> {
    let (who, path) = (|| defined("who"), || defined("path"));
    vec![
        ("crash", "Processes die at once.", who(), vec![]),
        ("power-off", "Hosts lose power: silence.", who(), vec!["unflushed"]),
        ("restart", "Processes start again, with their disks or without.", who(), vec!["wipe"]),
        ("stop", "Processes are told to shut down.", who(), vec![]),
        ("pause", "Processes stand still (a long collection, a frozen machine).", who(), vec![]),
        ("slow", "Processes take `factor` times their normal time.", who(), vec!["factor"]),
        (
            "partition",
            "Groups cannot reach each other; who is in none keeps all links: `[[a, b], [c]]`.",
            groups(),
            vec![],
        ),
        ("bridge", "Two groups that cannot reach each other both reach the bridge.", who(), vec!["between"]),
        ("isolate", "They reach nobody, and nobody reaches them.", who(), vec!["only"]),
        ("cut", "Nothing passes, one way or both.", path(), vec![]),
        (
            "flap",
            "A path, or all paths of a place, go down and come up again and again.",
            any_of([path(), who()]),
            vec!["down", "up"],
        ),
        (
            "silence",
            "Hosts neither refuse nor reset: who calls a process that is down gets silence.",
            who(),
            vec![],
        ),
        (
            "path",
            "The path has another quality.",
            path(),
            vec!["latency", "jitter", "loss", "duplication", "reordering", "bandwidth"],
        ),
        ("reset", "Connections are reset.", path(), vec![]),
        ("messages", "Messages are interfered with.", messages(), vec![]),
        ("clock", "Clocks go wrong.", who(), vec!["jump", "drift", "freeze"]),
        ("slow-disk", "Flushes take `factor` times their normal time.", who(), vec!["factor"]),
        ("full-disk", "Flushes fail.", who(), vec![]),
        (
            "rolling-restart",
            "Processes stop and start again, some after the others.",
            rolling_restart(),
            vec![],
        ),
        ("scale", "A service has so many instances from then on.", scale(), vec![]),
        ("request", "An operator, or the application, asks for something.", request(), vec![]),
        ("set", "Settings change while processes run.", set(), vec![]),
        ("resolve", "What stands behind addresses changes, or what DNS records list.", resolve(), vec![]),
    ]
}

fn step() -> Json {
    let directions = [("inbound", "Packets to it are lost."), ("outbound", "Packets from it are lost.")];
    let fates = [("kept", "All."), ("lost", "Nothing."), ("torn", "All but the last record of each file.")];
    let mut step = object("a step")
        .key("name", "Its name in pictures, and for `after`.", text())
        .key("at", "When it happens first, from the start of the run.", defined("duration"))
        .key("after", "When it happens first, from the end of a named step.", defined("after"))
        .key("when", "What it waits for: an event, or a gauge that comes into a bound.", defined("trigger"))
        .key("for", "How long it lasts. Default: until the end of the run.", defined("duration"))
        .key(
            "over",
            "Those who are meant are hit one after the other, the last one so much later than the first.",
            defined("duration"),
        )
        .key("every", "Again every so often.", defined("duration"))
        .key("until", "The end of the repetition.", defined("duration"))
        .key("wipe", "`true`: without their disks.", flag())
        .key("factor", "So many times slower: `10x`.", defined("factor"))
        .key(
            "unflushed",
            "What is left of writes that were not flushed.",
            explained("a fate of unflushed writes", fates),
        )
        .key("between", "The two groups that cannot reach each other.", groups())
        .key("only", "Only packets in one direction.", explained("a direction", directions))
        .key("down", "How long it is down each time; a range is drawn from.", defined("range"))
        .key("up", "How long it is up each time; a range is drawn from.", defined("range"))
        .key("jump", "The wall clock jumps by so much.", defined("offset"))
        .key("drift", "Both clocks run too fast, or too slow.", defined("drift"))
        .key("freeze", "`true`: the wall clock stands still.", flag());
    step = cluster::quality(step).key(
        "distance",
        "A distance does not change during a run.",
        json!({ "not": {}, "doNotSuggest": true }),
    );
    let verbs = verbs();
    let mut beside: Vec<(&str, Vec<&str>)> = Vec::new();
    for (verb, about, value, keys) in &verbs {
        step = step.key(verb, about, value.clone());
        for key in keys {
            match beside.iter_mut().find(|(known, _)| known == key) {
                Some((_, of)) => of.push(verb),
                None => beside.push((key, vec![verb])),
            }
        }
    }
    for (key, of) in beside {
        step = step.only_with(key, of);
    }
    let those = |is: fn(&crate::scenario::timeline::Verb) -> bool| {
        VERBS.iter().filter(move |verb| is(verb)).map(|verb| verb.key)
    };
    let needs = |step: Object, verb: &str, keys: Json| {
        step.rule(json!({ "if": { "required": [verb] }, "then": keys }))
    };
    step = step.only_with("for", those(|verb| verb.lasts == Lasts::Maybe));
    step = step.only_with("over", those(|verb| verb.spreads));
    step = step.one_of(verbs.iter().map(|(verb, ..)| *verb));
    step = needs(step, "slow", json!({ "required": ["factor"] }));
    step = needs(step, "slow-disk", json!({ "required": ["factor"] }));
    step = needs(step, "bridge", json!({ "required": ["between"] }));
    step = needs(step, "flap", json!({ "required": ["down", "up"] }));
    let one = |keys: &[&str]| -> Vec<Json> { keys.iter().map(|key| super::build::there(key)).collect() };
    step = needs(step, "clock", json!({ "oneOf": one(&["jump", "drift", "freeze"]) }));
    let qualities = ["latency", "jitter", "loss", "duplication", "reordering", "bandwidth"];
    step = needs(step, "path", json!({ "anyOf": one(&qualities) }));
    step.not_both("for", "jump")
        .not_both("at", "after")
        .not_both("when", "every")
        .rule(json!({ "anyOf": one(&["at", "after", "when"]) }))
        .rule(json!({ "dependentRequired": { "every": ["until"], "until": ["every"] } }))
        .rule(held())
        .build()
}

/// Messages that are held need an end.
fn held() -> Json {
    json!({
        "if": {
            "properties": {
                "messages": {
                    "properties": { "do": { "const": "hold" } },
                    "required": ["do"],
                    "type": "object",
                },
            },
            "required": ["messages"],
        },
        "then": { "required": ["for"] },
    })
}

fn groups() -> Json {
    let mut groups = list(defined("who"));
    groups["minItems"] = json!(2);
    groups
}

fn status() -> Json {
    words("a status", Status::ALL.map(Status::name))
}

fn trigger() -> Json {
    let counted: Vec<&str> =
        Gauge::ALL.iter().filter(|gauge| can_be_waited_for(**gauge)).map(|gauge| gauge.name()).collect();
    let of_clients: Vec<&str> =
        Gauge::ALL.iter().filter(|gauge| gauge.of_clients()).map(|gauge| gauge.name()).collect();
    let plain: Vec<&str> = WORDS.iter().filter(|(_, word)| !word.is_event()).map(|(name, _)| *name).collect();
    let gauge = named_words::gauges(counted.iter().copied());

    let events = named_words::events("an event", WORDS.iter().map(|(name, _)| *name));
    let form = object("`when`")
        .key("event", "What must happen.", events.clone())
        .key("gauge", "The figure that must come into the bound `is`.", gauge)
        .key("of", "To or about which instances. Default: any.", defined("who"))
        .key("server", "Who reports it, or whose figure it is. Default: any.", defined("who"))
        .key("client", "Whose figure it is.", defined("who"))
        .key("status", "With which status. Default: any.", defined("status"))
        .key("is", "The bound that the figure must come into.", defined("bound-of-number"))
        .key("nth", "The how many-th time counts. Default 1.", cluster::times())
        .key("plus", "So much later.", defined("duration"))
        .one_of(["event", "gauge"])
        .only_with("of", ["event"])
        .only_with("status", ["event"])
        .only_with("client", ["gauge"])
        .only_with("is", ["gauge"])
        .rule(json!({ "if": { "required": ["gauge"] }, "then": { "required": ["is"] } }))
        .rule(json!({
            "if": { "properties": { "gauge": { "enum": of_clients } }, "required": ["gauge"] },
            "then": { "required": ["client"] },
            "else": { "not": { "required": ["client"] } },
        }))
        .not_both("server", "client")
        .rule(json!({
            "if": { "properties": { "event": { "enum": plain } }, "required": ["event"] },
            "then": { "not": { "anyOf": [{ "required": ["status"] }, { "required": ["of", "server"] }] } },
        }));
    any_of([events, form.build()])
}

fn messages() -> Json {
    let matching = object("`match`")
        .key("kind", "The kind of message.", words("a kind of message", wire::KINDS.iter().copied()))
        .key("from", "Who sends it.", defined("who"))
        .key("to", "Who would receive it.", defined("who"))
        .key("instance", "The instance that it is about.", defined("who"))
        .key("nth", "Only the n-th match, from 1.", number(1, u64::from(u32::MAX)));
    let fail = object("`fail`").needs("status", "The HTTP status of the answer.", number(300, 599)).key(
        "body",
        "Its body.",
        scalar(),
    );
    let done = object("`do`")
        .key("delay", "It arrives so much later.", defined("duration"))
        .key("fail", "The caller gets this HTTP status instead.", any_of([number(300, 599), fail.build()]))
        .key("redirect", "The caller is sent to this server or address with 302.", text())
        .one_of(["delay", "fail", "redirect"])
        .build();
    let things = [
        ("drop", "It is lost."),
        ("hold", "It arrives when the fault ends, which needs a `for`."),
        ("duplicate", "It arrives twice."),
        ("break", "The connection breaks: an I/O error without a message."),
    ];
    object("`messages`")
        .key("match", "Which messages are meant. Default: all.", matching.build())
        .needs("do", "What happens to them.", any_of([explained("a thing to do", things), done]))
        .build()
}

fn rolling_restart() -> Json {
    object("`rolling-restart`")
        .needs("of", "Whose.", defined("who"))
        .needs("every", "Time between one batch and the next.", defined("duration"))
        .needs("down", "How long each process is down.", defined("duration"))
        .key("at-once", "How many at a time. Default 1.", number(1, u64::from(u32::MAX)))
        .key("graceful", "`false`: they crash instead of being told to stop.", flag())
        .build()
}

fn scale() -> Json {
    object("`scale`")
        .needs("service", "Which.", text())
        .needs("to", "How many instances.", at_least(0))
        .key("graceful", "`false`: those that are too many are gone without a word.", flag())
        .build()
}

fn request() -> Json {
    let about = |key| match key {
        "register" => "Register it.",
        "renew" => "Renew its lease.",
        "deregister" => "Remove it.",
        "set-status" => "At a server: override its status. Without `to`: the application changes it.",
        "clear-status" => "Remove the override; `status` says what it is then.",
        "set-metadata" => "Change its metadata, at a server or, without `to`, at the instance.",
        "set-health" => "What its health check finds from now on.",
        "set-group" => "Enable or disable a group of instances.",
        _ => "",
    };
    let mut request = object("a request")
        .key("to", "The server that is asked. Without it: the instance itself.", defined("who"))
        .key("expect", "The HTTP status that it must be answered with.", number(200, 599))
        .key("status", "The new status.", defined("status"))
        .key("metadata", "The new metadata, texts by name.", {
            let mut metadata = json!({ "type": "object", "additionalProperties": scalar() });
            metadata["minProperties"] = json!(1);
            metadata
        })
        .key(
            "health",
            "What the health check finds.",
            words("a health", Health::ALL.iter().map(|(name, _)| *name)),
        )
        .key("enabled", "Whether the group is enabled.", flag())
        .one_of(REQUESTS.iter().map(|(key, _)| *key));
    for (key, needs) in REQUESTS {
        let of = if key == "set-group" { text() } else { defined("who") };
        request = request.key(key, about(key), of);
        if let Some((value, _)) = needs {
            request = request.rule(json!({ "if": { "required": [key] }, "then": { "required": [value] } }));
            let users = REQUESTS.iter().filter(|(_, other)| other.is_some_and(|(other, _)| other == value));
            let mut users: Vec<&str> = users.map(|(key, _)| *key).collect();
            if value == "status" {
                users.push("clear-status");
            }
            request = request.only_with(value, users);
        }
    }
    request.build()
}

/// Of a server or of a client: each has its own settings.
fn set() -> Json {
    let side = |whose, list_of, about, owners: &[Owner]| {
        let mut form = object("`set`")
            .needs(whose, "Whose settings change.", defined("who"))
            .key(list_of, about, list(text()))
            .build();
        let (mut keys, mut patterns) = (Map::new(), Map::new());
        owners.iter().for_each(|owner| settings::keys_of(*owner, &mut keys, &mut patterns));
        // Nested keys of the product may be called so, too, and are then written in one piece.
        ["server", "client"].iter().for_each(|key| drop(keys.remove(*key)));
        if let Some(properties) = form["properties"].as_object_mut() {
            for (key, value) in keys {
                properties.entry(key).or_insert(value);
            }
        }
        form["patternProperties"] = json!(patterns);
        form["minProperties"] = json!(2);
        form
    };
    let servers = side(
        "server",
        "peers",
        "The servers that it replicates to from then on.",
        &[Owner::Server, Owner::Client, Owner::Instance],
    );
    let clients = side(
        "client",
        "servers",
        "The servers that it knows from then on, the one to be tried first in front.",
        &[Owner::Client, Owner::Instance],
    );
    json!({ "oneOf": [servers, clients] })
}

fn resolve() -> Json {
    let mut book = named(super::quantities::behind());
    book["type"] = json!("object");
    book["minProperties"] = json!(1);
    book
}
