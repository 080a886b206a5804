//! The command line: arguments, progress, diagnostics, exit codes. One file for each subcommand.
//!
//! Results go to stdout; progress, logs and diagnostics to stderr. This is the only part (with `main`) that knows terminals, wall-clock
//! time and threads.

mod check;
mod completions;
mod files;
mod library;
mod list;
mod man;
mod results;
mod run;
mod show;

use std::io::Write as _;
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
  regsim list                                  the built-in failure stories
  regsim run eureka/peer-down                  replay one of them
  regsim run eureka/two-regions-1300km --seeds 200
  regsim show eureka/peer-down > my.yaml       take one as a start of your own
  regsim check my.yaml --plan                  what would happen, without running it
  regsim run my.yaml --seed 7

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
    /// List and search the built-in scenarios
    List(list::Arguments),
    /// Print a built-in scenario, as a start of your own
    Show(show::Arguments),
    /// Print completions for a shell
    Completions(completions::Arguments),
    /// Print or write the manual pages
    Man(man::Arguments),
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All held.
    Held = 0,
    /// Something was violated.
    Violated = 1,
    /// Bad usage or a bad file.
    Misuse = 2,
    /// It could not be told.
    Inconclusive = 3,
    /// The program itself failed.
    Broken = 4,
}

impl Exit {
    fn precedence(self) -> u8 {
        match self {
            Exit::Held => 0,
            Exit::Inconclusive => 1,
            Exit::Violated => 2,
            Exit::Misuse => 3,
            Exit::Broken => 4,
        }
    }

    /// The one that counts of two.
    #[must_use]
    pub fn max(self, other: Exit) -> Exit {
        if other.precedence() > self.precedence() { other } else { self }
    }
}

/// Prints a result. Whoever reads may stop reading (`| head`): that is no failure.
fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Reads the command line and carries it out.
pub fn main() -> ExitCode {
    let exit = match Arguments::try_parse() {
        Ok(Arguments { command }) => match command {
            Command::Run(arguments) => run::carry_out(&arguments),
            Command::Check(arguments) => check::carry_out(&arguments),
            Command::List(arguments) => list::carry_out(&arguments),
            Command::Show(arguments) => show::carry_out(&arguments),
            Command::Completions(arguments) => completions::carry_out(&arguments),
            Command::Man(arguments) => man::carry_out(&arguments),
        },
        Err(error) => {
            // Help and version are no mistakes; clap knows where each goes.
            let _ = error.print();
            if error.use_stderr() { Exit::Misuse } else { Exit::Held }
        }
    };
    ExitCode::from(exit as u8)
}
