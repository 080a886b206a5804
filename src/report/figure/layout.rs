//! A sheet becomes a scene: title, callouts, panels under each other, axes.
//!
//! It decides where each part of a sheet stands; `panel` draws what is inside of one. From top to bottom: title and subtitle, rows
//! with the names of faults, the panels over virtual time with their axis, the panels without it.

use super::axis::Frame;
use super::cells;
use super::font::{self, Cut, Weight};
use super::panel;
use super::place::{self, Callout};
use super::scene::{Anchor, Rect, Scene, Text};
use super::theme::*;
use super::{Body, Key, Panel, Sheet, Span};
use crate::report::words::Nanos;

/// The most rows for the names of faults.
const CALLOUT_ROWS: usize = 4;
/// Height of the caps over fault bands.
const CAP_HEIGHT: i32 = 3 * UNITS;
/// The least height of a panel that shows something.
const PANEL_MIN: i32 = 72 * UNITS;
/// Height of a panel that only says why it is empty.
const EMPTY_HEIGHT: i32 = 44 * UNITS;

/// The whole picture, ready to be written.
pub fn lay_out(sheet: &Sheet) -> Scene {
    let mut scene = Scene {
        width: WIDTH,
        height: 0,
        title: sheet.title.clone(),
        description: sheet.description.clone(),
        shapes: Vec::new(),
    };
    let span = Span { start: sheet.span.start.min(u64::MAX - 1), end: sheet.span.end };
    let frame = Frame { left: PLOT_LEFT, right: WIDTH - end_room(&sheet.panels), span };
    let head = headline(&mut scene, sheet);

    let panels = || sheet.panels.iter().zip(heights(&sheet.panels));
    let over_time: Vec<(&Panel, i32)> = panels().filter(|(panel, _)| timed(&panel.body)).collect();
    let rules: Vec<i32> = rules(sheet, &frame);

    let mut top = head;
    if !over_time.is_empty() {
        let inner = over_time.iter().map(|(_, height)| height + PANEL_GAP).sum::<i32>() - PANEL_GAP;
        top = faults(&mut scene, sheet, &frame, head, |top| top + inner);
        for (panel, height) in over_time {
            let area = Rect { left: frame.left, top, right: frame.right, bottom: top + height };
            panel::draw(&mut scene, panel, &frame, &rules, area);
            top = area.bottom + PANEL_GAP;
        }
        panel::time_axis(&mut scene, &frame, top - PANEL_GAP, "virtual time");
        top += AXIS_HEIGHT;
        top += keys(&mut scene, &sheet.keys, frame.left, top - PANEL_GAP);
    }
    for (panel, height) in panels().filter(|(panel, _)| !timed(&panel.body)) {
        let above = panel::room_above(panel);
        let area =
            Rect { left: frame.left, top: top + above, right: frame.right, bottom: top + above + height };
        panel::draw(&mut scene, panel, &frame, &rules, area);
        top = area.bottom + PANEL_GAP + panel::room_below(panel);
    }
    scene.height = top - PANEL_GAP + MARGIN;
    scene
}

/// Whether it is drawn over the virtual time that the panels share.
fn timed(body: &Body) -> bool {
    match body {
        Body::Series(_) | Body::Cells(_) => true,
        Body::Distribution(_) | Body::Empty(_) => false,
    }
}

/// What tones mean, in rows from `left` on; returns their height.
fn keys(scene: &mut Scene, keys: &[Key], left: i32, top: i32) -> i32 {
    let (mut x, mut row) = (left, 0);
    let between = 22 * UNITS;
    for key in keys {
        let room = WIDTH - MARGIN - left - SWATCH * 2;
        let label = font::shorten(&key.label, TICK_SIZE, Weight::Regular, room, Cut::End);
        let width = SWATCH * 2 + font::width(&label, TICK_SIZE, Weight::Regular);
        if x > left && x + width > WIDTH - MARGIN {
            (x, row) = (left, row + 1);
        }
        let middle = top + 8 * UNITS + row * LINE_HEIGHT + SWATCH / 2;
        cells::swatch(scene, key.tone, (x, middle));
        scene.text(Text {
            content: label,
            x: x + SWATCH * 3 / 2,
            baseline: middle + font::ascent(TICK_SIZE) / 2,
            anchor: Anchor::Start,
            size: TICK_SIZE,
            weight: Weight::Regular,
            paint: MUTED,
        });
        x += width + between;
    }
    if keys.is_empty() { 0 } else { (row + 1) * LINE_HEIGHT + 8 * UNITS }
}

/// How much room the labels at the right end of lines need.
fn end_room(panels: &[Panel]) -> i32 {
    let widest = panels
        .iter()
        .flat_map(panel::end_labels)
        .map(|label| font::width(label, LABEL_SIZE, Weight::Regular))
        .max()
        .unwrap_or(0);
    (widest.min(END_LABEL_MAX) + END_LABEL_GAP + MARGIN).max(END_LABEL_MIN)
}

/// Heights by weight; panels without data need little, and rows of cells what they need.
fn heights(panels: &[Panel]) -> Vec<i32> {
    let fixed = |panel: &Panel| match &panel.body {
        Body::Empty(_) => Some(EMPTY_HEIGHT),
        Body::Cells(cells) => Some(cells::height(cells)),
        Body::Series(_) | Body::Distribution(_) => None,
    };
    let left_over = PANELS_HEIGHT - panels.iter().filter_map(fixed).fold(0, i32::saturating_add);
    let flexible = panels.iter().filter(|panel| fixed(panel).is_none());
    let total: u32 = flexible.map(|panel| panel.weight.clamp(1, 100)).sum();
    let height = |panel: &Panel| {
        fixed(panel).unwrap_or_else(|| {
            let share = i64::from(left_over) * i64::from(panel.weight.clamp(1, 100)) / i64::from(total);
            (share as i32).max(PANEL_MIN)
        })
    };
    panels.iter().map(height).collect()
}

/// Title and subtitle; returns where the rest begins.
fn headline(scene: &mut Scene, sheet: &Sheet) -> i32 {
    let room = WIDTH - 2 * MARGIN;
    let mut baseline = MARGIN;
    for line in font::wrap(&sheet.title, TITLE_SIZE, Weight::Bold, room, 2) {
        baseline += TITLE_SIZE;
        scene.text(Text {
            content: line,
            x: MARGIN,
            baseline,
            anchor: Anchor::Start,
            size: TITLE_SIZE,
            weight: Weight::Bold,
            paint: INK,
        });
        baseline += TITLE_SIZE / 4;
    }
    baseline += SUBTITLE_SIZE + 2 * UNITS;
    scene.text(Text {
        content: font::shorten(&sheet.subtitle, SUBTITLE_SIZE, Weight::Regular, room, Cut::Middle),
        x: MARGIN,
        baseline,
        anchor: Anchor::Start,
        size: SUBTITLE_SIZE,
        weight: Weight::Regular,
        paint: MUTED,
    });
    baseline + 20 * UNITS
}

/// What a callout stands for, in the order of importance.
enum Cause {
    Highlight,
    Band,
    Mark,
}

/// Bands, rules and their names; returns where the panels begin.
fn faults(scene: &mut Scene, sheet: &Sheet, frame: &Frame, head: i32, bottom_of: impl Fn(i32) -> i32) -> i32 {
    let (causes, callouts): (Vec<Cause>, Vec<Callout>) = wanted_callouts(sheet, frame).into_iter().unzip();
    let placed = place::callouts(&callouts, frame.left, WIDTH - MARGIN, CALLOUT_ROWS);
    let rows = placed.iter().map(|seat| seat.row + 1).max().unwrap_or(0) as i32;
    let caps_top = head + rows * LINE_HEIGHT + 2 * UNITS;
    let top = caps_top + CAP_HEIGHT;
    let bottom = bottom_of(top);
    let row_top = |row: usize| caps_top - (row as i32 + 1) * LINE_HEIGHT;

    for band in &sheet.bands {
        let (left, right) = (frame.x(band.span.start), frame.x(band.span.end));
        let right = right.max(left + UNITS);
        scene.rect(Rect { left, top, right, bottom }, BAND);
        scene.rect(Rect { left, top: caps_top, right, bottom: top }, CAP);
    }
    for mark in &sheet.marks {
        scene.path(panel::vertical(frame.x(mark.at), caps_top, bottom), HAIRLINE, CAP, None);
    }
    if let Some(highlight) = &sheet.highlight {
        let (left, right) = (frame.x(highlight.span.start), frame.x(highlight.span.end));
        scene.rect(Rect { left, top: caps_top, right: right.max(left + UNITS), bottom: top }, INK);
        let rule = frame.x(highlight.at);
        scene.path(panel::vertical(rule, caps_top, bottom), HAIRLINE * 3 / 2, INK, None);
    }
    for seat in &placed {
        let (cause, callout) = (&causes[seat.index], &callouts[seat.index]);
        let (stem, text) = match cause {
            Cause::Highlight => (INK, INK),
            Cause::Band | Cause::Mark => (CAP, MUTED),
        };
        scene.path(panel::vertical(callout.x, row_top(seat.row) + UNITS, caps_top), HAIRLINE, stem, None);
        scene.text(Text {
            content: seat.text.clone(),
            x: seat.left,
            baseline: row_top(seat.row) + font::ascent(LABEL_SIZE) + 2 * UNITS,
            anchor: Anchor::Start,
            size: LABEL_SIZE,
            weight: callout.weight,
            paint: text,
        });
    }
    let dropped = callouts.len() - placed.len();
    if dropped > 0 {
        note_dropped(scene, dropped, row_top(0) + font::ascent(LABEL_SIZE) + 2 * UNITS);
    }
    top
}

/// Where thin rules run down through all panels.
fn rules(sheet: &Sheet, frame: &Frame) -> Vec<i32> {
    let highlight = sheet.highlight.iter().map(|highlight| highlight.at);
    sheet.marks.iter().map(|mark| mark.at).chain(highlight).map(|at| frame.x(at)).collect()
}

/// Each name once: the highlight, then lasting faults, then instants, each in the order of time.
fn wanted_callouts(sheet: &Sheet, frame: &Frame) -> Vec<(Cause, Callout)> {
    let mut wanted = Vec::new();
    if let Some(highlight) = &sheet.highlight {
        let callout =
            Callout { x: frame.x(highlight.at), text: highlight.label.clone(), weight: Weight::Bold };
        wanted.push((Cause::Highlight, callout));
    }
    let bands = sheet.bands.iter().map(|band| (band.span.start, band.label.as_str())).collect();
    let marks = sheet.marks.iter().map(|mark| (mark.at, mark.label.as_str())).collect();
    let named = |(at, text)| Callout { x: frame.x(at), text, weight: Weight::Regular };
    wanted.extend(named_once(bands).into_iter().map(named).map(|callout| (Cause::Band, callout)));
    wanted.extend(named_once(marks).into_iter().map(named).map(|callout| (Cause::Mark, callout)));
    wanted
}

/// The first of each name, with how often it comes, in the order of time.
fn named_once(mut events: Vec<(Nanos, &str)>) -> Vec<(Nanos, String)> {
    events.sort_by_key(|&(at, _)| at);
    let mut names: Vec<(Nanos, &str, usize)> = Vec::new();
    for (at, label) in events {
        match names.iter_mut().find(|(_, name, _)| *name == label) {
            Some((_, _, times)) => *times += 1,
            None => names.push((at, label, 1)),
        }
    }
    let text = |label: &str, times| if times > 1 { format!("{label} (×{times})") } else { label.to_owned() };
    names.into_iter().map(|(at, label, times)| (at, text(label, times))).collect()
}

fn note_dropped(scene: &mut Scene, dropped: usize, baseline: i32) {
    scene.text(Text {
        content: format!("{dropped} more not named"),
        x: MARGIN,
        baseline,
        anchor: Anchor::Start,
        size: TICK_SIZE,
        weight: Weight::Regular,
        paint: MUTED,
    });
}
