//! The program in this process, over a store in memory and a clock that the test moves.

use std::sync::Arc;
use std::time::Duration;

use object_store::memory::InMemory;
use serde_json::{Map, Value};
use tokenlake::app::{App, AppError, Form, Receipt, Settings};
use tokenlake::archive::Snapshot;
use tokenlake::clock::{Clock as _, ManualClock, Micros, SECOND};
use tokenlake::event::OrgId;
use tokenlake::exposition::{Coding, Collect, Format};
use tokenlake::ingest::ContentKind;
use tokenlake::maintain::{Expiry, Report, Retention, verify};
use tokenlake::rollup::Rollup;
use tokenlake::sql::Engine;
use tokenlake::telemetry::Telemetry;

/// 2026-02-02T03:20:00Z: a time inside an hour.
pub const NOW: Micros = 1_770_002_400 * SECOND;
/// Room for every partial of a test.
pub const CACHE_BYTES_MAX: usize = 64 << 20;

/// One process on an archive.
pub struct Lake {
    pub store: Arc<InMemory>,
    pub clock: Arc<ManualClock>,
    app: App,
}

impl Lake {
    /// A new archive at `now`.
    pub async fn at(now: Micros) -> Self {
        let clock = Arc::new(ManualClock::at(now));
        Self::on(Arc::new(InMemory::new()), clock, CACHE_BYTES_MAX).await
    }

    /// A process on `store` whose partials may take `cache_bytes_max`; it follows only when asked.
    pub async fn on(store: Arc<InMemory>, clock: Arc<ManualClock>, cache_bytes_max: usize) -> Self {
        let settings = Settings { cache_bytes_max, ..Settings::default() };
        let opened = App::open(store.clone(), clock.clone(), Telemetry::new(), settings);
        let app = opened.await.unwrap();
        Self { store, clock, app }
    }

    /// Another process on the same archive: after a restart, or a replica.
    pub async fn replica(&self, cache_bytes_max: usize) -> Self {
        Self::on(self.store.clone(), self.clock.clone(), cache_bytes_max).await
    }

    /// Moves the clock by `micros`.
    pub fn pass(&self, micros: Micros) {
        self.clock.set(self.clock.now() + micros);
    }

    /// Sends newline-separated JSON as `org`.
    pub async fn send(&self, org: &str, ndjson: &str) -> Receipt {
        self.try_send(org, ndjson).await.unwrap()
    }

    async fn try_send(&self, org: &str, ndjson: &str) -> Result<Receipt, AppError> {
        let org = OrgId::parse(org).unwrap();
        let decoded = self.app.decode(&org, &ContentKind::Ndjson, ndjson.as_bytes()).unwrap();
        self.app.commit(&org, decoded).await
    }

    /// Sends events that must all be new.
    pub async fn add(&self, org: &str, events: &[Event]) {
        let lines: String = events.iter().map(Event::to_line).collect();
        let receipt = self.send(org, &lines).await;
        assert_eq!(receipt.rejected, []);
        assert_eq!((receipt.accepted, receipt.duplicates), (events.len(), 0));
    }

    /// Makes a checkpoint of totals.
    pub async fn checkpoint(&self) {
        self.app.checkpoint().await.unwrap();
    }

    /// The default scrape of `org`.
    pub async fn scrape(&self, org: &str) -> String {
        self.scrape_as(org, &[], Format::Text004).await
    }

    /// A scrape of `org` with these values of `collect[]`.
    pub async fn scrape_as(&self, org: &str, collect: &[&str], format: Format) -> String {
        self.try_scrape(org, collect, format).await.unwrap()
    }

    /// Why `org` cannot be scraped.
    pub async fn scrape_error(&self, org: &str) -> AppError {
        self.try_scrape(org, &[], Format::Text004).await.unwrap_err()
    }

    /// Why `org` cannot send an event of now.
    pub async fn send_error(&self, org: &str) -> AppError {
        let line = Event::new("an event of its own", self.clock.now(), "1").to_line();
        self.try_send(org, &line).await.unwrap_err()
    }

    async fn try_scrape(
        &self,
        org: &str,
        collect: &[&str],
        format: Format,
    ) -> Result<String, AppError> {
        let collect = Collect::parse(collect.iter().copied()).unwrap();
        let form = Form { collect, format, coding: Coding::Identity };
        let body = self.app.scrape(&OrgId::parse(org).unwrap(), form, self.app.now()).await?;
        Ok(String::from_utf8(body.into()).unwrap())
    }

    /// The gauge of `org`.
    pub async fn rolling(&self, org: &str) -> String {
        let label = org.to_lowercase();
        let sample = format!("llm_cost_usd_rolling_24h{{org_id=\"{label}\"}}");
        value(&self.scrape(org).await, &sample).expect("the gauge is always there").to_owned()
    }

    /// The counter `name` of `org`, of the series that [`Event`] has by default.
    pub async fn counter(&self, org: &str, name: &str) -> Option<String> {
        let sample = format!("{name}{{provider=\"openai\",model=\"gpt-4o\",org_id=\"{org}\"}}");
        value(&self.scrape(org).await, &sample).map(str::to_owned)
    }

    /// The newest version of the table.
    pub async fn snapshot(&self) -> Arc<Snapshot> {
        self.app.archive().newest().await.unwrap()
    }

    /// Expires what is older than so many days.
    pub async fn expire(&self, days: u64) -> Expiry {
        self.app.expire(retention(days)).await.unwrap()
    }

    /// The queries over this archive.
    pub fn engine(&self) -> Engine {
        Engine::new(self.app.archive().store()).unwrap()
    }

    /// What `tokenlake verify` finds.
    pub async fn verify(&self) -> Report {
        let engine = Arc::new(self.engine());
        let rollup = Rollup::new(engine.clone(), None, CACHE_BYTES_MAX, Telemetry::new());
        let (rollup, now) = (Arc::new(rollup), self.clock.now());
        verify(self.app.archive(), &engine, &rollup, now, None, |_, _| {}).await.unwrap()
    }
}

/// A retention of so many days.
pub fn retention(days: u64) -> Retention {
    Retention::new(Duration::from_secs(days * 86_400)).unwrap()
}

/// The value of a sample, as its text.
pub fn value<'a>(body: &'a str, sample: &str) -> Option<&'a str> {
    body.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '))
}

/// An event as a producer has it.
#[derive(Clone, Debug)]
pub struct Event {
    pub id: String,
    pub ts: Micros,
    pub event_type: Option<String>,
    pub provider: Option<String>,
    pub model: Option<String>,
    pub input_tokens: u64,
    pub output_tokens: u64,
    /// Decimal text.
    pub cost: Option<String>,
}

impl Event {
    /// A priced call of a known series.
    pub fn new(id: &str, ts: Micros, cost: &str) -> Self {
        Self {
            id: id.to_owned(),
            ts,
            event_type: None,
            provider: Some("openai".into()),
            model: Some("gpt-4o".into()),
            input_tokens: 10,
            output_tokens: 1,
            cost: Some(cost.to_owned()),
        }
    }

    /// The line that is sent, with its end.
    pub fn to_line(&self) -> String {
        let mut fields = Map::from_iter([
            ("event_id".to_owned(), Value::from(self.id.as_str())),
            ("ts".to_owned(), self.ts.into()),
            ("provider".to_owned(), self.provider.as_deref().into()),
            ("model".to_owned(), self.model.as_deref().into()),
            ("input_tokens".to_owned(), self.input_tokens.into()),
            ("output_tokens".to_owned(), self.output_tokens.into()),
            ("cost_usd".to_owned(), self.cost.as_deref().into()),
        ]);
        if let Some(event_type) = &self.event_type {
            fields.insert("event_type".to_owned(), event_type.as_str().into());
        }
        format!("{}\n", Value::from(fields))
    }
}
