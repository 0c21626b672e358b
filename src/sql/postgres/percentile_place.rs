//! Where a percentile stands among the values of a group, as PostgreSQL's `percentile_cont` has it.

use std::cmp::Ordering;

/// Which of a group's values is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct PercentilePlace {
    /// From 0 to 1.
    pub share: f64,
    /// Whether the largest value is the first.
    pub falling: bool,
}

impl PercentilePlace {
    /// The neighbours of the place among this many values; `None` of no values.
    #[expect(
        clippy::float_arithmetic,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "PostgreSQL's are floats; the place is within the values"
    )]
    fn between(self, count: usize) -> Option<Between> {
        let last = count.checked_sub(1)?;
        let place = self.share * last as f64;
        let (first, second) = (place.floor() as usize, (place.ceil() as usize).min(last));
        Some(Between { first, second, share: place - first as f64 })
    }

    /// The value at the place; `None` of no values.
    pub(super) fn of(self, values: &mut [f64]) -> Option<f64> {
        let between = self.between(values.len())?;
        let order = |left: &f64, right: &f64| self.order(*left, *right);
        let (_, low, above) = values.select_nth_unstable_by(between.first, order);
        let low = *low;
        let high = (between.second > between.first).then(|| above.iter().copied().min_by(order));
        Some(between.value(low, high.flatten().unwrap_or(low)))
    }

    /// The same of values each of which came a number of times.
    pub(super) fn of_counted(self, mut values: Vec<(f64, u64)>) -> Option<f64> {
        let count = values.iter().map(|(_, times)| times).sum::<u64>();
        let between = self.between(usize::try_from(count).unwrap_or(usize::MAX))?;
        values.sort_unstable_by(|(left, _), (right, _)| self.order(*left, *right));
        let mut ends = values.iter().scan(0_u64, |end, (value, times)| {
            *end += times;
            Some((*value, *end))
        });
        let mut at = |place: usize| {
            let found = ends.find(|(_, end)| *end > place as u64);
            found.map(|(value, end)| (value, end > between.second as u64))
        };
        let (low, is_both) = at(between.first)?;
        let high = if is_both { None } else { at(between.second) };
        Some(between.value(low, high.map_or(low, |(high, _)| high)))
    }

    fn order(self, left: f64, right: f64) -> Ordering {
        if self.falling { right.total_cmp(&left) } else { left.total_cmp(&right) }
    }
}

/// The places of two neighbours, and the share of the way from the first to the second.
#[derive(Debug, Clone, Copy)]
struct Between {
    first: usize,
    second: usize,
    share: f64,
}

impl Between {
    /// The value between those of the neighbours.
    #[expect(clippy::float_arithmetic, reason = "PostgreSQL's are floats")]
    fn value(self, low: f64, high: f64) -> f64 {
        low + self.share * (high - low)
    }
}
