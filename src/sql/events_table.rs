//! The table `events` over a given list of data files.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{ScalarValue, exec_datafusion_err};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::ParquetFileReaderFactory;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::error::Result;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use object_store::ObjectStore;
use parquet::arrow::async_reader::AsyncFileReader;

use crate::archive::{CheckedObject, CheckedReader, DataFile, PARTITION};

/// Under this address the runtime knows the archive's store.
pub(super) const STORE_URL: &str = "tokenlake://archive";

/// Some data files as one table.
#[derive(Debug)]
pub(super) struct EventsTable {
    files: Vec<Arc<DataFile>>,
    schema: TableSchema,
    readers: Arc<Readers>,
}

impl EventsTable {
    pub(super) fn new(files: &[Arc<DataFile>], store: Arc<dyn ObjectStore>) -> Self {
        let date = Arc::new(Field::new(PARTITION, DataType::Date32, false));
        let schema = TableSchema::builder(crate::event::schema())
            .with_table_partition_cols(vec![date])
            .build();
        Self { files: files.to_vec(), schema, readers: Arc::new(Readers { store }) }
    }

    fn partitioned(file: &Arc<DataFile>) -> PartitionedFile {
        let days = file.date.signed_duration_since(chrono::NaiveDate::default()).num_days();
        let date = ScalarValue::Date32(i32::try_from(days).ok());
        PartitionedFile::new(file.path_in_archive(), file.size_bytes)
            .with_partition_values(vec![date])
            .with_extension(file.clone())
    }
}

#[async_trait]
impl TableProvider for EventsTable {
    fn schema(&self) -> SchemaRef {
        self.schema.table_schema().clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let options = state.table_options().parquet.clone();
        // The optimizer pushes the filters above this scan into it, where they prune row groups
        // and pages.
        let source = ParquetSource::new(self.schema.clone())
            .with_table_parquet_options(options)
            .with_parquet_file_reader_factory(self.readers.clone());
        let files = FileGroup::new(self.files.iter().map(Self::partitioned).collect());
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

/// Makes readers that verify checksums.
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
        let file = file
            .extension::<Arc<DataFile>>()
            .ok_or_else(|| exec_datafusion_err!("a file of this table has lost its description"))?;
        Ok(Box::new(CheckedReader::new(self.store.clone(), CheckedObject::of(file))))
    }
}
