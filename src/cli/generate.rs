//! `tokenlake generate`: an archive of any size, filled with synthetic events.
//!
//! The events depend on the settings alone, so that a second run finds each of them again. They
//! take the way of all events: checked, searched for, written, committed.

mod batches;
mod calendar;
mod event;
mod models;
mod orgs;
mod random;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use futures::{StreamExt as _, TryStreamExt as _};
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use self::batches::Plan;
use self::calendar::Calendar;
use self::orgs::Orgs;
use super::args::GenerateArgs;
use super::{open, print_note, print_result, serve};
use crate::archive::{Archive, ArchiveError, ArchiveLocation, WriterSettings};
use crate::clock::Micros;
use crate::event::EventBatch;
use crate::telemetry::Telemetry;

/// How many models there are to choose from.
pub(super) const MODELS_MAX: usize = models::MODELS.len();
/// Names that are claimed side by side.
const CLAIMS: usize = 16;
/// Memory for known ids: events come by time, so that three dates are all it needs.
const DEDUPE_BYTES_MAX: usize = 256 << 20;
const PROGRESS_EVERY: Duration = Duration::from_secs(5);

/// What was done.
#[derive(Debug, Default, Serialize)]
struct Summary {
    accepted: usize,
    duplicates: usize,
    commits: usize,
    elapsed_ms: u128,
}

/// Fills the archive; exit status 1 if a signal came first.
pub(super) async fn run(
    location: &ArchiveLocation,
    args: GenerateArgs,
) -> anyhow::Result<ExitCode> {
    let stopped = serve::stop_signal()?;
    let (store, clock) = (open::store(location)?, open::clock());
    let plan = plan(&args, clock.now())?;
    let settings =
        WriterSettings { dedupe_bytes_max: DEDUPE_BYTES_MAX, ..WriterSettings::default() };
    let archive = Archive::open(store, clock, Telemetry::new(), settings, None).await?;
    claim(&archive, &plan.orgs).await?;
    let (maker, batches) = make(plan);
    let mut work =
        Work { archive, events: args.events, began: Instant::now(), summary: Summary::default() };
    let whole = work.commit(batches, stopped).await?;
    work.archive.close().await;
    if whole {
        maker.await.context("making events")??;
    } else {
        print_note("stopped; the same command goes on from here");
    }
    work.summary.elapsed_ms = work.began.elapsed().as_millis();
    print_result(&serde_json::to_string(&work.summary)?);
    Ok(if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn plan(args: &GenerateArgs, now: Micros) -> anyhow::Result<Plan> {
    let orgs = Orgs::new(args.orgs, args.models, args.seed)?;
    let calendar = Calendar::new(args.events, args.days, args.until.unwrap_or(now));
    Ok(Plan { seed: args.seed, orgs, calendar, now })
}

async fn claim(archive: &Archive, orgs: &Orgs) -> Result<(), ArchiveError> {
    let claims = orgs.ids().map(|org_id| archive.records().claim_org(org_id));
    futures::stream::iter(claims).buffer_unordered(CLAIMS).try_collect().await
}

/// Makes the batches on a thread of its own: one waits while another is committed.
fn make(plan: Plan) -> (JoinHandle<anyhow::Result<()>>, mpsc::Receiver<EventBatch>) {
    let (ready, batches) = mpsc::channel(1);
    let maker =
        tokio::task::spawn_blocking(move || plan.make(|batch| ready.blocking_send(batch).is_ok()));
    (maker, batches)
}

/// The work as far as it is.
struct Work {
    archive: Archive,
    /// How many there are to be.
    events: u64,
    began: Instant,
    summary: Summary,
}

impl Work {
    /// Commits batches as they come; false if it was stopped before the last.
    async fn commit(
        &mut self,
        mut batches: mpsc::Receiver<EventBatch>,
        stopped: impl Future<Output = ()>,
    ) -> Result<bool, ArchiveError> {
        let mut stopped = std::pin::pin!(stopped);
        let mut shown = self.began;
        loop {
            let batch = tokio::select! {
                biased;
                () = &mut stopped => return Ok(false),
                batch = batches.recv() => batch,
            };
            let Some(batch) = batch else { return Ok(true) };
            let outcome = self.archive.submit(batch).await?;
            self.summary.accepted += outcome.accepted;
            self.summary.duplicates += outcome.duplicates;
            self.summary.commits += 1;
            if shown.elapsed() >= PROGRESS_EVERY {
                shown = Instant::now();
                self.show();
            }
        }
    }

    fn show(&self) {
        let done = self.summary.accepted + self.summary.duplicates;
        let rate = done as u128 * 1_000 / self.began.elapsed().as_millis().max(1);
        print_note(&format!("{done} of {} events, {rate} a second", self.events));
    }
}
