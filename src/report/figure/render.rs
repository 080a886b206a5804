//! A scene as SVG and as PNG, both through `plotters` backends.
//!
//! Separate from layout: nothing is placed here. Two things are added to what the backends write. SVG gets `<title>`, `<desc>`
//! and, per text, its measured length, so that a viewer with another font keeps the layout. PNG text is rasterised here,
//! because the backend's own rasteriser drops the bearings of glyphs and so spaces letters unevenly.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::convert::Infallible;
use std::fmt::Write as _;

use plotters::backend::{BitMapBackend, DrawingBackend, SVGBackend};
use plotters_backend::text_anchor::{HPos, Pos, VPos};
use plotters_backend::{
    BackendColor, BackendStyle, BackendTextStyle, DrawingErrorKind, FontFamily, FontStyle,
};

use super::font::{self, Weight};
use super::scene::{Anchor, Point, Rect, Scene, Shape, Step, Text};
use super::theme::{Paint, UNITS, WHITE};

/// The backend writes `size / 1.24` as font size.
const SVG_SIZE_FACTOR: f64 = 1.24;

/// The picture as an SVG document, 1200 px wide, text as text.
pub fn svg(scene: &Scene) -> String {
    let mut drawn = String::new();
    {
        let size = (scene.width.unsigned_abs(), scene.height.unsigned_abs());
        let mut backend = SVGBackend::with_string(&mut drawn, size);
        paint(scene, &mut backend, Medium::Vector);
        backend.present().expect("writing into memory cannot fail");
    }
    annotate(scene, &drawn)
}

/// The picture as a PNG file, at twice the size. With 256 colours or fewer, as most sheets have, it gets a palette and one byte a
/// pixel: a third of the work and smaller files.
pub fn png(scene: &Scene) -> Vec<u8> {
    let (width, height) = (scene.width.unsigned_abs(), scene.height.unsigned_abs());
    let mut palette = Palette::default();
    let mut content = Vec::with_capacity(width as usize * height as usize);
    let few = bands(scene).all(|pixels| palette.number(&pixels, &mut content));
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Balanced);
    encoder.set_filter(png::Filter::NoFilter);
    if few {
        encoder.set_color(png::ColorType::Indexed);
        encoder.set_palette(palette.colours);
    } else {
        encoder.set_color(png::ColorType::Rgb);
        content = bands(scene).flatten().collect();
    }
    let mut writer = encoder.write_header().expect(IN_MEMORY);
    writer.write_image_data(&content).expect("the buffer has the size of the picture");
    writer.finish().expect(IN_MEMORY);
    bytes
}

/// Rows of a picture that are drawn at a time: a whole one, three bytes a pixel, would be more memory than most runs need.
const BAND: i32 = 256;

/// The pixels of the picture, from top to bottom.
fn bands(scene: &Scene) -> impl Iterator<Item = Vec<u8>> {
    let size = (scene.width.unsigned_abs(), scene.height.unsigned_abs());
    (0..scene.height).step_by(BAND as usize).map(move |top| {
        let height = BAND.min(scene.height - top).unsigned_abs();
        let mut pixels = vec![255u8; size.0 as usize * height as usize * 3];
        let backend = BitMapBackend::with_buffer(&mut pixels, (size.0, height));
        let mut band = Band { backend, top, size };
        paint(scene, &mut band, Medium::Raster);
        band.present().expect(IN_MEMORY);
        drop(band);
        pixels
    })
}

/// A part of a picture, in the coordinates of the whole. What lies outside is cut off by the backend.
struct Band<'a> {
    backend: BitMapBackend<'a>,
    top: i32,
    /// Of the whole picture: text outside it is not drawn.
    size: (u32, u32),
}

impl DrawingBackend for Band<'_> {
    type ErrorType = <BitMapBackend<'static> as DrawingBackend>::ErrorType;

    fn get_size(&self) -> (u32, u32) {
        self.size
    }

    fn ensure_prepared(&mut self) -> Result<(), DrawingErrorKind<Self::ErrorType>> {
        self.backend.ensure_prepared()
    }

    fn present(&mut self) -> Result<(), DrawingErrorKind<Self::ErrorType>> {
        self.backend.present()
    }

    fn draw_pixel(
        &mut self,
        at: Point,
        colour: BackendColor,
    ) -> Result<(), DrawingErrorKind<Self::ErrorType>> {
        self.backend.draw_pixel((at.0, at.1 - self.top), colour)
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        from: Point,
        to: Point,
        style: &S,
        fill: bool,
    ) -> Result<(), DrawingErrorKind<Self::ErrorType>> {
        self.backend.draw_rect((from.0, from.1 - self.top), (to.0, to.1 - self.top), style, fill)
    }
}

/// The colours of a picture, in order of their first pixel.
#[derive(Debug, Default)]
struct Palette {
    colours: Vec<u8>,
    numbers: BTreeMap<[u8; 3], u8>,
}

impl Palette {
    /// Adds the numbers of the colours of these pixels; false if 256 do not suffice.
    fn number(&mut self, pixels: &[u8], indices: &mut Vec<u8>) -> bool {
        let mut last = None;
        for pixel in pixels.chunks_exact(3) {
            let colour = [pixel[0], pixel[1], pixel[2]];
            let number = match last {
                Some((same, number)) if same == colour => number,
                _ => {
                    let next = self.numbers.len();
                    match self.numbers.entry(colour) {
                        Entry::Occupied(known) => *known.get(),
                        Entry::Vacant(free) => {
                            let Ok(next) = u8::try_from(next) else { return false };
                            self.colours.extend_from_slice(&colour);
                            *free.insert(next)
                        }
                    }
                }
            };
            last = Some((colour, number));
            indices.push(number);
        }
        true
    }
}

/// What the backend makes of shapes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Medium {
    Vector,
    Raster,
}

fn paint<B: DrawingBackend>(scene: &Scene, backend: &mut B, medium: Medium) {
    let whole = Rect { left: 0, top: 0, right: scene.width, bottom: scene.height };
    fill(backend, whole, WHITE);
    for shape in &scene.shapes {
        match shape {
            Shape::Rect { area, paint } => fill(backend, *area, *paint),
            Shape::Area { steps, paint } => match medium {
                Medium::Vector => polygon(backend, steps, *paint),
                Medium::Raster => steps.iter().for_each(|step| fill(backend, *step, *paint)),
            },
            Shape::Path { points, width, paint, dash: None } => match medium {
                Medium::Vector => line(backend, points, *width, *paint),
                Medium::Raster => points.windows(2).for_each(|pair| {
                    fill(backend, thicken(pair[0], pair[1], *width, true), *paint);
                }),
            },
            Shape::Path { points, width, paint, dash: Some(dash) } => {
                for (from, to) in dashes(points, *dash) {
                    match medium {
                        Medium::Vector => line(backend, &[from, to], *width, *paint),
                        Medium::Raster => fill(backend, thicken(from, to, *width, false), *paint),
                    }
                }
            }
            Shape::Text(text) => {
                let top = text.baseline - font::ascent(text.size);
                backend.draw_text(&text.content, &Setting(text), (text.x, top)).expect(IN_MEMORY);
            }
        }
    }
}

const IN_MEMORY: &str = "drawing into memory cannot fail";

fn colour(paint: Paint) -> BackendColor {
    BackendColor { alpha: paint.opacity, rgb: paint.rgb }
}

fn fill<B: DrawingBackend>(backend: &mut B, area: Rect, paint: Paint) {
    let (from, to) = ((area.left, area.top), (area.right, area.bottom));
    backend.draw_rect(from, to, &colour(paint), true).expect(IN_MEMORY);
}

fn polygon<B: DrawingBackend>(backend: &mut B, steps: &[Step], paint: Paint) {
    let top = steps.iter().flat_map(|step| [(step.left, step.top), (step.right, step.top)]);
    let bottom = steps.iter().rev().flat_map(|step| [(step.right, step.bottom), (step.left, step.bottom)]);
    backend.fill_polygon(top.chain(bottom), &colour(paint)).expect(IN_MEMORY);
}

struct Pen(BackendColor, i32);

impl BackendStyle for Pen {
    fn color(&self) -> BackendColor {
        self.0
    }

    fn stroke_width(&self) -> u32 {
        self.1.unsigned_abs()
    }
}

fn line<B: DrawingBackend>(backend: &mut B, points: &[Point], width: i32, paint: Paint) {
    backend.draw_path(points.iter().copied(), &Pen(colour(paint), width)).expect(IN_MEMORY);
}

/// A horizontal or vertical piece as the rectangle that it covers; `joined` pieces fill the corner to the next one.
fn thicken(from: Point, to: Point, width: i32, joined: bool) -> Rect {
    let before = width / 2;
    let after = width - before;
    let (left, right) = (from.0.min(to.0), from.0.max(to.0));
    let (top, bottom) = (from.1.min(to.1), from.1.max(to.1));
    let flat = top == bottom;
    let (x_before, x_after) = if flat && !joined { (0, 0) } else { (before, after) };
    let (y_before, y_after) = if !flat && !joined { (0, 0) } else { (before, after) };
    Rect { left: left - x_before, top: top - y_before, right: right + x_after, bottom: bottom + y_after }
}

/// The drawn pieces of a dashed path of horizontal and vertical lines; the pattern runs on around corners.
fn dashes(points: &[Point], (on, off): (i32, i32)) -> Vec<(Point, Point)> {
    let period = on + off;
    let mut pieces = Vec::new();
    let mut phase = 0;
    for pair in points.windows(2) {
        let (from, to) = (pair[0], pair[1]);
        let length = (to.0 - from.0).abs() + (to.1 - from.1).abs();
        let step = ((to.0 - from.0).signum(), (to.1 - from.1).signum());
        let at = |distance: i32| (from.0 + step.0 * distance, from.1 + step.1 * distance);
        let mut done = 0;
        while done < length {
            let left_of_dash = if phase < on { on - phase } else { period - phase };
            let advance = left_of_dash.min(length - done);
            if phase < on {
                pieces.push((at(done), at(done + advance)));
            }
            done += advance;
            phase = (phase + advance) % period;
        }
    }
    pieces
}

/// A text of the scene in the terms of the backends.
struct Setting<'a>(&'a Text);

impl BackendTextStyle for Setting<'_> {
    type FontError = Infallible;

    fn color(&self) -> BackendColor {
        colour(self.0.paint)
    }

    fn size(&self) -> f64 {
        let size = f64::from(self.0.size);
        let factored = size * SVG_SIZE_FACTOR;
        if factored / SVG_SIZE_FACTOR > size { factored.next_down() } else { factored }
    }

    fn style(&self) -> FontStyle {
        match self.0.weight {
            Weight::Regular => FontStyle::Normal,
            Weight::Bold => FontStyle::Bold,
        }
    }

    fn anchor(&self) -> Pos {
        let across = match self.0.anchor {
            Anchor::Start => HPos::Left,
            Anchor::Middle => HPos::Center,
            Anchor::End => HPos::Right,
        };
        Pos::new(across, VPos::Top)
    }

    fn family(&self) -> FontFamily<'_> {
        FontFamily::Name(font::FAMILY)
    }

    fn layout_box(&self, _: &str) -> Result<(Point, Point), Infallible> {
        Ok(((0, 0), (self.0.width(), self.0.size)))
    }

    fn draw<E, D: FnMut(i32, i32, BackendColor) -> Result<(), E>>(
        &self,
        text: &str,
        pos: Point,
        mut draw: D,
    ) -> Result<Result<(), E>, Infallible> {
        let mut outcome = Ok(());
        font::rasterise(text, self.0.size, self.0.weight, |x, y, coverage| {
            if outcome.is_ok() && coverage > 0.0 {
                outcome = draw(pos.0 + x, pos.1 + y, self.color().mix(f64::from(coverage)));
            }
        });
        Ok(outcome)
    }
}

/// What the backend wrote, at the size of the sheet, with title, description and the measured length of each text.
fn annotate(scene: &Scene, drawn: &str) -> String {
    let (head, body) = drawn.split_once('>').expect("the backend opens the document with a tag");
    assert!(head.starts_with("<svg "), "the backend opens the document with <svg: {head}");
    let mut out = String::with_capacity(drawn.len() + drawn.len() / 8);
    writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{}\" viewBox=\"0 0 {} {}\" role=\"img\" \
         aria-labelledby=\"title desc\">\n<title id=\"title\">{}</title>\n<desc id=\"desc\">{}</desc>",
        scene.width / UNITS,
        scene.height / UNITS,
        scene.width,
        scene.height,
        escape(&scene.title),
        escape(&scene.description),
    )
    .expect("writing into a string cannot fail");
    let mut texts = scene.texts();
    let mut pieces = body.trim_start().split("<text ");
    out.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        let text = texts.next().expect("the backend writes one element a text");
        write!(out, "<text textLength=\"{}\" lengthAdjust=\"spacingAndGlyphs\" ", text.width())
            .expect("writing into a string cannot fail");
        out.push_str(piece);
    }
    assert!(texts.next().is_none(), "the backend writes one element a text");
    out
}

fn escape(text: &str) -> String {
    text.replace(char::is_control, " ").replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_colours_become_a_palette_and_many_do_not() {
        let numbered = |bands: &[&[u8]]| {
            let (mut palette, mut indices) = (Palette::default(), Vec::new());
            let few = bands.iter().all(|pixels| palette.number(pixels, &mut indices));
            few.then_some((palette.colours, indices))
        };
        let (palette, indices) = numbered(&[&[9, 9, 9, 1, 2, 3], &[9, 9, 9]]).expect("two colours");
        assert_eq!((palette, indices), (vec![9, 9, 9, 1, 2, 3], vec![0, 1, 0]));
        let many: Vec<u8> = (0..=256u16).flat_map(|k| [(k % 256) as u8, (k / 256) as u8, 0]).collect();
        assert_eq!(numbered(&[&many]), None);
        assert!(numbered(&[&many[3..]]).is_some());
    }

    #[test]
    fn dashes_run_on_around_corners() {
        let pieces = dashes(&[(0, 0), (6, 0), (6, 6)], (4, 4));
        assert_eq!(pieces, [((0, 0), (4, 0)), ((6, 2), (6, 6))]);
    }

    #[test]
    fn joined_pieces_fill_their_corners_and_dashes_do_not() {
        assert_eq!(thicken((10, 10), (20, 10), 4, true), Rect { left: 8, top: 8, right: 22, bottom: 12 });
        assert_eq!(thicken((20, 10), (10, 10), 4, false), Rect { left: 10, top: 8, right: 20, bottom: 12 });
        assert_eq!(thicken((10, 20), (10, 10), 2, false), Rect { left: 9, top: 10, right: 11, bottom: 20 });
    }
}
