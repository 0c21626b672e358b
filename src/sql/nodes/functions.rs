//! The functions that plans may call on nodes.
//!
//! Our own queries call DataFusion's functions, and users' queries those of PostgreSQL, some under the
//! same names. So a plan says of each function which of both it is. A function that is neither does not
//! travel, and the query runs in one process.

use std::sync::Arc;

use datafusion::common::{exec_datafusion_err, not_impl_datafusion_err};
use datafusion::error::Result;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF};

use crate::sql::postgres::{of_words, words_of};

/// The notes for a function of our own queries' session, of users' session, and for one that no session
/// has under a name.
const PLAIN: &[u8] = b"plain";
const POSTGRES: &[u8] = b"postgres";
const OURS: &str = "ours ";

/// The functions of the sessions in which queries are planned.
#[derive(Debug)]
pub(in crate::sql) struct KnownFunctions {
    /// Of our own queries.
    pub plain: SessionState,
    /// Of users' queries.
    pub postgres: SessionState,
}

impl KnownFunctions {
    /// What a plan says of a function.
    ///
    /// # Errors
    /// If nodes do not know it.
    pub(super) fn scalar_note(&self, function: &ScalarUDF) -> Result<Vec<u8>> {
        let is_in = |state: &SessionState| {
            let known = state.scalar_functions().get(function.name());
            known.is_some_and(|known| **known == *function)
        };
        if is_in(&self.plain) {
            return Ok(PLAIN.to_vec());
        }
        if is_in(&self.postgres) {
            return Ok(POSTGRES.to_vec());
        }
        let words = words_of(function).map(|words| format!("{OURS}{words}").into_bytes());
        words.ok_or_else(|| unknown(function.name()))
    }

    /// The function with a name and a note.
    ///
    /// # Errors
    /// If there is none.
    pub(super) fn scalar(&self, name: &str, note: &[u8]) -> Result<Arc<ScalarUDF>> {
        let found = match note {
            PLAIN => self.plain.scalar_functions().get(name).cloned(),
            POSTGRES => self.postgres.scalar_functions().get(name).cloned(),
            other => {
                let words = std::str::from_utf8(other).ok();
                let words = words.and_then(|words| words.strip_prefix(OURS));
                words.and_then(of_words).map(Arc::new)
            }
        };
        found.ok_or_else(|| missing(name))
    }

    /// What a plan says of an aggregate.
    ///
    /// # Errors
    /// If nodes do not know it.
    pub(super) fn aggregate_note(&self, function: &AggregateUDF) -> Result<Vec<u8>> {
        let is_in = |state: &SessionState| {
            let known = state.aggregate_functions().get(function.name());
            known.is_some_and(|known| **known == *function)
        };
        if is_in(&self.plain) {
            return Ok(PLAIN.to_vec());
        }
        let postgres = is_in(&self.postgres).then(|| POSTGRES.to_vec());
        postgres.ok_or_else(|| unknown(function.name()))
    }

    /// The aggregate with a name and a note.
    ///
    /// # Errors
    /// If there is none.
    pub(super) fn aggregate(&self, name: &str, note: &[u8]) -> Result<Arc<AggregateUDF>> {
        let found = match note {
            PLAIN => self.plain.aggregate_functions().get(name).cloned(),
            POSTGRES => self.postgres.aggregate_functions().get(name).cloned(),
            _ => None,
        };
        found.ok_or_else(|| missing(name))
    }
}

fn unknown(name: &str) -> datafusion::error::DataFusionError {
    not_impl_datafusion_err!("{name} is no function that nodes know")
}

fn missing(name: &str) -> datafusion::error::DataFusionError {
    exec_datafusion_err!("a plan calls {name}, which this node does not know")
}
