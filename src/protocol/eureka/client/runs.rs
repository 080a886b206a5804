//! What the client's threads do, as data: a run is one task under way, always in the middle of exactly one request.
//!
//! The threads of the pools, of the replicator and of whoever builds or closes the client are all runs in one small list.
//! A request is built anew for each attempt, from the instance as it is then, because the original serialises a live object. That
//! takes time there: with the switch `serialisation_gap` a registration reads the status first and the version later, when it
//! leaves, and the two may not belong together.
//!
//! Differs from upstream: that time is always the same. There it is short and by chance.

use std::sync::Arc;

use super::endpoints::{Channel, Endpoints};
use super::extras::Extras;
use super::transport::{Kind, Walk, accepts};
use super::{Client, Stage};
use crate::protocol::eureka::config::Profile;
use crate::protocol::eureka::wire::{Body, Query, Request, Resource, Response};
use crate::protocol::eureka::{Eureka, Tag as EurekaTag};
use crate::protocol::{Address, CallError, Cx, Event, Gauge, Instant, Status};

/// Whose thread it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Task {
    /// The constructor, which blocks for servers, for the first fetch, and for a registration if it is enforced.
    Construction,
    /// The cache refresh pool.
    Refresh,
    /// The heartbeat pool.
    Heartbeat,
    /// The replicator.
    Replicator,
    /// Whoever closes the client.
    Shutdown,
    /// Looks for the servers of a channel.
    Resolution(Channel),
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
pub struct Run {
    pub(super) id: u16,
    pub(super) task: Task,
    /// What it asks for at present.
    kind: Kind,
    /// Fetches: the generation of the cache when it began. Registrations: the version when it began, which the servers know after it.
    stamp: i64,
    walk: Walk,
}

/// A run that waits for something else than an answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Waiting {
    pub(super) until: Instant,
    pub(super) run: Run,
    pub(super) what: WaitingFor,
}

/// What it waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WaitingFor {
    /// For its registration to be written, of which the status has been read.
    Writing { to: Address, status: Status },
    /// For servers of a channel to be found.
    Servers(Channel),
}

/// An answer that the original's HTTP layer would hand on; none if it would raise instead.
fn answer(kind: Kind, strict: bool, result: Result<Response, CallError>) -> Option<(u16, Body)> {
    // A JSON body is decoded as an instance, and an error document is none.
    let undecodable = |code: u16, body: &str| {
        kind == Kind::Heartbeat && strict && code == 404 && body.trim_start().starts_with('{')
    };
    match result {
        Ok(Response { status, body: Body::Text(text) }) if undecodable(status, &text) => None,
        Ok(response) => Some((response.status, response.body)),
        Err(CallError::Status { code, body: Some(body), .. }) if undecodable(code, &body) => None,
        Err(error) => error.status().map(|code| (code, Body::Empty)),
    }
}

/// Whether an answer is a redirect, and where to.
pub fn redirect(result: &Result<Response, CallError>) -> Option<Option<Address>> {
    match result {
        Ok(Response { status: 302, body: Body::Redirect(target) }) => Some(Some(*target)),
        Ok(Response { status: 302, .. }) => Some(None),
        Err(CallError::Status { code: 302, location, .. }) => Some(*location),
        Ok(_) | Err(_) => None,
    }
}

fn channel(kind: Kind) -> Channel {
    match kind {
        Kind::Register | Kind::Heartbeat | Kind::Cancel => Channel::Registration,
        Kind::Full | Kind::Delta | Kind::Servers => Channel::Query,
    }
}

/// The servers that a channel uses.
fn list<'a>(
    endpoints: &'a mut Endpoints,
    extras: &'a mut Option<Box<Extras>>,
    channel: Channel,
) -> &'a mut Endpoints {
    match extras.as_mut().and_then(|extras| extras.query_endpoints.as_mut()) {
        Some(own) if channel == Channel::Query => own,
        Some(_) | None => endpoints,
    }
}

impl Client {
    /// An id for a run that is about to begin.
    pub(super) fn fresh_run(&mut self) -> u16 {
        loop {
            let id = self.next_run;
            self.next_run = id.wrapping_add(1);
            if self.busy_run(id).is_none() {
                return id;
            }
        }
    }

    fn under_way(&self) -> impl Iterator<Item = &Run> {
        let waiting = self.extras.as_ref().map_or(&[][..], |extras| &extras.waiting);
        self.runs.iter().chain(waiting.iter().map(|waiting| &waiting.run))
    }

    /// The run of this id, if it is under way.
    pub(super) fn busy_run(&self, id: u16) -> Option<&Run> {
        self.under_way().find(|run| run.id == id)
    }

    /// Threads that a task occupies.
    pub(super) fn busy(&self, task: Task) -> usize {
        self.under_way().filter(|run| run.task == task).count()
    }

    /// A task begins with a request.
    pub(super) fn begin(&mut self, id: u16, task: Task, kind: Kind, cx: &mut Cx<'_, Eureka>) {
        let (stamp, walk) = (self.stamp(task, kind), self.walk(task, kind, cx));
        self.go_on(Run { id, task, kind, stamp, walk }, cx);
    }

    /// A task goes on with another request.
    pub(super) fn follow_up(&mut self, run: &Run, kind: Kind, cx: &mut Cx<'_, Eureka>) {
        self.begin(run.id, run.task, kind, cx);
    }

    fn stamp(&self, task: Task, kind: Kind) -> i64 {
        match kind {
            Kind::Full | Kind::Delta => i64::from(self.generation),
            // Before the switch, what a heartbeat had registered left the instance as dirty as it was.
            Kind::Register if task == Task::Heartbeat && !self.fixes.eager_dirty_on_404 => i64::MIN,
            Kind::Register => self.own().version().0,
            Kind::Heartbeat | Kind::Cancel | Kind::Servers => 0,
        }
    }

    fn walk(&mut self, task: Task, kind: Kind, cx: &mut Cx<'_, Eureka>) -> Walk {
        if kind == Kind::Servers {
            return Walk::alone(self.root(task));
        }
        let (interval, wall) = (self.settings.session_reconnect_interval, cx.wall());
        let endpoints = list(&mut self.endpoints, &mut self.extras, channel(kind));
        self.chains[channel(kind) as usize].begin(endpoints, interval, wall, cx.random())
    }

    /// The next attempt of a request, or its failure.
    pub(super) fn go_on(&mut self, mut run: Run, cx: &mut Cx<'_, Eureka>) {
        let channel = channel(run.kind);
        if self.chains[channel as usize].needs_list(&run.walk)
            && let Some(until) = self.use_list(channel, cx)
        {
            let source = self.extras.as_ref().and_then(|extras| extras.source(channel));
            let what = WaitingFor::Servers(source.expect("it waits for a source"));
            return self.wait(Waiting { until, run, what });
        }
        let share = self.settings.quarantine_refresh_percentage;
        let endpoints = list(&mut self.endpoints, &mut self.extras, channel);
        match self.chains[channel as usize].attempt(&mut run.walk, endpoints, share) {
            Some(to) => self.send(run, to, cx),
            None => self.on_end_of_request(run, None, cx),
        }
    }

    /// Sends a request; a registration takes its time.
    fn send(&mut self, run: Run, to: Address, cx: &mut Cx<'_, Eureka>) {
        let gap = self.fixes.serialisation_gap;
        if run.kind == Kind::Register && !gap.is_zero() {
            let what = WaitingFor::Writing { to, status: self.status };
            return self.wait(Waiting { until: cx.now() + gap, run, what });
        }
        self.call(run, to, self.status, cx);
    }

    fn wait(&mut self, waiting: Waiting) {
        self.extras.as_mut().expect("whoever waits has extras").waiting.push(waiting);
    }

    /// The first of the waiting runs of a kind.
    pub(super) fn take_waiting(&mut self, of: impl Fn(&Waiting) -> bool) -> Option<Waiting> {
        let waiting = &mut self.extras.as_mut()?.waiting;
        let at = waiting.iter().position(of)?;
        Some(waiting.remove(at))
    }

    /// Runs that have waited long enough go on.
    pub(super) fn wake(&mut self, cx: &mut Cx<'_, Eureka>) {
        let now = cx.now();
        while let Some(Waiting { until: _, run, what }) = self.take_waiting(|waiting| waiting.until <= now) {
            match what {
                WaitingFor::Writing { to, status } => self.call(run, to, status, cx),
                WaitingFor::Servers(source) => {
                    self.on_warm_up_timeout(source, now);
                    self.go_on(run, cx);
                }
            }
        }
    }

    fn call(&mut self, run: Run, to: Address, status: Status, cx: &mut Cx<'_, Eureka>) {
        let tag = EurekaTag::Client(Tag { task: run.task, run: run.id });
        let (connect, read) = self.transport.timeouts(&self.settings);
        let request = self.request(&run, status);
        cx.call(to, self.transport.pool(channel(run.kind)), request, connect, read, tag);
        if self.runs.len() == self.runs.capacity() {
            self.runs.reserve_exact(1);
        }
        self.runs.push(run);
    }

    fn request(&mut self, run: &Run, status: Status) -> Request {
        match run.kind {
            Kind::Register => {
                let info = self.own().info(status);
                Request::Register { path: None, info, replication: false }
            }
            Kind::Heartbeat => Request::Heartbeat(self.own().heartbeat(status), false),
            Kind::Cancel => {
                Request::Cancel { app: self.own().app(), id: self.own().id(), replication: false }
            }
            Kind::Full | Kind::Delta => {
                let query = self.query(run.kind);
                Request::Get(match &self.asked {
                    Some(asked) if **asked == query => Arc::clone(asked),
                    _ => Arc::clone(self.asked.insert(Arc::new(query))),
                })
            }
            Kind::Servers => {
                let query = self.query_of(Resource::Vip(self.vip(run.task)));
                Request::Get(Arc::new(Query { regions: None, ..query }))
            }
        }
    }

    /// A call has ended.
    pub(super) fn on_outcome(
        &mut self,
        tag: Tag,
        result: Result<Response, CallError>,
        cx: &mut Cx<'_, Eureka>,
    ) {
        if matches!(self.stage, Stage::Stopped | Stage::Failed) {
            return;
        }
        let at = self.runs.iter().position(|run| run.id == tag.run).expect("an outcome belongs to a run");
        let mut run = self.runs.remove(at);
        assert_eq!(run.task, tag.task, "an outcome of another task");
        let chain = &mut self.chains[channel(run.kind) as usize];
        let followed = redirect(&result).filter(|_| !chain.passes_redirects(&run.walk));
        let answer = match followed {
            Some(target) => {
                // Spring's paths have no version in them, and without one a redirect cannot be used.
                let usable = target.filter(|_| self.profile == Profile::Netflix);
                if let Some(to) = usable.and_then(|target| chain.redirected(&mut run.walk, target)) {
                    return self.send(run, to, cx);
                }
                None
            }
            None => answer(run.kind, self.fixes.strict_error_bodies, result)
                .filter(|(status, _)| accepts(run.kind, *status)),
        };
        let endpoints = list(&mut self.endpoints, &mut self.extras, channel(run.kind));
        chain.attempted(&mut run.walk, answer.is_some(), endpoints);
        match answer {
            Some(answer) => self.on_end_of_request(run, Some(answer), cx),
            None => self.go_on(run, cx),
        }
    }

    /// A request has ended: with an answer that the transport accepted, or after all attempts without one.
    fn on_end_of_request(&mut self, run: Run, answer: Option<(u16, Body)>, cx: &mut Cx<'_, Eureka>) {
        let succeeded = match (run.kind, answer) {
            (Kind::Full, Some((200, Body::Apps(applications)))) => {
                self.store(run.stamp, applications, cx);
                true
            }
            // An answer without an entity is a success that changes nothing.
            (Kind::Full, answer) => answer.is_some(),
            (Kind::Delta, Some((200, Body::Delta(delta)))) => {
                if self.apply(run.stamp, &delta, cx) {
                    return self.follow_up(&run, Kind::Full, cx);
                }
                true
            }
            (Kind::Delta, Some(_)) => return self.follow_up(&run, Kind::Full, cx),
            (Kind::Delta, None) => false,
            (Kind::Heartbeat, Some((404, _))) => {
                if self.fixes.eager_dirty_on_404 {
                    self.mark_dirty(cx);
                }
                return self.follow_up(&run, Kind::Register, cx);
            }
            (Kind::Heartbeat, answer) => matches!(answer, Some((200, _))),
            (Kind::Register, Some((status, _))) => self.on_registered(&run, status, cx),
            (Kind::Register, None) => false,
            (Kind::Cancel, answer) => answer.is_some(),
            (Kind::Servers, answer) => {
                self.on_servers(run.task, answer, cx);
                true
            }
        };
        self.on_end_of_run(&run, succeeded, cx);
    }

    /// The replicator takes any accepted answer for success, all others only 204.
    fn on_registered(&mut self, run: &Run, status: u16, cx: &mut Cx<'_, Eureka>) -> bool {
        let created = status == 204;
        if created {
            cx.emit(Event::Joined { instance: self.own().id() });
        }
        if created || run.task == Task::Replicator {
            self.own_mut().clear_dirty(run.stamp);
        }
        created
    }

    fn on_end_of_run(&mut self, run: &Run, succeeded: bool, cx: &mut Cx<'_, Eureka>) {
        match run.task {
            Task::Construction => self.on_construction(run.kind, succeeded, cx),
            Task::Refresh => {
                self.refresh.ended(run.id, self.settings.registry_fetch_interval, cx.now());
                if succeeded {
                    self.on_refreshed(cx);
                }
            }
            Task::Heartbeat => {
                let interval = self.configured().lease_renewal_interval;
                self.heartbeat.ended(run.id, interval, cx.now());
                if succeeded {
                    self.report_success(Gauge::HeartbeatAge, cx);
                }
            }
            Task::Replicator => self.on_end_of_replication(cx),
            Task::Shutdown => self.on_closed(cx),
            Task::Resolution(source) => self.on_resolved(source, run.id, cx),
        }
    }

    fn on_refreshed(&mut self, cx: &mut Cx<'_, Eureka>) {
        if let Some(extras) = &mut self.extras {
            extras.refreshed = Some(cx.wall().as_millis());
        }
        self.report_success(Gauge::FetchAge, cx);
    }
}
