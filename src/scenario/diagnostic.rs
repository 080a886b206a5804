//! Where a mistake is and what is wrong with it, as plain values.
//!
//! Separate because everything that reads or resolves a scenario reports through these types, and nothing here knows how they
//! are shown: the command line turns them into coloured reports, tests print them with [`Display`](fmt::Display). A diagnostic
//! carries its source with it, because one scenario may draw on several files.

use std::fmt;
use std::sync::Arc;

/// A text that was read, and the name it is shown under.
#[derive(Clone, PartialEq, Eq)]
pub struct Source {
    /// The path as the user gave it, or a label such as `--set`.
    pub name: String,
    /// The whole text. Empty if it could not be read.
    pub text: String,
}

impl Source {
    /// A source to be shared by the spans that point into it.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Arc<Source> {
        Arc::new(Source { name: name.into(), text: text.into() })
    }

    /// Line and column of a byte offset, both from 1, the column in characters.
    pub fn position(&self, offset: usize) -> (usize, usize) {
        let before = &self.text[..self.floor(offset)];
        let line = before.matches('\n').count() + 1;
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        (line, before[line_start..].chars().count() + 1)
    }

    /// The text of the line that holds a byte offset, without its end.
    fn line_at(&self, offset: usize) -> &str {
        let offset = self.floor(offset);
        let start = self.text[..offset].rfind('\n').map_or(0, |at| at + 1);
        let end = self.text[offset..].find('\n').map_or(self.text.len(), |at| offset + at);
        self.text[start..end].trim_end_matches('\r')
    }

    /// The nearest character boundary at or before `offset`.
    fn floor(&self, offset: usize) -> usize {
        let mut at = offset.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }
}

/// The text itself is left out: it would drown every assertion message.
impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({})", self.name)
    }
}

/// A stretch of a source, in bytes, end exclusive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Span {
    /// A part of this span: the bytes `from..to`, counted from its start.
    pub fn part(self, from: usize, to: usize) -> Span {
        Span { start: (self.start + from).min(self.end), end: (self.start + to).min(self.end) }
    }
}

/// The scenario file and what the command line changes in it. A span points into either.
#[derive(Clone, Debug)]
pub struct Sources {
    /// The file.
    pub file: Arc<Source>,
    /// The settings of the command line, one a line.
    pub set: Arc<Source>,
}

impl Sources {
    /// Spans from here on point into the command line's settings. No file is as long.
    pub const SET: usize = 1 << 30;

    /// The source that a span points into, and the span in it.
    pub fn locate(&self, span: Span) -> (Arc<Source>, Span) {
        match span.start.checked_sub(Self::SET) {
            Some(start) => {
                (self.set.clone(), Span { start, end: span.end.saturating_sub(Self::SET).max(start) })
            }
            None => (self.file.clone(), span),
        }
    }

    /// What stands at a place.
    pub fn text(&self, span: Span) -> String {
        let (source, span) = self.locate(span);
        source.text.get(span.start..span.end).unwrap_or("").to_owned()
    }
}

/// A value and the place where the user wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spanned<T> {
    /// What was written.
    pub value: T,
    /// Where.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// Puts a value and its place together.
    pub fn new(value: T, span: Span) -> Self {
        Spanned { value, span }
    }
}

impl<T> std::ops::Deref for Spanned<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The scenario cannot be used.
    Error,
    /// Worth knowing; the scenario can be used.
    Note,
}

/// One mistake (or note) about something the user wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The text it is about.
    pub source: Arc<Source>,
    /// The place in that text.
    pub span: Span,
    /// Mistake or note.
    pub severity: Severity,
    /// What is wrong: lower case, no full stop.
    pub message: String,
    /// What would be right, if that can be said.
    pub help: Option<String>,
}

impl Diagnostic {
    /// Line and column of the first character, both from 1.
    pub fn position(&self) -> (usize, usize) {
        self.source.position(self.span.start)
    }
}

/// The mistake with its line and a caret under the place, without colours.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Note => "note",
        };
        let (line, column) = self.position();
        writeln!(f, "{severity}: {}", self.message)?;
        if self.source.text.is_empty() {
            writeln!(f, "  --> {}", self.source.name)?;
        } else {
            let text = self.source.line_at(self.span.start);
            let gutter = " ".repeat(line.to_string().len());
            let indent: String =
                text.chars().take(column - 1).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
            let rest = text.chars().count().saturating_sub(column - 1).max(1);
            let end = self.source.floor(self.span.end.max(self.span.start));
            let start = self.source.floor(self.span.start);
            let width = self.source.text[start..end].chars().count().clamp(1, rest);
            writeln!(f, "{gutter}--> {}:{line}:{column}", self.source.name)?;
            writeln!(f, "{gutter} |\n{line} | {text}\n{gutter} | {indent}{}", "^".repeat(width))?;
        }
        match &self.help {
            Some(help) => writeln!(f, "  help: {help}"),
            None => Ok(()),
        }
    }
}

/// The word of `valid` that is nearest to what was written, if one is near enough to be meant.
pub fn nearest<'a>(word: &str, valid: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    let mut best: Option<(usize, &str)> = None;
    for candidate in valid {
        let distance = strsim::damerau_levenshtein(&lower, &candidate.to_lowercase());
        let tolerated = 1 + candidate.chars().count() / 4;
        if distance <= tolerated && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// How many valid words a help line shows.
const MOST_OFFERED: usize = 22;

/// The help line for a word that is not among the valid ones: the nearest, or all of them.
pub fn suggestion<'a>(word: &str, valid: impl IntoIterator<Item = &'a str> + Clone) -> Option<String> {
    if let Some(near) = nearest(word, valid.clone()) {
        return Some(format!("did you mean `{near}`?"));
    }
    let all: Vec<String> = valid.into_iter().map(|word| format!("`{word}`")).collect();
    match all.len() {
        0 => None,
        1..=MOST_OFFERED => Some(format!("valid here: {}", all.join(", "))),
        more => {
            Some(format!("valid here: {}, and {} more", all[..MOST_OFFERED].join(", "), more - MOST_OFFERED))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_characters_not_bytes() {
        let source = Source::new("x", "北京: 上海\nb: c\n");
        assert_eq!(source.position(0), (1, 1));
        assert_eq!(source.position("北京: ".len()), (1, 5));
        assert_eq!(source.position("北京: 上海\nb".len()), (2, 2));
        assert_eq!(source.position(9999), (3, 1));
    }

    #[test]
    fn a_span_past_the_end_is_still_shown() {
        let source = Source::new("x", "a: 1");
        let span = Span { start: 400, end: 500 };
        let shown = Diagnostic { source, span, severity: Severity::Error, message: "m".into(), help: None };
        assert!(shown.to_string().contains("x:1:5"), "{shown}");
    }

    #[test]
    fn the_nearest_word_is_only_offered_when_it_is_near() {
        assert_eq!(nearest("zonne", ["zone", "host"]), Some("zone"));
        assert_eq!(nearest("Zone", ["zone", "host"]), Some("zone"));
        assert_eq!(nearest("colour", ["zone", "host"]), None);
    }
}
