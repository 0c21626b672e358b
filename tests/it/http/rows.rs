//! Tests of single events: which are accepted, which are rejected and why.

use serde_json::json;

use super::{Acme, counts, rejected};
use crate::support::events::{counted, event};

const TS: &str = r#""ts":1714557600"#;

/// Each pair: the fields of an event that is no event, and a word of the reason.
const BAD: [(&str, &str); 28] = [
    (r#""event_id":"x""#, "ts"),
    (r#""ts":1714557600"#, "event_id"),
    (r#""event_id":"","ts":1714557600"#, "event_id"),
    (r#""event_id":["x"],"ts":1714557600"#, "event_id"),
    (r#""event_id":"x","ts":"yesterday""#, "ts"),
    (r#""event_id":"x","ts":"2024-05-01T10:00:00""#, "ts"),
    (r#""event_id":"x","ts":"2014-12-31T23:59:59Z""#, "ts"),
    (r#""event_id":"x","ts":"2099-01-01T00:00:00Z""#, "ts"),
    (r#""event_id":"x","ts":-1"#, "ts"),
    (r#""event_id":"x","ts":1e400"#, "ts"),
    (r#""event_id":"x","ts":1714557600,"input_tokens":-1"#, "input_tokens"),
    (r#""event_id":"x","ts":1714557600,"input_tokens":1.5"#, "input_tokens"),
    (r#""event_id":"x","ts":1714557600,"input_tokens":1000000000001"#, "input_tokens"),
    (r#""event_id":"x","ts":1714557600,"output_tokens":1e400"#, "output_tokens"),
    (r#""event_id":"x","ts":1714557600,"output_tokens":"many""#, "output_tokens"),
    (r#""event_id":"x","ts":1714557600,"input_tokens":5,"cached_input_tokens":6"#, "cached_input"),
    (r#""event_id":"x","ts":1714557600,"input_tokens":5,"cache_write_tokens":6"#, "cache_write"),
    (r#""event_id":"x","ts":1714557600,"output_tokens":5,"reasoning_tokens":6"#, "reasoning"),
    (r#""event_id":"x","ts":1714557600,"cost_usd":-0.01"#, "cost_usd"),
    (r#""event_id":"x","ts":1714557600,"cost_usd":1000000"#, "cost_usd"),
    (r#""event_id":"x","ts":1714557600,"cost_usd":"999999.9999999999995""#, "cost_usd"),
    (r#""event_id":"x","ts":1714557600,"cost_usd":1e400"#, "cost_usd"),
    (r#""event_id":"x","ts":1714557600,"cost_usd":"NaN""#, "cost_usd"),
    (r#""event_id":"x","ts":1714557600,"cost_usd":true"#, "cost_usd"),
    (r#""event_id":"x","ts":1714557600,"cost_usd":["1"]"#, "cost_usd"),
    (r#""event_id":"x","ts":1714557600,"input_tokens":{"a":1}"#, "input_tokens"),
    (r#""event_id":"x","ts":1714557600,"org_id":"globex""#, "org_id"),
    (r#""event_id":"x","ts":1714557600,"org_id":"ACME""#, "org_id"),
];

#[test]
fn a_bad_event_says_why_and_never_fails_its_neighbours() {
    let acme = Acme::start();
    let mut events = vec![event("first")];
    events.extend(BAD.iter().map(|(fields, _)| format!("{{{fields}}}")));
    events.push(event("last"));
    let answer = acme.post_json(format!("[{}]", events.join(",")));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let receipt = answer.json();
    assert_eq!(counts(&answer), (2, 0, BAD.len()), "{receipt}");
    for (number, (one, (fields, reason))) in rejected(&receipt).iter().zip(BAD).enumerate() {
        assert_eq!(one["index"], number + 1, "{one}");
        assert!(one["error"].as_str().unwrap().contains(reason), "{fields}: {one}");
        if fields.starts_with(r#""event_id":"x""#) {
            assert_eq!(one["event_id"], "x", "{one}");
        }
    }
    assert_eq!(counted(&acme.server, &acme.key, "acme"), 2);
    // None of the refused took the place of an event that comes later.
    assert_eq!(counts(&acme.post_json(event("x"))), (1, 0, 0));
}

#[test]
fn events_that_are_all_bad_are_422_with_the_same_body() {
    let acme = Acme::start();
    for body in [r#"{"event_id":"x"}"#, r#"[{"event_id":"x"}]"#, r#"{"events":[{"event_id":"x"}]}"#]
    {
        let answer = acme.post_json(body);
        assert_eq!((answer.status, counts(&answer)), (422, (0, 0, 1)), "{body}");
        assert_eq!(answer.json()["rejected"][0]["event_id"], json!("x"));
    }
    assert_eq!(acme.post("application/x-ndjson", "nope\nnope").status, 422);
    // A duplicate is not bad.
    acme.post_json(event("a"));
    let answer = acme.post_json(format!("[{},{{}}]", event("a")));
    assert_eq!((answer.status, counts(&answer)), (200, (0, 1, 1)));
}

#[test]
fn what_breaks_json_within_an_event_fails_that_event_alone() {
    let acme = Acme::start();
    let long = "x".repeat(10_000_000);
    let bad = [
        format!(r#"{{"event_id":"a","event_id":"a",{TS}}}"#),
        format!(r#"{{"event_id":"a",{TS},"cost_usd":NaN}}"#),
        format!(r#"{{"event_id":"{long}",{TS}}}"#),
        format!(r#"{{"event_id":"a",{TS},"cost_usd":"{long}"}}"#),
        format!(r#"{{"event_id":"\ud800",{TS}}}"#),
        format!(r#"{{"event_id":"a",{TS},"x":nope}}"#),
    ];
    let all = [vec![event("first")], bad.to_vec(), vec![event("last")]].concat();
    let array = format!("[{}]", all.join(","));
    for (content_type, body, standing) in [
        ("application/x-ndjson", all.join("\n"), 0),
        ("application/json", array.clone(), 2),
        ("application/json", format!(r#"{{"sent":NaN,"events":{array}}}"#), 2),
    ] {
        let answer = acme.post(content_type, body);
        assert_eq!(answer.status, 200);
        assert_eq!(counts(&answer), (2 - standing, standing, bad.len()), "{}", answer.text());
        assert!(answer.body.len() < 10_000, "an answer repeats a long value");
    }
}

#[test]
fn numbers_times_and_fields_are_taken_in_every_allowed_form() {
    let acme = Acme::start();
    let good = [
        r#""ts":"2024-05-01T12:00:00.123456+02:00","input_tokens":"12","output_tokens":12.0"#,
        r#""ts":1714557600.5,"input_tokens":1e3,"cost_usd":"1e-12""#,
        r#""ts":1714557600500,"cost_usd":0.0000000000005"#,
        r#""ts":1714557600500000,"cost_usd":"0.0000000000015""#,
        r#""ts":1714557600500000000,"cost_usd":999999.999999999999"#,
        r#""ts":1.7145576e9,"provider":null,"cost_usd":null,"attributes":null"#,
        r#""ts":1714557600,"org_id":"acme","team":{"a":[1,2]},"attributes":{"x":"y"}"#,
    ];
    let label = r#""provider":"p","model":"m""#;
    for (number, fields) in good.iter().enumerate() {
        let labels = if fields.contains("provider") { r#""model":"m""# } else { label };
        let answer = acme.post_json(format!(r#"{{"event_id":"n{number}",{fields},{labels}}}"#));
        assert_eq!(
            (answer.status, counts(&answer)),
            (200, (1, 0, 0)),
            "{fields}: {}",
            answer.text()
        );
    }
    let series = acme.series();
    let of = |name: &str| {
        series[&format!(r#"{name}{{{},org_id="acme"}}"#, r#"provider="p",model="m""#)].clone()
    };
    assert_eq!(of("llm_requests_total"), "6");
    assert_eq!(of("llm_tokens_total"), "1024");
    // Half to even: 0.5 becomes 0, 1.5 becomes 2 of the last place.
    assert_eq!(of("llm_cost_usd_total"), "1000000.000000000002");
}
