//! What `regsim run` prints and writes once the runs of a scenario are made.

use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::path::Path;
use std::time::Duration;

use super::run::{Arguments, Done, Failure, Format, Story};
use super::{Exit, files, say};
use crate::check::Verdict;
use crate::report::pictures::Picture;
use crate::report::summary::{CureResult, SeedsSummary, Summary};
use crate::report::text::Timeline;
use crate::report::write::{WriteError, write_whole};
use crate::report::{fill, markdown, measured, pictures};

/// Failing seeds of a sweep that get reports of their own.
const REPORTED_FAILURES: usize = 5;

/// Prints and writes what came of all runs of one scenario.
pub fn report(story: &Story, done: Vec<Result<Done, Failure>>, arguments: &Arguments) -> Exit {
    let mut exit = Exit::Held;
    let mut made = Vec::with_capacity(done.len());
    for result in done {
        match result {
            Ok(done) => {
                exit = exit.max(match done.outcome.verdict {
                    Verdict::Holds => Exit::Held,
                    Verdict::Violated => Exit::Violated,
                    Verdict::Inconclusive => Exit::Inconclusive,
                });
                made.push(done);
            }
            Err(Failure::Plan(diagnostics)) => {
                files::complain(&diagnostics);
                exit = exit.max(Exit::Misuse);
            }
            Err(Failure::Record(message)) => {
                eprintln!("error: {message}");
                exit = exit.max(Exit::Misuse);
            }
            Err(Failure::Divergence(divergence)) => {
                eprintln!("error: {}: {divergence}", story.named.shown());
                exit = exit.max(Exit::Broken);
            }
        }
    }
    let written = if arguments.seeds.is_some() {
        many(story, &made, arguments)
    } else {
        made.iter().try_for_each(|done| one(story, done, arguments))
    };
    match written {
        Ok(()) => exit,
        Err(error) => {
            eprintln!("error: {error}");
            exit.max(Exit::Misuse)
        }
    }
}

/// One run: its files, then its timeline or its line of JSON.
fn one(story: &Story, done: &Done, arguments: &Arguments) -> Result<(), WriteError> {
    write_run(story, done, arguments)?;
    match arguments.format {
        Format::Json => say(&summary(done, Some(&done.folder)).line()),
        Format::Text => {
            let digest = done.outcome.digest.to_string();
            let view = fill::view(&done.plan, done.outcome.seed, &digest, &done.outcome.measured);
            let checks = fill::checks(&done.outcome.findings);
            let cures = cures(done);
            let measured = measured::lines(&fill::metrics(&done.outcome.measured));
            let replay = replay(story, done.outcome.seed, arguments);
            let folder = done.folder.display().to_string();
            let timeline = Timeline {
                run: &view,
                verdict: done.outcome.verdict,
                checks: &checks,
                cures: &cures,
                measured: &measured,
                replay: (done.outcome.verdict != Verdict::Holds).then_some(&replay),
                report: Some(&folder),
                columns: 100,
                colour: std::io::stdout().is_terminal(),
            };
            say(&timeline.render());
        }
    }
    Ok(())
}

/// Many runs: one picture of all, and reports of the first that failed.
fn many(story: &Story, made: &[Done], arguments: &Arguments) -> Result<(), WriteError> {
    let Some(first) = made.first() else { return Ok(()) };
    let runs = made.iter().map(|done| (done.outcome.seed, &done.outcome.measured));
    let together = fill::ensemble(&first.plan, runs);
    let folder = arguments.out.join(&first.plan.name).join(format!("seeds-1-{}", made.len()));
    let drawn = pictures::of_many(&together);
    let shown = write_pictures(&folder, &drawn)?;
    let failed = || made.iter().filter(|done| done.outcome.verdict != Verdict::Holds);
    let mut lines = String::new();
    for done in made {
        let reported = failed().take(REPORTED_FAILURES).any(|it| it.outcome.seed == done.outcome.seed);
        if reported {
            write_run(story, done, arguments)?;
        }
        let line = summary(done, reported.then_some(&*done.folder)).line();
        if arguments.format == Format::Json {
            say(&line);
        }
        let _ = writeln!(lines, "{line}");
    }
    write_whole(&folder.join("runs.jsonl"), lines.as_bytes())?;
    let count = |verdict| made.iter().filter(|done| done.outcome.verdict == verdict).count() as u64;
    let summary = SeedsSummary {
        scenario: first.plan.name.clone(),
        system: first.plan.system.name().to_owned(),
        runs: made.len() as u64,
        held: count(Verdict::Holds),
        violated: count(Verdict::Violated),
        inconclusive: count(Verdict::Inconclusive),
        metrics: fill::spreads(made.iter().map(|done| &done.outcome.measured)),
    };
    let commands = failed().take(REPORTED_FAILURES);
    let commands: Vec<String> = commands.map(|done| replay(story, done.outcome.seed, arguments)).collect();
    let page = markdown::seeds(&summary, &shown, &commands);
    write_whole(&folder.join("summary.md"), page.as_bytes())?;
    write_whole(&folder.join("summary.json"), summary.file().as_bytes())?;
    if arguments.format == Format::Text {
        drawn.iter().for_each(|picture| say(&picture.sheet.title));
        say(&format!("{} of {} runs held", made.len() - failed().count(), made.len()));
        measured::spread_lines(&summary).iter().for_each(|line| say(line));
        for done in failed().take(REPORTED_FAILURES) {
            say(&format!("  seed {}: {}", done.outcome.seed, done.outcome.verdict.name()));
            say(&format!("    replay  {}", replay(story, done.outcome.seed, arguments)));
        }
        if failed().count() > REPORTED_FAILURES {
            say(&format!("  … and {} more, in runs.jsonl", failed().count() - REPORTED_FAILURES));
        }
        say(&format!("report  {}\n", folder.display()));
    }
    Ok(())
}

/// Each picture as SVG and PNG; returns the SVG files with what they show.
fn write_pictures(folder: &Path, drawn: &[Picture]) -> Result<Vec<(String, &'static str)>, WriteError> {
    for (name, content) in drawn.iter().flat_map(Picture::files) {
        write_whole(&folder.join(name), &content)?;
    }
    Ok(drawn.iter().map(|picture| (format!("{}.svg", picture.name), picture.shows)).collect())
}

/// The files of one run.
fn write_run(story: &Story, done: &Done, arguments: &Arguments) -> Result<(), WriteError> {
    let digest = done.outcome.digest.to_string();
    let view = fill::view(&done.plan, done.outcome.seed, &digest, &done.outcome.measured);
    let drawn = pictures::of_run(&done.plan, &view, &done.outcome.measured);
    let shown = write_pictures(&done.folder, &drawn)?;
    let summary = summary(done, Some(&done.folder));
    let replay = replay(story, done.outcome.seed, arguments);
    let page = markdown::run(&summary, &view.finding(), &shown, &done.outcome.measured.cost, &replay);
    write_whole(&done.folder.join("summary.md"), page.as_bytes())?;
    write_whole(&done.folder.join("summary.json"), summary.file().as_bytes())
}

fn summary(done: &Done, folder: Option<&Path>) -> Summary {
    let outcome = &done.outcome;
    Summary {
        scenario: done.plan.name.clone(),
        system: done.plan.system.name().to_owned(),
        seed: outcome.seed,
        verdict: outcome.verdict,
        digest: outcome.digest.to_string(),
        virtual_ms: outcome.ended_at.as_millis(),
        events: outcome.events,
        wall_ms: u64::try_from(rounded(done.wall).as_millis()).unwrap_or(u64::MAX),
        checks: fill::checks(&outcome.findings),
        metrics: fill::metrics(&outcome.measured),
        cures: cures(done),
        report: folder.map(|folder| folder.display().to_string()),
    }
}

/// What came of each cure.
fn cures(done: &Done) -> Vec<CureResult> {
    let cures = done.plan.cures.iter().zip(&done.outcome.cures);
    let cures = cures.map(|(cure, outcome)| CureResult {
        about: cure.about.clone(),
        verdict: outcome.verdict,
        digest: outcome.digest.to_string(),
        checks: fill::checks(&outcome.findings),
        metrics: fill::metrics(&outcome.measured),
    });
    cures.collect()
}

fn rounded(wall: Duration) -> Duration {
    wall + Duration::from_micros(500)
}

/// The command that repeats a run.
fn replay(story: &Story, seed: u64, arguments: &Arguments) -> String {
    let mut command = format!("regsim run {} --seed {seed}", story.named.shown());
    for setting in &arguments.settings {
        let _ = write!(command, " --set '{setting}'");
    }
    command
}
