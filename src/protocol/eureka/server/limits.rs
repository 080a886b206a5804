//! The limit on reads (`RateLimitingFilter`): which reads it looks at, who is exempt, and two buckets of tokens for the rest.
//!
//! Separate because it stands in front of the resources. Buckets, and the count of reads that found none, work even while the limit
//! is switched off.
//!
//! Differs from upstream: the original's web descriptor has the filter, but maps no path to it; here it is always in place.

use crate::protocol::eureka::config::ServerConfig;
use crate::protocol::eureka::limiter::Limiter;
use crate::protocol::eureka::wire::{Identity, Query, Resource};

/// The limit of one server.
#[derive(Clone, Debug, Default, Hash)]
pub(super) struct ReadLimit {
    /// Reads of the registry, of deltas and of single applications together.
    reads: Limiter,
    /// Reads of the whole registry, in addition.
    full_reads: Limiter,
    /// Reads that found no token.
    limited: u64,
}

impl ReadLimit {
    /// Whether a read is to be refused, at wall-clock time `now_ms`.
    pub(super) fn refuses(&mut self, query: &Query, config: &ServerConfig, now_ms: i64) -> bool {
        let full = match query.resource {
            Resource::Apps => true,
            Resource::Delta | Resource::App(_) => false,
            Resource::Vip(_) | Resource::SecureVip(_) => return false,
        };
        if privileged(&query.identity, config) {
            return false;
        }
        let burst = config.rate_limiter_burst_size;
        let rates =
            (config.rate_limiter_registry_fetch_average_rate, config.rate_limiter_full_fetch_average_rate);
        let mut limited = !self.reads.acquire_per_second(burst, rates.0, now_ms);
        if full {
            // A token is taken here even if there was none there.
            limited |= !self.full_reads.acquire_per_second(burst, rates.1, now_ms);
        }
        self.limited += u64::from(limited);
        limited && config.rate_limiter_enabled
    }

    /// Reads that were refused, or would have been if the limit were switched on, so far.
    pub(super) fn limited(&self) -> u64 {
        self.limited
    }
}

/// Whether a caller is exempt. Nobody is while standard clients are limited, too.
fn privileged(identity: &Identity, config: &ServerConfig) -> bool {
    !config.rate_limiter_throttle_standard_clients
        && match identity {
            Identity::DefaultClient | Identity::DefaultServer => true,
            Identity::Named(name) => config.rate_limiter_privileged_clients.contains(name),
            Identity::Nobody => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::eureka::config::Profile;
    use crate::protocol::{ServiceId, eureka::wire::Resource::*};

    fn config(enabled: bool, throttle: bool) -> ServerConfig {
        ServerConfig {
            rate_limiter_enabled: enabled,
            rate_limiter_throttle_standard_clients: throttle,
            rate_limiter_privileged_clients: ["dashboard".into()].into(),
            rate_limiter_burst_size: 4,
            rate_limiter_registry_fetch_average_rate: 1,
            rate_limiter_full_fetch_average_rate: 1,
            ..ServerConfig::defaults(Profile::Netflix)
        }
    }

    fn query(resource: Resource, identity: Identity) -> Query {
        Query { identity, ..Query::of(resource) }
    }

    /// How many of ten reads at one instant are answered.
    fn answered(
        limit: &mut ReadLimit,
        resource: &Resource,
        identity: &Identity,
        config: &ServerConfig,
    ) -> usize {
        let query = query(resource.clone(), identity.clone());
        (0..10).filter(|_| !limit.refuses(&query, config, 1_700_000_000_000)).count()
    }

    #[test]
    fn who_is_limited_and_in_what() {
        let check = |resource: Resource, identity: Identity, throttle, expected| {
            let mut limit = ReadLimit::default();
            let count = answered(&mut limit, &resource, &identity, &config(true, throttle));
            assert_eq!(count, expected, "{resource:?} by {identity:?}, standard clients limited: {throttle}");
        };
        for resource in [Apps, Delta, App(ServiceId(1))] {
            check(resource.clone(), Identity::Nobody, false, 4);
            check(resource.clone(), Identity::Named("another".into()), false, 4);
            check(resource.clone(), Identity::Named("dashboard".into()), false, 10);
            check(resource.clone(), Identity::DefaultClient, false, 10);
            check(resource.clone(), Identity::DefaultServer, false, 10);
            check(resource.clone(), Identity::Named("dashboard".into()), true, 4);
            check(resource, Identity::DefaultClient, true, 4);
        }
        check(Vip("vip".into()), Identity::Nobody, true, 10);
        check(SecureVip("vip".into()), Identity::Nobody, true, 10);
    }

    #[test]
    fn full_reads_take_from_both_buckets_even_if_one_is_empty() {
        let (mut limit, config) = (ReadLimit::default(), config(true, false));
        assert_eq!(answered(&mut limit, &Delta, &Identity::Nobody, &config), 4);
        assert_eq!(answered(&mut limit, &Apps, &Identity::Nobody, &config), 0);
        let unlimited = ServerConfig { rate_limiter_registry_fetch_average_rate: 0, ..config };
        assert_eq!(
            answered(&mut limit, &Apps, &Identity::Nobody, &unlimited),
            0,
            "the second is empty by now"
        );
    }

    #[test]
    fn switched_off_it_only_counts() {
        let (mut limit, off) = (ReadLimit::default(), config(false, false));
        assert_eq!(answered(&mut limit, &Delta, &Identity::Nobody, &off), 10);
        assert_eq!(limit.limited(), 6);
    }
}
