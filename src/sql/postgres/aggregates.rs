//! `sum` and `avg` of integers and decimals, exact in 38 digits; of floats they are DataFusion's.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{
    Array as _, ArrayRef, AsArray as _, BooleanArray, Decimal128Array, Int64Array, ListArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Field, FieldRef, Int64Type};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::functions_aggregate::{average::Avg, sum::Sum};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, ReversedUDAF,
    ScalarUDF, Signature, Volatility,
};

use super::arithmetic::{integer_out_of_range, is_small};
use super::columns::{column, two};
use super::decimal::{self, DIGITS_MAX, Scale};
use super::function::{Given, Types, function};
use super::refused;

/// Digits that a sum has more than what is added up.
const SUM_DIGITS_MORE: u8 = 10;

/// What is made of a sum and a count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Of {
    Sum,
    Average,
}

/// `sum` or `avg`.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Total {
    of: Of,
    signature: Signature,
}

/// `sum(x)`.
pub(super) fn sum() -> AggregateUDF {
    Total { of: Of::Sum, signature: Signature::user_defined(Volatility::Immutable) }.into()
}

/// `avg(x)`.
pub(super) fn avg() -> AggregateUDF {
    Total { of: Of::Average, signature: Signature::user_defined(Volatility::Immutable) }.into()
}

/// `mean(sum, count)`: the average, in the places that [`avg`] gives to what is added up.
pub(in crate::sql) fn mean(of: &DataType) -> Option<(ScalarUDF, DataType)> {
    let of = Scale::of(of)?;
    let plan = |given: &Given<'_>| {
        let sum = given.types.first().and_then(Scale::of).ok_or_else(decimal::too_long)?;
        let gives = Scale { digits: DIGITS_MAX, ..sum.average() }.kind();
        Ok(Types { takes: vec![sum.kind(), DataType::Int64], gives })
    };
    let mean = function("mean_of", plan, |args, of| {
        let (sums, counts) = two(args)?;
        let from = Scale::of(sums.data_type()).ok_or_else(decimal::too_long)?;
        let of = Scale::of(of).ok_or_else(decimal::too_long)?;
        let sums = sums.as_primitive::<Decimal128Type>().iter();
        let counts = counts.as_primitive::<Int64Type>().iter();
        let made = sums.zip(counts).map(|(sum, count)| {
            let count = count.filter(|count| *count != 0);
            let Some((sum, count)) = sum.zip(count) else { return Ok(None) };
            decimal::quotient((sum, from.places), (count.into(), 0), of).map(Some)
        });
        Ok(Arc::new(made.collect::<Result<Decimal128Array>>()?.with_data_type(of.kind())))
    });
    Some((mean, result(Of::Average, of).kind()))
}

/// The type of the result.
fn result(of: Of, from: Scale) -> Scale {
    match of {
        Of::Sum => {
            Scale { digits: from.digits.saturating_add(SUM_DIGITS_MORE).min(DIGITS_MAX), ..from }
        }
        Of::Average => Scale { digits: DIGITS_MAX, ..from.average() },
    }
}

impl Total {
    fn floats(&self) -> Arc<dyn AggregateUDFImpl> {
        match self.of {
            Of::Sum => Arc::new(Sum::new()),
            Of::Average => Arc::new(Avg::new()),
        }
    }

    /// The scale of what is added up, and of the result; `None` for floats.
    fn scales(&self, fields: &[FieldRef]) -> Option<(Scale, Scale)> {
        let from = Scale::of(fields.first()?.data_type())?;
        Some((from, result(self.of, from)))
    }

    fn decimals(&self, args: &AccumulatorArgs<'_>) -> Option<Decimals> {
        let (from, gives) = self.scales(args.expr_fields)?;
        let gives = if *args.return_field.data_type() == DataType::Int64 {
            DataType::Int64
        } else {
            gives.kind()
        };
        Some(Decimals { of: self.of, from, gives })
    }
}

impl AggregateUDFImpl for Total {
    fn name(&self) -> &str {
        match self.of {
            Of::Sum => "sum",
            Of::Average => "avg",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [kind] = types else { return Err(refused("it takes one number")) };
        Ok(vec![match kind {
            DataType::Float32 | DataType::Float64 | DataType::Null => DataType::Float64,
            kind if self.of == Of::Sum && is_small(kind) => DataType::Int32,
            // A sum of integers is a decimal, which no sum of theirs overflows.
            kind if kind.is_integer() => DataType::Decimal128(DIGITS_MAX, 0),
            kind => Scale::of(kind)
                .ok_or_else(|| refused(&format!("{} takes numbers; cast texts", self.name())))?
                .kind(),
        }])
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let Some(kind) = types.first() else { return Ok(DataType::Float64) };
        if self.of == Of::Sum && is_small(kind) {
            return Ok(DataType::Int64);
        }
        Ok(Scale::of(kind).map_or(DataType::Float64, |from| result(self.of, from).kind()))
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let Some((from, _)) = self.scales(args.input_fields) else {
            return self.floats().state_fields(args);
        };
        let name = |part: &str| format!("{}[{part}]", args.name);
        if args.is_distinct {
            let values = Field::new_list_field(from.kind(), true);
            return Ok(vec![Field::new_list(name("values"), values, true).into()]);
        }
        Ok(vec![
            Field::new(name("sum"), wide(from), true).into(),
            Field::new(name("count"), DataType::Int64, true).into(),
        ])
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let Some(decimals) = self.decimals(&args) else { return self.floats().accumulator(args) };
        if args.is_distinct {
            return Ok(Box::new(Distinct { decimals, values: HashSet::new() }));
        }
        Ok(Box::new(One { decimals, sum: 0, count: 0 }))
    }

    fn create_sliding_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn Accumulator>> {
        if self.decimals(&args).is_none() {
            return self.floats().create_sliding_accumulator(args);
        }
        if args.is_distinct {
            return Err(refused("sums of distinct values have no moving window"));
        }
        self.accumulator(args)
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        if self.decimals(&args).is_none() {
            return self.floats().groups_accumulator_supported(args);
        }
        !args.is_distinct
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        match self.decimals(&args) {
            None => self.floats().create_groups_accumulator(args),
            Some(decimals) => {
                Ok(Box::new(Groups { decimals, sums: Vec::new(), counts: Vec::new() }))
            }
        }
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}

/// The type of a sum under way.
fn wide(from: Scale) -> DataType {
    Scale { digits: DIGITS_MAX, ..from }.kind()
}

#[derive(Debug, Clone)]
struct Decimals {
    of: Of,
    from: Scale,
    /// A decimal, or an int64 for a sum of integers of up to 32 bits.
    gives: DataType,
}

impl Decimals {
    /// The result of rows; `None` for none.
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

    /// Results as a column.
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

    /// What is added up, as decimals.
    fn values(&self, args: &[ArrayRef]) -> Result<Decimal128Array> {
        let values = column(args, 0)?;
        let values = match values.data_type() {
            DataType::Int32 => cast(values, &self.from.kind())?,
            _ => values.clone(),
        };
        Ok(values.as_primitive::<Decimal128Type>().clone())
    }
}

fn places(scale: Scale) -> i8 {
    i8::try_from(scale.places).unwrap_or(i8::MAX)
}

fn added(sum: i128, value: i128) -> Result<i128> {
    sum.checked_add(value).ok_or_else(decimal::too_long)
}

/// All rows as one group, or those of a window.
#[derive(Debug)]
struct One {
    decimals: Decimals,
    sum: i128,
    count: i64,
}

impl Accumulator for One {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let values = self.decimals.values(values)?;
        for value in values.iter().flatten() {
            self.sum = added(self.sum, value)?;
            self.count += 1;
        }
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let values = self.decimals.values(values)?;
        for value in values.iter().flatten() {
            self.sum = added(self.sum, -value)?;
            self.count -= 1;
        }
        Ok(())
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

/// Each value once.
#[derive(Debug)]
struct Distinct {
    decimals: Decimals,
    values: HashSet<i128>,
}

impl Accumulator for Distinct {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.values.extend(self.decimals.values(values)?.iter().flatten());
        Ok(())
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

/// Many groups.
struct Groups {
    decimals: Decimals,
    sums: Vec<i128>,
    counts: Vec<i64>,
}

impl Groups {
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
        let values = self.decimals.values(values)?;
        let passes = |row| filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
        for (row, (group, value)) in groups.iter().zip(values.iter()).enumerate() {
            if let Some(value) = value.filter(|_| passes(row)) {
                self.add(*group, value, 1)?;
            }
        }
        Ok(())
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
        let values = self.decimals.values(values)?;
        let passes = |row| filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
        let rows = values.iter().enumerate();
        let taken: Vec<_> = rows.map(|(row, value)| value.filter(|_| passes(row))).collect();
        let counts: Int64Array =
            taken.iter().map(|value| Some(i64::from(value.is_some()))).collect();
        let sums: Decimal128Array =
            taken.into_iter().map(|value| Some(value.unwrap_or(0))).collect();
        Ok(vec![Arc::new(sums.with_data_type(wide(self.decimals.from))), Arc::new(counts)])
    }

    fn size(&self) -> usize {
        self.sums.capacity() * size_of::<i128>() + self.counts.capacity() * size_of::<i64>()
    }
}
