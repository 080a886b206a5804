//! What one Eureka process is told about itself: its settings, and the names and addresses that the plan has resolved.

use std::sync::Arc;

use super::config::{ClientConfig, InstanceConfig, Profile, ServerConfig};
use crate::protocol::{Address, InstanceId, ServiceId, Status};

/// The settings of one process.
#[derive(Clone, Debug, PartialEq)]
pub enum Config {
    /// A registry server. It contains a client, which copies the registry at start-up and may register the server itself.
    Server(ServerNode),
    /// An application with a client in it.
    Client(ClientNode),
}

/// A registry server.
#[derive(Clone, Debug, PartialEq)]
pub struct ServerNode {
    /// Its settings.
    pub server: Arc<ServerConfig>,
    /// Its embedded client.
    pub client: ClientNode,
    /// Host name that decides which peer URLs are the server itself (port, scheme and path do not count).
    pub hostname: Arc<str>,
    /// `myUrl`: if set, exact equality decides instead.
    pub my_url: Option<Address>,
}

/// A client.
#[derive(Clone, Debug, PartialEq)]
pub struct ClientNode {
    /// Which product.
    pub profile: Profile,
    /// Its settings.
    pub client: Arc<ClientConfig>,
    /// What it registers, if it registers anything.
    pub instance: Option<Registration>,
    /// The availability zone it is in.
    pub zone: Arc<str>,
    /// The servers, by zone, in the configured order.
    pub service_urls: Arc<[ServiceUrl]>,
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
}
