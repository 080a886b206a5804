//! What operators have set (`overriddenInstanceStatusMap`): a status for an instance, forgotten one hour after the last look at
//! it. Separate because looking is not free of effect. Callers name instances by [`InstanceInfo::override_key`]: the original knows
//! overrides by `instanceId` alone, whatever the application.
//!
//! [`InstanceInfo::override_key`]: crate::protocol::eureka::instance::InstanceInfo::override_key

use std::hash::{Hash, Hasher};
use std::time::Duration;

use crate::protocol::{InstanceId, Instant, Status};

/// An override that nobody has looked at for this long is gone: 1 h (hard-coded in Netflix/eureka:
/// `AbstractInstanceRegistry.overriddenInstanceStatusMap`).
const EXPIRE_AFTER_ACCESS: Duration = Duration::from_secs(3600);

#[derive(Clone, Copy, Debug, Hash)]
struct Override {
    status: Status,
    looked_at: Instant,
}

/// Overrides by instance.
#[derive(Clone, Debug, Default)]
pub(super) struct Overrides {
    by_instance: Vec<Option<Override>>,
    held: u32,
}

impl Overrides {
    /// The override, whose hour starts anew.
    pub(super) fn get(&mut self, id: InstanceId, now: Instant) -> Option<Status> {
        // Nearly always there are none at all, and this is asked for at every heartbeat.
        if self.held == 0 {
            return None;
        }
        let entry = self.by_instance.get_mut(id.index())?;
        let found = entry.as_mut()?;
        if now.since(found.looked_at) >= EXPIRE_AFTER_ACCESS {
            *entry = None;
            self.held -= 1;
            return None;
        }
        found.looked_at = now;
        Some(found.status)
    }

    /// Whether there is one. Does not count as a look.
    pub(super) fn contains(&self, id: InstanceId, now: Instant) -> bool {
        let entry = self.by_instance.get(id.index()).copied().flatten();
        entry.is_some_and(|found| now.since(found.looked_at) < EXPIRE_AFTER_ACCESS)
    }

    /// Sets an override.
    pub(super) fn put(&mut self, id: InstanceId, status: Status, now: Instant) {
        if self.by_instance.len() <= id.index() {
            self.by_instance.resize(id.index() + 1, None);
        }
        let old = self.by_instance[id.index()].replace(Override { status, looked_at: now });
        self.held += u32::from(old.is_none());
    }

    /// Removes the override and tells whether there was one.
    pub(super) fn remove(&mut self, id: InstanceId, now: Instant) -> bool {
        let was_there = self.contains(id, now);
        if let Some(entry) = self.by_instance.get_mut(id.index())
            && entry.take().is_some()
        {
            self.held -= 1;
        }
        was_there
    }

    /// How many are held. One that has expired counts until it is next asked for, as in the original.
    pub(super) fn held(&self) -> u32 {
        self.held
    }

    /// All overrides, in order of instance. Does not count as a look.
    pub(super) fn all(&self, now: Instant) -> impl Iterator<Item = (InstanceId, Status)> {
        let held =
            self.by_instance.iter().zip(0..).filter_map(|(found, id)| Some((InstanceId(id), (*found)?)));
        held.filter(move |(_, found)| now.since(found.looked_at) < EXPIRE_AFTER_ACCESS)
            .map(|(id, found)| (id, found.status))
    }

    /// Folds the overrides into a hash.
    pub(super) fn fingerprint(&self, mut into: &mut dyn Hasher) {
        self.by_instance.hash(&mut into);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_override_lives_an_hour_after_the_last_look() {
        let id = InstanceId(2);
        let at = |seconds: u64| Instant(seconds * 1_000_000_000);
        let mut overrides = Overrides::default();
        overrides.put(id, Status::OutOfService, at(0));
        assert!(overrides.contains(id, at(3599)));
        assert_eq!(overrides.get(id, at(3599)), Some(Status::OutOfService));
        assert_eq!(
            overrides.get(id, at(3599 + 3599)),
            Some(Status::OutOfService),
            "a look starts the hour anew"
        );
        assert!(!overrides.contains(id, at(7198 + 3600)), "gone at exactly one hour");
        assert_eq!(overrides.held(), 1);
        assert_eq!(overrides.get(id, at(7198 + 3600)), None);
        assert_eq!(overrides.held(), 0);
        assert_eq!(overrides.get(InstanceId(7), at(0)), None);
    }

    #[test]
    fn removing_tells_whether_there_was_one() {
        let mut overrides = Overrides::default();
        overrides.put(InstanceId(1), Status::Up, Instant(0));
        overrides.put(InstanceId(1), Status::Down, Instant(0));
        assert_eq!(overrides.held(), 1);
        assert!(overrides.remove(InstanceId(1), Instant(5)));
        assert!(!overrides.remove(InstanceId(1), Instant(5)));
        assert!(!overrides.remove(InstanceId(9), Instant(5)));
        assert_eq!(overrides.held(), 0);
    }
}
