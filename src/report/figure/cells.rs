//! Rows of states: who believed what of whom, as stretches of colour over virtual time.
//!
//! Separate from `panel`, whose panels have a vertical scale; this one has names instead. Within one column of half pixels the
//! worst state shows, so that a short error does not vanish.

use super::axis::Frame;
use super::font::{self, Cut, Weight};
use super::scene::{Anchor, Point, Rect, Scene, Text};
use super::theme::*;
use super::{Cells, Row};

/// Height of the name above a group.
const NAME_HEIGHT: i32 = LINE_HEIGHT + 2 * UNITS;
/// Blank between two rows.
const ROW_GAP: i32 = 3 * UNITS;

/// How high all rows are.
pub fn height(cells: &Cells) -> i32 {
    let group = |rows: usize| NAME_HEIGHT + rows as i32 * ROW_HEIGHT;
    let rows: i32 = cells.groups.iter().map(|it| group(it.rows.len())).fold(0, i32::saturating_add);
    rows + (cells.groups.len() as i32 - 1).max(0) * GROUP_GAP
}

/// The labels right of the plot.
pub fn end_labels(cells: &Cells) -> Vec<&str> {
    cells.groups.iter().flat_map(|group| &group.rows).map(|row| row.total.as_str()).collect()
}

/// Draws all rows into `area`: names left of it, states inside, totals to the right.
pub fn draw(scene: &mut Scene, cells: &Cells, frame: &Frame, area: Rect) {
    let room = area.left - MARGIN - 10 * UNITS;
    let mut top = area.top;
    let groups: Vec<&str> = cells.groups.iter().map(|group| group.name.as_str()).collect();
    let groups = font::shorten_apart(&groups, HEADING_SIZE, Weight::Bold, room);
    for (group, name) in cells.groups.iter().zip(groups) {
        text(scene, (MARGIN, top + font::ascent(HEADING_SIZE)), Anchor::Start, Weight::Bold, name);
        top += NAME_HEIGHT;
        let names: Vec<&str> = group.rows.iter().map(|row| row.name.as_str()).collect();
        let names = font::shorten_apart(&names, TICK_SIZE, Weight::Regular, room);
        for (row, name) in group.rows.iter().zip(names) {
            let middle = top + (ROW_HEIGHT - ROW_GAP) / 2;
            let baseline = middle + font::ascent(TICK_SIZE) / 2;
            text(scene, (area.left - 10 * UNITS, baseline), Anchor::End, Weight::Regular, name);
            text(scene, (area.right + END_LABEL_GAP, baseline), Anchor::Start, Weight::Regular, {
                font::shorten(&row.total, TICK_SIZE, Weight::Regular, END_LABEL_MAX, Cut::End)
            });
            for (left, right, tone) in stretches(row, frame) {
                if tone == Tone::Blank {
                    scene.path(vec![(left, middle), (right, middle)], HAIRLINE, GRID, None);
                }
                bar(scene, tone, (left, right), middle, ROW_HEIGHT - ROW_GAP);
            }
            top += ROW_HEIGHT;
        }
        top += GROUP_GAP;
    }
}

/// A sample of a tone, from the point to the right.
pub fn swatch(scene: &mut Scene, tone: Tone, (x, middle): Point) {
    bar(scene, tone, (x, x + SWATCH), middle, SWATCH);
}

fn bar(scene: &mut Scene, tone: Tone, (left, right): (i32, i32), middle: i32, height: i32) {
    let Some((paint, eighths)) = tone.look() else { return };
    let thick = height * eighths / 8;
    let top = middle - thick / 2;
    scene.rect(Rect { left, top, right, bottom: top + thick }, paint);
}

fn text(scene: &mut Scene, (x, baseline): Point, anchor: Anchor, weight: Weight, content: String) {
    let (size, paint) = match weight {
        Weight::Bold => (HEADING_SIZE, INK),
        Weight::Regular => (TICK_SIZE, MUTED),
    };
    scene.text(Text { content, x, baseline, anchor, size, weight, paint });
}

/// The states of a row as adjoining stretches of half pixels; each state has at least one half pixel, unless a worse one is there.
fn stretches(row: &Row, frame: &Frame) -> Vec<(i32, i32, Tone)> {
    let mut drawn: Vec<(i32, i32, Tone)> = Vec::new();
    let states = row.states.iter().filter(|&&(at, _)| at <= frame.span.end);
    let ends = row.states.iter().skip(1).map(|&(at, _)| frame.x(at)).chain([frame.right]);
    for (&(at, tone), end) in states.zip(ends) {
        let mut left = frame.x(at);
        let right = end.max(left + 1).min(frame.right);
        while let Some((from, to, before)) = drawn.pop_if(|&mut (_, to, _)| to > left) {
            // Both want the last column.
            if before >= tone {
                drawn.push((from, to, before));
                left = to;
                break;
            }
            if from < left {
                drawn.push((from, left, before));
            }
        }
        if left >= right {
            continue;
        }
        match drawn.last_mut() {
            Some((_, to, before)) if *before == tone && *to == left => *to = right,
            _ => drawn.push((left, right, tone)),
        }
    }
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::figure::Span;

    fn drawn(states: &[(u64, Tone)]) -> Vec<(i32, i32, Tone)> {
        let frame = Frame { left: 0, right: 100, span: Span { start: 0, end: 1_000 } };
        stretches(&Row { states: states.to_vec(), ..Row::default() }, &frame)
    }

    #[test]
    fn states_adjoin_and_equal_ones_are_one() {
        use Tone::{Blank, Ghost, Right};
        assert_eq!(
            drawn(&[(0, Blank), (100, Right), (300, Right), (500, Ghost)]),
            [(0, 10, Blank), (10, 50, Right), (50, 100, Ghost)]
        );
        assert_eq!(drawn(&[]), []);
        assert_eq!(drawn(&[(1_000, Ghost)]), []);
    }

    #[test]
    fn the_worst_state_of_a_column_shows() {
        use Tone::{Blank, Ghost, Missing, Right};
        let short = [(0, Right), (500, Ghost), (501, Right), (700, Missing), (701, Ghost), (702, Blank)];
        let shown = [(0, 50, Right), (50, 51, Ghost), (51, 70, Right), (70, 71, Ghost), (71, 100, Blank)];
        assert_eq!(drawn(&short), shown);
    }
}
