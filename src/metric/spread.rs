//! Figures over many runs: median, p5, p95, worst, and how many runs never had them.

use std::collections::BTreeMap;

use super::figures::lower_is_worse;

/// One figure over many runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// Half of the runs that have it are not above this (nearest rank).
    pub median: f64,
    /// One run of twenty is not above this.
    pub p5: f64,
    /// Nineteen runs of twenty are not above this.
    pub p95: f64,
    /// The worst value: the highest, or the lowest of what should be high.
    pub worst: f64,
    /// Runs that have it.
    pub runs: u64,
    /// Runs that do not have it, such as one that never converged.
    pub never: u64,
}

/// Every figure that some run has.
pub fn spreads<'a>(runs: impl Iterator<Item = &'a BTreeMap<String, f64>>) -> BTreeMap<&'a str, Spread> {
    let mut values: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    let mut count = 0;
    for figures in runs {
        count += 1;
        for (name, value) in figures.iter().filter(|(_, value)| value.is_finite()) {
            values.entry(name).or_default().push(*value);
        }
    }
    let spread = |(name, mut values): (&'a str, Vec<f64>)| {
        values.sort_unstable_by(f64::total_cmp);
        let rank = |percent: usize| values[(values.len() * percent).div_ceil(100).max(1) - 1];
        let runs = values.len() as u64;
        let worst = if lower_is_worse(name) { values[0] } else { values[values.len() - 1] };
        (name, Spread { median: rank(50), p5: rank(5), p95: rank(95), worst, runs, never: count - runs })
    };
    values.into_iter().map(spread).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_over_runs_and_runs_without() {
        let run = |n: u32| {
            let mut figures = BTreeMap::from([
                ("evictions".to_owned(), f64::from(n)),
                ("calls_answered_share".to_owned(), f64::from(n) / 100.0),
            ]);
            if n > 90 {
                figures.insert("convergence_ms".to_owned(), 5.0);
            }
            figures
        };
        let runs: Vec<_> = (1..=100).map(run).collect();
        let spreads = spreads(runs.iter());
        let evictions = Spread { median: 50.0, p5: 5.0, p95: 95.0, worst: 100.0, runs: 100, never: 0 };
        assert_eq!(spreads["evictions"], evictions);
        assert_eq!(spreads["calls_answered_share"].worst, 0.01, "a low share is the bad one");
        assert_eq!((spreads["convergence_ms"].runs, spreads["convergence_ms"].never), (10, 90));
        assert_eq!(spreads.len(), 3);
    }
}
