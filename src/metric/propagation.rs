//! How changes of truth spread: what became of every pair of a change and an observer, and after how long.
//!
//! Observers are all servers and the subscribed clients. An observer owes every change from the moment of the change on, or from its
//! own start if it starts later; while it does not run it owes nothing. A change is open until the next change of the same instance,
//! or until the run ends. *Presence* (listed or not) and *status* are changes of their own: an instance that appears as STARTING and is
//! UP a moment later was discovered when it was first listed.
//!
//! The state is one word a pair. In a large world that is kept to [`PAIRS`]: then clients are observed by an evenly spread sample.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::latency::{Latencies, millis};
use crate::check::Cluster;
use crate::history::{Record, What};
use crate::plan::world::{ClusterId, Role, World};
use crate::protocol::{Event, InstanceId, NodeId, Operation, SimTime, Status, View};

/// Pairs of observer and instance that are followed; servers always are.
const PAIRS: usize = 50_000;
/// Differences between views that are remembered: thousands of clients go from one view to another.
const REMEMBERED: usize = 4;

/// What became of the pairs of some changes and some observers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reached {
    /// From the change to when the observer came to show it for good, ms. One for each pair that is stable or stale.
    pub latencies: Latencies,
    /// Pairs in which it was shown from one moment on until the next change, or the end.
    pub stable: u64,
    /// Pairs in which it was shown in the end, but for a while was no longer shown before.
    pub stale: u64,
    /// Pairs in which it was shown, and was not in the end.
    pub lost: u64,
    /// Pairs in which it was never shown within the run.
    pub never: u64,
    /// Pairs in which it was not shown before the next change of the same instance.
    pub overtaken: u64,
}

impl Reached {
    /// All pairs.
    pub fn pairs(&self) -> u64 {
        self.stable + self.stale + self.lost + self.never + self.overtaken
    }

    /// Adds the pairs of another.
    pub fn extend(&mut self, other: &Reached) {
        self.latencies.extend(&other.latencies);
        self.stable += other.stable;
        self.stale += other.stale;
        self.lost += other.lost;
        self.never += other.never;
        self.overtaken += other.overtaken;
    }
}

/// The same for both classes of observers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ByClass {
    /// Of servers.
    pub servers: Reached,
    /// Of subscribed clients.
    pub clients: Reached,
}

impl ByClass {
    fn of(&mut self, class: Class) -> &mut Reached {
        match class {
            Class::Server => &mut self.servers,
            Class::Client => &mut self.clients,
        }
    }
}

/// How all changes of a run have spread. The latencies are what distributions are drawn of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Propagation {
    /// Instances that appeared: discovery.
    pub appeared: ByClass,
    /// Instances that left by themselves: forgetting.
    pub left: ByClass,
    /// Instances that died: forgetting, and at servers detection.
    pub died: ByClass,
    /// Statuses that changed.
    pub status: ByClass,
    /// How many changes of truth there were.
    pub changes: u64,
    /// Clients that were observed, of all that subscribe.
    pub clients_observed: u32,
    /// Of each pair, how early in the window of its change it was shown for good, in 1/10,000 of the window; 0 if not. Of clients,
    /// if any subscribe, else of servers. (Dabrowski, Mills, Elder: update responsiveness.)
    pub responsiveness: Latencies,
    /// Times that a server listed a living instance again that it had ceased to list.
    pub flaps: u64,
    /// Times that a server listed a dead instance again that it had ceased to list.
    pub returns: u64,
}

impl Propagation {
    /// Instances that ceased to be there, in both ways.
    pub fn forgotten(&self) -> ByClass {
        let mut all = self.left.clone();
        all.servers.extend(&self.died.servers);
        all.clients.extend(&self.died.clients);
        all
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Server,
    Client,
}

/// What an instance has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Appeared,
    Left,
    Died,
    Status,
}

/// What is known of one observer and one change, in a word: it owes nothing, it owes the change, or it shows it since a moment; and
/// whether it has shown it before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Pair(u32);

impl Pair {
    const NOTHING: Pair = Pair(0);
    const OWES: Pair = Pair(1);
    const AGAIN: u32 = 1 << 31;

    fn since(self) -> Option<u32> {
        (self.0 & !Self::AGAIN).checked_sub(2)
    }

    fn again(self) -> bool {
        self.0 & Self::AGAIN != 0
    }

    /// The observer shows what is true. Returns whether it is not the first time.
    fn shows(&mut self, at: SimTime) -> bool {
        if self.0 & !Self::AGAIN != Self::OWES.0 {
            return false;
        }
        let since = millis(at.since(SimTime::ZERO)).min(Self::AGAIN - 3);
        self.0 = (self.0 & Self::AGAIN) | (since + 2);
        self.again()
    }

    /// The observer no longer shows what is true.
    fn hides(&mut self) {
        if self.since().is_some() {
            self.0 = Self::AGAIN | Self::OWES.0;
        } else if *self == Self::NOTHING {
            *self = Self::OWES;
        }
    }
}

#[derive(Clone, Debug)]
struct Observer {
    node: NodeId,
    cluster: ClusterId,
    class: Class,
    /// Since when it runs.
    running: Option<SimTime>,
    /// Of a client: what it shows.
    view: Arc<View>,
}

#[derive(Clone, Debug)]
struct StatusChange {
    at: SimTime,
    to: Status,
    pairs: Box<[Pair]>,
}

/// How two views differ: the instance, whether it is listed in the one, its status in the other.
type Difference = (InstanceId, bool, Option<Status>);

/// Two views and how they differ.
type Compared = (Arc<View>, Arc<View>, Arc<[Difference]>);

/// The fold.
pub struct Tracker {
    observers: Vec<Observer>,
    /// The observer of each process.
    place_of: Vec<Option<u32>>,
    /// The last change of each instance's presence.
    changes: Vec<Option<(SimTime, Kind)>>,
    alive: Vec<bool>,
    /// The cluster of each instance.
    homes: Vec<ClusterId>,
    statuses: Vec<Option<Status>>,
    /// One row an instance, one column an observer: changes of instances are what happens most.
    pairs: Vec<Pair>,
    status_changes: BTreeMap<InstanceId, StatusChange>,
    differences: [Option<Compared>; REMEMBERED],
    next: usize,
    users: Class,
    found: Propagation,
}

impl Tracker {
    /// Before the run.
    pub fn new(world: &World) -> Tracker {
        let instances = world.instances.len();
        let of = |role| {
            let processes = (0..).map(NodeId).zip(&world.processes);
            processes.filter(move |(_, process)| process.role == role)
        };
        let clients: Vec<NodeId> =
            of(Role::Client).filter(|(_, process)| process.subscribes).map(|(node, _)| node).collect();
        let most = (PAIRS / instances.max(1)).max(1).min(clients.len());
        // Evenly spread: the n-th of `most` stands at n / most of the list.
        let sample = (0..most).map(|n| (clients[n * clients.len() / most], Class::Client));
        let observers: Vec<Observer> = of(Role::Server)
            .map(|(node, _)| (node, Class::Server))
            .chain(sample)
            .map(|(node, class)| Observer {
                node,
                cluster: world.cluster(node),
                class,
                running: None,
                view: Arc::default(),
            })
            .collect();
        let mut place_of = vec![None; world.processes.len()];
        for (place, observer) in (0..).zip(&observers) {
            place_of[observer.node.index()] = Some(place);
        }
        Tracker {
            pairs: vec![Pair::NOTHING; observers.len() * instances],
            users: if clients.is_empty() { Class::Server } else { Class::Client },
            found: Propagation { clients_observed: most as u32, ..Propagation::default() },
            observers,
            place_of,
            changes: vec![None; instances],
            alive: vec![false; instances],
            homes: world.homes(),
            statuses: vec![None; instances],
            status_changes: BTreeMap::new(),
            differences: Default::default(),
            next: 0,
        }
    }

    /// Takes in one record that may have changed a view or a truth; `cluster` is the state after it.
    pub fn record(&mut self, record: &Record, cluster: &Cluster<'_>) {
        let at = record.at;
        let own =
            |node: NodeId| cluster.world().processes[node.index()].instance.map(|(_, instance)| instance);
        match &record.what {
            What::Event { node, event } => self.event(at, *node, event, cluster),
            What::Started { node } => {
                self.started(at, *node);
                own(*node)
                    .into_iter()
                    .for_each(|instance| self.present(at, instance, Kind::Appeared, cluster));
            }
            What::Stopping { node } => {
                own(*node).into_iter().for_each(|instance| self.present(at, instance, Kind::Left, cluster));
            }
            What::Ended { node, .. } => {
                self.ended(at, *node);
                own(*node).into_iter().for_each(|instance| self.present(at, instance, Kind::Died, cluster));
            }
            What::Invoked { operation, .. } => match operation {
                Operation::SetStatus { instance, .. } | Operation::ClearStatus { instance, .. } => {
                    self.status(at, *instance, cluster);
                }
                Operation::SetGroup { .. } => {
                    (0..self.alive.len()).for_each(|it| self.status(at, InstanceId(it as u32), cluster));
                }
                _ => {}
            },
            _ => {}
        }
    }

    fn event(&mut self, at: SimTime, node: NodeId, event: &Event, cluster: &Cluster<'_>) {
        match event {
            Event::Registered { instance, status, .. } | Event::Changed { instance, status, .. } => {
                self.listed(at, node, *instance, Some(*status));
            }
            Event::Deregistered { instance, .. } | Event::Evicted { instance } => {
                self.listed(at, node, *instance, None);
            }
            Event::Announced { instance, .. } => self.status(at, *instance, cluster),
            Event::Adopted { view, .. } => self.adopted(at, node, view),
            Event::Renewed { .. }
            | Event::NotFound { .. }
            | Event::EvictionPass { .. }
            | Event::Joined { .. }
            | Event::MetadataChanged { .. }
            | Event::Gauge { .. } => {}
        }
    }

    /// An observer begins: it owes all that live.
    fn started(&mut self, at: SimTime, node: NodeId) {
        let Some(place) = self.place_of[node.index()] else { return };
        let (place, columns) = (place as usize, self.observers.len());
        let observer = &mut self.observers[place];
        observer.running = Some(at);
        observer.view = Arc::default();
        let column = self.pairs.iter_mut().skip(place).step_by(columns);
        for ((pair, alive), home) in column.zip(&self.alive).zip(&self.homes) {
            *pair = if *alive && *home == observer.cluster { Pair::OWES } else { Pair::NOTHING };
        }
        for change in self.status_changes.values_mut() {
            change.pairs[place] = Pair::NOTHING;
        }
    }

    /// An observer ends. What it has not shown by now, nobody knows whether it would have.
    fn ended(&mut self, at: SimTime, node: NodeId) {
        let Some(place) = self.place_of[node.index()] else { return };
        let place = place as usize;
        let columns = self.observers.len();
        for instance in 0..self.alive.len() {
            let pair = std::mem::take(&mut self.pairs[instance * columns + place]);
            if let (Some(_), Some((changed, kind))) = (pair.since(), self.changes[instance]) {
                self.close(place, pair, changed, kind, at, false);
            }
        }
        let changes = self.status_changes.values_mut();
        let pairs: Vec<(SimTime, Pair)> =
            changes.map(|change| (change.at, std::mem::take(&mut change.pairs[place]))).collect();
        for (changed, pair) in pairs.into_iter().filter(|(_, pair)| pair.since().is_some()) {
            self.close(place, pair, changed, Kind::Status, at, false);
        }
        self.observers[place].running = None;
    }

    /// An instance comes or goes, unless that is known already.
    fn present(&mut self, at: SimTime, instance: InstanceId, kind: Kind, cluster: &Cluster<'_>) {
        let index = instance.index();
        let alive = kind == Kind::Appeared;
        if self.alive[index] == alive {
            return;
        }
        self.alive[index] = alive;
        self.found.changes += 1;
        let before = self.changes[index].replace((at, kind));
        for place in 0..self.observers.len() {
            let slot = index * self.observers.len() + place;
            if let Some((changed, kind)) = before {
                self.close(place, self.pairs[slot], changed, kind, at, false);
            }
            let Observer { node, cluster: own, running, .. } = self.observers[place];
            // Who shows it already has nothing to learn, nor has another cluster when it appears.
            let concerned = running.is_some() && (!alive || own == self.homes[index]);
            let owes = concerned && cluster.lists(node, instance) != alive;
            self.pairs[slot] = if owes { Pair::OWES } else { Pair::NOTHING };
        }
        self.statuses[index] = cluster.truth(instance).status().filter(|_| alive);
        self.close_status(at, instance, false);
    }

    /// The status that views should show of an instance may have changed.
    fn status(&mut self, at: SimTime, instance: InstanceId, cluster: &Cluster<'_>) {
        let index = instance.index();
        let now = cluster.truth(instance).status();
        let before = self.statuses[index];
        if !self.alive[index] || before == now {
            return;
        }
        self.statuses[index] = now;
        let (Some(_), Some(to)) = (before, now) else { return };
        self.found.changes += 1;
        self.close_status(at, instance, false);
        let pair = |observer: &Observer| {
            let listed = observer.running.and_then(|_| cluster.listed_status(observer.node, instance));
            if listed.is_some_and(|status| status != to) { Pair::OWES } else { Pair::NOTHING }
        };
        let pairs: Box<[Pair]> = self.observers.iter().map(pair).collect();
        // An instance that is not listed yet, as when it starts, changes for nobody.
        if pairs.contains(&Pair::OWES) {
            self.status_changes.insert(instance, StatusChange { at, to, pairs });
        }
    }

    fn close_status(&mut self, at: SimTime, instance: InstanceId, last: bool) {
        if let Some(change) = self.status_changes.remove(&instance) {
            for (place, pair) in change.pairs.iter().enumerate() {
                self.close(place, *pair, change.at, Kind::Status, at, last);
            }
        }
    }

    /// An observer shows other views than before.
    fn adopted(&mut self, at: SimTime, node: NodeId, view: &Arc<View>) {
        let Some(place) = self.place_of[node.index()] else { return };
        let observer = &mut self.observers[place as usize];
        if observer.class == Class::Server || observer.running.is_none() {
            return;
        }
        let before = std::mem::replace(&mut observer.view, Arc::clone(view));
        for (instance, was_listed, status) in self.differences(&before, view).iter() {
            if *was_listed != status.is_some() {
                self.show(at, place as usize, *instance, status.is_some());
            }
            self.show_status(at, place as usize, *instance, *status);
        }
    }

    fn differences(&mut self, before: &Arc<View>, after: &Arc<View>) -> Arc<[Difference]> {
        let mut known = self.differences.iter().flatten();
        let same = known.find(|(one, other, _)| Arc::ptr_eq(one, before) && Arc::ptr_eq(other, after));
        if let Some((.., differences)) = same {
            return Arc::clone(differences);
        }
        let differences: Arc<[Difference]> = differences(before, after).into();
        let entry = (Arc::clone(before), Arc::clone(after), Arc::clone(&differences));
        self.differences[self.next] = Some(entry);
        self.next = (self.next + 1) % REMEMBERED;
        differences
    }

    /// A server lists an instance with this status, or not.
    fn listed(&mut self, at: SimTime, node: NodeId, instance: InstanceId, status: Option<Status>) {
        let Some(place) = self.place_of[node.index()] else { return };
        self.show(at, place as usize, instance, status.is_some());
        self.show_status(at, place as usize, instance, status);
    }

    fn show(&mut self, at: SimTime, place: usize, instance: InstanceId, listed: bool) {
        let alive = self.alive[instance.index()];
        if self.changes[instance.index()].is_none() {
            return;
        }
        let Observer { class, cluster, .. } = self.observers[place];
        if alive && cluster != self.homes[instance.index()] {
            return;
        }
        let server = class == Class::Server;
        let pair = &mut self.pairs[instance.index() * self.observers.len() + place];
        if listed == alive {
            let again = pair.shows(at);
            self.found.flaps += u64::from(again && alive && server);
        } else {
            let shown = pair.since().is_some();
            match alive && *pair == Pair::NOTHING {
                // It listed the instance when that appeared, so there was nothing to learn; now there is, again.
                true => *pair = Pair(Pair::AGAIN | Pair::OWES.0),
                false => pair.hides(),
            }
            self.found.returns += u64::from(shown && !alive && server);
        }
    }

    fn show_status(&mut self, at: SimTime, place: usize, instance: InstanceId, status: Option<Status>) {
        if self.status_changes.is_empty() {
            return;
        }
        let Some(change) = self.status_changes.get_mut(&instance) else { return };
        let pair = &mut change.pairs[place];
        if *pair == Pair::NOTHING {
            return;
        }
        match status {
            Some(status) if status == change.to => {
                pair.shows(at);
            }
            Some(_) => pair.hides(),
            // It does not show a wrong one any more; that it lists the instance is owed elsewhere.
            None => *pair = Pair::NOTHING,
        }
    }

    /// The window of a change ends; with the run, if it is the last.
    fn close(&mut self, place: usize, pair: Pair, changed: SimTime, kind: Kind, at: SimTime, last: bool) {
        let Observer { class, running, .. } = self.observers[place];
        let Some(started) = running.filter(|_| pair != Pair::NOTHING) else { return };
        let from = changed.max(started);
        let window = millis(at.since(from));
        let by_class = match kind {
            Kind::Appeared => &mut self.found.appeared,
            Kind::Left => &mut self.found.left,
            Kind::Died => &mut self.found.died,
            Kind::Status => &mut self.found.status,
        };
        let reached = by_class.of(class);
        let early = match pair.since() {
            Some(since) => {
                let latency = since.saturating_sub(millis(from.since(SimTime::ZERO)));
                reached.latencies.push(latency);
                *(if pair.again() { &mut reached.stale } else { &mut reached.stable }) += 1;
                window.saturating_sub(latency)
            }
            None => {
                let count = match (pair.again(), last) {
                    (true, _) => &mut reached.lost,
                    (false, true) => &mut reached.never,
                    (false, false) => &mut reached.overtaken,
                };
                *count += 1;
                0
            }
        };
        if class == self.users && window > 0 {
            let share = u64::from(early) * 10_000 / u64::from(window);
            self.found.responsiveness.push(share as u32);
        }
    }

    /// The run is over.
    pub fn finish(mut self, end: SimTime) -> Propagation {
        for index in 0..self.alive.len() {
            if let Some((changed, kind)) = self.changes[index] {
                for place in 0..self.observers.len() {
                    let pair = self.pairs[index * self.observers.len() + place];
                    self.close(place, pair, changed, kind, end, true);
                }
            }
            self.close_status(end, InstanceId(index as u32), true);
        }
        let found = &mut self.found;
        for by_class in [&mut found.appeared, &mut found.left, &mut found.died, &mut found.status] {
            by_class.servers.latencies.settle();
            by_class.clients.latencies.settle();
        }
        found.responsiveness.settle();
        self.found
    }
}

/// The instances whose listing or status differs, in order.
fn differences(before: &View, after: &View) -> Vec<Difference> {
    let (mut old, mut new) = (before.listings().iter().peekable(), after.listings().iter().peekable());
    let mut found = Vec::new();
    loop {
        let instance = match (old.peek(), new.peek()) {
            (None, None) => return found,
            (Some(one), None) | (None, Some(one)) => one.instance,
            (Some(one), Some(other)) => one.instance.min(other.instance),
        };
        let was = old.next_if(|listing| listing.instance == instance).map(|listing| listing.status);
        let is = new.next_if(|listing| listing.instance == instance).map(|listing| listing.status);
        if was != is {
            found.push((instance, was.is_some(), is));
        }
    }
}

#[cfg(test)]
mod tests;
