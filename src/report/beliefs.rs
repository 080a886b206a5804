//! The sheet of who believed what: a row for each pair of observer and instance, with what the observer showed, and whether
//! it was right.
//!
//! Rows stand under the observer or under the instance, whichever are fewer. Of more rows than a sheet can hold, equal ones become
//! one, and then those that were wrong longest are kept; the sheet says how many.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::figure::theme::Tone;
use super::figure::{Body, Cells, Group, Key, Panel, Row, Sheet};
use super::view::RunView;
use super::words::{self, Nanos};

/// The most rows of a sheet.
const ROWS: usize = 44;
/// Rows count as equal if they are so at this many moments.
const MOMENTS: u128 = 400;

/// What a tone means here, in the order of the key.
const KEYS: [(Tone, &str); 5] = [
    (Tone::Right, "listed, rightly"),
    (Tone::Ghost, "listed, though gone"),
    (Tone::Missing, "not listed, though it runs"),
    (Tone::Altered, "listed with a wrong status"),
    (Tone::Off, "the observer is down"),
];

/// Who believed what.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BeliefsView {
    pub observers: Vec<String>,
    pub instances: Vec<String>,
    /// What each observer held of each instance from each time on, as tones: of observer `o` and instance `i` at
    /// `o * instances.len() + i`.
    pub cells: Vec<Vec<(Nanos, Tone)>>,
}

/// A stretch in which one observer was wrong about one instance, in one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mistake {
    pair: usize,
    tone: Tone,
    from: Nanos,
    to: Nanos,
}

/// The picture; of beliefs that are not known, the reason.
pub fn sheet(run: &RunView, beliefs: Result<&BeliefsView, &str>) -> Sheet {
    let (title, panels, keys) = match beliefs {
        Ok(beliefs) => {
            let (panel, keys) = rows(run, beliefs);
            (finding(run, beliefs), vec![panel], keys)
        }
        Err(why) => {
            let body = Body::Empty(why.to_owned());
            let panel = Panel { name: "Who believed what".to_owned(), note: String::new(), weight: 50, body };
            ("Who believed what is not known".to_owned(), vec![panel], Vec::new())
        }
    };
    Sheet {
        subtitle: run.origin(),
        description: format!(
            "A row for each pair of observer and instance over {} of virtual time: whether the observer listed the instance, and \
             whether that was right. {title}.",
            words::duration(run.span.end.saturating_sub(run.span.start))
        ),
        title,
        span: run.span,
        bands: run.bands.clone(),
        marks: run.marks.clone(),
        highlight: None,
        panels,
        keys,
    }
}

/// The longest mistake, in a sentence.
fn finding(run: &RunView, beliefs: &BeliefsView) -> String {
    let all = mistakes(run, beliefs);
    // Filling the registry is not the story of a scenario that has faults.
    let faults = run.bands.iter().map(|band| band.span.start).chain(run.marks.iter().map(|mark| mark.at));
    let first = faults.min();
    let later: Vec<Mistake> =
        all.iter().copied().filter(|it| first.is_none_or(|first| it.to > first)).collect();
    let (some, since) = match (first, later.is_empty()) {
        (Some(_), false) => (later, " since the first fault"),
        _ => (all, ""),
    };
    let Some(longest) = some.iter().max_by_key(|it| (it.to - it.from, Reverse(it.pair))) else {
        return "Every view was right all the time".to_owned();
    };
    let width = beliefs.instances.len();
    let (who, whom) = (&beliefs.observers[longest.pair / width], &beliefs.instances[longest.pair % width]);
    let time = words::duration(longest.to - longest.from);
    let end = if longest.to >= run.span.end { ", and to the end" } else { "" };
    let what = match longest.tone {
        Tone::Ghost => format!("{who} listed {whom} for {time} after it was gone{end}"),
        Tone::Altered => format!("{who} listed {whom} with a wrong status for {time}{end}"),
        _ => format!("{who} did not list {whom} for {time} though it ran{end}"),
    };
    match some.len() {
        1 => format!("{what}: the only mistake{since}"),
        more => format!("{what}: the longest of {} mistakes{since}", words::grouped(more as i64)),
    }
}

fn mistakes(run: &RunView, beliefs: &BeliefsView) -> Vec<Mistake> {
    let of = |(pair, states): (usize, &Vec<(Nanos, Tone)>)| {
        let wrong = spans(states, run.span.end).filter(|&(_, _, tone)| wrong(tone));
        wrong.map(|(from, to, tone)| Mistake { pair, tone, from, to }).collect::<Vec<_>>()
    };
    beliefs.cells.iter().enumerate().flat_map(of).collect()
}

fn wrong(tone: Tone) -> bool {
    match tone {
        Tone::Ghost | Tone::Missing | Tone::Altered => true,
        Tone::Blank | Tone::Off | Tone::Right => false,
    }
}

/// From, to and state of each stretch that takes time.
fn spans(states: &[(Nanos, Tone)], end: Nanos) -> impl Iterator<Item = (Nanos, Nanos, Tone)> {
    let ends = states.iter().skip(1).map(|&(at, _)| at).chain([end]);
    let spans = states.iter().zip(ends).map(move |(&(from, tone), to)| (from, to.min(end), tone));
    spans.filter(|&(from, to, _)| from < to)
}

/// One row before it is known whether it has a place.
struct Candidate {
    /// Under which name it stands, and which one it has, as indices.
    group: usize,
    name: usize,
    /// Further rows that are equal to it.
    equals: usize,
    pair: usize,
    wrong: Nanos,
}

fn rows(run: &RunView, beliefs: &BeliefsView) -> (Panel, Vec<Key>) {
    let width = beliefs.instances.len();
    let by_observer = beliefs.observers.len() <= width;
    let candidate = |(pair, states): (usize, &Vec<(Nanos, Tone)>)| {
        let (observer, instance) = (pair / width.max(1), pair % width.max(1));
        let (group, name) = if by_observer { (observer, instance) } else { (instance, observer) };
        let wrong = spans(states, run.span.end).filter(|&(_, _, tone)| wrong(tone));
        Candidate { group, name, equals: 0, pair, wrong: wrong.map(|(from, to, _)| to - from).sum() }
    };
    let says = |&(_, states): &(usize, &Vec<(Nanos, Tone)>)| {
        states.iter().any(|&(_, tone)| !matches!(tone, Tone::Blank | Tone::Off))
    };
    let mut rows: Vec<Candidate> = beliefs.cells.iter().enumerate().filter(says).map(candidate).collect();
    rows.sort_by_key(|row| (row.group, row.name));
    let all = rows.len();
    if all == 0 {
        let why = "No observer ever listed an instance, or had one to list";
        let body = Body::Empty(why.to_owned());
        return (
            Panel { name: "Who believed what".to_owned(), note: String::new(), weight: 50, body },
            Vec::new(),
        );
    }
    let mut keys: Vec<Key> = Vec::new();
    let mut said = String::new();
    if rows.len() > ROWS {
        rows = merged(rows, beliefs, run.span.end);
        said = format!("{} rows for {all} pairs: “+2” stands for two more that are alike", rows.len());
    }
    if rows.len() > ROWS {
        let kinds = rows.len();
        rows.sort_by_key(|row| (Reverse(row.wrong), row.group, row.name));
        rows.truncate(ROWS);
        rows.sort_by_key(|row| (row.group, row.name));
        let shown: usize = rows.iter().map(|row| row.equals + 1).sum();
        said = match kinds == all {
            true => format!("{shown} of {all} rows: those that were wrong longest"),
            false => format!(
                "{shown} of {all} pairs, those that were wrong longest; “+2” stands for two more that are alike"
            ),
        };
    }
    let shown =
        |tone: Tone| rows.iter().any(|row| beliefs.cells[row.pair].iter().any(|&(_, state)| state == tone));
    let some = KEYS.into_iter().filter(|&(tone, _)| shown(tone));
    keys.extend(some.map(|(tone, label)| Key { tone, label: label.to_owned() }));
    if !said.is_empty() {
        keys.push(Key { tone: Tone::Blank, label: said });
    }
    let (groups_of, rows_of) = match by_observer {
        true => (&beliefs.observers, &beliefs.instances),
        false => (&beliefs.instances, &beliefs.observers),
    };
    let groups = rows.chunk_by(|a, b| a.group == b.group).map(|rows| {
        let row = |row: &Candidate| Row {
            name: match row.equals {
                0 => rows_of[row.name].clone(),
                more => format!("{} +{more}", rows_of[row.name]),
            },
            total: if row.wrong == 0 {
                String::new()
            } else {
                format!("wrong {}", words::duration(row.wrong))
            },
            states: beliefs.cells[row.pair].clone(),
        };
        let name = &groups_of[rows[0].group];
        let name = if by_observer { name.clone() } else { format!("{name} at") };
        Group { name, rows: rows.iter().map(row).collect() }
    });
    let body = Body::Cells(Cells { groups: groups.collect() });
    (Panel { name: String::new(), note: String::new(), weight: 50, body }, keys)
}

/// Rows of a group that look alike become the first of them.
fn merged(rows: Vec<Candidate>, beliefs: &BeliefsView, end: Nanos) -> Vec<Candidate> {
    let looks = |states: &[(Nanos, Tone)]| {
        let moment = |at: Nanos| (u128::from(at) * MOMENTS / u128::from(end.max(1))) as u64;
        let mut looks: Vec<(u64, Tone)> = states.iter().map(|&(at, tone)| (moment(at), tone)).collect();
        looks.dedup();
        looks
    };
    let mut first: BTreeMap<(usize, Vec<(u64, Tone)>), usize> = BTreeMap::new();
    let mut kept: Vec<Candidate> = Vec::new();
    for row in rows {
        let key = (row.group, looks(&beliefs.cells[row.pair]));
        match first.get(&key) {
            Some(&at) => kept[at].equals += 1,
            None => {
                first.insert(key, kept.len());
                kept.push(row);
            }
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::super::view::samples;
    use super::*;
    use crate::report::figure::tests::{assert_labels_apart, assert_well_formed};
    use crate::report::words::SECOND;

    /// Every observer learns of every instance after 40 s. In the split, observer 0 forgets instance 1 and keeps instance 0, which is gone.
    fn beliefs(observers: usize, instances: usize, suffix: &str) -> BeliefsView {
        let name = |what: &str, count| (0..count).map(|n| format!("{what}{n}{suffix}")).collect();
        let cell = |pair: usize| {
            let mut states = vec![(0, Tone::Off), (10, Tone::Missing), (50 + pair as u64, Tone::Right)];
            match (pair / instances, pair % instances) {
                (0, 0) => states.extend([(400, Tone::Ghost), (465, Tone::Blank)]),
                (0, 1) => states.extend([(380, Tone::Missing), (420, Tone::Altered), (430, Tone::Right)]),
                _ => {}
            }
            states.into_iter().map(|(at, tone)| (at * SECOND, tone)).collect()
        };
        BeliefsView {
            observers: name("peer", observers),
            instances: name("provider/", instances),
            cells: (0..observers * instances).map(cell).collect(),
        }
    }

    fn groups(sheet: &Sheet) -> Vec<(&str, Vec<&str>)> {
        let Body::Cells(cells) = &sheet.panels[0].body else { return Vec::new() };
        let mut groups = Vec::new();
        for group in &cells.groups {
            groups.push((group.name.as_str(), group.rows.iter().map(|row| row.name.as_str()).collect()));
        }
        groups
    }

    #[test]
    fn the_finding_is_the_longest_mistake_since_the_first_fault() {
        let said = |change: fn(&mut RunView, &mut BeliefsView)| {
            let (mut run, mut beliefs) = (samples::split(), beliefs(2, 2, ""));
            change(&mut run, &mut beliefs);
            sheet(&run, Ok(&beliefs)).title
        };
        let gone = "peer0 listed provider/0 for 65 s after it was gone";
        // The four of the start end after the first fault, at 30 s.
        assert_eq!(said(|_, _| {}), format!("{gone}: the longest of 7 mistakes since the first fault"));
        assert_eq!(
            said(|run, _| run.marks.clear()),
            format!("{gone}: the longest of 3 mistakes since the first fault")
        );
        assert_eq!(
            said(
                |_, beliefs| beliefs.cells = vec![vec![(60 * SECOND, Tone::Missing)], vec![], vec![], vec![]]
            ),
            "peer0 did not list provider/0 for 11 min though it ran, and to the end: the only mistake since the first fault"
        );
        assert_eq!(said(|_, beliefs| beliefs.cells.clear()), "Every view was right all the time");
    }

    #[test]
    fn rows_stand_under_whichever_are_fewer() {
        let run = samples::split();
        let (few, many) = (beliefs(2, 3, ""), beliefs(3, 1, ""));
        let (few, many) = (sheet(&run, Ok(&few)), sheet(&run, Ok(&many)));
        let under = |name| (name, vec!["provider/0", "provider/1", "provider/2"]);
        assert_eq!(groups(&few), [under("peer0"), under("peer1")]);
        assert_eq!(groups(&many), [("provider/0 at", vec!["peer0", "peer1", "peer2"])]);
        let keys: Vec<Tone> = few.keys.iter().map(|key| key.tone).collect();
        assert_eq!(keys, KEYS.map(|(tone, _)| tone));
        let Body::Cells(cells) = &few.panels[0].body else { panic!("it has rows") };
        assert_eq!(cells.groups[0].rows[0].total, "wrong 105 s");
    }

    #[test]
    fn of_too_many_rows_equal_ones_are_one_and_the_worst_are_kept() {
        let run = samples::split();
        let mut equal = beliefs(4, 100, "");
        equal.cells.iter_mut().for_each(|states| states.truncate(2));
        let alike = sheet(&run, Ok(&equal));
        assert_eq!(groups(&alike)[3], ("peer3", vec!["provider/0 +99"]));
        assert!(alike.keys.iter().any(|key| key.label.starts_with("4 rows for 400 pairs")));
        let worst = sheet(&run, Ok(&beliefs(4, 100, "")));
        assert_eq!(groups(&worst).iter().map(|(_, rows)| rows.len()).sum::<usize>(), ROWS);
        assert!(
            worst.keys.iter().any(|key| key.label.contains("of 400 pairs, those that were wrong longest"))
        );
    }

    #[test]
    fn every_run_gives_a_legible_picture() {
        let long = ".production.beijing-a.of-the-company.example.internal";
        for run in [samples::split(), samples::calm(), samples::crowded(), RunView::default()] {
            for beliefs in
                [beliefs(2, 3, ""), beliefs(9, 8, long), beliefs(3, 300, ""), BeliefsView::default()]
            {
                let sheet = sheet(&run, Ok(&beliefs));
                assert_labels_apart(&sheet);
                assert_well_formed(&sheet.svg());
            }
        }
    }

    #[test]
    fn beliefs_that_are_not_known_say_why() {
        let sheet = sheet(&samples::split(), Err("3 000 pairs are too many"));
        assert!(sheet.svg().contains("3 000 pairs are too many"));
        assert_labels_apart(&sheet);
    }
}
