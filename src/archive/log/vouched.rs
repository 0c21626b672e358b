//! How many events a table has ever had, as counted by the programs that committed them.
//!
//! A log entry describes a change, but a checkpoint of the log describes only what exists. Suppose
//! that another program deletes events and a checkpoint is made after that. A process that opens
//! the table at the checkpoint would then see smaller sums and nothing wrong. So each commit of
//! ours says how many events there have ever been, in `txn` actions, which checkpoints keep as they
//! keep the ledger's. On opening, this number is compared with the live events and those in the
//! ledger.

use deltalake_core::kernel::{Action, Transaction};

use crate::clock::Micros;

/// The application of the `txn` action whose number is how many events there have ever been.
pub(in crate::archive) const EVENTS_APP: &str = "tokenlake.events";
/// The application of the `txn` action whose number is the version for which that count holds.
pub(in crate::archive) const EVENTS_AT_APP: &str = "tokenlake.eventsAt";

/// What a commit of ours vouches for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vouched {
    /// Events that have ever been added, of every type: those of live files and of the ledger.
    pub events: u64,
    /// The version that the commit made.
    pub at: u64,
}

impl Vouched {
    /// Reads the numbers of the two actions; `None` unless both are given and valid.
    pub(in crate::archive) fn from_numbers(events: Option<i64>, at: Option<i64>) -> Option<Self> {
        Some(Self { events: events?.try_into().ok()?, at: at?.try_into().ok()? })
    }

    /// The `txn` actions for the log entry.
    pub(in crate::archive) fn actions(self, now: Micros) -> impl Iterator<Item = Action> {
        let numbers = [(EVENTS_APP, self.events), (EVENTS_AT_APP, self.at)];
        numbers.into_iter().map(move |(app_id, number)| {
            Action::Txn(Transaction {
                app_id: app_id.to_owned(),
                version: i64::try_from(number).unwrap_or(i64::MAX),
                last_updated: Some(now / 1_000),
            })
        })
    }
}
