//! A record that is a call, as the named values of an event.

use std::borrow::Cow;

use super::details;
use super::identity::event_id;
use super::names::Field;
use super::producer::Producer;
use super::record::{Context, Record, Signal, Value};
use super::usage::{Count, Usage};
use crate::event::{FieldValue, NamedValue};

/// The earliest time whose microseconds are not taken for seconds or milliseconds: 2015 in nanoseconds.
const PLAIN_NS_MIN: u64 = 1_420_000_000_000_000_000;

/// The values of the event that a record becomes.
pub(super) fn fields<'r>(
    signal: Signal,
    producer: Producer,
    context: &'r Context<'_>,
    record: &'r Record<'_>,
) -> Vec<NamedValue<'r>> {
    let mut fields = Vec::with_capacity(16);
    let mut add = |name: &'static str, value: Option<FieldValue<'r>>| {
        if let Some(value) = value {
            fields.push((Cow::Borrowed(name), value));
        }
    };
    let usage = Usage::of(producer, &record.found);
    let cost = cost(record).filter(|cost| !(is_zero(cost) && usage.is_some()));
    add("event_id", Some(FieldValue::Text(event_id(producer, context, record))));
    add("ts", record.happened_ns().map(timestamp));
    add("provider", provider(signal, producer, context, record).map(FieldValue::Text));
    add("model", record.found.get(Field::Model).map(|model| FieldValue::Text(model.text())));
    add("cost_usd", cost.map(FieldValue::Text));
    let source = Some(context.scope.as_ref()).filter(|scope| !scope.is_empty());
    add("source", source.map(|scope| FieldValue::Text(Cow::Borrowed(scope))));
    let attributes = attributes(context, record, &usage);
    for (name, count) in [
        ("input_tokens", usage.input),
        ("output_tokens", usage.output),
        ("cached_input_tokens", usage.cached),
        ("cache_write_tokens", usage.written),
        ("reasoning_tokens", usage.reasoning),
    ] {
        add(name, count.map(Count::into_value));
    }
    add("attributes", (!attributes.is_empty()).then_some(FieldValue::Map(attributes)));
    fields
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
    signal: Signal,
    producer: Producer,
    context: &'r Context<'_>,
    record: &'r Record<'_>,
) -> Option<Cow<'r, str>> {
    let text = |field| record.found.get(field).map(Value::text);
    let provider = text(Field::Provider);
    // Vercel's SDK has the interface after the provider, as in `openai.chat`, in both names.
    if let Some(vercel) = text(Field::VercelProvider)
        && provider.as_ref().is_none_or(|provider| *provider == vercel)
    {
        let first = vercel.split('.').next().unwrap_or_default();
        return Some(Cow::Owned(first.to_owned()));
    }
    let usual = match producer {
        Producer::Sdk if signal == Signal::Logs => of_openlit(&context.scope),
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
fn cost<'r>(record: &'r Record<'_>) -> Option<Cow<'r, str>> {
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

/// Whether a decimal text means 0: it has digits, and no other one before an exponent.
fn is_zero(text: &str) -> bool {
    let digits = text.split(['e', 'E']).next().unwrap_or_default();
    let mut digits = digits.bytes().filter(u8::is_ascii_digit).peekable();
    digits.peek().is_some() && digits.all(|digit| digit == b'0')
}

/// What prices depend on, then what is kept of the record and of its resource.
fn attributes<'r>(
    context: &'r Context<'_>,
    record: &'r Record<'_>,
    usage: &Usage<'r>,
) -> Vec<NamedValue<'r>> {
    let mut attributes: Vec<NamedValue<'r>> = Vec::new();
    let tier = record.found.get(Field::Tier).map(Value::text);
    let speed = record.found.get(Field::Speed).map(Value::text);
    // Claude Code has two words for the usual speed.
    let speed = speed.map(|speed| if speed == "normal" { Cow::Borrowed("standard") } else { speed });
    for (name, text) in [("service_tier", tier), ("speed", speed)] {
        attributes.extend(text.map(|text| (Cow::Borrowed(name), FieldValue::Text(text))));
    }
    for (name, count) in [
        ("cache_write_1h_tokens", &usage.written_hour),
        ("input_audio_tokens", &usage.input_audio),
        ("output_audio_tokens", &usage.output_audio),
    ] {
        let count = count.clone().filter(|count| *count != Count::Known(0));
        attributes.extend(count.map(|count| (Cow::Borrowed(name), count.into_value())));
    }
    for (name, value) in record.found.kept.iter().chain(&context.resource.kept) {
        if !attributes.iter().any(|(known, _)| known == name) {
            attributes.push((Cow::Borrowed(name.as_ref()), FieldValue::Text(value.text())));
        }
    }
    attributes
}
