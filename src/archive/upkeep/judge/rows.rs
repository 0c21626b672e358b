//! All rows of a file that another program wrote, checked against the rules.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _};
use object_store::ObjectStore;

use crate::archive::error::ArchiveError;
use crate::archive::file::data_file::DataFile;
use crate::archive::file::data_file::date_of;
use crate::archive::file::foreign::{foreign_rows, refused};
use crate::archive::parquet::columns::{text, times};
use crate::archive::store::records::Records;
use crate::event;

/// Rows that are judged at a time.
const BATCH_ROWS: usize = 8 * 1024;
/// Records of organisations that are read side by side.
const RECORDS: usize = 16;

/// Reads all rows of a file that another program wrote. Checks them against the rules of the
/// columns, the log's description of the file, and the existing organisations. Corrections are
/// counted by tables alone that say that they may hold some: `may_correct`.
///
/// # Errors
/// Foreign, with the first rule that is broken; Corrupt or Unavailable.
pub(super) async fn check_rows(
    store: &Arc<dyn ObjectStore>,
    records: &Records,
    file: &DataFile,
    may_correct: bool,
) -> Result<(), ArchiveError> {
    let path = file.path_in_archive();
    let broken = |reason: &str| Err(refused(&path, reason));
    let rows = foreign_rows(store.clone(), file, event::schema(), BATCH_ROWS);
    let (mut rows, mut count, mut orgs) = (rows.await?, 0_u64, BTreeMap::new());
    while let Some(rows) = rows.try_next().await? {
        count += rows.num_rows() as u64;
        if !may_correct && event::has_corrections(&rows) {
            return broken(
                "it has a cost_correction, and the archive is from before corrections; send one \
                 through tokenlake first",
            );
        }
        let times = times(&rows)?.values();
        if times.iter().any(|ts| date_of(*ts) != Some(file.date)) {
            return broken("it has a row of another date than its event_date");
        }
        if times.iter().any(|ts| !file.may_hold_time(*ts, *ts)) {
            return broken("it has a row outside its bounds of ts in the log");
        }
        let mut last = None;
        for org in text(&rows, "org_id")?.iter().flatten() {
            if last.replace(org) == Some(org) {
                continue;
            }
            let lower = org.to_ascii_lowercase();
            if orgs.get(&lower).is_some_and(|known: &String| known == org) {
                continue;
            }
            if !file.may_hold_org(org) {
                return broken("it has a row outside its bounds of org_id in the log");
            }
            if orgs.insert(lower, org.to_owned()).is_some() {
                return broken("it has organisations that differ only in case");
            }
        }
    }
    if file.rows.is_some_and(|rows| rows != count) {
        return broken("it has another number of rows than the log says");
    }
    check_spellings(records, &path, orgs).await
}

/// Compares organisations, keyed by their lower-case names, with the existing spellings.
async fn check_spellings(
    records: &Records,
    path: &str,
    orgs: BTreeMap<String, String>,
) -> Result<(), ArchiveError> {
    let standing = orgs.into_iter().map(|(lower, org)| async move {
        let standing = records.spelling(&lower).await?;
        Ok::<_, ArchiveError>(standing.is_none_or(|standing| standing == org))
    });
    let mut alike = futures::stream::iter(standing).buffer_unordered(RECORDS);
    while let Some(alike) = alike.try_next().await? {
        if !alike {
            let reason = "it has an organisation that differs from an existing one only in case";
            return Err(refused(path, reason));
        }
    }
    Ok(())
}
