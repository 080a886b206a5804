//! Writes requests, answers and instances in the notation of transcripts.

use std::sync::Arc;

use super::names::{Names, stamp};
use super::reading::{ACTIONS, REPLICATION};
use crate::protocol::eureka::instance::{InstanceInfo, LeaseStamps};
use crate::protocol::eureka::wire::{
    Body, Heartbeat, Identity, Item, ItemResult, Query, Request, Resource, Response, Stamp,
};
use crate::protocol::{InstanceId, Status};

/// Longer lists are written with their middle left out.
const WHOLE_LIST: usize = 8;

/// A list in `[]`.
pub(super) fn list(items: impl Iterator<Item = String>) -> String {
    let mut items: Vec<String> = items.collect();
    if items.len() > WHOLE_LIST {
        let left_out = items.len() - 4;
        items.splice(2..items.len() - 2, [format!("{left_out} more")]);
    }
    format!("[{}]", items.join(", "))
}

fn stamp_parameter(parameter: Stamp) -> String {
    match parameter {
        Stamp::Absent => String::new(),
        Stamp::At(ms) => format!("&lastDirtyTimestamp={}", stamp(ms)),
        Stamp::Garbage => "&lastDirtyTimestamp=abc".to_owned(),
    }
}

fn status_or_not(status: Option<Status>) -> &'static str {
    status.map_or("?", Status::name)
}

impl Names {
    /// A request, as it is written.
    pub(super) fn show_request(&self, request: &Request) -> String {
        let subject = |id: &InstanceId| format!("apps/{}", self.subject_name(*id));
        let header = |on: &bool| if *on { format!(" ({REPLICATION})") } else { String::new() };
        match request {
            Request::Register { path, info, replication } => {
                format!(
                    "POST apps/{} {{{}}}{}",
                    path.as_deref().unwrap_or(self.app_name(info.app)),
                    self.show_info(info),
                    header(replication)
                )
            }
            Request::Heartbeat(heartbeat, replication) => {
                let Heartbeat { app: _, id, status, last_dirty, overridden } = heartbeat;
                let overridden = overridden.map_or(String::new(), |status| {
                    format!("&overriddenstatus={}", status_or_not(status.ok()))
                });
                let stamp = stamp_parameter(*last_dirty);
                format!("PUT {}?status={status}{stamp}{overridden}{}", subject(id), header(replication))
            }
            Request::Cancel { app: _, id, replication } => {
                format!("DELETE {}{}", subject(id), header(replication))
            }
            Request::SetStatus { app: _, id, status, last_dirty, replication } => {
                let (status, stamp) = (status.map_or("?", Status::name), stamp_parameter(*last_dirty));
                format!("PUT {}/status?value={status}{stamp}{}", subject(id), header(replication))
            }
            Request::ClearStatus { app: _, id, status, last_dirty, replication } => {
                let (status, stamp) = (status.map_or("?", Status::name), stamp_parameter(*last_dirty));
                format!("DELETE {}/status?value={status}{stamp}{}", subject(id), header(replication))
            }
            Request::SetMetadata { app: _, id, entries } => {
                let entries: Vec<String> =
                    entries.iter().map(|(name, value)| format!("{name}={value}")).collect();
                format!("PUT {}/metadata?{}", subject(id), entries.join("&"))
            }
            Request::SetGroup { name, enabled, replication } => {
                let value = enabled.map_or("?", |enabled| if enabled { "ENABLED" } else { "DISABLED" });
                format!("PUT asg/{name}/status?value={value}{}", header(replication))
            }
            Request::Batch(items) => {
                format!("POST peerreplication/batch/ {}", list(items.iter().map(|item| self.show_item(item))))
            }
            Request::Get(query) => self.show_query(query),
            Request::Instance { app: Some(_), id } => format!("GET {}", subject(id)),
            Request::Instance { app: None, id } => format!("GET instances/{}", self.id_name(*id)),
            Request::StatusDocument => "GET status".to_owned(),
            Request::Overrides => "GET serverinfo/statusoverrides".to_owned(),
        }
    }

    fn show_query(&self, query: &Query) -> String {
        let path = match &query.resource {
            Resource::Apps => "apps/".to_owned(),
            Resource::Delta => "apps/delta".to_owned(),
            Resource::App(app) => format!("apps/{}", self.app_name(*app)),
            Resource::Vip(vip) => format!("vips/{vip}"),
            Resource::SecureVip(vip) => format!("svips/{vip}"),
        };
        let regions =
            query.regions.as_ref().map_or(String::new(), |names| format!("?regions={}", names.join(",")));
        let compact = if query.compact { " (X-Eureka-Accept: compact)" } else { "" };
        let identity = match &query.identity {
            Identity::DefaultClient => "",
            Identity::DefaultServer => "DefaultServer",
            Identity::Named(name) => name,
            Identity::Nobody => "nobody",
        };
        let identity = if identity.is_empty() {
            String::new()
        } else {
            format!(" (DiscoveryIdentity-Name: {identity})")
        };
        format!("GET {path}{regions}{compact}{identity}")
    }

    fn show_item(&self, item: &Item) -> String {
        match item {
            Item::Register(info) => {
                format!("Register {}", info.as_ref().map_or("?".to_owned(), |info| self.show_info(info)))
            }
            Item::Heartbeat(Heartbeat { app: _, id, status, last_dirty, overridden }) => {
                let version = match last_dirty {
                    Stamp::At(ms) => stamp(*ms),
                    Stamp::Absent => "none".to_owned(),
                    Stamp::Garbage => "?".to_owned(),
                };
                let overridden = overridden.map_or(String::new(), |status| {
                    format!(" overriddenStatus={}", status_or_not(status.ok()))
                });
                format!("Heartbeat {} {status} @{version}{overridden}", self.subject_name(*id))
            }
            Item::Cancel { app: _, id } => format!("Cancel {}", self.subject_name(*id)),
            Item::SetStatus { app: _, id, status, last_dirty } => {
                let (status, version) = (status_or_not(*status), stamp(*last_dirty));
                format!("StatusUpdate {} {status} @{version}", self.subject_name(*id))
            }
            Item::ClearStatus { app: _, id, status, last_dirty } => {
                let (status, version) = (status_or_not(*status), stamp(*last_dirty));
                format!("DeleteStatusOverride {} {status} @{version}", self.subject_name(*id))
            }
            Item::ClearUnversioned { app: _, id } => {
                format!("DeleteStatusOverride {} @?", self.subject_name(*id))
            }
        }
    }

    /// An instance, as it is written: what is as usual is left out.
    pub(super) fn show_info(&self, info: &InstanceInfo) -> String {
        let version = if info.about.version_absent { "none".to_owned() } else { stamp(info.last_dirty) };
        let mut text = format!("{} {} @{version}", self.subject_name(info.id), info.status);
        let action = ACTIONS.iter().find(|(_, action)| Some(*action) == info.action);
        text.extend(action.map(|(name, _)| format!(" {name}")));
        if info.overridden != Status::Unknown {
            text += &format!(" overriddenStatus={}", info.overridden);
        }
        if info.about.override_absent {
            text += " overriddenStatus=none";
        }
        match info.lease.map(|lease| (lease.renewal_interval.as_secs(), lease.duration.as_secs())) {
            Some((30, 90)) => {}
            Some((interval, duration)) => text += &format!(" lease={interval}s/{duration}s"),
            None => text += " lease=none",
        }
        let about = &info.about;
        for (name, value) in
            [("vipAddress", &about.vip), ("secureVipAddress", &about.secure_vip), ("asgName", &about.asg)]
        {
            text.extend(value.as_ref().map(|value| format!(" {name}={value}")));
        }
        text.extend(about.metadata.iter().map(|(key, value)| format!(" metadata.{key}={value}")));
        text
    }

    /// An answer, as it is written, with what is known of the `lease` if that is asked for.
    pub(super) fn show_response(&self, response: &Response, lease: bool) -> String {
        let decorated = |(info, stamps): (&Arc<InstanceInfo>, LeaseStamps)| {
            let stamps = [
                ("registrationTimestamp", stamps.registered),
                ("lastRenewalTimestamp", stamps.last_renewal),
                ("evictionTimestamp", stamps.evicted),
                ("serviceUpTimestamp", stamps.service_up),
            ];
            let known = stamps.iter().filter(|(_, ms)| lease && *ms != 0);
            let stamps: String = known.map(|(name, ms)| format!(" {name}={}", stamp(*ms))).collect();
            self.show_info(info) + &stamps
        };
        let names =
            |addresses: &[_]| list(addresses.iter().map(|address| self.address_name(*address).to_owned()));
        let body = match &response.body {
            Body::Empty => return response.status.to_string(),
            Body::Instance(info, stamps) => format!("{{{}}}", decorated((info, **stamps))),
            Body::Apps(apps) => {
                format!(
                    "apps__hashcode={} {}",
                    apps.histogram().hash_code(),
                    list(apps.entries().map(decorated))
                )
            }
            Body::Delta(delta) => format!(
                "versions__delta={} apps__hashcode={} {}",
                delta.version(),
                delta.histogram().hash_code(),
                list(delta.entries().map(decorated))
            ),
            Body::Redirect(address) => format!("Location: {}", self.address_name(*address)),
            Body::Text(text) => format!("\"{text}\""),
            Body::Status(document) => format!(
                "registered {} available {} unavailable {}{}",
                names(&document.registered),
                names(&document.available),
                names(&document.unavailable),
                document.healthy.map_or(String::new(), |healthy| format!(" healthy={healthy}"))
            ),
            Body::Overrides(overrides) => {
                list(overrides.iter().map(|(id, status)| format!("{} {status}", self.subject_name(*id))))
            }
            Body::Batch(results) => list(results.iter().map(|ItemResult { status, entity }| match entity {
                Some(info) => format!("{status} {{{}}}", self.show_info(info)),
                None => status.to_string(),
            })),
        };
        format!("{} {body}", response.status)
    }
}
