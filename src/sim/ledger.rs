//! What a run costs: messages and bytes that processes sent, by kind and class of path, and how many requests waited at most.
//!
//! Counted when a message is sent, whether or not it arrives; what TCP sends again, and connections, are not messages. The answer to
//! a request counts under the request's kind. The traffic between instances is not the registry's and is left out.

/// How far apart sender and receiver are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PathClass {
    /// On one host.
    SameHost,
    /// In one zone.
    SameZone,
    /// In two zones of one region.
    SameRegion,
    /// In two regions.
    CrossRegion,
}

impl PathClass {
    /// All of them, with their names in figures.
    pub const ALL: [(PathClass, &'static str); 4] = [
        (PathClass::SameHost, "same_host"),
        (PathClass::SameZone, "same_zone"),
        (PathClass::SameRegion, "same_region"),
        (PathClass::CrossRegion, "cross_region"),
    ];
}

/// Messages of one kind over one class of path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many.
    pub messages: u64,
    /// Their estimated size.
    pub bytes: u64,
}

/// Messages of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// `Wire::kind` of the request, or of the message.
    pub kind: &'static str,
    /// By [`PathClass`].
    pub tallies: [Tally; 4],
}

/// All that was sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// In the order in which they first came. Apart from the tallies, because all are looked through for every message.
    kinds: Vec<&'static str>,
    tallies: Vec<[Tally; 4]>,
    deepest: usize,
}

impl Ledger {
    /// Counts one message. Returns its row, for the answer to it.
    #[inline]
    pub(super) fn count(&mut self, kind: &'static str, class: PathClass, bytes: u32) -> u8 {
        // One literal is mostly one address, and comparing that is cheap.
        let same = |known: &&str| std::ptr::eq(known.as_ptr(), kind.as_ptr());
        let row = self.kinds.iter().position(same).filter(|row| self.kinds[*row].len() == kind.len());
        let row = row.unwrap_or_else(|| self.row(kind)) as u8;
        self.count_in(row, class, bytes);
        row
    }

    /// Counts one more message of a kind that was counted before.
    #[inline]
    pub(super) fn count_in(&mut self, row: u8, class: PathClass, bytes: u32) {
        let tally = &mut self.tallies[usize::from(row)][class as usize];
        tally.messages += 1;
        tally.bytes += u64::from(bytes);
    }

    #[cold]
    fn row(&mut self, kind: &'static str) -> usize {
        self.kinds.iter().position(|known| *known == kind).unwrap_or_else(|| {
            self.kinds.push(kind);
            self.tallies.push(Default::default());
            assert!(self.kinds.len() <= 256, "a protocol has at most 256 kinds of messages");
            self.kinds.len() - 1
        })
    }

    /// So many requests wait for a worker of one process.
    pub(super) fn waiting(&mut self, requests: usize) {
        self.deepest = self.deepest.max(requests);
    }

    /// What was sent, in the order in which kinds first came.
    pub fn rows(&self) -> impl Iterator<Item = Row> {
        self.kinds.iter().zip(&self.tallies).map(|(kind, tallies)| Row { kind, tallies: *tallies })
    }

    /// How many requests waited for a worker of one process at most.
    pub fn deepest(&self) -> u64 {
        self.deepest as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_counted_by_kind_and_class() {
        let mut ledger = Ledger::default();
        let row = ledger.count("heartbeat", PathClass::SameZone, 100);
        ledger.count_in(row, PathClass::SameZone, 20);
        ledger.count("fetch", PathClass::CrossRegion, 5);
        // The same name from elsewhere is the same kind.
        let elsewhere: &'static str = String::from("heartbeat").leak();
        assert_eq!(ledger.count(elsewhere, PathClass::SameHost, 1), row);
        let tally = |messages, bytes| Tally { messages, bytes };
        let tallies: Vec<_> = ledger.rows().map(|row| (row.kind, row.tallies)).collect();
        assert_eq!(
            tallies,
            [
                ("heartbeat", [tally(1, 1), tally(2, 120), tally(0, 0), tally(0, 0)]),
                ("fetch", [tally(0, 0), tally(0, 0), tally(0, 0), tally(1, 5)])
            ]
        );
        [3, 7, 2].into_iter().for_each(|requests| ledger.waiting(requests));
        assert_eq!(ledger.deepest(), 7);
    }
}
