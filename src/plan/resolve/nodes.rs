//! What each process is told about itself: its settings, its registration, its servers.
//!
//! Separate from the fleet because all processes and addresses must stand before anybody can be told of them, and all
//! registrations before anybody can be told of others' (a backup registry, a white list).

use super::about::{Template, Whereabouts, id_of};
use super::registries::{Known, Registries};
use super::settings::Layers;
use super::{Named, Resolver};
use crate::plan::world::{HostId, PoolPolicy};
use crate::protocol::eureka::applications::Applications;
use crate::protocol::eureka::config::{ClientConfig, InstanceConfig, Profile, ServerConfig};
use crate::protocol::eureka::instance::{InstanceInfo, LeaseInfo};
use crate::protocol::eureka::node::{
    Balancer, ClientNode, HealthSource, Registration, RemoteRegion, Rule, ServerNode, Transport,
};
use crate::protocol::eureka::{self};
use crate::protocol::{InstanceId, NodeId, ServiceId, Status};
use crate::scenario::diagnostic::{Severity, Source, Span, suggestion};
use crate::scenario::fleet::{Server, Service, WrittenBalancer};
use crate::scenario::selector::Who;
use crate::scenario::spring::SpringConfig;
use crate::scenario::system::{Owner, Setting};
use crate::scenario::values;
use std::sync::Arc;
use std::time::Duration;

/// The application name of a server that names none.
const SERVER_APPLICATION: &str = "eureka-server";
/// Life of Spring Cloud LoadBalancer's cache (`spring.cloud.loadbalancer.cache.ttl`).
const SPRING_BALANCER_CACHE: Duration = Duration::from_secs(35);

/// What the instances of one service, or one server, register.
struct Registrations {
    app: ServiceId,
    instance: Arc<InstanceConfig>,
    initial_status: Status,
    template: Template,
    /// Where the instance id was written, if it was.
    id_written: Option<(Arc<Source>, Span)>,
}

impl<'s> Resolver<'s> {
    pub(super) fn configure_server(&mut self, node: NodeId, server: &'s Server, hostname: &str) {
        let scenario = self.scenario;
        let layers = Layers::of_server(scenario, server);
        let imported = server.imported.as_ref();
        let (server_config, client_config) = (Arc::new(layers.server()), Arc::new(layers.client()));
        let instance_config = Arc::new(layers.instance());
        let aws_zone = self.aws_zone(node);
        let known = Known {
            written: server.peers.as_deref(),
            ordered: false,
            but: Some(node),
            block: &server.client,
            layers: &layers,
            client: &client_config,
            aws_zone: aws_zone.as_deref(),
            built: None,
        };
        let registries = self.registries(&known);
        self.note_settings(&layers, None);
        let remote_regions = self.remote_regions(&layers);
        let service = application(imported, &instance_config).unwrap_or(SERVER_APPLICATION).to_owned();
        let names = (&*service, spring_name(imported).unwrap_or(SERVER_APPLICATION));
        let registrations = client_config
            .register_with_eureka
            .then(|| self.registrations(names, imported, &layers, Arc::clone(&instance_config)));
        let instance = registrations.map(|mut of| self.register(node, &mut of));
        let transport = server.transport.unwrap_or(Transport::Jersey);
        self.processes[node.index()].pools = pools(transport, &client_config, Some(&server_config));
        let client = ClientNode {
            fixes: Arc::new(layers.fixes()),
            instance,
            remote_zones: registries.remote_zones,
            transport,
            balancer: balancer(scenario.system.profile, None, None),
            health: health(None, &client_config),
            ..ClientNode::new(scenario.system.profile, client_config, registries.zone, registries.urls)
        };
        let ip: Arc<str> = match &*instance_config.ip_address {
            "" => ip_of(self.processes[node.index()].host).into(),
            ip => ip.into(),
        };
        // Who prefers addresses is called by one, and compares the hosts of URLs with it.
        let hostname = if instance_config.prefer_ip_address { Arc::clone(&ip) } else { hostname.into() };
        let server = ServerNode {
            ip,
            remote_regions,
            cloud: scenario.system.cloud,
            ..ServerNode::new(server_config, client, hostname)
        };
        self.configs.push(Arc::new(eureka::Config::Server(Box::new(server))));
    }

    pub(super) fn configure_service(&mut self, service: &'s Service) {
        let Some(Named::Service(nodes)) = self.names.get(&service.name.value) else { return };
        let nodes = nodes.clone();
        for (instances, told) in self.runs(service) {
            self.configure_instances(&nodes[instances], told);
        }
    }

    /// Instances of which the same is said.
    fn configure_instances(&mut self, nodes: &[NodeId], service: &Service) {
        let scenario = self.scenario;
        let layers = Layers::of_service(scenario, service);
        let client = Arc::new(layers.client());
        let mut instance = layers.instance();
        if let Some(every) = &service.heartbeat_every {
            if every.is_zero() {
                self.error(every.span, "heartbeats without a pause", Some("such as `1500ms`".into()));
            }
            instance.lease_renewal_interval = every.value;
        }
        let fixes = Arc::new(layers.fixes());
        self.note_settings(&layers, Some(service));
        let imported = service.imported.as_ref();
        let name = service.name.value.as_str();
        let mut registrations = client.register_with_eureka.then(|| {
            let names = (name, spring_name(imported).unwrap_or(name));
            let mut registrations = self.registrations(names, imported, &layers, Arc::new(instance));
            registrations.template.omit(&service.omits);
            registrations
        });
        let mut shared: Option<Registries> = None;
        for &node in nodes {
            let aws_zone = self.aws_zone(node);
            // All instances know the same servers; in AWS each prefers those of its zone.
            if shared.is_none() || aws_zone.is_some() {
                let known = Known {
                    written: service.servers.as_deref(),
                    ordered: true,
                    but: None,
                    block: &service.client,
                    layers: &layers,
                    client: &client,
                    aws_zone: aws_zone.as_deref(),
                    built: None,
                };
                let registries = self.registries(&known);
                if registries.urls.is_empty() && shared.is_none() {
                    let message = format!("the instances know no server: `{name}`");
                    self.note(service.name.span, message);
                }
                shared = Some(registries);
            }
            let Some(registries) = &shared else { continue };
            let registries = registries.clone();
            let instance = registrations.as_mut().map(|of| self.register(node, of));
            let process = &mut self.processes[node.index()];
            let transport = service.transport.unwrap_or(Transport::Jersey);
            process.pools = pools(transport, &client, None);
            // Who fetches one address alone never holds the whole truth.
            process.subscribes = client.fetch_registry && client.single_vip.is_empty();
            let profile = scenario.system.profile;
            let node = ClientNode {
                fixes: Arc::clone(&fixes),
                instance,
                remote_zones: registries.remote_zones,
                transport,
                balancer: balancer(profile, service.balancer, imported),
                health: health(service.health, &client),
                ..ClientNode::new(profile, Arc::clone(&client), registries.zone, registries.urls)
            };
            self.configs.push(Arc::new(eureka::Config::Client(node)));
        }
    }

    /// What some processes are told of others' registrations.
    pub(super) fn configure_others(&mut self) {
        let scenario = self.scenario;
        let runs: Vec<_> = scenario.services.iter().flat_map(|service| self.runs(service)).collect();
        for (instances, service) in runs {
            let Some(backup) = &service.backup else { continue };
            let Some(applications) = self.backup(backup) else { continue };
            let Some(Named::Service(nodes)) = self.names.get(&service.name.value) else { continue };
            for node in &nodes[instances] {
                if let eureka::Config::Client(client) = Arc::make_mut(&mut self.configs[node.index()]) {
                    client.backup = Some(Arc::clone(&applications));
                }
            }
        }
        for (at, server) in scenario.servers.iter().enumerate() {
            let layers = Layers::of_server(scenario, server);
            let instance = layers.instance();
            let app = application(server.imported.as_ref(), &instance).unwrap_or(SERVER_APPLICATION);
            let app = self.services.iter().position(|known| known.eq_ignore_ascii_case(app));
            if let eureka::Config::Server(node) = Arc::make_mut(&mut self.configs[at]) {
                node.app = app.map(|app| ServiceId(app as u32));
            }
            let lists = layers.written(Owner::Server, "remote-region-app-whitelist.*");
            let lists: Vec<(String, Arc<[ServiceId]>)> = lists
                .into_iter()
                .filter_map(|(found, setting)| Some((found.name?, self.services_of(setting))))
                .collect();
            if let eureka::Config::Server(node) = Arc::make_mut(&mut self.configs[at]) {
                node.allow(&lists);
            }
        }
    }

    /// A registry of the instances that are meant, as they would stand in it when all is well.
    fn backup(&mut self, who: &Who) -> Option<Arc<Applications>> {
        let nodes = self.processes_of(who)?;
        self.instances_of(who)?;
        let registration = |node: &NodeId| self.configs[node.index()].client().instance.clone();
        let infos = nodes.iter().filter_map(registration).map(|registration| {
            Arc::new(InstanceInfo {
                app: registration.app,
                id: registration.id,
                status: Status::Up,
                overridden: Status::Unknown,
                last_dirty: 0,
                last_updated: 0,
                lease: Some(LeaseInfo {
                    renewal_interval: registration.instance.lease_renewal_interval,
                    duration: registration.instance.lease_duration,
                }),
                action: None,
                about: registration.about,
            })
        });
        Some(Arc::new(Applications::new(infos.collect())))
    }

    /// The services that a setting lists.
    pub(super) fn services_of(&mut self, setting: &Setting) -> Arc<[ServiceId]> {
        let mut services = Vec::new();
        for name in setting.value.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            match self.services.iter().position(|known| known.eq_ignore_ascii_case(name)) {
                Some(at) => services.push(ServiceId(at as u32)),
                None => {
                    let known = self.services.iter().map(String::as_str);
                    let help = suggestion(name, known);
                    self.diagnostics.push(setting.bad_value(format!("unknown service: `{name}`"), help));
                }
            }
        }
        services.into()
    }

    /// The registries of other regions that a server fetches; white lists follow.
    fn remote_regions(&mut self, layers: &Layers<'_>) -> Arc<[RemoteRegion]> {
        let mut regions: Vec<RemoteRegion> = Vec::new();
        for (found, setting) in layers.written(Owner::Server, "remote-region-urls-with-name.*") {
            for (name, url) in values::named_urls(&found, setting) {
                // What is no URL has been reported when it was read.
                let Some(address) = url.ok().and_then(|url| self.address_of_url(setting, &url)) else {
                    continue;
                };
                regions.retain(|region| *region.name != *name);
                regions.push(RemoteRegion { name: name.into(), address, white_list: None });
            }
        }
        regions.into()
    }

    /// The zone of a process, if everything runs in AWS.
    pub(super) fn aws_zone(&self, node: NodeId) -> Option<String> {
        self.scenario.system.cloud.then(|| self.zone_name(node).to_owned())
    }

    fn zone_name(&self, node: NodeId) -> &str {
        let host = self.processes[node.index()].host;
        &self.zones[self.hosts[host.index()].zone.index()].name
    }

    /// What is worth knowing about the settings of a process: those that its product does not have, and a backup registry of which
    /// nobody says what is in it.
    fn note_settings(&mut self, layers: &Layers<'_>, service: Option<&Service>) {
        let profile = self.scenario.system.profile;
        let (other, shown) = match profile {
            Profile::Netflix => ("Spring Cloud", "netflix"),
            Profile::SpringCloud => ("Netflix's Eureka", "spring-cloud"),
        };
        for (_, found, setting) in layers.all() {
            // One without effect has been noted when it was read.
            if !found.key.is_of(profile) && found.key.inert.is_none() {
                let key = &setting.key.value;
                let message =
                    format!("a setting of {other} under `profile: {shown}`, taken as meant: `{key}`");
                self.notes.push(setting.remark(Severity::Note, setting.key.span, message, None));
            }
        }
        let backup = layers.last(Owner::Client, "backup-registry-impl");
        if let Some(setting) = backup.filter(|setting| !setting.value.trim().is_empty())
            && service.is_none_or(|service| service.backup.is_none())
        {
            let message = "a backup registry with nothing in it: `backup` of a service says what it holds";
            self.notes.push(setting.remark(Severity::Note, setting.key.span, message, None));
        }
    }

    /// What the instances of one service, or one server, register. Of the names one is the service's in the scenario, or the server's
    /// application; the other is what stands for `spring.application.name`.
    fn registrations(
        &mut self,
        (service, spring_name): (&str, &str),
        imported: Option<&SpringConfig>,
        layers: &Layers<'_>,
        instance: Arc<InstanceConfig>,
    ) -> Registrations {
        let known = self.services.iter().position(|known| known.eq_ignore_ascii_case(service));
        let app = ServiceId(known.unwrap_or(self.services.len()) as u32);
        if known.is_none() {
            self.services.push(service.to_owned());
        }
        let initial_status = values::status(&instance.initial_status).unwrap_or(Status::Up);
        let id_part = imported.and_then(|config| config.instance_id.as_ref());
        let id_part = id_part.map(|part| part.value.clone());
        let written = layers.last(Owner::Instance, "instance-id");
        let profile = self.scenario.system.profile;
        // In a scenario a service has its scenario's name; what its instances call themselves is their own affair.
        let application = application(imported, &instance).unwrap_or(service);
        Registrations {
            app,
            initial_status,
            template: Template::new(profile, application, spring_name, Arc::clone(&instance), id_part),
            instance,
            id_written: written.map(|setting| (Arc::clone(&setting.source), setting.value.span)),
        }
    }

    /// What one process registers.
    fn register(&mut self, node: NodeId, of: &mut Registrations) -> Registration {
        let id = InstanceId(self.instances.len() as u32);
        let process = &self.processes[node.index()];
        let (name, host) = (process.name.clone(), process.host);
        self.instances.push(name.clone());
        let ip = ip_of(host);
        let zones_named = !self.scenario.topology.regions.is_empty();
        let (port, port_known) = self.ports[node.index()];
        let place = Whereabouts {
            host: &self.hosts[host.index()].name.replace('/', "-"),
            ip: &ip,
            port,
            port_known,
            aws_zone: self.scenario.system.cloud.then(|| self.zone_name(node)),
            zone: zones_named.then(|| self.zone_name(node)),
            random: self.chance.child("instance").child(&name).draw(0, 0, 0, 0),
        };
        let mut about = of.template.at(&place);
        if self.ids.contains_key(&(of.app, id_of(&about))) {
            if let Some((source, span)) = &of.id_written {
                let message = format!("two instances of one id: `{}`", id_of(&about));
                let help =
                    "something that differs, such as `${spring.cloud.client.hostname}` or `${random.value}`";
                self.error_in(Arc::clone(source), *span, message, Some(help.to_owned()));
            }
            // Processes of one host that nobody gave an id of their own.
            about.instance_id = name.as_str().into();
        }
        self.ids.insert((of.app, id_of(&about)), id);
        let first = *self.override_keys.entry(id_of(&about)).or_insert(id);
        about.override_key = (first != id).then_some(first);
        // Its address book entry is both its host name and its IP address.
        let address = Some(self.processes[node.index()].address);
        (about.address, about.ip_address) = (address, address);
        self.processes[node.index()].instance = Some((of.app, id));
        // Groups are known to AWS alone.
        if let Some(group) = about.asg.as_ref().filter(|_| self.scenario.system.cloud) {
            match self.groups.iter_mut().find(|(name, _)| name == group) {
                Some((_, members)) => members.push(id),
                None => self.groups.push((Arc::clone(group), vec![id])),
            }
        }
        Registration {
            app: of.app,
            id,
            instance: Arc::clone(&of.instance),
            initial_status: of.initial_status,
            about: Arc::new(about),
        }
    }
}

/// The application's name, as the product's files give it.
fn application<'a>(imported: Option<&'a SpringConfig>, instance: &'a InstanceConfig) -> Option<&'a str> {
    match &*instance.app_name {
        "" => spring_name(imported),
        name => Some(name),
    }
}

/// `spring.application.name`, if a file gives it.
fn spring_name(imported: Option<&SpringConfig>) -> Option<&str> {
    imported.and_then(|config| config.application.as_ref()).map(|name| name.value.as_str())
}

/// A host's address: made up, from a private range.
pub(super) fn ip_of(host: HostId) -> String {
    let [_, high, middle, low] = (host.0 + 1).to_be_bytes();
    format!("10.{high}.{middle}.{low}")
}

/// How a product's clients pick an instance, unless something else is said.
fn balancer(profile: Profile, written: Option<WrittenBalancer>, imported: Option<&SpringConfig>) -> Balancer {
    let written = written.unwrap_or_default();
    let in_file = imported.and_then(|config| config.balancer_cache);
    let cache = match profile {
        Profile::Netflix => Duration::ZERO,
        Profile::SpringCloud => SPRING_BALANCER_CACHE,
    };
    Balancer {
        rule: written.rule.unwrap_or(Rule::RoundRobin),
        cache: written.cache.or(in_file).unwrap_or(cache),
    }
}

/// What decides about the status: what is said, or what the product's key switches on.
fn health(written: Option<HealthSource>, client: &ClientConfig) -> HealthSource {
    let switched_on = if client.health_check_enabled { HealthSource::Actuator } else { HealthSource::None };
    written.unwrap_or(switched_on)
}

/// The connection pools of a process: two of its client (Jersey uses but the first), and, of a server, replication and other regions.
fn pools(transport: Transport, client: &ClientConfig, server: Option<&ServerConfig>) -> Vec<PoolPolicy> {
    let (idle, max_per_address, max_total) = transport.connections(client);
    let to_servers = PoolPolicy { idle, max_per_address, max_total };
    let mut pools = vec![to_servers, to_servers];
    if let Some(server) = server {
        // Each peer, and each region, has an HTTP client of its own, and both limits are that client's.
        pools.push(PoolPolicy {
            idle: server.peer_connection_idle_timeout,
            max_per_address: server.peer_connections_per_host.min(server.peer_connections_total),
            max_total: u32::MAX,
        });
        pools.push(PoolPolicy {
            idle: server.remote_region_connection_idle_timeout,
            max_per_address: server
                .remote_region_connections_per_host
                .min(server.remote_region_connections_total),
            max_total: u32::MAX,
        });
    }
    pools
}
