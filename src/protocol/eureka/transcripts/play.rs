//! Plays a transcript against one process, in virtual time, and compares.

use std::time::Duration;

use super::names::{Names, START_MS, parse_seconds};
use super::script::{Kind, Line, Mark, difference, read, written};
use super::setup::Setup;
use crate::protocol::eureka::{Eureka, Tag};
use crate::protocol::{
    Address, CallId, Cx, Disk, Effect, Event, Input, Instant, Key, NodeId, Protocol, RequestId, Stream,
    Ticket, Wall,
};

const MS: u64 = 1_000_000;
/// Unchanged lines that are shown around a difference.
const CONTEXT: usize = 3;

/// Plays a transcript.
///
/// # Errors
/// A report: of the first line that means nothing, or of how the file and the process differ.
pub(super) fn play(file: &str, text: &str) -> Result<(), String> {
    let place = |(line, message)| format!("{file}:{line}: {message}");
    let lines = read(text).map_err(place)?;
    let mut player = Player::new();
    let (mut result, mut rest) = (Vec::new(), &lines[..]);
    while let Some(line) = rest.first() {
        let number = lines.len() - rest.len() + 1;
        // A line, and what is said to follow from it until the next input.
        let until = rest[1..].iter().position(|line| !matches!(line.kind, Kind::Effect(..) | Kind::Prose));
        let until = &rest[1..=until.unwrap_or(rest.len() - 1)];
        let last = until.iter().rposition(|line| matches!(line.kind, Kind::Effect(..)));
        let (said, next) = rest[1..].split_at(last.map_or(0, |last| last + 1));
        let time = |line: &Line| match line.kind {
            Kind::Input(ms, _) | Kind::Effect(ms, _) => Some(ms),
            Kind::Prose | Kind::Setup(_) => None,
        };
        // Whatever is due before the next input happens, or at its very moment; after the last one, all that is said.
        let until_ms = next.iter().find_map(time).or_else(|| time(said.last()?));
        // An effect that stands before all inputs is none.
        let stray = matches!(line.kind, Kind::Effect(..));
        result.push((if stray { Mark::Gone } else { Mark::Same }, line.clone()));
        match &line.kind {
            Kind::Prose | Kind::Effect(..) => {}
            Kind::Setup(said) => player.setup(said).map_err(|message| place((number, message)))?,
            Kind::Input(at_ms, input) => {
                player.input(*at_ms, input).map_err(|message| place((number, message)))?;
                player.run_to(until_ms.unwrap_or(*at_ms));
                result.extend(difference(said, &written(std::mem::take(&mut player.seen), *at_ms)));
                rest = next;
                continue;
            }
        }
        rest = &rest[1..];
    }
    if !result.iter().any(|(_, line)| matches!(line.kind, Kind::Effect(..))) {
        return Err(format!("{file}: nothing happens in it"));
    }
    if result.iter().all(|(mark, _)| *mark == Mark::Same) { Ok(()) } else { Err(report(file, &result)) }
}

fn report(file: &str, result: &[(Mark, Line)]) -> String {
    let changed = |at: usize| {
        let near = &result[at.saturating_sub(CONTEXT)..result.len().min(at + CONTEXT + 1)];
        near.iter().any(|(mark, _)| *mark != Mark::Same)
    };
    let mut report = format!("{file} differs (- what the file says, + what happened):\n");
    for (at, (mark, line)) in result.iter().enumerate() {
        if changed(at) {
            let sign = match mark {
                Mark::Same => ' ',
                Mark::Gone => '-',
                Mark::New => '+',
            };
            report += &format!("{sign} {}\n", line.text);
        } else if at > 0 && changed(at - 1) {
            report += "  ...\n";
        }
    }
    report += "\nThe file as it happened, to be held against the reference:\n\n";
    for (_, line) in result.iter().filter(|(mark, _)| *mark != Mark::Gone) {
        report += &line.text;
        report.push('\n');
    }
    report
}

/// One process and its driver.
struct Player {
    names: Names,
    setup: Option<Setup>,
    machine: Option<Eureka>,
    now: Instant,
    /// How far the wall clock was moved, ms.
    moved_ms: i64,
    random: Stream,
    next_id: u64,
    /// Calls so far; none once ended.
    calls: Vec<(CallId, Option<Tag>)>,
    /// Effects since they were last taken.
    seen: Vec<(i64, String)>,
}

impl Player {
    fn new() -> Player {
        Player {
            names: Names::default(),
            setup: None,
            machine: None,
            now: Instant(0),
            moved_ms: 0,
            random: Key::root(1).long(),
            next_id: 0,
            calls: Vec::new(),
            seen: Vec::new(),
        }
    }

    fn setup(&mut self, line: &str) -> Result<(), String> {
        match &mut self.setup {
            None => self.setup = Some(Setup::new(line)?),
            Some(setup) => setup.line(line, &mut self.names)?,
        }
        Ok(())
    }

    fn configured(&mut self) -> Result<&mut Setup, String> {
        self.setup.as_mut().ok_or_else(|| "there is no process yet".to_owned())
    }

    /// Lets time pass: everything that is due by then happens.
    fn run_to(&mut self, ms: i64) {
        let end = Instant(ms.unsigned_abs() * MS);
        while let Some(due) = self.machine.as_ref().and_then(Eureka::next_timeout).filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.handle(Input::Timeout);
            let next = self.machine.as_ref().and_then(Eureka::next_timeout);
            assert!(next.is_none_or(|next| next > self.now), "after a timeout the next is later");
        }
        self.now = end;
    }

    fn input(&mut self, at_ms: i64, text: &str) -> Result<(), String> {
        self.run_to(at_ms);
        let (verb, rest) = text.split_once(' ').unwrap_or((text, ""));
        match verb {
            "start" => {
                let config = self.configured()?.config();
                self.step(|machine, cx| *machine = Some(Eureka::start(&config, &Disk::default(), cx)));
                return Ok(());
            }
            "clock" => {
                let by = parse_seconds(rest.trim_start_matches('+'));
                self.moved_ms += by.ok_or_else(|| format!("not by how much: `{rest}`"))?;
                return Ok(());
            }
            "(time" => return Ok(()),
            _ if self.machine.is_none() => return Err("the process has not started".to_owned()),
            _ => {}
        }
        let input = match verb {
            ">" => {
                let request = self.names.request(rest)?;
                Input::Request { id: RequestId(0), from: Address(u32::MAX), request }
            }
            "←" => {
                let (number, outcome) = rest.split_once(' ').unwrap_or((rest, ""));
                let at =
                    number.strip_prefix('#').and_then(|number| number.parse::<usize>().ok()?.checked_sub(1));
                let open = at.and_then(|at| self.calls.get_mut(at));
                let missing = || format!("there is no open call {number}");
                let (call, tag) = open.ok_or_else(missing)?;
                let (call, tag) = (*call, tag.take().ok_or_else(missing)?);
                Input::Outcome { call, tag, result: self.names.outcome(outcome)? }
            }
            "ask" => Input::Ask { ticket: Ticket(0), operation: self.names.operation(rest)? },
            "set" => {
                let setup = self.setup.as_mut().ok_or("there is no process yet")?;
                setup.set(rest, &mut self.names)?;
                Input::Reconfigure(setup.config())
            }
            "stop" => Input::Stop,
            _ => return Err(format!("no such input: `{verb}`")),
        };
        self.handle(input);
        Ok(())
    }

    fn handle(&mut self, input: Input<Eureka>) {
        self.step(|machine, cx| machine.as_mut().expect("it has started").handle(input, cx));
    }

    fn step(&mut self, step: impl FnOnce(&mut Option<Eureka>, &mut Cx<'_, Eureka>)) {
        let mut effects = Vec::new();
        let wall = Wall::from_millis(START_MS + self.moved_ms) + Duration::from_nanos(self.now.0);
        let mut cx = Cx::new(NodeId(0), self.now, wall, &mut self.random, &mut self.next_id, &mut effects);
        step(&mut self.machine, &mut cx);
        for effect in effects {
            let at_ms = i64::try_from(self.now.as_millis()).expect("a transcript is short");
            let said = self.said(effect);
            self.seen.extend(said.map(|said| (at_ms, said)));
        }
    }

    /// An effect, as it is written; what the file did not ask for is not.
    fn said(&mut self, effect: Effect<Eureka>) -> Option<String> {
        let shown = &self.setup.as_ref().expect("it has been set up").shown;
        Some(match effect {
            Effect::Respond { id: _, response } => {
                format!("< {}", self.names.show_response(&response, shown.lease))
            }
            Effect::Call(call) => {
                self.calls.push((call.id, Some(call.tag)));
                let (server, request) =
                    (self.names.address_name(call.to), self.names.show_request(&call.request));
                let (connect, read) = (call.connect_timeout.as_millis(), call.read_timeout.as_millis());
                let timeouts =
                    if shown.timeouts { format!(" within {connect}/{read}ms") } else { String::new() };
                format!("→ #{} {server} {request}{timeouts}", self.calls.len())
            }
            Effect::Abandon(call) => {
                let at = self.calls.iter().position(|(known, _)| *known == call).expect("it was made");
                self.calls[at].1 = None;
                format!("abandons #{}", at + 1)
            }
            Effect::Done { ticket: _, answer } => format!("done {}", self.names.show_answer(answer)),
            Effect::Exit { code } => {
                self.machine = None;
                format!("exit {code}")
            }
            Effect::Listen(_) if !shown.port => return None,
            Effect::Listen(open) => format!("port {}", if open { "opens" } else { "closes" }),
            Effect::Emit(Event::Gauge { gauge, .. }) if !shown.gauges.contains(&gauge) => return None,
            Effect::Emit(event) => format!("! {}", self.names.show_event(&event)),
            other @ (Effect::Open { .. }
            | Effect::Send { .. }
            | Effect::Close { .. }
            | Effect::Datagram { .. }
            | Effect::Write { .. }
            | Effect::Flush { .. }) => panic!("Eureka does no such thing: {other:?}"),
        })
    }
}
