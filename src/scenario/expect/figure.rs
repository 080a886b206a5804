//! `gauge:`: figures of servers and clients, each with a bound in its own unit.
//!
//! Separate because the unit, and whose figure it is, depend on the gauge.

use super::{Expected, Window};
use crate::protocol::Gauge;
use crate::scenario::diagnostic::Spanned;
use crate::scenario::read::{FromNode, Reader};
use crate::scenario::selector::Selector;
use crate::scenario::tree::Node;
use crate::scenario::units::Bound;
use std::time::Duration;

/// What a figure should be.
#[derive(Clone, Debug)]
pub enum Figure {
    /// Of what is counted.
    Number(Bound<u64>),
    /// Of what is a time: in ms.
    Time(Bound<Duration>),
    /// Of what is a server or an address, by its name; `None`: no one.
    Server(Option<Spanned<String>>),
}

/// What a gauge is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// It is counted.
    Number,
    /// It is a time.
    Time,
    /// It is a server or an address.
    Server,
}

impl Unit {
    /// The unit of a gauge.
    pub fn of(gauge: Gauge) -> Unit {
        match gauge {
            Gauge::FetchAge | Gauge::HeartbeatAge | Gauge::HeartbeatDelay | Gauge::FetchDelay => Unit::Time,
            Gauge::PinnedServer | Gauge::QueryPinnedServer => Unit::Server,
            _ => Unit::Number,
        }
    }
}

/// Reads `gauge: { … }`.
pub(super) fn read(reader: &mut Reader, node: &Node) -> Option<Expected> {
    let mut fields = reader.fields(node, "`gauge`")?;
    let names = Gauge::ALL.map(|gauge| (gauge.name(), gauge));
    let gauge = match fields.entry("name") {
        Some(entry) => reader.word(&entry.value, "a gauge", &names),
        None => fields.missing(reader, "name"),
    };
    let sides = ["server", "client"].map(|key| fields.entry(key));
    let window = Window::ask(reader, &mut fields);
    let is = match (fields.entry("is"), gauge) {
        // Of a gauge that does not exist, most likely a number.
        (Some(entry), gauge) => Figure::read(reader, gauge.unwrap_or(Gauge::RegistrySize), &entry.value),
        (None, _) => fields.missing(reader, "is"),
    };
    let right = usize::from(gauge.is_some_and(Gauge::of_clients));
    let of = match (sides, gauge) {
        ([None, None], Some(_)) => fields.missing(reader, ["server", "client"][right]),
        ([Some(_), Some(second)], _) => reader.refuse(
            second.key_span,
            "a figure is of servers or of clients, not of both",
            "write an entry for each",
        ),
        (sides, Some(gauge)) => match (sides[right], sides[1 - right]) {
            (Some(entry), _) => Selector::from_node_spanned(reader, &entry.value),
            (None, wrong) => reader.refuse(
                wrong.map_or(node.span, |entry| entry.key_span),
                format!("`{}` is a figure of {}s", gauge.name(), ["server", "client"][right]),
                format!("`{}: …`", ["server", "client"][right]),
            ),
        },
        (_, None) => None,
    };
    fields.finish(reader);
    Some(Expected::Gauge { gauge: gauge?, of: of?, window: window?, is: is? })
}

impl Figure {
    /// Reads a bound as the gauge's unit asks for it.
    fn read(reader: &mut Reader, gauge: Gauge, node: &Node) -> Option<Figure> {
        match Unit::of(gauge) {
            Unit::Time => Bound::from_node(reader, node).map(Figure::Time),
            Unit::Server => match Spanned::<String>::from_node(reader, node)? {
                name if name.value == "none" => Some(Figure::Server(None)),
                name => Some(Figure::Server(Some(name))),
            },
            Unit::Number => Bound::from_node(reader, node).map(Figure::Number),
        }
    }
}
