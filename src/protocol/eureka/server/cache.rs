//! What readers get: the two levels of the response cache, and the queue of recent changes that the delta is made of.
//!
//! Readers see neither the registry nor each other's answers: an answer is generated when the first level has none, stays there
//! until a change throws it out or 180 s have passed, and is copied to the second level every 30 s, at instants that are the same
//! on all servers whose clocks agree. Payloads are shared, so an answer costs a reference count. That there is nothing to show is
//! an answer like any other, and is kept like one.
//!
//! A change throws out less than it touches: of VIPs only the whole text that the instance gives for its VIP, in the full form. A
//! key for one of several VIPs, or in the compact form, stays until it expires.
//!
//! A delta that is not made of copies (releases before 1.9.6) was written out after the registry had been let go of, so it could
//! show more than its hash counts. Here such a delta shows, for as long as it is kept, what its objects are whenever it is sent,
//! beside the hash of when it was generated.
//!
//! An instance that the encoder cannot write (one without an overridden status, where bean codecs read and write) blanks every list
//! in the full form that it would be in: what is kept then is that there is nothing to show. The compact form does not have the
//! field.
//!
//! Left out: the JSON and XML variants of each key, which all readers of one server share here.

use std::collections::{BTreeMap, VecDeque};
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use super::holders::{Holder, Holders};
use super::regions::Sources;
use super::store::Live;
use crate::protocol::Instant;
use crate::protocol::eureka::applications::{Applications, Delta};
use crate::protocol::eureka::instance::{About, InstanceInfo};
use crate::protocol::eureka::wire::{Query, Resource};

/// What a key stands for, ordered so that those that every change throws out come first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Key {
    resource: Resource,
    /// The regions asked for; never an empty list.
    regions: Option<Arc<[Arc<str>]>>,
    compact: bool,
}

impl Key {
    fn of(query: &Query) -> Key {
        let qualified = matches!(query.resource, Resource::Apps | Resource::Delta);
        let regions = query.regions.clone().filter(|regions| qualified && !regions.is_empty());
        Key { resource: query.resource.clone(), regions, compact: query.compact }
    }

    /// The key in the full form, for all regions.
    fn plain(resource: Resource) -> Key {
        Key { resource, regions: None, compact: false }
    }
}

/// What a reader gets.
#[derive(Clone, Debug)]
pub(super) enum Payload {
    /// The registry, or a part of it.
    Apps(Arc<Applications>),
    /// What changed lately, and the objects to be read again whenever it is sent, if that is so.
    Delta(Arc<Delta>, Option<Live>),
    /// There is no such application, or it could not be written.
    Nothing,
}

/// What is kept of one key.
#[derive(Clone, Debug, Default)]
struct Entry {
    /// First level: the payload and when it was generated.
    fresh: Option<(Payload, Instant)>,
    /// Second level, which lags.
    served: Option<Payload>,
}

/// How the cache works; read once, when the server starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CachePolicy {
    /// Whether there is a second level.
    pub(super) read_only: bool,
    /// How long a payload lives in the first.
    pub(super) life: Duration,
}

/// Deltas generated so far: of plain keys, and of those that name regions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Versions {
    plain: i64,
    qualified: i64,
}

/// The response cache (`ResponseCacheImpl`).
#[derive(Clone, Debug)]
pub(super) struct ResponseCache {
    policy: CachePolicy,
    /// What nearly everybody asks for: the registry and the delta, in the full form, without naming regions.
    apps: Entry,
    delta: Entry,
    others: BTreeMap<Key, Entry>,
    versions: Versions,
}

impl Entry {
    /// The payload of the first level, which is generated if there is none or if it has expired.
    fn load(&mut self, now: Instant, life: Duration, generate: impl FnOnce() -> Payload) -> Payload {
        if let Some((payload, generated)) = &self.fresh
            && now.since(*generated) < life
        {
            return payload.clone();
        }
        let payload = generate();
        self.fresh = Some((payload.clone(), now));
        payload
    }

    fn read(&mut self, now: Instant, policy: CachePolicy, generate: impl FnOnce() -> Payload) -> Payload {
        if !policy.read_only {
            return self.load(now, policy.life, generate);
        }
        if let Some(payload) = &self.served {
            return payload.clone();
        }
        let payload = self.load(now, policy.life, generate);
        self.served = Some(payload.clone());
        payload
    }

    fn fill(&mut self, now: Instant, policy: CachePolicy, generate: impl FnOnce() -> Payload) {
        if self.served.is_some() {
            self.served = Some(self.load(now, policy.life, generate));
        }
    }

    fn fingerprint(&self, into: &mut dyn Hasher) {
        for payload in [self.fresh.as_ref().map(|(payload, _)| payload), self.served.as_ref()] {
            payload.inspect(|payload| payload.fingerprint(into));
        }
        self.fresh.as_ref().inspect(|(_, at)| into.write_u64(at.0));
    }
}

impl Payload {
    fn fingerprint(&self, mut into: &mut dyn Hasher) {
        match self {
            Payload::Apps(apps) => apps.instances().hash(&mut into),
            Payload::Delta(delta, _) => (delta.changes(), delta.version()).hash(&mut into),
            Payload::Nothing => into.write_u8(0),
        }
    }
}

impl ResponseCache {
    /// An empty cache.
    pub(super) fn new(policy: CachePolicy) -> ResponseCache {
        ResponseCache {
            policy,
            apps: Entry::default(),
            delta: Entry::default(),
            others: BTreeMap::new(),
            versions: Versions::default(),
        }
    }

    /// A change to this instance throws out what the first level has. The second keeps what it serves.
    pub(super) fn invalidate(&mut self, info: &InstanceInfo) {
        (self.apps.fresh, self.delta.fresh) = (None, None);
        if self.others.is_empty() {
            return;
        }
        for (_, entry) in self.others.iter_mut().take_while(|(key, _)| key.resource <= Resource::Delta) {
            entry.fresh = None;
        }
        let app = Key::plain(Resource::App(info.app));
        let vip = info.about.vip.clone().map(|vip| Key::plain(Resource::Vip(vip)));
        let secure = info.about.secure_vip.clone().map(|vip| Key::plain(Resource::SecureVip(vip)));
        let compact_app = Key { compact: true, ..app.clone() };
        for key in [Some(app), Some(compact_app), vip, secure].into_iter().flatten() {
            if let Some(entry) = self.others.get_mut(&key) {
                entry.fresh = None;
            }
        }
    }

    /// What a reader gets.
    pub(super) fn read(&mut self, query: &Query, now: Instant, from: &mut Sources<'_>) -> Payload {
        let ResponseCache { policy, apps, delta, others, versions } = self;
        let common = !query.compact && query.regions.as_ref().is_none_or(|regions| regions.is_empty());
        let payload = match &query.resource {
            Resource::Apps if common => apps.read(now, *policy, || encoded(whole, from)),
            Resource::Delta if common => {
                delta.read(now, *policy, || encoded(|from| changes(None, versions, from), from))
            }
            _ => {
                let key = Key::of(query);
                let entry = others.entry(key.clone()).or_default();
                entry.read(now, *policy, || generate(&key, versions, from))
            }
        };
        match payload {
            Payload::Delta(delta, Some(live)) => {
                Payload::Delta(from.store.read_again(&delta, &live, query.compact), None)
            }
            payload => payload,
        }
    }

    /// Copies to the second level what somebody has asked for before.
    pub(super) fn fill(&mut self, now: Instant, from: &mut Sources<'_>) {
        let ResponseCache { policy, apps, delta, others, versions } = self;
        apps.fill(now, *policy, || encoded(whole, from));
        delta.fill(now, *policy, || encoded(|from| changes(None, versions, from), from));
        for (key, entry) in others {
            entry.fill(now, *policy, || generate(key, versions, from));
        }
    }

    /// Folds what is served, and how old it is, into a hash.
    pub(super) fn fingerprint(&self, mut into: &mut dyn Hasher) {
        self.apps.fingerprint(into);
        self.delta.fingerprint(into);
        for (key, entry) in &self.others {
            key.hash(&mut into);
            entry.fingerprint(into);
        }
    }
}

/// What the encoder makes of a payload in the full form: nothing, if it fails on one of the instances.
fn encoded(payload: impl FnOnce(&mut Sources<'_>) -> Payload, from: &mut Sources<'_>) -> Payload {
    let payload = payload(from);
    let instances = match &payload {
        Payload::Apps(apps) => apps.instances(),
        Payload::Delta(delta, _) => delta.changes(),
        Payload::Nothing => return payload,
    };
    let fails = !from.encodes_missing_override && instances.iter().any(|info| info.about.override_absent);
    if fails { Payload::Nothing } else { payload }
}

fn whole(from: &mut Sources<'_>) -> Payload {
    Payload::Apps(Arc::new(from.applications(None)))
}

fn changes(regions: Option<&[Arc<str>]>, versions: &mut Versions, from: &mut Sources<'_>) -> Payload {
    let version = if regions.is_some() { &mut versions.qualified } else { &mut versions.plain };
    *version += 1;
    let (changes, histogram) = from.changes(regions);
    let live = (!from.copies).then(|| from.store.keep_alive(&changes));
    let (infos, stamps) = changes.into_iter().map(|change| (change.info, change.stamps)).unzip();
    Payload::Delta(Arc::new(Delta::decorated(infos, stamps, histogram, *version)), live)
}

fn generate(key: &Key, versions: &mut Versions, from: &mut Sources<'_>) -> Payload {
    let mut payload = |from: &mut Sources<'_>| match &key.resource {
        Resource::Apps => Payload::Apps(Arc::new(from.applications(key.regions.as_deref()))),
        Resource::Delta => changes(key.regions.as_deref(), versions, from),
        Resource::App(app) => {
            from.application(*app).map_or(Payload::Nothing, |part| Payload::Apps(Arc::new(part)))
        }
        Resource::Vip(vip) => by_vip(vip, |about| about.vip.as_ref(), from),
        Resource::SecureVip(vip) => by_vip(vip, |about| about.secure_vip.as_ref(), from),
    };
    if !key.compact {
        return encoded(payload, from);
    }
    match payload(from) {
        Payload::Apps(apps) => Payload::Apps(Arc::new(apps.compact())),
        Payload::Delta(delta, live) => Payload::Delta(Arc::new(delta.compact()), live),
        Payload::Nothing => Payload::Nothing,
    }
}

/// The instances that give this text as one of their VIPs, to the letter. That there are none is an answer with no instances.
fn by_vip(vip: &str, given: impl Fn(&About) -> Option<&Arc<str>>, from: &mut Sources<'_>) -> Payload {
    let all = from.applications(None);
    let gives = |info: &InstanceInfo| {
        given(&info.about).is_some_and(|given| given.split(',').any(|given| given == vip))
    };
    let wanted = all.entries().filter(|(info, _)| gives(info));
    let (instances, stamps) = wanted.map(|(info, stamps)| (Arc::clone(info), stamps)).unzip();
    Payload::Apps(Arc::new(Applications::decorated(instances, stamps).with_version(-1)))
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
