//! What the client's threads do, as data: a run is one task under way, always in the middle of exactly one request.
//!
//! The threads of the two pools, of the replicator and of whoever builds or closes the client are all runs in one small list.
//! A request is built anew for each attempt, from the instance as it is then, because the original serialises a live object.
//!
//! Differs from upstream: status and version of an instance are read at one moment (the original can read one before and the
//! other after a change).

use std::sync::Arc;

use super::endpoints::Channel;
use super::transport::{Around, Kind, Walk, accepts};
use super::{Client, Stage};
use crate::protocol::eureka::wire::{Body, Request, Response};
use crate::protocol::eureka::{Eureka, Tag as EurekaTag};
use crate::protocol::{CallError, Cx, Event};

/// Whose thread it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Task {
    /// The constructor, which blocks for the first fetch.
    Construction,
    /// The cache refresh pool.
    Refresh,
    /// The heartbeat pool.
    Heartbeat,
    /// The replicator.
    Replicator,
    /// Whoever closes the client.
    Shutdown,
}

/// What a client's call was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag {
    /// Whose thread made it.
    pub task: Task,
    /// Which run, unique among those under way.
    pub run: u16,
}

/// One task under way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Run {
    pub(super) id: u16,
    pub(super) task: Task,
    /// What it asks for at present.
    kind: Kind,
    /// Fetches: the generation of the cache when it began. Registrations: the version sent.
    stamp: i64,
    walk: Walk,
}

/// An answer that the original's HTTP layer would hand on; none if it would raise instead.
fn answer(kind: Kind, result: Result<Response, CallError>) -> Option<(u16, Body)> {
    match result {
        Ok(response) => Some((response.status, response.body)),
        // A JSON body is decoded as an instance, and an error document is none.
        Err(CallError::Status { body: Some(body), .. })
            if kind == Kind::Heartbeat && body.trim_start().starts_with('{') =>
        {
            None
        }
        Err(CallError::Status { code, .. }) => Some((code, Body::Empty)),
        Err(
            CallError::Refused
            | CallError::ConnectTimeout
            | CallError::ReadTimeout
            | CallError::Reset
            | CallError::Broken,
        ) => None,
    }
}

fn channel(kind: Kind) -> Channel {
    match kind {
        Kind::Register | Kind::Heartbeat | Kind::Cancel => Channel::Registration,
        Kind::Full | Kind::Delta => Channel::Query,
    }
}

impl Client {
    /// An id for a run that is about to begin.
    pub(super) fn fresh_run(&mut self) -> u16 {
        loop {
            let id = self.next_run;
            self.next_run = id.wrapping_add(1);
            if self.runs.iter().all(|run| run.id != id) {
                return id;
            }
        }
    }

    /// Threads that a task occupies.
    pub(super) fn busy(&self, task: Task) -> usize {
        self.runs.iter().filter(|run| run.task == task).count()
    }

    /// A task begins with a request.
    pub(super) fn begin(&mut self, id: u16, task: Task, kind: Kind, cx: &mut Cx<'_, Eureka>) {
        let (stamp, walk) = (self.stamp(kind), self.walk(kind, cx));
        self.go_on(Run { id, task, kind, stamp, walk }, cx);
    }

    /// A task goes on with another request.
    fn follow_up(&mut self, run: Run, kind: Kind, cx: &mut Cx<'_, Eureka>) {
        let (stamp, walk) = (self.stamp(kind), self.walk(kind, cx));
        self.go_on(Run { kind, stamp, walk, ..run }, cx);
    }

    fn stamp(&self, kind: Kind) -> i64 {
        match kind {
            Kind::Full | Kind::Delta => i64::from(self.generation),
            Kind::Register => self.own().version().0,
            Kind::Heartbeat | Kind::Cancel => 0,
        }
    }

    fn walk(&mut self, kind: Kind, cx: &mut Cx<'_, Eureka>) -> Walk {
        let interval = self.settings.session_reconnect_interval;
        let wall = cx.wall();
        self.chains[channel(kind) as usize].begin(&mut self.endpoints, interval, wall, cx.random())
    }

    /// The next attempt of a request, or its failure.
    fn go_on(&mut self, mut run: Run, cx: &mut Cx<'_, Eureka>) {
        let channel = channel(run.kind);
        let around = Around {
            endpoints: &mut self.endpoints,
            poll_interval: self.settings.service_url_poll_interval,
            refresh_share: self.settings.quarantine_refresh_percentage,
            now: cx.now(),
        };
        let Some(to) = self.chains[channel as usize].attempt(&mut run.walk, around) else {
            return self.on_end_of_request(run, None, cx);
        };
        let tag = EurekaTag::Client(Tag { task: run.task, run: run.id });
        let timeouts = (self.settings.connect_timeout, self.settings.read_timeout);
        cx.call(to, channel.pool(), self.request(run.kind), timeouts.0, timeouts.1, tag);
        if self.runs.len() == self.runs.capacity() {
            self.runs.reserve_exact(1);
        }
        self.runs.push(run);
    }

    fn request(&self, kind: Kind) -> Request {
        match kind {
            Kind::Register => {
                let info = self.own().info(self.status);
                Request::Register { app: info.app, info, replication: false }
            }
            Kind::Heartbeat => Request::Heartbeat(self.own().heartbeat(self.status), false),
            Kind::Cancel => {
                Request::Cancel { app: self.own().app(), id: self.own().id(), replication: false }
            }
            Kind::Full => Request::Get(Arc::clone(&self.queries[0])),
            Kind::Delta => Request::Get(Arc::clone(&self.queries[1])),
        }
    }

    /// A call has ended.
    pub(super) fn on_outcome(
        &mut self,
        tag: Tag,
        result: Result<Response, CallError>,
        cx: &mut Cx<'_, Eureka>,
    ) {
        if self.stage == Stage::Stopped {
            return;
        }
        let at = self.runs.iter().position(|run| run.id == tag.run).expect("an outcome belongs to a run");
        let mut run = self.runs.remove(at);
        assert_eq!(run.task, tag.task, "an outcome of another task");
        let answer = answer(run.kind, result).filter(|(status, _)| accepts(run.kind, *status));
        let chain = &mut self.chains[channel(run.kind) as usize];
        chain.attempted(&mut run.walk, answer.is_some(), &mut self.endpoints);
        match answer {
            Some(answer) => self.on_end_of_request(run, Some(answer), cx),
            None => self.go_on(run, cx),
        }
    }

    /// A request has ended: with an answer that the transport accepted, or after all attempts without one.
    fn on_end_of_request(&mut self, run: Run, answer: Option<(u16, Body)>, cx: &mut Cx<'_, Eureka>) {
        match (run.kind, answer) {
            (Kind::Full, Some((200, Body::Apps(applications)))) => {
                self.store(run.stamp, applications, cx);
            }
            (Kind::Delta, Some((200, Body::Delta(delta)))) => {
                if self.apply(run.stamp, &delta, cx) {
                    return self.follow_up(run, Kind::Full, cx);
                }
            }
            (Kind::Delta, Some(_)) => return self.follow_up(run, Kind::Full, cx),
            (Kind::Heartbeat, Some((404, _))) => {
                self.mark_dirty(cx);
                return self.follow_up(run, Kind::Register, cx);
            }
            (Kind::Register, Some((status, _))) => self.on_registered(&run, status, cx),
            // Without an entity, or after a failure, everything stays as it was.
            (Kind::Full | Kind::Delta | Kind::Heartbeat | Kind::Register | Kind::Cancel, _) => {}
        }
        self.on_end_of_run(run, cx);
    }

    /// The replicator takes any accepted answer for success, the heartbeat only 204.
    fn on_registered(&mut self, run: &Run, status: u16, cx: &mut Cx<'_, Eureka>) {
        let created = status == 204;
        if created {
            cx.emit(Event::Joined { instance: self.own().id() });
        }
        if created || run.task == Task::Replicator {
            self.own_mut().clear_dirty(run.stamp);
        }
    }

    fn on_end_of_run(&mut self, run: Run, cx: &mut Cx<'_, Eureka>) {
        match run.task {
            Task::Construction => self.on_constructed(cx),
            Task::Refresh => self.refresh.ended(run.id, self.settings.registry_fetch_interval, cx.now()),
            Task::Heartbeat => {
                let interval = self.own().settings().lease_renewal_interval;
                self.heartbeat.ended(run.id, interval, cx.now());
            }
            Task::Replicator => self.on_end_of_replication(cx),
            Task::Shutdown => self.on_closed(cx),
        }
    }
}
