//! Expectations with names as ids and bounds as numbers.
//!
//! Separate because it comes last: it needs the fleet and the schedule, and it says how long the run must be.

use super::Resolver;
use crate::plan::expectation::{Expectation, Expected, Invariant, Moment, Pattern, Range};
use crate::plan::world::{Fault, Role, Traffic};
use crate::protocol::{Gauge, InstanceId, NodeId, ServiceId, SimTime};
use crate::scenario::diagnostic::{Span, Spanned};
use crate::scenario::expect::{
    Calls, Expectation as Written, Expected as WrittenExpected, Figure, Happening, Holding, Mark,
    Pattern as WrittenPattern, Window,
};
use crate::scenario::selector::Who;
use crate::scenario::timeline::When;
use crate::scenario::units::{Bound, Ratio};
use std::sync::Arc;
use std::time::Duration;

/// What an entry became: more than one where the plan has no single word for it.
type Resolved = Option<Expected>;

impl Resolver<'_> {
    /// All expectations, and the time that the run must reach for them to be judged.
    pub(super) fn resolve_expectations(&mut self) -> (Vec<Expectation>, SimTime) {
        let scenario = self.scenario;
        let last_step =
            self.steps.iter().map(|step| self.latest(step.trigger, step.until.unwrap_or(step.at))).max();
        let last_step = last_step.unwrap_or(SimTime::ZERO);
        let starts = self.processes.iter().map(|process| process.start);
        let last_start = starts.filter(|start| *start < SimTime::MAX).max().unwrap_or(SimTime::ZERO);
        let disturbed = last_step.max(last_start);
        let mut latest = disturbed;
        let mut resolved = Vec::new();
        let mut reach = |time: SimTime| latest = latest.max(time);
        for written in &scenario.expect {
            let Some(expected) = self.expected(written, disturbed, &mut reach) else { continue };
            let (source, span) = scenario.sources.locate(written.span);
            let (line, _) = source.position(span.start);
            let text = match &written.reported {
                Some(reported) if !written.text.contains(reported.as_str()) => {
                    format!("{} ({})", written.text, reported.value)
                }
                _ => written.text.clone(),
            };
            resolved.push(Expectation { text, line: line as u32, expected, violated: written.violated });
        }
        resolved.append(&mut self.answers);
        // An expectation without a time is about the end of the run, which is known only now.
        let end = self.end(latest);
        for expectation in &mut resolved {
            to_end(&mut expectation.expected, end);
        }
        (resolved, latest)
    }

    fn end(&self, latest: SimTime) -> SimTime {
        let said = self.scenario.duration.as_ref().map(|duration| duration.value);
        said.map_or(latest.max(SimTime::from(super::SHORTEST)), SimTime::from)
    }

    /// One expectation. `reach` is told every time up to which the run must go for it.
    fn expected(
        &mut self,
        written: &Written,
        disturbed: SimTime,
        reach: &mut impl FnMut(SimTime),
    ) -> Resolved {
        match &written.what {
            WrittenExpected::Converged { within } => {
                // As long again as the bound: converged means that it stays so.
                reach(disturbed + within.value + within.value);
                Some(Expected::Converged { within: within.value })
            }
            WrittenExpected::Holds(holding) => Some(Expected::Holds(match holding {
                Holding::LiveInstanceNotEvicted => Invariant::LiveInstanceNotEvicted,
                Holding::SelfPreservation => Invariant::SelfPreservation,
                Holding::ConflictResolution => Invariant::ConflictResolution,
                Holding::ServersAgree => Invariant::ServersAgree,
                Holding::Relisted => Invariant::Relisted,
                Holding::CacheAsClaimed => Invariant::CacheAsClaimed,
                Holding::VersionNeverGoesBack => Invariant::VersionNeverGoesBack,
                Holding::NoReplicationLoop => Invariant::NoReplicationLoop,
                Holding::NoResurrection => Invariant::NoResurrection,
                Holding::RegistrationNotLost => Invariant::RegistrationNotLost,
            })),
            WrittenExpected::Never(pattern) => self.happens(pattern, false, reach),
            WrittenExpected::Sometimes(pattern) => self.happens(pattern, true, reach),
            WrittenExpected::Listed(held) => {
                let by = match &held.by {
                    Some(by) => self.reached(by, reach)?,
                    None => SimTime::MAX,
                };
                self.as_of = Some(by);
                let instances = self.instances_of(&held.instances);
                let servers = self.observers(held.observers.as_ref());
                self.as_of = None;
                let status = held.status.as_ref().map(|status| status.value);
                let listed = held.listed;
                Some(Expected::Listed { instances: instances?, servers: servers?, status, by, listed })
            }
            WrittenExpected::Gauge { gauge, of, window, is } => {
                let (from, to) = self.window(window, reach)?;
                self.as_of = Some(from).filter(|_| *window != Window::Always);
                let nodes = match gauge.of_clients() {
                    true => self.reporting(of).filter(|nodes| self.can_report(*gauge, nodes, of)),
                    false => self.servers_of(of),
                };
                self.as_of = None;
                let is = match is {
                    Figure::Number(is) => range(is, |value| *value as f64),
                    Figure::Time(is) => range(is, |time| time.as_secs_f64() * 1000.0),
                    Figure::Server(None) => Range::exactly(-1.0),
                    Figure::Server(Some(name)) => Range::exactly(f64::from(self.server_or_address(name)?.0)),
                };
                Some(Expected::Gauge { gauge: *gauge, nodes: nodes?, from, to, is, sometimes: false })
            }
            WrittenExpected::Count { pattern, is } => {
                let (from, to) = self.window(&pattern.window, reach)?;
                let pattern = self.pattern(pattern)?;
                Some(Expected::Count { pattern, from, to, is: range(&is.value, |value| *value as f64) })
            }
            WrittenExpected::Delay { from, to, is } => {
                let start = match from {
                    Mark::At(when) => self.moment(when),
                    Mark::StepBegins(step) => self.step_named(step).map(|step| {
                        let first = &self.steps[step.first];
                        self.latest(first.trigger, first.at)
                    }),
                    Mark::StepEnds(step) => {
                        self.step_named(step).map(|step| self.latest(step.end.base, step.end.at))
                    }
                    Mark::Event { .. } | Mark::Forgotten { .. } | Mark::Known { .. } => None,
                };
                if let (Some(start), Some((high, _))) = (start, is.high) {
                    reach(start + high + Duration::from_secs(1));
                }
                let (from, to) = (self.mark(from, reach), self.mark(to, reach));
                let is = range(&is.value, Duration::as_secs_f64);
                Some(Expected::Delay { from: from?, to: to?, is })
            }
            WrittenExpected::Order(marks) => {
                let marks: Vec<_> = marks.iter().map(|mark| self.mark(mark, reach)).collect();
                marks.into_iter().collect::<Option<_>>().map(Expected::Order)
            }
            WrittenExpected::Calls(calls) => self.calls(calls, reach),
        }
    }

    /// Clients, or those inside servers, that are to report figures about themselves.
    pub(super) fn reporting(&mut self, who: &Who) -> Option<Vec<NodeId>> {
        let nodes = self.processes_of(who)?;
        let later = self.steps.iter().filter_map(|step| match &step.fault {
            Fault::Reconfigure { process, config } if nodes.contains(process) => Some(*config as usize),
            _ => None,
        });
        for config in nodes.iter().map(|node| node.index()).chain(later) {
            Arc::make_mut(&mut self.configs[config]).client_mut().reports = true;
        }
        Some(nodes)
    }

    /// Whether all of these have such a figure: who does not register sends no heartbeats, who does not fetch has no copy.
    pub(super) fn can_report(&mut self, gauge: Gauge, nodes: &[NodeId], who: &Who) -> bool {
        let registers = matches!(
            gauge,
            Gauge::HeartbeatAge | Gauge::HeartbeatDelay | Gauge::PinnedServer | Gauge::Quarantined
        );
        let without = nodes.iter().find(|node| {
            let client = self.configs[node.index()].client();
            if registers { client.instance.is_none() } else { !client.client.fetch_registry }
        });
        let Some(node) = without else { return true };
        let message = format!("`{}` has no `{}`", self.processes[node.index()].name, gauge.name());
        let help = if registers { "`register-with-eureka` is" } else { "`fetch-registry` is" };
        self.error(who.span, message, Some(format!("{help} false for it")));
        false
    }

    fn calls(&mut self, written: &Calls, reach: &mut impl FnMut(SimTime)) -> Resolved {
        let callers = match &written.of {
            Some(who) => Some(self.callers(who)?),
            None => None,
        };
        if self.traffic.is_empty() {
            return self.refuse(
                written.success.span,
                "nobody calls anybody",
                "such as `calls: { provider: 20/s }` at a service",
            );
        }
        let service = match &written.to {
            Some(name) => Some(self.called(name, callers.as_deref())?),
            None => None,
        };
        let (from, to) = self.window(&written.window, reach)?;
        let whole = f64::from(Ratio::WHOLE.parts_per_billion);
        let success = range(&written.success.value, |share| f64::from(share.parts_per_billion) / whole);
        Some(Expected::Calls { callers, service, from, to, success })
    }

    fn callers(&mut self, who: &Who) -> Option<Vec<NodeId>> {
        let nodes = self.processes_of(who)?;
        match nodes.iter().any(|node| self.traffic.iter().any(|traffic| traffic.caller == *node)) {
            true => Some(nodes),
            false => self.refuse(who.span, "these call nobody", "a service with `calls`"),
        }
    }

    /// A service that these callers, or any, call.
    fn called(&mut self, name: &Spanned<String>, callers: Option<&[NodeId]>) -> Option<ServiceId> {
        let calls = |traffic: &Traffic| callers.is_none_or(|callers| callers.contains(&traffic.caller));
        let called = self.traffic.iter().filter(|traffic| calls(traffic)).map(|traffic| traffic.service);
        let mut called: Vec<ServiceId> = called.collect();
        called.sort_unstable();
        called.dedup();
        let named = |service: &ServiceId| self.services[service.index()] == name.value;
        match called.iter().copied().find(named) {
            Some(service) => Some(service),
            None => {
                let valid = called.iter().map(|service| self.services[service.index()].clone()).collect();
                self.unknown("service that is called", name, valid)
            }
        }
    }

    /// `never` and `sometimes`.
    fn happens(
        &mut self,
        written: &WrittenPattern,
        sometimes: bool,
        reach: &mut impl FnMut(SimTime),
    ) -> Resolved {
        let (from, to) = self.window(&written.window, reach)?;
        match written.what {
            Happening::SelfPreservationActive => {
                self.plain(written.of.as_ref(), written.status.is_some(), written)?;
                let servers = match &written.server {
                    Some(who) => self.servers_of(who)?,
                    None => self.all_servers_of(),
                };
                let is = Range::exactly(if sometimes { 1.0 } else { 0.0 });
                Some(Expected::Gauge {
                    gauge: Gauge::SelfPreservation,
                    nodes: servers,
                    from,
                    to,
                    is,
                    sometimes,
                })
            }
            Happening::LiveInstanceEvicted => {
                let name = "live-instance-evicted";
                self.whole_run(name, Invariant::LiveInstanceNotEvicted, written, sometimes)
            }
            Happening::Resurrection => {
                self.whole_run("resurrection", Invariant::NoResurrection, written, sometimes)
            }
            Happening::Event(_) => {
                let pattern = self.pattern(written)?;
                Some(match (&written.window, sometimes) {
                    (Window::Always, true) => Expected::Sometimes(pattern),
                    (Window::Always, false) => Expected::Never(pattern),
                    (_, true) => Expected::Count { pattern, from, to, is: Range::closed(1.0, f64::INFINITY) },
                    (_, false) => Expected::Count { pattern, from, to, is: Range::exactly(0.0) },
                })
            }
        }
    }

    /// Another word for a check, which judges the whole run.
    fn whole_run(
        &mut self,
        name: &str,
        invariant: Invariant,
        written: &WrittenPattern,
        sometimes: bool,
    ) -> Resolved {
        let bare = written.server.is_none() && written.window == Window::Always;
        if sometimes || !bare {
            let help = format!("`never: {name}`, or `violates` around it");
            return self.refuse(written.span, format!("`{name}` is a check of the whole run"), help);
        }
        self.plain(written.of.as_ref(), written.status.is_some(), written)?;
        Some(Expected::Holds(invariant))
    }

    /// States are of servers: they are about no instance and no status.
    fn plain(&mut self, of: Option<&Who>, has_status: bool, written: &WrittenPattern) -> Option<()> {
        match of.is_some() || has_status {
            true => self.refuse(
                written.span,
                "this is about no instance and no status",
                "leave `of` and `status` out",
            ),
            false => Some(()),
        }
    }

    fn pattern(&mut self, written: &WrittenPattern) -> Option<Pattern> {
        let Happening::Event(event) = written.what else {
            return self.refuse(
                written.span,
                "this is a state, not an event",
                "`never`, `sometimes` or `gauge` judge states",
            );
        };
        let mut wrong = false;
        let instances: Option<Vec<InstanceId>> = written.of.as_ref().and_then(|who| {
            let instances = self.instances_of(who);
            wrong |= instances.is_none();
            instances
        });
        let nodes: Option<Vec<NodeId>> = written.server.as_ref().and_then(|who| {
            let nodes = self.processes_of(who);
            wrong |= nodes.is_none();
            nodes
        });
        let status = written.status.as_ref().map(|status| status.value);
        (!wrong).then_some(Pattern { event, instances, nodes, status })
    }

    fn mark(&mut self, mark: &Mark, reach: &mut impl FnMut(SimTime)) -> Option<Moment> {
        match mark {
            Mark::At(when) => self.reached(when, reach).map(Moment::At),
            Mark::StepBegins(step) => self.step_named(step).map(|step| Moment::StepBegins(step.first as u32)),
            Mark::StepEnds(name) => {
                let step = self.step_named(name)?;
                match self.steps[step.last].until {
                    Some(_) => Some(Moment::StepEnds(step.last as u32)),
                    None => self.refuse(name.span, "this step has no end", "`step` is its beginning"),
                }
            }
            Mark::Event { pattern, nth } => {
                if pattern.window != Window::Always {
                    return self.refuse(
                        pattern.span,
                        "a moment is not looked for in a stretch of time",
                        "leave `at` and `during` out",
                    );
                }
                let nth = nth.as_ref().map_or(1, |nth| nth.value as u32);
                Some(Moment::Event { pattern: self.pattern(pattern)?, nth })
            }
            Mark::Forgotten { instances, by } => {
                let instances = self.instances_of(instances);
                let observers = self.observers(by.as_ref());
                Some(Moment::Forgotten { instances: instances?, observers: observers? })
            }
            Mark::Known { instances, by } => {
                self.as_of = Some(SimTime::MAX);
                let instances = self.instances_of(instances);
                let observers = self.observers(by.as_ref());
                self.as_of = None;
                Some(Moment::Known { instances: instances?, observers: observers? })
            }
        }
    }

    /// Whose registry or cache is looked at: all servers, if nobody is named. Those who keep none are passed over.
    fn observers(&mut self, who: Option<&Who>) -> Option<Vec<NodeId>> {
        let Some(who) = who else { return Some(self.all_servers_of()) };
        let nodes = self.processes_of(who)?;
        let sees = |node: &NodeId| {
            let process = &self.processes[node.index()];
            process.role == Role::Server || self.fetches(*node)
        };
        let seeing: Vec<NodeId> = nodes.into_iter().filter(sees).collect();
        match seeing.is_empty() {
            true => self.refuse(
                who.span,
                "nobody here keeps a copy of the registry",
                "`fetch-registry` is false for them",
            ),
            false => Some(seeing),
        }
    }

    /// A moment that the run must reach.
    fn reached(&mut self, when: &When, reach: &mut impl FnMut(SimTime)) -> Option<SimTime> {
        let at = self.moment(when)?;
        let said = self.scenario.duration.as_ref().map(|duration| duration.value);
        if said.is_some_and(|said| at > SimTime::from(said)) {
            return self.refuse(
                span_of(when),
                format!("after the end of the run: {at}"),
                "a longer `duration`, or none",
            );
        }
        reach(at);
        Some(at)
    }

    fn window(&mut self, window: &Window, reach: &mut impl FnMut(SimTime)) -> Option<(SimTime, SimTime)> {
        match window {
            Window::Always => Some((SimTime::ZERO, SimTime::MAX)),
            Window::At(at) => {
                let at = self.reached(at, reach)?;
                Some((at, at))
            }
            Window::During(from, to) => {
                let span = span_of(from);
                let from = self.reached(from, reach);
                let to = self.reached(to, reach);
                let (from, to) = (from?, to?);
                match from <= to {
                    true => Some((from, to)),
                    false => self.refuse(
                        span,
                        "this stretch of time ends before it begins",
                        "from the earlier to the later",
                    ),
                }
            }
        }
    }
}

fn span_of(when: &When) -> Span {
    match when {
        When::At(at) => at.span,
        When::After { step, .. } => step.span,
    }
}

/// A bound as a range of numbers.
pub(super) fn range<T>(bound: &Bound<T>, number: impl Fn(&T) -> f64) -> Range {
    let (low, above) =
        bound.low.as_ref().map_or((f64::NEG_INFINITY, false), |(low, itself)| (number(low), !itself));
    let (high, below) =
        bound.high.as_ref().map_or((f64::INFINITY, false), |(high, itself)| (number(high), !itself));
    Range { low, high, above, below }
}

/// Puts the end of the run where an expectation named no time.
fn to_end(expected: &mut Expected, end: SimTime) {
    let at_end = |time: &mut SimTime| *time = (*time).min(end);
    match expected {
        Expected::Gauge { from, to, .. }
        | Expected::Count { from, to, .. }
        | Expected::Calls { from, to, .. } => {
            at_end(from);
            at_end(to);
        }
        Expected::Listed { by, .. } => at_end(by),
        Expected::Converged { .. }
        | Expected::Holds(_)
        | Expected::Answered { .. }
        | Expected::Never(_)
        | Expected::Sometimes(_)
        | Expected::Delay { .. }
        | Expected::Order(_) => {}
    }
}
