use super::*;
use proptest::prelude::*;

fn import(name: &str, text: &str) -> Result<(SpringConfig, Vec<Diagnostic>), Vec<Diagnostic>> {
    read(&Source::new(name, text))
}

/// Settings as `key=value`, one after the other.
fn said(settings: &Settings) -> String {
    let pairs = settings.0.iter().map(|setting| format!("{}={}", setting.key.value, setting.value.value));
    pairs.collect::<Vec<_>>().join(" ")
}

fn urls(setting: &Setting) -> Vec<(String, u16)> {
    values::urls(setting).into_iter().flatten().map(|url| (url.host, url.port)).collect()
}

fn messages(diagnostics: &[Diagnostic]) -> Vec<&str> {
    diagnostics.iter().map(|diagnostic| diagnostic.message.as_str()).collect()
}

#[test]
fn a_properties_file_as_people_write_it() {
    let text = "# the first peer\nspring.application.name=eureka-server-peer1\nserver.port=20001\n\n\
                eureka.instance.hostname = peer1\n\
                eureka.client.service-url.defaultZone=http://peer2:20000/eureka,\\\n    http://u:p@peer3:20002/eureka/\n\
                eureka.server.evictionIntervalTimerInMs: 5000\nlogging.level.root=INFO\n";
    let (config, notes) = import("peer1.properties", text).unwrap();
    assert_eq!(config.application.unwrap().value, "eureka-server-peer1");
    assert_eq!(config.port.unwrap().value, 20001);
    assert_eq!(said(&config.instance), "hostname=peer1");
    assert_eq!(config.client.0[0].key.value, "service-url.defaultZone");
    assert_eq!(urls(&config.client.0[0]), [("peer2".to_owned(), 20000), ("peer3".to_owned(), 20002)]);
    assert_eq!(config.server.0[0].value.value, "5000");
    assert_eq!(messages(&notes), ["not about the registry, left alone: `logging.level.root`"]);
}

#[test]
fn a_yaml_file_with_placeholders() {
    let text = "server:\n  port: ${PORT:8761}\neureka:\n  instance:\n    hostname: localhost\n    prefer-ip-address: true\n  \
                client:\n    registerWithEureka: false\n    fetch-registry: false\n    serviceUrl:\n      \
                defaultZone: http://${eureka.instance.hostname}:${server.port}/eureka/\n";
    let (config, notes) = import("application.yml", text).unwrap();
    assert_eq!(urls(&config.client.0[2]), [("localhost".to_owned(), 8761)]);
    assert_eq!(said(&config.instance), "hostname=localhost prefer-ip-address=true");
    assert_eq!(messages(&notes), [""; 0]);
}

#[test]
fn every_spelling_reaches_the_same_setting() {
    for key in [
        "eureka.server.eviction-interval-timer-in-ms",
        "eureka.server.evictionIntervalTimerInMs",
        "eureka.server.eviction_interval_timer_in_ms",
        "eureka.evictionIntervalTimerInMs",
    ] {
        let (config, _) = import("x.properties", &format!("{key}=5000\n")).unwrap();
        assert_eq!(config.server.0.len(), 1, "{key}");
    }
    let netflix = "eureka.client.refresh.interval=5\neureka.lease.duration=10\neureka.serviceUrl.default=http://a:1/eureka/v2/\n";
    let (config, _) = import("x.properties", netflix).unwrap();
    assert_eq!(said(&config.client), "client.refresh.interval=5 serviceUrl.default=http://a:1/eureka/v2/");
    assert_eq!(said(&config.instance), "lease.duration=10");
}

/// Each key has one home: the settings. Metadata, time-outs and the transport are settings like others.
#[test]
fn what_is_a_setting_of_the_product_is_kept_as_one() {
    let text = "eureka.instance.metadata-map.zone=z1\neureka.instance.initial-status=out_of_service\n\
                eureka.client.timeout.connect-timeout=5s\neureka.client.transport.write-cluster-vip=w\n\
                eureka.client.healthcheck.enabled=true\neureka.client.region=r\n\
                eureka.client.availability-zones.r=z1,z2\neureka.server.my-url=http://a:1/eureka/\n\
                eureka.instance.instance-id=${spring.cloud.client.ip-address}:${server.port:1}:${random.value}\n";
    let (config, notes) = import("x.properties", text).unwrap();
    assert_eq!(messages(&notes), [""; 0]);
    assert_eq!(
        said(&config.instance),
        "metadata-map.zone=z1 initial-status=out_of_service \
         instance-id=${spring.cloud.client.ip-address}:1:${random.value}"
    );
    assert_eq!(
        said(&config.client),
        "timeout.connect-timeout=5s transport.write-cluster-vip=w healthcheck.enabled=true region=r \
         availability-zones.r=z1,z2"
    );
    assert_eq!(said(&config.server), "my-url=http://a:1/eureka/");
}

#[test]
fn a_setting_that_changes_nothing_is_noted_with_the_reason() {
    let text = "eureka.server.batch-replication=true\neureka.client.g-zip-content=false\n\
                eureka.client.service-url.defaultZone=http://a:1/registry/\n";
    let (_, notes) = import("x.properties", text).unwrap();
    assert_eq!(
        messages(&notes),
        [
            "no effect: `batch-replication` (nothing reads it upstream: instance actions always go in batches)",
            "no effect: `g-zip-content` (sizes on the wire are estimates without compression)",
            "a Eureka server answers below `/eureka`, not `/registry/`; taken as meant",
        ]
    );
}

/// The server's and the client's configuration read one key in Netflix's files.
#[test]
fn a_netflix_key_sets_everything_that_reads_it() {
    let (config, notes) = import("x.properties", "eureka.disableDelta=true\n").unwrap();
    assert_eq!(
        (said(&config.server), said(&config.client)),
        ("disableDelta=true".into(), "disableDelta=true".into())
    );
    assert_eq!(messages(&notes), [""; 0]);
    let (config, _) = import("x.properties", "eureka.server.disable-delta=true\n").unwrap();
    assert_eq!(said(&config.client), "", "Spring keeps them apart");
}

#[test]
fn netflix_names_without_their_prefix_count_where_there_is_nothing_better() {
    let (config, _) = import("x.properties", "eureka.domainName=a.com\neureka.context=eureka/v2\n").unwrap();
    assert_eq!(said(&config.client), "eurekaServer.domainName=a.com eurekaServer.context=eureka/v2");
    let both = "eureka.domainName=a.com\neureka.eurekaServer.domainName=b.com\n";
    let (config, _) = import("x.properties", both).unwrap();
    assert_eq!(said(&config.client), "eurekaServer.domainName=b.com");
}

#[test]
fn keys_of_other_releases_and_of_what_is_not_simulated_are_accepted() {
    let text = "eureka.datacenter=cloud\neureka.environment=test\neureka.server.binding-strategy=eip\n\
                eureka.server.remote-region-trust-store-password=x\neureka.client.tls.enabled=true\n\
                eureka.client.rest-template-timeout.connect-timeout=5000\neureka.client.jersey.enabled=false\n\
                eureka.instance.data-center-info.name=Amazon\neureka.server.expectedNumberOfRenewsPerMin=3\n";
    let (config, notes) = import("x.properties", text).unwrap();
    assert_eq!(
        messages(&notes).iter().filter(|note| note.starts_with("no effect: ")).count(),
        7,
        "{notes:?}"
    );
    let name = |settings: &Settings, owner: Owner, at: usize| {
        owner.find(&settings.0[at].key).map(|found| found.key.spring).unwrap_or_default()
    };
    assert_eq!(name(&config.client, Owner::Client, 1), "timeout.connect-timeout");
    assert_eq!(name(&config.server, Owner::Server, 4), "expected-number-of-clients-sending-renews");
}

#[test]
fn the_cache_of_the_balancer_is_that_of_the_file() {
    let cache = |text: &str| import("x.properties", text).map(|(config, _)| config.balancer_cache).ok();
    let ttl = |text: &str| cache(&format!("spring.cloud.loadbalancer.cache.ttl={text}\n"));
    assert_eq!(ttl("10s"), Some(Some(Duration::from_secs(10))));
    assert_eq!(ttl("PT1M"), Some(Some(Duration::from_secs(60))));
    assert_eq!(ttl("250"), Some(Some(Duration::from_millis(250))));
    assert_eq!(ttl("soon"), None);
    let off = "spring.cloud.loadbalancer.cache.enabled=false\nspring.cloud.loadbalancer.cache.ttl=5s\n";
    assert_eq!(cache(off), Some(Some(Duration::ZERO)));
    assert_eq!(cache("spring.cloud.loadbalancer.cache.enabled=true\n"), Some(None));
}

#[test]
fn an_unknown_setting_is_helped_with_what_there_is() {
    let help = |text: &str| {
        let mistakes = import("x.properties", text).unwrap_err();
        (mistakes[0].message.clone(), mistakes[0].help.clone().unwrap_or_default())
    };
    let list = "docs/settings.md lists them all".to_owned();
    assert_eq!(help("eureka.client.nothing-of-this-kind=1\n").1, list);
    assert_eq!(
        help("eureka.client.service-url=http://a:1/eureka/\n").1,
        "it takes a name: `service-url.defaultZone`"
    );
    assert_eq!(help("eureka.client=x\n"), ("a setting without a key".to_owned(), list));
    assert_eq!(help("eureka.shouldUseDsn=x\n").1, "did you mean `shouldUseDns`?");
}

#[test]
fn mistakes_are_shown_together_each_at_its_place() {
    let text = "eureka.server.enable-self-preservatoin=false\neureka.client.fetch-registry=maybe\n\
                eureka.client.service-url.defaultZone=http://a:x/eureka,peer2\neureka.instance.hostname=${HOST}\n\
                eureka.server.enableSelfPreservation=true\neureka.server.enable-self-preservation=true\n\
                server.port=99999\n";
    let mut diagnostics = import("x.properties", text).unwrap_err();
    diagnostics.sort_by_key(|diagnostic| diagnostic.span);
    let shown: Vec<String> =
        diagnostics.iter().map(|d| format!("{} {}", d.position().0, d.message)).collect();
    assert_eq!(
        shown,
        [
            "1 unknown setting: `enable-self-preservatoin`",
            "2 not a value of `fetch-registry`: `maybe`",
            "3 not a host and a port: `a:x`",
            "3 not an HTTP URL: `peer2`",
            "4 placeholder without a value: `${HOST}`",
            "6 one setting twice: `enable-self-preservation`",
            "7 not a port: `99999`",
        ]
    );
    assert_eq!(diagnostics[0].help.as_deref(), Some("did you mean `enable-self-preservation`?"));
}

#[test]
fn placeholders_that_refer_to_each_other_end() {
    let text = "eureka.instance.hostname=${eureka.instance.appname}\neureka.instance.appname=${eureka.instance.hostname}\n";
    assert!(
        messages(&import("x.properties", text).unwrap_err())[0]
            .starts_with("placeholders refer to each other")
    );
}

#[test]
fn escapes_and_separators_of_properties() {
    for (text, key, value) in [
        ("a=b", "a", "b"),
        ("  a : b  ", "a", "b"),
        ("a b", "a", "b"),
        ("a\\ b=c", "a b", "c"),
        ("a=\\u5317\\t", "a", "北"),
        ("a=b\\\n   c", "a", "bc"),
        ("a=", "a", ""),
        ("a", "a", ""),
        ("\n\n!x\na==b", "a", "=b"),
    ] {
        let properties = properties::parse(&Source::new("x", text)).unwrap();
        let found: Vec<_> = properties.iter().map(|p| (p.key.as_str(), p.value.as_str())).collect();
        assert_eq!(found, [(key, value)], "{text:?}");
    }
    assert!(properties::parse(&Source::new("x", "a=\\u12")).is_err());
    assert!(properties::parse(&Source::new("x", "a=1\na=2")).is_err());
}

proptest! {
    #[test]
    fn no_file_makes_the_import_panic(text in "\\PC*|((eureka|server|client|service-url|port|[.=:\\\\\\n\\[\\]$\\{\\}, u0-9a])+)") {
        let _ = import("x.properties", &text);
        let _ = import("x.yml", &text);
    }
}
