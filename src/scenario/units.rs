//! Quantities with units: durations, shares, rates, distances, bandwidths, factors, and ranges of them.
//!
//! Separate because every part of the language uses them and they are plain functions from text to a value. All arithmetic is on
//! integers: a quantity means exactly what was written, or is refused. A number without a unit is refused with the readings
//! that could have been meant.

use super::diagnostic::suggestion;
use std::fmt;
use std::time::Duration;

/// Why a text is not the quantity that was due.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct UnitError {
    /// What is wrong: lower case, no full stop, ends with the value.
    pub message: String,
    /// What would be right.
    pub help: Option<String>,
}

impl UnitError {
    fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        UnitError { message: message.into(), help: Some(help.into()) }
    }
}

/// A quantity that can be read from text.
pub trait Unit: Sized {
    /// What it is called in a message, with its article.
    const WHAT: &'static str;
    /// Reads it; surrounding blanks are ignored.
    fn read(text: &str) -> Result<Self, UnitError>;
}

/// A share, as an integer number of parts per billion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ratio {
    /// 1,000,000,000 is the whole.
    pub parts_per_billion: u32,
}

impl Ratio {
    /// Everything.
    pub const WHOLE: Ratio = Ratio { parts_per_billion: 1_000_000_000 };

    /// That share of `count`, rounded to nearest, but at least one if both are above zero.
    pub fn of(self, count: usize) -> usize {
        let billion = u128::from(Self::WHOLE.parts_per_billion);
        let exact = count as u128 * u128::from(self.parts_per_billion);
        let rounded = ((exact + billion / 2) / billion) as usize;
        if exact > 0 { rounded.max(1) } else { 0 }
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", decimal(u64::from(self.parts_per_billion), 7))
    }
}

/// How often, as thousandths of a time per second, minute or hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Thousandths of an occurrence ...
    pub thousandths: u64,
    /// ... in this time.
    pub per: Duration,
}

impl Rate {
    /// The time between two occurrences, in whole nanoseconds; `None` if it never happens.
    pub fn interval(self) -> Option<Duration> {
        let nanos = self.per.as_nanos() * 1000;
        let each = nanos.checked_div(u128::from(self.thousandths))?;
        Some(Duration::from_nanos(u64::try_from(each).unwrap_or(u64::MAX)))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per = match self.per.as_secs() {
            1 => "s",
            60 => "min",
            _ => "h",
        };
        write!(f, "{}/{per}", decimal(self.thousandths, 3))
    }
}

/// A length on the ground, in metres.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Distance {
    /// Whole metres.
    pub metres: u64,
}

/// Bits per second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bandwidth {
    /// Whole bits per second.
    pub bits_per_second: u64,
}

/// A time that may be negative, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Offset {
    /// Below zero is back in time.
    pub nanos: i64,
}

/// How much a clock runs too fast (or, below zero, too slow), in parts per billion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Drift {
    /// 1,000 is 1 ppm.
    pub parts_per_billion: i64,
}

/// A multiple, in thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Factor {
    /// 1,000 is once.
    pub thousandths: u64,
}

/// A closed range; a single value is a range of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range<T> {
    /// The least value.
    pub low: T,
    /// The greatest value, not below `low`.
    pub high: T,
}

/// What a measured value is held against: at least, at most, or both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound<T> {
    /// The least value that holds, and whether it holds itself.
    pub low: Option<(T, bool)>,
    /// The greatest value that holds, and whether it holds itself.
    pub high: Option<(T, bool)>,
}

impl<T: PartialOrd> Bound<T> {
    /// Whether a value is within.
    pub fn holds(&self, value: &T) -> bool {
        let above = self.low.as_ref().is_none_or(|(low, itself)| value > low || (*itself && value == low));
        let below =
            self.high.as_ref().is_none_or(|(high, itself)| value < high || (*itself && value == high));
        above && below
    }
}

impl<T: fmt::Display + PartialEq> fmt::Display for Bound<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or_equal = |itself: bool| if itself { "=" } else { "" };
        match (&self.low, &self.high) {
            (Some((low, _)), Some((high, _))) if low == high => write!(f, "{low}"),
            (Some((low, _)), Some((high, _))) => write!(f, "{low}..{high}"),
            (Some((low, itself)), None) => write!(f, ">{} {low}", or_equal(*itself)),
            (None, Some((high, itself))) => write!(f, "<{} {high}", or_equal(*itself)),
            (None, None) => write!(f, "anything"),
        }
    }
}

/// A duration shown with the fewest units: `1m30s`, `250us`.
pub struct Shown(pub Duration);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.as_nanos() as u64;
        if rest == 0 {
            return write!(f, "0s");
        }
        for (unit, nanos) in [("h", 3_600_000_000_000), ("m", 60_000_000_000)] {
            if rest >= nanos {
                write!(f, "{}{unit}", rest / nanos)?;
                rest %= nanos;
            }
        }
        let (digits, unit) = match rest {
            0 => return Ok(()),
            1_000_000_000.. => (9, "s"),
            1_000_000.. => (6, "ms"),
            1_000.. => (3, "us"),
            _ => (0, "ns"),
        };
        write!(f, "{}{unit}", decimal(rest, digits))
    }
}

/// `value` shifted by `digits` decimal places, without trailing zeros.
fn decimal(value: u64, digits: u32) -> String {
    let scale = 10u64.pow(digits);
    let (whole, rest) = (value / scale, value % scale);
    if rest == 0 {
        return whole.to_string();
    }
    let rest = format!("{rest:0width$}", width = digits as usize);
    format!("{whole}.{}", rest.trim_end_matches('0'))
}

/// A decimal number at the start of a text: its digits without the point, how many stood after the point, and what follows.
fn number(text: &str) -> Option<(u64, u32, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    // `1..2` is a range: the number ends before the two points.
    let end = text[..end].find("..").unwrap_or(end);
    let (digits, rest) = text.split_at(end);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let ends_in_point = digits.contains('.') && fraction.is_empty();
    if whole.is_empty() || ends_in_point || fraction.contains('.') || fraction.len() > 18 {
        return None;
    }
    let value = format!("{whole}{fraction}").parse().ok()?;
    Some((value, fraction.len() as u32, rest))
}

/// `digits / 10^places` times `unit`, if that is a whole number that fits.
fn scale(digits: u64, places: u32, unit: u64) -> Option<u64> {
    let exact = u128::from(digits) * u128::from(unit);
    let divisor = 10u128.pow(places);
    if exact % divisor != 0 {
        return None;
    }
    u64::try_from(exact / divisor).ok()
}

/// Reads a number with one of `units`, each worth so many of the smallest.
fn measure(text: &str, what: &str, units: &[(&str, u64)], readings: [&str; 2]) -> Result<u64, UnitError> {
    let text = text.trim();
    let Some((digits, places, rest)) = number(text) else {
        let help = format!("such as `{}`", readings[0].replace('#', "30"));
        return Err(UnitError::new(format!("expected {what}: `{text}`"), help));
    };
    let unit = rest.trim_start();
    if unit.is_empty() {
        let [one, other] = readings.map(|reading| reading.replace('#', text));
        let help = format!("did you mean `{one}` or `{other}`?");
        return Err(UnitError::new(format!("{what} needs a unit: `{text}`"), help));
    }
    let Some((_, worth)) = units.iter().find(|(name, _)| *name == unit) else {
        let message = format!("unknown unit in {what}: `{unit}`");
        return Err(UnitError { message, help: suggestion(unit, units.iter().map(|(name, _)| *name)) });
    };
    scale(digits, places, *worth).ok_or_else(|| UnitError {
        message: format!("{what} too large or too fine: `{text}`"),
        help: Some("counted in whole steps of the smallest unit, in 64 bits".into()),
    })
}

/// In nanoseconds.
pub(super) const TIME: &[(&str, u64)] = &[
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("min", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];

/// In parts per billion.
pub(super) const SHARE: &[(&str, u64)] = &[("%", 10_000_000), ("ppm", 1_000)];

/// In seconds.
pub(super) const PER: &[(&str, u64)] = &[("s", 1), ("min", 60), ("m", 60), ("h", 3600)];

/// In metres.
pub(super) const DISTANCE: &[(&str, u64)] = &[("km", 1000), ("m", 1)];

/// In bits per second.
pub(super) const BANDWIDTH: &[(&str, u64)] = &[
    ("bit/s", 1),
    ("kbit/s", 1_000),
    ("Mbit/s", 1_000_000),
    ("Gbit/s", 1_000_000_000),
    ("B/s", 8),
    ("kB/s", 8_000),
    ("MB/s", 8_000_000),
    ("GB/s", 8_000_000_000),
];

/// In parts per billion.
pub(super) const DRIFT: &[(&str, u64)] = &[("ppm", 1_000), ("ppb", 1), ("%", 10_000_000)];

/// In thousandths.
pub(super) const FACTOR: &[(&str, u64)] = &[("x", 1000), ("%", 10)];

/// The longest duration: a virtual time of about 146 years leaves room for sums.
const LONGEST: u64 = u64::MAX / 4;

impl Unit for Duration {
    const WHAT: &'static str = "a duration";

    fn read(text: &str) -> Result<Self, UnitError> {
        let mut rest = text.trim();
        if rest == "0" {
            return Ok(Duration::ZERO);
        }
        // `1m30s` is the sum of its parts, each with a unit smaller than the one before.
        let mut sum = 0u64;
        let mut smallest = u64::MAX;
        loop {
            let letters =
                rest.find(|c: char| !c.is_ascii_digit() && c != '.' && c != ' ').unwrap_or(rest.len());
            let next =
                rest[letters..].find(|c: char| c.is_ascii_digit()).map_or(rest.len(), |at| letters + at);
            let (part, following) = rest.split_at(next);
            let nanos = measure(part, Self::WHAT, TIME, ["#s", "#ms"])?;
            let unit = part.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').trim();
            let worth = TIME.iter().find(|(name, _)| *name == unit).map_or(0, |(_, worth)| *worth);
            if worth >= smallest {
                let message = format!("units of a duration must become smaller: `{}`", text.trim());
                return Err(UnitError::new(message, "such as `1m30s`"));
            }
            smallest = worth;
            sum = sum.saturating_add(nanos);
            if sum > LONGEST {
                return Err(UnitError::new(
                    format!("a duration too long: `{}`", text.trim()),
                    "at most 146 years",
                ));
            }
            if following.is_empty() {
                return Ok(Duration::from_nanos(sum));
            }
            rest = following;
        }
    }
}

impl Unit for Offset {
    const WHAT: &'static str = "a time difference";

    fn read(text: &str) -> Result<Self, UnitError> {
        let text = text.trim();
        let (sign, size) = match text.strip_prefix('-') {
            Some(size) => (-1, size),
            None => (1, text.strip_prefix('+').unwrap_or(text)),
        };
        let nanos = Duration::read(size)?.as_nanos() as i64;
        Ok(Offset { nanos: sign * nanos })
    }
}

impl Unit for Ratio {
    const WHAT: &'static str = "a share";

    fn read(text: &str) -> Result<Self, UnitError> {
        let text = text.trim();
        if let Some((digits, places, "")) = number(text) {
            let as_share = scale(digits, places, 100_000).filter(|&thousandths| thousandths <= 100_000);
            let other =
                as_share.map(|thousandths| format!(" or `{}%`", decimal(thousandths, 3))).unwrap_or_default();
            let help = format!("did you mean `{text}%`{other}?");
            return Err(UnitError::new(format!("a share needs a unit: `{text}`"), help));
        }
        let parts = measure(text, Self::WHAT, SHARE, ["#%", "#ppm"])?;
        let parts_per_billion = u32::try_from(parts).ok().filter(|&parts| parts <= 1_000_000_000);
        parts_per_billion
            .map(|parts_per_billion| Ratio { parts_per_billion })
            .ok_or_else(|| UnitError::new(format!("a share above the whole: `{text}`"), "at most `100%`"))
    }
}

impl Unit for Rate {
    const WHAT: &'static str = "a rate";

    fn read(text: &str) -> Result<Self, UnitError> {
        let text = text.trim();
        let bare = matches!(number(text), Some((_, _, "")));
        let (count, per) = match text.split_once('/') {
            Some((count, per)) => (count.trim(), per.trim()),
            None if bare => {
                let help = format!("did you mean `{text}/s` or `{text}/min`?");
                return Err(UnitError::new(format!("a rate needs a unit: `{text}`"), help));
            }
            None => return Err(UnitError::new(format!("expected a rate: `{text}`"), "such as `20/s`")),
        };
        let Some((_, seconds)) = PER.iter().find(|(name, _)| *name == per) else {
            let message = format!("unknown unit in a rate: `/{per}`");
            return Err(UnitError { message, help: suggestion(per, PER.iter().map(|(name, _)| *name)) });
        };
        let thousandths = match number(count) {
            Some((digits, places, "")) => scale(digits, places, 1000),
            _ => None,
        };
        match thousandths {
            Some(thousandths) => Ok(Rate { thousandths, per: Duration::from_secs(*seconds) }),
            None => Err(UnitError::new(format!("expected a rate: `{text}`"), "such as `20/s` or `0.5/s`")),
        }
    }
}

impl Unit for Distance {
    const WHAT: &'static str = "a distance";

    fn read(text: &str) -> Result<Self, UnitError> {
        let metres = measure(text, Self::WHAT, DISTANCE, ["#km", "#m"])?;
        Ok(Distance { metres })
    }
}

impl Unit for Bandwidth {
    const WHAT: &'static str = "a bandwidth";

    fn read(text: &str) -> Result<Self, UnitError> {
        let bits_per_second = measure(text, Self::WHAT, BANDWIDTH, ["#Mbit/s", "#MB/s"])?;
        if bits_per_second == 0 {
            return Err(UnitError::new("a bandwidth of nothing", "a path that carries nothing is a `cut`"));
        }
        Ok(Bandwidth { bits_per_second })
    }
}

impl Unit for Drift {
    const WHAT: &'static str = "a drift";

    fn read(text: &str) -> Result<Self, UnitError> {
        let text = text.trim();
        let (sign, size) = match text.strip_prefix('-') {
            Some(size) => (-1, size),
            None => (1, text.strip_prefix('+').unwrap_or(text)),
        };
        let parts = measure(size, Self::WHAT, DRIFT, ["#ppm", "#%"])?;
        match i64::try_from(parts) {
            Ok(parts) if parts < 1_000_000_000 => Ok(Drift { parts_per_billion: sign * parts }),
            _ => Err(UnitError::new(format!("a drift too large: `{text}`"), "below `100%`")),
        }
    }
}

impl Unit for Factor {
    const WHAT: &'static str = "a factor";

    fn read(text: &str) -> Result<Self, UnitError> {
        let thousandths = measure(text, Self::WHAT, FACTOR, ["#x", "#%"])?;
        Ok(Factor { thousandths })
    }
}

impl Unit for u64 {
    const WHAT: &'static str = "a whole number";

    fn read(text: &str) -> Result<Self, UnitError> {
        let text = text.trim();
        text.parse().map_err(|_| UnitError::new(format!("expected a whole number: `{text}`"), "such as `3`"))
    }
}

impl<T: Unit + PartialOrd + Copy> Range<T> {
    /// Reads `low..high`, or one value.
    pub fn read(text: &str) -> Result<Self, UnitError> {
        let Some((low, high)) = text.split_once("..") else {
            let only = T::read(text)?;
            return Ok(Range { low: only, high: only });
        };
        let (low, high) = (T::read(low)?, T::read(high)?);
        if low > high {
            let message = format!("a range must go from low to high: `{}`", text.trim());
            return Err(UnitError { message, help: None });
        }
        Ok(Range { low, high })
    }
}

impl<T: Unit + PartialOrd + Copy> Bound<T> {
    /// Reads `value`, `low..high`, `<= value`, `< value`, `>= value` or `> value`.
    pub fn read(text: &str) -> Result<Self, UnitError> {
        let text = text.trim();
        for (sign, is_low, itself) in
            [(">=", true, true), ("<=", false, true), (">", true, false), ("<", false, false)]
        {
            if let Some(rest) = text.strip_prefix(sign) {
                let limit = Some((T::read(rest)?, itself));
                return Ok(match is_low {
                    true => Bound { low: limit, high: None },
                    false => Bound { low: None, high: limit },
                });
            }
        }
        let Range { low, high } = Range::read(text)?;
        Ok(Bound { low: Some((low, true)), high: Some((high, true)) })
    }
}

#[cfg(test)]
mod tests;
