//! Whole runs: a story, and two fleets for two virtual minutes. Checks and metrics on, reports off.

use std::path::Path;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use regsim::plan::Plan;
use regsim::run::run;
use regsim::scenario::Scenario;

fn plan(file: &str, settings: &[&str]) -> Plan {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let settings: Vec<String> = settings.iter().map(|setting| (*setting).to_owned()).collect();
    let scenario = Scenario::load_with(&path, &settings).expect("a file of the repository");
    Plan::resolve(&scenario).expect("a file of the repository")
}

fn runs(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("run");
    group.sample_size(10);
    let plans = [
        ("peer-down", plan("scenarios/eureka/peer-down.yaml", &[])),
        ("1000x5 for two minutes", plan("benches/fleets/1000x5.yaml", &["duration=2m"])),
        ("10000x3 for two minutes", plan("benches/fleets/10000x3.yaml", &["duration=2m"])),
    ];
    for (name, plan) in plans {
        group.throughput(Throughput::Elements(run(&plan, 1, &mut ()).events));
        group.bench_function(name, |bencher| bencher.iter(|| run(&plan, 1, &mut ()).digest));
    }
    group.finish();
}

criterion_group!(benches, runs);
criterion_main!(benches);
