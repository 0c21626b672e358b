//! The tables of prices that an archive has imported: kept as records, and followed by each process.
//!
//! A *catalogue* names the tables that are in force: one for all organisations, and one for each that
//! has its own. Catalogues have versions. An import puts its table, then the next catalogue if there is
//! none of that version, so the store decides which of two imports comes first. A process that knows
//! a version asks for the next one. The built-in table is under all others.
//!
//! What cannot be read prices nothing: it is an error that names the object, never another price.

mod book;
mod catalogue;
mod error;
mod import;
mod stored;

pub use self::book::{InForce, PriceBook, PriceTables};
pub use self::catalogue::ListedTable;
pub use self::error::PriceBookError;
pub use self::import::{ImportedTable, TABLES_BYTES_MAX, import};
