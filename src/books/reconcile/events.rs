//! What the events of a month say, by provider, day and model: the rows of `usage_hourly`.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array as _, AsArray as _, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, TimeUnit, TimestampMicrosecondType};
use arrow::error::ArrowError;
use chrono::{DateTime, NaiveDate, Timelike as _};
use futures::TryStreamExt as _;

use super::figures::EventSums;
use crate::archive::{DataFile, Snapshot};
use crate::books::error::BooksError;
use crate::books::month::Month;
use crate::event::money;
use crate::pricing::ModelIdentity;
use crate::sql::Console;

/// Each row is added up here; the table's files are those of the month alone.
const ROWS: &str = "SELECT provider, model, hour, requests, input_tokens, output_tokens, cost_usd, \
     unpriced FROM usage_hourly";
/// Digits of a sum.
const DIGITS: u8 = 38;

/// What events say of a provider, by day, and by model as they name it; `None` of those that name none.
pub(super) type ProviderEvents = BTreeMap<NaiveDate, BTreeMap<Option<Arc<str>>, EventSums>>;

/// What the events of a month say.
#[derive(Debug, Default)]
pub(super) struct MonthEvents {
    /// By provider, under one name for all of its names.
    pub(super) providers: BTreeMap<String, ProviderEvents>,
    /// Calls of which no provider is told, neither by itself nor by the name of the model.
    pub(super) of_no_provider: i128,
}

/// What the events of a month say.
///
/// # Errors
/// Corrupt or Unavailable, naming the file.
pub(super) async fn of_events(
    console: &Console,
    snapshot: &Snapshot,
    org_id: Option<&str>,
    month: Month,
) -> Result<MonthEvents, BooksError> {
    let files = snapshot.files_between(month.first(), month.last());
    let files = files.filter(|file| org_id.is_none_or(|org_id| file.may_hold_org(org_id)));
    let files: Vec<Arc<DataFile>> = files.cloned().collect();
    let mut events = MonthEvents::default();
    let mut batches = console.query(&files, org_id, ROWS).await?.batches;
    while let Some(batch) = batches.try_next().await? {
        add(&mut events, &batch)?;
    }
    Ok(events)
}

/// Adds rows up.
fn add(events: &mut MonthEvents, batch: &RecordBatch) -> Result<(), ArrowError> {
    let column = |at: usize, kind: DataType| cast(batch.column(at), &kind);
    let (providers, models) = (column(0, DataType::Utf8)?, column(1, DataType::Utf8)?);
    let (providers, models) = (providers.as_string::<i32>(), models.as_string::<i32>());
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let hours = column(2, time)?;
    let hours = hours.as_primitive::<TimestampMicrosecondType>();
    let mut sums = Vec::new();
    for (at, places) in [(3, 0), (4, 0), (5, 0), (6, money::PLACES), (7, 0)] {
        sums.push(column(at, DataType::Decimal128(DIGITS, places))?);
    }
    for row in 0..batch.num_rows() {
        let name = |names: &arrow::array::StringArray| {
            names.is_valid(row).then(|| Arc::<str>::from(names.value(row)))
        };
        let (provider, model) = (name(providers), name(models));
        let identity = ModelIdentity::of(provider.as_deref(), model.as_deref());
        let Some(hour) = DateTime::from_timestamp_micros(hours.value(row)) else { continue };
        let mut sum = sums.iter().map(|sums| {
            let sums = sums.as_primitive::<Decimal128Type>();
            if sums.is_valid(row) { sums.value(row) } else { 0 }
        });
        let mut next = || sum.next().unwrap_or_default();
        let sums = EventSums {
            sums: [next(), next(), next(), next()],
            unpriced: next(),
            hours: 1 << hour.hour(),
        };
        let Some(provider) = identity.provider else {
            events.of_no_provider += sums.requests();
            continue;
        };
        let days = events.providers.entry(provider).or_default();
        let models = days.entry(hour.date_naive()).or_default();
        *models.entry(model).or_default() += &sums;
    }
    Ok(())
}
