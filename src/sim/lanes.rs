//! Timeouts of constant length, one first-in-first-out lane per length.
//!
//! Nearly every call is answered long before its timeout. In a lane such a timeout costs an append and a removal at the ends
//! of a ring; only the first live one of each lane is in the event queue. Each keeps the place in the order that it took when it
//! was armed, so the order of events is exactly as if all were in the queue.

use std::collections::VecDeque;

use crate::protocol::SimTime;

use super::Due;
use super::queue::Queue;

/// The lanes, in order of first use.
#[derive(Clone, Debug, Default)]
pub(super) struct Lanes {
    lanes: Vec<Lane>,
}

#[derive(Clone, Debug)]
struct Lane {
    length_ns: u64,
    /// Whether an entry of the event queue stands for this lane.
    armed: bool,
    waiting: VecDeque<Timeout>,
}

/// A timeout that waits in a lane.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timeout {
    pub time: SimTime,
    pub sequence: u64,
    pub call: u32,
}

impl Lanes {
    /// Arms a timeout of the given length for `call` and returns its sequence number: it counts as long as `live` says so of that
    /// number.
    pub fn arm(
        &mut self,
        queue: &mut Queue<Due>,
        now: SimTime,
        length_ns: u64,
        call: u32,
        live: impl Fn(&Timeout) -> bool,
    ) -> u64 {
        let sequence = queue.reserve();
        let time = SimTime(now.0.saturating_add(length_ns));
        let index = match self.lanes.iter().position(|lane| lane.length_ns == length_ns) {
            Some(index) => index,
            None => {
                self.lanes.push(Lane { length_ns, armed: false, waiting: VecDeque::new() });
                self.lanes.len() - 1
            }
        };
        let lane = &mut self.lanes[index];
        lane.skip_dead(&live);
        lane.waiting.push_back(Timeout { time, sequence, call });
        lane.arm_first(queue, index as u32);
        sequence
    }

    /// The queue entry of a lane has come: returns the timeout that is due now, if it still counts, and arms the next one.
    pub fn fire(
        &mut self,
        queue: &mut Queue<Due>,
        lane: u32,
        sequence: u64,
        live: impl Fn(&Timeout) -> bool,
    ) -> Option<Timeout> {
        let index = lane;
        let lane = &mut self.lanes[index as usize];
        lane.armed = false;
        lane.skip_dead(&live);
        let due = lane.waiting.front().copied().filter(|first| first.sequence == sequence);
        if due.is_some() {
            lane.waiting.pop_front();
            lane.skip_dead(&live);
        }
        lane.arm_first(queue, index);
        due
    }
}

impl Lane {
    fn skip_dead(&mut self, live: &impl Fn(&Timeout) -> bool) {
        while self.waiting.front().is_some_and(|first| !live(first)) {
            self.waiting.pop_front();
        }
    }

    fn arm_first(&mut self, queue: &mut Queue<Due>, index: u32) {
        if let (false, Some(first)) = (self.armed, self.waiting.front()) {
            queue.push_reserved(first.time, first.sequence, Due::Lane(index));
            self.armed = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_keep_their_place_among_other_events() {
        let (mut queue, mut lanes) = (Queue::new(), Lanes::default());
        let all = |_: &Timeout| true;
        for call in 0..3 {
            lanes.arm(&mut queue, SimTime(10), 5, call, all);
            queue.push(SimTime(15), Due::Call(call));
        }
        let mut order = Vec::new();
        while let Some(entry) = queue.pop() {
            match entry.event {
                Due::Lane(lane) => {
                    order.push(lanes.fire(&mut queue, lane, entry.sequence, all).map(|due| due.call));
                }
                _ => order.push(None),
            }
        }
        assert_eq!(order, [Some(0), None, Some(1), None, Some(2), None]);
    }

    #[test]
    fn answered_calls_cost_no_queue_entry() {
        let (mut queue, mut lanes) = (Queue::new(), Lanes::default());
        for call in 0..100 {
            // Every call but the last is answered before the next one is made.
            lanes.arm(&mut queue, SimTime(u64::from(call)), 1_000, call, |first| first.call >= call);
        }
        assert_eq!((queue.len(), lanes.lanes[0].waiting.len()), (1, 1));
        let entry = queue.pop().expect("armed");
        assert!(lanes.fire(&mut queue, 0, entry.sequence, |_| true).is_none(), "its call was answered");
        let entry = queue.pop().expect("armed again");
        assert_eq!(entry.time, SimTime(1_099));
        assert_eq!(lanes.fire(&mut queue, 0, entry.sequence, |_| true).map(|due| due.call), Some(99));
    }
}
