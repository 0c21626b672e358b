//! Property tests over random histories of an archive that several processes share: a scrape is a
//! function of the events sent and of the time, whatever happened to the files meanwhile.

mod model;
mod steps;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{NaiveDate, NaiveTime};
use futures::TryStreamExt as _;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore as _, ObjectStoreExt as _};
use proptest::prelude::*;
use tokenlake::app::Receipt;
use tokenlake::clock::{Clock as _, DAY, ManualClock, Micros};
use tokenlake::error::Kind;
use tokenlake::event::OrgId;
use tokenlake::exposition::MetricsFormat;
use tokenlake::rollup::Rollup;
use tokenlake::telemetry::Telemetry;

use crate::support::event::{Event, NOW};
use crate::support::lake::{CACHE_BYTES_MAX, Lake};
use crate::support::rewrite::{dates, delete, rewrite};
use model::{Model, units};
use steps::{Damage, Draft, ORGS, REPLICAS, Step, steps};

/// One process remembers all partials, one hardly any, one none.
const CACHES: [usize; REPLICAS] = [CACHE_BYTES_MAX, 1 << 20, 0];

/// The archive, the processes on it, and what must be true of them.
struct World {
    replicas: Vec<Lake>,
    model: Model,
    batches: Vec<(&'static str, Vec<Event>)>,
    /// The start of the floor date.
    floor: Micros,
    /// The counters last seen, by sample.
    counters: BTreeMap<String, i128>,
}

impl World {
    async fn new() -> Self {
        let (store, clock) = (Arc::new(InMemory::new()), Arc::new(ManualClock::at(NOW)));
        let mut replicas = Vec::new();
        for bytes in CACHES {
            replicas.push(Lake::on(store.clone(), clock.clone(), bytes).await);
        }
        Self {
            replicas,
            model: Model::default(),
            batches: Vec::new(),
            floor: Micros::MIN,
            counters: BTreeMap::new(),
        }
    }

    async fn take(&mut self, step: &Step) {
        match step {
            Step::Send { replica, org, drafts } => self.send(*replica, org, drafts).await,
            Step::Resend { replica, nth } => self.resend(*replica, *nth).await,
            Step::Rewrite { date, parts, delete } => self.rewrite(*date, *parts, *delete).await,
            Step::Checkpoint { replica } => self.replicas[*replica].snapshot_totals().await,
            Step::Damage { nth, how } => damage(&self.replicas[0], *nth, *how).await,
            Step::Expire { replica, days, delete } => self.expire(*replica, *days, *delete).await,
            // No window reaches back to before the floor, where it would miss what expired.
            Step::Pass(micros) => {
                let now = self.replicas[0].clock.now() + micros;
                if now - DAY >= self.floor {
                    self.replicas[0].clock.set(now);
                }
            }
            Step::Scrape { org } => self.scrape_all(org).await,
            Step::ScrapeOne { replica, org } => {
                let body =
                    self.replicas[*replica].scrape_as(org, &GROUPS, MetricsFormat::Text004).await;
                self.check(org, &body);
            }
        }
    }

    async fn send(&mut self, replica: usize, org: &'static str, drafts: &[Draft]) {
        let now = self.replicas[0].clock.now();
        let batch = self.batches.len();
        let events =
            (0..).zip(drafts).map(|(n, draft): (usize, _)| draft.at(format!("{batch}-{n}"), now));
        let (taken, late): (Vec<_>, Vec<_>) = events.partition(|event| event.ts >= self.floor);
        let lines: String = taken.iter().chain(&late).map(Event::to_line).collect();
        let receipt = self.replicas[replica].send_lines(org, &lines).await;
        assert_eq!((receipt.accepted, receipt.duplicates), (taken.len(), 0));
        assert_rejected(&receipt, taken.len(), &late);
        let events = taken;
        self.model.rows.extend(events.iter().map(|event| (org, event.clone())));
        self.batches.push((org, events));
    }

    async fn resend(&mut self, replica: usize, nth: usize) {
        let Some(nth) = nth.checked_rem(self.batches.len()) else { return };
        let (org, events) = &self.batches[nth];
        // A clock that was set back takes the newest events for ones of the future.
        let now = self.replicas[0].clock.now();
        let events = events.iter().filter(|event| event.ts <= now).cloned();
        let (known, late): (Vec<_>, Vec<_>) = events.partition(|event| event.ts >= self.floor);
        let lines: String = known.iter().chain(&late).map(Event::to_line).collect();
        let receipt = self.replicas[replica].send_lines(org, &lines).await;
        assert_eq!(receipt.accepted, 0);
        // One that has not followed an expiry yet, and has nothing to commit that would make it,
        // still knows what has gone, and rightly calls it a repeat.
        let (ids, rejected) = (late.iter().map(|event| &event.id), &receipt.rejected);
        let ids: Vec<_> = ids.collect();
        assert!(rejected.iter().all(|one| ids.contains(&one.event_id.as_ref().unwrap())));
        assert!(rejected.iter().all(|one| one.error.contains("before the floor")));
        assert_eq!(receipt.duplicates + rejected.len(), known.len() + late.len());
    }

    async fn expire(&mut self, replica: usize, days: u64, old_go: bool) {
        let lake = &self.replicas[replica];
        let (before, old) = (self.core().await, lake.snapshot().await);
        let expiry = lake.expire(days).await.unwrap();
        let now = lake.snapshot().await;
        let gone: Vec<_> = old.files().filter(|file| !now.is_live(file)).cloned().collect();
        assert_eq!(expiry.files, gone.len());
        assert_eq!(now.floor(), expiry.floor);
        let start = |floor: NaiveDate| floor.and_time(NaiveTime::MIN).and_utc();
        let floor = expiry.floor.map(|floor| start(floor).timestamp_micros());
        self.floor = floor.unwrap_or(Micros::MIN);
        if old_go {
            delete(lake, &gone).await;
        }
        assert_eq!(self.core().await, before, "an expiry changed what is shown");
    }

    async fn rewrite(&self, date: usize, parts: usize, old_go: bool) {
        let lake = &self.replicas[0];
        let dates = dates(lake).await;
        let Some(date) = date.checked_rem(dates.len()).map(|at| dates[at]) else { return };
        let before = self.core().await;
        let old: Vec<_> = lake.snapshot().await.files_of(date).cloned().collect();
        rewrite(lake, date, parts).await;
        if old_go {
            delete(lake, &old).await;
        }
        assert_eq!(self.core().await, before, "a rewrite changed what is shown");
    }

    /// The default answers of the first replica.
    async fn core(&self) -> Vec<String> {
        let mut bodies = Vec::new();
        for org in ORGS {
            bodies.push(self.replicas[0].scrape(org).await);
        }
        bodies
    }

    async fn scrape_all(&mut self, org: &str) {
        let fresh = self.replicas[0].replica(CACHE_BYTES_MAX).await;
        let all = ["core", "tokens", "pricing", "freshness"];
        let expected = fresh.scrape_as(org, &all, MetricsFormat::Text004).await;
        for (replica, cache_bytes_max) in self.replicas.iter().zip(CACHES) {
            let body = replica.scrape_as(org, &all, MetricsFormat::Text004).await;
            assert_eq!(body, expected, "with a cache of {cache_bytes_max} bytes");
        }
        let body = fresh.scrape_as(org, &GROUPS, MetricsFormat::Text004).await;
        self.check(org, &body);
    }

    /// A body of [`GROUPS`] is what the events amount to, and no counter is below what it was.
    fn check(&mut self, org: &str, body: &str) {
        let now = self.replicas[0].clock.now();
        let samples = body.lines().filter(|line| !line.starts_with('#'));
        assert_eq!(samples.collect::<Vec<_>>(), self.model.samples(org, now));
        let counters = body.lines().filter(|line| line.contains("_total{"));
        let mut seen = 0;
        for line in counters {
            let (sample, value) = line.rsplit_once(' ').unwrap();
            let now = units(value);
            let before = self.counters.insert(sample.to_owned(), now).unwrap_or_default();
            assert!(before <= now, "{sample} fell from {before} to {now}");
            seen += 1;
        }
        let label = format!("org_id=\"{}\"}}", org.to_lowercase());
        let known = self.counters.keys().filter(|sample| sample.ends_with(&label)).count();
        assert_eq!(seen, known, "a counter is gone");
    }

    async fn check_all(&mut self) {
        for org in ORGS {
            self.scrape_all(org).await;
        }
        let report = self.replicas[0].verify().await;
        assert_eq!(report.differences, [""; 0]);
        let live = self.model.rows.iter().filter(|(_, event)| event.ts >= self.floor);
        assert_eq!(report.events, live.count() as u64);
    }
}

/// The events after the first `before` are refused, and the floor is why.
fn assert_rejected(receipt: &Receipt, before: usize, late: &[Event]) {
    assert_eq!(receipt.rejected.len(), late.len());
    for ((index, event), rejection) in (before..).zip(late).zip(&receipt.rejected) {
        assert_eq!((rejection.index, rejection.event_id.as_ref()), (index, Some(&event.id)));
        assert!(rejection.error.contains("before the floor"), "{rejection:?}");
    }
}

/// Damages one of the objects from which scrapes may start, and need not.
async fn damage(lake: &Lake, nth: usize, how: Damage) {
    let objects = paths(lake, "checkpoints").await;
    let Some(path) = nth.checked_rem(objects.len()).map(|at| &objects[at]) else { return };
    let mut bytes = lake.store.get(path).await.unwrap().bytes().await.unwrap().to_vec();
    match how {
        Damage::Deleted => return lake.store.delete(path).await.unwrap(),
        Damage::Cut(part) => bytes.truncate(bytes.len() * part / 256),
        Damage::Flipped(part) => {
            let at = bytes.len() * part / 256;
            bytes[at] ^= 4;
        }
    }
    lake.store.put(path, bytes.into()).await.unwrap();
}

async fn paths(lake: &Lake, prefix: &str) -> Vec<Path> {
    let found = lake.store.list(Some(&prefix.into())).map_ok(|object| object.location);
    let mut paths: Vec<_> = found.try_collect().await.unwrap();
    paths.sort();
    paths
}

/// What the model knows.
const GROUPS: [&str; 2] = ["core", "pricing"];

fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(work)
}

proptest! {
    #![proptest_config(ProptestConfig {
        // A history is worth many single cases; PROPTEST_CASES=4096 asks for 256 of them.
        cases: ProptestConfig::default().cases.div_ceil(16),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_scrape_depends_on_the_events_and_the_time_alone(history in steps()) {
        run(async {
            let mut world = World::new().await;
            for step in &history {
                world.take(step).await;
            }
            world.check_all().await;
        });
    }
}

#[test]
fn a_writer_behind_a_rewrite_finds_its_ids_in_the_new_files() {
    run(async {
        let lake = Lake::at(NOW).await;
        let behind = lake.replica(0).await;
        let first = Event::priced("a", NOW, "1");
        lake.add("acme", std::slice::from_ref(&first)).await;
        behind.snapshot().await;
        let old: Vec<_> = lake.snapshot().await.files().cloned().collect();
        rewrite(&lake, old[0].date, 1).await;
        delete(&lake, &old).await;
        let lines = first.to_line() + &Event::priced("b", NOW, "1").to_line();
        let receipt = behind.send_lines("acme", &lines).await;
        assert_eq!((receipt.accepted, receipt.duplicates), (1, 1));
        assert_eq!(lake.rolling("acme").await, "2");
    });
}

#[test]
fn a_file_that_is_lost_fails_the_scrape_and_the_writer() {
    run(async {
        let lake = Lake::at(NOW).await;
        let other = lake.replica(0).await;
        lake.add("acme", &[Event::priced("a", NOW, "1")]).await;
        let files: Vec<_> = lake.snapshot().await.files().cloned().collect();
        delete(&lake, &files).await;
        for error in [other.scrape_error("acme").await, other.send_error("acme").await] {
            assert_eq!(error.kind(), Kind::Corrupt);
            assert!(error.to_string().contains(&*files[0].path), "{error}");
        }
    });
}

#[test]
fn a_scrape_that_was_overtaken_shows_no_less_when_the_clock_is_set_back() {
    run(async {
        let lake = Lake::at(NOW).await;
        lake.add("acme", &[Event::priced("a", NOW - 5 * DAY, "1")]).await;
        let early = lake.snapshot().await;
        lake.add("acme", &[Event::priced("b", NOW - 5 * DAY, "2")]).await;
        let late = lake.snapshot().await;
        let rollup = Rollup::new(Arc::new(lake.engine()), None, CACHE_BYTES_MAX, Telemetry::new());
        for (snapshot, now) in [(&late, NOW), (&early, NOW - 5 * DAY), (&early, NOW)] {
            let org = OrgId::parse("acme").unwrap();
            let turn = rollup.turn(org.as_str()).await;
            let version = rollup.show(turn, &org, snapshot, now, |view| view.archive_version);
            assert_eq!(version.await.unwrap(), late.version());
        }
    });
}
