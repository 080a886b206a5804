//! What the driver keeps of one process and of one host.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::plan::world::{DiskSpeed, Host, HostId, PoolPolicy, Process, Role, ServiceModel};
use crate::protocol::{Address, Input, Instant, Key, LinkId, PoolId, Protocol, SimTime, Stream, Ticket};

use super::clock::Clock;
use super::disk::Files;
use super::pools::Peer;

/// A machine with clocks, power and an interface. One cache line: it is read for every input.
#[derive(Clone, Debug)]
#[repr(align(64))]
pub(super) struct HostState {
    pub clock: Clock,
    /// Without power a host neither sends nor answers.
    pub on: bool,
    /// How many faults keep it from refusing and resetting.
    pub silences: u32,
}

/// The disk of a host.
#[derive(Clone, Debug)]
pub(super) struct DiskState {
    pub speed: DiskSpeed,
    /// Thousandths of the normal time that a flush takes.
    pub slowness_milli: u32,
    /// How many faults have filled it.
    pub full: u32,
}

impl HostState {
    pub fn new(host: &Host, epoch_ms: i64) -> HostState {
        HostState { clock: Clock::new(epoch_ms, host.clock), on: true, silences: 0 }
    }
}

impl DiskState {
    pub fn new(host: &Host) -> DiskState {
        DiskState { speed: host.disk, slowness_milli: 1_000, full: 0 }
    }
}

/// One process, running or not. What every input touches comes first: of ten thousand clients none is in the cache when its
/// turn comes, and each line that need not be fetched counts.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub(super) struct Node<P: Protocol> {
    /// What the machine last asked for, and the moment at which it is due: never, if it asked for nothing.
    pub deadline: Option<Instant>,
    pub due: SimTime,
    /// The queue entry that stands for the deadline. It is not moved when the deadline moves later.
    pub armed: SimTime,
    pub armed_sequence: u64,
    pub host: HostId,
    /// How many faults hold it still.
    pub pauses: u32,
    /// Whether its port is open, while it runs.
    pub port_open: bool,
    /// The machine, while the process runs.
    pub machine: Option<P>,
    /// The newest of its open calls, where their chain begins.
    pub first_call: Option<u32>,
    /// Where its requests seem to come from.
    pub address: Address,
    /// How often the process has started. Connections and requests belong to one life.
    pub life: u32,
    /// The root of draws about what it sends.
    pub key: Key,
    /// Whom it has talked to.
    pub peers: Vec<Peer>,
    pub pools: Arc<[PoolPolicy]>,
    pub random: Stream,
    /// A number derived from its name: the receiver in such draws. Ids are not used there, because they shift when an entity is
    /// removed.
    pub stable: u32,
    pub service: Service,
    pub config: Arc<P::Config>,
    /// Ends of sessions, rising: the session and which end.
    pub links: Vec<(LinkId, u32, End)>,
    /// Operations that it has not answered.
    pub tickets: Vec<(Ticket, Asker)>,
    pub files: Option<Box<Files<P>>>,
    /// Inputs that wait while it stands still.
    pub inbox: VecDeque<Input<P>>,
}

/// Which end of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Opener,
    Acceptor,
}

impl End {
    pub fn other(self) -> End {
        match self {
            End::Opener => End::Acceptor,
            End::Acceptor => End::Opener,
        }
    }
}

/// On whose behalf an operation was asked.
#[derive(Clone, Copy, Debug)]
pub(super) enum Asker {
    /// A step of the schedule.
    Schedule,
    /// A line of the traffic: a look-up that a call follows.
    Traffic(Try),
}

/// One try of a call of the traffic.
#[derive(Clone, Copy, Debug)]
pub(super) struct Try {
    /// Which line of the traffic.
    pub line: u32,
    /// How many tries of this call came before.
    pub attempt: u32,
}

/// The pool of those who keep no connections: links and datagrams.
pub(super) const NO_POOL: PoolId = PoolId(u8::MAX);

/// The workers of a process.
#[derive(Clone, Debug)]
pub(super) struct Service {
    pub model: ServiceModel,
    pub busy: u32,
    /// Thousandths of the normal time that work takes.
    pub slowness_milli: u32,
    pub waiting: VecDeque<u32>,
}

impl<P: Protocol> Node<P> {
    pub fn new(process: &Process, pools: Arc<[PoolPolicy]>, config: Arc<P::Config>, root: Key) -> Node<P> {
        let key = root.child("process").child(&process.name);
        Node {
            machine: None,
            port_open: true,
            life: 0,
            pauses: 0,
            host: process.host,
            deadline: None,
            due: SimTime::MAX,
            armed: SimTime::MAX,
            armed_sequence: 0,
            random: match process.role {
                Role::Server => key.long(),
                Role::Client => key.small(),
            },
            first_call: None,
            peers: Vec::new(),
            config,
            key: key.child("messages"),
            stable: key.child("name").draw(0, 0, 0, 0) as u32,
            address: process.address,
            service: Service {
                model: process.service,
                busy: 0,
                slowness_milli: 1_000,
                waiting: VecDeque::new(),
            },
            pools,
            links: Vec::new(),
            tickets: Vec::new(),
            files: None,
            inbox: VecDeque::new(),
        }
    }

    pub fn running(&self) -> bool {
        self.machine.is_some()
    }

    /// Whether it takes calls.
    pub fn listening(&self) -> bool {
        self.running() && self.port_open
    }

    /// The index of the peer entry for an address, made on first use.
    pub fn peer(&mut self, to: Address, pool: PoolId) -> u32 {
        let at = self.peers.iter().position(|peer| (peer.to, peer.pool) == (to, pool));
        let at = at.unwrap_or_else(|| {
            // Most have one or two, for ever.
            self.peers.reserve_exact(1);
            self.peers.push(Peer::new(to, pool));
            self.peers.len() - 1
        });
        at as u32
    }
}

impl Service {
    /// Whether a worker is free.
    pub fn idle(&self) -> bool {
        self.model.workers.is_none_or(|workers| self.busy < workers)
    }

    /// Whether a connection that is attempted now meets silence.
    pub fn full(&self) -> bool {
        !self.idle() && self.waiting.len() >= self.model.accept_queue as usize
    }

    /// How long a worker works on a request with so many items.
    pub fn work_ns(&self, items: u32) -> u64 {
        let nanos = |duration: std::time::Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let normal = nanos(self.model.per_item).saturating_mul(u64::from(items));
        let normal = normal.saturating_add(nanos(self.model.base));
        match self.slowness_milli {
            1_000 => normal,
            slowness => (u128::from(normal) * u128::from(slowness) / 1_000).try_into().unwrap_or(u64::MAX),
        }
    }
}
