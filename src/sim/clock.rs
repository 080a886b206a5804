//! The two clocks of a host, and the conversion from and to the driver's time. Integer arithmetic only.
//!
//! Both clocks run at the host's rate. The wall clock may be set; the monotonic one never notices. Timeouts inside the kernel
//! of a host (TCP, sockets) follow true time: the error of a drift over seconds is far below a network's jitter.

use crate::plan::world::{ClockChange, ClockError};
use crate::protocol::{Instant, SimTime, Wall};

/// What a monotonic clock shows at the start of a run: one day, so that looking back an hour does not end at zero.
const START: Instant = Instant(86_400_000_000_000);
const MILLION: u64 = 1_000_000;

/// The clocks of one host: straight lines from an origin, which moves whenever the rate changes.
#[derive(Clone, Debug)]
pub(super) struct Clock {
    origin: SimTime,
    instant: u64,
    wall: i64,
    drift_ppm: i32,
    /// What the wall clock shows while it stands still, and how many faults hold it.
    frozen: Option<Wall>,
    freezes: u32,
}

impl Clock {
    /// Clocks that are wrong by `error`, at virtual time zero.
    pub fn new(epoch_ms: i64, error: ClockError) -> Clock {
        let wall = Wall::from_millis(epoch_ms).0.saturating_add(error.skew_ns);
        Clock {
            origin: SimTime::ZERO,
            instant: START.0,
            wall,
            drift_ppm: error.drift_ppm,
            frozen: None,
            freezes: 0,
        }
    }

    /// What both clocks show.
    #[inline]
    pub fn read(&self, now: SimTime) -> (Instant, Wall) {
        let local = self.local(now.0 - self.origin.0);
        let wall = self.frozen.unwrap_or(Wall(self.wall.saturating_add_unsigned(local)));
        (Instant(self.instant.saturating_add(local)), wall)
    }

    /// The first moment at which the monotonic clock shows at least `instant`.
    #[inline]
    pub fn when(&self, instant: Instant) -> SimTime {
        let local = instant.0.saturating_sub(self.instant);
        if self.drift_ppm == 0 {
            return SimTime(self.origin.0.saturating_add(local));
        }
        let rate = u128::from(self.rate());
        let elapsed = (u128::from(local) * u128::from(MILLION)).div_ceil(rate);
        let mut elapsed = u64::try_from(elapsed).unwrap_or(u64::MAX);
        // `local` rounds down, so the estimate is at most a nanosecond or two off, in either direction.
        while elapsed > 0 && self.local(elapsed - 1) >= local {
            elapsed -= 1;
        }
        while self.local(elapsed) < local {
            elapsed += 1;
        }
        SimTime(self.origin.0.saturating_add(elapsed))
    }

    /// A fault begins. Returns whether deadlines on the monotonic clock have moved.
    pub fn begin(&mut self, now: SimTime, change: ClockChange) -> bool {
        self.rebase(now);
        match change {
            ClockChange::Jump(by) => {
                self.wall = self.wall.saturating_add(by);
                self.frozen = self.frozen.map(|wall| Wall(wall.0.saturating_add(by)));
            }
            ClockChange::Drift(ppm) => self.drift_ppm = self.drift_ppm.saturating_add(ppm),
            ClockChange::Freeze => {
                self.frozen = Some(self.frozen.unwrap_or(Wall(self.wall)));
                self.freezes += 1;
            }
        }
        matches!(change, ClockChange::Drift(_))
    }

    /// A lasting fault ends. Returns whether deadlines on the monotonic clock have moved.
    pub fn end(&mut self, now: SimTime, change: ClockChange) -> bool {
        self.rebase(now);
        match change {
            ClockChange::Jump(_) => {}
            ClockChange::Drift(ppm) => self.drift_ppm = self.drift_ppm.saturating_sub(ppm),
            ClockChange::Freeze => {
                self.freezes -= 1;
                if self.freezes == 0 {
                    self.frozen = None;
                }
            }
        }
        matches!(change, ClockChange::Drift(_))
    }

    fn rebase(&mut self, now: SimTime) {
        let local = self.local(now.0 - self.origin.0);
        self.origin = now;
        self.instant = self.instant.saturating_add(local);
        self.wall = self.wall.saturating_add_unsigned(local);
    }

    /// Local nanoseconds for true ones. A clock never runs backwards and hardly ever stands: at least one part per million.
    fn local(&self, elapsed: u64) -> u64 {
        if self.drift_ppm == 0 {
            return elapsed;
        }
        let rate = self.rate();
        let (millions, rest) = (elapsed / MILLION, elapsed % MILLION);
        millions.saturating_mul(rate).saturating_add(rest * rate / MILLION)
    }

    fn rate(&self) -> u64 {
        (MILLION as i64 + i64::from(self.drift_ppm)).max(1) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EPOCH: i64 = 1_700_000_000_000;

    fn clock(skew_ns: i64, drift_ppm: i32) -> Clock {
        Clock::new(EPOCH, ClockError { skew_ns, drift_ppm })
    }

    fn read(clock: &Clock, seconds: u64) -> (u64, i64) {
        let (instant, wall) = clock.read(SimTime::from_secs(seconds));
        (instant.since(START).as_nanos() as u64 / 1_000_000, wall.as_millis() - EPOCH)
    }

    #[test]
    fn skew_moves_the_wall_clock_alone_and_drift_both() {
        assert_eq!(read(&clock(-5_000_000_000, 0), 10), (10_000, 5_000));
        assert_eq!(read(&clock(0, 1_000), 1_000), (1_001_000, 1_001_000));
        assert_eq!(read(&clock(0, -1_000), 1_000), (999_000, 999_000));
    }

    #[test]
    fn a_jump_is_not_seen_by_the_monotonic_clock() {
        let mut clock = clock(0, 0);
        assert!(!clock.begin(SimTime::from_secs(10), ClockChange::Jump(-3_600_000_000_000)));
        assert_eq!(read(&clock, 20), (20_000, 20_000 - 3_600_000));
    }

    #[test]
    fn a_frozen_wall_clock_stands_and_then_jumps_to_where_it_would_be() {
        let mut clock = clock(0, 0);
        clock.begin(SimTime::from_secs(10), ClockChange::Freeze);
        assert_eq!(read(&clock, 30), (30_000, 10_000));
        clock.end(SimTime::from_secs(40), ClockChange::Freeze);
        assert_eq!(read(&clock, 41), (41_000, 41_000));
    }

    #[test]
    fn a_drift_that_begins_and_ends_leaves_its_error_behind() {
        let mut clock = clock(0, 0);
        assert!(clock.begin(SimTime::from_secs(100), ClockChange::Drift(10_000)));
        assert!(clock.end(SimTime::from_secs(200), ClockChange::Drift(10_000)));
        assert_eq!(read(&clock, 300), (301_000, 301_000));
    }

    #[test]
    fn when_is_the_first_moment_that_shows_the_instant() {
        for drift in [0, 1, -1, 137, -50_000, 999_999, -999_999] {
            let mut clock = clock(0, drift);
            clock.begin(SimTime(12_345), ClockChange::Jump(0));
            for ahead in [1u64, 2, 999, 1_000_003, 30_000_000_007] {
                let (now, _) = clock.read(SimTime(77_777));
                let instant = Instant(now.0 + ahead);
                let when = clock.when(instant);
                assert!(clock.read(when).0 >= instant, "drift {drift}, ahead {ahead}");
                assert!(clock.read(SimTime(when.0 - 1)).0 < instant, "drift {drift}, ahead {ahead}");
                assert!(when > SimTime(77_777));
            }
        }
    }
}
