//! How long a peer is left in peace after a failure (`TrafficShaper`). All workers of a peer wait together.
//!
//! Left out: the cap of 30 s, which pauses that are hard-coded do not reach.

/// Pause after a busy peer or a read timeout, in ms: 1000 (hard-coded in Netflix/eureka:
/// `PeerEurekaNode.SERVER_UNAVAILABLE_SLEEP_TIME_MS`).
const CONGESTION_MS: i64 = 1000;
/// Pause after a network failure, in ms: 100 (`PeerEurekaNode.RETRY_SLEEP_TIME_MS`).
const NETWORK_MS: i64 = 100;

/// A failure after which tasks are tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Failure {
    /// The peer is overloaded.
    Congestion,
    /// The peer was not reached.
    Transient,
}

/// The last failure of each class: wall clock, ms. Zero, not "never", at first; nothing once its pause is over.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Shaper {
    congestion_ms: Option<i64>,
    transient_ms: Option<i64>,
}

impl Default for Shaper {
    fn default() -> Shaper {
        Shaper { congestion_ms: Some(0), transient_ms: Some(0) }
    }
}

impl Shaper {
    /// A batch has failed.
    pub(super) fn register(&mut self, failure: Failure, now_ms: i64) {
        match failure {
            Failure::Congestion => self.congestion_ms = Some(now_ms),
            Failure::Transient => self.transient_ms = Some(now_ms),
        }
    }

    /// The pause that remains. A clock that was set back behind a failure cancels its pause.
    pub(super) fn delay_ms(&mut self, now_ms: i64) -> i64 {
        remaining_ms(&mut self.congestion_ms, CONGESTION_MS, now_ms)
            .or_else(|| remaining_ms(&mut self.transient_ms, NETWORK_MS, now_ms))
            .unwrap_or(0)
    }
}

fn remaining_ms(failed_ms: &mut Option<i64>, pause_ms: i64, now_ms: i64) -> Option<i64> {
    let passed_ms = now_ms - (*failed_ms)?;
    if (0..pause_ms).contains(&passed_ms) {
        return Some(pause_ms - passed_ms);
    }
    *failed_ms = None;
    None
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

    #[test]
    fn a_clock_set_back_cancels_the_pause() {
        let mut shaper = Shaper::default();
        shaper.register(Failure::Congestion, 5_000_000);
        assert_eq!(shaper.delay_ms(4_999_999), 0);
        assert_eq!(shaper.delay_ms(5_000_001), 0);
    }
}
