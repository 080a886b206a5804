//! Colours, sizes and distances of every picture, in one place.
//!
//! Separate so that a change of taste is one edit. The palette is Okabe-Ito, which stays apart for colour-blind readers.

/// Drawing units per pixel: pictures are laid out on half pixels, which is also the size of the PNG.
pub const UNITS: i32 = 2;

/// Width of a sheet, in units (1200 px).
pub const WIDTH: i32 = 1200 * UNITS;

/// A colour with how opaque it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Paint {
    pub rgb: (u8, u8, u8),
    pub opacity: f64,
}

const fn solid(rgb: (u8, u8, u8)) -> Paint {
    Paint { rgb, opacity: 1.0 }
}

pub const WHITE: Paint = solid((255, 255, 255));
/// Text and marks that carry the story.
pub const INK: Paint = solid((0x22, 0x22, 0x22));
/// Text that explains: subtitle, ticks, names of faults.
pub const MUTED: Paint = solid((0x5a, 0x5a, 0x5a));
pub const GRID: Paint = solid((0xdd, 0xdd, 0xdd));
pub const AXIS: Paint = solid((0x8c, 0x8c, 0x8c));
/// A fault, behind everything.
pub const BAND: Paint = Paint { rgb: (0, 0, 0), opacity: 0.07 };
/// The cap of a fault band and the rule of an instant.
pub const CAP: Paint = solid((0x8c, 0x8c, 0x8c));
/// Self-preservation: the palette's yellow, which is for fills only.
pub const WARM: Paint = Paint { rgb: (0xf0, 0xe4, 0x42), opacity: 0.38 };
/// Text inside a warm band.
pub const WARM_INK: Paint = solid((0x66, 0x5a, 0x00));
/// Lines that stand back: servers beyond the palette.
pub const PALE: Paint = solid((0xa8, 0xa8, 0xa8));

/// What is as it should be: the palette's green, so pale that faults show through.
const RIGHT: Paint = Paint { rgb: (0x00, 0x9e, 0x73), opacity: 0.2 };

const SERIES: [Paint; 6] = [
    solid((0x00, 0x72, 0xb2)), // blue
    solid((0xe6, 0x9f, 0x00)), // orange
    solid((0x00, 0x9e, 0x73)), // green
    solid((0xd5, 0x5e, 0x00)), // vermilion
    solid((0xcc, 0x79, 0xa7)), // purple
    solid((0x56, 0xb4, 0xe9)), // sky
];

/// What a line stands for; the theme gives it its colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ink {
    /// The truth, which is black.
    #[default]
    Truth,
    /// A server or a system, by its number: one colour through all pictures of a run. Past the palette: pale.
    Series(usize),
    /// Something beside the story.
    Muted,
}

impl Ink {
    pub fn paint(self) -> Paint {
        match self {
            Ink::Series(number) => SERIES.get(number).copied().unwrap_or(PALE),
            Ink::Truth => solid((0, 0, 0)),
            Ink::Muted => MUTED,
        }
    }
}

/// A state of one thing in the eyes of another. Each has a colour and a shape, so that neither is the only cue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tone {
    /// Nothing is there, and nothing should be: blank.
    Blank,
    /// There is nobody to see it: a thin grey line.
    Off,
    /// It is seen as it is: pale.
    Right,
    /// It is seen in another state than it is in.
    Altered,
    /// It is not seen, and should be: half as high as a row.
    Missing,
    /// It is seen, and is not there.
    Ghost,
}

impl Tone {
    /// Its colour, and how much of the height of a row it fills, in eighths; `None` for a blank.
    pub fn look(self) -> Option<(Paint, i32)> {
        match self {
            Tone::Blank => None,
            Tone::Off => Some((AXIS, 1)),
            Tone::Right => Some((RIGHT, 8)),
            Tone::Altered => Some((SERIES[4], 6)),
            Tone::Missing => Some((SERIES[0], 4)),
            Tone::Ghost => Some((SERIES[3], 8)),
        }
    }
}

/// How many series have a colour of their own.
pub const SERIES_COLOURS: usize = SERIES.len();

pub const TITLE_SIZE: i32 = 20 * UNITS;
pub const SUBTITLE_SIZE: i32 = 13 * UNITS;
/// Names of panels and the convergence mark.
pub const HEADING_SIZE: i32 = 13 * UNITS;
/// End labels, names of faults, empty states.
pub const LABEL_SIZE: i32 = 13 * UNITS;
pub const TICK_SIZE: i32 = 12 * UNITS;

/// Height of one line of labels, with the space that keeps it off the next.
pub const LINE_HEIGHT: i32 = 17 * UNITS;
/// Blank space around a sheet.
pub const MARGIN: i32 = 24 * UNITS;
/// Where the plots begin: the column before it holds panel names and tick labels, never rotated.
pub const PLOT_LEFT: i32 = 210 * UNITS;
/// How wide an end label may be before it is shortened.
pub const END_LABEL_MAX: i32 = 190 * UNITS;
/// The least room at the right of the plots.
pub const END_LABEL_MIN: i32 = 40 * UNITS;
/// Between the end of a line and its label.
pub const END_LABEL_GAP: i32 = 14 * UNITS;
/// Height of all panels together; they share it by weight.
pub const PANELS_HEIGHT: i32 = 560 * UNITS;
/// Between two panels.
pub const PANEL_GAP: i32 = 24 * UNITS;
/// Room under a panel for the labels of its horizontal axis.
pub const AXIS_HEIGHT: i32 = 26 * UNITS;

/// Height of a row of cells, with the space that keeps it off the next.
pub const ROW_HEIGHT: i32 = 18 * UNITS;
/// Between two groups of rows.
pub const GROUP_GAP: i32 = 10 * UNITS;
/// Side of the sample of a colour beside its name.
pub const SWATCH: i32 = 10 * UNITS;

pub const SERIES_WIDTH: i32 = 2 * UNITS;
pub const TRUTH_WIDTH: i32 = 3;
pub const HAIRLINE: i32 = UNITS;
pub const TRUTH_DASH: (i32, i32) = (8 * UNITS, 5 * UNITS);
pub const THRESHOLD_DASH: (i32, i32) = (4 * UNITS, 4 * UNITS);
