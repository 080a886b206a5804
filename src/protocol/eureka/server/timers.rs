//! The server's timers on the wall clock (`java.util.Timer`): which there are, in the order in which they fire at one instant,
//! and how such a timer behaves when the wall clock is set.
//!
//! A waiting timer sleeps on the monotonic clock for the time that remains by the wall clock, and compares on waking: a clock set
//! back makes it sleep again, so it is frozen for as long as the clock was set back; a clock set forward is noticed on waking.

use std::time::Duration;

use crate::protocol::{Instant, Wall};

/// A task of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Timer {
    /// The window of the renewal rate is complete.
    Rate,
    /// The window of the rate of replicated writes is complete.
    Replications,
    /// Old changes leave the delta.
    Retention,
    /// The expected clients are counted again.
    Threshold,
    /// Leases are looked through.
    Eviction,
    /// The second level of the response cache is filled.
    Fill,
    /// AWS is asked about groups.
    Groups,
}

impl Timer {
    /// In the order in which they fire at one instant; the original gives none, so this is a convention.
    pub(super) const ALL: [Timer; 7] = [
        Timer::Rate,
        Timer::Replications,
        Timer::Retention,
        Timer::Threshold,
        Timer::Eviction,
        Timer::Fill,
        Timer::Groups,
    ];
}

#[derive(Clone, Copy, Debug, Hash)]
struct Schedule {
    due_ms: i64,
    period: Duration,
    wakes: Instant,
}

impl Schedule {
    /// Falls asleep until the wall clock would show the due time.
    fn sleep(&mut self, now: Instant, wall: Wall) {
        let left_ns = u64::try_from(Wall::from_millis(self.due_ms).0 - wall.0).unwrap_or(0);
        self.wakes = now + Duration::from_nanos(left_ns);
    }
}

/// The timers that run.
#[derive(Clone, Copy, Debug, Default, Hash)]
pub(super) struct Timers {
    schedules: [Option<Schedule>; Timer::ALL.len()],
}

impl Timers {
    /// Starts a timer: first when the wall clock shows `first_ms`, then `period` after each run began.
    pub(super) fn start(&mut self, timer: Timer, first_ms: i64, period: Duration, now: Instant, wall: Wall) {
        let mut schedule = Schedule { due_ms: first_ms, period, wakes: now };
        schedule.sleep(now, wall);
        self.schedules[timer as usize] = Some(schedule);
    }

    /// Stops all.
    pub(super) fn stop(&mut self) {
        *self = Timers::default();
    }

    /// When the next one wakes.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.schedules.iter().flatten().map(|schedule| schedule.wakes).min()
    }

    /// Whether a timer runs now. Its next run is planned then.
    pub(super) fn fires(&mut self, timer: Timer, now: Instant, wall: Wall) -> bool {
        let Some(schedule) = &mut self.schedules[timer as usize] else { return false };
        if schedule.wakes > now {
            return false;
        }
        let due = wall.as_millis() >= schedule.due_ms;
        if due {
            schedule.due_ms = (wall + schedule.period).as_millis();
        }
        schedule.sleep(now, wall);
        assert!(schedule.wakes > now, "a timer that has run sleeps: {timer:?}");
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn fires_at(wall_at: impl Fn(u64) -> i64) -> Vec<u64> {
        let mut timers = Timers::default();
        let wall = |now: Instant| Wall(wall_at(now.0 / MS) * MS as i64);
        let start = Instant(0);
        timers.start(Timer::Eviction, 60_000, Duration::from_secs(60), start, wall(start));
        let mut fired = Vec::new();
        while let Some(now) = timers.deadline().filter(|now| now.0 <= 300_000 * MS) {
            if timers.fires(Timer::Eviction, now, wall(now)) {
                fired.push(now.0 / MS);
            }
        }
        fired
    }

    #[test]
    fn a_timer_follows_the_wall_clock() {
        assert_eq!(fires_at(|ms| ms as i64), [60_000, 120_000, 180_000, 240_000, 300_000]);
        let set_back = |ms| if ms < 70_000 { ms as i64 } else { ms as i64 - 90_000 };
        assert_eq!(fires_at(set_back), [60_000, 210_000, 270_000], "frozen for 90 s");
        let set_forward = |ms| if ms < 70_000 { ms as i64 } else { ms as i64 + 90_000 };
        assert_eq!(fires_at(set_forward), [60_000, 120_000, 180_000, 240_000, 300_000], "noticed on waking");
    }
}
