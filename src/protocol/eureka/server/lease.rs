//! A lease: when it ends. Separate because its arithmetic is that of the original, faults included.
//!
//! Left out: the timestamps that only decorate what readers see (`LeaseInfo`); they lie apart, in the store, so that leases lie
//! close together.

use std::hash::Hasher;
use std::time::Duration;

use super::holders::Holder;

/// How long a lease lasts if the client does not say: 90 s (Netflix/eureka: `Lease.DEFAULT_DURATION_IN_SECS`).
pub(super) const DEFAULT_DURATION: Duration = Duration::from_secs(90);

/// A right to stay listed. All times are wall-clock milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lease {
    /// The live object.
    pub(super) holder: Holder,
    updated_ms: i64,
    duration_ms: i32,
}

impl Lease {
    /// A lease that begins now.
    ///
    /// The original multiplies seconds by 1000 in 32 bits: from 2147484 s on the product is negative and the lease has expired
    /// from the start.
    pub(super) fn new(holder: Holder, duration: Duration, now_ms: i64) -> Lease {
        let seconds = i32::try_from(duration.as_secs()).unwrap_or(i32::MAX);
        Lease { holder, updated_ms: now_ms, duration_ms: seconds.wrapping_mul(1000) }
    }

    /// Extends it. The original adds the duration here and again in [`expired`](Lease::expired), so a lease that was renewed
    /// lasts twice its duration; the authors know and keep it. Not `twice` is what was meant.
    pub(super) fn renew(&mut self, now_ms: i64, twice: bool) {
        self.updated_ms = if twice { now_ms + i64::from(self.duration_ms) } else { now_ms };
    }

    /// When it was last renewed, as readers are told: of a lease that was renewed at all, its duration later than that.
    pub(super) fn last_renewal_ms(&self) -> i64 {
        self.updated_ms
    }

    /// Whether it has run out, with `extra_ms` of grace.
    pub(super) fn expired(&self, now_ms: i64, extra_ms: i64) -> bool {
        now_ms > self.updated_ms + i64::from(self.duration_ms) + extra_ms
    }

    /// Folds the times into a hash; the object behind it is the store's to fold in.
    pub(super) fn fingerprint(&self, into: &mut dyn Hasher) {
        into.write_i64(self.updated_ms);
        into.write_i32(self.duration_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::super::holders::Holders;
    use super::super::tests::info;
    use super::*;
    use std::sync::Arc;

    enum Step {
        Register(i64),
        Renew(i64),
    }
    use Step::{Register, Renew};

    /// Golden vectors of the reference, 12.4: what happened (s), and when the lease has expired strictly after (s).
    #[test]
    fn leases_end_when_the_original_says() {
        let holder = Holders::default().insert(Arc::new(info(1, 0)));
        let check = |duration_s: u64, steps: &[Step], extra_s: i64, ends_s: i64| {
            let new = |at: i64| Lease::new(holder, Duration::from_secs(duration_s), at * 1000);
            let mut lease = new(0);
            for step in steps {
                match step {
                    Register(at) => lease = new(*at),
                    Renew(at) => lease.renew(at * 1000, true),
                }
            }
            let expired = |at_ms| lease.expired(at_ms, extra_s * 1000);
            assert_eq!(
                (expired(ends_s * 1000), expired(ends_s * 1000 + 1)),
                (false, true),
                "ends after {ends_s} s"
            );
        };
        check(90, &[Register(0)], 0, 90);
        check(90, &[Register(0), Renew(30)], 0, 210);
        check(90, &[Register(0), Renew(30), Register(40)], 0, 130);
        // A status update at 10 s renews, too.
        check(90, &[Register(0), Renew(10)], 0, 190);
        // An eviction run with a compensation of 12 s.
        check(90, &[Register(0), Renew(30)], 12, 222);
    }

    #[test]
    fn a_renewed_lease_can_be_made_to_last_as_long_as_it_says() {
        let holder = Holders::default().insert(Arc::new(info(1, 0)));
        let mut lease = Lease::new(holder, DEFAULT_DURATION, 0);
        lease.renew(30_000, false);
        assert_eq!((lease.expired(120_000, 0), lease.expired(120_001, 0)), (false, true));
    }

    #[test]
    fn a_duration_beyond_32_bits_of_milliseconds_has_expired_at_once() {
        let holder = Holders::default().insert(Arc::new(info(1, 0)));
        assert!(Lease::new(holder, Duration::from_secs(2_147_484), 0).expired(0, 0));
        assert!(!Lease::new(holder, Duration::from_secs(2_147_483), 0).expired(0, 0));
    }
}
