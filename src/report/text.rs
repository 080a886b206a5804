//! The timeline of a run on one screen of a terminal: how far each server was from the truth, renewals, faults, verdicts.
//!
//! Everything that has a time stands on one axis, as in the picture; the picture has the detail. Left out: rows beyond what a
//! screen holds; they are counted.

use super::figure::Span;
use super::figure::axis::time_ticks;
use super::summary::{CheckResult, CureResult};
use super::view::{RunView, Track};
use super::words::{self, Nanos};
use crate::check::Verdict;

/// How many lines a screen holds, unless violations need more.
const LINES: usize = 24;
/// Columns below which nothing can be shown, and beyond which lines are hard to read.
const NARROWEST: usize = 60;
const WIDEST: usize = 100;
/// The first column names groups of rows, the second the row.
const GROUP: usize = 11;
const NAME: usize = 18;
/// What stands right of the axis.
const TAIL: usize = 12;
/// Rows of servers in a group, and rows of faults.
const SERVER_ROWS: usize = 3;
const FAULT_ROWS: usize = 4;

/// How many columns are used of a terminal that has so many.
pub fn usable(columns: usize) -> usize {
    columns.clamp(NARROWEST, WIDEST)
}

/// What a timeline shows beside the run.
#[derive(Clone, Copy, Debug)]
pub struct Timeline<'a> {
    pub run: &'a RunView,
    pub verdict: Verdict,
    pub checks: &'a [CheckResult],
    /// The same seed with each cure.
    pub cures: &'a [CureResult],
    /// What was measured, in lines with a word before each.
    pub measured: &'a [(&'static str, String)],
    /// What happened, in lines; none leaves it out.
    pub happened: &'a [String],
    /// The command that repeats this run.
    pub replay: Option<&'a str>,
    /// The folder of its reports.
    pub report: Option<&'a str>,
    /// Columns of the terminal; used between [`NARROWEST`] and [`WIDEST`].
    pub columns: usize,
    /// Whether to colour verdicts and self-preservation with ANSI escapes.
    pub colour: bool,
}

impl Timeline<'_> {
    /// The lines, each ended by a line feed.
    pub fn render(&self) -> String {
        let axis = self.width() - GROUP - NAME - TAIL;
        let mut lines = self.head();
        lines.push(format!("{:>indent$}{}", "", time_axis(self.run.span, axis), indent = GROUP + NAME));
        lines.extend(self.differing(axis));
        lines.extend(self.renewals(axis));
        lines.extend(self.faults(axis));
        lines.extend(self.agreement(axis));
        lines.extend(self.measured());
        let mut foot: Vec<String> = self.cures.iter().flat_map(|cure| self.cure(cure)).collect();
        foot.extend(self.replay.map(|command| format!("replay  {command}")));
        foot.extend(self.report.map(|folder| format!("report  {folder}")));
        let room = LINES.saturating_sub(lines.len() + foot.len() + 1);
        if !self.happened.is_empty() {
            lines.push(String::new());
            lines.extend_from_slice(self.happened);
        }
        lines.push(String::new());
        lines.extend(self.verdicts(room));
        lines.extend(foot);
        lines.iter().map(|line| format!("{}\n", line.trim_end())).collect()
    }

    fn width(&self) -> usize {
        usable(self.columns)
    }

    fn head(&self) -> Vec<String> {
        let word = self.verdict.name().to_uppercase();
        let origin = fit(&self.run.origin(), self.width() - word.len() - 2);
        let gap = self.width() - columns(&origin) - word.len();
        let mut lines = vec![format!("{origin}{:gap$}{}", "", self.paint(&word, shade(self.verdict)))];
        lines.extend(wrap(&self.run.finding(), self.width(), 2));
        lines
    }

    /// How many entries differ from the truth: the highest count within each column.
    fn differing(&self, axis: usize) -> Vec<String> {
        let run = self.run;
        let shown = run.worst_servers(SERVER_ROWS);
        let names = self.server_names(&shown).into_iter();
        let mut rows: Vec<(String, Vec<Option<u64>>)> = names
            .zip(&shown)
            .map(|(name, &index)| (name, highest(&run.servers[index].differing, run.span, axis)))
            .collect();
        if let Some(caches) = &run.caches {
            let name = words::count(caches.count, "client cache", "client caches");
            rows.push((name, highest(&caches.differing, run.span, axis)));
        }
        let most = |values: &[Option<u64>]| values.iter().copied().flatten().max().unwrap_or(0);
        // All caches together differ in far more entries than a server: they have a scale of their own.
        let top = rows[..shown.len()].iter().map(|(_, values)| most(values)).max().unwrap_or(0);
        let hidden = run.servers.len() - shown.len();
        let mut lines: Vec<String> = rows
            .iter()
            .enumerate()
            .map(|(place, (name, values))| {
                let highest = most(values);
                let top = if place < shown.len() { top } else { highest };
                let bars: String = values.iter().map(|&value| bar(value, top)).collect();
                row("", name, &bars, &format!("max {highest}"))
            })
            .collect();
        if hidden > 0 {
            let more = words::count(hidden as u64, "server differed", "servers differed");
            lines.push(row("", "", &format!("{more} less"), ""));
        }
        name_group(&mut lines, "differing");
        lines
    }

    /// The names of servers, cut where they differ if they are too long.
    fn server_names(&self, shown: &[usize]) -> Vec<String> {
        let names: Vec<&str> = shown.iter().map(|&index| self.run.servers[index].name.as_str()).collect();
        let mut cut: Vec<String> = names.iter().map(|name| fit(name, NAME - 1)).collect();
        cut.sort_unstable();
        cut.dedup();
        let Some((first, rest)) = names.split_first().filter(|_| cut.len() < names.len()) else {
            return names.iter().map(|name| (*name).to_owned()).collect();
        };
        let shared = |other: &&str| first.chars().zip(other.chars()).take_while(|(a, b)| a == b).count();
        let skipped = rest.iter().map(shared).min().unwrap_or(0).saturating_sub(NAME / 3);
        names.iter().map(|name| format!("…{}", name.chars().skip(skipped).collect::<String>())).collect()
    }

    /// Renewals in the last minute as of the end of each column; `S` where the server protected its entries.
    fn renewals(&self, axis: usize) -> Vec<String> {
        let run = self.run;
        let shown = run.worst_servers(SERVER_ROWS);
        let names = self.server_names(&shown);
        let servers = || {
            let servers = shown.iter().map(|&index| &run.servers[index]).zip(&names);
            servers.filter(|(server, _)| !server.renewals.is_empty())
        };
        let values: Vec<Vec<Option<u64>>> =
            servers().map(|(server, _)| latest(&server.renewals, run.span, axis)).collect();
        let top = values.iter().flatten().flatten().copied().max().unwrap_or(0);
        let mut lines: Vec<String> = servers()
            .zip(&values)
            .map(|((server, name), values)| {
                let mut bars = String::new();
                for (column, &value) in values.iter().enumerate() {
                    let (from, to) = column_span(run.span, axis, column);
                    let protects = server.protected.iter().any(|span| span.start < to && from < span.end);
                    if protects {
                        bars.push_str(&self.paint("S", YELLOW));
                    } else {
                        bars.push(bar(value, top));
                    }
                }
                row("", name, &bars, &against(&server.renewals, &server.threshold))
            })
            .collect();
        name_group(&mut lines, "renewals");
        lines
    }

    /// A row for each name, in the order in which they first come.
    fn faults(&self, axis: usize) -> Vec<String> {
        let bands = self.run.bands.iter().map(|band| (band.span, band.label.as_str(), '━'));
        let instant = |at| Span { start: at, end: at };
        let marks = self.run.marks.iter().map(|mark| (instant(mark.at), mark.label.as_str(), '┃'));
        let mut faults: Vec<(Span, &str, char)> = bands.chain(marks).collect();
        faults.sort_by_key(|(span, _, _)| span.start);
        let mut rows: Vec<(&str, Vec<char>, Nanos)> = Vec::new();
        for (span, label, sign) in faults {
            let place = rows.iter().position(|(name, _, _)| *name == label).unwrap_or_else(|| {
                rows.push((label, vec![' '; axis], span.start));
                rows.len() - 1
            });
            let from = column_of(self.run.span, axis, span.start);
            let to = column_of(self.run.span, axis, span.end).max(from);
            rows[place].1[from..=to].fill(sign);
        }
        let shown = if rows.len() > FAULT_ROWS { FAULT_ROWS - 1 } else { rows.len() };
        let named =
            |(name, cells, first): &(&str, Vec<char>, Nanos)| beside(name, cells, &words::duration(*first));
        let mut lines: Vec<String> = rows[..shown].iter().map(named).collect();
        if rows.len() > shown {
            lines.push(row("", "", &format!("{} more faults", rows.len() - shown), ""));
        }
        name_group(&mut lines, "faults");
        lines
    }

    /// The way from the last disturbance to agreement.
    fn agreement(&self, axis: usize) -> Option<String> {
        let at = self.run.converged_at?;
        let start = self.run.last_disturbance.as_ref().map_or(self.run.span.start, |last| last.at);
        let taken = at.saturating_sub(start);
        let (from, to) = (column_of(self.run.span, axis, start), column_of(self.run.span, axis, at));
        let cells: String = (0..axis)
            .map(|column| match column {
                _ if column == to.max(from) => '◆',
                _ if (from..to).contains(&column) => '╌',
                _ => ' ',
            })
            .collect();
        Some(row("agreement", "", &cells, &words::duration(taken)))
    }

    /// What callers felt and how changes spread.
    fn measured(&self) -> Vec<String> {
        let line = |(word, said): &(&str, String)| {
            format!("{}{}", pad(word, GROUP), fit(said, self.width() - GROUP))
        };
        self.measured.iter().map(line).collect()
    }

    /// One line a check, the worst first, and a second one where the evidence of a violation is long. What does not fit is
    /// counted. In a run that holds, checks that had nothing to judge come last.
    fn verdicts(&self, room: usize) -> Vec<String> {
        let mut checks: Vec<&CheckResult> = self.checks.iter().collect();
        let all_hold = self.verdict == Verdict::Holds;
        let idle = |check: &CheckResult| all_hold && check.verdict == Verdict::Inconclusive;
        checks.sort_by_key(|check| (idle(check), std::cmp::Reverse(check.verdict)));
        let name = checks
            .iter()
            .map(|check| columns(&check.name))
            .max()
            .unwrap_or(0)
            .clamp(12, self.width() * 2 / 5);
        let mut entries: Vec<Vec<String>> = checks.iter().map(|check| self.check(check, name)).collect();
        let needed = |entries: &[Vec<String>]| entries.iter().map(Vec::len).sum::<usize>();
        let mut shown = entries.len();
        while shown > 1 && needed(&entries[..shown]) + usize::from(shown < entries.len()) > room.max(3) {
            shown -= 1;
        }
        let hidden = entries.split_off(shown).len();
        let mut lines = entries.concat();
        if hidden > 0 {
            let worst = match checks[shown].verdict {
                _ if checks[shown..].iter().any(|check| idle(check)) => "which hold or had nothing to judge",
                Verdict::Holds => "all of which hold",
                Verdict::Inconclusive => "some of which are inconclusive",
                Verdict::Violated => "some of which are violated",
            };
            lines.push(format!("  and {hidden} more, {worst}"));
        }
        lines
    }

    /// A line for a cure, and one for each expectation that does not hold with it.
    fn cure(&self, cure: &CureResult) -> Vec<String> {
        let failed: Vec<&CheckResult> =
            cure.checks.iter().filter(|check| check.verdict == Verdict::Violated).collect();
        let said = match cure.verdict {
            Verdict::Holds => "all holds with it".to_owned(),
            Verdict::Inconclusive => "inconclusive with it".to_owned(),
            Verdict::Violated => format!("{} violated with it", failed.len()),
        };
        let sign = self.paint(sign(cure.verdict), shade(cure.verdict));
        let about = fit(&cure.about, self.width() - 10 - columns(&said));
        let mut lines = vec![format!("{sign} cure: {about}, {said}")];
        lines.extend(failed.iter().flat_map(|check| self.check(check, 30)).map(|line| format!("  {line}")));
        lines
    }

    /// Verdict, name, moment and evidence of a check, its name in so many columns.
    fn check(&self, check: &CheckResult, name: usize) -> Vec<String> {
        let sign = sign(check.verdict);
        let at = check.at_ms.map(|at| words::duration(at.saturating_mul(1_000_000))).unwrap_or_default();
        let start = format!("{} {} ", pad(&fit(&check.name, name), name), pad(&at, 13));
        let lines = if check.verdict == Verdict::Violated { 2 } else { 1 };
        let room = self.width() - 2 - columns(&start);
        let mut detail = wrap(&check.detail, room, lines).into_iter();
        let first = format!(
            "{} {start}{}",
            self.paint(sign, shade(check.verdict)),
            detail.next().unwrap_or_default()
        );
        let indent = " ".repeat(2 + columns(&start));
        std::iter::once(first).chain(detail.map(|line| format!("{indent}{line}"))).collect()
    }

    fn paint(&self, text: &str, colour: &str) -> String {
        if self.colour { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

fn sign(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Holds => "✓",
        Verdict::Inconclusive => "?",
        Verdict::Violated => "✗",
    }
}

const RED: &str = "1;31";
const GREEN: &str = "32";
const YELLOW: &str = "33";

fn shade(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Holds => GREEN,
        Verdict::Inconclusive => YELLOW,
        Verdict::Violated => RED,
    }
}

/// A row of the timeline: group, name, cells on the axis, a remark.
fn row(group: &str, name: &str, cells: &str, tail: &str) -> String {
    format!("{}{}{cells} {tail}", pad(group, GROUP), pad(&fit(name, NAME - 1), NAME))
}

/// A row whose name stands beside what it shows: right of it, left of it, or cut where there is more room.
fn beside(name: &str, cells: &[char], tail: &str) -> String {
    let shown = |cell: &char| *cell != ' ';
    let first = NAME + cells.iter().position(shown).unwrap_or(0);
    let last = NAME + cells.iter().rposition(shown).unwrap_or(0);
    let end = NAME + cells.len();
    let (before, after) = (first.saturating_sub(1), end.saturating_sub(last + 2));
    let bars: String = cells[first - NAME..=last - NAME].iter().collect();
    let line = if columns(name) <= after || (columns(name) > before && after >= before) {
        format!("{}{bars} {}", " ".repeat(first), fit(name, after))
    } else {
        let name = fit(name, before);
        format!("{}{name} {bars}", " ".repeat(before - columns(&name)))
    };
    format!("{}{} {tail}", " ".repeat(GROUP), pad(&line, end))
}

/// Writes the name of a group into its first row.
fn name_group(lines: &mut [String], name: &str) {
    if let Some(first) = lines.first_mut() {
        first.replace_range(..GROUP, &pad(name, GROUP));
    }
}

/// The value at the end against the limit at the end: `12 > 10`.
fn against(renewals: &Track, threshold: &Track) -> String {
    let last = |track: &Track| track.iter().rev().find_map(|&(_, value)| value);
    match (last(renewals), last(threshold)) {
        (Some(value), Some(limit)) => format!("{value} {} {limit}", if value > limit { '>' } else { '≤' }),
        (Some(value), None) => value.to_string(),
        (None, _) => String::new(),
    }
}

/// A bar of seven heights, so that rows stay apart; a dot for none, a blank where there is no value.
fn bar(value: Option<u64>, top: u64) -> char {
    const BARS: [char; 7] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇'];
    match value {
        None => ' ',
        Some(0) => '·',
        Some(value) => {
            let height = (u128::from(value) * 7).div_ceil(u128::from(top.max(1))).clamp(1, 7);
            BARS[height as usize - 1]
        }
    }
}

/// From when to when a column of the axis reaches.
fn column_span(span: Span, axis: usize, column: usize) -> (Nanos, Nanos) {
    let length = u128::from(span.end.saturating_sub(span.start));
    let at = |column: usize| span.start + (length * column as u128 / axis as u128) as u64;
    (at(column), at(column + 1).max(at(column).saturating_add(1)))
}

/// In which column a moment lies; moments outside lie in the first or last.
fn column_of(span: Span, axis: usize, at: Nanos) -> usize {
    let length = u128::from(span.end.saturating_sub(span.start)).max(1);
    let passed = u128::from(at.saturating_sub(span.start));
    ((passed * axis as u128 / length) as usize).min(axis - 1)
}

/// The highest value within each column.
fn highest(track: &Track, span: Span, axis: usize) -> Vec<Option<u64>> {
    per_column(track, span, axis, |values| values.iter().copied().flatten().max())
}

/// The value at the end of each column.
fn latest(track: &Track, span: Span, axis: usize) -> Vec<Option<u64>> {
    per_column(track, span, axis, |values| values.last().copied().flatten())
}

/// Folds, for each column, the value it begins with and those that come within it.
fn per_column(
    track: &Track,
    span: Span,
    axis: usize,
    fold: impl Fn(&[Option<u64>]) -> Option<u64>,
) -> Vec<Option<u64>> {
    let mut next = 0;
    let mut current = None;
    let mut values = Vec::new();
    (0..axis)
        .map(|column| {
            let (from, to) = column_span(span, axis, column);
            values.clear();
            while track.get(next).is_some_and(|&(at, _)| at <= from) {
                current = track[next].1;
                next += 1;
            }
            values.push(current);
            while track.get(next).is_some_and(|&(at, _)| at < to) {
                current = track[next].1;
                values.push(current);
                next += 1;
            }
            fold(&values)
        })
        .collect()
}

/// Labels of round times, each beginning at its column; one that would touch the one before is left out.
fn time_axis(span: Span, axis: usize) -> String {
    let mut line = String::new();
    for tick in time_ticks(span.start, span.end) {
        let column = column_of(span, axis, tick.value);
        if (column > columns(&line) || line.is_empty()) && column + columns(&tick.label) <= axis + TAIL {
            line = format!("{}{}", pad(&line, column), tick.label);
        }
    }
    line
}

/// Columns that a text takes on a terminal; letters of East Asian scripts and pictographs take two.
pub(super) fn columns(text: &str) -> usize {
    let wide = |letter: char| {
        matches!(u32::from(letter),
            0x1100..=0x115f | 0x2e80..=0xa4cf | 0xac00..=0xd7a3 | 0xf900..=0xfaff | 0xfe30..=0xfe6f
            | 0xff00..=0xff60 | 0xffe0..=0xffe6 | 0x1f300..=0x1faff | 0x20000..=0x3fffd)
    };
    text.chars().map(|letter| if wide(letter) { 2 } else { 1 }).sum()
}

/// `text` filled with blanks up to `width` columns.
pub(super) fn pad(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(columns(text))))
}

/// `text` without control characters and cut at its end to at most `width` columns.
pub(super) fn fit(text: &str, width: usize) -> String {
    let clean = text.replace(char::is_control, " ");
    if columns(&clean) <= width {
        return clean;
    }
    let mut out = String::new();
    if width == 0 {
        return out;
    }
    for letter in clean.chars() {
        out.push(letter);
        if columns(&out) >= width {
            out.pop();
            break;
        }
    }
    out.push('…');
    out
}

/// `text` in at most `lines` lines of at most `width` columns.
pub(super) fn wrap(text: &str, width: usize, lines: usize) -> Vec<String> {
    let mut out = vec![String::new()];
    for word in text.split_whitespace() {
        let full = out.len() == lines;
        let line = out.last_mut().expect("there is always a line");
        if line.is_empty() {
            line.push_str(word);
        } else if full || columns(line) + 1 + columns(word) <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            out.push(word.to_owned());
        }
    }
    out.iter().map(|line| fit(line, width)).collect()
}

#[cfg(test)]
mod tests;
