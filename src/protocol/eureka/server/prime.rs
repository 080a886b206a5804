//! Priming: in AWS a server that is about to open for traffic first sends a heartbeat to each peer that its registry knows, to
//! make sure that the way there is open (`PeerAwareInstanceRegistryImpl.primeAwsReplicas`). One after the other, and whatever is
//! answered; but if no answer comes, all of it begins again after 30 s.
//!
//! A peer that the registry does not know, or whose lease ran out two minutes ago, may be down for good reasons, and is left
//! out. So priming ends even while a peer stays away.

use std::time::Duration;

use super::Server;
use super::boot::Phase;
use crate::protocol::eureka::Eureka;
use crate::protocol::eureka::wire::{Heartbeat, Response, Stamp};
use crate::protocol::{CallError, Cx, Instant};

/// Time to the next try: 30 s (hard-coded in Netflix/eureka: `PRIME_PEER_NODES_RETRY_MS`).
const RETRY: Duration = Duration::from_secs(30);
/// How long after the end of its lease a peer is still primed, in ms: two minutes (hard-coded, as above).
const GRACE_MS: i64 = 120_000;

/// The heartbeats of one try.
#[derive(Clone, Debug, Default)]
pub(super) struct Priming {
    /// Still to be sent, the last first: to which peer, and what.
    waiting: Vec<(u16, Heartbeat)>,
    /// When the next try begins, after a failure.
    retry_at: Option<Instant>,
}

impl Priming {
    /// When something is to be done.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.retry_at
    }
}

impl Server {
    /// A try begins.
    pub(super) fn begin_priming(&mut self, cx: &mut Cx<'_, Eureka>) {
        let own = self.node.app;
        let (store, now_ms) = (&self.registry.store, cx.wall().as_millis());
        let mut waiting = Vec::new();
        for (peer, host) in self.peers.hosts() {
            for (id, lease) in store.all() {
                let info = store.holders.get(lease.holder);
                let of_peer = own == Some(info.app) && info.about.host_name.eq_ignore_ascii_case(host);
                if of_peer && !lease.expired(now_ms, GRACE_MS) {
                    let last_dirty = Stamp::At(info.last_dirty);
                    let (app, status) = (info.app, info.status);
                    waiting.push((peer, Heartbeat { app, id, status, last_dirty, overridden: None }));
                }
            }
        }
        waiting.reverse();
        self.priming = Priming { waiting, retry_at: None };
        self.go_on_priming(cx);
    }

    /// The next try, if it is due.
    pub(super) fn retry_priming(&mut self, cx: &mut Cx<'_, Eureka>) {
        if self.phase == Phase::Priming && self.priming.retry_at.is_some_and(|at| at <= cx.now()) {
            self.begin_priming(cx);
        }
    }

    /// A heartbeat has ended.
    pub(super) fn on_primed(&mut self, result: Result<Response, CallError>, cx: &mut Cx<'_, Eureka>) {
        if self.phase != Phase::Priming {
            return;
        }
        if result.as_ref().map_or_else(|error| error.status().is_some(), |_| true) {
            self.go_on_priming(cx);
        } else {
            self.priming = Priming { waiting: Vec::new(), retry_at: Some(cx.now() + RETRY) };
        }
    }

    fn go_on_priming(&mut self, cx: &mut Cx<'_, Eureka>) {
        while let Some((peer, heartbeat)) = self.priming.waiting.pop() {
            if self.peers.prime(peer, heartbeat, cx) {
                return;
            }
        }
        self.open(cx);
    }
}
