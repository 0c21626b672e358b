//! Tests that the store wrappers do what other tests rely on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::TryStreamExt;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{Error, GetRange, ObjectStore, ObjectStoreExt, PutMode};

use crate::stores::{CountingStore, Fault, FaultyStore, Op, Verb, at_write};

fn op(verb: Verb, path: &str) -> Op {
    Op { verb, path: Path::from(path), ranges: Vec::new() }
}

#[tokio::test]
async fn every_request_is_recorded_once() {
    let store = CountingStore::new(Arc::new(InMemory::new()));
    let (a, b) = (Path::from("d/a"), Path::from("d/b"));
    store.put(&a, "0123456789".into()).await.unwrap();
    let mut upload = store.put_multipart(&b).await.unwrap();
    upload.put_part("x".into()).await.unwrap();
    upload.complete().await.unwrap();
    store.head(&a).await.unwrap();
    store.get_range(&a, 2..4).await.unwrap();
    store.get_ranges(&a, &[0..1, 8..9]).await.unwrap();
    let listed: Vec<_> = store.list(Some(&Path::from("d"))).try_collect().await.unwrap();
    assert_eq!(listed.len(), 2);
    store.list_with_delimiter(None).await.unwrap();
    store.rename(&a, &Path::from("c")).await.unwrap();
    let mut range = op(Verb::Get, "d/a");
    range.ranges = vec![GetRange::Bounded(2..4)];
    let mut ranges = op(Verb::GetRanges, "d/a");
    ranges.ranges = vec![GetRange::Bounded(0..1), GetRange::Bounded(8..9)];
    let expected = [
        op(Verb::Put, "d/a"),
        op(Verb::PutMultipart, "d/b"),
        op(Verb::CompleteMultipart, "d/b"),
        op(Verb::Head, "d/a"),
        range,
        ranges,
        op(Verb::List, "d"),
        op(Verb::ListWithDelimiter, ""),
        op(Verb::Copy, "c"),
        op(Verb::Delete, "d/a"),
    ];
    assert_eq!(store.take(), expected);
    assert_eq!(store.take(), []);
}

#[tokio::test]
async fn a_put_can_lose_its_answer_with_or_without_its_effect() {
    for (fault, stands, exists) in [
        (Fault::FailBefore, false, false),
        (Fault::FailAfter, true, false),
        (Fault::ExistsAfter, true, true),
    ] {
        let inner = Arc::new(InMemory::new());
        let store = FaultyStore::new(inner.clone(), at_write(1, fault));
        store.put(&Path::from("first"), "x".into()).await.unwrap();
        let second = Path::from("second");
        let error = store.put_opts(&second, "x".into(), PutMode::Create.into()).await.unwrap_err();
        assert_eq!(matches!(error, Error::AlreadyExists { .. }), exists, "{error}");
        assert!(error.to_string().contains("second"), "{error}");
        assert_eq!(inner.head(&second).await.is_ok(), stands);
        store.put(&Path::from("third"), "x".into()).await.unwrap();
        assert!(!store.crashed());
    }
}

#[tokio::test]
async fn nothing_works_after_a_crash() {
    for (fault, stands) in [(Fault::CrashBefore, false), (Fault::CrashAfter, true)] {
        let inner = Arc::new(InMemory::new());
        let store = FaultyStore::new(inner.clone(), at_write(0, fault));
        let path = Path::from("a");
        let mut upload = store.put_multipart(&path).await.unwrap();
        upload.put_part("x".into()).await.unwrap();
        upload.complete().await.unwrap_err();
        assert!(store.crashed());
        store.get(&path).await.unwrap_err();
        store.delete(&path).await.unwrap_err();
        store.list(None).try_collect::<Vec<_>>().await.unwrap_err();
        assert_eq!(inner.head(&path).await.is_ok(), stands);
    }
}

#[tokio::test]
async fn reads_can_be_short_or_wrong() {
    let path = Path::from("a");
    for (fault, expected) in [(Fault::Truncate, &b"01"[..]), (Fault::Damage, b"01\xcd3")] {
        let inner = Arc::new(InMemory::new());
        inner.put(&path, "0123".into()).await.unwrap();
        let store = FaultyStore::new(inner, move |_| Some(fault));
        assert_eq!(store.get(&path).await.unwrap().bytes().await.unwrap(), expected);
        let whole = 0..4;
        assert_eq!(store.get_ranges(&path, &[whole]).await.unwrap(), [expected]);
    }
}

#[tokio::test]
async fn a_request_can_be_slow() {
    let delay = Duration::from_millis(20);
    let path = Path::from("a");
    for (fault, early) in [(Fault::Delay(delay), false), (Fault::SlowAnswer(delay), true)] {
        let inner = Arc::new(InMemory::new());
        let store = FaultyStore::new(inner.clone(), move |_| Some(fault));
        let start = Instant::now();
        let look = async {
            tokio::time::sleep(delay / 4).await;
            inner.head(&path).await.is_ok()
        };
        let (put, seen) = tokio::join!(store.put(&path, "x".into()), look);
        put.unwrap();
        assert!(start.elapsed() >= delay);
        assert_eq!(seen, early, "{fault:?}");
    }
}
