//! The servers and the services, as written.
//!
//! Separate because it is what most scenarios change most. Real Spring Boot files that a server or service names are read by
//! the loader and put in here as settings.

mod overrides;

use super::diagnostic::{Span, Spanned};
use super::read::{Fields, FromNode, Reader};
use super::selector::{Selector, Who};
use super::spring::{ConfigFiles, SpringConfig};
use super::system::{Owner, Settings};
use super::tree::{Entry, Node, Value};
use super::units::{Range, Rate, Unit};
use crate::protocol::eureka::config::MAX_BATCHING_DELAY;
use crate::protocol::eureka::node::{HealthSource, Rule, Transport};
use std::time::Duration;

pub use overrides::Override;

/// A registry server.
#[derive(Clone, Debug)]
pub struct Server {
    /// Its name; its host name too, unless its file says otherwise.
    pub name: Spanned<String>,
    /// Where it is. Default: the first zone.
    pub zone: Option<Spanned<String>>,
    /// The host that it shares with others. Default: one of its own.
    pub host: Option<Spanned<String>>,
    /// The Spring Boot files to read, and how.
    pub config: Option<ConfigFiles>,
    /// What those files say.
    pub imported: Option<SpringConfig>,
    /// The peers that it replicates to, by name. Default: what its file says, else all other servers.
    pub peers: Option<Vec<Spanned<String>>>,
    /// When it starts; drawn from a range. Default: at once.
    pub start: Option<Spanned<Range<Duration>>>,
    /// Settings of this server alone.
    pub server: Settings,
    /// Settings of the client inside this server.
    pub client: Settings,
    /// Settings of the instance that it registers.
    pub instance: Settings,
    /// Its version.
    pub fixes: Settings,
    /// How the client in it sends. Default: Jersey.
    pub transport: Option<Transport>,
}

/// A service: so many equal instances.
#[derive(Clone, Debug)]
pub struct Service {
    /// Its name.
    pub name: Spanned<String>,
    /// How many. Default 1.
    pub instances: Spanned<u64>,
    /// Where they are. Default: the first zone. With several zones, instances are dealt out in turn.
    pub zones: Vec<Spanned<String>>,
    /// The host that all share. Default: each one of its own.
    pub host: Option<Spanned<String>>,
    /// The Spring Boot files to read, and how.
    pub config: Option<ConfigFiles>,
    /// What those files say.
    pub imported: Option<SpringConfig>,
    /// Servers in the order in which they are tried. Default: what its file says, else all.
    pub servers: Option<Vec<Spanned<String>>>,
    /// When each instance starts; drawn from a range. Default: 0s to 30s.
    pub start: Option<Spanned<Range<Duration>>>,
    /// Time between two heartbeats, for intervals that the product's key cannot express.
    pub heartbeat_every: Option<Spanned<Duration>>,
    /// Calls that each instance makes to other services.
    pub calls: Vec<(Spanned<String>, Calls)>,
    /// Client settings of its instances.
    pub client: Settings,
    /// Instance settings.
    pub instance: Settings,
    /// Its version.
    pub fixes: Settings,
    /// How its clients send. Default: Jersey.
    pub transport: Option<Transport>,
    /// How it picks an instance to call. Default: as its product does.
    pub balancer: Option<WrittenBalancer>,
    /// Instances that its clients begin with if their first fetch fails.
    pub backup: Option<Who>,
    /// What decides about its status beside the application. Default: nothing, or Spring's actuator if that is switched on.
    pub health: Option<HealthSource>,
    /// What its clients leave out of all that they send. Default: nothing.
    pub omits: Vec<Omitted>,
    /// Instances of which something else is said, in order of their numbers, none twice.
    pub overrides: Vec<Override>,
}

/// What clients of other makes may leave out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Omitted {
    /// `overriddenStatus` of a registration.
    OverriddenStatus,
    /// `lastDirtyTimestamp` of a registration and of a heartbeat.
    LastDirtyTimestamp,
}

/// Calls to a service.
#[derive(Clone, Debug)]
pub struct Calls {
    /// How often.
    pub rate: Spanned<Rate>,
    /// How often a call that failed is made again, on another instance. Default 0.
    pub retries: Option<Spanned<u64>>,
    /// A try without an answer ends after this. Default 2 s.
    pub timeout: Option<Spanned<Duration>>,
}

/// A load balancer; what is `None` is as in the product.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WrittenBalancer {
    /// The rule.
    pub rule: Option<Rule>,
    /// Life of its own cache; zero is none.
    pub cache: Option<Duration>,
}

impl Server {
    /// Reads one entry of `servers:`. Nothing written is a server with all defaults.
    pub fn read(reader: &mut Reader, entry: &Entry) -> Option<Server> {
        let mut server = Server {
            name: name(reader, entry)?,
            zone: None,
            host: None,
            config: None,
            imported: None,
            peers: None,
            start: None,
            server: Settings::default(),
            client: Settings::default(),
            instance: Settings::default(),
            fixes: Settings::default(),
            transport: None,
        };
        if entry.value.is_null() {
            return Some(server);
        }
        let mut fields = reader.fields(&entry.value, "a server")?;
        server.zone = fields.optional(reader, "zone");
        server.host = fields.optional(reader, "host");
        server.config = fields.optional(reader, "config");
        server.peers = fields.optional(reader, "peers");
        server.start = fields.optional(reader, "start");
        server.server = Settings::ask(reader, &mut fields, "server", Owner::Server);
        server.client = Settings::ask(reader, &mut fields, "client", Owner::Client);
        server.instance = Settings::ask(reader, &mut fields, "instance", Owner::Instance);
        server.fixes = Settings::ask(reader, &mut fields, "fixes", Owner::Fixes);
        server.transport = fields.optional(reader, "transport");
        fields.finish(reader);
        Some(server)
    }
}

impl Service {
    /// Reads one entry of `services:`.
    pub fn read(reader: &mut Reader, entry: &Entry) -> Option<Service> {
        let mut service = Service {
            name: name(reader, entry)?,
            instances: Spanned::new(1, entry.key_span),
            zones: Vec::new(),
            host: None,
            config: None,
            imported: None,
            servers: None,
            start: None,
            heartbeat_every: None,
            calls: Vec::new(),
            client: Settings::default(),
            instance: Settings::default(),
            fixes: Settings::default(),
            transport: None,
            balancer: None,
            backup: None,
            health: None,
            omits: Vec::new(),
            overrides: Vec::new(),
        };
        if entry.value.is_null() {
            return Some(service);
        }
        let mut fields = reader.fields(&entry.value, "a service")?;
        if let Some(instances) = fields.with(reader, "instances", instances) {
            service.instances = instances;
        }
        service.read_words(reader, &mut fields);
        if let Some(entry) = fields.entry("overrides") {
            service.overrides = overrides::read(reader, &service, &entry.value);
        }
        fields.finish(reader);
        Some(service)
    }

    /// Reads what may be said of one instance as of all. What is not written stays as it is.
    fn read_words(&mut self, reader: &mut Reader, fields: &mut Fields<'_>) {
        let zones = fields.optional::<OneOrMore<Spanned<String>>>(reader, "zone");
        let host = fields.optional(reader, "host");
        // One place in the stead of another: a host says its zone, and who has a zone of its own shares no host.
        if zones.is_some() || host.is_some() {
            self.zones = zones.map_or(Vec::new(), |zones| zones.0);
            self.host = host;
        }
        replace(&mut self.config, fields.optional(reader, "config"));
        let servers = fields.optional::<OneOrMore<Spanned<String>>>(reader, "servers");
        replace(&mut self.servers, servers.map(|servers| servers.0));
        replace(&mut self.start, fields.optional(reader, "start"));
        let every: Option<Spanned<Duration>> = fields.optional(reader, "heartbeat-every");
        if let Some(every) = every.as_ref().filter(|every| every.value < MAX_BATCHING_DELAY) {
            let message = "heartbeats faster than the delay of replication (500 ms): servers need never agree, \
                           and `servers-agree` and `conflict-resolution` say nothing";
            reader.note(every.span, message);
        }
        replace(&mut self.heartbeat_every, every);
        if let Some(entry) = fields.entry("calls") {
            self.calls.clear();
            for call in reader.named(&entry.value, "calls") {
                let calls = Calls::from_node(reader, &call.value);
                let of = Spanned::new(call.key.clone(), call.key_span);
                self.calls.extend(calls.map(|calls| (of, calls)));
            }
        }
        let blocks = [
            (&mut self.client, "client", Owner::Client),
            (&mut self.instance, "instance", Owner::Instance),
            (&mut self.fixes, "fixes", Owner::Fixes),
        ];
        for (block, key, owner) in blocks {
            let written = Settings::ask(reader, fields, key, owner);
            block.overlay(written, owner);
        }
        replace(&mut self.transport, fields.optional(reader, "transport"));
        replace(&mut self.balancer, fields.optional(reader, "balancer"));
        replace(&mut self.backup, fields.with(reader, "backup", Selector::from_node_spanned));
        replace(&mut self.health, fields.optional(reader, "health"));
        if let Some(omits) = fields.optional::<OneOrMore<Omitted>>(reader, "omits") {
            self.omits = omits.0;
        }
    }

    /// So many instances in runs of which the same is said, each with what is said of it, in order.
    pub fn runs(&self, count: u64) -> Vec<(std::ops::Range<usize>, &Service)> {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let mut runs = Vec::new();
        let mut next = 0;
        for Override { instances, service } in &self.overrides {
            if instances.start > next {
                runs.push((next..instances.start, self));
            }
            runs.push((instances.clone(), service));
            next = instances.end;
        }
        if next < count {
            runs.push((next..count, self));
        }
        runs
    }
}

/// Puts something new in place of the old, if there is something new.
fn replace<T>(old: &mut Option<T>, new: Option<T>) {
    if new.is_some() {
        *old = new;
    }
}

/// The most tries of one call beside the first.
const MOST_RETRIES: u64 = 100;

/// A rate alone, or with what happens when a call fails.
impl FromNode for Calls {
    fn from_node(reader: &mut Reader, node: &Node) -> Option<Self> {
        if !matches!(node.value, Value::Map(_)) {
            let rate = Spanned::from_node(reader, node)?;
            return Some(Calls { rate, retries: None, timeout: None });
        }
        let mut fields = reader.fields(node, "calls")?;
        let rate = fields.required(reader, "rate");
        let retries: Option<Spanned<u64>> = fields.optional(reader, "retries");
        let timeout: Option<Spanned<Duration>> = fields.optional(reader, "timeout");
        fields.finish(reader);
        if let Some(many) = retries.as_ref().filter(|retries| retries.value > MOST_RETRIES) {
            let message = format!("too many retries: `{}`", many.value);
            reader.error(many.span, message, Some(format!("0 to {MOST_RETRIES}")));
        }
        if let Some(none) = timeout.as_ref().filter(|timeout| timeout.is_zero()) {
            reader.error(none.span, "calls without time for an answer", Some("such as `2s`".into()));
        }
        Some(Calls { rate: rate?, retries, timeout })
    }
}

impl FromNode for Transport {
    fn from_node(reader: &mut Reader, node: &Node) -> Option<Self> {
        let valid = [
            ("jersey", Transport::Jersey),
            ("rest-client", Transport::RestClient),
            ("web-client", Transport::WebClient),
        ];
        reader.word(node, "a transport", &valid)
    }
}

impl FromNode for HealthSource {
    fn from_node(reader: &mut Reader, node: &Node) -> Option<Self> {
        let valid = [
            ("none", HealthSource::None),
            ("callback", HealthSource::Callback),
            ("actuator", HealthSource::Actuator),
        ];
        reader.word(node, "a health source", &valid)
    }
}

impl FromNode for Omitted {
    fn from_node(reader: &mut Reader, node: &Node) -> Option<Self> {
        let valid = [
            ("overridden-status", Omitted::OverriddenStatus),
            ("last-dirty-timestamp", Omitted::LastDirtyTimestamp),
        ];
        reader.word(node, "a field", &valid)
    }
}

impl FromNode for Rule {
    fn from_node(reader: &mut Reader, node: &Node) -> Option<Self> {
        let valid =
            [("round-robin", Rule::RoundRobin), ("random", Rule::Random), ("zone-aware", Rule::ZoneAware)];
        reader.word(node, "a rule", &valid)
    }
}

/// A rule alone, or with the life of the balancer's cache.
impl FromNode for WrittenBalancer {
    fn from_node(reader: &mut Reader, node: &Node) -> Option<Self> {
        if !matches!(node.value, Value::Map(_)) {
            return Rule::from_node(reader, node)
                .map(|rule| WrittenBalancer { rule: Some(rule), cache: None });
        }
        let mut fields = reader.fields(node, "a balancer")?;
        let balancer = WrittenBalancer {
            rule: fields.optional(reader, "rule"),
            cache: fields.optional(reader, "cache"),
        };
        fields.finish(reader);
        Some(balancer)
    }
}

/// A list, or a single value for a list of one.
struct OneOrMore<T>(Vec<T>);

impl<T: FromNode> FromNode for OneOrMore<T> {
    fn from_node(reader: &mut Reader, node: &Node) -> Option<Self> {
        match node.value {
            Value::List(_) => Vec::from_node(reader, node).map(OneOrMore),
            _ => T::from_node(reader, node).map(|only| OneOrMore(vec![only])),
        }
    }
}

/// A number of instances: at least one. How many there may be in all, the plan says.
fn instances(reader: &mut Reader, node: &Node) -> Option<Spanned<u64>> {
    let text = reader.text(node, "a number of instances")?;
    match reader.unit(node.span, u64::read(text))? {
        0 => reader.refuse(node.span, "a service without instances", "leave it out, or at least `1`"),
        count => Some(Spanned::new(count, node.span)),
    }
}

/// The name of a server or service: it is used in selectors, so it may not contain what they are made of.
fn name(reader: &mut Reader, entry: &Entry) -> Option<Spanned<String>> {
    let text = entry.key.as_str();
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !text.is_empty() && text.chars().all(fits) {
        return Some(Spanned::new(text.to_owned(), entry.key_span));
    }
    let span: Span = entry.key_span;
    reader.refuse(span, format!("not a name: `{text}`"), "letters, digits, `-`, `_` and `.`")
}
