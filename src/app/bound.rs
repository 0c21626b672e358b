//! The part of an organisation that a caller is bound to.

use std::sync::Arc;

use super::{App, AppError};
use crate::access::{AccessError, BoundTo, Caller};
use crate::archive::Snapshot;
use crate::event::Dimension;

impl App {
    /// A version of the table for a caller's question, as fresh as questions must be, in which the
    /// dimension that the caller is bound to exists.
    ///
    /// # Errors
    /// Unavailable; Forbidden, if there is no such dimension.
    pub(super) async fn snapshot_for(&self, caller: &Caller) -> Result<Arc<Snapshot>, AppError> {
        let snapshot = self.archive.fresh(self.settings.staleness_max).await?;
        self.with_part(caller, snapshot).await
    }

    /// The same version, or the newest one if a caller's dimension is not in this one: it may just have
    /// been declared, and a new key works at once.
    ///
    /// # Errors
    /// As [`App::snapshot_for`].
    pub(super) async fn with_part(
        &self,
        caller: &Caller,
        snapshot: Arc<Snapshot>,
    ) -> Result<Arc<Snapshot>, AppError> {
        let Some(bound) = &caller.bound else { return Ok(snapshot) };
        if bound_dimension(bound, &snapshot).is_ok() {
            return Ok(snapshot);
        }
        let newest = self.archive.newest().await?;
        bound_dimension(bound, &newest)?;
        Ok(newest)
    }
}

/// The dimension that a key is bound to.
///
/// # Errors
/// Forbidden, if there is none at this version.
pub(super) fn bound_dimension(
    bound: &BoundTo,
    snapshot: &Snapshot,
) -> Result<Arc<Dimension>, AccessError> {
    let dimension = snapshot.table().dimensions.named(&bound.dimension).cloned();
    dimension.ok_or_else(|| AccessError::Unbound(bound.clone()))
}
