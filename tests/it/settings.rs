//! `docs/settings.md` says of every setting what the key table says.

use std::fmt::Write as _;

use regsim::protocol::eureka::config::{ClientConfig, Fixes, InstanceConfig, Key, ServerConfig};

const HEAD: &str = "\
# Settings of Eureka

Every setting that a scenario, or a configuration file that it imports, may name. Write either spelling, with or without dashes, points
and capitals; `*` stands for a name. Values are checked against their range. Netflix files have the prefix `eureka.`, Spring's
`eureka.server.`, `eureka.client.` and `eureka.instance.`; in a scenario the blocks `server`, `client`, `instance` and `fixes` stand for
it. One default is that of both profiles; of two, the first is Netflix's. Settings under *without effect* are accepted and checked, and
change nothing that anybody could observe.

*Changed at run time* says when a [`set`](scenario-reference.md#timeline) of a running process counts: the next time that the value is
needed, at the next run or resolution, only for what is made later, or never (*start only*: `set` refuses it, and says why). Where the
original would need a new client for it, that is said; how that is meant stands in [what is modelled](fidelity.md).

This page is made from the key tables (`src/protocol/eureka/config.rs`); a test holds it to them.
";

fn spelling(key: &str) -> String {
    if key.is_empty() { "–".to_owned() } else { format!("`{key}`") }
}

fn default(key: &Key) -> String {
    let shown = |text: &str| if text.is_empty() { "unset".to_owned() } else { format!("`{text}`") };
    let (netflix, spring) = (shown(key.defaults.0), shown(key.defaults.1));
    match (key.netflix.is_empty(), key.spring.is_empty(), netflix == spring) {
        (true, ..) => spring,
        (_, true, _) | (.., true) => netflix,
        (false, false, false) => format!("{netflix}, {spring}"),
    }
}

fn section(title: &str, keys: &'static [Key]) -> String {
    // A process has one version for as long as it runs.
    let changes = keys != Fixes::KEYS;
    let (head, line) = if changes { (" changed at run time |", "---|") } else { ("", "") };
    let mut page = format!(
        "\n## {title}\n\n| Spring | Netflix | default | value | sets |{head}\n|---|---|---|---|---|{line}\n"
    );
    let (inert, obeyed): (Vec<&Key>, Vec<&Key>) = keys.iter().partition(|key| key.inert.is_some());
    for key in obeyed {
        let (spring, netflix, default) = (spelling(key.spring), spelling(key.netflix), default(key));
        let (kind, about) = (key.kind, key.about.trim());
        let change = if changes { format!(" {} |", key.on_change) } else { String::new() };
        writeln!(page, "| {spring} | {netflix} | {default} | {kind} | {about} |{change}").expect("memory");
    }
    if !inert.is_empty() {
        page.push_str("\nWithout effect:\n\n| Spring | Netflix | why |\n|---|---|---|\n");
        for key in inert {
            let (spring, netflix) = (spelling(key.spring), spelling(key.netflix));
            writeln!(page, "| {spring} | {netflix} | {} |", key.inert.unwrap_or("")).expect("memory");
        }
    }
    page
}

#[test]
fn the_page_of_settings_says_what_the_table_says() {
    let expected = [
        HEAD.to_owned(),
        section("Servers (`server`)", ServerConfig::KEYS),
        section("Clients (`client`)", ClientConfig::KEYS),
        section("Instances (`instance`)", InstanceConfig::KEYS),
        section("Other versions (`fixes`)", Fixes::KEYS),
    ]
    .concat();
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/settings.md");
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = expected.lines().zip(written.lines()).position(|(expected, written)| expected != written);
    assert!(
        expected == written,
        "docs/settings.md is not what the key tables say, from line {} on. It should be:\n\n{expected}",
        differs.map_or(expected.lines().count().min(written.lines().count()), |at| at) + 1
    );
}
