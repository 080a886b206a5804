//! The queue against a sorted list, on random and on hostile patterns.

use proptest::prelude::*;

use super::*;

/// What the queue must be equal to: a list that is kept sorted.
#[derive(Default)]
struct Model {
    entries: Vec<(u64, u64)>,
}

impl Model {
    fn push(&mut self, time: u64, sequence: u64) {
        let at = self.entries.partition_point(|other| *other > (time, sequence));
        self.entries.insert(at, (time, sequence));
    }
}

/// Runs one pattern: each step pushes some events at the given distances from now, then pops some.
fn check(steps: &[(Vec<u64>, usize)]) {
    let mut queue = Queue::new();
    let mut model = Model::default();
    let mut now = 0;
    let mut sequence = 0;
    for (distances, pops) in steps {
        for distance in distances {
            sequence += 1;
            queue.push(SimTime(now + distance), sequence);
            model.push(now + distance, sequence);
        }
        assert_eq!(queue.len(), model.entries.len());
        for _ in 0..*pops {
            let expected = model.entries.pop();
            if let Some((time @ 1.., _)) = expected {
                assert_eq!(queue.pop_until(SimTime(time - 1)), None);
            }
            let popped = queue.pop().map(|entry| (entry.time.0, entry.event));
            assert_eq!(popped, expected);
            now = popped.map_or(now, |(time, _)| time);
        }
    }
    while let Some(expected) = model.entries.pop() {
        assert_eq!(queue.pop().map(|entry| (entry.time.0, entry.event)), Some(expected));
    }
    assert!(queue.is_empty() && queue.pop().is_none());
}

/// Distances as a simulation has them: now, microseconds, a heartbeat away, far away.
fn distance() -> impl Strategy<Value = u64> {
    prop_oneof![
        Just(0),
        0..4u64,
        200_000..2_000_000u64,
        Just(30_000_000_000),
        29_000_000_000..31_000_000_000u64,
        0..1u64 << 45,
    ]
}

proptest! {
    #[test]
    fn pops_in_the_order_of_a_sorted_list(
        steps in prop::collection::vec((prop::collection::vec(distance(), 0..400), 0..400usize), 1..20)
    ) {
        check(&steps);
    }
}

#[test]
fn many_events_of_one_instant_keep_their_order() {
    check(&[(vec![5; 3_000], 10), (vec![0; 2_000], 4_000), (vec![0; 10], 2_000)]);
}

#[test]
fn an_emptied_queue_starts_over_close_to_now() {
    check(&[
        (vec![1 << 40], 1),
        ((0..2_000).rev().collect(), 1_500),
        ((0..900).map(|n| n * 7_919).collect(), 0),
    ]);
}

#[test]
fn a_crowded_bucket_is_split_more_than_once() {
    let mut crowd: Vec<u64> = (0..3_000).map(|n| 1_000_000_000 + n % 97).collect();
    crowd.extend([0, 1 << 50]);
    check(&[(crowd, 1_000), (vec![3, 2, 1, 0], 2_500)]);
}

#[test]
fn a_reserved_place_is_kept() {
    let mut queue = Queue::new();
    let early = queue.reserve();
    queue.push(SimTime(9), "late");
    queue.push_reserved(SimTime(9), early, "early");
    assert_eq!(queue.pop().map(|entry| entry.event), Some("early"));
    let early = queue.reserve();
    queue.push(SimTime(9), "last");
    queue.push_reserved(SimTime(9), early, "middle");
    let rest: Vec<_> = std::iter::from_fn(|| queue.pop()).map(|entry| entry.event).collect();
    assert_eq!(rest, ["late", "middle", "last"]);
}
