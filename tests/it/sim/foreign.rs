//! Another program that writes the table: its appends and optimizations change no number; its
//! deletions and doubled events are refused until an operator repairs the table.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::DateTime;
use object_store::ObjectStore;
use serde_json::Value;
use tokenlake::archive::{Judge, Ledgers, Repairs, TotalsStore};
use tokenlake::error::Kind;
use tokenlake::event::{EventBatchBuilder, OrgId, OrgRule};
use tokenlake::ingest::{ContentKind, decode};
use tokenlake::maintain::{Repair, Way};
use tokenlake::rollup::Rollup;
use tokenlake::sql::{Engine, sql_version};
use tokenlake::telemetry::Telemetry;

use super::book::ORGS;
use super::counts::Count;
use super::delta::{Table, rows};
use super::history::Scene;
use super::link::Link;
use super::place::Place;
use super::world::MachineClock;
use crate::support::foreign::File;
use crate::support::random::Random;
use crate::support::table::log_checkpoint;

/// Whose milliseconds repairs and checkpoints act in.
const MENDER: u64 = 27;
/// What one try of a repair may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// The other program, and who repairs what it does.
#[derive(Debug)]
struct Foreigner {
    scene: Arc<Scene>,
    actor: u64,
    random: Random,
    table: Table,
    /// Links that were used.
    links: u64,
    /// What it appended while commits were refused.
    pending: Vec<(usize, Vec<u32>)>,
}

/// Writes to the table, until told that it is over.
pub async fn foreigner(scene: Arc<Scene>, actor: u64, over: Arc<AtomicBool>) {
    let random = Random(scene.world.seed ^ (actor << 48));
    let (table, pending) = (Table::default(), Vec::new());
    let mut foreigner = Foreigner { scene, actor, random, table, links: 0, pending };
    for _ in 0..2 + foreigner.random.below(6) {
        foreigner.pause(5_000).await;
        if over.load(Ordering::SeqCst) {
            return;
        }
        foreigner.one_thing().await;
    }
}

impl Foreigner {
    async fn pause(&mut self, most: u64) {
        let pause = Duration::from_millis(self.random.below(most));
        self.scene.world.wait(self.actor, pause).await;
    }

    fn place(&self) -> Arc<Place> {
        self.scene.bucket.right().clone()
    }

    fn one_in(&mut self, count: u64) -> bool {
        self.random.below(count) == 0
    }

    async fn one_thing(&mut self) {
        let scene = self.scene.clone();
        let door = scene.bucket.door.read().await;
        self.pause(1).await;
        self.table.follow(&self.place()).await;
        if !self.table.is_there() {
            return;
        }
        match self.random.below(4) {
            0 => self.append().await,
            1 => self.optimize().await,
            _ => {
                let Some(way) = self.upset().await else { return };
                self.more(way).await;
                drop(door);
                self.pause(12_000).await;
                let _door = scene.bucket.door.read().await;
                self.pause(1).await;
                self.repair(way).await;
                return;
            }
        }
        if self.one_in(3) {
            self.checkpoint().await;
        }
    }

    async fn commit(&mut self, operation: &str, actions: &[Value]) -> u64 {
        self.scene.world.counts.add(Count::Foreign, 1);
        let place = self.place();
        let version = self.table.commit(&place, operation, actions).await;
        self.scene.world.tell(|| format!("another program makes version {version}: {operation}"));
        version
    }

    /// Appends a file with events that nobody else sends.
    async fn append(&mut self) {
        let org = usize::try_from(self.random.below(ORGS.len() as u64)).unwrap();
        let left = self.scene.book.reserved(org, self.scene.highest_floor());
        let date = |ts| DateTime::from_timestamp_micros(ts).unwrap().date_naive();
        let Some((_, first)) = left.first().copied() else { return };
        let events = left.iter().filter(|(_, ts)| date(*ts) == date(first));
        let events: Vec<_> = events.map(|(nth, _)| *nth).collect();
        let lines = self.scene.book.lines(org, &events);
        let rule = OrgRule::Only(OrgId::parse(ORGS[org]).unwrap());
        let now = self.scene.world.now();
        let builder = EventBatchBuilder::new(rule, now);
        let decoded = decode(&ContentKind::Ndjson, lines.as_bytes(), builder).unwrap();
        let batch = decoded.batch.record_batch().clone();
        let place = self.place();
        let file = self.table.write(&place, &date(first).to_string(), &[batch]).await;
        let mask = events.iter().fold(0, |mask, nth| mask | 1 << nth);
        self.table.own.insert(file.path.clone(), (org, mask));
        let add = Table::add(&file, true, self.one_in(2));
        self.commit("WRITE", &[add]).await;
        self.pending.push((org, events));
        if !self.scene.trouble.is_there() {
            self.settle();
        }
    }

    /// What was appended is counted from now on.
    fn settle(&mut self) {
        for (org, events) in self.pending.drain(..) {
            self.scene.book.acknowledged(org, &events, &[]);
        }
    }

    /// Any live file.
    fn any(&mut self) -> Option<File> {
        let count = self.table.live.len() as u64;
        let at = usize::try_from(self.random.below(count.max(1))).unwrap();
        self.table.live.get(at).cloned()
    }

    /// Some live files of one date.
    fn some(&mut self) -> Vec<File> {
        let Some(one) = self.any() else { return Vec::new() };
        let most = 1 + usize::try_from(self.random.below(3)).unwrap();
        let others = self.table.live.iter().filter(|file| file.date == one.date);
        let others = others.filter(|file| file.path != one.path).take(most - 1).cloned();
        std::iter::once(one.clone()).chain(others).collect()
    }

    /// Moves the rows of some files into one.
    async fn optimize(&mut self) {
        let files = self.some();
        let Some(first) = files.first() else { return };
        let place = self.place();
        let mut batches = Vec::new();
        for file in &files {
            batches.extend(rows(&place, file).await);
        }
        let merged = self.table.write(&place, &first.date, &batches).await;
        let mut actions: Vec<_> = files.iter().map(|file| file.remove(false)).collect();
        actions.push(Table::add(&merged, false, self.one_in(2)));
        self.commit("OPTIMIZE", &actions).await;
    }

    /// Commits what is refused; gives how that is to be repaired.
    async fn upset(&mut self) -> Option<Way> {
        let file = self.any()?;
        let place = self.place();
        let (with_statistics, what) = (self.one_in(2), self.random.below(6));
        let accepted = self.table.live.iter().find_map(|file| {
            let (org, events) = self.table.own.get(&file.path)?;
            Some((file.clone(), *org, *events))
        });
        let (operation, actions) = match (what, accepted) {
            (0, Some((file, org, events))) => {
                // Nobody sends these again, so counters and ids can be told apart for good.
                self.scene.book.leave(org, events);
                self.begin("DELETE", &[file.remove(true)]).await;
                return Some(Way::Accept);
            }
            (0 | 1, _) => {
                let files = self.some();
                ("DELETE", files.iter().map(|file| file.remove(true)).collect())
            }
            (2, _) => {
                let copy = self.table.copy(&place, &file).await;
                ("OVERWRITE", vec![Table::add(&copy, true, with_statistics), file.remove(true)])
            }
            (3, _) => {
                let copy = self.table.copy(&place, &file).await;
                ("OPTIMIZE", vec![Table::add(&copy, false, with_statistics)])
            }
            (4, _) => {
                // Another optimizer was faster: what it took away is taken away again.
                let copy = self.table.copy(&place, &file).await;
                let never = File { path: copy.path.replace("other", "never"), ..copy.clone() };
                let gone = self.table.gone.last().unwrap_or(&never).remove(false);
                ("OPTIMIZE", vec![Table::add(&copy, false, with_statistics), gone])
            }
            _ => ("OPTIMIZE", vec![file.remove(false)]),
        };
        self.begin(operation, &actions).await;
        Some(Way::Undo)
    }

    async fn begin(&mut self, operation: &str, actions: &[Value]) {
        let version = self.commit(operation, actions).await;
        self.scene.trouble.begin(version, self.scene.world.elapsed());
        self.scene.world.counts.add(Count::Troubles, 1);
    }

    /// What else happens while commits are refused.
    async fn more(&mut self, way: Way) {
        for _ in 0..self.random.below(3) {
            match (way, self.random.below(3)) {
                (Way::Accept, _) => {}
                (Way::Undo, 0) => self.append().await,
                (Way::Undo, 1) => self.optimize().await,
                (Way::Undo, _) => {
                    if let Some(file) = self.any() {
                        self.commit("DELETE", &[file.remove(true)]).await;
                    }
                }
            }
        }
        if !self.one_in(3) {
            self.checkpoint().await;
        }
        let scene = self.scene.clone();
        for _ in 0..self.random.below(4) {
            scene.any(&mut self.random).crash();
        }
    }

    /// Makes a checkpoint of the log.
    async fn checkpoint(&mut self) {
        self.table.follow(&self.place()).await;
        let version = self.table.newest();
        let store: Arc<dyn ObjectStore> = Arc::new(self.link().faultless());
        log_checkpoint(&store, version).await.unwrap();
        self.scene.world.counts.add(Count::LogCheckpoints, 1);
    }

    fn link(&mut self) -> Link {
        self.links += 1;
        let (bucket, world) = (self.scene.bucket.clone(), self.scene.world.clone());
        Link::new(bucket, world, MENDER, self.links)
    }

    /// An operator repairs the table, however often that must be tried.
    async fn repair(&mut self, way: Way) {
        loop {
            let store: Arc<dyn ObjectStore> = Arc::new(self.link());
            let clock = MachineClock::new(self.scene.world.clone());
            let engine = Arc::new(Engine::new(store.clone()).unwrap());
            let totals = TotalsStore::new(store.clone(), clock.clone(), sql_version()).unwrap();
            let repair = Repair {
                repairs: Repairs::new(store.clone(), clock).unwrap(),
                ledgers: Ledgers::new(store.clone()),
                rollup: Rollup::new(engine, Some(totals), 8 << 20, Telemetry::new()),
                judge: Judge::new(store),
            };
            match tokio::time::timeout(PATIENCE, repair.run(way, false)).await {
                Ok(Ok(_)) => break,
                Err(_) => {}
                Ok(Err(error)) => {
                    assert_eq!(error.kind(), Kind::Unavailable, "repairing: {error}");
                }
            }
            self.pause(1_000).await;
        }
        self.scene.world.counts.add(Count::Repairs, 1);
        self.scene.world.tell(|| format!("repaired: {way:?}"));
        self.scene.trouble.end(self.scene.world.elapsed());
        if way == Way::Accept {
            self.scene.book.left();
        }
        self.settle();
    }
}
