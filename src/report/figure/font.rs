//! The one open font of all pictures: measuring, shortening, wrapping and rasterising text.
//!
//! Separate because text must measure the same in SVG and in PNG, on a machine without any font installed. The font (Noto
//! Sans, SIL Open Font License) travels inside a crate. Left out: shaping of complex scripts; a character that the font
//! lacks shows as an empty box in PNG and as itself in SVG.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use ab_glyph::{Font, FontRef, GlyphId, PxScale, point};

/// How heavy text is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    Regular,
    Bold,
}

/// From the top of a text's box to its baseline, as a share of the font size.
const ASCENT: f32 = 0.76;

/// What an SVG viewer looks for, in this order; the first is the font that was measured.
pub const FAMILY: &str = "Noto Sans, Segoe UI, Helvetica Neue, Helvetica, Arial, sans-serif";

/// Steps of grey at the edges of letters. The rasteriser sums in an order that depends on the processor; the last bits of
/// that do not show, and files get smaller.
const SHADES: f32 = 16.0;

const ELLIPSIS: char = '…';

static REGULAR: LazyLock<FontRef<'static>> = LazyLock::new(|| parse(notosans::REGULAR_TTF));
static BOLD: LazyLock<FontRef<'static>> = LazyLock::new(|| parse(notosans::BOLD_TTF));

fn parse(bytes: &'static [u8]) -> FontRef<'static> {
    FontRef::try_from_slice(bytes).expect("the font inside the crate is a valid font")
}

fn face(weight: Weight) -> &'static FontRef<'static> {
    match weight {
        Weight::Regular => &REGULAR,
        Weight::Bold => &BOLD,
    }
}

/// Distance from the top of a text's box to its baseline, in the unit of `size`.
pub fn ascent(size: i32) -> i32 {
    (size as f32 * ASCENT).round() as i32
}

/// Width of `text` set at `size`, rounded up, in the unit of `size`.
pub fn width(text: &str, size: i32, weight: Weight) -> i32 {
    let font = face(weight);
    let per_em = font.units_per_em().unwrap_or(1000.0);
    let units: f32 = pairs(font, text).map(|(_, kern, advance)| kern + advance).sum();
    (units * size as f32 / per_em).ceil() as i32
}

/// The pixels of `text` whose box starts at (0, 0): calls `dot` with x, y and how much of the pixel is covered.
pub fn rasterise(text: &str, size: i32, weight: Weight, mut dot: impl FnMut(i32, i32, f32)) {
    let font = face(weight);
    let per_em = font.units_per_em().unwrap_or(1000.0);
    let scale = PxScale::from(size as f32 * font.height_unscaled() / per_em);
    let baseline = ascent(size) as f32;
    let mut pen = 0.0;
    for (id, kern, advance) in pairs(font, text) {
        pen += kern * size as f32 / per_em;
        let glyph = id.with_scale_and_position(scale, point(pen, baseline));
        if let Some(outline) = font.outline_glyph(glyph) {
            let corner = outline.px_bounds().min;
            outline.draw(|x, y, coverage| {
                let shade = (coverage * SHADES).round() / SHADES;
                dot(corner.x as i32 + x as i32, corner.y as i32 + y as i32, shade);
            });
        }
        pen += advance * size as f32 / per_em;
    }
}

/// Each glyph of `text` with the kerning before it and its advance, in font units.
fn pairs<'a>(font: &'a FontRef<'static>, text: &'a str) -> impl Iterator<Item = (GlyphId, f32, f32)> + 'a {
    let mut previous = None;
    text.chars().map(move |character| {
        let id = font.glyph_id(character);
        let kern = previous.map_or(0.0, |before| font.kern_unscaled(before, id));
        previous = Some(id);
        (id, kern, font.h_advance_unscaled(id))
    })
}

/// Which part of a text that is too long gives way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The end: for sentences.
    End,
    /// The middle: for names, whose ends tell them apart.
    Middle,
}

/// `text` if it fits into `room`, else the longest shortened form that does; empty if not even one letter fits.
pub fn shorten(text: &str, size: i32, weight: Weight, room: i32, cut: Cut) -> String {
    if width(text, size, weight) <= room {
        return text.to_owned();
    }
    let letters: Vec<char> = text.chars().collect();
    let form = |kept: usize| -> String {
        let tail = match cut {
            Cut::End => 0,
            Cut::Middle => kept / 2,
        };
        let head: String = letters[..kept - tail].iter().collect();
        let end: String = letters[letters.len() - tail..].iter().collect();
        format!("{}{ELLIPSIS}{}", head.trim_end(), end.trim_start())
    };
    let fits = |kept: &usize| width(&form(*kept), size, weight) <= room;
    (1..letters.len()).rev().find(fits).map(form).unwrap_or_default()
}

/// Each of `texts` within `room`, shortened so that different ones stay different if that can be had: those that would become the
/// same lose their ends instead of their middles, or what they begin with.
pub fn shorten_apart(texts: &[&str], size: i32, weight: Weight, room: i32) -> Vec<String> {
    let mut short: Vec<String> =
        texts.iter().map(|text| shorten(text, size, weight, room, Cut::Middle)).collect();
    let mut sets: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (index, form) in short.iter().enumerate() {
        sets.entry(form.clone()).or_default().push(index);
    }
    for set in sets.into_values() {
        let of_set: Vec<&str> = set.iter().map(|&index| texts[index]).collect();
        if distinct(&of_set) == 1 {
            continue;
        }
        // They differ somewhere inside: begin a little before that.
        let skip = common_prefix(&of_set).saturating_sub(4);
        let end = |text: &str| shorten(text, size, weight, room, Cut::End);
        let inside = |text: &str| {
            let rest: String = text.chars().skip(skip).collect();
            shorten(&format!("{ELLIPSIS}{rest}"), size, weight, room, Cut::End)
        };
        let forms =
            |form: &dyn Fn(&str) -> String| -> Vec<String> { of_set.iter().map(|text| form(text)).collect() };
        let apart = [forms(&end), forms(&inside)].into_iter().find(|forms| {
            let forms: Vec<&str> = forms.iter().map(String::as_str).collect();
            distinct(&forms) == distinct(&of_set)
        });
        for (&index, form) in set.iter().zip(apart.into_iter().flatten()) {
            short[index] = form;
        }
    }
    short
}

/// How many different texts there are.
fn distinct(texts: &[&str]) -> usize {
    texts.iter().collect::<BTreeSet<_>>().len()
}

/// How many letters all texts begin with.
fn common_prefix(texts: &[&str]) -> usize {
    let Some((first, rest)) = texts.split_first() else { return 0 };
    let shared = |other: &&str| first.chars().zip(other.chars()).take_while(|(a, b)| a == b).count();
    rest.iter().map(shared).min().unwrap_or(0)
}

/// What follows a number and stays with it.
const UNITS_OF_TEXT: [&str; 9] = ["ns", "µs", "ms", "s", "min", "h", "d", "%", "k"];

/// The words of a text; a number and its unit are one word.
fn unbroken(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let unit = word.trim_end_matches([',', ';', '.', ':', ')']);
        let number = |before: &String| before.ends_with(|last: char| last.is_ascii_digit());
        match words.last_mut().filter(|before| UNITS_OF_TEXT.contains(&unit) && number(before)) {
            Some(before) => before.extend([" ", word]),
            None => words.push(word.to_owned()),
        }
    }
    words
}

/// `text` in at most `lines` lines of at most `room`; the last is shortened if it must be.
pub fn wrap(text: &str, size: i32, weight: Weight, room: i32, lines: usize) -> Vec<String> {
    let mut done: Vec<String> = Vec::new();
    let mut line = String::new();
    let words = unbroken(text);
    let mut words = words.iter().map(String::as_str);
    while let Some(word) = words.next() {
        let longer = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
        if line.is_empty() || width(&longer, size, weight) <= room {
            line = longer;
            continue;
        }
        if done.len() + 1 == lines {
            let rest: Vec<&str> = std::iter::once(word).chain(words).collect();
            line = format!("{line} {}", rest.join(" "));
            break;
        }
        done.push(std::mem::replace(&mut line, word.to_owned()));
    }
    done.push(line);
    done.iter().map(|line| shorten(line, size, weight, room, Cut::End)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wider_text_is_wider_and_bold_is_wider_still() {
        assert!(width("peer10", 24, Weight::Regular) > width("peer1", 24, Weight::Regular));
        assert!(width("peer1", 24, Weight::Bold) > width("peer1", 24, Weight::Regular));
        assert_eq!(width("", 24, Weight::Regular), 0);
    }

    #[test]
    fn shortening_keeps_what_tells_names_apart() {
        let name = "eureka-server-peer1.production.example";
        let short = shorten(name, 24, Weight::Regular, 200, Cut::Middle);
        assert!(short.starts_with("eureka") && short.ends_with("ample") && short.contains('…'), "{short}");
        assert!(width(&short, 24, Weight::Regular) <= 200);
        assert_eq!(shorten("peer1", 24, Weight::Regular, 200, Cut::End), "peer1");
        assert_eq!(shorten("peer1", 24, Weight::Regular, 3, Cut::End), "");
    }

    #[test]
    fn names_that_differ_inside_stay_different() {
        let check = |texts: &[&str]| {
            let short = shorten_apart(texts, 24, Weight::Regular, 260);
            assert!(short.iter().all(|text| width(text, 24, Weight::Regular) <= 260), "{short:?}");
            let distinct: std::collections::BTreeSet<_> = short.iter().collect();
            assert_eq!(distinct.len(), texts.len(), "{short:?}");
        };
        check(&[
            "eureka-server-peer1.production.example.internal",
            "eureka-server-peer2.production.example.internal",
            "all",
        ]);
        check(&[
            "registry.production.of-the-company.peer1.example.org.internal",
            "registry.production.of-the-company.peer2.example.org.internal",
        ]);
        // One pair differs at its begin, one at its end, one inside.
        check(&[
            "eureka-server-a.production.beijing-a.example.internal",
            "eureka-server-b.production.beijing-a.example.internal",
            "the-service-that-holds-all-accounts/0",
            "the-service-that-holds-all-accounts/1",
            "registry.production.of-the-company.peer1.example.org.internal",
            "registry.production.of-the-company.peer2.example.org.internal",
        ]);
    }

    #[test]
    fn wrapping_fills_lines_and_shortens_only_the_last() {
        let lines = wrap("both peers agree again after the split", 24, Weight::Regular, 200, 2);
        assert_eq!(lines.len(), 2);
        assert!(lines.iter().all(|line| width(line, 24, Weight::Regular) <= 200), "{lines:?}");
        assert!(!lines[0].contains('…') && lines[1].ends_with('…'), "{lines:?}");
        assert_eq!(wrap("", 24, Weight::Regular, 260, 2), [""]);
        assert_eq!(unbroken("within 4 min 30 s; 5 of s"), ["within", "4 min", "30 s;", "5", "of", "s"]);
    }
}
