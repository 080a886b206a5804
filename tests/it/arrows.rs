//! The house rules that a compiler does not hold: a module uses only modules above it in `src/lib.rs`, and what a run is made
//! of names no hash order, clock or ambient generator.
//!
//! Sources are cut into words, without comments and literals, so that prose is free to mention anything. Left out: names that
//! reach a module through a re-export of another; the other module's own arrows are held like all.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Modules of which a run is made. They name none of [`FORBIDDEN`], tests included.
const PURE: [&str; 5] = ["protocol", "history", "plan", "sim", "check"];

/// What makes a run depend on more than plan, seed and commit.
const FORBIDDEN: [&[&str]; 5] =
    [&["HashMap"], &["HashSet"], &["Instant", "::", "now"], &["SystemTime", "::", "now"], &["thread_rng"]];

#[test]
fn a_module_uses_only_modules_above_it() {
    let order = order(&source("lib.rs"));
    assert!(order.len() >= 5, "the codemap of lib.rs is read: {order:?}");
    let wrong: Vec<String> = files()
        .iter()
        .flat_map(|path| {
            let wrong = wrong_arrows(&order, &modules(path), &source(path));
            wrong.into_iter().map(move |what| format!("src/{path}: {what}"))
        })
        .collect();
    assert!(wrong.is_empty(), "arrows against the order {order:?}:\n{}", wrong.join("\n"));
}

#[test]
fn what_a_run_is_made_of_is_pure() {
    let wrong: Vec<String> = files()
        .iter()
        .filter(|path| modules(path).first().is_some_and(|module| PURE.contains(&module.as_str())))
        .flat_map(|path| impure(&source(path)).into_iter().map(move |what| format!("src/{path}: {what}")))
        .collect();
    assert!(wrong.is_empty(), "not a function of plan, seed and commit:\n{}", wrong.join("\n"));
}

#[test]
fn a_forbidden_arrow_is_reported() {
    let order: Vec<String> = ["protocol", "plan", "sim", "run"].map(String::from).into();
    let check = |path: &str, text: &str, expected: &[&str]| {
        assert_eq!(wrong_arrows(&order, &modules(path), text), expected, "{path}: {text}");
    };
    check("plan/mod.rs", "use crate::protocol::Cx; use super::protocol; use self::world::World;", &[]);
    check("plan/mod.rs", "use crate::sim::Simulation;", &["plan -> sim"]);
    check("plan/world.rs", "fn f() { crate::sim::go(); }", &["plan -> sim"]);
    check("plan.rs", "use super::sim;", &["plan -> sim"]);
    check("plan/world/part.rs", "use super::super::super::{run::Outcome, protocol};", &["plan -> run"]);
    check("plan/world.rs", "use crate::{protocol::{Cx, run}, sim as other, plan};", &["plan -> sim"]);
    check("protocol/mod.rs", "macro_rules! m { () => { $crate::plan::World } }", &["protocol -> plan"]);
    check("plan/mod.rs", "mod tests { use super::sim; use super::super::run; }", &["plan -> run"]);
    check("plan/mod.rs", "mod tests { } use super::run;", &["plan -> run"]);
    check("plan/mod.rs", "use crate::elsewhere;", &["plan -> elsewhere"]);
    check("plan/mod.rs", "use crate::{self, protocol}; pub(in crate::plan) fn f() {}", &[]);
    check("plan/mod.rs", "pub(crate) fn f<'a>() {} /* crate::sim /* */ crate::run */ // crate::sim", &[]);
    check(
        "plan/mod.rs",
        r###"const A: &str = r#"crate::sim""#; const B: char = '"'; "crate::run\""; "###,
        &[],
    );
    check("plan/mod.rs", r#"const B: char = '\''; use crate::run;"#, &["plan -> run"]);
    check("main.rs", "use regsim::cli; use crate::run;", &[]);
}

#[test]
fn a_forbidden_name_is_reported() {
    let check = |text: &str, expected: &[&str]| assert_eq!(impure(text), expected, "{text}");
    check("let at = std::time::Instant::now();", &["Instant::now"]);
    check("use std::collections::{BTreeMap, HashMap};", &["HashMap"]);
    check("use crate::protocol::Instant; // not HashMap, not Instant::now", &[]);
    check("let now = cx.now(); let names = \"HashSet\"; let x = SystemTime :: now();", &["SystemTime::now"]);
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn source(path: &str) -> String {
    fs::read_to_string(root().join(path)).expect("a source file is readable")
}

/// All source files, relative to `src`.
fn files() -> Vec<String> {
    let (mut found, mut folders) = (Vec::new(), vec![root()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder of sources is readable") {
            let path = entry.expect("an entry is readable").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let inside = path.strip_prefix(root()).expect("found below it");
                found.push(inside.to_str().expect("names are ASCII").replace('\\', "/"));
            }
        }
    }
    found.sort_unstable();
    found
}

/// The module that a file is, as a path from the root of the crate.
fn modules(path: &str) -> Vec<String> {
    let path = path.trim_end_matches(".rs").trim_end_matches("/mod");
    if path == "lib" || path == "main" { Vec::new() } else { path.split('/').map(String::from).collect() }
}

/// The modules of the crate in the order of the codemap.
fn order(lib: &str) -> Vec<String> {
    let words = words(lib);
    words.windows(2).filter(|pair| pair[0] == "mod").map(|pair| pair[1].clone()).collect()
}

/// The arrows of a file that go down, or nowhere, as `from -> to`.
fn wrong_arrows(order: &[String], modules: &[String], text: &str) -> Vec<String> {
    let Some(from) = modules.first() else { return Vec::new() };
    let place = |module: &String| order.iter().position(|other| other == module);
    let mine = place(from);
    targets(modules, &words(text))
        .into_iter()
        .filter(|to| mine.is_none() || place(to).is_none_or(|at| Some(at) > mine))
        .map(|to| format!("{from} -> {to}"))
        .collect()
}

/// What a file names directly below the root of the crate.
fn targets(modules: &[String], words: &[String]) -> BTreeSet<String> {
    let word = |at: usize| words.get(at).map_or("", String::as_str);
    // Modules written out in the file: the depth of braces at which each ends.
    let (mut depth, mut inline, mut found) = (0, Vec::new(), BTreeSet::new());
    for at in 0..words.len() {
        match word(at) {
            "{" => {
                depth += 1;
                if at >= 2 && word(at - 2) == "mod" {
                    inline.push(depth);
                }
            }
            "}" => {
                if inline.last() == Some(&depth) {
                    inline.pop();
                }
                depth -= 1;
            }
            "crate" => below(words, at + 1, &mut found),
            "super" if at == 0 || word(at - 1) != "::" => {
                let climbs = (0..).take_while(|n| word(at + 2 * n) == "super").count();
                if climbs == modules.len() + inline.len() {
                    below(words, at + 2 * climbs - 1, &mut found);
                }
            }
            _ => {}
        }
    }
    found
}

/// Adds the first names of the path, or group of paths, whose leading `::` is expected at `at`.
fn below(words: &[String], at: usize, found: &mut BTreeSet<String>) {
    let word = |at: usize| words.get(at).map_or("", String::as_str);
    if word(at) != "::" {
        return;
    }
    if word(at + 1) != "{" {
        found.insert(word(at + 1).to_owned());
        return;
    }
    let (mut depth, mut first) = (0, false);
    for word in &words[at + 1..] {
        match word.as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            "self" => {}
            name if first && depth == 1 => drop(found.insert(name.to_owned())),
            _ => {}
        }
        if depth == 0 {
            break;
        }
        first = matches!(word.as_str(), "{" | ",");
    }
}

/// The forbidden names of a file.
fn impure(text: &str) -> Vec<String> {
    let words = words(text);
    let named = |name: &&&[&str]| words.windows(name.len()).any(|window| window == **name);
    FORBIDDEN.iter().filter(named).map(|name| name.concat()).collect()
}

/// The words of a source: names, `::`, and single signs; no comments, no literals but numbers.
fn words(text: &str) -> Vec<String> {
    let (mut rest, mut words) = (text, Vec::new());
    while let Some(first) = rest.chars().next() {
        let taken = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => block_comment(rest),
            '"' => string(rest),
            'r' | 'b' | 'c' if raw_hashes(rest).is_some() => raw_string(rest),
            '\'' => character(rest),
            ':' if rest.starts_with("::") => 2,
            _ if is_word(first) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        let keeps = !matches!(first, '"' | '\'') && !first.is_whitespace() && !rest.starts_with("//");
        if keeps && !rest.starts_with("/*") && (taken == 1 || raw_hashes(rest).is_none()) {
            words.push(rest[..taken].to_owned());
        }
        rest = &rest[taken..];
    }
    words
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        let step = &text.as_bytes()[at..];
        depth += i32::from(step.starts_with(b"/*"));
        depth -= i32::from(step.starts_with(b"*/"));
        at += if step.starts_with(b"/*") || step.starts_with(b"*/") { 2 } else { 1 };
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

fn string(text: &str) -> usize {
    let mut escaped = true;
    for (at, c) in text.char_indices() {
        match c {
            '"' if !escaped => return at + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}

/// How many `#` a raw string has, if the text begins with one.
fn raw_hashes(text: &str) -> Option<usize> {
    let prefix = ["r", "br", "cr"].into_iter().find(|prefix| {
        text.strip_prefix(prefix).is_some_and(|rest| rest.trim_start_matches('#').starts_with('"'))
    })?;
    Some(text[prefix.len()..].bytes().take_while(|byte| *byte == b'#').count())
}

fn raw_string(text: &str) -> usize {
    let end = format!("\"{}", "#".repeat(raw_hashes(text).expect("a raw string")));
    let begin = text.find('"').expect("a raw string") + 1;
    text[begin..].find(&end).map_or(text.len(), |at| begin + at + end.len())
}

/// A character, or the quote of a lifetime.
fn character(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), Some((at, escaped))) => {
            let from = at + escaped.len_utf8();
            text[from..].find('\'').map_or(text.len(), |end| from + end + 1)
        }
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 1,
    }
}
