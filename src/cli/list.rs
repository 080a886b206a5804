//! `regsim list`: the built-in scenarios, searchable.

use super::{Exit, library, say, tell};
use crate::scenario::Scenario;

/// List and search the built-in scenarios.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  regsim list                         all of them, one line each
  regsim list partition               those that speak of partitions
  regsim list balancer cache --long   with what each teaches")]
pub struct Arguments {
    /// Words that must occur in the name, the title or the text, in any case
    #[arg(value_name = "WORD")]
    words: Vec<String>,
    /// Show what each scenario teaches
    #[arg(long, short)]
    long: bool,
}

/// Carries it out.
pub fn carry_out(arguments: &Arguments) -> Exit {
    // Each was read by a test; one that cannot be read would be missing here, not fatal.
    let stories: Vec<Scenario> = library::all().iter().filter_map(|shipped| shipped.load(&[]).ok()).collect();
    let found: Vec<&Scenario> = stories.iter().filter(|story| matches(story, &arguments.words)).collect();
    if found.is_empty() {
        tell(&format!("no built-in scenario speaks of all of: {}", arguments.words.join(", ")));
        return Exit::Misuse;
    }
    let width = found.iter().map(|story| story.name.len()).max().unwrap_or(0);
    for story in &found {
        say(&format!("{:width$}  {}", story.name, story.title));
        if let Some(about) = story.about.as_deref().filter(|_| arguments.long) {
            wrapped(about, 96).iter().for_each(|line| say(&format!("    {line}")));
            say("");
        }
    }
    Exit::Held
}

fn matches(story: &Scenario, words: &[String]) -> bool {
    let about = story.about.as_deref().unwrap_or_default();
    let text = format!("{} {} {about}", story.name, story.title).to_lowercase();
    words.iter().all(|word| text.contains(&word.to_lowercase()))
}

/// The words of a text in lines of at most so many characters.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_words_must_occur_somewhere_in_any_case() {
        let stories = library::all();
        let down = stories.iter().find(|shipped| shipped.name == "eureka/peer-down").expect("it is shipped");
        let down = down.load(&[]).expect("it can be read");
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        assert!(matches(&down, &words(&[])));
        assert!(matches(&down, &words(&["PEER", "down", "refused"])), "name, name, text");
        assert!(!matches(&down, &words(&["peer", "zookeeper"])));
    }

    #[test]
    fn a_text_is_broken_between_words() {
        assert_eq!(wrapped("one two\n three", 7), ["one two", "three"]);
        assert_eq!(wrapped("unbreakable", 4), ["unbreakable"]);
    }
}
