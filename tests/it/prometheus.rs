//! Tests with a real Prometheus: it shows the values of the scrape, and promtool finds no fault.

mod formats;
mod secured;
mod starts;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tempfile::tempdir;

use crate::support::process::{Server, installed, key, key_with, tokenlake};
use crate::support::prometheus::{Health, Prometheus};
use crate::support::{client, poll, scrape};

/// A busy machine, and one scrape a second.
const SCRAPED_MAX: Duration = Duration::from_secs(30);
const FAMILIES: &str = "collect[]=core&collect[]=tokens&collect[]=pricing&collect[]=freshness";

/// Some events of the last hour, with every kind of label and number that is written.
#[allow(clippy::disallowed_methods, reason = "the program under test goes by the machine's clock")]
fn send_events(server: &Server, key: &str) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let models = ["gpt-4o", r#"say \"hi\" \\ \n again"#, "modèle-Ω", "GPT-4o", "unpriced"];
    let event = |number: usize| {
        let cost = if number % 5 == 4 { "null" } else { "\"0.100000000001\"" };
        format!(
            r#"{{"event_id":"e{number}","ts":{},"provider":"OpenAI","model":"{}","input_tokens":{},"cached_input_tokens":{number},"output_tokens":7,"reasoning_tokens":3,"cost_usd":{cost}}}"#,
            now - 60 * number as u64,
            models[number % 5],
            number * 100,
        )
    };
    let body: Vec<_> = (0..50).map(event).collect();
    let body = body.join("\n");
    let answer = client::post(&server.url("/v1/events"), key, "application/x-ndjson", body);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["accepted"], 50, "{}", answer.text());
}

fn write_config(folder: &Path, target: &str, key: &str, doomed: &str) {
    std::fs::write(folder.join("token"), format!("{key}\n")).unwrap();
    let jobs = [
        ("authorization", format!("authorization: {{credentials: '{key}'}}")),
        ("bearer_token", format!("bearer_token: '{key}'")),
        ("bearer_token_file", "bearer_token_file: token".to_owned()),
        (
            "families",
            format!(
                "bearer_token: '{key}'\n    params: {{'collect[]': [core, tokens, pricing, freshness]}}"
            ),
        ),
        ("doomed", format!("bearer_token: '{doomed}'")),
        ("garbage", "bearer_token: 'td_live_garbage'".to_owned()),
    ];
    let mut config =
        "global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n".to_owned();
    for (name, credentials) in jobs {
        config.push_str(&format!(
            "  - job_name: {name}\n    {credentials}\n    static_configs: [{{targets: ['{target}']}}]\n"
        ));
    }
    std::fs::write(folder.join("config.yml"), config).unwrap();
}

fn direct(server: &Server, key: &str, query: &str) -> BTreeMap<String, f64> {
    let answer = client::get(&server.url(&format!("/metrics?{query}")), key);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let series = scrape::parse(answer.text()).into_iter();
    series.map(|(name, value)| (name, value.parse().unwrap())).collect()
}

/// Waits until Prometheus says so of a job.
fn wait_for_health(prometheus: &Prometheus, job: &str, expected: &Health, up: &str) {
    poll(SCRAPED_MAX, &format!("{job} is {expected:?}"), || {
        (prometheus.health().get(job) == Some(expected)).then_some(())
    });
    poll(SCRAPED_MAX, &format!("{job} has up {up}"), || {
        (prometheus.up(job).as_deref() == Some(up)).then_some(())
    });
}

#[test]
fn prometheus_scrapes_with_each_kind_of_credentials_and_shows_the_same_values() {
    if !installed("prometheus") {
        return;
    }
    let (archive, folder) = (tempdir().unwrap(), tempdir().unwrap());
    let key = key(archive.path(), "acme");
    let doomed = key_with(archive.path(), "acme", &["--name", "doomed"]);
    let server = Server::start(archive.path());
    send_events(&server, &key);
    write_config(folder.path(), server.address(), &key, &doomed);
    let prometheus = Prometheus::start(folder.path());
    let well = Health { up: true, last_error: String::new() };
    for (job, query) in [
        ("authorization", ""),
        ("bearer_token", ""),
        ("bearer_token_file", ""),
        ("families", FAMILIES),
        ("doomed", ""),
    ] {
        wait_for_health(&prometheus, job, &well, "1");
        let expected = direct(&server, &key, query);
        assert!(expected.len() > 10, "{expected:?}");
        assert_eq!(prometheus.series(job), expected, "{job}");
    }
    let refused =
        Health { up: false, last_error: "server returned HTTP status 401 Unauthorized".to_owned() };
    wait_for_health(&prometheus, "garbage", &refused, "0");
    revoke(archive.path(), "doomed");
    wait_for_health(&prometheus, "doomed", &refused, "0");
    wait_for_health(&prometheus, "authorization", &well, "1");
}

fn revoke(archive: &Path, name: &str) {
    let list = tokenlake(archive, &["key", "list"]).stdout;
    let line = list.lines().find(|line| line.split_whitespace().any(|word| word == name)).unwrap();
    let id = line.split_whitespace().next().unwrap();
    assert_eq!(tokenlake(archive, &["key", "revoke", id]).status, 0);
}

/// What `promtool check metrics` says, and whether it is content.
fn promtool(metrics: &[u8]) -> (bool, String) {
    let mut child = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(metrics).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

#[test]
fn promtool_finds_nothing_to_say() {
    if !installed("promtool") {
        return;
    }
    let archive = tempdir().unwrap();
    let [key, empty] = ["acme", "empty"].map(|org| key(archive.path(), org));
    let server = Server::start(archive.path());
    send_events(&server, &key);
    for query in ["", FAMILIES] {
        for key in [&key, &empty] {
            let answer = client::get(&server.url(&format!("/metrics?{query}")), key);
            assert_eq!(answer.status, 200);
            assert_eq!(promtool(&answer.body), (true, String::new()), "{}", answer.text());
        }
    }
    let (content, said) = promtool(b"# TYPE odd counter\nodd 1\n");
    assert!(!content && !said.is_empty(), "promtool itself does not work");
}
