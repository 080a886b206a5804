//! The real-time driver's disk: one folder per process, one file per log or cell.
//!
//! Appending appends; everything else writes the file anew beside the old one and renames it. A flush syncs the file.
//! Left out: syncing the folder, so a power loss may undo a rename.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Result, Write as _};
use std::path::PathBuf;

use regsim::protocol::{Disk, DiskError, FileId, Wire, Write};

use super::wire::Codec;

/// The files of one process.
pub struct Files<R> {
    dir: PathBuf,
    /// What the files hold.
    pub disk: Disk<R>,
    /// Files to which a write has failed since the last flush.
    failed: Vec<(FileId, ErrorKind)>,
}

impl<R: Wire + Codec> Files<R> {
    /// Reads what an earlier life left in this folder. A torn record, and what is after it, is absent.
    pub fn load(dir: PathBuf) -> Files<R> {
        std::fs::create_dir_all(&dir).expect("a folder for a disk");
        let mut disk = Disk::default();
        for file in (0..8).map(FileId) {
            if let Ok(bytes) = std::fs::read(dir.join(log_name(file))) {
                let mut rest = bytes.as_slice();
                disk.apply(file, Write::DropBefore(u64::take(&mut rest).unwrap_or(0)));
                while let Some(record) = R::take(&mut rest) {
                    disk.apply(file, Write::Append(record));
                }
            }
            if let Ok(bytes) = std::fs::read(dir.join(cell_name(file)))
                && let Some(record) = R::take(&mut bytes.as_slice())
            {
                disk.apply(file, Write::Replace(record));
            }
        }
        Files { dir, disk, failed: Vec::new() }
    }

    /// Carries out a write at once. A failure is told by the next flush.
    pub fn write(&mut self, file: FileId, write: Write<R>) {
        if let Err(error) = self.try_write(file, write) {
            self.failed.push((file, error.kind()));
        }
    }

    fn try_write(&mut self, file: FileId, write: Write<R>) -> Result<()> {
        let mut bytes = Vec::new();
        match write {
            Write::Append(record) if self.disk.log(file).is_some() => {
                record.put(&mut bytes);
                self.disk.apply(file, Write::Append(record));
                OpenOptions::new().append(true).open(self.dir.join(log_name(file)))?.write_all(&bytes)
            }
            Write::Replace(record) => {
                record.put(&mut bytes);
                self.disk.apply(file, Write::Replace(record));
                self.replace(&cell_name(file), &bytes)
            }
            write => {
                self.disk.apply(file, write);
                let log = self.disk.log(file).expect("just written");
                log.first.put(&mut bytes);
                log.records.iter().for_each(|record| record.put(&mut bytes));
                self.replace(&log_name(file), &bytes)
            }
        }
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let fresh = self.dir.join(format!("{name}.new"));
        std::fs::write(&fresh, bytes)?;
        std::fs::rename(fresh, self.dir.join(name))
    }

    /// What makes the earlier writes to `file` durable. It takes a while, so it is done on another thread.
    pub fn flush(
        &mut self,
        file: FileId,
    ) -> impl FnOnce() -> std::result::Result<(), DiskError> + Send + 'static {
        let failed = self.failed.iter().find(|(other, _)| *other == file).map(|(_, kind)| *kind);
        self.failed.retain(|(other, _)| *other != file);
        let paths = [self.dir.join(log_name(file)), self.dir.join(cell_name(file))];
        move || {
            let sync = |path| match File::open(path) {
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
                file => file.and_then(|file| file.sync_all()),
            };
            let synced = paths.iter().try_for_each(sync).map_err(|error| error.kind());
            match failed.map_or(synced, Err) {
                Ok(()) => Ok(()),
                Err(ErrorKind::StorageFull) => Err(DiskError::Full),
                Err(_) => Err(DiskError::Io),
            }
        }
    }
}

fn log_name(file: FileId) -> String {
    format!("{}.log", file.0)
}

fn cell_name(file: FileId) -> String {
    format!("{}.cell", file.0)
}
