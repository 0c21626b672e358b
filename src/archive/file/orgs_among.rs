//! Which of some organisations have a row in a data file, of whatever type.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;

use futures::TryStreamExt as _;
use object_store::ObjectStore;

use super::data_file::DataFile;
use super::stored_rows::stored_rows;
use crate::archive::error::ArchiveError;
use crate::archive::parquet::columns::text;

/// Those of `wanted` that have a row in a file. No other column is read.
///
/// # Errors
/// Corrupt, Foreign or Unavailable, naming the file.
pub async fn orgs_among(
    store: Arc<dyn ObjectStore>,
    file: &DataFile,
    wanted: &BTreeSet<String>,
) -> Result<BTreeSet<String>, ArchiveError> {
    let wanted: BTreeSet<&str> =
        wanted.iter().map(String::as_str).filter(|org| file.may_hold_org(org)).collect();
    let (Some(first), Some(last)) = (wanted.first(), wanted.last()) else {
        return Ok(BTreeSet::new());
    };
    let range = (Bound::Included(*first), Bound::Included(*last));
    let mut rows = stored_rows(store, file, &["org_id"], range).await?;
    let mut found = BTreeSet::new();
    while found.len() < wanted.len() {
        let Some(rows) = rows.try_next().await? else { break };
        let mut last = None;
        for org in text(&rows, "org_id")?.iter().flatten() {
            if last.replace(org) != Some(org) && wanted.contains(org) {
                found.insert(org.to_owned());
            }
        }
    }
    Ok(found)
}
