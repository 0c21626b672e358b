//! The Arrow columns that checked rows are collected in.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Decimal128Builder, Int64Builder, MapArray, NullBufferBuilder, RecordBatch,
    StringBuilder, StructArray, TimestampMicrosecondArray, TimestampMicrosecondBuilder,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;

use super::attributes::Attributes;
use super::row::{Row, TokenCounts};
use super::schema::schema;
use super::types::{attribute_entries, cost_type, timestamp_type};
use crate::clock::Micros;

/// Bytes of a typical id.
const ID_BYTES: usize = 36;
/// Bytes of a typical name.
const NAME_BYTES: usize = 8;

/// Builders for the columns of [`schema()`].
#[derive(Debug)]
pub(super) struct Columns {
    event_id: StringBuilder,
    org_id: StringBuilder,
    event_type: StringBuilder,
    ts: TimestampMicrosecondBuilder,
    provider: StringBuilder,
    model: StringBuilder,
    tokens: TokenColumns,
    cost_usd: Decimal128Builder,
    source: StringBuilder,
    attributes: AttributeColumn,
    cost_source: StringBuilder,
}

impl Columns {
    /// Columns with room for this many rows.
    pub(super) fn with_capacity(rows: usize) -> Self {
        let text = |bytes: usize| StringBuilder::with_capacity(rows, rows * bytes);
        let times = TimestampMicrosecondBuilder::with_capacity(rows);
        Self {
            event_id: text(ID_BYTES),
            org_id: text(NAME_BYTES),
            event_type: text(NAME_BYTES),
            ts: times.with_data_type(timestamp_type()),
            provider: text(NAME_BYTES),
            model: text(NAME_BYTES),
            tokens: TokenColumns::with_capacity(rows),
            cost_usd: Decimal128Builder::with_capacity(rows).with_data_type(cost_type()),
            source: text(NAME_BYTES),
            attributes: AttributeColumn::with_capacity(rows),
            cost_source: text(NAME_BYTES),
        }
    }

    pub(super) fn append(&mut self, row: &Row<'_>) {
        self.event_id.append_value(row.event_id);
        self.org_id.append_value(row.org_id);
        self.event_type.append_value(&row.event_type);
        self.ts.append_value(row.ts);
        self.provider.append_option(row.provider.as_deref());
        self.model.append_option(row.model.as_deref());
        self.tokens.append(&row.tokens);
        self.cost_usd.append_option(row.cost_usd);
        self.source.append_option(row.source.as_deref());
        self.attributes.append(&row.attributes);
        self.cost_source.append_option(row.cost_source);
    }

    /// All appended rows, each with this `ingested_at`.
    pub(super) fn finish(mut self, ingested_at: Micros) -> Result<RecordBatch, ArrowError> {
        let ts = self.ts.finish();
        let ingested_at = TimestampMicrosecondArray::from_value(ingested_at, ts.len())
            .with_data_type(timestamp_type());
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(self.event_id.finish()),
            Arc::new(self.org_id.finish()),
            Arc::new(self.event_type.finish()),
            Arc::new(ts),
            Arc::new(self.provider.finish()),
            Arc::new(self.model.finish()),
        ];
        columns.extend(self.tokens.finish());
        columns.push(Arc::new(self.cost_usd.finish()));
        columns.push(Arc::new(self.source.finish()));
        columns.push(Arc::new(ingested_at));
        columns.push(Arc::new(self.attributes.finish()?));
        columns.push(Arc::new(self.cost_source.finish()));
        RecordBatch::try_new(schema(), columns)
    }
}

#[derive(Debug)]
struct TokenColumns {
    input: Int64Builder,
    output: Int64Builder,
    cached_input: Int64Builder,
    cache_write: Int64Builder,
    reasoning: Int64Builder,
}

impl TokenColumns {
    fn with_capacity(rows: usize) -> Self {
        let numbers = || Int64Builder::with_capacity(rows);
        Self {
            input: numbers(),
            output: numbers(),
            cached_input: numbers(),
            cache_write: numbers(),
            reasoning: numbers(),
        }
    }

    fn append(&mut self, tokens: &TokenCounts) {
        self.input.append_value(tokens.input);
        self.output.append_value(tokens.output);
        self.cached_input.append_option(tokens.cached_input);
        self.cache_write.append_option(tokens.cache_write);
        self.reasoning.append_option(tokens.reasoning);
    }

    fn finish(mut self) -> [ArrayRef; 5] {
        [
            Arc::new(self.input.finish()),
            Arc::new(self.output.finish()),
            Arc::new(self.cached_input.finish()),
            Arc::new(self.cache_write.finish()),
            Arc::new(self.reasoning.finish()),
        ]
    }
}

#[derive(Debug)]
pub(super) struct AttributeColumn {
    lengths: Vec<usize>,
    present: NullBufferBuilder,
    keys: StringBuilder,
    values: StringBuilder,
}

impl AttributeColumn {
    pub(super) fn with_capacity(rows: usize) -> Self {
        Self {
            lengths: Vec::with_capacity(rows),
            present: NullBufferBuilder::new(rows),
            // Most events have none.
            keys: StringBuilder::with_capacity(0, 0),
            values: StringBuilder::with_capacity(0, 0),
        }
    }

    pub(super) fn append(&mut self, attributes: &Attributes<'_>) {
        self.lengths.push(attributes.entries.len());
        self.present.append(!attributes.entries.is_empty());
        for (key, value) in &attributes.entries {
            self.keys.append_value(key);
            self.values.append_value(value);
        }
    }

    pub(super) fn finish(mut self) -> Result<MapArray, ArrowError> {
        let field = attribute_entries();
        let DataType::Struct(parts) = field.data_type() else {
            return Err(ArrowError::SchemaError("attributes have no entries".to_owned()));
        };
        let columns: Vec<ArrayRef> =
            vec![Arc::new(self.keys.finish()), Arc::new(self.values.finish())];
        let entries = StructArray::try_new(parts.clone(), columns, None)?;
        let offsets = OffsetBuffer::from_lengths(self.lengths);
        MapArray::try_new(field, offsets, entries, self.present.finish(), false)
    }
}
