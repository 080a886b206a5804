//! The one integration binary: every module is one family of tests.

mod toys;

mod arrows;
mod determinism;
mod parity;
mod power_loss;
mod seam;
