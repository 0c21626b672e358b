//! The progress of a query.

use std::fmt;
use std::sync::Arc;

use datafusion::common::tree_node::{TreeNode as _, TreeNodeRecursion};
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_plan::{ExecutionPlan, displayable};

/// Follows the scans of a running query.
#[derive(Clone)]
pub struct QueryProgress {
    plan: Arc<dyn ExecutionPlan>,
}

/// A number of files, or of parts of large ones.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FilesRead {
    /// Those that are read.
    pub done: usize,
    /// Those that the scans cover.
    pub all: usize,
}

impl QueryProgress {
    pub(super) fn of(plan: Arc<dyn ExecutionPlan>) -> Self {
        Self { plan }
    }

    /// The files read so far. Scans of one organisation are behind a wall and not counted.
    pub fn files(&self) -> FilesRead {
        let mut files = FilesRead::default();
        let count = |node: &Arc<dyn ExecutionPlan>| {
            let scan = node.downcast_ref::<DataSourceExec>();
            let config = scan.and_then(|scan| scan.data_source().downcast_ref::<FileScanConfig>());
            if let Some(config) = config {
                files.all += config.file_groups.iter().map(|group| group.len()).sum::<usize>();
                let done = node.metrics().and_then(|done| done.sum_by_name("files_processed"));
                files.done += done.map_or(0, |done| done.as_usize());
            }
            Ok(TreeNodeRecursion::Continue)
        };
        // The visitor never fails.
        let _ = self.plan.apply(count);
        files
    }
}

/// Shows the running plan.
impl fmt::Debug for QueryProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", displayable(self.plan.as_ref()).indent(true))
    }
}
