//! The consistency side: how long registrations waited for their acknowledgement, when no server took writes, and how old the
//! answers were that callers got wrong.

use super::latency::{Latencies, millis};
use crate::check::Cluster;
use crate::history::{CallResult, Record, What};
use crate::plan::world::World;
use crate::protocol::{Event, Gauge, InstanceId, NodeId, SimTime, Status};

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Consistency {
    /// From the start of an instance's process to the first acknowledgement of its registration, ms.
    pub registration: Latencies,
    /// Instances that ended, or lived to the end of the run, without one.
    pub unregistered: u64,
    /// Time in which no server ran and was open for traffic, from when the first one was; none if no server ever said so.
    pub write_unavailable_ns: Option<u64>,
    /// Look-ups for calls that were answered.
    pub reads: u64,
    /// Of these, with an answer older than the newest write: how old, ms. It named an instance that was gone, since it was gone; or it
    /// named none although the registration of one that is up was acknowledged, since the newest of these.
    pub stale: Latencies,
}

/// What is known of one instance, in the order in which it happens.
#[derive(Clone, Copy, Debug, Default)]
enum Life {
    /// It has never lived.
    #[default]
    Never,
    /// It lives since then, and waits for its registration to be acknowledged.
    Waits(SimTime),
    /// Its registration was acknowledged then.
    Acknowledged(SimTime),
    /// It is gone since then.
    Gone(SimTime),
}

/// The fold.
pub struct Auditor {
    lives: Vec<Life>,
    /// The instances of each service.
    services: Vec<Vec<InstanceId>>,
    open: Vec<bool>,
    opened: u32,
    closed_since: Option<SimTime>,
    found: Consistency,
}

impl Auditor {
    /// Before the run.
    pub fn new(world: &World) -> Auditor {
        let mut services = vec![Vec::new(); world.services.len()];
        if !world.traffic.is_empty() {
            for (service, instance) in world.processes.iter().filter_map(|process| process.instance) {
                services[service.index()].push(instance);
            }
        }
        Auditor {
            lives: vec![Life::default(); world.instances.len()],
            services,
            open: vec![false; world.processes.len()],
            opened: 0,
            closed_since: None,
            found: Consistency::default(),
        }
    }

    /// Takes in one record; `cluster` is the state after it.
    pub fn record(&mut self, record: &Record, cluster: &Cluster<'_>) {
        let at = record.at;
        let own = |node: NodeId| {
            cluster.world().processes[node.index()].instance.map(|(_, instance)| instance.index())
        };
        match &record.what {
            What::Started { node } => {
                if let Some(own) = own(*node) {
                    self.lives[own] = Life::Waits(at);
                }
            }
            What::Stopping { node } | What::Ended { node, .. } => {
                if let Some(life) = own(*node).map(|own| &mut self.lives[own]) {
                    self.found.unregistered += u64::from(matches!(life, Life::Waits(_)));
                    if !matches!(life, Life::Gone(_)) {
                        *life = Life::Gone(at);
                    }
                }
                if matches!(record.what, What::Ended { .. }) {
                    self.serving(at, *node, false);
                }
            }
            What::Event { event: Event::Joined { instance }, .. } => {
                let life = &mut self.lives[instance.index()];
                if let Life::Waits(started) = *life {
                    *life = Life::Acknowledged(at);
                    self.found.registration.push(millis(at.since(started)));
                }
            }
            What::Event { node, event: Event::Gauge { gauge: Gauge::Serving, value } } => {
                self.serving(at, *node, *value == 1);
            }
            What::Traffic { caller, service, chosen, result, .. } => {
                self.found.reads += 1;
                let missed = match result {
                    CallResult::Answered | CallResult::Unreachable => None,
                    CallResult::DeadInstance => chosen.and_then(|chosen| self.gone(chosen)),
                    CallResult::NoInstance => self.newest(service.index(), *caller, cluster),
                };
                if let Some(missed) = missed {
                    self.found.stale.push(millis(at.since(missed)));
                }
            }
            _ => {}
        }
    }

    /// When the registration of the last of a service's instances that are up, in the caller's cluster, was acknowledged.
    fn newest(&self, service: usize, caller: NodeId, cluster: &Cluster<'_>) -> Option<SimTime> {
        let up = |instance: &&InstanceId| cluster.truth(**instance).status() == Some(Status::Up);
        let home = cluster.world().cluster(caller);
        let instances = self.services[service].iter().filter(|instance| cluster.home(**instance) == home);
        let instances = instances.filter(up);
        let acknowledged = |instance: &InstanceId| match self.lives[instance.index()] {
            Life::Acknowledged(at) => Some(at),
            Life::Never | Life::Waits(_) | Life::Gone(_) => None,
        };
        instances.filter_map(acknowledged).max()
    }

    /// Since when an instance is gone.
    fn gone(&self, instance: InstanceId) -> Option<SimTime> {
        match self.lives[instance.index()] {
            Life::Gone(at) => Some(at),
            Life::Never | Life::Waits(_) | Life::Acknowledged(_) => None,
        }
    }

    fn serving(&mut self, at: SimTime, node: NodeId, open: bool) {
        if std::mem::replace(&mut self.open[node.index()], open) == open {
            return;
        }
        self.opened = if open { self.opened + 1 } else { self.opened - 1 };
        if open {
            let closed = self.closed_since.take().map_or(0, |since| at.0 - since.0);
            *self.found.write_unavailable_ns.get_or_insert(0) += closed;
        } else if self.opened == 0 {
            self.closed_since = Some(at);
        }
    }

    /// The run is over.
    pub fn finish(mut self, end: SimTime) -> Consistency {
        let waits = |life: &&Life| matches!(life, Life::Waits(_));
        self.found.unregistered += self.lives.iter().filter(waits).count() as u64;
        if let (Some(since), Some(unavailable)) = (self.closed_since, &mut self.found.write_unavailable_ns) {
            *unavailable += end.0 - since.0;
        }
        self.found.registration.settle();
        self.found.stale.settle();
        self.found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::tests::{A, B, PROVIDER, X, at, called, event, world};

    fn found(records: &[Record]) -> Consistency {
        let world = world();
        let mut cluster = Cluster::new(&world);
        let mut auditor = Auditor::new(&world);
        for record in records {
            cluster.record(record);
            auditor.record(record, &cluster);
        }
        auditor.finish(SimTime::from_secs(100))
    }

    fn ages(latencies: &Latencies) -> Vec<u32> {
        latencies.steps().map(|(millis, _)| millis / 1000).collect()
    }

    fn starts(seconds: u64) -> Record {
        at(seconds, What::Started { node: PROVIDER })
    }

    fn ends(seconds: u64, node: NodeId) -> Record {
        at(seconds, What::Ended { node, exit: None })
    }

    fn joined(seconds: u64) -> Record {
        event(seconds, PROVIDER, Event::Joined { instance: X })
    }

    #[test]
    fn registrations_wait_for_their_first_acknowledgement() {
        let found_ = found(&[starts(10), joined(13), joined(40), ends(50, PROVIDER), starts(60), joined(61)]);
        assert_eq!((ages(&found_.registration), found_.unregistered), (vec![1, 3], 0));
        assert_eq!(found(&[starts(10), ends(12, PROVIDER), starts(20)]).unregistered, 2);
    }

    #[test]
    fn writes_are_unavailable_while_no_server_is_open() {
        let serving =
            |seconds, node, value| event(seconds, node, Event::Gauge { gauge: Gauge::Serving, value });
        let unavailable =
            |records: &[Record]| found(records).write_unavailable_ns.map(|ns| ns / 1_000_000_000);
        assert_eq!(unavailable(&[]), None, "no server says so");
        assert_eq!(unavailable(&[serving(10, A, 1), serving(20, B, 1), ends(30, A)]), Some(0));
        let both = [serving(10, A, 1), serving(20, B, 1), ends(30, A), ends(40, B), serving(55, A, 1)];
        assert_eq!(unavailable(&both), Some(15));
        assert_eq!(unavailable(&both[..4]), Some(60));
    }

    #[test]
    fn a_stale_read_is_as_old_as_the_write_that_it_missed() {
        let announced = event(11, PROVIDER, Event::Announced { instance: X, status: Status::Up, version: 1 });
        let none = |seconds: u64| called(seconds * 1000, CallResult::NoInstance);
        let early = [starts(10), announced, none(12), joined(13), none(20)];
        assert_eq!(ages(&found(&early).stale), [7], "before the acknowledgement it was not wrong");
        let dead =
            [starts(10), joined(11), ends(30, PROVIDER), called(35_000, CallResult::DeadInstance), none(40)];
        let found = found(&dead);
        assert_eq!((ages(&found.stale), found.reads), (vec![5], 2));
    }
}
