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
    /// The settings that the instance states; the replicator copies them when they change.
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

    /// The settings that it states.
    pub fn settings(&self) -> &InstanceConfig {
        &self.stated
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

    /// Compares the instance with what is configured now, as each run of the replicator begins: another host name brings the
    /// address and the data centre with it (another address alone is not noticed), and lease settings are copied. Says whether
    /// anything was changed.
    pub fn refresh(&mut self, configured: &Registration) -> bool {
        let moved = configured.about.host_name != self.about.host_name;
        if moved {
            let found = &configured.about;
            let about = Arc::make_mut(&mut self.about);
            about.host_name = Arc::clone(&found.host_name);
            about.ip_addr = Arc::clone(&found.ip_addr);
            about.data_center.clone_from(&found.data_center);
            (about.address, about.ip_address) = (found.address, found.ip_address);
        }
        let changed = lease(&configured.instance) != lease(&self.stated);
        if changed {
            self.stated = Arc::clone(&configured.instance);
        }
        moved || changed
    }

    /// Adds metadata (`registerAppMetadata`).
    pub fn add_metadata(&mut self, entries: &[(Arc<str>, Arc<str>)]) {
        let metadata = &mut Arc::make_mut(&mut self.about).metadata;
        Arc::make_mut(metadata).extend(entries.iter().cloned());
    }

    /// What it says about itself.
    pub fn about(&self) -> &Arc<About> {
        &self.about
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

    /// What a heartbeat carries: a client that leaves the version out does so here, too.
    pub fn heartbeat(&self, status: Status) -> Heartbeat {
        let last_dirty = if self.about.version_absent { Stamp::Absent } else { Stamp::At(self.last_dirty) };
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
