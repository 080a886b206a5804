//! What Eureka stores and sends about an instance: `InstanceInfo`, and what it is made of.
//!
//! Shared by server and client, so it is separate from both. Everything here is an immutable value behind an `Arc`; the
//! one mutable thing of the original, the live holder of a lease, is the server's business.
//!
//! Left out: `sid`, `countryId` and `version`, which are constants; how any of it is encoded.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::protocol::{Address, InstanceId, Listing, ServiceId, Status};

/// What a client says about its lease (`LeaseInfo`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LeaseInfo {
    /// How often it means to renew. Default 30 s.
    pub renewal_interval: Duration,
    /// How long the lease is to last without renewal. Default 90 s.
    pub duration: Duration,
}

/// What a server adds to an instance whenever it is read: wall-clock ms, 0 for what has not happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct LeaseStamps {
    /// When the lease began.
    pub registered: i64,
    /// When it was last renewed; of a lease that was renewed at all, its duration later than that.
    pub last_renewal: i64,
    /// When it was cancelled.
    pub evicted: i64,
    /// When the instance was first UP.
    pub service_up: i64,
    /// Whether the instance is the server itself that was asked (`isCoordinatingDiscoveryServer`).
    pub coordinating: bool,
}

/// What a lease comes to whose instance says nothing about it (Netflix/eureka: `LeaseInfo.java`).
impl Default for LeaseInfo {
    fn default() -> LeaseInfo {
        LeaseInfo { renewal_interval: Duration::from_secs(30), duration: Duration::from_secs(90) }
    }
}

/// A port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Port {
    /// Its number.
    pub number: u16,
    /// Whether it is open.
    pub enabled: bool,
}

/// Where an instance runs (`DataCenterInfo`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum DataCenter {
    /// `MyOwn`.
    MyOwn,
    /// `Netflix`.
    Netflix,
    /// `Amazon`, with what it says about its instances (`instance-id`, `availability-zone`, …).
    Amazon(BTreeMap<Arc<str>, Arc<str>>),
    /// A data centre without a name, which is refused.
    Nameless,
}

/// What a client says about an instance, beside its status and lease. All copies share it; only the metadata can be changed at a
/// server. `None` and empty texts are what the sender left out.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct About {
    /// `instanceId`.
    pub instance_id: Arc<str>,
    /// `app`, in capitals.
    pub app: Arc<str>,
    /// `hostName`.
    pub host_name: Arc<str>,
    /// `ipAddr`.
    pub ip_addr: Arc<str>,
    /// `port`. Default 7001, open.
    pub port: Port,
    /// `securePort`. Default 7002, closed.
    pub secure_port: Port,
    /// `vipAddress`: one or several, separated by commas.
    pub vip: Option<Arc<str>>,
    /// `secureVipAddress`.
    pub secure_vip: Option<Arc<str>>,
    /// `dataCenterInfo`.
    pub data_center: Option<DataCenter>,
    /// `appGroupName`.
    pub group: Option<Arc<str>>,
    /// `asgName`.
    pub asg: Option<Arc<str>>,
    /// `homePageUrl`.
    pub home_page_url: Option<Arc<str>>,
    /// `statusPageUrl`.
    pub status_page_url: Option<Arc<str>>,
    /// `healthCheckUrl`.
    pub health_check_url: Option<Arc<str>>,
    /// `secureHealthCheckUrl`.
    pub secure_health_check_url: Option<Arc<str>>,
    /// `metadata`. Instances that say the same share it.
    pub metadata: Arc<BTreeMap<Arc<str>, Arc<str>>>,
    /// The instance under whose id a status override of this one is kept. Overrides are kept by `instanceId` alone, so two
    /// applications with one `instanceId` share theirs: this is the first of them. Default: the instance itself.
    pub override_key: Option<InstanceId>,
    /// Host name and port, for clients that call it: those that find their servers in the registry.
    pub address: Option<Address>,
    /// The same by IP address.
    pub ip_address: Option<Address>,
    /// Whether the sender left `overriddenStatus` out.
    pub override_absent: bool,
    /// Whether the sender left `lastDirtyTimestamp` out. What stands in its place then, nobody has said.
    pub version_absent: bool,
}

/// What the decoder gives for a registration that says nothing.
impl Default for About {
    fn default() -> About {
        let none: Arc<str> = "".into();
        About {
            instance_id: Arc::clone(&none),
            app: Arc::clone(&none),
            host_name: Arc::clone(&none),
            ip_addr: none,
            port: Port { number: 7001, enabled: true },
            secure_port: Port { number: 7002, enabled: false },
            vip: None,
            secure_vip: None,
            data_center: None,
            group: None,
            asg: None,
            home_page_url: None,
            status_page_url: None,
            health_check_url: None,
            secure_health_check_url: None,
            metadata: Arc::default(),
            override_key: None,
            address: None,
            ip_address: None,
            override_absent: false,
            version_absent: false,
        }
    }
}

/// What Amazon says about an instance, as far as the compact form has it.
const COMPACT_AMAZON_KEYS: [&str; 5] =
    ["instance-id", "public-ipv4", "public-hostname", "local-ipv4", "availability-zone"];

impl About {
    /// The least that a server accepts.
    pub fn least(app: &str, host: &str) -> About {
        About {
            app: app.to_uppercase().into(),
            host_name: host.into(),
            ip_addr: host.into(),
            data_center: Some(DataCenter::MyOwn),
            ..About::default()
        }
    }

    /// The id of the instance as texts know it (`getId`): `instanceId`, else Amazon's, else the host name.
    pub fn id(&self) -> &str {
        let amazon = match &self.data_center {
            Some(DataCenter::Amazon(metadata)) => metadata.get("instance-id").map_or("", |id| &**id),
            Some(DataCenter::MyOwn | DataCenter::Netflix | DataCenter::Nameless) | None => "",
        };
        let ids = [&*self.instance_id, amazon, &*self.host_name];
        ids.into_iter().find(|id| !id.is_empty()).unwrap_or_default()
    }

    /// What the compact form keeps.
    fn compact(&self) -> About {
        let mut about = About {
            group: None,
            home_page_url: None,
            status_page_url: None,
            health_check_url: None,
            secure_health_check_url: None,
            metadata: Arc::default(),
            override_absent: false,
            ..self.clone()
        };
        if let Some(DataCenter::Amazon(metadata)) = &mut about.data_center {
            metadata.retain(|key, _| COMPACT_AMAZON_KEYS.contains(&&**key));
        }
        about
    }

    /// The zone of the instance: of Amazon's the availability zone, else what its metadata say.
    pub fn zone(&self) -> Option<&Arc<str>> {
        match &self.data_center {
            Some(DataCenter::Amazon(metadata)) => metadata.get("availability-zone"),
            Some(DataCenter::MyOwn | DataCenter::Netflix | DataCenter::Nameless) | None => {
                self.metadata.get("zone")
            }
        }
    }
}

/// What a server last did with an instance (`actionType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Registered, for the first time or again.
    Added,
    /// Its status was overridden.
    Modified,
    /// Removed.
    Deleted,
}

/// An instance as it travels and is stored.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct InstanceInfo {
    /// The application.
    pub app: ServiceId,
    /// The instance. An id stands for the pair of application and `instanceId`.
    pub id: InstanceId,
    /// Its status.
    pub status: Status,
    /// What an operator has set, or `Unknown`.
    pub overridden: Status,
    /// Version of the content: the client's wall clock at its last change, ms. The only key of conflict resolution.
    pub last_dirty: i64,
    /// The server's wall clock at its last change, ms. Decides nothing.
    pub last_updated: i64,
    /// What the client says about its lease.
    pub lease: Option<LeaseInfo>,
    /// What the server last did with it.
    pub action: Option<Action>,
    /// All else that the client says.
    pub about: Arc<About>,
}

impl InstanceInfo {
    /// Gives it an overridden status, also in the place of one that is missing.
    pub fn set_overridden(&mut self, status: Status) {
        self.overridden = status;
        if self.about.override_absent {
            Arc::make_mut(&mut self.about).override_absent = false;
        }
    }

    /// Gives it a version, also in the place of one that is missing.
    pub fn set_version(&mut self, last_dirty: i64) {
        self.last_dirty = last_dirty;
        if self.about.version_absent {
            Arc::make_mut(&mut self.about).version_absent = false;
        }
    }

    /// What a reader gets who asks for the compact form (`X-Eureka-Accept: compact`): no group, URLs, metadata, override or lease.
    ///
    /// Differs from upstream: the version stays, though the form does not carry it. A reader of the original takes its own clock
    /// for the version, and looks at it nowhere; here it would make each reader's view one of its own.
    #[must_use]
    pub fn compact(&self) -> InstanceInfo {
        InstanceInfo {
            overridden: Status::Unknown,
            lease: None,
            about: Arc::new(self.about.compact()),
            ..self.clone()
        }
    }

    /// The instance under whose id a status override of this one is kept.
    pub fn override_key(&self) -> InstanceId {
        self.about.override_key.unwrap_or(self.id)
    }

    /// How the instance appears in a view.
    pub fn listing(&self) -> Listing {
        Listing { instance: self.id, status: self.status, version: self.last_dirty }
    }
}
