//! What callers feel: calls answered and failed, by cause, second by second; the longest outage of any caller; and how much of its
//! time a caller could use the service that it needs.
//!
//! A call counts when its caller knows what came of it, so one that timed out counts after its timeout. Calls that are under way when
//! the run or their caller ends are not counted: nobody felt them.

use crate::history::{CallResult, Record, What};
use crate::plan::world::World;
use crate::protocol::{NodeId, ServiceId, SimTime};

const SECOND: u64 = 1_000_000_000;

/// Calls of all callers that ended within one second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Second {
    /// An instance answered.
    pub answered: u32,
    /// The caller knew no instance.
    pub no_instance: u32,
    /// The chosen instance was not running.
    pub dead_instance: u32,
    /// The chosen instance ran, but could not be reached in time.
    pub cut_off: u32,
}

impl Second {
    /// Calls that failed.
    pub fn failed(self) -> u32 {
        self.no_instance + self.dead_instance + self.cut_off
    }

    /// All calls.
    pub fn calls(self) -> u32 {
        self.answered + self.failed()
    }

    fn of(&mut self, result: CallResult) -> &mut u32 {
        match result {
            CallResult::Answered => &mut self.answered,
            CallResult::NoInstance => &mut self.no_instance,
            CallResult::DeadInstance => &mut self.dead_instance,
            CallResult::Unreachable => &mut self.cut_off,
        }
    }
}

/// A run of consecutive seconds in each of which at least half of a caller's calls to a service failed. A second without a call
/// neither belongs to it nor ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outage {
    /// The caller.
    pub caller: NodeId,
    /// The service that it called.
    pub service: ServiceId,
    /// The beginning of its first second.
    pub from: SimTime,
    /// The end of its last second.
    pub to: SimTime,
}

/// How callers spent their time, in ns summed over them: from the first call of each on, while it runs. What came of a call holds
/// until the next one. (Dabrowski, Mills: functional effectiveness, and the two parts of what is missing to it.)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usability {
    /// Calls were answered.
    pub usable: u64,
    /// Calls went to an instance that did not answer: the failure was not detected yet.
    pub detecting: u64,
    /// No instance was known: nothing had taken its place yet.
    pub restoring: u64,
}

/// All of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Callers {
    /// The second in which the first call ended; `seconds` begins there.
    pub first_second: u64,
    /// Calls by the second in which they ended, until the last that did.
    pub seconds: Vec<Second>,
    /// The longest outage of a caller, the first of several equally long ones.
    pub outage: Option<Outage>,
    /// Tries of all calls; more than calls if some were made again.
    pub tries: u64,
    /// How callers spent their time.
    pub usability: Usability,
}

impl Callers {
    /// Calls in all, by cause.
    pub fn total(&self) -> [u64; 4] {
        self.seconds.iter().fold([0; 4], |mut sum, second| {
            let counts = [second.answered, second.no_instance, second.dead_instance, second.cut_off];
            sum.iter_mut().zip(counts).for_each(|(sum, count)| *sum += u64::from(count));
            sum
        })
    }
}

/// One caller and the service that it calls.
#[derive(Clone, Debug)]
struct Line {
    caller: NodeId,
    service: ServiceId,
    /// The second that is counted now, the calls that ended in it, and how many of these failed.
    second: u64,
    made: u32,
    failed: u32,
    /// The first and last second of an outage that may go on.
    outage: Option<(u64, u64)>,
    /// What came of the last call, and since when that holds.
    last: Option<(SimTime, CallResult)>,
}

/// The fold.
pub struct Listener {
    /// In order of caller and service.
    lines: Vec<Line>,
    found: Callers,
}

impl Listener {
    /// Before the run.
    pub fn new(world: &World) -> Listener {
        let mut pairs: Vec<_> = world.traffic.iter().map(|line| (line.caller, line.service)).collect();
        pairs.sort_unstable();
        pairs.dedup();
        let line = |(caller, service)| Line {
            caller,
            service,
            second: 0,
            made: 0,
            failed: 0,
            outage: None,
            last: None,
        };
        Listener { lines: pairs.into_iter().map(line).collect(), found: Callers::default() }
    }

    /// Takes in one record.
    pub fn record(&mut self, record: &Record) {
        match &record.what {
            What::Traffic { caller, service, result, last, .. } => {
                self.found.tries += 1;
                if *last {
                    self.call(record.at, *caller, *service, *result);
                }
            }
            What::Ended { node, .. } => {
                let first = self.lines.partition_point(|line| line.caller < *node);
                for line in self.lines[first..].iter_mut().take_while(|line| line.caller == *node) {
                    self.found.usability.spend(line.last.take(), record.at);
                }
            }
            _ => {}
        }
    }

    fn call(&mut self, at: SimTime, caller: NodeId, service: ServiceId, result: CallResult) {
        let second = at.0 / SECOND;
        let found = &mut self.found;
        if found.seconds.is_empty() {
            found.first_second = second;
        }
        let place = (second - found.first_second) as usize;
        if found.seconds.len() <= place {
            found.seconds.resize(place + 1, Second::default());
        }
        *found.seconds[place].of(result) += 1;
        let Ok(index) =
            self.lines.binary_search_by_key(&(caller, service), |line| (line.caller, line.service))
        else {
            return;
        };
        let line = &mut self.lines[index];
        found.usability.spend(line.last.replace((at, result)), at);
        if line.second != second {
            line.count(&mut found.outage);
            (line.second, line.made, line.failed) = (second, 0, 0);
        }
        line.made += 1;
        line.failed += u32::from(result != CallResult::Answered);
    }

    /// The run is over.
    pub fn finish(mut self, end: SimTime) -> Callers {
        for line in &mut self.lines {
            line.count(&mut self.found.outage);
            self.found.usability.spend(line.last.take(), end);
        }
        self.found
    }
}

impl Line {
    /// A second of it is over.
    fn count(&mut self, longest: &mut Option<Outage>) {
        if self.made == 0 {
            return;
        }
        if self.failed * 2 < self.made {
            self.outage = None;
            return;
        }
        let (from, _) = self.outage.unwrap_or((self.second, self.second));
        self.outage = Some((from, self.second));
        let (from, to) = (SimTime(from * SECOND), SimTime((self.second + 1) * SECOND));
        if longest.is_none_or(|longest| to.since(from) > longest.to.since(longest.from)) {
            *longest = Some(Outage { caller: self.caller, service: self.service, from, to });
        }
    }
}

impl Usability {
    /// What came of a call has held until now.
    fn spend(&mut self, last: Option<(SimTime, CallResult)>, until: SimTime) {
        let Some((since, result)) = last else { return };
        *match result {
            CallResult::Answered => &mut self.usable,
            CallResult::DeadInstance | CallResult::Unreachable => &mut self.detecting,
            CallResult::NoInstance => &mut self.restoring,
        } += until.0 - since.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::tests::{PROVIDER, READER, called, called_again, world};
    use CallResult::{Answered, DeadInstance, NoInstance, Unreachable};

    fn callers(records: &[Record]) -> Callers {
        let mut listener = Listener::new(&world());
        records.iter().for_each(|record| listener.record(record));
        listener.finish(SimTime::from_secs(100))
    }

    #[test]
    fn calls_are_counted_by_second_and_cause() {
        let found = callers(&[
            called(10_000, Answered),
            called(10_900, NoInstance),
            called(12_100, DeadInstance),
            called(12_200, Unreachable),
        ]);
        let second = |answered, no_instance, dead_instance, cut_off| Second {
            answered,
            no_instance,
            dead_instance,
            cut_off,
        };
        assert_eq!(found.first_second, 10);
        assert_eq!(found.seconds, [second(1, 1, 0, 0), second(0, 0, 0, 0), second(0, 0, 1, 1)]);
        assert_eq!((found.total(), found.tries), ([1, 1, 1, 1], 4));
    }

    #[test]
    fn a_call_that_is_made_again_is_one_call() {
        let found = callers(&[called_again(10_000, DeadInstance), called(10_001, Answered)]);
        assert_eq!((found.total(), found.tries, found.outage), ([1, 0, 0, 0], 2, None));
    }

    #[test]
    fn the_longest_outage_is_of_seconds_in_which_half_of_the_calls_failed() {
        let outage = |records: &[Record]| {
            callers(records)
                .outage
                .map(|outage| (outage.from.as_millis() / 1000, outage.to.as_millis() / 1000))
        };
        assert_eq!(outage(&[called(5_000, Answered)]), None);
        // Half is enough; less is not.
        assert_eq!(outage(&[called(5_000, Answered), called(5_500, NoInstance)]), Some((5, 6)));
        let third = [called(5_000, Answered), called(5_300, Answered), called(5_500, NoInstance)];
        assert_eq!(outage(&third), None);
        // A second without a call is bridged, one that is better ends it; the longer of two counts.
        let two = [
            called(5_000, NoInstance),
            called(6_000, Answered),
            called(20_000, Unreachable),
            called(22_000, DeadInstance),
            called(23_000, Answered),
            called(30_000, NoInstance),
        ];
        assert_eq!(outage(&two), Some((20, 23)));
    }

    #[test]
    fn time_is_spent_by_what_came_of_the_last_call() {
        let records = [
            called(10_000, Answered),
            called(20_000, DeadInstance),
            called(25_000, NoInstance),
            called(40_000, Answered),
        ];
        let seconds = |usability: Usability| {
            [usability.usable, usability.detecting, usability.restoring].map(|spent| spent / SECOND)
        };
        assert_eq!(seconds(callers(&records).usability), [10 + 60, 5, 15]);
        // Not while the caller is down.
        let mut ended = records.to_vec();
        ended.push(Record { at: SimTime::from_secs(50), what: What::Ended { node: PROVIDER, exit: None } });
        ended.push(Record { at: SimTime::from_secs(60), what: What::Ended { node: READER, exit: None } });
        assert_eq!(seconds(callers(&ended).usability), [10 + 20, 5, 15]);
    }
}
