//! Regions, zones, hosts, and the quality of the paths between them.
//!
//! Separate because it needs nothing of the fleet but, for paths between single hosts, where the processes are.

use super::{Named, Resolver};
use crate::plan::world::{
    ClockError, DiskSpeed, Host, HostId, Latency, PathChange, Paths, Quality, RegionId, Zone, ZoneId,
};
use crate::scenario::diagnostic::{Span, Spanned};
use crate::scenario::selector::{Route, Selector, Who};
use crate::scenario::topology::{Latency as WrittenLatency, PathClass, Quality as Written};
use crate::scenario::units::Ratio;
use std::collections::BTreeMap;
use std::time::Duration;

/// The most pairs of hosts that may have a path of their own.
const MOST_PAIRS: usize = 100_000;

/// What one side of a path rule stands for.
enum Place {
    Region(RegionId),
    Zone(ZoneId),
    Hosts(Vec<HostId>),
}

impl Resolver<'_> {
    /// Regions, zones and the hosts that are named.
    pub(super) fn resolve_places(&mut self) {
        let scenario = self.scenario;
        for (region, zones) in &scenario.topology.regions {
            let id = RegionId(self.regions.len() as u32);
            self.regions.push(region.value.clone());
            self.name(region, Named::Region(id));
            if zones.is_empty() {
                self.error(
                    region.span,
                    format!("a region without zones: `{}`", region.value),
                    Some("such as `[a]`".into()),
                );
            }
            for zone in zones {
                let zone_id = ZoneId(self.zones.len() as u32);
                self.zones.push(Zone { name: zone.value.clone(), region: id });
                self.name(zone, Named::Zone(zone_id));
            }
        }
        if self.zones.is_empty() {
            self.regions = vec!["local".to_owned()];
            self.zones = vec![Zone { name: "zone".to_owned(), region: RegionId(0) }];
        }
        for host in &scenario.topology.hosts {
            let zone = self.zone_of(host.zone.as_ref());
            let skew_ns = host.skew.as_ref().map_or(0, |skew| skew.nanos);
            let drift_ppm =
                host.drift.as_ref().map_or(0, |drift| self.ppm(drift.parts_per_billion, drift.span));
            let clock = ClockError { skew_ns, drift_ppm };
            let id = self.add_host(host.name.value.clone(), zone);
            self.hosts[id.index()].clock = clock;
            self.name(&host.name, Named::Host(id));
        }
    }

    pub(super) fn add_host(&mut self, name: String, zone: ZoneId) -> HostId {
        self.hosts.push(Host { name, zone, clock: ClockError::default(), disk: DiskSpeed::default() });
        HostId(self.hosts.len() as u32 - 1)
    }

    /// The zone of that name; the first one if none is named.
    pub(super) fn zone_of(&mut self, name: Option<&Spanned<String>>) -> ZoneId {
        let Some(name) = name else { return ZoneId(0) };
        match self.zones.iter().position(|zone| zone.name == name.value) {
            Some(at) => ZoneId(at as u32),
            None => {
                let valid = self.zones.iter().map(|zone| zone.name.clone()).collect();
                self.unknown("zone", name, valid).unwrap_or(ZoneId(0))
            }
        }
    }

    /// Parts per billion as whole parts per million, which is what a clock can be off by.
    pub(super) fn ppm(&mut self, parts_per_billion: i64, span: Span) -> i32 {
        if parts_per_billion % 1000 != 0 {
            self.error(span, "a drift finer than 1 ppm", Some("whole `ppm`".into()));
        }
        (parts_per_billion / 1000) as i32
    }

    /// Parts per billion as whole parts per million, which is what a path counts in.
    fn share(&mut self, ratio: &Spanned<Ratio>) -> u32 {
        if !ratio.parts_per_billion.is_multiple_of(1000) {
            self.error(ratio.span, "a share of packets finer than 1 ppm", Some("at least `0.0001%`".into()));
        }
        ratio.parts_per_billion / 1000
    }

    /// The quality of every class of path: the general classes first, then regions, zones, hosts, so that what a more special
    /// rule leaves open is taken from the more general one.
    pub(super) fn resolve_paths(&mut self) -> Paths {
        let mut paths = Paths::default();
        let scenario = self.scenario;
        let mut between = Vec::new();
        for rule in &scenario.topology.paths {
            let class = match &rule.class {
                PathClass::SameHost => &mut paths.same_host,
                PathClass::SameZone => &mut paths.same_zone,
                PathClass::SameRegion => &mut paths.same_region,
                PathClass::CrossRegion => &mut paths.cross_region,
                PathClass::Between(route) => {
                    let ends = (self.place(&route.from), self.place(&route.to));
                    if let (Some(from), Some(to)) = ends {
                        between.push((route, from, to, &rule.quality));
                    }
                    continue;
                }
            };
            let change = self.path_change(&rule.quality);
            apply(class, change);
        }
        let rank = |place: &Place| match place {
            Place::Region(_) => 0,
            Place::Zone(_) => 1,
            Place::Hosts(_) => 2,
        };
        between.sort_by_key(|(_, from, to, _)| rank(from).max(rank(to)));
        let mut pairs = BTreeMap::new();
        for (route, from, to, quality) in between {
            let change = self.path_change(quality);
            self.add_paths(&mut paths, &mut pairs, route, &from, &to, &change);
            if route.both_ways {
                self.add_paths(&mut paths, &mut pairs, route, &to, &from, &change);
            }
        }
        paths.hosts = pairs.into_iter().map(|((from, to), quality)| (from, to, quality)).collect();
        paths
    }

    fn place(&mut self, who: &Who) -> Option<Place> {
        match &who.value {
            Selector::Region(name) => self.place_named(&Spanned::new(name.clone(), who.span)),
            Selector::Zone(name) => self.place_named(&Spanned::new(name.clone(), who.span)),
            Selector::Name(name) => match self.names.get(name) {
                Some(Named::Region(_) | Named::Zone(_)) => {
                    self.place_named(&Spanned::new(name.clone(), who.span))
                }
                _ => self.hosts_of(who).map(Place::Hosts),
            },
            _ => self.hosts_of(who).map(Place::Hosts),
        }
    }

    fn place_named(&mut self, name: &Spanned<String>) -> Option<Place> {
        match self.names.get(&name.value) {
            Some(Named::Region(region)) => Some(Place::Region(*region)),
            Some(Named::Zone(zone)) => Some(Place::Zone(*zone)),
            _ => {
                let valid =
                    self.regions.iter().cloned().chain(self.zones.iter().map(|zone| zone.name.clone()));
                let valid = valid.collect();
                self.unknown("region or zone", name, valid)
            }
        }
    }

    /// Adds the paths of one rule. `pairs` are those between single hosts, of which there may be very many.
    fn add_paths(
        &mut self,
        paths: &mut Paths,
        pairs: &mut BTreeMap<(HostId, HostId), Quality>,
        route: &Route,
        from: &Place,
        to: &Place,
        change: &PathChange,
    ) {
        match (from, to) {
            (Place::Region(from), Place::Region(to)) => {
                let base = if from == to { &paths.same_region } else { &paths.cross_region };
                let quality = changed(base, change);
                paths.regions.retain(|(a, b, _)| (a, b) != (from, to));
                paths.regions.push((*from, *to, quality));
            }
            (Place::Hosts(_), _) | (_, Place::Hosts(_)) => {
                let (from, to) = (self.hosts_in(from), self.hosts_in(to));
                if from.len().saturating_mul(to.len()).saturating_add(pairs.len()) > MOST_PAIRS {
                    let message = format!("more than {MOST_PAIRS} pairs of hosts with a path of their own");
                    return self.error(route.from.span, message, Some("a path between zones".into()));
                }
                for from in from {
                    for &to in to.iter().filter(|to| **to != from) {
                        let base = self.zone_quality(
                            paths,
                            self.hosts[from.index()].zone,
                            self.hosts[to.index()].zone,
                        );
                        pairs.insert((from, to), changed(base, change));
                    }
                }
            }
            (Place::Zone(_) | Place::Region(_), Place::Zone(_) | Place::Region(_)) => {
                for from in self.zones_in(from) {
                    for to in self.zones_in(to) {
                        let quality = changed(self.zone_quality(paths, from, to), change);
                        paths.zones.retain(|(a, b, _)| (*a, *b) != (from, to));
                        paths.zones.push((from, to, quality));
                    }
                }
            }
        }
    }

    fn zones_in(&self, place: &Place) -> Vec<ZoneId> {
        let all = (0..self.zones.len() as u32).map(ZoneId);
        match place {
            Place::Zone(zone) => vec![*zone],
            Place::Region(region) => all.filter(|zone| self.zones[zone.index()].region == *region).collect(),
            Place::Hosts(_) => Vec::new(),
        }
    }

    fn hosts_in(&self, place: &Place) -> Vec<HostId> {
        if let Place::Hosts(hosts) = place {
            return hosts.clone();
        }
        let zones = self.zones_in(place);
        let all = (0..self.hosts.len() as u32).map(HostId);
        all.filter(|host| zones.contains(&self.hosts[host.index()].zone)).collect()
    }

    /// The quality that the rules so far give to paths from one zone to another.
    fn zone_quality<'p>(&self, paths: &'p Paths, from: ZoneId, to: ZoneId) -> &'p Quality {
        if let Some((_, _, quality)) = paths.zones.iter().find(|(a, b, _)| (*a, *b) == (from, to)) {
            return quality;
        }
        let regions = (self.zones[from.index()].region, self.zones[to.index()].region);
        let by_region = paths.regions.iter().find(|(a, b, _)| (*a, *b) == regions);
        match (from == to, regions.0 == regions.1, by_region) {
            (true, ..) => &paths.same_zone,
            (false, _, Some((_, _, quality))) => quality,
            (false, true, None) => &paths.same_region,
            (false, false, None) => &paths.cross_region,
        }
    }

    /// A written quality in the units of the world.
    pub(super) fn path_change(&mut self, written: &Written) -> PathChange {
        let floor = written.floor();
        let jitter = written.jitter.as_ref().map_or(Duration::ZERO, |jitter| jitter.value);
        let latency = match (&written.latency, written.distance.is_some()) {
            (Some(latency), _) => Some(latency_of(&latency.value, jitter, floor)),
            (None, true) => Some(Latency::Fixed(floor)),
            (None, false) => None,
        };
        PathChange {
            latency,
            loss_ppm: written.loss.as_ref().map(|loss| self.share(&loss.share)),
            burst: written.loss.as_ref().and_then(|loss| Some(loss.burst.as_ref()?.value)),
            duplicate_ppm: written.duplication.as_ref().map(|share| self.share(share)),
            reorder_ppm: written.reordering.as_ref().map(|share| self.share(share)),
            bandwidth: written.bandwidth.as_ref().map(|bandwidth| (bandwidth.bits_per_second / 8).max(1)),
        }
    }
}

fn latency_of(written: &WrittenLatency, jitter: Duration, floor: Duration) -> Latency {
    match written {
        WrittenLatency::Fixed(fixed) if jitter.is_zero() => Latency::Fixed(*fixed),
        WrittenLatency::Fixed(fixed) => {
            Latency::Uniform(fixed.saturating_sub(jitter).max(floor), *fixed + jitter)
        }
        WrittenLatency::Uniform(range) => Latency::Uniform(range.low, range.high),
        WrittenLatency::Normal { mean, deviation } => {
            Latency::Normal { mean: *mean, deviation: *deviation, floor }
        }
        WrittenLatency::Lognormal { median, p99 } => Latency::Lognormal { median: *median, p99: *p99, floor },
        WrittenLatency::Pareto { least, p99 } => {
            // A Pareto variable exceeds x with probability (least / x)^alpha: 1 % at the p99.
            let alpha = libm::log(100.0) / libm::log(p99.as_secs_f64() / least.as_secs_f64());
            Latency::Pareto { floor: *least, alpha_milli: (alpha * 1000.0).clamp(1.0, 1e9) as u32 }
        }
        WrittenLatency::Quantiles(quantiles) => Latency::Quantiles(quantiles.clone()),
    }
}

fn changed(base: &Quality, change: &PathChange) -> Quality {
    let mut quality = base.clone();
    apply(&mut quality, change.clone());
    quality
}

fn apply(quality: &mut Quality, change: PathChange) {
    let PathChange { latency, loss_ppm, burst, duplicate_ppm, reorder_ppm, bandwidth } = change;
    if let Some(latency) = latency {
        quality.latency = latency;
    }
    if let Some(loss_ppm) = loss_ppm {
        (quality.loss_ppm, quality.burst) = (loss_ppm, burst);
    }
    quality.duplicate_ppm = duplicate_ppm.unwrap_or(quality.duplicate_ppm);
    quality.reorder_ppm = reorder_ppm.unwrap_or(quality.reorder_ppm);
    quality.bandwidth = bandwidth.or(quality.bandwidth);
}
