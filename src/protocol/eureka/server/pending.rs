//! The tasks that wait for one peer: in order, each id at most once, at most so many. A map and a queue in one; when tasks enter
//! and leave is [`super::acceptor`]'s business.

use std::collections::VecDeque;

use super::task::Task;

/// No slot.
const NONE: u32 = u32::MAX;

/// Waiting tasks.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    most: usize,
    slots: Vec<Task>,
    free: Vec<u32>,
    /// Slots, the next to leave first.
    order: VecDeque<u32>,
    /// Slots by number of the id, for each kind of id.
    index: [Vec<u32>; Task::KINDS],
}

impl Pending {
    /// No tasks, with room for `most`.
    pub(super) fn new(most: usize) -> Pending {
        Pending {
            most,
            slots: Vec::new(),
            free: Vec::new(),
            order: VecDeque::new(),
            index: Default::default(),
        }
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether none waits.
    pub(super) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Whether there would be no room with `more` tasks.
    pub(super) fn is_full_with(&self, more: usize) -> bool {
        self.order.len() + more >= self.most
    }

    /// Whether there is no room.
    pub(super) fn is_full(&self) -> bool {
        self.is_full_with(0)
    }

    /// The next to leave.
    pub(super) fn head(&self) -> Option<&Task> {
        self.order.front().map(|slot| &self.slots[*slot as usize])
    }

    /// All, the next to leave first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Task> {
        self.order.iter().map(|slot| &self.slots[*slot as usize])
    }

    /// Whether a task with the same id waits.
    pub(super) fn has(&self, task: &Task) -> bool {
        self.slot_of(task) != NONE
    }

    /// The task takes the place of an older one with its id, which is returned, or the last place.
    pub(super) fn put(&mut self, task: Task) -> Option<Task> {
        match self.slot_of(&task) {
            NONE => {
                let slot = self.store(task);
                self.order.push_back(slot);
                None
            }
            slot => Some(std::mem::replace(&mut self.slots[slot as usize], task)),
        }
    }

    /// The task takes the first place. None with its id may wait.
    pub(super) fn put_first(&mut self, task: Task) {
        assert!(!self.has(&task), "the task waits already: {task:?}");
        let slot = self.store(task);
        self.order.push_front(slot);
    }

    /// Takes the next to leave out.
    pub(super) fn pop(&mut self) -> Option<Task> {
        let slot = self.order.pop_front()?;
        let task = self.slots[slot as usize];
        let (kind, number) = task.key();
        self.index[kind][number] = NONE;
        self.free.push(slot);
        Some(task)
    }

    fn slot_of(&self, task: &Task) -> u32 {
        let (kind, number) = task.key();
        self.index[kind].get(number).copied().unwrap_or(NONE)
    }

    fn store(&mut self, task: Task) -> u32 {
        let (kind, number) = task.key();
        if self.index[kind].len() <= number {
            self.index[kind].resize(number + 1, NONE);
        }
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = task;
                slot
            }
            None => {
                self.slots.push(task);
                u32::try_from(self.slots.len() - 1).expect("at most 10 million tasks wait")
            }
        };
        self.index[kind][number] = slot;
        slot
    }
}

#[cfg(test)]
mod tests {
    use super::super::task::Subject;
    use super::*;

    fn group(number: u32, submitted_ms: i64) -> Task {
        Task { subject: Subject::Group { number, enabled: true }, expires_ms: 0, submitted_ms }
    }

    #[test]
    fn a_task_keeps_the_place_of_the_one_that_it_replaces() {
        let mut pending = Pending::new(3);
        assert_eq!([1, 2].map(|number| pending.put(group(number, 0))), [None, None]);
        assert_eq!(pending.put(group(1, 7)), Some(group(1, 0)));
        pending.put_first(group(3, 0));
        assert!(pending.is_full());
        let order: Vec<Task> = std::iter::from_fn(|| pending.pop()).collect();
        assert_eq!(order, [group(3, 0), group(1, 7), group(2, 0)]);
        assert!(!pending.has(&group(1, 0)) && !pending.is_full_with(2) && pending.is_full_with(3));
    }
}
