use super::*;
use crate::scenario::Scenario;
use crate::scenario::read::{ASKED, OFFERED};
use crate::scenario::system::Owner;
use crate::scenario::timeline::VERBS;
use std::collections::BTreeSet;
use std::path::Path;

/// Keys, or words, of what.
type Pairs = BTreeSet<(String, String)>;

/// All parts of the schema, but for the blocks of the product's settings.
fn parts(schema: &Json, into: &mut Vec<Json>) {
    into.push(schema.clone());
    match schema {
        Json::Object(keys) => {
            let is_block = |key: &str| settings::OWNERS.iter().any(|(_, name)| *name == key);
            keys.iter().filter(|(key, _)| !is_block(key)).for_each(|(_, part)| parts(part, into));
        }
        Json::Array(items) => items.iter().for_each(|part| parts(part, into)),
        _ => {}
    }
}

/// What stands in none of the files below.
const REST: &str = r#"
title: t
servers: { a: { config: { file: a.yml, profiles: x, environment: { A: b } } } }
timeline:
  - { at: 1m, for: 1m, messages: { do: { fail: { status: 404, body: gone } } } }
  - { at: 1m, power-off: a, unflushed: torn }
"#;

/// Reads files in which all of the language stands, right and wrong, and gives what their readers asked for.
fn asked_and_offered() -> (Pairs, Pairs) {
    ASKED.take();
    OFFERED.take();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files =
        vec![root.join("src/scenario/tests/whole.yaml"), root.join("src/scenario/tests/many-mistakes.yaml")];
    let folder = std::fs::read_dir(root.join("tests/it/schema/rejected")).expect("a folder of files");
    files.extend(folder.map(|entry| entry.expect("an entry").path()));
    let texts = files.into_iter().map(|file| std::fs::read(file).expect("a file"));
    for bytes in texts.chain([REST.as_bytes().to_vec()]) {
        let _ = Scenario::parse("x.yaml", &bytes, &[], &mut |_| Ok(Vec::new()));
    }
    let asked = ASKED.take().into_iter().map(|(what, key)| (what.to_owned(), key.to_owned())).collect();
    (asked, OFFERED.take())
}

fn is_setting(key: &str) -> bool {
    let is_in = |owner: Owner| settings::block(owner)["properties"].get(key).is_some();
    // A client is also whose settings are set.
    key != "client" && settings::OWNERS.iter().any(|(owner, _)| is_in(*owner))
}

#[test]
fn the_schema_has_the_keys_that_the_readers_ask_for() {
    let mut all = Vec::new();
    parts(&schema(), &mut all);
    let mut said = Pairs::new();
    for part in &all {
        if let (Some(what), Some(keys)) = (part["$comment"].as_str(), part["properties"].as_object()) {
            let keys = keys.keys().filter(|key| what != "`set`" || !is_setting(key));
            said.extend(keys.map(|key| (what.to_owned(), key.clone())));
        }
    }
    let (asked, _) = asked_and_offered();
    let missing: Vec<_> = asked.difference(&said).collect();
    let spare: Vec<_> = said.difference(&asked).collect();
    assert!(
        missing.is_empty() && spare.is_empty(),
        "the schema lacks {missing:?}\nno reader asks for {spare:?}"
    );
    assert!(asked.len() > 200, "{} keys", asked.len());
}

#[test]
fn the_schema_has_the_words_that_the_readers_offer() {
    let mut all = Vec::new();
    parts(&schema(), &mut all);
    let mut said = Pairs::new();
    for part in &all {
        if let (Some(what), Some(words)) = (part["$comment"].as_str(), part["enum"].as_array()) {
            said.extend(words.iter().filter_map(|word| Some((what.to_owned(), word.as_str()?.to_owned()))));
        }
    }
    let (_, offered) = asked_and_offered();
    // The kinds of messages are the protocol's, and looked up by the plan.
    said.retain(|(what, _)| what != "a kind of message");
    let missing: Vec<_> = offered.difference(&said).collect();
    let spare: Vec<_> = said.difference(&offered).collect();
    assert!(
        missing.is_empty() && spare.is_empty(),
        "the schema lacks {missing:?}\nno reader offers {spare:?}"
    );
    assert!(offered.len() > 80, "{} words", offered.len());
}

#[test]
fn every_verb_is_in_a_step() {
    let step = &schema()["$defs"]["step"];
    let rule = step["allOf"].as_array().into_iter().flatten().find(|rule| rule["oneOf"].is_array());
    let one_of: Vec<&str> = rule
        .and_then(|rule| rule["oneOf"].as_array())
        .into_iter()
        .flatten()
        .filter_map(|verb| verb["required"][0].as_str())
        .collect();
    assert_eq!(one_of, VERBS.iter().map(|verb| verb.key).collect::<Vec<_>>());
}

#[test]
fn every_word_and_key_says_what_it_means() {
    let mut all = Vec::new();
    parts(&schema(), &mut all);
    for part in &all {
        for meaning in part["enumDescriptions"].as_array().into_iter().flatten() {
            assert!(meaning.as_str().is_some_and(|meaning| meaning.ends_with(['.', '`'])), "{part}");
        }
        // Conditions repeat keys without a word about them.
        let keys = part["properties"].as_object().filter(|_| part["$comment"].is_string());
        for (key, value) in keys.into_iter().flatten() {
            let about = value["description"].as_str().or(value["$ref"].as_str()).unwrap_or("");
            assert!(!about.is_empty(), "`{key}` of {} says nothing", part["$comment"]);
        }
    }
}
