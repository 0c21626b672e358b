//! The program in this process: any store, a clock that the test moves, no looks of its own accord.

use std::sync::Arc;
use std::time::Duration;

use object_store::ObjectStore;
use tokenlake::access::{Caller, Scopes};
use tokenlake::app::{App, AppError, AppSettings, BodyForm, Receipt};
use tokenlake::archive::{FollowSettings, Snapshot, WriterSettings};
use tokenlake::clock::{Clock as _, Micros};
use tokenlake::event::OrgId;
use tokenlake::exposition::{Coding, Collect, MetricsFormat};
use tokenlake::http;
use tokenlake::ingest::ContentKind;
use tokenlake::maintain::{self, Expiry, Report, Retention, Sample};
use tokenlake::rollup::Rollup;
use tokenlake::sql::Engine;
use tokenlake::telemetry::Telemetry;
use tokio::net::TcpListener;

use super::event::{ACME, Event, NOON, find_value, requests};
use super::store::memory;

pub use tokenlake::clock::ManualClock;

/// Room for every partial of a test.
pub const CACHE_BYTES_MAX: usize = 64 << 20;
/// The groups of a scrape that shows all that there is.
const ALL: [&str; 4] = ["core", "tokens", "pricing", "freshness"];

/// A server's settings, without looks in the background.
pub fn settings() -> AppSettings {
    let writer = WriterSettings { checkpoint_every: 100, ..WriterSettings::default() };
    let (cache_bytes_max, body_bytes_max) = (CACHE_BYTES_MAX, 32 << 20);
    AppSettings { writer, cache_bytes_max, body_bytes_max, ..AppSettings::default() }
}

/// Who asks with a usual key of `org`.
pub fn caller(org: &str) -> Caller {
    let (org_id, scopes) = (OrgId::parse(org).unwrap(), Scopes::or_usual(Vec::new()));
    Caller { org_id, scopes, bound: None }
}

/// A retention of so many days.
pub fn retention(days: u64) -> Retention {
    Retention::new(Duration::from_secs(days * 86_400)).unwrap()
}

/// One process on an archive.
#[derive(Debug)]
pub struct Lake {
    pub store: Arc<dyn ObjectStore>,
    pub clock: Arc<ManualClock>,
    pub app: Arc<App>,
}

impl Lake {
    /// A new archive at `now`.
    pub async fn at(now: Micros) -> Self {
        Self::on(memory(), Arc::new(ManualClock::at(now)), CACHE_BYTES_MAX).await
    }

    /// A process on `store` whose partials may take `cache_bytes_max`; it follows only when asked.
    pub async fn on(
        store: Arc<dyn ObjectStore>,
        clock: Arc<ManualClock>,
        cache_bytes_max: usize,
    ) -> Self {
        let body_bytes_max = 32 << 20;
        let settings = AppSettings { cache_bytes_max, body_bytes_max, ..AppSettings::default() };
        Self::with(store, clock, settings).await.unwrap()
    }

    /// Opens the archive in `store` at [`NOON`].
    pub async fn open(store: &Arc<dyn ObjectStore>) -> Self {
        Self::try_open(store, settings()).await.unwrap()
    }

    /// Opens the archive as a server does, which waits where commits are refused.
    pub async fn open_waiting(store: &Arc<dyn ObjectStore>) -> Self {
        let follow = FollowSettings { waits_for_repair: true, ..FollowSettings::default() };
        Self::try_open(store, AppSettings { follow, ..settings() }).await.unwrap()
    }

    /// As [`Lake::open`], with settings and without trust.
    pub async fn try_open(
        store: &Arc<dyn ObjectStore>,
        settings: AppSettings,
    ) -> Result<Self, AppError> {
        Self::with(store.clone(), Arc::new(ManualClock::at(NOON)), settings).await
    }

    async fn with(
        store: Arc<dyn ObjectStore>,
        clock: Arc<ManualClock>,
        settings: AppSettings,
    ) -> Result<Self, AppError> {
        let app = App::open(store.clone(), clock.clone(), Telemetry::new(), settings).await?;
        Ok(Self { store, clock, app: Arc::new(app) })
    }

    /// Another process on the same archive: after a restart, or a replica.
    pub async fn replica(&self, cache_bytes_max: usize) -> Self {
        Self::on(self.store.clone(), self.clock.clone(), cache_bytes_max).await
    }

    /// Moves the clock by `micros`.
    pub fn pass(&self, micros: Micros) {
        self.clock.set(self.clock.now() + micros);
    }

    /// Sends events as one NDJSON request.
    pub async fn send(&self, org: &str, events: &[Event]) -> Result<Receipt, AppError> {
        let body = events.iter().map(Event::line).collect::<Vec<_>>().join("\n");
        let org = OrgId::parse(org).unwrap();
        let decoded = self.app.decode(&org, &ContentKind::Ndjson, body.as_bytes()).unwrap();
        assert_eq!(decoded.rejections, [], "a test sent an event that is not valid");
        self.app.commit(&org, decoded).await
    }

    /// Sends events of [`ACME`]: how many were accepted, how many stood already.
    pub async fn sent(&self, events: &[Event]) -> (usize, usize) {
        let receipt = self.send(ACME, events).await.unwrap();
        (receipt.accepted, receipt.duplicates)
    }

    /// Sends events that must all be new.
    pub async fn add(&self, org: &str, events: &[Event]) {
        let lines: String = events.iter().map(Event::to_line).collect();
        let receipt = self.send_lines(org, &lines).await;
        assert_eq!(receipt.rejected, []);
        assert_eq!((receipt.accepted, receipt.duplicates), (events.len(), 0));
    }

    /// Sends newline-separated JSON as `org`.
    pub async fn send_lines(&self, org: &str, ndjson: &str) -> Receipt {
        self.try_send_lines(org, ndjson).await.unwrap()
    }

    async fn try_send_lines(&self, org: &str, ndjson: &str) -> Result<Receipt, AppError> {
        let org = OrgId::parse(org).unwrap();
        let decoded = self.app.decode(&org, &ContentKind::Ndjson, ndjson.as_bytes()).unwrap();
        self.app.commit(&org, decoded).await
    }

    /// Why `org` cannot send an event of now.
    pub async fn send_error(&self, org: &str) -> AppError {
        let line = Event::priced("an event of its own", self.clock.now(), "1").to_line();
        self.try_send_lines(org, &line).await.unwrap_err()
    }

    /// Makes a checkpoint of totals.
    pub async fn snapshot_totals(&self) {
        self.app.snapshot_totals().await.unwrap();
    }

    /// Expires what is older than so many days.
    pub async fn expire(&self, days: u64) -> Result<Expiry, AppError> {
        self.app.expire(retention(days)).await
    }

    /// The body of the default scrape of `org`.
    pub async fn try_scrape(&self, org: &str) -> Result<String, AppError> {
        self.try_scrape_as(org, &[], MetricsFormat::Text004).await
    }

    /// The same of one that works.
    pub async fn scrape(&self, org: &str) -> String {
        self.try_scrape(org).await.unwrap()
    }

    /// The body of a scrape that works and shows all that there is.
    pub async fn body(&self, org: &str) -> String {
        self.scrape_as(org, &ALL, MetricsFormat::Text004).await
    }

    /// A scrape of `org` with these values of `collect[]`.
    pub async fn scrape_as(&self, org: &str, collect: &[&str], format: MetricsFormat) -> String {
        self.try_scrape_as(org, collect, format).await.unwrap()
    }

    /// Why `org` cannot be scraped.
    pub async fn scrape_error(&self, org: &str) -> AppError {
        self.try_scrape(org).await.unwrap_err()
    }

    async fn try_scrape_as(
        &self,
        org: &str,
        collect: &[&str],
        format: MetricsFormat,
    ) -> Result<String, AppError> {
        let body = self.try_scrape_by(&caller(org), collect, format).await?;
        Ok(String::from_utf8(body).unwrap())
    }

    /// A scrape of any caller in any format.
    pub async fn try_scrape_by(
        &self,
        caller: &Caller,
        collect: &[&str],
        format: MetricsFormat,
    ) -> Result<Vec<u8>, AppError> {
        let collect = Collect::parse(collect.iter().copied()).unwrap();
        let form = BodyForm { collect, format, coding: Coding::Identity };
        Ok(self.app.scrape(caller, form, self.app.now()).await?.into())
    }

    /// The requests of [`ACME`] over all series.
    pub async fn requests(&self) -> u64 {
        requests(&self.scrape(ACME).await)
    }

    /// The gauge of `org`.
    pub async fn rolling(&self, org: &str) -> String {
        let label = org.to_lowercase();
        let sample = format!("llm_cost_usd_rolling_24h{{org_id=\"{label}\"}}");
        find_value(&self.scrape(org).await, &sample).expect("the gauge is always there").to_owned()
    }

    /// The counter `name` of `org`, of the series that [`Event`] has by default.
    pub async fn counter(&self, org: &str, name: &str) -> Option<String> {
        let sample = format!("{name}{{provider=\"openai\",model=\"gpt-4o\",org_id=\"{org}\"}}");
        find_value(&self.scrape(org).await, &sample).map(str::to_owned)
    }

    /// A counter of the process's own telemetry.
    pub fn telemetry(&self, name: &str) -> u64 {
        let text = self.app.telemetry().encode().unwrap();
        let value = find_value(&text, name).unwrap_or_else(|| panic!("no {name} in {text}"));
        value.parse().unwrap()
    }

    /// The newest version of the table.
    pub async fn snapshot(&self) -> Arc<Snapshot> {
        self.app.archive().newest().await.unwrap()
    }

    /// The queries over this archive.
    pub fn engine(&self) -> Engine {
        Engine::new(self.app.archive().store()).unwrap()
    }

    /// What `tokenlake verify` finds.
    pub async fn verify(&self) -> Report {
        self.verify_sample(None, CACHE_BYTES_MAX).await
    }

    async fn verify_sample(&self, sample: Option<Sample>, cache_bytes_max: usize) -> Report {
        let engine = Arc::new(self.engine());
        let rollup = Rollup::new(engine.clone(), None, cache_bytes_max, Telemetry::new());
        let (rollup, now, archive) = (Arc::new(rollup), self.clock.now(), self.app.archive());
        maintain::verify(archive, &engine, &rollup, now, sample, |_, _| ()).await.unwrap()
    }
}

/// Answers over HTTP, for as long as the runtime goes on; gives the address.
pub async fn serve(app: Arc<App>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, http::router(app, http::Scheme::Http)).into_future());
    url
}

/// Verifies the archive from its raw rows; gives the number of its events.
pub async fn verified(store: &Arc<dyn ObjectStore>) -> u64 {
    let report = verify(store).await;
    assert_eq!(report.differences, Vec::<String>::new());
    report.events
}

/// What verifying the archive finds.
pub async fn verify(store: &Arc<dyn ObjectStore>) -> Report {
    verify_sample(store, None).await
}

/// What verifying a share of the files finds, with memory for few partials.
pub async fn verify_sample(store: &Arc<dyn ObjectStore>, sample: Option<Sample>) -> Report {
    Lake::open(store).await.verify_sample(sample, 1 << 20).await
}
