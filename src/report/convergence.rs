//! The convergence sheet of one run: how far each view was from the truth, what the servers counted, what they listed.
//!
//! It only says what is shown; `figure` decides how. Up to six servers have a colour each; of more, those that differed most
//! from the truth, and the others stand back in grey under one label.

use super::figure::theme::{Ink, SERIES_COLOURS};
use super::figure::{Band, Body, Highlight, Line, Panel, Series, Sheet, Span, Stroke};
use super::view::{RunView, ServerView, StartUp, Track};
use super::words::{self, Nanos};

/// A stretch of self-preservation shorter than this share of the run goes without a name.
const NAMELESS_SHARE: u64 = 50;

/// Where all client caches together differ in so many times more entries than any server, their mean is drawn, or the lines of
/// servers would lie flat.
const CACHES_OVER_SERVERS: u64 = 3;

/// The picture of one run.
pub fn sheet(run: &RunView) -> Sheet {
    let coloured = run.worst_servers(SERIES_COLOURS);
    let finding = run.finding();
    let panels = vec![disagreement(run, &coloured), renewals(run, &coloured), listed(run, &coloured)];
    Sheet {
        subtitle: run.origin(),
        description: description(run),
        title: finding,
        span: run.span,
        bands: run.bands.clone(),
        marks: run.marks.clone(),
        highlight: convergence(run),
        panels,
        keys: Vec::new(),
    }
}

/// The way from the last disturbance to agreement, if there was one to go.
fn convergence(run: &RunView) -> Option<Highlight> {
    let at = run.converged_at?;
    let start = run.last_disturbance.as_ref().map_or(run.span.start, |last| last.at);
    let taken = at.checked_sub(start).filter(|&taken| taken > 0)?;
    Some(Highlight {
        span: Span { start, end: at },
        label: format!("in agreement after {}", words::duration(taken)),
        at,
    })
}

fn disagreement(run: &RunView, coloured: &[usize]) -> Panel {
    let mut lines = server_lines(run, coloured, |server| &server.differing);
    let mut note = "per server";
    if let Some(caches) = &run.caches {
        let highest = |track: &Track| track.iter().filter_map(|&(_, value)| value).max().unwrap_or(0);
        let servers = run.servers.iter().map(|server| highest(&server.differing)).max().unwrap_or(0);
        let mut points = points(&caches.differing);
        let mut label = words::count(caches.count, "client cache", "client caches");
        note = "per server, and all client caches together";
        if caches.count > 1 && highest(&caches.differing) > servers.saturating_mul(CACHES_OVER_SERVERS) {
            let mean = |value: f64| value / caches.count as f64;
            points.iter_mut().for_each(|(_, value)| *value = value.map(mean));
            label = format!("mean of {label}");
            note = "per server, and the mean of all client caches";
        }
        let line = Line { label, ink: Ink::Muted, stroke: Stroke::Solid, points };
        lines.insert(coloured.len().min(lines.len()), line);
    }
    let start_up =
        StartUp::of(run.first_fault(), run.span.end, lines.iter().map(|line| line.points.as_slice()));
    let note = match &start_up {
        Some(start_up) => format!("{note}; {}", start_up.note()),
        None => note.to_owned(),
    };
    let name = "Entries that differ from the truth";
    let mut panel = panel(name, &note, 50, lines, Vec::new(), "No server ran in this scenario");
    if let Body::Series(series) = &mut panel.body {
        series.ceiling = start_up.map(|start_up| start_up.ceiling);
    }
    panel
}

fn renewals(run: &RunView, coloured: &[usize]) -> Panel {
    let mut lines = server_lines(run, coloured, |server| &server.renewals);
    let measured = lines.iter().any(|line| !line.points.is_empty());
    let limits: Vec<Line> = thresholds(run, coloured);
    let mut note = String::new();
    if !limits.is_empty() {
        note.push_str("dashed: threshold of self-preservation");
    }
    let shades = protection(run);
    if !shades.is_empty() {
        note.push_str("; yellow: in force");
    }
    if measured {
        lines.extend(limits);
    }
    panel("Renewals in the last minute", &note, 25, lines, shades, "No renewals were counted in this run")
}

/// One grey line if all servers share their threshold, else one per coloured server, in its colour.
fn thresholds(run: &RunView, coloured: &[usize]) -> Vec<Line> {
    let limit = |server: &ServerView, ink, label: &str| Line {
        label: label.to_owned(),
        ink,
        stroke: Stroke::Threshold,
        points: points(&server.threshold),
    };
    let mut known = run.servers.iter().filter(|server| !server.threshold.is_empty());
    let Some(first) = known.next() else { return Vec::new() };
    if known.all(|server| server.threshold == first.threshold) {
        return vec![limit(first, Ink::Muted, "threshold")];
    }
    coloured
        .iter()
        .enumerate()
        .map(|(colour, &index)| limit(&run.servers[index], Ink::Series(colour), ""))
        .filter(|line| !line.points.is_empty())
        .collect()
}

fn listed(run: &RunView, coloured: &[usize]) -> Panel {
    let mut lines = server_lines(run, coloured, |server| &server.listed);
    let mut note = "dashed: living instances";
    if lines.iter().any(|line| !line.points.is_empty()) {
        let known = run.clusters.iter().filter(|cluster| !cluster.living.is_empty());
        let living = known.map(|cluster| Line {
            label: match (run.clusters.len(), cluster.servers.first()) {
                (2.., Some(first)) => format!("living at {first}"),
                _ => "living".to_owned(),
            },
            ink: Ink::Truth,
            stroke: Stroke::Truth,
            points: points(&cluster.living),
        });
        lines.splice(0..0, living.collect::<Vec<_>>());
    }
    if run.clusters.len() > 1 {
        note = "dashed: living instances of each cluster";
    }
    panel("Instances listed", note, 25, lines, Vec::new(), "No server ran in this scenario")
}

/// A panel of lines, or the reason why there are none.
fn panel(name: &str, note: &str, weight: u32, lines: Vec<Line>, shades: Vec<Band>, empty: &str) -> Panel {
    let name = name.to_owned();
    if lines.iter().all(|line| line.points.is_empty()) {
        return Panel { name, note: String::new(), weight, body: Body::Empty(empty.to_owned()) };
    }
    let body = Body::Series(Series { lines, shades, ..Series::default() });
    Panel { name, note: note.to_owned(), weight, body }
}

/// The coloured servers first, then the others in grey, of which only the first carries a label for all.
fn server_lines(run: &RunView, coloured: &[usize], of: impl Fn(&ServerView) -> &Track) -> Vec<Line> {
    let others: Vec<usize> = (0..run.servers.len()).filter(|index| !coloured.contains(index)).collect();
    let line = |index: usize, colour, label| Line {
        label,
        ink: Ink::Series(colour),
        stroke: Stroke::Solid,
        points: points(of(&run.servers[index])),
    };
    let named = coloured
        .iter()
        .enumerate()
        .map(|(colour, &index)| line(index, colour, run.servers[index].name.clone()));
    let count = words::count(others.len() as u64, "other server", "other servers");
    let grey = others.iter().enumerate().map(|(place, &index)| {
        let label = if place == 0 { count.clone() } else { String::new() };
        line(index, SERIES_COLOURS, label)
    });
    named.chain(grey).collect()
}

fn points(track: &Track) -> Vec<(Nanos, Option<f64>)> {
    track.iter().map(|&(at, value)| (at, value.map(|value| value as f64))).collect()
}

/// Stretches over which the same servers protect themselves, the longest first.
fn protection(run: &RunView) -> Vec<Band> {
    let spans = || run.servers.iter().flat_map(|server| &server.protected);
    let mut cuts: Vec<Nanos> = spans().flat_map(|span| [span.start, span.end]).collect();
    cuts.sort_unstable();
    cuts.dedup();
    let mut stretches: Vec<(Span, Vec<&str>)> = Vec::new();
    for cut in cuts.windows(2) {
        let within = |span: &Span| span.start <= cut[0] && cut[1] <= span.end;
        let protecting = run.servers.iter().filter(|server| server.protected.iter().any(within));
        let names: Vec<&str> = protecting.map(|server| server.name.as_str()).collect();
        match stretches.last_mut() {
            Some((before, same)) if before.end == cut[0] && *same == names => before.end = cut[1],
            _ if names.is_empty() => {}
            _ => stretches.push((Span { start: cut[0], end: cut[1] }, names)),
        }
    }
    stretches.sort_by_key(|(span, _)| (std::cmp::Reverse(span.end - span.start), span.start));
    let run_length = run.span.end.saturating_sub(run.span.start);
    let name = |span: Span, names: Vec<&str>| match names.len() {
        _ if (span.end - span.start) < run_length / NAMELESS_SHARE => String::new(),
        all if all == run.servers.len() && all > 2 => "all servers".to_owned(),
        2 if run.servers.len() == 2 && names.iter().any(|name| words::brief(name) != **name) => {
            "both servers".to_owned()
        }
        _ => words::names(&names),
    };
    stretches.into_iter().map(|(span, names)| Band { span, label: name(span, names) }).collect()
}

/// The picture in words.
fn description(run: &RunView) -> String {
    let length = words::duration(run.span.end.saturating_sub(run.span.start));
    let bands = run.bands.iter().map(|band| {
        let length = words::duration(band.span.end.saturating_sub(band.span.start));
        format!(" {} from {} for {length}.", band.label, words::duration(band.span.start))
    });
    let marks = run.marks.iter().map(|mark| format!(" {} at {}.", mark.label, words::duration(mark.at)));
    let faults: String = bands.chain(marks).collect();
    format!(
        "Three panels over {length} of virtual time: entries that differ from the truth per server, renewals in the last \
         minute against the threshold, instances listed against living ones. {}.{faults}",
        run.finding()
    )
}

#[cfg(test)]
mod tests {
    use super::super::view::samples;
    use super::*;
    use crate::report::figure::tests::{assert_labels_apart, assert_well_formed};
    use crate::report::words::SECOND;

    #[test]
    fn every_run_gives_a_legible_picture() {
        let nothing = RunView::default();
        for run in [samples::split(), samples::calm(), samples::crowded(), nothing] {
            let sheet = sheet(&run);
            assert_labels_apart(&sheet);
            assert_well_formed(&sheet.svg());
            assert_eq!(sheet.title, run.finding());
        }
    }

    #[test]
    fn the_convergence_mark_spans_the_way_from_the_last_disturbance() {
        let mark = sheet(&samples::split()).highlight.expect("this run converges");
        assert_eq!(mark.span, Span { start: 450 * SECOND, end: 468_300_000_000 });
        assert_eq!(mark.label, "in agreement after 18.3 s");
        assert_eq!(sheet(&samples::crowded()).highlight, None);
    }

    #[test]
    fn protection_is_told_apart_by_who_protects() {
        let shades = protection(&samples::split());
        let said: Vec<(u64, &str)> =
            shades.iter().map(|shade| (shade.span.start / SECOND, shade.label.as_str())).collect();
        assert_eq!(said, [(430, "peer1 and peer2"), (480, "peer2"), (410, "peer2"),]);
    }

    #[test]
    fn two_servers_whose_names_are_too_long_are_both() {
        let mut run = samples::split();
        run.servers.iter_mut().for_each(|server| server.name.push_str(&".example".repeat(6)));
        assert_eq!(protection(&run)[0].label, "both servers");
    }

    #[test]
    fn beyond_the_palette_servers_stand_back_under_one_label() {
        let run = samples::crowded();
        let lines = server_lines(&run, &run.worst_servers(SERIES_COLOURS), |server| &server.listed);
        let labels: Vec<&str> =
            lines.iter().map(|line| line.label.as_str()).filter(|label| !label.is_empty()).collect();
        assert_eq!(labels.len(), SERIES_COLOURS + 1);
        assert_eq!(labels[SERIES_COLOURS], "11 other servers");
    }

    #[test]
    fn many_caches_do_not_flatten_the_servers() {
        let mut run = samples::split();
        let peak = |run: &RunView| {
            let Body::Series(series) = disagreement(run, &[0, 1]).body else { return (0.0, String::new()) };
            let line = &series.lines[2];
            (line.points.iter().filter_map(|&(_, value)| value).fold(0.0, f64::max), line.label.clone())
        };
        assert_eq!(peak(&run), (6.0, "2 client caches".to_owned()));
        run.caches = Some(super::super::view::CachesView {
            count: 100,
            differing: vec![(0, Some(500)), (9, Some(0))],
        });
        assert_eq!(peak(&run), (5.0, "mean of 100 client caches".to_owned()));
    }

    #[test]
    fn start_up_does_not_dwarf_the_story() {
        let mut run = samples::split();
        let ceiling = |run: &RunView| {
            let panel = disagreement(run, &[0, 1]);
            let Body::Series(series) = panel.body else { return (None, panel.note) };
            (series.ceiling, panel.note)
        };
        assert_eq!(ceiling(&run).0, None);
        run.marks.clear();
        run.servers[0].differing.insert(1, (5 * SECOND, Some(40)));
        let (cut, note) = ceiling(&run);
        assert_eq!(cut, Some(5.0));
        assert!(note.ends_with("start-up (up to 40) is cut off"), "{note}");
        assert_labels_apart(&sheet(&run));
        run.bands.clear();
        assert_eq!(ceiling(&run).0, None, "without faults start-up is the story");
    }

    #[test]
    fn each_cluster_has_a_line_of_what_lives_in_it() {
        let mut run = samples::split();
        let truths = |run: &RunView| -> Vec<String> {
            let Body::Series(series) = listed(run, &[0, 1]).body else { return Vec::new() };
            let truths = series.lines.into_iter().filter(|line| line.ink == Ink::Truth);
            truths.map(|line| line.label).collect()
        };
        assert_eq!(truths(&run), ["living"]);
        let mut other = run.clusters[0].clone();
        other.servers.remove(0);
        run.clusters.push(other);
        assert_eq!(truths(&run), ["living at peer1", "living at peer2"]);
    }

    #[test]
    fn a_shared_threshold_is_drawn_once() {
        let run = samples::split();
        assert_eq!(thresholds(&run, &[0, 1]).len(), 1);
        let run = samples::crowded();
        assert_eq!(thresholds(&run, &[0, 1, 2]).len(), 3);
    }
}
