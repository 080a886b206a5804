use super::*;
use proptest::prelude::*;

fn parse(text: &str) -> Result<Scenario, Vec<Diagnostic>> {
    Scenario::parse("stories/x.yaml", text.as_bytes(), &[], &mut |_| Err("no such file".to_owned()))
}

/// All mistakes as a user sees them.
fn mistakes(text: &str) -> String {
    let diagnostics = parse(text).expect_err("the file is full of mistakes");
    diagnostics.iter().map(|diagnostic| format!("{diagnostic}\n")).collect()
}

#[test]
fn a_whole_scenario_is_read() {
    let scenario = parse(include_str!("tests/whole.yaml")).unwrap_or_else(|errors| panic!("{}", errors[0]));
    assert_eq!(scenario.name, "stories/x");
    assert_eq!((scenario.servers.len(), scenario.services.len()), (3, 3));
    assert_eq!((scenario.timeline.len(), scenario.expect.len()), (38, 19));
    assert_eq!(scenario.topology.paths.len(), 7);
}

/// What the user is shown: line, caret, reason and nearest word for each of the mistakes, all at once.
#[test]
fn all_mistakes_of_a_file_are_shown_at_once() {
    insta::assert_snapshot!(mistakes(include_str!("tests/many-mistakes.yaml")));
}

#[test]
fn a_share_of_calls_is_of_a_stretch_of_time() {
    let of = |key: &str| {
        let text = format!("title: t\nservers: {{ a: }}\nexpect: [{{ calls: {{ {key}, success: 1% }} }}]\n");
        parse(&text).expect_err("a mistake").remove(0).message
    };
    assert_eq!(of("during: 5m"), "expected a stretch of time: `5m`");
    assert_eq!(of("at: 5m"), "unknown key in `calls`: `at`");
}

#[test]
fn what_cannot_be_read_at_all_is_one_diagnostic() {
    let not_utf8 = Scenario::parse("x.yaml", b"title: \xff\xfe", &[], &mut |_| Ok(Vec::new())).unwrap_err();
    assert_eq!(not_utf8[0].message, "not UTF-8 from here on");
    assert_eq!(not_utf8[0].position(), (1, 8));
    let absent = Scenario::load(Path::new("no/such/file.yaml")).unwrap_err();
    assert!(absent[0].message.starts_with("cannot be read: "), "{}", absent[0]);
    assert_eq!(parse("title: [").unwrap_err().len(), 1);
    assert_eq!(parse("just text").unwrap_err()[0].message, "a scenario is written as keys and values");
}

/// Words of the language in any order reach deeper than random text.
fn words() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "title",
        "system",
        "eureka",
        "server",
        "topology",
        "regions",
        "paths",
        "servers",
        "services",
        "timeline",
        "expect",
        "at",
        "for",
        "crash",
        "partition",
        "path",
        "latency",
        "lognormal",
        "messages",
        "match",
        "do",
        "request",
        "set",
        "when",
        "event",
        "gauge",
        "nth",
        "flap",
        "bridge",
        "between",
        "hold",
        "loss",
        "burst",
        "scale",
        "rolling-restart",
        "over",
        "isolate",
        "only",
        "probe",
        "never",
        "registered",
        "delay",
        "from",
        "to",
        "is",
        "30s",
        "5%",
        "a -> b",
        "p1/0",
        "..",
        ": ",
        ": ",
        ": ",
        "\n",
        "\n  ",
        "\n    ",
        "\n  - ",
        "- ",
        "{",
        "}",
        "[",
        "]",
        ", ",
        "'",
        "\"",
        "0",
        "北",
    ]);
    prop::collection::vec(word, 0..60).prop_map(|words| words.concat())
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC*") {
        let _ = parse(&text);
    }

    #[test]
    fn no_words_make_the_parser_panic(text in words()) {
        let _ = parse(&text);
    }

    /// Cut anywhere, with a character put in: what people have on their screen while they type.
    #[test]
    fn no_slip_of_the_hand_makes_the_parser_panic(at in 0usize..9000, cut in 0usize..40, put in "[-:{}\\[\\],#&*!|>'\"%@` a0\\n]?") {
        let whole = include_str!("tests/whole.yaml");
        let start = (0..=at.min(whole.len())).rev().find(|at| whole.is_char_boundary(*at)).unwrap_or(0);
        let end = (start + cut..=whole.len()).find(|at| whole.is_char_boundary(*at)).unwrap_or(whole.len());
        let slip = format!("{}{put}{}", &whole[..start], &whole[end..]);
        if let Err(diagnostics) = parse(&slip) {
            for diagnostic in diagnostics {
                prop_assert!(!diagnostic.to_string().is_empty());
            }
        }
    }
}
