//! Eviction: the run that removes expired leases, no more than a share of the registry at a time, chosen at random.
//!
//! Differs from upstream: the victims are drawn from the process's own generator, over candidates in order of instance; the
//! original shuffles hash-map order with a generator seeded by the wall clock. The distribution is the same: uniform.

use std::time::Duration;

use rand::Rng;

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
        for chosen in 0..evicted as usize {
            let drawn = cx.random().random_range(chosen as u32..=expired - 1) as usize;
            candidates.swap(chosen, drawn);
            let instance = candidates[chosen];
            let removed = self.remove(instance, cx);
            assert!(removed, "the candidate had a lease: {instance:?}");
            cx.emit(Event::Evicted { instance });
        }
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
}
