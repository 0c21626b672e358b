//! The operators of the archive, and the incidents of its machines.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokenlake::app::AppError;
use tokenlake::clock::{DAY, HOUR, Micros, SECOND};
use tokenlake::maintain::Retention;
use tokenlake::maintain::compact;

use super::counts::Count;
use super::history::Scene;
use super::host::{Host, Process};
use crate::support::random::Random;

/// What an operator's command may take; then it is broken off.
const PATIENCE: Duration = Duration::from_secs(90);
/// A minute of the world's.
const MINUTE: Micros = 60 * SECOND;

/// Runs commands in any order, until told that it is over.
pub async fn operator(scene: Arc<Scene>, actor: u64, over: Arc<AtomicBool>) {
    let mut random = Random(scene.world.seed ^ (actor << 48));
    while !over.load(Ordering::SeqCst) {
        scene.world.wait(actor, Duration::from_millis(random.below(2_500))).await;
        let Some(process) = scene.any(&mut random).running() else { continue };
        let what = random.below(10);
        let days = 2 + random.below(40);
        let began = scene.world.elapsed();
        match process.within(PATIENCE, command(&scene, &process, what, days)).await {
            Ok(()) => scene.answered(began, &format!("command {what}")).await,
            Err(silence) => scene.excuse(began, silence, &format!("command {what}")),
        }
    }
}

async fn command(scene: &Scene, process: &Process, what: u64, days: u64) -> Result<(), AppError> {
    let counts = &scene.world.counts;
    let settings = compact::CompactSettings {
        grace: Duration::from_secs(3_600),
        ..compact::CompactSettings::default()
    };
    match what {
        0..4 => {
            let done = process.app.compactor(settings).compact(0, drop).await?;
            counts.add(Count::Rewrites, done as u64);
        }
        4..6 => {
            let done = process.app.compactor(settings).vacuum().await?;
            counts.add(Count::Deleted, done as u64);
        }
        6..8 => {
            let retention = Retention::new(Duration::from_secs(days * 86_400)).unwrap();
            scene.raise_floor(retention.floor_at(process.app.now()).unwrap());
            let expiry = process.app.expire(retention).await?;
            counts.add(Count::Expiries, u64::from(expiry.events > 0));
        }
        _ => process.app.snapshot_totals().await?,
    }
    Ok(())
}

/// Crashes, halts and cuts off machines, sets their clocks, and lets time pass.
pub async fn fate(scene: Arc<Scene>, actor: u64, over: Arc<AtomicBool>) {
    let mut random = Random(scene.world.seed ^ (actor << 48));
    let gap = 1_000 + random.below(6_000);
    for _ in 0..random.below(24) {
        if over.load(Ordering::SeqCst) {
            return;
        }
        scene.world.wait(actor, Duration::from_millis(random.below(gap))).await;
        let host = scene.any(&mut random);
        let short = Micros::try_from(random.below(20_000)).unwrap() * 1_000;
        match random.below(12) {
            0..6 => host.crash(),
            6 => upheaval(&scene, host, |process| process.link.cut_off(short)),
            7 => upheaval(&scene, host, |process| process.link.halt(2 * short)),
            8 => {
                for host in scene.hosts() {
                    upheaval(&scene, host, |process| process.link.cut_off(short));
                }
            }
            9 | 10 => {
                let leaps = [MINUTE, 20 * MINUTE, 70 * MINUTE, 3 * HOUR, 13 * HOUR, DAY + HOUR];
                scene.world.skip(leaps[usize::try_from(random.below(6)).unwrap()]);
                scene.world.counts.add(Count::Upheavals, 1);
            }
            _ => {
                let steps = [-4 * MINUTE, -1, 0, MINUTE, 50 * MINUTE, 3 * HOUR];
                host.clock.step(steps[usize::try_from(random.below(6)).unwrap()]);
                scene.world.counts.add(Count::Upheavals, 1);
            }
        }
    }
}

fn upheaval(scene: &Scene, host: &Host, what: impl Fn(&Process)) {
    if let Some(process) = host.running() {
        what(&process);
        scene.world.counts.add(Count::Upheavals, 1);
    }
}

/// Starts what has crashed.
pub async fn supervisor(scene: Arc<Scene>, actor: u64, which: usize, over: Arc<AtomicBool>) {
    let mut random = Random(scene.world.seed ^ (actor << 48));
    let host = scene.hosts().nth(which).unwrap();
    while !over.load(Ordering::SeqCst) {
        if host.running().is_none() {
            scene.world.wait(actor, Duration::from_millis(random.below(1_500))).await;
            host.start().await;
        }
        scene.world.wait(actor, Duration::from_millis(100)).await;
    }
}
