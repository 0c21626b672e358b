//! The number of rows of a file for which the log has none.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use deltalake_core::kernel::Add;
use futures::FutureExt as _;
use object_store::ObjectStore;
use object_store::path::Path;
use parquet::arrow::async_reader::AsyncFileReader as _;
use serde_json::Value;

use super::data_file::is_sealed;
use super::stats::Stats;
use crate::archive::error::ArchiveError;
use crate::archive::parquet::checked_read::{CheckedObject, CheckedReader};
use crate::archive::paths;
use crate::error::Kind;

/// Adds the number of rows, read from the footer of the file, to an action that lacks it. Another
/// program may write no statistics, but a commit can only vouch for events that are counted. An
/// action whose file is gone or damaged stays as it is.
///
/// # Errors
/// Unavailable.
pub(in crate::archive) async fn complete(
    root: &Arc<dyn ObjectStore>,
    add: &mut Add,
) -> Result<(), ArchiveError> {
    // A sealed action has the number in its seal, so its statistics need not be parsed here.
    if add.stats.is_some() && is_sealed(add) {
        return Ok(());
    }
    let stats = add.stats.as_deref().map(Stats::parse).unwrap_or_default();
    if stats.num_records.is_some() {
        return Ok(());
    }
    let Ok(size_bytes) = u64::try_from(add.size) else { return Ok(()) };
    let path = paths::in_archive(&add.path);
    let object = CheckedObject::new(Path::from(path.as_str()), size_bytes, None);
    let mut reader = CheckedReader::new(root.clone(), object);
    // The decoder may panic on an untrusted footer.
    let read = AssertUnwindSafe(reader.get_metadata(None)).catch_unwind().await;
    let rows = match read {
        Ok(Ok(metadata)) => metadata.file_metadata().num_rows(),
        Ok(Err(error)) => {
            let error = ArchiveError::of_read(&path, &error);
            return if error.kind() == Kind::Unavailable { Err(error) } else { Ok(()) };
        }
        Err(_) => return Ok(()),
    };
    let text = add.stats.as_deref().unwrap_or("{}");
    let mut stats: Value = serde_json::from_str(text).unwrap_or_else(|_| serde_json::json!({}));
    if let Some(stats) = stats.as_object_mut() {
        stats.insert("numRecords".to_owned(), rows.into());
        add.stats = serde_json::to_string(&stats).ok();
    }
    Ok(())
}
