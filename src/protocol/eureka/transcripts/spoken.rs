//! Operations, their answers and events in the notation of transcripts.

use super::names::{Names, stamp};
use super::reading::status;
use super::writing::list;
use crate::protocol::{Answer, Event, Health, Operation, Origin};

fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::Client => "from client",
        Origin::Replica => "from peer",
        Origin::Sync => "copied from peer",
    }
}

impl Names {
    /// What follows `ask`.
    pub(super) fn operation(&mut self, text: &str) -> Result<Operation, String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let wrong = || format!("no such operation: `{text}`");
        Ok(match words[..] {
            ["look-up", service] => Operation::LookUp { service: self.app(service), except: None },
            ["look-up", service, "except", id] => {
                Operation::LookUp { service: self.app(service), except: Some(self.subject(id)?.1) }
            }
            ["set-group", group, state @ ("ENABLED" | "DISABLED")] => {
                Operation::SetGroup { group: group.into(), enabled: state == "ENABLED" }
            }
            [verb, subject, ref rest @ ..] => {
                let instance = self.subject(subject)?.1;
                match (verb, rest) {
                    ("register", []) => Operation::Register { instance },
                    ("renew", []) => Operation::Renew { instance },
                    ("deregister", []) => Operation::Deregister { instance },
                    ("clear-status", []) => Operation::ClearStatus { instance, status: None },
                    ("clear-status", [name]) => {
                        Operation::ClearStatus { instance, status: Some(status(name).ok_or_else(wrong)?) }
                    }
                    ("set-status", [name]) => {
                        Operation::SetStatus { instance, status: status(name).ok_or_else(wrong)? }
                    }
                    ("set-health", [name]) => {
                        let found = Health::ALL.into_iter().find(|(known, _)| known == name);
                        Operation::SetHealth { instance, health: found.ok_or_else(wrong)?.1 }
                    }
                    ("set-metadata", entries) => {
                        let pair = |entry: &&str| {
                            let (name, value) = entry.split_once('=').ok_or_else(wrong)?;
                            Ok((name.into(), value.into()))
                        };
                        let entries: Result<Vec<_>, String> = entries.iter().map(pair).collect();
                        Operation::SetMetadata { instance, entries: entries?.into() }
                    }
                    _ => return Err(wrong()),
                }
            }
            _ => return Err(wrong()),
        })
    }

    /// What follows `done`.
    pub(super) fn show_answer(&self, answer: Answer) -> String {
        match answer {
            Answer::Ok => "ok".to_owned(),
            Answer::Found(id) => format!("found {}", self.subject_name(id)),
            Answer::NoneFound => "none found".to_owned(),
            Answer::Failed(0) => "refused".to_owned(),
            Answer::Failed(code) => format!("failed {code}"),
            Answer::Unknown => "unknown".to_owned(),
        }
    }

    /// What follows `!`.
    pub(super) fn show_event(&self, event: &Event) -> String {
        let name = event.name();
        let subject = |id| self.subject_name(id);
        match event {
            Event::Registered { instance, status, version, origin: from }
            | Event::Changed { instance, status, version, origin: from } => {
                format!("{name} {} {status} @{} {}", subject(*instance), stamp(*version), origin(*from))
            }
            Event::Renewed { instance, origin: from }
            | Event::NotFound { instance, origin: from }
            | Event::Deregistered { instance, origin: from } => {
                format!("{name} {} {}", subject(*instance), origin(*from))
            }
            Event::Announced { instance, status, version } => {
                format!("{name} {} {status} @{}", subject(*instance), stamp(*version))
            }
            Event::Evicted { instance }
            | Event::Joined { instance }
            | Event::MetadataChanged { instance } => format!("{name} {}", subject(*instance)),
            Event::EvictionPass { leases, expired, evicted } => {
                format!("{name} over {leases} leases, {expired} expired, {evicted} evicted")
            }
            Event::Adopted { view, claimed: _, reconciles } => {
                let listings = view.listings().iter().map(|listing| {
                    format!("{} {} @{}", subject(listing.instance), listing.status, stamp(listing.version))
                });
                format!("{name} {}{}", list(listings), if *reconciles { ", reconciles" } else { "" })
            }
            Event::Gauge { gauge, value } => format!("{} = {value}", gauge.name()),
        }
    }
}
