//! A call as any producer tells of it, and its values as those of an event.

use std::borrow::Cow;

use super::tokens::{TokenCount, Usage};
use crate::event::{FieldValue, NamedValue};

/// One call of a model; none of what is not told.
#[derive(Clone, Debug, Default)]
pub(in crate::ingest) struct Call<'r> {
    pub(in crate::ingest) event_id: Option<Cow<'r, str>>,
    /// When it ended.
    pub(in crate::ingest) ts: Option<FieldValue<'r>>,
    pub(in crate::ingest) provider: Option<Cow<'r, str>>,
    pub(in crate::ingest) model: Option<Cow<'r, str>>,
    pub(in crate::ingest) usage: Usage<'r>,
    /// In US dollars.
    pub(in crate::ingest) cost: Option<Cow<'r, str>>,
    /// The tier and the speed that it was served with, on which prices depend.
    pub(in crate::ingest) tier: Option<Cow<'r, str>>,
    pub(in crate::ingest) speed: Option<Cow<'r, str>>,
    /// Who told of it.
    pub(in crate::ingest) source: Option<Cow<'r, str>>,
    /// What else is kept; of a name that occurs again the first value.
    pub(in crate::ingest) attributes: Vec<NamedValue<'r>>,
}

impl<'r> Call<'r> {
    /// How many values are told.
    pub(in crate::ingest) fn values(&self) -> usize {
        let texts =
            [&self.event_id, &self.provider, &self.model, &self.cost, &self.tier, &self.speed];
        texts.into_iter().flatten().count() + self.usage.counts()
    }

    /// The values of its event.
    pub(in crate::ingest) fn fields(self) -> Vec<NamedValue<'r>> {
        let mut fields = Vec::with_capacity(12);
        let attributes = context(self.tier, self.speed, &self.usage);
        let attributes = with(attributes, self.attributes);
        let text = |text: Option<Cow<'r, str>>| text.map(FieldValue::Text);
        let count = |count: Option<TokenCount<'r>>| count.map(TokenCount::into_value);
        for (name, value) in [
            ("event_id", text(self.event_id)),
            ("ts", self.ts),
            ("provider", text(self.provider)),
            ("model", text(self.model)),
            ("input_tokens", count(self.usage.input)),
            ("output_tokens", count(self.usage.output)),
            ("cached_input_tokens", count(self.usage.cached)),
            ("cache_write_tokens", count(self.usage.written)),
            ("reasoning_tokens", count(self.usage.reasoning)),
            ("cost_usd", text(self.cost)),
            ("source", text(self.source)),
        ] {
            fields.extend(value.map(|value| (Cow::Borrowed(name), value)));
        }
        if !attributes.is_empty() {
            fields.push((Cow::Borrowed("attributes"), FieldValue::Map(attributes)));
        }
        fields
    }
}

/// Whether a decimal text means 0: it has digits, and no other one before an exponent.
pub(in crate::ingest) fn is_zero(text: &str) -> bool {
    let digits = text.split(['e', 'E']).next().unwrap_or_default();
    let mut digits = digits.bytes().filter(u8::is_ascii_digit).peekable();
    digits.peek().is_some() && digits.all(|digit| digit == b'0')
}

/// What prices depend on besides the columns.
fn context<'r>(
    tier: Option<Cow<'r, str>>,
    speed: Option<Cow<'r, str>>,
    usage: &Usage<'r>,
) -> Vec<NamedValue<'r>> {
    let texts = [("service_tier", tier), ("speed", speed)].into_iter();
    let texts = texts.filter_map(|(name, text)| Some((name, FieldValue::Text(text?))));
    let counts = [
        ("cache_write_1h_tokens", &usage.written_hour),
        ("input_audio_tokens", &usage.input_audio),
        ("output_audio_tokens", &usage.output_audio),
    ];
    let counts = counts.into_iter().filter_map(|(name, count)| {
        let count = count.clone().filter(|count| *count != TokenCount::Known(0))?;
        Some((name, count.into_value()))
    });
    texts.chain(counts).map(|(name, value)| (Cow::Borrowed(name), value)).collect()
}

/// All of `attributes`, and those of `more` whose names are not taken.
fn with<'r>(mut attributes: Vec<NamedValue<'r>>, more: Vec<NamedValue<'r>>) -> Vec<NamedValue<'r>> {
    for (name, value) in more {
        if !attributes.iter().any(|(known, _)| *known == name) {
            attributes.push((name, value));
        }
    }
    attributes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_is_told_in_any_form() {
        for zero in ["0", "0.0", "0e5", "-0.00E-7", "0."] {
            assert!(is_zero(zero), "{zero}");
        }
        for other in ["", "e5", "NaN", "0.01", "1e-400", "-"] {
            assert!(!is_zero(other), "{other}");
        }
    }

    #[test]
    fn what_is_not_told_is_not_there() {
        assert_eq!(Call::default().fields(), []);
        let attribute = |text: &'static str| ("speed".into(), FieldValue::Text(text.into()));
        let speed = Some("fast".into());
        let call = Call { speed, attributes: vec![attribute("slow")], ..Call::default() };
        let attributes = FieldValue::Map(vec![attribute("fast")]);
        assert_eq!(call.fields(), [("attributes".into(), attributes)]);
    }
}
