//! The command `tokenlake repair`.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Args as ClapArgs;

use super::open;
use super::print::{print_note, print_result};
use crate::archive::{ArchiveLocation, ForeignCommit, Judge, Ledgers, Repairs, TotalsStore};
use crate::maintain::{Repair, Way};
use crate::rollup::Rollup;
use crate::sql::{Engine, sql_version};
use crate::telemetry::Telemetry;

/// Memory for partials while they are added up.
const CACHE_BYTES_MAX: usize = 32 << 20;

/// Settings of a repair.
#[derive(Debug, ClapArgs)]
pub struct RepairArgs {
    /// Show what was done to the table and what a repair would do, and change nothing.
    #[arg(long, env = "TOKENLAKE_DRY_RUN")]
    pub dry_run: bool,

    /// Undo it, which is the default: removed files become live again, and files added in their
    /// place are removed. Files that were only appended stay.
    #[arg(long, env = "TOKENLAKE_UNDO", conflicts_with = "accept")]
    pub undo: bool,

    /// Keep the table as it is now. What the removed events added to the counters goes to the
    /// ledger, and events that are in the table twice are taken out.
    #[arg(long, env = "TOKENLAKE_ACCEPT")]
    pub accept: bool,
}

/// Undoes or accepts what another program did, and prints what that was.
pub(super) async fn run(location: &ArchiveLocation, args: RepairArgs) -> anyhow::Result<ExitCode> {
    let store = open::existing_archive(location).await?;
    let totals = TotalsStore::new(store.clone(), open::clock(), sql_version())?;
    let engine = Arc::new(Engine::new(store.clone())?);
    let repair = Repair {
        repairs: Repairs::new(store.clone(), open::clock())?,
        judge: Judge::new(store.clone()),
        ledgers: Ledgers::new(store),
        rollup: Rollup::new(engine, Some(totals), CACHE_BYTES_MAX, Telemetry::new()),
    };
    let way = if args.accept { Way::Accept } else { Way::Undo };
    let repaired = repair.run(way, args.dry_run).await?;
    match &repaired.refused {
        None if repaired.unfit.is_empty() => print_note("nothing needs repair"),
        None => {}
        Some(reason) => print_note(reason),
    }
    repaired.unfit.iter().for_each(|file| print_note(&format!("taken out: {file}")));
    repaired.commits.iter().for_each(|commit| print_note(&line(commit)));
    print_result(&serde_json::to_string(&repaired)?);
    Ok(ExitCode::SUCCESS)
}

/// A line about a commit.
fn line(commit: &ForeignCommit) -> String {
    let ForeignCommit { version, by, added: (files, events), removed, only_appends } = commit;
    let events = events.map_or_else(|| "an unknown number of".to_owned(), |n| n.to_string());
    let by = if by.is_empty() { "an unknown operation" } else { by };
    let kept = if *only_appends { "; it only appends" } else { "" };
    format!(
        "version {version}, {by}: {files} files added with {events} events, {removed} files removed{kept}"
    )
}
