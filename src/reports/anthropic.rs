//! Anthropic's pages of usage and of costs.

use super::error::ReportFileError;
use super::object::ReportObject;
use super::result::{ReportResult, of_usage, required, span, sum};
use crate::archive::{LINE_ITEM, ReportFigures, ReportSpan};
use crate::clock::Micros;
use crate::event::time::from_text;

/// Of an amount in cents, which has a hundredth of the dollar's places.
const CENT_PLACES: u8 = 10;
/// What of a cost is no group.
const NO_GROUP: [&str; 2] = ["amount", "currency"];

/// The time of a bucket, as RFC 3339 has it.
pub(super) fn time(bucket: &ReportObject<'_>) -> Result<ReportSpan, ReportFileError> {
    let instant = |name: &str| -> Result<Micros, ReportFileError> {
        let text = required(bucket.text(name)?, name)?;
        from_text(&text).map_err(|error| ReportFileError::new(format!("{name}: {error}")))
    };
    span(instant("starting_at")?, instant("ending_at")?)
}

/// A result of usage. Its input is told in parts that are apart.
pub(super) fn usage(result: &ReportObject<'_>) -> Result<Option<ReportResult>, ReportFileError> {
    of_usage(result)?;
    let written = match result.raw("cache_creation")? {
        Some(written) => {
            let written = ReportObject::read(written, "cache_creation")?;
            sum(&[
                written.count("ephemeral_1h_input_tokens")?,
                written.count("ephemeral_5m_input_tokens")?,
            ])
        }
        None => result.count("cache_creation_input_tokens")?,
    };
    let uncached = required(result.count("uncached_input_tokens")?, "uncached_input_tokens")?;
    let cached = result.count("cache_read_input_tokens")?;
    let figures = ReportFigures {
        requests: None,
        input_tokens: sum(&[Some(uncached), written, cached]),
        output_tokens: result.count("output_tokens")?,
        cached_input_tokens: cached,
        cache_write_tokens: written,
        cost_usd: None,
    };
    Ok(Some(ReportResult { group: result.group(&[])?, figures }))
}

/// A result of costs, whose amount is in cents.
pub(super) fn costs(result: &ReportObject<'_>) -> Result<Option<ReportResult>, ReportFileError> {
    let cost = required(result.amount("amount", CENT_PLACES)?, "amount")?;
    let currency = result.text("currency")?.unwrap_or_default();
    if !currency.eq_ignore_ascii_case("usd") {
        return Err(ReportFileError::new(format!(
            "its currency is {currency:?}, and only USD is taken"
        )));
    }
    let mut group = result.group(&NO_GROUP)?;
    if let Some(description) = group.remove("description") {
        group.insert(LINE_ITEM.to_owned(), description);
    }
    let figures = ReportFigures { cost_usd: Some(cost), ..ReportFigures::default() };
    Ok(Some(ReportResult { group, figures }))
}
