//! Corrections that are made of stored events: each has the time, the names and the attributes of the
//! event that it corrects, so that all sums that have the event have the correction, too.

use std::borrow::Cow;

use arrow::array::{Array as _, AsArray as _, MapArray, PrimitiveArray, RecordBatch, StringArray};
use arrow::datatypes::TimestampMicrosecondType;
use arrow::error::ArrowError;

use super::attributes::{ATTRIBUTE_BYTES_MAX, ATTRIBUTES_MAX, Attributes};
use super::columns::Columns;
use super::correction::COST_CORRECTION;
use super::dimension::{Dimensions, attribute_of, dimension_value};
use super::mended::Mended;
use super::money::COST_MAX;
use super::needed::{CORRECTS, WAS_UNPRICED};
use super::renamed::entries;
use super::row::{Row, TokenCounts};
use super::values::TEXT_BYTES_MAX;
use super::{EventBatch, EventError};
use crate::clock::Micros;

/// A correction of the cost of one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCorrection<'c> {
    /// The row of the event.
    pub row: usize,
    /// The id of the correction.
    pub event_id: String,
    /// What it adds to the cost, in 10^-12 dollars; less than a million dollars either way.
    pub units: i128,
    /// Who says so: its `cost_source`.
    pub source: &'c str,
    /// Whether the event had no price before it.
    pub was_unpriced: bool,
}

/// Corrections as they may be stored.
#[derive(Debug)]
pub struct NewCorrections {
    /// The corrections, in the order of the events.
    pub batch: EventBatch,
    /// Attributes of events that had no room in the corrections.
    pub attributes_dropped: u64,
}

impl NewCorrections {
    /// Makes corrections of some of `rows`, which are stored events. They come in at `now`. What
    /// `dimensions` are told by has room in them before other attributes.
    ///
    /// # Errors
    /// Internal only.
    pub fn of(
        rows: &RecordBatch,
        made: &[NewCorrection<'_>],
        dimensions: &Dimensions,
        now: Micros,
    ) -> Result<Self, EventError> {
        let events = StoredEvents::of(rows)?;
        let mut columns = Columns::with_capacity(made.len());
        let mut attributes_dropped = 0;
        for correction in made {
            let id_fits = (1..=TEXT_BYTES_MAX).contains(&correction.event_id.len());
            if !id_fits || correction.units.abs() >= COST_MAX || correction.row >= rows.num_rows() {
                return Err(defect("a correction that no event can be").into());
            }
            let cut = events.cut_values(correction.row, dimensions);
            let row = events.correction(correction, &cut);
            attributes_dropped += row.attributes.dropped;
            columns.append(&row);
        }
        let indices = (0..).take(made.len()).collect();
        Ok(Self { batch: EventBatch::new(columns.finish(now)?, indices), attributes_dropped })
    }
}

/// What corrections take over from events.
struct StoredEvents<'r> {
    ids: &'r StringArray,
    orgs: &'r StringArray,
    times: &'r PrimitiveArray<TimestampMicrosecondType>,
    providers: &'r StringArray,
    models: &'r StringArray,
    sources: &'r StringArray,
    attributes: &'r MapArray,
}

impl<'r> StoredEvents<'r> {
    fn of(rows: &'r RecordBatch) -> Result<Self, ArrowError> {
        let column = |name: &str| rows.column_by_name(name).ok_or_else(|| defect(name));
        let text = |name: &str| column(name)?.as_string_opt::<i32>().ok_or_else(|| defect(name));
        Ok(Self {
            ids: text("event_id")?,
            orgs: text("org_id")?,
            times: column("ts")?.as_primitive_opt().ok_or_else(|| defect("ts"))?,
            providers: text("provider")?,
            models: text("model")?,
            sources: text("source")?,
            attributes: column("attributes")?.as_map_opt().ok_or_else(|| defect("attributes"))?,
        })
    }

    fn correction<'c>(
        &self,
        correction: &'c NewCorrection<'_>,
        cut: &'c [(&'c str, Cow<'c, str>)],
    ) -> Row<'c>
    where
        'r: 'c,
    {
        let row = correction.row;
        let text = |column: &'r StringArray| {
            column.is_valid(row).then(|| Cow::Borrowed(column.value(row)))
        };
        Row {
            event_id: &correction.event_id,
            org_id: self.orgs.value(row),
            event_type: Cow::Borrowed(COST_CORRECTION),
            ts: self.times.value(row),
            provider: text(self.providers),
            model: text(self.models),
            tokens: TokenCounts {
                input: 0,
                output: 0,
                cached_input: None,
                cache_write: None,
                reasoning: None,
            },
            cost_usd: Some(correction.units),
            source: text(self.sources),
            attributes: self.attributes_of(correction, cut),
            cost_source: Some(correction.source),
            mended: Mended::default(),
        }
    }

    fn attributes_of<'c>(
        &self,
        correction: &NewCorrection<'_>,
        cut: &'c [(&'c str, Cow<'c, str>)],
    ) -> Attributes<'c>
    where
        'r: 'c,
    {
        let (row, stored): (usize, &'c MapArray) = (correction.row, self.attributes);
        let unpriced = correction.was_unpriced.then_some((WAS_UNPRICED, "true"));
        let id: &'c str = self.ids.value(row);
        let first = std::iter::once((CORRECTS, id)).chain(unpriced);
        let first = first.chain(cut.iter().map(|(key, value)| (*key, value.as_ref())));
        let first: Vec<_> = first.collect();
        // Whether the event had no price before another correction is not for this one to say.
        let own = || own_entries(stored, row).filter(|(key, _)| *key != WAS_UNPRICED);
        let mut attributes = Attributes::with(&first, own(), |_| false);
        // A value that is cut is not dropped.
        let cut = own().filter(|(key, _)| cut.iter().any(|(cut, _)| cut == key)).map(|_| 1);
        attributes.dropped = attributes.dropped.saturating_sub(cut.sum());
        attributes
    }

    /// The values of dimensions of an event whose attributes leave no room for those of a correction, as
    /// short as sums need them; none if all have room.
    fn cut_values<'d>(
        &self,
        row: usize,
        dimensions: &'d Dimensions,
    ) -> Vec<(&'d str, Cow<'d, str>)> {
        let marks = [CORRECTS, self.ids.value(row), WAS_UNPRICED, "true"];
        let (mut count, mut bytes) = (2, marks.iter().map(|mark| mark.len()).sum::<usize>());
        for (key, value) in own_entries(self.attributes, row) {
            count += 1;
            bytes += key.len() + value.len();
        }
        let mut cut: Vec<(&str, Cow<'_, str>)> = Vec::new();
        if count <= ATTRIBUTES_MAX && bytes <= ATTRIBUTE_BYTES_MAX {
            return cut;
        }
        let keys = dimensions.iter().map(|dimension| &*dimension.attribute);
        for key in keys.filter(|key| ![CORRECTS, WAS_UNPRICED].contains(key)) {
            let value = attribute_of(self.attributes, row, key).and_then(dimension_value);
            if let Some(value) = value.filter(|_| cut.iter().all(|(known, _)| *known != key)) {
                cut.push((key, Cow::Owned(value.into_owned())));
            }
        }
        cut
    }
}

fn own_entries(
    attributes: &MapArray,
    row: usize,
) -> impl Iterator<Item = (&str, Cow<'_, str>)> + use<'_> {
    let any = attributes.is_valid(row).then(|| entries(attributes, row));
    any.into_iter().flatten()
}

fn defect(what: &str) -> ArrowError {
    ArrowError::SchemaError(format!("making corrections: {what}"))
}

#[cfg(test)]
#[path = "new_corrections_tests.rs"]
mod tests;
