//! Whole runs: a story, and two fleets for two virtual minutes; and what a fleet allocates once it has settled. Checks and metrics
//! on, reports off.

use std::alloc::{GlobalAlloc, Layout, System};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

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

/// Counts what is allocated: a whole run should allocate nothing once its fleet has settled.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call is passed on unchanged to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer came from `alloc` above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// Prints what the second virtual hour of a fleet adds to the first, and fails if that is more than growing buffers explain.
fn allocations() {
    let [one, two] = ["duration=1h", "duration=2h"].map(|duration| {
        let plan = plan("benches/fleets/1000x5.yaml", &[duration]);
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        let events = run(&plan, 1, &mut ()).events;
        (ALLOCATIONS.load(Ordering::Relaxed) - before, events)
    });
    let (more, events) = (two.0.saturating_sub(one.0), two.1 - one.1);
    println!("1000x5: {} allocations in {} inputs of the first hour", one.0, one.1);
    println!("1000x5: {more} more in {events} inputs of the second");
    assert!(more * 1000 < events, "fewer than 0.001 allocations an input");
}

fn runs(criterion: &mut Criterion) {
    allocations();
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
