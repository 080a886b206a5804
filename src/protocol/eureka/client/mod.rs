//! The client.

use std::hash::Hasher;
use std::sync::Arc;

use super::Eureka;
use super::instance::Applications;
use super::node::ClientNode;
use crate::protocol::{Cx, Input, Instant, Status};

/// What a client's call was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tag {}

/// A client.
#[derive(Clone, Debug)]
pub struct Client {
    applications: Arc<Applications>,
}

impl Client {
    /// The application starts.
    pub fn start(_node: &ClientNode, _cx: &mut Cx<'_, Eureka>) -> Client {
        Client { applications: Arc::default() }
    }

    /// One input. Inside a server, only timeouts and the outcomes of the client's own calls get here.
    pub fn handle(&mut self, _input: Input<Eureka>, _cx: &mut Cx<'_, Eureka>) {}

    /// The earliest deadline.
    pub fn next_timeout(&self) -> Option<Instant> {
        None
    }

    /// What the cache holds, unfiltered.
    pub fn applications(&self) -> &Arc<Applications> {
        &self.applications
    }

    /// Whether the blocking fetch at construction has ended, well or not.
    pub fn constructed(&self) -> bool {
        true
    }

    /// The application, or the server around it, changes its status.
    pub fn set_status(&mut self, _status: Status, _cx: &mut Cx<'_, Eureka>) {}

    /// The local status.
    pub fn status(&self) -> Status {
        Status::Up
    }

    /// Folds the state into a hash.
    pub fn fingerprint(&self, _into: &mut dyn Hasher) {}
}
