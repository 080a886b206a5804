//! The lines of a transcript, and the difference between two.

use super::names::{parse_seconds, seconds};

/// What stands in front of a line without a time.
const INDENT: &str = "         ";

/// What a line is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Prose, or nothing.
    Prose,
    /// Before the start.
    Setup(String),
    /// What is done to the process at this time.
    Input(i64, String),
    /// What the process is said to do at this time.
    Effect(i64, String),
}

/// A line of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// As it is written.
    pub(super) text: String,
    pub(super) kind: Kind,
}

const INPUTS: [&str; 8] = ["start", "stop", ">", "←", "ask", "set", "clock", "(time"];
const EFFECTS: [&str; 7] = ["<", "→", "!", "done", "exit", "abandons", "port"];

/// Reads a file.
///
/// # Errors
/// With the number of the line and what is wrong with it.
pub(super) fn read(text: &str) -> Result<Vec<Line>, (usize, String)> {
    let (mut started, mut now_ms) = (false, 0);
    let read_line = |(at, text): (usize, &str)| {
        let kind = kind(text, &mut started, &mut now_ms).map_err(|message| (at + 1, message))?;
        Ok(Line { text: text.to_owned(), kind })
    };
    text.lines().enumerate().map(read_line).collect()
}

fn kind(text: &str, started: &mut bool, now_ms: &mut i64) -> Result<Kind, String> {
    if text.trim().is_empty() || text.starts_with('#') {
        return Ok(Kind::Prose);
    }
    let first = text.split_whitespace().next().unwrap_or("");
    if !*started && !first.starts_with(|letter: char| letter.is_ascii_digit()) {
        return Ok(Kind::Setup(text.trim().to_owned()));
    }
    *started = true;
    let said = if text.starts_with(' ') {
        text.trim()
    } else {
        let at_ms = parse_seconds(first).ok_or_else(|| format!("a time has three decimals: `{first}`"))?;
        if at_ms < *now_ms {
            return Err(format!("time goes on, but {} comes after {}", seconds(at_ms), seconds(*now_ms)));
        }
        *now_ms = at_ms;
        text[first.len()..].trim()
    };
    let verb = said.split_whitespace().next().unwrap_or("");
    if INPUTS.contains(&verb) {
        Ok(Kind::Input(*now_ms, said.to_owned()))
    } else if EFFECTS.contains(&verb) {
        Ok(Kind::Effect(*now_ms, said.to_owned()))
    } else {
        Err(format!("neither an input nor an effect: `{said}`"))
    }
}

/// Lines of effects as the process had them. The time is written where it changes; `now_ms` is that of the line before.
pub(super) fn written(effects: Vec<(i64, String)>, mut now_ms: i64) -> Vec<Line> {
    let write = |(at_ms, said): (i64, String)| {
        let front = if at_ms == now_ms { INDENT.to_owned() } else { format!("{:<9}", seconds(at_ms)) };
        now_ms = at_ms;
        Line { text: format!("{front}{said}"), kind: Kind::Effect(at_ms, said) }
    };
    effects.into_iter().map(write).collect()
}

/// Whether a line stays, is only in the file, or was only seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    Same,
    Gone,
    New,
}

/// The shortest difference between what a file says and what was seen: prose stays where it is.
pub(super) fn difference(said: &[Line], seen: &[Line]) -> Vec<(Mark, Line)> {
    // longest[i][j]: how many lines the rests from i and j have in common.
    let mut longest = vec![vec![0_usize; seen.len() + 1]; said.len() + 1];
    for i in (0..said.len()).rev() {
        for j in (0..seen.len()).rev() {
            longest[i][j] = if said[i].kind == seen[j].kind {
                longest[i + 1][j + 1] + 1
            } else {
                longest[i + 1][j].max(longest[i][j + 1])
            };
        }
    }
    let (mut i, mut j, mut lines) = (0, 0, Vec::new());
    while i < said.len() || j < seen.len() {
        if i < said.len() && said[i].kind == Kind::Prose {
            lines.push((Mark::Same, said[i].clone()));
            i += 1;
        } else if i < said.len() && j < seen.len() && said[i].kind == seen[j].kind {
            lines.push((Mark::Same, said[i].clone()));
            (i, j) = (i + 1, j + 1);
        } else if j == seen.len() || (i < said.len() && longest[i + 1][j] >= longest[i][j + 1]) {
            lines.push((Mark::Gone, said[i].clone()));
            i += 1;
        } else {
            lines.push((Mark::New, seen[j].clone()));
            j += 1;
        }
    }
    lines
}
