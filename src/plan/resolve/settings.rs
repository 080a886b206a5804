//! Layers of product settings, from the general to the special, into the typed settings of one process.
//!
//! Separate because the order of the layers is a rule that users rely on: the profile's defaults, the scenario's `system`, the
//! imported file, the server or service itself, the command line.

use crate::protocol::eureka::config::{
    ClientConfig, Fixes, Found, InstanceConfig, Key, Profile, ServerConfig,
};
use crate::scenario::Scenario;
use crate::scenario::fleet::{Server, Service};
use crate::scenario::spring::SpringConfig;
use crate::scenario::system::{Owner, Setting, Settings};

/// All settings that concern one process; each later layer wins.
pub(super) struct Layers<'s> {
    profile: Profile,
    server: Vec<&'s Settings>,
    client: Vec<&'s Settings>,
    instance: Vec<&'s Settings>,
    fixes: Vec<&'s Settings>,
}

impl<'s> Layers<'s> {
    /// Those of a server.
    pub(super) fn of_server(scenario: &'s Scenario, server: &'s Server) -> Layers<'s> {
        let mut layers = Layers::below(scenario, server.imported.as_ref());
        layers.server.push(&server.server);
        layers.client.push(&server.client);
        layers.instance.push(&server.instance);
        layers.fixes.push(&server.fixes);
        layers
    }

    /// Those of the instances of a service.
    pub(super) fn of_service(scenario: &'s Scenario, service: &'s Service) -> Layers<'s> {
        let mut layers = Layers::below(scenario, service.imported.as_ref());
        layers.client.push(&service.client);
        layers.instance.push(&service.instance);
        layers.fixes.push(&service.fixes);
        layers
    }

    fn below(scenario: &'s Scenario, imported: Option<&'s SpringConfig>) -> Layers<'s> {
        let system = &scenario.system;
        let mut layers = Layers {
            profile: system.profile,
            server: vec![&system.server],
            client: vec![&system.client],
            instance: vec![&system.instance],
            fixes: vec![&system.fixes],
        };
        if let Some(imported) = imported {
            layers.server.push(&imported.server);
            layers.client.push(&imported.client);
            layers.instance.push(&imported.instance);
        }
        layers
    }

    /// Adds settings of the client that were changed at run time, which win over those at the start.
    pub(super) fn change_client(&mut self, later: &[&'s Settings]) {
        self.client.extend(later);
    }

    pub(super) fn server(&self) -> ServerConfig {
        let mut config = ServerConfig::defaults(self.profile);
        if self.client().register_with_eureka {
            config.registry_sync_retries = ServerConfig::SYNC_RETRIES_OF_REGISTERING;
        }
        each(&self.server, |key, value| config.set(key, value).is_ok());
        config.guard(self.profile);
        config
    }

    pub(super) fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::defaults(self.profile);
        each(&self.client, |key, value| config.set(key, value).is_ok());
        config
    }

    pub(super) fn instance(&self) -> InstanceConfig {
        let mut config = InstanceConfig::defaults(self.profile);
        each(&self.instance, |key, value| config.set(key, value).is_ok());
        config
    }

    pub(super) fn fixes(&self) -> Fixes {
        let mut fixes = Fixes::defaults(self.profile);
        each(&self.fixes, |key, value| fixes.set(key, value).is_ok());
        fixes
    }

    /// All settings, as far as they exist, and whose they are.
    pub(super) fn all(&self) -> impl Iterator<Item = (Owner, Found, &'s Setting)> {
        let blocks =
            [(Owner::Server, &self.server), (Owner::Client, &self.client), (Owner::Instance, &self.instance)];
        blocks.into_iter().flat_map(|(owner, layers)| {
            layers.iter().flat_map(|layer| &layer.0).filter_map(move |setting| {
                let found = owner.keys().iter().find_map(|key| key.matches(&setting.key))?;
                Some((owner, found, setting))
            })
        })
    }

    /// Where a key was written: of each of its names the setting that counts, names in the order first written.
    pub(super) fn written(&self, owner: Owner, key: &str) -> Vec<(Found, &'s Setting)> {
        let layers = match owner {
            Owner::Server => &self.server,
            Owner::Client => &self.client,
            Owner::Instance => &self.instance,
            Owner::Fixes => &self.fixes,
        };
        let mut written: Vec<(Found, &Setting)> = Vec::new();
        for (found, setting) in layers.iter().flat_map(|layer| layer.of(key_of(owner, key))) {
            match written.iter_mut().find(|(other, _)| other.same_as(&found)) {
                Some(earlier) => *earlier = (found, setting),
                None => written.push((found, setting)),
            }
        }
        written
    }

    /// Where a key without names was written last.
    pub(super) fn last(&self, owner: Owner, key: &str) -> Option<&'s Setting> {
        self.written(owner, key).pop().map(|(_, setting)| setting)
    }
}

/// A key of the tables.
pub(super) fn key_of(owner: Owner, shown: &str) -> &'static Key {
    let found = owner.keys().iter().find(|key| key.shown() == shown);
    found.unwrap_or_else(|| panic!("{owner:?} has a key {shown}"))
}

/// A setting that was refused has been reported when it was read, and there will be no plan: here it is passed over.
fn each(layers: &[&Settings], mut set: impl FnMut(&str, &str) -> bool) {
    for setting in layers.iter().flat_map(|layer| &layer.0) {
        set(&setting.key, &setting.value);
    }
}
