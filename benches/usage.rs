//! Usage of a month by day and model over HTTP: cold, by the first question of a new process, and warm;
//! next to the same over a small archive.
//!
//! `cargo bench --bench usage`; `TOKENLAKE_BENCH_EVENTS` is the number of events, a million by default.
//! An archive is made once and kept in `target/tmp`. Client and server share the machine's cores.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::float_arithmetic,
    reason = "a bench prints and may stop at what is wrong"
)]

mod support;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{Days, NaiveDate};
use support::program::{Server, archive_of, data_files, working_copy};
use tokenlake::access::AccessKeys;
use tokenlake::archive::{ArchiveLocation, Records};
use tokenlake::clock::SystemClock;
use tokio::net::TcpStream;

const EVENTS_DEFAULT: u64 = 1_000_000;
const SMALL: u64 = 100_000;
/// Questions that are asked again.
const WARM: usize = 300;
const MONTH: u64 = 30;
/// A zone of whole hours, and one whose days cut an hour of UTC.
const ZONES: [&str; 2] = ["UTC", "Asia/Kolkata"];

#[tokio::main]
async fn main() {
    let events = std::env::var("TOKENLAKE_BENCH_EVENTS").ok();
    let events = events.map_or(EVENTS_DEFAULT, |events| events.parse().unwrap());
    let mut small = None;
    for events in [SMALL, events] {
        let archive = archive_of(events);
        println!("\n{events} events in {} files", data_files(&archive).len());
        let warm = measure(&archive).await;
        let ratio = |now: Duration, then: Duration| now.as_secs_f64() / then.as_secs_f64();
        if let Some(small) = small.replace(warm) {
            for (zone, (now, then)) in ZONES.iter().zip(warm.into_iter().zip(small)) {
                println!("{zone:<13} {:.2} × the small archive", ratio(now, then));
            }
        }
    }
}

/// The warm times of each zone.
async fn measure(archive: &Path) -> [Duration; 2] {
    let copy = working_copy(archive);
    let key = key(copy.path()).await;
    let last = last_date(archive);
    let (from, to) =
        (last.checked_sub_days(Days::new(MONTH - 1)).unwrap(), last.succ_opt().unwrap());
    let mut warm = [Duration::ZERO; 2];
    for (zone, warm) in ZONES.iter().zip(&mut warm) {
        let server = Server::start(copy.path());
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let request = format!(
            "GET /v1/usage?from={from}&to={to}&step=day&group_by=model&timezone={zone} HTTP/1.1\r\n\
             Host: localhost\r\nAuthorization: Bearer {key}\r\n\r\n"
        );
        let (mut times, mut buffer, mut bytes) = (Vec::new(), Vec::new(), 0);
        for _ in 0..=WARM {
            let sent = Instant::now();
            let exchange = support::exchange(&mut stream, request.as_bytes(), &mut buffer);
            let (status, body) = exchange.await;
            assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
            bytes = body.len();
            times.push(sent.elapsed());
        }
        let cold = times.remove(0);
        times.sort_unstable();
        let late = times[WARM * 99 / 100];
        *warm = times[WARM / 2];
        println!(
            "{zone:<13} cold {cold:.1?}, warm {warm:.2?}, 99th percentile {late:.2?}, {bytes} bytes"
        );
    }
    warm
}

async fn key(archive: &Path) -> String {
    let location = ArchiveLocation::parse(archive.to_str().unwrap()).unwrap();
    let keys = AccessKeys::new(Records::new(location.open().unwrap()), Arc::new(SystemClock));
    keys.create(support::new_key("org-0000")).await.unwrap().reveal().to_owned()
}

/// The last date that has events.
fn last_date(archive: &Path) -> NaiveDate {
    let files = data_files(archive);
    let dates = files.iter().filter_map(|file| {
        let folder = file.parent()?.file_name()?.to_str()?;
        folder.strip_prefix("event_date=")?.parse().ok()
    });
    dates.max().unwrap()
}
