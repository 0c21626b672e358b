//! Finds the rules of a table that are for a model, without looking at the others.

use std::cmp::Reverse;
use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::affixes::Affixes;
use super::model_name::{ModelNames, is_tuned};
use super::provider::Provider;
use super::rule::{Names, Rule};

/// How a rule names a model. The order is that of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum How {
    /// By its name.
    Exact,
    /// By another name.
    Alias,
    /// By how names begin.
    Prefix,
    /// By how names end.
    Suffix,
    /// By a pattern.
    Pattern,
    /// By how a name ends whose own end was taken off: what the whole name says comes before.
    SuffixOfCut,
}

/// A rule that is for a name, and how well it fits. The smallest fits best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Hit {
    /// How: of prefix and suffix, neither is before the other.
    how: How,
    /// Bytes of the prefix or suffix: the longest first.
    length: Reverse<usize>,
    /// Which of the model's names: the one that was sent first.
    name: usize,
    /// Whether the rule's provider is the call's to the letter, in general, or anyone.
    provider: u8,
    /// The rule's place in the table.
    pub(super) rule: u32,
}

/// The rules of a table by provider and name.
#[derive(Debug, Default)]
pub(super) struct Index {
    families: HashMap<Box<str>, ByName, RandomState>,
    /// Rules for any provider.
    any: ByName,
    /// The door of each rule's provider.
    doors: Vec<Option<&'static str>>,
}

#[derive(Debug, Default)]
struct ByName {
    exact: HashMap<Box<str>, Vec<u32>, RandomState>,
    aliases: HashMap<Box<str>, Vec<u32>, RandomState>,
    prefixes: Affixes,
    /// The texts are reversed.
    suffixes: Affixes,
    patterns: Vec<u32>,
}

impl Names {
    /// Each name, beginning, end and pattern, and which of these it is.
    pub(super) fn each(&self) -> impl Iterator<Item = (How, &str)> {
        fn list(how: How, names: &[Box<str>]) -> impl Iterator<Item = (How, &str)> {
            names.iter().map(move |name| (how, &**name))
        }
        let patterns = self.patterns.iter().map(|pattern| (How::Pattern, pattern.text()));
        let model = self.model.iter().map(|model| (How::Exact, &**model));
        model
            .chain(list(How::Alias, &self.aliases))
            .chain(list(How::Prefix, &self.prefixes))
            .chain(list(How::Suffix, &self.suffixes))
            .chain(patterns)
    }
}

impl Index {
    /// The index of rules.
    pub(super) fn of(rules: &[Rule]) -> Self {
        let mut by_family: HashMap<Option<&str>, Vec<u32>, RandomState> = HashMap::default();
        let mut doors = Vec::with_capacity(rules.len());
        for (at, rule) in (0..).zip(rules) {
            let provider = rule
                .provider()
                .map(|name| Provider::of(name).unwrap_or(Provider { family: name, door: "" }));
            doors.push(provider.map(|provider| provider.door));
            by_family.entry(provider.map(|provider| provider.family)).or_default().push(at);
        }
        let mut index = Self { doors, ..Self::default() };
        for (family, places) in by_family {
            let by_name = ByName::of(&places, rules);
            match family {
                Some(family) => drop(index.families.insert(family.into(), by_name)),
                None => index.any = by_name,
            }
        }
        index
    }

    /// Adds the rules for a model of a provider; several times if several of its names fit.
    pub(super) fn find(
        &self,
        rules: &[Rule],
        provider: Option<Provider<'_>>,
        model: &ModelNames,
        hits: &mut Vec<Hit>,
    ) {
        let door = provider.map(|provider| provider.door);
        let by_name = provider.and_then(|provider| self.families.get(provider.family));
        for by_name in by_name.into_iter().chain([&self.any]) {
            for (name, text) in model.names.iter().enumerate() {
                let cut = name >= model.cut;
                by_name.find(rules, text, (model.is_tuned, cut), |how, length, rule| {
                    let own = usize::try_from(rule).ok().and_then(|at| self.doors.get(at));
                    let provider = match own.copied().flatten() {
                        None => 2,
                        own => u8::from(own != door),
                    };
                    hits.push(Hit { how, length: Reverse(length), name, provider, rule });
                });
            }
        }
    }
}

impl ByName {
    fn of(places: &[u32], rules: &[Rule]) -> Self {
        let mut by_name = Self::default();
        let (mut prefixes, mut suffixes) = (Vec::new(), Vec::new());
        for place in places {
            let rule = usize::try_from(*place).ok().and_then(|at| rules.get(at));
            for (how, name) in rule.into_iter().flat_map(|rule| rule.names.each()) {
                match how {
                    How::Exact => by_name.exact.entry(name.into()).or_default().push(*place),
                    How::Alias => by_name.aliases.entry(name.into()).or_default().push(*place),
                    How::Prefix => prefixes.push((name.as_bytes().to_vec(), *place)),
                    How::Suffix => suffixes.push((name.bytes().rev().collect(), *place)),
                    How::Pattern => by_name.patterns.push(*place),
                    How::SuffixOfCut => {}
                }
            }
        }
        by_name.patterns.dedup();
        by_name.prefixes = Affixes::of(prefixes);
        by_name.suffixes = Affixes::of(suffixes);
        by_name
    }

    /// Calls `found` with how each rule fits a name, the bytes of a prefix or suffix, and its place.
    fn find(
        &self,
        rules: &[Rule],
        name: &str,
        (tuned, cut): (bool, bool),
        mut found: impl FnMut(How, usize, u32),
    ) {
        for (how, names) in [(How::Exact, &self.exact), (How::Alias, &self.aliases)] {
            names.get(name).into_iter().flatten().for_each(|place| found(how, 0, *place));
        }
        let rule = |place: u32| usize::try_from(place).ok().and_then(|at| rules.get(at));
        let mut allowed = |how: How, length: usize, place: u32| {
            let except = rule(place).map_or(&[][..], |rule| &rule.names.except);
            if !except.iter().any(|pattern| pattern.matches(name)) {
                found(how, length, place);
            }
        };
        // What tells nothing of the tuning is a name of the base model.
        let fits = |text: &str| !tuned || is_tuned(text);
        self.prefixes.each(name.as_bytes(), |length, places| {
            if name.get(..length).is_some_and(fits) {
                places.iter().for_each(|place| allowed(How::Prefix, length, *place));
            }
        });
        let reversed: Vec<u8> = name.bytes().rev().collect();
        self.suffixes.each(&reversed, |length, places| {
            if name.get(name.len() - length..).is_some_and(fits) {
                places.iter().for_each(|place| {
                    allowed(if cut { How::SuffixOfCut } else { How::Prefix }, length, *place)
                });
            }
        });
        for place in &self.patterns {
            let patterns = rule(*place).map_or(&[][..], |rule| &rule.names.patterns);
            let mut fitting = patterns.iter().filter(|pattern| pattern.matches(name));
            if fitting.any(|pattern| pattern.text() == "*" || fits(pattern.text())) {
                allowed(How::Pattern, 0, *place);
            }
        }
    }
}
