//! Events that get a cost, and who says so, besides those that came with one.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray as _, Decimal128Builder, RecordBatch, StringBuilder};
use arrow::datatypes::Decimal128Type;
use arrow::error::ArrowError;

use super::types::cost_type;
use super::{EventBatch, EventError, schema};

const COST: &str = "cost_usd";
const SOURCE: &str = "cost_source";

/// A cost that an event gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewCost<'s> {
    /// In 10^-12 dollars, from 0 to below a million dollars.
    pub units: i128,
    /// Who says so.
    pub source: &'s str,
}

impl EventBatch {
    /// The same events, each with its entry of `costs` unless it has a cost already.
    ///
    /// # Errors
    /// Internal, if the sources are more text than one batch can hold.
    pub fn priced(&self, costs: &[Option<NewCost<'_>>]) -> Result<Self, EventError> {
        if costs.iter().all(Option::is_none) {
            return Ok(self.clone());
        }
        let rows = self.record_batch();
        let (cost_at, source_at) = (schema().index_of(COST)?, schema().index_of(SOURCE)?);
        let old = rows.column(cost_at).as_primitive_opt::<Decimal128Type>().ok_or_else(defect)?;
        let old_sources = rows.column(source_at).as_string_opt::<i32>().ok_or_else(defect)?;
        let bytes = costs.iter().flatten().map(|cost| cost.source.len()).sum::<usize>()
            + old_sources.value_data().len();
        if i32::try_from(bytes).is_err() {
            return Err(ArrowError::ComputeError("too much text of cost sources".into()).into());
        }
        let mut new = Decimal128Builder::with_capacity(old.len()).with_data_type(cost_type());
        let mut sources = StringBuilder::with_capacity(old.len(), bytes);
        for ((old, old_source), cost) in old.iter().zip(old_sources).zip(costs) {
            let cost = cost.filter(|_| old.is_none());
            new.append_option(cost.map(|cost| cost.units).or(old));
            sources.append_option(cost.map(|cost| cost.source).or(old_source));
        }
        let mut columns = rows.columns().to_vec();
        let new: [(usize, ArrayRef); 2] =
            [(cost_at, Arc::new(new.finish())), (source_at, Arc::new(sources.finish()))];
        for (at, column) in new {
            *columns.get_mut(at).ok_or_else(defect)? = column;
        }
        let rows = RecordBatch::try_new(schema(), columns)?;
        Ok(Self::new(rows, self.indices().to_vec()))
    }
}

fn defect() -> ArrowError {
    ArrowError::SchemaError("no cost and its source".to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::{EventBatchBuilder, FieldValue, OrgId, OrgRule};
    use super::*;

    #[test]
    fn an_event_without_a_cost_gets_one_and_others_keep_theirs() {
        let rule = OrgRule::Only(OrgId::parse("a").unwrap());
        let mut builder = EventBatchBuilder::new(rule, 1_770_000_000_000_000);
        for (index, cost) in [Some("1.5"), None, None].into_iter().enumerate() {
            let mut fields = vec![
                ("event_id".into(), FieldValue::Text(index.to_string().into())),
                ("ts".into(), FieldValue::Number("1770000000".into())),
            ];
            fields.extend(cost.map(|cost| ("cost_usd".into(), FieldValue::Text(cost.into()))));
            builder.push(index, &fields);
        }
        let batch = builder.finish().unwrap().batch;
        let cost = NewCost { units: 7, source: "price:t#r" };
        let priced = batch.priced(&[Some(cost), Some(cost), None]).unwrap();
        let rows = priced.record_batch();
        let costs = rows.column_by_name(COST).unwrap().as_primitive::<Decimal128Type>();
        let costs: Vec<_> = costs.iter().collect();
        assert_eq!(costs, [Some(1_500_000_000_000), Some(7), None]);
        let sources = rows.column_by_name(SOURCE).unwrap().as_string::<i32>();
        let sources: Vec<_> = sources.iter().collect();
        assert_eq!(sources, [Some("reported"), Some("price:t#r"), None]);
        assert_eq!(priced.indices(), batch.indices());
        let same = batch.priced(&[None, None, None]).unwrap();
        assert_eq!(same.record_batch(), batch.record_batch());
    }
}
