//! The figures of a run by name: what `summary.json` holds. `docs/metrics.md` defines each, with its unit and when it is absent.

use std::collections::BTreeMap;

use super::callers::Callers;
use super::consistency::Consistency;
use super::latency::Latencies;
use super::propagation::{Propagation, Reached};
use super::{Counts, Measured};
use crate::protocol::SimTime;
use crate::sim::ledger::{PathClass, Tally};

/// Figures by name.
pub type Figures = BTreeMap<String, f64>;

/// Whether the low values of a figure are the bad ones.
pub fn lower_is_worse(name: &str) -> bool {
    const GOOD: [&str; 7] = [
        "calls_answered",
        "calls_answered_share",
        "functional_effectiveness",
        "update_effectiveness",
        "update_responsiveness",
        "renewals",
        "evictions_of_dead",
    ];
    GOOD.contains(&name) || name.ends_with("_stable")
}

/// All figures of a run that ended at `end`.
pub(super) fn figures(measured: &Measured, counts: &Counts, end: SimTime) -> Figures {
    let mut figures = Figures::new();
    agreement(measured, end, &mut figures);
    failures(measured, counts, &mut figures);
    propagation(&measured.propagation, measured.subscribers > 0, &mut figures);
    calls(&measured.callers, &mut figures);
    consistency(&measured.consistency, &mut figures);
    cost(measured, counts, end, &mut figures);
    figures
}

fn put(figures: &mut Figures, name: &str, value: f64) {
    figures.insert(name.to_owned(), value);
}

fn agreement(measured: &Measured, end: SimTime, figures: &mut Figures) {
    if let Some(agreed) = measured.converged {
        put(figures, "convergence_ms", agreed.since(measured.last_disturbance).as_millis() as f64);
    }
    put(figures, "disagreement_pair_seconds", measured.disagreement.area(end));
    put(figures, "disagreement_worst", measured.disagreement.highest() as f64);
}

fn failures(measured: &Measured, counts: &Counts, figures: &mut Figures) {
    for (name, count) in [
        ("renewals", counts.renewals),
        ("registrations", counts.registrations),
        ("evictions", counts.evictions),
        ("false_evictions", counts.false_evictions),
        ("evictions_of_dead", counts.evictions - counts.false_evictions),
        ("missed_deaths", counts.missed_deaths),
        ("flaps", measured.propagation.flaps),
        ("returns", measured.propagation.returns),
    ] {
        put(figures, name, count as f64);
    }
    spread("detection_ms", &measured.propagation.died.servers.latencies, figures);
}

fn propagation(propagation: &Propagation, clients: bool, figures: &mut Figures) {
    let forgotten = propagation.forgotten();
    for (name, pairs) in
        [("discovery", &propagation.appeared), ("forgetting", &forgotten), ("status", &propagation.status)]
    {
        reached(name, &pairs.servers, figures);
        reached(&format!("client_{name}"), &pairs.clients, figures);
    }
    put(figures, "changes", propagation.changes as f64);
    if let Some(median) = propagation.responsiveness.percentile(50) {
        put(figures, "update_responsiveness", f64::from(median) / 10_000.0);
    }
    let kinds = [&propagation.appeared, &forgotten, &propagation.status];
    let users = kinds.map(|kind| if clients { &kind.clients } else { &kind.servers });
    let pairs: u64 = users.iter().map(|reached| reached.pairs()).sum();
    if pairs > 0 {
        let held: u64 = users.iter().map(|reached| reached.stable + reached.stale).sum();
        put(figures, "update_effectiveness", held as f64 / pairs as f64);
    }
}

/// What became of the pairs of some changes.
fn reached(name: &str, reached: &Reached, figures: &mut Figures) {
    if reached.pairs() == 0 {
        return;
    }
    spread(&format!("{name}_ms"), &reached.latencies, figures);
    for (what, count) in [
        ("stable", reached.stable),
        ("stale", reached.stale),
        ("lost", reached.lost),
        ("never", reached.never),
        ("overtaken", reached.overtaken),
    ] {
        put(figures, &format!("{name}_{what}"), count as f64);
    }
}

/// Best, median, p99 and worst.
fn spread(name: &str, latencies: &Latencies, figures: &mut Figures) {
    for (what, percent) in [("best", 0), ("median", 50), ("p99", 99), ("worst", 100)] {
        if let Some(value) = latencies.percentile(percent) {
            put(figures, &format!("{name}_{what}"), f64::from(value));
        }
    }
}

fn calls(callers: &Callers, figures: &mut Figures) {
    let [answered, no_instance, dead_instance, cut_off] = callers.total();
    let calls = answered + no_instance + dead_instance + cut_off;
    if calls == 0 {
        return;
    }
    for (name, count) in [
        ("calls", calls),
        ("calls_answered", answered),
        ("calls_failed", calls - answered),
        ("calls_without_instance", no_instance),
        ("calls_to_dead_instance", dead_instance),
        ("calls_cut_off", cut_off),
        ("calls_retried", callers.tries.saturating_sub(calls)),
    ] {
        put(figures, name, count as f64);
    }
    put(figures, "calls_answered_share", answered as f64 / calls as f64);
    put(figures, "tries_per_call", callers.tries as f64 / calls as f64);
    let outage = callers.outage.map_or(0, |outage| outage.to.since(outage.from).as_millis());
    put(figures, "longest_outage_ms", outage as f64);
    let spent = callers.usability;
    let whole = spent.usable + spent.detecting + spent.restoring;
    if whole > 0 {
        for (name, part) in [
            ("functional_effectiveness", spent.usable),
            ("failure_detection_share", spent.detecting),
            ("restoration_share", spent.restoring),
        ] {
            put(figures, name, part as f64 / whole as f64);
        }
    }
}

fn consistency(consistency: &Consistency, figures: &mut Figures) {
    spread("registration_ms", &consistency.registration, figures);
    put(figures, "registration_never", consistency.unregistered as f64);
    if let Some(unavailable) = consistency.write_unavailable_ns {
        put(figures, "write_unavailable_ms", (unavailable / 1_000_000) as f64);
    }
    if consistency.reads > 0 {
        put(figures, "reads", consistency.reads as f64);
        put(figures, "stale_reads", consistency.stale.count() as f64);
        spread("stale_read_age_ms", &consistency.stale, figures);
    }
}

fn cost(measured: &Measured, counts: &Counts, end: SimTime, figures: &mut Figures) {
    let add = |sum: Tally, more: Tally| Tally {
        messages: sum.messages + more.messages,
        bytes: sum.bytes + more.bytes,
    };
    let mut put_tally = |name: &str, tally: Tally| {
        put(figures, &format!("messages{name}"), tally.messages as f64);
        put(figures, &format!("bytes{name}"), tally.bytes as f64);
    };
    let rows = || measured.cost.rows();
    let whole = rows().flat_map(|row| row.tallies).fold(Tally::default(), add);
    put_tally("", whole);
    for (class, name) in PathClass::ALL {
        let tally = rows().map(|row| row.tallies[class as usize]).fold(Tally::default(), add);
        if tally.messages > 0 {
            put_tally(&format!("_{name}"), tally);
        }
    }
    for row in rows() {
        let tally = row.tallies.into_iter().fold(Tally::default(), add);
        put_tally(&format!("_{}", row.kind.replace('-', "_")), tally);
    }
    let instance_minutes = measured.clusters.iter().map(|of| of.living.area(end)).sum::<f64>() / 60.0;
    if instance_minutes > 0.0 {
        put(figures, "messages_per_instance_minute", whole.messages as f64 / instance_minutes);
        put(figures, "bytes_per_instance_minute", whole.bytes as f64 / instance_minutes);
    }
    if measured.propagation.changes > 0 {
        put(figures, "messages_per_change", whole.messages as f64 / measured.propagation.changes as f64);
    }
    put(figures, "requests_waiting_worst", measured.cost.deepest() as f64);
    for (name, count) in counts.tasks() {
        put(figures, name, count as f64);
    }
}
