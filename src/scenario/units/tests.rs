use super::*;
use proptest::prelude::*;

fn help<T: Unit + fmt::Debug>(text: &str) -> String {
    T::read(text).unwrap_err().help.unwrap_or_default()
}

#[test]
fn durations_mean_exactly_what_is_written() {
    let table: &[(&str, u64)] = &[
        ("0", 0),
        ("0s", 0),
        ("30s", 30_000_000_000),
        ("1.5s", 1_500_000_000),
        ("200us", 200_000),
        ("200µs", 200_000),
        ("7ns", 7),
        ("1m30s", 90_000_000_000),
        ("1h 30m", 5_400_000_000_000),
        ("2 min", 120_000_000_000),
        ("1d", 86_400_000_000_000),
    ];
    for (text, nanos) in table {
        assert_eq!(Duration::read(text), Ok(Duration::from_nanos(*nanos)), "{text}");
    }
    for text in [
        "",
        "s",
        "-5s",
        "1.s",
        ".5s",
        "1..s",
        "0.5ns",
        "1e9s",
        "30s1m",
        "99999999999999999999s",
        "400000d",
        "30 sec",
    ] {
        assert!(Duration::read(text).is_err(), "{text}");
    }
}

#[test]
fn a_bare_number_is_answered_with_both_readings() {
    assert_eq!(help::<Duration>("30"), "did you mean `30s` or `30ms`?");
    assert_eq!(help::<Ratio>("0.05"), "did you mean `0.05%` or `5%`?");
    assert_eq!(help::<Ratio>("5"), "did you mean `5%`?");
    assert_eq!(help::<Rate>("20"), "did you mean `20/s` or `20/min`?");
    assert_eq!(help::<Distance>("1300"), "did you mean `1300km` or `1300m`?");
    assert_eq!(help::<Bandwidth>("10"), "did you mean `10Mbit/s` or `10MB/s`?");
    assert_eq!(help::<Factor>("10"), "did you mean `10x` or `10%`?");
    assert_eq!(help::<Duration>("30sec"), "valid here: `ns`, `us`, `µs`, `ms`, `s`, `m`, `min`, `h`, `d`");
}

#[test]
fn other_quantities() {
    assert_eq!(Ratio::read("0.01%"), Ok(Ratio { parts_per_billion: 100_000 }));
    assert_eq!(Ratio::read("100%"), Ok(Ratio::WHOLE));
    assert!(Ratio::read("100.1%").is_err());
    assert_eq!(Rate::read("20/s").map(|rate| rate.interval()), Ok(Some(Duration::from_millis(50))));
    assert_eq!(Rate::read("0.5/min").map(|rate| rate.interval()), Ok(Some(Duration::from_secs(120))));
    assert_eq!(Rate::read("0/s").map(|rate| rate.interval()), Ok(None));
    assert_eq!(Distance::read("1300km"), Ok(Distance { metres: 1_300_000 }));
    assert_eq!(Bandwidth::read("10MB/s"), Ok(Bandwidth { bits_per_second: 80_000_000 }));
    assert_eq!(Offset::read("-30s"), Ok(Offset { nanos: -30_000_000_000 }));
    assert_eq!(Drift::read("-200ppm"), Ok(Drift { parts_per_billion: -200_000 }));
    assert_eq!(Factor::read("2.5x"), Ok(Factor { thousandths: 2_500 }));
}

#[test]
fn a_share_of_something_is_never_nothing() {
    assert_eq!(Ratio::read("30%").unwrap().of(10), 3);
    assert_eq!(Ratio::read("1%").unwrap().of(10), 1);
    assert_eq!(Ratio::read("0%").unwrap().of(10), 0);
    assert_eq!(Ratio::WHOLE.of(10), 10);
}

#[test]
fn ranges_and_bounds() {
    let range = Range::<Duration>::read("200us..500us").unwrap();
    assert_eq!((range.low, range.high), (Duration::from_micros(200), Duration::from_micros(500)));
    assert!(Range::<Duration>::read("2s..1s").is_err());
    assert_eq!(help_of_range("200..500us"), "did you mean `200s` or `200ms`?");
    for (bound, value, expected) in [
        ("3", 3, true),
        ("3", 4, false),
        ("<= 3", 3, true),
        ("< 3", 3, false),
        (">= 3", 3, true),
        ("> 3", 3, false),
        ("2..4", 4, true),
        ("2..4", 5, false),
    ] {
        assert_eq!(Bound::<u64>::read(bound).unwrap().holds(&value), expected, "{value} in {bound}");
    }
}

fn help_of_range(text: &str) -> String {
    Range::<Duration>::read(text).unwrap_err().help.unwrap_or_default()
}

#[test]
fn what_is_shown_reads_back() {
    for text in ["0s", "1m30s", "250us", "1h", "12.5ms", "7ns", "1h500ms"] {
        let duration = Duration::read(text).unwrap();
        assert_eq!(Shown(duration).to_string(), text);
    }
    assert_eq!(Ratio::read("0.01%").unwrap().to_string(), "0.01%");
    assert_eq!(Rate::read("0.5/min").unwrap().to_string(), "0.5/min");
    assert_eq!(Bound::<Ratio>::read(">= 99.9%").unwrap().to_string(), ">= 99.9%");
}

proptest! {
    #[test]
    fn every_duration_is_shown_so_that_it_reads_back(nanos in 0..LONGEST) {
        let duration = Duration::from_nanos(nanos);
        prop_assert_eq!(Duration::read(&Shown(duration).to_string()), Ok(duration));
    }

    #[test]
    fn no_text_makes_a_unit_panic(text in "\\PC*|[-+<>=]{0,2} ?[0-9.]{0,25}([a-z/%µ. ]{0,5}[0-9.]{0,9}){0,3}") {
        let _ = (Duration::read(&text), Offset::read(&text), Ratio::read(&text), Rate::read(&text));
        let _ = (Distance::read(&text), Bandwidth::read(&text), Drift::read(&text), Factor::read(&text));
        let _ = (Bound::<Duration>::read(&text), Range::<Ratio>::read(&text), Bound::<u64>::read(&text));
    }
}
