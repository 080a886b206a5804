//! Every setting of the product, in both spellings, through the command line; and what is refused, with place and range.
//!
//! The files are real ones, as a user would write them; that they leave nothing out is compared with the key tables.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use regsim::protocol::eureka::config::{Kind, relaxed};
use regsim::scenario::Scenario;
use regsim::scenario::system::{Owner, Settings};

const OWNERS: [Owner; 4] = [Owner::Server, Owner::Client, Owner::Instance, Owner::Fixes];

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/keys").join(name)
}

fn check(names: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_regsim"));
    command.current_dir(file("")).arg("check").args(names);
    command.output().expect("the program runs")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

#[test]
fn a_file_may_set_every_key_in_either_spelling() {
    let output = check(&["netflix.yaml", "spring.yaml"]);
    let notes = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{notes}");
    assert_eq!(text(&output.stdout).lines().filter(|line| line.contains(": ok (")).count(), 2);
    for (spring, of) in [(false, "netflix."), (true, "spring.")] {
        let inert: Vec<_> = [Owner::Server, Owner::Client, Owner::Instance]
            .iter()
            .flat_map(|owner| owner.keys())
            .filter(|key| key.inert.is_some() && !(if spring { key.spring } else { key.netflix }).is_empty())
            .collect();
        assert!(inert.len() > 20, "there are such keys");
        for key in &inert {
            let written = if spring { key.spring } else { key.netflix };
            let (stem, why) = (written.trim_end_matches('*'), key.inert.unwrap_or_default());
            let (said, end) = (format!("no effect: `{stem}"), format!("` ({why})"));
            let is_it = |line: &&str| line.contains(&said) && line.ends_with(&end) && line.starts_with(of);
            let count = notes.lines().filter(is_it).count();
            assert!(count >= 2, "in place and in a file, {count} times: {said}\n{notes}");
        }
    }
}

/// The files of the test above leave no key out.
#[test]
fn the_files_name_every_key_of_the_tables() {
    for (name, spring) in [("netflix.yaml", false), ("spring.yaml", true)] {
        let scenario = Scenario::load(&file(name)).unwrap_or_else(|mistakes| panic!("{}", mistakes[0]));
        let imported = scenario.servers[0].imported.as_ref().expect("a file");
        let in_place = &scenario.servers[1];
        for owner in OWNERS {
            let places: Vec<&Settings> = match owner {
                Owner::Server => vec![&imported.server, &in_place.server],
                Owner::Client => vec![&imported.client, &in_place.client],
                Owner::Instance => vec![&imported.instance, &in_place.instance],
                Owner::Fixes => vec![&scenario.system.fixes],
            };
            for key in owner.keys() {
                let spelling = if spring { key.spring } else { key.netflix };
                for settings in &places {
                    // Many keys are spelled alike but for dashes.
                    let alike = relaxed(key.netflix) == relaxed(key.spring);
                    let found = settings.of(key).any(|(found, setting)| {
                        alike || found.netflix != spring || spring == setting.key.contains('-')
                    });
                    assert!(found || spelling.is_empty(), "{name} lacks {owner:?} {spelling}");
                }
            }
        }
    }
}

#[test]
fn what_is_refused_is_shown_with_place_and_range() {
    let output = check(&["mistakes.yaml"]);
    let shown = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{shown}");
    for (line, message, help) in [
        (5, "not a value of `eviction-interval-timer-in-ms`: `0`", "a time from 1 ms to 1 d"),
        (6, "not a value of `response-cache-update-interval-ms`: `-1s`", "a time from 1 ms to 1 d"),
        (7, "not a value of `renewal-percent-threshold`: `1.01`", "a number from 0 to 1"),
        (8, "not a value of `enable-self-preservation`: `maybe`", "true or false"),
        (9, "unknown setting: `disable-detla`", "did you mean `disable-delta`?"),
        (11, "one setting twice: `renewal-threshold-update-interval-ms`", "on line 10"),
        (
            13,
            "not a value of `registry-fetch-interval-seconds`: `0`",
            "a whole number of seconds from 1 s to 1 d",
        ),
        (14, "not a value of `heartbeat-executor-thread-pool-size`: `none`", "a whole number from 1 to 1000"),
        (15, "unknown value: `dns`", "`composite`"),
        (16, "not an HTTP URL: `peer1:8761`", "such as `http://peer1:8761/eureka/`"),
        (
            18,
            "not a value of `lease-expiration-duration-in-seconds`: `90d`",
            "a whole number of seconds from 1 s to 1 d",
        ),
        (19, "not a port: `70000`", "0 to 65535"),
        (20, "unknown status: `RUNNING`", "`STARTING`"),
    ] {
        let at = shown.find(&format!("error: {message}\n")).unwrap_or_else(|| panic!("{message}\n{shown}"));
        let rest = &shown[at..];
        let end = rest.find("\n\n").unwrap_or(rest.len());
        assert!(rest[..end].contains(&format!("mistakes.yaml:{line}:")), "{message}\n{shown}");
        assert!(rest[..end].contains(help), "{help}\n{}", &rest[..end]);
    }
    assert!(shown.ends_with("13 mistakes found\n"), "{shown}");
}

/// For each key of the tables: values outside its kind and range, and both spellings in one place.
#[test]
fn every_key_refuses_what_it_cannot_be() {
    let refusals = |settings: &str, block: &str| -> Vec<(String, Option<String>)> {
        let text =
            format!("title: t\nsystem: {{ eureka: {{ {block}: {{ {settings} }} }} }}\nservers: {{ a: }}\n");
        let no_files = &mut |_: &str| Err("no such file".to_owned());
        match Scenario::parse("x.yaml", text.as_bytes(), &[], no_files) {
            Ok(_) => Vec::new(),
            Err(mistakes) => mistakes.into_iter().map(|mistake| (mistake.message, mistake.help)).collect(),
        }
    };
    let mut refused = 0;
    for (owner, block) in OWNERS.into_iter().zip(["server", "client", "instance", "fixes"]) {
        for key in owner.keys() {
            let bad: &[&str] = match key.kind {
                Kind::Flag => &["maybe", "2"],
                Kind::Share(..) => &["-0.1", "1.1", "NaN", "much"],
                Kind::Count(1.., _) => &["0", "-1", "1.5", "many"],
                Kind::Count(0, _) => &["-1", "1.5", "many"],
                Kind::AnySeconds(..) => &["1.5", "many", "500ms", "-86401"],
                Kind::Seconds(1.., _) => &["0", "-5", "0s", "2d", "1500ms"],
                Kind::Number(..) => &["1.5", "many", "-1001"],
                Kind::Millis(1.., _) | Kind::Poll(1.., _) => &["0", "-5", "0s", "2d"],
                Kind::Millis(0, _) | Kind::Seconds(0, _) | Kind::Poll(0, _) => &["-5", "often", "99h"],
                Kind::Pairs if !key.shown().contains('*') => &["no-name"],
                Kind::Text | Kind::List | Kind::Pairs => &[],
            };
            let shown = key.shown().replace('*', "x");
            for value in bad {
                let mistakes = refusals(&format!("{shown}: \"{value}\""), block);
                let expected =
                    (format!("not a value of `{shown}`: `{value}`"), Some(format!("it is {}", key.kind)));
                assert_eq!(mistakes, [expected], "{shown}: {value}");
                refused += 1;
            }
            // What makes no sense for a key is not the matter here, only that it stands there twice.
            let (netflix, spring) = (key.netflix.replace('*', "x"), key.spring.replace('*', "x"));
            let two_names = key.netflix.contains('*') != key.spring.contains('*');
            if !netflix.is_empty() && !spring.is_empty() && netflix != spring && !two_names {
                let value = match key.kind {
                    Kind::Pairs => "http://a:1/eureka/",
                    Kind::Poll(..) => "300s",
                    _ => key.defaults.0,
                };
                let mistakes = refusals(&format!("{netflix}: \"{value}\", {spring}: \"{value}\""), block);
                let twice = mistakes
                    .iter()
                    .filter(|(message, _)| *message == format!("one setting twice: `{spring}`"));
                assert_eq!(twice.count(), 1, "{netflix} and {spring}: {mistakes:?}");
                refused += 1;
            }
        }
    }
    assert!(refused > 400, "{refused} refusals");
}
