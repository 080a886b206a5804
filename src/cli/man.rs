//! `regsim man`: manual pages, made from the definition of the command line.

use std::path::PathBuf;

use clap::CommandFactory as _;
use clap_mangen::Man;

use super::{Exit, say, tell};
use crate::report::write::write_whole;

/// Print or write the manual pages.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  regsim man | man -l -                           read the page of regsim
  regsim man --to ~/.local/share/man/man1         install all pages, one for each command")]
pub struct Arguments {
    /// Write all pages into a folder instead of printing the first
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
}

/// Carries it out.
pub fn carry_out(arguments: &Arguments) -> Exit {
    let mut command = super::Arguments::command();
    command.build();
    let Some(folder) = &arguments.to else {
        say(String::from_utf8_lossy(&page(&command, "regsim")).trim_end());
        return Exit::Held;
    };
    let pages = command.get_subcommands().filter(|command| command.get_name() != "help");
    let pages = pages.map(|command| (format!("regsim-{}", command.get_name()), command));
    for (name, command) in std::iter::once(("regsim".to_owned(), &command)).chain(pages) {
        let path = folder.join(format!("{name}.1"));
        if let Err(error) = write_whole(&path, &page(command, &name)) {
            tell(&format!("error: {error}"));
            return Exit::Misuse;
        }
        say(&path.display().to_string());
    }
    Exit::Held
}

/// A page in roff.
fn page(command: &clap::Command, name: &str) -> Vec<u8> {
    let mut page = Vec::new();
    Man::new(command.clone()).title(name).render(&mut page).expect("writing to memory does not fail");
    page
}
