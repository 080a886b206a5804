//! The process of a transcript: what stands before its start.
//!
//! The first line names the role and the product. After it may come, in any order: `urls` (servers, each `host`, `host:port` or
//! `zone/host`), `host` and `zone` (the process's own), `registers application/id`, `set part.key value` (a setting, in either
//! spelling), `cloud` (it runs in AWS), `region name server` (another region), `health` (callback or actuator), `balancer`
//! (round-robin or zone-aware), and `show`.

use std::sync::Arc;

use super::names::Names;
use crate::protocol::eureka::config::{ClientConfig, Fixes, InstanceConfig, Profile, ServerConfig};
use crate::protocol::eureka::instance::About;
use crate::protocol::eureka::node::{
    Balancer, ClientNode, Config, HealthSource, Registration, RemoteRegion, Rule, ServerNode, ServiceUrl,
};
use crate::protocol::{Gauge, Status};

/// A zone that is not named.
const ZONE: &str = "defaultZone";

/// What a file has said about its process.
pub(super) struct Setup {
    is_server: bool,
    profile: Profile,
    host: String,
    zone: String,
    urls: Vec<ServiceUrl>,
    server: ServerConfig,
    client: ClientConfig,
    instance: InstanceConfig,
    fixes: Fixes,
    registers: Option<Registration>,
    health: HealthSource,
    balancer: Option<Rule>,
    regions: Vec<RemoteRegion>,
    cloud: bool,
    /// What the file wants to see.
    pub(super) shown: Shown,
}

/// What is an effect, or a part of one, only if a file asks to `show` it.
#[derive(Default)]
pub(super) struct Shown {
    /// Changes of these gauges.
    pub(super) gauges: Vec<Gauge>,
    /// The time-outs of calls.
    pub(super) timeouts: bool,
    /// That the port is opened or closed.
    pub(super) port: bool,
    /// What a server adds to the lease of an instance that is read.
    pub(super) lease: bool,
}

impl Setup {
    /// The first line: `server` or `client`, and the product.
    pub(super) fn new(line: &str) -> Result<Setup, String> {
        let (is_server, profile) = match line {
            "server netflix" => (true, Profile::Netflix),
            "server spring-cloud" => (true, Profile::SpringCloud),
            "client netflix" => (false, Profile::Netflix),
            "client spring-cloud" => (false, Profile::SpringCloud),
            _ => return Err(format!("the first line names the role and the product: `{line}`")),
        };
        Ok(Setup {
            is_server,
            profile,
            host: "peer0".to_owned(),
            zone: ZONE.to_owned(),
            urls: Vec::new(),
            server: ServerConfig::defaults(profile),
            client: ClientConfig::defaults(profile),
            instance: InstanceConfig::defaults(profile),
            fixes: Fixes::defaults(profile),
            registers: None,
            health: HealthSource::None,
            balancer: None,
            regions: Vec::new(),
            cloud: false,
            shown: Shown::default(),
        })
    }

    /// A further line.
    pub(super) fn line(&mut self, line: &str, names: &mut Names) -> Result<(), String> {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        match verb {
            "host" => self.host = rest.to_owned(),
            "zone" => self.zone = rest.to_owned(),
            "urls" => {
                self.urls = rest.split_whitespace().map(|url| service_url(url, names)).collect();
            }
            "registers" => {
                let (app, id) = names.subject(rest)?;
                let name = names.id_name(id);
                let about = About { instance_id: name.into(), ..About::least(names.app_name(app), name) };
                let instance = Arc::new(self.instance.clone());
                let (initial_status, about) = (Status::Up, Arc::new(about));
                self.server.registry_sync_retries = ServerConfig::SYNC_RETRIES_OF_REGISTERING;
                self.registers = Some(Registration { app, id, instance, initial_status, about });
            }
            "health" => {
                self.health = match rest {
                    "callback" => HealthSource::Callback,
                    "actuator" => HealthSource::Actuator,
                    _ => return Err(format!("no such health check: `{rest}`")),
                }
            }
            "balancer" => {
                self.balancer = Some(match rest {
                    "round-robin" => Rule::RoundRobin,
                    "zone-aware" => Rule::ZoneAware,
                    _ => return Err(format!("no such balancer: `{rest}`")),
                })
            }
            "cloud" => self.cloud = true,
            "region" => {
                let (name, url) = rest.split_once(' ').ok_or("a region has a name and a server")?;
                let (name, address) = (name.into(), names.address(url));
                self.regions.push(RemoteRegion { name, address, white_list: None });
            }
            "show" => {
                for name in rest.split_whitespace() {
                    match name {
                        "timeouts" => self.shown.timeouts = true,
                        "port" => self.shown.port = true,
                        "lease" => self.shown.lease = true,
                        _ => {
                            let gauge = Gauge::ALL.into_iter().find(|gauge| gauge.name() == name);
                            self.shown.gauges.push(gauge.ok_or_else(|| format!("no such gauge: `{name}`"))?);
                        }
                    }
                }
            }
            "set" => self.set(rest, names)?,
            _ => return Err(format!("no such line before the start: `{verb}`")),
        }
        Ok(())
    }

    /// `part.key value`, before the start or later; `urls` too.
    pub(super) fn set(&mut self, text: &str, names: &mut Names) -> Result<(), String> {
        let (key, value) = text.split_once(' ').unwrap_or((text, ""));
        if key == "urls" {
            return self.line(text, names);
        }
        let result = match key.split_once('.') {
            Some(("server", key)) => self.server.set(key, value),
            Some(("client", key)) => self.client.set(key, value),
            Some(("instance", key)) => self.instance.set(key, value),
            Some(("fixes", key)) => self.fixes.set(key, value),
            _ => return Err(format!("a setting is server., client., instance. or fixes.: `{key}`")),
        };
        result.map(|_| ()).map_err(|error| error.to_string())
    }

    /// What the process is told.
    pub(super) fn config(&self) -> Arc<Config> {
        let urls = self.urls.clone().into();
        let plain =
            ClientNode::new(self.profile, Arc::new(self.client.clone()), self.zone.as_str().into(), urls);
        let instance = self
            .registers
            .clone()
            .map(|registration| Registration { instance: Arc::new(self.instance.clone()), ..registration });
        let rule = self.balancer.unwrap_or(plain.balancer.rule);
        let balancer = Balancer { rule, ..plain.balancer };
        let (fixes, health) = (Arc::new(self.fixes.clone()), self.health);
        let client = ClientNode { fixes, instance, health, balancer, reports: true, ..plain };
        Arc::new(if self.is_server {
            let plain = ServerNode::new(Arc::new(self.server.clone()), client, self.host.as_str().into());
            let remote_regions = self.regions.clone().into();
            Config::Server(Box::new(ServerNode { remote_regions, cloud: self.cloud, ..plain }))
        } else {
            Config::Client(client)
        })
    }
}

/// `zone:host` or `host`; a host may be followed by `:port`, which must be a number.
fn service_url(text: &str, names: &mut Names) -> ServiceUrl {
    let (zone, url) = match text.split_once('/') {
        Some((zone, url)) => (zone, url),
        None => (ZONE, text),
    };
    let host = url.split(':').next().unwrap_or(url);
    let text = format!("http://{url}/eureka/").into();
    ServiceUrl { text, ..ServiceUrl::new(zone, host, names.address(url)) }
}
