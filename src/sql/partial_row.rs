//! A row of `partial.sql`, typed.

use std::sync::Arc;

use crate::clock::Micros;

/// A row of `partial.sql`. Money is in units of 10⁻¹² dollars.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PartialRow {
    /// As stored.
    pub org_id: Arc<str>,
    /// Lower case; `None` if unknown.
    pub provider: Option<Arc<str>>,
    /// Lower case; `None` if unknown.
    pub model: Option<Arc<str>>,
    /// The start of the hour.
    pub hour: Micros,
    /// Number of events.
    pub requests: u64,
    /// LLM tokens.
    pub input_tokens: i128,
    /// LLM tokens.
    pub output_tokens: i128,
    /// LLM tokens.
    pub cached_input_tokens: i128,
    /// LLM tokens.
    pub cache_write_tokens: i128,
    /// LLM tokens.
    pub reasoning_tokens: i128,
    /// Cost of the priced events.
    pub cost: i128,
    /// Number of events without a price.
    pub unpriced: u64,
    /// The time of the latest event.
    pub last_ts: Micros,
}
