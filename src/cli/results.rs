//! What `regsim run` prints and writes once a run is made.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::files::Named;
use super::run::{Arguments, Done, Failure, Format, Story};
use super::terminal::{Look, quoted};
use super::{Exit, files, say, tell};
use crate::check::Verdict;
use crate::report::chronicle::Chronicle;
use crate::report::chronicle::words::Shade;
use crate::report::summary::{CureResult, Summary};
use crate::report::text::{self, Timeline};
use crate::report::write::{WriteError, write_together};
use crate::report::{fill, markdown, measured, pictures};

/// Prints and writes what came of one run.
pub fn single(story: &Story, made: Result<Done, Failure>, arguments: &Arguments, look: Look) -> Exit {
    let done = match made {
        Ok(done) => done,
        Err(failure) => return self::failure(story, &failure),
    };
    // What was found is told even if it cannot be written.
    let written = write_run(story, &done, arguments);
    let folder = written.is_ok().then_some(&*done.folder);
    match arguments.format {
        Format::Json => say(&summary(&done, folder).line()),
        Format::Text if arguments.quiet && done.outcome.verdict == Verdict::Holds => {}
        Format::Text => say(&timeline(story, &done, folder, arguments, look)),
    }
    match written {
        Ok(()) => verdict_of(done.outcome.verdict),
        Err(error) => {
            tell(&format!("error: {error}"));
            verdict_of(done.outcome.verdict).max(Exit::Misuse)
        }
    }
}

/// How a run with this verdict ends the program.
pub fn verdict_of(verdict: Verdict) -> Exit {
    match verdict {
        Verdict::Holds => Exit::Held,
        Verdict::Violated => Exit::Violated,
        Verdict::Inconclusive => Exit::Inconclusive,
    }
}

/// Says why there is no outcome.
pub fn failure(story: &Story, failure: &Failure) -> Exit {
    match failure {
        Failure::Plan(diagnostics) => files::complain(diagnostics),
        Failure::Record(error) => tell(&format!("error: {error}")),
        Failure::Divergence(divergence) => {
            tell(&format!("error: {}: {divergence}", story.named.shown()));
        }
        Failure::Broken(seed) => tell(&format!(
            "error: {}: regsim itself failed with seed {seed}; what the scenario says is not to blame",
            story.named.shown()
        )),
    }
    exit_of(failure)
}

/// How a failure ends the program.
pub fn exit_of(failure: &Failure) -> Exit {
    match failure {
        Failure::Plan(_) | Failure::Record(_) => Exit::Misuse,
        Failure::Divergence(_) | Failure::Broken(_) => Exit::Broken,
    }
}

fn timeline(story: &Story, done: &Done, folder: Option<&Path>, arguments: &Arguments, look: Look) -> String {
    let digest = done.outcome.digest.to_string();
    let view = fill::view(&done.plan, done.outcome.seed, &digest, &done.outcome.measured);
    let checks = fill::checks(&done.outcome.findings);
    let cures = cures(done);
    let measured = measured::lines(&fill::metrics(&done.outcome.measured));
    let replay = replay(story, done.outcome.seed, arguments);
    let folder = folder.map(|folder| folder.display().to_string());
    let timeline = Timeline {
        run: &view,
        verdict: done.outcome.verdict,
        checks: &checks,
        cures: &cures,
        measured: &measured,
        happened: &done.happened,
        replay: (done.outcome.verdict != Verdict::Holds).then_some(&replay),
        report: folder.as_deref(),
        columns: look.columns,
        colour: look.colour,
    };
    timeline.render()
}

/// What happened, in lines.
pub fn account(chronicle: &Chronicle<'_>, look: Look) -> Vec<String> {
    let paint = |text: &str, shade: Shade| match shade {
        _ if !look.colour => text.to_owned(),
        Shade::Step => format!("\x1b[1m{text}\x1b[0m"),
        Shade::Bad => format!("\x1b[31m{text}\x1b[0m"),
    };
    chronicle.render(text::usable(look.columns), paint)
}

/// The files of one run, all or none.
pub fn write_run(story: &Story, done: &Done, arguments: &Arguments) -> Result<(), WriteError> {
    let digest = done.outcome.digest.to_string();
    let view = fill::view(&done.plan, done.outcome.seed, &digest, &done.outcome.measured);
    let drawn = pictures::of_run(&done.plan, &view, &done.outcome.measured);
    let (shown, drawn) = (pictures::shown(&drawn), pictures::files(&drawn, &done.folder));
    let summary = summary(done, Some(&done.folder));
    let replay = replay(story, done.outcome.seed, arguments);
    let page = markdown::run(&summary, &view.finding(), &shown, &done.outcome.measured.cost, &replay);
    let summary = summary.file();
    let mut files: Vec<(PathBuf, &[u8])> = drawn.iter().map(|(path, it)| (path.clone(), &**it)).collect();
    files.push((done.folder.join("summary.md"), page.as_bytes()));
    files.push((done.folder.join("summary.json"), summary.as_bytes()));
    write_together(&files)
}

/// A run as one JSON object.
pub fn summary(done: &Done, folder: Option<&Path>) -> Summary {
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

/// The command that repeats a run, as a shell takes it.
pub fn replay(story: &Story, seed: u64, arguments: &Arguments) -> String {
    let mut command = format!("regsim run {} --seed {seed}", quoted(&story.named.shown()));
    for setting in &arguments.settings {
        let _ = write!(command, " --set {}", quoted(setting));
    }
    command += &arguments.limits.written();
    if matches!(story.named, Named::Stdin(_)) {
        command.push_str(" < FILE");
    }
    command
}
