//! OpenAI's pages of usage and of costs.

use super::error::ReportFileError;
use super::object::ReportObject;
use super::result::{ReportResult, of_usage, required, span, sum};
use crate::archive::{ReportFigures, ReportSpan};
use crate::clock::SECOND;
use crate::event::money::PLACES;

/// The time of a bucket, in seconds since 1970.
pub(super) fn time(bucket: &ReportObject<'_>) -> Result<ReportSpan, ReportFileError> {
    let start = required(bucket.count("start_time")?, "start_time")?;
    let end = required(bucket.count("end_time")?, "end_time")?;
    span(start.saturating_mul(SECOND), end.saturating_mul(SECOND))
}

/// A result of usage; none of what is no call of a model, as bytes that are stored.
pub(super) fn usage(result: &ReportObject<'_>) -> Result<Option<ReportResult>, ReportFileError> {
    of_usage(result)?;
    let written =
        [result.count("input_cache_write_tokens")?, result.count("input_cache_write_12h_tokens")?];
    let figures = ReportFigures {
        requests: result.count("num_model_requests")?,
        input_tokens: result.count("input_tokens")?,
        output_tokens: result.count("output_tokens")?,
        cached_input_tokens: result.count("input_cached_tokens")?,
        cache_write_tokens: sum(&written),
        cost_usd: None,
    };
    if figures.requests.is_none() && figures.input_tokens.is_none() {
        // Sessions of a tool and bytes of a store have no model.
        return match result.has("num_sessions") || result.has("usage_bytes") {
            true => Ok(None),
            false => required(None, "num_model_requests"),
        };
    }
    Ok(Some(ReportResult { group: result.group(&[])?, figures }))
}

/// A result of costs.
pub(super) fn costs(result: &ReportObject<'_>) -> Result<Option<ReportResult>, ReportFileError> {
    let amount = required(result.raw("amount")?, "amount")?;
    let amount = ReportObject::read(amount, "an amount of costs")?;
    let currency = amount.text("currency")?.unwrap_or_default();
    if !currency.eq_ignore_ascii_case("usd") {
        return Err(ReportFileError::new(format!(
            "its currency is {currency:?}, and only usd is taken"
        )));
    }
    let cost = required(amount.amount("value", PLACES.unsigned_abs())?, "value of its amount")?;
    let figures = ReportFigures { cost_usd: Some(cost), ..ReportFigures::default() };
    Ok(Some(ReportResult { group: result.group(&[])?, figures }))
}
