//! `tokenlake sql-worker`: the process that a server starts for one query.

use std::process::ExitCode;

use clap::Args as ClapArgs;

use crate::archive::ArchiveLocation;
use crate::worker::{self, WorkerLimits};

/// Limits of a query's own process.
#[derive(Debug, Clone, Copy, ClapArgs)]
pub struct SqlWorkerArgs {
    /// Bytes in addition to those of the program itself.
    pub memory_bytes: u64,

    /// Seconds of processor time.
    pub cpu_seconds: u64,
}

/// Answers the one question on stdin. It limits itself before it does anything, and has a runtime of
/// its own.
pub(super) fn run(archive: &ArchiveLocation, args: SqlWorkerArgs) -> ExitCode {
    let SqlWorkerArgs { memory_bytes, cpu_seconds } = args;
    worker::answer_one(archive, WorkerLimits { memory_bytes, cpu_seconds })
}
