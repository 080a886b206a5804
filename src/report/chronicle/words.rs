//! The lines of an account in words, and which of them are shown.

use std::cmp::Reverse;
use std::time::Duration;

use super::super::text::{columns, fit, pad, wrap};
use super::super::words;
use super::{Chronicle, Detail, Kind, Line, SCREEN};
use crate::history::CallResult;
use crate::protocol::{Origin, Status};

/// Columns of the time.
const TIME: usize = 12;
/// Columns of who it was, at most; it takes as many as are needed.
const WHO: usize = 34;

/// One line as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// When.
    pub at: String,
    /// Who; empty for a step of the scenario.
    pub who: String,
    /// What, and why.
    pub what: String,
    /// Whether it is something that nobody wants: an instance evicted that was alive, calls that fail.
    pub bad: bool,
}

impl Chronicle<'_> {
    /// The lines, each at most so many columns wide. `paint` colours a text: a step, or what nobody wants.
    pub fn render(&self, width: usize, paint: impl Fn(&str, Shade) -> String) -> Vec<String> {
        let (told, hidden) = self.told();
        let who = told.iter().map(|told| columns(&told.who)).max().unwrap_or(0).min(WHO.min(width / 3));
        let mut lines: Vec<String> = Vec::new();
        for told in &told {
            let at = format!("{:>TIME$}  ", told.at);
            if told.who.is_empty() {
                let what = fit(&told.what, width.saturating_sub(TIME + 2));
                lines.push(at + &paint(&what, Shade::Step));
                continue;
            }
            // The cause stands at the end, and is what one wants to know: it is not cut off.
            let mut start = format!("{at}{}  ", pad(&fit(&told.who, who), who));
            let indent = columns(&start);
            for what in wrap(&told.what, width.saturating_sub(indent), 3) {
                lines.push(start + &if told.bad { paint(&what, Shade::Bad) } else { what });
                start = " ".repeat(indent);
            }
        }
        if hidden > 0 {
            let more = words::count(hidden, "more line", "more lines");
            let where_to = match self.detail {
                Detail::Folded => "--timeline shows all",
                Detail::Full => "--record writes all",
            };
            lines.push(format!("{:TIME$}  and {more}; {where_to}", ""));
        }
        lines
    }

    /// The lines in words, and how many are left out.
    pub fn told(&self) -> (Vec<Told>, u64) {
        let mut shown: Vec<usize> = (0..self.lines.len()).collect();
        if self.detail == Detail::Folded && shown.len() > SCREEN {
            // The least important go first; of these, what belongs to the start-up, then what happened to fewest.
            shown.sort_by_key(|&at| {
                let line = &self.lines[at];
                (line.rank(), line.start_up, Reverse(line.count), at)
            });
            shown.truncate(SCREEN - 1);
            shown.sort_unstable();
        }
        let hidden = (self.lines.len() - shown.len()) as u64 + self.lost;
        (shown.into_iter().map(|at| self.line(&self.lines[at])).collect(), hidden)
    }

    /// A line in words.
    pub(super) fn line(&self, line: &Line) -> Told {
        let node = |id: u32| self.world.processes[id as usize].name.clone();
        let instance = |id: u32| self.world.instances[id as usize].clone();
        let whom = line.whom.said(instance, line.count);
        let mut who = line.who.said(node, line.count);
        let mut what = match line.kind {
            Kind::Step { step, began } => {
                let name = self.world.steps.get(step as usize).map_or("", |step| step.name.as_str());
                if began { format!("── {name}") } else { format!("── {name}: over") }
            }
            Kind::Started { again: false } => "started".to_owned(),
            Kind::Started { again: true } => "started again".to_owned(),
            Kind::Stopping => "began to shut down".to_owned(),
            Kind::Ended { stopping: true, exit: None | Some(0) } => "stopped".to_owned(),
            Kind::Ended { exit: None, .. } => "died".to_owned(),
            Kind::Ended { exit: Some(code), .. } => format!("exited with code {code}"),
            Kind::Paused { paused: true } => "stood still".to_owned(),
            Kind::Paused { paused: false } => "went on".to_owned(),
            Kind::Announced { status } => format!("says that it is {status}"),
            Kind::Registered { origin, status, again } => {
                let verb = match origin {
                    Origin::Client => "registered",
                    Origin::Replica => "heard of",
                    Origin::Sync => "copied",
                };
                let status = if status == Status::Up { String::new() } else { format!(" as {status}") };
                let again = if again { " again" } else { "" };
                format!("{verb} {whom}{status}{again}{}", self.source(line, origin))
            }
            Kind::Changed { origin, status } => {
                format!("has {whom} as {status} now{}", self.source(line, origin))
            }
            Kind::Deregistered { origin } => format!("deregistered {whom}{}", self.source(line, origin)),
            Kind::Evicted { alive, lease } => {
                let lease = lease.map_or("its lease ran out".to_owned(), |lease| {
                    format!("lease of {} ran out", said(lease))
                });
                let still = if alive { ", still running" } else { "" };
                format!("evicted {whom}{still}: {lease}, {}", silence(line.silence))
            }
            Kind::Metadata => format!("has other metadata of {whom}"),
            Kind::Protection { on, renewals, threshold } => {
                let word = if on { "on" } else { "off" };
                // Switched by a setting, it says nothing of renewals.
                match (on, renewals > threshold) {
                    (true, false) => format!("self-preservation on: {renewals} renewals ≤ {threshold}"),
                    (false, true) => format!("self-preservation off: {renewals} renewals > {threshold}"),
                    (true, true) if threshold <= 0 => format!("self-preservation on: threshold {threshold}"),
                    _ => format!("self-preservation {word}"),
                }
            }
            Kind::Opened => "opened for traffic".to_owned(),
            Kind::Threshold { value } => format!("threshold is {value} renewals now"),
            Kind::Moved { from, to } => {
                who = whom;
                format!("turned from {} to {}", node(from.0), node(to.0))
            }
            Kind::Copied { sizes: None } => {
                who = line.who.counted(node, "client", "clients");
                let times = words::count(line.count, "time", "times");
                format!("fetched changes {times}")
            }
            Kind::Copied { sizes: Some((before, size)) } => {
                format!("knows {}, before {before}", words::count(size.into(), "instance", "instances"))
            }
            Kind::Failing { result } => {
                let calls = words::count(line.count, "call", "calls");
                match result {
                    CallResult::NoInstance => format!("{calls} failed: no instance known"),
                    CallResult::DeadInstance => format!("{calls} failed: {whom} was not running"),
                    CallResult::Unreachable => format!("{calls} failed: {whom} out of reach"),
                    CallResult::Answered => format!("{calls} answered"),
                }
            }
            Kind::Answered => "is answered again".to_owned(),
            Kind::Agreement { agree: false, .. } => "differ from the truth".to_owned(),
            Kind::Agreement { agree: true, since } if since < line.at => {
                let taken = said(line.at.since(since));
                format!("agree with the truth, {taken} after the last disturbance")
            }
            Kind::Agreement { agree: true, .. } => "agree with the truth".to_owned(),
        };
        if let Kind::Failing { .. } = line.kind
            && self.detail == Detail::Full
        {
            what = what.replacen("1 call failed", "calls fail", 1);
        }
        if let Kind::Agreement { .. } = line.kind {
            who = "all views".to_owned();
        }
        let within = line.last.since(line.at);
        if within >= Duration::from_secs(1) {
            what.push_str(&format!(", within {}", said(within)));
        }
        Told { at: line.at.to_string(), who, what, bad: line.is_bad() }
    }

    /// Where a server has a change from, unless it is the instance itself.
    fn source(&self, line: &Line, origin: Origin) -> String {
        let servers = || {
            let processes = self.world.processes.iter();
            processes.filter(|process| process.role == crate::plan::world::Role::Server)
        };
        // The history does not say which peer it was; of two servers it is the other one.
        let peer = match line.who.only() {
            Some(id) if servers().count() == 2 => {
                let own = &self.world.processes[id as usize].name;
                servers().find(|process| process.name != *own).map(|process| process.name.as_str())
            }
            _ => None,
        };
        match (origin, peer) {
            (Origin::Client, _) => String::new(),
            (Origin::Replica, Some(peer)) => format!(" from {peer}, by replication"),
            (Origin::Replica, None) => " by replication".to_owned(),
            (Origin::Sync, Some(peer)) => format!(" from {peer}"),
            (Origin::Sync, None) => " from a peer".to_owned(),
        }
    }
}

/// What a text of an account is coloured as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shade {
    /// A step of the scenario.
    Step,
    /// What nobody wants.
    Bad,
}

impl Line {
    /// How early a line gives way to others; the most important is 0.
    fn rank(&self) -> u8 {
        match self.kind {
            // Every server begins so.
            Kind::Protection { .. } if self.start_up => 5,
            Kind::Step { .. } | Kind::Evicted { alive: true, .. } | Kind::Agreement { .. } => 0,
            Kind::Ended { .. } | Kind::Evicted { .. } | Kind::Failing { .. } => 1,
            Kind::Protection { .. }
            | Kind::Started { again: true }
            | Kind::Registered { again: true, .. }
            | Kind::Deregistered { .. } => 2,
            Kind::Stopping | Kind::Paused { .. } | Kind::Moved { .. } | Kind::Changed { .. } => 3,
            Kind::Registered { origin: Origin::Client, .. } | Kind::Announced { .. } => 4,
            Kind::Registered { .. } | Kind::Started { .. } | Kind::Opened => 5,
            Kind::Copied { .. } | Kind::Metadata | Kind::Answered => 6,
            Kind::Threshold { .. } => 7,
        }
    }

    fn is_bad(&self) -> bool {
        matches!(self.kind, Kind::Evicted { alive: true, .. } | Kind::Failing { .. })
    }
}

fn said(duration: Duration) -> String {
    words::duration(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
}

fn silence(silence: Option<(Duration, Duration)>) -> String {
    match silence {
        Some((shortest, longest)) if said(shortest) != said(longest) => {
            format!("silent for {} to {}", said(shortest), said(longest))
        }
        Some((_, longest)) => format!("silent for {}", said(longest)),
        None => "silent".to_owned(),
    }
}
