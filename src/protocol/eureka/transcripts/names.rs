//! Names and their ids, given out in the order in which a transcript first mentions them; and times.

use crate::protocol::{Address, InstanceId, ServiceId};

/// The wall clock at the start of every transcript, ms: a multiple of 30 s, so that caches are filled at 30 s, 60 s, …
pub(super) const START_MS: i64 = 1_700_000_010_000;

/// Times on the wall clock are written as versions are if they are earlier than this.
const CLOCK_MS: i64 = 1_600_000_000_000;

/// What has a name.
#[derive(Debug, Default)]
pub(super) struct Names {
    apps: Vec<String>,
    instances: Vec<(ServiceId, String)>,
    addresses: Vec<String>,
}

fn intern<T: PartialEq>(list: &mut Vec<T>, name: T) -> u32 {
    let at = list.iter().position(|known| *known == name).unwrap_or_else(|| {
        list.push(name);
        list.len() - 1
    });
    u32::try_from(at).expect("a transcript names few things")
}

impl Names {
    /// An application; case does not count.
    pub(super) fn app(&mut self, name: &str) -> ServiceId {
        ServiceId(intern(&mut self.apps, name.to_uppercase()))
    }

    /// An instance of an application.
    pub(super) fn instance(&mut self, app: ServiceId, id: &str) -> InstanceId {
        InstanceId(intern(&mut self.instances, (app, id.to_owned())))
    }

    /// The first instance with an id, in whatever application.
    pub(super) fn any_instance(&mut self, id: &str) -> InstanceId {
        let app = self.instances.iter().find(|(_, known)| known == id).map(|(app, _)| *app);
        let app = app.unwrap_or_else(|| self.app("?"));
        self.instance(app, id)
    }

    /// `application/id`
    pub(super) fn subject(&mut self, text: &str) -> Result<(ServiceId, InstanceId), String> {
        let (app, id) = text.split_once('/').ok_or_else(|| format!("not `application/id`: `{text}`"))?;
        let app = self.app(app);
        Ok((app, self.instance(app, id)))
    }

    /// A server.
    pub(super) fn address(&mut self, name: &str) -> Address {
        Address(intern(&mut self.addresses, name.to_owned()))
    }

    pub(super) fn app_name(&self, app: ServiceId) -> &str {
        &self.apps[app.index()]
    }

    pub(super) fn id_name(&self, id: InstanceId) -> &str {
        &self.instances[id.index()].1
    }

    pub(super) fn address_name(&self, address: Address) -> &str {
        &self.addresses[address.index()]
    }

    /// `application/id`
    pub(super) fn subject_name(&self, id: InstanceId) -> String {
        let (app, name) = &self.instances[id.index()];
        format!("{}/{name}", self.app_name(*app))
    }
}

/// Milliseconds as `12.500s`.
pub(super) fn seconds(ms: i64) -> String {
    let sign = if ms < 0 { "-" } else { "" };
    let ms = ms.unsigned_abs();
    format!("{sign}{}.{:03}s", ms / 1000, ms % 1000)
}

/// The milliseconds of `12.500s`.
pub(super) fn parse_seconds(text: &str) -> Option<i64> {
    let (whole, part) = text.strip_suffix('s')?.split_once('.')?;
    let part: i64 = part.parse().ok().filter(|_| part.len() == 3)?;
    let whole: i64 = whole.parse().ok()?;
    Some(if text.starts_with('-') { whole * 1000 - part } else { whole * 1000 + part })
}

/// A version or other time of the wall clock, as it is written.
pub(super) fn stamp(ms: i64) -> String {
    if ms < CLOCK_MS { ms.to_string() } else { seconds(ms - START_MS) }
}

/// The time that is written so.
pub(super) fn parse_stamp(text: &str) -> Result<i64, String> {
    let number = text.parse().ok().filter(|ms| *ms < CLOCK_MS);
    let time = parse_seconds(text).map(|ms| START_MS + ms);
    number.or(time).ok_or_else(|| format!("neither a number nor a time with three decimals: `{text}`"))
}
