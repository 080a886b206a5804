//! What Eureka's parties say to each other: one enum for requests, one for answers, as the HTTP resources know them.

use std::sync::Arc;

use super::applications::{Applications, Delta};
use super::instance::{InstanceInfo, LeaseStamps};
use crate::protocol::{Address, InstanceId, ServiceId, Status, Wire};

/// A request. `replication` is the header `x-netflix-discovery-replication: true`.
#[derive(Clone, Debug)]
pub enum Request {
    /// `POST apps/{app}`; `path` is that `app`, if it is another than the instance's own.
    Register { path: Option<Arc<str>>, info: Arc<InstanceInfo>, replication: bool },
    /// `PUT apps/{app}/{id}`
    Heartbeat(Heartbeat, bool),
    /// `DELETE apps/{app}/{id}`
    Cancel { app: ServiceId, id: InstanceId, replication: bool },
    /// `PUT apps/{app}/{id}/status?value=`; no status is a value that names none.
    SetStatus { app: ServiceId, id: InstanceId, status: Option<Status>, last_dirty: Stamp, replication: bool },
    /// `DELETE apps/{app}/{id}/status?value=`; no value is `Unknown`.
    ClearStatus {
        app: ServiceId,
        id: InstanceId,
        status: Option<Status>,
        last_dirty: Stamp,
        replication: bool,
    },
    /// `PUT apps/{app}/{id}/metadata?k=v`
    SetMetadata { app: ServiceId, id: InstanceId, entries: Pairs },
    /// `PUT asg/{name}/status?value=`; `enabled` is `None` for a value that is neither `ENABLED` nor `DISABLED`.
    SetGroup { name: Arc<str>, enabled: Option<bool>, replication: bool },
    /// `POST peerreplication/batch/`
    ///
    /// A `Vec` behind the `Arc`, so that a sender can use its memory again once the receiver has let go of it.
    Batch(Arc<Vec<Item>>),
    /// `GET` of a list that comes out of the response cache.
    Get(Arc<Query>),
    /// `GET apps/{app}/{id}`; without an application `GET instances/{id}`.
    Instance { app: Option<ServiceId>, id: InstanceId },
    /// `GET status`
    StatusDocument,
    /// `GET serverinfo/statusoverrides`
    Overrides,
}

/// Whether the header `x-netflix-discovery-replication` marks a request as another server's: `true`, to the letter.
pub fn is_replication(header: Option<&str>) -> bool {
    header == Some("true")
}

/// The query parameter `lastDirtyTimestamp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stamp {
    /// It is not there.
    Absent,
    /// ms since 1970.
    At(i64),
    /// It is no number.
    Garbage,
}

/// Names and texts, in the order sent.
pub type Pairs = Arc<[(Arc<str>, Arc<str>)]>;

/// What is read, and by whom.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Query {
    /// What is read.
    pub resource: Resource,
    /// The parameter `regions`: in lower case, sorted; `None` is no parameter, an empty list an empty one.
    pub regions: Option<Arc<[Arc<str>]>>,
    /// `X-Eureka-Accept: compact`.
    pub compact: bool,
    /// Who asks (`DiscoveryIdentity-Name`).
    pub identity: Identity,
}

/// A resource of the response cache.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resource {
    /// `apps/`
    Apps,
    /// `apps/delta`
    Delta,
    /// `apps/{app}`
    App(ServiceId),
    /// `vips/{vip}`
    Vip(Arc<str>),
    /// `svips/{vip}`
    SecureVip(Arc<str>),
}

/// Who sends a request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Identity {
    /// `DefaultClient`: Eureka's own client over Jersey.
    DefaultClient,
    /// `DefaultServer`: Eureka's own server.
    DefaultServer,
    /// Another name.
    Named(Arc<str>),
    /// No name: Spring's `RestClient` and `WebClient` transports, and other clients.
    Nobody,
}

impl Query {
    /// A full read or a delta, as Eureka's own client sends it without further settings.
    pub fn of(resource: Resource) -> Query {
        Query { resource, regions: None, compact: false, identity: Identity::DefaultClient }
    }
}

/// The parameters of a heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// The application.
    pub app: ServiceId,
    /// The instance.
    pub id: InstanceId,
    /// `status`: not looked at by the receiver.
    pub status: Status,
    /// `lastDirtyTimestamp`.
    pub last_dirty: Stamp,
    /// `overriddenstatus`, sent by peers only.
    pub overridden: Option<Result<Status, NoStatus>>,
}

/// A text that names no status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NoStatus;

/// One element of a replication batch.
#[derive(Clone, Debug)]
pub enum Item {
    /// `Register`; an item may lack its instance.
    Register(Option<Arc<InstanceInfo>>),
    /// `Heartbeat`
    Heartbeat(Heartbeat),
    /// `Cancel`
    Cancel { app: ServiceId, id: InstanceId },
    /// `StatusUpdate`; no status is one that there is not. A version of 0 does what an absent one does.
    SetStatus { app: ServiceId, id: InstanceId, status: Option<Status>, last_dirty: i64 },
    /// `DeleteStatusOverride`; the same, but that a version must be there.
    ClearStatus { app: ServiceId, id: InstanceId, status: Option<Status>, last_dirty: i64 },
    /// `DeleteStatusOverride` without a version.
    ClearUnversioned { app: ServiceId, id: InstanceId },
}

/// An answer: an HTTP status and a body.
#[derive(Clone, Debug)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Body,
}

/// What an answer carries.
#[derive(Clone, Debug)]
pub enum Body {
    /// Nothing.
    Empty,
    /// One instance, and what the server knows of its lease; that is apart, so that all other answers stay small.
    Instance(Arc<InstanceInfo>, Box<LeaseStamps>),
    /// The registry, or a part of it.
    Apps(Arc<Applications>),
    /// What changed lately.
    Delta(Arc<Delta>),
    /// Look there instead (`Location`, with status 302).
    Redirect(Address),
    /// Why a request was refused.
    Text(Arc<str>),
    /// The status document.
    Status(Arc<StatusDocument>),
    /// Status overrides by instance.
    Overrides(Arc<[(InstanceId, Status)]>),
    /// One result for each item of a batch, in order.
    Batch(Arc<Vec<ItemResult>>),
}

/// What came of one item of a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct ItemResult {
    /// As the HTTP status of the single request would be.
    pub status: u16,
    /// With 409: the receiver's newer copy.
    pub entity: Option<Arc<InstanceInfo>>,
}

/// What a server says about itself (`StatusInfo`). Figures of the host it runs on are not in here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusDocument {
    /// All peers.
    pub registered: Vec<Address>,
    /// Peers that are thought available: an instance of this server's own application has their host name.
    pub available: Vec<Address>,
    /// The others.
    pub unavailable: Vec<Address>,
    /// Whether enough are available, if the settings ask.
    pub healthy: Option<bool>,
}

impl Response {
    /// An answer without a body.
    pub fn empty(status: u16) -> Response {
        Response { status, body: Body::Empty }
    }
}

/// Estimated sizes in bytes, from the JSON forms: an `InstanceInfo` is about 1 kB, an item of a batch without one about 120, HTTP
/// headers about 300.
const INSTANCE: u32 = 1000;
const ITEM: u32 = 120;
const HEADERS: u32 = 300;

fn many(count: usize, each: u32) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX).saturating_mul(each)
}

/// Every kind of message, as [`Wire::kind`] names it: what a scenario may match.
pub const KINDS: [&str; 21] = [
    "register",
    "heartbeat",
    "cancel",
    "set-status",
    "clear-status",
    "set-metadata",
    "set-group",
    "replication",
    "fetch",
    "fetch-delta",
    "fetch-app",
    "fetch-vip",
    "read-instance",
    "read-status",
    "read-overrides",
    "answer",
    "instance",
    "registry",
    "delta",
    "replication-answer",
    "document",
];

impl Wire for Request {
    fn bytes(&self) -> u32 {
        match self {
            Request::Register { .. } => HEADERS + INSTANCE,
            // A batch of registrations is larger; an estimate must not look at each item.
            Request::Batch(items) => HEADERS + many(items.len(), ITEM),
            Request::Heartbeat(..)
            | Request::Cancel { .. }
            | Request::SetStatus { .. }
            | Request::ClearStatus { .. }
            | Request::SetMetadata { .. }
            | Request::SetGroup { .. }
            | Request::Get(_)
            | Request::Instance { .. }
            | Request::StatusDocument
            | Request::Overrides => HEADERS,
        }
    }

    fn items(&self) -> u32 {
        match self {
            Request::Batch(items) => many(items.len(), 1),
            _ => 1,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Request::Register { .. } => "register",
            Request::Heartbeat(..) => "heartbeat",
            Request::Cancel { .. } => "cancel",
            Request::SetStatus { .. } => "set-status",
            Request::ClearStatus { .. } => "clear-status",
            Request::SetMetadata { .. } => "set-metadata",
            Request::SetGroup { .. } => "set-group",
            Request::Batch(_) => "replication",
            Request::Get(query) => match query.resource {
                Resource::Apps => "fetch",
                Resource::Delta => "fetch-delta",
                Resource::App(_) => "fetch-app",
                Resource::Vip(_) | Resource::SecureVip(_) => "fetch-vip",
            },
            Request::Instance { .. } => "read-instance",
            Request::StatusDocument => "read-status",
            Request::Overrides => "read-overrides",
        }
    }

    fn instance(&self) -> Option<InstanceId> {
        match self {
            Request::Register { info, .. } => Some(info.id),
            Request::Heartbeat(heartbeat, _) => Some(heartbeat.id),
            Request::Cancel { id, .. }
            | Request::SetStatus { id, .. }
            | Request::ClearStatus { id, .. }
            | Request::SetMetadata { id, .. }
            | Request::Instance { id, .. } => Some(*id),
            Request::Batch(_)
            | Request::SetGroup { .. }
            | Request::Get(_)
            | Request::StatusDocument
            | Request::Overrides => None,
        }
    }
}

impl Wire for Response {
    fn bytes(&self) -> u32 {
        HEADERS
            + match &self.body {
                Body::Empty | Body::Redirect(_) | Body::Text(_) => 0,
                Body::Instance(..) | Body::Status(_) => INSTANCE,
                Body::Apps(apps) => many(apps.instances().len(), INSTANCE),
                Body::Delta(delta) => many(delta.changes().len(), INSTANCE),
                Body::Batch(results) => many(results.len(), 20),
                Body::Overrides(overrides) => many(overrides.len(), 40),
            }
    }

    fn kind(&self) -> &'static str {
        match self.body {
            Body::Empty | Body::Redirect(_) | Body::Text(_) => "answer",
            Body::Instance(..) => "instance",
            Body::Apps(_) => "registry",
            Body::Delta(_) => "delta",
            Body::Batch(_) => "replication-answer",
            Body::Status(_) | Body::Overrides(_) => "document",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_true_to_the_letter_marks_a_replication() {
        let check = |header, expected| assert_eq!(is_replication(header), expected, "{header:?}");
        check(Some("true"), true);
        for other in [None, Some("TRUE"), Some("True"), Some(" true"), Some("1"), Some("false"), Some("")] {
            check(other, false);
        }
    }
}
