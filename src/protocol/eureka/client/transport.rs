//! How one request finds a server: the session that forgets now and then, the pinned server, the walk over the list, and the
//! redirects that a new server may answer with.
//!
//! These are upstream's decorators `SessionedEurekaHttpClient`, `RetryableEurekaHttpClient` and `RedirectingEurekaHttpClient` as
//! data: a [`Chain`] is what they keep between requests, a [`Walk`] is one request under way. The caller makes the calls.
//!
//! Left out: the metrics layer; and what the library of Spring's `RestClient` does below all this (Apache HttpComponents 5:
//! `DefaultRedirectStrategy`, `DefaultHttpRequestRetryStrategy`): it follows redirects, and asks once more, 1 s later, after 429,
//! 503 or a broken connection. That of `WebClient` follows none.

use std::num::NonZeroU16;
use std::time::Duration;

use super::endpoints::{ATTEMPTS, Candidates, Channel, Endpoints};
use crate::protocol::eureka::config::ClientConfig;
use crate::protocol::eureka::node::Transport;
use crate::protocol::eureka::wire::Identity;
use crate::protocol::random::unit;
use crate::protocol::{Address, PoolId, Stream, Wall};
use rand::RngCore;

/// Requests that one call on a new server may come to, redirects included (`RedirectingEurekaHttpClient`).
const MOST_REDIRECTS: u8 = 10;

/// Longer than any run.
const FOR_EVER: Duration = Duration::from_secs(1_000_000_000);

/// What a request asks for, as far as the transport's judgement of the answer depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Register.
    Register,
    /// Heartbeat.
    Heartbeat,
    /// Cancel.
    Cancel,
    /// The whole registry, or what it holds under one virtual address.
    Full,
    /// What changed.
    Delta,
    /// Servers by their virtual address.
    Servers,
}

/// Whether an HTTP status ends the walk (`ServerStatusEvaluators`, legacy). Any other is tried on another server. Servers are looked
/// for by a client of their own, which takes nothing but success.
pub fn accepts(kind: Kind, status: u16) -> bool {
    let success = matches!(status, 200..=299);
    success
        || match kind {
            Kind::Register | Kind::Heartbeat => matches!(status, 302 | 404),
            Kind::Cancel => true,
            Kind::Delta => matches!(status, 302 | 403 | 404),
            Kind::Full => status == 302,
            Kind::Servers => false,
        }
}

impl Transport {
    /// How long to wait for a connection, and for an answer.
    ///
    /// For Spring's `WebClient` nobody sets any (spring-cloud-netflix: WebClientTransportClientFactory.java, and every request ends in
    /// a `block()` without a bound): 30 s for a connection (netty: DefaultChannelConfig.java), and for ever for an answer
    /// (reactor-netty: HttpClientConfig.java, `responseTimeout`).
    pub fn timeouts(self, settings: &ClientConfig) -> (Duration, Duration) {
        match self {
            Transport::Jersey => (settings.connect_timeout, settings.read_timeout),
            Transport::RestClient => (settings.rest_connect_timeout, settings.rest_socket_timeout),
            Transport::WebClient => (Duration::from_secs(30), FOR_EVER),
        }
    }

    /// How long a connection is kept idle, how many there may be to one server, and how many in all.
    ///
    /// Spring makes a client of its own for each server, so that only the first limit counts. `RestClient`: 3 min and 5
    /// (httpcomponents-client: RequestConfig.java, PoolingHttpClientConnectionManager.java). `WebClient`: for ever, and twice as many as
    /// there are processors, at least 16 (reactor-netty: ConnectionProvider.java).
    ///
    /// Differs from upstream: before 4.3.2 and 5.0.2 `WebClient` had Reactor Netty's own pool of 500. Five threads reach neither.
    pub fn connections(self, settings: &ClientConfig) -> (Duration, u32, u32) {
        match self {
            Transport::Jersey => {
                (settings.connection_idle_timeout, settings.connections_per_host, settings.connections_total)
            }
            Transport::RestClient => (Duration::from_secs(180), 5, u32::MAX),
            Transport::WebClient => (FOR_EVER, 16, u32::MAX),
        }
    }

    /// The pool that a request takes its connection from. The HTTP client of Jersey is one for registrations and queries
    /// (`DiscoveryClient.scheduleServerEndpointTask`); Spring makes one for each.
    pub fn pool(self, channel: Channel) -> PoolId {
        match self {
            Transport::Jersey => PoolId(0),
            Transport::RestClient | Transport::WebClient => PoolId(channel as u8),
        }
    }

    /// As whom it asks.
    pub fn identity(self) -> Identity {
        match self {
            Transport::Jersey => Identity::DefaultClient,
            Transport::RestClient | Transport::WebClient => Identity::Nobody,
        }
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
    session: NonZeroU16,
    /// The server that is asked first, because it answered last.
    pinned: Option<Delegate>,
    serial: NonZeroU16,
}

/// Begun → attempt (pinned server, or the next on the list) → ended, redirected, or another attempt.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Walk {
    /// The session that it belongs to. None: it is of no chain, and leaves no trace.
    session: Option<NonZeroU16>,
    attempts: u8,
    /// How many of the candidates were tried.
    tried: u8,
    /// How often the attempt was redirected.
    redirects: u8,
    from_list: bool,
    /// Looked up once, when first needed.
    candidates: Option<Candidates>,
    current: Option<Delegate>,
}

impl Walk {
    /// A request that takes these servers in order, apart from any chain.
    pub fn alone(candidates: Candidates) -> Walk {
        Walk { candidates: Some(candidates), ..Walk::of(None) }
    }

    fn of(session: Option<NonZeroU16>) -> Walk {
        Walk {
            session,
            attempts: 0,
            tried: 0,
            redirects: 0,
            from_list: false,
            candidates: None,
            current: None,
        }
    }
}

impl Chain {
    /// A transport that has not been used.
    pub fn new(channel: Channel) -> Chain {
        Chain { channel, ends: i64::MIN, session: NonZeroU16::MIN, pinned: None, serial: NonZeroU16::MIN }
    }

    /// The server that is asked first.
    pub fn pinned(&self) -> Option<Address> {
        self.pinned.map(|pinned| pinned.address)
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
            self.session = self.session.checked_add(1).unwrap_or(NonZeroU16::MIN);
            self.pinned = None;
            endpoints.lift(self.channel);
        }
        Walk::of(Some(self.session))
    }

    /// The pinned server, if the walk has a share in it.
    fn pinned_for(&self, walk: &Walk) -> Option<Delegate> {
        self.pinned.filter(|_| walk.session == Some(self.session))
    }

    /// Whether the next attempt has to look at the list of servers.
    pub fn needs_list(&self, walk: &Walk) -> bool {
        walk.attempts < ATTEMPTS && self.pinned_for(walk).is_none() && walk.candidates.is_none()
    }

    /// Whom the walk asks next. Nobody: the request fails. `refresh_share` is the setting `quarantine_refresh_percentage`.
    ///
    /// Differs from upstream: a request that is still under way when its session is replaced (it must have been hanging while
    /// another one began) takes its next servers from the whole list, since the quarantine of its own session is gone.
    pub fn attempt(
        &mut self,
        walk: &mut Walk,
        endpoints: &mut Endpoints,
        refresh_share: f64,
    ) -> Option<Address> {
        assert!(walk.current.is_none(), "the attempt before has not ended: {walk:?}");
        if walk.attempts == ATTEMPTS {
            return None;
        }
        let delegate = match self.pinned_for(walk) {
            Some(pinned) => {
                walk.from_list = false;
                pinned
            }
            None => {
                let of_this_session = walk.session == Some(self.session);
                let candidates = *walk.candidates.get_or_insert_with(|| {
                    if of_this_session {
                        endpoints.candidates(self.channel, refresh_share)
                    } else {
                        endpoints.all()
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
        walk.redirects = 0;
        walk.current = Some(delegate);
        Some(delegate.address)
    }

    /// Whether a 302 is an answer to the caller: a server that was pinned is not left for it, and whoever looks for servers
    /// follows none. Else it says where to go on, and [`redirected`](Chain::redirected) is next.
    pub fn passes_redirects(&self, walk: &Walk) -> bool {
        !walk.from_list || walk.session.is_none()
    }

    /// A new server answered 302, with a `target` that can be used: the same request goes there, and that server counts as the
    /// one that was asked. Nobody: it has been redirected too often, which is a failure of the attempt.
    pub fn redirected(&mut self, walk: &mut Walk, target: Address) -> Option<Address> {
        assert!(!self.passes_redirects(walk), "a redirect that is an answer: {walk:?}");
        walk.redirects += 1;
        let current = walk.current.as_mut().expect("an answer belongs to an attempt");
        (walk.redirects < MOST_REDIRECTS).then(|| {
            current.address = target;
            target
        })
    }

    /// An attempt has ended. A server that answered well is pinned; one that did not is unpinned, and put in quarantine if it
    /// came from the list (a pinned one is not).
    pub fn attempted(&mut self, walk: &mut Walk, accepted: bool, endpoints: &mut Endpoints) {
        let delegate = walk.current.take().expect("an outcome belongs to an attempt");
        if walk.session != Some(self.session) {
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
            let listed = walk.candidates.and_then(|candidates| candidates.get(walk.tried - 1));
            endpoints.quarantine(self.channel, listed.expect("it was taken from the list"));
        }
    }
}

/// Length of a session in ms: half to one and a half of the setting.
fn session_ms(interval: Duration, random: &mut Stream) -> i64 {
    let interval = i64::try_from(interval.as_millis()).unwrap_or(i64::MAX / 2);
    interval + (interval as f64 * (unit(random.next_u64()) - 0.5)) as i64
}

#[cfg(test)]
mod tests;
