//! Behaviour of the driver as two or three machines see it.

mod toy;
mod calls;
mod links;
mod hosts;
mod runs;
