//! What an instance says about itself, as its product would make it up.
//!
//! Separate because the two products fill in what is not configured in ways of their own: ids, ports, virtual addresses, URLs.
//! Sources: `Netflix/eureka` (`EurekaConfigBasedInstanceInfoProvider`, `InstanceInfo.Builder`, `PropertiesInstanceConfig`) and
//! `spring-cloud/spring-cloud-netflix` (`EurekaInstanceConfigBean`, `InstanceInfoFactory`), `spring-cloud-commons` (`IdUtils`).

use crate::protocol::eureka::config::{InstanceConfig, Profile};
use crate::protocol::eureka::instance::{About, DataCenter, Port};
use crate::scenario::fleet::Omitted;
use crate::scenario::spring::of_process;
use crate::scenario::values;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What the instances of one service have in common.
pub(super) struct Template {
    profile: Profile,
    instance: Arc<InstanceConfig>,
    about: About,
    /// `spring.application.name`.
    spring_name: Arc<str>,
    /// `spring.application.instance_id`.
    id_part: Option<String>,
}

/// Where one instance runs.
pub(super) struct Whereabouts<'a> {
    /// The name of its host.
    pub(super) host: &'a str,
    /// The address of its host.
    pub(super) ip: &'a str,
    /// The port that it listens on, where its settings name none.
    pub(super) port: u16,
    /// Whether that port is known to be so, rather than assumed.
    pub(super) port_known: bool,
    /// The zone, if it runs in AWS.
    pub(super) aws_zone: Option<&'a str>,
    /// The zone, if the scenario names zones.
    pub(super) zone: Option<&'a str>,
    /// A number drawn for it.
    pub(super) random: u64,
}

impl Template {
    /// For the instances of one service or server. `spring_name` is `spring.application.name`, from which Spring makes up ids and
    /// virtual addresses, whatever the application is called.
    pub(super) fn new(
        profile: Profile,
        application: &str,
        spring_name: &str,
        instance: Arc<InstanceConfig>,
        id_part: Option<String>,
    ) -> Template {
        let some = |text: &Arc<str>| (!text.is_empty()).then(|| Arc::clone(text));
        let group = match (some(&instance.app_group), profile) {
            (Some(group), _) => Some(group.to_uppercase().into()),
            (None, Profile::Netflix) => Some("UNKNOWN".into()),
            (None, Profile::SpringCloud) => None,
        };
        let (vip, secure_vip) = match profile {
            Profile::Netflix => (some(&instance.vip_address), some(&instance.secure_vip_address)),
            Profile::SpringCloud => {
                let name: Arc<str> = spring_name.into();
                let vip = some(&instance.vip_address).unwrap_or_else(|| Arc::clone(&name));
                (Some(vip), Some(some(&instance.secure_vip_address).unwrap_or(name)))
            }
        };
        let about = About {
            app: application.to_uppercase().into(),
            vip,
            secure_vip,
            data_center: Some(DataCenter::MyOwn),
            group,
            asg: some(&instance.asg_name),
            ..About::default()
        };
        Template { profile, instance, about, spring_name: spring_name.into(), id_part }
    }

    /// What the instances leave out of what they send.
    pub(super) fn omit(&mut self, omitted: &[Omitted]) {
        self.about.override_absent = omitted.contains(&Omitted::OverriddenStatus);
        self.about.version_absent = omitted.contains(&Omitted::LastDirtyTimestamp);
    }

    /// Fills in the metadata of the instance there. Those that say the same share them: most of a service do.
    fn fill_metadata(&mut self, place: &Whereabouts<'_>) {
        let written = self.instance.metadata.iter();
        let mut metadata: BTreeMap<Arc<str>, Arc<str>> =
            written.map(|(key, value)| (Arc::clone(key), filled(value, place).into())).collect();
        if let Some(zone) = place.zone {
            metadata.entry("zone".into()).or_insert_with(|| zone.into());
        }
        if *self.about.metadata != metadata {
            self.about.metadata = Arc::new(metadata);
        }
    }

    /// What the instance there says about itself.
    pub(super) fn at(&mut self, place: &Whereabouts<'_>) -> About {
        self.fill_metadata(place);
        let Template { profile, instance, about, spring_name, id_part } = &*self;
        let filled = |text: &Arc<str>| match text.contains("${") {
            true => filled(text, place).into(),
            false => Arc::clone(text),
        };
        let or = |text: &Arc<str>, other: &str| match text.is_empty() {
            true => other.into(),
            false => filled(text),
        };
        let ip = or(&instance.ip_address, place.ip);
        let host = match instance.prefer_ip_address {
            true => Arc::clone(&ip),
            false => or(&instance.host_name, place.host),
        };
        let number = |text: &Arc<str>| values::port(text).ok().flatten();
        // Netflix has a default of its own, which a process that is known to listen elsewhere would have been configured not to use.
        let own = number(&instance.port).filter(|port| !(place.port_known && *port == NETFLIX_PORT));
        let port = Port { number: own.unwrap_or(place.port), enabled: instance.port_enabled };
        let made_up = match profile {
            Profile::SpringCloud if instance.secure_port_enabled => place.port,
            Profile::SpringCloud | Profile::Netflix => SECURE_PORT,
        };
        let secure = number(&instance.secure_port).unwrap_or(made_up);
        let secure_port = Port { number: secure, enabled: instance.secure_port_enabled };
        let instance_id = match (&*instance.instance_id, profile) {
            ("", Profile::Netflix) => "".into(),
            ("", Profile::SpringCloud) => {
                let part = id_part.clone().unwrap_or_else(|| port.number.to_string());
                format!("{}:{spring_name}:{part}", place.host).into()
            }
            _ => filled(&instance.instance_id),
        };
        let mut about = About { instance_id, port, secure_port, ..about.clone() };
        if *profile == Profile::Netflix {
            let at = |port: Port| port.enabled.then(|| format!("{host}:{}", port.number).into());
            about.vip = about.vip.or_else(|| at(port));
            about.secure_vip = about.secure_vip.or_else(|| at(secure_port));
        }
        let url = |whole: &Arc<str>, path: &Arc<str>| -> Option<Arc<str>> {
            match (&**whole, &**path) {
                ("", "") => None,
                ("", path) if path.starts_with("http") => Some(self::filled(path, place).into()),
                ("", path) => Some(format!("http://{host}:{}{path}", port.number).into()),
                (whole, _) => Some(self::filled(whole, place).into()),
            }
        };
        about.home_page_url = url(&instance.home_page_url, &instance.home_page_path);
        about.status_page_url = url(&instance.status_page_url, &instance.status_page_path);
        about.health_check_url =
            url(&instance.health_check_url, &instance.health_check_path).filter(|_| port.enabled);
        about.secure_health_check_url = match &*instance.secure_health_check_url {
            "" => secure_port
                .enabled
                .then(|| format!("https://{host}:{secure}{}", instance.health_check_path).into()),
            whole => Some(self::filled(whole, place).into()),
        };
        if let Some(zone) = place.aws_zone {
            let facts = [
                ("instance-id", format!("i-{:017x}", place.random >> 1)),
                ("availability-zone", zone.to_owned()),
                ("local-ipv4", place.ip.to_owned()),
                ("public-hostname", host.to_string()),
            ];
            let facts: BTreeMap<_, _> = facts.map(|(key, value)| (key.into(), value.into())).into();
            about.data_center = Some(DataCenter::Amazon(facts));
        }
        About { host_name: host, ip_addr: ip, ..about }
    }
}

/// Netflix's default port.
const NETFLIX_PORT: u16 = 80;
/// The default port for TLS, in both products; Spring's for as long as it is closed.
const SECURE_PORT: u16 = 443;

/// The id under which a server keeps the instance (`InstanceInfo.getId`).
pub(super) fn id_of(about: &About) -> Arc<str> {
    if !about.instance_id.is_empty() {
        return Arc::clone(&about.instance_id);
    }
    match &about.data_center {
        Some(DataCenter::Amazon(facts)) => facts.get("instance-id").unwrap_or(&about.host_name).clone(),
        Some(DataCenter::MyOwn | DataCenter::Netflix | DataCenter::Nameless) | None => {
            Arc::clone(&about.host_name)
        }
    }
}

/// A text with what differs from process to process put in.
fn filled(text: &str, place: &Whereabouts<'_>) -> String {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        filled.push_str(before);
        let Some((name, left)) = after.split_once('}') else { break };
        let known = name.split_once(':').map_or(name, |(name, _)| name);
        match known {
            "spring.cloud.client.hostname" | "eureka.hostname" => filled.push_str(place.host),
            "spring.cloud.client.ip-address" => filled.push_str(place.ip),
            _ if of_process(known) => filled.push_str(&format!("{:08x}", place.random as u32)),
            _ => filled.push_str(&format!("${{{name}}}")),
        }
        rest = left;
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about(profile: Profile, settings: &[(&str, &str)]) -> About {
        let mut instance = InstanceConfig::defaults(profile);
        for (key, value) in settings {
            instance.set(key, value).expect("a setting");
        }
        let mut template = Template::new(profile, "Shop", "Store", Arc::new(instance), None);
        template.at(&Whereabouts {
            host: "shop-0",
            ip: "10.0.0.1",
            port: 8080,
            port_known: false,
            aws_zone: None,
            zone: None,
            random: 0xabcd,
        })
    }

    fn shown(about: &About) -> String {
        let text = |text: &Option<Arc<str>>| text.as_deref().unwrap_or("-").to_owned();
        let port = |port: Port| format!("{}{}", port.number, if port.enabled { "" } else { " closed" });
        format!(
            "id {} | {} {} {} | {} / {} | vip {} / {} | group {} asg {} | {} {} {} {}",
            id_of(about),
            about.app,
            about.host_name,
            about.ip_addr,
            port(about.port),
            port(about.secure_port),
            text(&about.vip),
            text(&about.secure_vip),
            text(&about.group),
            text(&about.asg),
            text(&about.home_page_url),
            text(&about.status_page_url),
            text(&about.health_check_url),
            text(&about.secure_health_check_url),
        )
    }

    /// The reference, 8.3: both products' defaults.
    #[test]
    fn each_product_makes_up_what_is_not_configured() {
        assert_eq!(
            shown(&about(Profile::SpringCloud, &[])),
            "id shop-0:Store:8080 | SHOP shop-0 10.0.0.1 | 8080 / 443 closed | vip Store / Store | group - asg - | \
             http://shop-0:8080/ http://shop-0:8080/actuator/info http://shop-0:8080/actuator/health -"
        );
        assert_eq!(
            shown(&about(Profile::Netflix, &[])),
            "id shop-0 | SHOP shop-0 10.0.0.1 | 80 / 443 closed | vip shop-0:80 / - | group UNKNOWN asg - | \
             http://shop-0:80/ http://shop-0:80/Status http://shop-0:80/healthcheck -"
        );
    }

    #[test]
    fn settings_win_over_what_is_made_up() {
        let settings = [
            ("prefer-ip-address", "true"),
            ("non-secure-port", "81"),
            ("secure-port-enabled", "true"),
            ("virtual-host-name", "v"),
            ("app-group-name", "g"),
            ("a-s-g-name", "asg"),
            ("metadata-map.zone", "z"),
            ("status-page-url", "http://${eureka.hostname}/s"),
            ("instance-id", "${spring.cloud.client.ip-address}:${random.value}"),
        ];
        let about = about(Profile::SpringCloud, &settings);
        assert_eq!(
            shown(&about),
            "id 10.0.0.1:0000abcd | SHOP 10.0.0.1 10.0.0.1 | 81 / 8080 | vip v / Store | group G asg asg | \
             http://10.0.0.1:81/ http://shop-0/s http://10.0.0.1:81/actuator/health \
             https://10.0.0.1:8080/actuator/health"
        );
        assert_eq!(about.zone().map(|zone| &**zone), Some("z"));
        let closed = super::tests::about(Profile::Netflix, &[("port.enabled", "false")]);
        assert_eq!((closed.vip, closed.health_check_url), (None, None), "nothing to reach it by");
    }
}
