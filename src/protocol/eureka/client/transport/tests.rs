//! Walks over lists of servers, as the tables of the reference give them; sessions; redirects.

use super::*;
use crate::protocol::Key;

/// One client's transport over a fixed list.
struct Rig {
    chain: Chain,
    endpoints: Endpoints,
    random: Stream,
    wall: Wall,
}

const INTERVAL: Duration = Duration::from_secs(1200);

impl Rig {
    fn new(list: &[u32]) -> Rig {
        Rig {
            chain: Chain::new(Channel::Registration),
            endpoints: Endpoints::in_order(list),
            random: Key::root(1).small(),
            wall: Wall::from_millis(1_700_000_000_000),
        }
    }

    fn begin(&mut self) -> Walk {
        self.chain.begin(&mut self.endpoints, INTERVAL, self.wall, &mut self.random)
    }

    fn attempt(&mut self, walk: &mut Walk) -> Option<u32> {
        self.chain.attempt(walk, &mut self.endpoints, 0.66).map(|address| address.0)
    }

    /// One request; `alive` are the servers that answer. Gives whether it was answered, and who was asked.
    fn request(&mut self, alive: &[u32]) -> (bool, Vec<u32>) {
        let mut walk = self.begin();
        let mut asked = Vec::new();
        while let Some(server) = self.attempt(&mut walk) {
            asked.push(server);
            let accepted = alive.contains(&server);
            self.chain.attempted(&mut walk, accepted, &mut self.endpoints);
            if accepted {
                return (true, asked);
            }
        }
        (false, asked)
    }
}

/// `list`: servers in order, `D` and `E` dead, `A` alive; equal letters are one URL only if `one_url`.
/// `pinned`: index in the list. `calls`: for each call, `ok` or `fail` and its attempts.
fn check(list: &str, one_url: bool, pinned: Option<u32>, calls: &str) {
    let letters: Vec<char> = list.chars().filter(|c| *c != ' ').collect();
    let id = |at: usize| if one_url { letters[at] as u32 } else { at as u32 };
    let ids: Vec<u32> = (0..letters.len()).map(id).collect();
    let alive: Vec<u32> = (0..letters.len()).filter(|at| letters[*at] == 'A').map(id).collect();
    let mut rig = Rig::new(&ids);
    if let Some(pinned) = pinned {
        let session = rig.begin();
        assert_eq!(session.session, Some(rig.chain.session));
        rig.chain.pinned = Some(Delegate { address: Address(pinned), serial: NonZeroU16::MAX });
    }
    for expected in calls.split(", ") {
        let (ok, asked) = rig.request(&alive);
        let outcome = format!("{} {}", if ok { "ok" } else { "fail" }, asked.len());
        assert_eq!(outcome, expected, "list {list}, pinned {pinned:?}, asked {asked:?}");
    }
}

/// Golden vectors of the reference, 12.11.
#[test]
fn retry_walks() {
    check("A", false, None, "ok 1");
    check("D", false, None, "fail 1");
    check("D", false, Some(0), "fail 2");
    check("D D", false, None, "fail 2, fail 2, fail 2");
    check("D A", false, None, "ok 2");
    check("D D A", false, None, "ok 3");
    check("D D D A", false, None, "fail 3, fail 3, fail 3");
    check("D A", false, Some(0), "ok 3");
    check("A D", false, Some(1), "ok 2");
    check("D D A", false, Some(0), "fail 3, ok 3");
    check("D D D D", true, None, "fail 3, fail 0, fail 0");
    check("D E D E D E", true, None, "fail 3, fail 0, fail 0");
    check("D D D A A", false, None, "fail 3, fail 3, fail 3");
    check("D D D D D A", false, None, "fail 3, fail 3, fail 3");
}

#[test]
fn a_pinned_server_that_fails_is_not_put_in_quarantine() {
    check("D A A A", false, Some(0), "ok 3");
}

#[test]
fn after_a_failure_the_server_that_answered_stays_pinned_until_the_session_ends() {
    let mut rig = Rig::new(&[0, 1]);
    assert_eq!(rig.request(&[1]), (true, vec![0, 1]));
    assert_eq!(rig.request(&[0, 1]), (true, vec![1]), "server 0 is back, but nobody looks");
    rig.wall = rig.wall + Duration::from_secs(1800);
    assert_eq!(rig.request(&[0, 1]), (true, vec![0]), "a new session starts at the head");
}

#[test]
fn a_shut_out_client_gets_in_again_with_the_next_session() {
    let mut rig = Rig::new(&[7, 7, 7, 7]);
    assert_eq!(rig.request(&[]), (false, vec![7, 7, 7]));
    assert_eq!(rig.request(&[7]), (false, vec![]), "the server is back, but the list is empty");
    rig.wall = rig.wall + Duration::from_secs(1800);
    assert_eq!(rig.request(&[7]), (true, vec![7]));
}

#[test]
fn sessions_last_half_to_one_and_a_half_of_the_interval() {
    let mut random = Key::root(5).small();
    let lengths: Vec<i64> = (0..10_000).map(|_| session_ms(INTERVAL, &mut random)).collect();
    let (least, most) = (lengths.iter().min().expect("some"), lengths.iter().max().expect("some"));
    assert!((600_000..601_000).contains(least), "{least}");
    assert!((1_799_000..1_800_000).contains(most), "{most}");
    let mean = lengths.iter().sum::<i64>() / 10_000;
    assert!((1_190_000..1_210_000).contains(&mean), "{mean}");
}

#[test]
fn a_session_is_kept_to_its_last_millisecond_and_replaced_at_its_end() {
    let mut rig = Rig::new(&[0, 1]);
    rig.request(&[1]);
    let ends = rig.chain.ends;
    rig.wall = Wall::from_millis(ends - 1);
    assert_eq!(rig.request(&[0, 1]).1, [1]);
    rig.wall = Wall::from_millis(ends);
    assert_eq!(rig.request(&[0, 1]).1, [0]);
}

#[test]
fn a_slow_failure_does_not_unpin_a_server_that_was_pinned_meanwhile() {
    let mut rig = Rig::new(&[0]);
    let mut slow = rig.begin();
    assert_eq!(rig.attempt(&mut slow), Some(0));
    assert_eq!(rig.request(&[0]), (true, vec![0]));
    let pinned = rig.chain.pinned;
    rig.chain.attempted(&mut slow, false, &mut rig.endpoints);
    assert_eq!(rig.chain.pinned, pinned, "it was another client object of the same server");
    assert!(pinned.is_some());
}

#[test]
fn a_request_of_an_earlier_session_changes_nothing_in_this_one() {
    let mut rig = Rig::new(&[0, 1]);
    let mut old = rig.begin();
    assert_eq!(rig.attempt(&mut old), Some(0));
    rig.wall = rig.wall + Duration::from_secs(1800);
    assert_eq!(rig.request(&[0]), (true, vec![0]));
    let before = (rig.chain.clone(), rig.endpoints.clone());
    rig.chain.attempted(&mut old, false, &mut rig.endpoints);
    assert_eq!((rig.chain.clone(), rig.endpoints.clone()), before);
    assert_eq!(rig.attempt(&mut old), Some(1), "it goes on along its own list");
}

#[test]
fn accepted_statuses() {
    let accepted = |kind, statuses: &[u16]| {
        let all = [200, 204, 302, 301, 307, 400, 401, 403, 404, 409, 429, 500, 503];
        let found: Vec<u16> = all.into_iter().filter(|status| accepts(kind, *status)).collect();
        assert_eq!(found, statuses, "{kind:?}");
    };
    accepted(Kind::Register, &[200, 204, 302, 404]);
    accepted(Kind::Heartbeat, &[200, 204, 302, 404]);
    accepted(Kind::Delta, &[200, 204, 302, 403, 404]);
    accepted(Kind::Full, &[200, 204, 302]);
    accepted(Kind::Cancel, &[200, 204, 302, 301, 307, 400, 401, 403, 404, 409, 429, 500, 503]);
    accepted(Kind::Servers, &[200, 204]);
}

#[test]
fn a_new_server_may_redirect_nine_times_and_the_last_one_is_pinned() {
    let mut rig = Rig::new(&[0, 1]);
    let mut walk = rig.begin();
    assert_eq!(rig.attempt(&mut walk), Some(0));
    for target in 10..19 {
        assert!(!rig.chain.passes_redirects(&walk));
        assert_eq!(rig.chain.redirected(&mut walk, Address(target)), Some(Address(target)));
    }
    let mut tenth = (rig.chain.clone(), walk.clone());
    assert_eq!(tenth.0.redirected(&mut tenth.1, Address(20)), None, "ten in a row raise");
    tenth.0.attempted(&mut tenth.1, false, &mut rig.endpoints);
    let left = rig.endpoints.candidates(Channel::Registration, 1.0);
    assert_eq!((left.get(0), left.get(1)), (Some(Address(1)), None), "the server on the list is to blame");

    rig.chain.attempted(&mut walk, true, &mut rig.endpoints);
    let mut next = rig.begin();
    assert_eq!(rig.attempt(&mut next), Some(18));
    assert!(rig.chain.passes_redirects(&next), "once pinned, a 302 is the answer");
}

#[test]
fn a_walk_of_no_chain_takes_its_own_list_and_leaves_no_trace() {
    let mut rig = Rig::new(&[0, 1]);
    assert_eq!(rig.request(&[0]), (true, vec![0]));
    let before = (rig.chain.pinned, rig.endpoints.clone());
    let mut walk = Walk::alone(Endpoints::in_order(&[4, 5]).all());
    for (server, accepted) in [(4, false), (5, true)] {
        assert_eq!(rig.attempt(&mut walk), Some(server), "not the pinned one");
        assert!(rig.chain.passes_redirects(&walk));
        rig.chain.attempted(&mut walk, accepted, &mut rig.endpoints);
    }
    assert_eq!((rig.chain.pinned, rig.endpoints), before);
}

#[test]
fn timeouts_and_identity_depend_on_the_library() {
    let mut settings = ClientConfig::defaults(crate::protocol::eureka::config::Profile::SpringCloud);
    settings.rest_connect_timeout = Duration::from_secs(7);
    let seconds = |transport: Transport| {
        let (connect, read) = transport.timeouts(&settings);
        (connect.as_secs(), read.as_secs(), transport.identity())
    };
    assert_eq!(seconds(Transport::Jersey), (5, 8, Identity::DefaultClient));
    assert_eq!(seconds(Transport::RestClient), (7, 180, Identity::Nobody));
    assert_eq!(seconds(Transport::WebClient), (30, 1_000_000_000, Identity::Nobody));

    let connections = |transport: Transport| {
        let (idle, per_server, total) = transport.connections(&settings);
        (idle.as_secs(), per_server, total)
    };
    assert_eq!(connections(Transport::Jersey), (30, 50, 200));
    assert_eq!(connections(Transport::RestClient), (180, 5, u32::MAX));
    assert_eq!(connections(Transport::WebClient), (1_000_000_000, 16, u32::MAX));

    let shared =
        |transport: Transport| transport.pool(Channel::Registration) == transport.pool(Channel::Query);
    assert!(shared(Transport::Jersey) && !shared(Transport::RestClient) && !shared(Transport::WebClient));
}
