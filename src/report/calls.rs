//! The sheet of what callers felt: calls that failed, by cause, calls made and answered, and the longest outage.
//!
//! Calls are counted in stretches of whole seconds, wide enough to be seen; nothing is averaged. Left out: which of many callers
//! failed when, except for the longest outage.

use super::figure::theme::Ink;
use super::figure::{Body, Highlight, Line, Panel, Ribbon, Series, Sheet, Span, Stroke};
use super::view::RunView;
use super::words::{self, Nanos, SECOND};

/// The most stretches in which calls are counted, so that each is a few pixels wide.
const STRETCHES: u64 = 240;
/// Lengths of a stretch that read as round, in seconds; beyond the last, whole days.
const LENGTHS: [u64; 13] = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1_800, 3_600, 14_400];
const DAY: u64 = 86_400;

/// Why a call fails: what its panel calls it, and how the title does.
const CAUSES: [(&str, &str); 3] = [
    ("no instance known", "their callers knew no instance"),
    ("instance gone", "the chosen instance was gone"),
    ("cut off", "the answer did not arrive in time"),
];
/// Their colours, which are none of those that the first servers have.
const CAUSE_INKS: [Ink; 3] = [Ink::Series(5), Ink::Series(3), Ink::Series(4)];

/// Calls: answered, then those that failed, by cause: the caller knew no instance, chose one that was gone, was cut off from it.
pub type Outcomes = [u64; 4];

/// All calls of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CallsView {
    /// The second in which the first call ended; `seconds` begins there.
    pub first_second: u64,
    /// What came of the calls that ended in each second.
    pub seconds: Vec<Outcomes>,
    /// The longest time in which a caller had at least half of its calls to a service fail.
    pub outage: Option<OutageView>,
}

/// An outage of one caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutageView {
    pub span: Span,
    pub caller: String,
    pub service: String,
}

impl CallsView {
    fn total(&self) -> Outcomes {
        self.seconds.iter().fold([0; 4], add)
    }

    /// What a reader should know after five seconds, in a sentence.
    pub fn finding(&self) -> String {
        let total = self.total();
        let (answered, all) = (total[0], total.iter().sum::<u64>());
        let failed = all - answered;
        if all == 0 {
            return "No call ended within the run".to_owned();
        }
        let calls = format!("{} {}", words::grouped(all as i64), if all == 1 { "call" } else { "calls" });
        let answers = match (answered, failed) {
            (_, 0) if all == 1 => return "The only call was answered".to_owned(),
            (_, 0) => return format!("All {calls} were answered"),
            (0, _) => format!("Not one of {calls} was answered"),
            _ => format!("{} of {calls} were answered", words::share(answered, all)),
        };
        let outage = self.outage.as_ref().map(|outage| {
            format!("; the longest outage took {}", words::duration(outage.span.end - outage.span.start))
        });
        let most = (0..CAUSES.len()).max_by_key(|&cause| (total[cause + 1], std::cmp::Reverse(cause)));
        let why = most.map(|cause| {
            let often = if total[cause + 1] == failed { "" } else { ", most often" };
            format!("; {} failed{often} because {}", words::grouped(failed as i64), CAUSES[cause].1)
        });
        let why = why.unwrap_or_default();
        format!("{answers}{why}{}", outage.unwrap_or_default())
    }
}

fn add(mut sum: Outcomes, more: &Outcomes) -> Outcomes {
    sum.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
    sum
}

/// The picture.
pub fn sheet(run: &RunView, calls: &CallsView) -> Sheet {
    let length = stretch(run.span.end);
    let stretches = stretches(calls, length, run.span.end);
    let title = calls.finding();
    Sheet {
        subtitle: run.origin(),
        description: format!(
            "Two panels over {} of virtual time: calls that failed, by cause, and calls made and answered, both counted {}. {title}.",
            words::duration(run.span.end.saturating_sub(run.span.start)),
            each(length),
        ),
        title,
        span: run.span,
        bands: run.bands.clone(),
        marks: run.marks.clone(),
        highlight: calls.outage.as_ref().map(highlight),
        panels: vec![failed(calls, &stretches, length), made(&stretches, length, run.span.end)],
        keys: Vec::new(),
    }
}

fn highlight(outage: &OutageView) -> Highlight {
    let taken = words::duration(outage.span.end - outage.span.start);
    let (caller, service) = (words::brief(&outage.caller), words::brief(&outage.service));
    let label = format!("longest outage {taken}: {caller} calls {service}");
    Highlight { span: outage.span, label, at: outage.span.start }
}

/// The shortest round length that leaves few enough stretches, in seconds; a little longer if that divides the run.
fn stretch(end: Nanos) -> u64 {
    let seconds = end / SECOND;
    let fits = |length: &u64| seconds.div_ceil(*length) <= STRETCHES;
    let some = || LENGTHS.into_iter().filter(fits);
    let whole = some().take(2).find(|length| end.is_multiple_of(length * SECOND));
    whole.or_else(|| some().next()).unwrap_or_else(|| seconds.div_ceil(STRETCHES * DAY) * DAY)
}

fn each(length: u64) -> String {
    match length {
        1 => "in each second".to_owned(),
        _ => format!("in each {}", words::duration(length * SECOND)),
    }
}

/// What came of the calls in each stretch from the start of the run to its end, with when it begins.
fn stretches(calls: &CallsView, length: u64, end: Nanos) -> Vec<(Nanos, Outcomes)> {
    let count = end.div_ceil(length * SECOND);
    let mut out: Vec<(Nanos, Outcomes)> = (0..count).map(|at| (at * length * SECOND, [0; 4])).collect();
    for (second, outcomes) in (calls.first_second..).zip(&calls.seconds) {
        if let Some((_, sum)) = out.get_mut((second / length) as usize) {
            *sum = add(*sum, outcomes);
        }
    }
    out
}

fn failed(calls: &CallsView, stretches: &[(Nanos, Outcomes)], length: u64) -> Panel {
    let name = "Calls that failed".to_owned();
    let total = calls.total();
    let weight = 60;
    if total[1..].iter().all(|&count| count == 0) {
        let why = if total[0] == 0 { "No call ended within the run" } else { "Every call was answered" };
        return Panel { name, note: String::new(), weight, body: Body::Empty(why.to_owned()) };
    }
    let layer = |cause: usize| {
        let below = |outcomes: &Outcomes| outcomes[1..=cause].iter().sum::<u64>();
        let points = stretches
            .iter()
            .map(|(at, outcomes)| {
                (*at, below(outcomes) as f64, (below(outcomes) + outcomes[cause + 1]) as f64)
            })
            .collect();
        let label = format!("{}: {}", CAUSES[cause].0, words::grouped(total[cause + 1] as i64));
        Ribbon { label, ink: CAUSE_INKS[cause], pale: false, points }
    };
    let some = (0..CAUSES.len()).filter(|&cause| total[cause + 1] > 0);
    let body = Body::Series(Series { ribbons: some.map(layer).collect(), ..Series::default() });
    Panel { name, note: format!("{}, stacked by cause", each(length)), weight, body }
}

fn made(stretches: &[(Nanos, Outcomes)], length: u64, end: Nanos) -> Panel {
    // A last stretch that the run cuts short has fewer calls, and would look like a fall.
    let whole = |at: Nanos| at + length * SECOND <= end || stretches.len() == 1;
    let line = |label: &str, ink, stroke, of: fn(&Outcomes) -> u64| Line {
        label: label.to_owned(),
        ink,
        stroke,
        points: stretches
            .iter()
            .map(|(at, outcomes)| (*at, whole(*at).then(|| of(outcomes) as f64)))
            .collect(),
    };
    let lines = vec![
        line("all", Ink::Truth, Stroke::Truth, |outcomes| outcomes.iter().sum()),
        line("answered", Ink::Series(2), Stroke::Solid, |outcomes| outcomes[0]),
    ];
    let body = Body::Series(Series { lines, ..Series::default() });
    let note = format!("{}; dashed: all", each(length));
    Panel { name: "Calls that ended".to_owned(), note, weight: 30, body }
}

#[cfg(test)]
mod tests {
    use super::super::view::samples;
    use super::*;
    use crate::report::figure::tests::{assert_labels_apart, assert_well_formed};

    /// Ten calls a second from 60 s on; in the split half of them fail, and for 20 s all.
    fn calls() -> CallsView {
        let second = |at: u64| match at {
            360..380 => [0, 2, 5, 3],
            380..450 => [5, 0, 5, 0],
            _ => [10, 0, 0, 0],
        };
        let outage = OutageView {
            span: Span { start: 360 * SECOND, end: 450 * SECOND },
            caller: "web".to_owned(),
            service: "orders".to_owned(),
        };
        CallsView { first_second: 60, seconds: (60..720).map(second).collect(), outage: Some(outage) }
    }

    #[test]
    fn the_finding_says_how_many_why_and_how_long() {
        let said = |change: fn(&mut CallsView)| {
            let mut calls = calls();
            change(&mut calls);
            calls.finding()
        };
        assert_eq!(
            said(|_| {}),
            "91.6 % of 6 600 calls were answered; 550 failed, most often because the chosen instance was gone; \
             the longest outage took 90 s"
        );
        let quiet = |calls: &mut CallsView| {
            calls.seconds.iter_mut().for_each(|second| *second = [10, 0, 0, 0]);
            calls.outage = None;
        };
        assert_eq!(said(quiet), "All 6 600 calls were answered");
        assert_eq!(
            said(|calls| calls.seconds = vec![[0, 4, 0, 0]]),
            "Not one of 4 calls was answered; 4 failed because their callers knew no instance; the longest outage took 90 s"
        );
        assert_eq!(CallsView::default().finding(), "No call ended within the run");
    }

    #[test]
    fn every_run_gives_a_legible_picture() {
        let mut long = calls();
        if let Some(outage) = &mut long.outage {
            outage.caller = "a-caller-with-a-name.production.beijing-a.example.internal".repeat(3);
        }
        for run in [samples::split(), samples::calm(), samples::crowded(), RunView::default()] {
            for calls in [&calls(), &long, &CallsView::default()] {
                let sheet = sheet(&run, calls);
                assert_labels_apart(&sheet);
                assert_well_formed(&sheet.svg());
            }
        }
    }

    #[test]
    fn stretches_hold_each_call_once() {
        let calls = calls();
        let some = stretches(&calls, 7, 720 * SECOND);
        assert_eq!(some.iter().fold([0; 4], |sum, (_, more)| add(sum, more)), calls.total());
        assert_eq!(some[51], (357 * SECOND, [30, 8, 20, 12]));
        assert_eq!(
            [240, 241, 505, 720, 3_600, 1_000 * DAY].map(|end| stretch(end * SECOND)),
            [1, 2, 5, 5, 20, 5 * DAY]
        );
    }

    #[test]
    fn a_stretch_that_the_run_cuts_short_is_no_fall() {
        let calls = calls();
        let last = |end: u64| {
            let panel = made(&stretches(&calls, 7, end * SECOND), 7, end * SECOND);
            let Body::Series(series) = panel.body else { panic!("some ended") };
            series.lines[1].points.last().and_then(|&(_, value)| value)
        };
        assert_eq!([last(700), last(702)], [Some(70.0), None]);
    }

    #[test]
    fn causes_lie_on_each_other() {
        let calls = calls();
        let panel = failed(&calls, &stretches(&calls, 5, 720 * SECOND), 5);
        let Body::Series(series) = panel.body else { panic!("some failed") };
        let at = |layer: usize| series.ribbons[layer].points[72];
        assert_eq!(
            [at(0), at(1), at(2)].map(|(_, low, high)| (low, high)),
            [(0.0, 10.0), (10.0, 35.0), (35.0, 50.0)]
        );
        assert_eq!(series.ribbons[1].label, "instance gone: 450");
    }
}
