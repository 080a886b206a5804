//! Settings that change while processes run: new settings of a process on top of those that it has by then.
//!
//! Separate from the schedule because it is about keys: which are looked at again while a process runs, and which have to be
//! resolved as those at the start are. A key that counts only at the start is a mistake: the step would do nothing.
//!
//! Where servers are is resolved again from all that is known of it by then, as at the start; when the process notices is its own
//! affair. What a client calls its own zone, and which regions are others', stays as it was when it was built.

use super::registries::{Known, Registries};
use super::settings::{Layers, key_of};
use super::{Named, Resolver};
use crate::plan::world::Fault;
use crate::protocol::NodeId;
use crate::protocol::eureka;
use crate::protocol::eureka::config::{ClientConfig, OnChange};
use crate::scenario::diagnostic::{Severity, Span, Spanned};
use crate::scenario::fleet::{Server, Service};
use crate::scenario::selector::{Selector, Who};
use crate::scenario::system::{Owner, Settings};
use crate::scenario::timeline::Change;
use std::sync::Arc;

/// The keys that decide where servers are.
const PLACES: [&str; 6] = [
    "availability-zones.*",
    "eureka-server-d-n-s-name",
    "eureka-server-port",
    "region",
    "service-url.*",
    "use-dns-for-fetching-service-urls",
];

/// What steps have told a process so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Told<'s> {
    /// What it goes by: an index into the plan's settings.
    config: Option<u32>,
    /// Settings of its client, in order of time.
    client: Vec<&'s Settings>,
    /// Who says where its servers are.
    servers: Servers<'s>,
}

#[derive(Clone, Copy, Debug, Default)]
enum Servers<'s> {
    /// The same as at the start.
    #[default]
    AsAtStart,
    /// A list of names.
    Listed(&'s [Spanned<String>]),
    /// The product's settings.
    Configured,
}

impl<'s> Told<'s> {
    /// Takes in a step.
    fn hear(&mut self, change: &'s Change) {
        if !change.client.0.is_empty() {
            self.client.push(&change.client);
        }
        if let Some(known) = &change.known {
            self.servers = Servers::Listed(&known.value);
        } else if says(&change.client, "service-url.*") || uses_dns(&change.client) {
            self.servers = Servers::Configured;
        }
    }

    /// Whether both have heard the same steps.
    fn same_as(&self, other: &Told<'s>) -> bool {
        let same_list = match (self.servers, other.servers) {
            (Servers::Listed(one), Servers::Listed(other)) => std::ptr::eq(one, other),
            (Servers::AsAtStart, Servers::AsAtStart) | (Servers::Configured, Servers::Configured) => true,
            (Servers::AsAtStart | Servers::Listed(_) | Servers::Configured, _) => false,
        };
        let pairs = || self.client.iter().zip(&other.client);
        same_list
            && self.client.len() == other.client.len()
            && pairs().all(|(one, other)| std::ptr::eq(*one, *other))
    }
}

fn says(settings: &Settings, key: &str) -> bool {
    settings.of(key_of(Owner::Client, key)).next().is_some()
}

/// Whether servers are to come from DNS, which wins over service URLs.
fn uses_dns(settings: &Settings) -> bool {
    let key = key_of(Owner::Client, "use-dns-for-fetching-service-urls");
    // What is no flag has been reported when it was read.
    let mut switch = ClientConfig::defaults(eureka::config::Profile::SpringCloud);
    settings.of(key).any(|(_, setting)| switch.set(&setting.key, &setting.value).is_ok() && switch.use_dns)
}

/// A process as the scenario has it.
#[derive(Clone, Copy)]
enum Written<'s> {
    Server(&'s Server),
    Service(&'s Service),
}

/// What one step makes of the clients of a service: instances that were told the same are told the same again.
struct Made<'s> {
    of: &'s Service,
    before: Told<'s>,
    client: Arc<ClientConfig>,
    registries: Option<Registries>,
}

impl<'s> Resolver<'s> {
    /// New settings, on top of those that processes have by then: steps are resolved in order of time.
    pub(super) fn set(&mut self, change: &'s Change) -> Vec<Fault> {
        let blocks = [
            (Owner::Server, &change.server),
            (Owner::Client, &change.client),
            (Owner::Instance, &change.instance),
        ];
        blocks.into_iter().for_each(|(owner, settings)| self.look_at(owner, settings));
        let urls = || change.client.of(key_of(Owner::Client, "service-url.*")).next();
        if let Some((_, second)) = change.known.as_ref().and_then(|_| urls()) {
            let help = Some("leave one out".to_owned());
            self.diagnostics.push(second.bad_key("two lists of servers for one process", help));
        }
        let lists = change.server.of(key_of(Owner::Server, "remote-region-app-whitelist.*"));
        let lists: Vec<_> =
            lists.filter_map(|(found, setting)| Some((found.name?, self.services_of(setting)))).collect();
        let processes =
            if change.of_servers { self.servers_of(&change.who) } else { self.processes_of(&change.who) };
        let mut faults = Vec::new();
        let mut made = None;
        for process in processes.unwrap_or_default() {
            self.refuse_unordered(process, change.who.span);
            let mut config = (*self.current(process)).clone();
            if let eureka::Config::Server(node) = &mut config
                && !change.server.0.is_empty()
            {
                let server = Arc::make_mut(&mut node.server);
                each(&change.server, |key, value| server.set(key, value).is_ok());
                server.guard(self.scenario.system.profile);
                node.allow(&lists);
            }
            self.set_client(process, change, &mut config, &mut made);
            if !change.instance.0.is_empty() {
                match &mut config.client_mut().instance {
                    Some(registration) => {
                        let instance = Arc::make_mut(&mut registration.instance);
                        each(&change.instance, |key, value| instance.set(key, value).is_ok());
                    }
                    None => {
                        let name = &self.processes[process.index()].name;
                        let message = format!("this process registers nothing: `{name}`");
                        let help = "`register-with-eureka` is false for it".to_owned();
                        self.error(change.who.span, message, Some(help));
                    }
                }
            }
            faults.push(self.reconfigured(process, config));
        }
        faults
    }

    /// New settings of a client, and where its servers are by them.
    fn set_client(
        &mut self,
        process: NodeId,
        change: &'s Change,
        config: &mut eureka::Config,
        made: &mut Option<Made<'s>>,
    ) {
        let moves = change.known.is_some() || PLACES.into_iter().any(|key| says(&change.client, key));
        if change.client.0.is_empty() && !moves {
            return;
        }
        let before = self.told.get(&process).cloned().unwrap_or_default();
        let mut after = before.clone();
        after.hear(change);
        let written = self.written(process);
        let node = config.client_mut();
        match (&*made, written) {
            (Some(known), Written::Service(of))
                if std::ptr::eq(known.of, of)
                    && known.before.same_as(&before)
                    // In AWS each instance has a zone of its own.
                    && !self.scenario.system.cloud =>
            {
                node.client = Arc::clone(&known.client);
                if let Some(registries) = &known.registries {
                    registries.clone().tell(node);
                }
            }
            _ => {
                let client = Arc::make_mut(&mut node.client);
                each(&change.client, |key, value| client.set(key, value).is_ok());
                let registries = moves.then(|| self.registries_by(process, &after, &node.client));
                if let Some(registries) = &registries {
                    registries.clone().tell(node);
                }
                if let Written::Service(of) = written {
                    *made = Some(Made { of, before, client: Arc::clone(&node.client), registries });
                }
            }
        }
        self.told.insert(process, after);
    }

    /// Where the servers of a process are, by all that it has been told.
    fn registries_by(&mut self, process: NodeId, told: &Told<'s>, client: &ClientConfig) -> Registries {
        let scenario = self.scenario;
        let (at_start, mut layers, ordered) = match self.written(process) {
            Written::Server(server) => (server.peers.as_deref(), Layers::of_server(scenario, server), false),
            Written::Service(service) => {
                (service.servers.as_deref(), Layers::of_service(scenario, service), true)
            }
        };
        layers.change_client(&told.client);
        let written = match told.servers {
            Servers::AsAtStart => at_start,
            Servers::Listed(list) => Some(list),
            Servers::Configured => None,
        };
        let first = Arc::clone(&self.configs[process.index()]);
        let aws_zone = self.aws_zone(process);
        self.registries(&Known {
            written,
            ordered,
            but: (!ordered).then_some(process),
            block: &Settings::default(),
            layers: &layers,
            client,
            aws_zone: aws_zone.as_deref(),
            built: Some((&first.client().client.region, &first.client().zone)),
        })
    }

    fn written(&self, process: NodeId) -> Written<'s> {
        let scenario = self.scenario;
        if let Some(server) = scenario.servers.get(process.index()) {
            return Written::Server(server);
        }
        let has = |service: &&Service| match self.names.get(&service.name.value) {
            Some(Named::Service(nodes)) => nodes.binary_search(&process).is_ok(),
            _ => false,
        };
        Written::Service(scenario.services.iter().find(has).expect("a process is of a server or a service"))
    }

    /// A record in DNS changes. Whoever asks for it finds other servers the next time.
    pub(super) fn set_record(&mut self, name: &Spanned<String>, names: &'s Who) -> Vec<Fault> {
        let Some(names) = self.names_in(names) else { return Vec::new() };
        let Some(record) = self.records.iter_mut().find(|(known, _)| *known == name.value) else {
            return Vec::new();
        };
        record.1 = names;
        let mut faults = Vec::new();
        for process in (0..self.processes.len() as u32).map(NodeId) {
            let before = self.current(process);
            if !before.client().client.use_dns {
                continue;
            }
            let told = self.told.get(&process).cloned().unwrap_or_default();
            let registries = self.registries_by(process, &told, &before.client().client);
            let mut config = (*before).clone();
            registries.tell(config.client_mut());
            if config != *before {
                faults.push(self.reconfigured(process, config));
            }
        }
        faults
    }

    /// The names that a record lists.
    fn names_in(&mut self, who: &Who) -> Option<Vec<Spanned<String>>> {
        let parts = match &who.value {
            Selector::Union(parts) => parts.as_slice(),
            _ => std::slice::from_ref(who),
        };
        let name = |part: &Who| match &part.value {
            Selector::Name(name) => Some(Spanned::new(name.clone(), part.span)),
            _ => None,
        };
        match parts.iter().map(name).collect() {
            Some(names) => Some(names),
            None => self.refuse(who.span, "a record in DNS lists names", "such as `[peer1, peer2]`"),
        }
    }

    /// Settings build on those before, so which change comes first must be known.
    fn refuse_unordered(&mut self, process: NodeId, span: Span) {
        if *self.told_after.entry(process).or_insert(self.base) != self.base {
            let name = &self.processes[process.index()].name;
            let message = format!("which change of the settings of `{name}` comes first is not known");
            self.error(span, message, Some("one that waits for something is the only one".to_owned()));
        }
    }

    /// What a process is told by then.
    fn current(&self, process: NodeId) -> Arc<eureka::Config> {
        let config = self.told.get(&process).and_then(|told| told.config);
        Arc::clone(&self.configs[config.map_or(process.index(), |config| config as usize)])
    }

    fn reconfigured(&mut self, process: NodeId, to: eureka::Config) -> Fault {
        let config = self.configs.len() as u32;
        self.configs.push(Arc::new(to));
        self.told.entry(process).or_default().config = Some(config);
        Fault::Reconfigure { process, config }
    }

    /// Refuses keys that count only at the start, and says of others that they do not count for all that they stand for.
    fn look_at(&mut self, owner: Owner, settings: &Settings) {
        for setting in &settings.0 {
            let Some(found) = owner.find(&setting.key).filter(|found| found.key.inert.is_none()) else {
                continue;
            };
            let key = &setting.key.value;
            match found.key.on_change {
                OnChange::NextUse | OnChange::Later(_) => {}
                OnChange::Partly(when) => {
                    let message = format!("counts in part: `{key}` ({when})");
                    self.notes.push(setting.remark(Severity::Note, setting.key.span, message, None));
                }
                OnChange::Never(why) => {
                    let message = format!("counts only at the start: `{key}`");
                    let help = Some(format!("{why}: write it where the process is described"));
                    self.diagnostics.push(setting.bad_key(message, help));
                }
            }
        }
    }
}

impl Registries {
    /// Tells a client.
    pub(super) fn tell(self, node: &mut eureka::node::ClientNode) {
        (node.zone, node.service_urls, node.remote_zones) = (self.zone, self.urls, self.remote_zones);
    }
}

/// A setting that was refused has been reported when it was read, and there will be no plan: here it is passed over.
fn each(settings: &Settings, mut set: impl FnMut(&str, &str) -> bool) {
    for setting in &settings.0 {
        set(&setting.key, &setting.value);
    }
}

#[cfg(test)]
mod tests;
