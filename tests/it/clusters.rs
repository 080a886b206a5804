//! Two regions that show each other, and each other's servers nothing: each comes to agree in itself, and they never do.
//!
//! Separate from the shipped stories because nothing goes wrong here that anybody would have to know of.

use regsim::check::{Finding, Verdict};
use regsim::plan::Plan;
use regsim::run::{Outcome, run};
use regsim::scenario::Scenario;

const REGIONS: &str = r#"
title: Two regions that show each other
topology: { regions: { east: [east-a], west: [west-a] } }
servers:
  east-1: { zone: east-a, peers: [east-2], server: { remote-region-urls-with-name: { west: "http://west-1:8761/eureka/" } } }
  east-2: { zone: east-a, peers: [east-1] }
  west-1: { zone: west-a, peers: [west-2], server: { remote-region-urls-with-name: { east: "http://east-1:8761/eureka/" } } }
  west-2: { zone: west-a, peers: [west-1] }
services:
  ledger: { instances: 3, zone: east-a, servers: [east-1, east-2], start: 1m..2m }
  shop: { instances: 2, zone: west-a, servers: [west-1, west-2], start: 1m..2m }
timeline:
  - { name: split, at: 8m, for: 1m, partition: [[east-1], [east-2]] }
duration: 14m
expect:
  - converged: { within: 61s }
  - holds: servers-agree
  - holds: conflict-resolution
  - registered: { service: ledger, client: shop, by: 14m }
  - not-registered: { service: ledger, server: [west-1, west-2], by: 14m }
"#;

fn outcome(text: &str, seed: u64) -> Outcome {
    let no_files = &mut |_: &str| Err("no such file".to_owned());
    let scenario = Scenario::parse("stories/regions.yaml", text.as_bytes(), &[], no_files);
    let scenario = scenario.unwrap_or_else(|mistakes| panic!("{mistakes:#?}"));
    let plan = Plan::resolve_for(&scenario, seed).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"));
    run(&plan, seed, &mut ())
}

fn finding<'o>(outcome: &'o Outcome, name: &str) -> &'o Finding {
    outcome.findings.iter().find(|finding| finding.name == name).expect("it is expected")
}

#[test]
fn each_region_agrees_in_itself() {
    for seed in 1..=8 {
        let outcome = outcome(REGIONS, seed);
        assert_eq!(outcome.verdict, Verdict::Holds, "seed {seed}: {:#?}", outcome.findings);
        let detail = &finding(&outcome, "converged: { within: 61s }").detail;
        assert!(detail.starts_with("in each of 2 clusters"), "{detail}");
        let living: Vec<i64> =
            outcome.measured.clusters.iter().map(|cluster| cluster.living.last()).collect();
        assert_eq!(living, [3 + 2, 2 + 2], "servers register, too");
    }
}

/// One client that takes them for one registry is enough, and sees that they are not.
#[test]
fn a_client_with_servers_of_both_makes_them_one() {
    let both = REGIONS.replace("servers: [west-1, west-2]", "servers: [west-1, east-1]");
    let outcome = outcome(&both, 1);
    assert_eq!(finding(&outcome, "converged: { within: 61s }").verdict, Verdict::Violated);
    // Not all servers of that one cluster replicate to each other: they are not compared.
    assert_eq!(finding(&outcome, "holds: servers-agree").verdict, Verdict::Inconclusive);
    assert_eq!(outcome.measured.clusters.len(), 1);
}

/// A region without repair says nothing of the other one.
#[test]
fn a_cluster_that_does_not_repair_is_left_out_alone() {
    let server = "east-2: { zone: east-a, peers: [east-1]";
    let no_repair = |text: &str| {
        text.replace(server, &format!("{server}, server: {{ sync-when-timestamp-differs: false }}"))
    };
    let compared = |text: &str| {
        let detail = finding(&outcome(text, 1), "holds: servers-agree").detail.clone();
        detail.split(' ').find_map(|word| word.parse::<u64>().ok()).unwrap_or(0)
    };
    let (all, west) = (compared(REGIONS), compared(&no_repair(REGIONS)));
    assert!(west > 0 && west < all, "{west} of {all} comparisons");
}

/// One application in both regions: a region that shows another one adds its instances to its own, so that one in four calls is
/// answered when the other three instances are dead.
#[test]
fn an_application_may_be_registered_in_both() {
    let ledger =
        "  ledger-west: { application: ledger, zone: west-a, servers: [west-1, west-2], start: 1m }\n";
    let till = "  till: { zone: west-a, servers: [west-1, west-2], start: 3m, calls: { ledger: 5/s } }\n";
    let expected = "  - calls: { of: till, to: ledger, during: 8m1s..9m, success: 24%..26% }\n  - registered: { service: ledger-west, server: [west-1, west-2], by: 4m }\n";
    let both = REGIONS
        .replace("  shop:", &format!("{ledger}{till}  shop:"))
        .replace(
            "  - { name: split, at: 8m, for: 1m, partition: [[east-1], [east-2]] }",
            "  - { at: 8m, crash: ledger }",
        )
        .replace("  - converged: { within: 61s }\n", expected)
        .replace("  - registered: { service: ledger, client: shop, by: 14m }\n", "");
    let outcome = outcome(&both, 1);
    let failed: Vec<_> =
        outcome.findings.iter().filter(|finding| finding.verdict == Verdict::Violated).collect();
    assert!(failed.is_empty(), "{failed:#?}");
}
