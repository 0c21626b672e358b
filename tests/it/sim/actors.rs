//! The users of the program: clients that send, scrapers, a backfill.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokenlake::backfill::{BackfillError, Inputs, Job, JobSettings, Progress};
use tokenlake::event::{OrgId, OrgRule};

use super::book::{Book, ORGS, numbers};
use super::counts::Count;
use super::history::Scene;
use super::host::{Process, Silence};
use crate::support::random::Random;

/// What a client sends until it is acknowledged.
#[derive(Debug, Clone)]
pub struct Batch {
    pub org: usize,
    pub events: Vec<u32>,
}

/// Batches of all events of all organisations, and some of them a second time.
pub fn batches(book: &Book, random: &mut Random) -> Vec<Batch> {
    let mut batches = Vec::new();
    for org in 0..ORGS.len() {
        let mut next = 0;
        while next < book.count(org) {
            let size = 1 + u32::try_from(random.below(5)).unwrap();
            let end = book.count(org).min(next + size);
            let mut events: Vec<_> = (next..end).collect();
            // One that another batch has too, or this one twice.
            if random.below(3) == 0 {
                events.push(u32::try_from(random.below(u64::from(book.count(org)))).unwrap());
            }
            let again = random.below(6) == 0;
            batches.extend(std::iter::repeat_n(Batch { org, events }, 1 + usize::from(again)));
            next = end;
        }
    }
    for at in (1..batches.len()).rev() {
        batches.swap(at, usize::try_from(random.below(at as u64 + 1)).unwrap());
    }
    batches
}

/// Sends batches, each until it is acknowledged.
pub async fn client(scene: Arc<Scene>, actor: u64, batches: Vec<Batch>) {
    let mut random = Random(scene.world.seed ^ (actor << 48));
    for batch in batches {
        let longest = if random.below(8) == 0 { 4_000 } else { 150 };
        let pause = random.below(longest);
        scene.world.wait(actor, Duration::from_millis(pause)).await;
        deliver(&scene, actor, &mut random, &batch).await;
    }
}

/// Sends a batch until it is acknowledged, now here, now there.
pub async fn deliver(scene: &Scene, actor: u64, random: &mut Random, batch: &Batch) {
    loop {
        if let Some(process) = scene.server(random).running() {
            let lines = scene.book.lines(batch.org, &batch.events);
            let began = scene.world.elapsed();
            match process.ask(process.send(ORGS[batch.org], lines)).await {
                Ok(receipt) => {
                    // What is known already is in, whatever came since.
                    match receipt.accepted {
                        0 => scene.is_there(began, "sending"),
                        _ => scene.answered(began, "sending").await,
                    }
                    let refused: Vec<_> =
                        receipt.rejected.iter().map(|rejection| rejection.index).collect();
                    let all = receipt.accepted + receipt.duplicates + refused.len();
                    assert_eq!(all, batch.events.len(), "{receipt:?}");
                    let new = scene.book.acknowledged(batch.org, &batch.events, &refused);
                    scene.world.counts.add(Count::Acknowledged, new);
                    return;
                }
                Err(silence) => scene.excuse(began, silence, &format!("sending {batch:?}")),
            }
        }
        let pause = Duration::from_millis(20 + random.below(800));
        scene.world.wait(actor, pause).await;
    }
}

/// Scrapes and compares, until told that it is over.
pub async fn scraper(scene: Arc<Scene>, actor: u64, over: Arc<AtomicBool>) {
    let mut random = Random(scene.world.seed ^ (actor << 48));
    while !over.load(Ordering::SeqCst) {
        let org = usize::try_from(random.below(ORGS.len() as u64)).unwrap();
        if let Some(process) = scene.server(&mut random).running() {
            scrape(&scene, &process, org).await;
        }
        scene.world.wait(actor, Duration::from_millis(random.below(2_000))).await;
    }
}

/// Scrapes once; false if there was no answer.
pub async fn scrape(scene: &Scene, process: &Process, org: usize) -> bool {
    let (began, floor) = (scene.world.elapsed(), scene.book.floor(org));
    let (highest, groups) = (scene.highest_floor(), scene.groups());
    match process.ask(process.scrape_with(ORGS[org], &groups)).await {
        Ok((now, body)) => {
            scene.world.tell(|| format!("{process} has answered a scrape of {began}"));
            scene.answered(began, "scraping").await;
            scene.book.check(org, floor, now, &body, highest.max(scene.highest_floor()));
            scene.world.counts.add(Count::Scrapes, 1);
            true
        }
        Err(silence) => {
            scene.excuse(began, silence, &format!("scraping {}", ORGS[org]));
            false
        }
    }
}

/// Brings in some events of an organisation from a file, however often that must be begun.
pub async fn backfill(scene: Arc<Scene>, actor: u64, folder: Arc<tempfile::TempDir>) {
    let mut random = Random(scene.world.seed ^ (actor << 48));
    let org = usize::try_from(random.below(ORGS.len() as u64)).unwrap();
    let all = scene.book.count(org);
    let events: Vec<_> = (0..all).filter(|_| random.below(3) == 0).collect();
    let file = folder.path().join(format!("{actor}.ndjson"));
    std::fs::write(&file, scene.book.lines(org, &events)).unwrap();
    scene.world.wait(actor, Duration::from_millis(random.below(8_000))).await;
    loop {
        if let Some(process) = scene.jobs.running() {
            // Whoever starts a job again takes his time; one that hangs is ended.
            let began = scene.world.elapsed();
            let job = async { Ok(job(&process, ORGS[org], &file, folder.path()).await) };
            match process.within(Duration::from_secs(120), job).await {
                Ok(None) => break,
                Ok(Some(silence)) | Err(silence) => scene.excuse(began, silence, "backfill"),
            }
        }
        scene.world.wait(actor, Duration::from_secs(1)).await;
    }
    // Which events came before a floor it only counts.
    let certain = scene.book.since(org, scene.highest_floor());
    let certain: Vec<_> = events.into_iter().filter(|nth| certain & (1 << nth) != 0).collect();
    scene.book.acknowledged(org, &certain, &[]);
}

/// Runs a job once; gives what kept it from its end.
async fn job(process: &Process, org: &str, file: &Path, folder: &Path) -> Option<Silence> {
    let inputs = Inputs::find(&[file.display().to_string()], None).await.unwrap();
    let settings = JobSettings {
        held_bytes_max: 8 << 20,
        spill_folder: folder.to_owned(),
        ..JobSettings::new(OrgRule::Only(OrgId::parse(org).unwrap()), process.app.now())
    };
    let admission = Some(process.app.admission().clone());
    match Job::new(admission, inputs, settings, Arc::new(Progress::default())).await {
        Ok(job) => {
            let error = job.run(std::future::pending()).await.error;
            // All that it brings may have expired meanwhile: that is its outcome.
            let error = error.filter(|error| !matches!(error, BackfillError::AllRejected { .. }));
            error.map(|error| Silence::of(error.kind(), &error))
        }
        Err(error) => Some(Silence::of(error.kind(), &error)),
    }
}

/// Makes a key, uses it and revokes it, again and again.
pub async fn keeper(scene: Arc<Scene>, actor: u64, over: Arc<AtomicBool>) {
    let mut random = Random(scene.world.seed ^ (actor << 48));
    while !over.load(Ordering::SeqCst) {
        if super::keys::one_key(&scene, actor, &mut random).await.is_none() {
            scene.world.wait(actor, Duration::from_millis(500)).await;
        }
    }
}

/// Sends what nobody knows the fate of.
pub async fn settle(scene: &Scene, actor: u64, random: &mut Random) {
    for org in 0..ORGS.len() {
        let events = scene.book.unsettled(org);
        if !events.is_empty() {
            deliver(scene, actor, random, &Batch { org, events }).await;
        }
        assert_eq!(scene.book.unsettled(org), numbers(0));
    }
}
