//! What the first rows of an order ask of a scan, told of its first key alone.
//!
//! While DataFusion looks for the first rows of an order by several keys, it has the scan leave out what
//! comes after the last row that it keeps: `cost > 2 OR cost = 2 AND event_id < 'x'`. The scan then decodes
//! every key of every row, and pages are not judged by their bounds, since the condition is of several
//! columns. What follows of the first key is asked before it: `cost > 2 OR cost = 2`. That is judged by the
//! bounds of one column's pages, and the other keys are decoded of the few rows that pass.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Schema};
use datafusion::common::config::ConfigOptions;
use datafusion::common::internal_err;
use datafusion::common::tree_node::{
    Transformed, TransformedResult as _, TreeNode as _, TreeNodeRecursion,
};
use datafusion::datasource::physical_plan::{
    FileScanConfig, FileScanConfigBuilder, FileSource as _, ParquetSource,
};
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, Operator};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{BinaryExpr, Column, lit};
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_expr::{conjunction, split_conjunction};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::sorts::sort::SortExec;

/// The rule that puts [`FirstKey`] into scans. It comes after all others, since it changes the scans that
/// they leave.
#[derive(Debug)]
pub(super) struct ByFirstKey;

impl PhysicalOptimizerRule for ByFirstKey {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        // Nodes are sent plans, in which this condition has no form.
        if !config.optimizer.enable_sort_pushdown {
            return Ok(plan);
        }
        let mut of_sorts = Vec::new();
        plan.apply(|node| {
            if let Some(sort) = node.downcast_ref::<SortExec>().filter(|sort| sort.expr().len() > 1)
            {
                let made = sort.dynamic_expressions_produced();
                of_sorts.extend(made.iter().filter_map(|filter| filter.expression_id()));
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        if of_sorts.is_empty() {
            return Ok(plan);
        }
        plan.transform_up(|node| match rescanned(&node, &of_sorts)? {
            Some(scan) => Ok(Transformed::yes(scan)),
            None => Ok(Transformed::no(node)),
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "judge_by_first_key"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// A scan that asks first for what the conditions of sorts say of their first keys; `None` if it has none.
fn rescanned(
    node: &Arc<dyn ExecutionPlan>,
    of_sorts: &[u64],
) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let config = node.downcast_ref::<DataSourceExec>().and_then(|scan| {
        let config: &FileScanConfig = scan.data_source().downcast_ref()?;
        let source: &ParquetSource = config.file_source().downcast_ref()?;
        Some((config, source, source.filter()?))
    });
    let Some((config, source, predicate)) = config else { return Ok(None) };
    let parts = split_conjunction(&predicate).into_iter();
    let of_sorts =
        parts.filter(|part| part.expression_id().is_some_and(|id| of_sorts.contains(&id)));
    let firsts =
        of_sorts.filter_map(FirstKey::of).map(|first| Arc::new(first) as Arc<dyn PhysicalExpr>);
    let firsts: Vec<_> = firsts.collect();
    if firsts.is_empty() {
        return Ok(None);
    }
    let source = source.with_predicate(conjunction(firsts.into_iter().chain([predicate])));
    let config = FileScanConfigBuilder::from(config.clone()).with_source(Arc::new(source)).build();
    Ok(Some(DataSourceExec::from_data_source(config)))
}

/// What a sort's condition says of its first key, by a column that is `key`.
#[derive(Debug)]
struct FirstKey {
    condition: Arc<dyn PhysicalExpr>,
    /// The key in the condition.
    named: Arc<dyn PhysicalExpr>,
    /// The key in what is scanned.
    key: Arc<dyn PhysicalExpr>,
}

impl FirstKey {
    /// `None` if the first key is not a column.
    fn of(condition: &Arc<dyn PhysicalExpr>) -> Option<Self> {
        let key = (*condition.children().first()?).clone();
        key.downcast_ref::<Column>()?;
        Some(Self { condition: condition.clone(), named: key.clone(), key })
    }

    /// The condition of now.
    fn current(&self) -> Result<Arc<dyn PhysicalExpr>> {
        let Some(condition) = self.condition.snapshot()? else { return Ok(lit(true)) };
        let Some(weaker) = weaker(&condition, &self.named) else { return Ok(lit(true)) };
        let rename = |part: Arc<dyn PhysicalExpr>| {
            Ok(if part.as_ref() == self.named.as_ref() {
                Transformed::yes(self.key.clone())
            } else {
                Transformed::no(part)
            })
        };
        weaker.transform_up(rename).data()
    }
}

/// What follows from a condition and is of no column but `key`; `None` if nothing does.
fn weaker(
    condition: &Arc<dyn PhysicalExpr>,
    key: &Arc<dyn PhysicalExpr>,
) -> Option<Arc<dyn PhysicalExpr>> {
    if collect_columns(condition).is_subset(&collect_columns(key)) {
        return Some(condition.clone());
    }
    let both: &BinaryExpr = condition.downcast_ref()?;
    let (left, right) = (weaker(both.left(), key), weaker(both.right(), key));
    let joined = |left, right| Arc::new(BinaryExpr::new(left, *both.op(), right)) as _;
    match both.op() {
        Operator::And => match (left, right) {
            (Some(left), Some(right)) => Some(joined(left, right)),
            (left, right) => left.or(right),
        },
        Operator::Or => Some(joined(left?, right?)),
        _ => None,
    }
}

impl fmt::Display for FirstKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.current() {
            Ok(current) => write!(f, "FirstKey [ {current} ]"),
            Err(_) => f.write_str("FirstKey"),
        }
    }
}

impl PartialEq for FirstKey {
    fn eq(&self, other: &Self) -> bool {
        self.condition.as_ref() == other.condition.as_ref()
            && self.key.as_ref() == other.key.as_ref()
    }
}

impl Eq for FirstKey {}

impl Hash for FirstKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.condition.hash(state);
        self.key.hash(state);
    }
}

impl PhysicalExpr for FirstKey {
    fn data_type(&self, _: &Schema) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn nullable(&self, _: &Schema) -> Result<bool> {
        Ok(true)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        self.current()?.evaluate(batch)
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.key]
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn PhysicalExpr>>,
    ) -> Result<Arc<dyn PhysicalExpr>> {
        let Ok([key]) = <[_; 1]>::try_from(children) else {
            return internal_err!("FirstKey has one child");
        };
        Ok(Arc::new(Self { condition: self.condition.clone(), named: self.named.clone(), key }))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }

    fn snapshot(&self) -> Result<Option<Arc<dyn PhysicalExpr>>> {
        self.current().map(Some)
    }

    fn snapshot_generation(&self) -> u64 {
        self.condition.snapshot_generation()
    }
}
