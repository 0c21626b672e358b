//! What providers report of an organisation: their rows, kept beside the table as sealed records.
//!
//! A *part* has the rows of one report of one provider on one date (in UTC, by their start), and never
//! changes. A *catalogue* names the parts that are in force. An import puts the parts that it changes,
//! then the next catalogue if there is none of that version: so it is there as a whole or not at all,
//! and the store decides which of two imports comes first.

mod error;
mod import;
mod record;
mod row;
mod stored;

pub use self::error::ReportsError;
pub use self::import::ImportedRows;
pub use self::record::{NewReportPart, ReportName, ReportPart, ReportSpan};
pub use self::row::{
    Dollars, LINE_ITEM, REPORT_MODEL, ReportFigures, ReportGroup, ReportKey, ReportRow,
};
pub use self::stored::Reports;
