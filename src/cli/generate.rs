//! The command `tokenlake generate`: an archive of any size, filled with synthetic events.
//!
//! The events depend only on the settings, so that a second run finds each of them again. They go
//! through the same steps as all events: check, search for duplicates, write, commit.

mod batches;
mod calendar;
mod event;
mod models;
mod orgs;
mod random;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::{Args as ClapArgs, value_parser};
use futures::{StreamExt as _, TryStreamExt as _};
use serde::Serialize;
use tokio::task::JoinHandle;

use self::batches::GeneratePlan;
use self::calendar::Calendar;
use self::models::MODELS_MAX;
use self::orgs::Orgs;
use super::print::{print_note, print_result};
use super::{open, signals};
use crate::app::{App, AppSettings};
use crate::archive::{Archive, ArchiveError, ArchiveLocation, WriterSettings};
use crate::clock::Micros;
use crate::event::EventBatch;
use crate::event::time::from_text;
use crate::telemetry::Telemetry;

/// Names that are claimed at the same time.
const CLAIMS: usize = 16;
/// Memory for known ids. Events come in the order of time, so three dates are enough.
const DEDUPE_BYTES_MAX: usize = 192 << 20;
const PROGRESS_EVERY: Duration = Duration::from_secs(5);

/// Settings of synthetic events. The same settings make the same events.
#[derive(Debug, ClapArgs)]
pub struct GenerateArgs {
    /// How many events.
    #[arg(long, env = "TOKENLAKE_EVENTS", value_name = "N", default_value = "1000000")]
    pub events: u64,

    /// How many organisations, org-0000 and so on; the first sends most.
    #[arg(long, env = "TOKENLAKE_ORGS", value_name = "N", default_value = "1000", value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub orgs: u32,

    /// How many models; each organisation uses some of them.
    #[arg(long, env = "TOKENLAKE_MODELS", value_name = "N", default_value = "15", value_parser = parse_models)]
    pub models: usize,

    /// The number of days over which the events are spread.
    #[arg(long, env = "TOKENLAKE_DAYS", value_name = "N", default_value = "90", value_parser = value_parser!(u32).range(1..=3_650))]
    pub days: u32,

    /// The time before which all events happen, in RFC 3339. Default: now, so that a later run
    /// makes later events.
    #[arg(long, env = "TOKENLAKE_UNTIL", value_name = "TIME", value_parser = from_text)]
    pub until: Option<Micros>,

    /// The seed of all random choices.
    #[arg(long, env = "TOKENLAKE_SEED", value_name = "N", default_value = "1")]
    pub seed: u64,
}

/// The result of a run.
#[derive(Debug, Default, Serialize)]
struct GenerateSummary {
    accepted: usize,
    duplicates: usize,
    commits: usize,
    elapsed_ms: u128,
}

/// Fills the archive, until it is done or a signal comes.
pub(super) async fn run(
    location: &ArchiveLocation,
    args: GenerateArgs,
) -> anyhow::Result<ExitCode> {
    let (store, clock) = (open::store(location)?, open::clock());
    let plan = plan(&args, clock.now())?;
    let app = App::open(store, clock, Telemetry::new(), settings()).await?;
    claim(app.archive(), &plan.orgs).await?;
    let mut work = GenerateWork::new(app, plan, args.events);
    let whole = work.commit_all(signals::job_told()).await?;
    if whole {
        work.app.snapshot_totals().await?;
    }
    work.app.close().await;
    if !whole {
        print_note("stopped; the same command goes on from here");
    }
    work.summary.elapsed_ms = work.began.elapsed().as_millis();
    print_result(&serde_json::to_string(&work.summary)?);
    Ok(if whole { ExitCode::SUCCESS } else { signals::exit_code() })
}

/// Files are written with their partials, as by a server; one totals snapshot at the end is enough.
fn settings() -> AppSettings {
    let writer = WriterSettings { dedupe_bytes_max: DEDUPE_BYTES_MAX, ..WriterSettings::default() };
    AppSettings { writer, ..AppSettings::default() }
}

fn plan(args: &GenerateArgs, now: Micros) -> anyhow::Result<GeneratePlan> {
    let orgs = Orgs::new(args.orgs, args.models, args.seed)?;
    let calendar = Calendar::new(args.events, args.days, args.until.unwrap_or(now));
    Ok(GeneratePlan { seed: args.seed, orgs, calendar, now })
}

async fn claim(archive: &Archive, orgs: &Orgs) -> Result<(), ArchiveError> {
    let claims = orgs.ids().map(|org_id| archive.records().claim_org(org_id));
    futures::stream::iter(claims).buffer_unordered(CLAIMS).try_collect().await
}

/// The progress of a run.
struct GenerateWork {
    app: App,
    plan: Arc<GeneratePlan>,
    /// Number of events to make.
    events: u64,
    began: Instant,
    summary: GenerateSummary,
}

impl GenerateWork {
    fn new(app: App, plan: GeneratePlan, events: u64) -> Self {
        let summary = GenerateSummary::default();
        Self { app, plan: Arc::new(plan), events, began: Instant::now(), summary }
    }

    /// Commits all batches; false if it was stopped before the last.
    async fn commit_all(&mut self, stopped: impl Future<Output = ()>) -> anyhow::Result<bool> {
        let mut stopped = std::pin::pin!(stopped);
        let (mut first, mut shown) = (0, self.began);
        let mut ahead = self.make(first);
        loop {
            let made = tokio::select! {
                biased;
                () = &mut stopped => return Ok(false),
                made = ahead => made,
            };
            let Some(batch) = made.context("making events")?? else { return Ok(true) };
            first += batch.len() as u64;
            // The next batch is made while this one is committed.
            ahead = self.make(first);
            let outcome = self.app.archive().submit(batch).await?;
            self.summary.accepted += outcome.accepted;
            self.summary.duplicates += outcome.duplicates;
            self.summary.commits += 1;
            if shown.elapsed() >= PROGRESS_EVERY {
                shown = Instant::now();
                self.show(first);
            }
        }
    }

    fn make(&self, first: u64) -> JoinHandle<anyhow::Result<Option<EventBatch>>> {
        let plan = self.plan.clone();
        tokio::task::spawn_blocking(move || plan.batch(first))
    }

    fn show(&self, done: u64) {
        let rate = u128::from(done) * 1_000 / self.began.elapsed().as_millis().max(1);
        print_note(&format!("{done} of {} events, {rate} a second", self.events));
    }
}

fn parse_models(text: &str) -> Result<usize, String> {
    let models = text.parse().ok().filter(|models| (1..=MODELS_MAX).contains(models));
    models.ok_or_else(|| format!("not a number from 1 to {MODELS_MAX}"))
}
