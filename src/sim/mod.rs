//! sim

pub mod queue;
