//! What a disk holds, as a machine sees it: a few named logs and cells.
//!
//! A machine reads the disk once, in `start`; after that it only writes. When a write is durable, and what a power loss
//! leaves, is the driver's business.

/// A file of one process. The machine numbers its files itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u8);

/// A sequence of records with absolute indices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log<R> {
    /// Index of the first record that is still there.
    pub first: u64,
    /// The records from `first` on.
    pub records: Vec<R>,
}

impl<R> Default for Log<R> {
    fn default() -> Log<R> {
        Log { first: 0, records: Vec::new() }
    }
}

impl<R> Log<R> {
    /// Index that the next appended record will get.
    pub fn next(&self) -> u64 {
        self.first + self.records.len() as u64
    }
}

/// One record that is replaced whole: a snapshot, an epoch file, a vote.
pub type Cell<R> = Option<R>;

/// All files of one process. A file that was never written is absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disk<R> {
    /// Logs by file, in order of file.
    pub logs: Vec<(FileId, Log<R>)>,
    /// Cells by file, in order of file.
    pub cells: Vec<(FileId, Cell<R>)>,
}

impl<R> Default for Disk<R> {
    fn default() -> Disk<R> {
        Disk { logs: Vec::new(), cells: Vec::new() }
    }
}

impl<R> Disk<R> {
    /// The log in `file`, if it was ever written.
    pub fn log(&self, file: FileId) -> Option<&Log<R>> {
        self.logs.iter().find(|(id, _)| *id == file).map(|(_, log)| log)
    }

    /// The record in the cell `file`, if there is one.
    pub fn cell(&self, file: FileId) -> Option<&R> {
        self.cells.iter().find(|(id, _)| *id == file).and_then(|(_, cell)| cell.as_ref())
    }

    /// Applies one write, creating the file if need be.
    pub fn apply(&mut self, file: FileId, write: Write<R>) {
        match write {
            Write::Append(record) => self.log_mut(file).records.push(record),
            Write::TruncateFrom(index) => {
                let log = self.log_mut(file);
                let keep = usize::try_from(index.saturating_sub(log.first)).unwrap_or(usize::MAX);
                log.records.truncate(keep);
            }
            Write::DropBefore(index) => {
                let log = self.log_mut(file);
                let gone = index.clamp(log.first, log.next()) - log.first;
                log.records.drain(..usize::try_from(gone).expect("a log fits in memory"));
                log.first = log.first.max(index);
            }
            Write::Replace(record) => {
                let at = self.cells.partition_point(|(id, _)| *id < file);
                match self.cells.get_mut(at) {
                    Some((id, cell)) if *id == file => *cell = Some(record),
                    _ => self.cells.insert(at, (file, Some(record))),
                }
            }
        }
    }

    fn log_mut(&mut self, file: FileId) -> &mut Log<R> {
        let at = self.logs.partition_point(|(id, _)| *id < file);
        if self.logs.get(at).is_none_or(|(id, _)| *id != file) {
            self.logs.insert(at, (file, Log::default()));
        }
        &mut self.logs[at].1
    }
}

/// One change of one file. It survives a process crash at once, a power loss only once flushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write<R> {
    /// Add a record to the end of a log.
    Append(R),
    /// Remove the records from this absolute index on.
    TruncateFrom(u64),
    /// Remove the records before this absolute index. Past the end of the log it leaves an empty log that begins there, as
    /// after the installation of a snapshot.
    DropBefore(u64),
    /// Replace a cell whole.
    Replace(R),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_keep_absolute_indices() {
        let mut disk = Disk::default();
        let file = FileId(3);
        for record in 0..5 {
            disk.apply(file, Write::Append(record));
        }
        disk.apply(file, Write::DropBefore(2));
        disk.apply(file, Write::TruncateFrom(4));
        let log = disk.log(file).expect("written");
        assert_eq!((log.first, log.next(), log.records.as_slice()), (2, 4, [2, 3].as_slice()));
        disk.apply(file, Write::DropBefore(99));
        let log = disk.log(file).expect("written");
        assert_eq!((log.first, log.next()), (99, 99));
        disk.apply(file, Write::DropBefore(7));
        assert_eq!(disk.log(file).expect("written").first, 99);
    }

    #[test]
    fn a_cell_is_replaced_whole() {
        let mut disk = Disk::default();
        disk.apply(FileId(1), Write::Replace("old"));
        disk.apply(FileId(1), Write::Replace("new"));
        disk.apply(FileId(0), Write::Replace("other"));
        assert_eq!((disk.cell(FileId(0)), disk.cell(FileId(1))), (Some(&"other"), Some(&"new")));
        assert_eq!(disk.cell(FileId(2)), None);
    }
}
