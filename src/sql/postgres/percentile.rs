//! `percentile_cont` and `median`: floats, interpolated between two neighbours as in PostgreSQL.

use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, RecordBatch};
use arrow::datatypes::{DataType, FieldRef, Float64Type, Schema};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, ColumnarValue, GroupsAccumulator, Signature,
    Volatility,
};

use super::columns::column;
use super::percentile_groups::PercentileGroups;
use super::percentile_place::PercentilePlace;
use super::percentile_state::{self, lists};
use super::percentile_values::PercentileValues;
use super::refusal::refused;

/// `percentile_cont`, or `median`, whose share is one half.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Percentile {
    name: &'static str,
    signature: Signature,
    aliases: Vec<String>,
}

/// `percentile_cont(share) WITHIN GROUP (ORDER BY x)`.
pub(super) fn percentile_cont() -> AggregateUDF {
    let signature = Signature::user_defined(Volatility::Immutable);
    let aliases = vec!["quantile_cont".to_owned()];
    Percentile { name: "percentile_cont", signature, aliases }.into()
}

/// `median(x)`.
pub(super) fn median() -> AggregateUDF {
    let signature = Signature::user_defined(Volatility::Immutable);
    Percentile { name: "median", signature, aliases: Vec::new() }.into()
}

impl Percentile {
    fn is_median(&self) -> bool {
        self.name == "median"
    }

    /// # Errors
    /// The share is no constant from 0 to 1, or only distinct values are asked for.
    fn place(&self, args: &AccumulatorArgs<'_>) -> Result<PercentilePlace> {
        if args.is_distinct {
            return Err(refused("percentiles do not take DISTINCT; select distinct values first"));
        }
        let share = if self.is_median() { 0.5 } else { constant_share(self.name, args)? };
        let falling = args.order_bys.first().is_some_and(|sort| sort.options.descending);
        Ok(PercentilePlace { share, falling })
    }
}

/// The share that a percentile is of.
///
/// # Errors
/// It is no constant from 0 to 1.
pub(super) fn constant_share(name: &str, args: &AccumulatorArgs<'_>) -> Result<f64> {
    let wrong =
        || refused(&format!("{name} takes a share from 0 to 1 as a constant, such as 0.95"));
    let share = args.exprs.get(1).ok_or_else(wrong)?;
    let nothing = RecordBatch::new_empty(Arc::new(Schema::empty()));
    let ColumnarValue::Scalar(share) = share.evaluate(&nothing).map_err(|_| wrong())? else {
        return Err(wrong());
    };
    let ScalarValue::Float64(Some(share)) = share.cast_to(&DataType::Float64)? else {
        return Err(wrong());
    };
    if (0.0..=1.0).contains(&share) { Ok(share) } else { Err(wrong()) }
}

/// The state of a group: its values as one list.
pub(super) fn one_list(values: ArrayRef) -> Vec<ScalarValue> {
    vec![ScalarValue::List(Arc::new(lists([values.len()], values)))]
}

impl AggregateUDFImpl for Percentile {
    fn name(&self) -> &str {
        self.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let count = if self.is_median() { 1 } else { 2 };
        if types.len() != count || !types.iter().all(|kind| kind.is_numeric() || kind.is_null()) {
            return Err(refused(&format!(
                "{} takes numbers; for times, use extract(epoch FROM ts)",
                self.name
            )));
        }
        Ok(vec![DataType::Float64; count])
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn supports_within_group_clause(&self) -> bool {
        !self.is_median()
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        Ok(percentile_state::fields(args.name))
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(OneGroup { place: self.place(&args)?, values: PercentileValues::default() }))
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        !args.is_distinct
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(PercentileGroups::new(self.place(&args)?)))
    }
}

/// The values of all rows.
#[derive(Debug)]
struct OneGroup {
    place: PercentilePlace,
    values: PercentileValues,
}

impl Accumulator for OneGroup {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let values = column(values, 0)?.as_primitive::<Float64Type>();
        values.iter().flatten().for_each(|value| self.values.add(value));
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::Float64(self.values.at(self.place)))
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let columns = percentile_state::columns(&[std::mem::take(&mut self.values)]);
        columns.iter().map(|column| ScalarValue::try_from_array(column, 0)).collect()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        percentile_state::each(states, |_, value, times| self.values.add_times(value, times))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.values.bytes()
    }
}
