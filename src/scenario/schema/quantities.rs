//! Quantities, selectors, paths and moments as patterns, made of the tables of units that their readers use.
//!
//! Separate because it is the only place with patterns. They say how a quantity is written, not which it may be.

use super::build::{any_of, defined, described, list, or};
use crate::scenario::units::{BANDWIDTH, DISTANCE, DRIFT, FACTOR, PER, SHARE, TIME};
use serde_json::{Map, Value as Json, json};

const NUMBER: &str = r"\d+(?:\.\d+)?";

/// `a|b`, of the names of units.
fn any(units: impl IntoIterator<Item = &'static str>) -> String {
    format!("(?:{})", units.into_iter().collect::<Vec<_>>().join("|"))
}

fn measure(units: &[(&'static str, u64)]) -> String {
    format!(r"{NUMBER}\s*{}", any(units.iter().map(|(name, _)| *name)))
}

/// `0`, or parts with units that become smaller.
fn duration_pattern() -> String {
    let mut worths: Vec<u64> = TIME.iter().map(|(_, worth)| *worth).collect();
    worths.sort_unstable_by(|a, b| b.cmp(a));
    worths.dedup();
    let part = |worth: &u64| {
        let units = TIME.iter().filter(|(_, other)| other == worth).map(|(name, _)| *name);
        format!(r"{NUMBER}\s*{}", any(units))
    };
    let from = |first: usize| {
        let smaller: String =
            worths[first + 1..].iter().map(|worth| format!(r"(?:\s*{})?", part(worth))).collect();
        part(&worths[first]) + &smaller
    };
    let all: Vec<String> = (0..worths.len()).map(from).collect();
    format!("(?:0|{})", all.join("|"))
}

fn whole(pattern: &str) -> String {
    format!(r"^\s*(?:{pattern})\s*$")
}

fn range(pattern: &str) -> String {
    format!(r"{pattern}(?:\s*\.\.\s*{pattern})?")
}

fn bound(pattern: &str) -> String {
    format!(r"(?:[<>]=?)\s*{pattern}|{}", range(pattern))
}

/// A text that is written so.
fn written(pattern: &str, what: &str) -> Json {
    let help = format!("expected {what}");
    json!({ "type": "string", "pattern": whole(pattern), "errorMessage": help, "description": format!("It is {what}.") })
}

/// Where `0` needs no unit: YAML makes a number of it.
fn or_zero(mut form: Json) -> Json {
    let about = form["description"].take();
    form.as_object_mut().map(|form| form.remove("description"));
    let mut either = any_of([form, json!({ "const": 0, "doNotSuggest": true })]);
    either["description"] = about;
    either
}

/// Those who are meant: any number of `N of`, then a name.
fn selector_pattern() -> String {
    let amount = format!(r"(?:\d+|{})\s+of\s+", measure(SHARE));
    let place = r"(?:zone|region|host)\s+[^,]*[^,\s]";
    let one = format!(r"(?:{amount})*(?:{place}|[^\s,/]+(?:\s*/\s*\d+)?)");
    format!(r"{one}(?:\s*,\s*{one})*")
}

/// A time of the run, or one after the end of a step.
fn moment_pattern() -> String {
    let duration = duration_pattern();
    format!(r"{duration}|[^\s\d](?:[^+]*|.*\+\s*{duration})")
}

/// Any share up to the whole.
fn share() -> Json {
    let whole_of_it = r"(?:100(?:\.0+)?|\d{1,2}(?:\.\d+)?)\s*%";
    let other = measure(&SHARE[1..]);
    written(&format!("{whole_of_it}|{other}"), "a share, such as `5%`, `0.01%` or `50ppm`")
}

/// How often.
fn rate() -> Json {
    let per = any(PER.iter().map(|(name, _)| *name));
    written(&format!(r"{NUMBER}\s*/\s*{per}"), "a rate, such as `20/s` or `3/min`")
}

/// What stands behind an address, if it is no mapping.
pub(super) fn behind() -> Json {
    let about = "Processes that take turns, `nothing` (a host that refuses) or `no-host` (silence).";
    described(who(), about)
}

fn who() -> Json {
    let one = written(
        &selector_pattern(),
        "a name, `provider/0`, `30% of provider`, `2 of provider`, `zone z1`, `region r1`, `host h1`, `servers`, `clients`, or a list of these",
    );
    let mut several = or(one, list(defined("who")));
    several["minItems"] = json!(1);
    or(several, json!({ "type": "integer" }))
}

/// Each quantity by its name in the schema.
pub(super) fn definitions() -> Map<String, Json> {
    let duration = duration_pattern();
    let path = selector_pattern();
    let moment = moment_pattern();
    let bound_of_number = or(
        written(&bound(r"\d+"), "a number or a bound, such as `3`, `3..5` or `\"<= 3\"`"),
        json!({ "type": "integer", "minimum": 0 }),
    );
    let all = [
        ("duration", or_zero(written(&duration, "a duration, such as `30s`, `250ms` or `1m30s`"))),
        (
            "range",
            or_zero(written(&range(&duration), "a duration or a range of durations, such as `200us..500us`")),
        ),
        ("offset", or_zero(written(&format!("[+-]?{duration}"), "a time difference, such as `-30s`"))),
        ("share", share()),
        ("rate", rate()),
        ("distance", written(&measure(DISTANCE), "a distance, such as `1300km`")),
        ("bandwidth", written(&measure(BANDWIDTH), "a bandwidth, such as `10MB/s` or `1Gbit/s`")),
        ("drift", written(&format!("[+-]?{}", measure(DRIFT)), "a drift, such as `200ppm`")),
        ("factor", written(&measure(FACTOR), "a factor, such as `10x`")),
        (
            "bound-of-duration",
            or_zero(written(&bound(&duration), "a duration or a bound, such as `\"<= 35s\"`")),
        ),
        ("bound-of-number", bound_of_number),
        ("bound-of-share", written(&bound(&measure(SHARE)), "a share or a bound, such as `\">= 99.9%\"`")),
        ("who", who()),
        ("path", written(&format!(r"{path}\s*<?->\s*{path}"), "a path, such as `a -> b` or `a <-> b`")),
        ("moment", or_zero(written(&moment, "a time, `90s`, or a time after a step, `split + 30s`"))),
        (
            "after",
            or(
                written(
                    &format!(r"[^+]+|.*\+\s*{duration}"),
                    "the name of a step, such as `split` or `split + 30s`",
                ),
                json!({ "type": "integer" }),
            ),
        ),
        (
            "during",
            written(&format!(r"(?:{moment})\s*\.\.\s*(?:{moment})"), "a stretch of time, such as `5m..9m`"),
        ),
    ];
    all.into_iter().map(|(name, form)| (name.to_owned(), form)).collect()
}
