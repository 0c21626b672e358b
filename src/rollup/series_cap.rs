//! How many series an organisation may have: events of one too many are stored under the model
//! `other`, before they are written, so that nothing ever moves from one series to another.
//!
//! Which series there are, the table says: an organisation's sums are asked once for all that it
//! sends, and again only where it sends a series that is new; what this process commits itself, it
//! knows. What several processes take in at the same time they do not know of each other, nor does
//! one that was not asked for long: this guards against a blow-up, and is no quota.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{AsArray as _, StringArray};
use foldhash::fast::RandomState;
use parking_lot::Mutex;

use super::partial::printable;
use super::{Rollup, SeriesMap};
use crate::archive::{Archive, ArchiveError, ByOrg, JobMark, Outcome, Snapshot};
use crate::byte_lru::ByteLru;
use crate::clock::Micros;
use crate::error::Kind;
use crate::event::{API_CALL, EventBatch};
use crate::sql::SqlError;
use crate::telemetry::Telemetry;

/// The model that events of one series too many are stored under; it is always allowed.
const OTHER: &str = "other";
/// What others commit is known so soon, where a series is new here. A server follows them as fast.
const STALENESS_MAX: Duration = Duration::from_secs(1);
/// Memory for what is known of organisations' series.
const KNOWN_BYTES_MAX: usize = 64 << 20;
/// Memory of one known series beside its name.
const ENTRY_BYTES: usize = 64;

/// Provider and model as one name, in the spelling of the counters.
type SeriesName = Arc<str>;

/// Keeps organisations from having more series than they may.
#[derive(Debug)]
pub struct SeriesCap {
    rollup: Arc<Rollup>,
    series_max: usize,
    orgs: Mutex<ByteLru<Arc<str>, Arc<OrgSeries>>>,
    telemetry: Telemetry,
}

/// Events as they may be stored.
struct Capped {
    batches: Vec<EventBatch>,
    /// To be kept until they are committed.
    admitted: Admitted,
}

/// New series that are on their way into the table. Once this is dropped, the table tells of them,
/// or they are not there.
#[derive(Default)]
struct Admitted(Vec<(Arc<OrgSeries>, SeriesName)>);

/// What is known of one organisation.
#[derive(Debug)]
struct OrgSeries {
    org_id: Arc<str>,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// The version of the table that was asked last.
    version: Option<u64>,
    /// The series in it, and those of our own since then, that count.
    in_table: HashSet<SeriesName>,
    /// How many series that version has, with those that do not count.
    in_table_all: usize,
    /// Memory that they take.
    bytes: usize,
    /// New ones by how many batches bring them.
    on_their_way: HashMap<SeriesName, usize>,
}

impl SeriesCap {
    /// A cap of `series_max` for each organisation, besides one series for each provider.
    pub fn new(rollup: Arc<Rollup>, series_max: usize, telemetry: Telemetry) -> Self {
        let orgs = Mutex::new(ByteLru::new(KNOWN_BYTES_MAX));
        Self { rollup, series_max, orgs, telemetry }
    }

    /// Commits batches as [`Archive::submit_part`] does, their events as they may be stored.
    ///
    /// # Errors
    /// As those of [`Archive::submit_part`]; Unavailable, if it cannot be told which series there
    /// are.
    pub async fn submit(
        &self,
        archive: &Archive,
        batches: Vec<EventBatch>,
        mark: Option<JobMark>,
        now: Micros,
    ) -> Result<Outcome, SqlError> {
        let Capped { batches, admitted } = self.apply(batches, archive, now).await?;
        let outcome = archive.submit_part(batches, mark).await?;
        // Of a duplicate, another event stands: it may be of another series.
        if outcome.duplicates == 0 && outcome.rejected.is_empty() {
            self.stand(admitted);
        }
        Ok(outcome)
    }

    async fn apply(
        &self,
        batches: Vec<EventBatch>,
        archive: &Archive,
        now: Micros,
    ) -> Result<Capped, SqlError> {
        let names = batches.iter().map(Names::of).collect::<Result<Vec<_>, _>>()?;
        let (mut admitted, mut over) = (Admitted::default(), HashSet::new());
        for (org_id, asked) in by_org(&names) {
            let org = self.org(org_id);
            if org.known.lock().has_all(&asked) {
                continue;
            }
            let snapshot = archive.fresh(STALENESS_MAX).await?;
            self.ask_table(&org, archive, snapshot, now).await?;
            org.admit(asked, self.series_max, &mut admitted, &mut over);
        }
        if over.is_empty() {
            return Ok(Capped { batches, admitted });
        }
        let batches = batches.iter().zip(&names);
        let batches = batches.map(|(batch, names)| self.renamed(batch, names, &over));
        Ok(Capped { batches: batches.collect::<Result<_, _>>()?, admitted })
    }

    /// Takes note that these series are in the table now.
    fn stand(&self, mut admitted: Admitted) {
        for (org, name) in admitted.0.drain(..) {
            let bytes = org.known.lock().stand(name);
            self.orgs.lock().resize(&org.org_id, bytes);
        }
    }

    fn renamed(
        &self,
        batch: &EventBatch,
        names: &Names<'_>,
        over: &HashSet<Row<'_>>,
    ) -> Result<EventBatch, ArchiveError> {
        let chosen = names.rows().map(|row| row.is_some_and(|row| over.contains(&row)));
        let chosen: Vec<bool> = chosen.collect();
        let renamed = batch.with_model(&chosen, OTHER);
        let (batch, dropped) =
            renamed.map_err(|error| ArchiveError::internal("renaming models", error))?;
        let telemetry = &self.telemetry.ingest;
        telemetry.models_renamed.add(chosen.iter().filter(|chosen| **chosen).count());
        telemetry.attributes_dropped.add(usize::try_from(dropped).unwrap_or(usize::MAX));
        Ok(batch)
    }

    /// Learns what has come into the table since it was last asked.
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
        let org_id = &*org.org_id;
        match archive.at_newest(snapshot, |snapshot| self.learn(org, snapshot, now)).await {
            Ok(bytes) => drop(self.orgs.lock().resize(org_id, bytes)),
            Err(error) if error.kind() == Kind::Corrupt => {
                // What is sent now is sound, and must not wait for what is damaged to be mended.
                tracing::warn!(%error, org_id, "no telling how many series there are");
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Learns what a version has; gives the memory that it takes.
    async fn learn(
        &self,
        org: &Arc<OrgSeries>,
        snapshot: Arc<Snapshot>,
        now: Micros,
    ) -> Result<usize, SqlError> {
        let turn = self.rollup.turn(&org.org_id).await;
        let (rollup, asked) = (self.rollup.clone(), org.clone());
        // In a task: after a cold start it may outlast a request, and the next finds it done.
        let work = tokio::spawn(async move {
            let learn = |version, series: &SeriesMap| asked.known.lock().learn(version, series);
            rollup.show_series(turn, &asked.org_id, &snapshot, now, learn).await
        });
        work.await.map_err(|error| ArchiveError::internal("asking for series", error))?
    }

    fn org(&self, org_id: &str) -> Arc<OrgSeries> {
        let mut orgs = self.orgs.lock();
        if let Some(org) = orgs.get_mut(org_id) {
            return org.clone();
        }
        let org = OrgSeries { org_id: org_id.into(), known: Mutex::default() };
        let org = Arc::new(org);
        orgs.put(org.org_id.clone(), org.clone(), 0);
        org
    }
}

impl Known {
    fn has_all(&self, asked: &[(Row<'_>, SeriesName)]) -> bool {
        asked.iter().all(|(_, name)| self.in_table.contains(name))
    }

    /// Takes over what a version has; gives the memory that it takes.
    fn learn(&mut self, version: u64, series: &SeriesMap) -> usize {
        self.version = Some(version);
        // Series never go, so as many are the same.
        if series.len() != self.in_table_all {
            let counted = series.keys().filter(|(_, model)| model.as_ref() != OTHER);
            self.in_table = counted.map(|(provider, model)| series_name(provider, model)).collect();
            self.in_table_all = series.len();
            self.bytes = self.in_table.iter().map(|name| name.len() + ENTRY_BYTES).sum();
        }
        self.bytes
    }

    /// Moves a series on its way into the table; gives the memory that all of them take.
    fn stand(&mut self, name: SeriesName) -> usize {
        self.release(&name);
        let bytes = name.len() + ENTRY_BYTES;
        if self.in_table.insert(name) {
            self.bytes += bytes;
        }
        self.bytes
    }

    /// One batch less brings a series.
    fn release(&mut self, name: &SeriesName) {
        match self.on_their_way.get_mut(name) {
            Some(batches) if *batches > 1 => *batches -= 1,
            _ => drop(self.on_their_way.remove(name)),
        }
    }
}

impl OrgSeries {
    /// Lets in what is known, and what is new as long as there is room.
    fn admit<'a>(
        self: &Arc<Self>,
        asked: Vec<(Row<'a>, SeriesName)>,
        series_max: usize,
        admitted: &mut Admitted,
        over: &mut HashSet<Row<'a>>,
    ) {
        let mut known = self.known.lock();
        let Known { in_table, on_their_way, .. } = &mut *known;
        let new = on_their_way.keys().filter(|name| !in_table.contains(*name)).count();
        let mut series = in_table.len() + new;
        for (row, name) in asked {
            if in_table.contains(&name) {
                continue;
            }
            match on_their_way.get_mut(&name) {
                Some(batches) => *batches += 1,
                None if series < series_max => {
                    series += 1;
                    on_their_way.insert(name.clone(), 1);
                }
                None => {
                    over.insert(row);
                    continue;
                }
            }
            admitted.0.push((self.clone(), name));
        }
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        for (org, name) in self.0.drain(..) {
            org.known.lock().release(&name);
        }
    }
}

/// Organisation, provider and model of an event, as it was sent.
type Row<'a> = (&'a str, &'a str, &'a str);

/// The names in a batch.
struct Names<'a> {
    orgs: &'a StringArray,
    event_types: &'a StringArray,
    providers: &'a StringArray,
    models: &'a StringArray,
}

impl<'a> Names<'a> {
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

    /// Each row; none where it cannot be of a series.
    fn rows(&self) -> impl Iterator<Item = Option<Row<'a>>> + use<'a> {
        let rows = self.orgs.iter().zip(self.event_types).zip(self.providers).zip(self.models);
        rows.map(|(((org_id, event_type), provider), model)| {
            event_type.filter(|event_type| *event_type == API_CALL)?;
            Some((org_id?, provider?, model?))
        })
    }
}

/// The series that rows are of and that count, by organisation, in the order of the rows.
fn by_org<'a>(batches: &[Names<'a>]) -> Vec<(&'a str, Vec<(Row<'a>, SeriesName)>)> {
    let (mut orgs, mut last) = (ByOrg::<(HashSet<_, RandomState>, Vec<_>)>::default(), None);
    for row in batches.iter().flat_map(Names::rows).flatten() {
        if last.replace(row) == Some(row) {
            continue;
        }
        let (org_id, provider, model) = row;
        let (seen, asked) = orgs.of(org_id);
        if seen.insert((provider, model))
            && let (Some(provider), Some(model)) = (label(provider), label(model))
            && model != OTHER
        {
            asked.push((row, series_name(&provider, &model)));
        }
    }
    let orgs = orgs.into_sorted().into_iter().map(|(org_id, (_, asked))| (org_id, asked));
    orgs.filter(|(_, asked)| !asked.is_empty()).collect()
}

/// A provider or model in the spelling of the counters (`queries/partial.sql`, `partial.rs`); none
/// where it is never a label.
fn label(text: &str) -> Option<String> {
    let label = printable(&text.trim_matches(' ').to_lowercase());
    (!label.is_empty() && label != "unknown").then_some(label)
}

/// One name of two that no two others make.
fn series_name(provider: &str, model: &str) -> SeriesName {
    format!("{}:{provider}{model}", provider.len()).into()
}
