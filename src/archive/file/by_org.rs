//! A map keyed by organisation, fast for runs of the same key.

use std::collections::HashMap;

use super::ids::QuickHash;

/// A value for each organisation, created when it is first needed.
#[derive(Debug)]
pub struct ByOrg<'a, T> {
    orgs: Vec<(&'a str, T)>,
    places: HashMap<&'a str, usize, QuickHash>,
    /// The index that was used last: most rows are next to others of their organisation.
    last: usize,
}

impl<T> Default for ByOrg<'_, T> {
    fn default() -> Self {
        Self { orgs: Vec::new(), places: HashMap::default(), last: 0 }
    }
}

impl<'a, T: Default> ByOrg<'a, T> {
    /// The value of an organisation.
    pub fn of(&mut self, org_id: &'a str) -> &mut T {
        if self.orgs.get(self.last).is_none_or(|(last, _)| *last != org_id) {
            self.last = *self.places.entry(org_id).or_insert(self.orgs.len());
            if self.last == self.orgs.len() {
                self.orgs.push((org_id, T::default()));
            }
        }
        // The index was found, or its value was added just now.
        #[allow(clippy::indexing_slicing, reason = "the place was looked up or made above")]
        &mut self.orgs[self.last].1
    }

    /// All organisations with their values, sorted by name.
    pub fn into_sorted(mut self) -> Vec<(&'a str, T)> {
        self.orgs.sort_unstable_by_key(|(org_id, _)| *org_id);
        self.orgs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_organisation_has_one_value_whatever_the_order() {
        let mut found = ByOrg::<Vec<u32>>::default();
        for (org_id, row) in [("b", 0), ("b", 1), ("a", 2), ("b", 3), ("c", 4), ("a", 5)] {
            found.of(org_id).push(row);
        }
        let expected = [("a", vec![2, 5]), ("b", vec![0, 1, 3]), ("c", vec![4])];
        assert_eq!(found.into_sorted(), expected);
    }
}
