//! Which documents of which files count, and in which order: profiles, files beside, imports.
//!
//! Separate because it is Spring Boot's loading of configuration data and nothing of Eureka. The order, from the lowest: the documents of a
//! file as they stand, what a document imports right after it, then for each active profile the file of that profile
//! (`application-peer1.yml`), and the environment last. Source: the documentation of Spring Boot, "Externalized Configuration".

use super::placeholders::Values;
use super::profiles::{self, Expression};
use super::{ConfigFiles, Property, properties, yaml};
use crate::protocol::eureka::config::relaxed;
use crate::scenario::ReadFile;
use crate::scenario::diagnostic::{Diagnostic, Severity, Source, Span, suggestion};
use crate::scenario::read::Reader;
use crate::scenario::tree;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

/// How many files one configuration may be made of.
const MAX_FILES: usize = 200;

/// A document of a file.
pub(super) struct Document {
    pub(super) properties: Vec<Property>,
    /// The profiles that it is for: one of these expressions must be true. Empty: it always counts.
    conditions: Vec<Expression>,
    /// It is for a platform in the cloud, and nothing here runs on one.
    elsewhere: bool,
    /// What it imports, each with its place.
    imports: Vec<(String, Property)>,
}

/// All documents that count, in order.
pub(super) fn load(reader: &mut Reader, files: &ConfigFiles, read_file: ReadFile<'_>) -> Vec<Rc<Document>> {
    let mut loader =
        Loader { read_file, known: BTreeMap::new(), diagnostics: Vec::new(), collected: Vec::new() };
    if let Err(reason) = loader.file(&files.file) {
        let help = "the path is relative to the scenario".to_owned();
        reader.error(files.file.span, format!("`{}` cannot be read: {reason}", files.file.value), Some(help));
        return Vec::new();
    }
    // Which profiles are active must be known before documents for profiles are looked at.
    loader.collect(&files.file, None);
    let environment = Rc::new(Document::of(files.environment.clone(), &mut loader.diagnostics));
    let first: Vec<Rc<Document>> = loader.collected.drain(..).map(|(document, _)| document).collect();
    let active = active_profiles(files, &first, &environment, &mut loader.diagnostics);
    loader.collect(&files.file, Some(&active));
    loader.refuse_profiles_in_profiles();
    for profile in &files.profiles {
        if !loader.mentions(profile, &first) {
            let known = loader.profiles();
            let near = suggestion(profile, known.iter().map(String::as_str)).unwrap_or_default();
            reader.note(
                profile.span,
                format!("no document and no file is for the profile `{}`; {near}", profile.value)
                    .trim_end_matches("; ")
                    .to_owned(),
            );
        }
    }
    for diagnostic in loader.diagnostics {
        if !reader.diagnostics.contains(&diagnostic) {
            reader.diagnostics.push(diagnostic);
        }
    }
    loader.collected.into_iter().map(|(document, _)| document).chain([environment]).collect()
}

/// The documents of a file, shared by all that look at them.
type Documents = Rc<[Rc<Document>]>;

struct Loader<'a> {
    read_file: ReadFile<'a>,
    /// Files read so far by their paths, or why there is none.
    known: BTreeMap<String, Result<Documents, String>>,
    diagnostics: Vec<Diagnostic>,
    /// Documents that count, and whether each is for some profiles only.
    collected: Vec<(Rc<Document>, bool)>,
}

impl Loader<'_> {
    /// Reads a file, once. An error says why there is none; mistakes in it are recorded.
    fn file(&mut self, path: &str) -> Result<Documents, String> {
        if let Some(known) = self.known.get(path) {
            return known.clone();
        }
        if self.known.len() >= MAX_FILES {
            return Err(format!("more than {MAX_FILES} files"));
        }
        let bytes = match (self.read_file)(path) {
            Ok(bytes) => bytes,
            Err(reason) => {
                self.known.insert(path.to_owned(), Err(reason.clone()));
                return Err(reason);
            }
        };
        let documents: Documents =
            match crate::scenario::text_of(path, &bytes).and_then(|source| parse(&source)) {
                Ok(documents) => {
                    let documents = documents.into_iter();
                    documents.map(|it| Rc::new(Document::of(it, &mut self.diagnostics))).collect()
                }
                Err(mistakes) => {
                    self.diagnostics.extend(mistakes);
                    Rc::default()
                }
            };
        self.known.insert(path.to_owned(), Ok(documents.clone()));
        Ok(documents)
    }

    /// Collects what counts of a file, of what it imports and of the files of its profiles. Without profiles, what needs none.
    fn collect(&mut self, path: &str, active: Option<&[String]>) {
        let mut seen = vec![path.to_owned()];
        self.collect_from(path, active, &mut seen);
    }

    fn collect_from(&mut self, path: &str, active: Option<&[String]>, seen: &mut Vec<String>) {
        self.collect_file(path, active, false, seen);
        for profile in active.unwrap_or_default() {
            let (stem, ending) = path.rsplit_once('.').unwrap_or((path, "properties"));
            // Where both are there, properties win over YAML.
            let mut endings = vec!["yaml", "yml", "properties"];
            if !endings.contains(&ending) {
                endings.push(ending);
            }
            for ending in endings {
                self.collect_file(&format!("{stem}-{profile}.{ending}"), active, true, seen);
            }
        }
    }

    fn collect_file(
        &mut self,
        path: &str,
        active: Option<&[String]>,
        of_profile: bool,
        seen: &mut Vec<String>,
    ) {
        let Ok(documents) = self.file(path) else { return };
        for document in documents.iter() {
            let counts = match active {
                _ if document.elsewhere => false,
                None => document.conditions.is_empty(),
                Some(active) => {
                    document.conditions.is_empty() || document.conditions.iter().any(|it| it.holds(active))
                }
            };
            if !counts {
                continue;
            }
            self.collected.push((document.clone(), of_profile || !document.conditions.is_empty()));
            for (location, property) in &document.imports {
                self.import(path, location, property, active, seen);
            }
        }
    }

    /// Follows an import, once: a circle ends where it closes, as in Spring.
    fn import(
        &mut self,
        from: &str,
        location: &str,
        property: &Property,
        active: Option<&[String]>,
        seen: &mut Vec<String>,
    ) {
        let mut say = |severity, message, help| {
            let (source, span) = (property.source.clone(), property.value.span);
            self.diagnostics.push(Diagnostic { source, span, severity, message, help });
        };
        let (optional, location) = match location.strip_prefix("optional:") {
            Some(location) => (true, location),
            None => (false, location),
        };
        let path = location
            .strip_prefix("file:")
            .or_else(|| location.strip_prefix("classpath:"))
            .unwrap_or(location);
        let path = path.trim_start_matches("./").trim_start_matches('/');
        let known = [".yml", ".yaml", ".properties"].iter().any(|ending| path.ends_with(ending));
        if !known || path.contains(':') {
            return say(Severity::Note, format!("not followed: `{location}`"), None);
        }
        let folder = from.rsplit_once('/').map_or("", |(folder, _)| folder);
        let path = if folder.is_empty() { path.to_owned() } else { format!("{folder}/{path}") };
        if seen.contains(&path) {
            return;
        }
        seen.push(path.clone());
        match self.file(&path) {
            Ok(_) => self.collect_from(&path, active, seen),
            Err(_) if optional => {}
            Err(reason) => {
                let (source, span) = (property.source.clone(), property.value.span);
                let help = Some(
                    "the path is relative to the file; `optional:` before it lets it be absent".to_owned(),
                );
                let message = format!("`{path}` cannot be read: {reason}");
                self.diagnostics.push(Diagnostic { source, span, severity: Severity::Error, message, help });
            }
        }
    }

    /// Which profiles are active cannot depend on them.
    fn refuse_profiles_in_profiles(&mut self) {
        for (document, of_profile) in &self.collected {
            for property in document.properties.iter().filter(|_| *of_profile) {
                let Some(kind) = profile_key(property) else { continue };
                if matches!(kind, ProfileKey::Document) {
                    continue;
                }
                let message =
                    format!("does not belong into a document for some profiles: `{}`", property.key.value);
                let help = "Spring Boot refuses it since 2.4; `spring.profiles.group` in a document for all adds profiles to others";
                self.diagnostics.push(Diagnostic {
                    source: property.source.clone(),
                    span: property.key.span,
                    severity: Severity::Error,
                    message,
                    help: Some(help.to_owned()),
                });
            }
        }
    }

    /// All profiles that documents and files are for, as far as files have been looked for.
    fn profiles(&self) -> Vec<String> {
        let mut names: Vec<&str> = Vec::new();
        for document in self.known.values().flatten().flat_map(|file| file.iter()) {
            document.conditions.iter().for_each(|condition| condition.names(&mut names));
        }
        let mut names: Vec<String> = names.into_iter().map(str::to_owned).collect();
        names.sort();
        names.dedup();
        names
    }

    fn mentions(&self, profile: &str, documents: &[Rc<Document>]) -> bool {
        let groups = documents.iter().flat_map(|document| &document.properties);
        let mut groups = groups.filter_map(|property| match profile_key(property) {
            Some(ProfileKey::Group(name)) => Some(name),
            _ => None,
        });
        let file = format!("-{profile}.");
        self.profiles().iter().any(|known| known == profile)
            || groups.any(|group| group == profile)
            || self.known.iter().any(|(path, there)| there.is_ok() && path.contains(&file))
    }
}

/// The documents of a file: YAML if its name says so, else properties.
fn parse(source: &Arc<Source>) -> Result<Vec<Vec<Property>>, Vec<Diagnostic>> {
    if !(source.name.ends_with(".yml") || source.name.ends_with(".yaml")) {
        return properties::parse(source);
    }
    let roots = tree::parse_all(source)?;
    let mut mistakes = Vec::new();
    for root in roots.iter().filter(|root| !matches!(root.value, tree::Value::Map(_))) {
        let message = "a document is written as keys and values".to_owned();
        let help = Some("such as `server: { port: 8761 }`".to_owned());
        mistakes.push(Diagnostic {
            source: source.clone(),
            span: root.span,
            severity: Severity::Error,
            message,
            help,
        });
    }
    match mistakes.is_empty() {
        true => Ok(roots.iter().map(|root| yaml::flatten(source, root)).collect()),
        false => Err(mistakes),
    }
}

impl Document {
    fn of(properties: Vec<Property>, diagnostics: &mut Vec<Diagnostic>) -> Document {
        let mut document = Document {
            properties: Vec::new(),
            conditions: Vec::new(),
            elsewhere: false,
            imports: Vec::new(),
        };
        for property in &properties {
            let mut say = |severity, span, message, help| {
                diagnostics.push(Diagnostic {
                    source: property.source.clone(),
                    span,
                    severity,
                    message,
                    help,
                });
            };
            let words: Vec<String> = property.key.split('.').map(relaxed).collect();
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let value = &property.value;
            match words.as_slice() {
                ["spring", "config", "activate", "onprofile"] | ["spring", "profiles"] => {
                    if words.len() == 2 {
                        let message =
                            "an older name: `spring.profiles`, today `spring.config.activate.on-profile`";
                        say(Severity::Note, property.key.span, message.to_owned(), None);
                    }
                    for text in value.split(',').map(str::trim).filter(|text| !text.is_empty()) {
                        match Expression::read(text) {
                            Some(expression) => document.conditions.push(expression),
                            None => {
                                let message = format!("not an expression of profiles: `{text}`");
                                let help = "such as `a`, `!a`, `a & b` or `(a & b) | c`".to_owned();
                                say(Severity::Error, value.span, message, Some(help));
                            }
                        }
                    }
                }
                ["spring", "config", "activate", "oncloudplatform"] => {
                    document.elsewhere = true;
                    let message = format!(
                        "a document for `{}` is left out: no cloud platform is simulated",
                        value.value
                    );
                    say(Severity::Note, property.key.span, message, None);
                }
                ["spring", "config", "import"] => {
                    let locations = value.split([',', ';']).map(str::trim).filter(|text| !text.is_empty());
                    document
                        .imports
                        .extend(locations.map(|location| (location.to_owned(), property.clone())));
                }
                _ => {}
            }
        }
        document.properties = properties;
        document
    }
}

/// A key that decides about profiles.
enum ProfileKey {
    Active,
    Include,
    Default,
    Group(String),
    /// For which profiles a document is: that is no decision about them.
    Document,
}

fn profile_key(property: &Property) -> Option<ProfileKey> {
    let (first, rest) = property.key.split_once('.')?;
    let (second, rest) = rest.split_once('.').unwrap_or((rest, ""));
    if relaxed(first) != "spring" || relaxed(second) != "profiles" {
        return None;
    }
    let (third, name) = rest.split_once('.').unwrap_or((rest, ""));
    match relaxed(third).as_str() {
        "active" => Some(ProfileKey::Active),
        "include" => Some(ProfileKey::Include),
        "default" => Some(ProfileKey::Default),
        "group" => Some(ProfileKey::Group(name.to_owned())),
        _ => Some(ProfileKey::Document),
    }
}

/// Which profiles are active: those that the scenario names, else what the environment says, else what the documents for all say.
fn active_profiles(
    files: &ConfigFiles,
    documents: &[Rc<Document>],
    environment: &Document,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<String> {
    let all = || documents.iter().flat_map(|document| &document.properties).chain(&environment.properties);
    let values = Values::of(all());
    let (mut active, mut default) = (None, None);
    let (mut included, mut groups) = (Vec::new(), BTreeMap::new());
    for property in all() {
        let Some(kind) = profile_key(property) else { continue };
        let names: Vec<String> = match values.fill(&property.value) {
            Ok(value) => {
                let names = value.split(',').map(str::trim).filter(|name| !name.is_empty());
                names.map(str::to_owned).collect()
            }
            Err(message) => {
                let (source, span): (_, Span) = (property.source.clone(), property.value.span);
                let help = Some("a default helps: `${KEY:value}`, or `profiles` in the scenario".to_owned());
                diagnostics.push(Diagnostic { source, span, severity: Severity::Error, message, help });
                continue;
            }
        };
        match kind {
            ProfileKey::Active => active = Some(names),
            ProfileKey::Default => default = Some(names),
            ProfileKey::Include => included.extend(names),
            ProfileKey::Group(name) => {
                groups.insert(name, names);
            }
            ProfileKey::Document => {}
        }
    }
    let named: Vec<String> = files.profiles.iter().map(|profile| profile.value.clone()).collect();
    let active = if named.is_empty() { active.unwrap_or_default() } else { named };
    let default = default.unwrap_or_else(|| vec!["default".to_owned()]);
    profiles::accepted(&included, &active, &default, &groups)
}
