//! How many nodes a scan is worth, and which share of its files each of them reads.
//!
//! A share is a scan of its own. Every file, or every part of one, is in one share; a share may be empty.

use std::sync::Arc;

use datafusion::datasource::physical_plan::{
    FileGroup, FileGroupPartitioner, FileScanConfig, FileScanConfigBuilder,
};
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::Result;
use datafusion::physical_plan::ExecutionPlan;
use datafusion_distributed::{
    DesiredTaskCountEvent, DesiredTaskCountEventResponse, DistributedLeafExec,
    ScaleUpLeafNodeEvent, ScaleUpLeafNodeEventResponse,
};

use super::codec::scan_config;
use super::leaf::NodeLeaf;
use crate::sql::foreign_scan::ForeignExec;
use crate::sql::presummed_table::{PartialsExec, PresummedScan};

/// A large file is divided into parts of at least so many bytes.
const PART_BYTES: usize = 8 << 20;
/// Files whose partials one node reads in little time.
const PARTIALS: usize = 64;

/// The number of nodes that a scan of ours is worth.
pub(super) fn wanted(
    event: DesiredTaskCountEvent<'_>,
) -> Option<Result<DesiredTaskCountEventResponse>> {
    let pieces = if let Some(config) = scan_config(event.plan) {
        let files = || config.file_groups.iter().flat_map(FileGroup::iter);
        let bytes = files().map(|file| usize::try_from(file.effective_size()).unwrap_or(0));
        files().count().max(bytes.sum::<usize>().div_ceil(PART_BYTES))
    } else if let Some(partials) = event.plan.downcast_ref::<PartialsExec>() {
        partials.scan.files.len().div_ceil(PARTIALS)
    } else {
        event.plan.downcast_ref::<ForeignExec>()?.files.len()
    };
    Some(Ok(DesiredTaskCountEventResponse::desired(pieces.max(1))))
}

/// The shares of a scan of ours.
pub(super) fn shared(
    event: ScaleUpLeafNodeEvent<'_>,
) -> Option<Result<ScaleUpLeafNodeEventResponse>> {
    let shares = shares_of(event.plan, event.task_count.max(1))?;
    let leaf = shares.and_then(|shares| {
        DistributedLeafExec::try_new(event.plan.clone(), shares.into_iter().map(NodeLeaf::of))
    });
    Some(leaf.map(|leaf| ScaleUpLeafNodeEventResponse::new(Arc::new(leaf))))
}

/// So many scans that together read what `scan` reads; `None` if it is none of ours.
fn shares_of(
    scan: &Arc<dyn ExecutionPlan>,
    count: usize,
) -> Option<Result<Vec<Arc<dyn ExecutionPlan>>>> {
    let partitions = scan.properties().partitioning.partition_count();
    if let Some(config) = scan_config(scan) {
        return Some(Ok(scan_shares(config, partitions, count)));
    }
    if let Some(partials) = scan.downcast_ref::<PartialsExec>() {
        let shares = (0..count).map(|share| -> Result<Arc<dyn ExecutionPlan>> {
            let files = partials.scan.files.iter().skip(share).step_by(count).cloned().collect();
            let scan = PresummedScan { files, ..partials.scan.clone() };
            let projection = partials.projection.clone();
            Ok(Arc::new(PartialsExec::in_partitions(scan, projection, partitions)?))
        });
        return Some(shares.collect());
    }
    let foreign = scan.downcast_ref::<ForeignExec>()?;
    let shares = (0..count).map(|share| -> Arc<dyn ExecutionPlan> {
        let files = foreign.files.iter().skip(share).step_by(count).cloned().collect();
        let (schema, store) = (foreign.schema(), foreign.store.clone());
        Arc::new(ForeignExec::in_partitions(files, schema, partitions, store))
    });
    Some(Ok(shares.collect()))
}

fn scan_shares(
    config: &FileScanConfig,
    partitions: usize,
    count: usize,
) -> Vec<Arc<dyn ExecutionPlan>> {
    let groups = partitions * count;
    let divided = FileGroupPartitioner::new()
        .with_target_partitions(groups)
        .with_repartition_file_min_size(PART_BYTES)
        .repartition_file_groups(&config.file_groups);
    let mut divided = divided.filter(|divided| divided.len() <= groups).unwrap_or_else(|| {
        let files = config.file_groups.iter().flat_map(FileGroup::iter).cloned().collect();
        FileGroup::new(files).split_files(groups)
    });
    divided.resize_with(groups, || FileGroup::new(Vec::new()));
    let shares = (0..count).map(|share| -> Arc<dyn ExecutionPlan> {
        // Neighbours go to different nodes: files of one day are asked for together.
        let own = divided.iter().skip(share).step_by(count).cloned().collect();
        let config = FileScanConfigBuilder::from(config.clone()).with_file_groups(own).build();
        DataSourceExec::from_data_source(config)
    });
    shares.collect()
}
