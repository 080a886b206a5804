//! The HTTP resources: what a request does and what it is answered (`ApplicationResource`, `InstanceResource`,
//! `ApplicationsResource`, `PeerReplicationResource`), and the operator's operations, which are requests like any other.
//!
//! Left out: the validation of registrations (what it refuses cannot be said here), metadata updates, reads of one application
//! or VIP, the rate limiter, remote regions.

use std::sync::Arc;

use super::Server;
use super::acceptor::Action;
use super::boot::Phase;
use crate::protocol::eureka::Eureka;
use crate::protocol::eureka::config::Profile;
use crate::protocol::eureka::instance::{About, InstanceInfo, LeaseStamps};
use crate::protocol::eureka::wire::{Body, Heartbeat, Item, ItemResult, Request, Resource, Response, Stamp};
use crate::protocol::{Answer, Cx, InstanceId, Operation, Origin, ServiceId, Status};

fn time(stamp: Stamp) -> Option<i64> {
    if let Stamp::At(time) = stamp { Some(time) } else { None }
}

fn origin(replication: bool) -> Origin {
    if replication { Origin::Replica } else { Origin::Client }
}

/// A registration of the bare necessities: what is absent gets the codec's defaults, and the receiver's clock as its version.
fn bare(app: ServiceId, id: InstanceId, now_ms: i64) -> InstanceInfo {
    InstanceInfo {
        app,
        id,
        status: Status::Up,
        overridden: Status::Unknown,
        last_dirty: now_ms,
        last_updated: now_ms,
        lease: None,
        action: None,
        about: Arc::new(About::least("app", "host")),
    }
}

impl Server {
    /// A request, through the filters in front of the resources.
    ///
    /// Differs from upstream: a server that has not opened its port yet answers 503, where nobody would listen.
    pub(super) fn serve(&mut self, request: Request, cx: &mut Cx<'_, Eureka>) -> Response {
        let listens = match self.phase {
            Phase::Constructing | Phase::Stopping => false,
            // Spring syncs in the background, behind an open port.
            Phase::Syncing { .. } => self.node.client.profile == Profile::SpringCloud,
            Phase::Open => true,
        };
        if !listens {
            return Response::empty(503);
        }
        let response = self.answer(request, cx);
        if self.node.client.profile == Profile::Netflix && self.client.status() != Status::Up {
            // `StatusFilter` redirects, but only after the rest of the chain has carried the request out.
            return Response::empty(307);
        }
        response
    }

    /// An operation of the operator: the request that he would send by hand.
    pub(super) fn operate(&mut self, operation: &Operation, cx: &mut Cx<'_, Eureka>) -> Answer {
        let (Operation::Register { instance: id }
        | Operation::Renew { instance: id }
        | Operation::Deregister { instance: id }
        | Operation::SetStatus { instance: id, .. }
        | Operation::ClearStatus { instance: id }) = *operation
        else {
            return Answer::Failed(0);
        };
        // The path names an application, which only an instance that was here once has.
        let Some(app) = self.registry.store.app(id) else { return Answer::Failed(404) };
        let request = match *operation {
            Operation::Register { .. } => {
                let info = Arc::new(bare(app, id, cx.wall().as_millis()));
                Request::Register { app, info, replication: false }
            }
            Operation::Renew { .. } => {
                let status = Status::Up;
                let last_dirty = Stamp::Absent;
                Request::Heartbeat(Heartbeat { app, id, status, last_dirty, overridden: None }, false)
            }
            Operation::Deregister { .. } => Request::Cancel { app, id, replication: false },
            Operation::SetStatus { status, .. } => {
                let (status, last_dirty) = (Some(status), Stamp::Absent);
                Request::SetStatus { app, id, status, last_dirty, replication: false }
            }
            Operation::ClearStatus { .. } => Request::ClearStatus {
                app,
                id,
                status: Some(Status::Unknown),
                last_dirty: Stamp::Absent,
                replication: false,
            },
            Operation::LookUp { .. }
            | Operation::SetMetadata { .. }
            | Operation::SetHealth { .. }
            | Operation::SetGroup { .. } => return Answer::Failed(0),
        };
        let response = self.serve(request, cx);
        if (200..=299).contains(&response.status) { Answer::Ok } else { Answer::Failed(response.status) }
    }

    fn answer(&mut self, request: Request, cx: &mut Cx<'_, Eureka>) -> Response {
        match request {
            Request::Register { app: _, info, replication } => {
                self.register(info, replication, cx);
                Response::empty(204)
            }
            Request::Heartbeat(heartbeat, replication) => {
                let (status, entity) = self.heartbeat(&heartbeat, replication, cx);
                let body = |info| Body::Instance(info, LeaseStamps::default());
                Response { status, body: entity.map_or(Body::Empty, body) }
            }
            Request::Cancel { app, id, replication } => {
                Response::empty(self.cancel(app, id, replication, cx))
            }
            Request::SetStatus { app, id, status, last_dirty, replication } => {
                let Some(status) = status else { return Response::empty(500) };
                Response::empty(self.set_status((app, id), status, time(last_dirty), replication, cx))
            }
            Request::ClearStatus { app, id, status, last_dirty, replication } => {
                let Some(status) = status else { return Response::empty(500) };
                Response::empty(self.clear_status((app, id), status, time(last_dirty), replication, cx))
            }
            Request::Batch(items) => self.batch(&items, cx),
            Request::Get(query) if query.resource == Resource::Apps => {
                if !self.access_allowed(cx) {
                    return Response::empty(403);
                }
                Response { status: 200, body: Body::Apps(self.registry.applications(cx)) }
            }
            Request::Get(query) if query.resource == Resource::Delta => {
                if self.registry.config.disable_delta || !self.access_allowed(cx) {
                    return Response::empty(403);
                }
                Response { status: 200, body: Body::Delta(self.registry.delta(cx)) }
            }
            Request::Instance { app: _, id } => match self.registry.find(id, cx.wall().as_millis()) {
                Some(holder) => {
                    let info = Arc::clone(self.registry.store.holders.get(holder));
                    Response { status: 200, body: Body::Instance(info, LeaseStamps::default()) }
                }
                None => Response::empty(404),
            },
            Request::SetMetadata { .. }
            | Request::SetGroup { .. }
            | Request::Get(_)
            | Request::StatusDocument
            | Request::Overrides => Response::empty(404),
        }
    }

    /// Replicated items are worked off in order, each with a result of its own.
    fn batch(&mut self, items: &[Item], cx: &mut Cx<'_, Eureka>) -> Response {
        let mut recycler = std::mem::take(&mut self.results);
        let results = recycler.list(|results| results.extend(items.iter().map(|item| self.item(item, cx))));
        self.results = recycler;
        assert_eq!(results.len(), items.len(), "each item has a result");
        Response { status: 200, body: Body::Batch(results) }
    }

    fn item(&mut self, item: &Item, cx: &mut Cx<'_, Eureka>) -> ItemResult {
        let (status, entity) = match *item {
            Item::Register(ref info) => {
                self.register(Arc::clone(info), true, cx);
                (200, None)
            }
            Item::Heartbeat(ref heartbeat) => self.heartbeat(heartbeat, true, cx),
            Item::Cancel { app, id } => (self.cancel(app, id, true, cx), None),
            Item::SetStatus { app, id, status, last_dirty } => {
                (self.set_status((app, id), status, Some(last_dirty), true, cx), None)
            }
            Item::ClearStatus { app, id, status, last_dirty } => {
                (self.clear_status((app, id), status, Some(last_dirty), true, cx), None)
            }
        };
        ItemResult { status, entity }
    }

    fn register(&mut self, info: Arc<InstanceInfo>, replication: bool, cx: &mut Cx<'_, Eureka>) {
        let subject = (info.app, info.id);
        let incoming = self.registry.register(info, origin(replication), cx);
        let holders = &mut self.registry.store.holders;
        if !replication {
            self.peers.replicate(Action::Register, subject, Some(incoming), None, holders, cx);
        }
        holders.release(incoming);
    }

    /// The status, and with 409 the newer copy that is here. By the time versions are compared, the lease has been renewed, the
    /// renewal counted and replicated.
    fn heartbeat(
        &mut self,
        heartbeat: &Heartbeat,
        replication: bool,
        cx: &mut Cx<'_, Eureka>,
    ) -> (u16, Option<Arc<InstanceInfo>>) {
        let id = heartbeat.id;
        if !self.registry.renew(id, origin(replication), cx) {
            return (404, None);
        }
        if !replication && !self.peers.is_empty() {
            let overridden = self.registry.overrides.get(id, cx.now());
            self.replicate_found(Action::Heartbeat, (heartbeat.app, id), overridden, cx);
        }
        if !self.registry.config.sync_when_timestamp_differs {
            return (200, None);
        }
        let Stamp::At(reported) = heartbeat.last_dirty else { return (200, None) };
        let Some(holder) = self.registry.find(id, cx.wall().as_millis()) else { return (200, None) };
        let stored = self.registry.store.holders.version(holder);
        if reported > stored {
            // This server's copy is stale: the caller is to register it anew.
            if replication
                && let Some(overridden) = heartbeat.overridden.filter(|status| *status != Status::Unknown)
                && self.registry.store_override(id, overridden, cx).is_err()
            {
                return (500, None);
            }
            return (404, None);
        }
        if reported < stored && replication {
            return (409, Some(Arc::clone(self.registry.store.holders.get(holder))));
        }
        (200, None)
    }

    fn cancel(&mut self, app: ServiceId, id: InstanceId, replication: bool, cx: &mut Cx<'_, Eureka>) -> u16 {
        if !self.registry.cancel(id, origin(replication), cx) {
            return 404;
        }
        if !replication {
            self.peers.replicate(Action::Cancel, (app, id), None, None, &mut self.registry.store.holders, cx);
        }
        200
    }

    fn set_status(
        &mut self,
        subject: (ServiceId, InstanceId),
        status: Status,
        last_dirty: Option<i64>,
        replication: bool,
        cx: &mut Cx<'_, Eureka>,
    ) -> u16 {
        if self.registry.find(subject.1, cx.wall().as_millis()).is_none() {
            return 404;
        }
        if !self.registry.set_status(subject.1, status, last_dirty, origin(replication), cx) {
            return 500;
        }
        if !replication {
            self.replicate_found(Action::SetStatus, subject, None, cx);
        }
        200
    }

    fn clear_status(
        &mut self,
        subject: (ServiceId, InstanceId),
        status: Status,
        last_dirty: Option<i64>,
        replication: bool,
        cx: &mut Cx<'_, Eureka>,
    ) -> u16 {
        if self.registry.find(subject.1, cx.wall().as_millis()).is_none() {
            return 404;
        }
        if !self.registry.clear_status(subject.1, status, last_dirty, origin(replication), cx) {
            return 500;
        }
        if !replication {
            self.replicate_found(Action::ClearStatus, subject, None, cx);
        }
        200
    }

    /// Tells the peers of a change to the object that is readable now. If none is, the peers miss the change.
    fn replicate_found(
        &mut self,
        action: Action,
        subject: (ServiceId, InstanceId),
        overridden: Option<Status>,
        cx: &mut Cx<'_, Eureka>,
    ) {
        if let Some(holder) = self.registry.find(subject.1, cx.wall().as_millis()) {
            let holders = &mut self.registry.store.holders;
            self.peers.replicate(action, subject, Some(holder), overridden, holders, cx);
        }
    }
}
