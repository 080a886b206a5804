//! Durations, counts and lists as people write them.
//!
//! Separate because the title of a picture, a label in it and the line on the terminal must say the same thing in the same
//! words. Left out: parsing, which belongs to `scenario/`.

/// Virtual time or a duration, in nanoseconds.
pub type Nanos = u64;

pub const SECOND: Nanos = 1_000_000_000;
pub const MINUTE: Nanos = 60 * SECOND;
pub const HOUR: Nanos = 60 * MINUTE;
pub const DAY: Nanos = 24 * HOUR;
const MILLISECOND: Nanos = SECOND / 1_000;
const MICROSECOND: Nanos = MILLISECOND / 1_000;

/// A duration at the precision that matters at its size: `240 ms`, `18.3 s`, `2 min 5 s`, `3 h 20 min`.
pub fn duration(nanos: Nanos) -> String {
    if nanos == 0 {
        return "0 s".to_owned();
    }
    // Round at the precision that will be shown before choosing the unit, or 59.97 s would read "60.0 s" and 119.6 min "1 h 60 min".
    let tenths = nanos.saturating_add(SECOND / 20) / (SECOND / 10);
    let seconds = nanos.saturating_add(SECOND / 2) / SECOND;
    let minutes = nanos.saturating_add(MINUTE / 2) / MINUTE;
    let hours = nanos.saturating_add(HOUR / 2) / HOUR;
    if nanos < MICROSECOND {
        format!("{nanos} ns")
    } else if nanos < MILLISECOND {
        format!("{} µs", nanos / MICROSECOND)
    } else if nanos < SECOND {
        format!("{} ms", nanos / MILLISECOND)
    } else if tenths < 1_200 {
        if tenths.is_multiple_of(10) {
            format!("{} s", tenths / 10)
        } else {
            format!("{}.{} s", tenths / 10, tenths % 10)
        }
    } else if seconds < 7_200 {
        pair(seconds / 60, "min", seconds % 60, "s")
    } else if minutes < 48 * 60 {
        pair(minutes / 60, "h", minutes % 60, "min")
    } else {
        pair(hours / 24, "d", hours % 24, "h")
    }
}

fn pair(large: u64, large_unit: &str, small: u64, small_unit: &str) -> String {
    if small == 0 {
        format!("{large} {large_unit}")
    } else {
        format!("{large} {large_unit} {small} {small_unit}")
    }
}

/// `1 entry`, `3 entries`: a count with its noun.
pub fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// A whole number in groups of three digits.
pub fn grouped(value: i64) -> String {
    let digits = value.unsigned_abs().to_string();
    let mut out = if value < 0 { "-".to_owned() } else { String::new() };
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

/// `97.1 %`: a part of a whole, rounded down so that only all is 100 %, with the digits that tell it from all and from none.
pub fn share(part: u64, whole: u64) -> String {
    if part >= whole {
        return "100 %".to_owned();
    }
    let scaled = |part: u64, decimals: u32| {
        let scale = 10u128.pow(decimals);
        (scale, u128::from(part) * 100 * scale / u128::from(whole))
    };
    let told =
        |&decimals: &u32| (part == 0 || scaled(part, decimals).1 > 0) && scaled(whole - part, decimals).1 > 0;
    let decimals = (1..=9).find(told).unwrap_or(9);
    let (scale, value) = scaled(part, decimals);
    if value % scale == 0 {
        return format!("{} %", value / scale);
    }
    format!("{}.{:0width$} %", value / scale, value % scale, width = decimals as usize)
}

/// The most letters of a name in a sentence.
const NAME_LETTERS: usize = 40;

/// A name in a sentence: of one that is too long, both ends.
pub fn brief(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    if letters.len() <= NAME_LETTERS {
        return name.to_owned();
    }
    let (head, tail) = (NAME_LETTERS / 2, NAME_LETTERS - NAME_LETTERS / 2 - 1);
    letters[..head].iter().chain(&['…']).chain(&letters[letters.len() - tail..]).collect()
}

/// `a`, `a and b`, `a, b and c`, `a, b and 3 more`: names in a sentence, at most three of them, each in [`brief`].
pub fn names<S: AsRef<str>>(names: &[S]) -> String {
    let list: Vec<String> = names.iter().take(3).map(|name| brief(name.as_ref())).collect();
    match list.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [first, second] => format!("{first} and {second}"),
        [first, second, ..] if names.len() > 3 => format!("{first}, {second} and {} more", names.len() - 2),
        [first, second, third, ..] => format!("{first}, {second} and {third}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_naturally_at_every_size() {
        let table = [
            (0, "0 s"),
            (1, "1 ns"),
            (1_500, "1 µs"),
            (240 * MILLISECOND, "240 ms"),
            (SECOND, "1 s"),
            (18_320 * MILLISECOND, "18.3 s"),
            (59_970 * MILLISECOND, "60 s"),
            (119_960 * MILLISECOND, "2 min"),
            (125 * SECOND, "2 min 5 s"),
            (10 * MINUTE, "10 min"),
            (2 * HOUR - 1, "2 h"),
            (200 * MINUTE, "3 h 20 min"),
            (73 * HOUR, "3 d 1 h"),
        ];
        for (nanos, expected) in table {
            assert_eq!(duration(nanos), expected);
        }
        assert!(duration(u64::MAX / 2).ends_with('h') || duration(u64::MAX / 2).ends_with('d'));
    }

    #[test]
    fn shares_are_never_rounded_to_all_or_none() {
        let table = [
            (971, 1_000, "97.1 %"),
            (1, 3, "33.3 %"),
            (3, 4, "75 %"),
            (9_999, 10_000, "99.99 %"),
            (1, 100_000, "0.001 %"),
        ];
        for (part, whole, expected) in table {
            assert_eq!(share(part, whole), expected);
        }
        assert_eq!([share(0, 7), share(7, 7), share(0, 0)], ["0 %", "100 %", "100 %"]);
        assert_eq!([grouped(-1_234_567), grouped(999), grouped(1_000)], ["-1 234 567", "999", "1 000"]);
    }

    #[test]
    fn a_name_that_is_too_long_keeps_both_ends() {
        assert_eq!(brief("peer1"), "peer1");
        let long = brief("eureka-server-a.production.beijing-a.example.internal");
        assert_eq!(
            (long.as_str(), long.chars().count()),
            ("eureka-server-a.prod…-a.example.internal", NAME_LETTERS)
        );
    }

    #[test]
    fn names_make_a_sentence() {
        assert_eq!(names::<&str>(&[]), "");
        assert_eq!(names(&["a"]), "a");
        assert_eq!(names(&["a", "b"]), "a and b");
        assert_eq!(names(&["a", "b", "c"]), "a, b and c");
        assert_eq!(names(&["a", "b", "c", "d"]), "a, b and 2 more");
        assert_eq!(count(1, "entry", "entries"), "1 entry");
        assert_eq!(count(0, "entry", "entries"), "0 entries");
    }
}
