//! The supervisor of one periodic task (`TimedSupervisorTask`) as data: it waits for a run at most one interval, then backs off.
//!
//! The runs themselves are kept by the client ([`super::runs`]). A run that timed out keeps its thread until it ends: blocking
//! I/O ignores the interrupt.

use std::time::Duration;

use super::NEVER;
use crate::protocol::Instant;

/// What a supervised task is allowed.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Time between runs, and how long one may take.
    pub interval: Duration,
    /// How many intervals the delay may grow to.
    pub bound: u32,
    /// Threads for its runs. There is no queue: with all of them busy a run is rejected.
    pub threads: u32,
}

/// `Off` → `Sleeping` → (due) `Waiting` → (run ends, or due again: timed out) `Sleeping` → …
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Supervisor {
    /// Sleeping: when the next run starts. Waiting: when it times out.
    due: Instant,
    /// The delay between runs, in intervals.
    factor: u32,
    /// The run it waits for.
    waiting: Option<u16>,
}

impl Supervisor {
    /// A supervisor that has not been scheduled.
    pub fn off() -> Supervisor {
        Supervisor { due: NEVER, factor: 1, waiting: None }
    }

    /// First run after one interval.
    pub fn schedule(&mut self, interval: Duration, now: Instant) {
        self.due = now + interval;
    }

    /// Its thread is stopped: it starts no more runs and waits for none.
    pub fn stop(&mut self) {
        *self = Supervisor::off();
    }

    /// When it wants a turn.
    pub fn due(&self) -> Instant {
        self.due
    }

    /// The delay between runs, in intervals.
    pub fn factor(&self) -> u32 {
        self.factor
    }

    /// A turn at its deadline, with `busy` threads still occupied by earlier runs. Says whether `run` starts now.
    pub fn turn(&mut self, run: u16, rules: Rules, busy: usize, now: Instant) -> bool {
        assert!(self.due <= now, "a turn before it is due: {:?} at {now:?}", self.due);
        if self.waiting.take().is_some() {
            self.factor = rules.bound.min(self.factor.saturating_mul(2)).max(1);
        } else if busy < rules.threads as usize {
            self.waiting = Some(run);
            self.due = now + rules.interval;
            return true;
        }
        self.due = now + rules.interval.saturating_mul(self.factor);
        assert!(self.due > now, "a supervisor that never sleeps: {rules:?}");
        false
    }

    /// A run has ended, well or not. One that had timed out before makes no difference.
    pub fn ended(&mut self, run: u16, interval: Duration, now: Instant) {
        if self.waiting == Some(run) {
            self.waiting = None;
            self.factor = 1;
            self.due = now + interval;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant(seconds * 1_000_000_000)
    }

    /// Every run hangs and keeps its thread, if `released` is false. Gives what happens at each deadline, in seconds.
    fn turns(threads: u32, released: bool, count: usize) -> Vec<String> {
        let rules = Rules { interval: Duration::from_secs(30), bound: 10, threads };
        let mut supervisor = Supervisor::off();
        supervisor.schedule(rules.interval, at(0));
        let (mut busy, mut turns) = (0, Vec::new());
        for run in 0..count {
            let now = supervisor.due();
            let waited = supervisor.waiting.is_some();
            let started = supervisor.turn(run as u16, rules, busy, now);
            let what = match (waited, started) {
                (true, _) => "timeout",
                (false, true) => "start",
                (false, false) => "rejected",
            };
            busy = if released { 0 } else { busy + usize::from(started) };
            turns.push(format!("{what} {}", now.0 / 1_000_000_000));
        }
        turns
    }

    /// Golden vectors of the reference, 12.10.
    #[test]
    fn a_task_that_always_hangs_stretches_the_delay_up_to_the_bound() {
        assert_eq!(
            turns(5, true, 12),
            [
                "start 30",
                "timeout 60",
                "start 120",
                "timeout 150",
                "start 270",
                "timeout 300",
                "start 540",
                "timeout 570",
                "start 870",
                "timeout 900",
                "start 1200",
                "timeout 1230"
            ]
        );
    }

    #[test]
    fn with_all_threads_hanging_runs_are_rejected_and_the_delay_stays() {
        assert_eq!(
            turns(2, false, 8),
            [
                "start 30",
                "timeout 60",
                "start 120",
                "timeout 150",
                "rejected 270",
                "rejected 390",
                "rejected 510",
                "rejected 630"
            ]
        );
        assert_eq!(
            turns(5, false, 13)[8..],
            ["start 870", "timeout 900", "rejected 1200", "rejected 1500", "rejected 1800"]
        );
    }

    #[test]
    fn a_run_that_ends_in_time_resets_the_delay_and_one_that_ends_late_does_not() {
        let rules = Rules { interval: Duration::from_secs(30), bound: 10, threads: 5 };
        let mut supervisor = Supervisor::off();
        supervisor.schedule(rules.interval, at(0));
        assert!(supervisor.turn(1, rules, 0, at(30)));
        assert!(!supervisor.turn(2, rules, 1, at(60)), "timed out");
        supervisor.ended(1, rules.interval, at(61));
        assert_eq!(supervisor.due(), at(120), "the late end of run 1 changes nothing");
        assert!(supervisor.turn(2, rules, 0, at(120)));
        supervisor.ended(2, rules.interval, at(125));
        assert_eq!(supervisor.due(), at(155));
        assert!(supervisor.turn(3, rules, 0, at(155)));
        assert!(!supervisor.turn(4, rules, 1, at(185)));
        assert_eq!(supervisor.due(), at(245), "the delay had gone back to one interval");
    }
}
