//! Memory of batches, used again. A server sends and answers batches all the time; each is a list behind an `Arc`, and once the
//! other side has let go of it, the next one is written into the same memory. Nothing depends on it but speed.

use std::collections::VecDeque;
use std::sync::Arc;

/// Lists remembered. Enough for the batches that are under way at a time in a healthy cluster.
const REMEMBERED: usize = 32;

/// Lists that were handed out lately, the oldest first.
#[derive(Clone, Debug)]
pub(super) struct Recycler<T> {
    lists: VecDeque<Arc<Vec<T>>>,
}

impl<T> Default for Recycler<T> {
    fn default() -> Recycler<T> {
        Recycler { lists: VecDeque::new() }
    }
}

impl<T> Recycler<T> {
    /// A shared list, filled by `fill`.
    pub(super) fn list(&mut self, fill: impl FnOnce(&mut Vec<T>)) -> Arc<Vec<T>> {
        let mut list = self.unused();
        match Arc::get_mut(&mut list) {
            Some(unshared) => {
                unshared.clear();
                fill(unshared);
            }
            None => {
                let mut fresh = Vec::new();
                fill(&mut fresh);
                list = Arc::new(fresh);
            }
        }
        if self.lists.len() < REMEMBERED {
            self.lists.push_back(Arc::clone(&list));
        }
        list
    }

    fn unused(&mut self) -> Arc<Vec<T>> {
        match self.lists.pop_front() {
            Some(list) if Arc::strong_count(&list) == 1 => list,
            Some(in_use) => {
                if self.lists.len() < REMEMBERED - 1 {
                    self.lists.push_back(in_use);
                }
                Arc::default()
            }
            None => Arc::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_used_again_only_after_it_was_let_go() {
        let mut recycler = Recycler::default();
        let first = recycler.list(|list| list.extend([1, 2, 3]));
        let second = recycler.list(|list| list.push(4));
        assert_eq!((first.as_slice(), second.as_slice()), (&[1, 2, 3][..], &[4][..]));
        let memory = Arc::as_ptr(&first);
        drop(first);
        let third = recycler.list(|list| list.push(5));
        assert_eq!((Arc::as_ptr(&third), third.as_slice()), (memory, &[5][..]));
        assert_eq!(second.as_slice(), &[4]);
    }
}
