//! Which servers a process knows, where they are, and in which zones and regions.
//!
//! Separate because a URL in a real configuration file must lead to a process of the simulated world, and because there are four
//! ways to say which servers there are: the scenario's own lists, service URLs, DNS, and nothing at all, which means all.

use super::settings::Layers;
use super::{Named, Resolver};
use crate::protocol::eureka::config::{ClientConfig, Found, Profile};
use crate::protocol::eureka::node::ServiceUrl;
use crate::protocol::{Address, NodeId};
use crate::scenario::diagnostic::{Severity, Spanned, suggestion};
use crate::scenario::system::{Owner, Setting, Settings};
use crate::scenario::values::{self, Url};
use std::sync::Arc;

/// The zone of servers for which no zones are configured, in both products.
pub(super) const DEFAULT_ZONE: &str = "defaultZone";
/// The zone of a client whose servers are written in order: its first server is in it, the others are not.
const OWN_ZONE: &str = "preferred";
const OTHER_ZONE: &str = "others";

/// What is said of the servers of a process.
pub(super) struct Known<'a> {
    /// The scenario's own list, which wins.
    pub(super) written: Option<&'a [Spanned<String>]>,
    /// Whether the order of that list counts.
    pub(super) ordered: bool,
    /// The process itself, if it is a server.
    pub(super) but: Option<NodeId>,
    /// The client settings that stand beside the list.
    pub(super) block: &'a Settings,
    /// All settings.
    pub(super) layers: &'a Layers<'a>,
    /// The client settings that count.
    pub(super) client: &'a ClientConfig,
    /// The zone, if the process runs in AWS.
    pub(super) aws_zone: Option<&'a str>,
    /// Region and zone of the client when it was built, if it has been: what it takes for its own stays.
    pub(super) built: Option<(&'a str, &'a Arc<str>)>,
}

/// What a process knows of servers.
#[derive(Clone)]
pub(super) struct Registries {
    /// The zone it is in.
    pub(super) zone: Arc<str>,
    /// The servers.
    pub(super) urls: Arc<[ServiceUrl]>,
    /// Zones of other regions.
    pub(super) remote_zones: Arc<[(Arc<str>, Arc<str>)]>,
}

impl Resolver<'_> {
    /// The servers of a process.
    pub(super) fn registries(&mut self, known: &Known<'_>) -> Registries {
        let Known { written, ordered, but, block, layers, client, aws_zone, built } = *known;
        let urls = layers.written(Owner::Client, "service-url.*");
        if written.is_some()
            && let Some((_, second)) =
                block.of(super::settings::key_of(Owner::Client, "service-url.*")).next()
        {
            let help = Some("leave one out".to_owned());
            self.diagnostics.push(second.bad_key("two lists of servers for one process", help));
        }
        let zones_of = |region: &str| -> Vec<Arc<str>> {
            let zones = client.availability_zones.iter().find(|(of, _)| **of == *region);
            let zones = zones.map_or("", |(_, zones)| zones).split(',').map(str::trim);
            zones.filter(|zone| !zone.is_empty()).map(Arc::from).collect()
        };
        let home = built.map_or(&*client.region, |(region, _)| region);
        let elsewhere = client.availability_zones.iter().filter(|(region, _)| **region != *home);
        let remote_zones = elsewhere
            .flat_map(|(region, _)| zones_of(region).into_iter().map(|zone| (zone, Arc::clone(region))))
            .collect();
        let mut zones = zones_of(&client.region);
        if zones.is_empty() {
            zones.push(DEFAULT_ZONE.into());
        }
        let configured = aws_zone.map_or_else(|| Arc::clone(&zones[0]), Arc::from);
        let (zone, urls) = match written {
            Some(servers) if ordered && servers.len() > 1 => {
                // Eureka shuffles the servers of one zone; the client's own zone comes first. So the first server written is
                // tried first, as it would be with two zones configured, and the others in any order.
                let own = built.map_or_else(|| OWN_ZONE.into(), |(_, zone)| Arc::clone(zone));
                let other = if own.eq_ignore_ascii_case(OTHER_ZONE) { OWN_ZONE } else { OTHER_ZONE };
                let urls = self.urls_of(servers, |at| if at == 0 { &own } else { other });
                (own, urls)
            }
            Some(servers) if !servers.is_empty() => {
                (DEFAULT_ZONE.into(), self.urls_of(servers, |_| DEFAULT_ZONE))
            }
            // A server without any URL would not start: one that is alone knows itself.
            Some(_) => (DEFAULT_ZONE.into(), self.itself(but)),
            None if client.use_dns => (configured, self.urls_in_dns(client, layers)),
            None if !urls.is_empty() => (configured, self.configured_urls(&zones, &urls)),
            None if self.scenario.servers.len() == 1 && but.is_some() => {
                (DEFAULT_ZONE.into(), self.itself(but))
            }
            None => (DEFAULT_ZONE.into(), self.all_servers(but)),
        };
        Registries { zone, urls, remote_zones }
    }

    /// The URL of one server or address by name.
    fn url_of(&self, name: &str, zone: &str) -> Option<ServiceUrl> {
        let address = self.server_address(name)?;
        let full = &self.addresses[address.index()].name;
        let host = full.rsplit_once(':').map_or(full.as_str(), |(host, _)| host);
        let text = format!("http://{full}/eureka/").into();
        Some(ServiceUrl { text, ..ServiceUrl::new(zone, host, address) })
    }

    /// The address of a server, or one of that name.
    fn server_address(&self, name: &str) -> Option<Address> {
        match self.names.get(name) {
            Some(Named::Server(node)) => Some(self.processes[node.index()].address),
            _ => self.address_named(name),
        }
    }

    /// The address of a server or an address that is named; otherwise a mistake.
    pub(super) fn server_or_address(&mut self, name: &Spanned<String>) -> Option<Address> {
        if let Some(address) = self.server_address(name) {
            return Some(address);
        }
        let servers = self.scenario.servers.iter().map(|server| server.name.value.clone());
        let addresses = self.scenario.topology.addresses.iter().map(|(name, _)| name.value.clone());
        let valid = servers.chain(addresses).collect();
        self.unknown("server or address", name, valid)
    }

    fn urls_of<'a>(
        &mut self,
        names: &[Spanned<String>],
        zone: impl Fn(usize) -> &'a str,
    ) -> Arc<[ServiceUrl]> {
        let mut urls = Vec::new();
        for (at, name) in names.iter().enumerate() {
            match self.url_of(name, zone(at)) {
                Some(url) => urls.push(url),
                None => {
                    self.server_or_address(name);
                }
            }
        }
        urls.into()
    }

    /// The URL of a server itself.
    fn itself(&self, server: Option<NodeId>) -> Arc<[ServiceUrl]> {
        let server = server.map(|node| &self.scenario.servers[node.index()]);
        server.and_then(|server| self.url_of(&server.name, DEFAULT_ZONE)).into_iter().collect()
    }

    fn all_servers(&self, but: Option<NodeId>) -> Arc<[ServiceUrl]> {
        let all = self.scenario.servers.iter().enumerate();
        let others = all.filter(|(at, _)| but.is_none_or(|node| node.index() != *at));
        others.filter_map(|(_, server)| self.url_of(&server.name, DEFAULT_ZONE)).collect()
    }

    /// The servers of service URLs, in the order of the zones.
    fn configured_urls(&mut self, zones: &[Arc<str>], written: &[(Found, &Setting)]) -> Arc<[ServiceUrl]> {
        let of = |zone: &str| {
            let named = written.iter().find(|(found, _)| found.name.as_deref() == Some(zone));
            let urls = named.map(|(_, setting)| (*setting, values::urls(setting)));
            urls.filter(|(_, urls)| !urls.is_empty())
        };
        // A zone without servers of its own has those of the default, under the name that the product has for it.
        let default = match self.scenario.system.profile {
            Profile::Netflix => "default",
            Profile::SpringCloud => DEFAULT_ZONE,
        };
        let mut urls = Vec::new();
        for zone in zones {
            let found = of(zone).or_else(|| of(default));
            let Some((setting, of_zone)) = found else { continue };
            // What is no URL has been reported when it was read.
            for url in of_zone.into_iter().flatten() {
                let Some(address) = self.address_of_url(setting, &url) else { continue };
                let adds_slash =
                    self.scenario.system.profile == Profile::SpringCloud && !url.text.ends_with('/');
                let text = if adds_slash { format!("{}/", url.text) } else { url.text }.into();
                urls.push(ServiceUrl { text, ..ServiceUrl::new(zone, &url.host, address) });
            }
        }
        urls.into()
    }

    /// What stands at a URL of a setting.
    pub(super) fn address_of_url(&mut self, setting: &Setting, url: &Url) -> Option<Address> {
        let name = format!("{}:{}", url.host, url.port);
        if let Some(address) = self.address_named(&name) {
            return Some(address);
        }
        let servers = self.addresses.iter().map(|entry| entry.name.as_str());
        let near = suggestion(&name, servers).unwrap_or_default();
        let help =
            format!("{near} Or say what is there: `topology: {{ addresses: {{ \"{name}\": nothing }} }}`");
        let message = format!("nobody stands at `{name}`");
        self.diagnostics.push(setting.remark(Severity::Error, url.span, message, Some(help)));
        None
    }

    /// The servers that DNS names: the record of the region lists zones, the record of each zone lists hosts.
    fn urls_in_dns(&mut self, client: &ClientConfig, layers: &Layers<'_>) -> Arc<[ServiceUrl]> {
        let used = layers.last(Owner::Client, "use-dns-for-fetching-service-urls");
        let used = used.expect("it is off, unless it is written");
        let mut urls = Vec::new();
        // Netflix looks below its common prefix next, where the port is that of the instance.
        let common = || match self.scenario.system.profile {
            Profile::Netflix => {
                values::port(layers.last(Owner::Instance, "non-secure-port")?.value.trim()).ok()?
            }
            Profile::SpringCloud => None,
        };
        let Some(port) = values::port(&client.dns_port).ok().flatten().or_else(common) else {
            let help = Some("`eureka-server-port`, as the product needs it".to_owned());
            self.diagnostics.push(used.bad_value("servers from DNS without their port", help));
            return urls.into();
        };
        let region = format!("txt.{}.{}", client.region, client.dns_name);
        for zone in self.dns_record(&region, used) {
            let label: Arc<str> = zone.split('.').next().unwrap_or("").into();
            for host in self.dns_record(&format!("txt.{}", zone.value), used) {
                let name = Spanned::new(format!("{}:{port}", host.value), host.span);
                let Some(address) = self.server_or_address(&name) else { continue };
                let text = format!("http://{}:{port}/eureka/", host.value).into();
                urls.push(ServiceUrl { text, ..ServiceUrl::new(&label, &host.value, address) });
            }
        }
        urls.into()
    }

    fn dns_record(&mut self, name: &str, used: &Setting) -> Vec<Spanned<String>> {
        if let Some((_, names)) = self.records.iter().find(|(known, _)| known == name) {
            return names.clone();
        }
        let near = suggestion(name, self.records.iter().map(|(known, _)| known.as_str()));
        let help = near.unwrap_or_else(|| format!("`topology: {{ dns: {{ \"{name}\": [ … ] }} }}`"));
        self.diagnostics.push(used.bad_value(format!("no record in DNS: `{name}`"), Some(help)));
        Vec::new()
    }
}
