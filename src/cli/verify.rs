//! The command `tokenlake verify`.

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args as ClapArgs;
use indicatif::{ProgressBar, ProgressStyle};

use super::open;
use super::print::{print_note, print_result};
use super::units::parse_millionths;
use crate::archive::ArchiveLocation;
use crate::maintain::{self, NO_FLOOR, Sample};
use crate::printable::{counted, printable};
use crate::rollup::Rollup;
use crate::sql::Engine;
use crate::telemetry::Telemetry;

/// Memory for partials while verifying.
const CACHE_BYTES_MAX: usize = 128 << 20;
/// Files between two lines of progress.
const PROGRESS_EVERY: usize = 250;
const BAR: &str = "{bar:30} {pos} of {len} files, {eta} left";

/// Settings of verification.
#[derive(Debug, ClapArgs)]
pub struct VerifyArgs {
    /// Read only a share of the files, such as 10% or 0.1, chosen anew each time. Scrapes are not
    /// compared then, because that takes all files.
    #[arg(long, env = "TOKENLAKE_SAMPLE", value_name = "SHARE", value_parser = parse_sample)]
    pub sample: Option<Sample>,
}

/// Verifies the archive; exit status 1 on any difference.
pub(super) async fn run(location: &ArchiveLocation, args: VerifyArgs) -> anyhow::Result<ExitCode> {
    let archive = open::existing(location).await?;
    let engine = Arc::new(Engine::new(archive.store())?);
    let totals = open::totals(&archive)?;
    let rollup = Rollup::new(engine.clone(), Some(totals), CACHE_BYTES_MAX, Telemetry::new());
    let bar = std::io::stderr().is_terminal().then(|| {
        let style = ProgressStyle::with_template(BAR);
        ProgressBar::no_length().with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
    });
    let progress = |done: usize, files: usize| match &bar {
        Some(bar) => {
            bar.set_length(files as u64);
            bar.set_position(done as u64);
        }
        None if done.is_multiple_of(PROGRESS_EVERY) => {
            print_note(&format!("read {done} of {files} files"));
        }
        None => {}
    };
    let now = open::clock().now();
    let (rollup, sample) = (Arc::new(rollup), args.sample);
    let report = maintain::verify(&archive, &engine, &rollup, now, sample, progress).await;
    bar.iter().for_each(ProgressBar::finish_and_clear);
    let report = report?;
    if let Some((events, floor)) = report.expired.filter(|(events, _)| *events > 0) {
        let events = counted(events, "event");
        print_note(&match floor == NO_FLOOR {
            true => format!(
                "the ledger has the sums of {events} that another program took out, which cannot be \
                 recomputed"
            ),
            false => format!(
                "{events} before {floor} have expired and cannot be recomputed: their sums are \
                 those of the ledger"
            ),
        });
    }
    report.differences.iter().for_each(|line| print_result(&printable(line)));
    let missing = if sample.is_some() { "this is a sample" } else { "damaged files" };
    let orgs = report.orgs.map_or_else(
        || format!("scrapes not compared, for {missing}"),
        |orgs| format!("scrapes of {} compared", counted(orgs, "organisation")),
    );
    print_result(&format!(
        "verified {} in {} at version {}, {orgs}: {}",
        counted(report.events, "event"),
        counted(report.files, "file"),
        report.version,
        counted(report.difference_count, "difference"),
    ));
    Ok(if report.difference_count == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn parse_sample(text: &str) -> Result<Sample, String> {
    let share = parse_millionths(text)?;
    Sample::of_millionths(share).ok_or_else(|| "not more than 0 and up to 100%".to_owned())
}
