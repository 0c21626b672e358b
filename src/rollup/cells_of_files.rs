//! Reads the cells of a scope in many files, side by side.

use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _};
use tokio_util::task::AbortOnDropHandle;

use super::cache::Ask;
use super::partial::PartialCell;
use super::scope::UsageScope;
use super::sources::Sources;
use crate::archive::{ArchiveError, DataFile, Snapshot};
use crate::sql::SqlError;

/// Files that are read side by side.
pub const SIDE_BY_SIDE: usize = 8;
/// Up to this many files are read one after the other.
const FEW: usize = 4;

/// As [`each_of_files`], but not where cells would first have to be made of many rows.
///
/// # Errors
/// Corrupt or Unavailable, naming the file; [`SqlError::NotYet`].
pub async fn for_each_file(
    files: Vec<Arc<DataFile>>,
    from: (&Snapshot, Ask),
    scope: &Arc<UsageScope>,
    sources: &Sources,
    each: impl FnMut(Arc<DataFile>, Vec<(Arc<str>, Vec<PartialCell>)>),
) -> Result<(), SqlError> {
    sources.check_made(&scope.kind, &files)?;
    each_of_files(files, from, scope, sources, each).await
}

/// Calls `each` with the scope's cells in every file, in the order of `files`. Foreign files
/// are judged first, as of the version.
///
/// # Errors
/// Corrupt or Unavailable, naming the file.
pub async fn each_of_files(
    files: Vec<Arc<DataFile>>,
    (snapshot, ask): (&Snapshot, Ask),
    scope: &Arc<UsageScope>,
    sources: &Sources,
    mut each: impl FnMut(Arc<DataFile>, Vec<(Arc<str>, Vec<PartialCell>)>),
) -> Result<(), SqlError> {
    sources.engine.judge().check_all(snapshot, &files, Some(scope.org_id.as_str())).await?;
    // Few files are read in this task: to wait for another takes longer than a partial in memory.
    let apart = files.len() > FEW;
    let reads = files.into_iter().map(|file| {
        let (partials, scope) = (sources.partials.clone(), scope.clone());
        let read = async move {
            let cells = partials.of_scope(&file, &scope, ask).await?;
            Ok::<_, SqlError>((file, cells))
        };
        async move {
            if !apart {
                return read.await;
            }
            let read = AbortOnDropHandle::new(tokio::spawn(read)).await;
            read.map_err(|error| ArchiveError::internal("adding up a file", error))?
        }
    });
    let mut reads = futures::stream::iter(reads).buffered(SIDE_BY_SIDE);
    while let Some((file, cells)) = reads.try_next().await? {
        each(file, cells);
    }
    Ok(())
}
