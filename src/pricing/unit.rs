//! What calls are billed for besides tokens: requests, searches, seconds of audio and others.

use crate::event::money::parse_amount;

/// Decimal places of a quantity.
const PLACES: u8 = 6;

/// Units of a [`Quantity`] in one.
pub(super) const QUANTITY: i128 = 1_000_000;

/// Something that is billed and is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BilledUnit {
    /// Calls; each event is one.
    Requests,
    /// Seconds of audio, heard or spoken.
    AudioSeconds,
    /// Characters of the input.
    Characters,
    /// Messages of text.
    Messages,
    /// Pages of documents.
    Pages,
    /// Images that were made.
    Images,
    /// Searches of the web.
    WebSearches,
    /// Searches of social networks.
    SocialSearches,
    /// Searches of stored files.
    StorageSearches,
    /// Searches whose results were put in order.
    RerankSearches,
    /// Runs of code.
    CodeExecutions,
}

impl BilledUnit {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Requests,
        Self::AudioSeconds,
        Self::Characters,
        Self::Messages,
        Self::Pages,
        Self::Images,
        Self::WebSearches,
        Self::SocialSearches,
        Self::StorageSearches,
        Self::RerankSearches,
        Self::CodeExecutions,
    ];

    /// Its name in a table, and in the attributes of an event.
    pub fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::AudioSeconds => "audio_seconds",
            Self::Characters => "characters",
            Self::Messages => "messages",
            Self::Pages => "pages",
            Self::Images => "images",
            Self::WebSearches => "web_searches",
            Self::SocialSearches => "social_searches",
            Self::StorageSearches => "storage_searches",
            Self::RerankSearches => "rerank_searches",
            Self::CodeExecutions => "code_executions",
        }
    }

    /// The unit that an attribute of an event counts: by its name, or by that with `billed_` before it.
    /// Usual words mean something else by themselves, and each event is one request.
    pub(super) fn of_attribute(name: &str) -> Option<Self> {
        match name.strip_prefix("billed_") {
            Some(name) => Self::named(name).filter(|unit| *unit != Self::Requests),
            None => Self::named(name).filter(|unit| !unit.is_usual_word()),
        }
    }

    fn is_usual_word(self) -> bool {
        use BilledUnit::{Characters, Images, Messages, Pages, Requests};
        matches!(self, Characters | Images | Messages | Pages | Requests)
    }

    /// The unit of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|unit| unit.name() == name)
    }
}

/// How much of a unit a call has, in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quantity(pub(super) i128);

impl Quantity {
    /// Reads decimal text. What is finer than a millionth is rounded half to even. `None` if it is no
    /// decimal number from 0 on.
    pub fn parse(text: &str) -> Option<Self> {
        parse_amount(text, PLACES).ok().map(|amount| Self(amount.units))
    }

    /// A whole number.
    pub fn whole(count: u32) -> Self {
        Self(i128::from(count) * QUANTITY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_unit_has_a_name_of_its_own() {
        for unit in BilledUnit::ALL {
            assert_eq!(BilledUnit::named(unit.name()), Some(unit));
        }
    }

    #[test]
    fn usual_words_count_units_only_if_they_say_that_they_are_billed() {
        let of = BilledUnit::of_attribute;
        assert_eq!(of("web_searches"), Some(BilledUnit::WebSearches));
        assert_eq!(of("billed_web_searches"), Some(BilledUnit::WebSearches));
        assert_eq!((of("messages"), of("billed_messages")), (None, Some(BilledUnit::Messages)));
        for name in ["requests", "billed_requests", "billed", "other"] {
            assert_eq!(of(name), None, "{name}");
        }
    }

    #[test]
    fn a_quantity_is_decimal_text() {
        assert_eq!(Quantity::parse("12.5"), Some(Quantity(12_500_000)));
        assert_eq!(Quantity::parse("3"), Some(Quantity::whole(3)));
        for text in ["-1", "", "x", "NaN"] {
            assert_eq!(Quantity::parse(text), None, "{text}");
        }
    }
}
