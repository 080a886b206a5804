//! Disks: what was written, what of it is durable, and what a power loss leaves.
//!
//! A write is visible to the next life of the process at once. A flush makes the earlier writes to its file durable; flushes
//! of one file run one after another. A power loss leaves what was flushed and, of the rest, a prefix for each file on its
//! own: so a log loses its end (a torn last record is seen as absent), and a cell has its old or a newer record.

use std::collections::VecDeque;

use crate::history::{Record, What};
use crate::plan::world::Unflushed;
use crate::protocol::{Disk, DiskError, DiskInput, FileId, Input, NodeId, Protocol, SimTime, Wire, Write};

use super::network::{Draws, Purpose};
use super::{Due, Simulation};

/// The files of one process.
#[derive(Clone, Debug)]
pub(super) struct Files<P: Protocol> {
    /// What the process has written.
    pub disk: Disk<P::Record>,
    /// What would be left if no unflushed write survived.
    durable: Disk<P::Record>,
    files: Vec<File<P>>,
}

#[derive(Clone, Debug)]
struct File<P: Protocol> {
    id: FileId,
    /// Writes that are not durable yet, oldest first, and how many there were before them.
    unflushed: VecDeque<Write<P::Record>>,
    flushed: u64,
    /// Flushes asked for; the first is running.
    flushes: VecDeque<Flush<P>>,
    /// The queue entry at which it ends.
    due: u64,
}

#[derive(Clone, Debug)]
struct Flush<P: Protocol> {
    tag: P::Tag,
    /// The life of the process that asked.
    life: u32,
    /// How many writes there had been to the file.
    covers: u64,
}

impl<P: Protocol> Default for Files<P> {
    fn default() -> Files<P> {
        Files { disk: Disk::default(), durable: Disk::default(), files: Vec::new() }
    }
}

impl<P: Protocol> Files<P> {
    fn file(&mut self, id: FileId) -> &mut File<P> {
        let at = self.files.partition_point(|file| file.id < id);
        if self.files.get(at).is_none_or(|file| file.id != id) {
            let (unflushed, flushes) = (VecDeque::new(), VecDeque::new());
            self.files.insert(at, File { id, unflushed, flushed: 0, flushes, due: 0 });
        }
        &mut self.files[at]
    }

    /// Keeps of the unflushed writes a prefix per file, as long as is said, or as `draw` says for the file.
    pub fn lose_power(&mut self, unflushed: Unflushed, draw: impl Fn(FileId) -> u64) {
        for file in &mut self.files {
            let written = file.unflushed.len() as u64;
            let kept = match unflushed {
                Unflushed::Drawn => draw(file.id) % (written + 1),
                Unflushed::Kept => written,
                Unflushed::Lost => 0,
                Unflushed::Torn => written.saturating_sub(1),
            };
            for write in file.unflushed.drain(..).take(kept as usize) {
                self.durable.apply(file.id, write);
            }
            file.flushes.clear();
            file.due = 0;
        }
        self.disk = self.durable.clone();
        self.files.clear();
    }
}

impl<P: Protocol> File<P> {
    fn covered(&self, flush: &Flush<P>) -> usize {
        (flush.covers.saturating_sub(self.flushed)) as usize
    }
}

impl<P: Protocol> Simulation<P> {
    /// A machine writes.
    pub(super) fn write(&mut self, node: NodeId, file: FileId, write: Write<P::Record>) {
        let files = self.nodes[node.index()].files.get_or_insert_default();
        files.disk.apply(file, write.clone());
        files.file(file).unflushed.push_back(write);
        self.records.push(Record { at: self.now, what: What::Disk { node, file: file.0, durable: false } });
    }

    /// A machine wants the earlier writes to a file durable.
    pub(super) fn flush(&mut self, id: NodeId, file: FileId, tag: P::Tag) {
        let node = &mut self.nodes[id.index()];
        let life = node.life;
        let state = node.files.get_or_insert_default().file(file);
        let covers = state.flushed + state.unflushed.len() as u64;
        state.flushes.push_back(Flush { tag, life, covers });
        if state.flushes.len() == 1 {
            self.begin_flush(id, file);
        }
    }

    fn begin_flush(&mut self, id: NodeId, file: FileId) {
        let node = &mut self.nodes[id.index()];
        let disk = &self.disks[node.host.index()];
        let state = node.files.get_or_insert_default().file(file);
        let Some(flush) = state.flushes.front() else { return };
        let covered = state.unflushed.iter().take(state.covered(flush));
        let bytes: u64 = covered.map(|write| u64::from(record_bytes(write))).sum();
        let latency_ns = u64::try_from(disk.speed.latency.as_nanos()).unwrap_or(u64::MAX);
        let transfer_ns = u128::from(bytes) * 1_000_000_000 / u128::from(disk.speed.bytes_per_second.max(1));
        let cost_ns = (u128::from(latency_ns) + transfer_ns) * u128::from(disk.slowness_milli) / 1_000;
        let done = SimTime(self.now.0.saturating_add(u64::try_from(cost_ns).unwrap_or(u64::MAX)));
        state.due = self.queue.push(done, Due::Flush(id));
    }

    /// A flush has ended.
    pub(super) fn on_flush(&mut self, id: NodeId, sequence: u64) {
        let node = &mut self.nodes[id.index()];
        let full = self.disks[node.host.index()].full > 0;
        let Some(files) = &mut node.files else { return };
        let Some(state) = files.files.iter_mut().find(|file| file.due == sequence) else { return };
        state.due = 0;
        let flush = state.flushes.pop_front().expect("a flush was running");
        let (file, covered) = (state.id, state.covered(&flush));
        let input = if full {
            DiskInput::Failed(flush.tag, DiskError::Full)
        } else {
            for write in state.unflushed.drain(..covered) {
                files.durable.apply(file, write);
            }
            state.flushed += covered as u64;
            let what = What::Disk { node: id, file: file.0, durable: true };
            self.records.push(Record { at: self.now, what });
            DiskInput::Flushed(flush.tag)
        };
        self.begin_flush(id, file);
        if flush.life == self.nodes[id.index()].life {
            self.settle(id);
            self.deliver(id, Input::Disk(input));
        }
    }

    /// What a power loss leaves on the disk of a process.
    pub(super) fn lose_writes(&mut self, id: NodeId, unflushed: Unflushed) {
        let node = &mut self.nodes[id.index()];
        let Some(files) = &mut node.files else { return };
        let draws = Draws { key: node.key, channel: 0, receiver: node.stable, counter: u64::from(node.life) };
        files.lose_power(unflushed, |file| draws.draw(Purpose::PowerLoss, u32::from(file.0)));
    }
}

fn record_bytes<R: Wire>(write: &Write<R>) -> u32 {
    match write {
        Write::Append(record) | Write::Replace(record) => record.bytes(),
        Write::TruncateFrom(_) | Write::DropBefore(_) => 0,
    }
}
