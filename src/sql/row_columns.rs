//! The columns of rows that the sums of a dimension are made of.

use arrow::array::{
    Array as _, AsArray as _, Decimal128Array, Int64Array, MapArray, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{Decimal128Type, Int64Type, TimestampMicrosecondType};

use super::SqlError;
use super::query::DIMENSION_CELLS;
use super::sums::SeriesTotals;
use crate::clock::Micros;

/// Their names.
pub(super) const ROW_COLUMNS: [&str; 13] = [
    "org_id",
    "event_type",
    "ts",
    "provider",
    "model",
    "input_tokens",
    "output_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "cost_usd",
    "ingested_at",
    "attributes",
];

/// Those of one batch.
#[derive(Debug)]
pub(super) struct RowColumns<'a> {
    pub orgs: &'a StringArray,
    pub types: &'a StringArray,
    pub times: &'a TimestampMicrosecondArray,
    pub providers: &'a StringArray,
    pub models: &'a StringArray,
    pub attributes: &'a MapArray,
    tokens: [&'a Int64Array; 5],
    costs: &'a Decimal128Array,
    ingested: &'a TimestampMicrosecondArray,
}

impl<'a> RowColumns<'a> {
    /// # Errors
    /// [`SqlError::Query`], if one is missing or of another type.
    pub(super) fn of(rows: &'a RecordBatch) -> Result<Self, SqlError> {
        let columns = FoundColumns(rows);
        Ok(Self {
            orgs: columns.texts("org_id")?,
            types: columns.texts("event_type")?,
            times: columns.times("ts")?,
            providers: columns.texts("provider")?,
            models: columns.texts("model")?,
            attributes: columns.found("attributes", |column| column.as_map_opt())?,
            tokens: [
                columns.numbers("input_tokens")?,
                columns.numbers("output_tokens")?,
                columns.numbers("cached_input_tokens")?,
                columns.numbers("cache_write_tokens")?,
                columns.numbers("reasoning_tokens")?,
            ],
            costs: columns
                .found("cost_usd", |column| column.as_primitive_opt::<Decimal128Type>())?,
            ingested: columns.times("ingested_at")?,
        })
    }

    /// Adds the LLM tokens of a row.
    pub(super) fn add_tokens(&self, row: usize, totals: &mut SeriesTotals) {
        let sums = [
            &mut totals.input_tokens,
            &mut totals.output_tokens,
            &mut totals.cached_input_tokens,
            &mut totals.cache_write_tokens,
            &mut totals.reasoning_tokens,
        ];
        for (tokens, sum) in self.tokens.iter().zip(sums) {
            if tokens.is_valid(row) {
                *sum += i128::from(tokens.value(row));
            }
        }
    }

    /// The cost of a row, in units of 10⁻¹² dollars.
    pub(super) fn cost(&self, row: usize) -> Option<i128> {
        self.costs.is_valid(row).then(|| self.costs.value(row))
    }

    /// When it was ingested.
    pub(super) fn ingested_at(&self, row: usize) -> Option<Micros> {
        self.ingested.is_valid(row).then(|| self.ingested.value(row))
    }
}

/// The text of a row, if there is one.
pub(super) fn text(texts: &StringArray, row: usize) -> Option<&str> {
    texts.is_valid(row).then(|| texts.value(row))
}

struct FoundColumns<'a>(&'a RecordBatch);

impl<'a> FoundColumns<'a> {
    fn found<T>(
        &self,
        name: &str,
        of: impl Fn(&'a arrow::array::ArrayRef) -> Option<T>,
    ) -> Result<T, SqlError> {
        self.0.column_by_name(name).and_then(of).ok_or_else(|| SqlError::Query {
            query: DIMENSION_CELLS.name,
            reason: format!("column {name} is not as described"),
        })
    }

    fn texts(&self, name: &str) -> Result<&'a StringArray, SqlError> {
        self.found(name, |column| column.as_string_opt::<i32>())
    }

    fn numbers(&self, name: &str) -> Result<&'a Int64Array, SqlError> {
        self.found(name, |column| column.as_primitive_opt::<Int64Type>())
    }

    fn times(&self, name: &str) -> Result<&'a TimestampMicrosecondArray, SqlError> {
        self.found(name, |column| column.as_primitive_opt::<TimestampMicrosecondType>())
    }
}
