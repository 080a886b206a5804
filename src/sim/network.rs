//! Paths between hosts: how good they are, and whether anything passes.
//!
//! Quality is kept per class of path (same host, zone, region, region pair, named pairs), so memory grows with zones and not
//! with pairs of hosts. A *cut* stops every packet that is on its directed path at any moment of the cut: also one that was sent
//! before it began, and one that would arrive after it ends. Changes of latency, loss and bandwidth touch what is sent after
//! they begin. The path of a host to itself is never cut.

use crate::plan::world::{Fault, HostId, PathChange, Paths, Quality, World};
use crate::protocol::random::happens;
use crate::protocol::{Key, SimTime};

use super::latency::Distribution;

/// First retransmission of unacknowledged data; it doubles. Linux: `TCP_RTO_MIN`.
const RETRANSMIT_FIRST_NS: u64 = 200_000_000;
/// The retransmission interval stops doubling here. Linux: `TCP_RTO_MAX`.
const RETRANSMIT_LONGEST_NS: u64 = 120_000_000_000;
/// Unacknowledged data is given up after this time. Linux: `tcp_retries2` = 15 comes to 924 s.
pub(super) const GIVE_UP_NS: u64 = 900_000_000_000;
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
    zone_count: usize,
    /// By (source zone, target zone): an index into `qualities`.
    classes: Vec<u16>,
    same_host: u16,
    /// Named pairs of hosts, sorted.
    pairs: Vec<(HostId, HostId, u16)>,
    qualities: Vec<Prepared>,
    cuts: Vec<Cut>,
    changes: Vec<Change>,
    /// Cuts in force.
    active: usize,
    last_mended: SimTime,
}

#[derive(Clone, Debug)]
struct Prepared {
    latency: Distribution,
    loss_ppm: u32,
    duplicate_ppm: u32,
    reorder_ppm: u32,
    bandwidth: Option<u64>,
}

/// What is true of a path at one moment.
struct Current<'a> {
    latency: &'a Distribution,
    loss_ppm: u32,
    duplicate_ppm: u32,
    reorder_ppm: u32,
    bandwidth: Option<u64>,
}

#[derive(Clone, Debug)]
struct Cut {
    step: u32,
    shape: Shape,
    mended: Option<SimTime>,
}

#[derive(Clone, Debug)]
enum Shape {
    /// Group of each host; 0 is none.
    Groups(Box<[u16]>),
    OneWay(HostSet, HostSet),
}

#[derive(Clone, Debug)]
struct Change {
    step: u32,
    from: HostSet,
    to: HostSet,
    latency: Option<Distribution>,
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
    pub fn new(world: &World) -> Network {
        let mut qualities = Vec::new();
        let mut add = |quality: &Quality| {
            qualities.push(Prepared::new(quality));
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
            zone_count: world.zones.len(),
            classes,
            same_host,
            pairs,
            qualities,
            cuts: Vec::new(),
            changes: Vec::new(),
            active: 0,
            last_mended: SimTime::ZERO,
        }
    }

    /// Whether a packet sent at `sent` that would arrive now meets a cut on its way.
    #[inline]
    pub fn blocked(&self, from: HostId, to: HostId, sent: SimTime) -> bool {
        (self.active > 0 || sent < self.last_mended) && self.blocked_by_some(from, to, sent)
    }

    #[cold]
    fn blocked_by_some(&self, from: HostId, to: HostId, sent: SimTime) -> bool {
        let in_force = |cut: &&Cut| cut.mended.is_none_or(|mended| sent < mended);
        from != to && self.cuts.iter().filter(in_force).any(|cut| cut.shape.stops(from, to))
    }

    /// The flight of one message over a TCP connection: loss costs time, not the message. A message counts as one packet for
    /// loss.
    #[inline]
    pub fn stream(
        &self,
        from: HostId,
        to: HostId,
        bytes: u32,
        draws: &Draws,
        purpose: Purpose,
        attempt: u32,
    ) -> Flight {
        let path = self.current(from, to);
        let mut first_ns = path.latency.at(draws.draw(purpose, attempt * 64));
        if path.loss_ppm > 0 {
            let mut lost = 0;
            while lost < 15 && happens(draws.draw(purpose, attempt * 64 + 1 + lost), path.loss_ppm) {
                first_ns = first_ns.saturating_add(retransmit_ns(lost));
                lost += 1;
            }
        }
        Flight { first_ns, last_ns: first_ns.saturating_add(transfer_ns(bytes, path.bandwidth)) }
    }

    /// The flight of one datagram, none if it is lost. `copy` is 0, or 1 for the second of a doubled one.
    pub fn packet(&self, from: HostId, to: HostId, bytes: u32, draws: &Draws, copy: u32) -> Option<u64> {
        let path = self.current(from, to);
        let draw = |n| draws.draw(Purpose::Datagram, copy * 64 + n);
        if happens(draw(1), path.loss_ppm) {
            return None;
        }
        let mut flight = path.latency.at(draw(0)).saturating_add(transfer_ns(bytes, path.bandwidth));
        if happens(draw(2), path.reorder_ppm) {
            let longest = path.latency.at(draw(3));
            flight = flight.saturating_add(((u128::from(draw(4)) * u128::from(longest)) >> 64) as u64 + 1);
        }
        Some(flight)
    }

    /// Whether a datagram is doubled.
    pub fn doubles(&self, from: HostId, to: HostId, draws: &Draws) -> bool {
        let duplicate_ppm = self.current(from, to).duplicate_ppm;
        duplicate_ppm > 0 && happens(draws.draw(Purpose::Duplicate, 0), duplicate_ppm)
    }

    /// A step's fault of the network begins; others are not for us.
    pub fn begin(&mut self, step: u32, fault: &Fault) {
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
            Fault::Path { from, to, change } => {
                self.changes.push(Change {
                    step,
                    from: HostSet::new(from, hosts),
                    to: HostSet::new(to, hosts),
                    latency: change.latency.as_ref().map(Distribution::new),
                    change: change.clone(),
                });
                return;
            }
            _ => return,
        };
        self.cuts.push(Cut { step, shape, mended: None });
        self.active += 1;
    }

    /// A step's fault of the network ends.
    pub fn end(&mut self, step: u32, now: SimTime) {
        self.changes.retain(|change| change.step != step);
        // What was given up long ago no longer asks about old cuts.
        self.cuts.retain(|cut| cut.mended.is_none_or(|mended| now.0 - mended.0 <= GIVE_UP_NS));
        for cut in self.cuts.iter_mut().filter(|cut| cut.step == step && cut.mended.is_none()) {
            cut.mended = Some(now);
            self.active -= 1;
            self.last_mended = now;
        }
    }

    #[inline]
    fn current(&self, from: HostId, to: HostId) -> Current<'_> {
        let class = self.class(from, to);
        let Prepared { latency, loss_ppm, duplicate_ppm, reorder_ppm, bandwidth } =
            &self.qualities[usize::from(class)];
        let mut current = Current {
            latency,
            loss_ppm: *loss_ppm,
            duplicate_ppm: *duplicate_ppm,
            reorder_ppm: *reorder_ppm,
            bandwidth: *bandwidth,
        };
        for change in &self.changes {
            if change.from.contains(from) && change.to.contains(to) {
                current.latency = change.latency.as_ref().unwrap_or(current.latency);
                let PathChange { latency: _, loss_ppm, duplicate_ppm, reorder_ppm, bandwidth } =
                    &change.change;
                current.loss_ppm = loss_ppm.unwrap_or(current.loss_ppm);
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
    fn new(quality: &Quality) -> Prepared {
        let Quality { latency, loss_ppm, duplicate_ppm, reorder_ppm, bandwidth } = quality;
        Prepared {
            latency: Distribution::new(latency),
            loss_ppm: *loss_ppm,
            duplicate_ppm: *duplicate_ppm,
            reorder_ppm: *reorder_ppm,
            bandwidth: *bandwidth,
        }
    }
}

impl Shape {
    fn stops(&self, from: HostId, to: HostId) -> bool {
        match self {
            Shape::Groups(of) => {
                let (source, target) = (of[from.index()], of[to.index()]);
                source != 0 && target != 0 && source != target
            }
            Shape::OneWay(sources, targets) => sources.contains(from) && targets.contains(to),
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
