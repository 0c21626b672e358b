//! Tests of `GET` and `HEAD /metrics`.

use std::io::Read as _;
use std::time::{SystemTime, UNIX_EPOCH};

use super::{Acme, counts};
use crate::support::client::{self, Answer, bearer};
use crate::support::events;
use crate::support::metric_families::{Sample, samples, samples_of_text};
use crate::support::process::key;

const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
/// What Prometheus 2.42 sends.
const PROMETHEUS: &str = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";

fn ask(acme: &Acme, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let auth = bearer(&acme.key);
    let headers = [&[("authorization", auth.as_str())], headers].concat();
    client::send(method, &acme.server.url(path), &headers, "")
}

/// The names of the families, in order, each with HELP before TYPE.
fn families(answer: &Answer) -> Vec<String> {
    let mut names = Vec::new();
    let mut help = String::new();
    for line in answer.text().lines() {
        let mut words = line.split(' ').skip(1);
        if line.starts_with("# HELP ") {
            help = words.nth(1).unwrap().to_owned();
        } else if line.starts_with("# TYPE ") {
            assert_eq!(words.nth(1).unwrap(), help, "HELP comes first");
            names.push(help.clone());
        }
    }
    names
}

const CORE: [&str; 4] =
    ["llm_requests_total", "llm_tokens_total", "llm_cost_usd_total", "llm_cost_usd_rolling_24h"];

#[test]
fn an_organisation_without_events_has_every_family_and_one_zero() {
    let acme = Acme::start();
    let answer = acme.get("/metrics");
    assert_eq!(answer.header("content-type"), Some(TEXT));
    assert_eq!(families(&answer), CORE);
    let samples: Vec<_> = answer.text().lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(samples, [r#"llm_cost_usd_rolling_24h{org_id="acme"} 0"#]);
}

#[test]
#[allow(clippy::disallowed_methods, reason = "the program under test goes by the machine's clock")]
fn series_are_merged_sorted_and_exact() {
    let acme = Acme::start();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let lines = [
        r#""provider":"OpenAI","model":"GPT-4o","input_tokens":1,"output_tokens":2,"cost_usd":0.1"#,
        r#""provider":" openai ","model":"gpt-4O","input_tokens":3,"cost_usd":"0.2""#,
        r#""provider":"anthropic","model":"ÇA","output_tokens":"7","cost_usd":1e-7"#,
        r#""provider":"openai","model":"free""#,
        r#""provider":"openai","model":"Unknown","cost_usd":"1""#,
        r#""model":"gpt-4o","input_tokens":9,"cost_usd":"2""#,
        r#""provider":"openai","model":" ","cost_usd":"4""#,
        r#""event_type":"embedding","provider":"openai","model":"gpt-4o","cost_usd":"8""#,
    ];
    let event = |(id, fields)| format!(r#"{{"event_id":"{id}","ts":{},{fields}}}"#, now - 60);
    let body: Vec<_> = lines.iter().enumerate().map(event).collect();
    assert_eq!(counts(&acme.post("application/x-ndjson", body.join("\n"))), (8, 0, 0));
    let answer = acme.get("/metrics");
    let samples: Vec<_> = answer.text().lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(
        samples,
        [
            r#"llm_requests_total{provider="anthropic",model="ça",org_id="acme"} 1"#,
            r#"llm_requests_total{provider="openai",model="free",org_id="acme"} 1"#,
            r#"llm_requests_total{provider="openai",model="gpt-4o",org_id="acme"} 2"#,
            r#"llm_tokens_total{provider="anthropic",model="ça",org_id="acme"} 7"#,
            r#"llm_tokens_total{provider="openai",model="free",org_id="acme"} 0"#,
            r#"llm_tokens_total{provider="openai",model="gpt-4o",org_id="acme"} 6"#,
            r#"llm_cost_usd_total{provider="anthropic",model="ça",org_id="acme"} 0.0000001"#,
            r#"llm_cost_usd_total{provider="openai",model="free",org_id="acme"} 0"#,
            r#"llm_cost_usd_total{provider="openai",model="gpt-4o",org_id="acme"} 0.3"#,
            r#"llm_cost_usd_rolling_24h{org_id="acme"} 7.3000001"#,
        ]
    );
    let unpriced = acme.get("/metrics?collect[]=pricing");
    assert!(unpriced.text().contains(r#"model="free",org_id="acme"} 1"#), "{}", unpriced.text());
}

#[test]
fn each_organisation_sees_itself_under_its_name_in_lower_case() {
    let acme = Acme::start();
    let other = key(acme.archive.path(), "Globex.EU:1");
    events::send(&acme.server, &acme.key, 0..2);
    events::send(&acme.server, &other, 0..5);
    assert_eq!(events::counted(&acme.server, &acme.key, "acme"), 2);
    assert_eq!(events::counted(&acme.server, &other, "globex.eu:1"), 5);
    assert_eq!(acme.series().keys().filter(|name| !name.contains("acme")).count(), 0);
}

#[test]
fn head_has_the_headers_of_get_and_no_body() {
    let acme = Acme::start();
    events::send(&acme.server, &acme.key, 0..2);
    let (get, head) = (acme.get("/metrics"), ask(&acme, "HEAD", "/metrics", &[]));
    assert_eq!((head.status, head.body.len()), (200, 0));
    for name in ["content-type", "content-length", "vary"] {
        assert!(head.header(name).is_some(), "{name}");
        assert_eq!(head.header(name), get.header(name), "{name}");
    }
}

#[test]
fn gzip_and_zstd_are_sent_where_they_are_accepted() {
    let acme = Acme::start();
    events::send(&acme.server, &acme.key, 0..2);
    let plain = ask(&acme, "GET", "/metrics", &[("accept-encoding", "gzip;q=0, identity")]);
    assert_eq!(plain.header("content-encoding"), None);
    let packed = |accepted: &str, coding: &str| {
        let packed = ask(&acme, "GET", "/metrics", &[("accept-encoding", accepted)]);
        assert_eq!(packed.header("content-encoding"), Some(coding), "{accepted}");
        assert_eq!(packed.header("content-type"), Some(TEXT));
        assert!(packed.header("vary").unwrap().to_lowercase().contains("accept-encoding"));
        packed.body
    };
    let mut text = Vec::new();
    let gzip = packed("gzip", "gzip");
    flate2::read::GzDecoder::new(gzip.as_slice()).read_to_end(&mut text).unwrap();
    assert_eq!(text, plain.body);
    assert_eq!(zstd::decode_all(packed("gzip, zstd", "zstd").as_slice()).unwrap(), plain.body);
}

#[test]
fn openmetrics_is_sent_where_it_is_preferred() {
    let acme = Acme::start();
    events::send(&acme.server, &acme.key, 0..2);
    let open = ask(&acme, "GET", "/metrics", &[("accept", PROMETHEUS)]);
    let content_type = open.header("content-type").unwrap();
    assert!(
        content_type.starts_with("application/openmetrics-text; version=1.0.0"),
        "{content_type}"
    );
    assert!(open.text().ends_with("\n# EOF\n"));
    assert_eq!(families(&open)[..2], ["llm_requests", "llm_tokens"]);
    let samples = |answer: &Answer| -> Vec<String> {
        answer.text().lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
    };
    assert_eq!(samples(&open), samples(&acme.get("/metrics")));
    for accept in ["*/*", "text/plain", "application/json", ""] {
        let text = ask(&acme, "GET", "/metrics", &[("accept", accept)]);
        assert_eq!(text.header("content-type"), Some(TEXT), "{accept}");
        assert!(!text.text().contains("EOF"));
    }
}

#[test]
fn protobuf_is_sent_where_it_is_preferred_with_the_samples_of_the_text() {
    const ACCEPT: &str = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,text/plain;q=0.5";
    let acme = Acme::start();
    events::send(&acme.server, &acme.key, 0..20);
    let path = "/metrics?collect[]=core&collect[]=tokens&collect[]=pricing&collect[]=freshness";
    let text = acme.get(path);
    let expected = samples_of_text(text.text());
    let headers = |more: (&'static str, &'static str)| [("accept", ACCEPT), more];
    let plain = ask(&acme, "GET", path, &headers(("accept-encoding", "identity")));
    assert_eq!(plain.status, 200);
    assert_eq!(
        plain.header("content-type"),
        Some(
            "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
        )
    );
    let without = |sample: Sample| Sample { created: None, ..sample };
    let shown = samples(&plain.body).into_iter().map(without).collect::<Vec<_>>();
    assert_eq!(shown, expected);
    let gzip = ask(&acme, "GET", path, &headers(("accept-encoding", "gzip")));
    assert_eq!(gzip.header("content-encoding"), Some("gzip"));
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(gzip.body.as_slice()).read_to_end(&mut unpacked).unwrap();
    assert_eq!(unpacked, plain.body);
    let head = ask(&acme, "HEAD", path, &headers(("accept-encoding", "identity")));
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), plain.header("content-length"));
}

#[test]
#[allow(clippy::disallowed_methods, reason = "the program under test goes by the machine's clock")]
fn created_is_when_the_first_event_of_each_series_came_whatever_its_ts() {
    let acme = Acme::start();
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros();
    let began = now();
    // Their own times are long ago.
    events::send(&acme.server, &acme.key, 0..20);
    let sent = now();
    let path = "/metrics?collect[]=core&collect[]=tokens&collect[]=pricing&collect[]=created";
    let created = |answer: &Answer| {
        assert_eq!(answer.status, 200, "{}", answer.text());
        let samples = samples_of_text(answer.text()).into_iter();
        let counters = samples.filter(|sample| sample.name.ends_with("_total"));
        counters.map(|sample| sample.created.unwrap()).collect::<Vec<_>>()
    };
    let first = created(&ask(&acme, "GET", path, &[("accept", PROMETHEUS)]));
    assert!(first.len() >= 11, "{first:?}");
    let in_between = |micros: &i64| (began..=sent).contains(&u128::try_from(*micros).unwrap());
    assert!(first.iter().all(in_between), "{first:?} {began} {sent}");
    events::send(&acme.server, &acme.key, 20..40);
    assert_eq!(created(&ask(&acme, "GET", path, &[("accept", PROMETHEUS)])), first);
}

#[test]
fn families_are_chosen_by_collect() {
    let acme = Acme::start();
    events::send(&acme.server, &acme.key, 0..2);
    let tokens = [
        "llm_input_tokens_total",
        "llm_output_tokens_total",
        "llm_cached_input_tokens_total",
        "llm_cache_write_tokens_total",
        "llm_reasoning_tokens_total",
    ];
    let rest = [
        "llm_requests_unpriced_total",
        "llm_requests_priced_later_total",
        "llm_cost_usd_credits_total",
        "llm_price_table_timestamp_seconds",
        "llm_archive_version",
        "llm_last_event_timestamp_seconds",
    ];
    let all = [&CORE[..], &tokens, &rest].concat();
    for (query, expected) in [
        ("collect[]=core", &all[..4]),
        ("collect%5B%5D=core&collect[]=core", &all[..4]),
        ("other=1", &all[..4]),
        ("collect[]=tokens", &all[4..9]),
        ("collect[]=tokens&collect[]=pricing&collect[]=freshness", &all[4..]),
        ("collect[]=freshness&collect[]=core&collect[]=tokens&collect[]=pricing", &all[..]),
    ] {
        let answer = acme.get(&format!("/metrics?{query}"));
        assert_eq!(families(&answer), expected, "{query}");
    }
    let fresh = acme.get("/metrics?collect[]=freshness");
    let last = r#"llm_last_event_timestamp_seconds{org_id="acme"} 1714557600"#;
    assert!(fresh.text().contains(last), "{}", fresh.text());
    for query in ["collect[]=", "collect[]=Core", "collect[]=core&collect[]=all", "collect[]=a%00"]
    {
        assert_eq!(acme.get(&format!("/metrics?{query}")).status, 400, "{query}");
    }
}

#[test]
fn the_deadline_of_the_scraper_is_taken_however_it_is_written() {
    let acme = Acme::start();
    for seconds in ["10", "5.000", "120", "-1", "soon", "NaN", "1e400", ""] {
        let headers = [("x-prometheus-scrape-timeout-seconds", seconds)];
        let answer = ask(&acme, "GET", "/metrics", &headers);
        assert_eq!(answer.status, 200, "{seconds}: {}", answer.text());
    }
}
