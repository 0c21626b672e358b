//! Test of two servers on a bucket that are killed under load, again and again.

use std::time::Instant;

use super::{REQUESTS, batches_of, verified};
use crate::support::fleet::Fleet;
use crate::support::process::{Server, key};
use crate::support::s3;
use crate::support::scrape::scrape;

const KILLS: u64 = 3;
/// Kills of a longer run.
const COUNT: &str = "TOKENLAKE_TEST_S3_KILLS";
const BATCHES_PER_KILL: u64 = 16;
const SEED: u64 = 20_231_117;

#[test]
fn kills_lose_nothing_acknowledged_and_count_nothing_twice() {
    let Some(archive) = s3::archive() else { return };
    let kills = std::env::var(COUNT).map_or(KILLS, |count| count.parse().unwrap());
    let key = key(&archive, "acme");
    let batches = batches_of(&key, usize::try_from((kills + 1) * BATCHES_PER_KILL).unwrap());
    let events: u64 = batches.iter().map(|batch| batch.events).sum();
    let environment = vec![("TOKENLAKE_COMMIT_INTERVAL", "50ms".to_owned())];
    let fleet = Fleet::start_in(environment, &archive);
    fleet.allow(0);
    let started = Instant::now();
    std::thread::scope(|scope| {
        let watch = scope.spawn(|| fleet.watch(&key));
        let killer = scope.spawn(|| fleet.kill_often(batches.len() as u64, kills, SEED));
        fleet.deliver_all(&batches);
        let _watcher = fleet.finish_on_panic();
        killer.join().unwrap();
        fleet.finish();
        watch.join().unwrap();
    });
    eprintln!(
        "{kills} kills in {:?}: {events} events acknowledged, {} sent again, {} scrapes",
        started.elapsed(),
        fleet.duplicates(),
        fleet.scrapes(),
    );
    for server in fleet.into_servers().iter().chain([&Server::start(&archive)]) {
        assert_eq!(scrape(server, &key)[REQUESTS], events.to_string());
    }
    verified(&archive, usize::try_from(events).unwrap());
}
