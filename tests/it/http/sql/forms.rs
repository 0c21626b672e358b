//! Tests of the formats of answers and requests, and of access.

use std::io::Cursor;

use arrow::array::AsArray as _;
use arrow::datatypes::{DataType, Decimal128Type, Int64Type, TimeUnit};
use arrow::ipc::reader::StreamReader;

use super::{ask, rows};
use crate::http::Acme;
use crate::support::client::{self, Answer};
use crate::support::events;
use crate::support::process::key_with;

const LINES: &str = concat!(
    r#"{"event_id":"a1","ts":"2026-01-15T10:00:00Z","provider":"OpenAI","model":"gpt-4o","input_tokens":100,"output_tokens":20,"cost_usd":"0.1","attributes":{"team":"x\"y"}}"#,
    "\n",
    r#"{"event_id":"a2","ts":"2026-01-15T10:30:00.000001Z","model":"mini, \"x\"","input_tokens":1}"#,
);
const QUERY: &str = "SELECT event_id, ts, model, input_tokens AS n, cost_usd, attributes \
                     FROM events ORDER BY ts";

fn acme() -> Acme {
    let acme = Acme::start();
    assert_eq!(acme.post("application/x-ndjson", LINES).status, 200);
    acme
}

fn accept(acme: &Acme, query: &str, accept: &str) -> Answer {
    let auth = client::bearer(&acme.key);
    let headers =
        [("authorization", auth.as_str()), ("content-type", "text/plain"), ("accept", accept)];
    client::send("POST", &acme.server.url("/v1/sql"), &headers, query)
}

#[test]
fn rows_come_in_four_forms_and_are_exact() {
    let acme = acme();
    let first = r#"{"event_id":"a1","ts":"2026-01-15T10:00:00Z","model":"gpt-4o","n":100,"cost_usd":"0.1","attributes":{"team":"x\"y"}}"#;
    let last = r#"{"event_id":"a2","ts":"2026-01-15T10:30:00.000001Z","model":"mini, \"x\"","n":1,"cost_usd":null,"attributes":null}"#;
    for (wish, media_type, expected) in [
        ("*/*", "application/json", format!("[\n{first},\n{last}\n]\n")),
        ("application/json", "application/json", format!("[\n{first},\n{last}\n]\n")),
        ("application/x-ndjson", "application/x-ndjson", format!("{first}\n{last}\n")),
        (
            "text/html, text/csv;q=0.9, application/json;q=0.8",
            "text/csv; charset=utf-8; header=present",
            "event_id,ts,model,n,cost_usd,attributes\n\
             a1,2026-01-15T10:00:00Z,gpt-4o,100,0.1,\"{\"\"team\"\":\"\"x\\\"\"y\"\"}\"\n\
             a2,2026-01-15T10:30:00.000001Z,\"mini, \"\"x\"\"\",1,,\n"
                .to_owned(),
        ),
    ] {
        let answer = accept(&acme, QUERY, wish);
        assert_eq!(answer.status, 200, "{wish}: {}", answer.text());
        assert_eq!(answer.header("content-type"), Some(media_type), "{wish}");
        assert_eq!(answer.text(), expected, "{wish}");
    }
    let answer = accept(&acme, QUERY, "application/vnd.apache.arrow.stream");
    assert_eq!(answer.header("content-type"), Some("application/vnd.apache.arrow.stream"));
    let batches = StreamReader::try_new(Cursor::new(answer.body), None).unwrap();
    let batches: Vec<_> = batches.map(Result::unwrap).collect();
    let rows = arrow::compute::concat_batches(&batches[0].schema(), &batches).unwrap();
    assert_eq!(rows.num_rows(), 2);
    assert_eq!(rows["n"].as_primitive::<Int64Type>().values(), &[100, 1]);
    assert_eq!(rows["cost_usd"].data_type(), &DataType::Decimal128(18, 12));
    assert_eq!(rows["cost_usd"].as_primitive::<Decimal128Type>().value(0), 100_000_000_000);
    let micros = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    assert_eq!(rows["ts"].data_type(), &micros);
}

#[test]
fn an_answer_without_rows_has_its_form_too() {
    let acme = acme();
    let query = "SELECT event_id FROM events WHERE false";
    for (wish, expected) in
        [("application/json", "[]\n"), ("application/x-ndjson", ""), ("text/csv", "event_id\n")]
    {
        let answer = accept(&acme, query, wish);
        assert_eq!((answer.status, answer.text()), (200, expected), "{wish}");
    }
    let answer = accept(&acme, query, "application/vnd.apache.arrow.stream");
    let mut batches = StreamReader::try_new(Cursor::new(answer.body), None).unwrap();
    assert_eq!(batches.schema().field(0).name(), "event_id");
    assert!(batches.next().is_none());
}

#[test]
fn sums_are_whole_numbers_and_money_is_text() {
    let acme = acme();
    let query = "SELECT sum(requests) AS requests, sum(input_tokens) AS tokens, \
                 sum(cost_usd) AS cost FROM usage_hourly WHERE model = 'gpt-4o'";
    let expected = serde_json::json!([{"requests": 1, "tokens": 100, "cost": "0.1"}]);
    assert_eq!(rows(&acme.server, &acme.key, query), expected);
}

#[test]
fn a_query_is_sent_as_json_or_text() {
    let acme = acme();
    let url = acme.server.url("/v1/sql");
    let send = |content_type: &str, body: &str| {
        client::post(&url, &acme.key, content_type, body.to_owned())
    };
    let expected = serde_json::json!([{"n": 2}]);
    for (content_type, body) in [
        ("application/json", r#"{"query":"SELECT count(*) AS n FROM events"}"#),
        ("application/json; charset=utf-8", r#"{"query":"SELECT count(*) AS n FROM events;"}"#),
        ("text/plain", "SELECT count(*) AS n FROM events -- all\n;\n"),
        (
            "text/plain;charset=UTF-8",
            "WITH e AS (SELECT * FROM events) SELECT count(*) AS n FROM e",
        ),
    ] {
        let answer = send(content_type, body);
        assert_eq!(answer.status, 200, "{body}: {}", answer.text());
        assert_eq!(answer.json(), expected, "{body}");
    }
    for (status, content_type, body) in [
        (415, "application/x-www-form-urlencoded", "query=SELECT+1".to_owned()),
        (415, "application/sql", "SELECT 1".to_owned()),
        (415, "text/plain; charset=latin1", "SELECT 1".to_owned()),
        (400, "application/json", "SELECT 1".to_owned()),
        (400, "application/json", "{}".to_owned()),
        (400, "application/json", r#"{"query":["SELECT 1"]}"#.to_owned()),
        (400, "text/plain", " ".to_owned()),
        (413, "text/plain", format!("SELECT '{}'", "x".repeat(256 * 1024))),
    ] {
        let answer = send(content_type, &body);
        assert_eq!(answer.status, status, "{content_type}: {}", answer.text());
        assert!(answer.json()["error"].is_string());
    }
    assert_eq!(accept(&acme, "SELECT 1", "application/xml").status, 406);
    assert_eq!(acme.get("/v1/sql").status, 405);
}

#[test]
fn what_the_asker_can_mend_is_400_with_a_reason() {
    let acme = acme();
    for (query, reason) in [
        ("SELEC 1", "SELEC"),
        ("SELECT nothing FROM events", "nothing"),
        (
            "SELECT * FROM tenants",
            "the tables are events, usage_hourly, usage_by_dimension and provider_reports",
        ),
        ("SELECT 1 / 0", "ivide by zero"),
        ("SELECT CAST(event_id AS int) FROM events", "a1"),
        ("SELECT 1; SELECT 2", "one by one"),
        ("DELETE FROM events", "refused"),
        ("EXPLAIN ANALYZE SELECT 1", "refused"),
        ("-- nothing", "SELECT"),
    ] {
        let answer = ask(&acme.server, &acme.key, query);
        assert_eq!(answer.status, 400, "{query}: {}", answer.text());
        let error = answer.json()["error"].as_str().unwrap().to_owned();
        assert!(error.contains(reason) && error.lines().count() == 1, "{query}: {error}");
    }
}

#[test]
fn asking_needs_its_scope() {
    let acme = acme();
    for (scope, status) in [("metrics:read", 403), ("events:write", 403), ("sql:read", 200)] {
        let key = key_with(acme.archive.path(), "acme", &["--scope", scope]);
        assert_eq!(ask(&acme.server, &key, "SELECT 1").status, status, "{scope}");
    }
    let url = acme.server.url("/v1/sql");
    let text = [("content-type", "text/plain")];
    assert_eq!(client::send("POST", &url, &text, "SELECT 1").status, 401);
}

#[test]
fn each_event_acknowledged_before_is_seen() {
    let acme = Acme::start();
    let count = "SELECT count(*) AS n FROM events";
    let hourly = "SELECT sum(requests) AS n FROM usage_hourly";
    assert_eq!(rows(&acme.server, &acme.key, count), serde_json::json!([{"n": 0}]));
    for n in 1..=3 {
        events::send(&acme.server, &acme.key, n..n + 1);
        for query in [count, hourly] {
            assert_eq!(rows(&acme.server, &acme.key, query), serde_json::json!([{ "n": n }]));
        }
    }
}

#[test]
fn explaining_shows_the_plan_as_it_was_asked() {
    let acme = acme();
    for query in ["EXPLAIN", "EXPLAIN VERBOSE", "EXPLAIN FORMAT TREE", "EXPLAIN FORMAT INDENT"] {
        for table in ["events", "usage_hourly"] {
            let asked = format!("SELECT * FROM {table} WHERE org_id > 'a' LIMIT 1");
            let shown = rows(&acme.server, &acme.key, &format!("{query} {asked}"));
            assert_eq!(shown.as_array().unwrap().len(), 1, "{shown}");
            assert_eq!(shown[0]["plan_type"], "logical_plan");
            let plan = shown[0]["plan"].as_str().unwrap();
            assert!(plan.contains("Filter: "), "{plan}");
            assert!(plan.starts_with("Limit: ") && plan.contains("TableScan: "), "{plan}");
            for word in ["parquet", "DataSource", "Exec", "OrgWall", "partial_filters"] {
                assert!(!plan.contains(word), "{plan}");
            }
        }
    }
}

#[test]
fn the_version_is_that_of_the_program() {
    let acme = acme();
    let version = concat!("tokenlake ", env!("CARGO_PKG_VERSION"));
    let expected = serde_json::json!([{ "version": version }]);
    assert_eq!(rows(&acme.server, &acme.key, "SELECT version() AS version"), expected);
}
