//! Blocks of the product's settings, made of its key tables: every spelling in use, dotted or nested, with kind and range.
//!
//! Separate because nothing here is written by hand but the handful of keys whose texts mean something. Left out: spellings that nobody
//! uses though binding would take them (`EVICTION_interval-Timer`), and that one setting stands there in two spellings.

use super::build::{any_of, or};
use crate::protocol::Status;
use crate::protocol::eureka::config::{EARLIER, Key, Kind};
use crate::scenario::system::Owner;
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;

/// Whose blocks there are, and their names in the schema.
pub(super) const OWNERS: [(Owner, &str); 4] = [
    (Owner::Server, "settings-of-servers"),
    (Owner::Client, "settings-of-clients"),
    (Owner::Instance, "settings-of-instances"),
    (Owner::Fixes, "fixes"),
];

/// The block of an owner, as a mapping or nothing.
pub(super) fn block(owner: Owner) -> Json {
    let mut block = Block::default();
    for key in owner.keys() {
        let spellings = Spellings::of(key);
        let first = spellings.offered.first().map_or("", |(spelling, _)| spelling);
        for (spelling, netflix) in &spellings.offered {
            // A bare number may mean something else in the other spelling.
            let is_the_same = *spelling != first && !matches!(key.kind, Kind::Poll(..));
            block.put(spelling, &if is_the_same { as_in(owner, key, first) } else { leaf(key, *netflix) });
        }
        for spelling in spellings.taken {
            let mut quiet = as_in(owner, key, first);
            quiet["doNotSuggest"] = json!(true);
            block.put(&spelling, &quiet);
        }
    }
    or(block.build(), json!({ "type": "null" }))
}

/// A key in another spelling than the first.
fn as_in(owner: Owner, key: &Key, first: &str) -> Json {
    match first.contains('*') {
        true => leaf(key, false),
        false => json!({ "$ref": format!("#/$defs/{}/properties/{first}", name_of(owner)) }),
    }
}

fn name_of(owner: Owner) -> &'static str {
    OWNERS.iter().find(|(known, _)| *known == owner).map_or("", |(_, name)| name)
}

/// The keys of the block, each as a reference into it, and what its patterns allow.
pub(super) fn keys_of(owner: Owner, into: &mut Map<String, Json>, patterns: &mut Map<String, Json>) {
    let block = block(owner);
    let name = name_of(owner);
    for (key, form) in block["properties"].as_object().into_iter().flatten() {
        let mut reference = json!({ "$ref": format!("#/$defs/{name}/properties/{key}") });
        if form["doNotSuggest"] == true {
            reference["doNotSuggest"] = json!(true);
        }
        into.entry(key).or_insert(reference);
    }
    for (pattern, form) in block["patternProperties"].as_object().into_iter().flatten() {
        patterns.entry(pattern).or_insert(form.clone());
    }
}

/// How a key may be written.
struct Spellings {
    /// Those that are offered, and whether each is Netflix's.
    offered: Vec<(&'static str, bool)>,
    /// Others in use: Spring's keys with capitals, and their earlier names.
    taken: Vec<String>,
}

impl Spellings {
    fn of(key: &Key) -> Spellings {
        let mut offered = vec![(key.spring, false)];
        if key.netflix != key.spring {
            offered.push((key.netflix, true));
        }
        offered.retain(|(spelling, _)| !spelling.is_empty());
        let earlier = EARLIER.iter().filter(|(_, now)| *now == key.spring).map(|(name, _)| *name);
        let mut taken: Vec<String> = Vec::new();
        for spelling in earlier.clone().chain([key.spring]) {
            taken.push(capitals(spelling));
        }
        taken.extend(earlier.map(str::to_owned));
        taken.retain(|spelling| !spelling.is_empty() && offered.iter().all(|(known, _)| known != spelling));
        Spellings { offered, taken }
    }
}

/// `eviction-interval-timer` is `evictionIntervalTimer`.
fn capitals(key: &str) -> String {
    let mut words = key.split('-');
    let first = words.next().unwrap_or("").to_owned();
    words.fold(first, |key, word| {
        let mut letters = word.chars();
        key + &letters
            .next()
            .map(|letter| letter.to_ascii_uppercase())
            .into_iter()
            .chain(letters)
            .collect::<String>()
    })
}

/// Keys as a tree, because nested keys are joined by points.
#[derive(Default)]
struct Block {
    properties: BTreeMap<String, Json>,
    patterns: BTreeMap<String, Json>,
    nested: BTreeMap<String, Block>,
    /// Below a name that the user chooses.
    rest: Option<Box<Block>>,
    /// The value of such a name.
    any: Option<Json>,
}

impl Block {
    /// A key, in one piece and nested.
    fn put(&mut self, key: &str, leaf: &Json) {
        match key.split_once('*') {
            None => {
                self.properties.insert(key.to_owned(), leaf.clone());
            }
            Some(("", "")) => return self.any = Some(leaf.clone()),
            Some((before, after)) => {
                let pattern = format!("^{}.+{}$", before.replace('.', r"\."), after.replace('.', r"\."));
                self.patterns.insert(pattern, leaf.clone());
            }
        }
        match key.split_once('.') {
            None => {}
            Some(("*", inner)) => self.rest.get_or_insert_default().put(inner, leaf),
            Some((outer, inner)) => self.nested.entry(outer.to_owned()).or_default().put(inner, leaf),
        }
    }

    fn build(self) -> Json {
        let mut properties: Map<String, Json> = self.properties.into_iter().collect();
        for (key, block) in self.nested {
            let is_offered = block.any.is_some();
            let mut form = block.build();
            if !is_offered {
                form["doNotSuggest"] = json!(true);
            }
            let form = match properties.remove(&key) {
                Some(leaf) => any_of([leaf, form]),
                None => form,
            };
            properties.insert(key, form);
        }
        let rest = match (self.any, self.rest) {
            (Some(any), _) => any,
            (None, Some(rest)) => rest.build(),
            (None, None) => json!(false),
        };
        let mut form = json!({ "type": "object", "properties": properties, "additionalProperties": rest });
        if !self.patterns.is_empty() {
            form["patternProperties"] = json!(self.patterns);
        }
        form
    }
}

/// What a key may be, and what it does.
fn leaf(key: &Key, netflix: bool) -> Json {
    let mut form = match key.shown() {
        "service-url.*" | "my-url" => urls(""),
        "remote-region-urls-with-name.*" => urls(r"(?:[^,;]*;\s*)?"),
        "non-secure-port" | "secure-port" | "eureka-server-port" => or(
            json!({ "type": "integer", "minimum": 0, "maximum": 65535 }),
            json!({ "type": ["string", "null"], "pattern": r"^\s*\d*\s*$" }),
        ),
        "initial-status" => any_case(&Status::ALL.map(Status::name)),
        "client-data-accept" => json!({ "enum": ["full", "compact"] }),
        "transport.bootstrap-resolver-strategy" => json!({ "enum": ["composite", "", null] }),
        _ => kind(key.kind, netflix, key.shown().contains('*')),
    };
    let (of_netflix, of_spring) = key.defaults;
    let default = match (key.netflix.is_empty(), key.spring.is_empty()) {
        _ if of_netflix == of_spring => of_spring.to_owned(),
        (true, _) => of_spring.to_owned(),
        (_, true) => of_netflix.to_owned(),
        _ => format!("{of_spring} (Spring Cloud), {of_netflix} (Netflix)"),
    };
    let mut about = match key.about.trim() {
        "" => String::new(),
        about => format!("{about}\n\n"),
    };
    about += &format!("It is {}.", key.kind);
    if !default.is_empty() {
        about += &format!(" Default: {default}.");
    }
    if let Some(why) = key.inert {
        about += &format!(" No effect: {why}.");
    }
    form["description"] = json!(about);
    form
}

/// URLs, separated by commas, each behind something.
fn urls(lead: &str) -> Json {
    let url = format!(r"{lead}https?://(?:[^@/,\s]*@)?[^:/,\s]+(?::\d{{1,5}})?(?:/[^,]*)?");
    let all = format!(r"^\s*(?:{url}(?:\s*,\s*{url})*)?\s*,?\s*$");
    let one = json!({ "type": "string", "pattern": all.clone(), "errorMessage": "such as `http://peer1:8761/eureka/`" });
    or(one, json!({ "type": ["array", "null"], "items": { "type": "string", "pattern": all } }))
}

/// One of some names, however its letters and lines are written.
fn any_case(names: &[&str]) -> Json {
    let letter = |c: char| match c.is_ascii_alphabetic() {
        true => format!("[{}{}]", c.to_ascii_uppercase(), c.to_ascii_lowercase()),
        false => "[-_. ]?".to_owned(),
    };
    let names: Vec<String> = names.iter().map(|name| name.chars().map(letter).collect()).collect();
    json!({ "type": "string", "pattern": format!("^(?:{})$", names.join("|")) })
}

fn kind(kind: Kind, netflix: bool, is_named: bool) -> Json {
    let times = |low: i128, high: i128, sign: &str| {
        // What is above zero has a digit that is.
        let digits = if low > 0 { r"0*[1-9]\d*" } else { r"\d+" };
        let pattern = format!(r"^{sign}{digits}\s*(?:ms|s|m|h)?$");
        json!({ "type": ["integer", "string"], "minimum": low as i64, "maximum": high as i64, "pattern": pattern })
    };
    match kind {
        Kind::Flag => json!({
            "type": ["boolean", "string", "integer"],
            "pattern": "^(?:[Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee]|[Oo][Nn]|[Oo][Ff][Ff]|[Yy][Ee][Ss]|[Nn][Oo]|[01])$",
            "minimum": 0,
            "maximum": 1,
        }),
        Kind::Share(low, high) => json!({
            "type": ["number", "string"],
            "minimum": low,
            "maximum": high,
            "pattern": r"^\d+(?:\.\d+)?\s*%?$",
        }),
        Kind::Count(low, high) => {
            json!({ "type": ["integer", "string"], "minimum": low, "maximum": high, "pattern": r"^\d+$" })
        }
        Kind::Number(low, high) => {
            json!({ "type": ["integer", "string"], "minimum": low, "maximum": high, "pattern": r"^[+-]?\d+$" })
        }
        Kind::Text | Kind::List => anything(),
        Kind::Pairs if is_named => anything(),
        Kind::Pairs => or(
            json!({ "type": "string", "pattern": r"^(?:[^,;]*;[^,]*(?:,[^,;]*;[^,]*)*)?,?$" }),
            json!({ "type": "null" }),
        ),
        Kind::Millis(low, high) => times(i128::from(low), i128::from(high), ""),
        Kind::Seconds(low, high) => times(i128::from(low), i128::from(high), ""),
        Kind::AnySeconds(low, high) => times(i128::from(low), i128::from(high), "-?"),
        Kind::Poll(low, high) => {
            let worth = if netflix { 1000 } else { 1 };
            times(i128::from(low) * worth, i128::from(high) * worth, "")
        }
    }
}

/// Any text, nothing, or a list, which is joined by commas.
fn anything() -> Json {
    let scalar = json!({ "type": ["string", "number", "boolean"] });
    or(scalar.clone(), json!({ "type": ["array", "null"], "items": scalar }))
}
