//! `summary.md`: what a run, or many runs of one scenario, came to, for reading: verdict, checks, pictures, and every figure in
//! tables. What the figures mean is in `docs/metrics.md`.

use std::fmt::Write as _;

use serde_json::Number;

use super::measured::{Figure, GROUPS, LATENCIES, OUTCOMES, PAIRS, Unit};
use super::summary::{CheckResult, SeedsSummary, SpreadResult, Summary};
use crate::sim::ledger::{Ledger, PathClass, Tally};

/// One run. `finding` is the sentence above its first picture, `pictures` are files in the folder, with what they show, and `replay`
/// is the command that repeats it.
pub fn run(
    summary: &Summary,
    finding: &str,
    pictures: &[(String, &str)],
    cost: &Ledger,
    replay: &str,
) -> String {
    let mut page = format!("# {}\n\n", text(&summary.scenario));
    let _ = writeln!(page, "**{}**: {}\n", summary.verdict.name(), text(finding));
    let _ = writeln!(
        page,
        "{}, seed {}, digest {}, {} of virtual time, {} inputs.\n",
        text(&summary.system),
        summary.seed,
        summary.digest,
        Unit::Millis.said(summary.virtual_ms as f64),
        Unit::Count.said(summary.events as f64),
    );
    let _ = writeln!(page, "    {replay}\n");
    for (file, what) in pictures {
        let _ = writeln!(page, "![{what}]({file})\n");
    }
    page.push_str("## Checks\n\n");
    checks(&mut page, &summary.checks);
    for cure in &summary.cures {
        let _ = writeln!(page, "\n## With the cure: {}\n\n**{}**\n", text(&cure.about), cure.verdict.name());
        checks(&mut page, &cure.checks);
    }
    let metrics = &summary.metrics;
    let said =
        |name: &str, unit: Unit| metrics.get(name).and_then(Number::as_f64).map(|value| unit.said(value));
    for (title, figures) in GROUPS {
        section(&mut page, title, &["", "value"], |rows| {
            let some = figures
                .iter()
                .filter_map(|(name, label, unit)| Some(vec![(*label).to_owned(), said(name, *unit)?]));
            rows.extend(some);
        });
    }
    section(&mut page, "Latencies", &["", "best", "median", "p99", "worst"], |rows| {
        for (name, label) in LATENCIES {
            let of = |what: &str| said(&format!("{name}_{what}"), Unit::Millis);
            if let (Some(best), Some(median), Some(p99), Some(worst)) =
                (of("best"), of("median"), of("p99"), of("worst"))
            {
                rows.push(vec![label.to_owned(), best, median, p99, worst]);
            }
        }
    });
    let mut head = vec!["pairs of change and observer"];
    head.extend(OUTCOMES);
    section(&mut page, "Changes", &head, |rows| {
        for (name, label) in PAIRS {
            let outcomes = OUTCOMES.map(|outcome| said(&format!("{name}_{outcome}"), Unit::Count));
            let outcomes: Option<Vec<String>> = outcomes.into_iter().collect();
            rows.extend(outcomes.map(|outcomes| [vec![label.to_owned()], outcomes].concat()));
        }
    });
    messages(&mut page, cost);
    page
}

/// What each check said.
fn checks(page: &mut String, checks: &[CheckResult]) {
    table(page, &["check", "verdict", "at", "evidence"], |rows| {
        for check in checks {
            let at = check.at_ms.map(|at| Unit::Millis.said(at as f64)).unwrap_or_default();
            rows.push(vec![text(&check.name), check.verdict.name().to_owned(), at, text(&check.detail)]);
        }
    });
}

/// Many runs. `pictures` are files in the folder, with what they show; `failed` the commands that repeat the first that failed.
pub fn seeds(summary: &SeedsSummary, pictures: &[(String, &str)], failed: &[String]) -> String {
    let mut page = format!("# {}\n\n", text(&summary.scenario));
    let SeedsSummary { runs, held, violated, inconclusive, .. } = summary;
    let _ = writeln!(
        page,
        "**{held} of {runs} runs held**, {violated} were violated, {inconclusive} inconclusive. {}.\n",
        text(&summary.system)
    );
    for command in failed {
        let _ = writeln!(page, "    {command}");
    }
    if !failed.is_empty() {
        page.push('\n');
    }
    for (file, what) in pictures {
        let _ = writeln!(page, "![{what}]({file})\n");
    }
    let _ = writeln!(
        page,
        "Over runs: the *worst* is the highest, or the lowest of what should be high; *never* counts runs without.\n"
    );
    let head = ["", "median", "p5", "p95", "worst", "never"];
    for (title, figures) in GROUPS {
        section(&mut page, title, &head, |rows| {
            rows.extend(figures.iter().filter_map(|it| spread(summary, it)))
        });
    }
    section(&mut page, "Latencies", &head, |rows| {
        for (name, label) in LATENCIES {
            for what in ["best", "median", "p99", "worst"] {
                let name = format!("{name}_{what}");
                rows.extend(spread_of(summary, &name, &format!("{label}, {what}"), Unit::Millis));
            }
        }
    });
    section(&mut page, "Changes", &head, |rows| {
        for (name, label) in PAIRS {
            for outcome in OUTCOMES {
                let name = format!("{name}_{outcome}");
                rows.extend(spread_of(summary, &name, &format!("{label}, {outcome}"), Unit::Count));
            }
        }
    });
    page
}

fn spread(summary: &SeedsSummary, (name, label, unit): &Figure) -> Option<Vec<String>> {
    spread_of(summary, name, label, *unit)
}

fn spread_of(summary: &SeedsSummary, name: &str, label: &str, unit: Unit) -> Option<Vec<String>> {
    let SpreadResult { median, p5, p95, worst, never, .. } = summary.metrics.get(name)?;
    let mut row = vec![label.to_owned()];
    for value in [median, p5, p95, worst] {
        row.push(unit.said(value.as_f64()?));
    }
    row.push(if *never == 0 { String::new() } else { never.to_string() });
    Some(row)
}

/// Messages by kind and class of path.
fn messages(page: &mut String, cost: &Ledger) {
    let used: Vec<(PathClass, &str)> = PathClass::ALL
        .into_iter()
        .filter(|(class, _)| cost.rows().any(|row| row.tallies[*class as usize].messages > 0))
        .collect();
    let mut head = vec!["messages (bytes) by kind".to_owned()];
    head.extend(used.iter().map(|(_, name)| name.replace('_', " ")));
    let head: Vec<&str> = head.iter().map(String::as_str).collect();
    section(page, "Messages", &head, |rows| {
        for row in cost.rows() {
            let cell = |(class, _): &(PathClass, &str)| {
                let Tally { messages, bytes } = row.tallies[*class as usize];
                match messages {
                    0 => String::new(),
                    _ => {
                        format!("{} ({})", Unit::Count.said(messages as f64), Unit::Count.said(bytes as f64))
                    }
                }
            };
            rows.push([vec![row.kind.to_owned()], used.iter().map(cell).collect()].concat());
        }
    });
}

/// A table under a heading; nothing if it has no rows.
fn section(page: &mut String, title: &str, head: &[&str], fill: impl FnOnce(&mut Vec<Vec<String>>)) {
    let mut body = String::new();
    table(&mut body, head, fill);
    if !body.is_empty() {
        let _ = write!(page, "## {title}\n\n{body}");
    }
}

fn table(page: &mut String, head: &[&str], fill: impl FnOnce(&mut Vec<Vec<String>>)) {
    let mut rows = Vec::new();
    fill(&mut rows);
    if rows.is_empty() {
        return;
    }
    let _ = writeln!(page, "| {} |", head.join(" | "));
    let _ = writeln!(page, "|{}", "---|".repeat(head.len()));
    for row in rows {
        let _ = writeln!(page, "| {} |", row.join(" | "));
    }
    page.push('\n');
}

/// Text of a scenario, which must not become markup.
fn text(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    for letter in raw.chars() {
        match letter {
            '|' | '*' | '_' | '`' | '<' | '[' | ']' | '\\' | '#' => out.extend(['\\', letter]),
            letter if letter.is_control() => out.push(' '),
            letter => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Verdict;
    use crate::report::measured::Metrics;
    use crate::report::summary::CheckResult;

    fn metrics() -> Metrics {
        [("convergence_ms", 18_300), ("calls", 1_200), ("discovery_stable", 4), ("discovery_stale", 0)]
            .into_iter()
            .chain([("discovery_lost", 0), ("discovery_never", 1), ("discovery_overtaken", 0)])
            .chain([("discovery_ms_best", 100), ("discovery_ms_median", 2_000)])
            .chain([("discovery_ms_p99", 3_000), ("discovery_ms_worst", 3_000)])
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect()
    }

    #[test]
    fn a_run_as_a_page() {
        let check = CheckResult {
            name: "count: { is: \"<= 3\" }".to_owned(),
            verdict: Verdict::Violated,
            at_ms: Some(1_500),
            detail: "a | b".to_owned(),
        };
        let summary = Summary {
            scenario: "eureka/peer_down".to_owned(),
            system: "eureka".to_owned(),
            seed: 7,
            verdict: Verdict::Violated,
            digest: "9f3c".to_owned(),
            virtual_ms: 720_000,
            events: 183_422,
            wall_ms: 41,
            checks: vec![check],
            metrics: metrics(),
            cures: Vec::new(),
            report: None,
        };
        insta::assert_snapshot!(run(
            &summary,
            "Both agree 18.3 s later",
            &[("convergence.svg".to_owned(), "How the views came to agree")],
            &Ledger::default(),
            "regsim run x --seed 7"
        ));
    }

    #[test]
    fn many_runs_as_a_page() {
        let spread = |worst: u64, never| SpreadResult {
            median: 10_000.into(),
            p5: 5_000.into(),
            p95: 19_000.into(),
            worst: worst.into(),
            runs: 20 - never,
            never,
        };
        let summary = SeedsSummary {
            scenario: "eureka/split".to_owned(),
            system: "eureka".to_owned(),
            runs: 20,
            held: 18,
            violated: 2,
            inconclusive: 0,
            metrics: [
                ("convergence_ms".to_owned(), spread(20_000, 2)),
                ("discovery_ms_worst".to_owned(), spread(21_000, 0)),
            ]
            .into(),
        };
        let pictures = [("ensemble.svg".to_owned(), "All runs")];
        insta::assert_snapshot!(seeds(&summary, &pictures, &["regsim run x --seed 3".to_owned()]));
    }
}
