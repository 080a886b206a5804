//! A client's copy is what its server said it would be: as many instances of each status, unless it goes on to fetch everything.
//!
//! Premise: the server said so, with the payload.

use std::sync::Arc;

use super::verdict::{Finding, Verdict};
use crate::history::{Record, What};
use crate::plan::world::World;
use crate::protocol::{Event, NodeId, SimTime, Status, View};

/// Views counted lately: thousands of clients adopt the same one.
const REMEMBERED: usize = 4;

/// The fold.
#[derive(Clone, Debug, Default)]
pub struct Cache {
    counted: [Option<(Arc<View>, [u32; 5])>; REMEMBERED],
    next: usize,
    compared: u64,
    witness: Option<(SimTime, String)>,
}

impl Cache {
    /// Takes in one record.
    pub fn record(&mut self, record: &Record, world: &World) {
        if let What::Event {
            node,
            event: Event::Adopted { view, claimed: Some(claimed), reconciles: false },
        } = &record.what
        {
            self.compare(record.at, *node, view, claimed, world);
        }
    }

    fn compare(&mut self, at: SimTime, node: NodeId, view: &Arc<View>, claimed: &[u32; 5], world: &World) {
        self.compared += 1;
        let counts = self.counts(view);
        if counts != *claimed {
            let said = |counts: &[u32; 5]| {
                let some = Status::ALL.iter().zip(counts).filter(|(_, count)| **count > 0);
                let some: Vec<String> = some.map(|(status, count)| format!("{count} {status}")).collect();
                if some.is_empty() { "nothing".to_owned() } else { some.join(", ") }
            };
            let name = &world.processes[node.index()].name;
            let detail = format!("{name} holds {}, where its server said {}", said(&counts), said(claimed));
            self.witness.get_or_insert((at, detail));
        }
    }

    fn counts(&mut self, view: &Arc<View>) -> [u32; 5] {
        let known = self.counted.iter().flatten().find(|(known, _)| Arc::ptr_eq(known, view));
        if let Some((_, counts)) = known {
            return *counts;
        }
        let mut counts = [0; 5];
        view.listings().iter().for_each(|listing| counts[listing.status as usize] += 1);
        self.counted[self.next] = Some((Arc::clone(view), counts));
        self.next = (self.next + 1) % REMEMBERED;
        counts
    }

    /// Judges at the end of a run.
    pub fn finish(self) -> Finding {
        let name = crate::plan::Invariant::CacheAsClaimed.name().to_owned();
        let (verdict, at, detail) = match self.witness {
            Some((at, detail)) => (Verdict::Violated, Some(at), detail),
            None if self.compared == 0 => {
                (Verdict::Inconclusive, None, "no client was told what it should hold".to_owned())
            }
            None => (Verdict::Holds, None, format!("{} copies were as their servers said", self.compared)),
        };
        Finding { name, verdict, at, detail, expected: false }
    }
}
