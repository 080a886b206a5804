//! What every picture must keep, on quiet, busy and odd sheets.

use super::*;
use crate::report::words::{MINUTE, SECOND};

fn series_panel(name: &str, lines: Vec<Line>, shades: Vec<Band>) -> Panel {
    Panel {
        name: name.to_owned(),
        note: "what a reader must know beside it".to_owned(),
        weight: 2,
        body: Body::Series(Series { lines, shades, ..Series::default() }),
    }
}

fn line(label: &str, number: usize, points: &[(u64, f64)]) -> Line {
    let points = points.iter().map(|&(seconds, value)| (seconds * SECOND, Some(value))).collect();
    Line { label: label.to_owned(), ink: Ink::Series(number), stroke: Stroke::Solid, points }
}

fn band(start: u64, end: u64, label: &str) -> Band {
    Band { span: Span { start: start * SECOND, end: end * SECOND }, label: label.to_owned() }
}

fn mark(at: u64, label: &str) -> Mark {
    Mark { at: at * SECOND, label: label.to_owned() }
}

fn quiet() -> Sheet {
    let lines = vec![
        line("peer1", 0, &[(0, 0.0), (370, 3.0), (455, 0.0)]),
        line("peer2", 1, &[(0, 0.0), (380, 2.0), (468, 0.0)]),
    ];
    Sheet {
        title: "Both peers agree again 18.3 s after <the split> & healed".to_owned(),
        subtitle: "partition-between-peers · Eureka · seed 1".to_owned(),
        description: "Disagreement over time.".to_owned(),
        span: Span { start: 0, end: 12 * MINUTE },
        bands: vec![band(360, 450, "split")],
        marks: vec![mark(30, "crash of peer2")],
        highlight: Some(Highlight {
            span: Span { start: 450 * SECOND, end: 468 * SECOND },
            label: "agree after 18.3 s".to_owned(),
            at: 468 * SECOND,
        }),
        panels: vec![
            series_panel("Entries that differ", lines.clone(), vec![]),
            series_panel(
                "Renewals in the last minute",
                lines,
                vec![band(400, 480, "self-preservation: peer1")],
            ),
        ],
        keys: Vec::new(),
    }
}

/// Many servers with long names, many faults, few of whose names can be placed.
fn busy(suffix: &str) -> Sheet {
    let mut sheet = quiet();
    sheet.title = format!("Never converged {suffix}: ").repeat(4);
    sheet.subtitle = format!("scenario {suffix} ").repeat(9);
    for k in 0..30 {
        sheet.bands.push(band(k * 23, k * 23 + 11, &format!("fault {}{suffix}", k % 9)));
        sheet.marks.push(mark(k * 24, &format!("restart of node{k} {suffix}")));
    }
    for panel in &mut sheet.panels {
        panel.name = format!("{} {suffix}", panel.name);
        panel.note = format!("{} {suffix}", panel.note);
        let Body::Series(series) = &mut panel.body else { continue };
        for k in 2..40 {
            let points = [(0, 0.0), (k, k as f64), (400 + k, 40.0 - k as f64), (500, (k % 5) as f64)];
            series.lines.push(line(&format!("eureka-server-peer{k}{suffix}"), k as usize, &points));
            series.shades.push(band(10 * k, 10 * k + 30, &format!("self-preservation: peer{k}{suffix}")));
        }
    }
    sheet
}

fn ensemble(values: Vec<Nanos>, never: usize) -> Sheet {
    let mut sheet = quiet();
    let marks = vec![mark(18, "median 18 s"), mark(19, "p95 19 s")];
    let curve = |label: &str, ink, values| Curve { label: label.to_owned(), ink, values, never };
    let early = values.iter().map(|value| value / 2).collect();
    let distribution = Distribution {
        curves: vec![curve("of 200 runs", Ink::Series(0), values), curve("of caches", Ink::Series(1), early)],
        marks,
        axis: "time to converge".to_owned(),
    };
    let body = Body::Distribution(distribution);
    sheet.panels.push(Panel {
        name: "Runs that agree within".to_owned(),
        note: String::new(),
        weight: 2,
        body,
    });
    let body = Body::Empty("No calls in this scenario".to_owned());
    sheet.panels.push(Panel { name: "Calls".to_owned(), note: String::new(), weight: 1, body });
    sheet
}

/// No two texts overlap, and all stand inside of the sheet.
pub fn assert_labels_apart(sheet: &Sheet) {
    let scene = layout::lay_out(sheet);
    let texts: Vec<_> = scene.texts().map(|text| (text.bounds(), &text.content)).collect();
    for (index, (bounds, content)) in texts.iter().enumerate() {
        assert!(bounds.left >= 0 && bounds.right <= scene.width, "{content} leaves the sheet: {bounds:?}");
        assert!(bounds.top >= 0 && bounds.bottom <= scene.height, "{content} leaves the sheet: {bounds:?}");
        for (other, other_content) in &texts[index + 1..] {
            assert!(!bounds.intersects(other), "{content} overlaps {other_content}: {bounds:?} {other:?}");
        }
    }
}

#[test]
fn labels_never_overlap() {
    let long = ".a-very-long-name-that-somebody-wrote.production.beijing-a.example.internal";
    for sheet in
        [quiet(), busy(""), busy(long), ensemble(vec![18 * SECOND, 19 * SECOND], 3), ensemble(vec![], 0)]
    {
        assert_labels_apart(&sheet);
    }
}

#[test]
fn faults_are_named_once_and_the_most_important_always() {
    let scene = layout::lay_out(&busy(""));
    let said = |content: &str| scene.texts().filter(|text| text.content == content).count();
    assert_eq!(said("agree after 18.3 s"), 1);
    assert_eq!(said("fault 0 (×4)"), 1);
    assert!(scene.texts().any(|text| text.content.ends_with("more not named")));
}

#[test]
fn equal_sheets_give_equal_bytes() {
    assert_eq!(busy("").svg(), busy("").svg());
    assert_eq!(quiet().png(), quiet().png());
}

#[test]
fn png_is_rendered_at_twice_the_size() {
    let png = quiet().png();
    let scene = layout::lay_out(&quiet());
    assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
    let side = |at: usize| u32::from_be_bytes([png[at], png[at + 1], png[at + 2], png[at + 3]]);
    assert_eq!((side(16), side(20)), (2400, scene.height.unsigned_abs()));
}

/// Tags close in the order in which they opened, and nothing unescaped is left over.
pub fn assert_well_formed(svg: &str) {
    let mut open: Vec<&str> = Vec::new();
    for piece in svg.split('<').skip(1) {
        let (tag, text) =
            piece.split_once('>').unwrap_or_else(|| panic!("an open tag is not closed: {piece}"));
        assert!(!text.contains('>'), "a bare > in {piece}");
        let entities =
            text.split('&').skip(1).all(|rest| rest.split_once(';').is_some_and(|(name, _)| name.len() < 6));
        assert!(entities, "a bare & in {piece}");
        assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "a control character in {piece:?}");
        assert_eq!(tag.matches('"').count() % 2, 0, "an open attribute in {tag}");
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name));
        } else if !tag.ends_with('/') {
            open.push(tag.split(' ').next().unwrap_or(tag));
        }
    }
    assert_eq!(open, Vec::<&str>::new());
}

#[test]
fn svg_is_well_formed_and_speaks_to_screen_readers() {
    let mut odd = busy("<&\"'>\u{1}\u{7f}");
    odd.description = "a <b> & \u{1}".to_owned();
    for svg in [quiet().svg(), odd.svg()] {
        assert_well_formed(&svg);
    }
    let svg = quiet().svg();
    assert!(svg.contains(
        "<title id=\"title\">Both peers agree again 18.3 s after &lt;the split&gt; &amp; healed</title>"
    ));
    assert!(svg.contains("<desc id=\"desc\">Disagreement over time.</desc>"));
    assert!(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"1200\""));
    assert!(svg.contains("split\n</text>"), "text stays text");
}

#[test]
fn an_empty_panel_says_why() {
    let scene = layout::lay_out(&ensemble(vec![SECOND], 0));
    assert!(scene.texts().any(|text| text.content == "No calls in this scenario"));
    let bare = Sheet { panels: vec![], ..quiet() };
    assert!(
        layout::lay_out(&bare).texts().all(|text| text.content != "virtual time"),
        "axes without data are left out"
    );
}

mod odd_input {
    use super::*;
    use proptest::prelude::*;

    fn values() -> impl Strategy<Value = f64> {
        prop_oneof![0.0..20.0f64, Just(0.0), Just(-3.0), Just(f64::NAN), Just(f64::INFINITY), Just(1e300)]
    }

    fn times() -> impl Strategy<Value = Nanos> {
        prop_oneof![0..12 * MINUTE, Just(0), Just(u64::MAX), Just(1)]
    }

    fn names() -> impl Strategy<Value = String> {
        prop_oneof!["[a-z: ]{0,12}", "[a-z.]{60,90}", "\\PC{0,6}", Just("注册中心".to_owned())]
    }

    prop_compose! {
        fn bands(most: usize)(parts in prop::collection::vec((times(), times(), names()), 0..most)) -> Vec<Band> {
            let band = |(start, end, label)| Band { span: Span { start, end }, label };
            parts.into_iter().map(band).collect()
        }
    }

    const TONES: [Tone; 6] = [Tone::Blank, Tone::Off, Tone::Right, Tone::Altered, Tone::Missing, Tone::Ghost];

    prop_compose! {
        fn rising()(mut states in prop::collection::vec((times(), 0u8..6), 0..9)) -> Vec<(Nanos, u8)> {
            states.sort_unstable();
            states
        }
    }

    prop_compose! {
        fn lines()(parts in prop::collection::vec(
            (names(), 0usize..50, 0usize..3, prop::collection::vec((times(), prop::option::of(values())), 0..9)),
            0..40,
        )) -> Vec<Line> {
            parts.into_iter().map(|(label, number, stroke, mut points)| {
                points.sort_by_key(|&(at, _)| at);
                let stroke = [Stroke::Solid, Stroke::Truth, Stroke::Threshold][stroke];
                Line { label, ink: Ink::Series(number), stroke, points }
            }).collect()
        }
    }

    prop_compose! {
        fn sheets()(
            (title, subtitle) in (names(), names()),
            (start, end) in (times(), times()),
            (bands, marks, shades) in (bands(12), bands(12), bands(6)),
            lines in lines(),
            ribbon in prop::collection::vec((times(), values(), values()), 0..6),
            values in prop::collection::vec(times(), 0..20),
            never in 0usize..5,
            names in prop::collection::vec(names(), 0..9),
            states in prop::collection::vec(rising(), 9),
        ) -> Sheet {
            let marks = marks.into_iter().map(|band| Mark { at: band.span.start, label: band.label });
            let marks: Vec<Mark> = marks.collect();
            let ribbons = vec![Ribbon { label: title.clone(), ink: Ink::Series(0), pale: never > 2, points: ribbon }];
            let curve = Curve { label: title.clone(), ink: Ink::Series(0), values, never };
            let curves = vec![curve.clone(), curve];
            let distribution = Distribution { curves, marks: marks.clone(), axis: subtitle.clone() };
            let keys = names.iter().map(|label| Key { tone: Tone::Ghost, label: label.clone() }).collect();
            let row = |(name, states): (&String, &Vec<(Nanos, u8)>)| Row {
                name: name.clone(),
                total: title.clone(),
                states: states.iter().map(|&(at, tone)| (at, TONES[usize::from(tone)])).collect(),
            };
            let rows = names.iter().zip(&states).map(row).collect();
            let cells = Cells { groups: vec![Group { name: subtitle.clone(), rows }, Group::default()] };
            let panel = |body| Panel { name: title.clone(), note: subtitle.clone(), weight: never as u32, body };
            let panels = vec![
                panel(Body::Series(Series { lines, shades, ribbons, ceiling: never.checked_sub(2).map(|most| most as f64) })),
                panel(Body::Distribution(distribution)),
                panel(Body::Cells(cells)),
                panel(Body::Empty(subtitle.clone())),
            ];
            let highlight = bands.first().map(|band| Highlight { span: band.span, label: band.label.clone(), at: band.span.end });
            let span = Span { start, end };
            Sheet { title, subtitle, description: String::new(), span, bands, marks, highlight, panels, keys }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_sheet_can_be_drawn(sheet in sheets()) {
            assert_well_formed(&sheet.svg());
            assert_labels_apart(&sheet);
        }
    }
}
