//! Shared code of the benches: a server under test, and clients that keep their connections.

#![allow(dead_code, reason = "each bench uses a part")]

pub mod ndjson;
pub mod program;
pub mod times;

// How the tests run the program.
#[path = "../../tests/it/support/poll.rs"]
mod poll;
#[path = "../../tests/it/support/process.rs"]
#[allow(clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "it says what is wrong")]
mod process;
#[path = "../../tests/it/support/resident.rs"]
mod resident;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokenlake::access::{NewKey, Scopes};
use tokenlake::app::{App, AppSettings};
use tokenlake::archive::{ArchiveLocation, FollowSettings};
use tokenlake::clock::SystemClock;
use tokenlake::event::OrgId;
use tokenlake::rollup::SERIES_MAX;
use tokenlake::telemetry::Telemetry;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use self::poll::poll;

/// The settings of `tokenlake serve`, except `staleness_max`.
pub fn settings(staleness_max: Duration) -> AppSettings {
    AppSettings {
        follow: FollowSettings {
            interval: Some(Duration::from_secs(1)),
            probe: None,
            waits_for_repair: true,
        },
        staleness_max,
        cache_bytes_max: 128 << 20,
        totals_work_max: Some(128),
        series_max: Some(SERIES_MAX),
        requests_per_org_max: 1_024,
        ..AppSettings::default()
    }
}

/// Opens an archive in `folder` with these settings.
pub async fn open(folder: &std::path::Path, staleness_max: Duration) -> Arc<App> {
    let location = ArchiveLocation::parse(folder.to_str().unwrap()).unwrap();
    let mut settings = settings(staleness_max);
    settings.follow.probe = location.log_probe();
    let app =
        App::open(location.create().unwrap(), Arc::new(SystemClock), Telemetry::new(), settings);
    Arc::new(app.await.unwrap())
}

/// What a key is made of that a sender and a Prometheus use.
pub fn new_key(org_id: &str) -> NewKey {
    NewKey {
        org_id: OrgId::parse(org_id).unwrap(),
        scopes: Scopes::or_usual(Vec::new()),
        name: None,
        expires_at_us: None,
        bound: None,
    }
}

/// Such a key.
pub async fn key(app: &App, org_id: &str) -> String {
    app.keys().create(new_key(org_id)).await.unwrap().reveal().to_owned()
}

/// Serves `routes` on a free port.
pub async fn serve(routes: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(axum::serve(listener, routes).into_future());
    address
}

/// Sends one request on an open connection and returns the status and the body.
pub async fn exchange(
    stream: &mut TcpStream,
    request: &[u8],
    buffer: &mut Vec<u8>,
) -> (u16, Vec<u8>) {
    stream.write_all(request).await.unwrap();
    buffer.clear();
    loop {
        if let Some(end) = find(buffer, b"\r\n\r\n") {
            let head = std::str::from_utf8(&buffer[..end]).unwrap().to_ascii_lowercase();
            let length = head.split("content-length: ").nth(1).unwrap();
            let length: usize = length.split("\r\n").next().unwrap().parse().unwrap();
            if buffer.len() >= end + 4 + length {
                let status = head[9..12].parse().unwrap();
                return (status, buffer[end + 4..end + 4 + length].to_vec());
            }
        }
        assert!(stream.read_buf(buffer).await.unwrap() > 0, "the server closed the connection");
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).take(1_024).position(|window| window == needle)
}
