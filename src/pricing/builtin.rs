//! The table of public list prices that is part of the program.

use super::table::{Table, TableError};

/// The table, which `data/prices/make.py` makes; see `data/prices/README.md`.
const JSON: &[u8] = include_bytes!("../../data/prices/builtin.json");

/// Reads the built-in table.
///
/// # Errors
/// None, as the tests show.
pub fn builtin() -> Result<Table, TableError> {
    Table::parse(JSON, "builtin")
}
