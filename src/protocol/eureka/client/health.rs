//! What a health check makes of the status (`HealthCheckHandler`): the callback's bridge, and Spring's actuator.
//!
//! The rules alone. They are asked by the replicator, at the beginning of each of its runs, and never by anything else, so that
//! what a check finds reaches the servers up to 30 s later. Statuses are not mapped (`InstanceStatusMapper` is the identity).

use crate::protocol::eureka::node::HealthSource;
use crate::protocol::{Health, Status};

/// The status that a health check asks for, if it asks for any. `closed`: a Spring context has stopped, and its handler with it.
pub fn status(source: HealthSource, found: Health, current: Status, closed: bool) -> Option<Status> {
    match (source, found) {
        (HealthSource::None, _) => None,
        // Asked only while the application takes part: otherwise not even its failure is noticed.
        (HealthSource::Callback, _) if matches!(current, Status::Starting | Status::OutOfService) => None,
        (HealthSource::Actuator, _) if closed => None,
        (HealthSource::Callback | HealthSource::Actuator, Health::Fails) => Some(Status::Down),
        (HealthSource::Callback, Health::Up) => Some(Status::Up),
        (HealthSource::Callback, Health::Down | Health::OutOfService | Health::Unknown) => Some(Status::Down),
        (HealthSource::Actuator, Health::Up) => Some(Status::Up),
        (HealthSource::Actuator, Health::Down | Health::OutOfService) => Some(Status::Down),
        (HealthSource::Actuator, Health::Unknown) => Some(Status::Unknown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One row for each current status ([`Status::ALL`]); the columns are what the check finds ([`Health::ALL`]).
    fn table(source: HealthSource, closed: bool) -> Vec<String> {
        let name = |status: Option<Status>| status.map_or("-", Status::name);
        let row = |current| {
            let cells = Health::ALL.map(|(_, found)| name(status(source, found, current, closed)));
            format!("{current}: {}", cells.join(" "))
        };
        Status::ALL.map(row).into()
    }

    #[test]
    fn a_callback_says_up_or_down_unless_the_application_takes_no_part() {
        let expected = [
            "UP: UP DOWN DOWN DOWN DOWN",
            "DOWN: UP DOWN DOWN DOWN DOWN",
            "STARTING: - - - - -",
            "OUT_OF_SERVICE: - - - - -",
            "UNKNOWN: UP DOWN DOWN DOWN DOWN",
        ];
        assert_eq!(table(HealthSource::Callback, false), expected);
        assert_eq!(table(HealthSource::Callback, true), expected, "it is no part of a Spring context");
    }

    #[test]
    fn the_actuator_overrides_whatever_the_status_is_until_its_context_is_closed() {
        for row in table(HealthSource::Actuator, false) {
            assert!(row.ends_with(": UP DOWN DOWN UNKNOWN DOWN"), "{row}");
        }
        for row in table(HealthSource::Actuator, true).iter().chain(&table(HealthSource::None, false)) {
            assert!(row.ends_with(": - - - - -"), "{row}");
        }
    }
}
