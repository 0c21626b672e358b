//! The work: date by date, part by part, file by file, batch by batch.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use chrono::NaiveDate;
use futures::{FutureExt as _, TryStreamExt as _};

use super::changes::CostChanges;
use super::due_calls::{COLUMNS, DueCalls};
use super::earlier::EarlierByEvent;
use super::expired::expired;
use super::hash_part::HashPart;
use super::pending::PendingCorrections;
use super::stored_events::{open_events, with_all};
use super::{LeftCalls, RepriceError, RepriceOutcome, RepriceScope};
use crate::archive::{Archive, DataFile, Snapshot};
use crate::clock::Clock;
use crate::event::{EventError, NewCorrections};
use crate::pricing::{Pricer, Prices};
use crate::printable::counted;
use crate::sql::{CarriedCells, CellKind, Engine};

/// Time between two lines of progress.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// The share of the memory that is for corrections that wait. A commit takes some more for each.
const PENDING_SHARE: usize = 8;
/// The share that is for corrections from before.
const EARLIER_SHARE: usize = 4;

/// What a reprice works on.
#[derive(Debug)]
pub struct Repricing<'r> {
    /// The archive that has the events and gets the corrections.
    pub archive: &'r Archive,
    /// Reads the sums that files carry.
    pub engine: &'r Engine,
    /// The tables.
    pub prices: &'r Prices,
    /// The time that corrections come in at.
    pub clock: &'r dyn Clock,
    /// Which calls.
    pub scope: RepriceScope,
    /// Whether it only tells what would change.
    pub dry_run: bool,
    /// Memory for earlier corrections and for those that wait, in bytes.
    pub memory_bytes: usize,
}

/// Gives calls the costs that tables tell, by corrections; until the end, or until `stop` is done. After
/// `stop`, the commit under way is finished, and the rest is left for the next run. `note` is given a line of
/// progress now and then.
pub async fn reprice(
    what: &Repricing<'_>,
    stop: impl Future<Output = ()>,
    note: impl FnMut(String),
) -> RepriceOutcome {
    let mut run = RepriceRun {
        what,
        pricer: Pricer::new(what.prices),
        pending: PendingCorrections::new(what.memory_bytes / PENDING_SHARE),
        attempt: DateAttempt::default(),
        outcome: RepriceOutcome::default(),
        stop: Box::pin(stop),
        progress: RepriceProgress {
            note,
            told_at: what.archive.elapsed(),
            done: 0,
            dates: 0,
            events: 0,
        },
    };
    let worked = run.work().await;
    RepriceOutcome { error: worked.err(), ..run.outcome }
}

/// What is known of the date at hand, until it is done: it may have to be begun again.
#[derive(Default)]
struct DateAttempt {
    /// What is not committed yet.
    changes: CostChanges,
    attributes_dropped: u64,
    left: LeftCalls,
}

struct RepriceProgress<N> {
    note: N,
    told_at: Duration,
    done: usize,
    dates: usize,
    events: u64,
}

struct RepriceRun<'r, S, N> {
    what: &'r Repricing<'r>,
    pricer: Pricer<'r>,
    pending: PendingCorrections,
    attempt: DateAttempt,
    outcome: RepriceOutcome,
    stop: Pin<Box<S>>,
    progress: RepriceProgress<N>,
}

impl<S: Future<Output = ()>, N: FnMut(String)> RepriceRun<'_, S, N> {
    async fn work(&mut self) -> Result<(), RepriceError> {
        let Repricing { archive, engine, scope, .. } = self.what;
        let first = archive.newest().await?;
        let count =
            |snapshot: Arc<Snapshot>| async move { expired(engine, scope, &snapshot).await };
        self.outcome.left.expired = archive.at_newest(first.clone(), count).await?;
        self.outcome.floor = first.floor();
        let files = first.files().filter(|file| scope.may_be_in(file));
        let dates: BTreeSet<_> = files.map(|file| file.date).collect();
        self.progress.dates = dates.len();
        for date in dates {
            if self.is_stopped() {
                return Ok(());
            }
            self.date(date).await?;
            self.progress.done += 1;
        }
        Ok(())
    }

    /// Whether it was told to stop. What waits is not committed then.
    fn is_stopped(&mut self) -> bool {
        if !self.outcome.stopped {
            self.outcome.stopped = self.stop.as_mut().now_or_never().is_some();
        }
        self.outcome.stopped
    }

    /// Does one date, at the newest version; and again at a newer one, if files were rewritten and removed
    /// meanwhile. What was committed before that is known then.
    async fn date(&mut self, date: NaiveDate) -> Result<(), RepriceError> {
        let archive = self.what.archive;
        let mut snapshot = archive.newest().await?;
        loop {
            self.attempt = DateAttempt::default();
            self.pending.clear();
            let error = match self.date_at(&snapshot, date).await {
                Ok(()) => break,
                Err(error) => error,
            };
            snapshot = archive.newer(&snapshot, &error).await?.ok_or(error)?;
        }
        // What waits when it is told to stop is in no commit, and so no change.
        let DateAttempt { changes, left, .. } = std::mem::take(&mut self.attempt);
        let changes = if self.pending.is_empty() { changes } else { CostChanges::default() };
        self.outcome.changes.merge(changes);
        self.outcome.left.merge(left);
        Ok(())
    }

    async fn date_at(&mut self, snapshot: &Snapshot, date: NaiveDate) -> Result<(), RepriceError> {
        let Repricing { archive, scope, memory_bytes, .. } = self.what;
        // A correction may be at another time of the date than what is asked for.
        let files = snapshot.files_of(date).filter(|file| scope.may_be_of_org(file));
        let files: Vec<_> = files.cloned().collect();
        let mut due = Vec::new();
        for file in files.iter().filter(|file| scope.may_be_in(file)) {
            if self.may_be_due(file).await? {
                due.push(file.clone());
            }
        }
        let mut parts = Vec::from_iter((!due.is_empty()).then_some(HashPart::WHOLE));
        while let Some(part) = parts.pop() {
            let asked = (scope, part);
            let earlier = EarlierByEvent::read(
                archive,
                snapshot,
                &files,
                asked,
                memory_bytes / EARLIER_SHARE,
            )
            .await?;
            let Some(earlier) = earlier else {
                parts.extend(part.halves());
                continue;
            };
            let calls = DueCalls { snapshot, scope, part, earlier: &earlier };
            for file in &due {
                self.file(&calls, file).await?;
                if self.outcome.stopped {
                    return Ok(());
                }
            }
            self.commit().await?;
        }
        Ok(())
    }

    /// False only if the sums that a file carries say that no call of it is due.
    async fn may_be_due(&self, file: &Arc<DataFile>) -> Result<bool, RepriceError> {
        let Repricing { engine, scope, .. } = self.what;
        let Some(cells) = CarriedCells::of(&CellKind::Core, file) else { return Ok(true) };
        let cells = engine.stored_partial(cells, scope.orgs()).await?;
        Ok(cells.iter().any(|cell| scope.may_be_among(cell)))
    }

    async fn file(
        &mut self,
        calls: &DueCalls<'_>,
        file: &Arc<DataFile>,
    ) -> Result<(), RepriceError> {
        let Repricing { archive, scope, .. } = self.what;
        let mut rows = open_events(archive, calls.snapshot, file, &COLUMNS, scope).await?;
        while let Some(more) = rows.try_next().await? {
            if self.is_stopped() {
                return Ok(());
            }
            self.batch(calls, &with_all(more, &COLUMNS)?)?;
            if self.pending.is_full() {
                self.commit().await?;
            }
            self.tell();
        }
        Ok(())
    }

    fn batch(&mut self, calls: &DueCalls<'_>, rows: &RecordBatch) -> Result<(), EventError> {
        let found = calls.price(rows, &mut self.pricer)?;
        self.progress.events += rows.num_rows() as u64;
        self.attempt.left.merge(found.left);
        self.attempt.changes.merge(found.changes);
        if self.what.dry_run || found.corrections.is_empty() {
            return Ok(());
        }
        let dimensions = &calls.snapshot.table().dimensions;
        let now = self.what.clock.now();
        let made = NewCorrections::of(rows, &found.corrections, dimensions, now)?;
        self.attempt.attributes_dropped += made.attributes_dropped;
        self.pending.push(made.batch);
        Ok(())
    }

    /// Commits what waits. From then on its changes stay, even if the date is begun again.
    async fn commit(&mut self) -> Result<(), RepriceError> {
        if self.what.dry_run || self.pending.is_empty() {
            return Ok(());
        }
        let committed = self.pending.commit(self.what.archive).await?;
        let changes = std::mem::take(&mut self.attempt.changes);
        let dropped = std::mem::take(&mut self.attempt.attributes_dropped);
        let late = committed.rejected.len() as u64;
        if late > 0 {
            // The whole date has expired meanwhile.
            self.outcome.left.expired += late;
            return Ok(());
        }
        self.outcome.changes.merge(changes);
        self.outcome.attributes_dropped += dropped;
        self.outcome.written += committed.accepted as u64;
        self.outcome.already += committed.duplicates as u64;
        Ok(())
    }

    fn tell(&mut self) {
        let now = self.what.archive.elapsed();
        let RepriceProgress { note, told_at, done, dates, events } = &mut self.progress;
        if now.saturating_sub(*told_at) < LINE_EVERY {
            return;
        }
        *told_at = now;
        let changed = match self.what.dry_run {
            true => self.attempt.changes.total().events + self.outcome.changes.total().events,
            false => self.outcome.written,
        };
        let (dates, events) = (counted(*dates, "date"), counted(*events, "event"));
        let changed = counted(changed, "correction");
        note(format!("{done} of {dates}, {events} read, {changed}"));
    }
}
