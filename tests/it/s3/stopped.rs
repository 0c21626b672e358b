//! The test of `stopped.rs` on S3: a writer is stopped while the put of its log entry is on its
//! way.

use crate::stopped::{DATES, PAUSE, assert_each_once, send, stop_for};
use crate::support::clock::TestClock;
use crate::support::process::{Server, key, tokenlake_in};
use crate::support::s3;

#[test]
fn a_writer_that_was_stopped_commits_no_file_that_is_gone() {
    let Some(archive) = s3::archive() else { return };
    let key = key(&archive, "acme");
    let clock = TestClock::new();
    let (proxy, mut environment) = s3::proxy(1);
    environment.push(clock.environment());
    let server = Server::start_in(&environment, &archive, &["serve"]);
    let url = server.url("/v1/events");
    assert!(send(&url, &key, 0).is_some());
    proxy.hold("/_delta_log/0");
    std::thread::scope(|scope| {
        let sent = scope.spawn(|| send(&url, &key, 1));
        proxy.wait_for_held();
        server.halt(true);
        // Somebody else merges files and vacuums, hours later by the store's listings.
        let (later, mut environment) = s3::proxy(2);
        later.age(PAUSE);
        let other = TestClock::new();
        other.set(PAUSE.as_secs().try_into().unwrap(), PAUSE.as_secs());
        environment.push(other.environment());
        let done = tokenlake_in(&environment, &archive, &["compact", "--grace", "1h"]);
        assert_eq!(done.status, 0, "{done:?}");
        let done: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
        assert_eq!(done["deleted"], DATES, "the files of the commit that stands still");
        std::thread::sleep(stop_for());
        clock.set(0, PAUSE.as_secs());
        server.halt(false);
        proxy.release();
        sent.join().unwrap();
    });
    let again = send(&url, &key, 1).expect("it is taken");
    assert_eq!(again.0 + again.1, DATES as u64);
    assert_each_once(&archive, &server, &key, 2);
}
