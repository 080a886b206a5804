//! Two toy protocols that together use the whole seam, and what drives and records them.

pub mod wire;
pub mod register;
pub mod log;
pub mod tape;
pub mod files;
pub mod sockets;
pub mod arrivals;
pub mod realtime;
pub mod worlds;
