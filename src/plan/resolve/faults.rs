//! What the steps of the timeline do, in the words of the world.
//!
//! Separate from the schedule because that is about when alone. What changes how many processes there are is in
//! [`rollout`](super::rollout), what changes settings in [`changes`](super::changes).

use super::Resolver;
use super::rollout::spread;
use crate::plan::world::{ClockChange, Fault, HostId, MessageAction, MessageMatch, Role, Unflushed};
use crate::protocol::eureka::node::HealthSource;
use crate::protocol::eureka::{self, wire};
use crate::protocol::{NodeId, Operation};
use crate::scenario::diagnostic::{Span, Spanned};
use crate::scenario::selector::{Route, Who};
use crate::scenario::timeline::{
    Action, Asked, ClockChange as WrittenClock, Direction, Flapping, MessageAction as WrittenAction,
    MessageMatch as WrittenMatch, Request, Step as Written, Unflushed as WrittenUnflushed,
};
use crate::scenario::topology::Behind;
use std::sync::Arc;
use std::time::Duration;

/// How far clocks may jump, all jumps together: a hundred years, well within what a wall clock holds.
const MOST_JUMPED_NS: u64 = 100 * 365 * 86_400 * 1_000_000_000;

impl<'s> Resolver<'s> {
    /// What a step does and how long after its beginning, in the words of the world. More than one fault if the world has no single
    /// word for it, or if it hits one after the other.
    pub(super) fn moves(&mut self, step: &'s Written) -> Vec<(Duration, Fault)> {
        let over = step.over.as_ref().map(|over| over.value);
        match &step.action {
            Action::Crash(who) => {
                spread(over, self.processes_of(who), |processes| Fault::Crash { processes })
            }
            Action::PowerOff { who, unflushed } => {
                let unflushed = match unflushed {
                    WrittenUnflushed::Drawn => Unflushed::Drawn,
                    WrittenUnflushed::Kept => Unflushed::Kept,
                    WrittenUnflushed::Lost => Unflushed::Lost,
                    WrittenUnflushed::Torn => Unflushed::Torn,
                };
                if unflushed != Unflushed::Drawn {
                    self.no_disk::<()>(who.span);
                }
                spread(over, self.hosts_then(who), |hosts| Fault::PowerOff { hosts, unflushed })
            }
            Action::Restart { who, wipe } => {
                let wipe_disk = *wipe;
                spread(over, self.processes_of(who), |processes| Fault::Restart { processes, wipe_disk })
            }
            Action::Stop(who) => spread(over, self.processes_of(who), |processes| Fault::Stop { processes }),
            Action::RollingRestart(rolling) => self.rolling(rolling),
            Action::Scale { service, to, graceful } => self.scale(service, to.value, *graceful, over),
            _ => self.faults(step).into_iter().map(|fault| (Duration::ZERO, fault)).collect(),
        }
    }

    /// What a step does at its beginning.
    fn faults(&mut self, step: &'s Written) -> Vec<Fault> {
        let one = |fault: Option<Fault>| fault.into_iter().collect();
        match &step.action {
            Action::Crash(_)
            | Action::PowerOff { .. }
            | Action::Restart { .. }
            | Action::Stop(_)
            | Action::RollingRestart(_)
            | Action::Scale { .. } => unreachable!("these are spread over time"),
            Action::SlowDisk { who, .. } | Action::FullDisk(who) => one(self.no_disk(who.span)),
            Action::Pause(who) => one(self.processes_of(who).map(|processes| Fault::Pause { processes })),
            Action::Slow { who, factor } => {
                let Ok(factor_milli) = u32::try_from(factor.thousandths) else {
                    self.error(factor.span, "a factor too large", Some("at most `4294967x`".into()));
                    return Vec::new();
                };
                one(self.processes_of(who).map(|processes| Fault::Slow { processes, factor_milli }))
            }
            Action::Partition(groups) => one(self.partition(groups)),
            Action::Bridge { over, between } => one(self.bridge(over, between)),
            Action::Isolate { who, only } => one(self.isolate(who, *only)),
            Action::Cut(route) => self.cut(route),
            Action::Flap { what, down, up } => self.flap(what, (down.low, down.high), (up.low, up.high)),
            Action::Silence(who) => one(self.hosts_of(who).map(|hosts| Fault::Silence { hosts })),
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
                    WrittenClock::Jump(jump) => {
                        self.jumped = self.jumped.saturating_add(jump.nanos.unsigned_abs());
                        if self.jumped > MOST_JUMPED_NS {
                            let help = Some("at most 100 years, all jumps together".to_owned());
                            self.error(step.span, "clocks that jump too far", help);
                        }
                        ClockChange::Jump(jump.nanos)
                    }
                    WrittenClock::Drift(drift) => {
                        ClockChange::Drift(self.ppm(drift.parts_per_billion, step.span))
                    }
                    WrittenClock::Freeze => ClockChange::Freeze,
                };
                one(self.hosts_then(who).map(|hosts| Fault::Clock { hosts, change }))
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

    /// What a disk would suffer. No machine of this system keeps anything on one.
    fn no_disk<T>(&mut self, span: Span) -> Option<T> {
        let help = "its registry is in memory: a restart begins with nothing, or with what its peers hold";
        self.refuse(span, "eureka keeps nothing on a disk: this would change nothing", help)
    }

    fn bridge(&mut self, over: &Who, between: &[Who]) -> Option<Fault> {
        let bridge = self.hosts_of(over)?;
        let Fault::Partition { groups } = self.partition(between)? else { return None };
        for (group, written) in groups.iter().zip(between) {
            if let Some(both) = group.iter().find(|host| bridge.contains(host)) {
                let message =
                    format!("the bridge cannot be on one of its sides: `{}`", self.hosts[both.index()].name);
                return self.refuse(written.span, message, "those that it lies between");
            }
        }
        Some(Fault::Partition { groups })
    }

    fn isolate(&mut self, who: &Who, only: Option<Direction>) -> Option<Fault> {
        let alone = self.hosts_of(who)?;
        let others = self.hosts_but(&alone);
        if others.is_empty() {
            return self.refuse(who.span, "all hosts isolated from nobody", "a part of them");
        }
        Some(match only {
            None => Fault::Partition { groups: vec![alone, others] },
            Some(Direction::Inbound) => Fault::Cut { from: others, to: alone },
            Some(Direction::Outbound) => Fault::Cut { from: alone, to: others },
        })
    }

    fn hosts_but(&self, hosts: &[HostId]) -> Vec<HostId> {
        (0..self.hosts.len() as u32).map(HostId).filter(|host| !hosts.contains(host)).collect()
    }

    /// A path both ways is one cut; where its ends overlap (`peer1 <-> servers`), one for each way.
    fn cut(&mut self, route: &Route) -> Vec<Fault> {
        let Some((from, to)) = self.ends(route) else { return Vec::new() };
        match (route.both_ways, from.iter().any(|host| to.contains(host))) {
            (false, _) => vec![Fault::Cut { from, to }],
            (true, false) => vec![Fault::Partition { groups: vec![from, to] }],
            (true, true) => {
                vec![Fault::Cut { from: from.clone(), to: to.clone() }, Fault::Cut { from: to, to: from }]
            }
        }
    }

    fn flap(&mut self, what: &Flapping, down: (Duration, Duration), up: (Duration, Duration)) -> Vec<Fault> {
        let (from, to, both_ways) = match what {
            Flapping::Path(route) => {
                let Some((from, to)) = self.ends(route) else { return Vec::new() };
                (from, to, route.both_ways)
            }
            Flapping::Place(who) => {
                let Some(hosts) = self.hosts_of(who) else { return Vec::new() };
                let others = self.hosts_but(&hosts);
                if others.is_empty() {
                    return self
                        .refuse(who.span, "all hosts flapping from nobody", "a part of them")
                        .into_iter()
                        .collect();
                }
                (hosts, others, true)
            }
        };
        vec![Fault::Flap { from, to, both_ways, down, up }]
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
            WrittenAction::Hold => MessageAction::Hold,
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
