//! Who a selector means: processes, hosts, instances.
//!
//! Separate because steps and expectations ask the same questions. A selector that means nobody is a mistake: a fault that hits
//! nothing would make a run look good.

use super::{Named, Resolver};
use crate::plan::world::{HostId, Process, RegionId, Role, ZoneId};
use crate::protocol::eureka;
use crate::protocol::{InstanceId, Key, NodeId};
use crate::scenario::diagnostic::Spanned;
use crate::scenario::selector::{Selector, Who};

impl Resolver<'_> {
    /// The processes that are meant, in order of id.
    pub(super) fn processes_of(&mut self, who: &Who) -> Option<Vec<NodeId>> {
        let mut nodes = self.expand(who)?;
        nodes.sort_unstable();
        nodes.dedup();
        match nodes.is_empty() {
            true => self.refuse(who.span, "this means no process", "the place is empty"),
            false => Some(nodes),
        }
    }

    /// The hosts that are meant: those of the processes, also of those that are still to come, and of a place or host that is named
    /// also those without.
    pub(super) fn hosts_of(&mut self, who: &Who) -> Option<Vec<HostId>> {
        let as_of = self.as_of.take();
        let hosts = self.expand_hosts(who);
        self.as_of = as_of;
        let mut hosts = hosts?;
        hosts.sort_unstable();
        hosts.dedup();
        match hosts.is_empty() {
            true => self.refuse(who.span, "this means no host", "the place is empty"),
            false => Some(hosts),
        }
    }

    /// The registered instances that are meant.
    pub(super) fn instances_of(&mut self, who: &Who) -> Option<Vec<InstanceId>> {
        let nodes = self.processes_of(who)?;
        let mut instances = Vec::new();
        for node in nodes {
            let process = &self.processes[node.index()];
            match process.instance {
                Some((_, instance)) => instances.push(instance),
                None => {
                    let message = format!("this process registers nothing: `{}`", process.name);
                    return self.refuse(who.span, message, "`register-with-eureka` is false for it");
                }
            }
        }
        Some(instances)
    }

    /// The servers that are meant; anything else is a mistake.
    pub(super) fn servers_of(&mut self, who: &Who) -> Option<Vec<NodeId>> {
        let nodes = self.processes_of(who)?;
        match nodes.iter().find(|node| self.processes[node.index()].role != Role::Server) {
            None => Some(nodes),
            Some(node) => {
                let message = format!("not a server: `{}`", self.processes[node.index()].name);
                self.refuse(who.span, message, "the name of a server, or `servers`")
            }
        }
    }

    /// Whether it is a client that keeps a copy of the registry, of all or of a part.
    pub(super) fn fetches(&self, node: NodeId) -> bool {
        matches!(&*self.configs[node.index()], eureka::Config::Client(client) if client.client.fetch_registry)
    }

    /// All servers.
    pub(super) fn all_servers_of(&self) -> Vec<NodeId> {
        self.nodes_where(|process| process.role == Role::Server)
    }

    fn nodes_where(&self, wanted: impl Fn(&Process) -> bool) -> Vec<NodeId> {
        let all = self.processes.iter().enumerate();
        all.filter(|(_, process)| wanted(process)).map(|(at, _)| NodeId(at as u32)).collect()
    }

    /// The processes that are meant, of those that there are. An instance that is named is meant in any case.
    fn expand(&mut self, who: &Who) -> Option<Vec<NodeId>> {
        let mut nodes = self.expand_all(who)?;
        if !matches!(who.value, Selector::Instance { .. } | Selector::Union(_)) {
            nodes.retain(|node| self.is_there(*node));
        }
        Some(nodes)
    }

    fn expand_all(&mut self, who: &Who) -> Option<Vec<NodeId>> {
        let named = |name: &String| Spanned::new(name.clone(), who.span);
        match &who.value {
            Selector::Servers => Some(self.all_servers_of()),
            Selector::Clients => Some(self.nodes_where(|process| process.role == Role::Client)),
            Selector::Union(parts) => {
                let mut nodes = Vec::new();
                // All parts are looked at, so that all unknown names are shown.
                let found: Vec<_> = parts.iter().map(|part| self.expand(part)).collect();
                for part in found {
                    nodes.extend(part?);
                }
                Some(nodes)
            }
            Selector::Instance { service, index } => {
                let nodes = self.instances_named(&named(service))?;
                let count = nodes.len();
                match nodes.get(*index as usize) {
                    Some(node) => Some(vec![*node]),
                    None => {
                        let message = format!("`{service}` has no instance {index}");
                        self.refuse(who.span, message, format!("0 to {}", count.saturating_sub(1)))
                    }
                }
            }
            Selector::Share { share, of } => {
                let nodes = self.processes_of(of)?;
                let count = share.of(nodes.len());
                Some(self.pick(nodes, count, who))
            }
            Selector::Some { count, of } => {
                let nodes = self.processes_of(of)?;
                if *count as usize > nodes.len() {
                    let message = format!("{count} of only {}", nodes.len());
                    return self.refuse(who.span, message, "fewer, or all by the name alone");
                }
                Some(self.pick(nodes, *count as usize, who))
            }
            Selector::Zone(name) => {
                let zone = self.zone_of(Some(&named(name)));
                Some(self.nodes_where(|process| self.hosts[process.host.index()].zone == zone))
            }
            Selector::Region(name) => {
                let region = self.region_of(&named(name))?;
                Some(self.nodes_where(|process| self.region_of_host(process.host) == region))
            }
            Selector::Host(name) => {
                let host = self.host_named(&named(name))?;
                Some(self.nodes_where(|process| process.host == host))
            }
            Selector::Name(name) => match self.names.get(name) {
                Some(Named::Server(node)) => Some(vec![*node]),
                Some(Named::Service(nodes)) => Some(nodes.clone()),
                Some(Named::Host(host)) => {
                    let host = *host;
                    Some(self.nodes_where(|process| process.host == host))
                }
                Some(Named::Zone(zone)) => {
                    let zone = *zone;
                    Some(self.nodes_where(|process| self.hosts[process.host.index()].zone == zone))
                }
                Some(Named::Region(region)) => {
                    let region = *region;
                    Some(self.nodes_where(|process| self.region_of_host(process.host) == region))
                }
                None => {
                    let valid = self.names.keys().cloned().collect();
                    self.unknown("name", &named(name), valid)
                }
            },
        }
    }

    fn expand_hosts(&mut self, who: &Who) -> Option<Vec<HostId>> {
        let named = |name: &String| Spanned::new(name.clone(), who.span);
        let in_zone =
            |resolver: &Self, zone: ZoneId| resolver.hosts_where(|at| resolver.hosts[at].zone == zone);
        let in_region = |resolver: &Self, region: RegionId| {
            resolver.hosts_where(|at| resolver.zones[resolver.hosts[at].zone.index()].region == region)
        };
        match &who.value {
            Selector::Zone(name) => {
                let zone = self.zone_of(Some(&named(name)));
                Some(in_zone(self, zone))
            }
            Selector::Region(name) => {
                let region = self.region_of(&named(name))?;
                Some(in_region(self, region))
            }
            Selector::Host(name) => Some(vec![self.host_named(&named(name))?]),
            Selector::Name(name) => match self.names.get(name) {
                Some(Named::Host(host)) => Some(vec![*host]),
                Some(Named::Zone(zone)) => Some(in_zone(self, *zone)),
                Some(Named::Region(region)) => Some(in_region(self, *region)),
                Some(Named::Server(_) | Named::Service(_)) | None => {
                    let nodes = self.expand(who)?;
                    Some(self.hosts_under(&nodes))
                }
            },
            Selector::Union(parts) => {
                let mut hosts = Vec::new();
                let found: Vec<_> = parts.iter().map(|part| self.expand_hosts(part)).collect();
                for part in found {
                    hosts.extend(part?);
                }
                Some(hosts)
            }
            Selector::Servers
            | Selector::Clients
            | Selector::Instance { .. }
            | Selector::Share { .. }
            | Selector::Some { .. } => {
                let nodes = self.expand(who)?;
                Some(self.hosts_under(&nodes))
            }
        }
    }

    fn hosts_under(&self, nodes: &[NodeId]) -> Vec<HostId> {
        nodes.iter().map(|node| self.processes[node.index()].host).collect()
    }

    fn hosts_where(&self, wanted: impl Fn(usize) -> bool) -> Vec<HostId> {
        (0..self.hosts.len()).filter(|at| wanted(*at)).map(|at| HostId(at as u32)).collect()
    }

    fn region_of_host(&self, host: HostId) -> RegionId {
        self.zones[self.hosts[host.index()].zone.index()].region
    }

    fn region_of(&mut self, name: &Spanned<String>) -> Option<RegionId> {
        match self.regions.iter().position(|region| *region == name.value) {
            Some(at) => Some(RegionId(at as u32)),
            None => {
                let valid = self.regions.clone();
                self.unknown("region", name, valid)
            }
        }
    }

    fn host_named(&mut self, name: &Spanned<String>) -> Option<HostId> {
        match self.hosts.iter().position(|host| host.name == name.value) {
            Some(at) => Some(HostId(at as u32)),
            None => {
                let valid = self.hosts.iter().map(|host| host.name.clone()).collect();
                self.unknown("host", name, valid)
            }
        }
    }

    fn instances_named(&mut self, name: &Spanned<String>) -> Option<Vec<NodeId>> {
        match self.names.get(&name.value) {
            Some(Named::Service(nodes)) => Some(nodes.clone()),
            _ => {
                let valid = self.scenario.services.iter().map(|service| service.name.value.clone()).collect();
                self.unknown("service", name, valid)
            }
        }
    }

    /// So many of them, drawn. Each process has a rank of its own, so that one more or one fewer to draw from moves one only.
    fn pick(&self, nodes: Vec<NodeId>, count: usize, who: &Who) -> Vec<NodeId> {
        let key: Key = self.chance.child("pick").child(&format!("{}", who.span.start));
        let rank = |node: &NodeId| (key.child(&self.processes[node.index()].name).draw(0, 0, 0, 0), *node);
        let mut ranked = nodes;
        ranked.sort_by_cached_key(rank);
        ranked.truncate(count);
        ranked
    }
}
