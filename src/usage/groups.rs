//! Groups: what rows of one step are told apart by, and their sums.

use std::collections::HashMap;
use std::sync::Arc;

use crate::event::Dimension;
use crate::rollup::{CellName, UsageSums};

/// What rows are told apart by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UsageGroup {
    /// In lower case.
    Provider,
    /// In lower case.
    Model,
    /// The values of a dimension.
    Dimension(Arc<Dimension>),
}

impl UsageGroup {
    /// The name of its column.
    pub fn name(&self) -> &str {
        match self {
            Self::Provider => "provider",
            Self::Model => "model",
            Self::Dimension(dimension) => &dimension.name,
        }
    }

    fn of(&self, name: &CellName) -> Option<Arc<str>> {
        match self {
            Self::Provider => name.provider.clone(),
            Self::Model => name.model.clone(),
            Self::Dimension(_) => name.value.clone(),
        }
    }
}

/// The values of the groups, in their order; `None` if unknown.
pub type GroupKey = Vec<Option<Arc<str>>>;

/// The sums of the groups of one step.
#[derive(Debug)]
pub struct GroupSums {
    by: Vec<UsageGroup>,
    places: HashMap<GroupKey, usize>,
    keys: Vec<GroupKey>,
    sums: Vec<UsageSums>,
}

impl GroupSums {
    /// Without an event.
    pub fn new(by: Vec<UsageGroup>) -> Self {
        Self { by, places: HashMap::new(), keys: Vec::new(), sums: Vec::new() }
    }

    /// The place of the group of a name. It stays the same from step to step.
    pub fn place(&mut self, name: &CellName) -> usize {
        let key: GroupKey = self.by.iter().map(|group| group.of(name)).collect();
        if let Some(place) = self.places.get(&key) {
            return *place;
        }
        let place = self.keys.len();
        self.keys.push(key.clone());
        self.places.insert(key, place);
        self.sums.push(UsageSums::default());
        place
    }

    /// Adds to the group at a place.
    pub fn add(&mut self, place: usize, sums: &UsageSums) {
        if let Some(group) = self.sums.get_mut(place) {
            *group += sums;
        }
    }

    /// Takes from the group at a place.
    pub fn subtract(&mut self, place: usize, sums: &UsageSums) {
        if let Some(group) = self.sums.get_mut(place) {
            *group -= sums;
        }
    }

    /// The groups that have a request or a cost, in order, what is unknown last; the next step begins.
    pub fn take(&mut self) -> Vec<(GroupKey, UsageSums)> {
        let sums = self.sums.iter_mut().map(std::mem::take);
        let groups = self.keys.iter().zip(sums);
        let groups = groups.filter(|(_, sums)| sums.requests != 0 || sums.cost != 0);
        let mut groups: Vec<_> = groups.map(|(key, sums)| (key.clone(), sums)).collect();
        groups.sort_by(|(one, _), (other, _)| in_order(one).cmp(in_order(other)));
        groups
    }

    /// Memory held, about.
    pub fn bytes(&self) -> usize {
        let key = self.by.len() * size_of::<Option<Arc<str>>>();
        self.keys.len() * (2 * (key + size_of::<GroupKey>()) + 2 * size_of::<UsageSums>())
    }
}

fn in_order(key: &GroupKey) -> impl Iterator<Item = (bool, &Option<Arc<str>>)> {
    key.iter().map(|value| (value.is_none(), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(provider: Option<&str>, model: &str) -> CellName {
        CellName { value: None, provider: provider.map(Arc::from), model: Some(model.into()) }
    }

    #[test]
    fn groups_are_in_order_and_those_of_nothing_are_left_out() {
        let mut groups = GroupSums::new(vec![UsageGroup::Provider]);
        let one = UsageSums { requests: 1, ..UsageSums::default() };
        for (provider, model) in [(None, "a"), (Some("b"), "a"), (Some("a"), "a"), (Some("b"), "c")]
        {
            let place = groups.place(&name(provider, model));
            groups.add(place, &one);
        }
        let place = groups.place(&name(Some("c"), "a"));
        groups.add(place, &one);
        groups.subtract(place, &one);
        let taken = groups.take();
        let shown: Vec<_> =
            taken.iter().map(|(key, sums)| (key[0].as_deref(), sums.requests)).collect();
        assert_eq!(shown, [(Some("a"), 1), (Some("b"), 2), (None, 1)]);
        assert_eq!(groups.take(), []);
    }
}
