//! Tests that memory changes no byte: with room for all, for little and for nothing, with and
//! without a totals snapshot, every organisation's scrape equals the plain sums of its events.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::join_all;
use object_store::{GetRange, ObjectStore};
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use tokenlake::app::AppSettings;
use tokenlake::clock::{DAY, HOUR, Micros};
use tokenlake::sql::sql_version;

use crate::stores::CountingStore;
use crate::support::event::{Event, NOON};
use crate::support::exact;
use crate::support::foreign::{commit, copy, live};
use crate::support::lake::{Lake, settings};
use crate::support::random::Random;
use crate::support::store::{data_files, memory, read};
use crate::support::totals::{assert_same, bare};

const ORGS: u64 = 250;
const MODELS: [&str; 2] = ["gpt-4o", "haiku"];
const CACHES: [usize; 3] = [64 << 20, 1 << 20, 0];
/// No event lies in an hour that a window ending then cuts.
const LATER: Micros = NOON + 13 * HOUR;
const BLOCK_BYTES: u64 = 64 * 1024;
/// Partials up to this size are read whole.
const WHOLE_BYTES_MAX: u64 = 128 * 1024;

/// What was sent.
type Sent = BTreeMap<String, Vec<Event>>;

struct Sender {
    app: Lake,
    random: Random,
    sent: Sent,
}

impl Sender {
    /// Sends for each of these organisations an event in each hour of a day and of each model, in
    /// one commit or two.
    async fn send(&mut self, orgs: impl Iterator<Item = u64>, from: Micros, hours: i64) {
        let mut batches = Vec::new();
        for org in orgs {
            let hours = (0..hours).flat_map(|hour| MODELS.map(|model| (from + hour * HOUR, model)));
            let events: Vec<_> = hours.map(|(hour, model)| self.event(hour, model)).collect();
            batches.push((format!("Org-{org}"), events));
        }
        let app = &self.app;
        join_all(batches.iter().map(|(org, events)| async move {
            assert_eq!(app.send(org, events).await.unwrap().accepted, events.len());
        }))
        .await;
        batches.into_iter().for_each(|(org, events)| {
            self.sent.entry(org).or_default().extend(events);
        });
    }

    fn event(&mut self, hour: Micros, model: &str) -> Event {
        let mut below = |bound| self.random.below(bound);
        let id: String = (0..4).map(|_| format!("{:016x}", below(u64::MAX))).collect();
        let cost = format!("{}.{:012}", below(1_000), below(1_000_000_000_000));
        let offset = 1 + below((HOUR - 1) as u64) as Micros;
        Event::new(id).at(hour + offset).model(model).cost(&cost)
    }
}

/// An archive with a large file of all organisations, small ones, a foreign one, a checkpoint, and
/// small ones since.
async fn archive() -> (Arc<dyn ObjectStore>, Sent) {
    let store = memory();
    let app = Lake::open(&store).await;
    let mut sender = Sender { app, random: Random(7), sent: Sent::new() };
    sender.send(0..ORGS, NOON - DAY - 12 * HOUR, 24).await;
    sender.send((0..ORGS).step_by(9), NOON - 2 * DAY, 1).await;
    sender.send((0..ORGS).step_by(7), NOON - 2 * HOUR, 2).await;
    // Another program's copy has no bounds, no checksums and no partial that anyone is told of.
    let small = live(&store).await.1.into_iter().min_by_key(|file| file.rows).unwrap();
    commit(&store, &[copy(&store, &small).await.add(false), small.remove(false)]).await;
    sender.app.snapshot_totals().await;
    sender.send((1..ORGS).step_by(5), NOON - 5 * HOUR, 3).await;
    sender.send((2..ORGS).step_by(8), NOON - 3 * DAY, 1).await;
    (store, sender.sent)
}

/// Requests, and cost in 10⁻¹² dollars.
type Sums = (u64, i128);
/// A family's name and value.
type Family = (&'static str, fn(&Sums) -> String);

/// The samples of the group `core`, from the events as sent.
fn samples(org: &str, events: &[Event], now: Micros) -> Vec<String> {
    let mut series: BTreeMap<&str, Sums> = BTreeMap::new();
    let mut rolling = 0;
    for event in events {
        let (cost, model) = (event.cost.as_ref().unwrap(), event.model.as_ref().unwrap());
        let (cost, sums) = (exact::parse(cost), series.entry(model).or_default());
        *sums = (sums.0 + 1, sums.1 + cost);
        let inside = now - DAY < event.ts && event.ts <= now;
        rolling += if inside { cost } else { 0 };
    }
    let org = org.to_lowercase();
    let mut lines = Vec::new();
    let families: [Family; 3] = [
        ("llm_requests_total", |sums| sums.0.to_string()),
        ("llm_tokens_total", |sums| (sums.0 * 7).to_string()),
        ("llm_cost_usd_total", |sums| exact::format(sums.1)),
    ];
    for (name, value) in families {
        lines.extend(series.iter().map(|(model, sums)| {
            let labels = format!("provider=\"openai\",model=\"{model}\",org_id=\"{org}\"");
            format!("{name}{{{labels}}} {}", value(sums))
        }));
    }
    let rolling = exact::format(rolling);
    lines.push(format!("llm_cost_usd_rolling_24h{{org_id=\"{org}\"}} {rolling}"));
    lines
}

#[tokio::test]
async fn memory_changes_no_byte() {
    let (store, sent) = archive().await;
    assert_eq!(sent.len() as u64, ORGS);
    let mut bodies = BTreeMap::new();
    for (name, store) in [("a checkpoint", &store), ("no checkpoint", &bare(&store).await)] {
        for cache_bytes_max in CACHES {
            let settings = AppSettings { cache_bytes_max, ..settings() };
            let app = Lake::try_open(store, settings).await.unwrap();
            // The others cut hours of events, so that rows are read.
            for (now, step) in [(LATER, 1), (NOON, 70), (NOON + HOUR / 3, 60)] {
                app.clock.set(now);
                for (org, events) in sent.iter().step_by(step) {
                    let context = format!("{org}, {cache_bytes_max} bytes, {name}, at {now}");
                    let body = app.body(org).await;
                    assert_eq!(core(&body), samples(org, events, now), "{context}");
                    let first = bodies.entry((org, now)).or_insert_with(|| body.clone());
                    assert_same(&[body], std::slice::from_ref(first), &context);
                }
            }
        }
    }
}

/// The samples of the group `core` in a body; they come first.
fn core(body: &str) -> Vec<&str> {
    let core = body.split("# HELP llm_input_tokens").next().unwrap();
    core.lines().filter(|line| !line.starts_with('#')).collect()
}

/// The large file, the size of the partial that it carries, and where its column of ids lies.
async fn large(store: &Arc<dyn ObjectStore>) -> (String, u64, (u64, u64)) {
    let snapshot = Lake::open(store).await.app.archive().current();
    let carried = snapshot.files().filter_map(|file| file.stored_partial(&sql_version()));
    let carried = carried.map(|carried| carried.part_bytes()).max().unwrap();
    assert!(carried > WHOLE_BYTES_MAX, "{carried} bytes, too few to be read in part");
    let mut largest = (String::new(), Vec::new());
    for path in data_files(store).await {
        let bytes = read(store, &path).await;
        if bytes.len() > largest.1.len() {
            largest = (path, bytes);
        }
    }
    let (path, bytes) = largest;
    let reader = SerializedFileReader::new(bytes::Bytes::from(bytes)).unwrap();
    assert_eq!(reader.metadata().num_row_groups(), 1);
    let mut columns = reader.metadata().row_group(0).columns().iter();
    let ids = columns.find(|column| column.column_path().string() == "event_id").unwrap();
    let (start, length) = ids.byte_range();
    (path, carried, (start, start + length))
}

#[tokio::test]
async fn of_a_large_partial_one_organisation_reads_a_part_and_no_ids() {
    let (store, _) = archive().await;
    let (path, carried, (start, end)) = large(&store).await;
    let bare = bare(&store).await;
    let counting = CountingStore::new(bare.clone());
    let app = Lake::open(&(counting.clone() as Arc<dyn ObjectStore>)).await;
    app.clock.set(LATER);
    // The first scrape has the foreign file judged, which asks for ids near it.
    app.scrape("Org-98").await;
    counting.take();
    app.scrape("Org-99").await;
    let mut ranges = Vec::new();
    for op in counting.take().into_iter().filter(|op| op.path.as_ref() == path) {
        assert!(!op.ranges.is_empty(), "the whole file was asked for");
        for range in op.ranges {
            let GetRange::Bounded(range) = range else { panic!("{range:?}") };
            ranges.push((range.start, range.end));
        }
    }
    let read: u64 = ranges.iter().map(|(start, end)| end - start).sum();
    assert!(0 < read && read < carried, "{read} bytes, of {carried} that the file carries");
    // Reads are of whole blocks.
    let (start, end) = (start.next_multiple_of(BLOCK_BYTES), end / BLOCK_BYTES * BLOCK_BYTES);
    assert!(start < end, "the ids are too few to tell");
    let touched = ranges.iter().any(|(from, to)| *from < end && start < *to);
    assert!(!touched, "ids at {start}..{end}, read {ranges:?}");
}
