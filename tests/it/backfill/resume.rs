//! Tests that a stopped job goes on where its commits end, and that a finished one begins again.

use std::path::Path;
use std::sync::Arc;

use object_store::ObjectStore;
use tempfile::tempdir;
use tokenlake::app::AppSettings;
use tokenlake::archive::WriterSettings;
use tokenlake::backfill::{FieldPair, Inputs, Job, JobSettings, JobSummary, Outcome, Progress};
use tokenlake::event::{OrgId, OrgRule};

use super::{file, line};
use crate::support::event::{ACME, NOON};
use crate::support::lake::{Lake, settings, verified};
use crate::support::store::{data_files, memory};

const ROWS: usize = 60_000;

/// How a run of a job ended, and the row after which it began.
struct Ran {
    outcome: Outcome,
    done_before: u64,
}

async fn job(app: &Lake, input: &str, defaults: &[&str], rejects: Option<&Path>) -> Job {
    let org_rule = OrgRule::Only(OrgId::parse(ACME).unwrap());
    let settings = JobSettings {
        defaults: defaults.iter().map(|pair| FieldPair::parse_default(pair).unwrap()).collect(),
        rejects: rejects.map(Path::to_owned),
        held_bytes_max: 2 << 20,
        ..JobSettings::new(org_rule, NOON)
    };
    let inputs = Inputs::find(&[input.to_owned()], None).await.unwrap();
    Job::new(Some(app.app.admission().clone()), inputs, settings, Arc::new(Progress::default()))
        .await
        .unwrap()
}

async fn run(app: &Lake, input: &str, rejects: Option<&Path>) -> Ran {
    let job = job(app, input, &[], rejects).await;
    let done_before = job.done_before();
    Ran { outcome: job.run(std::future::pending()).await, done_before }
}

/// Runs a job that is stopped when the table has had so many commits.
async fn stopped_at(app: &Lake, input: &str, version: u64) -> Outcome {
    let mut versions = app.app.archive().versions();
    let stop = async move {
        while versions.borrow_and_update().version() < version {
            versions.changed().await.unwrap();
        }
    };
    job(app, input, &[], None).await.run(stop).await
}

async fn open(store: &Arc<dyn ObjectStore>) -> Lake {
    // Checkpoints of the log in between, which must keep how far a job is.
    let writer = WriterSettings { checkpoint_every: 2, ..WriterSettings::default() };
    Lake::try_open(store, AppSettings { writer, ..settings() }).await.unwrap()
}

/// Rows in order of time, with one in a thousand that is no event.
fn input(folder: &Path) -> String {
    let row = |id| if id % 1_000 == 7 { "{}".to_owned() } else { line(id, id * 20 / ROWS) };
    file(folder, "a.ndjson", (0..ROWS).map(row).collect::<Vec<_>>().join("\n"))
}

fn summary(read: usize, accepted: usize, duplicates: usize, rejected: usize) -> JobSummary {
    let [read, accepted, duplicates, rejected] =
        [read, accepted, duplicates, rejected].map(|count| count as u64);
    JobSummary { read, accepted, duplicates, rejected, files: 1 }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_job_goes_on_and_a_finished_one_begins_anew() {
    let (store, folder) = (memory(), tempdir().unwrap());
    let input = input(folder.path());
    let (bad, good) = (ROWS / 1_000, ROWS - ROWS / 1_000);
    let first = stopped_at(&open(&store).await, &input, 12).await;
    assert!(first.stopped && first.error.is_none(), "{first:?}");
    let came = usize::try_from(first.summary.accepted).unwrap();
    assert!((1..good).contains(&came), "{first:?}");

    let rejects = folder.path().join("rejects.ndjson");
    let second = run(&open(&store).await, &input, Some(&rejects)).await;
    assert!(second.done_before > 0, "{:?}", second.outcome);
    // What is passed over counts as what it is: rows that stand already.
    assert_eq!(second.outcome.summary, summary(ROWS, good - came, came, bad));
    let kept = std::fs::read_to_string(&rejects).unwrap();
    assert_eq!(kept.lines().count(), bad, "rejects of the part that is passed over are kept too");
    assert_eq!(verified(&store).await, good as u64);

    let third = run(&open(&store).await, &input, None).await;
    assert_eq!(third.done_before, 0);
    assert_eq!(third.outcome.summary, summary(ROWS, 0, good, bad));
    assert_eq!(verified(&store).await, good as u64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changed_inputs_or_settings_are_another_job() {
    let (store, folder) = (memory(), tempdir().unwrap());
    let input = input(folder.path());
    let first = stopped_at(&open(&store).await, &input, 10).await;
    assert!(first.stopped, "{first:?}");
    let app = open(&store).await;
    assert!(job(&app, &input, &[], None).await.done_before() > 0);
    assert_eq!(job(&app, &input, &["model=x"], None).await.done_before(), 0);
    let text = std::fs::read_to_string(&input).unwrap();
    file(folder.path(), "a.ndjson", text + "\n" + &line(ROWS, 1));
    assert_eq!(job(&app, &input, &[], None).await.done_before(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_without_order_are_put_aside_and_make_one_file_a_date() {
    let (store, folder) = (memory(), tempdir().unwrap());
    // Each date has less than a commit takes, and all together more than memory has room for.
    let row = |id| line(id, id * 7 % 40);
    let input = file(folder.path(), "a.ndjson", (0..ROWS).map(row).collect::<Vec<_>>().join("\n"));
    let ran = run(&open(&store).await, &input, None).await;
    assert_eq!(ran.outcome.summary, summary(ROWS, ROWS, 0, 0));
    assert_eq!(data_files(&store).await.len(), 40);
    assert_eq!(verified(&store).await, ROWS as u64);
}
