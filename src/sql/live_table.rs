//! Tables for people: the rows of data files, or the partials that these carry. Files whose bounds
//! in the log exclude the query's filters are not opened.

use std::ops::Range;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use bytes::Bytes;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DFSchema, ScalarValue, exec_datafusion_err};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::ParquetFileReaderFactory;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::error::Result;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::expr_rewriter::unnormalize_col;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType, col, lit};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::filter::FilterExecBuilder;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::future::BoxFuture;
use futures::{FutureExt as _, TryFutureExt as _};
use object_store::ObjectStore;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;

use super::events_table::STORE_URL;
use super::file_bounds::{days, may_pass};
use super::wall::{OrgWall, is_plain};
use super::{cell_schema, sql_version};
use crate::archive::{ArchiveError, CheckedObject, CheckedReader, DataFile, PARTITION};

/// What of the files a table shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Their rows.
    Events,
    /// The partials that they carry.
    Partials,
}

/// Files as one table, of one organisation or of all.
#[derive(Debug)]
pub(super) struct LiveTable {
    part: Part,
    files: Vec<Arc<DataFile>>,
    org: Option<Arc<str>>,
    schema: TableSchema,
    readers: Arc<Readers>,
}

impl LiveTable {
    pub(super) fn new(
        part: Part,
        files: Vec<Arc<DataFile>>,
        org: Option<Arc<str>>,
        store: Arc<dyn ObjectStore>,
    ) -> Self {
        let schema = match part {
            Part::Events => {
                let date = Arc::new(Field::new(PARTITION, DataType::Date32, false));
                TableSchema::builder(crate::event::schema()).with_table_partition_cols(vec![date])
            }
            Part::Partials => TableSchema::builder(partials_schema()),
        };
        let readers = Arc::new(Readers { store });
        Self { part, files, org, schema: schema.build(), readers }
    }

    /// The files that may hold rows which pass the filters.
    fn chosen(&self, state: &dyn Session, filters: &[Expr]) -> Vec<&Arc<DataFile>> {
        let of_org =
            |file: &&Arc<DataFile>| self.org.as_ref().is_none_or(|org| file.may_hold_org(org));
        let files: Vec<_> = self.files.iter().filter(of_org).collect();
        // Bounds are of other organisations' rows too, so only what cannot fail looks at them.
        let filters =
            filters.iter().filter(|filter| self.org.is_none() || self.is_plain(filter)).cloned();
        let keeps = conjunction(filters).and_then(|filter| {
            let schema = self.schema.table_schema();
            let columns = DFSchema::try_from(schema.as_ref().clone()).ok()?;
            let filter = state.create_physical_expr(unnormalize_col(filter), &columns).ok()?;
            may_pass(&files, filter, schema.clone())
        });
        match keeps {
            Some(keeps) => files
                .into_iter()
                .zip(keeps)
                .filter(|(_, keep)| *keep)
                .map(|(file, _)| file)
                .collect(),
            None => files,
        }
    }

    fn is_plain(&self, filter: &Expr) -> bool {
        is_plain(filter, self.schema.table_schema())
    }

    fn partitioned(&self, file: &Arc<DataFile>) -> Option<PartitionedFile> {
        let object = match self.part {
            Part::Events => CheckedObject::of(file),
            Part::Partials => file.stored_partial(&sql_version())?,
        };
        let scanned = PartitionedFile::new(file.path_in_archive(), object.part_bytes());
        let scanned = scanned.with_extension(object);
        Some(match self.part {
            Part::Events => {
                scanned.with_partition_values(vec![ScalarValue::Date32(Some(days(file)))])
            }
            Part::Partials => scanned,
        })
    }

    fn scan_files(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let files = self.chosen(state, filters).into_iter();
        let files = FileGroup::new(files.filter_map(|file| self.partitioned(file)).collect());
        let options = state.table_options().parquet.clone();
        let source = ParquetSource::new(self.schema.clone())
            .with_table_parquet_options(options)
            .with_parquet_file_reader_factory(self.readers.clone());
        let partitions = state.config_options().execution.target_partitions;
        let config =
            FileScanConfigBuilder::new(ObjectStoreUrl::parse(STORE_URL)?, Arc::new(source))
                .with_file_groups(files.split_files(partitions))
                .with_projection_indices(projection.cloned())?
                .with_limit(limit)
                .build();
        Ok(DataSourceExec::from_data_source(config))
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
        // They are applied again above the scan, and pushed into it where that helps.
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Some(org) = &self.org else {
            return self.scan_files(state, projection, filters, limit);
        };
        // A filter's columns may bear the name of the query's table, the scan's do not.
        let plain = filters.iter().filter(|filter| self.is_plain(filter)).cloned();
        let plain = plain.map(unnormalize_col);
        let own = plain.fold(col("org_id").eq(lit(org.as_ref())), Expr::and);
        let schema = self.schema.table_schema();
        let asked = projection.cloned().unwrap_or_else(|| (0..schema.fields().len()).collect());
        let mut read = asked.clone();
        for column in own.column_refs() {
            read.push(schema.index_of(column.name())?);
        }
        read.sort_unstable();
        read.dedup();
        let shown = asked.iter().filter_map(|column| read.binary_search(column).ok()).collect();
        let rows = self.scan_files(state, Some(&read), filters, None)?;
        let partitions = state.config_options().execution.target_partitions;
        let rows = rows.repartitioned(partitions, state.config_options())?.unwrap_or(rows);
        let columns = DFSchema::try_from(rows.schema().as_ref().clone())?;
        let own = state.create_physical_expr(own, &columns)?;
        let rows = FilterExecBuilder::new(own, rows).apply_projection(Some(shown))?;
        OrgWall::around(Arc::new(rows.build()?), state.config_options())
    }
}

/// Decimals may be shorter in a file, and sums may be null where no event has any.
fn partials_schema() -> SchemaRef {
    let fields = cell_schema();
    let fields = fields.fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Makes readers that verify checksums, and whose errors name the file.
#[derive(Debug)]
struct Readers {
    store: Arc<dyn ObjectStore>,
}

impl ParquetFileReaderFactory for Readers {
    fn create_reader(
        &self,
        _partition_index: usize,
        file: PartitionedFile,
        _metadata_size_hint: Option<usize>,
        _metrics: &ExecutionPlanMetricsSet,
    ) -> Result<Box<dyn AsyncFileReader + Send>> {
        let object = file
            .extension::<CheckedObject>()
            .ok_or_else(|| exec_datafusion_err!("a file of this table has lost its description"))?;
        let path = object.path().to_string();
        let inner = CheckedReader::new(self.store.clone(), object.clone());
        Ok(Box::new(NamedReader { path, inner }))
    }
}

struct NamedReader {
    path: String,
    inner: CheckedReader,
}

fn named(path: &str, error: &ParquetError) -> ParquetError {
    ParquetError::External(Box::new(ArchiveError::of_read(path, error)))
}

impl AsyncFileReader for NamedReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, parquet::errors::Result<Bytes>> {
        let Self { path, inner } = self;
        inner.get_bytes(range).map_err(|error| named(path, &error)).boxed()
    }

    fn get_byte_ranges(
        &mut self,
        ranges: Vec<Range<u64>>,
    ) -> BoxFuture<'_, parquet::errors::Result<Vec<Bytes>>> {
        let Self { path, inner } = self;
        inner.get_byte_ranges(ranges).map_err(|error| named(path, &error)).boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, parquet::errors::Result<Arc<ParquetMetaData>>> {
        let Self { path, inner } = self;
        inner.get_metadata(options).map_err(|error| named(path, &error)).boxed()
    }
}
