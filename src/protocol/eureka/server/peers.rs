//! The other servers: who they are, what each is told, and what their answers mean (`PeerEurekaNodes`, `PeerEurekaNode`,
//! `ReplicationTaskProcessor`).
//!
//! Left out: AWS group status and the dispatcher of its own that it has; the death of a worker over an I/O error without a
//! message (fixed in 2.0.1); a server that is configured without any URL has no peers here, where the original does not start.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use super::acceptor::{Acceptor, Action, Moment, Task};
use super::holders::{Holder, Holders};
use super::recycler::Recycler;
use super::registry::Registry;
use super::shaper::Failure;
use super::{POOL, Tag};
use crate::protocol::eureka::config::ServerConfig;
use crate::protocol::eureka::instance::InstanceInfo;
use crate::protocol::eureka::node::{ServerNode, ServiceUrl};
use crate::protocol::eureka::wire::{Body, Heartbeat, Item, ItemResult, Request, Response, Stamp};
use crate::protocol::eureka::{self, Eureka};
use crate::protocol::{Address, CallError, Cx, InstanceId, Instant, Origin, ServiceId, Status, Wall};

/// Life of a task about an instance that says nothing about its lease: 90 s (`PeerEurekaNode.getLeaseRenewalOf`).
const DEFAULT_LIFE: Duration = Duration::from_secs(90);

/// Another server. Its settings are those that held when it was added.
#[derive(Clone, Debug)]
struct Peer {
    number: u16,
    address: Address,
    connect_timeout: Duration,
    read_timeout: Duration,
    task_life: Duration,
    acceptor: Acceptor,
}

/// All other servers.
#[derive(Clone, Debug, Default)]
pub(super) struct Peers {
    peers: Vec<Peer>,
    /// Peers get numbers that are never given again, so that an answer cannot be taken for another peer's.
    next_number: u16,
    batches: Recycler<Item>,
    assigned: Vec<u16>,
}

/// Figures over all peers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counters {
    /// Tasks waiting.
    pub(super) pending: u64,
    /// Tasks dropped from a full buffer, so far.
    pub(super) overflows: u64,
    /// Tasks dropped as too old, so far.
    pub(super) expired: u64,
}

/// What an answer to a batch makes of its tasks.
enum Verdict {
    /// Taken: each item has its result, unless their number is wrong.
    Success(Arc<Vec<ItemResult>>),
    /// To be tried again.
    Retry(Failure),
    /// Discarded.
    Permanent,
}

fn verdict(result: Result<Response, CallError>) -> Verdict {
    let congested =
        |status| if status == 503 { Verdict::Retry(Failure::Congestion) } else { Verdict::Permanent };
    match result {
        Ok(Response { status: 200..=299, body: Body::Batch(results) }) => Verdict::Success(results),
        Ok(Response { status, body: _ }) => congested(status),
        Err(CallError::Status { code, .. }) => congested(code),
        Err(CallError::ReadTimeout) => Verdict::Retry(Failure::Congestion),
        Err(CallError::Refused | CallError::ConnectTimeout | CallError::Reset | CallError::Broken) => {
            Verdict::Retry(Failure::Transient)
        }
    }
}

/// The URLs of the other servers, ordered by zone: this server's own zone first, or, without preference for it, the first
/// that differs; then round the list of zones. Zones are in the order in which the configuration first names them.
fn resolve(node: &ServerNode) -> Vec<Address> {
    let urls = &node.client.service_urls;
    let mut zones: Vec<&str> = Vec::new();
    for url in urls.iter() {
        if !zones.contains(&&*url.zone) {
            zones.push(&url.zone);
        }
    }
    let prefer_same = node.client.client.prefer_same_zone;
    let first = zones.iter().position(|zone| (**zone == *node.client.zone) == prefer_same).unwrap_or(0);
    zones.rotate_left(first);
    let mut addresses = Vec::new();
    for zone in zones {
        for url in urls.iter().filter(|url| &*url.zone == zone) {
            if !is_me(node, url) && !addresses.contains(&url.address) {
                addresses.push(url.address);
            }
        }
    }
    addresses
}

/// Whether a URL is this server's own. By default the host name alone decides: servers on one host take each other for
/// themselves.
fn is_me(node: &ServerNode, url: &ServiceUrl) -> bool {
    match node.my_url {
        Some(mine) => mine == url.address,
        None => *url.host == *node.hostname,
    }
}

impl Peers {
    /// Resolves the list anew. Servers that are gone from it are dropped with all that waits for them; new ones begin with
    /// nothing. A list that comes out empty is not believed.
    pub(super) fn refresh(&mut self, node: &ServerNode, holders: &mut Holders, cx: &mut Cx<'_, Eureka>) {
        let addresses = resolve(node);
        if addresses.is_empty() {
            return;
        }
        let (kept, gone) =
            std::mem::take(&mut self.peers).into_iter().partition(|peer| addresses.contains(&peer.address));
        self.peers = kept;
        let gone: Vec<Peer> = gone;
        gone.into_iter().for_each(|peer| peer.acceptor.shut_down(holders).for_each(|call| cx.abandon(call)));
        for address in addresses {
            if self.peers.iter().all(|peer| peer.address != address) {
                self.peers.push(Peer::new(self.next_number, address, &node.server, cx.now()));
                self.next_number += 1;
            }
        }
    }

    /// Drops all peers.
    pub(super) fn shut_down(&mut self, holders: &mut Holders, cx: &mut Cx<'_, Eureka>) {
        for peer in self.peers.drain(..) {
            peer.acceptor.shut_down(holders).for_each(|call| cx.abandon(call));
        }
    }

    /// Their addresses.
    pub(super) fn addresses(&self) -> impl Iterator<Item = Address> {
        self.peers.iter().map(|peer| peer.address)
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.peers.is_empty()
    }

    /// When the next turn of any dispatcher is to be taken.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.peers.iter().filter_map(|peer| peer.acceptor.deadline()).min()
    }

    /// Tells all peers of a change. `holder` is the live object, of which each task takes a reference; a cancel has none.
    pub(super) fn replicate(
        &mut self,
        action: Action,
        subject: (ServiceId, InstanceId),
        holder: Option<Holder>,
        overridden: Option<Status>,
        holders: &mut Holders,
        cx: &mut Cx<'_, Eureka>,
    ) {
        for peer in &mut self.peers {
            let task = peer.task(action, subject, holder, overridden, holders, cx.wall());
            let mut moment = Moment { now: cx.now(), wall: cx.wall(), holders };
            peer.acceptor.offer(task, &mut moment, &mut self.assigned);
            peer.send(&mut self.assigned, &mut self.batches, holders, cx);
        }
    }

    /// Dispatchers take the turns that are due.
    pub(super) fn on_timeout(&mut self, holders: &mut Holders, cx: &mut Cx<'_, Eureka>) {
        for peer in &mut self.peers {
            let mut moment = Moment { now: cx.now(), wall: cx.wall(), holders };
            peer.acceptor.on_timeout(&mut moment, &mut self.assigned);
            peer.send(&mut self.assigned, &mut self.batches, holders, cx);
        }
    }

    /// The wall clock has jumped against the monotonic one.
    pub(super) fn on_wall_jump(&mut self, now: Instant, wall: Wall) {
        self.peers.iter_mut().for_each(|peer| peer.acceptor.on_wall_jump(now, wall));
    }

    /// The answer to a batch. An answer to a peer that was dropped is ignored.
    pub(super) fn on_outcome(
        &mut self,
        tag: Tag,
        result: Result<Response, CallError>,
        registry: &mut Registry,
        cx: &mut Cx<'_, Eureka>,
    ) {
        let Some(peer) = self.peers.iter_mut().find(|peer| peer.number == tag.peer) else { return };
        let Some(tasks) = peer.acceptor.answered(tag.worker) else { return };
        match verdict(result) {
            Verdict::Success(results) => {
                if results.len() == tasks.len() {
                    for (task, result) in tasks.iter().zip(results.iter()) {
                        if !(200..=299).contains(&result.status) {
                            peer.on_failed_item(task, result, &mut self.assigned, registry, cx);
                        }
                    }
                }
                let mut moment =
                    Moment { now: cx.now(), wall: cx.wall(), holders: &mut registry.store.holders };
                peer.acceptor.finish(tag.worker, tasks, &mut moment);
            }
            Verdict::Retry(failure) => {
                let mut moment =
                    Moment { now: cx.now(), wall: cx.wall(), holders: &mut registry.store.holders };
                peer.acceptor.retry(tag.worker, tasks, failure, &mut moment);
            }
            Verdict::Permanent => {
                let mut moment =
                    Moment { now: cx.now(), wall: cx.wall(), holders: &mut registry.store.holders };
                peer.acceptor.finish(tag.worker, tasks, &mut moment);
            }
        }
        peer.send(&mut self.assigned, &mut self.batches, &registry.store.holders, cx);
    }

    /// Figures over all peers there are now.
    pub(super) fn counters(&self) -> Counters {
        self.peers.iter().fold(Counters::default(), |sum, peer| Counters {
            pending: sum.pending + peer.acceptor.waiting() as u64,
            overflows: sum.overflows + peer.acceptor.overflows(),
            expired: sum.expired + peer.acceptor.expired(),
        })
    }

    /// Folds the state into a hash.
    pub(super) fn fingerprint(&self, holders: &Holders, mut into: &mut dyn Hasher) {
        for peer in &self.peers {
            (peer.number, peer.address).hash(&mut into);
            peer.acceptor.fingerprint(holders, into);
        }
    }
}

impl Peer {
    fn new(number: u16, address: Address, config: &ServerConfig, now: Instant) -> Peer {
        Peer {
            number,
            address,
            connect_timeout: config.peer_connect_timeout,
            read_timeout: config.peer_read_timeout,
            task_life: config.max_time_for_replication,
            acceptor: Acceptor::new(
                config.max_elements_in_peer_replication_pool,
                config.max_threads_for_peer_replication,
                now,
            ),
        }
    }

    fn task(
        &self,
        action: Action,
        (app, id): (ServiceId, InstanceId),
        holder: Option<Holder>,
        overridden: Option<Status>,
        holders: &mut Holders,
        wall: Wall,
    ) -> Task {
        let life = match (action, holder) {
            (Action::Register | Action::Heartbeat, Some(holder)) => {
                holders.renewal_interval(holder).unwrap_or(DEFAULT_LIFE)
            }
            _ => self.task_life,
        };
        assert_eq!(
            holder.is_none(),
            action == Action::Cancel,
            "all but a cancel refer to an object: {action:?}"
        );
        Task {
            action,
            app,
            id,
            holder: holder.map(|holder| holders.retain(holder)),
            overridden,
            expires_ms: (wall + life).as_millis(),
            submitted_ms: wall.as_millis(),
        }
    }

    /// Sends the batches that the acceptor has assigned.
    fn send(
        &mut self,
        assigned: &mut Vec<u16>,
        batches: &mut Recycler<Item>,
        holders: &Holders,
        cx: &mut Cx<'_, Eureka>,
    ) {
        for worker in assigned.drain(..) {
            let tasks = self.acceptor.batch(worker);
            let items = batches.list(|items| items.extend(tasks.iter().map(|task| item(task, holders))));
            let tag = eureka::Tag::Replication(Tag { peer: self.number, worker });
            let request = Request::Batch(items);
            let call = cx.call(self.address, POOL, request, self.connect_timeout, self.read_timeout, tag);
            self.acceptor.sent(worker, call);
        }
    }

    /// An item of a delivered batch was refused. Only heartbeats are repaired.
    fn on_failed_item(
        &mut self,
        task: &Task,
        result: &ItemResult,
        assigned: &mut Vec<u16>,
        registry: &mut Registry,
        cx: &mut Cx<'_, Eureka>,
    ) {
        if task.action != Action::Heartbeat {
            return;
        }
        if result.status == 404 {
            // The peer lacks the instance, or its copy is older.
            let holders = &mut registry.store.holders;
            let register =
                self.task(Action::Register, (task.app, task.id), task.holder, None, holders, cx.wall());
            let mut moment = Moment { now: cx.now(), wall: cx.wall(), holders };
            self.acceptor.offer(register, &mut moment, assigned);
        } else if registry.config.sync_when_timestamp_differs
            && let Some(newer) = &result.entity
        {
            adopt(newer, registry, cx);
        }
    }
}

/// Takes over a peer's newer copy (`syncInstancesIfTimestampDiffers`).
fn adopt(newer: &Arc<InstanceInfo>, registry: &mut Registry, cx: &mut Cx<'_, Eureka>) {
    if newer.overridden != Status::Unknown && registry.store_override(newer.id, newer.overridden, cx).is_err()
    {
        // The original fails here on an instance that it cannot read, and registers nothing.
        return;
    }
    if let Ok(incoming) = registry.register(Arc::clone(newer), Origin::Sync, cx) {
        registry.store.holders.release(incoming);
    }
}

/// A task as it goes into a batch: with what the live object holds now.
fn item(task: &Task, holders: &Holders) -> Item {
    let (app, id) = (task.app, task.id);
    let Some(holder) = task.holder else { return Item::Cancel { app, id } };
    let (status, last_dirty) = (holders.status(holder), holders.version(holder));
    match task.action {
        Action::Register => Item::Register(Arc::clone(holders.get(holder))),
        Action::Heartbeat => {
            let overridden = task.overridden;
            Item::Heartbeat(Heartbeat { app, id, status, last_dirty: Stamp::At(last_dirty), overridden })
        }
        Action::Cancel => Item::Cancel { app, id },
        Action::SetStatus => Item::SetStatus { app, id, status, last_dirty },
        Action::ClearStatus => Item::ClearStatus { app, id, status, last_dirty },
    }
}
