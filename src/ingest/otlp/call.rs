//! The call that a record tells of.

use std::borrow::Cow;

use super::details;
use super::identity::event_id;
use super::names::Field;
use super::producer::Producer;
use super::record::{AttributeValue, Found, OtlpRecord, RecordContext};
use super::signal::OtlpSignal;
use super::usage::usage;
use crate::event::{FieldValue, NamedValue};
use crate::ingest::call::{Call, is_zero};

/// The earliest time whose microseconds are not taken for seconds or milliseconds: 2015 in nanoseconds.
const PLAIN_NS_MIN: u64 = 1_420_000_000_000_000_000;

/// The call that a record tells of, with what is kept of the record.
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
        attributes: kept(&record.found).collect(),
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

/// What a record says that its call has cost, in US dollars.
fn cost<'r>(record: &'r OtlpRecord<'_>) -> Option<Cow<'r, str>> {
    let found = &record.found;
    match found.ranked(Field::Cost) {
        // Only the newest name comes with a currency.
        Some((0, amount)) => {
            let currency = found.text(Field::Currency);
            let is_usd = currency.is_none_or(|currency| currency.eq_ignore_ascii_case("usd"));
            is_usd.then(|| amount.text())
        }
        Some((_, cost)) => Some(cost.text()),
        None => {
            let details = found.get(Field::CostDetails)?.text();
            details::total_cost(&details).map(Cow::Owned)
        }
    }
}

/// What is kept of the resource, too.
pub(super) fn shared<'r>(context: &'r RecordContext<'_>) -> impl Iterator<Item = NamedValue<'r>> {
    kept(&context.resource)
}

fn kept<'r>(found: &'r Found<'_>) -> impl Iterator<Item = NamedValue<'r>> {
    let kept = found.kept.iter();
    kept.map(|(name, value)| (Cow::Borrowed(name.as_ref()), FieldValue::Text(value.text())))
}
