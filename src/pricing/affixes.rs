//! Finds the longest of many texts that a name begins with, and those that begin it, too.

/// Beginnings of names with the rules that they are of, so that a name is looked up in the logarithm
/// of their number.
#[derive(Debug, Default)]
pub(super) struct Affixes(Vec<Affix>);

#[derive(Debug)]
struct Affix {
    text: Box<[u8]>,
    rules: Vec<u32>,
    /// The place of the longest other one that begins this one.
    shorter: Option<usize>,
}

impl Affixes {
    /// Makes them of beginnings, each with its rule.
    pub(super) fn of(mut all: Vec<(Vec<u8>, u32)>) -> Self {
        all.sort();
        let mut affixes: Vec<Affix> = Vec::new();
        for (text, rule) in all {
            if let Some(last) = affixes.last_mut().filter(|last| *last.text == *text) {
                last.rules.push(rule);
                continue;
            }
            let shorter = begins(&affixes, affixes.len().checked_sub(1), &text);
            affixes.push(Affix { text: text.into(), rules: vec![rule], shorter });
        }
        Self(affixes)
    }

    /// Calls `found` with the length of each text that begins `name`, and its rules, the longest first.
    pub(super) fn each(&self, name: &[u8], mut found: impl FnMut(usize, &[u32])) {
        let end = self.0.partition_point(|affix| *affix.text <= *name);
        let mut at = begins(&self.0, end.checked_sub(1), name);
        while let Some(affix) = at.and_then(|at| self.0.get(at)) {
            found(affix.text.len(), &affix.rules);
            at = affix.shorter;
        }
    }
}

/// The longest that begins `name`, from the last that is not after it on.
fn begins(affixes: &[Affix], mut at: Option<usize>, name: &[u8]) -> Option<usize> {
    while let Some(affix) = at.and_then(|at| affixes.get(at)) {
        if name.starts_with(&affix.text) {
            return at;
        }
        at = affix.shorter;
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn all_that_begin_a_name_are_found_the_longest_first(
            texts in prop::collection::vec("[ab]{1,5}", 0..20), name in "[ab]{0,7}",
        ) {
            let all = (0..).zip(&texts).map(|(rule, text)| (text.as_bytes().to_vec(), rule));
            let affixes = Affixes::of(all.collect());
            let mut found = Vec::new();
            affixes.each(name.as_bytes(), |length, rules| {
                found.extend(rules.iter().map(|rule| (usize::MAX - length, *rule)));
            });
            let begin = (0..).zip(&texts).filter(|(_, text)| name.starts_with(text.as_str()));
            let mut wanted: Vec<(usize, u32)> =
                begin.map(|(rule, text)| (usize::MAX - text.len(), rule)).collect();
            wanted.sort_unstable();
            prop_assert_eq!(found, wanted);
        }
    }
}
