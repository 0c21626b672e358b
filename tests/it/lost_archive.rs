//! Tests of an archive that disappears under a running process, or is replaced by another copy:
//! nothing is acknowledged, made or deleted, no number falls, and all goes on when the archive is
//! back.

mod elsewhere;
mod late;
mod newest;
mod program;

use std::sync::Arc;
use std::time::Duration;

use object_store::{ObjectStore, ObjectStoreExt as _};
use tokenlake::access::{NewKey, Scopes};
use tokenlake::app::{AppError, AppSettings};
use tokenlake::archive::{Creation, FollowSettings, WriterSettings};
use tokenlake::error::Kind;
use tokenlake::event::OrgId;
use tokenlake::maintain::compact;

use crate::stores::{Switch, SwitchedStore, SwitchingStore, Verb, copy_of};
use crate::support::event::{ACME, Event, NOON, events};
use crate::support::foreign::{commit, live};
use crate::support::lake::{Lake, settings, verified};
use crate::support::store::{forget_newest, log_entry, memory, paths, read, write};
use tokenlake::clock::{DAY, SECOND};

const MINUTE: i64 = 60 * SECOND;

/// An app over a store that can be exchanged, with two commits, the first four days ago.
async fn switched() -> (Lake, Arc<SwitchedStore>, Arc<dyn ObjectStore>) {
    let right = memory();
    let store = SwitchedStore::new(right.clone());
    let app = Lake::open(&(store.clone() as Arc<dyn ObjectStore>)).await;
    let old: Vec<_> = (0..3).map(|id| Event::new(id).at(NOON - 4 * DAY)).collect();
    app.sent(&old).await;
    app.sent(&events(3..5)).await;
    assert_eq!(app.requests().await, 5);
    (app, store, right)
}

fn is_away<T: std::fmt::Debug>(what: &str, result: Result<T, AppError>) {
    let error = result.expect_err(what);
    assert_eq!(error.kind(), Kind::Unavailable, "{what}: {error}");
}

/// All that a process does, while what it finds is not its archive.
async fn does_nothing(app: &Lake, wrong: &Arc<dyn ObjectStore>) {
    let before = paths(wrong, "").await;
    is_away("a scrape", app.try_scrape(ACME).await);
    is_away("a scrape of one without events", app.try_scrape("nobody").await);
    is_away("events", app.send(ACME, &events(["new"])).await);
    is_away("known events", app.send(ACME, &events(3..4)).await);
    is_away("a new organisation", app.send("wayne", &events(["new"])).await);
    is_away("readiness", app.app.ready().await);
    is_away("totals", app.app.snapshot_totals().await);
    is_away("an expiry", app.expire(2).await);
    let archive = app.app.archive();
    let grace = Duration::from_secs(3_600);
    let files: Vec<_> = archive.current().files().cloned().collect();
    archive.rewrite(&files[..1]).await.unwrap_err();
    archive.stale_files(grace).await.unwrap_err();
    let settings = compact::CompactSettings { target_bytes: 1 << 20, grace };
    app.app.compactor(settings).compact(0, |_| ()).await.unwrap_err();
    let key = NewKey {
        org_id: OrgId::parse(ACME).unwrap(),
        scopes: Scopes::or_usual(Vec::new()),
        name: None,
        expires_at_us: None,
        bound: None,
    };
    app.app.keys().create(key).await.unwrap_err();
    assert_eq!(paths(wrong, "").await, before, "something was made or deleted");
}

#[tokio::test]
async fn an_archive_that_is_gone_is_none_in_which_nothing_is_new() {
    let (app, store, right) = switched().await;
    let before = app.body(ACME).await;
    let empty = memory();
    store.switch(&empty);
    does_nothing(&app, &empty).await;
    store.switch(&right);
    assert_eq!(app.body(ACME).await, before);
    assert_eq!(app.sent(&events(["new"])).await, (1, 0));
    assert_eq!(app.requests().await, 6);
    assert_eq!(verified(&right).await, 6);
}

#[tokio::test]
async fn an_older_copy_is_not_the_archive() {
    let (app, store, right) = switched().await;
    let backup = copy_of(&right).await;
    app.sent(&events(5..7)).await;
    app.sent(&events(7..9)).await;
    store.switch(&backup);
    does_nothing(&app, &backup).await;
    // Another server, which knows nothing else, goes on from there: past the version that is known.
    let other = Lake::open(&backup).await;
    for id in 20..24 {
        other.sent(&events([id])).await;
        is_away("a scrape", app.try_scrape(ACME).await);
        is_away("events", app.send(ACME, &events(["new"])).await);
    }
    assert_eq!(other.requests().await, 9);
    assert_eq!(verified(&backup).await, 9);
    store.switch(&right);
    assert_eq!(app.sent(&events(["new", "8"])).await, (1, 1));
    assert_eq!(app.requests().await, 10);
    assert_eq!(verified(&right).await, 10);
}

#[tokio::test]
async fn an_older_copy_that_went_on_to_the_next_version_is_not_followed() {
    let (app, store, right) = switched().await;
    let backup = copy_of(&right).await;
    app.sent(&events(5..7)).await;
    let other = Lake::open(&backup).await;
    other.sent(&events(30..33)).await;
    let after = Lake::open(&backup).await;
    after.sent(&events(33..36)).await;
    // The entry that the process knows has come back, and what follows is of the other copy.
    let entry = read(&right, &log_entry(3)).await;
    write(&backup, &log_entry(3), entry).await;
    store.switch(&backup);
    let error = app.try_scrape(ACME).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable, "{error}");
    assert!(error.to_string().contains(&log_entry(4)), "{error}");
}

#[tokio::test]
async fn the_same_archive_at_another_place_goes_on() {
    let (app, store, right) = switched().await;
    let moved = copy_of(&right).await;
    store.switch(&moved);
    assert_eq!(app.sent(&events(3..7)).await, (2, 2));
    assert_eq!(app.requests().await, 7);
    assert_eq!(verified(&moved).await, 7);
}

#[tokio::test]
async fn a_log_that_is_gone_beside_its_files_is_no_new_archive() {
    let (app, _, right) = switched().await;
    app.app.close().await;
    forget_newest(&right).await;
    for path in paths(&right, "events/_delta_log").await {
        right.delete(&path.as_str().into()).await.unwrap();
    }
    let error = Lake::try_open(&right, settings()).await.unwrap_err();
    assert!(error.to_string().contains("holds events"), "{error}");
    assert_eq!(paths(&right, "events/_delta_log").await, Vec::<String>::new());
}

#[tokio::test]
async fn no_archive_is_made_where_none_is_to_be() {
    let store = memory();
    let never = WriterSettings { creation: Creation::Never, ..settings().writer };
    let never = AppSettings { writer: never, ..settings() };
    let error = Lake::try_open(&store, never.clone()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound, "{error}");
    assert_eq!(paths(&store, "").await, Vec::<String>::new());
    Lake::open(&store).await.sent(&events(0..2)).await;
    assert_eq!(Lake::try_open(&store, never).await.unwrap().requests().await, 2);
}

const LOOKS: &[Verb] = &[Verb::Get, Verb::Head];

/// An app over a store that is exchanged between two requests of its, with one commit, and what it is
/// exchanged for.
struct Between {
    app: Lake,
    store: Arc<SwitchingStore>,
    right: Arc<dyn ObjectStore>,
    empty: Arc<dyn ObjectStore>,
}

impl Between {
    async fn new() -> Self {
        let (right, empty) = (memory(), memory());
        let store = SwitchingStore::switching(SwitchedStore::new(right.clone()));
        let app = Lake::open(&(store.clone() as Arc<dyn ObjectStore>)).await;
        app.sent(&events(0..3)).await;
        app.clock.set(NOON + MINUTE);
        Self { app, store, right, empty }
    }

    /// The store goes away before a request.
    fn away(&self, verbs: &'static [Verb], path: &str) -> Switch {
        Switch { verbs, path: path.to_owned(), to: self.empty.clone(), later: None }
    }

    /// It is back before a request, ten seconds later.
    fn back(&self, verbs: &'static [Verb], path: &str) -> Switch {
        let later = Some(self.app.clock.clone());
        Switch { verbs, path: path.to_owned(), to: self.right.clone(), later }
    }
}

#[tokio::test]
async fn what_was_absent_before_the_archive_was_back_is_looked_for_again() {
    let it = Between::new().await;
    Lake::open(&it.right).await.sent(&events(3..5)).await;
    it.store.switch(&it.empty);
    it.store.switch_at([it.back(LOOKS, &log_entry(1))]);
    assert_eq!(it.app.requests().await, 5);
}

#[tokio::test]
async fn a_file_that_was_put_elsewhere_is_not_committed() {
    let it = Between::new().await;
    // An attempt to commit it would look for the next entry.
    let back = Switch { later: None, ..it.back(LOOKS, &log_entry(2)) };
    it.store.switch_at([it.away(&[Verb::Put], "event_date="), back]);
    is_away("events", it.app.send(ACME, &events(3..5)).await);
    it.store.switch(&it.right);
    assert_eq!(verified(&it.right).await, 3);
    assert_eq!(it.app.sent(&events(3..5)).await, (2, 0));
    assert_eq!(verified(&it.right).await, 5);
}

#[tokio::test]
async fn an_entry_that_was_put_elsewhere_is_put_again() {
    let it = Between::new().await;
    let entry = it.away(&[Verb::Put], &log_entry(2));
    it.store.switch_at([entry, it.back(LOOKS, &log_entry(1))]);
    assert_eq!(it.app.sent(&events(3..5)).await, (2, 0));
    assert_eq!(verified(&it.right).await, 5);
    assert_eq!(it.app.requests().await, 5);
}

#[tokio::test]
async fn a_place_with_the_newest_entry_alone_is_not_the_archive() {
    let it = Between::new().await;
    Lake::open(&it.right).await.sent(&events(3..5)).await;
    // A retried put of the entry went there, before the process has looked twice.
    let newest = read(&it.right, &log_entry(2)).await;
    write(&it.empty, &log_entry(2), newest).await;
    it.store.switch_at([it.away(LOOKS, &log_entry(3))]);
    is_away("a scrape", it.app.try_scrape(ACME).await);
    does_nothing(&it.app, &it.empty).await;
    it.store.switch(&it.right);
    assert_eq!(it.app.requests().await, 5);
}

#[tokio::test]
async fn a_key_that_was_revoked_is_not_taken_where_an_older_copy_has_it() {
    let it = Between::new().await;
    let key = NewKey {
        org_id: OrgId::parse(ACME).unwrap(),
        scopes: Scopes::or_usual(Vec::new()),
        name: None,
        expires_at_us: None,
        bound: None,
    };
    let key = it.app.app.keys().create(key).await.unwrap();
    it.app.app.authenticate(key.reveal()).await.unwrap();
    let backup = copy_of(&it.right).await;
    it.app.app.keys().revoke(&key.hash().to_hex()).await.unwrap();
    it.app.sent(&events(3..5)).await;
    it.store.switch(&backup);
    it.app.clock.set(NOON + 2 * MINUTE);
    is_away("a key", it.app.app.authenticate(key.reveal()).await);
}

#[tokio::test]
async fn commits_are_refused_after_a_long_pause_too() {
    let store = memory();
    let app = Lake::open(&store).await;
    app.sent(&events(0..3)).await;
    app.sent(&events(3..5)).await;
    let file = live(&store).await.1.remove(0);
    let entry = commit(&store, &[file.remove(true)]).await;
    app.clock.set(NOON + DAY);
    let stale = AppSettings { staleness_max: Duration::from_secs(5), ..settings() };
    let follow = FollowSettings { waits_for_repair: true, ..FollowSettings::default() };
    let cold = Lake::try_open(&store, AppSettings { follow, ..stale }).await.unwrap();
    for app in [&app, &cold, &app] {
        let error = app.try_scrape(ACME).await.unwrap_err().to_string();
        assert!(error.contains(&entry), "{error}");
    }
}

#[tokio::test]
async fn a_table_that_another_process_makes_meanwhile_is_opened() {
    let (right, empty) = (memory(), memory());
    Lake::open(&right).await.sent(&events(0..3)).await;
    let store = SwitchingStore::switching(SwitchedStore::new(empty));
    let verbs = &[Verb::ListWithDelimiter];
    let made = Switch { verbs, path: "events".to_owned(), to: right, later: None };
    store.switch_at([made]);
    let app = Lake::open(&(store as Arc<dyn ObjectStore>)).await;
    assert_eq!(app.requests().await, 3);
}
