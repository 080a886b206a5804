//! Groups of instances that are enabled or disabled together: Amazon's autoscaling groups (`AwsAsgUtil`, `ASGResource`). Only a
//! Netflix server in AWS has them (Spring's registry is never the one for AWS); there a rule takes the instances of a disabled group out of service.
//!
//! The original asks AWS whether a group is enabled, in the background, and remembers the answer; a request (`PUT asg/…/status`)
//! overwrites what is remembered, and tells AWS nothing. Whoever disables a group therefore tells AWS first, as Netflix's tools
//! do. So here AWS says of a group what this server was told of it last, and "enabled" of one of which it was told nothing.
//!
//! Differs from upstream: what was said to one server is not known to AWS for the others. A server that was not told (because it
//! was down, or the replication was lost) treats the group as enabled until it is told; there it would learn within
//! `asg_update_interval`. An answer of AWS takes no time: it is there when the group is looked at again.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use super::Server;
use crate::protocol::eureka::Eureka;
use crate::protocol::eureka::wire::Response;
use crate::protocol::{Cx, Instant};

/// What is known of one group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Group {
    /// Whether it is disabled in AWS.
    disabled: bool,
    /// What is remembered: whether it is enabled, and when that was last looked at or written.
    remembered: Option<(bool, Instant)>,
}

/// The groups of one server.
#[derive(Clone, Debug)]
pub(super) struct Groups {
    groups: BTreeMap<Arc<str>, Group>,
    expiry: Duration,
}

impl Groups {
    /// Nothing known. What nobody looks at for `expiry` is forgotten.
    pub(super) fn new(expiry: Duration) -> Groups {
        Groups { groups: BTreeMap::new(), expiry }
    }

    /// Whether a group is enabled, as far as remembered; else it counts as enabled, and AWS is asked if that is allowed.
    pub(super) fn enabled(&mut self, name: &str, asks: bool, now: Instant) -> bool {
        let expiry = self.expiry;
        let group = match self.groups.get_mut(name) {
            Some(group) => group,
            None => self.groups.entry(name.into()).or_default(),
        };
        if let Some((enabled, looked_at)) = &mut group.remembered
            && now.since(*looked_at) < expiry
        {
            *looked_at = now;
            return *enabled;
        }
        group.remembered = asks.then_some((!group.disabled, now));
        true
    }

    /// A group is enabled or disabled.
    pub(super) fn set(&mut self, name: &Arc<str>, enabled: bool, now: Instant) {
        self.groups.insert(Arc::clone(name), Group { disabled: !enabled, remembered: Some((enabled, now)) });
    }

    /// AWS is asked again about a group.
    fn ask(&mut self, name: &Arc<str>, now: Instant) {
        let group = self.groups.entry(Arc::clone(name)).or_default();
        group.remembered = Some((!group.disabled, now));
    }

    /// Folds the state into a hash.
    pub(super) fn fingerprint(&self, mut into: &mut dyn Hasher) {
        self.groups.hash(&mut into);
    }
}

impl Server {
    /// `PUT asg/{name}/status`. `enabled` is nothing for a value that is none.
    pub(super) fn set_group(
        &mut self,
        name: &Arc<str>,
        enabled: Option<bool>,
        replication: bool,
        cx: &mut Cx<'_, Eureka>,
    ) -> Response {
        let Some(groups) = &mut self.registry.groups else { return Response::empty(400) };
        let Some(enabled) = enabled else { return Response::empty(500) };
        groups.set(name, enabled, cx.now());
        if !replication {
            self.peers.replicate_group(name, enabled, &mut self.registry.store.holders, cx);
        }
        Response::empty(200)
    }

    /// The task that asks AWS again about the groups of all instances.
    pub(super) fn ask_about_groups(&mut self, now: Instant) {
        let Some(groups) = &mut self.registry.groups else { return };
        if !self.registry.config.use_aws_asg_api {
            return;
        }
        let store = &self.registry.store;
        for (_, lease) in store.all() {
            if let Some(name) = &store.holders.get(lease.holder).about.asg {
                groups.ask(name, now);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant(seconds * 1_000_000_000)
    }

    #[test]
    fn what_is_not_remembered_counts_as_enabled_once() {
        let mut groups = Groups::new(Duration::from_secs(600));
        assert!(groups.enabled("g", true, at(0)));
        groups.set(&"g".into(), false, at(1));
        assert_eq!([600, 1200, 1799].map(|s| groups.enabled("g", true, at(s))), [false, true, false]);
    }

    #[test]
    fn looking_keeps_a_group_remembered() {
        let mut groups = Groups::new(Duration::from_secs(600));
        groups.set(&"g".into(), false, at(0));
        assert_eq!([599, 1198, 1797].map(|s| groups.enabled("g", true, at(s))), [false; 3]);
    }

    #[test]
    fn without_asking_only_what_was_told_lately_counts() {
        let mut groups = Groups::new(Duration::from_secs(600));
        groups.set(&"g".into(), false, at(0));
        assert_eq!([599, 1199, 1200].map(|s| groups.enabled("g", false, at(s))), [false, true, true]);
    }
}
