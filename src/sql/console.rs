//! SQL for users: the tables `events`, `usage_hourly`, `usage_by_dimension` and `provider_reports`, read
//! only.

mod explained;
mod named_tables;
mod usage;
mod wire;

use std::sync::{Arc, OnceLock};

pub use self::wire::WireAnswer;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::error::{DataFusionError, Result as DataFusionResult};
use datafusion::execution::TaskContext;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::session_state::SessionState;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::prelude::{DataFrame, SQLOptions, SessionConfig, SessionContext};
use datafusion::sql::parser::Statement;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::ObjectStore;

use self::named_tables::NamedTables;
use super::SqlError;
use super::asker::{Asker, Own};
use super::catalog::TABLES;
use super::live_table::{LiveTable, TableContent};
use super::nodes::{EndsQuery, KnownFunctions, NodeCodec, Spread};
use super::only_reads::writing_word;
use super::parts::SUMMED;
use super::postgres::statement;
use super::progress::QueryProgress;
use super::query::USAGE_HOURLY;
use super::readers::Readers;
use super::reports_table::{PROVIDER_REPORTS, ReportsTable};
use super::session::session_over;
use super::sessions::{Sessions, sessions};
use super::views::{as_texts, with_distinct_names, without_views};
use super::walled::{self, QueryBounds};
use super::walled_table::WalledTable;
use crate::archive::{DataFile, Reports};

/// Memory for footers of data files, which later queries need again.
const FOOTER_BYTES_MAX: usize = 64 << 20;
/// Memory for presummed rows, which later queries need again.
const PRESUMMED_BYTES_MAX: usize = 256 << 20;

/// Answers queries over the files of one archive.
pub struct Console {
    state: SessionState,
    /// For our own queries, which define tables.
    plain: SessionState,
    /// For sessions that see one organisation, once there is one.
    walled: OnceLock<SessionState>,
    /// For plans behind the wall of such a session.
    inside: OnceLock<Arc<SessionState>>,
    readers: Arc<Readers>,
    /// How plans travel to nodes.
    codec: NodeCodec,
}

impl std::fmt::Debug for Console {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Console")
    }
}

/// The rows of a query, as a stream.
pub struct QueryAnswer {
    /// The columns of the rows.
    pub schema: SchemaRef,
    /// The rows.
    pub batches: BoxStream<'static, Result<RecordBatch, SqlError>>,
    /// How far the query is.
    pub progress: QueryProgress,
}

impl QueryAnswer {
    /// The same answer, which has `ends` until it is dropped.
    fn until_dropped(self, ends: EndsQuery) -> Self {
        let batches = self.batches.inspect(move |_| {
            // It is dropped with the rows.
            let _ = &ends;
        });
        Self { batches: batches.boxed(), ..self }
    }
}

impl Console {
    /// A console over the archive with its root at `store`. It uses as many partitions as there are
    /// cores.
    ///
    /// # Errors
    /// [`SqlError::Query`], only for a defect.
    pub fn new(store: Arc<dyn ObjectStore>) -> Result<Self, SqlError> {
        let readers = Readers::new(store, FOOTER_BYTES_MAX, PRESUMMED_BYTES_MAX);
        Self::build(readers, SessionConfig::new(), Arc::default())
    }

    /// A console whose queries may be spread over nodes: the engine divides what has partitions.
    ///
    /// # Errors
    /// [`SqlError::Query`], only for a defect.
    pub fn for_nodes(store: Arc<dyn ObjectStore>) -> Result<Self, SqlError> {
        let readers = Readers::new(store, FOOTER_BYTES_MAX, PRESUMMED_BYTES_MAX);
        let config = SessionConfig::new();
        let partitions = config.target_partitions().max(2);
        let mut config = config.with_target_partitions(partitions);
        // It only makes scans begin with the row groups that come first in an order, and a plan does not
        // tell nodes of that.
        config.options_mut().optimizer.enable_sort_pushdown = false;
        Self::build(readers, config, Arc::default())
    }

    /// A console whose queries keep within `bounds`.
    ///
    /// # Errors
    /// [`SqlError::Query`], only for a defect.
    pub fn within(store: Arc<dyn ObjectStore>, bounds: QueryBounds) -> Result<Self, SqlError> {
        let runtime =
            walled::runtime(bounds).map_err(|error| SqlError::of("start", &[], &error))?;
        let config = SessionConfig::new().with_target_partitions(bounds.partitions);
        // One query rarely needs the same thing twice, and no memory pool counts these caches.
        let kept_bytes_max = bounds.memory_bytes / 16;
        Self::build(Readers::new(store, kept_bytes_max, kept_bytes_max), config, runtime)
    }

    fn build(
        readers: Readers,
        config: SessionConfig,
        runtime: Arc<RuntimeEnv>,
    ) -> Result<Self, SqlError> {
        let Sessions { plain, postgres: state } =
            sessions(config, runtime, readers.store().clone())?;
        let readers = Arc::new(readers);
        let functions = KnownFunctions { plain: plain.clone(), postgres: state.clone() };
        let codec = NodeCodec { functions: Arc::new(functions), readers: readers.clone() };
        Ok(Self { walled: OnceLock::new(), inside: OnceLock::new(), state, plain, readers, codec })
    }

    /// Asks each node whether it is there, and of this program and archive.
    ///
    /// # Errors
    /// [`SqlError::Node`], naming the first that is not.
    pub async fn hello(&self, spread: Spread<'_>) -> Result<(), SqlError> {
        spread.hello(&self.codec).await.map_err(|error| SqlError::of_spread(&error))
    }

    /// Starts to answer one statement over `files`, or over one organisation's rows in them.
    ///
    /// # Errors
    /// [`SqlError::Asked`] for what the user can fix; Corrupt or Unavailable, naming the file.
    pub async fn query(
        &self,
        files: &[Arc<DataFile>],
        org: Option<&str>,
        text: &str,
    ) -> Result<QueryAnswer, SqlError> {
        self.answer(files, &Asker::of_org(org), text).await
    }

    /// As [`Console::query`], of whoever asks.
    ///
    /// # Errors
    /// As [`Console::query`].
    pub async fn answer(
        &self,
        files: &[Arc<DataFile>],
        asker: &Asker,
        text: &str,
    ) -> Result<QueryAnswer, SqlError> {
        self.answer_spread(files, asker, None, text).await
    }

    /// As [`Console::answer`], spread over nodes if there are any.
    ///
    /// # Errors
    /// As [`Console::answer`], and [`SqlError::Node`].
    pub async fn answer_spread(
        &self,
        files: &[Arc<DataFile>],
        asker: &Asker,
        spread: Option<Spread<'_>>,
        text: &str,
    ) -> Result<QueryAnswer, SqlError> {
        let session = self.session(files, asker, &NamedTables::of(text)).await;
        let context = session.map_err(|error| SqlError::of_asked(&error))?;
        let frame = self.plan(&context, asker.org_id.is_some(), text).await;
        let frame = frame.map_err(|error| match asker.bound {
            Some(_) => error.without_reports(),
            None => error,
        })?;
        let (plan, tasks) = plan_of(frame).await?;
        let shown = |schema: &SchemaRef| with_distinct_names(&without_views(schema));
        let spread = match spread {
            Some(spread) => spread.plan(&plan, &context.state(), &self.codec).await,
            None => Ok(None),
        };
        match spread.map_err(|error| SqlError::of_spread(&error))? {
            Some((plan, tasks)) => rows_of(plan, tasks, shown, SqlError::of_spread),
            None => {
                let ending = EndsQuery::of(plan).map_err(|error| SqlError::of_asked(&error));
                let (plan, ends) = ending?;
                let answer = rows_of(plan, tasks, shown, SqlError::of_asked)?;
                Ok(answer.until_dropped(ends))
            }
        }
    }

    /// Names that a query may use: tables and their columns, and functions.
    ///
    /// # Errors
    /// [`SqlError::Asked`], only for a defect.
    pub async fn names(&self) -> Result<Vec<String>, SqlError> {
        let session = self.session(&[], &Asker::default(), &NamedTables::all()).await;
        let context = session.map_err(|error| SqlError::of_asked(&error))?;
        let mut names: Vec<String> = TABLES.map(str::to_owned).to_vec();
        for table in TABLES {
            let table = context.table(table).await.map_err(|error| SqlError::of_asked(&error))?;
            names.extend(table.schema().fields().iter().map(|field| field.name().clone()));
        }
        names.extend(self.state.scalar_functions().keys().cloned());
        names.extend(self.state.aggregate_functions().keys().cloned());
        names.extend(self.state.window_functions().keys().cloned());
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }

    async fn plan(
        &self,
        context: &SessionContext,
        walled: bool,
        text: &str,
    ) -> Result<DataFrame, SqlError> {
        let depth_max = context.state().config_options().sql_parser.recursion_limit.get();
        let statement = statement(text, depth_max).map_err(|error| SqlError::of_asked(&error))?;
        self.planned(context, walled, statement, text).await
    }

    /// Plans a statement that only reads.
    async fn planned(
        &self,
        context: &SessionContext,
        walled: bool,
        statement: Statement,
        text: &str,
    ) -> Result<DataFrame, SqlError> {
        let asked = |error: DataFusionError| SqlError::of_asked(&error);
        let state = context.state();
        if let Some(word) = writing_word(&statement, text) {
            return Err(SqlError::Asked(format!(
                "{word} is refused, because SQL only reads here; use SELECT, and write with: tokenlake serve"
            )));
        }
        let plan = state.statement_to_plan(statement).await.map_err(asked)?;
        let reads = SQLOptions::new()
            .with_allow_ddl(false)
            .with_allow_dml(false)
            .with_allow_statements(false);
        reads.verify_plan(&plan).map_err(asked)?;
        let plan = if walled { walled::shown(plan, &state)? } else { plan };
        context.execute_logical_plan(plan).await.map_err(asked)
    }

    /// Each query has its own session, which sees these files and no others, in the tables that it names.
    async fn session(
        &self,
        files: &[Arc<DataFile>],
        asker: &Asker,
        named: &NamedTables,
    ) -> DataFusionResult<SessionContext> {
        let [events_name, usage_name, parts_name, _] = TABLES;
        let mut tables: Vec<_> = self.reports(asker).into_iter().collect();
        let Some(org_id) = asker.org_id.clone() else {
            tables.push((events_name, self.table(TableContent::Events, files.to_vec())));
            if named.has(usage_name) {
                tables.push((usage_name, self.usage_hourly(files).await?));
            }
            if named.has(parts_name) {
                tables.push((parts_name, self.usage_by_dimension(files, asker).await?));
            }
            return session_over(&self.state, tables);
        };
        let org = Some(org_id.clone());
        let events =
            LiveTable::new(TableContent::Events, files.to_vec(), org, self.readers.clone());
        let own = Own { org_id, bound: asker.bound.clone() };
        let inside = self.inside.get_or_init(|| Arc::new(walled::inside(&self.plain)));
        let events = WalledTable::rows(events, own, inside.clone());
        if named.has(usage_name) {
            let cells: Arc<dyn TableProvider> = Arc::new(events.cells(&SUMMED)?);
            let usage = self.context([("partials", cells)])?.sql(USAGE_HOURLY.text).await?;
            tables.push((usage_name, usage.into_view()));
        }
        if named.has(parts_name) {
            tables.push((parts_name, self.own_by_dimension(&events, asker).await?));
        }
        tables.push((events_name, Arc::new(events)));
        session_over(self.walled.get_or_init(|| walled::narrowed(&self.state)), tables)
    }

    /// The table of reports; none for those who see a part of an organisation, which no report is of.
    fn reports(&self, asker: &Asker) -> Option<(&'static str, Arc<dyn TableProvider>)> {
        if asker.bound.is_some() {
            return None;
        }
        let reports = Reports::new(self.readers.store().clone());
        Some((PROVIDER_REPORTS, Arc::new(ReportsTable::new(reports, asker.org_id.as_deref()))))
    }

    fn table(&self, part: TableContent, files: Vec<Arc<DataFile>>) -> Arc<dyn TableProvider> {
        Arc::new(LiveTable::new(part, files, None, self.readers.clone()))
    }

    fn context(
        &self,
        tables: impl IntoIterator<Item = (&'static str, Arc<dyn TableProvider>)>,
    ) -> DataFusionResult<SessionContext> {
        session_over(&self.plain, tables)
    }
}

/// How a frame is run here, and with what.
async fn plan_of(frame: DataFrame) -> Result<(Arc<dyn ExecutionPlan>, Arc<TaskContext>), SqlError> {
    let tasks = Arc::new(frame.task_ctx());
    let plan = frame.create_physical_plan().await.map_err(|error| SqlError::of_asked(&error))?;
    Ok((plan, tasks))
}

/// The rows of a plan, in the schema that `shown` makes of theirs. `of_error` classifies its errors.
fn rows_of(
    plan: Arc<dyn ExecutionPlan>,
    tasks: Arc<TaskContext>,
    shown: impl FnOnce(&SchemaRef) -> SchemaRef,
    of_error: fn(&DataFusionError) -> SqlError,
) -> Result<QueryAnswer, SqlError> {
    let wrong = move |error: DataFusionError| of_error(&error);
    let rows = execute_stream(plan.clone(), tasks).map_err(wrong)?;
    let schema = shown(&rows.schema());
    let as_shown = schema.clone();
    let batches = rows.map(move |rows| Ok(as_texts(&rows?, &as_shown)?)).map_err(wrong).boxed();
    Ok(QueryAnswer { schema, batches, progress: QueryProgress::of(plan) })
}
