//! The meters of charges: kinds of tokens that are apart, and requests.

use crate::pricing::TokenKind;
use crate::sql::ChargeCell;

/// How many meters there are.
pub(super) const METERS: usize = 6;

/// What a charge counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meter {
    /// Input that was neither read from the cache nor written to it.
    Input,
    /// Input that was read from the cache.
    CachedInput,
    /// Input that was written to the cache.
    CacheWrite,
    /// Output without reasoning.
    Output,
    /// Output that is reasoning.
    Reasoning,
    /// Calls, where no tokens are told.
    Requests,
}

impl Meter {
    /// All of them, in the order of rows.
    pub(super) const ALL: [Self; METERS] = [
        Self::Input,
        Self::CachedInput,
        Self::CacheWrite,
        Self::Output,
        Self::Reasoning,
        Self::Requests,
    ];

    /// Those of tokens, with the kind that is priced.
    pub(super) const TOKENS: [(Self, TokenKind); METERS - 1] = [
        (Self::Input, TokenKind::Input),
        (Self::CachedInput, TokenKind::CachedInput),
        (Self::CacheWrite, TokenKind::CacheWrite),
        (Self::Output, TokenKind::Output),
        (Self::Reasoning, TokenKind::Reasoning),
    ];

    /// Its name: `SkuMeter`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Input => "Input Tokens",
            Self::CachedInput => "Cached Input Tokens",
            Self::CacheWrite => "Cache Write Tokens",
            Self::Output => "Output Tokens",
            Self::Reasoning => "Reasoning Tokens",
            Self::Requests => "Requests",
        }
    }

    /// Its part of an identifier of a price.
    pub(super) fn id(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::CachedInput => "cached_input",
            Self::CacheWrite => "cache_write",
            Self::Output => "output",
            Self::Reasoning => "reasoning",
            Self::Requests => "requests",
        }
    }

    /// What it counts: `ConsumedUnit`.
    pub(super) fn unit(self) -> &'static str {
        if self == Self::Requests { "Requests" } else { "Tokens" }
    }

    /// What a price is for: `PricingUnit`, and how many of [`Meter::unit`] that is.
    pub(super) fn pricing(self) -> (&'static str, i128) {
        if self == Self::Requests { ("Requests", 1) } else { ("1000000 Tokens", 1_000_000) }
    }
}

/// The quantity of each meter of some calls, in the order of [`Meter::ALL`].
///
/// A cell may have more tokens that were read and written than it has input, as a sender may say so of a
/// call: what was written is then what is left of the input, so that all meters add up to the tokens.
pub(super) fn quantities(cell: &ChargeCell) -> [i128; METERS] {
    let cached = cell.cached_input_tokens.clamp(0, cell.input_tokens);
    let written = cell.cache_write_tokens.clamp(0, cell.input_tokens - cached);
    let reasoning = cell.reasoning_tokens.clamp(0, cell.output_tokens);
    [
        cell.input_tokens - cached - written,
        cached,
        written,
        cell.output_tokens - reasoning,
        reasoning,
        cell.requests,
    ]
}
