//! What Eureka's parties say to each other: one enum for requests, one for answers, as the HTTP resources know them.

use std::sync::Arc;

use super::instance::{Applications, Delta, InstanceInfo};
use crate::protocol::{InstanceId, ServiceId, Status, Wire};

/// A request. `replication` is the header `x-netflix-discovery-replication: true`.
#[derive(Clone, Debug)]
pub enum Request {
    /// `POST apps/{app}`
    Register { info: Arc<InstanceInfo>, replication: bool },
    /// `PUT apps/{app}/{id}`
    Heartbeat(Heartbeat, bool),
    /// `DELETE apps/{app}/{id}`
    Cancel { app: ServiceId, id: InstanceId, replication: bool },
    /// `PUT apps/{app}/{id}/status?value=`
    SetStatus { app: ServiceId, id: InstanceId, status: Status, last_dirty: Option<i64>, replication: bool },
    /// `DELETE apps/{app}/{id}/status?value=`; no value is `Unknown`.
    ClearStatus { app: ServiceId, id: InstanceId, status: Status, last_dirty: Option<i64>, replication: bool },
    /// `POST peerreplication/batch/`
    ///
    /// A `Vec` behind the `Arc`, so that a sender can use its memory again once the receiver has let go of it.
    Batch(Arc<Vec<Item>>),
    /// `GET apps/`
    Apps,
    /// `GET apps/delta`
    Delta,
    /// `GET apps/{app}/{id}`
    Instance { app: ServiceId, id: InstanceId },
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
    /// `lastDirtyTimestamp`, ms.
    pub last_dirty: Option<i64>,
    /// `overriddenstatus`, sent by peers only.
    pub overridden: Option<Status>,
}

/// One element of a replication batch.
#[derive(Clone, Debug)]
pub enum Item {
    /// `Register`
    Register(Arc<InstanceInfo>),
    /// `Heartbeat`
    Heartbeat(Heartbeat),
    /// `Cancel`
    Cancel { app: ServiceId, id: InstanceId },
    /// `StatusUpdate`
    SetStatus { app: ServiceId, id: InstanceId, status: Status, last_dirty: i64 },
    /// `DeleteStatusOverride`
    ClearStatus { app: ServiceId, id: InstanceId, status: Status, last_dirty: i64 },
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
    /// One instance.
    Instance(Arc<InstanceInfo>),
    /// The registry.
    Apps(Arc<Applications>),
    /// What changed lately.
    Delta(Arc<Delta>),
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
pub const KINDS: [&str; 14] = [
    "register",
    "heartbeat",
    "cancel",
    "set-status",
    "clear-status",
    "replication",
    "fetch",
    "fetch-delta",
    "read-instance",
    "answer",
    "instance",
    "registry",
    "delta",
    "replication-answer",
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
            | Request::Apps
            | Request::Delta
            | Request::Instance { .. } => HEADERS,
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
            Request::Batch(_) => "replication",
            Request::Apps => "fetch",
            Request::Delta => "fetch-delta",
            Request::Instance { .. } => "read-instance",
        }
    }

    fn instance(&self) -> Option<InstanceId> {
        match self {
            Request::Register { info, .. } => Some(info.id),
            Request::Heartbeat(heartbeat, _) => Some(heartbeat.id),
            Request::Cancel { id, .. }
            | Request::SetStatus { id, .. }
            | Request::ClearStatus { id, .. }
            | Request::Instance { id, .. } => Some(*id),
            Request::Batch(_) | Request::Apps | Request::Delta => None,
        }
    }
}

impl Wire for Response {
    fn bytes(&self) -> u32 {
        HEADERS
            + match &self.body {
                Body::Empty => 0,
                Body::Instance(_) => INSTANCE,
                Body::Apps(apps) => many(apps.instances().len(), INSTANCE),
                Body::Delta(delta) => many(delta.changes().len(), INSTANCE),
                Body::Batch(results) => many(results.len(), 20),
            }
    }

    fn kind(&self) -> &'static str {
        match self.body {
            Body::Empty => "answer",
            Body::Instance(_) => "instance",
            Body::Apps(_) => "registry",
            Body::Delta(_) => "delta",
            Body::Batch(_) => "replication-answer",
        }
    }
}
