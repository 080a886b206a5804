//! The one integration binary: every module is one family of tests.

mod scenarios;
mod toys;

mod arrows;
mod commands;
mod clusters;
mod cures;
mod determinism;
mod fidelity;
mod docs;
mod effects;
mod keys;
mod last_writer;
mod mutations;
mod parity;
mod power_loss;
mod seam;
mod settings;
mod timeline;
mod words;
