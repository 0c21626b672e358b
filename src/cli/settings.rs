//! The settings of a server, from its command line.

use std::path::PathBuf;
use std::time::Duration;

use super::open::{FOLLOW_INTERVAL, TOTALS_WORK_MAX};
use super::serve_args::ServeArgs;
use crate::app::AppSettings;
use crate::archive::{ArchiveLocation, FollowSettings, WriterSettings};
use crate::budget::AllowedTargets;
use crate::maintain::compact;
use crate::worker::WorkerSettings;

/// On object storage each commit costs money, and every replica follows it.
const REMOTE_COMMIT_INTERVAL: Duration = Duration::from_secs(1);
/// The connections for telemetry, which has few readers.
pub(super) const ADMIN_CONNECTIONS_MAX: usize = 64;

/// A server's settings.
pub(super) fn of_serve(location: &ArchiveLocation, args: &ServeArgs) -> AppSettings {
    let bytes = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
    let by_place = if location.is_local() { Duration::ZERO } else { REMOTE_COMMIT_INTERVAL };
    AppSettings {
        writer: WriterSettings {
            commit_interval: args.commit_interval.unwrap_or(by_place),
            dedupe_bytes_max: bytes(args.dedupe_memory),
            creation: args.create.into(),
            ..WriterSettings::default()
        },
        follow: FollowSettings {
            interval: Some(FOLLOW_INTERVAL),
            probe: location.log_probe(),
            waits_for_repair: true,
        },
        staleness_max: args.max_staleness,
        stale_on_error_max: args.max_stale_on_error,
        cache_bytes_max: bytes(args.cache_memory),
        totals_work_max: Some(TOTALS_WORK_MAX),
        is_job: false,
        compact: compaction(args),
        series_max: Some(args.max_series),
        dimension_values_max: args.max_dimension_values,
        prices: (&args.prices).into(),
        body_bytes_max: bytes(args.max_body),
        answer_bytes_max: bytes(args.answer_memory),
        requests_per_org_max: args.max_requests_per_org,
        worker: workers(location, args),
        webhooks: AllowedTargets::new(args.webhook_allow.clone()),
        jwt: args.jwt.settings(),
    }
}

/// The settings of background compaction, and how often it runs.
fn compaction(args: &ServeArgs) -> Option<(compact::CompactSettings, Duration)> {
    let settings = compact::CompactSettings::default();
    (!args.compact_interval.is_zero()).then_some((settings, args.compact_interval))
}

/// The settings of query workers; `None` if no other process can read the archive.
fn workers(location: &ArchiveLocation, args: &ServeArgs) -> Option<WorkerSettings> {
    // On Linux this path is the running program, even after its file was replaced.
    let running = PathBuf::from("/proc/self/exe");
    let program = if running.exists() { running } else { std::env::current_exe().ok()? };
    let settings = WorkerSettings {
        program,
        archive: location.to_string(),
        memory_bytes: args.sql_memory,
        timeout: args.sql_timeout,
        running_max: args.sql_concurrency.into(),
    };
    (*location != ArchiveLocation::Memory).then_some(settings)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::args::{Args, Command, EntryPoint};

    fn command(name: &str) -> Command {
        let EntryPoint::Command(command) = Args::try_parse_from(["tokenlake", name]).unwrap().entry
        else {
            panic!("{name} is no command")
        };
        command
    }

    #[test]
    fn settings_have_the_defaults_of_the_command_line() {
        let Command::Serve(args) = command("serve") else { panic!("not serve") };
        let (served, default) = (of_serve(&ArchiveLocation::Memory, &args), AppSettings::default());
        assert_eq!(served.body_bytes_max, default.body_bytes_max);
        assert_eq!(served.answer_bytes_max, default.answer_bytes_max);
        assert_eq!(served.requests_per_org_max, default.requests_per_org_max);
        assert_eq!(served.writer.dedupe_bytes_max, default.writer.dedupe_bytes_max);
        let Command::Compact(args) = command("compact") else { panic!("not compact") };
        let compact::CompactSettings { target_bytes, grace } = compact::CompactSettings::default();
        assert_eq!((args.target_size.0, args.grace.0), (target_bytes, grace));
    }
}
