//! `sum` and `avg` of integers and decimals, exact in 38 digits. For floats they are DataFusion's.

use std::sync::Arc;

use arrow::array::{AsArray as _, Decimal128Array};
use arrow::datatypes::{DataType, Decimal128Type, Field, FieldRef, Int64Type};
use datafusion::error::Result;
use datafusion::functions_aggregate::average::Avg;
use datafusion::functions_aggregate::sum::Sum;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, GroupsAccumulator, ReversedUDAF, ScalarUDF,
    Signature, Volatility,
};

use super::arithmetic::is_small;
use super::columns::two;
use super::decimal::{self, DIGITS_MAX, Scale};
use super::function::{Given, PlannedTypes, function};
use super::refusal::refused;
use super::running_sums::{Decimals, Distinct, Groups, Of, One, wide};

/// How many more digits a sum has than its values.
const SUM_DIGITS_MORE: u8 = 10;

/// The type in which integers are added up. Their sum cannot overflow it.
const WHOLE: DataType = DataType::Decimal128(DIGITS_MAX, 0);

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

/// `mean(sum, count)`: the average, with as many places as [`avg`] of the same values.
pub(in crate::sql) fn mean(of: &DataType) -> Option<(ScalarUDF, DataType)> {
    let of = Scale::of(of)?;
    let plan = |given: &Given<'_>| {
        let sum = given.types.first().and_then(Scale::of).ok_or_else(decimal::too_long)?;
        let gives = Scale { digits: DIGITS_MAX, ..sum.average() }.kind();
        Ok(PlannedTypes { takes: vec![sum.kind(), DataType::Int64], gives })
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

/// The scale in which values are added up; `None` for floats.
fn summed(kind: &DataType) -> Option<Scale> {
    Scale::of(if *kind == DataType::Int64 { &WHOLE } else { kind })
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

    /// The scales of the values and of the result; `None` for floats.
    fn scales(&self, fields: &[FieldRef]) -> Option<(Scale, Scale)> {
        let from = summed(fields.first()?.data_type())?;
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
            DataType::Int64 => DataType::Int64,
            kind if kind.is_integer() => WHOLE,
            kind => Scale::of(kind)
                .ok_or_else(|| refused(&format!("{} takes numbers; cast texts, and of intervals take extract(epoch FROM interval)", self.name())))?
                .kind(),
        }])
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let Some(kind) = types.first() else { return Ok(DataType::Float64) };
        if self.of == Of::Sum && is_small(kind) {
            return Ok(DataType::Int64);
        }
        Ok(summed(kind).map_or(DataType::Float64, |from| result(self.of, from).kind()))
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
            return Ok(Box::new(Distinct::new(decimals)));
        }
        Ok(Box::new(One::new(decimals)))
    }

    fn create_sliding_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn Accumulator>> {
        if self.decimals(&args).is_none() {
            return self.floats().create_sliding_accumulator(args);
        }
        if args.is_distinct {
            return Err(refused("sum and avg of DISTINCT values do not support moving windows"));
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
            Some(decimals) => Ok(Box::new(Groups::new(decimals))),
        }
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}
