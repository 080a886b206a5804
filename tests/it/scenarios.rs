//! Every shipped scenario, run as a user would run it: what it expects must hold, twice in the same way.

use std::path::{Path, PathBuf};

use regsim::check::Verdict;
use regsim::plan::Plan;
use regsim::run::{run, verify};
use regsim::scenario::Scenario;

fn shipped() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/eureka");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("the folder is part of the repository")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "yaml"))
        .collect();
    files.sort();
    files
}

fn plan(path: &Path) -> Plan {
    let scenario =
        Scenario::load(path).unwrap_or_else(|mistakes| panic!("{}: {mistakes:#?}", path.display()));
    Plan::resolve(&scenario).unwrap_or_else(|mistakes| panic!("{}: {mistakes:#?}", path.display()))
}

#[test]
fn every_shipped_scenario_holds_with_several_seeds() {
    let files = shipped();
    assert!(files.len() >= 6, "the six stories are there: {files:?}");
    for path in files {
        let plan = plan(&path);
        for seed in [plan.seed, 2, 3] {
            let outcome = run(&plan, seed, &mut ());
            assert_eq!(outcome.verdict, Verdict::Holds, "{} seed {seed}: {:#?}", plan.name, outcome.findings);
            if seed == plan.seed {
                verify(&plan, &outcome).expect("a run is a function of plan and seed");
            }
        }
    }
}

/// The same on every platform, in debug and in release. A change here makes every published digest wrong: it needs a reason.
#[test]
fn golden_digests() {
    for (name, digest) in [
        ("peer-down", "c55eaa329e4cc5a3"),
        ("provider-crash", "608a3cbac2b0feb5"),
        ("two-regions-1300km", "82be517b8235163e"),
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("scenarios/eureka/{name}.yaml"));
        assert_eq!(run(&plan(&path), 1, &mut ()).digest.to_string(), digest, "{name}");
    }
}
