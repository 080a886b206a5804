//! A YAML document as properties, the way Spring flattens it: keys joined by points, items of a list numbered.
//!
//! Separate because the shape of a tree is lost here for good. A list of texts stays one value, joined by commas: that is what the
//! registry's settings are bound from.

use super::Property;
use crate::scenario::diagnostic::{Source, Span, Spanned};
use crate::scenario::tree::{Node, Value};
use std::sync::Arc;

/// The properties of one document, in the order written.
pub(super) fn flatten(source: &Arc<Source>, root: &Node) -> Vec<Property> {
    let mut properties = Vec::new();
    walk(source, "", root.span, root, &mut properties);
    properties
}

fn walk(source: &Arc<Source>, key: &str, key_span: Span, node: &Node, into: &mut Vec<Property>) {
    let mut push = |value: String| {
        let (key, value) = (Spanned::new(key.to_owned(), key_span), Spanned::new(value, node.span));
        into.push(Property { source: source.clone(), key, value });
    };
    match &node.value {
        Value::Scalar { text, .. } => push(if node.is_null() { String::new() } else { text.clone() }),
        Value::List(items) => {
            let texts = items.iter().map(|item| match &item.value {
                Value::Scalar { text, .. } => Some(text.as_str()),
                Value::List(_) | Value::Map(_) => None,
            });
            match texts.collect::<Option<Vec<_>>>() {
                Some(texts) => push(texts.join(",")),
                None => {
                    for (index, item) in items.iter().enumerate() {
                        walk(source, &format!("{key}.{index}"), key_span, item, into);
                    }
                }
            }
        }
        Value::Map(entries) => {
            for entry in entries {
                let own = entry.key.replace('[', ".").replace([']', '"'], "");
                let own = own.trim_start_matches('.');
                let key = if key.is_empty() { own.to_owned() } else { format!("{key}.{own}") };
                walk(source, &key, entry.key_span, &entry.value, into);
            }
        }
    }
}
