//! Compaction and vacuum while a server runs.

use std::time::Duration;

use rand::RngExt as _;
use tokio::time::Instant;

use super::run::Compactor;

/// The time between two vacuums, each of which lists all data files.
const VACUUM_EVERY: Duration = Duration::from_secs(3_600);
/// After a rewrite that took T, none is made for this many times T: requests come first.
const REST: u32 = 3;

/// Compacts about every `interval`, for as long as it is polled. A failed run is retried.
pub async fn keep_compacted(mut compactor: Compactor, interval: Duration) {
    let mut vacuum_at = Instant::now() + VACUUM_EVERY * rand::rng().random_range(10..100) / 100;
    loop {
        // Replicas that all start together must not all merge the same files.
        let part = rand::rng().random_range(50..150_u32);
        tokio::time::sleep(interval * part / 100).await;
        if let Err(error) = compactor.compact(REST, |told| tracing::debug!("{told}")).await {
            tracing::warn!(%error, "compaction failed; will retry at the next run");
        }
        if Instant::now() < vacuum_at {
            continue;
        }
        vacuum_at = Instant::now() + VACUUM_EVERY;
        match compactor.vacuum().await {
            Ok(0) => {}
            Ok(deleted) => tracing::info!(deleted, "deleted data files that no version names"),
            Err(error) => tracing::warn!(%error, "vacuum failed; will retry at the next one"),
        }
    }
}
