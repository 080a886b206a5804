//! Round ticks: virtual time in its own units, counts as integers, shares in per cent.
//!
//! Separate because a scale is arithmetic that can be checked without a picture.

use super::Span;
use crate::report::words::{DAY, HOUR, MINUTE, Nanos, SECOND};

/// A labelled place on an axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Tick<V> {
    pub value: V,
    pub label: String,
}

/// The horizontal extent of the plots and the virtual time it stands for.
#[derive(Clone, Copy, Debug)]
pub struct Frame {
    pub left: i32,
    pub right: i32,
    pub span: Span,
}

impl Frame {
    /// Where a moment stands; moments outside stand at the edge.
    pub fn x(&self, at: Nanos) -> i32 {
        let (start, end) = (self.span.start, self.span.end.max(self.span.start + 1));
        let share = u128::from(at.clamp(start, end) - start);
        let width = u128::from((self.right - self.left).unsigned_abs());
        let length = u128::from(end - start);
        self.left + ((share * width + length / 2) / length) as i32
    }
}

/// The most ticks on a time axis.
pub const TIME_TICKS_MAX: u64 = 8;

/// Steps that read as round in time, in nanoseconds.
const TIME_STEPS: [Nanos; 34] = {
    let (micro, milli) = (SECOND / 1_000_000, SECOND / 1_000);
    [
        micro,
        2 * micro,
        5 * micro,
        10 * micro,
        20 * micro,
        50 * micro,
        100 * micro,
        200 * micro,
        500 * micro,
        milli,
        2 * milli,
        5 * milli,
        10 * milli,
        20 * milli,
        50 * milli,
        100 * milli,
        200 * milli,
        500 * milli,
        SECOND,
        2 * SECOND,
        5 * SECOND,
        10 * SECOND,
        20 * SECOND,
        30 * SECOND,
        MINUTE,
        2 * MINUTE,
        5 * MINUTE,
        10 * MINUTE,
        30 * MINUTE,
        HOUR,
        2 * HOUR,
        4 * HOUR,
        12 * HOUR,
        DAY,
    ]
};

/// At most eight ticks from `start` to `end`, on multiples of a round step.
pub fn time_ticks(start: Nanos, end: Nanos) -> Vec<Tick<Nanos>> {
    let count = |step: Nanos| (end / step + 1).saturating_sub(start.div_ceil(step));
    let step = TIME_STEPS.into_iter().find(|&step| count(step) <= TIME_TICKS_MAX).unwrap_or_else(|| {
        let days = end.saturating_sub(start) / DAY / (TIME_TICKS_MAX - 1) + 1;
        days * DAY
    });
    (start.div_ceil(step)..=end / step)
        .map(|multiple| Tick { value: multiple * step, label: time_label(multiple * step, step) })
        .collect()
}

/// The unit follows the step, so that all labels of an axis share it.
fn time_label(at: Nanos, step: Nanos) -> String {
    let (unit, name) = match step {
        _ if at == 0 => return "0".to_owned(),
        _ if step >= DAY => (DAY, "d"),
        _ if step >= HOUR => (HOUR, "h"),
        _ if step >= MINUTE => (MINUTE, "min"),
        _ if step >= SECOND => (SECOND, "s"),
        _ if step >= SECOND / 1_000 => (SECOND / 1_000, "ms"),
        _ => (SECOND / 1_000_000, "µs"),
    };
    format!("{} {name}", at / unit)
}

/// Integer ticks from zero to at least `top`, with at most `steps` steps between them.
pub fn count_ticks(top: f64, steps: u64) -> Vec<Tick<f64>> {
    let steps = steps.max(1);
    let top = if top.is_finite() { top.clamp(1.0, 1e10).ceil() as u64 } else { 1 };
    let mut decade = 1u64;
    let step = loop {
        let fits = |factor: &u64| top.div_ceil(decade * factor) <= steps;
        if let Some(factor) = [1, 2, 5].iter().find(|factor| fits(factor)) {
            break decade * factor;
        }
        decade *= 10;
    };
    (0..=top.div_ceil(step))
        .map(|n| Tick { value: (n * step) as f64, label: count_label(n * step, step) })
        .collect()
}

/// From none to all.
pub fn share_ticks() -> Vec<Tick<f64>> {
    [0, 25, 50, 75, 100]
        .into_iter()
        .map(|share| Tick { value: f64::from(share) / 100.0, label: format!("{share} %") })
        .collect()
}

/// `12 000`, `500 k`, `2 M`: digits in groups of three once there are five of them; the unit follows the step, so that all
/// labels of an axis share it.
fn count_label(number: u64, step: u64) -> String {
    let digits = number.to_string();
    match step {
        _ if number == 0 || (step <= 10_000 && digits.len() < 5) => digits,
        _ if step <= 10_000 => {
            let (thousands, rest) = digits.split_at(digits.len() - 3);
            format!("{thousands}\u{a0}{rest}")
        }
        _ if step < 1_000_000 => format!("{}\u{a0}k", number / 1_000),
        _ => format!("{}\u{a0}M", number / 1_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels<V>(ticks: &[Tick<V>]) -> String {
        ticks.iter().map(|tick| tick.label.as_str()).collect::<Vec<_>>().join(" | ")
    }

    #[test]
    fn time_is_cut_at_round_places() {
        let table = [
            (0, 12 * MINUTE, "0 | 2 min | 4 min | 6 min | 8 min | 10 min | 12 min"),
            (0, 3 * MINUTE, "0 | 30 s | 60 s | 90 s | 120 s | 150 s | 180 s"),
            (0, 90 * MINUTE, "0 | 30 min | 60 min | 90 min"),
            (0, 26 * HOUR, "0 | 4 h | 8 h | 12 h | 16 h | 20 h | 24 h"),
            (10 * SECOND, 10 * SECOND, "10 s"),
            (61 * SECOND, 135 * SECOND, "70 s | 80 s | 90 s | 100 s | 110 s | 120 s | 130 s"),
        ];
        for (start, end, expected) in table {
            let got = labels(&time_ticks(start, end));
            if start == end {
                assert!(time_ticks(start, end).len() <= 8, "{got}");
            } else {
                assert_eq!(got, expected);
            }
        }
    }

    #[test]
    fn time_never_has_more_than_eight_ticks() {
        for end in [0, 1, 999, SECOND, 7 * SECOND, 400 * DAY, u64::MAX] {
            assert!(time_ticks(0, end).len() <= 8, "{end}");
            assert!(time_ticks(end / 3, end).len() <= 8, "{end}");
        }
    }

    #[test]
    fn counts_have_integer_ticks_from_zero() {
        let table = [
            (0.0, 4, "0 | 1"),
            (3.0, 4, "0 | 1 | 2 | 3"),
            (7.0, 4, "0 | 2 | 4 | 6 | 8"),
            (2.5, 4, "0 | 1 | 2 | 3"),
            (130.0, 3, "0 | 50 | 100 | 150"),
            (12_000.0, 3, "0 | 5000 | 10\u{a0}000 | 15\u{a0}000"),
            (1_500_000.0, 3, "0 | 500\u{a0}k | 1000\u{a0}k | 1500\u{a0}k"),
            (f64::INFINITY, 3, "0 | 1"),
        ];
        for (top, steps, expected) in table {
            assert_eq!(labels(&count_ticks(top, steps)), expected);
        }
    }
}
