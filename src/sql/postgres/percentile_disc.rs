//! `percentile_disc`: the first value of a group that this share of its values does not exceed.

use arrow::array::{Array as _, ArrayRef, AsArray as _, new_empty_array};
use arrow::compute::{SortOptions, concat, filter, is_not_null, sort_to_indices};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility,
};

use super::columns::column;
use super::percentile::{constant_share, one_list};
use super::refusal::refused;

const NAME: &str = "percentile_disc";

/// `percentile_disc(share) WITHIN GROUP (ORDER BY x)`.
#[derive(Debug, PartialEq, Eq, Hash)]
struct PercentileDisc(Signature);

/// See [`PercentileDisc`].
pub(super) fn percentile_disc() -> AggregateUDF {
    PercentileDisc(Signature::user_defined(Volatility::Immutable)).into()
}

impl AggregateUDFImpl for PercentileDisc {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match types {
            [of, share] if share.is_numeric() || share.is_null() => match of {
                of if of.is_nested() => Err(refused("percentile_disc takes values in an order")),
                DataType::Utf8View => Ok(vec![DataType::Utf8, DataType::Float64]),
                of => Ok(vec![of.clone(), DataType::Float64]),
            },
            _ => Err(refused("percentile_disc takes a share, and WITHIN GROUP (ORDER BY x)")),
        }
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(types.first().cloned().unwrap_or(DataType::Null))
    }

    fn supports_within_group_clause(&self) -> bool {
        true
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let of =
            args.input_fields.first().map_or(DataType::Null, |field| field.data_type().clone());
        let values = Field::new_list_field(of, true);
        Ok(vec![Field::new_list(format!("{}[values]", args.name), values, true).into()])
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        if args.is_distinct {
            return Err(refused("percentiles do not take DISTINCT; select distinct values first"));
        }
        let descending = args.order_bys.first().is_some_and(|sort| sort.options.descending);
        let share = constant_share(NAME, &args)?;
        let of = args.return_field.data_type().clone();
        Ok(Box::new(DiscValues { share, descending, of, parts: Vec::new() }))
    }
}

/// The values of a group, without nulls.
#[derive(Debug)]
struct DiscValues {
    share: f64,
    descending: bool,
    of: DataType,
    parts: Vec<ArrayRef>,
}

impl DiscValues {
    fn all(&self) -> Result<ArrayRef> {
        if self.parts.is_empty() {
            return Ok(new_empty_array(&self.of));
        }
        let parts: Vec<_> = self.parts.iter().map(AsRef::as_ref).collect();
        Ok(concat(&parts)?)
    }
}

impl Accumulator for DiscValues {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let values = column(values, 0)?;
        // A copy: a slice would hold the batch that it is of.
        let values = filter(values, &is_not_null(values)?)?;
        if !values.is_empty() {
            self.parts.push(values);
        }
        Ok(())
    }

    #[expect(
        clippy::float_arithmetic,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "PostgreSQL's place is of floats; it is within the values"
    )]
    fn evaluate(&mut self) -> Result<ScalarValue> {
        let values = self.all()?;
        let Some(last) = values.len().checked_sub(1) else {
            return ScalarValue::try_from(&self.of);
        };
        let place = (self.share * values.len() as f64).ceil() as usize;
        let place = place.saturating_sub(1).min(last);
        let order = SortOptions { descending: self.descending, nulls_first: false };
        let order = sort_to_indices(&values, Some(order), Some(place + 1))?;
        ScalarValue::try_from_array(&values, order.value(place) as usize)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.all().map(one_list)
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for values in column(states, 0)?.as_list::<i32>().iter().flatten() {
            self.update_batch(&[values])?;
        }
        Ok(())
    }

    fn size(&self) -> usize {
        let parts = self.parts.iter().map(|part| part.get_array_memory_size());
        size_of_val(self) + parts.sum::<usize>() + self.parts.capacity() * size_of::<ArrayRef>()
    }
}
