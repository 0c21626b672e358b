//! What a client of the protocol asks, beside the text of its query.

use serde::{Deserialize, Serialize};

/// What a client of the protocol asks, beside the text of its query.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WireQuestion {
    /// The values of `$1`, `$2` and so on.
    pub parameters: Vec<WireParameter>,
    /// The formats of columns: none for text, one for all, or one for each. True is binary.
    pub binary: Vec<bool>,
    /// True if parameters and columns are asked for, and no rows.
    pub describes: bool,
    /// The name of the user, which is only shown.
    pub user: String,
    /// The name of the database, which is only shown.
    pub database: String,
}

/// A parameter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WireParameter {
    /// The OID of its type; 0 if the client leaves it to the query.
    pub oid: u32,
    /// Its value as text; `None` for null.
    pub text: Option<String>,
}
