//! SQL over data files: the only module with DataFusion's types in its signatures.
//!
//! Aggregates are defined in `queries/*.sql` and nowhere else. For each query, this module decides
//! which files form the table `events`.

mod allowed;
mod asker;
mod carried;
mod catalog;
mod cell_columns;
mod cell_kind;
mod charge_cells;
mod columns;
mod console;
mod dimension_function;
mod engine;
mod error;
mod file_bounds;
mod filters;
mod first_key;
mod foreign_scan;
mod form;
mod from_partials;
mod further_columns;
mod leaf;
mod ledger_sums;
mod live_table;
mod nodes;
mod only_reads;
mod padded;
mod part_cells;
mod part_sums;
mod partial_row;
mod partials;
mod parts;
mod planned;
mod postgres;
mod presummed;
mod presummed_table;
mod progress;
mod queries;
mod query;
mod readers;
mod reports_table;
mod result_value;
mod row_columns;
mod row_format;
mod rows_plan;
mod session;
mod sessions;
mod state_of;
mod statements;
mod sums;
mod views;
mod wall;
mod walled;
mod walled_table;
mod wire;
mod words;

pub use self::asker::{Asker, BoundPart};
pub use self::carried::{CarriedCells, SumsBase};
pub use self::catalog::{SETTINGS, setting};
pub use self::cell_columns::{cell_columns, cell_schema};
pub use self::cell_kind::{CellKind, DimensionCells};
pub use self::charge_cells::{Charge, ChargeCell, ChargeQuestion};
pub use self::console::{Console, QueryAnswer, WireAnswer};
pub use self::dimension_function::dimension_function;
pub use self::engine::Engine;
pub use self::error::SqlError;
pub use self::form::FormWriter;
pub use self::ledger_sums::all_expired;
pub use self::nodes::{
    NODE_CACHE_SHARE, NodeEngine, NodeSecret, NodeSecretError, NodeTrust, NodeUrl, Nodes, Spread,
};
pub use self::part_cells::{part_cells, part_columns};
pub use self::partial_row::{PartialRow, org_and_value, part_of, parts_bounds, started};
pub use self::partials::partial_rows;
pub use self::progress::{FilesRead, QueryProgress};
pub use self::queries::{EdgeRow, FileBounds, FileCheck, OrgCost, SeriesTotal};
pub use self::query::sql_version;
pub use self::result_value::write_text;
pub use self::row_format::RowFormat;
pub use self::state_of::state_of;
pub use self::statements::{Statements, in_parentheses, split_statements};
pub use self::sums::{FurtherSums, SeriesTotals};
pub use self::walled::QueryBounds;
pub use self::wire::{RowMessages, WireParameter, WireQuestion, WireType, oid, read_numeric};
