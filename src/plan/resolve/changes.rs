//! Settings that change while processes run: new settings of a process on top of those that it has by then.
//!
//! Separate from the schedule because it is about keys: which are looked at again while a process runs, and which have to be
//! resolved as those at the start are. A key that counts only at the start is a mistake: the step would do nothing.

use super::Resolver;
use crate::plan::world::Fault;
use crate::protocol::NodeId;
use crate::protocol::eureka;
use crate::scenario::selector::Who;
use crate::scenario::system::{Owner, Setting, Settings};
use std::sync::Arc;

/// Keys of servers that count only when one starts: what is built then, and intervals of its timers.
const AT_START_OF_SERVER: [&str; 18] = [
    "asg-cache-expiry-timeout-ms",
    "asg-update-interval-ms",
    "delta-retention-timer-interval-in-ms",
    "eviction-interval-timer-in-ms",
    "expected-number-of-clients-sending-renews",
    "peer-eureka-nodes-update-interval-ms",
    "peer-node-connection-idle-timeout-seconds",
    "peer-node-total-connections",
    "peer-node-total-connections-per-host",
    "prime-aws-replica-connections",
    "remote-region-connection-idle-timeout-seconds",
    "remote-region-total-connections",
    "remote-region-total-connections-per-host",
    "remote-region-urls-with-name.*",
    "renewal-threshold-update-interval-ms",
    "response-cache-auto-expiration-in-seconds",
    "response-cache-update-interval-ms",
    "use-read-only-response-cache",
];

/// Keys of clients that count only when one is built, or when the scenario is read (where its servers are).
const AT_START_OF_CLIENT: [&str; 15] = [
    "availability-zones.*",
    "backup-registry-impl",
    "eureka-connection-idle-timeout-seconds",
    "eureka-server-d-n-s-name",
    "eureka-server-port",
    "eureka-server-total-connections",
    "eureka-server-total-connections-per-host",
    "fetch-registry",
    "healthcheck.enabled",
    "initial-instance-info-replication-interval-seconds",
    "region",
    "register-with-eureka",
    "service-url.*",
    "should-enforce-fetch-registry-at-init",
    "should-enforce-registration-at-init",
];

/// The keys of instances that are looked at again; all else is said once, at construction.
const AT_RUN_TIME_OF_INSTANCE: [&str; 2] =
    ["lease-expiration-duration-in-seconds", "lease-renewal-interval-in-seconds"];

impl Resolver<'_> {
    /// New settings of servers, on top of those that they have by then: steps are resolved in order of time.
    pub(super) fn set(&mut self, who: &Who, settings: &Settings) -> Vec<Fault> {
        self.refuse_fixed(Owner::Server, settings, |key| AT_START_OF_SERVER.contains(&key));
        let lists = settings.of(super::settings::key_of(Owner::Server, "remote-region-app-whitelist.*"));
        let lists: Vec<_> =
            lists.filter_map(|(found, setting)| Some((found.name?, self.services_of(setting)))).collect();
        let mut faults = Vec::new();
        for process in self.servers_of(who).unwrap_or_default() {
            self.refuse_unordered(process, who);
            let eureka::Config::Server(mut node) = (*self.current(process)).clone() else { continue };
            let server = Arc::make_mut(&mut node.server);
            for setting in &settings.0 {
                // A setting that was refused has been reported when it was read.
                let _ = server.set(&setting.key, &setting.value);
            }
            server.guard(self.scenario.system.profile);
            node.allow(&lists);
            faults.push(self.reconfigured(process, eureka::Config::Server(node)));
        }
        faults
    }

    /// New settings of clients, those inside servers too, and of what they register.
    pub(super) fn set_client(&mut self, who: &Who, client: &Settings, instance: &Settings) -> Vec<Fault> {
        self.refuse_fixed(Owner::Client, client, |key| AT_START_OF_CLIENT.contains(&key));
        self.refuse_fixed(Owner::Instance, instance, |key| !AT_RUN_TIME_OF_INSTANCE.contains(&key));
        let mut faults = Vec::new();
        for process in self.processes_of(who).unwrap_or_default() {
            self.refuse_unordered(process, who);
            let mut config = (*self.current(process)).clone();
            let node = config.client_mut();
            let settings = Arc::make_mut(&mut node.client);
            for setting in &client.0 {
                let _ = settings.set(&setting.key, &setting.value);
            }
            if let Some(registration) = &mut node.instance {
                let settings = Arc::make_mut(&mut registration.instance);
                for setting in &instance.0 {
                    let _ = settings.set(&setting.key, &setting.value);
                }
            } else if !instance.0.is_empty() {
                let message =
                    format!("this process registers nothing: `{}`", self.processes[process.index()].name);
                self.error(who.span, message, Some("`register-with-eureka` is false for it".to_owned()));
            }
            faults.push(self.reconfigured(process, config));
        }
        faults
    }

    /// Settings build on those before, so which change comes first must be known.
    fn refuse_unordered(&mut self, process: NodeId, who: &Who) {
        let earlier = self.steps.iter().find(|step| {
            matches!(step.fault, Fault::Reconfigure { process: of, .. } if of == process)
                && step.trigger != self.base
        });
        if earlier.is_some() {
            let name = &self.processes[process.index()].name;
            let message = format!("which change of the settings of `{name}` comes first is not known");
            self.error(who.span, message, Some("one that waits for something is the only one".to_owned()));
        }
    }

    /// What a process is told by then.
    fn current(&self, process: NodeId) -> Arc<eureka::Config> {
        let earlier = self.steps.iter().rev().find_map(|step| match &step.fault {
            Fault::Reconfigure { process: of, config } if *of == process => Some(*config as usize),
            _ => None,
        });
        Arc::clone(&self.configs[earlier.unwrap_or(process.index())])
    }

    fn reconfigured(&mut self, process: NodeId, to: eureka::Config) -> Fault {
        let config = self.configs.len() as u32;
        self.configs.push(Arc::new(to));
        Fault::Reconfigure { process, config }
    }

    fn refuse_fixed(&mut self, owner: Owner, settings: &Settings, fixed: impl Fn(&str) -> bool) {
        let key = |setting: &Setting| owner.keys().iter().find_map(|known| known.matches(&setting.key));
        for setting in &settings.0 {
            if key(setting).is_some_and(|found| found.key.inert.is_none() && fixed(found.key.shown())) {
                let message = format!("counts only at the start: `{}`", setting.key.value);
                let help = Some("write it where the process is described".to_owned());
                self.diagnostics.push(setting.bad_key(message, help));
            }
        }
    }
}

#[cfg(test)]
mod tests;
