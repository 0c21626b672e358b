//! `percentile_cont` and `median` of many groups at once: a row is one value more in the list of its group, while an
//! accumulator for each group would cut every batch into as many pieces.

use std::sync::Arc;

use arrow::array::{
    Array as _, ArrayRef, AsArray as _, BooleanArray, Float64Array, ListArray, PrimitiveArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{Field, Float64Type};
use datafusion::error::Result;
use datafusion::logical_expr::{EmitTo, GroupsAccumulator};

use super::columns::{column, passes};
use super::percentile_place::PercentilePlace;

/// The values of each group.
#[derive(Debug)]
pub(super) struct PercentileGroups {
    place: PercentilePlace,
    groups: Vec<Vec<f64>>,
    /// Room of all lists together.
    values_max: usize,
}

impl PercentileGroups {
    pub(super) fn new(place: PercentilePlace) -> Self {
        Self { place, groups: Vec::new(), values_max: 0 }
    }

    fn reserve(&mut self, groups: usize) {
        self.groups.resize(groups.max(self.groups.len()), Vec::new());
    }

    fn add(&mut self, group: usize, values: &[f64]) {
        if let Some(list) = self.groups.get_mut(group) {
            let before = list.capacity();
            list.extend_from_slice(values);
            self.values_max += list.capacity() - before;
        }
    }

    fn take(&mut self, emit: EmitTo) -> Vec<Vec<f64>> {
        let lists = emit.take_needed(&mut self.groups);
        self.values_max -= lists.iter().map(Vec::capacity).sum::<usize>();
        lists
    }
}

/// A row for each list, as states are told.
pub(super) fn lists(lengths: impl IntoIterator<Item = usize>, values: ArrayRef) -> ListArray {
    let field = Arc::new(Field::new_list_field(values.data_type().clone(), true));
    ListArray::new(field, OffsetBuffer::from_lengths(lengths), values, None)
}

fn floats(values: Vec<f64>) -> ArrayRef {
    Arc::new(Float64Array::from(values))
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
                self.add(*group, &[value]);
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, emit: EmitTo) -> Result<ArrayRef> {
        let lists = self.take(emit).into_iter();
        Ok(Arc::new(lists.map(|mut list| self.place.of(&mut list)).collect::<Float64Array>()))
    }

    fn state(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        let of_groups = self.take(emit);
        let lengths: Vec<_> = of_groups.iter().map(Vec::len).collect();
        Ok(vec![Arc::new(lists(lengths, floats(of_groups.concat())))])
    }

    fn merge_batch(
        &mut self,
        states: &[ArrayRef],
        groups: &[usize],
        groups_count: usize,
    ) -> Result<()> {
        self.reserve(groups_count);
        let states = column(states, 0)?.as_list::<i32>();
        for (group, list) in groups.iter().zip(states.iter()) {
            if let Some(list) = list {
                self.add(*group, list.as_primitive::<Float64Type>().values());
            }
        }
        Ok(())
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let values = column(values, 0)?.as_primitive::<Float64Type>();
        let rows: Vec<_> = passing(values, filter).collect();
        let lengths = rows.iter().map(|row| usize::from(row.is_some()));
        let values = rows.iter().copied().flatten().collect();
        Ok(vec![Arc::new(lists(lengths, floats(values)))])
    }

    fn size(&self) -> usize {
        self.groups.capacity() * size_of::<Vec<f64>>() + self.values_max * size_of::<f64>()
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
        assert_eq!(all.values_max, 0);
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
