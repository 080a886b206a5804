//! The leases of one server and what readers can be told about them: who is registered, and what changed lately.
//!
//! Separate from the operations, because three things must change together here whatever the operation is: the lease, the count
//! of references to its live object, and the running histogram of statuses.

use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::cache::RecentChanges;
use super::holders::{Holder, Holders};
use super::lease::Lease;
use crate::protocol::eureka::applications::{Applications, Delta, Histogram};
use crate::protocol::eureka::instance::{InstanceInfo, LeaseStamps};
use crate::protocol::{InstanceId, ServiceId, Status};

/// What is known about an instance beside its lease. Apart from the lease, so that leases lie close together.
#[derive(Clone, Copy, Debug, Default)]
struct Record {
    /// The application, once the instance has been registered here.
    app: Option<ServiceId>,
    /// Under which id its status override is kept.
    key: Option<InstanceId>,
    /// Number of the last look at the recent changes that found it: keeps an instance from standing twice in one delta.
    seen_in: u64,
    /// What readers are told of its lease. While the lease is held, it knows the last renewal itself.
    stamps: LeaseStamps,
}

/// Leases by instance.
#[derive(Clone, Debug, Default)]
pub(super) struct Store {
    /// The live objects.
    pub(super) holders: Holders,
    /// What changed lately.
    pub(super) recent: RecentChanges,
    /// The instance that is this server itself, by the id under which overrides are kept.
    own: Option<InstanceId>,
    leases: Vec<Option<Lease>>,
    records: Vec<Record>,
    /// What deltas refer to that are read again whenever they are sent.
    live: Vec<Live>,
    leased: u32,
    histogram: Histogram,
    looks: u64,
}

/// A recent change, as a delta shows it.
#[derive(Debug)]
pub(super) struct Change {
    /// The live object, if it is one of this server's.
    pub(super) holder: Option<Holder>,
    /// Its content.
    pub(super) info: Arc<InstanceInfo>,
    /// What is known of its lease.
    pub(super) stamps: LeaseStamps,
}

impl Change {
    /// A change that was seen in another region.
    pub(super) fn elsewhere((info, stamps): (Arc<InstanceInfo>, LeaseStamps)) -> Change {
        Change { holder: None, info, stamps }
    }
}

/// The objects that a delta shows, for one that is read again whenever it is sent.
pub(super) type Live = Arc<[Option<Holder>]>;

impl Store {
    /// An empty store of the server that is this instance.
    pub(super) fn new(own: Option<InstanceId>) -> Store {
        Store { own, ..Store::default() }
    }

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
        self.records.get(id.index())?.app
    }

    /// The instance under whose id a status override of this one is kept.
    pub(super) fn override_key(&self, id: InstanceId) -> InstanceId {
        self.records.get(id.index()).and_then(|record| record.key).unwrap_or(id)
    }

    /// How many leases there are.
    pub(super) fn leases(&self) -> u32 {
        self.leased
    }

    /// Instances by status.
    pub(super) fn histogram(&self) -> Histogram {
        self.histogram
    }

    /// All leases, in order of instance.
    pub(super) fn all(&self) -> impl Iterator<Item = (InstanceId, Lease)> {
        self.leases.iter().zip(0..).filter_map(|(lease, id)| lease.map(|lease| (InstanceId(id), lease)))
    }

    /// Stores a lease that begins now, in place of the one that the instance may have. Takes over the reference in it.
    pub(super) fn put(&mut self, lease: Lease, now_ms: i64) {
        let info = self.holders.get(lease.holder);
        let (app, id, key, status) = (info.app, info.id, info.override_key(), info.status);
        if self.leases.len() <= id.index() {
            self.leases.resize(id.index() + 1, None);
            self.records.resize(id.index() + 1, Record::default());
        }
        let record = &mut self.records[id.index()];
        (record.app, record.key) = (Some(app), Some(key));
        let mut stamps = LeaseStamps { registered: now_ms, ..LeaseStamps::default() };
        stamps.coordinating = self.own == Some(key);
        match self.leases[id.index()].replace(lease) {
            Some(old) => {
                stamps.service_up = record.stamps.service_up;
                self.histogram.remove(self.holders.status(old.holder));
                self.holders.release(old.holder);
            }
            None => self.leased += 1,
        }
        self.records[id.index()].stamps = stamps;
        self.histogram.add(status);
    }

    /// Takes a lease out (`cancel`). The reference in it passes to the caller.
    pub(super) fn take(&mut self, id: InstanceId, now_ms: i64) -> Option<Lease> {
        let lease = self.leases.get_mut(id.index())?.take()?;
        self.leased -= 1;
        self.histogram.remove(self.holders.status(lease.holder));
        let stamps = &mut self.records[id.index()].stamps;
        (stamps.last_renewal, stamps.evicted) = (lease.last_renewal_ms(), now_ms);
        Some(lease)
    }

    /// An instance is UP. Only the first time under its lease, and those it replaced, counts.
    pub(super) fn service_up(&mut self, id: InstanceId, now_ms: i64) {
        let stamps = &mut self.records[id.index()].stamps;
        if stamps.service_up == 0 {
            stamps.service_up = now_ms;
        }
    }

    /// What readers are told of the lease that an instance has, or last had.
    pub(super) fn stamps(&self, id: InstanceId) -> LeaseStamps {
        let stamps = self.records.get(id.index()).map(|record| record.stamps).unwrap_or_default();
        match self.lease(id) {
            Some(lease) => LeaseStamps { last_renewal: lease.last_renewal_ms(), ..stamps },
            None => stamps,
        }
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
    pub(super) fn applications(&mut self) -> Applications {
        let applications = self.listed(self.leased as usize, |_| true);
        assert_eq!(applications.histogram(), self.histogram, "the running histogram has lost count");
        applications
    }

    /// One application as it is now.
    pub(super) fn application(&mut self, app: ServiceId) -> Applications {
        self.listed(0, |record| record.app == Some(app))
    }

    fn listed(&mut self, expected: usize, wanted: impl Fn(&Record) -> bool) -> Applications {
        let mut instances = Vec::with_capacity(expected);
        let mut stamps = Vec::with_capacity(expected);
        for (lease, record) in self.leases.iter().zip(&self.records) {
            if let Some(lease) = lease
                && wanted(record)
            {
                self.holders.decorate(lease.holder);
                instances.push(Arc::clone(self.holders.get(lease.holder)));
                stamps.push(LeaseStamps { last_renewal: lease.last_renewal_ms(), ..record.stamps });
            }
        }
        Applications::decorated(instances, stamps)
    }

    /// The applications that have an instance.
    pub(super) fn apps(&self) -> BTreeSet<ServiceId> {
        let leased = self.leases.iter().zip(&self.records).filter(|(lease, _)| lease.is_some());
        leased.filter_map(|(_, record)| record.app).collect()
    }

    /// What changed lately, as it is now, the earliest first: of several changes to an instance the newest stands for all, in its
    /// place.
    pub(super) fn changes(&mut self) -> Vec<Change> {
        self.looks += 1;
        let mut holders = Vec::new();
        for holder in self.recent.newest_first() {
            let id = self.holders.get(holder).id;
            let seen_in = &mut self.records[id.index()].seen_in;
            if *seen_in != self.looks {
                *seen_in = self.looks;
                holders.push(holder);
            }
        }
        let present = |holder| {
            self.holders.decorate(holder);
            let info = Arc::clone(self.holders.get(holder));
            let stamps = self.stamps(info.id);
            Change { holder: Some(holder), info, stamps }
        };
        holders.into_iter().rev().map(present).collect()
    }

    /// Keeps the objects of a delta alive for as long as the list is held. Lists that nobody else holds any more are given back
    /// here, so some are kept for longer than they are needed.
    pub(super) fn keep_alive(&mut self, changes: &[Change]) -> Live {
        let Store { holders, live, .. } = self;
        live.retain(|list| {
            let needed = Arc::strong_count(list) > 1;
            if !needed {
                list.iter().flatten().for_each(|holder| holders.release(*holder));
            }
            needed
        });
        let list: Live =
            changes.iter().map(|change| change.holder.map(|holder| holders.retain(holder))).collect();
        live.push(Arc::clone(&list));
        list
    }

    /// A delta as its objects are now.
    pub(super) fn read_again(&self, delta: &Arc<Delta>, live: &Live, compact: bool) -> Arc<Delta> {
        let again =
            |((info, stamps), holder): ((&Arc<InstanceInfo>, LeaseStamps), &Option<Holder>)| match holder {
                Some(holder) if compact => (Arc::new(self.holders.get(*holder).compact()), stamps),
                Some(holder) => (Arc::clone(self.holders.get(*holder)), self.stamps(info.id)),
                None => (Arc::clone(info), stamps),
            };
        let (infos, stamps): (Vec<Arc<InstanceInfo>>, Vec<LeaseStamps>) =
            delta.entries().zip(live.iter()).map(again).unzip();
        if infos == delta.changes() {
            return Arc::clone(delta);
        }
        Arc::new(Delta::decorated(infos, stamps, delta.histogram(), delta.version()))
    }

    /// Folds leases and recent changes into a hash.
    pub(super) fn fingerprint(&self, mut into: &mut dyn Hasher) {
        for (id, lease) in self.all() {
            (id, self.records[id.index()].stamps).hash(&mut into);
            lease.fingerprint(into);
            self.holders.fingerprint(lease.holder, into);
        }
        self.recent.fingerprint(&self.holders, into);
    }
}
