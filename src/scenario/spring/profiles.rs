//! Profiles: which are active, and for which of them a document is meant.
//!
//! Separate because it is Spring's logic alone. Sources: the documentation of Spring Boot, "Profiles" and "Externalized Configuration";
//! `ProfilesParser` of Spring Framework (expressions) and `Profiles` of Spring Boot (groups, the order).

use std::collections::BTreeMap;

/// How deep parentheses may nest.
const MAX_DEPTH: usize = 32;

/// `a`, `!a`, `a & b`, `a | b`, with parentheses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expression {
    Name(String),
    Not(Box<Expression>),
    All(Vec<Expression>),
    Any(Vec<Expression>),
}

impl Expression {
    /// Reads one. `None`: it is malformed, as Spring sees it: `&` and `|` side by side need parentheses.
    pub(super) fn read(text: &str) -> Option<Expression> {
        let mut rest = text;
        let expression = level(&mut rest, 0)?;
        rest.trim().is_empty().then_some(expression)
    }

    /// Whether it is true of these active profiles.
    pub(super) fn holds(&self, active: &[String]) -> bool {
        match self {
            Expression::Name(name) => active.contains(name),
            Expression::Not(inner) => !inner.holds(active),
            Expression::All(inner) => inner.iter().all(|inner| inner.holds(active)),
            Expression::Any(inner) => inner.iter().any(|inner| inner.holds(active)),
        }
    }

    /// The profiles that it names.
    pub(super) fn names<'e>(&'e self, into: &mut Vec<&'e str>) {
        match self {
            Expression::Name(name) => into.push(name),
            Expression::Not(inner) => inner.names(into),
            Expression::All(inner) | Expression::Any(inner) => {
                inner.iter().for_each(|inner| inner.names(into));
            }
        }
    }
}

/// What stands on one level: operands with one kind of operator between them.
fn level(rest: &mut &str, depth: usize) -> Option<Expression> {
    let mut operands = vec![operand(rest, depth)?];
    let mut operator = None;
    loop {
        *rest = rest.trim_start();
        let Some(next) = rest.chars().next().filter(|next| matches!(next, '&' | '|')) else { break };
        if operator.is_some_and(|operator| operator != next) {
            return None;
        }
        operator = Some(next);
        *rest = &rest[1..];
        operands.push(operand(rest, depth)?);
    }
    match operator {
        None => operands.pop(),
        Some('&') => Some(Expression::All(operands)),
        Some(_) => Some(Expression::Any(operands)),
    }
}

fn operand(rest: &mut &str, depth: usize) -> Option<Expression> {
    if depth > MAX_DEPTH {
        return None;
    }
    *rest = rest.trim_start();
    if let Some(inner) = rest.strip_prefix('!') {
        *rest = inner;
        return operand(rest, depth + 1).map(|operand| Expression::Not(Box::new(operand)));
    }
    if let Some(inner) = rest.strip_prefix('(') {
        *rest = inner;
        let expression = level(rest, depth + 1)?;
        *rest = rest.trim_start().strip_prefix(')')?;
        return Some(expression);
    }
    let end = rest.find(['(', ')', '&', '|', '!']).unwrap_or(rest.len());
    let (name, following) = rest.split_at(end);
    *rest = following;
    (!name.trim().is_empty()).then(|| Expression::Name(name.trim().to_owned()))
}

/// Active profiles in order, the later over the earlier: the included ones first, each group before its members, none twice. If
/// none is active, the default ones are.
pub(super) fn accepted(
    included: &[String],
    active: &[String],
    default: &[String],
    groups: &BTreeMap<String, Vec<String>>,
) -> Vec<String> {
    let named: Vec<&String> = included.iter().chain(active).collect();
    let named = if named.is_empty() { default.iter().collect() } else { named };
    let mut open: Vec<&String> = named.into_iter().rev().collect();
    let mut accepted: Vec<String> = Vec::new();
    while let Some(profile) = open.pop() {
        if !accepted.contains(profile) {
            accepted.push(profile.clone());
            open.extend(groups.get(profile).into_iter().flatten().rev());
        }
    }
    accepted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_as_spring_reads_them() {
        let active = ["a".to_owned(), "east-1".to_owned()];
        for (text, expected) in [
            ("a", Some(true)),
            ("b", Some(false)),
            ("!b", Some(true)),
            ("!!a", Some(true)),
            ("a & b", Some(false)),
            ("a & !b & east-1", Some(true)),
            ("b | east-1", Some(true)),
            ("(a | b) & !(b | c)", Some(true)),
            ("a & b | c", None),
            ("a & (b | c)", Some(false)),
            ("a &", None),
            ("(a", None),
            ("a)", None),
            ("", None),
            ("a !b", None),
        ] {
            let read = Expression::read(text);
            assert_eq!(read.map(|expression| expression.holds(&active)), expected, "{text}");
        }
        assert_eq!(Expression::read(&"(".repeat(100_000)), None);
    }

    #[test]
    fn groups_follow_their_name_and_included_profiles_come_first() {
        let list = |text: &str| -> Vec<String> { text.split_whitespace().map(str::to_owned).collect() };
        let groups = BTreeMap::from([
            ("prod".to_owned(), list("db mq")),
            // One that holds itself ends too.
            ("mq".to_owned(), list("prod mq tls")),
        ]);
        let accepted = |included, active| accepted(&list(included), &list(active), &list("default"), &groups);
        assert_eq!(accepted("", ""), ["default"]);
        assert_eq!(accepted("", "x prod y"), ["x", "prod", "db", "mq", "tls", "y"]);
        assert_eq!(accepted("common", "x"), ["common", "x"]);
        assert_eq!(accepted("common", ""), ["common"]);
    }
}
