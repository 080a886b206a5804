//! Netflix Eureka and Spring Cloud Netflix.
//!
//! Reading order: [`config`] and [`node`] (what a process is told), [`instance`] and [`wire`] (what is stored and said),
//! [`limiter`] (which both roles have), then the two roles: [`client`], and [`server`], which contains a client of its own.

pub mod config;
pub mod node;
pub mod applications;
pub mod instance;
pub mod wire;
pub mod limiter;
pub mod client;
pub mod server;

#[cfg(test)]
mod transcripts;

use std::hash::Hasher;
use std::sync::Arc;

pub use client::Client;
pub use node::Config;
pub use server::Server;

use crate::protocol::{Cx, Disk, Input, Instant, Never, Protocol};

/// A Eureka process. Server and client are two roles of one protocol.
#[derive(Clone, Debug)]
pub enum Eureka {
    /// It stores the registry.
    Server(Box<Server>),
    /// It registers and looks up.
    Client(Box<Client>),
}

/// Which of a process's parts a call belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tag {
    /// The client, or the client inside a server.
    Client(client::Tag),
    /// A server, beside the client in it: replication, and fetches from other regions.
    Server(server::Tag),
}

impl Protocol for Eureka {
    type Config = Config;
    type Request = wire::Request;
    type Response = wire::Response;
    type Message = Never;
    type Record = Never;
    type Tag = Tag;

    fn start(config: &Arc<Config>, _: &Disk<Never>, cx: &mut Cx<'_, Eureka>) -> Eureka {
        match &**config {
            Config::Server(node) => Eureka::Server(Box::new(Server::start(node, cx))),
            Config::Client(_) => Eureka::Client(Box::new(Client::application(config, cx))),
        }
    }

    fn handle(&mut self, input: Input<Eureka>, cx: &mut Cx<'_, Eureka>) {
        match self {
            Eureka::Server(server) => server.handle(input, cx),
            Eureka::Client(client) => client.handle(input, cx),
        }
    }

    fn next_timeout(&self) -> Option<Instant> {
        match self {
            Eureka::Server(server) => server.next_timeout(),
            Eureka::Client(client) => client.next_timeout(),
        }
    }

    fn fingerprint(&self, into: &mut dyn Hasher) {
        match self {
            Eureka::Server(server) => server.fingerprint(into),
            Eureka::Client(client) => client.fingerprint(into),
        }
    }
}
