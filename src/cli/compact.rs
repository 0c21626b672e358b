//! The command `tokenlake compact`.

use std::process::ExitCode;

use super::args::CompactArgs;
use super::open;
use super::print::{print_note, print_result};
use crate::app::{App, Settings as AppSettings};
use crate::archive::{ArchiveLocation, FollowSettings};
use crate::maintain::compact::{Settings, Summary};
use crate::telemetry::Telemetry;

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
    let settings = Settings { target_bytes: args.target_size, grace: args.grace };
    let mut compactor = app.compactor(settings);
    let note = |line: String| print_note(&line);
    let summary = if args.dry_run {
        compactor.preview(note).await?
    } else {
        let files_before = compactor.file_count().await?;
        let rewrites = compactor.compact(0, note).await?;
        let deleted = compactor.vacuum().await?;
        let files_after = compactor.file_count().await?;
        Summary { rewrites, files_before, files_after, deleted }
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
