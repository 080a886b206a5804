//! YAML text into a tree in which every node knows where it stands.
//!
//! Separate because it is the only part that touches the event parser. It refuses what makes a configuration file surprising:
//! duplicate keys, `<<` merges, tags, several documents, tabs as indentation, an alias that contains itself, and files that
//! expand beyond reason. It gives no meaning to anything: a scalar stays the text that was written.

use super::diagnostic::{Diagnostic, Severity, Source, Span};
use saphyr_parser::{Event, Parser, ScalarStyle};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many nodes a file may have once its aliases are expanded.
pub const MAX_NODES: usize = 100_000;
/// How deep sequences and mappings may nest.
pub const MAX_DEPTH: usize = 64;
/// How large a file may be, in bytes.
pub const MAX_BYTES: usize = 8 << 20;

/// One node and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// From its first to its last character.
    pub span: Span,
    /// What stands there.
    pub value: Value,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Text; `plain` if it was written without quotes and so may be read as a number, a boolean or nothing.
    Scalar { text: String, plain: bool },
    /// A sequence.
    List(Vec<Node>),
    /// A mapping in the order written. Keys are scalars, and unique.
    Map(Vec<Entry>),
}

/// One key and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key's text.
    pub key: String,
    /// The key's place.
    pub key_span: Span,
    /// Its value.
    pub value: Node,
}

impl Node {
    /// Whether nothing was written here (`key:`, `key: ~`, `key: null`).
    pub fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar { text, plain: true } if matches!(text.as_str(), "" | "~" | "null"))
    }
}

/// Reads one document. On a syntax error the rest of the file cannot be judged, so there is one diagnostic then; duplicate keys,
/// merges and tags are collected.
pub fn parse(source: &Arc<Source>) -> Result<Node, Vec<Diagnostic>> {
    let mut builder = Builder::new(source);
    if source.text.len() > MAX_BYTES {
        builder.refuse(Span::default(), format!("file larger than {MAX_BYTES} bytes"), None);
        return Err(builder.diagnostics);
    }
    builder.refuse_tabs();
    if builder.diagnostics.is_empty() {
        builder.read();
    }
    match builder.root {
        Some(root) if builder.diagnostics.is_empty() => Ok(root),
        _ => {
            if builder.diagnostics.is_empty() {
                builder.refuse(Span::default(), "the file is empty".into(), None);
            }
            Err(builder.diagnostics)
        }
    }
}

/// Reads all documents of a file of another product, which may have several; the documents that hold nothing are passed over.
///
/// # Errors
/// As [`parse`], but for the number of documents.
pub fn parse_all(source: &Arc<Source>) -> Result<Vec<Node>, Vec<Diagnostic>> {
    let mut builder = Builder::new(source);
    builder.documents = Some(Vec::new());
    if source.text.len() > MAX_BYTES {
        builder.refuse(Span::default(), format!("file larger than {MAX_BYTES} bytes"), None);
        return Err(builder.diagnostics);
    }
    builder.refuse_tabs();
    if builder.diagnostics.is_empty() {
        builder.read();
    }
    match builder.diagnostics.is_empty() {
        true => Ok(builder.documents.unwrap_or_default()),
        false => Err(builder.diagnostics),
    }
}

/// A collection that has been opened and not yet closed.
struct Open {
    span_start: usize,
    anchor: usize,
    value: Value,
    /// A key that waits for its value.
    key: Option<(String, Span)>,
    /// Where each key so far was written.
    keys: BTreeMap<String, Span>,
    /// Nodes in it so far, aliases expanded.
    nodes: usize,
}

struct Builder<'a> {
    source: &'a Arc<Source>,
    /// Byte offset of each character, because the event parser counts characters. Empty if the text is ASCII.
    offsets: Vec<usize>,
    open: Vec<Open>,
    anchors: BTreeMap<usize, (Node, usize)>,
    root: Option<Node>,
    /// The documents so far, where a file may have several.
    documents: Option<Vec<Node>>,
    nodes: usize,
    diagnostics: Vec<Diagnostic>,
}

impl<'a> Builder<'a> {
    fn new(source: &'a Arc<Source>) -> Self {
        let offsets = match source.text.is_ascii() {
            true => Vec::new(),
            false => source.text.char_indices().map(|(offset, _)| offset).collect(),
        };
        Builder {
            source,
            offsets,
            open: Vec::new(),
            anchors: BTreeMap::new(),
            root: None,
            documents: None,
            nodes: 0,
            diagnostics: Vec::new(),
        }
    }

    fn refuse(&mut self, span: Span, message: String, help: Option<String>) {
        let source = self.source.clone();
        self.diagnostics.push(Diagnostic { source, span, severity: Severity::Error, message, help });
    }

    fn refuse_tabs(&mut self) {
        let mut start = 0;
        for line in self.source.text.split_inclusive('\n') {
            let indent = line.len() - line.trim_start_matches([' ', '\t']).len();
            if let Some(at) = line[..indent].find('\t').filter(|_| !line.trim().is_empty()) {
                let span = Span { start: start + at, end: start + at + 1 };
                self.refuse(span, "tab used as indentation".into(), Some("indent with spaces".into()));
            }
            start += line.len();
        }
    }

    fn offset(&self, characters: usize) -> usize {
        match self.offsets.is_empty() {
            true => characters.min(self.source.text.len()),
            false => self.offsets.get(characters).copied().unwrap_or(self.source.text.len()),
        }
    }

    fn read(&mut self) {
        let source = self.source.clone();
        let mut parser = Parser::new_from_str(&source.text);
        let mut documents = 0;
        while let Some(next) = parser.next_event() {
            let (event, at) = match next {
                Ok(next) => next,
                Err(error) => {
                    let start = self.offset(error.marker().index());
                    let message = format!("not valid YAML: {}", error.info());
                    return self.refuse(Span { start, end: start + 1 }, message, None);
                }
            };
            let span = Span { start: self.offset(at.start.index()), end: self.offset(at.end.index()) };
            let go_on = match event {
                Event::Nothing | Event::StreamStart => true,
                Event::DocumentEnd => {
                    if let Some(documents) = &mut self.documents {
                        documents.extend(self.root.take().filter(|root| !root.is_null()));
                    }
                    true
                }
                Event::StreamEnd => return,
                Event::DocumentStart(_) => {
                    documents += usize::from(self.documents.is_none());
                    if documents > 1 {
                        let help = "one file holds one scenario; put the next one in a file of its own";
                        self.refuse(span, "second document in one file".into(), Some(help.into()));
                    }
                    documents <= 1
                }
                Event::Alias(anchor) => self.alias(anchor, span),
                Event::Scalar(text, style, anchor, tag) => {
                    self.refuse_tag(tag.is_some(), span);
                    let plain = style == ScalarStyle::Plain;
                    let value = Value::Scalar { text: text.into_owned(), plain };
                    // The parser's span of a block scalar runs into the next line.
                    let trimmed = self.source.text[span.start..span.end.max(span.start)].trim_end().len();
                    let span = Span { start: span.start, end: span.start + trimmed };
                    self.place(Node { span, value }, anchor, 1)
                }
                Event::SequenceStart(anchor, tag) => {
                    self.refuse_tag(tag.is_some(), span);
                    self.enter(span, anchor, Value::List(Vec::new()))
                }
                Event::MappingStart(anchor, tag) => {
                    self.refuse_tag(tag.is_some(), span);
                    self.enter(span, anchor, Value::Map(Vec::new()))
                }
                Event::SequenceEnd | Event::MappingEnd => self.leave(span),
            };
            if !go_on {
                return;
            }
        }
    }

    fn refuse_tag(&mut self, tagged: bool, span: Span) {
        if tagged {
            self.refuse(span, "tags are not used here".into(), Some("leave the `!…` out".into()));
        }
    }

    fn enter(&mut self, span: Span, anchor: usize, value: Value) -> bool {
        if self.open.len() >= MAX_DEPTH {
            self.refuse(span, format!("nested deeper than {MAX_DEPTH} levels"), None);
            return false;
        }
        self.open.push(Open {
            span_start: span.start,
            anchor,
            value,
            key: None,
            keys: BTreeMap::new(),
            nodes: 1,
        });
        true
    }

    fn leave(&mut self, span: Span) -> bool {
        let Some(closed) = self.open.pop() else { return false };
        // The end event of a block collection stands at the start of what follows: the last child says where it ends.
        let last = match &closed.value {
            Value::List(items) => items.last().map(|item| item.span.end),
            Value::Map(entries) => entries.last().map(|entry| entry.value.span.end.max(entry.key_span.end)),
            Value::Scalar { .. } => None,
        };
        let flow = self.source.text[closed.span_start..].starts_with(['[', '{']);
        let end = if flow { span.end } else { last.unwrap_or(span.end) };
        let node = Node { span: Span { start: closed.span_start, end }, value: closed.value };
        self.place(node, closed.anchor, closed.nodes)
    }

    fn alias(&mut self, anchor: usize, span: Span) -> bool {
        match self.anchors.get(&anchor) {
            Some((_, size)) if self.nodes + size > MAX_NODES => {
                let message = format!("aliases expand to more than {MAX_NODES} nodes");
                self.refuse(span, message, None);
                false
            }
            Some((node, size)) => {
                let (node, size) = (node.clone(), *size);
                self.place(node, 0, size)
            }
            None => {
                self.refuse(span, "alias inside the node that it names".into(), None);
                false
            }
        }
    }

    /// Puts a finished node where it belongs; `size` is its number of nodes.
    fn place(&mut self, node: Node, anchor: usize, size: usize) -> bool {
        if anchor != 0 {
            self.anchors.insert(anchor, (node.clone(), size));
        }
        // Collections were counted child by child as they grew; only their own node is new, but an alias is new as a whole.
        self.nodes += if matches!(node.value, Value::Scalar { .. }) || anchor == 0 { size } else { 1 };
        if self.nodes > MAX_NODES {
            self.refuse(node.span, format!("more than {MAX_NODES} nodes"), None);
            return false;
        }
        let Some(parent) = self.open.last_mut() else {
            self.root = Some(node);
            return true;
        };
        parent.nodes += size;
        let key = match &mut parent.value {
            Value::List(items) => {
                items.push(node);
                return true;
            }
            Value::Map(_) => parent.key.take(),
            Value::Scalar { .. } => unreachable!("only collections are opened"),
        };
        match key {
            None => self.place_key(node),
            Some((key, key_span)) => {
                if let Some(Open { value: Value::Map(entries), .. }) = self.open.last_mut() {
                    entries.push(Entry { key, key_span, value: node });
                }
                true
            }
        }
    }

    fn place_key(&mut self, node: Node) -> bool {
        let Value::Scalar { text, .. } = node.value else {
            self.refuse(node.span, "a key must be a plain word".into(), None);
            return false;
        };
        let parent = self.open.last_mut().expect("a key is placed into an open mapping");
        parent.key = Some((text.clone(), node.span));
        let first = parent.keys.get(&text).copied();
        parent.keys.entry(text.clone()).or_insert(node.span);
        if text == "<<" {
            let help = "write the keys out, or share a whole value with an alias";
            self.refuse(node.span, "merge keys are not supported".into(), Some(help.into()));
        } else if let Some(first) = first {
            let (line, _) = self.source.position(first.start);
            self.refuse(node.span, format!("duplicate key: `{text}`"), Some(format!("first on line {line}")));
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn messages(text: &str) -> Vec<String> {
        match parse(&Source::new("t", text)) {
            Ok(_) => Vec::new(),
            Err(diagnostics) => diagnostics.into_iter().map(|d| d.message).collect(),
        }
    }

    fn written<'a>(text: &'a str, node: &Node) -> &'a str {
        &text[node.span.start..node.span.end]
    }

    #[test]
    fn spans_hold_exactly_what_was_written() {
        let text = "标题: 两 个\nlist:\n  - [a, 'b c']\n  - {x: 1}\nlast: |\n  block\n  more\nend: e\n";
        let root = parse(&Source::new("t", text)).unwrap();
        let Value::Map(entries) = &root.value else { panic!("{root:?}") };
        assert_eq!(&text[entries[0].key_span.start..entries[0].key_span.end], "标题");
        assert_eq!(written(text, &entries[0].value), "两 个");
        let Value::List(items) = &entries[1].value.value else { panic!("{root:?}") };
        assert_eq!(written(text, &items[0]), "[a, 'b c']");
        assert_eq!(written(text, &items[1]), "{x: 1}");
        assert!(written(text, &entries[2].value).ends_with("more"), "{:?}", written(text, &entries[2].value));
        assert_eq!(written(text, &entries[3].value), "e");
    }

    /// The same document as `serde_yaml` reads it, with the meaning of plain scalars left to it.
    fn plain_value(node: &Node) -> serde_yaml::Value {
        match &node.value {
            Value::Scalar { text, plain: true } => serde_yaml::from_str(text).expect("a plain scalar"),
            Value::Scalar { text, plain: false } => text.as_str().into(),
            Value::List(items) => items.iter().map(plain_value).collect::<Vec<_>>().into(),
            Value::Map(entries) => {
                let entries =
                    entries.iter().map(|entry| (entry.key.as_str().into(), plain_value(&entry.value)));
                serde_yaml::Value::Mapping(entries.collect())
            }
        }
    }

    #[test]
    fn two_readers_of_yaml_agree() {
        for text in [
            include_str!("tests/whole.yaml"),
            "a: &x [1, 'two', \"thr\\u0065e\"]\nb: *x\nc: >-\n  folded\n  text\n\n  more\nd: |\n  as\n   it is\ne: { f: , g: ~ }\n",
            "- - nested\n  - [in, {flow: 'it''s'}]\n- # comment\n  key: a b  c # end\n- ? x\n  : y\n",
        ] {
            let ours = parse(&Source::new("t", text)).unwrap();
            let theirs: serde_yaml::Value = serde_yaml::from_str(text).unwrap();
            assert_eq!(plain_value(&ours), theirs);
        }
    }

    #[test]
    fn what_makes_a_file_surprising_is_refused() {
        let table: &[(&str, &str)] = &[
            ("a: 1\na: 2\n", "duplicate key: `a`"),
            ("a: &x {b: 1}\nc: {<<: *x}\n", "merge keys are not supported"),
            ("a: 1\n---\nb: 2\n", "second document in one file"),
            ("a:\n\tb: 1\n", "tab used as indentation"),
            ("a: !int 5\n", "tags are not used here"),
            ("a: &x [*x]\n", "alias inside the node that it names"),
            ("", "the file is empty"),
            ("# only a comment\n", "the file is empty"),
            ("? [a, b]\n: c\n", "a key must be a plain word"),
        ];
        for (text, expected) in table {
            assert_eq!(messages(text), [*expected], "{text:?}");
        }
        assert!(messages("a: [1, 2\nb: 3\n")[0].starts_with("not valid YAML: "));
        assert!(messages(&"[".repeat(100))[0].starts_with("nested deeper than"));
        assert!(messages(&"- ".repeat(5000))[0].starts_with("nested deeper than"));
    }

    #[test]
    fn an_alias_bomb_is_refused_before_it_expands() {
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..12 {
            let inner = vec![format!("*a{}", level - 1); 10].join(", ");
            bomb += &format!("a{level}: &a{level} [{inner}]\n");
        }
        assert!(messages(&bomb)[0].contains("more than 100000 nodes"), "{:?}", messages(&bomb));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "\\PC*|([-?:,\\[\\]{}#&*!|>'\"%@` \\n\\ta-c<]{0,60})") {
            let _ = parse(&Source::new("t", text));
        }
    }
}
