//! The command line: arguments, progress, diagnostics, exit codes. One file for each subcommand.
//!
//! Results go to stdout; progress, logs and diagnostics to stderr. This is the only part (with `main`) that knows terminals, wall-clock
//! time and threads.

mod check;
mod files;
mod run;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What will my service registry do when things break?
///
/// regsim replays failure stories of real service registries on seeded virtual time, judges them, and draws how the cluster
/// converged.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  regsim run scenarios/eureka                        replay all stories of a folder
  regsim run scenarios/eureka/peer-down.yaml --seed 7
  regsim run scenarios/eureka/two-regions-1300km.yaml --seeds 200
  regsim check my-scenario.yaml --plan               what would happen, without running it

Exit codes:
  0  everything expected held
  1  something was violated, or an expected violation did not happen
  2  bad usage, or a bad file
  3  inconclusive: the run could not tell
  4  regsim itself failed (two runs of one seed differ)";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run scenarios, judge them, write reports
    Run(run::Arguments),
    /// Validate scenarios without running them
    Check(check::Arguments),
}

/// How a command ended. In order of precedence over several runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// All held.
    Held = 0,
    /// It could not be told.
    Inconclusive = 3,
    /// Something was violated.
    Violated = 1,
    /// Bad usage or a bad file.
    Misuse = 2,
    /// The program itself failed.
    Broken = 4,
}
