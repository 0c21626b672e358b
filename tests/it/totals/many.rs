//! Tests of a thousand organisations that are scraped at once, after a commit with events of all of
//! them.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::join_all;
use object_store::ObjectStore;

use crate::stores::{CountingStore, Op, Verb};
use crate::support::event::{Event, requests};
use crate::support::lake::Lake;
use crate::support::store::{data_files, memory};

const ORGS: usize = 1_000;

/// A process over a store that counts.
async fn counted(store: &Arc<dyn ObjectStore>) -> (Lake, Arc<CountingStore>) {
    let counting = CountingStore::new(store.clone());
    (Lake::open(&(counting.clone() as Arc<dyn ObjectStore>)).await, counting)
}

/// Sends an event of each organisation, all at once, so that few commits hold them.
async fn send(app: &Lake, orgs: &[String], round: u64) {
    let sent = orgs.iter().map(|org| async move {
        let event = Event::new(format!("{org} {round}"));
        assert_eq!(app.send(org, &[event]).await.unwrap().accepted, 1);
    });
    join_all(sent).await;
}

async fn scrape(app: &Lake, orgs: &[String]) -> Vec<String> {
    join_all(orgs.iter().map(|org| app.scrape(org))).await
}

/// How often each log entry and each data file was read; nothing else may have been.
fn reads(ops: &[Op]) -> (usize, BTreeMap<String, usize>) {
    let (mut entries, mut files) = (0, BTreeMap::new());
    for op in ops {
        let path = op.path.as_ref();
        let is_entry = path.starts_with("events/_delta_log/");
        // Whether an entry that is known is still there is asked for without its bytes.
        let read = matches!(op.verb, Verb::Get | Verb::GetRanges);
        assert!(read || is_entry && op.verb == Verb::Head, "{op:?}");
        if is_entry {
            entries += 1;
        } else {
            *files.entry(path.to_owned()).or_default() += 1;
        }
    }
    (entries, files)
}

#[tokio::test]
async fn after_a_commit_they_share_a_look_and_each_file_is_read_once() {
    let inner = memory();
    let orgs: Vec<_> = (0..ORGS).map(|n| format!("org-{n}")).collect();
    let ((writer, written), (reader, read)) = (counted(&inner).await, counted(&inner).await);
    send(&writer, &orgs, 0).await;
    assert!(scrape(&reader, &orgs).await.iter().all(|body| requests(body) == 1));
    assert!(scrape(&writer, &orgs).await.iter().all(|body| requests(body) == 1));
    let before = writer.app.archive().current().version();
    let old = data_files(&inner).await;
    send(&writer, &orgs, 1).await;
    let versions = usize::try_from(writer.app.archive().current().version() - before).unwrap();
    let mut new = data_files(&inner).await;
    new.retain(|path| !old.contains(path));
    assert!(new.len() < 10, "{} files", new.len());
    written.take();
    read.take();

    let bodies = scrape(&writer, &orgs).await;
    assert!(bodies.iter().all(|body| requests(body) == 2));
    let (entries, files) = reads(&written.take());
    assert!((1..=3).contains(&entries), "{entries} for nothing new");
    assert_eq!(files, BTreeMap::new(), "the writer has its files' partials in memory");

    assert_eq!(scrape(&reader, &orgs).await, bodies);
    let (entries, files) = reads(&read.take());
    assert!(entries <= versions + 3, "{entries} for {versions} versions");
    assert!(files.keys().eq(&new), "{files:?} of {new:?}");
    assert!(files.values().all(|times| *times == 1), "{files:?}");
}
