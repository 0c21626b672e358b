//! What partitions tell each other of the values of percentiles: for each group its values as a list, and
//! how often each came. A group whose values are listed one by one has no counts.

use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, Float64Array, Int64Array, ListArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type, Int64Type};
use datafusion::error::Result;

use super::columns::two;
use super::percentile_values::PercentileValues;

/// The columns of a state.
pub(super) fn fields(of: &str) -> Vec<FieldRef> {
    [("values", DataType::Float64), ("counts", DataType::Int64)]
        .map(|(part, kind)| {
            let item = Field::new_list_field(kind, true);
            Field::new_list(format!("{of}[{part}]"), item, true).into()
        })
        .into()
}

/// A row for each list.
pub(super) fn lists(lengths: impl IntoIterator<Item = usize>, values: ArrayRef) -> ListArray {
    let field = Arc::new(Field::new_list_field(values.data_type().clone(), true));
    ListArray::new(field, OffsetBuffer::from_lengths(lengths), values, None)
}

/// The state of groups.
pub(super) fn columns(groups: &[PercentileValues]) -> Vec<ArrayRef> {
    let (mut values, mut counts) = (Vec::new(), Vec::new());
    let ends: Vec<_> = groups
        .iter()
        .map(|group| {
            let before = (values.len(), counts.len());
            group.append_to(&mut values, &mut counts);
            (values.len() - before.0, counts.len() - before.1)
        })
        .collect();
    let values = lists(ends.iter().map(|end| end.0), Arc::new(Float64Array::from(values)));
    let counts = lists(ends.iter().map(|end| end.1), Arc::new(Int64Array::from(counts)));
    vec![Arc::new(values), Arc::new(counts)]
}

/// Calls `add` with the row, the value, and how often it came, for each value of a state.
///
/// # Errors
/// The columns are not those of a state.
pub(super) fn each(states: &[ArrayRef], mut add: impl FnMut(usize, f64, u64)) -> Result<()> {
    let (values, counts) = two(states)?;
    let rows = values.as_list::<i32>().iter().zip(counts.as_list::<i32>().iter());
    for (row, (values, counts)) in rows.enumerate() {
        let Some((values, counts)) = values.zip(counts) else { continue };
        let counts = counts.as_primitive::<Int64Type>().values();
        for (at, value) in values.as_primitive::<Float64Type>().values().iter().enumerate() {
            add(row, *value, counts.get(at).map_or(1, |times| times.unsigned_abs()));
        }
    }
    Ok(())
}
