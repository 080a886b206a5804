//! A plan as a timeline, for `regsim check --plan`: what will run where, what happens when, what must hold.
//!
//! Separate because it is for eyes only: nothing reads it back.

use super::world::{
    Behind, ClockChange, Fault, HostId, Latency, MessageAction, MessageMatch, PathChange, Quality, Role,
    TriggerId, Unflushed, World,
};
use super::{Plan, System};
use crate::protocol::eureka::Config;
use crate::protocol::{Health, InstanceId, NodeId, Operation, SimTime};
use std::fmt;
use std::time::Duration;

/// Instances of one service beyond these are summed up.
const SHOWN_EACH: usize = 4;

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let world = &self.world;
        writeln!(f, "{}: {}", self.name, self.title)?;
        writeln!(
            f,
            "{} on {} hosts, {} long, seed {}",
            self.system.name(),
            world.hosts.len(),
            world.duration,
            self.seed
        )?;
        if world.cluster_count() > 1 {
            writeln!(f, "\nclusters")?;
            for servers in world.servers_by_cluster() {
                let names = servers.iter().map(|node| world.processes[node.index()].name.as_str());
                writeln!(f, "  {}", few(&names.collect::<Vec<_>>()))?;
            }
        }
        writeln!(f, "\npaths")?;
        show_paths(world, f)?;
        writeln!(f, "\ntimeline")?;
        for (at, line) in self.lines() {
            writeln!(f, "  {at:>14}  {line}", at = at.to_string())?;
        }
        self.show_triggers(f)?;
        if !self.expectations.is_empty() {
            writeln!(f, "\nexpected")?;
        }
        for expectation in &self.expectations {
            writeln!(f, "  line {:>3}  {}", expectation.line, expectation.text)?;
        }
        for cure in &self.cures {
            writeln!(f, "\ncure, with which all of this must hold\n  {}", cure.about)?;
            cure.changes.iter().try_for_each(|change| writeln!(f, "  {change}"))?;
        }
        if !self.vary.is_empty() {
            writeln!(f, "\nto sweep, {} combinations", self.combinations())?;
        }
        for (path, values) in &self.vary {
            writeln!(f, "  {path}: {}", values.join(", "))?;
        }
        if !self.notes.is_empty() {
            writeln!(f, "\nnotes")?;
        }
        self.notes.iter().try_for_each(|note| writeln!(f, "  {note}"))
    }
}

impl Plan {
    /// How many combinations of values are to be swept.
    pub fn combinations(&self) -> u64 {
        self.vary.iter().fold(1, |product, (_, values)| product.saturating_mul(values.len() as u64))
    }

    /// Starts and steps, in order of time.
    fn lines(&self) -> Vec<(SimTime, String)> {
        let world = &self.world;
        let mut lines = Vec::new();
        for node in (0..world.processes.len() as u32).map(NodeId) {
            let process = &world.processes[node.index()];
            let index = process.name.rsplit_once('/').and_then(|(_, index)| index.parse().ok()).unwrap_or(0);
            if process.start == SimTime::MAX {
                continue;
            }
            if process.role == Role::Server || index < SHOWN_EACH {
                lines.push((process.start, self.start_line(node)));
            } else if index == SHOWN_EACH {
                let service = process.name.rsplit_once('/').map_or("", |(service, _)| service);
                let more = world
                    .processes
                    .iter()
                    .filter(|other| other.name.rsplit_once('/').is_some_and(|(of, _)| of == service));
                let more = more.count() - SHOWN_EACH;
                lines.push((process.start, format!("start {service}/… and so on, {more} more")));
            }
        }
        for step in world.steps.iter().filter(|step| step.trigger.is_none()) {
            lines.push((step.at, format!("{}  [{}]", step.name, said(world, &step.fault))));
            if let Some(until) = step.until {
                lines.push((until, format!("end of {}", step.name)));
            }
        }
        lines.push((world.duration, "the run ends".to_owned()));
        lines.sort_by_key(|(at, _)| *at);
        lines
    }

    /// What waits for something: the times are those after it.
    fn show_triggers(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let world = &self.world;
        for (id, trigger) in (0..).map(TriggerId).zip(&world.triggers) {
            let counted = match (trigger.after, trigger.from) {
                (None, SimTime::ZERO) => String::new(),
                (None, from) => format!(", counted from {from} on"),
                (Some(after), from) => {
                    format!(", counted from {from} after {} on", world.triggers[after.index()].name)
                }
            };
            writeln!(f, "\nwhen {}{counted}", trigger.name)?;
            let mut lines = Vec::new();
            for step in world.steps.iter().filter(|step| step.trigger == Some(id)) {
                lines.push((step.at, format!("{}  [{}]", step.name, said(world, &step.fault))));
                lines.extend(step.until.map(|until| (until, format!("end of {}", step.name))));
            }
            lines.sort_by_key(|(at, _)| *at);
            for (at, line) in lines {
                writeln!(f, "  {at:>14}  {line}", at = format!("+{at}"))?;
            }
        }
        Ok(())
    }

    fn start_line(&self, node: NodeId) -> String {
        let world = &self.world;
        let process = &world.processes[node.index()];
        let zone = &world.zones[world.hosts[process.host.index()].zone.index()].name;
        let address = &world.addresses[process.address.index()].name;
        let System::Eureka(configs) = &self.system;
        let (to, urls) = match &*configs[node.index()] {
            Config::Server(server) => ("peers", &server.client.service_urls),
            Config::Client(client) => ("servers", &client.service_urls),
        };
        let urls: Vec<&str> =
            urls.iter().map(|url| world.addresses[url.address.index()].name.as_str()).collect();
        let urls = if urls.is_empty() { "none".to_owned() } else { urls.join(", ") };
        format!("start {} at {address} in {zone}, {to}: {urls}", process.name)
    }
}

/// What a step's name may not say: what it is, and whom it really hits.
fn said(world: &World, fault: &Fault) -> String {
    let processes = |nodes: &[NodeId]| {
        few(&nodes.iter().map(|node| world.processes[node.index()].name.as_str()).collect::<Vec<_>>())
    };
    let hosts = |ids: &[HostId]| {
        few(&ids.iter().map(|host| world.hosts[host.index()].name.as_str()).collect::<Vec<_>>())
    };
    match fault {
        Fault::Crash { processes: nodes } => format!("crash {}", processes(nodes)),
        Fault::Stop { processes: nodes } => format!("stop {}", processes(nodes)),
        Fault::Pause { processes: nodes } => format!("pause {}", processes(nodes)),
        Fault::Restart { processes: nodes, wipe_disk: false } => format!("restart {}", processes(nodes)),
        Fault::Restart { processes: nodes, wipe_disk: true } => {
            format!("restart {}, disk wiped", processes(nodes))
        }
        Fault::Slow { processes: nodes, factor_milli } => {
            format!("slow {}, {} times", processes(nodes), f64::from(*factor_milli) / 1000.0)
        }
        Fault::Partition { groups } => {
            format!("partition {}", groups.iter().map(|group| hosts(group)).collect::<Vec<_>>().join(" | "))
        }
        Fault::Flap { from, to, both_ways, down, up } => {
            let arrow = if *both_ways { "<->" } else { "->" };
            let (down, up) = (span_text(*down), span_text(*up));
            format!("{} {arrow} {}: {down} down, {up} up", hosts(from), hosts(to))
        }
        Fault::Silence { hosts: ids } => format!("no refusals and resets from {}", hosts(ids)),
        Fault::Start { processes: nodes } => format!("start {}", processes(nodes)),
        Fault::Cut { from, to } => format!("cut {} -> {}", hosts(from), hosts(to)),
        Fault::Reset { from, to } => format!("reset {} <-> {}", hosts(from), hosts(to)),
        Fault::Path { from, to, change } => {
            format!("{} -> {}: {}", hosts(from), hosts(to), change_text(change))
        }
        Fault::Messages { matching, action } => {
            format!("{}: {}", action_text(world, action), matching_text(world, matching))
        }
        Fault::PowerOff { hosts: ids, unflushed } => {
            let unflushed = match unflushed {
                Unflushed::Drawn => "",
                Unflushed::Kept => ", unflushed writes kept",
                Unflushed::Lost => ", unflushed writes lost",
                Unflushed::Torn => ", last unflushed writes torn",
            };
            format!("power-off {}{unflushed}", hosts(ids))
        }
        Fault::Clock { hosts: ids, change } => match change {
            ClockChange::Jump(nanos) => {
                let sign = if *nanos < 0 { '-' } else { '+' };
                format!(
                    "wall clock of {} jumps by {sign}{}",
                    hosts(ids),
                    short(Duration::from_nanos(nanos.unsigned_abs()))
                )
            }
            ClockChange::Drift(ppm) => format!("clocks of {} drift by {ppm} ppm", hosts(ids)),
            ClockChange::Freeze => format!("wall clock of {} stands still", hosts(ids)),
        },
        Fault::SlowDisk { hosts: ids, .. } => format!("slow disk {}", hosts(ids)),
        Fault::FullDisk { hosts: ids } => format!("full disk {}", hosts(ids)),
        Fault::Ask { process, operation } => {
            format!("{} at {}", operation_text(world, operation), world.processes[process.index()].name)
        }
        Fault::Reconfigure { process, .. } => {
            format!("settings of {}", world.processes[process.index()].name)
        }
        Fault::Resolve { address, behind } => {
            let behind = match behind {
                Behind::Processes(nodes) | Behind::Multicast(nodes) => processes(nodes),
                Behind::Nothing(_) => "nothing".to_owned(),
                Behind::NoHost => "no host".to_owned(),
            };
            format!("{} is {behind}", world.addresses[address.index()].name)
        }
    }
}

fn action_text(world: &World, action: &MessageAction) -> String {
    match action {
        MessageAction::Drop => "drop".to_owned(),
        MessageAction::Delay(delay) => format!("delay by {}", short(*delay)),
        MessageAction::Hold => "hold".to_owned(),
        MessageAction::Duplicate => "duplicate".to_owned(),
        MessageAction::Fail { status, body: None } => format!("fail with {status}"),
        MessageAction::Fail { status, body: Some(body) } => format!("fail with {status} and {body}"),
        MessageAction::Redirect(to) => format!("redirect to {}", world.addresses[to.index()].name),
        MessageAction::Break => "break".to_owned(),
    }
}

fn matching_text(world: &World, matching: &MessageMatch) -> String {
    let processes = |nodes: &[NodeId]| {
        few(&nodes.iter().map(|node| world.processes[node.index()].name.as_str()).collect::<Vec<_>>())
    };
    let mut text = matching.kind.clone().unwrap_or_else(|| "all messages".to_owned());
    for (word, nodes) in [("from", &matching.from), ("to", &matching.to)] {
        if let Some(nodes) = nodes {
            text += &format!(" {word} {}", processes(nodes));
        }
    }
    if let Some(instance) = matching.instance {
        text += &format!(" about {}", world.instances[instance.index()]);
    }
    if let Some(nth) = matching.nth {
        text += &format!(", number {nth} of them");
    }
    text
}

fn operation_text(world: &World, operation: &Operation) -> String {
    let name = |instance: &InstanceId| world.instances[instance.index()].as_str();
    match operation {
        Operation::Register { instance } => format!("register {}", name(instance)),
        Operation::Renew { instance } => format!("renew {}", name(instance)),
        Operation::Deregister { instance } => format!("deregister {}", name(instance)),
        Operation::SetStatus { instance, status } => format!("set {} to {status}", name(instance)),
        Operation::SetOwnStatus { instance, status } => format!("{} is {status}", name(instance)),
        Operation::ClearStatus { instance, status: None } => {
            format!("clear the override of {}", name(instance))
        }
        Operation::ClearStatus { instance, status: Some(status) } => {
            format!("clear the override of {}, to {status}", name(instance))
        }
        Operation::LookUp { service, except: _ } => format!("look up {}", world.services[service.index()]),
        Operation::SetMetadata { instance, entries } => {
            let entries: Vec<String> = entries.iter().map(|(key, value)| format!("{key}={value}")).collect();
            format!("set {} of {}", entries.join(" "), world.instances[instance.index()])
        }
        Operation::SetHealth { instance, health } => {
            let name =
                Health::ALL.into_iter().find(|(_, known)| known == health).map_or("", |(name, _)| name);
            format!("health of {} is {name}", world.instances[instance.index()])
        }
        Operation::SetGroup { group, enabled } => {
            format!("{} group {group}", if *enabled { "enable" } else { "disable" })
        }
    }
}

fn few(names: &[&str]) -> String {
    match names.len() {
        0..=6 => names.join(", "),
        more => format!("{}, and {} more", names[..6].join(", "), more - 6),
    }
}

fn show_paths(world: &World, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let paths = &world.paths;
    let mut line = |name: &str, quality: &Quality| writeln!(f, "  {name:<24} {}", quality_text(quality));
    line("same-host", &paths.same_host)?;
    line("same-zone", &paths.same_zone)?;
    line("same-region", &paths.same_region)?;
    line("cross-region", &paths.cross_region)?;
    for (from, to, quality) in &paths.regions {
        line(&format!("{} -> {}", world.regions[from.index()], world.regions[to.index()]), quality)?;
    }
    for (from, to, quality) in &paths.zones {
        line(&format!("{} -> {}", world.zones[from.index()].name, world.zones[to.index()].name), quality)?;
    }
    for (from, to, quality) in paths.hosts.iter().take(20) {
        line(&format!("{} -> {}", world.hosts[from.index()].name, world.hosts[to.index()].name), quality)?;
    }
    match paths.hosts.len().saturating_sub(20) {
        0 => Ok(()),
        more => writeln!(f, "  and {more} more pairs of hosts"),
    }
}

fn quality_text(quality: &Quality) -> String {
    let Quality { latency, loss_ppm, burst, duplicate_ppm, reorder_ppm, bandwidth } = quality.clone();
    let above_zero = |ppm: u32| Some(ppm).filter(|ppm| *ppm > 0);
    change_text(&PathChange {
        latency: Some(latency),
        loss_ppm: above_zero(loss_ppm),
        burst,
        duplicate_ppm: above_zero(duplicate_ppm),
        reorder_ppm: above_zero(reorder_ppm),
        bandwidth,
    })
}

fn change_text(change: &PathChange) -> String {
    let mut parts = Vec::new();
    parts.extend(change.latency.as_ref().map(latency_text));
    let share =
        |name: &str, ppm: Option<u32>| ppm.map(|ppm| format!("{name} {}%", f64::from(ppm) / 10_000.0));
    let burst = change.burst.map_or_else(String::new, |burst| format!(" in bursts of {}", short(burst)));
    parts.extend(share("loss", change.loss_ppm).map(|loss| loss + &burst));
    parts.extend(share("duplication", change.duplicate_ppm));
    parts.extend(share("reordering", change.reorder_ppm));
    parts.extend(change.bandwidth.map(|bytes| format!("{bytes} B/s")));
    parts.join(", ")
}

/// A length, or a range of lengths.
fn span_text((low, high): (Duration, Duration)) -> String {
    if low == high { short(low) } else { format!("{}..{}", short(low), short(high)) }
}

fn latency_text(latency: &Latency) -> String {
    match latency {
        Latency::Fixed(fixed) => short(*fixed),
        Latency::Uniform(low, high) => format!("{}..{}", short(*low), short(*high)),
        Latency::Normal { mean, deviation, .. } => format!("normal {} ± {}", short(*mean), short(*deviation)),
        Latency::Lognormal { median, p99, floor } => {
            format!("lognormal median {} p99 {} floor {}", short(*median), short(*p99), short(*floor))
        }
        Latency::Pareto { floor, alpha_milli } => {
            format!("pareto from {} tail {}", short(*floor), f64::from(*alpha_milli) / 1000.0)
        }
        Latency::Quantiles(quantiles) => format!("{} quantiles", quantiles.len()),
    }
}

fn short(duration: Duration) -> String {
    crate::scenario::units::Shown(duration).to_string()
}
