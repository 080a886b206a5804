//! `regsim schema`: the language of scenario files as a JSON Schema, for editors.

use serde_json::Value as Json;

use super::{Exit, say};
use crate::scenario::schema::schema;

/// Print the JSON Schema of scenario files.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  regsim schema > scenario.schema.json

An editor with a YAML language server uses it for a file that begins with
  # yaml-language-server: $schema=scenario.schema.json")]
pub struct Arguments {}

/// Carries it out.
pub fn carry_out(_: &Arguments) -> Exit {
    let mut text = String::new();
    print(&schema(), 0, &mut text);
    say(&text);
    Exit::Held
}

/// What fits on a line of so many characters stands on one: most keys of most objects.
const LINE: usize = 132;

/// Adds a value that stands so deep.
fn print(value: &Json, depth: usize, text: &mut String) {
    let short = value.to_string();
    let is_flat = short.len() + depth * 2 <= LINE;
    let inner: Vec<(String, &Json)> = match value {
        Json::Object(keys) if !is_flat => {
            keys.iter().map(|(key, value)| (format!("{}: ", Json::from(key.as_str())), value)).collect()
        }
        Json::Array(items) if !is_flat => items.iter().map(|item| (String::new(), item)).collect(),
        _ => return text.push_str(&short),
    };
    let (open, close) = if value.is_object() { ('{', '}') } else { ('[', ']') };
    text.push(open);
    for (at, (key, value)) in inner.into_iter().enumerate() {
        text.push_str(if at == 0 { "\n" } else { ",\n" });
        text.push_str(&"  ".repeat(depth + 1));
        text.push_str(&key);
        print(value, depth + 1, text);
    }
    text.push('\n');
    text.push_str(&"  ".repeat(depth));
    text.push(close);
}
