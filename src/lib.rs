//! regsim: what will my service registry do when things break?
//!
//! The codemap, in reading order. A module uses only modules above it; `tests/it/arrows.rs` holds that.

pub mod check;
pub mod cli;
pub mod explore;
pub mod history;
pub mod metric;
pub mod plan;
pub mod protocol;
pub mod report;
pub mod run;
pub mod scenario;
pub mod sim;
