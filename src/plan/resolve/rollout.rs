//! How many instances a service has and when: scaling, rolling restarts, and whoever is hit one after the other.
//!
//! Separate because what a selector means depends on it: `provider` is all instances that there are by then.

use super::{Named, Resolver};
use crate::plan::world::{Fault, HostId};
use crate::protocol::{NodeId, SimTime};
use crate::scenario::diagnostic::Spanned;
use crate::scenario::fleet::Service;
use crate::scenario::selector::Who;
use crate::scenario::timeline::{Action, Rolling};
use std::ops::Range;
use std::time::Duration;

/// One fault for all of them, or one for each, the last so much later than the first.
pub(super) fn spread<T: Copy>(
    over: Option<Duration>,
    targets: Option<Vec<T>>,
    fault: impl Fn(Vec<T>) -> Fault,
) -> Vec<(Duration, Fault)> {
    let Some(targets) = targets.filter(|targets| !targets.is_empty()) else { return Vec::new() };
    let Some(over) = over else { return vec![(Duration::ZERO, fault(targets))] };
    let gaps = (targets.len() as u128 - 1).max(1);
    let each = |(at, target): (usize, &T)| {
        let later = over.as_nanos() * at as u128 / gaps;
        (Duration::from_nanos(u64::try_from(later).unwrap_or(u64::MAX)), fault(vec![*target]))
    };
    targets.iter().enumerate().map(each).collect()
}

impl<'s> Resolver<'s> {
    /// Some after the others: they stop, or crash, and start again when their time is over.
    pub(super) fn rolling(&mut self, rolling: &Rolling) -> Vec<(Duration, Fault)> {
        let mut moves = Vec::new();
        let mut at = Duration::ZERO;
        for processes in self.batches(rolling) {
            let gone = match rolling.graceful {
                true => Fault::Stop { processes: processes.clone() },
                false => Fault::Crash { processes: processes.clone() },
            };
            moves.push((at, gone));
            moves.push((at.saturating_add(rolling.down), Fault::Restart { processes, wipe_disk: false }));
            at = at.saturating_add(rolling.every.value);
        }
        moves
    }

    /// Who restarts together, one batch after the other.
    pub(super) fn batches(&mut self, rolling: &Rolling) -> Vec<Vec<NodeId>> {
        let nodes = self.processes_of(&rolling.of).unwrap_or_default();
        nodes.chunks(rolling.at_once.max(1)).map(<[NodeId]>::to_vec).collect()
    }

    /// A service has so many instances: those that are missing start, those that are too many stop, the highest numbers first.
    pub(super) fn scale(
        &mut self,
        service: &Spanned<String>,
        to: u64,
        graceful: bool,
        over: Option<Duration>,
    ) -> Vec<(Duration, Fault)> {
        let Some(Named::Service(nodes)) = self.names.get(&service.value) else {
            let valid = self.scenario.services.iter().map(|service| service.name.value.clone()).collect();
            return self.unknown("service", service, valid).unwrap_or_default();
        };
        let nodes = nodes.clone();
        let now = self.as_of.map_or(0, |at| self.instances_before(&service.value, at));
        let to = usize::try_from(to).unwrap_or(usize::MAX).min(nodes.len());
        let (stay, go) = nodes.split_at(to);
        let gone = |processes| match graceful {
            true => Fault::Stop { processes },
            false => Fault::Crash { processes },
        };
        // Those that should be there already start at once if they do not run.
        let (old, new) = stay.split_at(now.min(stay.len()));
        let mut moves = spread(None, Some(old.to_vec()), |processes| Fault::Start { processes });
        moves.extend(spread(over, Some(new.to_vec()), |processes| Fault::Start { processes }));
        let last_first: Vec<NodeId> = go.iter().rev().copied().collect();
        moves.extend(spread(over, Some(last_first), gone));
        moves
    }

    /// How many instances a service has at most, in the whole run.
    pub(super) fn most_instances(&self, service: &'s Service) -> &'s Spanned<u64> {
        let scaled = self.scenario.timeline.iter().filter_map(|step| match &step.action {
            Action::Scale { service: of, to, .. } if of.value == service.name.value => Some(to),
            _ => None,
        });
        scaled.fold(&service.instances, |most, to| if to.value > most.value { to } else { most })
    }

    /// All instances that a service ever has, in runs of which the same is said.
    pub(super) fn runs(&self, service: &'s Service) -> Vec<(Range<usize>, &'s Service)> {
        service.runs(self.most_instances(service).value)
    }

    /// How many instances a service has just before a moment, as far as times are known.
    fn instances_before(&self, service: &str, at: SimTime) -> usize {
        self.instances_when(service, |scaled| scaled < at)
    }

    fn instances_when(&self, service: &str, counts: impl Fn(SimTime) -> bool) -> usize {
        let scaled = self.scales.iter().rev().find(|(of, scaled, _)| of == service && counts(*scaled));
        let written = self.scenario.services.iter().find(|written| written.name.value == service);
        let at_first = written.map_or(u64::MAX, |written| written.instances.value);
        scaled.map_or(usize::try_from(at_first).unwrap_or(usize::MAX), |(_, _, to)| *to as usize)
    }

    /// Whether a process is one of those that there are, at the moment that selectors are about.
    pub(super) fn is_there(&self, node: NodeId) -> bool {
        let Some(at) = self.as_of.filter(|_| self.scaled) else { return true };
        let name = &self.processes[node.index()].name;
        let instance = name.rsplit_once('/').and_then(|(of, index)| Some((of, index.parse::<usize>().ok()?)));
        instance.is_none_or(|(service, index)| index < self.instances_when(service, |scaled| scaled <= at))
    }

    /// The hosts of those that there are at that moment; [`hosts_of`](Resolver::hosts_of) means those to come, too.
    pub(super) fn hosts_then(&mut self, who: &Who) -> Option<Vec<HostId>> {
        let hosts = self.hosts_of(who)?;
        let there = (0..self.processes.len() as u32).map(NodeId).filter(|node| self.is_there(*node));
        let there: Vec<HostId> = there.map(|node| self.processes[node.index()].host).collect();
        let empty = |host: &HostId| self.processes.iter().all(|process| process.host != *host);
        let kept: Vec<HostId> =
            hosts.into_iter().filter(|host| there.contains(host) || empty(host)).collect();
        if kept.is_empty() {
            return self.refuse(
                who.span,
                "this means no host at that time",
                "a service that has instances then",
            );
        }
        Some(kept)
    }
}
