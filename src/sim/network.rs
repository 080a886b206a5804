//! Paths between hosts: how good they are, and whether anything passes.
//!
//! Quality is kept per class of path (same host, zone, region, region pair, named pairs), so memory grows with zones and not
//! with pairs of hosts. A *cut* stops every packet that is on its directed path at any moment of the cut: also one that was sent
//! before it began, and one that would arrive after it ends. Changes of latency, loss and bandwidth touch what is sent after
//! they begin. The path of a host to itself is never cut.

use std::collections::VecDeque;
use std::time::Duration;

use crate::plan::world::{Fault, HostId, PathChange, Paths, Quality, World};
use crate::protocol::random::happens;
use crate::protocol::{Key, SimTime};

use super::latency::Distribution;
use super::ledger::PathClass;

/// First retransmission of unacknowledged data; it doubles. Linux: `TCP_RTO_MIN`.
const RETRANSMIT_FIRST_NS: u64 = 200_000_000;
/// The retransmission interval stops doubling here. Linux: `TCP_RTO_MAX`.
const RETRANSMIT_LONGEST_NS: u64 = 120_000_000_000;
/// Unacknowledged data is given up after this time. Linux: `tcp_retries2` = 15 comes to 924 s.
pub(super) const GIVE_UP_NS: u64 = 900_000_000_000;
/// The same once its sender has closed the connection. Linux: `tcp_orphan_retries`, 8 if unset, comes to 102 s.
pub(super) const ORPHAN_GIVE_UP_NS: u64 = 102_200_000_000;
/// First retransmission of a connection attempt; it doubles. Linux: `TCP_TIMEOUT_INIT`.
const CONNECT_RETRY_NS: u64 = 1_000_000_000;

/// What a draw is for: the third argument of [`Key::draw`]. Attempts of one leg are counted above these.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    Connect,
    Connected,
    Request,
    Answer,
    Forth,
    Back,
    Datagram,
    Duplicate,
    Probe,
    PowerLoss,
}

/// Where the draws of one message come from: its sender's key, its receiver, and how many there were before it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Draws {
    pub key: Key,
    pub channel: u32,
    pub receiver: u32,
    pub counter: u64,
}

impl Draws {
    pub fn draw(&self, purpose: Purpose, attempt: u32) -> u64 {
        self.key.draw(self.channel, self.receiver, purpose as u32 | attempt << 4, self.counter)
    }
}

/// From where to where something is sent, and when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hop {
    pub from: HostId,
    pub to: HostId,
    pub sent: SimTime,
}

/// When a message's first and last byte arrive, after its sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flight {
    pub first_ns: u64,
    pub last_ns: u64,
}

/// All paths of a world.
#[derive(Clone, Debug)]
pub(super) struct Network {
    zones: Vec<u32>,
    /// The region of each zone.
    regions: Vec<u32>,
    zone_count: usize,
    /// Where the bursts of loss of each zone's paths come from, and of the paths that a step changes.
    zone_numbers: Vec<u32>,
    key: Key,
    /// By (source zone, target zone): an index into `qualities`.
    classes: Vec<u16>,
    same_host: u16,
    /// Named pairs of hosts, sorted.
    pairs: Vec<(HostId, HostId, u16)>,
    qualities: Vec<Prepared>,
    /// Cuts in force.
    cuts: Vec<Cut>,
    /// Those that were mended, and when, the last one at the end: what was sent before may still be on its way.
    mended: VecDeque<(SimTime, Shape)>,
    changes: Vec<Change>,
    last_mended: SimTime,
}

#[derive(Clone, Debug)]
struct Prepared {
    latency: Distribution,
    loss: Loss,
    duplicate_ppm: u32,
    reorder_ppm: u32,
    bandwidth: Option<u64>,
}

/// What is true of a path at one moment.
struct Current<'a> {
    latency: &'a Distribution,
    loss: &'a Loss,
    duplicate_ppm: u32,
    reorder_ppm: u32,
    bandwidth: Option<u64>,
}

/// Which packets a path loses.
#[derive(Clone, Copy, Debug)]
struct Loss {
    ppm: u32,
    /// It loses all for a while rather than each on its own.
    bursts: Option<Bursts>,
}

/// Time cut into cycles of equal length, each with one burst of loss at a moment drawn for it: a pure function of key and time, so
/// that nothing has to be kept of any path.
#[derive(Clone, Copy, Debug)]
struct Bursts {
    key: Key,
    length_ns: u64,
    cycle_ns: u64,
}

#[derive(Clone, Debug)]
struct Cut {
    step: u32,
    shape: Shape,
}

#[derive(Clone, Debug)]
enum Shape {
    /// Group of each host; 0 is none.
    Groups(Box<[u16]>),
    OneWay(HostSet, HostSet),
    BothWays(HostSet, HostSet),
}

#[derive(Clone, Debug)]
struct Change {
    step: u32,
    from: HostSet,
    to: HostSet,
    latency: Option<Distribution>,
    loss: Option<Loss>,
    change: PathChange,
}

/// A set of hosts, one bit each.
#[derive(Clone, Debug)]
pub(super) struct HostSet(Box<[u64]>);

impl HostSet {
    pub fn new(hosts: &[HostId], count: usize) -> HostSet {
        let mut words = vec![0u64; count.div_ceil(64)].into_boxed_slice();
        for host in hosts {
            words[host.index() / 64] |= 1 << (host.index() % 64);
        }
        HostSet(words)
    }

    pub fn contains(&self, host: HostId) -> bool {
        self.0[host.index() / 64] >> (host.index() % 64) & 1 == 1
    }
}

impl Network {
    pub fn new(world: &World, key: Key) -> Network {
        let mut qualities = Vec::new();
        let mut add = |quality: &Quality| {
            qualities.push(Prepared::new(quality, key.child("zones")));
            u16::try_from(qualities.len() - 1).expect("fewer than 65,536 classes of path")
        };
        let Paths { same_host, same_zone, same_region, cross_region, zones, regions, hosts } = &world.paths;
        let same_host = add(same_host);
        let general = [add(same_zone), add(same_region), add(cross_region)];
        let regions: Vec<_> = regions.iter().map(|(from, to, quality)| (*from, *to, add(quality))).collect();
        let named: Vec<_> = zones.iter().map(|(from, to, quality)| (*from, *to, add(quality))).collect();
        let mut pairs: Vec<_> = hosts.iter().map(|(from, to, quality)| (*from, *to, add(quality))).collect();
        pairs.sort_by_key(|(from, to, _)| (*from, *to));
        let mut classes = Vec::with_capacity(world.zones.len() * world.zones.len());
        for (source, from) in world.zones.iter().enumerate() {
            for (target, to) in world.zones.iter().enumerate() {
                let by_zone = named.iter().find(|(a, b, _)| (a.index(), b.index()) == (source, target));
                let by_region = regions.iter().find(|(a, b, _)| (*a, *b) == (from.region, to.region));
                let default = match (source == target, from.region == to.region) {
                    (true, _) => general[0],
                    (false, true) => general[1],
                    (false, false) => general[2],
                };
                // A named region pair says how regions are joined, not how a zone is inside.
                let by_region = by_region.filter(|_| source != target).map(|(_, _, class)| *class);
                classes.push(by_zone.map(|(_, _, class)| *class).or(by_region).unwrap_or(default));
            }
        }
        Network {
            zones: world.hosts.iter().map(|host| host.zone.0).collect(),
            regions: world.zones.iter().map(|zone| zone.region.0).collect(),
            zone_count: world.zones.len(),
            zone_numbers: world.zones.iter().map(|zone| stable(key.child(&zone.name))).collect(),
            key,
            classes,
            same_host,
            pairs,
            qualities,
            cuts: Vec::new(),
            mended: VecDeque::new(),
            changes: Vec::new(),
            last_mended: SimTime::ZERO,
        }
    }

    /// How far apart two hosts are.
    #[inline]
    pub fn distance(&self, from: HostId, to: HostId) -> PathClass {
        let (source, target) = (self.zones[from.index()] as usize, self.zones[to.index()] as usize);
        match (source == target, self.regions[source] == self.regions[target]) {
            (true, _) if from == to => PathClass::SameHost,
            (true, _) => PathClass::SameZone,
            (false, true) => PathClass::SameRegion,
            (false, false) => PathClass::CrossRegion,
        }
    }

    /// Whether a packet sent at `sent` that would arrive now meets a cut on its way.
    #[inline]
    pub fn blocked(&self, from: HostId, to: HostId, sent: SimTime) -> bool {
        (!self.cuts.is_empty() || sent < self.last_mended) && self.blocked_by_some(from, to, sent)
    }

    #[cold]
    fn blocked_by_some(&self, from: HostId, to: HostId, sent: SimTime) -> bool {
        let stops = |shape: &Shape| shape.stops(from, to);
        let mended = || self.mended.iter().rev().take_while(|(mended, _)| sent < *mended);
        from != to
            && (self.cuts.iter().any(|cut| stops(&cut.shape)) || mended().any(|(_, shape)| stops(shape)))
    }

    /// The flight of one message over a TCP connection: loss costs time, not the message. A message counts as one packet for
    /// loss.
    #[inline]
    pub fn stream(&self, hop: Hop, bytes: u32, draws: &Draws, purpose: Purpose, attempt: u32) -> Flight {
        let path = self.current(hop.from, hop.to);
        let mut first_ns = path.latency.at(draws.draw(purpose, attempt * 64));
        if path.loss.ppm > 0 {
            let (mut lost, mut waited_ns) = (0, 0u64);
            while lost < 15 {
                let sent = SimTime(hop.sent.0.saturating_add(waited_ns));
                if !self
                    .loses(path.loss, Hop { sent, ..hop }, || draws.draw(purpose, attempt * 64 + 1 + lost))
                {
                    break;
                }
                waited_ns = waited_ns.saturating_add(retransmit_ns(lost));
                lost += 1;
            }
            first_ns = first_ns.saturating_add(waited_ns);
        }
        Flight { first_ns, last_ns: first_ns.saturating_add(transfer_ns(bytes, path.bandwidth)) }
    }

    /// The flight of one datagram, none if it is lost. `copy` is 0, or 1 for the second of a doubled one.
    pub fn packet(&self, hop: Hop, bytes: u32, draws: &Draws, copy: u32) -> Option<u64> {
        let path = self.current(hop.from, hop.to);
        let draw = |n| draws.draw(Purpose::Datagram, copy * 64 + n);
        if self.loses(path.loss, hop, || draw(1)) {
            return None;
        }
        let mut flight = path.latency.at(draw(0)).saturating_add(transfer_ns(bytes, path.bandwidth));
        if happens(draw(2), path.reorder_ppm) {
            let longest = path.latency.at(draw(3));
            flight = flight.saturating_add(((u128::from(draw(4)) * u128::from(longest)) >> 64) as u64 + 1);
        }
        Some(flight)
    }

    #[inline]
    fn loses(&self, loss: &Loss, hop: Hop, draw: impl FnOnce() -> u64) -> bool {
        match &loss.bursts {
            None => happens(draw(), loss.ppm),
            Some(bursts) => {
                let number = |host: HostId| self.zone_numbers[self.zones[host.index()] as usize];
                bursts.cover(hop.sent, number(hop.from), number(hop.to))
            }
        }
    }

    /// Whether a datagram is doubled.
    pub fn doubles(&self, from: HostId, to: HostId, draws: &Draws) -> bool {
        let duplicate_ppm = self.current(from, to).duplicate_ppm;
        duplicate_ppm > 0 && happens(draws.draw(Purpose::Duplicate, 0), duplicate_ppm)
    }

    /// A step's fault of the network begins; others are not for us.
    pub fn begin(&mut self, step: u32, name: &str, fault: &Fault) {
        let hosts = self.zones.len();
        let shape = match fault {
            Fault::Partition { groups } => {
                let mut of = vec![0u16; hosts].into_boxed_slice();
                for (number, group) in groups.iter().enumerate() {
                    for host in group {
                        of[host.index()] = u16::try_from(number + 1).expect("fewer than 65,535 groups");
                    }
                }
                Shape::Groups(of)
            }
            Fault::Cut { from, to } => Shape::OneWay(HostSet::new(from, hosts), HostSet::new(to, hosts)),
            Fault::Flap { from, to, both_ways: false, .. } => {
                Shape::OneWay(HostSet::new(from, hosts), HostSet::new(to, hosts))
            }
            Fault::Flap { from, to, both_ways: true, .. } => {
                Shape::BothWays(HostSet::new(from, hosts), HostSet::new(to, hosts))
            }
            Fault::Path { from, to, change } => {
                self.changes.push(Change {
                    step,
                    from: HostSet::new(from, hosts),
                    to: HostSet::new(to, hosts),
                    latency: change.latency.as_ref().map(Distribution::new),
                    loss: change
                        .loss_ppm
                        .map(|ppm| Loss::new(ppm, change.burst, self.key.child("step").child(name))),
                    change: change.clone(),
                });
                return;
            }
            _ => return,
        };
        self.cuts.push(Cut { step, shape });
    }

    /// A step's fault of the network ends.
    pub fn end(&mut self, step: u32, now: SimTime) {
        self.changes.retain(|change| change.step != step);
        for Cut { shape, .. } in self.cuts.extract_if(.., |cut| cut.step == step) {
            self.mended.push_back((now, shape));
            self.last_mended = now;
        }
        // What was given up long ago no longer asks about old cuts.
        while self.mended.front().is_some_and(|(mended, _)| now.0 - mended.0 > GIVE_UP_NS) {
            self.mended.pop_front();
        }
    }

    #[inline]
    fn current(&self, from: HostId, to: HostId) -> Current<'_> {
        let class = self.class(from, to);
        let Prepared { latency, loss, duplicate_ppm, reorder_ppm, bandwidth } =
            &self.qualities[usize::from(class)];
        let mut current = Current {
            latency,
            loss,
            duplicate_ppm: *duplicate_ppm,
            reorder_ppm: *reorder_ppm,
            bandwidth: *bandwidth,
        };
        for change in &self.changes {
            if change.from.contains(from) && change.to.contains(to) {
                current.latency = change.latency.as_ref().unwrap_or(current.latency);
                let PathChange { latency: _, loss_ppm: _, burst: _, duplicate_ppm, reorder_ppm, bandwidth } =
                    &change.change;
                current.loss = change.loss.as_ref().unwrap_or(current.loss);
                current.duplicate_ppm = duplicate_ppm.unwrap_or(current.duplicate_ppm);
                current.reorder_ppm = reorder_ppm.unwrap_or(current.reorder_ppm);
                current.bandwidth = bandwidth.or(current.bandwidth);
            }
        }
        current
    }

    #[inline]
    fn class(&self, from: HostId, to: HostId) -> u16 {
        if !self.pairs.is_empty()
            && let Ok(at) = self.pairs.binary_search_by_key(&(from, to), |(from, to, _)| (*from, *to))
        {
            return self.pairs[at].2;
        }
        if from == to {
            return self.same_host;
        }
        let (source, target) = (self.zones[from.index()], self.zones[to.index()]);
        self.classes[source as usize * self.zone_count + target as usize]
    }
}

impl Prepared {
    fn new(quality: &Quality, key: Key) -> Prepared {
        let Quality { latency, loss_ppm, burst, duplicate_ppm, reorder_ppm, bandwidth } = quality;
        Prepared {
            latency: Distribution::new(latency),
            loss: Loss::new(*loss_ppm, *burst, key),
            duplicate_ppm: *duplicate_ppm,
            reorder_ppm: *reorder_ppm,
            bandwidth: *bandwidth,
        }
    }
}

impl Loss {
    fn new(ppm: u32, burst: Option<Duration>, key: Key) -> Loss {
        let bursts = burst.filter(|_| ppm > 0).map(|length| {
            let length_ns = u64::try_from(length.as_nanos()).unwrap_or(u64::MAX).max(1);
            let cycle_ns = u128::from(length_ns) * 1_000_000 / u128::from(ppm);
            Bursts { key, length_ns, cycle_ns: u64::try_from(cycle_ns).unwrap_or(u64::MAX).max(length_ns) }
        });
        Loss { ppm, bursts }
    }
}

impl Bursts {
    /// Whether a moment lies in a burst of the paths between these zones.
    fn cover(&self, at: SimTime, from: u32, to: u32) -> bool {
        let (cycle, within) = (at.0 / self.cycle_ns, at.0 % self.cycle_ns);
        let room = u128::from(self.cycle_ns - self.length_ns) + 1;
        let begin = ((u128::from(self.key.draw(from, to, 0, cycle)) * room) >> 64) as u64;
        (begin..begin + self.length_ns).contains(&within)
    }
}

/// A number that does not depend on how many others there are.
fn stable(key: Key) -> u32 {
    key.draw(0, 0, 0, 0) as u32
}

impl Shape {
    fn stops(&self, from: HostId, to: HostId) -> bool {
        match self {
            Shape::Groups(of) => {
                let (source, target) = (of[from.index()], of[to.index()]);
                source != 0 && target != 0 && source != target
            }
            Shape::OneWay(sources, targets) => sources.contains(from) && targets.contains(to),
            Shape::BothWays(ones, others) => {
                ones.contains(from) && others.contains(to) || others.contains(from) && ones.contains(to)
            }
        }
    }
}

/// How long TCP waits for an acknowledgement before it sends data for the (`attempt` + 2)-th time.
pub(super) fn retransmit_ns(attempt: u32) -> u64 {
    (RETRANSMIT_FIRST_NS << attempt.min(20)).min(RETRANSMIT_LONGEST_NS)
}

/// How long TCP waits before it tries to connect for the (`attempt` + 2)-th time.
pub(super) fn connect_retry_ns(attempt: u32) -> u64 {
    CONNECT_RETRY_NS << attempt.min(6)
}

fn transfer_ns(bytes: u32, bandwidth: Option<u64>) -> u64 {
    match bandwidth {
        None => 0,
        Some(per_second) => u64::from(bytes) * 1_000_000_000 / per_second.max(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::world::{Latency, RegionId, Zone, ZoneId};
    use crate::sim::tests::toy::{fixed, quality, world};

    const DRAWS: fn() -> Draws = || Draws { key: Key::root(1), channel: 0, receiver: 0, counter: 0 };

    fn hop(from: u32, to: u32) -> Hop {
        Hop { from: HostId(from), to: HostId(to), sent: SimTime::ZERO }
    }

    fn latency_ms(network: &Network, from: u32, to: u32) -> u64 {
        let flight = network.stream(hop(from, to), 0, &DRAWS(), Purpose::Request, 0);
        flight.first_ns / 1_000_000
    }

    /// Hosts 0 and 1 in the first zone, 2 in the second one of the region, 3 in another region.
    fn two_regions() -> World {
        let mut world = world(&["a", "b", "c", "d"]);
        world.regions = vec!["near".into(), "far".into()];
        let zone = |name: &str, region| Zone { name: name.into(), region: RegionId(region) };
        world.zones = vec![zone("n1", 0), zone("n2", 0), zone("f1", 1)];
        world.hosts[2].zone = ZoneId(1);
        world.hosts[3].zone = ZoneId(2);
        world
    }

    #[test]
    fn a_path_has_the_quality_of_its_most_special_class() {
        let mut world = two_regions();
        let general = Network::new(&world, Key::root(1));
        let check = |network: &Network, expected: [(u32, u32, u64); 5]| {
            for (from, to, expected) in expected {
                assert_eq!(latency_ms(network, from, to), expected, "from {from} to {to}");
            }
        };
        check(&general, [(0, 0, 0), (0, 1, 10), (0, 2, 20), (0, 3, 30), (3, 0, 30)]);
        world.paths.regions =
            vec![(RegionId(0), RegionId(1), fixed(31)), (RegionId(0), RegionId(0), fixed(21))];
        check(
            &Network::new(&world, Key::root(1)),
            [(0, 1, 10), (0, 2, 21), (0, 3, 31), (2, 3, 31), (3, 0, 30)],
        );
        world.paths.zones = vec![(ZoneId(0), ZoneId(2), fixed(32)), (ZoneId(0), ZoneId(0), fixed(11))];
        check(
            &Network::new(&world, Key::root(1)),
            [(0, 0, 0), (0, 1, 11), (0, 3, 32), (2, 3, 31), (3, 0, 30)],
        );
        world.paths.hosts = vec![(HostId(0), HostId(3), fixed(33)), (HostId(0), HostId(0), fixed(1))];
        check(
            &Network::new(&world, Key::root(1)),
            [(0, 0, 1), (1, 1, 0), (0, 3, 33), (1, 3, 32), (3, 0, 30)],
        );
    }

    #[test]
    fn changes_of_a_path_add_up_and_end() {
        let mut network = Network::new(&two_regions(), Key::root(1));
        let fault = |change| Fault::Path { from: vec![HostId(0)], to: vec![HostId(1)], change };
        let slow = PathChange { latency: Some(fixed(500).latency), ..PathChange::default() };
        let narrow = PathChange { bandwidth: Some(1_000), ..PathChange::default() };
        network.begin(0, "", &fault(slow));
        network.begin(1, "", &fault(narrow));
        let flight = |network: &Network| {
            let flight = network.stream(hop(0, 1), 100, &DRAWS(), Purpose::Request, 0);
            (flight.first_ns / 1_000_000, flight.last_ns / 1_000_000)
        };
        assert_eq!((flight(&network), latency_ms(&network, 1, 0)), ((500, 600), 10));
        network.end(0, SimTime::ZERO);
        assert_eq!(flight(&network), (10, 110));
        network.end(1, SimTime::ZERO);
        assert_eq!(flight(&network), (10, 10));
    }

    #[test]
    fn groups_and_directions_are_cut_as_said() {
        let mut network = Network::new(&two_regions(), Key::root(1));
        let hosts = |hosts: &[u32]| hosts.iter().copied().map(HostId).collect::<Vec<_>>();
        let blocked =
            |network: &Network, from, to, sent| network.blocked(HostId(from), HostId(to), SimTime(sent));
        network.begin(0, "", &Fault::Partition { groups: vec![hosts(&[0, 1]), hosts(&[2])] });
        assert!(blocked(&network, 0, 2, 5) && blocked(&network, 2, 1, 5));
        assert!(!blocked(&network, 0, 1, 5), "one group");
        assert!(!blocked(&network, 0, 3, 5) && !blocked(&network, 3, 2, 5), "in no group");
        network.begin(1, "", &Fault::Cut { from: hosts(&[0]), to: hosts(&[0, 3]) });
        assert!(blocked(&network, 0, 3, 5) && !blocked(&network, 3, 0, 5));
        assert!(!blocked(&network, 0, 0, 5), "a host reaches itself");
        network.end(0, SimTime(10));
        assert!(blocked(&network, 0, 2, 9) && !blocked(&network, 0, 2, 10), "sent before or after the end");
        network.end(1, SimTime(20));
        assert!(!blocked(&network, 0, 3, 20));
    }

    #[test]
    fn loss_of_a_stream_is_a_retransmission_that_doubles() {
        let mut world = two_regions();
        world.paths.same_zone =
            Quality { loss_ppm: 500_000, ..quality(Latency::Fixed(std::time::Duration::ZERO)) };
        let network = Network::new(&world, Key::root(1));
        let mut seen = std::collections::BTreeSet::new();
        for counter in 0..200 {
            let draws = Draws { counter, ..DRAWS() };
            let flight = network.stream(hop(0, 1), 0, &draws, Purpose::Request, 0);
            seen.insert(flight.first_ns / 1_000_000);
        }
        let first: Vec<u64> = seen.into_iter().take(5).collect();
        assert_eq!(first, [0, 200, 600, 1_400, 3_000]);
        assert_eq!(retransmit_ns(30), RETRANSMIT_LONGEST_NS);
    }
}
