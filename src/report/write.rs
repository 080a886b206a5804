//! Files written whole or not at all.
//!
//! A reader never sees half a picture, and a run that fails leaves what was there before: the content goes into a temporary
//! file in the same folder, which then takes the name. That holds for a program that is told to end in the middle, too: [`abandon`]
//! removes what is not whole. Left out: forcing it to the disk; after a power cut a report can be written again.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A file that could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write `{path}`: {source}")]
pub struct WriteError {
    pub path: PathBuf,
    pub source: io::Error,
}

/// The temporary files of this process.
static UNFINISHED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

fn unfinished() -> MutexGuard<'static, Vec<PathBuf>> {
    // A list of names is whole whoever panicked.
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes everything that is written but not whole. From then on nothing new can be begun: the process is about to end.
pub fn abandon() {
    let unfinished = unfinished();
    for path in unfinished.iter() {
        // It is not there if it was about to be renamed.
        let _ = fs::remove_file(path);
    }
    std::mem::forget(unfinished);
}

/// Writes `content` to `path`, making its folder if need be. On an error nothing is left behind and nothing is changed.
pub fn write_whole(path: &Path, content: &[u8]) -> Result<(), WriteError> {
    write_together(&[(path.to_owned(), content)])
}

/// Writes files that belong together: none takes its name before all are written.
pub fn write_together(files: &[(PathBuf, &[u8])]) -> Result<(), WriteError> {
    let mut written = Vec::with_capacity(files.len());
    for (path, content) in files {
        let mut partial = Partial::create(path)?;
        partial.write_all(content).and_then(|()| partial.flush()).map_err(|source| partial.failed(source))?;
        written.push(partial);
    }
    written.into_iter().try_for_each(Partial::finish)
}

/// A file that is written as its content comes, and takes its name when it is whole. Dropped before, it leaves nothing behind.
#[derive(Debug)]
pub struct Partial {
    path: PathBuf,
    temporary: PathBuf,
    file: BufWriter<File>,
}

impl Partial {
    /// Begins a file, making its folder if need be.
    pub fn create(path: &Path) -> Result<Partial, WriteError> {
        Self::begin(path).map_err(|source| WriteError { path: path.to_owned(), source })
    }

    fn begin(path: &Path) -> io::Result<Partial> {
        let no_name = || io::Error::new(io::ErrorKind::InvalidInput, "the path names no file");
        let name = path.file_name().ok_or_else(no_name)?;
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        // Two processes may write the same report at once; each needs its own temporary file.
        let mut temporary_name = OsString::from(".");
        temporary_name.push(name);
        temporary_name.push(format!(".{}.partial", std::process::id()));
        let temporary = path.with_file_name(temporary_name);
        // Made while the list is held: whoever empties the list finds every file that is on it.
        let mut unfinished = unfinished();
        let file = File::create(&temporary)?;
        unfinished.push(temporary.clone());
        Ok(Partial { path: path.to_owned(), temporary, file: BufWriter::new(file) })
    }

    /// It is whole: it takes its name.
    pub fn finish(mut self) -> Result<(), WriteError> {
        let path = std::mem::take(&mut self.path);
        self.finish_as(&path)
    }

    /// It is whole: it takes this name instead, in any folder of the same disk.
    pub fn finish_as(mut self, path: &Path) -> Result<(), WriteError> {
        let folder = path.parent().map_or(Ok(()), fs::create_dir_all);
        let renamed =
            folder.and_then(|()| self.file.flush()).and_then(|()| fs::rename(&self.temporary, path));
        renamed.map_err(|source| WriteError { path: path.to_owned(), source })
    }

    /// What to say of a failure to write to it.
    pub fn failed(&self, source: io::Error) -> WriteError {
        WriteError { path: self.path.clone(), source }
    }
}

impl Write for Partial {
    fn write(&mut self, content: &[u8]) -> io::Result<usize> {
        self.file.write(content)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        let mut unfinished = unfinished();
        unfinished.retain(|path| *path != self.temporary);
        // A file that has its name by now is not there any more.
        let _ = fs::remove_file(&self.temporary);
    }
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
    fn what_belongs_together_is_written_together_or_not_at_all() {
        let folder = Folder::new("together");
        let taken = folder.0.join("taken");
        fs::write(&taken, b"a file").expect("writable");
        let first = folder.0.join("first");
        assert!(write_together(&[(first.clone(), b"1"), (taken.join("second"), b"2")]).is_err());
        assert_eq!(folder.names(), ["taken"], "the first could be written, but not the second");
        write_together(&[(first, b"1"), (folder.0.join("second"), b"2")]).expect("writable");
        assert_eq!(folder.names(), ["first", "second", "taken"]);
    }

    #[test]
    fn a_file_that_is_not_finished_leaves_nothing() {
        let folder = Folder::new("unfinished");
        let mut partial = Partial::create(&folder.0.join("history")).expect("writable");
        partial.write_all(b"half").expect("writable");
        assert_eq!(folder.names().len(), 1);
        drop(partial);
        assert_eq!(folder.names(), [""; 0]);
        let partial = Partial::create(&folder.0.join("history")).expect("writable");
        partial.finish_as(&folder.0.join("deep/other")).expect("writable");
        assert_eq!(folder.names(), ["deep"]);
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
