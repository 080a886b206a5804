//! Figures that a client reports about itself, if it is asked to (`ClientNode::reports`).

use super::Client;
use super::endpoints::Channel;
use super::supervisor::Rules;
use crate::protocol::eureka::Eureka;
use crate::protocol::{Cx, Event, Gauge};

/// The figures as they were last reported.
#[derive(Clone, Debug, Default)]
pub struct Reported([Option<i64>; 5]);

impl Client {
    fn reports(&self) -> bool {
        self.extras.as_ref().is_some_and(|_| self.told.client().reports)
    }

    /// Reports what has changed.
    pub(super) fn report(&mut self, cx: &mut Cx<'_, Eureka>) {
        if !self.reports() {
            return;
        }
        let pinned = self.chains[Channel::Registration as usize].pinned();
        let quarantined = self.endpoints.in_quarantine(Channel::Registration);
        let registers = self.local.is_some();
        let delay =
            |rules: Rules, factor: u32| count(rules.interval.as_millis()).saturating_mul(i64::from(factor));
        let figures = [
            (Gauge::PinnedServer, registers.then(|| pinned.map_or(-1, |server| i64::from(server.0)))),
            (Gauge::Quarantined, registers.then(|| count(quarantined))),
            (
                Gauge::HeartbeatDelay,
                registers.then(|| delay(self.heartbeat_rules(), self.heartbeat.factor())),
            ),
            (Gauge::FetchDelay, self.fetches.then(|| delay(self.refresh_rules(), self.refresh.factor()))),
            (Gauge::CopySize, self.fetches.then(|| count(self.applications.instances().len()))),
        ];
        let reported = &mut self.extras.as_mut().expect("it reports").reported.0;
        for ((gauge, figure), reported) in figures.into_iter().zip(reported) {
            if let Some(value) = figure
                && *reported != figure
            {
                *reported = figure;
                cx.emit(Event::Gauge { gauge, value });
            }
        }
    }

    /// Something has just succeeded: its age is nothing.
    pub(super) fn report_success(&self, age: Gauge, cx: &mut Cx<'_, Eureka>) {
        if self.reports() {
            cx.emit(Event::Gauge { gauge: age, value: 0 });
        }
    }
}

fn count(value: impl TryInto<i64>) -> i64 {
    value.try_into().unwrap_or(i64::MAX)
}
