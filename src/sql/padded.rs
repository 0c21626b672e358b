//! Keeps DataFusion from taking padded columns for constants.
//!
//! An outer join pads rows without a partner with NULL, and so do grouping sets with the columns
//! that they leave out. DataFusion 55 still says of such a column what held before: that it is
//! constant, if it was, or that it is unique or ordered (`EquivalenceGroup::join` and
//! `AggregateExec::compute_properties`). Plans then sort, number and sum rows wrongly. So what is
//! known of columns is forgotten above these nodes, and below grouping sets, which do not keep the
//! order of what they read.

use std::fmt;
use std::sync::Arc;

use datafusion::common::Statistics;
use datafusion::common::config::ConfigOptions;
use datafusion::common::internal_err;
use datafusion::common::tree_node::{
    Transformed, TransformedResult as _, TreeNode as _, TreeNodeRecursion,
};
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::JoinType;
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::joins::{
    HashJoinExec, NestedLoopJoinExec, PiecewiseMergeJoinExec, SortMergeJoinExec,
    SymmetricHashJoinExec,
};
use datafusion::physical_plan::statistics::{ChildStats, StatisticsArgs};
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};

/// The optimizer's own rules with one before them, since they read what it makes forgotten.
pub(super) fn forgetting_padded() -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    let first: Arc<dyn PhysicalOptimizerRule + Send + Sync> = Arc::new(ForgetPadded);
    std::iter::once(first).chain(PhysicalOptimizer::new().rules).collect()
}

/// The rule that puts [`Forget`] into plans.
#[derive(Debug)]
struct ForgetPadded;

impl PhysicalOptimizerRule for ForgetPadded {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        // From below, so that each node is made again from what is left to know of its children.
        plan.transform_up(|node| {
            if has_grouping_sets(&node) {
                let input = node.children().into_iter().map(Forget::over).collect();
                let node = node.replace_children(input, anew())?;
                return Ok(Transformed::yes(Forget::over(&node)));
            }
            if join_type(&node).is_some_and(pads) {
                return Ok(Transformed::yes(Forget::over(&node)));
            }
            Ok(Transformed::no(node))
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "forget_padded"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn has_grouping_sets(node: &Arc<dyn ExecutionPlan>) -> bool {
    let aggregate = node.downcast_ref::<AggregateExec>();
    aggregate.is_some_and(|aggregate| aggregate.group_expr().has_grouping_set())
}

fn join_type(node: &Arc<dyn ExecutionPlan>) -> Option<JoinType> {
    let hash = node.downcast_ref().map(|join: &HashJoinExec| *join.join_type());
    let nested = || node.downcast_ref().map(|join: &NestedLoopJoinExec| *join.join_type());
    let merge = || node.downcast_ref().map(|join: &SortMergeJoinExec| join.join_type());
    let symmetric = || node.downcast_ref().map(|join: &SymmetricHashJoinExec| *join.join_type());
    let pieces = || node.downcast_ref().map(|join: &PiecewiseMergeJoinExec| join.join_type());
    hash.or_else(nested).or_else(merge).or_else(symmetric).or_else(pieces)
}

fn pads(join: JoinType) -> bool {
    matches!(join, JoinType::Left | JoinType::Right | JoinType::Full)
}

/// Passes rows on. All that a plan knows of their columns is their types.
#[derive(Debug)]
pub(super) struct Forget {
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
}

impl Forget {
    /// The same rows.
    pub(super) fn over(input: &Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
        let nothing = EquivalenceProperties::new(input.schema());
        let properties = input.properties().as_ref().clone().with_eq_properties(nothing);
        Arc::new(Self { input: input.clone(), properties: Arc::new(properties) })
    }
}

impl DisplayAs for Forget {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Forget")
    }
}

impl ExecutionPlan for Forget {
    fn name(&self) -> &'static str {
        "Forget"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    /// Another partition would not be made for this node's own sake.
    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let [input] = children.as_slice() else {
            return internal_err!("Forget has one child");
        };
        Ok(Self::over(input))
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, anew())
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        self.input.execute(partition, context)
    }

    fn child_stats_requests(&self, partition: Option<usize>) -> Vec<ChildStats> {
        vec![ChildStats::At(partition)]
    }

    fn statistics_from_inputs(
        &self,
        inputs: &[Arc<Statistics>],
        _: &StatisticsArgs,
    ) -> Result<Arc<Statistics>> {
        match inputs {
            [input] => Ok(input.clone()),
            _ => internal_err!("Forget has one child"),
        }
    }
}

/// A node with other children is made again from what is known of them.
fn anew() -> ReplaceChildrenOptions {
    ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute)
}
