//! The pages of a file → rows by date.
//!
//! A file has one page, or several: in a list, one in each line, or one after another. A page may also be
//! given as its buckets.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use chrono::{DateTime, NaiveDate};
use serde_json::Deserializer;
use serde_json::value::RawValue;

use super::error::ReportFileError;
use super::format::ReportFormat;
use super::object::{ReportObject, each};
use super::result::ReportResult;
use super::{anthropic, openai};
use crate::archive::{NewReportPart, ReportKey, ReportRow, ReportSpan};

/// Rows of one import, which are in memory at once.
const ROWS_MAX: usize = 1_000_000;
/// Bytes of their texts.
const TEXT_BYTES_MAX: usize = 256 << 20;

/// What was read of the files of one import.
#[derive(Debug, Default)]
pub struct ReadReport {
    /// Rows by date; of two of the same bucket and group, the later one.
    pub dates: BTreeMap<NaiveDate, NewReportPart>,
    /// Results that are no calls of a model, and so no rows.
    pub left_out: usize,
    /// Whether the last page says that there is another after it.
    pub has_more: bool,
    rows: usize,
    /// Of all groups.
    text_bytes: usize,
}

/// Reads the pages of a file into what was read before it.
///
/// # Errors
/// Where the file is not of that form, and how.
pub fn read(
    report: &mut ReadReport,
    format: ReportFormat,
    bytes: &[u8],
) -> Result<(), ReportFileError> {
    let text = std::str::from_utf8(bytes)
        .map_err(|_| ReportFileError::new("it is no text in UTF-8, as JSON is"))?;
    let text = text.trim_start_matches('\u{feff}');
    let mut pages = 0;
    for value in Deserializer::from_str(text).into_iter::<&RawValue>() {
        let value = value.map_err(|error| ReportFileError::new(format!("{error}")))?.get();
        let mut read = |page| {
            pages += 1;
            report.page(format, page).map_err(|error| error.within("page", pages))
        };
        if !each(value, |_, page| read(page))? {
            read(value)?;
        }
    }
    if pages == 0 {
        return Err(ReportFileError::new("it has no page"));
    }
    Ok(())
}

impl ReadReport {
    fn page(&mut self, format: ReportFormat, json: &str) -> Result<(), ReportFileError> {
        let page = ReportObject::read(json, "a page")?;
        let bucket = |number, bucket| {
            self.bucket(format, bucket).map_err(|error| error.within("bucket", number))
        };
        if !page.each("data", bucket)? {
            if page.has("results") {
                return self.bucket(format, json);
            }
            let told = page.raw("error")?.map(crate::event::excerpt);
            let told = told.map_or_else(String::new, |told| format!(" (it says {told})"));
            return Err(ReportFileError::new(format!("it has no data, as a page has{told}")));
        }
        self.has_more = page.raw("has_more")? == Some("true");
        Ok(())
    }

    fn bucket(&mut self, format: ReportFormat, json: &str) -> Result<(), ReportFileError> {
        let bucket = ReportObject::read(json, "a bucket")?;
        let [start_us, end_us] = match format {
            ReportFormat::OpenaiUsage | ReportFormat::OpenaiCosts => openai::time(&bucket)?,
            ReportFormat::AnthropicUsage | ReportFormat::AnthropicCosts => {
                anthropic::time(&bucket)?
            }
        };
        let mut rows = BTreeMap::new();
        let result = |number, json| {
            let within = |error: ReportFileError| error.within("result", number);
            self.result(format, [start_us, end_us], json, &mut rows).map_err(within)
        };
        if !bucket.each("results", result)? {
            return Err(ReportFileError::new("it has no results"));
        }
        let date = DateTime::from_timestamp_micros(start_us).map(|at| at.date_naive());
        let part = self.dates.entry(date.unwrap_or_default()).or_default();
        part.rows.extend(rows);
        match part.covered.last_mut() {
            Some([_, end]) if *end == start_us => *end = end_us,
            _ => part.covered.push([start_us, end_us]),
        }
        Ok(())
    }

    /// Reads a result of a bucket into its rows.
    fn result(
        &mut self,
        format: ReportFormat,
        [start_us, end_us]: ReportSpan,
        json: &str,
        rows: &mut BTreeMap<ReportKey, ReportRow>,
    ) -> Result<(), ReportFileError> {
        let result = ReportObject::read(json, "a result")?;
        let Some(ReportResult { group, figures }) = made(format, &result)? else {
            self.left_out += 1;
            return Ok(());
        };
        let row = ReportRow { start_us, end_us, group, figures };
        self.text_bytes = self.text_bytes.saturating_add(row.text_bytes());
        self.rows += 1;
        if self.rows > ROWS_MAX || self.text_bytes > TEXT_BYTES_MAX {
            let most = format!(
                "more than {ROWS_MAX} results, or {TEXT_BYTES_MAX} bytes of texts in them; import \
                 fewer files at a time"
            );
            return Err(ReportFileError::new(most));
        }
        match rows.entry(row.key()) {
            Entry::Vacant(place) => drop(place.insert(row)),
            Entry::Occupied(_) => {
                return Err(ReportFileError::new("its group is in the bucket already"));
            }
        }
        Ok(())
    }

    /// How many dates have a row.
    pub fn dates_with_rows(&self) -> usize {
        self.dates.values().filter(|part| !part.rows.is_empty()).count()
    }
}

/// What a result says; none if it is no call of a model.
fn made(
    format: ReportFormat,
    result: &ReportObject<'_>,
) -> Result<Option<ReportResult>, ReportFileError> {
    match format {
        ReportFormat::OpenaiUsage => openai::usage(result),
        ReportFormat::OpenaiCosts => openai::costs(result),
        ReportFormat::AnthropicUsage => anthropic::usage(result),
        ReportFormat::AnthropicCosts => anthropic::costs(result),
    }
}

#[cfg(test)]
#[path = "pages_tests.rs"]
mod tests;
