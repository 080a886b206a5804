//! How one request finds a server: the session that forgets now and then, the pinned server, and the walk over the list.
//!
//! These are upstream's decorators `SessionedEurekaHttpClient` and `RetryableEurekaHttpClient` as data: a [`Chain`] is what
//! they keep between requests, a [`Walk`] is one request under way. The caller makes the calls.
//!
//! Left out: following redirects (no server here answers 302; one made up by a fault is accepted and passed through, as
//! upstream does once a server is pinned) and the metrics layer.

use std::num::NonZeroU16;
use std::time::Duration;

use super::endpoints::{ATTEMPTS, Candidates, Channel, Endpoints};
use crate::protocol::random::unit;
use crate::protocol::{Address, Instant, Stream, Wall};
use rand::RngCore;

/// What a request asks for, as far as the transport's judgement of the answer depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Register.
    Register,
    /// Heartbeat.
    Heartbeat,
    /// Cancel.
    Cancel,
    /// The whole registry.
    Full,
    /// What changed.
    Delta,
}

/// Whether an HTTP status ends the walk (`ServerStatusEvaluators`, legacy). Any other is tried on another server.
pub fn accepts(kind: Kind, status: u16) -> bool {
    let always = matches!(status, 200..=299 | 302);
    always
        || match kind {
            Kind::Register | Kind::Heartbeat => status == 404,
            Kind::Cancel => true,
            Kind::Delta => matches!(status, 403 | 404),
            Kind::Full => false,
        }
}

/// One HTTP client of the original: a server's address, and which of the clients made for it this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Delegate {
    address: Address,
    serial: NonZeroU16,
}

/// What the transport of one channel keeps between requests.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Chain {
    channel: Channel,
    /// Wall clock at which the session ends, ms. The first request begins the first session.
    ends: i64,
    /// Counts sessions, so that a request of an earlier one leaves this one alone.
    session: u16,
    /// The server that is asked first, because it answered last.
    pinned: Option<Delegate>,
    serial: NonZeroU16,
}

/// Begun → attempt (pinned server, or the next on the list) → ended, or another attempt.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Walk {
    session: u16,
    attempts: u8,
    /// How many of the candidates were tried.
    tried: u8,
    /// Looked up once, when first needed.
    candidates: Option<Candidates>,
    current: Option<Delegate>,
    from_list: bool,
}

/// What a request needs to know about its surroundings.
pub struct Around<'a> {
    /// The servers.
    pub endpoints: &'a mut Endpoints,
    /// `service_url_poll_interval`
    pub poll_interval: Duration,
    /// `quarantine_refresh_percentage`
    pub refresh_share: f64,
    /// The monotonic clock.
    pub now: Instant,
}

impl Chain {
    /// A transport that has not been used.
    pub fn new(channel: Channel) -> Chain {
        Chain { channel, ends: i64::MIN, session: 0, pinned: None, serial: NonZeroU16::MIN }
    }

    /// A request begins. If the session has lasted long enough it is replaced first: pin and quarantine are forgotten. This is
    /// the only way back to a server that once failed.
    pub fn begin(
        &mut self,
        endpoints: &mut Endpoints,
        reconnect_interval: Duration,
        wall: Wall,
        random: &mut Stream,
    ) -> Walk {
        let now = wall.as_millis();
        if now >= self.ends {
            self.ends = now.saturating_add(session_ms(reconnect_interval, random));
            self.session = self.session.wrapping_add(1);
            self.pinned = None;
            endpoints.lift(self.channel);
        }
        Walk {
            session: self.session,
            attempts: 0,
            tried: 0,
            candidates: None,
            current: None,
            from_list: false,
        }
    }

    /// Whom the walk asks next. Nobody: the request fails.
    ///
    /// Differs from upstream: a request that is still under way when its session is replaced (it must have been hanging while
    /// another one began) takes its next servers from the whole list, since the quarantine of its own session is gone.
    pub fn attempt(&mut self, walk: &mut Walk, around: Around<'_>) -> Option<Address> {
        assert!(walk.current.is_none(), "the attempt before has not ended: {walk:?}");
        if walk.attempts == ATTEMPTS {
            return None;
        }
        let of_this_session = walk.session == self.session;
        let delegate = match self.pinned.filter(|_| of_this_session) {
            Some(pinned) => {
                walk.from_list = false;
                pinned
            }
            None => {
                let candidates = *walk.candidates.get_or_insert_with(|| {
                    around.endpoints.arm(around.poll_interval, around.now);
                    if of_this_session {
                        around.endpoints.candidates(self.channel, around.refresh_share)
                    } else {
                        around.endpoints.all()
                    }
                });
                let address = candidates.get(walk.tried)?;
                walk.tried += 1;
                walk.from_list = true;
                self.serial = self.serial.checked_add(1).unwrap_or(NonZeroU16::MIN);
                Delegate { address, serial: self.serial }
            }
        };
        walk.attempts += 1;
        walk.current = Some(delegate);
        Some(delegate.address)
    }

    /// An attempt has ended. A server that answered well is pinned; one that did not is unpinned, and put in quarantine if it
    /// came from the list (a pinned one is not).
    pub fn attempted(&mut self, walk: &mut Walk, accepted: bool, endpoints: &mut Endpoints) {
        let delegate = walk.current.take().expect("an outcome belongs to an attempt");
        if walk.session != self.session {
            return;
        }
        if accepted {
            self.pinned = Some(delegate);
            return;
        }
        if self.pinned == Some(delegate) {
            self.pinned = None;
        }
        if walk.from_list {
            endpoints.quarantine(self.channel, delegate.address);
        }
    }
}

/// Length of a session in ms: half to one and a half of the setting.
fn session_ms(interval: Duration, random: &mut Stream) -> i64 {
    let interval = i64::try_from(interval.as_millis()).unwrap_or(i64::MAX / 2);
    interval + (interval as f64 * (unit(random.next_u64()) - 0.5)) as i64
}

#[cfg(test)]
mod tests {
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
            let around = Around {
                endpoints: &mut self.endpoints,
                poll_interval: Duration::from_secs(300),
                refresh_share: 0.66,
                now: Instant(0),
            };
            self.chain.attempt(walk, around).map(|address| address.0)
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
            rig.chain.session = session.session;
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
    }
}
