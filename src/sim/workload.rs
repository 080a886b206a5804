//! What is asked of processes from inside, and the traffic between instances that shows what a registry is good for.
//!
//! A line of traffic asks its caller to look up the service and then calls the instance that was found. That call is not
//! HTTP over kept connections: it is one exchange of packets that finds out whether the instance runs and can be reached. A call
//! that failed may be made again on another instance: each time is a look-up and a probe of its own.

use std::collections::BTreeMap;

use crate::history::{CallResult, Record, What};
use crate::plan::world::Traffic;
use crate::protocol::{Answer, Input, InstanceId, NodeId, Operation, Protocol, SimTime, Ticket};

use super::network::{Draws, Hop, Purpose};
use super::node::{Asker, Try};
use super::{Due, Simulation};

/// Bytes of a traffic call, each way.
const PROBE_BYTES: u32 = 500;

/// A traffic call on its way.
#[derive(Clone, Debug)]
pub(super) struct Probe {
    of: Try,
    chosen: InstanceId,
    target: NodeId,
    /// The life of the caller that made it.
    life: u32,
    began: SimTime,
    sent: SimTime,
    stage: Stage,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    /// On its way to the instance.
    Forth,
    /// On its way back with this result.
    Back(CallResult),
    /// Over: the caller waits for its timeout.
    Lost(CallResult),
}

/// What is kept of a line of traffic: where its draws come from.
#[derive(Clone, Copy, Debug)]
pub(super) struct TrafficState {
    /// Which of its caller's lines it is.
    channel: u32,
    /// Tries so far.
    counter: u64,
}

/// The lines at the start.
pub(super) fn states(traffic: &[Traffic]) -> Vec<TrafficState> {
    let mut lines = BTreeMap::new();
    let state = |line: &Traffic| {
        let count = lines.entry(line.caller).or_insert(0);
        *count += 1;
        TrafficState { channel: 1 << 31 | *count, counter: 0 }
    };
    traffic.iter().map(state).collect()
}

impl<P: Protocol> Simulation<P> {
    /// Hands an operation to a running process.
    pub(super) fn ask(&mut self, id: NodeId, operation: Operation, asker: Asker) {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        self.settle(id);
        let node = &mut self.nodes[id.index()];
        if node.running() {
            node.tickets.push((ticket, asker));
        }
        self.deliver(id, Input::Ask { ticket, operation });
    }

    /// A machine answers an operation.
    pub(super) fn done(&mut self, id: NodeId, ticket: Ticket, answer: Answer) {
        let tickets = &mut self.nodes[id.index()].tickets;
        let at = tickets.iter().position(|(open, _)| *open == ticket);
        let at = at.unwrap_or_else(|| panic!("an operation is answered once: {ticket:?}"));
        let (_, asker) = tickets.swap_remove(at);
        match asker {
            Asker::Schedule => {
                let what = What::Completed { node: id, ticket, answer };
                self.records.push(Record { at: self.now, what });
            }
            Asker::Traffic(of) => match answer {
                Answer::Found(instance) => self.begin_probe(of, instance),
                Answer::Ok | Answer::NoneFound | Answer::Failed(_) | Answer::Unknown => {
                    self.record_traffic(of, None, CallResult::NoInstance, true);
                }
            },
        }
    }

    /// It is time for the next call of a line of traffic.
    pub(super) fn on_traffic(&mut self, line: u32) {
        let traffic = &self.traffic[line as usize];
        let next = self.now + traffic.every.max(std::time::Duration::from_nanos(1));
        self.queue.push(next, Due::Traffic(line));
        self.begin_try(Try { line, attempt: 0 }, None);
    }

    /// Looks an instance up for a call, but the one that has just failed.
    fn begin_try(&mut self, of: Try, except: Option<InstanceId>) {
        let Traffic { caller, service, .. } = self.traffic[of.line as usize];
        if self.nodes[caller.index()].running() {
            self.traffic_states[of.line as usize].counter += 1;
            self.ask(caller, Operation::LookUp { service, except }, Asker::Traffic(of));
        }
    }

    fn begin_probe(&mut self, of: Try, chosen: InstanceId) {
        let Some(target) = self.instances.get(chosen.index()).copied().flatten() else {
            // Nobody in this world: an instance that only an operator has registered. It is not worth another try.
            self.record_traffic(of, Some(chosen), CallResult::DeadInstance, true);
            return;
        };
        let caller = self.traffic[of.line as usize].caller;
        let life = self.nodes[caller.index()].life;
        let (began, sent) = (self.now, self.now);
        let index = self.probes.insert(Probe { of, chosen, target, life, began, sent, stage: Stage::Forth });
        self.move_probe(index, false);
    }

    /// A traffic call arrives at one of its ends.
    pub(super) fn on_probe(&mut self, index: u32) {
        let probe = &self.probes[index];
        let caller = &self.nodes[self.traffic[probe.of.line as usize].caller.index()];
        let target = &self.nodes[probe.target.index()];
        let host = &self.hosts[target.host.index()];
        let refuses = host.on && host.silences == 0;
        let next = match probe.stage {
            Stage::Forth if !target.running() => match refuses {
                true => Stage::Back(CallResult::DeadInstance),
                false => Stage::Lost(CallResult::DeadInstance),
            },
            Stage::Forth
                if self.network.blocked(caller.host, target.host, probe.sent) || target.pauses > 0 =>
            {
                Stage::Lost(CallResult::Unreachable)
            }
            Stage::Forth => Stage::Back(CallResult::Answered),
            Stage::Back(result) if self.network.blocked(target.host, caller.host, probe.sent) => match result
            {
                CallResult::Answered => Stage::Lost(CallResult::Unreachable),
                result => Stage::Lost(result),
            },
            Stage::Back(result) | Stage::Lost(result) => {
                let Probe { of, chosen, life, .. } = self.probes.remove(index);
                let line = &self.traffic[of.line as usize];
                let caller = &self.nodes[line.caller.index()];
                if caller.running() && caller.life == life {
                    let last = result == CallResult::Answered || of.attempt == line.retries;
                    self.record_traffic(of, Some(chosen), result, last);
                    if !last {
                        self.begin_try(Try { attempt: of.attempt + 1, ..of }, Some(chosen));
                    }
                }
                return;
            }
        };
        let probe = &mut self.probes[index];
        (probe.stage, probe.sent) = (next, self.now);
        self.move_probe(index, true);
    }

    /// Puts the next arrival of a traffic call into the queue, or its timeout if that comes before.
    fn move_probe(&mut self, index: u32, back: bool) {
        let Probe { of: Try { line, .. }, target, began, stage, .. } = self.probes[index];
        let traffic = &self.traffic[line as usize];
        let timeout = began + traffic.timeout;
        let (caller, target) = (&self.nodes[traffic.caller.index()], &self.nodes[target.index()]);
        let TrafficState { channel, counter } = self.traffic_states[line as usize];
        let draws = Draws { key: caller.key, channel, receiver: target.stable, counter };
        let (from, to) = if back { (target.host, caller.host) } else { (caller.host, target.host) };
        let hop = Hop { from, to, sent: self.now };
        let flight = self.network.stream(hop, PROBE_BYTES, &draws, Purpose::Probe, u32::from(back));
        let arrival = SimTime(self.now.0.saturating_add(flight.last_ns));
        let at = match stage {
            Stage::Forth | Stage::Back(_) if arrival <= timeout => arrival,
            Stage::Forth | Stage::Back(CallResult::Answered) => {
                self.probes[index].stage = Stage::Lost(CallResult::Unreachable);
                timeout
            }
            Stage::Back(result) | Stage::Lost(result) => {
                self.probes[index].stage = Stage::Lost(result);
                timeout
            }
        };
        self.queue.push(at.max(self.now), Due::Probe(index));
    }

    fn record_traffic(&mut self, of: Try, chosen: Option<InstanceId>, result: CallResult, last: bool) {
        let Traffic { caller, service, .. } = self.traffic[of.line as usize];
        let what = What::Traffic { caller, service, chosen, result, attempt: of.attempt, last };
        self.records.push(Record { at: self.now, what });
    }
}
