//! Every setting of a Eureka server, client and instance: its two spellings, unit, range and defaults.
//!
//! One table, because the scenario language, the import of Spring files and the machines must agree on all of it. Keys are
//! compared *relaxed*, as Spring does: case, `-`, `_` and `.` do not count, so `evictionIntervalTimerInMs` and
//! `eviction-interval-timer-in-ms` are one key. A `*` in a key stands for a name (of a zone, region, metadata key). Source of
//! names and defaults: `Netflix/eureka` (`DefaultEurekaServerConfig`, `DefaultEurekaClientConfig`, `PropertiesInstanceConfig`)
//! and `spring-cloud/spring-cloud-netflix` (`EurekaServerConfigBean`, `EurekaClientConfigBean`, `EurekaInstanceConfigBean`).
//!
//! Some keys change nothing that anybody could observe, here or in the original: they are accepted, checked, and their reason is
//! in the table. Addresses and names are resolved by the plan and stand in [`super::node`].

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// How old the first task of a batch must be before it is replicated: 500 ms (hard-coded in Netflix/eureka:
/// `PeerEurekaNode.MAX_BATCHING_DELAY_MS`). Heartbeats at shorter intervals overtake their replication.
pub const MAX_BATCHING_DELAY: Duration = Duration::from_millis(500);

/// Which product's defaults and start-up sequence apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Profile {
    /// Netflix Eureka as a web application.
    Netflix,
    /// Spring Cloud Netflix.
    SpringCloud,
}

/// What a setting's text may look like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// `true` or `false`, or another word that Spring takes for one of them.
    Flag,
    /// A share, closed range.
    Share(f64, f64),
    /// A whole number, closed range.
    Count(u32, u32),
    /// A whole number that may be negative, closed range.
    Number(i32, i32),
    /// Any text; empty is unset.
    Text,
    /// Names, separated by commas.
    List,
    /// Texts by name: one key for each, or `name;text` separated by commas.
    Pairs,
    /// A time; a bare number is milliseconds, as the key's name says. Range in ms, closed.
    Millis(u64, u64),
    /// A time in whole seconds, as the product keeps it; a bare number is seconds. Range in seconds, closed.
    Seconds(u64, u64),
    /// As `Seconds`, but the number may be 0 or negative.
    AnySeconds(i32, i32),
    /// A time; a bare number is milliseconds in Netflix's spelling and seconds in Spring's. Range in seconds, closed.
    Poll(u64, u64),
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Flag => write!(f, "true or false"),
            Kind::Share(low, high) => write!(f, "a number from {low} to {high}"),
            Kind::Count(low, high) => write!(f, "a whole number from {low} to {high}"),
            Kind::Number(low, high) => write!(f, "a whole number from {low} to {high}"),
            Kind::Text => write!(f, "a text"),
            Kind::List => write!(f, "names separated by commas"),
            Kind::Pairs => write!(f, "a text for each name"),
            Kind::Millis(low, high) => {
                write!(f, "a time from {} to {}, such as 30s or 30000", round(*low), round(*high))
            }
            Kind::Seconds(low, high) => {
                let (low, high) = (round(low * 1000), round(high * 1000));
                write!(f, "a whole number of seconds from {low} to {high}, such as 30s or 30")
            }
            Kind::AnySeconds(low, high) => {
                write!(f, "a whole number of seconds from {low} to {high}, such as 30s or 30")
            }
            Kind::Poll(low, high) => {
                write!(f, "a time from {} to {}, such as 30s", round(low * 1000), round(high * 1000))
            }
        }
    }
}

/// Milliseconds in the largest unit that divides them.
fn round(ms: u64) -> String {
    let units = [("d", DAY_MS), ("h", 3_600_000), ("m", 60_000), ("s", 1000)];
    let unit = units.into_iter().find(|(_, worth)| ms > 0 && ms.is_multiple_of(*worth));
    let (name, worth) = unit.unwrap_or(("ms", 1));
    format!("{} {name}", ms / worth)
}

/// When a change at run time counts. Known from the sources of both products: where a value is read again, or handed to a timer, an
/// executor, a cache or a connection pool that is built once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnChange {
    /// The next time that it is needed.
    NextUse,
    /// Then.
    Later(&'static str),
    /// Then, for a part of what it does: whoever changes it should know.
    Partly(&'static str),
    /// Never, for this reason: it is looked at only when a process starts.
    Never(&'static str),
}

impl fmt::Display for OnChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OnChange::NextUse => write!(f, "next use"),
            OnChange::Later(when) | OnChange::Partly(when) => write!(f, "{when}"),
            OnChange::Never(why) => write!(f, "start only: {why}"),
        }
    }
}

/// Of a row of a table: what it says, or else what holds for the whole table.
const fn said(change: &[OnChange]) -> OnChange {
    change[change.len() - 1]
}

// What holds of several keys.
const A_TIMER: OnChange = OnChange::Never("its timer keeps the interval that it was started with");
const A_CACHE: OnChange = OnChange::Never("the cache is built when the server starts");
const A_POOL: OnChange = OnChange::Never("connection pools are built when the process starts");
const A_REGION: OnChange = OnChange::Never("what fetches other regions is built when the server starts");
const A_COUNT: OnChange = OnChange::Never("the registry is given it when it is built");
const A_RESOLVER: OnChange = OnChange::Never("what finds servers is built with the client");
const CONSTRUCTION: OnChange = OnChange::Never("it is read once, when the client is built");
const INSTANCE: OnChange = OnChange::Never("the instance is made once, before the client");
const NAMES: OnChange = OnChange::Never(
    "names of hosts stand when the scenario is read; upstream the replicator's next run takes it",
);
const VERSION: OnChange = OnChange::Never("a process has one version");
const SYNCING: OnChange = OnChange::Later("next attempt, while the server starts");
const NEW_PEERS: OnChange = OnChange::Later("peers that come into the list later");
const RESOLUTION: OnChange = OnChange::Later("next resolution of servers");
/// Differs from upstream: [`super::client::Client::reconfigure`] says how.
const NEXT_RUN: OnChange = OnChange::Later("next run (upstream: of a new client)");
/// The same.
const NEXT_CALL: OnChange = OnChange::Later("next use (upstream: of a new client)");

/// One setting, for those who read files and write documentation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Key {
    /// In Netflix spelling, without the prefix `eureka.`.
    pub netflix: &'static str,
    /// In Spring's spelling, without the prefix `eureka.server.`, `eureka.client.` or `eureka.instance.`; empty if Spring has none.
    pub spring: &'static str,
    /// What its text may look like.
    pub kind: Kind,
    /// Default in the profiles Netflix and Spring Cloud.
    pub defaults: (&'static str, &'static str),
    /// When a change at run time counts.
    pub on_change: OnChange,
    /// Why it changes nothing, if it does not.
    pub inert: Option<&'static str>,
    /// What it sets, in Markdown.
    pub about: &'static str,
}

/// How a setting was found: the key, and what stood at its `*`.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The key.
    pub key: &'static Key,
    /// The name in place of `*`, as written.
    pub name: Option<String>,
    /// In Netflix's spelling.
    pub netflix: bool,
}

impl Found {
    /// Whether both mean one setting, of one name.
    pub fn same_as(&self, other: &Found) -> bool {
        self.key == other.key && self.name == other.name
    }
}

impl Key {
    /// Whether this is the key that is written.
    pub fn matches(&'static self, written: &str) -> Option<Found> {
        let try_spelling =
            |pattern: &str, netflix| name_in(pattern, written).map(|name| Found { key: self, name, netflix });
        let netflix = (!self.netflix.is_empty()).then(|| try_spelling(self.netflix, true)).flatten();
        let spring = || (!self.spring.is_empty()).then(|| try_spelling(self.spring, false)).flatten();
        let earlier = || {
            let mut names = EARLIER.iter().filter(|(_, now)| *now == self.spring);
            names.find_map(|(name, _)| try_spelling(name, false))
        };
        netflix.or_else(spring).or_else(earlier)
    }

    /// Whether a product has this key.
    pub fn is_of(&self, profile: Profile) -> bool {
        match profile {
            Profile::Netflix => !self.netflix.is_empty(),
            Profile::SpringCloud => !self.spring.is_empty(),
        }
    }

    /// The spelling to be shown in messages.
    pub fn shown(&self) -> &'static str {
        if self.spring.is_empty() { self.netflix } else { self.spring }
    }
}

/// Names that Spring's keys had in earlier releases, each with the name of today.
const EARLIER: &[(&str, &str)] = &[
    ("expected-number-of-renews-per-min", "expected-number-of-clients-sending-renews"),
    ("rest-template-timeout.connect-timeout", "timeout.connect-timeout"),
    ("rest-template-timeout.socket-timeout", "timeout.socket-timeout"),
    ("rest-template-timeout.connect-request-timeout", "timeout.connect-request-timeout"),
    ("restclient.timeout.connect-timeout", "timeout.connect-timeout"),
    ("restclient.timeout.socket-timeout", "timeout.socket-timeout"),
    ("restclient.timeout.connect-request-timeout", "timeout.connect-request-timeout"),
];

/// Whether a key fits a pattern, and what stands at the pattern's `*`. Only a key without `*` may have its points in other places.
fn name_in(pattern: &str, written: &str) -> Option<Option<String>> {
    let Some((before, after)) = pattern.split_once('*') else {
        return (relaxed(pattern) == relaxed(written)).then_some(None);
    };
    let segments: Vec<&str> = written.split('.').collect();
    let (first, last) = (before.matches('.').count(), after.matches('.').count());
    let end = segments.len().checked_sub(last).filter(|end| first < *end)?;
    let fits = relaxed(before) == relaxed(&segments[..first].concat())
        && relaxed(after) == relaxed(&segments[end..].concat());
    fits.then(|| Some(segments[first..end].join(".")))
}

/// Why a setting was refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SettingError {
    /// There is no such key.
    #[error("unknown setting: `{0}`")]
    UnknownKey(String),
    /// The key exists, but not with such a value.
    #[error("`{key}` must be {kind}, not `{value}`")]
    BadValue { key: &'static str, kind: Kind, value: String },
}

/// A key without what relaxed binding ignores.
pub fn relaxed(key: &str) -> String {
    key.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect()
}

trait Setting: Sized {
    /// The value of a text. `found` tells the spelling, and the name for which the text is meant.
    fn parse(kind: Kind, text: &str, found: &Found) -> Option<Self>;

    /// Adds `new` to what was there before: replaces it, but for texts by name.
    fn merge(&mut self, new: Self) {
        *self = new;
    }
}

impl Setting for bool {
    /// The words of Spring's `StringToBooleanConverter`.
    fn parse(_: Kind, text: &str, _: &Found) -> Option<bool> {
        match text.to_ascii_lowercase().as_str() {
            "true" | "on" | "yes" | "1" => Some(true),
            "false" | "off" | "no" | "0" => Some(false),
            _ => None,
        }
    }
}

impl Setting for f64 {
    fn parse(kind: Kind, text: &str, _: &Found) -> Option<f64> {
        let Kind::Share(low, high) = kind else { return None };
        let value = match text.strip_suffix('%') {
            Some(percent) => percent.trim().parse::<f64>().ok()? / 100.0,
            None => text.parse().ok()?,
        };
        (low..=high).contains(&value).then_some(value)
    }
}

impl Setting for u32 {
    fn parse(kind: Kind, text: &str, _: &Found) -> Option<u32> {
        let Kind::Count(low, high) = kind else { return None };
        text.parse().ok().filter(|value| (low..=high).contains(value))
    }
}

impl Setting for i32 {
    fn parse(kind: Kind, text: &str, _: &Found) -> Option<i32> {
        let (low, high, value) = match kind {
            Kind::Number(low, high) => (low, high, text.parse().ok()?),
            Kind::AnySeconds(low, high) => {
                let (negative, size) = text.strip_prefix('-').map_or((false, text), |size| (true, size));
                let millis = millis_of(size, 1000).filter(|millis| millis.is_multiple_of(1000))?;
                let seconds = i32::try_from(millis / 1000).ok()?;
                (low, high, if negative { -seconds } else { seconds })
            }
            _ => return None,
        };
        (low..=high).contains(&value).then_some(value)
    }
}

/// A text; empty is unset.
pub type Text = Arc<str>;

impl ServerConfig {
    /// Default of `registry_sync_retries` where the server registers itself: 5 in both products
    /// (spring-cloud/spring-cloud-netflix: `EurekaServerAutoConfiguration`, before settings are bound).
    pub const SYNC_RETRIES_OF_REGISTERING: u32 = 5;
}

impl Setting for Text {
    fn parse(_: Kind, text: &str, _: &Found) -> Option<Text> {
        Some(text.into())
    }
}

/// Names.
pub type Names = Arc<[Text]>;

impl Setting for Names {
    fn parse(_: Kind, text: &str, _: &Found) -> Option<Names> {
        let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
        Some(names.map(Text::from).collect())
    }
}

/// Texts by name, in the order written.
pub type Pairs = Arc<[(Text, Text)]>;

impl Setting for Pairs {
    fn parse(_: Kind, text: &str, found: &Found) -> Option<Pairs> {
        if let Some(name) = &found.name {
            return Some([(name.as_str().into(), text.into())].into());
        }
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let pair = |part: &str| {
            let (name, value) = part.split_once(';')?;
            Some((name.trim().into(), value.trim().into()))
        };
        parts.map(pair).collect()
    }

    fn merge(&mut self, new: Pairs) {
        let kept = self.iter().filter(|(name, _)| new.iter().all(|(other, _)| other != name));
        *self = kept.chain(new.iter()).cloned().collect();
    }
}

impl Setting for Duration {
    fn parse(kind: Kind, text: &str, found: &Found) -> Option<Duration> {
        let (bare_unit, low, high) = match kind {
            Kind::Millis(low, high) => (1, low, high),
            Kind::Seconds(low, high) => (1000, low.checked_mul(1000)?, high.checked_mul(1000)?),
            Kind::Poll(low, high) => {
                (if found.netflix { 1 } else { 1000 }, low.checked_mul(1000)?, high.checked_mul(1000)?)
            }
            Kind::Flag | Kind::Share(..) | Kind::Count(..) | Kind::Number(..) => return None,
            Kind::AnySeconds(..) | Kind::Text | Kind::List | Kind::Pairs => return None,
        };
        let millis = millis_of(text, bare_unit)?;
        // The product keeps an integer: half a second would be none.
        let whole = !matches!(kind, Kind::Seconds(..)) || millis.is_multiple_of(1000);
        (whole && (low..=high).contains(&millis)).then(|| Duration::from_millis(millis))
    }
}

/// A number with a unit, in milliseconds; without a unit it counts `bare_unit` of them.
fn millis_of(text: &str, bare_unit: u64) -> Option<u64> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..split].parse().ok()?;
    let unit = match text[split..].trim() {
        "" => bare_unit,
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    number.checked_mul(unit)
}

/// Whether a text is of a kind, for keys whose value nobody keeps.
fn is_of(kind: Kind, text: &str, found: &Found) -> bool {
    match kind {
        Kind::Flag => bool::parse(kind, text, found).is_some(),
        Kind::Share(..) => f64::parse(kind, text, found).is_some(),
        Kind::Count(..) => u32::parse(kind, text, found).is_some(),
        Kind::Number(..) | Kind::AnySeconds(..) => i32::parse(kind, text, found).is_some(),
        Kind::Millis(..) | Kind::Seconds(..) | Kind::Poll(..) => Duration::parse(kind, text, found).is_some(),
        Kind::Text | Kind::List => true,
        Kind::Pairs => Pairs::parse(kind, text, found).is_some(),
    }
}

macro_rules! settings {
    ($(#[$doc:meta])* $name:ident: $all:expr => { $(
        $(#[doc = $field_doc:literal])*
        $field:ident: $type:ty, $kind:expr, $netflix:literal = $netflix_default:literal, $spring:literal = $spring_default:literal $(, $change:expr)?;
    )* } inert { $(
        $inert_kind:expr, $inert_netflix:literal = $inert_netflix_default:literal, $inert_spring:literal = $inert_spring_default:literal, $why:literal;
    )* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name {
            $($(#[doc = $field_doc])* pub $field: $type,)*
        }

        impl $name {
            /// The settings that exist.
            pub const KEYS: &'static [Key] = &[$(Key {
                netflix: $netflix,
                spring: $spring,
                kind: $kind,
                defaults: ($netflix_default, $spring_default),
                on_change: said(&[$all $(, $change)?]),
                inert: None,
                about: concat!($($field_doc),*),
            },)* $(Key {
                netflix: $inert_netflix,
                spring: $inert_spring,
                kind: $inert_kind,
                defaults: ($inert_netflix_default, $inert_spring_default),
                on_change: OnChange::NextUse,
                inert: Some($why),
                about: "",
            },)*];

            /// The defaults of a profile.
            pub fn defaults(profile: Profile) -> $name {
                let mut index = 0;
                let mut found = || {
                    index += 1;
                    Found { key: &Self::KEYS[index - 1], name: None, netflix: profile == Profile::Netflix }
                };
                $name { $($field: {
                    let text = match profile { Profile::Netflix => $netflix_default, Profile::SpringCloud => $spring_default };
                    <$type as Setting>::parse($kind, text, &found()).expect("a test sets every default")
                },)* }
            }

            /// Sets one setting from its text, in either spelling.
            ///
            /// # Errors
            /// If there is no such key, or its value has the wrong type or lies outside the range.
            pub fn set(&mut self, key: &str, text: &str) -> Result<Found, SettingError> {
                let at = Self::KEYS.iter().enumerate().find_map(|(at, known)| Some((at, known.matches(key)?)));
                let (at, found) = at.ok_or_else(|| SettingError::UnknownKey(key.to_owned()))?;
                let (kind, text) = (found.key.kind, text.trim());
                let mut index = 0;
                $(
                    if at == index {
                        return match <$type as Setting>::parse(kind, text, &found) {
                            Some(value) => {
                                self.$field.merge(value);
                                Ok(found)
                            }
                            None => Err(SettingError::refused(&found, text)),
                        };
                    }
                    index += 1;
                )*
                assert!(at >= index, "only an inert key has no field: {key}");
                if is_of(kind, text, &found) { Ok(found) } else { Err(SettingError::refused(&found, text)) }
            }
        }
    };
}

impl SettingError {
    fn refused(found: &Found, text: &str) -> SettingError {
        SettingError::BadValue { key: found.key.shown(), kind: found.key.kind, value: text.to_owned() }
    }
}

const DAY_MS: u64 = 86_400_000;
const DAY_S: u64 = 86_400;

settings! {
    /// Settings of a server (`eureka.` in Netflix files, `eureka.server.` in Spring's).
    ServerConfig: OnChange::NextUse => {
        /// Keep leases from expiring while renewals are not above the threshold.
        enable_self_preservation: bool, Kind::Flag, "enableSelfPreservation" = "true", "enable-self-preservation" = "true";
        /// Share of the expected renewals that must be exceeded; also 1 minus the share that one eviction run may evict.
        renewal_percent_threshold: f64, Kind::Share(0.0, 1.0), "renewalPercentThreshold" = "0.85", "renewal-percent-threshold" = "0.85";
        /// How often the expected number of clients is counted again.
        renewal_threshold_update_interval: Duration, Kind::Millis(1, DAY_MS), "renewalThresholdUpdateIntervalMs" = "900000", "renewal-threshold-update-interval-ms" = "900000", A_TIMER;
        /// Renewal interval in seconds that is assumed of every client. Netflix takes 0 and less as 30; Spring computes with it.
        expected_client_renewal_interval: i32, Kind::AnySeconds(-86_400, 86_400), "expectedClientRenewalIntervalSeconds" = "30", "expected-client-renewal-interval-seconds" = "30";
        /// How often leases are looked through.
        eviction_interval: Duration, Kind::Millis(1, DAY_MS), "evictionIntervalTimerInMs" = "60000", "eviction-interval-timer-in-ms" = "60000", OnChange::Partly("next pass, for what counts as late; the timer keeps its interval");
        /// How long reads are refused after a start that copied nothing.
        wait_time_when_sync_empty: Duration, Kind::Millis(0, DAY_MS), "waitTimeInMsWhenSyncEmpty" = "300000", "wait-time-in-ms-when-sync-empty" = "300000";
        /// Attempts to copy the registry at start-up. Spring: 5, unless written, when the server registers itself.
        registry_sync_retries: u32, Kind::Count(0, 1000), "numberRegistrySyncRetries" = "5", "registry-sync-retries" = "0", SYNCING;
        /// Time between these attempts.
        registry_sync_retry_wait: Duration, Kind::Millis(1, DAY_MS), "registrySyncRetryWaitMs" = "30000", "registry-sync-retry-wait-ms" = "30000", SYNCING;
        /// How often the list of peers is resolved again.
        peer_nodes_update_interval: Duration, Kind::Millis(1, DAY_MS), "peerEurekaNodesUpdateIntervalMs" = "600000", "peer-eureka-nodes-update-interval-ms" = "600000", A_TIMER;
        /// Connect timeout towards peers.
        peer_connect_timeout: Duration, Kind::Millis(1, DAY_MS), "peerNodeConnectTimeoutMs" = "1000", "peer-node-connect-timeout-ms" = "200", NEW_PEERS;
        /// Read timeout towards peers.
        peer_read_timeout: Duration, Kind::Millis(1, DAY_MS), "peerNodeReadTimeoutMs" = "5000", "peer-node-read-timeout-ms" = "200", NEW_PEERS;
        /// Idle connections to peers are closed after this time.
        peer_connection_idle_timeout: Duration, Kind::Seconds(1, DAY_S), "peerNodeConnectionIdleTimeoutSeconds" = "30", "peer-node-connection-idle-timeout-seconds" = "30", A_POOL;
        /// Connections to one peer.
        peer_connections_per_host: u32, Kind::Count(1, 100_000), "peerNodeTotalConnectionsPerHost" = "500", "peer-node-total-connections-per-host" = "500", A_POOL;
        /// Replication tasks that may wait per peer.
        max_elements_in_peer_replication_pool: u32, Kind::Count(1, 10_000_000), "maxElementsInPeerReplicationPool" = "10000", "max-elements-in-peer-replication-pool" = "10000", NEW_PEERS;
        /// Batches that may be under way per peer.
        max_threads_for_peer_replication: u32, Kind::Count(1, 1000), "maxThreadsForPeerReplication" = "20", "max-threads-for-peer-replication" = "20", NEW_PEERS;
        /// Life of cancel and status tasks in the replication buffer.
        max_time_for_replication: Duration, Kind::Millis(1, DAY_MS), "maxTimeForReplication" = "30000", "max-time-for-replication" = "30000", NEW_PEERS;
        /// Compare `lastDirtyTimestamp` on heartbeats and repair.
        sync_when_timestamp_differs: bool, Kind::Flag, "syncWhenTimestampDiffers" = "true", "sync-when-timestamp-differs" = "true";
        /// How long a change stays in the delta.
        retention_time_in_delta_queue: Duration, Kind::Millis(0, DAY_MS), "retentionTimeInMSInDeltaQueue" = "180000", "retention-time-in-m-s-in-delta-queue" = "180000";
        /// How often old changes are dropped from the delta.
        delta_retention_timer_interval: Duration, Kind::Millis(1, DAY_MS), "deltaRetentionTimerIntervalInMs" = "30000", "delta-retention-timer-interval-in-ms" = "30000", A_TIMER;
        /// Answer no deltas.
        disable_delta: bool, Kind::Flag, "disableDelta" = "false", "disable-delta" = "false";
        /// Serve reads from the second cache level, which lags.
        use_read_only_response_cache: bool, Kind::Flag, "shouldUseReadOnlyResponseCache" = "true", "use-read-only-response-cache" = "true", A_CACHE;
        /// How often the second level is filled.
        response_cache_update_interval: Duration, Kind::Millis(1, DAY_MS), "responseCacheUpdateIntervalMs" = "30000", "response-cache-update-interval-ms" = "30000", A_TIMER;
        /// How long an entry of the first level lives.
        response_cache_auto_expiration: Duration, Kind::Seconds(1, DAY_S), "responseCacheAutoExpirationInSeconds" = "180", "response-cache-auto-expiration-in-seconds" = "180", A_CACHE;
        /// Spring: clients expected before the server has opened for traffic. Earlier `expected-number-of-renews-per-min`.
        expected_number_of_clients_sending_renews: u32, Kind::Count(0, 10_000_000), "expectedNumberOfClientsSendingRenews" = "0", "expected-number-of-clients-sending-renews" = "1", A_COUNT;
        /// Spring: replaces a count of 0 when the server opens for traffic; 0 keeps Netflix's behaviour.
        default_open_for_traffic_count: u32, Kind::Count(0, 10_000_000), "defaultOpenForTrafficCount" = "0", "default-open-for-traffic-count" = "1", A_COUNT;
        /// This server's own URL: if set, a peer URL is the server itself if it is equal to it, to the letter. Spring ends peer URLs with a slash; servers listed by name, or in DNS, count as `http://host:port/eureka/`.
        my_url: Text, Kind::Text, "myUrl" = "", "my-url" = "";
        /// Connections to all peers together; each peer has a pool of its own.
        peer_connections_total: u32, Kind::Count(1, 1_000_000), "peerNodeTotalConnections" = "1000", "peer-node-total-connections" = "1000", A_POOL;
        /// Tasks about groups that may wait per peer.
        max_elements_in_status_replication_pool: u32, Kind::Count(1, 10_000_000), "maxElementsInStatusReplicationPool" = "10000", "max-elements-in-status-replication-pool" = "10000", NEW_PEERS;
        /// Requests about groups that may be under way per peer.
        max_threads_for_status_replication: u32, Kind::Count(1, 1000), "maxThreadsForStatusReplication" = "1", "max-threads-for-status-replication" = "1", NEW_PEERS;
        /// Replicas that must be available for the status document to call the server healthy; below 0 it says nothing.
        min_available_instances_for_peer_replication: i32, Kind::Number(-1, 1_000_000), "minAvailableInstancesForPeerReplication" = "-1", "min-available-instances-for-peer-replication" = "-1";
        /// Refuse reads (503) beyond the rates below.
        rate_limiter_enabled: bool, Kind::Flag, "rateLimiter.enabled" = "false", "rate-limiter-enabled" = "false";
        /// Limit Eureka's own clients and servers, too.
        rate_limiter_throttle_standard_clients: bool, Kind::Flag, "rateLimiter.throttleStandardClients" = "false", "rate-limiter-throttle-standard-clients" = "false";
        /// Names (`DiscoveryIdentity-Name`) that are not limited.
        rate_limiter_privileged_clients: Names, Kind::List, "rateLimiter.privilegedClients" = "", "rate-limiter-privileged-clients" = "";
        /// Reads that may come at once; 0 is no limit.
        rate_limiter_burst_size: u32, Kind::Count(0, 1_000_000), "rateLimiter.burstSize" = "10", "rate-limiter-burst-size" = "10";
        /// Reads per second: full, delta and single application together; 0 is no limit.
        rate_limiter_registry_fetch_average_rate: u32, Kind::Count(0, 1_000_000), "rateLimiter.registryFetchAverageRate" = "500", "rate-limiter-registry-fetch-average-rate" = "500";
        /// Full reads per second; 0 is no limit.
        rate_limiter_full_fetch_average_rate: u32, Kind::Count(0, 1_000_000), "rateLimiter.fullFetchAverageRate" = "100", "rate-limiter-full-fetch-average-rate" = "100";
        /// Other regions, each with the URL of its registry.
        remote_region_urls: Pairs, Kind::Pairs, "remoteRegionUrlsWithName" = "", "remote-region-urls-with-name.*" = "", A_REGION;
        /// Connect timeout towards other regions.
        remote_region_connect_timeout: Duration, Kind::Millis(1, DAY_MS), "remoteRegionConnectTimeoutMs" = "2000", "remote-region-connect-timeout-ms" = "1000", A_REGION;
        /// Read timeout towards other regions.
        remote_region_read_timeout: Duration, Kind::Millis(1, DAY_MS), "remoteRegionReadTimeoutMs" = "5000", "remote-region-read-timeout-ms" = "1000", A_REGION;
        /// Connections to all other regions together.
        remote_region_connections_total: u32, Kind::Count(1, 1_000_000), "remoteRegionTotalConnections" = "1000", "remote-region-total-connections" = "1000", A_POOL;
        /// Connections to one server of another region.
        remote_region_connections_per_host: u32, Kind::Count(1, 100_000), "remoteRegionTotalConnectionsPerHost" = "500", "remote-region-total-connections-per-host" = "500", A_POOL;
        /// Idle connections to other regions are closed after this time.
        remote_region_connection_idle_timeout: Duration, Kind::Seconds(1, DAY_S), "remoteRegionConnectionIdleTimeoutSeconds" = "30", "remote-region-connection-idle-timeout-seconds" = "30", A_POOL;
        /// How often other regions are fetched.
        remote_region_fetch_interval: Duration, Kind::Seconds(1, DAY_S), "remoteRegion.registryFetchIntervalInSeconds" = "30", "remote-region-registry-fetch-interval" = "30", A_REGION;
        /// Threads for fetching one other region.
        remote_region_fetch_threads: u32, Kind::Count(1, 1000), "remoteRegion.fetchThreadPoolSize" = "20", "remote-region-fetch-thread-pool-size" = "20", A_REGION;
        /// Never ask other regions for deltas.
        disable_delta_for_remote_regions: bool, Kind::Flag, "disableDeltaForRemoteRegions" = "false", "disable-delta-for-remote-regions" = "false";
        /// Do not answer from other regions for what is missing here.
        disable_transparent_fallback: bool, Kind::Flag, "remoteRegion.disable.transparent.fallback" = "false", "disable-transparent-fallback-to-other-region" = "false";
        /// Applications of a region (or `global`) that may be shown; without an entry, all.
        remote_region_app_white_list: Pairs, Kind::Pairs, "remoteRegion.*.appWhiteList" = "", "remote-region-app-whitelist.*" = "";
        /// In AWS: send a heartbeat to each peer that the registry knows before opening for traffic, and wait until each is answered.
        prime_aws_replica_connections: bool, Kind::Flag, "primeAwsReplicaConnections" = "true", "prime-aws-replica-connections" = "true", OnChange::Never("it is read once, when the server opens");
        /// In AWS: let a disabled autoscaling group take its instances out of service.
        use_aws_asg_api: bool, Kind::Flag, "shouldUseAwsAsgApi" = "true", "use-aws-asg-api" = "true";
        /// How often the state of groups is asked for again.
        asg_update_interval: Duration, Kind::Millis(1, DAY_MS), "asgUpdateIntervalMs" = "300000", "asg-update-interval-ms" = "300000", A_TIMER;
        /// A group's state that nobody looks at is forgotten after this time.
        asg_cache_expiry: Duration, Kind::Millis(1, DAY_MS), "asgCacheExpiryTimeoutMs" = "600000", "asg-cache-expiry-timeout-ms" = "600000", A_CACHE;
        /// Refuse (400) a registration from AWS that has no `instance-id`, instead of giving it one.
        validate_data_center_id: bool, Kind::Flag, "experimental.registration.validation.dataCenterInfoId" = "false", "experimental.registration.validation.data-center-info-id" = "false";
        /// Send the newer copy along with a 409.
        conflict_entity: bool, Kind::Flag, "experimental.bugfix.934" = "true", "experimental.bugfix.934" = "true";
    } inert {
        Kind::Millis(1, DAY_MS), "peerEurekaStatusRefreshTimeIntervalMs" = "30000", "peer-eureka-status-refresh-time-interval-ms" = "30000", "nothing reads it upstream";
        Kind::Count(0, 1000), "numberOfReplicationRetries" = "5", "number-of-replication-retries" = "5", "nothing reads it upstream: only expiry ends retries";
        Kind::Flag, "shouldBatchReplication" = "false", "batch-replication" = "false", "nothing reads it upstream: instance actions always go in batches";
        Kind::Count(1, 1000), "minThreadsForPeerReplication" = "5", "min-threads-for-peer-replication" = "5", "nothing reads it upstream";
        Kind::Count(1, 1000), "minThreadsForStatusReplication" = "1", "min-threads-for-status-replication" = "1", "nothing reads it upstream";
        Kind::Count(1, 1000), "maxIdleThreadInMinutesAgeForPeerReplication" = "15", "max-idle-thread-age-in-minutes-for-peer-replication" = "15", "nothing reads it upstream";
        Kind::Count(1, 1000), "maxIdleThreadAgeInMinutesForStatusReplication" = "10", "max-idle-thread-in-minutes-age-for-status-replication" = "10", "nothing reads it upstream";
        Kind::Flag, "enableReplicatedRequestCompression" = "false", "enable-replicated-request-compression" = "false", "sizes on the wire are estimates without compression";
        Kind::Count(1, 10_000_000), "initialCapacityOfResponseCache" = "1000", "initial-capacity-of-response-cache" = "1000", "the cache has no size limit";
        Kind::List, "remoteRegionUrls" = "", "remote-region-urls" = "", "superseded by the URLs with a name";
        Kind::Flag, "remoteRegion.gzipContent" = "true", "g-zip-content-from-remote-region" = "true", "sizes on the wire are estimates without compression";
        Kind::Millis(1, DAY_MS), "asgQueryTimeoutMs" = "300", "asg-query-timeout-ms" = "300", "queries of AWS are answered in the background";
        Kind::Flag, "auth.shouldLogIdentityHeaders" = "true", "log-identity-headers" = "true", "it counts requests by sender in a log";
        Kind::Text, "jsonCodecName" = "", "json-codec-name" = "", "encodings are those of the default codec";
        Kind::Text, "xmlCodecName" = "", "xml-codec-name" = "", "encodings are those of the default codec";
        Kind::Flag, "experimental.transport.enabled" = "false", "experimental.transport.enabled" = "false", "other regions are always fetched as Eureka 2.x does";
        Kind::Text, "remoteRegion.trustStoreFileName" = "", "remote-region-trust-store" = "", "connections are not encrypted";
        Kind::Text, "remoteRegion.trustStorePassword" = "changeit", "remote-region-trust-store-password" = "changeit", "connections are not encrypted";
        Kind::Text, "listAutoScalingGroupsRoleName" = "ListAutoScalingGroups", "list-auto-scaling-groups-role-name" = "ListAutoScalingGroups", "AWS grants every query";
        Kind::Text, "awsBindingStrategy" = "EIP", "binding-strategy" = "eip", "servers have their addresses from the scenario";
        Kind::Flag, "" = "false", "metrics.enabled" = "false", "the metrics of a run have their own place";
        Kind::Text, "datacenter" = "", "" = "", "`cloud` in the scenario says whether everything runs in AWS";
        Kind::Text, "environment" = "", "" = "", "it names the deployment in logs and pages";
    }
}

impl ServerConfig {
    /// Puts Netflix's default in place of what its configuration does not take (`DefaultEurekaServerConfig`); Spring's takes all.
    pub fn guard(&mut self, profile: Profile) {
        if profile == Profile::Netflix && self.expected_client_renewal_interval <= 0 {
            self.expected_client_renewal_interval =
                ServerConfig::defaults(profile).expected_client_renewal_interval;
        }
    }
}

settings! {
    /// Settings of a client (`eureka.` in Netflix files, `eureka.client.` in Spring's).
    ClientConfig: OnChange::NextUse => {
        /// Register this instance.
        register_with_eureka: bool, Kind::Flag, "registration.enabled" = "true", "register-with-eureka" = "true", CONSTRUCTION;
        /// Keep a copy of the registry.
        fetch_registry: bool, Kind::Flag, "shouldFetchRegistry" = "true", "fetch-registry" = "true", CONSTRUCTION;
        /// How often the copy is refreshed.
        registry_fetch_interval: Duration, Kind::Seconds(1, DAY_S), "client.refresh.interval" = "30", "registry-fetch-interval-seconds" = "30", NEXT_RUN;
        /// How often changes of this instance are sent.
        instance_info_replication_interval: Duration, Kind::Seconds(1, DAY_S), "appinfo.replicate.interval" = "30", "instance-info-replication-interval-seconds" = "30", NEXT_RUN;
        /// Delay of the first such run.
        initial_instance_info_replication_interval: Duration, Kind::Seconds(0, DAY_S), "appinfo.initial.replicate.time" = "40", "initial-instance-info-replication-interval-seconds" = "40", CONSTRUCTION;
        /// How often the server list is resolved, and shuffled, again.
        service_url_poll_interval: Duration, Kind::Poll(1, DAY_S), "serviceUrlPollIntervalMs" = "300000", "eureka-service-url-poll-interval-seconds" = "300", NEXT_RUN;
        /// Threads for heartbeats.
        heartbeat_threads: u32, Kind::Count(1, 1000), "client.heartbeat.threadPoolSize" = "5", "heartbeat-executor-thread-pool-size" = "2", NEXT_RUN;
        /// How far a timed-out heartbeat may stretch the interval.
        heartbeat_back_off_bound: u32, Kind::Count(1, 1000), "client.heartbeat.exponentialBackOffBound" = "10", "heartbeat-executor-exponential-back-off-bound" = "10", NEXT_RUN;
        /// Threads for refreshing the copy.
        cache_refresh_threads: u32, Kind::Count(1, 1000), "client.cacheRefresh.threadPoolSize" = "5", "cache-refresh-executor-thread-pool-size" = "2", NEXT_RUN;
        /// How far a timed-out refresh may stretch the interval.
        cache_refresh_back_off_bound: u32, Kind::Count(1, 1000), "client.cacheRefresh.exponentialBackOffBound" = "10", "cache-refresh-executor-exponential-back-off-bound" = "10", NEXT_RUN;
        /// Connect timeout towards servers.
        connect_timeout: Duration, Kind::Seconds(1, DAY_S), "eurekaServer.connectTimeout" = "5", "eureka-server-connect-timeout-seconds" = "5", NEXT_CALL;
        /// Read timeout towards servers.
        read_timeout: Duration, Kind::Seconds(1, DAY_S), "eurekaServer.readTimeout" = "8", "eureka-server-read-timeout-seconds" = "8", NEXT_CALL;
        /// Idle connections to servers are closed after this time.
        connection_idle_timeout: Duration, Kind::Seconds(1, DAY_S), "eurekaserver.connectionIdleTimeoutInSeconds" = "45", "eureka-connection-idle-timeout-seconds" = "30", A_POOL;
        /// Connections to one server.
        connections_per_host: u32, Kind::Count(1, 100_000), "eurekaServer.maxConnectionsPerHost" = "50", "eureka-server-total-connections-per-host" = "50", A_POOL;
        /// Start a server's own list of peers with its own zone.
        prefer_same_zone: bool, Kind::Flag, "preferSameZone" = "true", "prefer-same-zone-eureka" = "true", RESOLUTION;
        /// Never ask for deltas. In Netflix's files one key is both the server's and the client's.
        disable_delta: bool, Kind::Flag, "disableDelta" = "false", "disable-delta" = "false";
        /// Hide instances that are not UP from look-ups.
        filter_only_up_instances: bool, Kind::Flag, "shouldFilterOnlyUpInstances" = "true", "filter-only-up-instances" = "true";
        /// Deregister on a graceful shutdown.
        unregister_on_shutdown: bool, Kind::Flag, "shouldUnregisterOnShutdown" = "true", "should-unregister-on-shutdown" = "true";
        /// Send a change of the local status at once.
        on_demand_update_status_change: bool, Kind::Flag, "shouldOnDemandUpdateStatusChange" = "true", "on-demand-update-status-change" = "true", NEXT_CALL;
        /// How long one server is kept before the list is walked from its head again (half to one and a half of it).
        session_reconnect_interval: Duration, Kind::Seconds(1, DAY_S), "transport.sessionedClientReconnectIntervalSeconds" = "1200", "transport.sessioned-client-reconnect-interval-seconds" = "1200", NEXT_CALL;
        /// Share of the list that must be quarantined for the quarantine to be cleared.
        quarantine_refresh_percentage: f64, Kind::Share(0.0, 1.0), "transport.retryableClientQuarantineRefreshPercentage" = "0.66", "transport.retryable-client-quarantine-refresh-percentage" = "0.66";
        /// The region that the client is in.
        region: Text, Kind::Text, "region" = "us-east-1", "region" = "us-east-1", OnChange::Partly("next resolution of servers; which instances are of its own region stays");
        /// Zones of each region, its own first.
        availability_zones: Pairs, Kind::Pairs, "*.availabilityZones" = "", "availability-zones.*" = "", OnChange::Partly("next resolution of servers; which zone is its own stays, but for a server's peers");
        /// Servers of each zone, separated by commas.
        service_urls: Pairs, Kind::Pairs, "serviceUrl.*" = "", "service-url.*" = "", RESOLUTION;
        /// Read zones and servers from DNS TXT records.
        use_dns: bool, Kind::Flag, "shouldUseDns" = "false", "use-dns-for-fetching-service-urls" = "false", RESOLUTION;
        /// Domain of these records: `txt.{region}.{domain}`.
        dns_name: Text, Kind::Text, "eurekaServer.domainName" = "", "eureka-server-d-n-s-name" = "", RESOLUTION;
        /// Port of the servers found so. Netflix: where it is unset, the instance's `port`.
        dns_port: Text, Kind::Text, "eurekaServer.port" = "", "eureka-server-port" = "", RESOLUTION;
        /// Connections to all servers together.
        connections_total: u32, Kind::Count(1, 1_000_000), "eurekaServer.maxTotalConnections" = "200", "eureka-server-total-connections" = "200", A_POOL;
        /// Spring, `RestClient` transport: time for connecting. Up to 4.3 below `restclient.timeout`, and `rest-template-timeout` (3.1: none).
        rest_connect_timeout: Duration, Kind::Millis(1, DAY_MS), "" = "180000", "timeout.connect-timeout" = "180000", NEXT_CALL;
        /// Spring, `RestClient` transport: time for the answer. Up to 4.3 below `restclient.timeout`, and `rest-template-timeout` (3.1: none).
        rest_socket_timeout: Duration, Kind::Millis(1, DAY_MS), "" = "180000", "timeout.socket-timeout" = "180000", NEXT_CALL;
        /// Fetch only the instances with this virtual address.
        single_vip: Text, Kind::Text, "registryRefreshSingleVipAddress" = "", "registry-refresh-single-vip-address" = "";
        /// Fetch these other regions, too.
        remote_regions: Names, Kind::List, "fetchRemoteRegionsRegistry" = "", "fetch-remote-regions-registry" = "", OnChange::Later("next refresh of the copy");
        /// Fail at construction if the first registration fails.
        enforce_registration_at_init: bool, Kind::Flag, "shouldEnforceRegistrationAtInit" = "false", "should-enforce-registration-at-init" = "false", CONSTRUCTION;
        /// Fail at construction if neither the first fetch nor the backup registry gives anything.
        enforce_fetch_at_init: bool, Kind::Flag, "shouldEnforceFetchRegistryAtInit" = "false", "should-enforce-fetch-registry-at-init" = "false", CONSTRUCTION;
        /// A registry to start with if the first fetch fails; the scenario says what is in it.
        backup_registry: Text, Kind::Text, "backupregistry" = "", "backup-registry-impl" = "", CONSTRUCTION;
        /// Compare every delta with a full fetch, whatever the hash says.
        log_delta_diff: bool, Kind::Flag, "printDeltaFullDiff" = "false", "log-delta-diff" = "false";
        /// `full` or `compact`: how much of each instance is asked for.
        data_accept: Text, Kind::Text, "clientDataAccept" = "full", "client-data-accept" = "full", NEXT_CALL;
        /// Take servers from the registry itself: `composite`, or nothing.
        bootstrap_resolver_strategy: Text, Kind::Text, "transport.bootstrapResolverStrategy" = "", "transport.bootstrap-resolver-strategy" = "", A_RESOLVER;
        /// Virtual address of the servers that are written to.
        write_cluster_vip: Text, Kind::Text, "transport.writeClusterVip" = "", "transport.write-cluster-vip" = "", A_RESOLVER;
        /// Virtual address of the servers that are read from.
        read_cluster_vip: Text, Kind::Text, "transport.readClusterVip" = "", "transport.read-cluster-vip" = "", A_RESOLVER;
        /// Ask for reads the servers that are written to.
        use_bootstrap_resolver_for_query: bool, Kind::Flag, "transport.useBootstrapResolverForQuery" = "true", "transport.bootstrap-resolver-for-query" = "true", A_RESOLVER;
        /// How often servers are taken from the registry again.
        async_resolver_refresh_interval: Duration, Kind::Millis(1, DAY_MS), "transport.asyncResolverRefreshIntervalMs" = "300000", "transport.async-resolver-refresh-interval-ms" = "300000", NEXT_RUN;
        /// How long the first request waits for them.
        async_resolver_warm_up_timeout: Duration, Kind::Millis(1, DAY_MS), "transport.asyncResolverWarmUpTimeoutMs" = "5000", "transport.async-resolver-warm-up-timeout-ms" = "5000", NEXT_CALL;
        /// A registry fetched longer ago than this names no servers.
        applications_resolver_staleness: Duration, Kind::Seconds(1, DAY_S), "transport.applicationsResolverDataStalenessThresholdSeconds" = "300", "transport.applications-resolver-data-staleness-threshold-seconds" = "300";
        /// Compare servers by address instead of host name.
        applications_resolver_use_ip: bool, Kind::Flag, "transport.applicationsResolverUseIp" = "false", "transport.applications-resolver-use-ip" = "false";
        /// Spring: let the application's health decide the status.
        health_check_enabled: bool, Kind::Flag, "" = "false", "healthcheck.enabled" = "false", CONSTRUCTION;
    } inert {
        Kind::Millis(1, DAY_MS), "" = "180000", "timeout.connect-request-timeout" = "180000", "five connections to a server are never exhausted by the threads that use them";
        Kind::Count(1, 1000), "transport.asyncExecutorThreadPoolSize" = "5", "transport.async-executor-thread-pool-size" = "5", "one resolution runs at a time";
        Kind::Flag, "eurekaServer.gzipContent" = "true", "g-zip-content" = "true", "sizes on the wire are estimates without compression";
        Kind::Flag, "allowRedirects" = "false", "allow-redirects" = "false", "it only adds a header for load balancers";
        Kind::Text, "eurekaServer.context" = "", "eureka-server-u-r-l-context" = "", "paths do not tell servers apart";
        Kind::Text, "dollarReplacement" = "_-", "dollar-replacement" = "_-", "only in XML";
        Kind::Text, "escapeCharReplacement" = "__", "escape-char-replacement" = "__", "only on the wire";
        Kind::Text, "encoderName" = "", "encoder-name" = "", "encodings are those of the default codec";
        Kind::Text, "decoderName" = "", "decoder-name" = "", "encodings are those of the default codec";
        Kind::Flag, "" = "true", "enabled" = "true", "the client runs all the same: leave a service out whose client is off";
        Kind::Flag, "" = "true", "refresh.enable" = "true", "settings of a running client are not refreshed by rebuilding it";
        Kind::Text, "eurekaServer.proxyHost" = "", "proxy-host" = "", "there are no proxies";
        Kind::Text, "eurekaServer.proxyPort" = "", "proxy-port" = "", "there are no proxies";
        Kind::Text, "eurekaServer.proxyUserName" = "", "proxy-user-name" = "", "there are no proxies";
        Kind::Text, "eurekaServer.proxyPassword" = "", "proxy-password" = "", "there are no proxies";
        Kind::Number(-1000, 1000), "" = "0", "order" = "0", "the order of discovery clients in one application";
        Kind::Flag, "" = "false", "webclient.enabled" = "false", "`transport` in the scenario says what sends requests";
        Kind::Flag, "" = "true", "restclient.enabled" = "true", "`transport` in the scenario says what sends requests";
        Kind::Flag, "" = "true", "jersey.enabled" = "true", "`transport` in the scenario says what sends requests";
        Kind::Pairs, "" = "", "tls.*" = "", "connections are not encrypted";
    }
}

settings! {
    /// Settings of an instance (`eureka.` in Netflix files, `eureka.instance.` in Spring's).
    InstanceConfig: INSTANCE => {
        /// How often the client renews its lease.
        lease_renewal_interval: Duration, Kind::Seconds(1, DAY_S), "lease.renewalInterval" = "30", "lease-renewal-interval-in-seconds" = "30", OnChange::Later("next run of the replicator; the heartbeat's next run (upstream: of a new client)");
        /// How long a lease lasts without renewal. The server doubles it for a lease that was renewed.
        lease_duration: Duration, Kind::Seconds(1, DAY_S), "lease.duration" = "90", "lease-expiration-duration-in-seconds" = "90", OnChange::Later("next run of the replicator");
        /// Ready for traffic from the first moment. Netflix: counts for a server's own instance; an application has said UP before anybody sees it.
        enabled_on_init: bool, Kind::Flag, "traffic.enabled" = "false", "instance-enabled-onit" = "false";
        /// Spring: the status that the application takes once it is ready.
        initial_status: Text, Kind::Text, "" = "UP", "initial-status" = "UP";
        /// Name of the application.
        app_name: Text, Kind::Text, "name" = "", "appname" = "";
        /// Group of applications that it belongs to.
        app_group: Text, Kind::Text, "appGroup" = "", "app-group-name" = "";
        /// Autoscaling group that it belongs to.
        asg_name: Text, Kind::Text, "asgName" = "", "a-s-g-name" = "";
        /// Id of the instance, where the product would make one up.
        instance_id: Text, Kind::Text, "instanceId" = "", "instance-id" = "";
        /// Host name, where it is not that of the host.
        host_name: Text, Kind::Text, "hostname" = "", "hostname" = "", NAMES;
        /// Address, where it is not that of the host.
        ip_address: Text, Kind::Text, "ipAddress" = "", "ip-address" = "", NAMES;
        /// Spring: give the address for a host name.
        prefer_ip_address: bool, Kind::Flag, "" = "false", "prefer-ip-address" = "false", NAMES;
        /// Port.
        port: Text, Kind::Text, "port" = "80", "non-secure-port" = "";
        /// Whether the port is open.
        port_enabled: bool, Kind::Flag, "port.enabled" = "true", "non-secure-port-enabled" = "true";
        /// Port for TLS. Spring: unset it is the server's own, once open, else 443.
        secure_port: Text, Kind::Text, "securePort" = "443", "secure-port" = "";
        /// Whether that port is open.
        secure_port_enabled: bool, Kind::Flag, "securePort.enabled" = "false", "secure-port-enabled" = "false";
        /// Virtual address, several separated by commas. Netflix: host and port; Spring: the application's name.
        vip_address: Text, Kind::Text, "vipAddress" = "", "virtual-host-name" = "";
        /// Virtual address for TLS.
        secure_vip_address: Text, Kind::Text, "secureVipAddress" = "", "secure-virtual-host-name" = "";
        /// Further facts.
        metadata: Pairs, Kind::Pairs, "metadata.*" = "", "metadata-map.*" = "";
        /// Path, or whole URL, of the health check.
        health_check_path: Text, Kind::Text, "healthCheckUrlPath" = "/healthcheck", "health-check-url-path" = "/actuator/health";
        /// Path of the status page.
        status_page_path: Text, Kind::Text, "statusPageUrlPath" = "/Status", "status-page-url-path" = "/actuator/info";
        /// Path of the home page.
        home_page_path: Text, Kind::Text, "homePageUrlPath" = "/", "home-page-url-path" = "/";
        /// Whole URL of the health check.
        health_check_url: Text, Kind::Text, "healthCheckUrl" = "", "health-check-url" = "";
        /// Whole URL of the health check over TLS.
        secure_health_check_url: Text, Kind::Text, "secureHealthCheckUrl" = "", "secure-health-check-url" = "";
        /// Whole URL of the status page.
        status_page_url: Text, Kind::Text, "statusPageUrl" = "", "status-page-url" = "";
        /// Whole URL of the home page.
        home_page_url: Text, Kind::Text, "homePageUrl" = "", "home-page-url" = "";
    } inert {
        Kind::Text, "" = "", "namespace" = "", "the prefix of keys in other files";
        Kind::Pairs, "" = "", "data-center-info.*" = "", "`cloud` in the scenario says whether everything runs in AWS";
        Kind::Text, "" = "/actuator", "actuator-prefix" = "/actuator", "the paths of the instance are made before it is read";
        Kind::Flag, "" = "false", "async-client-initialization" = "false", "how long an application takes to start is not simulated";
        Kind::List, "defaultAddressResolutionOrder" = "", "default-address-resolution-order" = "", "hosts have one name and one address";
    }
}

settings! {
    /// Behaviour of other versions of Eureka, and of models: `fixes:` in a scenario. The defaults are those of current releases.
    Fixes: VERSION => {
        /// A renewed lease lasts twice its duration (all versions).
        lease_double_duration: bool, Kind::Flag, "leaseDoubleDuration" = "true", "lease-double-duration" = "true";
        /// An eviction lowers the expected clients (since 1.9.17).
        decrement_on_eviction: bool, Kind::Flag, "decrementOnEviction" = "true", "decrement-on-eviction" = "true";
        /// A registration that is older than what is held changes nothing; else its content is taken with the newer version (since July 2016).
        conflict_keeps_content: bool, Kind::Flag, "conflictKeepsContent" = "true", "conflict-keeps-content" = "true";
        /// A delta is made of copies (since 1.9.6); else it shows what holds when it leaves.
        delta_copies: bool, Kind::Flag, "deltaCopies" = "true", "delta-copies" = "true";
        /// A stopping client waits for its replicator before it deregisters (since December 2017).
        wait_replicator_on_stop: bool, Kind::Flag, "waitReplicatorOnStop" = "true", "wait-replicator-on-stop" = "true";
        /// An I/O error without a message kills a replication worker (1.x and 2.0.0).
        worker_dies_on_null_message: bool, Kind::Flag, "workerDiesOnNullMessage" = "false", "worker-dies-on-null-message" = "false";
        /// A read timeout of a replication counts as congestion; else as a network failure.
        timeout_is_congestion: bool, Kind::Flag, "timeoutIsCongestion" = "true", "timeout-is-congestion" = "true";
        /// A client whose heartbeat is answered 404 takes a new version at once (since September 2017).
        eager_dirty_on_404: bool, Kind::Flag, "eagerDirtyOn404" = "true", "eager-dirty-on-404" = "true";
        /// A status override gives the instance a new version at the server (1.6).
        override_dirties_timestamp: bool, Kind::Flag, "overrideDirtiesTimestamp" = "false", "override-dirties-timestamp" = "false";
        /// A client removes an application that a delta has emptied (since July 2018).
        empty_apps_removed_on_delta: bool, Kind::Flag, "emptyAppsRemovedOnDelta" = "true", "empty-apps-removed-on-delta" = "true";
        /// A registration without an overridden status is taken as UNKNOWN; else, as with bean codecs, it fails half-way (500).
        override_defaults_to_unknown: bool, Kind::Flag, "overrideDefaultsToUnknown" = "true", "override-defaults-to-unknown" = "true";
        /// A registration without a version takes the receiver's clock for it; else, as with bean codecs, it has none, and another one over it, or it over another, fails (500).
        version_defaults_to_now: bool, Kind::Flag, "versionDefaultsToNow" = "true", "version-defaults-to-now" = "true";
        /// An instance without an overridden status can be written; else every list, answer and batch that it is in fails.
        encodes_missing_override: bool, Kind::Flag, "encodesMissingOverride" = "true", "encodes-missing-override" = "true";
        /// Clients try the servers of a zone in random order (since 1.10.14); else in the order written.
        shuffle_servers: bool, Kind::Flag, "shuffleServers" = "true", "shuffle-servers" = "true";
        /// Time between reading the status and reading the version when a client writes a registration. 0: at one moment.
        serialisation_gap: Duration, Kind::Millis(0, 60_000), "serialisationGap" = "0", "serialisation-gap" = "0";
        /// A heartbeat answered 404 with an error document is taken as a failure of the server (some Spring releases).
        strict_error_bodies: bool, Kind::Flag, "strictErrorBodies" = "true", "strict-error-bodies" = "true";
    } inert {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_parses_and_every_key_is_found_in_both_spellings() {
        for profile in [Profile::Netflix, Profile::SpringCloud] {
            let mut server = ServerConfig::defaults(profile);
            let mut client = ClientConfig::defaults(profile);
            let mut instance = InstanceConfig::defaults(profile);
            let mut fixes = Fixes::defaults(profile);
            let check =
                |keys: &'static [Key], set: &mut dyn FnMut(&str, &str) -> Result<Found, SettingError>| {
                    for key in keys {
                        for (spelling, default) in
                            [(key.netflix, key.defaults.0), (key.spring, key.defaults.1)]
                        {
                            if !spelling.is_empty() && !spelling.contains('*') {
                                assert_eq!(
                                    set(spelling, default).map(|found| found.key),
                                    Ok(key),
                                    "{spelling}"
                                );
                            }
                        }
                    }
                };
            check(ServerConfig::KEYS, &mut |key, text| server.set(key, text));
            check(ClientConfig::KEYS, &mut |key, text| client.set(key, text));
            check(InstanceConfig::KEYS, &mut |key, text| instance.set(key, text));
            check(Fixes::KEYS, &mut |key, text| fixes.set(key, text));
            if profile == Profile::SpringCloud {
                assert_eq!(server, ServerConfig::defaults(profile));
                assert_eq!(client, ClientConfig::defaults(profile));
                assert_eq!(fixes, Fixes::defaults(profile));
            }
        }
    }

    #[test]
    fn values_are_read_with_their_unit_and_checked_against_their_range() {
        let mut server = ServerConfig::defaults(Profile::Netflix);
        server.set("evictionIntervalTimerInMs", "1500").expect("bare milliseconds");
        assert_eq!(server.eviction_interval, Duration::from_millis(1500));
        server.set("eviction_interval_timer_in_ms", "2m").expect("with a unit, in another spelling");
        assert_eq!(server.eviction_interval, Duration::from_secs(120));
        server.set("renewal-percent-threshold", "49%").expect("per cent");
        assert_eq!(server.renewal_percent_threshold, 0.49);
        for (key, bad) in [
            ("eviction-interval-timer-in-ms", "0"),
            ("eviction-interval-timer-in-ms", "-5"),
            ("eviction-interval-timer-in-ms", "18446744073709551615h"),
            ("expected-client-renewal-interval-seconds", "500ms"),
            ("response-cache-auto-expiration-in-seconds", "1500ms"),
            ("renewal-percent-threshold", "1.2"),
            ("renewal-percent-threshold", "NaN"),
            ("enable-self-preservation", "maybe"),
        ] {
            assert!(matches!(server.set(key, bad), Err(SettingError::BadValue { .. })), "{key}: {bad}");
        }
        assert_eq!(server.set("evict", "1"), Err(SettingError::UnknownKey("evict".to_owned())));
    }

    /// Spring's converter takes these words; a key in seconds is an integer upstream.
    #[test]
    fn words_for_flags_whole_seconds_and_negative_seconds() {
        let mut server = ServerConfig::defaults(Profile::SpringCloud);
        for (word, value) in
            [("OFF", false), ("Yes", true), ("0", false), ("on", true), ("no", false), ("1", true)]
        {
            server.set("enable-self-preservation", word).expect("a flag");
            assert_eq!(server.enable_self_preservation, value, "{word}");
        }
        server.set("response-cache-auto-expiration-in-seconds", "2000ms").expect("two seconds");
        assert_eq!(server.response_cache_auto_expiration, Duration::from_secs(2));
        for (text, seconds) in [("-5", -5), ("0", 0), ("2m", 120), ("-3s", -3)] {
            server.set("expected-client-renewal-interval-seconds", text).expect("any number");
            assert_eq!(server.expected_client_renewal_interval, seconds, "{text}");
        }
        server.guard(Profile::SpringCloud);
        assert_eq!(server.expected_client_renewal_interval, -3, "Spring has no guard");
        server.guard(Profile::Netflix);
        assert_eq!(server.expected_client_renewal_interval, 30);
    }

    #[test]
    fn names_of_earlier_releases_are_the_same_settings() {
        let mut server = ServerConfig::defaults(Profile::SpringCloud);
        server.set("expectedNumberOfRenewsPerMin", "7").expect("the name before 2.0");
        assert_eq!(server.expected_number_of_clients_sending_renews, 7);
        let mut client = ClientConfig::defaults(Profile::SpringCloud);
        client.set("rest-template-timeout.connect-timeout", "5").expect("the name of 3.1");
        client.set("restclient.timeout.socket-timeout", "6").expect("the name of 4.2");
        assert_eq!(client.rest_connect_timeout, Duration::from_millis(5));
        assert_eq!(client.rest_socket_timeout, Duration::from_millis(6));
        assert!(client.set("restclient.timeout.x", "6").is_err());
    }

    #[test]
    fn a_bare_poll_interval_is_ms_in_one_spelling_and_seconds_in_the_other() {
        let mut client = ClientConfig::defaults(Profile::Netflix);
        client.set("serviceUrlPollIntervalMs", "60000").expect("milliseconds");
        assert_eq!(client.service_url_poll_interval, Duration::from_secs(60));
        client.set("eureka-service-url-poll-interval-seconds", "90").expect("seconds");
        assert_eq!(client.service_url_poll_interval, Duration::from_secs(90));
    }

    #[test]
    fn texts_by_name_are_gathered_from_several_keys_or_from_one() {
        let mut server = ServerConfig::defaults(Profile::Netflix);
        let pairs =
            |pairs: &Pairs| pairs.iter().map(|(n, t)| format!("{n}={t}")).collect::<Vec<_>>().join(" ");
        server.set("remoteRegionUrlsWithName", "west;http://w:1/, East;http://e:2/").expect("pairs");
        assert_eq!(pairs(&server.remote_region_urls), "west=http://w:1/ East=http://e:2/");
        server.set("remote_region_urls_with_name.west", "http://x/").expect("one of them");
        assert_eq!(pairs(&server.remote_region_urls), "East=http://e:2/ west=http://x/");
        server.set("remoteRegion.west.appWhiteList", "a,b").expect("the name stands in the middle");
        assert_eq!(pairs(&server.remote_region_app_white_list), "west=a,b");
        let mut instance = InstanceConfig::defaults(Profile::SpringCloud);
        instance.set("metadata-map.a.b", "1").expect("a name with a point");
        assert_eq!(pairs(&instance.metadata), "a.b=1");
        assert!(server.set("remoteRegionUrlsWithName", "no-url").is_err());
    }
}
