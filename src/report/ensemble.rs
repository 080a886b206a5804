//! The picture of one scenario over many seeds: disagreement over time as median and range, and how long agreement took.
//!
//! Runs that never agree count in both panels: they hold the range up at the end, and they keep the curve of the distribution
//! below all. Left out: which seed did what, which is the business of the summaries.

use super::figure::theme::Ink;
use super::figure::{
    Band, Body, Curve, Distribution, Line, Mark, Panel, Ribbon, Series, Sheet, Span, Stroke,
};
use super::view::{StartUp, Track, first_fault};
use super::words::{self, Nanos};

/// At how many moments the runs are compared: about one per half pixel.
const MOMENTS: u64 = 1_200;

/// Many runs of one scenario.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ensemble {
    /// Name of the scenario, such as `eureka/peer-down`.
    pub scenario: String,
    /// The system as people call it, such as `Eureka`.
    pub system: String,
    /// The virtual time of each run.
    pub span: Span,
    /// Faults that last and that all runs share.
    pub bands: Vec<Band>,
    /// Faults of an instant that all runs share.
    pub marks: Vec<Mark>,
    /// What agreement is measured from; completes "after …". Empty: from the start of the run.
    pub measured_from: String,
    pub runs: Vec<EnsembleRun>,
}

/// One of the runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EnsembleRun {
    pub seed: u64,
    /// (observer, instance) pairs that differ from the truth, over all observers.
    pub differing: Track,
    /// From the last disturbance to agreement; `None`: never within the run.
    pub converged_after: Option<Nanos>,
    /// Until the last server listed a new instance; `None`: there was none to list.
    pub discovery: Option<Reached>,
    /// Until the last client cache did.
    pub client_discovery: Option<Reached>,
    /// Until the last server had forgotten an instance that is gone; `None`: there was none to forget.
    pub forgetting: Option<Reached>,
    /// Until the last client cache had.
    pub client_forgetting: Option<Reached>,
}

/// Whether, and when, the slowest got there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    After(Nanos),
    /// Some observer did not within the run.
    Never,
}

impl Ensemble {
    /// Scenario, system and seeds, in a line.
    pub fn origin(&self) -> String {
        format!("{} · {} · {}", self.scenario, self.system, seeds(&self.runs))
    }
}

/// The picture of all runs.
pub fn sheet(ensemble: &Ensemble) -> Sheet {
    let times = sorted_times(ensemble);
    let title = finding(ensemble, &times);
    Sheet {
        description: format!(
            "Two panels. Above, the pairs of observer and instance that differ from the truth over virtual time: median \
             and 5th to 95th percentile. Below, the share of runs that agree within a time. {title}."
        ),
        title,
        subtitle: ensemble.origin(),
        span: ensemble.span,
        bands: ensemble.bands.clone(),
        marks: ensemble.marks.clone(),
        highlight: None,
        panels: vec![over_time(ensemble), distribution(ensemble, times)],
        keys: Vec::new(),
    }
}

fn sorted_times(ensemble: &Ensemble) -> Vec<Nanos> {
    let mut times: Vec<Nanos> = ensemble.runs.iter().filter_map(|run| run.converged_after).collect();
    times.sort_unstable();
    times
}

/// `seeds 1 to 200 (200 runs)`.
fn seeds(runs: &[EnsembleRun]) -> String {
    let range = runs.iter().map(|run| run.seed).min().zip(runs.iter().map(|run| run.seed).max());
    match range {
        None => "no runs".to_owned(),
        Some((first, last)) if first == last => format!("seed {first}"),
        Some((first, last)) => format!("seeds {first} to {last} ({} runs)", runs.len()),
    }
}

/// The time within which `percent` of all runs agree, those that never do included; `None` if fewer do.
pub fn within(times: &[Nanos], runs: usize, percent: usize) -> Option<Nanos> {
    let rank = (runs * percent).div_ceil(100).max(1);
    times.get(rank - 1).copied()
}

fn finding(ensemble: &Ensemble, times: &[Nanos]) -> String {
    let runs = ensemble.runs.len();
    let after = if ensemble.measured_from.is_empty() {
        " from the start".to_owned()
    } else {
        format!(" after {}", ensemble.measured_from)
    };
    let never = runs - times.len();
    if runs == 0 {
        return "No runs".to_owned();
    }
    if times.is_empty() {
        return format!("None of {} ever agrees", words::count(runs as u64, "run", "runs"));
    }
    let rest = match never {
        0 => String::new(),
        1 => "; 1 never does".to_owned(),
        more => format!("; {more} never do"),
    };
    let Some(median) = within(times, runs, 50) else {
        return format!("Only {} of {runs} runs agree within the time observed{rest}", times.len());
    };
    let runs = words::count(runs as u64, "run", "runs");
    match (median, within(times, ensemble.runs.len(), 95)) {
        (0, Some(0)) => format!("95 % of {runs} agree at once{after}{rest}"),
        (median, most) => {
            let most = most.map(|most| format!(", 95 % within {}", words::duration(most)));
            format!(
                "Half of {runs} agree within {}{after}{}{rest}",
                words::duration(median),
                most.unwrap_or_default()
            )
        }
    }
}

fn over_time(ensemble: &Ensemble) -> Panel {
    let name = "Entries that differ from the truth".to_owned();
    let quantiles = quantiles(ensemble);
    if quantiles.is_empty() {
        let body = Body::Empty("No run measured its disagreement".to_owned());
        return Panel { name, note: String::new(), weight: 50, body };
    }
    let median = quantiles.iter().map(|&(at, [_, median, _])| (at, Some(median as f64))).collect();
    let range = quantiles.iter().map(|&(at, [low, _, high])| (at, low as f64, high as f64)).collect();
    let high: Vec<(Nanos, Option<f64>)> =
        quantiles.iter().map(|&(at, [_, _, high])| (at, Some(high as f64))).collect();
    let first = first_fault(&ensemble.bands, &ensemble.marks);
    let start_up = StartUp::of(first, ensemble.span.end, std::iter::once(high.as_slice()));
    let ink = Ink::Series(0);
    let body = Body::Series(Series {
        lines: vec![Line { label: "median".to_owned(), ink, stroke: Stroke::Solid, points: median }],
        ribbons: vec![Ribbon { label: "p5 to p95".to_owned(), ink, pale: true, points: range }],
        ceiling: start_up.map(|start_up| start_up.ceiling),
        ..Series::default()
    });
    let mut note = format!("all observers, {}", words::count(ensemble.runs.len() as u64, "run", "runs"));
    if let Some(start_up) = start_up {
        note = format!("{note}; {}", start_up.note());
    }
    Panel { name, note, weight: 50, body }
}

/// p5, median and p95 over the runs at evenly spaced moments, by nearest rank.
fn quantiles(ensemble: &Ensemble) -> Vec<(Nanos, [u64; 3])> {
    let tracks: Vec<&Track> =
        ensemble.runs.iter().map(|run| &run.differing).filter(|track| !track.is_empty()).collect();
    if tracks.is_empty() {
        return Vec::new();
    }
    let length = ensemble.span.end.saturating_sub(ensemble.span.start);
    let moment =
        |k: u64| ensemble.span.start + (u128::from(length) * u128::from(k) / u128::from(MOMENTS)) as u64;
    let mut next = vec![0; tracks.len()];
    let mut values = Vec::with_capacity(tracks.len());
    let mut out: Vec<(Nanos, [u64; 3])> = Vec::new();
    for at in (0..=MOMENTS).map(moment) {
        values.clear();
        for (track, next) in tracks.iter().zip(&mut next) {
            while track.get(*next).is_some_and(|&(from, _)| from <= at) {
                *next += 1;
            }
            values.push(next.checked_sub(1).and_then(|last| track[last].1).unwrap_or(0));
        }
        values.sort_unstable();
        let rank = |percent: usize| values[(values.len() * percent).div_ceil(100).max(1) - 1];
        let ranks = [rank(5), rank(50), rank(95)];
        if out.last().is_none_or(|&(_, before)| before != ranks) {
            out.push((at, ranks));
        }
    }
    out
}

fn distribution(ensemble: &Ensemble, times: Vec<Nanos>) -> Panel {
    let name = "Runs in agreement within".to_owned();
    let runs = ensemble.runs.len();
    let never = runs - times.len();
    if times.is_empty() {
        let body = Body::Empty(format!("None of {} ever agreed", words::count(runs as u64, "run", "runs")));
        return Panel { name, note: String::new(), weight: 40, body };
    }
    let mark = |percent, name: &str| {
        let at = within(&times, runs, percent)?;
        Some(Mark { at, label: format!("{name} {}", words::duration(at)) })
    };
    let marks = [mark(50, "median"), mark(95, "p95")].into_iter().flatten().collect();
    let label = format!("{} of {}", times.len(), words::count(runs as u64, "run", "runs"));
    let note = match never {
        0 => "every run got there".to_owned(),
        1 => "1 run never got there".to_owned(),
        more => format!("{more} runs never got there"),
    };
    let axis = "time to agree".to_owned();
    let curve = Curve { label, ink: Ink::Series(0), values: times, never };
    let body = Body::Distribution(Distribution { curves: vec![curve], marks, axis });
    Panel { name, note, weight: 40, body }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::figure::tests::{assert_labels_apart, assert_well_formed};
    use crate::report::words::SECOND;

    /// 200 runs that differ by seed between 60 s and 60 s + their time; seeds in `never` do not agree.
    fn ensemble(runs: u64, never: u64) -> Ensemble {
        let run = |seed: u64| {
            let after = (5_000 + (seed * 7_919 % 211) * 100) * (SECOND / 1_000);
            let end = (60 * SECOND + after, Some(0));
            let mut differing = vec![(0, Some(0)), (60 * SECOND, Some(3 + seed % 4))];
            differing.extend((seed > never).then_some(end));
            EnsembleRun {
                seed,
                differing,
                converged_after: (seed > never).then_some(after),
                ..EnsembleRun::default()
            }
        };
        Ensemble {
            scenario: "eureka/two-regions-1300km".to_owned(),
            system: "Eureka".to_owned(),
            span: Span { start: 0, end: 180 * SECOND },
            bands: vec![Band {
                span: Span { start: 30 * SECOND, end: 60 * SECOND },
                label: "link down".to_owned(),
            }],
            marks: Vec::new(),
            measured_from: "the link returned".to_owned(),
            runs: (1..=runs).map(run).collect(),
        }
    }

    #[test]
    fn the_finding_counts_runs_that_never_agree() {
        let said = |runs, never| sheet(&ensemble(runs, never)).title;
        let all = said(200, 0);
        assert!(all.starts_with("Half of 200 runs agree within ") && all.contains(", 95 % within "), "{all}");
        assert!(!all.contains("never"), "{all}");
        assert!(said(200, 3).ends_with("; 3 never do"));
        assert!(!said(200, 20).contains("95 %"), "a tenth never agrees, so no time holds for 95 %");
        assert_eq!(said(10, 6), "Only 4 of 10 runs agree within the time observed; 6 never do");
        assert_eq!(said(10, 10), "None of 10 runs ever agrees");
        assert_eq!(said(0, 0), "No runs");
        let mut at_once = ensemble(40, 0);
        at_once.runs.iter_mut().for_each(|run| run.converged_after = Some(0));
        assert_eq!(sheet(&at_once).title, "95 % of 40 runs agree at once after the link returned");
    }

    #[test]
    fn every_ensemble_gives_a_legible_picture() {
        for (runs, never) in [(200, 0), (200, 3), (1, 0), (1, 1), (0, 0)] {
            let sheet = sheet(&ensemble(runs, never));
            assert_labels_apart(&sheet);
            assert_well_formed(&sheet.svg());
        }
    }

    #[test]
    fn start_up_does_not_dwarf_the_story() {
        let mut many = ensemble(20, 0);
        let ceiling = |ensemble: &Ensemble| {
            let Body::Series(series) = over_time(ensemble).body else { panic!("they were measured") };
            series.ceiling
        };
        assert_eq!(ceiling(&many), None);
        many.runs.iter_mut().for_each(|run| run.differing.insert(1, (9 * SECOND, Some(400))));
        many.runs.iter_mut().for_each(|run| run.differing.insert(2, (19 * SECOND, Some(0))));
        assert_eq!(ceiling(&many), Some(6.0));
        assert!(over_time(&many).note.ends_with("start-up (up to 400) is cut off"));
    }

    #[test]
    fn both_counts_stand_in_the_picture() {
        let svg = sheet(&ensemble(200, 3)).svg();
        assert!(svg.contains("197 of 200 runs") && svg.contains("3 runs never"));
    }

    #[test]
    fn quantiles_follow_the_runs() {
        let found = quantiles(&ensemble(200, 0));
        let at = |seconds: u64| {
            let before = found.iter().rev().find(|&&(at, _)| at <= seconds * SECOND);
            before.map(|&(_, ranks)| ranks)
        };
        assert_eq!(at(59), Some([0, 0, 0]));
        assert_eq!(at(62), Some([3, 4, 6]));
        assert_eq!(at(179), Some([0, 0, 0]));
    }

    #[test]
    fn ranks_include_runs_that_never_agree() {
        assert_eq!(within(&[1, 2, 3], 4, 50), Some(2));
        assert_eq!(within(&[1, 2, 3], 4, 95), None);
        assert_eq!(within(&[], 4, 50), None);
        assert_eq!(within(&[7], 1, 50), Some(7));
    }
}
