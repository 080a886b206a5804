//! Real Spring Boot files: `.properties` and `application.yml`, as people write them.
//!
//! Separate because the rules are Spring's, not ours: profiles, imports, relaxed binding of keys, placeholders, comma lists. What
//! concerns the registry is taken over with its place in its file; keys of the registry that do not exist are mistakes; all other
//! keys are noted and left alone. Reading order: [`files`] (which documents count, in which order), [`profiles`], [`placeholders`], [`take`]
//! (what a key means), and the two formats. Deliberately left out: encrypted values, config servers, the process's real environment.

mod files;
mod placeholders;
mod profiles;
mod properties;
mod take;
mod yaml;

use super::ReadFile;
use super::diagnostic::{Diagnostic, Severity, Source, Spanned};
use super::fleet::{Server, Service};
use super::read::{FromNode, Reader};
use super::system::Settings;
use super::tree::{Node, Value};
use crate::protocol::eureka::config::relaxed;
use std::sync::Arc;
use std::time::Duration;

pub use placeholders::of_process;

/// What a server or service says of its configuration: a file, or a file with profiles and an environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigFiles {
    /// The file, relative to the scenario. Files of profiles are looked for beside it.
    pub file: Spanned<String>,
    /// The active profiles, the later over the earlier. Default: what the environment or the file says.
    pub profiles: Vec<Spanned<String>>,
    /// Environment variables, which win over files.
    pub environment: Vec<Property>,
}

/// What the files of one process say.
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
}

/// One key and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property {
    /// The text that the places point into.
    pub source: Arc<Source>,
    /// As written, but for `[x]`, which becomes `.x`.
    pub key: Spanned<String>,
    /// As written.
    pub value: Spanned<String>,
}

impl FromNode for ConfigFiles {
    fn from_node(reader: &mut Reader, node: &Node) -> Option<Self> {
        if !matches!(node.value, Value::Map(_)) {
            let file = Spanned::from_node(reader, node)?;
            return Some(ConfigFiles { file, profiles: Vec::new(), environment: Vec::new() });
        }
        let mut fields = reader.fields(node, "a configuration")?;
        let file = fields.required(reader, "file");
        let profiles = fields.with(reader, "profiles", |reader, node| match node.value {
            Value::List(_) => Vec::from_node(reader, node),
            Value::Scalar { .. } | Value::Map(_) => Spanned::from_node(reader, node).map(|only| vec![only]),
        });
        let mut environment = Vec::new();
        if let Some(entry) = fields.entry("environment") {
            for variable in reader.named(&entry.value, "environment variables") {
                let value = match variable.value.is_null() {
                    true => String::new(),
                    false => reader.text(&variable.value, "a text").unwrap_or_default().to_owned(),
                };
                let (source, key_span) = reader.sources.locate(variable.key_span);
                let (_, value_span) = reader.sources.locate(variable.value.span);
                let key = Spanned::new(of_environment(&variable.key), key_span);
                environment.push(Property { source, key, value: Spanned::new(value, value_span) });
            }
        }
        fields.finish(reader);
        let environment = match properties::gathered(environment) {
            Ok(environment) => environment,
            Err((span, message)) => {
                reader.error(span, message, None);
                Vec::new()
            }
        };
        Some(ConfigFiles { file: file?, profiles: profiles.unwrap_or_default(), environment })
    }
}

/// The key that an environment variable stands for: `EUREKA_CLIENT_SERVICEURL_DEFAULTZONE` has lost its points and capitals.
fn of_environment(name: &str) -> String {
    if name.contains('.') || !name.contains('_') {
        return name.to_owned();
    }
    let mut key = String::new();
    for word in name.to_ascii_lowercase().split('_').filter(|word| !word.is_empty()) {
        match word.bytes().all(|byte| byte.is_ascii_digit()) {
            true => key.push_str(&format!("[{word}]")),
            false if key.is_empty() => key.push_str(word),
            false => key.push_str(&format!(".{word}")),
        }
    }
    // The one name in a map that has a capital in every installation.
    match key.strip_suffix(".defaultzone") {
        Some(before) => format!("{before}.defaultZone"),
        None => key,
    }
}

/// Reads the files that servers and services name, and puts what they say beside them.
pub fn import_all(
    reader: &mut Reader,
    servers: &mut [Server],
    services: &mut [Service],
    read_file: ReadFile<'_>,
) {
    for server in servers {
        if let Some(files) = &server.config {
            server.imported = import(reader, files, read_file);
        }
    }
    for service in services {
        let common = service.config.clone();
        service.imported = common.as_ref().and_then(|files| import(reader, files, read_file));
        for part in &mut service.overrides {
            part.service.imported = match &part.service.config {
                own if *own == common => service.imported.clone(),
                own => own.as_ref().and_then(|files| import(reader, files, read_file)),
            };
        }
    }
}

/// What the files of one process say. `None`: there are mistakes, which have been recorded.
pub fn import(reader: &mut Reader, files: &ConfigFiles, read_file: ReadFile<'_>) -> Option<SpringConfig> {
    let documents = files::load(reader, files, read_file);
    let values = placeholders::Values::of(documents.iter().flat_map(|document| &document.properties));
    let mut import = take::Import::default();
    for (at, document) in documents.iter().enumerate() {
        let mut filled = Vec::new();
        for property in &document.properties {
            // Other parts of the application may get theirs from anywhere; only what we read must be known.
            if !concerns_us(&property.key) {
                filled.push(property.clone());
                continue;
            }
            match values.fill(&property.value) {
                Ok(value) => {
                    let value = Spanned::new(value, property.value.span);
                    filled.push(Property { value, ..property.clone() });
                }
                Err(message) => {
                    let help = "a default helps: `${KEY:value}`; of the environment only what the scenario says is known";
                    import.diagnostics.push(Diagnostic {
                        source: property.source.clone(),
                        span: property.value.span,
                        severity: Severity::Error,
                        message,
                        help: Some(help.to_owned()),
                    });
                }
            }
        }
        let is_environment = at + 1 == documents.len();
        import.document(filled, is_environment);
    }
    let (config, diagnostics) = import.finish();
    let wrong = diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
    for diagnostic in diagnostics {
        // A file may be read for several processes.
        if !reader.diagnostics.contains(&diagnostic) {
            reader.diagnostics.push(diagnostic);
        }
    }
    (!wrong).then_some(config)
}

fn concerns_us(key: &str) -> bool {
    let key = relaxed(key);
    key.starts_with("eureka")
        || key == "serverport"
        || key.starts_with("springapplication")
        || key.starts_with("springcloudloadbalancercache")
}

#[cfg(test)]
mod tests;
