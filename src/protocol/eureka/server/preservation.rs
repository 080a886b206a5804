//! Self-preservation: the count of renewals, the number of clients expected to renew, and the threshold between the two. Only the
//! arithmetic; who counts and when is the registry's and the timers' business.

use std::time::Duration;

use crate::protocol::eureka::config::ServerConfig;

/// Renewals in fixed windows (`MeasuredRate`): what is read is always the last complete window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct MeasuredRate {
    last: u32,
    current: u32,
}

impl MeasuredRate {
    /// The length of a window: 60 s (hard-coded in Netflix/eureka: `AbstractInstanceRegistry.renewsLastMin`).
    pub(super) const WINDOW: Duration = Duration::from_secs(60);

    /// Counts one renewal.
    pub(super) fn increment(&mut self) {
        self.current = self.current.saturating_add(1);
    }

    /// A window is complete.
    pub(super) fn rotate(&mut self) {
        self.last = self.current;
        self.current = 0;
    }

    /// Renewals in the last complete window.
    pub(super) fn count(&self) -> u32 {
        self.last
    }
}

/// The bookkeeping that decides whether leases may expire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Preservation {
    /// Renewals.
    pub(super) rate: MeasuredRate,
    expected: u32,
    threshold: i32,
}

impl Preservation {
    /// What a new registry begins with: the threshold is computed only when `expected` first changes.
    pub(super) fn new(expected: u32) -> Preservation {
        Preservation { rate: MeasuredRate::default(), expected, threshold: 0 }
    }

    /// Clients expected to renew (`expectedNumberOfClientsSendingRenews`).
    pub(super) fn expected(&self) -> u32 {
        self.expected
    }

    /// Renewals that must be exceeded (`numberOfRenewsPerMinThreshold`).
    pub(super) fn threshold(&self) -> i32 {
        self.threshold
    }

    /// A lease came into being. At 0 nothing is counted: so a server that opened with nothing never expires anything until the
    /// expected clients are counted again.
    pub(super) fn lease_added(&mut self, config: &ServerConfig) {
        if self.expected > 0 {
            self.set_expected(self.expected.saturating_add(1), config);
        }
    }

    /// A lease was cancelled or evicted.
    pub(super) fn lease_removed(&mut self, config: &ServerConfig) {
        if self.expected > 0 {
            self.set_expected(self.expected - 1, config);
        }
    }

    /// Replaces the expected clients, whatever was counted before.
    pub(super) fn set_expected(&mut self, expected: u32, config: &ServerConfig) {
        self.expected = expected;
        self.threshold = threshold(expected, config);
    }

    /// The task that counts anew, with what the embedded client's cache shows. A drop of more than the tolerated share is not
    /// believed while self-preservation is on.
    pub(super) fn recount(&mut self, seen: u32, config: &ServerConfig) {
        let believable = f64::from(seen) > config.renewal_percent_threshold * f64::from(self.expected);
        if believable || !config.enable_self_preservation {
            self.set_expected(seen, config);
        }
    }

    /// Whether leases may expire (`isLeaseExpirationEnabled`). Equality protects.
    pub(super) fn expiration_enabled(&self, config: &ServerConfig) -> bool {
        !config.enable_self_preservation
            || (self.threshold > 0 && i64::from(self.rate.count()) > i64::from(self.threshold))
    }
}

/// In the original's order of operations and truncated, or it is off by one. An interval of 0 makes it as large as can be, a
/// negative one makes it negative: Spring guards against neither.
fn threshold(expected: u32, config: &ServerConfig) -> i32 {
    let per_minute = 60.0 / f64::from(config.expected_client_renewal_interval);
    (f64::from(expected) * per_minute * config.renewal_percent_threshold) as i32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::eureka::config::Profile;

    fn config(interval_s: i32, percent: f64) -> ServerConfig {
        ServerConfig {
            expected_client_renewal_interval: interval_s,
            renewal_percent_threshold: percent,
            ..ServerConfig::defaults(Profile::Netflix)
        }
    }

    fn with_rate(mut preservation: Preservation, renewals: u32) -> Preservation {
        (0..renewals).for_each(|_| preservation.rate.increment());
        preservation.rate.rotate();
        preservation
    }

    /// The reference, 3.1: what Spring's f64 makes of an interval that makes no sense.
    #[test]
    fn an_interval_that_is_not_positive_is_computed_with() {
        assert_eq!(threshold(3, &config(0, 0.85)), i32::MAX);
        assert_eq!(threshold(0, &config(0, 0.85)), 0);
        assert_eq!(threshold(3, &config(-30, 0.85)), -5);
        let mut preservation = Preservation::new(0);
        preservation.set_expected(3, &config(-30, 0.85));
        let config = config(-30, 0.85);
        assert!(!with_rate(preservation, 100).expiration_enabled(&config), "nothing expires");
    }

    /// Golden vectors of the reference, 12.1: expected clients, threshold, renewals that let leases expire, clients that may be silent
    /// while the others renew twice a minute.
    #[test]
    fn thresholds_at_the_defaults() {
        let config = config(30, 0.85);
        let check = |expected, threshold, enough: u32, silent: u32| {
            let mut preservation = Preservation::new(0);
            preservation.set_expected(expected, &config);
            assert_eq!(preservation.threshold(), threshold, "{expected} expected clients");
            let expire = |renewals| with_rate(preservation, renewals).expiration_enabled(&config);
            assert_eq!((expire(enough - 1), expire(enough)), (false, true), "{expected} expected clients");
            let without = |silent| expire(2 * (expected - silent));
            assert!(without(silent) && !without(silent + 1), "{silent} of {expected} silent");
        };
        check(2, 3, 4, 0);
        check(1, 1, 2, 0);
        check(3, 5, 6, 0);
        check(6, 10, 11, 0);
        check(7, 11, 12, 1);
        check(20, 34, 35, 2);
        check(100, 170, 171, 14);
        check(1000, 1700, 1701, 149);
        // Below the table, executed: threshold alone.
        check(8, 13, 14, 1);
        check(9, 15, 16, 1);
        check(50, 85, 86, 7);
    }

    /// Golden vectors of the reference, 12.1, other settings: interval (s), percent, expected clients, threshold.
    #[test]
    fn thresholds_at_other_settings() {
        let check = |interval, percent, expected, result| {
            assert_eq!(
                threshold(expected, &config(interval, percent)),
                result,
                "{expected} at {interval} s, {percent}"
            );
        };
        check(15, 0.85, 18, 61);
        check(10, 0.85, 3, 15);
        check(15, 0.85, 20, 68);
        check(20, 0.85, 7, 17);
        check(45, 0.85, 10, 11);
        check(60, 0.85, 100, 85);
        check(7, 0.85, 10, 72);
        check(30, 0.1, 10, 2);
        check(30, 0.49, 10, 9);
        check(30, 0.5, 10, 10);
        check(30, 0.7, 10, 14);
        check(30, 0.9, 10, 18);
        check(30, 0.95, 10, 19);
        check(30, 1.0, 10, 20);
    }

    /// Golden vectors of the reference, 12.1: a stand-alone Spring server opens with 1, then `n` clients come.
    #[test]
    fn spring_stand_alone() {
        let config = config(30, 0.85);
        let check = |clients, threshold, enabled| {
            let mut preservation = Preservation::new(1);
            preservation.set_expected(1, &config);
            (0..clients).for_each(|_| preservation.lease_added(&config));
            let preservation = with_rate(preservation, 2 * clients);
            assert_eq!(
                (preservation.threshold(), preservation.expiration_enabled(&config)),
                (threshold, enabled),
                "{clients} clients"
            );
        };
        for (clients, threshold, enabled) in [
            (1, 3, false),
            (2, 5, false),
            (3, 6, false),
            (4, 8, false),
            (5, 10, false),
            (6, 11, true),
            (7, 13, true),
            (8, 15, true),
            (9, 17, true),
            (10, 18, true),
        ] {
            check(clients, threshold, enabled);
        }
    }

    /// Golden vectors of the reference, 12.1, the 15-minute task: expected, seen, protection; then expected, threshold.
    #[test]
    fn recounting_believes_no_large_drop() {
        let check = |expected, seen, protection, after| {
            let config = ServerConfig { enable_self_preservation: protection, ..config(30, 0.85) };
            let mut preservation = Preservation::new(0);
            preservation.set_expected(expected, &config);
            preservation.recount(seen, &config);
            assert_eq!(
                (preservation.expected(), preservation.threshold()),
                after,
                "{expected} expected, {seen} seen"
            );
        };
        check(100, 85, true, (100, 170));
        check(100, 86, true, (86, 146));
        check(20, 17, true, (20, 34));
        check(20, 18, true, (18, 30));
        check(0, 0, true, (0, 0));
        check(0, 1, true, (1, 1));
        check(10, 30, true, (30, 51));
        check(10, 9, true, (9, 15));
        check(10, 3, false, (3, 5));
        check(10, 0, false, (0, 0));
    }

    #[test]
    fn nothing_expires_at_threshold_zero() {
        let config = config(30, 0.85);
        assert!(!with_rate(Preservation::new(0), 1000).expiration_enabled(&config));
    }
}
