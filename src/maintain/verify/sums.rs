//! What scrapes must show: the sums of the ledger and of all rows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::stream::{self, StreamExt as _};
use tokio_util::task::AbortOnDropHandle;

use crate::archive::{ArchiveError, Snapshot};
use crate::clock::Micros;
use crate::event::OrgId;
use crate::event::money::format_decimal;
use crate::rollup::{Asked, Rollup, UsageView};
use crate::sql::{PartialRow, SeriesTotal, SeriesTotals, SqlError};

/// The sums of every organisation.
pub(super) type SumsByOrg = BTreeMap<String, OrgSums>;

/// The sums of one organisation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct OrgSums {
    /// By provider and model, as labelled.
    series: BTreeMap<(String, String), SeriesSums>,
    /// Cost of the last 24 hours, in 10⁻¹² dollars.
    rolling: i128,
}

/// The sums of one series.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct SeriesSums {
    requests: u64,
    /// LLM tokens, input and output.
    tokens: i128,
    /// Of calls, and of corrections above 0, in 10⁻¹² dollars.
    spent: i128,
    /// Of corrections below 0, in 10⁻¹² dollars.
    credits: i128,
}

impl SeriesSums {
    fn of(totals: &SeriesTotals) -> Self {
        Self {
            requests: totals.requests,
            tokens: totals.input_tokens + totals.output_tokens,
            spent: totals.spent(),
            credits: totals.credits(),
        }
    }
}

impl OrgSums {
    /// Adds the sums of rows of the table.
    pub(super) fn add(&mut self, row: &SeriesTotal) {
        let sums = SeriesSums {
            requests: row.requests,
            tokens: row.total_tokens,
            spent: row.cost,
            credits: 0,
        };
        self.add_to(&row.provider, &row.model, sums);
    }

    /// Adds a cell of the ledger, or of corrections. Events without a series are in no counter.
    pub(super) fn add_cell(&mut self, row: &PartialRow) {
        if let Some((provider, model)) = row.provider.as_ref().zip(row.model.as_ref()) {
            self.add_to(provider, model, SeriesSums::of(&row.totals));
        }
    }

    /// Adds to the cost of the last 24 hours.
    pub(super) fn add_rolling(&mut self, cost: i128) {
        self.rolling += cost;
    }

    fn add_to(&mut self, provider: &str, model: &str, added: SeriesSums) {
        // As in the exposition, whose formats end at a NUL.
        let clean = |name: &str| name.replace('\0', "\u{FFFD}");
        let sums = self.series.entry((clean(provider), clean(model))).or_default();
        sums.requests += added.requests;
        sums.tokens += added.tokens;
        sums.spent += added.spent;
        sums.credits += added.credits;
    }

    /// A line for each number that is shown differently.
    fn differences(&self, org: &str, shown: &Self) -> Vec<String> {
        let keys: BTreeSet<_> = shown.series.keys().chain(self.series.keys()).collect();
        let text = |sums: Option<&SeriesSums>| match sums {
            None => "nothing".to_owned(),
            Some(SeriesSums { requests, tokens, spent, credits }) => {
                let [spent, credits] = [spent, credits].map(|cost| format_decimal(*cost));
                format!(
                    "{requests} requests, {tokens} tokens, {spent} dollars, {credits} in credits"
                )
            }
        };
        let differ = keys.into_iter().filter_map(|key| {
            let (shown, is) = (shown.series.get(key), self.series.get(key));
            let (provider, model) = key;
            (shown != is).then(|| {
                format!(
                    "organisation {org:?}, {provider:?} {model:?}: scrapes show {}, the rows and \
                     the ledger give {}",
                    text(shown),
                    text(is)
                )
            })
        });
        let rolling = (shown.rolling != self.rolling).then(|| {
            format!(
                "organisation {org:?}: scrapes show a rolling cost of {}, the rows give {}",
                format_decimal(shown.rolling),
                format_decimal(self.rolling)
            )
        });
        differ.chain(rolling).collect()
    }
}

/// Compares scrapes with these sums, `width` organisations at a time; returns their number.
///
/// # Errors
/// Corrupt or Unavailable, naming the object.
pub(super) async fn compare(
    rollup: &Arc<Rollup>,
    snapshot: &Arc<Snapshot>,
    sums: &SumsByOrg,
    now: Micros,
    width: usize,
    mut differs: impl FnMut(String),
) -> Result<usize, SqlError> {
    let scrapes = sums.keys().cloned().map(|org| {
        let (rollup, snapshot) = (rollup.clone(), snapshot.clone());
        async move {
            let work = async move { shown(&rollup, &snapshot, &org, now).await };
            AbortOnDropHandle::new(tokio::spawn(work)).await
        }
    });
    let mut scrapes = stream::iter(scrapes).buffered(width);
    for (org, expected) in sums {
        let Some(shown) = scrapes.next().await else { break };
        let shown = shown.map_err(|error| ArchiveError::internal("comparing scrapes", error))??;
        expected.differences(org, &shown).into_iter().for_each(&mut differs);
    }
    Ok(sums.len())
}

async fn shown(
    rollup: &Rollup,
    snapshot: &Arc<Snapshot>,
    org: &str,
    now: Micros,
) -> Result<OrgSums, SqlError> {
    // No key is of an organisation without a valid name: nothing shows it.
    let Ok(org) = OrgId::parse(org) else { return Ok(OrgSums::default()) };
    let see = |view: &UsageView<'_>| {
        let series = view.corrected();
        let series = series.iter().map(|((provider, model), totals)| {
            ((provider.to_string(), model.to_string()), SeriesSums::of(totals))
        });
        OrgSums { series: series.collect(), rolling: view.rolling_cost }
    };
    rollup.show_asked(Asked::of_org(&org, snapshot), snapshot, now, see).await
}
