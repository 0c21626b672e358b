//! The sums that a scrape shows.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::clock::Micros;
use crate::sql::SeriesTotals;

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
    /// What corrections add to them, by the same names.
    pub corrections: &'a SeriesMap,
    /// True if the version may hold corrections, which were not asked for: then these sums are not whole.
    pub lacks_corrections: bool,
    /// The dimensions that were asked for, by name.
    pub dimensions: &'a [DimensionView],
    /// Sums of the same series that know when each began; `None` while that is not known, or if nobody
    /// asked.
    pub starts: Option<&'a SeriesMap>,
    /// The tables that price its calls, by name; empty if nobody asked.
    pub price_tables: &'a [PriceTableView],
}

/// What a scrape shows of a table of prices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceTableView {
    /// Its name.
    pub name: Box<str>,
    /// When its prices were taken.
    pub taken: Micros,
}

/// What a scrape shows of a dimension of an organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DimensionView {
    /// Its name.
    pub name: Arc<str>,
    /// The parts that have an event, by value.
    pub parts: Arc<[PartView]>,
    /// The cost of each in the last 24 hours, less credits, in units of 10^-12 dollars.
    pub rolling_costs: Arc<[i128]>,
}

/// The sums of the part of an organisation that has one value of a dimension. As in the core, what is of
/// no provider or model is in the cost of the last 24 hours alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartView {
    /// The value.
    pub value: Arc<str>,
    /// False where all of its events are of no provider or model: then it is in no counter.
    pub is_counted: bool,
    /// Calls.
    pub requests: u64,
    /// LLM tokens, input and output.
    pub tokens: i128,
    /// Cost of the calls, and of corrections above 0, in units of 10^-12 dollars.
    pub spent: i128,
    /// Corrections below 0, in units of 10^-12 dollars.
    pub credits: i128,
    /// When the first of its events was ingested, in µs since the epoch; `None` if that is not known.
    pub created: Option<Micros>,
}

/// Up to this many series are shown in less time than it takes to hand them to another thread.
pub(super) const FEW_SERIES: usize = 128;

pub(super) static NO_SERIES: SeriesMap = SeriesMap::new();

impl<'a> UsageView<'a> {
    /// These totals at a version, and nothing beside them.
    pub fn of(org_id: &'a str, series: &'a SeriesMap, archive_version: u64) -> Self {
        Self {
            org_id,
            series,
            rolling_cost: 0,
            archive_version,
            last_event: None,
            corrections: &NO_SERIES,
            lacks_corrections: false,
            dimensions: &[],
            starts: None,
            price_tables: &[],
        }
    }

    /// The totals with what corrections add to them.
    pub fn corrected(&self) -> Cow<'_, SeriesMap> {
        if self.corrections.is_empty() {
            return Cow::Borrowed(self.series);
        }
        let mut series = self.series.clone();
        for (name, totals) in self.corrections {
            *series.entry(name.clone()).or_default() += totals;
        }
        Cow::Owned(series)
    }

    /// When the first event of a series was ingested, in µs since the epoch; `None` if that is not known.
    pub fn created(&self, series: &(Arc<str>, Arc<str>)) -> Option<Micros> {
        let start = self.starts?.get(series);
        let corrected = self.corrections.get(series).and_then(SeriesTotals::created);
        match start {
            Some(start) => Some(start.created()?.min(corrected.unwrap_or(Micros::MAX))),
            None => corrected,
        }
    }

    /// Whether showing it takes too long for a thread of the network.
    pub fn is_large(&self) -> bool {
        let parts = self.dimensions.iter().map(|dimension| dimension.parts.len());
        self.series.len() + parts.sum::<usize>() > FEW_SERIES
    }
}
