//! `regsim show`: the text of a built-in scenario, to read or to begin with.

use std::path::PathBuf;

use super::{Exit, files, library, say, tell};
use crate::report::write::write_whole;

/// Print a built-in scenario, as a start of your own.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  regsim show eureka/peer-down              read it
  regsim show eureka/peer-down > my.yaml    begin with it
  regsim show eureka --to stories           write all of them, and the files that they import, into a folder")]
pub struct Arguments {
    /// A name of `regsim list`, or a folder of them
    #[arg(value_name = "NAME")]
    name: String,
    /// Write the files into a folder instead; files that are there already stay
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
}

/// Carries it out.
pub fn carry_out(arguments: &Arguments) -> Exit {
    let found = library::find(&arguments.name);
    if found.is_empty() {
        tell(&format!("error: {}", files::unknown(&arguments.name)));
        return Exit::Misuse;
    }
    let Some(folder) = &arguments.to else {
        for shipped in &found {
            say(String::from_utf8_lossy(own(shipped.text())).trim_end());
            let beside = shipped.files().len() - 1;
            if beside > 0 {
                tell(&format!("note: {} imports {beside} files; `--to DIR` writes them, too", shipped.name));
            }
        }
        return Exit::Held;
    };
    let mut exit = Exit::Held;
    for (name, text) in found.iter().flat_map(library::Shipped::files) {
        let path = folder.join(name);
        if path.exists() {
            tell(&format!("error: `{}` is there already", path.display()));
            exit = Exit::Misuse;
        } else if let Err(error) = write_whole(&path, own(&text)) {
            tell(&format!("error: {error}"));
            return Exit::Misuse;
        } else {
            say(&path.display().to_string());
        }
    }
    exit
}

/// A scenario without its first line, which leads an editor to the schema of the repository.
fn own(text: &[u8]) -> &[u8] {
    let end = text.iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    if text.starts_with(b"# yaml-language-server:") { &text[end..] } else { text }
}
