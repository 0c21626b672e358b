//! The world of one history: its time, its threads, and its events.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::thread::ThreadId;
use std::time::Duration;

use tokenlake::clock::{Clock, Micros, SECOND};
use tokio::time::Instant;

use super::counts::Counts;

/// 2026-03-10T12:00:00Z.
pub const START: Micros = 1_773_144_000 * SECOND;
/// Every actor acts in milliseconds of its own, so that no two ever act in the same one: what comes
/// first does not depend on how fast this machine is.
const ACTORS: u64 = 32;

/// Time stands still while anything is being computed, and goes on to whatever comes next.
#[derive(Debug)]
pub struct World {
    pub seed: u64,
    pub counts: Counts,
    began: Instant,
    thread: ThreadId,
    /// Time that passed at once, as when all machines slept.
    skipped: AtomicI64,
    /// The time, for threads that do not know it.
    shown: AtomicI64,
    /// How many of a thousand requests fail.
    faults: AtomicU64,
    traced: bool,
}

/// A history that lasts for so long has a better network from then on.
const LONG: Duration = Duration::from_secs(600);

impl World {
    /// A world that begins now, on this thread.
    pub fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self {
            seed,
            counts: Counts::default(),
            began: Instant::now(),
            thread: std::thread::current().id(),
            skipped: AtomicI64::new(0),
            shown: AtomicI64::new(0),
            faults: AtomicU64::new(0),
            traced: std::env::var_os("TOKENLAKE_TEST_TRACE").is_some(),
        })
    }

    /// Whether each request is printed.
    pub fn is_traced(&self) -> bool {
        self.traced
    }

    /// Prints what happens beside the requests, if these are printed.
    pub fn tell(&self, what: impl FnOnce() -> String) {
        if self.traced {
            eprintln!("{:>14} == {}", self.elapsed(), what());
        }
    }

    /// False on a thread of the library's, where this time does not pass.
    pub fn is_here(&self) -> bool {
        std::thread::current().id() == self.thread
    }

    /// Time since the start.
    pub fn elapsed(&self) -> Micros {
        if !self.is_here() {
            return self.shown.load(Ordering::SeqCst);
        }
        let ran = Micros::try_from(self.began.elapsed().as_micros()).unwrap();
        let elapsed = ran + self.skipped.load(Ordering::SeqCst);
        self.shown.store(elapsed, Ordering::SeqCst);
        elapsed
    }

    /// Time since the start, without what passed at once.
    pub fn ran(&self) -> Duration {
        let skipped = self.skipped.load(Ordering::SeqCst);
        Duration::from_micros((self.elapsed() - skipped).unsigned_abs())
    }

    /// The true time.
    pub fn now(&self) -> Micros {
        START + self.elapsed()
    }

    /// Lets time pass in which nothing happens.
    pub fn skip(&self, micros: Micros) {
        self.skipped.fetch_add(micros, Ordering::SeqCst);
        self.elapsed();
    }

    /// Waits until the next of an actor's milliseconds after this time.
    pub async fn wait(&self, actor: u64, least: Duration) {
        let then = (self.began.elapsed() + least).as_millis();
        let then = u64::try_from(then).unwrap() + 1;
        let then = then + (ACTORS + actor % ACTORS - then % ACTORS) % ACTORS;
        tokio::time::sleep_until(self.began + Duration::from_millis(then)).await;
    }

    /// How many of a thousand requests fail from now on.
    pub fn set_faults(&self, of_thousand: u64) {
        self.faults.store(of_thousand, Ordering::SeqCst);
    }

    /// How many of a thousand requests fail. After ten minutes they are fewer: to open a log of a
    /// hundred entries, or over several checkpoints that do not serve, takes a hundred requests,
    /// which a client of a real store tries again one by one, and nobody does here.
    pub fn faults(&self) -> u64 {
        let faults = self.faults.load(Ordering::SeqCst);
        let long = self.is_here() && self.began.elapsed() > LONG;
        if long { faults / 10 } else { faults }
    }
}

/// A machine's clock, which may be set wrong.
#[derive(Debug)]
pub struct MachineClock {
    world: Arc<World>,
    ahead: AtomicI64,
}

impl MachineClock {
    pub fn new(world: Arc<World>) -> Arc<Self> {
        Arc::new(Self { world, ahead: AtomicI64::new(0) })
    }

    /// Sets the clock so far ahead of the true time.
    pub fn step(&self, ahead: Micros) {
        self.ahead.store(ahead, Ordering::SeqCst);
    }
}

impl Clock for MachineClock {
    fn now(&self) -> Micros {
        self.world.now() + self.ahead.load(Ordering::SeqCst)
    }

    fn elapsed(&self) -> Duration {
        Duration::from_micros(self.world.elapsed().unsigned_abs())
    }
}
