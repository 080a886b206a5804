//! A laid-out picture: rectangles, step paths, areas and texts at whole units.
//!
//! It stands between layout and output so that both formats draw exactly the same thing, and so that tests can look at where
//! labels ended up. It knows nothing of time, values or formats.

use super::font::{self, Weight};
use super::theme::Paint;

/// A point or a corner: x to the right, y down, in units.
pub type Point = (i32, i32);

/// A rectangle; the lower right corner lies outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rect {
    pub left: i32,
    pub top: i32,
    pub right: i32,
    pub bottom: i32,
}

impl Rect {
    pub fn intersects(&self, other: &Rect) -> bool {
        self.left < other.right
            && other.left < self.right
            && self.top < other.bottom
            && other.top < self.bottom
    }
}

/// Which side of a text stands at its x.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

/// One line of text.
#[derive(Clone, Debug, PartialEq)]
pub struct Text {
    pub content: String,
    pub x: i32,
    pub baseline: i32,
    pub anchor: Anchor,
    pub size: i32,
    pub weight: Weight,
    pub paint: Paint,
}

impl Text {
    pub fn width(&self) -> i32 {
        font::width(&self.content, self.size, self.weight)
    }

    /// The box that the text covers, without the leading around it.
    pub fn bounds(&self) -> Rect {
        let width = self.width();
        let left = match self.anchor {
            Anchor::Start => self.x,
            Anchor::Middle => self.x - width / 2,
            Anchor::End => self.x - width,
        };
        Rect {
            left,
            top: self.baseline - font::ascent(self.size),
            right: left + width,
            bottom: self.baseline + self.size / 4,
        }
    }
}

/// One step of an area: from `left` to `right`, between `top` and `bottom`.
pub type Step = Rect;

/// What is drawn; later shapes lie over earlier ones.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    Rect {
        area: Rect,
        paint: Paint,
    },
    /// A path of horizontal and vertical pieces. `dash` is drawn and blank length, alternating.
    Path {
        points: Vec<Point>,
        width: i32,
        paint: Paint,
        dash: Option<(i32, i32)>,
    },
    /// Adjoining steps under one paint.
    Area {
        steps: Vec<Step>,
        paint: Paint,
    },
    Text(Text),
}

/// A whole picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Scene {
    pub width: i32,
    pub height: i32,
    /// For screen readers: the finding.
    pub title: String,
    /// For screen readers: what is to be seen.
    pub description: String,
    pub shapes: Vec<Shape>,
}

impl Scene {
    pub fn rect(&mut self, area: Rect, paint: Paint) {
        if area.left < area.right && area.top < area.bottom {
            self.shapes.push(Shape::Rect { area, paint });
        }
    }

    pub fn path(&mut self, points: Vec<Point>, width: i32, paint: Paint, dash: Option<(i32, i32)>) {
        if points.len() > 1 {
            self.shapes.push(Shape::Path { points, width, paint, dash });
        }
    }

    pub fn area(&mut self, steps: Vec<Step>, paint: Paint) {
        if !steps.is_empty() {
            self.shapes.push(Shape::Area { steps, paint });
        }
    }

    /// Adds a text. A control character, which no XML may hold, becomes a blank.
    pub fn text(&mut self, mut text: Text) {
        if text.content.chars().any(char::is_control) {
            text.content = text.content.replace(char::is_control, " ");
        }
        if !text.content.is_empty() {
            self.shapes.push(Shape::Text(text));
        }
    }

    /// Every text in the picture, in drawing order.
    pub fn texts(&self) -> impl Iterator<Item = &Text> {
        self.shapes.iter().filter_map(|shape| match shape {
            Shape::Text(text) => Some(text),
            Shape::Rect { .. } | Shape::Path { .. } | Shape::Area { .. } => None,
        })
    }
}
