//! Scenario files with all that can go wrong in them: none makes the program panic or takes it long, and what is accepted can be run.
//!
//! The shipped stories are mutated, so that most of a file is still right and the mistake reaches deep; a real configuration file
//! beside a scenario is mutated too.

use std::path::Path;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use regsim::plan::Plan;
use regsim::run::run;
use regsim::scenario::{Limits, Scenario};

/// One change to a text: what it is, where, and how.
type Mutation = (u8, u32, u32);

/// Files that scenarios name, as they are.
fn beside(folder: &Path, name: &str) -> Result<Vec<u8>, String> {
    match name.contains("..") || name.starts_with('/') {
        true => Err("not beside it".to_owned()),
        false => std::fs::read(folder.join(name)).map_err(|error| error.to_string()),
    }
}

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/eureka")
}

/// The texts to begin with: all stories, and the file in which every key stands once.
fn originals() -> Vec<String> {
    let mut files: Vec<_> = std::fs::read_dir(folder())
        .expect("the folder is part of the repository")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "yaml"))
        .collect();
    files.sort();
    files.push(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/scenario/tests/whole.yaml"));
    let read = |path| std::fs::read_to_string(path).expect("readable");
    // Most of a story is its comment, in which nothing can go wrong.
    let without_comments = |text: String| {
        let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
        lines.map(|line| format!("{line}\n")).collect()
    };
    files.into_iter().map(read).map(without_comments).collect()
}

const NUMBERS: [&str; 16] = [
    "0",
    "-1",
    "4000000000",
    "18446744073709551616",
    "1e999",
    "0.0000000001",
    "9999d",
    "584y",
    "1ns",
    "0s",
    "200%",
    "1000000000/s",
    "0/s",
    "NaN",
    "5",
    "1000000x",
];
const WORDS: [&str; 32] = [
    "{",
    "}",
    "[",
    "]",
    ": ",
    ", ",
    "- ",
    "\n",
    "\n  ",
    "&a ",
    "*a",
    "<<: *a",
    "!x ",
    "'",
    "\"",
    "|",
    ">",
    "~",
    "\t",
    "\u{0}",
    "\u{feff}",
    "北",
    "servers",
    "provider/9999",
    "1..0",
    "30% of provider",
    "zone nowhere",
    "${a:${b}}",
    "overrides",
    "cure",
    "---\n",
    "violates",
];

fn lines(text: &str) -> Vec<String> {
    text.split_inclusive('\n').map(str::to_owned).collect()
}

/// A place in the text, on a boundary of characters.
fn place(text: &str, at: u32) -> usize {
    let at = at as usize % (text.len() + 1);
    (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// The n-th run of digits, with the letters behind it.
fn number(text: &str, at: u32) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    let starts: Vec<usize> = (0..bytes.len())
        .filter(|at| bytes[*at].is_ascii_digit() && (*at == 0 || !bytes[*at - 1].is_ascii_alphanumeric()))
        .collect();
    let start = *starts.get(at as usize % starts.len().max(1))?;
    let end = text[start..].find(|c: char| !(c.is_ascii_alphanumeric() || "./%".contains(c)));
    Some((start, end.map_or(text.len(), |end| start + end)))
}

fn mutated(text: &str, (kind, at, how): Mutation) -> Vec<u8> {
    let mut all = lines(text);
    let (a, b) = (at as usize % all.len().max(1), how as usize % all.len().max(1));
    let pick = |from: &[&'static str]| from[how as usize % from.len()];
    if all.is_empty() {
        return Vec::new();
    }
    match kind % 12 {
        0 => {
            let mut bytes = text.as_bytes().to_vec();
            let at = at as usize % bytes.len();
            bytes[at] ^= 1 << (how % 8);
            return bytes;
        }
        1 => drop(all.remove(a)),
        2 => all.insert(b, all[a].clone()),
        3 => all.swap(a, b),
        4 => {
            if let Some((start, end)) = number(text, at) {
                return [&text[..start], pick(&NUMBERS), &text[end..]].concat().into_bytes();
            }
        }
        5 => {
            let halves =
                |line: &str| line.split_once(": ").map(|(key, value)| (key.to_owned(), value.to_owned()));
            if let (Some((key_a, value_a)), Some((key_b, value_b))) = (halves(&all[a]), halves(&all[b])) {
                all[a] = format!("{key_a}: {value_b}");
                all[b] = format!("{key_b}: {value_a}");
            }
        }
        6 => {
            let depth = [3, 30, 70, 3000][how as usize % 4];
            let at = place(text, at);
            let open = if how % 8 < 4 { "[" } else { "{a: " };
            return [&text[..at], &open.repeat(depth), &text[at..]].concat().into_bytes();
        }
        7 => {
            let at = place(text, at);
            return [&text[..at], pick(&WORDS), &text[at..]].concat().into_bytes();
        }
        8 => return text.as_bytes()[..place(text, at)].to_vec(),
        9 => all[a] = format!("{}{}", " ".repeat(how as usize % 9), all[a].trim_start_matches(' ')),
        10 => {
            let words: Vec<&str> = text.split_whitespace().collect();
            if !words.is_empty() {
                let (from, to) = (words[at as usize % words.len()], words[how as usize % words.len()]);
                return text.replacen(from, to, 1).into_bytes();
            }
        }
        _ => all.truncate(a + 1),
    }
    all.concat().into_bytes()
}

fn mutations() -> impl Strategy<Value = Vec<Mutation>> {
    prop::collection::vec((any::<u8>(), any::<u32>(), any::<u32>()), 1..5)
}

fn apply(text: &str, mutations: &[Mutation]) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for mutation in mutations {
        bytes = match std::str::from_utf8(&bytes) {
            Ok(text) => mutated(text, *mutation),
            Err(_) => return bytes,
        };
    }
    bytes
}

/// What a reader of such a file may have, so that a test of ten thousand does not take a minute.
const SMALL: Limits = Limits { instances: 200, duration: Duration::from_secs(86_400), requests: 10_000_000 };

/// No file takes longer, on a machine that does other things beside.
const LONGEST: Duration = Duration::from_secs(10);

fn plan(bytes: &[u8], configuration: Option<&[u8]>) -> Option<Plan> {
    let folder = folder();
    let mut read_file = |name: &str| match configuration {
        Some(bytes) if name.starts_with("a.") => Ok(bytes.to_vec()),
        Some(_) => Err("no such file".to_owned()),
        None => beside(&folder, name),
    };
    #[expect(clippy::disallowed_methods, reason = "that no file takes long is what is tested")]
    let begun = Instant::now();
    let plan = match Scenario::parse("stories/x.yaml", bytes, &[], &mut read_file) {
        Ok(mut scenario) => {
            scenario.set_limits(SMALL);
            Plan::resolve(&scenario)
        }
        Err(mistakes) => Err(mistakes),
    };
    assert!(begun.elapsed() < LONGEST, "it took {:?}", begun.elapsed());
    match plan {
        Ok(plan) => Some(plan),
        Err(mistakes) => {
            assert!(!mistakes.is_empty());
            for mistake in mistakes {
                assert!(!mistake.message.is_empty() && mistake.position().0 > 0, "{mistake}");
            }
            None
        }
    }
}

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() })
}

#[test]
fn ten_thousand_mutated_scenarios_are_read_and_resolved() {
    let originals = originals();
    let accepted = std::cell::Cell::new(0);
    let tried = runner(10_000).run(&(0..originals.len(), mutations()), |(which, mutations)| {
        let plan = plan(&apply(&originals[which], &mutations), None);
        accepted.set(accepted.get() + u32::from(plan.is_some()));
        Ok(())
    });
    tried.unwrap_or_else(|failure| panic!("{failure}"));
    // If nothing were accepted, or all, the mutations would be of no use.
    let accepted = accepted.get();
    assert!((500..9_500).contains(&accepted), "{accepted} of 10000 accepted");
}

#[test]
fn mutated_configuration_files_are_read_and_resolved() {
    let read = |name: &str| std::fs::read_to_string(folder().join(name)).expect("readable");
    let story = |files: &str, profile: &str| {
        format!(
            "title: t\nservers:\n  peer1: {{ config: {{ file: {files}, profiles: [{profile}], environment: {{ A: b }} }} }}\n"
        )
    };
    let pairs = [
        (story("a.yml", "peer1"), read("localhost-peers.yml")),
        (story("a.yml", "peer2, x"), read("named-peers.yml")),
        (story("a.properties", "x"), format!("{}#---\nspring.config.activate.on-profile=x & !y\n{}", read("peer1.properties"), read("peer2.properties"))),
        (story("a.yml", "x"), "spring.config.import: a.yml\nspring.profiles.group.x: [y, z]\neureka.instance.hostname: ${a:${b:c}}\n".to_owned()),
    ];
    let tried = runner(3_000).run(&(0..pairs.len(), mutations()), |(which, mutations)| {
        let (story, file) = &pairs[which];
        plan(story.as_bytes(), Some(&apply(file, &mutations)));
        Ok(())
    });
    tried.unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn mutated_scenarios_that_are_accepted_can_be_run() {
    let originals = originals();
    let runs = std::cell::Cell::new(0);
    let tried = runner(4_000).run(&(0..originals.len(), mutations()), |(which, mutations)| {
        if let Some(mut plan) = plan(&apply(&originals[which], &mutations), None) {
            plan.cures.clear();
            plan.world.duration = plan.world.duration.min(regsim::protocol::SimTime(60_000_000_000));
            plan.world.flood_limit = 20_000;
            run(&plan, 1, &mut ());
            runs.set(runs.get() + 1);
        }
        Ok(())
    });
    tried.unwrap_or_else(|failure| panic!("{failure}"));
    assert!(runs.get() >= 400, "{} runs", runs.get());
}
