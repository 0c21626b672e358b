//! The rules of the columns: they turn the named values of one event into a row that may be stored.

use std::borrow::Cow;

use super::attributes::{Attributes, Explicit};
use super::column::Column;
use super::correction::{self, COST_CORRECTION};
use super::decimal::{Decimal, Rest, plain_digits};
use super::mended::{Mend, Mended};
use super::time::{self, Naive};
use super::values::{Named, NamedValue, TEXT_BYTES_MAX, Value, Values};
use super::{FieldValue, OrgRule, money, org};
use crate::clock::Micros;

/// The type of an event that names none. Only events of this type count in the metrics.
pub const API_CALL: &str = "api_call";

/// The `cost_source` of a cost that came with its event.
const REPORTED: &str = "reported";

/// The most tokens of one kind that one event can report.
pub const TOKENS_MAX: i64 = 1_000_000_000_000;

/// The settings by which the events of one batch are judged.
#[derive(Debug)]
pub(super) struct Rules {
    /// The organisations whose events are accepted.
    pub(super) org: OrgRule,
    /// When the events arrived.
    pub(super) now: Micros,
    /// The meaning of a time without an offset.
    pub(super) naive: Naive,
    /// Whether corrections are taken.
    pub(super) corrections: bool,
}

/// One event that satisfies every rule, borrowed from its fields.
#[derive(Debug)]
pub(super) struct Row<'f> {
    pub(super) event_id: &'f str,
    pub(super) org_id: &'f str,
    pub(super) event_type: Cow<'f, str>,
    pub(super) ts: Micros,
    pub(super) provider: Option<Cow<'f, str>>,
    pub(super) model: Option<Cow<'f, str>>,
    pub(super) tokens: TokenCounts,
    pub(super) cost_usd: Option<i128>,
    pub(super) source: Option<Cow<'f, str>>,
    pub(super) attributes: Attributes<'f>,
    /// Who says what it costs; none without a cost.
    pub(super) cost_source: Option<&'f str>,
    /// The metadata that is not stored as sent.
    pub(super) mended: Mended,
}

/// The token counts of one event.
#[derive(Debug)]
pub(super) struct TokenCounts {
    pub(super) input: i64,
    pub(super) output: i64,
    pub(super) cached_input: Option<i64>,
    pub(super) cache_write: Option<i64>,
    pub(super) reasoning: Option<i64>,
}

impl<'f> Row<'f> {
    /// Applies every rule to one event.
    ///
    /// # Errors
    /// The column that breaks a rule, and how.
    pub(super) fn check(fields: &'f [NamedValue<'f>], rules: &'f Rules) -> Result<Self, String> {
        let named = Named::sort(fields)?;
        let mut row = Self::check_values(&named, rules)?;
        row.mended.merge(&named.mended);
        Ok(row)
    }

    /// As [`Row::check`], for values that are already sorted by column.
    pub(super) fn check_values(values: &impl Values<'f>, rules: &'f Rules) -> Result<Self, String> {
        let mut mended = Mended::default();
        let attributes = Explicit::of(values.of(Column::Attributes), &mut mended);
        let event_type = event_type(values.of(Column::EventType), &mut mended);
        let is_correction = event_type == COST_CORRECTION;
        let amount = if is_correction { money::parse_signed } else { money::parse_decimal };
        let cost_usd = cost(values.of(Column::CostUsd), amount)?;
        let row = Self {
            event_id: event_id(values.of(Column::EventId))?,
            org_id: org_id(values.of(Column::OrgId), &rules.org)?,
            ts: timestamp(values.of(Column::Ts), rules)?,
            tokens: TokenCounts::check(values)?,
            cost_usd,
            event_type,
            provider: label(values.of(Column::Provider), &mut mended),
            model: label(values.of(Column::Model), &mut mended),
            source: label(values.of(Column::Source), &mut mended),
            attributes: Attributes::collect(attributes, &values.unnamed(), &mut mended),
            cost_source: cost_usd.map(|_| REPORTED),
            mended,
        };
        if is_correction {
            row.check_correction(rules)?;
        }
        Ok(row)
    }

    fn check_correction(&self, rules: &Rules) -> Result<(), String> {
        if !rules.corrections {
            return Err("event_type: a cost_correction needs the scope corrections:write".into());
        }
        let TokenCounts { input, output, .. } = self.tokens;
        let tokens = [("input_tokens", input), ("output_tokens", output)];
        correction::check(self.cost_usd, &tokens, &self.attributes)
    }

    /// Bytes of text that the row adds to a batch.
    pub(super) fn text_bytes(&self) -> usize {
        let optional = [&self.provider, &self.model, &self.source].into_iter().flatten();
        let optional = optional.map(AsRef::as_ref).chain(self.cost_source);
        let required = [self.event_id, self.org_id, &self.event_type].into_iter();
        required.chain(optional).map(str::len).sum::<usize>() + self.attributes.bytes
    }
}

impl TokenCounts {
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

/// The text of `event_id` or `org_id`. It is never mended, since two names could become one.
fn identity<'f>(column: &str, value: Option<Value<'f>>) -> Result<Option<&'f str>, String> {
    match value {
        None => Ok(None),
        Some(Value::Text(text)) => Ok(Some(text)),
        Some(Value::Number(text)) if is_number(text) => Ok(Some(text)),
        Some(Value::Other(FieldValue::Mended(_))) => {
            Err(format!("{column}: holds half of a surrogate pair; send whole characters"))
        }
        Some(other) => Err(format!("{column}: {} is neither text nor a number", other.excerpt())),
    }
}

fn event_id(value: Option<Value<'_>>) -> Result<&str, String> {
    let id = identity("event_id", value)?.ok_or("event_id: missing")?;
    match id.len() {
        0 => Err("event_id: is empty".to_owned()),
        1..=TEXT_BYTES_MAX => Ok(id),
        _ => {
            let excerpt = FieldValue::Text(Cow::Borrowed(id)).excerpt();
            Err(format!("event_id: {excerpt} is longer than {TEXT_BYTES_MAX} bytes"))
        }
    }
}

/// Whether the text is really a number: decoders pass words such as `NaN` as numbers too.
fn is_number(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_digit())
}

/// The text of a metadata value of any type.
fn metadata<'f>(value: Option<Value<'f>>, mended: &mut Mended) -> Option<Cow<'f, str>> {
    match value? {
        Value::Text(text) => Some(Cow::Borrowed(text)),
        Value::Number(text) if is_number(text) => Some(Cow::Borrowed(text)),
        Value::Number(_) => {
            mended.add(Mend::NotText);
            None
        }
        Value::Other(other) => {
            mended.add(if other.is_mended() { Mend::Replaced } else { Mend::NotText });
            other.attribute_text()
        }
    }
}

/// The type as sent; [`API_CALL`] if there is none.
fn event_type<'f>(value: Option<Value<'f>>, mended: &mut Mended) -> Cow<'f, str> {
    match metadata(value, mended) {
        Some(text) if !trimmed(&text).is_empty() => limited(text, mended),
        _ => Cow::Borrowed(API_CALL),
    }
}

/// The trimmed text; none if nothing is left.
fn label<'f>(value: Option<Value<'f>>, mended: &mut Mended) -> Option<Cow<'f, str>> {
    let text = match metadata(value, mended)? {
        Cow::Borrowed(text) => Cow::Borrowed(trimmed(text)),
        Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
    };
    (!text.is_empty()).then(|| limited(text, mended))
}

/// As `trim`, but fast for text that has nothing to trim.
fn trimmed(text: &str) -> &str {
    match text.as_bytes() {
        [b'!'..=b'~', .., b'!'..=b'~'] => text,
        _ => text.trim(),
    }
}

/// The text, cut in whole characters to the size of its column.
fn limited<'f>(text: Cow<'f, str>, mended: &mut Mended) -> Cow<'f, str> {
    if text.len() <= TEXT_BYTES_MAX {
        return text;
    }
    mended.add(Mend::Cut);
    let end = text.floor_char_boundary(TEXT_BYTES_MAX);
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.get(..end).unwrap_or_default()),
        Cow::Owned(mut text) => {
            text.truncate(end);
            Cow::Owned(text)
        }
    }
}

fn org_id<'f>(value: Option<Value<'f>>, rule: &'f OrgRule) -> Result<&'f str, String> {
    // In CSV and forms, empty text is the only way to say that a value is absent.
    let sent = identity("org_id", value)?.filter(|sent| !sent.is_empty());
    match (sent, rule) {
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

fn timestamp(value: Option<Value<'_>>, rules: &Rules) -> Result<Micros, String> {
    let value = value.ok_or("ts: missing")?;
    let time = match value {
        Value::Text(text) => time::read(text, rules.naive),
        Value::Number(text) => time::from_number(text),
        other => return Err(format!("ts: {} is neither text nor a number", other.excerpt())),
    };
    time.and_then(|time| time::check(time, rules.now))
        .map_err(|error| format!("ts: {} {error}", value.excerpt()))
}

/// The number of tokens that a decimal text tells: an integer from 0 to [`TOKENS_MAX`].
pub fn token_count(text: &str) -> Option<i64> {
    if let Some(count) = plain_digits(text).and_then(|count| i64::try_from(count).ok())
        && count <= TOKENS_MAX
    {
        return Some(count);
    }
    let scaled = Decimal::parse(text).filter(|decimal| !decimal.is_negative())?.scaled(0);
    let units = scaled.units.and_then(|units| i64::try_from(units).ok());
    units.filter(|units| *units <= TOKENS_MAX && scaled.rest == Rest::Zero)
}

fn tokens(column: &str, value: Option<Value<'_>>) -> Result<Option<i64>, String> {
    let Some(value) = value else { return Ok(None) };
    let count = match value {
        Value::Text(text) | Value::Number(text) => token_count(text),
        _ => None,
    };
    let wrong =
        || format!("{column}: {} is not an integer from 0 to {TOKENS_MAX}", value.excerpt());
    count.map(Some).ok_or_else(wrong)
}

/// Checks that a part is not more than its total.
fn within(column: &str, part: Option<i64>, total_column: &str, total: i64) -> Result<(), String> {
    match part {
        Some(part) if part > total => {
            Err(format!("{column}: {part} is more than {total_column}, which is {total}"))
        }
        _ => Ok(()),
    }
}

fn cost(
    value: Option<Value<'_>>,
    amount: fn(&str) -> Result<i128, money::InvalidMoney>,
) -> Result<Option<i128>, String> {
    let Some(value) = value else { return Ok(None) };
    let (Value::Text(text) | Value::Number(text)) = value else {
        return Err(format!("cost_usd: {} is not a decimal number", value.excerpt()));
    };
    let error = |error| format!("cost_usd: {} {error}", value.excerpt());
    amount(text).map(Some).map_err(error)
}
