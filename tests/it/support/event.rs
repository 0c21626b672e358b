//! Events as the tests send them, the times that they happen around, and what a scrape says of them.

use std::fmt::Display;

use serde_json::{Map, Value};
use tokenlake::clock::{Micros, SECOND};

/// 2026-03-10T12:00:00Z: where an hour begins.
pub const NOON: Micros = 1_773_144_000 * SECOND;
/// 2026-02-02T03:20:00Z: a time inside an hour.
pub const NOW: Micros = 1_770_002_400 * SECOND;
/// The organisation of tests that need only one.
pub const ACME: &str = "acme";

/// An event as a producer has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub id: String,
    pub ts: Micros,
    pub event_type: Option<String>,
    pub provider: Option<String>,
    pub model: Option<String>,
    pub input_tokens: u64,
    pub output_tokens: u64,
    /// Decimal text.
    pub cost: Option<String>,
    /// An attribute.
    pub note: Option<String>,
    /// Another one.
    pub team: Option<String>,
}

impl Event {
    /// An event of 7 LLM tokens and a quarter dollar, with an attribute, an hour before [`NOON`].
    pub fn new(id: impl Display) -> Self {
        Self {
            input_tokens: 3,
            output_tokens: 4,
            note: Some(String::new()),
            ..Self::priced(&id.to_string(), NOON - 3_600 * SECOND, "0.25")
        }
    }

    /// An event of 11 LLM tokens, without attributes.
    pub fn priced(id: &str, ts: Micros, cost: &str) -> Self {
        Self {
            id: id.to_owned(),
            ts,
            event_type: None,
            provider: Some("openai".to_owned()),
            model: Some("gpt-4o".to_owned()),
            input_tokens: 10,
            output_tokens: 1,
            cost: Some(cost.to_owned()),
            note: None,
            team: None,
        }
    }

    /// The same at another time.
    pub fn at(self, ts: Micros) -> Self {
        Self { ts, ..self }
    }

    /// The same of another model.
    pub fn model(self, model: &str) -> Self {
        Self { model: Some(model.to_owned()), ..self }
    }

    /// The same at another price.
    pub fn cost(self, cost: &str) -> Self {
        Self { cost: Some(cost.to_owned()), ..self }
    }

    /// The same with an attribute.
    pub fn note(self, note: String) -> Self {
        Self { note: Some(note), ..self }
    }

    /// The same of a team.
    pub fn team(self, team: &str) -> Self {
        Self { team: Some(team.to_owned()), ..self }
    }

    /// The event as a line of NDJSON, without its end.
    pub fn line(&self) -> String {
        let mut fields = Map::from_iter([
            ("event_id".to_owned(), Value::from(self.id.as_str())),
            ("ts".to_owned(), self.ts.into()),
            ("provider".to_owned(), self.provider.as_deref().into()),
            ("model".to_owned(), self.model.as_deref().into()),
            ("input_tokens".to_owned(), self.input_tokens.into()),
            ("output_tokens".to_owned(), self.output_tokens.into()),
            ("cost_usd".to_owned(), self.cost.as_deref().into()),
        ]);
        if let Some(event_type) = &self.event_type {
            fields.insert("event_type".to_owned(), event_type.as_str().into());
        }
        let attributes = [("note", &self.note), ("team", &self.team)];
        let attributes =
            attributes.into_iter().filter_map(|(key, value)| Some((key, value.as_ref()?)));
        let attributes: Map<_, _> =
            attributes.map(|(key, value)| (key.to_owned(), value.as_str().into())).collect();
        if !attributes.is_empty() {
            fields.insert("attributes".to_owned(), attributes.into());
        }
        Value::from(fields).to_string()
    }

    /// The line with its end.
    pub fn to_line(&self) -> String {
        self.line() + "\n"
    }
}

/// Events with these ids, an hour before [`NOON`].
pub fn events(ids: impl IntoIterator<Item = impl Display>) -> Vec<Event> {
    ids.into_iter().map(Event::new).collect()
}

/// The requests in a scrape over all series.
pub fn requests(text: &str) -> u64 {
    let samples = text.lines().filter(|line| line.starts_with("llm_requests_total{"));
    samples.map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap()).sum()
}

/// The value of one sample, as written; `sample` is the name with its labels.
pub fn value<'a>(text: &'a str, sample: &str) -> &'a str {
    find_value(text, sample).unwrap_or_else(|| panic!("no {sample} in {text}"))
}

/// As [`value`], of a sample that may not be there.
pub fn find_value<'a>(text: &'a str, sample: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '))
}
