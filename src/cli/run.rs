//! `regsim run`: run scenarios, judge them, write reports.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use rayon::ThreadPool;
use rayon::prelude::*;

use super::files::{self, Named};
use super::sweep::sweep;
use super::terminal::{Look, tell};
use super::{EXIT_CODES, Exit, interrupt, results};
use crate::check::Verdict;
use crate::history::jsonl::{Names, Recorder};
use crate::history::{Observer, Record};
use crate::plan::Plan;
use crate::report::chronicle::{Chronicle, Detail};
use crate::report::write::{Partial, WriteError};
use crate::run::{self, Outcome};
use crate::scenario::Scenario;
use crate::scenario::diagnostic::Diagnostic;

const EXAMPLES: &str = "\
Examples:
  regsim run eureka                              all built-in stories of Eureka
  regsim run eureka/peer-down                    one of them
  regsim run eureka/peer-down --timeline         with a line for each change of state
  regsim run stories                             all scenarios of a folder of yours
  regsim run my.yaml --seed 7                    another run of the same story
  regsim run my.yaml --seeds 200                 200 runs: median, ribbon, distribution
  regsim run my.yaml --set system.eureka.server.enable-self-preservation=false
  regsim run my.yaml --format json --verify      one JSON line a run, each run made twice and compared
  regsim run stories --quiet                     only what did not hold
  regsim run - < my.yaml                         what comes on stdin

Every run leaves summary.json, summary.md and its pictures in DIR/<scenario>/seed-<N>. Files are written
whole or not at all: until then they have a temporary name that begins with a dot, history.jsonl too.";

/// Run scenarios, judge them, write reports.
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
pub struct Arguments {
    /// Scenario files, folders of them, names of `regsim list`, or - for stdin
    #[arg(required = true, value_name = "SCENARIO")]
    paths: Vec<PathBuf>,
    /// The seed of the run; default: what the scenario says, or 1
    #[arg(long, value_name = "N", conflicts_with = "seeds")]
    seed: Option<u64>,
    /// Run with the seeds 1 to N and draw them together
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub seeds: Option<u64>,
    /// Change a value of the scenario, such as `system.eureka.server.enable-self-preservation=false`
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub settings: Vec<String>,
    /// Where reports go
    #[arg(long, value_name = "DIR", default_value = "reports")]
    pub out: PathBuf,
    /// What is printed: a timeline to look at, or one JSON object a run
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Runs at a time; default: one for each processor
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// Run everything twice and fail if the two runs differ
    #[arg(long)]
    verify: bool,
    /// Write the whole history of each run to history.jsonl
    #[arg(long)]
    record: bool,
    /// Print every change of state, not only what fits on a screen
    #[arg(long, conflicts_with_all = ["seeds", "quiet"])]
    timeline: bool,
    /// Print only what did not hold, and no progress; JSON has all runs
    #[arg(long, short)]
    pub quiet: bool,
    #[command(flatten)]
    pub limits: files::LimitArguments,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A timeline to look at.
    Text,
    /// One JSON object a run, on one line.
    Json,
}

/// One scenario of the command line.
pub struct Story {
    /// How the user named it.
    pub named: Named,
    /// What stands in it.
    pub scenario: Scenario,
}

/// One run that was made.
pub struct Done {
    /// Its plan: start times are drawn from the seed, so every run has one of its own.
    pub plan: Plan,
    /// What came of it.
    pub outcome: Outcome,
    /// How long it took.
    pub wall: Duration,
    /// Where its reports go.
    pub folder: PathBuf,
    /// What happened, in lines, if that is wanted.
    pub happened: Vec<String>,
}

/// Histories that one command records at most: each may be as large as all reports together.
const RECORDED: u64 = 1_000;

/// Carries it out.
pub fn carry_out(arguments: &Arguments, look: Look) -> Exit {
    if let Some(seeds) = arguments.seeds.filter(|seeds| arguments.record && *seeds > RECORDED) {
        tell(&format!(
            "error: `--record` with `--seeds {seeds}` would write {seeds} histories, more than {RECORDED}; record one with `--seed`"
        ));
        return Exit::Misuse;
    }
    let prepared = load(arguments).and_then(|stories| Ok((stories, pool(arguments)?)));
    let (stories, pool) = match prepared {
        Ok(prepared) => prepared,
        Err(exit) => return exit,
    };
    if let Err(error) = std::fs::create_dir_all(&arguments.out) {
        tell(&format!("error: cannot write to `{}`: {error}", arguments.out.display()));
        return Exit::Misuse;
    }
    interrupt::listen();
    let progress = Progress::new(stories.len() as u64 * arguments.seeds.unwrap_or(1), arguments.quiet);
    let exit = match arguments.seeds {
        Some(seeds) => {
            let all = stories.iter().map(|story| sweep(story, seeds, arguments, &pool, &progress));
            // No story begins after one that was interrupted.
            let mut exit = Exit::Held;
            for of_one in all {
                exit = exit.max(of_one);
                if exit == Exit::Interrupted {
                    break;
                }
            }
            exit
        }
        None => singles(&stories, arguments, look, &pool, &progress),
    };
    progress.finish();
    exit
}

/// Each story once: several at a time, reported in the order of the command line.
fn singles(
    stories: &[Story],
    arguments: &Arguments,
    look: Look,
    pool: &ThreadPool,
    progress: &Progress,
) -> Exit {
    let run = |story: &Story| {
        let done = make(story, arguments.seed.unwrap_or(story.scenario.seed.unwrap_or(1)), arguments, look);
        progress.add(&done);
        done
    };
    let mut exit = Exit::Held;
    // One run stays on this thread, whose allocator has just got back the plan that was made to check the story.
    let at_once = if stories.len() == 1 { 1 } else { pool.current_num_threads() * 2 };
    for stories in stories.chunks(at_once) {
        let made: Vec<Result<Done, Failure>> = match stories {
            [story] => vec![run(story)],
            stories => pool.install(|| stories.par_iter().map(run).collect()),
        };
        for (story, made) in stories.iter().zip(made) {
            exit = exit.max(progress.above(|| results::single(story, made, arguments, look)));
        }
    }
    exit
}

fn pool(arguments: &Arguments) -> Result<ThreadPool, Exit> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(arguments.jobs.map_or(0, usize::from)).build();
    pool.map_err(|error| {
        tell(&format!("error: cannot start threads: {error}"));
        Exit::Broken
    })
}

fn load(arguments: &Arguments) -> Result<Vec<Story>, Exit> {
    let named = files::expand(&arguments.paths).map_err(|mistakes| {
        mistakes.iter().for_each(|mistake| tell(&format!("error: {mistake}")));
        Exit::Misuse
    })?;
    let mut stories = Vec::with_capacity(named.len());
    let mut wrong = Vec::new();
    for named in named {
        let loaded = named.load(&arguments.settings, arguments.limits.limits());
        match loaded.and_then(|scenario| Plan::resolve(&scenario).map(|plan| (scenario, plan))) {
            Ok((scenario, plan)) => {
                if !plan.vary.is_empty() && !arguments.quiet {
                    let (story, combinations) = (named.shown(), plan.combinations());
                    tell(&format!(
                        "note: {story}: `vary` has {combinations} combinations; this run takes the values as written"
                    ));
                }
                stories.push(Story { named, scenario });
            }
            Err(diagnostics) => wrong.extend(diagnostics),
        }
    }
    if !wrong.is_empty() {
        files::complain(&wrong);
        return Err(Exit::Misuse);
    }
    apart(&stories, &arguments.out)?;
    Ok(stories)
}

/// Two scenarios of one name would overwrite each other's reports.
fn apart(stories: &[Story], out: &Path) -> Result<(), Exit> {
    let mut known: BTreeMap<&str, &Named> = BTreeMap::new();
    for story in stories {
        let name = story.scenario.name.as_str();
        if let Some(other) = known.insert(name, &story.named) {
            tell(&format!(
                "error: the reports of `{}` and `{}` would both go to `{}`: rename one, or run them one after the other with another --out",
                other.shown(),
                story.named.shown(),
                out.join(name).display()
            ));
            return Err(Exit::Misuse);
        }
    }
    Ok(())
}

/// How far it has come: a bar on a terminal, nothing elsewhere; and nothing for a single run.
pub struct Progress {
    bar: ProgressBar,
    failed: AtomicU64,
}

impl Progress {
    fn new(runs: u64, quiet: bool) -> Progress {
        if runs < 2 || quiet {
            return Progress { bar: ProgressBar::hidden(), failed: AtomicU64::new(0) };
        }
        let style = ProgressStyle::with_template("{bar:20} {pos}/{len} runs, {rate}, {msg}, {eta} to go")
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .with_key("rate", |state: &ProgressState, into: &mut dyn std::fmt::Write| {
                let digits = usize::from(state.per_sec() < 10.0);
                let _ = write!(into, "{:.digits$}/s", state.per_sec());
            });
        // Four times a second is often enough, and costs the runs nothing.
        let target = indicatif::ProgressDrawTarget::stderr_with_hz(4);
        let bar = ProgressBar::with_draw_target(Some(runs), target).with_style(style);
        Progress { bar: bar.with_message("none failed"), failed: AtomicU64::new(0) }
    }

    /// A run is made.
    pub fn add(&self, made: &Result<Done, Failure>) {
        let holds = made.as_ref().is_ok_and(|done| done.outcome.verdict == Verdict::Holds);
        if !holds {
            let failed = self.failed.fetch_add(1, Ordering::Relaxed) + 1;
            self.bar.set_message(format!("{failed} failed"));
        }
        self.bar.inc(1);
    }

    /// Prints while the bar stands back.
    pub fn above<T>(&self, print: impl FnOnce() -> T) -> T {
        self.bar.suspend(print)
    }

    fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// Why there is no outcome.
pub enum Failure {
    /// The scenario cannot be had with this seed.
    Plan(Vec<Diagnostic>),
    /// The history could not be written.
    Record(WriteError),
    /// Two runs of one seed differ.
    Divergence(Box<run::Divergence>),
    /// A rule of the program itself was broken; where, has been said.
    Broken(u64),
}

/// Makes one run, records it if asked to, and makes it again if asked to.
pub fn make(story: &Story, seed: u64, arguments: &Arguments, look: Look) -> Result<Done, Failure> {
    unbroken(seed, || make_or_break(story, seed, arguments, look))
}

/// A rule of the program that is broken in one run is no end of the others.
fn unbroken<T>(seed: u64, run: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    // Nothing that a run works on is seen again if it breaks.
    catch_unwind(AssertUnwindSafe(run)).unwrap_or(Err(Failure::Broken(seed)))
}

fn make_or_break(story: &Story, seed: u64, arguments: &Arguments, look: Look) -> Result<Done, Failure> {
    let plan = Plan::resolve_for(&story.scenario, seed).map_err(Failure::Plan)?;
    let folder = arguments.out.join(&plan.name).join(format!("seed-{seed}"));
    let told = arguments.seeds.is_none() && arguments.format == Format::Text && !arguments.quiet;
    let detail = if arguments.timeline { Detail::Full } else { Detail::Folded };
    let mut chronicle = told.then(|| Chronicle::new(&plan, detail));
    #[expect(clippy::disallowed_methods, reason = "how long a run takes is for people, not for the run")]
    let begun = Instant::now();
    let outcome = if arguments.record {
        record(&plan, seed, &folder, chronicle.as_mut()).map_err(Failure::Record)?
    } else {
        match &mut chronicle {
            Some(chronicle) => run::run(&plan, seed, chronicle),
            None => run::run(&plan, seed, &mut ()),
        }
    };
    let wall = begun.elapsed();
    if arguments.verify {
        run::verify(&plan, &outcome).map_err(Failure::Divergence)?;
    }
    let happened = chronicle.map(|mut chronicle| {
        chronicle.finish(&outcome.measured);
        results::account(&chronicle, look)
    });
    let happened = happened.unwrap_or_default();
    Ok(Done { plan, outcome, wall, folder, happened })
}

/// Two who watch one run.
struct Both<'a, A, B>(&'a mut A, &'a mut B);

impl<A: Observer, B: Observer> Observer for Both<'_, A, B> {
    fn record(&mut self, record: &Record) {
        self.0.record(record);
        self.1.record(record);
    }
}

/// Makes one run and writes its history as it goes.
fn record(
    plan: &Plan,
    seed: u64,
    folder: &Path,
    chronicle: Option<&mut Chronicle<'_>>,
) -> Result<Outcome, WriteError> {
    let path = folder.join("history.jsonl");
    let world = &plan.world;
    let nodes: Vec<String> = world.processes.iter().map(|process| process.name.clone()).collect();
    let steps: Vec<String> = world.steps.iter().map(|step| step.name.clone()).collect();
    let names =
        Names { nodes: &nodes, instances: &world.instances, services: &world.services, steps: &steps };
    let mut recorder = Recorder::new(names, Partial::create(&path)?);
    let outcome = match chronicle {
        Some(chronicle) => run::run(plan, seed, &mut Both(&mut recorder, chronicle)),
        None => run::run(plan, seed, &mut recorder),
    };
    let partial = recorder.finish().map_err(|source| WriteError { path, source })?;
    partial.finish()?;
    Ok(outcome)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_rule_is_a_failure_of_the_program() {
        let broken = unbroken(7, || -> Result<(), Failure> { panic!("this test breaks a rule on purpose") });
        assert!(matches!(broken, Err(Failure::Broken(7))));
        let exit = results::exit_of(&broken.expect_err("it broke"));
        assert_eq!(exit, Exit::Broken);
        assert_eq!(exit.max(Exit::Violated), Exit::Broken, "it counts more than any verdict");
        assert_eq!(exit.max(Exit::Interrupted), Exit::Interrupted);
        assert!(unbroken(7, || Ok(())).is_ok());
    }
}
