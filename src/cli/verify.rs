//! `tokenlake verify`.

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::sync::Arc;

use super::{open, print_note, print_result};
use crate::archive::ArchiveLocation;
use crate::maintain;
use crate::rollup::Rollup;
use crate::sql::Engine;
use crate::telemetry::Telemetry;

/// Memory for partials while verifying.
const CACHE_BYTES_MAX: usize = 128 << 20;
/// Files between two lines of progress.
const PROGRESS_EVERY: usize = 250;

/// Verifies the archive; exit status 1 on any difference.
pub(super) async fn run(location: &ArchiveLocation) -> anyhow::Result<ExitCode> {
    let archive = open::existing(location).await?;
    let engine = Arc::new(Engine::new(archive.store())?);
    let totals = open::totals(&archive)?;
    let rollup = Rollup::new(engine.clone(), Some(totals), CACHE_BYTES_MAX, Telemetry::new());
    let shown = std::io::stderr().is_terminal();
    let progress = |done: usize, files: usize| {
        if done > 0 && done.is_multiple_of(PROGRESS_EVERY) || shown && done == 0 {
            print_note(&format!("read {done} of {files} files"));
        }
    };
    let report =
        maintain::verify(&archive, &engine, &rollup, open::clock().now(), progress).await?;
    report.differences.iter().for_each(|line| print_result(line));
    let orgs = report.orgs.map_or_else(
        || "scrapes not compared, for damaged files".to_owned(),
        |orgs| format!("scrapes of {} compared", count(orgs as u64, "organisation")),
    );
    print_result(&format!(
        "verified {} in {} at version {}, {orgs}: {}",
        count(report.events, "event"),
        count(report.files as u64, "file"),
        report.version,
        count(report.difference_count as u64, "difference"),
    ));
    Ok(if report.difference_count == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn count(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
