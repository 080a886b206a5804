//! The virtual-time driver: it owns time, chance, the network and the disks of a [`World`], and runs one machine per process.
//!
//! [`Simulation::run_until`] is the step loop: take the next event, let it move something on. An input that comes of it goes to a
//! machine, whose effects become new events. A run is a function of (world, settings, seed).
//!
//! Reading order: [`queue`], `lanes` and `slab` (what waits, and where it lies); `clock`, `latency`, `network`, `messages` (when
//! things arrive), [`ledger`] (what is sent); `node`, `process` and `balancer` (who takes inputs); `calls`, `pools`, `links`,
//! `datagrams`, `disk` (what effects become); `workload`, `faults` and `triggers` (what happens from outside).
//!
//! # What is in flight is touched, too
//!
//! A cut stops every packet that is on its path at any moment of the cut. On calls and links lost packets are sent again, so
//! that loss and cuts cost time; datagrams are gone. A path's latency, loss and bandwidth count when a packet is sent. A crash
//! resets the calls and links of the process; a power loss is silence.

pub mod queue;
pub mod ledger;
mod slab;
mod lanes;
mod clock;
mod latency;
mod network;
mod messages;
mod node;
mod process;
mod balancer;
mod calls;
mod pools;
mod links;
mod datagrams;
mod disk;
mod workload;
mod faults;
mod triggers;

use std::sync::Arc;

use crate::history::{Digest, Observer, Record};
use crate::plan::World;
use crate::plan::world::{Behind, Step, Traffic, Trigger};
use crate::protocol::{Effect, Key, NodeId, Protocol, SimTime};

use balancer::Checked;
use calls::Exchange;
use datagrams::Packet;
use faults::Flapping;
use lanes::Lanes;
use ledger::Ledger;
use links::Session;
use messages::Messages;
use network::Network;
use node::{DiskState, HostState, Node};
use queue::Queue;
use slab::Slab;
use triggers::TriggerState;
use workload::{Probe, TrafficState};

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Its time was over.
    Finished,
    /// Too many inputs were delivered within one virtual second, most of them to this process.
    Flooded {
        /// The process that got most of them.
        node: NodeId,
        /// When the limit was passed.
        at: SimTime,
    },
}

/// One run of a world.
#[derive(Clone, Debug)]
pub struct Simulation<P: Protocol> {
    now: SimTime,
    finish: SimTime,
    queue: Queue<Due>,
    lanes: Lanes,
    digest: Digest,
    delivered: u64,
    flood: Flood,
    hosts: Vec<HostState>,
    disks: Vec<DiskState>,
    nodes: Vec<Node<P>>,
    addresses: Vec<AddressState>,
    checks: Vec<Checked>,
    network: Network,
    messages: Messages,
    ledger: Ledger,
    calls: Slab<Exchange<P>>,
    sessions: Slab<Session<P>>,
    packets: Slab<Packet<P>>,
    probes: Slab<Probe>,
    /// Whether a call has ever waited because a pool, and not only the connections to its address, was full.
    starved: bool,
    steps: Arc<[Step]>,
    step_active: Vec<bool>,
    flapping: Vec<Flapping>,
    triggers: Arc<[Trigger]>,
    trigger_states: Vec<TriggerState>,
    /// Triggers that count. While there is none, nobody looks at records.
    armed: u32,
    root: Key,
    traffic: Arc<[Traffic]>,
    traffic_states: Vec<TrafficState>,
    /// The process of each instance.
    instances: Vec<Option<NodeId>>,
    configs: Vec<Arc<P::Config>>,
    /// Reused from input to input.
    effects: Vec<Effect<P>>,
    /// What the present event has made known so far.
    records: Vec<Record>,
    /// Calls and links that got an id so far.
    next_id: u64,
    next_ticket: u64,
}

/// What an entry of the event queue stands for. Payloads lie elsewhere, so that entries stay small.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    Step(u32),
    Undo(u32),
    Arm(u32),
    Check(u32),
    Flap(u32),
    Start(NodeId),
    Deadline(NodeId),
    Call(u32),
    Lane(u32),
    Timeout(u32),
    Link(u32),
    Connect(u32),
    Packet(u32),
    Flush(NodeId),
    Traffic(u32),
    Probe(u32),
}

/// A line of the address book, and whose turn it is behind a balancer.
#[derive(Clone, Debug)]
struct AddressState {
    behind: Behind,
    turn: usize,
}

impl<P: Protocol> Simulation<P> {
    /// A world at virtual time zero. `configs` holds the settings of each process, in order of process, and behind them those
    /// that steps refer to.
    pub fn new(world: &World, configs: Vec<Arc<P::Config>>, seed: u64) -> Simulation<P> {
        assert!(
            configs.len() >= world.processes.len(),
            "every process has settings: {} for {}",
            configs.len(),
            world.processes.len()
        );
        let root = Key::root(seed);
        let mut instances = vec![None; world.instances.len()];
        for (id, process) in (0..).map(NodeId).zip(&world.processes) {
            if let Some((_, instance)) = process.instance {
                instances[instance.index()] = Some(id);
            }
        }
        // Processes mostly come in rows that have the same pools, and then share them.
        let mut pools: Arc<[_]> = Arc::new([]);
        let processes = world.processes.iter().zip(&configs);
        let nodes = processes.map(|(process, config)| {
            if *pools != *process.pools {
                pools = process.pools.clone().into();
            }
            Node::new(process, pools.clone(), config.clone(), root)
        });
        let nodes = nodes.collect();
        let mut simulation = Simulation {
            now: SimTime::ZERO,
            finish: world.duration,
            queue: Queue::new(),
            lanes: Lanes::default(),
            digest: Digest::default(),
            delivered: 0,
            flood: Flood::new(world.flood_limit),
            hosts: world.hosts.iter().map(|host| HostState::new(host, world.epoch_ms)).collect(),
            disks: world.hosts.iter().map(DiskState::new).collect(),
            nodes,
            addresses: world
                .addresses
                .iter()
                .map(|entry| AddressState { behind: entry.behind.clone(), turn: 0 })
                .collect(),
            checks: world.checks.iter().map(Checked::new).collect(),
            network: Network::new(world, root.child("network")),
            messages: Messages::default(),
            ledger: Ledger::default(),
            calls: Slab::new(),
            sessions: Slab::new(),
            packets: Slab::new(),
            probes: Slab::new(),
            starved: false,
            steps: world.steps.clone().into(),
            step_active: vec![false; world.steps.len()],
            flapping: Vec::new(),
            triggers: world.triggers.clone().into(),
            trigger_states: vec![TriggerState::default(); world.triggers.len()],
            armed: 0,
            root,
            traffic: world.traffic.clone().into(),
            traffic_states: workload::states(&world.traffic),
            instances,
            configs,
            effects: Vec::new(),
            records: Vec::new(),
            next_id: 1,
            next_ticket: 1,
        };
        for (index, step) in (0..).zip(&world.steps) {
            if step.trigger.is_none() {
                simulation.queue.push(step.at, Due::Step(index));
            }
        }
        simulation.arm_first();
        simulation.begin_checks();
        let starting = (0..).map(NodeId).zip(&world.processes);
        for (id, process) in starting.filter(|(_, process)| process.start < SimTime::MAX) {
            simulation.queue.push(process.start, Due::Start(id));
        }
        for (line, traffic) in (0..).zip(&world.traffic) {
            simulation.queue.push(traffic.first, Due::Traffic(line));
        }
        simulation
    }

    /// Runs to the end of the world's duration.
    pub fn run(&mut self, observer: &mut impl Observer) -> End {
        self.run_until(self.finish, observer)
    }

    /// Runs all events up to and at `until`.
    pub fn run_until(&mut self, until: SimTime, observer: &mut impl Observer) -> End {
        while let Some(entry) = self.queue.pop_until(until) {
            self.now = entry.time;
            match entry.event {
                Due::Step(step) => self.begin_step(step),
                Due::Undo(step) => self.end_step(step),
                Due::Check(balancer) => self.on_check(balancer),
                Due::Arm(trigger) => self.arm_trigger(trigger),
                Due::Flap(step) => self.flap(step, entry.sequence),
                Due::Start(node) => self.start(node),
                Due::Deadline(node) => self.on_deadline(node, entry.sequence),
                Due::Call(call) => self.on_call(call, entry.sequence),
                Due::Lane(lane) => self.on_lane(lane, entry.sequence),
                Due::Timeout(call) => self.on_timeout(call, entry.sequence),
                Due::Link(session) => self.on_link(session, entry.sequence),
                Due::Connect(session) => self.on_connect_timeout(session, entry.sequence),
                Due::Packet(packet) => self.on_packet(packet),
                Due::Flush(node) => self.on_flush(node, entry.sequence),
                Due::Traffic(line) => self.on_traffic(line),
                Due::Probe(probe) => self.on_probe(probe),
            }
            if self.armed > 0 && !self.records.is_empty() {
                self.watch();
            }
            for record in self.records.drain(..) {
                observer.record(&record);
            }
            if let Some(node) = self.flood.passed {
                return End::Flooded { node, at: self.now };
            }
        }
        self.now = self.now.max(until);
        End::Finished
    }

    /// The virtual time.
    pub fn now(&self) -> SimTime {
        self.now
    }

    /// How many inputs were delivered.
    pub fn events(&self) -> u64 {
        self.delivered
    }

    /// What was sent so far.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The digest of all inputs delivered so far.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The machine of a process, if it runs.
    pub fn machine(&self, node: NodeId) -> Option<&P> {
        self.nodes.get(node.index())?.machine.as_ref()
    }
}

/// Counts the inputs of each virtual second.
#[derive(Clone, Debug)]
struct Flood {
    limit: u64,
    second: u64,
    inputs: u64,
    /// The process that got more than half of them, if one did (by the majority vote of Boyer and Moore), and its lead.
    candidate: NodeId,
    lead: u64,
    passed: Option<NodeId>,
}

impl Flood {
    fn new(limit: u64) -> Flood {
        Flood { limit, second: 0, inputs: 0, candidate: NodeId(0), lead: 0, passed: None }
    }

    #[inline]
    fn count(&mut self, now: SimTime, node: NodeId) {
        if now.0 >= self.second {
            self.second = (now.0 / 1_000_000_000 + 1) * 1_000_000_000;
            (self.inputs, self.lead) = (0, 0);
        }
        self.inputs += 1;
        if self.candidate == node {
            self.lead += 1;
        } else if self.lead == 0 {
            (self.candidate, self.lead) = (node, 1);
        } else {
            self.lead -= 1;
        }
        if self.inputs > self.limit {
            self.passed = Some(self.candidate);
        }
    }
}

#[cfg(test)]
mod tests;
