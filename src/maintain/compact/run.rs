//! Runs what is planned: one rewrite after the other, then the vacuum.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Days;
use serde::Serialize;

use super::plan::{Limits, Rewrite, outlook, plan};
use crate::archive::{Archive, ArchiveError, DataFile, Rewritten, StaleFiles, date_of};
use crate::clock::Clock;
use crate::error::Kind;
use crate::rollup::Rollup;
use crate::sql::SqlError;
use crate::telemetry::Telemetry;

/// Maximum plans in one run. Each makes files of a higher tier; what writers add meanwhile is left
/// to the next run.
const PASSES_MAX: usize = 16;

/// How an archive is compacted.
#[derive(Debug, Clone, Copy)]
pub struct CompactSettings {
    /// The size that files are merged up to, in bytes.
    pub target_bytes: u64,
    /// How long a file that the table no longer names is kept.
    pub grace: Duration,
}

impl CompactSettings {
    /// [`CompactSettings::target_bytes`] by default.
    pub const TARGET_BYTES: u64 = 128 << 20;
    /// [`CompactSettings::grace`] by default.
    pub const GRACE: Duration = Duration::from_secs(24 * 3_600);
}

impl Default for CompactSettings {
    fn default() -> Self {
        Self { target_bytes: Self::TARGET_BYTES, grace: Self::GRACE }
    }
}

/// What a compaction did, or would do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct CompactSummary {
    /// Rewrites that were committed.
    pub rewrites: usize,
    /// Live files before.
    pub files_before: usize,
    /// Live files after.
    pub files_after: usize,
    /// Files deleted that no version names.
    pub deleted: usize,
}

/// Compacts one archive.
#[derive(Debug)]
pub struct Compactor {
    archive: Arc<Archive>,
    rollup: Arc<Rollup>,
    clock: Arc<dyn Clock>,
    telemetry: Telemetry,
    settings: CompactSettings,
    /// Files that could not be rewritten, and are not tried again.
    spoiled: HashSet<Arc<str>>,
    /// Undamaged files that take too much memory to be merged.
    too_heavy: HashSet<Arc<str>>,
}

/// The outcome of a rewrite.
enum Step {
    /// It was not made: another process was first.
    Nothing,
    /// It was made, or its files are now left alone.
    Whole,
    /// Some of its files are left for another rewrite.
    Cut,
}

impl Compactor {
    /// A compactor that has done nothing yet.
    pub fn new(
        archive: Arc<Archive>,
        rollup: Arc<Rollup>,
        clock: Arc<dyn Clock>,
        telemetry: Telemetry,
        settings: CompactSettings,
    ) -> Self {
        let (spoiled, too_heavy) = Default::default();
        Self { archive, rollup, clock, telemetry, settings, spoiled, too_heavy }
    }

    /// What [`Compactor::compact`] and [`Compactor::vacuum`] would do now; `note` is called with
    /// each step. Changes nothing.
    ///
    /// # Errors
    /// Unavailable or Corrupt.
    pub async fn preview(&self, mut note: impl FnMut(String)) -> Result<CompactSummary, SqlError> {
        let snapshot = self.archive.newest().await?;
        let limits = self.limits();
        plan(snapshot.files(), &limits)
            .iter()
            .for_each(|rewrite| note(told("would merge", rewrite)));
        let stale = self.archive.stale_files(self.settings.grace).await?;
        stale.paths().for_each(|path| note(format!("would delete {path}")));
        let (rewrites, files_after) = outlook(snapshot.files(), &limits);
        let (files_before, deleted) = (snapshot.file_count(), stale.len());
        Ok(CompactSummary { rewrites, files_before, files_after, deleted })
    }

    /// Rewrites until there is nothing more to gain. After each rewrite it waits `rest` times as
    /// long as that took. Returns how many were committed.
    ///
    /// # Errors
    /// Unavailable. A damaged file is logged and left alone.
    pub async fn compact(
        &mut self,
        rest: u32,
        mut note: impl FnMut(String),
    ) -> Result<usize, SqlError> {
        let mut done = 0;
        let mut passes = 0;
        while passes < PASSES_MAX {
            let snapshot = self.archive.newest().await?;
            let files = snapshot.files().filter(|file| !self.is_left_alone(file));
            let rewrites = plan(files, &self.limits());
            let (mut gained, mut cut) = (false, false);
            for rewrite in rewrites {
                let began = Instant::now();
                note(told("merging", &rewrite));
                match self.rewrite(&rewrite, &mut done).await? {
                    Step::Nothing => {}
                    Step::Whole => gained = true,
                    Step::Cut => (gained, cut) = (true, true),
                }
                tokio::time::sleep(began.elapsed() * rest).await;
            }
            if !gained {
                break;
            }
            // A pass with a cut does not count: its plan had more to do, and each cut leaves fewer
            // files.
            passes += usize::from(!cut);
        }
        Ok(done)
    }

    async fn rewrite(&mut self, rewrite: &Rewrite, done: &mut usize) -> Result<Step, SqlError> {
        let meters = &self.telemetry.maintain;
        match self.archive.rewrite(&rewrite.files).await {
            Ok(Some(Rewritten { files, bytes })) => {
                *done += 1;
                meters.rewrites.inc();
                meters.rewritten_files.add(files);
                meters.rewritten_bytes.add(usize::try_from(bytes).unwrap_or(usize::MAX));
                Ok(if files < rewrite.files.len() { Step::Cut } else { Step::Whole })
            }
            // Another compactor, or expiry, was first.
            Ok(None) => {
                meters.rewrites_given_up.inc();
                Ok(Step::Nothing)
            }
            Err(ArchiveError::NotMerged { path, reason }) => {
                tracing::warn!(path, reason, "a file takes too much memory to be merged");
                let heavy = rewrite.files.iter().find(|file| file.path_in_archive() == path);
                self.too_heavy.extend(heavy.map(|file| file.path.clone()));
                Ok(if heavy.is_some() { Step::Cut } else { Step::Nothing })
            }
            Err(error) if error.kind() == Kind::Corrupt => {
                meters.rewrite_failures.inc();
                tracing::warn!(%error, date = %rewrite.date, "files could not be merged");
                let named = |file: &&Arc<DataFile>| match &error {
                    // Its neighbours can be merged without it.
                    ArchiveError::Foreign { path, .. } => file.path_in_archive() == *path,
                    _ => true,
                };
                let spoiled = rewrite.files.iter().filter(named).map(|file| file.path.clone());
                self.spoiled.extend(spoiled);
                Ok(Step::Whole)
            }
            Err(error) => {
                meters.rewrite_failures.inc();
                Err(error.into())
            }
        }
    }

    /// Deletes files that no version has named for the grace. Returns how many.
    ///
    /// # Errors
    /// Unavailable or Corrupt.
    pub async fn vacuum(&self) -> Result<usize, SqlError> {
        let stale = self.archive.stale_files(self.settings.grace).await?;
        if stale.is_empty() {
            return Ok(0);
        }
        self.cover(&stale).await;
        let deleted = self.archive.vacuum(stale).await?;
        self.telemetry.maintain.vacuumed_files.add(deleted);
        Ok(deleted)
    }

    /// Makes a totals snapshot before stale files are deleted. A cold start adds up the files that
    /// came after the last one; if those are gone, it has to add up all live files.
    async fn cover(&self, stale: &StaleFiles) {
        let make = |snapshot| async move {
            self.rollup.snapshot_totals(&snapshot, self.clock.now()).await
        };
        if let Err(error) = self.archive.at_newest(self.archive.current(), make).await {
            let files = stale.len();
            tracing::warn!(%error, files, "no totals snapshot before old files are deleted");
        }
    }

    /// The number of live files now.
    ///
    /// # Errors
    /// Unavailable or Corrupt.
    pub async fn file_count(&self) -> Result<usize, ArchiveError> {
        Ok(self.archive.newest().await?.file_count())
    }

    /// Whether some files could not be rewritten.
    pub fn has_failed(&self) -> bool {
        !self.spoiled.is_empty()
    }

    fn is_left_alone(&self, file: &DataFile) -> bool {
        self.spoiled.contains(&file.path) || self.too_heavy.contains(&file.path)
    }

    /// Yesterday still grows, because events come late.
    fn limits(&self) -> Limits {
        let today = date_of(self.clock.now()).unwrap_or_default();
        let growing_from = today.checked_sub_days(Days::new(1)).unwrap_or(today);
        Limits { bytes_max: self.settings.target_bytes, growing_from }
    }
}

fn told(doing: &str, rewrite: &Rewrite) -> String {
    let Rewrite { date, files } = rewrite;
    format!(
        "{doing} {} files of {date} with {} events in {} bytes",
        files.len(),
        rewrite.rows(),
        rewrite.bytes()
    )
}
