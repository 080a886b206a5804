//! `regsim check`: validate scenarios without running them.

use std::path::PathBuf;

use super::{Exit, files, say};
use crate::plan::Plan;

/// Validate scenarios without running them.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  regsim check scenarios              all scenarios of a folder
  regsim check my.yaml --plan         the resolved plan as a timeline")]
pub struct Arguments {
    /// Scenario files, folders of them, or names of `regsim list`
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
            mistakes.iter().for_each(|mistake| eprintln!("error: {mistake}"));
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
                plan.notes.iter().for_each(|note| eprintln!("{note}"));
            }
            Err(diagnostics) => {
                files::complain(&diagnostics);
                exit = Exit::Misuse;
            }
        }
    }
    exit
}
