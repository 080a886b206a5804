//! What is said of some instances of a service and not of the others: `overrides: { 0: { zone: bj-b }, 1..2: { start: 2m } }`.
//!
//! Separate because it has a rule of its own: each entry becomes a whole service, the common words with the entry's over them,
//! so that whoever resolves an instance looks at one place.

use super::Service;
use crate::scenario::diagnostic::{Spanned, suggestion};
use crate::scenario::read::Reader;
use crate::scenario::tree::{Entry, Node};
use std::ops::Range;

/// Some instances and all that is said of them.
#[derive(Clone, Debug)]
pub struct Override {
    /// Which, counted from 0; at least one.
    pub instances: Range<usize>,
    /// What they are: the service with what is written for them.
    pub service: Service,
}

/// Reads the block. What is said of instances that do not exist, or twice of one, is a mistake.
pub(super) fn read(reader: &mut Reader, of: &Service, node: &Node) -> Vec<Override> {
    let mut overrides: Vec<(&Entry, Override)> = Vec::new();
    for entry in reader.named(node, "overrides") {
        let Some(instances) = instances(reader, of, entry) else { continue };
        let twice = |(_, other): &&(&Entry, Override)| {
            other.instances.start < instances.end && instances.start < other.instances.end
        };
        if let Some((first, other)) = overrides.iter().find(twice) {
            let index = instances.start.max(other.instances.start);
            let message = format!("an instance overridden twice: `{}/{index}`", of.name.value);
            let help = format!("`{}` means it too", first.key);
            reader.error(entry.key_span, message, Some(help));
        }
        let mut service = Service { overrides: Vec::new(), ..of.clone() };
        if !entry.value.is_null()
            && let Some(mut fields) = reader.fields(&entry.value, "an override")
        {
            service.read_words(reader, &mut fields);
            fields.finish(reader);
        }
        overrides.push((entry, Override { instances, service }));
    }
    overrides.sort_by_key(|(_, override_)| override_.instances.start);
    overrides.into_iter().map(|(_, override_)| override_).collect()
}

/// Which instances a key means: `0`, `1..2` with both ends, or `provider/0`.
fn instances(reader: &mut Reader, of: &Service, entry: &Entry) -> Option<Range<usize>> {
    let Spanned { value: count, .. } = of.instances;
    let text = entry.key.trim();
    let index = match text.rsplit_once('/') {
        Some((service, _)) if service.trim() != of.name.value => {
            let help = suggestion(service.trim(), [of.name.value.as_str()]);
            reader.error(entry.key_span, format!("an instance of another service: `{text}`"), help);
            return None;
        }
        Some((_, index)) => index,
        None => text,
    };
    let (first, last) = index.split_once("..").unwrap_or((index, index));
    let (Ok(first), Ok(last)) = (first.trim().parse::<u64>(), last.trim().parse::<u64>()) else {
        return reader.refuse(
            entry.key_span,
            format!("not a number of an instance: `{text}`"),
            "such as `0` or `1..2`, counted from 0",
        );
    };
    if first > last {
        return reader.refuse(
            entry.key_span,
            format!("a range must go from low to high: `{text}`"),
            "such as `1..2`",
        );
    }
    if last >= count {
        let instances = if count == 1 {
            "one instance, `0`".to_owned()
        } else {
            format!("{count} instances, `0` to `{}`", count - 1)
        };
        return reader.refuse(
            entry.key_span,
            format!("no such instance: `{}/{last}`", of.name.value),
            format!("the service has {instances}"),
        );
    }
    Some(usize::try_from(first).ok()?..usize::try_from(last).ok()? + 1)
}
