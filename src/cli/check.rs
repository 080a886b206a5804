//! `regsim check`: validate scenarios without running them.

use std::path::PathBuf;

use super::{Exit, files, say, tell};
use crate::plan::Plan;

/// Validate scenarios without running them.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  regsim check stories                all scenarios of a folder of yours
  regsim check my.yaml --plan         the resolved plan as a timeline
  regsim check eureka/peer-down --set system.eureka.server.enable-self-preservation=false
  regsim check - < my.yaml            what comes on stdin

Exit codes: 0 if all can be run, 2 if there is a mistake in one.")]
pub struct Arguments {
    /// Scenario files, folders of them, names of `regsim list`, or - for stdin
    #[arg(required = true, value_name = "SCENARIO")]
    paths: Vec<PathBuf>,
    /// Change a value of the scenario, such as `system.eureka.server.enable-self-preservation=false`
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// Print the resolved plan as a timeline
    #[arg(long)]
    plan: bool,
    #[command(flatten)]
    limits: files::LimitArguments,
}

/// Carries it out.
pub fn carry_out(arguments: &Arguments) -> Exit {
    let named = match files::expand(&arguments.paths) {
        Ok(named) => named,
        Err(mistakes) => {
            mistakes.iter().for_each(|mistake| tell(&format!("error: {mistake}")));
            return Exit::Misuse;
        }
    };
    let mut exit = Exit::Held;
    for named in named {
        let loaded = named.load(&arguments.settings, arguments.limits.limits());
        match loaded.and_then(|scenario| Plan::resolve(&scenario)) {
            Ok(plan) if arguments.plan => say(&plan.to_string()),
            Ok(plan) => {
                say(&format!("{}: ok ({})", named.shown(), plan.title));
                plan.notes.iter().for_each(|note| tell(note));
            }
            Err(diagnostics) => {
                files::complain(&diagnostics);
                exit = Exit::Misuse;
            }
        }
    }
    exit
}
