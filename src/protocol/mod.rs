//! What the machines are made of: the seam between a protocol and its driver, the vocabulary that all protocols share, and
//! the protocols themselves.
//!
//! Nothing in here knows a clock, a socket, a thread, a generator or the simulator: a driver (`sim`, `serve`) hands in one
//! input at a time and carries out the effects that come back.
//!
//! Reading order: [`time`] and [`ids`] (the small words), [`vocabulary`] (operations and events that checks understand),
//! [`disk`], [`random`], then [`seam`], the contract itself. [`eureka`] is the first system.

pub mod time;
pub mod ids;
pub mod vocabulary;
pub mod disk;
pub mod random;
pub mod seam;

pub mod eureka;

pub use disk::{Cell, Disk, FileId, Log, Write};
pub use ids::{Address, CallId, InstanceId, LinkId, NodeId, PoolId, RequestId, ServiceId, Ticket};
pub use random::{Key, Stream};
pub use seam::{
    Call, CallError, Cx, DiskError, DiskInput, Effect, EndReason, Input, LinkInput, Never, Protocol, Wire,
};
pub use time::{Instant, SimTime, Wall};
pub use vocabulary::{Answer, Event, Gauge, Health, Listing, Operation, Origin, Status, View};
