//! What one Eureka process is told about itself: its settings, and the names and addresses that the plan has resolved.

use std::sync::Arc;
use std::time::Duration;

use super::applications::Applications;
use super::config::{ClientConfig, Fixes, InstanceConfig, Profile, ServerConfig};
use super::instance::About;
use crate::protocol::{Address, InstanceId, ServiceId, Status};

/// The settings of one process.
#[derive(Clone, Debug, PartialEq)]
pub enum Config {
    /// A registry server. It contains a client, which copies the registry at start-up and may register the server itself.
    Server(Box<ServerNode>),
    /// An application with a client in it.
    Client(ClientNode),
}

impl Config {
    /// What the client is told: the application's, or the one in the server.
    pub fn client(&self) -> &ClientNode {
        match self {
            Config::Server(node) => &node.client,
            Config::Client(node) => node,
        }
    }

    /// The same, to be changed.
    pub fn client_mut(&mut self) -> &mut ClientNode {
        match self {
            Config::Server(node) => &mut node.client,
            Config::Client(node) => node,
        }
    }
}

/// A registry server.
#[derive(Clone, Debug, PartialEq)]
pub struct ServerNode {
    /// Its settings.
    pub server: Arc<ServerConfig>,
    /// Its embedded client.
    pub client: ClientNode,
    /// Its application, whether it registers itself or not; none if no instance is of this application.
    pub app: Option<ServiceId>,
    /// Host name that decides which peer URLs are the server itself (port, scheme and path do not count), unless the settings give
    /// its URL.
    pub hostname: Arc<str>,
    /// Its address, which decides instead if the settings compare addresses.
    pub ip: Arc<str>,
    /// Other regions whose registries it fetches.
    pub remote_regions: Arc<[RemoteRegion]>,
    /// What `global` allows to be shown of other regions; `None` is everything.
    pub global_white_list: Option<Arc<[ServiceId]>>,
    /// Whether it runs in AWS (`eureka.datacenter=cloud`): peers are primed, and groups decide.
    pub cloud: bool,
}

/// A registry of another region.
#[derive(Clone, Debug, PartialEq)]
pub struct RemoteRegion {
    /// Its name, as configured.
    pub name: Arc<str>,
    /// Where it is fetched.
    pub address: Address,
    /// Applications that may be shown; `None` is what `global` says.
    pub white_list: Option<Arc<[ServiceId]>>,
}

/// A client.
#[derive(Clone, Debug, PartialEq)]
pub struct ClientNode {
    /// Which product.
    pub profile: Profile,
    /// Behaviour of other versions.
    pub fixes: Arc<Fixes>,
    /// Its settings.
    pub client: Arc<ClientConfig>,
    /// What it registers, if it registers anything.
    pub instance: Option<Registration>,
    /// The availability zone it is in.
    pub zone: Arc<str>,
    /// The servers, by zone, in the configured order.
    pub service_urls: Arc<[ServiceUrl]>,
    /// The region of each zone outside the client's own region. What is in no zone of these is local.
    pub remote_zones: Arc<[(Arc<str>, Arc<str>)]>,
    /// How it sends.
    pub transport: Transport,
    /// What it begins with if its first fetch fails.
    pub backup: Option<Arc<Applications>>,
    /// How its application picks an instance.
    pub balancer: Balancer,
    /// What decides about its status beside the application.
    pub health: HealthSource,
    /// Whether it reports figures about itself ([`crate::protocol::Gauge`]): there are many clients, and few are asked.
    pub reports: bool,
}

impl ServerNode {
    /// Whether a URL is this server's own. By default the host name alone decides: servers on one host take each other for
    /// themselves. With `myUrl` it is the text: one without the slash that Spring puts at the end of URLs fits none of them.
    pub fn is_me(&self, url: &str, host: &str) -> bool {
        match &*self.server.my_url {
            mine if !mine.is_empty() => mine == url,
            _ if self.client.client.applications_resolver_use_ip => *host == *self.ip,
            _ => *host == *self.hostname,
        }
    }

    /// A server of these, with nothing else said: no other regions, outside AWS.
    pub fn new(server: Arc<ServerConfig>, client: ClientNode, hostname: Arc<str>) -> ServerNode {
        let app = client.instance.as_ref().map(|own| own.app);
        ServerNode {
            server,
            client,
            ip: Arc::clone(&hostname),
            hostname,
            app,
            remote_regions: [].into(),
            global_white_list: None,
            cloud: false,
        }
    }

    /// Whether it knows groups: in AWS, but for Spring, whose registry is never the one for AWS.
    pub fn has_groups(&self) -> bool {
        self.cloud && self.client.profile == Profile::Netflix
    }
}

/// White list of all regions that have none of their own.
const GLOBAL: &str = "global";

impl ServerNode {
    /// Takes over white lists, by region; those of regions that are not there stay as they are. Spring asks for a region in lower
    /// case, so a list under another name is never found.
    pub fn allow(&mut self, lists: &[(String, Arc<[ServiceId]>)]) {
        let spring = self.client.profile == Profile::SpringCloud;
        let of = |name: &str| {
            let asked = if spring { name.to_lowercase() } else { name.to_owned() };
            let list = lists.iter().find(|(region, _)| *region == asked);
            list.map(|(_, services)| Arc::clone(services))
        };
        if lists.is_empty() {
            return;
        }
        self.global_white_list = of(GLOBAL).or(self.global_white_list.take());
        let regions = self.remote_regions.iter().cloned();
        self.remote_regions = regions
            .map(|region| RemoteRegion { white_list: of(&region.name).or(region.white_list), ..region })
            .collect();
    }
}

impl ClientNode {
    /// A client of these servers that registers nothing, with nothing else said.
    pub fn new(
        profile: Profile,
        client: Arc<ClientConfig>,
        zone: Arc<str>,
        service_urls: Arc<[ServiceUrl]>,
    ) -> ClientNode {
        ClientNode {
            profile,
            fixes: Arc::new(Fixes::defaults(profile)),
            client,
            instance: None,
            zone,
            service_urls,
            remote_zones: [].into(),
            transport: Transport::Jersey,
            backup: None,
            balancer: Balancer { rule: Rule::Random, cache: Duration::ZERO },
            health: HealthSource::None,
            reports: false,
        }
    }
}

/// A client's HTTP library.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// Jersey: the original's, and Spring's where it is on the class path.
    Jersey,
    /// Spring's `RestClient`: other time-outs, no identity.
    RestClient,
    /// Spring's `WebClient`: no time-outs of Eureka's, no identity.
    WebClient,
}

/// What decides about a client's status beside the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HealthSource {
    /// Nothing.
    None,
    /// A callback (`HealthCheckCallback`): true is UP, false is DOWN, unless the status is STARTING or OUT_OF_SERVICE.
    Callback,
    /// Spring's actuator (`eureka.client.healthcheck.enabled=true`).
    Actuator,
}

/// How an application picks an instance from its client's copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Balancer {
    /// The rule.
    pub rule: Rule,
    /// Life of the balancer's own cache; zero is none. Spring Cloud LoadBalancer: 35 s.
    pub cache: Duration,
}

/// A rule of choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rule {
    /// One after the other. Of Netflix's client (`getNextServerFromEureka`) the counter begins anew with every refresh; Spring's
    /// begins at random and goes on.
    RoundRobin,
    /// Any.
    Random,
    /// One after the other of the client's own zone; of all, if there is none in it.
    ZoneAware,
}

/// What a client registers.
#[derive(Clone, Debug, PartialEq)]
pub struct Registration {
    /// The application.
    pub app: ServiceId,
    /// The instance.
    pub id: InstanceId,
    /// Its settings.
    pub instance: Arc<InstanceConfig>,
    /// The status that the application takes once it is ready. Default UP.
    pub initial_status: Status,
    /// All else that it says.
    pub about: Arc<About>,
}

/// One configured server.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceUrl {
    /// The zone under which it is configured.
    pub zone: Arc<str>,
    /// Its host name.
    pub host: Arc<str>,
    /// Host and port. Two URLs are one if their addresses are.
    pub address: Address,
    /// The URL as the product has it: Spring's with a slash at its end, Netflix's as it is written.
    pub text: Arc<str>,
}

impl ServiceUrl {
    /// What stands at `host` under the usual path.
    pub fn new(zone: &str, host: &str, address: Address) -> ServiceUrl {
        ServiceUrl {
            zone: zone.into(),
            host: host.into(),
            address,
            text: format!("http://{host}/eureka/").into(),
        }
    }
}
