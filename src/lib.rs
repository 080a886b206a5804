//! regsim: what will my service registry do when things break?
//!
//! The codemap, in reading order. A module uses only modules above it; `tests/it/arrows.rs` holds that.

#![allow(
    rustdoc::private_intra_doc_links,
    reason = "the documentation is built with its private parts: they are the map"
)]

pub mod protocol;
pub mod scenario;
pub mod history;
pub mod plan;
pub mod sim;
pub mod check;
pub mod metric;
pub mod run;
pub mod explore;
pub mod report;
pub mod cli;
