//! `at` and `during`: when an expectation counts.
//!
//! Separate because events, figures and calls are all looked at in stretches of the run.

use crate::scenario::read::{Fields, FromNode, Reader};
use crate::scenario::timeline::When;
use crate::scenario::tree::Node;

/// A stretch of the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Window {
    /// All of it.
    Always,
    /// One moment.
    At(When),
    /// From one moment to another, both included.
    During(When, When),
}

impl Window {
    /// Asks for `at` and `during`.
    pub(super) fn ask(reader: &mut Reader, fields: &mut Fields<'_>) -> Option<Window> {
        let at = fields.entry("at");
        let during = fields.entry("during");
        match (at, during) {
            (None, None) => Some(Window::Always),
            (Some(at), None) => When::from_node(reader, &at.value).map(Window::At),
            (None, Some(during)) => Self::during(reader, &during.value),
            (Some(_), Some(during)) => {
                reader.refuse(during.key_span, "`at` a moment or `during` a time, not both", "leave one out")
            }
        }
    }

    /// Reads `5m..9m`.
    pub(super) fn during(reader: &mut Reader, node: &Node) -> Option<Window> {
        let text = reader.text(node, "a stretch of time")?;
        let Some((from, to)) = text.split_once("..") else {
            return reader.refuse(
                node.span,
                format!("expected a stretch of time: `{text}`"),
                "such as `5m..9m`",
            );
        };
        let from = When::read(reader, from.trim(), node.span, false);
        let to = When::read(reader, to.trim(), node.span, false);
        Some(Window::During(from?, to?))
    }
}
