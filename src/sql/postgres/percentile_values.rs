//! The values of a group of which a percentile is taken. Counts of LLM tokens repeat: once a group has many values,
//! it is known how often each came, which takes kilobytes where a list of them takes megabytes. Values
//! that hardly repeat are a list.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::percentile_place::PercentilePlace;

/// Values that are listed before anybody looks whether they repeat.
const LISTED_MIN: usize = 1024;
/// A list is looked at again once it is this many times as long.
const GROWTH: usize = 4;
/// How often values repeat on average where counting them takes no more memory than a list.
const REPEATS_MIN: usize = COUNTED_BYTES / size_of::<f64>();
/// Memory of a value that is counted: itself, its count, and a third for the table's free places.
const COUNTED_BYTES: usize = 24;

/// How often values came, by their bits.
type TimesByBits = HashMap<u64, u64, RandomState>;

/// The values of a group.
#[derive(Debug, Clone)]
pub(super) enum PercentileValues {
    /// Each by itself, and how many there are when they are looked at.
    Listed { values: Vec<f64>, looked_at: usize },
    /// Each with how often it came.
    Counted { counts: TimesByBits, all: u64 },
}

impl Default for PercentileValues {
    fn default() -> Self {
        Self::Listed { values: Vec::new(), looked_at: LISTED_MIN }
    }
}

impl PercentileValues {
    pub(super) fn add(&mut self, value: f64) {
        match self {
            Self::Listed { values, looked_at } => {
                values.push(value);
                if values.len() >= *looked_at {
                    self.count_if_repeated();
                }
            }
            Self::Counted { .. } => self.count(value, 1),
        }
    }

    /// Adds a value that came this many times.
    pub(super) fn add_times(&mut self, value: f64, times: u64) {
        if times == 1 {
            return self.add(value);
        }
        if let Self::Listed { values, .. } = self {
            *self = counted(values);
        }
        self.count(value, times);
    }

    fn count(&mut self, value: f64, times: u64) {
        let Self::Counted { counts, all } = self else { return };
        let all_then = *all + times;
        // Before the table grows. A value that is in it makes it no larger, however full it is.
        if counts.len() == counts.capacity()
            && all_then < (counts.len() * REPEATS_MIN) as u64
            && !counts.contains_key(&value.to_bits())
        {
            let counted = counts.iter().map(|(bits, times)| (f64::from_bits(*bits), *times));
            let mut values = Vec::with_capacity(usize::try_from(all_then).unwrap_or(0));
            for (value, times) in counted.chain([(value, times)]) {
                let times = usize::try_from(times).unwrap_or(0);
                values.extend(std::iter::repeat_n(value, times));
            }
            let looked_at = LISTED_MIN.max(values.len() * GROWTH);
            *self = Self::Listed { values, looked_at };
            return;
        }
        *counts.entry(value.to_bits()).or_insert(0) += times;
        *all = all_then;
    }

    fn count_if_repeated(&mut self) {
        let Self::Listed { values, looked_at } = self else { return };
        values.sort_unstable_by(f64::total_cmp);
        let different = values.chunk_by(|a, b| a.to_bits() == b.to_bits()).count();
        if different * REPEATS_MIN <= values.len() {
            *self = counted(values);
        } else {
            *looked_at = values.len() * GROWTH;
        }
    }

    /// Adds the values to `values`, and how often each came to `counts`; none for those of a list.
    pub(super) fn append_to(&self, values: &mut Vec<f64>, counts: &mut Vec<i64>) {
        match self {
            Self::Listed { values: listed, .. } => values.extend(listed),
            Self::Counted { counts: counted, .. } => {
                values.extend(counted.keys().map(|bits| f64::from_bits(*bits)));
                counts.extend(counted.values().map(|times| times.cast_signed()));
            }
        }
    }

    /// The value at a place; `None` of no values.
    pub(super) fn at(&mut self, place: PercentilePlace) -> Option<f64> {
        match self {
            Self::Listed { values, .. } => place.of(values),
            Self::Counted { counts, .. } => {
                let counts = counts.iter().map(|(bits, times)| (f64::from_bits(*bits), *times));
                place.of_counted(counts.collect())
            }
        }
    }

    /// Memory on the heap, about.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Listed { values, .. } => values.capacity() * size_of::<f64>(),
            Self::Counted { counts, .. } => counts.capacity() * COUNTED_BYTES,
        }
    }
}

fn counted(values: &[f64]) -> PercentileValues {
    let mut counts = TimesByBits::default();
    values.iter().for_each(|value| *counts.entry(value.to_bits()).or_insert(0) += 1);
    PercentileValues::Counted { counts, all: values.len() as u64 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(values: &[f64]) -> PercentileValues {
        let mut group = PercentileValues::default();
        values.iter().for_each(|value| group.add(*value));
        group
    }

    /// The same values by a state, into a group that has some.
    fn merged(group: &PercentileValues, into: &mut PercentileValues) {
        let (mut values, mut counts) = (Vec::new(), Vec::new());
        group.append_to(&mut values, &mut counts);
        for (at, value) in values.into_iter().enumerate() {
            into.add_times(value, counts.get(at).map_or(1, |times| times.unsigned_abs()));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
        #[test]
        fn counted_values_are_at_the_places_of_listed_ones(
            kinds in prop_oneof![Just(3_u32), Just(900), Just(1 << 20)],
            numbers in prop::collection::vec(any::<u32>(), 0..6_000),
            share in 0.0..=1.0_f64,
            falling in any::<bool>(),
            cut in 0..6_000_usize,
        ) {
            let values: Vec<_> = numbers.iter().map(|n| f64::from(n % kinds) - 2.0).collect();
            let place = PercentilePlace { share, falling };
            let listed = place.of(&mut values.clone());
            prop_assert_eq!(of(&values).at(place), listed);
            let (left, right) = values.split_at(cut.min(values.len()));
            let mut both = of(left);
            merged(&of(right), &mut both);
            prop_assert_eq!(both.at(place), listed);
        }
    }

    #[test]
    fn what_repeats_takes_little_memory_and_what_does_not_is_a_list() {
        let mut group = of(&[]);
        (0..1_000_000).for_each(|n| group.add(f64::from(n % 5_000)));
        assert!(matches!(group, PercentileValues::Counted { .. }));
        assert!(group.bytes() < 400_000, "{}", group.bytes());
        let place = PercentilePlace { share: 0.5, falling: false };
        assert_eq!(group.at(place), Some(2_499.5));
        // Values that came often and then no more.
        (0..2_000_000).for_each(|n| group.add(f64::from(n) + 0.5));
        assert!(matches!(group, PercentileValues::Listed { .. }));
        // Both kinds of zero, and what is not a number, are told apart by their bits as by their order.
        assert_eq!(of(&[f64::NAN, -0.0, 0.0]).at(place), Some(0.0));
    }

    #[test]
    fn no_kind_of_values_takes_much_more_than_a_list() {
        for kinds in [1_000_000, 15_000, 4_000, 1_200, 400] {
            let mut group = of(&[]);
            for n in 0..60_000_u32 {
                group.add(f64::from(n.wrapping_mul(2_654_435_761) % kinds));
                // A list doubles as it grows.
                let list = (n as usize + 1).next_power_of_two().max(4) * size_of::<f64>();
                assert!(group.bytes() <= 2 * list, "{n} of {kinds}: {}", group.bytes());
            }
        }
    }
}
