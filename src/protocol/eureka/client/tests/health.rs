//! The health check and the other things that a run of the replicator looks at first.

use super::*;
use crate::protocol::Health;
use crate::protocol::eureka::instance::DataCenter;

/// An application whose health is checked, and which fetches nothing; 60 s after its start, when its bucket of tokens is full again.
fn checked(source: HealthSource) -> Rig {
    let mut node = node(Profile::SpringCloud);
    settings(&mut node).fetch_registry = false;
    node.health = source;
    let mut rig = Rig::application(&node, |_, request| Some((5, healthy(request))));
    rig.run_to(60_010);
    rig.taken();
    rig
}

impl Rig {
    fn set_health(&mut self, health: Health) {
        self.ask(Operation::SetHealth { instance: OWN, health });
    }
}

#[test]
fn what_a_check_finds_is_sent_by_the_next_periodic_run() {
    for (source, health, expected) in [
        (HealthSource::Callback, Health::Down, Status::Down),
        (HealthSource::Callback, Health::Fails, Status::Down),
        (HealthSource::Actuator, Health::OutOfService, Status::Down),
        (HealthSource::Actuator, Health::Unknown, Status::Unknown),
    ] {
        let mut rig = checked(source);
        rig.set_health(health);
        assert_eq!(rig.taken(), ["60010 Ok"]);
        rig.run_to(90_009);
        let found = rig.taken();
        let (announced, registered) = (format!(" announced {expected} "), format!(" register {expected}"));
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains(&announced) && found[1].ends_with(&registered), "{found:?}");
    }
}

#[test]
fn a_change_on_demand_asks_the_check_first() {
    let mut rig = checked(HealthSource::Callback);
    rig.ask(Operation::SetStatus { instance: OWN, status: Status::Down });
    rig.run_to(60_020);
    assert_eq!(
        rig.taken(),
        [
            "60010 announced DOWN +60010",
            "60010 Ok",
            "60010 announced UP +60010",
            "60010 register UP",
            "60015 joined"
        ]
    );
    rig.ask(Operation::SetStatus { instance: OWN, status: Status::OutOfService });
    rig.run_to(89_000);
    let log = rig.taken();
    assert!(log.iter().all(|line| !line.contains("UP")), "a callback leaves OUT_OF_SERVICE alone: {log:?}");
}

#[test]
fn registering_the_actuators_handler_uses_up_the_second_token() {
    let started = |source| {
        let mut node = node(Profile::SpringCloud);
        settings(&mut node).fetch_registry = false;
        node.health = source;
        let mut rig = Rig::application(&node, |_, request| Some((5, healthy(request))));
        rig.run_to(100);
        rig.taken();
        rig.ask(Operation::SetStatus { instance: OWN, status: Status::OutOfService });
        rig.taken().len()
    };
    assert_eq!(started(HealthSource::Callback), 3, "announced, answered, registered");
    assert_eq!(started(HealthSource::Actuator), 2, "the change has to wait");
}

#[test]
fn without_a_check_its_result_cannot_be_set() {
    let mut rig = checked(HealthSource::None);
    rig.set_health(Health::Down);
    assert_eq!(rig.taken(), ["60010 Failed(0)"]);
}

/// What registrations say about the host.
fn hosts_registered(change: impl Fn(&mut ClientNode)) -> Vec<String> {
    let mut node = node(Profile::Netflix);
    settings(&mut node).fetch_registry = false;
    let (sender, receiver) = std::sync::mpsc::channel();
    let mut rig = Rig::application(&node, move |_, request| {
        if let Request::Register { info, .. } = request {
            let about = &info.about;
            let amazon = matches!(about.data_center, Some(DataCenter::Amazon(_)));
            let extra = about.metadata.keys().map(|key| &**key).collect::<Vec<_>>().join("+");
            sender
                .send(format!("{}/{}/{amazon}/{extra}", about.host_name, about.ip_addr))
                .expect("a test reads");
        }
        Some((0, healthy(request)))
    });
    rig.run_to(45_000);
    change(&mut node);
    rig.input(Input::Reconfigure(told(&node)));
    rig.run_to(105_000);
    receiver.try_iter().collect()
}

fn about(node: &mut ClientNode) -> &mut crate::protocol::eureka::instance::About {
    Arc::make_mut(&mut node.instance.as_mut().expect("it registers").about)
}

#[test]
fn another_host_name_brings_address_and_data_centre_with_it_and_another_address_alone_is_not_noticed() {
    let change_rest = |node: &mut ClientNode| {
        about(node).ip_addr = "10.0.0.9".into();
        about(node).data_center = Some(DataCenter::Amazon([].into()));
        Arc::make_mut(&mut about(node).metadata).insert("color".into(), "red".into());
    };
    assert_eq!(hosts_registered(change_rest), ["//false/"], "once, at 40 s");
    let moved = hosts_registered(|node| {
        change_rest(node);
        about(node).host_name = "new".into();
    });
    assert_eq!(moved, ["//false/", "new/10.0.0.9/true/"], "metadata stay");
}

#[test]
fn changed_metadata_make_a_new_version_that_the_next_periodic_run_sends() {
    let mut node = node(Profile::Netflix);
    settings(&mut node).fetch_registry = false;
    let mut rig = Rig::application(&node, |_, request| match request {
        Request::Register { info, .. } => Some((
            5,
            ok(if info.about.metadata.get("a").is_some_and(|value| **value == *"2") { 204 } else { 200 }),
        )),
        _ => Some((5, ok(200))),
    });
    rig.run_to(50_000);
    rig.taken();
    let entries = [(Arc::from("a"), Arc::from("2"))].into();
    rig.ask(Operation::SetMetadata { instance: OWN, entries });
    rig.run_to(75_000);
    let expected =
        ["50000 announced UP +50000", "50000 Ok", "60005 heartbeat", "70005 register UP", "70010 joined"];
    assert_eq!(rig.taken(), expected);
}
