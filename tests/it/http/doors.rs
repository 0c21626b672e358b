//! Tests that the rules of the columns are the same on every way in: JSON, NDJSON, CloudEvents in
//! each mode, and the files of a backfill.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Acme, counts};
use crate::support::client;
use crate::support::process::tokenlake;

/// One member of an event.
struct Case {
    column: &'static str,
    /// Its value in JSON.
    json: &'static str,
    /// Its value as a cell of CSV, where it has one.
    cell: Option<&'static str>,
    /// What the column holds then, in JSON; nothing where the event is refused.
    stored: Option<&'static str>,
}

const fn case(
    column: &'static str,
    json: &'static str,
    cell: Option<&'static str>,
    stored: Option<&'static str>,
) -> Case {
    Case { column, json, cell, stored }
}

const AT: Option<&str> = Some(r#""2026-01-15T10:00:00Z""#);
const LATER: Option<&str> = Some(r#""2026-01-15T10:00:00.500Z""#);
const CALL: Option<&str> = Some(r#""api_call""#);

/// Each rule of each column.
const CASES: &[Case] = &[
    case("ts", r#""2026-01-15T10:00:00Z""#, Some("2026-01-15T10:00:00Z"), AT),
    case("ts", r#""2026-01-15T10:00:00+00:00""#, Some("2026-01-15T10:00:00+00:00"), AT),
    case("ts", r#""2026-01-15T15:30:00+0530""#, Some("2026-01-15T15:30:00+0530"), AT),
    case("ts", r#""2026-01-15T10:00Z""#, Some("2026-01-15T10:00Z"), AT),
    case("ts", r#""2026-01-15 10:00+0000""#, Some("2026-01-15 10:00+0000"), AT),
    case("ts", r#""2026-01-15t10:00:00.5z""#, Some("2026-01-15t10:00:00.5z"), LATER),
    case("ts", r#""2026-01-15T10:00:00,5Z""#, Some("\"2026-01-15T10:00:00,5Z\""), LATER),
    case("ts", "1768471200", Some("1768471200"), AT),
    case("ts", r#""1768471200.5""#, Some("1768471200.5"), LATER),
    case("ts", r#""1768471200500""#, Some("1768471200500"), LATER),
    case("ts", "1768471200500000.9", Some("1768471200500000.9"), LATER),
    case("ts", r#""1768471200500000999""#, Some("1768471200500000999"), LATER),
    case("ts", r#""1.7684712e9""#, Some("1.7684712e9"), AT),
    case("ts", r#""soon""#, Some("soon"), None),
    case("ts", r#""2014-12-31T23:59:59Z""#, Some("2014-12-31T23:59:59Z"), None),
    case("ts", r#""2099-01-01T00:00Z""#, Some("2099-01-01T00:00Z"), None),
    case("ts", "true", None, None),
    case("org_id", r#""acme""#, Some("acme"), Some(r#""acme""#)),
    case("org_id", r#""""#, Some(""), Some(r#""acme""#)),
    case("org_id", "null", Some(""), Some(r#""acme""#)),
    case("org_id", r#""ACME""#, Some("ACME"), None),
    case("org_id", "7", Some("7"), None),
    case("event_type", r#""""#, Some(""), CALL),
    case("event_type", "null", Some(""), CALL),
    case("event_type", r#""  ""#, Some("  "), CALL),
    case("event_type", r#""Embedding""#, Some("Embedding"), Some(r#""Embedding""#)),
    case("event_type", "7", Some("7"), Some(r#""7""#)),
    case("event_type", r#"["a"]"#, None, Some(r#""[\"a\"]""#)),
    case("provider", r#"" OpenAI ""#, Some(" OpenAI "), Some(r#""OpenAI""#)),
    case("provider", r#""""#, Some(""), Some("null")),
    case("provider", "4.10", Some("4.10"), Some(r#""4.10""#)),
    case("provider", r#"{"a": 1}"#, None, Some(r#""{\"a\":1}""#)),
    case("provider", "NaN", None, Some("null")),
    case("model", "4", Some("4"), Some(r#""4""#)),
    case("model", r#"["gpt"]"#, None, Some(r#""[\"gpt\"]""#)),
    case("model", "false", Some("false"), Some(r#""false""#)),
    case("model", r#""a\ud83db""#, None, Some("\"a\u{fffd}b\"")),
    case("model", r#""a\u0000b""#, Some("a\0b"), Some(r#""a\u0000b""#)),
    case("input_tokens", "12", Some("12"), Some("12")),
    case("input_tokens", r#""12""#, Some(" 12 "), Some("12")),
    case("input_tokens", "12.0", Some("12.0"), Some("12")),
    case("input_tokens", "1.2e1", Some("1.2e1"), Some("12")),
    case("input_tokens", "null", Some(""), Some("0")),
    case("input_tokens", "12.5", Some("12.5"), None),
    case("input_tokens", "-1", Some("-1"), None),
    case("input_tokens", "NaN", Some("NaN"), None),
    case("input_tokens", "1e400", Some("1e400"), None),
    case("input_tokens", "[12]", None, None),
    case("input_tokens", "1000000000001", Some("1000000000001"), None),
    case("cached_input_tokens", "0.0", Some("0.0"), Some("0")),
    case("cached_input_tokens", "1", Some("1"), None),
    case("cached_input_tokens", "null", Some(""), Some("null")),
    case("cost_usd", "0.1", Some("0.1"), Some(r#""0.1""#)),
    case("cost_usd", r#""1e-12""#, Some("1e-12"), Some(r#""0.000000000001""#)),
    case("cost_usd", "0.0000000000015", Some("0.0000000000015"), Some(r#""0.000000000002""#)),
    case("cost_usd", "null", Some(""), Some("null")),
    case("cost_usd", "NaN", Some("NaN"), None),
    case("cost_usd", "-Infinity", Some("-Infinity"), None),
    case("cost_usd", r#""\ud83d1""#, None, None),
    case("cost_usd", "1000000", Some("1000000"), None),
    case("source", r#""gateway""#, Some("gateway"), Some(r#""gateway""#)),
    case("source", "[1, {\"a\": null}]", None, Some(r#""[1,{\"a\":null}]""#)),
    case("source", "5", Some("5"), Some(r#""5""#)),
    case("attributes", "[]", Some("[]"), Some("null")),
    case("attributes", "null", Some("null"), Some("null")),
    case("attributes", r#""{\"a\":\"b\"}""#, Some(r#""{""a"":""b""}""#), Some(r#"{"a":"b"}"#)),
    case("attributes", r#"{"a": {"b": "\udc00"}}"#, None, Some(r#"{"a":"{\"b\":\"\\ufffd\"}"}"#)),
    case("attributes", "[1, 2]", Some("\"[1,2]\""), Some(r#"{"attributes":"[1,2]"}"#)),
    case("attributes", "7", Some("7"), Some(r#"{"attributes":"7"}"#)),
    case("attributes", r#""text""#, Some("text"), Some(r#"{"attributes":"text"}"#)),
    case("note", r#""half \ud83d""#, None, Some("{\"note\":\"half \u{fffd}\"}")),
    case("note", "NaN", Some("NaN"), Some(r#"{"note":"NaN"}"#)),
    case("note", "1.50", Some("1.50"), Some(r#"{"note":"1.50"}"#)),
];

/// The doors that take JSON, and that which takes CSV.
const DOORS: [&str; 6] = ["json", "ndjson", "batch", "binary", "file", "csv"];

/// The members of an event, as JSON.
fn event(door: &str, number: usize, case: &Case) -> String {
    let Case { column, json, .. } = case;
    let ts = if *column == "ts" { "" } else { r#""ts":"2026-01-15T10:00:00Z","# };
    format!(r#"{{"event_id":"{door}-{number}",{ts}"{column}":{json}}}"#)
}

fn events(door: &str) -> Vec<String> {
    CASES.iter().enumerate().map(|(number, case)| event(door, number, case)).collect()
}

fn refused(cases: impl Iterator<Item = &'static Case>) -> usize {
    cases.filter(|case| case.stored.is_none()).count()
}

fn send(acme: &Acme) {
    let (all, bad) = (CASES.len(), refused(CASES.iter()));
    let expected = (u64::try_from(all - bad).unwrap(), 0, bad);
    let json = acme.post_json(format!("[{}]", events("json").join(",")));
    assert_eq!(counts(&json), expected, "{}", json.text());
    let ndjson = acme.post("application/x-ndjson", events("ndjson").join("\n"));
    assert_eq!(counts(&ndjson), expected, "{}", ndjson.text());
    let envelope = |data: String| {
        format!(r#"{{"specversion":"1.0","id":"1","source":"s","type":"t","data":{data}}}"#)
    };
    let envelopes: Vec<_> = events("batch").into_iter().map(envelope).collect();
    let batch =
        acme.post("application/cloudevents-batch+json", format!("[{}]", envelopes.join(",")));
    assert_eq!(counts(&batch), expected, "{}", batch.text());
    let context = [("ce-specversion", "1.0"), ("ce-id", "1"), ("ce-source", "s")];
    for (data, case) in events("binary").into_iter().zip(CASES) {
        let answer = acme.post_with(&context, data);
        let status = if case.stored.is_some() { 200 } else { 422 };
        assert_eq!(answer.status, status, "{}: {}", case.json, answer.text());
    }
}

fn bring_in(acme: &Acme) {
    let folder = acme.archive.path();
    let file = folder.join("file.ndjson");
    std::fs::write(&file, events("file").join("\n")).unwrap();
    let mut columns: Vec<_> = CASES.iter().map(|case| case.column).collect();
    columns.sort_unstable();
    columns.dedup();
    let mut csv = format!("event_id,{}\n", columns.join(","));
    for (number, case) in CASES.iter().enumerate() {
        let Some(cell) = case.cell else { continue };
        let cells = columns.iter().map(|column| match *column {
            name if name == case.column => cell,
            "ts" => "2026-01-15T10:00:00Z",
            _ => "",
        });
        csv.push_str(&format!("csv-{number},{}\n", cells.collect::<Vec<_>>().join(",")));
    }
    let table = folder.join("table.csv");
    std::fs::write(&table, csv).unwrap();
    let inputs = [file.to_str().unwrap(), table.to_str().unwrap()];
    let done = tokenlake(folder, &["backfill", "--org", "acme", inputs[0], inputs[1]]);
    assert_eq!(done.status, 0, "{done:?}");
    let summary: Value = serde_json::from_str(&done.stdout).unwrap();
    let cells = || CASES.iter().filter(|case| case.cell.is_some());
    assert_eq!(summary["read"], CASES.len() + cells().count(), "{summary}");
    assert_eq!(summary["rejected"], refused(CASES.iter()) + refused(cells()), "{summary}");
}

/// The rows of the archive, by their ids.
fn rows(acme: &Acme) -> BTreeMap<String, Value> {
    let query = ["sql", "--format", "ndjson", "-c", "select * from events"];
    let done = tokenlake(acme.archive.path(), &query);
    let rows = done.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    rows.map(|row| (row["event_id"].as_str().unwrap().to_owned(), row)).collect()
}

#[test]
fn every_door_has_the_same_rules() {
    let acme = Acme::start();
    send(&acme);
    bring_in(&acme);
    let mut rows = rows(&acme);
    for (number, case) in CASES.iter().enumerate() {
        let column = if case.column == "note" { "attributes" } else { case.column };
        for door in DOORS.into_iter().filter(|door| *door != "csv" || case.cell.is_some()) {
            let row = rows.remove(&format!("{door}-{number}"));
            let stored = case.stored.map(|text| serde_json::from_str::<Value>(text).unwrap());
            let place = format!("{door}: {}: {}", case.column, case.json);
            assert_eq!(row.map(|row| row[column].clone()), stored, "{place}");
        }
    }
    assert!(rows.is_empty(), "{rows:?}");
}

#[test]
fn naive_times_are_utc_in_files_alone() {
    let acme = Acme::start();
    let times = ["2026-01-15 10:00:00", "2026-01-15T10:00", "2026-01-15T10:00:00,0"];
    for time in times {
        let answer = acme.post_json(json!({ "event_id": "x", "ts": time }).to_string());
        assert_eq!(answer.status, 422, "{time}");
        assert!(answer.text().contains("has no offset from UTC"), "{}", answer.text());
    }
    let folder = acme.archive.path();
    let lines = times.iter().enumerate().map(|(id, ts)| json!({ "event_id": id, "ts": ts }));
    let lines: Vec<_> = lines.map(|line| line.to_string()).collect();
    let file = folder.join("naive.ndjson");
    std::fs::write(&file, lines.join("\n")).unwrap();
    let done = tokenlake(folder, &["backfill", "--org", "acme", file.to_str().unwrap()]);
    assert_eq!(done.status, 0, "{done:?}");
    let rows = rows(&acme);
    assert_eq!(rows.len(), times.len());
    assert!(rows.values().all(|row| row["ts"] == "2026-01-15T10:00:00Z"), "{rows:?}");
}

#[test]
fn an_id_is_one_whether_it_is_sent_as_a_number_or_as_text() {
    let acme = Acme::start();
    let ts = r#""ts":"2026-01-15T10:00Z""#;
    let huge = "123456789012345678901234567890";
    let body =
        format!(r#"[{{"event_id":12,{ts}}},{{"event_id":"12",{ts}}},{{"event_id":{huge},{ts}}}]"#);
    assert_eq!(counts(&acme.post_json(body)), (2, 1, 0));
    let folder = acme.archive.path();
    let file = folder.join("ids.csv");
    std::fs::write(&file, format!("event_id,ts\n12,2026-01-15T10:00Z\n{huge},1768471200\n"))
        .unwrap();
    let done = tokenlake(folder, &["backfill", "--org", "acme", file.to_str().unwrap()]);
    assert!(done.stdout.contains(r#""accepted":0,"duplicates":2"#), "{done:?}");
    let ids: Vec<_> = rows(&acme).into_keys().collect();
    assert_eq!(ids, ["12", huge]);
}

#[test]
fn what_is_mended_is_counted_in_telemetry() {
    let acme = Acme::start_with(&["serve", "--admin-listen", "127.0.0.1:0"]);
    let said = acme.server.stderr();
    let admin = said.lines().find_map(|line| line.strip_prefix("telemetry on ")).unwrap();
    let more = [
        format!(r#""model":"{}""#, "m".repeat(257)),
        r#""provider":true,"source":["a"]"#.to_owned(),
        r#""model":"a","model":"b""#.to_owned(),
        r#""note":"\ud83d","list":[NaN]"#.to_owned(),
        r#""attributes":"text""#.to_owned(),
    ];
    let event = |(id, more): (usize, &String)| {
        format!(r#"{{"event_id":{id},"ts":"2026-01-15T10:00Z",{more}}}"#)
    };
    let events: Vec<_> = more.iter().enumerate().map(event).collect();
    let answer = acme.post_json(format!("[{}]", events.join(",")));
    assert_eq!(counts(&answer), (5, 0, 0), "{}", answer.text());
    let text = client::get(admin, "");
    for (reason, count) in
        [("cut", 1), ("not_text", 2), ("repeated", 1), ("replaced", 2), ("no_object", 1)]
    {
        let line = format!("tokenlake_metadata_mended_total{{reason=\"{reason}\"}} {count}");
        assert!(text.text().lines().any(|found| found == line), "{line} not in\n{}", text.text());
    }
}

#[test]
fn a_thousand_rejections_are_listed_and_the_rest_is_counted() {
    let acme = Acme::start();
    let good = |id: usize| format!(r#"{{"event_id":"{id}","ts":"2026-01-15T10:00Z"}}"#);
    let bad = |count: usize| vec!["{}".to_owned(); count];
    for (count, more) in [(1_000, None), (1_001, Some(1)), (3_500, Some(2_500))] {
        let all = [vec![good(count)], bad(count), vec![good(count + 1)]].concat();
        for (content_type, body) in [
            ("application/json", format!("[{}]", all.join(","))),
            ("application/x-ndjson", all.join("\n")),
        ] {
            let answer = acme.post(content_type, body);
            let receipt = answer.json();
            assert_eq!((answer.status, counts(&answer).2), (200, 1_000));
            assert_eq!(receipt.get("rejected_more").and_then(Value::as_u64), more);
            assert_eq!(
                (&receipt["rejected"][0]["index"], &receipt["rejected"][999]["index"]),
                (&json!(1), &json!(1_000))
            );
        }
    }
    let answer = acme.post_json(format!("[{}]", bad(20_000).join(",")));
    assert_eq!((answer.status, &answer.json()["rejected_more"]), (422, &json!(19_000)));
    assert!(answer.body.len() < 100_000);
}
