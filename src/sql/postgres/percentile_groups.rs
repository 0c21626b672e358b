//! `percentile_cont` and `median` of many groups at once: a row is one value more in the list of its group, while an
//! accumulator for each group would cut every batch into as many pieces.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray as _, BooleanArray, Float64Array, Int64Array, PrimitiveArray,
};
use arrow::datatypes::Float64Type;
use datafusion::error::Result;
use datafusion::logical_expr::{EmitTo, GroupsAccumulator};

use super::columns::{column, passes};
use super::percentile_place::PercentilePlace;
use super::percentile_state::{self, lists};
use super::percentile_values::PercentileValues;

/// The values of each group.
#[derive(Debug)]
pub(super) struct PercentileGroups {
    place: PercentilePlace,
    groups: Vec<PercentileValues>,
    /// Memory of the values of all groups together.
    bytes: usize,
}

impl PercentileGroups {
    pub(super) fn new(place: PercentilePlace) -> Self {
        Self { place, groups: Vec::new(), bytes: 0 }
    }

    fn reserve(&mut self, groups: usize) {
        self.groups.resize(groups.max(self.groups.len()), PercentileValues::default());
    }

    fn add(&mut self, group: usize, add: impl FnOnce(&mut PercentileValues)) {
        if let Some(values) = self.groups.get_mut(group) {
            let before = values.bytes();
            add(values);
            self.bytes = self.bytes - before + values.bytes();
        }
    }

    fn take(&mut self, emit: EmitTo) -> Vec<PercentileValues> {
        let groups = emit.take_needed(&mut self.groups);
        self.bytes -= groups.iter().map(PercentileValues::bytes).sum::<usize>();
        groups
    }
}

/// The values that count, or `None`, row by row.
fn passing<'a>(
    values: &'a PrimitiveArray<Float64Type>,
    filter: Option<&'a BooleanArray>,
) -> impl Iterator<Item = Option<f64>> + 'a {
    values.iter().enumerate().map(move |(row, value)| value.filter(|_| passes(filter, row)))
}

impl GroupsAccumulator for PercentileGroups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        groups_count: usize,
    ) -> Result<()> {
        self.reserve(groups_count);
        let values = column(values, 0)?.as_primitive::<Float64Type>();
        for (group, value) in groups.iter().zip(passing(values, filter)) {
            if let Some(value) = value {
                self.add(*group, |values| values.add(value));
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, emit: EmitTo) -> Result<ArrayRef> {
        let groups = self.take(emit).into_iter();
        Ok(Arc::new(groups.map(|mut values| values.at(self.place)).collect::<Float64Array>()))
    }

    fn state(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(percentile_state::columns(&self.take(emit)))
    }

    fn merge_batch(
        &mut self,
        states: &[ArrayRef],
        groups: &[usize],
        groups_count: usize,
    ) -> Result<()> {
        self.reserve(groups_count);
        percentile_state::each(states, |row, value, times| {
            if let Some(group) = groups.get(row) {
                self.add(*group, |values| values.add_times(value, times));
            }
        })
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let values = column(values, 0)?.as_primitive::<Float64Type>();
        let rows: Vec<_> = passing(values, filter).collect();
        let lengths = rows.iter().map(|row| usize::from(row.is_some()));
        let values: Float64Array = rows.iter().flatten().copied().map(Some).collect();
        let counts = lists(rows.iter().map(|_| 0), Arc::new(Int64Array::from(Vec::<i64>::new())));
        Ok(vec![Arc::new(lists(lengths, Arc::new(values))), Arc::new(counts)])
    }

    fn size(&self) -> usize {
        self.groups.capacity() * size_of::<PercentileValues>() + self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups() -> PercentileGroups {
        PercentileGroups::new(PercentilePlace { share: 0.5, falling: false })
    }

    fn column_of(values: &[Option<f64>]) -> Vec<ArrayRef> {
        vec![Arc::new(values.iter().copied().collect::<Float64Array>())]
    }

    fn shown(values: &ArrayRef) -> Vec<Option<f64>> {
        values.as_primitive::<Float64Type>().iter().collect()
    }

    /// Nulls and rows that the filter leaves out do not count, and a group without values is null.
    #[test]
    fn values_are_told_apart_by_group() {
        let mut all = groups();
        let values = column_of(&[Some(1.0), Some(5.0), None, Some(2.0), Some(9.0)]);
        let filter = BooleanArray::from(vec![Some(true), Some(true), Some(true), Some(true), None]);
        all.update_batch(&values, &[0, 1, 1, 0, 0], Some(&filter), 3).unwrap();
        assert_eq!(shown(&all.evaluate(EmitTo::All).unwrap()), [Some(1.5), Some(5.0), None]);
        assert_eq!(all.bytes, 0);
    }

    /// Whether rows come by states, by states of single rows, or themselves, and whichever groups are emitted first.
    #[test]
    fn states_are_as_their_rows() {
        let rows = [Some(4.0), Some(1.0), None, Some(8.0)];
        let mut first = groups();
        first.update_batch(&column_of(&rows), &[0, 1, 0, 0], None, 2).unwrap();
        let states = first.state(EmitTo::All).unwrap();
        let mut merged = groups();
        merged.merge_batch(&states, &[1, 0], 2).unwrap();
        let single = groups().convert_to_state(&column_of(&rows), None).unwrap();
        merged.merge_batch(&single, &[0, 0, 1, 1], 2).unwrap();
        assert!(merged.size() >= 6 * size_of::<f64>());
        assert_eq!(shown(&merged.evaluate(EmitTo::First(1)).unwrap()), [Some(1.0)]);
        assert_eq!(shown(&merged.evaluate(EmitTo::All).unwrap()), [Some(8.0)]);
    }
}
