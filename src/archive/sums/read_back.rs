//! Whether objects that were put are still there when they are read back.

use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt as _};

use crate::archive::error::ArchiveError;

/// True if one of the objects is not there. Another process may have removed it, or for a moment
/// the bucket was a copy of the archive, which has it instead.
///
/// # Errors
/// Unavailable.
pub(super) async fn any_is_gone(
    store: &dyn ObjectStore,
    paths: &[Path],
) -> Result<bool, ArchiveError> {
    for path in paths {
        match store.head(path).await {
            Ok(_) => {}
            Err(Error::NotFound { .. }) => return Ok(true),
            Err(error) => {
                return Err(ArchiveError::unavailable(format!("looking for {path}"), error));
            }
        }
    }
    Ok(false)
}
