//! What dimensions and prices cost: ingest, backfill and bytes of the same events with three declared
//! dimensions and without; and with 5,000 imported rules, beside events that have no cost and beside events
//! that bring the same cost, in turns.
//!
//! `cargo bench --bench features`. Clients and server share the machine's cores.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    clippy::float_arithmetic,
    reason = "a bench prints and may stop at what is wrong"
)]

mod support;

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use support::program::{Server, data_files, folder, run};
use tokio::net::TcpStream;

const CLIENTS: usize = 4;
const BATCH: usize = 1_000;
const TIME: Duration = Duration::from_secs(4);
/// Turns of each, of which the median counts.
const TURNS: usize = 5;
const BACKFILLED: usize = 1_000_000;
const RULES: usize = 5_000;
/// Values of each dimension.
const VALUES: usize = 100;
const DIMENSIONS: [&str; 3] = ["team", "app", "env"];

/// What is compared with the same without it.
#[derive(Clone, Copy)]
enum Feature {
    Dimensions,
    Prices,
    /// As the one before, beside events that bring their costs.
    PricesForCosts,
}

impl Feature {
    /// Prepares an empty archive that has the feature.
    fn prepare(self, archive: &Path) {
        match self {
            Self::Dimensions => {
                for dimension in DIMENSIONS {
                    run(archive, &["dimension", "add", dimension]);
                }
            }
            Self::Prices | Self::PricesForCosts => {
                // Only an archive that is there takes a table.
                run(archive, &["generate", "--events", "1", "--orgs", "1"]);
                let file = archive.parent().unwrap().join("rules.json");
                std::fs::write(&file, rules()).unwrap();
                run(archive, &["price", "import", file.to_str().unwrap()]);
            }
        }
    }

    /// The options of a program with it, or without.
    fn options(self, with: bool) -> &'static [&'static str] {
        match self {
            Self::Prices | Self::PricesForCosts if !with => &["--prices", "none"],
            _ => &[],
        }
    }

    /// Whether events bring their costs.
    fn brings_costs(self, with: bool) -> bool {
        matches!(self, Self::PricesForCosts) && !with
    }
}

#[tokio::main]
async fn main() {
    for (name, feature) in [
        ("three dimensions", Feature::Dimensions),
        ("5,000 rules", Feature::Prices),
        ("rules for costs", Feature::PricesForCosts),
    ] {
        println!("\n{name:<18} {:>12} {:>12} {:>7}", "with", "without", "ratio");
        let rates = ingest(feature).await;
        show("ingest, events/s", rates);
        let (rates, bytes) = backfill(feature);
        show("backfill, events/s", rates);
        show("bytes an event", bytes);
    }
}

fn show(name: &str, [with, without]: [f64; 2]) {
    println!("{name:<18} {with:>12.1} {without:>12.1} {:>7.2}", with / without);
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Events per second that one server takes, with the feature and without.
async fn ingest(feature: Feature) -> [f64; 2] {
    let mut rates = [Vec::new(), Vec::new()];
    for turn in 0..TURNS * 2 {
        let with = turn % 2 == 0;
        let folder = tempfile::tempdir_in(folder()).unwrap();
        let archive = folder.path().join("archive");
        std::fs::create_dir(&archive).unwrap();
        if with {
            feature.prepare(&archive);
        }
        let key = run(&archive, &["key", "create", "--org", "acme"]);
        let args = [&["serve"][..], feature.options(with)].concat();
        let server = Server::start_with(&archive, &args);
        let rate = load(&server, key.trim_end(), feature.brings_costs(with)).await;
        rates[usize::from(!with)].push(rate);
    }
    rates.map(median)
}

async fn load(server: &Server, key: &str, costs: bool) -> f64 {
    let start = Instant::now();
    let clients = (0..CLIENTS).map(|client| {
        let (address, key) = (server.address, key.to_owned());
        tokio::spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let (mut batches, mut buffer) = (0, Vec::new());
            while start.elapsed() < TIME {
                let body = events(&format!("{client}-{batches}"), BATCH, None, costs);
                let request = format!(
                    "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n\
                     Content-Type: application/x-ndjson\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                );
                let sent = support::exchange(&mut stream, request.as_bytes(), &mut buffer);
                let (status, body) = sent.await;
                assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
                batches += 1;
            }
            batches
        })
    });
    let mut batches = 0;
    for client in clients.collect::<Vec<_>>() {
        batches += client.await.unwrap();
    }
    (batches * BATCH) as f64 / start.elapsed().as_secs_f64()
}

/// Events per second of a backfill, and bytes an event of the archive's data files, with the feature and without.
fn backfill(feature: Feature) -> ([f64; 2], [f64; 2]) {
    let folder = tempfile::tempdir_in(folder()).unwrap();
    let sources = [true, false].map(|with| {
        let source = folder.path().join(format!("events-{with}.ndjson"));
        let events = events("backfill", BACKFILLED, Some("acme"), feature.brings_costs(with));
        std::fs::write(&source, events).unwrap();
        source.to_str().unwrap().to_owned()
    });
    let (mut rates, mut bytes) = ([Vec::new(), Vec::new()], [0.0; 2]);
    for turn in 0..TURNS * 2 {
        let with = turn % 2 == 0;
        let archive = folder.path().join("archive");
        let _ = std::fs::remove_dir_all(&archive);
        std::fs::create_dir(&archive).unwrap();
        if with {
            feature.prepare(&archive);
        }
        let side = usize::from(!with);
        let args: [&[&str]; 3] =
            [&["backfill", "--org", "acme"], feature.options(with), &[&sources[side]]];
        let start = Instant::now();
        run(&archive, &args.concat());
        rates[side].push(BACKFILLED as f64 / start.elapsed().as_secs_f64());
        let files = data_files(&archive);
        let total: u64 = files.iter().map(|file| file.metadata().unwrap().len()).sum();
        bytes[side] = total as f64 / BACKFILLED as f64;
    }
    (rates.map(median), bytes)
}

/// Lines of events of two hours, with the attributes that the dimensions name, and if asked for with the cost
/// that [`rules`] give them.
fn events(name: &str, count: usize, org_id: Option<&str>, costs: bool) -> String {
    let mut lines = String::with_capacity(count * 260);
    let org_id = org_id.map_or_else(String::new, |org_id| format!(r#""org_id":"{org_id}","#));
    for number in 0..count {
        let mixed = number.wrapping_mul(2_654_435_761) >> 7;
        let (model, input, output) = (mixed % 15, 1_000 + mixed % 4_000, 1 + mixed % 300);
        let cost = if costs {
            // In units of 10^-10 dollars: rates are dollars for a million tokens.
            let units = input * model + output * (10_000 + model);
            format!(r#""cost_usd":"0.{units:010}","#)
        } else {
            String::new()
        };
        writeln!(
            lines,
            r#"{{"event_id":"{name}-{number}",{org_id}"ts":{},"provider":"openai","model":"model-{model}","input_tokens":{input},"output_tokens":{output},{cost}"attributes":{{"team":"team-{}","app":"app-{}","env":"env-{}"}}}}"#,
            1_767_225_600 + number % 7_200,
            mixed / 3 % VALUES,
            mixed / 7 % VALUES,
            mixed / 11 % VALUES,
        )
        .unwrap();
    }
    lines
}

/// A table of prices in our own format. The models of [`events`] come last.
fn rules() -> String {
    let rules = (0..RULES).rev().map(|number| {
        format!(
            r#"{{"id":"{number}","model":"model-{number}","prefixes":["model-{number}-"],"rates":{{"input":"0.{number:04}","output":"1.{number:04}"}}}}"#
        )
    });
    let rules = rules.collect::<Vec<_>>().join(",");
    format!(
        r#"{{"format":"tokenlake.prices","version":1,"table":"bench","taken":"2026-01-01","rules":[{rules}]}}"#
    )
}
