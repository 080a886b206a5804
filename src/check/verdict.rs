//! The result of a check.

use crate::protocol::SimTime;

/// Whether something held. In order of precedence over several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// It held, and had a chance not to.
    Holds,
    /// It had no chance to fail, or the run was too short to tell.
    Inconclusive,
    /// It did not hold.
    Violated,
}

impl Verdict {
    /// Its name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Verdict::Holds => "holds",
            Verdict::Inconclusive => "inconclusive",
            Verdict::Violated => "violated",
        }
    }
}

/// What one check found, with its evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The check: an expectation as written, or the name of an invariant.
    pub name: String,
    /// The result.
    pub verdict: Verdict,
    /// When it was decided: the violation, or the moment that proves it.
    pub at: Option<SimTime>,
    /// The evidence, in a sentence.
    pub detail: String,
    /// Whether the scenario asked for it, or it is always on.
    pub expected: bool,
}
