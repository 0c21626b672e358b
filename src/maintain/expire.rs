//! Retention: whole dates of events expire, and their totals stay.
//!
//! The totals of expiring files go into a new ledger, before the commit that takes the files out
//! and names the ledger. So a process that dies in between leaves an object that nothing names. A
//! commit that loses a race is planned anew: its files may have been rewritten, or late events have
//! come for an old date. The files themselves stay as objects until a vacuum.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveDate;
use serde::{Serialize, Serializer};

use crate::archive::{
    Archive, ArchiveError, DataFile, LedgerName, NewLedger, Snapshot, UNCOMMITTED_MAX, date_of,
};
use crate::clock::{DAY, Micros};
use crate::event::Dimensions;
use crate::event::time::EARLIEST;
use crate::rollup::Rollup;
use crate::sql::{SqlError, sql_version};

/// Tries of one commit while other writers are faster; each takes as long as a put.
const TRIES: usize = 256;
/// Files of one commit. The first expiry of an old archive takes several commits, of whole dates
/// each, so that no log entry is long.
const FILES_MAX: usize = 10_000;

/// The age at which events expire. Never less than two days, so that no window of 24 hours is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention(Duration);

/// A duration is too short for a retention.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("less than 2d: the last two days are needed for the cost of the last 24 hours")]
pub struct RetentionError;

impl Retention {
    /// The shortest retention.
    pub const MIN: Duration = Duration::from_secs(2 * 86_400);

    /// A date expires once all of its events are older than this.
    ///
    /// # Errors
    /// Invalid, if it is less than [`Retention::MIN`].
    pub fn new(older_than: Duration) -> Result<Self, RetentionError> {
        if older_than < Self::MIN { Err(RetentionError) } else { Ok(Self(older_than)) }
    }

    /// The first date that stays at `now`; `None` if no event can be that old.
    pub fn floor_at(self, now: Micros) -> Option<NaiveDate> {
        let age = Micros::try_from(self.0.as_micros()).unwrap_or(Micros::MAX);
        let cut = now.saturating_sub(age);
        date_of(cut).filter(|_| cut >= EARLIEST + DAY)
    }
}

/// What an expiry did, or would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Expiry {
    /// The first date whose events stay; earlier ones are rejected from now on. Null if nothing has
    /// ever expired.
    #[serde(serialize_with = "as_text")]
    pub floor: Option<NaiveDate>,
    /// Dates that lost their events.
    pub dates: usize,
    /// Data files taken out of the table.
    pub files: usize,
    /// Events in them.
    pub events: u64,
}

/// A date as `2026-01-31`.
fn as_text<S: Serializer>(date: &Option<NaiveDate>, serializer: S) -> Result<S::Ok, S::Error> {
    match date {
        Some(date) => serializer.collect_str(date),
        None => serializer.serialize_none(),
    }
}

impl Expiry {
    fn and(self, next: Self) -> Self {
        Self {
            floor: self.floor.max(next.floor),
            dates: self.dates + next.dates,
            files: self.files + next.files,
            events: self.events.saturating_add(next.events),
        }
    }
}

/// The files to take out at a version.
#[derive(Debug, Clone, PartialEq)]
struct ExpiryPlan {
    floor: NaiveDate,
    files: Vec<Arc<DataFile>>,
    /// The ledger that their totals are added to.
    ledger: Option<LedgerName>,
    /// What the next ledger tells besides the totals of organisations.
    dimensions: Arc<Dimensions>,
    corrections: bool,
}

impl ExpiryPlan {
    /// All files to take out, or a first part of about `files_max` files. `None` if the floor is
    /// reached already, so that nothing is left before it.
    fn at(snapshot: &Snapshot, floor: NaiveDate, files_max: usize) -> Option<Self> {
        let raised = snapshot.floor().is_none_or(|known| known < floor);
        let floor = step(snapshot.files_before(floor).map(|file| file.date), floor, files_max);
        let files = snapshot.files_before(floor).cloned().collect();
        let table = snapshot.table();
        raised.then(|| Self {
            floor,
            files,
            ledger: snapshot.ledger(),
            dimensions: table.dimensions.clone(),
            corrections: table.may_hold_corrections(),
        })
    }

    async fn events(&self, archive: &Archive) -> Result<u64, ArchiveError> {
        let mut events: u64 = 0;
        for file in &self.files {
            let rows = match file.rows {
                Some(rows) => rows,
                None => archive.event_hashes(file).await?.len() as u64,
            };
            events = events.saturating_add(rows);
        }
        Ok(events)
    }

    fn expiry(&self, events: u64) -> Expiry {
        let dates: BTreeSet<_> = self.files.iter().map(|file| file.date).collect();
        Expiry { floor: Some(self.floor), dates: dates.len(), files: self.files.len(), events }
    }
}

/// The date before which there are up to `files_max` files, but at least one date; `dates` are
/// those of the files before `floor`, in order.
fn step(dates: impl Iterator<Item = NaiveDate>, floor: NaiveDate, files_max: usize) -> NaiveDate {
    let mut first = None;
    for (files, date) in dates.enumerate() {
        let first = *first.get_or_insert(date);
        if files >= files_max && date != first {
            return date;
        }
    }
    floor
}

/// A stored ledger that no commit names yet.
struct Folded {
    plan: ExpiryPlan,
    events: u64,
    ledger: LedgerName,
    /// When it was begun, by the clock that counts sleep.
    begun_at: Duration,
}

impl Folded {
    /// True if it fits the plan, still exists, and cannot be vacuumed before a version names it.
    async fn serves(&self, archive: &Archive, plan: &ExpiryPlan) -> bool {
        let age = archive.elapsed().saturating_sub(self.begun_at);
        if self.plan != *plan || age >= UNCOMMITTED_MAX {
            return false;
        }
        let table_id = archive.current().table().id.clone();
        match archive.ledgers().open(self.ledger, &table_id).await {
            Ok(ledger) => ledger.check().await.is_ok(),
            Err(_) => false,
        }
    }
}

/// Takes all dates that are wholly past the retention out of the table, and raises the floor; with
/// `dry_run`, only reports what would go.
///
/// # Errors
/// Unavailable, if storage cannot be reached or other writers are always faster; Corrupt, naming
/// the object whose totals cannot be kept.
pub async fn expire(
    archive: &Archive,
    rollup: &Rollup,
    now: Micros,
    retention: Retention,
    dry_run: bool,
) -> Result<Expiry, SqlError> {
    let snapshot = archive.newest().await?;
    let mut done = Expiry { floor: snapshot.floor(), dates: 0, files: 0, events: 0 };
    let Some(floor) = retention.floor_at(now) else { return Ok(done) };
    check_settings(&snapshot)?;
    if dry_run {
        let Some(plan) = ExpiryPlan::at(&snapshot, floor, usize::MAX) else { return Ok(done) };
        return Ok(plan.expiry(plan.events(archive).await?));
    }
    while let Some(part) = expire_part(archive, rollup, floor).await? {
        done = done.and(part);
    }
    Ok(done)
}

/// Refuses if the table is set to be append-only.
fn check_settings(snapshot: &Snapshot) -> Result<(), ArchiveError> {
    if !snapshot.table().is_append_only() {
        return Ok(());
    }
    Err(ArchiveError::Unsupported {
        path: "events".to_owned(),
        reason: "its setting delta.appendOnly is true, so no events may be taken out; set it to false with the program that set it, or do not use expire".to_owned(),
    })
}

/// Takes out the files of one commit; `None` if nothing is left to do.
async fn expire_part(
    archive: &Archive,
    rollup: &Rollup,
    floor: NaiveDate,
) -> Result<Option<Expiry>, SqlError> {
    let mut folded: Option<Folded> = None;
    for _ in 0..TRIES {
        let snapshot = archive.newest().await?;
        check_settings(&snapshot)?;
        let Some(plan) = ExpiryPlan::at(&snapshot, floor, FILES_MAX) else { return Ok(None) };
        let ready = match folded.take() {
            Some(folded) if folded.serves(archive, &plan).await => Ok(folded),
            _ => fold(archive, rollup, &snapshot, plan).await,
        };
        let ready = match ready {
            Ok(ready) => ready,
            Err(error) => match archive.newer(&snapshot, &error).await? {
                Some(_) => continue,
                None => return Err(error),
            },
        };
        if archive.expire(&snapshot, ready.ledger).await?.is_some() {
            return Ok(Some(ready.plan.expiry(ready.events)));
        }
        folded = Some(ready);
    }
    let faster = std::io::Error::other("other writers are faster");
    Err(ArchiveError::unavailable("taking expired events out of the table", faster).into())
}

/// Stores a ledger of the totals so far and those of the files to take out.
async fn fold(
    archive: &Archive,
    rollup: &Rollup,
    snapshot: &Snapshot,
    plan: ExpiryPlan,
) -> Result<Folded, SqlError> {
    let before = archive.ledgers().of(snapshot).await?.map_or(0, |ledger| ledger.events());
    let events = plan.events(archive).await?;
    let cells = rollup.fold(snapshot, plan.files.clone()).await?;
    let new = NewLedger {
        table_id: &snapshot.table().id,
        floor: plan.floor,
        events: before.saturating_add(events),
        sql_version: &sql_version(),
        before: plan.ledger,
    };
    let begun_at = archive.elapsed();
    let ledger = archive.ledgers().put(new, cells).await?;
    Ok(Folded { plan, events, ledger, begun_at })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::HOUR;

    /// 2026-02-02T03:20:00Z.
    const NOW: Micros = 1_770_002_400 * 1_000_000;

    fn floor(days: u64) -> Option<String> {
        let retention = Retention::new(Duration::from_secs(days * 86_400)).unwrap();
        retention.floor_at(NOW).map(|date| date.to_string())
    }

    #[test]
    fn only_dates_that_are_wholly_past_the_retention_go() {
        assert_eq!(floor(2).as_deref(), Some("2026-01-31"));
        assert_eq!(floor(400).as_deref(), Some("2024-12-29"));
        let retention = Retention::new(Duration::from_secs(2 * 86_400)).unwrap();
        let midnight = NOW.div_euclid(DAY) * DAY;
        let at = |now| retention.floor_at(now).unwrap().to_string();
        assert_eq!((at(midnight - 1), at(midnight)), ("2026-01-30".into(), "2026-01-31".into()));
        assert_eq!(at(midnight + 23 * HOUR), "2026-01-31");
    }

    #[test]
    fn a_commit_takes_whole_dates_and_not_too_many_files() {
        let date = |day: u32| NaiveDate::from_ymd_opt(2026, 1, day).unwrap();
        let step = |files: &[(u32, usize)], max| {
            let dates = files.iter().flat_map(|(day, n)| std::iter::repeat_n(date(*day), *n));
            step(dates, date(20), max)
        };
        assert_eq!(step(&[], 3), date(20));
        assert_eq!(step(&[(1, 2), (2, 1)], 3), date(20));
        assert_eq!(step(&[(1, 2), (2, 1), (7, 1)], 3), date(7));
        // One date expires whole, however many files it has; later dates wait.
        assert_eq!(step(&[(1, 2), (2, 5), (7, 1)], 3), date(2));
        assert_eq!(step(&[(1, 9)], 3), date(20));
        assert_eq!(step(&[(1, 9), (4, 1)], 3), date(4));
    }

    #[test]
    fn the_last_two_days_never_go_and_no_age_is_too_great() {
        assert_eq!(Retention::new(Retention::MIN - Duration::from_micros(1)), Err(RetentionError));
        for days in [4_050, 40_000, u64::MAX / 86_400] {
            assert_eq!(floor(days), None, "{days}");
        }
    }
}
