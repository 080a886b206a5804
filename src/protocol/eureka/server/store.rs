//! The leases of one server and what readers can be told about them: the whole registry, and what changed lately.
//!
//! Separate from the operations, because three things must change together here whatever the operation is: the lease, the count
//! of references to its live object, and the running histogram of statuses.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::cache::RecentChanges;
use super::holders::{Holder, Holders};
use super::lease::Lease;
use crate::protocol::eureka::instance::{Applications, Delta, Histogram, InstanceInfo};
use crate::protocol::{InstanceId, ServiceId, Status};

/// What is known about an instance beside its lease. Apart from the lease, so that leases lie close together.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    /// The application, once the instance has been registered here.
    app: Option<ServiceId>,
    /// Version of the last delta that shows it: keeps an instance from standing twice in one delta.
    shown_in: i64,
}

/// Leases by instance.
#[derive(Clone, Debug, Default)]
pub(super) struct Store {
    /// The live objects.
    pub(super) holders: Holders,
    /// What changed lately.
    pub(super) recent: RecentChanges,
    leases: Vec<Option<Lease>>,
    known: Vec<Known>,
    leased: u32,
    histogram: Histogram,
    delta_version: i64,
}

impl Store {
    /// The lease of an instance.
    pub(super) fn lease(&self, id: InstanceId) -> Option<Lease> {
        *self.leases.get(id.index())?
    }

    /// The lease of an instance, to be renewed.
    pub(super) fn lease_mut(&mut self, id: InstanceId) -> Option<&mut Lease> {
        self.leases.get_mut(id.index())?.as_mut()
    }

    /// The application of an instance that is or was registered here.
    pub(super) fn app(&self, id: InstanceId) -> Option<ServiceId> {
        self.known.get(id.index())?.app
    }

    /// How many leases there are.
    pub(super) fn leases(&self) -> u32 {
        self.leased
    }

    /// All leases, in order of instance.
    pub(super) fn all(&self) -> impl Iterator<Item = (InstanceId, Lease)> {
        self.leases.iter().zip(0..).filter_map(|(lease, id)| lease.map(|lease| (InstanceId(id), lease)))
    }

    /// Stores a lease, in place of the one that the instance may have. Takes over the reference in it.
    pub(super) fn put(&mut self, lease: Lease) {
        let info = self.holders.get(lease.holder);
        let (app, id, status) = (info.app, info.id, info.status);
        if self.leases.len() <= id.index() {
            self.leases.resize(id.index() + 1, None);
            self.known.resize(id.index() + 1, Known::default());
        }
        self.known[id.index()].app = Some(app);
        match self.leases[id.index()].replace(lease) {
            Some(old) => {
                self.histogram.remove(self.holders.status(old.holder));
                self.holders.release(old.holder);
            }
            None => self.leased += 1,
        }
        self.histogram.add(status);
    }

    /// Takes a lease out. The reference in it passes to the caller.
    pub(super) fn take(&mut self, id: InstanceId) -> Option<Lease> {
        let lease = self.leases.get_mut(id.index())?.take()?;
        self.leased -= 1;
        self.histogram.remove(self.holders.status(lease.holder));
        Some(lease)
    }

    /// Changes the status of the object that holds a lease (`setStatusWithoutDirty`).
    pub(super) fn set_status(&mut self, holder: Holder, status: Status) {
        let info = self.holders.get(holder);
        assert_eq!(
            self.lease(info.id).map(|lease| lease.holder),
            Some(holder),
            "only a leased object changes its status"
        );
        if info.status != status {
            self.histogram.remove(info.status);
            self.histogram.add(status);
            self.holders.change(holder, |info| info.status = status);
        }
    }

    /// Appends an object to the recent changes.
    pub(super) fn changed(&mut self, holder: Holder, now_ms: i64) {
        let holder = self.holders.retain(holder);
        self.recent.push(holder, now_ms);
    }

    /// The whole registry as it is now.
    pub(super) fn applications(&self) -> Arc<Applications> {
        let mut instances = Vec::with_capacity(self.leased as usize);
        instances.extend(self.all().map(|(_, lease)| Arc::clone(self.holders.get(lease.holder))));
        let applications = Applications::new(instances);
        assert_eq!(applications.histogram(), self.histogram, "the running histogram has lost count");
        Arc::new(applications)
    }

    /// What changed lately, as it is now: of several changes to an instance the newest stands for all, in its place.
    pub(super) fn delta(&mut self) -> Arc<Delta> {
        self.delta_version += 1;
        let mut changes: Vec<Arc<InstanceInfo>> = Vec::new();
        for holder in self.recent.newest_first() {
            let info = self.holders.get(holder);
            let shown_in = &mut self.known[info.id.index()].shown_in;
            if *shown_in != self.delta_version {
                *shown_in = self.delta_version;
                changes.push(Arc::clone(info));
            }
        }
        changes.reverse();
        Arc::new(Delta::new(changes, self.histogram, self.delta_version))
    }

    /// Folds leases and recent changes into a hash.
    pub(super) fn fingerprint(&self, mut into: &mut dyn Hasher) {
        for (id, lease) in self.all() {
            id.hash(&mut into);
            lease.fingerprint(into);
            self.holders.fingerprint(lease.holder, into);
        }
        self.recent.fingerprint(&self.holders, into);
    }
}
