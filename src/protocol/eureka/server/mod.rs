//! The registry server.

use std::hash::Hasher;

use super::Eureka;
use super::node::ServerNode;
use crate::protocol::{Cx, Input, Instant};

/// Which replication batch a call carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag {
    /// The peer, in the order of the peer list.
    pub peer: u16,
    /// The worker that made the call.
    pub worker: u16,
}

/// A registry server.
#[derive(Clone, Debug)]
pub struct Server {}

impl Server {
    /// The server process starts.
    pub fn start(_node: &ServerNode, _cx: &mut Cx<'_, Eureka>) -> Server {
        Server {}
    }

    /// One input.
    pub fn handle(&mut self, _input: Input<Eureka>, _cx: &mut Cx<'_, Eureka>) {}

    /// The earliest deadline.
    pub fn next_timeout(&self) -> Option<Instant> {
        None
    }

    /// Folds the state into a hash.
    pub fn fingerprint(&self, _into: &mut dyn Hasher) {}
}
