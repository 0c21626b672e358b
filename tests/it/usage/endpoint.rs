//! `GET /v1/usage` as clients meet it.

use std::io::Read as _;
use std::time::{Duration, Instant};

use flate2::read::GzDecoder;
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

use crate::support::client::{self, Answer, bearer};
use crate::support::process::{Server, key, key_with, tokenlake};

/// A server with a few events around the end of summer time in New York.
pub struct Acme {
    pub archive: TempDir,
    pub server: Server,
    pub key: String,
}

type Text = Option<&'static str>;

/// Time, provider, model, team and cost.
const EVENTS: [(&str, Text, Text, Text, Text); 6] = [
    ("2025-11-01T03:59:59.999999Z", Some("OpenAI"), Some("gpt-4o"), Some("core"), Some("9")),
    ("2025-11-01T18:29:59Z", Some("OpenAI"), Some("gpt-4o"), Some("core"), Some("0.5")),
    ("2025-11-01T18:30:00Z", Some("openai"), Some("GPT-4o"), Some("ops"), Some("0.25")),
    ("2025-11-02T05:30:00Z", Some("anthropic"), Some("claude, \"4\""), None, Some("1.125")),
    ("2025-11-02T06:30:00Z", None, Some("gpt-4o"), Some("core"), None),
    ("2025-11-03T04:59:59Z", Some("openai"), None, None, Some("0.000000000001")),
];

impl Acme {
    pub fn start() -> Self {
        let archive = tempdir().unwrap();
        let key = key(archive.path(), "acme");
        let done = tokenlake(archive.path(), &["dimension", "add", "team"]);
        assert_eq!(done.status, 0, "{done:?}");
        let server = Server::start_with(archive.path(), &["serve"]);
        let events = EVENTS.iter().enumerate().map(|(id, (ts, provider, model, team, cost))| {
            json!({
                "event_id": id.to_string(), "ts": ts, "provider": provider, "model": model,
                "input_tokens": 10 + id, "output_tokens": 1, "cached_input_tokens": id,
                "cost_usd": cost, "attributes": { "team": team },
            })
        });
        let body = Value::from(events.collect::<Vec<_>>()).to_string();
        let answer = client::post(&server.url("/v1/events"), &key, "application/json", body);
        assert_eq!(answer.status, 200, "{}", answer.text());
        Self { archive, server, key }
    }

    fn url(&self, query: &str) -> String {
        self.server.url(&format!("/v1/usage?{query}"))
    }

    fn ask(&self, query: &str) -> Answer {
        client::get(&self.url(query), &self.key)
    }

    fn told(&self, query: &str) -> String {
        let answer = self.ask(query);
        assert_eq!(answer.status, 200, "{query}: {}", answer.text());
        answer.text().to_owned()
    }
}

const NEW_YORK: &str =
    "from=2025-11-01&to=2025-11-03&step=day&timezone=America/New_York&group_by=provider,model";

#[test]
fn an_answer_is_json_or_csv() {
    let acme = Acme::start();
    let version = acme.ask("").json()["version"].as_u64().unwrap();
    let told = acme.told(NEW_YORK).replace(&format!("\"version\":{version}"), "\"version\":N");
    insta::assert_snapshot!(told, @r#"
    {"org_id":"acme","from":"2025-11-01T00:00:00-04:00","to":"2025-11-03T00:00:00-05:00","step":"day","timezone":"America/New_York","version":N,"rows":[
    {"start":"2025-11-01T00:00:00-04:00","provider":"openai","model":"gpt-4o","requests":2,"input_tokens":"23","output_tokens":"2","cached_input_tokens":"3","cache_write_tokens":"0","reasoning_tokens":"0","cost_usd":"0.75","unpriced_requests":0},
    {"start":"2025-11-02T00:00:00-04:00","provider":"anthropic","model":"claude, \"4\"","requests":1,"input_tokens":"13","output_tokens":"1","cached_input_tokens":"3","cache_write_tokens":"0","reasoning_tokens":"0","cost_usd":"1.125","unpriced_requests":0},
    {"start":"2025-11-02T00:00:00-04:00","provider":"openai","model":null,"requests":1,"input_tokens":"15","output_tokens":"1","cached_input_tokens":"5","cache_write_tokens":"0","reasoning_tokens":"0","cost_usd":"0.000000000001","unpriced_requests":0},
    {"start":"2025-11-02T00:00:00-04:00","provider":null,"model":"gpt-4o","requests":1,"input_tokens":"14","output_tokens":"1","cached_input_tokens":"4","cache_write_tokens":"0","reasoning_tokens":"0","cost_usd":"0","unpriced_requests":1}
    ]
    }
    "#);
    let csv = format!("{NEW_YORK}&format=csv");
    insta::assert_snapshot!(acme.told(&csv), @r#"
    start,provider,model,requests,input_tokens,output_tokens,cached_input_tokens,cache_write_tokens,reasoning_tokens,cost_usd,unpriced_requests
    2025-11-01T00:00:00-04:00,openai,gpt-4o,2,23,2,3,0,0,0.75,0
    2025-11-02T00:00:00-04:00,anthropic,"claude, ""4""",1,13,1,3,0,0,1.125,0
    2025-11-02T00:00:00-04:00,openai,,1,15,1,5,0,0,0.000000000001,0
    2025-11-02T00:00:00-04:00,,gpt-4o,1,14,1,4,0,0,0,1
    "#);
    // The hour that the clock shows twice.
    let hours = "from=2025-11-02T05:00:00Z&to=2025-11-02T07:00:00Z&step=hour&timezone=America/New_York\
                 &format=csv";
    insta::assert_snapshot!(acme.told(hours), @"
    start,requests,input_tokens,output_tokens,cached_input_tokens,cache_write_tokens,reasoning_tokens,cost_usd,unpriced_requests
    2025-11-02T01:00:00-04:00,1,13,1,3,0,0,1.125,0
    2025-11-02T01:00:00-05:00,1,14,1,4,0,0,0,1
    ");
    // Half hours: a day there begins in the midst of one of UTC.
    let kolkata =
        "from=2025-11-01&to=2025-11-03&step=day&timezone=Asia/Kolkata&group_by=team&format=csv";
    insta::assert_snapshot!(acme.told(kolkata), @"
    start,team,requests,input_tokens,output_tokens,cached_input_tokens,cache_write_tokens,reasoning_tokens,cost_usd,unpriced_requests
    2025-11-01T00:00:00+05:30,core,2,21,2,1,0,0,9.5,0
    2025-11-02T00:00:00+05:30,core,1,14,1,4,0,0,0,1
    2025-11-02T00:00:00+05:30,ops,1,12,1,2,0,0,0.25,0
    2025-11-02T00:00:00+05:30,,1,13,1,3,0,0,1.125,0
    ");
    let empty = acme.ask("from=2025-11-02&to=2025-11-02").json();
    assert_eq!(empty["rows"], json!([]));
    assert_eq!(empty["step"], "total");
    assert_eq!(empty["timezone"], "UTC");
}

#[test]
fn each_wrong_question_is_400_with_its_reason() {
    let acme = Acme::start();
    for (query, reason) in [
        ("step=year", "unknown step"),
        ("timezone=Mars/Base", "unknown timezone"),
        ("timezone=", "unknown timezone"),
        ("format=xml", "unknown format"),
        ("group_by=user", "cannot group by"),
        ("group_by=model,model", "twice"),
        ("group_by=model,", "cannot group by"),
        ("from=yesterday", "no time for from"),
        ("from=2025-11-01T00:00:00", "no time for from"),
        ("to=1762000000", "no time for to"),
        ("from=2025-11-02&to=2025-11-01", "after to"),
        ("tz=UTC", "unknown parameter"),
        ("step=day&step=hour", "sent twice"),
        ("step=%0aday%00", "unknown step"),
    ] {
        let answer = acme.ask(query);
        assert_eq!(answer.status, 400, "{query}: {}", answer.text());
        let error = answer.json()["error"].as_str().unwrap().to_owned();
        assert!(error.contains(reason) && error.lines().count() == 1, "{query}: {error}");
    }
    let done = tokenlake(acme.archive.path(), &["dimension", "add", "app"]);
    assert_eq!(done.status, 0, "{done:?}");
    let began = Instant::now();
    loop {
        let answer = acme.ask("group_by=team,app");
        let error = answer.json()["error"].as_str().unwrap().to_owned();
        assert_eq!(answer.status, 400, "{error}");
        if error.contains("one at a time") {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(5), "{error}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_path_with_a_slash_a_head_and_gzip_are_as_elsewhere() {
    let acme = Acme::start();
    let plain = acme.ask(NEW_YORK);
    assert_eq!(plain.header("content-type"), Some("application/json"));
    assert_eq!(plain.header("cache-control"), Some("no-store"));
    assert_eq!(plain.header("vary"), Some("Accept-Encoding, Authorization"));
    assert_eq!(plain.header("content-encoding"), None);
    let bearer = bearer(&acme.key);
    let with = |method, url: &str, coding| {
        let headers = [("authorization", bearer.as_str()), ("accept-encoding", coding)];
        client::send(method, url, &headers, "")
    };
    let slash = acme.server.url(&format!("/v1/usage/?{NEW_YORK}"));
    assert_eq!(with("GET", &slash, "identity").body, plain.body);
    let gzip = with("GET", &slash, "gzip");
    assert_eq!(gzip.header("content-encoding"), Some("gzip"));
    let mut text = Vec::new();
    GzDecoder::new(gzip.body.as_slice()).read_to_end(&mut text).unwrap();
    assert_eq!(text, plain.body);
    let zstd = with("GET", &slash, "zstd");
    assert_eq!(zstd::decode_all(zstd.body.as_slice()).unwrap(), plain.body);
    let head = with("HEAD", &slash, "identity");
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("content-type"), Some("application/json"));
    let posted = with("POST", &slash, "identity");
    assert_eq!(posted.status, 405);
}

#[test]
fn usage_needs_its_scope_and_is_ones_own() {
    let acme = Acme::start();
    let archive = acme.archive.path();
    let url = acme.url("from=2025-01-01&group_by=model");
    assert_eq!(client::send("GET", &url, &[], "").status, 401);
    let writer = key_with(archive, "acme", &["--scope", "events:write,sql:read"]);
    assert_eq!(client::get(&url, &writer).status, 403);
    // The scope is looked at before the question.
    assert_eq!(client::get(&acme.url("step=x"), &writer).status, 403);
    let other = client::get(&url, &key(archive, "globex")).json();
    assert_eq!((&other["org_id"], &other["rows"]), (&json!("globex"), &json!([])));
    let basic =
        client::send("GET", &url, &[("authorization", &format!("Bearer {}", acme.key))], "");
    assert_eq!(basic.json()["rows"].as_array().unwrap().len(), 3);
}

#[test]
fn a_bound_key_has_its_part_and_no_other_dimension() {
    let acme = Acme::start();
    let archive = acme.archive.path();
    assert_eq!(tokenlake(archive, &["dimension", "add", "app"]).status, 0);
    let core = key_with(archive, "acme", &["--dimension", "team=core"]);
    let ask = |query: &str| client::get(&acme.url(&format!("from=2025-01-01&{query}")), &core);
    let rows = ask("group_by=team").json()["rows"].clone();
    assert_eq!(rows.as_array().unwrap().len(), 1);
    assert_eq!((&rows[0]["team"], &rows[0]["requests"]), (&json!("core"), &json!(3)));
    assert_eq!((&rows[0]["cost_usd"], &rows[0]["unpriced_requests"]), (&json!("9.5"), &json!(1)));
    for groups in ["app", "team,app", "user"] {
        let answer = ask(&format!("group_by={groups}"));
        assert_eq!(answer.status, 400, "{}", answer.text());
        let error = answer.text().to_owned();
        assert!(
            error.ends_with("there are provider, model, team\"}") || error.ends_with("team\"}\n"),
            "{error}"
        );
    }
    assert_eq!(tokenlake(archive, &["dimension", "remove", "team"]).status, 0);
    let began = Instant::now();
    while ask("").status != 403 {
        assert!(began.elapsed() < Duration::from_secs(5));
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// An endless range, and one that has more rows than are made at once.
#[test]
fn a_long_answer_is_sent_in_parts_and_no_empty_hour_is_looped_over() {
    let acme = Acme::start();
    let url = acme.server.url("/v1/events");
    for day in 1..29 {
        let events = (0..24).flat_map(|hour| (0..12).map(move |model| (hour, model)));
        let events = events.map(|(hour, model)| {
            json!({
                "event_id": format!("{day}-{hour}-{model}"), "provider": "p", "model": format!("m{model}"),
                "ts": format!("2025-02-{day:02}T{hour:02}:40:00Z"), "cost_usd": "0.5",
            })
        });
        let body = Value::from(events.collect::<Vec<_>>()).to_string();
        assert_eq!(client::post(&url, &acme.key, "application/json", body).status, 200);
    }
    let began = Instant::now();
    let all = "from=0001-01-01&to=9999-12-31&step=hour&group_by=model,provider";
    // Two calls of one hour of UTC are in two hours of Kolkata.
    for (zone, split) in [("UTC", 0), ("Asia/Kolkata", 1)] {
        let answer = acme.ask(&format!("{all}&timezone={zone}"));
        let rows = answer.json()["rows"].as_array().unwrap().clone();
        assert_eq!(rows.len(), 28 * 24 * 12 + EVENTS.len() - 1 + split, "{zone}");
        assert_eq!(answer.header("content-length"), None);
        let starts: Vec<_> = rows.iter().map(|row| row["start"].as_str().unwrap()).collect();
        assert!(starts.is_sorted(), "{zone}");
        let requests = rows.iter().map(|row| row["requests"].as_u64().unwrap()).sum::<u64>();
        assert_eq!(requests, 28 * 24 * 12 + EVENTS.len() as u64, "{zone}");
    }
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    let total = acme.ask("from=0001-01-01&to=9999-12-31").json();
    assert_eq!(total["rows"][0]["requests"], 28 * 24 * 12 + EVENTS.len());
}
