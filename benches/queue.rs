//! The event queue against the binary heap that it replaces, in steady state: pop one event, push one later.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use regsim::protocol::{Key, SimTime};
use regsim::sim::queue::Queue;

/// A tenth of the events are timers 30 s away, the rest packets of 0.2 to 2 ms and service times.
fn distance(draw: u64) -> u64 {
    match draw % 10 {
        0 => 29_000_000_000 + draw % 2_000_000_000,
        _ => 200_000 + draw % 1_800_000,
    }
}

/// As in the classic "hold" measurement: distances that are exponential around one mean, so that the queue is filled evenly.
fn even(draw: u64) -> u64 {
    (-libm::log(1.0 - regsim::protocol::random::unit(draw)) * 1e9) as u64
}

/// Steps before measuring, for each event that waits: then all of them were pushed by steps and none by the filling.
const PAST_FILLING: u64 = 3;

fn bench(criterion: &mut Criterion) {
    let key = Key::root(1);
    let mut group = criterion.benchmark_group("queue");
    group.throughput(Throughput::Elements(1));
    for pending in [10_000u64, 100_000, 1_000_000] {
        for (pattern, distance) in [("even", even as fn(u64) -> u64), ("mixed", distance as fn(u64) -> u64)] {
            let draws: Vec<u64> = (0..1 << 16).map(|n| distance(key.draw(0, 0, 0, n))).collect();
            // What waits is mostly timers, whatever arrives.
            let start: Vec<u64> = (0..pending).map(|n| even(key.draw(0, 0, 1, n)) * 10).collect();
            group.bench_function(BenchmarkId::new(format!("ladder/{pattern}"), pending), |bencher| {
                let mut queue = Queue::new();
                start.iter().for_each(|time| {
                    queue.push(SimTime(*time), 0u64);
                });
                let mut n = 0;
                let mut hold = || {
                    let entry = queue.pop().expect("it is never empty");
                    n = (n + 1) & (draws.len() - 1);
                    queue.push(SimTime(entry.time.0 + draws[n]), black_box(entry.event));
                };
                (0..pending * PAST_FILLING).for_each(|_| hold());
                bencher.iter(hold);
            });
            group.bench_function(BenchmarkId::new(format!("heap/{pattern}"), pending), |bencher| {
                let mut sequence = 0u64;
                let mut heap: BinaryHeap<Reverse<(u64, u64, u64)>> =
                    start.iter().map(|time| Reverse((*time, 0, 0))).collect();
                let mut n = 0;
                let mut hold = || {
                    let Reverse((time, _, event)) = heap.pop().expect("it is never empty");
                    n = (n + 1) & (draws.len() - 1);
                    sequence += 1;
                    heap.push(Reverse((time + draws[n], sequence, black_box(event))));
                };
                (0..pending * PAST_FILLING).for_each(|_| hold());
                bencher.iter(hold);
            });
        }
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
