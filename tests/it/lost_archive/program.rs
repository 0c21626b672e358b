//! Tests of the real program on a disk whose volume goes away and comes back.

use std::fs;
use std::path::Path;

use serde_json::json;
use tempfile::tempdir;
use tokenlake::clock::{Clock as _, SystemClock};

use crate::support::client;
use crate::support::process::{Server, key, tokenlake};

fn send(server: &Server, key: &str, id: &str) -> u16 {
    let event = json!({
        "event_id": id, "ts": SystemClock.now(), "provider": "p", "model": "m", "cost_usd": 1,
    });
    client::post(&server.url("/v1/events"), key, "application/json", event.to_string()).status
}

fn statuses(server: &Server, key: &str, id: &str) -> [u16; 4] {
    let query = json!({ "query": "select count(*) from events" }).to_string();
    [
        send(server, key, id),
        client::get(&server.url("/metrics"), key).status,
        client::post(&server.url("/v1/sql"), key, "application/json", query).status,
        client::send("GET", &server.url("/readyz"), &[], "").status,
    ]
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).unwrap().next().is_none()
}

#[test]
fn a_volume_that_is_away_is_no_empty_archive() {
    let folder = tempdir().unwrap();
    let (archive, away) = (folder.path().join("archive"), folder.path().join("away"));
    let key = key(&archive, "acme");
    let server = Server::start(&archive);
    assert_eq!(statuses(&server, &key, "a"), [200; 4]);
    // Nothing is at the place, and then an empty folder, as below a mount.
    fs::rename(&archive, &away).unwrap();
    assert_eq!(statuses(&server, &key, "b"), [503; 4]);
    assert!(!archive.exists(), "the archive's folder was made anew");
    fs::create_dir(&archive).unwrap();
    assert_eq!(statuses(&server, &key, "b"), [503; 4]);
    assert!(is_empty(&archive), "something was made in its place");
    // Whoever has no key is not told that either.
    assert_eq!(client::get(&server.url("/metrics"), "td_live_none").status, 401);
    fs::remove_dir(&archive).unwrap();
    fs::rename(&away, &archive).unwrap();
    assert_eq!(statuses(&server, &key, "b"), [200; 4]);
    let shown = client::get(&server.url("/metrics"), &key);
    assert!(
        shown.text().contains("llm_requests_total{provider=\"p\",model=\"m\",org_id=\"acme\"} 2")
    );
    drop(server);
    assert_eq!(tokenlake(&archive, &["verify"]).status, 0);
}

#[test]
fn a_server_that_is_to_make_no_archive_starts_on_none() {
    let folder = tempdir().unwrap();
    let archive = folder.path().join("archive");
    for made in [false, true] {
        if made {
            fs::create_dir(&archive).unwrap();
        }
        let args = ["serve", "--create", "never", "--listen", "127.0.0.1:0"];
        let done = tokenlake(&archive, &args);
        assert_eq!(done.status, 1, "{done:?}");
        assert!(done.stderr.contains("no archive"), "{done:?}");
        assert_eq!(archive.exists(), made);
    }
    assert!(is_empty(&archive));
    key(&archive, "acme");
    drop(Server::start(&archive));
    drop(Server::start_with(&archive, &["serve", "--create", "never"]));
}
