//! The archive: a Delta Lake table of events in object storage, and small records next to it.
//!
//! All writes to an archive go through this module. It promises:
//! - an event is in the table at most once, even while other processes write (`writer`);
//! - a batch is acknowledged only once its log entry is durable (`writer`);
//! - a look that starts after an acknowledgement sees the event (`follow`);
//! - an incomplete count is never returned: an error names the object instead.

// Each group imports only from those above it; a test checks this.
mod chain;
mod error;
mod grace;
mod ledger_name;
mod paths;

mod store;

mod reports;

mod parquet;

mod file;

mod outside;

mod log;

mod sums;

mod versions;

mod write;

mod upkeep;

mod opened;

#[cfg(test)]
mod mutation_tests;

pub use self::error::ArchiveError;
pub use self::file::by_org::ByOrg;
pub use self::file::data_file::{DataFile, ScanFile, date_of};
pub use self::file::file_read::IdReader;
pub use self::file::foreign::{ForeignRows, foreign_rows};
pub use self::file::lossless::LosslessColumns;
pub use self::file::partial_maker::{CellsError, FurtherKind, MadeCells, PartialMaker};
pub use self::file::{ids::EventHash, orgs_among::orgs_among, stored_rows::stored_rows};
pub use self::grace::{GRACE_MAX, GRACE_MIN, UNCOMMITTED_MAX};
pub use self::ledger_name::LedgerName;
pub use self::log::archive_mark::ArchiveMark;
pub use self::log::snapshot::{Arrival, Snapshot};
pub use self::log::{job_mark::JobMark, newer::OfObject, place::ArchivePlace};
pub use self::opened::Archive;
pub use self::outside::live_files::{LiveFile, live_files_in};
pub use self::outside::objects::{FoundObject, Objects};
pub use self::parquet::cells::{CellBatches, CellReader, CellWriter};
pub use self::parquet::checked_read::{CheckedObject, CheckedReader};
pub use self::parquet::footer::{END_BYTES, FooterFlaw, check_footer, footer_range};
pub use self::parquet::row_weights::{pieces, with_views};
pub use self::parquet::{columns::first_row, object_note::ObjectNote, pages::GroupScan};
pub use self::paths::{
    ACCESS_KEYS, BUDGETS, CROSSINGS, HEAD_NOTE, OPEN_CROSSINGS, PARTITION, USES, access_key,
    access_key_hash, budget_edition, budget_of, budgets_of, crossings_of, key_use, key_voucher,
    prices, vouched_for,
};
pub use self::reports::{
    Dollars, ImportedRows, LINE_ITEM, NewReportPart, REPORT_MODEL, ReportFigures, ReportGroup,
    ReportKey, ReportName, ReportPart, ReportRow, ReportSpan, Reports, ReportsError,
};
pub use self::store::records::{RecordMark, Records, Stored};
pub use self::store::sealed::{Record, SealState};
pub use self::store::store_check::StoreCheck;
pub use self::store::{cloud::Cloud, location::ArchiveLocation};
pub use self::store::{location_error::LocationError, probe::LogProbe};
pub use self::sums::ledger::{Ledger, LedgerCells, Ledgers, NewLedger};
pub use self::sums::totals::{Totals, TotalsStore};
pub use self::upkeep::declaration::Declared;
pub use self::upkeep::judge::{FOUND_BYTES_MAX as JUDGED_BYTES_MAX, Finding, Judge};
pub use self::upkeep::repair::{Broken, ForeignCommit, Repairs};
pub use self::upkeep::repair_plan::RepairPlan;
pub use self::upkeep::{rewrite::Rewritten, thinned::ThinnedFile, vacuum::StaleFiles};
pub use self::versions::follow::FollowSettings;
pub use self::versions::opening::Creation;
pub use self::write::{floor::refuse_before_floor, writer::Committed, writer::WriterSettings};
