//! The session of one organisation, whose users may be strangers. It can query the two tables and
//! compute. It has no files, settings, catalogs or functions that make tables.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::error::Result;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{
    AggregateUDF, HigherOrderUDF, LogicalPlan, LogicalPlanBuilder, ScalarUDF, WindowUDF, col, lit,
};
use datafusion::optimizer::Optimizer;

use super::SqlError;
use super::allowed::is_allowed;

/// The limits of a query.
#[derive(Debug, Clone, Copy)]
pub struct QueryBounds {
    /// Memory that the operators of a plan may hold. The results of functions are not counted.
    pub memory_bytes: usize,
    /// Partitions of a plan that run concurrently.
    pub partitions: usize,
}

/// The optimizer's rule that evaluates constants.
const CONSTANTS: &str = "simplify_expressions";

/// The runtime of a query that keeps within `bounds` and writes no files.
pub(super) fn runtime(bounds: QueryBounds) -> Result<Arc<RuntimeEnv>> {
    let nowhere = DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled);
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(GreedyMemoryPool::new(bounds.memory_bytes)))
        .with_disk_manager_builder(nowhere)
        .build_arc()?;
    // Only the archive's store remains, not the disk of this machine.
    runtime.deregister_object_store(ObjectStoreUrl::local_filesystem().as_ref())?;
    Ok(runtime)
}

/// The same session without functions that reach outside the organisation or reveal how a query is
/// planned.
pub(super) fn narrowed(state: &SessionState) -> SessionState {
    fn kept<'a, F: 'a>(all: impl Iterator<Item = &'a Arc<F>>, name: fn(&F) -> &str) -> Vec<Arc<F>> {
        all.filter(|function| is_allowed(name(function))).cloned().collect()
    }
    SessionStateBuilder::new_from_existing(inside(state))
        .with_table_functions(HashMap::new())
        .with_scalar_functions(kept(state.scalar_functions().values(), ScalarUDF::name))
        .with_aggregate_functions(kept(state.aggregate_functions().values(), AggregateUDF::name))
        .with_window_functions(kept(state.window_functions().values(), WindowUDF::name))
        .with_higher_order_functions(kept(
            state.higher_order_functions().values(),
            HigherOrderUDF::name,
        ))
        .build()
}

/// The session that plans the inside of a wall.
pub(super) fn inside(state: &SessionState) -> SessionState {
    let mut config = state.config().clone().with_information_schema(false);
    // The Bloom filters are on event_id. The time that a lookup takes would reveal whether another
    // organisation's event has that id.
    config.options_mut().execution.parquet.bloom_filter_on_read = false;
    SessionStateBuilder::new_from_existing(state.clone()).with_config(config).build()
}

/// The plan itself. For `EXPLAIN`, a plan that shows the query with its types and constants, before
/// any rule moves a part of it.
///
/// # Errors
/// [`SqlError::Asked`] for `EXPLAIN ANALYZE`, and for queries that cannot be planned.
pub(super) fn shown(
    plan: LogicalPlan,
    state: &SessionState,
) -> std::result::Result<LogicalPlan, SqlError> {
    match plan {
        LogicalPlan::Analyze(_) => {
            let refused = "EXPLAIN ANALYZE is refused; use EXPLAIN, or run the query itself";
            Err(SqlError::Asked(refused.to_owned()))
        }
        LogicalPlan::Explain(explain) => {
            explained(&explain.plan, state).map_err(|error| SqlError::of_asked(&error))
        }
        plan => Ok(plan),
    }
}

fn explained(plan: &LogicalPlan, state: &SessionState) -> Result<LogicalPlan> {
    let typed =
        state.analyzer().execute_and_check(plan.clone(), state.config_options(), |_, _| {})?;
    let constants = state.optimizers().iter().filter(|rule| rule.name() == CONSTANTS);
    let constants = Optimizer::with_rules(constants.cloned().collect());
    let asked = constants.optimize(typed, state, |_, _| {})?;
    let row = vec![lit("logical_plan"), lit(asked.display_indent().to_string())];
    let columns = ["column1", "column2"].into_iter().zip(["plan_type", "plan"]);
    let columns = columns.map(|(from, name)| col(from).alias(name));
    LogicalPlanBuilder::values(vec![row])?.project(columns)?.build()
}
