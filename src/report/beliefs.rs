//! The sheet of who believed what: a row for each pair of observer and instance, with what the observer showed, and whether
//! it was right.
//!
//! Rows stand under their observer, or under the instance where there are one or two. Of more rows than a sheet can hold, those that
//! look alike become one, and then servers, and those that were wrong longest, go first; the sheet says what is left out.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::figure::theme::Tone;
use super::figure::{Body, Cells, Group, Key, Panel, Row, Sheet};
use super::view::RunView;
use super::words::{self, Nanos, SECOND};

/// How many rows a sheet may have; the name of a group counts as two.
const LINES: usize = 40;
const NAME_LINES: usize = 2;
/// If there are more, how many groups get the same share of the room at least.
const FAIR_GROUPS: usize = 3;
/// Rows are alike if they are so to a hundredth of the run.
const MOMENTS: u128 = 100;
/// A mistake that is shorter is a change on its way: it is drawn, and neither counted nor told.
const SHORT: Nanos = SECOND;

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
    /// Servers first, then client caches.
    pub observers: Vec<String>,
    /// How many of them are servers.
    pub servers: usize,
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
            ("Too much happened to show who believed what".to_owned(), vec![panel], Vec::new())
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
    // Filling the registry is not the story of a scenario that has faults.
    let first = run.first_fault();
    let later = |it: &Mistake| first.is_none_or(|first| it.to > first);
    let longest = mistakes(run, beliefs).filter(later).max_by_key(|it| (it.to - it.from, Reverse(it.pair)));
    let Some(longest) = longest else {
        let since = if first.is_some() { " from the first fault on" } else { "" };
        return format!("No view was wrong for a second or more{since}");
    };
    let width = beliefs.instances.len();
    let (who, whom) = (&beliefs.observers[longest.pair / width], &beliefs.instances[longest.pair % width]);
    let (who, whom) = (words::brief(who), if who == whom { "itself".to_owned() } else { words::brief(whom) });
    let time = words::duration(longest.to - longest.from);
    let end = if longest.to >= run.span.end { ", and to the end" } else { "" };
    let what = match longest.tone {
        Tone::Ghost => format!("{who} listed {whom} for {time} though it was gone"),
        Tone::Altered => format!("{who} listed {whom} with a wrong status for {time}"),
        _ => format!("{who} did not list {whom} for {time} though it ran"),
    };
    let since = if first.is_some() { " since the first fault" } else { "" };
    format!("{what}{end}: the longest mistake{since}")
}

fn mistakes(run: &RunView, beliefs: &BeliefsView) -> impl Iterator<Item = Mistake> {
    let end = run.span.end;
    beliefs.cells.iter().enumerate().flat_map(move |(pair, states)| {
        let long = |&(from, to, tone): &(Nanos, Nanos, Tone)| wrong(tone) && to - from >= SHORT;
        spans(states, end).filter(long).map(move |(from, to, tone)| Mistake { pair, tone, from, to })
    })
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
#[derive(Clone, Copy)]
struct Candidate {
    /// Under which name it stands, and which one it has, as indices.
    group: usize,
    name: usize,
    pair: usize,
    /// Further rows that look like it.
    alike: usize,
    /// For how long it was wrong in all, and since the first fault.
    wrong: Nanos,
    later: Nanos,
}

/// Which rows a sheet shows, and what is left out.
struct Choice {
    rows: Vec<Candidate>,
    said: String,
}

fn rows(run: &RunView, beliefs: &BeliefsView) -> (Panel, Vec<Key>) {
    let by_instance = beliefs.instances.len() <= 2 && beliefs.observers.len() > beliefs.instances.len();
    let all = candidates(run, beliefs, by_instance);
    if all.is_empty() {
        let body = Body::Empty("No observer ever listed an instance, or had one to list".to_owned());
        let name = "Who believed what".to_owned();
        return (Panel { name, note: String::new(), weight: 50, body }, Vec::new());
    }
    let Choice { rows, said } = choose(run, beliefs, by_instance, all);
    let shown =
        |tone: Tone| rows.iter().any(|row| beliefs.cells[row.pair].iter().any(|&(_, state)| state == tone));
    let some = KEYS.into_iter().filter(|&(tone, _)| shown(tone));
    let mut keys: Vec<Key> = some.map(|(tone, label)| Key { tone, label: label.to_owned() }).collect();
    if !said.is_empty() {
        keys.push(Key { tone: Tone::Blank, label: said });
    }
    let (groups_of, rows_of) = match by_instance {
        true => (&beliefs.instances, &beliefs.observers),
        false => (&beliefs.observers, &beliefs.instances),
    };
    let groups = rows.chunk_by(|a, b| a.group == b.group).map(|rows| {
        let row = |row: &Candidate| Row {
            name: match row.alike {
                0 => rows_of[row.name].clone(),
                more => format!("{} +{more}", rows_of[row.name]),
            },
            total: if row.wrong < SHORT {
                String::new()
            } else {
                format!("wrong {}", words::duration(row.wrong))
            },
            states: beliefs.cells[row.pair].clone(),
        };
        let name = &groups_of[rows[0].group];
        let name = if by_instance { format!("{name} at") } else { name.clone() };
        Group { name, rows: rows.iter().map(row).collect() }
    });
    let body = Body::Cells(Cells { groups: groups.collect() });
    (Panel { name: String::new(), note: String::new(), weight: 50, body }, keys)
}

/// A row for each pair of which there is something to see, group by group.
fn candidates(run: &RunView, beliefs: &BeliefsView, by_instance: bool) -> Vec<Candidate> {
    let width = beliefs.instances.len().max(1);
    let since = run.first_fault().unwrap_or(0);
    let candidate = |(pair, states): (usize, &Vec<(Nanos, Tone)>)| {
        let (observer, instance) = (pair / width, pair % width);
        let (group, name) = if by_instance { (instance, observer) } else { (observer, instance) };
        let mistakes = || spans(states, run.span.end).filter(|&(_, _, tone)| wrong(tone));
        let wrong = mistakes().map(|(from, to, _)| to - from).sum();
        let later = mistakes().filter(|&(_, to, _)| to > since).map(|(from, to, _)| to - from).sum();
        Candidate { group, name, pair, alike: 0, wrong, later }
    };
    let says = |&(_, states): &(usize, &Vec<(Nanos, Tone)>)| {
        states.iter().any(|&(_, tone)| !matches!(tone, Tone::Blank | Tone::Off))
    };
    let mut rows: Vec<Candidate> = beliefs.cells.iter().enumerate().filter(says).map(candidate).collect();
    rows.sort_by_key(|row| (row.group, row.name));
    rows
}

/// The rows that have a place on the sheet, group by group: servers first, then those that were wrong longest.
fn choose(run: &RunView, beliefs: &BeliefsView, by_instance: bool, all: Vec<Candidate>) -> Choice {
    let groups_in = |rows: &[Candidate]| rows.chunk_by(|a, b| a.group == b.group).count();
    let lines = |rows: &[Candidate]| rows.len() + NAME_LINES * groups_in(rows);
    let many = groups_in(&all);
    if lines(&all) <= LINES {
        return Choice { rows: all, said: String::new() };
    }
    let rows = merged(run, beliefs, all);
    let mut groups: Vec<Vec<Candidate>> =
        rows.chunk_by(|a, b| a.group == b.group).map(<[Candidate]>::to_vec).collect();
    let server = |group: &[Candidate]| !by_instance && group[0].group < beliefs.servers;
    groups.sort_by_key(|group| {
        let longest = group.iter().map(|row| row.later).max();
        (!server(group), (!server(group)).then_some(Reverse(longest)), group[0].group)
    });
    let fair = LINES / groups.len().min(FAIR_GROUPS) - NAME_LINES;
    let (mut kept, mut left_out, mut room) = (Vec::new(), 0, LINES);
    for mut group in groups {
        let places = group.len().min(fair);
        if places + NAME_LINES > room {
            continue;
        }
        room -= places + NAME_LINES;
        group.sort_by_key(|row| (Reverse((row.later, row.wrong)), row.name));
        left_out += group.drain(places..).map(|row| row.alike + 1).sum::<usize>();
        group.sort_by_key(|row| row.name);
        kept.append(&mut group);
    }
    let mut said = Vec::new();
    let shown = groups_in(&kept);
    if shown < many {
        let what = match by_instance {
            true => format!("{shown} of {many} instances: those about which somebody was wrong longest"),
            false => format!("{shown} of {many} observers: servers, then those that were wrong longest"),
        };
        said.push(what);
    }
    if left_out > 0 {
        said.push(format!(
            "{} that were wrong for less time",
            words::count(left_out as u64, "row left out", "rows left out")
        ));
    }
    if let Some(row) = kept.iter().find(|row| row.alike > 0) {
        said.push(format!("“+{0}”: {0} more like it", row.alike));
    }
    Choice { rows: kept, said: said.join("; ") }
}

/// Rows of a group that look alike since the first fault become the first of them.
fn merged(run: &RunView, beliefs: &BeliefsView, rows: Vec<Candidate>) -> Vec<Candidate> {
    let (since, end) = (run.first_fault().unwrap_or(0), run.span.end);
    let moment = |at: Nanos| (u128::from(at) * MOMENTS / u128::from(end.max(1))) as u64;
    let looks = |states: &[(Nanos, Tone)]| {
        let later = spans(states, end).filter(|&(from, to, _)| to > since && to - from >= SHORT);
        let mut looks: Vec<(u64, Tone)> =
            later.map(|(from, _, tone)| (moment(from.max(since)), tone)).collect();
        looks.dedup_by_key(|&mut (_, tone)| tone);
        looks
    };
    let mut first: BTreeMap<(usize, Vec<(u64, Tone)>), usize> = BTreeMap::new();
    let mut kept: Vec<Candidate> = Vec::new();
    for row in rows {
        let at = *first.entry((row.group, looks(&beliefs.cells[row.pair]))).or_insert(kept.len());
        match kept.get_mut(at) {
            Some(before) => before.alike += 1,
            None => kept.push(row),
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::super::view::samples;
    use super::*;
    use crate::report::figure::tests::{assert_labels_apart, assert_well_formed};

    /// Every observer learns of every instance soon. In the split, observer 0 forgets instance 1 and keeps instance 0, which is gone.
    fn beliefs(observers: usize, instances: usize, suffix: &str) -> BeliefsView {
        let name = |what: &str, count| (0..count).map(|n| format!("{what}{n}{suffix}")).collect();
        let cell = |pair: usize| {
            let mut states = vec![(0, Tone::Off), (5, Tone::Missing), (10 + pair as u64 % 15, Tone::Right)];
            match (pair / instances, pair % instances) {
                (0, 0) => states.extend([(400, Tone::Ghost), (465, Tone::Blank)]),
                (0, 1) => states.extend([(380, Tone::Missing), (420, Tone::Altered), (430, Tone::Right)]),
                _ => {}
            }
            states.into_iter().map(|(at, tone)| (at * SECOND, tone)).collect()
        };
        BeliefsView {
            observers: name("peer", observers),
            servers: observers,
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
        let since = "the longest mistake since the first fault";
        assert_eq!(said(|_, _| {}), format!("peer0 listed provider/0 for 65 s though it was gone: {since}"));
        assert_eq!(
            said(
                |_, beliefs| beliefs.cells = vec![vec![(60 * SECOND, Tone::Missing)], vec![], vec![], vec![]]
            ),
            format!("peer0 did not list provider/0 for 11 min though it ran, and to the end: {since}")
        );
        assert_eq!(
            said(|run, beliefs| {
                beliefs.instances[0] = "peer0".to_owned();
                beliefs.cells[0] = vec![(0, Tone::Altered), (99 * SECOND, Tone::Right)];
                (run.bands, run.marks) = (Vec::new(), Vec::new());
            }),
            "peer0 listed itself with a wrong status for 99 s: the longest mistake"
        );
        let start_up = |_: &mut RunView, beliefs: &mut BeliefsView| {
            let short = [(0, Tone::Missing), (29, Tone::Right), (99, Tone::Ghost)]
                .map(|(at, tone)| (at * SECOND, tone));
            beliefs.cells = vec![[short.as_slice(), &[(99 * SECOND + 7, Tone::Blank)]].concat()];
        };
        assert_eq!(said(start_up), "No view was wrong for a second or more from the first fault on");
    }

    #[test]
    fn rows_stand_under_their_observers_unless_instances_are_few() {
        let run = samples::split();
        let (few, many) = (beliefs(2, 3, ""), beliefs(3, 1, ""));
        let (few, many) = (sheet(&run, Ok(&few)), sheet(&run, Ok(&many)));
        let under = |name| (name, vec!["provider/0", "provider/1", "provider/2"]);
        assert_eq!(groups(&few), [under("peer0"), under("peer1")]);
        assert_eq!(groups(&many), [("provider/0 at", vec!["peer0", "peer1", "peer2"])]);
        let keys: Vec<Tone> = few.keys.iter().map(|key| key.tone).collect();
        assert_eq!(keys, KEYS.map(|(tone, _)| tone));
        let Body::Cells(cells) = &few.panels[0].body else { panic!("it has rows") };
        assert_eq!(cells.groups[0].rows[0].total, "wrong 70 s");
    }

    #[test]
    fn of_too_many_rows_those_that_look_alike_are_one() {
        let sheet = sheet(&samples::split(), Ok(&beliefs(4, 100, "")));
        let rows = groups(&sheet);
        assert_eq!(rows[0], ("peer0", vec!["provider/0", "provider/1", "provider/2 +97"]));
        assert_eq!(rows.len(), 4);
        assert!(sheet.keys.iter().any(|key| key.label.contains("“+97”: 97 more like it")));
    }

    #[test]
    fn of_too_many_groups_servers_and_those_that_were_wrong_longest_are_kept() {
        let mut beliefs = beliefs(30, 12, "");
        beliefs.servers = 2;
        for (pair, states) in beliefs.cells.iter_mut().enumerate() {
            // Nothing looks alike, and the last observer is wrong longest.
            states.push((500 * SECOND, Tone::Missing));
            states.push((
                500 * SECOND + pair as u64 % 12 * 8 * SECOND + pair as u64 * SECOND / 10 + 9 * SECOND,
                Tone::Right,
            ));
        }
        let sheet = sheet(&samples::split(), Ok(&beliefs));
        let rows = groups(&sheet);
        assert_eq!(rows.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["peer0", "peer1", "peer29"]);
        assert!(rows.iter().map(|(_, rows)| rows.len() + NAME_LINES).sum::<usize>() <= LINES);
        let said = &sheet.keys.last().expect("a note").label;
        assert!(
            said.starts_with("3 of 30 observers: servers, then those") && said.contains("rows left out"),
            "{said}"
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
