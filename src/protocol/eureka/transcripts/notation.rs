//! Requests, answers and instances in the notation of transcripts, near to HTTP: read and written.

use std::sync::Arc;
use std::time::Duration;

use super::names::{Names, parse_stamp, stamp};
use crate::protocol::eureka::instance::{
    About, Action, Applications, DataCenter, Delta, Histogram, InstanceInfo, LeaseInfo, LeaseStamps,
};
use crate::protocol::eureka::wire::{
    Body, Heartbeat, Identity, Item, ItemResult, Pairs, Query, Request, Resource, Response, Stamp,
};
use crate::protocol::{CallError, InstanceId, ServiceId, Status};

const REPLICATION: &str = "x-netflix-discovery-replication: true";
const FAILURES: [(&str, CallError); 5] = [
    ("refused", CallError::Refused),
    ("connect timeout", CallError::ConnectTimeout),
    ("read timeout", CallError::ReadTimeout),
    ("reset", CallError::Reset),
    ("broken", CallError::Broken),
];
const ACTIONS: [(&str, Action); 3] =
    [("ADDED", Action::Added), ("MODIFIED", Action::Modified), ("DELETED", Action::Deleted)];
/// Longer lists are written with their middle left out.
const WHOLE_LIST: usize = 8;

pub(super) fn status(name: &str) -> Option<Status> {
    Status::ALL.into_iter().find(|status| status.name() == name)
}

fn required_status(name: &str) -> Result<Status, String> {
    status(name).ok_or_else(|| format!("no such status: `{name}`"))
}

pub(super) fn list(items: impl Iterator<Item = String>) -> String {
    let mut items: Vec<String> = items.collect();
    if items.len() > WHOLE_LIST {
        let left_out = items.len() - 4;
        items.splice(2..items.len() - 2, [format!("{left_out} more")]);
    }
    format!("[{}]", items.join(", "))
}

fn items_of<'a>(text: &'a str, what: &str) -> Result<impl Iterator<Item = &'a str>, String> {
    let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let inner = inner.ok_or_else(|| format!("{what} are a list in []: `{text}`"))?;
    Ok(inner.split(',').map(str::trim).filter(|item| !item.is_empty()))
}

fn braced(text: &str) -> Result<&str, String> {
    let inner = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
    inner.ok_or_else(|| format!("an instance is written in {{}}: `{text}`"))
}

fn pairs(query: &str) -> Vec<(&str, &str)> {
    let parameters = query.split('&').filter(|parameter| !parameter.is_empty());
    parameters.map(|parameter| parameter.split_once('=').unwrap_or((parameter, ""))).collect()
}

fn text_pairs(query: &str) -> Pairs {
    pairs(query).into_iter().map(|(name, value)| (name.into(), value.into())).collect()
}

fn stamp_parameter(stamp: Stamp) -> String {
    match stamp {
        Stamp::Absent => String::new(),
        Stamp::At(ms) => format!("&lastDirtyTimestamp={}", super::names::stamp(ms)),
        Stamp::Garbage => "&lastDirtyTimestamp=abc".to_owned(),
    }
}

fn histogram(text: &str) -> Result<Histogram, String> {
    let (mut rest, mut histogram) = (text, Histogram::default());
    while !rest.is_empty() {
        let wrong = || format!("no hash code: `{text}`");
        let found =
            Status::ALL.into_iter().find(|status| rest.starts_with(status.name())).ok_or_else(wrong)?;
        let (count, after) = rest[found.name().len()..]
            .strip_prefix('_')
            .and_then(|rest| rest.split_once('_'))
            .ok_or_else(wrong)?;
        (0..count.parse::<u32>().map_err(|_| wrong())?).for_each(|_| histogram.add(found));
        rest = after;
    }
    Ok(histogram)
}

/// The parameters that requests about an instance have.
#[derive(Default)]
struct Parameters {
    status: Option<Status>,
    value: Option<Option<Status>>,
    stamp: Option<Stamp>,
    overridden: Option<Status>,
}

fn parameters(query: &str) -> Result<Parameters, String> {
    let mut found = Parameters::default();
    for (name, text) in pairs(query) {
        match name {
            "status" => found.status = Some(required_status(text)?),
            "value" => found.value = Some(status(text)),
            "lastDirtyTimestamp" => {
                found.stamp = Some(parse_stamp(text).map_or(Stamp::Garbage, Stamp::At));
            }
            "overriddenstatus" => found.overridden = Some(required_status(text)?),
            _ => return Err(format!("no such parameter: `{name}`")),
        }
    }
    Ok(found)
}

fn query(resource: Resource, parameters: &str, header: &str) -> Result<Request, String> {
    let mut query = Query::of(resource);
    match pairs(parameters)[..] {
        [] => {}
        [("regions", regions)] => {
            let names = regions.split(',').filter(|region| !region.is_empty());
            query.regions = Some(names.map(Arc::from).collect());
        }
        _ => return Err(format!("no such parameter: `{parameters}`")),
    }
    match header.split_once(": ") {
        None => {}
        Some(("X-Eureka-Accept", "compact")) => query.compact = true,
        Some(("DiscoveryIdentity-Name", name)) => {
            query.identity = match name {
                "DefaultClient" => Identity::DefaultClient,
                "DefaultServer" => Identity::DefaultServer,
                "nobody" => Identity::Nobody,
                name => Identity::Named(name.into()),
            }
        }
        Some(_) => return Err(format!("no such header: `{header}`")),
    }
    Ok(Request::Get(Arc::new(query)))
}

impl Names {
    /// `METHOD path?parameters body (header)`
    pub(super) fn request(&mut self, text: &str) -> Result<Request, String> {
        let (text, header) = match text.strip_suffix(')').and_then(|text| text.rsplit_once(" (")) {
            Some((text, header)) => (text, header),
            None => (text, ""),
        };
        let replication = header == REPLICATION;
        let mut words = text.splitn(3, ' ');
        let (method, target) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        let body = words.next().unwrap_or("").trim();
        let (path, parameters_text) = target.split_once('?').unwrap_or((target, ""));
        let segments: Vec<&str> = path.split('/').collect();
        let parameters = || parameters(parameters_text);
        match (method, &segments[..]) {
            ("POST", ["apps", app]) => {
                let info = Arc::new(self.info(braced(body)?)?);
                Ok(Request::Register { app: self.app(app), info, replication })
            }
            ("PUT", ["apps", app, id]) => {
                Ok(Request::Heartbeat(self.heartbeat((app, id), parameters()?), replication))
            }
            ("DELETE", ["apps", app, id]) => {
                let (app, id) = self.pair(app, id);
                Ok(Request::Cancel { app, id, replication })
            }
            ("PUT", ["apps", app, id, "status"]) => {
                let ((app, id), found) = (self.pair(app, id), parameters()?);
                let (status, last_dirty) = (found.value.flatten(), found.stamp.unwrap_or(Stamp::Absent));
                Ok(Request::SetStatus { app, id, status, last_dirty, replication })
            }
            ("DELETE", ["apps", app, id, "status"]) => {
                let ((app, id), found) = (self.pair(app, id), parameters()?);
                let status = found.value.unwrap_or(Some(Status::Unknown));
                let last_dirty = found.stamp.unwrap_or(Stamp::Absent);
                Ok(Request::ClearStatus { app, id, status, last_dirty, replication })
            }
            ("PUT", ["apps", app, id, "metadata"]) => {
                let (app, id) = self.pair(app, id);
                Ok(Request::SetMetadata { app, id, entries: text_pairs(parameters_text) })
            }
            ("PUT", ["asg", name, "status"]) => {
                let enabled = match parameters_text.strip_prefix("value=").map(str::to_uppercase).as_deref() {
                    Some("ENABLED") => Some(true),
                    Some("DISABLED") => Some(false),
                    _ => None,
                };
                Ok(Request::SetGroup { name: (*name).into(), enabled, replication })
            }
            ("POST", ["peerreplication", "batch", ""]) => {
                let items: Result<Vec<Item>, String> =
                    items_of(body, "replicated items")?.map(|item| self.item(item)).collect();
                Ok(Request::Batch(Arc::new(items?)))
            }
            ("GET", ["apps", ""]) => query(Resource::Apps, parameters_text, header),
            ("GET", ["apps", "delta"]) => query(Resource::Delta, parameters_text, header),
            ("GET", ["apps", app]) => query(Resource::App(self.app(app)), parameters_text, header),
            ("GET", ["vips", vip]) => query(Resource::Vip((*vip).into()), parameters_text, header),
            ("GET", ["svips", vip]) => query(Resource::SecureVip((*vip).into()), parameters_text, header),
            ("GET", ["apps", app, id]) => {
                let (app, id) = self.pair(app, id);
                Ok(Request::Instance { app: Some(app), id })
            }
            ("GET", ["instances", id]) => Ok(Request::Instance { app: None, id: self.any_instance(id) }),
            ("GET", ["status"]) => Ok(Request::StatusDocument),
            ("GET", ["serverinfo", "statusoverrides"]) => Ok(Request::Overrides),
            _ => Err(format!("no such request: `{method} {path}`")),
        }
    }

    fn pair(&mut self, app: &str, id: &str) -> (ServiceId, InstanceId) {
        let app = self.app(app);
        (app, self.instance(app, id))
    }

    fn heartbeat(&mut self, (app, id): (&str, &str), found: Parameters) -> Heartbeat {
        let (app, id) = self.pair(app, id);
        let status = found.status.unwrap_or(Status::Up);
        let (last_dirty, overridden) = (found.stamp.unwrap_or(Stamp::Absent), found.overridden);
        Heartbeat { app, id, status, last_dirty, overridden }
    }

    fn item(&mut self, text: &str) -> Result<Item, String> {
        let (action, rest) = text.split_once(' ').unwrap_or((text, ""));
        let info = self.info(rest)?;
        let (app, id, status, last_dirty) = (info.app, info.id, info.status, info.last_dirty);
        Ok(match action {
            "Register" => Item::Register(Arc::new(info)),
            "Heartbeat" => {
                let overridden = Some(info.overridden).filter(|status| *status != Status::Unknown);
                Item::Heartbeat(Heartbeat { app, id, status, last_dirty: Stamp::At(last_dirty), overridden })
            }
            "Cancel" => Item::Cancel { app, id },
            "StatusUpdate" => Item::SetStatus { app, id, status, last_dirty },
            "DeleteStatusOverride" => Item::ClearStatus { app, id, status, last_dirty },
            _ => return Err(format!("no such replicated item: `{action}`")),
        })
    }

    pub(super) fn info(&mut self, text: &str) -> Result<InstanceInfo, String> {
        let mut words = text.split_whitespace();
        let (app, id) = self.subject(words.next().unwrap_or(""))?;
        let name = self.id_name(id);
        let mut about = About { instance_id: name.into(), ..About::least(self.app_name(app), name) };
        let seconds = |secs| Duration::from_secs(secs);
        let (mut lease, mut action) =
            (Some(LeaseInfo { renewal_interval: seconds(30), duration: seconds(90) }), None);
        let (mut reported, mut overridden, mut last_dirty) = (Status::Up, Status::Unknown, 0);
        for word in words {
            if let Some(named) = status(word) {
                reported = named;
            } else if let Some((_, known)) = ACTIONS.iter().find(|(name, _)| *name == word) {
                action = Some(*known);
            } else if let Some(version) = word.strip_prefix('@') {
                last_dirty = parse_stamp(version)?;
            } else {
                let wrong = || format!("not part of an instance: `{word}`");
                let (name, value) = word.split_once('=').ok_or_else(wrong)?;
                match name {
                    "overriddenStatus" => overridden = required_status(value)?,
                    "lease" if value == "none" => lease = None,
                    "lease" => {
                        let (interval, duration) = value.split_once('/').ok_or_else(wrong)?;
                        let parse = |text: &str| text.strip_suffix('s')?.parse().ok().map(seconds);
                        let renewal_interval = parse(interval).ok_or_else(wrong)?;
                        lease = Some(LeaseInfo {
                            renewal_interval,
                            duration: parse(duration).ok_or_else(wrong)?,
                        });
                    }
                    "app" => about.app = value.into(),
                    "instanceId" => about.instance_id = value.into(),
                    "hostName" => about.host_name = value.into(),
                    "ipAddr" => about.ip_addr = value.into(),
                    "vipAddress" => about.vip = Some(value.into()),
                    "secureVipAddress" => about.secure_vip = Some(value.into()),
                    "asgName" => about.asg = Some(value.into()),
                    "dataCenterInfo" => {
                        about.data_center = match value {
                            "none" => None,
                            "nameless" => Some(DataCenter::Nameless),
                            "Amazon" => Some(DataCenter::Amazon(Default::default())),
                            _ => return Err(wrong()),
                        }
                    }
                    _ => {
                        let key = name.strip_prefix("metadata.").ok_or_else(wrong)?;
                        about.metadata.insert(key.into(), value.into());
                    }
                }
            }
        }
        let (status, about) = (reported, Arc::new(about));
        let last_updated = last_dirty;
        Ok(InstanceInfo { app, id, status, overridden, last_dirty, last_updated, lease, action, about })
    }

    /// How a call ends: `status body`, or a failure.
    pub(super) fn outcome(&mut self, text: &str) -> Result<Result<Response, CallError>, String> {
        if let Some((_, failure)) = FAILURES.iter().find(|(name, _)| *name == text) {
            return Ok(Err(failure.clone()));
        }
        let (code, rest) = text.split_once(' ').unwrap_or((text, ""));
        let status = code.parse().map_err(|_| format!("neither an HTTP status nor a failure: `{text}`"))?;
        Ok(Ok(Response { status, body: self.body(rest)? }))
    }

    fn body(&mut self, text: &str) -> Result<Body, String> {
        let wrong = || format!("no such body: `{text}`");
        if text.is_empty() {
            return Ok(Body::Empty);
        }
        if text.starts_with('{') {
            return Ok(Body::Instance(Arc::new(self.info(braced(text)?)?), LeaseStamps::default()));
        }
        if let Some(location) = text.strip_prefix("Location: ") {
            return Ok(Body::Redirect(self.address(location)));
        }
        if text.starts_with('[') {
            let results = items_of(text, "results")?.map(|result| {
                let (status, entity) = result.split_once(' ').unwrap_or((result, ""));
                let status = status.parse().map_err(|_| wrong())?;
                let entity =
                    if entity.is_empty() { None } else { Some(Arc::new(self.info(braced(entity)?)?)) };
                Ok(ItemResult { status, entity })
            });
            return Ok(Body::Batch(Arc::new(results.collect::<Result<Vec<ItemResult>, String>>()?)));
        }
        let head = text.split(" [").next().filter(|head| head.len() < text.len()).ok_or_else(wrong)?;
        let instances: Result<Vec<Arc<InstanceInfo>>, String> =
            items_of(&text[head.len() + 1..], "instances")?
                .map(|info| Ok(Arc::new(self.info(info)?)))
                .collect();
        match head.split_once(' ') {
            None => {
                let apps = Applications::new(instances?);
                let said = head.strip_prefix("apps__hashcode=").ok_or_else(wrong)?;
                let is = apps.histogram().hash_code();
                if said != is {
                    return Err(format!("these instances have the hash code `{is}`, not `{said}`"));
                }
                Ok(Body::Apps(Arc::new(apps)))
            }
            Some((version, code)) => {
                let version = version.strip_prefix("versions__delta=").and_then(|text| text.parse().ok());
                let code = code.strip_prefix("apps__hashcode=").ok_or_else(wrong)?;
                let delta = Delta::new(instances?, histogram(code)?, version.ok_or_else(wrong)?);
                Ok(Body::Delta(Arc::new(delta)))
            }
        }
    }

    /// A request, as it is written.
    pub(super) fn show_request(&self, request: &Request) -> String {
        let subject = |id: &InstanceId| format!("apps/{}", self.subject_name(*id));
        let header = |on: &bool| if *on { format!(" ({REPLICATION})") } else { String::new() };
        match request {
            Request::Register { app, info, replication } => {
                format!(
                    "POST apps/{} {{{}}}{}",
                    self.app_name(*app),
                    self.show_info(info),
                    header(replication)
                )
            }
            Request::Heartbeat(heartbeat, replication) => {
                let Heartbeat { app: _, id, status, last_dirty, overridden } = heartbeat;
                let overridden =
                    overridden.map_or(String::new(), |status| format!("&overriddenstatus={status}"));
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
            Item::Register(info) => format!("Register {}", self.show_info(info)),
            Item::Heartbeat(Heartbeat { app: _, id, status, last_dirty, overridden }) => {
                let version = if let Stamp::At(ms) = last_dirty { stamp(*ms) } else { "?".to_owned() };
                let overridden =
                    overridden.map_or(String::new(), |status| format!(" overriddenStatus={status}"));
                format!("Heartbeat {} {status} @{version}{overridden}", self.subject_name(*id))
            }
            Item::Cancel { app: _, id } => format!("Cancel {}", self.subject_name(*id)),
            Item::SetStatus { app: _, id, status, last_dirty } => {
                format!("StatusUpdate {} {status} @{}", self.subject_name(*id), stamp(*last_dirty))
            }
            Item::ClearStatus { app: _, id, status, last_dirty } => {
                format!("DeleteStatusOverride {} {status} @{}", self.subject_name(*id), stamp(*last_dirty))
            }
        }
    }

    /// An instance, as it is written: what is as usual is left out.
    pub(super) fn show_info(&self, info: &InstanceInfo) -> String {
        let mut text = format!("{} {} @{}", self.subject_name(info.id), info.status, stamp(info.last_dirty));
        let action = ACTIONS.iter().find(|(_, action)| Some(*action) == info.action);
        text.extend(action.map(|(name, _)| format!(" {name}")));
        if info.overridden != Status::Unknown {
            text += &format!(" overriddenStatus={}", info.overridden);
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

    /// An answer, as it is written.
    pub(super) fn show_response(&self, response: &Response) -> String {
        let instances = |infos: &[Arc<InstanceInfo>]| list(infos.iter().map(|info| self.show_info(info)));
        let names =
            |addresses: &[_]| list(addresses.iter().map(|address| self.address_name(*address).to_owned()));
        let body = match &response.body {
            Body::Empty => return response.status.to_string(),
            Body::Instance(info, stamps) => {
                let stamps = [
                    ("registrationTimestamp", stamps.registered),
                    ("lastRenewalTimestamp", stamps.last_renewal),
                    ("evictionTimestamp", stamps.evicted),
                    ("serviceUpTimestamp", stamps.service_up),
                ];
                let known = stamps.iter().filter(|(_, ms)| *ms != 0);
                let stamps: String = known.map(|(name, ms)| format!(" {name}={}", stamp(*ms))).collect();
                format!("{{{}{stamps}}}", self.show_info(info))
            }
            Body::Apps(apps) => {
                format!("apps__hashcode={} {}", apps.histogram().hash_code(), instances(apps.instances()))
            }
            Body::Delta(delta) => format!(
                "versions__delta={} apps__hashcode={} {}",
                delta.version(),
                delta.histogram().hash_code(),
                instances(delta.changes())
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
