//! A primary-backup log over links, disk and datagram beats: the toy that proves the half of the seam that consensus needs.
//!
//! The primary appends, sends to every connected backup, and answers when it and they have flushed. Links do not report
//! silence, so beats do: who is not heard of is cut off, and a backup opens a new link, over which it gets all that the
//! primary still has, and drops what it alone had. Old entries are forgotten. Left out: a change of primary. The primary's
//! disk is the truth, so the bug that [`Config::acknowledge_before_flush`] plants shows when the primary loses power.

use std::hash::Hasher;
use std::mem::{replace, take};
use std::sync::Arc;
use std::time::Duration;

use rand::Rng;
use regsim::protocol::{
    Address, Answer, Cx, Disk, DiskInput, Event, FileId, Gauge, Input, InstanceId, Instant, LinkId,
    LinkInput, Log, Never, Operation, Origin, Protocol, Status, Ticket, Write,
};

use super::wire::wire;

const LOG: FileId = FileId(0);
const EPOCH: FileId = FileId(1);
/// Where the primary accepts links.
pub const PORT: u16 = 7;

/// Settings of one node.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The primary's address, at a backup.
    pub primary: Option<Address>,
    /// Who gets beats.
    pub peers: Vec<Address>,
    /// Time between beats; up to a quarter more is added by chance. Four of them in silence, and a peer is cut off.
    pub period: Duration,
    /// Entries beyond which old ones are forgotten.
    pub keep: u64,
    /// The planted bug: what was only written counts as flushed.
    pub acknowledge_before_flush: bool,
}

wire! {
    /// What travels.
    pub enum Message {
        /// Primary to backup, over the link: from `first` on, the log is this and no more, and nothing before `start` is kept.
        /// A new link begins with all that there is.
        Append(epoch: u64, start: u64, first: u64, records: Arc<[Record]>),
        /// Backup to primary, over the link: all before this index is safe.
        Durable(index: u64),
        /// To everyone, as a datagram: alive in this epoch.
        Beat(epoch: u64),
    }
}

wire! {
    /// What a disk holds.
    pub enum Record {
        /// In the log: what was registered, and in which epoch.
        Entry(epoch: u64, instance: InstanceId),
        /// In a cell: the newest epoch known. Each life of the primary has one of its own.
        Epoch(epoch: u64),
    }
}

/// A flush of this file, begun in this epoch, that makes it safe up to this index; or the link to the primary.
type Tag = Option<(FileId, u64, u64)>;

/// A session with another node.
#[derive(Clone, Debug)]
struct Peer {
    link: LinkId,
    address: Address,
    heard: Instant,
    /// What was last acknowledged over the link, once the backup has what a new link begins with.
    acknowledged: Option<u64>,
}

/// One node.
#[derive(Clone, Debug, Default)]
pub struct ReplicatedLog {
    config: Arc<Config>,
    /// What is written, flushed or not.
    image: Disk<Record>,
    /// A file is flushed whenever it is dirty: several writes and one flush are a group commit.
    dirty: [bool; 2],
    flushing: [bool; 2],
    /// The index before which the log is flushed.
    safe: u64,
    epoch: u64,
    serving: bool,
    stopping: bool,
    /// Who waits for the entry at an index, in order.
    waiting: Vec<(u64, Ticket, InstanceId)>,
    peers: Vec<Peer>,
    tick: Instant,
}

impl ReplicatedLog {
    /// What was registered, by index.
    pub fn entries(&self) -> impl Iterator<Item = (u64, InstanceId)> {
        (self.log().first..).zip(&self.log().records).map(|(index, record)| {
            let Record::Entry(_, instance) = record else { unreachable!("not in the log: {record:?}") };
            (index, *instance)
        })
    }

    fn log(&self) -> &Log<Record> {
        self.image.log(LOG).expect("made at the start")
    }

    fn write(&mut self, file: FileId, write: Write<Record>, cx: &mut Cx<'_, ReplicatedLog>) {
        self.dirty[usize::from(file.0)] = true;
        self.image.apply(file, write.clone());
        cx.write(file, write);
    }

    fn cut(&mut self, cx: &mut Cx<'_, ReplicatedLog>, gone: impl Fn(&Peer) -> bool) {
        self.peers.extract_if(.., |peer| gone(peer)).for_each(|peer| cx.close(peer.link, true));
    }

    fn on_ask(&mut self, ticket: Ticket, operation: Operation, cx: &mut Cx<'_, ReplicatedLog>) {
        match operation {
            _ if !self.serving || self.stopping => cx.done(ticket, Answer::Failed(503)),
            Operation::Register { instance } => {
                let (start, first) = (self.log().first, self.log().next());
                let record = Record::Entry(self.epoch, instance);
                self.write(LOG, Write::Append(record.clone()), cx);
                let append = Message::Append(self.epoch, start, first, Arc::new([record]));
                self.peers.iter().for_each(|peer| cx.send(peer.link, append.clone()));
                self.waiting.push((first, ticket, instance));
            }
            _ => cx.done(ticket, Answer::Failed(400)),
        }
    }

    fn on_link(&mut self, link: LinkId, input: LinkInput<Message>, cx: &mut Cx<'_, ReplicatedLog>) {
        let peer = self.peers.iter_mut().find(|peer| peer.link == link);
        match (input, peer) {
            (LinkInput::Accepted { from, port }, _) => {
                if !self.serving || self.stopping || port != PORT {
                    return cx.close(link, true);
                }
                self.cut(cx, |peer| peer.address == from);
                self.peers.push(Peer { link, address: from, heard: cx.now(), acknowledged: None });
                let (first, records) = (self.log().first, self.log().records.clone().into());
                cx.send(link, Message::Append(self.epoch, first, first, records));
            }
            (LinkInput::Opened, Some(peer)) => peer.heard = cx.now(),
            (LinkInput::Received(Message::Append(epoch, start, first, records)), Some(peer)) => {
                peer.acknowledged.get_or_insert(0);
                if epoch != self.epoch {
                    assert!(epoch > self.epoch, "the primary's epochs rise: {epoch} after {}", self.epoch);
                    // Only now can the log be cut back, so what is safe must be found out anew.
                    (self.epoch, self.safe, self.dirty[0]) = (epoch, 0, true);
                    self.write(EPOCH, Write::Replace(Record::Epoch(epoch)), cx);
                }
                self.on_append(start, first, &records, cx);
            }
            (LinkInput::Received(Message::Durable(index)), Some(peer)) => peer.acknowledged = Some(index),
            (LinkInput::Ended(_), _) => self.peers.retain(|peer| peer.link != link),
            (input, peer) => unreachable!("not on a link: {input:?} from {peer:?}"),
        }
    }

    fn on_append(&mut self, start: u64, first: u64, records: &[Record], cx: &mut Cx<'_, ReplicatedLog>) {
        if start > self.log().first {
            self.write(LOG, Write::DropBefore(start), cx);
        }
        let (log, end) = (self.log(), first + records.len() as u64);
        let differs = |index: &u64| {
            log.records.get((index - log.first) as usize) != records.get((index - first) as usize)
        };
        let agreed = (first.max(log.first)..end).find(differs).unwrap_or(end);
        if agreed < log.next() {
            self.write(LOG, Write::TruncateFrom(agreed), cx);
        }
        for record in &records[(agreed - first) as usize..] {
            self.write(LOG, Write::Append(record.clone()), cx);
        }
        assert_eq!(self.log().next(), end, "the log is as the primary said");
    }

    fn on_timeout(&mut self, cx: &mut Cx<'_, ReplicatedLog>) {
        let (now, patience) = (cx.now(), self.config.period * 4);
        let jitter = cx.random().random_range(0..=self.config.period.as_nanos() as u64 / 4);
        self.tick = now + self.config.period + Duration::from_nanos(jitter);
        assert!(self.tick > now, "after a timeout the next is later");
        self.cut(cx, |peer| peer.heard + patience < now);
        self.config.peers.iter().for_each(|to| cx.datagram(*to, Message::Beat(self.epoch)));
        if let Some(address) = self.config.primary.filter(|_| self.peers.is_empty() && !self.stopping) {
            let link = cx.open(address, PORT, patience, None);
            self.peers.push(Peer { link, address, heard: now, acknowledged: None });
        }
    }

    /// After every input: what follows from it.
    fn settle(&mut self, cx: &mut Cx<'_, ReplicatedLog>) {
        let registered = |(index, instance), origin| {
            let version = i64::try_from(index).expect("an index is small");
            Event::Registered { instance, status: Status::Up, version, origin }
        };
        let clean = self.dirty == [false; 2] && self.flushing == [false; 2];
        if self.config.primary.is_none() && !self.serving && clean {
            self.serving = true;
            self.entries().for_each(|it| cx.emit(registered(it, Origin::Sync)));
            cx.emit(Event::Gauge { gauge: Gauge::Serving, value: 1 });
        }
        let next = self.log().next();
        let acknowledged = if self.config.acknowledge_before_flush { next } else { self.safe };
        if self.serving {
            let safe = self.peers.iter().map(|peer| peer.acknowledged).fold(Some(acknowledged), Ord::min);
            let answered = self.waiting.partition_point(|(index, ..)| Some(*index) < safe);
            for (index, ticket, instance) in self.waiting.drain(..answered) {
                cx.emit(registered((index, instance), Origin::Client));
                cx.done(ticket, Answer::Ok);
            }
            let start = next.saturating_sub(self.config.keep).min(self.safe);
            if start > self.log().first {
                self.write(LOG, Write::DropBefore(start), cx);
            }
        } else if let Some(Peer { link, acknowledged: Some(old), .. }) = self.peers.first_mut()
            && replace(old, acknowledged) != acknowledged
        {
            cx.send(*link, Message::Durable(acknowledged));
        }
        for (at, file) in [LOG, EPOCH].into_iter().enumerate() {
            if !self.flushing[at] && take(&mut self.dirty[at]) {
                self.flushing[at] = true;
                cx.flush(file, Some((file, self.epoch, next)));
            }
        }
        if self.stopping && clean {
            cx.exit(0);
        }
    }
}

impl Protocol for ReplicatedLog {
    type Config = Config;
    type Request = Never;
    type Response = Never;
    type Message = Message;
    type Record = Record;
    type Tag = Tag;

    fn start(config: &Arc<Config>, disk: &Disk<Record>, cx: &mut Cx<'_, ReplicatedLog>) -> ReplicatedLog {
        let known = if let Some(Record::Epoch(epoch)) = disk.cell(EPOCH) { *epoch } else { 0 };
        let epoch = known + u64::from(config.primary.is_none());
        let (config, image, tick) = (Arc::clone(config), disk.clone(), cx.now());
        let mut log = ReplicatedLog { config, image, epoch, tick, ..ReplicatedLog::default() };
        // What an earlier life wrote may never have been flushed, so both files are written to.
        log.write(LOG, Write::DropBefore(0), cx);
        log.write(EPOCH, Write::Replace(Record::Epoch(epoch)), cx);
        log.settle(cx);
        log
    }

    fn handle(&mut self, input: Input<ReplicatedLog>, cx: &mut Cx<'_, ReplicatedLog>) {
        match input {
            Input::Timeout if cx.now() < self.tick => {}
            Input::Timeout => self.on_timeout(cx),
            Input::Request { request, .. } => match request {},
            Input::Outcome { result, .. } => unreachable!("the log makes no calls: {result:?}"),
            Input::Link { link, input, .. } => self.on_link(link, input, cx),
            Input::Datagram { from, message } => {
                let Message::Beat(epoch) = message else { unreachable!("not in a datagram: {message:?}") };
                let newer = epoch > self.epoch && self.config.primary == Some(from);
                let heard = self.peers.iter_mut().filter(|peer| peer.address == from);
                heard.for_each(|peer| peer.heard = cx.now());
                // The link is to the primary's earlier life.
                self.cut(cx, |peer| newer && peer.acknowledged.is_some());
            }
            Input::Disk(input) => {
                let (DiskInput::Flushed(tag) | DiskInput::Failed(tag, _)) = input;
                let (file, epoch, safe) = tag.expect("only flushes are tagged so");
                assert!(take(&mut self.flushing[file.0 as usize]), "a flush is answered once: {tag:?}");
                match input {
                    DiskInput::Failed(..) => self.dirty[file.0 as usize] = true,
                    DiskInput::Flushed(_) if file == LOG && epoch == self.epoch => self.safe = safe,
                    DiskInput::Flushed(_) => {}
                }
            }
            Input::Ask { ticket, operation } => self.on_ask(ticket, operation, cx),
            Input::Reconfigure(config) => self.config = config,
            Input::Stop => {
                self.stopping = true;
                self.peers.drain(..).for_each(|peer| cx.close(peer.link, false));
            }
        }
        self.settle(cx);
    }

    fn next_timeout(&self) -> Option<Instant> {
        Some(self.tick)
    }

    fn fingerprint(&self, into: &mut dyn Hasher) {
        into.write(format!("{self:?}").as_bytes());
    }
}
