//! The commit that changes which dimensions an archive has.

use std::sync::Arc;

use super::Upkeep;
use crate::archive::error::ArchiveError;
use crate::archive::log::snapshot::Snapshot;
use crate::event::{DimensionError, Dimensions};

/// What became of a change of the dimensions.
#[derive(Debug)]
pub enum Declared {
    /// They are so at this version.
    At(Arc<Snapshot>),
    /// They were so already.
    Already,
    /// They cannot be.
    Refused(DimensionError),
}

impl Upkeep {
    /// Makes the dimensions what `change` makes of those of the newest version; `None` of it leaves them.
    ///
    /// # Errors
    /// As [`Upkeep::commit`].
    pub async fn declare(
        &self,
        change: impl Fn(&Dimensions) -> Result<Option<Dimensions>, DimensionError> + Send,
    ) -> Result<Declared, ArchiveError> {
        // What another process declared just now counts.
        self.commits.follower.newest().await?;
        let mut refused = None;
        let made = self.commit(|snapshot| {
            let table = snapshot.table();
            let changed = match change(&table.dimensions) {
                Ok(Some(changed)) => changed,
                Ok(None) => return Ok(None),
                Err(error) => {
                    refused = Some(error);
                    return Ok(None);
                }
            };
            let action = table.with_dimensions(&changed)?;
            self.commits.entry_after(snapshot, "SET TBLPROPERTIES", vec![action]).map(Some)
        });
        let made = made.await?;
        Ok(match (made, refused) {
            (Some(snapshot), _) => Declared::At(snapshot),
            (None, Some(error)) => Declared::Refused(error),
            (None, None) => Declared::Already,
        })
    }
}
