//! The JSON Schema against an independent validator: it takes what the readers take, and refuses what they refuse, but for what a
//! schema cannot say.
//!
//! That it has exactly the keys that the readers ask for is held beside it, in `scenario::schema`.

use std::path::{Path, PathBuf};
use std::process::Command;

use jsonschema::Validator;
use regsim::plan::Plan;
use regsim::scenario::Scenario;
use regsim::scenario::schema::schema;
use serde_json::Value as Json;
use serde_yaml::Value as Yaml;

use super::docs;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn validator() -> Validator {
    jsonschema::draft202012::new(&schema()).expect("a schema of its dialect")
}

/// YAML as a validator sees it: keys are texts.
fn json(yaml: Yaml) -> Json {
    match yaml {
        Yaml::Mapping(entries) => {
            let entries = entries.into_iter().map(|(key, value)| {
                let key = match key {
                    Yaml::String(text) => text,
                    other => serde_yaml::to_string(&other).expect("a scalar").trim().to_owned(),
                };
                (key, json(value))
            });
            Json::Object(entries.collect())
        }
        Yaml::Sequence(items) => Json::Array(items.into_iter().map(json).collect()),
        scalar => serde_json::to_value(scalar).expect("a scalar of JSON"),
    }
}

/// What the schema says against a text; `None` if it is no YAML.
fn objections(validator: &Validator, text: &str) -> Option<Vec<String>> {
    let document = json(serde_yaml::from_str(text).ok()?);
    let errors = validator.iter_errors(&document);
    Some(errors.map(|error| format!("{}: {error}", error.instance_path())).collect())
}

fn is_read(text: &str) -> bool {
    let mut empty = |_: &str| Ok(Vec::new());
    Scenario::parse("x.yaml", text.as_bytes(), &[], &mut empty).is_ok()
}

fn resolves(text: &str) -> bool {
    let mut empty = |_: &str| Ok(Vec::new());
    let scenario = Scenario::parse("x.yaml", text.as_bytes(), &[], &mut empty);
    scenario.and_then(|scenario| Plan::resolve(&scenario)).is_ok()
}

/// All YAML files of a folder and the folders in it, sorted.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => files.extend(self::files(&path)),
            false => files.push(path),
        }
    }
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    files
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).expect("UTF-8")
}

#[test]
fn every_scenario_and_every_example_validates() {
    let validator = validator();
    let mut texts: Vec<(String, String)> = docs::scenarios()
        .into_iter()
        .filter(|(_, text)| is_read(text))
        .map(|(line, text)| (format!("docs/scenario.md:{line}"), text))
        .collect();
    let whole = ["tests/it/keys/netflix.yaml", "tests/it/keys/spring.yaml", "src/scenario/tests/whole.yaml"];
    let shipped = files(&root().join("scenarios")).into_iter().chain(whole.map(|file| root().join(file)));
    texts.extend(shipped.map(|path| (path.display().to_string(), text(&path))));
    assert!(texts.len() > 60, "{} scenarios", texts.len());
    for (name, text) in texts {
        assert_eq!(objections(&validator, &text), Some(Vec::new()), "{name}\n{text}");
    }
}

#[test]
fn what_the_readers_refuse_is_refused() {
    const BEYOND: &str = "# Beyond a schema: ";
    let validator = validator();
    let (mut refused, mut beyond) = (0, 0);
    for path in files(&root().join("tests/it/schema/rejected")) {
        let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        let text = text(&path);
        let folder = path.parent().expect("a folder");
        let mut beside = |name: &str| std::fs::read(folder.join(name)).map_err(|error| error.to_string());
        let scenario = Scenario::parse("x.yaml", text.as_bytes(), &[], &mut beside);
        let plan = scenario.and_then(|scenario| Plan::resolve(&scenario));
        let mistakes = plan.err().unwrap_or_else(|| panic!("{name} is no mistake:\n{text}"));
        // Names that are taken twice are shown at both places.
        assert!(mistakes.len() <= 2, "{name} is one mistake, not {}", mistakes.len());
        let objections = objections(&validator, &text);
        match text.starts_with(BEYOND) {
            true => {
                assert!(
                    objections.is_none_or(|objections| objections.is_empty()),
                    "{name} is not beyond the schema"
                );
                beyond += 1;
            }
            false => {
                assert!(
                    objections.is_none_or(|objections| !objections.is_empty()),
                    "{name} validates:\n{text}"
                );
                refused += 1;
            }
        }
    }
    assert!(refused >= 90 && beyond >= 15, "{refused} refused, {beyond} beyond the schema");
}

/// Each setting of `keys/mistakes.yaml` alone: the schema finds what the reader finds.
#[test]
fn each_wrong_setting_is_refused_by_itself() {
    let document: Yaml =
        serde_yaml::from_str(&text(&root().join("tests/it/keys/mistakes.yaml"))).expect("YAML");
    let validator = validator();
    let mut wrong = 0;
    for (block, settings) in document["system"]["eureka"].as_mapping().expect("blocks") {
        for (key, value) in settings.as_mapping().expect("settings") {
            let one = |value: &Yaml| serde_yaml::to_string(value).expect("YAML").trim().to_owned();
            let (block, key, value) = (one(block), one(key), one(value));
            let text = format!(
                "title: t\nsystem: {{ eureka: {{ {block}: {{ {key}: {value} }} }} }}\nservers: {{ a: }}\n"
            );
            let refused = objections(&validator, &text).is_some_and(|objections| !objections.is_empty());
            assert_eq!(refused, !is_read(&text), "{text}");
            wrong += usize::from(refused);
        }
    }
    // The two spellings of one setting are right by themselves.
    assert_eq!(wrong, 12);
}

/// Values of a scenario changed one at a time, in ways that people mistype: what resolves validates. But for a bare `true` where a
/// text is due, which would be offered everywhere, and for a setting that is an empty mapping.
#[test]
fn what_resolves_validates() {
    let validator = validator();
    let whole: Yaml =
        serde_yaml::from_str(&text(&root().join("src/scenario/tests/whole.yaml"))).expect("YAML");
    let mut places = Vec::new();
    collect(&whole, &mut Vec::new(), &mut places);
    let (mut right, mut tried) = (0, 0);
    for place in &places {
        for other in
            ["30s", "0", "3", "1m..2m", "peer1", "5%", "\"<= 3\"", "[peer1]", "null", "UP", "evicted"]
        {
            let mut changed = whole.clone();
            *at(&mut changed, place) = serde_yaml::from_str(other).expect("YAML");
            let text = serde_yaml::to_string(&changed).expect("YAML");
            tried += 1;
            if resolves(&text) {
                right += 1;
                let objections = objections(&validator, &text);
                assert_eq!(objections, Some(Vec::new()), "{other} at {place:?}");
            }
        }
    }
    assert!(right > 250, "{right} of {tried} are right");
}

/// The places of all scalars and lists: keys, or numbers of items.
fn collect(node: &Yaml, path: &mut Vec<Yaml>, places: &mut Vec<Vec<Yaml>>) {
    let inner: Vec<(Yaml, &Yaml)> = match node {
        Yaml::Mapping(entries) => entries.iter().map(|(key, value)| (key.clone(), value)).collect(),
        Yaml::Sequence(items) => items.iter().enumerate().map(|(at, item)| (Yaml::from(at), item)).collect(),
        _ => Vec::new(),
    };
    if !matches!(node, Yaml::Mapping(_)) {
        places.push(path.clone());
    }
    for (key, value) in inner {
        path.push(key);
        collect(value, path, places);
        path.pop();
    }
}

fn at<'n>(node: &'n mut Yaml, path: &[Yaml]) -> &'n mut Yaml {
    path.iter().fold(node, |node, key| match node {
        Yaml::Sequence(items) => &mut items[key.as_u64().expect("a number") as usize],
        Yaml::Mapping(entries) => entries.get_mut(key).expect("it is there"),
        _ => unreachable!("places lead through mappings and lists"),
    })
}

#[test]
fn the_file_beside_the_reference_is_current() {
    let output = Command::new(env!("CARGO_BIN_EXE_regsim")).arg("schema").output().expect("the program runs");
    let printed = String::from_utf8(output.stdout).expect("UTF-8");
    let path = root().join("docs/scenario.schema.json");
    let same = std::fs::read_to_string(&path).is_ok_and(|written| written == printed);
    assert!(same, "docs/scenario.schema.json is not what `regsim schema` prints: write it again");
}

/// Editors find the schema from each file.
#[test]
fn every_scenario_names_the_schema() {
    for path in files(&root().join("scenarios")) {
        let text = text(&path);
        let first = text.lines().next().unwrap_or_default();
        let named = first.strip_prefix("# yaml-language-server: $schema=").unwrap_or_else(|| {
            panic!("{} does not begin with `# yaml-language-server: $schema=…`", path.display())
        });
        let schema = path.parent().expect("a folder").join(named);
        assert!(schema.is_file(), "{}: no {named}", path.display());
    }
}
