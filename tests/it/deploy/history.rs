//! Hours of past scrapes for a new Prometheus: the program in this process answers them at past
//! times, and promtool makes blocks of the answers.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use tokenlake::app::{App, BodyForm};
use tokenlake::archive::ArchiveLocation;
use tokenlake::clock::{ManualClock, Micros, SECOND};
use tokenlake::event::OrgId;
use tokenlake::exposition::{Coding, Collect, MetricsFormat};
use tokenlake::ingest::ContentKind;
use tokenlake::telemetry::Telemetry;

use super::content;
use crate::support::lake::{caller, settings};

/// One minute.
pub const MINUTE: Micros = 60 * SECOND;

/// An archive on a disk whose past is being made.
pub struct History {
    app: App,
    clock: Arc<ManualClock>,
    samples: String,
}

impl History {
    /// A new archive in `folder`.
    pub async fn at(folder: &Path, now: Micros) -> Self {
        let store = ArchiveLocation::parse(folder.to_str().unwrap()).unwrap().create().unwrap();
        let clock = Arc::new(ManualClock::at(now));
        let app = App::open(store, clock.clone(), Telemetry::new(), settings()).await.unwrap();
        Self { app, clock, samples: String::new() }
    }

    /// The time that it is in the past.
    pub fn set(&self, now: Micros) {
        self.clock.set(now);
    }

    /// Sends an event that must be new, at the present of the past.
    pub async fn send(&self, org: &str, event: serde_json::Value) {
        let org = OrgId::parse(org).unwrap();
        let body = event.to_string();
        let decoded = self.app.decode(&org, &ContentKind::Json, body.as_bytes()).unwrap();
        let receipt = self.app.commit(&org, decoded).await.unwrap();
        assert_eq!(receipt.accepted, 1, "{receipt:?}");
    }

    /// Keeps what a scrape of all families shows.
    pub async fn scrape(&mut self, org: &str) {
        let collect = ["core", "tokens", "pricing", "freshness"];
        let collect = Collect::parse(collect.into_iter()).unwrap();
        let form = BodyForm { collect, format: MetricsFormat::Text004, coding: Coding::Identity };
        let now = self.app.now();
        let body = self.app.scrape(&caller(org), form, now).await.unwrap();
        let body = String::from_utf8(body.into()).unwrap();
        self.keep(&body, &format!("job=\"tokenlake-{org}\""), now);
    }

    /// Keeps the samples of a scrape's text as they are at `now`, with the target's labels.
    pub fn keep(&mut self, body: &str, labels: &str, now: Micros) {
        for line in body.lines().filter(|line| !line.starts_with('#')) {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let series = match series.split_once('{') {
                Some((name, rest)) => format!("{name}{{{labels},{rest}"),
                None => format!("{series}{{{labels}}}"),
            };
            self.samples.push_str(&format!("{series} {value} {}\n", now / SECOND));
        }
    }

    /// Makes blocks of all that was kept, in a Prometheus's data folder.
    pub async fn store(self, data: &Path) {
        self.app.close().await;
        let text = data.with_extension("openmetrics");
        std::fs::write(&text, self.samples + "# EOF\n").unwrap();
        let kind = ["tsdb", "create-blocks-from", "openmetrics"];
        content(Command::new("promtool").args(kind).arg(&text).arg(data));
    }
}
