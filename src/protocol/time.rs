//! The three times. They are separate types because confusing them is the classic bug of a clock-skew simulator.
//!
//! [`Instant`] and [`Wall`] are what a machine sees of its own host; only a driver converts either from [`SimTime`].

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

/// Nanoseconds on one host's monotonic clock, from an arbitrary start. It drifts with the host and stops while the host is
/// frozen; values of different hosts cannot be compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(pub u64);

/// Nanoseconds since 1970 on one host's wall clock. It may be wrong, and it may step backwards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Wall(pub i64);

/// Nanoseconds of virtual time since the start of a run: the driver's time, which no machine sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SimTime(pub u64);

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl Instant {
    /// Time passed since `earlier`, or zero if `earlier` lies in the future.
    pub fn since(self, earlier: Instant) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// Whole milliseconds, as `System.nanoTime() / 1_000_000` would give.
    pub fn as_millis(self) -> u64 {
        self.0 / 1_000_000
    }
}

impl Add<Duration> for Instant {
    type Output = Instant;
    fn add(self, rhs: Duration) -> Instant {
        Instant(self.0.saturating_add(nanos(rhs)))
    }
}

impl Sub<Duration> for Instant {
    type Output = Instant;
    fn sub(self, rhs: Duration) -> Instant {
        Instant(self.0.saturating_sub(nanos(rhs)))
    }
}

impl Wall {
    /// A wall-clock reading of `millis` milliseconds since 1970.
    pub const fn from_millis(millis: i64) -> Wall {
        Wall(millis.saturating_mul(1_000_000))
    }

    /// Whole milliseconds since 1970, rounded down: what `System.currentTimeMillis()` returns.
    pub const fn as_millis(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }
}

impl Add<Duration> for Wall {
    type Output = Wall;
    fn add(self, rhs: Duration) -> Wall {
        Wall(self.0.saturating_add(i64::try_from(rhs.as_nanos()).unwrap_or(i64::MAX)))
    }
}

impl SimTime {
    /// The start of the run.
    pub const ZERO: SimTime = SimTime(0);
    /// Later than any event of any run.
    pub const MAX: SimTime = SimTime(u64::MAX);

    /// A virtual time of `millis` milliseconds after the start.
    pub const fn from_millis(millis: u64) -> SimTime {
        SimTime(millis.saturating_mul(1_000_000))
    }

    /// A virtual time of `seconds` seconds after the start.
    pub const fn from_secs(seconds: u64) -> SimTime {
        SimTime(seconds.saturating_mul(1_000_000_000))
    }

    /// Whole milliseconds after the start, rounded down.
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000_000
    }

    /// Seconds after the start, for display and statistics only.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// Time passed since `earlier`, or zero if `earlier` lies in the future.
    pub fn since(self, earlier: SimTime) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for SimTime {
    type Output = SimTime;
    fn add(self, rhs: Duration) -> SimTime {
        SimTime(self.0.saturating_add(nanos(rhs)))
    }
}

impl From<Duration> for SimTime {
    fn from(since_start: Duration) -> SimTime {
        SimTime(nanos(since_start))
    }
}

/// `12.345s`, `2m05.000s`, `1h00m00.000s`: milliseconds always, because that is the precision people compare.
impl fmt::Display for SimTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.as_millis();
        let (hours, minutes, seconds) = (millis / 3_600_000, millis / 60_000 % 60, millis / 1000 % 60);
        match (hours, minutes) {
            (0, 0) => write!(f, "{seconds}.{:03}s", millis % 1000),
            (0, _) => write!(f, "{minutes}m{seconds:02}.{:03}s", millis % 1000),
            _ => write!(f, "{hours}h{minutes:02}m{seconds:02}.{:03}s", millis % 1000),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_millis_round_down_before_1970_too() {
        assert_eq!(Wall(-1).as_millis(), -1);
        assert_eq!(Wall(1_999_999).as_millis(), 1);
    }

    #[test]
    fn display_names_minutes_and_hours_only_when_there_are_any() {
        let check = |millis, expected: &str| assert_eq!(SimTime::from_millis(millis).to_string(), expected);
        check(12_345, "12.345s");
        check(125_000, "2m05.000s");
        check(3_600_000, "1h00m00.000s");
    }
}
