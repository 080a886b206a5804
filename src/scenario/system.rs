//! Which system runs, and the product's own settings as the user wrote them.
//!
//! Separate because settings appear in many places (for all, per server, per service, at run time, in imported files) and are
//! layered in the plan. Here a setting stays a key, a text and a place. Which keys exist, and with which values, is the
//! protocol's business: its key table is asked, so that a mistake is found while reading.

use super::diagnostic::{Diagnostic, Severity, Source, Sources, Span, Spanned, nearest};
use super::read::{Fields, FromNode, Reader};
use super::tree::{Node, Value};
use super::values;
use crate::protocol::eureka::config::{
    ClientConfig, Fixes, Found, InstanceConfig, Key, Profile, ServerConfig, SettingError, relaxed,
};
use std::sync::Arc;

/// The `system:` block.
#[derive(Clone, Debug)]
pub struct System {
    /// Whose defaults apply. Default: Spring Cloud, because most clusters run it.
    pub profile: Profile,
    /// Whether everything runs in AWS (`eureka.datacenter=cloud`). Default: no.
    pub cloud: bool,
    /// Settings of all servers.
    pub server: Settings,
    /// Settings of all clients, and of the client inside each server.
    pub client: Settings,
    /// Settings of all registered instances.
    pub instance: Settings,
    /// Behaviour of other versions.
    pub fixes: Settings,
}

/// One product setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The text that the places point into: settings come from several files.
    pub source: Arc<Source>,
    /// The key as written, nested keys joined by points.
    pub key: Spanned<String>,
    /// The value as written; a list is joined by commas.
    pub value: Spanned<String>,
}

impl Setting {
    /// A mistake in this setting's value.
    pub fn bad_value(&self, message: impl Into<String>, help: Option<String>) -> Diagnostic {
        self.remark(Severity::Error, self.value.span, message, help)
    }

    /// A mistake in this setting's key.
    pub fn bad_key(&self, message: impl Into<String>, help: Option<String>) -> Diagnostic {
        self.remark(Severity::Error, self.key.span, message, help)
    }

    /// A mistake, or a note, about a place in this setting.
    pub fn remark(
        &self,
        severity: Severity,
        span: Span,
        message: impl Into<String>,
        help: Option<String>,
    ) -> Diagnostic {
        Diagnostic { source: self.source.clone(), span, severity, message: message.into(), help }
    }
}

/// Settings in the order written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings(pub Vec<Setting>);

impl System {
    /// Spring Cloud Netflix as it comes.
    pub fn unset() -> System {
        let none = Settings::default;
        System {
            profile: Profile::SpringCloud,
            cloud: false,
            server: none(),
            client: none(),
            instance: none(),
            fixes: none(),
        }
    }

    /// Reads the block.
    pub fn read(reader: &mut Reader, node: &Node) -> Option<System> {
        let mut fields = reader.fields(node, "the system")?;
        let eureka = fields.with(reader, "eureka", |reader, node| {
            if node.is_null() {
                return Some(System::unset());
            }
            let mut fields = reader.fields(node, "`eureka`")?;
            let profile = fields.optional(reader, "profile").unwrap_or(Profile::SpringCloud);
            let system = System {
                profile,
                cloud: fields.optional(reader, "cloud").unwrap_or(false),
                server: Settings::ask(reader, &mut fields, "server", Owner::Server),
                client: Settings::ask(reader, &mut fields, "client", Owner::Client),
                instance: Settings::ask(reader, &mut fields, "instance", Owner::Instance),
                fixes: Settings::ask(reader, &mut fields, "fixes", Owner::Fixes),
            };
            fields.finish(reader);
            Some(system)
        });
        if fields.entry("eureka").is_none() {
            return fields.missing(reader, "eureka");
        }
        fields.finish(reader);
        eureka
    }
}

impl FromNode for Profile {
    fn from_node(reader: &mut Reader, node: &Node) -> Option<Self> {
        let valid = [("netflix", Profile::Netflix), ("spring-cloud", Profile::SpringCloud)];
        reader.word(node, "a profile", &valid)
    }
}

/// Whose setting it is: each has a key table of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// A registry server.
    Server,
    /// A client, or the client inside a server.
    Client,
    /// A registered instance.
    Instance,
    /// The version of the product.
    Fixes,
}

impl Owner {
    /// The keys that exist.
    pub fn keys(self) -> &'static [Key] {
        match self {
            Owner::Server => ServerConfig::KEYS,
            Owner::Client => ClientConfig::KEYS,
            Owner::Instance => InstanceConfig::KEYS,
            Owner::Fixes => Fixes::KEYS,
        }
    }

    /// Whether the key exists and may have this value.
    ///
    /// # Errors
    /// As the `set` functions of the key tables.
    pub fn accepts(self, key: &str, value: &str) -> Result<Found, SettingError> {
        // Defaults of either profile do: the check depends on the table alone.
        match self {
            Owner::Server => ServerConfig::defaults(Profile::Netflix).set(key, value),
            Owner::Client => ClientConfig::defaults(Profile::Netflix).set(key, value),
            Owner::Instance => InstanceConfig::defaults(Profile::Netflix).set(key, value),
            Owner::Fixes => Fixes::defaults(Profile::Netflix).set(key, value),
        }
    }

    /// What to offer for an unknown key: the nearest, in the spelling that is nearer, or where all are.
    pub fn suggest(self, key: &str) -> String {
        let netflix = key.contains(char::is_uppercase);
        let names = self.keys().iter().map(|key| if netflix { key.netflix } else { key.spring });
        help_for(key, names.filter(|name| !name.is_empty()))
    }

    /// Which key is written, if there is one.
    pub fn find(self, key: &str) -> Option<Found> {
        self.keys().iter().find_map(|known| known.matches(key))
    }
}

/// What to offer for a key that does not exist, of those that do.
pub fn help_for(key: &str, names: impl Iterator<Item = &'static str> + Clone) -> String {
    // A key that needs a name, written without one.
    let mut named = names.clone().filter_map(|name| Some((name, name.strip_suffix(".*")?)));
    let wanted = relaxed(key);
    if let Some((name, _)) = named.find(|(_, stem)| !wanted.is_empty() && relaxed(stem) == wanted) {
        let example = if wanted == "serviceurl" { "defaultZone" } else { "NAME" };
        return format!("it takes a name: `{}`", name.replace('*', example));
    }
    match nearest(key, names).filter(|_| !wanted.is_empty()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "docs/settings.md lists them all".to_owned(),
    }
}

impl Settings {
    /// The settings of one key, in the order written.
    pub fn of<'s>(&'s self, key: &'static Key) -> impl Iterator<Item = (Found, &'s Setting)> {
        self.0.iter().filter_map(move |setting| Some((key.matches(&setting.key)?, setting)))
    }

    /// Asks a mapping for a block of settings, and checks them.
    pub fn ask(reader: &mut Reader, fields: &mut Fields<'_>, key: &'static str, owner: Owner) -> Settings {
        let settings: Settings = fields.optional(reader, key).unwrap_or_default();
        reader.diagnostics.extend(settings.remarks(owner));
        settings
    }

    /// What is wrong with these settings: keys that do not exist, bad values, one setting twice. And, as notes, which of them
    /// change nothing.
    pub fn remarks(&self, owner: Owner) -> Vec<Diagnostic> {
        let mut remarks = Vec::new();
        let mut seen: Vec<(Found, &Setting)> = Vec::new();
        for setting in &self.0 {
            let key = &setting.key.value;
            let Some(found) = owner.find(key) else {
                let message = match key.trim() {
                    "" => "a setting without a key".to_owned(),
                    key => format!("unknown setting: `{key}`"),
                };
                remarks.push(setting.bad_key(message, Some(owner.suggest(key))));
                continue;
            };
            if let Some((_, first)) = seen.iter().find(|(other, _)| found.same_as(other)) {
                let (line, _) = first.source.position(first.key.span.start);
                let help = format!("`{}` on line {line} is the same setting", first.key.value);
                remarks.push(setting.bad_key(format!("one setting twice: `{key}`"), Some(help)));
                continue;
            }
            if let Some(why) = found.key.inert {
                let message = format!("no effect: `{key}` ({why})");
                remarks.push(setting.remark(Severity::Note, setting.key.span, message, None));
            }
            if owner.accepts(key, &setting.value).is_err() {
                let message = format!("not a value of `{key}`: `{}`", setting.value.value);
                remarks.push(setting.bad_value(message, Some(format!("it is {}", found.key.kind))));
            } else {
                remarks.extend(values::check(&found, setting));
            }
            seen.push((found, setting));
        }
        remarks
    }
}

impl FromNode for Settings {
    fn from_node(reader: &mut Reader, node: &Node) -> Option<Self> {
        let mut settings = Settings::default();
        match &node.value {
            Value::Map(_) => settings.flatten(reader, "", node),
            _ if node.is_null() => {}
            _ => {
                let help = "such as `{ eviction-interval-timer-in-ms: 1000 }`";
                return reader.refuse(node.span, "settings are written as keys and values", help);
            }
        }
        Some(settings)
    }
}

impl Settings {
    /// Adds the settings of a mapping; nested keys are joined by points.
    pub fn flatten(&mut self, reader: &mut Reader, prefix: &str, node: &Node) {
        let Value::Map(entries) = &node.value else { return };
        for entry in entries {
            let key = match prefix {
                "" => entry.key.clone(),
                prefix => format!("{prefix}.{}", entry.key),
            };
            match &entry.value.value {
                Value::Map(inner) if inner.is_empty() => {
                    reader.error(
                        entry.key_span,
                        format!("nothing is set: `{key}`"),
                        Some("leave it out".into()),
                    );
                }
                Value::Map(_) => self.flatten(reader, &key, &entry.value),
                Value::Scalar { text, .. } => {
                    let text = if entry.value.is_null() { "" } else { text.as_str() };
                    self.push(&reader.sources, key, entry.key_span, text.to_owned(), entry.value.span);
                }
                Value::List(items) => {
                    let mut texts = Vec::new();
                    for item in items {
                        texts.extend(reader.text(item, "a setting's value"));
                    }
                    let text = texts.join(",");
                    self.push(&reader.sources, key, entry.key_span, text, entry.value.span);
                }
            }
        }
    }

    /// Puts later settings over these: of one setting the later counts, however it is spelt.
    pub fn overlay(&mut self, later: Settings, owner: Owner) {
        for setting in later.0 {
            if let Some(found) = owner.find(&setting.key) {
                self.0.retain(|earlier| !owner.find(&earlier.key).is_some_and(|it| it.same_as(&found)));
            }
            self.0.push(setting);
        }
    }

    /// Adds one.
    pub fn push(&mut self, sources: &Sources, key: String, key_span: Span, value: String, span: Span) {
        let (source, key_span) = sources.locate(key_span);
        let (_, span) = sources.locate(span);
        let (key, value) = (Spanned::new(key, key_span), Spanned::new(value, span));
        self.0.push(Setting { source, key, value });
    }
}
