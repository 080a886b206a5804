use super::*;
use crate::scenario::system::{Owner, Setting};
use crate::scenario::values;
use proptest::prelude::*;

type Imported = Result<(SpringConfig, Vec<Diagnostic>), Vec<Diagnostic>>;

fn import(name: &str, text: &str) -> Imported {
    import_with(&format!("file: {name}"), &[(name, text)])
}

/// What a `config:` says, given these files.
fn import_with(config: &str, files: &[(&str, &str)]) -> Imported {
    let source = Source::new("scenario.yaml", config);
    let node = crate::scenario::tree::parse(&source)?;
    let mut reader = Reader::new(source);
    let mut read_file = |path: &str| {
        let found = files.iter().find(|(name, _)| *name == path);
        found.map(|(_, text)| text.as_bytes().to_vec()).ok_or_else(|| "no such file".to_owned())
    };
    let written = ConfigFiles::from_node(&mut reader, &node);
    let config = written.and_then(|written| super::import(&mut reader, &written, &mut read_file));
    match config {
        Some(config) if reader.diagnostics.iter().all(|it| it.severity == Severity::Note) => {
            Ok((config, reader.diagnostics))
        }
        _ => Err(reader.diagnostics),
    }
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
fn a_section_of_which_all_is_commented_out_says_nothing() {
    for text in
        ["eureka:\n", "eureka:\n  client:\n    # register-with-eureka: false\n", "eureka:\n  server:\n"]
    {
        let (config, notes) = import("a.yml", text).expect("nothing is wrong with it");
        assert_eq!(
            (said(&config.server), said(&config.client), notes.len()),
            (String::new(), String::new(), 0)
        );
    }
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
        let documents = properties::parse(&Source::new("x", text)).unwrap();
        let found: Vec<_> = documents[0].iter().map(|p| (p.key.as_str(), p.value.as_str())).collect();
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

/// Settings of the server, from several files.
fn server_says(config: &str, files: &[(&str, &str)]) -> String {
    let (config, _) = import_with(config, files).unwrap_or_else(|mistakes| panic!("{}", mistakes[0]));
    said(&config.server)
}

const PROFILES: &str = "eureka.server.batch-replication: true
eureka.server.delta-retention-timer-interval-in-ms: 1
---
spring.config.activate.on-profile: peer1
eureka.server.delta-retention-timer-interval-in-ms: 2
---
spring: { profiles: peer2 }
eureka.server.delta-retention-timer-interval-in-ms: 3
---
spring.config.activate.on-profile: '!peer1 & !peer2, both'
eureka.server.delta-retention-timer-interval-in-ms: 4
---
# Nothing.
";

/// The later document over the earlier, and of documents for profiles those that are meant.
#[test]
fn documents_of_a_yaml_file_count_by_profile() {
    let delta = |config: &str| {
        let said = server_says(config, &[("a.yml", PROFILES)]);
        said.rsplit_once('=').expect("a setting").1.to_owned()
    };
    assert_eq!(delta("a.yml"), "4");
    assert_eq!(delta("{ file: a.yml, profiles: peer1 }"), "2");
    assert_eq!(delta("{ file: a.yml, profiles: [peer2] }"), "3");
    assert_eq!(delta("{ file: a.yml, profiles: [peer2, peer1] }"), "3", "documents have the file's order");
    assert_eq!(delta("{ file: a.yml, profiles: [peer1, both] }"), "4");
    assert_eq!(delta("{ file: a.yml, environment: { SPRING_PROFILES_ACTIVE: peer1 } }"), "2");
    assert_eq!(
        delta("{ file: a.yml, profiles: peer2, environment: { SPRING_PROFILES_ACTIVE: peer1 } }"),
        "3"
    );
}

#[test]
fn documents_of_a_properties_file_count_by_profile() {
    let text = "eureka.server.delta-retention-timer-interval-in-ms=1\n#---\n\
                spring.config.activate.on-profile=a | b\neureka.server.delta-retention-timer-interval-in-ms=2\n#--- \n\
                spring.config.activate.on-profile=c\neureka.server.delta-retention-timer-interval-in-ms=3\n";
    let delta = |profile: &str| {
        server_says(&format!("{{ file: a.properties, profiles: {profile} }}"), &[("a.properties", text)])
    };
    assert!(delta("x").ends_with("=1"));
    assert!(delta("b").ends_with("=2"));
    assert!(delta("c").ends_with("=3"));
    // A comment right before or after it makes a comment of the mark.
    for comment in ["# a\n#---\n", "#---\n# a\n", " #---\n", "#----\n"] {
        let text = format!("a=1\n{comment}b=2\n");
        assert_eq!(properties::parse(&Source::new("x", text)).unwrap().len(), 1, "{comment:?}");
    }
}

/// The file of a profile wins over all documents of the file; of two profiles the later one; properties over YAML.
#[test]
fn files_of_profiles_are_looked_for_beside() {
    let files = [
        ("conf/a.yml", PROFILES),
        ("conf/a-peer1.yml", "eureka.server.delta-retention-timer-interval-in-ms: 5\n"),
        ("conf/a-peer2.yml", "eureka.server.delta-retention-timer-interval-in-ms: 6\n"),
        ("conf/a-peer2.properties", "eureka.server.delta-retention-timer-interval-in-ms=7\n"),
        ("conf/a-default.yml", "eureka.server.delta-retention-timer-interval-in-ms: 8\n"),
    ];
    let delta = |config: &str| {
        let said = server_says(config, &files);
        said.rsplit_once('=').expect("a setting").1.to_owned()
    };
    assert_eq!(delta("{ file: conf/a.yml, profiles: peer1 }"), "5");
    assert_eq!(delta("{ file: conf/a.yml, profiles: [peer1, peer2] }"), "7");
    assert_eq!(delta("{ file: conf/a.yml, profiles: [peer2, peer1] }"), "5");
    assert_eq!(delta("conf/a.yml"), "8", "no profile is active, so the default one is");
}

#[test]
fn a_file_says_which_profiles_are_active() {
    let doc = |profile: &str, value: u32| {
        format!(
            "---\nspring.config.activate.on-profile: {profile}\neureka.server.delta-retention-timer-interval-in-ms: {value}\n"
        )
    };
    let delta = |head: &str, config: &str| {
        let text = format!("eureka.server.batch-replication: true\n{head}{}{}", doc("x", 1), doc("y", 2));
        server_says(config, &[("a.yml", &text)])
    };
    assert!(delta("spring.profiles.active: x\n", "a.yml").ends_with("=1"));
    assert!(delta("spring: { profiles: { active: [x, y] } }\n", "a.yml").ends_with("=2"));
    assert!(delta("spring.profiles.active: '${WHICH:x}'\n", "a.yml").ends_with("=1"));
    let config = "{ file: a.yml, environment: { WHICH: y } }";
    assert!(delta("spring.profiles.active: '${WHICH:x}'\n", config).ends_with("=2"));
    assert!(delta("spring.profiles.active: x\n", "{ file: a.yml, profiles: z }").ends_with("=true"));
    assert!(delta("spring.profiles.group.z: [x]\n", "{ file: a.yml, profiles: z }").ends_with("=1"));
    assert!(delta("spring.profiles.include: y\n", "a.yml").ends_with("=2"));
    assert!(delta("spring.profiles.default: x\n", "a.yml").ends_with("=1"));
    let inside = "spring.config.activate.on-profile: x\nspring.profiles.include: y\n";
    let mistakes = import_with("{ file: a.yml, profiles: x }", &[("a.yml", inside)]).unwrap_err();
    assert_eq!(
        messages(&mistakes),
        ["does not belong into a document for some profiles: `spring.profiles.include`"]
    );
}

#[test]
fn a_profile_that_nothing_is_for_is_noted() {
    let (_, notes) = import_with("{ file: a.yml, profiles: peer3 }", &[("a.yml", PROFILES)]).unwrap();
    assert_eq!(
        messages(&notes)[0],
        "no document and no file is for the profile `peer3`; did you mean `peer1`?",
        "{notes:?}"
    );
    let mistakes = import("a.yml", "spring.config.activate.on-profile: a & b | c\n").unwrap_err();
    assert_eq!(messages(&mistakes), ["not an expression of profiles: `a & b | c`"]);
}

/// An import stands between the document that names it and the next, and files that import each other end.
#[test]
fn imports_are_followed_once() {
    let files = [
        (
            "a.yml",
            "spring.config.import: [b.yml, 'optional:file:./absent.yml', 'configserver:http://x:1']\neureka.server.delta-retention-timer-interval-in-ms: 1\neureka.instance.hostname: a\n---\neureka.instance.hostname: last\n",
        ),
        (
            "b.yml",
            "spring.config.import: a.yml\neureka.server.delta-retention-timer-interval-in-ms: 2\neureka.instance.hostname: b\n",
        ),
        ("b-x.yml", "eureka.server.delta-retention-timer-interval-in-ms: 3\n"),
    ];
    let (config, notes) = import_with("a.yml", &files).unwrap();
    assert!(said(&config.server).ends_with("=2"));
    assert_eq!(said(&config.instance), "hostname=last");
    assert_eq!(messages(&notes), ["not followed: `configserver:http://x:1`"]);
    assert!(server_says("{ file: a.yml, profiles: x }", &files).ends_with("=3"));
    let mistakes = import("a.yml", "spring.config.import: absent.yml\n").unwrap_err();
    assert_eq!(messages(&mistakes), ["`absent.yml` cannot be read: no such file"]);
}

/// What an operator sets in a container.
#[test]
fn the_environment_wins_over_files() {
    let file = "eureka:\n  client: { serviceUrl: { defaultZone: 'http://a:1/eureka/' } }\n  instance: { hostname: '${MY_HOST:x}' }\n\
                server.port: 1\n";
    let config = "{ file: a.yml, environment: { EUREKA_CLIENT_SERVICEURL_DEFAULTZONE: 'http://b:2/eureka/', MY_HOST: h, \
                  SERVER_PORT: 2, EUREKA_SERVER_ENABLESELFPRESERVATION: false, EUREKA_HOME: /opt, \
                  EUREKA_SERVER_RATE_LIMITER_ENABLED: true } }";
    let (config, notes) = import_with(config, &[("a.yml", file)]).unwrap();
    assert_eq!(urls(&config.client.0[0]), [("b".to_owned(), 2)]);
    assert_eq!((config.client.0.len(), said(&config.instance)), (1, "hostname=h".to_owned()));
    assert_eq!(config.port.map(|port| port.value), Some(2));
    assert_eq!(said(&config.server), "enableselfpreservation=false rate.limiter.enabled=true");
    assert_eq!(messages(&notes), [""; 0], "what is no setting is passed over");
}

#[test]
fn placeholders_nest() {
    let hostname = |text: &str| {
        let text = format!("a=b\nb.b=deep\nhost=h-${{a}}\nself=${{self}}\neureka.instance.hostname={text}\n");
        import("x.properties", &text)
            .map(|(config, _)| said(&config.instance))
            .map_err(|it| it[0].message.clone())
    };
    let is = |text: &str| Ok(format!("hostname={text}"));
    assert_eq!(hostname("${host}"), is("h-b"));
    assert_eq!(hostname("${b.${a}}"), is("deep"));
    assert_eq!(hostname("${x:${y:${a}}}"), is("b"));
    assert_eq!(hostname("${${x:a}:z}"), is("b"));
    assert_eq!(hostname("${x:http://h:1}"), is("http://h:1"));
    assert_eq!(hostname("${x:}y"), is("y"));
    assert_eq!(hostname("${self}"), Err("placeholders refer to each other: `${self}`".to_owned()));
    assert_eq!(hostname("${x"), Err("placeholder without an end: `${x`".to_owned()));
}

/// Without a bound this would take as long as the universe has.
#[test]
fn placeholders_that_multiply_end() {
    let level = |at: usize| format!("k{at}={}\n", format!("${{k{}}}", at + 1).repeat(20));
    let text: String =
        (0..15).map(level).chain(["k15=\neureka.instance.hostname=${k0}\n".to_owned()]).collect();
    let mistakes = import("x.properties", &text).unwrap_err();
    assert_eq!(messages(&mistakes)[0], "more than 10000 placeholders in one value");
}

#[test]
fn items_of_a_list_are_one_value() {
    let text = "eureka.server.rate-limiter-privileged-clients[1]=b\neureka.server.rate-limiter-privileged-clients[0]=a\n\
                eureka.instance.metadata-map[zone]=z\n";
    let (config, _) = import("x.properties", text).unwrap();
    assert_eq!(said(&config.server), "rate-limiter-privileged-clients=a,b");
    assert_eq!(said(&config.instance), "metadata-map.zone=z");
    let mistakes = import("x.properties", "a[1]=b\n").unwrap_err();
    assert_eq!(messages(&mistakes), ["a list without its item `a[0]`"]);
    let yaml = "spring: { cloud: { gateway: { routes: [{ id: a, uri: b }, { id: c }] } } }\neureka.server.rate-limiter-privileged-clients: [a, b]\n";
    let (config, notes) = import("x.yml", yaml).unwrap();
    assert_eq!(said(&config.server), "rate-limiter-privileged-clients=a,b");
    assert_eq!(notes.len(), 3, "{notes:?}");
}
