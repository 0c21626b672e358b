//! Accumulators of sums and averages: over all rows, over distinct values, and over many groups.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{
    Array as _, ArrayRef, ArrowPrimitiveType, AsArray as _, BooleanArray, Decimal128Array,
    Int64Array, ListArray, PrimitiveArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Decimal128Type, Field, Int32Type, Int64Type};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::{Accumulator, EmitTo, GroupsAccumulator};

use super::arithmetic::integer_out_of_range;
use super::columns::{column, passes, two};
use super::decimal::{self, DIGITS_MAX, Scale};

/// The result that is made from a sum and a count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Of {
    Sum,
    Average,
}

/// The type of an intermediate sum.
pub(super) fn wide(from: Scale) -> DataType {
    Scale { digits: DIGITS_MAX, ..from }.kind()
}

/// The type of the values, and the kind and type of the result.
#[derive(Debug, Clone)]
pub(super) struct Decimals {
    pub of: Of,
    pub from: Scale,
    /// A decimal, or an int64 for a sum of integers of up to 32 bits.
    pub gives: DataType,
}

impl Decimals {
    /// The result for a sum and a count; `None` if there were no values.
    fn made(&self, sum: i128, count: i64) -> Result<Option<i128>> {
        if count == 0 {
            return Ok(None);
        }
        let places = self.from.places;
        let of = Scale::of(&self.gives).ok_or_else(decimal::too_long)?;
        match self.of {
            Of::Sum => decimal::fitting(sum).map(Some),
            Of::Average => decimal::quotient((sum, places), (count.into(), 0), of).map(Some),
        }
    }

    /// The results as a column.
    fn column(&self, made: impl Iterator<Item = Result<Option<i128>>>) -> Result<ArrayRef> {
        if self.gives == DataType::Int64 {
            let whole = |value: i128| i64::try_from(value).map_err(|_| integer_out_of_range());
            let made = made.map(|value| value?.map(whole).transpose());
            return Ok(Arc::new(made.collect::<Result<Int64Array>>()?));
        }
        let made = made.collect::<Result<Decimal128Array>>()?;
        Ok(Arc::new(made.with_data_type(self.gives.clone())))
    }

    fn shown(&self, sum: i128, count: i64) -> Result<ScalarValue> {
        let column = self.column(std::iter::once(self.made(sum, count)))?;
        ScalarValue::try_from_array(&column, 0)
    }
}

/// Calls `each` with each value that is not null and its row. Integers are read as they are: a column of
/// decimals, made of them first, would take twice their memory and more time than their sum.
fn each_value(args: &[ArrayRef], each: impl FnMut(usize, i128) -> Result<()>) -> Result<()> {
    let values = column(args, 0)?;
    match values.data_type() {
        DataType::Int32 => each_of(values.as_primitive::<Int32Type>(), each),
        DataType::Int64 => each_of(values.as_primitive::<Int64Type>(), each),
        _ => each_of(values.as_primitive::<Decimal128Type>(), each),
    }
}

fn each_of<T: ArrowPrimitiveType<Native: Into<i128>>>(
    values: &PrimitiveArray<T>,
    mut each: impl FnMut(usize, i128) -> Result<()>,
) -> Result<()> {
    match values.nulls().filter(|nulls| nulls.null_count() > 0) {
        None => {
            let mut rows = values.values().iter().enumerate();
            rows.try_for_each(|(row, value)| each(row, (*value).into()))
        }
        Some(nulls) => {
            nulls.valid_indices().try_for_each(|row| each(row, values.value(row).into()))
        }
    }
}

fn places(scale: Scale) -> i8 {
    i8::try_from(scale.places).unwrap_or(i8::MAX)
}

fn added(sum: i128, value: i128) -> Result<i128> {
    sum.checked_add(value).ok_or_else(decimal::too_long)
}

/// The sum over all rows as one group, or over the rows of a window.
#[derive(Debug)]
pub(super) struct One {
    decimals: Decimals,
    sum: i128,
    count: i64,
}

impl One {
    pub(super) fn new(decimals: Decimals) -> Self {
        Self { decimals, sum: 0, count: 0 }
    }
}

impl Accumulator for One {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        each_value(values, |_, value| {
            self.sum = added(self.sum, value)?;
            self.count += 1;
            Ok(())
        })
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        each_value(values, |_, value| {
            self.sum = added(self.sum, -value)?;
            self.count -= 1;
            Ok(())
        })
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.decimals.shown(self.sum, self.count)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let sum = decimal::fitting(self.sum)?;
        let sum = ScalarValue::Decimal128(Some(sum), DIGITS_MAX, places(self.decimals.from));
        Ok(vec![sum, ScalarValue::Int64(Some(self.count))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let (sums, counts) = two(states)?;
        let rows = sums.as_primitive::<Decimal128Type>().iter().flatten();
        for (sum, count) in rows.zip(counts.as_primitive::<Int64Type>().iter().flatten()) {
            self.sum = added(self.sum, sum)?;
            self.count += count;
        }
        Ok(())
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }
}

/// The sum over distinct values.
#[derive(Debug)]
pub(super) struct Distinct {
    decimals: Decimals,
    values: HashSet<i128>,
}

impl Distinct {
    pub(super) fn new(decimals: Decimals) -> Self {
        Self { decimals, values: HashSet::new() }
    }
}

impl Accumulator for Distinct {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        each_value(values, |_, value| {
            self.values.insert(value);
            Ok(())
        })
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let sum = self.values.iter().try_fold(0, |sum, value| added(sum, *value))?;
        let count = i64::try_from(self.values.len()).unwrap_or(i64::MAX);
        self.decimals.shown(sum, count)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let values = Decimal128Array::from_iter_values(self.values.iter().copied());
        let values: ArrayRef = Arc::new(values.with_data_type(self.decimals.from.kind()));
        let field = Arc::new(Field::new_list_field(self.decimals.from.kind(), true));
        let list = ListArray::new(field, OffsetBuffer::from_lengths([values.len()]), values, None);
        Ok(vec![ScalarValue::List(Arc::new(list))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for values in column(states, 0)?.as_list::<i32>().iter().flatten() {
            self.values.extend(values.as_primitive::<Decimal128Type>().iter().flatten());
        }
        Ok(())
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.values.capacity() * 2 * size_of::<i128>()
    }
}

/// The sums of many groups.
pub(super) struct Groups {
    decimals: Decimals,
    sums: Vec<i128>,
    counts: Vec<i64>,
}

impl Groups {
    pub(super) fn new(decimals: Decimals) -> Self {
        Self { decimals, sums: Vec::new(), counts: Vec::new() }
    }

    fn add(&mut self, group: usize, sum: i128, count: i64) -> Result<()> {
        if let (Some(all), Some(counted)) = (self.sums.get_mut(group), self.counts.get_mut(group)) {
            *all = added(*all, sum)?;
            *counted += count;
        }
        Ok(())
    }

    fn reserve(&mut self, groups: usize) {
        self.sums.resize(groups.max(self.sums.len()), 0);
        self.counts.resize(groups.max(self.counts.len()), 0);
    }
}

impl GroupsAccumulator for Groups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        groups_count: usize,
    ) -> Result<()> {
        self.reserve(groups_count);
        each_value(values, |row, value| match groups.get(row).filter(|_| passes(filter, row)) {
            Some(group) => self.add(*group, value, 1),
            None => Ok(()),
        })
    }

    fn evaluate(&mut self, emit: EmitTo) -> Result<ArrayRef> {
        let sums = emit.take_needed(&mut self.sums).into_iter();
        let rows = sums.zip(emit.take_needed(&mut self.counts));
        self.decimals.column(rows.map(|(sum, count)| self.decimals.made(sum, count)))
    }

    fn state(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        let sums =
            emit.take_needed(&mut self.sums).into_iter().map(|sum| decimal::fitting(sum).map(Some));
        let sums = sums.collect::<Result<Decimal128Array>>()?;
        let counts = Int64Array::from(emit.take_needed(&mut self.counts));
        Ok(vec![Arc::new(sums.with_data_type(wide(self.decimals.from))), Arc::new(counts)])
    }

    fn merge_batch(
        &mut self,
        states: &[ArrayRef],
        groups: &[usize],
        groups_count: usize,
    ) -> Result<()> {
        self.reserve(groups_count);
        let (sums, counts) = two(states)?;
        let sums = sums.as_primitive::<Decimal128Type>().iter();
        let rows = sums.zip(counts.as_primitive::<Int64Type>().iter());
        for (group, (sum, count)) in groups.iter().zip(rows) {
            if let Some((sum, count)) = sum.zip(count) {
                self.add(*group, sum, count)?;
            }
        }
        Ok(())
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let rows = column(values, 0)?.len();
        let (mut sums, mut counts) = (vec![0_i128; rows], vec![0_i64; rows]);
        each_value(values, |row, value| {
            let state = sums.get_mut(row).zip(counts.get_mut(row));
            if let Some((sum, count)) = state.filter(|_| passes(filter, row)) {
                (*sum, *count) = (value, 1);
            }
            Ok(())
        })?;
        let (sums, counts) = (Decimal128Array::from(sums), Int64Array::from(counts));
        Ok(vec![Arc::new(sums.with_data_type(wide(self.decimals.from))), Arc::new(counts)])
    }

    fn size(&self) -> usize {
        self.sums.capacity() * size_of::<i128>() + self.counts.capacity() * size_of::<i64>()
    }
}
