//! Real Spring Boot files: `.properties` and `application.yml`, as people write them.
//!
//! Separate because the rules are Spring's, not ours: relaxed binding of keys, placeholders, comma lists. What concerns the
//! registry is taken over with its place in the file; keys of the registry that do not exist are mistakes; all other keys are
//! noted and left alone. What is a setting of the product goes to the key tables; only what Spring itself knows stands here.
//! Deliberately left out: profiles, imports of other files, environment variables, encrypted values.

mod properties;

use super::ReadFile;
use super::diagnostic::{Diagnostic, Severity, Source, Span, Spanned};
use super::fleet::{Server, Service};
use super::read::Reader;
use super::system::{self, Owner, Setting, Settings};
use super::{tree, values};
use crate::protocol::eureka::config::relaxed;
use std::sync::Arc;
use std::time::Duration;

/// What a Spring Boot file says about one process.
#[derive(Clone, Debug, Default)]
pub struct SpringConfig {
    /// `spring.application.name`.
    pub application: Option<Spanned<String>>,
    /// `spring.application.instance_id`, which stands in a made-up instance id in place of the port.
    pub instance_id: Option<Spanned<String>>,
    /// `server.port`.
    pub port: Option<Spanned<u16>>,
    /// Life of the balancer's cache (`spring.cloud.loadbalancer.cache.*`); zero if it is off.
    pub balancer_cache: Option<Duration>,
    /// `eureka.server.*` and `eureka.instance.registry.*`.
    pub server: Settings,
    /// `eureka.client.*`.
    pub client: Settings,
    /// `eureka.instance.*`.
    pub instance: Settings,
    /// The file.
    pub source: Option<Arc<Source>>,
}

/// One key of a file, its value with placeholders filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property {
    /// As written, but for `[x]`, which becomes `.x`.
    pub key: Spanned<String>,
    /// As written.
    pub value: Spanned<String>,
}

/// Reads the files that servers and services name, and puts what they say beside them. A file named twice is read twice.
pub fn import_all(
    reader: &mut Reader,
    servers: &mut [Server],
    services: &mut [Service],
    read_file: ReadFile<'_>,
) {
    for server in servers {
        if let Some(path) = &server.config {
            server.imported = import(reader, path, read_file);
        }
    }
    for service in services {
        if let Some(path) = &service.config {
            service.imported = import(reader, path, read_file);
        }
    }
}

fn import(reader: &mut Reader, path: &Spanned<String>, read_file: ReadFile<'_>) -> Option<SpringConfig> {
    let bytes = match read_file(path) {
        Ok(bytes) => bytes,
        Err(reason) => {
            let help = "the path is relative to the scenario";
            return reader.refuse(path.span, format!("`{}` cannot be read: {reason}", path.value), help);
        }
    };
    let read = super::text_of(path, &bytes).and_then(|source| read(&source));
    match read {
        Ok((config, notes)) => {
            reader.diagnostics.extend(notes);
            Some(config)
        }
        Err(diagnostics) => {
            reader.diagnostics.extend(diagnostics);
            None
        }
    }
}

/// Reads one file: YAML if its name says so, else properties.
///
/// # Errors
/// All mistakes in it. Notes come with the result.
pub fn read(source: &Arc<Source>) -> Result<(SpringConfig, Vec<Diagnostic>), Vec<Diagnostic>> {
    let is_yaml = source.name.ends_with(".yml") || source.name.ends_with(".yaml");
    let properties = match is_yaml {
        true => from_yaml(source)?,
        false => properties::parse(source)?,
    };
    let mut import = Import {
        source,
        config: SpringConfig { source: Some(source.clone()), ..SpringConfig::default() },
        common: Vec::new(),
        diagnostics: Vec::new(),
    };
    let filled = import.fill_placeholders(properties);
    filled.into_iter().for_each(|property| import.take(property));
    import.finish()
}

fn from_yaml(source: &Arc<Source>) -> Result<Vec<Property>, Vec<Diagnostic>> {
    let root = tree::parse(source)?;
    let mut reader = Reader::new(source.clone());
    let mut settings = Settings::default();
    settings.flatten(&mut reader, "", &root);
    match reader.diagnostics.is_empty() {
        true => {
            Ok(settings.0.into_iter().map(|Setting { key, value, .. }| Property { key, value }).collect())
        }
        false => Err(reader.diagnostics),
    }
}

struct Import<'a> {
    source: &'a Arc<Source>,
    config: SpringConfig,
    /// Netflix's client settings that count only if `eureka.eurekaServer.` has none of that name.
    common: Vec<Setting>,
    diagnostics: Vec<Diagnostic>,
}

/// How deep placeholders may refer to each other.
const MAX_PLACEHOLDER_DEPTH: usize = 16;
/// How long a value may become.
const MAX_VALUE: usize = 64 * 1024;

impl Import<'_> {
    fn say(&mut self, severity: Severity, span: Span, message: String, help: Option<String>) {
        self.diagnostics.push(Diagnostic { source: self.source.clone(), span, severity, message, help });
    }

    fn error(&mut self, span: Span, message: String, help: impl Into<String>) {
        self.say(Severity::Error, span, message, Some(help.into()));
    }

    fn note(&mut self, span: Span, message: String) {
        self.say(Severity::Note, span, message, None);
    }

    /// Replaces `${key}` and `${key:default}`, from the file itself.
    fn fill_placeholders(&mut self, properties: Vec<Property>) -> Vec<Property> {
        let mut filled = Vec::new();
        for property in &properties {
            match fill(&property.value, &properties, 0) {
                Ok(value) => {
                    let value = Spanned::new(value, property.value.span);
                    filled.push(Property { key: property.key.clone(), value });
                }
                // Other parts of the application may get theirs from anywhere; only what we read must be known.
                Err(_) if !concerns_us(&property.key) => filled.push(property.clone()),
                Err(message) => {
                    let help = "a default helps: `${KEY:value}`; the environment is not looked at";
                    self.error(property.value.span, message, help);
                }
            }
        }
        filled
    }

    fn take(&mut self, property: Property) {
        let Property { key, value } = property;
        let segments: Vec<String> = key.split('.').map(relaxed).collect();
        let words: Vec<&str> = segments.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["spring", "application", "name"] => {
                self.config.application.get_or_insert(value);
            }
            ["spring", "application", "instanceid"] => self.config.instance_id = Some(value),
            ["server", "port"] => match values::port(&value) {
                Ok(port) => self.config.port = port.map(|port| Spanned::new(port, value.span)),
                Err((message, help)) => self.say(Severity::Error, value.span, message, help),
            },
            ["spring", "cloud", "loadbalancer", "cache", "ttl"] => match millis(&value) {
                Some(ttl) => {
                    self.config.balancer_cache.get_or_insert(ttl);
                }
                None => {
                    self.error(
                        value.span,
                        format!("not a time: `{}`", value.value),
                        "such as `35s` or `PT35S`",
                    );
                }
            },
            ["spring", "cloud", "loadbalancer", "cache", "enabled"] => {
                // On is as without it: how long entries live says the other key.
                match relaxed(&value).as_str() {
                    "false" => self.config.balancer_cache = Some(Duration::ZERO),
                    "true" => {}
                    _ => {
                        self.error(value.span, format!("not a flag: `{}`", value.value), "true or false");
                    }
                }
            }
            ["eureka", "dashboard", ..] => {
                self.note(key.span, format!("no effect in a simulation: `{}`", key.value));
            }
            ["eureka", "instance", "registry", _] => self.setting(Owner::Server, after(&key, 3), value),
            ["eureka", "server", ..] => self.setting(Owner::Server, after(&key, 2), value),
            // Netflix spells some client keys `eureka.client.refresh.interval`, Spring all of them `eureka.client.x`.
            ["eureka", "client", ..] => {
                let netflix = after(&key, 1);
                let found = Owner::Client.keys().iter().find_map(|known| known.matches(&netflix));
                match found.is_some_and(|found| found.netflix) {
                    true => self.setting(Owner::Client, after(&key, 1), value),
                    false => self.setting(Owner::Client, after(&key, 2), value),
                }
            }
            ["eureka", "instance", ..] => self.setting(Owner::Instance, after(&key, 2), value),
            ["eureka", common @ ("domainname" | "context")] => {
                let key = Spanned::new(
                    format!("eurekaServer.{}", if *common == "context" { "context" } else { "domainName" }),
                    key.span,
                );
                self.common.push(Setting { source: self.source.clone(), key, value });
            }
            ["eureka", ..] => self.netflix(after(&key, 1), value),
            _ => self.note(key.span, format!("not about the registry, left alone: `{}`", key.value)),
        }
    }

    fn setting(&mut self, owner: Owner, key: Spanned<String>, value: Spanned<String>) {
        let settings = match owner {
            Owner::Server => &mut self.config.server,
            Owner::Client => &mut self.config.client,
            Owner::Instance | Owner::Fixes => &mut self.config.instance,
        };
        settings.0.push(Setting { source: self.source.clone(), key, value });
    }

    /// A key of a Netflix file, where all owners share one prefix, and some a key.
    fn netflix(&mut self, key: Spanned<String>, value: Spanned<String>) {
        let owners = [Owner::Server, Owner::Client, Owner::Instance];
        let mut known = false;
        for owner in owners {
            let found = owner.keys().iter().find_map(|known| known.matches(&key));
            if found.is_some_and(|found| found.netflix) {
                self.setting(owner, key.clone(), value.clone());
                known = true;
            }
        }
        if !known {
            let names = owners.iter().flat_map(|owner| owner.keys().iter().map(|key| key.netflix));
            let help = system::help_for(&key, names.filter(|name| !name.is_empty()));
            self.say(
                Severity::Error,
                key.span,
                format!("unknown setting: `eureka.{}`", key.value),
                Some(help),
            );
        }
    }

    /// Takes the settings below Netflix's common prefix for which there is nothing better.
    fn take_common(&mut self) {
        for setting in std::mem::take(&mut self.common) {
            let wanted = relaxed(&setting.key);
            if self.config.client.0.iter().all(|better| relaxed(&better.key) != wanted) {
                self.config.client.0.push(setting);
            }
        }
    }

    fn finish(mut self) -> Result<(SpringConfig, Vec<Diagnostic>), Vec<Diagnostic>> {
        self.take_common();
        let config = &self.config;
        let blocks = [
            (&config.server, Owner::Server),
            (&config.client, Owner::Client),
            (&config.instance, Owner::Instance),
        ];
        let remarks: Vec<_> = blocks.iter().flat_map(|(settings, owner)| settings.remarks(*owner)).collect();
        self.diagnostics.extend(remarks);
        match self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error) {
            true => Err(self.diagnostics),
            false => Ok((self.config, self.diagnostics)),
        }
    }
}

/// A key without its first segments; the place stays that of the whole key.
fn after(key: &Spanned<String>, segments: usize) -> Spanned<String> {
    let rest = key.splitn(segments + 1, '.').nth(segments).unwrap_or("");
    Spanned::new(rest.to_owned(), key.span)
}

fn concerns_us(key: &str) -> bool {
    let key = relaxed(key);
    key.starts_with("eureka")
        || key == "serverport"
        || key.starts_with("springapplication")
        || key.starts_with("springcloudloadbalancercache")
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

/// The value with its placeholders replaced, or what is missing.
fn fill(value: &str, properties: &[Property], depth: usize) -> Result<String, String> {
    if depth > MAX_PLACEHOLDER_DEPTH {
        return Err(format!("placeholders refer to each other: `{value}`"));
    }
    let mut filled = String::new();
    let mut rest = value;
    while let Some(start) = rest.find("${") {
        filled.push_str(&rest[..start]);
        let inner = &rest[start + 2..];
        let Some(end) = closing(inner) else {
            return Err(format!("placeholder without an end: `{}`", &rest[start..]));
        };
        let (name, default) = match inner[..end].split_once(':') {
            Some((name, default)) => (name, Some(default)),
            None => (&inner[..end], None),
        };
        let wanted = relaxed(name);
        let found = properties.iter().find(|property| relaxed(&property.key) == wanted);
        match (found, default) {
            (Some(property), _) => filled.push_str(&fill(&property.value, properties, depth + 1)?),
            // What differs from process to process is filled in by the plan.
            (None, _) if of_process(name) => filled.push_str(&rest[start..start + 2 + end + 1]),
            (None, Some(default)) => filled.push_str(&fill(default, properties, depth + 1)?),
            (None, None) => return Err(format!("placeholder without a value: `${{{name}}}`")),
        }
        if filled.len() > MAX_VALUE {
            return Err(format!("a value longer than {MAX_VALUE} bytes"));
        }
        rest = &inner[end + 1..];
    }
    filled.push_str(rest);
    Ok(filled)
}

/// Placeholders that Spring fills in for each process: its host name and address, and chance.
pub fn of_process(name: &str) -> bool {
    matches!(name, "spring.cloud.client.hostname" | "spring.cloud.client.ip-address")
        || name.starts_with("random.")
}

/// Where the brace closes that was opened before `text`.
fn closing(text: &str) -> Option<usize> {
    let mut open = 1;
    for (at, c) in text.char_indices() {
        match c {
            '{' => open += 1,
            '}' => open -= 1,
            _ => {}
        }
        if open == 0 {
            return Some(at);
        }
    }
    None
}

#[cfg(test)]
mod tests;
