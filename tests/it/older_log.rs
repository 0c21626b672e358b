//! Tests of logs by older programs, without links, checksums of entries, or the number of all
//! events: they are read as before, also while such a program still runs.

use std::sync::Arc;

use object_store::ObjectStore;

use crate::support::event::{ACME, events};
use crate::support::foreign::as_older;
use crate::support::lake::{Lake, verified};
use crate::support::store::{forget_newest, log_entry, memory, paths, read, write};
use crate::support::table::log_checkpoint;

/// Makes the entries of some versions what an older program would have written.
async fn age(store: &Arc<dyn ObjectStore>, versions: impl IntoIterator<Item = u64>) {
    for version in versions {
        let entry = String::from_utf8(read(store, &log_entry(version)).await).unwrap();
        let older = as_older(&entry);
        assert_ne!(older, entry);
        write(store, &log_entry(version), older.into()).await;
    }
    forget_newest(store).await;
}

async fn three_commits() -> Arc<dyn ObjectStore> {
    let store = memory();
    let app = Lake::open(&store).await;
    for ids in [0..3, 3..5, 5..9] {
        app.sent(&events(ids)).await;
    }
    store
}

#[tokio::test]
async fn an_archive_of_an_older_program_is_read_and_goes_on() {
    for with_checkpoint in [false, true] {
        let store = three_commits().await;
        let before = Lake::open(&store).await.scrape(ACME).await;
        age(&store, 0..=3).await;
        if with_checkpoint {
            log_checkpoint(&store, 3).await.unwrap();
        }
        let app = Lake::open(&store).await;
        assert_eq!(app.scrape(ACME).await, before);
        assert_eq!(app.sent(&events(8..11)).await, (2, 1));
        let entry = String::from_utf8(read(&store, &log_entry(4)).await).unwrap();
        assert!(entry.contains(r#""appId":"tokenlake.events","version":11"#), "{entry}");
        assert_eq!(Lake::open(&store).await.requests().await, 11);
        assert_eq!(verified(&store).await, 11);
    }
}

#[tokio::test]
async fn an_older_program_that_goes_on_beside_this_one_is_followed() {
    for with_checkpoint in [false, true] {
        let store = three_commits().await;
        let (warm, older) = (Lake::open(&store).await, Lake::open(&store).await);
        assert_eq!(warm.requests().await, 9);
        older.sent(&events(20..25)).await;
        older.app.close().await;
        age(&store, [4]).await;
        assert_eq!(warm.requests().await, 14);
        if with_checkpoint {
            log_checkpoint(&store, 4).await.unwrap();
        }
        let cold = Lake::open(&store).await;
        assert_eq!(cold.requests().await, 14);
        assert_eq!(cold.sent(&events(24..26)).await, (1, 1));
        assert_eq!(warm.sent(&events(24..27)).await, (1, 2));
        assert_eq!(Lake::open(&store).await.requests().await, 16);
        assert_eq!(verified(&store).await, 16);
        assert_eq!(
            paths(&store, "events/_delta_log").await.len(),
            7 + 2 * usize::from(with_checkpoint)
        );
    }
}
