//! Whether an event that is in a file of another program stands. A file that breaks a rule is not
//! counted, and a repair takes it out: an event that is only in there must not pass for a duplicate.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::archive::error::ArchiveError;
use crate::archive::file::data_file::DataFile;
use crate::archive::log::snapshot::Snapshot;

/// Knows which files of other programs count.
#[async_trait]
pub(in crate::archive) trait ForeignCheck: fmt::Debug + Send + Sync {
    /// Makes sure that all of a file counts, as of a version.
    ///
    /// # Errors
    /// Foreign, with the rule that the file breaks; Corrupt or Unavailable, if it or one that it is
    /// compared with cannot be read.
    async fn check_foreign(
        &self,
        snapshot: &Snapshot,
        file: &Arc<DataFile>,
    ) -> Result<(), ArchiveError>;

    /// Makes sure that the rows of a file follow the rules, whether or not its events are in the table
    /// twice: of what came twice a repair leaves one.
    ///
    /// # Errors
    /// As [`ForeignCheck::check_foreign`].
    async fn check_foreign_rows(
        &self,
        snapshot: &Snapshot,
        file: &Arc<DataFile>,
    ) -> Result<(), ArchiveError>;
}
