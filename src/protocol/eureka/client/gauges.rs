//! Figures that a client reports about itself, if it is asked to (`ClientNode::reports`).

use super::Client;
use super::endpoints::Channel;
use super::supervisor::Rules;
use crate::protocol::eureka::Eureka;
use crate::protocol::{Cx, Event, Gauge, Status};

/// The figures as they were last reported.
#[derive(Clone, Debug, Default)]
pub struct Reported([Option<i64>; 12]);

impl Client {
    fn reports(&self) -> bool {
        self.extras.as_ref().is_some_and(|_| self.told.client().reports)
    }

    /// Reports what has changed.
    pub(super) fn report(&mut self, cx: &mut Cx<'_, Eureka>) {
        if !self.reports() {
            return;
        }
        let pinned = |channel: Channel| {
            self.chains[channel as usize].pinned().map_or(-1, |server| i64::from(server.0))
        };
        let own_list = self.extras.as_ref().and_then(|extras| extras.query_endpoints.as_ref());
        let of_reads = own_list.unwrap_or(&self.endpoints).in_quarantine(Channel::Query);
        let of_registrations = self.endpoints.in_quarantine(Channel::Registration);
        let registers = self.local.is_some();
        let delay =
            |rules: Rules, factor: u32| count(rules.interval.as_millis()).saturating_mul(i64::from(factor));
        let counts = self.applications.histogram().counts();
        let in_copy = |status: Status| self.fetches.then(|| i64::from(counts[status as usize]));
        let figures = [
            (Gauge::PinnedServer, registers.then(|| pinned(Channel::Registration))),
            (Gauge::Quarantined, registers.then(|| count(of_registrations))),
            (
                Gauge::HeartbeatDelay,
                registers.then(|| delay(self.heartbeat_rules(), self.heartbeat.factor())),
            ),
            (Gauge::FetchDelay, self.fetches.then(|| delay(self.refresh_rules(), self.refresh.factor()))),
            (Gauge::CopySize, self.fetches.then(|| count(self.applications.instances().len()))),
            (Gauge::QueryPinnedServer, self.fetches.then(|| pinned(Channel::Query))),
            (Gauge::QueryQuarantined, self.fetches.then(|| count(of_reads))),
            (Gauge::CopyUp, in_copy(Status::Up)),
            (Gauge::CopyDown, in_copy(Status::Down)),
            (Gauge::CopyStarting, in_copy(Status::Starting)),
            (Gauge::CopyOutOfService, in_copy(Status::OutOfService)),
            (Gauge::CopyUnknown, in_copy(Status::Unknown)),
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
