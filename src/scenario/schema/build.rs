//! The few forms of which the schema is made: objects whose keys are all known, choices, words, lists.
//!
//! Separate because they are the technique of the schema, as `read` is that of the readers: an [`Object`] is the counterpart of
//! `Fields`, and has the same `what`.

use serde_json::{Map, Value as Json, json};

/// Keys and values: no other keys than those that are named.
pub(super) struct Object {
    what: &'static str,
    properties: Map<String, Json>,
    required: Vec<&'static str>,
    rules: Vec<Json>,
}

/// An object. `what` is what its reader calls it.
pub(super) fn object(what: &'static str) -> Object {
    Object { what, properties: Map::new(), required: Vec::new(), rules: Vec::new() }
}

impl Object {
    /// A key that may be there.
    pub(super) fn key(mut self, key: &str, about: &str, value: Json) -> Self {
        self.properties.insert(key.to_owned(), described(value, about));
        self
    }

    /// A key that must be there.
    pub(super) fn needs(mut self, key: &'static str, about: &str, value: Json) -> Self {
        self.required.push(key);
        self.key(key, about, value)
    }

    /// Exactly one of these keys is there.
    pub(super) fn one_of<'k>(self, keys: impl IntoIterator<Item = &'k str>) -> Self {
        let keys: Vec<&str> = keys.into_iter().collect();
        let help = format!("{} needs one of {}", self.what, quoted(&keys));
        let each: Vec<Json> = keys.into_iter().map(|key| explained_by(there(key), &help)).collect();
        self.rule(json!({ "oneOf": each }))
    }

    /// At most one of these two keys is there.
    pub(super) fn not_both(self, one: &str, other: &str) -> Self {
        self.rule(json!({ "not": { "required": [one, other] } }))
    }

    /// A key that may only be there beside one of these.
    pub(super) fn only_with<'k>(self, key: &str, others: impl IntoIterator<Item = &'k str>) -> Self {
        let others: Vec<&str> = others.into_iter().collect();
        let help = format!("`{key}` belongs to {}", quoted(&others));
        let any: Vec<Json> = others.into_iter().map(|other| explained_by(there(other), &help)).collect();
        let then = if any.len() == 1 { any[0].clone() } else { json!({ "anyOf": any }) };
        self.rule(json!({ "if": there(key), "then": then }))
    }

    /// What holds beyond that.
    pub(super) fn rule(mut self, rule: Json) -> Self {
        self.rules.push(rule);
        self
    }

    pub(super) fn build(self) -> Json {
        let mut schema = json!({
            "$comment": self.what,
            "type": "object",
            "properties": self.properties,
            "additionalProperties": false,
        });
        if !self.required.is_empty() {
            schema["required"] = json!(self.required);
        }
        if !self.rules.is_empty() {
            schema["allOf"] = json!(self.rules);
        }
        schema
    }
}

/// What an editor shows if it does not hold; validators pass over it.
fn explained_by(mut condition: Json, help: &str) -> Json {
    condition["errorMessage"] = json!(help);
    condition
}

/// Each in backticks.
fn quoted(keys: &[&str]) -> String {
    keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ")
}

/// A key is there.
pub(super) fn there(key: &str) -> Json {
    json!({ "required": [key] })
}

/// A value with a sentence about it. What the value says of itself stays behind it.
pub(super) fn described(mut value: Json, about: &str) -> Json {
    let own = value["description"].as_str().map(|own| format!("{about}\n\n{own}"));
    value["description"] = json!(own.unwrap_or_else(|| about.to_owned()));
    value
}

/// A value of either form. Only for forms of different types: what is said of a text does not concern an object.
pub(super) fn or(mut form: Json, other: Json) -> Json {
    let types = |form: &Json| match &form["type"] {
        Json::Array(types) => types.clone(),
        one => vec![one.clone()],
    };
    let mut both = types(&form);
    both.extend(types(&other).into_iter().filter(|new| !types(&form).contains(new)));
    if let (Json::Object(form), Json::Object(other)) = (&mut form, other) {
        for (key, value) in other {
            form.entry(key).or_insert(value);
        }
    }
    form["type"] = json!(both);
    form
}

/// A value of any of these forms.
pub(super) fn any_of(forms: impl IntoIterator<Item = Json>) -> Json {
    json!({ "anyOf": forms.into_iter().collect::<Vec<_>>() })
}

/// Nothing written does, too.
pub(super) fn or_nothing(form: Json) -> Json {
    or(form, json!({ "type": "null" }))
}

/// A form that is defined once.
pub(super) fn defined(name: &str) -> Json {
    json!({ "$ref": format!("#/$defs/{name}") })
}

/// One of some words. `what` is what the reader calls them.
pub(super) fn words<'w>(what: &str, words: impl IntoIterator<Item = &'w str>) -> Json {
    json!({ "$comment": what, "enum": words.into_iter().collect::<Vec<_>>() })
}

/// The same, each word with what it means.
pub(super) fn explained<'w>(what: &str, all: impl IntoIterator<Item = (&'w str, &'w str)>) -> Json {
    let (names, meanings): (Vec<&str>, Vec<&str>) = all.into_iter().unzip();
    let mut schema = words(what, names);
    schema["enumDescriptions"] = json!(meanings);
    schema
}

/// A mapping whose keys are names that the user chooses.
pub(super) fn named(value: Json) -> Json {
    or_nothing(json!({ "type": "object", "additionalProperties": value }))
}

/// The same, for names of servers and services: they are used in selectors.
pub(super) fn named_processes(value: Json) -> Json {
    // All letters and digits: of ASCII, what stands between them is left out but for `-`, `_` and `.`.
    let name = r"^[^\x00-,/:-@\[-^`{-\x7f]+$";
    or_nothing(
        json!({ "type": "object", "propertyNames": { "pattern": name }, "additionalProperties": value }),
    )
}

/// A list.
pub(super) fn list(item: Json) -> Json {
    json!({ "type": "array", "items": item })
}

/// A text that is not empty. YAML makes numbers of some.
pub(super) fn text() -> Json {
    json!({ "type": ["string", "number"], "pattern": r"\S" })
}

/// A text that may look like anything.
pub(super) fn scalar() -> Json {
    json!({ "type": ["string", "number", "boolean"], "pattern": r"\S" })
}

/// A text, or several.
pub(super) fn one_or_more(item: Json) -> Json {
    or(item.clone(), list(item))
}

/// `true` or `false`.
pub(super) fn flag() -> Json {
    json!({ "type": ["boolean", "string"], "pattern": r"^\s*(?:true|True|TRUE|false|False|FALSE)\s*$" })
}

/// A whole number that is not below this.
pub(super) fn at_least(low: u64) -> Json {
    json!({ "type": ["integer", "string"], "minimum": low, "pattern": r"^\s*\d+\s*$" })
}

/// A whole number in a closed range.
pub(super) fn number(low: u64, high: u64) -> Json {
    let mut number = at_least(low);
    number["maximum"] = json!(high);
    number
}
