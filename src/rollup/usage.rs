//! The sums that a scrape shows.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Sums over all `api_call` events of one (provider, model) series.
///
/// Token sums are `i128`: 2^64 events of 10^12 tokens each fit with room to spare.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeriesTotals {
    /// Events.
    pub requests: u64,
    /// Sum of `input_tokens`, cached ones included.
    pub input_tokens: i128,
    /// Sum of `output_tokens`, reasoning included.
    pub output_tokens: i128,
    /// Sum of `cached_input_tokens`; a part of the input.
    pub cached_input_tokens: i128,
    /// Sum of `cache_write_tokens`; a part of the input.
    pub cache_write_tokens: i128,
    /// Sum of `reasoning_tokens`; a part of the output.
    pub reasoning_tokens: i128,
    /// Sum of `cost_usd`, in units of 10^-12 dollars.
    pub cost: i128,
    /// Events whose `cost_usd` is null.
    pub unpriced: u64,
}

/// Totals by (provider, model), both lower case; the map's order is the order of the series.
pub type SeriesMap = BTreeMap<(Arc<str>, Arc<str>), SeriesTotals>;

/// What a scrape shows of one organisation.
#[derive(Clone, Copy, Debug)]
pub struct UsageView<'a> {
    /// The organisation, lower case.
    pub org_id: &'a str,
    /// Totals of the series that have an event.
    pub series: &'a SeriesMap,
    /// Cost of the last 24 hours, in units of 10^-12 dollars.
    pub rolling_cost: i128,
    /// The version of the archive's table that the totals are a function of.
    pub archive_version: u64,
    /// `ts` of the latest event in µs since the epoch; `None` without events.
    pub last_event: Option<i64>,
}

/// Up to this many series are shown in less time than it takes to hand them to another thread.
const FEW_SERIES: usize = 128;

impl UsageView<'_> {
    /// Whether showing it takes too long for a thread of the network.
    pub fn is_large(&self) -> bool {
        self.series.len() > FEW_SERIES
    }
}

impl std::ops::AddAssign<&Self> for SeriesTotals {
    fn add_assign(&mut self, other: &Self) {
        self.requests += other.requests;
        self.input_tokens += other.input_tokens;
        self.output_tokens += other.output_tokens;
        self.cached_input_tokens += other.cached_input_tokens;
        self.cache_write_tokens += other.cache_write_tokens;
        self.reasoning_tokens += other.reasoning_tokens;
        self.cost += other.cost;
        self.unpriced += other.unpriced;
    }
}
