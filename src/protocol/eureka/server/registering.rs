//! How an instance comes to be registered: by a registration, or by a change of its metadata, which is one of the object that is
//! held. A part of the registry, and apart from it because its steps, and what happens if they break off, are a matter of their own.

use std::sync::Arc;

use super::holders::Holder;
use super::lease::{DEFAULT_DURATION, Lease};
use super::registry::Registry;
use crate::protocol::eureka::Eureka;
use crate::protocol::eureka::instance::{About, Action, InstanceInfo};
use crate::protocol::eureka::wire::Pairs;
use crate::protocol::{Cx, Event, InstanceId, Origin, ServiceId, Status};

/// An operation failed in its middle: what it had done by then stays done, but neither readers nor peers are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HalfDone;

impl Registry {
    /// Registers an instance: a new lease, whatever there was before. Returns a reference to the *incoming* object, which is what
    /// other servers are told even if the existing one was kept.
    ///
    /// # Errors
    /// If the overridden status is missing, and that is not taken for none: with the lease in place. If versions are to be compared
    /// and one is missing, and that is not taken for now: with nothing done.
    pub(super) fn register(
        &mut self,
        info: Arc<InstanceInfo>,
        origin: Origin,
        cx: &mut Cx<'_, Eureka>,
    ) -> Result<Holder, HalfDone> {
        let before = self.about(info.id);
        let info = self.decoded(info, cx.wall().as_millis());
        let incoming = self.store.holders.insert(info);
        self.enrol(incoming, before, origin, cx)
    }

    /// A registration as the codec makes it out: an overridden status that is missing is none, a version that is missing is now; or
    /// they stay missing.
    fn decoded(&self, mut info: Arc<InstanceInfo>, now_ms: i64) -> Arc<InstanceInfo> {
        if info.about.override_absent && self.fixes.override_defaults_to_unknown {
            Arc::make_mut(&mut info).set_overridden(Status::Unknown);
        }
        if info.about.version_absent && self.fixes.version_defaults_to_now {
            Arc::make_mut(&mut info).set_version(now_ms);
        }
        info
    }

    /// Changes metadata where they lie, and registers the object that they belong to once more: so its version stays, and its lease
    /// begins anew. An instance that only another region has is registered here. Of two entries with one name the first counts.
    ///
    /// # Errors
    /// None if there is no such instance; else as [`register`](Registry::register).
    pub(super) fn set_metadata(
        &mut self,
        (app, id): (ServiceId, InstanceId),
        entries: &Pairs,
        cx: &mut Cx<'_, Eureka>,
    ) -> Option<Result<Holder, HalfDone>> {
        let local = if self.store.app(id) == Some(app) { self.find(id, cx.wall().as_millis()) } else { None };
        let before = self.about(id);
        let holder = match local {
            Some(holder) => self.store.holders.retain(holder),
            None => {
                let (info, _) = self.regions.instance(app, id)?;
                self.store.holders.insert(info)
            }
        };
        self.store.holders.change(holder, |info| {
            let metadata = Arc::make_mut(&mut Arc::make_mut(&mut info.about).metadata);
            for (name, value) in entries.iter().rev() {
                metadata.insert(Arc::clone(name), Arc::clone(value));
            }
        });
        Some(self.enrol(holder, before, Origin::Client, cx))
    }

    /// The common part of registering and changing metadata. Takes over the reference, and gives it back if all goes well. `before`
    /// is what the instance said about itself when it began.
    fn enrol(
        &mut self,
        incoming: Holder,
        before: Option<Arc<About>>,
        origin: Origin,
        cx: &mut Cx<'_, Eureka>,
    ) -> Result<Holder, HalfDone> {
        let id = self.store.holders.get(incoming).id;
        let result = self.begin_lease(incoming, origin, cx);
        if let (Some(before), Some(about)) = (before, self.about(id))
            && !Arc::ptr_eq(&before, &about)
            && before.metadata != about.metadata
        {
            cx.emit(Event::MetadataChanged { instance: id });
        }
        result
    }

    fn begin_lease(
        &mut self,
        incoming: Holder,
        origin: Origin,
        cx: &mut Cx<'_, Eureka>,
    ) -> Result<Holder, HalfDone> {
        let (info, now_ms) = (self.store.holders.get(incoming), cx.wall().as_millis());
        let (id, key) = (info.id, info.override_key());
        let duration = info.lease.map(|lease| lease.duration).filter(|duration| !duration.is_zero());
        let existing = self.store.lease(id).map(|lease| lease.holder);
        let leased_status = existing.map(|holder| self.store.holders.status(holder));
        if let Some(holder) = existing
            && !(self.store.holders.versioned(holder) && self.store.holders.versioned(incoming))
        {
            self.store.holders.release(incoming);
            return Err(HalfDone);
        }
        let registrant = match existing {
            Some(holder) if self.version(holder) > self.version(incoming) => {
                if self.fixes.conflict_keeps_content {
                    holder
                } else {
                    let newer = self.version(holder);
                    self.store.holders.change(incoming, |info| info.last_dirty = newer);
                    incoming
                }
            }
            Some(_) => incoming,
            None => {
                self.preservation.lease_added(&self.config);
                incoming
            }
        };
        let reference = self.store.holders.retain(registrant);
        self.store.put(Lease::new(reference, duration.unwrap_or(DEFAULT_DURATION), now_ms), now_ms);

        let info = self.store.holders.get(registrant);
        let (overridden, absent) = (info.overridden, info.about.override_absent);
        let mut result = Ok(incoming);
        if (absent || overridden != Status::Unknown) && !self.overrides.contains(key, cx.now()) {
            if absent {
                self.store.holders.release(incoming);
                result = Err(HalfDone);
            } else {
                self.overrides.put(key, overridden, cx.now());
            }
        }
        if result.is_ok() {
            if let Some(status) = self.overrides.get(key, cx.now()) {
                self.store.holders.change(registrant, |info| info.set_overridden(status));
            }
            let status = self.resolve((id, registrant), leased_status, origin, cx);
            self.store.set_status(registrant, status);
            if status == Status::Up {
                self.store.service_up(id, now_ms);
            }
            self.mark(registrant, Action::Added, now_ms);
        }

        let info = self.store.holders.get(registrant);
        cx.emit(Event::Registered { instance: id, status: info.status, version: info.last_dirty, origin });
        assert!(
            self.store.lease(id).is_some_and(|lease| lease.holder == registrant),
            "registered, so leased: {id:?}"
        );
        result
    }

    /// What the leased object of an instance says about it.
    fn about(&self, id: InstanceId) -> Option<Arc<About>> {
        Some(Arc::clone(&self.store.holders.get(self.store.lease(id)?.holder).about))
    }
}
