//! Transcripts: what one Eureka process is asked and what it does, as text files in `transcripts/` that read as documentation
//! and are played as tests, one for each operation. Separate from the unit tests because they see a process from outside alone,
//! through [`Protocol`](crate::protocol::Protocol), and both roles in the same words.
//!
//! A file begins with prose (`#`) and the process that it is about (read by [`setup`]). Then come steps, the time in front:
//!
//! ```text
//! server spring-cloud                            which process: server or client, and which product's defaults
//! urls peer0 peer1                               configured server URLs (peer0 is the server itself)
//! set server.peer-node-read-timeout-ms 100       a setting
//!
//! 0.000s   start
//! 0.000s   > POST apps/ORDERS {ORDERS/o1 UP @100}    a request reaches the process: method, path, body (headers)
//!          ! registered ORDERS/o1 UP @100 from client    it reports an event
//!          < 204                                      it answers
//! 0.500s   → #1 peer1 POST peerreplication/batch/ [Register ORDERS/o1 UP @100 ADDED]     it makes its first call
//! 0.520s   ← #1 200 [200]                        the answer to that call, or how it failed: refused, read timeout, …
//! 5.000s   ask set-status ORDERS/o1 DOWN         its application, or an operator, asks for something
//!          done ok                               and is answered
//! 9.000s   (time passes)                         nothing more happens until here
//! ```
//!
//! An instance is `application/id STATUS @version`, the version being `lastDirtyTimestamp`: a number, or, if it was read from the
//! clock, the time of the transcript; then what is out of the ordinary (`overriddenStatus=`, `lease=5s/15s`, `metadata.zone=b`, …).
//! What the sender has left out is `@none` and `overriddenStatus=none`.
//!
//! The inputs are `start`, `>`, `←`, `ask`, `set`, `clock +10.000s` (the wall clock is moved), `stop` and `(time passes)`; every
//! other line is an effect, and must be exactly what the process did, in its order. Some are left out unless the file asks to
//! `show` them: gauges by name, `port`, `timeouts` (of calls), `lease` (the lease timestamps of instances that are read). Of a list
//! longer than eight the middle is left out: `[a, b, 6 more, y, z]`.
//!
//! A failing test prints the difference and the whole file as the process would have it: if the *reference* says so too, that is
//! the new file.

mod names;
mod reading;
mod writing;
mod spoken;
mod script;
mod setup;
mod play;

use play::play;

/// Where the files are.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/protocol/eureka/transcripts");

macro_rules! transcripts {
    ($($name:ident)*) => {
        const FILES: &[&str] = &[$(stringify!($name)),*];
        $(
            #[test]
            fn $name() {
                let file = concat!(stringify!($name), ".txt");
                let text = std::fs::read_to_string(format!("{FOLDER}/{file}")).expect("the file is there");
                if let Err(report) = play(file, &text) {
                    panic!("{report}");
                }
            }
        )*
    };
}

transcripts! {
    client_fetch
    client_health
    client_heartbeat
    client_look_up
    client_look_up_in_turn
    client_metadata
    client_on_demand
    client_quarantine
    client_quarantine_prefix
    client_redirect
    client_register_netflix
    client_register_spring
    client_retry
    client_session
    client_stop_netflix
    client_stop_spring
    client_supervisor
    server_batch
    server_cancel
    server_clock
    server_dispatcher
    server_eviction
    server_groups
    server_heartbeat
    server_lease
    server_lease_timestamps
    server_metadata
    server_peers
    server_poison_record
    server_priming
    server_rate_limit
    server_read_instance
    server_read_parts
    server_reads
    server_reads_one_level
    server_register
    server_register_without_version
    server_remote_region
    server_self_preservation
    server_start_netflix
    server_start_netflix_copies
    server_start_spring
    server_status
    server_status_document
    server_stop_netflix
    server_stop_spring
    server_threshold
    server_validation
    server_worker_death
}

#[test]
fn every_file_is_played() {
    let entries = std::fs::read_dir(FOLDER).expect("the folder is there");
    let names =
        entries.map(|entry| entry.expect("readable").file_name().into_string().expect("a plain name"));
    let mut files: Vec<String> =
        names.filter_map(|name| Some(name.strip_suffix(".txt")?.to_owned())).collect();
    files.sort_unstable();
    let mut played = FILES.to_vec();
    played.sort_unstable();
    assert_eq!(files, played);
}

/// What a transcript must not survive.
mod faults {
    use super::play;

    const GOOD: &str = "\
# A server without peers.
server spring-cloud
urls peer0
set client.register-with-eureka false
set client.fetch-registry false

0.000s   start
1.000s   > POST apps/ORDERS {ORDERS/o1 UP @100}
         ! registered ORDERS/o1 UP @100 from client
         < 204
2.000s   > PUT apps/ORDERS/o1?status=UP&lastDirtyTimestamp=100
         ! renewed ORDERS/o1 from client
         < 200
3.000s   (time passes)
";

    /// The report on a transcript in which `from` was replaced.
    fn report(from: &str, to: &str) -> String {
        assert!(GOOD.contains(from), "the transcript says so: {from}");
        play("altered.txt", &GOOD.replacen(from, to, 1)).expect_err("it is wrong")
    }

    #[test]
    fn the_unaltered_transcript_passes() {
        assert_eq!(play("good.txt", GOOD), Ok(()));
    }

    #[test]
    fn a_wrong_effect_is_shown_with_the_right_one_and_the_whole_file_is_offered() {
        let report = report("< 200", "< 404");
        assert!(
            report.contains("\n-          < 404\n") && report.contains("\n+          < 200\n"),
            "{report}"
        );
        assert!(report.contains(GOOD), "{report}");
    }

    #[test]
    fn a_missing_effect_fails() {
        let report = report("         ! renewed ORDERS/o1 from client\n", "");
        assert!(report.contains("\n+          ! renewed ORDERS/o1 from client\n"), "{report}");
        assert!(report.contains(GOOD), "{report}");
    }

    #[test]
    fn a_surplus_effect_fails() {
        let renewed = "         ! renewed ORDERS/o1 from client\n";
        let report = report(renewed, &renewed.repeat(2));
        assert!(report.contains("\n-          ! renewed ORDERS/o1 from client\n"), "{report}");
    }

    #[test]
    fn effects_in_another_order_fail() {
        let (renewed, answered) = ("         ! renewed ORDERS/o1 from client\n", "         < 200\n");
        report(&format!("{renewed}{answered}"), &format!("{answered}{renewed}"));
    }

    #[test]
    fn an_effect_at_another_time_fails() {
        let report = report("         < 200", "2.500s   < 200");
        assert!(report.contains("\n- 2.500s   < 200\n"), "{report}");
    }

    #[test]
    fn an_effect_that_comes_after_all_inputs_fails() {
        let report = report("3.000s   (time passes)\n", "         ! renewed ORDERS/o1 from client\n");
        assert!(report.contains("\n-          ! renewed"), "{report}");
    }

    #[test]
    fn a_line_that_means_nothing_is_named() {
        let check =
            |from, to, expected: &str| assert_eq!(report(from, to), format!("altered.txt:{expected}"));
        check("< 204", "=> 204", "10: neither an input nor an effect: `=> 204`");
        check("2.000s ", "2.0s ", "11: a time has three decimals: `2.0s`");
        check("2.000s ", "0.500s ", "11: time goes on, but 0.500s comes after 1.000s");
        check("PUT apps", "PATCH apps", "11: no such request: `PATCH apps/ORDERS/o1`");
        check("&last", "&first", "11: no such parameter: `firstDirtyTimestamp`");
        check("UP @100}", "AWAY @100}", "8: not part of an instance: `AWAY`");
        check(
            "set client.fetch",
            "set fetch",
            "5: a setting is server., client., instance. or fixes.: `fetch-registry`",
        );
        check("set client.fetch-registry", "set client.fetch", "5: unknown setting: `fetch`");
        check("urls peer0", "curls peer0", "3: no such line before the start: `curls`");
        check("3.000s   (time passes)", "3.000s   ← #1 200", "14: there is no open call #1");
    }
}
