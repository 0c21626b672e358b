//! The export of charges in the form of FOCUS 1.2.

mod charges;
mod columns;
mod meter;
mod shares;

use std::io::Write;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use self::charges::{DayCharge, PricedRules, charges};
use self::columns::{Period, columns, schema};
use super::error::BooksError;
use super::month::{Month, midnight};
use crate::archive::{DataFile, Snapshot};
use crate::clock::DAY;
use crate::event::{Dimension, OrgId};
use crate::pricing::Prices;
use crate::sql::{ChargeQuestion, Engine, FormWriter, RowFormat};

/// Charges that are made into columns at once.
const ROWS: usize = 8_192;

/// The form of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FocusFormat {
    /// Comma-separated, with a head.
    Csv,
    /// Parquet.
    Parquet,
}

/// What is exported.
#[derive(Debug, Clone)]
pub struct FocusQuestion {
    /// The billing period.
    pub month: Month,
    /// The organisation; `None` for all.
    pub org: Option<OrgId>,
    /// The dimension that charges are told apart by.
    pub dimension: Option<String>,
    /// The form of the file.
    pub format: FocusFormat,
}

/// Writes the charges of a month; returns how many there are.
///
/// # Errors
/// There is no such dimension; Corrupt or Unavailable, naming the file, or the file cannot be written.
pub async fn export_focus<W: Write + Send>(
    engine: &Engine,
    snapshot: &Snapshot,
    prices: &Prices,
    question: &FocusQuestion,
    out: W,
) -> Result<(u64, W), BooksError> {
    let dimension = dimension(snapshot, question)?;
    let org_id = question.org.as_ref().map(OrgId::as_str);
    let asked = ChargeQuestion {
        org_id,
        attribute: dimension.as_ref().map(|dimension| &*dimension.attribute),
        closed_at: midnight(question.month.next()),
    };
    let name = dimension.as_ref().map(|dimension| &*dimension.name);
    let schema = schema(name.is_some());
    let mut writer = ChargeWriter::new(question.format, schema.clone(), out)?;
    let (mut count, mut rules) = (0, PricedRules::of(prices));
    for day in question.month.days() {
        let files: Vec<Arc<DataFile>> = snapshot
            .files_of(day)
            .filter(|file| org_id.is_none_or(|org_id| file.may_hold_org(org_id)))
            .cloned()
            .collect();
        if files.is_empty() {
            continue;
        }
        engine.judge().check_all(snapshot, &files, org_id).await?;
        let cells = engine.charge_cells(&files, asked).await?;
        let start = midnight(day);
        let period = Period { month: question.month, day: [start, start + DAY] };
        let mut waiting = Vec::new();
        // Columns take much more room than cells, so that those of few organisations are made at once.
        for cells in cells.chunk_by(|a, b| a.org_id == b.org_id) {
            waiting.extend(charges(cells, &mut rules, start));
            if waiting.len() >= ROWS {
                count += writer.charges(&schema, &mut waiting, period, name)?;
            }
        }
        count += writer.charges(&schema, &mut waiting, period, name)?;
    }
    Ok((count, writer.finish()?))
}

fn dimension(
    snapshot: &Snapshot,
    question: &FocusQuestion,
) -> Result<Option<Arc<Dimension>>, BooksError> {
    let Some(name) = &question.dimension else { return Ok(None) };
    match snapshot.table().dimensions.named(name) {
        Some(dimension) => Ok(Some(dimension.clone())),
        None => Err(BooksError::NoDimension(name.clone())),
    }
}

/// Writes charges in one of the forms.
enum ChargeWriter<W: Write + Send> {
    Csv(FormWriter, W),
    Parquet(Box<ArrowWriter<W>>),
}

impl<W: Write + Send> ChargeWriter<W> {
    fn new(format: FocusFormat, schema: SchemaRef, mut out: W) -> Result<Self, BooksError> {
        match format {
            FocusFormat::Csv => {
                let mut form = FormWriter::new(RowFormat::Csv, schema);
                form.begin(&mut out)?;
                Ok(Self::Csv(form, out))
            }
            FocusFormat::Parquet => {
                let compression = Compression::ZSTD(ZstdLevel::default());
                let properties = WriterProperties::builder().set_compression(compression).build();
                let writer = ArrowWriter::try_new(out, schema, Some(properties))?;
                Ok(Self::Parquet(Box::new(writer)))
            }
        }
    }

    /// Writes the charges of a day that wait, some at a time; gives how many.
    fn charges(
        &mut self,
        schema: &SchemaRef,
        waiting: &mut Vec<DayCharge>,
        period: Period,
        dimension: Option<&str>,
    ) -> Result<u64, BooksError> {
        for charges in waiting.chunks(ROWS) {
            self.write(&columns(schema, charges, period, dimension)?)?;
        }
        let count = u64::try_from(waiting.len()).unwrap_or(u64::MAX);
        waiting.clear();
        Ok(count)
    }

    fn write(&mut self, rows: &RecordBatch) -> Result<(), BooksError> {
        match self {
            Self::Csv(form, out) => Ok(form.rows(out, rows)?),
            Self::Parquet(writer) => Ok(writer.write(rows)?),
        }
    }

    fn finish(self) -> Result<W, BooksError> {
        match self {
            Self::Csv(form, mut out) => {
                form.end(&mut out)?;
                Ok(out)
            }
            Self::Parquet(writer) => Ok(writer.into_inner()?),
        }
    }
}
