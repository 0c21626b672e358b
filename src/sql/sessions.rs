//! The sessions in which users' queries are planned and run, in this process or on a node.

use std::sync::Arc;

use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::session_state::SessionState;
use datafusion::execution::{FunctionRegistry as _, SessionStateBuilder};
use datafusion::prelude::SessionConfig;
use object_store::ObjectStore;

use super::SqlError;
use super::dimension_function::dimension_function;
use super::from_partials::AnswerFromPartials;
use super::padded::forgetting_padded;
use super::postgres::like_postgres;
use super::readers::STORE_URL;

/// The sessions of one process.
#[derive(Debug)]
pub(super) struct Sessions {
    /// For our own queries, which define tables.
    pub plain: SessionState,
    /// For users' queries.
    pub postgres: SessionState,
}

/// The sessions over the archive with its root at `store`.
///
/// # Errors
/// [`SqlError::Query`], only for a defect.
pub(super) fn sessions(
    config: SessionConfig,
    runtime: Arc<RuntimeEnv>,
    store: Arc<dyn ObjectStore>,
) -> Result<Sessions, SqlError> {
    let mut config = config.with_information_schema(true);
    let options = config.options_mut();
    // Money is never a float, so a literal next to it must not be one.
    options.sql_parser.parse_float_as_decimal = true;
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime)
        .with_default_features()
        .build();
    let mut state = forgetting_padded(state);
    // It is for our own queries: askers have none of its name.
    let registered = state.register_udf(dimension_function());
    registered.map_err(|error| SqlError::of("start", &[], &error))?;
    let rules = AnswerFromPartials::among(state.optimizers());
    let plain = SessionStateBuilder::new_from_existing(state).with_optimizer_rules(rules).build();
    let url =
        ObjectStoreUrl::parse(STORE_URL).map_err(|error| SqlError::of("start", &[], &error))?;
    plain.runtime_env().register_object_store(url.as_ref(), store);
    let postgres = like_postgres(plain.clone());
    Ok(Sessions { plain, postgres })
}
