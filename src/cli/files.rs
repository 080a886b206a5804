//! Which scenarios the user means, and reading them: files, folders, and names of the library, stdin.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::library::{self, Shipped};
use super::tell;
use crate::scenario::diagnostic::{Diagnostic, nearest};
use crate::scenario::units::{Shown, Unit as _};
use crate::scenario::{Limits, Scenario};

/// A scenario that the command line names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// A file.
    File(PathBuf),
    /// One that is built in.
    Shipped(Shipped),
    /// What comes on stdin; files that it names are looked for in the current folder.
    Stdin(Arc<[u8]>),
}

impl Named {
    /// What the user would write to name it.
    pub fn shown(&self) -> String {
        match self {
            Named::File(path) => path.display().to_string(),
            Named::Shipped(shipped) => shipped.name.clone(),
            Named::Stdin(_) => "-".to_owned(),
        }
    }

    /// Reads it, with some values changed.
    ///
    /// # Errors
    /// All mistakes in it and in the changes.
    pub fn load(&self, settings: &[String], limits: Limits) -> Result<Scenario, Vec<Diagnostic>> {
        let mut scenario = match self {
            Named::File(path) => Scenario::load_with(path, settings),
            Named::Shipped(shipped) => shipped.load(settings),
            Named::Stdin(text) => {
                let mut beside = |name: &str| std::fs::read(name).map_err(|error| error.to_string());
                Scenario::parse("stdin.yaml", text, settings, &mut beside)
            }
        }?;
        scenario.set_limits(limits);
        Ok(scenario)
    }
}

/// Every scenario that these words name: a file as it is, a folder with all `.yaml` and `.yml` files below it that are scenarios,
/// sorted; and what is not there, as the name of a scenario or a folder of the library. Each once.
///
/// # Errors
/// A sentence for each word that cannot be read or names no scenario.
pub fn expand(words: &[PathBuf]) -> Result<Vec<Named>, Vec<String>> {
    let mut named = Vec::new();
    let mut mistakes = Vec::new();
    for path in words {
        if path.as_os_str() == "-" {
            match from_stdin(&named) {
                Ok(text) => named.extend(text),
                Err(error) => mistakes.push(format!("cannot read stdin: {error}")),
            }
        } else if path.is_dir() {
            match below(path) {
                Ok(files) if files.is_empty() => {
                    mistakes.push(format!("no scenario (.yaml with a title) in `{}`", path.display()));
                }
                Ok(files) => named.extend(files.into_iter().map(Named::File)),
                Err(error) => mistakes.push(format!("cannot read the folder `{}`: {error}", path.display())),
            }
        } else if path.exists() {
            named.push(Named::File(path.clone()));
        } else {
            let word = path.to_string_lossy();
            let shipped = library::find(&word);
            if shipped.is_empty() {
                mistakes.push(unknown(&word));
            }
            named.extend(shipped.into_iter().map(Named::Shipped));
        }
    }
    let mut known = BTreeSet::new();
    // A file may be named twice, or a folder and a file of it.
    named.retain(|named| match named {
        Named::File(path) => known.insert(std::fs::canonicalize(path).unwrap_or_else(|_| path.clone())),
        Named::Shipped(shipped) => known.insert(PathBuf::from(format!("built-in {}", shipped.name))),
        Named::Stdin(_) => true,
    });
    if mistakes.is_empty() { Ok(named) } else { Err(mistakes) }
}

/// What comes on stdin, which can be read once.
fn from_stdin(named: &[Named]) -> std::io::Result<Option<Named>> {
    if named.iter().any(|named| matches!(named, Named::Stdin(_))) {
        return Ok(None);
    }
    let mut text = Vec::new();
    std::io::stdin().read_to_end(&mut text)?;
    Ok(Some(Named::Stdin(text.into())))
}

/// What to say about a word that is neither a file nor in the library.
pub fn unknown(word: &str) -> String {
    let names: Vec<String> = library::all().into_iter().map(|shipped| shipped.name).collect();
    // The folder is easily forgotten.
    let last = |name: &&String| name.rsplit('/').next() == Some(word);
    let near = names.iter().find(last).map(String::as_str);
    let help = match near.or_else(|| nearest(word, names.iter().map(String::as_str))) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`regsim list` shows the built-in scenarios".to_owned(),
    };
    format!("no such file, folder or built-in scenario: `{word}` ({help})")
}

/// All scenarios below a folder, sorted by name.
///
/// # Errors
/// If a folder or a file cannot be read.
pub fn below(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    collect(folder, &mut files)?;
    files.sort_by_cached_key(|path| path.with_extension(""));
    Ok(files)
}

fn collect(folder: &Path, into: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            collect(&path, into)?;
        } else if path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml")
            && library::is_scenario(&std::fs::read(&path)?)
        {
            into.push(path);
        }
    }
    Ok(())
}

/// How large scenarios may be.
#[derive(Clone, Copy, Debug, clap::Args)]
#[command(next_help_heading = "Limits")]
pub struct LimitArguments {
    /// The most instances of all services together; default: 1000000
    #[arg(long, value_name = "N")]
    max_instances: Option<u64>,
    /// The longest run in virtual time; default: 31d
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    max_duration: Option<Duration>,
    /// The most calls and heartbeats of a run; default: 1000000000
    #[arg(long, value_name = "N")]
    max_requests: Option<u64>,
}

fn duration(text: &str) -> Result<Duration, String> {
    Duration::read(text).map_err(|error| error.message)
}

impl LimitArguments {
    /// What was said, as it is written after a command.
    pub fn written(self) -> String {
        let said = [
            ("max-instances", self.max_instances.map(|limit| limit.to_string())),
            ("max-duration", self.max_duration.map(|limit| Shown(limit).to_string())),
            ("max-requests", self.max_requests.map(|limit| limit.to_string())),
        ];
        said.into_iter().filter_map(|(name, limit)| Some(format!(" --{name} {}", limit?))).collect()
    }

    /// What is said, and the usual where nothing is.
    pub fn limits(self) -> Limits {
        let usual = Limits::default();
        Limits {
            instances: self.max_instances.unwrap_or(usual.instances),
            duration: self.max_duration.unwrap_or(usual.duration),
            requests: self.max_requests.unwrap_or(usual.requests),
        }
    }
}

/// Shows all mistakes on stderr.
pub fn complain(diagnostics: &[Diagnostic]) {
    for diagnostic in diagnostics {
        tell(&diagnostic.to_string());
    }
    let many = if diagnostics.len() == 1 { "" } else { "s" };
    tell(&format!("{} mistake{many} found", diagnostics.len()));
}
