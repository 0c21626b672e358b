//! Recomputing everything from the raw rows and comparing: data files against the log, events
//! against "each once", and what scrapes show against SQL over all rows.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use chrono::{Days, NaiveDate};

use crate::archive::{Archive, DataFile, EventHash, Snapshot};
use crate::clock::{DAY, Micros};
use crate::error::Kind;
use crate::rollup::Rollup;
use crate::sql::{Engine, SqlError};

/// Differences that are named; more are counted.
const NAMED_MAX: usize = 100;

/// What was found.
#[derive(Debug, Default)]
pub struct Report {
    /// The version of the table.
    pub version: u64,
    /// Data files read.
    pub files: usize,
    /// Events in them.
    pub events: u64,
    /// Organisations whose scrapes were compared; `None` if damaged files made that senseless.
    pub orgs: Option<usize>,
    /// The first differences, a line each.
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

/// A series of an organisation, as labelled: requests, LLM tokens, cost in 10⁻¹² dollars.
type Series = BTreeMap<(String, String, String), (u64, i128, i128)>;

/// Verifies the newest version of an archive. `progress` is told how many of how many files are
/// done.
///
/// # Errors
/// Only what keeps the work from being done at all; damage is in the report.
pub async fn verify(
    archive: &Archive,
    engine: &Engine,
    rollup: &Rollup,
    now: Micros,
    progress: impl Fn(usize, usize),
) -> Result<Report, SqlError> {
    let snapshot = archive.newest().await?;
    let mut report = Report { version: snapshot.version(), ..Report::default() };
    let files: Vec<_> = snapshot.files().cloned().collect();
    let mut recent: BTreeMap<NaiveDate, HashSet<EventHash>> = BTreeMap::new();
    let mut sound = Vec::with_capacity(files.len());
    for (done, file) in files.iter().enumerate() {
        progress(done, files.len());
        let checked = async {
            check_file(archive, engine, file, &mut recent, &mut report).await?;
            rollup.is_stored_right(file).await
        };
        match checked.await {
            Ok(right) => {
                if !right {
                    let path = file.path_in_archive();
                    report.differs(format!("{path} carries sums that are not those of its events"));
                }
                sound.push(file.clone());
            }
            Err(error) if error.kind() == Kind::Unavailable => return Err(error),
            Err(error) => report.differs(error.to_string()),
        }
    }
    report.files = files.len();
    if sound.len() == files.len() {
        compare(engine, rollup, &snapshot, &files, now, &mut report).await?;
    }
    Ok(report)
}

/// Files come by date, so only a date and the one before it are needed to find repeats.
async fn check_file(
    archive: &Archive,
    engine: &Engine,
    file: &Arc<DataFile>,
    recent: &mut BTreeMap<NaiveDate, HashSet<EventHash>>,
    report: &mut Report,
) -> Result<(), SqlError> {
    let path = file.path_in_archive();
    let check = engine.file_check(file).await?;
    report.events += check.events;
    if file.rows.is_some_and(|rows| rows != check.events) {
        report
            .differs(format!("{path} holds {} events, the log says {:?}", check.events, file.rows));
    }
    if check.misplaced > 0 {
        report.differs(format!("{path} holds {} events of another date", check.misplaced));
    }
    let bounded = check.bounds.is_none_or(|bounds| {
        bounds.times.iter().all(|ts| file.may_hold_time(*ts, *ts))
            && bounds.orgs.iter().all(|org| file.may_hold_org(org))
    });
    if !bounded {
        report.differs(format!("{path} holds events outside the bounds in the log"));
    }
    let ids = archive.event_hashes(file).await?;
    if ids.iter().any(|id| !file.may_hold_any(std::iter::once(*id))) {
        report.differs(format!("the log's filter of event ids misses events of {path}"));
    }
    let before = file.date.checked_sub_days(Days::new(1));
    recent.retain(|date, _| *date == file.date || Some(*date) == before);
    let repeated = ids.iter().filter(|id| recent.values().any(|known| known.contains(*id))).count();
    let known = recent.entry(file.date).or_default();
    let count = ids.len();
    let fresh = ids.into_iter().filter(|id| known.insert(*id)).count();
    let repeated = repeated.max(count - fresh);
    if repeated > 0 {
        report.differs(format!("{path} holds {repeated} events that stand in the table already"));
    }
    Ok(())
}

/// Compares what scrapes show with SQL over all rows.
async fn compare(
    engine: &Engine,
    rollup: &Rollup,
    snapshot: &Arc<Snapshot>,
    files: &[Arc<DataFile>],
    now: Micros,
    report: &mut Report,
) -> Result<(), SqlError> {
    let mut expected = Series::new();
    let mut orgs = BTreeSet::new();
    for row in engine.totals(files).await? {
        let clean = |name: &str| name.replace('\0', "\u{FFFD}");
        let key = (row.org_id.clone(), clean(&row.provider), clean(&row.model));
        let sums = expected.entry(key).or_default();
        *sums = (sums.0 + row.requests, sums.1 + row.total_tokens, sums.2 + row.cost);
        orgs.insert(row.org_id);
    }
    let rolling: BTreeMap<_, _> =
        engine.rolling_cost(files, now - DAY, now).await?.into_iter().collect();
    orgs.extend(rolling.keys().cloned());
    report.orgs = Some(orgs.len());
    for org in &orgs {
        let (shown, cost) = shown(rollup, snapshot, org, now).await?;
        let of_org = expected.iter().filter(|((owner, ..), _)| owner == org);
        let expected: Series = of_org.map(|(key, sums)| (key.clone(), *sums)).collect();
        for key in shown.keys().chain(expected.keys()).collect::<BTreeSet<_>>() {
            let (shown, expected) = (shown.get(key), expected.get(key));
            if shown != expected {
                let (org, provider, model) = key;
                report.differs(format!(
                    "organisation {org:?}, {provider:?} {model:?}: shown {shown:?}, in the rows {expected:?}"
                ));
            }
        }
        let expected = rolling.get(org).copied().unwrap_or_default();
        if cost != expected {
            report.differs(format!(
                "organisation {org:?}: rolling cost shown {cost}, in the rows {expected}"
            ));
        }
    }
    Ok(())
}

async fn shown(
    rollup: &Rollup,
    snapshot: &Arc<Snapshot>,
    org: &str,
    now: Micros,
) -> Result<(Series, i128), SqlError> {
    let turn = rollup.turn(org).await;
    rollup
        .show(turn, org, snapshot, now, |view| {
            let series = view.series.iter().map(|((provider, model), totals)| {
                let key = (org.to_owned(), provider.to_string(), model.to_string());
                (key, (totals.requests, totals.input_tokens + totals.output_tokens, totals.cost))
            });
            (series.collect(), view.rolling_cost)
        })
        .await
}
