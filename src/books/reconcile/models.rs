//! Which names of models mean the same one.

use std::collections::{BTreeMap, BTreeSet};

use crate::pricing::ModelIdentity;

/// The names of a provider's models in events and in reports, under one name each.
#[derive(Debug)]
pub(super) struct SameModels {
    provider: String,
    /// The name in events, without what is around it → that in the report, where they differ by a date.
    dated: BTreeMap<String, String>,
}

impl SameModels {
    /// Finds which of the models that events name are those that reports name. The same name means the same
    /// model. A name that only one side has means the one that the other side has with a date, or without,
    /// if it can be no other.
    pub(super) fn of<'n>(
        provider: &str,
        events: impl Iterator<Item = &'n str>,
        reported: impl Iterator<Item = &'n str>,
    ) -> Self {
        let mut same = Self { provider: provider.to_owned(), dated: BTreeMap::new() };
        let events: BTreeSet<_> = events.map(|name| same.clean(name)).collect();
        let reported: BTreeSet<_> = reported.map(|name| same.clean(name)).collect();
        let only = |here: &BTreeSet<String>, there: &BTreeSet<String>| {
            here.difference(there).cloned().collect::<Vec<_>>()
        };
        let of_events = only(&events, &reported);
        // Senders name one model with its date and without; the report has one name for it.
        for name in &of_events {
            let mut fitting = reported.iter().filter(|other| are_dated(name, other));
            let (Some(other), None) = (fitting.next(), fitting.next()) else { continue };
            same.dated.insert(name.clone(), other.clone());
        }
        same
    }

    /// The one name of a model that a report names.
    pub(super) fn clean(&self, name: &str) -> String {
        let identity = ModelIdentity::of(Some(&self.provider), Some(name));
        identity.model.unwrap_or_else(|| name.to_lowercase())
    }

    /// The one name of a model that events name, and whether it is a report's with or without a date.
    pub(super) fn of_event(&self, name: &str) -> (String, bool) {
        let name = self.clean(name);
        match self.dated.get(&name) {
            Some(other) => (other.clone(), true),
            None => (name, false),
        }
    }
}

/// Whether one of two names is the other with a date.
fn are_dated(one: &str, other: &str) -> bool {
    without_date(one) == Some(other) || without_date(other) == Some(one)
}

/// The name without the date at its end: `-2024-08-06`.
fn without_date(name: &str) -> Option<&str> {
    let (name, date) = name.split_at_checked(name.len().checked_sub("-2024-08-06".len())?)?;
    let is_date = date.bytes().enumerate().all(|(at, byte)| match at {
        0 | 5 | 8 => byte == b'-',
        _ => byte.is_ascii_digit(),
    });
    (is_date && date.starts_with("-20") && !name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_meet_by_what_they_mean() {
        let events =
            ["openai/gpt-4o-2024-08-06", "gpt-4o-mini", "o3", "gpt-x", "gpt-y-2026-01-01", "gpt-y"];
        let reported = [
            "gpt-4o-2024-08-06",
            "gpt-4o-mini-2024-07-18",
            "o3-2025-04-16",
            "o3",
            "gpt-x-2026-01-01",
            "gpt-x-2026-02-01",
            "gpt-y-2026-02-02",
        ];
        let same = SameModels::of("openai", events.into_iter(), reported.into_iter());
        let of = |name| same.of_event(name);
        assert_eq!(of("openai/gpt-4o-2024-08-06"), ("gpt-4o-2024-08-06".to_owned(), false));
        assert_eq!(of("gpt-4o-mini"), ("gpt-4o-mini-2024-07-18".to_owned(), true));
        // The report has this name itself, and of the others it can be either.
        assert_eq!(of("o3"), ("o3".to_owned(), false));
        assert_eq!(of("gpt-x"), ("gpt-x".to_owned(), false));
        assert_eq!(of("gpt-y-2026-01-01"), ("gpt-y-2026-01-01".to_owned(), false));
        assert_eq!(of("gpt-y"), ("gpt-y-2026-02-02".to_owned(), true));
    }

    #[test]
    fn a_name_with_and_without_its_date_is_one_model_if_events_have_both() {
        let events = ["gpt-4o-mini", "gpt-4o-mini-2024-07-18"];
        let dated = "gpt-4o-mini-2024-07-18";
        let same = SameModels::of("openai", events.into_iter(), [dated].into_iter());
        assert_eq!(same.of_event(events[0]), (dated.to_owned(), true));
        assert_eq!(same.of_event(events[1]), (dated.to_owned(), false));
    }

    #[test]
    fn a_date_is_one_of_this_century() {
        assert_eq!(without_date("gpt-4o-2024-08-06"), Some("gpt-4o"));
        for name in ["gpt-4o", "-2024-08-06", "gpt-4o-1024-08-06", "x-2024-08-0é", "é"] {
            assert_eq!(without_date(name), None, "{name}");
        }
    }
}
