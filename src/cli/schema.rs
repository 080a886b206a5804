//! `regsim schema`: the language of scenario files as a JSON Schema, for editors.

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
    say(&format!("{:#}", schema()));
    Exit::Held
}
