//! The tables of one organisation: what a query plans over, and what is read when it runs.
//!
//! Whether partials or rows answer a query depends on whole files, and so on what others hold. So
//! until the query runs, a plan knows only what the query itself says.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DFSchema, project_schema};
use datafusion::error::Result;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::expr_rewriter::unnormalize_col;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType, col, lit, when};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::prelude::{DataFrame, SessionContext};

use super::asker::Own;
use super::cell_kind::CellKind;
use super::from_partials::{FileSplit, Needs};
use super::live_table::{LiveTable, TableContent};
use super::parts::{made_corrections, made_parts, stored_corrections, stored_parts};
use super::presummed::{self, PRICED, REQUESTS};
use super::presummed_table::own_presummed;
use super::query::PARTIAL;
use super::session::session_over;
use super::sql_version;
use super::wall::{Inside, OrgWall, Plans};
use crate::archive::DataFile;

/// The view of an organisation's events that a table shows.
#[derive(Debug, Clone)]
enum Shown {
    Rows,
    /// Presummed rows, by the needs of a query, and whether it selects calls only.
    Presummed {
        needs: Needs,
        calls_alone: bool,
    },
    /// Cells of a kind: those that files carry, and those computed from rows.
    Cells(CellKind),
}

/// A table of one organisation.
#[derive(Debug, Clone)]
pub(super) struct WalledTable {
    shown: Shown,
    events: Arc<LiveTable>,
    own: Own,
    /// The session that plans the inside.
    state: Arc<SessionState>,
    schema: SchemaRef,
}

impl WalledTable {
    /// The rows of `events` that are those of `own`.
    pub(super) fn rows(events: LiveTable, own: Own, state: Arc<SessionState>) -> Self {
        let schema = events.schema();
        Self { shown: Shown::Rows, events: Arc::new(events), own, state, schema }
    }

    /// The columns of `partial.sql` that `usage_hourly.sql` uses.
    pub(super) fn cells(&self, columns: &[&str]) -> Result<Self> {
        let cells = self.events.of_part(TableContent::Cells(CellKind::Core), Vec::new()).schema();
        let places = columns.iter().map(|name| cells.index_of(name));
        let places = places.collect::<std::result::Result<Vec<_>, _>>()?;
        let schema = Arc::new(cells.project(&places)?);
        Ok(Self { shown: Shown::Cells(CellKind::Core), schema, ..self.clone() })
    }

    /// The cells of a dimension, in the columns of `dimension_cells.sql`, which `schema` has.
    pub(super) fn parts(&self, kind: CellKind, schema: SchemaRef) -> Self {
        Self { shown: Shown::Cells(kind), schema, ..self.clone() }
    }

    /// The same events as presummed rows.
    pub(super) fn presummed(&self, needs: Needs, calls_alone: bool) -> Self {
        let shown = Shown::Presummed { needs, calls_alone };
        Self { shown, schema: presummed::schema(), ..self.clone() }
    }

    /// The table of events, if this table shows the rows of a whole organisation: partials do not have
    /// its parts.
    pub(super) fn events(&self) -> Option<&LiveTable> {
        let shows = matches!(self.shown, Shown::Rows) && self.events.shows_events();
        (shows && self.own.bound.is_none()).then_some(&*self.events)
    }
}

#[async_trait]
impl TableProvider for WalledTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        // Applied again above the wall.
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = project_schema(&self.schema, projection)?;
        let projection = projection.cloned();
        let projection = projection.unwrap_or_else(|| (0..self.schema.fields().len()).collect());
        let filters = filters.to_vec();
        let inside = Behind { table: self.clone(), projection, filters };
        let partitions = state.config_options().execution.target_partitions;
        Ok(OrgWall::around(Arc::new(inside), schema, partitions))
    }
}

/// The inside of a table's wall.
#[derive(Debug)]
struct Behind {
    table: WalledTable,
    projection: Vec<usize>,
    filters: Vec<Expr>,
}

#[async_trait]
impl Inside for Behind {
    async fn plans(&self) -> Result<Plans> {
        let table = &self.table;
        match &table.shown {
            Shown::Rows => Ok(vec![self.rows(&table.events, &self.projection)?]),
            Shown::Presummed { needs, calls_alone } => self.presummed(needs, *calls_alone),
            Shown::Cells(CellKind::Core) => self.cells().await,
            Shown::Cells(kind) => self.parts(kind).await,
        }
    }
}

impl Behind {
    fn rows(&self, table: &LiveTable, projection: &[usize]) -> Result<Arc<dyn ExecutionPlan>> {
        table.own_rows(&self.table.own, &*self.table.state, projection, &self.filters)
    }

    fn presummed(&self, needs: &Needs, calls_alone: bool) -> Result<Vec<Arc<dyn ExecutionPlan>>> {
        let (events, state) = (&self.table.events, &*self.table.state);
        let split = FileSplit::of(events.files(), needs, calls_alone);
        let mut plans = Vec::new();
        if !split.presummed.is_empty() {
            let (org, readers) = (&self.table.own.org_id, events.readers().clone());
            let (projection, filters) = (&self.projection, &self.filters);
            plans.push(own_presummed(&split.presummed, org, readers, state, projection, filters)?);
        }
        if !split.rows.is_empty() {
            plans.push(self.with_counts(&events.of_files(split.rows))?);
        }
        Ok(plans)
    }

    /// Rows with a weight of one each.
    fn with_counts(&self, events: &LiveTable) -> Result<Arc<dyn ExecutionPlan>> {
        let (schema, presummed) = (events.schema(), &self.table.schema);
        let asked = self.projection.iter().map(|at| presummed.field(*at).name().as_str());
        let asked: Vec<&str> = asked.collect();
        let columns = asked.iter().filter(|name| **name != REQUESTS);
        let columns = columns.map(|name| if *name == PRICED { "cost_usd" } else { name });
        let places = columns.map(|name| schema.index_of(name));
        let mut places = places.collect::<std::result::Result<Vec<_>, _>>()?;
        places.sort_unstable();
        places.dedup();
        let rows = self.rows(events, &places)?;
        let columns = DFSchema::try_from(rows.schema().as_ref().clone())?;
        let exprs = asked.into_iter().map(|name| -> Result<(Arc<dyn PhysicalExpr>, String)> {
            let expr = match name {
                REQUESTS => lit(1_i64),
                PRICED => when(col("cost_usd").is_null(), lit(0_i64)).otherwise(lit(1_i64))?,
                name => col(name),
            };
            Ok((self.table.state.create_physical_expr(expr, &columns)?, name.to_owned()))
        });
        let exprs = exprs.collect::<Result<Vec<_>>>()?;
        Ok(Arc::new(ProjectionExec::try_new(exprs, rows)?))
    }

    /// The cells that files carry, and those computed from the other files' rows.
    async fn cells(&self) -> Result<Vec<Arc<dyn ExecutionPlan>>> {
        let version = sql_version();
        let events = &self.table.events;
        // Partials tell nothing of a part of an organisation.
        let is_whole = self.table.own.bound.is_none();
        let (with, without): (Vec<_>, Vec<_>) = events
            .files()
            .iter()
            .cloned()
            .partition(|file| is_whole && file.stored_partial(&version).is_some());
        let names = self.projection.iter().map(|at| self.table.schema.field(*at).name().as_str());
        let names: Vec<&str> = names.collect();
        let mut plans = Vec::new();
        if !with.is_empty() {
            let carried = events.of_part(TableContent::Cells(CellKind::Core), with);
            let places = names.iter().map(|name| carried.schema().index_of(name));
            let places = places.collect::<std::result::Result<Vec<_>, _>>()?;
            plans.push(self.rows(&carried, &places)?);
        }
        if !without.is_empty() {
            plans.push(self.made(events.of_files(without), &names).await?);
        }
        plans.extend(self.corrections(&names).await?);
        Ok(plans)
    }

    /// What corrections add: those of files that carry cells of them, and those that are made of rows.
    async fn corrections(&self, names: &[&str]) -> Result<Vec<Arc<dyn ExecutionPlan>>> {
        let (kind, events) = (CellKind::Corrections, &self.table.events);
        let (version, is_whole) = (kind.version(), self.table.own.bound.is_none());
        let carry = |file: &&Arc<DataFile>| file.stored_cells(&version).is_some();
        let with: Vec<_> = events.files().iter().filter(carry).cloned().collect();
        let foreign = events.files().iter().filter(|file| !file.is_ours());
        let foreign: Vec<_> = foreign.cloned().collect();
        let (stored, mut made) = if is_whole { (with, Vec::new()) } else { (Vec::new(), with) };
        made.extend(foreign);
        let mut plans = Vec::new();
        if !stored.is_empty() {
            let stored =
                self.context("stored", events.of_part(TableContent::Cells(kind), stored))?;
            plans.push(self.planned(stored_corrections(&stored).await?, names).await?);
        }
        if !made.is_empty() {
            let rows = self.context("events", events.of_files(made))?;
            let made = made_corrections(&rows, &self.table.state).await?;
            plans.push(self.planned(made, names).await?);
        }
        Ok(plans)
    }

    async fn made(&self, events: LiveTable, names: &[&str]) -> Result<Arc<dyn ExecutionPlan>> {
        let made = self.context("events", events)?.sql(PARTIAL.text).await?;
        self.planned(made, names).await
    }

    /// The cells of a dimension.
    async fn parts(&self, kind: &CellKind) -> Result<Vec<Arc<dyn ExecutionPlan>>> {
        let version = kind.version();
        let events = &self.table.events;
        let (with, without): (Vec<_>, Vec<_>) =
            events.files().iter().cloned().partition(|file| file.stored_cells(&version).is_some());
        let names = self.projection.iter().map(|at| self.table.schema.field(*at).name().as_str());
        let names: Vec<&str> = names.collect();
        let mut plans = Vec::new();
        if !with.is_empty() {
            let stored = events.of_part(TableContent::Cells(kind.clone()), with);
            let parts = stored_parts(&self.context("stored", stored)?).await?;
            plans.push(self.planned(parts, &names).await?);
        }
        if !without.is_empty() {
            let events = self.context("events", events.of_files(without))?;
            plans.push(self.planned(made_parts(&events, kind).await?, &names).await?);
        }
        Ok(plans)
    }

    /// A session over the own rows of a table.
    fn context(&self, name: &'static str, table: LiveTable) -> Result<SessionContext> {
        let WalledTable { own, state, .. } = &self.table;
        let rows = Arc::new(WalledTable::rows(table, own.clone(), state.clone()));
        session_over(state, [(name, rows as Arc<dyn TableProvider>)])
    }

    async fn planned(&self, made: DataFrame, names: &[&str]) -> Result<Arc<dyn ExecutionPlan>> {
        let filters = self.filters.iter().cloned().map(unnormalize_col);
        let made = filters.into_iter().try_fold(made, DataFrame::filter)?;
        let made = made.select(names.iter().map(|name| col(*name)).collect::<Vec<_>>())?;
        made.create_physical_plan().await
    }
}
