//! The command `tokenlake doctor`: the checks of `maintain`, and one more. The latter sends an
//! event with a new key and scrapes it, in an archive of its own below this one, which is removed
//! afterwards.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Args as ClapArgs;
use object_store::ObjectStore;
use object_store::prefix::PrefixStore;

use super::print::print_result;
use super::{open, signals};
use crate::access::{NewKey, Scopes};
use crate::app::{App, AppSettings, BodyForm};
use crate::archive::{
    Archive, ArchiveLocation, FollowSettings, Records, StoreCheck, WriterSettings,
};
use crate::event::OrgId;
use crate::exposition::{Coding, Collect, MetricsFormat};
use crate::ingest::ContentKind;
use crate::maintain::{CheckReport, check_access, check_prices, check_writing};
use crate::price_book::{InForce, PriceTables};
use crate::telemetry::Telemetry;

const DRY: &str = "it would write; run it without --dry-run";
/// More than one event needs.
const MEMORY_BYTES: usize = 1 << 20;
/// The organisation, provider and model of the test event.
const NAME: &str = "doctor";

/// Settings of the checks.
#[derive(Debug, ClapArgs)]
pub struct DoctorArgs {
    /// Only read; write nothing, not even for a moment.
    #[arg(long, env = "TOKENLAKE_DRY_RUN")]
    pub dry_run: bool,
}

/// Runs the checks and prints a line for each; exit status 1 if one fails.
pub(super) async fn run(location: &ArchiveLocation, args: DoctorArgs) -> anyhow::Result<ExitCode> {
    let mut sound = true;
    let mut tell = |finding: CheckReport| {
        sound &= !finding.is_failure();
        print_result(&finding.to_string());
    };
    match open::existing_store(location) {
        Ok(store) => {
            let check = StoreCheck::new(store.clone());
            tokio::select! {
                () = examine(location, &store, &check, args.dry_run, &mut tell) => {}
                () = signals::job_told() => {
                    // There is nothing to remove if nothing has been written yet.
                    let _ = clean(location, &check).await;
                    return Ok(signals::exit_code());
                }
            }
        }
        Err(error) => tell(CheckReport::of("credentials", Err::<String, _>(error))),
    }
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn examine(
    location: &ArchiveLocation,
    store: &Arc<dyn ObjectStore>,
    check: &StoreCheck,
    dry_run: bool,
    tell: &mut impl FnMut(CheckReport),
) {
    let access = check_access(check).await;
    let reached = !access.is_failure();
    tell(access);
    if !reached {
        return;
    }
    tell(CheckReport::of("table", table(store).await));
    let prices = prices(store).await;
    let taken = prices.as_ref().map(|in_force| in_force.all_taken());
    tell(check_prices(taken, open::clock().now()));
    if dry_run {
        for name in ["clock", "conditional put", "objects", "write and scrape"] {
            tell(CheckReport::passed_over(name, DRY));
        }
        return;
    }
    check_writing(check, open::clock().now(), &mut *tell).await;
    tell(CheckReport::of("write and scrape", write_and_scrape(store, check).await));
    if let Err(error) = clean(location, check).await {
        tell(CheckReport::of("cleaning up", Err::<String, _>(error)));
    }
}

/// The tables of prices that are in force.
async fn prices(store: &Arc<dyn ObjectStore>) -> anyhow::Result<Arc<InForce>> {
    match PriceTables::Builtin.book(Records::new(store.clone()), open::clock())? {
        Some(book) => Ok(book.current().await?),
        None => Ok(Arc::default()),
    }
}

async fn table(store: &Arc<dyn ObjectStore>) -> anyhow::Result<String> {
    if !Archive::exists(store.clone(), open::clock()).await? {
        return Ok("none yet; the first server or backfill creates it".to_owned());
    }
    let (writer, follow) = (WriterSettings::default(), FollowSettings::default());
    let archive =
        Archive::open(store.clone(), open::clock(), Telemetry::new(), writer, follow).await?;
    let snapshot = archive.current();
    let (version, files) = (snapshot.version(), snapshot.file_count());
    let floor = snapshot.floor();
    let floor = floor.map_or_else(String::new, |floor| format!(", events from {floor} on"));
    Ok(format!("version {version}, {files} data files{floor}"))
}

/// Creates a key, sends an event and scrapes it, in an archive of its own below this one.
async fn write_and_scrape(
    store: &Arc<dyn ObjectStore>,
    check: &StoreCheck,
) -> anyhow::Result<String> {
    let below = Arc::new(PrefixStore::new(store.clone(), check.folder().clone()));
    let app = App::open(below, open::clock(), Telemetry::new(), settings()).await?;
    let shown = shown(&app).await;
    app.close().await;
    shown?;
    Ok("an event that was sent is shown".to_owned())
}

async fn shown(app: &App) -> anyhow::Result<()> {
    let org_id = OrgId::parse(NAME)?;
    let scopes = Scopes::or_usual(Vec::new());
    let key =
        NewKey { org_id: org_id.clone(), scopes, name: None, expires_at_us: None, bound: None };
    let key = app.keys().create(key).await?;
    let caller = app.authenticate(key.reveal()).await?;
    let event = serde_json::json!({
        "event_id": NAME, "ts": app.now(), "provider": NAME, "model": NAME, "cost_usd": "1",
    });
    let body = event.to_string();
    let decoded = app.decode(&org_id, &ContentKind::Json, body.as_bytes())?;
    let receipt = app.commit(&org_id, decoded).await?;
    anyhow::ensure!(receipt.accepted == 1, "an event was not accepted: {receipt:?}");
    let collect = Collect::parse(std::iter::empty())?;
    let form = BodyForm { collect, format: MetricsFormat::Text004, coding: Coding::Identity };
    let body = app.scrape(&caller, form, app.now()).await?;
    let labels = format!("provider=\"{NAME}\",model=\"{NAME}\",org_id=\"{NAME}\"");
    let sample = format!("llm_requests_total{{{labels}}} 1");
    let found = String::from_utf8_lossy(&Vec::from(body)).lines().any(|line| line == sample);
    anyhow::ensure!(found, "an event that was accepted is not shown; please report it");
    Ok(())
}

fn settings() -> AppSettings {
    let writer = WriterSettings { dedupe_bytes_max: MEMORY_BYTES, ..WriterSettings::default() };
    AppSettings { writer, cache_bytes_max: MEMORY_BYTES, ..AppSettings::default() }
}

/// Removes everything that the checks wrote; on a disk the folders too.
async fn clean(location: &ArchiveLocation, check: &StoreCheck) -> anyhow::Result<()> {
    check.clean().await?;
    if let ArchiveLocation::Local(root) = location {
        let folder = root.join(check.folder().as_ref());
        std::fs::remove_dir_all(&folder)?;
        // The folder may be in use by another `doctor`.
        if let Some(all) = folder.parent() {
            let _ = std::fs::remove_dir(all);
        }
    }
    Ok(())
}
