//! Latency distributions: one draw of 64 bits in, nanoseconds out.
//!
//! Each is its inverse distribution function, so that a message costs one draw and a larger draw is never a shorter latency.
//! `ln`, `exp`, `pow` and `sqrt` come from `libm`: the same on every platform.

use std::time::Duration;

use crate::plan::world::Latency;

/// No latency is longer: an hour. Keeps heavy tails inside the arithmetic.
const LONGEST_NS: f64 = 3.6e12;
/// The 99th percentile of the standard normal distribution.
const NORMAL_P99: f64 = 2.326_347_874_040_841;

/// A [`Latency`] prepared for drawing.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Distribution {
    Fixed(u64),
    /// From `low` to `low + span`, both included.
    Uniform {
        low: u64,
        span: u64,
    },
    Normal {
        mean: f64,
        deviation: f64,
        floor: u64,
    },
    /// `mu` and `sigma` of the logarithm.
    Lognormal {
        mu: f64,
        sigma: f64,
        floor: u64,
    },
    Pareto {
        floor: f64,
        exponent: f64,
    },
    /// Positions on `[0, 1]` with their latencies.
    Quantiles(Box<[(f64, f64)]>),
}

impl Distribution {
    pub fn new(latency: &Latency) -> Distribution {
        match latency {
            Latency::Fixed(value) => Distribution::Fixed(nanos(*value)),
            Latency::Uniform(low, high) => {
                let low = nanos(*low);
                Distribution::Uniform { low, span: nanos(*high).saturating_sub(low) }
            }
            Latency::Normal { mean, deviation, floor } => Distribution::Normal {
                mean: nanos(*mean) as f64,
                deviation: nanos(*deviation) as f64,
                floor: nanos(*floor),
            },
            Latency::Lognormal { median, p99, floor } => {
                let mu = libm::log(nanos(*median).max(1) as f64);
                let sigma = (libm::log(nanos(*p99).max(1) as f64) - mu) / NORMAL_P99;
                Distribution::Lognormal { mu, sigma: sigma.max(0.0), floor: nanos(*floor) }
            }
            Latency::Pareto { floor, alpha_milli } => Distribution::Pareto {
                floor: nanos(*floor) as f64,
                exponent: -1_000.0 / f64::from((*alpha_milli).max(1)),
            },
            Latency::Quantiles(points) => Distribution::Quantiles(
                points.iter().map(|(at, value)| (f64::from(*at) / 1_000.0, nanos(*value) as f64)).collect(),
            ),
        }
    }

    /// The latency for one draw, ns.
    #[inline]
    pub fn at(&self, draw: u64) -> u64 {
        match self {
            Distribution::Fixed(value) => *value,
            Distribution::Uniform { low, span } => {
                low + ((u128::from(draw) * (u128::from(*span) + 1)) >> 64) as u64
            }
            Distribution::Normal { mean, deviation, floor } => {
                whole(mean + deviation * normal(open_unit(draw))).max(*floor)
            }
            Distribution::Lognormal { mu, sigma, floor } => {
                whole(libm::exp(mu + sigma * normal(open_unit(draw)))).max(*floor)
            }
            Distribution::Pareto { floor, exponent } => {
                whole(floor * libm::pow(1.0 - open_unit(draw), *exponent))
            }
            Distribution::Quantiles(points) => whole(between(points, open_unit(draw))),
        }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn whole(ns: f64) -> u64 {
    ns.clamp(0.0, LONGEST_NS) as u64
}

/// The upper 53 bits as a number strictly between 0 and 1.
fn open_unit(draw: u64) -> f64 {
    ((draw >> 11) as f64 + 0.5) / (1u64 << 53) as f64
}

/// The point of a polygon. Before its first and after its last point it is flat.
fn between(points: &[(f64, f64)], at: f64) -> f64 {
    let after = points.partition_point(|(x, _)| *x < at);
    match (after.checked_sub(1).map(|before| points[before]), points.get(after)) {
        (Some((x0, y0)), Some((x1, y1))) => y0 + (y1 - y0) * ((at - x0) / (x1 - x0)),
        (Some((_, y)), None) | (None, Some(&(_, y))) => y,
        (None, None) => 0.0,
    }
}

/// The quantile function of the standard normal distribution, by the rational approximation of P. J. Acklam (relative error
/// below 1.2e-9).
fn normal(p: f64) -> f64 {
    const TAIL: f64 = 0.02425;
    const A: [f64; 6] = [
        -39.69683028665376,
        220.9460984245205,
        -275.9285104469687,
        138.357751867269,
        -30.66479806614716,
        2.506628277459239,
    ];
    const B: [f64; 6] = [
        -54.47609879822406,
        161.5858368580409,
        -155.6989798598866,
        66.80131188771972,
        -13.28068155288572,
        1.0,
    ];
    const C: [f64; 6] = [
        -0.007784894002430293,
        -0.3223964580411365,
        -2.400758277161838,
        -2.549732539343734,
        4.374664141464968,
        2.938163982698783,
    ];
    const D: [f64; 5] = [0.007784695709041462, 0.3224671290700398, 2.445134137142996, 3.754408661907416, 1.0];
    let polynomial = |coefficients: &[f64], x: f64| coefficients.iter().fold(0.0, |sum, c| sum * x + c);
    let tail = |p: f64| {
        let q = libm::sqrt(-2.0 * libm::log(p));
        polynomial(&C, q) / polynomial(&D, q)
    };
    if p < TAIL {
        tail(p)
    } else if p > 1.0 - TAIL {
        -tail(1.0 - p)
    } else {
        let q = p - 0.5;
        q * polynomial(&A, q * q) / polynomial(&B, q * q)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Key;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    /// Quantiles of 100,000 draws, microseconds.
    fn quantiles(latency: &Latency, per_mille: [usize; 3]) -> [u64; 3] {
        let distribution = Distribution::new(latency);
        let key = Key::root(11);
        let mut drawn: Vec<u64> = (0..100_000).map(|n| distribution.at(key.draw(1, 2, 3, n))).collect();
        drawn.sort_unstable();
        per_mille.map(|at| drawn[(at * 100).min(99_999)] / 1_000)
    }

    fn check(latency: Latency, expected: [u64; 3]) {
        let measured = quantiles(&latency, [10, 500, 990]);
        for (measured, expected) in measured.into_iter().zip(expected) {
            let error = measured.abs_diff(expected);
            assert!(error * 50 <= expected, "{latency:?}: {measured} us instead of {expected} us");
        }
    }

    #[test]
    fn every_distribution_has_its_quantiles() {
        check(Latency::Fixed(MS(7)), [7_000, 7_000, 7_000]);
        check(Latency::Uniform(MS(10), MS(20)), [10_100, 15_000, 19_900]);
        check(Latency::Normal { mean: MS(50), deviation: MS(10), floor: MS(0) }, [26_737, 50_000, 73_263]);
        check(Latency::Normal { mean: MS(50), deviation: MS(10), floor: MS(45) }, [45_000, 50_000, 73_263]);
        // The 1st percentile mirrors the 99th: 14 * 14 / 25.
        check(Latency::Lognormal { median: MS(14), p99: MS(25), floor: MS(0) }, [7_840, 14_000, 25_000]);
        check(Latency::Lognormal { median: MS(14), p99: MS(25), floor: MS(13) }, [13_000, 14_000, 25_000]);
        check(Latency::Pareto { floor: MS(10), alpha_milli: 2_000 }, [10_050, 14_142, 100_000]);
        let measured = Latency::Quantiles(vec![(0, MS(1)), (500, MS(3)), (980, MS(5)), (1_000, MS(105))]);
        check(measured, [1_040, 3_000, 55_000]);
    }

    #[test]
    fn uniform_reaches_both_ends_and_nothing_leaves_the_range() {
        let distribution = Distribution::new(&Latency::Uniform(MS(1), MS(1) + Duration::from_nanos(3)));
        let seen: std::collections::BTreeSet<u64> =
            [0, u64::MAX / 3, u64::MAX / 3 * 2, u64::MAX].map(|draw| distribution.at(draw)).into();
        assert_eq!((seen.first(), seen.last()), (Some(&1_000_000), Some(&1_000_003)));
        let heavy = Distribution::new(&Latency::Pareto { floor: MS(1), alpha_milli: 1 });
        assert_eq!(heavy.at(u64::MAX), LONGEST_NS as u64);
    }

    /// The same bits on every platform.
    #[test]
    fn golden_latencies() {
        let draw = 0x9e37_79b9_7f4a_7c15;
        let lognormal = Latency::Lognormal { median: MS(14), p99: MS(25), floor: MS(0) };
        let normal = Latency::Normal { mean: MS(50), deviation: MS(10), floor: MS(0) };
        let pareto = Latency::Pareto { floor: MS(10), alpha_milli: 1_500 };
        let values = [lognormal, normal, pareto].map(|latency| Distribution::new(&latency).at(draw));
        assert_eq!(values, [15_088_145, 53_003_213, 18_995_476]);
    }
}
