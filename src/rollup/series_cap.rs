//! The cap on the series and providers of an organisation. Events of a series above the cap are
//! stored under the model `other`, and of a provider above it under the provider `other` as well.
//! This is done before they are written, so that nothing ever moves from one series to another.
//!
//! The table says which series there are. An organisation's sums are looked at once, and again only
//! if it sends a new series; the series that this process commits itself are known. Processes do
//! not know what others accept at the same time, or what they committed since the last look. So the
//! cap guards against a blow-up, and is no quota.

mod known;
mod values;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{AsArray as _, StringArray};
use foldhash::fast::RandomState;
use parking_lot::Mutex;

pub use self::known::OTHER;
pub use self::values::{VALUES_BYTES_MAX, VALUES_MAX};

use self::known::{
    EventNames, NewNames, OrgSeries, Over, STALENESS_MAX, SeriesRequest, series_name,
};
use self::values::{AdmittedValues, ValueCap};
use super::partial::printable;
use super::{Rollup, SeriesMap};
use crate::archive::{Archive, ArchiveError, ByOrg, Committed, Snapshot};
use crate::byte_lru::ByteLru;
use crate::clock::Micros;
use crate::error::Kind;
use crate::event::{API_CALL, Dimensions, EventBatch, OrgId, Renaming};
use crate::sql::SqlError;
use crate::telemetry::Telemetry;

/// Series of an organisation by default.
pub const SERIES_MAX: usize = 10_000;
/// Memory for the known series of organisations.
pub const NAMES_BYTES_MAX: usize = 48 << 20;
/// Keeps organisations from having more series than they may.
#[derive(Debug)]
pub struct SeriesCap {
    rollup: Arc<Rollup>,
    series_max: usize,
    orgs: Mutex<ByteLru<OrgId, Arc<OrgSeries>>>,
    values: ValueCap,
    telemetry: Telemetry,
}

/// The room reserved for new series and values until the commit of their events is done. Other requests count
/// them as if they were in the table. Dropping it after a failed commit frees the room.
#[derive(Debug)]
pub struct CappedSeries {
    cap: Arc<SeriesCap>,
    new: NewNames,
    values: AdmittedValues,
}

impl CappedSeries {
    /// Records that the events were committed: their series are in the table now.
    pub fn committed(self, outcome: &Committed) {
        // A duplicate is not stored, and the event that is may be of another series.
        if outcome.duplicates == 0 && outcome.rejected.is_empty() {
            let orgs = &self.cap.orgs;
            self.new.stand(|org_id, bytes| {
                orgs.lock().resize(org_id, bytes);
            });
            self.values.stand();
        }
    }
}

impl SeriesCap {
    /// A cap of `series_max` for each organisation, in addition to one series for each provider. As
    /// many providers are allowed, and `values_max` values of each dimension.
    pub fn new(
        rollup: Arc<Rollup>,
        series_max: usize,
        values_max: usize,
        telemetry: Telemetry,
    ) -> Self {
        let orgs = Mutex::new(ByteLru::new(NAMES_BYTES_MAX));
        let values = ValueCap::new(rollup.clone(), values_max, telemetry.clone());
        Self { rollup, series_max, orgs, values, telemetry }
    }

    /// Returns the events as the cap lets them be stored, and the room of their new series and values.
    /// The value that a key is `bound` to, with the attribute of its dimension, is kept.
    ///
    /// # Errors
    /// Unavailable or Corrupt if the existing series cannot be read.
    pub async fn admit(
        self: &Arc<Self>,
        batches: Vec<EventBatch>,
        bound: Option<(&str, &str)>,
        archive: &Archive,
        now: Micros,
    ) -> Result<(Vec<EventBatch>, CappedSeries), SqlError> {
        let (batches, values) = self.values.apply(batches, archive, now, bound).await?;
        let names = batches.iter().map(NameColumns::of).collect::<Result<Vec<_>, _>>()?;
        let (mut new, mut over) = (NewNames::default(), HashMap::new());
        for (org_id, asked) in by_org(&names) {
            let org = self.org(org_id)?;
            if org.known.lock().has_all(&asked) {
                continue;
            }
            let snapshot = archive.fresh(STALENESS_MAX).await?;
            self.ask_table(&org, archive, snapshot, now).await?;
            org.admit(asked, self.series_max, &mut new, &mut over);
        }
        let capped = CappedSeries { cap: self.clone(), new, values };
        if over.is_empty() {
            return Ok((batches, capped));
        }
        let dimensions = archive.current().table().dimensions.clone();
        let batches = batches.iter().zip(&names);
        let batches = batches.map(|(batch, names)| self.renamed(batch, names, &over, &dimensions));
        Ok((batches.collect::<Result<_, _>>()?, capped))
    }

    fn renamed(
        &self,
        batch: &EventBatch,
        names: &NameColumns<'_>,
        over: &HashMap<EventNames<'_>, Over>,
        dimensions: &Dimensions,
    ) -> Result<EventBatch, ArchiveError> {
        let chosen = names.rows().map(|row| {
            over.get(&row?).map(|over| match over {
                Over::Model => Renaming::Model,
                Over::Provider => Renaming::ProviderAndModel,
            })
        });
        let chosen: Vec<_> = chosen.collect();
        let renamed = batch.renamed(&chosen, OTHER, dimensions);
        let (batch, dropped) =
            renamed.map_err(|error| ArchiveError::internal("renaming models", error))?;
        let telemetry = &self.telemetry.ingest;
        telemetry.models_renamed.add(chosen.iter().flatten().count());
        telemetry.attributes_dropped.add(usize::try_from(dropped).unwrap_or(usize::MAX));
        Ok(batch)
    }

    /// Learns which series have come into the table since the last look.
    async fn ask_table(
        &self,
        org: &Arc<OrgSeries>,
        archive: &Archive,
        snapshot: Arc<Snapshot>,
        now: Micros,
    ) -> Result<(), SqlError> {
        if org.known.lock().version >= Some(snapshot.version()) {
            return Ok(());
        }
        let org_id = &org.org_id;
        match archive.at_newest(snapshot, |snapshot| self.learn(org, snapshot, now)).await {
            Ok(bytes) => drop(self.orgs.lock().resize(org_id, bytes)),
            Err(error) if error.kind() == Kind::Corrupt => {
                // The new events are sound, and must not wait until the damage is repaired.
                tracing::warn!(%error, %org_id, "cannot read the series of an organisation");
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Learns the series of a version; returns the memory that they take.
    async fn learn(
        &self,
        org: &Arc<OrgSeries>,
        snapshot: Arc<Snapshot>,
        now: Micros,
    ) -> Result<usize, SqlError> {
        let turn = self.rollup.turn(org.org_id.as_str()).await;
        let (rollup, asked) = (self.rollup.clone(), org.clone());
        // In a separate task: after a cold start it may outlast the request, and help the next one.
        let work = tokio::spawn(async move {
            let learn = |version, series: &SeriesMap| asked.known.lock().learn(version, series);
            rollup.show_series(turn, &asked.org_id, &snapshot, now, learn).await
        });
        work.await.map_err(|error| ArchiveError::internal("asking for series", error))?
    }

    fn org(&self, org_id: &str) -> Result<Arc<OrgSeries>, ArchiveError> {
        let mut orgs = self.orgs.lock();
        if let Some(org) = orgs.get_mut(org_id) {
            return Ok(org.clone());
        }
        let org_id = OrgId::parse(org_id);
        let org_id = org_id.map_err(|error| ArchiveError::internal("looking for series", error))?;
        let org = Arc::new(OrgSeries::new(org_id));
        orgs.put(org.org_id.clone(), org.clone(), 0);
        Ok(org)
    }
}

/// The names in a batch.
struct NameColumns<'a> {
    orgs: &'a StringArray,
    event_types: &'a StringArray,
    providers: &'a StringArray,
    models: &'a StringArray,
}

impl<'a> NameColumns<'a> {
    fn of(batch: &'a EventBatch) -> Result<Self, ArchiveError> {
        let column = |name: &str| {
            let column = batch.record_batch().column_by_name(name);
            let column = column.and_then(|column| column.as_string_opt::<i32>());
            column.ok_or_else(|| ArchiveError::internal("looking for series", name.to_owned()))
        };
        Ok(Self {
            orgs: column("org_id")?,
            event_types: column("event_type")?,
            providers: column("provider")?,
            models: column("model")?,
        })
    }

    /// Each row; `None` if it cannot be of a series.
    fn rows(&self) -> impl Iterator<Item = Option<EventNames<'a>>> + use<'a> {
        let rows = self.orgs.iter().zip(self.event_types).zip(self.providers).zip(self.models);
        rows.map(|(((org_id, event_type), provider), model)| {
            event_type.filter(|event_type| *event_type == API_CALL)?;
            Some((org_id?, provider?, model?))
        })
    }
}

/// The names in rows, by organisation, in the order of the rows.
fn by_org<'a>(batches: &[NameColumns<'a>]) -> Vec<(&'a str, Vec<SeriesRequest<'a>>)> {
    let (mut orgs, mut last) = (ByOrg::<(HashSet<_, RandomState>, Vec<_>)>::default(), None);
    for row in batches.iter().flat_map(NameColumns::rows).flatten() {
        if last.replace(row) == Some(row) {
            continue;
        }
        let (org_id, provider, model) = row;
        let (seen, asked) = orgs.of(org_id);
        if seen.insert((provider, model))
            && let (Some(provider), Some(model)) = (label(provider), label(model))
        {
            let series = (model != OTHER).then(|| series_name(&provider, &model));
            let provider = Some(provider).filter(|provider| provider != OTHER);
            asked.push(SeriesRequest { row, provider, series });
        }
    }
    let orgs = orgs.into_sorted().into_iter().map(|(org_id, (_, asked))| (org_id, asked));
    orgs.filter(|(_, asked)| !asked.is_empty()).collect()
}

/// A provider or model in the spelling of the counters (`queries/partial.sql`, `partial.rs`);
/// `None` if it is never a label.
fn label(text: &str) -> Option<String> {
    let label = printable(&text.trim_matches(' ').to_lowercase());
    (!label.is_empty() && label != "unknown").then_some(label)
}
