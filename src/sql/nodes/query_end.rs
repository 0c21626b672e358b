//! The end of a node's work when nobody waits for it any more.
//!
//! The coordinator keeps the request by which it sent a share of a plan open as long as its query runs. Once
//! that is closed, because the query ended or the coordinator is gone, the engine drops what runs. But a
//! task notices that only when it lets others have their turn, and a join may compare rows for an hour
//! before it does. So each join here gives way after some batches, and its filter fails after the end. The
//! same holds in one process for a query that was cancelled in the shell, which goes on.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{FieldRef, Schema};
use datafusion::common::tree_node::{Transformed, TreeNode as _};
use datafusion::common::{exec_err, internal_datafusion_err};
use datafusion::error::Result;
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::joins::utils::JoinFilter;
use datafusion::physical_plan::joins::{
    CrossJoinExec, HashJoinExec, HashJoinExecBuilder, NestedLoopJoinExec, NestedLoopJoinExecBuilder,
};
use http_body_util::BodyExt as _;
use hyper::body::Body as HttpBody;
use tonic::body::Body;
use tonic::codegen::http::Request;
use tonic::codegen::{Bytes, StdError};

tokio::task_local! {
    /// The end of the query of the request that a task answers.
    static ANSWERED: QueryEnd;
}

/// Whether a query has ended.
#[derive(Debug, Clone, Default)]
pub(super) struct QueryEnd(Arc<AtomicBool>);

/// Ends a query when it is dropped.
#[derive(Debug)]
pub(in crate::sql) struct EndsQuery(QueryEnd);

impl EndsQuery {
    /// The same plan, in which joins end once this is dropped.
    ///
    /// # Errors
    /// Only for a defect.
    pub(in crate::sql) fn of(
        plan: Arc<dyn ExecutionPlan>,
    ) -> Result<(Arc<dyn ExecutionPlan>, Self)> {
        let end = QueryEnd::default();
        Ok((end.ending(plan)?, Self(end)))
    }
}

impl Drop for EndsQuery {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

impl QueryEnd {
    /// Of the request that this task answers.
    pub(super) fn of_this_request() -> Self {
        ANSWERED.try_with(Self::clone).unwrap_or_default()
    }

    /// Answers a request by `answer`. The query ends when the request's body is dropped.
    pub(super) async fn watch<B, A>(
        request: Request<B>,
        answer: impl FnOnce(Request<Body>) -> A,
    ) -> A::Output
    where
        A: Future,
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<StdError>,
    {
        let end = Self::default();
        let ends = EndsQuery(end.clone());
        let watched = request.map(|body| {
            Body::new(body.map_frame(move |frame| {
                // It is dropped with the body.
                let _ = &ends;
                frame
            }))
        });
        ANSWERED.scope(end, answer(watched)).await
    }

    fn has_come(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// The same plan, in which joins end with the query.
    ///
    /// # Errors
    /// Only for a defect.
    pub(super) fn ending(&self, plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
        let ended = plan.transform_up(|plan| {
            let join: Arc<dyn ExecutionPlan> =
                if let Some(join) = plan.downcast_ref::<NestedLoopJoinExec>() {
                    let filter = join.filter().map(|filter| self.filter(filter));
                    Arc::new(NestedLoopJoinExecBuilder::from(join).with_filter(filter).build()?)
                } else if let Some(join) = plan.downcast_ref::<HashJoinExec>() {
                    let filter = join.filter().map(|filter| self.filter(filter));
                    Arc::new(HashJoinExecBuilder::from(join).with_filter(filter).build()?)
                } else if plan.is::<CrossJoinExec>() {
                    plan
                } else {
                    return Ok(Transformed::no(plan));
                };
            Ok(Transformed::yes(Arc::new(CooperativeExec::new(join)) as _))
        })?;
        Ok(ended.data)
    }

    fn filter(&self, filter: &JoinFilter) -> JoinFilter {
        let expr = UntilEnd { expr: filter.expression().clone(), end: self.clone() };
        JoinFilter::new(Arc::new(expr), filter.column_indices().to_vec(), filter.schema().clone())
    }
}

/// An expression that fails after the end of its query.
#[derive(Debug)]
struct UntilEnd {
    expr: Arc<dyn PhysicalExpr>,
    end: QueryEnd,
}

impl fmt::Display for UntilEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.expr.fmt(f)
    }
}

impl PartialEq for UntilEnd {
    fn eq(&self, other: &Self) -> bool {
        *self.expr == *other.expr
    }
}

impl Eq for UntilEnd {}

impl Hash for UntilEnd {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.expr.hash(state);
    }
}

impl PhysicalExpr for UntilEnd {
    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        if self.end.has_come() {
            return exec_err!("nobody waits for the answer any more");
        }
        self.expr.evaluate(batch)
    }

    fn return_field(&self, schema: &Schema) -> Result<FieldRef> {
        self.expr.return_field(schema)
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.expr]
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn PhysicalExpr>>,
    ) -> Result<Arc<dyn PhysicalExpr>> {
        let expr = children.into_iter().next();
        let expr = expr.ok_or_else(|| internal_datafusion_err!("an end is of one expression"))?;
        Ok(Arc::new(Self { expr, end: self.end.clone() }))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.expr.fmt_sql(f)
    }
}
