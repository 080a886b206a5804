//! The command line: arguments, progress, diagnostics, exit codes. One file for each subcommand.
//!
//! Results go to stdout; progress, logs and diagnostics to stderr. This is the only part (with `main`) that knows terminals, wall-clock
//! time and threads.

mod check;
mod completions;
mod files;
mod interrupt;
mod library;
mod list;
mod man;
mod results;
mod run;
mod show;
mod sweep;
mod terminal;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use terminal::{Colour, Look, say, tell};

/// What will my service registry do when things break?
///
/// regsim replays failure stories of real service registries on seeded virtual time, judges them, and draws how the cluster
/// converged.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// When to colour; `auto` heeds NO_COLOR, CLICOLOR_FORCE and the terminal
    #[arg(long, global = true, value_enum, default_value_t = Colour::Auto, value_name = "WHEN")]
    color: Colour,
}

const EXAMPLES: &str = "\
Examples:
  regsim list                                  the built-in failure stories
  regsim run eureka/peer-down                  replay one of them
  regsim run eureka/two-regions-1300km --seeds 200
  regsim show eureka/peer-down > my.yaml       take one as a start of your own
  regsim check my.yaml --plan                  what would happen, without running it
  regsim run my.yaml --seed 7";

/// What a script goes by.
const EXIT_CODES: &str = "\
Exit codes:
    0  everything expected held
    1  something was violated, or an expected violation did not happen
    2  bad usage, a bad file, or results that cannot be written
    3  inconclusive: the run could not tell
    4  regsim itself failed: two runs of one seed differ, or a rule of its own was broken
  130  interrupted
Over several runs the first of 130, 4, 2, 1, 3, 0 counts.";

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
    /// It was told to end.
    Interrupted = 130,
}

impl Exit {
    fn precedence(self) -> u8 {
        match self {
            Exit::Held => 0,
            Exit::Inconclusive => 1,
            Exit::Violated => 2,
            Exit::Misuse => 3,
            Exit::Broken => 4,
            Exit::Interrupted => 5,
        }
    }

    /// The one that counts of two.
    #[must_use]
    pub fn max(self, other: Exit) -> Exit {
        if other.precedence() > self.precedence() { other } else { self }
    }
}

/// Reads the command line and carries it out.
pub fn main() -> ExitCode {
    // Whatever else breaks is a bug of this program; the default hook has said where.
    let exit = std::panic::catch_unwind(carry_out).unwrap_or(Exit::Broken);
    ExitCode::from(terminal::finish(exit) as u8)
}

fn carry_out() -> Exit {
    match Arguments::try_parse() {
        Ok(Arguments { command, color }) => match command {
            Command::Run(arguments) => run::carry_out(&arguments, Look::new(color)),
            Command::Check(arguments) => check::carry_out(&arguments),
            Command::List(arguments) => list::carry_out(&arguments),
            Command::Show(arguments) => show::carry_out(&arguments),
            Command::Completions(arguments) => completions::carry_out(&arguments),
            Command::Man(arguments) => man::carry_out(&arguments),
        },
        Err(error) => {
            // Help and version are no mistakes; clap knows where each goes.
            let printed = error.print();
            if error.use_stderr() {
                Exit::Misuse
            } else {
                terminal::note(printed);
                Exit::Held
            }
        }
    }
}
