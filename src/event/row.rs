//! The rules of the columns: named values of one event → a row that may be stored.

use std::borrow::Cow;

use super::attributes::Attributes;
use super::decimal::{Decimal, Rest, plain_digits};
use super::values::{Column, Entry, Named, Value, Values};
use super::{FieldValue, OrgRule, money, org, time};
use crate::clock::Micros;

/// The type of an event that names none; such events alone count in the metrics.
pub const API_CALL: &str = "api_call";

/// Bytes that a text column other than `org_id` can hold.
pub const TEXT_BYTES_MAX: usize = 256;

/// The most tokens of one kind that one event can report.
pub const TOKENS_MAX: i64 = 1_000_000_000_000;

/// One event that holds every rule, borrowed from its fields.
#[derive(Debug)]
pub(super) struct Row<'f> {
    pub(super) event_id: &'f str,
    pub(super) org_id: &'f str,
    pub(super) event_type: &'f str,
    pub(super) ts: Micros,
    pub(super) provider: Option<&'f str>,
    pub(super) model: Option<&'f str>,
    pub(super) tokens: Tokens,
    pub(super) cost_usd: Option<i128>,
    pub(super) source: Option<&'f str>,
    pub(super) attributes: Attributes<'f>,
}

/// The token counts of one event.
#[derive(Debug)]
pub(super) struct Tokens {
    pub(super) input: i64,
    pub(super) output: i64,
    pub(super) cached_input: Option<i64>,
    pub(super) cache_write: Option<i64>,
    pub(super) reasoning: Option<i64>,
}

impl<'f> Row<'f> {
    /// Applies every rule to one event, or says which column breaks one and how.
    pub(super) fn check(
        fields: &'f [Entry<'f>],
        org_rule: &'f OrgRule,
        now: Micros,
    ) -> Result<Self, String> {
        Self::check_values(&Named::sort(fields)?, org_rule, now)
    }

    /// As [`Row::check`], of values that are sorted by column already.
    pub(super) fn check_values(
        values: &impl Values<'f>,
        org_rule: &'f OrgRule,
        now: Micros,
    ) -> Result<Self, String> {
        let event_id = text("event_id", values.of(Column::EventId))?.ok_or("event_id: missing")?;
        let event_type = text("event_type", values.of(Column::EventType))?.unwrap_or(API_CALL);
        let attributes = explicit(values.of(Column::Attributes))?;
        Ok(Self {
            event_id: filled("event_id", event_id)?,
            org_id: org_id(values.of(Column::OrgId), org_rule)?,
            event_type: filled("event_type", event_type)?,
            ts: timestamp(values.of(Column::Ts), now)?,
            provider: label("provider", values.of(Column::Provider))?,
            model: label("model", values.of(Column::Model))?,
            tokens: Tokens::check(values)?,
            cost_usd: cost(values.of(Column::CostUsd))?,
            source: label("source", values.of(Column::Source))?,
            attributes: Attributes::collect(attributes, &values.unnamed()),
        })
    }

    /// Bytes of text that the row adds to a batch.
    pub(super) fn text_bytes(&self) -> usize {
        let optional = [self.provider, self.model, self.source].into_iter().flatten();
        let required = [self.event_id, self.org_id, self.event_type].into_iter();
        required.chain(optional).map(str::len).sum::<usize>() + self.attributes.bytes
    }
}

impl Tokens {
    fn check<'f>(values: &impl Values<'f>) -> Result<Self, String> {
        let count = |name, column| tokens(name, values.of(column));
        let input = count("input_tokens", Column::InputTokens)?.unwrap_or(0);
        let output = count("output_tokens", Column::OutputTokens)?.unwrap_or(0);
        let cached_input = count("cached_input_tokens", Column::CachedInputTokens)?;
        let cache_write = count("cache_write_tokens", Column::CacheWriteTokens)?;
        let reasoning = count("reasoning_tokens", Column::ReasoningTokens)?;
        within("cached_input_tokens", cached_input, "input_tokens", input)?;
        within("cache_write_tokens", cache_write, "input_tokens", input)?;
        within("reasoning_tokens", reasoning, "output_tokens", output)?;
        Ok(Self { input, output, cached_input, cache_write, reasoning })
    }
}

fn text<'f>(column: &str, value: Option<Value<'f>>) -> Result<Option<&'f str>, String> {
    match value {
        None => Ok(None),
        Some(Value::Text(text)) => Ok(Some(text)),
        Some(other) => Err(format!("{column}: {} is not text", other.excerpt())),
    }
}

/// Text that may not be empty.
fn filled<'f>(column: &str, text: &'f str) -> Result<&'f str, String> {
    if text.is_empty() { Err(format!("{column}: is empty")) } else { limited(column, text) }
}

/// Text that is trimmed, and absent when nothing is left.
fn label<'f>(column: &str, value: Option<Value<'f>>) -> Result<Option<&'f str>, String> {
    match text(column, value)?.map(trimmed) {
        None | Some("") => Ok(None),
        Some(text) => limited(column, text).map(Some),
    }
}

/// As `trim`, which takes its time for texts that have nothing to trim.
fn trimmed(text: &str) -> &str {
    match text.as_bytes() {
        [b'!'..=b'~', .., b'!'..=b'~'] => text,
        _ => text.trim(),
    }
}

fn limited<'f>(column: &str, text: &'f str) -> Result<&'f str, String> {
    if text.len() <= TEXT_BYTES_MAX {
        return Ok(text);
    }
    let excerpt = FieldValue::Text(Cow::Borrowed(text)).excerpt();
    Err(format!("{column}: {excerpt} is longer than {TEXT_BYTES_MAX} bytes"))
}

fn org_id<'f>(value: Option<Value<'f>>, rule: &'f OrgRule) -> Result<&'f str, String> {
    match (text("org_id", value)?, rule) {
        (None, OrgRule::Only(org)) => Ok(org.as_str()),
        (Some(sent), OrgRule::Only(org)) if sent == org.as_str() => Ok(org.as_str()),
        (Some(_), OrgRule::Only(_)) => {
            Err("org_id: names another organisation than the access key's".to_owned())
        }
        (None, OrgRule::Own) => Err("org_id: missing".to_owned()),
        (Some(sent), OrgRule::Own) => match org::check(sent) {
            Ok(()) => Ok(sent),
            Err(error) => {
                let excerpt = FieldValue::Text(Cow::Borrowed(sent)).excerpt();
                Err(format!("org_id: {excerpt} {error}"))
            }
        },
    }
}

fn timestamp(value: Option<Value<'_>>, now: Micros) -> Result<Micros, String> {
    let value = value.ok_or("ts: missing")?;
    let time = match value {
        Value::Text(text) => time::from_text(text),
        Value::Number(text) => time::from_number(text),
        other => return Err(format!("ts: {} is neither text nor a number", other.excerpt())),
    };
    time.and_then(|time| time::check(time, now))
        .map_err(|error| format!("ts: {} {error}", value.excerpt()))
}

fn tokens(column: &str, value: Option<Value<'_>>) -> Result<Option<i64>, String> {
    let Some(value) = value else { return Ok(None) };
    let decimal = match value {
        Value::Text(text) | Value::Number(text) => {
            if let Some(count) = plain_digits(text).and_then(|count| i64::try_from(count).ok())
                && count <= TOKENS_MAX
            {
                return Ok(Some(count));
            }
            Decimal::parse(text)
        }
        _ => None,
    };
    let count = decimal.filter(|decimal| !decimal.is_negative()).and_then(|decimal| {
        let scaled = decimal.scaled(0);
        let units = scaled.units.and_then(|units| i64::try_from(units).ok());
        units.filter(|units| *units <= TOKENS_MAX && scaled.rest == Rest::Zero)
    });
    let wrong =
        || format!("{column}: {} is not an integer from 0 to {TOKENS_MAX}", value.excerpt());
    count.map(Some).ok_or_else(wrong)
}

/// A part may not be more than its total.
fn within(column: &str, part: Option<i64>, total_column: &str, total: i64) -> Result<(), String> {
    match part {
        Some(part) if part > total => {
            Err(format!("{column}: {part} is more than {total_column}, which is {total}"))
        }
        _ => Ok(()),
    }
}

fn cost(value: Option<Value<'_>>) -> Result<Option<i128>, String> {
    let Some(value) = value else { return Ok(None) };
    let (Value::Text(text) | Value::Number(text)) = value else {
        return Err(format!("cost_usd: {} is not a decimal number", value.excerpt()));
    };
    let error = |error| format!("cost_usd: {} {error}", value.excerpt());
    money::parse_decimal(text).map(Some).map_err(error)
}

fn explicit<'f>(value: Option<Value<'f>>) -> Result<&'f [Entry<'f>], String> {
    match value {
        None => Ok(&[]),
        Some(Value::Other(FieldValue::Map(entries))) => Ok(entries),
        Some(other) => Err(format!("attributes: {} is not an object", other.excerpt())),
    }
}
