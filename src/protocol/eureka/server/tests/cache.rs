//! The keys of the response cache: single applications, VIPs, regions, the compact form.

use super::*;
use crate::protocol::eureka::instance::{DataCenter, LeaseStamps};

/// A server whose readers see what the first level has.
fn direct() -> Driver {
    alone(|config| config.use_read_only_response_cache = false)
}

/// An instance with these VIPs.
fn at(id: u32, vip: &str, secure_vip: &str) -> InstanceInfo {
    let (vip, secure_vip) = (Some(Arc::from(vip)), Some(Arc::from(secure_vip)));
    InstanceInfo {
        about: Arc::new(About { vip, secure_vip, ..About::least("app", "host") }),
        ..info(id, 100)
    }
}

fn compact(resource: Resource) -> Query {
    Query { compact: true, ..Query::of(resource) }
}

fn of_regions(resource: Resource, regions: &[&str]) -> Query {
    let regions = regions.iter().map(|region| Arc::from(*region)).collect();
    Query { regions: Some(regions), ..Query::of(resource) }
}

/// The instances that are answered; none is 404.
fn shown(driver: &mut Driver, query: Query) -> Option<Vec<u32>> {
    match driver.get(query) {
        Response { status: 200, body: Body::Apps(apps) } => {
            Some(apps.instances().iter().map(|info| info.id.0).collect())
        }
        Response { status: 200, body: Body::Delta(delta) } => {
            Some(delta.changes().iter().map(|info| info.id.0).collect())
        }
        Response { status: 404, body: Body::Empty } => None,
        other => panic!("a list was asked for: {other:?}"),
    }
}

#[test]
fn that_an_application_is_unknown_is_remembered() {
    let mut driver = alone(|_| {});
    let app = || Query::of(Resource::App(APP));
    assert_eq!(shown(&mut driver, app()), None);
    driver.at(1000).register(info(1, 100), false);
    assert_eq!(shown(&mut driver, app()), None);
    driver.at(29_999);
    assert_eq!(shown(&mut driver, app()), None);
    driver.at(30_000);
    assert_eq!(shown(&mut driver, app()), Some(vec![1]));
    driver.register(InstanceInfo { app: ServiceId(1), ..info(2, 100) }, false);
    driver.at(60_000);
    assert_eq!(shown(&mut driver, app()), Some(vec![1]), "of this application alone");
    driver.cancel(1);
    driver.at(90_000);
    assert_eq!(shown(&mut driver, app()), None, "no element for an application without instances");
}

#[test]
fn a_vip_is_one_of_those_given_to_the_letter() {
    let mut driver = direct();
    driver.register(at(1, "v1,v2, v3", "s1"), false);
    driver.register(at(2, "V1", "s1,s2"), false);
    let mut check = |resource: Resource, expected: &[u32]| {
        let response = driver.get(Query::of(resource.clone()));
        let Body::Apps(apps) = &response.body else { panic!("a list: {response:?}") };
        let ids: Vec<u32> = apps.instances().iter().map(|info| info.id.0).collect();
        assert_eq!((response.status, apps.version(), &*ids), (200, -1, expected), "{resource:?}");
    };
    check(Resource::Vip("v1".into()), &[1]);
    check(Resource::Vip("v2".into()), &[1]);
    check(Resource::Vip("V1".into()), &[2]);
    check(Resource::Vip("v3".into()), &[]);
    check(Resource::Vip(" v3".into()), &[1]);
    check(Resource::Vip("v1,v2, v3".into()), &[]);
    check(Resource::Vip("s1".into()), &[]);
    check(Resource::SecureVip("s1".into()), &[1, 2]);
    check(Resource::SecureVip("s2".into()), &[2]);
    assert_eq!(driver.apps().version(), 1);
}

/// What a second instance is seen by at once, for a reader of the first level, and what only after 180 s.
#[test]
fn a_change_throws_out_its_own_keys_and_no_others() {
    let vip = |vip: &str| Resource::Vip(vip.into());
    let secure = |vip: &str| Resource::SecureVip(vip.into());
    let check = |query: Query, at_once: bool| {
        let mut driver = direct();
        driver.register(at(1, "v,w", "s"), false);
        driver.register(at(3, "v", "s"), false);
        let before = shown(&mut driver, query.clone());
        driver.at(1000).register(at(2, "v,w", "s"), false);
        let now = shown(&mut driver, query.clone());
        assert_eq!(now != before, at_once, "{query:?}: {before:?}, then {now:?}");
        driver.at(180_000);
        assert_ne!(shown(&mut driver, query), before, "when it has expired");
    };
    check(Query::of(Resource::Apps), true);
    check(Query::of(Resource::Delta), true);
    check(Query::of(Resource::App(APP)), true);
    check(compact(Resource::Apps), true);
    check(compact(Resource::Delta), true);
    check(compact(Resource::App(APP)), true);
    check(of_regions(Resource::Apps, &["east"]), true);
    check(of_regions(Resource::Delta, &["east", "west"]), true);
    check(Query::of(secure("s")), true);
    check(compact(secure("s")), false);
    // One of several VIPs.
    check(Query::of(vip("v")), false);
    check(Query::of(vip("w")), false);
}

#[test]
fn the_key_of_another_application_stays() {
    let mut driver = direct();
    driver.register(at(1, "v", "s"), false);
    let other = Query::of(Resource::App(ServiceId(1)));
    assert_eq!(shown(&mut driver, other.clone()), None);
    let first = driver.get(Query::of(Resource::App(APP))).body;
    driver.register(InstanceInfo { app: ServiceId(1), ..at(2, "x", "y") }, false);
    assert_eq!(shown(&mut driver, other), Some(vec![2]));
    let again = driver.get(Query::of(Resource::App(APP))).body;
    let (Body::Apps(first), Body::Apps(again)) = (first, again) else { panic!("lists") };
    assert!(Arc::ptr_eq(&first, &again));
}

#[test]
fn deltas_are_counted_apart_for_those_who_name_regions() {
    let mut driver = direct();
    let version = |driver: &mut Driver, query| match driver.get(query).body {
        Body::Delta(delta) => delta.version(),
        other => panic!("a delta was asked for: {other:?}"),
    };
    let (plain, named) = (|| Query::of(Resource::Delta), || of_regions(Resource::Delta, &["east"]));
    assert_eq!([version(&mut driver, plain()), version(&mut driver, named())], [1, 1]);
    assert_eq!(version(&mut driver, plain()), 1, "cached");
    assert_eq!(version(&mut driver, of_regions(Resource::Delta, &[])), 1, "no region is no parameter");
    assert_eq!(version(&mut driver, compact(Resource::Delta)), 2, "one counter for both forms");
    driver.register(info(1, 100), false);
    assert_eq!(version(&mut driver, of_regions(Resource::Delta, &["west"])), 2);
    assert_eq!([version(&mut driver, named()), version(&mut driver, plain())], [3, 3]);
}

#[test]
fn the_compact_form_leaves_out_what_the_original_leaves_out() {
    let mut driver = direct();
    let text = |text: &str| Some(Arc::from(text));
    let amazon = ["instance-id", "public-ipv4", "local-ipv4", "availability-zone", "ami-id", "mac"];
    let about = About {
        vip: text("v"),
        group: text("GROUP"),
        asg: text("asg"),
        home_page_url: text("http://host/"),
        status_page_url: text("http://host/info"),
        health_check_url: text("http://host/health"),
        secure_health_check_url: text("https://host/health"),
        data_center: Some(DataCenter::Amazon(amazon.map(|key| (key.into(), "x".into())).into())),
        metadata: Arc::new([("zone".into(), "a".into())].into()),
        ..About::least("app", "host")
    };
    driver.register(InstanceInfo { about: Arc::new(about.clone()), ..info(1, 100) }, false);
    assert_eq!(driver.set_status(1, OutOfService), 200);
    let expected = About {
        vip: text("v"),
        asg: text("asg"),
        data_center: Some(DataCenter::Amazon(
            amazon[..4].iter().map(|key| ((*key).into(), "x".into())).collect(),
        )),
        ..About::least("app", "host")
    };
    for resource in [Resource::Apps, Resource::Delta, Resource::App(APP), Resource::Vip("v".into())] {
        let (info, stamps, version) = match driver.get(compact(resource.clone())).body {
            Body::Apps(apps) => {
                let (info, stamps) = apps.entries().next().expect("one instance");
                (Arc::clone(info), stamps, apps.version())
            }
            Body::Delta(delta) => {
                let (info, stamps) = delta.entries().next().expect("one instance");
                (Arc::clone(info), stamps, delta.version())
            }
            other => panic!("a list: {other:?}"),
        };
        assert_eq!((info.status, info.overridden, info.lease), (OutOfService, Unknown, None), "{resource:?}");
        assert_eq!((&*info.about, stamps), (&expected, LeaseStamps::default()), "{resource:?}");
        assert_eq!(version, if matches!(resource, Resource::Vip(_)) { -1 } else { 1 }, "{resource:?}");
    }
    let full = driver.apps();
    assert_eq!((&*full.instances()[0].about, full.instances()[0].overridden), (&about, OutOfService));
}

#[test]
fn an_instance_is_found_by_its_id_alone() {
    let mut driver = direct();
    let find = |driver: &mut Driver, id| match driver
        .request(Request::Instance { app: None, id: InstanceId(id) })
        .body
    {
        Body::Instance(info, _) => Some(info.id.0),
        _ => None,
    };
    assert_eq!(find(&mut driver, 1), None);
    let about = About { override_key: Some(InstanceId(1)), ..About::least("other", "host") };
    driver.register(InstanceInfo { app: ServiceId(1), about: Arc::new(about), ..info(2, 100) }, false);
    assert_eq!(find(&mut driver, 1), Some(2), "whatever its application");
    driver.register(info(1, 100), false);
    assert_eq!([find(&mut driver, 1), find(&mut driver, 2)], [Some(1); 2], "the first of several");
    let wrong = Request::Instance { app: Some(ServiceId(1)), id: InstanceId(1) };
    assert_eq!(driver.request(wrong).status, 404, "in another application there is none");
}
