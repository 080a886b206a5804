//! The other servers: who they are, who of them is told what, and what their answers change here (`PeerEurekaNodes`, and the
//! handlers of `PeerEurekaNode`).
//!
//! A server that is configured without any URL does not start, unless its URLs come from DNS, where an empty list is no failure.
//! A list that comes out empty because every URL is the server's own is not believed, and the servers known stay.
//!
//! Left out: a list from DNS is not rotated by the hash of the host name, which would only change the order of calls at one
//! instant.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::acceptor::{Acceptor, Counters};
use super::holders::{Holder, Holders};
use super::peer::{Change, Outbox, Peer, Verdict, verdict};
use super::preservation::MeasuredRate;
use super::registry::Registry;
use super::task::{Action, Subject, Task};
use crate::protocol::eureka::Eureka;
use crate::protocol::eureka::config::Fixes;
use crate::protocol::eureka::instance::InstanceInfo;
use crate::protocol::eureka::node::{ServerNode, ServiceUrl};
use crate::protocol::eureka::wire::{Body, Heartbeat, ItemResult, Response};
use crate::protocol::{Address, CallError, Cx, InstanceId, Instant, Origin, ServiceId, Status, Wall};

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
            if !known && !node.is_me(&url.text, &url.host) {
                others.push(url);
            }
        }
    }
    Ok(others)
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
        self.peers.iter_mut().for_each(|peer| peer.is_me = node.is_me(&peer.url, &peer.host));
    }

    /// Drops all peers.
    pub(super) fn shut_down(&mut self, holders: &mut Holders, cx: &mut Cx<'_, Eureka>) {
        for peer in std::mem::take(&mut self.peers) {
            self.drop_peer(peer, holders, cx);
        }
    }

    fn drop_peer(&mut self, peer: Peer, holders: &mut Holders, cx: &mut Cx<'_, Eureka>) {
        self.gone = self.gone + peer.shut_down(holders, cx);
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
        self.peers.iter().filter_map(Peer::deadline).min()
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
        let change = Change { action, subject, holder, overridden };
        for peer in self.peers.iter_mut().filter(|peer| !peer.is_me) {
            peer.tell(change, &mut self.outbox, holders, cx);
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
            peer.tell_of_group((number, enabled), &mut self.outbox, holders, cx);
        }
    }

    /// Sends a peer a heartbeat to try the way there. False if it is no longer there.
    pub(super) fn prime(&self, number: u16, heartbeat: Heartbeat, cx: &mut Cx<'_, Eureka>) -> bool {
        let peer = self.peers.iter().find(|peer| peer.number == number);
        peer.is_some_and(|peer| {
            peer.prime(heartbeat, cx);
            true
        })
    }

    /// Dispatchers take the turns that are due.
    pub(super) fn on_timeout(&mut self, holders: &mut Holders, cx: &mut Cx<'_, Eureka>) {
        self.peers.iter_mut().for_each(|peer| peer.on_timeout(&mut self.outbox, holders, cx));
    }

    /// The wall clock has jumped against the monotonic one.
    pub(super) fn on_wall_jump(&mut self, now: Instant, wall: Wall) {
        self.peers.iter_mut().for_each(|peer| peer.on_wall_jump(now, wall));
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
        let Some(tasks) = self.peers[at].answered(worker) else { return };
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
        self.peers[at].end_batch((worker, tasks), verdict, &mut self.outbox, holders, cx);
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
        if let Some(peer) = self.peers.iter_mut().find(|peer| peer.number == number) {
            peer.on_group(worker, verdict(result, fixes), &mut self.outbox, holders, cx);
        }
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
            let register = Change { action: Action::Register, subject: (app, id), holder, overridden: None };
            self.peers[at].queue(register, &mut self.outbox, &mut registry.store.holders, cx);
        } else if registry.config.sync_when_timestamp_differs
            && let Some(newer) = &result.entity
            && adopt(newer, registry, cx)
        {
            self.replications.increment();
        }
    }

    /// Figures over all peers there are now, and, of what is counted up, also those that are gone.
    pub(super) fn figures(&self, for_groups: u32) -> Figures {
        let dispatchers = || self.peers.iter().flat_map(Peer::dispatchers);
        Figures {
            pending: dispatchers().map(Acceptor::waiting).sum(),
            workers: self.peers.iter().map(|peer| peer.workers(for_groups)).sum(),
            tasks: dispatchers().map(Acceptor::counters).fold(self.gone, |sum, counters| sum + counters),
            not_found: self.not_found,
            conflicts: self.conflicts,
        }
    }

    /// Folds the state into a hash.
    pub(super) fn fingerprint(&self, holders: &Holders, mut into: &mut dyn Hasher) {
        self.replications.hash(&mut into);
        self.peers.iter().for_each(|peer| peer.fingerprint(holders, into));
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
