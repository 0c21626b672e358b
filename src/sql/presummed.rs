//! Presummed rows: the cells of a file's partial in the columns of `events`. Each row represents
//! the calls of one organisation, provider and model, in an hour or in the whole file. `requests`
//! is the number of these calls, `priced` the number that have a price, and `ts` the time of the
//! last one.

use std::ops::{Bound, Range};
use std::sync::{Arc, LazyLock};

use arrow::array::{
    Array as _, ArrayRef, AsArray as _, Date32Array, Decimal128Array, Int64Array, RecordBatch,
    RecordBatchOptions, StringViewArray, TimestampMicrosecondArray, UInt64Array, new_null_array,
};
use arrow::compute::{concat_batches, take};
use arrow::datatypes::{
    DataType, Decimal128Type, Field, Int64Type, Schema, SchemaRef, TimestampMicrosecondType,
};
use serde::{Deserialize, Serialize};

use super::file_bounds::days;
use super::views::with_views;
use crate::archive::{ArchiveError, CellReader, CheckedObject, DataFile, PARTITION, first_row};
use crate::event::{API_CALL, money};

/// How many calls a row represents.
pub(super) const REQUESTS: &str = "requests";
/// How many of them have a price.
pub(super) const PRICED: &str = "priced";
/// Columns with the same value in all rows of a file; they are added on demand.
const SHARED: [&str; 2] = [PARTITION, "event_type"];
/// Columns of `events` that presummed rows have too.
const SUMMED: [&str; 10] = [
    "org_id",
    "ts",
    "provider",
    "model",
    "input_tokens",
    "output_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "cost_usd",
];
/// Sums of money must stay below this to fit the type of a single cost.
const COST_LIMIT: i128 = 10_i128.pow(money::DIGITS as u32);

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let date = Field::new(PARTITION, DataType::Date32, false);
    let kind = Field::new("event_type", DataType::Utf8View, false);
    let fields = STORED.fields().iter().map(|field| field.as_ref().clone());
    Arc::new(Schema::new(fields.chain([date, kind]).collect::<Vec<_>>()))
});

static STORED: LazyLock<SchemaRef> = LazyLock::new(|| {
    let events = crate::event::schema();
    let events = with_views(&events);
    let kept = SUMMED.iter().filter_map(|name| events.field_with_name(name).ok().cloned());
    let weights = [REQUESTS, PRICED].map(|name| Field::new(name, DataType::Int64, false));
    Arc::new(Schema::new(kept.chain(weights).collect::<Vec<_>>()))
});

/// The columns of presummed rows; columns of `events` keep their types.
pub(super) fn schema() -> SchemaRef {
    SCHEMA.clone()
}

/// What a presummed row represents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Resolution {
    /// The calls of a series in the file, all of one date.
    Day,
    /// The calls of a series in an hour.
    Hour,
}

/// Which presummed rows are read of a file, and which columns of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub org: Option<&'a str>,
    pub resolution: Resolution,
    pub columns: WantedColumns,
}

/// A set of the columns that are stored, a bit for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct WantedColumns(u16);

impl WantedColumns {
    /// Those of a projection of [`schema`]; never none, so that rows can be counted.
    pub(super) fn of(projection: &[usize]) -> Self {
        let stored = STORED.fields().len();
        let bits = projection.iter().filter(|at| **at < stored).fold(0, |bits, at| bits | 1 << at);
        if bits > 0 { Self(bits) } else { Self::named(&[REQUESTS]) }
    }

    fn named(names: &[&str]) -> Self {
        let places = names.iter().filter_map(|name| STORED.index_of(name).ok());
        Self(places.fold(0, |bits, at| bits | 1 << at))
    }

    fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn schema(self) -> SchemaRef {
        let all = STORED.fields().iter().enumerate();
        let kept = all.filter(|(at, _)| self.0 & 1 << at > 0).map(|(_, field)| field.clone());
        Arc::new(Schema::new(kept.collect::<Vec<_>>()))
    }

    /// The columns of cells that they are made of.
    fn in_cells(self) -> Vec<&'static str> {
        let all = STORED.fields().iter().enumerate().filter(|(at, _)| self.0 & 1 << at > 0);
        all.flat_map(|(_, field)| match field.name().as_str() {
            PRICED => vec![REQUESTS, "unpriced"],
            "ts" => vec!["last_ts"],
            name => vec![name],
        })
        .collect()
    }
}

/// Reads presummed rows of the cells of a file, sorted by organisation: of those without hours that
/// `days` has, if no hours are wanted, and otherwise of its partial.
///
/// # Errors
/// Corrupt or Unavailable, naming the file.
pub(super) async fn read(
    store: &Arc<dyn object_store::ObjectStore>,
    partial: CheckedObject,
    days: Option<CheckedObject>,
    wanted: Wanted<'_>,
) -> Result<Vec<RecordBatch>, ArchiveError> {
    let Wanted { resolution, columns, .. } = wanted;
    let path = partial.path().to_string();
    let wrong = || ArchiveError::corrupt(&path, "its sums are not as the log describes them");
    if let Some(days) = days.filter(|_| resolution == Resolution::Day) {
        // The sums of a day may be too long where those of an hour are not.
        if let Some(rows) = rows_of(store, days, wanted).await? {
            return Ok(rows);
        }
    }
    if resolution == Resolution::Hour {
        return rows_of(store, partial, wanted).await?.ok_or_else(wrong);
    }
    let names = WantedColumns::named(&["org_id", "provider", "model"]);
    let all = Wanted { columns: columns.and(names), ..wanted };
    let hours = rows_of(store, partial, all).await?.ok_or_else(wrong)?;
    // The rows of a series may go on in the next batch.
    let hours = concat_batches(&all.columns.schema(), &hours).map_err(|_| wrong())?;
    let rows = by_day(&hours).unwrap_or(hours);
    let kept = columns.schema();
    let places = kept.fields().iter().map(|field| rows.schema_ref().index_of(field.name()));
    let places = places.collect::<Result<Vec<_>, _>>().map_err(|_| wrong())?;
    Ok(vec![rows.project(&places).map_err(|_| wrong())?])
}

/// The presummed rows of some cells; `None` if they are not as described.
async fn rows_of(
    store: &Arc<dyn object_store::ObjectStore>,
    object: CheckedObject,
    Wanted { org, columns, .. }: Wanted<'_>,
) -> Result<Option<Vec<RecordBatch>>, ArchiveError> {
    let mut names = columns.in_cells();
    let orgs = match org {
        Some(org) => {
            names.push("org_id");
            (Bound::Included(org), Bound::Included(org))
        }
        None => (Bound::Unbounded, Bound::Unbounded),
    };
    let schema = columns.schema();
    let cells = CellReader::read_columns(store.clone(), object, orgs, &names).await?;
    Ok(cells.iter().map(|cells| presummed(cells, &schema)).collect())
}

/// Cells with the names and types of `events`; `None` if they are not as described.
fn presummed(cells: &RecordBatch, schema: &SchemaRef) -> Option<RecordBatch> {
    let column = |name: &str| cells.column_by_name(name);
    let columns = schema.fields().iter().map(|field| -> Option<ArrayRef> {
        let from = match field.name().as_str() {
            PRICED => {
                let requests = column(REQUESTS)?.as_primitive_opt::<Int64Type>()?;
                let unpriced = column("unpriced")?.as_primitive_opt::<Int64Type>()?;
                let priced = requests.values().iter().zip(unpriced.values());
                let priced = priced.map(|(all, without)| all.saturating_sub(*without));
                return Some(Arc::new(Int64Array::from_iter_values(priced)));
            }
            "ts" => "last_ts",
            name => name,
        };
        let from = column(from)?;
        match (from.data_type(), field.data_type()) {
            (have, want) if have == want => Some(from.clone()),
            (DataType::Decimal128(..), DataType::Int64) => short(from),
            (DataType::Timestamp(..), DataType::Timestamp(_, Some(zone))) => {
                let times = from.as_primitive_opt::<TimestampMicrosecondType>()?.clone();
                Some(Arc::new(times.with_timezone(zone.clone())))
            }
            _ => None,
        }
    });
    let columns = columns.collect::<Option<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(cells.num_rows()));
    RecordBatch::try_new_with_options(schema.clone(), columns, &options).ok()
}

/// Sums as 8-byte integers.
fn short(sums: &ArrayRef) -> Option<ArrayRef> {
    let sums = sums.as_primitive_opt::<Decimal128Type>()?;
    let short = sums.try_unary::<_, Int64Type, _>(|sum| {
        i64::try_from(sum).map_err(|error| arrow::error::ArrowError::CastError(error.to_string()))
    });
    Some(Arc::new(short.ok()?))
}

/// Adds up the rows of each series; `None` if a sum does not fit.
fn by_day(hours: &RecordBatch) -> Option<RecordBatch> {
    let series = series(hours)?;
    let firsts = UInt64Array::from_iter_values(series.iter().map(|rows| rows.start as u64));
    let schema = hours.schema();
    let columns = schema.fields().iter().zip(hours.columns()).map(|(field, column)| {
        match (field.name().as_str(), field.data_type()) {
            ("ts", _) => {
                let times = column.as_primitive_opt::<TimestampMicrosecondType>()?.values();
                let last = series.iter().map(|rows| times.get(rows.clone())?.iter().max().copied());
                let last = last.collect::<Option<Vec<_>>>()?;
                let last = TimestampMicrosecondArray::from(last).with_timezone("UTC");
                Some(Arc::new(last) as ArrayRef)
            }
            (_, DataType::Int64) => {
                let numbers = column.as_primitive_opt::<Int64Type>()?;
                let sum = |rows: &Range<usize>| sum_of(numbers, rows, i64::checked_add);
                let sums = series.iter().map(sum).collect::<Option<Vec<_>>>()?;
                Some(Arc::new(Int64Array::from(sums)) as ArrayRef)
            }
            (_, DataType::Decimal128(digits, scale)) => {
                let costs = column.as_primitive_opt::<Decimal128Type>()?;
                let add = |a: i128, b| a.checked_add(b).filter(|sum| *sum < COST_LIMIT);
                let sums = series.iter().map(|rows| sum_of(costs, rows, add));
                let sums = Decimal128Array::from(sums.collect::<Option<Vec<_>>>()?);
                let sums = sums.with_precision_and_scale(*digits, *scale).ok()?;
                Some(Arc::new(sums) as ArrayRef)
            }
            _ => take(column, &firsts, None).ok(),
        }
    });
    let columns = columns.collect::<Option<Vec<_>>>()?;
    RecordBatch::try_new(schema.clone(), columns).ok()
}

/// The sum of some values, null if all are null; `None` if it does not fit.
fn sum_of<T: arrow::datatypes::ArrowPrimitiveType>(
    values: &arrow::array::PrimitiveArray<T>,
    rows: &Range<usize>,
    add: impl Fn(T::Native, T::Native) -> Option<T::Native>,
) -> Option<Option<T::Native>> {
    let mut sum = None;
    for row in rows.clone().filter(|row| values.is_valid(*row)) {
        let value = values.value(row);
        sum = match sum {
            None => Some(value),
            Some(sum) => Some(add(sum, value)?),
        };
    }
    Some(sum)
}

/// Runs of rows with the same organisation, provider and model, by which partials are sorted.
fn series(rows: &RecordBatch) -> Option<Vec<Range<usize>>> {
    let text = |name: &str| rows.column_by_name(name)?.as_string_view_opt();
    let names = [text("org_id")?, text("provider")?, text("model")?];
    let same = |a: usize, b: usize| {
        names.iter().all(|names| match (names.is_valid(a), names.is_valid(b)) {
            (true, true) => names.value(a) == names.value(b),
            (a, b) => a == b,
        })
    };
    let mut series: Vec<Range<usize>> = Vec::new();
    for row in 0..rows.num_rows() {
        match series.last_mut() {
            Some(last) if same(last.start, row) => last.end = row + 1,
            _ => series.push(row..row + 1),
        }
    }
    Some(series)
}

/// The rows of one organisation; `None` without the column that tells.
pub(super) fn of_org(rows: &[RecordBatch], org: &str) -> Option<Vec<RecordBatch>> {
    rows.iter().map(|rows| in_batch(rows, org)).collect()
}

fn in_batch(rows: &RecordBatch, org: &str) -> Option<RecordBatch> {
    let orgs = rows.column_by_name("org_id")?.as_string_view_opt()?;
    let (start, end) = (first_row(orgs, |name| name >= org), first_row(orgs, |name| name > org));
    Some(rows.slice(start, end - start))
}

/// The columns `projection` of [`schema`], for a file's rows.
///
/// # Errors
/// Only for a defect.
pub(super) fn project(
    rows: &RecordBatch,
    file: &DataFile,
    projection: &[usize],
    schema: &SchemaRef,
) -> Result<RecordBatch, arrow::error::ArrowError> {
    let (all, count) = (self::schema(), rows.num_rows());
    let columns = projection.iter().map(|at| -> ArrayRef {
        let field = all.field(*at);
        let name = field.name();
        match SHARED.iter().position(|shared| shared == name) {
            Some(0) => Arc::new(Date32Array::from_value(days(file), count)),
            Some(_) => {
                Arc::new(StringViewArray::from_iter_values(std::iter::repeat_n(API_CALL, count)))
            }
            None => rows
                .column_by_name(name)
                .cloned()
                .unwrap_or_else(|| new_null_array(field.data_type(), count)),
        }
    });
    let options = RecordBatchOptions::new().with_row_count(Some(count));
    RecordBatch::try_new_with_options(schema.clone(), columns.collect(), &options)
}
