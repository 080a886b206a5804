//! Results as text, JSON and pictures: what a person looks at after a run.
//!
//! Each kind of report takes plain data that says what is shown and knows nothing of protocols, simulation or checks; whoever
//! measures fills it. In reading order: `words` spells durations and lists, `figure` draws every sheet, `view` is one run as
//! reports see it, then the reports: pictures of one run and of many, the timeline on the terminal and what happened in words, the
//! summary, and how files are written. `fill` makes all of that from a plan and what was measured.

pub mod words;
pub mod figure;
pub mod view;
pub mod convergence;
pub mod ensemble;
pub mod text;
pub mod chronicle;
pub mod summary;
pub mod write;
pub mod fill;

#[cfg(test)]
mod tests;
