//! Which scenario files the user means, and reading them.

use std::path::{Path, PathBuf};

use crate::plan::Plan;
use crate::scenario::Scenario;
use crate::scenario::diagnostic::Diagnostic;

/// Every scenario file that these paths name: files as they are, folders with all `.yaml` and `.yml` files below them, sorted.
/// A file beside a scenario that is imported by it (`application.yml`) is no scenario: it has no `title:` at the start of a line.
///
/// # Errors
/// A sentence for each path that cannot be read or holds no scenario.
pub fn expand(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Vec<String>> {
    let mut files = Vec::new();
    let mut mistakes = Vec::new();
    for path in paths {
        if !path.exists() {
            mistakes.push(format!("no such file or folder: `{}`", path.display()));
        } else if path.is_dir() {
            let before = files.len();
            if let Err(error) = collect(path, &mut files) {
                mistakes.push(format!("cannot read the folder `{}`: {error}", path.display()));
            } else if files.len() == before {
                mistakes.push(format!("no scenario (.yaml with a title) in `{}`", path.display()));
            }
        } else {
            files.push(path.clone());
        }
    }
    if mistakes.is_empty() { Ok(files) } else { Err(mistakes) }
}

fn collect(folder: &Path, into: &mut Vec<PathBuf>) -> std::io::Result<()> {
    let mut entries = std::fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let kind = entry.file_type()?;
        if kind.is_dir() {
            collect(&path, into)?;
        } else if path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml") {
            let text = std::fs::read(&path)?;
            let titled = text.split(|byte| *byte == b'\n').any(|line| line.starts_with(b"title:"));
            if titled {
                into.push(path);
            }
        }
    }
    Ok(())
}

/// Reads and resolves one scenario.
///
/// # Errors
/// All mistakes in it.
pub fn plan(path: &Path, settings: &[String]) -> Result<Plan, Vec<Diagnostic>> {
    let scenario = Scenario::load_with(path, settings)?;
    Plan::resolve(&scenario)
}

/// Shows all mistakes on stderr.
pub fn complain(diagnostics: &[Diagnostic]) {
    for diagnostic in diagnostics {
        eprintln!("{diagnostic}");
    }
    let many = if diagnostics.len() == 1 { "" } else { "s" };
    eprintln!("{} mistake{many} found", diagnostics.len());
}
