//! Events on their way into the archive, from those who may send them.

use std::collections::HashSet;

use arrow::array::AsArray as _;
use arrow::datatypes::TimestampMicrosecondType;

use super::bound::bound_dimension;
use super::error::DATES_MAX;
use super::{App, AppError, Receipt};
use crate::access::Caller;
use crate::archive::date_of;
use crate::event::{Decoded, EventBatch, EventError, OrgId, has_corrections};

impl App {
    /// Commits decoded events. On return they are durable, and every later scrape shows them.
    ///
    /// # Errors
    /// Unavailable: safe to send again. Conflict: the organisation's name clashes with another.
    pub async fn commit(&self, org_id: &OrgId, decoded: Decoded) -> Result<Receipt, AppError> {
        self.commit_bound(org_id, decoded, None).await
    }

    async fn commit_bound(
        &self,
        org_id: &OrgId,
        decoded: Decoded,
        bound: Option<(&str, &str)>,
    ) -> Result<Receipt, AppError> {
        let Decoded { batch, rejections: mut rejected, rejected_more, .. } = decoded;
        let dates = dates_of(&batch);
        if dates > DATES_MAX {
            return Err(AppError::TooManyDates(dates));
        }
        if batch.is_empty() {
            return Ok(Receipt::new(0, 0, rejected, rejected_more));
        }
        let mut admitted = self.admission.admit(org_id, batch, bound, self.clock.now()).await?;
        let refused = admitted.take_rejections();
        self.telemetry.ingest.rejected.add(refused.len());
        rejected.extend(refused);
        let batches = admitted.take_batches();
        if batches.is_empty() {
            return Ok(Receipt::new(0, 0, rejected, rejected_more));
        }
        let outcome = self.archive.submit_part(batches, None).await?;
        admitted.committed(&outcome);
        rejected.extend(outcome.rejected);
        Ok(Receipt::new(outcome.accepted, outcome.duplicates, rejected, rejected_more))
    }

    /// As [`App::commit`], for a caller. Events of a key that is bound to a part of an organisation are
    /// of that part, whatever they say.
    ///
    /// # Errors
    /// As [`App::commit`]; Forbidden, if the key is bound to a dimension that no longer exists.
    pub async fn commit_as(
        &self,
        caller: &Caller,
        mut decoded: Decoded,
    ) -> Result<Receipt, AppError> {
        if has_corrections(decoded.batch.record_batch()) {
            self.take(decoded.batch.without_own_marks(), &mut decoded)?;
        }
        let Some(bound) = &caller.bound else {
            return self.commit_bound(&caller.org_id, decoded, None).await;
        };
        let snapshot = self.with_part(caller, self.archive.current()).await?;
        let dimension = bound_dimension(bound, &snapshot)?;
        let mark = (&*dimension.attribute, &*bound.value);
        let marked = decoded.batch.marked(|_| vec![mark], &snapshot.table().dimensions);
        self.take(marked, &mut decoded)?;
        self.commit_bound(&caller.org_id, decoded, Some(mark)).await
    }

    /// Takes changed events in the place of those that were sent, and counts what was dropped.
    fn take(
        &self,
        changed: Result<(EventBatch, u64), EventError>,
        decoded: &mut Decoded,
    ) -> Result<(), AppError> {
        let (batch, dropped) = changed.map_err(|error| AppError::Internal(error.to_string()))?;
        let dropped = usize::try_from(dropped).unwrap_or(usize::MAX);
        self.telemetry.ingest.attributes_dropped.add(dropped);
        decoded.batch = batch;
        Ok(())
    }
}

fn dates_of(batch: &EventBatch) -> usize {
    let times = batch.record_batch().column_by_name("ts");
    let times = times.and_then(|times| times.as_primitive_opt::<TimestampMicrosecondType>());
    let dates: HashSet<_> =
        times.into_iter().flat_map(|times| times.values()).map(|ts| date_of(*ts)).collect();
    dates.len()
}
