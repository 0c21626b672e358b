//! Tables over data files: their rows, or the partials that they carry. Files whose bounds in the
//! log exclude the query's filters are not opened.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::{DFSchema, ScalarValue, Statistics, project_schema};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::error::Result;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::expr_rewriter::unnormalize_col;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType, col, lit};
use datafusion::physical_optimizer::PhysicalOptimizerRule as _;
use datafusion::physical_optimizer::filter_pushdown::FilterPushdown;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::filter::FilterExecBuilder;

use super::asker::Own;
use super::file_bounds::{dates_pass, days, is_of_dates, passing, statistics};
use super::filters::{asks_for_id, is_plain, is_selective};
use super::foreign_scan::ForeignExec;
use super::readers::{ReaderFactory, Readers, STORE_URL};
use super::views::with_views;
use super::{CellKind, cell_schema};
use crate::archive::{CheckedObject, DataFile, PARTITION};

/// The part of the files that a table shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TableContent {
    /// Their rows.
    Events,
    /// The cells of a kind that they carry.
    Cells(CellKind),
}

/// Files as one table, of one organisation or of all.
#[derive(Debug)]
pub(super) struct LiveTable {
    part: TableContent,
    files: Vec<Arc<DataFile>>,
    org: Option<Arc<str>>,
    schema: TableSchema,
    readers: Arc<Readers>,
}

impl LiveTable {
    pub(super) fn new(
        part: TableContent,
        files: Vec<Arc<DataFile>>,
        org: Option<Arc<str>>,
        readers: Arc<Readers>,
    ) -> Self {
        let schema = match &part {
            TableContent::Events => {
                let date = Arc::new(Field::new(PARTITION, DataType::Date32, false));
                let events = with_views(&crate::event::schema());
                TableSchema::builder(events).with_table_partition_cols(vec![date])
            }
            TableContent::Cells(kind) => TableSchema::builder(with_views(&cells_schema(kind))),
        };
        Self { part, files, org, schema: schema.build(), readers }
    }

    /// True if the table shows the rows of files.
    pub(super) fn shows_events(&self) -> bool {
        self.part == TableContent::Events
    }

    pub(super) fn files(&self) -> &[Arc<DataFile>] {
        &self.files
    }

    pub(super) fn readers(&self) -> &Arc<Readers> {
        &self.readers
    }

    /// The same table over some of its files.
    pub(super) fn of_files(&self, files: Vec<Arc<DataFile>>) -> Self {
        self.of_part(self.part.clone(), files)
    }

    /// A table of another part of some of its files.
    pub(super) fn of_part(&self, part: TableContent, files: Vec<Arc<DataFile>>) -> Self {
        Self::new(part, files, self.org.clone(), self.readers.clone())
    }

    /// The files that may hold rows that pass the filters.
    fn chosen(&self, state: &dyn Session, filters: &[Expr]) -> Result<Vec<&Arc<DataFile>>> {
        let kept = |files: Vec<_>, keeps: Vec<bool>| {
            let files = files.into_iter().zip(keeps).filter(|(_, keep)| *keep);
            files.map(|(file, _)| file).collect()
        };
        let mut files: Vec<_> = self.files.iter().collect();
        if self.org.is_none() && self.part == TableContent::Events {
            let keeps = dates_pass(&files, state, filters)?;
            files = kept(files, keeps);
        }
        let schema = self.schema.table_schema();
        let keeps = passing(&files, self.org.as_deref(), state, filters, schema);
        Ok(kept(files, keeps))
    }

    fn is_plain(&self, filter: &Expr) -> bool {
        is_plain(filter, self.schema.table_schema())
    }

    /// The plan of one organisation's own rows, for the inside of a wall. Only filters that cannot
    /// fail on the rows of others run here.
    pub(super) fn own_rows(
        &self,
        own: &Own,
        state: &dyn Session,
        projection: &[usize],
        filters: &[Expr],
    ) -> Result<Arc<dyn ExecutionPlan>> {
        // A filter's columns may be qualified by the query's table; the scan's columns are not.
        let plain = filters.iter().filter(|filter| self.is_plain(filter)).cloned();
        let plain = plain.map(unnormalize_col);
        let own = match self.part {
            TableContent::Cells(CellKind::Dimension(_)) => own.parts(),
            TableContent::Events => own.events(),
            // They have no attributes; those of a part of an organisation are made of rows.
            TableContent::Cells(CellKind::Core | CellKind::Corrections | CellKind::Days) => {
                col("org_id").eq(lit(&*own.org_id))
            }
        };
        let own = plain.fold(own, Expr::and);
        let schema = self.schema.table_schema();
        let mut read = projection.to_vec();
        for column in own.column_refs() {
            read.push(schema.index_of(column.name())?);
        }
        read.sort_unstable();
        read.dedup();
        let shown = projection.iter().filter_map(|column| read.binary_search(column).ok());
        let shown = shown.collect();
        let rows = self.scan_files(state, Some(&read), filters, None)?;
        let partitions = state.config_options().execution.target_partitions;
        let rows = rows.repartitioned(partitions, state.config_options())?.unwrap_or(rows);
        let columns = DFSchema::try_from(rows.schema().as_ref().clone())?;
        let own = state.create_physical_expr(own, &columns)?;
        let rows = FilterExecBuilder::new(own, rows).apply_projection(Some(shown))?;
        FilterPushdown::new().optimize(Arc::new(rows.build()?), state.config_options())
    }

    fn partitioned(&self, file: &Arc<DataFile>) -> Option<PartitionedFile> {
        let object = match &self.part {
            TableContent::Events => CheckedObject::of(file),
            TableContent::Cells(kind) => file.stored_cells(&kind.version())?,
        };
        let scanned = PartitionedFile::new(file.path_in_archive(), object.part_bytes());
        let scanned = scanned.with_extension(object);
        if !self.shows_events() {
            return Some(scanned);
        }
        let scanned = scanned.with_partition_values(vec![ScalarValue::Date32(Some(days(file)))]);
        if self.org.is_some() {
            return Some(scanned);
        }
        let statistics = statistics(file, self.schema.file_schema());
        Some(scanned.with_statistics(Arc::new(statistics)))
    }

    fn scan_files(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let files = self.chosen(state, filters)?;
        let (own, foreign): (Vec<_>, Vec<_>) = files.into_iter().partition(|file| file.is_ours());
        let own: Vec<_> = own.into_iter().filter_map(|file| self.partitioned(file)).collect();
        // Foreign files carry no partials.
        if foreign.is_empty() || !self.shows_events() {
            return self.scan_own(state, own, projection, filters, limit);
        }
        let own = match own.is_empty() {
            true => None,
            false => Some(self.scan_own(state, own, projection, filters, limit)?),
        };
        let foreign = foreign.into_iter().cloned().collect();
        let schema = project_schema(self.schema.table_schema(), projection)?;
        let partitions = state.config_options().execution.target_partitions;
        ForeignExec::beside(own, foreign, schema, partitions, self.readers.store().clone())
    }

    /// Scans our own files.
    fn scan_own(
        &self,
        state: &dyn Session,
        files: Vec<PartitionedFile>,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        // If no file can pass, there is nothing to scan, and no partition to scan it in.
        if files.is_empty() {
            let schema = project_schema(self.schema.table_schema(), projection)?;
            return Ok(Arc::new(EmptyExec::new(schema)));
        }
        let statistics = self.statistics_of(&files);
        let files = FileGroup::new(files);
        let mut options = state.table_options().parquet.clone();
        // The one Bloom filter is on event_id. Looking for others would make a scan read each small
        // file a second time.
        options.global.bloom_filter_on_read &= filters.iter().any(asks_for_id);
        // Decoding only the rows that pass pays off if few pass. Without a filter of the query's own there
        // may be one of the first rows in an order, which few pass.
        options.global.pushdown_filters =
            self.org.is_some() || filters.is_empty() || filters.iter().any(is_selective);
        let source = ParquetSource::new(self.schema.clone())
            .with_table_parquet_options(options)
            .with_parquet_file_reader_factory(Arc::new(ReaderFactory(self.readers.clone())));
        let partitions = state.config_options().execution.target_partitions;
        let config =
            FileScanConfigBuilder::new(ObjectStoreUrl::parse(STORE_URL)?, Arc::new(source))
                .with_file_groups(files.split_files(partitions))
                .with_projection_indices(projection.cloned())?
                .with_statistics(statistics)
                .with_limit(limit)
                .build();
        Ok(DataSourceExec::from_data_source(config))
    }

    /// The number of rows, if the log knows it. Behind a wall it would include other organisations'
    /// rows.
    fn statistics_of(&self, files: &[PartitionedFile]) -> Statistics {
        let schema = self.schema.table_schema();
        let mut statistics = Statistics::new_unknown(schema);
        let each = files.iter().map(|file| {
            let known = file.statistics.as_ref()?;
            Some((known.num_rows.get_value()?, known.total_byte_size.get_value()?))
        });
        if let Some(each) = each.collect::<Option<Vec<_>>>() {
            statistics.num_rows = Precision::Exact(each.iter().map(|(rows, _)| *rows).sum());
            statistics.total_byte_size =
                Precision::Inexact(each.iter().map(|(_, size)| *size).sum());
        }
        statistics
    }
}

#[async_trait]
impl TableProvider for LiveTable {
    fn schema(&self) -> SchemaRef {
        self.schema.table_schema().clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        let whole_files = self.org.is_none() && self.part == TableContent::Events;
        let pushdown = |filter: &&Expr| match whole_files && is_of_dates(filter) {
            true => TableProviderFilterPushDown::Exact,
            // Applied again above the scan, and pushed into it if that helps.
            false => TableProviderFilterPushDown::Inexact,
        };
        Ok(filters.iter().map(pushdown).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.scan_files(state, projection, filters, limit)
    }
}

/// Decimals may be shorter in a file, and sums may be null if no event has a value.
fn cells_schema(kind: &CellKind) -> SchemaRef {
    let fields = cell_schema(kind);
    let fields = fields.fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}
