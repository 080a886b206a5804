//! How meaning is read out of the tree: by asking a mapping for the keys that are valid in it.
//!
//! Separate because it is the technique behind every part of the language. Each part asks [`Fields`] for its keys, one call a
//! key; whatever was not asked for is unknown, and the help line offers the nearest of the keys that were. So the valid keys
//! stand in one place only, and reading goes on after a mistake: `None` means "a diagnostic has been recorded".

use super::diagnostic::{Diagnostic, Severity, Source, Sources, Span, Spanned, suggestion};
use super::tree::{Entry, Node, Value};
use super::units::{Bandwidth, Bound, Distance, Drift, Factor, Offset, Range, Rate, Ratio, Unit, UnitError};
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::time::Duration;

/// What is being read, and the mistakes found so far.
pub struct Reader {
    /// The texts that all spans point into.
    pub sources: Sources,
    /// In the order found; sorted by place at the end.
    pub diagnostics: Vec<Diagnostic>,
}

impl Reader {
    /// A reader of one source.
    pub fn new(source: Arc<Source>) -> Self {
        Self::with(Sources { file: source, set: Source::new("--set", "") })
    }

    /// A reader of a file with changes.
    pub fn with(sources: Sources) -> Self {
        Reader { sources, diagnostics: Vec::new() }
    }

    /// Records a mistake.
    pub fn error(&mut self, span: Span, message: impl Into<String>, help: Option<String>) {
        let ((source, span), message) = (self.sources.locate(span), message.into());
        self.diagnostics.push(Diagnostic { source, span, severity: Severity::Error, message, help });
    }

    /// Records something that is no mistake and should be known.
    pub fn note(&mut self, span: Span, message: impl Into<String>) {
        let ((source, span), message) = (self.sources.locate(span), message.into());
        self.diagnostics.push(Diagnostic { source, span, severity: Severity::Note, message, help: None });
    }

    /// Records a mistake whose right form is known, and is `None`.
    pub fn refuse<T>(
        &mut self,
        span: Span,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Option<T> {
        self.error(span, message, Some(help.into()));
        None
    }

    /// Records that a unit could not be read.
    pub fn unit<T>(&mut self, span: Span, result: Result<T, UnitError>) -> Option<T> {
        result.map_err(|error| self.error(span, error.message, error.help)).ok()
    }

    /// What stands at a place, with line breaks and indentation made single blanks.
    pub fn one_line(&self, span: Span) -> String {
        let text = self.sources.text(span);
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// A mapping, as something to ask for keys. `what` names it in messages, with its article.
    pub fn fields<'n>(&mut self, node: &'n Node, what: &'static str) -> Option<Fields<'n>> {
        match &node.value {
            Value::Map(entries) => {
                let asked = entries.iter().map(|_| false).collect();
                Some(Fields { what, span: node.span, entries, asked, valid: Vec::new() })
            }
            _ => self.refuse(
                node.span,
                format!("{what} is written as keys and values"),
                "such as `{ key: value, … }`",
            ),
        }
    }

    /// The entries of a mapping whose keys are names that the user chose. Nothing written is an empty mapping.
    pub fn named<'n>(&mut self, node: &'n Node, what: &'static str) -> &'n [Entry] {
        match &node.value {
            Value::Map(entries) => entries,
            _ if node.is_null() => &[],
            _ => {
                let message = format!("{what} are written as names and what they are");
                self.error(node.span, message, Some("such as `name: { … }`".into()));
                &[]
            }
        }
    }

    /// The items of a sequence.
    pub fn items<'n>(&mut self, node: &'n Node, what: &'static str) -> &'n [Node] {
        match &node.value {
            Value::List(items) => items,
            _ => {
                self.error(
                    node.span,
                    format!("{what} is written as a list"),
                    Some("such as `[a, b]`".into()),
                );
                &[]
            }
        }
    }

    /// The text of a scalar that is not empty.
    pub fn text<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n str> {
        match &node.value {
            Value::Scalar { text, .. } if !text.trim().is_empty() && !node.is_null() => Some(text.trim()),
            Value::Scalar { .. } => {
                self.error(node.span, format!("expected {what}, found nothing"), None);
                None
            }
            Value::List(_) => {
                self.error(node.span, format!("expected {what}, found a list"), None);
                None
            }
            Value::Map(_) => {
                self.error(node.span, format!("expected {what}, found keys and values"), None);
                None
            }
        }
    }

    /// One of a fixed set of words.
    pub fn word<T: Copy>(&mut self, node: &Node, what: &str, valid: &[(&str, T)]) -> Option<T> {
        let text = self.text(node, what)?;
        match valid.iter().find(|(word, _)| *word == text) {
            Some((_, value)) => Some(*value),
            None => {
                let help = suggestion(text, valid.iter().map(|(word, _)| *word));
                self.error(node.span, format!("unknown {}: `{text}`", without_article(what)), help);
                None
            }
        }
    }
}

/// `a duration` without its article.
fn without_article(what: &str) -> &str {
    what.strip_prefix("a ").or_else(|| what.strip_prefix("an ")).unwrap_or(what)
}

/// A mapping that is asked for its keys.
pub struct Fields<'n> {
    what: &'static str,
    span: Span,
    entries: &'n [Entry],
    asked: Vec<bool>,
    valid: Vec<&'static str>,
}

impl<'n> Fields<'n> {
    /// The place of the whole mapping.
    pub fn span(&self) -> Span {
        self.span
    }

    /// The entry of a key, if it was written. Asking makes the key valid.
    pub fn entry(&mut self, key: &'static str) -> Option<&'n Entry> {
        if !self.valid.contains(&key) {
            self.valid.push(key);
        }
        let at = self.entries.iter().position(|entry| entry.key == key)?;
        self.asked[at] = true;
        Some(&self.entries[at])
    }

    /// The entry of a key that is recognised but not offered: a word that this version refuses.
    pub fn refused_entry(&mut self, key: &str) -> Option<&'n Entry> {
        let at = self.entries.iter().position(|entry| entry.key == key)?;
        self.asked[at] = true;
        Some(&self.entries[at])
    }

    /// Whether a key was written that nothing has asked for yet.
    pub fn has_unknown(&self) -> bool {
        self.asked.contains(&false)
    }

    /// The value of a key, read by `read`. `None` if the key is absent or its value is a mistake.
    pub fn with<T>(
        &mut self,
        reader: &mut Reader,
        key: &'static str,
        read: impl FnOnce(&mut Reader, &'n Node) -> Option<T>,
    ) -> Option<T> {
        let entry = self.entry(key)?;
        read(reader, &entry.value)
    }

    /// The value of a key that may be left out.
    pub fn optional<T: FromNode>(&mut self, reader: &mut Reader, key: &'static str) -> Option<T> {
        self.with(reader, key, T::from_node)
    }

    /// The value of a key that must be there.
    pub fn required<T: FromNode>(&mut self, reader: &mut Reader, key: &'static str) -> Option<T> {
        match self.entry(key) {
            Some(entry) => T::from_node(reader, &entry.value),
            None => self.missing(reader, key),
        }
    }

    /// Records that a key is missing.
    pub fn missing<T>(&self, reader: &mut Reader, key: &str) -> Option<T> {
        reader.error(self.head(reader), format!("{} needs `{key}`", self.what), None);
        None
    }

    /// The first line of the mapping: where a message about the whole of it points.
    pub fn head(&self, reader: &Reader) -> Span {
        let text = reader.sources.text(self.span);
        Span { start: self.span.start, end: self.span.start + text.lines().next().unwrap_or("").len() }
    }

    /// The entries that were not asked for: for mappings that mix fixed keys with others.
    pub fn rest(&mut self) -> Vec<&'n Entry> {
        let rest = self.entries.iter().zip(&self.asked).filter(|(_, asked)| !**asked).map(|(entry, _)| entry);
        let rest = rest.collect();
        self.asked.fill(true);
        rest
    }

    /// Records every key that nothing asked for.
    pub fn finish(self, reader: &mut Reader) {
        for (entry, _) in self.entries.iter().zip(&self.asked).filter(|(_, asked)| !**asked) {
            let help = suggestion(&entry.key, self.valid.iter().copied());
            reader.error(entry.key_span, format!("unknown key in {}: `{}`", self.what, entry.key), help);
        }
    }
}

/// What can be read from one node.
pub trait FromNode: Sized {
    /// Reads it, or records why not.
    fn from_node(reader: &mut Reader, node: &Node) -> Option<Self>;
}

impl<T: FromNode> FromNode for Spanned<T> {
    fn from_node(reader: &mut Reader, node: &Node) -> Option<Self> {
        T::from_node(reader, node).map(|value| Spanned::new(value, node.span))
    }
}

/// Items that are mistakes are left out, so that the others are still looked at.
impl<T: FromNode> FromNode for Vec<T> {
    fn from_node(reader: &mut Reader, node: &Node) -> Option<Self> {
        let items = reader.items(node, "this");
        Some(items.iter().filter_map(|item| T::from_node(reader, item)).collect())
    }
}

impl FromNode for String {
    fn from_node(reader: &mut Reader, node: &Node) -> Option<Self> {
        reader.text(node, "a text").map(str::to_owned)
    }
}

/// What YAML 1.2 calls a truth value: `yes` and `on` are texts.
impl FromNode for bool {
    fn from_node(reader: &mut Reader, node: &Node) -> Option<Self> {
        yaml(reader, node, "a truth value", "`true` or `false`")
    }
}

impl FromNode for u64 {
    fn from_node(reader: &mut Reader, node: &Node) -> Option<Self> {
        yaml(reader, node, u64::WHAT, "such as `3`")
    }
}

/// A scalar without a unit, by the rules of YAML for plain scalars.
fn yaml<T: DeserializeOwned>(reader: &mut Reader, node: &Node, what: &str, help: &str) -> Option<T> {
    let text = reader.text(node, what)?;
    match serde_yaml::from_str(text) {
        Ok(value) => Some(value),
        Err(_) => reader.refuse(node.span, format!("expected {what}: `{text}`"), help),
    }
}

macro_rules! from_text {
    ($($type:ty = $what:expr, $read:expr;)*) => {$(
        impl FromNode for $type {
            fn from_node(reader: &mut Reader, node: &Node) -> Option<Self> {
                let text = reader.text(node, $what)?;
                let read = $read(text);
                reader.unit(node.span, read)
            }
        }
    )*};
}

from_text! {
    Duration = Duration::WHAT, Duration::read;
    Offset = Offset::WHAT, Offset::read;
    Ratio = Ratio::WHAT, Ratio::read;
    Rate = Rate::WHAT, Rate::read;
    Distance = Distance::WHAT, Distance::read;
    Bandwidth = Bandwidth::WHAT, Bandwidth::read;
    Drift = Drift::WHAT, Drift::read;
    Factor = Factor::WHAT, Factor::read;
    Range<Duration> = "a duration or a range of durations", Range::<Duration>::read;
    Bound<Duration> = "a duration or a bound", Bound::<Duration>::read;
    Bound<Ratio> = "a share or a bound", Bound::<Ratio>::read;
    Bound<u64> = "a number or a bound", Bound::<u64>::read;
}
