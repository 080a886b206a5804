//! Registries of other regions, and how this server shows them beside its own (`RemoteRegionRegistry` and its uses in
//! `AbstractInstanceRegistry`).
//!
//! Only the side of readers: what is known of each region, and what of it goes into which answer. Who fetches it, and when, is
//! separate. The two ways of asking differ, as in the original. A reader who names no regions is shown all of them, unless the
//! settings say otherwise: merged into the registry, as far as white lists allow; in the delta only the applications that are not
//! here, without a look at white lists; and the hash of that delta counts one region's instances of each such application. So a
//! reader of deltas finds its hash wrong whenever an application is here and elsewhere. A reader who names regions gets them merged
//! in both.
//!
//! Differs from upstream: where the first region counts, it is the first in the settings; the original asks a hash map. Instances
//! are shared values: what is registered here after it was found elsewhere does not change the other region's copy.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::store::{Change, Store};
use crate::protocol::eureka::applications::{Applications, Delta, Histogram};
use crate::protocol::eureka::instance::{InstanceInfo, LeaseStamps};
use crate::protocol::eureka::node::{RemoteRegion, ServerNode};
use crate::protocol::{InstanceId, ServiceId};

/// What was fetched last: everything, or changes.
#[derive(Clone, Debug)]
enum Recent {
    All(Arc<Applications>),
    Changes(Arc<Delta>),
}

/// One other region.
#[derive(Clone, Debug)]
struct Region {
    name: Arc<str>,
    white_list: Option<Arc<[ServiceId]>>,
    content: Arc<Applications>,
    recent: Recent,
    /// Its applications, also those that have lost all their instances since everything was fetched.
    apps: BTreeSet<ServiceId>,
    /// Whether it was ever fetched.
    ready: bool,
}

/// All other regions that are configured when the server starts.
#[derive(Clone, Debug, Default)]
pub(super) struct Regions {
    regions: Vec<Region>,
    global: Option<Arc<[ServiceId]>>,
}

/// An instance of another region, and what its server knows of its lease.
pub(super) type Remote = (Arc<InstanceInfo>, LeaseStamps);

impl Region {
    fn of(&self, app: ServiceId) -> impl Iterator<Item = Remote> {
        entries(&self.content).filter(move |(info, _)| info.app == app)
    }

    fn recent(&self) -> Vec<Remote> {
        match &self.recent {
            Recent::All(content) => entries(content).collect(),
            Recent::Changes(delta) => {
                delta.entries().map(|(info, stamps)| (Arc::clone(info), stamps)).collect()
            }
        }
    }
}

fn entries(content: &Applications) -> impl Iterator<Item = Remote> {
    content.entries().map(|(info, stamps)| (Arc::clone(info), stamps))
}

impl Regions {
    /// Nothing fetched yet.
    pub(super) fn new(node: &ServerNode) -> Regions {
        let empty = Arc::new(Applications::default());
        let region = |region: &RemoteRegion| Region {
            name: Arc::clone(&region.name),
            white_list: region.white_list.clone(),
            content: Arc::clone(&empty),
            recent: Recent::All(Arc::clone(&empty)),
            apps: BTreeSet::new(),
            ready: false,
        };
        Regions {
            regions: node.remote_regions.iter().map(region).collect(),
            global: node.global_white_list.clone(),
        }
    }

    /// New white lists. Which regions there are stays as it was at the start.
    pub(super) fn reconfigure(&mut self, node: &ServerNode) {
        self.global.clone_from(&node.global_white_list);
        for region in &mut self.regions {
            let new = node.remote_regions.iter().find(|new| new.name == region.name);
            region.white_list = new.and_then(|new| new.white_list.clone());
        }
    }

    /// Takes over everything that was fetched from the region with this number, in the order of the settings.
    pub(super) fn adopt(&mut self, region: usize, content: Arc<Applications>) {
        let region = &mut self.regions[region];
        region.apps = content.instances().iter().map(|info| info.app).collect();
        region.recent = Recent::All(Arc::clone(&content));
        (region.content, region.ready) = (content, true);
    }

    /// Takes over what a region has become by a delta. Applications are never forgotten, even if nothing is left of them.
    pub(super) fn adopt_changes(&mut self, region: usize, content: Arc<Applications>, delta: Arc<Delta>) {
        let region = &mut self.regions[region];
        region.apps.extend(content.instances().iter().chain(delta.changes()).map(|info| info.app));
        (region.content, region.recent, region.ready) = (content, Recent::Changes(delta), true);
    }

    /// What is known of a region.
    pub(super) fn content(&self, region: usize) -> &Arc<Applications> {
        &self.regions[region].content
    }

    /// Whether a region has applications, be they without instances.
    pub(super) fn has_apps(&self, region: usize) -> bool {
        !self.regions[region].apps.is_empty()
    }

    /// Whether every region was fetched at least once (`readyForServingData`).
    pub(super) fn ready(&self) -> bool {
        self.regions.iter().all(|region| region.ready)
    }

    /// One instance: what the first region that has the application knows of it.
    pub(super) fn instance(&self, app: ServiceId, id: InstanceId) -> Option<Remote> {
        let region = self.regions.iter().find(|region| region.apps.contains(&app))?;
        region.of(app).find(|(info, _)| info.id == id)
    }

    /// The first instance with this id, whatever its application.
    pub(super) fn instance_by_key(&self, key: InstanceId) -> Option<Remote> {
        let mut all = self.regions.iter().flat_map(|region| entries(&region.content));
        all.find(|(info, _)| info.override_key() == key)
    }

    /// Folds what is known into a hash.
    pub(super) fn fingerprint(&self, mut into: &mut dyn Hasher) {
        for region in &self.regions {
            (region.content.instances(), &region.apps, region.ready).hash(&mut into);
        }
    }

    fn shows(&self, region: &Region, app: ServiceId) -> bool {
        let white_list = region.white_list.as_ref().or(self.global.as_ref());
        white_list.is_none_or(|list| list.contains(&app))
    }

    /// The regions that a reader is shown. Names that are asked for are in lower case, so a region that is configured with capitals
    /// is never among them.
    fn chosen(&self, names: Option<&[Arc<str>]>) -> Vec<&Region> {
        match names {
            None => self.regions.iter().collect(),
            Some(names) => {
                let named = |name: &Arc<str>| self.regions.iter().find(|region| region.name == *name);
                names.iter().filter_map(named).collect()
            }
        }
    }
}

/// All that answers are made of.
pub(super) struct Sources<'a> {
    /// What is registered here.
    pub(super) store: &'a mut Store,
    /// What is known of other regions.
    pub(super) regions: &'a Regions,
    /// Whether readers who name no regions are shown other regions.
    pub(super) falls_back: bool,
    /// Whether a delta is made of copies, as opposed to showing what holds when it is sent.
    pub(super) copies: bool,
    /// Whether the encoder can write an instance without an overridden status.
    pub(super) encodes_missing_override: bool,
}

impl Sources<'_> {
    /// The registry. `names` are the regions that the reader has asked for.
    pub(super) fn applications(&mut self, names: Option<&[Arc<str>]>) -> Applications {
        let local = self.store.applications();
        let regions =
            if names.is_none() && !self.falls_back { Vec::new() } else { self.regions.chosen(names) };
        if regions.is_empty() {
            return local;
        }
        let mut merged: BTreeMap<InstanceId, Remote> =
            entries(&local).map(|entry| (entry.0.id, entry)).collect();
        for region in regions {
            let shown = entries(&region.content).filter(|(info, _)| self.regions.shows(region, info.app));
            // Of two copies of an instance the later wins.
            merged.extend(shown.map(|entry| (entry.0.id, entry)));
        }
        let (instances, stamps) = merged.into_values().unzip();
        Applications::decorated(instances, stamps)
    }

    /// One application, if there is one. Another region's counts only if there is no instance of it here at all.
    pub(super) fn application(&mut self, app: ServiceId) -> Option<Applications> {
        let local = self.store.application(app);
        if !local.instances().is_empty() {
            return Some(local);
        }
        let regions = if self.falls_back { &*self.regions.regions } else { &[] };
        let region = regions.iter().find(|region| region.apps.contains(&app))?;
        let (instances, stamps) = region.of(app).unzip();
        Some(Applications::decorated(instances, stamps))
    }

    /// What changed lately, the earliest first, and the histogram that a reader should come to have.
    pub(super) fn changes(&mut self, names: Option<&[Arc<str>]>) -> (Vec<Change>, Histogram) {
        let mut changes = self.store.changes();
        if let Some(names) = names {
            for region in self.regions.chosen(Some(names)) {
                let mut shown = region.recent();
                shown.retain(|(info, _)| self.regions.shows(region, info.app));
                let ids: BTreeSet<InstanceId> = shown.iter().map(|(info, _)| info.id).collect();
                changes.retain(|change| !ids.contains(&change.info.id));
                changes.extend(shown.into_iter().map(Change::elsewhere));
            }
            return (changes, self.applications(Some(names)).histogram());
        }
        let mut histogram = self.store.histogram();
        if !self.falls_back || self.regions.regions.is_empty() {
            return (changes, histogram);
        }
        let mut present = self.store.apps();
        for region in &self.regions.regions {
            let absent = region.recent().into_iter().filter(|(info, _)| !present.contains(&info.app));
            changes.extend(absent.map(Change::elsewhere));
        }
        for region in &self.regions.regions {
            let absent = region.content.instances().iter().filter(|info| !present.contains(&info.app));
            absent.for_each(|info| histogram.add(info.status));
            present.extend(&region.apps);
        }
        (changes, histogram)
    }
}
