//! How large a scenario may be: a slip of the hand must not fill the memory or run for a week.
//!
//! Separate because whoever means it can raise each limit on the command line. What counts is checked when the scenario is resolved, where
//! the whole is known.

use std::time::Duration;

/// What a scenario may not exceed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Instances of all services together. Default 1,000,000.
    pub instances: u64,
    /// Length of a run in virtual time. Default 31 days.
    pub duration: Duration,
    /// Calls and heartbeats of the whole run. Default 1,000,000,000: some minutes of computing.
    pub requests: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { instances: 1_000_000, duration: Duration::from_secs(31 * 86_400), requests: 1_000_000_000 }
    }
}
