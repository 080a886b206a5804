//! The event queue: what happens next, in exact (time, sequence) order.
//!
//! A ladder queue. Far events lie unsorted in `top`; when their turn comes they are spread over the buckets of a rung, and a
//! bucket that is still crowded over a finer rung; only the few events of one bucket are ever sorted. So an event is touched a
//! small constant number of times however many wait, where a binary heap pays for all of them on every step
//! (`benches/queue.rs` measures both).
//!
//! Nothing is removed from the middle: whoever cancels leaves the entry and ignores it when it comes out.

use crate::protocol::SimTime;

/// A bucket of at most this many events is sorted; a fuller one is spread over a finer rung.
const SORTED_MAX: usize = 48;
/// A sorted part that has grown beyond this by insertions is spread over a rung of its own.
const BOTTOM_MAX: usize = 256;
/// A rung has between these many buckets, as powers of two.
const RUNG_BITS: std::ops::RangeInclusive<u32> = 4..=20;
const NIL: u32 = u32::MAX;

/// One event in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<T> {
    /// When it happens.
    pub time: SimTime,
    /// Its place among the events of one instant: the order of [`Queue::push`].
    pub sequence: u64,
    /// What happens.
    pub event: T,
}

impl<T> Entry<T> {
    fn key(&self) -> (u64, u64) {
        (self.time.0, self.sequence)
    }
}

/// A priority queue for a clock that never goes back. Times pushed must not lie before the last one popped.
#[derive(Clone, Debug)]
pub struct Queue<T> {
    sequence: u64,
    len: usize,
    /// Events before every rung, latest first: the next one is at the end.
    bottom: Vec<Entry<T>>,
    /// Above this length `bottom` is spread out; doubled when that would not help (all at one instant).
    bottom_limit: usize,
    /// From the coarsest to the finest; each refines one bucket of the one before. Those from `active` on are spare.
    rungs: Vec<Rung>,
    active: usize,
    /// The events on the rungs, linked from their buckets.
    nodes: Vec<Node<T>>,
    free: u32,
    /// Events from `top_start` on, in no order.
    top: Vec<Entry<T>>,
    top_start: u64,
    top_range: Range,
}

#[derive(Clone, Debug, Default)]
struct Rung {
    /// Time at which bucket 0 begins.
    start: u64,
    /// A bucket is `1 << shift` ns wide.
    shift: u32,
    /// The first bucket that was not emptied yet.
    current: usize,
    /// How many events it holds.
    pending: usize,
    buckets: Vec<Bucket>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    head: u32,
    count: u32,
}

#[derive(Clone, Debug)]
struct Node<T> {
    entry: Entry<T>,
    next: u32,
}

#[derive(Clone, Copy, Debug)]
struct Range {
    min: u64,
    max: u64,
}

impl Range {
    const EMPTY: Range = Range { min: u64::MAX, max: 0 };

    fn include(&mut self, time: u64) {
        self.min = self.min.min(time);
        self.max = self.max.max(time);
    }
}

impl Rung {
    /// Events from here on still fit on this rung; earlier ones belong to a finer one, or to the bottom.
    fn frontier(&self) -> u64 {
        self.start.saturating_add((self.current as u64) << self.shift)
    }

    fn bucket(&self, time: u64) -> usize {
        ((time - self.start) >> self.shift) as usize
    }
}

impl<T: Copy> Default for Queue<T> {
    fn default() -> Queue<T> {
        Queue::new()
    }
}

impl<T: Copy> Queue<T> {
    /// An empty queue at time zero.
    pub fn new() -> Queue<T> {
        Queue {
            sequence: 0,
            len: 0,
            bottom: Vec::new(),
            bottom_limit: BOTTOM_MAX,
            rungs: Vec::new(),
            active: 0,
            nodes: Vec::new(),
            free: NIL,
            top: Vec::new(),
            top_start: 0,
            top_range: Range::EMPTY,
        }
    }

    /// How many events wait.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds an event, after all events of that instant that were added before, and returns its sequence number: never 0.
    pub fn push(&mut self, time: SimTime, event: T) -> u64 {
        let sequence = self.reserve();
        self.push_reserved(time, sequence, event);
        sequence
    }

    /// Takes a place in the order for an event that is added later, with [`push_reserved`](Queue::push_reserved).
    pub fn reserve(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    /// Adds an event at a place in the order that was taken before.
    pub fn push_reserved(&mut self, time: SimTime, sequence: u64, event: T) {
        let entry = Entry { time, sequence, event };
        self.len += 1;
        if time.0 >= self.top_start {
            self.top_range.include(time.0);
            self.top.push(entry);
            return;
        }
        for rung in &mut self.rungs[..self.active] {
            if time.0 >= rung.frontier() {
                link(rung, &mut self.nodes, &mut self.free, entry);
                return;
            }
        }
        let at = self.bottom.partition_point(|other| other.key() > entry.key());
        self.bottom.insert(at, entry);
        if self.bottom.len() > self.bottom_limit {
            self.spread_bottom();
        }
    }

    /// Removes and returns the next event.
    pub fn pop(&mut self) -> Option<Entry<T>> {
        self.pop_until(SimTime::MAX)
    }

    /// Removes and returns the next event, if it happens at or before `until`.
    #[inline]
    pub fn pop_until(&mut self, until: SimTime) -> Option<Entry<T>> {
        if self.bottom.is_empty() {
            self.refill();
        }
        let entry = self.bottom.pop_if(|entry| entry.time <= until)?;
        self.len -= 1;
        Some(entry)
    }

    /// Brings the earliest events into the bottom, which is empty.
    fn refill(&mut self) {
        self.bottom_limit = BOTTOM_MAX;
        while self.bottom.is_empty() {
            let Some(finest) = self.active.checked_sub(1) else {
                if self.top.is_empty() {
                    return;
                }
                self.lower_top();
                continue;
            };
            let rung = &mut self.rungs[finest];
            if rung.pending == 0 {
                self.active = finest;
                continue;
            }
            while rung.buckets[rung.current].count == 0 {
                rung.current += 1;
            }
            let bucket = rung.buckets[rung.current];
            rung.buckets[rung.current] = Bucket { head: NIL, count: 0 };
            let start = rung.frontier();
            let shift = rung.shift;
            rung.current += 1;
            rung.pending -= bucket.count as usize;
            if bucket.count as usize <= SORTED_MAX || shift == 0 {
                self.sort_bucket(bucket.head);
            } else {
                self.split_bucket(bucket, start, shift);
            }
        }
    }

    /// Moves a bucket's events into the empty bottom.
    fn sort_bucket(&mut self, head: u32) {
        let mut at = head;
        while at != NIL {
            let node = &mut self.nodes[at as usize];
            self.bottom.push(node.entry);
            let next = node.next;
            node.next = self.free;
            self.free = at;
            at = next;
        }
        self.bottom.sort_unstable_by_key(|entry| std::cmp::Reverse(entry.key()));
    }

    /// Spreads a bucket's events over a new finest rung that covers exactly that bucket.
    fn split_bucket(&mut self, bucket: Bucket, start: u64, width: u32) {
        let last = start.saturating_add((1u64 << width) - 1);
        self.add_rung(start, last, bucket.count as usize);
        let mut at = bucket.head;
        let rung = &mut self.rungs[self.active - 1];
        while at != NIL {
            let node = &mut self.nodes[at as usize];
            let target = rung.bucket(node.entry.time.0);
            let next = node.next;
            node.next = rung.buckets[target].head;
            rung.buckets[target].head = at;
            rung.buckets[target].count += 1;
            at = next;
        }
        rung.pending = bucket.count as usize;
    }

    /// Spreads all far events over the first rung. Later events are far from then on.
    fn lower_top(&mut self) {
        let Range { min, max } = self.top_range;
        self.add_rung(min, max, self.top.len());
        let rung = &mut self.rungs[0];
        for entry in self.top.drain(..) {
            link(rung, &mut self.nodes, &mut self.free, entry);
        }
        let width = (rung.bucket(max) as u64 + 1) << rung.shift;
        self.top_start = min.saturating_add(width);
        self.top_range = Range::EMPTY;
    }

    /// Spreads a crowded bottom over a new finest rung, up to where the next coarser part begins.
    fn spread_bottom(&mut self) {
        let (Some(latest), Some(earliest)) = (self.bottom.first(), self.bottom.last()) else { return };
        if latest.time == earliest.time {
            self.bottom_limit = self.bottom.len() * 2;
            return;
        }
        let start = earliest.time.0;
        let end = match self.active.checked_sub(1) {
            Some(finest) => self.rungs[finest].frontier(),
            None => self.top_start,
        };
        self.add_rung(start, end - 1, self.bottom.len());
        let rung = &mut self.rungs[self.active - 1];
        for entry in self.bottom.drain(..) {
            link(rung, &mut self.nodes, &mut self.free, entry);
        }
    }

    /// A new finest rung for `count` events between `start` and `last`, both included.
    fn add_rung(&mut self, start: u64, last: u64, count: usize) {
        let bits = (usize::BITS - (count / 2).leading_zeros()).clamp(*RUNG_BITS.start(), *RUNG_BITS.end());
        let span = last - start;
        let shift = (u64::BITS - span.leading_zeros()).saturating_sub(bits);
        if self.active == self.rungs.len() {
            self.rungs.push(Rung::default());
        }
        let rung = &mut self.rungs[self.active];
        self.active += 1;
        rung.start = start;
        rung.shift = shift;
        rung.current = 0;
        rung.pending = 0;
        rung.buckets.clear();
        rung.buckets.resize((span >> shift) as usize + 1, Bucket { head: NIL, count: 0 });
    }
}

fn link<T: Copy>(rung: &mut Rung, nodes: &mut Vec<Node<T>>, free: &mut u32, entry: Entry<T>) {
    let target = rung.bucket(entry.time.0);
    let bucket = &mut rung.buckets[target];
    let node = Node { entry, next: bucket.head };
    if *free == NIL {
        bucket.head = u32::try_from(nodes.len()).expect("fewer than 4 billion events wait");
        nodes.push(node);
    } else {
        bucket.head = *free;
        let slot = &mut nodes[*free as usize];
        *free = slot.next;
        *slot = node;
    }
    bucket.count += 1;
    rung.pending += 1;
}

#[cfg(test)]
mod tests;
