//! Tests of each format with the reader of the project that defined it.

use std::io::Write as _;
use std::process::{Command, Stdio};

use tempfile::tempdir;

use super::{FAMILIES, promtool, send_events};
use crate::support::client;
use crate::support::process::{Server, installed, key, key_with, passed_over, tokenlake};

/// What scrapers send, and the version that each prefers.
const ACCEPTS: [(&str, &str, &str); 7] = [
    (
        "Prometheus 2.42",
        "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
        OPEN,
    ),
    (
        "Prometheus 3.5",
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
        OPEN,
    ),
    (
        "Prometheus 3.5, text first",
        "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.2",
        "text/plain; version=1.0.0; charset=utf-8",
    ),
    (
        "Prometheus 3.5 that takes start times",
        "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
        "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited",
    ),
    ("vmagent", "text/plain;version=0.0.4;q=1,*/*;q=0.1", TEXT),
    ("a browser", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", TEXT),
    ("one that takes neither", "application/json", TEXT),
];
const OPEN: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Reads a scrape strictly, and prints each sample; `openmetrics` or `text` is the argument.
const PARSER: &str = r"
import sys
if sys.argv[1] == 'openmetrics':
    from prometheus_client.openmetrics.parser import text_string_to_metric_families
else:
    from prometheus_client.parser import text_string_to_metric_families
families = list(text_string_to_metric_families(sys.stdin.read()))
print(sum(len(family.samples) for family in families), *(family.name + ':' + family.unit for family in families))
";

/// What the client library of Python says of a scrape: how many samples, then families with units.
fn parsed(format: &str, body: &[u8]) -> Result<String, String> {
    let mut child = Command::new("python3")
        .args(["-c", PARSER, format])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(body).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

fn has_parser() -> bool {
    let found = installed("python3") && parsed("openmetrics", b"# EOF\n").is_ok();
    let needed = std::env::var("TOKENLAKE_TEST_REAL").is_ok_and(|value| value == "1");
    assert!(found || !needed, "prometheus_client is not installed");
    found || passed_over("Python's prometheus_client is not installed")
}

fn ask(server: &Server, key: &str, query: &str, accept: &str) -> client::Answer {
    let auth = client::bearer(key);
    let url = server.url(&format!("/metrics?{query}"));
    let headers = [
        ("authorization", auth.as_str()),
        ("accept", accept),
        ("x-prometheus-scrape-timeout-seconds", "5.000"),
    ];
    client::send("GET", &url, &headers, "")
}

#[test]
fn each_scraper_gets_the_format_that_it_prefers() {
    let archive = tempdir().unwrap();
    let key = key(archive.path(), "acme");
    let server = Server::start(archive.path());
    for (who, accept, content_type) in ACCEPTS {
        let answer = ask(&server, &key, "", accept);
        assert_eq!(answer.status, 200, "{who}");
        assert_eq!(answer.header("content-type"), Some(content_type), "{who}");
        let vary = answer.header("vary").unwrap().to_lowercase();
        assert!(vary.contains("accept") && vary.contains("accept-encoding"), "{vary}");
    }
}

#[test]
fn the_strict_parser_of_openmetrics_takes_every_family() {
    if !has_parser() {
        return;
    }
    let archive = tempdir().unwrap();
    let [key, empty] = ["acme", "empty"].map(|org| key(archive.path(), org));
    let server = Server::start(archive.path());
    send_events(&server, &key);
    for key in [&key, &empty] {
        let open = ask(&server, key, FAMILIES, ACCEPTS[0].1);
        let found = parsed("openmetrics", &open.body).unwrap_or_else(|error| panic!("{error}"));
        let text = ask(&server, key, FAMILIES, "*/*");
        let found_text = parsed("text", &text.body).unwrap_or_else(|error| panic!("{error}"));
        let samples = |found: &str| found.split(' ').next().unwrap().to_owned();
        assert_eq!(samples(&found), samples(&found_text));
        for family in
            ["llm_requests:", "llm_tokens:tokens", "llm_cost_usd:usd", "llm_cost_usd_rolling_24h:"]
        {
            assert!(found.split_whitespace().any(|name| name == family), "{family} in {found}");
        }
    }
    for (broken, text) in [
        ("no end", "# TYPE a counter\na_total 1\n"),
        ("a unit that is no suffix", "# TYPE a counter\n# UNIT a usd\na_total 1\n# EOF\n"),
        ("a counter without a suffix", "# TYPE a counter\na 1\n# EOF\n"),
    ] {
        assert!(parsed("openmetrics", text.as_bytes()).is_err(), "the parser takes {broken}");
    }
}

#[test]
fn the_strict_parser_takes_start_times_and_text_has_none() {
    let archive = tempdir().unwrap();
    let done = tokenlake(archive.path(), &["dimension", "add", "team"]);
    assert_eq!(done.status, 0, "{done:?}");
    let bound = key_with(archive.path(), "acme", &["--dimension", "team=core"]);
    let server = Server::start(archive.path());
    send_events(&server, &bound);
    let query = format!("{FAMILIES}&collect[]=dimensions&collect[]=created");
    let open = ask(&server, &bound, &query, ACCEPTS[0].1);
    assert_eq!(open.status, 200, "{}", open.text());
    let count = |body: &str, word: &str| body.lines().filter(|line| line.contains(word)).count();
    let counters = count(open.text(), "_total{");
    assert!(counters > 11 && count(open.text(), "_created{") == counters, "{}", open.text());
    let text = ask(&server, &bound, &query, "text/plain");
    let without = ask(&server, &bound, query.trim_end_matches("&collect[]=created"), "text/plain");
    assert_eq!(text.text(), without.text());
    if has_parser() {
        let found = parsed("openmetrics", &open.body).unwrap_or_else(|error| panic!("{error}"));
        let samples = text.text().lines().filter(|line| !line.starts_with('#')).count();
        assert!(found.starts_with(&format!("{} ", samples + counters)), "{found}");
    }
    if installed("promtool") {
        let query = format!("{FAMILIES}&collect[]=created");
        let text = ask(&server, &bound, &query, "text/plain");
        assert_eq!(promtool(&text.body), (true, String::new()));
    }
}

#[test]
fn text_1_0_0_is_the_same_text() {
    let archive = tempdir().unwrap();
    let key = key(archive.path(), "acme");
    let server = Server::start(archive.path());
    send_events(&server, &key);
    let [newer, text] = [ACCEPTS[2].1, "text/plain"].map(|accept| ask(&server, &key, "", accept));
    assert_eq!(newer.text(), text.text());
    if installed("promtool") {
        assert_eq!(promtool(&newer.body), (true, String::new()));
    }
}
