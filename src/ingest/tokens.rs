//! The token counts of a call, in the columns' meaning: input with what was cached and written,
//! output with thoughts.

use std::borrow::Cow;

use crate::event::FieldValue;

/// A number of tokens, or what was sent in its place; the columns' rules say what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::ingest) enum TokenCount<'r> {
    Known(i64),
    Odd(Cow<'r, str>),
}

/// Whether a total holds its parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::ingest) enum Convention {
    /// It does, unless the parts are more than it.
    #[default]
    Inclusive,
    /// It does not.
    Exclusive,
}

/// The token counts of a call; none where they are not told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::ingest) struct Usage<'r> {
    pub(in crate::ingest) input: Option<TokenCount<'r>>,
    pub(in crate::ingest) output: Option<TokenCount<'r>>,
    pub(in crate::ingest) cached: Option<TokenCount<'r>>,
    pub(in crate::ingest) written: Option<TokenCount<'r>>,
    pub(in crate::ingest) reasoning: Option<TokenCount<'r>>,
    pub(in crate::ingest) written_hour: Option<TokenCount<'r>>,
    pub(in crate::ingest) input_audio: Option<TokenCount<'r>>,
    pub(in crate::ingest) output_audio: Option<TokenCount<'r>>,
}

impl<'r> TokenCount<'r> {
    /// Reads digits, with or without a fraction of zeros.
    pub(in crate::ingest) fn of_text(text: Cow<'r, str>) -> Self {
        let whole = text.trim();
        let whole = match whole.split_once('.') {
            Some((whole, zeros)) if zeros.bytes().all(|byte| byte == b'0') => whole,
            _ => whole,
        };
        whole.parse().map_or(Self::Odd(text), Self::Known)
    }

    /// The value of its column.
    pub(in crate::ingest) fn into_value(self) -> FieldValue<'r> {
        match self {
            Self::Known(count) => FieldValue::Number(Cow::Owned(count.to_string())),
            Self::Odd(text) => FieldValue::Text(text),
        }
    }
}

impl<'r> Usage<'r> {
    /// The same with what another one tells besides.
    pub(in crate::ingest) fn or(self, other: Self) -> Self {
        Self {
            input: self.input.or(other.input),
            output: self.output.or(other.output),
            cached: self.cached.or(other.cached),
            written: self.written.or(other.written),
            reasoning: self.reasoning.or(other.reasoning),
            written_hour: self.written_hour.or(other.written_hour),
            input_audio: self.input_audio.or(other.input_audio),
            output_audio: self.output_audio.or(other.output_audio),
        }
    }
}

impl Usage<'_> {
    /// The same with an input that holds what was cached and written.
    pub(in crate::ingest) fn with_input_parts(self, convention: Convention) -> Self {
        let parts = added([&self.cached, &self.written]);
        let (Some(parts), Some(input)) = (parts, known(&self.input)) else { return self };
        if convention == Convention::Inclusive && parts <= input {
            return self;
        }
        Self { input: Some(TokenCount::Known(input.saturating_add(parts))), ..self }
    }

    /// The same with an output that holds the thoughts that it did not hold.
    pub(in crate::ingest) fn with_output_parts(self) -> Self {
        let output = added([&self.output, &self.reasoning]);
        match output {
            Some(output) => Self { output: Some(TokenCount::Known(output)), ..self },
            None => self,
        }
    }

    /// Whether a count is none.
    pub(in crate::ingest) fn is_odd(&self) -> bool {
        self.all().into_iter().flatten().any(|count| matches!(count, TokenCount::Odd(_)))
    }

    /// How many counts are told.
    pub(in crate::ingest) fn counts(&self) -> usize {
        self.all().into_iter().flatten().count()
    }

    fn all(&self) -> [Option<&TokenCount<'_>>; 8] {
        [
            &self.input,
            &self.output,
            &self.cached,
            &self.written,
            &self.reasoning,
            &self.written_hour,
            &self.input_audio,
            &self.output_audio,
        ]
        .map(Option::as_ref)
    }

    /// Whether there were tokens at all.
    pub(in crate::ingest) fn is_some(&self) -> bool {
        [&self.input, &self.output]
            .into_iter()
            .flatten()
            .any(|count| *count != TokenCount::Known(0))
    }
}

/// The number of tokens, none being 0; `None` if it is odd.
fn known(count: &Option<TokenCount<'_>>) -> Option<i64> {
    match count {
        None => Some(0),
        Some(TokenCount::Known(count)) => Some(*count),
        Some(TokenCount::Odd(_)) => None,
    }
}

/// The sum of counts; `None` if one of them is odd or negative, which its column's rule refuses.
fn added(counts: [&Option<TokenCount<'_>>; 2]) -> Option<i64> {
    let counts = counts.into_iter().map(|count| known(count).filter(|count| *count >= 0));
    counts.into_iter().try_fold(0_i64, |sum, count| Some(sum.saturating_add(count?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(count: i64) -> Option<TokenCount<'static>> {
        Some(TokenCount::Known(count))
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
        let odd =
            Usage { input: Some(TokenCount::Odd("NaN".into())), cached: count(5), ..of(0, 0, 0) };
        assert_eq!(odd.clone().with_input_parts(Convention::Exclusive), odd);
        let none = Usage { input: None, ..of(0, 4, 0) };
        assert_eq!(none.with_input_parts(Convention::Inclusive).input, count(4));
    }

    #[test]
    fn a_count_is_digits_and_may_have_a_fraction_of_zeros() {
        for (text, count) in [("12", 12), (" 12.00 ", 12), ("12.", 12), ("-3", -3)] {
            assert_eq!(TokenCount::of_text(text.into()), TokenCount::Known(count));
        }
        for odd in ["", "1e3", "0.5", "NaN", "x", "1_000", "99999999999999999999"] {
            assert_eq!(TokenCount::of_text(odd.into()), TokenCount::Odd(odd.into()));
        }
    }
}
