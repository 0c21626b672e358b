//! Tests of a scrape's requests to the store: one if nothing is new, and each new object once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use object_store::{GetRange, ObjectStore};
use parquet::file::reader::{FileReader as _, SerializedFileReader};

use crate::stores::{CountingStore, Fault, FaultyStore, Op, Verb};
use crate::support::event::{ACME, Event, events, requests};
use crate::support::lake::Lake;
use crate::support::store::{data_files, log_entry, memory, read};

/// A scraped app over a store that counts, and the store for others.
async fn warm() -> (Lake, Arc<CountingStore>, Arc<dyn ObjectStore>) {
    let inner = memory();
    let counting = CountingStore::new(inner.clone());
    let store: Arc<dyn ObjectStore> = counting.clone();
    let app = Lake::open(&store).await;
    app.sent(&events(0..3)).await;
    app.send("umbrella", &events(0..2)).await.unwrap();
    assert_eq!(app.requests().await, 3);
    assert_eq!(requests(&app.scrape("umbrella").await), 2);
    counting.take();
    (app, counting, inner)
}

fn gets(ops: &[Op]) -> Vec<(Verb, &str)> {
    ops.iter().map(|op| (op.verb, op.path.as_ref())).collect()
}

#[tokio::test]
async fn a_warm_scrape_with_nothing_new_asks_for_the_next_log_entry_and_the_newest_alone() {
    let (app, counting, _) = warm().await;
    for org in [ACME, "umbrella", ACME, "nobody"] {
        // An organisation without events has no file either.
        app.scrape(org).await;
        let (next, known) = (log_entry(3), log_entry(2));
        let expected = [(Verb::Get, next.as_str()), (Verb::Head, &known)];
        assert_eq!(gets(&counting.take()), expected, "{org}");
    }
}

#[tokio::test]
async fn scrapes_that_arrive_together_share_a_look() {
    let (app, counting, _) = warm().await;
    let scrapes = (0..50).map(|i| app.scrape([ACME, "umbrella"][i % 2]));
    let bodies = futures::future::join_all(scrapes).await;
    assert!(bodies.iter().step_by(2).all(|body| requests(body) == 3));
    let ops = counting.take();
    assert!((1..=4).contains(&ops.len()), "{ops:?}");
    let known = |op: &Op| op.verb == Verb::Head && op.path.as_ref() == log_entry(2);
    assert!(ops.iter().all(|op| known(op) || op.path.as_ref() == log_entry(3)), "{ops:?}");
}

#[tokio::test]
async fn after_a_commit_a_scrape_reads_its_entry_and_its_file_once() {
    let (app, counting, inner) = warm().await;
    let before = data_files(&inner).await;
    Lake::open(&inner).await.sent(&events(10..14)).await;
    let new = data_files(&inner).await.into_iter().find(|path| !before.contains(path)).unwrap();
    assert_eq!(app.requests().await, 7);
    let (entry, next) = (log_entry(3), log_entry(4));
    let known = log_entry(2);
    let looked = [(Verb::Get, entry.as_str()), (Verb::Get, &next), (Verb::Head, &known)];
    let expected: Vec<_> = looked.into_iter().chain([(Verb::GetRanges, new.as_str())]).collect();
    assert_eq!(gets(&counting.take()), expected);
    // Of another organisation, the file that came is known by its bounds. The entry that is known
    // counts beside the one that it names.
    app.scrape("umbrella").await;
    let looked = [(Verb::Get, next.as_str()), (Verb::Get, &entry), (Verb::Get, &known)];
    assert_eq!(gets(&counting.take()), looked);
}

#[tokio::test]
async fn a_file_of_two_organisations_is_read_by_the_first_of_them() {
    let inner = memory();
    let counting = CountingStore::new(inner.clone());
    let (store, writer) = (counting.clone() as Arc<dyn ObjectStore>, Lake::open(&inner).await);
    // Requests that wait together form one commit.
    let (acme, umbrella) = (events(0..3), events(0..2));
    let receipts = tokio::join!(writer.sent(&acme), writer.send("umbrella", &umbrella), async {
        writer.send("wayne", &acme).await
    });
    assert_eq!(receipts.0, (3, 0));
    let files = data_files(&inner).await.len();
    assert!(files < 3, "three requests at once, {files} files");
    let app = Lake::open(&store).await;
    counting.take();
    for org in [ACME, "umbrella", "wayne"] {
        app.scrape(org).await;
    }
    let ops = counting.take();
    let reads = ops.iter().filter(|op| op.path.as_ref().ends_with(".parquet")).count();
    assert_eq!(reads, files, "{ops:?}");
}

#[tokio::test]
async fn a_scrape_after_an_own_commit_reads_no_file() {
    let (app, counting, _) = warm().await;
    app.sent(&events(20..25)).await;
    counting.take();
    assert_eq!(app.requests().await, 8);
    let (next, own, before) = (log_entry(4), log_entry(3), log_entry(2));
    let looked = [(Verb::Get, next.as_str()), (Verb::Get, &own), (Verb::Get, &before)];
    assert_eq!(gets(&counting.take()), looked);
}

/// Bytes of the columns that a scrape has no use for, by name.
async fn chunks(store: &Arc<dyn ObjectStore>, path: &str) -> BTreeMap<String, (u64, u64)> {
    let file = bytes::Bytes::from(read(store, path).await);
    let reader = SerializedFileReader::new(file).unwrap();
    assert_eq!(reader.metadata().num_row_groups(), 1);
    let columns = reader.metadata().row_group(0).columns();
    let named = columns.iter().map(|column| {
        let (start, length) = column.byte_range();
        (column.column_path().string(), (start, start + length))
    });
    named.collect()
}

/// A text that does not compress.
fn noise(seed: u64) -> String {
    let mut state = seed.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut word = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        format!("{state:016x}")
    };
    (0..8).map(|_| word()).collect()
}

#[tokio::test]
async fn of_a_large_file_only_the_columns_in_need_are_read_each_byte_once() {
    const BLOCK: u64 = 64 * 1024;
    let (app, counting, inner) = warm().await;
    let before = data_files(&inner).await;
    let large: Vec<_> =
        (0..20_000).map(|i| Event::new(noise(i)).note(noise(i + 1_000_000))).collect();
    Lake::open(&inner).await.sent(&large).await;
    let new = data_files(&inner).await.into_iter().find(|path| !before.contains(path)).unwrap();
    let size = read(&inner, &new).await.len() as u64;
    assert_eq!(app.requests().await, 20_003);
    let ops = counting.take();
    // That nothing else is new counts beside the entry that is known.
    let known = |op: &&Op| (op.verb, op.path.as_ref()) == (Verb::Head, &log_entry(2));
    let mut reads = ops.iter().filter(|op| !known(op));
    assert!(reads.all(|op| [Verb::Get, Verb::GetRanges].contains(&op.verb)), "{ops:?}");
    let mut ranges = Vec::new();
    for op in ops.iter().filter(|op| op.path.as_ref() == new) {
        assert!(!op.ranges.is_empty(), "the whole file was asked for");
        for range in &op.ranges {
            let GetRange::Bounded(range) = range else { panic!("{range:?}") };
            ranges.push((range.start, range.end));
        }
    }
    assert_eq!(ops.len(), 3 + ops.iter().filter(|op| op.path.as_ref() == new).count());
    ranges.sort_unstable();
    assert!(ranges.windows(2).all(|pair| pair[0].1 <= pair[1].0), "read twice: {ranges:?}");
    let read: u64 = ranges.iter().map(|(start, end)| end - start).sum();
    assert!(size > 2 << 20 && read < size / 4, "{read} of {size} bytes were read");
    let chunks = chunks(&inner, &new).await;
    for column in ["event_id", "attributes.key_value.value"] {
        let (start, end) = chunks[column];
        // Reads are of whole blocks, and the footer's begins up to two blocks before the end.
        let end = end.min(size - 2 * BLOCK);
        let (start, end) = (start.next_multiple_of(BLOCK), end / BLOCK * BLOCK);
        assert!(start < end, "{column} is too small to tell");
        let touched: Vec<_> =
            ranges.iter().filter(|(from, to)| *from < end && start < *to).collect();
        assert!(touched.is_empty(), "{column} at {start}..{end} was read: {touched:?}");
    }
}

#[tokio::test]
async fn a_scrape_joins_no_look_that_began_before_it_arrived() {
    let inner = memory();
    let writer = Lake::open(&inner).await;
    let slow = Arc::new(AtomicBool::new(false));
    let is_slow = slow.clone();
    // The read itself comes first and its answer is slow: what the look found is old by then.
    let answer = Fault::SlowAnswer(Duration::from_millis(200));
    let store: Arc<dyn ObjectStore> = FaultyStore::new(inner.clone(), move |op| {
        let chosen = op.path.as_ref() == log_entry(1) && is_slow.swap(false, Ordering::SeqCst);
        chosen.then_some(answer)
    });
    let app = Lake::open(&store).await;
    assert_eq!(app.requests().await, 0);
    slow.store(true, Ordering::SeqCst);
    let older_is_done = AtomicBool::new(false);
    let older = async {
        app.scrape(ACME).await;
        older_is_done.store(true, Ordering::SeqCst);
    };
    let newer = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(!slow.load(Ordering::SeqCst), "the older look has not begun");
        assert_eq!(writer.sent(&events(0..3)).await, (3, 0));
        assert!(!older_is_done.load(Ordering::SeqCst), "the older look is over already");
        let scrapes = (0..5).map(|_| app.scrape(ACME));
        futures::future::join_all(scrapes).await
    };
    let ((), newer) = tokio::join!(older, newer);
    assert!(newer.iter().all(|body| requests(body) == 3), "an acknowledged event is missing");
}
