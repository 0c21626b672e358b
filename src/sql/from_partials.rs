//! Answers from partials: if the cells of partials exactly determine an aggregate over `events`,
//! the query reads cells instead of rows, file by file.
//!
//! The rows of a file are replaced by presummed rows (`presummed.rs`), and the aggregate by one
//! that uses their weights. That is exact if, within a cell, the query only distinguishes rows by
//! the values that it adds up. `constant.rs` decides which expressions are constant in a cell,
//! `sums.rs` which aggregates can use weights, and `file_split.rs` which files qualify. The other
//! files are read row by row.

mod chain;
mod constant;
mod file_split;
mod nested;
mod plan;
mod sums;

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::catalog::default_table_source::{provider_as_source, source_as_provider};
use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::expr_rewriter::unalias;
use datafusion::logical_expr::{Aggregate, Expr, LogicalPlan, LogicalPlanBuilder, col, lit, when};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

use self::chain::{Chain, ChainSource};
pub(super) use self::constant::Needs;
pub(super) use self::file_split::FileSplit;
use self::file_split::asks_for_calls;
use self::plan::{column, has_twins, shown};
use self::sums::SumPlan;
use super::file_bounds::is_of_dates;
use super::live_table::LiveTable;
use super::presummed::{self, PRICED, REQUESTS};
use super::presummed_table::PresummedTable;
use super::walled_table::WalledTable;

/// The name in plans for the presummed rows of `events`.
const TABLE: &str = "partials_of_events";

/// The optimizer rule.
#[derive(Debug)]
pub(super) struct AnswerFromPartials;

impl AnswerFromPartials {
    /// The optimizer's own rules with this one added: after filters have been pushed down to the
    /// tables, and before distinct counts and common expressions are split up.
    pub(super) fn among(
        rules: &[Arc<dyn OptimizerRule + Send + Sync>],
    ) -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
        let mut rules = rules.to_vec();
        let at =
            rules.iter().position(|rule| rule.name() == "single_distinct_aggregation_to_group_by");
        rules.insert(at.unwrap_or(rules.len()), Arc::new(Self));
        rules
    }
}

impl OptimizerRule for AnswerFromPartials {
    fn name(&self) -> &'static str {
        "answer_from_partials"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        _: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        let LogicalPlan::Aggregate(aggregate) = &plan else { return Ok(Transformed::no(plan)) };
        Ok(match rewritten(aggregate)? {
            Some(plan) => Transformed::yes(plan),
            None => Transformed::no(plan),
        })
    }
}

fn rewritten(aggregate: &Aggregate) -> Result<Option<LogicalPlan>> {
    let Some(chain) = Chain::of(&aggregate.input)? else { return Ok(None) };
    let scan = match chain.read {
        ChainSource::Table(scan) => scan,
        ChainSource::Aggregate(inner) => return nested::sums_of_sums(aggregate, inner, &chain),
    };
    let provider = source_as_provider(&scan.source)?;
    let walled = provider.downcast_ref::<WalledTable>();
    let open = provider.downcast_ref::<LiveTable>().filter(|table| table.shows_events());
    let Some(table) = open.or_else(|| walled?.events()) else { return Ok(None) };
    if walled.is_none() && is_told_by_log(aggregate, &chain, table) {
        return Ok(None);
    }
    let mut needs = Needs::default();
    let groups = chain.in_base(&aggregate.group_expr)?;
    let constant = groups.iter().chain(&chain.filters).all(|expr| needs.is_constant(expr));
    if !constant || has_twins(&groups) {
        return Ok(None);
    }
    let mut sums = SumPlan::default();
    for (at, asked) in aggregate.aggr_expr.iter().enumerate() {
        let asked = chain.in_base(std::slice::from_ref(asked))?;
        let (_, field) = aggregate.schema.qualified_field(aggregate.group_expr.len() + at);
        let weighs = asked
            .into_iter()
            .all(|asked| sums.add(&unalias(asked), field.data_type(), &mut needs).is_some());
        if !weighs {
            return Ok(None);
        }
    }
    let calls_alone = chain.filters.iter().any(asks_for_calls);
    let (rows, all_presummed) = match walled {
        // The files are split behind the wall: doing so here would reveal what others hold.
        Some(walled) => (presummed(walled.presummed(needs, calls_alone))?, false),
        None => {
            let split = FileSplit::of(table.files(), &needs, calls_alone);
            if split.presummed.is_empty() {
                return Ok(None);
            }
            let all_presummed = split.rows.is_empty();
            (source(table, split)?, all_presummed)
        }
    };
    // Partials only contain calls.
    let filters = chain.filters.iter().filter(|filter| !(all_presummed && asks_for_calls(filter)));
    let rows = filters.cloned().try_fold(rows, LogicalPlanBuilder::filter)?;
    let groups_count = groups.len();
    let summed = rows.aggregate(groups, distinct(&sums.inner))?.build()?;
    let made = sums.outer.into_iter();
    let made = made.map(|outer| outer(&|inner| column(&summed, groups_count + inner)));
    let made = made.collect::<Result<Vec<_>>>()?;
    shown(aggregate, summed, made).map(Some)
}

/// True for a count of all rows of files, which the log knows.
fn is_told_by_log(aggregate: &Aggregate, chain: &Chain<'_>, table: &LiveTable) -> bool {
    let counts = |expr: &Expr| match expr {
        Expr::AggregateFunction(AggregateFunction { func, params }) => {
            func.name() == "count"
                && !params.distinct
                && params.filter.is_none()
                && matches!(params.args.as_slice(), [Expr::Literal(value, _)] if !value.is_null())
        }
        _ => false,
    };
    aggregate.group_expr.is_empty()
        && aggregate.aggr_expr.iter().all(|expr| counts(&unalias(expr.clone())))
        && chain.filters.iter().all(is_of_dates)
        && table.files().iter().all(|file| file.rows.is_some())
}

/// Presummed rows of the files that qualify, and the rows of the others.
fn source(table: &LiveTable, split: FileSplit) -> Result<LogicalPlanBuilder> {
    let summed = presummed(PresummedTable::new(split.presummed, table.readers().clone()))?;
    if split.rows.is_empty() {
        return Ok(summed);
    }
    let rows = provider_as_source(Arc::new(table.of_files(split.rows)));
    let rows = LogicalPlanBuilder::scan("events", rows, None)?;
    let presummed = presummed::schema();
    let presummed = presummed.fields().iter().map(|field| field.name().as_str()).map(|name| {
        Ok(match name {
            REQUESTS => lit(1_i64).alias(REQUESTS),
            PRICED => {
                when(col("cost_usd").is_null(), lit(0_i64)).otherwise(lit(1_i64))?.alias(PRICED)
            }
            name => col(name).alias(name),
        })
    });
    summed.union(rows.project(presummed.collect::<Result<Vec<_>>>()?)?.build()?)
}

/// The sums, each with a distinct name: PostgreSQL's `sum` and that of an average have the same
/// name.
fn distinct(sums: &[Expr]) -> Vec<Expr> {
    let mut seen = HashSet::new();
    let named =
        sums.iter().enumerate().map(|(at, sum)| match seen.insert(sum.schema_name().to_string()) {
            true => sum.clone(),
            false => sum.clone().alias(format!("{TABLE}.{at}")),
        });
    named.collect()
}

/// A table of presummed rows, with unqualified columns.
fn presummed(table: impl TableProvider + 'static) -> Result<LogicalPlanBuilder> {
    let rows = LogicalPlanBuilder::scan(TABLE, provider_as_source(Arc::new(table)), None)?;
    let columns = presummed::schema();
    let names = columns.fields().iter().map(|field| field.name().as_str());
    rows.project(names.map(|name| col(name).alias(name)))
}
