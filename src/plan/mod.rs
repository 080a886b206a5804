//! The scenario resolved: defaults filled, selectors expanded, chance drawn, configs typed. Printable.
//!
//! [`world`] is what a driver needs and knows no protocol; [`clusters`] says which of its processes belong together;
//! [`expectation`] is what the run is judged by.

pub mod clusters;
pub mod expectation;
pub mod resolve;
mod show;
pub mod world;

use std::sync::Arc;

use crate::protocol::eureka;

pub use expectation::{Expectation, Expected, Invariant, Moment, Pattern, Range};
pub use world::World;

/// All that a run needs, but for its seed.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Where the scenario stands among its like, such as `eureka/peer-down`.
    pub name: String,
    /// The scenario's title.
    pub title: String,
    /// What it is about.
    pub about: String,
    /// Which system, and the settings of its processes.
    pub system: System,
    /// Hosts, processes, paths, and what happens to them.
    pub world: World,
    /// What must hold.
    pub expectations: Vec<Expectation>,
    /// The seed that the scenario names. Default 1.
    pub seed: u64,
    /// The same story with something changed, each of which must hold.
    pub cures: Vec<Cure>,
    /// What is to be swept: where it stands, and its values as written.
    pub vary: Vec<(String, Vec<String>)>,
    /// What whoever runs it should know, such as keys of an imported file that mean nothing here.
    pub notes: Vec<String>,
}

/// What cures the known weaknesses of a scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct Cure {
    /// What it is.
    pub about: String,
    /// What it changes, each as `key: value`.
    pub changes: Vec<String>,
    /// The scenario with it, resolved.
    pub plan: Plan,
}

/// Which system runs, with the settings of each process in order of `NodeId`; those at the end are for `Fault::Reconfigure`.
#[derive(Clone, Debug, PartialEq)]
pub enum System {
    /// Netflix Eureka or Spring Cloud Netflix.
    Eureka(Vec<Arc<eureka::Config>>),
}

impl System {
    /// Its name in reports.
    pub const fn name(&self) -> &'static str {
        match self {
            System::Eureka(_) => "eureka",
        }
    }
}
