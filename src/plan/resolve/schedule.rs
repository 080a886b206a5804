//! The timeline as a schedule of faults with a beginning and an end.
//!
//! Separate because of its order: steps that follow others need their ends, and settings changed at run time build on those
//! changed before.

use super::{Resolver, StepMoments};
use crate::plan::world::{ClockChange, Fault, HostId, MessageAction, MessageMatch, Role, Step};
use crate::protocol::eureka::node::HealthSource;
use crate::protocol::eureka::{self, wire};
use crate::protocol::{NodeId, Operation, SimTime};
use crate::scenario::diagnostic::Spanned;
use crate::scenario::selector::{Route, Who};
use crate::scenario::timeline::{
    Action, Asked, ClockChange as WrittenClock, MessageAction as WrittenAction, MessageMatch as WrittenMatch,
    Request, Step as Written, When,
};
use crate::scenario::topology::Behind;
use std::sync::Arc;

/// One step of the timeline with its time known.
struct Timed<'s> {
    written: &'s Written,
    /// When it begins; more than once if it is repeated.
    begins: Vec<SimTime>,
}

impl<'s> Resolver<'s> {
    /// All steps, in order of time.
    pub(super) fn resolve_schedule(&mut self) {
        let mut timed = self.resolve_times();
        timed.sort_by_key(|timed| timed.begins.first().copied());
        for Timed { written, begins } in timed {
            let name = written.name.as_ref().map_or_else(|| written.label.clone(), |name| name.value.clone());
            let first = self.steps.len();
            for at in begins {
                let until = written.lasts.as_ref().map(|lasts| at + lasts.value);
                for fault in self.faults(written) {
                    self.steps.push(Step { name: name.clone(), at, until, fault });
                }
            }
            if let Some(name) = written.name.as_ref().filter(|_| self.steps.len() > first) {
                let last = self.steps.len() - 1;
                let end = self.steps[last].until.unwrap_or(self.steps[last].at);
                self.moments.insert(name.value.clone(), StepMoments { first, last, end });
            }
        }
    }

    /// The beginnings of all steps. Steps that follow others are looked at again until none is left that can be placed.
    fn resolve_times(&mut self) -> Vec<Timed<'s>> {
        let scenario = self.scenario;
        let mut ends: Vec<(&str, SimTime)> = Vec::new();
        let mut names: Vec<&str> = Vec::new();
        for step in &scenario.timeline {
            let Some(name) = &step.name else { continue };
            if names.contains(&name.as_str()) {
                self.error(name.span, format!("two steps of one name: `{}`", name.value), None);
            }
            names.push(name);
        }
        let mut open: Vec<&Written> = scenario.timeline.iter().collect();
        let mut timed = Vec::new();
        loop {
            let before = open.len();
            open.retain(|step| {
                let at = match &step.when {
                    When::At(at) => Some(SimTime::from(at.value)),
                    When::After { step, plus } => {
                        ends.iter().find(|(name, _)| *name == step.value).map(|(_, end)| *end + *plus)
                    }
                };
                let Some(at) = at else { return true };
                let begins = beginnings(step, at);
                let lasts = step.lasts.as_ref().map_or(std::time::Duration::ZERO, |lasts| lasts.value);
                if let (Some(name), Some(last)) = (&step.name, begins.last()) {
                    ends.push((name, *last + lasts));
                }
                timed.push(Timed { written: step, begins });
                false
            });
            if open.is_empty() {
                return timed;
            }
            if open.len() == before {
                break;
            }
        }
        for step in open {
            let When::After { step, .. } = &step.when else { continue };
            match names.contains(&step.as_str()) {
                true => self.error(step.span, "steps that wait for each other".to_owned(), None),
                false => {
                    let valid = names.iter().map(|name| (*name).to_owned()).collect();
                    self.unknown("step", step, valid).unwrap_or(())
                }
            }
        }
        timed
    }

    /// A moment of the run, once the schedule stands.
    pub(super) fn moment(&mut self, when: &When) -> Option<SimTime> {
        match when {
            When::At(at) => Some(SimTime::from(at.value)),
            When::After { step, plus } => self.step_named(step).map(|moments| moments.end + *plus),
        }
    }

    pub(super) fn step_named(&mut self, name: &Spanned<String>) -> Option<StepMoments> {
        if let Some(moments) = self.moments.get(&name.value) {
            return Some(*moments);
        }
        // A step that exists and is wrong has been reported already.
        let written = self.scenario.timeline.iter().filter_map(|step| step.name.as_ref());
        let valid: Vec<String> = written.map(|name| name.value.clone()).collect();
        if valid.contains(&name.value) {
            return None;
        }
        self.unknown("step", name, valid)
    }

    /// What a step does, in the words of the world. More than one fault if the world has no single word for it.
    fn faults(&mut self, step: &'s Written) -> Vec<Fault> {
        let one = |fault: Option<Fault>| fault.into_iter().collect();
        match &step.action {
            Action::Crash(who) => one(self.processes_of(who).map(|processes| Fault::Crash { processes })),
            Action::PowerOff(who) => one(self.hosts_of(who).map(|hosts| Fault::PowerOff { hosts })),
            Action::Restart { who, wipe } => {
                one(self.processes_of(who).map(|processes| Fault::Restart { processes, wipe_disk: *wipe }))
            }
            Action::Stop(who) => one(self.processes_of(who).map(|processes| Fault::Stop { processes })),
            Action::Pause(who) => one(self.processes_of(who).map(|processes| Fault::Pause { processes })),
            Action::Slow { who, factor } => {
                let Ok(factor_milli) = u32::try_from(factor.thousandths) else {
                    self.error(factor.span, "a factor too large", Some("at most `4294967x`".into()));
                    return Vec::new();
                };
                one(self.processes_of(who).map(|processes| Fault::Slow { processes, factor_milli }))
            }
            Action::Partition(groups) => one(self.partition(groups)),
            Action::Isolate(who) => one(self.isolate(who)),
            Action::Cut(route) => one(self.cut(route)),
            Action::Path { route, quality } => {
                let change = self.path_change(quality);
                let Some((from, to)) = self.ends(route) else { return Vec::new() };
                let mut faults = Vec::new();
                if route.both_ways {
                    faults.push(Fault::Path { from: to.clone(), to: from.clone(), change: change.clone() });
                }
                faults.insert(0, Fault::Path { from, to, change });
                faults
            }
            Action::Reset(route) => one(self.ends(route).map(|(from, to)| Fault::Reset { from, to })),
            Action::Messages { matching, action } => one(self.messages(matching, action)),
            Action::Clock { who, change } => {
                let change = match change {
                    WrittenClock::Jump(jump) => ClockChange::Jump(jump.nanos),
                    WrittenClock::Drift(drift) => {
                        ClockChange::Drift(self.ppm(drift.parts_per_billion, step.span))
                    }
                    WrittenClock::Freeze => ClockChange::Freeze,
                };
                one(self.hosts_of(who).map(|hosts| Fault::Clock { hosts, change }))
            }
            Action::Request(request) => self.request(request),
            Action::Set(change) => self.set(change),
            Action::Resolve(changes) => {
                let mut faults = Vec::new();
                for (name, behind) in changes {
                    if self.records.iter().any(|(record, _)| *record == name.value) {
                        match behind {
                            Behind::Processes(names) => faults.extend(self.set_record(name, names)),
                            Behind::Nothing | Behind::NoHost => {
                                let help = Some("such as `[peer1, peer2]`".to_owned());
                                self.error(name.span, "a record in DNS lists names".to_owned(), help);
                            }
                        }
                        continue;
                    }
                    let Some(address) = self.address_of(name) else { continue };
                    let behind = self.behind(behind, &name.value);
                    faults.extend(behind.map(|behind| Fault::Resolve { address, behind }));
                }
                faults
            }
        }
    }

    fn address_of(&mut self, name: &Spanned<String>) -> Option<crate::protocol::Address> {
        if let Some(address) = self.address_named(&name.value) {
            return Some(address);
        }
        let records = self.records.iter().map(|(record, _)| record.clone());
        let valid = self.addresses.iter().map(|entry| entry.name.clone()).chain(records).collect();
        self.unknown("address", name, valid)
    }

    fn partition(&mut self, written: &[Who]) -> Option<Fault> {
        let groups: Vec<Option<Vec<HostId>>> = written.iter().map(|group| self.hosts_of(group)).collect();
        let groups: Vec<Vec<HostId>> = groups.into_iter().collect::<Option<_>>()?;
        for (at, group) in groups.iter().enumerate() {
            let earlier = &groups[..at];
            if let Some(twice) = group.iter().find(|host| earlier.iter().any(|group| group.contains(host))) {
                let message = format!("one host in two groups: `{}`", self.hosts[twice.index()].name);
                return self.refuse(written[at].span, message, "groups do not overlap");
            }
        }
        Some(Fault::Partition { groups })
    }

    fn isolate(&mut self, who: &Who) -> Option<Fault> {
        let alone = self.hosts_of(who)?;
        let others: Vec<HostId> =
            (0..self.hosts.len() as u32).map(HostId).filter(|host| !alone.contains(host)).collect();
        match others.is_empty() {
            true => self.refuse(who.span, "all hosts isolated from nobody", "a part of them"),
            false => Some(Fault::Partition { groups: vec![alone, others] }),
        }
    }

    fn cut(&mut self, route: &Route) -> Option<Fault> {
        match route.both_ways {
            true => self.partition(&[route.from.clone(), route.to.clone()]),
            false => self.ends(route).map(|(from, to)| Fault::Cut { from, to }),
        }
    }

    fn ends(&mut self, route: &Route) -> Option<(Vec<HostId>, Vec<HostId>)> {
        let (from, to) = (self.hosts_of(&route.from), self.hosts_of(&route.to));
        Some((from?, to?))
    }

    fn messages(&mut self, written: &WrittenMatch, action: &WrittenAction) -> Option<Fault> {
        let mut wrong = false;
        let mut ends = [&written.from, &written.to].map(|who| {
            let nodes = who.as_ref().map(|who| self.processes_of(who));
            wrong |= matches!(nodes, Some(None));
            nodes.flatten()
        });
        let instance = match &written.instance {
            Some(who) => {
                let instances = self.instances_of(who)?;
                if instances.len() > 1 {
                    let help = "such as `provider/0`";
                    return self.refuse(who.span, "messages are about one instance", help);
                }
                instances.first().copied()
            }
            None => None,
        };
        if let Some(kind) = written.kind.as_ref().filter(|kind| !wire::KINDS.contains(&kind.as_str())) {
            let valid = wire::KINDS.iter().map(|kind| (*kind).to_owned()).collect();
            return self.unknown("kind of message", kind, valid);
        }
        if wrong {
            return None;
        }
        let matching = MessageMatch {
            kind: written.kind.as_ref().map(|kind| kind.value.clone()),
            to: ends[1].take(),
            from: ends[0].take(),
            instance,
            nth: written.nth.as_ref().map(|nth| nth.value),
        };
        let action = match action {
            WrittenAction::Drop => MessageAction::Drop,
            WrittenAction::Delay(delay) => MessageAction::Delay(*delay),
            WrittenAction::Duplicate => MessageAction::Duplicate,
            WrittenAction::Fail { status, body } => {
                MessageAction::Fail { status: *status, body: body.clone() }
            }
            WrittenAction::Redirect(to) => MessageAction::Redirect(self.server_or_address(to)?),
            WrittenAction::Break => MessageAction::Break,
        };
        Some(Fault::Messages { matching, action })
    }

    fn request(&mut self, request: &Request) -> Vec<Fault> {
        let asked = match &request.to {
            Some(to) => match self.servers_of(to) {
                Some(nodes) => Some(nodes),
                None => return Vec::new(),
            },
            None => None,
        };
        // An application knows only itself; the health that its check finds is known to nobody else.
        let wrong = match (&request.what, &asked) {
            (Asked::SetHealth(_), Some(_)) => {
                Some(("only an instance itself has a health", "leave `to` out"))
            }
            (Asked::SetStatus(_) | Asked::SetMetadata(_) | Asked::SetHealth(_), _) | (_, Some(_)) => None,
            (Asked::SetGroup { .. }, None) => Some(("a group is known to servers", "such as `to: peer1`")),
            (Asked::Register | Asked::Renew | Asked::Deregister | Asked::ClearStatus(_), None) => Some((
                "an instance itself is asked for nothing but `set-status`, `set-metadata` and `set-health`",
                "name a server: `to: peer1`",
            )),
        };
        if let Some((message, help)) = wrong {
            self.error(request.span, message, Some(help.to_owned()));
            return Vec::new();
        }
        let ask = |process: &NodeId, operation| Fault::Ask { process: *process, operation };
        let Some(of) = &request.of else {
            let Asked::SetGroup { group, enabled } = &request.what else { return Vec::new() };
            let operation = Operation::SetGroup { group: Arc::clone(group), enabled: *enabled };
            return asked.iter().flatten().map(|process| ask(process, operation.clone())).collect();
        };
        let Some(owners) = self.processes_of(of) else { return Vec::new() };
        let Some(instances) = self.instances_of(of) else { return Vec::new() };
        if matches!(request.what, Asked::SetHealth(_)) && !self.all_have_health_checks(of, &owners) {
            return Vec::new();
        }
        let mut faults = Vec::new();
        for (owner, instance) in owners.into_iter().zip(instances) {
            let operation = match &request.what {
                Asked::Register => Operation::Register { instance },
                Asked::Renew => Operation::Renew { instance },
                Asked::Deregister => Operation::Deregister { instance },
                Asked::SetStatus(status) => {
                    let server = self.processes[owner.index()].role == Role::Server;
                    match asked.is_none() && server {
                        true => Operation::SetOwnStatus { instance, status: *status },
                        false => Operation::SetStatus { instance, status: *status },
                    }
                }
                Asked::ClearStatus(status) => Operation::ClearStatus { instance, status: *status },
                Asked::SetMetadata(entries) => {
                    Operation::SetMetadata { instance, entries: Arc::clone(entries) }
                }
                Asked::SetHealth(health) => Operation::SetHealth { instance, health: *health },
                Asked::SetGroup { .. } => continue,
            };
            let at: &[NodeId] = asked.as_deref().unwrap_or(std::slice::from_ref(&owner));
            faults.extend(at.iter().map(|process| ask(process, operation.clone())));
        }
        faults
    }
}

impl Resolver<'_> {
    /// Whether all of these have a check of their health; what a check finds means nothing to the others.
    fn all_have_health_checks(&mut self, who: &Who, nodes: &[NodeId]) -> bool {
        let without = nodes.iter().find(|node| match &*self.configs[node.index()] {
            eureka::Config::Server(_) => true,
            eureka::Config::Client(client) => client.health == HealthSource::None,
        });
        let Some(node) = without else { return true };
        let process = &self.processes[node.index()];
        let help = match process.role {
            Role::Server => "a service with `health: callback` or `health: actuator`",
            Role::Client => "`health: callback` or `health: actuator` at the service",
        };
        let message = format!("no health check: `{}`", process.name);
        self.error(who.span, message, Some(help.to_owned()));
        false
    }
}

/// When a step begins: once, or again and again until a time.
fn beginnings(step: &Written, first: SimTime) -> Vec<SimTime> {
    let Some((every, until)) = &step.repeat else { return vec![first] };
    let mut begins = Vec::new();
    let mut at = first;
    while at <= SimTime::from(until.value) {
        begins.push(at);
        at = at + every.value;
    }
    begins
}
