//! Where a percentile stands among the values of a group, as PostgreSQL's `percentile_cont` has it.

/// Which of a group's values is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct PercentilePlace {
    /// From 0 to 1.
    pub share: f64,
    /// Whether the largest value is the first.
    pub falling: bool,
}

impl PercentilePlace {
    /// The value at the place, interpolated between two neighbours; `None` of no values.
    #[expect(
        clippy::float_arithmetic,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "PostgreSQL's are floats; the place is within the values"
    )]
    pub(super) fn of(self, values: &mut [f64]) -> Option<f64> {
        let last = values.len().checked_sub(1)?;
        let order = |left: &f64, right: &f64| {
            if self.falling { right.total_cmp(left) } else { left.total_cmp(right) }
        };
        let place = self.share * last as f64;
        let (first, second) = (place.floor() as usize, (place.ceil() as usize).min(last));
        let (_, low, above) = values.select_nth_unstable_by(first, order);
        let low = *low;
        let high = if second == first { Some(low) } else { above.iter().copied().min_by(order) };
        Some(low + (place - first as f64) * (high.unwrap_or(low) - low))
    }
}
