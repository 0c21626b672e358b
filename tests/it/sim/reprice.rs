//! Two who price the calls of an organisation of their own again and again, by tables that do not agree.
//!
//! Each call has a power of two of tokens. One table takes one unit of money for each token, the other so
//! many that the net cost tells of each call by which table it is priced, and that it is so once.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokenlake::clock::{HOUR, ManualClock, Micros};
use tokenlake::event::OrgId;
use tokenlake::reprice::{RepriceOutcome, RepriceScope, Repricing, reprice};
use tokenlake::sql::Engine;

use super::counts::Count;
use super::history::Scene;
use super::host::{Process, Silence};
use super::world::START;
use crate::reprice::{all, net, sum, table};
use crate::support::exact;
use crate::support::random::Random;
use crate::support::scrape::{Series, assert_no_counter_fell, parse};

const ORG: &str = "priced.later";
const GROUPS: [&str; 2] = ["core", "pricing"];
/// Calls, a bit each.
const CALLS: u64 = 16;
/// How many bits the price of the second table is above that of the first.
const SHIFT: u32 = 20;
/// What a run may take; then it is broken off.
const PATIENCE: Duration = Duration::from_secs(90);

/// What is known of the calls.
#[derive(Debug, Default)]
pub struct KnownCalls {
    /// They may have come in.
    sent: AtomicU64,
    /// Whoever sent them was told that they are in.
    acknowledged: AtomicU64,
    shown: Mutex<Series>,
}

fn ts(nth: u64) -> Micros {
    START - i64::try_from(nth).unwrap() * 7 * HOUR
}

/// Sends, reprices and scrapes in any order, until told that it is over.
pub async fn repricer(
    scene: Arc<Scene>,
    actor: u64,
    known: Arc<KnownCalls>,
    over: Arc<AtomicBool>,
) {
    let mut random = Random(scene.world.seed ^ (actor << 48));
    while !over.load(Ordering::SeqCst) {
        scene.world.wait(actor, Duration::from_millis(random.below(1_500))).await;
        let Some(process) = scene.any(&mut random).running() else { continue };
        let began = scene.world.elapsed();
        let (what, done) = match random.below(4) {
            0 => {
                let calls: Vec<_> = (0..4).map(|_| random.below(CALLS)).collect();
                ("sending what is priced later", known.send(&process, &calls).await)
            }
            1 => ("scraping what is priced later", known.scrape(&process).await),
            which => {
                let units = 1 << (SHIFT * u32::try_from(which - 2).unwrap());
                let memory_bytes = if random.below(4) == 0 { 1 } else { 1 << 20 };
                ("repricing", known.reprice(&scene, &process, units, memory_bytes).await)
            }
        };
        match done {
            Ok(Looked::AtNewest) => scene.answered(began, what).await,
            // What is known already is in, whatever came since.
            Ok(Looked::AtKnown) => scene.is_there(began, what),
            Err(silence) => scene.excuse(began, silence, what),
        }
    }
}

/// What an answer is of.
enum Looked {
    AtNewest,
    AtKnown,
}

impl KnownCalls {
    async fn send(&self, process: &Process, calls: &[u64]) -> Result<Looked, Silence> {
        let mut lines = String::new();
        for nth in calls {
            let (tokens, ts) = (1 << nth, ts(*nth));
            self.sent.fetch_or(tokens, Ordering::SeqCst);
            lines += &format!(
                r#"{{"event_id":"e{nth}","ts":{ts},"provider":"p","model":"m","input_tokens":{tokens},"output_tokens":0}}"#
            );
            lines += "\n";
        }
        let receipt = process.ask(process.send(ORG, lines)).await?;
        for (index, nth) in calls.iter().enumerate() {
            if receipt.rejected.iter().all(|rejection| rejection.index != index) {
                self.acknowledged.fetch_or(1 << nth, Ordering::SeqCst);
            }
        }
        Ok(if receipt.accepted == 0 { Looked::AtKnown } else { Looked::AtNewest })
    }

    /// Scrapes once and compares.
    async fn scrape(&self, process: &Process) -> Result<Looked, Silence> {
        let (before, floor) =
            (self.shown.lock().unwrap().clone(), self.acknowledged.load(Ordering::SeqCst));
        let (_, body) = process.ask(process.scrape_with(ORG, &GROUPS)).await?;
        let mut series = parse(&body);
        series.retain(|name, _| name.contains("_total{"));
        assert_no_counter_fell(&before, &series);
        let [low, high] = by_table(&series);
        let sent = self.sent.load(Ordering::SeqCst);
        assert_eq!(low & high, 0, "calls that are priced by both tables: {body}");
        assert_eq!((low | high) & !sent, 0, "calls that nobody sent: {body}");
        let count = |name: &str| u32::try_from(sum(&series, name) / exact::parse("1")).unwrap();
        let requests = count("llm_requests_total");
        assert!((floor.count_ones()..=sent.count_ones()).contains(&requests), "{body}");
        assert_eq!(count("llm_requests_unpriced_total"), requests, "{body}");
        assert_eq!(count("llm_requests_priced_later_total"), (low | high).count_ones(), "{body}");
        // Another scrape may have shown more meanwhile.
        let mut shown = self.shown.lock().unwrap();
        *shown = highest(&shown, series);
        Ok(Looked::AtNewest)
    }

    async fn reprice(
        &self,
        scene: &Scene,
        process: &Process,
        units: i64,
        memory_bytes: usize,
    ) -> Result<Looked, Silence> {
        let run = async { Ok(run(process, units, memory_bytes).await) };
        let outcome = process.within(PATIENCE, run).await?;
        if let Some(error) = outcome.error {
            return Err(Silence::of(error.kind(), &error));
        }
        scene.world.counts.add(Count::Repriced, outcome.written);
        Ok(Looked::AtNewest)
    }

    /// What must hold once nothing fails any longer, on each of the processes.
    pub async fn settled(&self, scene: &Scene, processes: &[Process]) {
        self.send(&processes[0], &(0..CALLS).collect::<Vec<_>>()).await.unwrap();
        let last = processes.last().unwrap();
        for units in [1, 1 << SHIFT] {
            let outcome = run(last, units, 1).await;
            assert!(outcome.error.is_none() && outcome.already == 0, "{outcome:?}");
            let again = run(&processes[0], units, 1 << 20).await;
            assert!(again.error.is_none(), "{again:?}");
            assert_eq!((again.written, again.already), (0, 0), "{again:?}");
        }
        let mut shown = Vec::new();
        for process in processes {
            self.scrape(process).await.unwrap();
            shown.push(by_table(&self.shown.lock().unwrap()));
        }
        shown.dedup();
        assert_eq!(shown.len(), 1, "replicas disagree about {ORG}");
        let in_it = self.acknowledged.load(Ordering::SeqCst);
        let kept = (0..CALLS).filter(|nth| ts(*nth) >= scene.highest_floor());
        let kept = kept.fold(0, |kept, nth| kept | 1 << nth) & in_it;
        assert_eq!(kept & !shown[0][1], 0, "calls without the last table's price: {shown:?}");
    }
}

/// The calls that are priced by each table.
fn by_table(series: &Series) -> [u64; 2] {
    let net = u64::try_from(net(series)).unwrap();
    [net & ((1 << SHIFT) - 1), net >> SHIFT]
}

/// The higher of the counters of two scrapes, of which either may have begun first.
fn highest(before: &Series, mut series: Series) -> Series {
    for (name, value) in before {
        let now = series.entry(name.clone()).or_insert_with(|| value.clone());
        if exact::parse(now) < exact::parse(value) {
            *now = value.clone();
        }
    }
    series
}

async fn run(process: &Process, units: i64, memory_bytes: usize) -> RepriceOutcome {
    let archive = process.app.archive();
    let (engine, prices) = (Engine::new(archive.store()).unwrap(), table("t", units));
    let clock = ManualClock::at(process.app.now());
    let repricing = Repricing {
        archive,
        engine: &engine,
        prices: &prices,
        clock: &clock,
        scope: RepriceScope { org_id: Some(OrgId::parse(ORG).unwrap()), ..all() },
        dry_run: false,
        memory_bytes,
    };
    reprice(&repricing, std::future::pending(), |_| ()).await
}
