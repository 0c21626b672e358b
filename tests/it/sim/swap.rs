//! The actor that replaces the right bucket by another one, and puts the right one back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokenlake::app::AppSettings;

use super::book::ORGS;
use super::bucket::{Bucket, Trigger};
use super::counts::Count;
use super::history::Scene;
use super::host::{Host, open};
use super::link::Link;
use super::place::Place;
use super::world::{MachineClock, START};
use crate::support::random::Random;

/// Whose milliseconds the process acts in that goes on with a copy.
const STRANGER: u64 = 25;
/// How long an exchange waits for what is to trigger it.
const TRIGGERED_WITHIN: Duration = Duration::from_secs(4);

/// Exchanges the bucket now and then, until told that it is over.
pub async fn swapper(scene: Arc<Scene>, actor: u64, over: Arc<AtomicBool>) {
    let mut random = Random(scene.world.seed ^ (actor << 48));
    for nth in 0..1 + random.below(3) {
        scene.world.wait(actor, Duration::from_millis(random.below(6_000))).await;
        let copy = Arc::new(scene.bucket.right().copy());
        let copied = copy.version().await;
        let branches = random.below(2) == 0 && copied.is_some();
        if branches {
            go_on(&scene, &copy, nth, 1 + random.below(8)).await;
        }
        scene.world.wait(actor, Duration::from_millis(random.below(6_000))).await;
        if over.load(Ordering::SeqCst) {
            return;
        }
        let _alone = scene.bucket.door.write().await;
        scene.world.wait(actor, Duration::ZERO).await;
        // To a process that knows nothing after it, a copy is the archive.
        let known = scene.hosts().filter_map(Host::running);
        let known = known.map(|process| process.app.archive().current().version()).min();
        let is_older = known.is_none_or(|known| copied.is_none_or(|copied| copied < known));
        scene.world.tell(|| {
            format!("a copy of version {copied:?}, branched: {branches}, all know {known:?}")
        });
        if branches && random.below(2) == 0 {
            let more = scene.bucket.right().newest().await.saturating_sub(copy.newest().await) + 6;
            go_on(&scene, &copy, 8 + nth, more).await;
            scene.world.wait(actor, Duration::ZERO).await;
            let right = scene.bucket.right().version().await;
            // If nothing came since the copy was made, it is the archive that has gone on.
            let differs = copied < right && right < copy.version().await;
            if differs && !scene.trouble.is_there() {
                // The archive is copied over it, and what is newer there stays.
                copy.copy_over(scene.bucket.right()).await;
                scene.bucket.exchange(copy, None, true);
                away(&scene, actor, &mut random).await;
                continue;
            }
        }
        let wrong = match random.below(4) {
            1.. if is_older => copy,
            _ => Arc::new(Place::new(scene.world.clone())),
        };
        exchange(&scene, actor, &mut random, wrong).await;
    }
}

/// Puts another bucket in place for a while. Nobody opens it meanwhile.
async fn exchange(scene: &Scene, actor: u64, random: &mut Random, wrong: Arc<Place>) {
    let trigger = match random.below(4) {
        0 => Some(Trigger::LogPut),
        1 => Some(Trigger::DataPut),
        _ => None,
    };
    scene.bucket.exchange(wrong, trigger, false);
    let mut waited = Duration::ZERO;
    while !scene.bucket.is_exchanged() && waited < TRIGGERED_WITHIN {
        scene.world.wait(actor, Duration::ZERO).await;
        waited += Duration::from_millis(32);
    }
    scene.bucket.exchange_at_last();
    away(scene, actor, random).await;
}

/// Waits for a while, and puts the right one back.
async fn away(scene: &Scene, actor: u64, random: &mut Random) {
    scene.world.counts.add(Count::Exchanges, 1);
    let most = if random.below(2) == 0 { 8_000 } else { 60_000 };
    scene.world.wait(actor, Duration::from_millis(3_000 + random.below(most))).await;
    scene.bucket.put_back().await;
}

/// Another process takes a copy for the archive, and commits some events to it.
async fn go_on(scene: &Scene, copy: &Arc<Place>, nth: u64, commits: u64) {
    let bucket = Bucket::of(scene.world.clone(), copy.clone());
    let link = Link::new(bucket, scene.world.clone(), STRANGER, nth).faultless();
    let settings = AppSettings {
        body_bytes_max: 1 << 20,
        answer_bytes_max: 1 << 20,
        cache_bytes_max: 1 << 20,
        ..AppSettings::default()
    };
    let opened = open(&link, MachineClock::new(scene.world.clone()), settings).await;
    // A copy that was made while commits were refused is not opened.
    let Ok(process) = opened else { return };
    for event in 0..commits {
        let line = format!(
            r#"{{"event_id":"stranger-{nth}-{event}","ts":{START},"provider":"x","model":"x"}}"#
        );
        process.send(ORGS[0], line).await.unwrap();
    }
}
