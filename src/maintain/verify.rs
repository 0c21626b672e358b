//! Recomputes everything from the raw rows and compares: data files with the log, events with "each
//! once", and the numbers of scrapes with the ledger and SQL over all rows.
//!
//! Files are read side by side, as many as there are processors, and taken in order of their dates.
//! Expired events are in no row any longer. Their sums are taken from the ledger as they are, after
//! every byte of it was compared with its checksums.

mod file;
mod parts;
mod sums;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use chrono::{Days, NaiveDate};
use futures::stream::{self, StreamExt as _};
use tokio_util::task::AbortOnDropHandle;

use self::file::{CheckedFile, FileChecker};
use self::parts::Parts;
use self::sums::{SumsByOrg, compare};
use crate::archive::{Archive, ArchiveError, DataFile, EventHash, Snapshot};
use crate::clock::Micros;
use crate::error::Kind;
use crate::processors;
use crate::rollup::Rollup;
use crate::sql::{Engine, SqlError, all_expired};

/// Differences that are listed; more are only counted.
const NAMED_MAX: usize = 100;
/// How many times the work begins if others rewrite and remove files before they are read.
const TRIES: usize = 4;
/// The whole of a [`Sample`].
const WHOLE: u32 = 1_000_000;

/// The result of a verification.
#[derive(Debug, Default)]
pub struct Report {
    /// The version of the table.
    pub version: u64,
    /// Data files read.
    pub files: usize,
    /// Events in them.
    pub events: u64,
    /// Expired events, and the floor date before which they were; they cannot be recomputed.
    pub expired: Option<(u64, NaiveDate)>,
    /// Organisations whose scrapes were compared; `None` if a sample or damaged files made that
    /// meaningless.
    pub orgs: Option<usize>,
    /// The first differences, one line each.
    pub differences: Vec<String>,
    /// How many there are in all.
    pub difference_count: usize,
}

impl Report {
    fn differs(&mut self, line: String) {
        self.difference_count += 1;
        if self.differences.len() < NAMED_MAX {
            self.differences.push(line);
        }
    }
}

/// A share of the files, in millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample(u32);

impl Sample {
    /// A share of `millionths`; `None` if it is 0 or more than the whole.
    pub fn of_millionths(millionths: u32) -> Option<Self> {
        (1..=WHOLE).contains(&millionths).then_some(Self(millionths))
    }

    /// Chooses files at random, at least one if there is any.
    fn choose(self, mut files: Vec<Arc<DataFile>>) -> Vec<Arc<DataFile>> {
        let any = files.get(rand::random_range(0..files.len().max(1))).cloned();
        files.retain(|_| rand::random_range(0..WHOLE) < self.0);
        if files.is_empty() { any.into_iter().collect() } else { files }
    }
}

/// Verifies the newest version of an archive; of a sample of its files, only what each file alone
/// can show. `progress` is called with the number of files that are done and of all files. If files
/// were rewritten and removed before they were read, the work begins anew.
///
/// # Errors
/// Only what keeps the work from being done at all; damage is in the report.
pub async fn verify(
    archive: &Archive,
    engine: &Arc<Engine>,
    rollup: &Arc<Rollup>,
    now: Micros,
    sample: Option<Sample>,
    progress: impl Fn(usize, usize),
) -> Result<Report, SqlError> {
    let mut snapshot = archive.newest().await?;
    for _ in 0..TRIES {
        let scope = VerifyScope { archive, snapshot: &snapshot, now, sample };
        let error = match verify_at(scope, engine, rollup, &progress).await {
            Ok(report) => return Ok(report),
            Err(error) => error,
        };
        snapshot = archive.newer(&snapshot, &error).await?.ok_or(error)?;
    }
    let faster = std::io::Error::other("its files are rewritten and removed before they are read");
    Err(ArchiveError::unavailable("verifying the archive", faster).into())
}

/// What a verification covers.
#[derive(Debug, Clone, Copy)]
struct VerifyScope<'a> {
    archive: &'a Archive,
    snapshot: &'a Arc<Snapshot>,
    now: Micros,
    sample: Option<Sample>,
}

impl VerifyScope<'_> {
    /// Adds damage to the report.
    ///
    /// # Errors
    /// The error itself if it is no damage: storage is away, or the object has left the table.
    async fn note(&self, error: SqlError, report: &mut Report) -> Result<(), SqlError> {
        let is_away = error.kind() == Kind::Unavailable;
        if is_away || self.archive.newer(self.snapshot, &error).await?.is_some() {
            return Err(error);
        }
        report.differs(error.to_string());
        Ok(())
    }
}

/// As [`verify`], of one version.
async fn verify_at(
    scope: VerifyScope<'_>,
    engine: &Arc<Engine>,
    rollup: &Arc<Rollup>,
    progress: impl Fn(usize, usize),
) -> Result<Report, SqlError> {
    let VerifyScope { archive, snapshot, now, sample } = scope;
    let mut report = Report { version: snapshot.version(), ..Report::default() };
    let mut sums = SumsByOrg::new();
    let mut sound = check_ledger(scope, engine, &mut sums, &mut report).await?;
    let all: Vec<_> = snapshot.files().cloned().collect();
    let files = sample.map_or_else(|| all.clone(), |sample| sample.choose(all.clone()));
    report.files = files.len();
    let check = Arc::new(FileChecker {
        engine: engine.clone(),
        ids: archive.id_reader(),
        snapshot: snapshot.clone(),
        now,
        adds_up: files.len() == all.len(),
    });
    let width = processors::count();
    let checks = files.iter().cloned().map(|file| {
        let check = check.clone();
        async move {
            let of = file.clone();
            let work = tokio::spawn(async move { check.run(&of).await });
            (file, AbortOnDropHandle::new(work).await)
        }
    });
    let mut checks = stream::iter(checks).buffered(width);
    let (mut seen, mut parts) = (SeenEvents::default(), Parts::default());
    let mut done = 0;
    while let Some((file, checked)) = checks.next().await {
        done += 1;
        progress(done, files.len());
        let checked = checked.map_err(|error| ArchiveError::internal("verifying a file", error))?;
        match checked {
            Ok(mut checked) => {
                parts.merge(std::mem::take(&mut checked.parts));
                take(&file, checked, &mut seen, &mut sums, &mut report);
            }
            Err(error) => {
                sound = false;
                scope.note(error, &mut report).await?;
            }
        }
    }
    spelled_alike(sums.keys()).for_each(|line| report.differs(line));
    if sound && check.adds_up {
        let orgs =
            compare(rollup, snapshot, &sums, now, width, |line| report.differs(line)).await?;
        parts.add_expired(engine, snapshot).await?;
        parts.compare(rollup, snapshot, now, |line| report.differs(line)).await?;
        report.orgs = Some(orgs);
    }
    Ok(report)
}

/// A line for organisations that differ only in case: their series would be one.
fn spelled_alike<'a>(orgs: impl Iterator<Item = &'a String>) -> impl Iterator<Item = String> {
    let mut spellings: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for org in orgs {
        spellings.entry(org.to_ascii_lowercase()).or_default().push(org);
    }
    let alike = spellings.into_values().filter(|spellings| spellings.len() > 1);
    alike.map(|spellings| format!("organisations {spellings:?} differ in case only"))
}

/// Reads the whole ledger; false if it is damaged.
async fn check_ledger(
    scope: VerifyScope<'_>,
    engine: &Engine,
    sums: &mut SumsByOrg,
    report: &mut Report,
) -> Result<bool, SqlError> {
    let VerifyScope { snapshot, .. } = scope;
    let Some(floor) = snapshot.floor() else { return Ok(true) };
    for file in snapshot.files_before(floor) {
        report.differs(format!("{} is before the floor {floor}", file.path_in_archive()));
    }
    let folded = async {
        let Some(ledger) = engine.ledger(snapshot).await? else { return Ok((0, Vec::new())) };
        ledger.check().await?;
        Ok::<_, SqlError>((ledger.events(), all_expired(&ledger).await?))
    };
    match folded.await {
        Ok((events, rows)) => {
            report.expired = Some((events, floor));
            for row in rows {
                sums.entry(row.org_id.to_string()).or_default().add_cell(&row);
            }
            Ok(true)
        }
        Err(error) => {
            scope.note(error, report).await?;
            Ok(false)
        }
    }
}

/// The events of the latest dates.
#[derive(Default)]
struct SeenEvents(BTreeMap<NaiveDate, HashSet<EventHash>>);

impl SeenEvents {
    /// How many events of a file are in the files before it. Files come by date, so only a date and
    /// the one before it are needed.
    fn repeated(&mut self, date: NaiveDate, ids: Vec<EventHash>) -> usize {
        let before = date.checked_sub_days(Days::new(1));
        self.0.retain(|known, _| *known == date || Some(*known) == before);
        let known = |id: &EventHash| self.0.values().any(|known| known.contains(id));
        let repeated = ids.iter().filter(|id| known(id)).count();
        let of_date = self.0.entry(date).or_default();
        let count = ids.len();
        let fresh = ids.into_iter().filter(|id| of_date.insert(*id)).count();
        repeated.max(count - fresh)
    }
}

/// Takes in the result of a file.
fn take(
    file: &DataFile,
    checked: CheckedFile,
    seen: &mut SeenEvents,
    sums: &mut SumsByOrg,
    report: &mut Report,
) {
    report.events += checked.events;
    checked.differences.into_iter().for_each(|line| report.differs(line));
    let repeated = seen.repeated(file.date, checked.ids);
    if repeated > 0 {
        let path = file.path_in_archive();
        report.differs(format!("{path} holds {repeated} events that are in the table already"));
    }
    for row in checked.corrections {
        sums.entry(row.org_id.to_string()).or_default().add_cell(&row);
    }
    for row in checked.totals {
        sums.entry(row.org_id.clone()).or_default().add(&row);
    }
    for (org_id, cost) in checked.rolling {
        sums.entry(org_id).or_default().add_rolling(cost);
    }
}
