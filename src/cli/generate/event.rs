//! One synthetic event.

use std::borrow::Cow;
use std::fmt::{Display, Write as _};

use uuid::Builder;
use uuid::fmt::Hyphenated;

use super::models::Model;
use super::random::Random;
use crate::clock::Micros;
use crate::event::{FieldValue, NamedValue, money};

/// The median LLM tokens of a call.
const INPUT_MEDIAN: u64 = 1_500;
const OUTPUT_MEDIAN: u64 = 250;
/// The sources of events, the most frequent first.
const SOURCES: [&str; 4] = ["gateway", "sdk-python", "sdk-node", "batch"];
/// Values of attributes that some events have.
const ENVIRONMENTS: [&str; 3] = ["production", "staging", "development"];
const TEAMS: [&str; 6] = ["search", "support", "growth", "platform", "research", "billing"];

/// An event as its producer sends it, with numbers as text. It is reused for event after event, so
/// that its texts are allocated once.
#[derive(Debug, Default)]
pub(super) struct Event {
    event_id: String,
    ts: String,
    input: String,
    output: String,
    cached_input: String,
    cache_write: String,
    reasoning: String,
    cost: String,
    source: &'static str,
    environment: Option<&'static str>,
    team: Option<&'static str>,
}

impl Event {
    /// Makes another event: a call of `model` at `ts`.
    pub(super) fn fill(&mut self, model: &Model, ts: Micros, random: &mut Random) {
        let id = u128::from(random.any()) << 64 | u128::from(random.any());
        let id = Builder::from_random_bytes(id.to_be_bytes()).into_uuid();
        self.event_id.clear();
        self.event_id.push_str(id.hyphenated().encode_lower(&mut [0; Hyphenated::LENGTH]));
        let tokens = CallTokens::any(model, random);
        set(&mut self.ts, Some(ts));
        set(&mut self.input, Some(tokens.input));
        set(&mut self.output, Some(tokens.output));
        set(&mut self.cached_input, tokens.cached_input);
        set(&mut self.cache_write, tokens.cache_write);
        set(&mut self.reasoning, tokens.reasoning);
        let priced = !random.chance(1);
        set(&mut self.cost, priced.then(|| money::format_decimal(tokens.cost(model).into())));
        let place = random.below(4).min(random.below(4));
        self.source = nth(&SOURCES, place);
        self.environment = random.chance(5).then(|| nth(&ENVIRONMENTS, random.below(3)));
        let team = self.environment.is_some() && random.chance(50);
        self.team = team.then(|| nth(&TEAMS, random.below(6)));
    }

    /// The fields for the builder of batches.
    pub(super) fn fields<'a>(&'a self, org_id: &'a str, model: &'a Model) -> [NamedValue<'a>; 13] {
        let text = |text: &'a str| FieldValue::Text(Cow::Borrowed(text));
        [
            (Cow::Borrowed("event_id"), text(&self.event_id)),
            (Cow::Borrowed("org_id"), text(org_id)),
            (Cow::Borrowed("ts"), number(&self.ts)),
            (Cow::Borrowed("provider"), text(model.provider)),
            (Cow::Borrowed("model"), text(model.name)),
            (Cow::Borrowed("input_tokens"), number(&self.input)),
            (Cow::Borrowed("output_tokens"), number(&self.output)),
            (Cow::Borrowed("cached_input_tokens"), number(&self.cached_input)),
            (Cow::Borrowed("cache_write_tokens"), number(&self.cache_write)),
            (Cow::Borrowed("reasoning_tokens"), number(&self.reasoning)),
            (Cow::Borrowed("cost_usd"), number(&self.cost)),
            (Cow::Borrowed("source"), text(self.source)),
            (Cow::Borrowed("attributes"), self.attributes()),
        ]
    }

    fn attributes(&self) -> FieldValue<'_> {
        let entry = |name, value: &'static str| {
            (Cow::Borrowed(name), FieldValue::Text(Cow::Borrowed(value)))
        };
        let environment = self.environment.map(|value| entry("environment", value));
        let team = self.team.map(|value| entry("team", value));
        match environment {
            None => FieldValue::Null,
            environment => FieldValue::Map(environment.into_iter().chain(team).collect()),
        }
    }
}

/// The LLM tokens of one call.
#[derive(Debug, Clone, Copy)]
struct CallTokens {
    input: u64,
    output: u64,
    cached_input: Option<u64>,
    cache_write: Option<u64>,
    reasoning: Option<u64>,
}

impl CallTokens {
    fn any(model: &Model, random: &mut Random) -> Self {
        let input = random.log_normal(INPUT_MEDIAN).max(1);
        let output = if model.output == 0 { 0 } else { random.log_normal(OUTPUT_MEDIAN).max(1) };
        let cached_input = random.chance(60).then(|| input * random.below(91) / 100);
        let rest = input - cached_input.unwrap_or_default();
        let writes = model.cache_write.is_some() && random.chance(40);
        let cache_write = writes.then(|| rest * random.below(80) / 100);
        let reasoning = model.reasons.then(|| output * random.below(90) / 100);
        Self { input, output, cached_input, cache_write, reasoning }
    }

    /// The exact cost, in 10⁻¹² dollars.
    fn cost(&self, model: &Model) -> u64 {
        let cached = self.cached_input.unwrap_or_default();
        let written = self.cache_write.unwrap_or_default();
        (self.input - cached - written) * model.input
            + cached * model.cached_input
            + written * model.cache_write.unwrap_or_default()
            + self.output * model.output
    }
}

fn set(text: &mut String, value: Option<impl Display>) {
    text.clear();
    if let Some(value) = value {
        // Writing to a String cannot fail.
        let _ = write!(text, "{value}");
    }
}

/// A number, or null if none was set.
fn number(text: &str) -> FieldValue<'_> {
    if text.is_empty() { FieldValue::Null } else { FieldValue::Number(Cow::Borrowed(text)) }
}

fn nth(texts: &[&'static str], place: u64) -> &'static str {
    usize::try_from(place).ok().and_then(|place| texts.get(place)).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::super::models::MODELS;
    use super::*;

    fn field<'a>(fields: &'a [NamedValue<'a>], name: &str) -> Option<&'a str> {
        match &fields.iter().find(|(found, _)| found == name)?.1 {
            FieldValue::Number(text) | FieldValue::Text(text) => Some(text),
            _ => None,
        }
    }

    fn count(fields: &[NamedValue<'_>], name: &str) -> u64 {
        field(fields, name).map_or(0, |text| text.parse().unwrap())
    }

    #[test]
    fn costs_are_prices_times_tokens() {
        let mut event = Event::default();
        let (mut priced, mut ids) = (0, HashSet::new());
        for (number, model) in (0..3_000).zip(MODELS.iter().cycle()) {
            event.fill(model, 1_770_000_000_000_000, &mut Random::new(1, number));
            let fields = event.fields("org-0000", model);
            ids.insert(field(&fields, "event_id").unwrap().to_owned());
            let cached = count(&fields, "cached_input_tokens");
            let written = count(&fields, "cache_write_tokens");
            let plain = count(&fields, "input_tokens") - cached - written;
            let cost = plain * model.input
                + cached * model.cached_input
                + written * model.cache_write.unwrap_or(0)
                + count(&fields, "output_tokens") * model.output;
            let Some(text) = field(&fields, "cost_usd") else { continue };
            assert_eq!(money::parse_decimal(text), Ok(cost.into()));
            priced += 1;
        }
        assert_eq!(ids.len(), 3_000);
        assert!((2_900..3_000).contains(&priced), "{priced} of 3000 are priced");
    }

    #[test]
    fn what_is_not_known_is_null() {
        let mut event = Event::default();
        let (mut cached, mut written, mut reasoned, mut described) = (0, 0, 0, 0);
        for (number, model) in (0..1_500).zip(MODELS.iter().cycle()) {
            event.fill(model, 0, &mut Random::new(2, number));
            let fields = event.fields("org-0000", model);
            let has = |name| u32::from(field(&fields, name).is_some());
            cached += has("cached_input_tokens");
            written += has("cache_write_tokens");
            reasoned += has("reasoning_tokens");
            described += u32::from(matches!(fields[12].1, FieldValue::Map(_)));
        }
        assert!((800..1_000).contains(&cached), "{cached}");
        assert!((80..160).contains(&written), "{written}");
        assert!((380..420).contains(&reasoned), "{reasoned}");
        assert!((40..120).contains(&described), "{described}");
    }
}
