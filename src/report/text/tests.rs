use super::*;
use crate::report::view::samples;

fn check(name: &str, verdict: Verdict, at_ms: Option<u64>, detail: &str) -> CheckResult {
    CheckResult { name: name.to_owned(), verdict, at_ms, detail: detail.to_owned() }
}

fn checks() -> Vec<CheckResult> {
    vec![
        check(
            "converged",
            Verdict::Holds,
            Some(468_300),
            "every view is the truth, 18.3 s after the split healed (within 60 s)",
        ),
        check(
            "no-live-instance-evicted",
            Verdict::Violated,
            Some(421_000),
            "peer2 evicted provider/0, which had renewed 12 s before and was renewed again 3 s later by its own heartbeat",
        ),
        check("no-resurrection", Verdict::Inconclusive, None, "nothing was removed"),
    ]
}

fn rendered(run: &RunView, checks: &[CheckResult], colour: bool) -> String {
    Timeline {
        run,
        verdict: checks.iter().map(|check| check.verdict).max().unwrap_or(Verdict::Holds),
        checks,
        cures: &[],
        measured: &[],
        happened: &[],
        replay: Some("regsim run scenarios/eureka/partition-between-peers.yaml --seed 1"),
        report: Some("reports/eureka/partition-between-peers/seed-1"),
        columns: 96,
        colour,
    }
    .render()
}

#[test]
fn a_busy_run_on_one_screen() {
    insta::assert_snapshot!(rendered(&samples::split(), &checks(), false));
}

#[test]
fn what_was_measured_stands_above_the_verdicts() {
    let run = samples::calm();
    let measured = [("calls", "90 % of 1 200 answered".to_owned()), ("changes", "x".repeat(200))];
    let timeline = Timeline {
        run: &run,
        verdict: Verdict::Holds,
        checks: &checks()[..1],
        cures: &[],
        measured: &measured,
        happened: &[],
        replay: None,
        report: None,
        columns: 80,
        colour: false,
    };
    let rendered = timeline.render();
    let at = |word: &str| rendered.lines().position(|line| line.starts_with(word)).expect(word);
    assert!(
        at("calls      90 % of 1 200 answered") < at("changes    xxx") && at("changes") < at("✓ converged")
    );
    assert!(rendered.lines().all(|line| columns(line) <= 80));
}

#[test]
fn a_quiet_run_is_short() {
    insta::assert_snapshot!(rendered(&samples::calm(), &checks()[..1], false));
}

#[test]
fn a_crowded_run_counts_what_it_cannot_show() {
    let many: Vec<CheckResult> =
        (0..30).map(|k| check(&format!("check-{k}"), Verdict::Holds, Some(k * 1_000), "held")).collect();
    insta::assert_snapshot!(rendered(&samples::crowded(), &many, false));
}

/// A cure that does its work is one line; what it leaves broken is named.
#[test]
fn a_cure_says_whether_all_holds_with_it() {
    let cure = |about: &str, checks: Vec<CheckResult>| CureResult {
        about: about.to_owned(),
        verdict: checks.iter().map(|check| check.verdict).max().unwrap_or(Verdict::Holds),
        digest: String::new(),
        checks,
        metrics: std::collections::BTreeMap::new(),
    };
    let cures = [cure("names of their own", checks()[..1].to_vec()), cure("nothing much", checks())];
    let run = samples::calm();
    let rendered = Timeline {
        run: &run,
        verdict: Verdict::Violated,
        checks: &checks()[..1],
        cures: &cures,
        measured: &[],
        happened: &[],
        replay: None,
        report: None,
        columns: 96,
        colour: false,
    }
    .render();
    let from = rendered.find("✓ cure").expect("the cures are shown");
    let lines: Vec<&str> = rendered[from..].lines().collect();
    assert_eq!(lines[0], "✓ cure: names of their own, all holds with it");
    assert_eq!(lines[1], "✗ cure: nothing much, 1 violated with it");
    assert!(lines[2].starts_with("  ✗ no-live-instance-evicted"), "{}", lines[2]);
}

#[test]
fn what_had_nothing_to_judge_comes_last_in_a_run_that_holds() {
    let check = |name: &str, verdict| check(name, verdict, None, "");
    let checks = [check("idle", Verdict::Inconclusive), check("good", Verdict::Holds)];
    let first = |verdict| {
        let run = samples::calm();
        let lines = Timeline {
            run: &run,
            verdict,
            checks: &checks,
            cures: &[],
            measured: &[],
            happened: &[],
            replay: None,
            report: None,
            columns: 96,
            colour: false,
        }
        .verdicts(9);
        lines[0].clone()
    };
    assert!(first(Verdict::Holds).contains("good"));
    assert!(first(Verdict::Inconclusive).contains("idle"));
}

#[test]
fn every_screen_fits() {
    let odd = RunView { span: Span { start: 7, end: 3 }, converged_at: Some(1), ..samples::split() };
    for run in [samples::split(), samples::calm(), samples::crowded(), odd, RunView::default()] {
        let screen = rendered(&run, &checks(), false);
        assert!(screen.lines().count() <= LINES, "{screen}");
        assert!(screen.lines().all(|line| columns(line) <= 96), "{screen}");
    }
}

#[test]
fn a_narrow_terminal_is_not_written_over() {
    let wide = |columns_of: usize| {
        let run = samples::crowded();
        let screen = Timeline {
            run: &run,
            verdict: Verdict::Violated,
            checks: &checks(),
            cures: &[],
            measured: &[],
            happened: &[],
            replay: None,
            report: None,
            columns: columns_of,
            colour: false,
        };
        screen.render().lines().map(columns).max().unwrap_or(0)
    };
    assert!(wide(60) <= 60 && wide(72) <= 72, "{} {}", wide(60), wide(72));
    assert_eq!((wide(10), wide(500)), (wide(60), wide(100)), "between the narrowest and the widest");
}

#[test]
fn what_happened_stands_between_the_chart_and_the_verdicts() {
    let (run, checks) = (samples::split(), checks());
    let happened = ["     40.000s  ── peer2 dies".to_owned()];
    let timeline = Timeline {
        run: &run,
        verdict: Verdict::Violated,
        checks: &checks,
        cures: &[],
        measured: &[],
        happened: &happened,
        replay: None,
        report: None,
        columns: 96,
        colour: false,
    };
    let told = timeline.render();
    let without = Timeline { happened: &[], ..timeline }.render();
    let at = |word: &str| told.find(word).unwrap_or_else(|| panic!("{word} in {told}"));
    assert!(at("agreement") < at("peer2 dies") && at("peer2 dies") < at("converged"));
    assert_eq!(told.replace("\n     40.000s  ── peer2 dies\n", ""), without, "and takes no line from them");
}

#[test]
fn colours_come_only_when_asked_for_and_change_no_letter() {
    let run = samples::split();
    let plain = rendered(&run, &checks(), false);
    let coloured = rendered(&run, &checks(), true);
    assert!(!plain.contains('\x1b') && coloured.contains("\x1b[1;31m✗\x1b[0m"));
    let mut stripped = coloured;
    for colour in [RED, GREEN, YELLOW, "0"] {
        stripped = stripped.replace(&format!("\x1b[{colour}m"), "");
    }
    assert_eq!(stripped, plain);
}

#[test]
fn a_short_spike_shows_as_the_highest_of_its_column() {
    let span = Span { start: 0, end: 100 };
    let track = vec![(0, Some(1)), (12, Some(9)), (13, Some(0)), (50, None), (69, Some(2))];
    assert_eq!(
        highest(&track, span, 10),
        [Some(1), Some(9), Some(0), Some(0), Some(0), None, Some(2), Some(2), Some(2), Some(2)]
    );
    assert_eq!(latest(&track, span, 5), [Some(0), Some(0), None, Some(2), Some(2)]);
}

#[test]
fn wide_letters_take_two_columns() {
    assert_eq!(columns("注册中心 a"), 10);
    assert_eq!(fit("注册中心", 5), "注册…");
    assert_eq!(fit("a\u{1b}b", 5), "a b");
}
