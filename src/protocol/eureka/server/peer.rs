//! One other server: what it is told, by which dispatcher, and what its answers mean (`PeerEurekaNode`,
//! `ReplicationTaskProcessor`). Who the others are, and what their answers change here, is [`super::peers`]' business.
//!
//! A worker dies (`fixes: workerDiesOnNullMessage`) of an I/O error without a message, [`CallError::Broken`]. The other way to
//! die, an exception while the list of items is built, which no version guards, cannot happen here: building it cannot fail.
//!
//! A batch with an instance that the encoder cannot write fails before it is sent, with an I/O error: like one that did not reach
//! the peer. So it is tried again, with all that is in it, until the instance's task expires.
//!
//! Left out: a read timeout is told from other I/O errors by its message, so that a connect timeout to a host called `spread-1`
//! counts as one (`read...time...out`); names are not part of errors here.

use std::hash::{Hash, Hasher};
use std::ops::Add;
use std::sync::Arc;
use std::time::Duration;

use super::acceptor::{Acceptor, Counters, Moment, Policy};
use super::holders::{Holder, Holders};
use super::recycler::Recycler;
use super::shaper::Failure;
use super::task::{Action, Subject, Task};
use super::{REPLICATION, Tag};
use crate::protocol::eureka::config::Fixes;
use crate::protocol::eureka::node::{ServerNode, ServiceUrl};
use crate::protocol::eureka::wire::{Body, Heartbeat, Item, Request, Response, Stamp};
use crate::protocol::eureka::{self, Eureka};
use crate::protocol::{Address, CallError, CallId, Cx, InstanceId, Instant, ServiceId, Status, Wall};

/// Life of a task about an instance that says nothing about its lease: 90 s (`PeerEurekaNode.getLeaseRenewalOf`).
const DEFAULT_LIFE: Duration = Duration::from_secs(90);

/// Another server. Its settings are those that held when it was added.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    /// Its number at this server.
    pub(super) number: u16,
    /// Where it is.
    pub(super) address: Address,
    /// Its URL.
    pub(super) url: Arc<str>,
    /// The host name in its URL.
    pub(super) host: Arc<str>,
    /// Whether its URL counts as the server's own, by the settings of this moment. It has come into the list by others.
    pub(super) is_me: bool,
    connect_timeout: Duration,
    read_timeout: Duration,
    task_life: Duration,
    /// Whether an instance without an overridden status can be written.
    encodes_missing_override: bool,
    /// Tells it of instances, in batches.
    instances: Acceptor,
    /// Tells it of groups, one by one. Only where there are groups.
    groups: Option<Acceptor>,
}

/// What is needed to make requests of tasks.
#[derive(Clone, Debug, Default)]
pub(super) struct Outbox {
    batches: Recycler<Item>,
    /// Workers that have got tasks and are to be sent off.
    assigned: Vec<u16>,
    /// Groups by number.
    groups: Vec<Arc<str>>,
}

/// A change to an instance.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change {
    /// What happened.
    pub(super) action: Action,
    /// The application and the instance.
    pub(super) subject: (ServiceId, InstanceId),
    /// The live object, of which each task takes a reference; a cancel has none.
    pub(super) holder: Option<Holder>,
    /// With a heartbeat: the override at this moment.
    pub(super) overridden: Option<Status>,
}

/// What the outcome of a request makes of its tasks.
pub(super) enum Verdict {
    /// Taken.
    Success(Body),
    /// To be tried again.
    Retry(Failure),
    /// Discarded.
    Permanent,
    /// Discarded, and the worker with them.
    Death,
}

/// What a request has come to.
pub(super) fn verdict(result: Result<Response, CallError>, fixes: &Fixes) -> Verdict {
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

impl Outbox {
    /// The number of a group.
    pub(super) fn group(&mut self, name: &Arc<str>) -> u32 {
        let at = self.groups.iter().position(|known| known == name).unwrap_or_else(|| {
            self.groups.push(Arc::clone(name));
            self.groups.len() - 1
        });
        u32::try_from(at).expect("fewer than 2^32 groups")
    }
}

impl Peer {
    /// A server that has come into the list, with empty dispatchers.
    pub(super) fn new(number: u16, url: &ServiceUrl, node: &ServerNode, now: Instant) -> Peer {
        let config = &node.server;
        Peer {
            number,
            address: url.address,
            url: Arc::clone(&url.text),
            host: Arc::clone(&url.host),
            is_me: false,
            connect_timeout: config.peer_connect_timeout,
            read_timeout: config.peer_read_timeout,
            task_life: config.max_time_for_replication,
            encodes_missing_override: node.client.fixes.encodes_missing_override,
            instances: Acceptor::new(Policy::batching(config), now),
            groups: node.has_groups().then(|| Acceptor::new(Policy::single(config), now)),
        }
    }

    /// It is told of a change to an instance.
    pub(super) fn tell(
        &mut self,
        change: Change,
        outbox: &mut Outbox,
        holders: &mut Holders,
        cx: &mut Cx<'_, Eureka>,
    ) {
        self.queue(change, outbox, holders, cx);
        self.send_batches(outbox, holders, cx);
    }

    /// The same, but what is to be sent at once is sent with the next batches.
    pub(super) fn queue(
        &mut self,
        change: Change,
        outbox: &mut Outbox,
        holders: &mut Holders,
        cx: &Cx<'_, Eureka>,
    ) {
        let task = self.task(change, holders, cx.wall());
        let mut moment = Moment { now: cx.now(), wall: cx.wall(), holders };
        self.instances.offer(task, &mut moment, &mut outbox.assigned);
    }

    /// It is told of a group, by its number.
    pub(super) fn tell_of_group(
        &mut self,
        (number, enabled): (u32, bool),
        outbox: &mut Outbox,
        holders: &mut Holders,
        cx: &mut Cx<'_, Eureka>,
    ) {
        let Some(groups) = &mut self.groups else { return };
        let task = Task {
            subject: Subject::Group { number, enabled },
            expires_ms: (cx.wall() + self.task_life).as_millis(),
            submitted_ms: cx.wall().as_millis(),
        };
        let mut moment = Moment { now: cx.now(), wall: cx.wall(), holders };
        groups.offer(task, &mut moment, &mut outbox.assigned);
        self.send_groups(outbox, cx);
    }

    /// A heartbeat for its own sake: past the dispatcher, and whatever is answered.
    pub(super) fn prime(&self, heartbeat: Heartbeat, cx: &mut Cx<'_, Eureka>) {
        self.call(Request::Heartbeat(heartbeat, true), Tag::Prime { peer: self.number }, cx);
    }

    /// When a dispatcher wants a turn.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.dispatchers().filter_map(Acceptor::deadline).min()
    }

    /// The dispatchers take the turns that are due.
    pub(super) fn on_timeout(&mut self, outbox: &mut Outbox, holders: &mut Holders, cx: &mut Cx<'_, Eureka>) {
        let mut moment = Moment { now: cx.now(), wall: cx.wall(), holders };
        self.instances.on_timeout(&mut moment, &mut outbox.assigned);
        self.send_batches(outbox, moment.holders, cx);
        if let Some(groups) = &mut self.groups {
            groups.on_timeout(&mut moment, &mut outbox.assigned);
            self.send_groups(outbox, cx);
        }
    }

    /// The wall clock has jumped against the monotonic one.
    pub(super) fn on_wall_jump(&mut self, now: Instant, wall: Wall) {
        self.instances.on_wall_jump(now, wall);
        self.groups.iter_mut().for_each(|groups| groups.on_wall_jump(now, wall));
    }

    /// The tasks of a batch whose call has ended; [`end_batch`](Peer::end_batch) is next.
    pub(super) fn answered(&mut self, worker: u16) -> Option<Vec<Task>> {
        self.instances.answered(worker)
    }

    /// A batch is done with.
    pub(super) fn end_batch(
        &mut self,
        (worker, tasks): (u16, Vec<Task>),
        verdict: Verdict,
        outbox: &mut Outbox,
        holders: &mut Holders,
        cx: &mut Cx<'_, Eureka>,
    ) {
        let mut moment = Moment { now: cx.now(), wall: cx.wall(), holders };
        conclude(&mut self.instances, worker, tasks, verdict, &mut moment);
        self.send_batches(outbox, holders, cx);
    }

    /// A request about a group has ended.
    pub(super) fn on_group(
        &mut self,
        worker: u16,
        verdict: Verdict,
        outbox: &mut Outbox,
        holders: &mut Holders,
        cx: &mut Cx<'_, Eureka>,
    ) {
        let Some(groups) = &mut self.groups else { return };
        let Some(tasks) = groups.answered(worker) else { return };
        let mut moment = Moment { now: cx.now(), wall: cx.wall(), holders };
        conclude(groups, worker, tasks, verdict, &mut moment);
        self.send_groups(outbox, cx);
    }

    /// It is dropped, with all that waits for it. Gives what had been counted.
    pub(super) fn shut_down(self, holders: &mut Holders, cx: &mut Cx<'_, Eureka>) -> Counters {
        let counters = self.dispatchers().map(Acceptor::counters).fold(Counters::default(), Counters::add);
        for dispatcher in [Some(self.instances), self.groups].into_iter().flatten() {
            dispatcher.shut_down(holders).for_each(|call| cx.abandon(call));
        }
        counters
    }

    /// Workers alive: those of the instances, and of groups even where nothing is told of any.
    pub(super) fn workers(&self, for_groups: u32) -> usize {
        let for_groups = self.groups.as_ref().map_or(for_groups as usize, Acceptor::workers);
        self.instances.workers() + for_groups
    }

    /// Its dispatchers.
    pub(super) fn dispatchers(&self) -> impl Iterator<Item = &Acceptor> {
        std::iter::once(&self.instances).chain(&self.groups)
    }

    /// Folds the state into a hash.
    pub(super) fn fingerprint(&self, holders: &Holders, mut into: &mut dyn Hasher) {
        (self.number, self.address, self.is_me).hash(&mut into);
        self.dispatchers().for_each(|dispatcher| dispatcher.fingerprint(holders, into));
    }

    fn task(&self, change: Change, holders: &mut Holders, wall: Wall) -> Task {
        let Change { action, subject: (app, id), holder, overridden } = change;
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
    fn send_batches(&mut self, outbox: &mut Outbox, holders: &mut Holders, cx: &mut Cx<'_, Eureka>) {
        for worker in outbox.assigned.drain(..) {
            let tasks = self.instances.batch(worker);
            if !self.encodes_missing_override && tasks.iter().any(|task| task.lacks_override(holders)) {
                let mut moment = Moment { now: cx.now(), wall: cx.wall(), holders };
                self.instances.unsent(worker, Failure::Transient, &mut moment);
                continue;
            }
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

    fn call(&self, request: Request, tag: Tag, cx: &mut Cx<'_, Eureka>) -> CallId {
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

/// A task as it goes into a batch: with what the live object holds now.
fn item(task: &Task, holders: &Holders) -> Item {
    let Subject::Instance { action, app, id, holder, overridden } = task.subject else {
        panic!("batches are about instances: {task:?}")
    };
    let Some(holder) = holder else { return Item::Cancel { app, id } };
    let (status, last_dirty) = (holders.status(holder), holders.version(holder));
    let versioned = holders.versioned(holder);
    match action {
        Action::Register => Item::Register(Some(Arc::clone(holders.get(holder)))),
        Action::Heartbeat => {
            let last_dirty = if versioned { Stamp::At(last_dirty) } else { Stamp::Absent };
            Item::Heartbeat(Heartbeat { app, id, status, last_dirty, overridden: overridden.map(Ok) })
        }
        Action::Cancel => Item::Cancel { app, id },
        Action::SetStatus => {
            let last_dirty = if versioned { last_dirty } else { 0 };
            Item::SetStatus { app, id, status: Some(status), last_dirty }
        }
        Action::ClearStatus if !versioned => Item::ClearUnversioned { app, id },
        Action::ClearStatus => Item::ClearStatus { app, id, status: Some(status), last_dirty },
    }
}
