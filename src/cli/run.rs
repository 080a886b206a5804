//! `regsim run`: run scenarios, judge them, write reports.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use rayon::prelude::*;

use super::{Exit, files};
use crate::check::Verdict;
use crate::history::jsonl::{Names, Recorder};
use crate::plan::Plan;
use crate::report;
use crate::run::{self, Outcome};

/// Run scenarios, judge them, write reports.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  regsim run scenarios/eureka                             all stories of a folder
  regsim run my.yaml --seed 7                             one run
  regsim run my.yaml --seeds 200                          200 runs: median, ribbon, distribution
  regsim run my.yaml --set system.eureka.server.enable-self-preservation=false
  regsim run my.yaml --format json --verify               one JSON line a run, each run made twice and compared

Every run leaves summary.json, convergence.svg and convergence.png in DIR/<scenario>/seed-<N>.")]
pub struct Arguments {
    /// Scenario files, or folders of them
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// The seed of the run; default: what the scenario says, or 1
    #[arg(long, value_name = "N", conflicts_with = "seeds")]
    seed: Option<u64>,
    /// Run with the seeds 1 to N and draw them together
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    seeds: Option<u64>,
    /// Change a value of the scenario, such as `system.eureka.server.enable-self-preservation=false`
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// Where reports go
    #[arg(long, value_name = "DIR", default_value = "reports")]
    out: PathBuf,
    /// What is printed: a timeline to look at, or one JSON object a run
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Runs at a time; default: one for each processor
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// Run everything twice and fail if the two runs differ
    #[arg(long)]
    verify: bool,
    /// Write the whole history of each run to history.jsonl
    #[arg(long)]
    record: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

/// One run that is to be made.
struct Job<'a> {
    path: &'a Path,
    plan: &'a Plan,
    seed: u64,
}

/// One run that was made.
struct Done {
    outcome: Outcome,
    wall: Duration,
    folder: PathBuf,
}

/// Carries it out.
pub fn carry_out(arguments: &Arguments) -> Exit {
    let plans = match load(arguments) {
        Ok(plans) => plans,
        Err(exit) => return exit,
    };
    let jobs: Vec<Job<'_>> = plans
        .iter()
        .flat_map(|(path, plan)| {
            let (first, last) = match (arguments.seeds, arguments.seed) {
                (Some(last), _) => (1, last),
                (None, seed) => {
                    let seed = seed.unwrap_or(plan.seed);
                    (seed, seed)
                }
            };
            (first..=last).map(move |seed| Job { path, plan, seed })
        })
        .collect();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(arguments.jobs.map_or(0, usize::from)).build();
    let pool = match pool {
        Ok(pool) => pool,
        Err(error) => {
            eprintln!("error: cannot start threads: {error}");
            return Exit::Broken;
        }
    };
    let progress = progress(jobs.len());
    let done: Vec<Result<Done, String>> = pool.install(|| {
        jobs.par_iter()
            .map(|job| {
                let done = make(job, arguments);
                progress.inc(1);
                done
            })
            .collect()
    });
    progress.finish_and_clear();
    let mut exit = Exit::Held;
    let mut at = 0;
    for (path, plan) in &plans {
        let count = jobs[at..].iter().take_while(|job| job.path == path).count();
        let group = &done[at..at + count];
        at += count;
        exit = exit.max(report_group(path, plan, group, arguments));
    }
    exit
}

fn load(arguments: &Arguments) -> Result<Vec<(PathBuf, Plan)>, Exit> {
    let paths = files::expand(&arguments.paths).map_err(|mistakes| {
        mistakes.iter().for_each(|mistake| eprintln!("error: {mistake}"));
        Exit::Misuse
    })?;
    let mut plans = Vec::with_capacity(paths.len());
    let mut wrong = Vec::new();
    for path in paths {
        match files::plan(&path, &arguments.settings) {
            Ok(plan) => plans.push((path, plan)),
            Err(diagnostics) => wrong.extend(diagnostics),
        }
    }
    if wrong.is_empty() {
        Ok(plans)
    } else {
        files::complain(&wrong);
        Err(Exit::Misuse)
    }
}

/// A bar on a terminal, nothing elsewhere; and nothing for work that takes a moment.
fn progress(runs: usize) -> ProgressBar {
    if runs < 2 {
        return ProgressBar::hidden();
    }
    let style =
        ProgressStyle::with_template("{bar:40} {pos}/{len} runs, {elapsed} so far, about {eta} to go")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(runs as u64).with_style(style)
}

/// Makes one run, records it if asked to, and makes it again if asked to.
fn make(job: &Job<'_>, arguments: &Arguments) -> Result<Done, String> {
    let folder = arguments.out.join(&job.plan.name).join(format!("seed-{}", job.seed));
    #[expect(clippy::disallowed_methods, reason = "how long a run takes is for people, not for the run")]
    let begun = Instant::now();
    let outcome = if arguments.record {
        record(job, &folder).map_err(|error| format!("cannot write below `{}`: {error}", folder.display()))?
    } else {
        run::run(job.plan, job.seed, &mut ())
    };
    let wall = begun.elapsed();
    if arguments.verify {
        run::verify(job.plan, &outcome).map_err(|divergence| divergence.to_string())?;
    }
    Ok(Done { outcome, wall, folder })
}

/// Makes one run and writes its history as it goes.
fn record(job: &Job<'_>, folder: &Path) -> std::io::Result<Outcome> {
    std::fs::create_dir_all(folder)?;
    let file = std::fs::File::create(folder.join("history.jsonl"))?;
    let world = &job.plan.world;
    let nodes: Vec<String> = world.processes.iter().map(|process| process.name.clone()).collect();
    let steps: Vec<String> = world.steps.iter().map(|step| step.name.clone()).collect();
    let names =
        Names { nodes: &nodes, instances: &world.instances, services: &world.services, steps: &steps };
    let mut recorder = Recorder::new(names, std::io::BufWriter::new(file));
    let outcome = run::run(job.plan, job.seed, &mut recorder);
    recorder.finish()?;
    Ok(outcome)
}
