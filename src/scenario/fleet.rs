//! The servers and the services, as written.
//!
//! Separate because it is what most scenarios change most. Real Spring Boot files that a server or service names are read by
//! the loader and put in here as settings.

use super::diagnostic::{Span, Spanned};
use super::read::{FromNode, Reader};
use super::spring::SpringConfig;
use super::system::{Owner, Settings};
use super::tree::{Entry, Node};
use super::units::{Range, Rate, Unit};
use std::time::Duration;

/// A registry server.
#[derive(Clone, Debug)]
pub struct Server {
    /// Its name; its host name too, unless its file says otherwise.
    pub name: Spanned<String>,
    /// Where it is. Default: the first zone.
    pub zone: Option<Spanned<String>>,
    /// The host that it shares with others. Default: one of its own.
    pub host: Option<Spanned<String>>,
    /// The Spring Boot file to read, relative to the scenario.
    pub config: Option<Spanned<String>>,
    /// What that file says.
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
    /// The Spring Boot file to read, relative to the scenario.
    pub config: Option<Spanned<String>>,
    /// What that file says.
    pub imported: Option<SpringConfig>,
    /// Servers in the order in which they are tried. Default: what its file says, else all.
    pub servers: Option<Vec<Spanned<String>>>,
    /// When each instance starts; drawn from a range. Default: 0s to 30s.
    pub start: Option<Spanned<Range<Duration>>>,
    /// Time between two heartbeats, for intervals that the product's key cannot express.
    pub heartbeat_every: Option<Spanned<Duration>>,
    /// Calls that each instance makes to other services.
    pub calls: Vec<(Spanned<String>, Spanned<Rate>)>,
    /// Client settings of its instances.
    pub client: Settings,
    /// Instance settings.
    pub instance: Settings,
}

/// The greatest number of instances of one service.
const MOST_INSTANCES: u64 = 1_000_000;

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
        };
        if entry.value.is_null() {
            return Some(service);
        }
        let mut fields = reader.fields(&entry.value, "a service")?;
        if let Some(instances) = fields.with(reader, "instances", instances) {
            service.instances = instances;
        }
        service.zones =
            fields.optional::<OneOrMore<Spanned<String>>>(reader, "zone").map_or(Vec::new(), |zones| zones.0);
        service.host = fields.optional(reader, "host");
        service.config = fields.optional(reader, "config");
        service.servers =
            fields.optional::<OneOrMore<Spanned<String>>>(reader, "servers").map(|servers| servers.0);
        service.start = fields.optional(reader, "start");
        service.heartbeat_every = fields.optional(reader, "heartbeat-every");
        if let Some(entry) = fields.entry("calls") {
            for call in reader.named(&entry.value, "calls") {
                let rate = Spanned::<Rate>::from_node(reader, &call.value);
                let of = Spanned::new(call.key.clone(), call.key_span);
                service.calls.extend(rate.map(|rate| (of, rate)));
            }
        }
        service.client = Settings::ask(reader, &mut fields, "client", Owner::Client);
        service.instance = Settings::ask(reader, &mut fields, "instance", Owner::Instance);
        fields.finish(reader);
        Some(service)
    }
}

/// A list, or a single value for a list of one.
struct OneOrMore<T>(Vec<T>);

impl<T: FromNode> FromNode for OneOrMore<T> {
    fn from_node(reader: &mut Reader, node: &Node) -> Option<Self> {
        match node.value {
            super::tree::Value::List(_) => Vec::from_node(reader, node).map(OneOrMore),
            _ => T::from_node(reader, node).map(|only| OneOrMore(vec![only])),
        }
    }
}

/// A number of instances: at least one, and not so many that a slip of the hand fills the memory.
fn instances(reader: &mut Reader, node: &Node) -> Option<Spanned<u64>> {
    let text = reader.text(node, "a number of instances")?;
    let count = reader.unit(node.span, u64::read(text))?;
    match count {
        1..=MOST_INSTANCES => Some(Spanned::new(count, node.span)),
        _ => reader.refuse(
            node.span,
            format!("a number of instances out of range: `{count}`"),
            format!("1 to {MOST_INSTANCES}"),
        ),
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
