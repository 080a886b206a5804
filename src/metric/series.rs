//! A quantity that changes at instants.

use crate::protocol::SimTime;

/// Steps: each value holds from its time to the next. Before the first it is 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Series {
    points: Vec<(SimTime, i64)>,
}

impl Series {
    /// The value from `at` on. Times must not decrease; the last value at one time counts, and equal values are not kept twice.
    pub fn push(&mut self, at: SimTime, value: i64) {
        if self.last() == value {
            return;
        }
        match self.points.last_mut() {
            Some((time, last)) if *time == at => *last = value,
            last => {
                assert!(last.is_none_or(|(time, _)| *time < at), "a series goes forward in time");
                self.points.push((at, value));
            }
        }
    }

    /// The value at the end.
    pub fn last(&self) -> i64 {
        self.points.last().map_or(0, |(_, value)| *value)
    }

    /// The value at a time.
    pub fn at(&self, time: SimTime) -> i64 {
        let after = self.points.partition_point(|(at, _)| *at <= time);
        after.checked_sub(1).map_or(0, |index| self.points[index].1)
    }

    /// The highest value.
    pub fn highest(&self) -> i64 {
        self.points.iter().map(|(_, value)| *value).max().unwrap_or(0).max(0)
    }

    /// The sum over time until `end`: value times seconds.
    pub fn area(&self, end: SimTime) -> f64 {
        let ends = self.points.iter().skip(1).map(|(at, _)| *at).chain([end]);
        let spans = self.points.iter().zip(ends);
        spans.map(|((at, value), until)| *value as f64 * until.since(*at).as_secs_f64()).sum()
    }

    /// The steps.
    pub fn points(&self) -> &[(SimTime, i64)] {
        &self.points
    }

    /// The spans of time in which the value is not 0; the last one may go on to `end`.
    pub fn spans(&self, end: SimTime) -> Vec<(SimTime, SimTime)> {
        let mut spans: Vec<(SimTime, SimTime)> = Vec::new();
        let mut open = None;
        for (at, value) in &self.points {
            match (open, *value != 0) {
                (None, true) => open = Some(*at),
                (Some(from), false) => {
                    spans.push((from, *at));
                    open = None;
                }
                _ => {}
            }
        }
        spans.extend(open.map(|from| (from, end)));
        spans
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_spans_and_look_up() {
        let seconds = SimTime::from_secs;
        let mut series = Series::default();
        for (at, value) in [(1, 0), (2, 5), (2, 6), (3, 6), (4, 0), (6, 1)] {
            series.push(seconds(at), value);
        }
        assert_eq!(series.points(), [(seconds(2), 6), (seconds(4), 0), (seconds(6), 1)]);
        assert_eq!((series.at(seconds(1)), series.at(seconds(3)), series.at(seconds(4))), (0, 6, 0));
        assert_eq!((series.highest(), series.area(seconds(9))), (6, 2.0 * 6.0 + 3.0));
        assert_eq!(series.spans(seconds(9)), [(seconds(2), seconds(4)), (seconds(6), seconds(9))]);
    }
}
