//! The other servers: who they are, what each is told, and what their answers mean (`PeerEurekaNodes`, `PeerEurekaNode`,
//! `ReplicationTaskProcessor`).
//!
//! A server that is configured without any URL does not start, unless its URLs come from DNS, where an empty list is no failure.
//! A list that comes out empty because every URL is the server's own is not believed, and the servers known stay.
//!
//! A worker dies (`fixes: workerDiesOnNullMessage`) of an I/O error without a message, [`CallError::Broken`]. The other way to
//! die, an exception while the list of items is built, which no version guards, cannot happen here: building it cannot fail.
//!
//! Left out: a read timeout is told from other I/O errors by its message, so that a connect timeout to a host called `spread-1`
//! counts as one (`read...time...out`); names are not part of errors here. A list from DNS is not rotated by the hash of the
//! host name, which would only change the order of calls at one instant.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use super::acceptor::{Acceptor, Counters, Moment, Policy};
use super::holders::{Holder, Holders};
use super::preservation::MeasuredRate;
use super::recycler::Recycler;
use super::registry::Registry;
use super::shaper::Failure;
use super::task::{Action, Subject, Task};
use super::{REPLICATION, Tag};
use crate::protocol::eureka::config::Fixes;
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
    host: Arc<str>,
    /// Whether its URL counts as the server's own, by the settings of this moment. It has come into the list by others.
    is_me: bool,
    connect_timeout: Duration,
    read_timeout: Duration,
    task_life: Duration,
    /// Tells it of instances, in batches.
    instances: Acceptor,
    /// Tells it of groups, one by one. Only in AWS; elsewhere groups cannot be changed.
    groups: Option<Acceptor>,
}

/// All other servers.
#[derive(Clone, Debug, Default)]
pub(super) struct Peers {
    peers: Vec<Peer>,
    /// Peers get numbers that are never given again, so that an answer cannot be taken for another peer's.
    next_number: u16,
    outbox: Outbox,
    /// Writes that came from other servers (`numberOfReplicationsLastMin`).
    pub(super) replications: MeasuredRate,
    /// What peers had counted that are no longer there.
    gone: Counters,
    not_found: u64,
    conflicts: u64,
}

/// What is needed to make requests of tasks.
#[derive(Clone, Debug, Default)]
struct Outbox {
    batches: Recycler<Item>,
    /// Workers that have got tasks and are to be sent off.
    assigned: Vec<u16>,
    /// Groups by number.
    groups: Vec<Arc<str>>,
}

/// Figures over all peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Figures {
    /// Tasks waiting.
    pub(super) pending: usize,
    /// Workers alive.
    pub(super) workers: usize,
    /// What became of tasks.
    pub(super) tasks: Counters,
    /// Items that were answered 404.
    pub(super) not_found: u64,
    /// Items that were answered 409.
    pub(super) conflicts: u64,
}

/// No URL is configured at all, and none would come from DNS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoUrls;

/// What the outcome of a request makes of its tasks.
enum Verdict {
    /// Taken.
    Success(Body),
    /// To be tried again.
    Retry(Failure),
    /// Discarded.
    Permanent,
    /// Discarded, and the worker with them.
    Death,
}

fn verdict(result: Result<Response, CallError>, fixes: &Fixes) -> Verdict {
    match result {
        Ok(Response { status: 200..=299, body }) => Verdict::Success(body),
        Err(CallError::Status { code: 200..=299, .. }) => Verdict::Success(Body::Empty),
        Ok(Response { status: 503, .. }) | Err(CallError::Status { code: 503, .. }) => {
            Verdict::Retry(Failure::Congestion)
        }
        Ok(_) | Err(CallError::Status { .. }) => Verdict::Permanent,
        Err(CallError::ReadTimeout) if fixes.timeout_is_congestion => Verdict::Retry(Failure::Congestion),
        Err(CallError::Broken) if fixes.worker_dies_on_null_message => Verdict::Death,
        Err(
            CallError::ReadTimeout
            | CallError::Refused
            | CallError::ConnectTimeout
            | CallError::Reset
            | CallError::Broken,
        ) => Verdict::Retry(Failure::Transient),
    }
}

/// The URLs of the other servers, ordered by zone: this server's own zone first, or, without preference for it, the first
/// that differs; then round the list of zones. Zones are in the order in which the configuration first names them.
fn resolve(node: &ServerNode) -> Result<Vec<&ServiceUrl>, NoUrls> {
    let (urls, settings) = (&node.client.service_urls, &node.client.client);
    if urls.is_empty() && !settings.use_dns {
        return Err(NoUrls);
    }
    let mut zones: Vec<&str> = Vec::new();
    for url in urls.iter() {
        if !zones.contains(&&*url.zone) {
            zones.push(&url.zone);
        }
    }
    let is_own = |zone: &str| zone.eq_ignore_ascii_case(&node.client.zone);
    let first = zones.iter().position(|zone| is_own(zone) == settings.prefer_same_zone).unwrap_or(0);
    zones.rotate_left(first);
    let mut others: Vec<&ServiceUrl> = Vec::new();
    for zone in zones {
        for url in urls.iter().filter(|url| &*url.zone == zone) {
            let known = others.iter().any(|other| other.address == url.address);
            if !known && !is_me(node, url.address, &url.host) {
                others.push(url);
            }
        }
    }
    Ok(others)
}

/// Whether a URL is this server's own. By default the host name alone decides: servers on one host take each other for
/// themselves.
fn is_me(node: &ServerNode, address: Address, host: &str) -> bool {
    match node.my_url {
        Some(mine) => mine == address,
        None if node.client.client.applications_resolver_use_ip => *host == *node.ip,
        None => *host == *node.hostname,
    }
}

impl Peers {
    /// Resolves the list anew. Servers that are gone from it are dropped with all that waits for them; new ones begin with
    /// nothing. A list that comes out empty is not believed.
    ///
    /// # Errors
    /// If there is no list. All stays as it was.
    pub(super) fn refresh(
        &mut self,
        node: &ServerNode,
        holders: &mut Holders,
        cx: &mut Cx<'_, Eureka>,
    ) -> Result<(), NoUrls> {
        let urls = resolve(node)?;
        if urls.is_empty() {
            return Ok(());
        }
        let listed = |peer: &Peer| urls.iter().any(|url| url.address == peer.address);
        let (kept, gone) = std::mem::take(&mut self.peers).into_iter().partition(listed);
        self.peers = kept;
        let gone: Vec<Peer> = gone;
        gone.into_iter().for_each(|peer| self.drop_peer(peer, holders, cx));
        for url in urls {
            if self.peers.iter().all(|peer| peer.address != url.address) {
                self.peers.push(Peer::new(self.next_number, url, node, cx.now()));
                self.next_number += 1;
            }
        }
        self.recognise(node);
        Ok(())
    }

    /// Finds out which peers count as the server itself by these settings. They stay in the list, but are told nothing of
    /// instances.
    pub(super) fn recognise(&mut self, node: &ServerNode) {
        self.peers.iter_mut().for_each(|peer| peer.is_me = is_me(node, peer.address, &peer.host));
    }

    /// Drops all peers.
    pub(super) fn shut_down(&mut self, holders: &mut Holders, cx: &mut Cx<'_, Eureka>) {
        for peer in std::mem::take(&mut self.peers) {
            self.drop_peer(peer, holders, cx);
        }
    }

    fn drop_peer(&mut self, peer: Peer, holders: &mut Holders, cx: &mut Cx<'_, Eureka>) {
        for dispatcher in [Some(peer.instances), peer.groups].into_iter().flatten() {
            self.gone = self.gone + dispatcher.counters();
            dispatcher.shut_down(holders).for_each(|call| cx.abandon(call));
        }
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.peers.is_empty()
    }

    /// Their addresses.
    pub(super) fn addresses(&self) -> impl Iterator<Item = Address> {
        self.peers.iter().map(|peer| peer.address)
    }

    /// The peers: number and host name.
    pub(super) fn hosts(&self) -> impl Iterator<Item = (u16, &str)> {
        self.peers.iter().map(|peer| (peer.number, &*peer.host))
    }

    /// When the next turn of any dispatcher is to be taken.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let of_groups = |peer: &Peer| peer.groups.as_ref().and_then(Acceptor::deadline);
        self.peers
            .iter()
            .filter_map(|peer| [peer.instances.deadline(), of_groups(peer)].into_iter().flatten().min())
            .min()
    }

    /// Tells all peers of a change to an instance. `holder` is the live object, of which each task takes a reference; a cancel
    /// has none.
    pub(super) fn replicate(
        &mut self,
        action: Action,
        subject: (ServiceId, InstanceId),
        holder: Option<Holder>,
        overridden: Option<Status>,
        holders: &mut Holders,
        cx: &mut Cx<'_, Eureka>,
    ) {
        for peer in self.peers.iter_mut().filter(|peer| !peer.is_me) {
            let task = peer.task(action, subject, holder, overridden, holders, cx.wall());
            let mut moment = Moment { now: cx.now(), wall: cx.wall(), holders };
            peer.instances.offer(task, &mut moment, &mut self.outbox.assigned);
            peer.send_batches(&mut self.outbox, holders, cx);
        }
    }

    /// Tells all peers of a group. Here nobody looks whether a peer is the server itself.
    pub(super) fn replicate_group(
        &mut self,
        name: &Arc<str>,
        enabled: bool,
        holders: &mut Holders,
        cx: &mut Cx<'_, Eureka>,
    ) {
        let number = self.outbox.group(name);
        for peer in &mut self.peers {
            let Some(groups) = &mut peer.groups else { continue };
            let task = Task {
                subject: Subject::Group { number, enabled },
                expires_ms: (cx.wall() + peer.task_life).as_millis(),
                submitted_ms: cx.wall().as_millis(),
            };
            let mut moment = Moment { now: cx.now(), wall: cx.wall(), holders };
            groups.offer(task, &mut moment, &mut self.outbox.assigned);
            peer.send_groups(&mut self.outbox, cx);
        }
    }

    /// A heartbeat for its own sake: past the dispatcher, and whatever is answered. False if the peer is no longer there.
    pub(super) fn prime(&self, number: u16, heartbeat: Heartbeat, cx: &mut Cx<'_, Eureka>) -> bool {
        let Some(peer) = self.peers.iter().find(|peer| peer.number == number) else { return false };
        peer.call(Request::Heartbeat(heartbeat, true), Tag::Prime { peer: number }, cx);
        true
    }

    /// Dispatchers take the turns that are due.
    pub(super) fn on_timeout(&mut self, holders: &mut Holders, cx: &mut Cx<'_, Eureka>) {
        for peer in &mut self.peers {
            let mut moment = Moment { now: cx.now(), wall: cx.wall(), holders };
            peer.instances.on_timeout(&mut moment, &mut self.outbox.assigned);
            peer.send_batches(&mut self.outbox, moment.holders, cx);
            if let Some(groups) = &mut peer.groups {
                groups.on_timeout(&mut moment, &mut self.outbox.assigned);
                peer.send_groups(&mut self.outbox, cx);
            }
        }
    }

    /// The wall clock has jumped against the monotonic one.
    pub(super) fn on_wall_jump(&mut self, now: Instant, wall: Wall) {
        for peer in &mut self.peers {
            peer.instances.on_wall_jump(now, wall);
            peer.groups.iter_mut().for_each(|groups| groups.on_wall_jump(now, wall));
        }
    }

    /// The answer to a batch. An answer to a peer that was dropped is ignored.
    pub(super) fn on_batch(
        &mut self,
        (number, worker): (u16, u16),
        result: Result<Response, CallError>,
        fixes: &Fixes,
        registry: &mut Registry,
        cx: &mut Cx<'_, Eureka>,
    ) {
        let Some(at) = self.peers.iter().position(|peer| peer.number == number) else { return };
        let Some(tasks) = self.peers[at].instances.answered(worker) else { return };
        let verdict = match verdict(result, fixes) {
            // A success without the entity is none.
            Verdict::Success(Body::Batch(results)) => {
                self.on_results(at, &tasks, &results, registry, cx);
                Verdict::Success(Body::Empty)
            }
            Verdict::Success(_) => Verdict::Permanent,
            other => other,
        };
        let holders = &mut registry.store.holders;
        let peer = &mut self.peers[at];
        let mut moment = Moment { now: cx.now(), wall: cx.wall(), holders };
        conclude(&mut peer.instances, worker, tasks, verdict, &mut moment);
        peer.send_batches(&mut self.outbox, holders, cx);
    }

    /// The answer about a group.
    pub(super) fn on_group(
        &mut self,
        (number, worker): (u16, u16),
        result: Result<Response, CallError>,
        fixes: &Fixes,
        holders: &mut Holders,
        cx: &mut Cx<'_, Eureka>,
    ) {
        let Some(peer) = self.peers.iter_mut().find(|peer| peer.number == number) else { return };
        let Some(groups) = &mut peer.groups else { return };
        let Some(tasks) = groups.answered(worker) else { return };
        let mut moment = Moment { now: cx.now(), wall: cx.wall(), holders };
        conclude(groups, worker, tasks, verdict(result, fixes), &mut moment);
        peer.send_groups(&mut self.outbox, cx);
    }

    /// Results of a delivered batch, one for each item; with another number of them, none is looked at.
    fn on_results(
        &mut self,
        at: usize,
        tasks: &[Task],
        results: &[ItemResult],
        registry: &mut Registry,
        cx: &mut Cx<'_, Eureka>,
    ) {
        if results.len() != tasks.len() {
            return;
        }
        for (task, result) in tasks.iter().zip(results) {
            if !(200..=299).contains(&result.status) {
                self.not_found += u64::from(result.status == 404);
                self.conflicts += u64::from(result.status == 409);
                self.on_failed_item(at, task, result, registry, cx);
            }
        }
    }

    /// An item was refused. Only heartbeats are repaired.
    fn on_failed_item(
        &mut self,
        at: usize,
        task: &Task,
        result: &ItemResult,
        registry: &mut Registry,
        cx: &mut Cx<'_, Eureka>,
    ) {
        let Subject::Instance { action: Action::Heartbeat, app, id, holder, .. } = task.subject else {
            return;
        };
        if result.status == 404 {
            // The peer lacks the instance, or its copy is older.
            let (peer, holders) = (&mut self.peers[at], &mut registry.store.holders);
            let register = peer.task(Action::Register, (app, id), holder, None, holders, cx.wall());
            let mut moment = Moment { now: cx.now(), wall: cx.wall(), holders };
            peer.instances.offer(register, &mut moment, &mut self.outbox.assigned);
        } else if registry.config.sync_when_timestamp_differs
            && let Some(newer) = &result.entity
            && adopt(newer, registry, cx)
        {
            self.replications.increment();
        }
    }

    /// Figures over all peers there are now, and, of what is counted up, also those that are gone.
    pub(super) fn figures(&self) -> Figures {
        let dispatchers =
            || self.peers.iter().flat_map(|peer| [Some(&peer.instances), peer.groups.as_ref()]).flatten();
        Figures {
            pending: dispatchers().map(Acceptor::waiting).sum(),
            workers: dispatchers().map(Acceptor::workers).sum(),
            tasks: dispatchers().map(Acceptor::counters).fold(self.gone, |sum, counters| sum + counters),
            not_found: self.not_found,
            conflicts: self.conflicts,
        }
    }

    /// Folds the state into a hash.
    pub(super) fn fingerprint(&self, holders: &Holders, mut into: &mut dyn Hasher) {
        self.replications.hash(&mut into);
        for peer in &self.peers {
            (peer.number, peer.address, peer.is_me).hash(&mut into);
            peer.instances.fingerprint(holders, into);
            peer.groups.iter().for_each(|groups| groups.fingerprint(holders, into));
        }
    }
}

impl Outbox {
    /// The number of a group.
    fn group(&mut self, name: &Arc<str>) -> u32 {
        let at = self.groups.iter().position(|known| known == name).unwrap_or_else(|| {
            self.groups.push(Arc::clone(name));
            self.groups.len() - 1
        });
        u32::try_from(at).expect("fewer than 2^32 groups")
    }
}

impl Peer {
    fn new(number: u16, url: &ServiceUrl, node: &ServerNode, now: Instant) -> Peer {
        let config = &node.server;
        Peer {
            number,
            address: url.address,
            host: Arc::clone(&url.host),
            is_me: false,
            connect_timeout: config.peer_connect_timeout,
            read_timeout: config.peer_read_timeout,
            task_life: config.max_time_for_replication,
            instances: Acceptor::new(Policy::batching(config), now),
            groups: node.cloud.then(|| Acceptor::new(Policy::single(config), now)),
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
        let holder = holder.map(|holder| holders.retain(holder));
        Task {
            subject: Subject::Instance { action, app, id, holder, overridden },
            expires_ms: (wall + life).as_millis(),
            submitted_ms: wall.as_millis(),
        }
    }

    /// Sends the batches that have been assigned.
    fn send_batches(&mut self, outbox: &mut Outbox, holders: &Holders, cx: &mut Cx<'_, Eureka>) {
        for worker in outbox.assigned.drain(..) {
            let tasks = self.instances.batch(worker);
            let items =
                outbox.batches.list(|items| items.extend(tasks.iter().map(|task| item(task, holders))));
            let tag = Tag::Batch { peer: self.number, worker };
            let call = self.call(Request::Batch(items), tag, cx);
            self.instances.sent(worker, call);
        }
    }

    /// Sends the requests about groups that have been assigned.
    fn send_groups(&mut self, outbox: &mut Outbox, cx: &mut Cx<'_, Eureka>) {
        for worker in outbox.assigned.drain(..) {
            let groups = self.groups.as_ref().expect("a worker of the dispatcher for groups");
            let [Task { subject: Subject::Group { number, enabled }, .. }] = *groups.batch(worker) else {
                panic!("one group at a time: {:?}", groups.batch(worker))
            };
            let name = Arc::clone(&outbox.groups[number as usize]);
            let request = Request::SetGroup { name, enabled: Some(enabled), replication: true };
            let call = self.call(request, Tag::Group { peer: self.number, worker }, cx);
            self.groups.iter_mut().for_each(|groups| groups.sent(worker, call));
        }
    }

    fn call(&self, request: Request, tag: Tag, cx: &mut Cx<'_, Eureka>) -> crate::protocol::CallId {
        let tag = eureka::Tag::Server(tag);
        cx.call(self.address, REPLICATION, request, self.connect_timeout, self.read_timeout, tag)
    }
}

/// A request has ended: what becomes of its tasks and its worker.
fn conclude(
    dispatcher: &mut Acceptor,
    worker: u16,
    tasks: Vec<Task>,
    verdict: Verdict,
    moment: &mut Moment<'_>,
) {
    match verdict {
        Verdict::Success(_) | Verdict::Permanent => dispatcher.finish(worker, tasks, moment),
        Verdict::Retry(failure) => dispatcher.retry(worker, tasks, failure, moment),
        Verdict::Death => dispatcher.lose(worker, tasks, moment),
    }
}

/// Takes over a peer's newer copy (`syncInstancesIfTimestampDiffers`). False if it failed.
fn adopt(newer: &Arc<InstanceInfo>, registry: &mut Registry, cx: &mut Cx<'_, Eureka>) -> bool {
    if newer.overridden != Status::Unknown && registry.store_override(newer.id, newer.overridden, cx).is_err()
    {
        // The original fails here on an instance that it cannot read, and registers nothing.
        return false;
    }
    let Ok(incoming) = registry.register(Arc::clone(newer), Origin::Sync, cx) else { return false };
    registry.store.holders.release(incoming);
    true
}

/// A task as it goes into a batch: with what the live object holds now.
fn item(task: &Task, holders: &Holders) -> Item {
    let Subject::Instance { action, app, id, holder, overridden } = task.subject else {
        panic!("batches are about instances: {task:?}")
    };
    let Some(holder) = holder else { return Item::Cancel { app, id } };
    let (status, last_dirty) = (holders.status(holder), holders.version(holder));
    match action {
        Action::Register => Item::Register(Arc::clone(holders.get(holder))),
        Action::Heartbeat => {
            Item::Heartbeat(Heartbeat { app, id, status, last_dirty: Stamp::At(last_dirty), overridden })
        }
        Action::Cancel => Item::Cancel { app, id },
        Action::SetStatus => Item::SetStatus { app, id, status, last_dirty },
        Action::ClearStatus => Item::ClearStatus { app, id, status, last_dirty },
    }
}
