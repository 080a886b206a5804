//! Who a line is about: few names are said, many are counted.

use super::super::words;

/// Distinct ids that are remembered; beyond these only the first and the last are said.
const REMEMBERED: usize = 256;

/// A set of ids of bounded size.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// In order, without repetition.
    ids: Vec<u32>,
    /// Whether there were more than could be remembered.
    more: bool,
}

impl Names {
    /// Takes in one.
    pub fn add(&mut self, id: u32) {
        match self.ids.binary_search(&id) {
            Ok(_) => {}
            Err(place) if self.ids.len() < REMEMBERED => self.ids.insert(place, id),
            Err(place) => {
                self.more = true;
                // The last one stays the last.
                if place == self.ids.len()
                    && let Some(last) = self.ids.last_mut()
                {
                    *last = id;
                }
            }
        }
    }

    /// The one that there is, if there is one alone.
    pub fn only(&self) -> Option<u32> {
        match self.ids.as_slice() {
            [id] => Some(*id),
            _ => None,
        }
    }

    /// In words: up to three by name if they are of several services, more as the first and the last of each. `all`: how many there were, where the set
    /// does not know.
    pub fn said(&self, table: impl Fn(u32) -> String, all: u64) -> String {
        let names: Vec<String> = self.ids.iter().map(|&id| table(id)).collect();
        let service = |name: &String| name.rsplit_once('/').map(|(service, _)| service.to_owned());
        let mut groups: Vec<(Option<String>, Vec<&String>)> = Vec::new();
        for name in &names {
            let of = service(name);
            match groups.iter_mut().find(|(group, _)| *group == of) {
                Some((_, members)) => members.push(name),
                None => groups.push((of, vec![name])),
            }
        }
        let alone = groups.len() == 1;
        if !self.more && (names.len() <= 2 || (names.len() == 3 && !alone)) {
            return words::names(&names);
        }
        let group = |members: &Vec<&String>| match members.as_slice() {
            [one] => (*one).clone(),
            [first, .., last] if self.more && alone => format!("{first} … {last} ({all})"),
            [first, .., last] if self.more => format!("{first} … {last}"),
            [first, .., last] => format!("{first} … {last} ({})", members.len()),
            [] => String::new(),
        };
        let said: Vec<String> = groups.iter().map(|(_, members)| group(members)).collect();
        words::names(&said)
    }

    /// `5 clients`, or nothing but the name if there is one.
    pub fn counted(&self, table: impl Fn(u32) -> String, one: &str, many: &str) -> String {
        match (self.ids.as_slice(), self.more) {
            ([id], _) => table(*id),
            (ids, false) => words::count(ids.len() as u64, one, many),
            (ids, true) => format!("over {} {many}", ids.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(ids: impl Iterator<Item = u32>, all: u64) -> String {
        let mut names = Names::default();
        ids.for_each(|id| names.add(id));
        let table = |id: u32| match id {
            0..10 => format!("consumer/{id}"),
            10 => "peer1".to_owned(),
            _ => format!("provider/{}", id - 11),
        };
        names.said(table, all)
    }

    #[test]
    fn few_are_named_and_many_counted() {
        assert_eq!(said([12, 11, 12].into_iter(), 3), "provider/0 and provider/1");
        assert_eq!(said([12, 11, 13].into_iter(), 3), "provider/0 … provider/2 (3)");
        assert_eq!(said([10, 11, 0].into_iter(), 3), "consumer/0, peer1 and provider/0");
        assert_eq!(said(11..21, 10), "provider/0 … provider/9 (10)");
        assert_eq!(said(8..15, 7), "consumer/8 … consumer/9 (2), peer1 and provider/0 … provider/3 (4)");
        assert_eq!(
            said(11..10_011, 10_000),
            "provider/0 … provider/9999 (10000)",
            "more than are remembered"
        );
    }
}
