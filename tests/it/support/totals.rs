//! Totals snapshots: their objects in a store, and scrapes without them.

use std::ops::Range;
use std::sync::Arc;

use futures::TryStreamExt as _;
use object_store::{ObjectStore, ObjectStoreExt as _};
use tokenlake::clock::{DAY, HOUR, Micros, SECOND};

use super::event::{Event, NOON};
use super::lake::Lake;
use super::store::{memory, paths, read, write};

/// The organisations of [`send`], and one without events.
pub const ORGS: [&str; 4] = ["Umbrella", "acme", "z.wayne", "nobody"];
const FOLDER: &str = "checkpoints";
const MINUTE: Micros = 60 * SECOND;

/// Commits one version a round, of the organisations in turns; each has files of several dates.
/// None of the events lies in an hour that a window ending at [`NOON`] cuts.
pub async fn send(app: &Lake, rounds: Range<u64>) {
    for round in rounds {
        let org = ORGS[(round % 3) as usize];
        let events: Vec<_> = (0..5).map(|n| event(round, n)).collect();
        assert_eq!(app.send(org, &events).await.unwrap().accepted, 5);
    }
}

fn event(round: u64, n: u64) -> Event {
    let ago = (round as Micros % 7) * 13 * MINUTE + n as Micros * 23 * HOUR + HOUR / 2;
    Event::new(format!("{round}-{n}"))
        .at(NOON - HOUR - ago)
        .model(["gpt-4o", "haiku", "unknown"][((round + n) % 3) as usize])
        .cost(&format!("{round}.00000000000{n}"))
}

/// What a process that starts at `now` shows of every organisation.
pub async fn cold(store: &Arc<dyn ObjectStore>, now: Micros) -> Vec<String> {
    let app = Lake::open(store).await;
    app.clock.set(now);
    let mut bodies = Vec::new();
    for org in ORGS {
        bodies.push(app.body(org).await);
    }
    bodies
}

/// As [`cold`], by all live files.
pub async fn full(store: &Arc<dyn ObjectStore>, now: Micros) -> Vec<String> {
    let bodies = cold(&bare(store).await, now).await;
    assert!(bodies[0].len() > bodies[3].len(), "there is nothing to add up");
    bodies
}

/// Fails with the lines that differ.
#[track_caller]
pub fn assert_same(shown: &[String], expected: &[String], context: &str) {
    assert_eq!(shown.len(), expected.len(), "{context}");
    for (shown, expected) in shown.iter().zip(expected) {
        let differ = |(shown, expected): &(&str, &str)| shown != expected;
        let lines: Vec<_> = shown.lines().zip(expected.lines()).filter(differ).collect();
        assert!(lines.is_empty(), "{context}, shown and expected: {lines:#?}");
        assert!(shown == expected, "{context}: {} for {} bytes", shown.len(), expected.len());
    }
}

/// What a process that starts now shows at [`NOON`] must be what a full build shows.
pub async fn assert_like_full(store: &Arc<dyn ObjectStore>, context: &str) {
    let expected = full(store, NOON).await;
    assert_same(&cold(store, NOON).await, &expected, context);
}

/// Times that windows are to be right at: an hour's start and inside of one, and with a clock that
/// was set back or forward by days.
pub fn times() -> impl Iterator<Item = Micros> {
    let days = [0, -3, -1, 1, 3].into_iter().map(|days| NOON + days * DAY);
    days.flat_map(|time| [time, time + 25 * MINUTE])
}

/// A copy of the archive without its checkpoints of totals.
pub async fn bare(store: &Arc<dyn ObjectStore>) -> Arc<dyn ObjectStore> {
    let copied = copy(store).await;
    for path in paths(&copied, FOLDER).await {
        delete(&copied, &path).await;
    }
    copied
}

/// A copy of the archive.
pub async fn copy(store: &Arc<dyn ObjectStore>) -> Arc<dyn ObjectStore> {
    let copied = memory();
    let all: Vec<_> = store.list(None).try_collect().await.unwrap();
    for object in all {
        let path = object.location.as_ref();
        write(&copied, path, read(store, path).await).await;
    }
    copied
}

/// Deletes an object.
pub async fn delete(store: &Arc<dyn ObjectStore>, path: &str) {
    store.delete(&path.into()).await.unwrap();
}

/// The paths of the marks, sorted.
pub async fn marks(store: &Arc<dyn ObjectStore>) -> Vec<String> {
    ending(store, ".json").await
}

/// The paths of the objects of cells, sorted.
pub async fn objects(store: &Arc<dyn ObjectStore>) -> Vec<String> {
    ending(store, ".parquet").await
}

async fn ending(store: &Arc<dyn ObjectStore>, ending: &str) -> Vec<String> {
    let mut found = paths(store, FOLDER).await;
    found.retain(|path| path.ends_with(ending));
    found
}

/// The version in the path of a mark or of an object of cells.
pub fn version(path: &str) -> u64 {
    let (_, name) = path.rsplit_once('/').unwrap();
    name[..20].parse().unwrap()
}

/// The versions of marks and of objects of cells.
pub async fn versions(store: &Arc<dyn ObjectStore>) -> (Vec<u64>, Vec<u64>) {
    let of = |paths: Vec<String>| paths.iter().map(|path| version(path)).collect();
    (of(marks(store).await), of(objects(store).await))
}
