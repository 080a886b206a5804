//! What each key of a file means: settings of the product go to the key tables, what Spring itself knows is taken over here,
//! all else is noted and left alone.
//!
//! Separate because it knows keys and nothing of files, profiles or placeholders.

use super::{Property, SpringConfig};
use crate::protocol::eureka::config::relaxed;
use crate::scenario::diagnostic::{Diagnostic, Severity, Source, Span, Spanned};
use crate::scenario::system::{self, Owner, Setting};
use crate::scenario::values;
use std::sync::Arc;
use std::time::Duration;

/// Takes over documents, the later over the earlier.
#[derive(Default)]
pub(super) struct Import {
    total: SpringConfig,
    /// `spring.cloud.loadbalancer.cache.enabled` and `.ttl`.
    cache_enabled: Option<bool>,
    cache_ttl: Option<Duration>,
    /// What the document says that is being taken over.
    document: SpringConfig,
    /// Netflix's client settings that count only if `eureka.eurekaServer.` has none of that name.
    common: Vec<Setting>,
    /// Whether this is the environment, where much stands that is no setting.
    environment: bool,
    pub(super) diagnostics: Vec<Diagnostic>,
}

impl Import {
    /// Takes over one document, its placeholders filled in. In the environment, what is no setting is passed over.
    pub(super) fn document(&mut self, properties: Vec<Property>, environment: bool) {
        self.environment = environment;
        properties.into_iter().for_each(|property| self.take(property));
        let document = std::mem::take(&mut self.document);
        let blocks = [
            (document.server, &mut self.total.server, Owner::Server),
            (document.client, &mut self.total.client, Owner::Client),
            (document.instance, &mut self.total.instance, Owner::Instance),
        ];
        for (settings, total, owner) in blocks {
            self.diagnostics.extend(settings.remarks(owner));
            total.overlay(settings, owner);
        }
        self.total.application = document.application.or(self.total.application.take());
        self.total.instance_id = document.instance_id.or(self.total.instance_id.take());
        self.total.port = document.port.or(self.total.port.take());
    }

    /// What all documents say.
    pub(super) fn finish(mut self) -> (SpringConfig, Vec<Diagnostic>) {
        for setting in std::mem::take(&mut self.common) {
            let wanted = relaxed(&setting.key);
            if self.total.client.0.iter().all(|better| relaxed(&better.key) != wanted) {
                self.diagnostics.extend(system::Settings(vec![setting.clone()]).remarks(Owner::Client));
                self.total.client.0.push(setting);
            }
        }
        self.total.balancer_cache = match self.cache_enabled {
            Some(false) => Some(Duration::ZERO),
            Some(true) | None => self.cache_ttl,
        };
        (self.total, self.diagnostics)
    }

    fn say(
        &mut self,
        source: &Arc<Source>,
        severity: Severity,
        span: Span,
        message: String,
        help: Option<String>,
    ) {
        self.diagnostics.push(Diagnostic { source: source.clone(), span, severity, message, help });
    }

    fn error(&mut self, source: &Arc<Source>, span: Span, message: String, help: impl Into<String>) {
        self.say(source, Severity::Error, span, message, Some(help.into()));
    }

    fn note(&mut self, source: &Arc<Source>, span: Span, message: String) {
        if !self.environment {
            self.say(source, Severity::Note, span, message, None);
        }
    }

    fn take(&mut self, property: Property) {
        let Property { source, key, value } = property;
        let segments: Vec<String> = key.split('.').map(relaxed).collect();
        let words: Vec<&str> = segments.iter().map(String::as_str).collect();
        match words.as_slice() {
            // A section of which all is commented out.
            ["eureka"] | ["eureka", "client" | "server" | "instance"] if value.value.is_empty() => {}
            ["spring", "application", "name"] => {
                self.document.application.get_or_insert(value);
            }
            ["spring", "application", "instanceid"] => self.document.instance_id = Some(value),
            ["server", "port"] => match values::port(&value) {
                Ok(port) => self.document.port = port.map(|port| Spanned::new(port, value.span)),
                Err((message, help)) => self.say(&source, Severity::Error, value.span, message, help),
            },
            ["spring", "cloud", "loadbalancer", "cache", "ttl"] => match millis(&value) {
                Some(ttl) => self.cache_ttl = Some(ttl),
                None => {
                    let message = format!("not a time: `{}`", value.value);
                    self.error(&source, value.span, message, "such as `35s` or `PT35S`");
                }
            },
            // On is as without it: how long entries live says the other key.
            ["spring", "cloud", "loadbalancer", "cache", "enabled"] => match relaxed(&value).as_str() {
                "false" => self.cache_enabled = Some(false),
                "true" => self.cache_enabled = Some(true),
                _ => {
                    let message = format!("not a flag: `{}`", value.value);
                    self.error(&source, value.span, message, "true or false");
                }
            },
            // Which documents count has been decided.
            ["spring", "profiles", ..] | ["spring", "config", ..] => {}
            ["eureka", "dashboard", ..] => {
                self.note(&source, key.span, format!("no effect in a simulation: `{}`", key.value));
            }
            ["eureka", "instance", "registry", _, ..] => {
                self.setting(&source, Owner::Server, after(&key, 3), value)
            }
            ["eureka", "server", ..] => self.setting(&source, Owner::Server, after(&key, 2), value),
            // Netflix spells some client keys `eureka.client.refresh.interval`, Spring all of them `eureka.client.x`.
            ["eureka", "client", ..] => {
                let netflix = after(&key, 1);
                let found = Owner::Client.keys().iter().find_map(|known| known.matches(&netflix));
                match found.is_some_and(|found| found.netflix) {
                    true => self.setting(&source, Owner::Client, after(&key, 1), value),
                    false => self.setting(&source, Owner::Client, after(&key, 2), value),
                }
            }
            ["eureka", "instance", ..] => self.setting(&source, Owner::Instance, after(&key, 2), value),
            ["eureka", common @ ("domainname" | "context")] => {
                let key = Spanned::new(
                    format!("eurekaServer.{}", if *common == "context" { "context" } else { "domainName" }),
                    key.span,
                );
                self.common.push(Setting { source, key, value });
            }
            ["eureka", ..] => self.netflix(&source, after(&key, 1), value),
            _ => self.note(&source, key.span, format!("not about the registry, left alone: `{}`", key.value)),
        }
    }

    fn setting(&mut self, source: &Arc<Source>, owner: Owner, key: Spanned<String>, value: Spanned<String>) {
        if self.environment && owner.find(&key).is_none() {
            return;
        }
        let settings = match owner {
            Owner::Server => &mut self.document.server,
            Owner::Client => &mut self.document.client,
            Owner::Instance | Owner::Fixes => &mut self.document.instance,
        };
        settings.0.push(Setting { source: source.clone(), key, value });
    }

    /// A key of a Netflix file, where all owners share one prefix, and some a key.
    fn netflix(&mut self, source: &Arc<Source>, key: Spanned<String>, value: Spanned<String>) {
        let owners = [Owner::Server, Owner::Client, Owner::Instance];
        let mut known = false;
        for owner in owners {
            let found = owner.keys().iter().find_map(|known| known.matches(&key));
            if found.is_some_and(|found| found.netflix) {
                self.setting(source, owner, key.clone(), value.clone());
                known = true;
            }
        }
        if !known && !self.environment {
            let names = owners.iter().flat_map(|owner| owner.keys().iter().map(|key| key.netflix));
            let help = system::help_for(&key, names.filter(|name| !name.is_empty()));
            let message = format!("unknown setting: `eureka.{}`", key.value);
            self.error(source, key.span, message, help);
        }
    }
}

/// A key without its first segments; the place stays that of the whole key.
fn after(key: &Spanned<String>, segments: usize) -> Spanned<String> {
    let rest = key.splitn(segments + 1, '.').nth(segments).unwrap_or("");
    Spanned::new(rest.to_owned(), key.span)
}

/// A time as Spring Boot reads it: with a unit, in the form of ISO 8601 up to hours, or in milliseconds.
fn millis(text: &str) -> Option<Duration> {
    let text = text.trim().to_ascii_lowercase();
    let text = text.strip_prefix("pt").unwrap_or(&text);
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let worth = match unit {
        "" | "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    Some(Duration::from_millis(number.parse::<u64>().ok()?.checked_mul(worth)?))
}
