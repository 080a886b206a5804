//! The `.properties` format of Java: keys, separators, comments, continued lines and escapes.
//!
//! Separate because it is a small language of its own. Source of the rules: the documentation of `java.util.Properties.load`.

use super::Property;
use crate::scenario::diagnostic::{Diagnostic, Severity, Source, Span, Spanned};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Reads all documents of a file, each with its properties in order. A line `#---` or `!---` divides documents.
///
/// # Errors
/// Keys written twice in one document, escapes that are not finished, lists that lack an item.
pub fn parse(source: &Arc<Source>) -> Result<Vec<Vec<Property>>, Vec<Diagnostic>> {
    let mut file = File { source, documents: Vec::new(), diagnostics: Vec::new() };
    let text = source.text.as_str();
    let (mut start, mut at) = (0, 0);
    while at < text.len() {
        let end = text[at..].find('\n').map_or(text.len(), |length| at + length + 1);
        if divides(text, at, end) {
            file.document(start, at);
            start = end;
        }
        at = end;
    }
    file.document(start, text.len());
    if file.diagnostics.is_empty() { Ok(file.documents) } else { Err(file.diagnostics) }
}

/// Whether a line divides documents: nothing but the mark and three hyphens, and no comment of its kind right before or after it.
fn divides(text: &str, start: usize, end: usize) -> bool {
    let line = text[start..end].trim_end();
    let Some(mark) = line.strip_suffix("---").filter(|mark| matches!(*mark, "#" | "!")) else { return false };
    let before = text[..start].lines().next_back().unwrap_or("");
    let after = text[end..].lines().next().unwrap_or("");
    !before.starts_with(mark) && !after.starts_with(mark)
}

struct File<'s> {
    source: &'s Arc<Source>,
    documents: Vec<Vec<Property>>,
    diagnostics: Vec<Diagnostic>,
}

impl File<'_> {
    fn refuse(&mut self, span: Span, message: String, help: Option<String>) {
        let source = self.source.clone();
        self.diagnostics.push(Diagnostic { source, span, severity: Severity::Error, message, help });
    }

    /// Reads the document that stands from `start` to `end`.
    fn document(&mut self, start: usize, end: usize) {
        let source = self.source.clone();
        let text = &source.text[..end];
        let mut properties = Vec::new();
        let mut seen: BTreeMap<String, Span> = BTreeMap::new();
        let mut at = start;
        while at < end {
            let line = logical_line(text, at);
            at = line.end;
            let start = line.start + blanks(&text[line.start..line.end]);
            if start >= line.end || text[start..].starts_with(['#', '!']) {
                continue;
            }
            let key_end = start + key_length(&text[start..line.end]);
            let value_start = key_end + separator_length(&text[key_end..line.end]);
            let key_span = Span { start, end: key_end };
            let value_span = Span { start: value_start, end: line.end.max(value_start) };
            let (Some(key), Some(value)) =
                (unescape(&text[start..key_end]), unescape(&text[value_start..line.end]))
            else {
                let message = "escape `\\u` without four hexadecimal digits".into();
                self.refuse(Span { start, end: line.end }, message, None);
                continue;
            };
            if let Some(first) = seen.insert(key.clone(), key_span) {
                let (line, _) = source.position(first.start);
                self.refuse(
                    key_span,
                    format!("duplicate key: `{key}`"),
                    Some(format!("first on line {line}")),
                );
            }
            let value = Spanned::new(value.trim_end().to_owned(), trimmed(text, value_span));
            properties.push(Property { source: source.clone(), key: Spanned::new(key, key_span), value });
        }
        match gathered(properties) {
            Ok(properties) => self.documents.push(properties),
            Err((span, message)) => self.refuse(span, message, None),
        }
    }
}

/// Items of a list, written as `key[0]`, `key[1]`, …, as one value joined by commas; other brackets as points. If an item is
/// missing, where and which.
pub(super) fn gathered(properties: Vec<Property>) -> Result<Vec<Property>, (Span, String)> {
    let mut gathered: Vec<Property> = Vec::new();
    let mut lists: BTreeMap<String, (usize, BTreeMap<usize, Property>)> = BTreeMap::new();
    for mut property in properties {
        let indexed = property.key.value.strip_suffix(']').and_then(|key| key.rsplit_once('['));
        let list = indexed.and_then(|(key, index)| Some((plain(key), index.parse::<usize>().ok()?)));
        match list {
            Some((key, index)) => {
                let list = lists.entry(key).or_insert_with(|| (gathered.len(), BTreeMap::new()));
                if list.1.is_empty() {
                    gathered.push(property.clone());
                }
                list.1.insert(index, property);
            }
            None => {
                property.key.value = plain(&property.key);
                gathered.push(property);
            }
        }
    }
    for (key, (at, items)) in lists {
        let missing = (0..items.len()).find(|index| !items.contains_key(index));
        if let Some((missing, first)) = missing.zip(items.values().next()) {
            return Err((first.key.span, format!("a list without its item `{key}[{missing}]`")));
        }
        let one = items.len() == 1;
        let texts: Vec<&str> = items.values().map(|item| item.value.as_str()).collect();
        let value = texts.join(",");
        let property = &mut gathered[at];
        property.key.value = key;
        if !one {
            property.value.value = value;
        }
    }
    Ok(gathered)
}

/// A key with its brackets as points: `metadata-map[zone]` is `metadata-map.zone`.
fn plain(key: &str) -> String {
    key.replace('[', ".").replace([']', '"'], "")
}

/// The line that starts at `start`, with the lines that continue it; its end is behind the last line break.
fn logical_line(text: &str, start: usize) -> Span {
    let is_comment = text[start..].trim_start_matches([' ', '\t', '\x0c']).starts_with(['#', '!']);
    let mut end = start;
    loop {
        let line = text[end..].find('\n').map_or(&text[end..], |at| &text[end..=end + at]);
        end += line.len();
        let content = line.trim_end_matches(['\n', '\r']);
        let backslashes = content.len() - content.trim_end_matches('\\').len();
        if is_comment || backslashes.is_multiple_of(2) || end >= text.len() {
            let trailing = text[start..end].len() - text[start..end].trim_end_matches(['\n', '\r']).len();
            // A line break that is not part of the value still has to be stepped over.
            return if trailing == end - start { Span { start: end, end } } else { Span { start, end } };
        }
    }
}

fn blanks(text: &str) -> usize {
    text.len() - text.trim_start_matches([' ', '\t', '\x0c', '\n', '\r']).len()
}

fn key_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '=' | ':' | ' ' | '\t' | '\x0c' | '\n' | '\r' => return at,
            _ => {}
        }
    }
    text.len()
}

/// Blanks, at most one `=` or `:`, blanks. The line break at the end belongs to no value.
fn separator_length(text: &str) -> usize {
    let is_blank = [' ', '\t', '\x0c'];
    let rest = text.trim_start_matches(is_blank);
    let rest = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    text.len() - rest.trim_start_matches(is_blank).len()
}

/// The text with escapes replaced and continued lines joined; `None` if a `\u` is not followed by four digits.
fn unescape(text: &str) -> Option<String> {
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        plain.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let Some(next) = rest.chars().next() else { break };
        rest = &rest[next.len_utf8()..];
        match next {
            'n' => plain.push('\n'),
            't' => plain.push('\t'),
            'r' => plain.push('\r'),
            'f' => plain.push('\x0c'),
            'u' => {
                let digits = rest.get(..4).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
                // Half of a surrogate pair alone is no character; it is shown as one that cannot be.
                let code = u32::from_str_radix(digits, 16).ok()?;
                plain.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
                rest = &rest[4..];
            }
            '\r' | '\n' => rest = rest.trim_start_matches([' ', '\t', '\x0c', '\n', '\r']),
            other => plain.push(other),
        }
    }
    plain.push_str(rest);
    Some(plain)
}

/// The span without blanks at its end.
fn trimmed(text: &str, span: Span) -> Span {
    let kept = text[span.start..span.end].trim_end().len();
    Span { start: span.start, end: span.start + kept }
}
