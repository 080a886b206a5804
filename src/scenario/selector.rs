//! Who a step or an expectation is about: `peer1`, `provider/0`, `30% of provider`, `zone bj-a`, `servers`.
//!
//! Separate because the same words are used all over the language. Here they are only read; which processes they stand for is
//! decided when the plan is resolved, where every name is known.

use super::diagnostic::{Span, Spanned};
use super::read::{FromNode, Reader};
use super::tree::{Node, Value};
use super::units::{Ratio, Unit};

/// A set of processes, as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// A server, a service (all of its instances), a host (all of its processes) or a group by that name.
    Name(String),
    /// One instance of a service: `provider/0`.
    Instance { service: String, index: u32 },
    /// A share of others, drawn from the seed: `30% of provider`.
    Share { share: Ratio, of: Box<Spanned<Selector>> },
    /// So many of others, drawn from the seed: `2 of provider`.
    Some { count: u32, of: Box<Spanned<Selector>> },
    /// All processes in a zone: `zone bj-a`.
    Zone(String),
    /// All processes in a region: `region beijing`.
    Region(String),
    /// All processes on a host: `host h1`.
    Host(String),
    /// All servers.
    Servers,
    /// All instances of all services.
    Clients,
    /// All of these: a comma list, or a YAML list.
    Union(Vec<Spanned<Selector>>),
}

/// The words that are not names. Quoting makes a name of them.
const RESERVED: [&str; 4] = ["servers", "clients", "leader", "not leader"];

impl Selector {
    /// Reads one selector that stands at `span`.
    fn read(reader: &mut Reader, text: &str, span: Span) -> Option<Spanned<Selector>> {
        if text.contains(',') {
            let mut parts = Vec::new();
            for (part, at) in split(text, span, ',') {
                parts.push(Self::read(reader, part, at)?);
            }
            return Some(Spanned::new(Selector::Union(parts), span));
        }
        let selector = match text {
            "" => {
                return reader.refuse(
                    span,
                    "expected a name, found nothing",
                    "such as `peer1` or `provider/0`",
                );
            }
            "servers" => Selector::Servers,
            "clients" => Selector::Clients,
            "leader" | "not leader" => {
                let help = "Eureka has no leader; name a server, or quote the word if it is a name";
                return reader.refuse(span, format!("no leader in this system: `{text}`"), help);
            }
            _ => {
                if let Some((amount, of)) = text.split_once(" of ") {
                    let of_span = span.part(text.len() - of.trim_start().len(), text.len());
                    let of = Box::new(Self::read(reader, of.trim(), of_span)?);
                    let amount = amount.trim();
                    match amount.parse() {
                        Ok(count) => Selector::Some { count, of },
                        Err(_) => {
                            let share = Ratio::read(amount);
                            let share = reader.unit(span.part(0, amount.len()), share)?;
                            Selector::Share { share, of }
                        }
                    }
                } else if let Some(zone) = text.strip_prefix("zone ") {
                    Selector::Zone(zone.trim().to_owned())
                } else if let Some(region) = text.strip_prefix("region ") {
                    Selector::Region(region.trim().to_owned())
                } else if let Some(host) = text.strip_prefix("host ") {
                    Selector::Host(host.trim().to_owned())
                } else if let Some((service, index)) = text.rsplit_once('/') {
                    match index.trim().parse() {
                        Ok(index) => Selector::Instance { service: service.trim().to_owned(), index },
                        Err(_) => {
                            let message = format!("an instance is a service and a number: `{text}`");
                            return reader.refuse(span, message, "such as `provider/0`");
                        }
                    }
                } else {
                    Selector::Name(text.to_owned())
                }
            }
        };
        Some(Spanned::new(selector, span))
    }

    /// Reads a selector from a scalar, or the union of a list.
    pub fn from_node_spanned(reader: &mut Reader, node: &Node) -> Option<Spanned<Selector>> {
        match &node.value {
            Value::List(items) if items.is_empty() => reader.refuse(
                node.span,
                "expected a name, found an empty list",
                "such as `[peer1, provider]`",
            ),
            Value::List(items) => {
                let parts: Vec<_> =
                    items.iter().filter_map(|item| Self::from_node_spanned(reader, item)).collect();
                (parts.len() == items.len()).then(|| Spanned::new(Selector::Union(parts), node.span))
            }
            Value::Scalar { text, plain: false } if RESERVED.contains(&text.as_str()) => {
                Some(Spanned::new(Selector::Name(text.clone()), node.span))
            }
            Value::Scalar { plain, .. } => {
                let text = reader.text(node, "a name")?;
                // Inside quotes the text starts one character later.
                let start = node.span.start + usize::from(!plain);
                Self::read(reader, text, Span { start, end: start.max(node.span.end) })
            }
            Value::Map(_) => reader.text(node, "a name").and(None),
        }
    }
}

/// The trimmed parts of a text between separators, and their places.
fn split(text: &str, span: Span, separator: char) -> Vec<(&str, Span)> {
    let mut start = 0;
    let mut parts = Vec::new();
    for part in text.split(separator) {
        let lead = part.len() - part.trim_start().len();
        let trimmed = part.trim();
        parts.push((trimmed, span.part(start + lead, start + lead + trimmed.len())));
        start += part.len() + separator.len_utf8();
    }
    parts
}

/// Who, and where it was written. The type that the rest of the language uses.
pub type Who = Spanned<Selector>;

/// A path between two sets of processes or places, as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Where messages come from.
    pub from: Who,
    /// Where they go.
    pub to: Who,
    /// `<->` rather than `->`.
    pub both_ways: bool,
}

impl Route {
    /// Reads `a -> b` or `a <-> b`; `None` without a diagnostic if the text is neither.
    pub fn split(text: &str, span: Span) -> Option<[(&str, Span); 2]> {
        let (at, arrow) = match (text.find("<->"), text.find("->")) {
            (Some(at), _) => (at, "<->"),
            (None, Some(at)) => (at, "->"),
            (None, None) => return None,
        };
        let (from, to) = (&text[..at], &text[at + arrow.len()..]);
        let to_start = text.len() - to.trim_start().len();
        Some([
            (from.trim(), span.part(0, from.trim_end().len())),
            (to.trim(), span.part(to_start, to_start + to.trim().len())),
        ])
    }

    /// Reads `a -> b` or `a <-> b`.
    pub fn read(reader: &mut Reader, text: &str, span: Span) -> Option<Route> {
        let Some([(from, from_span), (to, to_span)]) = Self::split(text, span) else {
            return reader.refuse(
                span,
                format!("expected a path: `{text}`"),
                "such as `a -> b` or `a <-> b`",
            );
        };
        let from = Selector::read(reader, from, from_span);
        let to = Selector::read(reader, to, to_span);
        Some(Route { from: from?, to: to?, both_ways: text.contains("<->") })
    }
}

impl FromNode for Route {
    fn from_node(reader: &mut Reader, node: &Node) -> Option<Self> {
        let text = reader.text(node, "a path")?;
        let start = node.span.start + usize::from(matches!(node.value, Value::Scalar { plain: false, .. }));
        Self::read(reader, text, Span { start, end: node.span.end.max(start) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::diagnostic::Source;
    use crate::scenario::tree;

    fn read(text: &str) -> Result<Selector, String> {
        let source = Source::new("t", text);
        let node = tree::parse(&source).map_err(|errors| errors[0].message.clone())?;
        let mut reader = Reader::new(source);
        match Selector::from_node_spanned(&mut reader, &node) {
            Some(selector) => Ok(selector.value),
            None => Err(reader.diagnostics[0].message.clone()),
        }
    }

    #[test]
    fn every_form_is_read() {
        assert_eq!(read("peer1"), Ok(Selector::Name("peer1".into())));
        assert_eq!(read("provider/12"), Ok(Selector::Instance { service: "provider".into(), index: 12 }));
        assert_eq!(read("zone bj-a"), Ok(Selector::Zone("bj-a".into())));
        assert_eq!(read("servers"), Ok(Selector::Servers));
        assert_eq!(read("'servers'"), Ok(Selector::Name("servers".into())));
        let Ok(Selector::Share { share, of }) = read("30% of provider") else { panic!() };
        assert_eq!((share.to_string(), of.value), ("30%".into(), Selector::Name("provider".into())));
        let Ok(Selector::Union(parts)) = read("peer1, provider/0") else { panic!() };
        assert_eq!(parts.len(), 2);
        assert!(matches!(read("[peer1, 2 of provider]"), Ok(Selector::Union(parts)) if parts.len() == 2));
    }

    #[test]
    fn what_is_not_a_selector_is_refused() {
        assert_eq!(read("leader"), Err("no leader in this system: `leader`".into()));
        assert_eq!(read("provider/x"), Err("an instance is a service and a number: `provider/x`".into()));
        assert_eq!(read("0.3 of provider"), Err("a share needs a unit: `0.3`".into()));
        assert_eq!(read("{a: b}"), Err("expected a name, found keys and values".into()));
        assert_eq!(read("a,,b"), Err("expected a name, found nothing".into()));
    }

    #[test]
    fn parts_of_a_list_and_of_a_path_know_their_places() {
        let source = Source::new("t", "peer1,  provider -> zone x");
        let node = tree::parse(&source).unwrap();
        let route = Route::from_node(&mut Reader::new(source.clone()), &node).unwrap();
        let written = |span: Span| &source.text[span.start..span.end];
        let Selector::Union(parts) = &route.from.value else { panic!() };
        assert_eq!(written(parts[1].span), "provider");
        assert_eq!(written(route.to.span), "zone x");
        assert!(!route.both_ways);
    }
}
