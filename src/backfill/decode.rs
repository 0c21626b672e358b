//! Chunks of rows → events, and the rows that are refused.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::error::ArrowError;
use arrow::json::LineDelimitedWriter;
use csv::ByteRecord;
use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::watch;

use super::BackfillError;
use super::read::{Chunk, Header, Rows};
use super::shape::{Fields, Origin, Shape};
use super::split::{Split, split};
use crate::archive::{Snapshot, refuse_before_floor};
use crate::clock::Micros;
use crate::event::time::Naive;
use crate::event::{EventBatch, EventBatchBuilder, FieldValue, Rejection, Slots};
use crate::ingest::{self, NotUtf8};

/// Bytes of a usual line, rather fewer than more.
const LINE_BYTES: usize = 192;

/// Makes events of rows; several threads at once.
#[derive(Debug)]
pub(super) struct Decoder {
    pub(super) shape: Shape,
    pub(super) now: Micros,
    /// The versions of the table as this process learns of them; none for a dry run. Rows before
    /// the floor date are refused.
    pub(super) versions: Option<watch::Receiver<Arc<Snapshot>>>,
    /// Organisations whose names clash with others', and why.
    pub(super) refused: Mutex<HashMap<String, String>>,
}

/// What became of a chunk.
#[derive(Debug)]
pub(super) struct Decoded {
    pub(super) rows: u64,
    pub(super) split: Split,
    pub(super) rejects: Vec<Reject>,
}

/// A refused row, as it is kept for people.
#[derive(Debug, Serialize)]
pub(super) struct Reject {
    /// Null, as the line, where the row was refused too late to tell its place.
    file: Option<String>,
    line: Option<u64>,
    error: String,
    row: String,
}

impl Reject {
    /// A row that its commit refused: the floor date rose after it was decoded. Its id is all of
    /// it that is left.
    pub(super) fn late(rejection: Rejection) -> Self {
        let row = serde_json::json!({ "event_id": rejection.event_id }).to_string();
        Self { file: None, line: None, error: rejection.error, row }
    }
}

/// One row of any format.
#[derive(Clone, Copy)]
enum Row<'a> {
    Json(&'a str),
    NotUtf8(NotUtf8<'a>),
    Cells(&'a Header, &'a ByteRecord),
}

/// A row with its place in its input and its line.
struct Placed<'a> {
    index: u64,
    line: u64,
    row: Row<'a>,
}

impl Decoder {
    /// Reads all rows of a chunk. Takes processor time in proportion to its bytes.
    pub(super) fn decode(&self, chunk: &Chunk) -> Result<Decoded, BackfillError> {
        let unreadable = |error: ArrowError| BackfillError::unreadable(&chunk.input.name, &error);
        let lines;
        let rows = match &chunk.rows {
            Rows::Lines(text) => lines_of(text, chunk.first),
            Rows::Batch(batch) => {
                lines = json_lines(batch).map_err(unreadable)?;
                lines_of(&lines, chunk.first)
            }
            Rows::Values(values) => (chunk.first..)
                .zip(values)
                .map(|(index, (line, value))| Placed {
                    index,
                    line: *line,
                    row: NotUtf8::check(value).into(),
                })
                .collect(),
            Rows::Records(header, records) => records_of(header, records, chunk.first),
        };
        let refused = self.refused.lock().clone();
        let mut builder =
            EventBatchBuilder::with_capacity(self.shape.org_rule.clone(), self.now, rows.len())
                .naive_times(Naive::Utc);
        let (mut names, mut slots) = (ingest::Names::default(), Slots::default());
        for (at, placed) in rows.iter().enumerate() {
            let origin = Origin { identity: &chunk.input.identity, index: placed.index };
            if self.is_plain(placed, origin, &refused, &mut names, &mut slots)
                && builder.push_slots(at, &slots)
            {
                continue;
            }
            let fields = placed.row.fields(&self.shape, origin);
            match fields.and_then(|fields| allowed(fields, &refused)) {
                Ok(fields) => builder.push(at, &fields),
                Err(error) => builder.reject(at, None, error),
            }
        }
        let decoded = builder.finish()?;
        let (batch, expired) = self.refuse_expired(decoded.batch)?;
        let mut rejections = decoded.rejections;
        rejections.extend(expired);
        rejections.sort_by_key(|rejection| rejection.index);
        let rejects = rejections.into_iter().filter_map(|rejection| {
            let placed = rows.get(rejection.index)?;
            let (file, row) = (Some(chunk.input.name.clone()), placed.row.text());
            Some(Reject { file, line: Some(placed.line), error: rejection.error, row })
        });
        Ok(Decoded { rows: rows.len() as u64, rejects: rejects.collect(), split: split(&batch)? })
    }

    fn refuse_expired(
        &self,
        batch: EventBatch,
    ) -> Result<(EventBatch, Vec<Rejection>), BackfillError> {
        let versions = self.versions.as_ref();
        match versions.and_then(|versions| versions.borrow().floor()) {
            Some(floor) => Ok(refuse_before_floor(&batch, floor)?),
            None => Ok((batch, Vec::new())),
        }
    }

    /// Whether the row is of a form that is read without more ado, as most are; `slots` has its
    /// values then.
    fn is_plain<'r>(
        &'r self,
        placed: &Placed<'r>,
        origin: Origin<'_>,
        refused: &HashMap<String, String>,
        names: &mut ingest::Names<'r>,
        slots: &mut Slots<'r>,
    ) -> bool {
        let Row::Json(json) = placed.row else { return false };
        slots.clear();
        refused.is_empty()
            && ingest::fill_plain(json, names, slots)
            && self.shape.complete(slots, origin, json.as_bytes())
    }
}

/// An organisation whose name clashes has no events.
fn allowed<'r>(
    fields: Fields<'r>,
    refused: &HashMap<String, String>,
) -> Result<Fields<'r>, String> {
    let org = fields.iter().find(|(name, _)| !refused.is_empty() && name == "org_id");
    if let Some((_, FieldValue::Text(org) | FieldValue::Number(org))) = org
        && let Some(reason) = refused.get(org.as_ref())
    {
        return Err(format!("org_id: {reason}"));
    }
    Ok(fields)
}

impl<'a> From<Result<&'a str, NotUtf8<'a>>> for Row<'a> {
    fn from(row: Result<&'a str, NotUtf8<'a>>) -> Self {
        row.map_or_else(Self::NotUtf8, Self::Json)
    }
}

impl<'a> Row<'a> {
    fn fields(self, shape: &'a Shape, origin: Origin<'_>) -> Result<Fields<'a>, String> {
        match self {
            Self::Json(json) => shape.fields(ingest::fields(json)?, origin, &[json.as_bytes()]),
            Self::NotUtf8(NotUtf8 { error, .. }) => Err(format!("the row is not UTF-8: {error}")),
            Self::Cells(header, record) => {
                let (cells, columns) = (record.len(), header.0.len());
                if cells != columns {
                    return Err(format!("it has {cells} cells where the header has {columns}"));
                }
                let cell = |(name, cell): (&'a String, &'a [u8])| {
                    let text = std::str::from_utf8(cell)
                        .map_err(|error| format!("{name}: not UTF-8: {error}"))?;
                    let value = match text {
                        "" => FieldValue::Null,
                        text => FieldValue::Text(Cow::Borrowed(text)),
                    };
                    Ok::<_, String>((Cow::Borrowed(name.as_str()), value))
                };
                let columns: Fields<'a> =
                    header.0.iter().zip(record).map(cell).collect::<Result<_, _>>()?;
                let row: Vec<_> = record.iter().collect();
                shape.fields(columns, origin, &row)
            }
        }
    }

    fn text(self) -> String {
        match self {
            Self::Json(json) => json.to_owned(),
            Self::NotUtf8(NotUtf8 { bytes, .. }) => String::from_utf8_lossy(bytes).into_owned(),
            Self::Cells(_, record) => {
                let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
                let written = writer.write_byte_record(record).ok();
                let bytes = written.and_then(|()| writer.into_inner().ok()).unwrap_or_default();
                String::from_utf8_lossy(bytes.trim_ascii_end()).into_owned()
            }
        }
    }
}

fn lines_of(text: &[u8], first: u64) -> Vec<Placed<'_>> {
    let lines = (first..).zip(ingest::lines(text)).filter(|(_, line)| *line != Ok(""));
    let lines = lines.map(|(index, line)| Placed { index, line: index + 1, row: line.into() });
    let mut rows = Vec::with_capacity(text.len() / LINE_BYTES);
    rows.extend(lines);
    rows
}

fn records_of<'a>(header: &'a Header, records: &'a [ByteRecord], first: u64) -> Vec<Placed<'a>> {
    let placed = (first..).zip(records).map(|(index, record)| {
        let line = record.position().map_or(index + 2, csv::Position::line);
        Placed { index, line, row: Row::Cells(header, record) }
    });
    placed.collect()
}

/// The rows as JSON, a line each: numbers as decimal text, times in UTC, nested values as they are.
fn json_lines(batch: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
    let (mut fields, mut columns) = (Vec::new(), Vec::new());
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        let plain = match field.data_type() {
            DataType::Timestamp(unit, Some(_)) => {
                Some(DataType::Timestamp(*unit, Some("UTC".into())))
            }
            // Text of writers that do not say that it is.
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView => Some(DataType::Utf8),
            DataType::Dictionary(_, value) => Some(value.as_ref().clone()),
            _ => None,
        };
        let column = match plain {
            Some(plain) => cast(column, &plain)?,
            None => column.clone(),
        };
        fields.push(Field::new(field.name(), column.data_type().clone(), true));
        columns.push(column);
    }
    let batch = RecordBatch::try_new(Schema::new(fields).into(), columns)?;
    let mut writer = LineDelimitedWriter::new(Vec::new());
    writer.write(&batch)?;
    writer.finish()?;
    Ok(writer.into_inner())
}
