//! What a registration must say, and what becomes of its metadata.

use super::*;
use crate::protocol::eureka::instance::DataCenter;

/// The answer to a registration of an instance that says this, under the path of application `path`, if not its own.
fn answer(driver: &mut Driver, path: Option<&str>, change: impl FnOnce(&mut About)) -> (u16, String) {
    let mut about = About::least("app", "host");
    change(&mut about);
    let info = Arc::new(InstanceInfo { about: Arc::new(about), ..info(1, 100) });
    let response = driver.request(Request::Register { path: path.map(Arc::from), info, replication: false });
    let text = match response.body {
        Body::Text(text) => text.to_string(),
        Body::Empty => String::new(),
        other => panic!("a text at most: {other:?}"),
    };
    (response.status, text)
}

/// The reference, 2.3, from the last to the first: each registration also lacks all that the later ones lack.
#[test]
fn a_registration_is_refused_for_the_first_thing_that_it_lacks() {
    let no_center: fn(&mut About) = |about| about.data_center = None;
    let no_app: fn(&mut About) = |about| (about.app, about.data_center) = ("".into(), None);
    let no_ip: fn(&mut About) = |about| (about.ip_addr, about.app) = ("".into(), "".into());
    let no_host: fn(&mut About) = |about| {
        (about.host_name, about.ip_addr, about.app) = ("".into(), "".into(), "".into());
        about.instance_id = "id".into();
    };
    let nothing: fn(&mut About) = |about| *about = About::default();
    let check = |path, change: fn(&mut About), expected: &str| {
        let mut driver = alone(|_| {});
        assert_eq!(answer(&mut driver, path, change), (400, expected.to_owned()));
        assert_eq!(driver.held(1), None, "{expected}");
    };
    check(None, |about| about.data_center = Some(DataCenter::Nameless), "Missing dataCenterInfo Name");
    check(None, no_center, "Missing dataCenterInfo");
    check(Some("SEVEN"), no_center, "Mismatched appName, expecting SEVEN but was APP");
    check(Some("seven"), no_center, "Mismatched appName, expecting SEVEN but was APP");
    check(Some("app"), no_center, "Missing dataCenterInfo");
    check(Some("SEVEN"), no_app, "Missing appName");
    check(Some("SEVEN"), no_ip, "Missing ip address");
    check(Some("SEVEN"), no_host, "Missing hostname");
    check(Some("SEVEN"), nothing, "Missing instanceId");
    // Blank is empty: a space passes.
    let mut driver = alone(|_| {});
    assert_eq!(answer(&mut driver, None, |about| about.ip_addr = " ".into()).0, 204);
}

#[test]
fn amazon_without_an_id_is_refused_or_given_one() {
    let metadata = |id: Option<&str>| -> std::collections::BTreeMap<Arc<str>, Arc<str>> {
        id.map(|id| ("instance-id".into(), id.into())).into_iter().collect()
    };
    let check = |given: Option<&str>, validates: bool, code: u16, held: Option<&str>| {
        let mut driver = alone(|config| config.validate_data_center_id = validates);
        let (status, text) =
            answer(&mut driver, None, |about| about.data_center = Some(DataCenter::Amazon(metadata(given))));
        let center = driver.held(1).and_then(|held| held.about.data_center.clone());
        let expected = held.map(|held| DataCenter::Amazon(metadata(Some(held))));
        assert_eq!((status, center), (code, expected), "{given:?}, {validates}: {text}");
        assert_eq!(text.contains("must contain a valid id"), code == 400);
    };
    check(Some("i-1"), false, 204, Some("i-1"));
    check(Some("i-1"), true, 204, Some("i-1"));
    check(None, true, 400, None);
    check(Some(""), true, 400, None);
    check(None, false, 204, Some("host"));
    check(Some(""), false, 204, Some(""));
}

#[test]
fn a_replicated_registration_that_is_refused_goes_unnoticed() {
    let mut driver = alone(|_| {});
    let nothing = Arc::new(InstanceInfo { about: Arc::default(), ..info(1, 100) });
    let Body::Batch(results) =
        driver.request(Request::Batch(Arc::new(vec![Item::Register(Some(nothing))]))).body
    else {
        panic!("results")
    };
    assert_eq!((results[0].status, driver.held(1)), (200, None));
}

fn metadata(driver: &Driver) -> Vec<(String, String)> {
    let held = driver.held(1).expect("leased");
    held.about.metadata.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

fn changes(driver: &mut Driver) -> usize {
    let changed = Event::MetadataChanged { instance: InstanceId(1) };
    std::mem::take(&mut driver.events).iter().filter(|event| **event == changed).count()
}

#[test]
fn metadata_are_changed_by_registering_the_object_once_more() {
    let mut driver = with_peers(1);
    assert_eq!(driver.set_metadata(1, &[("zone", "a")]), 404);
    driver.register(info(1, 100), false);
    driver.at(1000).batches();
    driver.events.clear();

    assert_eq!(driver.set_metadata(1, &[("zone", "b"), ("zone", "c"), ("weight", "3")]), 200);
    let pairs = [("weight", "3"), ("zone", "b")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(metadata(&driver), pairs, "of several values the first counts");
    let (instance, origin) = (InstanceId(1), Origin::Client);
    let registered = Event::Registered { instance, status: Up, version: 100, origin };
    assert!(driver.events.contains(&registered));
    assert_eq!(changes(&mut driver), 1);
    let held = driver.held(1).expect("leased");
    assert_eq!(
        (held.action, held.last_updated, held.last_dirty),
        (Some(Action::Added), driver.wall_ms(), 100)
    );
    driver.at(2000);
    let batches = driver.batches();
    let [Item::Register(Some(sent))] = &batches[0].items[..] else { panic!("one registration: {batches:?}") };
    assert_eq!(sent.about.metadata, held.about.metadata);

    assert_eq!(driver.set_metadata(1, &[("zone", "b")]), 200);
    assert_eq!(changes(&mut driver), 0, "they are what they were");
    driver.register(InstanceInfo { status: Down, ..info(1, 90) }, false);
    assert_eq!(
        (changes(&mut driver), metadata(&driver).len()),
        (0, 2),
        "the older registration is not taken"
    );
    driver.register(info(1, 110), false);
    assert_eq!((changes(&mut driver), metadata(&driver).len()), (1, 0), "the client knows nothing of them");
}

#[test]
fn an_operator_can_change_metadata() {
    let mut driver = alone(|_| {});
    let set =
        Operation::SetMetadata { instance: InstanceId(1), entries: [("zone".into(), "z".into())].into() };
    assert_eq!(driver.ask(set.clone()), 404);
    driver.register(info(1, 100), false);
    assert_eq!(driver.ask(set), 200);
    assert_eq!(metadata(&driver), [("zone".to_owned(), "z".to_owned())]);
    assert_eq!(driver.ask(Operation::SetGroup { group: "asg".into(), enabled: false }), 400, "outside AWS");
}
