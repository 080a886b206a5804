//! What is told to a peer: one task for each change and peer.
//!
//! Separate from the dispatcher, which only needs to know which tasks replace each other, and when one is too old.

use std::hash::{Hash, Hasher};

use super::holders::{Holder, Holders};
use crate::protocol::{InstanceId, ServiceId, Status};

/// What happened to an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Action {
    /// It was registered: the whole instance is told.
    Register,
    /// It renewed its lease.
    Heartbeat,
    /// It was removed.
    Cancel,
    /// Its status was overridden.
    SetStatus,
    /// The override was removed.
    ClearStatus,
}

/// What a task is about. The live object is named, not copied: its fields are read when the request is built.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Subject {
    /// An instance.
    Instance {
        /// What happened.
        action: Action,
        /// The application.
        app: ServiceId,
        /// The instance.
        id: InstanceId,
        /// The live object; a cancel has none. A task is one reference.
        holder: Option<Holder>,
        /// With a heartbeat: the override as it was when the task was made.
        overridden: Option<Status>,
    },
    /// A group was enabled or disabled.
    Group {
        /// Its number at this server.
        number: u32,
        /// What it is now.
        enabled: bool,
    },
}

/// One change to be told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Task {
    /// What is told.
    pub(super) subject: Subject,
    /// From when on (wall clock, ms) the task is not worth sending any more.
    pub(super) expires_ms: i64,
    /// When the task was made: wall clock, ms.
    pub(super) submitted_ms: i64,
}

impl Task {
    /// How many kinds of ids there are.
    pub(super) const KINDS: usize = 6;

    /// The task's id, as a kind and a number: a newer task with the same id replaces an older one. Different actions on one
    /// instance have different ids.
    pub(super) fn key(&self) -> (usize, usize) {
        match self.subject {
            Subject::Instance { action, id, .. } => (action as usize, id.index()),
            Subject::Group { number, .. } => (Task::KINDS - 1, number as usize),
        }
    }

    /// Whether it tells of an instance whose overridden status is missing.
    pub(super) fn lacks_override(&self, holders: &Holders) -> bool {
        let Subject::Instance { action: Action::Register, holder: Some(holder), .. } = self.subject else {
            return false;
        };
        holders.get(holder).about.override_absent
    }

    /// The task is done with; its reference is given back.
    pub(super) fn release(&self, holders: &mut Holders) {
        if let Subject::Instance { holder: Some(holder), .. } = self.subject {
            holders.release(holder);
        }
    }

    /// Folds the task into a hash; the live object by its content.
    pub(super) fn fingerprint(&self, holders: &Holders, mut into: &mut dyn Hasher) {
        (self.expires_ms, self.submitted_ms).hash(&mut into);
        match self.subject {
            Subject::Instance { action, app, id, holder, overridden } => {
                (action, app, id, overridden).hash(&mut into);
                if let Some(holder) = holder {
                    holders.fingerprint(holder, into);
                }
            }
            Subject::Group { number, enabled } => (number, enabled).hash(&mut into),
        }
    }
}
