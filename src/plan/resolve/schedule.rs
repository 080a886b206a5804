//! The timeline as a schedule of faults with a beginning and an end.
//!
//! Separate because of its order: steps that follow others need their ends, and settings changed at run time build on those
//! changed before. What a step does then is said in [`faults`](super::faults).

use super::{Resolver, StepMoments};
use crate::plan::world::{Step, TriggerId};
use crate::protocol::SimTime;
use crate::scenario::diagnostic::Spanned;
use crate::scenario::timeline::{Action, Step as Written, When};
use std::time::Duration;

/// The most faults of a schedule; a step of the timeline may come to very many.
const MOST_STEPS: usize = 1_000_000;

/// A moment as far as a plan knows it: so long after a trigger, or after the start of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Time {
    pub base: Option<TriggerId>,
    pub at: SimTime,
}

/// One step of the timeline with its time known.
struct Timed<'s> {
    written: &'s Written,
    /// When it begins; more than once if it is repeated.
    begins: Vec<Time>,
}

impl<'s> Resolver<'s> {
    /// All steps, in order of time; those that wait for something come last.
    pub(super) fn resolve_schedule(&mut self) {
        let mut timed = self.resolve_times();
        timed.sort_by_key(|timed| timed.begins.first().copied());
        for Timed { written, begins } in timed {
            let name = written.name.as_ref().map_or_else(|| written.label.clone(), |name| name.value.clone());
            let first = self.steps.len();
            for Time { base: trigger, at } in begins {
                let lasts = written.lasts.as_ref().map(|lasts| lasts.value);
                self.base = trigger;
                self.as_of = Some(self.earliest(trigger, at));
                let moves = self.moves(written);
                if self.steps.len() + moves.len() > MOST_STEPS {
                    let message = format!("the timeline comes to more than {MOST_STEPS} faults");
                    self.error(
                        written.span,
                        message,
                        Some("fewer repetitions, or fewer that are hit".to_owned()),
                    );
                    self.as_of = None;
                    return;
                }
                for (later, fault) in moves {
                    let at = at + later;
                    let until = lasts.map(|lasts| at + lasts);
                    self.steps.push(Step { name: name.clone(), trigger, at, until, fault });
                }
                self.as_of = None;
            }
            let steps = &self.steps[first..];
            if let (Some(last), Some(trigger)) =
                (steps.len().checked_sub(1), steps.first().map(|it| it.trigger))
            {
                let end =
                    steps.iter().map(|step| step.until.unwrap_or(step.at)).max().unwrap_or(SimTime::ZERO);
                let moments = StepMoments { first, last: first + last, end: Time { base: trigger, at: end } };
                if let Some(name) = &written.name {
                    self.moments.insert(name.value.clone(), moments);
                }
                self.expect_answer(written, first);
            }
        }
    }

    /// The earliest moment that a time can mean: what it waits for comes at once.
    pub(super) fn earliest(&self, base: Option<TriggerId>, at: SimTime) -> SimTime {
        self.with_waits(base, at, Duration::ZERO)
    }

    /// The latest moment that a time is taken to mean when the length of a run is reckoned: all that is waited for comes after as
    /// long as the shortest run takes.
    pub(super) fn latest(&self, base: Option<TriggerId>, at: SimTime) -> SimTime {
        self.with_waits(base, at, super::SHORTEST)
    }

    fn with_waits(&self, mut base: Option<TriggerId>, at: SimTime, each: Duration) -> SimTime {
        let mut sum = at;
        while let Some(trigger) = base {
            let trigger = &self.triggers[trigger.index()];
            sum = SimTime(sum.0.saturating_add(trigger.from.0)) + each;
            base = trigger.after;
        }
        sum
    }

    /// The beginnings of all steps. Steps that follow others are looked at again until none is left that can be placed.
    fn resolve_times(&mut self) -> Vec<Timed<'s>> {
        let scenario = self.scenario;
        let mut ends: Vec<(&str, Time)> = Vec::new();
        let mut names: Vec<&str> = Vec::new();
        for step in &scenario.timeline {
            let Some(name) = &step.name else { continue };
            if names.contains(&name.as_str()) {
                self.error(name.span, format!("two steps of one name: `{}`", name.value), None);
            }
            names.push(name);
        }
        let mut open: Vec<&Written> = scenario.timeline.iter().collect();
        let mut timed = Vec::new();
        while !open.is_empty() {
            // How long a rolling restart takes depends on how many there are then: all scaling before it must have its time.
            let ready = |rolling: bool, ends: &[(&str, Time)]| {
                open.iter().position(|step| {
                    let rolls = matches!(step.action, Action::RollingRestart(_));
                    rolls == rolling && start_of(step, ends).is_some()
                })
            };
            let Some(next) = ready(false, &ends).or_else(|| ready(true, &ends)) else { break };
            let step = open.remove(next);
            let Some(from) = start_of(step, &ends) else { break };
            let first = match &step.waits {
                None => from,
                Some(waits) => match self.trigger(waits, from) {
                    Some(trigger) => Time { base: Some(trigger), at: SimTime::from(waits.plus) },
                    None => from,
                },
            };
            let begins = self.beginnings(step, first);
            let length = self.length(step, first);
            if let (Some(name), Some(last)) = (&step.name, begins.last()) {
                ends.push((name, Time { at: last.at + length, ..*last }));
            }
            if let (Action::Scale { service, to, .. }, None) = (&step.action, first.base) {
                let to = u32::try_from(to.value).unwrap_or(u32::MAX);
                self.scales.extend(begins.iter().map(|begin| (service.value.clone(), begin.at, to)));
                self.scales.sort_by_key(|(_, at, _)| *at);
            }
            timed.push(Timed { written: step, begins });
        }
        for step in open {
            let When::After { step, .. } = &step.when else { continue };
            match names.contains(&step.as_str()) {
                true => self.error(step.span, "steps that wait for each other".to_owned(), None),
                false => {
                    let valid = names.iter().map(|name| (*name).to_owned()).collect();
                    self.unknown("step", step, valid).unwrap_or(())
                }
            }
        }
        timed
    }

    /// A moment of the run, once the schedule stands.
    pub(super) fn moment(&mut self, when: &When) -> Option<SimTime> {
        match when {
            When::At(at) => Some(SimTime::from(at.value)),
            When::After { step, plus } => {
                let end = self.step_named(step)?.end;
                match end.base {
                    None => Some(end.at + *plus),
                    Some(_) => {
                        let message = format!("when `{}` happens is known only in the run", step.value);
                        let help = "`delay` and `order` take such steps as moments";
                        self.refuse(step.span, message, help)
                    }
                }
            }
        }
    }

    pub(super) fn step_named(&mut self, name: &Spanned<String>) -> Option<StepMoments> {
        if let Some(moments) = self.moments.get(&name.value) {
            return Some(*moments);
        }
        // A step that exists and is wrong has been reported already.
        let written = self.scenario.timeline.iter().filter_map(|step| step.name.as_ref());
        let valid: Vec<String> = written.map(|name| name.value.clone()).collect();
        if valid.contains(&name.value) {
            return None;
        }
        self.unknown("step", name, valid)
    }

    /// How long it is from the beginning of a step to its end.
    fn length(&mut self, step: &Written, first: Time) -> Duration {
        let lasts = step.lasts.as_ref().map_or(Duration::ZERO, |lasts| lasts.value);
        let over = step.over.as_ref().map_or(Duration::ZERO, |over| over.value);
        let rolls = match &step.action {
            Action::RollingRestart(rolling) => {
                self.as_of = Some(self.earliest(first.base, first.at));
                let batches = self.batches(rolling);
                self.as_of = None;
                let last = u32::try_from(batches.len().saturating_sub(1)).unwrap_or(u32::MAX);
                rolling.every.value.saturating_mul(last).saturating_add(rolling.down)
            }
            _ => Duration::ZERO,
        };
        lasts.max(rolls).saturating_add(over)
    }

    /// When a step begins: once, or again and again until a time.
    fn beginnings(&mut self, step: &Written, first: Time) -> Vec<Time> {
        let Some((every, until)) = &step.repeat else { return vec![first] };
        if first.base.is_some() {
            let help = Some("leave `every` and `until` out, or write a time".to_owned());
            self.error(every.span, "a step that follows what waits for something happens once", help);
            return vec![first];
        }
        let mut begins = Vec::new();
        let mut at = first.at;
        while at <= SimTime::from(until.value) {
            begins.push(Time { at, ..first });
            at = at + every.value;
        }
        let is_set = |step: &Written| matches!(step.action, Action::Set(_));
        if is_set(step) && self.scenario.timeline.iter().filter(|other| is_set(other)).count() > 1 {
            let help = Some("write each change as a step of its own".to_owned());
            self.error(every.span, "a repeated `set` beside others, which it would undo", help);
        }
        if begins.is_empty() {
            self.error(until.span, "`until` is before the first time", None);
        }
        begins
    }
}

/// When a step happens first, or from when on it waits, if that is known: where a named step ends may not be yet.
fn start_of(step: &Written, ends: &[(&str, Time)]) -> Option<Time> {
    match &step.when {
        When::At(at) => Some(Time { base: None, at: SimTime::from(at.value) }),
        When::After { step, plus } => {
            let (_, end) = ends.iter().find(|(name, _)| *name == step.value)?;
            Some(Time { at: end.at + *plus, ..*end })
        }
    }
}
