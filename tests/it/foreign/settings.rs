//! Tests of the settings that other programs put on the table or its files: accepted if they change
//! no event, otherwise refused with a fitting message.

use serde_json::{Value, json};
use tokenlake::clock::DAY;

use super::{description, three_files};
use crate::compact::compact;
use crate::support::event::{ACME, NOON, events};
use crate::support::foreign::{commit, live};
use crate::support::lake::{Lake, settings, verified};

#[tokio::test]
async fn a_table_that_may_only_grow_is_compacted_and_not_expired() {
    let store = three_files().await;
    let (_, mut metadata) = description(&store).await;
    metadata["metaData"]["configuration"]["delta.appendOnly"] = json!("true");
    commit(&store, &[metadata.clone()]).await;
    let app = Lake::open(&store).await;
    let before = app.scrape(ACME).await;
    for id in 100..109 {
        assert_eq!(app.sent(&events([id])).await, (1, 0));
    }
    assert!(compact(&app).await > 0, "moving rows is allowed");
    app.clock.set(NOON + 20 * DAY);
    let version = app.app.archive().newest().await.unwrap().version();
    let error = app.expire(2).await.unwrap_err().to_string();
    assert!(
        error.contains("delta.appendOnly is true") && error.contains("set it to false"),
        "{error}"
    );
    assert!(!error.contains('\n') && !error.contains("backup"), "{error}");
    let newest = app.app.archive().newest().await.unwrap();
    assert_eq!((newest.version(), newest.floor()), (version, None), "nothing was done");
    metadata["metaData"]["configuration"]["delta.appendOnly"] = json!("false");
    commit(&store, &[metadata]).await;
    assert!(app.expire(2).await.unwrap().events > 0);
    app.clock.set(NOON);
    assert_ne!(before, app.scrape(ACME).await, "nine more events");
}

/// `ANALYZE` adds a live file again, with other statistics and without our tags.
#[tokio::test]
async fn other_statistics_of_a_live_file_change_nothing() {
    let store = three_files().await;
    let warm = Lake::open(&store).await;
    let before = warm.scrape(ACME).await;
    let files = live(&store).await.1;
    let again: Vec<Value> = files.iter().map(|file| file.add(false)).collect();
    commit(&store, &again).await;
    for app in [&warm, &Lake::open(&store).await] {
        assert_eq!(app.scrape(ACME).await, before);
        assert_eq!(app.sent(&events([3])).await, (0, 1));
        let current = app.app.archive().current();
        assert!(current.files().all(|file| file.is_ours()), "what was known of them is worth more");
    }
    assert_eq!(verified(&store).await, 18);
    let mut other = files[0].clone();
    other.rows += 1;
    commit(&store, &[other.add(false)]).await;
    assert!(Lake::try_open(&store, settings()).await.is_err(), "another file by the same name");
}
