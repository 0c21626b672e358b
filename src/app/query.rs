//! Queries of organisations, which workers answer.

use std::sync::Arc;
use std::time::Duration;

use super::bound::bound_dimension;
use super::{App, AppError};
use crate::access::Caller;
use crate::archive::Snapshot;
use crate::error::Kind;
use crate::event::OrgId;
use crate::sql::{BoundPart, RowFormat};
use crate::worker::{AnswerForm, Question, Reply, TURN_WAIT};

impl App {
    /// Answers an organisation's query. The query sees each event acknowledged before this call.
    ///
    /// # Errors
    /// Invalid, Unavailable or Corrupt.
    pub async fn sql(
        &self,
        caller: &Caller,
        query: String,
        format: RowFormat,
    ) -> Result<Reply, AppError> {
        self.ask(caller, query, AnswerForm::Rows(format), TURN_WAIT).await
    }

    /// As [`App::sql`], with an answer in any form, for a client that waits so long for its turn.
    ///
    /// # Errors
    /// Invalid, Unavailable or Corrupt.
    pub async fn ask(
        &self,
        caller: &Caller,
        query: String,
        form: AnswerForm,
        patience: Duration,
    ) -> Result<Reply, AppError> {
        let org_id = &caller.org_id;
        let Some(workers) = &self.workers else {
            return Err(AppError::Internal("no other process can read this archive".to_owned()));
        };
        let snapshot = self.snapshot_for(caller).await?;
        let ask = |snapshot: Arc<Snapshot>| {
            let (query, form) = (query.clone(), form.clone());
            async move {
                self.check_foreign(org_id, snapshot.clone()).await?;
                let turn = workers.turn(org_id, patience).await?;
                let bound = match &caller.bound {
                    None => None,
                    Some(bound) => Some(BoundPart {
                        dimension: bound_dimension(bound, &snapshot)?,
                        value: bound.value.clone(),
                    }),
                };
                let question = Question::new(org_id, bound, query, form, &snapshot);
                Ok::<_, AppError>(workers.ask(turn, &question).await?)
            }
        };
        match self.archive.at_newest(snapshot, ask).await {
            // A worker does not know the archive. What it did not find may have been absent beside
            // another one; the right one is there now, and has no newer version.
            Err(AppError::Worker(error)) if error.kind() == Kind::Corrupt => {
                self.archive.at_newest(self.archive.newest().await?, ask).await
            }
            answered => answered,
        }
    }

    /// Has the foreign files that a query may read checked. A task does so, so that the next query
    /// can use the result even if this one is cancelled.
    async fn check_foreign(&self, org_id: &OrgId, snapshot: Arc<Snapshot>) -> Result<(), AppError> {
        if snapshot.files().all(|file| file.is_ours()) {
            return Ok(());
        }
        let (rollup, org_id) = (self.rollup.clone(), org_id.clone());
        let check = async move { rollup.check_foreign(&snapshot, &org_id).await };
        let checked = tokio::spawn(check).await;
        Ok(checked.map_err(|error| AppError::Internal(error.to_string()))??)
    }
}
