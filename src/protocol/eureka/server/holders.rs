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
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use crate::protocol::Status;
use crate::protocol::eureka::instance::{InstanceInfo, LeaseInfo};

/// One live object. Each copy of a holder that is stored somewhere is one reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Holder(NonZeroU32);

impl Holder {
    fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}

/// An object, and beside the pointer what each renewal looks at: with tens of thousands of instances the content itself is
/// seldom in the processor's cache.
#[derive(Clone, Debug)]
struct Slot {
    content: Option<Arc<InstanceInfo>>,
    version: i64,
    renewal_ms: Option<u32>,
    references: u32,
    status: Status,
    versioned: bool,
}

impl Slot {
    fn new(info: Arc<InstanceInfo>) -> Slot {
        let (version, renewal_ms, status) = (info.last_dirty, renewal_ms(&info), info.status);
        let versioned = !info.about.version_absent;
        Slot { content: Some(info), version, renewal_ms, references: 1, status, versioned }
    }
}

fn renewal_ms(info: &InstanceInfo) -> Option<u32> {
    info.lease.map(|lease| u32::try_from(lease.renewal_interval.as_millis()).unwrap_or(u32::MAX))
}

/// All live objects of one server.
#[derive(Clone, Debug, Default)]
pub(super) struct Holders {
    slots: Vec<Slot>,
    free: Vec<Holder>,
}

impl Holders {
    /// A new object with one reference.
    pub(super) fn insert(&mut self, info: Arc<InstanceInfo>) -> Holder {
        let slot = Slot::new(info);
        if let Some(holder) = self.free.pop() {
            let free = &mut self.slots[holder.index()];
            assert_eq!(free.references, 0, "a free slot is referred to: {holder:?}");
            *free = slot;
            return holder;
        }
        self.slots.push(slot);
        let number = u32::try_from(self.slots.len()).ok().and_then(NonZeroU32::new);
        Holder(number.expect("fewer than 2^32 live objects"))
    }

    /// One more reference.
    pub(super) fn retain(&mut self, holder: Holder) -> Holder {
        self.slots[holder.index()].references += 1;
        holder
    }

    /// One reference less. The last one frees the object.
    pub(super) fn release(&mut self, holder: Holder) {
        let slot = &mut self.slots[holder.index()];
        assert!(slot.references > 0, "released once too often: {holder:?}");
        slot.references -= 1;
        if slot.references == 0 {
            slot.content = None;
            self.free.push(holder);
        }
    }

    /// The present content.
    pub(super) fn get(&self, holder: Holder) -> &Arc<InstanceInfo> {
        self.slots[holder.index()].content.as_ref().expect("a holder that is stored is a reference")
    }

    /// The present status.
    pub(super) fn status(&self, holder: Holder) -> Status {
        self.slots[holder.index()].status
    }

    /// The present version (`lastDirtyTimestamp`).
    pub(super) fn version(&self, holder: Holder) -> i64 {
        self.slots[holder.index()].version
    }

    /// Whether it has a version. Comparing one that is missing fails.
    pub(super) fn versioned(&self, holder: Holder) -> bool {
        self.slots[holder.index()].versioned
    }

    /// How often the client means to renew, if it says so. Longer than 49 days is taken for 49 days.
    pub(super) fn renewal_interval(&self, holder: Holder) -> Option<Duration> {
        self.slots[holder.index()].renewal_ms.map(|ms| Duration::from_millis(u64::from(ms)))
    }

    /// Changes the content for all who refer to it.
    pub(super) fn change(&mut self, holder: Holder, change: impl FnOnce(&mut InstanceInfo)) {
        let slot = &mut self.slots[holder.index()];
        let info = Arc::make_mut(slot.content.as_mut().expect("a holder that is stored is a reference"));
        change(info);
        (slot.version, slot.renewal_ms, slot.status) = (info.last_dirty, renewal_ms(info), info.status);
        slot.versioned = !info.about.version_absent;
    }

    /// What each read does to an object that says nothing about its lease: from then on it says what such a lease comes to.
    pub(super) fn decorate(&mut self, holder: Holder) {
        if self.slots[holder.index()].renewal_ms.is_none() {
            self.change(holder, |info| info.lease = Some(LeaseInfo::default()));
        }
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
