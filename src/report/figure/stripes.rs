//! Lines that lie on each other: each colour shows in turn, so that none hides another.
//!
//! Separate because it looks at all lines of a panel at once. Only level pieces are striped; where lines rise or fall together
//! the most important one covers the rest, and so it does on stretches shorter than a stripe.

use std::collections::BTreeMap;

use super::scene::Point;
use super::theme::{Paint, UNITS};

/// How long each line shows before it gives way to the next.
const STRIPE: i32 = 9 * UNITS;

/// A level piece of a line: from, to, which line.
type Piece = (i32, i32, usize);

/// The pieces to be drawn over `lines` (the most important first, which was drawn last) so that covered ones show in turn.
pub fn stripes(lines: &[(Paint, Vec<Vec<Point>>)]) -> Vec<(Vec<Point>, Paint)> {
    let mut levels: BTreeMap<i32, Vec<Piece>> = BTreeMap::new();
    for (index, (_, paths)) in lines.iter().enumerate() {
        for pair in paths.iter().flat_map(|path| path.windows(2)) {
            let ((from, y), (to, end)) = (pair[0], pair[1]);
            if y == end && from < to {
                levels.entry(y).or_default().push((from, to, index));
            }
        }
    }
    levels.iter().flat_map(|(&y, pieces)| level(y, pieces, lines)).collect()
}

/// The stripes on one level: between any two places where a line begins or ends there, the same lines lie on each other.
fn level(y: i32, pieces: &[Piece], lines: &[(Paint, Vec<Vec<Point>>)]) -> Vec<(Vec<Point>, Paint)> {
    let mut cuts: Vec<i32> = pieces.iter().flat_map(|&(from, to, _)| [from, to]).collect();
    cuts.sort_unstable();
    cuts.dedup();
    let mut starting: Vec<Piece> = pieces.to_vec();
    starting.sort_unstable_by(|a, b| b.cmp(a));
    let mut here: Vec<Piece> = Vec::new();
    let mut drawn = Vec::new();
    for cut in cuts.windows(2) {
        here.retain(|&(_, to, _)| to > cut[0]);
        while let Some(piece) = starting.pop_if(|&mut (from, _, _)| from <= cut[0]) {
            here.push(piece);
        }
        here.sort_unstable_by_key(|&(_, _, index)| index);
        let mut paints: Vec<Paint> = Vec::new();
        for &(_, _, index) in &here {
            if !paints.contains(&lines[index].0) {
                paints.push(lines[index].0);
            }
        }
        if paints.len() < 2 || cut[1] - cut[0] < STRIPE {
            continue;
        }
        let mut from = cut[0];
        while from < cut[1] {
            let slot = from.div_euclid(STRIPE);
            let to = ((slot + 1) * STRIPE).min(cut[1]);
            let shown = slot.unsigned_abs() as usize % paints.len();
            if shown > 0 {
                drawn.push((vec![(from, y), (to, y)], paints[shown]));
            }
            from = to;
        }
    }
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::figure::theme::Ink;

    fn line(number: usize, path: &[Point]) -> (Paint, Vec<Vec<Point>>) {
        (Ink::Series(number).paint(), vec![path.to_vec()])
    }

    #[test]
    fn two_lines_on_each_other_take_turns() {
        let lines = [line(0, &[(0, 50), (4 * STRIPE, 50)]), line(1, &[(0, 50), (4 * STRIPE, 50)])];
        let drawn = stripes(&lines);
        assert_eq!(drawn.len(), 2);
        assert!(drawn.iter().all(|(_, paint)| *paint == Ink::Series(1).paint()));
        assert_eq!(drawn[0].0, [(STRIPE, 50), (2 * STRIPE, 50)]);
    }

    #[test]
    fn lines_of_one_colour_count_once() {
        let path = [(0, 50), (4 * STRIPE, 50)];
        let drawn = stripes(&[line(0, &path), line(90, &path), line(91, &path)]);
        assert_eq!(drawn.iter().map(|(piece, _)| piece[0].0).collect::<Vec<_>>(), [STRIPE, 3 * STRIPE]);
    }

    #[test]
    fn lines_apart_are_left_alone() {
        let lines =
            [line(0, &[(0, 50), (90, 50)]), line(1, &[(0, 52), (90, 52)]), line(2, &[(90, 50), (95, 50)])];
        assert_eq!(stripes(&lines), []);
    }

    #[test]
    fn stripes_begin_and_end_with_the_shared_stretch() {
        let lines = [line(0, &[(0, 50), (400, 50)]), line(1, &[(STRIPE + 4, 50), (3 * STRIPE - 4, 50)])];
        let drawn: Vec<_> = stripes(&lines).into_iter().map(|(piece, _)| piece).collect();
        assert_eq!(drawn, [vec![(STRIPE + 4, 50), (2 * STRIPE, 50)]]);
    }
}
