//! Every setting of a Eureka server, client and instance that the machines obey: its two spellings, unit, range and defaults.
//!
//! One table, because the scenario language, the import of Spring files and the machines must agree on all of it. Keys are
//! compared *relaxed*, as Spring does: case, `-`, `_` and `.` do not count, so `evictionIntervalTimerInMs` and
//! `eviction-interval-timer-in-ms` are one key. Source of names and defaults: `Netflix/eureka` (`DefaultEurekaServerConfig`,
//! `DefaultEurekaClientConfig`, `PropertiesInstanceConfig`) and `spring-cloud/spring-cloud-netflix` (`EurekaServerConfigBean`,
//! `EurekaClientConfigBean`, `EurekaInstanceConfigBean`).
//!
//! Addresses and names are not in here: they are resolved by the plan and stand in [`super::node`].

use std::fmt;
use std::time::Duration;

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
    /// `true` or `false`.
    Flag,
    /// A share, closed range.
    Share(f64, f64),
    /// A whole number, closed range.
    Count(u32, u32),
    /// A time; a bare number is milliseconds, as the key's name says. Range in ms, closed.
    Millis(u64, u64),
    /// A time; a bare number is seconds. Range in seconds, closed.
    Seconds(u64, u64),
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Flag => write!(f, "true or false"),
            Kind::Share(low, high) => write!(f, "a number from {low} to {high}"),
            Kind::Count(low, high) => write!(f, "a whole number from {low} to {high}"),
            Kind::Millis(low, high) => write!(f, "a time from {low} ms to {high} ms, such as 30s or 30000"),
            Kind::Seconds(low, high) => write!(f, "a time from {low} s to {high} s, such as 30s or 30"),
        }
    }
}

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
    fn parse(kind: Kind, text: &str) -> Option<Self>;
}

impl Setting for bool {
    fn parse(_: Kind, text: &str) -> Option<bool> {
        text.parse().ok()
    }
}

impl Setting for f64 {
    fn parse(kind: Kind, text: &str) -> Option<f64> {
        let Kind::Share(low, high) = kind else { return None };
        let value = match text.strip_suffix('%') {
            Some(percent) => percent.trim().parse::<f64>().ok()? / 100.0,
            None => text.parse().ok()?,
        };
        (low..=high).contains(&value).then_some(value)
    }
}

impl Setting for u32 {
    fn parse(kind: Kind, text: &str) -> Option<u32> {
        let Kind::Count(low, high) = kind else { return None };
        text.parse().ok().filter(|value| (low..=high).contains(value))
    }
}

impl Setting for Duration {
    fn parse(kind: Kind, text: &str) -> Option<Duration> {
        let (bare_unit, low, high) = match kind {
            Kind::Millis(low, high) => (1, low, high),
            Kind::Seconds(low, high) => (1000, low.checked_mul(1000)?, high.checked_mul(1000)?),
            Kind::Flag | Kind::Share(..) | Kind::Count(..) => return None,
        };
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
        let millis = number.checked_mul(unit)?;
        (low..=high).contains(&millis).then(|| Duration::from_millis(millis))
    }
}

macro_rules! settings {
    ($(#[$doc:meta])* $name:ident { $(
        $(#[$field_doc:meta])*
        $field:ident: $type:ty, $kind:expr, $netflix:literal = $netflix_default:literal, $spring:literal = $spring_default:literal;
    )* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)*
        }

        impl $name {
            /// The settings that exist.
            pub const KEYS: &'static [Key] = &[$(Key {
                netflix: $netflix,
                spring: $spring,
                kind: $kind,
                defaults: ($netflix_default, $spring_default),
            }),*];

            /// The defaults of a profile.
            pub fn defaults(profile: Profile) -> $name {
                $name { $($field: {
                    let text = match profile { Profile::Netflix => $netflix_default, Profile::SpringCloud => $spring_default };
                    <$type>::parse($kind, text).expect("a test sets every default")
                },)* }
            }

            /// Sets one setting from its text, in either spelling.
            ///
            /// # Errors
            /// If there is no such key, or its value has the wrong type or lies outside the range.
            pub fn set(&mut self, key: &str, text: &str) -> Result<&'static Key, SettingError> {
                let wanted = relaxed(key);
                let mut index = 0;
                $(
                    let known = &Self::KEYS[index];
                    if wanted == relaxed($netflix) || (!$spring.is_empty() && wanted == relaxed($spring)) {
                        self.$field = <$type>::parse($kind, text.trim()).ok_or_else(|| SettingError::BadValue {
                            key: if known.spring.is_empty() { known.netflix } else { known.spring },
                            kind: $kind,
                            value: text.to_owned(),
                        })?;
                        return Ok(known);
                    }
                    index += 1;
                )*
                assert_eq!(index, Self::KEYS.len(), "every key was compared");
                Err(SettingError::UnknownKey(key.to_owned()))
            }
        }
    };
}

const DAY_MS: u64 = 86_400_000;
const DAY_S: u64 = 86_400;

settings! {
    /// Settings of a server (`eureka.` in Netflix files, `eureka.server.` in Spring's).
    ServerConfig {
        /// Keep leases from expiring while renewals are not above the threshold.
        enable_self_preservation: bool, Kind::Flag, "enableSelfPreservation" = "true", "enable-self-preservation" = "true";
        /// Share of the expected renewals that must be exceeded; also 1 minus the share that one eviction run may evict.
        renewal_percent_threshold: f64, Kind::Share(0.0, 1.0), "renewalPercentThreshold" = "0.85", "renewal-percent-threshold" = "0.85";
        /// How often the expected number of clients is counted again.
        renewal_threshold_update_interval: Duration, Kind::Millis(1, DAY_MS), "renewalThresholdUpdateIntervalMs" = "900000", "renewal-threshold-update-interval-ms" = "900000";
        /// Renewal interval that is assumed of every client.
        expected_client_renewal_interval: Duration, Kind::Seconds(1, DAY_S), "expectedClientRenewalIntervalSeconds" = "30", "expected-client-renewal-interval-seconds" = "30";
        /// How often leases are looked through.
        eviction_interval: Duration, Kind::Millis(1, DAY_MS), "evictionIntervalTimerInMs" = "60000", "eviction-interval-timer-in-ms" = "60000";
        /// How long reads are refused after a start that copied nothing.
        wait_time_when_sync_empty: Duration, Kind::Millis(0, DAY_MS), "waitTimeInMsWhenSyncEmpty" = "300000", "wait-time-in-ms-when-sync-empty" = "300000";
        /// Attempts to copy the registry at start-up. Spring: 5 instead when the server registers itself.
        registry_sync_retries: u32, Kind::Count(0, 1000), "numberRegistrySyncRetries" = "5", "registry-sync-retries" = "0";
        /// Time between these attempts.
        registry_sync_retry_wait: Duration, Kind::Millis(1, DAY_MS), "registrySyncRetryWaitMs" = "30000", "registry-sync-retry-wait-ms" = "30000";
        /// How often the list of peers is resolved again.
        peer_nodes_update_interval: Duration, Kind::Millis(1, DAY_MS), "peerEurekaNodesUpdateIntervalMs" = "600000", "peer-eureka-nodes-update-interval-ms" = "600000";
        /// Connect timeout towards peers.
        peer_connect_timeout: Duration, Kind::Millis(1, DAY_MS), "peerNodeConnectTimeoutMs" = "1000", "peer-node-connect-timeout-ms" = "200";
        /// Read timeout towards peers.
        peer_read_timeout: Duration, Kind::Millis(1, DAY_MS), "peerNodeReadTimeoutMs" = "5000", "peer-node-read-timeout-ms" = "200";
        /// Idle connections to peers are closed after this time.
        peer_connection_idle_timeout: Duration, Kind::Seconds(1, DAY_S), "peerNodeConnectionIdleTimeoutSeconds" = "30", "peer-node-connection-idle-timeout-seconds" = "30";
        /// Connections to one peer.
        peer_connections_per_host: u32, Kind::Count(1, 100_000), "peerNodeTotalConnectionsPerHost" = "500", "peer-node-total-connections-per-host" = "500";
        /// Replication tasks that may wait per peer.
        max_elements_in_peer_replication_pool: u32, Kind::Count(1, 10_000_000), "maxElementsInPeerReplicationPool" = "10000", "max-elements-in-peer-replication-pool" = "10000";
        /// Batches that may be under way per peer.
        max_threads_for_peer_replication: u32, Kind::Count(1, 1000), "maxThreadsForPeerReplication" = "20", "max-threads-for-peer-replication" = "20";
        /// Life of cancel and status tasks in the replication buffer.
        max_time_for_replication: Duration, Kind::Millis(1, DAY_MS), "maxTimeForReplication" = "30000", "max-time-for-replication" = "30000";
        /// Compare `lastDirtyTimestamp` on heartbeats and repair.
        sync_when_timestamp_differs: bool, Kind::Flag, "syncWhenTimestampDiffers" = "true", "sync-when-timestamp-differs" = "true";
        /// How long a change stays in the delta.
        retention_time_in_delta_queue: Duration, Kind::Millis(0, DAY_MS), "retentionTimeInMSInDeltaQueue" = "180000", "retention-time-in-m-s-in-delta-queue" = "180000";
        /// How often old changes are dropped from the delta.
        delta_retention_timer_interval: Duration, Kind::Millis(1, DAY_MS), "deltaRetentionTimerIntervalInMs" = "30000", "delta-retention-timer-interval-in-ms" = "30000";
        /// Answer no deltas.
        disable_delta: bool, Kind::Flag, "disableDelta" = "false", "disable-delta" = "false";
        /// Serve reads from the second cache level, which lags.
        use_read_only_response_cache: bool, Kind::Flag, "shouldUseReadOnlyResponseCache" = "true", "use-read-only-response-cache" = "true";
        /// How often the second level is filled.
        response_cache_update_interval: Duration, Kind::Millis(1, DAY_MS), "responseCacheUpdateIntervalMs" = "30000", "response-cache-update-interval-ms" = "30000";
        /// How long an entry of the first level lives.
        response_cache_auto_expiration: Duration, Kind::Seconds(1, DAY_S), "responseCacheAutoExpirationInSeconds" = "180", "response-cache-auto-expiration-in-seconds" = "180";
        /// Spring: clients expected before the server has opened for traffic.
        expected_number_of_clients_sending_renews: u32, Kind::Count(0, 10_000_000), "expectedNumberOfClientsSendingRenews" = "0", "expected-number-of-clients-sending-renews" = "1";
        /// Spring: replaces a count of 0 when the server opens for traffic; 0 keeps Netflix's behaviour.
        default_open_for_traffic_count: u32, Kind::Count(0, 10_000_000), "defaultOpenForTrafficCount" = "0", "default-open-for-traffic-count" = "1";
    }
}

settings! {
    /// Settings of a client (`eureka.` in Netflix files, `eureka.client.` in Spring's).
    ClientConfig {
        /// Register this instance.
        register_with_eureka: bool, Kind::Flag, "registration.enabled" = "true", "register-with-eureka" = "true";
        /// Keep a copy of the registry.
        fetch_registry: bool, Kind::Flag, "shouldFetchRegistry" = "true", "fetch-registry" = "true";
        /// How often the copy is refreshed.
        registry_fetch_interval: Duration, Kind::Seconds(1, DAY_S), "client.refresh.interval" = "30", "registry-fetch-interval-seconds" = "30";
        /// How often changes of this instance are sent.
        instance_info_replication_interval: Duration, Kind::Seconds(1, DAY_S), "appinfo.replicate.interval" = "30", "instance-info-replication-interval-seconds" = "30";
        /// Delay of the first such run.
        initial_instance_info_replication_interval: Duration, Kind::Seconds(0, DAY_S), "appinfo.initial.replicate.time" = "40", "initial-instance-info-replication-interval-seconds" = "40";
        /// How often the server list is resolved, and shuffled, again. (Netflix writes this key in ms.)
        service_url_poll_interval: Duration, Kind::Seconds(1, DAY_S), "serviceUrlPollIntervalSeconds" = "300", "eureka-service-url-poll-interval-seconds" = "300";
        /// Threads for heartbeats.
        heartbeat_threads: u32, Kind::Count(1, 1000), "client.heartbeat.threadPoolSize" = "5", "heartbeat-executor-thread-pool-size" = "2";
        /// How far a timed-out heartbeat may stretch the interval.
        heartbeat_back_off_bound: u32, Kind::Count(1, 1000), "client.heartbeat.exponentialBackOffBound" = "10", "heartbeat-executor-exponential-back-off-bound" = "10";
        /// Threads for refreshing the copy.
        cache_refresh_threads: u32, Kind::Count(1, 1000), "client.cacheRefresh.threadPoolSize" = "5", "cache-refresh-executor-thread-pool-size" = "2";
        /// How far a timed-out refresh may stretch the interval.
        cache_refresh_back_off_bound: u32, Kind::Count(1, 1000), "client.cacheRefresh.exponentialBackOffBound" = "10", "cache-refresh-executor-exponential-back-off-bound" = "10";
        /// Connect timeout towards servers.
        connect_timeout: Duration, Kind::Seconds(1, DAY_S), "eurekaServer.connectTimeout" = "5", "eureka-server-connect-timeout-seconds" = "5";
        /// Read timeout towards servers.
        read_timeout: Duration, Kind::Seconds(1, DAY_S), "eurekaServer.readTimeout" = "8", "eureka-server-read-timeout-seconds" = "8";
        /// Idle connections to servers are closed after this time.
        connection_idle_timeout: Duration, Kind::Seconds(1, DAY_S), "eurekaserver.connectionIdleTimeoutInSeconds" = "45", "eureka-connection-idle-timeout-seconds" = "30";
        /// Connections to one server.
        connections_per_host: u32, Kind::Count(1, 100_000), "eurekaServer.maxConnectionsPerHost" = "50", "eureka-server-total-connections-per-host" = "50";
        /// Start a server's own list of peers with its own zone.
        prefer_same_zone: bool, Kind::Flag, "preferSameZone" = "true", "prefer-same-zone-eureka" = "true";
        /// Never ask for deltas.
        disable_delta: bool, Kind::Flag, "client.disableDelta" = "false", "disable-delta" = "false";
        /// Hide instances that are not UP from look-ups.
        filter_only_up_instances: bool, Kind::Flag, "shouldFilterOnlyUpInstances" = "true", "filter-only-up-instances" = "true";
        /// Deregister on a graceful shutdown.
        unregister_on_shutdown: bool, Kind::Flag, "shouldUnregisterOnShutdown" = "true", "should-unregister-on-shutdown" = "true";
        /// Send a change of the local status at once.
        on_demand_update_status_change: bool, Kind::Flag, "shouldOnDemandUpdateStatusChange" = "true", "on-demand-update-status-change" = "true";
        /// How long one server is kept before the list is walked from its head again (half to one and a half of it).
        session_reconnect_interval: Duration, Kind::Seconds(1, DAY_S), "transport.sessionedClientReconnectIntervalSeconds" = "1200", "transport.sessioned-client-reconnect-interval-seconds" = "1200";
        /// Share of the list that must be quarantined for the quarantine to be cleared.
        quarantine_refresh_percentage: f64, Kind::Share(0.0, 1.0), "transport.retryableClientQuarantineRefreshPercentage" = "0.66", "transport.retryable-client-quarantine-refresh-percentage" = "0.66";
    }
}

settings! {
    /// Settings of an instance (`eureka.` in Netflix files, `eureka.instance.` in Spring's).
    InstanceConfig {
        /// How often the client renews its lease.
        lease_renewal_interval: Duration, Kind::Seconds(1, DAY_S), "lease.renewalInterval" = "30", "lease-renewal-interval-in-seconds" = "30";
        /// How long a lease lasts without renewal. The server doubles it for a lease that was renewed.
        lease_duration: Duration, Kind::Seconds(1, DAY_S), "lease.duration" = "90", "lease-expiration-duration-in-seconds" = "90";
        /// Ready for traffic from the first moment.
        enabled_on_init: bool, Kind::Flag, "traffic.enabled" = "false", "instance-enabled-onit" = "false";
    }
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
            for key in ServerConfig::KEYS {
                assert_eq!(server.set(key.netflix, key.defaults.0), Ok(key));
                assert_eq!(server.set(key.spring, key.defaults.1), Ok(key));
            }
            for key in ClientConfig::KEYS {
                assert_eq!(client.set(key.netflix, key.defaults.0), Ok(key));
                assert_eq!(client.set(key.spring, key.defaults.1), Ok(key));
            }
            for key in InstanceConfig::KEYS {
                assert_eq!(instance.set(key.netflix, key.defaults.0), Ok(key));
                assert_eq!(instance.set(key.spring, key.defaults.1), Ok(key));
            }
            assert_eq!(server, ServerConfig::defaults(Profile::SpringCloud));
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
            ("renewal-percent-threshold", "1.2"),
            ("renewal-percent-threshold", "NaN"),
            ("enable-self-preservation", "yes"),
        ] {
            assert!(matches!(server.set(key, bad), Err(SettingError::BadValue { .. })), "{key}: {bad}");
        }
        assert_eq!(server.set("evict", "1"), Err(SettingError::UnknownKey("evict".to_owned())));
    }
}
