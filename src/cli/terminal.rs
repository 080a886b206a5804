//! What is printed, where, and how it looks: colour, width, and outputs that cannot be written to.
//!
//! Separate because the rules are those of all programs for terminals, and none of the commands should know them.

use std::io::{self, ErrorKind, IsTerminal as _, Write as _};
use std::sync::{Mutex, PoisonError};

use super::Exit;

/// When to colour what is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Colour {
    /// On a terminal, unless `NO_COLOR` is set; elsewhere if `CLICOLOR_FORCE` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How what is printed looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Whether to colour it.
    pub colour: bool,
    /// Columns of the terminal.
    pub columns: usize,
}

/// Columns where there is no terminal to ask.
const COLUMNS: usize = 100;

impl Look {
    /// As the command line, the environment and the terminal have it.
    pub fn new(choice: Colour) -> Look {
        #[expect(clippy::disallowed_methods, reason = "how a result looks is no part of the run")]
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let terminal = io::stdout().is_terminal();
        let size = terminal.then(|| console::Term::stdout().size_checked()).flatten();
        Look {
            colour: colours(choice, terminal, variable),
            columns: size.map_or(COLUMNS, |(_, columns)| usize::from(columns)),
        }
    }
}

/// What was asked for counts more than what the environment says, and that more than what the output is.
fn colours(choice: Colour, terminal: bool, variable: impl Fn(&str) -> Option<String>) -> bool {
    match choice {
        Colour::Always => true,
        Colour::Never => false,
        Colour::Auto if variable("NO_COLOR").is_some() => false,
        Colour::Auto if variable("CLICOLOR_FORCE").is_some_and(|value| value != "0") => true,
        Colour::Auto => terminal && variable("TERM").is_none_or(|value| value != "dumb"),
    }
}

/// Why results could not be printed, if so.
static FAILED: Mutex<Option<io::Error>> = Mutex::new(None);

/// Prints a result. Whoever reads may stop reading (`| head`): that is no failure. Another one is reported at the end.
pub fn say(text: &str) {
    note(writeln!(io::stdout(), "{text}"));
}

/// Prints what is no result: a mistake, a remark. Where nobody can be told, nobody is.
pub fn tell(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Remembers the first failure to print a result.
pub fn note(printed: io::Result<()>) {
    if let Err(error) = printed
        && error.kind() != ErrorKind::BrokenPipe
    {
        FAILED.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }
}

/// How the program ends, now that all is printed: results that went nowhere are a failure.
pub fn finish(exit: Exit) -> Exit {
    note(io::stdout().flush());
    match FAILED.lock().unwrap_or_else(PoisonError::into_inner).take() {
        None => exit,
        Some(error) => {
            tell(&format!("error: cannot write the results to stdout: {error}"));
            exit.max(Exit::Misuse)
        }
    }
}

/// A word as a shell takes it: quoted if it would read it in another way.
pub fn quoted(word: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./=:,%+@".contains(letter);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_is_as_asked_then_as_the_environment_says_then_as_the_output_is() {
        let check = |choice, terminal, set: &[(&str, &str)], expected| {
            let value =
                |name: &str| set.iter().find(|(of, _)| *of == name).map(|(_, value)| (*value).to_owned());
            assert_eq!(colours(choice, terminal, value), expected, "{choice:?} {terminal} {set:?}");
        };
        check(Colour::Auto, true, &[], true);
        check(Colour::Auto, false, &[], false);
        check(Colour::Auto, true, &[("NO_COLOR", "1")], false);
        check(Colour::Auto, false, &[("CLICOLOR_FORCE", "1")], true);
        check(Colour::Auto, false, &[("CLICOLOR_FORCE", "0")], false);
        check(Colour::Auto, true, &[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")], false);
        check(Colour::Auto, true, &[("TERM", "dumb")], false);
        check(Colour::Always, false, &[("NO_COLOR", "1")], true);
        check(Colour::Never, true, &[("CLICOLOR_FORCE", "1")], false);
    }

    #[test]
    fn a_shell_reads_a_quoted_word_as_it_was() {
        assert_eq!(quoted("eureka/peer-down"), "eureka/peer-down");
        assert_eq!(quoted("my stories/a.yaml"), "'my stories/a.yaml'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted("a={b: c}"), "'a={b: c}'");
        assert_eq!(quoted(""), "''");
    }
}
