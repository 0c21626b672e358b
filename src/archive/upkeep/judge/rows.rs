//! All rows of a file that another program wrote, checked against the rules.

use std::sync::Arc;

use futures::TryStreamExt as _;
use object_store::ObjectStore;

use super::orgs::{BATCH_ROWS, FileOrgs, OrgNaming};
use crate::archive::error::ArchiveError;
use crate::archive::file::data_file::DataFile;
use crate::archive::file::data_file::date_of;
use crate::archive::file::foreign::{foreign_rows, refused};
use crate::archive::parquet::columns::times;
use crate::archive::store::records::Records;
use crate::event;

/// Reads all rows of a file that another program wrote. Checks them against the rules of the
/// columns, the log's description of the file, and the existing organisations, of which its own are
/// then some. Corrections are counted by tables alone that say that they may hold some: `may_correct`.
/// False if another look may find otherwise, because organisations could not be claimed.
///
/// # Errors
/// Foreign, with the first rule that is broken; Corrupt or Unavailable.
pub(super) async fn check_rows(
    store: &Arc<dyn ObjectStore>,
    records: &Records,
    file: &DataFile,
    (may_correct, claims): (bool, OrgNaming),
) -> Result<bool, ArchiveError> {
    let path = file.path_in_archive();
    let broken = |reason: &str| Err(refused(&path, reason));
    let rows = foreign_rows(store.clone(), file, event::schema(), BATCH_ROWS);
    let (mut rows, mut count, mut orgs) = (rows.await?, 0_u64, FileOrgs::default());
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
        orgs.add(file, &rows)?;
    }
    if file.rows.is_some_and(|rows| rows != count) {
        return broken("it has another number of rows than the log says");
    }
    orgs.settle(records, &path, claims).await
}
