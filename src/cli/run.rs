//! `regsim run`: run scenarios, judge them, write reports.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use rayon::prelude::*;

use super::files::{self, Named};
use super::{Exit, results};
use crate::check::Verdict;
use crate::history::jsonl::{Names, Recorder};
use crate::metric::Beliefs;
use crate::plan::Plan;
use crate::run::{self, Outcome};
use crate::scenario::Scenario;
use crate::scenario::diagnostic::Diagnostic;

/// Run scenarios, judge them, write reports.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  regsim run eureka                                       all built-in stories of Eureka
  regsim run eureka/peer-down                             one of them
  regsim run stories                                      all scenarios of a folder of yours
  regsim run my.yaml --seed 7                             one run
  regsim run my.yaml --seeds 200                          200 runs: median, ribbon, distribution
  regsim run my.yaml --set system.eureka.server.enable-self-preservation=false
  regsim run my.yaml --format json --verify               one JSON line a run, each run made twice and compared

Every run leaves summary.json, convergence.svg and convergence.png in DIR/<scenario>/seed-<N>.")]
pub struct Arguments {
    /// Scenario files, folders of them, or names of `regsim list`
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
    #[command(flatten)]
    limits: files::LimitArguments,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A timeline to look at.
    Text,
    /// One JSON object a run, on one line.
    Json,
}

/// One run that is to be made.
struct Job<'a> {
    story: &'a Story,
    seed: u64,
}

/// One scenario of the command line.
pub struct Story {
    /// How the user named it.
    pub named: Named,
    scenario: Scenario,
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
}

/// Carries it out.
pub fn carry_out(arguments: &Arguments) -> Exit {
    let stories = match load(arguments) {
        Ok(stories) => stories,
        Err(exit) => return exit,
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(arguments.jobs.map_or(0, usize::from)).build();
    let pool = match pool {
        Ok(pool) => pool,
        Err(error) => {
            eprintln!("error: cannot start threads: {error}");
            return Exit::Broken;
        }
    };
    let runs = stories.len() as u64 * arguments.seeds.unwrap_or(1);
    let progress = progress(runs);
    let mut exit = Exit::Held;
    for story in &stories {
        let (first, last) = match (arguments.seeds, arguments.seed) {
            (Some(last), _) => (1, last),
            (None, Some(seed)) => (seed, seed),
            (None, None) => (story.seed(), story.seed()),
        };
        let run = |seed: u64| {
            let done = make(&Job { story, seed }, arguments);
            progress.inc(1);
            done
        };
        // One run stays on this thread, whose allocator has just got back the plan that was made to check the story.
        let done: Vec<Result<Done, Failure>> = match first == last {
            true => vec![run(first)],
            false => pool.install(|| (first..=last).into_par_iter().map(run).collect()),
        };
        exit = exit.max(progress.suspend(|| results::report(story, done, arguments)));
    }
    progress.finish_and_clear();
    exit
}

impl Story {
    fn seed(&self) -> u64 {
        self.scenario.seed.unwrap_or(1)
    }
}

fn load(arguments: &Arguments) -> Result<Vec<Story>, Exit> {
    let named = files::expand(&arguments.paths).map_err(|mistakes| {
        mistakes.iter().for_each(|mistake| eprintln!("error: {mistake}"));
        Exit::Misuse
    })?;
    let mut stories = Vec::with_capacity(named.len());
    let mut wrong = Vec::new();
    for named in named {
        let loaded = named.load(&arguments.settings, arguments.limits.limits());
        match loaded.and_then(|scenario| Plan::resolve(&scenario).map(|plan| (scenario, plan))) {
            Ok((scenario, plan)) => {
                if !plan.vary.is_empty() {
                    let (story, combinations) = (named.shown(), plan.combinations());
                    eprintln!(
                        "note: {story}: `vary` has {combinations} combinations; this run takes the values as written"
                    );
                }
                stories.push(Story { named, scenario });
            }
            Err(diagnostics) => wrong.extend(diagnostics),
        }
    }
    if wrong.is_empty() {
        Ok(stories)
    } else {
        files::complain(&wrong);
        Err(Exit::Misuse)
    }
}

/// A bar on a terminal, nothing elsewhere; and nothing for work that takes a moment.
fn progress(runs: u64) -> ProgressBar {
    if runs < 2 {
        return ProgressBar::hidden();
    }
    let style =
        ProgressStyle::with_template("{bar:40} {pos}/{len} runs, {elapsed} so far, about {eta} to go")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(runs).with_style(style)
}

/// Why there is no outcome.
pub enum Failure {
    /// The scenario cannot be had with this seed.
    Plan(Vec<Diagnostic>),
    /// The history could not be written.
    Record(String),
    /// Two runs of one seed differ.
    Divergence(Box<run::Divergence>),
}

/// Makes one run, records it if asked to, and makes it again if asked to.
fn make(job: &Job<'_>, arguments: &Arguments) -> Result<Done, Failure> {
    let plan = Plan::resolve_for(&job.story.scenario, job.seed).map_err(Failure::Plan)?;
    let folder = arguments.out.join(&plan.name).join(format!("seed-{}", job.seed));
    #[expect(clippy::disallowed_methods, reason = "how long a run takes is for people, not for the run")]
    let begun = Instant::now();
    let mut outcome = if arguments.record {
        record(&plan, job.seed, &folder)
            .map_err(|error| Failure::Record(format!("cannot write below `{}`: {error}", folder.display())))?
    } else {
        run::run(&plan, job.seed, &mut ())
    };
    let wall = begun.elapsed();
    if arguments.verify {
        run::verify(&plan, &outcome).map_err(Failure::Divergence)?;
    }
    if arguments.seeds.is_some() && outcome.verdict == Verdict::Holds {
        // It gets no picture of its own, and there may be thousands of its kind.
        outcome.measured.beliefs = Beliefs::default();
    }
    Ok(Done { plan, outcome, wall, folder })
}

/// Makes one run and writes its history as it goes.
fn record(plan: &Plan, seed: u64, folder: &Path) -> std::io::Result<Outcome> {
    std::fs::create_dir_all(folder)?;
    let file = std::fs::File::create(folder.join("history.jsonl"))?;
    let world = &plan.world;
    let nodes: Vec<String> = world.processes.iter().map(|process| process.name.clone()).collect();
    let steps: Vec<String> = world.steps.iter().map(|step| step.name.clone()).collect();
    let names =
        Names { nodes: &nodes, instances: &world.instances, services: &world.services, steps: &steps };
    let mut recorder = Recorder::new(names, std::io::BufWriter::new(file));
    let outcome = run::run(plan, seed, &mut recorder);
    recorder.finish()?;
    Ok(outcome)
}
