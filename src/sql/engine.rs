//! Runs the queries of `queries/*.sql` over data files.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::catalog::TableProvider;
use datafusion::common::ScalarValue;
use datafusion::error::DataFusionError;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::session_state::SessionState;
use datafusion::execution::{FunctionRegistry as _, SessionStateBuilder, TaskContext};
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::physical_plan::collect;
use datafusion::prelude::{DataFrame, SessionConfig, SessionContext, col};
use object_store::ObjectStore;
use parking_lot::Mutex;

use super::SqlError;
use super::cell_kind::CellKind;
use super::dimension_function::dimension_function;
use super::live_table::{LiveTable, TableContent};
use super::padded::forgetting_padded;
use super::planned::{Params, PlannedQueries, over};
use super::query::{CORRECTION_CELLS, DAY_CELLS, DIMENSION_CELLS, PARTIAL, Query};
use super::readers::{Readers, STORE_URL};
use super::rows_plan::{RowsPlan, rows_table};
use super::session::session_over;
use crate::archive::{DataFile, Judge, Ledgers};
use crate::event::DIMENSIONS_MAX;

/// The sort column of rows in memory.
const SORTED_BY: &str = "org_id";

/// Runs queries over data files of one archive.
pub struct Engine {
    state: SessionState,
    readers: Arc<Readers>,
    pub(super) ledgers: Ledgers,
    judge: Judge,
    planned: PlannedQueries,
    /// The plans of the queries that run over rows in memory.
    rows_plans: Mutex<Vec<(CellKind, Arc<RowsPlan>)>>,
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
        let mut state = SessionStateBuilder::new()
            .with_config(config)
            .with_default_features()
            .with_physical_optimizer_rules(forgetting_padded())
            .build();
        let function = dimension_function();
        let registered = state.register_udf(function);
        registered.map_err(|error| SqlError::of("start", &[], &error))?;
        let url =
            ObjectStoreUrl::parse(STORE_URL).map_err(|error| SqlError::of("start", &[], &error))?;
        state.runtime_env().register_object_store(url.as_ref(), store.clone());
        // No caches: the engine reads most files once.
        let ledgers = Ledgers::new(store.clone());
        let judge = Judge::new(store.clone());
        let readers = Arc::new(Readers::new(store, 0, 0));
        let planned = PlannedQueries::default();
        Ok(Self { state, readers, ledgers, judge, planned, rows_plans: Mutex::default() })
    }

    /// The same engine, whose judge [notes](Judge::noting) what it reads.
    pub fn noting(self) -> Self {
        Self { judge: self.judge.noting(), ..self }
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
        params: Params,
    ) -> Result<Vec<RecordBatch>, SqlError> {
        let rows = async {
            let plan = self.planned(query, params).await?;
            let plan = over(plan, self.events(files))?;
            let plan = self.state.query_planner().create_physical_plan(&plan, &self.state).await?;
            collect(plan, Arc::new(TaskContext::from(&self.state))).await
        };
        rows.await.map_err(|error: DataFusionError| SqlError::of(query.name, files, &error))
    }

    /// The optimized plan of a query, over no files.
    async fn planned(
        &self,
        query: &'static Query,
        params: Params,
    ) -> Result<LogicalPlan, DataFusionError> {
        if let Some(plan) = self.planned.known(query, &params) {
            return Ok(plan);
        }
        let context = self.session(self.events(&[]))?;
        let plan = asked(&context, query, params.clone()).await?.into_optimized_plan()?;
        self.planned.keep(query, params, &plan);
        Ok(plan)
    }

    /// The table `events` of these files.
    fn events(&self, files: &[Arc<DataFile>]) -> Arc<dyn TableProvider> {
        let readers = self.readers.clone();
        Arc::new(LiveTable::new(TableContent::Events, files.to_vec(), None, readers))
    }

    /// Runs `query` with the rows of a file that pass `filter` as the table `events`.
    pub(super) async fn run_over(
        &self,
        query: &'static Query,
        file: &Arc<DataFile>,
        filter: Expr,
        params: Params,
    ) -> Result<Vec<RecordBatch>, SqlError> {
        let files = std::slice::from_ref(file);
        let rows = async {
            let all = self.session(self.events(files))?.table("events").await?;
            let context = self.session(all.filter(filter)?.into_view())?;
            asked(&context, query, params).await?.collect().await
        };
        rows.await.map_err(|error: DataFusionError| SqlError::of(query.name, files, &error))
    }

    /// Runs the query of some cells with rows in memory, sorted by `org_id`, as the table `events`.
    pub(super) async fn cells_over_rows(
        &self,
        kind: &CellKind,
        rows: &[RecordBatch],
    ) -> Result<Vec<RecordBatch>, SqlError> {
        let query = query_of(kind);
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
        let plan = self.rows_plan(kind, first).await.map_err(wrong)?;
        plan.run(batches.collect(), TaskContext::from(&self.state)).await.map_err(wrong)
    }

    /// The plan of the query of some cells over rows like `first`.
    async fn rows_plan(
        &self,
        kind: &CellKind,
        first: &RecordBatch,
    ) -> Result<Arc<RowsPlan>, DataFusionError> {
        let known = |plans: &[(CellKind, Arc<RowsPlan>)]| {
            plans.iter().find(|(of, _)| of == kind).map(|(_, plan)| plan.clone())
        };
        if let Some(plan) = known(&self.rows_plans.lock()) {
            return Ok(plan);
        }
        let table = rows_table(first.schema(), col(SORTED_BY).sort(true, false))?;
        let frame = asked(&self.session(table)?, query_of(kind), params_of(kind)).await?;
        let plan = Arc::new(RowsPlan(frame.create_physical_plan().await?));
        let mut plans = self.rows_plans.lock();
        // Declarations come and go; the first is that of the core.
        if plans.len() > 2 * DIMENSIONS_MAX {
            plans.remove(1);
        }
        plans.push((kind.clone(), plan.clone()));
        Ok(plan)
    }

    /// Each plan has its own session, because concurrent queries see different tables.
    fn session(&self, events: Arc<dyn TableProvider>) -> Result<SessionContext, DataFusionError> {
        session_over(&self.state, [("events", events)])
    }
}

/// A query with its parameters, over the tables of a session.
async fn asked(
    context: &SessionContext,
    query: &Query,
    params: Params,
) -> Result<DataFrame, DataFusionError> {
    let frame = context.sql(query.text).await?;
    if params.is_empty() { Ok(frame) } else { frame.with_param_values(params) }
}

/// The query that makes the cells of a kind.
pub(super) fn query_of(kind: &CellKind) -> &'static Query {
    match kind {
        CellKind::Core => &PARTIAL,
        CellKind::Dimension(_) => &DIMENSION_CELLS,
        CellKind::Corrections => &CORRECTION_CELLS,
        CellKind::Days => &DAY_CELLS,
    }
}

/// What that query is asked.
pub(super) fn params_of(kind: &CellKind) -> Params {
    let attribute = kind.dimension().map(|dimension| &*dimension.attribute);
    attribute.map(|attribute| ("attribute", ScalarValue::from(attribute))).into_iter().collect()
}
