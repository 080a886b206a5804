//! The examples of `docs/scenario-reference.md` are read as scenarios are: documentation that is refused is wrong.

use std::path::Path;

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
