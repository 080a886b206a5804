//! What readers get: the two levels of the response cache, and the queue of recent changes that the delta is made of.
//!
//! Readers see neither the registry nor each other's answers: an answer is generated when the first level has none, stays there
//! until a change throws it out or 180 s have passed, and is copied to the second level every 30 s, at instants that are the same
//! on all servers whose clocks agree. Both payloads are shared, so an answer costs a reference count.
//!
//! Left out: the keys of single applications and VIPs, and the JSON, XML and compact variants of each key, which all readers of
//! one server share here.

use std::collections::VecDeque;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use super::holders::{Holder, Holders};
use super::store::Store;
use crate::protocol::Instant;
use crate::protocol::eureka::instance::{Applications, Delta};

/// One key of the cache.
#[derive(Clone, Debug)]
struct Entry<P> {
    /// First level: the payload and when it was generated.
    fresh: Option<(P, Instant)>,
    /// Second level, which lags.
    served: Option<P>,
}

impl<P> Default for Entry<P> {
    fn default() -> Entry<P> {
        Entry { fresh: None, served: None }
    }
}

impl<P: Clone> Entry<P> {
    /// The payload of the first level, if it has one that has not expired.
    fn fresh(&self, now: Instant, life: Duration) -> Option<P> {
        let (payload, generated) = self.fresh.as_ref()?;
        (now.since(*generated) < life).then(|| payload.clone())
    }
}

/// How the cache works; read once, when the server starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CachePolicy {
    /// Whether there is a second level.
    pub(super) read_only: bool,
    /// How long a payload lives in the first.
    pub(super) life: Duration,
}

/// The response cache (`ResponseCacheImpl`).
#[derive(Clone, Debug)]
pub(super) struct ResponseCache {
    policy: CachePolicy,
    apps: Entry<Arc<Applications>>,
    delta: Entry<Arc<Delta>>,
}

fn load<P: Clone>(entry: &mut Entry<P>, now: Instant, life: Duration, generate: impl FnOnce() -> P) -> P {
    entry.fresh(now, life).unwrap_or_else(|| {
        let payload = generate();
        entry.fresh = Some((payload.clone(), now));
        payload
    })
}

fn read<P: Clone>(
    entry: &mut Entry<P>,
    policy: CachePolicy,
    now: Instant,
    generate: impl FnOnce() -> P,
) -> P {
    if policy.read_only {
        if let Some(payload) = &entry.served {
            return payload.clone();
        }
        let payload = load(entry, now, policy.life, generate);
        entry.served = Some(payload.clone());
        return payload;
    }
    load(entry, now, policy.life, generate)
}

impl ResponseCache {
    /// An empty cache.
    pub(super) fn new(policy: CachePolicy) -> ResponseCache {
        ResponseCache { policy, apps: Entry::default(), delta: Entry::default() }
    }

    /// A change throws out what the first level has. The second keeps what it serves.
    pub(super) fn invalidate(&mut self) {
        self.apps.fresh = None;
        self.delta.fresh = None;
    }

    /// The whole registry, as a reader gets it.
    pub(super) fn applications(&mut self, now: Instant, from: &mut Store) -> Arc<Applications> {
        read(&mut self.apps, self.policy, now, || from.applications())
    }

    /// The delta, as a reader gets it.
    pub(super) fn delta(&mut self, now: Instant, from: &mut Store) -> Arc<Delta> {
        read(&mut self.delta, self.policy, now, || from.delta())
    }

    /// Copies to the second level what somebody has asked for before.
    pub(super) fn fill(&mut self, now: Instant, from: &mut Store) {
        if self.apps.served.is_some() {
            self.apps.served = Some(load(&mut self.apps, now, self.policy.life, || from.applications()));
        }
        if self.delta.served.is_some() {
            self.delta.served = Some(load(&mut self.delta, now, self.policy.life, || from.delta()));
        }
    }

    /// Folds what is served, and how old it is, into a hash.
    pub(super) fn fingerprint(&self, mut into: &mut dyn Hasher) {
        self.apps.fresh.as_ref().map(|(apps, at)| (apps.instances(), at)).hash(&mut into);
        self.apps.served.as_ref().map(|apps| apps.instances()).hash(&mut into);
        self.delta.fresh.as_ref().map(|(delta, at)| (delta.changes(), at)).hash(&mut into);
        self.delta.served.as_ref().map(|delta| delta.changes()).hash(&mut into);
    }
}

/// The queue of recent changes (`recentlyChangedQueue`). It points at live objects: what a delta shows is their present state,
/// not that at the time of the change.
#[derive(Clone, Debug, Default)]
pub(super) struct RecentChanges {
    queue: VecDeque<(Holder, i64)>,
}

impl RecentChanges {
    /// Appends a change, whose reference the queue takes over.
    pub(super) fn push(&mut self, holder: Holder, now_ms: i64) {
        self.queue.push_back((holder, now_ms));
    }

    /// Drops what is older than `retention`, from the oldest, up to the first that is not.
    pub(super) fn retire(&mut self, now_ms: i64, retention: Duration, holders: &mut Holders) {
        let oldest_ms = now_ms - i64::try_from(retention.as_millis()).unwrap_or(i64::MAX);
        while let Some((holder, at_ms)) = self.queue.front()
            && *at_ms < oldest_ms
        {
            holders.release(*holder);
            self.queue.pop_front();
        }
    }

    /// The changed objects, the newest change first.
    pub(super) fn newest_first(&self) -> impl Iterator<Item = Holder> {
        self.queue.iter().rev().map(|(holder, _)| *holder)
    }

    /// Folds the queue into a hash.
    pub(super) fn fingerprint(&self, holders: &Holders, into: &mut dyn Hasher) {
        for (holder, at_ms) in &self.queue {
            holders.fingerprint(*holder, into);
            into.write_i64(*at_ms);
        }
    }
}
