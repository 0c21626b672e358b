//! A call to be priced, and the context that changes its rates.

use super::kind::Counts;
use super::unit::{BilledUnit, Quantity};
use crate::clock::Micros;

/// Values that mean the standard price.
const STANDARD: [&str; 3] = ["default", "standard", "auto"];

/// A call, borrowed from its event.
#[derive(Clone, Copy, Debug)]
pub struct ModelCall<'c> {
    /// The organisation.
    pub org: &'c str,
    /// The provider as the event names it.
    pub provider: Option<&'c str>,
    /// The model as the event names it.
    pub model: Option<&'c str>,
    /// When it was made.
    pub ts: Micros,
    /// Its tokens.
    pub counts: Counts,
    /// What it has of units, each once. That it is one request needs no telling.
    pub quantities: &'c [(BilledUnit, Quantity)],
    /// The context.
    pub context: PriceContext<'c>,
}

/// What besides time and size chooses the rates, as the event has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PriceContext<'c> {
    /// The service tier.
    pub service_tier: Option<&'c str>,
    /// The speed.
    pub speed: Option<&'c str>,
    /// How it was processed: `batch`.
    pub processing: Option<&'c str>,
    /// The region. Only rules with variants by region ask for it.
    pub region: Option<&'c str>,
}

/// A part of the context.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ContextKey {
    /// The service tier.
    ServiceTier,
    /// The speed.
    Speed,
    /// How the call was processed.
    Processing,
    /// The region.
    Region,
}

impl ContextKey {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::ServiceTier, Self::Speed, Self::Processing, Self::Region];

    /// Its name in a table, and in the attributes of an event.
    pub fn name(self) -> &'static str {
        match self {
            Self::ServiceTier => "service_tier",
            Self::Speed => "speed",
            Self::Processing => "processing",
            Self::Region => "region",
        }
    }

    /// The key of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key| key.name() == name)
    }
}

impl<'c> PriceContext<'c> {
    /// True if it tells nothing but the region.
    pub(super) fn is_empty(&self) -> bool {
        self.service_tier.is_none() && self.speed.is_none() && self.processing.is_none()
    }

    /// The value of a key; none if it means the standard price.
    pub(super) fn special(&self, key: ContextKey) -> Option<&'c str> {
        let tier = special(self.service_tier);
        // Anthropic tells a batch by its tier.
        let batch = tier.filter(|tier| tier.eq_ignore_ascii_case("batch"));
        match key {
            ContextKey::ServiceTier => tier.filter(|_| batch.is_none()),
            ContextKey::Speed => special(self.speed),
            ContextKey::Processing => special(self.processing).or(batch),
            ContextKey::Region => special(self.region),
        }
    }
}

/// A value that does not mean the standard price.
fn special(value: Option<&str>) -> Option<&str> {
    let value = value.map(str::trim).filter(|value| !value.is_empty())?;
    let standard = STANDARD.iter().any(|standard| value.eq_ignore_ascii_case(standard));
    (!standard).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_of_the_standard_price_is_none() {
        for value in ["", " ", "default", "Standard", "auto"] {
            let context = PriceContext { service_tier: Some(value), ..PriceContext::default() };
            assert_eq!(context.special(ContextKey::ServiceTier), None, "{value:?}");
        }
        let context = PriceContext { speed: Some("fast"), ..PriceContext::default() };
        assert_eq!(context.special(ContextKey::Speed), Some("fast"));
        for key in ContextKey::ALL {
            assert_eq!(ContextKey::named(key.name()), Some(key));
        }
    }

    #[test]
    fn a_tier_named_batch_is_processing() {
        let context = PriceContext { service_tier: Some("batch"), ..PriceContext::default() };
        assert_eq!(context.special(ContextKey::ServiceTier), None);
        assert_eq!(context.special(ContextKey::Processing), Some("batch"));
    }
}
