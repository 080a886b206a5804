//! The schedule: each step's fault begins, and ends if it is one that lasts.
//!
//! Several faults of one kind on one target add up: pauses nest, slownesses multiply, drifts add. A fault that would undo what
//! is not there (a crash of what is down) does nothing.

use crate::history::{Record, What};
use std::time::Duration;

use crate::plan::world::{Fault, HostId, Step, Unflushed};
use crate::protocol::{Answer, Input, Key, NodeId, Operation, Protocol, SimTime, Ticket};

use super::network::HostSet;
use super::node::Asker;
use super::{Due, Simulation};

/// A path that comes and goes.
#[derive(Clone, Debug)]
pub(super) struct Flapping {
    step: u32,
    key: Key,
    /// How often it has gone and come.
    turns: u64,
    /// The queue entry at which it turns; any other is stale.
    due: u64,
}

impl<P: Protocol> Simulation<P> {
    /// A step takes effect.
    pub(super) fn begin_step(&mut self, step: u32) {
        self.records.push(Record { at: self.now, what: What::Step { step, began: true } });
        let steps = self.steps.clone();
        let fault = &steps[step as usize].fault;
        let base = self.base_of(steps[step as usize].trigger);
        let until = steps[step as usize].until.map(|until| SimTime(base.0.saturating_add(until.0)));
        self.step_active[step as usize] = true;
        match fault {
            Fault::Partition { .. } | Fault::Cut { .. } | Fault::Path { .. } => {
                self.network.begin(step, &steps[step as usize].name, fault)
            }
            Fault::Flap { .. } => self.begin_flapping(step),
            Fault::Silence { hosts } => {
                hosts.iter().for_each(|host| self.hosts[host.index()].silences += 1);
            }
            Fault::Messages { .. } => self.messages.begin(step, fault, until),
            Fault::Crash { processes } => processes.iter().for_each(|node| self.end(*node, None, false)),
            Fault::PowerOff { hosts, unflushed } => {
                hosts.iter().for_each(|host| self.power_off(*host, *unflushed));
            }
            Fault::Restart { processes, wipe_disk } => {
                processes.iter().for_each(|node| self.restart(*node, *wipe_disk));
            }
            Fault::Start { processes } => processes.iter().for_each(|node| self.power_on(*node)),
            Fault::Stop { processes } => processes.iter().for_each(|node| self.stop(*node)),
            Fault::Pause { processes } => processes.iter().for_each(|node| self.pause(*node)),
            Fault::Slow { processes, .. } => processes.iter().for_each(|node| self.set_slowness(*node)),
            Fault::Clock { hosts, change } => {
                for host in hosts {
                    let moved = self.hosts[host.index()].clock.begin(self.now, *change);
                    self.convert_deadlines(*host, moved);
                }
            }
            Fault::SlowDisk { hosts, .. } => hosts.iter().for_each(|host| self.set_disk_slowness(*host)),
            Fault::FullDisk { hosts } => {
                hosts.iter().for_each(|host| self.disks[host.index()].full += 1);
            }
            Fault::Reset { from, to } => {
                let count = self.hosts.len();
                let (from, to) = (HostSet::new(from, count), HostSet::new(to, count));
                self.reset_calls(&from, &to);
                self.reset_links(&from, &to);
            }
            Fault::Resolve { address, behind } => {
                let entry = &mut self.addresses[address.index()];
                (entry.behind, entry.turn) = (behind.clone(), 0);
            }
            Fault::Ask { process, operation } => self.ask_from_schedule(*process, operation.clone()),
            Fault::Reconfigure { process, config } => {
                let config = self.configs[*config as usize].clone();
                self.nodes[process.index()].config = config.clone();
                self.settle(*process);
                self.deliver(*process, Input::Reconfigure(config));
            }
        }
        if let Some(until) = until {
            self.queue.push(until.max(self.now), Due::Undo(step));
        }
    }

    /// A step's time is over: what lasts is undone.
    pub(super) fn end_step(&mut self, step: u32) {
        self.records.push(Record { at: self.now, what: What::Step { step, began: false } });
        let steps = self.steps.clone();
        self.step_active[step as usize] = false;
        match &steps[step as usize].fault {
            Fault::Partition { .. } | Fault::Cut { .. } | Fault::Path { .. } => {
                self.network.end(step, self.now)
            }
            Fault::Flap { .. } => {
                self.network.end(step, self.now);
                self.flapping.retain(|flapping| flapping.step != step);
            }
            Fault::Silence { hosts } => {
                hosts.iter().for_each(|host| self.hosts[host.index()].silences -= 1);
            }
            Fault::Messages { .. } => self.messages.end(step),
            Fault::Pause { processes } => processes.iter().for_each(|node| self.resume(*node)),
            Fault::Slow { processes, .. } => processes.iter().for_each(|node| self.set_slowness(*node)),
            Fault::Clock { hosts, change } => {
                for host in hosts {
                    let moved = self.hosts[host.index()].clock.end(self.now, *change);
                    self.convert_deadlines(*host, moved);
                }
            }
            Fault::SlowDisk { hosts, .. } => hosts.iter().for_each(|host| self.set_disk_slowness(*host)),
            Fault::FullDisk { hosts } => {
                hosts.iter().for_each(|host| self.disks[host.index()].full -= 1);
            }
            Fault::Crash { .. }
            | Fault::PowerOff { .. }
            | Fault::Restart { .. }
            | Fault::Start { .. }
            | Fault::Stop { .. }
            | Fault::Reset { .. }
            | Fault::Resolve { .. }
            | Fault::Ask { .. }
            | Fault::Reconfigure { .. } => {}
        }
    }

    /// A path goes down for the first time.
    fn begin_flapping(&mut self, step: u32) {
        let Step { name, at, .. } = &self.steps[step as usize];
        let key = self.root.child("flap").child(&format!("{name} {}", at.0));
        self.flapping.push(Flapping { step, key, turns: 0, due: 0 });
        self.turn_path(step);
    }

    /// A path that flaps goes down, or comes up again.
    pub(super) fn flap(&mut self, step: u32, sequence: u64) {
        if self.flapping.iter().any(|flapping| flapping.step == step && flapping.due == sequence) {
            self.turn_path(step);
        }
    }

    fn turn_path(&mut self, step: u32) {
        let steps = self.steps.clone();
        let (Fault::Flap { down, up, .. }, Some(flapping)) =
            (&steps[step as usize].fault, self.flapping.iter_mut().find(|flapping| flapping.step == step))
        else {
            return;
        };
        let goes_down = flapping.turns.is_multiple_of(2);
        let (low, high) = if goes_down { *down } else { *up };
        let drawn = flapping.key.draw(0, 0, 0, flapping.turns);
        flapping.turns += 1;
        match goes_down {
            true => self.network.begin(step, "", &steps[step as usize].fault),
            false => self.network.end(step, self.now),
        }
        // A path that comes and goes in no time would never let the run go on.
        let length = within(low, high, drawn).max(Duration::from_micros(1));
        let due = self.queue.push(self.now + length, Due::Flap(step));
        self.flapping.iter_mut().filter(|flapping| flapping.step == step).for_each(|it| it.due = due);
    }

    fn power_off(&mut self, host: HostId, unflushed: Unflushed) {
        for id in self.processes_on(host) {
            self.end(id, None, true);
            self.lose_writes(id, unflushed);
        }
        self.hosts[host.index()].on = false;
    }

    fn restart(&mut self, id: NodeId, wipe_disk: bool) {
        self.end(id, None, false);
        let node = &mut self.nodes[id.index()];
        if wipe_disk {
            node.files = None;
        }
        self.hosts[node.host.index()].on = true;
        self.start(id);
    }

    /// A process starts, and its host if that is off. One that runs is left alone.
    fn power_on(&mut self, id: NodeId) {
        self.hosts[self.nodes[id.index()].host.index()].on = true;
        self.start(id);
    }

    fn stop(&mut self, id: NodeId) {
        if self.nodes[id.index()].running() {
            self.records.push(Record { at: self.now, what: What::Stopping { node: id } });
            self.settle(id);
            self.deliver(id, Input::Stop);
        }
    }

    fn ask_from_schedule(&mut self, id: NodeId, operation: Operation) {
        let ticket = Ticket(self.next_ticket);
        let what = What::Invoked { node: id, ticket, operation: operation.clone() };
        self.records.push(Record { at: self.now, what });
        if self.nodes[id.index()].running() {
            self.ask(id, operation, Asker::Schedule);
        } else {
            self.next_ticket += 1;
            let what = What::Completed { node: id, ticket, answer: Answer::Failed(0) };
            self.records.push(Record { at: self.now, what });
        }
    }

    fn set_slowness(&mut self, id: NodeId) {
        let factors = self.active_factors(|fault| match fault {
            Fault::Slow { processes, factor_milli } if processes.contains(&id) => Some(*factor_milli),
            _ => None,
        });
        self.nodes[id.index()].service.slowness_milli = factors;
    }

    fn set_disk_slowness(&mut self, host: HostId) {
        let factors = self.active_factors(|fault| match fault {
            Fault::SlowDisk { hosts, factor_milli } if hosts.contains(&host) => Some(*factor_milli),
            _ => None,
        });
        self.disks[host.index()].slowness_milli = factors;
    }

    /// The product of the factors of all active steps that have one.
    fn active_factors(&self, factor: impl Fn(&Fault) -> Option<u32>) -> u32 {
        let active = self.steps.iter().zip(&self.step_active).filter(|(_, active)| **active);
        active.filter_map(|(step, _)| factor(&step.fault)).fold(1_000, |product, factor| {
            (u64::from(product) * u64::from(factor) / 1_000).try_into().unwrap_or(u32::MAX)
        })
    }

    fn convert_deadlines(&mut self, host: HostId, moved: bool) {
        if moved {
            for id in self.processes_on(host) {
                self.convert_deadline(id);
            }
        }
    }

    fn processes_on(&self, host: HostId) -> Vec<NodeId> {
        let all = (0..).map(NodeId).zip(&self.nodes);
        all.filter(|(_, node)| node.host == host).map(|(id, _)| id).collect()
    }
}

/// A length of the closed range for one draw.
fn within(low: Duration, high: Duration, draw: u64) -> Duration {
    let width = high.saturating_sub(low).as_nanos();
    low + Duration::from_nanos(((u128::from(draw) * (width + 1)) >> 64) as u64)
}
