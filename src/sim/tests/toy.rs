//! A machine that does what a script says and writes down all that it hears, and a world of a few hosts for it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::plan::World;
use crate::plan::world::*;
use crate::protocol::*;
use crate::sim::{End, Simulation};

/// Anything that travels or is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Note {
    pub kind: &'static str,
    pub bytes: u32,
    pub items: u32,
}

pub fn note(kind: &'static str) -> Note {
    Note { kind, bytes: 100, items: 1 }
}

impl Wire for Note {
    fn bytes(&self) -> u32 {
        self.bytes
    }
    fn items(&self) -> u32 {
        self.items
    }
    fn kind(&self) -> &'static str {
        self.kind
    }
}

/// One thing that a toy does at its time.
#[derive(Clone, Debug)]
pub enum Do {
    /// Address, note, connect timeout ms, read timeout ms.
    Call(u32, Note, u64, u64),
    /// Abandon the last call.
    Abandon,
    Open(u32, u64),
    /// Over the last session.
    Send(Note),
    Close(bool),
    Datagram(u32, Note),
    Append(u8, Note),
    Replace(u8, Note),
    Flush(u8),
    /// Open or close the port.
    Listen(bool),
    /// Draw a number and write it down.
    Draw,
    /// Write both clocks down.
    Clocks,
}

/// What a toy does, and where it writes down what it hears. The log outlives its process.
#[derive(Clone, Debug, Default)]
pub struct Script {
    pub steps: Vec<(u64, Do)>,
    /// How long it keeps a request before it answers; none is for ever.
    pub answer_after: Option<u64>,
    pub answer_bytes: u32,
    pub log: Arc<Mutex<Vec<String>>>,
}

#[derive(Clone, Debug)]
pub struct Toy {
    script: Arc<Script>,
    began: Instant,
    done: usize,
    owed: Vec<(Instant, RequestId)>,
    call: Option<CallId>,
    link: Option<LinkId>,
}

impl Toy {
    fn say(&self, cx: &Cx<'_, Toy>, what: &str) {
        let at = cx.now().as_millis() - 86_400_000;
        self.script.log.lock().unwrap().push(format!("{at} {what}"));
    }

    fn act(&mut self, action: &Do, cx: &mut Cx<'_, Toy>) {
        let ms = Duration::from_millis;
        match *action {
            Do::Call(to, note, connect, read) => {
                self.call = Some(cx.call(Address(to), PoolId(0), note, ms(connect), ms(read), note.kind));
            }
            Do::Abandon => cx.abandon(self.call.unwrap()),
            Do::Open(to, timeout) => self.link = Some(cx.open(Address(to), 1, ms(timeout), "opened")),
            Do::Send(note) => cx.send(self.link.unwrap(), note),
            Do::Close(reset) => cx.close(self.link.unwrap(), reset),
            Do::Datagram(to, note) => cx.datagram(Address(to), note),
            Do::Append(file, note) => cx.write(FileId(file), Write::Append(note)),
            Do::Replace(file, note) => cx.write(FileId(file), Write::Replace(note)),
            Do::Flush(file) => cx.flush(FileId(file), "flush"),
            Do::Listen(open) => cx.listen(open),
            Do::Draw => {
                let drawn = rand::RngCore::next_u64(cx.random());
                self.say(cx, &format!("drew {drawn}"));
            }
            Do::Clocks => {
                let wall = cx.wall().as_millis() - EPOCH_MS;
                self.say(cx, &format!("wall {wall}"));
            }
        }
    }
}

impl Protocol for Toy {
    type Config = Script;
    type Request = Note;
    type Response = Note;
    type Message = Note;
    type Record = Note;
    type Tag = &'static str;

    fn start(config: &Arc<Script>, disk: &Disk<Note>, cx: &mut Cx<'_, Toy>) -> Toy {
        let script = config.clone();
        let toy = Toy { script, began: cx.now(), done: 0, owed: Vec::new(), call: None, link: None };
        let kinds = |records: &[Note]| records.iter().map(|note| note.kind).collect::<Vec<_>>().join(",");
        let logs: Vec<_> = disk.logs.iter().map(|(_, log)| kinds(&log.records)).collect();
        let cells: Vec<_> = disk.cells.iter().map(|(_, cell)| cell.map_or("-", |note| note.kind)).collect();
        toy.say(cx, &format!("start {logs:?} {cells:?}").replace('"', ""));
        toy
    }

    fn handle(&mut self, input: Input<Toy>, cx: &mut Cx<'_, Toy>) {
        match input {
            Input::Timeout => {
                let now = cx.now();
                let script = self.script.clone();
                while let Some((at, action)) = script.steps.get(self.done)
                    && self.began + Duration::from_millis(*at) <= now
                {
                    self.done += 1;
                    self.act(action, cx);
                }
                while let Some((_, id)) = self.owed.pop_if(|(at, _)| *at <= now) {
                    cx.respond(id, Note { bytes: script.answer_bytes, ..note("answer") });
                }
            }
            Input::Request { id, from, request } => {
                self.say(cx, &format!("request {} from {}", request.kind, from.0));
                match self.script.answer_after {
                    None => {}
                    Some(0) => cx.respond(id, Note { bytes: self.script.answer_bytes, ..note("answer") }),
                    Some(after) => {
                        self.owed.push((cx.now() + Duration::from_millis(after), id));
                        self.owed.sort_by_key(|(at, id)| std::cmp::Reverse((*at, *id)));
                    }
                }
            }
            Input::Outcome { tag, result, .. } => {
                let result = result.map(|note| note.kind);
                self.say(cx, &format!("{tag} {result:?}"));
            }
            Input::Link { link, tag, input } => {
                match input {
                    LinkInput::Accepted { .. } => self.link = Some(link),
                    LinkInput::Opened | LinkInput::Received(_) | LinkInput::Ended(_) => {}
                }
                let what = match input {
                    LinkInput::Received(note) => format!("link {}", note.kind),
                    LinkInput::Opened => format!("link {}", tag.unwrap()),
                    LinkInput::Accepted { from, port } => format!("link from {} port {port}", from.0),
                    LinkInput::Ended(reason) => format!("link {reason:?}"),
                };
                self.say(cx, &what);
            }
            Input::Datagram { from, message } => {
                self.say(cx, &format!("packet {} from {}", message.kind, from.0))
            }
            Input::Disk(DiskInput::Flushed(tag)) => self.say(cx, &format!("{tag} done")),
            Input::Disk(DiskInput::Failed(tag, error)) => self.say(cx, &format!("{tag} {error:?}")),
            Input::Ask { ticket, operation } => {
                self.say(cx, &format!("ask {operation:?}"));
                match operation {
                    // After a failure the next one, as long as there is one.
                    Operation::LookUp { service, except } => cx.done(
                        ticket,
                        match except {
                            None => Answer::Found(InstanceId(service.0)),
                            Some(InstanceId(3..)) => Answer::NoneFound,
                            Some(failed) => Answer::Found(InstanceId(failed.0 + 1)),
                        },
                    ),
                    Operation::Register { .. } => {}
                    _ => cx.done(ticket, Answer::Ok),
                }
            }
            Input::Reconfigure(script) => {
                self.say(cx, "new settings");
                self.script = Arc::new(Script { log: self.script.log.clone(), ..(*script).clone() });
            }
            Input::Stop => {
                self.say(cx, "stop");
                cx.exit(0);
            }
        }
    }

    fn next_timeout(&self) -> Option<Instant> {
        let step = self.script.steps.get(self.done).map(|(at, _)| self.began + Duration::from_millis(*at));
        step.into_iter().chain(self.owed.last().map(|(at, _)| *at)).min()
    }

    fn fingerprint(&self, into: &mut dyn std::hash::Hasher) {
        into.write_usize(self.done);
    }
}

pub const EPOCH_MS: i64 = 1_700_000_000_000;
/// Address of a running host on which nothing listens, and of no host.
pub const NOTHING: u32 = 100;
pub const DARK: u32 = 101;

pub fn quality(latency: Latency) -> Quality {
    Quality { latency, loss_ppm: 0, burst: None, duplicate_ppm: 0, reorder_ppm: 0, bandwidth: None }
}

pub fn fixed(ms: u64) -> Quality {
    quality(Latency::Fixed(Duration::from_millis(ms)))
}

/// So many hosts in one zone, 10 ms apart one way, with one process each; address n leads to process n.
pub fn world(names: &[&str]) -> World {
    let mut addresses: Vec<_> = (0..101)
        .map(|n| AddressEntry {
            name: format!("address {n}"),
            behind: match n < names.len() as u32 {
                true => Behind::Processes(vec![NodeId(n)]),
                false => Behind::Nothing(HostId(0)),
            },
        })
        .collect();
    addresses.push(AddressEntry { name: "dark".into(), behind: Behind::NoHost });
    World {
        regions: vec!["r".into()],
        zones: vec![Zone { name: "z".into(), region: RegionId(0) }],
        hosts: names
            .iter()
            .map(|name| Host {
                name: (*name).into(),
                zone: ZoneId(0),
                clock: ClockError::default(),
                disk: DiskSpeed::default(),
            })
            .collect(),
        processes: (0..)
            .zip(names)
            .map(|(n, name)| Process {
                name: (*name).into(),
                host: HostId(n),
                role: Role::Server,
                start: SimTime::ZERO,
                service: ServiceModel {
                    workers: None,
                    accept_queue: 0,
                    base: Duration::ZERO,
                    per_item: Duration::ZERO,
                },
                pools: vec![PoolPolicy {
                    idle: Duration::from_secs(30),
                    max_per_address: 10,
                    max_total: 100,
                }],
                instance: Some((ServiceId(n), InstanceId(n))),
                subscribes: false,
                address: Address(n),
            })
            .collect(),
        clusters: Vec::new(),
        addresses,
        checks: vec![],
        instances: names.iter().map(|name| (*name).into()).collect(),
        services: names.iter().map(|name| (*name).into()).collect(),
        groups: vec![],
        paths: Paths {
            same_host: fixed(0),
            same_zone: fixed(10),
            same_region: fixed(20),
            cross_region: fixed(30),
            zones: vec![],
            regions: vec![],
            hosts: vec![],
        },
        steps: vec![],
        triggers: vec![],
        traffic: vec![],
        duration: SimTime::from_secs(60),
        epoch_ms: EPOCH_MS,
        flood_limit: 1_000_000,
    }
}

pub fn step(at_ms: u64, until_ms: impl Into<Option<u64>>, fault: Fault) -> Step {
    let (at, until) = (SimTime::from_millis(at_ms), until_ms.into().map(SimTime::from_millis));
    Step { name: String::new(), trigger: None, at, until, fault }
}

/// Runs the world with these scripts and returns what each process wrote down.
pub fn run(world: &World, scripts: Vec<Script>) -> Vec<Vec<String>> {
    run_seed(world, scripts, 1).0
}

pub fn run_seed(world: &World, scripts: Vec<Script>, seed: u64) -> (Vec<Vec<String>>, Simulation<Toy>) {
    let configs: Vec<_> = scripts.into_iter().map(Arc::new).collect();
    let mut simulation = Simulation::<Toy>::new(world, configs.clone(), seed);
    assert_eq!(simulation.run(&mut ()), End::Finished);
    let logs = configs.iter().map(|script| script.log.lock().unwrap().clone()).collect();
    (logs, simulation)
}

/// A script of these steps.
pub fn script(steps: Vec<(u64, Do)>) -> Script {
    Script { steps, answer_after: Some(0), answer_bytes: 100, ..Script::default() }
}

/// A script of none, answering requests after so many ms.
pub fn server(answer_after: impl Into<Option<u64>>) -> Script {
    Script { answer_after: answer_after.into(), ..script(vec![]) }
}
