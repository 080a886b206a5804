//! Behaviour of the driver as two or three machines see it.

pub(super) mod toy;
mod calls;
mod links;
mod hosts;
mod faults;
mod runs;
