//! Why a call has no price, and why a text is no rate.

use thiserror::Error;

use super::call::ContextKey;
use super::kind::{Impossible, TokenKind};
use super::unit::BilledUnit;
use crate::event::money::InvalidMoney;

/// Why a call has no price.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum NoPrice {
    /// The counts contradict each other, whatever the rates: such an event is to be rejected.
    #[error(transparent)]
    Impossible(#[from] Impossible),
    /// The call names no model.
    #[error("the call names no model")]
    NoModel,
    /// No rule matches.
    #[error("no rule is for this provider and model at this time")]
    NoRule,
    /// The rule does not know the context.
    #[error("the rule does not know this {} at this time", .0.name())]
    Context(ContextKey),
    /// The rule has no rate for tokens that the call has.
    #[error("the rule has no rate for {} tokens", .0.name())]
    NoRate(TokenKind),
    /// The rule has no price for a unit that the call has.
    #[error("the rule has no price for {}", .0.name())]
    NoUnitRate(BilledUnit),
    /// The rule has no rates for tokens, and the call does not say how much it has of the unit.
    #[error("the rule asks for {}, which the call does not tell", .0.name())]
    Unmeasured(BilledUnit),
    /// Parts of the kind share tokens, and the call does not tell how many.
    #[error("the parts of the {} tokens overlap, and the call does not tell by how many", .0.name())]
    Overlap(TokenKind),
    /// The cost is more than the archive holds.
    #[error("the cost is not below 1000000 dollars")]
    TooLarge,
}

impl NoPrice {
    /// True if no rates could price the call, since its counts contradict each other.
    pub fn is_impossible(self) -> bool {
        matches!(self, Self::Impossible(_))
    }
}

/// Why a text is no rate.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum InvalidRate {
    /// No decimal number.
    #[error("is not a decimal number")]
    NotDecimal,
    /// Below zero.
    #[error("is negative")]
    Negative,
    /// A million dollars or more.
    #[error("is not below 1000000 dollars")]
    TooLarge,
    /// Digits past the twelfth place.
    #[error("has more than 12 decimal places")]
    TooFine,
}

impl From<InvalidMoney> for InvalidRate {
    fn from(error: InvalidMoney) -> Self {
        match error {
            InvalidMoney::NotDecimal => Self::NotDecimal,
            InvalidMoney::Negative | InvalidMoney::TooNegative => Self::Negative,
            InvalidMoney::TooLarge => Self::TooLarge,
        }
    }
}
