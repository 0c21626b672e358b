//! Tests of the memory that a compaction takes, however large the rows are.

use std::path::Path;
use std::sync::Arc;

use arrow::array::ArrayRef;
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use serde_json::Value;
use tempfile::tempdir;
use tokio::runtime::Runtime;

use crate::support::event::Event;
use crate::support::foreign::{File, commit};
use crate::support::foreign_files::{TODAY, rows, with_column};
use crate::support::lake::Lake;
use crate::support::process::{Done, program, tokenlake};
use crate::support::resident::run_watched;
use crate::support::store::write;
use crate::support::wide::parquet;

const PEAK_KIB_MAX: u64 = 500 << 10;

/// Compacts, which keeps to its memory; gives what it said too.
#[track_caller]
fn bounded(archive: &Path) -> (Value, Done) {
    let mut command = program();
    let (done, peak) = run_watched(command.arg("--archive").arg(archive).arg("compact"));
    eprintln!("at most {peak} KiB");
    assert!(peak < PEAK_KIB_MAX, "{peak} KiB; {done:?}");
    assert_eq!(done.status, 0, "{done:?}");
    (serde_json::from_str(&done.stdout).unwrap(), done)
}

#[track_caller]
fn verified(archive: &Path, events: usize) {
    let done = tokenlake(archive, &["verify"]);
    assert_eq!(done.status, 0, "{done:?}");
    assert!(done.stdout.contains(&format!("verified {events} event")), "{done:?}");
}

/// Events of so many bytes each, in the order of their ids; `texts` makes what fills them.
fn wide(ids: impl Iterator<Item = usize>, bytes: impl Fn(usize) -> usize) -> Vec<Event> {
    ids.map(|id| Event::new(id).note("x".repeat(bytes(id)))).collect()
}

#[test]
fn files_of_wide_rows_are_merged_in_bounded_memory() {
    let folder = tempdir().unwrap();
    let archive = folder.path();
    let store: Arc<dyn ObjectStore> = Arc::new(LocalFileSystem::new_with_prefix(archive).unwrap());
    // Some are wide all over, and others where nobody expects it.
    Runtime::new().unwrap().block_on(async {
        let app = Lake::open(&store).await;
        for file in 0..24 {
            let start = file * 1_500;
            let bytes = |id| if file % 2 == 0 || id % 1_500 > 1_200 { 16_000 } else { 10 };
            app.sent(&wide(start..start + 1_500, bytes)).await;
        }
    });
    let (summary, _) = bounded(archive);
    assert_eq!(summary["files_after"], 1, "{summary}");
    verified(archive, 24 * 1_500);
}

/// A file of another program: its rows in the wrong order, with this text in each.
async fn foreign(store: &Arc<dyn ObjectStore>, number: usize, count: usize, bytes: usize) -> File {
    let start = number * 10_000;
    let events = wide((start..start + count).rev(), |_| bytes);
    let rows = rows("acme", &events);
    let same: &ArrayRef = rows.column_by_name("attributes").unwrap();
    let rows = with_column(&rows, "attributes", same);
    let bytes = parquet(&rows, true);
    let path = format!("event_date={TODAY}/foreign-{number}.parquet");
    let size = bytes.len() as u64;
    write(store, &format!("events/{path}"), bytes).await;
    File { path, date: TODAY.to_owned(), size, rows: count as u64 }
}

#[test]
fn files_of_other_programs_are_merged_as_far_as_memory_has_room() {
    let folder = tempdir().unwrap();
    let archive = folder.path();
    let store: Arc<dyn ObjectStore> = Arc::new(LocalFileSystem::new_with_prefix(archive).unwrap());
    Runtime::new().unwrap().block_on(async {
        let app = Lake::open(&store).await;
        app.sent(&wide(0..10, |_| 10)).await;
        let mut actions = Vec::new();
        for number in 1..9 {
            actions.push(foreign(&store, number, 2_000, 14_000).await.add(true));
        }
        // One that is too heavy to be sorted.
        actions.push(foreign(&store, 9, 6_000, 14_000).await.add(true));
        commit(&store, &actions).await;
    });
    let (summary, _) = bounded(archive);
    // Some at a time, as often as it takes; the one that is too heavy stays.
    let files = ["files_before", "files_after"].map(|name| summary[name].as_u64().unwrap());
    assert!(files[0] == 10 && files[1] <= 3, "{summary}");
    assert!(summary["rewrites"].as_u64().unwrap() > 1, "{summary}");
    verified(archive, 10 + 8 * 2_000 + 6_000);
    // There is no end to nothing.
    assert_eq!(bounded(archive).0["rewrites"], 0);
}
