//! Log lines, to stderr.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use super::args::LogFormat;

/// Warnings of ours; libraries speak only when something is wrong for good. The one that reads tables'
/// logs tells of each error twice, and we do it once.
const DEFAULT_FILTER: &str = "tokenlake=info,buoyant_kernel=off,error";

/// Starts logging.
///
/// # Errors
/// If `RUST_LOG` is not a filter.
pub(super) fn start(format: LogFormat) -> anyhow::Result<()> {
    let filter = std::env::var("RUST_LOG").unwrap_or_else(|_| DEFAULT_FILTER.to_owned());
    let filter: EnvFilter = filter
        .parse()
        .map_err(|error| anyhow::anyhow!("RUST_LOG={filter} is not a log filter: {error}"))?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("cannot start logging: {error}"))
}
