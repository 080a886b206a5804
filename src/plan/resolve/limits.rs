//! How large a scenario may be, looked at once the whole of it is known.
//!
//! Separate because a limit says nothing of how a scenario is resolved: it refuses what is surely a slip, such as `instances: 4000000000`,
//! before memory is taken for it, and names the option that allows it.

use super::{Named, Resolver};
use crate::protocol::SimTime;
use crate::scenario::diagnostic::Span;
use crate::scenario::timeline::When;
use crate::scenario::units::Shown;
use std::time::Duration;

/// How many processes all repetitions of a step may concern together: a few hundred megabytes of them.
const MOST_TARGETS: u64 = 100_000_000;

impl<'s> Resolver<'s> {
    /// Whether there are not too many instances to go on, and nothing is said of times that are too far away.
    pub(super) fn within_limits(&mut self) -> bool {
        let scenario = self.scenario;
        let limits = scenario.limits;
        let mut total = 0u64;
        for service in &scenario.services {
            let most = self.most_instances(service);
            total = total.saturating_add(most.value);
            if total > limits.instances {
                let message = format!("more instances than the limit of {}: `{total}`", limits.instances);
                self.error(most.span, message, Some(format!("`--max-instances {total}` allows them")));
                break;
            }
        }
        let written = scenario.duration.iter().map(|duration| (duration.value, duration.span));
        let steps = scenario.timeline.iter().filter_map(|step| match &step.when {
            When::At(at) => Some((at.value, at.span)),
            When::After { .. } => None,
        });
        for (time, span) in written.chain(steps).collect::<Vec<_>>() {
            self.limit_time(time, span);
        }
        // Each repetition names all whom it concerns.
        for step in &scenario.timeline {
            let Some((every, until)) = &step.repeat else { continue };
            let times = (until.as_nanos() / every.as_nanos().max(1)) as u64;
            if times.saturating_mul(total) > MOST_TARGETS {
                let message = format!("too often for so many instances: {times} times {total}");
                self.error(every.span, message, Some("a longer `every`, or fewer instances".to_owned()));
            }
        }
        self.diagnostics.is_empty()
    }

    fn limit_time(&mut self, time: Duration, span: Span) {
        let limit = self.scenario.limits.duration;
        if time > limit {
            let message = format!("longer than the limit of {}: `{}`", days(limit), days(time));
            self.error(span, message, Some(format!("`--max-duration {}` allows it", days(time))));
        }
    }

    /// Refuses a run that would never end, and one with more calls and heartbeats than there should be.
    pub(super) fn limit_requests(&mut self, duration: SimTime) {
        // The end may follow from a step after others, or from an expectation.
        if self.diagnostics.is_empty() {
            self.limit_time(Duration::from_nanos(duration.0), Span::default());
        }
        let limit = self.scenario.limits.requests;
        let in_all = |interval: Duration| duration.0 / (interval.as_nanos() as u64).max(1);
        let scenario = self.scenario;
        let mut total = 0u64;
        for (instances, service) in
            scenario.services.iter().flat_map(|service| self.runs(service)).collect::<Vec<_>>()
        {
            let count = instances.len() as u64;
            let calls = service.calls.iter();
            let calls = calls.filter_map(|(_, calls)| Some((calls.rate.interval()?, calls.rate.span)));
            let first = match self.names.get(&service.name.value) {
                Some(Named::Service(nodes)) => nodes.get(instances.start),
                _ => None,
            };
            let config = first.and_then(|node| self.configs.get(node.index()));
            let registration = config.and_then(|config| config.client().instance.as_ref());
            let written = service.heartbeat_every.as_ref().map_or(service.instances.span, |every| every.span);
            let beats = registration.map(|it| (it.instance.lease_renewal_interval, written));
            for (interval, span) in calls.chain(beats).collect::<Vec<_>>() {
                total = total.saturating_add(in_all(interval).saturating_mul(count));
                if total > limit {
                    let message = format!(
                        "more calls and heartbeats than the limit of {limit}: about {total} in {duration}"
                    );
                    return self.error(span, message, Some(format!("`--max-requests {total}` allows them")));
                }
            }
        }
    }
}

/// A duration as it may be written: in days, if it is so many.
fn days(duration: Duration) -> String {
    const DAY: u64 = 86_400;
    match duration.as_secs() {
        seconds if seconds.is_multiple_of(DAY) && duration.subsec_nanos() == 0 => {
            format!("{}d", seconds / DAY)
        }
        _ => Shown(duration).to_string(),
    }
}
