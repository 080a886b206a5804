//! From a plan and what was measured to what the reports show.
//!
//! It is the one place in `report/` that knows plans, series and findings, so that the other files stay plain data in, picture
//! or text out.

use std::collections::BTreeMap;
use std::time::Duration;

use super::beliefs::BeliefsView;
use super::calls::{CallsView, OutageView};
use super::ensemble::{Ensemble, EnsembleRun, Reached};
use super::figure::theme::Tone;
use super::figure::{Band, Mark, Span};
use super::summary::{CheckResult, SpreadResult};
use super::view::{CachesView, ClusterView, Disturbance, RunView, ServerView, Track};
use super::words;
use crate::check::Finding;
use crate::metric::beliefs::{self, Belief, Held};
use crate::metric::{Beliefs, ClusterSeries, Figures, Measured, Series, ServerSeries, spread};
use crate::plan::Plan;
use crate::plan::world::Step;
use crate::protocol::SimTime;

/// One run as its picture and its timeline show it.
pub fn view(plan: &Plan, seed: u64, digest: &str, measured: &Measured) -> RunView {
    let end = plan.world.duration;
    let (bands, marks) = faults(plan, &measured.fired);
    RunView {
        scenario: plan.name.clone(),
        system: system(plan),
        seed,
        digest: digest.to_owned(),
        span: span(SimTime::ZERO, end),
        bands,
        marks,
        servers: measured.servers.iter().map(|series| server(series, end)).collect(),
        caches: (measured.subscribers > 0).then(|| CachesView {
            count: u64::from(measured.subscribers),
            differing: track(&measured.caches),
        }),
        clusters: measured.clusters.iter().map(cluster).collect(),
        last_disturbance: disturbance(plan, measured.last_disturbance, &measured.fired),
        converged_at: measured.converged.map(|at| at.0),
    }
}

/// Many runs of a plan, each by its seed.
pub fn ensemble<'a>(plan: &Plan, runs: impl Iterator<Item = (u64, &'a Measured)>) -> Ensemble {
    // What waits for something has another time in each run.
    let (bands, marks) = faults(plan, &[]);
    let mut last = None;
    let runs: Vec<EnsembleRun> = runs
        .map(|(seed, measured)| {
            last = last.max(Some(measured.last_disturbance));
            let after = |at: SimTime| at.0.saturating_sub(measured.last_disturbance.0);
            EnsembleRun {
                seed,
                differing: track(&measured.disagreement),
                converged_after: measured.converged.map(after),
                discovery: reached(&measured.figures, "discovery"),
                client_discovery: reached(&measured.figures, "client_discovery"),
                forgetting: reached(&measured.figures, "forgetting"),
                client_forgetting: reached(&measured.figures, "client_forgetting"),
            }
        })
        .collect();
    let measured_from = last.and_then(|at| disturbance(plan, at, &[])).map(|last| last.what);
    Ensemble {
        scenario: plan.name.clone(),
        system: system(plan),
        span: span(SimTime::ZERO, plan.world.duration),
        bands,
        marks,
        measured_from: measured_from.unwrap_or_default(),
        runs,
    }
}

/// When the slowest observer had learned of the last change of a kind; `None` if there was none.
fn reached(figures: &Figures, name: &str) -> Option<Reached> {
    let figure = |what: &str| figures.get(&format!("{name}_{what}")).copied();
    let missing = ["lost", "never"].into_iter().filter_map(figure).any(|pairs| pairs > 0.0);
    let time = |millis: f64| Reached::After((millis.max(0.0) * 1e6) as u64);
    if missing { Some(Reached::Never) } else { figure("ms_worst").map(time) }
}

/// The calls of a run; `None` if nobody calls anybody in it.
pub fn calls(plan: &Plan, measured: &Measured) -> Option<CallsView> {
    let world = &plan.world;
    let callers = &measured.callers;
    let second = |it: &crate::metric::callers::Second| {
        [it.answered, it.no_instance, it.dead_instance, it.cut_off].map(u64::from)
    };
    let outage = callers.outage.map(|outage| OutageView {
        span: span(outage.from, outage.to.min(world.duration)),
        caller: world.processes[outage.caller.index()].name.clone(),
        service: world.services[outage.service.index()].clone(),
    });
    (!world.traffic.is_empty()).then(|| CallsView {
        first_second: callers.first_second,
        seconds: callers.seconds.iter().map(second).collect(),
        outage,
    })
}

/// Who believed what, or why that is not known.
pub fn beliefs(measured: &Measured) -> Result<BeliefsView, String> {
    let matrix = match &measured.beliefs {
        Beliefs::Kept(matrix) => matrix,
        Beliefs::TooManyPairs(pairs) => {
            let (pairs, most) = (words::grouped(*pairs as i64), words::grouped(beliefs::CELLS as i64));
            return Err(format!(
                "There are {pairs} pairs of observer and instance; up to {most} are followed"
            ));
        }
        Beliefs::TooManyChanges(at) => {
            let most = words::grouped(beliefs::STEPS as i64);
            let at = words::duration(at.0);
            return Err(format!("After {at} more than {most} beliefs had changed; so many are not followed"));
        }
    };
    let width = matrix.instances.len();
    let cell = |(pair, held): (usize, &Vec<Held>)| tones(held, &matrix.truth[pair % width]);
    Ok(BeliefsView {
        observers: matrix.observers.iter().map(|observer| observer.name.clone()).collect(),
        servers: matrix.observers.iter().filter(|observer| observer.server).count(),
        instances: matrix.instances.clone(),
        cells: matrix.cells.iter().enumerate().map(cell).collect(),
    })
}

/// What was held of an instance, in the light of what was true of it.
fn tones(held: &[Held], truth: &[Held]) -> Vec<(u64, Tone)> {
    let mut times: Vec<SimTime> = held.iter().chain(truth).map(|it| it.at).collect();
    times.sort_unstable();
    times.dedup();
    let at = |steps: &[Held], time: SimTime| {
        let next = steps.partition_point(|it| it.at <= time);
        next.checked_sub(1).map(|last| steps[last])
    };
    let tone = |time: SimTime| {
        let alive = at(truth, time).is_some_and(|it| it.belief != Belief::Off);
        match at(held, time).map_or((Belief::Off, false), |it| (it.belief, it.wrong)) {
            (Belief::Off, _) => Tone::Off,
            (Belief::Absent, false) => Tone::Blank,
            (Belief::Absent, true) => Tone::Missing,
            (Belief::Listed(_), false) => Tone::Right,
            (Belief::Listed(_), true) if alive => Tone::Altered,
            (Belief::Listed(_), true) => Tone::Ghost,
        }
    };
    let start = times.first().is_none_or(|&first| first > SimTime::ZERO).then_some((0, Tone::Off));
    let mut tones: Vec<(u64, Tone)> =
        start.into_iter().chain(times.into_iter().map(|it| (it.0, tone(it)))).collect();
    tones.dedup_by_key(|&mut (_, tone)| tone);
    tones
}

/// Findings as reports list them.
pub fn checks(findings: &[Finding]) -> Vec<CheckResult> {
    let check = |finding: &Finding| CheckResult {
        name: finding.name.clone(),
        verdict: finding.verdict,
        at_ms: finding.at.map(SimTime::as_millis),
        detail: finding.detail.clone(),
    };
    findings.iter().map(check).collect()
}

/// Figures as the summary holds them: whole numbers without a fraction.
pub fn metrics(measured: &Measured) -> BTreeMap<String, serde_json::Number> {
    let figures = measured.figures.iter();
    figures.filter_map(|(name, value)| Some((name.clone(), number(*value)?))).collect()
}

/// Figures over many runs as the summary of these holds them.
pub fn spreads<'a>(runs: impl Iterator<Item = &'a Measured>) -> BTreeMap<String, SpreadResult> {
    let spreads = spread::spreads(runs.map(|measured| &measured.figures)).into_iter();
    let result = |spread: spread::Spread| {
        Some(SpreadResult {
            median: number(spread.median)?,
            p5: number(spread.p5)?,
            p95: number(spread.p95)?,
            worst: number(spread.worst)?,
            runs: spread.runs,
            never: spread.never,
        })
    };
    spreads.filter_map(|(name, spread)| Some((name.to_owned(), result(spread)?))).collect()
}

fn number(value: f64) -> Option<serde_json::Number> {
    if value.fract() == 0.0 && value.abs() < 9e15 {
        Some(serde_json::Number::from(value as i64))
    } else {
        serde_json::Number::from_f64(value)
    }
}

fn span(start: SimTime, end: SimTime) -> Span {
    Span { start: start.0, end: end.0 }
}

/// The system's name as a proper noun.
fn system(plan: &Plan) -> String {
    let name = plan.system.name();
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// The steps at the times at which they happened, but for those that waited in vain. `fired`: when the triggers did.
fn happened(plan: &Plan, fired: &[Option<SimTime>]) -> Vec<Step> {
    let from = |base: SimTime, at: SimTime| SimTime(base.0.saturating_add(at.0));
    let steps = plan.world.steps.iter().filter_map(|step| {
        let base = match step.trigger {
            None => SimTime::ZERO,
            Some(trigger) => fired.get(trigger.index()).copied().flatten()?,
        };
        let until = step.until.map(|until| from(base, until));
        Some(Step { trigger: None, at: from(base, step.at), until, ..step.clone() })
    });
    steps.collect()
}

/// Faults that last as bands, the others as marks.
fn faults(plan: &Plan, fired: &[Option<SimTime>]) -> (Vec<Band>, Vec<Mark>) {
    let happened = happened(plan, fired);
    let steps = || happened.iter().filter(|step| step.at <= plan.world.duration);
    let band = |step: &Step| {
        let until = step.until.or_else(|| step.fault.lasts().then_some(plan.world.duration))?;
        Some(Band { span: span(step.at, until.min(plan.world.duration)), label: step.name.clone() })
    };
    let mark = |step: &Step| {
        (step.until.is_none() && !step.fault.lasts())
            .then(|| Mark { at: step.at.0, label: step.name.clone() })
    };
    let (mut bands, mut marks): (Vec<Band>, Vec<Mark>) =
        (steps().filter_map(band).collect(), steps().filter_map(mark).collect());
    // A scenario's step may become several of the plan; they bear one name, and one of them is enough.
    bands.sort_by(|a, b| (a.span.start, a.span.end, &a.label).cmp(&(b.span.start, b.span.end, &b.label)));
    bands.dedup();
    marks.sort_by(|a, b| (a.at, &a.label).cmp(&(b.at, &b.label)));
    marks.dedup();
    let marks = close_together(marks, &mut bands, plan.world.duration);
    bands.sort_by(|a, b| (a.span.start, a.span.end, &a.label).cmp(&(b.span.start, b.span.end, &b.label)));
    (bands, marks)
}

/// Many marks of one name that follow each other closely are a band: a step that hits one after the other.
fn close_together(marks: Vec<Mark>, bands: &mut Vec<Band>, duration: SimTime) -> Vec<Mark> {
    let mut of_name: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for mark in &marks {
        of_name.entry(&mark.label).or_default().push(mark.at);
    }
    let mut single = Vec::new();
    for (label, times) in of_name {
        let closely = |a: &u64, b: &u64| b - a <= duration.0 / CLOSE;
        for group in times.chunk_by(closely) {
            match *group {
                [start, _, .., end] => {
                    bands.push(Band { span: Span { start, end }, label: label.to_owned() });
                }
                _ => single.extend(group.iter().map(|&at| Mark { at, label: label.to_owned() })),
            }
        }
    }
    single.sort_by(|a, b| (a.at, &a.label).cmp(&(b.at, &b.label)));
    single
}

/// Marks are close to each other within this part of a run.
const CLOSE: u64 = 30;

/// A disturbance so soon after a step or a start is the consequence of it: a process that comes up, a status that it announces.
const CONSEQUENCE: Duration = Duration::from_secs(5);

/// What led to the last disturbance: the end of a fault, a step, the start of a process.
fn disturbance(plan: &Plan, at: SimTime, fired: &[Option<SimTime>]) -> Option<Disturbance> {
    let world = &plan.world;
    let steps = happened(plan, fired);
    let ended = steps.iter().filter_map(|step| Some((step.until?, format!("“{}” ended", step.name))));
    let began = steps.iter().map(|step| (step.at, format!("“{}”", step.name)));
    let started = world.processes.iter().map(|process| (process.start, format!("{} started", process.name)));
    let causes = ended.chain(began).chain(started);
    let near = causes.filter(|&(cause, _)| cause <= at && at.since(cause) <= CONSEQUENCE);
    // Of those at one moment the first, in the order above.
    let last = near.reduce(|best, next| if next.0 > best.0 { next } else { best });
    match last {
        Some((_, what)) => Some(Disturbance { at: at.0, what }),
        None if at == SimTime::ZERO => None,
        None => Some(Disturbance { at: at.0, what: "the last change".to_owned() }),
    }
}

fn server(series: &ServerSeries, end: SimTime) -> ServerView {
    let while_running = |values: &Series| {
        let mut times: Vec<SimTime> =
            values.points().iter().chain(series.running.points()).map(|&(at, _)| at).collect();
        times.sort_unstable();
        times.dedup();
        let value = |at: SimTime| (series.running.at(at) != 0).then(|| count(values.at(at)));
        let track: Track = times.into_iter().map(|at| (at.0, value(at))).collect();
        track
    };
    // A gauge that was never reported has no line, rather than one at zero.
    let gauge =
        |values: &Series| if values.points().is_empty() { Track::new() } else { while_running(values) };
    ServerView {
        name: series.name.clone(),
        differing: while_running(&series.disagreement),
        listed: while_running(&series.listed),
        renewals: gauge(&series.renewals),
        threshold: gauge(&series.threshold),
        protected: series.self_preservation.spans(end).into_iter().map(|(from, to)| span(from, to)).collect(),
    }
}

fn cluster(series: &ClusterSeries) -> ClusterView {
    ClusterView { servers: series.servers.clone(), living: track(&series.living) }
}

/// A series that is 0 until its first step.
fn track(series: &Series) -> Track {
    let points = series.points().iter().map(|&(at, value)| (at.0, Some(count(value))));
    let start = series.points().first().is_none_or(|&(at, _)| at > SimTime::ZERO).then_some((0, Some(0)));
    start.into_iter().chain(points).collect()
}

/// A count that a series holds; none is negative.
fn count(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Verdict;
    use crate::plan::System;
    use crate::plan::World;
    use crate::plan::world::Fault;

    fn seconds(at: u64) -> SimTime {
        SimTime::from_secs(at)
    }

    fn series(points: &[(u64, i64)]) -> Series {
        let mut series = Series::default();
        points.iter().for_each(|&(at, value)| series.push(seconds(at), value));
        series
    }

    fn step(name: &str, at: u64, until: Option<u64>, fault: Fault) -> Step {
        Step { name: name.to_owned(), trigger: None, at: seconds(at), until: until.map(seconds), fault }
    }

    fn plan() -> Plan {
        let split = || Fault::Partition { groups: Vec::new() };
        let steps = vec![
            step("split", 60, Some(90), split()),
            step("split", 60, Some(90), split()),
            step("crash peer2", 10, None, Fault::Crash { processes: Vec::new() }),
            step("slow link", 100, None, split()),
            step("too late", 999, None, split()),
        ];
        Plan {
            name: "eureka/split".to_owned(),
            title: String::new(),
            about: String::new(),
            system: System::Eureka(Vec::new()),
            world: World { steps, duration: seconds(120), ..World::default() },
            expectations: Vec::new(),
            seed: 1,
            cures: Vec::new(),
            vary: Vec::new(),
            notes: Vec::new(),
        }
    }

    fn measured() -> Measured {
        let server = ServerSeries {
            node: crate::protocol::NodeId(0),
            name: "peer1".to_owned(),
            disagreement: series(&[(5, 2), (40, 0)]),
            listed: series(&[(6, 1)]),
            renewals: series(&[]),
            threshold: series(&[(6, 3)]),
            self_preservation: series(&[(70, 1)]),
            running: series(&[(1, 1), (10, 0), (20, 1)]),
        };
        Measured {
            servers: vec![server],
            caches: series(&[]),
            subscribers: 0,
            clusters: vec![ClusterSeries { servers: vec!["peer1".to_owned()], living: series(&[(3, 1)]) }],
            disagreement: series(&[(5, 2), (40, 0)]),
            last_disturbance: seconds(90),
            converged: Some(seconds(95)),
            figures: [("calls", 7.0), ("share", 0.25), ("odd", f64::NAN)]
                .map(|(name, value)| (name.to_owned(), value))
                .into(),
            ..Measured::default()
        }
    }

    #[test]
    fn a_server_has_values_only_while_it_runs() {
        let view = view(&plan(), 1, "9f3c", &measured());
        let second = 1_000_000_000;
        assert_eq!(
            view.servers[0].differing,
            [
                (second, Some(0)),
                (5 * second, Some(2)),
                (10 * second, None),
                (20 * second, Some(2)),
                (40 * second, Some(0))
            ]
        );
        assert_eq!(view.servers[0].renewals, [], "never reported");
        assert_eq!(view.servers[0].protected, [span(seconds(70), seconds(120))]);
        assert_eq!(view.clusters[0].living, [(0, Some(0)), (3 * second, Some(1))]);
        assert_eq!((view.system.as_str(), view.caches), ("Eureka", None));
    }

    #[test]
    fn lasting_faults_are_bands_and_the_others_marks() {
        let (bands, marks) = faults(&plan(), &[]);
        let said: Vec<(&str, Span)> = bands.iter().map(|band| (band.label.as_str(), band.span)).collect();
        assert_eq!(
            said,
            [("split", span(seconds(60), seconds(90))), ("slow link", span(seconds(100), seconds(120)))]
        );
        assert_eq!(marks, [Mark { at: seconds(10).0, label: "crash peer2".to_owned() }]);
    }

    /// A run of 120 s: marks within 4 s of each other are one band, from three on.
    #[test]
    fn marks_of_one_name_that_are_close_are_a_band() {
        let crash = |name: &str, at| step(name, at, None, Fault::Crash { processes: Vec::new() });
        let mut plan = plan();
        plan.world.steps = [10, 12, 16, 30, 33, 90].map(|at| crash("roll", at)).to_vec();
        plan.world.steps.push(crash("other", 14));
        let (bands, marks) = faults(&plan, &[]);
        assert_eq!(bands, [Band { span: span(seconds(10), seconds(16)), label: "roll".to_owned() }]);
        let marks: Vec<(u64, &str)> =
            marks.iter().map(|mark| (mark.at / 1_000_000_000, mark.label.as_str())).collect();
        assert_eq!(marks, [(14, "other"), (30, "roll"), (33, "roll"), (90, "roll")]);
    }

    /// What waits is shown when it happened, and not at all if it never did.
    #[test]
    fn steps_that_wait_are_where_they_happened() {
        let mut plan = plan();
        for step in &mut plan.world.steps {
            step.trigger = Some(crate::plan::world::TriggerId(0));
        }
        let (bands, marks) = faults(&plan, &[Some(seconds(5))]);
        assert_eq!(bands[0].span, span(seconds(65), seconds(95)));
        assert_eq!(marks[0].at, seconds(15).0);
        assert_eq!(faults(&plan, &[None]), (Vec::new(), Vec::new()));
        assert_eq!(
            disturbance(&plan, seconds(95), &[Some(seconds(5))]).map(|it| it.what).as_deref(),
            Some("“split” ended")
        );
    }

    #[test]
    fn the_last_disturbance_is_named_by_what_happened_then() {
        let what = |at| disturbance(&plan(), seconds(at), &[]).map(|it| it.what);
        assert_eq!(what(90).as_deref(), Some("“split” ended"));
        assert_eq!(what(10).as_deref(), Some("“crash peer2”"));
        assert_eq!(what(33).as_deref(), Some("the last change"));
        assert_eq!(what(92).as_deref(), Some("“split” ended"), "soon after it");
        assert_eq!(what(0), None);
    }

    #[test]
    fn whole_figures_have_no_fraction_and_impossible_ones_are_left_out() {
        let text = serde_json::to_string(&metrics(&measured())).expect("a map of numbers");
        assert_eq!(text, r#"{"calls":7,"share":0.25}"#);
    }

    #[test]
    fn findings_keep_their_order_and_moment() {
        let finding = Finding {
            name: "converged".to_owned(),
            verdict: Verdict::Violated,
            at: Some(seconds(2)),
            detail: "peer1 lacks provider/0".to_owned(),
            expected: true,
        };
        let checks = checks(&[finding]);
        assert_eq!((checks[0].at_ms, checks[0].verdict), (Some(2_000), Verdict::Violated));
    }

    #[test]
    fn what_was_held_is_seen_in_the_light_of_the_truth() {
        use crate::protocol::Status::{Down, Up};
        let held = |at, belief, wrong| Held { at: seconds(at), belief, wrong };
        let up = Belief::Listed(Up);
        let truth = [held(2, up, false), held(20, Belief::Listed(Down), false), held(30, Belief::Off, false)];
        let held = [
            held(1, Belief::Absent, false),
            held(2, Belief::Absent, true),
            held(4, up, false),
            held(20, up, true),
            held(40, Belief::Absent, false),
            held(50, Belief::Off, false),
        ];
        let said: Vec<(u64, Tone)> =
            tones(&held, &truth).into_iter().map(|(at, tone)| (at / 1_000_000_000, tone)).collect();
        assert_eq!(
            said,
            [
                (0, Tone::Off),
                (1, Tone::Blank),
                (2, Tone::Missing),
                (4, Tone::Right),
                (20, Tone::Altered),
                (30, Tone::Ghost),
                (40, Tone::Blank),
                (50, Tone::Off)
            ]
        );
    }

    #[test]
    fn who_never_learned_makes_the_run_one_that_never_got_there() {
        let figures = |pairs: &[(&str, f64)]| -> Figures {
            pairs.iter().map(|&(name, value)| (name.to_owned(), value)).collect()
        };
        let all =
            figures(&[("discovery_ms_worst", 1_500.0), ("discovery_never", 0.0), ("forgetting_lost", 2.0)]);
        assert_eq!(reached(&all, "discovery"), Some(Reached::After(1_500_000_000)));
        assert_eq!(reached(&all, "forgetting"), Some(Reached::Never));
        assert_eq!(reached(&all, "client_discovery"), None);
    }

    #[test]
    fn calls_are_shown_only_where_somebody_calls() {
        assert_eq!(calls(&plan(), &measured()), None);
    }

    #[test]
    fn an_ensemble_measures_each_run_from_its_own_last_disturbance() {
        let measured = measured();
        let ensemble = ensemble(&plan(), [(3, &measured)].into_iter());
        assert_eq!(ensemble.runs[0].converged_after, Some(seconds(5).0));
        assert_eq!(ensemble.measured_from, "“split” ended");
    }
}
