//! Tests that a damaged or missing object fails the scrape and is named: never a smaller number.

mod random;

use std::sync::Arc;

use object_store::{ObjectStore, ObjectStoreExt as _};
use tokenlake::app::AppError;
use tokenlake::clock::{DAY, HOUR};
use tokenlake::error::Kind;

use crate::support::event::{ACME, Event, NOON, events, value};
use crate::support::lake::{Lake, settings, verified};
use crate::support::store::{data_files, log_entry, memory, read, write};

/// An archive of two versions with two files.
async fn two_files() -> Arc<dyn ObjectStore> {
    let store = memory();
    let app = Lake::open(&store).await;
    app.sent(&events(0..40)).await;
    app.sent(&events(40..60)).await;
    store
}

/// Damages of an object's bytes; `None` deletes it.
fn damages(bytes: &[u8]) -> Vec<(&'static str, Option<Vec<u8>>)> {
    let flipped = |at: usize| {
        let mut bytes = bytes.to_vec();
        bytes[at] ^= 4;
        Some(bytes)
    };
    vec![
        ("deleted", None),
        ("empty", Some(Vec::new())),
        ("cut in half", Some(bytes[..bytes.len() / 2].to_vec())),
        ("cut by a byte", Some(bytes[..bytes.len() - 1].to_vec())),
        ("flipped at the start", flipped(0)),
        ("flipped in the middle", flipped(bytes.len() / 2)),
        ("flipped at the end", flipped(bytes.len() - 1)),
    ]
}

async fn set(store: &Arc<dyn ObjectStore>, path: &str, bytes: Option<Vec<u8>>) {
    match bytes {
        Some(bytes) => write(store, path, bytes).await,
        None => store.delete(&path.into()).await.unwrap(),
    }
}

#[track_caller]
fn assert_names<T>(result: Result<T, AppError>, path: &str, context: &str) {
    let error = result.err().unwrap_or_else(|| panic!("{context}: no error"));
    assert_eq!(error.kind(), Kind::Corrupt, "{context}: {error}");
    assert!(error.to_string().contains(path), "{context}: {error}");
}

#[tokio::test]
async fn a_damaged_data_file_fails_the_scrape_until_it_is_restored() {
    let store = two_files().await;
    let path = data_files(&store).await.remove(0);
    let whole = read(&store, &path).await;
    for (damage, bytes) in damages(&whole) {
        let app = Lake::open(&store).await;
        set(&store, &path, bytes).await;
        for scrape in 0..2 {
            let context = format!("{damage}, scrape {scrape}");
            assert_names(app.try_scrape(ACME).await, &path, &context);
        }
        write(&store, &path, whole.clone()).await;
        assert_eq!(app.requests().await, 60, "{damage}, then restored");
    }
}

#[tokio::test]
async fn a_byte_flipped_anywhere_in_a_data_file_is_noticed() {
    let store = memory();
    Lake::open(&store).await.sent(&events(0..20)).await;
    let path = data_files(&store).await.remove(0);
    let whole = read(&store, &path).await;
    for at in (0..whole.len()).step_by(whole.len() / 50) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        write(&store, &path, bytes).await;
        let scraped = Lake::open(&store).await.try_scrape(ACME).await;
        assert_names(scraped, &path, &format!("byte {at} of {}", whole.len()));
    }
}

#[tokio::test]
async fn a_file_damaged_after_it_was_summed_fails_the_window_that_must_read_its_rows() {
    let store = memory();
    let app = Lake::open(&store).await;
    let start = NOON - DAY;
    let hour = [start + HOUR / 4, start + HOUR / 4 * 3];
    let sent: Vec<_> = (0..).zip(hour).map(|(id, ts)| Event::new(id).at(ts)).collect();
    app.sent(&sent).await;
    let rolling = r#"llm_cost_usd_rolling_24h{org_id="acme"}"#;
    assert_eq!(value(&app.scrape(ACME).await, rolling), "0.5");
    let path = data_files(&store).await.remove(0);
    let whole = read(&store, &path).await;
    set(&store, &path, Some(whole[..whole.len() / 2].to_vec())).await;
    // The window's start moves into the middle of the hour.
    app.clock.set(NOON + HOUR / 2);
    assert_names(app.try_scrape(ACME).await, &path, "cut");
    write(&store, &path, whole).await;
    assert_eq!(value(&app.scrape(ACME).await, rolling), "0.25");
    assert_eq!(app.requests().await, 2);
}

/// Damages of a log entry that leave no whole one.
fn entry_damages(bytes: &[u8]) -> Vec<(&'static str, Option<Vec<u8>>)> {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let lines: Vec<_> = text.lines().collect();
    let last_line_gone = lines[..lines.len() - 1].join("\n") + "\n";
    vec![
        ("empty", Some(Vec::new())),
        ("blank", Some(b"\n\n".to_vec())),
        ("cut in half", Some(bytes[..bytes.len() / 2].to_vec())),
        ("cut at a line", Some(last_line_gone.into())),
        ("garbled", Some(text.replace("\"add\"", "\"ad\u{1}\"").into())),
        ("not text", Some(vec![0xff; bytes.len()])),
        ("not the log's", Some(b"[1, 2, 3]\n".to_vec())),
    ]
}

#[tokio::test]
async fn a_damaged_log_entry_fails_scrapes_and_commits_until_it_is_restored() {
    let store = memory();
    let other = Lake::open(&store).await;
    for version in 1..8_u64 {
        let behind = Lake::open(&store).await;
        let known = behind.requests().await;
        other.sent(&events([version])).await;
        let entry = log_entry(version);
        let whole = read(&store, &entry).await;
        let (damage, bytes) = entry_damages(&whole).remove(usize::try_from(version - 1).unwrap());
        set(&store, &entry, bytes).await;
        assert_names(behind.try_scrape(ACME).await, &entry, damage);
        assert_names(behind.try_scrape(ACME).await, &entry, damage);
        assert_names(behind.send(ACME, &events([version, 99])).await, &entry, damage);
        let opened = Lake::try_open(&store, settings()).await;
        assert_names(opened, &entry, &format!("{damage}, opened"));
        write(&store, &entry, whole).await;
        assert_eq!(behind.requests().await, known + 1, "{damage}, then restored");
        assert_eq!(behind.sent(&events([version])).await, (0, 1), "{damage}, then restored");
    }
    assert_eq!(verified(&store).await, 7);
}

#[tokio::test]
async fn a_log_with_a_hole_is_not_opened() {
    let store = memory();
    let app = Lake::open(&store).await;
    for id in 1..12 {
        app.sent(&events([id])).await;
    }
    for version in 0..11 {
        let entry = log_entry(version);
        let whole = read(&store, &entry).await;
        store.delete(&entry.as_str().into()).await.unwrap();
        let opened = Lake::try_open(&store, settings()).await;
        assert_names(opened, &entry, &format!("without {version}"));
        write(&store, &entry, whole).await;
    }
    assert_eq!(Lake::open(&store).await.requests().await, 11);
}
