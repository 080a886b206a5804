//! Any sequence of answers and wishes; and how large a client is.

use proptest::prelude::*;

use super::*;
use crate::protocol::Health;
use crate::protocol::eureka::instance::About;
use crate::protocol::eureka::node::{Balancer, Rule};

#[test]
fn a_client_is_small() {
    assert!(size_of::<Client>() <= 280, "{} bytes", size_of::<Client>());
    assert!(size_of::<Run>() <= 48, "{} bytes", size_of::<Run>());
    assert!(size_of::<Extras>() <= 512, "{} bytes", size_of::<Extras>());
}

/// One thing that happens to a client; delays are in ms.
#[derive(Clone, Debug)]
enum Happening {
    Pass(u64),
    SetStatus(Status),
    SetHealth(Health),
    Servers(u32),
    LookUp,
    Spurious,
    Stop,
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        8 => (0..200_000u64).prop_map(Happening::Pass),
        3 => proptest::sample::select(Status::ALL.to_vec()).prop_map(Happening::SetStatus),
        1 => (0..Health::ALL.len()).prop_map(|at| Happening::SetHealth(Health::ALL[at].1)),
        1 => (0..5u32).prop_map(Happening::Servers),
        1 => Just(Happening::LookUp),
        1 => Just(Happening::Spurious),
        1 => Just(Happening::Stop),
    ]
}

/// Instances that can be called, under the virtual address that is asked for if none is set.
fn servers() -> Arc<Applications> {
    let about = |id| {
        let vip = Some("null".into());
        Arc::new(About { vip, address: Some(Address(id)), ..About::least("app", "host") })
    };
    let server = |id| Arc::new(InstanceInfo { about: about(id), ..(*info(id, Status::Up, None)).clone() });
    Arc::new(Applications::new([1, 2, 7].map(server).into()))
}

fn outcome() -> impl Strategy<Value = Option<(u64, Outcome)>> {
    let results = vec![
        ok(200),
        ok(204),
        ok(302),
        Ok(Response { status: 302, body: Body::Redirect(Address(2)) }),
        ok(403),
        ok(404),
        ok(503),
        body(Body::Apps(up(&[]))),
        body(Body::Apps(up(&[7, 8]))),
        body(Body::Apps(servers())),
        delta(vec![info(9, Status::Up, Some(Action::Added))], 1),
        delta(vec![info(7, Status::Up, Some(Action::Deleted))], 1),
        Err(CallError::Refused),
        Err(CallError::Status { code: 404, body: Some("{}".into()), location: None }),
    ];
    proptest::option::weighted(0.9, (0..40_000u64, 0..results.len()))
        .prop_map(move |drawn| drawn.map(|(delay, at)| (delay, results[at].clone())))
}

/// Everything that may be switched on, each by a bit.
fn switch_on(node: &mut ClientNode, features: u16) {
    let on = |bit: u16| features & 1 << bit != 0;
    let client = settings(node);
    if on(0) {
        client.bootstrap_resolver_strategy = "composite".into();
    }
    client.use_bootstrap_resolver_for_query = !on(1);
    client.log_delta_diff = on(2);
    client.on_demand_update_status_change = !on(3);
    if on(4) {
        client.remote_regions = ["west".into()].into();
    }
    fixes(node).serialisation_gap = Duration::from_millis(if on(5) { 50 } else { 0 });
    fixes(node).wait_replicator_on_stop = !on(6);
    fixes(node).empty_apps_removed_on_delta = !on(7);
    fixes(node).eager_dirty_on_404 = !on(8);
    node.health = match (on(9), on(10)) {
        (true, true) => HealthSource::Actuator,
        (true, false) => HealthSource::Callback,
        (false, _) => HealthSource::None,
    };
    let rule = [Rule::Random, Rule::RoundRobin, Rule::ZoneAware][usize::from(features >> 11) % 3];
    node.balancer = Balancer { rule, cache: Duration::from_secs(if on(13) { 35 } else { 0 }) };
    node.reports = on(14);
    node.backup = on(15).then(|| up(&[7]));
}

proptest! {
    /// Nothing that servers, users and timers do makes a client panic (its assertions hold, deadlines move on after every
    /// timeout), and one that is told to stop does stop, unless its DELETE hangs.
    #[test]
    fn no_sequence_of_answers_breaks_a_client(
        outcomes in proptest::collection::vec(outcome(), 1..40),
        happenings in proptest::collection::vec(happening(), 0..20),
        servers in 0..5u32,
        netflix: bool,
        embedded: bool,
        features: u16,
    ) {
        let profile = if netflix { Profile::Netflix } else { Profile::SpringCloud };
        let mut node = node(profile);
        switch_on(&mut node, features);
        let url = |n: u32| ServiceUrl::new("z", "h", Address(n % 3));
        node.service_urls = (0..servers).map(url).collect();
        let mut next = 0;
        let answers = move |_: Address, request: &Request| {
            next += 1;
            if request.kind() == "cancel" { Some((1, ok(200))) } else { outcomes[next % outcomes.len()].clone() }
        };
        let mut rig =
            if embedded { Rig::embedded(&node, answers) } else { Rig::application(&node, answers) };
        let mut millis = 0;
        for happening in happenings {
            match happening {
                Happening::Pass(more) => {
                    millis += more;
                    rig.run_to(millis);
                }
                Happening::SetStatus(status) => {
                    rig.with(|client, cx| client.as_mut().expect("started").set_status(status, cx));
                }
                Happening::SetHealth(health) => rig.ask(Operation::SetHealth { instance: OWN, health }),
                Happening::Servers(count) => {
                    node.service_urls = (0..count).map(url).collect();
                    rig.input(Input::Reconfigure(told(&node)));
                }
                Happening::LookUp => rig.ask(Operation::LookUp { service: APP, except: None }),
                Happening::Spurious => rig.input(Input::Timeout),
                Happening::Stop => rig.input(Input::Stop),
            }
        }
        rig.input(Input::Stop);
        rig.run_to(millis + 10_000);
        prop_assert!(rig.client().stopped());
        let exits = rig.log.iter().filter(|line| line.ends_with("exit 0")).count();
        prop_assert_eq!(exits, 1);
    }
}

#[test]
fn a_read_like_the_one_before_is_that_one() {
    let node = node(Profile::SpringCloud);
    let sent = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
    let seen = std::rc::Rc::clone(&sent);
    let mut rig = Rig::application(&node, move |_, request| {
        if let Request::Get(query) = request {
            seen.borrow_mut().push(Arc::clone(query));
        }
        Some((0, healthy(request)))
    });
    rig.run_to(100_000);
    let sent = sent.borrow();
    assert!(sent.len() >= 3 && sent[1..].iter().all(|query| Arc::ptr_eq(query, &sent[1])), "{sent:?}");
}
