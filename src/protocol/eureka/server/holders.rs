//! The live objects of the registry.
//!
//! The original keeps one mutable `InstanceInfo` per lease, and the lease, the delta queue and every waiting replication task
//! point at that same object: a status that changes after a task was queued is what the task sends. So identity is kept apart
//! from value here: a [`Holder`] names an object, the arena holds its present content behind a copy-on-write `Arc`, and whoever
//! has taken the `Arc` (an answer, a batch on the wire) keeps what he took.
//!
//! Holders are counted by hand, because a task that waits in a queue is plain data and has no destructor that could reach the
//! arena.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::protocol::eureka::instance::InstanceInfo;

/// One live object. Each copy of a holder that is stored somewhere is one reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Holder(u32);

#[derive(Clone, Debug)]
struct Slot {
    content: Option<Arc<InstanceInfo>>,
    references: u32,
}

/// All live objects of one server.
#[derive(Clone, Debug, Default)]
pub(super) struct Holders {
    slots: Vec<Slot>,
    free: Vec<u32>,
}

impl Holders {
    /// A new object with one reference.
    pub(super) fn insert(&mut self, info: Arc<InstanceInfo>) -> Holder {
        let slot = Slot { content: Some(info), references: 1 };
        match self.free.pop() {
            Some(index) => {
                assert_eq!(self.slots[index as usize].references, 0, "a free slot is referred to: {index}");
                self.slots[index as usize] = slot;
                Holder(index)
            }
            None => {
                self.slots.push(slot);
                Holder(u32::try_from(self.slots.len() - 1).expect("fewer than 2^32 live objects"))
            }
        }
    }

    /// One more reference.
    pub(super) fn retain(&mut self, holder: Holder) -> Holder {
        self.slots[holder.0 as usize].references += 1;
        holder
    }

    /// One reference less. The last one frees the object.
    pub(super) fn release(&mut self, holder: Holder) {
        let slot = &mut self.slots[holder.0 as usize];
        assert!(slot.references > 0, "released once too often: {holder:?}");
        slot.references -= 1;
        if slot.references == 0 {
            slot.content = None;
            self.free.push(holder.0);
        }
    }

    /// The present content.
    pub(super) fn get(&self, holder: Holder) -> &Arc<InstanceInfo> {
        self.slots[holder.0 as usize].content.as_ref().expect("a holder that is stored is a reference")
    }

    /// The present content, to be changed for all who refer to it.
    pub(super) fn get_mut(&mut self, holder: Holder) -> &mut InstanceInfo {
        let content = self.slots[holder.0 as usize].content.as_mut();
        Arc::make_mut(content.expect("a holder that is stored is a reference"))
    }

    /// Objects alive.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Folds one object into a hash, by its content.
    pub(super) fn fingerprint(&self, holder: Holder, mut into: &mut dyn Hasher) {
        self.get(holder).hash(&mut into);
    }
}
