//! The scenarios that are built into the program, so that `regsim run eureka/peer-down` works anywhere.
//!
//! Separate because only the command line has them: a test in another crate names its own files.

use std::path::{Path, PathBuf};

use include_dir::{Dir, DirEntry, File, include_dir};

use crate::scenario::Scenario;
use crate::scenario::diagnostic::Diagnostic;

static SCENARIOS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/scenarios");

/// A scenario of the library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shipped {
    /// Folder and file without its ending: `eureka/peer-down`.
    pub name: String,
    file: &'static File<'static>,
}

/// All of them, sorted by name.
pub fn all() -> Vec<Shipped> {
    let mut shipped = Vec::new();
    collect(&SCENARIOS, &mut shipped);
    shipped.sort_by(|a, b| a.name.cmp(&b.name));
    shipped
}

fn collect(folder: &'static Dir<'static>, into: &mut Vec<Shipped>) {
    for entry in folder.entries() {
        match entry {
            DirEntry::Dir(folder) => collect(folder, into),
            DirEntry::File(file) => {
                let path = file.path().to_string_lossy();
                if let Some(name) = path.strip_suffix(".yaml").filter(|_| is_scenario(file.contents())) {
                    into.push(Shipped { name: name.replace('\\', "/"), file });
                }
            }
        }
    }
}

/// Whether a YAML file is a scenario: beside them lie the files that they import. A scenario has a `title:` at the start of a line.
pub fn is_scenario(text: &[u8]) -> bool {
    text.split(|byte| *byte == b'\n').any(|line| line.starts_with(b"title:"))
}

/// What a word of the command line means: one scenario, or a folder of them. With or without `scenarios/` in front and `.yaml`
/// behind.
pub fn find(word: &str) -> Vec<Shipped> {
    let wanted = word.strip_prefix("scenarios/").unwrap_or(word);
    let wanted = wanted.strip_suffix(".yaml").unwrap_or(wanted).trim_end_matches('/');
    let within = |name: &str| name.strip_prefix(wanted).is_some_and(|rest| rest.starts_with('/'));
    all().into_iter().filter(|shipped| shipped.name == wanted || within(&shipped.name)).collect()
}

impl Shipped {
    /// The text of the file.
    pub fn text(&self) -> &'static [u8] {
        self.file.contents()
    }

    /// It and the files that it imports: path below `scenarios/`, and content.
    pub fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let folder = self.file.path().parent().unwrap_or(Path::new(""));
        let mut files = vec![(self.file.path().to_owned(), self.text().to_owned())];
        let mut beside = |name: &str| {
            let content = beside(folder, name)?;
            files.push((folder.join(name), content.clone()));
            Ok(content)
        };
        // What it names is known once it is read; that it can be read is held by a test.
        let _ = Scenario::parse(&self.name, self.text(), &[], &mut beside);
        files.sort();
        files.dedup();
        files
    }

    /// Reads it, with some values changed.
    ///
    /// # Errors
    /// Mistakes in the changes.
    pub fn load(&self, settings: &[String]) -> Result<Scenario, Vec<Diagnostic>> {
        let folder = self.file.path().parent().unwrap_or(Path::new(""));
        let mut beside = |name: &str| beside(folder, name);
        Scenario::parse(&format!("{}.yaml", self.name), self.text(), settings, &mut beside)
    }
}

/// A file of the library that a scenario in a folder of it names.
fn beside(folder: &Path, name: &str) -> Result<Vec<u8>, String> {
    let file = SCENARIOS.get_file(folder.join(name));
    file.map(|file| file.contents().to_vec()).ok_or_else(|| "no such file".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The library is what the repository has: a file that was added without a new build of this module would be missing.
    #[test]
    fn the_library_is_the_folder_of_scenarios() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
        let on_disk = super::super::files::below(&folder).expect("the folder can be read");
        let built_in: Vec<_> =
            all().iter().map(|shipped| folder.join(format!("{}.yaml", shipped.name))).collect();
        assert_eq!(built_in, on_disk);
    }

    #[test]
    fn every_shipped_scenario_can_be_read_with_the_files_that_it_names() {
        for shipped in all() {
            let scenario =
                shipped.load(&[]).unwrap_or_else(|mistakes| panic!("{}: {}", shipped.name, mistakes[0]));
            assert_eq!(scenario.name, shipped.name);
        }
    }

    #[test]
    fn a_word_names_one_scenario_or_a_folder() {
        let names = |word: &str| find(word).into_iter().map(|shipped| shipped.name).collect::<Vec<_>>();
        assert_eq!(names("eureka/peer-down"), ["eureka/peer-down"]);
        assert_eq!(names("scenarios/eureka/peer-down.yaml"), ["eureka/peer-down"]);
        assert!(names("eureka").len() > 10 && names("eureka") == names("scenarios/eureka/"));
        assert_eq!(names("eureka/peer"), [""; 0], "the start of a name is no name");
    }
}
