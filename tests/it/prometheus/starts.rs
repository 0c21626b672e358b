//! Tests of start times with Prometheus 3: what a new series has at its first scrape is an increase,
//! and no scraper sees more series because of them.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use tempfile::tempdir;

use super::{SCRAPED_MAX, direct, send_events, wait_for_health};
use crate::support::poll;
use crate::support::process::{Server, key, key_with, passed_over, tokenlake};
use crate::support::prometheus::{Health, Prometheus};

/// What makes it ask for protobuf, and take start times for samples of 0.
const FLAG: &str = "--enable-feature=created-timestamp-zero-ingestion";
const ALL: &str =
    "collect[]=core&collect[]=tokens&collect[]=pricing&collect[]=freshness&collect[]=dimensions";

fn start(
    server: &Server,
    keys: &[(&str, &str)],
    folder: &Path,
    args: &[&str],
) -> Option<Prometheus> {
    let Ok(program) = std::env::var("PROMETHEUS3") else {
        passed_over("PROMETHEUS3 names no Prometheus 3");
        return None;
    };
    let mut config =
        "global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n".to_owned();
    for (job, key) in keys {
        config.push_str(&format!(
            "  - job_name: {job}\n    authorization: {{credentials: '{key}'}}\n    \
             params: {{'collect[]': [core, tokens, pricing, freshness, dimensions]}}\n    \
             static_configs: [{{targets: ['{}']}}]\n",
            server.address(),
        ));
    }
    std::fs::write(folder.join("config.yml"), config).unwrap();
    Some(Prometheus::start_with(&program, folder, "config.yml", args))
}

/// The increase of each counter of a job up to its newest sample, and what that sample is.
fn increases(prometheus: &Prometheus, job: &str) -> BTreeMap<String, (Option<f64>, f64)> {
    let of_job = format!("{{__name__=~\"llm_.*_total\",job=\"{job}\"}}");
    let number = |sample: &Value| -> f64 { sample["value"][1].as_str().unwrap().parse().unwrap() };
    let mut increases = BTreeMap::new();
    for sample in prometheus.query(&of_job) {
        let labels = sample["metric"].as_object().unwrap().iter();
        let labels = labels.map(|(name, value)| match name.as_str() {
            "__name__" => format!("__name__={value}"),
            name => format!("{name}={value}"),
        });
        let labels: Vec<_> = labels.collect();
        let selector = format!("{{{}}}", labels.join(","));
        // Up to the sample itself, so that nothing is extrapolated.
        let times = prometheus.query(&format!("timestamp({selector})"));
        let at = times[0]["value"][1].as_str().unwrap();
        let last = number(&prometheus.query_at(&selector, at)[0]);
        let increase = prometheus.query_at(&format!("increase({selector}[10m])"), at);
        increases.insert(selector, (increase.first().map(number), last));
    }
    increases
}

#[test]
fn the_first_scrape_of_a_new_series_is_an_increase_if_starts_are_taken() {
    let (archive, folder, plain_folder) =
        (tempdir().unwrap(), tempdir().unwrap(), tempdir().unwrap());
    let done = tokenlake(archive.path(), &["dimension", "add", "team"]);
    assert_eq!(done.status, 0, "{done:?}");
    let whole = key(archive.path(), "acme");
    let bound = key_with(archive.path(), "acme", &["--dimension", "team=core"]);
    let server = Server::start(archive.path());
    let keys = [("bound", bound.as_str()), ("whole", whole.as_str())];
    let Some(started) = start(&server, &keys, folder.path(), &[FLAG]) else { return };
    let Some(plain) = start(&server, &keys, plain_folder.path(), &[]) else { return };
    let well = Health { up: true, last_error: String::new() };
    for prometheus in [&started, &plain] {
        for (job, _) in keys {
            wait_for_health(prometheus, job, &well, "1");
        }
    }
    send_events(&server, &bound);
    for (job, key) in keys {
        let expected = direct(&server, key, ALL);
        assert!(expected.len() > 20, "{expected:?}");
        for (prometheus, name) in [(&started, "with starts"), (&plain, "without")] {
            let seen = poll(SCRAPED_MAX, &format!("{job} is scraped {name}"), || {
                Some(prometheus.series(job)).filter(|series| series.len() >= expected.len())
            });
            assert_eq!(seen, expected, "{job} {name}");
        }
        let increases_of = |prometheus| {
            let found = increases(prometheus, job);
            assert!(found.len() > 20, "{found:?}");
            found
        };
        for (series, (increase, last)) in increases_of(&started) {
            assert_eq!(increase, Some(last), "{series}");
        }
        for (series, (increase, _)) in increases_of(&plain) {
            assert_eq!(increase.unwrap_or_default(), 0.0, "{series}");
        }
    }
}
