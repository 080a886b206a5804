//! A small real-time driver: the same machines on real clocks, threads, sockets of 127.0.0.1, and files.
//!
//! One thread owns one machine and feeds it one input at a time; other threads wait for the world (a connection, an answer, a
//! flush) and say what happened over a channel. Every wait is bounded. Both sessions and calls arrive at one port per
//! process, told apart by their first bytes.
//!
//! Left out: connection pools (each exchange has its own connection), and power loss.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant as Clock};

use regsim::protocol::{
    Address, Answer, Call, CallError, CallId, Cx, DiskInput, Effect, EndReason, Input, Instant, Key, LinkId,
    LinkInput, NodeId, Operation, Protocol, RequestId, Stream, Ticket, Wall,
};

use super::arrivals::{Arrival, Real, accept, listen, receive, spawn};
use super::files::Files;
use super::sockets::{DATA, LIMIT, LINK, connect, end, exchange, preamble, send_frame};
use super::tape::{Config, Shelf, Taped, open};
use super::wire::Codec;

/// Where each address is, once somebody was there. An [`Address`] is the index of its process.
type Book = Arc<Mutex<Vec<Option<Place>>>>;

/// Where a process is, and whether its port is open for calls. The socket stays: what closes a port closes it for calls alone.
#[derive(Clone, Copy)]
struct Place {
    at: SocketAddr,
    listens: bool,
}

/// Processes that know each other.
pub struct Cluster<P: Protocol> {
    /// What they do is recorded here.
    pub shelf: Shelf<P>,
    book: Book,
    dir: PathBuf,
    clock: Clock,
    lives: u64,
}

/// A running process.
pub struct Process<P: Protocol> {
    shelf: Shelf<P>,
    arrivals: Sender<Arrival<P>>,
    thread: JoinHandle<Option<i32>>,
}

#[expect(clippy::disallowed_methods, reason = "this is a driver: it owns the clock")]
fn clock() -> Clock {
    Clock::now()
}

#[expect(clippy::disallowed_methods, reason = "this is a driver: it owns the clock")]
fn wall() -> Wall {
    let now = std::time::SystemTime::now();
    let since = now.duration_since(std::time::SystemTime::UNIX_EPOCH).expect("a clock after 1970");
    Wall(i64::try_from(since.as_nanos()).expect("a clock before 2262"))
}

/// Waits, in small steps, until `holds`.
#[expect(clippy::disallowed_methods, reason = "this is a driver: it owns the clock")]
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let start = clock();
    while !holds() {
        assert!(start.elapsed() < LIMIT, "never: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

impl<P: Real> Cluster<P> {
    /// Room for so many processes. `name` is that of the test, and of the folder of their disks.
    pub fn new(name: &str, size: usize) -> Cluster<P> {
        let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        if dir.exists() {
            std::fs::remove_dir_all(&dir).expect("the folder of an earlier run can be removed");
        }
        std::fs::create_dir_all(&dir).expect("a folder for disks");
        let (shelf, book) = (Shelf::default(), Arc::new(Mutex::new(vec![None; size])));
        Cluster { shelf, book, dir, clock: clock(), lives: 0 }
    }

    /// Starts a process, on the disk that its earlier life left.
    pub fn start(&mut self, node: NodeId, config: P::Config) -> Process<P> {
        self.lives += 1;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let here = listener.local_addr().expect("bound");
        let datagrams = UdpSocket::bind(here).expect("the same port");
        datagrams.set_read_timeout(Some(Duration::from_millis(20))).expect("a time-out");
        open(&self.book)[node.index()] = Some(Place { at: here, listens: true });

        let (arrivals, inbox) = channel();
        let over = Arc::new(AtomicBool::new(false));
        let (sink, ended) = (arrivals.clone(), Arc::clone(&over));
        spawn(move || accept::<P>(&listener, &sink, &ended));
        let (sink, ended) = (arrivals.clone(), Arc::clone(&over));
        let receiver = datagrams.try_clone().expect("a handle");
        spawn(move || receive::<P>(&receiver, &sink, &ended));

        let config = Arc::new(Config { inner: Arc::new(config), shelf: Arc::clone(&self.shelf) });
        let mut life = Life {
            node,
            clock: self.clock,
            random: Key::root(self.lives).child(&format!("node {}", node.0)).long(),
            // Ids are unique within the driver: each life has a range of its own.
            next_id: self.lives << 32,
            effects: Vec::new(),
            sink: arrivals.clone(),
            book: Arc::clone(&self.book),
            datagrams,
            files: Files::load(self.dir.join(node.0.to_string())),
            replies: BTreeMap::new(),
            tickets: BTreeMap::new(),
            calls: BTreeSet::new(),
            links: BTreeMap::new(),
            closed: Vec::new(),
        };
        let thread = spawn(move || {
            let exit = life.run(&config, &inbox);
            over.store(true, Ordering::Release);
            for stream in life.links.values().filter_map(|link| link.stream.as_ref()).chain(&life.closed) {
                stream.shutdown(Shutdown::Both).ok();
            }
            // Wakes the acceptor, which then sees that it is over.
            TcpStream::connect(here).ok();
            exit
        });
        Process { shelf: Arc::clone(&self.shelf), arrivals, thread }
    }
}

impl<P: Real> Process<P> {
    /// Asks for an operation and waits for its answer.
    pub fn ask(&self, operation: Operation) -> Answer {
        let (reply, answer) = channel();
        self.arrivals.send(Arrival::Ask { operation, reply }).ok();
        match answer.recv_timeout(LIMIT) {
            Ok(answer) => answer,
            Err(RecvTimeoutError::Disconnected) => Answer::Unknown,
            Err(RecvTimeoutError::Timeout) => panic!("an operation was never answered"),
        }
    }

    /// Gives the process other settings.
    pub fn reconfigure(&self, config: P::Config) {
        let config = Config { inner: Arc::new(config), shelf: Arc::clone(&self.shelf) };
        self.arrivals.send(Arrival::Reconfigure(Arc::new(config))).ok();
    }

    /// Tells it to shut down, and waits for its exit code.
    pub fn stop(self) -> Option<i32> {
        self.arrivals.send(Arrival::Stop).ok();
        self.thread.join().expect("the machine does not panic")
    }

    /// Crashes it.
    pub fn kill(self) {
        self.arrivals.send(Arrival::Kill).ok();
        self.thread.join().expect("the machine does not panic");
    }
}

/// One end of a session; without a stream while it is being opened.
struct Session<T> {
    tag: Option<T>,
    stream: Option<TcpStream>,
}

/// A machine and all that belongs to it.
struct Life<P: Protocol> {
    node: NodeId,
    clock: Clock,
    random: Stream,
    next_id: u64,
    effects: Vec<Effect<Taped<P>>>,
    sink: Sender<Arrival<P>>,
    book: Book,
    datagrams: UdpSocket,
    files: Files<P::Record>,
    replies: BTreeMap<RequestId, Sender<P::Response>>,
    tickets: BTreeMap<Ticket, Sender<Answer>>,
    calls: BTreeSet<CallId>,
    links: BTreeMap<LinkId, Session<P::Tag>>,
    /// Sessions that the machine has closed, and that may still deliver what it had sent.
    closed: Vec<TcpStream>,
}

impl<P: Real> Life<P> {
    /// Feeds the machine until it exits, or is killed.
    fn run(&mut self, config: &Arc<Config<P>>, inbox: &Receiver<Arrival<P>>) -> Option<i32> {
        let begun = clock();
        let disk = self.files.disk.clone();
        let (mut machine, exit) = self.turn(|cx| Taped::start(config, &disk, cx));
        if exit.is_some() {
            return exit;
        }
        loop {
            assert!(begun.elapsed() < LIMIT, "a process ran too long: {machine:?}");
            let next = machine.next_timeout().map(|at| at.since(self.now())).unwrap_or(LIMIT);
            let input = match inbox.recv_timeout(next.min(LIMIT)) {
                Ok(Arrival::Kill) | Err(RecvTimeoutError::Disconnected) => return None,
                Ok(arrival) => self.input(arrival),
                Err(RecvTimeoutError::Timeout) => Some(Input::Timeout),
            };
            let Some(input) = input else { continue };
            let ((), exit) = self.turn(|cx| machine.handle(input, cx));
            if exit.is_some() {
                return exit;
            }
        }
    }

    fn now(&self) -> Instant {
        Instant(u64::try_from(self.clock.elapsed().as_nanos()).expect("a short run"))
    }

    /// One input, then its effects in order.
    fn turn<T>(&mut self, body: impl FnOnce(&mut Cx<'_, Taped<P>>) -> T) -> (T, Option<i32>) {
        let mut effects = std::mem::take(&mut self.effects);
        let now = self.now();
        let value =
            body(&mut Cx::new(self.node, now, wall(), &mut self.random, &mut self.next_id, &mut effects));
        let exit = effects.drain(..).filter_map(|effect| self.carry_out(effect)).last();
        self.effects = effects;
        (value, exit)
    }

    fn fresh_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id - 1
    }

    /// What the machine should hear of this, if anything.
    fn input(&mut self, arrival: Arrival<P>) -> Option<Input<Taped<P>>> {
        match arrival {
            Arrival::Request { from, request, reply } => {
                let id = RequestId(self.fresh_id());
                self.replies.insert(id, reply);
                Some(Input::Request { id, from, request })
            }
            Arrival::Outcome { call, tag, result } => {
                self.calls.remove(&call).then_some(Input::Outcome { call, tag, result })
            }
            Arrival::Accepted { from, port, stream } => {
                let link = LinkId(self.fresh_id());
                listen(link, stream.try_clone().expect("a handle"), self.sink.clone());
                self.links.insert(link, Session { tag: None, stream: Some(stream) });
                Some(Input::Link { link, tag: None, input: LinkInput::Accepted { from, port } })
            }
            Arrival::Opened { link, stream } => {
                let Some(session) = self.links.get_mut(&link) else {
                    end(&stream, true);
                    return None;
                };
                let tag = session.tag;
                session.stream = Some(stream.try_clone().expect("a handle"));
                listen(link, stream.try_clone().expect("a handle"), self.sink.clone());
                Some(Input::Link { link, tag, input: LinkInput::Opened })
            }
            Arrival::Link { link, input } => {
                let tag = self.links.get(&link)?.tag;
                if matches!(input, LinkInput::Ended(_)) {
                    self.links.remove(&link);
                }
                Some(Input::Link { link, tag, input })
            }
            Arrival::Datagram { from, message } => Some(Input::Datagram { from, message }),
            Arrival::Disk(input) => Some(Input::Disk(input)),
            Arrival::Ask { operation, reply } => {
                let ticket = Ticket(self.fresh_id());
                self.tickets.insert(ticket, reply);
                Some(Input::Ask { ticket, operation })
            }
            Arrival::Reconfigure(config) => Some(Input::Reconfigure(config)),
            Arrival::Stop => Some(Input::Stop),
            Arrival::Kill => unreachable!("a killed machine hears nothing"),
        }
    }

    /// Does what the machine wants. Returns its exit code, if that is what it wants.
    fn carry_out(&mut self, effect: Effect<Taped<P>>) -> Option<i32> {
        match effect {
            Effect::Respond { id, response } => {
                let reply = self.replies.remove(&id).expect("a request is answered once");
                reply.send(response).ok();
            }
            Effect::Call(call) => self.call(call),
            Effect::Abandon(call) => drop(self.calls.remove(&call)),
            Effect::Open { link, to, port, timeout, tag } => self.open(link, to, port, timeout, tag),
            Effect::Send { link, message } => {
                if let Some(Session { stream: Some(stream), .. }) = self.links.get(&link) {
                    let mut frame = vec![DATA];
                    message.put(&mut frame);
                    // A failure is told by the thread that reads from the session.
                    send_frame(stream, &frame).ok();
                }
            }
            Effect::Close { link, reset } => {
                if let Some(Session { stream: Some(stream), .. }) = self.links.remove(&link) {
                    end(&stream, reset);
                    self.closed.push(stream);
                }
            }
            Effect::Datagram { to, message } => {
                let mut packet = Vec::new();
                self.node.0.put(&mut packet);
                message.put(&mut packet);
                if let Some(there) = self.resolve(to) {
                    self.datagrams.send_to(&packet, there).ok();
                }
            }
            Effect::Write { file, write } => self.files.write(file, write),
            Effect::Flush { file, tag } => {
                let (flush, sink) = (self.files.flush(file), self.sink.clone());
                spawn(move || {
                    let ended =
                        flush().map_or_else(|e| DiskInput::Failed(tag, e), |()| DiskInput::Flushed(tag));
                    sink.send(Arrival::Disk(ended)).ok();
                });
            }
            Effect::Done { ticket, answer } => {
                let reply = self.tickets.remove(&ticket).expect("a ticket is answered once");
                reply.send(answer).ok();
            }
            Effect::Listen(listens) => {
                let place = open(&self.book)[self.node.index()].take();
                open(&self.book)[self.node.index()] = place.map(|place| Place { listens, ..place });
            }
            Effect::Exit { code } => return Some(code),
            // The tape has it.
            Effect::Emit(_) => {}
        }
        None
    }

    fn place(&self, to: Address) -> Option<Place> {
        open(&self.book).get(to.index()).copied().flatten()
    }

    fn resolve(&self, to: Address) -> Option<SocketAddr> {
        self.place(to).map(|place| place.at)
    }

    fn call(&mut self, call: Call<Taped<P>>) {
        let Call { id, to, request, connect_timeout, read_timeout, tag, .. } = call;
        let there = self.place(to).filter(|place| place.listens).map(|place| place.at);
        let (from, sink) = (self.node.0, self.sink.clone());
        self.calls.insert(id);
        spawn(move || {
            let mut bytes = Vec::new();
            request.put(&mut bytes);
            let result = match there {
                Some(there) => exchange(there, from, &bytes, connect_timeout, read_timeout),
                None => Err(CallError::Refused),
            };
            sink.send(Arrival::Outcome { call: id, tag, result }).ok();
        });
    }

    fn open(&mut self, link: LinkId, to: Address, port: u16, timeout: Duration, tag: P::Tag) {
        let (there, from, sink) = (self.resolve(to), self.node.0, self.sink.clone());
        self.links.insert(link, Session { tag: Some(tag), stream: None });
        spawn(move || {
            let opened = there.ok_or(CallError::Refused).and_then(|there| connect(there, timeout));
            let opened = opened.and_then(|stream| {
                send_frame(&stream, &preamble(LINK, from, port)).map_err(|_| CallError::Reset)?;
                Ok(stream)
            });
            let arrival = match opened {
                Ok(stream) => Arrival::Opened { link, stream },
                Err(error) => Arrival::Link {
                    link,
                    input: LinkInput::Ended(match error {
                        CallError::Refused => EndReason::Refused,
                        CallError::ConnectTimeout => EndReason::ConnectTimeout,
                        _ => EndReason::Reset,
                    }),
                },
            };
            sink.send(arrival).ok();
        });
    }
}
