//! The decoder of chunks of rows into events and rejected rows.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::watch;

use super::chunk_events::{ChunkEvents, split};
use super::read::rows::{Chunk, CsvRecord, Header, RawRows};
use super::shape::{RowFields, RowOrigin, Shape};
use super::{BackfillError, columns};
use crate::archive::{Snapshot, refuse_before_floor};
use crate::clock::Micros;
use crate::event::time::Naive;
use crate::event::{EventBatch, EventBatchBuilder, FieldValue, Rejection, Slots};
use crate::ingest::{self, NotUtf8};
use crate::price_book::InForce;
use crate::pricing::{PricedBatch, price_batch};

/// Bytes of a typical line, estimated low.
const LINE_BYTES: usize = 192;

/// Decodes rows into events; several threads use it at once.
#[derive(Debug)]
pub(super) struct Decoder {
    pub(super) shape: Shape,
    pub(super) now: Micros,
    /// The versions of the table as this process learns of them; none for a dry run. Rows before
    /// the floor are rejected.
    pub(super) versions: Option<watch::Receiver<Arc<Snapshot>>>,
    /// The prices of calls that come without a cost; `None` if they get none.
    pub(super) prices: Option<Arc<InForce>>,
    /// Organisations whose names clash with other names, and why.
    pub(super) refused: Mutex<HashMap<String, String>>,
}

/// The result of decoding a chunk.
#[derive(Debug)]
pub(super) struct DecodedChunk {
    pub(super) rows: u64,
    pub(super) split: ChunkEvents,
    pub(super) rejects: Vec<Reject>,
    /// Number of attribute values that are not text and were left out.
    pub(super) left_out: u64,
}

/// A rejected row, as it is kept for the user.
#[derive(Debug, Serialize)]
pub(super) struct Reject {
    /// Null, like the line, if the row was rejected when its place was no longer known.
    file: Option<String>,
    line: Option<u64>,
    error: String,
    row: String,
}

impl Reject {
    /// The place of the row and why it was rejected, for the user.
    pub(super) fn summary(&self) -> String {
        let (file, line) =
            (self.file.as_deref().unwrap_or_default(), self.line.unwrap_or_default());
        format!("{file}, line {line}: {}", self.error)
    }

    /// A row that its commit rejected, because the floor rose after it was decoded. Only its id is
    /// still known.
    pub(super) fn late(rejection: Rejection) -> Self {
        let row = serde_json::json!({ "event_id": rejection.event_id }).to_string();
        Self { file: None, line: None, error: rejection.error, row }
    }
}

/// One row of any format.
#[derive(Clone, Copy)]
enum InputRow<'a> {
    Json(&'a str),
    /// A row of another format as JSON, with the reason to reject it.
    Flawed(&'a str, &'a str),
    NotUtf8(NotUtf8<'a>),
    Cells(&'a Header, &'a CsvRecord),
}

/// A row with its index in its input and its line.
struct Placed<'a> {
    index: u64,
    line: u64,
    row: InputRow<'a>,
}

impl Decoder {
    /// Decodes all rows of a chunk. Takes processor time in proportion to its bytes.
    pub(super) fn decode(&self, chunk: &Chunk) -> Result<DecodedChunk, BackfillError> {
        let lines;
        let mut left_out = 0;
        let rows = match &chunk.rows {
            RawRows::Lines(text) => lines_of(text, chunk.first),
            RawRows::Batch(batch, leaves) => {
                let written = columns::lines(batch, leaves, |name| self.shape.is_field(name));
                lines = written
                    .map_err(|error| BackfillError::unreadable(&chunk.input.name, &error))?;
                left_out = lines.left_out;
                flawed(lines_of(&lines.json, chunk.first), chunk.first, &lines.flaws)
            }
            RawRows::Values(values) => (chunk.first..)
                .zip(values)
                .map(|(index, (line, value))| Placed {
                    index,
                    line: *line,
                    row: NotUtf8::check(value).into(),
                })
                .collect(),
            RawRows::Records(header, records) => records_of(header, records, chunk.first),
        };
        let refused = self.refused.lock().clone();
        let mut builder =
            EventBatchBuilder::with_capacity(self.shape.org_rule.clone(), self.now, rows.len())
                .naive_times(Naive::Utc)
                .corrections(true);
        let (mut names, mut slots) = (ingest::FieldNames::default(), Slots::default());
        for (at, placed) in rows.iter().enumerate() {
            let json = placed.row.json();
            let origin = RowOrigin { identity: &chunk.input.identity, index: placed.index, json };
            if chunk.input.folders.is_empty()
                && self.is_plain(placed, origin, &refused, &mut names, &mut slots)
                && builder.push_slots(at, &slots)
            {
                continue;
            }
            let fields = placed.row.fields(&self.shape, &chunk.input.folders, origin);
            match fields.and_then(|fields| allowed(fields, &refused)) {
                Ok(fields) => builder.push(at, &fields),
                Err(error) => builder.reject(at, None, error),
            }
        }
        let decoded = builder.finish()?;
        let (batch, expired) = self.refuse_expired(decoded.batch)?;
        let PricedBatch { batch, rejections: unpriceable } = self.priced(batch)?;
        let mut rejections = decoded.rejections;
        rejections.extend(expired.into_iter().chain(unpriceable));
        rejections.sort_by_key(|rejection| rejection.index);
        let rejects = rejections.into_iter().filter_map(|rejection| {
            let placed = rows.get(rejection.index)?;
            let (file, row) = (Some(chunk.input.name.clone()), placed.row.text());
            Some(Reject { file, line: Some(placed.line), error: rejection.error, row })
        });
        let (rejects, split) = (rejects.collect(), split(&batch)?);
        Ok(DecodedChunk { rows: rows.len() as u64, rejects, split, left_out })
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

    fn priced(&self, batch: EventBatch) -> Result<PricedBatch, BackfillError> {
        match &self.prices {
            Some(in_force) => Ok(price_batch(&batch, in_force.prices())?),
            None => Ok(PricedBatch { batch, rejections: Vec::new() }),
        }
    }

    /// Whether the row has the common form that the fast path reads; `slots` then has its values.
    fn is_plain<'r>(
        &'r self,
        placed: &Placed<'r>,
        origin: RowOrigin<'_>,
        refused: &HashMap<String, String>,
        names: &mut ingest::FieldNames<'r>,
        slots: &mut Slots<'r>,
    ) -> bool {
        let InputRow::Json(json) = placed.row else { return false };
        slots.clear();
        refused.is_empty()
            && ingest::fill_plain(json, names, slots)
            && self.shape.complete(slots, origin, json.as_bytes())
    }
}

/// Rejects a row of an organisation whose name clashes.
fn allowed<'r>(
    fields: RowFields<'r>,
    refused: &HashMap<String, String>,
) -> Result<RowFields<'r>, String> {
    let org = fields.iter().find(|(name, _)| !refused.is_empty() && name == "org_id");
    if let Some((_, FieldValue::Text(org) | FieldValue::Number(org))) = org
        && let Some(reason) = refused.get(org.as_ref())
    {
        return Err(format!("org_id: {reason}"));
    }
    Ok(fields)
}

impl<'a> From<Result<&'a str, NotUtf8<'a>>> for InputRow<'a> {
    fn from(row: Result<&'a str, NotUtf8<'a>>) -> Self {
        row.map_or_else(Self::NotUtf8, Self::Json)
    }
}

impl<'a> InputRow<'a> {
    fn json(self) -> Option<&'a str> {
        match self {
            Self::Json(json) => Some(json),
            _ => None,
        }
    }

    fn fields(
        self,
        shape: &'a Shape,
        folders: &'a [(String, Option<String>)],
        origin: RowOrigin<'_>,
    ) -> Result<RowFields<'a>, String> {
        match self {
            Self::Json(json) => {
                shape.fields(ingest::fields(json)?, folders, origin, &[json.as_bytes()])
            }
            Self::Flawed(_, error) => Err(error.to_owned()),
            Self::NotUtf8(NotUtf8 { error, .. }) => Err(format!("the row is not UTF-8: {error}")),
            Self::Cells(header, CsvRecord { cells: record, swallowed }) => {
                if *swallowed > 0 {
                    return Err(format!(
                        "a quote is not closed where it should be: this row swallowed {swallowed} more lines"
                    ));
                }
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
                let columns: RowFields<'a> =
                    header.0.iter().zip(record).map(cell).collect::<Result<_, _>>()?;
                let row: Vec<_> = record.iter().collect();
                shape.fields(columns, folders, origin, &row)
            }
        }
    }

    fn text(self) -> String {
        match self {
            Self::Json(json) | Self::Flawed(json, _) => json.to_owned(),
            Self::NotUtf8(NotUtf8 { bytes, .. }) => String::from_utf8_lossy(bytes).into_owned(),
            Self::Cells(_, record) => {
                let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
                let written = writer.write_byte_record(&record.cells).ok();
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

/// Marks rows as flawed, by their positions in the batch.
fn flawed<'a>(
    mut rows: Vec<Placed<'a>>,
    first: u64,
    flaws: &'a [(u64, String)],
) -> Vec<Placed<'a>> {
    for (at, reason) in flaws {
        let found = rows.binary_search_by_key(&(first + at), |placed| placed.index).ok();
        if let Some(placed) = found.and_then(|found| rows.get_mut(found))
            && let InputRow::Json(json) = placed.row
        {
            placed.row = InputRow::Flawed(json, reason);
        }
    }
    rows
}

fn records_of<'a>(header: &'a Header, records: &'a [CsvRecord], first: u64) -> Vec<Placed<'a>> {
    let placed = (first..).zip(records).map(|(index, record)| {
        let line = record.cells.position().map_or(index + 2, csv::Position::line);
        Placed { index, line, row: InputRow::Cells(header, record) }
    });
    placed.collect()
}
