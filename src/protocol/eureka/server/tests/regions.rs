//! Other regions, beside the server's own.

use super::*;
use crate::protocol::eureka::node::RemoteRegion;

/// Applications: here, here and elsewhere, elsewhere only.
const LOCAL: ServiceId = ServiceId(0);
const SHARED: ServiceId = ServiceId(1);
const FAR: ServiceId = ServiceId(2);

fn of(app: ServiceId, id: u32, status: Status) -> InstanceInfo {
    InstanceInfo { app, status, action: Some(Action::Added), ..info(id, 100) }
}

fn everything(instances: &[InstanceInfo]) -> Arc<Applications> {
    Arc::new(Applications::new(instances.iter().cloned().map(Arc::new).collect()))
}

/// A server that knows the regions `east` and `West`, and has instances 1 (of `LOCAL`) and 2 (of `SHARED`). In the east there are
/// 11 (`SHARED`) and 12 (`FAR`), in the west 21 (`SHARED`) and 22 (`FAR`), the latter down.
fn server(change: impl FnOnce(&mut ServerNode)) -> Driver {
    let mut driver = unready(change);
    let regions = &mut driver.server.registry.regions;
    regions.adopt(0, everything(&[of(SHARED, 11, Up), of(FAR, 12, Up)]));
    regions.adopt(1, everything(&[of(SHARED, 21, Up), of(FAR, 22, Down)]));
    assert_eq!(regions.content(0).instances().len(), 2);
    driver
}

fn unready(change: impl FnOnce(&mut ServerNode)) -> Driver {
    let mut node = node(Profile::SpringCloud, 1);
    Arc::make_mut(&mut node.server).use_read_only_response_cache = false;
    let region =
        |name: &str, address| RemoteRegion { name: name.into(), address: Address(address), white_list: None };
    node.remote_regions = [region("east", 50), region("West", 60)].into();
    change(&mut node);
    let mut driver = Driver::new(node);
    // The first fetches are in vain.
    while !driver.listens {
        driver.calls().iter().for_each(|(_, call)| driver.answer(call, Err(CallError::Refused)));
    }
    driver.register(of(LOCAL, 1, Up), true);
    driver.register(of(SHARED, 2, Up), true);
    driver
}

fn white_list(node: &mut ServerNode, region: usize, apps: &[ServiceId]) {
    let mut regions = node.remote_regions.to_vec();
    regions[region].white_list = Some(apps.into());
    node.remote_regions = regions.into();
}

fn query(resource: Resource, regions: Option<&[&str]>) -> Query {
    let regions = regions.map(|regions| regions.iter().map(|region| Arc::from(*region)).collect());
    Query { regions, ..Query::of(resource) }
}

/// The instances that are shown, and the hash.
fn shown(driver: &mut Driver, resource: Resource, regions: Option<&[&str]>) -> (Vec<u32>, String) {
    match driver.get(query(resource, regions)).body {
        Body::Apps(apps) => {
            (apps.instances().iter().map(|info| info.id.0).collect(), apps.histogram().hash_code())
        }
        Body::Delta(delta) => {
            (delta.changes().iter().map(|info| info.id.0).collect(), delta.histogram().hash_code())
        }
        other => panic!("a list was asked for: {other:?}"),
    }
}

#[test]
fn who_names_no_region_is_shown_all_of_them() {
    let mut driver = server(|_| {});
    // Ids are dense, so the order is not the application's.
    let (mut apps, hash) = shown(&mut driver, Resource::Apps, None);
    apps.sort_unstable();
    assert_eq!((&*apps, &*hash), (&[1, 2, 11, 12, 21, 22][..], "DOWN_1_UP_5_"));
    // Of a fresh region all is a change; what is here is left out. The hash counts the first region's copy alone.
    let delta = shown(&mut driver, Resource::Delta, None);
    assert_eq!(
        delta,
        (vec![1, 2, 12, 22], "UP_3_".to_owned()),
        "the two hashes disagree, as in the original"
    );
}

#[test]
fn who_names_regions_is_shown_these() {
    let mut driver = server(|_| {});
    let sorted = |(mut ids, hash): (Vec<u32>, String)| {
        ids.sort_unstable();
        (ids, hash)
    };
    let mut check = |regions: &[&str], ids: &[u32], hash: &str| {
        for resource in [Resource::Apps, Resource::Delta] {
            let (shown, of_all) = sorted(shown(&mut driver, resource, Some(regions)));
            assert_eq!((&*shown, &*of_all), (ids, hash), "{regions:?}");
        }
    };
    check(&["east"], &[1, 2, 11, 12], "UP_4_");
    check(&["nowhere"], &[1, 2], "UP_2_");
    // The parameter is in lower case, the name is not.
    check(&["west"], &[1, 2], "UP_2_");
    check(&["east", "west"], &[1, 2, 11, 12], "UP_4_");
    let mut driver = server(|node| {
        Arc::make_mut(&mut node.server).disable_transparent_fallback = true;
    });
    let (ids, _) = shown(&mut driver, Resource::Apps, Some(&["east"]));
    assert_eq!(ids.len(), 4, "who asks gets them all the same");
    assert_eq!(shown(&mut driver, Resource::Apps, None), (vec![1, 2], "UP_2_".to_owned()));
    assert_eq!(shown(&mut driver, Resource::Delta, None), (vec![1, 2], "UP_2_".to_owned()));
}

#[test]
fn white_lists_say_what_may_be_shown() {
    let check = |change: fn(&mut ServerNode), expected: &[u32]| {
        let (mut ids, _) = shown(&mut server(change), Resource::Apps, None);
        ids.sort_unstable();
        assert_eq!(ids, expected);
    };
    check(|node| white_list(node, 0, &[FAR]), &[1, 2, 12, 21, 22]);
    check(|node| white_list(node, 0, &[]), &[1, 2, 21, 22]);
    check(|node| node.global_white_list = Some([SHARED].into()), &[1, 2, 11, 21]);
    let both: fn(&mut ServerNode) = |node| {
        node.global_white_list = Some([].into());
        white_list(node, 1, &[FAR]);
    };
    check(both, &[1, 2, 22]);

    let mut driver = server(|node| white_list(node, 0, &[FAR]));
    let (ids, hash) = shown(&mut driver, Resource::Delta, Some(&["east"]));
    assert_eq!((ids, &*hash), (vec![1, 2, 12], "UP_3_"));
    // The delta of who names no region does not look at them.
    let mut driver = server(|node| node.global_white_list = Some([].into()));
    assert_eq!(shown(&mut driver, Resource::Delta, None).0, [1, 2, 12, 22]);
    // Nor does an application that is only elsewhere.
    assert_eq!(shown(&mut driver, Resource::App(FAR), None).0, [12]);

    let mut node = driver.server.node.clone();
    node.global_white_list = None;
    driver.input(Input::Reconfigure(Arc::new(Config::Server(Box::new(node)))));
    driver.register(of(LOCAL, 3, Up), true);
    assert_eq!(shown(&mut driver, Resource::Apps, None).0.len(), 7, "read anew at each use");
}

#[test]
fn an_application_that_is_not_here_is_the_first_region_s() {
    let mut driver = server(|_| {});
    assert_eq!(shown(&mut driver, Resource::App(FAR), None).0, [12]);
    assert_eq!(shown(&mut driver, Resource::App(SHARED), None).0, [2], "one instance here is enough");
    assert_eq!(driver.set_status(2, Down), 404, "of another application");
    let down = Request::SetStatus {
        app: SHARED,
        id: InstanceId(2),
        status: Some(Down),
        last_dirty: Stamp::Absent,
        replication: true,
    };
    assert_eq!(driver.request(down).status, 200);
    assert_eq!(shown(&mut driver, Resource::App(SHARED), None).0, [2], "whatever its status");
    let mut driver = server(|node| Arc::make_mut(&mut node.server).disable_transparent_fallback = true);
    assert_eq!(driver.get(Query::of(Resource::App(FAR))).status, 404);
}

#[test]
fn an_instance_that_is_not_here_is_looked_for_elsewhere() {
    let mut driver = server(|_| {});
    let mut find = |app, id| driver.request(Request::Instance { app, id: InstanceId(id) }).status;
    assert_eq!([find(Some(FAR), 12), find(Some(SHARED), 11), find(None, 22)], [200; 3]);
    assert_eq!(find(Some(FAR), 22), 404, "the first region that has the application decides");
    assert_eq!(find(Some(LOCAL), 12), 404);
    assert_eq!(find(None, 23), 404);
    let set = |replication| Request::SetStatus {
        app: FAR,
        id: InstanceId(12),
        status: Some(Down),
        last_dirty: Stamp::Absent,
        replication,
    };
    assert_eq!(driver.request(set(false)).status, 500, "found, but not leased here");
}

#[test]
fn changing_metadata_of_an_instance_elsewhere_registers_it_here() {
    let mut driver = server(|_| {});
    let change =
        Request::SetMetadata { app: FAR, id: InstanceId(12), entries: [("zone".into(), "z".into())].into() };
    assert_eq!(driver.request(change).status, 200);
    let held = driver.held(12).expect("registered");
    assert_eq!((held.about.metadata.len(), held.last_dirty), (1, 100));
    driver.at(1000);
    let kinds: Vec<_> = driver.batches().iter().flat_map(Batch::kinds).collect();
    assert_eq!(kinds, [("register", 12)]);
}

#[test]
fn who_names_regions_waits_until_all_were_fetched_once() {
    let mut driver = unready(|_| {});
    let status = |driver: &mut Driver, resource, regions| driver.get(query(resource, regions)).status;
    let named: Option<&[&str]> = Some(&["east"]);
    assert_eq!(status(&mut driver, Resource::Apps, named), 403);
    driver.server.registry.regions.adopt(0, everything(&[]));
    assert_eq!(
        status(&mut driver, Resource::Delta, named),
        403,
        "the west is missing, too, asked for or not"
    );
    assert_eq!(status(&mut driver, Resource::Apps, None), 200);
    assert_eq!(status(&mut driver, Resource::Delta, Some(&[])), 200);
    assert_eq!(status(&mut driver, Resource::App(FAR), named), 404, "regions count for lists only");
    driver.server.registry.regions.adopt(1, everything(&[]));
    assert_eq!(status(&mut driver, Resource::Apps, named), 200);
    assert_eq!(status(&mut driver, Resource::Delta, named), 200);
}

#[test]
fn an_application_elsewhere_outlives_its_last_instance() {
    let mut driver = server(|_| {});
    let gone = InstanceInfo { action: Some(Action::Deleted), ..of(FAR, 12, Up) };
    let left = everything(&[of(SHARED, 11, Up)]);
    let delta = Arc::new(Delta::new(vec![Arc::new(gone)], left.histogram(), 5));
    driver.server.registry.regions.adopt_changes(0, left, delta);
    assert!(
        shown(&mut driver, Resource::App(FAR), None).0.is_empty(),
        "of the east, though the west has one"
    );
    driver.register(of(LOCAL, 4, Up), true);
    let (ids, hash) = shown(&mut driver, Resource::Delta, None);
    assert_eq!((ids, &*hash), (vec![1, 2, 4, 12, 22], "UP_3_"), "and it hides that from the hash");
    driver.server.registry.regions.adopt(0, everything(&[of(SHARED, 11, Up)]));
    driver.register(of(LOCAL, 4, Up), true);
    assert_eq!(shown(&mut driver, Resource::Delta, None).1, "DOWN_1_UP_3_", "forgotten once all is fetched");
}

#[test]
fn of_two_copies_the_one_elsewhere_is_shown() {
    let mut driver = server(|_| {});
    driver.server.registry.regions.adopt(0, everything(&[of(SHARED, 2, Down)]));
    let body = driver.get(query(Resource::Apps, Some(&["east"]))).body;
    let Body::Apps(apps) = body else { panic!("a list") };
    let statuses: Vec<Status> = apps.of(SHARED).iter().map(|info| info.status).collect();
    assert_eq!(statuses, [Down]);
    let (ids, hash) = shown(&mut driver, Resource::Delta, Some(&["east"]));
    assert_eq!((ids, &*hash), (vec![1, 2], "DOWN_1_UP_1_"));
}
