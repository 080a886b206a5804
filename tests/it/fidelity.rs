//! `docs/fidelity.md` names tests and scenarios that exist.

use std::collections::BTreeSet;
use std::path::Path;

/// All functions that are tests, and all files, of a folder and those below it.
pub fn collect(folder: &Path, functions: &mut BTreeSet<String>, files: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).expect("a folder of the repository") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, functions, files);
            continue;
        }
        files.insert(path.file_name().expect("a name").to_string_lossy().into_owned());
        if path.extension().is_some_and(|ending| ending == "rs") {
            let text = std::fs::read_to_string(&path).expect("a source file");
            let names =
                text.lines().filter_map(|line| line.trim_start().strip_prefix("fn ")?.split('(').next());
            functions.extend(names.map(|name| name.trim().to_owned()));
        }
    }
}

#[test]
fn the_page_of_fidelity_names_tests_that_exist_and_misses_nothing() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut functions, mut files) = (BTreeSet::new(), BTreeSet::new());
    for folder in ["src", "tests", "scenarios"] {
        collect(&root.join(folder), &mut functions, &mut files);
    }
    let page = std::fs::read_to_string(root.join("docs/fidelity.md")).expect("the page");
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| ")).collect();
    assert!(rows.len() > 60, "the tables are there: {}", rows.len());
    for row in rows {
        let held_by = row.trim_end_matches('|').rsplit('|').next().unwrap_or("");
        if matches!(held_by.trim(), "held by") {
            continue;
        }
        let named: Vec<&str> = held_by.split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty(), "no test holds this: {row}");
        for name in named {
            assert!(functions.contains(name) || files.contains(name), "there is no `{name}`: {row}");
        }
    }
    assert!(!page.to_lowercase().contains("| missing"), "nothing is missing");
}
