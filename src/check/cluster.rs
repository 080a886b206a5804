//! The state of all clusters as the history tells it: what is true, what each server holds, what each cache shows, and in how
//! many places these differ.
//!
//! A view must list every living instance of its own cluster ([`World::clusters`]), and need not list those of others. What it
//! lists must be true wherever it comes from: an instance that is gone, or has another status, misleads whoever reads it.
//!
//! Every check and metric reads this one fold, so that "truth", "view" and "disagreement" mean the same everywhere (the
//! definitions stand in `docs/metrics.md`). It costs constant time a record, but for a cache's new view, which is compared once for all its
//! holders.

use std::sync::Arc;

use crate::history::{Record, What};
use crate::plan::world::{ClusterId, Role, World};
use crate::protocol::{Event, InstanceId, NodeId, Operation, SimTime, Status, View};

/// What is true of one instance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Truth {
    /// Its process runs and wants traffic.
    pub alive: bool,
    /// Status and version that its owner last announced.
    pub announced: Option<(Status, i64)>,
    /// What an operator has set.
    pub overridden: Option<Status>,
    /// An operator has taken its group out of service.
    pub group_off: bool,
}

impl Truth {
    /// The status that every view should show, if it is known. An override never hides that an instance is not ready.
    pub fn status(self) -> Option<Status> {
        let (announced, _) = self.announced?;
        match announced {
            Status::Up | Status::OutOfService => {
                let by_group = if self.group_off { Status::OutOfService } else { announced };
                Some(self.overridden.unwrap_or(by_group))
            }
            Status::Down | Status::Starting | Status::Unknown => Some(announced),
        }
    }

    /// Whether what a view lists differs; `own` if the instance is of the view's own cluster.
    pub fn differs(self, listed: Option<Status>, own: bool) -> bool {
        match listed {
            None => self.alive && own,
            Some(status) => !self.alive || self.status().is_some_and(|truth| truth != status),
        }
    }
}

/// What one server holds.
#[derive(Clone, Debug)]
pub struct Held {
    cluster: ClusterId,
    entries: Vec<Option<(Status, i64)>>,
    differs: u32,
    listed: u32,
}

impl Held {
    /// Status and version that it holds of an instance.
    pub fn get(&self, instance: InstanceId) -> Option<(Status, i64)> {
        self.entries[instance.index()]
    }

    /// Instances for which it differs from the truth.
    pub fn differs(&self) -> u32 {
        self.differs
    }

    /// Instances that it lists.
    pub fn listed(&self) -> u32 {
        self.listed
    }
}

/// One view that some caches show.
#[derive(Clone, Debug)]
struct Shown {
    view: Arc<View>,
    /// Of which all its holders are.
    cluster: ClusterId,
    holders: u32,
    /// Of these, those that are to hold the whole truth.
    subscribers: u32,
    differs: u32,
}

/// The fold.
#[derive(Clone, Debug)]
pub struct Cluster<'w> {
    world: &'w World,
    running: Vec<bool>,
    stopping: Vec<bool>,
    truths: Vec<Truth>,
    /// The cluster of each instance.
    homes: Vec<ClusterId>,
    /// Instances of each cluster that are alive.
    living: Vec<u32>,
    /// Who may hold something: few among many processes.
    servers: Vec<NodeId>,
    held: Vec<Option<Held>>,
    shown: Vec<Shown>,
    shown_by: Vec<Option<usize>>,
    empty: Arc<View>,
    disagreement: u64,
    agreed_since: Option<SimTime>,
    last_disturbance: SimTime,
}

impl<'w> Cluster<'w> {
    /// Before the run: nothing runs.
    pub fn new(world: &'w World) -> Cluster<'w> {
        let nodes = world.processes.len();
        Cluster {
            world,
            running: vec![false; nodes],
            stopping: vec![false; nodes],
            truths: vec![Truth::default(); world.instances.len()],
            homes: world.homes(),
            living: vec![0; world.cluster_count()],
            servers: world.servers_by_cluster().concat(),
            held: vec![None; nodes],
            shown: Vec::new(),
            shown_by: vec![None; nodes],
            empty: Arc::default(),
            disagreement: 0,
            agreed_since: Some(SimTime::ZERO),
            last_disturbance: SimTime::ZERO,
        }
    }

    /// Takes in one record. Returns whether any view or truth may have changed.
    pub fn record(&mut self, record: &Record) -> bool {
        let changed = match &record.what {
            What::Event { event: Event::Renewed { .. } | Event::Gauge { .. }, .. } => false,
            What::Event { node, event } => self.event(record.at, *node, event),
            What::Started { node } => {
                self.disturbed(record.at);
                self.started(*node);
                true
            }
            What::Stopping { node } => {
                self.disturbed(record.at);
                self.stopping[node.index()] = true;
                self.set_alive(*node, false);
                true
            }
            What::Ended { node, .. } => {
                if !self.stopping[node.index()] {
                    self.disturbed(record.at);
                }
                self.ended(*node);
                true
            }
            What::Invoked { node, operation, .. } => self.invoked(*node, operation),
            What::Step { .. } | What::Paused { .. } => {
                self.disturbed(record.at);
                true
            }
            What::Completed { .. } | What::Traffic { .. } | What::Disk { .. } => false,
        };
        if changed {
            match (self.disagreement, self.agreed_since) {
                (0, None) => self.agreed_since = Some(record.at),
                (0, Some(_)) => {}
                (_, _) => self.agreed_since = None,
            }
        }
        changed
    }

    /// The world that the run happens in.
    pub fn world(&self) -> &'w World {
        self.world
    }

    /// Whether the process runs.
    pub fn runs(&self, node: NodeId) -> bool {
        self.running[node.index()]
    }

    /// What is true of an instance.
    pub fn truth(&self, instance: InstanceId) -> Truth {
        self.truths[instance.index()]
    }

    /// The cluster that an instance is of.
    pub fn home(&self, instance: InstanceId) -> ClusterId {
        self.homes[instance.index()]
    }

    /// Instances of a cluster that are alive.
    pub fn living(&self, cluster: ClusterId) -> u32 {
        self.living[cluster.index()]
    }

    /// What a server holds; none while it does not run, and of processes that are not servers.
    pub fn held(&self, node: NodeId) -> Option<&Held> {
        self.held[node.index()].as_ref()
    }

    /// What a client's cache shows; none while it does not run.
    pub fn shown(&self, node: NodeId) -> Option<&View> {
        self.shown_by[node.index()].map(|at| &*self.shown[at].view)
    }

    /// Whether the process, as a server or through its cache, lists the instance.
    pub fn lists(&self, node: NodeId, instance: InstanceId) -> bool {
        self.held(node).is_some_and(|held| held.get(instance).is_some())
            || self.shown(node).is_some_and(|view| view.get(instance).is_some())
    }

    /// Pairs of observer and instance for which view and truth differ, over all running observers.
    pub fn disagreement(&self) -> u64 {
        self.disagreement
    }

    /// The same over subscribed clients alone.
    pub fn cache_disagreement(&self) -> u64 {
        self.shown.iter().map(|shown| u64::from(shown.subscribers) * u64::from(shown.differs)).sum()
    }

    /// Since when disagreement has been 0, if it is.
    pub fn agreed_since(&self) -> Option<SimTime> {
        self.agreed_since
    }

    /// The last disturbance or change of truth.
    pub fn last_disturbance(&self) -> SimTime {
        self.last_disturbance
    }

    /// The first few pairs that differ, in words.
    pub fn differences(&self, most: usize) -> Vec<String> {
        let observers = (0..self.running.len()).map(|at| NodeId(at as u32)).filter(|node| {
            self.held[node.index()].as_ref().map_or_else(
                || {
                    let differs = |at: usize| self.shown[at].differs > 0;
                    self.subscribes(*node) && self.shown_by[node.index()].is_some_and(differs)
                },
                |held| held.differs > 0,
            )
        });
        observers.flat_map(|node| self.differences_at(node)).take(most).collect()
    }

    fn differences_at(&self, node: NodeId) -> impl Iterator<Item = String> + '_ {
        let name = &self.world.processes[node.index()].name;
        let cluster = self.world.cluster(node);
        self.truths.iter().enumerate().filter_map(move |(at, truth)| {
            let listed = self.listed_status(node, InstanceId(at as u32));
            truth.differs(listed, self.homes[at] == cluster).then(|| {
                let instance = &self.world.instances[at];
                match (listed, truth.alive) {
                    (None, _) => format!("{name} lacks {instance}"),
                    (Some(_), false) => format!("{name} still lists {instance}"),
                    (Some(status), true) => format!("{name} has {instance} as {status}"),
                }
            })
        })
    }

    /// With which status the process, as a server or through its cache, lists the instance, if it does.
    pub fn listed_status(&self, node: NodeId, instance: InstanceId) -> Option<Status> {
        match self.held(node) {
            Some(held) => held.get(instance).map(|(status, _)| status),
            None => self.shown(node)?.get(instance).map(|listing| listing.status),
        }
    }

    fn disturbed(&mut self, at: SimTime) {
        self.last_disturbance = at;
        if self.agreed_since.is_some() {
            self.agreed_since = Some(at);
        }
    }

    fn started(&mut self, node: NodeId) {
        let process = &self.world.processes[node.index()];
        self.running[node.index()] = true;
        self.stopping[node.index()] = false;
        match process.role {
            Role::Server => {
                let cluster = self.world.cluster(node);
                let differs = self.living(cluster);
                let held = Held { cluster, entries: vec![None; self.truths.len()], differs, listed: 0 };
                self.disagreement += u64::from(held.differs);
                self.held[node.index()] = Some(held);
            }
            Role::Client if process.subscribes => {
                let empty = Arc::clone(&self.empty);
                self.show(node, Some(&empty));
            }
            Role::Client => {}
        }
        self.set_alive(node, true);
    }

    fn ended(&mut self, node: NodeId) {
        self.set_alive(node, false);
        self.running[node.index()] = false;
        if let Some(held) = self.held[node.index()].take() {
            self.disagreement -= u64::from(held.differs);
        }
        self.show(node, None);
    }

    fn set_alive(&mut self, node: NodeId, alive: bool) {
        let Some((_, instance)) = self.world.processes[node.index()].instance else { return };
        let truth = self.truths[instance.index()];
        if truth.alive != alive {
            let living = &mut self.living[self.homes[instance.index()].index()];
            *living = if alive { *living + 1 } else { *living - 1 };
            let announced = if alive { None } else { truth.announced };
            self.set_truth(instance, Truth { alive, announced, ..truth });
        }
    }

    fn invoked(&mut self, node: NodeId, operation: &Operation) -> bool {
        if self.held[node.index()].is_none() {
            return false;
        }
        let (instance, overridden) = match operation {
            Operation::SetStatus { instance, status } => (*instance, Some(*status)),
            Operation::ClearStatus { instance, .. } => (*instance, None),
            Operation::Register { .. }
            | Operation::Renew { .. }
            | Operation::Deregister { .. }
            | Operation::SetOwnStatus { .. }
            | Operation::LookUp { .. }
            | Operation::SetMetadata { .. }
            | Operation::SetHealth { .. } => return false,
            Operation::SetGroup { group, enabled } => {
                let world = self.world;
                let members = world.groups.iter().filter(|(name, _)| name == group);
                for &instance in members.flat_map(|(_, members)| members) {
                    let truth = self.truths[instance.index()];
                    self.set_truth(instance, Truth { group_off: !enabled, ..truth });
                }
                return true;
            }
        };
        self.set_truth(instance, Truth { overridden, ..self.truths[instance.index()] });
        true
    }

    fn event(&mut self, at: SimTime, node: NodeId, event: &Event) -> bool {
        match event {
            Event::Registered { instance, status, version, .. }
            | Event::Changed { instance, status, version, .. } => {
                self.hold(node, *instance, Some((*status, *version)));
                true
            }
            Event::Deregistered { instance, .. } | Event::Evicted { instance } => {
                self.hold(node, *instance, None);
                true
            }
            Event::Announced { instance, status, version } => {
                let truth = self.truths[instance.index()];
                if truth.announced.is_some_and(|(before, _)| before != *status) {
                    self.disturbed(at);
                }
                self.set_truth(*instance, Truth { announced: Some((*status, *version)), ..truth });
                true
            }
            Event::Adopted { view, .. } if self.world.processes[node.index()].role == Role::Client => {
                self.show(node, Some(view));
                true
            }
            Event::Adopted { .. }
            | Event::Renewed { .. }
            | Event::NotFound { .. }
            | Event::EvictionPass { .. }
            | Event::Joined { .. }
            | Event::MetadataChanged { .. }
            | Event::Gauge { .. } => false,
        }
    }

    fn hold(&mut self, node: NodeId, instance: InstanceId, entry: Option<(Status, i64)>) {
        let truth = self.truths[instance.index()];
        let Some(held) = &mut self.held[node.index()] else { return };
        let before = std::mem::replace(&mut held.entries[instance.index()], entry);
        held.listed = held.listed + u32::from(entry.is_some()) - u32::from(before.is_some());
        let own = held.cluster == self.homes[instance.index()];
        let differed = truth.differs(before.map(|(status, _)| status), own);
        let differs = truth.differs(entry.map(|(status, _)| status), own);
        held.differs = held.differs + u32::from(differs) - u32::from(differed);
        self.disagreement = self.disagreement + u64::from(differs) - u64::from(differed);
    }

    fn set_truth(&mut self, instance: InstanceId, truth: Truth) {
        let before = std::mem::replace(&mut self.truths[instance.index()], truth);
        let home = self.homes[instance.index()];
        for server in &self.servers {
            let Some(held) = &mut self.held[server.index()] else { continue };
            let listed = held.entries[instance.index()].map(|(status, _)| status);
            let own = held.cluster == home;
            let (differed, differs) = (before.differs(listed, own), truth.differs(listed, own));
            held.differs = held.differs + u32::from(differs) - u32::from(differed);
            self.disagreement = self.disagreement + u64::from(differs) - u64::from(differed);
        }
        for shown in self.shown.iter_mut().filter(|shown| shown.holders > 0) {
            let listed = shown.view.get(instance).map(|listing| listing.status);
            let own = shown.cluster == home;
            let (differed, differs) = (before.differs(listed, own), truth.differs(listed, own));
            shown.differs = shown.differs + u32::from(differs) - u32::from(differed);
            self.disagreement += u64::from(differs) * u64::from(shown.subscribers);
            self.disagreement -= u64::from(differed) * u64::from(shown.subscribers);
        }
    }

    fn subscribes(&self, node: NodeId) -> bool {
        self.world.processes[node.index()].subscribes
    }

    /// Lets a cache show a view, or nothing once its process has ended.
    fn show(&mut self, node: NodeId, view: Option<&Arc<View>>) {
        let subscribes = self.subscribes(node);
        if let Some(at) = self.shown_by[node.index()].take() {
            let before = &mut self.shown[at];
            before.holders -= 1;
            if subscribes {
                before.subscribers -= 1;
                self.disagreement -= u64::from(before.differs);
            }
            if before.holders == 0 {
                before.view = Arc::default();
            }
        }
        let Some(view) = view else { return };
        let cluster = self.world.cluster(node);
        let same =
            |shown: &Shown| shown.holders > 0 && Arc::ptr_eq(&shown.view, view) && shown.cluster == cluster;
        let at = match self.shown.iter().position(same) {
            Some(at) => at,
            None => {
                let fresh = Shown {
                    view: Arc::clone(view),
                    cluster,
                    holders: 0,
                    subscribers: 0,
                    differs: self.compare(view, cluster),
                };
                match self.shown.iter().position(|shown| shown.holders == 0) {
                    Some(free) => {
                        self.shown[free] = fresh;
                        free
                    }
                    None => {
                        self.shown.push(fresh);
                        self.shown.len() - 1
                    }
                }
            }
        };
        self.shown[at].holders += 1;
        if subscribes {
            self.shown[at].subscribers += 1;
            self.disagreement += u64::from(self.shown[at].differs);
        }
        self.shown_by[node.index()] = Some(at);
    }

    fn compare(&self, view: &View, cluster: ClusterId) -> u32 {
        let mut unlisted = self.living(cluster);
        let mut differs = 0;
        for listing in view.listings() {
            let truth = self.truths[listing.instance.index()];
            let own = self.homes[listing.instance.index()] == cluster;
            unlisted -= u32::from(truth.alive && own);
            differs += u32::from(truth.differs(Some(listing.status), own));
        }
        differs + unlisted
    }
}
