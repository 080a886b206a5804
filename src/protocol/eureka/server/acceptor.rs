//! A dispatcher towards one peer (`core/util/batcher`): tasks are merged by id, wait, and leave in batches to workers; what failed
//! comes back to the head. The policy alone: building and sending requests is [`super::peers`]' business.
//!
//! A peer has one for instances, whose tasks wait up to 500 ms and leave up to 250 at a time, and in AWS one for groups, whose
//! tasks leave at once and one by one.
//!
//! The original is a thread that looks at its queues, does what is due and sleeps 10 ms. Here such a *turn* is taken only when
//! it would do something, on the grid of 10 ms that the thread would be on: it sits at the moment of the last turn, and starts
//! anew when a task wakes the idle thread. Tasks that arrive between two turns wait in `arrivals`, as in the original's
//! acceptor queue; when a turn at which nothing is due is left out, its draining is made up for by the next.
//!
//! Differs from upstream: a turn takes no time, so a sleep is exactly 10 ms, where the original's takes 10 ms and some tenths; a
//! batch leaves 500 ms after its first task if that woke the thread, else up to 510 ms (measured 501-513), and attempts at a peer
//! that refuses at once are 100 ms apart (measured 102). And the thread is never overtaken by a worker between two of its
//! statements: the original assigns a batch and at once looks whether it has failed, which only a processor that does not go through
//! a network can have done by then. Such a batch is tried again without asking the traffic shaper. A failure that comes later within
//! that millisecond is treated so here, too, if a new task wakes the thread in it.

use std::collections::VecDeque;
use std::hash::{Hash, Hasher};
use std::ops::Add;
use std::time::Duration;

use super::holders::Holders;
use super::pending::Pending;
use super::shaper::{Failure, Shaper};
use super::task::Task;
use crate::protocol::eureka::config::{MAX_BATCHING_DELAY, ServerConfig};
use crate::protocol::{CallId, Instant, Wall};

/// Tasks in one batch: 250 (hard-coded in Netflix/eureka: `PeerEurekaNode.BATCH_SIZE`).
const MAX_BATCH: usize = 250;
/// Sleep of an acceptor that has nothing to do: 10 ms (`AcceptorExecutor.AcceptorRunner`).
const TURN: Duration = Duration::from_millis(10);

/// What the two dispatchers of a peer differ in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Policy {
    /// Tasks that may wait.
    max_pending: u32,
    /// Batches that may be under way.
    workers: u32,
    /// Tasks in one batch.
    max_batch: usize,
    /// How old the first task must be, in ms; nothing: it need not wait.
    max_delay_ms: Option<i64>,
}

impl Policy {
    /// Of the dispatcher for instances.
    pub(super) fn batching(config: &ServerConfig) -> Policy {
        Policy {
            max_pending: config.max_elements_in_peer_replication_pool,
            workers: config.max_threads_for_peer_replication,
            max_batch: MAX_BATCH,
            max_delay_ms: Some(MAX_BATCHING_DELAY.as_millis() as i64),
        }
    }

    /// Of the dispatcher for groups.
    pub(super) fn single(config: &ServerConfig) -> Policy {
        Policy {
            max_pending: config.max_elements_in_status_replication_pool,
            workers: config.max_threads_for_status_replication,
            max_batch: 1,
            max_delay_ms: None,
        }
    }
}

/// Figures about tasks, so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counters {
    /// Accepted.
    pub(super) accepted: u64,
    /// Taken back after a failure.
    pub(super) replayed: u64,
    /// Replaced by a newer one while they waited.
    pub(super) overridden: u64,
    /// Dropped because too many waited.
    pub(super) overflows: u64,
    /// Dropped as too old.
    pub(super) expired: u64,
}

impl Add for Counters {
    type Output = Counters;

    fn add(self, other: Counters) -> Counters {
        Counters {
            accepted: self.accepted + other.accepted,
            replayed: self.replayed + other.replayed,
            overridden: self.overridden + other.overridden,
            overflows: self.overflows + other.overflows,
            expired: self.expired + other.expired,
        }
    }
}

/// Both clocks, and where dropped references go: what each step of the acceptor needs.
pub(super) struct Moment<'a> {
    /// The monotonic clock: sleeping follows it.
    pub(super) now: Instant,
    /// The wall clock: ages, expiry and delays follow it.
    pub(super) wall: Wall,
    /// Where the tasks' live objects are.
    pub(super) holders: &'a mut Holders,
}

/// `Idle` ⇄ `Busy` → `Dead`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It waits for a batch.
    Idle,
    /// It has one, from the moment it gets it until its answer has been dealt with.
    Busy(Option<CallId>),
    /// An exception has ended it. Nothing starts it again.
    Dead,
}

/// A thread that sends batches.
#[derive(Clone, Debug)]
struct Worker {
    state: State,
    tasks: Vec<Task>,
}

/// The dispatcher's state.
#[derive(Clone, Debug)]
pub(super) struct Acceptor {
    policy: Policy,
    workers: Vec<Worker>,
    idle: usize,
    shaper: Shaper,
    /// Until when (wall clock, ms) nothing is assigned.
    schedule_ms: i64,

    /// Waiting tasks.
    pending: Pending,
    /// Tasks of the current sleep, with the moment of arrival. They are drained at the next turn.
    arrivals: VecDeque<(Task, Instant)>,
    /// Tasks whose batch failed, in the order of failing.
    reprocess: VecDeque<Task>,

    /// A moment at which a turn was, or would have been, taken.
    grid: Instant,
    deadline: Option<Instant>,
    counters: Counters,
}

impl Acceptor {
    /// An idle dispatcher.
    pub(super) fn new(policy: Policy, now: Instant) -> Acceptor {
        let worker = Worker { state: State::Idle, tasks: Vec::new() };
        let workers = vec![worker; policy.workers as usize];
        Acceptor {
            policy,
            idle: workers.len(),
            workers,
            shaper: Shaper::default(),
            schedule_ms: 0,
            pending: Pending::new(policy.max_pending as usize),
            arrivals: VecDeque::new(),
            reprocess: VecDeque::new(),
            grid: now,
            deadline: None,
            counters: Counters::default(),
        }
    }

    /// When the next turn is to be taken.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Tasks waiting.
    pub(super) fn waiting(&self) -> usize {
        self.pending.len() + self.arrivals.len() + self.reprocess.len()
    }

    /// Figures about tasks.
    pub(super) fn counters(&self) -> Counters {
        self.counters
    }

    /// Workers alive.
    pub(super) fn workers(&self) -> usize {
        self.workers.iter().filter(|worker| worker.state != State::Dead).count()
    }

    /// A new task, whose reference passes to the acceptor. `assigned` receives the workers that got a batch.
    pub(super) fn offer(&mut self, task: Task, moment: &mut Moment<'_>, assigned: &mut Vec<u16>) {
        self.counters.accepted += 1;
        if self.pending.is_empty() {
            // The thread waits for just this: it appends the task, and looks at everything else afterwards.
            assert!(self.arrivals.is_empty(), "an idle acceptor has drained its arrivals");
            self.append(task, moment.holders);
            self.turn(moment, assigned);
        } else {
            self.arrivals.push_back((task, moment.now));
            if self.pending.is_full_with(self.arrivals.len()) {
                if self.grid == moment.now {
                    // The thread was woken at this instant: it drains what has come with the first task before it sleeps.
                    self.turn(moment, assigned);
                }
                self.deadline = Some(self.next_turn(moment.now));
            }
        }
    }

    /// A turn, if one is due.
    pub(super) fn on_timeout(&mut self, moment: &mut Moment<'_>, assigned: &mut Vec<u16>) {
        if self.deadline.is_some_and(|deadline| deadline <= moment.now) {
            self.turn(moment, assigned);
        }
    }

    /// The wall clock has jumped: what was computed from it is computed again.
    pub(super) fn on_wall_jump(&mut self, now: Instant, wall: Wall) {
        self.deadline = self.plan(now, wall);
    }

    /// The tasks of a worker's batch.
    pub(super) fn batch(&self, worker: u16) -> &[Task] {
        &self.workers[usize::from(worker)].tasks
    }

    /// A worker's batch is on its way.
    pub(super) fn sent(&mut self, worker: u16, call: CallId) {
        self.workers[usize::from(worker)].state = State::Busy(Some(call));
    }

    /// The worker's call has ended: its tasks, or nothing if it had none under way. The caller hands them back with
    /// [`finish`](Acceptor::finish), [`retry`](Acceptor::retry) or [`lose`](Acceptor::lose).
    pub(super) fn answered(&mut self, worker: u16) -> Option<Vec<Task>> {
        let worker = self.workers.get_mut(usize::from(worker))?;
        let State::Busy(Some(_)) = worker.state else { return None };
        worker.state = State::Busy(None);
        Some(std::mem::take(&mut worker.tasks))
    }

    /// The tasks are done with, well or not.
    pub(super) fn finish(&mut self, worker: u16, tasks: Vec<Task>, moment: &mut Moment<'_>) {
        tasks.iter().for_each(|task| task.release(moment.holders));
        self.end(worker, tasks, State::Idle);
        self.deadline = self.plan(moment.now, moment.wall);
    }

    /// An exception has ended the worker. Its tasks are lost, and no counter moves.
    pub(super) fn lose(&mut self, worker: u16, tasks: Vec<Task>, moment: &mut Moment<'_>) {
        tasks.iter().for_each(|task| task.release(moment.holders));
        self.end(worker, tasks, State::Dead);
    }

    /// The tasks are to be tried again: they come back to the head at the next turn.
    pub(super) fn retry(&mut self, worker: u16, tasks: Vec<Task>, failure: Failure, moment: &mut Moment<'_>) {
        // Turns that were left out since the last would have drained what arrived before them.
        let missed = moment.now.since(self.grid).as_nanos() / TURN.as_nanos();
        let last_turn = self.grid + TURN * u32::try_from(missed).unwrap_or(u32::MAX);
        while let Some((task, arrived)) = self.arrivals.front().copied()
            && arrived < last_turn
        {
            self.arrivals.pop_front();
            self.append(task, moment.holders);
        }
        self.counters.replayed += tasks.len() as u64;
        self.reprocess.extend(tasks.iter().copied());
        self.shaper.register(failure, moment.wall.as_millis());
        self.end(worker, tasks, State::Idle);
        self.deadline = Some(self.next_turn(moment.now));
    }

    /// The worker's batch could not be sent: as [`retry`](Acceptor::retry).
    pub(super) fn unsent(&mut self, worker: u16, failure: Failure, moment: &mut Moment<'_>) {
        let tasks = std::mem::take(&mut self.workers[usize::from(worker)].tasks);
        self.retry(worker, tasks, failure, moment);
    }

    /// The peer is dropped: everything that waits is lost. Returns the calls to give up.
    pub(super) fn shut_down(self, holders: &mut Holders) -> impl Iterator<Item = CallId> {
        self.tasks().for_each(|task| task.release(holders));
        self.workers.into_iter().filter_map(|worker| match worker.state {
            State::Busy(call) => call,
            State::Idle | State::Dead => None,
        })
    }

    /// Folds the state into a hash.
    pub(super) fn fingerprint(&self, holders: &Holders, mut into: &mut dyn Hasher) {
        self.tasks().for_each(|task| task.fingerprint(holders, into));
        (self.idle, self.workers(), &self.shaper, self.schedule_ms, self.deadline).hash(&mut into);
    }

    /// All tasks, wherever they are.
    fn tasks(&self) -> impl Iterator<Item = &Task> {
        let arrived = self.arrivals.iter().map(|(task, _)| task);
        let sending = self.workers.iter().flat_map(|worker| worker.tasks.iter());
        self.pending.iter().chain(arrived).chain(&self.reprocess).chain(sending)
    }

    /// One turn of the loop, repeated at once while it changes anything.
    fn turn(&mut self, moment: &mut Moment<'_>, assigned: &mut Vec<u16>) {
        let now_ms = moment.wall.as_millis();
        loop {
            self.drain_reprocess(now_ms, moment.holders);
            while let Some((task, _)) = self.arrivals.pop_front() {
                self.append(task, moment.holders);
            }
            let waiting = self.pending.len();
            if waiting == 0 {
                break;
            }
            if self.schedule_ms < now_ms {
                self.schedule_ms = now_ms + self.shaper.delay_ms(now_ms);
            }
            if self.schedule_ms <= now_ms {
                self.assign(now_ms, moment.holders, assigned);
            }
            if self.pending.len() == waiting {
                break;
            }
        }
        self.grid = moment.now;
        self.deadline = self.plan(moment.now, moment.wall);
        let most = self.policy.max_pending as usize;
        assert!(self.pending.len() <= most, "more waits than may: {}", self.pending.len());
    }

    /// What failed returns to the head, its own order kept, unless it is too old, or a newer task for the same id waits.
    fn drain_reprocess(&mut self, now_ms: i64, holders: &mut Holders) {
        while !self.pending.is_full() {
            let Some(task) = self.reprocess.pop_back() else { break };
            if task.expires_ms <= now_ms {
                self.counters.expired += 1;
                task.release(holders);
            } else if self.pending.has(&task) {
                self.counters.overridden += 1;
                task.release(holders);
            } else {
                self.pending.put_first(task);
            }
        }
        if self.pending.is_full() {
            self.counters.overflows += self.reprocess.len() as u64;
            self.reprocess.drain(..).for_each(|task| task.release(holders));
        }
    }

    /// A new task takes the place of an older one with its id, or the last place. Whatever the new one does, a full buffer
    /// first loses its oldest task.
    fn append(&mut self, task: Task, holders: &mut Holders) {
        if self.pending.is_full()
            && let Some(oldest) = self.pending.pop()
        {
            self.counters.overflows += 1;
            oldest.release(holders);
        }
        if let Some(older) = self.pending.put(task) {
            self.counters.overridden += 1;
            older.release(holders);
        }
    }

    /// Gives one batch to an idle worker, if the first task is old enough or the buffer is full.
    fn assign(&mut self, now_ms: i64, holders: &mut Holders, assigned: &mut Vec<u16>) {
        let Some(head) = self.pending.head() else { return };
        let age_ms = now_ms - head.submitted_ms;
        let due = self.policy.max_delay_ms.is_none_or(|delay_ms| age_ms >= delay_ms);
        if self.idle == 0 || !(due || self.pending.is_full()) {
            return;
        }
        let idle = |worker: &Worker| worker.state == State::Idle;
        let worker = self.workers.iter().position(idle).expect("one is idle");
        let mut tasks = std::mem::take(&mut self.workers[worker].tasks);
        let most = self.policy.max_batch.min(self.pending.len());
        while tasks.len() < most
            && let Some(task) = self.pending.pop()
        {
            if task.expires_ms > now_ms {
                tasks.push(task);
            } else {
                self.counters.expired += 1;
                task.release(holders);
            }
        }
        if !tasks.is_empty() {
            self.workers[worker].state = State::Busy(None);
            self.idle -= 1;
            assigned.push(u16::try_from(worker).expect("at most 1000 workers"));
        }
        self.workers[worker].tasks = tasks;
    }

    /// A worker's batch has ended, and perhaps the worker.
    fn end(&mut self, worker: u16, mut tasks: Vec<Task>, state: State) {
        tasks.clear();
        let worker = &mut self.workers[usize::from(worker)];
        assert!(
            worker.state == State::Busy(None) && worker.tasks.is_empty(),
            "the worker has been answered: {worker:?}"
        );
        *worker = Worker { state, tasks };
        self.idle += usize::from(state == State::Idle);
    }

    /// The first turn that would do anything, as things stand.
    fn plan(&self, now: Instant, wall: Wall) -> Option<Instant> {
        if !self.reprocess.is_empty() || (!self.arrivals.is_empty() && self.pending.is_full()) {
            return Some(self.next_turn(now));
        }
        let head = self.pending.head()?;
        if self.schedule_ms > wall.as_millis() {
            // The shaper is asked again at the first turn after this, whether a task is due or not.
            return Some(self.turn_at(self.schedule_ms, now, wall));
        }
        if self.idle == 0 {
            return None;
        }
        match self.policy.max_delay_ms {
            Some(delay_ms) if !self.pending.is_full_with(self.arrivals.len()) => {
                Some(self.turn_at(head.submitted_ms + delay_ms, now, wall))
            }
            Some(_) | None => Some(self.next_turn(now)),
        }
    }

    /// The first moment of the grid after `now`.
    fn next_turn(&self, now: Instant) -> Instant {
        self.on_grid(Instant(now.0 + 1))
    }

    /// The first moment of the grid after `now` at which the wall clock will show `wall_ms`.
    fn turn_at(&self, wall_ms: i64, now: Instant, wall: Wall) -> Instant {
        match u64::try_from(Wall::from_millis(wall_ms).0 - wall.0) {
            Ok(wait_ns) => self.on_grid(Instant(now.0 + wait_ns.max(1))),
            Err(_) => self.next_turn(now),
        }
    }

    /// The first moment of the grid that is not before `at`.
    fn on_grid(&self, at: Instant) -> Instant {
        let turns = at.since(self.grid).as_nanos().div_ceil(TURN.as_nanos());
        Instant(self.grid.0 + u64::try_from(turns * TURN.as_nanos()).unwrap_or(u64::MAX))
    }
}
