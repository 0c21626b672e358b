//! The simulated world: a bucket, a book, a receiver, budgets and replicas.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use futures::FutureExt as _;
use object_store::ObjectStoreExt as _;
use object_store::memory::InMemory;

use super::book::{Book, SharedReceiver};
use super::bucket::Bucket;
use crate::archive::Records;
use crate::budget::courier::Courier;
use crate::budget::definition::{AskedBudget, DecimalText, Definition};
use crate::budget::evaluator::Evaluator;
use crate::budget::name::BudgetName;
use crate::budget::store::BudgetStore;
use crate::budget::stored::BudgetRecord;
use crate::clock::{Clock, DAY, HOUR, Micros, SECOND};
use crate::event::money::UNITS_PER_DOLLAR;

/// 2026-03-03T10:00:00Z, a Tuesday; New York's clock changes five days later.
const START: Micros = 1_772_532_000 * SECOND;
const ORG: &str = "Acme";
const BUDGETS: [(&str, &str, &str, &str); 4] = [
    ("daily", "day", "UTC", "100"),
    ("here", "day", "America/New_York", "250.50"),
    ("weekly", "week", "Asia/Kolkata", "900"),
    ("monthly", "month", "Europe/Berlin", "3000"),
];
const THRESHOLDS: [u32; 3] = [50, 80, 100];
const REPLICAS: usize = 3;
/// Looks after which each replica has started again and has seen everything.
const LOOKS_MIN: usize = 4;
/// An outage of the receiver is far shorter than the day after which a message is given up.
const OUTAGE_MAX: Micros = 6 * HOUR;

/// A replica's clock: that of the world, and how far off it is.
#[derive(Debug)]
struct WorldClock {
    now: Arc<AtomicI64>,
    off: AtomicI64,
}

impl Clock for WorldClock {
    fn now(&self) -> Micros {
        self.now.load(Ordering::SeqCst) + self.off.load(Ordering::SeqCst)
    }

    fn elapsed(&self) -> Duration {
        Duration::from_micros((self.now.load(Ordering::SeqCst) - START) as u64)
    }
}

struct Replica {
    bucket: Arc<Bucket>,
    clock: Arc<WorldClock>,
    courier: Arc<Courier>,
    evaluator: Evaluator,
}

pub struct World {
    rng: fastrand::Rng,
    now: Arc<AtomicI64>,
    objects: Arc<InMemory>,
    book: Book,
    pub receiver: SharedReceiver,
    /// `None` after a crash.
    replicas: Vec<Option<Replica>>,
    set_at: Micros,
    down_since: Micros,
    crashes: usize,
    late: usize,
}

impl World {
    /// Budgets that were just set, and replicas that have just started.
    pub fn new(seed: u64) -> Self {
        let mut world = Self {
            rng: fastrand::Rng::with_seed(seed),
            now: Arc::new(AtomicI64::new(START)),
            objects: Arc::new(InMemory::new()),
            book: Book::default(),
            receiver: SharedReceiver::new(seed),
            replicas: Vec::new(),
            set_at: START,
            down_since: START,
            crashes: 0,
            late: 0,
        };
        world.set_again();
        world.replicas = (0..REPLICAS).map(|_| Some(world.start())).collect();
        world
    }

    fn store(&self) -> BudgetStore {
        BudgetStore::new(Records::new(self.objects.clone()))
    }

    fn now(&self) -> Micros {
        self.now.load(Ordering::SeqCst)
    }

    fn pass(&self, seconds: i64) {
        self.now.fetch_add(seconds * SECOND, Ordering::SeqCst);
    }

    /// Sets every budget, as it was set before.
    pub fn set_again(&self) {
        for (name, ..) in BUDGETS {
            let (definition, name) = (definition(name), name.parse::<BudgetName>().unwrap());
            let now = self.now();
            let set = |known: &BudgetRecord| Ok(known.set(&definition, now));
            self.store().change(ORG, &name, set).now_or_never().unwrap().unwrap();
        }
    }

    pub fn set_thresholds(&self, name: &str, thresholds: &[u32]) {
        let mut definition = definition(name);
        definition.thresholds = thresholds.to_vec();
        let (name, now) = (name.parse::<BudgetName>().unwrap(), self.now());
        let set = |known: &BudgetRecord| Ok(known.set(&definition, now));
        self.store().change(ORG, &name, set).now_or_never().unwrap().unwrap();
    }

    /// Deletes what is open and is named so, or writes something else; how much that is.
    pub fn spoil(&self, name: &str, text: Option<&'static str>) -> usize {
        let records = Records::new(self.objects.clone());
        let open = records.list("budgets/open").now_or_never().unwrap().unwrap();
        let spoilt = open.iter().filter(|found| found.path.as_ref().ends_with(name));
        for found in spoilt.clone() {
            match text {
                Some(text) => {
                    let put = self.objects.put(&found.path, text.into());
                    put.now_or_never().unwrap().unwrap();
                }
                None => records.remove(&found.path).now_or_never().unwrap().unwrap(),
            }
        }
        spoilt.count()
    }

    pub fn restart_all(&mut self) {
        self.replicas = (0..REPLICAS).map(|_| Some(self.start())).collect();
    }

    pub fn remove_all(&self) {
        for (name, ..) in BUDGETS {
            let name = name.parse::<BudgetName>().unwrap();
            let removed = |known: &BudgetRecord| Ok(known.removed());
            self.store().change(ORG, &name, removed).now_or_never().unwrap().unwrap();
        }
    }

    fn start(&self) -> Replica {
        let seed = self.rng.clone().u64(..) ^ self.now() as u64;
        let bucket = Arc::new(Bucket::new(self.objects.clone(), seed));
        let off = AtomicI64::new(0);
        let clock = Arc::new(WorldClock { now: self.now.clone(), off });
        let store = Arc::new(BudgetStore::new(Records::new(bucket.clone())));
        let webhooks = Arc::new(self.receiver.clone());
        let courier = Arc::new(Courier::new(store.clone(), webhooks, clock.clone()));
        let book = Arc::new(self.book.clone());
        let evaluator = Evaluator::new(store, book, courier.clone(), clock.clone());
        Replica { bucket, clock, courier, evaluator }
    }

    /// Events of so many dollars come, of some days from now.
    pub fn spend(&mut self, days: i64, dollars: i128) {
        let ts = self.now() + days * DAY - 1;
        self.book.0.lock().add(ts, dollars * UNITS_PER_DOLLAR);
    }

    /// As [`super::book::Entries::redeclare`].
    pub fn redeclare(&self) {
        self.book.0.lock().redeclare();
    }

    pub fn today(&self) -> String {
        let now = chrono::DateTime::from_timestamp_micros(self.now()).unwrap();
        now.format("%Y-%m-%d").to_string()
    }

    pub fn next_day(&mut self) {
        self.pass(24 * 3_600);
    }

    /// Stops a replica after so many requests.
    pub fn crash_after(&mut self, replica: usize, requests: i64) {
        if let Some(replica) = &self.replicas[replica] {
            replica.bucket.fuel.store(requests, Ordering::SeqCst);
        }
    }

    /// What a replica does whenever there is something new.
    pub async fn look(&self, replica: usize) {
        let Some(replica) = &self.replicas[replica] else { return };
        // Errors of the store pass.
        let _ = replica.evaluator.look().await;
        let _ = replica.courier.look().await;
        loop {
            let due = replica.courier.due();
            if due.is_empty() {
                return;
            }
            for crossing in due {
                let _ = replica.courier.deliver(&crossing).await;
            }
        }
    }

    /// Lets a replica look; one that was stopped meanwhile is gone.
    fn step(&mut self, replica: usize) {
        if self.look(replica).now_or_never().is_none() {
            self.replicas[replica] = None;
            self.crashes += 1;
        }
    }

    /// Some days of trouble.
    pub fn run(&mut self, days: i64) {
        self.receiver.lock().one_odd_of = 8;
        let end = self.now() + days * DAY;
        while self.now() < end {
            let seconds = if self.rng.u32(0..4) == 0 { 5 } else { self.rng.i64(60..3_600) };
            self.pass(seconds);
            self.trouble();
            self.events();
            for replica in 0..REPLICAS {
                if self.rng.u32(0..3) > 0 {
                    self.step(replica);
                }
            }
        }
    }

    fn events(&mut self) {
        for _ in 0..self.rng.u32(0..3) {
            let (mut ts, mut units) =
                (self.now() - self.rng.i64(0..60) * SECOND, self.rng.i64(1..9_000_000_000_000));
            match self.rng.u32(0..40) {
                0..3 => {
                    ts -= self.rng.i64(0..40 * DAY);
                    self.late += 1;
                }
                3 => units *= -2,
                4 => ts += 4 * 60 * SECOND,
                _ => {}
            }
            self.book.0.lock().add(ts, units.into());
        }
    }

    fn trouble(&mut self) {
        let which = self.rng.usize(0..REPLICAS);
        if self.now() - self.down_since > OUTAGE_MAX {
            self.receiver.lock().is_down = false;
        }
        match self.rng.u32(0..60) {
            0 => {
                self.receiver.lock().is_down = true;
                self.down_since = self.now();
            }
            1..6 => self.receiver.lock().is_down = false,
            6..12 => {
                let requests = self.rng.i64(0..30);
                self.crash_after(which, requests);
            }
            12..20 if self.replicas[which].is_some() => {}
            12..20 => self.replicas[which] = Some(self.start()),
            20..24 => {
                let off = self.rng.i64(-3 * DAY..3 * DAY);
                self.set_clock(which, off);
            }
            24..34 => self.set_clock(which, 0),
            34..38 => self.set_faults(which, 4),
            38..48 => self.set_faults(which, 0),
            _ => {}
        }
    }

    fn set_clock(&self, replica: usize, off: Micros) {
        if let Some(replica) = &self.replicas[replica] {
            replica.clock.off.store(off, Ordering::SeqCst);
        }
    }

    fn set_faults(&self, replica: usize, one_of: u64) {
        if let Some(replica) = &self.replicas[replica] {
            replica.bucket.one_fails_of.store(one_of, Ordering::SeqCst);
        }
    }

    /// The trouble ends, and everything settles.
    pub fn heal(&mut self) {
        {
            let mut receiver = self.receiver.lock();
            (receiver.is_down, receiver.one_odd_of) = (false, 0);
        }
        for replica in 0..REPLICAS {
            self.crash_after(replica, -1);
            self.set_clock(replica, 0);
            self.set_faults(replica, 0);
        }
        self.settle();
    }

    /// Time passes until nothing is open.
    pub fn settle(&mut self) {
        let open = crate::budget::crossings::Crossings::new(Records::new(self.objects.clone()));
        for looks in 1..40 {
            for replica in 0..REPLICAS {
                self.step(replica);
                if self.replicas[replica].is_none() {
                    self.replicas[replica] = Some(self.start());
                }
            }
            self.pass(600);
            let open = open.open().now_or_never().unwrap().unwrap();
            if looks >= LOOKS_MIN && open.is_empty() {
                return;
            }
        }
        panic!("something stays open");
    }

    /// Compares what the receiver took with the book.
    pub fn check(&self) -> String {
        let receiver = self.receiver.lock();
        let mut told: BTreeMap<(String, String, u64), BTreeSet<&str>> = BTreeMap::new();
        for (id, body) in &receiver.taken {
            let body: serde_json::Value = serde_json::from_str(body).unwrap();
            let text = |name: &str| body["data"][name].as_str().unwrap().to_owned();
            let threshold = body["data"]["threshold"].as_u64().unwrap();
            told.entry((text("budget"), text("start"), threshold)).or_default().insert(id);
        }
        let (mut expected, mut possible) = (0, 0);
        for (name, ..) in BUDGETS {
            let Definition { amount, period, timezone, .. } = definition(name);
            for span in period.spans(timezone, self.set_at, self.now()) {
                let (spent, most) = self.book.0.lock().spent(span);
                for threshold in THRESHOLDS {
                    let start = crate::budget::message::utc(span.start);
                    let ids = told.remove(&(name.to_owned(), start.clone(), threshold.into()));
                    let ids = ids.map_or(0, |ids| ids.len());
                    let (must, may) =
                        (amount.is_crossed(spent, threshold), amount.is_crossed(most, threshold));
                    assert!(ids <= 1, "{name} {start} {threshold}: {ids} messages");
                    assert!(!must || ids == 1, "{name} {start} {threshold} is missing");
                    assert!(may || ids == 0, "{name} {start} {threshold} was never crossed");
                    expected += usize::from(must);
                    possible += usize::from(may && !must);
                }
            }
        }
        assert!(told.is_empty(), "of no period: {told:?}");
        format!(
            "{expected} messages that must come, {} that came, {possible} that corrections took back; {} tries, {} repeats, {} late events, {} crashes",
            receiver.taken.len(),
            receiver.tries,
            receiver.repeats,
            self.late,
            self.crashes
        )
    }
}

fn definition(name: &str) -> Definition {
    let (_, period, zone, amount) = BUDGETS.into_iter().find(|(known, ..)| *known == name).unwrap();
    Definition::read(&AskedBudget {
        amount: DecimalText(amount.to_owned()),
        period: period.to_owned(),
        timezone: Some(zone.to_owned()),
        thresholds: THRESHOLDS.to_vec(),
        webhook: "https://hooks.example.com/x".to_owned(),
        ..AskedBudget::default()
    })
    .unwrap()
}
