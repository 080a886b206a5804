//! What a client knows about the instance that it registers, and whether the servers have been told (the dirty flag).

use std::sync::Arc;

use crate::protocol::eureka::config::InstanceConfig;
use crate::protocol::eureka::instance::{About, InstanceInfo, LeaseInfo};
use crate::protocol::eureka::node::Registration;
use crate::protocol::eureka::wire::{Heartbeat, Stamp};
use crate::protocol::{Event, InstanceId, ServiceId, Status, Wall};

/// The local instance. Its status is kept by the client, because a server without registration has one too.
#[derive(Clone, Debug, PartialEq)]
pub struct Local {
    app: ServiceId,
    id: InstanceId,
    about: Arc<About>,
    /// The settings as they are.
    configured: Arc<InstanceConfig>,
    /// The settings that the instance states; the replicator copies them.
    stated: Arc<InstanceConfig>,
    /// Version of the instance: wall clock of its last change, ms.
    last_dirty: i64,
    dirty: bool,
}

impl Local {
    /// The instance as it is built.
    pub fn new(registration: &Registration, wall: Wall) -> Local {
        Local {
            app: registration.app,
            id: registration.id,
            about: Arc::clone(&registration.about),
            configured: Arc::clone(&registration.instance),
            stated: Arc::clone(&registration.instance),
            last_dirty: wall.as_millis(),
            dirty: false,
        }
    }

    /// Which instance it is.
    pub fn id(&self) -> InstanceId {
        self.id
    }

    /// Which application it belongs to.
    pub fn app(&self) -> ServiceId {
        self.app
    }

    /// The settings as they are.
    pub fn settings(&self) -> &InstanceConfig {
        &self.configured
    }

    /// The settings were changed. The instance follows when the replicator next looks.
    pub fn reconfigure(&mut self, settings: &Arc<InstanceConfig>) {
        self.configured = Arc::clone(settings);
    }

    /// The instance has changed: it gets a new version, which the servers do not know. Says which version.
    pub fn mark_dirty(&mut self, status: Status, wall: Wall) -> Event {
        self.dirty = true;
        self.last_dirty = wall.as_millis();
        Event::Announced { instance: self.id, status, version: self.last_dirty }
    }

    /// The version that the servers do not know, if they do not.
    pub fn dirty(&self) -> Option<i64> {
        self.dirty.then_some(self.last_dirty)
    }

    /// The servers know the version `sent`. A version made since then stays to be sent.
    pub fn clear_dirty(&mut self, sent: i64) {
        if self.last_dirty <= sent {
            self.dirty = false;
        }
    }

    /// Copies lease settings that were changed. Says whether there were any.
    pub fn refresh_lease(&mut self) -> bool {
        let changed = lease(&self.configured) != lease(&self.stated);
        if changed {
            self.stated = Arc::clone(&self.configured);
        }
        changed
    }

    /// What a registration carries.
    ///
    /// Differs from upstream: `last_updated` is not the time of construction. Every server overwrites it.
    pub fn info(&self, status: Status) -> Arc<InstanceInfo> {
        Arc::new(InstanceInfo {
            app: self.app,
            id: self.id,
            status,
            overridden: Status::Unknown,
            last_dirty: self.last_dirty,
            last_updated: self.last_dirty,
            lease: Some(lease(&self.stated)),
            action: None,
            about: Arc::clone(&self.about),
        })
    }

    /// What a heartbeat carries.
    pub fn heartbeat(&self, status: Status) -> Heartbeat {
        let last_dirty = Stamp::At(self.last_dirty);
        Heartbeat { app: self.app, id: self.id, status, last_dirty, overridden: None }
    }

    /// What tells two states of one process apart.
    pub fn version(&self) -> (i64, bool) {
        (self.last_dirty, self.dirty)
    }
}

fn lease(settings: &InstanceConfig) -> LeaseInfo {
    LeaseInfo { renewal_interval: settings.lease_renewal_interval, duration: settings.lease_duration }
}
