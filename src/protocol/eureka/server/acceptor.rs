//! The dispatcher towards one peer (`core/util/batcher`): tasks are merged by id, wait up to 500 ms, and leave in batches to
//! workers; what failed comes back to the head. The policy alone: building and sending a batch is [`super::peers`]' business.
//!
//! The original is a thread that looks at its queues, does what is due and sleeps 10 ms. Here such a *turn* is taken only when
//! it would do something, on the grid of 10 ms that the thread would be on: it sits at the moment of the last turn, and starts
//! anew when a task wakes the idle thread. Tasks that arrive between two turns wait in `arrivals`, as in the original's
//! acceptor queue; when a turn at which nothing is due is left out, its draining is made up for by the next.
//!
//! Differs from upstream: a turn takes no time, so a sleep is exactly 10 ms and "500 ms" is 500 to 510 ms (measured 501-513);
//! and a batch cannot fail within the turn that released it, so the retry in the same millisecond, which skips the traffic
//! shaper, does not happen.

use std::collections::VecDeque;
use std::hash::{Hash, Hasher};
use std::time::Duration;

use super::holders::{Holder, Holders};
use super::shaper::{Failure, Shaper};
use crate::protocol::{CallId, InstanceId, Instant, ServiceId, Status, Wall};

/// Tasks in one batch: 250 (hard-coded in Netflix/eureka: `PeerEurekaNode.BATCH_SIZE`).
const MAX_BATCH: usize = 250;
/// How old the first task must be for a batch to leave, in ms: 500 (`PeerEurekaNode.MAX_BATCHING_DELAY_MS`).
const MAX_DELAY_MS: i64 = 500;
/// Sleep of an acceptor that has nothing to do: 10 ms (`AcceptorExecutor.AcceptorRunner`).
const TURN: Duration = Duration::from_millis(10);
/// No slot.
const NONE: u32 = u32::MAX;

/// What a task tells the peer. With the instance it is the task's id: a newer task with the same id replaces an older one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Action {
    /// The whole instance.
    Register,
    /// A renewal.
    Heartbeat,
    /// A removal.
    Cancel,
    /// A status override.
    SetStatus,
    /// The end of one.
    ClearStatus,
}

impl Action {
    const COUNT: usize = 5;
}

/// One change to be told. It refers to the live object, whose fields are read when the batch is built.
#[derive(Clone, Copy, Debug, PartialEq, Hash)]
pub(super) struct Task {
    /// What to tell.
    pub(super) action: Action,
    /// The application.
    pub(super) app: ServiceId,
    /// The instance.
    pub(super) id: InstanceId,
    /// The live object; a cancel has none. A task is one reference.
    pub(super) holder: Option<Holder>,
    /// With a heartbeat: the override as it was when the task was made.
    pub(super) overridden: Option<Status>,
    /// From when on (wall clock, ms) the task is not worth sending any more.
    pub(super) expires_ms: i64,
    /// When the task was made: wall clock, ms.
    pub(super) submitted_ms: i64,
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

/// A thread that sends batches: busy from the moment it gets one until its answer has been dealt with.
#[derive(Clone, Debug, Default)]
struct Worker {
    busy: bool,
    tasks: Vec<Task>,
    call: Option<CallId>,
}

/// The dispatcher's state.
#[derive(Clone, Debug)]
pub(super) struct Acceptor {
    max_pending: usize,
    workers: Vec<Worker>,
    idle: usize,
    shaper: Shaper,
    /// Until when (wall clock, ms) nothing is assigned.
    schedule_ms: i64,

    /// Waiting tasks; `order` names their slots, the next to leave first.
    slots: Vec<Task>,
    free: Vec<u32>,
    order: VecDeque<u32>,
    /// Slots by instance, for each action.
    index: [Vec<u32>; Action::COUNT],
    /// Tasks of the current sleep, with the moment of arrival. They are drained at the next turn.
    arrivals: VecDeque<(Task, Instant)>,
    /// Tasks whose batch failed, in the order of failing.
    reprocess: VecDeque<Task>,

    /// A moment at which a turn was, or would have been, taken.
    grid: Instant,
    deadline: Option<Instant>,
    overflows: u64,
    expired: u64,
}

impl Acceptor {
    /// An idle dispatcher.
    pub(super) fn new(max_pending: u32, workers: u32, now: Instant) -> Acceptor {
        let workers = vec![Worker::default(); workers as usize];
        Acceptor {
            max_pending: max_pending as usize,
            idle: workers.len(),
            workers,
            shaper: Shaper::default(),
            schedule_ms: 0,
            slots: Vec::new(),
            free: Vec::new(),
            order: VecDeque::new(),
            index: Default::default(),
            arrivals: VecDeque::new(),
            reprocess: VecDeque::new(),
            grid: now,
            deadline: None,
            overflows: 0,
            expired: 0,
        }
    }

    /// When the next turn is to be taken.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Tasks waiting.
    pub(super) fn waiting(&self) -> usize {
        self.order.len() + self.arrivals.len() + self.reprocess.len()
    }

    /// Tasks dropped because there were too many, so far.
    pub(super) fn overflows(&self) -> u64 {
        self.overflows
    }

    /// Tasks dropped because they were too old, so far.
    pub(super) fn expired(&self) -> u64 {
        self.expired
    }

    /// A new task, whose reference passes to the acceptor. `assigned` receives the workers that got a batch.
    pub(super) fn offer(&mut self, task: Task, moment: &mut Moment<'_>, assigned: &mut Vec<u16>) {
        if self.order.is_empty() {
            // The thread waits for just this: it appends the task, and looks at everything else afterwards.
            assert!(self.arrivals.is_empty(), "an idle acceptor has drained its arrivals");
            self.append(task, moment.holders);
            self.turn(moment, assigned);
        } else {
            self.arrivals.push_back((task, moment.now));
            if self.order.len() + self.arrivals.len() >= self.max_pending {
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
        self.workers[usize::from(worker)].call = Some(call);
    }

    /// The worker's call has ended: its tasks, or nothing if it had none under way. The caller hands them back with
    /// [`finish`](Acceptor::finish) or [`retry`](Acceptor::retry).
    pub(super) fn answered(&mut self, worker: u16) -> Option<Vec<Task>> {
        let worker = self.workers.get_mut(usize::from(worker))?;
        worker.call.take()?;
        Some(std::mem::take(&mut worker.tasks))
    }

    /// The tasks are done with, well or not.
    pub(super) fn finish(&mut self, worker: u16, tasks: Vec<Task>, moment: &mut Moment<'_>) {
        tasks.iter().for_each(|task| drop_task(task, moment.holders));
        self.free_worker(worker, tasks);
        self.deadline = self.plan(moment.now, moment.wall);
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
        self.reprocess.extend(tasks.iter().copied());
        self.shaper.register(failure, moment.wall.as_millis());
        self.free_worker(worker, tasks);
        self.deadline = Some(self.next_turn(moment.now));
    }

    /// The peer is dropped: everything that waits is lost. Returns the calls to give up.
    pub(super) fn shut_down(self, holders: &mut Holders) -> impl Iterator<Item = CallId> {
        for slot in &self.order {
            drop_task(&self.slots[*slot as usize], holders);
        }
        self.arrivals.iter().for_each(|(task, _)| drop_task(task, holders));
        self.reprocess.iter().for_each(|task| drop_task(task, holders));
        for worker in &self.workers {
            worker.tasks.iter().for_each(|task| drop_task(task, holders));
        }
        self.workers.into_iter().filter_map(|worker| worker.call)
    }

    /// Folds the state into a hash.
    pub(super) fn fingerprint(&self, holders: &Holders, mut into: &mut dyn Hasher) {
        let waiting = self.order.iter().map(|slot| &self.slots[*slot as usize]);
        let arrived = self.arrivals.iter().map(|(task, _)| task);
        let sending = self.workers.iter().flat_map(|worker| worker.tasks.iter());
        for task in waiting.chain(arrived).chain(&self.reprocess).chain(sending) {
            let Task { action, app, id, holder, overridden, expires_ms, submitted_ms } = task;
            (action, app, id, overridden, expires_ms, submitted_ms).hash(&mut into);
            if let Some(holder) = holder {
                holders.fingerprint(*holder, into);
            }
        }
        (self.idle, &self.shaper, self.schedule_ms, self.deadline).hash(&mut into);
    }

    /// One turn of the loop, repeated at once while it changes anything.
    fn turn(&mut self, moment: &mut Moment<'_>, assigned: &mut Vec<u16>) {
        let now_ms = moment.wall.as_millis();
        loop {
            self.drain_reprocess(now_ms, moment.holders);
            while let Some((task, _)) = self.arrivals.pop_front() {
                self.append(task, moment.holders);
            }
            let waiting = self.order.len();
            if waiting == 0 {
                break;
            }
            if self.schedule_ms < now_ms {
                self.schedule_ms = now_ms + self.shaper.delay_ms(now_ms);
            }
            if self.schedule_ms <= now_ms {
                self.assign(now_ms, moment.holders, assigned);
            }
            if self.order.len() == waiting {
                break;
            }
        }
        self.grid = moment.now;
        self.deadline = self.plan(moment.now, moment.wall);
        assert!(self.order.len() <= self.max_pending, "more waits than may: {}", self.order.len());
    }

    fn is_full(&self) -> bool {
        self.order.len() >= self.max_pending
    }

    /// What failed returns to the head, its own order kept, unless it is too old, or a newer task for the same id waits.
    fn drain_reprocess(&mut self, now_ms: i64, holders: &mut Holders) {
        while !self.is_full() {
            let Some(task) = self.reprocess.pop_back() else { break };
            if task.expires_ms <= now_ms {
                self.expired += 1;
                drop_task(&task, holders);
            } else if self.slot_of(&task) != NONE {
                drop_task(&task, holders);
            } else {
                let slot = self.store(task);
                self.order.push_front(slot);
            }
        }
        if self.is_full() {
            self.overflows += self.reprocess.len() as u64;
            self.reprocess.drain(..).for_each(|task| drop_task(&task, holders));
        }
    }

    /// A new task takes the place of an older one with its id, or the last place. Whatever the new one does, a full buffer
    /// first loses its oldest task.
    fn append(&mut self, task: Task, holders: &mut Holders) {
        if self.is_full()
            && let Some(slot) = self.order.pop_front()
        {
            self.overflows += 1;
            let oldest = self.take(slot);
            drop_task(&oldest, holders);
        }
        match self.slot_of(&task) {
            NONE => {
                let slot = self.store(task);
                self.order.push_back(slot);
            }
            slot => {
                let old = std::mem::replace(&mut self.slots[slot as usize], task);
                drop_task(&old, holders);
            }
        }
    }

    /// Gives one batch to an idle worker, if the first task is old enough or the buffer is full.
    fn assign(&mut self, now_ms: i64, holders: &mut Holders, assigned: &mut Vec<u16>) {
        let Some(head) = self.order.front() else { return };
        let age_ms = now_ms - self.slots[*head as usize].submitted_ms;
        if self.idle == 0 || !(self.is_full() || age_ms >= MAX_DELAY_MS) {
            return;
        }
        let worker = self.workers.iter().position(|worker| !worker.busy).expect("one is idle");
        let mut tasks = std::mem::take(&mut self.workers[worker].tasks);
        let most = MAX_BATCH.min(self.order.len());
        while tasks.len() < most
            && let Some(slot) = self.order.pop_front()
        {
            let task = self.take(slot);
            if task.expires_ms > now_ms {
                tasks.push(task);
            } else {
                self.expired += 1;
                drop_task(&task, holders);
            }
        }
        if !tasks.is_empty() {
            self.workers[worker].busy = true;
            self.idle -= 1;
            assigned.push(u16::try_from(worker).expect("at most 1000 workers"));
        }
        self.workers[worker].tasks = tasks;
    }

    fn free_worker(&mut self, worker: u16, mut tasks: Vec<Task>) {
        tasks.clear();
        let worker = &mut self.workers[usize::from(worker)];
        assert!(
            worker.busy && worker.tasks.is_empty() && worker.call.is_none(),
            "the worker has been answered"
        );
        *worker = Worker { busy: false, tasks, call: None };
        self.idle += 1;
    }

    /// The first turn that would do anything, as things stand.
    fn plan(&self, now: Instant, wall: Wall) -> Option<Instant> {
        if !self.reprocess.is_empty() || (!self.arrivals.is_empty() && self.is_full()) {
            return Some(self.next_turn(now));
        }
        let head = self.order.front()?;
        if self.schedule_ms > wall.as_millis() {
            // The shaper is asked again at the first turn after this, whether a task is due or not.
            return Some(self.turn_at(self.schedule_ms, now, wall));
        }
        if self.idle == 0 {
            return None;
        }
        if self.order.len() + self.arrivals.len() >= self.max_pending {
            return Some(self.next_turn(now));
        }
        Some(self.turn_at(self.slots[*head as usize].submitted_ms + MAX_DELAY_MS, now, wall))
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

    fn slot_of(&self, task: &Task) -> u32 {
        self.index[task.action as usize].get(task.id.index()).copied().unwrap_or(NONE)
    }

    fn store(&mut self, task: Task) -> u32 {
        let (action, instance) = (task.action as usize, task.id.index());
        if self.index[action].len() <= instance {
            self.index[action].resize(instance + 1, NONE);
        }
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = task;
                slot
            }
            None => {
                self.slots.push(task);
                u32::try_from(self.slots.len() - 1).expect("at most 10 million tasks wait")
            }
        };
        self.index[action][instance] = slot;
        slot
    }

    fn take(&mut self, slot: u32) -> Task {
        let task = self.slots[slot as usize];
        self.index[task.action as usize][task.id.index()] = NONE;
        self.free.push(slot);
        task
    }
}

fn drop_task(task: &Task, holders: &mut Holders) {
    if let Some(holder) = task.holder {
        holders.release(holder);
    }
}
