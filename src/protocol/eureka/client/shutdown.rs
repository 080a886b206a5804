//! How a client is closed: say DOWN (Spring), let the replicator finish, deregister.
//!
//! `Running` → (`Closing`, Spring only) → `Draining` → `Deregistering` → `Stopped`. Heartbeats and refreshes go on until the
//! end of `Draining`, as upstream, where the replicator is stopped before the pools. With the switch `wait_replicator_on_stop` off
//! there is no `Draining`: what the replicator has on its way may then be overtaken by the DELETE.

use std::time::Duration;

use super::runs::Task;
use super::transport::Kind;
use super::{Client, NEVER, Stage};
use crate::protocol::eureka::Eureka;
use crate::protocol::eureka::config::Profile;
use crate::protocol::{Cx, Status};

/// How long the stop of the replicator waits for its pending run, 3 s (`InstanceInfoReplicator.stop`).
const DRAIN: Duration = Duration::from_secs(3);

/// From the DOWN status to the destruction of the client while a Spring context closes. Derived: what lies between is the
/// rest of the context's shutdown, which has no fixed length. It decides one thing: a DOWN registration that takes longer is
/// still under way when the replicator stops, and then no full wait follows it.
const SPRING_CLOSE: Duration = Duration::from_millis(100);

impl Client {
    /// Begins the shutdown of the client. Asked twice, it goes on as it was.
    pub fn stop(&mut self, cx: &mut Cx<'_, Eureka>) {
        match self.stage {
            // There is no client yet to be closed.
            Stage::Constructing => self.on_closed(cx),
            Stage::Running if self.profile == Profile::SpringCloud && self.local.is_some() => {
                self.change_status(Status::Down, cx);
                (self.stage, self.until) = (Stage::Closing, cx.now() + SPRING_CLOSE);
            }
            Stage::Running => self.stop_replicator(cx),
            Stage::Closing | Stage::Draining | Stage::Deregistering | Stage::Stopped | Stage::Failed => {}
        }
        self.settle(cx);
    }

    /// Whether the shutdown has ended.
    pub fn stopped(&self) -> bool {
        self.stage == Stage::Stopped
    }

    /// From here on a change of status is not sent on demand. A client that does not register has no replicator.
    pub(super) fn stop_replicator(&mut self, cx: &mut Cx<'_, Eureka>) {
        assert!(matches!(self.stage, Stage::Running | Stage::Closing), "stopped in {:?}", self.stage);
        let wait = if self.local.is_some() { DRAIN } else { Duration::ZERO };
        (self.stage, self.until) = (Stage::Draining, cx.now() + wait);
        if !self.fixes.wait_replicator_on_stop {
            self.close(cx);
        }
    }

    /// The wait for the replicator is over. What still runs keeps running, but nothing new begins.
    pub(super) fn close(&mut self, cx: &mut Cx<'_, Eureka>) {
        assert!(self.stage == Stage::Draining, "closed in {:?}", self.stage);
        self.refresh.stop();
        self.heartbeat.stop();
        self.replicator.stop();
        (self.stage, self.until) = (Stage::Deregistering, NEVER);
        if self.local.is_some() && self.settings.unregister_on_shutdown {
            self.change_status(Status::Down, cx);
            let id = self.fresh_run();
            self.begin(id, Task::Shutdown, Kind::Cancel, cx);
        } else {
            self.on_closed(cx);
        }
    }

    /// The transport is closed; answers to what is still on its way are not looked at.
    pub(super) fn on_closed(&mut self, cx: &mut Cx<'_, Eureka>) {
        self.stage = Stage::Stopped;
        self.release();
        if self.exits {
            cx.exit(0);
        }
    }

    /// The constructor fails, and with it the application.
    pub(super) fn fail(&mut self, cx: &mut Cx<'_, Eureka>) {
        assert_eq!(self.stage, Stage::Constructing, "only a constructor fails");
        self.stage = Stage::Failed;
        self.release();
        cx.exit(1);
    }

    fn release(&mut self) {
        self.endpoints.disarm();
        self.runs = Vec::new();
        if let Some(extras) = &mut self.extras {
            extras.stop();
        }
    }
}
