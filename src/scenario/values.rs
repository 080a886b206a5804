//! What the texts of some product settings mean: URLs, ports, statuses.
//!
//! Separate because the key table of the protocol takes them as texts, while a mistake in them has a place in a file and can be
//! found while reading. The plan asks again, once it knows which of several layers counts.

use super::diagnostic::{Diagnostic, Severity, Span, suggestion};
use super::system::Setting;
use crate::protocol::Status;
use crate::protocol::eureka::config::{Found, relaxed};

/// The host and port of a URL, and where it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// The URL as it is written.
    pub text: String,
    /// The host.
    pub host: String,
    /// The port, or the scheme's.
    pub port: u16,
    /// Its place in the setting's source.
    pub span: Span,
}

/// What is wrong with a value beyond its kind, and what is worth knowing about it.
pub fn check(found: &Found, setting: &Setting) -> Vec<Diagnostic> {
    let text = setting.value.value.trim();
    let said = match found.key.shown() {
        "service-url.*" => return urls(setting).iter().flat_map(|url| remarks(setting, url)).collect(),
        "my-url" if !text.is_empty() => {
            return urls(setting).iter().flat_map(|url| remarks(setting, url)).collect();
        }
        "remote-region-urls-with-name.*" => {
            return named_urls(found, setting).iter().flat_map(|(_, url)| remarks(setting, url)).collect();
        }
        "non-secure-port" | "secure-port" | "eureka-server-port" => port(text).map(|_| ()),
        "initial-status" => status(text).map(|_| ()),
        "client-data-accept" => word(text, &["full", "compact"]),
        "transport.bootstrap-resolver-strategy" => word(text, &["", "composite"]),
        _ => Ok(()),
    };
    match said {
        Ok(()) => Vec::new(),
        Err((message, help)) => vec![setting.bad_value(message, help)],
    }
}

/// What is wrong, and what would be right.
type Wrong = (String, Option<String>);

/// A port; nothing, if nothing is written.
///
/// # Errors
/// If it is no number from 0 to 65535.
pub fn port(text: &str) -> Result<Option<u16>, Wrong> {
    match text.trim() {
        "" => Ok(None),
        text => {
            text.parse().map(Some).map_err(|_| (format!("not a port: `{text}`"), Some("0 to 65535".into())))
        }
    }
}

/// A status, in any spelling.
///
/// # Errors
/// If there is no such status.
pub fn status(text: &str) -> Result<Status, Wrong> {
    let wanted = relaxed(text);
    let found = Status::ALL.into_iter().find(|status| relaxed(status.name()) == wanted);
    found
        .ok_or_else(|| (format!("unknown status: `{text}`"), suggestion(text, Status::ALL.map(Status::name))))
}

fn word(text: &str, valid: &[&str]) -> Result<(), Wrong> {
    match valid.contains(&text) {
        true => Ok(()),
        false => Err((format!("unknown value: `{text}`"), suggestion(text, valid.iter().copied()))),
    }
}

/// The URLs of a setting, separated by commas; instead of one that is wrong, what is wrong with it.
pub fn urls(setting: &Setting) -> Vec<Result<Url, Diagnostic>> {
    parts(setting).into_iter().map(|(text, span)| url(setting, text, span)).collect()
}

/// URLs with a name each: the name stands in the key, or `name;url` several times in the value.
pub fn named_urls(found: &Found, setting: &Setting) -> Vec<(String, Result<Url, Diagnostic>)> {
    if let Some(name) = &found.name {
        return urls(setting).into_iter().map(|url| (name.clone(), url)).collect();
    }
    let named = parts(setting).into_iter().filter_map(|(text, span)| {
        let (name, at) = text.split_once(';')?;
        let from = text.len() - at.trim_start().len();
        Some((name.trim().to_owned(), url(setting, at.trim(), span.part(from, text.len()))))
    });
    named.collect()
}

/// What stands between commas, each with its place.
fn parts(setting: &Setting) -> Vec<(&str, Span)> {
    let (value, span) = (setting.value.value.as_str(), setting.value.span);
    // Only a value that stands in the file as it is can be pointed into.
    let verbatim = setting.source.text.get(span.start..span.end) == Some(value);
    let mut parts = Vec::new();
    let mut start = 0;
    for part in value.split(',') {
        let trimmed = part.trim();
        let lead = start + part.len() - part.trim_start().len();
        if !trimmed.is_empty() {
            let place = if verbatim { span.part(lead, lead + trimmed.len()) } else { span };
            parts.push((trimmed, place));
        }
        start += part.len() + 1;
    }
    parts
}

fn url(setting: &Setting, text: &str, span: Span) -> Result<Url, Diagnostic> {
    let wrong = |message| {
        let help = "such as `http://peer1:8761/eureka/`".to_owned();
        Err(setting.remark(Severity::Error, span, message, Some(help)))
    };
    let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
    let default_port = match scheme {
        "http" => 80,
        "https" => 443,
        _ => return wrong(format!("not an HTTP URL: `{text}`")),
    };
    let authority = &rest[..rest.find('/').unwrap_or(rest.len())];
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().ok()),
        None => (authority, Some(default_port)),
    };
    match port.filter(|_| !host.is_empty()) {
        Some(port) => Ok(Url { text: text.to_owned(), host: host.to_owned(), port, span }),
        None => wrong(format!("not a host and a port: `{authority}`")),
    }
}

/// What is wrong with a URL, or worth knowing about it.
fn remarks(setting: &Setting, url: &Result<Url, Diagnostic>) -> Option<Diagnostic> {
    let url = match url {
        Ok(url) => url,
        Err(wrong) => return Some(wrong.clone()),
    };
    let written = setting.source.text.get(url.span.start..url.span.end)?;
    let (_, rest) = written.split_once("://")?;
    let path = &rest[rest.find('/').unwrap_or(rest.len())..];
    let message = format!("a Eureka server answers below `/eureka`, not `{path}`; taken as meant");
    (!path.starts_with("/eureka")).then(|| setting.remark(Severity::Note, url.span, message, None))
}
