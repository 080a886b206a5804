//! scenario

pub mod diagnostic;
pub mod units;
pub mod tree;
