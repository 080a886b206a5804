//! The client's copy of the registry: what is asked for, adopting a full one, applying a delta.
//!
//! The copy is an immutable value that thousands of clients share. What the original does in place, under a lock, is one step; so
//! its try-lock cannot fail here. Instances of other regions are in the same copy, and are told apart when somebody looks.
//!
//! Left out: the event "remote status changed", which nothing here listens to.
//!
//! Differs from upstream: a copy that did not change is not reported again.

use std::sync::Arc;

use super::Client;
use super::transport::Kind;
use crate::protocol::eureka::Eureka;
use crate::protocol::eureka::applications::{Applications, Applying, Delta};
use crate::protocol::eureka::wire::{Query, Resource};
use crate::protocol::{Cx, Event};

/// The version of a registry that is from no server, or from a VIP query.
const NO_VERSION: i64 = -1;

impl Client {
    /// What a fetch asks for.
    pub(super) fn fetch_kind(&self) -> Kind {
        let settings = &self.settings;
        let full = settings.disable_delta || !settings.single_vip.is_empty() || self.applications.is_empty();
        if full || self.applications.version() == NO_VERSION { Kind::Full } else { Kind::Delta }
    }

    /// What a periodic refresh asks for: everything, too, if the list of other regions has changed.
    pub(super) fn refresh_kind(&mut self) -> Kind {
        let changed = self.extras.as_mut().is_some_and(|extras| extras.follow_regions(self.told.client()));
        if changed { Kind::Full } else { self.fetch_kind() }
    }

    /// The request of a fetch.
    pub(super) fn query(&self, kind: Kind) -> Query {
        self.query_of(match (kind, &self.settings.single_vip) {
            (Kind::Delta, _) => Resource::Delta,
            (_, vip) if vip.is_empty() => Resource::Apps,
            (_, vip) => Resource::Vip(Arc::clone(vip)),
        })
    }

    /// A read of the registry as this client sends it.
    pub(super) fn query_of(&self, resource: Resource) -> Query {
        let regions =
            self.extras.as_ref().map(|extras| &extras.regions).filter(|regions| !regions.is_empty());
        let regions = regions.map(|regions| {
            let mut names: Vec<Arc<str>> = regions.iter().map(|name| name.to_lowercase().into()).collect();
            names.sort_unstable();
            names.into()
        });
        let compact = &*self.settings.data_accept == "compact";
        Query { resource, regions, compact, identity: self.transport.identity() }
    }

    /// A full registry has arrived. It is dropped if another fetch ended after this one began.
    pub(super) fn store(
        &mut self,
        generation: i64,
        applications: Arc<Applications>,
        cx: &mut Cx<'_, Eureka>,
    ) {
        if self.next_generation(generation) {
            let claimed = applications.histogram().counts();
            self.adopt(applications, claimed, false, cx);
        }
    }

    /// A delta has arrived. Says whether all must be fetched: because the copy still differs from the server's registry after it, or
    /// because the settings ask for a comparison. A delta that another fetch has overtaken is dropped, and nothing is compared.
    pub(super) fn apply(&mut self, generation: i64, delta: &Delta, cx: &mut Cx<'_, Eureka>) -> bool {
        if !self.next_generation(generation) {
            return false;
        }
        let routing = self.extras.as_ref().map_or_else(Default::default, |extras| extras.routing.clone());
        let applying = Applying { removes_emptied: self.fixes.empty_apps_removed_on_delta, routing };
        let after = delta.apply(&self.applications, &applying);
        let differs = after.histogram() != delta.histogram();
        self.adopt(after, delta.histogram().counts(), differs, cx);
        differs || self.settings.log_delta_diff
    }

    /// The backup registry takes the place of a first fetch that failed. It has no version, so that the next fetch is a full one.
    pub(super) fn adopt_backup(&mut self, cx: &mut Cx<'_, Eureka>) -> bool {
        let Some(backup) = &self.told.client().backup else { return false };
        let claimed = backup.histogram().counts();
        let applications = Applications::clone(backup).with_version(NO_VERSION);
        self.adopt(Arc::new(applications), claimed, false, cx);
        true
    }

    fn next_generation(&mut self, expected: i64) -> bool {
        let current = i64::from(self.generation) == expected;
        if current {
            self.generation = self.generation.wrapping_add(1);
        }
        current
    }

    fn adopt(
        &mut self,
        applications: Arc<Applications>,
        claimed: [u32; 5],
        reconciles: bool,
        cx: &mut Cx<'_, Eureka>,
    ) {
        if Arc::ptr_eq(&self.applications, &applications) && !reconciles {
            return;
        }
        let view = Arc::clone(applications.view());
        cx.emit(Event::Adopted { view, claimed: Some(Box::new(claimed)), reconciles });
        self.applications = applications;
    }
}
