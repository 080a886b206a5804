//! What the user wrote: the language of scenario files, as typed data in which every value knows where it stands.
//!
//! Reading goes `text → tree → typed data` and does not stop at the first mistake: every reader records what is wrong and
//! goes on, so that one look at the diagnostics is enough to mend a file. Names are not looked up here: that is the plan's
//! business.
//!
//! Reading order: [`diagnostic`] (places and mistakes), [`units`], [`tree`] (YAML), [`read`] (the technique), then the parts
//! of the language: [`selector`], [`system`] and [`values`], [`topology`], [`fleet`], [`timeline`], [`expect`], and [`spring`], which reads
//! the real configuration files that a scenario may name. What is changed in a tree before it is read: [`changes`] by the command line,
//! [`cure`], [`vary`].

pub mod diagnostic;
pub mod units;
pub mod tree;
mod changes;
mod cure;
mod limits;
mod vary;
pub mod read;
pub mod selector;
pub mod system;
pub mod values;
pub mod topology;
pub mod fleet;
pub mod timeline;
pub mod expect;
pub mod spring;

use self::diagnostic::{Diagnostic, Severity, Source, Sources, Span, Spanned};
use self::expect::Expectation;
use self::fleet::{Server, Service};
use self::read::Reader;
use self::system::System;
use self::timeline::Step;
use self::topology::Topology;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub use cure::Cure;
pub use limits::Limits;
pub use vary::Vary;

/// A scenario as written, with the files that it names read in.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Folder and file name without extension: `eureka/peer-down`.
    pub name: String,
    /// The scenario file, and what the command line changes in it.
    pub sources: Sources,
    /// One line that says what happens.
    pub title: String,
    /// What it is about, and where it comes from.
    pub about: Option<String>,
    /// The seed, if the command line gives none. Default 1.
    pub seed: Option<u64>,
    /// How long the run is. Default: the last step and the slowest expectation.
    pub duration: Option<Spanned<Duration>>,
    /// Which system, with which settings.
    pub system: System,
    /// Where things are.
    pub topology: Topology,
    /// The servers, in the order written.
    pub servers: Vec<Server>,
    /// The services, in the order written.
    pub services: Vec<Service>,
    /// What happens.
    pub timeline: Vec<Step>,
    /// What must hold.
    pub expect: Vec<Expectation>,
    /// Changes with which all of that must hold, the known weaknesses too: one run each.
    pub cures: Vec<Cure>,
    /// Settings to sweep.
    pub vary: Vec<Vary>,
    /// How large it may be.
    pub limits: Limits,
    /// What is worth knowing but not wrong.
    pub notes: Vec<Diagnostic>,
}

/// How a file that a scenario names is read: its path as written, and its content or why there is none.
pub type ReadFile<'a> = &'a mut dyn FnMut(&str) -> Result<Vec<u8>, String>;

impl Scenario {
    /// Reads a scenario file and the files that it names.
    ///
    /// # Errors
    /// All mistakes in all of these files, in the order of their places.
    pub fn load(path: &Path) -> Result<Scenario, Vec<Diagnostic>> {
        Self::load_with(path, &[])
    }

    /// Reads a scenario file with some values changed, each written as `key.key=value`.
    ///
    /// # Errors
    /// As [`Scenario::load`], and mistakes in the changes.
    pub fn load_with(path: &Path, settings: &[String]) -> Result<Scenario, Vec<Diagnostic>> {
        let shown = path.display().to_string();
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) => {
                let source = Source::new(shown, "");
                return Err(vec![unreadable(source, Span::default(), format!("cannot be read: {error}"))]);
            }
        };
        let folder = path.parent().unwrap_or(Path::new(""));
        let mut beside = |name: &str| std::fs::read(folder.join(name)).map_err(|error| error.to_string());
        Self::parse(&shown, &bytes, settings, &mut beside)
    }

    /// Reads a scenario from memory; `read_file` finds the files that it names.
    ///
    /// # Errors
    /// As [`Scenario::load`].
    pub fn parse(
        path: &str,
        bytes: &[u8],
        settings: &[String],
        read_file: ReadFile<'_>,
    ) -> Result<Scenario, Vec<Diagnostic>> {
        let source = text_of(path, bytes)?;
        let mut root = tree::parse(&source)?;
        let set = changes::apply(&mut root, settings)?;
        let mut reader = Reader::with(Sources { file: source, set });
        let mut scenario = Self::read(&mut reader, &root, read_file);
        let cures = cure::read_all(&mut reader, &root, read_file);
        let vary = vary::read_all(&mut reader, &root, read_file);
        let (mut notes, mut mistakes): (Vec<_>, Vec<_>) =
            reader.diagnostics.into_iter().partition(|diagnostic| diagnostic.severity == Severity::Note);
        match &mut scenario {
            Some(scenario) if mistakes.is_empty() => {
                scenario.notes.append(&mut notes);
                (scenario.cures, scenario.vary) = (cures, vary);
            }
            _ => {
                mistakes.sort_by(|a, b| (&a.source.name, a.span).cmp(&(&b.source.name, b.span)));
                return Err(mistakes);
            }
        }
        Ok(scenario.expect("a scenario that cannot be read has mistakes"))
    }

    /// Sets how large it may be, with its cures.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
        self.cures.iter_mut().for_each(|cure| cure.scenario.set_limits(limits));
    }

    fn read(reader: &mut Reader, root: &tree::Node, read_file: ReadFile<'_>) -> Option<Scenario> {
        let mut fields = reader.fields(root, "a scenario")?;
        // These change the others, and are read once those are known.
        let _ = (fields.entry("cure"), fields.entry("vary"));
        let title = fields.required(reader, "title");
        let about = fields.optional(reader, "about");
        let seed = fields.optional(reader, "seed");
        let duration = fields.optional(reader, "duration");
        let system = fields.with(reader, "system", System::read);
        let topology = fields.with(reader, "topology", Topology::read);
        let mut servers = Vec::new();
        match fields.entry("servers") {
            Some(entry) => {
                for entry in reader.named(&entry.value, "servers") {
                    servers.extend(Server::read(reader, entry));
                }
            }
            None => fields.missing(reader, "servers").unwrap_or(()),
        }
        let mut services = Vec::new();
        if let Some(entry) = fields.entry("services") {
            for entry in reader.named(&entry.value, "services") {
                services.extend(Service::read(reader, entry));
            }
        }
        let mut timeline = Vec::new();
        if let Some(entry) = fields.entry("timeline") {
            for item in reader.items(&entry.value, "the timeline") {
                timeline.extend(Step::read(reader, item));
            }
        }
        let mut expect = Vec::new();
        if let Some(entry) = fields.entry("expect") {
            for item in reader.items(&entry.value, "what is expected") {
                expect.extend(Expectation::read(reader, item));
            }
        }
        fields.finish(reader);
        spring::import_all(reader, &mut servers, &mut services, read_file);
        Some(Scenario {
            name: name_of(&reader.sources.file.name),
            sources: reader.sources.clone(),
            title: title?,
            about,
            seed,
            duration,
            system: system.unwrap_or_else(System::unset),
            topology: topology.unwrap_or_default(),
            servers,
            services,
            timeline,
            expect,
            cures: Vec::new(),
            vary: Vec::new(),
            limits: Limits::default(),
            notes: Vec::new(),
        })
    }
}

/// `scenarios/eureka/peer-down.yaml` is `eureka/peer-down`.
fn name_of(path: &str) -> String {
    let path = Path::new(path);
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    match path.parent().and_then(Path::file_name) {
        Some(folder) => format!("{}/{stem}", folder.to_string_lossy()),
        None => stem,
    }
}

/// The bytes as text, without a byte order mark.
pub(crate) fn text_of(path: &str, bytes: &[u8]) -> Result<Arc<Source>, Vec<Diagnostic>> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(Source::new(path, text.strip_prefix('\u{feff}').unwrap_or(text))),
        Err(error) => {
            let valid = String::from_utf8_lossy(&bytes[..error.valid_up_to()]).into_owned();
            let at = valid.len();
            let source = Source::new(path, valid + "\u{fffd}");
            let span = Span { start: at, end: at + '\u{fffd}'.len_utf8() };
            Err(vec![unreadable(source, span, "not UTF-8 from here on".to_owned())])
        }
    }
}

fn unreadable(source: Arc<Source>, span: Span, message: String) -> Diagnostic {
    Diagnostic { source, span, severity: Severity::Error, message, help: None }
}

#[cfg(test)]
mod tests;
