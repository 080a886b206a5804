//! The rule chain that decides which status a registration or a renewal results in (`InstanceStatusOverrideRule`). A pure
//! function, so that its table can be read and tested as one.

use crate::protocol::Status;

/// The status that results, by the first rule that matches.
///
/// `overridden` is only called if rule 2 is reached: looking an override up refreshes its expiry. So is `group` with rule 3: in
/// AWS, whether the instance's group is enabled, if it has one. `leased` is the status of the object that holds the lease at
/// present, if there is one.
pub(super) fn resolve(
    reported: Status,
    overridden: impl FnOnce() -> Option<Status>,
    group: impl FnOnce() -> Option<bool>,
    leased: Option<Status>,
    replication: bool,
) -> Status {
    // 1. DownOrStarting: a client that says it cannot serve is always believed.
    if !servable(reported) {
        return reported;
    }
    // 2. OverrideExists
    if let Some(status) = overridden() {
        return status;
    }
    // 3. AsgEnabled: whatever the client says, the group decides.
    if let Some(enabled) = group() {
        return if enabled { Status::Up } else { Status::OutOfService };
    }
    // 4. LeaseExists: a client cannot move itself between UP and OUT_OF_SERVICE while it has a lease.
    match leased {
        Some(status) if !replication && servable(status) => status,
        // 5. AlwaysMatch
        _ => reported,
    }
}

fn servable(status: Status) -> bool {
    matches!(status, Status::Up | Status::OutOfService)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Status::{Down, OutOfService, Starting, Unknown, Up};

    #[test]
    fn the_first_matching_rule_wins() {
        let check = |reported, overridden, leased, replication, expected| {
            assert_eq!(
                resolve(reported, || overridden, || None, leased, replication),
                expected,
                "{reported} with override {overridden:?} over {leased:?}, replication {replication}"
            );
        };
        for replication in [false, true] {
            for reported in [Down, Starting, Unknown] {
                check(reported, Some(OutOfService), Some(Up), replication, reported);
            }
            check(Up, Some(OutOfService), Some(Up), replication, OutOfService);
            check(OutOfService, Some(Up), None, replication, Up);
            check(Up, Some(Unknown), None, replication, Unknown);
            for leased in [None, Some(Down), Some(Starting), Some(Unknown)] {
                check(Up, None, leased, replication, Up);
                check(OutOfService, None, leased, replication, OutOfService);
            }
        }
        check(Up, None, Some(OutOfService), false, OutOfService);
        check(OutOfService, None, Some(Up), false, Up);
        check(Up, None, Some(OutOfService), true, Up);
        check(OutOfService, None, Some(Up), true, OutOfService);
    }

    #[test]
    fn an_override_is_not_looked_up_for_a_client_that_cannot_serve() {
        let first = || unreachable!("rule 1 matches first");
        assert_eq!(resolve(Down, first, || unreachable!("as before"), Some(Up), false), Down);
    }

    /// The reference, 2.4, rule 3.
    #[test]
    fn a_group_decides_for_all_who_can_serve_and_have_no_override() {
        let check = |reported, overridden, enabled, expected| {
            for (leased, replication) in [(None, true), (Some(Up), false), (Some(OutOfService), false)] {
                let status = resolve(reported, || overridden, || Some(enabled), leased, replication);
                assert_eq!(status, expected, "{reported}, override {overridden:?}, enabled: {enabled}");
            }
        };
        check(Up, None, false, OutOfService);
        check(OutOfService, None, false, OutOfService);
        check(Up, None, true, Up);
        check(OutOfService, None, true, Up);
        check(Down, None, false, Down);
        check(Up, Some(Down), false, Down);
        check(OutOfService, Some(Up), false, Up);
    }
}
