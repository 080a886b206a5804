//! Results as text, JSON and pictures: what a person looks at after a run.
//!
//! Each kind of report takes plain data that says what is shown and knows nothing of protocols, simulation or checks; whoever
//! measures fills it. In reading order: `words` spells durations and lists, `figure` draws every sheet, then the reports.

pub mod words;
pub mod figure;
