//! What the program does for its callers, without HTTP: scrapes, batches, queries, readiness.

mod bodies;
mod bound;
mod budget_answer;
mod budget_calls;
mod budgets;
mod coded;
mod commit;
mod error;
mod event_search;
mod had_events;
mod query;
mod scrape;
mod sender;
mod settings;
mod shown_tables;
mod spending;
mod tenants;
mod usage;

use std::sync::Arc;

use bytes::Bytes;
use tokio_util::task::AbortOnDropHandle;

pub use self::bodies::BodyForm;
pub use self::budgets::BUDGET_ANSWERS_BYTES_MAX;
pub use self::error::AppError;
pub use self::sender::Sender;
pub use self::settings::AppSettings;
pub use self::usage::{UsageAnswer, UsageForm};
pub use crate::ingest::Receipt;

use self::bodies::Bodies;
use self::budgets::Budgets;
use self::event_search::EventSearch;
use crate::access::{AccessError, AccessKeys, Caller, Identity, Jwts};
use crate::admission::Admission;
use crate::archive::{Archive, ArchivePlace, TotalsStore};
use crate::clock::{Clock, Micros};
use crate::event::Decoded;
use crate::ingest::{ContentKind, IngestError, Kept, decode_keeping, decompress};
use crate::maintain::compact::{self, Compactor, keep_compacted};
use crate::maintain::{Expiry, Retention, expire};
use crate::rollup::{Rollup, SeriesCap};
use crate::sql::{Engine, sql_version};
use crate::telemetry::Telemetry;
use crate::worker::Workers;

/// The running program.
#[derive(Debug)]
pub struct App {
    archive: Arc<Archive>,
    rollup: Arc<Rollup>,
    bodies: Arc<Bodies>,
    admission: Arc<Admission>,
    budgets: Arc<Budgets>,
    keys: AccessKeys,
    jwts: Option<Jwts>,
    event_search: Arc<EventSearch>,
    workers: Option<Workers>,
    clock: Arc<dyn Clock>,
    telemetry: Telemetry,
    settings: AppSettings,
    /// Background tasks.
    tasks: Vec<AbortOnDropHandle<()>>,
}

impl App {
    /// Opens the archive with its root at `store`.
    ///
    /// # Errors
    /// As [`Archive::open`] and [`Jwts::open`].
    pub async fn open(
        store: Arc<dyn object_store::ObjectStore>,
        clock: Arc<dyn Clock>,
        telemetry: Telemetry,
        settings: AppSettings,
    ) -> Result<Self, AppError> {
        // All reads and writes are by the place's store, which notices that another archive is there.
        let place = ArchivePlace::new(store, clock.clone())?;
        let engine = Arc::new(Engine::new(place.store())?.noting());
        // A quarter for bodies, because they are a few times the size of the sums that they show.
        let bodies_bytes_max = settings.cache_bytes_max / 4;
        let bodies = Arc::new(Bodies::new(bodies_bytes_max));
        let rollup_bytes_max = settings.cache_bytes_max - bodies_bytes_max;
        let totals = TotalsStore::new(place.store(), clock.clone(), sql_version())?;
        let rollup = Rollup::new(engine, Some(totals), rollup_bytes_max, telemetry.clone());
        let rollup = Arc::new(rollup);
        let partials = Some(rollup.partial_maker());
        let archive = Archive::open_at(
            place,
            clock.clone(),
            telemetry.clone(),
            partials,
            settings.writer.clone(),
            settings.follow.clone(),
        )
        .await?;
        let archive = Arc::new(archive);
        let jwts = Jwts::open(&settings.jwt, clock.clone(), &telemetry).await;
        let jwts = jwts.map_err(AccessError::Jwt)?;
        let records = archive.records().clone();
        let keys = AccessKeys::watched(records, clock.clone(), telemetry.key_expiries.clone());
        let workers = settings.worker.clone();
        let workers = workers.map(|settings| Workers::new(settings, telemetry.clone()));
        let values_max = settings.dimension_values_max;
        let cap =
            |max| Arc::new(SeriesCap::new(rollup.clone(), max, values_max, telemetry.clone()));
        let prices = settings.prices.book(archive.records().clone(), clock.clone());
        let prices = prices.map_err(|error| AppError::Internal(error.to_string()))?;
        let admission = Admission::new(archive.clone(), prices, settings.series_max.map(cap));
        let sees = (settings.webhooks.clone(), settings.staleness_max);
        let budgets = Budgets::new(&archive, &rollup, sees, clock.clone(), telemetry.clone());
        let event_search = Arc::new(EventSearch::new(archive.clone()));
        let mut app = Self {
            archive,
            rollup,
            bodies,
            admission: Arc::new(admission),
            budgets: Arc::new(budgets),
            keys,
            jwts,
            event_search,
            workers,
            clock,
            telemetry,
            settings,
            tasks: Vec::new(),
        };
        app.start_tasks();
        Ok(app)
    }

    fn start_tasks(&mut self) {
        let mut tasks = Vec::new();
        if let Some(work_max) = self.settings.totals_work_max {
            let (rollup, clock) = (self.rollup.clone(), self.clock.clone());
            let versions = self.archive.versions();
            let is_job = self.settings.is_job;
            let work = async move {
                match is_job {
                    true => rollup.keep_totals_of_job(versions, clock, work_max).await,
                    false => rollup.keep_totals_snapshots(versions, clock, work_max).await,
                }
            };
            tasks.push(tokio::spawn(work));
            if !is_job {
                let (rollup, clock) = (self.rollup.clone(), self.clock.clone());
                let (versions, refused) = (self.archive.versions(), self.archive.refusals());
                let work = async move {
                    let rewritten =
                        rollup.keep_totals_of_rewritten(versions.clone(), clock.clone());
                    let refused = rollup.keep_totals_of_refused(versions, refused, clock);
                    tokio::join!(rewritten, refused);
                };
                tasks.push(tokio::spawn(work));
            }
            let (rollup, versions) = (self.rollup.clone(), self.archive.versions());
            tasks.push(tokio::spawn(async move { rollup.keep_foreign_noted(versions).await }));
        }
        if let Some((settings, interval)) = self.settings.compact {
            tasks.push(tokio::spawn(keep_compacted(self.compactor(settings), interval)));
        }
        self.tasks = tasks.into_iter().map(AbortOnDropHandle::new).collect();
        if !self.settings.webhooks.is_empty() {
            self.tasks.extend(self.budgets.start(self.archive.versions()));
        }
    }

    /// A compactor, which merges small data files and deletes those that no version names.
    pub fn compactor(&self, settings: compact::CompactSettings) -> Compactor {
        let (archive, rollup) = (self.archive.clone(), self.rollup.clone());
        Compactor::new(archive, rollup, self.clock.clone(), self.telemetry.clone(), settings)
    }

    /// The caller who sends `token`, for its own organisation.
    ///
    /// # Errors
    /// As [`App::identify`]; Forbidden for an operator.
    pub async fn authenticate(&self, token: &str) -> Result<Arc<Caller>, AppError> {
        Ok(self.identify(token).await?.caller()?)
    }

    /// Identifies who sends `token`.
    ///
    /// # Errors
    /// Unauthenticated, or the reason why the key's record cannot be read.
    pub async fn identify(&self, token: &str) -> Result<Identity, AppError> {
        match &self.jwts {
            Some(jwts) if Jwts::is_jwt(token) => Ok(jwts.identify(token).await?),
            _ => Ok(self.keys.identify(token).await?),
        }
    }

    /// The time that decides which events are valid and where windows end.
    pub fn now(&self) -> Micros {
        self.clock.now()
    }

    /// The decompressed body.
    ///
    /// # Errors
    /// Invalid, if the body cannot be decompressed, or is too large once decompressed.
    pub fn decompress(&self, encoding: Option<&str>, body: Bytes) -> Result<Bytes, IngestError> {
        decompress(encoding, body, self.settings.body_bytes_max)
    }

    /// Reads the events of a body without a coding; nothing is written yet.
    ///
    /// # Errors
    /// Invalid, if the body as a whole is unusable.
    pub fn decode(
        &self,
        sender: impl Into<Sender>,
        kind: &ContentKind,
        body: &[u8],
    ) -> Result<Decoded, IngestError> {
        let snapshot = self.archive.current();
        let dimensions = snapshot.table().dimensions.iter();
        let dimensions: Vec<_> = dimensions.map(|dimension| &*dimension.attribute).collect();
        let builder = sender.into().builder(self.clock.now());
        let kept = Kept { dimensions: &dimensions };
        let decoded = decode_keeping(kind, body, &kept, builder)?;
        let telemetry = &self.telemetry.ingest;
        telemetry.rejected.add(decoded.rejected());
        for (mend, count) in decoded.mended.counts() {
            self.telemetry.metadata.mended(mend.name(), count);
        }
        telemetry
            .attributes_dropped
            .add(usize::try_from(decoded.attributes_dropped).unwrap_or(usize::MAX));
        Ok(decoded)
    }

    /// The admission step before a commit, for commands.
    pub fn admission(&self) -> &Arc<Admission> {
        &self.admission
    }

    /// Checks that the archive answers.
    ///
    /// # Errors
    /// Unavailable or Corrupt.
    pub async fn ready(&self) -> Result<(), AppError> {
        self.archive.newest().await?;
        Ok(())
    }

    /// Makes a totals snapshot of the newest version, if it has none.
    ///
    /// # Errors
    /// Unavailable or Corrupt.
    pub async fn snapshot_totals(&self) -> Result<(), AppError> {
        let snapshot = self.archive.newest().await?;
        let make = |snapshot| async move {
            self.rollup.snapshot_totals(&snapshot, self.clock.now()).await.map_err(AppError::from)
        };
        self.archive.at_newest(snapshot, make).await
    }

    /// Removes dates that are wholly past the retention from the table; their totals stay.
    ///
    /// # Errors
    /// As [`expire`].
    pub async fn expire(&self, retention: Retention) -> Result<Expiry, AppError> {
        let (telemetry, now) = (&self.telemetry.expiry, self.clock.now());
        match expire(&self.archive, &self.rollup, now, retention, false).await {
            Ok(expiry) => {
                telemetry.runs.inc();
                telemetry.events.add(usize::try_from(expiry.events).unwrap_or(usize::MAX));
                Ok(expiry)
            }
            Err(error) => {
                telemetry.failures.inc();
                Err(error.into())
            }
        }
    }

    /// The access keys, for commands.
    pub fn keys(&self) -> &AccessKeys {
        &self.keys
    }

    /// The archive, for commands.
    pub fn archive(&self) -> &Arc<Archive> {
        &self.archive
    }

    /// The program's settings.
    pub fn settings(&self) -> &AppSettings {
        &self.settings
    }

    /// The program's own telemetry.
    pub fn telemetry(&self) -> &Telemetry {
        &self.telemetry
    }

    /// Commits pending batches, then stops.
    pub async fn close(&self) {
        // An unfinished totals snapshot or rewrite is of no use; another run makes it again.
        self.tasks.iter().for_each(|task| task.abort());
        self.archive.close().await;
    }
}
