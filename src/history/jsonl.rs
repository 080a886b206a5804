//! The history as JSON Lines, for other programs: one object a record, with names instead of ids.
//!
//! Times are integers: `at_ns`, virtual nanoseconds since the start of the run.

use std::io::{self, Write};

use serde_json::{Map, Value, json};

use super::{CallResult, Observer, Record, What};
use crate::protocol::{Answer, Event, Health, InstanceId, NodeId, Operation, Origin, ServiceId, Status};

/// The names that ids stand for, by index.
#[derive(Clone, Copy, Debug)]
pub struct Names<'a> {
    /// Names of processes.
    pub nodes: &'a [String],
    /// Names of instances.
    pub instances: &'a [String],
    /// Names of services.
    pub services: &'a [String],
    /// Names of the schedule's steps.
    pub steps: &'a [String],
}

/// Writes each record as it comes. The first failure is kept and ends the writing.
pub struct Recorder<'a, W> {
    names: Names<'a>,
    into: W,
    failed: Option<io::Error>,
}

impl<'a, W: Write> Recorder<'a, W> {
    /// Writes into `into`, which should be buffered.
    pub fn new(names: Names<'a>, into: W) -> Recorder<'a, W> {
        Recorder { names, into, failed: None }
    }

    /// Ends the writing.
    ///
    /// # Errors
    /// The first failure to write.
    pub fn finish(mut self) -> io::Result<W> {
        match self.failed {
            Some(error) => Err(error),
            None => self.into.flush().map(|()| self.into),
        }
    }
}

impl<W: Write> Observer for Recorder<'_, W> {
    fn record(&mut self, record: &Record) {
        if self.failed.is_none() {
            let line = Value::Object(self.names.object(record));
            self.failed = writeln!(self.into, "{line}").err();
        }
    }
}

impl Names<'_> {
    fn object(&self, record: &Record) -> Map<String, Value> {
        let mut object = Map::new();
        object.insert("at_ns".to_owned(), json!(record.at.0));
        let fields = match &record.what {
            What::Started { node } => json!({"what": "started", "node": self.node(*node)}),
            What::Stopping { node } => json!({"what": "stopping", "node": self.node(*node)}),
            What::Ended { node, exit } => json!({"what": "ended", "node": self.node(*node), "exit": exit}),
            What::Paused { node, paused } => {
                json!({"what": if *paused { "paused" } else { "resumed" }, "node": self.node(*node)})
            }
            What::Event { node, event } => {
                object.insert("what".to_owned(), json!(event.name()));
                object.insert("node".to_owned(), json!(self.node(*node)));
                self.event(event)
            }
            What::Invoked { node, ticket, operation } => {
                object.insert("what".to_owned(), json!("invoked"));
                object.insert("node".to_owned(), json!(self.node(*node)));
                object.insert("ticket".to_owned(), json!(ticket.0));
                self.operation(operation)
            }
            What::Completed { node, ticket, answer } => {
                object.insert("what".to_owned(), json!("completed"));
                object.insert("node".to_owned(), json!(self.node(*node)));
                object.insert("ticket".to_owned(), json!(ticket.0));
                match answer {
                    Answer::Ok => json!({"answer": "ok"}),
                    Answer::Found(instance) => {
                        json!({"answer": "found", "instance": self.instance(*instance)})
                    }
                    Answer::NoneFound => json!({"answer": "none-found"}),
                    Answer::Failed(code) => json!({"answer": "failed", "code": code}),
                    Answer::Unknown => json!({"answer": "unknown"}),
                }
            }
            What::Step { step, began } => {
                let name = self.steps.get(*step as usize).map_or("", String::as_str);
                json!({"what": if *began { "step-began" } else { "step-ended" }, "step": name})
            }
            What::Traffic { caller, service, chosen, result, attempt, last } => json!({
                "what": "called",
                "node": self.node(*caller),
                "service": self.service(*service),
                "instance": chosen.map(|instance| self.instance(instance)),
                "result": match result {
                    CallResult::Answered => "answered",
                    CallResult::NoInstance => "no-instance",
                    CallResult::DeadInstance => "dead-instance",
                    CallResult::Unreachable => "unreachable",
                },
                "attempt": attempt,
                "last": last,
            }),
            What::Disk { node, file, durable } => {
                json!({"what": if *durable { "flushed" } else { "written" }, "node": self.node(*node), "file": file})
            }
        };
        if let Value::Object(fields) = fields {
            object.extend(fields);
        }
        object
    }

    fn event(&self, event: &Event) -> Value {
        match event {
            Event::Registered { instance, status, version, origin }
            | Event::Changed { instance, status, version, origin } => {
                self.content(*instance, *status, *version, Some(*origin))
            }
            Event::Announced { instance, status, version } => {
                self.content(*instance, *status, *version, None)
            }
            Event::Renewed { instance, origin }
            | Event::NotFound { instance, origin }
            | Event::Deregistered { instance, origin } => {
                json!({"instance": self.instance(*instance), "origin": origin_name(*origin)})
            }
            Event::Evicted { instance }
            | Event::Joined { instance }
            | Event::MetadataChanged { instance } => {
                json!({"instance": self.instance(*instance)})
            }
            Event::EvictionPass { leases, expired, evicted } => {
                json!({"leases": leases, "expired": expired, "evicted": evicted})
            }
            Event::Adopted { view, claimed, reconciles } => json!({
                "instances": view.listings().len(),
                "hash": format!("{:016x}", view.content_hash()),
                "claimed": claimed,
                "reconciles": reconciles,
            }),
            Event::Gauge { gauge, value } => json!({"gauge": gauge.name(), "value": value}),
        }
    }

    fn content(&self, instance: InstanceId, status: Status, version: i64, origin: Option<Origin>) -> Value {
        json!({
            "instance": self.instance(instance),
            "status": status.name(),
            "version": version,
            "origin": origin.map(origin_name),
        })
    }

    fn operation(&self, operation: &Operation) -> Value {
        match operation {
            Operation::Register { instance } => {
                json!({"operation": "register", "instance": self.instance(*instance)})
            }
            Operation::Renew { instance } => {
                json!({"operation": "renew", "instance": self.instance(*instance)})
            }
            Operation::Deregister { instance } => {
                json!({"operation": "deregister", "instance": self.instance(*instance)})
            }
            Operation::SetStatus { instance, status } => {
                json!({"operation": "set-status", "instance": self.instance(*instance), "status": status.name()})
            }
            Operation::SetOwnStatus { instance, status } => {
                json!({"operation": "set-own-status", "instance": self.instance(*instance), "status": status.name()})
            }
            Operation::ClearStatus { instance, status } => {
                let mut text = json!({"operation": "clear-status", "instance": self.instance(*instance)});
                if let Some(status) = status {
                    text["status"] = json!(status.name());
                }
                text
            }
            Operation::LookUp { service, except } => json!({
                "operation": "look-up",
                "service": self.service(*service),
                "except": except.map(|instance| self.instance(instance)),
            }),
            Operation::SetMetadata { instance, entries } => {
                let entries: Map<String, Value> =
                    entries.iter().map(|(key, value)| (key.to_string(), json!(&**value))).collect();
                json!({"operation": "set-metadata", "instance": self.instance(*instance), "entries": entries})
            }
            Operation::SetHealth { instance, health } => {
                let name = Health::ALL.into_iter().find(|(_, known)| known == health).map(|(name, _)| name);
                json!({"operation": "set-health", "instance": self.instance(*instance), "health": name})
            }
            Operation::SetGroup { group, enabled } => {
                json!({"operation": "set-group", "group": &**group, "enabled": enabled})
            }
        }
    }

    fn node(&self, node: NodeId) -> &str {
        self.nodes.get(node.index()).map_or("", String::as_str)
    }

    fn instance(&self, instance: InstanceId) -> &str {
        self.instances.get(instance.index()).map_or("", String::as_str)
    }

    fn service(&self, service: ServiceId) -> &str {
        self.services.get(service.index()).map_or("", String::as_str)
    }
}

const fn origin_name(origin: Origin) -> &'static str {
    match origin {
        Origin::Client => "client",
        Origin::Replica => "replica",
        Origin::Sync => "sync",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::SimTime;

    #[test]
    fn a_record_is_one_line_with_names() {
        let names = |of: &[&str]| of.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let (nodes, instances) = (names(&["peer1"]), names(&["provider/0"]));
        let names = Names { nodes: &nodes, instances: &instances, services: &[], steps: &[] };
        let mut recorder = Recorder::new(names, Vec::new());
        let event = Event::Renewed { instance: InstanceId(0), origin: Origin::Replica };
        recorder.record(&Record { at: SimTime(5), what: What::Event { node: NodeId(0), event } });
        let written = String::from_utf8(recorder.finish().expect("memory")).expect("UTF-8");
        assert_eq!(
            written,
            "{\"at_ns\":5,\"instance\":\"provider/0\",\"node\":\"peer1\",\"origin\":\"replica\",\"what\":\"renewed\"}\n"
        );
    }
}
