//! The words for what may happen and what is measured, each with what it means.
//!
//! Separate because steps that wait and expectations share them. The words themselves come from the tables of the readers and of the
//! vocabulary; a test holds that none is without a meaning.

use super::build::explained;
use serde_json::Value as Json;

const EVENTS: [(&str, &str); 17] = [
    ("registered", "A server took a registration, a new one or one over one that is there."),
    ("renewed", "A server renewed a lease."),
    ("not-found", "A server was asked to renew a lease that is not there."),
    ("changed", "Status or version of a kept lease changed."),
    ("deregistered", "A server removed an instance because it was asked to."),
    ("evicted", "A server removed an instance whose lease had expired."),
    ("eviction-pass", "A server looked through its leases."),
    ("joined", "A server accepted a client."),
    ("announced", "A client's own status changed."),
    ("adopted", "A client's copy of the registry changed."),
    ("metadata-changed", "Metadata changed at a server."),
    ("live-instance-evicted", "A server evicted an instance that renewed in time; only as `never`."),
    (
        "resurrection",
        "A server lists an instance again that is gone, and that it had removed; only as `never`.",
    ),
    ("self-preservation-active", "A server keeps leases from expiring."),
    ("started", "A process started, for the first time or again."),
    ("stopping", "A process was told to shut down."),
    ("ended", "A process is gone."),
];

const GAUGES: [(&str, &str); 38] = [
    ("renewals-last-minute", "Renewals counted in the last complete window of a minute."),
    ("renewal-threshold", "Renewals that must be exceeded for leases to expire."),
    ("expected-clients", "Clients that are expected to renew."),
    ("self-preservation", "1 while self-preservation keeps leases from expiring, else 0."),
    ("serving", "1 while the server is open for traffic, else 0."),
    ("replication-pending", "Replication tasks that wait, over all peers."),
    ("replication-overflow", "Replication tasks dropped because a buffer was full, so far."),
    ("replication-expired", "Replication tasks dropped because they were too old, so far."),
    ("overrides", "Status overrides held."),
    ("below-threshold", "1 while renewals are not above the threshold (the dashboard's warning), else 0."),
    ("registry-size", "Leases held."),
    ("status-up", "Instances held with status UP."),
    ("status-down", "Instances held with status DOWN."),
    ("status-starting", "Instances held with status STARTING."),
    ("status-out-of-service", "Instances held with status OUT_OF_SERVICE."),
    ("status-unknown", "Instances held with status UNKNOWN."),
    ("replications-last-minute", "Writes of other servers in the last complete window of a minute."),
    ("replication-accepted", "Replication tasks accepted, so far."),
    ("replication-replayed", "Replication tasks taken back after a failure, so far."),
    ("replication-overridden", "Replication tasks replaced by a newer one while they waited, so far."),
    ("replication-workers", "Replication workers alive, over all peers."),
    ("replication-not-found", "Items of replication batches answered 404, so far."),
    ("replication-conflicts", "Items of replication batches answered 409, so far."),
    ("rate-limited", "Reads that the rate limiter refused, or would have, so far."),
    ("fetch-age", "Of a client: time since the last fetch that succeeded."),
    ("heartbeat-age", "Of a client: time since the last heartbeat that succeeded."),
    ("pinned-server", "Of a client: the server that its registrations and heartbeats go to, or `none`."),
    ("quarantined", "Of a client: servers in quarantine for registrations and heartbeats."),
    ("heartbeat-delay", "Of a client: delay of the heartbeat task."),
    ("fetch-delay", "Of a client: delay of the fetch task."),
    ("copy-size", "Of a client: instances in its copy of the registry."),
    ("query-pinned-server", "Of a client: the server that its reads go to, or `none`."),
    ("query-quarantined", "Of a client: servers in quarantine for reads."),
    ("copy-up", "Of a client: instances in its copy with status UP."),
    ("copy-down", "Of a client: instances in its copy with status DOWN."),
    ("copy-starting", "Of a client: instances in its copy with status STARTING."),
    ("copy-out-of-service", "Of a client: instances in its copy with status OUT_OF_SERVICE."),
    ("copy-unknown", "Of a client: instances in its copy with status UNKNOWN."),
];

fn meaning(table: &'static [(&str, &str)], word: &str) -> &'static str {
    table.iter().find(|(known, _)| *known == word).map_or("", |(_, meaning)| meaning)
}

/// Events by their names.
pub(super) fn events<'w>(what: &str, words: impl IntoIterator<Item = &'w str>) -> Json {
    explained(what, words.into_iter().map(|word| (word, meaning(&EVENTS, word))))
}

/// Gauges by their names.
pub(super) fn gauges<'w>(words: impl IntoIterator<Item = &'w str>) -> Json {
    explained("a gauge", words.into_iter().map(|word| (word, meaning(&GAUGES, word))))
}
