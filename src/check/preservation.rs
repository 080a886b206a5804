//! Self-preservation: nothing expires while the renewals of the last minute are not above the threshold; one run evicts at most
//! its share; the gauges say what the rules say.
//!
//! The figures are worked out again from the events: renewals are counted here, one by one, and compared with the server's own
//! count at the end of every window.

use super::verdict::{Finding, Verdict};
use super::{Premises, Rules};
use crate::history::{Record, What};
use crate::plan::world::{Fault, World};
use crate::protocol::{Event, Gauge, NodeId, SimTime};

/// What is known of one server.
#[derive(Clone, Debug, Default)]
struct Server {
    rules: Option<Rules>,
    renewals: i64,
    /// Clients that the server expects to renew, once it has said so.
    expected: Option<i64>,
    threshold: i64,
    protecting: bool,
    /// Renewals seen here in the window that has begun.
    counted: u64,
    evicted_in_pass: u32,
}

impl Server {
    /// The rule: strictly more renewals than the threshold, and a threshold at all, or else nothing may expire.
    fn must_protect(&self, rules: Rules) -> bool {
        rules.self_preservation && (self.threshold <= 0 || self.renewals <= self.threshold)
    }
}

/// The fold.
#[derive(Clone, Debug)]
pub struct Preservation {
    servers: Vec<Server>,
    rules: Vec<Option<Rules>>,
    names: Vec<String>,
    reconfigurations: Vec<Option<(NodeId, usize)>>,
    passes: u64,
    protected: bool,
    witness: Option<(SimTime, String)>,
}

impl Preservation {
    /// Before the run.
    pub fn new(world: &World, premises: &Premises) -> Preservation {
        Preservation {
            servers: vec![Server::default(); world.processes.len()],
            rules: premises.rules.clone(),
            names: world.processes.iter().map(|process| process.name.clone()).collect(),
            reconfigurations: world
                .steps
                .iter()
                .map(|step| match &step.fault {
                    Fault::Reconfigure { process, config } => Some((*process, *config as usize)),
                    _ => None,
                })
                .collect(),
            passes: 0,
            protected: false,
            witness: None,
        }
    }

    /// Takes in one record.
    pub fn record(&mut self, record: &Record) {
        match &record.what {
            What::Started { node } => {
                let rules = self.rules.get(node.index()).copied().flatten();
                self.servers[node.index()] = Server { rules, ..Server::default() };
            }
            What::Step { step, began: true } => {
                if let Some((node, config)) = self.reconfigurations[*step as usize] {
                    self.servers[node.index()].rules = self.rules.get(config).copied().flatten();
                }
            }
            What::Event { node, event } => {
                if let Some(wrong) = self.event(*node, event) {
                    let detail = format!("{}: {wrong}", self.names[node.index()]);
                    self.witness.get_or_insert((record.at, detail));
                }
            }
            _ => {}
        }
    }

    fn event(&mut self, node: NodeId, event: &Event) -> Option<String> {
        let server = &mut self.servers[node.index()];
        let rules = server.rules?;
        match event {
            Event::Renewed { .. } => server.counted += 1,
            Event::Gauge { gauge, value } => match gauge {
                Gauge::RenewalsLastMinute => {
                    server.renewals = *value;
                    let counted = std::mem::take(&mut server.counted);
                    if u64::try_from(*value) != Ok(counted) {
                        return Some(format!(
                            "{value} renewals reported for a window in which {counted} were seen"
                        ));
                    }
                }
                Gauge::ExpectedClients => {
                    server.expected = Some(*value);
                    if *value < 0 {
                        return Some(format!("{value} clients are expected"));
                    }
                }
                Gauge::RenewalThreshold => {
                    // A server says 0 at first: it computes the threshold when the expected clients first change.
                    let computed =
                        server.expected.filter(|_| *value != 0).map(|expected| rules.threshold(expected));
                    server.threshold = *value;
                    if computed.is_some_and(|computed| computed != *value) {
                        return Some(format!("a threshold of {value} where the rule gives {computed:?}"));
                    }
                }
                Gauge::SelfPreservation => {
                    server.protecting = *value == 1;
                    self.protected |= server.protecting;
                    if server.protecting != server.must_protect(rules) {
                        return Some(format!(
                            "self-preservation became {} at {} renewals against a threshold of {}",
                            if server.protecting { "active" } else { "inactive" },
                            server.renewals,
                            server.threshold
                        ));
                    }
                }
                _ => {}
            },
            Event::Evicted { .. } => {
                server.evicted_in_pass += 1;
                if server.must_protect(rules) {
                    return Some(format!(
                        "evicted at {} renewals against a threshold of {}",
                        server.renewals, server.threshold
                    ));
                }
            }
            Event::EvictionPass { leases, expired, evicted } => {
                return self.pass(node, rules, *leases, *expired, *evicted);
            }
            _ => {}
        }
        None
    }

    fn pass(
        &mut self,
        node: NodeId,
        rules: Rules,
        leases: u32,
        expired: u32,
        evicted: u32,
    ) -> Option<String> {
        self.passes += 1;
        let server = &mut self.servers[node.index()];
        let seen = std::mem::take(&mut server.evicted_in_pass);
        if server.protecting != server.must_protect(rules) {
            return Some(format!(
                "self-preservation is reported {}, at {} renewals against a threshold of {}",
                if server.protecting { "active" } else { "inactive" },
                server.renewals,
                server.threshold
            ));
        }
        let kept = (f64::from(leases) * rules.percent).trunc();
        let most = f64::from(leases) - kept;
        if seen != evicted {
            return Some(format!("an eviction run reports {evicted} evictions, but {seen} were seen"));
        }
        if evicted > expired {
            return Some(format!("{evicted} evicted, but only {expired} of {leases} leases had expired"));
        }
        if f64::from(evicted) > most {
            return Some(format!("one run evicted {evicted} of {leases} leases; {most} are allowed"));
        }
        None
    }

    /// Judges.
    pub fn finish(&self) -> Finding {
        let name = crate::plan::Invariant::SelfPreservation.name().to_owned();
        let (verdict, at, detail) = match &self.witness {
            Some((at, detail)) => (Verdict::Violated, Some(*at), detail.clone()),
            None if self.passes == 0 && !self.protected => {
                (Verdict::Inconclusive, None, "no server looked through its leases".to_owned())
            }
            None => {
                let detail = format!("{} eviction runs, all by the rules", self.passes);
                (Verdict::Holds, None, detail)
            }
        };
        Finding { name, verdict, at, detail, expected: false }
    }
}
