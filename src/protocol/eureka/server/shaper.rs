//! How long a peer is left in peace after a failure (`TrafficShaper`). All workers of a peer wait together.

/// Pause after a busy peer or a read timeout, in ms: 1000 (hard-coded in Netflix/eureka:
/// `PeerEurekaNode.SERVER_UNAVAILABLE_SLEEP_TIME_MS`).
const CONGESTION_MS: i64 = 1000;
/// Pause after a network failure, in ms: 100 (`PeerEurekaNode.RETRY_SLEEP_TIME_MS`).
const NETWORK_MS: i64 = 100;
/// No pause is longer than this, in ms: 30,000 (`TrafficShaper.MAX_DELAY`).
const LONGEST_MS: i64 = 30_000;

/// A failure after which tasks are tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Failure {
    /// The peer is overloaded.
    Congestion,
    /// The peer was not reached.
    Transient,
}

/// The pause after failures of one class, and the last of these: wall clock, ms. Zero, not "never", at first; nothing once its
/// pause is over.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Pause {
    ms: i64,
    failed_ms: Option<i64>,
}

/// The pauses of both classes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Shaper {
    congestion: Pause,
    transient: Pause,
}

impl Default for Shaper {
    fn default() -> Shaper {
        Shaper::new(CONGESTION_MS, NETWORK_MS)
    }
}

impl Shaper {
    /// With these pauses, in ms, as far as they are not too long.
    fn new(congestion_ms: i64, network_ms: i64) -> Shaper {
        let pause = |ms: i64| Pause { ms: ms.min(LONGEST_MS), failed_ms: Some(0) };
        Shaper { congestion: pause(congestion_ms), transient: pause(network_ms) }
    }

    /// A batch has failed.
    pub(super) fn register(&mut self, failure: Failure, now_ms: i64) {
        let pause = match failure {
            Failure::Congestion => &mut self.congestion,
            Failure::Transient => &mut self.transient,
        };
        pause.failed_ms = Some(now_ms);
    }

    /// The pause that remains. A clock that was set back behind a failure cancels its pause.
    pub(super) fn delay_ms(&mut self, now_ms: i64) -> i64 {
        self.congestion.rest_ms(now_ms).or_else(|| self.transient.rest_ms(now_ms)).unwrap_or(0)
    }
}

impl Pause {
    fn rest_ms(&mut self, now_ms: i64) -> Option<i64> {
        let passed_ms = now_ms - self.failed_ms?;
        if (0..self.ms).contains(&passed_ms) {
            return Some(self.ms - passed_ms);
        }
        self.failed_ms = None;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Golden vector of the reference, 12.8, "shaper alone".
    #[test]
    fn congestion_comes_before_network_failure() {
        let start = 1_700_000_000_000;
        let mut shaper = Shaper::default();
        assert_eq!(shaper.delay_ms(start), 0);
        shaper.register(Failure::Congestion, start);
        shaper.register(Failure::Transient, start + 950);
        assert_eq!([953, 1010, 1070].map(|at| shaper.delay_ms(start + at)), [47, 40, 0]);
    }

    /// Golden vector of the reference, 12.8, "configured 60000".
    #[test]
    fn no_pause_is_longer_than_thirty_seconds() {
        let start = 1_700_000_000_000;
        for failure in [Failure::Congestion, Failure::Transient] {
            let mut shaper = Shaper::new(60_000, 60_000);
            shaper.register(failure, start);
            assert_eq!([0, 29_999, 30_000].map(|at| shaper.delay_ms(start + at)), [30_000, 1, 0]);
        }
    }

    #[test]
    fn a_clock_set_back_cancels_the_pause() {
        let mut shaper = Shaper::default();
        shaper.register(Failure::Congestion, 5_000_000);
        assert_eq!(shaper.delay_ms(4_999_999), 0);
        assert_eq!(shaper.delay_ms(5_000_001), 0);
    }
}
