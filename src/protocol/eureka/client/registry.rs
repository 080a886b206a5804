//! The client's copy of the registry: adopting a full one, applying a delta, and finding an instance in it.
//!
//! The copy is an immutable value that thousands of clients share. What the original does in place, under a lock, is one step.
//!
//! Left out: one registry for each remote region, the single-VIP refresh, the event "remote status changed", and the backup
//! registry. Look-ups pick uniformly; what load balancers do instead (round robin, zones, a cache of their own) is not here.

use std::sync::Arc;

use rand::Rng;

use super::Client;
use super::transport::Kind;
use crate::protocol::eureka::Eureka;
use crate::protocol::eureka::instance::{Applications, Delta, InstanceInfo};
use crate::protocol::{Answer, Cx, Event, ServiceId, Status, Stream};

impl Client {
    /// What a refresh asks for.
    pub(super) fn fetch_kind(&self) -> Kind {
        if self.settings.disable_delta || self.applications.instances().is_empty() {
            Kind::Full
        } else {
            Kind::Delta
        }
    }

    /// A full registry has arrived. It is dropped if another fetch ended after this one began.
    pub(super) fn store(
        &mut self,
        generation: i64,
        applications: Arc<Applications>,
        cx: &mut Cx<'_, Eureka>,
    ) {
        if self.next_generation(generation) {
            self.adopt(applications, cx);
        }
    }

    /// A delta has arrived. Says whether the copy still differs from the server's registry after it, so that all of it must be
    /// fetched. A delta that another fetch has overtaken is dropped, and nothing is compared.
    pub(super) fn apply(&mut self, generation: i64, delta: &Delta, cx: &mut Cx<'_, Eureka>) -> bool {
        if !self.next_generation(generation) {
            return false;
        }
        let after = delta.apply(&self.applications);
        self.adopt(after, cx);
        self.applications.histogram() != delta.histogram()
    }

    fn next_generation(&mut self, expected: i64) -> bool {
        let current = i64::from(self.generation) == expected;
        if current {
            self.generation = self.generation.wrapping_add(1);
        }
        current
    }

    fn adopt(&mut self, applications: Arc<Applications>, cx: &mut Cx<'_, Eureka>) {
        if Arc::ptr_eq(&self.applications, &applications) {
            return;
        }
        let view = Arc::clone(applications.view());
        cx.emit(Event::Adopted { view, claimed: None, reconciles: false });
        self.applications = applications;
    }

    /// Picks an instance of a service.
    pub(super) fn look_up(&self, service: ServiceId, random: &mut Stream) -> Answer {
        let only_up = self.settings.filter_only_up_instances;
        let eligible = |info: &&Arc<InstanceInfo>| !only_up || info.status == Status::Up;
        let all = self.applications.of(service);
        let count = all.iter().filter(eligible).count();
        if count == 0 {
            return Answer::NoneFound;
        }
        let last = u32::try_from(count - 1).expect("instances are counted in 32 bits");
        let chosen = random.random_range(0..=last) as usize;
        all.iter().filter(eligible).nth(chosen).map_or(Answer::NoneFound, |info| Answer::Found(info.id))
    }
}
