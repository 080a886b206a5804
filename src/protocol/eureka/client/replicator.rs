//! When changes of the local instance are sent (`InstanceInfoReplicator`): every 30 s, and at once on demand, one run at a time.
//!
//! This is the schedule alone; what a run does is in [`super::runs`].

use std::time::Duration;

use super::NEVER;
use crate::protocol::eureka::limiter::Limiter;
use crate::protocol::{Instant, Wall};

/// On-demand runs that may come at once (upstream: `burstSize`).
const BURST: u32 = 2;

/// Its single thread is idle with a periodic run pending, or running with none; on-demand runs queue behind a run.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Replicator {
    /// The pending periodic run.
    due: Instant,
    /// On-demand runs that were granted and have not begun.
    queued: u32,
    running: bool,
    limiter: Limiter,
}

impl Replicator {
    /// A replicator that has not been started.
    pub fn off() -> Replicator {
        Replicator { due: NEVER, queued: 0, running: false, limiter: Limiter::default() }
    }

    /// Plans the first run.
    pub fn schedule(&mut self, delay: Duration, now: Instant) {
        self.due = now + delay;
    }

    /// When the periodic run begins.
    pub fn due(&self) -> Instant {
        self.due
    }

    /// Something has changed: a run is wanted now. Refused: the next periodic run sends the change.
    ///
    /// The rate is a whole number of runs per minute; an interval above 120 s makes it 0, which is no limit.
    pub fn on_demand(&mut self, interval: Duration, wall: Wall) -> bool {
        let per_minute = u64::from(60 * BURST) / interval.as_secs().max(1);
        let per_minute = u32::try_from(per_minute).expect("at most 120");
        let granted = self.limiter.acquire(BURST, per_minute, wall.as_millis());
        self.queued = self.queued.saturating_add(u32::from(granted));
        granted
    }

    /// The periodic run begins, if it is due.
    pub fn begin_periodic(&mut self, now: Instant) -> bool {
        let begins = self.due <= now;
        if begins {
            assert!(!self.running, "one run at a time");
            self.begin();
        }
        begins
    }

    /// An on-demand run begins, if one is waiting and none is under way. It takes the place of the pending periodic run.
    pub fn begin_on_demand(&mut self) -> bool {
        let begins = self.queued > 0 && !self.running;
        if begins {
            self.queued -= 1;
            self.begin();
        }
        begins
    }

    fn begin(&mut self) {
        self.running = true;
        self.due = NEVER;
    }

    /// A run has ended; `next` is the delay of the following one, if there is to be one.
    pub fn ended(&mut self, next: Option<Duration>, now: Instant) {
        assert!(self.running, "a run ended that had not begun");
        self.running = false;
        self.due = next.map_or(NEVER, |delay| now + delay);
    }

    /// Whether nothing is left to be done: what an orderly stop waits for.
    pub fn drained(&self) -> bool {
        !self.running && self.queued == 0 && self.due == NEVER
    }

    /// Its thread is stopped. A run under way goes on: blocking I/O ignores the interrupt.
    pub fn stop(&mut self) {
        self.due = NEVER;
        self.queued = 0;
    }
}
