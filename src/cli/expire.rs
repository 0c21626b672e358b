//! The command `tokenlake expire`, and the same task once an hour in a server.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args as ClapArgs;
use tokio_util::task::AbortOnDropHandle;

use super::open;
use super::parse::parse_retention;
use super::print::print_result;
use crate::app::App;
use crate::archive::{ArchiveLocation, StoreCheck};
use crate::maintain::{self, Retention};
use crate::rollup::Rollup;
use crate::sql::Engine;
use crate::telemetry::Telemetry;

/// Memory for partials while they are added to the ledger.
const CACHE_BYTES_MAX: usize = 32 << 20;
/// A server that has just started answers its first scrapes before it expires events.
const FIRST_AFTER: Duration = Duration::from_secs(3);
const EVERY: Duration = Duration::from_secs(3_600);

/// Settings of expiry.
#[derive(Debug, ClapArgs)]
pub struct ExpireArgs {
    /// Expire events older than this, such as 400d; at least 2d. Whole UTC dates expire, once all
    /// of their events are older. Events before the floor date are rejected from then on.
    #[arg(long, env = "TOKENLAKE_OLDER_THAN", value_name = "TIME", value_parser = parse_retention)]
    pub older_than: Retention,

    /// Show what would expire, and change nothing.
    #[arg(long, env = "TOKENLAKE_DRY_RUN")]
    pub dry_run: bool,
}

/// Expires events past the retention, and prints what was expired.
pub(super) async fn run(location: &ArchiveLocation, args: ExpireArgs) -> anyhow::Result<ExitCode> {
    let archive = open::existing(location).await?;
    let now = open::clock().now();
    if !args.dry_run && !location.is_local() {
        StoreCheck::new(archive.store()).clock_not_ahead(now).await?;
    }
    let rollup = Rollup::new(
        Arc::new(Engine::new(archive.store())?.noting()),
        None,
        CACHE_BYTES_MAX,
        Telemetry::new(),
    );
    let expiry = maintain::expire(&archive, &rollup, now, args.older_than, args.dry_run).await?;
    archive.close().await;
    print_result(&serde_json::to_string(&expiry)?);
    Ok(ExitCode::SUCCESS)
}

/// Expires once an hour, for as long as the handle is kept.
pub(super) fn scheduled(
    app: Arc<App>,
    location: &ArchiveLocation,
    retention: Retention,
) -> AbortOnDropHandle<()> {
    // For a disk, the store's clock is this machine's.
    let own_clock = location.is_local();
    AbortOnDropHandle::new(tokio::spawn(async move {
        tokio::time::sleep(FIRST_AFTER).await;
        loop {
            match expire_once(&app, own_clock, retention).await {
                Ok(expiry) if expiry.files > 0 => tracing::info!(
                    floor = expiry.floor.map(tracing::field::display),
                    dates = expiry.dates,
                    files = expiry.files,
                    events = expiry.events,
                    "expired"
                ),
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "expiry failed; will retry in an hour"),
            }
            tokio::time::sleep(EVERY).await;
        }
    }))
}

async fn expire_once(
    app: &App,
    own_clock: bool,
    retention: Retention,
) -> anyhow::Result<maintain::Expiry> {
    if !own_clock {
        StoreCheck::new(app.archive().store()).clock_not_ahead(app.now()).await?;
    }
    Ok(app.expire(retention).await?)
}
