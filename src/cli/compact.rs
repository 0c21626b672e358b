//! The command `tokenlake compact`.

use std::process::ExitCode;

use clap::Args as ClapArgs;

use super::open;
use super::print::{print_note, print_result};
use super::units::{ByteSize, TimeSpan, parse_bytes, parse_duration};
use crate::app::{App, AppSettings};
use crate::archive::{ArchiveLocation, FollowSettings, GRACE_MAX, GRACE_MIN};
use crate::maintain::compact::{CompactSettings, CompactSummary};
use crate::telemetry::Telemetry;

const TARGET_SIZE_MIN: u64 = 1 << 20;
const TARGET_SIZE_MAX: u64 = 1 << 30;

/// Settings of compaction.
#[derive(Debug, Clone, Copy, ClapArgs)]
pub struct CompactArgs {
    /// Show what would be done, and change nothing.
    #[arg(long, env = "TOKENLAKE_DRY_RUN")]
    pub dry_run: bool,

    /// The size that files are merged up to. This takes two or three times as much memory.
    #[arg(long, env = "TOKENLAKE_TARGET_SIZE", value_name = "SIZE", default_value_t = ByteSize(CompactSettings::TARGET_BYTES), value_parser = parse_target_size)]
    pub target_size: ByteSize,

    /// How long a file that the table no longer names is kept for readers of an older version; from
    /// 1h to 2d.
    #[arg(long, env = "TOKENLAKE_GRACE", value_name = "TIME", default_value_t = TimeSpan(CompactSettings::GRACE), value_parser = parse_grace)]
    pub grace: TimeSpan,
}

/// Merges small files, then deletes those that no version names; exit status 1 if some could not be
/// merged.
pub(super) async fn run(location: &ArchiveLocation, args: CompactArgs) -> anyhow::Result<ExitCode> {
    let store = open::existing_archive(location).await?;
    let settings = AppSettings {
        follow: FollowSettings {
            interval: Some(open::FOLLOW_INTERVAL),
            ..FollowSettings::default()
        },
        ..AppSettings::default()
    };
    let app = App::open(store, open::clock(), Telemetry::new(), settings).await?;
    let settings = CompactSettings { target_bytes: args.target_size.0, grace: args.grace.0 };
    let mut compactor = app.compactor(settings);
    let note = |line: String| print_note(&line);
    let summary = if args.dry_run {
        compactor.preview(note).await?
    } else {
        let files_before = compactor.file_count().await?;
        let rewrites = compactor.compact(0, note).await?;
        let deleted = compactor.vacuum().await?;
        let files_after = compactor.file_count().await?;
        CompactSummary { rewrites, files_before, files_after, deleted }
    };
    let failed = compactor.has_failed();
    drop(compactor);
    app.close().await;
    print_result(&serde_json::to_string(&summary)?);
    anyhow::ensure!(
        !failed,
        "some files could not be merged; see above, and run: tokenlake verify"
    );
    Ok(ExitCode::SUCCESS)
}

fn parse_target_size(text: &str) -> Result<ByteSize, String> {
    let bytes = parse_bytes(text)?;
    let fits = (TARGET_SIZE_MIN..=TARGET_SIZE_MAX).contains(&bytes);
    if fits { Ok(ByteSize(bytes)) } else { Err("not from 1MiB to 1GiB".to_owned()) }
}

fn parse_grace(text: &str) -> Result<TimeSpan, String> {
    let grace = parse_duration(text)?;
    if (GRACE_MIN..=GRACE_MAX).contains(&grace) {
        Ok(TimeSpan(grace))
    } else {
        Err("not from 1h to 2d".to_owned())
    }
}
