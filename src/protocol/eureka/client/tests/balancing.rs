//! How look-ups choose.

use super::*;
use crate::protocol::eureka::instance::{About, DataCenter};
use crate::protocol::eureka::node::{Balancer, Rule};

fn in_zone(id: u32, status: Status, zone: &str) -> Arc<InstanceInfo> {
    let mut about = About::least("app", "host");
    Arc::make_mut(&mut about.metadata).insert("zone".into(), zone.into());
    Arc::new(InstanceInfo { about: Arc::new(about), ..(*info(id, status, None)).clone() })
}

/// A client that only fetches, with this balancer; its copy is `first` until the refresh at 30 s, and `then` from there on.
fn caller(
    profile: Profile,
    balancer: Balancer,
    first: Vec<Arc<InstanceInfo>>,
    then: Vec<Arc<InstanceInfo>>,
) -> Rig {
    let mut node = node(profile);
    settings(&mut node).register_with_eureka = false;
    settings(&mut node).disable_delta = true;
    node.balancer = balancer;
    let [first, then] = [first, then].map(|list| Arc::new(Applications::new(list)));
    let mut next = Some(first);
    let mut rig = Rig::application(&node, move |_, _| {
        let apps = next.take().unwrap_or_else(|| Arc::clone(&then));
        Some((0, body(Body::Apps(apps))))
    });
    rig.run_to(1);
    rig.taken();
    rig
}

fn rule(rule: Rule) -> Balancer {
    Balancer { rule, cache: Duration::ZERO }
}

fn spring(rule: Rule) -> Balancer {
    Balancer { rule, cache: Duration::from_secs(35) }
}

impl Rig {
    /// Look-ups, one after the other.
    fn found(&mut self, count: usize, except: Option<u32>) -> Vec<u32> {
        (0..count).for_each(|_| {
            self.ask(Operation::LookUp { service: APP, except: except.map(InstanceId) });
        });
        let id = |line: String| {
            let (_, id) = line.split_once("Found(InstanceId(").expect("something was found");
            id.trim_end_matches(')').parse().expect("a number")
        };
        self.taken().into_iter().map(id).collect()
    }
}

fn all_up(ids: &[u32]) -> Vec<Arc<InstanceInfo>> {
    ids.iter().map(|id| info(*id, Status::Up, None)).collect()
}

#[test]
fn round_robin_takes_each_in_turn_and_only_those_up() {
    for profile in [Profile::Netflix, Profile::SpringCloud] {
        let list = [all_up(&[7, 8, 9]), vec![info(5, Status::Down, None)]].concat();
        let mut rig = caller(profile, rule(Rule::RoundRobin), list.clone(), list);
        let found = rig.found(9, None);
        let mut first: Vec<u32> = found[..3].into();
        assert_eq!(found, first.repeat(3), "{profile:?}");
        first.sort_unstable();
        assert_eq!(first, [7, 8, 9]);
    }
}

#[test]
fn the_few_that_are_up_among_many_are_found_each_as_often() {
    let list: Vec<_> =
        (0..100).map(|id| info(id, if id % 50 == 3 { Status::Up } else { Status::Down }, None)).collect();
    let mut rig = caller(Profile::SpringCloud, rule(Rule::Random), list.clone(), list);
    let found = rig.found(1000, None);
    let threes = found.iter().filter(|id| **id == 3).count();
    assert!(found.iter().all(|id| [3, 53].contains(id)) && (430..570).contains(&threes), "{threes}");
    assert_eq!(rig.found(20, Some(3)), [53; 20]);
}

#[test]
fn netflixs_counter_begins_anew_with_every_refresh() {
    let list = all_up(&[7, 8, 9]);
    let mut rig = caller(Profile::Netflix, rule(Rule::RoundRobin), list.clone(), list);
    for period in 0..20u64 {
        rig.found(usize::try_from(period % 3).expect("small"), None);
        rig.run_to(30_001 + 30_000 * period);
        rig.taken();
        rig.found(1, None);
        let pick = &rig.client().extras.as_ref().expect("a balancer").picks[0];
        let state = format!("{pick:?}");
        assert!(state.ends_with("position: 1 }"), "the first pick after a refresh is index 1: {state}");
    }
}

#[test]
fn netflixs_list_is_shuffled_by_every_refresh() {
    let list = all_up(&[7, 8, 9]);
    let mut rig = caller(Profile::Netflix, rule(Rule::RoundRobin), list.clone(), list);
    let firsts: Vec<u32> = (0..60u64)
        .map(|period| {
            rig.run_to(1 + 30_000 * (period + 1));
            rig.taken();
            rig.found(1, None)[0]
        })
        .collect();
    for id in [7, 8, 9] {
        let count = firsts.iter().filter(|first| **first == id).count();
        assert!((10..=30).contains(&count), "{id} came first {count} times of 60");
    }
}

#[test]
fn springs_position_begins_anywhere_and_goes_on_after_a_refresh() {
    let list = all_up(&[7, 8, 9, 10]);
    let mut rig = caller(Profile::SpringCloud, rule(Rule::RoundRobin), list.clone(), list);
    let position = |rig: &Rig| {
        let state = format!("{:?}", rig.client().extras.as_ref().expect("a balancer").picks[0]);
        let (_, position) = state.rsplit_once("position: ").expect("it has one");
        position.trim_end_matches(" }").parse::<u32>().expect("a number")
    };
    rig.found(1, None);
    let begun = position(&rig);
    assert!((2..=1000).contains(&begun), "drawn: {begun}");
    rig.found(2, None);
    rig.run_to(31_000);
    rig.taken();
    rig.found(1, None);
    assert_eq!(position(&rig), begun + 3);
}

#[test]
fn springs_cache_keeps_a_list_for_35_s_whatever_happens_to_the_copy() {
    for (which, random) in [(Rule::RoundRobin, false), (Rule::Random, true), (Rule::ZoneAware, false)] {
        let mut rig = caller(Profile::SpringCloud, spring(which), all_up(&[7, 8]), all_up(&[9]));
        rig.run_to(10_000);
        let first = rig.found(20, None);
        assert!(first.contains(&7) && first.contains(&8), "{first:?}");
        assert_eq!(first[..2] == first[2..4] && first[..2] == first[4..6], !random || first[0] == first[1]);
        rig.run_to(44_999);
        rig.taken();
        assert!(rig.found(4, None).iter().all(|id| *id < 9), "{which:?}: the copy has only 9, the cache not");
        rig.run_to(45_000);
        assert_eq!(rig.found(4, None), [9; 4], "{which:?}");
    }
}

#[test]
fn an_empty_list_is_not_cached() {
    let mut rig = caller(Profile::SpringCloud, spring(Rule::RoundRobin), Vec::new(), all_up(&[9]));
    rig.run_to(29_000);
    rig.ask(Operation::LookUp { service: APP, except: None });
    assert_eq!(rig.taken(), ["29000 NoneFound"]);
    rig.run_to(30_001);
    rig.taken();
    assert_eq!(rig.found(1, None), [9]);
}

#[test]
fn a_retry_avoids_the_instance_that_failed_if_there_is_another() {
    for balancer in
        [rule(Rule::Random), rule(Rule::RoundRobin), spring(Rule::RoundRobin), spring(Rule::ZoneAware)]
    {
        for profile in [Profile::Netflix, Profile::SpringCloud] {
            let list = all_up(&[7, 8, 9]);
            let mut rig = caller(profile, balancer, list.clone(), list);
            let found = rig.found(40, Some(8));
            assert!(found.iter().all(|id| *id != 8) && found.contains(&7) && found.contains(&9));
            let mut rig = caller(profile, balancer, all_up(&[8]), Vec::new());
            assert_eq!(rig.found(3, Some(8)), [8; 3], "there is no other");
            let mut rig = caller(profile, balancer, all_up(&[8]), Vec::new());
            assert_eq!(rig.found(1, Some(7)), [8], "it is gone anyway");
        }
    }
}

#[test]
fn the_own_zone_is_preferred_if_anything_is_up_in_it() {
    let list = |own: Status| {
        vec![
            in_zone(7, own, "Z"),
            in_zone(8, own, "z"),
            in_zone(9, Status::Up, "far"),
            info(10, Status::Up, None),
        ]
    };
    let check = |own: Status, expected: &[u32]| {
        let mut rig = caller(Profile::SpringCloud, rule(Rule::ZoneAware), list(own), Vec::new());
        let mut found = rig.found(expected.len(), None);
        found.sort_unstable();
        assert_eq!(found, expected);
    };
    check(Status::Up, &[7, 8]);
    check(Status::Down, &[9, 10]);
}

#[test]
fn spring_does_not_find_what_states_another_virtual_address() {
    let with_vip = |id, vip: Option<&str>| {
        let about = About { vip: vip.map(Arc::from), ..About::least("app", "host") };
        Arc::new(InstanceInfo { about: Arc::new(about), ..(*info(id, Status::Up, None)).clone() })
    };
    let list = vec![with_vip(7, Some("other")), with_vip(8, Some("x,App")), with_vip(9, None)];
    for balancer in [rule(Rule::Random), rule(Rule::RoundRobin)] {
        let found = |profile| {
            let mut found = caller(profile, balancer, list.clone(), Vec::new()).found(60, None);
            found.sort_unstable();
            found.dedup();
            found
        };
        assert_eq!(found(Profile::SpringCloud), [8, 9]);
        assert_eq!(found(Profile::Netflix), [7, 8, 9]);
    }
}

#[test]
fn instances_of_another_region_are_in_the_copy_and_are_not_found() {
    let abroad = |id| {
        let zone = [(Arc::from("availability-zone"), Arc::from("west-1a"))];
        let about =
            About { data_center: Some(DataCenter::Amazon(zone.into())), ..About::least("app", "host") };
        Arc::new(InstanceInfo { about: Arc::new(about), ..(*info(id, Status::Up, None)).clone() })
    };
    let registry = Arc::new(Applications::new(vec![abroad(7), info(8, Status::Up, None)]));
    let mut node = node(Profile::SpringCloud);
    settings(&mut node).register_with_eureka = false;
    node.remote_zones = [("west-1a".into(), "west".into())].into();
    let mut found = |regions: &[&str]| {
        settings(&mut node).remote_regions = regions.iter().map(|name| Arc::from(*name)).collect();
        let registry = Arc::clone(&registry);
        let mut rig = Rig::application(&node, move |_, _| Some((0, body(Body::Apps(Arc::clone(&registry))))));
        rig.run_to(1);
        assert_eq!(rig.taken()[1], "0 adopted 2");
        let mut found = rig.found(40, None);
        found.sort_unstable();
        found.dedup();
        found
    };
    assert_eq!(found(&["west"]), [8]);
    assert_eq!(found(&["north"]), [7, 8], "a zone of a region that is not fetched is local");
    assert_eq!(found(&[]), [7, 8]);
}
