//! Eviction: the run that removes expired leases, no more than a share of the registry at a time, chosen as if at random: by Java's
//! generator, which the original seeds anew for each run with the wall clock. So servers whose runs begin in one millisecond, over
//! the same candidates, choose the same victims.
//!
//! Differs from upstream: the candidates are in order of instance before they are shuffled; the original has them in the order of a
//! hash map. Which draws are made is the same, whom they hit is not.

use std::time::Duration;

use super::registry::Registry;
use crate::protocol::eureka::Eureka;
use crate::protocol::{Cx, Event, InstanceId, Instant};

/// When the last run was. Each server evicts on its own; evictions are never replicated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Evictor {
    last_run: Option<Instant>,
}

impl Evictor {
    /// The extra life, in ms, that leases get because this run is late (`getCompensationTimeMs`).
    fn compensation_ms(&mut self, now: Instant, interval: Duration) -> i64 {
        let last_run = self.last_run.replace(now);
        let elapsed = last_run.map_or(Duration::ZERO, |last_run| now.since(last_run));
        i64::try_from(elapsed.saturating_sub(interval).as_millis()).unwrap_or(i64::MAX)
    }
}

/// How many leases one run may evict, of `leases`.
fn limit(leases: u32, renewal_percent_threshold: f64) -> u32 {
    let kept = (f64::from(leases) * renewal_percent_threshold) as i32;
    leases.saturating_sub(kept.cast_unsigned())
}

/// `java.util.Random`: 48 bits of linear congruence.
struct JavaRandom(u64);

impl JavaRandom {
    const MULTIPLIER: u64 = 0x5_DEEC_E66D;
    const MASK: u64 = (1 << 48) - 1;

    fn new(seed: i64) -> JavaRandom {
        JavaRandom((seed.cast_unsigned() ^ JavaRandom::MULTIPLIER) & JavaRandom::MASK)
    }

    /// The next 31 bits.
    fn next(&mut self) -> i32 {
        self.0 = (self.0.wrapping_mul(JavaRandom::MULTIPLIER) + 11) & JavaRandom::MASK;
        i32::try_from(self.0 >> 17).expect("31 of 48 bits are left")
    }

    /// A number below `bound`, which is positive.
    fn next_int(&mut self, bound: i32) -> i32 {
        assert!(bound > 0, "nothing is below {bound}");
        let mut drawn = self.next();
        if bound & (bound - 1) == 0 {
            let scaled = (i64::from(bound) * i64::from(drawn)) >> 31;
            return i32::try_from(scaled).expect("below the bound");
        }
        // Java sees by an overflow that a draw lies in the last, incomplete stretch.
        while (drawn - drawn % bound).checked_add(bound - 1).is_none() {
            drawn = self.next();
        }
        drawn % bound
    }
}

/// Puts `count` of the candidates, as a run chooses them that begins at this time (ms), in front of the others, in the order in
/// which it evicts them.
fn choose<T>(candidates: &mut [T], count: usize, now_ms: i64) {
    let mut random = JavaRandom::new(now_ms);
    for chosen in 0..count {
        let left = i32::try_from(candidates.len() - chosen).expect("fewer leases than 2^31");
        let drawn = usize::try_from(random.next_int(left)).expect("not negative");
        candidates.swap(chosen, chosen + drawn);
    }
}

impl Registry {
    /// One run. Whether leases may expire is asked once, at its beginning.
    pub(super) fn evict(&mut self, cx: &mut Cx<'_, Eureka>) {
        let compensation_ms = self.evictor.compensation_ms(cx.now(), self.config.eviction_interval);
        if !self.expiration_enabled() {
            return;
        }
        let now_ms = cx.wall().as_millis();
        let expired = self.store.all().filter(|(_, lease)| lease.expired(now_ms, compensation_ms));
        let mut candidates: Vec<InstanceId> = expired.map(|(id, _)| id).collect();
        let leases = self.store.leases();
        let expired = u32::try_from(candidates.len()).expect("as many as there are leases at most");
        let evicted = expired.min(limit(leases, self.config.renewal_percent_threshold));
        choose(&mut candidates, evicted as usize, now_ms);
        candidates[..evicted as usize].iter().for_each(|victim| self.expire(*victim, cx));
        assert_eq!(self.store.leases(), leases - evicted, "each victim was one lease");
        cx.emit(Event::EvictionPass { leases, expired, evicted });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Examples of the reference, 2.15 and 12.2: leases, percent, limit.
    #[test]
    fn a_run_evicts_a_share_at_most() {
        let check = |leases, percent, expected| {
            assert_eq!(limit(leases, percent), expected, "{leases} leases at {percent}");
        };
        for (leases, expected) in [
            (0, 0),
            (1, 1),
            (2, 1),
            (3, 1),
            (4, 1),
            (5, 1),
            (6, 1),
            (7, 2),
            (10, 2),
            (13, 2),
            (14, 3),
            (20, 3),
            (100, 15),
            (1000, 150),
        ] {
            check(leases, 0.85, expected);
        }
        for (percent, expected) in [(0.0, 10), (0.5, 5), (0.9, 1), (1.0, 0), (1.2, 0)] {
            check(10, percent, expected);
        }
    }

    /// Golden vectors of the reference, 12.2: how many each run evicts while all that are left have expired.
    #[test]
    fn a_registry_drains_as_in_the_original() {
        let drain = |mut leases: u32, mut expired: u32| {
            let mut runs = Vec::new();
            while expired > 0 {
                let evicted = expired.min(limit(leases, 0.85));
                runs.push(evicted);
                (leases, expired) = (leases - evicted, expired - evicted);
            }
            runs
        };
        assert_eq!(drain(100, 100), [15, 13, 11, 10, 8, 7, 6, 5, 4, 4, 3, 3, 2, 2, 2, 1, 1, 1, 1, 1]);
        assert_eq!(drain(6, 6), [1; 6]);
        assert_eq!(drain(1, 1), [1]);
        assert_eq!(drain(20, 20), [3, 3, 3, 2, 2, 2, 1, 1, 1, 1, 1]);
        assert_eq!(drain(100, 40), [15, 13, 11, 1]);
        let thousand = drain(1000, 1000);
        assert_eq!((thousand.len(), &thousand[..10]), (34, &[150, 128, 109, 92, 79, 67, 57, 48, 41, 35][..]));
    }

    /// Golden vectors of the reference, 12.2: when the runs are (s, monotonic), and the compensation (ms).
    #[test]
    fn a_late_run_compensates_once() {
        let mut evictor = Evictor::default();
        let mut run = |at: u64| evictor.compensation_ms(Instant(at * 1_000_000_000), Duration::from_secs(60));
        assert_eq!([run(60), run(120), run(192), run(252), run(300)], [0, 0, 12_000, 0, 0]);
    }

    /// Golden vectors of the reference, 12.3: seed, and draws below 20, 19, ...
    #[test]
    fn draws_are_those_of_java() {
        let check = |seed, draws: &[i32]| {
            let mut random = JavaRandom::new(seed);
            let drawn: Vec<i32> = (13..=20).rev().map(|bound| random.next_int(bound)).collect();
            assert_eq!(&drawn[..draws.len()], draws, "seed {seed}");
        };
        check(0, &[0, 5, 13, 2, 10, 8, 9, 2]);
        check(1, &[5, 18, 1, 16, 3, 4, 0, 9]);
        check(1_700_000_000_000, &[5, 8, 0, 2, 1, 14, 11, 12]);
        check(1_700_000_090_001, &[12, 16, 12, 15, 1, 5, 13, 9]);
    }

    /// Derived from the reference's description: below a bound of 2^30 + 1 nearly every second draw is not taken. And below a power of
    /// two it is the upper bits that count.
    #[test]
    fn draws_that_would_favour_the_small_are_repeated() {
        let below = |seed, bound: i32| {
            let mut random = JavaRandom::new(seed);
            [(); 4].map(|()| random.next_int(bound))
        };
        assert_eq!(below(0, (1 << 30) + 1), [516_548_029, 663_681_053, 251_269_761, 715_581_077]);
        assert_eq!(below(1, (1 << 30) + 1), [215_764_588, 880_641_847, 874_970_313, 446_064_254]);
        let bits = |seed| JavaRandom::new(seed).next() >> 27;
        assert_eq!([below(0, 16)[0], below(1, 16)[0]], [bits(0), bits(1)]);
    }

    /// Golden vectors of the reference, 12.3: of the candidates 0 to 9, four are chosen.
    #[test]
    fn victims_are_those_of_java() {
        let check = |seed, victims: [u32; 4]| {
            let mut candidates: Vec<u32> = (0..10).collect();
            choose(&mut candidates, 4, seed);
            assert_eq!(candidates[..4], victims, "seed {seed}");
            candidates.sort_unstable();
            assert!(candidates.into_iter().eq(0..10), "none is lost");
        };
        check(0, [0, 8, 3, 5]);
        check(1, [5, 2, 0, 3]);
        check(1_700_000_000_000, [5, 8, 0, 7]);
    }
}
