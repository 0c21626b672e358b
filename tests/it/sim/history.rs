//! One history: everything that happens from one seed, and the checks at its end.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use chrono::{NaiveDate, NaiveTime};
use object_store::ObjectStore;
use tokenlake::app::AppSettings;
use tokenlake::clock::{HOUR, Micros};
use tokenlake::error::Kind;
use tokenlake::maintain::{compact, verify};
use tokenlake::rollup::Rollup;
use tokenlake::sql::Engine;
use tokenlake::telemetry::Telemetry;
use tokio::task::JoinSet;

use super::actors;
use super::book::{Book, ORGS};
use super::bucket::Bucket;
use super::counts::{Count, Counts};
use super::foreign;
use super::host::{Host, Process, Silence, open};
use super::link::Link;
use super::operator;
use super::reprice::{self, KnownCalls};
use super::showback;
use super::swap;
use super::trouble::Trouble;
use super::usage;
use super::world::{MachineClock, World};
use crate::support::random::Random;
use crate::support::store::log_entry;

/// Whose milliseconds the one who looks at the end acts in.
const JUDGE: u64 = 30;
/// How long what was under way may take to come to rest.
const REST: Duration = Duration::from_secs(100);
/// Longer than anything that is waited for.
const HISTORY_MAX: Duration = Duration::from_secs(6 * 3_600);

/// The machines, and what is known of them.
#[derive(Debug)]
pub struct Scene {
    pub world: Arc<World>,
    pub book: Book,
    /// Where jobs run.
    pub jobs: Host,
    pub bucket: Arc<Bucket>,
    pub trouble: Trouble,
    /// Whether scrapes ask for dimensions, too.
    shows_parts: AtomicBool,
    /// Whether some events are corrections, so that scrapes ask for credits.
    corrects: AtomicBool,
    servers: Vec<Host>,
    highest_floor: AtomicI64,
}

impl Scene {
    fn new(world: Arc<World>, random: &mut Random) -> Arc<Self> {
        let bucket = Bucket::new(world.clone());
        let mut host = |actor| Host::new(world.clone(), bucket.clone(), actor, random);
        let jobs = host(0);
        let servers = (1..=3).map(&mut host).collect();
        let book = Book::new(random);
        let highest_floor = AtomicI64::new(Micros::MIN);
        let trouble = Trouble::default();
        let [shows_parts, corrects] = [false, false].map(AtomicBool::new);
        Arc::new(Self {
            world,
            book,
            jobs,
            bucket,
            trouble,
            shows_parts,
            corrects,
            servers,
            highest_floor,
        })
    }

    /// The groups that scrapes ask for.
    pub fn groups(&self) -> Vec<&'static str> {
        let further = [("dimensions", &self.shows_parts), ("pricing", &self.corrects)];
        let asked = further.into_iter().filter(|(_, asked)| asked.load(Ordering::SeqCst));
        std::iter::once("core").chain(asked.map(|(group, _)| group)).collect()
    }

    /// A machine that serves.
    pub fn server(&self, random: &mut Random) -> &Host {
        &self.servers[usize::try_from(random.below(self.servers.len() as u64)).unwrap()]
    }

    /// Any machine.
    pub fn any(&self, random: &mut Random) -> &Host {
        let nth = usize::try_from(random.below(self.servers.len() as u64 + 1)).unwrap();
        self.servers.get(nth).unwrap_or(&self.jobs)
    }

    /// All machines.
    pub fn hosts(&self) -> impl Iterator<Item = &Host> {
        self.servers.iter().chain([&self.jobs])
    }

    /// Somebody may expire what is before this date.
    pub fn raise_floor(&self, date: NaiveDate) {
        let start = date.and_time(NaiveTime::MIN).and_utc().timestamp_micros();
        self.highest_floor.fetch_max(start, Ordering::SeqCst);
    }

    /// The start of the first date that surely was not expired.
    pub fn highest_floor(&self) -> Micros {
        self.highest_floor.load(Ordering::SeqCst)
    }

    /// Makes sure that what was asked for at `began` may be answered now.
    pub async fn answered(&self, began: Micros, what: &str) {
        assert!(self.bucket.was_right_since(began), "{what}: the archive is not there");
        let Some(refused) = self.trouble.before(began) else { return };
        let mut version = refused + 1;
        while let Some(entry) = self.bucket.right().read(&log_entry(version)).await {
            if String::from_utf8_lossy(&entry).contains("tokenlakeRepairsAfter") {
                return;
            }
            version += 1;
        }
        panic!("{what}: version {refused} is to be refused");
    }

    /// As [`Scene::answered`], of what does not look at the newest entries.
    pub fn is_there(&self, began: Micros, what: &str) {
        let may = self.bucket.was_right_since(began) || self.bucket.was_alike_since(began);
        assert!(may, "{what}: the archive is not there");
    }

    /// Makes sure that there may be no answer to what was asked for at `began`.
    pub fn excuse(&self, began: Micros, silence: Silence, what: &str) {
        match silence {
            Silence::Unavailable => {}
            Silence::Error(kind, error) => {
                let may = kind == Kind::Corrupt && self.trouble.was_since(began, &error);
                assert!(may, "{what}: {error}");
            }
        }
    }

    async fn judge(&self, clock: Arc<MachineClock>) -> Process {
        let link = Link::new(self.bucket.clone(), self.world.clone(), JUDGE, 0).faultless();
        let settings = AppSettings { cache_bytes_max: 64 << 20, ..AppSettings::default() };
        open(&link, clock, settings).await.unwrap()
    }
}

/// Runs the history of a seed; panics where something does not hold.
pub fn run(seed: u64) -> Counts {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .max_blocking_threads(8)
        .build()
        .unwrap();
    let world = runtime.block_on(async {
        let world = World::new(seed);
        let history = tokio::time::timeout(HISTORY_MAX, history(world.clone()));
        history.await.expect("the history comes to an end");
        world
    });
    // What hangs for ever is no longer waited for.
    runtime.shutdown_background();
    world.counts.add(Count::Histories, 1);
    let counts = Counts::default();
    counts.merge(&world.counts);
    counts
}

async fn history(world: Arc<World>) {
    let mut random = Random(world.seed);
    let scene = Scene::new(world.clone(), &mut random);
    world.set_faults([30, 100, 150][usize::try_from(random.below(3)).unwrap()]);
    let over = Arc::new(AtomicBool::new(false));
    let settled_down = Arc::new(AtomicBool::new(false));
    let (mut guards, mut lasting) = (JoinSet::new(), JoinSet::new());
    for which in 0..scene.hosts().count() {
        let (actor, over) = (4 + which as u64, settled_down.clone());
        guards.spawn(operator::supervisor(scene.clone(), actor, which, over));
    }
    lasting.spawn(operator::operator(scene.clone(), 8, over.clone()));
    lasting.spawn(operator::operator(scene.clone(), 9, over.clone()));
    lasting.spawn(operator::fate(scene.clone(), 10, over.clone()));
    lasting.spawn(actors::keeper(scene.clone(), 11, over.clone()));
    lasting.spawn(actors::scraper(scene.clone(), 12, over.clone()));
    lasting.spawn(actors::scraper(scene.clone(), 13, over.clone()));
    // Of another seed, so that a history without these is what it was before there were any.
    let mut chosen = Random(!world.seed);
    if chosen.below(2) == 0 {
        lasting.spawn(swap::swapper(scene.clone(), 24, over.clone()));
    }
    let has_foreigner = chosen.below(2) == 0;
    if has_foreigner {
        scene.book.reserve(&mut chosen);
        lasting.spawn(foreign::foreigner(scene.clone(), 26, over.clone()));
    }
    // Of another seed again, for the same reason.
    if Random(world.seed.rotate_left(17) ^ 0x5EED).below(2) == 0 {
        scene.shows_parts.store(true, Ordering::SeqCst);
        lasting.spawn(showback::declarer(scene.clone(), 28, over.clone()));
    }
    if Random(world.seed.rotate_left(29) ^ 0xC0DE).below(2) == 0 {
        scene.corrects.store(true, Ordering::SeqCst);
        scene.book.correct(&mut Random(world.seed.rotate_left(31)));
    }
    // Who takes away corrections, and not their calls, has them made again.
    let reprices = !has_foreigner && Random(world.seed.rotate_left(41) ^ 0xB111).below(2) == 0;
    let priced_later = Arc::<KnownCalls>::default();
    for actor in [29, 31].into_iter().filter(|_| reprices) {
        let known = priced_later.clone();
        lasting.spawn(reprice::repricer(scene.clone(), actor, known, over.clone()));
    }
    let mut working = JoinSet::new();
    let batches = actors::batches(&scene.book, &mut random);
    let share = batches.len().div_ceil(3);
    for (actor, batches) in (14..).zip(batches.chunks(share)) {
        working.spawn(actors::client(scene.clone(), actor, batches.to_vec()));
    }
    let folder = Arc::new(tempfile::tempdir().unwrap());
    for actor in 20..20 + random.below(3) {
        working.spawn(actors::backfill(scene.clone(), actor, folder.clone()));
    }
    join(&mut working, &mut lasting).await;
    over.store(true, Ordering::SeqCst);
    world.set_faults(0);
    join(&mut lasting, &mut guards).await;
    settled_down.store(true, Ordering::SeqCst);
    join(&mut guards, &mut JoinSet::new()).await;
    settled(&scene, &mut random, reprices.then_some(&*priced_later)).await;
}

/// Waits for all tasks of the first set; what fails in either fails the history.
async fn join(all: &mut JoinSet<()>, beside: &mut JoinSet<()>) {
    loop {
        tokio::select! {
            biased;
            done = all.join_next() => match done {
                Some(done) => fail(done),
                None => return,
            },
            Some(done) = beside.join_next() => fail(done),
        }
    }
}

fn fail(done: Result<(), tokio::task::JoinError>) {
    if let Err(error) = done {
        std::panic::resume_unwind(error.into_panic());
    }
}

/// What must hold once nothing fails any longer.
async fn settled(scene: &Scene, random: &mut Random, priced_later: Option<&KnownCalls>) {
    scene.world.wait(JUDGE, REST).await;
    for host in scene.hosts() {
        if host.running().is_none() {
            host.start().await;
        }
        host.clock.step(0);
    }
    actors::settle(scene, JUDGE, random).await;
    let clock = MachineClock::new(scene.world.clone());
    let judge = scene.judge(clock.clone()).await;
    for (org, name) in ORGS.iter().enumerate() {
        let mut shown = BTreeSet::new();
        let running = scene.hosts().filter_map(Host::running).chain([judge.clone()]);
        for process in running {
            let floor = scene.book.floor(org);
            let (now, body) = process.scrape_with(name, &scene.groups()).await.unwrap();
            let events = scene.book.check(org, floor, now, &body, scene.highest_floor());
            usage::told(scene, &process, org, events).await;
            shown.insert(events);
        }
        assert_eq!(shown.len(), 1, "replicas disagree about {name}");
    }
    if let Some(known) = priced_later {
        let running: Vec<_> =
            scene.hosts().filter_map(Host::running).chain([judge.clone()]).collect();
        known.settled(scene, &running).await;
    }
    // Whatever was left over is old by then, also where the clock of its maker was ahead.
    scene.world.skip(8 * HOUR);
    let settings = compact::CompactSettings {
        grace: Duration::from_secs(3_600),
        ..compact::CompactSettings::default()
    };
    judge.app.compactor(settings).vacuum().await.unwrap();
    no_orphans(scene, &judge).await;
    verified(&judge).await;
}

async fn verified(judge: &Process) {
    let store: Arc<dyn ObjectStore> = Arc::new(judge.link.clone());
    let engine = Arc::new(Engine::new(store).unwrap());
    let rollup = Arc::new(Rollup::new(engine.clone(), None, 1 << 20, Telemetry::new()));
    let now = judge.app.now();
    let report = verify(judge.app.archive(), &engine, &rollup, now, None, |_, _| {}).await.unwrap();
    assert_eq!(report.differences, Vec::<String>::new());
}

async fn no_orphans(scene: &Scene, judge: &Process) {
    let live: BTreeSet<_> =
        judge.app.archive().current().files().map(|file| file.path_in_archive()).collect();
    let found = scene.bucket.right().list(Some(&"events".into()), None).await.unwrap();
    let found = found.into_iter().map(|object| object.location.to_string());
    let found: BTreeSet<_> = found.filter(|path| !path.contains("_delta_log")).collect();
    assert_eq!(found, live, "data files in the bucket, and those that the table names");
}
