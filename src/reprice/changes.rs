//! What a reprice changes, by organisation and model.

use std::collections::BTreeMap;

/// Calls that get another cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CostChange {
    /// How many.
    pub events: u64,
    /// What is added to their cost, in 10^-12 dollars.
    pub units: i128,
}

impl CostChange {
    /// Adds a call.
    pub(super) fn add(&mut self, units: i128) {
        self.merge(Self { events: 1, units });
    }

    fn merge(&mut self, other: Self) {
        self.events += other.events;
        self.units = self.units.saturating_add(other.units);
    }
}

/// What changes, by organisation and model in lower case; no model is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CostChanges(BTreeMap<String, BTreeMap<Option<String>, CostChange>>);

impl CostChanges {
    /// Adds calls of a model.
    pub(super) fn add(&mut self, org: &str, model: Option<&str>, change: CostChange) {
        let model = model.map(|model| model.trim().to_lowercase()).filter(|name| !name.is_empty());
        self.merge_one(org.to_owned(), model, change);
    }

    /// Adds other calls.
    pub(super) fn merge(&mut self, other: Self) {
        for (org, models) in other.0 {
            for (model, change) in models {
                self.merge_one(org.clone(), model, change);
            }
        }
    }

    fn merge_one(&mut self, org: String, model: Option<String>, change: CostChange) {
        self.0.entry(org).or_default().entry(model).or_default().merge(change);
    }

    /// Organisation, model and change, in order of both.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>, CostChange)> {
        self.0.iter().flat_map(|(org, models)| {
            models.iter().map(move |(model, change)| (org.as_str(), model.as_deref(), *change))
        })
    }

    /// All calls together.
    pub fn total(&self) -> CostChange {
        let mut total = CostChange::default();
        self.iter().for_each(|(_, _, change)| total.merge(change));
        total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_of_one_model_are_one_line_in_whichever_case() {
        let mut changes = CostChanges::default();
        let change = |events, units| CostChange { events, units };
        changes.add("b", Some("M"), change(1, 5));
        changes.add("b", Some(" m "), change(2, -7));
        changes.add("a", Some(" "), change(1, 0));
        let mut other = CostChanges::default();
        other.add("a", None, change(3, 1));
        changes.merge(other);
        let lines: Vec<_> = changes.iter().collect();
        assert_eq!(lines, [("a", None, change(4, 1)), ("b", Some("m"), change(3, -2))]);
        assert_eq!(changes.total(), change(7, -1));
    }
}
