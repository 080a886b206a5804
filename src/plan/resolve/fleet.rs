//! Servers and service instances: hosts, processes, addresses, and what each is told about itself.
//!
//! Separate because this is where real configuration files meet the simulated world: a URL in a Spring file must lead to a
//! process. Servers come first, then the instances of each service, in the order written: that is the order of ids.

use super::{Named, Resolver, settings};
use crate::plan::world::{
    AddressEntry, Behind, HostId, PoolPolicy, Process, Role, ServiceModel, Traffic, ZoneId,
};
use crate::protocol::eureka::config::{ClientConfig, InstanceConfig, ServerConfig};
use crate::protocol::eureka::instance::About;
use crate::protocol::eureka::node::{ClientNode, Registration, ServerNode, ServiceUrl};
use crate::protocol::eureka::{self};
use crate::protocol::{Address, InstanceId, Key, NodeId, ServiceId, SimTime, Status};
use crate::scenario::diagnostic::{Span, Spanned, suggestion};
use crate::scenario::fleet::{Server, Service};
use crate::scenario::spring::{SpringConfig, Url};
use crate::scenario::system::Settings;
use crate::scenario::topology::Behind as WrittenBehind;
use crate::scenario::units::Range;
use std::sync::Arc;
use std::time::Duration;

/// The port of a server that names none.
const SERVER_PORT: u16 = 8761;
/// The port of an instance that names none.
const INSTANCE_PORT: u16 = 8080;
/// The application name of a server that names none.
const SERVER_APPLICATION: &str = "eureka-server";
/// The zone of servers for which no zones are configured, in both products.
const DEFAULT_ZONE: &str = "defaultZone";
/// The region for which zones are looked up if none is configured.
const DEFAULT_REGION: &str = "us-east-1";
/// The zone of a client whose servers are written in order: its first server is in it, the others are not.
const OWN_ZONE: &str = "preferred";
const OTHER_ZONE: &str = "others";

/// Instances start at some time within this, if nothing is said.
const START_WITHIN: Range<Duration> = Range { low: Duration::ZERO, high: Duration::from_secs(30) };
/// A call between instances that is not answered ends after this.
const CALL_TIMEOUT: Duration = Duration::from_secs(2);

/// Tomcat's defaults: 200 threads, 100 connections in the queue. That a request costs 300 us and each item of a batch 10 us is
/// assumed, not measured.
const SERVER_MODEL: ServiceModel = ServiceModel {
    workers: Some(200),
    accept_queue: 100,
    base: Duration::from_micros(300),
    per_item: Duration::from_micros(10),
};
/// As a server, but a request does the application's work.
const INSTANCE_MODEL: ServiceModel = ServiceModel {
    workers: Some(200),
    accept_queue: 100,
    base: Duration::from_millis(1),
    per_item: Duration::ZERO,
};

impl Resolver<'_> {
    /// All processes, their addresses, and their settings.
    pub(super) fn resolve_fleet(&mut self) {
        let scenario = self.scenario;
        if scenario.servers.is_empty() {
            self.error(
                Span::default(),
                "a scenario without servers",
                Some("such as `servers: { peer1: }`".into()),
            );
        }
        let hostnames: Vec<String> = scenario.servers.iter().map(|server| self.add_server(server)).collect();
        self.add_instances();
        self.add_addresses();
        for (at, server) in scenario.servers.iter().enumerate() {
            self.configure_server(NodeId(at as u32), server, &hostnames[at]);
        }
        for service in &scenario.services {
            self.configure_service(service);
        }
        self.add_traffic();
    }

    /// A server's host, process and address; its host name is given back.
    fn add_server(&mut self, server: &Server) -> String {
        let node = NodeId(self.processes.len() as u32);
        let host = self.host_of(server.host.as_ref(), server.zone.as_ref(), &server.name.value);
        let imported = server.imported.as_ref();
        // A host name is the host's: servers that share a host have the same, and one port each.
        let hostname = imported.and_then(|config| config.hostname.as_ref()).map(|name| name.value.clone());
        let hostname = hostname.unwrap_or_else(|| self.hosts[host.index()].name.clone());
        let port =
            imported.and_then(|config| config.port.as_ref()).map(|port| port.value).unwrap_or_else(|| {
                let neighbours = self.processes.iter().filter(|process| process.host == host).count();
                SERVER_PORT.saturating_add(neighbours as u16)
            });
        let name = format!("{hostname}:{port}");
        if self.address_named(&name).is_some() {
            let help = Some("servers on one host need a `server.port` each".into());
            self.error(server.name.span, format!("two servers at one address: `{name}`"), help);
        }
        let address = self.address(AddressEntry { name, behind: Behind::Processes(vec![node]) });
        let start = self.draw_start(
            server.start.as_ref().map(|start| start.value),
            SimTime::ZERO,
            &server.name.value,
        );
        self.processes.push(Process {
            name: server.name.value.clone(),
            host,
            role: Role::Server,
            start,
            service: SERVER_MODEL,
            pools: Vec::new(),
            instance: None,
            subscribes: false,
            address,
        });
        self.name(&server.name, Named::Server(node));
        hostname
    }

    fn add_instances(&mut self) {
        let scenario = self.scenario;
        for service in &scenario.services {
            let count = service.instances.value;
            let zones: Vec<ZoneId> = service.zones.iter().map(|zone| self.zone_of(Some(zone))).collect();
            let shared =
                service.host.as_ref().map(|host| self.host_of(Some(host), service.zones.first(), ""));
            let mut nodes = Vec::new();
            for index in 0..count {
                let node = NodeId(self.processes.len() as u32);
                let name = format!("{}/{index}", service.name.value);
                let zone = zones.get(index as usize % zones.len().max(1)).copied().unwrap_or(ZoneId(0));
                let host = shared.unwrap_or_else(|| self.add_host(name.clone(), zone));
                // On a shared host each instance has a port of its own; the port is for display only.
                let address = format!("{name}:{INSTANCE_PORT}");
                let address =
                    self.address(AddressEntry { name: address, behind: Behind::Processes(vec![node]) });
                let start = service.start.as_ref().map_or(START_WITHIN, |start| start.value);
                let start = self.draw_start(Some(start), SimTime::ZERO, &name);
                self.processes.push(Process {
                    name,
                    host,
                    role: Role::Client,
                    start,
                    service: INSTANCE_MODEL,
                    pools: Vec::new(),
                    instance: None,
                    subscribes: false,
                    address,
                });
                nodes.push(node);
            }
            self.name(&service.name, Named::Service(nodes));
        }
    }

    /// The addresses that the scenario names; what a server's URL leads to otherwise is there already.
    fn add_addresses(&mut self) {
        let scenario = self.scenario;
        for (name, behind) in &scenario.topology.addresses {
            if self.address_named(&name.value).is_some() {
                let help = Some("leave the entry out, or name another port".into());
                self.error(name.span, format!("a server stands behind this address: `{}`", name.value), help);
            }
            if let Some(behind) = self.behind(behind, &name.value) {
                self.address(AddressEntry { name: name.value.clone(), behind });
            }
        }
    }

    /// What is written behind an address, in ids.
    pub(super) fn behind(&mut self, written: &WrittenBehind, name: &str) -> Option<Behind> {
        match written {
            WrittenBehind::Processes(who) => self.processes_of(who).map(Behind::Processes),
            WrittenBehind::NoHost => Some(Behind::NoHost),
            WrittenBehind::Nothing => {
                // The machine that refuses: it needs a place to refuse from.
                let known = self.hosts.iter().position(|host| host.name == name);
                let host = known.map(|at| HostId(at as u32));
                Some(Behind::Nothing(host.unwrap_or_else(|| self.add_host(name.to_owned(), ZoneId(0)))))
            }
        }
    }

    /// The named host, or a new one for this process.
    fn host_of(
        &mut self,
        host: Option<&Spanned<String>>,
        zone: Option<&Spanned<String>>,
        own: &str,
    ) -> HostId {
        let Some(name) = host else {
            let zone = self.zone_of(zone);
            return self.add_host(own.to_owned(), zone);
        };
        let Some(Named::Host(id)) = self.names.get(&name.value) else {
            let valid = self.scenario.topology.hosts.iter().map(|host| host.name.value.clone()).collect();
            return self
                .unknown("host", name, valid)
                .unwrap_or_else(|| self.add_host(name.value.clone(), ZoneId(0)));
        };
        let id = *id;
        if let Some(zone) = zone {
            let host_zone = self.hosts[id.index()].zone;
            if self.zone_of(Some(zone)) != host_zone {
                let at = &self.zones[host_zone.index()].name;
                let help = format!("leave `zone` out: the host is in `{at}`");
                self.error(zone.span, format!("the host `{}` is in another zone", name.value), Some(help));
            }
        }
        id
    }

    /// A start time, drawn for this process alone: removing another changes nothing.
    fn draw_start(&mut self, range: Option<Range<Duration>>, default: SimTime, name: &str) -> SimTime {
        let Some(range) = range else { return default };
        let width = (range.high - range.low).as_nanos() as u64;
        let drawn = match width {
            0 => 0,
            width => stretch(self.chance.child("start").child(name), width),
        };
        SimTime::from(range.low) + Duration::from_nanos(drawn)
    }

    fn configure_server(&mut self, node: NodeId, server: &Server, hostname: &str) {
        let system = &self.scenario.system;
        let none = Settings::default();
        let imported = server.imported.as_ref();
        let layer = |pick: fn(&SpringConfig) -> &Settings| imported.map_or(&none, pick);
        let profile = system.profile;
        let server_config =
            settings::server(profile, &[&system.server, layer(|c| &c.server), &server.server]);
        let client_config =
            settings::client(profile, &[&system.client, layer(|c| &c.client), &server.client]);
        let instance_config =
            settings::instance(profile, &[&system.instance, layer(|c| &c.instance), &server.instance]);
        let application =
            imported.and_then(|config| config.application.as_ref()).map(|name| name.value.clone());
        let application = application.unwrap_or_else(|| SERVER_APPLICATION.to_owned());
        let (zone, service_urls) = match &server.peers {
            Some(peers) if !peers.is_empty() => (DEFAULT_ZONE.into(), self.urls_of(peers, |_| DEFAULT_ZONE)),
            // Without any URL it would not start: it knows itself.
            Some(_) => (DEFAULT_ZONE.into(), self.server(node)),
            None => match imported.filter(|config| !config.service_urls.is_empty()) {
                Some(config) => self.imported_urls(config),
                None if self.scenario.servers.len() == 1 => (DEFAULT_ZONE.into(), self.server(node)),
                None => (DEFAULT_ZONE.into(), self.all_servers(Some(node))),
            },
        };
        let my_url = imported.and_then(|config| Some((config, config.my_url.as_ref()?)));
        let my_url = my_url.and_then(|(config, url)| self.address_of_url(config, url));
        let instance = self.register(node, &application, imported, &client_config, instance_config);
        self.processes[node.index()].pools = pools(&client_config, Some(&server_config));
        let fixes = Arc::clone(&self.fixes);
        let client = ClientNode::new(profile, Arc::new(client_config), zone, service_urls);
        let client = ClientNode { fixes, instance, ..client };
        let server = ServerNode::new(Arc::new(server_config), client, hostname.into());
        let server = ServerNode { my_url, ..server };
        self.configs.push(Arc::new(eureka::Config::Server(server)));
    }

    fn configure_service(&mut self, service: &Service) {
        let Some(Named::Service(nodes)) = self.names.get(&service.name.value) else { return };
        let nodes = nodes.clone();
        let system = &self.scenario.system;
        let none = Settings::default();
        let imported = service.imported.as_ref();
        let layer = |pick: fn(&SpringConfig) -> &Settings| imported.map_or(&none, pick);
        let profile = system.profile;
        let client_config =
            settings::client(profile, &[&system.client, layer(|c| &c.client), &service.client]);
        let mut instance_config =
            settings::instance(profile, &[&system.instance, layer(|c| &c.instance), &service.instance]);
        if let Some(every) = &service.heartbeat_every {
            if every.is_zero() {
                self.error(every.span, "heartbeats without a pause", Some("such as `250ms`".into()));
            }
            instance_config.lease_renewal_interval = every.value;
        }
        let (zone, service_urls) = match &service.servers {
            Some(servers) if servers.len() == 1 => {
                (DEFAULT_ZONE.into(), self.urls_of(servers, |_| DEFAULT_ZONE))
            }
            Some(servers) => {
                // Eureka shuffles the servers of one zone; the client's own zone comes first. So the first server written is
                // tried first, as it would be with two zones configured, and the others in any order.
                (OWN_ZONE.into(), self.urls_of(servers, |at| if at == 0 { OWN_ZONE } else { OTHER_ZONE }))
            }
            None => match imported.filter(|config| !config.service_urls.is_empty()) {
                Some(config) => self.imported_urls(config),
                None => (DEFAULT_ZONE.into(), self.all_servers(None)),
            },
        };
        let client = Arc::new(client_config);
        for node in nodes {
            let instance =
                self.register(node, &service.name.value, imported, &client, instance_config.clone());
            let process = &mut self.processes[node.index()];
            process.pools = pools(&client, None);
            process.subscribes = client.fetch_registry;
            let node =
                ClientNode::new(profile, Arc::clone(&client), Arc::clone(&zone), Arc::clone(&service_urls));
            let node = ClientNode { fixes: Arc::clone(&self.fixes), instance, ..node };
            self.configs.push(Arc::new(eureka::Config::Client(node)));
        }
    }

    /// What a process registers, if it does.
    fn register(
        &mut self,
        node: NodeId,
        application: &str,
        imported: Option<&SpringConfig>,
        client: &ClientConfig,
        instance: InstanceConfig,
    ) -> Option<Registration> {
        if !client.register_with_eureka {
            return None;
        }
        let known = self.services.iter().position(|service| service.eq_ignore_ascii_case(application));
        let app = ServiceId(known.unwrap_or(self.services.len()) as u32);
        if known.is_none() {
            self.services.push(application.to_owned());
        }
        let id = InstanceId(self.instances.len() as u32);
        self.instances.push(self.processes[node.index()].name.clone());
        self.processes[node.index()].instance = Some((app, id));
        let initial_status = imported.and_then(|config| config.initial_status.as_ref());
        let initial_status = initial_status.map_or(Status::Up, |status| status.value);
        let process = &self.processes[node.index()];
        let host = &self.hosts[process.host.index()].name;
        let about = Arc::new(About::least(application, host));
        Some(Registration { app, id, instance: Arc::new(instance), initial_status, about })
    }

    /// The URL of one server or address by name.
    fn url_of(&self, name: &str, zone: &str) -> Option<ServiceUrl> {
        let address = match self.names.get(name) {
            Some(Named::Server(node)) => self.processes[node.index()].address,
            _ => self.address_named(name)?,
        };
        let full = &self.addresses[address.index()].name;
        let host = full.rsplit_once(':').map_or(full.as_str(), |(host, _)| host);
        Some(ServiceUrl { zone: zone.into(), host: host.into(), address })
    }

    fn urls_of(&mut self, names: &[Spanned<String>], zone: fn(usize) -> &'static str) -> Arc<[ServiceUrl]> {
        let mut urls = Vec::new();
        for (at, name) in names.iter().enumerate() {
            match self.url_of(name, zone(at)) {
                Some(url) => urls.push(url),
                None => {
                    let servers = self.scenario.servers.iter().map(|server| server.name.value.clone());
                    let addresses =
                        self.scenario.topology.addresses.iter().map(|(name, _)| name.value.clone());
                    let valid = servers.chain(addresses).collect();
                    self.unknown("server or address", name, valid).unwrap_or(())
                }
            }
        }
        urls.into()
    }

    fn server(&self, node: NodeId) -> Arc<[ServiceUrl]> {
        self.url_of(&self.scenario.servers[node.index()].name, DEFAULT_ZONE).into_iter().collect()
    }

    fn all_servers(&self, but: Option<NodeId>) -> Arc<[ServiceUrl]> {
        let all = self.scenario.servers.iter().enumerate();
        let others = all.filter(|(at, _)| but.is_none_or(|node| node.index() != *at));
        others.filter_map(|(_, server)| self.url_of(&server.name, DEFAULT_ZONE)).collect()
    }

    /// The servers that a Spring file names, in the order of its zones, and the zone that the process is in.
    fn imported_urls(&mut self, config: &SpringConfig) -> (Arc<str>, Arc<[ServiceUrl]>) {
        let region = config.region.as_ref().map_or(DEFAULT_REGION, |region| region.value.as_str());
        let zones =
            config.availability_zones.iter().find(|(of, _)| of == region).map(|(_, zones)| zones.clone());
        let zones = zones.unwrap_or_else(|| vec![DEFAULT_ZONE.to_owned()]);
        let mut urls = Vec::new();
        for zone in &zones {
            // A zone without servers of its own has those of the default; Netflix calls it `default`.
            let own = config.service_urls.iter().find(|(of, urls)| of == zone && !urls.is_empty());
            let default = || config.service_urls.iter().find(|(of, _)| of == DEFAULT_ZONE || of == "default");
            let Some((_, of_zone)) = own.or_else(default) else { continue };
            for url in of_zone {
                let Some(address) = self.address_of_url(config, url) else { continue };
                urls.push(ServiceUrl { zone: zone.as_str().into(), host: url.host.as_str().into(), address });
            }
        }
        (zones[0].as_str().into(), urls.into())
    }

    /// What stands at a URL of an imported file.
    fn address_of_url(&mut self, config: &SpringConfig, url: &Url) -> Option<Address> {
        let name = format!("{}:{}", url.host, url.port);
        if let Some(address) = self.address_named(&name) {
            return Some(address);
        }
        let servers = self.addresses.iter().map(|entry| entry.name.as_str());
        let near = suggestion(&name, servers).unwrap_or_default();
        let help =
            format!("{near} Or say what is there: `topology: {{ addresses: {{ \"{name}\": nothing }} }}`");
        let source = config.source.clone().unwrap_or_else(|| self.scenario.sources.file.clone());
        self.error_in(source, url.span, format!("nobody stands at `{name}`"), Some(help));
        None
    }

    fn add_traffic(&mut self) {
        let scenario = self.scenario;
        for service in &scenario.services {
            let Some(Named::Service(callers)) = self.names.get(&service.name.value).cloned() else {
                continue;
            };
            for (of, rate) in &service.calls {
                let Some(called) = self.services.iter().position(|known| *known == of.value) else {
                    let valid = scenario.services.iter().map(|service| service.name.value.clone()).collect();
                    self.unknown::<()>("service", of, valid);
                    continue;
                };
                let Some(every) = rate.interval() else { continue };
                for &caller in &callers {
                    let process = &self.processes[caller.index()];
                    if !process.subscribes {
                        let help = Some(
                            "callers keep a copy of the registry: `client: { fetch-registry: true }`".into(),
                        );
                        self.error(of.span, format!("`{}` fetches no registry", service.name.value), help);
                        break;
                    }
                    // Callers are not in step with each other.
                    let key = self.chance.child("calls").child(&process.name).child(&of.value);
                    let first = process.start + Duration::from_nanos(stretch(key, every.as_nanos() as u64));
                    let service = ServiceId(called as u32);
                    self.traffic.push(Traffic {
                        caller,
                        service,
                        every,
                        first,
                        timeout: CALL_TIMEOUT,
                        retries: 0,
                    });
                }
            }
        }
    }
}

/// A drawn number from 0 to `width`, both included.
fn stretch(key: Key, width: u64) -> u64 {
    let drawn = u128::from(key.draw(0, 0, 0, 0));
    ((drawn * (u128::from(width) + 1)) >> 64) as u64
}

/// The connection pools of a process: registration, queries, and, of a server, replication and other regions.
fn pools(client: &ClientConfig, server: Option<&ServerConfig>) -> Vec<PoolPolicy> {
    let to_servers =
        PoolPolicy { idle: client.connection_idle_timeout, max_per_address: client.connections_per_host };
    let mut pools = vec![to_servers, to_servers];
    if let Some(server) = server {
        pools.push(PoolPolicy {
            idle: server.peer_connection_idle_timeout,
            max_per_address: server.peer_connections_per_host,
        });
        pools.push(PoolPolicy {
            idle: server.remote_region_connection_idle_timeout,
            max_per_address: server.remote_region_connections_per_host,
        });
    }
    pools
}
