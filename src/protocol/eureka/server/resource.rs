//! The HTTP resources: what a request does and what it is answered (`ApplicationResource`, `InstanceResource`,
//! `InstancesResource`, `ApplicationsResource`, `AbstractVIPResource`, `PeerReplicationResource`, `StatusResource`), and the
//! operator's operations, which are requests like any other.
//!
//! Left out: of the status document what is said of the server's own instance, its uptime and its environment, which nobody here
//! reads; what is decided about a registration before it is one, which is in [`super::validation`]; how anything is encoded.
//! Heartbeats are not checked for an application that does not go with the instance: an id stands for both.

use std::sync::Arc;

use super::Server;
use super::cache::Payload;
use super::holders::Holder;
use super::registry::{Assertion, AssertionError};
use super::task::Action;
use crate::protocol::Event;
use crate::protocol::eureka::Eureka;
use crate::protocol::eureka::config::Profile;
use crate::protocol::eureka::instance::{About, InstanceInfo, LeaseStamps};
use crate::protocol::eureka::wire::{
    Body, Heartbeat, Item, ItemResult, Pairs, Query, Request, Resource, Response, Stamp, StatusDocument,
};
use crate::protocol::{Address, Answer, Cx, InstanceId, Operation, Origin, ServiceId, Status};

fn origin(replication: bool) -> Origin {
    if replication { Origin::Replica } else { Origin::Client }
}

/// The code of an answer, and the object that goes with it, of which it is a reference.
type Verdict = (u16, Option<Holder>);

impl Server {
    /// A request, through the filters in front of the resources. One that arrived before the port closed is answered 503.
    pub(super) fn serve(&mut self, request: Request, cx: &mut Cx<'_, Eureka>) -> Response {
        if !self.listens() {
            return Response::empty(503);
        }
        let response = self.answer(request, cx);
        if self.redirects() { Response::empty(307) } else { response }
    }

    /// Whether every answer is a redirect: `StatusFilter` gives it after the rest of the chain has carried the request out.
    fn redirects(&self) -> bool {
        self.node.client.profile == Profile::Netflix && self.client.status() != Status::Up
    }

    /// An operation of the operator: the request that he would send by hand. Or the application's own: no request at all.
    pub(super) fn operate(&mut self, operation: &Operation, cx: &mut Cx<'_, Eureka>) -> Answer {
        if let Operation::SetOwnStatus { instance, status } = *operation {
            let own = self.node.client.instance.as_ref().is_some_and(|own| own.id == instance);
            if !own {
                return Answer::Failed(0);
            }
            self.client.set_status(status, cx);
            self.advance(cx);
            return Answer::Ok;
        }
        let request = match self.by_hand(operation, cx) {
            Ok(request) => request,
            Err(answer) => return answer,
        };
        let response = self.serve(request, cx);
        if (200..=299).contains(&response.status) { Answer::Ok } else { Answer::Failed(response.status) }
    }

    fn by_hand(&self, operation: &Operation, cx: &Cx<'_, Eureka>) -> Result<Request, Answer> {
        // The path names an application, which only an instance that was here once has.
        let app = |id| self.registry.store.app(id).ok_or(Answer::Failed(404));
        let (replication, last_dirty) = (false, Stamp::Absent);
        Ok(match *operation {
            Operation::Register { instance: id } => {
                let info = Arc::new(self.bare(app(id)?, id, cx.wall().as_millis()));
                Request::Register { path: None, info, replication }
            }
            Operation::Renew { instance: id } => {
                let (app, status) = (app(id)?, Status::Up);
                Request::Heartbeat(Heartbeat { app, id, status, last_dirty, overridden: None }, replication)
            }
            Operation::Deregister { instance: id } => Request::Cancel { app: app(id)?, id, replication },
            Operation::SetStatus { instance: id, status } => {
                let (app, status) = (app(id)?, Some(status));
                Request::SetStatus { app, id, status, last_dirty, replication }
            }
            Operation::ClearStatus { instance: id, status } => {
                let (app, status) = (app(id)?, Some(status.unwrap_or(Status::Unknown)));
                Request::ClearStatus { app, id, status, last_dirty, replication }
            }
            Operation::SetMetadata { instance: id, ref entries } => {
                Request::SetMetadata { app: app(id)?, id, entries: Arc::clone(entries) }
            }
            Operation::SetGroup { ref group, enabled } => {
                Request::SetGroup { name: Arc::clone(group), enabled: Some(enabled), replication }
            }
            Operation::LookUp { .. } | Operation::SetHealth { .. } | Operation::SetOwnStatus { .. } => {
                return Err(Answer::Failed(0));
            }
        })
    }

    /// A registration of the bare necessities: what is absent gets the codec's defaults, and the receiver's clock as its version.
    /// The overridden status is absent, too.
    fn bare(&self, app: ServiceId, id: InstanceId, now_ms: i64) -> InstanceInfo {
        let store = &self.registry.store;
        let held = store.lease(id).map(|lease| &store.holders.get(lease.holder).about);
        let least = held.map_or_else(
            || About::least("app", "host"),
            |held| About {
                instance_id: Arc::clone(&held.instance_id),
                ip_addr: Arc::clone(&held.ip_addr),
                ..About::least(&held.app, &held.host_name)
            },
        );
        let override_key = Some(store.override_key(id));
        InstanceInfo {
            app,
            id,
            status: Status::Up,
            overridden: Status::Unknown,
            last_dirty: now_ms,
            last_updated: now_ms,
            lease: None,
            action: None,
            about: Arc::new(About { override_key, override_absent: true, version_absent: true, ..least }),
        }
    }

    fn answer(&mut self, request: Request, cx: &mut Cx<'_, Eureka>) -> Response {
        match request {
            Request::Register { path, info, replication } => {
                self.register(path.as_deref(), info, replication, cx)
            }
            Request::Heartbeat(heartbeat, replication) => {
                let (status, newer) = self.heartbeat(&heartbeat, replication, cx);
                let Some(newer) = newer else { return Response::empty(status) };
                let stamps = self.registry.store.stamps(heartbeat.id);
                let newer = self.put_down(newer);
                self.instance_answer(status, newer, stamps)
            }
            Request::Cancel { app, id, replication } => {
                Response::empty(self.cancel((app, id), replication, cx))
            }
            Request::SetStatus { app, id, status, last_dirty, replication } => {
                let assertion = status.map(Assertion::Set);
                Response::empty(self.assert_status((app, id), assertion, last_dirty, replication, cx))
            }
            Request::ClearStatus { app, id, status, last_dirty, replication } => {
                let assertion = status.map(Assertion::Clear);
                Response::empty(self.assert_status((app, id), assertion, last_dirty, replication, cx))
            }
            Request::SetMetadata { app, id, entries } => {
                Response::empty(self.set_metadata((app, id), &entries, cx))
            }
            Request::SetGroup { name, enabled, replication } => {
                self.set_group(&name, enabled, replication, cx)
            }
            Request::Batch(items) => self.batch(&items, cx),
            Request::Get(query) => self.read(&query, cx),
            Request::Instance { app, id } => {
                let now_ms = cx.wall().as_millis();
                let found = match app {
                    Some(app) => self.registry.instance(app, id, now_ms),
                    None => self.registry.instance_by_id(id, now_ms),
                };
                match found {
                    Some((info, stamps)) => self.instance_answer(200, info, stamps),
                    None => Response::empty(404),
                }
            }
            Request::StatusDocument => {
                Response { status: 200, body: Body::Status(Arc::new(self.status_document())) }
            }
            // Spring serves nothing outside its own paths.
            Request::Overrides if self.node.client.profile == Profile::SpringCloud => Response::empty(404),
            Request::Overrides => {
                let overrides = self.registry.overrides.all(cx.now()).collect();
                Response { status: 200, body: Body::Overrides(overrides) }
            }
        }
    }

    /// One instance, written for this answer. If the encoder fails on it, the request has failed.
    fn instance_answer(&self, status: u16, info: Arc<InstanceInfo>, stamps: LeaseStamps) -> Response {
        if !self.registry.writes(&info) {
            return Response::empty(500);
        }
        Response { status, body: Body::Instance(info, Box::new(stamps)) }
    }

    /// A list that comes out of the response cache. One that could not be written is an answer without a body, or, of a part of the
    /// registry, none.
    fn read(&mut self, query: &Query, cx: &Cx<'_, Eureka>) -> Response {
        if self.read_limit.refuses(query, &self.registry.config, cx.wall().as_millis()) {
            return Response::empty(503);
        }
        let lists = matches!(query.resource, Resource::Apps | Resource::Delta);
        let names_regions = lists && query.regions.as_ref().is_some_and(|regions| !regions.is_empty());
        let refused = query.resource == Resource::Delta && self.registry.config.disable_delta;
        if refused || !self.access_allowed(cx) || (names_regions && !self.registry.regions.ready()) {
            return Response::empty(403);
        }
        let body = match self.registry.read(query, cx) {
            Payload::Apps(apps) => Body::Apps(apps),
            Payload::Delta(delta, _) => Body::Delta(delta),
            Payload::Nothing => return Response::empty(if lists { 204 } else { 404 }),
        };
        Response { status: 200, body }
    }

    /// Replicated items are worked off in order, each with a result of its own. The answer is written when all are done: an object
    /// that goes with a conflict is in it as the later items have left it.
    fn batch(&mut self, items: &[Item], cx: &mut Cx<'_, Eureka>) -> Response {
        let mut recycler = std::mem::take(&mut self.results);
        let results = recycler.list(|results| {
            let mut newer: Vec<(usize, Holder)> = Vec::new();
            for item in items {
                let (status, holder) = self.item(item, cx);
                newer.extend(holder.map(|holder| (results.len(), holder)));
                results.push(ItemResult { status, entity: None });
            }
            for (at, holder) in newer {
                let entity = self.put_down(holder);
                results[at].entity = Some(entity).filter(|_| self.registry.config.conflict_entity);
            }
        });
        self.results = recycler;
        assert_eq!(results.len(), items.len(), "each item has a result");
        let mut entities = results.iter().filter_map(|result| result.entity.as_deref());
        if entities.any(|entity| !self.registry.writes(entity)) {
            return Response::empty(500);
        }
        Response { status: 200, body: Body::Batch(results) }
    }

    fn item(&mut self, item: &Item, cx: &mut Cx<'_, Eureka>) -> Verdict {
        let status = match *item {
            Item::Register(None) => 500,
            Item::Register(Some(ref info)) => {
                // What becomes of it is not looked at, but for a failure.
                let response = self.register(None, Arc::clone(info), true, cx);
                if response.status == 500 { 500 } else { 200 }
            }
            Item::Heartbeat(ref heartbeat) => return self.heartbeat(heartbeat, true, cx),
            Item::Cancel { app, id } => self.cancel((app, id), true, cx),
            Item::SetStatus { app, id, status, last_dirty } => {
                let assertion = status.map(Assertion::Set);
                self.assert_status((app, id), assertion, Stamp::At(last_dirty), true, cx)
            }
            // The original fails before it has looked at anything.
            Item::ClearUnversioned { .. } => 500,
            Item::ClearStatus { app, id, status, last_dirty } => {
                let assertion = status.map(Assertion::Clear);
                self.assert_status((app, id), assertion, Stamp::At(last_dirty), true, cx)
            }
        };
        (status, None)
    }

    /// Gives a reference back, for what the object is now.
    fn put_down(&mut self, holder: Holder) -> Arc<InstanceInfo> {
        let holders = &mut self.registry.store.holders;
        let info = Arc::clone(holders.get(holder));
        holders.release(holder);
        info
    }

    fn register(
        &mut self,
        path: Option<&str>,
        mut info: Arc<InstanceInfo>,
        replication: bool,
        cx: &mut Cx<'_, Eureka>,
    ) -> Response {
        if let Err(refusal) = self.validate(path, &mut info) {
            return Response { status: 400, body: Body::Text(refusal) };
        }
        let subject = (info.app, info.id);
        let Ok(incoming) = self.registry.register(info, origin(replication), cx) else {
            return Response::empty(500);
        };
        self.replicate_registration(subject, incoming, replication, cx);
        Response::empty(204)
    }

    /// Tells the peers of a registration. Takes over the reference.
    fn replicate_registration(
        &mut self,
        subject: (ServiceId, InstanceId),
        incoming: Holder,
        replication: bool,
        cx: &mut Cx<'_, Eureka>,
    ) {
        let holders = &mut self.registry.store.holders;
        if replication {
            self.peers.replications.increment();
        } else {
            self.peers.replicate(Action::Register, subject, Some(incoming), None, holders, cx);
        }
        holders.release(incoming);
    }

    fn set_metadata(
        &mut self,
        subject: (ServiceId, InstanceId),
        entries: &Pairs,
        cx: &mut Cx<'_, Eureka>,
    ) -> u16 {
        match self.registry.set_metadata(subject, entries, cx) {
            None => 404,
            Some(Err(_)) => 500,
            Some(Ok(holder)) => {
                self.replicate_registration(subject, holder, false, cx);
                200
            }
        }
    }

    /// The status, and with 409 the newer copy that is here. By the time versions are compared, the lease has been renewed, the
    /// renewal counted and replicated.
    fn heartbeat(&mut self, heartbeat: &Heartbeat, replication: bool, cx: &mut Cx<'_, Eureka>) -> Verdict {
        let id = heartbeat.id;
        if !self.registry.renew(id, origin(replication), cx) {
            if !self.redirects() {
                cx.emit(Event::NotFound { instance: id, origin: origin(replication) });
            }
            return (404, None);
        }
        if replication {
            self.peers.replications.increment();
        } else if !self.peers.is_empty() {
            let overridden = self.registry.overridden(id, cx);
            self.replicate_found(Action::Heartbeat, (heartbeat.app, id), overridden, cx);
        }
        if !self.registry.config.sync_when_timestamp_differs {
            return (200, None);
        }
        let reported = match heartbeat.last_dirty {
            Stamp::Absent => return (200, None),
            Stamp::At(reported) => reported,
            Stamp::Garbage => return (500, None),
        };
        let Some(holder) = self.registry.find(id, cx.wall().as_millis()) else { return (200, None) };
        if !self.registry.store.holders.versioned(holder) {
            return (500, None);
        }
        let stored = self.registry.store.holders.version(holder);
        if reported > stored {
            // This server's copy is stale: the caller is to register it anew.
            if replication
                && let Some(overridden) = heartbeat.overridden
                && overridden != Ok(Status::Unknown)
                && !overridden.is_ok_and(|status| self.registry.store_override(id, status, cx).is_ok())
            {
                return (500, None);
            }
            return (404, None);
        }
        if reported < stored && replication {
            return (409, Some(self.registry.store.holders.retain(holder)));
        }
        (200, None)
    }

    fn cancel(
        &mut self,
        subject: (ServiceId, InstanceId),
        replication: bool,
        cx: &mut Cx<'_, Eureka>,
    ) -> u16 {
        if !self.registry.cancel(subject, origin(replication), cx) {
            return 404;
        }
        if replication {
            self.peers.replications.increment();
        } else {
            self.peers.replicate(Action::Cancel, subject, None, None, &mut self.registry.store.holders, cx);
        }
        200
    }

    /// Setting and clearing an override. No assertion is a status that there is not, which is noticed only once the instance is
    /// found: perhaps in another region, where nothing can be asserted.
    fn assert_status(
        &mut self,
        subject: (ServiceId, InstanceId),
        assertion: Option<Assertion>,
        last_dirty: Stamp,
        replication: bool,
        cx: &mut Cx<'_, Eureka>,
    ) -> u16 {
        let (app, id) = subject;
        if self.registry.instance(app, id, cx.wall().as_millis()).is_none() {
            return 404;
        }
        let Some(assertion) = assertion else { return 500 };
        if self.registry.store.app(id) != Some(app) {
            return 500;
        }
        match self.registry.assert_status(id, assertion, last_dirty, origin(replication), cx) {
            Err(AssertionError::NoLease | AssertionError::HalfDone) => return 500,
            Ok(()) => {}
        }
        if replication {
            self.peers.replications.increment();
        } else {
            let action = match assertion {
                Assertion::Set(_) => Action::SetStatus,
                Assertion::Clear(_) => Action::ClearStatus,
            };
            self.replicate_found(action, subject, None, cx);
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

    /// The status document (`StatusUtil`). A peer is available if an instance of this server's own application has the host of its
    /// URL; nobody tries to reach it.
    fn status_document(&self) -> StatusDocument {
        let store = &self.registry.store;
        let own = self.node.app;
        let by_ip = self.node.client.client.applications_resolver_use_ip;
        let hosts: Vec<&Arc<str>> = store
            .all()
            .map(|(_, lease)| store.holders.get(lease.holder))
            .filter(|info| own == Some(info.app))
            .map(|info| if by_ip { &info.about.ip_addr } else { &info.about.host_name })
            .collect();
        let registered: Vec<Address> = self.peers.addresses().collect();
        let (mut available, mut unavailable) = (Vec::new(), Vec::new());
        for (peer, (_, host)) in registered.iter().zip(self.peers.hosts()) {
            let found = hosts.iter().any(|known| ***known == *host);
            if found { &mut available } else { &mut unavailable }.push(*peer);
        }
        let least = self.registry.config.min_available_instances_for_peer_replication;
        let enough = usize::try_from(least).ok().map(|least| available.len() >= least);
        StatusDocument { registered, available, unavailable, healthy: enough }
    }
}
