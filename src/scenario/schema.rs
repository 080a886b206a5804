//! The language as a JSON Schema, for editors: completion, help and underlined mistakes while a scenario is written.
//!
//! Separate from the readers because a schema says less than they do: it knows no names, no cross references, no sums. Where the readers
//! have tables (verbs, events, gauges, settings, units), it is made of the same; where they ask for keys, a test holds the two
//! together: what [`super::read::Fields`] was asked for is what stands here. An object's `$comment` is what its reader calls it.
//!
//! Reading order: [`build`] (the forms), [`quantities`], [`settings`], [`words`], then the parts of the language. The dialect is 2020-12.

mod build;
mod quantities;
mod settings;
mod words;
mod cluster;
mod timeline;
mod expect;

use self::build::{any_of, at_least, defined, list, named_processes, object, or_nothing, text};
use super::cure::CHANGED as CURED;
use super::vary::VARIED;
use serde_json::{Map, Value as Json, json};

/// The schema of scenario files.
pub fn schema() -> Json {
    let scenario = object("a scenario")
        .needs("title", "One line: what happens.", text())
        .key("about", "What it is about.", text())
        .key("seed", "The seed, if the command line gives none. Default 1.", at_least(0))
        .key(
            "duration",
            "How long the run is. Default: long enough for the timeline and all expectations.",
            defined("duration"),
        )
        .key("system", "Which system runs, with which settings.", defined("system"))
        .key("topology", "Where things are: regions, paths, hosts, addresses.", defined("topology"))
        .needs("servers", "The registry servers, by name.", named_processes(defined("server")))
        .key("services", "What registers and calls, by name.", named_processes(defined("service")))
        .key("timeline", "What happens: a list of steps.", list(defined("step")))
        .key("expect", "What must hold: a list of expectations.", list(defined("expectation")))
        .key("cure", "What makes the known weaknesses go away, or a list of alternatives.", cure())
        .key("vary", "Settings to sweep: where each stands, as for `--set`, and its values.", vary());
    let mut schema = scenario.build();
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    let definitions =
        [quantities::definitions(), cluster::definitions(), timeline::definitions(), expect::definitions()];
    schema["$defs"] = json!(definitions.into_iter().flatten().collect::<Map<String, Json>>());
    schema
}

fn cure() -> Json {
    let mut cure = object("a cure")
        .key("about", "What it is, and why it helps.", text())
        .key("system", "Changes of the system.", defined("system"))
        .key("topology", "Changes of the topology.", defined("topology"))
        .key("servers", "Changes of servers.", named_processes(defined("server")))
        .key("services", "Changes of services.", named_processes(defined("service")))
        .key("expect", "What must hold instead with it.", list(defined("expectation")))
        .build();
    let changes: Vec<Json> = CURED.iter().map(|key| json!({ "required": [key] })).collect();
    cure["anyOf"] = json!(changes);
    any_of([cure.clone(), list(cure)])
}

fn vary() -> Json {
    let first = VARIED.join("|");
    let values = json!({ "type": "array", "minItems": 1 });
    or_nothing(json!({
        "type": "object",
        "patternProperties": { format!(r"^(?:{first})(?:\..*)?$"): values },
        "additionalProperties": false,
    }))
}

#[cfg(test)]
mod tests;
