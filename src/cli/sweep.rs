//! `regsim run --seeds`: one scenario with many seeds.
//!
//! Separate from single runs because of what is kept: of a million runs only what their common picture needs. Lines go out as the runs
//! come in, in order of seeds.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::ThreadPool;
use rayon::prelude::*;

use super::results::{self, verdict_of};
use super::run::{Arguments, Done, Failure, Format, Progress, Story, make};
use super::terminal::{Look, say, tell};
use super::{Exit, interrupt};
use crate::check::Verdict;
use crate::metric::{Beliefs, Measured, Series};
use crate::plan::Plan;
use crate::report::summary::SeedsSummary;
use crate::report::view::Track;
use crate::report::write::{Partial, WriteError, write_together};
use crate::report::{fill, markdown, measured, pictures};

/// Failing seeds that get reports of their own.
const REPORTED_FAILURES: usize = 5;

/// Failures of the program or of the disk that are told one by one.
const TOLD_FAILURES: usize = 5;

/// Runs whose disagreement over time is kept for the ribbon, about 2 kB each; when the others agreed is kept all the same.
const RIBBON: usize = 20_000;

/// Runs that are made before the next lines are printed, for each thread.
const BATCH: usize = 16;

/// What is kept of one run.
struct Kept {
    seed: u64,
    verdict: Verdict,
    measured: Measured,
}

/// A run as its thread hands it over: what is kept of it with its line, and itself if it may get reports.
enum Made {
    Kept(Box<Kept>, String),
    Whole(Box<Done>),
}

/// All of them together.
struct Sweep<'a> {
    story: &'a Story,
    arguments: &'a Arguments,
    progress: &'a Progress,
    kept: Vec<Kept>,
    /// The first that failed: seed, and verdict.
    reported: Vec<(u64, Verdict)>,
    failed: usize,
    lines: Partial,
    exit: Exit,
    told: usize,
}

/// Runs one scenario with the seeds 1 to `seeds`.
pub fn sweep(
    story: &Story,
    seeds: u64,
    arguments: &Arguments,
    pool: &ThreadPool,
    progress: &Progress,
) -> Exit {
    interrupt::set_gentle(true);
    let folder = arguments.out.join(&story.scenario.name);
    let swept = Partial::create(&folder.join("runs.jsonl"))
        .and_then(|lines| through(story, seeds, arguments, pool, progress, lines));
    interrupt::set_gentle(false);
    match swept {
        Ok(exit) => exit,
        Err(error) => {
            progress.above(|| tell(&format!("error: {error}")));
            Exit::Misuse
        }
    }
}

fn through(
    story: &Story,
    seeds: u64,
    arguments: &Arguments,
    pool: &ThreadPool,
    progress: &Progress,
    lines: Partial,
) -> Result<Exit, WriteError> {
    let mut sweep = Sweep {
        story,
        arguments,
        progress,
        kept: Vec::new(),
        reported: Vec::new(),
        failed: 0,
        lines,
        exit: Exit::Held,
        told: 0,
    };
    // Counted by the threads, so that no more failing runs are handed over whole than can get reports.
    let reports = AtomicUsize::new(0);
    let run = |seed: u64| {
        if interrupt::stopped() {
            return None;
        }
        let made = make(story, seed, arguments, Look { colour: false, columns: 0 });
        progress.add(&made);
        Some(made.map(|done| {
            let may_be_reported =
                done.outcome.verdict != Verdict::Holds && reports.load(Ordering::Relaxed) < REPORTED_FAILURES;
            if may_be_reported {
                Made::Whole(Box::new(done))
            } else {
                let line = results::summary(&done, None).line();
                Made::Kept(Box::new(Kept::new(done)), line)
            }
        }))
    };
    let batch = (pool.current_num_threads() * BATCH) as u64;
    let mut first = 1;
    while first <= seeds && !interrupt::stopped() {
        let last = (first + batch - 1).min(seeds);
        let made: Vec<Option<Result<Made, Failure>>> =
            pool.install(|| (first..=last).into_par_iter().map(run).collect());
        // What comes after a seed that was not begun is left out, so that the seeds are those from 1 on.
        made.into_iter().map_while(|made| made).try_for_each(|made| sweep.take(made))?;
        reports.store(sweep.reported.len(), Ordering::Relaxed);
        first = last + 1;
    }
    progress.above(|| sweep.finish())
}

impl Kept {
    fn new(done: Done) -> Kept {
        // What only a picture of its own would show is let go.
        let measured = Measured {
            servers: Vec::new(),
            caches: Series::default(),
            beliefs: Beliefs::default(),
            ..done.outcome.measured
        };
        Kept { seed: done.outcome.seed, verdict: done.outcome.verdict, measured }
    }
}

impl Sweep<'_> {
    /// The next run, in order of seeds.
    fn take(&mut self, made: Result<Made, Failure>) -> Result<(), WriteError> {
        let (mut kept, line) = match made {
            Ok(Made::Kept(kept, line)) => (*kept, line),
            Ok(Made::Whole(done)) => {
                let reported = self.reported.len() < REPORTED_FAILURES;
                if reported {
                    results::write_run(self.story, &done, self.arguments)?;
                    self.reported.push((done.outcome.seed, done.outcome.verdict));
                }
                let line = results::summary(&done, reported.then_some(&*done.folder)).line();
                (Kept::new(*done), line)
            }
            Err(failure) => {
                self.told += 1;
                let exit = match self.told {
                    ..=TOLD_FAILURES => self.progress.above(|| results::failure(self.story, &failure)),
                    _ => results::exit_of(&failure),
                };
                self.exit = self.exit.max(exit);
                return Ok(());
            }
        };
        if kept.verdict != Verdict::Holds {
            self.failed += 1;
        }
        if self.kept.len() >= RIBBON {
            kept.measured.disagreement = Series::default();
        }
        self.exit = self.exit.max(verdict_of(kept.verdict));
        self.kept.push(kept);
        if self.arguments.format == Format::Json {
            self.progress.above(|| say(&line));
        }
        writeln!(self.lines, "{line}").map_err(|source| self.lines.failed(source))
    }

    /// The picture of all runs, and what to say of them.
    fn finish(self) -> Result<Exit, WriteError> {
        let interrupted = interrupt::stopped();
        let exit = if interrupted { Exit::Interrupted } else { self.exit };
        if self.told > TOLD_FAILURES {
            tell(&format!("… and {} more", self.told - TOLD_FAILURES));
        }
        let Some(first) = self.kept.first() else { return Ok(exit) };
        let runs = self.kept.len();
        if interrupted {
            let seeds = self.arguments.seeds.unwrap_or_default();
            tell(&format!("interrupted after {runs} of {seeds} seeds: {}", self.story.named.shown()));
        }
        let Ok(plan) = Plan::resolve_for(&self.story.scenario, first.seed) else { return Ok(exit) };
        let mut together = fill::ensemble(&plan, self.kept.iter().map(|kept| (kept.seed, &kept.measured)));
        together.runs.iter_mut().skip(RIBBON).for_each(|run| run.differing = Track::new());
        let folder = self.arguments.out.join(&plan.name).join(format!("seeds-1-{runs}"));
        let sheets = pictures::of_many(&together);
        let (shown, drawn) = (pictures::shown(&sheets), pictures::files(&sheets, &folder));
        let count = |verdict| self.kept.iter().filter(|kept| kept.verdict == verdict).count() as u64;
        let summary = SeedsSummary {
            scenario: plan.name.clone(),
            system: plan.system.name().to_owned(),
            runs: runs as u64,
            held: count(Verdict::Holds),
            violated: count(Verdict::Violated),
            inconclusive: count(Verdict::Inconclusive),
            metrics: fill::spreads(self.kept.iter().map(|kept| &kept.measured)),
        };
        let replay = |(seed, _): &(u64, Verdict)| results::replay(self.story, *seed, self.arguments);
        let commands: Vec<String> = self.reported.iter().map(replay).collect();
        let page = markdown::seeds(&summary, &shown, &commands);
        let file = summary.file();
        let mut files: Vec<(PathBuf, &[u8])> = drawn.iter().map(|(path, it)| (path.clone(), &**it)).collect();
        files.push((folder.join("summary.md"), page.as_bytes()));
        files.push((folder.join("summary.json"), file.as_bytes()));
        write_together(&files)?;
        let titles: Vec<&str> = sheets.iter().map(|picture| picture.sheet.title.as_str()).collect();
        self.print(&titles.join("\n"), &summary, &folder);
        self.lines.finish_as(&folder.join("runs.jsonl"))?;
        Ok(exit)
    }

    fn print(&self, title: &str, summary: &SeedsSummary, folder: &Path) {
        let Arguments { format, quiet, .. } = self.arguments;
        if *format == Format::Json || (*quiet && self.failed == 0) {
            return;
        }
        say(title);
        say(&format!("{} of {} runs held", self.kept.len() - self.failed, self.kept.len()));
        measured::spread_lines(summary).iter().for_each(|line| say(line));
        for (seed, verdict) in &self.reported {
            say(&format!("  seed {seed}: {}", verdict.name()));
            say(&format!("    replay  {}", results::replay(self.story, *seed, self.arguments)));
        }
        if self.failed > self.reported.len() {
            say(&format!("  … and {} more, in runs.jsonl", self.failed - self.reported.len()));
        }
        say(&format!("report  {}\n", folder.display()));
    }
}
