//! How plans travel to nodes: as DataFusion writes them, with our notes for scans and functions.

use std::sync::Arc;

use datafusion::common::{exec_datafusion_err, not_impl_datafusion_err, not_impl_err};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{
    FileGroup, FileScanConfig, FileScanConfigBuilder, ParquetSource,
};
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::Result;
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF};
use datafusion::physical_expr::Partitioning;
use datafusion::physical_plan::ExecutionPlan;
use datafusion_distributed::DistributedCodec;
use datafusion_proto::bytes::{
    physical_plan_from_bytes_with_proto_converter, physical_plan_to_bytes_with_proto_converter,
};
use datafusion_proto::physical_plan::to_proto::serialize_partitioning;
use datafusion_proto::physical_plan::{
    AsExecutionPlan as _, ComposedPhysicalExtensionCodec, DeduplicatingProtoConverter,
    PhysicalExtensionCodec, PhysicalPlanDecodeContext, PhysicalProtoConverterExtension,
};
use datafusion_proto::protobuf::PhysicalPlanNode;

use super::functions::KnownFunctions;
use super::leaf::NodeLeaf;
use super::leaf_note::{LeafContent, LeafNote, from_base64, to_base64};
use crate::archive::{CheckedObject, DataFile, ObjectNote, ScanFile};
use crate::sql::foreign_scan::ForeignExec;
use crate::sql::live_table::{LiveTable, TableContent};
use crate::sql::padded::Forget;
use crate::sql::presummed_table::{PartialsExec, PresummedScan};
use crate::sql::readers::{ReaderFactory, Readers, STORE_URL};

/// Writes and reads what is ours in a plan.
#[derive(Debug, Clone)]
pub(in crate::sql) struct NodeCodec {
    pub functions: Arc<KnownFunctions>,
    pub readers: Arc<Readers>,
}

impl NodeCodec {
    /// The bytes of a plan.
    ///
    /// # Errors
    /// If something in it does not travel.
    pub(super) fn written(&self, plan: Arc<dyn ExecutionPlan>) -> Result<Vec<u8>> {
        let converter = DeduplicatingProtoConverter::default();
        let bytes =
            physical_plan_to_bytes_with_proto_converter(plan, &self.composed(), &converter)?;
        Ok(bytes.to_vec())
    }

    /// The plan of some bytes, as a node reads them.
    ///
    /// # Errors
    /// If they are no plan.
    pub(super) fn read(
        &self,
        bytes: &[u8],
        context: &TaskContext,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let converter = DeduplicatingProtoConverter::default();
        physical_plan_from_bytes_with_proto_converter(bytes, context, &self.composed(), &converter)
    }

    /// The bytes of how rows are divided.
    ///
    /// # Errors
    /// If something in it does not travel.
    pub(super) fn written_partitioning(&self, partitioning: &Partitioning) -> Result<Vec<u8>> {
        use datafusion_proto::protobuf;
        let converter = DeduplicatingProtoConverter::default();
        let partitioning: protobuf::Partitioning =
            serialize_partitioning(partitioning, &self.composed(), &converter)?;
        Ok(prost::Message::encode_to_vec(&partitioning))
    }

    /// In the order in which the engine reads: its own plans first. It would also write functions first,
    /// by their names alone.
    fn composed(&self) -> ComposedPhysicalExtensionCodec {
        ComposedPhysicalExtensionCodec::new(vec![Arc::new(EnginePlans), Arc::new(self.clone())])
    }

    fn scan_of(
        &self,
        objects: &[ObjectNote],
        plan: &Arc<dyn ExecutionPlan>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let config = scan_config(plan)
            .filter(|config| config.object_store_url.as_str().trim_end_matches('/') == STORE_URL);
        let config =
            config.ok_or_else(|| exec_datafusion_err!("a leaf is no scan of an archive"))?;
        let source = config.file_source().downcast_ref::<ParquetSource>();
        let source = source.ok_or_else(|| exec_datafusion_err!("a leaf is no scan of Parquet"))?;
        let factory = Arc::new(ReaderFactory(self.readers.clone()));
        let source = source.clone().with_parquet_file_reader_factory(factory);
        let mut objects = objects.iter();
        let groups = config.file_groups.iter().map(|group| {
            let files = group.iter().map(|file| described(file, objects.next()));
            Ok(FileGroup::new(files.collect::<Result<Vec<_>>>()?))
        });
        let groups = groups.collect::<Result<Vec<_>>>()?;
        if objects.next().is_some() {
            return Err(exec_datafusion_err!("a leaf has more descriptions than files"));
        }
        let config = FileScanConfigBuilder::from(config.clone())
            .with_source(Arc::new(source))
            .with_file_groups(groups)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }

    fn foreign(
        &self,
        files: &[ScanFile],
        columns: &[String],
        partitions: usize,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        use datafusion::catalog::TableProvider as _;
        let table =
            LiveTable::new(TableContent::Events, Vec::new(), None, self.readers.clone()).schema();
        let places = columns.iter().map(|name| table.index_of(name));
        let places = places.collect::<std::result::Result<Vec<_>, _>>()?;
        let files =
            files.iter().map(|file| told(file).map(Arc::new)).collect::<Result<Vec<_>>>()?;
        let (schema, store) = (Arc::new(table.project(&places)?), self.readers.store().clone());
        Ok(Arc::new(ForeignExec::in_partitions(files, schema, partitions, store)))
    }
}

/// The configuration of a scan of files.
pub(super) fn scan_config(plan: &Arc<dyn ExecutionPlan>) -> Option<&FileScanConfig> {
    plan.downcast_ref::<DataSourceExec>()?.data_source().downcast_ref::<FileScanConfig>()
}

/// A file of a scan with the object that its reader needs.
fn described(file: &PartitionedFile, note: Option<&ObjectNote>) -> Result<PartitionedFile> {
    let object = note.and_then(ObjectNote::object).filter(|object| {
        object.path() == file.path() && object.part_bytes() == file.object_meta.size
    });
    let object =
        object.ok_or_else(|| exec_datafusion_err!("{} has lost its description", file.path()))?;
    Ok(file.clone().with_extension(object))
}

fn told(file: &ScanFile) -> Result<DataFile> {
    file.file().ok_or_else(|| exec_datafusion_err!("a file is not as described"))
}

fn partitions_of(plan: &dyn ExecutionPlan) -> usize {
    plan.properties().partitioning.partition_count()
}

impl PhysicalExtensionCodec for NodeCodec {
    fn try_decode(
        &self,
        bytes: &[u8],
        inputs: &[Arc<dyn ExecutionPlan>],
        context: &TaskContext,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match LeafNote::read(bytes)? {
            LeafContent::Forget => match inputs {
                [input] => Ok(Forget::over(input)),
                _ => Err(exec_datafusion_err!("what is forgotten is of one plan")),
            },
            LeafContent::Scan { objects, plan } => {
                let plan = PhysicalPlanNode::try_decode(&from_base64(&plan)?)?;
                let context = PhysicalPlanDecodeContext::new(context, self);
                self.scan_of(&objects, &converter.proto_to_execution_plan(&plan, &context)?)
            }
            LeafContent::Partials { files, org_id, projection, partitions } => {
                let files = files.iter().map(|(file, grain)| Ok((Arc::new(told(file)?), *grain)));
                let files = files.collect::<Result<Vec<_>>>()?;
                let org = org_id.as_deref().map(Arc::from);
                let scan = PresummedScan { files, org, readers: self.readers.clone() };
                Ok(Arc::new(PartialsExec::in_partitions(scan, projection, partitions)?))
            }
            LeafContent::Foreign { files, columns, partitions } => {
                self.foreign(&files, &columns, partitions)
            }
        }
    }

    fn try_encode(
        &self,
        node: Arc<dyn ExecutionPlan>,
        bytes: &mut Vec<u8>,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<()> {
        if node.is::<Forget>() {
            bytes.extend(LeafNote::write(LeafContent::Forget)?);
            return Ok(());
        }
        let leaf = node.downcast_ref::<NodeLeaf>();
        let leaf = leaf.ok_or_else(|| not_impl_datafusion_err!("{} stays here", node.name()))?;
        let scan = leaf.scan();
        let content = if let Some(config) = scan_config(scan) {
            let files = config.file_groups.iter().flat_map(FileGroup::iter);
            let object = |file: &PartitionedFile| {
                let object = file.extension::<CheckedObject>().map(ObjectNote::of);
                object
                    .ok_or_else(|| exec_datafusion_err!("{} has lost its description", file.path()))
            };
            let objects = files.map(object).collect::<Result<Vec<_>>>()?;
            let mut plan = Vec::new();
            converter.execution_plan_to_proto(scan, self)?.try_encode(&mut plan)?;
            LeafContent::Scan { objects, plan: to_base64(&plan) }
        } else if let Some(partials) = scan.downcast_ref::<PartialsExec>() {
            let files = partials.scan.files.iter();
            LeafContent::Partials {
                files: files.map(|(file, grain)| (ScanFile::of(file), *grain)).collect(),
                org_id: partials.scan.org.as_deref().map(str::to_owned),
                projection: partials.projection.clone(),
                partitions: partitions_of(partials),
            }
        } else if let Some(foreign) = scan.downcast_ref::<ForeignExec>() {
            LeafContent::Foreign {
                files: foreign.files.iter().map(|file| ScanFile::of(file)).collect(),
                columns: foreign
                    .schema()
                    .fields()
                    .iter()
                    .map(|field| field.name().clone())
                    .collect(),
                partitions: partitions_of(foreign),
            }
        } else {
            return not_impl_err!("{} stays here", scan.name());
        };
        bytes.extend(LeafNote::write(content)?);
        Ok(())
    }

    fn try_decode_udf(&self, name: &str, note: &[u8]) -> Result<Arc<ScalarUDF>> {
        self.functions.scalar(name, note)
    }

    fn try_encode_udf(&self, function: &ScalarUDF, note: &mut Vec<u8>) -> Result<()> {
        note.extend(self.functions.scalar_note(function)?);
        Ok(())
    }

    fn try_decode_udaf(&self, name: &str, note: &[u8]) -> Result<Arc<AggregateUDF>> {
        self.functions.aggregate(name, note)
    }

    fn try_encode_udaf(&self, function: &AggregateUDF, note: &mut Vec<u8>) -> Result<()> {
        note.extend(self.functions.aggregate_note(function)?);
        Ok(())
    }
}

/// The engine's own plans, and nothing else.
#[derive(Debug)]
struct EnginePlans;

impl PhysicalExtensionCodec for EnginePlans {
    fn try_decode(
        &self,
        bytes: &[u8],
        inputs: &[Arc<dyn ExecutionPlan>],
        context: &TaskContext,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        DistributedCodec {}.try_decode(bytes, inputs, context, converter)
    }

    fn try_encode(
        &self,
        node: Arc<dyn ExecutionPlan>,
        bytes: &mut Vec<u8>,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<()> {
        DistributedCodec {}.try_encode(node, bytes, converter)
    }

    fn try_encode_udf(&self, function: &ScalarUDF, _: &mut Vec<u8>) -> Result<()> {
        not_impl_err!("{} is not the engine's", function.name())
    }

    fn try_encode_udaf(&self, function: &AggregateUDF, _: &mut Vec<u8>) -> Result<()> {
        not_impl_err!("{} is not the engine's", function.name())
    }
}
