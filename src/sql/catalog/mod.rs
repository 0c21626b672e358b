//! The catalogs of PostgreSQL, as far as clients ask for them: `pg_catalog` and `information_schema` tell
//! of the tables that an asker has, and of nothing else.
//!
//! What they hold depends on whether the asker is bound to a part of an organisation and on nothing that
//! is in an archive.

mod cells;
mod definitions;
mod functions;
mod relations;
mod rows;
mod settings;

use std::sync::Arc;

use datafusion::catalog::{MemTable, MemorySchemaProvider, SchemaProvider as _};
use datafusion::error::Result;
use datafusion::prelude::SessionContext;

pub(super) use self::definitions::{
    is_catalog_table, is_empty_table, is_list_column, is_procedure_column,
};
pub(super) use self::functions::catalog_functions;
pub(super) use self::relations::{OWNER, Relations, SCHEMA, TABLES};
pub(super) use self::rows::SessionNames;
pub(super) use self::settings::VERSION;
pub use self::settings::{SETTINGS, setting};

use self::cells::batch;
use self::definitions::{INFORMATION_SCHEMA, PG_CATALOG};
use self::rows::rows_of;

/// Registers the catalogs beside the tables of a session.
pub(super) fn register(
    context: &SessionContext,
    relations: &Relations,
    names: SessionNames<'_>,
) -> Result<()> {
    let default = context.copied_config().options().catalog.default_catalog.clone();
    let Some(catalog) = context.catalog(&default) else { return Ok(()) };
    for (schema, tables) in [("pg_catalog", PG_CATALOG), ("information_schema", INFORMATION_SCHEMA)]
    {
        let provider = MemorySchemaProvider::new();
        for table in definitions::of(tables) {
            let rows = rows_of(schema, table.name, relations, names);
            let rows = batch(&table, &rows)?;
            let table_rows = MemTable::try_new(rows.schema(), vec![vec![rows]])?;
            provider.register_table(table.name.to_owned(), Arc::new(table_rows))?;
        }
        catalog.register_schema(schema, Arc::new(provider))?;
    }
    Ok(())
}
