//! Files written whole or not at all.
//!
//! A reader never sees half a picture, and a run that fails leaves what was there before: the content goes into a temporary
//! file in the same folder, which then takes the name. Left out: forcing it to the disk; after a power cut a report can be
//! written again.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A file that could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write `{path}`: {source}")]
pub struct WriteError {
    pub path: PathBuf,
    pub source: io::Error,
}

/// Writes `content` to `path`, making its folder if need be. On an error nothing is left behind and nothing is changed.
pub fn write_whole(path: &Path, content: &[u8]) -> Result<(), WriteError> {
    replace(path, content).map_err(|source| WriteError { path: path.to_owned(), source })
}

fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let no_name = || io::Error::new(io::ErrorKind::InvalidInput, "the path names no file");
    let name = path.file_name().ok_or_else(no_name)?;
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    // Two processes may write the same report at once; each needs its own temporary file.
    let mut temporary_name = std::ffi::OsString::from(".");
    temporary_name.push(name);
    temporary_name.push(format!(".{}.partial", std::process::id()));
    let temporary = path.with_file_name(temporary_name);
    let written = fs::write(&temporary, content).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // The first error is the one to report; a file that was never made cannot be removed either.
        let _ = fs::remove_file(&temporary);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder of its own for each test, removed at the end.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let path = std::env::temp_dir().join(format!("regsim-write-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).expect("the temporary folder is writable");
            Folder(path)
        }

        fn names(&self) -> Vec<String> {
            let entries = fs::read_dir(&self.0).expect("the folder exists");
            let mut names: Vec<String> = entries
                .map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned())
                .collect();
            names.sort();
            names
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_file_replaces_the_one_before_and_leaves_nothing_else() {
        let folder = Folder::new("replace");
        let path = folder.0.join("deep/er/summary.json");
        write_whole(&path, b"one").expect("writable");
        write_whole(&path, b"two").expect("writable");
        assert_eq!(fs::read(&path).expect("there"), b"two");
        assert_eq!(fs::read_dir(folder.0.join("deep/er")).expect("there").count(), 1);
    }

    #[test]
    fn a_failure_changes_nothing() {
        let folder = Folder::new("failure");
        let path = folder.0.join("taken");
        fs::create_dir_all(path.join("inside")).expect("writable");
        let error = write_whole(&path, b"content").expect_err("a folder is in the way");
        assert!(error.to_string().starts_with("cannot write `"), "{error}");
        assert_eq!(folder.names(), ["taken"]);
        assert!(write_whole(Path::new(""), b"content").is_err());
        assert!(write_whole(&folder.0.join(".."), b"content").is_err());
    }
}
