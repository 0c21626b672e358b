//! The token counts of a call, in the columns' meaning: input with what was cached and written,
//! output with thoughts.

use std::borrow::Cow;

use super::details;
use super::names::Field;
use super::producer::Producer;
use super::record::{Found, Value};
use crate::event::FieldValue;

/// A number of tokens, or what was sent in its place; the columns' rules say what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Count<'r> {
    Known(i64),
    Odd(Cow<'r, str>),
}

/// Whether a total holds its parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Convention {
    /// It does, unless the parts are more than it.
    #[default]
    Inclusive,
    /// It does not.
    Exclusive,
}

/// The token counts of a call; none where they are not told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Usage<'r> {
    pub(super) input: Option<Count<'r>>,
    pub(super) output: Option<Count<'r>>,
    pub(super) cached: Option<Count<'r>>,
    pub(super) written: Option<Count<'r>>,
    pub(super) reasoning: Option<Count<'r>>,
    pub(super) written_hour: Option<Count<'r>>,
    pub(super) input_audio: Option<Count<'r>>,
    pub(super) output_audio: Option<Count<'r>>,
}

impl<'r> Count<'r> {
    /// Reads digits, with or without a fraction of zeros.
    pub(super) fn of_text(text: Cow<'r, str>) -> Self {
        let whole = text.trim();
        let whole = match whole.split_once('.') {
            Some((whole, zeros)) if zeros.bytes().all(|byte| byte == b'0') => whole,
            _ => whole,
        };
        whole.parse().map_or(Self::Odd(text), Self::Known)
    }

    pub(super) fn of(value: &'r Value<'_>) -> Self {
        match value {
            Value::Int(int) => Self::Known(*int),
            other => Self::of_text(other.text()),
        }
    }

    fn of_field(found: &'r Found<'_>, field: Field) -> Option<Self> {
        found.get(field).map(Self::of)
    }

    /// The value of its column.
    pub(super) fn into_value(self) -> FieldValue<'r> {
        match self {
            Self::Known(count) => FieldValue::Number(Cow::Owned(count.to_string())),
            Self::Odd(text) => FieldValue::Text(text),
        }
    }

    fn is_more_than_none(&self) -> bool {
        *self != Self::Known(0)
    }
}

impl<'r> Usage<'r> {
    /// The counts that a record tells in its producer's words.
    pub(super) fn of(producer: Producer, found: &'r Found<'_>) -> Self {
        match producer {
            Producer::Sdk => Self::of_sdk(found),
            Producer::ClaudeCode => {
                let agent = Self::of_agent(found);
                let written_hour = Count::of_field(found, Field::WrittenHour);
                Self { written_hour, ..agent }.with_input_parts(Convention::Exclusive)
            }
            Producer::Codex => Self::of_agent(found).with_input_parts(Convention::Inclusive),
            Producer::GeminiCli => {
                let agent = Self::of_agent(found).with_input_parts(Convention::Inclusive);
                agent.with_output_parts()
            }
        }
    }

    fn of_sdk(found: &'r Found<'_>) -> Self {
        let count = |field| Count::of_field(found, field);
        let usage = Self {
            input: count(Field::Input),
            output: count(Field::Output),
            cached: count(Field::Cached),
            written: count(Field::Written),
            reasoning: count(Field::Reasoning),
            written_hour: None,
            input_audio: count(Field::InputAudio),
            output_audio: count(Field::OutputAudio),
        };
        match found.get(Field::UsageDetails) {
            Some(Value::Text(json)) if usage.input.is_none() && usage.output.is_none() => {
                details::usage(json)
            }
            _ => usage.with_input_parts(Convention::Inclusive),
        }
    }

    fn of_agent(found: &'r Found<'_>) -> Self {
        let count = |field| Count::of_field(found, field);
        Self {
            input: count(Field::AgentInput),
            output: count(Field::AgentOutput),
            cached: count(Field::AgentCached),
            written: count(Field::AgentWritten),
            reasoning: count(Field::AgentReasoning),
            ..Self::default()
        }
    }

    /// The same with an input that holds what was cached and written.
    pub(super) fn with_input_parts(self, convention: Convention) -> Self {
        let parts = added([&self.cached, &self.written]);
        let (Some(parts), Some(input)) = (parts, known(&self.input)) else { return self };
        if convention == Convention::Inclusive && parts <= input {
            return self;
        }
        Self { input: Some(Count::Known(input.saturating_add(parts))), ..self }
    }

    /// The same with an output that holds the thoughts that it did not hold.
    pub(super) fn with_output_parts(self) -> Self {
        let output = added([&self.output, &self.reasoning]);
        match output {
            Some(output) => Self { output: Some(Count::Known(output)), ..self },
            None => self,
        }
    }

    /// Whether there were tokens at all.
    pub(super) fn is_some(&self) -> bool {
        [&self.input, &self.output].into_iter().flatten().any(Count::is_more_than_none)
    }
}

/// The number of tokens, none being 0; `None` if it is odd.
fn known(count: &Option<Count<'_>>) -> Option<i64> {
    match count {
        None => Some(0),
        Some(Count::Known(count)) => Some(*count),
        Some(Count::Odd(_)) => None,
    }
}

/// The sum of counts; `None` if one of them is odd or negative, which its column's rule refuses.
fn added(counts: [&Option<Count<'_>>; 2]) -> Option<i64> {
    let counts = counts.into_iter().map(|count| known(count).filter(|count| *count >= 0));
    counts.into_iter().try_fold(0_i64, |sum, count| Some(sum.saturating_add(count?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(count: i64) -> Option<Count<'static>> {
        Some(Count::Known(count))
    }

    #[test]
    fn parts_are_added_where_the_input_cannot_hold_them() {
        let of = |input, cached, written| Usage {
            input: count(input),
            cached: count(cached),
            written: count(written),
            ..Usage::default()
        };
        for (sent, convention, input) in [
            (of(35, 11, 3), Convention::Inclusive, 35),
            (of(14, 11, 3), Convention::Inclusive, 14),
            (of(13, 11, 3), Convention::Inclusive, 27),
            (of(0, 11, 3), Convention::Inclusive, 14),
            (of(35, 11, 3), Convention::Exclusive, 49),
            (of(i64::MAX, 1, 0), Convention::Exclusive, i64::MAX),
            (of(13, -11, 30), Convention::Exclusive, 13),
        ] {
            assert_eq!(sent.clone().with_input_parts(convention).input, count(input), "{sent:?}");
        }
        let odd = Usage { input: Some(Count::Odd("NaN".into())), cached: count(5), ..of(0, 0, 0) };
        assert_eq!(odd.clone().with_input_parts(Convention::Exclusive), odd);
        let none = Usage { input: None, ..of(0, 4, 0) };
        assert_eq!(none.with_input_parts(Convention::Inclusive).input, count(4));
    }

    #[test]
    fn numbers_come_in_any_form() {
        for (value, expected) in [
            (Value::Int(12), Count::Known(12)),
            (Value::Double(12.0), Count::Known(12)),
            (Value::Text("12".into()), Count::Known(12)),
            (Value::Text(" 12.00 ".into()), Count::Known(12)),
            (Value::Text("1e3".into()), Count::Odd("1e3".into())),
            (Value::Double(0.5), Count::Odd("0.5".into())),
            (Value::Double(f64::NAN), Count::Odd("NaN".into())),
            (Value::Bool(true), Count::Odd("true".into())),
        ] {
            assert_eq!(Count::of(&value), expected);
        }
    }
}
