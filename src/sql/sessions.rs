//! The sessions in which users' queries are planned and run, in this process or on a node.

use std::sync::Arc;

use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::session_state::SessionState;
use datafusion::execution::{FunctionRegistry as _, SessionStateBuilder};
use datafusion::optimizer::Optimizer;
use datafusion::prelude::SessionConfig;
use object_store::ObjectStore;

use super::SqlError;
use super::dimension_function::dimension_function;
use super::first_key::ByFirstKey;
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
    let mut physical_rules = forgetting_padded();
    physical_rules.push(Arc::new(ByFirstKey));
    // All in one: the functions of a session take a millisecond to register.
    let mut plain = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime)
        .with_default_features()
        .with_optimizer_rules(AnswerFromPartials::among(&Optimizer::new().rules))
        .with_physical_optimizer_rules(physical_rules)
        .build();
    // It is for our own queries: askers have none of its name.
    let registered = plain.register_udf(dimension_function());
    registered.map_err(|error| SqlError::of("start", &[], &error))?;
    let url =
        ObjectStoreUrl::parse(STORE_URL).map_err(|error| SqlError::of("start", &[], &error))?;
    plain.runtime_env().register_object_store(url.as_ref(), store);
    let postgres = like_postgres(plain.clone());
    Ok(Sessions { plain, postgres })
}
