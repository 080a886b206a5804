//! The program as a shell runs it: what it prints and writes, how it ends, and what is left when it cannot do what it was told.
//!
//! Each test has a folder of its own, away from the repository: nothing may depend on where the program is run.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A folder that is gone at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("regsim-commands-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("the temporary folder is writable");
        let folder = Folder(path);
        folder.write("holds.yaml", HOLDS);
        folder
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().expect("it has a folder")).expect("writable");
        fs::write(path, text).expect("writable");
    }

    /// The program, to be run in this folder.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_regsim"));
        command.current_dir(&self.0).args(arguments).stdin(Stdio::null());
        for variable in ["NO_COLOR", "CLICOLOR_FORCE"] {
            command.env_remove(variable);
        }
        command
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command(arguments).output().expect("the program runs"))
    }

    /// All files below, sorted.
    fn files(&self) -> Vec<String> {
        let (mut found, mut folders) = (Vec::new(), vec![self.0.clone()]);
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("readable") {
                let path = entry.expect("readable").path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let inside = path.strip_prefix(&self.0).expect("found below it");
                    found.push(inside.to_string_lossy().into_owned());
                }
            }
        }
        found.sort();
        found
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// How it ended and what it said.
#[derive(Debug)]
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Ran {
    fn of(output: Output) -> Ran {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

const HOLDS: &str = "\
title: A provider registers
servers: { peer1: }
services: { provider: { start: 5s } }
duration: 1m
expect: [ { registered: { service: provider, server: peer1, by: 30s } } ]
";

/// peer1 is asked for what it cannot do: the provider is there only later.
const VIOLATED: &str = "\
title: A provider registers too late
servers: { peer1: }
services: { provider: { start: 40s } }
duration: 1m
expect: [ { registered: { service: provider, server: peer1, by: 30s } } ]
";

/// Nothing is ever evicted, so whether only dead ones are cannot be told.
const INCONCLUSIVE: &str = "\
title: Nothing comes up for judgement
servers: { peer1: }
duration: 10s
expect: [ { never: live-instance-evicted } ]
";

#[test]
fn each_verdict_has_its_exit_code_and_the_worst_counts() {
    let folder = Folder::new("verdicts");
    folder.write("violated.yaml", VIOLATED);
    folder.write("inconclusive.yaml", INCONCLUSIVE);
    folder.write("wrong.yaml", "title: t\nservers: { peer1: }\nserbices: {}\n");
    let check = |arguments: &[&str], code: i32, word: &str| {
        let ran = folder.run(&[&["run"], arguments].concat());
        assert_eq!(ran.code, Some(code), "{arguments:?}: {ran:?}");
        assert!(format!("{}{}", ran.out, ran.err).contains(word), "{arguments:?}: {ran:?}");
    };
    check(&["holds.yaml"], 0, "HOLDS");
    check(&["violated.yaml"], 1, "VIOLATED");
    check(&["inconclusive.yaml"], 3, "INCONCLUSIVE");
    check(&["inconclusive.yaml", "holds.yaml"], 3, "INCONCLUSIVE");
    check(&["violated.yaml", "inconclusive.yaml", "holds.yaml"], 1, "VIOLATED");
    check(&["wrong.yaml"], 2, "services");
    check(&["no-such.yaml"], 2, "no such file");
    check(&["holds.yaml", "--jobs", "0"], 2, "--jobs");
    check(&["holds.yaml", "--seeds", "0"], 2, "--seeds");
    check(&["holds.yaml", "--seed", "1", "--seeds", "2"], 2, "cannot be used with");
    check(&["holds.yaml", "--set", "sistem.eureka.x=1"], 2, "system");
    check(&["holds.yaml", "--set", "system.eureka.server.no-such-setting=1"], 2, "no-such-setting");
    check(&["holds.yaml", "--set", "no equals sign"], 2, "=");
    check(&["holds.yaml", "--record", "--seeds", "5000"], 2, "5000 histories");
}

/// The line can be pasted: names with blanks, settings with braces and quotes.
#[test]
fn whatever_does_not_hold_says_how_to_repeat_it() {
    let folder = Folder::new("replay");
    folder.write("my stories/it's late.yaml", VIOLATED);
    folder.write("inconclusive.yaml", INCONCLUSIVE);
    let replayed = |arguments: &[&str]| {
        let ran = folder.run(&[&["run"], arguments].concat());
        let line = ran.out.lines().find_map(|line| line.trim().strip_prefix("replay  regsim "));
        let line = line.unwrap_or_else(|| panic!("a line to repeat it: {ran:?}"));
        let shell = format!("{} {line}", env!("CARGO_BIN_EXE_regsim"));
        let again =
            Command::new("sh").arg("-c").arg(&shell).current_dir(&folder.0).output().expect("a shell");
        let again = Ran::of(again);
        assert_eq!(again.code, ran.code, "{line}: {again:?}");
        (line.to_owned(), ran.out, again.out)
    };
    let late = "my stories/it's late.yaml";
    let title = "title=it's late, isn't it";
    let (line, first, again) = replayed(&[late, "--seed", "7", "--set", title, "--set", "duration=50s"]);
    assert_eq!(
        line,
        r"run 'my stories/it'\''s late.yaml' --seed 7 --set 'title=it'\''s late, isn'\''t it' --set duration=50s"
    );
    assert_eq!(first, again);
    let (_, first, again) = replayed(&["inconclusive.yaml"]);
    assert_eq!(first, again);
    let (_, _, again) = replayed(&[late, "--seeds", "3"]);
    assert!(again.contains("seed 1 ") && again.contains("VIOLATED"), "{again}");
}

#[test]
fn quiet_says_only_what_does_not_hold() {
    let folder = Folder::new("quiet");
    folder.write("violated.yaml", VIOLATED);
    let ran = folder.run(&["run", "holds.yaml", "--quiet"]);
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (Some(0), "", ""));
    let ran = folder.run(&["run", "holds.yaml", "violated.yaml", "-q"]);
    assert!(
        ran.out.contains("VIOLATED") && ran.out.contains("replay") && !ran.out.contains("HOLDS"),
        "{ran:?}"
    );
    let ran = folder.run(&["run", "holds.yaml", "--seeds", "3", "-q"]);
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (Some(0), "", ""));
    assert!(folder.files().contains(&"reports/holds/seeds-1-3/ensemble.svg".to_owned()));
}

#[test]
fn colour_is_for_those_who_want_it() {
    let folder = Folder::new("colour");
    let coloured = |arguments: &[&str], variable: Option<(&str, &str)>| {
        let mut command = folder.command(&[&["run", "holds.yaml"], arguments].concat());
        command.envs(variable);
        Ran::of(command.output().expect("the program runs")).out.contains('\x1b')
    };
    assert!(!coloured(&[], None), "a pipe");
    assert!(coloured(&["--color", "always"], None));
    assert!(coloured(&[], Some(("CLICOLOR_FORCE", "1"))));
    assert!(!coloured(&["--color", "never"], Some(("CLICOLOR_FORCE", "1"))));
    assert!(coloured(&["--color", "always"], Some(("NO_COLOR", "1"))));
}

#[test]
fn every_change_of_state_is_a_line_if_asked_for() {
    let folder = Folder::new("timeline");
    let lines = |ran: Ran| ran.out.lines().filter(|line| line.contains("  peer1 ")).count();
    let folded = lines(folder.run(&["run", "eureka/peer-down"]));
    let ran = folder.run(&["run", "eureka/peer-down", "--timeline"]);
    assert!(ran.out.contains("threshold is"), "{}", ran.out);
    assert!(lines(ran) > folded + 5);
}

#[test]
fn a_scenario_may_come_on_stdin() {
    let folder = Folder::new("stdin");
    for (arguments, said) in [(["run", "-"], "HOLDS"), (["check", "-"], "-: ok")] {
        let stdin = File::open(folder.0.join("holds.yaml")).expect("readable");
        let output = folder.command(&arguments).stdin(stdin).output().expect("the program runs");
        let ran = Ran::of(output);
        assert!(ran.code == Some(0) && ran.out.contains(said), "{ran:?}");
    }
    assert!(folder.files().contains(&"reports/stdin/seed-1/summary.json".to_owned()));
}

#[test]
fn reports_of_two_scenarios_are_kept_apart() {
    let folder = Folder::new("names");
    folder.write("a/same.yaml", HOLDS);
    folder.write("b/a/same.yaml", VIOLATED);
    let ran = folder.run(&["run", "a/same.yaml", "b/a/same.yaml"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.err.contains("`a/same.yaml` and `b/a/same.yaml`") && ran.out.is_empty(), "{ran:?}");
    // The same file twice is that file.
    let ran = folder.run(&["run", "a/same.yaml", "./a/same.yaml", "a"]);
    assert_eq!((ran.code, ran.out.matches("HOLDS").count()), (Some(0), 1), "{ran:?}");
    let ran = folder.run(&["check", "eureka/peer-down", "eureka/peer-down"]);
    assert_eq!((ran.code, ran.out.lines().count()), (Some(0), 1), "{ran:?}");
}

/// Below a file there can be no folder, whoever asks.
#[test]
fn a_folder_that_cannot_be_written_to_is_said_before_anything_runs() {
    let folder = Folder::new("unwritable");
    folder.write("taken", "a file");
    for out in ["taken", "taken/below"] {
        for more in [&[][..], &["--seeds", "3"], &["--record"], &["--format", "json"]] {
            let ran = folder.run(&[&["run", "holds.yaml", "--out", out], more].concat());
            assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{ran:?}");
            assert!(ran.err.starts_with("error: cannot write to `taken"), "{ran:?}");
        }
    }
    assert_eq!(folder.files(), ["holds.yaml", "taken"]);
}

/// The verdict is told all the same: it may have taken an hour.
#[test]
fn a_report_that_cannot_be_written_takes_no_verdict_away() {
    let folder = Folder::new("report");
    folder.write("reports/holds/seed-1", "a file where a folder should be");
    let ran = folder.run(&["run", "holds.yaml"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.out.contains("HOLDS") && !ran.out.contains("report  "), "{ran:?}");
    assert!(ran.err.contains("cannot write `reports/holds/seed-1/convergence.svg`"), "{ran:?}");
    let ran = folder.run(&["run", "holds.yaml", "--format", "json"]);
    assert!(ran.code == Some(2) && ran.out.contains(r#""verdict":"holds""#), "{ran:?}");
    let ran = folder.run(&["run", "holds.yaml", "--record"]);
    assert!(ran.code == Some(2) && ran.err.contains("history.jsonl"), "{ran:?}");
    fs::create_dir_all(folder.0.join("reports/holds/seeds-1-2/runs.jsonl/in the way")).expect("writable");
    let ran = folder.run(&["run", "holds.yaml", "--seeds", "2"]);
    assert!(ran.code == Some(2) && ran.err.contains("runs.jsonl"), "{ran:?}");
    assert!(folder.files().iter().all(|name| !name.contains("partial")), "{:?}", folder.files());
}

#[test]
fn many_seeds_may_be_recorded() {
    let folder = Folder::new("record");
    let ran = folder.run(&["run", "holds.yaml", "--seeds", "2", "--record"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(
        folder.files(),
        [
            "holds.yaml",
            "reports/holds/seed-1/history.jsonl",
            "reports/holds/seed-2/history.jsonl",
            "reports/holds/seeds-1-2/distributions.png",
            "reports/holds/seeds-1-2/distributions.svg",
            "reports/holds/seeds-1-2/ensemble.png",
            "reports/holds/seeds-1-2/ensemble.svg",
            "reports/holds/seeds-1-2/runs.jsonl",
            "reports/holds/seeds-1-2/summary.json",
            "reports/holds/seeds-1-2/summary.md",
        ]
    );
    let lines = fs::read_to_string(folder.0.join("reports/holds/seeds-1-2/runs.jsonl")).expect("written");
    let seeds: Vec<bool> =
        lines.lines().zip([1, 2]).map(|(line, seed)| line.contains(&format!("\"seed\":{seed},"))).collect();
    assert_eq!((lines.lines().count(), seeds), (2, vec![true, true]), "in order of seeds: {lines}");
}

#[test]
fn of_many_seeds_those_that_fail_have_reports_of_their_own() {
    let folder = Folder::new("failing");
    folder.write("violated.yaml", VIOLATED);
    let ran = folder.run(&["run", "violated.yaml", "--seeds", "8", "--format", "json"]);
    assert_eq!((ran.code, ran.out.lines().count()), (Some(1), 8), "{ran:?}");
    let reported = ran.out.lines().filter(|line| line.contains(r#""report":"#)).count();
    let written = folder
        .files()
        .iter()
        .filter(|name| name.contains("/seed-") && name.ends_with("summary.json"))
        .count();
    assert_eq!((reported, written), (5, 5), "{:?}", folder.files());
}

#[cfg(target_os = "linux")]
#[test]
fn results_that_go_nowhere_are_a_failure() {
    let folder = Folder::new("full");
    let full = || File::options().write(true).open("/dev/full").expect("Linux has it");
    for arguments in [
        &["run", "holds.yaml"][..],
        &["run", "holds.yaml", "--seeds", "2", "--format", "json"],
        &["check", "holds.yaml", "--plan"],
        &["list"],
        &["show", "eureka/peer-down"],
        &["man"],
        &["completions", "bash"],
        &["--help"],
        &["run", "--help"],
    ] {
        let output = folder.command(arguments).stdout(full()).output().expect("the program runs");
        let ran = Ran::of(output);
        assert_eq!(ran.code, Some(2), "{arguments:?}: {ran:?}");
        assert!(ran.err.contains("cannot write the results to stdout"), "{arguments:?}: {ran:?}");
        // Where nobody can be told, nobody is, and nothing breaks.
        let status =
            folder.command(arguments).stdout(full()).stderr(full()).status().expect("the program runs");
        assert_eq!(status.code(), Some(2), "{arguments:?}");
    }
    let status = folder.command(&["run", "no-such.yaml"]).stderr(full()).status().expect("the program runs");
    assert_eq!(status.code(), Some(2));
}

#[test]
fn whoever_stops_reading_is_no_failure() {
    let folder = Folder::new("pipe");
    for arguments in
        [&["run", "eureka/peer-down", "--timeline"][..], &["list", "--long"], &["completions", "bash"]]
    {
        let mut child = folder.command(arguments).stdout(Stdio::piped()).spawn().expect("the program runs");
        drop(child.stdout.take());
        assert_eq!(child.wait().expect("it ends").code(), Some(0), "{arguments:?}");
    }
    assert!(folder.files().contains(&"reports/eureka/peer-down/seed-1/summary.json".to_owned()));
}

#[cfg(unix)]
mod interrupted {
    use super::*;
    use std::time::Duration;

    /// Waits until it writes, then tells it to end.
    fn interrupt(folder: &Folder, arguments: &[&str], signs: u32) -> Ran {
        let mut command = folder.command(arguments);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program runs");
        let begun = |folder: &Folder| folder.files().iter().any(|name| name.ends_with(".partial"));
        for _ in 0..2_000 {
            if begun(folder) {
                break;
            }
            pause(10);
        }
        assert!(begun(folder), "it writes while it runs");
        for _ in 0..signs {
            let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
            assert!(kill.expect("there is a kill").success());
            pause(200);
        }
        Ran::of(child.wait_with_output().expect("it ends"))
    }

    #[expect(clippy::disallowed_methods, reason = "the program under test runs in real time")]
    fn pause(milliseconds: u64) {
        std::thread::sleep(Duration::from_millis(milliseconds));
    }

    const LONG: &str = "\
title: A long story
servers: { peer1: , peer2: }
services: { provider: { instances: 200, start: 5s } }
duration: 30d
";

    #[test]
    fn one_run_ends_at_once_and_leaves_nothing() {
        let folder = Folder::new("interrupted-one");
        folder.write("long.yaml", LONG);
        folder.write("reports/long/seed-1/history.jsonl", "of another run");
        let ran = interrupt(&folder, &["run", "long.yaml", "--record"], 1);
        assert_eq!(ran.code, Some(130), "{ran:?}");
        assert!(ran.err.contains("interrupted") && ran.out.is_empty(), "{ran:?}");
        assert_eq!(folder.files(), ["holds.yaml", "long.yaml", "reports/long/seed-1/history.jsonl"]);
        let kept = fs::read_to_string(folder.0.join("reports/long/seed-1/history.jsonl")).expect("readable");
        assert_eq!(kept, "of another run");
    }

    #[test]
    fn of_many_seeds_those_that_are_done_are_reported() {
        let folder = Folder::new("interrupted-many");
        let ran = interrupt(&folder, &["run", "holds.yaml", "--seeds", "1000000", "--jobs", "1"], 1);
        assert_eq!(ran.code, Some(130), "{ran:?}");
        let files = folder.files();
        let lines = files
            .iter()
            .find(|name| name.ends_with("runs.jsonl"))
            .unwrap_or_else(|| panic!("{files:?} {ran:?}"));
        let made = fs::read_to_string(folder.0.join(lines)).expect("readable").lines().count();
        assert_eq!(*lines, format!("reports/holds/seeds-1-{made}/runs.jsonl"));
        assert!(ran.out.contains(&format!("{made} of {made} runs held")), "{ran:?}");
        assert_eq!(files.len(), 8, "the scenario and seven reports: {files:?}");
    }

    #[test]
    fn twice_ends_many_seeds_at_once() {
        let folder = Folder::new("interrupted-twice");
        folder.write("long.yaml", LONG);
        let ran = interrupt(&folder, &["run", "long.yaml", "--seeds", "100", "--jobs", "1"], 2);
        assert_eq!((ran.code, ran.out.as_str()), (Some(130), ""), "{ran:?}");
        assert_eq!(folder.files(), ["holds.yaml", "long.yaml"]);
    }
}

/// Each example of each help is run by a shell, in a folder with the files that they speak of.
#[test]
fn every_example_of_the_help_works() {
    let folder = Folder::new("examples");
    folder.write("my.yaml", HOLDS);
    folder.write("stories/one.yaml", HOLDS);
    let program = Path::new(env!("CARGO_BIN_EXE_regsim"));
    let beside = program.parent().expect("it is in a folder").to_string_lossy().into_owned();
    let path = format!("{beside}:{}", option_env!("PATH").unwrap_or("/usr/bin:/bin"));
    let mut ran = 0;
    for command in ["", "run", "check", "list", "show", "completions", "man"] {
        let arguments: Vec<&str> = [command, "--help"].into_iter().filter(|word| !word.is_empty()).collect();
        let help = folder.run(&arguments).out;
        assert!(help.contains("Examples:"), "{command}: {help}");
        for example in help.lines().filter_map(|line| line.strip_prefix("  regsim ")) {
            // What follows two blanks says what it does.
            let example = example.split("  ").next().expect("a first part");
            // Two speak of another shell and of a pager; all stories are run by the tests of scenarios.
            if example.contains("fpath") || example.contains("man -l") || example == "run eureka" {
                continue;
            }
            let shell = format!("regsim {}", example.replace("--seeds 200", "--seeds 2"));
            fs::create_dir_all(folder.0.join(".local/share/bash-completion/completions")).expect("writable");
            fs::create_dir_all(folder.0.join(".config/fish/completions")).expect("writable");
            let output = Command::new("sh")
                .args(["-c", &shell])
                .current_dir(&folder.0)
                .env("PATH", &path)
                .env("HOME", &folder.0)
                .output()
                .expect("a shell");
            assert_eq!(output.status.code(), Some(0), "{shell}: {}", String::from_utf8_lossy(&output.stderr));
            ran += 1;
        }
    }
    assert!(ran >= 20, "{ran} examples");
}
