//! Where labels go: moved first, then shortened, then the least important dropped.
//!
//! Separate because it is geometry that tests can hold: it sees positions and texts and nothing of what they mean.

use super::font::{self, Cut, Weight};
use super::theme::{LABEL_SIZE, UNITS};

/// Between a stem and its text, and between two labels of a row.
const PAD: i32 = 4 * UNITS;
/// A label shortened below this width says nothing any more.
const SHORTEST: i32 = 44 * UNITS;
/// A text that belongs to a place on the horizontal axis, on a stem that comes down from it.
#[derive(Clone, Debug, PartialEq)]
pub struct Callout {
    pub x: i32,
    pub text: String,
    pub weight: Weight,
}

/// Where a callout went. The row is counted upwards from the panels.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed {
    /// Its number in what was asked for.
    pub index: usize,
    pub row: usize,
    pub text: String,
    /// Where the text starts.
    pub left: i32,
}

/// A stretch of a row that is taken.
struct Taken {
    left: i32,
    right: i32,
}

/// Places callouts, the most important first in `wanted`, in at most `rows` rows between `left` and `right`. One that fits
/// nowhere is left out, and so is one that would cost a more important one letters of its text.
pub fn callouts(wanted: &[Callout], left: i32, right: i32, rows: usize) -> Vec<Placed> {
    let mut kept: Vec<usize> = Vec::new();
    let mut placed: Vec<Placed> = Vec::new();
    for index in 0..wanted.len() {
        kept.push(index);
        let Some(next) = seat_all(wanted, &kept, (left, right), rows) else {
            kept.pop();
            continue;
        };
        let whole = placed.iter().zip(&next).all(|(before, after)| before.text == after.text);
        if whole {
            placed = next;
        } else {
            kept.pop();
        }
    }
    placed
}

/// A seat for each of `kept`, if there is one for all. Seats are given from right to left: a text runs to the right of its
/// stem, so no stem crosses an earlier text.
fn seat_all(wanted: &[Callout], kept: &[usize], bounds: (i32, i32), rows: usize) -> Option<Vec<Placed>> {
    let mut order = kept.to_vec();
    order.sort_by_key(|&index| std::cmp::Reverse((wanted[index].x, index)));
    let mut taken: Vec<Vec<Taken>> = (0..rows).map(|_| Vec::new()).collect();
    let mut placed = Vec::new();
    for index in order {
        let callout = &wanted[index];
        let (row, text, from, to) = Seats { callout, taken: &taken, bounds }.find()?;
        for below in &mut taken[..row] {
            below.push(Taken { left: callout.x - UNITS, right: callout.x + UNITS });
        }
        taken[row].push(Taken { left: from - PAD, right: to + PAD });
        let left = if from < callout.x { from } else { callout.x + PAD };
        placed.push(Placed { index, row, text, left });
    }
    placed.sort_by_key(|seat| seat.index);
    Some(placed)
}

/// Where one callout could go.
struct Seats<'a> {
    callout: &'a Callout,
    taken: &'a [Vec<Taken>],
    bounds: (i32, i32),
}

impl Seats<'_> {
    /// Row, text and extent of the first free seat: whole and right of the stem, whole and left of it, then shortened, each
    /// from the lowest row up.
    fn find(&self) -> Option<(usize, String, i32, i32)> {
        let (x, text) = (self.callout.x, &self.callout.text);
        let width = font::width(text, LABEL_SIZE, self.callout.weight);
        let whole = |from: i32, to: i32| {
            let row = (0..self.taken.len()).find(|&row| self.reaches(row) && self.free(row, from, to))?;
            Some((row, text.clone(), from, to))
        };
        whole(x, x + PAD + width).or_else(|| whole(x - PAD - width, x)).or_else(|| {
            let roomiest = (0..self.taken.len())
                .filter(|&row| self.reaches(row) && self.free(row, x, x))
                .max_by_key(|&row| (self.room(row), std::cmp::Reverse(row)))?;
            let room = self.room(roomiest);
            let text = font::shorten(text, LABEL_SIZE, self.callout.weight, room, Cut::End);
            let width = font::width(&text, LABEL_SIZE, self.callout.weight);
            (room >= SHORTEST && !text.is_empty()).then_some((roomiest, text, x, x + PAD + width))
        })
    }

    /// Whether the stem comes up to `row` without crossing a text.
    fn reaches(&self, row: usize) -> bool {
        let x = self.callout.x;
        self.taken[..row].iter().flatten().all(|other| x <= other.left + PAD || x > other.right)
    }

    fn free(&self, row: usize, from: i32, to: i32) -> bool {
        from >= self.bounds.0
            && to <= self.bounds.1
            && self.taken[row].iter().all(|other| to < other.left || from > other.right)
    }

    /// How wide a text right of the stem may be in `row`.
    fn room(&self, row: usize) -> i32 {
        let x = self.callout.x;
        let next = self.taken[row].iter().map(|other| other.left).filter(|&start| start > x).min();
        next.unwrap_or(self.bounds.1 + 1).min(self.bounds.1 + 1) - 1 - x - PAD
    }
}

/// A text that names a stretch from within a lane that `rules` cross.
#[derive(Clone, Debug, PartialEq)]
pub struct Naming {
    pub left: i32,
    pub right: i32,
    pub text: String,
}

/// For each stretch, where its text starts: whole, off the rules and off each other, at the begin of the stretch or after a
/// rule in it; rather within the stretch than beyond its end. Where it fits nowhere it is left out.
pub fn namings(wanted: &[Naming], rules: &[i32], right: i32) -> Vec<Option<i32>> {
    let mut taken: Vec<Taken> = Vec::new();
    let seat = |naming: &Naming| {
        let inside = rules.iter().copied().filter(|rule| (naming.left..naming.right).contains(rule));
        let mut starts: Vec<i32> =
            std::iter::once(naming.left).chain(inside).map(|start| start + PAD).collect();
        starts.sort_unstable();
        let width = font::width(&naming.text, LABEL_SIZE, Weight::Regular);
        let free = |from: i32, limit: i32| {
            let off = |left: i32, right: i32| from + width + PAD <= left || from >= right;
            from + width <= limit
                && rules.iter().all(|&rule| off(rule, rule + UNITS))
                && taken.iter().all(|other| off(other.left, other.right))
        };
        let limits = [naming.right.min(right), right];
        let from = limits.iter().find_map(|&limit| starts.iter().copied().find(|&from| free(from, limit)))?;
        taken.push(Taken { left: from, right: from + width + PAD });
        Some(from)
    };
    wanted.iter().map(seat).collect()
}

/// Centres of labels of `height` that want to stand at `wanted`, moved as little as possible so that none overlaps another
/// and all stay between `top` and `bottom`. The first are the most important; those that find no room get `None`.
pub fn spread(wanted: &[i32], top: i32, bottom: i32, height: i32) -> Vec<Option<i32>> {
    let room = ((bottom - top) / height).max(0).unsigned_abs() as usize;
    let mut order: Vec<usize> = (0..wanted.len().min(room)).collect();
    order.sort_by_key(|&index| (wanted[index], index));
    // With each label's own height taken off, "no overlap" reads "not decreasing": pool neighbours that break it.
    let mut pools: Vec<(i64, i64)> = Vec::new();
    for (place, &index) in order.iter().enumerate() {
        let mut pool = (i64::from(wanted[index]) - place as i64 * i64::from(height), 1);
        while let Some(before) = pools.pop_if(|before| before.0 * pool.1 > pool.0 * before.1) {
            pool = (before.0 + pool.0, before.1 + pool.1);
        }
        pools.push(pool);
    }
    let first = i64::from(top + height / 2);
    let last = i64::from(bottom - height / 2) - (order.len() as i64 - 1).max(0) * i64::from(height);
    let mut seats = vec![None; wanted.len()];
    let starts = pools.iter().flat_map(|&(sum, size)| {
        std::iter::repeat_n(sum.div_euclid(size).clamp(first, last.max(first)), size as usize)
    });
    for (place, (&index, start)) in order.iter().zip(starts).enumerate() {
        seats[index] = Some((start + place as i64 * i64::from(height)) as i32);
    }
    seats
}

#[cfg(test)]
mod tests {
    use super::*;

    fn callout(x: i32, text: &str) -> Callout {
        Callout { x, text: text.to_owned(), weight: Weight::Regular }
    }

    #[test]
    fn a_callout_alone_stands_right_of_its_stem_in_the_lowest_row() {
        let placed = callouts(&[callout(100, "split")], 0, 1000, 3);
        assert_eq!(placed, [Placed { index: 0, row: 0, text: "split".into(), left: 100 + PAD }]);
    }

    #[test]
    fn a_callout_at_the_right_edge_turns_to_the_left() {
        let placed = callouts(&[callout(990, "split")], 0, 1000, 3);
        assert_eq!((placed[0].row, placed[0].text.as_str()), (0, "split"));
        assert!(placed[0].left < 990 - PAD);
    }

    #[test]
    fn the_second_of_a_place_moves_up_and_the_last_is_dropped() {
        let wanted = ["first", "second", "third"].map(|text| callout(10, text));
        let placed = callouts(&wanted, 0, 200, 2);
        assert_eq!(placed.iter().map(|seat| (seat.index, seat.row)).collect::<Vec<_>>(), [(0, 1), (1, 0)]);
    }

    #[test]
    fn names_that_run_into_each_other_climb_to_the_left() {
        let wanted =
            [callout(20, "a name of some length"), callout(60, "another name"), callout(100, "a third")];
        let placed = callouts(&wanted, 0, 1000, 3);
        assert_eq!(placed.iter().map(|seat| seat.row).collect::<Vec<_>>(), [2, 1, 0]);
    }

    #[test]
    fn the_less_important_gives_way_whole() {
        let wanted = [callout(100, "the important one"), callout(60, "the other one")];
        let placed = callouts(&wanted, 0, 400, 1);
        assert_eq!(placed.iter().map(|seat| seat.index).collect::<Vec<_>>(), [0], "{placed:?}");
        let wanted = [callout(100, "the important one"), callout(160, "the other one")];
        let placed = callouts(&wanted, 0, 600, 1);
        assert_eq!(placed.iter().map(|seat| seat.text.as_str()).collect::<Vec<_>>(), ["the important one"]);
    }

    #[test]
    fn a_naming_keeps_off_the_rules_and_within_its_stretch_if_it_can() {
        let stretch = |left, right| Naming { left, right, text: "peer1 and peer2".to_owned() };
        let seat = |right: i32, rules: &[i32]| namings(&[stretch(100, right)], rules, 1000)[0];
        assert_eq!(seat(500, &[]), Some(100 + PAD));
        assert_eq!(seat(600, &[200]), Some(200 + PAD));
        assert_eq!(seat(450, &[340]), Some(100 + PAD), "within, rather than beyond the end");
        assert_eq!(seat(220, &[]), Some(100 + PAD), "beyond the end, if it must");
        assert_eq!(seat(300, &[150, 290, 310]), None);
        let twice = namings(&[stretch(100, 300), stretch(150, 310)], &[], 1000);
        assert!(twice[0].is_some() && twice[1].is_none(), "{twice:?}");
    }

    #[test]
    fn spread_labels_keep_their_order_and_distance() {
        let check = |wanted: &[i32], expected: &[Option<i32>]| {
            assert_eq!(spread(wanted, 0, 100, 20), expected, "{wanted:?}");
        };
        check(&[50], &[Some(50)]);
        check(&[50, 50], &[Some(40), Some(60)]);
        check(&[100, 100, 100], &[Some(50), Some(70), Some(90)]);
        check(&[0, 0], &[Some(10), Some(30)]);
        check(&[90, 10], &[Some(90), Some(10)]);
        check(&[50; 7], &[Some(10), Some(30), Some(50), Some(70), Some(90), None, None]);
        check(&[], &[]);
    }
}
