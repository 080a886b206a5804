//! What a client still says while it is closed, and when.

use super::*;

#[test]
fn the_delete_leaves_after_the_full_wait_if_no_run_is_due() {
    let mut rig = Rig::application(&node(Profile::Netflix), |_, request| Some((2, healthy(request))));
    rig.run_to(5000);
    rig.taken();
    rig.input(Input::Stop);
    rig.run_to(60_000);
    assert_eq!(rig.taken(), ["8000 announced DOWN +8000", "8000 cancel", "8002 exit 0"]);
    assert_eq!(rig.client().next_timeout(), None);
}

#[test]
fn the_delete_leaves_after_the_pending_run_if_one_is_due() {
    let mut rig = Rig::application(&node(Profile::Netflix), |_, request| Some((4, healthy(request))));
    rig.run_to(38_004);
    rig.taken();
    rig.input(Input::Stop);
    rig.run_to(60_000);
    assert_eq!(
        rig.taken(),
        ["40004 register UP", "40008 joined", "40008 announced DOWN +40008", "40008 cancel", "40012 exit 0"],
        "2004 ms after the stop"
    );
}

#[test]
fn heartbeats_go_on_while_the_replicator_is_waited_for() {
    let mut rig = Rig::application(&node(Profile::Netflix), |_, request| Some((0, healthy(request))));
    rig.run_to(28_000);
    rig.taken();
    rig.input(Input::Stop);
    rig.input(Input::Stop);
    rig.run_to(90_000);
    assert_eq!(
        rig.taken(),
        [
            "30000 fetch-delta",
            "30000 heartbeat",
            "31000 announced DOWN +31000",
            "31000 cancel",
            "31000 exit 0"
        ]
    );
}

#[test]
fn a_spring_application_says_down_first() {
    let mut rig = Rig::application(&node(Profile::SpringCloud), |_, request| Some((2, healthy(request))));
    rig.run_to(20_000);
    rig.taken();
    rig.input(Input::Stop);
    rig.run_to(60_000);
    assert_eq!(
        rig.taken(),
        [
            "20000 announced DOWN +20000",
            "20000 register DOWN",
            "20002 joined",
            "23100 cancel",
            "23102 exit 0"
        ]
    );
}

#[test]
fn a_slow_down_registration_may_arrive_after_the_delete() {
    let mut rig = Rig::application(&node(Profile::SpringCloud), |_, request| match request {
        Request::Register { info, .. } if info.status == Status::Down => Some((5000, ok(204))),
        _ => Some((2, healthy(request))),
    });
    rig.run_to(20_000);
    rig.taken();
    rig.input(Input::Stop);
    rig.run_to(60_000);
    assert_eq!(
        rig.taken(),
        ["20000 announced DOWN +20000", "20000 register DOWN", "23100 cancel", "23102 exit 0"]
    );
}

#[test]
fn a_delete_that_nobody_answers_is_tried_along_the_list_and_given_up() {
    let mut rig = Rig::application(&node(Profile::Netflix), |_, request| match request.kind() {
        "cancel" => Some((5000, Err(CallError::ConnectTimeout))),
        _ => Some((0, healthy(request))),
    });
    rig.run_to(5000);
    rig.input(Input::Stop);
    rig.taken();
    rig.run_to(60_000);
    assert_eq!(rig.taken(), ["8000 announced DOWN +8000", "8000 cancel", "13000 exit 0"]);

    let mut keep = node(Profile::Netflix);
    settings(&mut keep).unregister_on_shutdown = false;
    let mut rig = Rig::application(&keep, |_, request| Some((0, healthy(request))));
    rig.run_to(5000);
    rig.taken();
    rig.input(Input::Stop);
    rig.run_to(60_000);
    assert_eq!(rig.taken(), ["8000 exit 0"], "told not to deregister");
}

#[test]
fn nothing_new_begins_while_the_delete_is_under_way() {
    let mut rig = Rig::application(&node(Profile::Netflix), |_, request| match request.kind() {
        "cancel" => Some((60_000, ok(200))),
        _ => Some((0, healthy(request))),
    });
    rig.run_to(5000);
    rig.taken();
    rig.input(Input::Stop);
    rig.run_to(120_000);
    assert_eq!(rig.taken(), ["8000 announced DOWN +8000", "8000 cancel", "68000 exit 0"]);
}

#[test]
fn inside_a_server_stopping_ends_the_client_and_not_the_process() {
    let mut rig = Rig::embedded(&node(Profile::SpringCloud), |_, request| match request.kind() {
        "heartbeat" => Some((9000, ok(404))),
        _ => Some((2, healthy(request))),
    });
    rig.run_to(29_000);
    rig.taken();
    rig.with(|client, cx| client.as_mut().expect("started").stop(cx));
    rig.run_to(60_000);
    assert_eq!(
        rig.taken(),
        [
            "29000 announced DOWN +29000",
            "29000 register DOWN",
            "29002 joined",
            "30002 fetch-delta",
            "30002 heartbeat",
            "32100 cancel",
        ],
        "the heartbeat that is answered at 39 s registers nothing"
    );
    assert!(rig.client().stopped());
}
