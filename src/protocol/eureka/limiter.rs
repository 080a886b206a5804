//! The token bucket (`RateLimiter`): clients limit their on-demand registrations with it, servers the reads they answer.
//!
//! One for both roles, and separate from them, because it runs on the wall clock, with the quirks that follow: a clock that is
//! stepped back stops the refill, and a clock that reads 0 never had a first refill.

/// A token bucket. It counts tokens consumed, so a fresh one is full.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Limiter {
    /// Wall clock of the last refill, ms; 0 before the first.
    refilled: i64,
    consumed: u32,
}

const SECOND_MS: i64 = 1000;
const MINUTE_MS: i64 = 60_000;

impl Limiter {
    /// Takes a token, if there is one, at wall-clock time `now` in ms. A burst or rate of 0 means no limit.
    pub fn acquire(&mut self, burst: u32, per_minute: u32, now: i64) -> bool {
        self.take(burst, i64::from(per_minute), MINUTE_MS, now)
    }

    /// The same at a rate per second.
    pub fn acquire_per_second(&mut self, burst: u32, per_second: u32, now: i64) -> bool {
        self.take(burst, i64::from(per_second), SECOND_MS, now)
    }

    fn take(&mut self, burst: u32, rate: i64, period_ms: i64, now: i64) -> bool {
        if burst == 0 || rate == 0 {
            return true;
        }
        self.refill(burst, rate, period_ms, now);
        let granted = self.consumed < burst;
        self.consumed += u32::from(granted);
        granted
    }

    /// Whole tokens only: the time of the last refill moves in steps of one token, not to `now`.
    fn refill(&mut self, burst: u32, rate: i64, period_ms: i64, now: i64) {
        let tokens = now.saturating_sub(self.refilled).saturating_mul(rate) / period_ms;
        if tokens <= 0 {
            return;
        }
        self.refilled = if self.refilled == 0 { now } else { self.refilled + tokens * period_ms / rate };
        self.consumed = self.consumed.min(burst).saturating_sub(u32::try_from(tokens).unwrap_or(u32::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `calls` reads as the table in the reference does: milliseconds after the first call, and whether it was granted.
    fn check(clock_at_start: i64, calls: &str) {
        let mut limiter = Limiter::default();
        for call in calls.split_whitespace() {
            let (at, granted) = call.split_at(call.len() - 1);
            let at: i64 = at.parse().expect("milliseconds");
            assert_eq!(limiter.acquire(2, 4, clock_at_start + at), granted == "+", "call at {at} ms");
        }
    }

    const NOVEMBER_2023: i64 = 1_700_000_000_000;

    /// Golden vectors of the reference, 12.9.
    #[test]
    fn two_at_once_and_then_one_in_fifteen_seconds() {
        check(
            NOVEMBER_2023,
            "0+ 1000+ 2000- 14999- 15000+ 15001- 29999- 30000+ 30001- 46000+ 59999- \
             60000+ 60001- 75000+ 75001- 300000+ 300001+ 300002-",
        );
        check(NOVEMBER_2023, "0+ 1000+ 2000- 20000+ 30000+ 34999- 35000-");
    }

    #[test]
    fn a_clock_that_starts_at_zero_refills_from_its_first_whole_token() {
        check(0, "0+ 1000+ 2000- 20000+ 30000- 34999- 35000+");
    }

    #[test]
    fn a_clock_stepped_back_stops_the_refill() {
        check(NOVEMBER_2023, "0+ 1000+ -599000- -300000- -1- 0- 14999- 15000+ 15001-");
    }

    #[test]
    fn a_rate_of_zero_is_no_limit() {
        let mut limiter = Limiter::default();
        assert!((0..100).all(|n| limiter.acquire(2, 0, NOVEMBER_2023 + n)));
    }

    /// Golden vector of the reference, 12.9, last sentence: a server's bucket of 10 at 500/s under constant demand.
    #[test]
    fn ten_at_once_and_then_five_hundred_a_second() {
        let mut limiter = Limiter::default();
        let mut granted =
            |at| (0..20).filter(|_| limiter.acquire_per_second(10, 500, NOVEMBER_2023 + at)).count();
        assert_eq!(granted(0), 10);
        assert_eq!((1..=1000).map(granted).sum::<usize>(), 500);
    }
}
