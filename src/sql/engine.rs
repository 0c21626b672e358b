//! Runs the queries of `queries/*.sql` over data files.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::catalog::TableProvider;
use datafusion::common::ScalarValue;
use datafusion::error::DataFusionError;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::session_state::SessionState;
use datafusion::execution::{SessionStateBuilder, TaskContext};
use datafusion::prelude::{SessionConfig, SessionContext, col};
use object_store::ObjectStore;
use tokio::sync::OnceCell;

use super::SqlError;
use super::live_table::{LiveTable, TableContent};
use super::query::{PARTIAL, Query};
use super::readers::{Readers, STORE_URL};
use super::rows_plan::{RowsPlan, rows_table};
use super::session::session_over;
use crate::archive::{DataFile, Judge, Ledgers};

/// The sort column of rows in memory.
const SORTED_BY: &str = "org_id";

/// Runs queries over data files of one archive.
pub struct Engine {
    state: SessionState,
    readers: Arc<Readers>,
    pub(super) ledgers: Ledgers,
    judge: Judge,
    /// The plan of the one query that runs over rows in memory.
    rows_plan: OnceCell<RowsPlan>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Engine")
    }
}

impl Engine {
    /// An engine over the archive with its root at `store`.
    ///
    /// # Errors
    /// [`SqlError::Query`], only for a defect.
    pub fn new(store: Arc<dyn ObjectStore>) -> Result<Self, SqlError> {
        let config = SessionConfig::new()
            // One file is one stream; a second partition would only add an exchange.
            .with_target_partitions(1)
            .with_information_schema(false);
        let state = SessionStateBuilder::new().with_config(config).with_default_features().build();
        let url =
            ObjectStoreUrl::parse(STORE_URL).map_err(|error| SqlError::of("start", &[], &error))?;
        state.runtime_env().register_object_store(url.as_ref(), store.clone());
        // No caches: the engine reads most files once.
        let ledgers = Ledgers::new(store.clone());
        let judge = Judge::new(store.clone());
        let readers = Arc::new(Readers::new(store, 0, 0));
        Ok(Self { state, readers, ledgers, judge, rows_plan: OnceCell::new() })
    }

    /// The judge of files that other programs wrote. Queries check only the values that they read,
    /// so a caller that shows sums of such a file first has the whole file judged.
    pub fn judge(&self) -> &Judge {
        &self.judge
    }

    /// The archive's store.
    pub(super) fn store(&self) -> Arc<dyn ObjectStore> {
        self.readers.store().clone()
    }

    /// Runs `query` with `files` as the table `events`.
    pub(super) async fn run(
        &self,
        query: &'static Query,
        files: &[Arc<DataFile>],
        params: Vec<(&'static str, ScalarValue)>,
    ) -> Result<Vec<RecordBatch>, SqlError> {
        let events =
            LiveTable::new(TableContent::Events, files.to_vec(), None, self.readers.clone());
        let rows = self.query(query, Arc::new(events), params).await;
        rows.map_err(|error| SqlError::of(query.name, files, &error))
    }

    /// Runs `partial.sql` with rows in memory, sorted by `org_id`, as the table `events`.
    pub(super) async fn partial_over_rows(
        &self,
        rows: &[RecordBatch],
    ) -> Result<Vec<RecordBatch>, SqlError> {
        let query = &PARTIAL;
        let wrong = |error: DataFusionError| SqlError::Query {
            query: query.name,
            reason: error.to_string(),
        };
        let size = self.state.config().batch_size();
        let Some(first) = rows.first() else { return Ok(Vec::new()) };
        let batches = rows.iter().flat_map(|rows| {
            let starts = (0..rows.num_rows()).step_by(size);
            starts.map(move |start| rows.slice(start, size.min(rows.num_rows() - start)))
        });
        let plan = self.rows_plan.get_or_try_init(|| async {
            let table = rows_table(first.schema(), col(SORTED_BY).sort(true, false))?;
            let context = self.session(table)?;
            Ok(RowsPlan(context.sql(query.text).await?.create_physical_plan().await?))
        });
        let plan = plan.await.map_err(wrong)?;
        plan.run(batches.collect(), TaskContext::from(&self.state)).await.map_err(wrong)
    }

    async fn query(
        &self,
        query: &'static Query,
        events: Arc<dyn TableProvider>,
        params: Vec<(&'static str, ScalarValue)>,
    ) -> Result<Vec<RecordBatch>, DataFusionError> {
        let context = self.session(events)?;
        let frame = context.sql(query.text).await?;
        let frame = if params.is_empty() { frame } else { frame.with_param_values(params)? };
        frame.collect().await
    }

    /// Each query has its own session, because concurrent queries see different files.
    fn session(&self, events: Arc<dyn TableProvider>) -> Result<SessionContext, DataFusionError> {
        session_over(&self.state, [("events", events)])
    }
}
