//! The operations on the registry, step by step as the original does them (`AbstractInstanceRegistry`,
//! `PeerAwareInstanceRegistryImpl`). Who asks, over which protocol, and who else must be told is not decided here. The longest of
//! them, registering, is in [`super::registering`].

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use super::cache::{CachePolicy, Payload, ResponseCache};
use super::eviction::Evictor;
use super::groups::Groups;
use super::holders::Holder;
use super::overrides::Overrides;
use super::preservation::Preservation;
use super::regions::{Regions, Remote, Sources};
use super::rules;
use super::store::Store;
use crate::protocol::eureka::Eureka;
use crate::protocol::eureka::config::{Fixes, ServerConfig};
use crate::protocol::eureka::instance::{Action, InstanceInfo};
use crate::protocol::eureka::node::ServerNode;
use crate::protocol::eureka::wire::{Query, Stamp};
use crate::protocol::{Cx, Event, InstanceId, Origin, ServiceId, Status};

/// The instance has no lease, or one that has expired while leases may expire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unreadable;

/// What an operator does to the status of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Assertion {
    /// Overrides it (`statusUpdate`).
    Set(Status),
    /// Removes the override, and sets the status to this (`deleteStatusOverride`).
    Clear(Status),
}

/// Why an assertion failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AssertionError {
    /// There is no lease.
    NoLease,
    /// The version is no number, or the object has none to compare it with; see [`super::registering::HalfDone`].
    HalfDone,
}

/// The registry of one server.
#[derive(Clone, Debug)]
pub(super) struct Registry {
    /// The settings, read anew at each use as the original does.
    pub(super) config: Arc<ServerConfig>,
    /// Behaviour of other versions.
    pub(super) fixes: Arc<Fixes>,
    /// Leases and live objects.
    pub(super) store: Store,
    /// What operators have set.
    pub(super) overrides: Overrides,
    /// Whether leases may expire.
    pub(super) preservation: Preservation,
    /// The eviction runs so far.
    pub(super) evictor: Evictor,
    /// In AWS, of Netflix: groups of instances.
    pub(super) groups: Option<Groups>,
    /// Registries of other regions.
    pub(super) regions: Regions,
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
    pub(super) fn new(node: &ServerNode) -> Registry {
        let config = &node.server;
        let policy = CachePolicy {
            read_only: config.use_read_only_response_cache,
            life: config.response_cache_auto_expiration,
        };
        let own = node.client.instance.as_ref();
        Registry {
            config: Arc::clone(config),
            fixes: Arc::clone(&node.client.fixes),
            store: Store::new(own.map(|own| own.about.override_key.unwrap_or(own.id))),
            overrides: Overrides::default(),
            preservation: Preservation::new(config.expected_number_of_clients_sending_renews),
            evictor: Evictor::default(),
            groups: None,
            regions: Regions::new(node),
            cache: ResponseCache::new(policy),
        }
    }

    /// New settings. Those of the cache, and which regions there are, stay as they were at the start.
    pub(super) fn reconfigure(&mut self, node: &ServerNode) {
        self.config = Arc::clone(&node.server);
        self.fixes = Arc::clone(&node.client.fixes);
        self.regions.reconfigure(node);
    }

    /// Whether leases may expire at present.
    pub(super) fn expiration_enabled(&self) -> bool {
        self.preservation.expiration_enabled(&self.config)
    }

    /// The live object of an instance, as `getInstanceByAppAndId` finds it here: an expired lease that waits for eviction counts as
    /// none, unless self-preservation keeps it.
    pub(super) fn find(&mut self, id: InstanceId, now_ms: i64) -> Option<Holder> {
        let lease = self.store.lease(id)?;
        if self.expiration_enabled() && lease.expired(now_ms, 0) {
            return None;
        }
        self.store.holders.decorate(lease.holder);
        Some(lease.holder)
    }

    /// An instance as it is read: here, else in another region.
    pub(super) fn instance(&mut self, app: ServiceId, id: InstanceId, now_ms: i64) -> Option<Remote> {
        let local = if self.store.app(id) == Some(app) { self.find(id, now_ms) } else { None };
        match local {
            Some(holder) => Some((Arc::clone(self.store.holders.get(holder)), self.store.stamps(id))),
            None => self.regions.instance(app, id),
        }
    }

    /// An instance by its `instanceId` alone: the first here, else in another region.
    ///
    /// Differs from upstream: the first is that with the lowest number; the original asks a hash map of applications.
    pub(super) fn instance_by_id(&mut self, id: InstanceId, now_ms: i64) -> Option<Remote> {
        let key = self.store.override_key(id);
        let named: Vec<InstanceId> =
            self.store.all().map(|(id, _)| id).filter(|id| self.store.override_key(*id) == key).collect();
        for id in named {
            if let Some(holder) = self.find(id, now_ms) {
                return Some((Arc::clone(self.store.holders.get(holder)), self.store.stamps(id)));
            }
        }
        self.regions.instance_by_key(key)
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

    /// Removes an instance because somebody says so. False if it has no lease in this application. Its override is gone then, too:
    /// overrides know no applications.
    pub(super) fn cancel(
        &mut self,
        (app, id): (ServiceId, InstanceId),
        origin: Origin,
        cx: &mut Cx<'_, Eureka>,
    ) -> bool {
        if self.store.app(id) != Some(app) {
            self.overrides.remove(self.store.override_key(id), cx.now());
            return false;
        }
        let removed = self.remove(id, cx);
        if removed {
            self.preservation.lease_removed(&self.config);
            cx.emit(Event::Deregistered { instance: id, origin });
        }
        removed
    }

    /// Removes an instance whose lease has run out.
    pub(super) fn expire(&mut self, id: InstanceId, cx: &mut Cx<'_, Eureka>) {
        let removed = self.remove(id, cx);
        assert!(removed, "what has expired was leased: {id:?}");
        if self.fixes.decrement_on_eviction {
            self.preservation.lease_removed(&self.config);
        }
        cx.emit(Event::Evicted { instance: id });
    }

    /// What cancelling and evicting have in common (`internalCancel`).
    fn remove(&mut self, id: InstanceId, cx: &mut Cx<'_, Eureka>) -> bool {
        let now_ms = cx.wall().as_millis();
        let lease = self.store.take(id, now_ms);
        self.overrides.remove(self.store.override_key(id), cx.now());
        let Some(lease) = lease else { return false };
        self.mark(lease.holder, Action::Deleted, now_ms);
        self.store.holders.release(lease.holder);
        assert!(self.store.lease(id).is_none(), "removed, so not leased: {id:?}");
        true
    }

    /// Sets a status, and the override with it. `last_dirty` can only raise the version; one that is no number is noticed late.
    ///
    /// # Errors
    /// If there is no lease, or the version is no number although it is needed, or the object has none.
    pub(super) fn assert_status(
        &mut self,
        id: InstanceId,
        assertion: Assertion,
        last_dirty: Stamp,
        origin: Origin,
        cx: &mut Cx<'_, Eureka>,
    ) -> Result<(), AssertionError> {
        let holder = self.store.lease(id).ok_or(AssertionError::NoLease)?.holder;
        let (now_ms, key) = (cx.wall().as_millis(), self.store.override_key(id));
        self.extend(id, now_ms);
        let before = self.store.holders.get(holder).listing();
        let (status, overridden) = match assertion {
            Assertion::Set(status) => {
                // If the status is that already, no override is stored, so a later change by the client is not overridden.
                if before.status == status {
                    return Ok(());
                }
                if status == Status::Up {
                    self.store.service_up(id, now_ms);
                }
                self.overrides.put(key, status, cx.now());
                (status, status)
            }
            Assertion::Clear(status) => {
                if !self.overrides.remove(key, cx.now()) {
                    return Ok(());
                }
                (status, Status::Unknown)
            }
        };
        self.store.set_status(holder, status);
        let dirties = self.fixes.override_dirties_timestamp && before.status != status;
        self.store.holders.change(holder, |info| {
            info.set_overridden(overridden);
            if dirties {
                info.set_version(now_ms);
            }
            if let Stamp::At(last_dirty) = last_dirty {
                info.last_dirty = info.last_dirty.max(last_dirty);
            }
        });
        let after = self.store.holders.get(holder).listing();
        if after != before {
            cx.emit(Event::Changed { instance: id, status, version: after.version, origin });
        }
        // Even without a version in the request the original compares: with 0.
        if last_dirty == Stamp::Garbage || !self.store.holders.versioned(holder) {
            return Err(AssertionError::HalfDone);
        }
        self.mark(holder, Action::Modified, now_ms);
        Ok(())
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
        let key = self.store.override_key(id);
        if self.overrides.get(key, cx.now()) == Some(status) {
            return Ok(());
        }
        self.overrides.put(key, status, cx.now());
        let holder = self.find(id, cx.wall().as_millis()).ok_or(Unreadable)?;
        self.store.holders.change(holder, |info| info.set_overridden(status));
        Ok(())
    }

    /// Whether the encoder can write an instance.
    pub(super) fn writes(&self, info: &InstanceInfo) -> bool {
        self.fixes.encodes_missing_override || !info.about.override_absent
    }

    /// The override of an instance, whose hour starts anew.
    pub(super) fn overridden(&mut self, id: InstanceId, cx: &Cx<'_, Eureka>) -> Option<Status> {
        if self.overrides.held() == 0 {
            return None;
        }
        self.overrides.get(self.store.override_key(id), cx.now())
    }

    /// What a reader gets.
    pub(super) fn read(&mut self, query: &Query, cx: &Cx<'_, Eureka>) -> Payload {
        let (cache, mut sources) = self.sources();
        cache.read(query, cx.now(), &mut sources)
    }

    /// The cache's second level is brought up to date.
    pub(super) fn fill_cache(&mut self, cx: &Cx<'_, Eureka>) {
        let (cache, mut sources) = self.sources();
        cache.fill(cx.now(), &mut sources);
    }

    fn sources(&mut self) -> (&mut ResponseCache, Sources<'_>) {
        let Registry { config, fixes, store, regions, cache, .. } = self;
        let sources = Sources {
            store,
            regions,
            falls_back: !config.disable_transparent_fallback,
            copies: fixes.delta_copies,
            encodes_missing_override: fixes.encodes_missing_override,
        };
        (cache, sources)
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
        self.regions.fingerprint(into);
        self.cache.fingerprint(into);
    }

    /// The version of an object.
    pub(super) fn version(&self, holder: Holder) -> i64 {
        self.store.holders.version(holder)
    }

    /// The status that an object comes to by the rules.
    pub(super) fn resolve(
        &mut self,
        (id, holder): (InstanceId, Holder),
        leased: Option<Status>,
        origin: Origin,
        cx: &Cx<'_, Eureka>,
    ) -> Status {
        let reported = self.store.holders.status(holder);
        let Registry { store, overrides, groups, config, .. } = self;
        let group = || {
            let groups = groups.as_mut()?;
            let name = store.holders.get(holder).about.asg.as_ref()?;
            Some(groups.enabled(name, config.use_aws_asg_api, cx.now()))
        };
        let overridden = || match overrides.held() {
            0 => None,
            _ => overrides.get(store.override_key(id), cx.now()),
        };
        rules::resolve(reported, overridden, group, leased, is_replication(origin))
    }

    fn extend(&mut self, id: InstanceId, now_ms: i64) {
        let twice = self.fixes.lease_double_duration;
        self.store.lease_mut(id).expect("the caller has found the lease").renew(now_ms, twice);
    }

    /// Every mutation but a renewal ends so: a line in the delta, and a cache that must be generated anew.
    pub(super) fn mark(&mut self, holder: Holder, action: Action, now_ms: i64) {
        self.store.holders.change(holder, |info| {
            info.action = Some(action);
            info.last_updated = now_ms;
        });
        self.store.changed(holder, now_ms);
        self.cache.invalidate(self.store.holders.get(holder));
    }
}
