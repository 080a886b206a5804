//! What happened in one run, as its picture and its timeline need it, and the finding that both print on top.
//!
//! Separate so that the title of the picture, the line on the terminal and the screen-reader text are one sentence from one
//! source. It is plain data: whoever measures fills it. Left out: verdicts, which judge, while this only shows.

use super::figure::{Band, Mark, Span};
use super::words::{self, Nanos};

/// A count from each time on, in time order; `None` while there is none, such as on a server that is down.
pub type Track = Vec<(Nanos, Option<u64>)>;

/// One run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunView {
    /// Name of the scenario, such as `eureka/peer-down`.
    pub scenario: String,
    /// The system as people call it, such as `Eureka`.
    pub system: String,
    pub seed: u64,
    /// The digest of the history, as it is printed.
    pub digest: String,
    /// The virtual time of the run.
    pub span: Span,
    /// Faults that last, by their names in the scenario.
    pub bands: Vec<Band>,
    /// Faults and changes of truth of an instant.
    pub marks: Vec<Mark>,
    /// In the order of the scenario, which fixes their colours.
    pub servers: Vec<ServerView>,
    /// The caches of subscribed clients, if there are any.
    pub caches: Option<CachesView>,
    /// The clusters: servers that replicate to each other, and whoever registers or looks up there.
    pub clusters: Vec<ClusterView>,
    /// The last disturbance or change of truth.
    pub last_disturbance: Option<Disturbance>,
    /// From when on no view differs from the truth until the end; `None`: some still do.
    pub converged_at: Option<Nanos>,
}

/// What moved a run away from agreement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disturbance {
    pub at: Nanos,
    /// Completes "after …": `the split healed`, `peer2 restarted`.
    pub what: String,
}

/// What one server held and knew.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServerView {
    pub name: String,
    /// Instances for which its view differs from the truth.
    pub differing: Track,
    /// Instances that it lists.
    pub listed: Track,
    /// Renewals in its last minute.
    pub renewals: Track,
    /// Below how many renewals it stops to evict.
    pub threshold: Track,
    /// When it protected its entries (self-preservation).
    pub protected: Vec<Span>,
}

/// A cluster.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClusterView {
    /// Names of its servers.
    pub servers: Vec<String>,
    /// How many instances of it are running and want traffic.
    pub living: Track,
}

/// What the caches of subscribed clients held.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CachesView {
    /// How many caches there are.
    pub count: u64,
    /// (cache, instance) pairs for which cache and truth differ.
    pub differing: Track,
}

impl RunView {
    /// What a reader should know after five seconds, in a sentence.
    pub fn finding(&self) -> String {
        let agreement = match (self.converged_at, &self.last_disturbance) {
            (Some(at), Some(last)) if at > last.at => {
                let again = if self.bands.is_empty() && self.marks.is_empty() { "" } else { " again" };
                let taken = words::duration(at - last.at);
                format!("{}{again} {taken} after {}", self.subject(), last.what)
            }
            (Some(_), Some(last)) => format!("{} at once when {}", self.subject(), last.what),
            (Some(at), None) => {
                format!(
                    "{} {} into the run",
                    self.subject(),
                    words::duration(at.saturating_sub(self.span.start))
                )
            }
            (None, _) if self.pairs_at_end() == 0 => "Never converged within the run".to_owned(),
            (None, last) => {
                let since = last.as_ref().map(|last| (self.span.end.saturating_sub(last.at), &last.what));
                let since = since.map(|(time, what)| format!(", {} after {what}", words::duration(time)));
                let verb = if self.pairs_at_end() == 1 { "differs" } else { "differ" };
                let pairs = words::count(self.pairs_at_end(), "entry", "entries");
                format!(
                    "Never converged: {pairs} still {verb} from the truth at the end{}",
                    since.unwrap_or_default()
                )
            }
        };
        match self.protection() {
            Some(protection) => format!("{agreement}; {protection}"),
            None => agreement,
        }
    }

    /// Who agrees, with the verb.
    fn subject(&self) -> String {
        // Nobody agrees with those of another cluster.
        match self.clusters.len() {
            0 | 1 => {}
            2 => return "Both clusters, each in itself, agree".to_owned(),
            more => return format!("All {more} clusters, each in itself, agree"),
        }
        let servers = match self.servers.as_slice() {
            [] => return "Every view agrees".to_owned(),
            [one] if self.caches.is_none() => return format!("{} agrees with the truth", one.name),
            [one] => one.name.clone(),
            [_, _] => "Both servers".to_owned(),
            more => format!("All {} servers", more.len()),
        };
        match &self.caches {
            Some(caches) if caches.count == 1 => format!("{servers} and the client cache agree"),
            Some(caches) if caches.count == 2 => format!("{servers} and both client caches agree"),
            Some(caches) => format!("{servers} and all {} client caches agree", caches.count),
            None => format!("{servers} agree"),
        }
    }

    /// Who protected its entries since the first fault, and for how long at most. Before that servers protect themselves because
    /// few renewals have come yet, which is no news.
    fn protection(&self) -> Option<String> {
        let since = self.first_fault()?;
        let spent: Vec<(&str, Nanos)> = self
            .servers
            .iter()
            .map(|server| (server.name.as_str(), server.protected_since(since)))
            .filter(|&(_, time)| time > 0)
            .collect();
        let longest = spent.iter().map(|&(_, time)| time).max()?;
        let names: Vec<&str> = spent.iter().map(|&(name, _)| name).collect();
        let (who, itself) = match names.as_slice() {
            [one] => ((*one).to_owned(), "itself"),
            all if all.len() == self.servers.len() && all.len() > 2 => {
                ("all servers".to_owned(), "themselves")
            }
            some => (words::names(some), "themselves"),
        };
        let limit = if names.len() == 1 { "" } else { "up to " };
        Some(format!("{who} protected {itself} for {limit}{}", words::duration(longest)))
    }

    /// (observer, instance) pairs that differ from the truth at the end; observers that are down do not count.
    pub fn pairs_at_end(&self) -> u64 {
        let caches = self.caches.iter().map(|caches| &caches.differing);
        let tracks = self.servers.iter().map(|server| &server.differing).chain(caches);
        tracks.filter_map(|track| track.last().and_then(|&(_, value)| value)).sum()
    }

    /// When the first fault began.
    pub fn first_fault(&self) -> Option<Nanos> {
        first_fault(&self.bands, &self.marks)
    }

    /// Scenario, system, seed and digest, in a line.
    pub fn origin(&self) -> String {
        let digest =
            if self.digest.is_empty() { String::new() } else { format!(" · digest {}", self.digest) };
        format!("{} · {} · seed {}{digest}", self.scenario, self.system, self.seed)
    }

    /// The servers that differed most from the truth, at most `most` of them, in the order of the scenario.
    pub fn worst_servers(&self, most: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.servers.len()).collect();
        order.sort_by_key(|&index| {
            (std::cmp::Reverse(area(&self.servers[index].differing, self.span)), index)
        });
        order.truncate(most);
        order.sort_unstable();
        order
    }
}

/// Start-up that would dwarf what follows the first fault: filling the registry is not the story of a scenario that has faults.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StartUp {
    /// The highest value before the first fault.
    pub peak: f64,
    /// The highest one after it.
    pub ceiling: f64,
}

impl StartUp {
    /// How many times higher than the rest start-up must be to be cut off.
    const OVER_STORY: f64 = 2.0;

    /// Of several lines, each as values from a time on, until `end`; `None` if start-up may be shown whole.
    pub fn of<'a>(
        first_fault: Option<Nanos>,
        end: Nanos,
        lines: impl Iterator<Item = &'a [(Nanos, Option<f64>)]>,
    ) -> Option<StartUp> {
        let first = first_fault?;
        let (mut before, mut after) = (0.0, 0.0);
        for points in lines {
            let ends = points.iter().skip(1).map(|&(at, _)| at).chain([end]);
            for (&(from, value), to) in points.iter().zip(ends) {
                // A value that still holds at the first fault belongs to what follows.
                let peak: &mut f64 = if to > first { &mut after } else { &mut before };
                *peak = peak.max(value.filter(|_| from < to).unwrap_or(0.0));
            }
        }
        (after > 0.0 && before > Self::OVER_STORY * after).then_some(StartUp { peak: before, ceiling: after })
    }

    /// What a reader must know.
    pub fn note(&self) -> String {
        format!("start-up (up to {}) is cut off", self.peak.ceil())
    }
}

/// When the first of these faults began.
pub fn first_fault(bands: &[Band], marks: &[Mark]) -> Option<Nanos> {
    bands.iter().map(|band| band.span.start).chain(marks.iter().map(|mark| mark.at)).min()
}

impl ServerView {
    /// How long it protected its entries from a moment on.
    fn protected_since(&self, since: Nanos) -> Nanos {
        let within = |span: &Span| span.end.saturating_sub(span.start.max(since));
        self.protected.iter().map(within).fold(0, Nanos::saturating_add)
    }
}

/// Count times duration.
fn area(track: &Track, span: Span) -> u128 {
    let ends = track.iter().skip(1).map(|&(at, _)| at).chain([span.end]);
    track
        .iter()
        .zip(ends)
        .map(|(&(from, value), to)| u128::from(value.unwrap_or(0)) * u128::from(to.saturating_sub(from)))
        .sum()
}

#[cfg(test)]
pub mod samples {
    //! Runs that the tests of several reports look at.

    use super::*;
    use crate::report::words::{MINUTE, SECOND};

    fn track(points: &[(u64, i64)]) -> Track {
        points.iter().map(|&(at, value)| (at * SECOND, u64::try_from(value).ok())).collect()
    }

    fn span(start: u64, end: u64) -> Span {
        Span { start: start * SECOND, end: end * SECOND }
    }

    /// Two servers that a partition separates for 90 s; peer2 is down before (negative counts: down).
    pub fn split() -> RunView {
        let peer1 = ServerView {
            name: "peer1".to_owned(),
            differing: track(&[(0, 0), (10, 3), (40, 0), (370, 2), (380, 5), (452, 2), (465, 0)]),
            listed: track(&[(0, 0), (12, 3), (40, 6), (370, 4), (380, 1), (452, 4), (465, 6)]),
            renewals: track(&[(0, 0), (60, 6), (120, 12), (370, 9), (430, 6), (480, 12)]),
            threshold: track(&[(0, 1), (60, 10)]),
            protected: vec![span(430, 480)],
        };
        let peer2 = ServerView {
            name: "peer2".to_owned(),
            differing: track(&[
                (0, 0),
                (12, 3),
                (30, -1),
                (300, 3),
                (330, 0),
                (375, 2),
                (390, 4),
                (454, 1),
                (468, 0),
            ]),
            listed: track(&[
                (0, 0),
                (12, 3),
                (30, -1),
                (300, 0),
                (330, 6),
                (375, 4),
                (390, 2),
                (454, 5),
                (468, 6),
            ]),
            renewals: track(&[(0, 0), (30, -1), (300, 0), (360, 12), (410, 6), (510, 12)]),
            threshold: track(&[(0, 1), (60, 10)]),
            protected: vec![span(410, 510)],
        };
        RunView {
            scenario: "eureka/partition-between-peers".to_owned(),
            system: "Eureka".to_owned(),
            seed: 1,
            digest: "9f3c2a4b00d1e2f3".to_owned(),
            span: Span { start: 0, end: 12 * MINUTE },
            bands: vec![Band { span: span(360, 450), label: "split".to_owned() }],
            marks: vec![
                Mark { at: 30 * SECOND, label: "crash of peer2".to_owned() },
                Mark { at: 300 * SECOND, label: "restart of peer2".to_owned() },
            ],
            servers: vec![peer1, peer2],
            caches: Some(CachesView {
                count: 2,
                differing: track(&[(0, 0), (15, 6), (60, 0), (400, 3), (466, 0)]),
            }),
            clusters: vec![ClusterView {
                servers: vec!["peer1".to_owned(), "peer2".to_owned()],
                living: track(&[(0, 0), (10, 6)]),
            }],
            last_disturbance: Some(Disturbance { at: 450 * SECOND, what: "the split healed".to_owned() }),
            converged_at: Some(468_300 * (SECOND / 1_000)),
        }
    }

    /// Nothing goes wrong.
    pub fn calm() -> RunView {
        let mut run = split();
        run.bands.clear();
        run.marks.clear();
        run.caches = None;
        run.last_disturbance = None;
        run.converged_at = Some(40 * SECOND);
        for server in &mut run.servers {
            server.differing = track(&[(0, 0), (10, 3), (40, 0)]);
            server.listed = track(&[(0, 0), (12, 3), (40, 6)]);
            server.renewals = track(&[(0, 0), (60, 6), (120, 12)]);
            server.protected.clear();
        }
        run
    }

    /// Many servers with long names that never agree.
    pub fn crowded() -> RunView {
        let mut run = split();
        run.converged_at = None;
        let peer = run.servers[0].clone();
        run.servers = (0..17)
            .map(|k| {
                let mut server = peer.clone();
                server.name = format!("eureka-server-{k}.production.beijing-a.example.internal");
                server.differing.push(((600 + k) * SECOND, Some(k % 4)));
                server.threshold.push((500 * SECOND, Some(10 + k)));
                server.protected = vec![span(430 + k, 500 + k)];
                server
            })
            .collect();
        for k in 0..8 {
            let label = format!("the link between Beijing and region {k} is cut by an excavator");
            run.bands.push(Band { span: span(20 + 30 * k, 40 + 30 * k), label });
            run.marks.push(Mark { at: (25 + 31 * k) * SECOND, label: format!("crash of provider/{k}") });
        }
        run
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::words::SECOND;

    #[test]
    fn the_finding_says_who_when_and_what_was_kept() {
        assert_eq!(
            samples::split().finding(),
            "Both servers and both client caches agree again 18.3 s after the split healed; peer1 and peer2 protected \
             themselves for up to 100 s"
        );
        assert_eq!(samples::calm().finding(), "Both servers agree 40 s into the run");
        let crowded = samples::crowded().finding();
        assert!(
            crowded.starts_with("Never converged: 24 entries still differ from the truth at the end, 4 min"),
            "{crowded}"
        );
        assert!(crowded.ends_with("; all servers protected themselves for up to 70 s"), "{crowded}");
        let mut alone = samples::calm();
        alone.servers.truncate(1);
        assert_eq!(alone.finding(), "peer1 agrees with the truth 40 s into the run");
        assert_eq!(RunView::default().finding(), "Never converged within the run");
        let mut apart = samples::split();
        apart.clusters.push(ClusterView::default());
        assert!(
            apart.finding().starts_with("Both clusters, each in itself, agree again 18.3 s after the split")
        );
        apart.clusters.push(ClusterView::default());
        assert!(apart.finding().starts_with("All 3 clusters, each in itself, agree again 18.3 s after"));
        let mut untouched = samples::split();
        untouched.converged_at = Some(5 * SECOND);
        assert!(
            untouched.finding().contains("agree at once when the split healed"),
            "{}",
            untouched.finding()
        );
    }

    #[test]
    fn a_value_that_holds_at_the_first_fault_is_no_start_up() {
        let of = |points: &[(Nanos, Option<f64>)]| StartUp::of(Some(50), 100, std::iter::once(points));
        assert_eq!(of(&[(0, Some(9.0)), (50, Some(2.0))]), Some(StartUp { peak: 9.0, ceiling: 2.0 }));
        assert_eq!(of(&[(0, Some(9.0)), (51, Some(2.0))]), None);
        assert_eq!(of(&[(0, Some(9.0)), (50, Some(0.0))]), None, "nothing follows that it could dwarf");
    }

    #[test]
    fn the_worst_servers_are_those_that_differed_most_and_longest() {
        assert_eq!(samples::split().worst_servers(1), [0]);
        assert_eq!(samples::split().worst_servers(9), [0, 1]);
    }
}
