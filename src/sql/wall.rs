//! The wall between organisations: a leaf of a plan, whose inside nobody else sees.
//!
//! A plain filter is no boundary. DataFusion merges it with the predicates of whoever asks, and an
//! expression of theirs that fails on another's row would show that row in its error. So the scan
//! and our own filter are planned here, apart, and to the rest of the plan they are a table of
//! which nothing is known but its columns: no rule pushes an expression, a limit or a sort below,
//! and none sees files or statistics.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::Schema;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule as _;
use datafusion::physical_optimizer::filter_pushdown::FilterPushdown;
use datafusion::physical_plan::execution_plan::{ReplaceChildrenOptions, reset_plan_states};
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};

/// By these columns files are sorted and bounded. Bounds of others would tell, by the time that a
/// query takes, what values other organisations have.
const PRUNED: [&str; 4] = ["org_id", "ts", "event_date", "hour"];

/// Hands out the rows of one organisation.
#[derive(Debug, Clone)]
pub(super) struct OrgWall {
    inside: Arc<dyn ExecutionPlan>,
}

impl OrgWall {
    /// A wall around a plan that gives rows of one organisation only. Its filter is pushed into the
    /// scan here, because no rule of the session will see it.
    pub(super) fn around(
        inside: Arc<dyn ExecutionPlan>,
        options: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(Self { inside: FilterPushdown::new().optimize(inside, options)? }))
    }
}

/// True for what may run on the rows of others: a comparison of one of a few columns with a literal
/// of its own type, which cannot fail and tells nothing.
pub(super) fn is_plain(filter: &Expr, schema: &Schema) -> bool {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = filter else { return false };
    let compares =
        matches!(op, Operator::Eq | Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq);
    let (column, literal) = match (left.as_ref(), right.as_ref()) {
        (Expr::Column(column), Expr::Literal(literal, _))
        | (Expr::Literal(literal, _), Expr::Column(column)) => (column, literal),
        _ => return false,
    };
    let same_type = schema
        .field_with_name(column.name())
        .is_ok_and(|field| *field.data_type() == literal.data_type());
    compares && PRUNED.contains(&column.name()) && same_type && !literal.is_null()
}

impl DisplayAs for OrgWall {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OrgWall")
    }
}

impl ExecutionPlan for OrgWall {
    fn name(&self) -> &'static str {
        "OrgWall"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.inside.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn with_new_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    /// A recursive query runs the scan once a round.
    fn reset_state(self: Arc<Self>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(Self { inside: reset_plan_states(self.inside.clone())? }))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        self.inside.execute(partition, context)
    }
}
