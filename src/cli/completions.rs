//! `regsim completions`: what a shell needs to complete commands and options, made from the definition of the command line.

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::{Exit, say};

/// Print completions for a shell.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  regsim completions bash > ~/.local/share/bash-completion/completions/regsim
  regsim completions zsh > \"${fpath[1]}/_regsim\"
  regsim completions fish > ~/.config/fish/completions/regsim.fish")]
pub struct Arguments {
    /// Which shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Carries it out.
pub fn carry_out(arguments: &Arguments) -> Exit {
    let mut text = Vec::new();
    clap_complete::generate(arguments.shell, &mut super::Arguments::command(), "regsim", &mut text);
    say(String::from_utf8_lossy(&text).trim_end());
    Exit::Held
}
