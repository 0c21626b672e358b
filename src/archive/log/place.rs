//! The place of an archive: one log, and one store for everything that a process reads of it.

use std::sync::Arc;

use object_store::ObjectStore;

use super::Log;
use crate::archive::error::ArchiveError;
use crate::clock::Clock;

/// The place of an archive that is not open yet.
#[derive(Debug, Clone)]
pub struct ArchivePlace {
    pub(in crate::archive) log: Log,
}

impl ArchivePlace {
    /// The archive at the root of `store`.
    ///
    /// # Errors
    /// Internal only.
    pub fn new(store: Arc<dyn ObjectStore>, clock: Arc<dyn Clock>) -> Result<Self, ArchiveError> {
        Ok(Self { log: Log::new(store, clock)? })
    }

    /// The archive's store. Once the archive is open, an object counts as absent only while the
    /// newest known log entry is in its place.
    pub fn store(&self) -> Arc<dyn ObjectStore> {
        self.log.root()
    }
}
