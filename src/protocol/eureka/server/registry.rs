//! The operations on the registry, step by step as the original does them (`AbstractInstanceRegistry`,
//! `PeerAwareInstanceRegistryImpl`). Who asks, over which protocol, and who else must be told is not decided here.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use super::cache::{CachePolicy, ResponseCache};
use super::eviction::Evictor;
use super::groups::Groups;
use super::holders::Holder;
use super::lease::{DEFAULT_DURATION, Lease};
use super::overrides::Overrides;
use super::preservation::Preservation;
use super::rules;
use super::store::Store;
use crate::protocol::eureka::Eureka;
use crate::protocol::eureka::config::ServerConfig;
use crate::protocol::eureka::instance::{Action, Applications, Delta, InstanceInfo};
use crate::protocol::{Cx, Event, InstanceId, Origin, Status};

/// The instance has no lease, or one that has expired while leases may expire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unreadable;

/// The registry of one server.
#[derive(Clone, Debug)]
pub(super) struct Registry {
    /// The settings, read anew at each use as the original does.
    pub(super) config: Arc<ServerConfig>,
    /// Leases and live objects.
    pub(super) store: Store,
    /// What operators have set.
    pub(super) overrides: Overrides,
    /// Whether leases may expire.
    pub(super) preservation: Preservation,
    /// The eviction runs so far.
    pub(super) evictor: Evictor,
    /// In AWS: groups of instances.
    pub(super) groups: Option<Groups>,
    cache: ResponseCache,
}

/// Whether the operation came from another server, which is then not told again.
pub(super) fn is_replication(origin: Origin) -> bool {
    match origin {
        Origin::Client => false,
        Origin::Replica | Origin::Sync => true,
    }
}

impl Registry {
    /// An empty registry.
    pub(super) fn new(config: &Arc<ServerConfig>) -> Registry {
        let policy = CachePolicy {
            read_only: config.use_read_only_response_cache,
            life: config.response_cache_auto_expiration,
        };
        Registry {
            config: Arc::clone(config),
            store: Store::default(),
            overrides: Overrides::default(),
            preservation: Preservation::new(config.expected_number_of_clients_sending_renews),
            evictor: Evictor::default(),
            groups: None,
            cache: ResponseCache::new(policy),
        }
    }

    /// Whether leases may expire at present.
    pub(super) fn expiration_enabled(&self) -> bool {
        self.preservation.expiration_enabled(&self.config)
    }

    /// The live object of an instance, as `getInstanceByAppAndId` finds it: an expired lease that waits for eviction counts as
    /// none, unless self-preservation keeps it.
    pub(super) fn find(&self, id: InstanceId, now_ms: i64) -> Option<Holder> {
        let lease = self.store.lease(id)?;
        (!self.expiration_enabled() || !lease.expired(now_ms, 0)).then_some(lease.holder)
    }

    /// Registers an instance: a new lease, whatever there was before. Returns a reference to the *incoming* object, which is what
    /// other servers are told even if the existing one was kept.
    pub(super) fn register(
        &mut self,
        info: Arc<InstanceInfo>,
        origin: Origin,
        cx: &mut Cx<'_, Eureka>,
    ) -> Holder {
        let (id, now_ms) = (info.id, cx.wall().as_millis());
        let duration = info.lease.map(|lease| lease.duration).filter(|duration| !duration.is_zero());
        let existing = self.store.lease(id).map(|lease| lease.holder);
        let leased_status = existing.map(|holder| self.store.holders.status(holder));
        let incoming = self.store.holders.insert(info);
        let registrant = match existing {
            Some(holder) if self.version(holder) > self.version(incoming) => holder,
            Some(_) => incoming,
            None => {
                self.preservation.lease_added(&self.config);
                incoming
            }
        };
        let reference = self.store.holders.retain(registrant);
        self.store.put(Lease::new(reference, duration.unwrap_or(DEFAULT_DURATION), now_ms));

        let overridden = self.store.holders.get(registrant).overridden;
        if overridden != Status::Unknown && !self.overrides.contains(id, cx.now()) {
            self.overrides.put(id, overridden, cx.now());
        }
        if let Some(status) = self.overrides.get(id, cx.now()) {
            self.store.holders.change(registrant, |info| info.overridden = status);
        }
        let status = self.resolve((id, registrant), leased_status, origin, cx);
        self.store.set_status(registrant, status);
        self.mark(registrant, Action::Added, now_ms);

        let version = self.version(registrant);
        cx.emit(Event::Registered { instance: id, status, version, origin });
        assert!(
            self.store.lease(id).is_some_and(|lease| lease.holder == registrant),
            "registered, so leased: {id:?}"
        );
        incoming
    }

    /// Renews a lease. False if there is none, or if its status is unknown: the client is to register again.
    pub(super) fn renew(&mut self, id: InstanceId, origin: Origin, cx: &mut Cx<'_, Eureka>) -> bool {
        let Some(lease) = self.store.lease(id) else { return false };
        let held = self.store.holders.status(lease.holder);
        let status = self.resolve((id, lease.holder), Some(held), origin, cx);
        if status == Status::Unknown {
            return false;
        }
        if held != status {
            // Neither the delta nor the cache learns of this correction.
            self.store.set_status(lease.holder, status);
            let version = self.version(lease.holder);
            cx.emit(Event::Changed { instance: id, status, version, origin });
        }
        self.preservation.rate.increment();
        self.extend(id, cx.wall().as_millis());
        cx.emit(Event::Renewed { instance: id, origin });
        true
    }

    /// Removes an instance because somebody says so. False if it has no lease.
    pub(super) fn cancel(&mut self, id: InstanceId, origin: Origin, cx: &mut Cx<'_, Eureka>) -> bool {
        let removed = self.remove(id, cx);
        if removed {
            cx.emit(Event::Deregistered { instance: id, origin });
        }
        removed
    }

    /// What cancelling and evicting have in common (`internalCancel`).
    pub(super) fn remove(&mut self, id: InstanceId, cx: &mut Cx<'_, Eureka>) -> bool {
        let lease = self.store.take(id);
        self.overrides.remove(id, cx.now());
        let Some(lease) = lease else { return false };
        self.mark(lease.holder, Action::Deleted, cx.wall().as_millis());
        self.store.holders.release(lease.holder);
        self.preservation.lease_removed(&self.config);
        assert!(self.store.lease(id).is_none(), "removed, so not leased: {id:?}");
        true
    }

    /// Overrides the status. False if there is no lease.
    pub(super) fn set_status(
        &mut self,
        id: InstanceId,
        status: Status,
        last_dirty: Option<i64>,
        origin: Origin,
        cx: &mut Cx<'_, Eureka>,
    ) -> bool {
        let Some(lease) = self.store.lease(id) else { return false };
        let now_ms = cx.wall().as_millis();
        self.extend(id, now_ms);
        // If the status is that already, no override is stored, so a later change by the client is not overridden.
        if self.store.holders.status(lease.holder) != status {
            self.overrides.put(id, status, cx.now());
            self.assert_status(lease.holder, status, status, last_dirty, origin, cx);
        }
        true
    }

    /// Removes the override, if there is one, and sets the status to `status`. False if there is no lease.
    pub(super) fn clear_status(
        &mut self,
        id: InstanceId,
        status: Status,
        last_dirty: Option<i64>,
        origin: Origin,
        cx: &mut Cx<'_, Eureka>,
    ) -> bool {
        let Some(lease) = self.store.lease(id) else { return false };
        let now_ms = cx.wall().as_millis();
        self.extend(id, now_ms);
        if self.overrides.remove(id, cx.now()) {
            self.assert_status(lease.holder, status, Status::Unknown, last_dirty, origin, cx);
        }
        true
    }

    /// Takes over an override that a peer knows (`storeOverriddenStatusIfRequired`); the status follows at the next renewal.
    ///
    /// # Errors
    /// If the override was new and the instance cannot be read. The override is stored nevertheless.
    pub(super) fn store_override(
        &mut self,
        id: InstanceId,
        status: Status,
        cx: &mut Cx<'_, Eureka>,
    ) -> Result<(), Unreadable> {
        if self.overrides.get(id, cx.now()) == Some(status) {
            return Ok(());
        }
        self.overrides.put(id, status, cx.now());
        let holder = self.find(id, cx.wall().as_millis()).ok_or(Unreadable)?;
        self.store.holders.change(holder, |info| info.overridden = status);
        Ok(())
    }

    /// The registry, as a reader gets it.
    pub(super) fn applications(&mut self, cx: &Cx<'_, Eureka>) -> Arc<Applications> {
        self.cache.applications(cx.now(), &mut self.store)
    }

    /// The delta, as a reader gets it.
    pub(super) fn delta(&mut self, cx: &Cx<'_, Eureka>) -> Arc<Delta> {
        self.cache.delta(cx.now(), &mut self.store)
    }

    /// The cache's second level is brought up to date.
    pub(super) fn fill_cache(&mut self, cx: &Cx<'_, Eureka>) {
        self.cache.fill(cx.now(), &mut self.store);
    }

    /// Old changes leave the delta; a delta that is cached already keeps showing them.
    pub(super) fn retire_changes(&mut self, retention: Duration, now_ms: i64) {
        self.store.recent.retire(now_ms, retention, &mut self.store.holders);
    }

    /// Folds the state into a hash.
    pub(super) fn fingerprint(&self, mut into: &mut dyn Hasher) {
        self.store.fingerprint(into);
        self.overrides.fingerprint(into);
        self.preservation.hash(&mut into);
        self.evictor.hash(&mut into);
        self.groups.iter().for_each(|groups| groups.fingerprint(into));
        self.cache.fingerprint(into);
    }

    fn version(&self, holder: Holder) -> i64 {
        self.store.holders.version(holder)
    }

    fn resolve(
        &mut self,
        (id, holder): (InstanceId, Holder),
        leased: Option<Status>,
        origin: Origin,
        cx: &Cx<'_, Eureka>,
    ) -> Status {
        let (holders, overrides, groups) = (&self.store.holders, &mut self.overrides, &mut self.groups);
        let asks = self.config.use_aws_asg_api;
        let group = || {
            let groups = groups.as_mut()?;
            let name = holders.get(holder).about.asg.as_ref()?;
            Some(groups.enabled(name, asks, cx.now()))
        };
        let overridden = || overrides.get(id, cx.now());
        rules::resolve(holders.status(holder), overridden, group, leased, is_replication(origin))
    }

    fn extend(&mut self, id: InstanceId, now_ms: i64) {
        self.store.lease_mut(id).expect("the caller has found the lease").renew(now_ms);
    }

    /// The common part of setting and clearing an override. `last_dirty` can only raise the version.
    fn assert_status(
        &mut self,
        holder: Holder,
        status: Status,
        overridden: Status,
        last_dirty: Option<i64>,
        origin: Origin,
        cx: &mut Cx<'_, Eureka>,
    ) {
        let before = self.store.holders.get(holder).listing();
        self.store.set_status(holder, status);
        self.store.holders.change(holder, |info| {
            info.overridden = overridden;
            info.last_dirty = info.last_dirty.max(last_dirty.unwrap_or(i64::MIN));
        });
        let after = self.store.holders.get(holder).listing();
        self.mark(holder, Action::Modified, cx.wall().as_millis());
        if after != before {
            cx.emit(Event::Changed { instance: after.instance, status, version: after.version, origin });
        }
    }

    /// Every mutation but a renewal ends so: a line in the delta, and a cache that must be generated anew.
    fn mark(&mut self, holder: Holder, action: Action, now_ms: i64) {
        self.store.holders.change(holder, |info| {
            info.action = Some(action);
            info.last_updated = now_ms;
        });
        self.store.changed(holder, now_ms);
        self.cache.invalidate();
    }
}
