//! The top of what one process runs of a plan that is spread over nodes: it runs on threads for queries,
//! and its errors are sealed, so that they keep their kind.

use std::fmt;
use std::sync::Arc;

use datafusion::common::internal_datafusion_err;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::stream::RecordBatchReceiverStreamBuilder;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::StreamExt as _;
use tokio::runtime::Handle;

use super::far_error::sealed;

/// Batches of a partition that are computed before they are taken.
const BATCHES_AHEAD: usize = 1;

/// A plan that runs on `threads`.
#[derive(Debug)]
pub(super) struct ShareTop {
    pub share: Arc<dyn ExecutionPlan>,
    pub threads: Handle,
}

impl DisplayAs for ShareTop {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ShareTop")
    }
}

impl ExecutionPlan for ShareTop {
    fn name(&self) -> &'static str {
        "ShareTop"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.share.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.share]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let share = children.into_iter().next();
        let share = share.ok_or_else(|| internal_datafusion_err!("a top is above one plan"))?;
        Ok(Arc::new(Self { share, threads: self.threads.clone() }))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let mut passed = RecordBatchReceiverStreamBuilder::new(self.schema(), BATCHES_AHEAD);
        let (share, taker) = (self.share.clone(), passed.tx());
        let compute = async move {
            let mut rows = share.execute(partition, context).map_err(sealed)?;
            while let Some(batch) = rows.next().await {
                let failed = batch.is_err();
                if taker.send(batch.map_err(sealed)).await.is_err() || failed {
                    break;
                }
            }
            Ok(())
        };
        passed.spawn_on(compute, &self.threads);
        Ok(passed.build())
    }
}
