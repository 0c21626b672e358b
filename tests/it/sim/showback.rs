//! One who declares a dimension and takes it back, again and again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokenlake::app::AppError;
use tokenlake::archive::Declared;
use tokenlake::event::Dimension;

use super::counts::Count;
use super::history::Scene;
use crate::support::random::Random;

/// The dimension, and the attribute of all events of clients but some.
pub const TEAM: &str = "team";
/// What the command may take.
const PATIENCE: Duration = Duration::from_secs(90);

/// Declares and removes, until told that it is over.
pub async fn declarer(scene: Arc<Scene>, actor: u64, over: Arc<AtomicBool>) {
    let mut random = Random(scene.world.seed ^ (actor << 48));
    let mut nth = 0;
    while !over.load(Ordering::SeqCst) {
        scene.world.wait(actor, Duration::from_millis(random.below(6_000))).await;
        let Some(process) = scene.any(&mut random).running() else { continue };
        nth += 1;
        // It stays most of the time.
        let adds = random.below(4) > 0;
        let new = Dimension::new(TEAM, None, &nth.to_string()).unwrap();
        let began = scene.world.elapsed();
        let declared = async {
            let archive = process.app.archive();
            let change = |known: &tokenlake::event::Dimensions| match adds {
                true => known.with(new.clone()),
                false => known.without(TEAM).map(Some),
            };
            archive.declare(change).await.map_err(AppError::from)
        };
        match process.within(PATIENCE, declared).await {
            Ok(Declared::At(_)) => {
                scene.answered(began, "declaring").await;
                scene.world.counts.add(Count::Declarations, 1);
            }
            Ok(_) => scene.answered(began, "declaring").await,
            Err(silence) => scene.excuse(began, silence, "declaring"),
        }
    }
}
