//! Who believed what: of every instance and observer, what the observer showed of it over time, and whether that was true.
//!
//! Kept as runs of equal values, and only in worlds and runs small enough for a picture ([`CELLS`], [`STEPS`]); where they are not,
//! disagreement over time and the latencies of changes say it in sums.

use crate::check::Cluster;
use crate::history::{Record, What};
use crate::plan::world::{Role, World};
use crate::protocol::{Event, InstanceId, NodeId, Operation, SimTime, Status};

/// Pairs of observer and instance beyond which nothing is kept.
pub const CELLS: usize = 2_000;
/// Changes of beliefs, over all pairs, beyond which nothing is kept.
pub const STEPS: usize = 200_000;

/// What an observer shows of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Belief {
    /// It does not run: it shows nothing of anybody.
    Off,
    /// It does not list the instance.
    Absent,
    /// It lists it with this status.
    Listed(Status),
}

/// A belief from a moment on, until the next one of the same pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Since when.
    pub at: SimTime,
    /// What.
    pub belief: Belief,
    /// Whether it differs from the truth then.
    pub wrong: bool,
}

/// One who believes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observer {
    /// The process.
    pub node: NodeId,
    /// Its name.
    pub name: String,
    /// Whether it is a server; else it is a subscribed client.
    pub server: bool,
}

/// The whole matrix.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matrix {
    /// Servers first, then subscribed clients, both in order of the plan.
    pub observers: Vec<Observer>,
    /// Names of the instances.
    pub instances: Vec<String>,
    /// What was true of each instance: `Off` while it is not there, `Listed` with the status that it should have (`Unknown` while
    /// it has said none). Before the first one it is `Off`. Nothing here is wrong.
    pub truth: Vec<Vec<Held>>,
    /// What each observer held of each instance, row by row: the pair of observer `o` and instance `i` is at
    /// `o * instances.len() + i`. Before the first one it is `Off`.
    pub cells: Vec<Vec<Held>>,
}

impl Matrix {
    /// What an observer held of an instance over time.
    pub fn cell(&self, observer: usize, instance: usize) -> &[Held] {
        &self.cells[observer * self.instances.len() + instance]
    }
}

/// Who believed what, or why it is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Beliefs {
    /// All of it.
    Kept(Matrix),
    /// There are so many pairs of observer and instance.
    TooManyPairs(usize),
    /// There were more than [`STEPS`] changes by this time.
    TooManyChanges(SimTime),
}

impl Default for Beliefs {
    fn default() -> Beliefs {
        Beliefs::Kept(Matrix::default())
    }
}

/// The fold.
pub struct Recorder {
    beliefs: Beliefs,
    place_of: Vec<Option<usize>>,
    steps: usize,
}

impl Recorder {
    /// Before the run.
    pub fn new(world: &World) -> Recorder {
        let instances = world.instances.len();
        let observers = |server: bool| {
            let role = if server { Role::Server } else { Role::Client };
            let some = world
                .processes
                .iter()
                .enumerate()
                .filter(move |(_, process)| process.role == role && (server || process.subscribes));
            some.map(move |(at, process)| Observer {
                node: NodeId(at as u32),
                name: process.name.clone(),
                server,
            })
        };
        let subscribers =
            world.processes.iter().filter(|process| process.role == Role::Server || process.subscribes);
        let pairs = subscribers.count() * instances;
        let mut place_of = Vec::new();
        let beliefs = if pairs > CELLS {
            Beliefs::TooManyPairs(pairs)
        } else {
            let observers: Vec<Observer> = observers(true).chain(observers(false)).collect();
            place_of = vec![None; world.processes.len()];
            for (place, observer) in observers.iter().enumerate() {
                place_of[observer.node.index()] = Some(place);
            }
            Beliefs::Kept(Matrix {
                observers,
                instances: world.instances.clone(),
                truth: vec![Vec::new(); instances],
                cells: vec![Vec::new(); pairs],
            })
        };
        Recorder { beliefs, place_of, steps: 0 }
    }

    /// Takes in one record that may have changed a view or a truth; `cluster` is the state after it.
    pub fn record(&mut self, record: &Record, cluster: &Cluster<'_>) {
        let Beliefs::Kept(matrix) = &mut self.beliefs else { return };
        let at = record.at;
        let mut look = Look { matrix, place_of: &self.place_of, cluster, at, steps: &mut self.steps };
        match &record.what {
            What::Started { node } | What::Stopping { node } | What::Ended { node, .. } => {
                if let Some((_, instance)) = cluster.world().processes[node.index()].instance {
                    look.truth(instance);
                }
                look.row(*node);
            }
            What::Event { node, event } => match event {
                Event::Registered { instance, .. }
                | Event::Changed { instance, .. }
                | Event::Deregistered { instance, .. }
                | Event::Evicted { instance } => look.cell(*node, *instance),
                Event::Announced { instance, .. } => look.truth(*instance),
                Event::Adopted { .. } => look.row(*node),
                Event::Renewed { .. }
                | Event::NotFound { .. }
                | Event::EvictionPass { .. }
                | Event::Joined { .. }
                | Event::MetadataChanged { .. }
                | Event::Gauge { .. } => {}
            },
            What::Invoked { operation, .. } => match operation {
                Operation::SetStatus { instance, .. } | Operation::ClearStatus { instance, .. } => {
                    look.truth(*instance);
                }
                Operation::SetGroup { .. } => {
                    (0..look.matrix.instances.len()).for_each(|it| look.truth(InstanceId(it as u32)));
                }
                _ => {}
            },
            _ => {}
        }
        if self.steps > STEPS {
            self.beliefs = Beliefs::TooManyChanges(at);
        }
    }

    /// The run is over.
    pub fn finish(self) -> Beliefs {
        self.beliefs
    }
}

/// A look at the cluster as it is now.
struct Look<'a> {
    matrix: &'a mut Matrix,
    place_of: &'a [Option<usize>],
    cluster: &'a Cluster<'a>,
    at: SimTime,
    steps: &'a mut usize,
}

impl Look<'_> {
    /// The truth of an instance, and whether each observer is right.
    fn truth(&mut self, instance: InstanceId) {
        let truth = self.cluster.truth(instance);
        let belief = match truth.alive {
            true => Belief::Listed(truth.status().unwrap_or(Status::Unknown)),
            false => Belief::Off,
        };
        let steps = &mut self.matrix.truth[instance.index()];
        *self.steps += usize::from(push(steps, Held { at: self.at, belief, wrong: false }));
        for place in 0..self.matrix.observers.len() {
            self.cell(self.matrix.observers[place].node, instance);
        }
    }

    /// All that one observer shows.
    fn row(&mut self, node: NodeId) {
        (0..self.matrix.instances.len()).for_each(|it| self.cell(node, InstanceId(it as u32)));
    }

    fn cell(&mut self, node: NodeId, instance: InstanceId) {
        let Some(place) = self.place_of[node.index()] else { return };
        let belief = match self.cluster.listed_status(node, instance) {
            _ if !self.cluster.runs(node) => Belief::Off,
            None => Belief::Absent,
            Some(status) => Belief::Listed(status),
        };
        let listed = match belief {
            Belief::Listed(status) => Some(status),
            Belief::Off | Belief::Absent => None,
        };
        let own = self.cluster.home(instance) == self.cluster.world().cluster(node);
        let wrong = belief != Belief::Off && self.cluster.truth(instance).differs(listed, own);
        let index = place * self.matrix.instances.len() + instance.index();
        *self.steps += usize::from(push(&mut self.matrix.cells[index], Held { at: self.at, belief, wrong }));
    }
}

/// Adds a belief, unless it is the last one. Of several at one moment the last one counts.
fn push(cell: &mut Vec<Held>, held: Held) -> bool {
    let same = |last: &Held| (last.belief, last.wrong) == (held.belief, held.wrong);
    if cell.last().map_or(held.belief == Belief::Off, same) {
        return false;
    }
    if cell.last().is_some_and(|last| last.at == held.at) {
        cell.pop();
        return push(cell, held);
    }
    cell.push(held);
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::tests::{A, PROVIDER, READER, at, event, registered, world};

    fn beliefs(records: &[Record]) -> Beliefs {
        let world = world();
        let mut cluster = Cluster::new(&world);
        let mut recorder = Recorder::new(&world);
        for record in records {
            cluster.record(record);
            recorder.record(record, &cluster);
        }
        recorder.finish()
    }

    fn cell(observer: usize, records: &[Record]) -> Vec<(u64, Belief, bool)> {
        let Beliefs::Kept(matrix) = beliefs(records) else { panic!("a small world") };
        let held = matrix.cell(observer, 0).iter();
        held.map(|held| (held.at.as_millis() / 1000, held.belief, held.wrong)).collect()
    }

    #[test]
    fn beliefs_follow_views_and_truth() {
        let records = [
            at(1, What::Started { node: A }),
            at(2, What::Started { node: PROVIDER }),
            registered(4, A, 1),
            at(9, What::Ended { node: PROVIDER, exit: None }),
            event(12, A, Event::Evicted { instance: InstanceId(0) }),
            at(20, What::Ended { node: A, exit: None }),
        ];
        let up = Belief::Listed(Status::Up);
        assert_eq!(
            cell(0, &records),
            [
                (1, Belief::Absent, false),
                (2, Belief::Absent, true),
                (4, up, false),
                (9, up, true),
                (12, Belief::Absent, false),
                (20, Belief::Off, false)
            ]
        );
        assert_eq!(cell(1, &records), [], "the other server never runs");
        let Beliefs::Kept(matrix) = beliefs(&records) else { panic!("a small world") };
        let truth: Vec<_> = matrix.truth[0].iter().map(|held| held.belief).collect();
        assert_eq!(truth, [Belief::Listed(Status::Unknown), Belief::Off]);
        assert_eq!(matrix.observers[2].name, "r");
        assert!(cell(2, &[at(0, What::Started { node: READER })]).len() == 1);
    }

    #[test]
    fn a_large_world_is_not_kept() {
        let mut world = world();
        world.instances = (0..CELLS).map(|n| n.to_string()).collect();
        let pairs = 3 * CELLS;
        assert_eq!(Recorder::new(&world).finish(), Beliefs::TooManyPairs(pairs));
    }
}
