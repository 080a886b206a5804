//! Where things are and how good the paths between them are.
//!
//! Separate because the quality of a path is written the same way in the topology and in the timeline. Names are not looked up
//! here; that what is written is possible (nothing is faster than light in glass) is.

use super::diagnostic::{Span, Spanned};
use super::read::{Fields, FromNode, Reader};
use super::selector::{Route, Selector, Who};
use super::tree::{Node, Value};
use super::units::{Bandwidth, Distance, Drift, Offset, Range, Ratio, Shown};
use std::time::Duration;

/// The `topology:` block.
#[derive(Clone, Debug, Default)]
pub struct Topology {
    /// Regions and their zones, in the order written.
    pub regions: Vec<(Spanned<String>, Vec<Spanned<String>>)>,
    /// Qualities of paths, in the order written.
    pub paths: Vec<PathRule>,
    /// Hosts that are named. Every process without one gets a host of its own.
    pub hosts: Vec<Host>,
    /// Addresses that are not simply those of a server.
    pub addresses: Vec<(Spanned<String>, Behind)>,
    /// How balancers look after those behind an address.
    pub checks: Vec<(Spanned<String>, Probe)>,
    /// DNS records of type TXT: the names that each one lists.
    pub dns: Vec<(Spanned<String>, Vec<Spanned<String>>)>,
}

/// One line of `paths:`.
#[derive(Clone, Debug)]
pub struct PathRule {
    /// Which paths.
    pub class: PathClass,
    /// How good they are.
    pub quality: Quality,
}

/// Which paths a rule is about.
#[derive(Clone, Debug)]
pub enum PathClass {
    /// Between processes on one host.
    SameHost,
    /// Between hosts of one zone.
    SameZone,
    /// Between zones of one region.
    SameRegion,
    /// Between regions.
    CrossRegion,
    /// Between two named regions, zones or hosts.
    Between(Route),
}

/// The quality of a path. What is `None` is left as it is.
#[derive(Clone, Debug, Default)]
pub struct Quality {
    /// One-way latency.
    pub latency: Option<Spanned<Latency>>,
    /// A fixed latency varies evenly by so much in both directions.
    pub jitter: Option<Spanned<Duration>>,
    /// How far it is. The latency is never below 4.9 us per kilometre.
    pub distance: Option<Spanned<Distance>>,
    /// Packets lost.
    pub loss: Option<Loss>,
    /// Share of packets doubled.
    pub duplication: Option<Spanned<Ratio>>,
    /// Share of packets held back by up to one more latency.
    pub reordering: Option<Spanned<Ratio>>,
    /// Of each connection.
    pub bandwidth: Option<Spanned<Bandwidth>>,
}

/// Packets lost, as written: each on its own, or all of them for a while.
#[derive(Clone, Debug)]
pub struct Loss {
    /// Share of the packets, or of the time.
    pub share: Spanned<Ratio>,
    /// How long all are lost at a time.
    pub burst: Option<Spanned<Duration>>,
}

/// A distribution of one-way latencies, as written.
#[derive(Clone, Debug, PartialEq)]
pub enum Latency {
    /// Always the same.
    Fixed(Duration),
    /// Every value of the range equally likely.
    Uniform(Range<Duration>),
    /// Normal.
    Normal { mean: Duration, deviation: Duration },
    /// Lognormal through two quantiles.
    Lognormal { median: Duration, p99: Duration },
    /// Pareto through its least value and a quantile.
    Pareto { least: Duration, p99: Duration },
    /// Measured quantiles, per mille and latency, both rising.
    Quantiles(Vec<(u16, Duration)>),
}

/// A host.
#[derive(Clone, Debug)]
pub struct Host {
    /// Its name.
    pub name: Spanned<String>,
    /// Where it is.
    pub zone: Option<Spanned<String>>,
    /// What is added to its wall clock from the start.
    pub skew: Option<Spanned<Offset>>,
    /// How much too fast its clocks run from the start.
    pub drift: Option<Spanned<Drift>>,
}

/// What stands behind an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Behind {
    /// One server, or several in turn.
    Processes(Who),
    /// A running host on which nothing listens.
    Nothing,
    /// No host at all.
    NoHost,
}

/// How a balancer looks after those behind it; what is `None` is as in HAProxy.
#[derive(Clone, Debug)]
pub struct Probe {
    /// Time between two checks.
    pub every: Option<Spanned<Duration>>,
    /// Failures in a row until a process gets no more connections.
    pub fall: Option<Spanned<u64>>,
    /// Successes in a row until it gets some again.
    pub rise: Option<Spanned<u64>>,
    /// Whether the process itself must answer, or its host.
    pub get: bool,
}

/// One way, light in glass: 4.9 us per kilometre.
pub const NANOS_PER_KILOMETRE: u64 = 4_900;

impl Topology {
    /// Reads the block.
    pub fn read(reader: &mut Reader, node: &Node) -> Option<Topology> {
        let mut fields = reader.fields(node, "the topology")?;
        let mut topology = Topology::default();
        if let Some(entry) = fields.entry("regions") {
            for region in reader.named(&entry.value, "regions") {
                let name = Spanned::new(region.key.clone(), region.key_span);
                let zones = Vec::<Spanned<String>>::from_node(reader, &region.value).unwrap_or_default();
                topology.regions.push((name, zones));
            }
        }
        if let Some(entry) = fields.entry("paths") {
            for path in reader.named(&entry.value, "paths") {
                let class = PathClass::read(reader, &path.key, path.key_span);
                let quality = Quality::read(reader, &path.value);
                if let (Some(class), Some(quality)) = (class, quality) {
                    topology.paths.push(PathRule { class, quality });
                }
            }
        }
        if let Some(entry) = fields.entry("hosts") {
            for host in reader.named(&entry.value, "hosts") {
                let name = Spanned::new(host.key.clone(), host.key_span);
                topology.hosts.extend(Host::read(reader, name, &host.value));
            }
        }
        if let Some(entry) = fields.entry("addresses") {
            for address in reader.named(&entry.value, "addresses") {
                let name = Spanned::new(address.key.clone(), address.key_span);
                let (behind, probe) = Behind::with_probe(reader, &address.value);
                topology.checks.extend(probe.map(|probe| (name.clone(), probe)));
                topology.addresses.extend(behind.map(|behind| (name, behind)));
            }
        }
        if let Some(entry) = fields.entry("dns") {
            for record in reader.named(&entry.value, "DNS records") {
                let name = Spanned::new(record.key.clone(), record.key_span);
                let names = Vec::<Spanned<String>>::from_node(reader, &record.value).unwrap_or_default();
                topology.dns.push((name, names));
            }
        }
        fields.finish(reader);
        Some(topology)
    }
}

impl PathClass {
    fn read(reader: &mut Reader, text: &str, span: Span) -> Option<PathClass> {
        match text {
            "same-host" => Some(PathClass::SameHost),
            "same-zone" => Some(PathClass::SameZone),
            "same-region" => Some(PathClass::SameRegion),
            "cross-region" => Some(PathClass::CrossRegion),
            _ if Route::split(text, span).is_some() => {
                Route::read(reader, text, span).map(PathClass::Between)
            }
            _ => {
                let help = match super::diagnostic::nearest(
                    text,
                    ["same-host", "same-zone", "same-region", "cross-region"],
                ) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "`same-host`, `same-zone`, `same-region`, `cross-region`, `a <-> b` or `a -> b`"
                        .into(),
                };
                reader.refuse(span, format!("unknown class of paths: `{text}`"), help)
            }
        }
    }
}

impl Quality {
    /// The keys of a quality, asked of a mapping that may hold others.
    pub fn ask(reader: &mut Reader, fields: &mut Fields<'_>) -> Quality {
        let quality = Quality {
            latency: fields.optional(reader, "latency"),
            jitter: fields.optional(reader, "jitter"),
            distance: fields.optional(reader, "distance"),
            loss: fields.optional(reader, "loss"),
            duplication: fields.optional(reader, "duplication"),
            reordering: fields.optional(reader, "reordering"),
            bandwidth: fields.optional(reader, "bandwidth"),
        };
        quality.verify(reader);
        quality
    }

    fn read(reader: &mut Reader, node: &Node) -> Option<Quality> {
        let mut fields = reader.fields(node, "a path")?;
        let quality = Self::ask(reader, &mut fields);
        fields.finish(reader);
        Some(quality)
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.latency.is_none()
            && self.jitter.is_none()
            && self.distance.is_none()
            && self.loss.is_none()
            && self.duplication.is_none()
            && self.reordering.is_none()
            && self.bandwidth.is_none()
    }

    /// The latency below which nothing on this path can be.
    pub fn floor(&self) -> Duration {
        let metres = self.distance.as_ref().map_or(0, |distance| distance.metres);
        Duration::from_nanos(
            (u128::from(metres) * u128::from(NANOS_PER_KILOMETRE) / 1000).min(u128::from(u64::MAX)) as u64,
        )
    }

    fn verify(&self, reader: &mut Reader) {
        if let Some(jitter) = &self.jitter {
            match self.latency.as_ref().map(|latency| &latency.value) {
                Some(Latency::Fixed(latency)) if jitter.value <= *latency => {}
                Some(Latency::Fixed(latency)) => {
                    let message = format!("jitter larger than the latency: `{}`", Shown(jitter.value));
                    reader.error(jitter.span, message, Some(format!("at most `{}`", Shown(*latency))));
                }
                _ => {
                    let help = "write a fixed `latency` beside it, or a distribution without `jitter`";
                    reader.error(jitter.span, "jitter needs a fixed latency", Some(help.into()));
                }
            }
        }
        let (Some(latency), Some(distance)) = (&self.latency, &self.distance) else { return };
        let typical = match &latency.value {
            Latency::Fixed(fixed) => *fixed,
            Latency::Uniform(range) => range.low,
            Latency::Normal { mean, .. } => *mean,
            Latency::Lognormal { median, .. } => *median,
            Latency::Pareto { least, .. } => *least,
            Latency::Quantiles(quantiles) => quantiles.first().map_or(Duration::ZERO, |(_, least)| *least),
        };
        if typical < self.floor() {
            let kilometres = distance.metres / 1000;
            let message = format!("latency below what light needs for {kilometres} km: `{}`", Shown(typical));
            reader.error(latency.span, message, Some(format!("at least `{}`", Shown(self.floor()))));
        }
    }
}

impl FromNode for Loss {
    fn from_node(reader: &mut Reader, node: &Node) -> Option<Self> {
        if !matches!(node.value, Value::Map(_)) {
            return Some(Loss { share: Spanned::from_node(reader, node)?, burst: None });
        }
        let mut fields = reader.fields(node, "a loss")?;
        let share: Option<Spanned<Ratio>> = fields.required(reader, "share");
        let burst: Option<Spanned<Duration>> = fields.required(reader, "burst");
        fields.finish(reader);
        let (share, burst) = (share?, burst?);
        if burst.is_zero() {
            return reader.refuse(burst.span, "a burst of no length", "leave `burst` out, or such as `2s`");
        }
        Some(Loss { share, burst: Some(burst) })
    }
}

impl FromNode for Latency {
    fn from_node(reader: &mut Reader, node: &Node) -> Option<Self> {
        let Value::Map(entries) = &node.value else {
            let range = Range::<Duration>::from_node(reader, node)?;
            return Some(if range.low == range.high {
                Latency::Fixed(range.low)
            } else {
                Latency::Uniform(range)
            });
        };
        let mut fields = reader.fields(node, "a latency")?;
        let read = [
            fields.optional(reader, "fixed").map(Latency::Fixed),
            fields.optional(reader, "uniform").map(Latency::Uniform),
            fields.with(reader, "normal", |reader, node| {
                let [mean, deviation] = pair(reader, node, "a normal latency", ["mean", "deviation"])?;
                Some(Latency::Normal { mean, deviation })
            }),
            fields.with(reader, "lognormal", |reader, node| {
                let [median, p99] = pair(reader, node, "a lognormal latency", ["median", "p99"])?;
                rising(reader, node.span, median, p99)?;
                Some(Latency::Lognormal { median, p99 })
            }),
            fields.with(reader, "pareto", |reader, node| {
                let [least, p99] = pair(reader, node, "a pareto latency", ["least", "p99"])?;
                rising(reader, node.span, least, p99)?;
                Some(Latency::Pareto { least, p99 })
            }),
            fields.with(reader, "quantiles", quantiles),
        ];
        fields.finish(reader);
        if entries.len() != 1 {
            return reader.refuse(
                node.span,
                "a latency is one distribution",
                "such as `{ lognormal: { median: 14ms, p99: 25ms } }`",
            );
        }
        read.into_iter().flatten().next()
    }
}

/// Two durations that must both be there.
fn pair(
    reader: &mut Reader,
    node: &Node,
    what: &'static str,
    keys: [&'static str; 2],
) -> Option<[Duration; 2]> {
    let mut fields = reader.fields(node, what)?;
    let values = keys.map(|key| fields.required(reader, key));
    fields.finish(reader);
    let [one, other] = values;
    Some([one?, other?])
}

/// A distribution with a tail needs one: both above zero, the second above the first.
fn rising(reader: &mut Reader, span: Span, low: Duration, high: Duration) -> Option<()> {
    if !low.is_zero() && low < high {
        return Some(());
    }
    reader.refuse(
        span,
        format!("p99 must be above `{}`, and both above zero", Shown(low)),
        "a latency that does not vary is `fixed`",
    )
}

/// `{ p0: 1ms, p50: 2ms, p99.9: 20ms, p100: 40ms }`
fn quantiles(reader: &mut Reader, node: &Node) -> Option<Latency> {
    let mut quantiles: Vec<(u16, Duration)> = Vec::new();
    for entry in reader.named(node, "quantiles") {
        let latency = Duration::from_node(reader, &entry.value)?;
        let (whole, tenths) =
            entry.key.strip_prefix('p').map_or(("", "0"), |p| p.split_once('.').unwrap_or((p, "0")));
        let per_mille = match (whole.parse::<u16>(), tenths.parse::<u16>()) {
            (Ok(whole), Ok(tenths)) if tenths < 10 && whole <= 100 && whole * 10 + tenths <= 1000 => {
                whole * 10 + tenths
            }
            _ => {
                return reader.refuse(
                    entry.key_span,
                    format!("unknown quantile: `{}`", entry.key),
                    "`p0` to `p100`, such as `p99.9`",
                );
            }
        };
        if quantiles.last().is_some_and(|(last, least)| *last >= per_mille || *least > latency) {
            return reader.refuse(
                entry.key_span,
                format!("quantiles must rise: `{}`", entry.key),
                "from `p0` upwards, with latencies that do not fall",
            );
        }
        quantiles.push((per_mille, latency));
    }
    match (quantiles.first(), quantiles.last()) {
        (Some((0, _)), Some((1000, _))) => Some(Latency::Quantiles(quantiles)),
        _ => reader.refuse(
            node.span,
            "quantiles must reach from `p0` to `p100`",
            "such as `{ p0: 1ms, p50: 2ms, p100: 40ms }`",
        ),
    }
}

impl Host {
    fn read(reader: &mut Reader, name: Spanned<String>, node: &Node) -> Option<Host> {
        let mut host = Host { name, zone: None, skew: None, drift: None };
        if node.is_null() {
            return Some(host);
        }
        let mut fields = reader.fields(node, "a host")?;
        host.zone = fields.optional(reader, "zone");
        if let Some(entry) = fields.entry("clock") {
            let mut clock = reader.fields(&entry.value, "a host's clock")?;
            host.skew = clock.optional(reader, "skew");
            host.drift = clock.optional(reader, "drift");
            clock.finish(reader);
        }
        fields.finish(reader);
        Some(host)
    }
}

impl Behind {
    /// What stands behind an address, alone or as `of` beside a `probe`.
    fn with_probe(reader: &mut Reader, node: &Node) -> (Option<Behind>, Option<Probe>) {
        if !matches!(node.value, Value::Map(_)) {
            return (Behind::from_node(reader, node), None);
        }
        let Some(mut fields) = reader.fields(node, "an address") else { return (None, None) };
        let of = match fields.entry("of") {
            Some(entry) => Selector::from_node_spanned(reader, &entry.value).map(Behind::Processes),
            None => fields.missing(reader, "of"),
        };
        let probe = match fields.entry("probe") {
            Some(entry) => Probe::read(reader, &entry.value),
            None => fields.missing(reader, "probe"),
        };
        fields.finish(reader);
        (of, probe)
    }
}

impl Probe {
    fn read(reader: &mut Reader, node: &Node) -> Option<Probe> {
        let mut fields = reader.fields(node, "a probe")?;
        let probe = Probe {
            every: fields.optional(reader, "every"),
            fall: fields.optional(reader, "fall"),
            rise: fields.optional(reader, "rise"),
            get: fields.optional(reader, "get").unwrap_or(false),
        };
        fields.finish(reader);
        for count in [&probe.fall, &probe.rise].into_iter().flatten() {
            if count.value == 0 || count.value > u64::from(u32::MAX) {
                reader.error(count.span, "checks in a row are counted from 1", None);
            }
        }
        if let Some(every) = probe.every.as_ref().filter(|every| every.value < SHORTEST_CHECK) {
            let help = format!("at least `{}`", Shown(SHORTEST_CHECK));
            reader.error(every.span, "a balancer cannot check so often", Some(help));
        }
        Some(probe)
    }
}

/// A balancer waits at least this long between two checks.
const SHORTEST_CHECK: Duration = Duration::from_millis(10);

impl FromNode for Behind {
    fn from_node(reader: &mut Reader, node: &Node) -> Option<Self> {
        match &node.value {
            Value::Scalar { text, plain: true } if text == "nothing" => Some(Behind::Nothing),
            Value::Scalar { text, plain: true } if text == "no-host" => Some(Behind::NoHost),
            _ => Selector::from_node_spanned(reader, node).map(Behind::Processes),
        }
    }
}
