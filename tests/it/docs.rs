//! The examples of `docs/scenario.md` are scenarios, and run: documentation that is refused, or lies, is wrong.
//!
//! An example shows a part; what it takes for granted stands here. An example with the comment `# refused` must be refused.
//! And what a run measures is defined in `docs/metrics.md`.

use std::path::Path;

use regsim::plan::Plan;
use regsim::run::run;
use regsim::scenario::Scenario;
use regsim::scenario::schema::schema;
use serde_json::Value as Json;

/// What an example does not say itself: where things are,
const TOPOLOGY: &str = r#"
topology:
  regions: { beijing: [bj-a, bj-b], shanghai: [sh-a] }
  hosts: { h1: { zone: bj-a } }
  addresses: { lb: [peer1, peer2] }
  dns: { txt.z1.example.com: [peer1] }
"#;
/// the servers, there,
const PLACED: &str = "servers: { peer1: { zone: bj-a }, peer2: { zone: bj-b }, peer3: { zone: sh-a } }\n";
/// or where the example says itself what places there are,
const SERVERS: &str = "servers: { peer1: , peer2: , peer3: }\n";
/// who uses them,
const SERVICES: &str = "services: { provider: { instances: 3, health: callback }, consumer: { instances: 2, host: h1, calls: { provider: 1/s } } }\n";
/// and what happens, for expectations.
const SPLIT: &str =
    "timeline: [{ name: split, at: 2m, for: 90s, partition: [[peer1, provider], [peer2, peer3]] }]\n";

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/scenario.md");
    std::fs::read_to_string(path).expect("the page is part of the repository")
}

/// The indented blocks of a page, with the line on which each begins.
fn examples(page: &str) -> Vec<(usize, String)> {
    let mut examples: Vec<(usize, String)> = Vec::new();
    let mut before = "";
    for (at, line) in page.lines().enumerate() {
        if let Some(code) = line.strip_prefix("    ") {
            match examples.last_mut() {
                Some((_, example)) if before.starts_with("    ") => example.push_str(code),
                _ => examples.push((at + 1, code.to_owned())),
            }
            examples.iter_mut().next_back().into_iter().for_each(|(_, example)| example.push('\n'));
        }
        before = line;
    }
    examples
}

/// The examples as whole scenarios, with the line on which each begins.
pub fn scenarios() -> Vec<(usize, String)> {
    let whole = |(line, example): (usize, String)| {
        // A list is one of steps, if its entries say when, or one of expectations.
        let is_list = example.starts_with("- ");
        let is_steps =
            ["- { at:", "- { after:", "- { when:", "- { name:"].iter().any(|when| example.contains(when));
        let says = |key: &str| example.lines().any(|line| line.starts_with(key));
        let own_places = says("topology:");
        let services = if own_places { SERVICES.replace("host: h1, ", "") } else { SERVICES.to_owned() };
        let background = [
            ("title:", "title: t\n"),
            ("topology:", TOPOLOGY),
            ("servers:", if own_places { SERVERS } else { PLACED }),
            ("services:", &services),
        ];
        let mut text: String =
            background.iter().filter(|(key, _)| !says(key)).map(|(_, text)| *text).collect();
        match (is_list, is_steps) {
            (true, true) => text += "timeline:\n",
            (true, false) => text += &format!("{SPLIT}expect:\n"),
            (false, _) => {}
        }
        (line, text + &example)
    };
    examples(&page()).into_iter().map(whole).collect()
}

fn resolve(text: &str) -> Result<Plan, String> {
    let mut empty = |_: &str| Ok(Vec::new());
    let scenario = Scenario::parse("example.yaml", text.as_bytes(), &[], &mut empty);
    let plan = scenario.and_then(|scenario| Plan::resolve(&scenario));
    plan.map_err(|mistakes| mistakes.iter().map(ToString::to_string).collect())
}

#[test]
fn every_example_of_the_reference_runs() {
    let scenarios = scenarios();
    assert!(scenarios.len() >= 30, "{} examples", scenarios.len());
    for (line, text) in scenarios {
        match (resolve(&text), text.contains("# refused")) {
            (Ok(plan), false) => {
                let outcome = run(&plan, 1, &mut ());
                assert!(outcome.events > 0, "nothing happens in the example of line {line}:\n{text}");
            }
            (Err(mistakes), false) => panic!("the example of line {line}:\n{text}\n{mistakes}"),
            (Ok(_), true) => panic!("the example of line {line} is not refused:\n{text}"),
            (Err(_), true) => {}
        }
    }
}

/// Keys and words of the schema, without the product's own settings.
fn keys_and_words(part: &Json, keys: &mut Vec<String>, words: &mut Vec<String>) {
    match part {
        Json::Object(entries) => {
            let is_ours = part["$comment"].is_string();
            let known = part["properties"].as_object().filter(|_| is_ours).into_iter().flatten();
            // What is neither offered nor a reference into a block of settings.
            let ours = known.filter(|(_, value)| {
                let of_settings =
                    |at: &str| at.starts_with("#/$defs/settings-") && at.contains("/properties/");
                value["doNotSuggest"] != true && !value["$ref"].as_str().is_some_and(of_settings)
            });
            keys.extend(ours.map(|(key, _)| key.clone()));
            let offered = part["enum"].as_array().filter(|_| is_ours).into_iter().flatten();
            words.extend(offered.filter_map(Json::as_str).map(str::to_owned));
            let is_block = |name: &str| name.starts_with("settings-of-") || name == "fixes";
            let blocks = entries.iter().filter(|(name, value)| !is_block(name) || value["$ref"].is_string());
            blocks.for_each(|(_, value)| keys_and_words(value, keys, words));
        }
        Json::Array(items) => items.iter().for_each(|item| keys_and_words(item, keys, words)),
        _ => {}
    }
}

#[test]
fn every_key_stands_in_an_example_and_every_word_on_the_page() {
    let (mut keys, mut words) = (Vec::new(), Vec::new());
    keys_and_words(&schema(), &mut keys, &mut words);
    let page = page();
    let shown: String = examples(&page).into_iter().map(|(_, example)| example).collect();
    let stands = |key: &&String| {
        let written = format!("{key}:");
        shown
            .match_indices(&written)
            .any(|(at, _)| shown[..at].ends_with(|before: char| " {\n\"".contains(before)))
    };
    let missing: Vec<&String> = keys.iter().filter(|key| !stands(key)).collect();
    assert!(missing.is_empty(), "keys without an example: {missing:?}");
    let missing: Vec<&String> = words.iter().filter(|word| !page.contains(&format!("`{word}`"))).collect();
    assert!(missing.is_empty(), "words that the page does not name: {missing:?}");
    assert!(keys.len() > 200 && words.len() > 100, "{} keys, {} words", keys.len(), words.len());
}

/// Whether a page defines a figure: by its name in backticks, or by one that ends in `*` or in a word in capitals for what varies.
fn defines(page: &str, figure: &str) -> bool {
    let names = page.split('`').skip(1).step_by(2);
    let begins = |name: &str| {
        let open = name.strip_suffix('*').or_else(|| name.strip_suffix("KIND"));
        open.is_some_and(|open| !open.is_empty() && figure.starts_with(open))
    };
    names.into_iter().any(|name| name == figure || begins(name))
}

#[test]
fn every_figure_of_a_run_is_defined() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/metrics.md")).expect("part of the repository");
    let mut seen = 0;
    for name in ["provider-crash", "partition-between-peers", "stuck-in-starting"] {
        let scenario = Scenario::load(&root.join(format!("scenarios/eureka/{name}.yaml"))).expect("shipped");
        let plan = Plan::resolve(&scenario).expect("shipped");
        let figures = run(&plan, 1, &mut ()).measured.figures;
        for figure in figures.keys() {
            // Outcomes of pairs are listed for servers; those of clients have the same names behind `client_`.
            let listed =
                figure.strip_prefix("client_").filter(|_| !figure.contains("_ms_")).unwrap_or(figure);
            assert!(defines(&page, listed), "`{figure}` is not in docs/metrics.md");
            seen += 1;
        }
    }
    assert!(seen > 150, "{seen} figures");
    assert!(!defines(&page, "nothing_of_the_kind") && !defines(&page, "discovery_m"));
}
