//! The call that a record tells of.

use std::borrow::Cow;

use super::details;
use super::identity::event_id;
use super::names::Field;
use super::record::{AttributeValue, NamedAttribute, OtlpRecord, RecordContext};
use super::signal::OtlpSignal;
use super::usage::usage;
use super::words::Producer;
use crate::event::{FieldValue, NamedValue, VALUE_BYTES_MAX, dimension_value};
use crate::ingest::call::{Call, is_zero};

/// The earliest time whose microseconds are not taken for seconds or milliseconds: 2015 in nanoseconds.
const PLAIN_NS_MIN: u64 = 1_420_000_000_000_000_000;

/// The call that a record tells of, without what is kept of its attributes.
pub(super) fn call<'r>(
    signal: OtlpSignal,
    producer: Producer,
    context: &'r RecordContext<'_>,
    record: &'r OtlpRecord<'_>,
) -> Call<'r> {
    let text = |field| record.found.get(field).map(AttributeValue::text);
    let usage = usage(producer, &record.found);
    let speed = text(Field::Speed).filter(|_| producer == Producer::ClaudeCode);
    Call {
        event_id: Some(event_id(producer, context, record)),
        ts: record.happened_ns().map(timestamp),
        provider: provider(signal, producer, context, record),
        model: text(Field::Model),
        // A reported 0 means that the producer has no price.
        cost: cost(record).filter(|cost| !(is_zero(cost) && usage.is_some())),
        usage,
        tier: text(Field::Tier),
        // It has two words for the usual speed.
        speed: speed.map(|speed| if speed == "normal" { Cow::Borrowed("standard") } else { speed }),
        source: Some(Cow::Borrowed(context.scope.as_ref())).filter(|scope| !scope.is_empty()),
        attributes: Vec::new(),
    }
}

/// A time as a number that the column reads.
fn timestamp<'r>(ns: u64) -> FieldValue<'r> {
    let text = if ns >= PLAIN_NS_MIN {
        (ns / 1_000).to_string()
    } else {
        format!("{}.{:09}", ns / 1_000_000_000, ns % 1_000_000_000)
    };
    FieldValue::Number(Cow::Owned(text))
}

fn provider<'r>(
    signal: OtlpSignal,
    producer: Producer,
    context: &'r RecordContext<'_>,
    record: &'r OtlpRecord<'_>,
) -> Option<Cow<'r, str>> {
    let text = |field| record.found.get(field).map(AttributeValue::text);
    let provider = text(Field::Provider);
    // Vercel's SDK has the interface after the provider, as in `openai.chat`, in both names.
    if let Some(vercel) = text(Field::VercelProvider)
        && provider.as_ref().is_none_or(|provider| *provider == vercel)
    {
        let first = vercel.split('.').next().unwrap_or_default();
        return Some(Cow::Owned(first.to_owned()));
    }
    let usual = match producer {
        Producer::Sdk if signal == OtlpSignal::Logs => of_openlit(&context.scope),
        Producer::Sdk => None,
        Producer::ClaudeCode => Some("anthropic"),
        Producer::Codex => Some("openai"),
        Producer::GeminiCli => Some("gcp.gen_ai"),
    };
    provider.or(usual.map(Cow::Borrowed))
}

/// OpenLIT's log records name no provider, but their scope ends with it.
fn of_openlit(scope: &str) -> Option<&str> {
    let last = scope.rsplit('.').next()?;
    (scope.starts_with("openlit") && last != scope).then_some(last)
}

/// What a record says that its call has cost, in US dollars. A 0 stands for want of another one.
fn cost<'r>(record: &'r OtlpRecord<'_>) -> Option<Cow<'r, str>> {
    let found = &record.found;
    let number = |field| found.get(field).map(AttributeValue::number_text);
    let currency = found.text(Field::Currency);
    let is_usd = currency.is_none_or(|currency| currency.eq_ignore_ascii_case("usd"));
    let details = found.text(Field::CostDetails).and_then(details::total_cost).map(Cow::Owned);
    let costs = [number(Field::Amount).filter(|_| is_usd), number(Field::Cost), details];
    let mut told: Vec<_> = costs.into_iter().flatten().collect();
    let first = told.iter().position(|cost| !is_zero(cost)).unwrap_or_default();
    (!told.is_empty()).then(|| told.swap_remove(first))
}

/// What is kept of some attributes.
pub(super) fn kept<'r>(
    attributes: &'r [NamedAttribute<'_>],
) -> impl Iterator<Item = NamedValue<'r>> {
    let text = |(name, value): &'r NamedAttribute<'_>| {
        (Cow::Borrowed(name.as_ref()), FieldValue::Text(value.text()))
    };
    attributes.iter().map(text)
}

/// What dimensions read of some attributes. What is longer than they read could take the room of others.
pub(super) fn read<'r>(
    attributes: &'r [NamedAttribute<'_>],
) -> impl Iterator<Item = NamedValue<'r>> {
    kept(attributes).map(|(name, value)| match value {
        FieldValue::Text(text) if text.len() > VALUE_BYTES_MAX => {
            let value = dimension_value(&text).unwrap_or_default().into_owned();
            (name, FieldValue::Text(Cow::Owned(value)))
        }
        value => (name, value),
    })
}
