//! Fuzz tests of objects in an archive: a damaged one is refused or has the same effect as before;
//! a number never changes.

use std::sync::Arc;

use object_store::ObjectStore;
use object_store::memory::InMemory;
use tokenlake::access::{NewKey, Scopes};
use tokenlake::app::AppError;
use tokenlake::clock::DAY;
use tokenlake::error::Kind;
use tokenlake::event::OrgId;
use tokio::runtime::Runtime;

use crate::support::event::{ACME, Event, NOON, events};
use crate::support::lake::Lake;
use crate::support::mutation::each_of;
use crate::support::store::{data_files, log_entry, paths, read, write};

/// An archive with an expired file, a checkpoint of totals, a file since, and a key.
struct Archive {
    store: InMemory,
    runtime: Runtime,
    counters: String,
    key: String,
}

impl Archive {
    fn new() -> Self {
        let (store, runtime) = (InMemory::new(), Runtime::new().unwrap());
        let shared: Arc<dyn ObjectStore> = Arc::new(store.clone());
        let (counters, key) = runtime.block_on(async {
            let app = Lake::open(&shared).await;
            app.sent(&[Event::new("old").at(NOON - 40 * DAY)]).await;
            app.sent(&events(0..40)).await;
            app.expire(30).await.unwrap();
            app.snapshot_totals().await;
            app.sent(&events(40..60)).await;
            let new = NewKey {
                org_id: OrgId::parse(ACME).unwrap(),
                scopes: Scopes::or_usual(Vec::new()),
                name: None,
                expires_at_us: None,
                bound: None,
            };
            let key = app.app.keys().create(new).await.unwrap().reveal().to_owned();
            (counters(&app.scrape(ACME).await), key)
        });
        Self { store, runtime, counters, key }
    }

    /// The same objects in a store of their own.
    fn fork(&self) -> Arc<dyn ObjectStore> {
        Arc::new(self.store.fork())
    }

    fn shared(&self) -> Arc<dyn ObjectStore> {
        Arc::new(self.store.clone())
    }

    fn paths(&self, prefix: &str, end: &str) -> Vec<String> {
        let mut paths = self.runtime.block_on(paths(&self.shared(), prefix));
        paths.retain(|path| path.ends_with(end));
        assert!(!paths.is_empty(), "nothing like {prefix}…{end}");
        paths
    }

    /// Puts mutations in the place of an object; what a new process shows then.
    fn mutate(&self, path: &str, mutations: usize, shown: impl Fn(Result<String, AppError>)) {
        let whole = self.runtime.block_on(read(&self.shared(), path));
        each_of("stored", vec![whole], mutations, |bytes| {
            let store = self.fork();
            let result = self.runtime.block_on(async {
                write(&store, path, bytes.to_vec()).await;
                let settings = crate::support::lake::settings();
                Lake::try_open(&store, settings).await?.try_scrape(ACME).await
            });
            shown(result.map(|body| counters(&body)));
        });
    }
}

fn counters(body: &str) -> String {
    let lines = body.lines().filter(|line| line.contains("_total{"));
    lines.collect::<Vec<_>>().join("\n")
}

fn refused(error: &AppError) {
    assert!(matches!(error.kind(), Kind::Corrupt | Kind::Unavailable), "{error}");
}

#[test]
fn a_data_file_and_its_partial() {
    let archive = Archive::new();
    let files = archive.runtime.block_on(data_files(&archive.shared()));
    for path in files {
        archive.mutate(&path, 15, |shown| match shown {
            Ok(counters) => assert_eq!(counters, archive.counters),
            Err(error) => refused(&error),
        });
    }
}

#[test]
fn a_checkpoint_of_totals_costs_time_alone() {
    let archive = Archive::new();
    let objects = [archive.paths("checkpoints", ".json"), archive.paths("checkpoints", ".parquet")];
    for path in objects.concat() {
        archive.mutate(&path, 15, |shown| assert_eq!(shown.unwrap(), archive.counters));
    }
}

#[test]
fn a_ledger() {
    let archive = Archive::new();
    // No checkpoint hides it.
    archive.runtime.block_on(async {
        for path in paths(&archive.shared(), "checkpoints").await {
            object_store::ObjectStoreExt::delete(&archive.store, &path.into()).await.unwrap();
        }
    });
    for path in [archive.paths("ledger", ".json"), archive.paths("ledger", ".parquet")].concat() {
        archive.mutate(&path, 15, |shown| match shown {
            Ok(counters) => assert_eq!(counters, archive.counters),
            Err(error) => refused(&error),
        });
    }
}

#[test]
fn an_entry_of_the_log() {
    let archive = Archive::new();
    let entries = archive.paths("events/_delta_log", ".json");
    let last = u64::try_from(entries.len()).unwrap() - 1;
    for version in [0, 1, last] {
        archive.mutate(&log_entry(version), 40, |shown| match shown {
            Ok(counters) => assert_eq!(counters, archive.counters),
            Err(error) => assert_ne!(error.kind(), Kind::Internal, "{error}"),
        });
    }
}

#[test]
fn an_entry_that_is_followed() {
    let archive = Archive::new();
    let next = u64::try_from(archive.paths("events/_delta_log", ".json").len()).unwrap();
    let (store, whole) = archive.runtime.block_on(async {
        let store = archive.fork();
        Lake::open(&store).await.sent(&events(60..70)).await;
        let whole = read(&store, &log_entry(next)).await;
        (archive.fork(), whole)
    });
    let mut app = archive.runtime.block_on(Lake::open(&store));
    each_of("log-entry", vec![whole], 150, |bytes| {
        archive.runtime.block_on(async {
            write(&store, &log_entry(next), bytes.to_vec()).await;
            if let Err(error) = app.try_scrape(ACME).await {
                assert_ne!(error.kind(), Kind::Internal, "{error}");
            }
            if app.app.archive().current().version() >= next {
                object_store::ObjectStoreExt::delete(&store, &log_entry(next).into())
                    .await
                    .unwrap();
                app = Lake::open(&store).await;
            }
        });
    });
}

#[test]
fn a_record_of_a_key() {
    let archive = Archive::new();
    let all = Scopes::or_usual(Vec::new());
    for path in archive.paths("access/keys", ".json") {
        let whole = archive.runtime.block_on(read(&archive.shared(), &path));
        each_of("key-record", vec![whole], 60, |bytes| {
            let store = archive.fork();
            archive.runtime.block_on(async {
                write(&store, &path, bytes.to_vec()).await;
                let app = Lake::open(&store).await;
                match app.app.authenticate(&archive.key).await {
                    Ok(caller) => {
                        assert_eq!((caller.org_id.as_str(), &caller.scopes), (ACME, &all))
                    }
                    Err(error) => {
                        let kinds = [Kind::Corrupt, Kind::Unauthenticated, Kind::Unavailable];
                        assert!(kinds.contains(&error.kind()), "{error}");
                    }
                }
            });
        });
    }
}
