//! `expect:` of a request: the HTTP status of its answer.

use super::super::verdict::Verdict;
use crate::history::{Record, What};
use crate::protocol::{Answer, SimTime, Ticket};

/// What has been asked and answered for one expectation.
#[derive(Clone, Debug)]
pub struct Answers {
    steps: Vec<u32>,
    status: u16,
    /// The step that asks has just begun.
    asks: bool,
    open: Vec<Ticket>,
    right: usize,
    last: Option<SimTime>,
    /// The first answer that is another one.
    wrong: Option<(SimTime, u16)>,
}

impl Answers {
    /// Before the run.
    pub fn new(steps: &[u32], status: u16) -> Answers {
        Answers {
            steps: steps.to_vec(),
            status,
            asks: false,
            open: Vec::new(),
            right: 0,
            last: None,
            wrong: None,
        }
    }

    /// Takes in one record.
    pub fn record(&mut self, record: &Record) {
        match &record.what {
            What::Step { step, began: true } => self.asks = self.steps.contains(step),
            What::Invoked { ticket, .. } if std::mem::take(&mut self.asks) => self.open.push(*ticket),
            What::Completed { ticket, answer, .. } => {
                let Some(at) = self.open.iter().position(|open| open == ticket) else { return };
                self.open.swap_remove(at);
                let answered = match answer {
                    // What success is answered with, the plan knows.
                    Answer::Ok if (200..300).contains(&self.status) => self.status,
                    Answer::Ok => 200,
                    Answer::Failed(code) => *code,
                    Answer::Found(_) | Answer::NoneFound | Answer::Unknown => 0,
                };
                match answered {
                    // Nobody was there to answer.
                    0 => {}
                    answered if answered == self.status => {
                        self.right += 1;
                        self.last = Some(record.at);
                    }
                    answered => _ = self.wrong.get_or_insert((record.at, answered)),
                }
            }
            _ => {}
        }
    }

    /// All must have been answered so.
    pub fn finish(&self) -> (Verdict, Option<SimTime>, String) {
        match (self.wrong, self.right == self.steps.len()) {
            (Some((at, answered)), _) => {
                (Verdict::Violated, Some(at), format!("answered {answered} instead of {}", self.status))
            }
            (None, true) => (Verdict::Holds, self.last, format!("{} × {}", self.right, self.status)),
            (None, false) => {
                let missing = self.steps.len() - self.right;
                let detail = format!("{missing} of {} requests got no answer", self.steps.len());
                (Verdict::Inconclusive, None, detail)
            }
        }
    }
}
