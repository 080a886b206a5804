//! The examples of `docs/scenario-reference.md` are read as scenarios are: documentation that is refused is wrong. And what a run
//! measures is defined in `docs/metrics.md`.

use std::path::Path;

use regsim::plan::Plan;
use regsim::run::run;
use regsim::scenario::Scenario;

/// The indented blocks of a page, with the line on which each begins.
fn examples(page: &str) -> Vec<(usize, String)> {
    let mut examples: Vec<(usize, String)> = Vec::new();
    let mut before = "";
    for (at, line) in page.lines().enumerate() {
        if let Some(code) = line.strip_prefix("    ") {
            match examples.last_mut() {
                Some((_, example)) if before.starts_with("    ") => example.push_str(code),
                _ => examples.push((at + 1, code.to_owned())),
            }
            examples.iter_mut().next_back().into_iter().for_each(|(_, example)| example.push('\n'));
        }
        before = line;
    }
    examples
}

fn read(text: &str) -> Result<(), String> {
    let mut empty = |_: &str| Ok(Vec::new());
    Scenario::parse("example.yaml", text.as_bytes(), &[], &mut empty)
        .map(|_| ())
        .map_err(|mistakes| mistakes.iter().map(ToString::to_string).collect())
}

#[test]
fn every_example_of_the_reference_is_accepted() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/scenario-reference.md");
    let page = std::fs::read_to_string(path).expect("the page is part of the repository");
    let examples = examples(&page);
    assert!(examples.len() >= 10, "{} examples", examples.len());
    for (line, example) in examples {
        let title = if example.contains("title:") { "" } else { "title: t\n" };
        let servers = if example.contains("servers:\n") { "" } else { "servers: { a: }\n" };
        let result = match example.starts_with("- ") {
            // A list is one of steps or one of expectations.
            true => read(&format!("{title}{servers}timeline:\n{example}")).or_else(|steps| {
                read(&format!("{title}{servers}expect:\n{example}")).map_err(|expect| steps + &expect)
            }),
            false => read(&format!("{title}{servers}{example}")),
        };
        assert_eq!(result, Ok(()), "the example of line {line}:\n{example}");
    }
}

/// Whether a page defines a figure: by its name in backticks, or by one that ends in `*` or in a word in capitals for what varies.
fn defines(page: &str, figure: &str) -> bool {
    let names = page.split('`').skip(1).step_by(2);
    let begins = |name: &str| {
        let open = name.strip_suffix('*').or_else(|| name.strip_suffix("KIND"));
        open.is_some_and(|open| !open.is_empty() && figure.starts_with(open))
    };
    names.into_iter().any(|name| name == figure || begins(name))
}

#[test]
fn every_figure_of_a_run_is_defined() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/metrics.md")).expect("part of the repository");
    let mut seen = 0;
    for name in ["provider-crash", "partition-between-peers", "stuck-in-starting"] {
        let scenario = Scenario::load(&root.join(format!("scenarios/eureka/{name}.yaml"))).expect("shipped");
        let plan = Plan::resolve(&scenario).expect("shipped");
        let figures = run(&plan, 1, &mut ()).measured.figures;
        for figure in figures.keys() {
            // Outcomes of pairs are listed for servers; those of clients have the same names behind `client_`.
            let listed =
                figure.strip_prefix("client_").filter(|_| !figure.contains("_ms_")).unwrap_or(figure);
            assert!(defines(&page, listed), "`{figure}` is not in docs/metrics.md");
            seen += 1;
        }
    }
    assert!(seen > 150, "{seen} figures");
    assert!(!defines(&page, "nothing_of_the_kind") && !defines(&page, "discovery_m"));
}
