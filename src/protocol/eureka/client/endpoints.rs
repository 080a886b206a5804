//! Which servers a client knows, in which order it tries them, and which of them are in quarantine.
//!
//! One list serves both chains of the transport, as upstream: own zone first, each part in random order, shuffled again at
//! every resolution. The quarantine of a chain is a mark on the entries of this list, so that it needs no memory of its own;
//! it is the same set as upstream's, which is intersected with the list before each use.
//!
//! A list may also come out of the registry itself ([`super::resolver`]); then it is replaced from there. Left out: DNS lists,
//! which the plan resolves; they come here as configured ones.

use std::time::Duration;

use rand::Rng;

use super::NEVER;
use crate::protocol::eureka::node::ServiceUrl;
use crate::protocol::{Address, Instant, Stream};

/// Which of the two independent transports a request takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    /// Register, heartbeat, cancel.
    Registration,
    /// Reads of the registry.
    Query,
}

/// Most servers that one request can get to: it makes three attempts.
pub const ATTEMPTS: u8 = 3;

/// The head of the list as one request sees it. What lies behind the third entry can never be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Candidates {
    addresses: [Address; ATTEMPTS as usize],
    count: u8,
}

impl Candidates {
    /// The head of a list.
    pub fn of(list: impl Iterator<Item = Address>) -> Candidates {
        let mut candidates = Candidates::none();
        for address in list.take(usize::from(ATTEMPTS)) {
            candidates.addresses[usize::from(candidates.count)] = address;
            candidates.count += 1;
        }
        candidates
    }

    /// No candidates.
    pub fn none() -> Candidates {
        Candidates { addresses: [Address(0); ATTEMPTS as usize], count: 0 }
    }

    /// The `n`-th, counted from 0.
    pub fn get(&self, n: u8) -> Option<Address> {
        self.addresses[..usize::from(self.count)].get(usize::from(n)).copied()
    }
}

/// A server, before it is known in which order it comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Found {
    /// Where it is.
    pub address: Address,
    /// Whether it is in the client's own zone.
    pub own_zone: bool,
}

impl Found {
    /// The configured servers.
    pub fn configured(urls: &[ServiceUrl], zone: &str) -> Vec<Found> {
        let found =
            |url: &ServiceUrl| Found { address: url.address, own_zone: url.zone.eq_ignore_ascii_case(zone) };
        urls.iter().map(found).collect()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Endpoint {
    found: Found,
    /// By channel.
    quarantined: [bool; 2],
}

/// How a list is put in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Order {
    /// Own zone first, each part in random order.
    Shuffled,
    /// Own zone first, as written.
    Written,
    /// As it came, whatever the zone.
    AsFound,
}

impl Order {
    /// By the switch `shuffle_servers`.
    pub fn shuffled(shuffle: bool) -> Order {
        if shuffle { Order::Shuffled } else { Order::Written }
    }
}

fn arrange(list: &mut [Endpoint], order: Order, random: &mut Stream) {
    if order == Order::AsFound {
        return;
    }
    list.sort_by_key(|endpoint| !endpoint.found.own_zone);
    if order == Order::Shuffled {
        let own = list.partition_point(|endpoint| endpoint.found.own_zone);
        let (own, others) = list.split_at_mut(own);
        shuffle(own, random);
        shuffle(others, random);
    }
}

/// Every order with the same chance (Fisher and Yates).
pub fn shuffle<T>(part: &mut [T], random: &mut Stream) {
    for last in (1..part.len()).rev() {
        let bound = u32::try_from(last).expect("a list of 32 bits at most");
        part.swap(last, random.random_range(0..=bound) as usize);
    }
}

/// The servers that a client knows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoints {
    list: Box<[Endpoint]>,
    /// When the list is resolved again. Armed by the first request that needs the list.
    due: Instant,
}

impl Endpoints {
    /// No servers.
    pub fn none() -> Endpoints {
        Endpoints { list: [].into(), due: NEVER }
    }

    /// Resolves the list for the first time.
    pub fn new(urls: &[ServiceUrl], zone: &str, order: Order, random: &mut Stream) -> Endpoints {
        let mut endpoints = Endpoints::none();
        endpoints.replace(&Found::configured(urls, zone), order, random);
        endpoints
    }

    /// When the list is to be resolved again.
    pub fn due(&self) -> Instant {
        self.due
    }

    /// Resolves the list again, which shuffles it. `changed` is what it becomes, if the settings were changed.
    pub fn resolve(
        &mut self,
        changed: Option<Vec<Found>>,
        interval: Duration,
        order: Order,
        now: Instant,
        random: &mut Stream,
    ) {
        match changed {
            Some(found) => self.replace(&found, order, random),
            None => arrange(&mut self.list, order, random),
        }
        self.due = now + interval;
    }

    /// The list becomes this one. Servers that stay on it stay in quarantine.
    pub fn replace(&mut self, found: &[Found], order: Order, random: &mut Stream) {
        let endpoint = |found: &Found| {
            let known = self.list.iter().find(|known| known.found.address == found.address);
            Endpoint { found: *found, quarantined: known.map_or([false; 2], |known| known.quarantined) }
        };
        self.list = found.iter().map(endpoint).collect();
        arrange(&mut self.list, order, random);
    }

    /// The servers that a new request may try. A quarantine that holds `refresh_share` of the list is lifted.
    ///
    /// A URL may stand on the list several times, under several zones. It is quarantined once, but it counts as often as it
    /// stands there for the length of the list; so a list can be in quarantine as a whole and stay there.
    pub fn candidates(&mut self, channel: Channel, refresh_share: f64) -> Candidates {
        let size = self.list.len();
        let threshold = ((size as f64 * refresh_share) as usize).min(size);
        let in_quarantine = self.in_quarantine(channel);
        if in_quarantine > 0 && in_quarantine >= threshold {
            self.lift(channel);
        }
        let free = self.list.iter().filter(|endpoint| !endpoint.quarantined[channel as usize]);
        Candidates::of(free.map(|endpoint| endpoint.found.address))
    }

    /// The head of the list, whatever is in quarantine.
    pub fn all(&self) -> Candidates {
        Candidates::of(self.list.iter().map(|endpoint| endpoint.found.address))
    }

    /// The list is in use from now on: it will be resolved again after `interval`.
    pub fn arm(&mut self, interval: Duration, now: Instant) {
        if self.due == NEVER {
            self.due = now + interval;
        }
    }

    /// Nobody needs the list any more.
    pub fn disarm(&mut self) {
        self.due = NEVER;
    }

    /// Puts a server in quarantine, if it is on the list.
    pub fn quarantine(&mut self, channel: Channel, address: Address) {
        for endpoint in self.list.iter_mut().filter(|endpoint| endpoint.found.address == address) {
            endpoint.quarantined[channel as usize] = true;
        }
    }

    /// Empties the quarantine of a channel.
    pub fn lift(&mut self, channel: Channel) {
        self.list.iter_mut().for_each(|endpoint| endpoint.quarantined[channel as usize] = false);
    }

    /// How many different URLs are in quarantine.
    pub fn in_quarantine(&self, channel: Channel) -> usize {
        let list = &self.list;
        let first_of_its_url =
            |at: usize| list[..at].iter().all(|other| other.found.address != list[at].found.address);
        (0..list.len()).filter(|at| list[*at].quarantined[channel as usize] && first_of_its_url(*at)).count()
    }
}

#[cfg(test)]
impl Endpoints {
    /// A list in exactly this order.
    pub fn in_order(addresses: &[u32]) -> Endpoints {
        let found = |address: &u32| Found { address: Address(*address), own_zone: true };
        let endpoint = |address| Endpoint { found: found(address), quarantined: [false; 2] };
        Endpoints { list: addresses.iter().map(endpoint).collect(), ..Endpoints::none() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Key;
    use std::collections::BTreeMap;

    fn urls(list: &[(&str, u32)]) -> Vec<ServiceUrl> {
        let url = |(zone, n): &(&str, u32)| ServiceUrl {
            zone: (*zone).into(),
            host: format!("h{n}").into(),
            address: Address(*n),
        };
        list.iter().map(url).collect()
    }

    fn order(endpoints: &Endpoints) -> Vec<u32> {
        endpoints.list.iter().map(|endpoint| endpoint.found.address.0).collect()
    }

    #[test]
    fn the_own_zone_comes_first_and_all_orders_are_equally_frequent() {
        let urls = urls(&[("b", 4), ("A", 1), ("b", 5), ("a", 2), ("a", 3)]);
        let mut random = Key::root(1).small();
        let mut endpoints = Endpoints::new(&urls, "a", Order::Shuffled, &mut random);
        let mut seen = BTreeMap::new();
        for _ in 0..12_000 {
            let order = order(&endpoints);
            assert!(order[..3].iter().all(|n| *n <= 3), "own zone first: {order:?}");
            *seen.entry(order).or_insert(0) += 1;
            endpoints.resolve(None, Duration::from_secs(300), Order::Shuffled, Instant(0), &mut random);
        }
        assert_eq!(seen.len(), 12, "3! x 2! orders");
        assert!(seen.values().all(|count| (850..1150).contains(count)), "{seen:?}");
    }

    #[test]
    fn without_the_shuffle_the_order_is_the_written_one_own_zone_first() {
        let urls = urls(&[("b", 4), ("A", 1), ("b", 5), ("a", 3), ("a", 2)]);
        let mut random = Key::root(1).small();
        let mut endpoints = Endpoints::new(&urls, "a", Order::Written, &mut random);
        assert_eq!(order(&endpoints), [1, 3, 2, 4, 5]);
        endpoints.resolve(None, Duration::from_secs(300), Order::Written, Instant(0), &mut random);
        assert_eq!(order(&endpoints), [1, 3, 2, 4, 5]);
        endpoints.replace(&Found::configured(&urls, "a"), Order::AsFound, &mut random);
        assert_eq!(order(&endpoints), [4, 1, 5, 3, 2]);
        assert_eq!(random, Key::root(1).small(), "and nothing is drawn");
    }

    /// The table of the reference, 6.7: how many must be in quarantine for it to be lifted.
    #[test]
    fn quarantine_thresholds() {
        for (size, threshold) in [(1, 0), (2, 1), (3, 1), (4, 2), (5, 3), (6, 3), (10, 6)] {
            for dead in 1..=size {
                let mut endpoints = Endpoints::in_order(&(0..size).collect::<Vec<_>>());
                (0..dead).for_each(|n| endpoints.quarantine(Channel::Query, Address(n)));
                let candidates = endpoints.candidates(Channel::Query, 0.66);
                let lifted = dead >= threshold;
                let first = if lifted { 0 } else { dead };
                assert_eq!(candidates.get(0), (first < size).then_some(Address(first)), "{dead} of {size}");
                assert_eq!(endpoints.in_quarantine(Channel::Query), if lifted { 0 } else { dead as usize });
            }
        }
    }

    #[test]
    fn a_url_in_many_zones_is_quarantined_once_and_can_shut_the_client_out() {
        let mut endpoints = Endpoints::in_order(&[7, 7, 7, 7]);
        endpoints.quarantine(Channel::Registration, Address(7));
        assert_eq!(endpoints.candidates(Channel::Registration, 0.66), Candidates::none());
        assert_eq!(endpoints.candidates(Channel::Query, 0.66).get(2), Some(Address(7)), "channels are apart");
    }

    #[test]
    fn servers_that_stay_on_a_changed_list_keep_their_quarantine() {
        let mut random = Key::root(2).small();
        let mut endpoints = Endpoints::new(&urls(&[("a", 1), ("b", 2)]), "a", Order::Shuffled, &mut random);
        endpoints.quarantine(Channel::Query, Address(2));
        let changed = Found::configured(&urls(&[("a", 3), ("a", 2), ("b", 4), ("b", 5)]), "A");
        endpoints.resolve(Some(changed), Duration::from_secs(300), Order::Shuffled, Instant(0), &mut random);
        let mut servers = order(&endpoints);
        servers.sort_unstable();
        assert_eq!(servers, [2, 3, 4, 5]);
        assert_eq!(endpoints.candidates(Channel::Query, 0.66).get(0), Some(Address(3)));
    }
}
