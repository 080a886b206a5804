//! Servers and service instances: hosts, processes, addresses, and who calls whom.
//!
//! Separate because all of it must stand before anybody can be told of others. Servers come first, then the instances of each
//! service, in the order written: that is the order of ids.

use super::settings::Layers;
use super::{Named, Resolver};
use crate::plan::world::{
    AddressEntry, Behind, HealthCheck, HostId, Process, Role, ServiceModel, Traffic, ZoneId,
};
use crate::protocol::{Address, Key, NodeId, ServiceId, SimTime};
use crate::scenario::diagnostic::{Span, Spanned};
use crate::scenario::fleet::{Calls, Server, Service};
use crate::scenario::topology::{Behind as WrittenBehind, Probe};
use crate::scenario::units::Range;
use std::ops::Range as Numbers;
use std::time::Duration;

/// The port of a server that names none.
const SERVER_PORT: u16 = 8761;
/// The port of an instance that names none.
const INSTANCE_PORT: u16 = 8080;

/// Instances start at some time within this, if nothing is said.
const START_WITHIN: Range<Duration> = Range { low: Duration::ZERO, high: Duration::from_secs(30) };
/// Balancers check those behind them so often (HAProxy: `inter`).
const CHECK_EVERY: Duration = Duration::from_secs(2);
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

impl<'s> Resolver<'s> {
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
        self.configure_others();
        self.add_traffic();
    }

    /// A server's host, process and address; its host name is given back.
    fn add_server(&mut self, server: &'s Server) -> String {
        let node = NodeId(self.processes.len() as u32);
        let host = self.host_of(server.host.as_ref(), server.zone.as_ref(), &server.name.value);
        let imported = server.imported.as_ref();
        // A host name is the host's: servers that share a host have the same, and one port each.
        let hostname = match &*Layers::of_server(self.scenario, server).instance().host_name {
            "" => self.hosts[host.index()].name.clone(),
            // Spring's own name for the host.
            hostname if hostname.contains("${") => self.hosts[host.index()].name.clone(),
            hostname => hostname.to_owned(),
        };
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
        self.ports.push((port, true));
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
            let mut nodes = Vec::new();
            for (instances, told) in self.runs(service) {
                self.add_run(&mut nodes, instances, service, told);
            }
            self.name(&service.name, Named::Service(nodes));
        }
    }

    /// Instances of which the same is said.
    fn add_run(
        &mut self,
        nodes: &mut Vec<NodeId>,
        instances: Numbers<usize>,
        service: &Service,
        told: &Service,
    ) {
        let zones: Vec<ZoneId> = told.zones.iter().map(|zone| self.zone_of(Some(zone))).collect();
        let shared = told.host.as_ref().map(|host| self.host_of(Some(host), told.zones.first(), ""));
        for index in instances {
            let node = NodeId(self.processes.len() as u32);
            let name = format!("{}/{index}", told.name.value);
            let zone = zones.get(index % zones.len().max(1)).copied().unwrap_or(ZoneId(0));
            let host = shared.unwrap_or_else(|| self.add_host(name.clone(), zone));
            // On a shared host each instance has a port of its own; in the address it is for display only.
            let port = told.imported.as_ref().and_then(|config| config.port.as_ref());
            let first = port.map_or(INSTANCE_PORT, |port| port.value);
            let offset = if shared.is_some() { index as u16 } else { 0 };
            self.ports.push((first.saturating_add(offset), port.is_some()));
            let address = format!("{name}:{INSTANCE_PORT}");
            let address = self.address(AddressEntry { name: address, behind: Behind::Processes(vec![node]) });
            let start = told.start.as_ref().map_or(START_WITHIN, |start| start.value);
            // The others start when the service is scaled to them.
            let start = match index as u64 >= service.instances.value {
                true => SimTime::MAX,
                false => self.draw_start(Some(start), SimTime::ZERO, &name),
            };
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
                let address = self.address(AddressEntry { name: name.value.clone(), behind });
                let probes = scenario.topology.checks.iter().filter(|(of, _)| of.value == name.value);
                self.checks.extend(probes.map(|(_, probe)| health_check(address, probe)));
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

    fn add_traffic(&mut self) {
        let scenario = self.scenario;
        for service in &scenario.services {
            let Some(Named::Service(callers)) = self.names.get(&service.name.value).cloned() else {
                continue;
            };
            for (instances, told) in self.runs(service) {
                for (of, calls) in &told.calls {
                    self.add_calls(&callers[instances.clone()], told, of, calls);
                }
            }
        }
    }

    /// What these instances call of one service.
    fn add_calls(&mut self, callers: &[NodeId], service: &Service, of: &Spanned<String>, calls: &Calls) {
        let Some(called) = self.services.iter().position(|known| *known == of.value) else {
            let services = &self.scenario.services;
            let valid: Vec<_> = services.iter().map(|service| service.name.value.clone()).collect();
            if valid.contains(&of.value) {
                let help = Some("`register-with-eureka` is false for it".to_owned());
                self.error(of.span, format!("`{}` registers nothing", of.value), help);
            } else {
                self.unknown::<()>("service", of, valid);
            }
            return;
        };
        // A rate beyond one a nanosecond is more than time can tell apart.
        let Some(every) = calls.rate.interval().map(|every| every.max(Duration::from_nanos(1))) else {
            return;
        };
        for &caller in callers {
            let process = &self.processes[caller.index()];
            if !self.fetches(caller) {
                let help = "callers keep a copy of the registry: `client: { fetch-registry: true }`";
                let message = format!("`{}` fetches no registry", service.name.value);
                return self.error(of.span, message, Some(help.into()));
            }
            // Callers are not in step with each other.
            let key = self.chance.child("calls").child(&process.name).child(&of.value);
            let begins = if process.start == SimTime::MAX { SimTime::ZERO } else { process.start };
            let first = begins + Duration::from_nanos(stretch(key, every.as_nanos() as u64));
            self.traffic.push(Traffic {
                caller,
                service: ServiceId(called as u32),
                every,
                first,
                timeout: calls.timeout.as_ref().map_or(CALL_TIMEOUT, |timeout| timeout.value),
                retries: calls.retries.as_ref().map_or(0, |retries| retries.value as u32),
            });
        }
    }
}

/// A balancer's checks, with HAProxy's defaults.
fn health_check(address: Address, probe: &Probe) -> HealthCheck {
    let count = |written: &Option<Spanned<u64>>, default| {
        written.as_ref().map_or(default, |count| u32::try_from(count.value).unwrap_or(u32::MAX))
    };
    HealthCheck {
        address,
        every: probe.every.as_ref().map_or(CHECK_EVERY, |every| every.value),
        fall: count(&probe.fall, 3),
        rise: count(&probe.rise, 2),
        get: probe.get,
    }
}

/// A drawn number from 0 to `width`, both included.
fn stretch(key: Key, width: u64) -> u64 {
    let drawn = u128::from(key.draw(0, 0, 0, 0));
    ((drawn * (u128::from(width) + 1)) >> 64) as u64
}
