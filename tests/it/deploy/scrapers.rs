//! Tests of failures as a scraper sees them, in the installed Prometheus and in Prometheus 3: the
//! target is down, and its last error says why.

use std::path::Path;
use std::time::Duration;

use tempfile::tempdir;

use super::take_storage_away;
use crate::support::process::{Server, installed, key, key_with, passed_over};
use crate::support::prometheus::{Health, Prometheus};
use crate::support::{client, events, poll, scrape};

const SCRAPED_MAX: Duration = Duration::from_secs(30);

/// The programs to try.
fn programs() -> Vec<String> {
    let mut programs = Vec::new();
    if installed("prometheus") {
        programs.push("prometheus".to_owned());
    }
    match std::env::var("PROMETHEUS3") {
        Ok(program) => programs.push(program),
        Err(_) => drop(passed_over("PROMETHEUS3 names no Prometheus 3")),
    }
    programs
}

/// What a job's target is like.
struct Job<'a> {
    name: &'a str,
    key: &'a str,
    server: &'a Server,
    families: &'a str,
    last_error: &'a str,
}

fn write_config(folder: &Path, jobs: &[Job<'_>]) {
    let mut config =
        "global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n".to_owned();
    for Job { name, key, server, families, .. } in jobs {
        config.push_str(&format!(
            "  - job_name: {name}\n    authorization: {{credentials: '{key}'}}\n    \
             params: {{'collect[]': [{families}]}}\n    \
             static_configs: [{{targets: ['{}']}}]\n",
            server.address(),
        ));
    }
    std::fs::write(folder.join("config.yml"), config).unwrap();
}

#[test]
fn a_scrape_that_fails_says_why_and_one_that_works_shows_all_families() {
    let (archive, away) = (tempdir().unwrap(), tempdir().unwrap());
    let (server, stuck) = (Server::start(archive.path()), Server::start(away.path()));
    let acme = key(archive.path(), "acme");
    let writer = key_with(archive.path(), "acme", &["--scope", "events:write"]);
    let unlucky = key(away.path(), "unlucky");
    events::send(&server, &acme, 0..5);
    events::send(&stuck, &unlucky, 0..5);
    take_storage_away(away.path());
    let all = "core, tokens, pricing, freshness, dimensions";
    let status = |text: &str| format!("server returned HTTP status {text}");
    let [wrong, forbidden, unavailable, unknown] =
        ["401 Unauthorized", "403 Forbidden", "503 Service Unavailable", "400 Bad Request"]
            .map(status);
    let job =
        |name, key, server, families, last_error| Job { name, key, server, families, last_error };
    let jobs = [
        job("well", &acme, &server, all, ""),
        job("wrong-key", "td_live_of_nobody", &server, all, &wrong),
        job("no-key", "", &server, all, &wrong),
        job("no-scope", &writer, &server, all, &forbidden),
        job("storage-away", &unlucky, &stuck, all, &unavailable),
        job("unknown-family", &acme, &server, "core, spend", &unknown),
    ];
    for program in programs() {
        let folder = tempdir().unwrap();
        write_config(folder.path(), &jobs);
        let prometheus = Prometheus::start_program(&program, folder.path(), "config.yml");
        for Job { name, last_error, .. } in &jobs {
            let up = last_error.is_empty();
            let expected = Health { up, last_error: (*last_error).to_owned() };
            poll(SCRAPED_MAX, &format!("{program}: {name} is {expected:?}"), || {
                (prometheus.health().get(*name) == Some(&expected)).then_some(())
            });
            poll(SCRAPED_MAX, &format!("{program}: up of {name}"), || {
                (prometheus.up(name)?.as_str() == if up { "1" } else { "0" }).then_some(())
            });
        }
        let url = server
            .url("/metrics?collect[]=core&collect[]=tokens&collect[]=pricing&collect[]=freshness");
        let direct = scrape::parse(client::get(&url, &acme).text()).into_iter();
        let direct: std::collections::BTreeMap<_, f64> =
            direct.map(|(series, value)| (series, value.parse().unwrap())).collect();
        assert_eq!(prometheus.series("well"), direct, "{program}");
    }
}
