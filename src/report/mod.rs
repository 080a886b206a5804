//! Results as text, JSON and pictures: what a person looks at after a run.
//!
//! Each kind of report takes plain data that says what is shown and knows nothing of protocols, simulation or checks; whoever
//! measures fills it. In reading order: `words` spells durations and lists, `figure` draws every sheet, `view` is one run as
//! reports see it, then the reports: pictures of one run and of many, the summary, `measured` (figures for people), the timeline on the
//! terminal, what happened in words, the same as a page, and how files are written. `fill` makes all of that from a plan and what was
//! measured, and `pictures` says which pictures there are.

pub mod words;
pub mod figure;
pub mod view;
pub mod convergence;
pub mod calls;
pub mod beliefs;
pub mod ensemble;
pub mod distributions;
pub mod summary;
pub mod measured;
pub mod text;
pub mod chronicle;
pub mod markdown;
pub mod write;
pub mod fill;
pub mod pictures;

#[cfg(test)]
mod tests;
