//! The program in this process, with any store, a clock that stands still, and no looks in the
//! background.

use std::fmt::Display;
use std::sync::Arc;

use futures::TryStreamExt as _;
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt as _};
use tokenlake::app::{App, AppError, Form, Receipt, Settings};
use tokenlake::archive::{FollowSettings, WriterSettings};
use tokenlake::clock::{Micros, SECOND};
use tokenlake::event::OrgId;
use tokenlake::exposition::{Coding, Collect, Format};
use tokenlake::ingest::ContentKind;
use tokenlake::maintain;
use tokenlake::rollup::Rollup;
use tokenlake::sql::Engine;
use tokenlake::telemetry::Telemetry;

pub use tokenlake::clock::ManualClock;

/// 2026-03-10T12:00:00Z.
pub const NOON: Micros = 1_773_144_000 * SECOND;
/// The organisation of tests that need only one.
pub const ACME: &str = "acme";

/// An empty store.
pub fn memory() -> Arc<dyn ObjectStore> {
    Arc::new(InMemory::new())
}

/// A server's settings, without looks in the background.
pub fn settings() -> Settings {
    let writer = WriterSettings { checkpoint_every: 100, ..WriterSettings::default() };
    Settings { writer, cache_bytes_max: 64 << 20, ..Settings::default() }
}

/// An open [`App`] and its clock.
#[derive(Debug)]
pub struct TestApp {
    pub app: App,
    pub clock: Arc<ManualClock>,
}

impl TestApp {
    /// Opens the archive in `store`.
    pub async fn open(store: &Arc<dyn ObjectStore>) -> Self {
        Self::try_open(store, settings()).await.unwrap()
    }

    /// Opens the archive as a server does, which waits where commits are refused.
    pub async fn open_waiting(store: &Arc<dyn ObjectStore>) -> Self {
        let follow = FollowSettings { waits_for_repair: true, ..FollowSettings::default() };
        Self::try_open(store, Settings { follow, ..settings() }).await.unwrap()
    }

    /// As [`TestApp::open`], with settings and without trust.
    pub async fn try_open(
        store: &Arc<dyn ObjectStore>,
        settings: Settings,
    ) -> Result<Self, AppError> {
        let clock = Arc::new(ManualClock::at(NOON));
        let app = App::open(store.clone(), clock.clone(), Telemetry::new(), settings).await?;
        Ok(Self { app, clock })
    }

    /// Sends events as one NDJSON request.
    pub async fn send(&self, org: &str, events: &[Event]) -> Result<Receipt, AppError> {
        let org = OrgId::parse(org).unwrap();
        let body = events.iter().map(Event::line).collect::<Vec<_>>().join("\n");
        let decoded = self.app.decode(&org, &ContentKind::Ndjson, body.as_ref()).unwrap();
        assert_eq!(decoded.rejections, [], "a test sent an event that is not valid");
        self.app.commit(&org, decoded).await
    }

    /// Sends events of [`ACME`]: how many were accepted, how many stood already.
    pub async fn sent(&self, events: &[Event]) -> (usize, usize) {
        let receipt = self.send(ACME, events).await.unwrap();
        (receipt.accepted, receipt.duplicates)
    }

    /// The body of a scrape.
    pub async fn try_scrape(&self, org: &str) -> Result<String, AppError> {
        self.scrape_as(org, &[]).await
    }

    /// The body of a scrape that works and shows all that there is.
    pub async fn body(&self, org: &str) -> String {
        self.scrape_as(org, &["core", "tokens", "pricing", "freshness"]).await.unwrap()
    }

    /// Makes a checkpoint of totals.
    pub async fn checkpoint(&self) {
        self.app.checkpoint().await.unwrap();
    }

    /// Expires what is older than so many days.
    pub async fn expire(&self, days: u64) -> Result<maintain::Expiry, AppError> {
        self.app.expire(super::lake::retention(days)).await
    }

    async fn scrape_as(&self, org: &str, collect: &[&str]) -> Result<String, AppError> {
        let org = OrgId::parse(org).unwrap();
        let collect = Collect::parse(collect.iter().copied()).unwrap();
        let form = Form { collect, format: Format::Text004, coding: Coding::Identity };
        let body = self.app.scrape(&org, form, self.app.now()).await?;
        Ok(String::from_utf8(body.into()).unwrap())
    }

    /// The body of a scrape that works.
    pub async fn scrape(&self, org: &str) -> String {
        self.try_scrape(org).await.unwrap()
    }

    /// The requests of [`ACME`] over all series.
    pub async fn requests(&self) -> u64 {
        requests(&self.scrape(ACME).await)
    }

    /// A counter of the process's own telemetry.
    pub fn telemetry(&self, name: &str) -> u64 {
        let text = self.app.telemetry().encode().unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
    }
}

/// The requests in a scrape over all series.
pub fn requests(text: &str) -> u64 {
    let samples = text.lines().filter(|line| line.starts_with("llm_requests_total{"));
    samples.map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap()).sum()
}

/// The value of one sample, as written; `sample` is the name with its labels.
pub fn value<'a>(text: &'a str, sample: &str) -> &'a str {
    let found = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    found.unwrap_or_else(|| panic!("no {sample} in {text}"))
}

/// Verifies the archive from its raw rows; gives the number of its events.
pub async fn verified(store: &Arc<dyn ObjectStore>) -> u64 {
    let report = verify(store).await;
    assert_eq!(report.differences, Vec::<String>::new());
    report.events
}

/// What verifying the archive finds.
pub async fn verify(store: &Arc<dyn ObjectStore>) -> maintain::Report {
    verify_sample(store, None).await
}

/// What verifying a share of the files finds.
pub async fn verify_sample(
    store: &Arc<dyn ObjectStore>,
    sample: Option<maintain::Sample>,
) -> maintain::Report {
    let TestApp { app, .. } = TestApp::open(store).await;
    let engine = Arc::new(Engine::new(store.clone()).unwrap());
    let rollup = Rollup::new(engine.clone(), None, 1 << 20, Telemetry::new());
    let rollup = Arc::new(rollup);
    maintain::verify(app.archive(), &engine, &rollup, NOON, sample, |_, _| ()).await.unwrap()
}

/// The paths below `prefix`, sorted.
pub async fn paths(store: &Arc<dyn ObjectStore>, prefix: &str) -> Vec<String> {
    let found = store.list(Some(&prefix.into()));
    let mut paths: Vec<_> =
        found.map_ok(|object| object.location.to_string()).try_collect().await.unwrap();
    paths.sort();
    paths
}

/// The paths of the data files, sorted.
pub async fn data_files(store: &Arc<dyn ObjectStore>) -> Vec<String> {
    let mut paths = paths(store, "events").await;
    paths.retain(|path| path.ends_with(".parquet") && !path.contains("_delta_log"));
    paths
}

/// The path of a log entry.
pub fn log_entry(version: u64) -> String {
    format!("events/_delta_log/{version:020}.json")
}

/// Deletes the note of the newest commit, which programs from before it never wrote.
pub async fn forget_newest(store: &Arc<dyn ObjectStore>) {
    match store.delete(&"_head.json".into()).await {
        Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
        Err(error) => panic!("{error}"),
    }
}

/// The bytes of an object.
pub async fn read(store: &Arc<dyn ObjectStore>, path: &str) -> Vec<u8> {
    store.get(&path.into()).await.unwrap().bytes().await.unwrap().into()
}

/// Puts an object, over an older one.
pub async fn write(store: &Arc<dyn ObjectStore>, path: &str, bytes: Vec<u8>) {
    store.put(&path.into(), bytes.into()).await.unwrap();
}

/// An event as a client sends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub id: String,
    pub ts: Micros,
    pub model: String,
    pub cost: String,
    pub note: String,
}

impl Event {
    /// An event an hour before [`NOON`].
    pub fn new(id: impl Display) -> Self {
        Self {
            id: id.to_string(),
            ts: NOON - 3_600 * SECOND,
            model: "gpt-4o".to_owned(),
            cost: "0.25".to_owned(),
            note: String::new(),
        }
    }

    /// The same at another time.
    pub fn at(self, ts: Micros) -> Self {
        Self { ts, ..self }
    }

    /// The same of another model.
    pub fn model(self, model: &str) -> Self {
        Self { model: model.to_owned(), ..self }
    }

    /// The same at another price.
    pub fn cost(self, cost: &str) -> Self {
        Self { cost: cost.to_owned(), ..self }
    }

    /// The same with an attribute.
    pub fn note(self, note: String) -> Self {
        Self { note, ..self }
    }

    /// The event as a line of NDJSON.
    pub fn line(&self) -> String {
        let Self { id, ts, model, cost, note } = self;
        serde_json::json!({
            "event_id": id, "ts": ts, "provider": "openai", "model": model, "input_tokens": 3,
            "output_tokens": 4, "cost_usd": cost, "attributes": { "note": note },
        })
        .to_string()
    }
}

/// Events with these ids, an hour before [`NOON`].
pub fn events(ids: impl IntoIterator<Item = impl Display>) -> Vec<Event> {
    ids.into_iter().map(Event::new).collect()
}
