//! The registry as a reader gets it, the delta, and how a client applies one to the other.
//!
//! Shared by server and client, so it is separate from both; immutable values behind an `Arc`, which readers with the same content
//! share.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::instance::{Action, DataCenter, InstanceInfo, LeaseStamps};
use crate::protocol::{InstanceId, ServiceId, Status, View};

/// Instances by status: what `appsHashCode` is made of. Two hash codes are equal exactly if these are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Histogram([u32; 5]);

impl Histogram {
    /// The counts, in the order of [`Status::ALL`].
    pub fn counts(self) -> [u32; 5] {
        self.0
    }

    /// Counts one instance in.
    pub fn add(&mut self, status: Status) {
        self.0[status as usize] += 1;
    }

    /// Counts one instance out.
    pub fn remove(&mut self, status: Status) {
        self.0[status as usize] -= 1;
    }

    /// The text that the original sends: `DOWN_1_UP_2_`, in order of status name.
    pub fn hash_code(&self) -> String {
        let mut names: Vec<Status> = Status::ALL.into_iter().filter(|s| self.0[*s as usize] > 0).collect();
        names.sort_unstable_by_key(|status| status.name());
        names.iter().map(|status| format!("{}_{}_", status.name(), self.0[*status as usize])).collect()
    }
}

/// The registry as a reader gets it, or a part of it. Immutable; all readers with the same content share one.
#[derive(Clone, Debug, PartialEq)]
pub struct Applications {
    instances: Vec<Arc<InstanceInfo>>,
    /// Beside the instances, or empty if nothing is known of their leases.
    stamps: Vec<LeaseStamps>,
    /// Applications that are known although nothing is left of them.
    emptied: Vec<ServiceId>,
    histogram: Histogram,
    version: i64,
    view: Arc<View>,
}

impl Default for Applications {
    fn default() -> Applications {
        Applications::new(Vec::new())
    }
}

impl Applications {
    /// A registry of these instances, at most one for each id, of whose leases nothing is known.
    pub fn new(instances: Vec<Arc<InstanceInfo>>) -> Applications {
        Applications::decorated(instances, Vec::new())
    }

    /// A registry of these instances, at most one for each id, and what their server knows of their leases, in the same order.
    pub fn decorated(mut instances: Vec<Arc<InstanceInfo>>, mut stamps: Vec<LeaseStamps>) -> Applications {
        assert!(
            stamps.is_empty() || stamps.len() == instances.len(),
            "{} stamps of {} instances",
            stamps.len(),
            instances.len()
        );
        let place = |info: &Arc<InstanceInfo>| (info.app, info.id);
        if stamps.is_empty() {
            instances.sort_unstable_by_key(place);
        } else if !instances.is_sorted_by_key(place) {
            let mut pairs: Vec<(Arc<InstanceInfo>, LeaseStamps)> =
                instances.into_iter().zip(stamps).collect();
            pairs.sort_unstable_by_key(|(info, _)| place(info));
            (instances, stamps) = pairs.into_iter().unzip();
        }
        let mut histogram = Histogram::default();
        instances.iter().for_each(|info| histogram.add(info.status));
        let view = View::new(instances.iter().map(|info| info.listing()).collect());
        assert!(
            view.listings().windows(2).all(|pair| pair[0].instance < pair[1].instance),
            "an instance stands twice in one registry"
        );
        Applications { instances, stamps, emptied: Vec::new(), histogram, version: 1, view: Arc::new(view) }
    }

    /// The same with another version.
    #[must_use]
    pub fn with_version(self, version: i64) -> Applications {
        Applications { version, ..self }
    }

    /// The same in the compact form, which says nothing about leases.
    #[must_use]
    pub fn compact(&self) -> Applications {
        let instances = self.instances.iter().map(|info| Arc::new(info.compact()));
        Applications::new(instances.collect()).with_version(self.version)
    }

    /// Whether no application is known. An application that was emptied and not removed is known.
    pub fn is_empty(&self) -> bool {
        self.instances.is_empty() && self.emptied.is_empty()
    }

    /// All instances, in order of application and id.
    pub fn instances(&self) -> &[Arc<InstanceInfo>] {
        &self.instances
    }

    /// The instances of one application.
    pub fn of(&self, app: ServiceId) -> &[Arc<InstanceInfo>] {
        let (from, to) = self.range(app);
        &self.instances[from..to]
    }

    fn range(&self, app: ServiceId) -> (usize, usize) {
        let from = self.instances.partition_point(|info| info.app < app);
        (from, self.instances.partition_point(|info| info.app <= app))
    }

    /// All instances with what is known of their leases, in order of application and id.
    pub fn entries(&self) -> impl Iterator<Item = (&Arc<InstanceInfo>, LeaseStamps)> {
        let stamps = self.stamps.iter().copied().chain(std::iter::repeat(LeaseStamps::default()));
        self.instances.iter().zip(stamps)
    }

    /// What the hash code is made of.
    pub fn histogram(&self) -> Histogram {
        self.histogram
    }

    /// What the original calls its version: 1, of the answer to a VIP query -1.
    pub fn version(&self) -> i64 {
        self.version
    }

    /// The same content in the shared vocabulary.
    pub fn view(&self) -> &Arc<View> {
        &self.view
    }
}

/// Which instances are of another region, as a client that fetches other regions tells them apart: by the availability zone of
/// Amazon's. All others are local.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Routing(Vec<(Arc<str>, Arc<str>)>);

impl Routing {
    /// By the region of each zone that is not local.
    pub fn new(zones: impl Iterator<Item = (Arc<str>, Arc<str>)>) -> Routing {
        Routing(zones.collect())
    }

    /// The region of an instance, unless it is local.
    pub fn region(&self, info: &InstanceInfo) -> Option<&Arc<str>> {
        if self.0.is_empty() || !matches!(info.about.data_center, Some(DataCenter::Amazon(_))) {
            return None;
        }
        let zone = info.about.zone()?;
        self.0.iter().find(|(known, _)| known == zone).map(|(_, region)| region)
    }
}

/// How a client applies deltas.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Applying {
    /// Whether an application that has become empty is removed (since July 2018).
    pub removes_emptied: bool,
    /// Each region has applications of its own.
    pub routing: Routing,
}

impl Default for Applying {
    fn default() -> Applying {
        Applying { removes_emptied: true, routing: Routing::default() }
    }
}

/// A result that a [`Delta`] remembers.
#[derive(Debug)]
struct Memo {
    base: Arc<Applications>,
    applying: Applying,
    result: Arc<Applications>,
}

/// What changed lately, as `/apps/delta` answers it.
#[derive(Debug)]
pub struct Delta {
    changes: Vec<Arc<InstanceInfo>>,
    stamps: Vec<LeaseStamps>,
    histogram: Histogram,
    version: i64,
    memo: Mutex<Option<Memo>>,
}

impl Delta {
    /// A delta of these instances (their `action` says what happened), of whose leases nothing is known; `histogram` is that of
    /// the full registry at the same moment.
    pub fn new(changes: Vec<Arc<InstanceInfo>>, histogram: Histogram, version: i64) -> Delta {
        Delta::decorated(changes, Vec::new(), histogram, version)
    }

    /// The same with what their server knows of the leases, in the same order.
    pub fn decorated(
        changes: Vec<Arc<InstanceInfo>>,
        stamps: Vec<LeaseStamps>,
        histogram: Histogram,
        version: i64,
    ) -> Delta {
        assert!(
            stamps.is_empty() || stamps.len() == changes.len(),
            "{} stamps of {} changes",
            stamps.len(),
            changes.len()
        );
        Delta { changes, stamps, histogram, version, memo: Mutex::new(None) }
    }

    /// The same in the compact form, which says nothing about leases.
    #[must_use]
    pub fn compact(&self) -> Delta {
        let changes = self.changes.iter().map(|info| Arc::new(info.compact()));
        Delta::new(changes.collect(), self.histogram, self.version)
    }

    /// The changed instances, the earliest change first.
    pub fn changes(&self) -> &[Arc<InstanceInfo>] {
        &self.changes
    }

    /// The changed instances with what is known of their leases, the earliest change first.
    pub fn entries(&self) -> impl Iterator<Item = (&Arc<InstanceInfo>, LeaseStamps)> {
        let stamps = self.stamps.iter().copied().chain(std::iter::repeat(LeaseStamps::default()));
        self.changes.iter().zip(stamps)
    }

    /// What a client that has applied the delta should have.
    pub fn histogram(&self) -> Histogram {
        self.histogram
    }

    /// The server's counter of deltas.
    pub fn version(&self) -> i64 {
        self.version
    }

    /// What a client that holds `base` has after the delta. Thousands of clients share `base`, so they share the result: the
    /// last one is remembered. A delta that changes nothing gives back `base` itself.
    ///
    /// Differs from upstream: the result knows nothing of leases. No client looks at that.
    pub fn apply(&self, base: &Arc<Applications>, applying: &Applying) -> Arc<Applications> {
        if self.changes.is_empty() {
            return Arc::clone(base);
        }
        let mut memo = self.memo.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = &*memo
            && Arc::ptr_eq(&known.base, base)
            && known.applying == *applying
        {
            return Arc::clone(&known.result);
        }
        let result = self.applied(base, applying);
        let (base, applying) = (Arc::clone(base), applying.clone());
        *memo = Some(Memo { base, applying, result: Arc::clone(&result) });
        result
    }

    /// Application by application, as upstream; within one, change by change.
    fn applied(&self, base: &Arc<Applications>, applying: &Applying) -> Arc<Applications> {
        let mut changes = self.changes.clone();
        changes.sort_by_key(|info| info.app);
        let mut merged = Vec::with_capacity(base.instances.len() + changes.len());
        let mut emptied = base.emptied.clone();
        let (mut done, mut changed) = (0, false);
        for group in changes.chunk_by(|one, other| one.app == other.app) {
            let app = group[0].app;
            let (from, to) = base.range(app);
            let old = &base.instances[from..to];
            let was_empty = emptied.contains(&app);
            let new = regrouped(old, was_empty, group, applying);
            merged.extend_from_slice(&base.instances[done..from]);
            changed |= new != old;
            emptied.retain(|other| *other != app);
            if new.is_empty() && (was_empty || !old.is_empty()) && !applying.removes_emptied {
                emptied.push(app);
            }
            merged.extend(new);
            done = to;
        }
        if !changed {
            return Arc::clone(base);
        }
        merged.extend_from_slice(&base.instances[done..]);
        Arc::new(Applications { emptied, ..Applications::new(merged) })
    }
}

/// One application after its changes, the earliest first.
///
/// An application that is unknown when something is added to it is taken over as the delta has it, with the instances that the
/// delta calls deleted; only a later change removes them again. The hash then differs, and all is fetched. That is what happens
/// when the only instance of an application is replaced by another. Unknown is unknown in the region of what is added, and what was
/// emptied is known if it is not removed.
///
/// Differs from upstream: an application taken over in one region is the same object as in the next, and its instances count in
/// both; here an instance counts once.
fn regrouped(
    old: &[Arc<InstanceInfo>],
    mut emptied: bool,
    changes: &[Arc<InstanceInfo>],
    applying: &Applying,
) -> Vec<Arc<InstanceInfo>> {
    let region = |info: &Arc<InstanceInfo>| applying.routing.region(info);
    let mut instances: BTreeMap<InstanceId, Arc<InstanceInfo>> =
        old.iter().map(|info| (info.id, Arc::clone(info))).collect();
    for change in changes {
        if change.action == Some(Action::Deleted) {
            emptied |= instances.remove(&change.id).is_some() && instances.is_empty();
        } else {
            let known = emptied && !applying.removes_emptied;
            if !known && instances.values().all(|info| region(info) != region(change)) {
                instances.extend(changes.iter().map(|change| (change.id, Arc::clone(change))));
            }
            instances.insert(change.id, Arc::clone(change));
        }
    }
    instances.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::eureka::instance::About;

    fn info(id: u32, status: Status, action: Option<Action>) -> Arc<InstanceInfo> {
        Arc::new(InstanceInfo {
            app: ServiceId(0),
            id: InstanceId(id),
            status,
            overridden: Status::Unknown,
            last_dirty: 1,
            last_updated: 1,
            lease: None,
            action,
            about: Arc::new(About::least("app", "host")),
        })
    }

    /// Golden vectors of the reference, 12.5.
    #[test]
    fn hash_codes_are_those_of_the_original() {
        let check = |counts: &[(Status, u32)], expected: &str| {
            let mut histogram = Histogram::default();
            counts.iter().for_each(|(status, n)| (0..*n).for_each(|_| histogram.add(*status)));
            assert_eq!(histogram.hash_code(), expected);
        };
        check(&[(Status::Up, 2)], "UP_2_");
        check(
            &[(Status::Up, 1), (Status::Down, 1), (Status::OutOfService, 3)],
            "DOWN_1_OUT_OF_SERVICE_3_UP_1_",
        );
        check(&[], "");
        check(
            &[
                (Status::Up, 1),
                (Status::Down, 1),
                (Status::OutOfService, 3),
                (Status::Unknown, 1),
                (Status::Starting, 2),
            ],
            "DOWN_1_OUT_OF_SERVICE_3_STARTING_2_UNKNOWN_1_UP_1_",
        );
    }

    #[test]
    fn a_delta_adds_replaces_and_removes_and_shares_its_result() {
        let base = Arc::new(Applications::new(vec![info(1, Status::Up, None), info(2, Status::Up, None)]));
        let changes = vec![
            info(3, Status::Up, Some(Action::Added)),
            info(2, Status::Up, Some(Action::Deleted)),
            info(1, Status::Down, Some(Action::Modified)),
        ];
        let delta = Delta::new(changes, Histogram::default(), 7);
        let after = delta.apply(&base, &Applying::default());
        assert_eq!(after.histogram().hash_code(), "DOWN_1_UP_1_");
        assert!(after.view().get(InstanceId(2)).is_none());
        assert!(
            Arc::ptr_eq(&after, &delta.apply(&base, &Applying::default())),
            "a second client shares the result"
        );
        assert!(
            Arc::ptr_eq(&after, &delta.apply(&after, &Applying::default())),
            "applied again, it changes nothing"
        );
    }

    #[test]
    fn an_unknown_application_is_taken_over_with_what_was_deleted_before() {
        let replaced = |first, second| {
            let base = Arc::new(Applications::new(vec![info(1, Status::Up, None)]));
            let after =
                Delta::new(vec![first, second], Histogram::default(), 1).apply(&base, &Applying::default());
            after.instances().iter().map(|info| info.id.0).collect::<Vec<_>>()
        };
        let (deleted, added) =
            (info(1, Status::Up, Some(Action::Deleted)), info(2, Status::Up, Some(Action::Added)));
        assert_eq!(
            replaced(Arc::clone(&deleted), Arc::clone(&added)),
            [1, 2],
            "a ghost: the application was gone"
        );
        assert_eq!(replaced(added, deleted), [2]);
    }

    #[test]
    fn a_deletion_in_an_unknown_application_is_nothing() {
        let base = Arc::new(Applications::default());
        let deleted = info(1, Status::Up, Some(Action::Deleted));
        let after = Delta::new(vec![deleted], Histogram::default(), 1).apply(&base, &Applying::default());
        assert!(Arc::ptr_eq(&base, &after));
    }

    fn applied(applying: &Applying, base: &[&Arc<InstanceInfo>], changes: &[&Arc<InstanceInfo>]) -> Vec<u32> {
        let base = Arc::new(Applications::new(base.iter().map(|info| Arc::clone(info)).collect()));
        let changes = changes.iter().map(|info| Arc::clone(info)).collect();
        let after = Delta::new(changes, Histogram::default(), 1).apply(&base, applying);
        after.instances().iter().map(|info| info.id.0).collect()
    }

    #[test]
    fn an_emptied_application_is_unknown_unless_it_is_kept() {
        let keeps = Applying { removes_emptied: false, ..Applying::default() };
        let (one, gone) = (info(1, Status::Up, None), info(1, Status::Up, Some(Action::Deleted)));
        let (left, next) =
            (info(3, Status::Up, Some(Action::Deleted)), info(2, Status::Up, Some(Action::Added)));
        assert_eq!(applied(&Applying::default(), &[&one], &[&gone, &next]), [1, 2]);
        assert_eq!(applied(&keeps, &[&one], &[&gone, &next]), [2], "no ghost");
        let base = Arc::new(Applications::new(vec![one]));
        let empty = |applying: &Applying| {
            Delta::new(vec![Arc::clone(&gone)], Histogram::default(), 1).apply(&base, applying)
        };
        assert!(empty(&Applying::default()).is_empty());
        let emptied = empty(&keeps);
        assert!(!emptied.is_empty() && emptied.instances().is_empty(), "known, and nothing in it");
        let delta = Delta::new(vec![left, next], Histogram::default(), 2);
        let after = delta.apply(&emptied, &keeps);
        assert_eq!(
            after.instances().iter().map(|info| info.id.0).collect::<Vec<_>>(),
            [2],
            "in a later delta, too"
        );
    }

    #[test]
    fn an_application_is_unknown_in_each_region_by_itself() {
        let in_zone = |id, zone: &str, action| {
            let mut about = About::least("app", "host");
            about.data_center = Some(DataCenter::Amazon([("availability-zone".into(), zone.into())].into()));
            Arc::new(InstanceInfo { about: Arc::new(about), ..(*info(id, Status::Up, action)).clone() })
        };
        let west = Applying {
            routing: Routing::new([(Arc::from("west-1a"), Arc::from("west"))].into_iter()),
            ..Applying::default()
        };
        let here = in_zone(1, "east-1a", None);
        let gone = in_zone(3, "west-1a", Some(Action::Deleted));
        let added = in_zone(2, "west-1a", Some(Action::Added));
        assert_eq!(west.routing.region(&here), None, "what is in no zone of another region is local");
        assert_eq!(
            applied(&west, &[&here], &[&gone, &added]),
            [1, 2, 3],
            "unknown there: taken over as it is"
        );
        assert_eq!(applied(&Applying::default(), &[&here], &[&gone, &added]), [1, 2]);
        let generic = info(4, Status::Up, None);
        assert_eq!(west.routing.region(&generic), None);
    }
}
