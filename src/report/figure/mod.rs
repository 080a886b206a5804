//! The one helper that draws every sheet: theme, axes, bands, labels, stacked panels over one virtual-time axis.
//!
//! A report says *what* is shown, as a [`Sheet`]; how it looks is decided here and nowhere else, so that all pictures of the
//! project look alike. The steps: `layout` turns a sheet into a `scene` with the help of `panel`, `cells`, `axis`, `place`, `font`
//! and `theme`;
//! `render` writes the scene as SVG or PNG. Equal sheets give equal bytes.

pub mod theme;
pub mod font;
pub mod scene;
pub mod axis;
pub mod place;
mod stripes;
pub mod panel;
mod cells;
pub mod layout;
pub mod render;

use crate::report::words::Nanos;
use theme::{Ink, Tone};

/// One picture.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sheet {
    /// The finding, in a sentence.
    pub title: String,
    /// Scenario, system, seed or number of seeds, digest.
    pub subtitle: String,
    /// What is to be seen, for screen readers.
    pub description: String,
    /// The virtual time that the panels share.
    pub span: Span,
    /// Faults that last.
    pub bands: Vec<Band>,
    /// Faults and changes of an instant.
    pub marks: Vec<Mark>,
    /// The stretch that the title is about, if there is one.
    pub highlight: Option<Highlight>,
    pub panels: Vec<Panel>,
    /// What the tones of cells mean, said once under the time axis.
    pub keys: Vec<Key>,
}

/// A stretch of virtual time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    pub start: Nanos,
    pub end: Nanos,
}

/// A fault, shown behind all panels and named once, on top.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Band {
    pub span: Span,
    pub label: String,
}

/// Something that happened at once: a thin rule with a label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    pub at: Nanos,
    pub label: String,
}

/// A stretch that carries the story, such as from the last disturbance to agreement: a black cap, and a rule with its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Highlight {
    pub span: Span,
    pub label: String,
    /// Where its rule stands: the end of it that matters.
    pub at: Nanos,
}

/// What a tone means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    pub tone: Tone,
    pub label: String,
}

/// One plot of a sheet.
#[derive(Clone, Debug, PartialEq)]
pub struct Panel {
    /// What its vertical axis counts. Cells have the names of their groups instead.
    pub name: String,
    /// What a reader must know beside it; may be empty.
    pub note: String,
    /// Its share of the height.
    pub weight: u32,
    pub body: Body,
}

/// What a panel shows.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// Counts over virtual time.
    Series(Series),
    /// States over virtual time, a row for each thing that has one.
    Cells(Cells),
    /// The distribution of a duration over runs, on an axis of its own.
    Distribution(Distribution),
    /// Why there is nothing to show.
    Empty(String),
}

/// Lines over virtual time, the most important first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    pub ribbons: Vec<Ribbon>,
    pub lines: Vec<Line>,
    /// Values above it leave the scale at the top, if there are some; a note of the panel should say so.
    pub ceiling: Option<f64>,
    /// Stretches in which a registry protected itself. A label says who; it may be empty.
    pub shades: Vec<Band>,
}

/// A quantity that changes at instants.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// What it is called at its end; may be empty.
    pub label: String,
    pub ink: Ink,
    pub stroke: Stroke,
    /// Value from each time on, in time order; `None` where there is none, such as a server that is down.
    pub points: Vec<(Nanos, Option<f64>)>,
}

/// How a line is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stroke {
    /// Something measured.
    Solid,
    /// The truth: dashed.
    Truth,
    /// A limit: thin and dashed.
    Threshold,
}

/// An area whose limits change at instants: a range such as p5 to p95, or one layer of a stack.
#[derive(Clone, Debug, PartialEq)]
pub struct Ribbon {
    /// What it is called beside the plot; may be empty.
    pub label: String,
    pub ink: Ink,
    /// Pale, so that lines stand out from it: a range. Else full: a layer.
    pub pale: bool,
    /// Lower and upper value from each time on, in time order.
    pub points: Vec<(Nanos, f64, f64)>,
}

/// Rows of states, in groups.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cells {
    pub groups: Vec<Group>,
}

/// Rows under one name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Group {
    pub name: String,
    pub rows: Vec<Row>,
}

/// The states of one thing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    /// What it is called left of the plot.
    pub name: String,
    /// What it came to, right of the plot; may be empty.
    pub total: String,
    /// The state from each time on, in time order.
    pub states: Vec<(Nanos, Tone)>,
}

/// Empirical distributions: the share of runs that got there within a duration.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Distribution {
    /// The most important first.
    pub curves: Vec<Curve>,
    /// Durations worth naming, such as the median.
    pub marks: Vec<Mark>,
    /// What the horizontal axis measures.
    pub axis: String,
}

/// One empirical distribution.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curve {
    /// What it is called at its end.
    pub label: String,
    pub ink: Ink,
    /// How long each run took that got there, in any order.
    pub values: Vec<Nanos>,
    /// How many runs never got there.
    pub never: usize,
}

impl Sheet {
    /// The picture as an SVG document.
    pub fn svg(&self) -> String {
        render::svg(&layout::lay_out(self))
    }

    /// The picture as a PNG file, at twice the size.
    pub fn png(&self) -> Vec<u8> {
        render::png(&layout::lay_out(self))
    }
}

#[cfg(test)]
pub mod tests;
