//! Figures for people: which belong together, how each is called, and the few that a terminal has room for.
//!
//! Separate from `markdown`, which sets them in tables, because the timeline says the same in the same words.

use std::collections::BTreeMap;

use serde_json::Number;

use super::summary::SeedsSummary;
use super::words;

/// What a figure counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Things, or a number without a unit.
    Count,
    /// Milliseconds.
    Millis,
    /// A share of 1.
    Share,
}

impl Unit {
    /// A value with its unit.
    pub fn said(self, value: f64) -> String {
        match self {
            Unit::Millis => words::duration((value.max(0.0) * 1e6) as u64),
            Unit::Share => format!("{:.2} %", value * 100.0),
            Unit::Count if value.fract() == 0.0 => words::grouped(value as i64),
            Unit::Count => format!("{value:.2}"),
        }
    }
}

/// A figure: its name in the summary, how it is called, what it counts.
pub type Figure = (&'static str, &'static str, Unit);

use Unit::{Count, Millis, Share};

/// All single figures, in groups.
pub const GROUPS: [(&str, &[Figure]); 6] = [
    (
        "Agreement",
        &[
            ("convergence_ms", "convergence after the last disturbance", Millis),
            ("disagreement_worst", "pairs that differed at once, at most", Count),
            ("disagreement_pair_seconds", "pairs that differed, times seconds", Count),
        ],
    ),
    (
        "Failure detection",
        &[
            ("registrations", "registrations", Count),
            ("renewals", "renewals", Count),
            ("evictions", "evictions", Count),
            ("evictions_of_dead", "of the dead", Count),
            ("false_evictions", "of the living", Count),
            ("missed_deaths", "dead and still listed at the end", Count),
            ("flaps", "living, ceased to be listed, listed again", Count),
            ("returns", "dead, ceased to be listed, listed again", Count),
        ],
    ),
    (
        "What callers felt",
        &[
            ("calls", "calls", Count),
            ("calls_answered_share", "answered", Share),
            ("calls_failed", "failed", Count),
            ("calls_without_instance", "no instance known", Count),
            ("calls_to_dead_instance", "dead instance chosen", Count),
            ("calls_cut_off", "live instance not reached in time", Count),
            ("longest_outage_ms", "longest outage of a caller", Millis),
            ("tries_per_call", "tries per call", Count),
            ("functional_effectiveness", "time in which the service could be used", Share),
            ("failure_detection_share", "time until a failure was detected", Share),
            ("restoration_share", "time without anything in its place", Share),
        ],
    ),
    (
        "Update of users",
        &[
            ("changes", "changes of truth", Count),
            ("update_responsiveness", "update responsiveness, median", Share),
            ("update_effectiveness", "update effectiveness", Share),
            ("messages_per_change", "messages per change", Count),
        ],
    ),
    (
        "Consistency",
        &[
            ("registration_never", "registrations never acknowledged", Count),
            ("write_unavailable_ms", "no server open for writes", Millis),
            ("reads", "look-ups for calls", Count),
            ("stale_reads", "stale ones", Count),
        ],
    ),
    (
        "Cost",
        &[
            ("messages", "messages", Count),
            ("bytes", "bytes", Count),
            ("messages_per_instance_minute", "messages per instance and minute", Count),
            ("bytes_per_instance_minute", "bytes per instance and minute", Count),
            ("requests_waiting_worst", "requests that waited at one process, at most", Count),
            ("tasks_accepted", "replication tasks", Count),
            ("tasks_merged", "merged with a newer one", Count),
            ("tasks_replayed", "tried again", Count),
            ("tasks_expired", "too old, dropped", Count),
            ("tasks_dropped", "dropped because a buffer was full", Count),
            ("tasks_not_found", "answered 404", Count),
            ("tasks_conflicting", "answered 409", Count),
            ("tasks_pending_worst", "waiting at one server, at most", Count),
        ],
    ),
];

/// Latencies: each has `_best`, `_median`, `_p99` and `_worst`.
pub const LATENCIES: [(&str, &str); 9] = [
    ("discovery_ms", "discovery, servers"),
    ("client_discovery_ms", "discovery, clients"),
    ("forgetting_ms", "forgetting, servers"),
    ("client_forgetting_ms", "forgetting, clients"),
    ("status_ms", "change of status, servers"),
    ("client_status_ms", "change of status, clients"),
    ("detection_ms", "detection of a death, servers"),
    ("registration_ms", "registration until acknowledged"),
    ("stale_read_age_ms", "age of stale reads"),
];

/// What became of pairs of change and observer: each has the ends of [`OUTCOMES`].
pub const PAIRS: [(&str, &str); 6] = [
    ("discovery", "discovery, servers"),
    ("client_discovery", "discovery, clients"),
    ("forgetting", "forgetting, servers"),
    ("client_forgetting", "forgetting, clients"),
    ("status", "change of status, servers"),
    ("client_status", "change of status, clients"),
];

/// How a pair can end.
pub const OUTCOMES: [&str; 5] = ["stable", "stale", "lost", "never", "overtaken"];

/// The figures of one run.
pub type Metrics = BTreeMap<String, Number>;

/// What was measured, in a line each with a word before it.
pub fn lines(metrics: &Metrics) -> Vec<(&'static str, String)> {
    let value = |name: &str| metrics.get(name).and_then(Number::as_f64);
    let said = |name: &str, unit: Unit| value(name).map(|value| unit.said(value));
    let mut lines = Vec::new();
    if let Some(calls) = said("calls", Count) {
        let mut line =
            format!("{} of {calls} answered", said("calls_answered_share", Share).unwrap_or_default());
        let causes = [
            ("calls_without_instance", "knew no instance"),
            ("calls_to_dead_instance", "to a dead one"),
            ("calls_cut_off", "cut off"),
        ];
        for (name, cause) in causes.into_iter().filter(|(name, _)| value(name) > Some(0.0)) {
            line += &format!(", {} {cause}", said(name, Count).unwrap_or_default());
        }
        if value("longest_outage_ms") > Some(0.0) {
            line += &format!("; longest outage {}", said("longest_outage_ms", Millis).unwrap_or_default());
        }
        lines.push(("calls", line));
    }
    let mut parts = Vec::new();
    for (name, what) in [("discovery", "discovered"), ("forgetting", "forgotten")] {
        let of = |class: &str| {
            let median = said(&format!("{class}{name}_ms_median"), Millis);
            let worst =
                said(&format!("{class}{name}_ms_worst"), Millis).map(|worst| format!("worst {worst}"));
            let failed = ["lost", "never"].into_iter().filter_map(|outcome| {
                let count = value(&format!("{class}{name}_{outcome}")).filter(|count| *count > 0.0)?;
                Some(format!("{outcome} {}", Count.said(count)))
            });
            let rest: Vec<String> = worst.into_iter().chain(failed).collect();
            (!rest.is_empty())
                .then(|| format!("{} ({})", median.unwrap_or("not at all".to_owned()), rest.join(", ")))
        };
        let classes = [("", "servers"), ("client_", "clients")];
        let some = classes.into_iter().filter_map(|(class, who)| Some(format!("{who} {}", of(class)?)));
        let some: Vec<String> = some.collect();
        if !some.is_empty() {
            parts.push(format!("{what} by {}", some.join(", ")));
        }
    }
    if !parts.is_empty() {
        lines.push(("changes", parts.join("; ")));
    }
    lines
}

/// The figures that matter most over many runs.
const CHIEF: [Figure; 7] = [
    ("convergence_ms", "convergence", Millis),
    ("discovery_ms_worst", "discovery, servers, worst", Millis),
    ("client_discovery_ms_worst", "discovery, clients, worst", Millis),
    ("forgetting_ms_worst", "forgetting, servers, worst", Millis),
    ("client_forgetting_ms_worst", "forgetting, clients, worst", Millis),
    ("calls_answered_share", "calls answered", Share),
    ("longest_outage_ms", "longest outage", Millis),
];

/// What was measured over many runs, a line a figure.
pub fn spread_lines(summary: &SeedsSummary) -> Vec<String> {
    let line = |(name, label, unit): &Figure| {
        let spread = summary.metrics.get(*name)?;
        let said = |value: &Number| value.as_f64().map(|value| unit.said(value));
        let never = match spread.never {
            0 => String::new(),
            never => format!(", never in {never} of {}", summary.runs),
        };
        let (median, p5, p95) = (said(&spread.median)?, said(&spread.p5)?, said(&spread.p95)?);
        let worst = said(&spread.worst)?;
        let pairs = name.strip_suffix("_ms_worst").and_then(|of| summary.metrics.get(&format!("{of}_never")));
        let missing = pairs.and_then(|spread| spread.median.as_f64()).filter(|count| *count > 0.0);
        let missing = missing
            .map_or(String::new(), |count| format!("; pairs that never: median {}", Count.said(count)));
        Some(format!("  {label:<27} median {median}, p5 {p5}, p95 {p95}, worst {worst}{never}{missing}"))
    };
    CHIEF.iter().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics(figures: &[(&str, f64)]) -> Metrics {
        let number = |value| Number::from_f64(value).expect("finite");
        figures.iter().map(|(name, value)| ((*name).to_owned(), number(*value))).collect()
    }

    #[test]
    fn values_have_their_unit() {
        assert_eq!(Unit::Millis.said(18_320.0), "18.3 s");
        assert_eq!(Unit::Share.said(0.99213), "99.21 %");
        assert_eq!(Unit::Count.said(-1_234_567.0), "-1 234 567");
        assert_eq!((Unit::Count.said(123.0), Unit::Count.said(1.5)), ("123".to_owned(), "1.50".to_owned()));
    }

    #[test]
    fn what_never_came_stands_beside_what_did() {
        let some =
            metrics(&[("discovery_ms_median", 2.0), ("discovery_ms_worst", 9.0), ("discovery_never", 3.0)]);
        assert_eq!(
            lines(&some),
            [("changes", "discovered by servers 2 ms (worst 9 ms, never 3)".to_owned())]
        );
        let none = metrics(&[("client_forgetting_never", 1.0), ("client_forgetting_lost", 0.0)]);
        assert_eq!(lines(&none), [("changes", "forgotten by clients not at all (never 1)".to_owned())]);
    }

    #[test]
    fn a_terminal_gets_calls_and_changes() {
        let some = metrics(&[
            ("calls", 1200.0),
            ("calls_answered_share", 0.9),
            ("calls_without_instance", 0.0),
            ("calls_to_dead_instance", 120.0),
            ("longest_outage_ms", 12_000.0),
            ("discovery_ms_median", 2_000.0),
            ("discovery_ms_worst", 5_000.0),
            ("client_forgetting_ms_median", 90_000.0),
            ("client_forgetting_ms_worst", 180_000.0),
        ]);
        let said = lines(&some);
        assert_eq!(
            said[0],
            ("calls", "90.00 % of 1 200 answered, 120 to a dead one; longest outage 12 s".to_owned())
        );
        assert_eq!(
            said[1],
            (
                "changes",
                "discovered by servers 2 s (worst 5 s); forgotten by clients 90 s (worst 3 min)".to_owned()
            )
        );
        assert_eq!(lines(&metrics(&[("renewals", 3.0)])), []);
    }
}
