//! What happened in a run, one line for each change of state: when, who, what, and why.
//!
//! It watches the history as it goes by and keeps lines, not records: what happens to many in the same way between two steps of the
//! scenario becomes one line, so that a fleet of any size fits on a screen. Separate from the figures, which say how much, and
//! from the checks, which judge; it only tells. Left out: renewals, gauges that nobody would miss, calls that are answered; the whole
//! history is `history.jsonl`.

mod names;
pub mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use self::names::Names;
use crate::history::{CallResult, Observer, Record, What};
use crate::metric::Measured;
use crate::plan::world::{Role, World};
use crate::plan::{Plan, System};
use crate::protocol::{Event, Gauge, InstanceId, NodeId, Origin, SimTime, Status};

/// How much is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// The same thing between two steps is one line; at most [`SCREEN`] lines in all.
    Folded,
    /// Every change of state is a line of its own.
    Full,
}

/// Lines of a folded account.
pub const SCREEN: usize = 20;

/// Lines that are kept at most; what comes later is counted. A line takes about 200 bytes.
const KEPT: usize = 50_000;

/// The same thing so long after the last time is told again.
const GAP: Duration = Duration::from_secs(120);

/// Whoever speaks to another server for so long has turned to it. A heartbeat comes each 30 s.
const SETTLED: Duration = Duration::from_secs(5);

/// With more servers than these, what many of them do is told together.
const SERVERS_APART: usize = 3;

/// One kind of change. Two changes of one kind, at one server and of one service, share a line when lines are folded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A step of the scenario took effect, or was undone.
    Step {
        step: u32,
        began: bool,
    },
    Started {
        again: bool,
    },
    Stopping,
    Ended {
        stopping: bool,
        exit: Option<i32>,
    },
    Paused {
        paused: bool,
    },
    Announced {
        status: Status,
    },
    Registered {
        origin: Origin,
        status: Status,
        again: bool,
    },
    Changed {
        origin: Origin,
        status: Status,
    },
    Deregistered {
        origin: Origin,
    },
    Evicted {
        alive: bool,
        lease: Option<Duration>,
    },
    Metadata,
    Protection {
        on: bool,
        renewals: i64,
        threshold: i64,
    },
    Opened,
    Threshold {
        value: i64,
    },
    /// Instances are heard of from their owners at another server than before.
    Moved {
        from: NodeId,
        to: NodeId,
    },
    /// A client's copy lists other instances than before; how many, where lines are not folded.
    Copied {
        sizes: Option<(u32, u32)>,
    },
    /// Calls that came to nothing.
    Failing {
        result: CallResult,
    },
    /// Calls that are answered again.
    Answered,
    /// All views agree with the truth, or no longer do.
    Agreement {
        agree: bool,
        since: SimTime,
    },
}

/// One line.
#[derive(Clone, Debug)]
struct Line {
    at: SimTime,
    last: SimTime,
    kind: Kind,
    /// Nodes that did it.
    who: Names,
    /// Instances that it was done to.
    whom: Names,
    count: u64,
    /// The shortest and the longest silence before an eviction.
    silence: Option<(Duration, Duration)>,
    /// Whether it belongs to the start-up, before the first step.
    start_up: bool,
}

/// What one server holds of one instance.
#[derive(Clone, Copy, Debug, Default)]
struct Lease {
    heard: SimTime,
    status: Option<Status>,
    /// Whether it held it before.
    before: bool,
}

/// Which server hears of an instance from its owner.
#[derive(Clone, Copy, Debug, Default)]
struct Home {
    server: Option<NodeId>,
    /// Another one that has heard of it since, and from when on.
    other: Option<(NodeId, SimTime)>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Node {
    started: bool,
    running: bool,
    stopping: bool,
    renewals: i64,
    threshold: i64,
    protecting: Option<bool>,
    opened: bool,
    /// What its copy shows: a hash of the content, and its size.
    copy: Option<(u64, u32)>,
    failing: Option<CallResult>,
}

/// The fold.
#[derive(Clone, Debug)]
pub struct Chronicle<'p> {
    world: &'p World,
    detail: Detail,
    leases: Vec<Option<Duration>>,
    nodes: Vec<Node>,
    /// By server and instance; empty for clients.
    held: Vec<Vec<Lease>>,
    home: Vec<Home>,
    alive: Vec<bool>,
    announced: Vec<Option<(SimTime, Status)>>,
    node_groups: Vec<u32>,
    instance_groups: Vec<u32>,
    /// Whether each server has lines of its own.
    servers_apart: bool,
    lines: Vec<Line>,
    /// Lines of this stretch between two steps, with server and group, that may take in more.
    open: Vec<(usize, Option<NodeId>, u32)>,
    stepped: bool,
    /// When the last one came.
    stepped_at: SimTime,
    /// Changes that came when no more lines could be kept.
    lost: u64,
}

impl<'p> Chronicle<'p> {
    /// Before the run.
    pub fn new(plan: &'p Plan, detail: Detail) -> Chronicle<'p> {
        let world = &plan.world;
        let mut groups = BTreeMap::new();
        let mut group = |name: &str, server: bool| {
            let key = if server { "" } else { name.rsplit_once('/').map_or(name, |(service, _)| service) };
            let next = groups.len() as u32;
            *groups.entry(key.to_owned()).or_insert(next)
        };
        let servers: BTreeSet<&str> = world
            .processes
            .iter()
            .filter(|process| process.role == Role::Server)
            .map(|process| process.name.as_str())
            .collect();
        let node_groups = world
            .processes
            .iter()
            .map(|process| group(&process.name, process.role == Role::Server))
            .collect();
        let instance_groups =
            world.instances.iter().map(|name| group(name, servers.contains(name.as_str()))).collect();
        Chronicle {
            world,
            detail,
            leases: leases(plan),
            nodes: vec![Node::default(); world.processes.len()],
            held: vec![Vec::new(); world.processes.len()],
            home: vec![Home::default(); world.instances.len()],
            alive: vec![false; world.instances.len()],
            announced: vec![None; world.instances.len()],
            node_groups,
            instance_groups,
            servers_apart: servers.len() <= SERVERS_APART,
            lines: Vec::new(),
            open: Vec::new(),
            stepped: false,
            stepped_at: SimTime::ZERO,
            lost: 0,
        }
    }

    /// The run is over: adds when all views came to agree, for which one needs to have seen the end.
    pub fn finish(&mut self, measured: &Measured) {
        let agree = |at, agree, since| Line {
            at,
            last: at,
            kind: Kind::Agreement { agree, since },
            who: Names::default(),
            whom: Names::default(),
            count: 1,
            silence: None,
            start_up: false,
        };
        if self.detail == Detail::Full {
            for &(at, pairs) in measured.disagreement.points() {
                if measured.converged.is_none_or(|converged| at < converged) {
                    let last = self.lines.iter().rev().find_map(|line| match line.kind {
                        Kind::Agreement { agree, .. } => Some(agree),
                        _ => None,
                    });
                    if last != Some(pairs == 0) {
                        self.lines.push(agree(at, pairs == 0, at));
                    }
                }
            }
        }
        if let Some(converged) = measured.converged {
            self.lines.push(agree(converged, true, measured.last_disturbance));
        }
        self.lines.sort_by_key(|line| line.at);
    }

    fn event(&mut self, at: SimTime, node: NodeId, event: &Event) {
        match event {
            Event::Renewed { instance, origin } => {
                self.lease(node, *instance).heard = at;
                if *origin == Origin::Client {
                    self.heard_from_owner(at, node, *instance);
                }
            }
            Event::Registered { instance, status, origin, .. } => {
                self.registered(at, node, *instance, *status, *origin);
            }
            Event::Changed { instance, status, origin, .. } => {
                let lease = self.lease(node, *instance);
                if lease.status.replace(*status) != Some(*status) {
                    let kind = Kind::Changed { origin: *origin, status: *status };
                    self.tell(at, kind, Some(node), Some(*instance), None);
                }
            }
            Event::Deregistered { instance, origin } => {
                self.lease(node, *instance).status = None;
                self.tell(at, Kind::Deregistered { origin: *origin }, Some(node), Some(*instance), None);
            }
            Event::Evicted { instance } => {
                let lease = self.lease(node, *instance);
                lease.status = None;
                let silence = at.since(lease.heard);
                let kind = Kind::Evicted {
                    alive: self.alive[instance.index()],
                    lease: self.leases.get(instance.index()).copied().flatten(),
                };
                self.tell(at, kind, Some(node), Some(*instance), Some(silence));
            }
            Event::Announced { instance, status, .. } => {
                let before = self.announced[instance.index()].replace((at, *status));
                // What it says of itself as it starts is seen in its registration.
                if before.is_some_and(|(then, said)| said != *status && then < at) {
                    self.tell(at, Kind::Announced { status: *status }, Some(node), None, None);
                }
            }
            Event::MetadataChanged { instance } => {
                self.tell(at, Kind::Metadata, Some(node), Some(*instance), None);
            }
            Event::Adopted { view, .. } if self.world.processes[node.index()].role == Role::Client => {
                let copy = (view.content_hash(), view.listings().len() as u32);
                let before = self.nodes[node.index()].copy.replace(copy);
                if before.is_some_and(|before| before != copy) || (before.is_none() && copy.1 > 0) {
                    let sizes = (before.map_or(0, |(_, size)| size), copy.1);
                    let sizes = (self.detail == Detail::Full).then_some(sizes);
                    self.tell(at, Kind::Copied { sizes }, Some(node), None, None);
                }
            }
            Event::Gauge { gauge, value } => self.gauge(at, node, *gauge, *value),
            // A heartbeat that is answered 404 changes nothing; the registration that follows is told.
            Event::NotFound { .. }
            | Event::Adopted { .. }
            | Event::EvictionPass { .. }
            | Event::Joined { .. } => {}
        }
    }

    fn registered(
        &mut self,
        at: SimTime,
        node: NodeId,
        instance: InstanceId,
        status: Status,
        origin: Origin,
    ) {
        let lease = self.lease(node, instance);
        let (held, again) = (lease.status, lease.before);
        *lease = Lease { heard: at, status: Some(status), before: true };
        if held != Some(status) {
            let kind = match held {
                Some(_) => Kind::Changed { origin, status },
                None => Kind::Registered { origin, status, again },
            };
            self.tell(at, kind, Some(node), Some(instance), None);
        }
        if origin == Origin::Client {
            self.heard_from_owner(at, node, instance);
        }
    }

    /// An owner speaks to this server: did it speak to another one before? One word may be an old one that was long under way.
    fn heard_from_owner(&mut self, at: SimTime, node: NodeId, instance: InstanceId) {
        let home = &mut self.home[instance.index()];
        let Some(from) = home.server.filter(|server| *server != node) else {
            *home = Home { server: Some(node), other: None };
            return;
        };
        match home.other {
            Some((other, since)) if other == node => {
                if at.since(since) >= SETTLED {
                    *home = Home { server: Some(node), other: None };
                    self.tell(since, Kind::Moved { from, to: node }, None, Some(instance), None);
                }
            }
            _ => home.other = Some((node, at)),
        }
    }

    fn gauge(&mut self, at: SimTime, node: NodeId, gauge: Gauge, value: i64) {
        let known = &mut self.nodes[node.index()];
        match gauge {
            Gauge::RenewalsLastMinute => known.renewals = value,
            Gauge::RenewalThreshold => {
                let before = std::mem::replace(&mut known.threshold, value);
                if self.detail == Detail::Full && before != value {
                    self.tell(at, Kind::Threshold { value }, Some(node), None, None);
                }
            }
            Gauge::SelfPreservation => {
                let on = value == 1;
                // Off is how every server begins that has it switched off.
                if known.protecting.replace(on).unwrap_or(false) != on {
                    let (renewals, threshold) = (known.renewals, known.threshold);
                    self.tell(at, Kind::Protection { on, renewals, threshold }, Some(node), None, None);
                }
            }
            Gauge::Serving => {
                let before = std::mem::replace(&mut known.opened, value == 1);
                if known.opened && !before {
                    self.tell(at, Kind::Opened, Some(node), None, None);
                }
            }
            _ => {}
        }
    }

    fn traffic(&mut self, at: SimTime, caller: NodeId, chosen: Option<InstanceId>, result: CallResult) {
        let failing = (result != CallResult::Answered).then_some(result);
        let before = std::mem::replace(&mut self.nodes[caller.index()].failing, failing);
        let told = match self.detail {
            Detail::Folded => failing.is_some(),
            Detail::Full => failing != before,
        };
        if told {
            let kind = failing.map_or(Kind::Answered, |result| Kind::Failing { result });
            let chosen = chosen.filter(|_| failing.is_some());
            self.tell(at, kind, Some(caller), chosen, None);
        }
    }

    fn lifecycle(&mut self, at: SimTime, node: NodeId, what: &What) {
        let known = &mut self.nodes[node.index()];
        let kind = match what {
            What::Started { .. } => {
                let again = known.started;
                *known = Node { started: true, running: true, ..Node::default() };
                self.held[node.index()].clear();
                Kind::Started { again }
            }
            What::Stopping { .. } => {
                known.stopping = true;
                Kind::Stopping
            }
            What::Ended { exit, .. } => {
                known.running = false;
                Kind::Ended { stopping: known.stopping, exit: *exit }
            }
            What::Paused { paused, .. } => Kind::Paused { paused: *paused },
            _ => return,
        };
        let alive = known.running && !known.stopping;
        if let Some((_, instance)) = self.world.processes[node.index()].instance {
            self.alive[instance.index()] = alive;
            if matches!(kind, Kind::Started { .. }) {
                self.announced[instance.index()] = None;
            }
        }
        self.tell(at, kind, Some(node), None, None);
    }

    fn lease(&mut self, server: NodeId, instance: InstanceId) -> &mut Lease {
        let held = &mut self.held[server.index()];
        if held.len() <= instance.index() {
            held.resize(instance.index() + 1, Lease::default());
        }
        &mut held[instance.index()]
    }

    /// Adds to a line, or begins one.
    fn tell(
        &mut self,
        at: SimTime,
        kind: Kind,
        who: Option<NodeId>,
        whom: Option<InstanceId>,
        silence: Option<Duration>,
    ) {
        if matches!(kind, Kind::Step { .. }) {
            self.open.clear();
            self.stepped = true;
            self.stepped_at = at;
        }
        let place = match self.detail {
            Detail::Folded => self.place(at, kind, who, whom),
            Detail::Full => None,
        };
        let place = match place {
            Some(place) => place,
            None if self.lines.len() >= KEPT => {
                self.lost += 1;
                return;
            }
            None => {
                self.lines.push(Line {
                    at,
                    last: at,
                    kind,
                    who: Names::default(),
                    whom: Names::default(),
                    count: 0,
                    silence: None,
                    start_up: !self.stepped,
                });
                self.lines.len() - 1
            }
        };
        let line = &mut self.lines[place];
        line.at = line.at.min(at);
        line.last = line.last.max(at);
        line.count += 1;
        who.into_iter().for_each(|node| line.who.add(node.0));
        whom.into_iter().for_each(|instance| line.whom.add(instance.0));
        if let Some(silence) = silence {
            let (shortest, longest) = line.silence.unwrap_or((silence, silence));
            line.silence = Some((shortest.min(silence), longest.max(silence)));
        }
    }

    /// The line that takes this in, if there is one; else a new one will be open from now on.
    fn place(
        &mut self,
        at: SimTime,
        kind: Kind,
        who: Option<NodeId>,
        whom: Option<InstanceId>,
    ) -> Option<usize> {
        let of_server = who.filter(|node| {
            self.servers_apart && self.world.processes[node.index()].role == Role::Server && whom.is_some()
        });
        let group = match (kind, whom, who) {
            // All clients fetch alike.
            (Kind::Copied { .. } | Kind::Step { .. }, ..) => 0,
            (Kind::Failing { .. }, _, Some(node)) | (_, None, Some(node)) => self.node_groups[node.index()],
            (_, Some(instance), _) => self.instance_groups[instance.index()],
            (_, None, None) => 0,
        };
        let fits = |&&(place, server, of): &&(usize, Option<NodeId>, u32)| {
            let line = &self.lines[place];
            line.kind == kind && server == of_server && of == group && at.since(line.last) <= GAP
        };
        if let Some(&(place, ..)) = self.open.iter().rev().find(fits) {
            return Some(place);
        }
        // What is told late, of a time before the last step, is no part of what follows that.
        if self.lines.len() < KEPT && at >= self.stepped_at {
            self.open.push((self.lines.len(), of_server, group));
        }
        None
    }
}

impl Observer for Chronicle<'_> {
    fn record(&mut self, record: &Record) {
        let at = record.at;
        match &record.what {
            What::Event { node, event } => self.event(at, *node, event),
            What::Traffic { caller, chosen, result, last: true, .. } => {
                self.traffic(at, *caller, *chosen, *result);
            }
            What::Started { node }
            | What::Stopping { node }
            | What::Ended { node, .. }
            | What::Paused { node, .. } => self.lifecycle(at, *node, &record.what),
            What::Step { step, began } => {
                let kind = Kind::Step { step: *step, began: *began };
                if !self.told_already(at, kind) {
                    self.tell(at, kind, None, None, None);
                }
            }
            What::Traffic { .. } | What::Invoked { .. } | What::Completed { .. } | What::Disk { .. } => {}
        }
    }
}

impl Chronicle<'_> {
    /// A step of the scenario may be several of the plan; they bear one name.
    fn told_already(&self, at: SimTime, kind: Kind) -> bool {
        let name = |kind: Kind| match kind {
            Kind::Step { step, began } => self.world.steps.get(step as usize).map(|step| (&step.name, began)),
            _ => None,
        };
        // Some lines bear an earlier time than those before them; what happens at one time stands close together.
        let recent = self.lines.iter().rev().take(64).filter(|line| line.at == at);
        recent.map(|line| line.kind).any(|told| name(told) == name(kind))
    }
}

/// How long the lease of each instance lasts, if the system has leases.
fn leases(plan: &Plan) -> Vec<Option<Duration>> {
    let mut leases = vec![None; plan.world.instances.len()];
    let System::Eureka(configs) = &plan.system;
    for registration in configs.iter().filter_map(|config| config.client().instance.as_ref()) {
        leases[registration.id.index()] = Some(registration.instance.lease_duration);
    }
    leases
}

#[cfg(test)]
mod tests;
