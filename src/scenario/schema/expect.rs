//! What must hold: the entries of `expect`.
//!
//! Separate because expectations are a vocabulary of their own. As a step, an entry is one object with the keys of all kinds.

use super::build::{Object, any_of, defined, described, explained, flag, list, object, text};
use super::cluster::times;
use super::words::{events, gauges};
use crate::protocol::Gauge;
use crate::scenario::expect::{HAPPENINGS, HOLDINGS, Unit};
use serde_json::{Map, Value as Json, json};

/// The parts by their names in the schema.
pub(super) fn definitions() -> Map<String, Json> {
    let known_weakness = expectation()
        .key("violates", "A known weakness: what must not hold.", defined("judgement"))
        .key("reported", "Where users reported the weakness.", text())
        .only_with("reported", ["violates"])
        .one_of(kinds().iter().map(|(kind, ..)| *kind).chain(["violates"]));
    let judgement = expectation().one_of(kinds().iter().map(|(kind, ..)| *kind));
    [
        ("expectation", known_weakness.build()),
        ("judgement", judgement.build()),
        ("pattern", any_of([happenings(), pattern(object("an event")).build()])),
        ("mark", mark()),
    ]
    .into_iter()
    .map(|(name, part)| (name.to_owned(), part))
    .collect()
}

/// What can be expected.
fn kinds() -> Vec<(&'static str, &'static str, Json)> {
    vec![
        (
            "converged",
            "So long after the last disturbance, all servers and subscribed clients hold the truth, and keep doing so.",
            object("`converged`").needs("within", "How long after it.", defined("duration")).build(),
        ),
        (
            "holds",
            "A check that is always on holds, and had a chance to fail.",
            explained("a check", HOLDINGS.iter().map(|(name, holding)| (*name, holding.about()))),
        ),
        ("never", "It does not happen.", defined("pattern")),
        ("sometimes", "It happens at least once.", defined("pattern")),
        ("registered", "At a moment, these observers list these instances.", held("`registered`")),
        ("not-registered", "At a moment, they list none of them.", held("`not-registered`")),
        ("gauge", "A figure lies within a bound, all the time.", gauge()),
        (
            "count",
            "Something happens so often.",
            pattern(object("`count`")).needs("is", "How often.", defined("bound-of-number")).build(),
        ),
        (
            "delay",
            "From one moment to the next, so much time passes.",
            object("`delay`")
                .needs("from", "The first moment.", defined("mark"))
                .needs("to", "The second.", defined("mark"))
                .needs("is", "The time between them.", defined("bound-of-duration"))
                .build(),
        ),
        ("order", "The moments come in this order.", {
            let mut moments = list(defined("mark"));
            moments["minItems"] = json!(2);
            moments
        }),
        (
            "calls",
            "A share of the calls is answered.",
            object("`calls`")
                .key("of", "Who calls. Default: everybody who does.", defined("who"))
                .key("to", "Which service is called. Default: any.", text())
                .key("during", "When the calls end. Default: the whole run.", defined("during"))
                .needs("success", "The share.", defined("bound-of-share"))
                .build(),
        ),
        ("conflict-resolved", "The same as `holds: conflict-resolution`.", flag()),
    ]
}

fn expectation() -> Object {
    kinds()
        .into_iter()
        .fold(object("an expectation"), |entry, (kind, about, value)| entry.key(kind, about, value))
}

fn happenings() -> Json {
    events("an event", HAPPENINGS.iter().map(|(name, _)| *name))
}

/// The keys of something that may happen, put into an object that may have others.
fn pattern(object: Object) -> Object {
    window(
        object
            .needs("event", "What happens.", happenings())
            .key("of", "To or about which instances. Default: any.", defined("who"))
            .key("server", "At which servers, or at which processes. Default: any.", defined("who"))
            .key("status", "With which status. Default: any.", defined("status")),
    )
}

fn window(object: Object) -> Object {
    object
        .key("at", "At one moment.", defined("moment"))
        .key("during", "From one moment to another. Default: the whole run.", defined("during"))
        .not_both("at", "during")
}

fn held(what: &'static str) -> Json {
    object(what)
        .key("service", "All instances of a service.", defined("who"))
        .key("instance", "One instance, or some.", defined("who"))
        .key("server", "Whose registry is looked at. Default: all servers.", defined("who"))
        .key("client", "Whose copy is looked at.", defined("who"))
        .key("status", "With which status. Default: any.", defined("status"))
        .key("by", "When. Default: the end of the run.", defined("moment"))
        .one_of(["service", "instance"])
        .not_both("server", "client")
        .build()
}

fn gauge() -> Json {
    let names = |is: &dyn Fn(Gauge) -> bool| -> Vec<&'static str> {
        Gauge::ALL.into_iter().filter(|gauge| is(*gauge)).map(Gauge::name).collect()
    };
    let which =
        |names: Vec<&str>| json!({ "properties": { "name": { "enum": names } }, "required": ["name"] });
    let is = |value: Json| json!({ "properties": { "is": value } });
    let server = described(text(), "A server or address by its name, or `none`.");
    window(
        object("`gauge`")
            .needs("name", "Which figure.", gauges(Gauge::ALL.map(Gauge::name)))
            .key("server", "Of which servers.", defined("who"))
            .key("client", "Of which clients.", defined("who")),
    )
    .needs("is", "The bound.", json!({}))
    .one_of(["server", "client"])
    .rule(json!({
        "if": which(names(&Gauge::of_clients)),
        "then": { "required": ["client"] },
        "else": { "required": ["server"] },
    }))
    .rule(json!({
        "if": which(names(&|gauge| Unit::of(gauge) == Unit::Time)),
        "then": is(defined("bound-of-duration")),
        "else": {
            "if": which(names(&|gauge| Unit::of(gauge) == Unit::Server)),
            "then": is(server),
            "else": is(defined("bound-of-number")),
        },
    }))
    .build()
}

fn mark() -> Json {
    let moment = pattern(object("a moment"))
        .key("step", "The step of this name takes effect.", text())
        .key("end-of", "The step of this name ends.", text())
        .key("forgotten", "From here on, none of these lists any of the instances.", defined("who"))
        .key("known", "From here on, all of these list all of the instances.", defined("who"))
        .key("by", "Who lists them. Default: all servers.", defined("who"))
        .key("nth", "Of an event: the how many-th time, from the moment before on. Default 1.", times())
        .one_of(["step", "end-of", "event", "forgotten", "known"])
        .only_with("by", ["forgotten", "known"]);
    let moment = ["of", "server", "status", "at", "during", "nth"]
        .into_iter()
        .fold(moment, |moment, key| moment.only_with(key, ["event"]));
    let mut moment = moment.build();
    moment.as_object_mut().map(|moment| moment.remove("required"));
    any_of([defined("moment"), moment])
}
