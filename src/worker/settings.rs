//! How queries are run, and the right to run one.

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;

/// How queries are run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerSettings {
    /// This program.
    pub program: PathBuf,
    /// The archive's address, as the command line takes it.
    pub archive: String,
    /// Memory that a query may use.
    pub memory_bytes: u64,
    /// How long a query may take, including the time in which the client reads the answer.
    pub timeout: Duration,
    /// Queries that may run at a time.
    pub running_max: usize,
}

/// The right to run one query.
#[derive(Debug)]
pub struct Turn {
    pub(super) _of_all: OwnedSemaphorePermit,
    pub(super) _of_org: OwnedSemaphorePermit,
}
