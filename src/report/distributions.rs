//! The sheet of many seeds: how long until every observer lists a new instance, until every one has forgotten one that is gone,
//! and until all agree, as distributions over runs.
//!
//! A run counts with its slowest observer: what an operator waits for is the last one. Runs in which some observer never got there
//! hold the curve below all. Left out: the faster observers, whose quantiles are figures of the summary.

use super::ensemble::{self, Ensemble, EnsembleRun, Reached};
use super::figure::theme::Ink;
use super::figure::{Body, Curve, Distribution, Mark, Panel, Sheet};
use super::words::{self, Nanos};

/// One quantity over all runs in which there was something to wait for.
struct Times {
    /// Of the runs that got there, rising.
    values: Vec<Nanos>,
    never: usize,
}

impl Times {
    fn of(ensemble: &Ensemble, of: impl Fn(&EnsembleRun) -> Option<Reached>) -> Times {
        let mut times = Times { values: Vec::new(), never: 0 };
        for reached in ensemble.runs.iter().filter_map(of) {
            match reached {
                Reached::After(time) => times.values.push(time),
                Reached::Never => times.never += 1,
            }
        }
        times.values.sort_unstable();
        times
    }

    fn runs(&self) -> usize {
        self.values.len() + self.never
    }

    fn within(&self, percent: usize) -> Option<Nanos> {
        ensemble::within(&self.values, self.runs(), percent)
    }

    fn curve(&self, who: &str, ink: Ink) -> Curve {
        let who = if who.is_empty() { String::new() } else { format!("{who}: ") };
        let label = match self.never {
            0 => format!("{who}{}", words::count(self.runs() as u64, "run", "runs")),
            _ => format!("{who}{} of {} runs", self.values.len(), self.runs()),
        };
        Curve { label, ink, values: self.values.clone(), never: self.never }
    }
}

/// What a panel shows: of servers, and of client caches.
struct Story {
    name: &'static str,
    axis: &'static str,
    /// Completes "in 95 % of runs … within …".
    says: &'static str,
    /// Completes "3 runs …".
    never: [&'static str; 2],
    empty: &'static str,
    servers: fn(&EnsembleRun) -> Option<Reached>,
    caches: fn(&EnsembleRun) -> Option<Reached>,
}

const STORIES: [Story; 3] = [
    Story {
        name: "A new instance is listed by all within",
        axis: "time to list",
        says: "every server lists a new instance",
        never: ["has a server that never lists one", "have a server that never lists one"],
        empty: "No instance appeared in these runs",
        servers: |run| run.discovery,
        caches: |run| run.client_discovery,
    },
    Story {
        name: "One that is gone is forgotten by all within",
        axis: "time to forget",
        says: "forgets one that is gone",
        never: ["has a server that never forgets one", "have a server that never forgets one"],
        empty: "No instance left or died in these runs, or none that was listed",
        servers: |run| run.forgetting,
        caches: |run| run.client_forgetting,
    },
    Story {
        name: "All agree within",
        axis: "time to agree",
        says: "all agree",
        never: ["never agrees", "never agree"],
        empty: "No runs",
        servers: |run| Some(run.converged_after.map_or(Reached::Never, Reached::After)),
        caches: |_| None,
    },
];

/// The picture of all runs.
pub fn sheet(ensemble: &Ensemble) -> Sheet {
    let title = finding(ensemble);
    Sheet {
        subtitle: ensemble.origin(),
        description: format!(
            "Three empirical distributions over {}: the share of runs in which the last server, and the last client cache, lists a new \
             instance within a time, forgets one that is gone, and in which all agree. {title}.",
            words::count(ensemble.runs.len() as u64, "run", "runs")
        ),
        title,
        span: ensemble.span,
        panels: STORIES.iter().map(|story| panel(ensemble, story)).collect(),
        ..Sheet::default()
    }
}

fn finding(ensemble: &Ensemble) -> String {
    let runs = ensemble.runs.len();
    if runs == 0 {
        return "No runs".to_owned();
    }
    let (mut within, mut never) = (Vec::new(), Vec::new());
    for story in &STORIES {
        let times = Times::of(ensemble, story.servers);
        if let Some(most) = times.within(95) {
            let time =
                if most == 0 { "at once".to_owned() } else { format!("within {}", words::duration(most)) };
            within.push(format!("{} {time}", story.says));
        }
        if times.never > 0 {
            never.push(format!("{} {}", times.never, story.never[usize::from(times.never > 1)]));
        }
    }
    let runs = words::count(runs as u64, "run", "runs");
    match (within.is_empty(), never.is_empty()) {
        (true, _) => format!("Of {runs}, {}", clauses(&never)),
        (false, true) => format!("In 95 % of {runs} {}", clauses(&within)),
        (false, false) => format!("In 95 % of {runs} {}; {}", clauses(&within), clauses(&never)),
    }
}

/// `a`, `a and b`, `a, b and c`.
fn clauses(all: &[String]) -> String {
    match all {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

fn panel(ensemble: &Ensemble, story: &Story) -> Panel {
    let (servers, caches) = (Times::of(ensemble, story.servers), Times::of(ensemble, story.caches));
    let name = story.name.to_owned();
    let curves: Vec<Curve> = [(&servers, "last server", 0), (&caches, "last client cache", 1)]
        .into_iter()
        .filter(|(times, _, _)| !times.values.is_empty())
        .map(|(times, who, number)| {
            times.curve(if story.axis == "time to agree" { "" } else { who }, Ink::Series(number))
        })
        .collect();
    if curves.is_empty() {
        let why = match servers.never {
            0 => story.empty.to_owned(),
            never => format!("Never in any of {}", words::count(never as u64, "run", "runs")),
        };
        return Panel { name, note: String::new(), weight: 33, body: Body::Empty(why) };
    }
    let mark = |percent, name: &str| {
        let at = servers.within(percent)?;
        Some(Mark { at, label: format!("{name} {}", words::duration(at)) })
    };
    let marks = match (mark(50, "median"), mark(95, "p95")) {
        (Some(median), Some(p95)) if words::duration(median.at) == words::duration(p95.at) => {
            vec![Mark { label: format!("median and {}", p95.label), ..p95 }]
        }
        (median, p95) => [median, p95].into_iter().flatten().collect(),
    };
    let body = Body::Distribution(Distribution { curves, marks, axis: story.axis.to_owned() });
    Panel { name, note: note(&servers, &caches), weight: 33, body }
}

/// How many never got there, and what caches need; the marks are of the servers.
fn note(servers: &Times, caches: &Times) -> String {
    let never = |times: &Times| match times.never {
        0 => None,
        1 => Some("1 run never".to_owned()),
        more => Some(format!("{more} runs never")),
    };
    if caches.runs() == 0 {
        return never(servers).map_or("every run got there".to_owned(), |never| format!("{never} got there"));
    }
    let quantile = |name, percent| Some(format!("{name} {}", words::duration(caches.within(percent)?)));
    let of_caches = [quantile("median", 50), quantile("p95", 95), never(caches)];
    let of_caches: Vec<String> = of_caches.into_iter().flatten().collect();
    let of_servers = never(servers).map_or(String::new(), |never| format!("; servers: {never}"));
    format!("caches: {}{of_servers}", of_caches.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::figure::Span;
    use crate::report::figure::tests::{assert_labels_apart, assert_well_formed};
    use crate::report::words::SECOND;

    /// Runs that list after 1 s to 100 s, of which the first `never` never forget.
    fn many(runs: u64, never: u64) -> Ensemble {
        let run = |seed: u64| EnsembleRun {
            seed,
            converged_after: Some(seed * SECOND),
            discovery: Some(Reached::After(seed * SECOND)),
            client_discovery: Some(Reached::After(seed * 2 * SECOND)),
            forgetting: Some(if seed <= never { Reached::Never } else { Reached::After(seed * 3 * SECOND) }),
            client_forgetting: None,
            ..EnsembleRun::default()
        };
        Ensemble {
            scenario: "eureka/provider-crash".to_owned(),
            system: "Eureka".to_owned(),
            span: Span { start: 0, end: 600 * SECOND },
            runs: (1..=runs).map(run).collect(),
            ..Ensemble::default()
        }
    }

    #[test]
    fn the_finding_says_what_holds_for_most_runs_and_what_never_came() {
        let said = |runs, never| sheet(&many(runs, never)).title;
        assert_eq!(
            said(100, 0),
            "In 95 % of 100 runs every server lists a new instance within 95 s, forgets one that is gone within 4 min 45 s \
             and all agree within 95 s"
        );
        assert!(said(100, 1).ends_with("and all agree within 95 s; 1 has a server that never forgets one"));
        assert!(!said(100, 6).contains("forgets one that is gone"), "{}", said(100, 6));
        assert_eq!(said(0, 0), "No runs");
        let mut nothing = many(4, 4);
        for run in &mut nothing.runs {
            (run.discovery, run.converged_after) = (None, None);
        }
        assert_eq!(
            sheet(&nothing).title,
            "Of 4 runs, 4 have a server that never forgets one and 4 never agree"
        );
    }

    #[test]
    fn runs_and_quantiles_stand_in_the_picture() {
        let svg = sheet(&many(100, 3)).svg();
        for text in ["last server: 97 of 100 runs", "last client cache: 100 runs", "3 runs never", "p95 95 s"]
        {
            assert!(svg.contains(text), "{text}");
        }
    }

    #[test]
    fn every_ensemble_gives_a_legible_picture() {
        let mut bare = many(3, 0);
        bare.runs.iter_mut().for_each(|run| *run = EnsembleRun::default());
        for ensemble in [many(200, 3), many(1, 0), many(1, 1), many(0, 0), bare] {
            let sheet = sheet(&ensemble);
            assert_labels_apart(&sheet);
            assert_well_formed(&sheet.svg());
        }
    }
}
