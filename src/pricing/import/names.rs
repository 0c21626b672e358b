//! Turns genai-prices' conditions on the names of models into the names of a rule.

use std::collections::HashSet;

use serde_json::Value;

use super::regex;
use crate::pricing::text::RuleText;

/// The names that the models of a provider have already: the first that has one keeps it.
#[derive(Debug, Default)]
pub(super) struct Claimed(HashSet<(char, String)>);

impl Claimed {
    /// Leaves the names to a rule that no other has. False if others had some.
    pub(super) fn keep(&mut self, rule: &mut RuleText) -> bool {
        let mut all = true;
        let mut own = HashSet::new();
        // A name and an alias are the same to genai-prices.
        if let Some(model) = rule.model.clone() {
            own.insert(('=', model.clone()));
            if self.0.contains(&('=', model)) {
                rule.model = None;
                all = false;
            }
        }
        let lists = [
            ('=', &mut rule.aliases),
            ('^', &mut rule.prefixes),
            ('$', &mut rule.suffixes),
            ('*', &mut rule.patterns),
        ];
        for (how, list) in lists {
            list.retain(|name| {
                let name = (how, name.clone());
                let others = self.0.contains(&name);
                all &= !others;
                !others && own.insert(name)
            });
        }
        self.0.extend(own);
        all
    }
}

/// Adds the names that a condition is for to a rule's, and tells what no rule can say.
pub(super) fn add_clause(clause: &Value, id: &str, rule: &mut RuleText) -> Vec<String> {
    let mut reasons = Vec::new();
    let object = clause.as_object();
    let Some((how, what)) = object.and_then(|object| object.iter().next()) else {
        return vec!["its names have no condition".to_owned()];
    };
    match (how.as_str(), what) {
        ("or", Value::Array(clauses)) => {
            for clause in clauses {
                reasons.extend(add_clause(clause, id, rule));
            }
        }
        ("and", Value::Array(clauses)) => {
            let kept_away = |clause: &Value| {
                clause.get("regex").and_then(Value::as_str).and_then(regex::exceptions)
            };
            let (negative, positive): (Vec<_>, Vec<_>) =
                clauses.iter().partition(|clause| kept_away(clause).is_some());
            match positive.as_slice() {
                [one] => {
                    rule.except.extend(negative.into_iter().filter_map(kept_away).flatten());
                    reasons.extend(add_clause(one, id, rule));
                }
                _ => reasons.push(format!("no rule says of names: {clause}")),
            }
        }
        (how, Value::String(text)) => {
            let added = add_text(how, text, id, rule);
            reasons.extend(added.is_none().then(|| format!("no rule says of names: {clause}")));
        }
        _ => reasons.push(format!("no rule says of names: {clause}")),
    }
    reasons
}

fn add_text(how: &str, text: &str, id: &str, rule: &mut RuleText) -> Option<()> {
    let text = text.to_lowercase();
    match how {
        "equals" if text == id.to_lowercase() => rule.model = Some(text),
        "equals" => rule.aliases.push(text),
        "starts_with" => rule.prefixes.push(text),
        "ends_with" => rule.suffixes.push(text),
        "contains" if !text.contains(['*', '#']) => rule.patterns.push(format!("*{text}*")),
        "regex" => {
            for pattern in regex::patterns(&text)? {
                match pattern.strip_suffix('*') {
                    _ if !pattern.contains(['*', '#']) => rule.aliases.push(pattern),
                    Some(prefix) if !prefix.contains(['*', '#']) => {
                        rule.prefixes.push(prefix.into())
                    }
                    _ => rule.patterns.push(pattern),
                }
            }
        }
        _ => return None,
    }
    Some(())
}
