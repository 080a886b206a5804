//! Reads requests, answers and instances in the notation of transcripts.

use std::sync::Arc;
use std::time::Duration;

use super::names::{Names, parse_stamp};
use crate::protocol::eureka::applications::{Applications, Delta, Histogram};
use crate::protocol::eureka::instance::{About, Action, DataCenter, InstanceInfo, LeaseInfo};
use crate::protocol::eureka::wire::{
    Body, Heartbeat, Identity, Item, ItemResult, NoStatus, Pairs, Query, Request, Resource, Response, Stamp,
};
use crate::protocol::{CallError, InstanceId, ServiceId, Status};

/// The header of what another server sends.
pub(super) const REPLICATION: &str = "x-netflix-discovery-replication: true";
const FAILURES: [(&str, CallError); 5] = [
    ("refused", CallError::Refused),
    ("connect timeout", CallError::ConnectTimeout),
    ("read timeout", CallError::ReadTimeout),
    ("reset", CallError::Reset),
    ("broken", CallError::Broken),
];
/// What a server last did with an instance.
pub(super) const ACTIONS: [(&str, Action); 3] =
    [("ADDED", Action::Added), ("MODIFIED", Action::Modified), ("DELETED", Action::Deleted)];

/// A status by its exact name.
pub(super) fn status(name: &str) -> Option<Status> {
    Status::ALL.into_iter().find(|status| status.name() == name)
}

fn required_status(name: &str) -> Result<Status, String> {
    status(name).ok_or_else(|| format!("no such status: `{name}`"))
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
    overridden: Option<Result<Status, NoStatus>>,
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
            "overriddenstatus" => found.overridden = Some(status(text).ok_or(NoStatus)),
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
                let own = self.app(app) == info.app;
                Ok(Request::Register { path: (!own).then(|| (*app).into()), info, replication })
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
            "Register" => Item::Register(Some(Arc::new(info))),
            "Heartbeat" => {
                let overridden = Some(info.overridden).filter(|status| *status != Status::Unknown).map(Ok);
                let last_dirty =
                    if info.about.version_absent { Stamp::Absent } else { Stamp::At(last_dirty) };
                Item::Heartbeat(Heartbeat { app, id, status, last_dirty, overridden })
            }
            "Cancel" => Item::Cancel { app, id },
            "StatusUpdate" => Item::SetStatus { app, id, status: Some(status), last_dirty },
            "DeleteStatusOverride" => Item::ClearStatus { app, id, status: Some(status), last_dirty },
            _ => return Err(format!("no such replicated item: `{action}`")),
        })
    }

    /// `application/id STATUS @version …`; what is left out is as usual.
    fn info(&mut self, text: &str) -> Result<InstanceInfo, String> {
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
            } else if word == "@none" {
                about.version_absent = true;
            } else if let Some(version) = word.strip_prefix('@') {
                last_dirty = parse_stamp(version)?;
            } else {
                let wrong = || format!("not part of an instance: `{word}`");
                let (name, value) = word.split_once('=').ok_or_else(wrong)?;
                match name {
                    "overriddenStatus" if value == "none" => about.override_absent = true,
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
                        Arc::make_mut(&mut about.metadata).insert(key.into(), value.into());
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
            return Ok(Body::Instance(Arc::new(self.info(braced(text)?)?), Box::default()));
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
}
