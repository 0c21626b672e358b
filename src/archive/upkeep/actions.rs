//! The actions of the log by which upkeep takes files out and names ledgers.

use deltalake_core::kernel::{Action, Remove, Transaction};

use crate::archive::error::ArchiveError;
use crate::archive::ledger_name::{LEDGER_APP, LedgerName};
use crate::clock::Micros;

/// Takes a file out of the table at `now`; `data_change` is false if its events stay in another.
pub(super) fn remove(path: &str, data_change: bool, now: Micros) -> Remove {
    Remove {
        path: path.to_owned(),
        data_change,
        deletion_timestamp: Some(now / 1_000),
        ..Remove::default()
    }
}

/// Names the ledger of a version.
///
/// # Errors
/// Internal, in the words of `operation`, if the ledger's floor date has no number.
pub(super) fn name_ledger(
    ledger: LedgerName,
    operation: &'static str,
    now: Micros,
) -> Result<Action, ArchiveError> {
    let version = ledger
        .number()
        .ok_or_else(|| ArchiveError::internal(operation, "the floor date is before 1970"))?;
    let (app_id, last_updated) = (LEDGER_APP.to_owned(), Some(now / 1_000));
    Ok(Action::Txn(Transaction { app_id, version, last_updated }))
}
