//! Times that something took, many of them: exact, and small.
//!
//! A run of an hour may have a million of them, most of them equal to others: they are kept as counts of distinct values.

use std::time::Duration;

/// How many values may wait to be counted.
const WAITING: usize = 8_192;

/// A multiset of whole numbers, such as milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Latencies {
    /// Distinct values, rising, and how many there are of each.
    counted: Vec<(u32, u32)>,
    /// Values that are not counted yet.
    waiting: Vec<u32>,
}

impl Latencies {
    /// Adds one value.
    pub fn push(&mut self, value: u32) {
        if self.waiting.len() == WAITING {
            self.settle();
        }
        self.waiting.push(value);
    }

    /// Adds all values of another.
    pub fn extend(&mut self, other: &Latencies) {
        self.settle();
        let mut other = other.clone();
        other.settle();
        self.merge(&other.counted);
    }

    /// Counts what waits. Reading needs it.
    pub fn settle(&mut self) {
        if !self.waiting.is_empty() {
            let mut waiting = std::mem::take(&mut self.waiting);
            waiting.sort_unstable();
            let counts = waiting.chunk_by(|one, other| one == other);
            let counts: Vec<(u32, u32)> = counts.map(|same| (same[0], same.len() as u32)).collect();
            self.merge(&counts);
        }
    }

    /// Adds counts of distinct values, rising.
    fn merge(&mut self, more: &[(u32, u32)]) {
        let mut all = Vec::with_capacity(self.counted.len() + more.len());
        let mut more = more.iter().copied().peekable();
        for (value, count) in self.counted.drain(..) {
            all.extend(std::iter::from_fn(|| more.next_if(|(other, _)| *other < value)));
            let same = more.next_if(|(other, _)| *other == value).map_or(0, |(_, count)| count);
            all.push((value, count.saturating_add(same)));
        }
        all.extend(more);
        all.shrink_to_fit();
        self.counted = all;
    }

    /// How many values there are.
    pub fn count(&self) -> u64 {
        self.counted.iter().map(|(_, count)| u64::from(*count)).sum::<u64>() + self.waiting.len() as u64
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.counted.is_empty() && self.waiting.is_empty()
    }

    /// Distinct values, rising, each with how many values are not above it: the steps of the distribution function.
    pub fn steps(&self) -> impl Iterator<Item = (u32, u64)> + '_ {
        assert!(self.waiting.is_empty(), "what is read was settled");
        self.counted.iter().scan(0, |below, (value, count)| {
            *below += u64::from(*count);
            Some((*value, *below))
        })
    }

    /// The smallest value that so many per cent do not exceed (nearest rank); the least one for 0 %. None of nothing.
    pub fn percentile(&self, percent: u32) -> Option<u32> {
        let rank = (self.count() * u64::from(percent)).div_ceil(100).max(1);
        self.steps().find(|(_, below)| *below >= rank).map(|(value, _)| value)
    }
}

/// Milliseconds, as these are kept: 49 days and more are one.
pub fn millis(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn latencies(values: &[u32]) -> Latencies {
        let mut latencies = Latencies::default();
        values.iter().for_each(|value| latencies.push(*value));
        latencies
    }

    #[test]
    fn ranks_and_steps() {
        let mut some = latencies(&[30, 10, 20, 10]);
        some.settle();
        assert_eq!(some.steps().collect::<Vec<_>>(), [(10, 2), (20, 3), (30, 4)]);
        let percentiles = [0, 50, 51, 75, 76, 100].map(|percent| some.percentile(percent));
        assert_eq!(percentiles, [10, 10, 20, 20, 30, 30].map(Some));
        assert_eq!((some.count(), latencies(&[]).percentile(50)), (4, None));
    }

    #[test]
    fn many_values_are_kept_as_counts() {
        let mut many = Latencies::default();
        (0..100_000).for_each(|n| many.push(n % 7));
        assert!(many.counted.len() == 7 && many.waiting.len() <= WAITING);
        many.settle();
        assert_eq!((many.count(), many.steps().last()), (100_000, Some((6, 100_000))));
        let mut both = latencies(&[9]);
        both.extend(&many);
        assert_eq!((both.count(), both.percentile(100)), (100_001, Some(9)));
    }
}
