//! The inside of one panel: grid, ribbons, step lines, thresholds, warm shades, labels at the ends of lines.
//!
//! Separate from `layout`, which decides where panels stand. Nothing is smoothed or interpolated: a value holds until the next
//! one. Changes that fall on the same half pixel are drawn as the extent that they cover.

use super::axis::{Frame, Tick, count_ticks, share_ticks, time_ticks};
use super::cells;
use super::font::{self, Cut, Weight};
use super::place::{self, Callout, Naming};
use super::scene::{Anchor, Point, Rect, Scene, Step, Text};
use super::stripes;
use super::theme::*;
use super::{Body, Distribution, Line, Panel, Ribbon, Series, Span, Stroke};
use crate::report::words::{Nanos, SECOND};

/// Between two tick labels of a vertical axis, at least.
const TICK_ROOM: i32 = 30 * UNITS;
/// Room that the tick labels of a vertical axis need left of the plot.
const TICK_COLUMN: i32 = 64 * UNITS;
/// Room at the top of a panel for the names of warm shades.
const SHADE_LANE: i32 = LINE_HEIGHT;
/// Between the highest value of a panel and what lies above.
const HEADROOM: i32 = 7 * UNITS;
/// How opaque a ribbon is.
const RIBBON_OPACITY: f64 = 0.2;

/// The labels that a panel wants at the right of its plot.
pub fn end_labels(panel: &Panel) -> Vec<&str> {
    match &panel.body {
        Body::Series(series) => {
            let lines = series.lines.iter().map(|line| line.label.as_str());
            lines.chain(series.ribbons.iter().map(|ribbon| ribbon.label.as_str())).collect()
        }
        Body::Cells(cells) => cells::end_labels(cells),
        Body::Distribution(distribution) => {
            distribution.curves.iter().map(|curve| curve.label.as_str()).collect()
        }
        Body::Empty(_) => Vec::new(),
    }
}

/// Room that a panel with an axis of its own needs above its plot, for the names of its marks.
pub fn room_above(panel: &Panel) -> i32 {
    match &panel.body {
        Body::Distribution(distribution) => mark_rows(distribution) as i32 * LINE_HEIGHT,
        Body::Series(_) | Body::Cells(_) | Body::Empty(_) => 0,
    }
}

/// In how many rows the marks of a distribution are named.
fn mark_rows(distribution: &Distribution) -> usize {
    distribution.marks.len().min(2)
}

/// Room that a panel needs under its plot, for an axis of its own.
pub fn room_below(panel: &Panel) -> i32 {
    match panel.body {
        Body::Distribution(_) => AXIS_HEIGHT,
        Body::Series(_) | Body::Cells(_) | Body::Empty(_) => 0,
    }
}

/// Draws a panel into `area`, its names off the `rules` that run through all panels.
pub fn draw(scene: &mut Scene, panel: &Panel, frame: &Frame, rules: &[i32], area: Rect) {
    // Rows of cells have names of their own in that column.
    if !matches!(panel.body, Body::Cells(_)) {
        heading(scene, panel, area);
    }
    match &panel.body {
        Body::Series(series) => draw_series(scene, series, frame, rules, area),
        Body::Cells(cells) => cells::draw(scene, cells, frame, area),
        Body::Distribution(distribution) => draw_distribution(scene, distribution, area),
        Body::Empty(reason) => scene.text(Text {
            content: font::shorten(reason, LABEL_SIZE, Weight::Regular, area.right - area.left, Cut::End),
            x: area.left,
            baseline: area.top + font::ascent(LABEL_SIZE),
            anchor: Anchor::Start,
            size: LABEL_SIZE,
            weight: Weight::Regular,
            paint: MUTED,
        }),
    }
}

/// Name and note in the column left of the plot, above each other.
fn heading(scene: &mut Scene, panel: &Panel, area: Rect) {
    let room = area.left - MARGIN - TICK_COLUMN;
    let line = 16 * UNITS;
    let lines = ((area.bottom - area.top) / line).max(1).unsigned_abs() as usize;
    let name = font::wrap(&panel.name, HEADING_SIZE, Weight::Bold, room, 3);
    let note_lines = lines.saturating_sub(name.len()).min(4);
    let note = if panel.note.is_empty() || note_lines == 0 {
        Vec::new()
    } else {
        font::wrap(&panel.note, TICK_SIZE, Weight::Regular, room, note_lines)
    };
    let name = name.into_iter().map(|content| (content, HEADING_SIZE, Weight::Bold, INK));
    let note = note.into_iter().map(|content| (content, TICK_SIZE, Weight::Regular, MUTED));
    let mut baseline = area.top + font::ascent(HEADING_SIZE);
    for (content, size, weight, paint) in name.chain(note) {
        scene.text(Text { content, x: MARGIN, baseline, anchor: Anchor::Start, size, weight, paint });
        baseline += line;
    }
}

/// The vertical scale of a panel. What lies above it shows between its top and the panel's.
struct Scale {
    top: i32,
    bottom: i32,
    high: f64,
}

impl Scale {
    /// Where values above the scale stand.
    fn above(&self) -> i32 {
        self.top - HEADROOM + SERIES_WIDTH
    }

    fn y(&self, value: f64) -> i32 {
        if value > self.high {
            return self.above();
        }
        let share = (value / self.high).clamp(0.0, 1.0);
        self.bottom - (share * f64::from(self.bottom - self.top)).round() as i32
    }
}

fn grid(scene: &mut Scene, ticks: &[Tick<f64>], scale: &Scale, area: Rect) {
    for tick in ticks {
        let y = scale.y(tick.value);
        let paint = if tick.value == 0.0 { AXIS } else { GRID };
        scene.path(vec![(area.left, y), (area.right, y)], HAIRLINE, paint, None);
        scene.text(Text {
            content: tick.label.clone(),
            x: area.left - 10 * UNITS,
            baseline: y + font::ascent(TICK_SIZE) / 2,
            anchor: Anchor::End,
            size: TICK_SIZE,
            weight: Weight::Regular,
            paint: MUTED,
        });
    }
}

fn draw_series(scene: &mut Scene, series: &Series, frame: &Frame, rules: &[i32], area: Rect) {
    let lane = if series.shades.is_empty() { 0 } else { SHADE_LANE - HEADROOM / 2 };
    let values = series.lines.iter().flat_map(|line| line.points.iter().filter_map(|&(_, value)| value));
    let ribbon_values =
        series.ribbons.iter().flat_map(|ribbon| ribbon.points.iter().map(|&(_, _, high)| high));
    let highest = values.chain(ribbon_values).filter(|value| value.is_finite()).fold(0.0, f64::max);
    let high = series.ceiling.map_or(highest, |ceiling| highest.min(ceiling));
    let top = area.top + lane + HEADROOM;
    let steps = ((area.bottom - top) / TICK_ROOM).clamp(1, 5).unsigned_abs();
    let ticks = count_ticks(high, u64::from(steps));
    let high = ticks.last().map_or(1.0, |tick| tick.value);
    let scale = Scale { top, bottom: area.bottom, high };

    draw_shades(scene, series, frame, rules, area);
    grid(scene, &ticks, &scale, area);
    for ribbon in &series.ribbons {
        let opacity = if ribbon.pale { RIBBON_OPACITY } else { 1.0 };
        let steps = ribbon_steps(ribbon, frame, &scale);
        let open = |step: &Step| step.top < step.bottom;
        for stretch in steps.chunk_by(|a, b| open(a) == open(b)).filter(|stretch| open(&stretch[0])) {
            scene.area(stretch.to_vec(), Paint { opacity, ..ribbon.ink.paint() });
        }
    }
    draw_lines(scene, &series.lines, frame, &scale);
    let last = |line: &Line| {
        line.points.iter().rev().filter(|&&(at, _)| at <= frame.span.end).find_map(|&(_, value)| value)
    };
    let lines = series.lines.iter().filter_map(|line| End::of_line(line, scale.y(last(line)?)));
    // Layers from the top of the stack down.
    let ribbons = series.ribbons.iter().rev().filter_map(|ribbon| {
        let &(_, low, high) = ribbon.points.iter().rfind(|&&(at, _, _)| at <= frame.span.end)?;
        let y = if ribbon.pale { (scale.y(low) + scale.y(high)) / 2 } else { area.top };
        End::of_ribbon(ribbon, y)
    });
    draw_ends(scene, &lines.chain(ribbons).collect::<Vec<_>>(), area);
}

/// Measured lines, then limits, then the truth on top; within each, the most important last.
fn draw_lines(scene: &mut Scene, lines: &[Line], frame: &Frame, scale: &Scale) {
    for stroke in [Stroke::Solid, Stroke::Threshold, Stroke::Truth] {
        let (width, dash) = match stroke {
            Stroke::Solid => (SERIES_WIDTH, None),
            Stroke::Threshold => (HAIRLINE, Some(THRESHOLD_DASH)),
            Stroke::Truth => (TRUTH_WIDTH, Some(TRUTH_DASH)),
        };
        let drawn: Vec<(Paint, Vec<Vec<Point>>)> = lines
            .iter()
            .filter(|line| line.stroke == stroke)
            .map(|line| (line.ink.paint(), step_paths(&line.points, frame, scale)))
            .collect();
        for (paint, paths) in drawn.iter().rev() {
            for path in paths {
                scene.path(path.clone(), width, *paint, dash);
            }
        }
        if stroke == Stroke::Solid {
            for (piece, paint) in stripes::stripes(&drawn) {
                scene.path(piece, width, paint, dash);
            }
        }
    }
}

/// Warm stretches over the whole height of the panel, with their names in the lane on top.
fn draw_shades(scene: &mut Scene, series: &Series, frame: &Frame, rules: &[i32], area: Rect) {
    for shade in &series.shades {
        let (left, right) = (frame.x(shade.span.start), frame.x(shade.span.end));
        scene.rect(Rect { left, top: area.top, right: right.max(left + UNITS), bottom: area.bottom }, WARM);
    }
    let named = series.shades.iter().filter(|shade| !shade.label.is_empty());
    let wanted: Vec<Naming> = named
        .map(|shade| Naming {
            left: frame.x(shade.span.start),
            right: frame.x(shade.span.end),
            text: shade.label.clone(),
        })
        .collect();
    let seats = place::namings(&wanted, rules, area.right);
    for (naming, x) in wanted.into_iter().zip(seats) {
        let Some(x) = x else { continue };
        scene.text(Text {
            content: naming.text,
            x,
            baseline: area.top + font::ascent(LABEL_SIZE) + 2 * UNITS,
            anchor: Anchor::Start,
            size: LABEL_SIZE,
            weight: Weight::Regular,
            paint: WARM_INK,
        });
    }
}

/// What a line does within one column of half pixels.
struct Column {
    x: i32,
    low: i32,
    high: i32,
    last: i32,
}

/// A line as step paths, one for each stretch without a gap.
fn step_paths(points: &[(Nanos, Option<f64>)], frame: &Frame, scale: &Scale) -> Vec<Vec<Point>> {
    let inside = |at: Nanos| at <= frame.span.end;
    let mut paths = Vec::new();
    let mut columns: Vec<Column> = Vec::new();
    for &(at, value) in points.iter().filter(|&&(at, _)| inside(at)) {
        let x = frame.x(at);
        let Some(value) = value.filter(|value| value.is_finite()) else {
            paths.push(step_path(&columns, x));
            columns.clear();
            continue;
        };
        let y = scale.y(value);
        match columns.last_mut() {
            Some(column) if column.x == x => {
                column.low = column.low.max(y);
                column.high = column.high.min(y);
                column.last = y;
            }
            _ => columns.push(Column { x, low: y, high: y, last: y }),
        }
    }
    paths.push(step_path(&columns, frame.right));
    paths.into_iter().flat_map(|path| within(path, scale.above())).collect()
}

/// The parts of a path that are on the scale: where it leaves at the top it goes up and comes back, without a level piece that
/// would look like a value.
fn within(path: Vec<Point>, above: i32) -> Vec<Vec<Point>> {
    let mut parts: Vec<Vec<Point>> = vec![Vec::new()];
    for point in path {
        let part = parts.last_mut().expect("there is always one");
        if point.1 == above && part.last().is_some_and(|last| last.1 == above) {
            parts.push(vec![point]);
        } else {
            part.push(point);
        }
    }
    parts.retain(|part| part.len() > 1);
    parts
}

fn step_path(columns: &[Column], end: i32) -> Vec<Point> {
    let mut path: Vec<Point> = Vec::new();
    let Some(first) = columns.first() else { return path };
    let mut level = first.high;
    for column in columns {
        let steps =
            [(column.x, level), (column.x, column.high), (column.x, column.low), (column.x, column.last)];
        for point in steps {
            if path.last() != Some(&point) {
                path.push(point);
            }
        }
        level = column.last;
    }
    if path.last() != Some(&(end, level)) {
        path.push((end, level));
    }
    path
}

/// A ribbon as adjoining steps; within one column of half pixels, the widest extent.
fn ribbon_steps(ribbon: &Ribbon, frame: &Frame, scale: &Scale) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let finite =
        |&&(at, low, high): &&(Nanos, f64, f64)| at <= frame.span.end && low.is_finite() && high.is_finite();
    for &(at, low, high) in ribbon.points.iter().filter(finite) {
        let (left, top, bottom) = (frame.x(at), scale.y(high), scale.y(low));
        match steps.last_mut() {
            Some(step) if step.left == left => {
                step.top = step.top.min(top);
                step.bottom = step.bottom.max(bottom);
            }
            Some(step) if (step.top, step.bottom) == (top, bottom) => {}
            _ => {
                if let Some(before) = steps.last_mut() {
                    before.right = left;
                }
                steps.push(Step { left, top, right: frame.right, bottom });
            }
        }
    }
    steps.retain(|step| step.left < step.right);
    steps
}

/// A label at the right end of something.
struct End<'a> {
    label: &'a str,
    ink: Ink,
    /// Where it wants to stand.
    y: i32,
    /// Full areas show their colour beside their names: they may have ended long before the right end.
    swatch: bool,
}

impl<'a> End<'a> {
    fn of_line(line: &'a Line, y: i32) -> Option<End<'a>> {
        let end = End { label: &line.label, ink: line.ink, y, swatch: false };
        (!line.label.is_empty()).then_some(end)
    }

    fn of_ribbon(ribbon: &'a Ribbon, y: i32) -> Option<End<'a>> {
        let end = End { label: &ribbon.label, ink: ribbon.ink, y, swatch: !ribbon.pale };
        (!ribbon.label.is_empty()).then_some(end)
    }
}

/// Labels at the right end, moved apart, with a thin lead from the line where one had to move.
fn draw_ends(scene: &mut Scene, ends: &[End<'_>], area: Rect) {
    let wanted: Vec<i32> = ends.iter().map(|end| end.y).collect();
    let half = LINE_HEIGHT / 2;
    let seats = place::spread(&wanted, area.top - half, area.bottom + half, LINE_HEIGHT);
    let names: Vec<&str> = ends.iter().map(|end| end.label).collect();
    let names = font::shorten_apart(&names, LABEL_SIZE, Weight::Regular, END_LABEL_MAX);
    for ((end, seat), name) in ends.iter().zip(&seats).zip(names) {
        let Some(centre) = *seat else { continue };
        let x = area.right + END_LABEL_GAP;
        if end.swatch {
            let (left, top) = (x - SWATCH - 2 * UNITS, centre - SWATCH / 2);
            scene.rect(Rect { left, top, right: left + SWATCH, bottom: top + SWATCH }, end.ink.paint());
            end_label(scene, name, (x + 2 * UNITS, centre), INK);
            continue;
        }
        if (centre - end.y).abs() > UNITS {
            let (near, turn, far) = (area.right + 2 * UNITS, area.right + 6 * UNITS, x - 3 * UNITS);
            scene.path(
                vec![(near, end.y), (turn, end.y), (turn, centre), (far, centre)],
                HAIRLINE,
                PALE,
                None,
            );
        }
        end_label(scene, name, (x, centre), end.ink.paint());
    }
}

fn end_label(scene: &mut Scene, content: String, (x, centre): Point, paint: Paint) {
    scene.text(Text {
        content,
        x,
        baseline: centre + font::ascent(LABEL_SIZE) / 2,
        anchor: Anchor::Start,
        size: LABEL_SIZE,
        weight: Weight::Regular,
        paint,
    });
}

/// The share of runs that got there within each duration; those that never did keep the curve below all.
fn draw_distribution(scene: &mut Scene, distribution: &Distribution, area: Rect) {
    let ticks = share_ticks();
    let scale = Scale { top: area.top, bottom: area.bottom, high: 1.0 };
    grid(scene, &ticks, &scale, area);

    let values = distribution.curves.iter().flat_map(|curve| &curve.values);
    let longest = values.copied().max().filter(|&longest| longest > 0).unwrap_or(SECOND);
    let span = Span { start: 0, end: longest.saturating_add(longest / 20) };
    let frame = Frame { left: area.left, right: area.right, span };
    draw_marks(scene, distribution, &frame, area);
    let mut ends = Vec::new();
    for curve in distribution.curves.iter().rev() {
        let mut values = curve.values.clone();
        values.sort_unstable();
        let runs = (values.len() + curve.never).max(1) as f64;
        let reached =
            values.iter().enumerate().map(|(index, &value)| (value, Some((index + 1) as f64 / runs)));
        let points: Vec<(Nanos, Option<f64>)> = std::iter::once((0, Some(0.0))).chain(reached).collect();
        for path in step_paths(&points, &frame, &scale) {
            scene.path(path, SERIES_WIDTH, curve.ink.paint(), None);
        }
        let y = scale.y(values.len() as f64 / runs);
        ends.push(End { label: &curve.label, ink: curve.ink, y, swatch: false });
    }
    ends.reverse();
    draw_ends(scene, &ends, area);
    time_axis(scene, &frame, area.bottom, &distribution.axis);
}

/// Rules at durations worth naming, with their names on top.
fn draw_marks(scene: &mut Scene, distribution: &Distribution, frame: &Frame, area: Rect) {
    let wanted: Vec<Callout> = distribution
        .marks
        .iter()
        .map(|mark| Callout { x: frame.x(mark.at), text: mark.label.clone(), weight: Weight::Regular })
        .collect();
    for seat in place::callouts(&wanted, area.left, area.right, mark_rows(distribution)) {
        let x = wanted[seat.index].x;
        let row_top = area.top - (seat.row as i32 + 1) * LINE_HEIGHT - 2 * UNITS;
        scene.path(vec![(x, row_top + UNITS), (x, area.bottom)], HAIRLINE, CAP, None);
        scene.text(Text {
            content: seat.text,
            x: seat.left,
            baseline: row_top + font::ascent(LABEL_SIZE) + 2 * UNITS,
            anchor: Anchor::Start,
            size: LABEL_SIZE,
            weight: Weight::Regular,
            paint: MUTED,
        });
    }
}

/// Ticks and labels under the panels that share the frame.
pub fn time_axis(scene: &mut Scene, frame: &Frame, top: i32, name: &str) {
    let baseline = top + 8 * UNITS + font::ascent(TICK_SIZE);
    let text = |content: String, x: i32, anchor: Anchor| Text {
        content,
        x,
        baseline,
        anchor,
        size: TICK_SIZE,
        weight: Weight::Regular,
        paint: MUTED,
    };
    let room = frame.left - MARGIN - 40 * UNITS;
    scene.text(text(font::shorten(name, TICK_SIZE, Weight::Regular, room, Cut::End), MARGIN, Anchor::Start));
    for tick in time_ticks(frame.span.start, frame.span.end) {
        let x = frame.x(tick.value);
        scene.path(vertical(x, top, top + 4 * UNITS), HAIRLINE, AXIS, None);
        scene.text(text(tick.label, x, Anchor::Middle));
    }
}

/// A straight line down.
pub fn vertical(x: i32, top: i32, bottom: i32) -> Vec<Point> {
    vec![(x, top), (x, bottom)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_leaves_the_scale_has_no_level_piece_above_it() {
        let path = vec![(0, 50), (10, 50), (10, 7), (30, 7), (30, 20), (40, 20)];
        assert_eq!(within(path.clone(), 7), [&path[..3], &path[3..]]);
        assert_eq!(within(path.clone(), 5), [path]);
        assert_eq!(within(vec![(0, 7), (9, 7)], 7), Vec::<Vec<Point>>::new());
    }
}
