//! The scenario resolved: defaults filled, selectors expanded, chance drawn, configs typed. Printable.
//!
//! [`world`] is what a driver needs and knows no protocol.

pub mod world;

pub use world::World;
