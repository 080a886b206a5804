//! How the application around a client picks an instance: the rules of Netflix's client and of Spring Cloud LoadBalancer, and the
//! latter's own cache.
//!
//! Kept only for clients whose rule is not the plain one (any instance, without a cache), which needs no state. A list is made when it is
//! first asked for after a refresh, not at the refresh; nobody can tell the difference.
//!
//! Differs from upstream: a service is an application. The original looks up a virtual address, which is by default the
//! application's name in Spring, and host and port in Netflix; see [`Client::visible`].

use std::sync::Arc;
use std::time::Duration;

use rand::Rng;

use super::Client;
use super::endpoints::shuffle;
use crate::protocol::eureka::Eureka;
use crate::protocol::eureka::config::Profile;
use crate::protocol::eureka::instance::InstanceInfo;
use crate::protocol::eureka::node::{Balancer, Rule};
use crate::protocol::{Answer, Cx, InstanceId, Instant, ServiceId, Status, Stream};

/// Where Spring's round robin begins: at random below this (`RoundRobinLoadBalancer`).
const SPRING_SEED: u32 = 1000;

/// How many instances are drawn before those that can be chosen are counted.
const DRAWS: u32 = 4;

/// The greatest index of a list, unless it is empty.
fn last_of(count: usize) -> Option<u32> {
    u32::try_from(count).expect("instances are counted in 32 bits").checked_sub(1)
}

/// One service as its balancer knows it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pick {
    service: ServiceId,
    /// The refresh that the list is from.
    generation: u32,
    /// When the balancer's cache forgets the list.
    expires: Instant,
    /// In the order in which they are published. Only those of the own zone, if the rule wants them and there are any.
    list: Box<[InstanceId]>,
    /// The counter of round robin.
    position: u32,
}

impl Pick {
    fn new(service: ServiceId) -> Pick {
        Pick { service, generation: 0, expires: Instant(0), list: [].into(), position: 0 }
    }

    /// The next instance by a rule; not `except`, if there is another.
    fn next(
        &mut self,
        rule: Rule,
        profile: Profile,
        except: Option<InstanceId>,
        random: &mut Stream,
    ) -> Answer {
        let avoided = except.filter(|except| self.list.iter().any(|id| id != except));
        let eligible = |id: &&InstanceId| Some(**id) != avoided;
        let Some(last) = last_of(self.list.iter().filter(eligible).count()) else {
            return Answer::NoneFound;
        };
        let at = match (rule, profile) {
            (Rule::Random, _) => random.random_range(0..=last),
            (Rule::RoundRobin | Rule::ZoneAware, Profile::SpringCloud) if last == 0 => 0,
            (Rule::RoundRobin | Rule::ZoneAware, _) => {
                self.position = self.position.wrapping_add(1) & 0x7fff_ffff;
                self.position % (last + 1)
            }
        };
        let chosen = self.list.iter().filter(eligible).nth(at as usize);
        chosen.map_or(Answer::NoneFound, |id| Answer::Found(*id))
    }
}

impl Client {
    /// Whether look-ups show an instance: local ones, and only those UP unless the settings say otherwise. Spring looks for the
    /// application's name among the virtual addresses, so it does not find an instance that states other ones.
    pub fn visible(&self, info: &InstanceInfo) -> bool {
        let named = |vips: &Arc<str>| vips.split(',').any(|vip| vip.eq_ignore_ascii_case(&info.about.app));
        self.shows(info) && (self.profile == Profile::Netflix || info.about.vip.as_ref().is_none_or(named))
    }

    /// Picks an instance of a service; not `except`, if there is another.
    pub(super) fn look_up(
        &mut self,
        service: ServiceId,
        except: Option<InstanceId>,
        cx: &mut Cx<'_, Eureka>,
    ) -> Answer {
        match self.told.client().balancer {
            Balancer { rule: Rule::Random, cache: Duration::ZERO } => self.any(service, except, cx.random()),
            balancer => self.pick(service, except, balancer, cx),
        }
    }

    /// Any instance, each with the same chance. Nearly always nearly all can be seen, so a few are drawn before they are counted.
    fn any(&self, service: ServiceId, except: Option<InstanceId>, random: &mut Stream) -> Answer {
        let all = self.applications.of(service);
        let other = |info: &&Arc<InstanceInfo>| Some(info.id) != except && self.visible(info);
        if let Some(last) = last_of(all.len()) {
            for _ in 0..DRAWS {
                let drawn = &all[random.random_range(0..=last) as usize];
                if other(&drawn) {
                    return Answer::Found(drawn.id);
                }
            }
        }
        match last_of(all.iter().filter(other).count()) {
            Some(last) => {
                let chosen = all.iter().filter(other).nth(random.random_range(0..=last) as usize);
                Answer::Found(chosen.expect("they were counted").id)
            }
            None => {
                let failed = all.iter().find(|info| Some(info.id) == except && self.visible(info));
                failed.map_or(Answer::NoneFound, |info| Answer::Found(info.id))
            }
        }
    }

    fn pick(
        &mut self,
        service: ServiceId,
        except: Option<InstanceId>,
        balancer: Balancer,
        cx: &mut Cx<'_, Eureka>,
    ) -> Answer {
        let (generation, profile, now) = (self.generation, self.profile, cx.now());
        let picks = &mut self.extras_mut().picks;
        let known = picks.iter().position(|pick| pick.service == service);
        let mut pick = match known {
            Some(at) => picks.swap_remove(at),
            None => {
                let mut pick = Pick { generation: generation.wrapping_sub(1), ..Pick::new(service) };
                if profile == Profile::SpringCloud && balancer.rule != Rule::Random {
                    pick.position = cx.random().random_range(0..SPRING_SEED);
                }
                pick
            }
        };
        // An empty list is not kept: the balancer asks again.
        if now >= pick.expires || pick.list.is_empty() {
            if pick.generation != generation {
                pick.generation = generation;
                pick.list = self.published(service, balancer.rule, cx.random());
                if profile == Profile::Netflix {
                    pick.position = 0;
                }
            }
            pick.expires = now + balancer.cache;
        }
        let answer = pick.next(balancer.rule, profile, except, cx.random());
        self.extras_mut().picks.push(pick);
        answer
    }

    /// The list that a refresh has published (`shuffleInstances`), as far as a rule makes use of it.
    fn published(&self, service: ServiceId, rule: Rule, random: &mut Stream) -> Box<[InstanceId]> {
        let visible = || self.applications.of(service).iter().filter(|info| self.visible(info));
        let own = |info: &&Arc<InstanceInfo>| {
            let zone = info.about.zone();
            zone.is_some_and(|zone| zone.eq_ignore_ascii_case(self.own_zone()))
        };
        let mut list: Box<[InstanceId]> = match rule {
            Rule::ZoneAware if visible().any(|info| own(&info)) => {
                visible().filter(own).map(|info| info.id).collect()
            }
            Rule::ZoneAware | Rule::RoundRobin | Rule::Random => visible().map(|info| info.id).collect(),
        };
        shuffle(&mut list, random);
        list
    }

    /// The zone that the application is in: what its instance says, else the client's own.
    fn own_zone(&self) -> &str {
        let said = self.local.as_ref().and_then(|local| local.about().zone());
        said.unwrap_or(self.zone())
    }

    /// Whether an instance is published: `getInstances()` of the client's own region.
    pub fn shows(&self, info: &InstanceInfo) -> bool {
        let local = self.extras.as_ref().is_none_or(|extras| extras.routing.region(info).is_none());
        local && (info.status == Status::Up || !self.settings.filter_only_up_instances)
    }
}
