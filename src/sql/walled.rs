//! What a session of one organisation may do, whose asker may be anybody: ask the two tables and
//! compute. It has no files, no settings, no catalogs and no functions that make tables.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::error::Result;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::LogicalPlan;

use super::SqlError;

/// What a query may use.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Memory that the operators of a plan hold. What functions make is not counted.
    pub memory_bytes: usize,
    /// Parts of a plan that run side by side.
    pub partitions: usize,
}

/// Functions that have no business here: they tell of files.
const REFUSED_FUNCTIONS: [&str; 1] = ["input_file_name"];

/// The runtime of a query that keeps within `bounds` and writes no file.
pub(super) fn runtime(bounds: Bounds) -> Result<Arc<RuntimeEnv>> {
    let nowhere = DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled);
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(GreedyMemoryPool::new(bounds.memory_bytes)))
        .with_disk_manager_builder(nowhere)
        .build_arc()?;
    // The archive's store alone is known by its address, not the disk of this machine.
    runtime.deregister_object_store(ObjectStoreUrl::local_filesystem().as_ref())?;
    Ok(runtime)
}

/// The same session without what leads out of an organisation.
pub(super) fn narrowed(state: &SessionState) -> SessionState {
    let mut config = state.config().clone().with_information_schema(false);
    // The filters are on event_id, and the time that a look takes would tell whether a foreign
    // event has that id.
    config.options_mut().execution.parquet.bloom_filter_on_read = false;
    let functions = state.scalar_functions().iter();
    let functions = functions.filter(|(name, _)| !REFUSED_FUNCTIONS.contains(&name.as_str()));
    let functions = functions.map(|(_, function)| function.clone()).collect();
    SessionStateBuilder::new_from_existing(state.clone())
        .with_config(config)
        .with_table_functions(HashMap::new())
        .with_scalar_functions(functions)
        .build()
}

/// Refuses plans that show what a query met.
pub(super) fn check(plan: &LogicalPlan) -> std::result::Result<(), SqlError> {
    if matches!(plan, LogicalPlan::Analyze(_)) {
        let refused = "EXPLAIN ANALYZE is refused; ask with EXPLAIN, or with the query itself";
        return Err(SqlError::Asked(refused.to_owned()));
    }
    Ok(())
}
